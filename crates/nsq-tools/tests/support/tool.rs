//! A tool in a process of its own: the one of this package or, when `NSQ_TEST_TOOLS` names a
//! directory, the one of that name there. So the tests can be held against the originals.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The tool at `path`, with these flags.
pub(crate) fn command(path: &str, flags: &[impl AsRef<str>]) -> Command {
    let name = Path::new(path).file_name().expect("a path has a name");
    let mut command = match std::env::var_os("NSQ_TEST_TOOLS") {
        Some(directory) => Command::new(Path::new(&directory).join(name)),
        None => Command::new(path),
    };
    command.args(flags.iter().map(AsRef::as_ref));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Whether the tool under test is the original, which differs deliberately in some points.
pub(crate) fn is_original() -> bool {
    std::env::var_os("NSQ_TEST_TOOLS").is_some()
}

/// Exit code, standard output, and standard error without dates.
pub(crate) fn outcome(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let errors = text(output.stderr);
    let undated = errors.lines().map(|line| match line.as_bytes() {
        // 2026/11/22 18:20:10
        [_, _, _, _, b'/', _, _, b'/', _, _, b' ', ..] => line.get(20..).unwrap_or_default(),
        _ => line,
    });
    let errors = undated.collect::<Vec<_>>().join("\n");
    (output.status.code(), text(output.stdout), errors)
}
