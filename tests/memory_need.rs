//! What `check` says of memory is what runs need: their peaks, as the system counts them, are within a quarter of it.

#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use common::{folder, layerwise, transcript};

/// `about 135 MB: …` in bytes.
fn estimate(args: &[&str]) -> f64 {
    let (code, stdout, stderr) = transcript(&[&["check"], args].concat());
    assert_eq!(code, 0, "{stderr}");
    let line = stdout.lines().find_map(|line| line.strip_prefix("memory"));
    let line = line.expect("check tells of it").trim();
    let amount = line
        .strip_prefix("about ")
        .and_then(|rest| rest.split(':').next());
    let (number, unit) = amount.and_then(|text| text.split_once(' ')).expect(line);
    let number: f64 = number.parse().expect(line);
    number * if unit == "GB" { 1e9 } else { 1e6 }
}

/// The most memory that a run had, in bytes.
fn peak(args: &[&str]) -> f64 {
    let (_parent, out) = folder();
    let mut child = layerwise()
        .args(args)
        .args(["--quiet", "--out"])
        .arg(&out)
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut most = 0.0_f64;
    // The system keeps the highest mark for as long as the process lives.
    while child.try_wait().expect("our own child").is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let mark = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = mark.and_then(|mark| mark.trim().strip_suffix(" kB")?.parse().ok());
        most = most.max(1024.0 * kilobytes.unwrap_or(0.0));
        std::thread::sleep(Duration::from_millis(3));
    }
    assert!(child.wait().expect("it ended").success());
    most
}

#[test]
fn runs_need_what_check_says_within_a_quarter() {
    const FEW: [&str; 6] = [
        "--set",
        "data.train_images=600",
        "--set",
        "data.test_images=200",
        "--set",
        "training.epochs=2",
    ];
    let wide = ["--set", "autoencoder.hidden_units=4000"];
    let codes = [
        "--set",
        "data.train_images=all",
        "--set",
        "run.seeds=[0, 1]",
        "--set",
        "training.epochs=1",
    ];
    let file = ["configs/figure56.toml"];
    for args in [
        [&file[..], &["--set", "training.epochs=1"]].concat(),
        [&file[..], &FEW, &wide].concat(),
        [
            &file[..],
            &FEW,
            &wide,
            &["--set", "autoencoder.decoder=untied"],
        ]
        .concat(),
        [
            &[
                "configs/pretraining-quick.toml",
                "--set",
                "pretraining.epochs=1",
            ][..],
            &codes,
        ]
        .concat(),
        [&["configs/museum/ufldl-digits.toml"], &FEW[..]].concat(),
    ] {
        let (said, needed) = (estimate(&args), peak(&args));
        let ratio = said / needed;
        assert!(
            (0.75..1.33).contains(&ratio),
            "{args:?}: said {said:.2e}, needed {needed:.2e}"
        );
    }
}
