//! The lock of the data directory, on a real directory.

use std::fs;

use nsq_store::lock::DirLock;
use tempfile::tempdir;

#[test]
fn one_holder_at_a_time() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    let lock = DirLock::acquire(path).unwrap();
    assert_eq!(
        DirLock::acquire(path).unwrap_err().to_string(),
        format!(
            "failed to lock data-path: cannot flock directory {} - resource temporarily \
             unavailable (possibly in use by another instance of nsqd)",
            path.display()
        )
    );
    drop(lock);
    DirLock::acquire(path).unwrap();
    assert_eq!(fs::read_dir(path).unwrap().count(), 0, "there is no lock file");
}

#[test]
fn a_missing_directory() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("missing");
    assert_eq!(
        DirLock::acquire(&path).unwrap_err().to_string(),
        format!("failed to lock data-path: open {}: no such file or directory", path.display())
    );
}

#[test]
fn a_regular_file_is_locked_too() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let _lock = DirLock::acquire(file.path()).unwrap();
    DirLock::acquire(file.path()).unwrap_err();
}
