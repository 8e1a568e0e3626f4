//! The experiments that compare conditions, pretraining and dead units, as their users meet them: whole runs, their
//! files, and what is said about plans that cannot be.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use common::{folder, layerwise, manifest, transcript};
use layerwise::results::{DeadUnitsResults, PretrainingResults, Results};
use layerwise::weights::Weights;

const PRETRAINING: &str = r#"
experiment = "pretraining"
[run]
seeds = [3, 4]
[data]
dir = "data/mnist"
train_images = 600
test_images = 100
[training]
epochs = 2
[pretraining]
epochs = 1
corruption = "masking"
corruption_fraction = 0.1
[conditions.plain]
network.hidden_units = [12, 10, 8]
[conditions.pretrained]
network.hidden_units = [12, 10, 8]
pretraining.layers = 2
[report]
differences = ["pretrained - plain"]
layers_of = ["plain", "pretrained"]
"#;

const DEAD_UNITS: &str = r#"
experiment = "dead_units"
[run]
seeds = [3, 4]
[data]
dir = "data/mnist"
train_images = 600
test_images = 100
[training]
epochs = 2
[conditions.wide]
autoencoder.hidden_units = 12
autoencoder.encoder_bias = { normal_variance = 4 }
[conditions."narrow, PReLU"]
autoencoder.hidden_units = 10
autoencoder.activation = "prelu"
"#;

const PRETRAINING_PICTURES: [&str; 12] = [
    "figure3.svg",
    "figure3.png",
    "costs.svg",
    "costs.png",
    "times.svg",
    "times.png",
    "layers.svg",
    "layers.png",
    "stages.svg",
    "stages.png",
    "units-pretrained.png",
    "units-fine-tuned.png",
];
const PRETRAINING_NUMBERS: [&str; 9] = [
    "config.toml",
    "results.json",
    "weights.safetensors",
    "metrics.jsonl",
    "metrics.csv",
    "stages.jsonl",
    "stages.csv",
    "layers.jsonl",
    "layers.csv",
];
const DEAD_UNITS_PICTURES: [&str; 3] = ["dead-units.png", "curves.svg", "curves.png"];
const DEAD_UNITS_NUMBERS: [&str; 5] = [
    "config.toml",
    "results.json",
    "weights.safetensors",
    "metrics.jsonl",
    "metrics.csv",
];

/// A config of this text beside the run folder.
fn written(out: &Path, text: &str) -> PathBuf {
    let path = out.with_file_name("mine.toml");
    fs::write(&path, text).expect("room");
    path
}

fn run(config: &str, out: &Path, more: &[&str]) -> Output {
    let output = layerwise()
        .arg(written(out, config))
        .args(["--plain", "--out"])
        .arg(out)
        .args(more)
        .output()
        .expect("the program starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    output
}

fn bytes(out: &Path, file: &str) -> Vec<u8> {
    fs::read(out.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn files(out: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(out)
        .expect("a folder")
        .map(|entry| entry.expect("readable").file_name())
        .map(|name| name.into_string().expect("a plain name"))
        .filter(|name| ![".lock", "checkpoints"].contains(&name.as_str()))
        .collect();
    names.sort();
    names
}

fn expected(parts: &[&[&str]]) -> Vec<String> {
    let mut names: Vec<String> = parts.concat().into_iter().map(str::to_owned).collect();
    names.extend(["index.html".to_owned(), "manifest.json".to_owned()]);
    names.sort();
    names
}

/// Drawing left the models and their file alone, and says so.
fn assert_drawing_changed_nothing(out: &Path) {
    let manifest = manifest(out);
    assert_eq!(manifest["status"], "complete");
    let hash = Weights::from_safetensors(&bytes(out, "weights.safetensors"))
        .expect("our own file")
        .hash();
    assert_eq!(manifest["parameters_before_drawing"], hash.as_str());
    assert_eq!(manifest["parameters_after_drawing"], hash.as_str());
    let page = String::from_utf8(bytes(out, "index.html")).expect("text");
    assert!(page.contains(&hash) && page.contains(">equal<"));
}

/// What `report` draws, from the folder alone, is what the run drew.
fn assert_drawn_again(out: &Path, pictures: &[&str]) {
    let before: Vec<Vec<u8>> = pictures.iter().map(|file| bytes(out, file)).collect();
    let page = bytes(out, "index.html");
    let weights = bytes(out, "weights.safetensors");
    for file in pictures.iter().chain(&["index.html"]) {
        fs::remove_file(out.join(file)).expect("it was there");
    }
    let (code, _, stderr) = transcript(&["report", &out.display().to_string()]);
    assert_eq!(code, 0, "{stderr}");
    for (file, before) in pictures.iter().zip(before) {
        assert!(bytes(out, file) == before, "{file} differs");
    }
    assert!(bytes(out, "index.html") == page, "index.html differs");
    assert!(bytes(out, "weights.safetensors") == weights);
}

#[test]
fn a_pretraining_run_leaves_figures_numbers_and_proofs() {
    let (_parent, out) = folder();
    let output = run(PRETRAINING, &out, &[]);
    let stdout = String::from_utf8(output.stdout).expect("text");
    let lines = |start: &str| {
        stdout
            .lines()
            .filter(|line| line.starts_with(start))
            .count()
    };
    // Two layers of one epoch for two seeds; a start and two epochs for two conditions and two seeds.
    assert_eq!((lines("layer "), lines("epoch ")), (4, 12), "{stdout}");
    let expected = expected(&[&PRETRAINING_PICTURES, &PRETRAINING_NUMBERS]);
    assert_eq!(files(&out), expected);
    assert_drawing_changed_nothing(&out);

    let results: Results = serde_json::from_slice(&bytes(&out, "results.json")).expect("JSON");
    let Results::Pretraining(PretrainingResults {
        conditions,
        differences,
        transfers,
        layers_of,
        ..
    }) = results
    else {
        panic!("another experiment");
    };
    let names: Vec<&str> = conditions.iter().map(|c| c.condition.as_str()).collect();
    assert_eq!(names, ["plain", "pretrained"]);
    assert_eq!(layers_of, names);
    assert!(conditions.iter().all(|c| c.accuracy.len() == 3));
    // 784·12 + 12 + 12·10 + 10 + 10·8 + 8 + 8·10 + 10 numbers; tied decoders add their biases.
    assert_eq!(conditions[0].parameters, 9728);
    assert_eq!(conditions[0].parameters_learnt, 9728);
    let pretraining = (784 * 12 + 12 + 784) + (12 * 10 + 10 + 12);
    assert_eq!(conditions[1].parameters_learnt, 9728 + pretraining);
    assert_eq!(differences.len(), 1);
    assert_eq!(transfers.len(), 4);
    assert!(
        transfers
            .iter()
            .all(|proof| proof.encoder == proof.classifier)
    );

    assert_drawn_again(&out, &PRETRAINING_PICTURES);
}

#[test]
fn a_pretraining_run_gives_equal_bytes_whatever_the_jobs_and_from_its_resolved_config() {
    let (_first, one) = folder();
    let (_second, two) = folder();
    let (_third, again) = folder();
    run(PRETRAINING, &one, &["--jobs", "1"]);
    run(PRETRAINING, &two, &["--jobs", "3"]);
    let resolved = String::from_utf8(bytes(&one, "config.toml")).expect("text");
    run(&resolved, &again, &[]);
    let timeless = PRETRAINING_PICTURES
        .iter()
        .filter(|file| !file.starts_with("times."));
    for file in timeless.chain(&PRETRAINING_NUMBERS) {
        assert!(bytes(&one, file) == bytes(&two, file), "{file} differs");
        assert!(bytes(&one, file) == bytes(&again, file), "{file} differs");
    }
}

#[test]
fn a_dead_units_run_leaves_grids_and_counts() {
    let (_parent, out) = folder();
    run(DEAD_UNITS, &out, &[]);
    let expected = expected(&[&DEAD_UNITS_PICTURES, &DEAD_UNITS_NUMBERS]);
    assert_eq!(files(&out), expected);
    assert_drawing_changed_nothing(&out);

    let results: Results = serde_json::from_slice(&bytes(&out, "results.json")).expect("JSON");
    let Results::DeadUnits(DeadUnitsResults { members, ended }) = results else {
        panic!("another experiment");
    };
    let weights = Weights::from_safetensors(&bytes(&out, "weights.safetensors")).expect("ours");
    assert!(ended.is_empty(), "{ended:?}");
    let mut dead = 0;
    for summary in &members {
        let prefix = format!("{}/seed {}", summary.member.condition, summary.member.seed);
        let encoder = weights
            .get(&format!("{prefix}/encoder.weight"))
            .expect("saved");
        assert_eq!(encoder.shape, [1, 784, summary.hidden_units]);
        if summary.member.condition == "wide" {
            // A ramp unit that is never on cannot learn, and one that is on does: by the bit, without weight decay.
            assert_eq!(summary.never_on_at_start, summary.unchanged);
            let noise_looking = summary.noise_looking.as_ref().expect("weights are drawn");
            let mut unchanged = summary.unchanged.iter();
            assert!(unchanged.all(|unit| noise_looking.contains(unit)));
            dead += summary.unchanged.len();
        } else {
            assert!(summary.unchanged.is_empty(), "{summary:?}");
        }
    }
    assert!(dead > 0, "biases of variance 4 put some unit out of reach");
    assert_drawn_again(&out, &DEAD_UNITS_PICTURES);
}

#[test]
fn plans_that_cannot_be_are_refused_before_any_data_are_read() {
    let (_parent, out) = folder();
    let config = written(&out, PRETRAINING).display().to_string();
    let refused = |set: &str| {
        let elsewhere = "data.dir=\"/no/such/folder\"";
        let args = [&config, "--set", set, "--set", elsewhere];
        let (code, stdout, stderr) = transcript(&args);
        assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
        stderr
    };
    let cases = [
        (
            "conditions.pretrained.pretraining.layers=4",
            "condition \"pretrained\" pretrains 4 of its 3 hidden layers",
        ),
        (
            "conditions.pretrained.network.hidden_units=[]",
            "condition \"pretrained\" pretrains layers, but there is no hidden layer",
        ),
        (
            "conditions.plain.network.hidden_units=[12, 0]",
            "`conditions.plain.network.hidden_units[1]` is 0, which is out of range",
        ),
        (
            "report.differences=[\"pretrained - plai\"]",
            "did you mean \"plain\"?",
        ),
        (
            "report.layers_of=[\"pretrain\"]",
            "the conditions are \"plain\", \"pretrained\"",
        ),
    ];
    for (set, told) in cases {
        let stderr = refused(set);
        assert!(stderr.contains(told), "{set}\n{stderr}");
        assert!(stderr.contains("hint: "), "{stderr}");
    }
    let (code, _, stderr) = transcript(&[&config, "--set", "data.validation_images=600"]);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("validation_images"), "{stderr}");
    assert!(!out.exists());
}

#[test]
fn a_run_of_one_softmax_regression_has_a_page_without_layers_and_pretraining() {
    let (_parent, out) = folder();
    run(
        "experiment = \"pretraining\"\ndata.train_images = 200\ndata.test_images = 50\n\
         training.epochs = 1\n[conditions.alone]\nnetwork.hidden_units = []\n",
        &out,
        &[],
    );
    let missing = ["layers.svg", "stages.svg", "units-pretrained.png"];
    assert!(missing.iter().all(|file| !out.join(file).exists()));
    let page = String::from_utf8(bytes(&out, "index.html")).expect("text");
    assert!(page.contains("alone is at ") && !page.contains("The pretraining itself"));
    assert_drawn_again(
        &out,
        &["figure3.svg", "figure3.png", "costs.svg", "times.svg"],
    );
}

/// The post's ordering on a third of the images, with half of the layers and fewer epochs.
#[test]
fn a_short_run_shows_the_ordering() {
    let (_parent, out) = folder();
    let layers = "network.hidden_units = \"8 x 100\"";
    let config = fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/pretraining-quick.toml"),
    )
    .expect("it is shipped")
    .replace("network.hidden_units = \"15 x 100\"", layers);
    assert_eq!(config.matches(layers).count(), 2, "C and D");
    run(&config, &out, &[]);
    let results: Results = serde_json::from_slice(&bytes(&out, "results.json")).expect("JSON");
    let Results::Pretraining(results) = results else {
        panic!("another experiment");
    };
    let accuracy = |name: &str, epoch: usize| {
        let mut conditions = results.conditions.iter();
        let condition = conditions.find(|c| c.condition == name).expect("shipped");
        condition.accuracy[epoch].median
    };
    let last = results.conditions[0].accuracy.len() - 1;
    let [a, b, c, d] = ["A", "B", "C", "D"].map(|name| accuracy(name, last));
    assert!(d > b && b > a && a > 0.5, "A {a}, B {b}, C {c}, D {d}");
    assert!(
        c < results.chance.accuracy() + 0.03,
        "C does not learn: {c}"
    );
    for epoch in 2..=last {
        let [b, d] = ["B", "D"].map(|name| accuracy(name, epoch));
        assert!(
            d > b,
            "D is the faster, but B {b} and D {d} in epoch {epoch}"
        );
    }
}
