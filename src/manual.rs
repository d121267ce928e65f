//! `nsq man`: man pages of all programs.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueHint};

use crate::programs;

/// Where they go.
#[derive(Args, Debug)]
pub(crate) struct ManArgs {
    /// Directory for the pages, such as ~/.local/share/man/man1; created when it does not exist
    #[arg(value_hint = ValueHint::DirPath)]
    directory: PathBuf,
}

pub(crate) fn run(arguments: &ManArgs) -> anyhow::Result<ExitCode> {
    let directory = &arguments.directory;
    let failed = || format!("cannot write pages into {}", directory.display());
    fs::create_dir_all(directory).with_context(failed)?;
    for command in programs::all() {
        clap_mangen::generate_to(command, directory).with_context(failed)?;
    }
    Ok(ExitCode::SUCCESS)
}
