//! Runs that compare conditions, of classifiers and of autoencoders, as their users meet them: whole runs, their files,
//! and what is said about plans that cannot be.

mod common;

use std::fs;
use std::path::Path;

use common::{
    assert_same_files, bytes, complete, folder, manifest, read, results, transcript, weights,
    written,
};
use layerwise::evidence::accuracy::Comparison;
use layerwise::evidence::dead_units::UnitCounts;
use layerwise::results::TransferProof;

const PRETRAINING: &str = r#"
experiment = "classifier"
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
corruption = { masking = { fraction = 0.1 } }
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
experiment = "autoencoder"
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
const PRETRAINING_NUMBERS: [&str; 11] = [
    "config.toml",
    "results.json",
    "weights.safetensors",
    "examples.safetensors",
    "unit-details.json",
    "metrics.jsonl",
    "metrics.csv",
    "stages.jsonl",
    "stages.csv",
    "layers.jsonl",
    "layers.csv",
];
const AUTOENCODER_PICTURES: [&str; 5] = [
    "reconstructions.png",
    "units.png",
    "units-shared-scale.png",
    "curves.svg",
    "curves.png",
];
const AUTOENCODER_NUMBERS: [&str; 7] = [
    "config.toml",
    "results.json",
    "weights.safetensors",
    "examples.safetensors",
    "unit-details.json",
    "metrics.jsonl",
    "metrics.csv",
];

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
    let always = ["index.html", "manifest.json", "play.html"];
    names.extend(always.map(str::to_owned));
    names.sort();
    names
}

/// Drawing left the models and their file alone, and says so.
fn assert_drawing_changed_nothing(out: &Path) {
    let manifest = manifest(out);
    assert_eq!(manifest["status"], "complete");
    let hash = weights(out).hash();
    assert_eq!(manifest["parameters_before_drawing"], hash.as_str());
    assert_eq!(manifest["parameters_after_drawing"], hash.as_str());
    let page = read(out, "index.html");
    assert!(page.contains(&hash) && page.contains(">equal<"));
}

/// What `report` draws, from the folder alone, is what the run drew.
fn assert_drawn_again(out: &Path, pictures: &[&str]) {
    let before: Vec<Vec<u8>> = pictures.iter().map(|file| bytes(out, file)).collect();
    let page = bytes(out, "index.html");
    let weights = bytes(out, "weights.safetensors");
    for file in pictures.iter().chain(&["index.html", "play.html"]) {
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
    let stdout = complete(PRETRAINING, &out, &[]);
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

    let results = results(&out);
    let comparison: Comparison = results.of_run("accuracy").expect("of classifiers");
    let Comparison {
        conditions,
        differences,
        layers_of,
        ..
    } = comparison;
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
    let transfers = results.of_members::<Vec<TransferProof>>("transfers");
    let of: Vec<(&str, usize)> = transfers
        .iter()
        .map(|(member, proofs)| (member.label.as_str(), proofs.len()))
        .collect();
    assert_eq!(
        of,
        [
            ("plain, seed 3", 0),
            ("plain, seed 4", 0),
            ("pretrained, seed 3", 2),
            ("pretrained, seed 4", 2)
        ]
    );
    let mut proofs = transfers.iter().flat_map(|(_, proofs)| proofs);
    assert!(proofs.all(|proof| proof.encoder == proof.classifier));

    assert_drawn_again(&out, &PRETRAINING_PICTURES);
}

/// Whatever the jobs, and from its resolved config, a run leaves the same bytes, but for times and dates.
fn assert_repeats(config: &str, files: &[&'static str]) {
    let (_first, one) = folder();
    let (_second, two) = folder();
    let (_third, again) = folder();
    complete(config, &one, &["--jobs", "1"]);
    complete(config, &two, &["--jobs", "3"]);
    complete(&read(&one, "config.toml"), &again, &[]);
    assert!(files.contains(&"results.json") && files.contains(&"weights.safetensors"));
    let timeless = files.iter().filter(|file| !file.starts_with("times."));
    for other in [&two, &again] {
        assert_same_files(&one, other, timeless.clone().copied());
    }
}

#[test]
fn a_run_of_classifiers_gives_equal_bytes_whatever_the_jobs_and_from_its_resolved_config() {
    assert_repeats(
        PRETRAINING,
        &[&PRETRAINING_PICTURES[..], &PRETRAINING_NUMBERS].concat(),
    );
}

#[test]
fn a_run_of_autoencoders_gives_equal_bytes_whatever_the_jobs_and_from_its_resolved_config() {
    assert_repeats(
        DEAD_UNITS,
        &[&AUTOENCODER_PICTURES[..], &AUTOENCODER_NUMBERS].concat(),
    );
}

#[test]
fn a_run_of_autoencoders_leaves_grids_and_counts() {
    let (_parent, out) = folder();
    complete(DEAD_UNITS, &out, &[]);
    let expected = expected(&[&AUTOENCODER_PICTURES, &AUTOENCODER_NUMBERS]);
    assert_eq!(files(&out), expected);
    assert_drawing_changed_nothing(&out);

    let (results, weights) = (results(&out), weights(&out));
    assert!(results.ended.is_empty(), "{:?}", results.ended);
    let members = results.of_members::<UnitCounts>("dead_units");
    let labels: Vec<&str> = members.iter().map(|(of, _)| of.label.as_str()).collect();
    assert_eq!(
        labels,
        [
            "wide, seed 3",
            "wide, seed 4",
            "narrow, PReLU, seed 3",
            "narrow, PReLU, seed 4"
        ]
    );
    let mut dead = 0;
    for (member, counts) in &members {
        let prefix = format!("{}/seed {}", member.condition, member.seed);
        let matrix = |name: &str| weights.get(&format!("{prefix}/{name}")).expect("saved");
        let encoder = matrix("encoder.weight");
        let initial = matrix("initial/encoder.weight");
        assert_eq!(encoder.shape, [784, counts.hidden_units]);
        assert_eq!(initial.shape, encoder.shape);
        // By the bit: those units are unchanged whose columns are as they were drawn.
        let units = counts.hidden_units;
        let column = |values: &[f32], unit: usize| -> Vec<u32> {
            let column = values.iter().skip(unit).step_by(units);
            column.map(|value| value.to_bits()).collect()
        };
        let unchanged: Vec<usize> = (0..units)
            .filter(|&unit| column(&encoder.values, unit) == column(&initial.values, unit))
            .collect();
        assert_eq!(counts.unchanged, unchanged, "{prefix}");
        if member.condition == "wide" {
            // A ramp unit that is never on cannot learn, and one that is on does: by the bit, without weight decay.
            assert_eq!(counts.never_on_at_start, counts.unchanged);
            let noise_looking = counts.noise_looking.as_ref().expect("weights are drawn");
            let mut unchanged = counts.unchanged.iter();
            assert!(unchanged.all(|unit| noise_looking.contains(unit)));
            dead += counts.unchanged.len();
        } else {
            assert!(counts.unchanged.is_empty(), "{counts:?}");
        }
    }
    assert!(dead > 0, "biases of variance 4 put some unit out of reach");
    assert_drawn_again(&out, &AUTOENCODER_PICTURES);
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
    complete(
        "experiment = \"classifier\"\ndata.train_images = 200\ndata.test_images = 50\n\
         training.epochs = 1\n[conditions.alone]\nnetwork.hidden_units = []\n",
        &out,
        &[],
    );
    let missing = ["layers.svg", "stages.svg", "units-pretrained.png"];
    assert!(missing.iter().all(|file| !out.join(file).exists()));
    let page = read(&out, "index.html");
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
    complete(&config, &out, &[]);
    let results: Comparison = results(&out).of_run("accuracy").expect("of classifiers");
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
