//! `docs/flags.md` says of every flag what the tool says of it.

use nsq_app::flags::{Flag, FlagSet};
use nsq_tools::{nsq_stat, nsq_tail, nsq_to_file, nsq_to_http, nsq_to_nsq, to_nsq};

const DOCUMENT: &str = include_str!("../../../docs/flags.md");

#[test]
fn every_flag_is_documented_as_it_is() {
    check::<nsq_to_file::Options>("nsq_to_file");
    check::<nsq_stat::Options>("nsq_stat");
    check::<nsq_tail::Options>("nsq_tail");
    check::<nsq_to_http::Options>("nsq_to_http");
    check::<nsq_to_nsq::Options>("nsq_to_nsq");
    check::<to_nsq::Options>("to_nsq");
}

#[track_caller]
fn check<O: FlagSet>(tool: &str) {
    let defaults = O::default();
    let mut expected: Vec<_> = O::FLAGS.iter().map(|flag| line(flag, &defaults)).collect();
    expected.sort_unstable();
    let start = format!("{tool}\n");
    let section = DOCUMENT.split("\n## ").find(|section| section.starts_with(&start));
    let lines = section.unwrap_or_default().lines();
    let documented: Vec<_> = lines.filter(|line| line.starts_with("| `--")).collect();
    let wanted = expected.join("\n");
    assert!(documented == expected, "the table under `## {tool}` must be:\n{wanted}");
}

fn line<O>(flag: &Flag<O>, defaults: &O) -> String {
    let Flag { name, help, type_word, .. } = flag;
    let default = match (flag.default_text)(defaults) {
        Some(text) => format!("`{}`", text.trim_matches('"')),
        None => String::new(),
    };
    let type_word = if flag.is_boolean { "bool" } else { type_word };
    let help = help.trim().replace('|', "\\|").replace('<', "\\<");
    let cells = [format!("`--{name}`"), type_word.to_owned(), default, help];
    format!("| {} |", cells.map(|cell| cell.trim().to_owned()).join(" | "))
}
