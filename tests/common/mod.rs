//! What the tests share: running the whole program, and looking at what it leaves.

#![allow(dead_code, reason = "each of them takes what it needs")]

pub mod models;
pub mod runs;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

use layerwise::results::Results;
use layerwise::weights::Weights;
use serde_json::Value;

pub fn layerwise() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_layerwise"));
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        // As without cargo.
        .env_remove("CARGO_PKG_NAME")
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

/// A config of this text beside the run folder.
pub fn written(out: &Path, config: &str) -> PathBuf {
    let path = out.with_file_name("mine.toml");
    fs::write(&path, config).expect("room");
    path
}

/// Exit code, stdout and stderr of a run of a config of this text.
pub fn run(config: &str, out: &Path, more: &[&str]) -> (i32, String, String) {
    let path = written(out, config);
    let (path, out) = (path.display().to_string(), out.display().to_string());
    transcript(&[&[&path, "--plain", "--out", &out], more].concat())
}

/// The stdout of a run that ends well.
pub fn complete(config: &str, out: &Path, more: &[&str]) -> String {
    let (code, stdout, stderr) = run(config, out, more);
    assert_eq!(code, 0, "{stderr}");
    stdout
}

/// `report` draws the page again, and nothing on it changes.
pub fn assert_page_is_drawn_again(out: &Path) {
    let page = read(out, "index.html");
    let (code, _, stderr) = transcript(&["report", &out.display().to_string()]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(read(out, "index.html"), page);
}

pub fn bytes(out: &Path, file: &str) -> Vec<u8> {
    fs::read(out.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

pub fn read(out: &Path, file: &str) -> String {
    String::from_utf8(bytes(out, file)).expect("text")
}

pub fn json(out: &Path, file: &str) -> Value {
    serde_json::from_slice(&bytes(out, file)).expect("JSON")
}

pub fn manifest(out: &Path) -> Value {
    json(out, "manifest.json")
}

pub fn results(out: &Path) -> Results {
    serde_json::from_slice(&bytes(out, "results.json")).expect("results")
}

pub fn weights(out: &Path) -> Weights {
    Weights::from_safetensors(&bytes(out, "weights.safetensors")).expect("our own file")
}

/// Every one of `files` has the same bytes in both folders.
pub fn assert_same_files<'a>(one: &Path, other: &Path, files: impl IntoIterator<Item = &'a str>) {
    for file in files {
        assert!(bytes(one, file) == bytes(other, file), "{file} differs");
    }
}

/// An IDX file: numbers of these sizes.
pub fn idx(sizes: &[u32], items: &[u8]) -> Vec<u8> {
    let magic = 0x800 + sizes.len() as u32;
    let numbers = std::iter::once(&magic).chain(sizes);
    let header = numbers.flat_map(|number| number.to_be_bytes());
    header.chain(items.iter().copied()).collect()
}

/// Four IDX files: `count` pictures for training and for tests, with a byte for each pixel and a label for each picture.
pub fn write_pictures(
    folder: &Path,
    [count, height, width]: [u32; 3],
    pixel: impl Fn(u32) -> u8,
    label: impl Fn(u32) -> u8,
) {
    let pixels: Vec<u8> = (0..count * height * width).map(pixel).collect();
    let labels: Vec<u8> = (0..count).map(label).collect();
    let images = idx(&[count, height, width], &pixels);
    let labels = idx(&[count], &labels);
    fs::create_dir_all(folder).expect("room");
    for part in ["train", "t10k"] {
        let write = |name: &str, bytes: &[u8]| {
            fs::write(folder.join(format!("{part}-{name}-ubyte")), bytes).expect("room");
        };
        write("images-idx3", &images);
        write("labels-idx1", &labels);
    }
}

/// Waits until the run has written something that a test waits for.
pub fn wait_for(what: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !what() {
        assert!(Instant::now() < deadline, "it never came");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn signal(child: &Child, name: &str) {
    let kill = Command::new("kill")
        .args([name, &child.id().to_string()])
        .status();
    assert!(kill.expect("kill is everywhere").success());
}

pub fn stderr_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A small generator (Knuth's MMIX constants), so that what is random in a test repeats.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}
