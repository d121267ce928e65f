//! The corpus of the fuzzer, replayed.

use std::{fs, path::Path};

#[path = "../../../fuzz/src/bodies.rs"]
pub mod bodies;

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
fn identify_body() {
    replay("identify_body", bodies::identify_body);
}

#[test]
fn auth_body() {
    replay("auth_body", bodies::auth_body);
}
