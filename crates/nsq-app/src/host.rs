//! What a daemon knows of the machine it runs on.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The name of this host.
#[must_use]
pub fn name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// How many files this process may have open. Like Go programs it takes what it may have at most;
/// usual is a limit of 1024 that any process may raise.
#[must_use]
pub fn max_open_files() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum.unwrap_or(u64::MAX),
        Err(_) => current.unwrap_or(1024),
    }
}
