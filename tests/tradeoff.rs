//! Conditions with grids of their own, and what they come to at equally many active units: a whole run, its files and what
//! is promised of it.

mod common;

use std::fs;

use common::{assert_page_is_drawn_again, complete, folder, json, read, run, transcript};
use layerwise::evidence::promises::Kept;
use layerwise::evidence::quantities::Finding;
use layerwise::evidence::sparsity::Level;
use layerwise::results::Results;
use layerwise::run_dir::{Records, RunDir};
use layerwise::spec::ExperimentName;

const TINY: &str = r#"
experiment = "autoencoder"
[run]
seeds = [3, 4]
[data]
dir = "data/mnist"
train_images = 300
test_images = 60
[autoencoder]
hidden_units = 40
[training]
epochs = 3
learning_rate = 0.005
batch_size = 20
[conditions.weights]
grid."sparsity.weight" = [0.1, 3]
[conditions.targets]
sparsity.weight = 1
grid."sparsity.target" = [0.02, 0.3, 0.05]
[conditions.plain]
[report]
at_active_units = [15, 1000]
[[expect]]
that = "explained variance at L0 15"
at = { condition = "weights" }
within = [-5, 1]
source = "arithmetic"
[[expect]]
that = "explained variance at L0 15"
at = { condition = "weights" }
minus = { condition = "targets" }
over = "median"
value = 0
tolerance = 9
source = "arithmetic"
[[expect]]
that = "dead units at L0 1000"
at = { condition = "targets" }
within = [0, 40]
source = "there are no 1000 units"
[[expect]]
that = "active units"
at = { condition = "targets", "sparsity.target" = 0.3 }
within = [0, 40]
source = "there are no more units"
"#;

#[test]
#[expect(clippy::too_many_lines, reason = "one run, looked at from all sides")]
fn kinds_of_sparsity_are_compared_at_equally_many_active_units() {
    let (parent, out) = folder();
    let stdout = complete(TINY, &out, &[]);
    let dir = RunDir::open(&out).expect("a run");
    let records = Records::read(&dir, ExperimentName::Autoencoder).expect("records");
    let end = |condition: &str, seed: u64| {
        let of = |of: &&layerwise::results::EpochRecord| {
            of.epoch == 3 && of.condition == condition && of.seed == seed
        };
        let record = records.epochs.iter().find(of).expect("a record");
        let explained = record.explained_variance.expect("images vary");
        (record.active_units, explained)
    };
    let results: Results = serde_json::from_value(json(&out, "results.json")).expect("ours");
    let levels: Vec<Level> = results.of_run("sparsity").expect("it applies");
    let [level, beyond] = &levels[..] else {
        panic!("{levels:?}");
    };
    assert_eq!((level.active_units, beyond.active_units), (15, 1000));
    let names: Vec<&str> = level.groups.iter().map(|of| of.group.as_str()).collect();
    assert_eq!(names, ["weights", "targets"], "plain has one strength");
    for (seed, found) in &level.groups[0].explained_variance {
        let [weak, strong] = ["weights, β = 0.1", "weights, β = 3"].map(|of| end(of, *seed));
        assert!(strong.0 < 15.0 && weak.0 > 15.0, "{weak:?} {strong:?}");
        let share = (15.0 / strong.0).ln() / (weak.0 / strong.0).ln();
        let expected = strong.1 + share * (weak.1 - strong.1);
        let found = found.number().expect("it is between them");
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }
    let mut beyond = beyond.groups.iter().flat_map(|of| &of.explained_variance);
    assert!(beyond.all(|(_, of)| *of == Finding::Word("not reached".to_owned())));

    let kept: Vec<Kept> = results.of_run("promises").expect("there are promises");
    let told: Vec<(&str, &str, Option<bool>)> = kept
        .iter()
        .map(|of| (of.that.as_str(), of.here.as_str(), of.holds))
        .collect();
    assert_eq!(told[0].0, "explained variance at L0 15 of “weights”");
    assert_eq!(
        told[1].0,
        "explained variance at L0 15 of “weights” minus that of “targets”"
    );
    assert_eq!([told[0].2, told[1].2], [Some(true); 2], "{kept:?}");
    assert_eq!(
        told[2],
        ("dead units at L0 1000 of “targets”", "not reached", None)
    );
    assert_eq!(told[3].0, "active units of “targets, ρ = 0.3”");
    assert_eq!(told[3].2, Some(true));
    let differences = [3, 4].map(|seed| {
        let of = |at: usize| {
            let seeds = &level.groups[at].explained_variance;
            let found = seeds.iter().find(|(of, _)| *of == seed);
            found.and_then(|(_, of)| of.number()).expect("both seeds")
        };
        of(0) - of(1)
    });
    let median = f64::midpoint(differences[0], differences[1]);
    let here: f64 = kept[1].here.replace('−', "-").parse().expect("a number");
    assert!(
        (here - median).abs() < 1e-3 * median.abs(),
        "{here} {median}"
    );

    assert!(stdout.contains("explained variance at L0 15: "), "{stdout}");
    let page = read(&out, "index.html");
    for said in [
        "What sparsity costs",
        "a line for each of weights and targets.",
        "The strength of each condition that is nearest to 15 active units: medians over seeds",
        "partners (cosine ≥ 0.9), %",
        "sparsity-units.png",
        "the weights of the 25 units",
        "end-results-2.svg",
    ] {
        assert!(page.contains(said), "{said}");
    }
    // A table has a column for each key, and empty cells where a condition does not have it.
    let table = read(&out, "metrics.csv");
    assert!(
        table.starts_with("epoch,member,label,condition,seed,sparsity.weight,sparsity.target,")
    );
    assert!(table.contains(",\"weights, β = 3\",3,3,,"), "{table}");
    assert!(table.contains(",\"targets, ρ = 0.05\",4,,0.05,"), "{table}");
    assert!(table.contains(",plain,4,,,"), "{table}");
    assert_page_is_drawn_again(&out);

    // The config that the run keeps is the same run, on to more epochs too.
    let config = out.join("config.toml").display().to_string();
    let (code, stdout, stderr) = transcript(&["check", &config]);
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stdout.contains("conditions.targets.grid.\"sparsity.target\""),
        "{stdout}"
    );
    let (code, stdout, stderr) = run(TINY, &out, &["--continue"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("nothing to resume"), "{stdout}");
    let fewer = [
        "--continue",
        "--set",
        "conditions.weights.grid.sparsity.weight=[1]",
    ];
    let (code, _, stderr) = run(TINY, &out, &fewer);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("was [0.1, 3] and is [1]"), "{stderr}");

    let [one, into] = [&out, &parent.path().to_owned()].map(|path| path.display().to_string());
    let (code, _, stderr) = transcript(&["compare", &one, &one, "--out", &into]);
    assert_eq!(code, 0, "{stderr}");
    let table = fs::read_to_string(parent.path().join("compare.csv")).expect("a table");
    assert!(table.starts_with("run,condition,seed,sparsity.weight,sparsity.target,"));
    assert!(table.contains("\"targets, ρ = 0.05\",4,,0.05,"), "{table}");
}
