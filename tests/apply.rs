//! Trained models put to use: codes, reconstructions, classes, what excites a unit, and files for other tools.

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use common::models::{bits_of, flex};
use common::{bytes, complete, folder, json, layerwise, manifest, transcript, written};
use layerwise::apply::inputs::Reading;
use layerwise::apply::{Network, Output, Trained};
use layerwise::config::{self, Overrides};
use layerwise::data::{self, Limits};
use layerwise::experiment::{self, Examples, Models, PROBE_IMAGES, Setting};
use layerwise::model::numbers;
use layerwise::results::Member;
use layerwise::spec::Model;
use layerwise::train::{EVALUATION_BATCH, Stop, encode_all};
use npyz::{NpyFile, WriterBuilder};
use safetensors::SafeTensors;

const DIGITS: &str = "data/mnist/t10k-images-idx3-ubyte.gz";

const DATA: &str = "
[data]
dir = \"data/mnist\"
train_images = 600
test_images = 1100
[training]
epochs = 1
";

/// Every activation, tied and not, and a decoder that ends in a sigmoid.
fn autoencoders() -> String {
    format!(
        "experiment = \"autoencoder\"{DATA}
[autoencoder]
hidden_units = 12
[grid]
\"autoencoder.activation\" = [\"relu\", \"prelu\", {{ leaky_relu = {{ slope = 0.1 }} }}, \"sigmoid\", \"tanh\", \"identity\"]
\"autoencoder.decoder\" = [\"tied\", \"untied\"]
\"autoencoder.decoder_activation\" = [\"identity\", \"sigmoid\"]
"
    )
}

/// Every kind of sparsity on dictionaries of today.
fn sparse() -> String {
    format!(
        "experiment = \"autoencoder\"{DATA}
[autoencoder]
hidden_units = 12
decoder = {{ untied = {{ unit_norm = true, transposed_start = true }} }}
decoder_bias = \"data_mean\"
subtract_decoder_bias = true
[conditions.None]
sparsity.kind = \"none\"
[conditions.L1]
sparsity.kind = \"l1\"
[conditions.TopK]
sparsity = {{ kind = \"topk\", k = 3 }}
[conditions.BatchTopK]
sparsity = {{ kind = \"batch_topk\", k = 3 }}
[conditions.JumpReLU]
sparsity = {{ kind = \"jump_relu\", threshold = 0.5 }}
[conditions.leaky]
autoencoder.activation = {{ leaky_relu = {{ slope = 0.1 }} }}
sparsity = {{ kind = \"topk\", k = 8 }}
"
    )
}

/// No hidden layer, one, and three that are pretrained.
fn classifiers(seeds: &str) -> String {
    format!(
        "experiment = \"classifier\"{DATA}
[run]
seeds = {seeds}
[network]
weight = {{ normal_variance = \"1/fan_in\" }}
[conditions.none]
[conditions.one]
network.hidden_units = [20]
network.activation = \"prelu\"
[conditions.deep]
network.hidden_units = [20, 15, 10]
pretraining.layers = \"all\"
pretraining.epochs = 1
"
    )
}

/// Three layers down to a code of two units, and back.
fn deep_autoencoder() -> String {
    format!(
        "experiment = \"deep_autoencoder\"{DATA}
[network]
hidden_units = [20, 10, 2]
[pretraining]
layers = 2
epochs = 1
"
    )
}

/// What each model's own training makes of the test images at its end: bits by the model's label and what they are.
type Bits = BTreeMap<String, Vec<u32>>;

/// Trains the plan of a config without the program around it, and evaluates as training does.
fn evaluated(config: &str) -> Bits {
    let plan = config::parse(config, Path::new("mine.toml"), &Overrides::default());
    let plan = plan.expect("a config").plan;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let limits = Limits {
        train: Some(600),
        test: Some(1100),
    };
    let data = data::load(&root.join("data/mnist"), limits).expect("it is shipped");
    let backend = flex();
    let found = Mutex::new(Bits::new());
    let keep = |name: String, values: &[f32]| {
        let mut found = found.lock().expect("nobody panics");
        found.entry(name).or_default().extend(bits_of(values));
    };
    let setting = Setting {
        data: &data,
        examples: &Examples::new(&data, &backend.device),
        backend: &backend,
        lanes: 2,
        order_seed: plan.run.order_seed,
        observer: &(),
        probe_images: PROBE_IMAGES,
        stop: &Stop::default(),
        shelf: &(),
        only: None,
        measure: &|trained| {
            let label = &trained.members[0].label;
            let images = &trained.examples.test.images;
            match &trained.models {
                Models::Autoencoders { trainee, .. } => {
                    let model = trainee.model();
                    encode_all(
                        |x| model.encode(x),
                        images,
                        |h| {
                            keep(format!("{label}: layer 1"), &numbers(h));
                        },
                    );
                }
                Models::Classifiers { model, .. } => {
                    for batch in images.parts(EVALUATION_BATCH) {
                        for (at, h) in model.activations(&batch).into_iter().enumerate() {
                            keep(format!("{label}: layer {}", at + 1), &numbers(h));
                        }
                        keep(format!("{label}: classes"), &numbers(model.forward(&batch)));
                    }
                }
                Models::DeepAutoencoders { trainee, .. } => {
                    let model = trainee.model();
                    let code = |x: &_| model.encode(x);
                    encode_all(code, images, |h| {
                        keep(format!("{label}: code"), &numbers(h));
                    });
                }
            }
            Vec::new()
        },
    };
    experiment::run(&plan, &setting).expect("it starts from nothing");
    found.into_inner().expect("nobody panics")
}

/// The same from the run's folder, and of the first 1100 of all test images, read from a file of their own.
fn applied(out: &Path) -> [Bits; 2] {
    let mut found = [Bits::new(), Bits::new()];
    for member in Trained::members(out).expect("a run") {
        let trained = Trained::open(out, Some(&member.label)).expect("a model");
        let own = trained.own(false).expect("where they were");
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(DIGITS);
        let file = trained.read(&file, &Reading::default()).expect("digits");
        let layers = (1..=trained.hidden().len())
            .map(|layer| (format!("layer {layer}"), Output::Codes(Some(layer))));
        let classes = matches!(trained.network, Network::Classifier(_))
            .then_some(("classes".to_owned(), Output::Probabilities));
        for (what, output) in layers.chain(classes) {
            let width = trained.width(output).expect("it has that");
            for (found, images) in found.iter_mut().zip([&own.images, &file.images]) {
                let mut bits = Vec::new();
                let all = trained.each(images, output, |rows| {
                    bits.extend(bits_of(rows));
                    Ok(())
                });
                all.expect("nothing is written");
                bits.truncate(1100 * width);
                found.insert(format!("{}: {what}", member.label), bits);
            }
        }
    }
    found
}

#[test]
fn codes_and_classes_are_those_of_training_s_own_evaluation_bit_for_bit() {
    for config in [autoencoders(), sparse(), classifiers("[3]")] {
        let (_parent, out) = folder();
        complete(&config, &out, &[]);
        let expected = evaluated(&config);
        let [own, file] = applied(&out);
        assert_eq!(
            own.keys().collect::<Vec<_>>(),
            expected.keys().collect::<Vec<_>>()
        );
        assert!(own.len() >= 6);
        for (name, bits) in &expected {
            assert!(!bits.is_empty() && own[name] == *bits, "{name}, own data");
            assert!(file[name] == *bits, "{name}, a file");
        }
    }
}

/// The array of an `.npy` file.
fn array(path: &Path) -> ([usize; 2], Vec<f32>) {
    let file = fs::read(path).expect("it was written");
    let npy = NpyFile::new(file.as_slice()).expect("an array");
    let shape = [npy.shape()[0] as usize, npy.shape()[1] as usize];
    (shape, npy.into_vec().expect("of f32"))
}

/// Exit code 0, and what was printed.
fn done(args: &[&str]) -> (String, String) {
    let (code, stdout, stderr) = transcript(args);
    assert_eq!(code, 0, "{args:?}: {stderr}");
    (stdout, stderr)
}

/// A run of two small autoencoders, β = 0 and β = 3.
fn two_autoencoders() -> (tempfile::TempDir, PathBuf) {
    let (parent, out) = folder();
    let config = format!(
        "experiment = \"autoencoder\"{DATA}
[autoencoder]
hidden_units = 12
[grid]
\"sparsity.weight\" = [0, 3]
"
    );
    complete(&config, &out, &[]);
    (parent, out)
}

#[test]
fn codes_are_the_same_in_every_format_and_on_stdout() {
    let (parent, out) = two_autoencoders();
    let run = out.display().to_string();
    let at = |name: &str| parent.path().join(name);
    let encode = |more: &[&str]| {
        let args = ["encode", &run, DIGITS, "--model", "β = 3"];
        done(&[&args, more].concat())
    };
    let (csv, _) = encode(&[]);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 10_001);
    assert!(lines[0].starts_with("input,unit 0,unit 1,"), "{}", lines[0]);
    let values: Vec<f32> = lines[1..]
        .iter()
        .flat_map(|line| line.split(',').skip(1))
        .map(|cell| cell.parse().expect("a number"))
        .collect();
    for name in ["codes.npy", "codes.safetensors", "codes.csv"] {
        let path = at(name).display().to_string();
        let (stdout, stderr) = encode(&["-o", &path]);
        assert_eq!((stdout.as_str(), stderr), ("", format!("wrote {path}\n")));
    }
    let (shape, npy) = array(&at("codes.npy"));
    assert_eq!((shape, bits_of(&npy)), ([10_000, 12], bits_of(&values)));
    assert_eq!(fs::read_to_string(at("codes.csv")).expect("text"), csv);
    let tensors = fs::read(at("codes.safetensors")).expect("there");
    let tensors = SafeTensors::deserialize(&tensors).expect("tensors");
    let codes = tensors.tensor("codes").expect("its name");
    let numbers = codes
        .data()
        .chunks_exact(4)
        .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    assert!(numbers.eq(bits_of(&values)));
}

#[test]
fn reconstructions_have_the_error_that_the_run_found() {
    let (parent, out) = two_autoencoders();
    let run = out.display().to_string();
    let trained = Trained::open(&out, Some("β = 0")).expect("a model");
    let own = trained.own(false).expect("where they were").images;
    let mut sum = 0.0_f64;
    let mut at = 0;
    let all = trained.each(&own, Output::Reconstructions, |rows| {
        for row in rows.chunks_exact(784) {
            let squares = own
                .row(at)
                .into_iter()
                .zip(row)
                .map(|(x, y)| f64::from(x - y).powi(2));
            sum += 0.5 * squares.sum::<f64>();
            at += 1;
        }
        Ok(())
    });
    all.expect("nothing is written");
    let found = sum / 1100.0;
    let metrics = common::read(&out, "metrics.jsonl");
    let first = metrics.lines().next().expect("a record");
    let first: serde_json::Value = serde_json::from_str(first).expect("JSON");
    assert_eq!(first["condition"], "β = 0");
    let expected = first["test_reconstruction"].as_f64().expect("a number");
    assert!((found / expected - 1.0).abs() < 1e-5, "{found} {expected}");

    let png = parent.path().join("pairs.png").display().to_string();
    let args = ["reconstruct", &run, DIGITS, "--model", "β = 0", "-o", &png];
    let (_, stderr) = done(&args);
    assert_eq!(
        stderr,
        format!(
            "wrote {png}\nnote: the sheet shows the first 100 of 10000 inputs; a .npy file has room for all\n"
        )
    );
    let picture = image::open(&png).expect("a PNG").to_luma8();
    // The first digit at three pixels for one, under a line of 18 below a margin of 20.
    let digit = own.row(0);
    for (row, column) in [(7, 6), (14, 14), (20, 12), (0, 0)] {
        let shade = picture.get_pixel(20 + 3 * column as u32 + 1, 38 + 3 * row as u32 + 1);
        let expected = (255.0 * digit[28 * row + column]).round() as u8;
        assert_eq!(shade.0[0], expected, "{row} {column}");
    }
    let npy = parent.path().join("all.npy");
    done(&[
        "reconstruct",
        &run,
        DIGITS,
        "--model",
        "β = 0",
        "-o",
        &npy.display().to_string(),
    ]);
    assert_eq!(array(&npy).0, [10_000, 784]);
}

#[test]
fn classes_are_right_as_often_as_the_run_says() {
    let (_parent, out) = folder();
    complete(&classifiers("[3]"), &out, &[]);
    let run = out.display().to_string();
    let labels = labels_of_digits();
    for model in ["none", "one", "deep"] {
        let (csv, _) = done(&["predict", &run, DIGITS, "--model", model]);
        let mut lines = csv.lines();
        let head = lines.next().expect("a head");
        assert!(head.starts_with("input,class,probability of 0,"), "{head}");
        let classes = lines.map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            let sum: f32 = cells[2..]
                .iter()
                .map(|cell| cell.parse::<f32>().expect("a number"))
                .sum();
            assert!((sum - 1.0).abs() < 1e-5, "{line}");
            cells[1].parse::<u8>().expect("a class")
        });
        let right = classes
            .zip(&labels)
            .take(1100)
            .filter(|(class, label)| class == *label)
            .count();
        let metrics = common::read(&out, "metrics.jsonl");
        let mut records = metrics
            .lines()
            .rev()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
        let record = records.find(|record| record["condition"] == model);
        let record = record.expect("one");
        assert_eq!(
            record["test_accuracy"].as_f64(),
            Some(right as f64 / 1100.0),
            "{model}"
        );
    }
}

/// The classes of MNIST's test images.
fn labels_of_digits() -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let data = data::load(&root.join("data/mnist"), Limits::default()).expect("it is shipped");
    data.test.labels.expect("with labels")
}

#[test]
fn the_inputs_that_excite_a_unit_most_are_those_with_the_largest_codes() {
    let (parent, out) = two_autoencoders();
    let run = out.display().to_string();
    let trained = Trained::open(&out, Some("β = 3")).expect("a model");
    let own = trained.own(false).expect("where they were");
    let mut codes = Vec::new();
    let all = trained.each(&own.images, Output::Codes(None), |rows| {
        codes.extend_from_slice(rows);
        Ok(())
    });
    all.expect("nothing is written");
    let (csv, _) = done(&["top", &run, "--model", "β = 3", "-n", "4"]);
    let labels = own.labels.expect("digits");
    let mut expected = "unit,rank,input,label,activation\n".to_owned();
    for unit in 0..12 {
        let mut ranked: Vec<(usize, f32)> =
            (0..1100).map(|at| (at, codes[12 * at + unit])).collect();
        ranked.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
        for (rank, (at, activation)) in ranked.iter().take(4).filter(|of| of.1 != 0.0).enumerate() {
            let label = labels[*at];
            writeln!(expected, "{unit},{},{at},{label},{activation}", rank + 1).expect("a String");
        }
    }
    assert_eq!(csv, expected);
    let png = parent.path().join("top.png").display().to_string();
    let (_, stderr) = done(&["top", &run, "--model", "β = 0", "--train", "-o", &png]);
    assert_eq!(stderr, format!("wrote {png}\n"));
    let sheet = image::open(&png).expect("a PNG");
    assert!(
        sheet.width() > 1600 && sheet.height() > 800,
        "{}×{}",
        sheet.width(),
        sheet.height()
    );
}

#[test]
fn a_moved_run_is_as_good_as_before() {
    let (parent, out) = two_autoencoders();
    let (before, _) = done(&[
        "encode",
        &out.display().to_string(),
        DIGITS,
        "--model",
        "β = 3",
    ]);
    let moved = parent.path().join("elsewhere/else");
    fs::create_dir_all(moved.parent().expect("a parent")).expect("room");
    fs::rename(&out, &moved).expect("it moves");
    let run = moved.display().to_string();
    let (after, _) = done(&["encode", &run, DIGITS, "--model", "β = 3"]);
    assert_eq!(before, after);
    let (stdout, _) = done(&["resume", &run]);
    assert_eq!(stdout, format!("{run} is finished; nothing to resume\n"));
    done(&["report", &run]);
    let side_by_side = parent.path().join("compared").display().to_string();
    done(&["compare", &run, "--out", &side_by_side]);
    done(&["top", &run, "--model", "β = 3"]);
    let (stdout, _) = done(&["resume", &run, "--set", "training.epochs=2", "--quiet"]);
    assert_eq!(stdout, "");
    assert_eq!(manifest(&moved)["status"], "complete");
}

#[test]
#[cfg(target_os = "linux")]
fn readers_that_go_away_are_no_failure_and_full_disks_are() {
    let (_parent, out) = two_autoencoders();
    let encode = |stdout: Stdio| {
        layerwise()
            .args([
                "encode",
                &out.display().to_string(),
                DIGITS,
                "--model",
                "β = 3",
            ])
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts")
    };
    let mut child = encode(Stdio::piped());
    drop(child.stdout.take());
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(
        (ended.status.code(), common::stderr_of(&ended).as_str()),
        (Some(0), "")
    );
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("Linux has it");
    let ended = encode(full.into()).wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(
        common::stderr_of(&ended),
        "error: cannot write to stdout: No space left on device (os error 28)\n  hint: make room, or send it somewhere \
         else\n"
    );
}

#[test]
fn stdin_is_an_input_too() {
    let (_parent, out) = two_autoencoders();
    let run = out.display().to_string();
    let args = ["encode", &run, "-", "--model", "β = 3"];
    let piped = layerwise()
        .args(args)
        .stdin(
            fs::File::open(Path::new(env!("CARGO_MANIFEST_DIR")).join(DIGITS))
                .expect("it is shipped"),
        )
        .output()
        .expect("it starts");
    let (named, _) = done(&["encode", &run, DIGITS, "--model", "β = 3"]);
    assert_eq!(String::from_utf8(piped.stdout).expect("text"), named);
}

/// The named arrays of a `.safetensors` file with their shapes.
fn tensors(path: &Path) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let file = fs::read(path).expect("it was written");
    let tensors = SafeTensors::deserialize(&file).expect("tensors");
    let read = tensors.iter().map(|(name, view)| {
        let numbers = view.data().chunks_exact(4);
        let numbers = numbers.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        (name.to_owned(), (view.shape().to_vec(), numbers.collect()))
    });
    read.collect()
}

fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..rows * columns)
        .map(|at| values[at % rows * columns + at / rows])
        .collect()
}

#[test]
fn exports_hold_the_weights_in_the_layouts_of_their_tools() {
    let (parent, out) = two_autoencoders();
    let run = out.display().to_string();
    let at = |name: &str| parent.path().join(name);
    let weights = common::weights(&out);
    let ours = |name: &str| {
        let name = format!("β = 3/seed 0/{name}");
        weights.get(&name).expect("it is saved").values.clone()
    };
    let export = |format: &str, name: &str| {
        let path = at(name).display().to_string();
        done(&[
            "export", &run, "--model", "β = 3", "--format", format, "-o", &path,
        ])
        .0
    };
    let python = export("pytorch", "model.safetensors");
    assert_eq!(python.lines().count(), 6, "{python}");
    let torch = tensors(&at("model.safetensors"));
    let names: Vec<&str> = torch.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "decoder.bias",
            "decoder.weight",
            "encoder.bias",
            "encoder.weight"
        ]
    );
    let (weight, bias) = (ours("encoder.weight"), ours("encoder.bias"));
    assert_eq!(
        torch["encoder.weight"],
        (vec![12, 784], transposed(&weight, 784, 12))
    );
    assert_eq!(torch["encoder.bias"], (vec![12], bias.clone()));
    // Tied: W̃ = Wᵀ, so nn.Linear's own layout of it is W.
    assert_eq!(torch["decoder.weight"], (vec![784, 12], weight.clone()));
    assert_eq!(torch["decoder.bias"], (vec![784], ours("decoder.bias")));

    export("sae-lens", "sae");
    let sae = tensors(&at("sae/sae_weights.safetensors"));
    assert_eq!(sae["W_enc"], (vec![784, 12], weight.clone()));
    assert_eq!(sae["W_dec"], (vec![12, 784], transposed(&weight, 784, 12)));
    assert_eq!(
        (&sae["b_enc"].1, &sae["b_dec"].1, sae.len()),
        (&bias, &ours("decoder.bias"), 4)
    );
    let config = json(&at("sae"), "cfg.json");
    assert_eq!(
        config,
        serde_json::json!({
            "architecture": "standard", "d_in": 784, "d_sae": 12, "dtype": "float32", "device": "cpu",
            "apply_b_dec_to_input": false, "normalize_activations": "none", "reshape_activations": "none",
            "metadata": { "sae_lens_version": "6.54.12", "sae_lens_training_version": null },
        })
    );

    export("npz", "model.npz");
    let first = bytes(parent.path(), "model.npz");
    let mut npz = npyz::npz::NpzArchive::open(at("model.npz")).expect("an archive");
    let mut names: Vec<String> = npz.array_names().map(str::to_owned).collect();
    names.sort();
    assert_eq!(
        names,
        [
            "decoder.bias",
            "decoder.weight",
            "encoder.bias",
            "encoder.weight"
        ]
    );
    let array = npz
        .by_name("encoder.weight")
        .expect("sound")
        .expect("there");
    assert_eq!(array.shape(), [784, 12]);
    assert_eq!(array.into_vec::<f32>().expect("numbers"), weight);
    export("npz", "model.npz");
    assert!(
        first == bytes(parent.path(), "model.npz"),
        "the same bytes every day"
    );
}

#[test]
fn sae_lens_is_told_what_stays_of_a_code() {
    let (parent, out) = folder();
    complete(&sparse(), &out, &[]);
    let weights = common::weights(&out);
    for (condition, architecture) in [
        ("None", "standard"),
        ("L1", "standard"),
        ("TopK", "topk"),
        ("BatchTopK", "jumprelu"),
        ("JumpReLU", "jumprelu"),
    ] {
        let sae = parent.path().join(condition);
        let (run, to) = (out.display().to_string(), sae.display().to_string());
        done(&[
            "export", &run, "--model", condition, "--format", "sae-lens", "-o", &to,
        ]);
        let config = json(&sae, "cfg.json");
        let said = |key: &str| config.get(key).cloned();
        assert_eq!(config["architecture"], architecture);
        assert_eq!(config["apply_b_dec_to_input"], true);
        let k = (condition == "TopK").then(|| 3.into());
        let rescaled = k.is_some().then(|| false.into());
        assert_eq!(
            (said("k"), said("rescale_acts_by_decoder_norm")),
            (k, rescaled)
        );
        let ours = |name: &str| {
            let found = weights.get(&format!("{condition}/seed 0/{name}"));
            found.expect("it is saved").values.clone()
        };
        let thresholds = match condition {
            "BatchTopK" => Some(vec![ours("threshold")[0]; 12]),
            "JumpReLU" => Some(ours("log_threshold").iter().map(|of| of.exp()).collect()),
            _ => None,
        };
        let tensors = tensors(&sae.join("sae_weights.safetensors"));
        let written = tensors.get("threshold").cloned();
        assert_eq!(written, thresholds.map(|of| (vec![12], of)), "{condition}");
    }
}

#[test]
fn what_sae_lens_cannot_hold_is_refused_with_the_reason() {
    let (parent, out) = folder();
    complete(&autoencoders(), &out, &[]);
    let run = out.display().to_string();
    let sae = parent.path().join("sae").display().to_string();
    let mut refused = Vec::new();
    for member in Trained::members(&out).expect("a run") {
        let args = [
            "export",
            &run,
            "--model",
            &member.label,
            "--format",
            "sae-lens",
            "-o",
            &sae,
        ];
        let (code, _, stderr) = transcript(&args);
        let is_ramp = member.label.starts_with("activation = relu,");
        let is_linear = member.label.ends_with("decoder activation = identity");
        assert_eq!(
            code,
            if is_ramp && is_linear { 0 } else { 2 },
            "{}: {stderr}",
            member.label
        );
        refused.extend((code == 2).then_some(stderr));
    }
    assert_eq!(refused.len(), 22);
    let reasons = ["its units are no ramps", "its decoder ends in a sigmoid"];
    assert!(
        refused
            .iter()
            .all(|text| reasons.iter().any(|reason| text.contains(reason)))
    );
}

/// The Python that a user has, or that `PYTHON` names, if it has these modules.
fn python(modules: &str) -> Option<String> {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let asked = Command::new(&python)
        .args(["-c", &format!("import {modules}")])
        .output();
    asked
        .is_ok_and(|asked| asked.status.success())
        .then_some(python)
}

fn assert_near(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = found
        .iter()
        .zip(expected)
        .map(|(one, other)| (one - other).abs())
        .fold(0.0, f32::max);
    assert!(largest < 1e-5, "{what}: {largest}");
}

/// Exports each model of a run for a tool, has Python load it with the printed lines and compute `wanted` of the first 50
/// test images, and compares with what we compute. How many models the tool has a form for.
fn agreeing(
    python: &str,
    config: &str,
    format: &str,
    wanted: impl Fn(&Network) -> Vec<(Output, &'static str)>,
) -> usize {
    let (parent, out) = folder();
    complete(config, &out, &[]);
    let run = out.display().to_string();
    let at = |name: &str| parent.path().join(name).display().to_string();
    let (mut script, mut expected) = (String::new(), Vec::new());
    for Member { index, label, .. } in Trained::members(&out).expect("a run") {
        let trained = Trained::open(&out, Some(&label)).expect("a model");
        let ending = if format == "pytorch" {
            "safetensors"
        } else {
            "npz"
        };
        let file = at(&format!("{index}.{ending}"));
        let args = [
            "export", &run, "--model", &label, "--format", format, "-o", &file,
        ];
        let (code, lines, stderr) = transcript(&args);
        if code == 2 {
            continue;
        }
        assert_eq!(code, 0, "{stderr}");
        let own = trained.own(false).expect("where they were");
        let images = own.images.part(0, 50);
        if script.is_empty() {
            let rows: Vec<String> = (0..50).map(|at| format!("{:?}", images.row(at))).collect();
            script = format!(
                "import numpy\ndigits = numpy.array([{}], \"float32\")\n",
                rows.join(", ")
            );
        }
        let x = if format == "npz" {
            "x = digits"
        } else {
            "x = torch.from_numpy(digits)"
        };
        for line in lines.lines() {
            let line = if line.starts_with("x = ") { x } else { line };
            writeln!(script, "{line}").expect("a String");
        }
        for (place, (output, result)) in wanted(&trained.network).into_iter().enumerate() {
            let mut numbers = Vec::new();
            let all = trained.each(&images, output, |rows| {
                numbers.extend_from_slice(rows);
                Ok(())
            });
            all.expect("nothing is written");
            let saved = at(&format!("{index}-{place}.npy"));
            writeln!(
                script,
                "numpy.save({saved:?}, numpy.array({result}, \"float32\"))"
            )
            .expect("a String");
            expected.push((format!("{label}: {output:?}"), saved, numbers));
        }
    }
    let file = at("script.py");
    fs::write(&file, script).expect("room");
    let ended = Command::new(python).arg(&file).output().expect("it starts");
    assert!(ended.status.success(), "{}", common::stderr_of(&ended));
    let mut models: Vec<&str> = Vec::new();
    for (what, saved, ours) in &expected {
        assert_near(&array(Path::new(saved)).1, ours, what);
        models.extend(what.split_once(": ").map(|(label, _)| label));
    }
    models.dedup();
    models.len()
}

#[test]
fn numpy_loads_an_export_with_the_printed_lines_and_computes_the_same_codes() {
    let Some(python) = python("numpy") else {
        println!("no Python with numpy: exports were not loaded");
        return;
    };
    for (config, models) in [(autoencoders(), 24), (sparse(), 6)] {
        let found = agreeing(&python, &config, "npz", |_| {
            vec![(Output::Codes(None), "h")]
        });
        assert_eq!(found, models);
    }
}

#[test]
fn pytorch_loads_an_export_with_the_printed_lines_and_computes_the_same() {
    let Some(python) = python("numpy, torch, safetensors.torch") else {
        println!("no Python with numpy, torch and safetensors: exports were not loaded");
        return;
    };
    for (config, models) in [
        (autoencoders(), 24),
        (sparse(), 6),
        (classifiers("[3]"), 3),
        (deep_autoencoder(), 1),
    ] {
        let found = agreeing(&python, &config, "pytorch", |network| match network {
            Network::Classifier(_) => vec![(Output::Probabilities, "model(x).softmax(1).detach()")],
            Network::Autoencoder(_) => vec![
                (Output::Reconstructions, "model(x).detach()"),
                (
                    Output::Codes(None),
                    "model[:list(parts).index(\"decoder\")](x).detach()",
                ),
            ],
            Network::DeepAutoencoder(_) => vec![
                (Output::Reconstructions, "model(x).detach()"),
                (Output::Codes(None), "model[:6](x).detach()"),
            ],
        });
        assert_eq!(found, models);
    }
}

#[test]
fn sae_lens_loads_exports_of_every_kind_and_computes_the_same() {
    let Some(python) = python("numpy, torch, sae_lens") else {
        println!("no Python with sae_lens: exports were not loaded");
        return;
    };
    // Tied and untied ramps with a linear decoder; and all kinds but the one whose units are no ramps.
    for (config, models) in [(autoencoders(), 2), (sparse(), 5)] {
        let found = agreeing(&python, &config, "sae-lens", |_| {
            vec![
                (Output::Codes(None), "sae.encode(x).detach()"),
                (Output::Reconstructions, "sae(x).detach()"),
            ]
        });
        assert_eq!(found, models);
    }
}

#[test]
fn a_model_that_was_not_trained_and_one_that_exploded_are_refused() {
    let (_parent, out) = folder();
    let config = format!(
        "experiment = \"autoencoder\"{DATA}learning_rate = 50\nbatch_size = 10\noptimizer = \"sgd\"\n"
    );
    let path = written(&out, &config);
    let args = [
        &path.display().to_string(),
        "--quiet",
        "--out",
        &out.display().to_string(),
    ];
    assert_eq!(transcript(&args).0, 1);
    let (code, _, stderr) = transcript(&["encode", &out.display().to_string(), DIGITS]);
    assert_eq!(code, 1);
    assert!(
        stderr.contains("holds numbers that are infinite or NaN"),
        "{stderr}"
    );
}

#[test]
fn a_library_can_ask_what_kind_a_model_is() {
    let (_parent, out) = folder();
    complete(&classifiers("[0, 1]"), &out, &[]);
    let trained = Trained::open(&out, Some("deep/seed 1")).expect("a model");
    assert_eq!(
        (trained.member.label.as_str(), trained.inputs()),
        ("deep, seed 1", 784)
    );
    assert_eq!(trained.hidden().len(), 3);
    assert!(matches!(
        trained.config.plan.conditions[2].model,
        Model::Classifier(_)
    ));
}

/// A picture of a thick ring, light on dark or dark on light, of any size.
fn ring(size: u32, light: u8, dark: u8) -> image::GrayImage {
    image::GrayImage::from_fn(size, size, |x, y| {
        let from_centre = |at: u32| f64::from(2 * at + 1) / f64::from(size) - 1.0;
        let radius = from_centre(x).hypot(from_centre(y));
        image::Luma([if (0.4..0.7).contains(&radius) {
            light
        } else {
            dark
        }])
    })
}

#[test]
fn pictures_of_another_kind_are_taken_with_a_word_or_a_flag() {
    let (parent, out) = two_autoencoders();
    let run = out.display().to_string();
    let at = |name: &str| parent.path().join(name).display().to_string();
    ring(28, 255, 0).save(at("ring.png")).expect("room");
    ring(28, 0, 255).save(at("paper.png")).expect("room");
    ring(280, 255, 0).save(at("large.png")).expect("room");
    let coloured = image::DynamicImage::from(ring(28, 255, 0)).to_rgb8();
    coloured.save(at("rgb.png")).expect("room");
    let encode = |input: &str, more: &[&str]| {
        let args = ["encode", &run, &at(input), "--model", "β = 3"];
        let (stdout, stderr) = done(&[&args, more].concat());
        let row = stdout.lines().nth(1).expect("a row").to_owned();
        let (name, codes) = row.split_once(',').expect("a name");
        assert_eq!(name, input);
        (codes.to_owned(), stderr)
    };
    let (codes, told) = encode("ring.png", &[]);
    assert_eq!(told, "");
    // Grey in three channels is grey.
    assert_eq!(encode("rgb.png", &[]), (codes.clone(), String::new()));
    let (other, told) = encode("paper.png", &[]);
    assert_ne!(other, codes);
    assert_eq!(
        told,
        "warning: paper.png has a light border, and the run's data have a dark one\n  hint: `--invert` takes white for \
         black and black for white\n"
    );
    assert_eq!(
        encode("paper.png", &["--invert"]),
        (codes.clone(), String::new())
    );
    let (resized, told) = encode("large.png", &["--fit", "resize"]);
    assert_eq!(told, "");
    let near = resized.split(',').zip(codes.split(','));
    for (one, other) in near {
        let [one, other] = [one, other].map(|cell| cell.parse::<f32>().expect("a number"));
        assert!((one - other).abs() < 0.5, "{one} {other}");
    }
    let folder = parent.path().join("pictures");
    fs::create_dir(&folder).expect("room");
    for name in ["b.png", "a.png"] {
        fs::copy(at("paper.png"), folder.join(name)).expect("room");
    }
    fs::copy(at("ring.png"), folder.join("c.png")).expect("room");
    let (csv, told) = done(&[
        "encode",
        &run,
        &folder.display().to_string(),
        "--model",
        "β = 3",
    ]);
    let names: Vec<&str> = csv
        .lines()
        .skip(1)
        .filter_map(|line| line.split(',').next())
        .collect();
    assert_eq!(names, ["a.png", "b.png", "c.png"]);
    assert!(
        told.starts_with(
            "warning: 2 of 3 inputs have, a.png first, a light border, and the run's data"
        ),
        "{told}"
    );
    let png = at("pairs.png");
    done(&[
        "reconstruct",
        &run,
        &at("ring.png"),
        "--model",
        "β = 3",
        "-o",
        &png,
    ]);
    assert!(image::open(&png).is_ok());
}

#[test]
fn activations_as_a_float_array_train_and_encode() {
    let parent = tempfile::tempdir().expect("a temporary folder");
    let data = parent.path().join("activations");
    fs::create_dir(&data).expect("room");
    let mut dice = common::Dice(1);
    let mut rows = |name: &str, count: u64| {
        let mut file = Vec::new();
        let options = npyz::WriteOptions::<f32>::new().default_dtype();
        let mut writer = options
            .shape(&[count, 30])
            .writer(&mut file)
            .begin_nd()
            .expect("memory");
        let numbers = (0..count * 30).map(|_| dice.below(1000) as f32 / 100.0 - 5.0);
        writer.extend(numbers).expect("memory");
        writer.finish().expect("memory");
        fs::write(data.join(name), file).expect("room");
    };
    rows("train.npy", 200);
    rows("test.npy", 40);
    let out = parent.path().join("run");
    let config = format!(
        "experiment = \"autoencoder\"\n[data]\ndir = {:?}\n[autoencoder]\nhidden_units = 8\n[training]\nepochs = 2\n",
        data.display().to_string()
    );
    complete(&config, &out, &[]);
    let run = out.display().to_string();
    let codes = parent.path().join("codes.npy");
    let test = data.join("test.npy").display().to_string();
    done(&["encode", &run, &test, "-o", &codes.display().to_string()]);
    assert_eq!(array(&codes).0, [40, 8]);
    let (csv, _) = done(&["top", &run, "-n", "2"]);
    assert!(
        csv.starts_with("unit,rank,input,label,activation\n0,1,"),
        "{csv}"
    );
    let (code, _, stderr) = transcript(&["top", &run, "-o", "top.png"]);
    assert_eq!(
        (code, stderr.as_str()),
        (
            2,
            "error: an input is 30 numbers, which make no picture\n  hint: write a .csv file\n"
        )
    );
}

#[test]
fn what_the_run_did_to_its_data_is_done_to_inputs_and_undone_in_reconstructions() {
    let (parent, out) = folder();
    let config = format!(
        "experiment = \"autoencoder\"{}
[autoencoder]
hidden_units = 12
",
        DATA.replace(
            "[training]",
            "transforms = [{ standardise = { over = \"all\" } }]\n[training]"
        )
    );
    complete(&config, &out, &[]);
    let run = out.display().to_string();
    let trained = Trained::open(&out, None).expect("a model");
    assert!(!trained.transforms.is_identity());
    // The same images by way of the run's own data, and of a file.
    let mut of_run = Vec::new();
    let own = trained.own(false).expect("where they were");
    let all = trained.each(&own.images, Output::Codes(None), |rows| {
        of_run.extend(bits_of(rows));
        Ok(())
    });
    all.expect("nothing is written");
    let at = |name: &str| parent.path().join(name);
    done(&[
        "encode",
        &run,
        DIGITS,
        "-o",
        &at("codes.npy").display().to_string(),
    ]);
    assert!(bits_of(&array(&at("codes.npy")).1)[..of_run.len()] == of_run);
    done(&[
        "reconstruct",
        &run,
        DIGITS,
        "-o",
        &at("back.npy").display().to_string(),
    ]);
    let (shape, back) = array(&at("back.npy"));
    assert_eq!(shape, [10_000, 784]);
    // In grey levels again: black pixels of all images are near 0, not at mean 0 and deviation 1.
    let mean =
        |values: &[f32]| values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64;
    let digits: Vec<f32> = (0..1100).flat_map(|at| own.raw.row(at)).collect();
    let (ours, theirs) = (mean(&back[..digits.len()]), mean(&digits));
    assert!((ours - theirs).abs() < 0.02, "{ours} {theirs}");
    let (code, _, stderr) = transcript(&[
        "export",
        &run,
        "--format",
        "sae-lens",
        "-o",
        &at("sae").display().to_string(),
    ]);
    assert_eq!(code, 2);
    assert!(
        stderr.contains("its inputs go through transforms (data.transforms)"),
        "{stderr}"
    );
    let model = at("model.npz").display().to_string();
    done(&["export", &run, "--format", "npz", "-o", &model]);
    let npz = npyz::npz::NpzArchive::open(&model).expect("an archive");
    assert!(
        npz.array_names()
            .any(|name| name.starts_with("transforms.01.standardise."))
    );
    let kept = out.join("transforms.safetensors");
    let mut bytes = fs::read(&kept).expect("there");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&kept, bytes).expect("room");
    let (code, _, stderr) = transcript(&["encode", &run, DIGITS]);
    assert_eq!(code, 1);
    assert!(
        stderr.contains("transforms.safetensors\" is not what this run wrote"),
        "{stderr}"
    );
}

#[test]
fn classes_that_are_folders_are_called_by_their_names() {
    let parent = tempfile::tempdir().expect("a temporary folder");
    let data = parent.path().join("shapes");
    for (class, light, dark) in [("dark", 40, 0), ("light", 255, 200)] {
        fs::create_dir_all(data.join(class)).expect("room");
        for at in 0..20_u8 {
            let picture = ring(10, light, dark + at);
            picture
                .save(data.join(class).join(format!("{at:02}.png")))
                .expect("room");
        }
    }
    let out = parent.path().join("run");
    let config = format!(
        "experiment = \"classifier\"\n[data]\ndir = {:?}\ntest_share = 0.2\n[run]\nseeds = [0]\n[training]\nepochs = 30\nbatch_size = 8\n",
        data.display().to_string()
    );
    complete(&config, &out, &[]);
    let run = out.display().to_string();
    let (csv, told) = done(&["predict", &run, &data.display().to_string()]);
    // Borders of both kinds: the data are neither clearly dark nor clearly light.
    assert_eq!(told, "");
    let mut lines = csv.lines();
    assert_eq!(
        lines.next(),
        Some("input,class,probability of dark,probability of light")
    );
    assert_eq!(lines.clone().count(), 40);
    for line in lines {
        let (class, rest) = line.split_once('/').expect("a folder");
        let found = rest.split(',').nth(1);
        assert_eq!(found, Some(class), "{line}");
    }
}
