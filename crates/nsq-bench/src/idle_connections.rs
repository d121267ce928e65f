//! `IdleConnections`: connections that do nothing but answer heartbeats.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::command;
use crate::connection::{Connection, Event, Received};
use crate::crew::Switch;
use crate::progress::Progress;

/// Receive buffer of an idle connection: heartbeats are all that comes.
pub(crate) const IDLE_BUFFER_BYTES: usize = 128;
/// How often heartbeats are looked for; nsqd sends them every 30 s and waits as long again.
const SWEEP_INTERVAL: Duration = Duration::from_secs(2);
/// How often to look whether to stop.
const TICK: Duration = Duration::from_millis(20);

/// Open connections, held by one thread.
pub(crate) struct IdleConnections {
    connections: Vec<Connection>,
}

impl IdleConnections {
    /// Opens `count` connections; those that are open already stay alive meanwhile.
    pub(crate) fn open(count: u32, mut open: impl FnMut() -> Result<Connection>) -> Result<Self> {
        let mut progress = Progress::new();
        let mut idle = Self { connections: Vec::new() };
        let mut swept = Instant::now();
        for index in 0..count {
            let mut connection =
                open().with_context(|| format!("connection {} of {count}", index + 1))?;
            connection.set_nonblocking()?;
            idle.connections.push(connection);
            progress.update_count("connections", u64::from(index) + 1, u64::from(count));
            if swept.elapsed() > SWEEP_INTERVAL {
                idle.sweep()?;
                swept = Instant::now();
            }
        }
        Ok(idle)
    }

    /// Keeps the connections alive for this long.
    pub(crate) fn hold(&mut self, span: Duration) -> Result<()> {
        let held = Instant::now();
        while held.elapsed() < span {
            let left = span.saturating_sub(held.elapsed());
            thread::sleep(left.min(SWEEP_INTERVAL));
            self.sweep()?;
        }
        Ok(())
    }

    /// Keeps the connections alive until told to stop, then closes them.
    pub(crate) fn hold_until_stopped(mut self, switch: &Switch) -> Result<()> {
        let mut swept = Instant::now();
        while !switch.is_stopped() {
            thread::sleep(TICK);
            if swept.elapsed() > SWEEP_INTERVAL {
                self.sweep()?;
                swept = Instant::now();
            }
        }
        Ok(())
    }

    /// Answers the heartbeats that have come.
    fn sweep(&mut self) -> Result<()> {
        for connection in &mut self.connections {
            match connection.receive()? {
                Received::Nothing => continue,
                Received::End => bail!("nsqd closed an idle connection"),
                Received::Bytes => {}
            }
            let mut heartbeat = false;
            while let Some(event) = connection.next_event()? {
                match event {
                    Event::Heartbeat => heartbeat = true,
                    other => bail!("unexpected {other:?} on an idle connection"),
                }
            }
            if heartbeat {
                connection.send(command::NOP)?;
            }
        }
        Ok(())
    }
}
