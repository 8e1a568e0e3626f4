//! The program as its users meet it: whole transcripts, exit codes, and the files of a run.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

use common::{
    assert_same_files, folder, layerwise, manifest, signal, transcript, wait_for, write_pictures,
};

/// A run of a second or two: 3 members, 2 epochs of 500 images.
fn small_run(out: &Path, more: &[&str]) -> Output {
    layerwise()
        .args([
            "configs/figure56-quick.toml",
            "--plain",
            "--set",
            "data.train_images=500",
        ])
        .args([
            "--set",
            "data.test_images=100",
            "--set",
            "training.epochs=2",
            "--out",
        ])
        .arg(out)
        .args(more)
        .output()
        .expect("the program starts")
}

const RESULT_FILES: [&str; 14] = [
    "config.toml",
    "metrics.jsonl",
    "metrics.csv",
    "results.json",
    "weights.safetensors",
    "examples.safetensors",
    "unit-details.json",
    "reconstructions.png",
    "units.png",
    "units-shared-scale.png",
    "curves.svg",
    "curves.png",
    "end-results.svg",
    "end-results.png",
];

#[test]
fn a_run_writes_its_folder_and_says_so() {
    let (_parent, out) = folder();
    let output = small_run(&out, &[]);
    assert!(output.status.success());
    let stdout = String::from_utf8(output.stdout).expect("text");
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert!(
        !stdout.contains('\u{1b}') && !stderr.contains('\u{1b}'),
        "no escape codes in a pipe"
    );
    assert_eq!(
        stdout
            .lines()
            .filter(|line| line.starts_with("epoch "))
            .count(),
        6,
        "{stdout}"
    );
    assert!(
        stdout
            .lines()
            .any(|line| line.starts_with("epoch 2/2  β = 0.1  test error ")),
        "{stdout}"
    );
    assert_eq!(
        stderr,
        format!("run folder: {0}\nopen {0}/index.html\n", out.display())
    );
    for file in RESULT_FILES
        .into_iter()
        .chain(["manifest.json", "index.html"])
    {
        assert!(out.join(file).is_file(), "{file}");
    }
    assert_eq!(
        fs::read_dir(&out).expect("a folder").count(),
        19,
        "a lock, checkpoints, and no drafts are left"
    );
    let manifest = manifest(&out);
    assert_eq!(manifest["status"], "complete");
    assert_eq!(manifest["data"]["name"], "MNIST");
    let hash = &manifest["parameters_before_drawing"];
    assert_eq!(hash.as_str().map(str::len), Some(64));
    assert_eq!(
        *hash, manifest["parameters_after_drawing"],
        "drawing must not change the weights"
    );
}

#[test]
fn equal_runs_give_equal_bytes_whatever_the_jobs() {
    let (_first, one) = folder();
    let (_second, two) = folder();
    assert!(small_run(&one, &["--jobs", "1"]).status.success());
    assert!(small_run(&two, &["--jobs", "3"]).status.success());
    assert_same_files(&one, &two, RESULT_FILES);
}

#[test]
fn the_resolved_config_runs_again_to_the_same_results() {
    let (_first, one) = folder();
    let (_second, two) = folder();
    assert!(small_run(&one, &[]).status.success());
    let again = layerwise()
        .arg(one.join("config.toml"))
        .arg("--quiet")
        .arg("--out")
        .arg(&two)
        .output();
    assert!(again.expect("the program starts").status.success());
    assert_same_files(&one, &two, RESULT_FILES);
    // Neither is called after the file, which every run has.
    for out in [&one, &two] {
        assert_eq!(manifest(out)["name"], "figure56-quick");
    }
}

#[test]
fn report_draws_the_same_again() {
    let (_parent, out) = folder();
    assert!(small_run(&out, &[]).status.success());
    let drawn = [
        "units.png",
        "units-shared-scale.png",
        "curves.svg",
        "curves.png",
        "index.html",
        "play.html",
    ];
    let before: Vec<Vec<u8>> = drawn
        .iter()
        .map(|file| fs::read(out.join(file)).expect("there"))
        .collect();
    let weights = fs::read(out.join("weights.safetensors")).expect("there");
    for file in drawn {
        fs::remove_file(out.join(file)).expect("it was there");
    }
    let output = layerwise()
        .arg("report")
        .arg(&out)
        .output()
        .expect("the program starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for (file, before) in drawn.iter().zip(before) {
        assert_eq!(
            fs::read(out.join(file)).expect("drawn again"),
            before,
            "{file}"
        );
    }
    assert_eq!(
        fs::read(out.join("weights.safetensors")).expect("there"),
        weights
    );
}

#[test]
fn a_damaged_run_is_refused_with_the_file_s_name() {
    let (_parent, out) = folder();
    assert!(small_run(&out, &[]).status.success());
    for file in [
        "weights.safetensors",
        "metrics.jsonl",
        "results.json",
        "manifest.json",
    ] {
        let whole = fs::read(out.join(file)).expect("there");
        // In the middle of a line: what ends with a line may be whole.
        let half = whole.len() / 2;
        let cut = if whole[half - 1] == b'\n' {
            half - 2
        } else {
            half
        };
        fs::write(out.join(file), &whole[..cut]).expect("writable");
        let output = layerwise()
            .arg("report")
            .arg(&out)
            .output()
            .expect("the program starts");
        let stderr = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(1), "{file}: {stderr}");
        assert!(
            stderr.starts_with("error: ") && stderr.contains(file) && stderr.contains("hint: "),
            "{stderr}"
        );
        fs::write(out.join(file), whole).expect("writable");
    }
}

#[test]
fn a_run_folder_is_never_written_over() {
    let (_parent, out) = folder();
    assert!(small_run(&out, &[]).status.success());
    let before = fs::read(out.join("manifest.json")).expect("there");
    let output = small_run(&out, &[]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(output.stderr).expect("text"),
        format!(
            "error: run folder {out:?} exists already\n  hint: runs are never written over; give another name to \
             `--out`, or move this one away\n"
        )
    );
    assert_eq!(fs::read(out.join("manifest.json")).expect("there"), before);
}

#[test]
fn where_all_numbers_explode_everything_is_written_and_the_exit_code_is_1() {
    let (_parent, out) = folder();
    let output = small_run(
        &out,
        &[
            "--set",
            "training.optimizer=sgd",
            "--set",
            "training.learning_rate=50",
        ],
    );
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("error: 3 of 3 models ended early:\n  β = 0 ended in epoch "),
        "{stderr}"
    );
    assert!(
        stderr.contains(
            "  hint: lower training.learning_rate or the sparsity weight, or use optimizer"
        ),
        "{stderr}"
    );
    let reason = &manifest(&out)["status"]["failed"]["reason"];
    let reason = reason.as_str().expect("it failed");
    assert!(
        reason.starts_with("every model ended early; the first: β = 0 ended in epoch "),
        "{reason}"
    );
    // There is no end result to draw, and no model to look into.
    let missing = ["end-results", "reconstructions", "unit-details"];
    let drawn = |file: &&str| missing.iter().all(|start| !file.starts_with(start));
    for file in RESULT_FILES.into_iter().filter(drawn) {
        assert!(out.join(file).is_file(), "{file}");
    }
}

#[test]
#[cfg(unix)]
fn an_interrupt_keeps_what_there_is_and_exits_with_130() {
    let (_parent, out) = folder();
    let mut child = layerwise()
        .args([
            "configs/figure56.toml",
            "--plain",
            "--set",
            "training.epochs=1000",
            "--set",
        ])
        .args([
            "data.train_images=500",
            "--set",
            "data.test_images=100",
            "--out",
        ])
        .arg(&out)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // The first metrics are on disk after the first epoch.
    wait_for(|| out.join("metrics.jsonl").exists());
    signal(&child, "-INT");
    // Whatever it prints must not block it.
    let output = {
        drop(child.stdout.take());
        child.wait_with_output().expect("it ends")
    };
    assert_eq!(output.status.code(), Some(130));
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert!(stderr.contains("stopping after this batch"), "{stderr}");
    assert!(manifest(&out)["status"]["stopped"]["reason"].is_string());
    let page = fs::read_to_string(out.join("index.html")).expect("a page");
    assert!(
        page.contains("This run was stopped early"),
        "the page says so"
    );
    assert!(out.join("weights.safetensors").is_file());
}

#[test]
fn a_reader_who_closes_the_pipe_does_not_end_the_run() {
    let (_parent, out) = folder();
    let mut child = layerwise()
        .args([
            "configs/figure56-quick.toml",
            "--plain",
            "--set",
            "data.train_images=500",
            "--out",
        ])
        .arg(&out)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    assert!(child.wait().expect("it ends").success());
    assert_eq!(manifest(&out)["status"], "complete");
}

#[test]
fn check_prints_the_plan_and_trains_nothing() {
    let (code, stdout, stderr) = transcript(&[
        "check",
        "configs/figure56.toml",
        "--set",
        "training.epochs=3",
        "--backend",
        "ndarray",
    ]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let line = |key: &str| {
        let found = stdout
            .lines()
            .find(|line| line.starts_with(key))
            .unwrap_or_default();
        found.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("training.epochs"), "training.epochs 3 --set");
    assert_eq!(line("run.backend"), "run.backend \"ndarray\" --backend");
    assert!(line("grid.").starts_with("grid.\"sparsity.weight\" [0, 0.1, 3] figure56.toml:"));
    let conditions: Vec<&str> = stdout
        .lines()
        .filter_map(|line| line.strip_prefix("condition   "))
        .collect();
    assert_eq!(conditions.len(), 3, "{stdout}");
    for (condition, name) in conditions.iter().zip(["β = 0", "β = 0.1", "β = 3"]) {
        let begins = format!("{name}: 784 → 100 → 784, tied, ramp, ");
        assert!(condition.starts_with(&begins), "{condition}");
        // 3 epochs of 600 batches.
        assert!(
            condition.contains(", 3 epochs; 79284 parameters; 1800 steps of 100 images; "),
            "{condition}"
        );
    }
    assert_eq!(line("models"), "models 3: 3 conditions × 1 seed");
}

#[test]
fn a_bare_command_is_a_wrong_request_that_is_helped() {
    let (code, stdout, stderr) = transcript(&[]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(
        stderr.contains("Usage: layerwise") && stderr.contains("layerwise configs/figure56.toml"),
        "{stderr}"
    );
}

#[test]
fn help_version_and_completions_go_to_stdout() {
    for (args, part) in [
        (&["--help"][..], "cargo run --"),
        (
            &["help"],
            "Exit codes: 0 done, 1 failed, 2 wrong request, 130 ",
        ),
        (
            &["help", "resume"],
            "Continue a run that was stopped or killed",
        ),
        (
            &["--version"],
            concat!("layerwise ", env!("CARGO_PKG_VERSION")),
        ),
        (&["completions", "bash"], "_layerwise()"),
    ] {
        let (code, stdout, stderr) = transcript(args);
        assert_eq!((code, stderr.as_str()), (0, ""));
        assert!(stdout.contains(part), "{stdout}");
    }
}

/// Four IDX files of `height`×`width` pictures in two classes, of which runs take 60 to learn from and 20 to test on.
fn pictures_of(height: u32, width: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pixel = |at: u32| {
        let (image, at) = (at / (height * width), at % (height * width));
        (at % 7 * 30 * (image % 2 + 1) + image) as u8
    };
    write_pictures(folder.path(), [60, height, width], pixel, |image| {
        (image % 2) as u8
    });
    folder
}

#[test]
fn pictures_of_any_shape_are_drawn_and_spoken_of_as_what_they_are() {
    for (height, width, units) in [(784, 1, 100), (1, 784, 100), (200, 200, 100), (1, 1, 1)] {
        let data = pictures_of(height, width);
        let (_parent, out) = folder();
        let output = layerwise()
            .args(["configs/figure56-quick.toml", "--quiet", "--set"])
            .arg(format!("data.dir={:?}", data.path()))
            .args([
                "--set",
                "data.train_images=60",
                "--set",
                "data.test_images=20",
            ])
            .args([
                "--set",
                "training.epochs=1",
                "--set",
                "training.batch_size=20",
            ])
            .args(["--set", &format!("autoencoder.hidden_units={units}")])
            .arg("--out")
            .arg(&out)
            .output()
            .expect("the program starts");
        let stderr = String::from_utf8(output.stderr).expect("text");
        assert!(output.status.success(), "{height}×{width}: {stderr}");
        let told = stderr.contains("note: units.png: each pixel is the mean of 2×2 weights\n");
        assert_eq!(told, height * width == 40_000, "{stderr}");
        let picture = image::image_dimensions(out.join("units.png"));
        let (across, down) = picture.expect("a picture");
        assert!(
            across < 4000 && down < 1500,
            "{height}×{width}: {across}×{down}"
        );
        let page = fs::read_to_string(out.join("index.html")).expect("a page");
        assert!(page.len() < 15_000_000, "{height}×{width}: {}", page.len());
        let inputs = height * width;
        assert!(page.contains(&format!("{inputs} → {units} → {inputs}, tied, ")));
        assert!(page.contains(&format!(
            "autoencoder of images of {height}×{width} pixels,"
        )));
    }
}

#[test]
fn grids_without_room_in_one_picture_go_on_in_others_as_check_said() {
    let seeds: Vec<String> = (0..25).map(|seed| seed.to_string()).collect();
    let seeds = format!("run.seeds=[{}]", seeds.join(", "));
    let (_, stdout, _) = transcript(&["check", "configs/figure56-quick.toml", "--set", &seeds]);
    let said = "units.png: 75 grids fill 5 pictures";
    assert!(
        stdout.contains(&format!("\npictures    {said}\n")),
        "{stdout}"
    );

    let parent = tempfile::tempdir().expect("a temporary folder");
    let out = parent.path().join("my rün");
    let output = small_run(&out, &["--set", "training.epochs=1", "--set", &seeds]);
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert!(
        output.status.success() && stderr.contains(&format!("note: {said}\n")),
        "{stderr}"
    );
    assert!(out.join("units-5.png").is_file() && !out.join("units-6.png").exists());
    let page = fs::read_to_string(out.join("index.html")).expect("a page");
    assert!(page.len() < 15_000_000 && page.contains("<a href=\"units-5.png\">"));
    assert!(page.contains("75 grids fill 5 pictures."));
    assert!(page.contains("<title>my rün · "));
    let command = format!("cargo run -- '{}/config.toml'", out.display());
    assert!(page.contains(&command.replace('\'', "&#39;")) || page.contains(&command));

    fs::remove_file(out.join("units-3.png")).expect("it was there");
    let drawn_again = layerwise().arg("report").arg(&out).status();
    assert!(drawn_again.expect("the program starts").success());
    assert!(out.join("units-3.png").is_file());
}
