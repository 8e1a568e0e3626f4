//! The vocabulary of an experiment: plain, already checked descriptions of models, costs and training.
//!
//! Every room may use these types; they hold no tensors, read no files and know no configuration syntax.
//! A value of one of them is valid by the time it exists: `config` checks every number before it builds one.

use serde::{Deserialize, Serialize};

/// A unit's nonlinearity, in the encoder.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// max(0, z): the book's ramp.
    Relu,
    /// max(0, z) + a·min(0, z) with one learnt slope `a` per member (He et al. 2015, eq. 1).
    Prelu { initial_slope: f64 },
    /// max(0, z) + a·min(0, z) with a fixed slope.
    LeakyRelu { slope: f64 },
    /// 1 / (1 + exp(−z)).
    Sigmoid,
    /// tanh(z).
    Tanh,
}

/// What the decoder applies to its pre-activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecoderActivation {
    Identity,
    Sigmoid,
}

/// Where the decoder's weights come from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decoder {
    /// The encoder's weights, transposed.
    Tied,
    /// Weights of its own, drawn from this distribution.
    Untied { weight: Initialization },
}

/// How an input and its reconstruction are compared; summed over inputs, averaged over the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reconstruction {
    /// ½ Σᵢ (x̂ᵢ − xᵢ)².
    SquaredError,
    /// −Σᵢ [xᵢ ln x̂ᵢ + (1 − xᵢ) ln(1 − x̂ᵢ)] with x̂ = sigmoid(logit), taken from the logits; x may be grey.
    CrossEntropy,
}

/// The distribution of initial values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Initialization {
    /// Normal with mean 0.
    Normal { variance: Variance },
    /// Every entry the same.
    Constant { value: f64 },
}

/// A variance as the literature writes it: a number, or a number over the layer's fan-in.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variance {
    /// This number in every layer.
    Fixed { value: f64 },
    /// `scale` divided by the number of inputs of the layer that it is used in.
    OverFanIn { scale: f64 },
}

impl Variance {
    /// The variance for a layer with `fan_in` inputs.
    #[must_use]
    pub fn value(self, fan_in: usize) -> f64 {
        match self {
            Self::Fixed { value } => value,
            Self::OverFanIn { scale } => scale / fan_in as f64,
        }
    }
}

/// An autoencoder without its input size, which follows from the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AutoencoderSpec {
    /// Dy, the number of hidden units.
    pub hidden_units: usize,
    pub activation: Activation,
    pub decoder: Decoder,
    pub decoder_activation: DecoderActivation,
    pub reconstruction: Reconstruction,
    pub encoder_weight: Initialization,
    pub encoder_bias: Initialization,
    pub decoder_bias: Initialization,
}

/// The sparsity term β Σⱼ KL(ρ‖ρ̂ⱼ), without β, which differs from member to member.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SparsitySpec {
    /// ρ, the mean activation asked of every unit; in (0, 1).
    pub target: f64,
    pub estimator: MeanActivationEstimator,
    /// ρ̂ is held inside [clamp, 1 − clamp] before the divergence is taken; in (0, ½).
    pub clamp: f64,
}

/// How ρ̂ⱼ, unit j's mean activation, is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeanActivationEstimator {
    /// The mean over the current batch.
    Batch,
    /// decay · (the estimate so far) + (1 − decay) · (the mean over the batch), starting at ρ.
    RunningMean { decay: f64 },
}

/// The update rule.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptimizerSpec {
    /// v ← momentum·v + g, θ ← θ − η·v: heavy-ball momentum without dampening.
    Sgd { momentum: f64 },
    /// Kingma and Ba 2015, algorithm 1, with bias correction.
    Adam {
        beta_1: f64,
        beta_2: f64,
        epsilon: f64,
    },
}

/// How the learning rate moves over epochs; it is constant within an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    Constant,
    /// η·(1 − e/E) in epoch e = 0 … E − 1.
    LinearToZero,
}

/// How a model is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingSpec {
    pub optimizer: OptimizerSpec,
    /// η at the first epoch.
    pub learning_rate: f64,
    pub schedule: Schedule,
    pub batch_size: usize,
    pub epochs: usize,
    /// λ of ½ λ Σ W² over weights; biases and slopes do not decay.
    pub weight_decay: f64,
}

impl TrainingSpec {
    /// The learning rate during `epoch`, counted from 0.
    #[must_use]
    pub fn learning_rate_at(&self, epoch: usize) -> f64 {
        match self.schedule {
            Schedule::Constant => self.learning_rate,
            Schedule::LinearToZero => {
                self.learning_rate * (1.0 - epoch as f64 / self.epochs as f64)
            }
        }
    }
}

/// A backend by the name that configs and flags use. Whether this build has it is for `backend` to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackendName {
    Flex,
    Ndarray,
    Wgpu,
    Cuda,
    Vulkan,
    Metal,
}

impl BackendName {
    pub const ALL: [Self; 6] = [
        Self::Flex,
        Self::Ndarray,
        Self::Wgpu,
        Self::Cuda,
        Self::Vulkan,
        Self::Metal,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::Ndarray => "ndarray",
            Self::Wgpu => "wgpu",
            Self::Cuda => "cuda",
            Self::Vulkan => "vulkan",
            Self::Metal => "metal",
        }
    }
}

impl std::fmt::Display for BackendName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
