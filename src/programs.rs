//! What the command lines of all programs look like: one description for help, shell completions
//! and man pages.

use clap::{Arg, ArgAction, Command, CommandFactory, ValueHint};
use nsq_app::flags::{Flag, FlagSet};
use nsq_app::version::NSQ_VERSION;
use nsq_tools::{nsq_stat, nsq_tail, nsq_to_file, nsq_to_http, nsq_to_nsq, to_nsq};

use crate::Arguments;

/// Their defaults are those of the host on which a page is made, which is not where it is read.
const FROM_THE_HOST: &[&str] = &["broadcast-address", "node-id"];
const NOTATION: &str = "A value follows its flag behind a blank or an equals sign; a boolean \
                        takes one only behind an equals sign. One dash does as well as two.";

/// The programs whose flags are declared with [`nsq_app::flags!`].
const DECLARED: &[Program] = &[
    Program("nsqd", "Take in, keep and deliver the messages of topics", command::<nsqd::Options>),
    Program("nsqlookupd", "Know which nsqd has which topic", command::<nsqlookupd::Options>),
    Program("nsqadmin", "Show a cluster in a browser", command::<nsqadmin::Options>),
    Program("nsq_stat", "Watch what goes on in a channel", command::<nsq_stat::Options>),
    Program("nsq_tail", "Print messages", command::<nsq_tail::Options>),
    Program("nsq_to_file", "Write messages to files", command::<nsq_to_file::Options>),
    Program("nsq_to_http", "Make HTTP requests of messages", command::<nsq_to_http::Options>),
    Program("nsq_to_nsq", "Publish messages to other nsqd", command::<nsq_to_nsq::Options>),
    Program("to_nsq", "Publish standard input", command::<to_nsq::Options>),
];

/// Its name, what it does, and what describes it.
struct Program(&'static str, &'static str, fn(&'static str, &'static str) -> Command);

/// Every program, by its description.
pub(crate) fn all() -> Vec<Command> {
    let declared = DECLARED.iter().map(|Program(name, about, describe)| describe(name, about));
    std::iter::once(Arguments::command()).chain(declared).collect()
}

/// The names of [`all`].
pub(crate) fn names() -> Vec<&'static str> {
    // Not from the descriptions: that of `nsq` asks for the names.
    std::iter::once("nsq").chain(DECLARED.iter().map(|Program(name, ..)| *name)).collect()
}

/// The description of a program out of its declaration.
fn command<O: FlagSet>(name: &'static str, about: &'static str) -> Command {
    let defaults = O::default();
    let command = Command::new(name).about(about).version(NSQ_VERSION).after_help(NOTATION);
    // Those that have `--version` declare it.
    let command = command.disable_version_flag(true);
    command.args(O::FLAGS.iter().map(|flag| argument(flag, &defaults)))
}

fn argument<O>(flag: &Flag<O>, defaults: &O) -> Arg {
    let mut help = flag.help.trim().to_owned();
    match (flag.default_text)(defaults) {
        Some(_) if FROM_THE_HOST.contains(&flag.name) => help.push_str(" (default from the host)"),
        Some(default) => help.push_str(&format!(" (default {default})")),
        None => {}
    }
    if let Some(why) = flag.without_effect {
        help.push_str(&format!(" (no effect: {why})"));
    }
    let argument = Arg::new(flag.name).long(flag.name).help(help);
    match flag.is_boolean {
        true => argument.action(ArgAction::SetTrue),
        false => argument
            .action(ArgAction::Append)
            .value_name(flag.type_word)
            .value_hint(value_hint(flag.name)),
    }
}

/// What a shell completes behind a flag: files where the flag's name says so.
fn value_hint(name: &str) -> ValueHint {
    let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    if ends(&["-path", "-dir"]) {
        ValueHint::DirPath
    } else if name == "config" || ends(&["-file", "-cert", "-key"]) {
        ValueHint::FilePath
    } else {
        ValueHint::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_descriptions_are_sound() {
        let all = all();
        let named: Vec<_> = all.iter().map(|command| command.get_name().to_owned()).collect();
        assert_eq!(named, names());
        for command in all {
            command.debug_assert();
        }
    }

    #[test]
    fn flags_are_described_as_they_are_declared() {
        let nsqd = command::<nsqd::Options>("nsqd", "");
        let argument = |name: &str| {
            nsqd.get_arguments().find(|argument| argument.get_id() == name).expect("a flag").clone()
        };
        let help = |name: &str| argument(name).get_help().expect("help").to_string();
        assert!(help("mem-queue-size").ends_with(" (default 10000)"), "{}", help("mem-queue-size"));
        assert!(help("node-id").ends_with(" (default from the host)"));
        assert!(help("worker-id").contains(" (no effect: "), "{}", help("worker-id"));
        assert!(!argument("version").get_action().takes_values());
        assert!(argument("data-path").get_action().takes_values());
        assert_eq!(argument("data-path").get_value_hint(), ValueHint::DirPath);
        assert_eq!(argument("tls-cert").get_value_hint(), ValueHint::FilePath);
        assert_eq!(argument("tcp-address").get_value_hint(), ValueHint::Other);
    }
}
