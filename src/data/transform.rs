//! What is done to rows before a model sees them: measured on the training rows, applied in the same way to whatever comes
//! later, and kept with a run as named arrays.
//!
//! A row's result depends on that row and the measured numbers alone: to the last bit, whatever the rows beside it and
//! however many threads there are. Sums over rows are of f64 and go in the order of the rows. Rows are read in pieces, and
//! once for each transform that measures something, so that a file larger than memory can be measured too.

use std::slice;
use std::sync::Arc;

use rayon::prelude::*;

use super::whitening::{Covariance, LinearMap, product};
use super::{DataError, Frame, Images, RowSource, Values};
use crate::spec::{self, Standardised, Whitening};
use crate::weights::{HostTensor, Weights};

/// Rows that are read and changed at a time.
const ROWS_AT_ONCE: usize = 256;
/// Rows between two sums over rows.
const ROWS_OF_A_PIECE: usize = 4096;

/// Transforms in their order, each with what was measured for it. Without any, rows stay as they are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Transforms {
    steps: Vec<Step>,
}

/// One of them. Lists hold a number for each input, or one for all.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    Scale {
        factor: f32,
        offset: f32,
    },
    Standardise {
        mean: Vec<f32>,
        deviation: Vec<f32>,
    },
    RemoveRowMean,
    UnitLength,
    Whiten(LinearMap),
    Squash {
        middle: f32,
        reach: f32,
        low: f32,
        high: f32,
    },
}

impl Transforms {
    /// What `wanted` needs to know of the training rows `train`.
    ///
    /// # Errors
    ///
    /// [`DataError::Transform`] if one asks for what the rows do not have.
    pub fn fit(wanted: &[spec::Transform], train: &dyn RowSource) -> Result<Self, DataError> {
        let mut fitted = Self::default();
        for transform in wanted {
            let step = fitted.measure(*transform, train)?;
            fitted.steps.push(step);
        }
        Ok(fitted)
    }

    /// Whether rows stay as they are.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        self.steps.is_empty()
    }

    /// Numbers of a row that had `inputs`.
    #[must_use]
    pub fn outputs(&self, inputs: usize) -> usize {
        self.steps
            .iter()
            .fold(inputs, |inputs, step| step.outputs(inputs))
    }

    /// Whether each number of a row still is about the input at its place.
    fn keep_places(&self) -> bool {
        let turns = |step: &Step| matches!(step, Step::Whiten(map) if map.method == Whitening::Pca);
        !self.steps.iter().any(turns)
    }

    /// Whether rows of `inputs` numbers are like those that were measured.
    #[must_use]
    pub fn fits(&self, inputs: usize) -> bool {
        let mut inputs = inputs;
        self.steps.iter().all(|step| {
            let fits = step.inputs().is_none_or(|measured| measured == inputs);
            inputs = step.outputs(inputs);
            fits
        })
    }

    /// Rows of `inputs` numbers as a model sees them.
    #[must_use]
    pub fn apply(&self, mut rows: Vec<f32>, inputs: usize) -> Vec<f32> {
        let mut inputs = inputs;
        for step in &self.steps {
            step.apply(&mut rows, inputs);
            inputs = step.outputs(inputs);
        }
        rows
    }

    /// Some of the rows of `source` as a model sees them, one behind the other.
    #[must_use]
    pub fn read(&self, source: &dyn RowSource, rows: &[usize]) -> Vec<f32> {
        let (inputs, outputs) = (source.inputs(), self.outputs(source.inputs()));
        let mut all = vec![0.0; rows.len() * outputs];
        let blocks = rows
            .par_chunks(ROWS_AT_ONCE)
            .zip(all.par_chunks_mut(ROWS_AT_ONCE * outputs));
        blocks.for_each(|(rows, into)| {
            let mut block = vec![0.0; rows.len() * inputs];
            source.read(rows, &mut block);
            into.copy_from_slice(&self.apply(block, inputs));
        });
        all
    }

    /// All rows as a model sees them: in memory, unless they are read when they are asked for.
    ///
    /// # Errors
    ///
    /// [`DataError::Transform`] if the transforms were measured on rows of another length.
    pub fn images(&self, raw: &Images) -> Result<Images, DataError> {
        if self.is_identity() {
            return Ok(raw.clone());
        }
        if !self.fits(raw.inputs()) {
            let found = raw.inputs();
            return Err(DataError::Transform(format!(
                "rows have {found} inputs, but other ones were measured\n  hint: give rows like those that the run learnt from"
            )));
        }
        let frame = match self.outputs(raw.inputs()) {
            _ if self.keep_places() => raw.frame(),
            length => Frame::Vector { length },
        };
        if let Values::Stored(source) = raw.values() {
            let transformed = Transformed {
                source: source.clone(),
                transforms: self.clone(),
            };
            return Images::of_stored(Arc::new(transformed), frame);
        }
        let rows: Vec<usize> = (0..raw.count()).collect();
        Images::of_numbers(self.read(raw, &rows), frame)
    }

    /// A row as a model makes it, in the numbers of the data again: each transform is undone, the last one first. The mean
    /// and the length that a row lost are those of `raw`; what was clipped or left out stays lost.
    #[must_use]
    pub fn back(&self, raw: &[f32], row: &[f32]) -> Vec<f32> {
        let mut before = vec![raw.to_vec()];
        for step in &self.steps {
            let mut next = before[before.len() - 1].clone();
            let inputs = next.len();
            step.apply(&mut next, inputs);
            before.push(next);
        }
        let mut row = row.to_vec();
        for (step, before) in self.steps.iter().zip(&before).rev() {
            step.undo(&mut row, before);
        }
        row
    }

    fn measure(
        &self,
        transform: spec::Transform,
        train: &dyn RowSource,
    ) -> Result<Step, DataError> {
        let over_all = || {
            let moments = self.moments(train, Standardised::All);
            (moments.means()[0], moments.deviations()[0])
        };
        Ok(match transform {
            spec::Transform::Scale { factor, offset } => Step::Scale {
                factor: factor as f32,
                offset: offset as f32,
            },
            spec::Transform::Standardise { over } => {
                let moments = self.moments(train, over);
                Step::Standardise {
                    mean: moments.means(),
                    deviation: moments.deviations(),
                }
            }
            spec::Transform::RemoveRowMean => Step::RemoveRowMean,
            spec::Transform::UnitLength => Step::UnitLength,
            spec::Transform::Squash { low, high, .. } if low >= high => {
                return Err(DataError::Transform(format!(
                    "squash.low = {low} is not below squash.high = {high}\n  hint: write the lower one as low, or leave both \
                     out for 0.1 and 0.9"
                )));
            }
            spec::Transform::Squash {
                deviations,
                low,
                high,
            } => {
                let (middle, deviation) = over_all();
                Step::Squash {
                    middle,
                    reach: (deviations * f64::from(deviation)) as f32,
                    low: low as f32,
                    high: high as f32,
                }
            }
            spec::Transform::Whiten {
                method,
                epsilon,
                components,
            } => {
                let inputs = self.outputs(train.inputs());
                if let Some(asked) = components.filter(|&asked| asked > inputs) {
                    return Err(DataError::Transform(format!(
                        "whiten.components is {asked}, but a row has {inputs} inputs there\n  hint: write \"all\", or {inputs} at most"
                    )));
                }
                let mut covariance: Option<Covariance> = None;
                self.for_each_piece(train, |rows| {
                    let covariance =
                        covariance.get_or_insert_with(|| Covariance::new(&rows[..inputs]));
                    covariance.add(rows);
                });
                let covariance = covariance.expect("there is at least one row");
                Step::Whiten(covariance.whitening(method, epsilon, components))
            }
        })
    }

    fn moments(&self, train: &dyn RowSource, over: Standardised) -> Moments {
        let width = match over {
            Standardised::Features => self.outputs(train.inputs()),
            Standardised::All => 1,
        };
        let mut moments = Moments::new(width);
        self.for_each_piece(train, |rows| moments.add(rows));
        moments
    }

    /// All rows as they are after the steps that there are, in their order.
    fn for_each_piece(&self, train: &dyn RowSource, mut each: impl FnMut(&[f32])) {
        for start in (0..train.count()).step_by(ROWS_OF_A_PIECE) {
            let rows: Vec<usize> = (start..train.count().min(start + ROWS_OF_A_PIECE)).collect();
            each(&self.read(train, &rows));
        }
    }
}

/// Stored rows behind transforms.
struct Transformed {
    source: Arc<dyn RowSource>,
    transforms: Transforms,
}

impl RowSource for Transformed {
    fn count(&self) -> usize {
        self.source.count()
    }

    fn inputs(&self) -> usize {
        self.transforms.outputs(self.source.inputs())
    }

    fn read(&self, indices: &[usize], into: &mut [f32]) {
        into.copy_from_slice(&self.transforms.read(&*self.source, indices));
    }

    fn lost(&self) -> Option<&str> {
        self.source.lost()
    }
}

impl Step {
    /// The numbers of a row that it was measured on; nothing where it takes any.
    fn inputs(&self) -> Option<usize> {
        match self {
            Self::Standardise { mean, .. } if mean.len() > 1 => Some(mean.len()),
            Self::Whiten(map) => Some(map.mean.len()),
            _ => None,
        }
    }

    fn outputs(&self, inputs: usize) -> usize {
        match self {
            Self::Whiten(map) => map.forward.len() / map.mean.len(),
            _ => inputs,
        }
    }

    fn apply(&self, rows: &mut Vec<f32>, inputs: usize) {
        match self {
            Self::Scale { factor, offset } => {
                for x in rows {
                    *x = factor * *x + offset;
                }
            }
            Self::Standardise { mean, deviation } => match (&mean[..], &deviation[..]) {
                ([mean], [deviation]) => {
                    for x in rows {
                        *x = (*x - mean) / deviation;
                    }
                }
                _ => {
                    for row in rows.chunks_exact_mut(inputs) {
                        for ((x, mean), deviation) in row.iter_mut().zip(mean).zip(deviation) {
                            *x = (*x - mean) / deviation;
                        }
                    }
                }
            },
            Self::RemoveRowMean => {
                for row in rows.chunks_exact_mut(inputs) {
                    let mean = row_mean(row);
                    for x in row {
                        *x -= mean;
                    }
                }
            }
            Self::UnitLength => {
                for row in rows.chunks_exact_mut(inputs) {
                    let length = row_length(row);
                    for x in row {
                        *x /= length;
                    }
                }
            }
            Self::Whiten(map) => {
                for row in rows.chunks_exact_mut(inputs) {
                    for (x, mean) in row.iter_mut().zip(&map.mean) {
                        *x -= mean;
                    }
                }
                *rows = product(rows, &map.forward, inputs, self.outputs(inputs));
            }
            Self::Squash {
                middle,
                reach,
                low,
                high,
            } => {
                for x in rows {
                    let share = ((*x - middle) / reach).clamp(-1.0, 1.0) * 0.5 + 0.5;
                    *x = low + (high - low) * share;
                }
            }
        }
    }

    /// Undoes it for one row; `before` is the row that a mean or a length was lost from.
    fn undo(&self, row: &mut Vec<f32>, before: &[f32]) {
        match self {
            Self::Scale { factor, offset } => {
                for x in row {
                    *x = (*x - offset) / factor;
                }
            }
            Self::Standardise { mean, deviation } => {
                let numbers = mean.iter().zip(deviation).cycle();
                for (x, (mean, deviation)) in row.iter_mut().zip(numbers) {
                    *x = *x * deviation + mean;
                }
            }
            Self::RemoveRowMean => {
                let mean = row_mean(before);
                for x in row {
                    *x += mean;
                }
            }
            Self::UnitLength => {
                let length = row_length(before);
                for x in row {
                    *x *= length;
                }
            }
            Self::Whiten(map) => {
                let (outputs, inputs) = (row.len(), map.mean.len());
                *row = product(row, &map.back, outputs, inputs);
                for (x, mean) in row.iter_mut().zip(&map.mean) {
                    *x += mean;
                }
            }
            Self::Squash {
                middle,
                reach,
                low,
                high,
            } => {
                for x in row {
                    let share = (*x - low) / (high - low);
                    *x = middle + reach * (2.0 * share - 1.0);
                }
            }
        }
    }
}

fn row_mean(row: &[f32]) -> f32 {
    (row.iter().map(|&x| f64::from(x)).sum::<f64>() / row.len() as f64) as f32
}

/// 1 for a row of zeros, which nothing can be made of.
fn row_length(row: &[f32]) -> f32 {
    let length = row
        .iter()
        .map(|&x| f64::from(x).powi(2))
        .sum::<f64>()
        .sqrt() as f32;
    if length > 0.0 { length } else { 1.0 }
}

/// Sums over rows, for each of `width` inputs that follow each other. They are about the first number of each, so that
/// little is lost where the spread is small beside the mean.
pub(super) struct Moments {
    count: f64,
    width: usize,
    shift: Vec<f64>,
    sums: Vec<f64>,
    squares: Vec<f64>,
}

impl Moments {
    pub(super) fn new(width: usize) -> Self {
        Self {
            count: 0.0,
            width,
            shift: Vec::new(),
            sums: vec![0.0; width],
            squares: vec![0.0; width],
        }
    }

    pub(super) fn add(&mut self, rows: &[f32]) {
        if self.shift.is_empty() {
            self.shift = rows[..self.width].iter().map(|&x| f64::from(x)).collect();
        }
        self.count += (rows.len() / self.width) as f64;
        for row in rows.chunks_exact(self.width) {
            let sums = self.sums.iter_mut().zip(&mut self.squares);
            for ((x, shift), (sum, square)) in row.iter().zip(&self.shift).zip(sums) {
                let x = f64::from(*x) - shift;
                *sum += x;
                *square += x * x;
            }
        }
    }

    fn means(&self) -> Vec<f32> {
        let sums = self.shift.iter().zip(&self.sums);
        sums.map(|(shift, sum)| (shift + sum / self.count) as f32)
            .collect()
    }

    /// Σ(x − mean)² over all numbers.
    pub(super) fn variation(&self) -> f64 {
        let sums = self.sums.iter().zip(&self.squares);
        sums.map(|(sum, square)| (square - sum * sum / self.count).max(0.0))
            .sum()
    }

    /// 1 where nothing varies: what is about the first number is then 0 throughout, without rounding.
    fn deviations(&self) -> Vec<f32> {
        let sums = self.sums.iter().zip(&self.squares);
        let deviation = |(sum, square): (&f64, &f64)| {
            let variance = square / self.count - (sum / self.count).powi(2);
            let deviation = variance.max(0.0).sqrt() as f32;
            if deviation > 0.0 { deviation } else { 1.0 }
        };
        sums.map(deviation).collect()
    }
}

/// As a run keeps them.
impl Transforms {
    /// The steps as named arrays, `01.scale.factor`: the first step is 01.
    #[must_use]
    pub fn to_weights(&self) -> Weights {
        let mut weights = Weights::default();
        for (at, step) in self.steps.iter().enumerate() {
            let (kind, arrays) = step.arrays();
            for (name, rows, values) in arrays {
                let shape = [rows, values.len() / rows];
                weights.insert(
                    format!("{:02}.{kind}.{name}", at + 1),
                    shape,
                    values.to_vec(),
                );
            }
        }
        weights
    }

    /// The steps that [`to_weights`](Self::to_weights) wrote down.
    ///
    /// # Errors
    ///
    /// What is missing or does not fit, in words.
    pub fn from_weights(weights: &Weights) -> Result<Self, String> {
        let mut steps: Vec<Step> = Vec::new();
        let mut inputs = None;
        let names: Vec<&str> = weights.iter().map(|(name, _)| name).collect();
        for of_step in names.chunk_by(|a, b| stem(a) == stem(b)) {
            let stem = stem(of_step[0]);
            let kind = stem.split_once('.').map_or("", |(_, kind)| kind);
            if stem != format!("{:02}.{kind}", steps.len() + 1) {
                return Err(format!(
                    "{} is there, but step {} is not",
                    of_step[0],
                    steps.len() + 1
                ));
            }
            let step = Step::read(kind, |name| {
                let found = weights.get(&format!("{stem}.{name}"));
                found.map_err(|error| error.to_string())
            })?;
            if let (Some(inputs), Some(measured)) = (inputs, step.inputs())
                && inputs != measured
            {
                return Err(format!(
                    "{stem} is for rows of {measured} inputs, but they have {inputs} there"
                ));
            }
            inputs = step.inputs().or(inputs).map(|inputs| step.outputs(inputs));
            steps.push(step);
        }
        Ok(Self { steps })
    }
}

/// Name, rows and values, row by row.
type NamedArray<'a> = (&'static str, usize, &'a [f32]);

/// The name of an array without its last part.
fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

impl Step {
    /// What it is called, and its arrays: name, rows, values.
    fn arrays(&self) -> (&'static str, Vec<NamedArray<'_>>) {
        let one = |name, number| (name, 1, slice::from_ref(number));
        match self {
            Self::Scale { factor, offset } => {
                ("scale", vec![one("factor", factor), one("offset", offset)])
            }
            Self::Standardise { mean, deviation } => (
                "standardise",
                vec![("mean", 1, mean), ("deviation", 1, deviation)],
            ),
            // A file holds nothing but arrays.
            Self::RemoveRowMean => ("remove_row_mean", vec![one("of", &1.0)]),
            Self::UnitLength => ("unit_length", vec![one("of", &1.0)]),
            Self::Whiten(LinearMap {
                method,
                mean,
                forward,
                back,
            }) => {
                let inputs = mean.len();
                let kind = match method {
                    Whitening::Zca => "whiten_zca",
                    Whitening::Pca => "whiten_pca",
                };
                let maps = [
                    ("forward", inputs, &forward[..]),
                    ("back", back.len() / inputs, back),
                ];
                (kind, [vec![("mean", 1, &mean[..])], maps.to_vec()].concat())
            }
            Self::Squash {
                middle,
                reach,
                low,
                high,
            } => {
                let ends = [one("low", low), one("high", high)];
                (
                    "squash",
                    [
                        vec![one("middle", middle), one("reach", reach)],
                        ends.to_vec(),
                    ]
                    .concat(),
                )
            }
        }
    }

    /// The step of this kind with these arrays.
    fn read<'a>(
        kind: &str,
        array: impl Fn(&str) -> Result<&'a HostTensor, String>,
    ) -> Result<Self, String> {
        let number = |name: &str| match array(name)?.values[..] {
            [number] => Ok(number),
            _ => Err(format!("{kind}.{name} is not one number")),
        };
        let list = |name: &str, shape: [usize; 2]| match array(name)? {
            found if found.shape == shape && !found.values.is_empty() => Ok(found.values.clone()),
            found => Err(format!(
                "{kind}.{name} is {:?}, but should be {shape:?}",
                found.shape
            )),
        };
        Ok(match kind {
            "scale" => Self::Scale {
                factor: number("factor")?,
                offset: number("offset")?,
            },
            "standardise" => {
                let shape = [1, array("mean")?.values.len()];
                Self::Standardise {
                    mean: list("mean", shape)?,
                    deviation: list("deviation", shape)?,
                }
            }
            "remove_row_mean" => number("of").map(|_| Self::RemoveRowMean)?,
            "unit_length" => number("of").map(|_| Self::UnitLength)?,
            "whiten_zca" | "whiten_pca" => {
                let [inputs, outputs] = array("forward")?.shape;
                Self::Whiten(LinearMap {
                    method: if kind == "whiten_zca" {
                        Whitening::Zca
                    } else {
                        Whitening::Pca
                    },
                    mean: list("mean", [1, inputs])?,
                    forward: list("forward", [inputs, outputs])?,
                    back: list("back", [outputs, inputs])?,
                })
            }
            "squash" => Self::Squash {
                middle: number("middle")?,
                reach: number("reach")?,
                low: number("low")?,
                high: number("high")?,
            },
            _ => return Err(format!("\"{kind}\" is no transform")),
        })
    }
}

/// ‖x − x̂‖² of a row of `test`, the mean over them, where x̂ is what the first so many principal components of the rows of
/// `train`, which vary about their mean, keep of it: for each of `components`. The best that a linear autoencoder with as many
/// units can do on the rows that it learns from (Baldi and Hornik 1989).
#[must_use]
pub fn left_over_by_components(train: &Images, test: &Images, components: &[usize]) -> Vec<f64> {
    let mut covariance = Covariance::new(&train.row(0));
    Transforms::default().for_each_piece(train, |rows| covariance.add(rows));
    covariance.left_over(test, components)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::seed::{self, Purpose};
    use crate::spec::{Initialization, Transform, Whitening};

    /// Rows of `.1` numbers, one behind the other.
    struct Rows(Vec<f32>, usize);

    impl RowSource for Rows {
        fn count(&self) -> usize {
            self.0.len() / self.1
        }
        fn inputs(&self) -> usize {
            self.1
        }
        fn read(&self, indices: &[usize], into: &mut [f32]) {
            for (&index, row) in indices.iter().zip(into.chunks_exact_mut(self.1)) {
                row.copy_from_slice(&self.0[index * self.1..][..self.1]);
            }
        }
    }

    fn fit(wanted: &[Transform], rows: &Rows) -> Transforms {
        Transforms::fit(wanted, rows).expect("rows that can be transformed")
    }

    /// What becomes of `numbers`, rows of `inputs`, that are measured themselves.
    fn of(wanted: &[Transform], numbers: &[f32], inputs: usize) -> Vec<f32> {
        let rows = Rows(numbers.to_vec(), inputs);
        fit(wanted, &rows).apply(rows.0, inputs)
    }

    fn close(found: &[f32], expected: &[f32]) {
        assert_eq!(found.len(), expected.len());
        for (one, other) in found.iter().zip(expected) {
            assert!(
                (one - other).abs() <= 1e-5 * other.abs().max(1.0),
                "{found:?}, not {expected:?}"
            );
        }
    }

    const FEATURES: Transform = Transform::Standardise {
        over: Standardised::Features,
    };
    const ALL: Transform = Transform::Standardise {
        over: Standardised::All,
    };
    const SQUASH: Transform = Transform::Squash {
        deviations: 3.0,
        low: 0.1,
        high: 0.9,
    };

    fn whiten(method: Whitening, epsilon: f64, components: Option<usize>) -> Transform {
        Transform::Whiten {
            method,
            epsilon,
            components,
        }
    }

    const ZCA: Transform = Transform::Whiten {
        method: Whitening::Zca,
        epsilon: 0.0,
        components: None,
    };

    /// `count` rows of `inputs` numbers that hang together.
    fn correlated(count: usize, inputs: usize) -> Rows {
        let normal = Initialization::normal(1.0);
        let stream = seed::stream(0, Purpose::Corruption, &[count as u64, inputs as u64]);
        let mut numbers = seed::draw(normal, 1, [count, inputs], stream);
        for row in numbers.chunks_exact_mut(inputs) {
            for at in 1..inputs {
                row[at] = 0.8 * row[at - 1] + row[at] + 3.0;
            }
        }
        Rows(numbers, inputs)
    }

    #[test]
    fn each_transform_is_worked_out_by_hand() {
        let rows = [0.0, 4.0, 2.0, 8.0];
        let scale = Transform::Scale {
            factor: -0.5,
            offset: 1.0,
        };
        assert_eq!(of(&[scale], &rows, 2), [1.0, -1.0, 0.0, -3.0]);
        // Means 1 and 6, deviations 1 and 2.
        assert_eq!(of(&[FEATURES], &rows, 2), [-1.0, -1.0, 1.0, 1.0]);
        // Mean 3.5, variance (12.25 + 0.25 + 2.25 + 20.25) / 4 = 8.75.
        let deviation = 8.75_f32.sqrt();
        close(
            &of(&[ALL], &rows, 2),
            &[-3.5, 0.5, -1.5, 4.5].map(|x| x / deviation),
        );
        assert_eq!(
            of(&[Transform::RemoveRowMean], &rows, 2),
            [-2.0, 2.0, -3.0, 3.0]
        );
        assert_eq!(
            of(&[Transform::UnitLength], &[3.0, 4.0, 0.0, 0.0], 2),
            [0.6, 0.8, 0.0, 0.0]
        );
        // Deviation 1 about 0: −3 and 3 at most, of which ±1 is a third of the way from ½.
        let mut many = [1.0, -1.0].repeat(50);
        many.extend([90.0, -90.0]);
        let transforms = fit(&[SQUASH], &Rows(many[..100].to_vec(), 1));
        close(
            &transforms.apply(many[98..].to_vec(), 1),
            &[0.5 + 0.4 / 3.0, 0.5 - 0.4 / 3.0, 0.9, 0.1],
        );
    }

    #[test]
    fn transforms_are_measured_one_behind_the_other() {
        // Without row means: (−2, 2) and (−3, 3), whose variance is 6.5.
        let deviation = 6.5_f32.sqrt();
        let found = of(&[Transform::RemoveRowMean, ALL], &[0.0, 4.0, 2.0, 8.0], 2);
        close(&found, &[-2.0, 2.0, -3.0, 3.0].map(|x| x / deviation));
    }

    #[test]
    fn later_rows_are_measured_by_the_training_rows() {
        let transforms = fit(&[FEATURES], &Rows(vec![0.0, 4.0, 2.0, 8.0], 2));
        assert_eq!(transforms.apply(vec![5.0, 5.0], 2), [4.0, -0.5]);
    }

    #[test]
    fn what_does_not_vary_is_centred_and_no_more() {
        let found = of(&[FEATURES], &[0.1, 1.0, 0.1, 3.0, 0.1, 2.0], 2);
        assert_eq!(vec![found[0], found[2], found[4]], [0.0; 3]);
        assert_eq!(of(&[ALL], &[7.0; 4], 2), [0.0; 4]);
        close(&of(&[SQUASH], &[7.0; 4], 2), &[0.5; 4]);
        for method in [Whitening::Zca, Whitening::Pca] {
            let found = of(&[whiten(method, 0.0, None)], &[7.0; 4], 2);
            assert_eq!(found, [0.0; 4], "{method:?}");
        }
        // A feature that did not vary in training may vary later.
        let transforms = fit(&[FEATURES], &Rows(vec![0.1, 0.1], 1));
        close(&transforms.apply(vec![0.4], 1), &[0.3]);
    }

    #[test]
    fn whitening_of_two_correlated_inputs_is_worked_out_by_hand() {
        // Directions (1, 1)/√2 with variance 4 and (1, −1)/√2 with variance 1; about the mean (10, 20).
        let (long, short) = (2.0_f32, 1.0_f32);
        let directions = [
            (long, long),
            (-long, -long),
            (short, -short),
            (-short, short),
        ];
        let rows: Vec<f32> = directions
            .iter()
            .flat_map(|(x, y)| [10.0 + x, 20.0 + y])
            .collect();
        // Each direction: (2·2·k²) / 4 = 2k² for a length k√2: variances 4 and 1.
        let pca = of(&[whiten(Whitening::Pca, 0.0, None)], &rows, 2);
        let root = 2.0_f32.sqrt();
        close(&pca[..4], &[root, 0.0, -root, 0.0]);
        close(&[pca[5].abs(), pca[7].abs()], &[root, root]);
        let zca = of(&[ZCA], &rows, 2);
        close(&zca, &[1.0, 1.0, -1.0, -1.0, 1.0, -1.0, -1.0, 1.0]);
        // ε = 12 makes variance 4 a quarter of what it would be: 4 / (4 + 12); one component leaves the other out.
        let one = of(&[whiten(Whitening::Zca, 12.0, Some(1))], &rows, 2);
        close(&one, &[0.5, 0.5, -0.5, -0.5, 0.0, 0.0, 0.0, 0.0]);
        let one = of(&[whiten(Whitening::Pca, 12.0, Some(1))], &rows, 2);
        close(&one, &[root / 2.0, -root / 2.0, 0.0, 0.0]);
    }

    /// The covariance of rows about their mean, in f64.
    fn covariance(rows: &[f32], inputs: usize) -> Vec<f64> {
        let count = (rows.len() / inputs) as f64;
        let mean = |at: usize| {
            rows.iter()
                .skip(at)
                .step_by(inputs)
                .map(|&x| f64::from(x))
                .sum::<f64>()
                / count
        };
        let means: Vec<f64> = (0..inputs).map(mean).collect();
        let entry = |a: usize, b: usize| {
            let products = rows
                .chunks_exact(inputs)
                .map(|row| (f64::from(row[a]) - means[a]) * (f64::from(row[b]) - means[b]));
            products.sum::<f64>() / count
        };
        (0..inputs * inputs)
            .map(|at| entry(at / inputs, at % inputs))
            .collect()
    }

    #[test]
    fn whitened_rows_have_the_identity_for_a_covariance() {
        // More inputs than a thread sums up at a time, and rows that no piece divides.
        for (count, inputs) in [(500, 3), (4099, 70)] {
            for method in [Whitening::Zca, Whitening::Pca] {
                let rows = correlated(count, inputs);
                let whitened = of(&[whiten(method, 0.0, None)], &rows.0, inputs);
                for (at, entry) in covariance(&whitened, inputs).iter().enumerate() {
                    let expected = if at / inputs == at % inputs { 1.0 } else { 0.0 };
                    assert!(
                        (entry - expected).abs() < 1e-4,
                        "{method:?} {inputs}, entry {at}: {entry}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_direction_without_variance_is_left_out() {
        // Without row means one direction of three has no variance but what rounding leaves.
        let rows = correlated(300, 3);
        let whitened = of(&[Transform::RemoveRowMean, ZCA], &rows.0, 3);
        let covariance = covariance(&whitened, 3);
        for (at, entry) in covariance.iter().enumerate() {
            let expected = if at / 3 == at % 3 {
                2.0 / 3.0
            } else {
                -1.0 / 3.0
            };
            assert!((entry - expected).abs() < 1e-4, "{covariance:?}");
        }
    }

    #[test]
    fn more_components_than_inputs_are_refused() {
        let wanted = [
            whiten(Whitening::Pca, 0.0, Some(3)),
            whiten(Whitening::Pca, 0.0, Some(5)),
        ];
        assert_eq!(
            Transforms::fit(&wanted, &correlated(9, 4))
                .expect_err("too many")
                .to_string(),
            "data.transforms: whiten.components is 5, but a row has 3 inputs there\n  hint: write \"all\", or 3 at most"
        );
    }

    #[test]
    fn ends_that_are_no_range_are_refused() {
        let wanted = [Transform::Squash {
            deviations: 3.0,
            low: 0.5,
            high: 0.5,
        }];
        assert_eq!(
            Transforms::fit(&wanted, &correlated(9, 4))
                .expect_err("no range")
                .to_string(),
            "data.transforms: squash.low = 0.5 is not below squash.high = 0.5\n  hint: write the lower one as low, or leave \
             both out for 0.1 and 0.9"
        );
    }

    #[test]
    fn pictures_stay_pictures_unless_they_are_turned_into_components() {
        let raw =
            Images::of_bytes((0..240).collect::<Vec<u8>>(), Frame::grey(3, 4)).expect("pictures");
        let frame = |wanted: &[Transform]| {
            let transforms = Transforms::fit(wanted, &raw).expect("they can be transformed");
            let images = transforms.images(&raw).expect("they fit");
            assert_eq!(images.count(), 20);
            images.frame()
        };
        assert_eq!(frame(&[FEATURES, ZCA]), Frame::grey(3, 4));
        let pca = whiten(Whitening::Pca, 0.1, None);
        assert_eq!(frame(&[pca, FEATURES]), Frame::Vector { length: 12 });
        assert_eq!(
            frame(&[whiten(Whitening::Pca, 0.1, Some(5))]),
            Frame::Vector { length: 5 }
        );
        // Bytes that nothing is done to stay bytes.
        assert_eq!(Transforms::default().images(&raw).expect("they fit"), raw);
        let other = Images::of_bytes(vec![0; 6], Frame::grey(2, 3)).expect("pictures");
        assert_eq!(
            Transforms::fit(&[ZCA], &raw)
                .and_then(|of| of.images(&other))
                .expect_err("other ones")
                .to_string(),
            "data.transforms: rows have 6 inputs, but other ones were measured\n  hint: give rows like those that the run \
             learnt from"
        );
    }

    #[test]
    fn rows_behind_a_transform_have_the_bits_of_those_in_memory() {
        let rows = correlated(600, 9);
        let in_memory = Images::of_numbers(rows.0.clone(), Frame::grey(3, 3)).expect("pictures");
        let stored = Images::of_stored(Arc::new(rows), Frame::grey(3, 3)).expect("pictures");
        let wanted = [FEATURES, ZCA, SQUASH];
        let transforms = Transforms::fit(&wanted, &stored).expect("they can be transformed");
        assert_eq!(
            Transforms::fit(&wanted, &in_memory).expect("they can"),
            transforms
        );
        let [in_memory, stored] =
            [in_memory, stored].map(|raw| transforms.images(&raw).expect("they fit"));
        assert_eq!((stored.size(), in_memory.size()), (0, 600 * 9 * 4));
        for row in [0, 7, 599] {
            assert_eq!(stored.row(row), in_memory.row(row));
        }
    }

    #[test]
    fn bits_depend_neither_on_threads_nor_on_the_rows_beside() {
        let rows = correlated(5000, 60);
        let wanted = [
            FEATURES,
            Transform::RemoveRowMean,
            ZCA,
            Transform::UnitLength,
        ];
        let all: Vec<usize> = (0..5000).collect();
        let with_threads = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.expect("threads").install(|| {
                let transforms = fit(&wanted, &rows);
                let read = transforms.read(&rows, &all);
                (transforms, read)
            })
        };
        let (transforms, read) = with_threads(1);
        assert_eq!(with_threads(3), (transforms.clone(), read.clone()));
        for row in [0, 1, 255, 256, 4999] {
            assert_eq!(
                transforms.read(&rows, &[row]),
                read[row * 60..][..60],
                "row {row}"
            );
        }
    }

    #[test]
    fn a_run_keeps_every_bit() {
        let rows = correlated(50, 5);
        let scale = Transform::Scale {
            factor: 0.3,
            offset: -0.7,
        };
        let pca = whiten(Whitening::Pca, 0.01, Some(2));
        let wanted = [
            FEATURES,
            Transform::RemoveRowMean,
            ALL,
            pca,
            SQUASH,
            Transform::UnitLength,
            scale,
        ];
        let transforms = fit(&wanted, &rows);
        let kept = transforms.to_weights();
        assert_eq!(
            kept.get("04.whiten_pca.forward")
                .expect("it is there")
                .shape,
            [5, 2]
        );
        assert_eq!(Transforms::from_weights(&kept), Ok(transforms.clone()));
        assert_eq!(
            (
                transforms.outputs(5),
                transforms.fits(5),
                transforms.fits(4)
            ),
            (2, true, false)
        );
        let none = Transforms::from_weights(&Weights::default()).expect("nothing to read");
        assert!(none.is_identity() && !transforms.is_identity());
        // More than nine keep their order.
        let many = fit(&[scale; 12], &rows);
        assert_eq!(Transforms::from_weights(&many.to_weights()), Ok(many));
    }

    #[test]
    fn arrays_that_do_not_fit_are_told() {
        let told = |arrays: &[(&str, [usize; 2])]| {
            let mut weights = Weights::default();
            for &(name, shape) in arrays {
                weights.insert(name.to_owned(), shape, vec![1.0; shape[0] * shape[1]]);
            }
            Transforms::from_weights(&weights).expect_err("they do not fit")
        };
        assert_eq!(
            told(&[("02.unit_length.of", [1, 1])]),
            "02.unit_length.of is there, but step 1 is not"
        );
        assert_eq!(
            told(&[("encoder", [1, 1])]),
            "encoder is there, but step 1 is not"
        );
        assert_eq!(told(&[("01.blur.of", [1, 1])]), "\"blur\" is no transform");
        assert_eq!(
            told(&[("01.scale.factor", [1, 1])]),
            "tensor `01.scale.offset` is missing"
        );
        assert_eq!(
            told(&[
                ("01.standardise.deviation", [1, 2]),
                ("01.standardise.mean", [1, 3])
            ]),
            "standardise.deviation is [1, 2], but should be [1, 3]"
        );
        assert_eq!(
            told(&[
                ("01.whiten_pca.back", [2, 3]),
                ("01.whiten_pca.forward", [3, 2]),
                ("01.whiten_pca.mean", [1, 3]),
                ("02.standardise.deviation", [1, 3]),
                ("02.standardise.mean", [1, 3]),
            ]),
            "02.standardise is for rows of 3 inputs, but they have 2 there"
        );
    }

    proptest! {
        #[test]
        fn a_second_time_changes_little(
            numbers in prop::collection::vec(-100.0_f32..100.0, 24),
        ) {
            // What is standardised, centred, of length 1 or white is so already.
            for wanted in [FEATURES, ALL, Transform::RemoveRowMean, Transform::UnitLength, ZCA] {
                let once = of(&[wanted], &numbers, 4);
                let twice = of(&[wanted], &once, 4);
                for (once, twice) in once.iter().zip(&twice) {
                    prop_assert!((once - twice).abs() < 2e-3, "{wanted:?}: {once} {twice}");
                }
            }
        }

        #[test]
        fn what_is_undone_comes_back(
            numbers in prop::collection::vec(-50.0_f32..50.0, 60),
            factor in 0.1_f64..10.0,
        ) {
            let rows = Rows(numbers, 5);
            let scale = Transform::Scale { factor, offset: -factor };
            let wide = Transform::Squash { deviations: 20.0, low: 0.1, high: 0.9 };
            for last in [ALL, whiten(Whitening::Zca, 0.1, None), whiten(Whitening::Pca, 0.1, None), wide] {
                let transforms = fit(&[scale, Transform::RemoveRowMean, FEATURES, Transform::UnitLength, last], &rows);
                for row in rows.0.chunks_exact(5) {
                    let back = transforms.back(row, &transforms.apply(row.to_vec(), 5));
                    for (back, raw) in back.iter().zip(row) {
                        prop_assert!((back - raw).abs() < 0.05, "{last:?}: {back} {raw}");
                    }
                }
            }
        }
    }

    #[test]
    fn components_leave_over_what_they_do_not_span() {
        let images = |rows: &[[f32; 3]]| {
            Images::of_numbers(rows.concat(), Frame::grey(1, 3)).expect("whole rows")
        };
        // About the mean (1, 1, 1): twice as far along the first input as along the second, nothing along the third.
        let train = images(&[
            [3.0, 1.0, 1.0],
            [-1.0, 1.0, 1.0],
            [1.0, 2.0, 1.0],
            [1.0, 0.0, 1.0],
        ]);
        let test = images(&[[4.0, 3.0, 1.5], [1.0, 1.0, 1.0]]);
        let left = left_over_by_components(&train, &test, &[1, 2, 0, 3]);
        // Of 3² + 2² + ½² in all, half a row each.
        let expected = [2.125, 0.25 / 2.0, (9.0 + 4.0 + 0.25) / 2.0, 0.0];
        for (left, expected) in left.iter().zip(expected) {
            assert!((left - expected).abs() < 1e-12, "{left} {expected}");
        }
    }
}
