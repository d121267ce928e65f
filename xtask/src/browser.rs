//! nsqadmin in a browser, against a cluster of its own.

mod cluster;
mod publisher;

use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result};

use self::cluster::Cluster;
use crate::machine;
use crate::node_packages;
use crate::test::{self, Outcome};
use crate::workspace::Workspace;

const PACKAGES: &str = "tests/browser";
const SCRIPT: &str = "tests/browser/main.js";
/// Chinese letters for the pictures; the smallest of the fonts that have them.
const FONT: &str = "fonts-wqy-microhei";
/// The variable that has the pictures of the documents made anew.
const SCREENSHOTS: &str = "NSQ_SCREENSHOTS";
/// Which of the pictures of a run the documents have.
const PICTURES: [&str; 11] = [
    "topics",
    "topic",
    "channel-dark",
    "nodes",
    "node",
    "counter",
    "lookup",
    "tail",
    "topic-phone",
    "topics-zh",
    "warning",
];
const PROGRAMS: [&str; 5] = [
    "--bins",
    "--package=nsqadmin",
    "--package=nsqd",
    "--package=nsqlookupd",
    "--package=nsq-tools",
];

/// Opens every page and presses every button in Chromium.
pub(crate) fn run(workspace: &Workspace) -> Result<Outcome> {
    let environment = workspace.target("clients/browser");
    let prepared = machine::require("chromium", "--version", "chromium")
        .and_then(|()| node_packages::install(workspace, PACKAGES, &environment));
    if let Err(reason) = prepared {
        return Ok(Outcome::Skipped(reason));
    }
    if let Err(reason) = machine::require_package(FONT) {
        println!("pictures may lack Chinese letters: {reason}");
    }
    let programs = workspace.build(&PROGRAMS)?;
    let cluster = Cluster::start(&programs)?;
    let screenshots = workspace.target("browser/screenshots");
    let mut node = Command::new("node");
    node.arg("--test-reporter=spec").arg(workspace.path(SCRIPT));
    node.env("NODE_PATH", environment.join("node_modules"));
    node.env("NSQ_TEST_CLUSTER", cluster.description().to_string());
    node.env("NSQ_TEST_SCREENSHOTS", &screenshots);
    let outcome = test::counted(node)?;
    cluster.stop()?;
    if env::var(SCREENSHOTS).is_ok_and(|value| value == "1") {
        let images = workspace.path("docs/images");
        fs::create_dir_all(&images)?;
        for name in PICTURES.map(|name| format!("{name}.png")) {
            let from = screenshots.join(&name);
            fs::copy(&from, images.join(&name)).with_context(|| from.display().to_string())?;
        }
    }
    Ok(outcome)
}
