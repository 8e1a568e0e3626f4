//! What is done to rows before a model sees them, and how patches are cut out of photographs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Form as _, LARGEST_SEED, Whole, forms, words_alone};

/// One thing that is done to every row. What depends on the data is measured on the training rows alone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(transform = words_alone)]
pub enum Transform {
    /// factor · x + offset.
    Scale {
        /// The factor, not 0.
        #[serde(with = "forms::Factor", default = "one")]
        factor: f64,
        /// What is added.
        #[serde(with = "forms::Constant", default)]
        offset: f64,
    },
    /// (x − mean) / standard deviation. What does not vary is only centred.
    Standardise {
        /// What the mean and the standard deviation are of.
        #[serde(default)]
        over: Standardised,
    },
    /// The mean of a row's inputs is taken off each of them.
    RemoveRowMean,
    /// A row is divided by its length √Σx²; a row of zeros stays.
    UnitLength,
    /// Inputs become uncorrelated, with variance v / (v + ε) where v was the variance along a direction. Directions with
    /// less than 1e-10 of the largest variance are left out.
    Whiten {
        /// Which of the rotations that whiten.
        #[serde(default)]
        method: Whitening,
        /// ε, added to the variance along each direction; noise stays smaller where it is larger.
        #[serde(with = "forms::Ridge", default = "ridge")]
        epsilon: f64,
        /// "all", or the directions of largest variance that are kept.
        #[serde(with = "forms::Images", default)]
        components: Option<usize>,
    },
    /// Clipped at so many standard deviations from the mean over all inputs, and brought linearly into [low, high]: what
    /// the UFLDL exercise does for its sigmoid outputs.
    Squash {
        /// Standard deviations on either side that are kept.
        #[serde(with = "forms::Deviations", default = "three")]
        deviations: f64,
        /// What the lowest value becomes.
        #[serde(with = "forms::Constant", default = "tenth")]
        low: f64,
        /// What the highest value becomes.
        #[serde(with = "forms::Constant", default = "nine_tenths")]
        high: f64,
    },
}

/// What a mean and a standard deviation are taken over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standardised {
    /// Each input by itself, over rows.
    #[default]
    Features,
    /// All inputs of all rows together.
    All,
}

/// Which of the linear maps that whiten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Whitening {
    /// The one that changes rows least, so that pictures stay pictures (Bell and Sejnowski 1997).
    #[default]
    Zca,
    /// Inputs become the principal components, that of the largest variance first.
    Pca,
}

/// How patches are cut out of photographs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(inline)]
pub struct Patches {
    /// Height and width of a patch, in pixels.
    #[serde(with = "Whole::<2, 256>")]
    pub side: usize,
    /// Patches to learn from.
    #[serde(with = "Whole::<1, { forms::MOST_IMAGES }>")]
    pub train: usize,
    /// Patches to test on, drawn from the same photographs by themselves.
    #[serde(with = "Whole::<1, { forms::MOST_IMAGES }>")]
    pub test: usize,
    /// Pixels along the edges of a photograph that no patch touches: the filter wraps around there.
    #[serde(with = "Whole::<0, 1000>")]
    pub border: usize,
    /// Seed of the photographs and places.
    #[serde(with = "Whole::<0, { LARGEST_SEED }, u64>")]
    pub seed: u64,
    /// What is done to each photograph before patches are cut.
    pub whitening: PhotographWhitening,
}

/// What is done to each photograph before patches are cut.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PhotographWhitening {
    /// The logarithm ln(grey + 0.05) of grey in [0, 1], its mean taken off, filtered by f·exp(−(f/0.4)⁴) with f in cycles a
    /// pixel (Olshausen and Field 1997), and divided by its standard deviation.
    #[default]
    OlshausenField,
    /// Grey in [0, 1] as it is.
    None,
}

/// 100,000 patches of 12×12 to learn from.
impl Default for Patches {
    fn default() -> Self {
        Self {
            side: 12,
            train: 100_000,
            test: 10_000,
            border: 4,
            seed: 0,
            whitening: PhotographWhitening::default(),
        }
    }
}

// Defaults of a choice's own keys.
defaults! {
    one: f64 = 1.0;
    ridge: f64 = 1e-5;
    three: f64 = 3.0;
    tenth: f64 = 0.1;
    nine_tenths: f64 = 0.9;
}
