//! The text behind `-help`, laid out as by Go's `flag.PrintDefaults`.

use super::{Flag, FlagSet};

/// `Usage of nsqd:` and all flags by name, each with type, help and default.
pub(super) fn text<O: FlagSet>(program: &str) -> String {
    let defaults = O::default();
    let mut flags: Vec<&Flag<O>> = O::FLAGS.iter().collect();
    flags.sort_unstable_by_key(|flag| flag.name);
    let mut text = format!("Usage of {program}:\n");
    for flag in flags {
        append_flag(&mut text, flag, &defaults);
    }
    text
}

fn append_flag<O>(text: &mut String, flag: &Flag<O>, defaults: &O) {
    text.push_str("  -");
    text.push_str(flag.name);
    if !flag.type_word.is_empty() {
        text.push(' ');
        text.push_str(flag.type_word);
    }
    // A boolean of one letter leaves room for its help on the same line.
    let is_short = flag.name.len() == 1 && flag.type_word.is_empty();
    text.push_str(if is_short { "\t" } else { "\n    \t" });
    text.push_str(&flag.help.trim().replace('\n', "\n    \t"));
    if let Some(default) = (flag.default_text)(defaults) {
        text.push_str(&format!(" (default {default})"));
    }
    text.push('\n');
}
