//! The vocabulary of an experiment: plain descriptions of models, costs, training and of a whole run.
//!
//! These types are also the schema of configs: names, defaults, ranges and the help that `layerwise schema` prints are
//! declared here and nowhere else; `forms` has the forms that are more than a number or a word. Every room may use
//! them; they hold no tensors and read no files. `config` gives only values that are in range and agree.

/// Functions that give the defaults of a choice's own keys, as serde asks for them.
macro_rules! defaults {
    ($($name:ident: $type:ty = $value:expr;)*) => {
        $(fn $name() -> $type { $value })*
    };
}

mod forms;
mod plan;
mod sparsity;
mod transform;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::words::counted;
pub(crate) use forms::Form;
use forms::{Perhaps, WrittenDecoderBias};

pub(crate) use forms::{
    Bounds, HIGHEST_CLASS, LARGEST_SEED, PublishedForm, ROUNDS_OUT, Seeds, Stages, Whole,
    words_alone,
};
pub use plan::{
    Arrays, ClassifierTraining, Colour, Condition, Coordinate, Data, DeepAutoencoderTraining,
    Expectation, ExperimentName, Fit, GridKey, Model, Over, Pictures, Plan, Promise, Published,
    Report, Run, Source,
};

pub(crate) use sparsity::ProbeEpochs;
pub use sparsity::{
    BatchTopKSparsity, JumpReluSparsity, KlSparsity, L1Sparsity, Sparsity, SparsityKind,
};
pub use transform::{Patches, PhotographWhitening, Standardised, Transform, Whitening};

/// How many units, images of a batch, or epochs there may be.
type Count = Whole<1, 1_000_000>;

/// A unit's nonlinearity, in the encoder.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(transform = words_alone)]
pub enum Activation {
    /// max(0, z): the book's ramp.
    Relu,
    /// max(0, z) + a·min(0, z) with one learnt slope a per model (He et al. 2015, eq. 1).
    Prelu {
        /// a before the first step.
        #[serde(rename = "slope", with = "forms::Slope", default = "prelu_slope")]
        initial_slope: f64,
    },
    /// max(0, z) + a·min(0, z) with a fixed slope a.
    LeakyRelu {
        /// a.
        #[serde(with = "forms::Slope", default = "leaky_slope")]
        slope: f64,
    },
    /// 1 / (1 + exp(−z)).
    Sigmoid,
    /// tanh(z).
    Tanh,
    /// z / (1 + |z|), a softer tanh (Bergstra et al. 2009; Glorot and Bengio 2010).
    Softsign,
    /// z: a linear unit. Layers of it span no more than one layer does.
    Identity,
}

/// What the decoder applies to its pre-activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecoderActivation {
    /// z.
    Identity,
    /// 1 / (1 + exp(−z)).
    Sigmoid,
}

/// Where the decoder's weights come from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(transform = words_alone)]
pub enum Decoder {
    /// The encoder's weights, transposed.
    Tied,
    /// Weights of its own.
    Untied {
        /// Their initial values; those of the encoder's weights where it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        weight: Option<Initialization>,
        /// Whether each unit's weights W̃ⱼ have norm 1: they are divided by their norm at the start and after every step,
        /// before which their gradient loses its part along them (Bricken et al. 2023).
        #[serde(default)]
        unit_norm: bool,
        /// Whether encoder and decoder start as each other's transpose (Gao et al. 2024, appendix A.1).
        #[serde(default)]
        transposed_start: bool,
    },
}

impl Decoder {
    /// Weights of its own, with nothing special about them.
    pub const UNTIED: Self = Self::Untied {
        weight: None,
        unit_norm: false,
        transposed_start: false,
    };

    /// Whether each unit's weights have norm 1.
    #[must_use]
    pub fn has_unit_norm(self) -> bool {
        matches!(
            self,
            Self::Untied {
                unit_norm: true,
                ..
            }
        )
    }
}

/// Where the decoder's biases start.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "WrittenDecoderBias", into = "WrittenDecoderBias")]
#[schemars(with = "WrittenDecoderBias")]
pub enum DecoderBias {
    /// At the mean of the training data (Bricken et al. 2023 took the geometric median).
    DataMean,
    /// Drawn, or constant.
    Drawn(Initialization),
}

impl From<Initialization> for DecoderBias {
    fn from(drawn: Initialization) -> Self {
        Self::Drawn(drawn)
    }
}

/// How an input and its reconstruction are compared; summed over inputs, averaged over the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reconstruction {
    /// ½ Σᵢ (x̂ᵢ − xᵢ)².
    SquaredError,
    /// −Σᵢ [xᵢ ln x̂ᵢ + (1 − xᵢ) ln(1 − x̂ᵢ)] with x̂ = sigmoid(logit), taken from the logits; x may be grey.
    CrossEntropy,
}

/// The distribution of initial values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "snake_case",
    expecting = "an initialization: write { normal_variance = \"1/784\" }, { uniform_variance = \"1/784\" } or { constant = 0.0 }, or { orthogonal = 1.0 } for weights"
)]
pub enum Initialization {
    /// Normal with mean 0 and this variance: a number, or a ratio such as `"1/784"`, `"2/fan_in"`.
    #[serde(rename = "normal_variance")]
    Normal(#[serde(with = "forms::Ratio")] Variance),
    /// Uniform with mean 0 and this variance v, so between −√(3v) and √(3v); `"2/fan_sum"` is the normalised start of Glorot
    /// and Bengio 2010, `"1/fan_in/3"` the older ±1/√fan-in.
    #[serde(rename = "uniform_variance")]
    Uniform(#[serde(with = "forms::Ratio")] Variance),
    /// Every entry the same.
    Constant(#[serde(with = "forms::Constant")] f64),
    /// A random matrix with orthonormal rows or columns, times this gain (Saxe et al. 2014); for weights only.
    Orthogonal(#[serde(with = "forms::Gain")] f64),
}

/// A variance as the literature writes it: a number, or a number over the layer's fan-in, or over its fan-in and fan-out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Variance {
    /// This number in every layer.
    Fixed {
        /// The variance.
        value: f64,
    },
    /// `scale` divided by the number of inputs of the layer that it is used in.
    OverFanIn {
        /// The variance times the fan-in.
        scale: f64,
    },
    /// `scale` divided by the numbers of inputs and units of the layer together; for weights only.
    OverFanSum {
        /// The variance times the sum of fan-in and fan-out.
        scale: f64,
    },
}

impl Variance {
    /// The variance for a layer with `fan_in` inputs and `fan_out` units.
    #[must_use]
    pub fn value(self, fan_in: usize, fan_out: usize) -> f64 {
        match self {
            Self::Fixed { value } => value,
            Self::OverFanIn { scale } => scale / fan_in as f64,
            Self::OverFanSum { scale } => scale / (fan_in + fan_out) as f64,
        }
    }
}

/// An autoencoder without its input size, which follows from the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AutoencoderSpec {
    /// Dy, the number of hidden units.
    #[serde(with = "Count")]
    pub hidden_units: usize,
    /// The nonlinearity of the hidden units.
    pub activation: Activation,
    /// Whether the decoder has weights of its own. Untied, the scale escapes into the decoder and no strokes appear.
    pub decoder: Decoder,
    /// What the decoder applies to its pre-activation.
    pub decoder_activation: DecoderActivation,
    /// How an input and its reconstruction are compared; `cross_entropy` needs sigmoid outputs.
    pub reconstruction: Reconstruction,
    /// Initial weights of the encoder.
    pub encoder_weight: Initialization,
    /// Initial biases of the hidden units.
    #[serde(deserialize_with = "forms::bias")]
    pub encoder_bias: Initialization,
    /// Initial biases of the decoder.
    pub decoder_bias: DecoderBias,
    /// Whether the decoder's bias c is taken off the input before it is encoded: h = f((x − c) W + b) (Bricken et al. 2023).
    pub subtract_decoder_bias: bool,
}

/// How the input of an autoencoder is disturbed before it is encoded, while its reconstruction is compared with
/// the undisturbed input: the denoising autoencoder (Vincent et al. 2010, section 3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(transform = words_alone)]
pub enum Corruption {
    /// Inputs are encoded as they are.
    #[default]
    None,
    /// Each input is set to 0 with this probability.
    Masking {
        /// The probability.
        #[serde(with = "forms::Share", default = "masked_fraction")]
        fraction: f64,
    },
    /// Normal noise of this standard deviation is added to each input.
    Gaussian {
        /// The standard deviation.
        #[serde(with = "forms::Deviation", default = "noise_deviation")]
        deviation: f64,
    },
}

/// What brings units back that have been silent, with an output of 0, for many images.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(transform = words_alone)]
pub enum Revive {
    /// Nothing does.
    #[default]
    None,
    /// They start again from images that are reconstructed badly (Bricken et al. 2023), in the first half of the training.
    Resample {
        /// For how many images a unit must be silent; each time that so many have passed, all such units start again.
        #[serde(with = "SilentImages", default = "silent_images")]
        silent_images: usize,
    },
    /// A term of the cost: the strongest of them learn to reconstruct what the others leave over (Gao et al. 2024, appendix
    /// A.2).
    AuxK {
        /// How many of them.
        #[serde(with = "Count", default = "auxiliary_units")]
        k: usize,
        /// The weight of the term in the cost.
        #[serde(with = "forms::Weight", default = "auxiliary_weight")]
        weight: f64,
        /// For how many images a unit must be silent.
        #[serde(with = "SilentImages", default = "silent_images")]
        silent_images: usize,
    },
}

/// A count that single precision holds exactly.
type SilentImages = Whole<1, 16_000_000>;

impl Revive {
    /// For how many images a unit must be silent; `None` where nothing brings it back.
    #[must_use]
    pub fn silent_images(self) -> Option<usize> {
        match self {
            Self::None => None,
            Self::Resample { silent_images } | Self::AuxK { silent_images, .. } => {
                Some(silent_images)
            }
        }
    }
}

/// Everything about the training of one autoencoder but its seed and its data. As a stage of greedy layer-wise pretraining
/// (Bengio et al. 2007, algorithm 1) the data are the codes of the layers below.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AutoencoderTraining {
    /// The autoencoder itself.
    pub autoencoder: AutoencoderSpec,
    /// How its code is made sparse.
    pub sparsity: Sparsity,
    /// How its input is disturbed.
    pub corruption: Corruption,
    /// What brings silent units back.
    pub revive: Revive,
    /// How it is trained.
    pub training: TrainingSpec,
    /// Epochs for which a softmax layer is trained on its codes once it is trained itself; 0 for none.
    pub probe_epochs: usize,
}

/// A classifier: hidden layers and a softmax layer on top. Input size and class count follow from the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClassifierSpec {
    /// The widths of the hidden layers, from the input up: a list, or "15 x 100"; none for softmax regression.
    #[serde(with = "forms::Widths")]
    pub hidden_units: Vec<usize>,
    /// The nonlinearity of the hidden layers.
    pub activation: Activation,
    /// Initial weights of every layer; of the softmax layer, too, unless `output_weight` says otherwise.
    pub weight: Initialization,
    /// Initial weights of the softmax layer. Those of sigmoid units are too large for it: { constant = 0 } is usual.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_weight: Option<Initialization>,
    /// Initial biases of every layer.
    #[serde(deserialize_with = "forms::bias")]
    pub bias: Initialization,
}

/// A deep autoencoder: hidden layers down to a code, and the way back through as many, as wide (Hinton and Salakhutdinov 2006).
/// Input size follows from the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DeepAutoencoderSpec {
    /// The widths of the layers from the input to the code, which is the last: a list, or "3 x 100".
    #[serde(with = "forms::Widths")]
    pub hidden_units: Vec<usize>,
    /// The nonlinearity of all hidden layers but the code.
    pub activation: Activation,
    /// The nonlinearity of the code.
    pub code_activation: Activation,
    /// What is applied to the outputs.
    pub decoder_activation: DecoderActivation,
    /// How an input and its reconstruction are compared; `cross_entropy` needs sigmoid outputs.
    pub reconstruction: Reconstruction,
    /// Initial weights of every layer, there and back.
    pub weight: Initialization,
    /// Initial biases of every layer.
    #[serde(deserialize_with = "forms::bias")]
    pub bias: Initialization,
}

impl DeepAutoencoderSpec {
    /// The nonlinearity of a layer on the way to the code, counted from 0.
    #[must_use]
    pub fn activation_of(&self, layer: usize) -> Activation {
        if layer + 1 == self.hidden_units.len() {
            self.code_activation
        } else {
            self.activation
        }
    }
}

/// Which layers of a classifier learn in its own training.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(transform = words_alone)]
pub enum TrainedLayers {
    /// Every layer.
    #[default]
    All,
    /// The softmax layer alone; hidden layers stay as they are at the start.
    Output,
    /// The softmax layer alone at first, then every layer: fine-tuning begins once the softmax layer knows the codes.
    OutputFirst {
        /// The epochs of the softmax layer alone.
        #[serde(with = "Count", default = "output_epochs")]
        epochs: usize,
    },
}

impl TrainedLayers {
    /// What learns in `epoch`, counted from 0: all, or the softmax layer.
    #[must_use]
    pub fn in_epoch(self, epoch: usize) -> Self {
        match self {
            Self::OutputFirst { epochs } if epoch < epochs => Self::Output,
            Self::OutputFirst { .. } => Self::All,
            other => other,
        }
    }
}

/// What a hidden layer is to give in its pretraining.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Its inputs, by a decoder on top of it: an autoencoder.
    #[default]
    Reconstruction,
    /// The classes, by a softmax layer on top of it: supervised greedy pretraining (Bengio et al. 2007, section 4.2).
    Classes,
}

/// Which of its epochs' models a classifier's training leaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(transform = words_alone)]
pub enum Keep {
    /// The last epoch's.
    #[default]
    Last,
    /// That of the epoch after which most validation images are put into their class; of equals that of the lower cost on
    /// them, then the earlier.
    Best {
        /// The training ends after so many epochs without a better one; with its last epoch where this is left out.
        #[serde(
            with = "Perhaps::<Count>",
            default,
            skip_serializing_if = "Option::is_none"
        )]
        patience: Option<usize>,
    },
}

/// What of a pretrained encoder reaches the classifier.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transfer {
    /// Weights and biases.
    #[default]
    Copy,
    /// The weights in random order within their layer, and the biases: a control that keeps the weights'
    /// distribution and loses what they say.
    ShuffledWeights,
    /// The same with biases 0.
    ShuffledWeightsZeroBiases,
}

/// How ρ̂ⱼ, unit j's mean activation, is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(transform = words_alone)]
pub enum MeanActivationEstimator {
    /// The mean over the current batch.
    Batch,
    /// decay · (the estimate so far) + (1 − decay) · (the mean over the batch), starting at ρ.
    RunningMean {
        /// The share of the estimate so far.
        #[serde(with = "forms::Share", default = "estimate_decay")]
        decay: f64,
    },
}

/// The update rule.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(transform = words_alone)]
pub enum OptimizerSpec {
    /// Kingma and Ba 2015, algorithm 1, with bias correction.
    Adam {
        /// β₁, the decay of the mean of gradients.
        #[serde(with = "forms::Share", default = "adam_beta_1")]
        beta_1: f64,
        /// β₂, the decay of the mean of their squares.
        #[serde(with = "forms::Share", default = "adam_beta_2")]
        beta_2: f64,
        /// ε, added to the root that divides.
        #[serde(with = "forms::Epsilon", default = "adam_epsilon")]
        epsilon: f64,
    },
    /// v ← momentum·v + g, θ ← θ − η·v: heavy-ball momentum without dampening.
    Sgd {
        /// The share of the last step that the next one keeps; where it moves, in the first epoch.
        #[serde(with = "forms::Share", default)]
        momentum: f64,
        /// Where it moves to, epoch by epoch in equal parts; it stays where this is left out.
        #[serde(
            with = "Perhaps::<forms::Share>",
            default,
            skip_serializing_if = "Option::is_none"
        )]
        final_momentum: Option<f64>,
        /// After how many epochs it is there.
        #[serde(
            with = "Count",
            default = "momentum_epochs",
            skip_serializing_if = "is_momentum_epochs"
        )]
        momentum_epochs: usize,
    },
    /// L-BFGS over all training images at once, with a line search (Nocedal and Wright 2006, algorithms 7.5 and 3.5). It has no
    /// learning rate and no batches.
    Lbfgs {
        /// Iterations of an epoch.
        #[serde(with = "Count", default = "lbfgs_iterations")]
        iterations: usize,
        /// How many of the last steps it remembers, each with twice as many numbers as the model has.
        #[serde(with = "Whole::<1, 1000>", default = "lbfgs_history")]
        history: usize,
    },
}

/// How the learning rate moves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(transform = words_alone)]
pub enum Schedule {
    /// η in every epoch.
    Constant,
    /// η·(1 − e/E) in epoch e = 0 … E − 1.
    LinearToZero,
    /// η·½(1 + cos(π t/T)) at step t = 0 … T − 1 of the whole training (Loshchilov and Hutter 2017, without restarts).
    Cosine,
    /// η·factorᵉ in epoch e = 0, 1, ….
    Exponential {
        /// What an epoch leaves of η.
        #[serde(with = "forms::Remainder", default = "rate_factor")]
        factor: f64,
    },
    /// η / (1 + e/n) in epoch e = 0, 1, …: half of η after n epochs.
    Inverse {
        /// n.
        #[serde(with = "Count", default = "rate_epochs")]
        epochs: usize,
    },
}

/// How a model is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingSpec {
    /// The update rule.
    pub optimizer: OptimizerSpec,
    /// η, the learning rate at the start, or after the warm-up.
    #[serde(with = "forms::LearningRate")]
    pub learning_rate: f64,
    /// How η moves.
    pub schedule: Schedule,
    /// Steps over which η grows from 0, linearly.
    #[serde(with = "sparsity::StepCount")]
    pub warm_up_steps: usize,
    /// Gradients of a model whose norm, over all of its parameters, is larger are scaled down to it; none are where it is
    /// left out (Pascanu et al. 2013, algorithm 1).
    #[serde(
        with = "Perhaps::<forms::Norm>",
        skip_serializing_if = "Option::is_none"
    )]
    pub largest_gradient_norm: Option<f64>,
    /// Images of a batch.
    #[serde(with = "Count")]
    pub batch_size: usize,
    /// How often every training image is seen.
    #[serde(with = "Count")]
    pub epochs: usize,
    /// λ of ½ λ Σ W² over weights; biases and slopes do not decay.
    #[serde(with = "forms::WeightDecay")]
    pub weight_decay: f64,
}

/// Adam with a constant learning rate of 5e-4, ten epochs, batches of 100: those of Figure 5-6.
impl Default for TrainingSpec {
    fn default() -> Self {
        Self {
            optimizer: OptimizerSpec::adam(),
            learning_rate: 5e-4,
            schedule: Schedule::Constant,
            warm_up_steps: 0,
            largest_gradient_norm: None,
            batch_size: 100,
            epochs: 10,
            weight_decay: 0.0,
        }
    }
}

/// 100 ramps with tied weights and a linear decoder: those of Figure 5-6.
impl Default for AutoencoderSpec {
    fn default() -> Self {
        Self {
            hidden_units: 100,
            activation: Activation::Relu,
            decoder: Decoder::Tied,
            decoder_activation: DecoderActivation::Identity,
            reconstruction: Reconstruction::SquaredError,
            encoder_weight: Initialization::normal(1.0 / 784.0),
            encoder_bias: Initialization::normal(1.0 / 7840.0),
            decoder_bias: Initialization::Constant(0.0).into(),
            subtract_decoder_bias: false,
        }
    }
}

/// Sigmoid units around a linear code of 30: those of Hinton and Salakhutdinov 2006, with Glorot and Bengio's start.
impl Default for DeepAutoencoderSpec {
    fn default() -> Self {
        Self {
            hidden_units: vec![1000, 500, 250, 30],
            activation: Activation::Sigmoid,
            code_activation: Activation::Identity,
            decoder_activation: DecoderActivation::Sigmoid,
            reconstruction: Reconstruction::CrossEntropy,
            weight: Initialization::Uniform(Variance::OverFanSum { scale: 2.0 }),
            bias: Initialization::Constant(0.0),
        }
    }
}

/// Softmax regression; hidden layers, where there are any, of ramps.
impl Default for ClassifierSpec {
    fn default() -> Self {
        Self {
            hidden_units: Vec::new(),
            activation: Activation::Relu,
            weight: Initialization::normal(1.0 / 784.0),
            output_weight: None,
            bias: Initialization::normal(1.0 / 7840.0),
        }
    }
}

// Defaults of a choice's own keys.
defaults! {
    prelu_slope: f64 = 0.25;
    leaky_slope: f64 = 0.01;
    masked_fraction: f64 = 0.25;
    noise_deviation: f64 = 0.3;
    silent_images: usize = 10_000;
    auxiliary_units: usize = 64;
    auxiliary_weight: f64 = 1.0 / 32.0;
    output_epochs: usize = 5;
    estimate_decay: f64 = 0.99;
    momentum_epochs: usize = 10;
    rate_factor: f64 = 0.95;
    rate_epochs: usize = 10;
    adam_beta_1: f64 = 0.9;
    adam_beta_2: f64 = 0.999;
    adam_epsilon: f64 = 1e-8;
    lbfgs_iterations: usize = 20;
    lbfgs_history: usize = 20;
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_momentum_epochs(epochs: &usize) -> bool {
    *epochs == momentum_epochs()
}

impl OptimizerSpec {
    /// What L-BFGS has no use for of the keys beside it.
    pub(crate) const NOT_OF_LBFGS: [&str; 5] = [
        "learning_rate",
        "schedule",
        "warm_up_steps",
        "largest_gradient_norm",
        "batch_size",
    ];

    /// Gradient descent with this momentum throughout.
    #[must_use]
    pub fn sgd(momentum: f64) -> Self {
        Self::Sgd {
            momentum,
            final_momentum: None,
            momentum_epochs: momentum_epochs(),
        }
    }

    /// The momentum of gradient descent in epoch `epoch`, counted from 0; other rules have none.
    #[must_use]
    pub fn momentum_at(self, epoch: usize) -> f64 {
        match self {
            Self::Adam { .. } | Self::Lbfgs { .. } => 0.0,
            Self::Sgd {
                momentum,
                final_momentum,
                momentum_epochs,
            } => {
                let share = (epoch as f64 / momentum_epochs as f64).min(1.0);
                momentum + share * (final_momentum.unwrap_or(momentum) - momentum)
            }
        }
    }

    /// Adam with the constants of its paper.
    #[must_use]
    pub fn adam() -> Self {
        Self::Adam {
            beta_1: adam_beta_1(),
            beta_2: adam_beta_2(),
            epsilon: adam_epsilon(),
        }
    }
}

impl Initialization {
    /// Normal with mean 0 and this variance, in every layer.
    #[must_use]
    pub fn normal(variance: f64) -> Self {
        Self::Normal(Variance::Fixed { value: variance })
    }
}

impl TrainingSpec {
    /// The learning rate of step `step` of an epoch that has so many, all counted from 0; of L-BFGS, the length of the step
    /// that is tried first.
    #[must_use]
    pub fn learning_rate_at(&self, epoch: usize, step: usize, steps: usize) -> f64 {
        if self.iterations().is_some() {
            return 1.0;
        }
        let done = epoch as f64 * steps as f64 + step as f64;
        let moved = match self.schedule {
            Schedule::Constant => self.learning_rate,
            Schedule::LinearToZero => {
                self.learning_rate * (1.0 - epoch as f64 / self.epochs as f64)
            }
            Schedule::Cosine => {
                let share = done / (self.epochs * steps) as f64;
                self.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * share).cos())
            }
            Schedule::Exponential { factor } => self.learning_rate * factor.powf(epoch as f64),
            Schedule::Inverse { epochs } => {
                self.learning_rate / (1.0 + epoch as f64 / epochs as f64)
            }
        };
        if done >= self.warm_up_steps as f64 {
            return moved;
        }
        moved * (done + 1.0) / self.warm_up_steps as f64
    }

    /// Iterations of an epoch, each over all examples at once, where that is how it is trained.
    #[must_use]
    pub fn iterations(&self) -> Option<usize> {
        match self.optimizer {
            OptimizerSpec::Lbfgs { iterations, .. } => Some(iterations),
            _ => None,
        }
    }

    /// Steps of an epoch on so many examples.
    #[must_use]
    pub fn steps(&self, examples: usize) -> usize {
        let batches = || examples.div_ceil(self.batch_size);
        self.iterations().unwrap_or_else(batches)
    }

    /// Examples of a step, of so many.
    #[must_use]
    pub fn batch(&self, examples: usize) -> usize {
        self.iterations().map_or(self.batch_size, |_| examples)
    }

    /// How often an epoch goes over all examples; line searches that need more than one look at them are not counted.
    #[must_use]
    pub fn passes(&self) -> usize {
        self.iterations().unwrap_or(1)
    }
}

/// A backend by the name that configs and flags use. Whether this build has it is for `backend` to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackendName {
    /// CPU, the fastest here.
    Flex,
    /// CPU.
    Ndarray,
    /// Any GPU, by WebGPU.
    Wgpu,
    /// NVIDIA GPUs, in a build with `cuda`.
    Cuda,
    /// GPUs by Vulkan, in a build with `vulkan`.
    Vulkan,
    /// Apple GPUs, in a build with `metal`.
    Metal,
    /// What `layerwise serve` offers at run.address, in a build with `remote`.
    Remote,
}

impl BackendName {
    /// Every backend, whether this build has it or not.
    pub const ALL: [Self; 7] = [
        Self::Flex,
        Self::Ndarray,
        Self::Wgpu,
        Self::Cuda,
        Self::Vulkan,
        Self::Metal,
        Self::Remote,
    ];

    /// The name as configs and flags write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::Ndarray => "ndarray",
            Self::Wgpu => "wgpu",
            Self::Cuda => "cuda",
            Self::Vulkan => "vulkan",
            Self::Metal => "metal",
            Self::Remote => "remote",
        }
    }
}

impl fmt::Display for BackendName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relu => f.write_str("ramp"),
            Self::Prelu { initial_slope } => write!(f, "PReLU from {initial_slope}"),
            Self::LeakyRelu { slope } => write!(f, "leaky ramp {slope}"),
            Self::Sigmoid => f.write_str("sigmoid"),
            Self::Tanh => f.write_str("tanh"),
            Self::Softsign => f.write_str("softsign"),
            Self::Identity => f.write_str("linear"),
        }
    }
}

impl fmt::Display for Initialization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal(variance) => write!(f, "N(0, {variance})"),
            Self::Uniform(variance) => write!(f, "uniform of variance {variance}"),
            Self::Constant(value) => write!(f, "{value}"),
            Self::Orthogonal(gain) => write!(f, "orthogonal × {gain:.3}"),
        }
    }
}

/// As the literature writes it: `1/784` for a variance whose inverse is whole, `2/fan_in`.
impl fmt::Display for Variance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let over = |value: f64| {
            let inverse = 1.0 / value;
            ((inverse - inverse.round()).abs() < 1e-6 * inverse && inverse > 1.5)
                .then(|| inverse.round())
        };
        match *self {
            Self::Fixed { value } => match over(value) {
                Some(divisor) => write!(f, "1/{divisor}"),
                None => write!(f, "{value}"),
            },
            Self::OverFanIn { scale } => match over(scale) {
                Some(divisor) => write!(f, "1/fan_in/{divisor}"),
                None => write!(f, "{scale}/fan_in"),
            },
            Self::OverFanSum { scale } => write!(f, "{scale}/(fan_in + fan_out)"),
        }
    }
}

impl fmt::Display for TrainingSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.optimizer {
            OptimizerSpec::Lbfgs { .. } => f.write_str("L-BFGS")?,
            OptimizerSpec::Sgd {
                momentum,
                final_momentum: Some(last),
                ..
            } => write!(f, "SGD with momentum {momentum} to {last} and rate")?,
            OptimizerSpec::Sgd { momentum: 0.0, .. } => f.write_str("SGD")?,
            OptimizerSpec::Sgd { momentum, .. } => {
                write!(f, "SGD with momentum {momentum} and rate")?;
            }
            OptimizerSpec::Adam { .. } => f.write_str("Adam")?,
        }
        if let Some(iterations) = self.iterations() {
            write!(f, ", {}", counted(iterations * self.epochs, "iteration"))?;
        } else {
            write!(f, " {}", self.learning_rate)?;
            match self.schedule {
                Schedule::Constant => {}
                Schedule::LinearToZero => f.write_str(" falling to 0")?,
                Schedule::Cosine => f.write_str(" falling as a cosine")?,
                Schedule::Exponential { factor } => write!(f, " times {factor} an epoch")?,
                Schedule::Inverse { epochs } => {
                    write!(f, " halved after {}", counted(epochs, "epoch"))?;
                }
            }
            if self.warm_up_steps > 0 {
                write!(f, " after {}", counted(self.warm_up_steps, "warm-up step"))?;
            }
            write!(f, ", {}", counted(self.epochs, "epoch"))?;
        }
        if self.weight_decay > 0.0 {
            write!(f, ", weight decay {}", self.weight_decay)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_momenta_move_epoch_by_epoch() {
        let bits = |numbers: [f64; 4]| numbers.map(f64::to_bits);
        let rates = |schedule| {
            let training = TrainingSpec {
                schedule,
                learning_rate: 8.0,
                ..TrainingSpec::default()
            };
            [0, 1, 2, 4].map(|epoch| training.learning_rate_at(epoch, 3, 5).to_bits())
        };
        let halved = Schedule::Exponential { factor: 0.5 };
        assert_eq!(rates(halved), bits([8.0, 4.0, 2.0, 0.5]));
        let inverse = Schedule::Inverse { epochs: 2 };
        assert_eq!(rates(inverse), bits([8.0, 8.0 / 1.5, 4.0, 8.0 / 3.0]));
        let moving = OptimizerSpec::Sgd {
            momentum: 0.5,
            final_momentum: Some(0.75),
            momentum_epochs: 2,
        };
        let momenta = |of: OptimizerSpec| [0, 1, 2, 9].map(|epoch| of.momentum_at(epoch).to_bits());
        assert_eq!(momenta(moving), bits([0.5, 0.625, 0.75, 0.75]));
        assert_eq!(momenta(OptimizerSpec::sgd(0.3)), bits([0.3; 4]));
    }

    #[test]
    fn variances_read_as_the_literature_writes_them() {
        let fixed = |value| Variance::Fixed { value }.to_string();
        assert_eq!(
            [fixed(1.0 / 784.0), fixed(0.1), fixed(1.0), fixed(0.3)],
            ["1/784", "1/10", "1", "0.3"]
        );
        let over = |scale| Variance::OverFanIn { scale }.to_string();
        assert_eq!(
            [over(1.0), over(2.0), over(0.1)],
            ["1/fan_in", "2/fan_in", "1/fan_in/10"]
        );
    }
}
