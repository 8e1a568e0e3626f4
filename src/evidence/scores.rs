//! Numbers that say what a hidden unit's picture looks like, and which picture of Figure 5-6 a model shows.
//!
//! Pure functions of plain slices: no tensors, no files, no drawing. A *tile* is one unit's encoder weights as
//! a picture, row-major. The three regimes are those of Okatani, *Deep Learning*, Figure 5-6; the thresholds
//! that separate them were found by repeating its experiment over five seeds and lie well between the scores of
//! neighbouring regimes. Kurtosis alone does not do: it is alike without sparsity and with much of it.

use rayon::iter::ParallelIterator as _;
use rayon::slice::ParallelSlice as _;

use serde::{Deserialize, Serialize};

use crate::results::Subject;

/// Side, in pixels, of the pictures that the lengths below are stated for (MNIST).
pub const PICTURE_SIDE: f64 = 28.0;
/// Strokes: a few bright pixels on a quiet ground give heavier tails than this.
pub const STROKE_KURTOSIS_ABOVE: f64 = 14.0;
/// Strokes: the energy lies closer together than this, in pixels of a 28×28 picture.
pub const STROKE_GYRATION_BELOW: f64 = 6.0;
/// Any which way and whole digits: weights all over the picture have lighter tails than this.
pub const SPREAD_KURTOSIS_BELOW: f64 = 9.0;
/// Any which way: the energy lies further apart than this, in pixels of a 28×28 picture.
pub const ANY_WHICH_WAY_GYRATION_ABOVE: f64 = 7.2;
/// Any which way: an image turns on more than this share of the hidden units.
pub const ANY_WHICH_WAY_ACTIVE_ABOVE: f64 = 0.90;
/// Whole digits: pen-drawn pictures are smoother than this (white noise: 1).
pub const WHOLE_DIGIT_ROUGHNESS_BELOW: f64 = 0.25;
/// Whole digits: an image turns on less than this share of the hidden units.
pub const WHOLE_DIGIT_ACTIVE_BELOW: f64 = 0.12;
/// Whole digits: a tile correlates more than this with some training image.
pub const WHOLE_DIGIT_CORRELATION_ABOVE: f64 = 0.45;
/// Whole digits: at most this share of the hidden units is dead, or the rest is no fair sample.
pub const WHOLE_DIGIT_DEAD_AT_MOST: f64 = 0.10;

// A kurtosis above 14 is not below 9, and more than 90 % active is not less than 12 %: at most one rule can hold.
const _: () = assert!(STROKE_KURTOSIS_ABOVE >= SPREAD_KURTOSIS_BELOW);
const _: () = assert!(ANY_WHICH_WAY_ACTIVE_ABOVE >= WHOLE_DIGIT_ACTIVE_BELOW);

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
    /// As in [`EpochRecord::active_units`](crate::results::EpochRecord::active_units), after the last epoch.
    pub active_units: f64,
    /// As in [`EpochRecord::dead_units`](crate::results::EpochRecord::dead_units), after the last epoch.
    pub dead_units: usize,
    /// All hidden units.
    pub hidden_units: usize,
}

impl Scores {
    /// Whether a score is not defined.
    #[must_use]
    pub fn is_undefined(&self) -> bool {
        let pictures = [self.kurtosis, self.radius_of_gyration, self.roughness];
        let images = [self.digit_correlation, self.label_purity];
        pictures.contains(&None) || images.contains(&None)
    }

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
    /// What each is called in `results.json` and in promises.
    pub const WORDS: &'static [&'static str] = &[
        "any which way",
        "strokes",
        "whole digits",
        "unclear",
        "not judged",
    ];

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

/// Kurtosis of a tile's pixels about their mean: m₄ / m₂², mₖ = (1/n) Σ (w − w̄)ᵏ (Pearson 1905).
///
/// A normal distribution has 3, a single lit pixel among n about n. `None` for a tile that is constant, empty or
/// not finite.
#[must_use]
pub fn kurtosis(tile: &[f32]) -> Option<f64> {
    let (mean, variance) = mean_and_variance(tile)?;
    let fourth = average(tile.iter().map(|&w| (f64::from(w) - mean).powi(4)))?;
    Some(fourth / (variance * variance))
}

/// Radius of gyration of a tile's energy: sqrt(Σ e·|p − c|² / Σ e), e = w², c = Σ e·p / Σ e, in pixels.
///
/// How far from its own centre a picture's energy lies, as in mechanics: 0 for one lit pixel, d/2 for two equal
/// ones d apart, about 0.41 of the side for a flat picture. `None` for a tile that is all zero, empty, not finite
/// or not of `height` × `width` pixels.
#[must_use]
pub fn radius_of_gyration(tile: &[f32], height: usize, width: usize) -> Option<f64> {
    if height.checked_mul(width) != Some(tile.len()) || tile.iter().any(|w| !w.is_finite()) {
        return None;
    }
    let pixels = || {
        tile.iter().enumerate().map(|(index, &w)| {
            let energy = f64::from(w) * f64::from(w);
            ((index / width) as f64, (index % width) as f64, energy)
        })
    };
    let total: f64 = pixels().map(|(_, _, energy)| energy).sum();
    if total <= 0.0 {
        return None;
    }
    let row = pixels().map(|(r, _, energy)| energy * r).sum::<f64>() / total;
    let column = pixels().map(|(_, c, energy)| energy * c).sum::<f64>() / total;
    let spread: f64 = pixels()
        .map(|(r, c, energy)| energy * ((r - row).powi(2) + (c - column).powi(2)))
        .sum();
    Some((spread / total).sqrt())
}

/// Roughness: the mean of (w − w′)² over horizontal and vertical neighbours, over twice the variance.
///
/// One minus the mean correlation of neighbours (von Neumann's ratio, halved, in two dimensions): 1 for white
/// noise, near 0 for a smooth picture, 2 for a checkerboard. `None` for a tile that is constant, empty, not finite
/// or not of `height` × `width` pixels.
#[must_use]
pub fn roughness(tile: &[f32], height: usize, width: usize) -> Option<f64> {
    if height.checked_mul(width) != Some(tile.len()) {
        return None;
    }
    let (_, variance) = mean_and_variance(tile)?;
    let squared = |a: f32, b: f32| (f64::from(a) - f64::from(b)).powi(2);
    let across = tile
        .chunks_exact(width)
        .flat_map(|row| row.windows(2).map(|pair| squared(pair[0], pair[1])));
    let down = tile
        .iter()
        .zip(tile.iter().skip(width))
        .map(|(&above, &below)| squared(above, below));
    Some(average(across.chain(down))? / (2.0 * variance))
}

/// Pearson's correlation of two lists of numbers; `None` where one does not vary, or they differ in length.
#[must_use]
pub fn correlation(one: &[f32], other: &[f32]) -> Option<f64> {
    if one.len() != other.len() {
        return None;
    }
    let (one_mean, one_variance) = mean_and_variance(one)?;
    let (other_mean, other_variance) = mean_and_variance(other)?;
    let covariance = average(
        one.iter()
            .zip(other)
            .map(|(&a, &b)| (f64::from(a) - one_mean) * (f64::from(b) - other_mean)),
    )?;
    Some(covariance / (one_variance * other_variance).sqrt())
}

/// What each unit of each layer sees of the input, if every unit below were linear: the columns of
/// W₁·W₂·…·Wₖ for layer k, the weighted sum of the weights below (the “linear combination of previous units” of Erhan et al. 2009). A layer's
/// numbers are divided by the largest of them, so that deep products neither vanish nor overflow.
///
/// # Shapes
///
/// Each of `layers` is row-major `[inputs, units]`, with as many inputs as the layer before has units; each
/// product is `[inputs of the first, units]`, of the first `shown` units at most. `None` if sizes do not chain.
#[must_use]
pub fn through_layers(layers: &[(&[f32], [usize; 2])], shown: usize) -> Option<Vec<Vec<f32>>> {
    let mut seen = Vec::with_capacity(layers.len());
    let mut last: Vec<f32> = Vec::new();
    let mut below: Option<usize> = None;
    for &(weights, [inputs, units]) in layers {
        let fits = inputs > 0 && units > 0 && weights.len() == inputs.checked_mul(units)?;
        if !fits || below.is_some_and(|below| below != inputs) {
            return None;
        }
        let mut product: Vec<f64> = match below {
            None => weights.iter().map(|&w| f64::from(w)).collect(),
            Some(_) => last
                .par_chunks_exact(inputs)
                .flat_map_iter(|row| {
                    let mut sums = vec![0.0; units];
                    for (&factor, unit_weights) in row.iter().zip(weights.chunks_exact(units)) {
                        for (sum, &w) in sums.iter_mut().zip(unit_weights) {
                            *sum += f64::from(factor) * f64::from(w);
                        }
                    }
                    sums
                })
                .collect(),
        };
        let largest = product.iter().fold(0.0, |largest, w| w.abs().max(largest));
        if largest > 0.0 {
            for w in &mut product {
                *w /= largest;
            }
        }
        last = product.into_iter().map(|w| w as f32).collect();
        let rows = last.chunks_exact(units);
        seen.push(
            rows.flat_map(|row| &row[..units.min(shown)])
                .copied()
                .collect(),
        );
        below = Some(units);
    }
    Some(seen)
}

/// Share of images whose label is the commonest one among the images with the same most active unit.
///
/// Cluster purity (Manning, Raghavan and Schütze 2008, §16.3) with the units as clusters. `top_unit[i]` and
/// `labels[i]` belong to image i; an image whose unit or label is out of range counts as a miss. `None` without images.
#[must_use]
pub fn label_purity(
    top_unit: &[usize],
    labels: &[u8],
    units: usize,
    classes: usize,
) -> Option<f64> {
    let images = top_unit.len().min(labels.len());
    if images == 0 {
        return None;
    }
    let mut counts = vec![vec![0_usize; classes]; units];
    for (&unit, &label) in top_unit.iter().zip(labels) {
        if let Some(count) = counts
            .get_mut(unit)
            .and_then(|row| row.get_mut(usize::from(label)))
        {
            *count += 1;
        }
    }
    let hits: usize = counts.iter().filter_map(|row| row.iter().max()).sum();
    Some(hits as f64 / images as f64)
}

/// Which picture of Figure 5-6 `scores` show, and the numbers that decided: of pictures of `subject` with as many
/// pixels as a square `side` pixels wide. Thresholds on lengths are scaled by `side` / 28, and the words of the reason
/// are true of other images than digits.
///
/// A regime holds when all of its conditions do; no two can hold at once. Otherwise, if one might hold but for scores that
/// are not defined, the answer is [`Regime::NotJudged`]; if none might, it is [`Regime::Unclear`], and the reason names
/// the one clause in which the nearest regime fails, if any fails in one alone, by a factor of three at most. Active and
/// dead units count as shares of the hidden units.
#[must_use]
pub fn regime_of(scores: &Scores, side: f64, subject: Subject) -> (Regime, String) {
    let rules = rules(scores, side / PICTURE_SIDE);
    for (regime, conditions) in &rules {
        if conditions.iter().all(Condition::holds) {
            let clauses: Vec<String> = conditions.iter().map(Condition::as_held).collect();
            return (*regime, clauses.join(", "));
        }
    }
    let conditions = rules.iter().flat_map(|(_, conditions)| conditions);
    let mut undefined: Vec<&str> = conditions
        .filter(|condition| condition.value.is_none())
        .map(|condition| condition.name)
        .collect();
    undefined.sort_unstable();
    undefined.dedup();
    let is_open = |conditions: &[Condition]| {
        let mut clauses = conditions.iter();
        clauses.all(|clause| clause.value.is_none() || clause.holds())
    };
    if rules.iter().any(|(_, conditions)| is_open(conditions)) {
        let reason = format!(
            "not defined: {}; {}",
            undefined.join(", "),
            scores.why_not_defined()
        );
        return (Regime::NotJudged, reason);
    }
    // Sums over clauses would favour the rule that has the fewest; and what is far off is near to nothing.
    let near = rules.iter().filter_map(|(regime, conditions)| {
        let mut failed = conditions.iter().filter(|clause| !clause.holds());
        let first = failed.next()?;
        let is_near = failed.next().is_none() && first.distance() <= NEAR.ln();
        is_near.then_some((regime, first))
    });
    let nearest = near.min_by(|(_, a), (_, b)| a.distance().total_cmp(&b.distance()));
    let reason = match nearest {
        Some((regime, lacks)) => {
            let regime = regime.words(subject);
            format!(
                "no rule holds; nearest is “{regime}”: {}",
                lacks.as_failed()
            )
        }
        None => "no rule holds, and none nearly does".to_owned(),
    };
    (Regime::Unclear, reason)
}

/// By which factor a number may miss its bound and still be near it.
const NEAR: f64 = 3.0;

/// One clause of a rule, with the number it looks at.
struct Condition {
    name: &'static str,
    /// Absent where it is not defined; then the clause does not hold.
    value: Option<f64>,
    bound: Bound,
    unit: Unit,
}

#[derive(Clone, Copy)]
enum Bound {
    Above(f64),
    Below(f64),
    AtMost(f64),
}

#[derive(Clone, Copy)]
enum Unit {
    None,
    Pixels,
    /// The number is a share of 1.
    Percent,
}

impl Bound {
    fn threshold(self) -> f64 {
        match self {
            Self::Above(threshold) | Self::Below(threshold) | Self::AtMost(threshold) => threshold,
        }
    }
}

impl Condition {
    fn holds(&self) -> bool {
        self.value.is_some_and(|value| match self.bound {
            Bound::Above(threshold) => value > threshold,
            Bound::Below(threshold) => value < threshold,
            Bound::AtMost(threshold) => value <= threshold,
        })
    }

    /// How far the number is from its bound, as a logarithm of their ratio: 0 for a clause that holds.
    fn distance(&self) -> f64 {
        const FURTHEST: f64 = 10.0;
        if self.holds() {
            return 0.0;
        }
        let ratio = self.value.map(|value| value / self.bound.threshold());
        let distance = ratio.map_or(FURTHEST, |ratio| ratio.ln().abs());
        if distance.is_finite() {
            distance.min(FURTHEST)
        } else {
            FURTHEST
        }
    }

    /// `kurtosis 6.30 < 9`, of a clause that holds.
    fn as_held(&self) -> String {
        let sign = match self.bound {
            Bound::Above(_) => ">",
            Bound::Below(_) => "<",
            Bound::AtMost(_) => "≤",
        };
        let (value, threshold) = self.numbers();
        format!("{} {value} {sign} {threshold}", self.name)
    }

    /// `kurtosis 9.50, but the rule asks for less than 9`, of a clause that does not hold.
    fn as_failed(&self) -> String {
        let asked = match self.bound {
            Bound::Above(_) => "more than",
            Bound::Below(_) => "less than",
            Bound::AtMost(_) => "at most",
        };
        let (value, threshold) = self.numbers();
        format!(
            "{} {value}, but the rule asks for {asked} {threshold}",
            self.name
        )
    }

    /// The value and the threshold with their unit.
    fn numbers(&self) -> (String, String) {
        let (factor, decimals, unit) = match self.unit {
            Unit::None => (1.0, 2, ""),
            Unit::Pixels => (1.0, 2, " px"),
            Unit::Percent => (100.0, 1, " %"),
        };
        let threshold = factor * self.bound.threshold();
        let Some(value) = self.value else {
            return ("not defined".to_owned(), format!("{threshold}{unit}"));
        };
        let (value, threshold) = told_apart(factor * value, threshold, decimals);
        (format!("{value}{unit}"), format!("{threshold}{unit}"))
    }
}

/// Both numbers with `decimals` decimals, or as many more as it takes for what is written to be in the order of what is
/// meant; the threshold without zeros at its end.
fn told_apart(value: f64, threshold: f64, decimals: usize) -> (String, String) {
    let written = |decimals: usize| {
        let threshold = format!("{threshold:.decimals$}");
        let threshold = threshold.trim_end_matches('0').trim_end_matches('.');
        (format!("{value:.decimals$}"), threshold.to_owned())
    };
    let in_order = |(one, other): &(String, String)| {
        let read = |text: &str| text.parse::<f64>().unwrap_or(f64::NAN);
        read(one).partial_cmp(&read(other)) == value.partial_cmp(&threshold)
    };
    let mut attempts = (decimals..=17).map(written);
    attempts
        .find(in_order)
        .unwrap_or_else(|| (value.to_string(), threshold.to_string()))
}

fn rules(scores: &Scores, length_scale: f64) -> [(Regime, Vec<Condition>); 3] {
    let share = |units: f64| (scores.hidden_units > 0).then(|| units / scores.hidden_units as f64);
    let condition = |name, value, bound, unit| Condition {
        name,
        value,
        bound,
        unit,
    };
    let kurtosis = |bound| condition("kurtosis", scores.kurtosis, bound, Unit::None);
    let gyration = |bound| {
        let value = scores.radius_of_gyration;
        condition("radius of gyration", value, bound, Unit::Pixels)
    };
    let active = |bound| {
        let value = share(scores.active_units);
        condition("active units", value, bound, Unit::Percent)
    };
    let dead = share(scores.dead_units as f64);
    [
        (
            Regime::AnyWhichWay,
            vec![
                kurtosis(Bound::Below(SPREAD_KURTOSIS_BELOW)),
                gyration(Bound::Above(ANY_WHICH_WAY_GYRATION_ABOVE * length_scale)),
                active(Bound::Above(ANY_WHICH_WAY_ACTIVE_ABOVE)),
            ],
        ),
        (
            Regime::Strokes,
            vec![
                kurtosis(Bound::Above(STROKE_KURTOSIS_ABOVE)),
                gyration(Bound::Below(STROKE_GYRATION_BELOW * length_scale)),
            ],
        ),
        (
            Regime::WholeDigits,
            vec![
                kurtosis(Bound::Below(SPREAD_KURTOSIS_BELOW)),
                condition(
                    "roughness",
                    scores.roughness,
                    Bound::Below(WHOLE_DIGIT_ROUGHNESS_BELOW),
                    Unit::None,
                ),
                active(Bound::Below(WHOLE_DIGIT_ACTIVE_BELOW)),
                condition(
                    "image correlation",
                    scores.digit_correlation,
                    Bound::Above(WHOLE_DIGIT_CORRELATION_ABOVE),
                    Unit::None,
                ),
                condition(
                    "dead units",
                    dead,
                    Bound::AtMost(WHOLE_DIGIT_DEAD_AT_MOST),
                    Unit::Percent,
                ),
            ],
        ),
    ]
}

/// Whether the numbers of a tile differ from each other, and are all finite.
#[must_use]
pub fn varies(tile: &[f32]) -> bool {
    mean_and_variance(tile).is_some()
}

/// `None` where the variance is 0 or not a number, so that a ratio to it always exists.
fn mean_and_variance(tile: &[f32]) -> Option<(f64, f64)> {
    let mean = average(tile.iter().map(|&w| f64::from(w)))?;
    let variance = average(tile.iter().map(|&w| (f64::from(w) - mean).powi(2)))?;
    // A constant whose mean was rounded would leave a variance of nearly 0.
    let constant = tile
        .windows(2)
        .all(|pair| pair[0].to_bits() == pair[1].to_bits());
    (!constant && variance > 0.0 && variance.is_finite()).then_some((mean, variance))
}

fn average(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0_usize, 0.0), |(count, sum), v| (count + 1, sum + v));
    (count > 0).then(|| sum / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_through_layers_is_worked_out_by_hand() {
        // Two inputs, two units, then one unit. The first layer's largest weight is 2.
        let first: [f32; 4] = [1.0, 2.0, 0.0, -1.0];
        let second: [f32; 2] = [4.0, -8.0];
        let seen = through_layers(&[(&first, [2, 2]), (&second, [2, 1])], 2).expect("sizes chain");
        assert_eq!(seen[0], [0.5, 1.0, 0.0, -0.5]);
        // Rows 0.5·4 + 1·(−8) = −6 and 0·4 + (−0.5)·(−8) = 4, over 6.
        assert_eq!(seen[1], [-1.0, 4.0 / 6.0]);
        // One unit of each: the first column of the first layer, and what follows is the same.
        let one = through_layers(&[(&first, [2, 2]), (&second, [2, 1])], 1).expect("they do");
        assert_eq!(one, [vec![0.5, 0.0], seen[1].clone()]);
        assert!(through_layers(&[(&first, [2, 2]), (&first, [1, 4])], 2).is_none());
        assert!(through_layers(&[(&first, [2, 3])], 2).is_none());
    }

    /// 28×28 values that look random and never change.
    fn noise() -> Vec<f32> {
        let mut state = 1_u64;
        (0..784)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (state >> 40) as f32 / (1 << 23) as f32 - 1.0
            })
            .collect()
    }

    fn lit(side: usize, pixels: &[(usize, usize)]) -> Vec<f32> {
        let mut tile = vec![0.0; side * side];
        for (row, column) in pixels {
            tile[row * side + column] = 1.0;
        }
        tile
    }

    fn close(found: Option<f64>, expected: f64) {
        let found = found.expect("a score");
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    }

    #[test]
    fn kurtosis_of_two_equal_halves_is_1_and_of_one_lit_pixel_in_four_is_7_thirds() {
        close(kurtosis(&[-1.0, 1.0, 1.0, -1.0]), 1.0);
        // p = 1/4: (1 − 3p(1 − p)) / (p(1 − p)) = (7/16) / (3/16).
        close(kurtosis(&[0.0, 0.0, 5.0, 0.0]), 7.0 / 3.0);
        // 1 … 5: m₂ = 2, m₄ = (16 + 1 + 0 + 1 + 16) / 5 = 6.8.
        close(kurtosis(&[1.0, 2.0, 3.0, 4.0, 5.0]), 1.7);
    }

    #[test]
    fn gyration_of_two_lit_pixels_is_half_their_distance() {
        let gyration = |pixels: &[(usize, usize)]| radius_of_gyration(&lit(8, pixels), 8, 8);
        close(gyration(&[(3, 4)]), 0.0);
        close(gyration(&[(2, 1), (2, 7)]), 3.0);
        close(gyration(&[(1, 1), (4, 5)]), 2.5);
        // A flat n×n picture: 2 · (n² − 1) / 12 under the root.
        close(
            radius_of_gyration(&[0.3; 64], 8, 8),
            (63.0_f64 / 6.0).sqrt(),
        );
    }

    #[test]
    fn roughness_of_a_checkerboard_is_2_and_of_a_gradient_is_small() {
        let checkers: Vec<f32> = (0..16)
            .map(|i| if (i / 4 + i) % 2 == 0 { 1.0 } else { -1.0 })
            .collect();
        close(roughness(&checkers, 4, 4), 2.0);
        // Columns 0 … 3: half the neighbours differ by 1, the variance is 5/4.
        let gradient: Vec<f32> = (0..16_u8).map(|i| f32::from(i % 4)).collect();
        close(roughness(&gradient, 4, 4), 0.2);
        let white = roughness(&noise(), 28, 28).expect("a score");
        assert!((white - 1.0).abs() < 0.1, "{white}");
    }

    #[test]
    fn correlation_is_what_one_gets_by_hand() {
        close(correlation(&[1.0, 2.0, 3.0], &[10.0, 20.0, 30.0]), 1.0);
        close(correlation(&[1.0, 2.0, 3.0], &[-1.0, -2.0, -3.0]), -1.0);
        // Deviations (−1, 0, 1) and (−1, 1, 0): 1 / 2.
        close(correlation(&[1.0, 2.0, 3.0], &[0.0, 2.0, 1.0]), 0.5);
        assert_eq!(correlation(&[1.0, 1.0], &[1.0, 2.0]), None);
        assert_eq!(correlation(&[1.0], &[1.0, 2.0]), None);
    }

    #[test]
    fn tiles_without_an_answer_give_none() {
        for tile in [[0.0; 4], [0.1; 4], [1.0, f32::NAN, 0.0, 0.0]] {
            assert_eq!(kurtosis(&tile), None);
            assert_eq!(roughness(&tile, 2, 2), None);
        }
        assert_eq!(radius_of_gyration(&[0.0; 4], 2, 2), None);
        assert_eq!(radius_of_gyration(&[f32::INFINITY; 4], 2, 2), None);
        assert_eq!(radius_of_gyration(&[1.0; 4], 2, 3), None);
        assert_eq!(roughness(&[1.0, 2.0], usize::MAX, 2), None);
        assert_eq!((kurtosis(&[]), roughness(&[], 0, 0)), (None, None));
    }

    #[test]
    fn scores_ignore_scale_and_sign() {
        let tile = noise();
        for factor in [2.0, -1.0, -0.37, 1e-12, 1e12] {
            let scaled: Vec<f32> = tile.iter().map(|w| w * factor).collect();
            for score in [
                kurtosis,
                |t: &[f32]| radius_of_gyration(t, 28, 28),
                |t: &[f32]| roughness(t, 28, 28),
            ] {
                let (before, after) =
                    (score(&tile).expect("score"), score(&scaled).expect("score"));
                assert!((after / before - 1.0).abs() < 1e-5, "{before} {after}");
            }
        }
    }

    #[test]
    fn purity_counts_the_commonest_label_of_each_unit() {
        let purity = label_purity(&[0, 0, 0, 1, 1, 2], &[7, 7, 3, 1, 1, 9], 3, 10);
        close(purity, 5.0 / 6.0);
        // The image of a unit that does not exist is a miss.
        close(label_purity(&[0, 5], &[1, 1], 1, 10), 0.5);
        assert_eq!(label_purity(&[], &[], 1, 10), None);
    }

    /// kurtosis, gyration, roughness, digit correlation, L0 and dead units of 100.
    fn scores(numbers: [f64; 5], dead_units: usize) -> Scores {
        let [
            kurtosis,
            radius_of_gyration,
            roughness,
            digit_correlation,
            active_units,
        ] = numbers;
        Scores {
            live_units: 100 - dead_units,
            kurtosis: Some(kurtosis),
            radius_of_gyration: Some(radius_of_gyration),
            roughness: Some(roughness),
            digit_correlation: Some(digit_correlation),
            label_purity: Some(0.5),
            active_units,
            dead_units,
            hidden_units: 100,
        }
    }

    /// Of 28×28 pictures of digits.
    fn regime(scores: &Scores) -> (Regime, String) {
        regime_of(scores, PICTURE_SIDE, Subject::Digits)
    }

    #[test]
    fn regimes_of_the_reference_runs() {
        // Smallest and largest of five seeds at β = 0, 0.1 and 3.
        let table = [
            ([6.16, 7.55, 0.389, 0.374, 98.52], 0, Regime::AnyWhichWay),
            ([6.30, 7.59, 0.395, 0.401, 98.56], 0, Regime::AnyWhichWay),
            ([18.57, 5.45, 0.332, 0.465, 38.40], 0, Regime::Strokes),
            ([24.41, 4.84, 0.347, 0.481, 39.76], 0, Regime::Strokes),
            ([6.01, 6.71, 0.203, 0.518, 6.44], 0, Regime::WholeDigits),
            ([6.67, 6.83, 0.208, 0.543, 6.53], 3, Regime::WholeDigits),
        ];
        for (numbers, dead, expected) in table {
            let (found, reason) = regime(&scores(numbers, dead));
            assert_eq!(found, expected, "{reason}");
        }
    }

    #[test]
    fn an_unclear_reason_tells_what_was_found_and_what_the_nearest_rule_asks_for() {
        let told = |scores: &Scores| {
            let (found, reason) = regime(scores);
            assert_eq!(found, Regime::Unclear);
            reason
        };
        assert_eq!(
            told(&scores([6.3, 6.8, 0.20, 0.47, 6.3], 24)),
            "no rule holds; nearest is “whole digits”: dead units 24.0 %, but the rule asks for at most 10 %"
        );
        assert_eq!(
            told(&scores([6.3, 7.5, 0.39, 0.38, 85.1], 0)),
            "no rule holds; nearest is “any which way”: active units 85.1 %, but the rule asks for more than 90 %"
        );
        assert_eq!(
            told(&scores([15.0, 6.5, 0.39, 0.38, 50.0], 0)),
            "no rule holds; nearest is “strokes”: radius of gyration 6.50 px, but the rule asks for less than 6 px"
        );
    }

    #[test]
    fn words_of_digits_are_not_said_of_other_images() {
        let near_digits = scores([6.3, 6.8, 0.20, 0.47, 6.3], 24);
        let (_, reason) = regime_of(&near_digits, PICTURE_SIDE, Subject::Images);
        assert_eq!(
            reason,
            "no rule holds; nearest is “whole images”: dead units 24.0 %, but the rule asks for at most 10 %"
        );
    }

    #[test]
    fn a_regime_that_holds_is_told_by_inequalities_that_hold() {
        let told = |scores: &Scores, expected: Regime| {
            let (found, reason) = regime(scores);
            assert_eq!(found, expected, "{reason}");
            reason
        };
        assert_eq!(
            told(
                &scores([6.3, 7.55, 0.39, 0.38, 98.5], 0),
                Regime::AnyWhichWay
            ),
            "kurtosis 6.30 < 9, radius of gyration 7.55 px > 7.2 px, active units 98.5 % > 90 %"
        );
        // With two decimals it would read 14.00 > 14, and 6.00 px < 6 px.
        assert_eq!(
            told(
                &scores([14.0004, 5.9996, 0.3, 0.4, 40.0], 0),
                Regime::Strokes
            ),
            "kurtosis 14.0004 > 14, radius of gyration 5.9996 px < 6 px"
        );
    }

    #[test]
    fn what_fails_by_a_hair_is_told_from_what_is_asked_for() {
        let (_, reason) = regime(&scores([6.3, 7.5, 0.39, 0.38, 89.998], 0));
        assert_eq!(
            reason,
            "no rule holds; nearest is “any which way”: active units 89.998 %, but the rule asks for more than 90 %"
        );
        // Exactly at a threshold that must be passed.
        let (_, reason) = regime(&scores([6.3, 7.5, 0.39, 0.38, 90.0], 0));
        assert_eq!(
            reason,
            "no rule holds; nearest is “any which way”: active units 90.0 %, but the rule asks for more than 90 %"
        );
    }

    #[test]
    fn nothing_is_judged_from_scores_that_are_not_defined() {
        let without_units = Scores {
            kurtosis: None,
            radius_of_gyration: None,
            roughness: None,
            digit_correlation: None,
            label_purity: None,
            ..scores([0.0; 5], 100)
        };
        let (found, reason) = regime(&without_units);
        assert_eq!(found, Regime::NotJudged);
        assert_eq!(
            reason,
            "not defined: image correlation, kurtosis, radius of gyration, roughness; no unit is live"
        );
        let flat = Scores {
            dead_units: 0,
            live_units: 100,
            ..without_units
        };
        let (found, reason) = regime(&flat);
        assert_eq!(found, Regime::NotJudged);
        assert!(
            reason.ends_with(
                "; no live unit's weights vary over the picture, or no training image does"
            ),
            "{reason}"
        );
    }

    #[test]
    fn a_rule_that_does_not_ask_for_what_is_missing_can_hold() {
        let without_correlation = Scores {
            digit_correlation: None,
            ..scores([20.0, 5.0, 0.3, 0.4, 40.0], 0)
        };
        assert_eq!(regime(&without_correlation).0, Regime::Strokes);
        // Nor does it take what is missing to see that all rules fail.
        let without_correlation = Scores {
            digit_correlation: None,
            ..scores([8.0, 6.5, 0.2, 0.4, 50.0], 0)
        };
        assert_eq!(regime(&without_correlation).0, Regime::Unclear);
        let might_be_digits = Scores {
            digit_correlation: None,
            ..scores([8.0, 6.5, 0.2, 0.4, 5.0], 0)
        };
        assert_eq!(regime(&might_be_digits).0, Regime::NotJudged);
    }

    #[test]
    fn no_scores_fit_two_regimes() {
        for kurtosis in [0.0, 8.9, 9.0, 14.0, 14.1, 99.0] {
            for gyration in [0.0, 5.9, 6.5, 7.3] {
                for active in [0.0, 11.9, 50.0, 90.1, 100.0] {
                    let scores = scores([kurtosis, gyration, 0.3, 0.5, active], 0);
                    let holding = rules(&scores, 1.0)
                        .iter()
                        .filter(|(_, conditions)| conditions.iter().all(Condition::holds))
                        .count();
                    assert!(holding <= 1, "{scores:?}");
                }
            }
        }
    }

    #[test]
    fn lengths_scale_with_the_picture() {
        let strokes = scores([20.0, 10.0, 0.6, 0.4, 40.0], 0);
        assert_eq!(regime(&strokes).0, Regime::Unclear);
        assert_eq!(
            regime_of(&strokes, 56.0, Subject::Digits).0,
            Regime::Strokes
        );
    }
}
