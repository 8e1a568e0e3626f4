//! What README shows is true: its Python reads what a run writes.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{folder, layerwise};

/// The Python that a user has, or that `PYTHON` names, if it has the two libraries.
fn python() -> Option<String> {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let asked = Command::new(&python)
        .args(["-c", "import pandas, safetensors.numpy"])
        .output();
    asked
        .is_ok_and(|asked| asked.status.success())
        .then_some(python)
}

#[test]
fn the_python_in_the_readme_reads_a_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).expect("it is there");
    let snippet = readme.split("```python\n").nth(1).expect("there is one");
    let snippet = snippet.split("```").next().expect("it ends");
    assert!(snippet.lines().count() <= 12, "it is short");
    let Some(python) = python() else {
        println!("no Python with pandas and safetensors: the snippet was not run");
        return;
    };
    let (_parent, out) = folder();
    let ended = layerwise()
        .arg(root.join("configs/figure56-quick.toml"))
        .args(["--quiet", "--out"])
        .arg(&out)
        .output()
        .expect("it starts");
    assert!(ended.status.success());
    let run = out.display().to_string();
    let snippet = snippet.replace("runs/figure56-001", &run);
    let ended = Command::new(python)
        .args(["-c", &snippet])
        .output()
        .expect("it starts");
    let stdout = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{:?}", ended.stderr);
    assert!(stdout.contains("β = 0.1"), "{stdout}");
    assert!(stdout.contains("(784, 100)"), "{stdout}");
}
