//! The corpus of the fuzzer, replayed.

use std::{fs, path::Path};

#[path = "../../../fuzz/src/compressed.rs"]
pub mod compressed;

/// Files are named `good_…` when their contents are accepted, `bad_…` when they are refused; the
/// fuzzer gives names of its own.
fn replay(target: &str, accepts: impl Fn(&[u8]) -> bool) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut counts = [0, 0];
    for file in fs::read_dir(corpus).unwrap() {
        let path = file.unwrap().path();
        println!("{}", path.display());
        let accepted = accepts(&fs::read(&path).unwrap());
        let name = path.file_name().unwrap().to_string_lossy();
        let is_named = [name.starts_with("bad_"), name.starts_with("good_")];
        if is_named.contains(&true) {
            assert_eq!(is_named, [!accepted, accepted]);
            counts[usize::from(accepted)] += 1;
        }
    }
    assert!(counts.iter().all(|count| *count >= 5), "a corpus is missing: {counts:?}");
}

#[test]
fn snappy_input() {
    replay("snappy_input", compressed::snappy_input);
}

#[test]
fn deflate_input() {
    replay("deflate_input", compressed::deflate_input);
}
