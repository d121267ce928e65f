//! Tells `version.rs` which compiler builds the program: Go NSQ names its own there.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-env=NSQ_COMPILER={}", compiler().unwrap_or_else(|| "rust".into()));
}

/// `rust1.95.0`, from `rustc 1.95.0 (59807616e 2026-04-14)`.
fn compiler() -> Option<String> {
    let output = Command::new(std::env::var_os("RUSTC")?).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(format!("rust{}", text.split_whitespace().nth(1)?))
}
