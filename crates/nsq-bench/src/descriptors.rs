//! The limit on open file descriptors.

use anyhow::{Context, Result};
use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the soft limit to the hard one: every connection needs a descriptor.
pub(crate) fn raise_limit() -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return Ok(());
    }
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).context("raise the limit on open files")
}
