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
    /// Seed of its initial weights.
    pub seed: u64,
    /// β.
    pub sparsity_weight: f64,
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
