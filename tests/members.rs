//! Members of a batched model are strangers to each other, and results know nothing of threads or company.

use layerwise::backend::{self, Backend};
use layerwise::config::Figure56;
use layerwise::data::{Dataset, Images, Split};
use layerwise::experiment::{Ending, Examples, Setting, figure56, rows};
use layerwise::model::{numbers, parameters};
use layerwise::results::{Ended, Figure56Results, Results};
use layerwise::spec::{
    Activation, AutoencoderSpec, AutoencoderTraining, BackendName, Corruption, Decoder,
    DecoderActivation, Initialization, MeanActivationEstimator, OptimizerSpec, Reconstruction,
    Schedule, Sparsity, TrainingSpec, Variance,
};
use layerwise::train::{Observer, Order, Record, Stop, Trainee};

fn autoencoder() -> AutoencoderSpec {
    let normal = |value| Initialization::Normal {
        variance: Variance::Fixed { value },
    };
    AutoencoderSpec {
        hidden_units: 20,
        activation: Activation::Relu,
        decoder: Decoder::Tied,
        decoder_activation: DecoderActivation::Identity,
        reconstruction: Reconstruction::SquaredError,
        encoder_weight: normal(1.0 / 36.0),
        encoder_bias: normal(1.0 / 360.0),
        decoder_bias: Initialization::Constant { value: 0.0 },
    }
}

fn training() -> TrainingSpec {
    TrainingSpec {
        optimizer: OptimizerSpec::Adam {
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
        },
        learning_rate: 1e-3,
        schedule: Schedule::LinearToZero,
        batch_size: 7,
        epochs: 3,
        weight_decay: 1e-4,
    }
}

const SPARSITY: Sparsity = Sparsity {
    weight: 0.1,
    target: 0.05,
    estimator: MeanActivationEstimator::RunningMean { decay: 0.9 },
    clamp: 0.01,
};

fn setting() -> AutoencoderTraining {
    AutoencoderTraining {
        autoencoder: autoencoder(),
        sparsity: SPARSITY,
        corruption: Corruption::Masking { fraction: 0.1 },
        training: training(),
    }
}

fn terms(sparsity_weights: &[f64]) -> Vec<Sparsity> {
    let weights = sparsity_weights.iter();
    weights
        .map(|&weight| Sparsity { weight, ..SPARSITY })
        .collect()
}

fn figure(sparsity_weights: &[f64]) -> Figure56 {
    Figure56 {
        settings: terms(sparsity_weights)
            .into_iter()
            .map(|sparsity| AutoencoderTraining {
                sparsity,
                ..setting()
            })
            .collect(),
    }
}

fn flex() -> Backend {
    backend::open(BackendName::Flex).expect("flex is in every default build")
}

/// Blobs on 6×6 pixels, 50 to learn from and 20 to test on; the last batch of an epoch is a short one.
fn blobs() -> Dataset {
    let split = |count: usize, salt: usize| {
        let pixels = (0..count * 36)
            .map(|at| {
                let (image, row, column) = (at / 36 + salt, at / 6 % 6, at % 6);
                let distance = row.abs_diff(image % 6) + column.abs_diff(image / 6 % 6);
                (255 / (1 + distance * distance)) as u8
            })
            .collect();
        Split {
            images: Images::new(pixels, 6, 6).expect("whole pictures"),
            labels: (0..count).map(|image| (image % 10) as u8).collect(),
        }
    };
    Dataset {
        name: None,
        classes: 10,
        train: split(50, 0),
        validation: None,
        test: split(20, 50),
        files: Vec::new(),
    }
}

fn trainee(seeds: &[u64], sparsity_weights: &[f64], backend: &Backend, data: &Dataset) -> Trainee {
    let inputs = data.train.images.pixels_per_image();
    Trainee::autoencoders(
        &setting(),
        seeds,
        &terms(sparsity_weights),
        inputs,
        0,
        &backend.device,
    )
}

fn trained(
    seeds: &[u64],
    sparsity_weights: &[f64],
    backend: &Backend,
    data: &Dataset,
) -> Vec<Vec<f32>> {
    let mut trainee = trainee(seeds, sparsity_weights, backend, data);
    let order = Order { seed: 0, stage: 0 };
    let images = rows(&data.train.images, &backend.device);
    while !trainee.is_trained() {
        let costs = trainee.epoch(&images, order, &(), &Stop::default());
        assert_eq!(costs.map(|costs| costs[0].len()), Some(seeds.len()));
    }
    let count = seeds.len();
    let mut by_member = vec![Vec::new(); count];
    for (_, _, values) in parameters(&trainee.model()) {
        let size = values.len() / count;
        for (member, values) in by_member.iter_mut().zip(values.chunks_exact(size)) {
            member.extend_from_slice(values);
        }
    }
    by_member
}

#[test]
fn a_member_is_the_same_alone_and_in_company_bit_for_bit() {
    let data = blobs();
    for name in [BackendName::Flex, BackendName::Ndarray] {
        let Ok(backend) = backend::open(name) else {
            continue;
        };
        let (seeds, weights) = ([4, 4, 4, 5, 5, 5], [0.0, 0.1, 3.0, 0.0, 0.1, 3.0]);
        let together = trained(&seeds, &weights, &backend, &data);
        for at in 0..seeds.len() {
            let alone = trained(&[seeds[at]], &[weights[at]], &backend, &data);
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<u32>>();
            assert_eq!(bits(&alone[0]), bits(&together[at]), "{name}, member {at}");
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_jobs() {
    let data = blobs();
    let backend = flex();
    let figure = figure(&[0.0, 0.1, 3.0]);
    let run = |lanes| {
        let stop = Stop::default();
        let setting = Setting {
            data: &data,
            examples: &Examples::new(&data, &backend.device),
            backend: &backend,
            lanes,
            order_seed: 0,
            observer: &(),
            stop: &stop,
            shelf: &(),
        };
        let outcome = figure56::run(&figure, &[0], &setting).expect("small numbers stay finite");
        ((outcome.weights)(), outcome.results)
    };
    let (weights, results) = run(1);
    for jobs in [2, 3, 16] {
        let (other_weights, other_results) = run(jobs);
        assert_eq!(weights.hash(), other_weights.hash(), "{jobs} jobs");
        assert_eq!(results, other_results, "{jobs} jobs");
    }
}

/// Wide enough for its products to be shared out over the threads of a lane.
#[test]
fn one_model_is_the_same_on_one_thread_and_on_several_bit_for_bit() {
    let data = digits();
    let backend = flex();
    let mut setting = setting();
    setting.autoencoder.hidden_units = 300;
    setting.training.batch_size = 50;
    setting.training.epochs = 1;
    for (activation, corruption) in [
        (Activation::Relu, Corruption::None),
        (Activation::Sigmoid, Corruption::Masking { fraction: 0.1 }),
    ] {
        setting.autoencoder.activation = activation;
        setting.corruption = corruption;
        let figure = Figure56 {
            settings: vec![setting.clone()],
        };
        let run = |lanes| {
            let stop = Stop::default();
            let setting = Setting {
                data: &data,
                examples: &Examples::new(&data, &backend.device),
                backend: &backend,
                lanes,
                order_seed: 0,
                observer: &(),
                stop: &stop,
                shelf: &(),
            };
            let outcome = figure56::run(&figure, &[0], &setting).expect("a task of its own");
            ((outcome.weights)().hash(), outcome.results)
        };
        let alone = run(1);
        for threads in [2, 3] {
            assert_eq!(run(threads), alone, "{activation:?} on {threads} threads");
        }
    }
}

/// Noisy pictures of 28×28 pixels, 200 to learn from and 100 to test on.
fn digits() -> Dataset {
    let split = |count: usize, salt: usize| Split {
        images: Images::new(
            (0..count * 784)
                .map(|at| {
                    let noise = (at + salt).wrapping_mul(2_654_435_761) >> 13;
                    if noise.is_multiple_of(5) {
                        (noise >> 3) as u8
                    } else {
                        0
                    }
                })
                .collect(),
            28,
            28,
        )
        .expect("whole pictures"),
        labels: (0..count).map(|image| (image % 10) as u8).collect(),
    };
    Dataset {
        train: split(200, 0),
        test: split(100, 7),
        ..blobs()
    }
}

#[test]
fn members_of_one_seed_start_from_the_same_weights() {
    let data = blobs();
    let backend = flex();
    let trainee = trainee(&[0, 0, 1, 1], &[0.0, 3.0, 0.0, 3.0], &backend, &data);
    let weight = numbers(trainee.model().encoder.weight.val());
    let of: Vec<&[f32]> = weight.chunks_exact(weight.len() / 4).collect();
    assert_eq!(of[0], of[1], "same seed, other β");
    assert_eq!(of[2], of[3], "same seed, other β");
    assert_ne!(of[0], of[2], "other seed");
    let evaluations = trainee.evaluate(&rows(&data.test.images, &backend.device), 1.0);
    assert!(
        evaluations.iter().all(|e| e.untrained.len() == 20),
        "nothing was trained yet"
    );
}

/// Asks for an end when it hears of the first epoch.
struct Impatient<'a>(&'a Stop);
impl Observer for Impatient<'_> {
    fn worked_before(&self, _multiply_accumulates: u64) {}
    fn recall(&self, _record: Record<'_>) {}
    fn ended(&self, _ended: &Ended) {}
    fn worked(&self, _: u64) {}
    fn record(&self, _: Record<'_>) {
        self.0.request();
    }
}

#[test]
fn a_run_that_is_stopped_keeps_what_it_has() {
    let data = blobs();
    let stop = Stop::default();
    let backend = flex();
    let setting = Setting {
        data: &data,
        examples: &Examples::new(&data, &backend.device),
        backend: &backend,
        lanes: 1,
        order_seed: 0,
        observer: &Impatient(&stop),
        stop: &stop,
        shelf: &(),
    };
    let outcome = figure56::run(&figure(&[0.0]), &[0], &setting).expect("finite");
    let Results::Figure56(Figure56Results { members, ended }) = &outcome.results else {
        panic!("another experiment");
    };
    assert!(members.is_empty() && ended.is_empty());
    assert_eq!(
        outcome.ending,
        Ending::Stopped {
            after: "1 of 3 epochs of every member".to_owned()
        }
    );
    let weights = (outcome.weights)();
    let weight = weights.get("encoder.weight").expect("it exists");
    assert_eq!(weight.shape, [1, 36, 20]);
}
