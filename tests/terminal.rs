//! Terminals and pipes that go away, disks that fill up under a log, keys and signals: whatever becomes of what is
//! printed, a run comes to its end or stops in good order.

#![cfg(unix)]

mod common;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use common::{folder, layerwise, manifest, signal, wait_for};

/// A run of a second or two.
fn small(out: &Path) -> Command {
    let mut command = layerwise();
    command
        .args(["run", "configs/figure56-quick.toml", "--plain"])
        .args(["--set", "data.train_images=500"])
        .args(["--set", "training.epochs=2", "--out"])
        .arg(out);
    command
}

/// A run that goes on until somebody ends it, for a shell.
fn endless(out: &Path) -> String {
    format!(
        "'{}' configs/figure56-quick.toml --set training.epochs=100000 --out '{}'",
        env!("CARGO_BIN_EXE_layerwise"),
        out.display()
    )
}

/// A command that heeds signals, even if these tests were started under `nohup` and what they start would inherit that.
fn heeding_signals(program: &str) -> Command {
    const AS_THEY_ARE_AT_FIRST: &str = "--default-signal";
    let has_env = Command::new("env")
        .args([AS_THEY_ARE_AT_FIRST, "true"])
        .output();
    if has_env.is_ok_and(|output| output.status.success()) {
        let mut command = Command::new("env");
        command.args([AS_THEY_ARE_AT_FIRST, program]);
        return command;
    }
    Command::new(program)
}

fn shell(script: &str) -> Command {
    let mut command = heeding_signals("bash");
    command
        .args(["-c", script])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A file that is always full; not every system has one.
fn full() -> Option<File> {
    let full = File::options().write(true).open("/dev/full").ok();
    if full.is_none() {
        println!("there is no /dev/full here: a full disk under stdout or stderr was NOT tested");
    }
    full
}

#[test]
fn a_run_goes_on_when_the_reader_of_all_that_it_prints_goes_away() {
    let (_parent, out) = folder();
    let script = format!(
        "'{}' run configs/figure56-quick.toml --plain --set data.train_images=500 --set training.epochs=2 --out '{}' \
         2>&1 | head -1; exit ${{PIPESTATUS[0]}}",
        env!("CARGO_BIN_EXE_layerwise"),
        out.display()
    );
    let output = shell(&script).output().expect("bash starts");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(
        text(&output.stdout),
        format!("run folder: {}\n", out.display())
    );
    assert_eq!(manifest(&out)["status"], "complete");
}

#[test]
fn a_run_goes_on_when_what_it_prints_finds_no_room() {
    for (stdout_is_full, stderr_is_full) in [(true, false), (false, true), (true, true)] {
        let (Some(one), Some(two)) = (full(), full()) else {
            return;
        };
        let (_parent, out) = folder();
        let mut command = small(&out);
        if stdout_is_full {
            command.stdout(one);
        }
        if stderr_is_full {
            command.stderr(two);
        }
        let output = command.output().expect("the program starts");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(manifest(&out)["status"], "complete");
        if !stderr_is_full {
            let stderr = text(&output.stderr);
            assert!(
                stderr.contains("warning: cannot write to stdout: "),
                "{stderr}"
            );
        }
    }
}

#[test]
fn an_error_has_its_exit_code_where_it_cannot_be_told() {
    let Some(full) = full() else { return };
    let output = layerwise()
        .arg("configs/none.toml")
        .stderr(full)
        .output()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(2));
}

const PRINTING: [&[&str]; 7] = [
    &["check", "configs/figure56.toml"],
    &["backends"],
    &["completions", "bash"],
    &["--help"],
    &["--version"],
    &["help"],
    &["help", "resume"],
];

#[test]
fn what_is_for_printing_alone_fails_where_it_cannot_print() {
    for args in PRINTING {
        let Some(full) = full() else { return };
        let output = layerwise()
            .args(args)
            .stdout(full)
            .output()
            .expect("the program starts");
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {stderr}");
        assert!(
            stderr.starts_with("error: cannot write to stdout: ") && stderr.contains("hint: "),
            "{args:?}: {stderr}"
        );
    }
}

#[test]
fn a_reader_who_has_seen_enough_is_no_error() {
    for args in PRINTING {
        let mut child = layerwise()
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert_eq!(text(&output.stderr), "", "{args:?}");
    }
}

#[test]
fn a_hangup_stops_a_run_in_good_order_however_often_it_comes() {
    let (_parent, out) = folder();
    let child = shell(&format!("exec {} --plain", endless(&out)))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("bash starts");
    wait_for(|| out.join("metrics.jsonl").exists());
    for _ in 0..3 {
        signal(&child, "-HUP");
    }
    let output = child.wait_with_output().expect("it ends");
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("go on with: "), "{stderr}");
    stopped_and_resumable(&out);
}

#[test]
fn a_run_that_was_told_to_outlive_its_terminal_does() {
    let (_parent, out) = folder();
    let script = format!(
        "trap '' HUP; exec '{}' configs/figure56-quick.toml --plain --set training.epochs=8 --out '{}'",
        env!("CARGO_BIN_EXE_layerwise"),
        out.display()
    );
    let mut child = shell(&script)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("bash starts");
    wait_for(|| out.join("metrics.jsonl").exists());
    signal(&child, "-HUP");
    assert!(child.wait().expect("it ends").success());
    assert_eq!(manifest(&out)["status"], "complete");
}

#[test]
fn a_second_signal_leaves_at_once() {
    let (_parent, out) = folder();
    let mut child = shell(&format!("exec {} --plain", endless(&out)))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("bash starts");
    wait_for(|| out.join("metrics.jsonl").exists());
    signal(&child, "-TERM");
    signal(&child, "-INT");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
}

/// The run's folder says that it was stopped, and another epoch can follow its last.
fn stopped_and_resumable(out: &Path) {
    assert!(manifest(out)["status"]["stopped"]["reason"].is_string());
    let checkpoints = fs::read_dir(out.join("checkpoints")).expect("a folder");
    assert!(checkpoints.count() >= 3, "one of each member at least");
    let mut child = layerwise()
        .arg("resume")
        .arg(out)
        .arg("--plain")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // It has more to tell: its first epoch is done.
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("text");
    assert!(line.starts_with("epoch "), "{line}");
    signal(&child, "-INT");
    drop(stdout);
    let output = child.wait_with_output().expect("it ends");
    let stderr = text(&output.stderr);
    assert!(!stderr.contains("there is no checkpoint"), "{stderr}");
    assert_eq!(output.status.code(), Some(130), "{stderr}");
}

/// A command on a terminal of its own, which goes away with this process; `None`, and a word about it, where the tool
/// for it is missing.
fn on_a_terminal(columns: usize, rows: usize, command: &str) -> Option<Command> {
    let has_script = Command::new("script")
        .arg("--version")
        .output()
        .is_ok_and(|output| text(&output.stdout).contains("util-linux"));
    if !has_script || !cfg!(feature = "dashboard") {
        println!("no `script` of util-linux, or no dashboard: the dashboard was NOT tested");
        return None;
    }
    let mut terminal = heeding_signals("script");
    terminal
        .args(["--quiet", "--return", "--command"])
        .arg(format!("stty cols {columns} rows {rows}; {command}"))
        .arg("/dev/null")
        .env("SHELL", "/bin/sh")
        .env("TERM", "xterm-256color")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Some(terminal)
}

/// What a terminal shows after the dashboard is off it.
fn after_the_dashboard(screen: &str) -> &str {
    let (dashboard, after) = screen
        .rsplit_once("\u{1b}[?1049l")
        .unwrap_or_else(|| panic!("there was no dashboard: {screen}"));
    assert!(dashboard.contains("\u{1b}[?1049h"), "{screen}");
    // The cursor is back, too.
    let cursor = "\u{1b}[?25h";
    assert!(after.starts_with(cursor), "{after}");
    &after[cursor.len()..]
}

#[test]
fn the_dashboard_leaves_the_last_numbers_on_the_terminal() {
    for (columns, rows) in [(120, 40), (80, 24), (60, 15)] {
        let (_parent, out) = folder();
        let command = format!(
            "'{}' configs/figure56-quick.toml --set training.epochs=6 --out '{}'",
            env!("CARGO_BIN_EXE_layerwise"),
            out.display()
        );
        let Some(mut terminal) = on_a_terminal(columns, rows, &command) else {
            return;
        };
        let child = terminal.spawn().expect("script starts");
        let output = child.wait_with_output().expect("it ends");
        let screen = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{screen}");
        let lines: Vec<&str> = after_the_dashboard(&screen).lines().collect();
        let head = "model    epoch  training error  test error  active units  dead units";
        let at = lines.iter().position(|line| *line == head);
        let at = at.unwrap_or_else(|| panic!("no table: {lines:?}"));
        let rows = ["β = 0  ", "β = 0.1", "β = 3  "];
        for (line, row) in lines[at + 1..].iter().zip(rows) {
            assert!(line.starts_with(&format!("{row}      6  ")), "{lines:?}");
        }
        assert!(
            lines.iter().any(|line| line.starts_with("open ")),
            "{lines:?}"
        );
    }
}

#[test]
fn a_key_stops_the_run_under_the_dashboard() {
    for key in [b"q", b"\x03"] {
        let (_parent, out) = folder();
        let Some(mut terminal) = on_a_terminal(80, 24, &format!("exec {}", endless(&out))) else {
            return;
        };
        let mut child = terminal.spawn().expect("script starts");
        let mut keyboard = child.stdin.take().expect("piped");
        let press = std::thread::spawn({
            let metrics = out.join("metrics.jsonl");
            move || {
                wait_for(|| metrics.exists());
                // Until burn has made the terminal raw, `q` is a letter.
                std::thread::sleep(Duration::from_secs(1));
                keyboard.write_all(key).expect("script reads");
                keyboard
            }
        });
        let output = child.wait_with_output().expect("it ends");
        drop(press.join().expect("it was pressed"));
        let screen = text(&output.stdout);
        assert_eq!(output.status.code(), Some(130), "{screen}");
        let after = after_the_dashboard(&screen);
        assert!(
            after.contains("model    epoch") && after.contains("go on with: "),
            "{after}"
        );
        assert!(manifest(&out)["status"]["stopped"]["reason"].is_string());
    }
}

#[test]
fn a_terminal_that_is_closed_under_the_dashboard_stops_the_run() {
    for more in ["", "2>/dev/null"] {
        let (parent, out) = folder();
        let code = parent.path().join("code");
        let command = format!(
            "trap : HUP; {} {more}; echo $? > '{}'",
            endless(&out),
            code.display()
        );
        let Some(mut terminal) = on_a_terminal(80, 24, &command) else {
            return;
        };
        let mut child = terminal
            .stdout(Stdio::null())
            .spawn()
            .expect("script starts");
        wait_for(|| out.join("metrics.jsonl").exists());
        std::thread::sleep(Duration::from_millis(500));
        child.kill().expect("it can be killed");
        let _: Output = child.wait_with_output().expect("it ends");
        wait_for(|| fs::read_to_string(&code).is_ok_and(|code| code.ends_with('\n')));
        assert_eq!(fs::read_to_string(&code).expect("there"), "130\n");
        stopped_and_resumable(&out);
    }
}

#[test]
fn the_dashboard_does_not_mind_where_stderr_goes() {
    let (_parent, out) = folder();
    let command = format!(
        "'{}' configs/figure56-quick.toml --set training.epochs=2 --out '{}' 2>/dev/full",
        env!("CARGO_BIN_EXE_layerwise"),
        out.display()
    );
    let (Some(mut terminal), Some(_)) = (on_a_terminal(80, 24, &command), full()) else {
        return;
    };
    let output = terminal.spawn().expect("script starts").wait_with_output();
    let output = output.expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert_eq!(manifest(&out)["status"], "complete");
}
