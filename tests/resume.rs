//! Nothing is lost: whatever ends a run, another one goes on with it to the same bytes.
//!
//! The runs here are killed, interrupted, starved of disk and robbed of checkpoints, then resumed, and compared file by
//! file with a run that nothing happened to. A longer form of the killing is there on demand:
//! `cargo test --test resume -- --ignored`.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::runs::{DEEP, FIGURE, PRETRAINING, SPARSE, assert_same_results};
use common::{Dice, folder, layerwise, manifest, signal, stderr_of, transcript, wait_for, written};

fn begin(config: &str, out: &Path, more: &[&str]) -> Child {
    layerwise()
        .arg(written(out, config))
        .args(["--plain", "--out"])
        .arg(out)
        .args(more)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

fn undisturbed(config: &str, out: &Path, more: &[&str]) {
    let output = begin(config, out, more).wait_with_output();
    assert!(output.expect("it ends").status.success());
}

fn resume(out: &Path, more: &[&str]) -> Output {
    layerwise()
        .arg("resume")
        .arg(out)
        .arg("--plain")
        .args(more)
        .output()
        .expect("the program starts")
}

fn resumed(out: &Path, more: &[&str]) -> String {
    let output = resume(out, more);
    let stderr = stderr_of(&output);
    assert!(output.status.success(), "{stderr}");
    stderr
}

/// Kills a run at moments all over its length, and whoever resumes it, until `kills` have hit.
fn torture(config: &str, kills: usize) {
    let (_first, whole) = folder();
    let start = Instant::now();
    undisturbed(config, &whole, &[]);
    let length = start.elapsed().as_millis() as u64;

    let mut dice = Dice(kills as u64);
    let mut hits = 0;
    while hits < kills {
        let (_second, out) = folder();
        let mut child = begin(config, &out, &[]);
        loop {
            // Short lives, so that one run takes many of them.
            std::thread::sleep(Duration::from_millis(30 + dice.below(length / 2)));
            let ended = child.try_wait().expect("our own child");
            child.kill().expect("our own child");
            child.wait().expect("our own child");
            hits += usize::from(ended.is_none());
            if ended.is_some() || hits >= kills {
                break;
            }
            if !out.join("manifest.json").exists() {
                // Killed before there was anything to resume.
                let _ = fs::remove_dir_all(&out);
                child = begin(config, &out, &[]);
                continue;
            }
            child = layerwise()
                .args(["resume", "--quiet"])
                .arg(&out)
                .stderr(Stdio::null())
                .stdout(Stdio::null())
                .spawn()
                .expect("the program starts");
        }
        if out.join("manifest.json").exists() {
            resumed(&out, &[]);
            assert_same_results(&whole, &out);
        }
    }
}

#[test]
fn a_figure_killed_at_any_moment_ends_in_the_same_bytes() {
    torture(FIGURE, 6);
}

#[test]
fn a_pretraining_killed_at_any_moment_ends_in_the_same_bytes() {
    torture(PRETRAINING, 6);
}

#[test]
fn sparse_codes_killed_at_any_moment_end_in_the_same_bytes() {
    torture(SPARSE, 6);
}

#[test]
fn deep_autoencoders_killed_at_any_moment_end_in_the_same_bytes() {
    torture(DEEP, 6);
}

#[test]
#[ignore = "the long form: a few minutes"]
fn fifty_kills_of_a_figure() {
    torture(FIGURE, 50);
}

#[test]
#[ignore = "the long form: a few minutes"]
fn fifty_kills_of_a_pretraining() {
    torture(PRETRAINING, 50);
}

#[test]
#[cfg(unix)]
fn an_interrupted_run_says_how_to_go_on_and_does() {
    for (config, name) in [(FIGURE, "-INT"), (PRETRAINING, "-TERM")] {
        let (_first, whole) = folder();
        let (_second, out) = folder();
        undisturbed(config, &whole, &[]);
        let child = begin(config, &out, &[]);
        wait_for(|| out.join("metrics.jsonl").exists());
        signal(&child, name);
        let output = child.wait_with_output().expect("it ends");
        let stderr = stderr_of(&output);
        assert_eq!(output.status.code(), Some(130), "{stderr}");
        let advice = format!("go on with: layerwise resume {}\n", out.display());
        assert!(stderr.ends_with(&advice), "{stderr}");
        assert!(manifest(&out)["status"]["stopped"]["reason"].is_string());
        resumed(&out, &["--jobs", "3"]);
        assert_same_results(&whole, &out);
    }
}

#[test]
fn a_finished_run_is_left_alone() {
    let (_parent, out) = folder();
    undisturbed(FIGURE, &out, &["--set", "training.epochs=1"]);
    let stamps = || -> Vec<_> {
        let entries = fs::read_dir(&out).expect("a folder");
        let entries = entries.map(|entry| entry.expect("readable").path());
        let mut stamps: Vec<_> = entries
            .filter(|path| path.file_name().is_some_and(|name| name != ".lock"))
            .map(|path| {
                let modified = fs::metadata(&path).and_then(|data| data.modified());
                (path, modified.expect("it has a date"))
            })
            .collect();
        stamps.sort();
        stamps
    };
    let before = stamps();
    let output = resume(&out, &[]);
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success());
    assert_eq!(
        stdout,
        format!("{} is finished; nothing to resume\n", out.display())
    );
    assert_eq!(stamps(), before);
    // The flag is the verb.
    let flag = transcript(&["--resume", &out.display().to_string()]);
    assert_eq!(flag, (0, stdout, String::new()));
}

#[test]
fn a_finished_run_can_be_made_longer_where_that_is_well_defined() {
    let (_first, whole) = folder();
    let (_second, out) = folder();
    undisturbed(FIGURE, &whole, &["--set", "training.epochs=3"]);
    undisturbed(FIGURE, &out, &["--set", "training.epochs=1"]);
    let refused = |set: &str| {
        let output = resume(&out, &["--set", set]);
        assert_eq!(output.status.code(), Some(2));
        stderr_of(&output)
    };
    assert!(
        refused("training.learning_rate=0.5").contains(
            "cannot continue with another plan: `training.learning_rate` was 0.0005 and is 0.5\n  hint: only training.epochs can be raised"
        )
    );
    assert!(refused("training.schedule=linear_to_zero").contains("`training.schedule` was"));
    resumed(&out, &["--set", "training.epochs=3"]);
    assert_same_results(&whole, &out);
    assert!(refused("training.epochs=2").contains("was 3 and is 2, but it can only be raised"));

    // What was found at epoch 3 is not what will be found: it is gone as soon as the run goes on.
    let mut child = layerwise()
        .arg("resume")
        .arg(&out)
        .args(["--quiet", "--set", "training.epochs=100000"])
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    wait_for(|| !out.join("results.json").exists());
    child.kill().expect("our own child");
    child.wait().expect("our own child");

    let (_third, falling) = folder();
    let set = [
        "--set",
        "training.epochs=1",
        "--set",
        "training.schedule=linear_to_zero",
    ];
    undisturbed(FIGURE, &falling, &set);
    let output = resume(&falling, &["--set", "training.epochs=2"]);
    assert_eq!(output.status.code(), Some(2));
    let stderr = stderr_of(&output);
    assert!(
        stderr.contains("the learning rates of all epochs depend on it"),
        "{stderr}"
    );
}

#[test]
fn a_run_folder_has_one_writer() {
    let (_parent, out) = folder();
    let mut child = begin(FIGURE, &out, &["--set", "training.epochs=1000"]);
    wait_for(|| out.join("metrics.jsonl").exists());
    let output = resume(&out, &[]);
    let (drawn, _, talk) = transcript(&["report", &out.display().to_string()]);
    child.kill().expect("our own child");
    child.wait().expect("our own child");
    let stderr = stderr_of(&output);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert_eq!(drawn, 2, "{talk}");
    assert!(talk.contains("is in use by another layerwise"), "{talk}");
    assert!(
        stderr.contains("is in use by another layerwise\n  hint: "),
        "{stderr}"
    );
    // What the dead process left is no lock.
    let mut child = layerwise()
        .arg("resume")
        .arg(&out)
        .arg("--quiet")
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    std::thread::sleep(Duration::from_millis(500));
    let alive = child.try_wait().expect("our own child").is_none();
    child.kill().expect("our own child");
    child.wait().expect("our own child");
    assert!(alive, "it goes on");
}

/// A limit on the size of files stands in for a disk that is full: writing fails in the middle of a file.
#[test]
#[cfg(unix)]
fn a_full_disk_ends_the_run_with_an_error_and_costs_nothing_but_time() {
    let (_first, whole) = folder();
    let (_second, out) = folder();
    undisturbed(PRETRAINING, &whole, &[]);
    let config = written(&out, PRETRAINING);
    let script = format!(
        "trap '' XFSZ; ulimit -f 200; exec '{}' '{}' --plain --out '{}'",
        env!("CARGO_BIN_EXE_layerwise"),
        config.display(),
        out.display()
    );
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("bash starts");
    let stderr = stderr_of(&output);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("error: cannot write ") && stderr.contains("hint: make room"),
        "{stderr}"
    );
    assert!(manifest(&out)["status"]["failed"]["reason"].is_string());
    resumed(&out, &[]);
    assert_same_results(&whole, &out);
}

#[test]
#[cfg(unix)]
fn a_folder_that_becomes_read_only_ends_the_run_with_an_error() {
    use std::os::unix::fs::PermissionsExt;

    let (_first, whole) = folder();
    let (_second, out) = folder();
    undisturbed(FIGURE, &whole, &[]);
    let child = begin(FIGURE, &out, &[]);
    wait_for(|| out.join("metrics.jsonl").exists());
    let allow = |mode: u32| {
        for path in [out.join("checkpoints"), out.clone()] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("our own folder");
        }
    };
    allow(0o555);
    let binding = fs::File::create(out.join("probe")).is_err();
    let output = child.wait_with_output().expect("it ends");
    allow(0o755);
    if !binding {
        println!("permissions do not bind this user: a read-only folder was NOT tested");
        return;
    }
    let stderr = stderr_of(&output);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("error: cannot write ") && stderr.contains("hint: "),
        "{stderr}"
    );
    resumed(&out, &[]);
    assert_same_results(&whole, &out);
}

#[test]
fn a_damaged_checkpoint_gives_way_to_the_one_before_with_a_warning() {
    let (_first, whole) = folder();
    let (_second, out) = folder();
    undisturbed(FIGURE, &whole, &[]);
    let mut child = begin(FIGURE, &out, &[]);
    let checkpoints = out.join("checkpoints");
    // Of a task that has two: which do, depends on how fast the disk is.
    let newest = || -> Option<PathBuf> {
        let mut files: Vec<PathBuf> = fs::read_dir(&checkpoints)
            .ok()?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|number| number.len() == 6))
            .collect();
        files.sort();
        let mut of_tasks = files.chunk_by(|a, b| a.file_stem() == b.file_stem());
        of_tasks.find(|files| files.len() == 2)?.last().cloned()
    };
    wait_for(|| newest().is_some());
    child.kill().expect("our own child");
    child.wait().expect("our own child");
    let newest = newest().expect("it was there");
    let bytes = fs::read(&newest).expect("it was there");
    fs::write(&newest, &bytes[..bytes.len() / 2]).expect("room");
    let stderr = resumed(&out, &[]);
    assert!(
        stderr.contains(
            "it is cut short or changed: its hash is wrong; going on from the checkpoint before it"
        ),
        "{stderr}"
    );
    assert_same_results(&whole, &out);
}

#[test]
fn a_run_whose_config_or_data_changed_is_refused_with_what_differs() {
    let (_parent, out) = folder();
    let mut child = begin(FIGURE, &out, &["--set", "training.epochs=1000"]);
    wait_for(|| fs::read_dir(out.join("checkpoints")).is_ok_and(|files| files.count() > 2));
    child.kill().expect("our own child");
    child.wait().expect("our own child");
    let config = out.join("config.toml");
    let text = fs::read_to_string(&config).expect("it was written");
    let refused = |changed: &str| {
        fs::write(&config, changed).expect("room");
        let output = resume(&out, &[]);
        assert!(!output.status.success());
        stderr_of(&output)
    };
    let stderr = refused(&text.replace("target = 0.05", "target = 0.1"));
    assert!(
        stderr.contains("belongs to another run: `sparsity.target` was 0.05 and is 0.1"),
        "{stderr}"
    );

    let data = out.with_file_name("data");
    fs::create_dir(&data).expect("room");
    for entry in
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist")).expect("shipped")
    {
        let path = entry.expect("readable").path();
        let name = path.file_name().expect("it has one");
        let swapped = match name.to_str() {
            Some("train-labels-idx1-ubyte.gz") => continue,
            Some(_) | None => data.join(name),
        };
        fs::copy(&path, swapped).expect("room");
    }
    // 60,000 labels, all of them 0.
    let labels = [&[0, 0, 8, 1, 0, 0, 0xea, 0x60][..], &vec![0; 60_000]].concat();
    fs::write(data.join("train-labels-idx1-ubyte"), labels).expect("room");
    let moved = text.replace("data/mnist", &data.display().to_string());
    let stderr = refused(&moved);
    assert!(
        stderr.contains("was begun with other data: train-labels-idx1-ubyte"),
        "{stderr}"
    );
    assert!(stderr.contains("hint: put the data back"), "{stderr}");
}

#[test]
fn a_run_without_a_checkpoint_starts_from_the_beginning() {
    let (_first, whole) = folder();
    let (_second, out) = folder();
    let one = ["--set", "training.epochs=1"];
    undisturbed(FIGURE, &whole, &one);
    undisturbed(FIGURE, &out, &one);
    fs::remove_dir_all(out.join("checkpoints")).expect("it was there");
    let text = fs::read_to_string(out.join("manifest.json")).expect("text");
    let running = text.replace("\"complete\"", "\"running\"");
    fs::write(out.join("manifest.json"), running).expect("room");
    let stderr = resumed(&out, &[]);
    assert!(
        stderr.contains("there is no checkpoint yet: starting from the beginning"),
        "{stderr}"
    );
    assert_same_results(&whole, &out);
}

/// Whatever of a finished run is lost, or is not what the run wrote, `resume` makes again.
#[test]
fn a_finished_run_that_lost_a_file_gets_it_back() {
    for config in [FIGURE, PRETRAINING] {
        let (_first, whole) = folder();
        let (_second, out) = folder();
        undisturbed(config, &whole, &[]);
        undisturbed(config, &out, &[]);
        let files: Vec<String> = manifest(&out)["files"]
            .as_object()
            .expect("it tells of its files")
            .keys()
            .cloned()
            .collect();
        for file in [
            "config.toml",
            "index.html",
            "results.json",
            "weights.safetensors",
        ] {
            assert!(files.iter().any(|known| known == file), "{files:?}");
        }
        for file in &files {
            fs::remove_file(out.join(file)).expect("it was written");
            let stderr = resumed(&out, &[]);
            assert!(out.join(file).is_file(), "{file}: {stderr}");
            assert_same_results(&whole, &out);
            let again = resume(&out, &[]);
            let stdout = String::from_utf8_lossy(&again.stdout).into_owned();
            assert!(
                stdout.ends_with("is finished; nothing to resume\n"),
                "{file}: {stdout}"
            );
        }
        for file in ["results.json", "weights.safetensors", "metrics.jsonl"] {
            let mut bytes = fs::read(out.join(file)).expect("there");
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(out.join(file), bytes).expect("room");
            let stderr = resumed(&out, &[]);
            assert!(
                stderr.contains(&format!(
                    "is finished, but these files are missing or changed: {file}\n"
                )),
                "{stderr}"
            );
            assert_same_results(&whole, &out);
        }
        // All at once, as after a kill between the last epoch and the first file.
        for file in &files {
            fs::remove_file(out.join(file)).expect("it was written");
        }
        resumed(&out, &[]);
        assert_same_results(&whole, &out);
        assert!(out.join("index.html").is_file());
    }
}

#[test]
fn checkpoints_of_two_tasks_that_changed_names_are_refused_by_name() {
    let (_parent, out) = folder();
    let child = begin(FIGURE, &out, &["--set", "training.epochs=1000"]);
    let file = |task: usize| {
        let files = fs::read_dir(out.join("checkpoints")).into_iter().flatten();
        let mut files: Vec<PathBuf> = files
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                let name = path.file_name().and_then(|name| name.to_str());
                name.is_some_and(|name| name.starts_with(&format!("task-000{task}.")))
            })
            .collect();
        files.sort();
        files.pop()
    };
    wait_for(|| file(0).is_some() && file(2).is_some());
    signal(&child, "-INT");
    child.wait_with_output().expect("it ends");
    let [one, other] = [0, 2].map(|task| file(task).expect("there"));
    let aside = out.with_file_name("aside");
    fs::rename(&one, &aside).expect("room");
    fs::rename(&other, &one).expect("room");
    fs::rename(&aside, &other).expect("room");
    let output = resume(&out, &[]);
    let stderr = stderr_of(&output);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("is called that of task 0, but holds the state of task 2: β = 3\n  hint: "),
        "{stderr}"
    );
}

#[test]
fn a_run_goes_on_from_wherever_it_is_resumed() {
    let (_first, whole) = folder();
    let (parent, out) = folder();
    let one = ["--set", "training.epochs=2"];
    undisturbed(FIGURE, &whole, &one);
    undisturbed(FIGURE, &out, &one);
    let found_at = manifest(&out)["data"]["found_at"].clone();
    assert!(Path::new(found_at.as_str().expect("text")).is_absolute());
    fs::remove_dir_all(out.join("checkpoints")).expect("it was there");
    fs::remove_file(out.join("results.json")).expect("it was there");
    let output = layerwise()
        .args(["resume", "run", "--quiet"])
        .current_dir(parent.path())
        .output()
        .expect("the program starts");
    let stderr = stderr_of(&output);
    assert!(output.status.success(), "{stderr}");
    assert_same_results(&whole, &out);
    assert_eq!(manifest(&out)["data"]["found_at"], found_at);
    // A run's own config, too, runs from anywhere.
    let again = layerwise()
        .args(["run/config.toml", "--quiet", "--out", "again"])
        .current_dir(parent.path())
        .status();
    assert!(again.expect("the program starts").success());
    assert_same_results(&whole, &parent.path().join("again"));
}

#[test]
fn a_folder_without_a_run_is_left_as_it_is() {
    let (_parent, out) = folder();
    fs::create_dir(&out).expect("room");
    fs::write(out.join("manifest.json"), "{\"manifest_version\": 3}").expect("room");
    for verb in ["resume", "report"] {
        let (code, _, stderr) = transcript(&[verb, &out.display().to_string()]);
        assert_eq!(code, 1, "{stderr}");
        assert!(stderr.contains("manifest.json"), "{stderr}");
    }
    assert_eq!(fs::read_dir(&out).expect("a folder").count(), 1);
}
