//! Quantities that are not defined for the data or the model at hand: they are said to be that, and the run goes on.

mod common;

use std::path::Path;

use common::{assert_page_is_drawn_again, complete, folder, json, read, write_pictures};
use serde_json::Value;

const FIGURE: &str = r#"
experiment = "autoencoder"
[data]
dir = "data/mnist"
train_images = 300
test_images = 100
[autoencoder]
hidden_units = 12
[grid]
"sparsity.weight" = [0, 0.1]
[training]
epochs = 2
"#;

const SCORES: [&str; 5] = [
    "kurtosis",
    "radius_of_gyration",
    "roughness",
    "digit_correlation",
    "label_purity",
];

/// What a run of `config` prints; it ends well, and is drawn again alike from its folder.
fn run(config: &str, out: &Path, set: &[&str]) -> String {
    let sets: Vec<&str> = set.iter().flat_map(|set| ["--set", *set]).collect();
    let stdout = complete(config, out, &sets);
    assert_page_is_drawn_again(out);
    stdout
}

/// What a piece of evidence measured on the first member.
fn of_first(out: &Path, evidence: &str) -> Value {
    json(out, "results.json")["members"][0]["evidence"][evidence].clone()
}

#[test]
fn one_test_image_has_no_explained_variance_and_ends_no_run() {
    let (_parent, out) = folder();
    run(FIGURE, &out, &["data.test_images=1"]);
    let metrics = read(&out, "metrics.jsonl");
    assert_eq!(metrics.lines().count(), 4);
    for line in metrics.lines() {
        let record: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(record["explained_variance"], Value::Null);
        assert!(record["test_reconstruction"].is_f64());
    }
    let table = read(&out, "metrics.csv");
    let mut lines = table.lines();
    let head: Vec<&str> = lines.next().expect("a head").split(',').collect();
    let column = head.iter().position(|name| *name == "explained_variance");
    let cells: Vec<&str> = lines.next().expect("a record").split(',').collect();
    assert_eq!(cells[column.expect("there is one")], "");
    let last = of_first(&out, "curves");
    assert_eq!(last.get("explained_variance"), Some(&Value::Null));
    let page = read(&out, "index.html");
    assert!(page.contains("The explained variance is not defined: the test images do not vary."));
    assert!(page.contains("<td>not defined</td>"));
    assert!(
        read(&out, "curves.svg")
            .contains(">Explained variance: the test images do not vary</text>")
    );
}

#[test]
fn without_a_live_unit_no_score_is_defined_and_no_regime_is_judged() {
    let (_parent, out) = folder();
    let stdout = run(
        FIGURE,
        &out,
        &["autoencoder.encoder_bias={ constant = -100 }"],
    );
    assert!(
        stdout.contains("β = 0: not judged (not defined: image correlation, kurtosis, radius of gyration, roughness; no unit is live)\n"),
        "{stdout}"
    );
    for member in json(&out, "results.json")["members"]
        .as_array()
        .expect("two")
    {
        let regimes = &member["evidence"]["regimes"];
        assert_eq!(regimes["regime"], "not_judged");
        assert_eq!(regimes["scores"]["dead_units"], 12);
        for score in SCORES {
            assert_eq!(regimes["scores"].get(score), Some(&Value::Null), "{score}");
        }
    }
    let page = read(&out, "index.html");
    assert!(page.contains("<strong>not judged</strong>"));
    assert!(page.contains("Not defined for β = 0 and β = 0.1: no unit is live."));
    assert!(!page.contains("nearest is"), "{page}");
}

#[test]
fn flat_pictures_correlate_with_nothing() {
    let (parent, out) = folder();
    let data = parent.path().join("flat");
    write_pictures(&data, [40, 6, 6], |_| 200, |at| (at % 3) as u8);
    let config = FIGURE
        .replace("data/mnist", &data.display().to_string())
        .replace("300", "40")
        .replace("100", "40");
    run(&config, &out, &["training.batch_size=10"]);
    let scores = &of_first(&out, "regimes")["scores"];
    assert_eq!(scores.get("digit_correlation"), Some(&Value::Null));
    let last = of_first(&out, "curves");
    assert_eq!(last.get("explained_variance"), Some(&Value::Null));
    assert!(scores["kurtosis"].is_f64(), "weights vary: {scores}");
    assert!(read(&out, "index.html").contains("Not defined for β = 0 and β = 0.1: no live unit"));
}

#[test]
fn weights_that_were_never_noise_cannot_be_noise_looking() {
    let (_parent, out) = folder();
    let config = FIGURE.replace("[grid]\n\"sparsity.weight\" = [0, 0.1]\n", "")
        + "[conditions.even]\nautoencoder.encoder_weight = { constant = 0.01 }\n";
    let stdout = run(&config, &out, &["run.seeds=[0]"]);
    assert!(
        stdout.contains("noise-looking not defined, as the initial weights do not vary\n"),
        "{stdout}"
    );
    let counts = of_first(&out, "dead_units");
    assert_eq!(counts.get("noise_looking"), Some(&Value::Null));
    assert!(read(&out, "index.html").contains("<td>not defined</td>"));
}

#[test]
fn a_sigmoid_unit_is_dead_if_its_output_does_not_vary() {
    let (_parent, out) = folder();
    let saturated = [
        "autoencoder.activation=sigmoid",
        "autoencoder.encoder_bias={ constant = 90 }",
    ];
    run(FIGURE, &out, &saturated);
    let scores = &of_first(&out, "regimes")["scores"];
    assert_eq!(
        (&scores["dead_units"], &scores["live_units"]),
        (&Value::from(12), &Value::from(0))
    );
    let (_parent, out) = folder();
    run(FIGURE, &out, &["autoencoder.activation=tanh"]);
    let scores = &of_first(&out, "regimes")["scores"];
    assert_eq!(scores["dead_units"], 0, "below 0 is not dead");
    assert!(read(&out, "index.html").contains(
        "Dead: a ramp unit that is above 0 for none of the test images; a unit of another activation whose output varies over the test images by no more than 0.000001."
    ));
}
