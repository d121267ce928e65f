//! What the machine offers.

use std::process::{Command, Stdio};

use rustix::process::getuid;

use crate::program::run_quietly;

/// Whether a skipped check counts as a failed one: in continuous integration, whose machines
/// offer everything that is needed.
pub(crate) fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

/// Whether a program can be started at all.
pub(crate) fn has(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Makes sure that there is a valgrind, or says why there is none.
pub(crate) fn require_valgrind() -> Result<(), String> {
    if has("valgrind", &["--version"]) {
        return Ok(());
    }
    if !getuid().is_root() || !has("apt-get", &["--version"]) {
        return Err("valgrind is not installed".to_owned());
    }
    println!("installing valgrind");
    let install = ["install", "--yes", "--no-install-recommends", "valgrind"];
    let installed = run_quietly(Command::new("apt-get").arg("update"))
        .and_then(|_| run_quietly(Command::new("apt-get").args(install)));
    installed.map(drop).map_err(|error| format!("valgrind cannot be installed: {error:#}"))
}
