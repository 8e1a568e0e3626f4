//! A run in parts: each part in a process of its own, put together into the same bytes as one process writes; what is
//! missing, at work, foreign or half done is told by name. The long form, a thousand kills, is there on demand:
//! `cargo test --test parts -- --ignored`.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use common::runs::{DEEP, FIGURE, PRETRAINING, assert_same_results};
use common::{
    Dice, assert_same_files, complete, folder, json, layerwise, manifest, results, run, signal,
    transcript, wait_for, written,
};

fn part(config: &str, out: &Path, part: &str, more: &[&str]) -> (i32, String) {
    let (code, _, stderr) = run(config, out, &[&["--part", part], more].concat());
    (code, stderr)
}

fn put_together(out: &Path) -> (i32, String) {
    let (code, _, stderr) = transcript(&["resume", &out.display().to_string(), "--quiet"]);
    (code, stderr)
}

fn begin(config: &str, out: &Path, part: &str) -> Child {
    started(&written(out, config), out, part)
}

fn started(config: &Path, out: &Path, part: &str) -> Child {
    layerwise()
        .arg(config)
        .args(["--quiet", "--continue", "--part", part, "--out"])
        .arg(out)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts")
}

/// One process, and `of` parts in an order of their own.
fn assert_parts_are_the_whole(config: &str, of: usize) {
    let (_first, whole) = folder();
    complete(config, &whole, &[]);
    let (_second, out) = folder();
    for number in (1..=of).rev() {
        let (code, stderr) = part(config, &out, &format!("{number}/{of}"), &["--jobs", "1"]);
        assert_eq!(code, 0, "{stderr}");
        assert!(!out.join("results.json").exists(), "nothing is drawn");
    }
    let metrics = out.join("metrics.jsonl");
    assert!(!metrics.exists());
    let (code, stderr) = put_together(&out);
    assert_eq!(code, 0, "{stderr}");
    assert_same_results(&whole, &out);
    assert_eq!(manifest(&out)["parts"], of);
    // A job that is started once more has nothing to do.
    let (code, stderr) = part(config, &out, &format!("1/{of}"), &["--continue"]);
    assert_eq!(code, 0, "{stderr}");
    let (code, stderr) = part(config, &out, &format!("1/{of}"), &[]);
    assert_eq!(code, 2);
    assert!(
        stderr.contains(" is finished: its parts were put together\n  hint: "),
        "{stderr}"
    );
    // From now on it is a run like any other.
    let (code, stdout, _) = transcript(&["resume", &out.display().to_string()]);
    assert_eq!(code, 0);
    assert!(
        stdout.ends_with("is finished; nothing to resume\n"),
        "{stdout}"
    );
}

#[test]
fn a_figure_in_parts_is_the_same_bytes() {
    assert_parts_are_the_whole(FIGURE, 2);
}

#[test]
fn a_pretraining_in_parts_is_the_same_bytes() {
    assert_parts_are_the_whole(PRETRAINING, 5);
}

#[test]
fn deep_autoencoders_in_parts_are_the_same_bytes() {
    assert_parts_are_the_whole(DEEP, 4);
}

#[test]
fn parts_at_the_same_moment_begin_one_run() {
    let (_first, whole) = folder();
    complete(FIGURE, &whole, &[]);
    let (_second, out) = folder();
    // Written once: one of them may be reading it when the next one starts.
    let config = written(&out, FIGURE);
    let children: Vec<Child> = (1..=3)
        .map(|number| started(&config, &out, &format!("{number}/3")))
        .collect();
    for mut child in children {
        assert!(child.wait().expect("our own child").success());
    }
    let (code, stderr) = put_together(&out);
    assert_eq!(code, 0, "{stderr}");
    assert_same_results(&whole, &out);
}

#[test]
fn what_is_missing_is_told_by_name() {
    let (_parent, out) = folder();
    let short = ["--set", "training.epochs=1"];
    assert_eq!(part(FIGURE, &out, "2/3", &short).0, 0);
    let (code, stderr) = put_together(&out);
    assert_eq!(code, 2);
    let expected = format!(
        "error: {} lacks parts:\n  part 1/3 was not begun\n  part 3/3 was not begun\n  hint: ",
        out.display()
    );
    assert!(stderr.starts_with(&expected), "{stderr}");
    let again = part(FIGURE, &out, "2/3", &short);
    assert_eq!(again.0, 2);
    assert!(
        again.1.contains("part 2/3 of ")
            && again.1.contains("was begun before\n  hint: `--continue`"),
        "{}",
        again.1
    );
    let again = part(FIGURE, &out, "2/3", &[&short[..], &["--continue"]].concat());
    assert_eq!(again.0, 0, "{}", again.1);
    assert!(
        again
            .1
            .contains("to come: 1/3 and 3/3; when all are there: layerwise resume "),
        "{}",
        again.1
    );
    // One process may do the rest.
    let (code, _, stderr) = run(FIGURE, &out, &[&short[..], &["--continue"]].concat());
    assert_eq!(code, 0, "{stderr}");
    let (_other, whole) = folder();
    complete(FIGURE, &whole, &short);
    assert_same_results(&whole, &out);
}

#[test]
fn what_is_of_another_run_is_told_by_name() {
    let short = ["--set", "training.epochs=1"];
    let (_parent, out) = folder();
    assert_eq!(part(FIGURE, &out, "1/3", &short).0, 0);
    let (code, stderr) = part(FIGURE, &out, "2/2", &short);
    assert_eq!(code, 2);
    assert!(
        stderr.contains("is divided into 3 parts, and 2/2 is one of 2\n  hint: "),
        "{stderr}"
    );
    for epochs in [2, 3] {
        let (code, stderr) = part(
            FIGURE,
            &out,
            "2/3",
            &["--set", &format!("training.epochs={epochs}")],
        );
        assert_eq!(code, 2);
        assert!(
            stderr.contains("holds parts of another plan: `training.epochs` was "),
            "{stderr}"
        );
    }
    let (code, stderr) = part(
        FIGURE,
        &out,
        "2/3",
        &[&short[..], &["--set", "training.learning_rate=0.5"]].concat(),
    );
    assert_eq!(code, 2);
    assert!(
        stderr.contains("holds parts of another plan: `training.learning_rate` was "),
        "{stderr}"
    );

    // A part that was laid into the wrong folder.
    let (_other, foreign) = folder();
    let other = [&short[..], &["--set", "training.learning_rate=0.5"]].concat();
    for number in ["1/3", "2/3", "3/3"] {
        assert_eq!(part(FIGURE, &foreign, number, &other).0, 0);
    }
    assert_eq!(part(FIGURE, &out, "3/3", &short).0, 0);
    let lay = |file: &str| fs::copy(foreign.join(file), out.join(file)).expect("room");
    // What it says of itself trains nothing.
    lay("parts/part-0002.json");
    let (code, stderr) = put_together(&out);
    assert_eq!(code, 2);
    assert!(
        stderr.contains("part 2/3 has 1 of 1 model left to train"),
        "{stderr}"
    );
    lay("checkpoints/task-0001.000001");
    let (code, stderr) = put_together(&out);
    assert_eq!(code, 1);
    assert!(
        stderr.contains("belongs to another run: `training.learning_rate` was 0.5 and is "),
        "{stderr}"
    );
}

#[test]
fn what_one_process_has_taken_over_it_goes_on_with() {
    let (_parent, out) = folder();
    let config = written(&out, FIGURE).display().to_string();
    let out_text = out.display().to_string();
    assert_eq!(part(FIGURE, &out, "1/3", &[]).0, 0);
    let mut child = layerwise()
        .args([&config, "--out", &out_text, "--continue", "--quiet"])
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    wait_for(|| manifest(&out)["put_together"] == true);
    child.kill().expect("our own child");
    child.wait().expect("our own child");
    let (code, stderr) = part(FIGURE, &out, "2/3", &["--continue"]);
    assert_eq!(code, 2);
    assert!(
        stderr.contains(" is no longer divided: one process has taken it over\n  hint: "),
        "{stderr}"
    );
    let (code, stderr) = put_together(&out);
    assert_eq!(code, 0, "{stderr}");
    // And on, as any other run.
    let longer = [
        "resume",
        &out_text,
        "--quiet",
        "--set",
        "training.epochs=13",
    ];
    let (code, _, stderr) = transcript(&longer);
    assert_eq!(code, 0, "{stderr}");
    let (_other, whole) = folder();
    complete(FIGURE, &whole, &["--set", "training.epochs=13"]);
    assert_same_files(&whole, &out, ["results.json", "weights.safetensors"]);
}

#[test]
fn what_is_damaged_or_lost_of_the_parts_folder_costs_nothing() {
    let (_first, whole) = folder();
    complete(FIGURE, &whole, &[]);
    let (_second, out) = folder();
    for number in ["1/3", "2/3", "3/3"] {
        assert_eq!(part(FIGURE, &out, number, &[]).0, 0);
    }
    let record = |number: usize| out.join(format!("parts/part-000{number}.json"));
    fs::write(record(1), "{").expect("room");
    fs::copy(record(3), record(2)).expect("room");
    let lines = status(&out);
    assert_eq!(lines[1..3], ["part 1/3  to come", "part 2/3  to come"]);
    let (code, stderr) = part(FIGURE, &out, "1/3", &["--continue"]);
    assert_eq!(code, 0, "{stderr}");
    let text = fs::read_to_string(record(3)).expect("text");
    fs::write(
        record(3),
        text.replace("\"training\": ", "\"training\": -1"),
    )
    .expect("room");
    status(&out);
    fs::remove_dir_all(out.join("parts")).expect("it was there");
    let (code, stderr) = put_together(&out);
    assert_eq!(code, 0, "{stderr}");
    assert_same_results(&whole, &out);
    let path = out.join("manifest.json");
    let text = fs::read_to_string(&path).expect("text");
    fs::write(&path, text.replace("\"parts\": 3", "\"parts\": 3000000000")).expect("room");
    let (code, _, stderr) = transcript(&["status", &out.display().to_string()]);
    assert_eq!(code, 1);
    assert!(
        stderr.contains("is damaged: it has no such number of parts"),
        "{stderr}"
    );
}

#[test]
fn what_is_no_part_of_a_run_is_refused() {
    let (_parent, out) = folder();
    let short = ["--set", "training.epochs=1"];
    let (code, stderr) = part(FIGURE, &out, "1/4", &short);
    assert_eq!(code, 2);
    assert!(
        stderr.contains("this run trains 3 models and cannot be divided into 4 parts\n  hint: "),
        "{stderr}"
    );
    assert!(!out.exists(), "before anything is made");
    complete(FIGURE, &out, &short);
    let (code, stderr) = part(FIGURE, &out, "1/3", &short);
    assert_eq!(code, 2);
    assert!(
        stderr.contains("holds a run that is not divided into parts\n  hint: "),
        "{stderr}"
    );
    let (_other, strange) = folder();
    fs::create_dir(&strange).expect("room");
    fs::write(strange.join("mine.txt"), "mine").expect("room");
    let (code, stderr) = part(FIGURE, &strange, "1/3", &short);
    assert_eq!(code, 2);
    assert!(stderr.contains("exists already"), "{stderr}");
    assert_eq!(
        fs::read_dir(&strange)
            .expect("a folder")
            .filter(|entry| {
                entry
                    .as_ref()
                    .is_ok_and(|entry| entry.file_name() != ".lock")
            })
            .count(),
        1
    );
    let (code, _, stderr) = transcript(&["configs/figure56-quick.toml", "--part", "1/2"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("--out"), "{stderr}");
}

#[test]
#[cfg(unix)]
fn a_part_at_work_is_left_alone_and_a_stopped_one_goes_on() {
    let (_first, whole) = folder();
    complete(FIGURE, &whole, &[]);
    let (_second, out) = folder();
    assert_eq!(part(FIGURE, &out, "1/2", &[]).0, 0);
    let child = begin(FIGURE, &out, "2/2");
    wait_for(|| out.join("parts/part-0002.json").exists());
    signal(&child, "-STOP");
    let (code, stderr) = part(FIGURE, &out, "2/2", &["--continue"]);
    assert_eq!(code, 2);
    assert!(
        stderr.contains("part 2/2 of ") && stderr.contains(" is at work on "),
        "{stderr}"
    );
    let (code, stderr) = put_together(&out);
    assert_eq!(code, 2);
    assert!(stderr.contains(" has parts at work: 2/2 on "), "{stderr}");
    signal(&child, "-INT");
    signal(&child, "-CONT");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130));
    assert!(json(&out, "parts/part-0002.json")["status"]["stopped"]["reason"].is_string());
    let (code, stderr) = put_together(&out);
    assert_eq!(code, 2);
    assert!(
        stderr.contains("part 2/2 has 1 of 1 model left to train"),
        "{stderr}"
    );
    let (code, stderr) = part(FIGURE, &out, "2/2", &["--continue"]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(put_together(&out).0, 0);
    assert_same_results(&whole, &out);
}

fn status(out: &Path) -> Vec<String> {
    let (code, stdout, stderr) = transcript(&["status", &out.display().to_string()]);
    assert_eq!(code, 0, "{stderr}");
    stdout.lines().map(str::to_owned).collect()
}

#[test]
fn status_tells_what_is_done_and_what_is_to_come() {
    let (_parent, out) = folder();
    assert_eq!(part(FIGURE, &out, "2/3", &[]).0, 0);
    let lines = status(&out);
    assert_eq!(lines[0], "mine: 1 of 3 parts done; 1 of 3 models trained");
    assert_eq!(lines[1], "part 1/3  to come");
    let done = "part 2/3  done     1 of 1 model trained  100 % of its work  on ";
    assert!(lines[2].starts_with(done), "{lines:?}");
    assert_eq!(lines[3..], ["part 3/3  to come"]);

    // What was killed has the lock of nobody.
    let mut child = begin(FIGURE, &out, "1/3");
    wait_for(|| out.join("parts/part-0001.json").exists());
    child.kill().expect("our own child");
    child.wait().expect("our own child");
    let lines = status(&out);
    let lost = "part 1/3  left in the middle: killed, or its machine was lost  ";
    assert!(lines[1].starts_with(lost), "{lines:?}");

    for number in ["1/3", "3/3"] {
        assert_eq!(part(FIGURE, &out, number, &["--continue"]).0, 0);
    }
    let lines = status(&out);
    assert_eq!(lines[0], "mine: 3 of 3 parts done; 3 of 3 models trained");
    let cure = format!("put them together with: layerwise resume {}", out.display());
    assert_eq!(lines.last(), Some(&cure));
    assert_eq!(put_together(&out).0, 0);
    assert_eq!(status(&out), ["mine: complete; 3 models"]);
}

#[test]
#[cfg(unix)]
fn a_job_array_is_a_script_whose_jobs_are_the_parts() {
    let (_first, whole) = folder();
    complete(FIGURE, &whole, &["--set", "training.epochs=2"]);
    let (parent, out) = folder();
    let config = written(&out, FIGURE).display().to_string();
    let out_text = out.display().to_string();
    let (code, script, stderr) = transcript(&[
        "slurm",
        &config,
        "--out",
        &out_text,
        "--set",
        "training.epochs=2",
    ]);
    assert_eq!(code, 0, "{stderr}");
    for line in [
        "#!/bin/sh",
        "#SBATCH --array=1-3",
        "#SBATCH --cpus-per-task=1",
        "#SBATCH --requeue",
    ] {
        assert!(script.lines().any(|of| of == line), "{line}: {script}");
    }
    let minutes = script
        .lines()
        .find_map(|of| of.strip_prefix("#SBATCH --time="));
    let minutes: u32 = minutes.expect("a limit").parse().expect("minutes");
    assert!((6..9).contains(&minutes), "{minutes}");
    let file = parent.path().join("array.sh");
    fs::write(&file, &script).expect("room");
    for task in ["1", "2", "3"] {
        let status = std::process::Command::new("sh")
            .arg(&file)
            .env("SLURM_ARRAY_TASK_ID", task)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(status.expect("there is a shell").success());
    }
    assert_eq!(put_together(&out).0, 0);
    assert_same_results(&whole, &out);
}

/// Of three conditions and two seeds, one condition explodes.
const WILD: &str = r#"
experiment = "autoencoder"
[run]
seeds = [3, 4]
[data]
train_images = 600
test_images = 100
[training]
epochs = 3
optimizer = "sgd"
[autoencoder]
hidden_units = 12
[conditions.calm]
[conditions.wild]
training.learning_rate = 50
[conditions.mild]
training.learning_rate = 0.01
"#;

#[test]
fn a_model_that_cannot_go_on_ends_alone_and_is_told() {
    let (_first, whole) = folder();
    assert_eq!(run(WILD, &whole, &[]).0, 1);
    let (_second, out) = folder();
    let told: usize = (1..=3)
        .map(|number| {
            let (code, stderr) = part(WILD, &out, &format!("{number}/3"), &[]);
            let ended = json(&out, &format!("parts/part-000{number}.json"))["ended"].clone();
            let ended = ended.as_array().expect("a list").len();
            assert_eq!(code, i32::from(ended > 0), "{stderr}");
            assert_eq!(stderr.contains("wild, seed"), ended > 0, "{stderr}");
            ended
        })
        .sum();
    assert_eq!(told, 2);
    let (code, stderr) = put_together(&out);
    assert_eq!(code, 1);
    assert!(stderr.contains("2 of 6 models ended early"), "{stderr}");
    assert_same_results(&whole, &out);
    assert_eq!(results(&out).members.len(), 4);
}

/// A limit on the size of files stands in for the full disk of one machine.
#[test]
#[cfg(unix)]
fn a_full_disk_in_one_part_loses_nothing() {
    let (_first, whole) = folder();
    complete(PRETRAINING, &whole, &[]);
    let (_second, out) = folder();
    let config = written(&out, PRETRAINING);
    assert_eq!(part(PRETRAINING, &out, "1/3", &[]).0, 0);
    let script = format!(
        "trap '' XFSZ; ulimit -f 100; exec '{}' '{}' --quiet --part 2/3 --out '{}'",
        env!("CARGO_BIN_EXE_layerwise"),
        config.display(),
        out.display()
    );
    let output = std::process::Command::new("bash")
        .args(["-c", &script])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("bash starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("error: cannot write ") && stderr.contains("hint: make room"),
        "{stderr}"
    );
    // The others neither know nor care.
    assert_eq!(part(PRETRAINING, &out, "3/3", &[]).0, 0);
    let (code, stderr) = put_together(&out);
    assert_eq!(code, 2);
    assert!(stderr.contains("part 2/3 "), "{stderr}");
    let (code, stderr) = part(PRETRAINING, &out, "2/3", &["--continue"]);
    assert_eq!(code, 0, "{stderr}");
    let (code, stderr) = put_together(&out);
    assert_eq!(code, 0, "{stderr}");
    assert_same_results(&whole, &out);
}

/// Kills parts at moments all over their length until `kills` have hit, and puts each run together.
fn torture(config: &str, of: usize, kills: usize) {
    let (_first, whole) = folder();
    complete(config, &whole, &[]);
    let mut dice = Dice(kills as u64);
    let mut hits = 0;
    while hits < kills {
        let (_second, out): (_, PathBuf) = folder();
        let mut left: Vec<usize> = (1..=of).collect();
        while !left.is_empty() {
            let number = left[dice.below(left.len() as u64) as usize];
            let mut child = begin(config, &out, &format!("{number}/{of}"));
            if hits < kills {
                std::thread::sleep(Duration::from_millis(20 + dice.below(400)));
            } else {
                child.wait().expect("our own child");
            }
            if let Some(status) = child.try_wait().expect("our own child") {
                assert!(status.success());
                left.retain(|other| *other != number);
            } else {
                child.kill().expect("our own child");
                child.wait().expect("our own child");
                hits += 1;
            }
        }
        let (code, stderr) = put_together(&out);
        assert_eq!(code, 0, "{stderr}");
        assert_same_results(&whole, &out);
    }
}

#[test]
fn parts_killed_at_any_moment_end_in_the_same_bytes() {
    torture(FIGURE, 3, 8);
}

#[test]
#[ignore = "the long form: ten minutes or more"]
fn a_thousand_kills_over_the_parts_of_runs() {
    torture(FIGURE, 3, 500);
    torture(PRETRAINING, 8, 500);
}
