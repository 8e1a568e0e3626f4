//! What the tests that run the whole program share.

#![allow(dead_code, reason = "each of them takes what it needs")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub fn layerwise() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_layerwise"));
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        // Where it is not set, a library of a graphics driver says so on stderr.
        .env("XDG_RUNTIME_DIR", std::env::temp_dir());
    command
}

/// A place for a run folder that is not there yet, and its parent, which goes when it is dropped.
pub fn folder() -> (tempfile::TempDir, PathBuf) {
    let parent = tempfile::tempdir().expect("a temporary folder");
    let out = parent.path().join("run");
    (parent, out)
}

/// Exit code, stdout and stderr.
pub fn transcript(args: &[&str]) -> (i32, String, String) {
    let output = layerwise().args(args).output().expect("the program starts");
    (
        output.status.code().expect("it was not killed"),
        String::from_utf8(output.stdout).expect("text"),
        String::from_utf8(output.stderr).expect("text"),
    )
}

pub fn manifest(out: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(out.join("manifest.json")).expect("every run has one"))
        .expect("JSON")
}
