//! What lies between a client and its commands: TLS, client certificates, compression, AUTH.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::auth_server;
use super::certificates::Certificates;
use crate::daemon::Daemon;
use crate::program::run;
use crate::workspace::Workspace;

/// The variable that names an nsqd to be checked instead of this one.
const OTHER_NSQD: &str = "NSQ_TEST_NSQD";

/// Runs the script in every way to connect. It takes an nsqd's address, a directory with
/// certificates, and the ways.
pub(super) fn check(workspace: &Workspace, script: impl Fn() -> Command) -> Result<()> {
    let nsqd = nsqd(workspace)?;
    let certificates = Certificates::new()?;
    let own = [
        certificates.flag("tls-cert", "server.pem"),
        certificates.flag("tls-key", "server.key"),
        "--https-address=127.0.0.1:0".to_owned(),
    ];
    let verified = [
        certificates.flag("tls-root-ca-file", "ca.pem"),
        "--tls-client-auth-policy=require-verify".to_owned(),
    ];
    let authorized = [format!("--auth-http-address={}", auth_server::start()?)];
    let with = |flags: &[String], ways: &[&str]| {
        let daemon = Daemon::nsqd_with(&nsqd, flags)?;
        run(script().arg(&daemon.tcp).arg(certificates.path()).args(ways))?;
        daemon.stop()
    };
    with(&own, &["plain", "tls"])?;
    with(&[&own[..], &verified].concat(), &["certificate"])?;
    with(&authorized, &["auth"])
}

/// The nsqd to check.
fn nsqd(workspace: &Workspace) -> Result<PathBuf> {
    if let Some(other) = env::var_os(OTHER_NSQD) {
        return Ok(other.into());
    }
    let programs = workspace.build(&["--package=nsqd", "--bin=nsqd"])?;
    programs.path("nsqd").map(Path::to_owned)
}
