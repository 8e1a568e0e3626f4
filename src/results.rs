//! What a run found, as plain numbers: no tensors, no files, no drawing.
//!
//! `experiment` fills these structs, `run_dir` writes and reads them, `report` draws them. Nothing here
//! depends on wall-clock time, so that equal configs and seeds give equal bytes; times live in the manifest.
//!
//! Every number is finite. A quantity that is not defined for these data or this model, as a ratio to nothing, is `None`:
//! `null` in JSON, an empty cell in a table of numbers, and "not defined" with the reason for a reader.

use serde::{Deserialize, Serialize};

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

/// One member after one epoch. Costs are means over images, in the units of the reconstruction loss.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
    /// Σⱼ KL(ρ‖ρ̂ⱼ), without β, mean over the epoch's images.
    pub sparsity: f64,
    /// Reconstruction loss on the test images.
    pub test_reconstruction: f64,
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
}

/// Why there is no [`EpochRecord::explained_variance`].
pub const NO_EXPLAINED_VARIANCE: &str = "the test images do not vary";

/// What the hidden units' pictures look like, in numbers; medians are over live (not dead) units, of those that have such
/// a score: a tile without variation has none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Units that are not dead on the test images; the medians below are over these.
    pub live_units: usize,
    /// Median kurtosis (fourth standardized moment; a normal distribution has 3) of a tile's pixels.
    pub kurtosis: Option<f64>,
    /// Median radius of gyration of a tile's energy w², in pixels.
    pub radius_of_gyration: Option<f64>,
    /// Median roughness: mean squared neighbour difference over twice the variance; 1 for white noise, 0 for a flat picture.
    pub roughness: Option<f64>,
    /// Median over units of the highest Pearson correlation of a tile with a training image.
    pub digit_correlation: Option<f64>,
    /// Share of test images whose label is the commonest label of their most active unit; not defined without a live unit.
    pub label_purity: Option<f64>,
    /// As in [`EpochRecord::active_units`], after the last epoch.
    pub active_units: f64,
    /// As in [`EpochRecord::dead_units`], after the last epoch.
    pub dead_units: usize,
    /// All hidden units.
    pub hidden_units: usize,
}

impl Scores {
    /// Why a score of tiles is not defined, if one is not.
    #[must_use]
    pub fn why_not_defined(&self) -> &'static str {
        if self.live_units == 0 {
            "no unit is live"
        } else {
            "no live unit's weights vary over the picture, or no training image does"
        }
    }
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
    /// No rule holds, but one might if all of its scores were defined.
    NotJudged,
}

impl Regime {
    /// What it is called of images of `subject`: Figure 5-6 shows digits, whose words are not true of other images.
    #[must_use]
    pub fn words(self, subject: Subject) -> &'static str {
        match (self, subject) {
            (Self::AnyWhichWay, _) => "any which way",
            (Self::Strokes, Subject::Digits) => "strokes",
            (Self::Strokes, Subject::Images) => "local features",
            (Self::WholeDigits, Subject::Digits) => "whole digits",
            (Self::WholeDigits, Subject::Images) => "whole images",
            (Self::Unclear, _) => "unclear",
            (Self::NotJudged, _) => "not judged",
        }
    }
}

/// What the images of a data set are of, as far as words depend on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Subject {
    /// Handwritten digits: the data are MNIST, by their hashes.
    Digits,
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

/// Everything the Figure 5-6 experiment found; of a stopped run, what it found so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure56Results {
    /// Those that were trained to their end.
    pub members: Vec<MemberSummary>,
    /// Those that could not go on.
    pub ended: Vec<Ended>,
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
    /// Units whose column correlates above 0.99 with its initial values, over pixels that are ever non-zero; not defined
    /// where there are no such pixels, or the initial values do not vary over them.
    pub noise_looking: Option<Vec<usize>>,
}

/// Everything the dead-units experiment found; of a stopped run, what it found so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeadUnitsResults {
    /// Those that were trained to their end.
    pub members: Vec<DeadUnitsSummary>,
    /// Those that could not go on.
    pub ended: Vec<Ended>,
}

/// One classifier after an epoch of its training (fine-tuning, where it was pretrained); epoch 0 is the start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
    /// Σⱼ KL(ρ‖ρ̂ⱼ), without β, mean over the epoch's images.
    pub sparsity: f64,
}

/// What a fixed batch of training images finds in one layer of a classifier.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
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
    /// Units that are dead on the batch, as in [`EpochRecord::dead_units`]; 0 for the softmax layer.
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

/// A condition over its seeds, those left out that ended before their training was through.
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
    /// How many seeds the following are over.
    pub seeds: usize,
    /// Test accuracy at the start and after each epoch, in [0, 1].
    pub accuracy: Vec<Spread>,
    /// The highest accuracy of any seed after any epoch; absent before there is one.
    pub best: Option<f64>,
}

/// One condition minus another, paired by seed; seeds that ended early in one of them are left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    pub minuend: String,
    pub subtrahend: String,
    /// How many pairs there are.
    pub seeds: usize,
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
    /// What there is to be learnt.
    pub chance: Chance,
    /// Images of the fixed batch behind every [`LayerRecord`].
    pub probe_images: usize,
    /// Those that could not go on.
    pub ended: Vec<Ended>,
}

/// What a classifier reaches that looks at no image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Chance {
    pub test_images: usize,
    /// How many test images are of the commonest class among them.
    pub commonest: usize,
    /// −Σ p ln p over the classes' shares p of the training images, in nats: the training cost of always answering with
    /// these shares.
    pub entropy: f64,
}

impl Chance {
    /// The accuracy of always naming the commonest class.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        self.commonest as f64 / self.test_images.max(1) as f64
    }
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

impl Results {
    /// The members that could not go on.
    #[must_use]
    pub fn ended(&self) -> &[Ended] {
        match self {
            Self::Figure56(results) => &results.ended,
            Self::Pretraining(results) => &results.ended,
            Self::DeadUnits(results) => &results.ended,
        }
    }
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
