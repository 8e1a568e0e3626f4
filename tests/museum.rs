//! The museum keeps its promises: its short forms come out as they say, and its exhibits can be run.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{folder, transcript};

/// The configs in a folder, by name.
fn configs(folder: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(folder).expect("it is there");
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    let is_config = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "toml");
    let mut found: Vec<String> = paths
        .filter(is_config)
        .map(|path| path.display().to_string())
        .collect();
    found.sort();
    found
}

#[test]
fn short_forms_keep_their_promises() {
    let (_parent, out) = folder();
    let (short, out) = (configs("configs/museum/short"), out.display().to_string());
    let mut args = vec!["promises", "--strict", "--quiet", "--out", &out];
    args.extend(short.iter().map(String::as_str));
    let (code, stdout, stderr) = transcript(&args);
    println!("{stdout}");
    assert_eq!(code, 0, "{stdout}{stderr}");
}

#[test]
fn every_exhibit_can_be_run_and_says_who_published_what() {
    for exhibit in configs("configs/museum") {
        let (code, _, stderr) = transcript(&["check", &exhibit]);
        assert_eq!(code, 0, "{exhibit}: {stderr}");
        let text = fs::read_to_string(&exhibit).expect("it is there");
        assert!(text.contains("\npublished = "), "{exhibit}");
        assert!(
            text.contains("\n#   cargo run -- "),
            "{exhibit}: the command"
        );
    }
}
