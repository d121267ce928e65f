//! `Crew`: the threads of one side of a load, started together and stopped together.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

/// Tells workers to stop.
#[derive(Default)]
pub(crate) struct Switch(AtomicBool);

impl Switch {
    /// Asks every worker to come to an end.
    pub(crate) fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the worker should come to an end.
    pub(crate) fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Worker threads that share a switch. Dropping a crew stops it without waiting.
#[derive(Default)]
pub(crate) struct Crew {
    switch: Arc<Switch>,
    members: Vec<JoinHandle<Result<()>>>,
}

impl Crew {
    /// Starts a worker thread.
    pub(crate) fn spawn(
        &mut self,
        name: &str,
        work: impl FnOnce(&Switch) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let switch = Arc::clone(&self.switch);
        let member = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || work(&switch))
            .context("start a thread")?;
        self.members.push(member);
        Ok(())
    }

    /// Collects workers that have ended; the first failure becomes the error.
    pub(crate) fn reap(&mut self) -> Result<()> {
        let mut index = 0;
        while let Some(member) = self.members.get(index) {
            if !member.is_finished() {
                index += 1;
                continue;
            }
            let name = member.thread().name().unwrap_or("worker").to_owned();
            let result = self.members.swap_remove(index).join();
            result.map_err(|_| anyhow!("{name}: the thread panicked"))?.context(name)?;
        }
        Ok(())
    }

    /// Whether every worker has ended and was collected.
    pub(crate) fn is_done(&self) -> bool {
        self.members.is_empty()
    }

    /// Asks the workers to stop.
    pub(crate) fn stop(&self) {
        self.switch.stop();
    }

    /// Asks the workers to stop and waits for them, up to `limit`.
    pub(crate) fn stop_and_wait(&mut self, limit: Duration) -> Result<()> {
        self.stop();
        let deadline = Instant::now() + limit;
        loop {
            self.reap()?;
            if self.is_done() {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("{} threads did not end within {limit:?}", self.members.len());
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.stop();
    }
}
