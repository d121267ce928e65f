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

/// Makes sure that a program of this Debian package is there, or says why it is not.
pub(crate) fn require(program: &str, version_flag: &str, package: &str) -> Result<(), String> {
    if has(program, &[version_flag]) { Ok(()) } else { install(package) }
}

/// Makes sure that a Debian package without a program is there, or says why it is not.
pub(crate) fn require_package(package: &str) -> Result<(), String> {
    if has("dpkg", &["--status", package]) { Ok(()) } else { install(package) }
}

fn install(package: &str) -> Result<(), String> {
    if !getuid().is_root() || !has("apt-get", &["--version"]) {
        return Err(format!("{package} is not installed"));
    }
    println!("installing {package}");
    let install = ["install", "--yes", "--no-install-recommends", package];
    let installed = run_quietly(Command::new("apt-get").arg("update"))
        .and_then(|_| run_quietly(Command::new("apt-get").args(install)));
    installed.map(drop).map_err(|error| format!("{package} cannot be installed: {error:#}"))
}
