//! Room on the disk: publishing stops before the last of it is used.
//!
//! What is left then is for those who make room: consumers, whose progress is written down, and
//! the copying of the last few messages out of old segments.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nsq_store::disk::{Disk, Space};

/// The part of a disk that may have to stay free, however large `--min-free-disk` is.
const SHARE_MAX: u64 = 20;

/// Watches the room on the disk of the data directory.
#[derive(Debug)]
pub(crate) struct DiskSpace {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    min_free: u64,
    /// So that the usual case costs one load.
    is_short: AtomicBool,
}

/// Less is free than must be. Displays as the reason for refusing a publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shortage {
    free: u64,
    required: u64,
}

impl DiskSpace {
    /// Room on the disk that `path` is on, of which `min_free` bytes must stay free, or a
    /// twentieth of the disk if that is less; 0: nothing must.
    pub(crate) fn new(disk: Arc<dyn Disk>, path: PathBuf, min_free: u64) -> Self {
        Self { disk, path, min_free, is_short: AtomicBool::new(false) }
    }

    /// Looks how much room there is. Asks the file system, so it may have to wait for it.
    pub(crate) fn look(&self) -> Option<Shortage> {
        if self.min_free == 0 {
            return None;
        }
        // A disk that does not say is one that must show by its errors what it takes.
        let shortage = self.disk.space(&self.path).ok().and_then(|space| self.judge(space));
        self.is_short.store(shortage.is_some(), Ordering::Release);
        shortage
    }

    /// Whether there was too little when somebody looked last.
    pub(crate) fn is_short(&self) -> bool {
        self.is_short.load(Ordering::Acquire)
    }

    /// What keeps publishers out. A shortage that was seen is looked at again, so that it ends at
    /// once when room is made.
    pub(crate) fn shortage(&self) -> Option<Shortage> {
        self.is_short().then(|| self.look()).flatten()
    }

    fn judge(&self, Space { free, total }: Space) -> Option<Shortage> {
        let required = self.min_free.min(total / SHARE_MAX);
        (free < required).then_some(Shortage { free, required })
    }
}

impl fmt::Display for Shortage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { free, required } = self;
        write!(
            out,
            "only {free} bytes are free on the disk, {required} must be (see --min-free-disk)"
        )
    }
}

#[cfg(test)]
mod tests {
    use nsq_sim::FaultyDisk;

    use super::*;

    #[test]
    fn the_lesser_of_the_flag_and_a_twentieth_must_be_free() {
        let space = |min_free| DiskSpace::new(Arc::new(FaultyDisk::new()), "/".into(), min_free);
        for (min_free, free, total, expected) in [
            (0, 0, 1000, None),
            (10, 10, 1000, None),
            (10, 9, 1000, Some(10)),
            (100, 50, 1000, None),
            (100, 49, 1000, Some(50)),
            (10, 0, 0, None),
        ] {
            let shortage = space(min_free).judge(Space { free, total });
            assert_eq!(shortage.map(|shortage| shortage.required), expected);
        }
    }

    #[test]
    fn it_passes_when_room_is_made() {
        let disk = FaultyDisk::new();
        let file = disk.create("/file".as_ref()).expect("there is room");
        file.set_length(995).expect("there is room");
        let space = DiskSpace::new(Arc::new(disk.clone()), "/".into(), 10);
        disk.limit(Some(1000));
        assert_eq!(space.shortage(), None, "nobody has looked");
        space.look();
        assert_eq!(space.shortage(), Some(Shortage { free: 5, required: 10 }));
        disk.limit(Some(1005));
        assert_eq!(space.shortage(), None);
    }
}
