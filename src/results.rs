//! What a run found, as plain numbers: no tensors, no files, no drawing.
//!
//! `experiment` fills these structs, `run_dir` writes and reads them, `report` draws them. Nothing here
//! depends on wall-clock time, so that equal configs and seeds give equal bytes; times live in the manifest.

use serde::{Deserialize, Serialize};

/// One of the models trained together in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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

/// One member after one epoch. Costs are means over images, in the units of the reconstruction loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Counted from 1.
    pub epoch: usize,
    pub member: usize,
    pub label: String,
    pub learning_rate: f64,
    /// Training cost: reconstruction + β · sparsity, mean over the epoch's images.
    pub cost: f64,
    /// Reconstruction part of the training cost.
    pub reconstruction: f64,
    /// Σⱼ KL(ρ‖ρ̂ⱼ), without β, mean over the epoch's batches.
    pub sparsity: f64,
    /// Reconstruction loss on the test images.
    pub test_reconstruction: f64,
    /// 1 − Σ‖x − x̂‖² / Σ‖x − x̄‖² over the test images.
    pub explained_variance: f64,
    /// Mean of ρ̂ over units, measured on the test images.
    pub mean_activation: f64,
    /// Mean number of units per test image with h > 0.01 (L0).
    pub active_units: f64,
    /// Units that are on (h > 0) for no test image.
    pub dead_units: usize,
    /// Units whose column of encoder weights still equals its initial values in every bit.
    pub untrained_units: usize,
}

/// What the hidden units' pictures look like, in numbers; medians are over live (not dead) units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Units that are on for some test image; the medians below are over these.
    pub live_units: usize,
    /// Median kurtosis (fourth standardized moment; a normal distribution has 3) of a tile's pixels.
    pub kurtosis: f64,
    /// Median radius of gyration of a tile's energy w², in pixels.
    pub radius_of_gyration: f64,
    /// Median roughness: mean squared neighbour difference over twice the variance; 1 for white noise, 0 for a flat picture.
    pub roughness: f64,
    /// Median over units of the highest Pearson correlation of a tile with a training image.
    pub digit_correlation: f64,
    /// Share of test images whose label is the commonest label of their most active unit.
    pub label_purity: f64,
    /// As in [`EpochRecord::active_units`], after the last epoch.
    pub active_units: f64,
    /// As in [`EpochRecord::dead_units`], after the last epoch.
    pub dead_units: usize,
    /// All hidden units.
    pub hidden_units: usize,
}

/// The three pictures of the book's Figure 5-6, and none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Regime {
    /// Units represent the input any which way.
    AnyWhichWay,
    /// Units cooperate; each is a pen stroke.
    Strokes,
    /// Single units each represent a whole digit.
    WholeDigits,
    /// No rule holds.
    Unclear,
}

impl std::fmt::Display for Regime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::AnyWhichWay => "any which way",
            Self::Strokes => "strokes",
            Self::WholeDigits => "whole digits",
            Self::Unclear => "unclear",
        })
    }
}

/// One member at the end of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberSummary {
    pub member: Member,
    pub last: EpochRecord,
    pub scores: Scores,
    /// Which units are dead, and which untrained, after the last epoch.
    pub dead: Vec<usize>,
    pub untrained: Vec<usize>,
    pub regime: Regime,
    /// The rule and the numbers that decided, for a reader.
    pub regime_reason: String,
}

/// Everything the Figure 5-6 experiment found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure56Results {
    pub members: Vec<MemberSummary>,
}

/// One autoencoder of the dead-units experiment at the end of a run. Units are counted from 0; what a unit does
/// is measured on the training images, for they are what could have taught it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeadUnitsSummary {
    pub member: Member,
    /// What its condition is, in a reader's words.
    pub description: String,
    pub last: EpochRecord,
    pub hidden_units: usize,
    /// Units whose pre-activation was above 0 for no image before training.
    pub never_on_at_start: Vec<usize>,
    /// The same after training.
    pub never_on: Vec<usize>,
    /// Units whose column of weights equals its initial values in every bit.
    pub unchanged: Vec<usize>,
    /// Units whose column correlates above 0.99 with its initial values, over pixels that are ever non-zero.
    pub noise_looking: Vec<usize>,
}

/// Everything the dead-units experiment found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeadUnitsResults {
    pub members: Vec<DeadUnitsSummary>,
}

/// One classifier after an epoch of its training (fine-tuning, where it was pretrained); epoch 0 is the start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassifierRecord {
    pub epoch: usize,
    pub member: usize,
    pub label: String,
    pub condition: String,
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
    /// Gradient updates so far, those of the pretraining included.
    pub updates: u64,
    /// Multiply–accumulate operations of all training so far, in 10⁹, those of the pretraining included;
    /// evaluation and probes are not.
    pub giga_multiply_accumulates: f64,
}

/// One autoencoder of a classifier's pretraining after an epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageRecord {
    /// The layer that is pretrained, counted from 1 at the input.
    pub stage: usize,
    /// Counted from 1 in every stage.
    pub epoch: usize,
    pub member: usize,
    pub label: String,
    pub condition: String,
    pub seed: u64,
    pub learning_rate: f64,
    /// Reconstruction + β · sparsity, mean over the epoch's images.
    pub cost: f64,
    pub reconstruction: f64,
    /// Σⱼ KL(ρ‖ρ̂ⱼ), without β, mean over the epoch's batches.
    pub sparsity: f64,
}

/// What a fixed batch of training images finds in one layer of a classifier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerRecord {
    /// Counted from 1 at the input; the last one is the softmax layer.
    pub layer: usize,
    /// As in [`ClassifierRecord::epoch`].
    pub epoch: usize,
    pub member: usize,
    pub label: String,
    pub condition: String,
    pub seed: u64,
    /// ‖∂L/∂W‖, the square root of the sum of squares over the layer's weights.
    pub gradient_norm: f64,
    /// The mean of |∂L/∂W| over the layer's weights.
    pub gradient_mean: f64,
    /// Mean activation over units and images; of the softmax layer, its probabilities.
    pub activation_mean: f64,
    /// Standard deviation of a unit's activation over images, as a root mean square over units.
    pub activation_spread: f64,
    /// Units that are on (h > 0) for no image of the batch; 0 for the softmax layer.
    pub dead_units: usize,
    pub units: usize,
}

/// The smallest, the median and the largest over seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    pub smallest: f64,
    pub median: f64,
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

/// A condition over all of its seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConditionSummary {
    pub condition: String,
    /// What it is, in a reader's words: layers, initialisation, optimiser, pretraining.
    pub description: String,
    pub hidden_units: Vec<usize>,
    /// How many hidden layers were pretrained and copied.
    pub pretrained_layers: usize,
    /// Numbers in the classifier.
    pub parameters: usize,
    /// Numbers learnt in all: the classifier's and those of the autoencoders, their decoders included.
    pub parameters_learnt: usize,
    /// Test accuracy at the start and after each epoch, in [0, 1].
    pub accuracy: Vec<Spread>,
    /// The highest accuracy of any seed after any epoch.
    pub best: f64,
}

/// One condition minus another, paired by seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    pub minuend: String,
    pub subtrahend: String,
    /// Of test accuracies at the start and after each epoch.
    pub by_epoch: Vec<Spread>,
}

/// That what was learnt in pretraining is what the classifier started from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TransferProof {
    pub label: String,
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

/// Everything the pretraining experiment found; of a stopped run, what it found so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PretrainingResults {
    pub conditions: Vec<ConditionSummary>,
    pub differences: Vec<Difference>,
    pub transfers: Vec<TransferProof>,
    /// The conditions whose layers are looked into.
    pub layers_of: Vec<String>,
    /// The share of the commonest class among the test images: what guessing reaches.
    pub chance: f64,
    /// Images of the fixed batch behind every [`LayerRecord`].
    pub probe_images: usize,
}

/// Wall-clock seconds that one member took on its thread, without the scoring of test images. The only
/// times in this room; they go into the manifest and into no result.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MemberSeconds {
    pub member: usize,
    /// All stages of pretraining, the computing of codes included.
    pub pretraining: f64,
    /// One entry for each epoch of the classifier's training.
    pub epochs: Vec<f64>,
    /// All looks into the layers.
    pub probes: f64,
}

/// What a run found, whatever its experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "experiment", rename_all = "snake_case")]
pub enum Results {
    Figure56(Figure56Results),
    Pretraining(PretrainingResults),
    DeadUnits(DeadUnitsResults),
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
}
