//! `check` and a run refuse the same things in the same words; what `check` says of data, memory and oddities is so.

mod common;

use std::fs;
use std::path::Path;

use common::{folder, idx, layerwise, manifest, transcript, write_pictures};

/// A set of `count` pictures of `side`×`side` with labels below `classes`, for training and for tests.
fn data(dir: &Path, count: u32, side: u32, classes: u32) {
    write_pictures(
        dir,
        [count, side, side],
        |at| (at.wrapping_mul(2_654_435_761) >> 24) as u8,
        |at| (at % classes) as u8,
    );
}

/// The line of `check` that begins with `name`.
fn line(stdout: &str, name: &str) -> String {
    let line = stdout.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no line {name}: {stdout}"))
        .trim()
        .to_owned()
}

#[test]
fn what_check_refuses_a_run_refuses_in_the_same_words() {
    let (parent, out) = folder();
    let at = |name: &str| parent.path().join(name);
    data(&at("cut"), 300, 4, 3);
    let body = at("cut/t10k-images-idx3-ubyte");
    let whole = fs::read(&body).expect("there");
    fs::write(&body, &whole[..whole.len() - 1]).expect("room");
    data(&at("unlabelled"), 300, 4, 3);
    let labels = at("unlabelled/train-labels-idx1-ubyte");
    fs::write(&labels, idx(&[300], &[255; 300])).expect("room");
    data(&at("few"), 30, 4, 3);

    let dir = |name: &str| format!("data.dir={}", at(name).display());
    let file = "configs/figure56-quick.toml";
    let all = ["data.train_images=all", "data.test_images=all"];
    for (code, sets) in [
        (2, vec!["data.test_images=10001".to_owned()]),
        (2, vec!["data.train_images=60001".to_owned()]),
        (2, vec!["data.dir=nowhere".to_owned()]),
        (2, vec!["training.batch_size=6001".to_owned()]),
        (1, vec![dir("cut"), all[0].to_owned(), all[1].to_owned()]),
        (
            1,
            vec![dir("unlabelled"), all[0].to_owned(), all[1].to_owned()],
        ),
        (2, vec![dir("few"), all[0].to_owned(), all[1].to_owned()]),
        (2, vec!["run.backend=cuda".to_owned()]),
    ] {
        let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
        let out = out.display().to_string();
        let checked = transcript(&[&["check", file], &sets[..]].concat());
        let run = transcript(&[&[file, "--out", &out], &sets[..]].concat());
        assert_eq!((checked.0, &checked.2), (run.0, &run.2), "{sets:?}");
        assert_eq!(checked.0, code, "{sets:?}: {}", checked.2);
        assert!(checked.2.contains("\n  hint: "), "{}", checked.2);
        assert!(!Path::new(&out).exists(), "{sets:?}");
    }
}

#[test]
fn check_counts_classes_images_and_pixels_of_the_data_that_there_are() {
    let (parent, _) = folder();
    data(&parent.path().join("mine"), 300, 5, 4);
    let config = parent.path().join("mine.toml");
    fs::write(
        &config,
        "experiment = \"classifier\"\n[data]\ndir = \"mine\"\nvalidation_images = 100\n[run]\nseeds = [0]\n\
         [conditions.A]\ntraining.epochs = 1\n",
    )
    .expect("room");
    // The folder beside the config is found from wherever one is.
    let (code, stdout, stderr) = transcript(&["check", &config.display().to_string()]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(
        line(&stdout, "data "),
        "no set that this program knows: 200 training images, 100 validation images held out, 300 test images of 5×5 \
         pixels, 4 classes"
    );
    let found_at = parent.path().join("mine").display().to_string();
    assert_eq!(line(&stdout, "found in "), found_at);
    assert!(
        line(&stdout, "condition ").starts_with("A: 25 → 4; "),
        "{stdout}"
    );
    assert_eq!(line(&stdout, "models "), "1: 1 condition × 1 seed");
    assert!(line(&stdout, "memory ").starts_with("about "), "{stdout}");
}

#[test]
fn what_is_odd_is_told_by_check_at_the_start_of_a_run_and_on_its_page() {
    let (parent, out) = folder();
    data(&parent.path().join("mine"), 301, 90, 4);
    let config = parent.path().join("mine.toml");
    fs::write(
        &config,
        "experiment = \"autoencoder\"\n[data]\ndir = \"mine\"\n[autoencoder]\nhidden_units = 4\n\
         [sparsity]\nweight = 3\nestimator = \"batch\"\n[training]\nepochs = 1\nlearning_rate = 1e-6\n",
    )
    .expect("room");
    let config = config.display().to_string();
    let (code, _, checked) = transcript(&["check", &config]);
    assert_eq!(code, 0, "{checked}");
    let odd = [
        "autoencoder.encoder_weight has variance 1/784, but a picture has 8100 pixels",
        "the last batch of every epoch has 1 image, and sparsity.estimator takes mean activations from a batch alone",
    ];
    for odd in odd {
        assert!(checked.contains(&format!("warning: {odd}")), "{checked}");
    }
    let (code, _, talk) = transcript(&[&config, "--quiet", "--out", &out.display().to_string()]);
    assert_eq!(code, 0, "{talk}");
    assert!(talk.starts_with(&checked), "{talk}");
    let page = fs::read_to_string(out.join("index.html")).expect("a page");
    for odd in odd {
        assert!(page.contains(odd), "{odd}");
    }
    assert_eq!(manifest(&out)["warnings"].as_array().map(Vec::len), Some(2));
}

/// A limit on addresses stands in for a small machine.
#[test]
#[cfg(target_os = "linux")]
fn what_needs_more_memory_than_there_is_is_refused_before_it_begins() {
    let (_parent, out) = folder();
    for (sets, what, keys) in [
        (
            "configs/figure56.toml --set autoencoder.hidden_units=100000",
            "models ",
            "lower autoencoder.hidden_units, or fewer of run.seeds and conditions",
        ),
        (
            "configs/figure56.toml --set training.epochs=1000000",
            "records ",
            "lower training.epochs",
        ),
        // More numbers than 64 bits can count are as many as they can.
        (
            "configs/pretraining.toml --set 'conditions.D.network.hidden_units=1000 x 1000000' --set training.epochs=1000000",
            "models ",
            "lower network.hidden_units, or fewer of run.seeds and conditions",
        ),
    ] {
        for verb in ["check", ""] {
            let out = match verb {
                "" => format!("--out '{}'", out.display()),
                _ => String::new(),
            };
            let script = format!(
                "ulimit -v 4000000; exec '{}' {verb} {sets} {out}",
                env!("CARGO_BIN_EXE_layerwise"),
            );
            let output = std::process::Command::new("bash")
                .args(["-c", &script])
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .output()
                .expect("bash starts");
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2), "{stderr}");
            assert!(stderr.starts_with("error: this needs about "), "{stderr}");
            assert!(stderr.contains("but `ulimit -v` allows 4.1 GB"), "{stderr}");
            assert!(stderr.contains(what) && stderr.contains(keys), "{stderr}");
        }
        assert!(!out.exists());
    }
    let enough = layerwise()
        .args(["check", "configs/figure56.toml"])
        .output()
        .expect("the program starts");
    assert!(enough.status.success());
}

/// Seconds of `1 min 42 s` or `3.4 s`.
fn seconds(text: &str) -> f64 {
    let words: Vec<&str> = text.split(' ').collect();
    words
        .chunks(2)
        .map(|pair| {
            let number: f64 = pair[0].parse().expect("a number");
            number
                * match pair[1] {
                    "h" => 3600.0,
                    "min" => 60.0,
                    _ => 1.0,
                }
        })
        .sum()
}

#[test]
fn check_says_how_long_it_takes_and_how_much_disk_it_needs() {
    let (code, stdout, stderr) = transcript(&["check", "configs/figure56-quick.toml"]);
    assert_eq!(code, 0, "{stderr}");
    let time = line(&stdout, "time");
    let (whole, parts) = time.split_once(" with ").expect("threads");
    let whole = seconds(whole.strip_prefix("about ").expect("an estimate"));
    assert!(whole > 0.0 && parts.contains("training"), "{time}");
    let disk = line(&stdout, "disk");
    assert!(
        disk.starts_with("about ") && disk.contains("weights"),
        "{disk}"
    );
}

#[test]
#[ignore = "on a machine that does nothing else: a few minutes"]
fn estimates_of_time_are_within_a_quarter() {
    for config in [
        "configs/figure56.toml",
        "configs/dead-units.toml",
        "configs/edges.toml",
        "configs/pretraining-quick.toml",
        "configs/pretraining.toml",
        "configs/museum/ufldl-digits.toml",
    ] {
        let (_, stdout, _) = transcript(&["check", config]);
        let time = line(&stdout, "time");
        let told = time
            .split(" with ")
            .next()
            .and_then(|told| told.strip_prefix("about "));
        let told = seconds(told.expect("an estimate"));
        let (_parent, out) = folder();
        let (code, _, stderr) =
            transcript(&[config, "--quiet", "--out", &out.display().to_string()]);
        assert_eq!(code, 0, "{stderr}");
        let of = manifest(&out)["seconds"].clone();
        let took: f64 = ["loading", "training", "drawing"]
            .iter()
            .map(|part| of[part].as_f64().expect("seconds"))
            .sum();
        println!(
            "{config}: told {told:.1} s, took {took:.1} s, {:.2}",
            told / took
        );
        assert!((0.75..=1.25).contains(&(told / took)), "{config}");
    }
}
