//! Clients that other people wrote, against this daemon.

mod auth_server;
mod certificates;
mod layers;

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::daemon::Daemon;
use crate::machine;
use crate::node_packages;
use crate::program::{run, run_quietly};
use crate::tally::Tally;
use crate::test::Outcome;
use crate::workspace::Workspace;

const PYTHON_REQUIREMENTS: &str = "tests/clients/python/requirements.txt";
const PYTHON_SCRIPTS: [&str; 2] =
    ["tests/clients/python/consume.py", "tests/clients/python/metrics.py"];
/// The variable that names the directory of programs with go-nsq.
const GO_TOOLS: &str = "NSQ_TEST_GO_TOOLS";
/// The variable that names the directory of a Go module with go-nsq.
const GO_MODULE: &str = "NSQ_TEST_GO_MODULE";
const NODE_PACKAGES: &str = "tests/clients/node";

/// pynsq consumes what was published over HTTP; the parser of OpenMetrics reads the metrics.
pub(crate) fn python(workspace: &Workspace) -> Result<Outcome> {
    let environment = workspace.target("clients/python");
    if !machine::has("python3", &["-m", "pip", "--version"]) {
        return Ok(Outcome::Skipped("python3 with pip is not installed".to_owned()));
    }
    if let Err(error) = prepare_python(workspace, &environment) {
        return Ok(Outcome::Skipped(format!("{error:#}")));
    }
    let python = |script| {
        let mut command = Command::new(environment.join("bin/python"));
        command.arg(workspace.path(script));
        command
    };
    for script in PYTHON_SCRIPTS {
        check(workspace, python(script))?;
    }
    layers::check(workspace, || python("tests/clients/python/layers.py"))?;
    // Go's module proxies are not reached everywhere, so these must be there already.
    if let Some(tools) = env::var_os(GO_TOOLS) {
        layers::check(workspace, || {
            let mut command = python("tests/clients/python/go_tools.py");
            command.arg(&tools);
            command
        })?;
    } else {
        println!("go-nsq: only with {GO_TOOLS}, a directory with Go NSQ's to_nsq and nsq_tail");
    }
    Ok(Outcome::Ran(Tally::PASSED))
}

fn prepare_python(workspace: &Workspace, environment: &Path) -> Result<()> {
    let wanted = fs::read_to_string(workspace.path(PYTHON_REQUIREMENTS))?;
    let stamp = environment.join("requirements.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    println!("installing the Python client");
    run_quietly(Command::new("python3").args(["-m", "venv", "--clear"]).arg(environment))?;
    let mut pip = Command::new(environment.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]);
    run_quietly(pip.arg(workspace.path(PYTHON_REQUIREMENTS)))?;
    fs::write(stamp, wanted)?;
    Ok(())
}

/// go-nsq consumes what was published over HTTP. Go's module proxies are not reached everywhere, so
/// the module must be there already.
pub(crate) fn go(workspace: &Workspace) -> Result<Outcome> {
    let Some(module) = env::var_os(GO_MODULE) else {
        println!("go-nsq: only with {GO_MODULE}, a directory of a Go module that has it");
        return Ok(Outcome::Ran(Tally::default()));
    };
    let program = workspace.target("clients/go/consume");
    let mut build = Command::new("go");
    build.current_dir(module).arg("build").arg("-o").arg(&program);
    run_quietly(build.arg(workspace.path("tests/clients/go/consume.go")))?;
    let programs = workspace.build(&["--package=nsq", "--bin=nsq"])?;
    let daemon = Daemon::up(programs.path("nsq")?)?;
    let bodies = ["one", "two", "three"];
    for body in bodies {
        let url = format!("http://{}/pub?topic=topic-1", daemon.http);
        run_quietly(Command::new("curl").args(["-sf", "-d", body, &url]))?;
    }
    let count = bodies.len().to_string();
    let output = Command::new(&program).args([&daemon.tcp, &count]).output()?;
    let printed = String::from_utf8_lossy(&output.stdout);
    anyhow::ensure!(printed.lines().eq(bodies), "go-nsq printed {printed:?}");
    daemon.stop()?;
    Ok(Outcome::Ran(Tally::PASSED))
}

/// nsqjs publishes and consumes.
pub(crate) fn node(workspace: &Workspace) -> Result<Outcome> {
    let environment = workspace.target("clients/node");
    if let Err(reason) = node_packages::install(workspace, NODE_PACKAGES, &environment) {
        return Ok(Outcome::Skipped(reason));
    }
    let node = |script| {
        let mut command = Command::new("node");
        command.arg(workspace.path(script)).env("NODE_PATH", environment.join("node_modules"));
        command
    };
    check(workspace, node("tests/clients/node/publish_and_consume.js"))?;
    layers::check(workspace, || node("tests/clients/node/layers.js"))?;
    Ok(Outcome::Ran(Tally::PASSED))
}

/// Runs the script against `nsq up`, which must stop cleanly afterwards.
fn check(workspace: &Workspace, mut script: Command) -> Result<()> {
    let programs = workspace.build(&["--package=nsq", "--bin=nsq"])?;
    let daemon = Daemon::up(programs.path("nsq")?)?;
    run(script.args([&daemon.tcp, &daemon.http]))?;
    daemon.stop()
}
