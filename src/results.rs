//! What a run found, as plain numbers: no tensors, no files, no drawing.
//!
//! `experiment` fills these structs, `run_dir` writes and reads them, `report` draws them. Nothing here
//! depends on wall-clock time, so that equal configs and seeds give equal bytes; times live in the manifest.
//!
//! Every number is finite. A quantity that is not defined for these data or this model, as a ratio to nothing, is `None`:
//! `null` in JSON, an empty cell in a table of numbers, and "not defined" with the reason for a reader.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::spec::Coordinate;

/// A unit of another activation than the ramp is dead if its largest and its smallest output over the images differ by
/// no more than this: some tens of roundings of a number near 1 in single precision.
pub const DEAD_TOLERANCE: f64 = 1e-6;

/// One of the models trained together in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Position in the run's list of members and along the leading dimension of every saved weight.
    pub index: usize,
    /// What a reader calls it: `β = 0.1`, with the seed where a run has several.
    pub label: String,
    /// What it has in common with the members of other seeds: `β = 0.1`, or a condition's name.
    pub condition: String,
    /// Seed of its initial weights.
    pub seed: u64,
}

impl Member {
    /// A member of a run with these `seeds`, labelled by its condition, and by its seed where there are several.
    #[must_use]
    pub fn new(index: usize, condition: String, seed: u64, seeds: &[u64]) -> Self {
        let label = if seeds.len() == 1 {
            condition.clone()
        } else {
            format!("{condition}, seed {seed}")
        };
        Self {
            index,
            label,
            condition,
            seed,
        }
    }
}

/// What ended a member before its training was through: a quantity that was infinite or not a number. Its records up to
/// then are kept, and other members go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The member that ended.
    pub member: Member,
    /// The layer whose pretraining it was in, counted from 1; absent outside of a pretraining.
    pub stage: Option<usize>,
    /// The epoch, of the stage where there is one, after which it was seen; 0 is the start.
    pub epoch: usize,
    /// As in "the training cost".
    pub quantity: String,
    /// What the quantity was: `NaN` or `infinite`, in words because JSON has no such numbers.
    pub value: String,
    /// What a user may do about it.
    pub hint: String,
}

impl Ended {
    /// When and why: `ended in epoch 3: the training cost became NaN`.
    #[must_use]
    pub fn reason(&self) -> String {
        let Self {
            epoch,
            quantity,
            value,
            ..
        } = self;
        let of_stage = self.stage.map_or_else(String::new, |stage| {
            format!(" of the pretraining of layer {stage}")
        });
        match epoch {
            0 => format!("ended before the first epoch: {quantity} was {value}"),
            epoch => format!("ended in epoch {epoch}{of_stage}: {quantity} became {value}"),
        }
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.member.label, self.reason())
    }
}

/// One member after one epoch. Costs are means over images, in the units of the reconstruction error.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Counted from 1.
    pub epoch: usize,
    /// The member's [`Member::index`].
    pub member: usize,
    /// The member's [`Member::label`].
    pub label: String,
    /// The member's [`Member::condition`].
    pub condition: String,
    /// The member's [`Member::seed`].
    pub seed: u64,
    /// The learning rate of the epoch.
    pub learning_rate: f64,
    /// Training cost: reconstruction + β · sparsity, mean over the epoch's images.
    pub cost: f64,
    /// Reconstruction part of the training cost.
    pub reconstruction: f64,
    /// The sparsity term without its weight, mean over the epoch's images: Σⱼ KL(ρ‖ρ̂ⱼ), Σⱼ |hⱼ| or L0; 0 where there is none.
    pub sparsity: f64,
    /// Reconstruction error on the test images.
    pub test_reconstruction: f64,
    /// ‖x − x̂‖² of a test image, the mean over them, whatever the loss is; of deep autoencoders.
    #[serde(default)]
    pub test_squared_error: Option<f64>,
    /// 1 − Σ‖x − x̂‖² / Σ‖x − x̄‖² over the test images; not defined where these do not vary.
    pub explained_variance: Option<f64>,
    /// Mean of ρ̂ over units, measured on the test images.
    pub mean_activation: f64,
    /// Mean number of units per test image with h > 0.01 (L0).
    pub active_units: f64,
    /// Units that are dead on the test images: ramp units with h > 0 for none of them, units of other activations whose
    /// h varies over them by no more than [`DEAD_TOLERANCE`].
    pub dead_units: usize,
    /// Units whose column of encoder weights still equals its initial values in every bit.
    pub untrained_units: usize,
    /// Units that have been silent, with an output of 0, for as many training images as `revive` says; of trainings that
    /// bring silent units back.
    #[serde(default)]
    pub silent_units: Option<usize>,
    /// Units that became silent during the epoch.
    #[serde(default)]
    pub died_units: Option<usize>,
    /// Silent units that turned on or started again during the epoch.
    #[serde(default)]
    pub revived_units: Option<usize>,
}

/// Why there is no [`EpochRecord::explained_variance`].
pub const NO_EXPLAINED_VARIANCE: &str = "the test images do not vary";

/// What the images of a data set are of, as far as words depend on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Subject {
    /// Handwritten digits: the data are MNIST, by their hashes.
    Digits,
    /// Other images, or digits of which it is not known that they are MNIST.
    #[default]
    Images,
}

impl Subject {
    /// Of the data set that is known by this name.
    #[must_use]
    pub fn of(name: Option<&str>) -> Self {
        match name {
            Some("MNIST") => Self::Digits,
            _ => Self::Images,
        }
    }
}

/// One classifier after an epoch of its training (fine-tuning, where it was pretrained); epoch 0 is the start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassifierRecord {
    /// Counted from 1; 0 is the start.
    pub epoch: usize,
    /// The member's [`Member::index`].
    pub member: usize,
    /// The member's [`Member::label`].
    pub label: String,
    /// The member's [`Member::condition`].
    pub condition: String,
    /// The member's [`Member::seed`].
    pub seed: u64,
    /// Of the epoch; 0 at the start.
    pub learning_rate: f64,
    /// Mean cross-entropy over the epoch's training images, in nats; absent at the start.
    pub cost: Option<f64>,
    /// Mean cross-entropy on the test images.
    pub test_cost: f64,
    /// Share of the test images put into their class, in [0, 1].
    pub test_accuracy: f64,
    /// The same on the images held out of training, where there are any.
    pub validation_accuracy: Option<f64>,
    /// Mean cross-entropy on them.
    #[serde(default)]
    pub validation_cost: Option<f64>,
    /// Gradient updates so far, those of the pretraining included.
    pub updates: u64,
    /// Multiply–accumulate operations of all training so far, in 10⁹, those of the pretraining included;
    /// evaluation and probes are not.
    pub giga_multiply_accumulates: f64,
}

/// One autoencoder of a classifier's pretraining after an epoch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StageRecord {
    /// The layer that is pretrained, counted from 1 at the input.
    pub stage: usize,
    /// Counted from 1 in every stage.
    pub epoch: usize,
    /// The member's [`Member::index`].
    pub member: usize,
    /// The member's [`Member::label`].
    pub label: String,
    /// The member's [`Member::condition`].
    pub condition: String,
    /// The member's [`Member::seed`].
    pub seed: u64,
    /// The learning rate of the epoch.
    pub learning_rate: f64,
    /// Reconstruction + β · sparsity, mean over the epoch's images.
    pub cost: f64,
    /// Reconstruction part of the cost; of a layer that is to give classes, the cross-entropy, in nats.
    pub reconstruction: f64,
    /// As in [`EpochRecord::sparsity`].
    pub sparsity: f64,
}

/// What a fixed batch of training images finds in one layer of a classifier.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LayerRecord {
    /// Counted from 1 at the input; the last one is the softmax layer.
    pub layer: usize,
    /// As in [`ClassifierRecord::epoch`].
    pub epoch: usize,
    /// The member's [`Member::index`].
    pub member: usize,
    /// The member's [`Member::label`].
    pub label: String,
    /// The member's [`Member::condition`].
    pub condition: String,
    /// The member's [`Member::seed`].
    pub seed: u64,
    /// ‖∂L/∂W‖, the square root of the sum of squares over the layer's weights.
    pub gradient_norm: f64,
    /// The mean of |∂L/∂W| over the layer's weights.
    pub gradient_mean: f64,
    /// Mean activation over units and images; of the softmax layer, its probabilities.
    pub activation_mean: f64,
    /// Standard deviation of a unit's activation over images, as a root mean square over units.
    pub activation_spread: f64,
    /// Units that are dead on the batch, as in [`EpochRecord::dead_units`]; 0 for the softmax layer.
    pub dead_units: usize,
    /// How many units the layer has; in the softmax layer, one for each class.
    pub units: usize,
}

/// The smallest, the median and the largest over seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The smallest value.
    pub smallest: f64,
    /// The median: of an even number of values, the mean of the two in the middle.
    pub median: f64,
    /// The largest value.
    pub largest: f64,
}

impl Spread {
    /// The spread of `values`; `None` without values.
    #[must_use]
    pub fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.collect();
        let median = median(&mut values)?;
        Some(Self {
            smallest: *values.first()?,
            median,
            largest: *values.last()?,
        })
    }
}

/// The median; the mean of the middle two for an even number. Sorts in place; `None` without values.
#[must_use]
pub fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(values[middle - 1], upper))
}

/// The number below which a share of sorted numbers lies, by linear interpolation between neighbours (Hyndman and Fan
/// 1996, type 7); `None` without numbers.
#[must_use]
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * (sorted.len().checked_sub(1)? as f64);
    let (below, above) = (
        sorted[place.floor() as usize],
        sorted[place.ceil() as usize],
    );
    Some(below + (above - below) * place.fract())
}

/// That what was learnt in pretraining is what the classifier started from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TransferProof {
    /// The member's [`Member::label`].
    pub label: String,
    /// The member's [`Member::condition`].
    pub condition: String,
    /// Counted from 1 at the input.
    pub layer: usize,
    /// Whether the encoder's weights were shuffled on purpose, as a control; then `encoder` is theirs afterwards.
    pub shuffled: bool,
    /// SHA-256 of the encoder's weights and biases at the end of its stage.
    pub encoder: String,
    /// SHA-256 of the layer's weights and biases at the start of fine-tuning.
    pub classifier: String,
}

/// Wall-clock seconds that one member took on its thread, without the scoring of test images. The only
/// times in this room; they go into the manifest and into no result.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MemberSeconds {
    /// The member's [`Member::index`].
    pub member: usize,
    /// All stages of pretraining, the computing of codes included.
    pub pretraining: f64,
    /// One entry for each epoch of the classifier's training.
    pub epochs: Vec<f64>,
}

/// What a run found; of a stopped run, what it found so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// What was compared, in the order of the plan.
    pub conditions: Vec<ConditionFacts>,
    /// The members that were trained to their end, in the order of the plan.
    pub members: Vec<MemberResults>,
    /// What each piece of evidence makes of all members together, by its name.
    pub evidence: BTreeMap<String, Value>,
    /// The members that could not go on.
    pub ended: Vec<Ended>,
}

/// A condition as a reader knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConditionFacts {
    /// What a reader calls it, as in [`Condition::name`](crate::spec::Condition::name).
    pub name: String,
    /// Its place in the grid.
    pub at: Vec<Coordinate>,
    /// What it is, in a reader's words: layers, initialisation, optimiser, pretraining.
    pub description: String,
}

/// A member at the end of its training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberResults {
    /// Which member it is.
    pub member: Member,
    /// What each piece of evidence measured on it, by its name.
    pub evidence: Numbers,
}

/// What evidence measured on one member, by the name of the evidence.
pub type Numbers = BTreeMap<String, Value>;

impl Results {
    /// Whether the member could not go on.
    #[must_use]
    pub fn has_ended(&self, member: usize) -> bool {
        self.ended.iter().any(|ended| ended.member.index == member)
    }

    /// What the evidence of this name measured, for each member that has it.
    ///
    /// Numbers that are not of the type `T`, as those of another version, are left out.
    #[must_use]
    pub fn of_members<T: DeserializeOwned>(&self, evidence: &str) -> Vec<(&Member, T)> {
        let members = self.members.iter();
        members
            .filter_map(|of| Some((&of.member, read(of.evidence.get(evidence)?)?)))
            .collect()
    }

    /// What the evidence of this name makes of all members together, if it is of the type `T`.
    #[must_use]
    pub fn of_run<T: DeserializeOwned>(&self, evidence: &str) -> Option<T> {
        read(self.evidence.get(evidence)?)
    }
}

fn read<T: DeserializeOwned>(value: &Value) -> Option<T> {
    T::deserialize(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_of_odd_even_and_no_values() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&mut []), None);
    }

    #[test]
    fn quantiles_lie_between_neighbours() {
        let numbers = [1.0, 2.0, 4.0, 8.0, 16.0];
        let found = [0.0, 0.1, 0.5, 0.75, 1.0].map(|share| quantile(&numbers, share));
        assert_eq!(found, [1.0, 1.4, 4.0, 8.0, 16.0].map(Some));
        assert_eq!(
            (quantile(&[], 0.5), quantile(&[3.0], 0.9)),
            (None, Some(3.0))
        );
    }
}
