//! Training leaves nothing behind: after many epochs no more memory is in use than after a few.

#![expect(
    unsafe_code,
    reason = "an allocator that counts is an allocator, and those are unsafe to write"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering};

use layerwise::data::{Images, Split};
use layerwise::model::Classifier;
use layerwise::spec::{
    Activation, AutoencoderSpec, AutoencoderTraining, ClassifierSpec, Corruption, Decoder,
    DecoderActivation, Initialization, MeanActivationEstimator, OptimizerSpec, Reconstruction,
    Schedule, SparsitySpec, TrainedLayers, TrainingSpec, Variance,
};
use layerwise::train::{ClassifierTrainee, Order, Stop, Trainee};

use burn::tensor::Device;

/// The system's allocator, and how many bytes it has given out.
struct Counting;

static IN_USE: AtomicIsize = AtomicIsize::new(0);

// SAFETY: every call is handed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size().cast_signed(), Ordering::Relaxed);
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size().cast_signed(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ORDER: Order = Order { seed: 0, stage: 0 };
const NORMAL: Initialization = Initialization::Normal {
    variance: Variance::Fixed { value: 0.03 },
};

fn digits() -> Split {
    let pixels = (0..40 * 36).map(|at| if at % 5 == 0 { (at % 251) as u8 } else { 0 });
    Split {
        images: Images::new(pixels.collect(), 6, 6).expect("whole pictures"),
        labels: (0..40).map(|image| image % 10).collect(),
    }
}

fn training(optimizer: OptimizerSpec) -> TrainingSpec {
    TrainingSpec {
        optimizer,
        learning_rate: 1e-3,
        schedule: Schedule::Constant,
        batch_size: 4,
        epochs: 1000,
        weight_decay: 0.0,
    }
}

fn autoencoder(activation: Activation) -> Trainee {
    let setting = AutoencoderTraining {
        autoencoder: AutoencoderSpec {
            hidden_units: 7,
            activation,
            decoder: Decoder::Tied,
            decoder_activation: DecoderActivation::Identity,
            reconstruction: Reconstruction::SquaredError,
            encoder_weight: NORMAL,
            encoder_bias: NORMAL,
            decoder_bias: NORMAL,
        },
        sparsity: SparsitySpec {
            target: 0.05,
            estimator: MeanActivationEstimator::Batch,
            clamp: 0.01,
        },
        corruption: Corruption::None,
        training: training(OptimizerSpec::Adam {
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
        }),
    };
    Trainee::new(&setting, &[0], &[0.1], 36, 0, &Device::flex())
}

fn classifier(activation: Activation) -> ClassifierTrainee {
    let spec = ClassifierSpec {
        hidden_units: vec![7; 3],
        activation,
        weight: NORMAL,
        bias: NORMAL,
    };
    let device = Device::flex();
    let model = Classifier::new(&spec, 36, 10, &[0], &device);
    let training = training(OptimizerSpec::Sgd { momentum: 0.0 });
    ClassifierTrainee::new(model, &training, TrainedLayers::All, 0, &device)
}

/// Bytes in use that `epoch` adds when it is called again and again, each time with what it gave before.
fn growth<T>(start: T, epoch: impl Fn(T) -> T) -> isize {
    let many = |from, count| (0..count).fold(from, |trainee, _| epoch(trainee));
    let trainee = many(start, 5);
    let before = IN_USE.load(Ordering::Relaxed);
    let trainee = many(trainee, 100);
    let after = IN_USE.load(Ordering::Relaxed);
    drop(trainee);
    after - before
}

// One test alone, as what others hold would be counted too.
#[test]
fn many_epochs_need_no_more_memory_than_a_few() {
    let split = digits();
    let prelu = Activation::Prelu {
        initial_slope: 0.25,
    };
    // By back-propagation written out, and by burn's graph.
    for activation in [Activation::Relu, prelu] {
        let of_autoencoder = growth(autoencoder(activation), |trainee| {
            trainee.epoch(&split.images, ORDER, &(), &Stop::default()).0
        });
        let of_classifier = growth(classifier(activation), |trainee| {
            trainee.epoch(&split, ORDER, &(), &Stop::default()).0
        });
        // A thousand steps: not ten bytes for each.
        for grown in [of_autoencoder, of_classifier] {
            assert!(grown < 10_000, "{activation:?}: {grown} bytes");
        }
    }
}
