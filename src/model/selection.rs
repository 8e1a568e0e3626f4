//! Which units of a code stay on: all, the largest, or those above a threshold.

use burn::module::Param;
use burn::tensor::{Device, Tensor};

use super::layer::parameter;
use crate::ops::{self, Largest};
use crate::spec::{BatchTopKSparsity, JumpReluSparsity, Sparsity};

/// The choice, with what it needs beside the thresholds that a model carries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Selection {
    /// Every unit stays.
    All,
    /// The k largest of an image.
    TopK {
        /// k.
        k: usize,
    },
    /// Of a batch of n images the n·k largest; outside of training those above a threshold.
    BatchTopK {
        /// k.
        k: usize,
        /// The share of the mean so far in the running mean of thresholds.
        decay: f64,
    },
    /// Those above learnt thresholds.
    JumpRelu {
        /// ε, the width around a threshold in which a unit's sum teaches it.
        bandwidth: f64,
    },
}

impl Selection {
    /// The choice that a kind of sparsity makes.
    #[must_use]
    pub fn of(sparsity: &Sparsity) -> Self {
        match *sparsity {
            Sparsity::None | Sparsity::Kl(_) | Sparsity::L1(_) => Self::All,
            Sparsity::TopK { k } => Self::TopK { k },
            Sparsity::BatchTopK(BatchTopKSparsity { k, threshold_decay }) => Self::BatchTopK {
                k,
                decay: threshold_decay,
            },
            Sparsity::JumpRelu(JumpReluSparsity { bandwidth, .. }) => Self::JumpRelu { bandwidth },
        }
    }
}

/// A batch's code on its way into a cost.
#[derive(Debug, Clone)]
pub struct Code {
    /// What the units give before any is switched off, `[member, batch, unit]`.
    pub activity: Tensor<3>,
    /// h, `[member, batch, unit]`.
    pub h: Tensor<3>,
    /// L0, the mean number of units that stay on, as learnt thresholds are taught by it: `[member, 1, 1]`.
    pub(super) count: Option<Tensor<3>>,
}

/// The thresholds of models before their first step: that of the batch, `[member, 1, 1]`, and the logarithms of learnt
/// ones, `[member, 1, unit]`.
pub(super) fn thresholds(
    sparsity: &Sparsity,
    members: usize,
    units: usize,
    device: &Device,
) -> [Option<Param<Tensor<3>>>; 2] {
    match sparsity {
        // Below every output: before the first step no threshold is known.
        Sparsity::BatchTopK(_) => {
            let unknown = parameter(vec![UNKNOWN; members], [members, 1, 1], device);
            [Some(unknown.set_require_grad(false)), None]
        }
        Sparsity::JumpRelu(JumpReluSparsity { threshold, .. }) => {
            let start = vec![threshold.ln() as f32; members * units];
            [None, Some(parameter(start, [members, 1, units], device))]
        }
        _ => [None, None],
    }
}

const UNKNOWN: f32 = -1.0;

/// Units above a threshold; the others are 0.
///
/// # Shapes
///
/// - activity: `[member, batch, unit]`; threshold: `[member, 1, unit]` or `[member, 1, 1]`
pub(super) fn above(activity: Tensor<3>, threshold: Tensor<3>) -> Tensor<3> {
    let is_on = activity.clone().greater(threshold.expand(activity.dims()));
    activity * is_on.float()
}

/// The code of learnt thresholds θ = exp(`log_threshold`), and L0, with straight-through gradients (Rajamanoharan et al.
/// 2024, equations 11 and 12): with K the indicator of |u| < ½,
///
/// ∂h/∂θ = −(θ/ε) K((a − θ)/ε) and ∂L0/∂θ = −(1/ε) K((a − θ)/ε) for units that give a > 0, and ∂h/∂a = 1 where a > θ.
pub(super) fn jump(activity: Tensor<3>, log_threshold: Tensor<3>, bandwidth: f64) -> Code {
    let theta = log_threshold.exp();
    let (a, at) = (activity.clone().inner(), theta.clone().inner());
    let shape = a.dims();
    let is_on = a.clone().greater(at.clone().expand(shape)).float();
    let gap = a.clone() - at.clone();
    let is_near = gap.abs().lower_scalar(0.5 * bandwidth).float() * a.greater_scalar(0.0).float();
    let slope = is_near.mul_scalar(1.0 / bandwidth);
    // Nothing in value; what θ is taught goes through it.
    let moved = theta - at.clone();
    let h = activity.clone() * is_on.clone() - slope.clone() * at * moved.clone();
    let count = is_on - slope * moved;
    Code {
        activity,
        h,
        count: Some(count.sum_dim(2).mean_dim(1)),
    }
}

/// The running mean of batches' thresholds after one more batch: its threshold is the smallest entry of h that is not 0.
///
/// # Shapes
///
/// - threshold: `[member, 1, 1]`; h: `[member, batch, unit]`, outside of any graph
pub(super) fn threshold_after(threshold: Tensor<3>, h: Tensor<3>, decay: f64) -> Tensor<3> {
    let is_off = h.clone().equal_scalar(0.0);
    let smallest = h.mask_fill(is_off, f32::MAX).min_dim(2).min_dim(1);
    // Where nothing stayed on, nothing is learnt.
    let nothing = smallest.clone().equal_scalar(f32::MAX);
    let news = smallest.mask_where(nothing, threshold.clone());
    let is_first = threshold.clone().lower_scalar(0.0);
    let mixed = threshold.mul_scalar(decay) + news.clone().mul_scalar(1.0 - decay);
    mixed.mask_where(is_first, news)
}

/// The code of a batch in training.
pub(super) fn of_batch(
    selection: Selection,
    activity: Tensor<3>,
    log_threshold: Option<Tensor<3>>,
) -> Code {
    let largest = match (selection, log_threshold) {
        (Selection::TopK { k }, _) => Largest::OfImage(k),
        (Selection::BatchTopK { k, .. }, _) => Largest::OfBatch(k),
        (Selection::JumpRelu { bandwidth }, Some(log_threshold)) => {
            return jump(activity, log_threshold, bandwidth);
        }
        (Selection::All | Selection::JumpRelu { .. }, _) => {
            return Code {
                h: activity.clone(),
                activity,
                count: None,
            };
        }
    };
    Code {
        h: ops::keep_largest(activity.clone(), largest),
        activity,
        count: None,
    }
}

/// The code as it is outside of training, from what the units give.
pub(super) fn outside_of_training(
    selection: Selection,
    activity: Tensor<3>,
    threshold: Option<Tensor<3>>,
) -> Tensor<3> {
    match (selection, threshold) {
        (Selection::TopK { k }, _) => ops::keep_largest(activity, Largest::OfImage(k)),
        (Selection::BatchTopK { .. } | Selection::JumpRelu { .. }, Some(threshold)) => {
            above(activity, threshold)
        }
        _ => activity,
    }
}
