//! Where the project lies, and what cargo makes of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// The project's directory and the directory for what is built.
#[derive(Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
    target: PathBuf,
}

impl Workspace {
    /// The workspace that this program belongs to; cargo says where when it runs it.
    pub(crate) fn find() -> Result<Self> {
        let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let package = package.context("run this as `cargo xtask`")?;
        let root = package.parent().context("xtask lies in the workspace")?.to_owned();
        let target = std::env::var_os("CARGO_TARGET_DIR").map(|target| root.join(target));
        Ok(Self { target: target.unwrap_or_else(|| root.join("target")), root })
    }

    /// Where `Cargo.lock` is.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A path inside the project.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// A path inside the directory for what is built.
    pub(crate) fn target(&self, relative: &str) -> PathBuf {
        self.target.join(relative)
    }

    /// `cargo <arguments>` in the project.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut cargo = Command::new("cargo");
        cargo.args(arguments).current_dir(&self.root);
        cargo
    }

    /// Builds and returns the programs by name.
    pub(crate) fn build(&self, arguments: &[&str]) -> Result<Programs> {
        let mut cargo = self.cargo(&["build", "--message-format=json-render-diagnostics"]);
        let output = cargo.args(arguments).stderr(Stdio::inherit()).output()?;
        ensure!(output.status.success(), "cargo build {} failed", arguments.join(" "));
        Ok(Programs(executables(&String::from_utf8(output.stdout)?)))
    }

    /// What `cargo metadata` says about the packages of the project.
    pub(crate) fn packages(&self) -> Result<Vec<Value>> {
        let output = self.cargo(&["metadata", "--format-version=1", "--no-deps"]).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut metadata: Value = serde_json::from_slice(&output.stdout)?;
        match metadata.get_mut("packages").map(Value::take) {
            Some(Value::Array(packages)) => Ok(packages),
            _ => anyhow::bail!("cargo metadata has no packages"),
        }
    }
}

/// Programs that were built.
#[derive(Debug)]
pub(crate) struct Programs(BTreeMap<String, PathBuf>);

impl Programs {
    /// Where the program of this name is.
    pub(crate) fn path(&self, name: &str) -> Result<&Path> {
        let path = self.0.get(name).with_context(|| format!("no program {name} was built"))?;
        Ok(path)
    }
}

/// The programs in cargo's messages, one JSON object a line.
fn executables(messages: &str) -> BTreeMap<String, PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let program = |message: Value| {
        let path = message.get("executable")?.as_str()?.into();
        Some((message.pointer("/target/name")?.as_str()?.to_owned(), path))
    };
    messages.filter_map(program).collect()
}

#[cfg(test)]
mod tests {
    use super::executables;

    #[test]
    fn programs_are_found_in_cargos_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"bytes"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"nsq"},"executable":"/t/debug/nsq"}
{"reason":"build-finished","success":true}"#;
        let programs: Vec<_> = executables(messages).into_iter().collect();
        assert_eq!(programs, [("nsq".to_owned(), "/t/debug/nsq".into())]);
    }
}
