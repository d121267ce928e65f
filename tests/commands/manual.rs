//! `nsq man`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use nsq_app::flags::FlagSet;
use nsq_tools::{nsq_stat, nsq_tail, nsq_to_file, nsq_to_http, nsq_to_nsq, to_nsq};
use tempfile::TempDir;

use crate::support::{nsq, run, text};

fn pages() -> TempDir {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let directory = tempfile::tempdir_in(target).expect("a directory can be made");
    let output = run(nsq("man").arg(directory.path().join("man1")));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    directory
}

fn page(pages: &TempDir, name: &str) -> String {
    fs::read_to_string(pages.path().join("man1").join(name)).expect("a page")
}

#[track_caller]
fn has_every_flag<O: FlagSet>(page: &str) {
    for flag in O::FLAGS {
        let bold = format!("\\fB\\-\\-{}\\fR", flag.name.replace('-', "\\-"));
        assert!(page.contains(&bold), "--{} is missing", flag.name);
    }
}

#[test]
fn every_program_and_subcommand_has_a_page() {
    let pages = pages();
    let found = fs::read_dir(pages.path().join("man1")).expect("a directory");
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry.expect("an entry").file_name().into_string().expect("a name")
    };
    let found: BTreeSet<String> = found.map(name).collect();
    for name in ["nsq", "nsq-up", "nsq-pub", "nsq-sub", "nsq-bench", "nsqd", "nsqlookupd"] {
        assert!(found.contains(&format!("{name}.1")), "{name} in {found:?}");
    }
    has_every_flag::<nsqd::Options>(&page(&pages, "nsqd.1"));
    has_every_flag::<nsqlookupd::Options>(&page(&pages, "nsqlookupd.1"));
    has_every_flag::<nsq_stat::Options>(&page(&pages, "nsq_stat.1"));
    has_every_flag::<nsq_tail::Options>(&page(&pages, "nsq_tail.1"));
    has_every_flag::<nsq_to_file::Options>(&page(&pages, "nsq_to_file.1"));
    has_every_flag::<nsq_to_http::Options>(&page(&pages, "nsq_to_http.1"));
    has_every_flag::<nsq_to_nsq::Options>(&page(&pages, "nsq_to_nsq.1"));
    has_every_flag::<to_nsq::Options>(&page(&pages, "to_nsq.1"));
}

#[test]
fn groff_has_nothing_to_say() {
    let pages = pages();
    for entry in fs::read_dir(pages.path().join("man1")).expect("a directory") {
        let path = entry.expect("an entry").path();
        let mut groff = Command::new("groff");
        let output = groff.args(["-man", "-ww", "-Tutf8", "-z"]).arg(&path).output();
        let Ok(output) = output else {
            eprintln!("SKIPPED: there is no groff here to read the pages");
            return;
        };
        assert!(output.status.success(), "{}", path.display());
        assert_eq!(text(&output.stderr), "", "{}", path.display());
    }
}
