//! A thread for work that takes long and is not urgent: gathering and writing statistics and lists.
//!
//! One at a time, on one thread: with ten thousand topics a page is megabytes, and as many
//! threads as there are requests would each keep memory for one.

use tokio::sync::mpsc::{self, Sender};
use tokio::sync::oneshot;

/// How many pieces of work wait in the queue; who comes then waits for a place in it.
const QUEUE: usize = 16;

type Work = Box<dyn FnOnce() + Send>;

/// The thread. It ends with the last work after this is dropped.
#[derive(Debug)]
pub struct Aside {
    queue: Sender<Work>,
}

impl Aside {
    /// Starts the thread; the system shows it under this name.
    ///
    /// # Errors
    ///
    /// When the system has no thread left.
    pub fn start(name: &str) -> std::io::Result<Self> {
        let (queue, mut work) = mpsc::channel::<Work>(QUEUE);
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            while let Some(work) = work.blocking_recv() {
                work();
            }
        })?;
        Ok(Self { queue })
    }

    /// Does `work` when it is its turn, unless nobody waits for it any more. Nothing if it failed,
    /// which is a defect.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (done, wait) = oneshot::channel();
        let queued = self.queue.send(Box::new(move || {
            if !done.is_closed() {
                let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
                // Whoever asked may have gone meanwhile.
                if result.is_ok_and(|result| done.send(result).is_ok()) {}
            }
        }));
        queued.await.ok()?;
        wait.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Aside;

    #[tokio::test]
    async fn work_is_done_one_after_the_other_and_a_panic_ends_only_itself() {
        let aside = Aside::start("slowly").expect("a thread");
        assert_eq!(aside.run(|| 1).await, Some(1));
        assert_eq!(aside.run(|| -> i32 { panic!("for the test") }).await, None);
        let thread = || std::thread::current().name().map(str::to_owned);
        assert_eq!(aside.run(thread).await.flatten().as_deref(), Some("slowly"));
    }
}
