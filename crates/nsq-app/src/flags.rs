//! Command lines in the grammar of Go's `flag` package, which NSQ's users and scripts rely on.
//!
//! `-name` and `--name` are the same; `-name=value` and `-name value` both work, except for
//! booleans, which take a value only after `=`. Reading stops at the first argument that is no
//! flag, at a lone `-` and after `--`. clap has no such grammar: it would need a translation in
//! front, Go's error texts and usage behind, and only the assignment in between would be its own.
//!
//! A program declares each flag once, with [`flags!`](crate::flags!): name, configuration key,
//! type, default and help are all read from that declaration.

mod config_file;
mod declare;
mod error;
mod integer;
mod tls;
mod usage;
mod value;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::SystemTime;

use crate::local_time::LocalTime;

pub use config_file::{ConfigError, Settings, changed_keys};
pub use error::FlagError;
pub use tls::{TlsMinVersion, TlsRequired};
pub use value::{ConfigFault, ConfigValue, FlagValue, IgnoredNumber, ValueError};

/// Options that can be given as flags. Implemented by [`flags!`](crate::flags!); `default()` is
/// what holds when nothing is given.
pub trait FlagSet: Default + 'static {
    /// All flags, in order of declaration.
    const FLAGS: &'static [Flag<Self>];
}

/// One declared flag of the options `O`.
pub struct Flag<O> {
    /// Name without dashes, e.g. `mem-queue-size`.
    pub name: &'static str,
    /// Name in configuration files and under `/config/`, if it has one, e.g. `mem_queue_size`.
    pub config_key: Option<&'static str>,
    /// One sentence for the usage text, without the default.
    pub help: &'static str,
    /// Kind of value in the usage text; empty for booleans.
    pub type_word: &'static str,
    /// Whether the flag alone means `true`, and a value needs `=`.
    pub is_boolean: bool,
    /// Whether a bare number behind the flag belongs to it although it is a boolean.
    pub tolerates_number: bool,
    /// Why it does nothing, if it is only read for the sake of old command lines and files.
    pub without_effect: Option<&'static str>,
    /// Takes the text of one occurrence.
    pub set: fn(&mut O, &str) -> Result<(), ValueError>,
    /// Takes the value in a configuration file; see [`FlagValue::set_config`].
    pub set_config: fn(&mut O, &toml::Value) -> Result<Option<String>, ConfigFault>,
    /// The default as the usage text shows it; `None` if it is the zero value.
    pub default_text: fn(&O) -> Option<String>,
    /// The value as `/config/<key>` shows it.
    pub config_value: fn(&O) -> ConfigValue,
}

/// A command line that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine<O> {
    /// Defaults overlaid with what was given.
    pub options: O,
    /// The names of the flags that were given: they win over the configuration file.
    pub given: Vec<&'static str>,
    /// From the first argument that is no flag on. The daemons ignore it, and say so.
    pub rest: Vec<String>,
}

/// Reads arguments, without the program's name.
///
/// # Errors
///
/// At the first argument that is wrong, and for `-h` and `-help` unless the program declares them.
pub fn parse<O: FlagSet>(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<CommandLine<O>, FlagError> {
    let mut arguments = arguments.into_iter().map(text).peekable();
    let (mut options, mut given) = (O::default(), Vec::new());
    while let Some(argument) = arguments.next_if(starts_flag) {
        let argument = argument?;
        if argument == "--" {
            break;
        }
        let (name, value) = split(&argument)?;
        let flag = find::<O>(name)?;
        let value = match value {
            Some(value) => value.to_owned(),
            None if flag.is_boolean => {
                // The number of an old `--worker-id 5`.
                arguments.next_if(|next| flag.tolerates_number && is_number(next));
                "true".to_owned()
            }
            None => arguments.next().ok_or_else(|| FlagError::NeedsValue(name.to_owned()))??,
        };
        (flag.set)(&mut options, &value).map_err(|reason| refusal(flag, value, reason))?;
        given.push(flag.name);
    }
    Ok(CommandLine { options, given, rest: arguments.collect::<Result<_, _>>()? })
}

/// Reads the arguments of this process for `program`. When they ask for help or are wrong,
/// answers on standard error and returns the code to exit with.
///
/// # Errors
///
/// The exit code, once everything has been said: 0 for help, 2 for a wrong command line.
pub fn parse_process_arguments<O: FlagSet>(program: &str) -> Result<CommandLine<O>, ExitCode> {
    parse(std::env::args_os().skip(1)).map_err(|error| {
        // Nobody reads standard error if this fails; the exit code still tells.
        match explain::<O>(program, &error, &mut io::stderr().lock()) {
            Ok(()) | Err(_) => ExitCode::from(error.exit_code()),
        }
    })
}

/// Writes what a user sees: the usage text if that was asked for, else Go's line on what is wrong.
/// Go writes the usage text behind it, which is so long that the line is scrolled away.
///
/// # Errors
///
/// Those of `out`.
pub fn explain<O: FlagSet>(
    program: &str,
    error: &FlagError,
    out: &mut dyn Write,
) -> io::Result<()> {
    match error {
        FlagError::HelpAsked => write!(out, "{}", usage::text::<O>(program)),
        FlagError::FatalLine(line) => {
            let mut date = String::new();
            LocalTime::system().append_date(SystemTime::now(), &mut date);
            writeln!(out, "{date} {line}")
        }
        error => writeln!(out, "{error}\nrun '{program} --help' for the flags"),
    }
}

/// Whether reading goes on: text that is not UTF-8 is taken as a flag, to be refused.
fn starts_flag(argument: &Result<String, FlagError>) -> bool {
    argument.as_ref().map_or(true, |argument| argument.starts_with('-') && argument.len() > 1)
}

fn text(argument: OsString) -> Result<String, FlagError> {
    argument
        .into_string()
        .map_err(|argument| FlagError::NotUtf8(argument.to_string_lossy().into_owned()))
}

/// Splits `-name`, `--name` and `-name=value`.
fn split(argument: &str) -> Result<(&str, Option<&str>), FlagError> {
    let body = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-'));
    let body = body.unwrap_or_default();
    if body.is_empty() || body.starts_with(['-', '=']) {
        return Err(FlagError::BadSyntax(argument.to_owned()));
    }
    Ok(match body.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (body, None),
    })
}

fn find<O: FlagSet>(name: &str) -> Result<&'static Flag<O>, FlagError> {
    let found = O::FLAGS.iter().find(|flag| flag.name == name);
    found.ok_or_else(|| match name {
        "h" | "help" => FlagError::HelpAsked,
        _ => FlagError::NotDefined(name.to_owned()),
    })
}

fn refusal<O>(flag: &Flag<O>, value: String, reason: ValueError) -> FlagError {
    let (name, is_boolean) = (flag.name.to_owned(), flag.is_boolean);
    match reason {
        ValueError::FatalLine(line) => FlagError::FatalLine(line),
        reason => FlagError::InvalidValue { name, value, is_boolean, reason },
    }
}

fn is_number(argument: &Result<String, FlagError>) -> bool {
    argument.as_ref().is_ok_and(|text| integer::parse(text).is_ok())
}
