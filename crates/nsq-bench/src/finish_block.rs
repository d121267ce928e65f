//! `FinishBlock`: the FIN commands for one block of received messages.

/// `FIN `, 16 id bytes, LF.
const COMMAND_BYTES: usize = 21;
/// The id of a message as it stands on the wire.
pub(crate) const ID_BYTES: usize = 16;

const EMPTY_COMMAND: &[u8; COMMAND_BYTES] = b"FIN ................\n";

/// A buffer of ready-made FIN commands into which only the ids are copied.
pub(crate) struct FinishBlock {
    bytes: Vec<u8>,
    commands: usize,
}

impl FinishBlock {
    /// Makes a block with room for `capacity` commands, at least one.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { bytes: EMPTY_COMMAND.repeat(capacity.max(1)), commands: 0 }
    }

    /// Adds a FIN; false when the block was full and the id was not taken.
    #[must_use]
    pub(crate) fn push(&mut self, id: &[u8; ID_BYTES]) -> bool {
        let start = self.commands * COMMAND_BYTES + 4;
        let Some(slot) = self.bytes.get_mut(start..start + ID_BYTES) else { return false };
        slot.copy_from_slice(id);
        self.commands += 1;
        true
    }

    /// Forgets the commands, keeping the room.
    pub(crate) fn clear(&mut self) {
        self.commands = 0;
    }

    /// The commands added since the last clear, as they go on the wire.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.commands * COMMAND_BYTES]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_holds_whole_finish_commands() {
        let mut block = FinishBlock::new(2);
        assert_eq!(block.bytes(), b"");
        assert!(block.push(b"18a4a6e55e669000"));
        assert!(block.push(b"18a4a4c770269001"));
        assert!(!block.push(b"0000000000000000"));
        assert_eq!(block.bytes(), b"FIN 18a4a6e55e669000\nFIN 18a4a4c770269001\n");
        block.clear();
        assert!(block.push(b"0000000000000000"));
        assert_eq!(block.bytes(), b"FIN 0000000000000000\n");
    }
}
