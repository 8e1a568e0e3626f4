//! Training leaves nothing behind: after many epochs no more memory is in use than after a few.

#![expect(
    unsafe_code,
    reason = "an allocator that counts is an allocator, and those are unsafe to write"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering};

use layerwise::data::{Frame, Images, Split};
use layerwise::experiment::rows;
use layerwise::model::Classifier;
use layerwise::spec::{
    Activation, AutoencoderSpec, AutoencoderTraining, ClassifierSpec, Corruption, Decoder,
    DecoderActivation, Initialization, KlSparsity, MeanActivationEstimator, OptimizerSpec,
    Reconstruction, Schedule, Sparsity, TrainedLayers, TrainingSpec, Variance,
};
use layerwise::train::{ClassifierTrainee, Labelled, Learner, Order, Stop, Trainee, Training};

use burn::tensor::{Device, Tensor};

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
const NORMAL: Initialization = Initialization::Normal(Variance::Fixed { value: 0.03 });

fn digits() -> Split {
    let pixels = (0..40 * 36).map(|at| if at % 5 == 0 { (at % 251) as u8 } else { 0 });
    Split {
        images: Images::of_bytes(pixels.collect::<Vec<u8>>(), Frame::grey(6, 6))
            .expect("whole pictures"),
        labels: Some((0..40).map(|image| image % 10).collect()),
    }
}

fn training(optimizer: OptimizerSpec) -> TrainingSpec {
    TrainingSpec {
        optimizer,
        learning_rate: 1e-3,
        schedule: Schedule::Constant,
        warm_up_steps: 0,
        largest_gradient_norm: None,
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
            decoder_bias: NORMAL.into(),
            subtract_decoder_bias: false,
        },
        sparsity: Sparsity::Kl(KlSparsity {
            weight: 0.1,
            target: 0.05,
            estimator: MeanActivationEstimator::Batch,
            clamp: 0.01,
            warm_up_steps: 0,
        }),
        corruption: Corruption::None,
        training: training(OptimizerSpec::Adam {
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
        }),
        ..AutoencoderTraining::default()
    };
    let sparsity = [setting.sparsity];
    let inputs = Tensor::zeros([1, 1, 36], &Device::flex());
    Trainee::autoencoders(&setting, &[0], &sparsity, &inputs.into(), 0)
}

fn classifier(activation: Activation) -> ClassifierTrainee {
    let spec = ClassifierSpec {
        hidden_units: vec![7; 3],
        activation,
        weight: NORMAL,
        bias: NORMAL,
        ..ClassifierSpec::default()
    };
    let model = Classifier::new(&spec, 36, 10, &[0], &Device::flex());
    let training = training(OptimizerSpec::sgd(0.0));
    ClassifierTrainee::classifiers(model, &training, TrainedLayers::All, 0)
}

/// Bytes in use that a hundred further epochs add, every hundred: what grows once, such as a queue of another thread, is no leak.
fn growth<L: Learner>(mut training: Training<L>, examples: &L::Examples) -> isize {
    let mut many = |count| {
        for _ in 0..count {
            let costs = training.epoch(examples, ORDER, &(), &Stop::default());
            assert!(costs.is_some(), "nobody stops it");
        }
        IN_USE.load(Ordering::Relaxed)
    };
    let before = many(5);
    let (first, second) = (many(100), many(100));
    (first - before).min(second - first)
}

// One test alone, as what others hold would be counted too.
#[test]
fn many_epochs_need_no_more_memory_than_a_few() {
    let split = digits();
    let images = rows(&split.images, &Device::flex());
    let labelled = Labelled::new(images.clone(), split.labels.as_deref(), 10);
    let prelu = Activation::Prelu {
        initial_slope: 0.25,
    };
    // With operations of our own, and with burn's.
    for activation in [Activation::Relu, prelu] {
        let of_autoencoder = growth(autoencoder(activation), &images);
        let of_classifier = growth(classifier(activation), &labelled);
        // A thousand steps: not ten bytes for each.
        for grown in [of_autoencoder, of_classifier] {
            assert!(grown < 10_000, "{activation:?}: {grown} bytes");
        }
    }
}
