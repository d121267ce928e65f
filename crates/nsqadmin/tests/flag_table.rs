//! `docs/flags.md` says of every flag what nsqadmin says of it.

use nsq_app::flags::{Flag, FlagSet};
use nsqadmin::Options;

const DOCUMENT: &str = include_str!("../../../docs/flags.md");

#[test]
fn every_flag_is_documented_as_it_is() {
    let defaults = Options::default();
    let mut expected: Vec<_> = Options::FLAGS.iter().map(|flag| line(flag, &defaults)).collect();
    expected.sort_unstable();
    let section = DOCUMENT.split("\n## ").find(|section| section.starts_with("nsqadmin\n"));
    let lines = section.expect("a section `## nsqadmin`").lines();
    let documented: Vec<_> = lines.filter(|line| line.starts_with("| `--")).collect();
    let wanted = expected.join("\n");
    assert!(documented == expected, "the table under `## nsqadmin` must be:\n{wanted}");
}

fn line(flag: &Flag<Options>, defaults: &Options) -> String {
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
