//! Members of a batched model are strangers to each other, and results know nothing of threads or company.

use layerwise::backend::{self, Backend};
use layerwise::config::{Figure56, Run};
use layerwise::data::{Dataset, Images, Split};
use layerwise::experiment::figure56;
use layerwise::results::{EpochRecord, Member};
use layerwise::spec::{
    Activation, AutoencoderSpec, BackendName, Decoder, DecoderActivation, Initialization,
    MeanActivationEstimator, OptimizerSpec, Reconstruction, Schedule, SparsitySpec, TrainingSpec,
    Variance,
};
use layerwise::train::{Observer, Stop, Trainee, numbers};

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

const SPARSITY: SparsitySpec = SparsitySpec {
    target: 0.05,
    estimator: MeanActivationEstimator::RunningMean { decay: 0.9 },
    clamp: 0.01,
};

fn figure(sparsity_weights: &[f64]) -> Figure56 {
    Figure56 {
        autoencoder: autoencoder(),
        sparsity: SPARSITY,
        sparsity_weights: sparsity_weights.to_vec(),
        training: training(),
    }
}

fn setting() -> Run {
    Run {
        backend: BackendName::Flex,
        seeds: vec![0],
        order_seed: 0,
    }
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
        test: split(20, 50),
        files: Vec::new(),
    }
}

fn trained(members: Vec<Member>, backend: &Backend, data: &Dataset) -> Vec<Vec<f32>> {
    let count = members.len();
    let inputs = data.train.images.pixels_per_image();
    let mut trainee = Trainee::new(
        members,
        &autoencoder(),
        SPARSITY,
        &training(),
        inputs,
        &backend.device,
    );
    while !trainee.is_trained() {
        trainee = trainee
            .epoch(&data.train.images, 0, &(), &Stop::default())
            .0;
    }
    let mut by_member = vec![Vec::new(); count];
    for (_, tensor) in trainee.model().parameters() {
        let values = numbers(tensor);
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
        let members = figure56::members(&[0.0, 0.1, 3.0], &[4, 5]);
        let together = trained(members.clone(), &backend, &data);
        for member in members {
            let at = member.index;
            let alone = trained(vec![member], &backend, &data);
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<u32>>();
            assert_eq!(bits(&alone[0]), bits(&together[at]), "{name}, member {at}");
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_jobs() {
    let data = blobs();
    let backend = backend::open(BackendName::Flex).expect("flex is in every default build");
    let figure = figure(&[0.0, 0.1, 3.0]);
    let run = |jobs| {
        let outcome = figure56::run(
            &figure,
            &setting(),
            &data,
            &backend,
            jobs,
            &(),
            &Stop::default(),
        )
        .expect("small numbers stay finite");
        (
            outcome.weights(),
            outcome.results.expect("it was not stopped"),
        )
    };
    let (weights, results) = run(1);
    for jobs in [2, 3, 16] {
        let (other_weights, other_results) = run(jobs);
        assert_eq!(weights.hash(), other_weights.hash(), "{jobs} jobs");
        assert_eq!(results, other_results, "{jobs} jobs");
    }
}

#[test]
fn members_of_one_seed_start_from_the_same_weights() {
    let data = blobs();
    let backend = backend::open(BackendName::Flex).expect("flex is in every default build");
    let members = figure56::members(&[0.0, 3.0], &[0, 1]);
    let inputs = data.train.images.pixels_per_image();
    let trainee = Trainee::new(
        members,
        &autoencoder(),
        SPARSITY,
        &training(),
        inputs,
        &backend.device,
    );
    let weight = numbers(trainee.model().encoder.weight.val());
    let of: Vec<&[f32]> = weight.chunks_exact(weight.len() / 4).collect();
    assert_eq!(of[0], of[1], "same seed, other β");
    assert_eq!(of[2], of[3], "same seed, other β");
    assert_ne!(of[0], of[2], "other seed");
    let evaluations = trainee.evaluate(&data.test.images);
    assert!(
        evaluations.iter().all(|e| e.untrained.len() == 20),
        "nothing was trained yet"
    );
}

/// Asks for an end when it hears of the first epoch.
struct Impatient<'a>(&'a Stop);
impl Observer for Impatient<'_> {
    fn trained(&self, _: usize) {}
    fn epoch(&self, _: &EpochRecord) {
        self.0.request();
    }
}

#[test]
fn a_run_that_is_stopped_keeps_what_it_has() {
    let data = blobs();
    let backend = backend::open(BackendName::Flex).expect("flex is in every default build");
    let figure = figure(&[0.0]);
    let stop = Stop::default();
    let outcome = figure56::run(
        &figure,
        &setting(),
        &data,
        &backend,
        1,
        &Impatient(&stop),
        &stop,
    )
    .expect("finite");
    assert!(outcome.results.is_none());
    assert_eq!(outcome.epochs_done, 1);
    assert_eq!(
        outcome
            .weights()
            .get("encoder.weight")
            .expect("it exists")
            .shape,
        [1, 36, 20]
    );
}
