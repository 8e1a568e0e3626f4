//! Members of a batched model are strangers to each other, and results know nothing of threads or company.

mod common;

use common::models::{
    INPUTS, autoencoders, bits, bits_of, blobs, condition, flex, plan, train, watched,
};
use layerwise::backend::{self, Backend};
use layerwise::data::{Dataset, Frame, Images, Split};
use layerwise::experiment::{Ending, rows};
use layerwise::model::{Autoencoder, numbers, parameters};
use layerwise::spec::{
    Activation, AutoencoderSpec, AutoencoderTraining, BackendName, Corruption, Initialization,
    KlSparsity, MeanActivationEstimator, Model, OptimizerSpec, Plan, Schedule, Sparsity,
    TrainingSpec,
};
use layerwise::train::{Event, Observer, Order, Stop, Trainee};

fn autoencoder() -> AutoencoderSpec {
    AutoencoderSpec {
        hidden_units: 20,
        encoder_weight: Initialization::normal(1.0 / 36.0),
        encoder_bias: Initialization::normal(1.0 / 360.0),
        ..AutoencoderSpec::default()
    }
}

fn training() -> TrainingSpec {
    TrainingSpec {
        learning_rate: 1e-3,
        schedule: Schedule::LinearToZero,
        batch_size: 7,
        epochs: 3,
        weight_decay: 1e-4,
        ..TrainingSpec::default()
    }
}

const SPARSITY: Sparsity = Sparsity::Kl(KlSparsity {
    weight: 0.1,
    target: 0.05,
    estimator: MeanActivationEstimator::RunningMean { decay: 0.9 },
    clamp: 0.01,
    warm_up_steps: 0,
});

fn setting() -> AutoencoderTraining {
    AutoencoderTraining {
        autoencoder: autoencoder(),
        sparsity: SPARSITY,
        corruption: Corruption::Masking { fraction: 0.1 },
        training: training(),
        ..AutoencoderTraining::default()
    }
}

fn terms(sparsity_weights: &[f64]) -> Vec<Sparsity> {
    let weights = sparsity_weights.iter();
    weights
        .map(|&weight| SPARSITY.with_weight(weight))
        .collect()
}

fn figure(sparsity_weights: &[f64], seeds: &[u64]) -> Plan {
    plan(autoencoders(&setting(), sparsity_weights), seeds)
}

fn trainee(seeds: &[u64], sparsity_weights: &[f64], backend: &Backend) -> Trainee {
    Trainee::autoencoders(
        &setting(),
        seeds,
        &terms(sparsity_weights),
        &burn::tensor::Tensor::zeros([1, 1, INPUTS], &backend.device).into(),
        0,
    )
}

fn trained(
    seeds: &[u64],
    sparsity_weights: &[f64],
    backend: &Backend,
    data: &Dataset,
) -> Vec<Vec<f32>> {
    let mut trainee = trainee(seeds, sparsity_weights, backend);
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
    let data = blobs(10);
    for name in [BackendName::Flex, BackendName::Ndarray] {
        let Ok(backend) = backend::open(name) else {
            continue;
        };
        let (seeds, weights) = ([4, 4, 4, 5, 5, 5], [0.0, 0.1, 3.0, 0.0, 0.1, 3.0]);
        let together = trained(&seeds, &weights, &backend, &data);
        for at in 0..seeds.len() {
            let alone = trained(&[seeds[at]], &[weights[at]], &backend, &data);
            assert_eq!(
                bits_of(&alone[0]),
                bits_of(&together[at]),
                "{name}, member {at}"
            );
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_jobs() {
    let data = blobs(10);
    let figure = figure(&[0.0, 0.1, 3.0], &[0, 1]);
    let one = train(&figure, &data, &flex(), 1);
    assert_eq!(one.members.len(), 6);
    for jobs in [2, 3, 16] {
        let other = train(&figure, &data, &flex(), jobs);
        assert_eq!(
            (one.weights)().hash(),
            (other.weights)().hash(),
            "{jobs} jobs"
        );
        assert_eq!(one.members, other.members, "{jobs} jobs");
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
    let masking = Corruption::Masking { fraction: 0.1 };
    let lbfgs = OptimizerSpec::Lbfgs {
        iterations: 4,
        history: 2,
    };
    for (activation, corruption, optimizer) in [
        (Activation::Relu, Corruption::None, OptimizerSpec::adam()),
        (Activation::Sigmoid, masking, OptimizerSpec::adam()),
        (Activation::Sigmoid, Corruption::None, lbfgs),
    ] {
        setting.autoencoder.activation = activation;
        setting.corruption = corruption;
        setting.training.optimizer = optimizer;
        let model = Model::Autoencoder(setting.clone());
        let one = plan(vec![condition("wide", model)], &[0]);
        let run = |lanes| {
            let outcome = train(&one, &data, &backend, lanes);
            ((outcome.weights)().hash(), outcome.members)
        };
        let alone = run(1);
        assert_eq!(alone.1.len(), 1);
        for threads in [2, 3] {
            assert_eq!(
                run(threads),
                alone,
                "{activation:?}, {optimizer:?} on {threads} threads"
            );
        }
    }
}

/// Noisy pictures of 28×28 pixels, 200 to learn from and 100 to test on.
fn digits() -> Dataset {
    let split = |count: usize, salt: usize| Split {
        images: Images::of_bytes(
            (0..count * 784)
                .map(|at| {
                    let noise = (at + salt).wrapping_mul(2_654_435_761) >> 13;
                    if noise.is_multiple_of(5) {
                        (noise >> 3) as u8
                    } else {
                        0
                    }
                })
                .collect::<Vec<u8>>(),
            Frame::grey(28, 28),
        )
        .expect("whole pictures"),
        labels: Some((0..count).map(|image| (image % 10) as u8).collect()),
    };
    Dataset {
        train: split(200, 0),
        test: split(100, 7),
        ..blobs(10)
    }
}

#[test]
fn members_of_one_seed_start_from_the_same_weights() {
    let data = blobs(10);
    let backend = flex();
    let trainee = trainee(&[0, 0, 1, 1], &[0.0, 3.0, 0.0, 3.0], &backend);
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
    fn tell(&self, event: Event<'_>) {
        if let Event::Record(_) = event {
            self.0.request();
        }
    }
}

#[test]
fn a_run_that_is_stopped_keeps_what_it_has() {
    let stop = Stop::default();
    let figure = figure(&[0.0], &[0]);
    let outcome = watched(&figure, &blobs(10), &flex(), 1, &Impatient(&stop), &stop);
    assert!(outcome.members.is_empty() && outcome.ended.is_empty());
    assert_eq!(
        outcome.ending,
        Ending::Stopped {
            after: "0 of 1 model had been trained to the end".to_owned()
        }
    );
    let weights = (outcome.weights)();
    let weight = weights
        .get("β = 0/seed 0/encoder.weight")
        .expect("it exists");
    assert_eq!(weight.shape, [INPUTS, 20]);
    let initial = (outcome.initial_weights)();
    let initial = initial.get("β = 0/seed 0/initial/encoder.weight");
    let initial = initial.expect("it was drawn");
    assert_ne!(weight.values, initial.values, "it was trained for an epoch");
}

#[test]
fn initial_weights_are_what_the_seed_draws() {
    let seeds = [3, 4];
    let outcome = train(&figure(&[0.0, 3.0], &seeds), &blobs(10), &flex(), 1);
    let initial = (outcome.initial_weights)();
    let mut names = 0;
    for seed in seeds {
        let drawn = Autoencoder::new(
            &autoencoder(),
            &SPARSITY,
            INPUTS,
            0,
            &[seed],
            &flex().device,
        );
        for (name, [_, rows, columns], values) in parameters(&drawn) {
            for condition in ["β = 0", "β = 3"] {
                let name = format!("{condition}/seed {seed}/initial/{name}");
                assert_eq!(bits(&initial, &name), bits_of(&values), "{name}");
                let shape = initial.get(&name).expect("it is saved").shape;
                assert_eq!(shape, [rows, columns], "{name}");
                names += 1;
            }
        }
    }
    assert_eq!(initial.iter().count(), names, "and nothing else");
}
