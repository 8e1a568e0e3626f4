//! Deep autoencoders: gradients, the unrolling of a pretraining, and whole runs.

mod common;

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use common::models::{blobs, condition, flex, plan, train};
use common::{assert_page_is_drawn_again, complete, folder, json, read, run, transcript};
use layerwise::experiment::rows;
use layerwise::model::{DeepAutoencoder, Layer, numbers};
use layerwise::ops::Rows;
use layerwise::spec::{
    Activation, AutoencoderSpec, AutoencoderTraining, DecoderActivation, DeepAutoencoderSpec,
    DeepAutoencoderTraining, Initialization, Model, Reconstruction, Sparsity, TrainingSpec,
    Transfer,
};
use layerwise::train::pretraining::{Pretraining, unroll_into};
use layerwise::train::{DeepTrainee, Stop, Trainee};

const INPUTS: usize = 5;
const IMAGES: usize = 3;

/// Each layer's weights, row by row, and biases.
type Layers = Vec<[Vec<f64>; 2]>;

/// The cost in double precision, written out.
fn cost(spec: &DeepAutoencoderSpec, layers: &Layers, x: &[f64]) -> f64 {
    let code = spec.hidden_units.len();
    let of_images = x.chunks_exact(INPUTS).map(|image| {
        let mut h = image.to_vec();
        for (at, [weight, bias]) in layers.iter().enumerate() {
            let units = bias.len();
            h = (0..units)
                .map(|unit| {
                    let products = h.iter().enumerate();
                    let sum: f64 = products.map(|(i, h)| h * weight[i * units + unit]).sum();
                    let z = sum + bias[unit];
                    match spec.activation {
                        _ if at + 1 == code || at + 1 == layers.len() => z,
                        Activation::Tanh => z.tanh(),
                        _ => 1.0 / (1.0 + (-z).exp()),
                    }
                })
                .collect();
        }
        let pixels = h.iter().zip(image);
        match spec.reconstruction {
            Reconstruction::SquaredError => pixels.map(|(z, x)| 0.5 * (z - x).powi(2)).sum::<f64>(),
            Reconstruction::CrossEntropy => pixels.map(|(z, x)| z.exp().ln_1p() - x * z).sum(),
        }
    });
    of_images.sum::<f64>() / IMAGES as f64
}

fn check(spec: &DeepAutoencoderSpec) {
    let device = Device::flex();
    let model = DeepAutoencoder::new(spec, INPUTS, &[1, 2], &device.clone().autodiff());
    let x: Vec<f32> = (0..IMAGES * INPUTS)
        .map(|i| (i * 7 % 11) as f32 / 10.0)
        .collect();
    let input = Tensor::<3>::from_data(TensorData::new(x.clone(), [1, IMAGES, INPUTS]), &device);
    let found = model.cost(&Rows::Numbers(input));
    let means = numbers(found.parts[0].clone());
    let gradients = GradientsParams::from_grads(found.total.backward(), &model);

    let x: Vec<f64> = x.into_iter().map(f64::from).collect();
    let layers: Vec<&Layer> = model.encoder.iter().chain(&model.decoder).collect();
    for (member, mean) in means.into_iter().enumerate() {
        let of_member = |layer: &&Layer| {
            let values = layer.values().of_member(member);
            [values.weight, values.bias].map(|of| of.into_iter().map(f64::from).collect())
        };
        let all: Layers = layers.iter().map(of_member).collect();
        let reference = cost(spec, &all, &x);
        assert!(
            (f64::from(mean) - reference).abs() < 1e-5,
            "{mean} {reference}"
        );
        let mut largest = 0.0_f64;
        for (at, layer) in layers.iter().enumerate() {
            for (kind, id) in [layer.weight.id, layer.bias.id].into_iter().enumerate() {
                let gradient = numbers(gradients.get::<3>(id).expect("every parameter has one"));
                let size = all[at][kind].len();
                for (entry, &found) in gradient[member * size..][..size].iter().enumerate() {
                    let moved = |by: f64| {
                        let mut copy = all.clone();
                        copy[at][kind][entry] += by;
                        cost(spec, &copy, &x)
                    };
                    let expected = (moved(1e-6) - moved(-1e-6)) / 2e-6;
                    let error = (f64::from(found) - expected).abs();
                    assert!(
                        error < 1e-5 + 1e-3 * expected.abs(),
                        "member {member}, layer {at}, {kind}[{entry}]: {found} {expected}"
                    );
                    largest = largest.max(expected.abs());
                }
            }
        }
        assert!(
            largest > 1e-2,
            "a vanished gradient would prove nothing: {largest}"
        );
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let entropy = DeepAutoencoderSpec {
        hidden_units: vec![4, 3, 2],
        weight: Initialization::normal(0.8),
        bias: Initialization::normal(0.1),
        ..DeepAutoencoderSpec::default()
    };
    check(&entropy);
    check(&DeepAutoencoderSpec {
        activation: Activation::Tanh,
        decoder_activation: DecoderActivation::Identity,
        reconstruction: Reconstruction::SquaredError,
        ..entropy
    });
}

/// Sigmoid units around a linear code, and the stages of its layers.
fn pretrained(hidden_units: &[usize]) -> DeepAutoencoderTraining {
    let network = DeepAutoencoderSpec {
        hidden_units: hidden_units.to_vec(),
        ..DeepAutoencoderSpec::default()
    };
    let training = TrainingSpec {
        learning_rate: 1e-2,
        batch_size: 10,
        epochs: 2,
        ..TrainingSpec::default()
    };
    let stage = |(layer, &units): (usize, &usize)| AutoencoderTraining {
        autoencoder: AutoencoderSpec {
            hidden_units: units,
            activation: network.activation_of(layer),
            decoder_activation: DecoderActivation::Sigmoid,
            reconstruction: Reconstruction::CrossEntropy,
            encoder_weight: network.weight,
            encoder_bias: network.bias,
            ..AutoencoderSpec::default()
        },
        sparsity: Sparsity::None,
        training: training.clone(),
        ..AutoencoderTraining::default()
    };
    DeepAutoencoderTraining {
        stages: hidden_units.iter().enumerate().map(stage).collect(),
        network,
        transfer: Transfer::Copy,
        training,
    }
}

#[test]
fn one_layer_unrolled_is_the_autoencoder_that_it_was() {
    let data = blobs(3);
    let images = rows(&data.train.images, &Device::flex());
    let setting = pretrained(&[7]);
    let mut pretraining = Pretraining::new(&setting.stages, &[3, 4], &images).with_decoders();
    while !pretraining.is_done() {
        let epoch = pretraining.epoch(&images, 0, &(), &Stop::default());
        epoch.expect("nobody stops it");
    }
    let device = Device::flex();
    let mut model = DeepAutoencoder::new(&setting.network, images.inputs(), &[3, 4], &device);
    let [encoders, decoders] = [pretraining.encoders(), pretraining.decoders()];
    unroll_into(&mut model, encoders, decoders, &device);
    let deep = DeepTrainee::deep_autoencoders(model, &setting.training, 2, 0).evaluate(&images, 2);

    let order = layerwise::train::Order { seed: 0, stage: 1 };
    let sparsity = [Sparsity::None; 2];
    let mut alone = Trainee::autoencoders(&setting.stages[0], &[3, 4], &sparsity, &images, 0);
    while !alone.is_trained() {
        alone
            .epoch(&images, order, &(), &Stop::default())
            .expect("nobody stops it");
    }
    let shallow = alone.evaluate(&images, data.train.images.total_variation());
    for (deep, shallow) in deep.iter().zip(&shallow) {
        let difference = (deep.reconstruction - shallow.reconstruction).abs();
        assert!(
            difference < 1e-6 * shallow.reconstruction,
            "{deep:?} {shallow:?}"
        );
    }
}

#[test]
fn a_pretrained_one_starts_better_and_knows_what_it_started_from() {
    let data = blobs(3);
    let setting = pretrained(&[12, 6, 2]);
    let bare = DeepAutoencoderTraining {
        stages: Vec::new(),
        ..setting.clone()
    };
    let conditions = [("pretrained", setting), ("plain", bare)]
        .map(|(name, setting)| condition(name, Model::DeepAutoencoder(setting)));
    let outcome = train(&plan(conditions.to_vec(), &[0, 1]), &data, &flex(), 2);
    assert_eq!(outcome.members.len(), 4);
    let weights = (outcome.weights)();
    let shape = |name: &str| weights.get(name).expect(name).shape;
    assert_eq!(shape("pretrained/seed 0/layer.01.weight"), [36, 12]);
    assert_eq!(shape("pretrained/seed 0/decoder.01.weight"), [2, 6]);
    assert_eq!(
        shape("pretrained/seed 1/pretrained/layer.03.weight"),
        [6, 2]
    );
    assert!(
        weights
            .get("plain/seed 0/pretrained/layer.01.weight")
            .is_err()
    );
    let proofs = outcome.members[0]
        .evidence
        .get("transfers")
        .expect("three layers were copied");
    assert_eq!(proofs.as_array().map(Vec::len), Some(3));
}

const CONFIG: &str = r#"
experiment = "deep_autoencoder"
[run]
seeds = [0, 1]
[data]
train_images = 400
test_images = 60
[network]
hidden_units = [20, 8, 2]
[training]
epochs = 2
batch_size = 50
[pretraining]
epochs = 1
batch_size = 50
[conditions.pretrained.pretraining]
layers = "all"
[conditions.random]
[report]
differences = ["pretrained - random"]
[[expect]]
that = "squared error"
at = { condition = "pretrained" }
minus = { condition = "random" }
within = [-60, 5]
source = "a tiny run"
[[expect]]
that = "squared error of PCA"
within = [30, 50]
source = "a tiny run"
"#;

#[test]
fn a_run_has_its_curves_its_pictures_and_its_map() {
    let (_parent, out) = folder();
    let stdout = complete(CONFIG, &out, &["--strict"]);
    assert!(
        stdout.contains("Of 2 promises of the config, 2 hold here."),
        "{stdout}"
    );
    let metrics = read(&out, "metrics.csv");
    assert_eq!(
        metrics.lines().count(),
        1 + 4 * 3,
        "the start and two epochs of four"
    );
    assert!(
        metrics.lines().nth(1).expect("a line").starts_with("0,"),
        "{metrics}"
    );
    let page = read(&out, "index.html");
    for piece in [
        "What a code keeps",
        "code-map",
        "What becomes of an input",
        "The pretraining itself",
    ] {
        assert!(page.contains(piece), "{piece}");
    }
    assert!(
        json(&out, "results.json")["evidence"]["deep_autoencoders"][0]["squared_error"].is_f64()
    );
    assert_page_is_drawn_again(&out);

    // What was learnt can be put to use.
    let folder = out.display().to_string();
    let of = [
        "data/mnist/t10k-images-idx3-ubyte.gz",
        "--model",
        "pretrained, seed 0",
    ];
    let codes = out.with_file_name("codes.csv").display().to_string();
    let made = out.with_file_name("made.csv").display().to_string();
    for (verb, file, columns) in [("encode", &codes, 2), ("reconstruct", &made, 784)] {
        let args = [&[verb, &folder][..], &of, &["-o", file]].concat();
        let (code, _, stderr) = transcript(&args);
        assert_eq!(code, 0, "{stderr}");
        let table = std::fs::read_to_string(file).expect("it was written");
        let line = table.lines().nth(1).expect("a row");
        assert!(line.split(',').count() >= columns, "{line}");
    }
}

#[test]
fn threads_change_nothing() {
    let (_one, first) = folder();
    let (_other, second) = folder();
    complete(CONFIG, &first, &["--jobs", "1"]);
    complete(CONFIG, &second, &["--jobs", "3"]);
    let files = [
        "metrics.csv",
        "stages.csv",
        "weights.safetensors",
        "results.json",
    ];
    common::assert_same_files(&first, &second, files);
}

#[test]
fn what_does_not_go_together_is_told() {
    let (_parent, out) = folder();
    for (more, told) in [
        (
            "network.hidden_units = []",
            "`network.hidden_units` is empty, but the last of these layers is the code",
        ),
        (
            "network.decoder_activation = \"identity\"",
            "`network.reconstruction` is \"cross_entropy\", which needs outputs in (0, 1)",
        ),
        (
            "training.trained_layers = \"output\"",
            "`training.trained_layers` is not used because experiment = \"deep_autoencoder\"; it belongs to \"classifier\"",
        ),
        (
            "pretraining.target = \"classes\"",
            "`pretraining.target` is not used because experiment = \"deep_autoencoder\"; it belongs to \"classifier\"",
        ),
        (
            "sparsity.weight = 1",
            "`sparsity.weight` is not used because experiment = \"deep_autoencoder\"; it belongs to \"autoencoder\"",
        ),
    ] {
        let (key, value) = more.split_once(" = ").expect("an assignment");
        let set = format!("{key}={value}");
        let (code, _, stderr) = run(CONFIG, &out, &["--set", &set]);
        assert_eq!(code, 2, "{more}: {stderr}");
        assert!(stderr.contains(told), "{more}: {stderr}");
    }
    assert!(!out.exists());
    // A value that nobody uses is told so, and not that classes are learnt.
    let own = CONFIG.replace(
        "layers = \"all\"",
        "layers = \"all\"\nreconstruction = \"squared_error\"",
    );
    let unused = ["--set", "pretraining.reconstruction=cross_entropy"];
    let (code, _, stderr) = run(&own, &out, &unused);
    assert_eq!(code, 2, "{stderr}");
    let told = "`pretraining.reconstruction` has no effect: every condition sets its own value";
    assert!(stderr.contains(told), "{stderr}");
}
