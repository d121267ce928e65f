//! `nsq completions`: what a shell needs to complete command lines.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use clap::builder::PossibleValuesParser;
use clap_complete::{Shell, generate};

use crate::programs;

/// For which shell and which program.
#[derive(Args, Debug)]
pub(crate) struct CompletionsArgs {
    /// Shell that reads them
    shell: Shell,
    /// Program whose command line is completed
    #[arg(default_value = "nsq", value_parser = PossibleValuesParser::new(programs::names()))]
    program: String,
}

pub(crate) fn run(arguments: &CompletionsArgs) -> anyhow::Result<ExitCode> {
    let CompletionsArgs { shell, program } = arguments;
    let command = programs::all().into_iter().find(|command| command.get_name() == program);
    let mut command = command.context("no such program")?;
    let mut text = Vec::new();
    generate(*shell, &mut command, program, &mut text);
    io::stdout().write_all(&text)?;
    Ok(ExitCode::SUCCESS)
}
