//! How a code is made sparse: by a term of the cost that asks for it, or by a choice of the units that stay on.
//!
//! In a config all kinds share one section, whose key `kind` says which other keys it has. Here each kind is a variant with
//! its own numbers and no others.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::forms::{self, Form, Perhaps};
use super::{Count, MeanActivationEstimator, Whole};

/// How many steps of training something may last.
pub(super) type StepCount = Whole<0, 1_000_000_000>;

/// Epochs of a softmax layer on frozen codes.
pub(crate) type ProbeEpochs = Whole<0, 1_000_000>;

/// How codes are made sparse.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Written", tag = "kind", rename_all = "snake_case")]
#[schemars(with = "Written")]
pub enum Sparsity {
    /// Not at all.
    None,
    /// The term β Σⱼ KL(ρ‖ρ̂ⱼ) of Okatani, *Deep Learning*, section 5.3.3.
    Kl(KlSparsity),
    /// The term λ Σⱼ |hⱼ|, as a mean over the batch.
    L1(L1Sparsity),
    /// The k largest of an image's units stay, the others are 0 (Makhzani and Frey 2013; Gao et al. 2024, section 2.3).
    #[serde(rename = "topk")]
    TopK {
        /// k.
        k: usize,
    },
    /// Of a batch of n images the n·k largest stay (Bussmann et al. 2024).
    #[serde(rename = "batch_topk")]
    BatchTopK(BatchTopKSparsity),
    /// Units at or below a learnt threshold are 0, and the cost counts the others: λ · L0 (Rajamanoharan et al. 2024).
    JumpRelu(JumpReluSparsity),
}

/// The numbers of β Σⱼ KL(ρ‖ρ̂ⱼ).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct KlSparsity {
    /// β, at least 0; 0 is no sparsity.
    pub weight: f64,
    /// ρ, the mean activation asked of every unit; in (0, 1).
    pub target: f64,
    /// How ρ̂, the mean activation of each unit, is estimated.
    pub estimator: MeanActivationEstimator,
    /// ρ̂ is held inside [clamp, 1 − clamp] before the divergence is taken; in (0, ½).
    pub clamp: f64,
    /// Steps over which β grows from 0.
    pub warm_up_steps: usize,
}

/// The numbers of λ Σⱼ |hⱼ|.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct L1Sparsity {
    /// λ, at least 0.
    pub weight: f64,
    /// Whether each |hⱼ| counts ‖W̃ⱼ‖ times, so that a unit gains nothing by a small output and large decoder weights
    /// (Templeton et al. 2024).
    pub decoder_norms: bool,
    /// Steps over which λ grows from 0.
    pub warm_up_steps: usize,
}

/// The numbers of the choice over a batch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BatchTopKSparsity {
    /// k, the units that stay of an image on average.
    pub k: usize,
    /// Outside of training a unit stays if it is above a threshold, the running mean over batches of the smallest that
    /// stayed (Bussmann et al. 2024); this is the share of the mean so far.
    pub threshold_decay: f64,
}

/// The numbers of learnt thresholds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct JumpReluSparsity {
    /// λ, at least 0.
    pub weight: f64,
    /// θ of every unit before the first step; above 0.
    pub threshold: f64,
    /// ε, the width around θ in which a unit's sum teaches its threshold.
    pub bandwidth: f64,
    /// Steps over which λ grows from 0.
    pub warm_up_steps: usize,
}

/// A kind of sparsity, without its numbers.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum SparsityKind {
    /// As of [`Sparsity::None`].
    None,
    /// As of [`Sparsity::Kl`].
    Kl,
    /// As of [`Sparsity::L1`].
    L1,
    /// As of [`Sparsity::TopK`].
    #[serde(rename = "topk")]
    TopK,
    /// As of [`Sparsity::BatchTopK`].
    #[serde(rename = "batch_topk")]
    BatchTopK,
    /// As of [`Sparsity::JumpRelu`].
    JumpRelu,
}

impl SparsityKind {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::None,
        Self::Kl,
        Self::L1,
        Self::TopK,
        Self::BatchTopK,
        Self::JumpRelu,
    ];

    /// The word that configs use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Kl => "kl",
            Self::L1 => "l1",
            Self::TopK => "topk",
            Self::BatchTopK => "batch_topk",
            Self::JumpRelu => "jump_relu",
        }
    }

    /// What papers call its weight, where it has one.
    pub(crate) fn symbol_of_weight(self) -> &'static str {
        match self {
            Self::L1 | Self::JumpRelu => "λ",
            Self::None | Self::Kl | Self::TopK | Self::BatchTopK => "β",
        }
    }

    /// Whether it chooses units that stay on, and keeps all others off.
    pub(crate) fn is_choice(self) -> bool {
        match self {
            Self::None | Self::Kl | Self::L1 => false,
            Self::TopK | Self::BatchTopK | Self::JumpRelu => true,
        }
    }

    /// The keys that its section has beside `kind`.
    pub(crate) fn keys(self) -> &'static [&'static str] {
        match self {
            Self::None => &[],
            Self::Kl => &["weight", "target", "estimator", "clamp", "warm_up_steps"],
            Self::L1 => &["weight", "decoder_norms", "warm_up_steps"],
            Self::TopK => &["k"],
            Self::BatchTopK => &["k", "threshold_decay"],
            Self::JumpRelu => &["weight", "threshold", "bandwidth", "warm_up_steps"],
        }
    }
}

/// As papers write it.
impl fmt::Display for SparsityKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Kl => "KL",
            Self::L1 => "L1",
            Self::TopK => "TopK",
            Self::BatchTopK => "BatchTopK",
            Self::JumpRelu => "JumpReLU",
        })
    }
}

/// The KL term with weight 0, which is no sparsity at all; the rest is that of Figure 5-6.
impl Default for Sparsity {
    fn default() -> Self {
        Self::Kl(KlSparsity::default())
    }
}

/// No sparsity at all; the rest is that of Figure 5-6.
impl Default for KlSparsity {
    fn default() -> Self {
        Self {
            weight: 0.0,
            target: 0.05,
            estimator: MeanActivationEstimator::RunningMean { decay: 0.99 },
            clamp: 0.01,
            warm_up_steps: 0,
        }
    }
}

/// λ = 0.1, with the norms of the decoder.
impl Default for L1Sparsity {
    fn default() -> Self {
        Self {
            weight: 0.1,
            decoder_norms: true,
            warm_up_steps: 0,
        }
    }
}

/// k = 32.
impl Default for BatchTopKSparsity {
    fn default() -> Self {
        Self {
            k: DEFAULT_K,
            threshold_decay: 0.99,
        }
    }
}

/// λ = 0.01, thresholds from 0.1.
impl Default for JumpReluSparsity {
    fn default() -> Self {
        Self {
            weight: 0.01,
            threshold: 0.1,
            bandwidth: 0.1,
            warm_up_steps: 0,
        }
    }
}

const DEFAULT_K: usize = 32;

impl Sparsity {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> SparsityKind {
        match self {
            Self::None => SparsityKind::None,
            Self::Kl(_) => SparsityKind::Kl,
            Self::L1(_) => SparsityKind::L1,
            Self::TopK { .. } => SparsityKind::TopK,
            Self::BatchTopK(_) => SparsityKind::BatchTopK,
            Self::JumpRelu(_) => SparsityKind::JumpRelu,
        }
    }

    /// β or λ, the weight of its term in the cost; 0 where it has none.
    #[must_use]
    pub fn weight(&self) -> f64 {
        match self {
            Self::Kl(KlSparsity { weight, .. })
            | Self::L1(L1Sparsity { weight, .. })
            | Self::JumpRelu(JumpReluSparsity { weight, .. }) => *weight,
            Self::None | Self::TopK { .. } | Self::BatchTopK(_) => 0.0,
        }
    }

    /// The same with another weight, where it has one.
    #[must_use]
    pub fn with_weight(mut self, new: f64) -> Self {
        match &mut self {
            Self::Kl(KlSparsity { weight, .. })
            | Self::L1(L1Sparsity { weight, .. })
            | Self::JumpRelu(JumpReluSparsity { weight, .. }) => *weight = new,
            Self::None | Self::TopK { .. } | Self::BatchTopK(_) => {}
        }
        self
    }

    /// k, where a number of units stays.
    #[must_use]
    pub fn k(&self) -> Option<usize> {
        match self {
            Self::TopK { k } | Self::BatchTopK(BatchTopKSparsity { k, .. }) => Some(*k),
            _ => None,
        }
    }

    /// Steps over which its weight grows from 0.
    #[must_use]
    pub fn warm_up_steps(&self) -> usize {
        match self {
            Self::Kl(KlSparsity { warm_up_steps, .. })
            | Self::L1(L1Sparsity { warm_up_steps, .. })
            | Self::JumpRelu(JumpReluSparsity { warm_up_steps, .. }) => *warm_up_steps,
            Self::None | Self::TopK { .. } | Self::BatchTopK(_) => 0,
        }
    }
}

/// `β 0.1`, `TopK, k = 32`.
impl fmt::Display for Sparsity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("no sparsity"),
            Self::Kl(term) => write!(f, "β {}", term.weight),
            Self::L1(term) => write!(f, "L1, λ {}", term.weight),
            Self::JumpRelu(term) => write!(f, "JumpReLU, λ {}", term.weight),
            Self::TopK { k } | Self::BatchTopK(BatchTopKSparsity { k, .. }) => {
                write!(f, "{}, k = {k}", self.kind())
            }
        }
    }
}

/// How codes are made sparse: which keys there are beside `kind` depends on it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Written {
    /// none; kl: β Σⱼ KL(ρ‖ρ̂ⱼ) (Okatani, Deep Learning, section 5.3.3); l1: λ Σⱼ |hⱼ|; topk: the k largest units of an
    /// image stay (Makhzani and Frey 2013; Gao et al. 2024); `batch_topk`: the largest of a batch stay (Bussmann et al.
    /// 2024); `jump_relu`: units above learnt thresholds stay (Rajamanoharan et al. 2024). "kl" where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<SparsityKind>,
    /// Of kl: β; of l1 and `jump_relu`: λ. At least 0; 0 is no sparsity.
    #[serde(
        with = "Perhaps::<forms::Weight>",
        skip_serializing_if = "Option::is_none"
    )]
    weight: Option<f64>,
    /// Of kl: ρ, the mean activation asked of every unit; in (0, 1).
    #[serde(
        with = "Perhaps::<forms::Target>",
        skip_serializing_if = "Option::is_none"
    )]
    target: Option<f64>,
    /// Of kl: how ρ̂, the mean activation of each unit, is estimated.
    #[serde(skip_serializing_if = "Option::is_none")]
    estimator: Option<MeanActivationEstimator>,
    /// Of kl: ρ̂ is held inside [clamp, 1 − clamp] before the divergence is taken; in (0, ½).
    #[serde(
        with = "Perhaps::<forms::Clamp>",
        skip_serializing_if = "Option::is_none"
    )]
    clamp: Option<f64>,
    /// Of l1: whether each |hⱼ| counts ‖W̃ⱼ‖ times, W̃ⱼ being the unit's decoder weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    decoder_norms: Option<bool>,
    /// Of topk and `batch_topk`: how many units stay of an image; of a batch, on average.
    #[serde(with = "Perhaps::<Count>", skip_serializing_if = "Option::is_none")]
    k: Option<usize>,
    /// Of `batch_topk`: the share of the mean so far in the running mean of thresholds that evaluation uses.
    #[serde(
        with = "Perhaps::<forms::Share>",
        skip_serializing_if = "Option::is_none"
    )]
    threshold_decay: Option<f64>,
    /// Of `jump_relu`: θ of every unit before the first step.
    #[serde(
        with = "Perhaps::<forms::Threshold>",
        skip_serializing_if = "Option::is_none"
    )]
    threshold: Option<f64>,
    /// Of `jump_relu`: ε, the width around θ in which a unit's sum teaches its threshold.
    #[serde(
        with = "Perhaps::<forms::Threshold>",
        skip_serializing_if = "Option::is_none"
    )]
    bandwidth: Option<f64>,
    /// Of kl, l1 and `jump_relu`: steps over which the weight grows from 0, linearly.
    #[serde(with = "Perhaps::<StepCount>", skip_serializing_if = "Option::is_none")]
    warm_up_steps: Option<usize>,
}

/// Keys of another kind than the one named are refused; without a kind, they are those of whatever kind a section that
/// this is put over has.
impl TryFrom<Written> for Sparsity {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let kind = written.kind.unwrap_or(SparsityKind::Kl);
        let there = serde_json::to_value(&written).map_err(|error| error.to_string())?;
        let names = there.as_object().into_iter().flat_map(|keys| keys.keys());
        let mut foreign =
            names.filter(|name| *name != "kind" && !kind.keys().contains(&name.as_str()));
        if let (Some(_), Some(name)) = (written.kind, foreign.next()) {
            return Err(format!(
                "has `{name}`, which kind = \"{}\" has not\nremove it",
                kind.word()
            ));
        }
        let kl = KlSparsity::default();
        let l1 = L1Sparsity::default();
        let batch = BatchTopKSparsity::default();
        let jump = JumpReluSparsity::default();
        Ok(match kind {
            SparsityKind::None => Self::None,
            SparsityKind::Kl => Self::Kl(KlSparsity {
                weight: written.weight.unwrap_or(kl.weight),
                target: written.target.unwrap_or(kl.target),
                estimator: written.estimator.unwrap_or(kl.estimator),
                clamp: written.clamp.unwrap_or(kl.clamp),
                warm_up_steps: written.warm_up_steps.unwrap_or(0),
            }),
            SparsityKind::L1 => Self::L1(L1Sparsity {
                weight: written.weight.unwrap_or(l1.weight),
                decoder_norms: written.decoder_norms.unwrap_or(l1.decoder_norms),
                warm_up_steps: written.warm_up_steps.unwrap_or(0),
            }),
            SparsityKind::TopK => Self::TopK {
                k: written.k.unwrap_or(DEFAULT_K),
            },
            SparsityKind::BatchTopK => Self::BatchTopK(BatchTopKSparsity {
                k: written.k.unwrap_or(batch.k),
                threshold_decay: written.threshold_decay.unwrap_or(batch.threshold_decay),
            }),
            SparsityKind::JumpRelu => Self::JumpRelu(JumpReluSparsity {
                weight: written.weight.unwrap_or(jump.weight),
                threshold: written.threshold.unwrap_or(jump.threshold),
                bandwidth: written.bandwidth.unwrap_or(jump.bandwidth),
                warm_up_steps: written.warm_up_steps.unwrap_or(0),
            }),
        })
    }
}
