//! This program against JAX and `PyTorch` on the same work, in turn, on the same cores.
//!
//! ```sh
//! python3 -m venv peers && peers/bin/pip install -r benches/peers/requirements.txt
//! PYTHON=peers/bin/python cargo bench --profile dev --bench peers -- figure 5
//! PYTHON=peers/bin/python cargo bench --profile dev --bench peers -- pretraining 1
//! ```
//!
//! The number is how often each is run; parts of names behind it choose among the peers. All start from the same weights
//! and see the same batches, written to a folder that the scripts in `benches/peers` read; their curves are held
//! against ours.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use burn::tensor::Device;
use layerwise::config::{self, Overrides};
use layerwise::experiment::{members, named_parameters};
use layerwise::model::{Autoencoder, Classifier, parameters};
use layerwise::seed::epoch_order;
use layerwise::spec::{Model, Plan};
use layerwise::weights::Weights;
use serde_json::Value;

const IMAGES: usize = 60_000;

/// A peer's script in one of its forms.
struct Peer {
    name: &'static str,
    script: &'static str,
    form: &'static str,
}

const FIGURE: &[Peer] = &[
    peer("JAX, two processes", "figure56_jax.py", "split"),
    peer("JAX, members joint", "figure56_jax.py", "joint"),
    peer("JAX, one after the other", "figure56_jax.py", "sequential"),
    peer("PyTorch, two processes", "figure56_torch.py", "split"),
    peer(
        "PyTorch, one after the other",
        "figure56_torch.py",
        "sequential",
    ),
    peer("PyTorch, compiled", "figure56_torch.py", "compiled"),
];

const PRETRAINING: &[Peer] = &[
    peer("JAX, two processes", "pretraining_jax.py", "split"),
    peer("JAX, seeds joint", "pretraining_jax.py", "joint"),
    peer("PyTorch, two processes", "pretraining_torch.py", "split"),
];

const fn peer(name: &'static str, script: &'static str, form: &'static str) -> Peer {
    Peer { name, script, form }
}

/// Curves by condition and seed, each by what it tells, over epochs.
type Curves = BTreeMap<String, BTreeMap<String, Vec<f64>>>;

fn main() -> ExitCode {
    let mut words = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"));
    let what = words.next().unwrap_or_default();
    let runs: usize = words.next().and_then(|word| word.parse().ok()).unwrap_or(3);
    let (config, peers) = match what.as_str() {
        "figure" => ("configs/figure56.toml", FIGURE),
        "pretraining" => ("configs/pretraining.toml", PRETRAINING),
        _ => {
            eprintln!(
                "usage: cargo bench --profile dev --bench peers -- figure|pretraining [RUNS]"
            );
            return ExitCode::from(2);
        }
    };
    let wanted: Vec<String> = words.collect();
    let peers: Vec<&Peer> = peers
        .iter()
        .filter(|peer| wanted.is_empty() || wanted.iter().any(|part| peer.name.contains(part)))
        .collect();
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let place = tempfile::tempdir().expect("a temporary folder");
    let start = place.path().join("start");
    write_start(config, &start);

    let mut seconds: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    let mut agreed = true;
    for run in 0..runs {
        let out = place.path().join(format!("ours-{run}"));
        let mut ours = Command::new(env!("CARGO_BIN_EXE_layerwise"));
        ours.args([config, "--plain", "--out"]).arg(&out);
        seconds.entry(0).or_default().push(timed(&mut ours));
        let reference = our_curves(&out);
        for (at, peer) in peers.iter().enumerate() {
            let out = place.path().join(format!("peer-{at}-{run}"));
            let mut theirs = Command::new(&python);
            theirs.arg(Path::new("benches/peers").join(peer.script));
            theirs
                .arg(&start)
                .args(["--form", peer.form, "--out"])
                .arg(&out);
            seconds.entry(at + 1).or_default().push(timed(&mut theirs));
            agreed &= agrees(peer.name, &reference, &their_curves(&out));
        }
    }
    report(&seconds, &peers);
    if agreed {
        ExitCode::SUCCESS
    } else {
        eprintln!("not the same work: the times say nothing");
        ExitCode::FAILURE
    }
}

/// Seconds from the start of the process to its end, files written.
fn timed(command: &mut Command) -> f64 {
    let start = Instant::now();
    let status = command.stdout(Stdio::null()).status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "{command:?} failed"
    );
    start.elapsed().as_secs_f64()
}

/// Median, smallest and largest of each, and ours as a ratio of theirs, run by run.
fn report(seconds: &BTreeMap<usize, Vec<f64>>, peers: &[&Peer]) {
    let ours = &seconds[&0];
    println!("| | seconds | ours / theirs |\n|---|---|---|");
    println!("| layerwise | {} | |", spread(ours.clone()));
    for (at, peer) in peers.iter().enumerate() {
        let theirs = &seconds[&(at + 1)];
        let ratios = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs);
        println!(
            "| {} | {} | {} |",
            peer.name,
            spread(theirs.clone()),
            spread(ratios.collect())
        );
    }
}

fn spread(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    let median = values[values.len() / 2];
    format!(
        "{median:.2} ({:.2} – {:.2})",
        values[0],
        values[values.len() - 1]
    )
}

/// What the peers begin with: our initial weights, and the order of images in every epoch.
fn write_start(file: &str, start: &Path) {
    let plan = config::load(Path::new(file), &Overrides::default())
        .expect("the project's own configs hold")
        .plan;
    let (weights, epochs) = beginning(&plan);
    fs::create_dir_all(start).expect("a temporary folder can be written to");
    let bytes = weights
        .to_safetensors("initial weights")
        .expect("names and shapes are sound");
    fs::write(start.join("weights.safetensors"), bytes).expect("room for the weights");
    for (stage, epochs) in epochs.into_iter().enumerate() {
        for epoch in 0..epochs {
            let rows = epoch_order(plan.run.order_seed, stage as u64, epoch as u64, IMAGES);
            let bytes: Vec<u8> = rows.into_iter().flat_map(u32::to_le_bytes).collect();
            let name = format!("order-{stage}-{epoch}.u32");
            fs::write(start.join(name), bytes).expect("room for an order");
        }
    }
}

/// The weights before any training, named as a run's, and the epochs of each stage.
fn beginning(plan: &Plan) -> (Weights, Vec<usize>) {
    let device = Device::flex();
    let mut weights = Weights::default();
    let mut epochs = vec![0; 16];
    for member in &members(plan) {
        let condition = plan.condition(&member.condition).expect("a member's own");
        let seeds = [member.seed];
        let drawn = match &condition.model {
            Model::Autoencoder(of) => parameters(&Autoencoder::new(
                &of.autoencoder,
                &of.sparsity,
                784,
                0,
                &seeds,
                &device,
            )),
            Model::Classifier(of) => {
                named_parameters(&Classifier::new(&of.classifier, 784, 10, &seeds, &device))
            }
            Model::DeepAutoencoder(_) => unreachable!("no peer trains one here"),
        };
        for (name, shape, values) in drawn {
            weights.insert_members(std::slice::from_ref(member), &name, shape, &values);
        }
        epochs[0] = condition.training().epochs;
        for (stage, spec) in condition.stages().iter().enumerate() {
            epochs[stage + 1] = spec.training.epochs;
        }
    }
    (weights, epochs)
}

/// What our run folder tells.
fn our_curves(out: &Path) -> Curves {
    let text = fs::read_to_string(out.join("metrics.jsonl")).expect("every run writes it");
    let mut curves = Curves::new();
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    for line in lines.filter(|line| line["epoch"] != 0) {
        let is_figure = line["reconstruction"].is_number();
        let condition = line["condition"].as_str().unwrap_or("");
        let name = format!("{condition}/seed {}", line["seed"]);
        let curve = curves.entry(name).or_default();
        let mut keep = |key: &str, value: &Value| {
            if let Some(value) = value.as_f64() {
                curve.entry(key.to_owned()).or_default().push(value);
            }
        };
        if is_figure {
            keep("train", &line["reconstruction"]);
            keep("test", &line["test_reconstruction"]);
        } else {
            keep("train", &line["cost"]);
            keep("accuracy", &line["test_accuracy"]);
        }
    }
    curves
}

/// What the lanes of a peer wrote, together: a member that was handed over has its later epochs from the second lane.
fn their_curves(out: &Path) -> Curves {
    let mut curves = Curves::new();
    for lane in 0..2 {
        let file: PathBuf = out.join(format!("curves-{lane}.json"));
        let Ok(text) = fs::read_to_string(file) else {
            continue;
        };
        let part: Curves = serde_json::from_str(&text).expect("curves by name");
        for (name, of_name) in part {
            for (key, values) in of_name {
                curves
                    .entry(name.clone())
                    .or_default()
                    .entry(key)
                    .or_default()
                    .extend(values);
            }
        }
    }
    curves
}

/// Whether the work was the same. Training costs of the first epoch must agree to a tenth of a percent: where only
/// rounding differs they agree to millionths, but at β = 3 the fate of a unit can hang on rounding, which is worth four
/// hundredths of a percent. Nets of fifteen layers double a difference in a few steps; of them, as of all classifiers,
/// the accuracy at the end must be the same within one point.
fn agrees(name: &str, ours: &Curves, theirs: &Curves) -> bool {
    let (mut cost, mut accuracy) = (0.0_f64, 0.0_f64);
    for (member, ours) in ours {
        let theirs = &theirs[member];
        let is_deep = member.starts_with('C') || member.starts_with('D');
        if !is_deep {
            cost = cost.max((ours["train"][0] - theirs["train"][0]).abs() / ours["train"][0]);
        }
        if let (Some(ours), Some(theirs)) = (ours.get("accuracy"), theirs.get("accuracy")) {
            let last = ours.last().zip(theirs.last());
            accuracy = accuracy.max(last.map_or(1.0, |(ours, theirs)| (ours - theirs).abs()));
        }
    }
    println!(
        "{name}: training costs differ by {cost:.1e} in the first epoch, final accuracies by {:.2} points",
        100.0 * accuracy
    );
    cost < 1e-3 && accuracy < 0.01
}
