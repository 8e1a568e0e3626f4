//! Plans and data made by hand, and their training without the program around it.

use std::sync::atomic::{AtomicUsize, Ordering};

use layerwise::backend::{self, Backend};
use layerwise::data::{Dataset, Frame, Images, Split, Transforms};
use layerwise::evidence;
use layerwise::experiment::{self, Examples, Outcome, PROBE_IMAGES, Setting};
use layerwise::spec::{
    AutoencoderTraining, BackendName, ClassifierTraining, Condition, Data, ExperimentName, Model,
    Plan, Report, Run,
};
use layerwise::train::{Event, Observer, Stop};
use layerwise::weights::Weights;

/// Asks for a stop after so many steps.
pub struct StopAfter<'a> {
    steps: usize,
    done: AtomicUsize,
    stop: &'a Stop,
}

impl<'a> StopAfter<'a> {
    pub fn new(steps: usize, stop: &'a Stop) -> Self {
        let done = AtomicUsize::new(0);
        Self { steps, done, stop }
    }
}

impl Observer for StopAfter<'_> {
    fn tell(&self, event: Event<'_>) {
        let is_step = matches!(event, Event::Worked(_));
        if is_step && self.done.fetch_add(1, Ordering::Relaxed) + 1 == self.steps {
            self.stop.request();
        }
    }
}

/// Pixels of a picture of [`blobs`].
pub const INPUTS: usize = 36;

pub fn flex() -> Backend {
    backend::open(BackendName::Flex).expect("flex is in every default build")
}

/// Blobs on 6×6 pixels, 50 to learn from and 20 to test on; the last batch of an epoch is a short one.
pub fn blobs(classes: usize) -> Dataset {
    let split = |count: usize, salt: usize| {
        let pixels: Vec<u8> = (0..count * INPUTS)
            .map(|at| {
                let (image, row, column) = (at / INPUTS + salt, at / 6 % 6, at % 6);
                let distance = row.abs_diff(image % 6) + column.abs_diff(image / 6 % 6);
                (255 / (1 + distance * distance)) as u8
            })
            .collect();
        Split {
            images: Images::of_bytes(pixels, Frame::grey(6, 6)).expect("whole pictures"),
            labels: Some((0..count).map(|image| (image % classes) as u8).collect()),
        }
    };
    Dataset {
        name: None,
        classes,
        class_names: Vec::new(),
        train: split(50, 0),
        validation: None,
        pretraining: None,
        test: split(20, 50),
        files: Vec::new(),
        transforms: Transforms::default(),
    }
}

pub fn condition(name: &str, model: Model) -> Condition {
    Condition {
        name: name.to_owned(),
        group: None,
        at: Vec::new(),
        model,
    }
}

/// An autoencoder for each β, named after it.
pub fn autoencoders(setting: &AutoencoderTraining, sparsity_weights: &[f64]) -> Vec<Condition> {
    let with = |&weight: &f64| {
        let mut setting = setting.clone();
        setting.sparsity = setting.sparsity.with_weight(weight);
        condition(&format!("β = {weight}"), Model::Autoencoder(setting))
    };
    sparsity_weights.iter().map(with).collect()
}

pub fn classifier(name: &str, training: ClassifierTraining) -> Condition {
    condition(name, Model::Classifier(training))
}

/// A plan of conditions of one kind.
pub fn plan(conditions: Vec<Condition>, seeds: &[u64]) -> Plan {
    let experiment = match conditions[0].model {
        Model::Autoencoder(_) => ExperimentName::Autoencoder,
        Model::Classifier(_) => ExperimentName::Classifier,
        Model::DeepAutoencoder(_) => ExperimentName::DeepAutoencoder,
    };
    Plan {
        experiment,
        run: Run {
            backend: BackendName::Flex,
            seeds: seeds.to_vec(),
            order_seed: 0,
            ..Run::default()
        },
        data: Data::default(),
        grid: Vec::new(),
        conditions,
        report: Report::default(),
        expectations: Vec::new(),
    }
}

/// Trains a plan on `lanes` lanes, with all evidence that applies.
pub fn train(plan: &Plan, data: &Dataset, backend: &Backend, lanes: usize) -> Outcome {
    watched(plan, data, backend, lanes, &(), &Stop::default())
}

/// Trains a plan for an observer, until it is done or stopped.
pub fn watched(
    plan: &Plan,
    data: &Dataset,
    backend: &Backend,
    lanes: usize,
    observer: &dyn Observer,
    stop: &Stop,
) -> Outcome {
    let setting = Setting {
        data,
        examples: &Examples::new(data, &backend.device),
        backend,
        lanes,
        order_seed: plan.run.order_seed,
        observer,
        probe_images: PROBE_IMAGES,
        stop,
        shelf: &(),
        only: None,
        measure: &|trained| evidence::measure(plan, trained),
    };
    experiment::run(plan, &setting).expect("what it starts from is what it was given")
}

/// The values of a tensor, bit for bit.
pub fn bits(weights: &Weights, name: &str) -> Vec<u32> {
    let tensor = weights
        .get(name)
        .unwrap_or_else(|error| panic!("it is saved: {error}"));
    bits_of(&tensor.values)
}

pub fn bits_of(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}
