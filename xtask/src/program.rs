//! Running other programs.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;

use anyhow::{Context, Result, ensure};

/// Runs a program to its end; its output is the user's.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", name(command)))?;
    ensure!(status.success(), "{} failed: {status}", name(command));
    Ok(())
}

/// Runs a program to its end without its output, which is part of the error if it fails.
pub(crate) fn run_quietly(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot start {}", name(command)))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    let said = said + &complained;
    ensure!(output.status.success(), "{} failed: {}\n{said}", name(command), output.status);
    Ok(said)
}

/// Runs a program to its end; shows its output and returns it as well.
pub(crate) fn run_and_listen(command: &mut Command) -> Result<(ExitStatus, String)> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot start {}", name(command)))?;
    let stdout = child.stdout.take().context("stdout is a pipe")?;
    let stderr = child.stderr.take().context("stderr is a pipe")?;
    let listener = thread::spawn(move || repeat(stderr, std::io::stderr()));
    let mut text = repeat(stdout, std::io::stdout())?;
    let complaints = listener.join().map_err(|_| anyhow::anyhow!("the listener panicked"))??;
    text.push_str(&complaints);
    Ok((child.wait()?, text))
}

/// Passes everything on line by line and returns it.
fn repeat(from: impl Read, mut to: impl Write) -> Result<String> {
    let mut from = BufReader::new(from);
    let mut text = String::new();
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        to.write_all(&line)?;
        text.push_str(&String::from_utf8_lossy(&line));
        line.clear();
    }
    Ok(text)
}

fn name(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
