//! `cargo xtask tidy`: the rules that no lint knows.

mod changelog;
mod finding;
mod flags;
mod layers;
mod links;
mod lock_files;
mod names;
mod purity;
mod shape;
mod source;
mod wording;

use anyhow::{Result, bail};

pub(crate) use self::finding::Finding;
pub(crate) use self::source::Source;

use crate::workspace::Workspace;

/// Checks the files that git knows or would add, and prints what is wrong.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let sources = source::all(workspace)?;
    let mut findings = layers::check(&workspace.packages()?);
    findings.extend(changelog::check(&sources));
    findings.extend(flags::check(&sources));
    findings.extend(links::check(&sources));
    for source in &sources {
        findings.extend(lock_files::check(source));
        findings.extend(names::check(source));
        findings.extend(purity::check(source));
        findings.extend(shape::check(source));
        findings.extend(wording::check(source));
    }
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        count => bail!("{count} findings"),
    }
}
