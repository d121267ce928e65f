//! Packages from npm, in the versions of a lock file.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::machine;
use crate::program::run_quietly;
use crate::workspace::Workspace;

const FILES: [&str; 2] = ["package.json", "package-lock.json"];

/// Installs what the lock file in the project's directory `from` names, or says why that cannot be
/// had here.
pub(crate) fn install(workspace: &Workspace, from: &str, environment: &Path) -> Result<(), String> {
    if !machine::has("node", &["--version"]) || !machine::has("npm", &["--version"]) {
        return Err("node with npm is not installed".to_owned());
    }
    install_locked(&workspace.path(from), environment).map_err(|error| format!("{error:#}"))
}

fn install_locked(from: &Path, environment: &Path) -> Result<()> {
    let wanted = fs::read_to_string(from.join("package-lock.json"))?;
    let stamp = environment.join("installed.json");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    println!("installing the packages of {}", from.display());
    fs::create_dir_all(environment)?;
    for name in FILES {
        fs::copy(from.join(name), environment.join(name))?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(environment);
    run_quietly(&mut npm)?;
    fs::write(stamp, wanted)?;
    Ok(())
}
