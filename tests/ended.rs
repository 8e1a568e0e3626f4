//! Models that cannot go on: what ends them is told and kept, and their neighbours never hear of it.

mod common;

use std::path::Path;

use common::models::{autoencoders, flex, plan, train};
use common::{
    assert_page_is_drawn_again, assert_same_files, complete, folder, json, manifest, read, results,
    run, transcript, weights,
};
use layerwise::backend::{Backend, Kind};
use layerwise::data::{self, Limits};
use layerwise::evidence::accuracy::Comparison;
use layerwise::experiment::{Ending, Outcome};
use layerwise::results::MemberResults;
use layerwise::spec::{AutoencoderSpec, AutoencoderTraining, Sparsity, TrainingSpec};
use serde_json::Value;

/// Two seeds of a calm condition; those of a wild one explode.
const AUTOENCODERS: &str = r#"
experiment = "dead_units"
[run]
seeds = [3, 4]
[data]
dir = "data/mnist"
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
"#;

/// One condition explodes in its pretraining, one in its own training, and one does not.
const CLASSIFIERS: &str = r#"
experiment = "pretraining"
[run]
seeds = [3, 4]
[data]
dir = "data/mnist"
train_images = 600
test_images = 100
[training]
epochs = 2
schedule = "constant"
[network]
hidden_units = [12, 10]
[conditions.calm]
[conditions.early]
pretraining.layers = 2
pretraining.epochs = 4
pretraining.optimizer = "sgd"
pretraining.learning_rate = 100
[conditions.late]
network.activation = "identity"
training.learning_rate = 100
[report]
differences = ["calm - early", "late - calm"]
layers_of = ["early", "calm"]
"#;

/// The lines of a JSON-lines file that are about members of a condition.
fn of_condition(out: &Path, file: &str, condition: &str) -> Vec<String> {
    let text = read(out, file);
    let lines = text
        .lines()
        .filter(|line| line.contains(&format!("\"{condition}, seed")));
    lines.map(str::to_owned).collect()
}

/// Everything is there, says so, and is drawn again alike; nothing is left to resume.
fn assert_whole(out: &Path) {
    assert_eq!(manifest(out)["status"], "complete");
    assert_page_is_drawn_again(out);
    let (code, stdout, stderr) = transcript(&["resume", &out.display().to_string()]);
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stdout.contains("is finished; nothing to resume"),
        "{stdout}"
    );
}

#[test]
fn an_autoencoder_that_explodes_ends_alone() {
    let (_first, out) = folder();
    let (_second, alone) = folder();
    let (code, stdout, stderr) = run(AUTOENCODERS, &out, &[]);
    assert_eq!(code, 1, "{stderr}");
    assert!(
        stderr.contains(
            "error: 2 of 4 models ended early:\n  wild, seed 3 ended in epoch 2: the training cost became infinite\n  wild, seed 4 ended in epoch 2: the training cost became infinite\n  hint: lower training.learning_rate"
        ),
        "{stderr}"
    );
    assert!(
        stdout.contains("wild, seed 3  ended in epoch 2: the training cost became infinite\n"),
        "{stdout}"
    );

    let results = json(&out, "results.json");
    assert_eq!(results["members"].as_array().map(Vec::len), Some(2));
    let ended = &results["ended"];
    assert_eq!(ended.as_array().map(Vec::len), Some(2));
    assert_eq!(ended[0]["member"]["label"], "wild, seed 3");
    assert_eq!(
        (&ended[0]["epoch"], &ended[0]["value"]),
        (&Value::from(2), &Value::from("infinite"))
    );
    assert_eq!(ended[0]["quantity"], "the training cost");
    assert_eq!(
        of_condition(&out, "metrics.jsonl", "wild").len(),
        2,
        "epoch 1 of both"
    );
    let page = read(&out, "index.html");
    assert!(page.contains("wild, seed 3 ended in epoch 2: the training cost became infinite."));
    assert!(page.contains("<td>ended ended</td>"));
    assert!(read(&out, "curves.svg").contains(">wild, seed 3 (ended)</text>"));
    assert_whole(&out);

    // The calm ones are what they are without company.
    let calm = AUTOENCODERS
        .split("[conditions.wild]")
        .next()
        .expect("a beginning");
    complete(calm, &alone, &[]);
    let lines = |out| of_condition(out, "metrics.jsonl", "calm");
    assert_eq!(lines(&out), lines(&alone));
    for seed in [3, 4] {
        let name = format!("calm/seed {seed}/encoder.weight");
        let [with, without] = [&out, &alone].map(|out| weights(out).get(&name).cloned());
        assert_eq!(with.expect("saved"), without.expect("saved"));
    }
}

#[test]
fn what_has_ended_stays_ended_when_a_run_goes_on() {
    let (_first, whole) = folder();
    let (_second, out) = folder();
    let (code, _, stderr) = run(AUTOENCODERS, &whole, &[]);
    assert_eq!(code, 1, "{stderr}");
    let (code, _, stderr) = run(AUTOENCODERS, &out, &["--set", "training.epochs=2"]);
    assert_eq!(code, 1, "{stderr}");
    let folder = out.display().to_string();
    let longer = ["resume", &folder, "--plain", "--set", "training.epochs=3"];
    let (code, stdout, stderr) = transcript(&longer);
    assert_eq!(code, 1, "{stderr}");
    assert!(
        stderr.contains("error: 2 of 4 models ended early:"),
        "{stderr}"
    );
    assert!(!stdout.contains("epoch 3/3  wild"), "{stdout}");
    let files = [
        "results.json",
        "metrics.jsonl",
        "metrics.csv",
        "weights.safetensors",
        "curves.svg",
        "units.png",
        "units-shared-scale.png",
    ];
    assert_same_files(&whole, &out, files);
    assert_whole(&out);
}

#[test]
fn classifiers_end_alone_in_their_pretraining_and_in_their_training() {
    let (_parent, out) = folder();
    let (code, stdout, stderr) = run(CLASSIFIERS, &out, &[]);
    assert_eq!(code, 1, "{stderr}");
    assert!(
        stderr.contains("error: 4 of 6 models ended early:\n  early, seed 3 ended in epoch "),
        "{stderr}"
    );
    assert!(
        stderr.contains(" of the pretraining of layer 1: the pretraining cost became "),
        "{stderr}"
    );
    assert!(
        stderr.contains("\n  late, seed 4 ended in epoch 1: the training cost became NaN\n"),
        "{stderr}"
    );
    assert!(
        stdout.contains("\nearly  ended early  784 → 12 → 10 → 10; "),
        "{stdout}"
    );
    assert_eq!(of_condition(&out, "metrics.jsonl", "calm").len(), 6);
    assert!(of_condition(&out, "metrics.jsonl", "early").is_empty());
    assert_eq!(
        of_condition(&out, "metrics.jsonl", "late").len(),
        2,
        "their starts"
    );

    let results = results(&out);
    let comparison: Comparison = results.of_run("accuracy").expect("of classifiers");
    let seeds: Vec<usize> = comparison
        .conditions
        .iter()
        .map(|condition| condition.seeds)
        .collect();
    assert_eq!(seeds, [2, 0, 0]);
    assert!(
        comparison
            .differences
            .iter()
            .all(|difference| difference.by_epoch.is_empty())
    );
    assert_eq!(results.ended.len(), 4);
    assert!(
        results
            .ended
            .iter()
            .all(|ended| ended.stage == Some(1) || ended.member.condition == "late")
    );
    let page = read(&out, "index.html");
    assert!(page.contains("None of the 2 seeds of early was trained to its end: all ended early."));
    assert_whole(&out);
}

/// As on a GPU, where all members are one model: no operation mixes them.
#[test]
fn in_one_batched_model_the_numbers_of_the_others_are_untouched() {
    let setting = AutoencoderTraining {
        autoencoder: AutoencoderSpec {
            hidden_units: 12,
            ..AutoencoderSpec::default()
        },
        sparsity: Sparsity::default(),
        training: TrainingSpec {
            epochs: 2,
            ..TrainingSpec::default()
        },
        ..AutoencoderTraining::default()
    };
    let batched = Backend {
        kind: Kind::Gpu,
        ..flex()
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist");
    let limits = Limits {
        train: Some(600),
        test: Some(100),
    };
    let data = data::load(&folder, limits).expect("it comes along");
    let run = |sparsity_weights: &[f64]| -> Outcome {
        let plan = plan(autoencoders(&setting, sparsity_weights), &[0]);
        let outcome = train(&plan, &data, &batched, 1);
        assert_eq!(outcome.ending, Ending::Complete);
        outcome
    };
    // β of the second member is infinite in single precision.
    let with = run(&[0.0, 1e39, 0.1]);
    assert_eq!(with.ended.len(), 1, "{:?}", with.ended);
    assert_eq!(with.ended[0].member.index, 1);
    let without = run(&[0.0, 0.1]);
    assert!(without.ended.is_empty());
    assert_eq!(with.members.len(), 2);
    for (one, other) in with.members.iter().zip(&without.members) {
        assert_eq!(one.member.condition, other.member.condition);
        for evidence in ["regimes", "dead_units"] {
            assert_eq!(one.evidence[evidence], other.evidence[evidence]);
        }
        // All of the last record but the position of its member.
        let last = |of: &MemberResults| {
            let mut record = of.evidence["curves"].clone();
            record["member"] = Value::Null;
            record
        };
        assert_eq!(last(one), last(other));
    }
}
