//! Signals sent to this very process; alone in its file because they reach all of it.

use std::io::{self, Write};

use nsq_app::local_time::LocalTime;
use nsq_app::{LogLevel, Logger, Shutdown, Signals};
use rustix::process::{Signal, getpid, kill_process};
use tokio::sync::mpsc;

/// Hands over every line.
struct Lines(mpsc::UnboundedSender<String>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(String::from_utf8_lossy(bytes).into_owned()).expect("the test listens");
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn only_sigterm_and_sigint_stop_and_only_once() {
    let (lines, mut written) = mpsc::unbounded_channel();
    let log = Logger::new("", LogLevel::Debug, LocalTime::utc(), Box::new(Lines(lines)));
    let shutdown = Shutdown::new();
    let signals = Signals::catch().expect("handlers are free");
    let hang_up = {
        let log = log.clone();
        move || log.info(format_args!("hung up"))
    };
    let task = tokio::spawn(signals.run(log, shutdown.clone(), hang_up));
    let send = |signal| kill_process(getpid(), signal).expect("we may signal ourselves");
    let mut line = async || written.recv().await.expect("a line");

    send(Signal::USR1);
    send(Signal::USR2);
    send(Signal::HUP);
    assert!(line().await.ends_with("INFO: hung up\n"));
    assert!(!shutdown.has_begun());

    send(Signal::TERM);
    shutdown.wait().await;
    assert!(line().await.ends_with("DEBUG: stopping on SIGTERM\n"));

    send(Signal::INT);
    assert!(line().await.ends_with("DEBUG: ignoring SIGINT: already stopping\n"));
    task.abort();
}
