//! Rows of inputs: pictures or vectors, as bytes, as numbers, or read when they are asked for.

use std::fmt;
use std::sync::{Arc, OnceLock};

use burn_dataset::Dataset;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::DataError;
use super::transform::Moments;

/// How many rows are looked at together.
const BLOCK: usize = 256;

/// What one row of inputs is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frame {
    /// A picture, row after row, with the channels of a pixel side by side.
    Picture {
        /// In pixels.
        height: usize,
        /// In pixels.
        width: usize,
        /// 1 of grey pictures, 3 of colour.
        channels: usize,
    },
    /// Numbers that have no place in a picture.
    Vector {
        /// How many.
        length: usize,
    },
}

impl Frame {
    /// A grey picture.
    #[must_use]
    pub fn grey(height: usize, width: usize) -> Self {
        Self::Picture {
            height,
            width,
            channels: 1,
        }
    }

    /// How many numbers a row has; `None` if there are more than memory has addresses.
    #[must_use]
    pub fn inputs(self) -> Option<usize> {
        match self {
            Self::Picture {
                height,
                width,
                channels,
            } => height.checked_mul(width)?.checked_mul(channels),
            Self::Vector { length } => Some(length),
        }
    }

    /// What a row is called.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Picture { .. } => "image",
            Self::Vector { .. } => "row",
        }
    }

    /// Height and width of a grey picture.
    #[must_use]
    pub fn as_grey(self) -> Option<[usize; 2]> {
        match self {
            Self::Picture {
                height,
                width,
                channels: 1,
            } => Some([height, width]),
            _ => None,
        }
    }
}

/// `28×28 pixels`, `32×32 pixels in colour`, `768 numbers`.
impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Picture {
                height,
                width,
                channels,
            } => {
                write!(f, "{height}×{width} pixels")?;
                match channels {
                    1 => Ok(()),
                    3 => f.write_str(" in colour"),
                    channels => write!(f, " of {channels} channels"),
                }
            }
            Self::Vector { length } => write!(f, "{length} numbers"),
        }
    }
}

/// Rows that are read when they are asked for: a file that is too large to be held, or rows behind a transform.
pub trait RowSource: Send + Sync {
    /// How many rows there are.
    fn count(&self) -> usize;

    /// How many numbers a row has.
    fn inputs(&self) -> usize;

    /// Writes the rows at `indices` into `into`, one behind the other. The same row has the same bits each time.
    fn read(&self, indices: &[usize], into: &mut [f32]);

    /// Why rows could not be read, if there were any: they are NaN then.
    fn lost(&self) -> Option<&str> {
        None
    }
}

/// At least one row of inputs, all of one frame.
#[derive(Clone)]
pub struct Images {
    values: Values,
    count: usize,
    frame: Frame,
    /// [`total_variation`](Self::total_variation), once somebody has asked.
    variation: OnceLock<f64>,
}

/// Where the numbers of the rows are.
#[derive(Clone)]
pub enum Values {
    /// Each byte stands for its 255th part.
    Bytes(Bytes),
    /// f32 in the machine's own order of bytes.
    Numbers(Bytes),
    /// Elsewhere.
    Stored(Arc<dyn RowSource>),
}

/// Memory of numbers, as bytes.
struct Floats(Vec<f32>);

impl AsRef<[u8]> for Floats {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
}

impl PartialEq for Images {
    fn eq(&self, other: &Self) -> bool {
        let same = match (&self.values, &other.values) {
            (Values::Bytes(one), Values::Bytes(other))
            | (Values::Numbers(one), Values::Numbers(other)) => one == other,
            (Values::Stored(one), Values::Stored(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        same && (self.count, self.frame) == (other.count, other.frame)
    }
}

impl Eq for Images {}

impl Images {
    /// Rows of bytes, one behind the other; each byte stands for its 255th part.
    ///
    /// # Errors
    ///
    /// [`DataError::Rows`] if they do not make a whole number of rows, or if there is nothing to see.
    pub fn of_bytes(pixels: impl Into<Bytes>, frame: Frame) -> Result<Self, DataError> {
        let pixels = pixels.into();
        let count = whole_rows(pixels.len(), frame)?;
        Ok(Self::new(Values::Bytes(pixels), count, frame))
    }

    /// Rows of numbers, one behind the other.
    ///
    /// # Errors
    ///
    /// As [`of_bytes`](Self::of_bytes).
    pub fn of_numbers(numbers: Vec<f32>, frame: Frame) -> Result<Self, DataError> {
        let count = whole_rows(numbers.len(), frame)?;
        let numbers = Bytes::from_owner(Floats(numbers));
        Ok(Self::new(Values::Numbers(numbers), count, frame))
    }

    /// Rows that are read when they are asked for.
    ///
    /// # Errors
    ///
    /// [`DataError::Rows`] if there is no row, or rows of another frame.
    pub fn of_stored(source: Arc<dyn RowSource>, frame: Frame) -> Result<Self, DataError> {
        let count = source.count();
        if frame.inputs() != Some(source.inputs()) || count == 0 {
            let found = count.saturating_mul(source.inputs());
            return Err(DataError::Rows { found, frame });
        }
        Ok(Self::new(Values::Stored(source), count, frame))
    }

    /// All items of burn's own `Dataset`, each made a row by `row`.
    ///
    /// # Errors
    ///
    /// [`DataError::Item`] if one cannot be had or is no row of `frame`, [`DataError::Rows`] if there is none.
    pub fn from_dataset<I>(
        dataset: &impl Dataset<I>,
        frame: Frame,
        row: impl Fn(I) -> Vec<f32>,
    ) -> Result<Self, DataError> {
        let mut numbers = Vec::new();
        for index in 0..dataset.len() {
            let failed = |reason: String| DataError::Item { index, reason };
            let item = dataset
                .get(index)
                .map_err(|error| failed(error.to_string()))?;
            let row = row(item);
            if Some(row.len()) != frame.inputs() {
                let found = row.len();
                return Err(failed(format!("it has {found} numbers, expected {frame}")));
            }
            numbers.extend(row);
        }
        Self::of_numbers(numbers, frame)
    }

    fn new(values: Values, count: usize, frame: Frame) -> Self {
        Self {
            values,
            count,
            frame,
            variation: OnceLock::new(),
        }
    }

    /// How many rows there are, at least one.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// What each row is.
    #[must_use]
    pub fn frame(&self) -> Frame {
        self.frame
    }

    /// How many numbers a row has.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.frame.inputs().unwrap_or(0)
    }

    /// Where the numbers are.
    #[must_use]
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// All bytes, row after row, where rows are bytes.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.values {
            Values::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// How many bytes of memory the rows take.
    #[must_use]
    pub fn size(&self) -> usize {
        match &self.values {
            Values::Bytes(bytes) | Values::Numbers(bytes) => bytes.len(),
            Values::Stored(_) => 0,
        }
    }

    /// A row as a model sees it.
    ///
    /// # Panics
    ///
    /// Panics if `index` is not below [`count`](Self::count).
    #[must_use]
    pub fn row(&self, index: usize) -> Vec<f32> {
        let mut row = vec![0.0; self.inputs()];
        self.rows(&[index], &mut row);
        row
    }

    /// Writes the rows at `indices` into `into`, as a model sees them.
    ///
    /// # Panics
    ///
    /// Panics if an index is not below [`count`](Self::count), or `into` has not room for just these rows.
    pub fn rows(&self, indices: &[usize], into: &mut [f32]) {
        let inputs = self.inputs();
        assert_eq!(into.len(), indices.len() * inputs, "room for the rows");
        if let Values::Stored(source) = &self.values {
            return source.read(indices, into);
        }
        for (&index, row) in indices.iter().zip(into.chunks_exact_mut(inputs)) {
            let of_row = index * inputs..(index + 1) * inputs;
            match &self.values {
                Values::Bytes(bytes) => {
                    for (number, &byte) in row.iter_mut().zip(&bytes[of_row]) {
                        *number = f32::from(byte) / 255.0;
                    }
                }
                Values::Numbers(bytes) => {
                    row.copy_from_slice(&bytemuck::cast_slice::<u8, f32>(bytes)[of_row]);
                }
                Values::Stored(_) => {}
            }
        }
    }

    /// Calls `each` with every row in its order, as a model sees it.
    pub fn each_row(&self, mut each: impl FnMut(&[f32])) {
        let inputs = self.inputs();
        let mut block = Vec::new();
        for start in (0..self.count).step_by(BLOCK) {
            let indices: Vec<usize> = (start..self.count.min(start + BLOCK)).collect();
            block.resize(indices.len() * inputs, 0.0);
            self.rows(&indices, &mut block);
            block.chunks_exact(inputs).for_each(&mut each);
        }
    }

    /// Σ‖x − x̄‖² over all rows. Of bytes it is exact but for a last rounding, as sums of their squares are whole numbers.
    #[must_use]
    pub fn total_variation(&self) -> f64 {
        *self.variation.get_or_init(|| {
            if let Values::Bytes(bytes) = &self.values {
                return variation_of_bytes(bytes, self.inputs());
            }
            let mut moments = Moments::new(self.inputs());
            self.each_row(|row| moments.add(row));
            moments.variation()
        })
    }

    /// The mean of the outermost pixels of all pictures, where they are pictures of bytes.
    #[must_use]
    pub fn border(&self) -> Option<u8> {
        let (
            Values::Bytes(bytes),
            Frame::Picture {
                height,
                width,
                channels,
            },
        ) = (&self.values, self.frame)
        else {
            return None;
        };
        let is_outermost = |at: usize| {
            let (row, column) = (at / channels / width, at / channels % width);
            row == 0 || row + 1 == height || column == 0 || column + 1 == width
        };
        let places: Vec<usize> = (0..self.inputs()).filter(|&at| is_outermost(at)).collect();
        let pictures = bytes.chunks_exact(self.inputs());
        let of_picture =
            |picture: &[u8]| -> u64 { places.iter().map(|&at| u64::from(picture[at])).sum() };
        let sum: u64 = pictures.map(of_picture).sum();
        let count = (places.len() * self.count) as u64;
        Some(((sum + count / 2) / count) as u8)
    }

    /// The same rows as rows of another frame.
    ///
    /// # Errors
    ///
    /// [`DataError::Rows`] if that has another number of inputs.
    pub fn with_frame(self, frame: Frame) -> Result<Self, DataError> {
        if frame.inputs() == self.frame.inputs() {
            Ok(Self::new(self.values, self.count, frame))
        } else {
            let found = self.count * self.inputs();
            Err(DataError::Rows { found, frame })
        }
    }

    /// For each input, whether it is anything but 0 in any row.
    #[must_use]
    pub fn ever_on(&self) -> Vec<bool> {
        let mut on = vec![false; self.inputs()];
        match &self.values {
            Values::Bytes(bytes) => {
                for row in bytes.chunks_exact(on.len()) {
                    for (on, &byte) in on.iter_mut().zip(row) {
                        *on |= byte > 0;
                    }
                }
            }
            _ => self.each_row(|row| {
                for (on, &number) in on.iter_mut().zip(row) {
                    *on |= number != 0.0;
                }
            }),
        }
        on
    }

    /// The smallest and the largest number of all rows.
    #[must_use]
    pub fn range(&self) -> [f32; 2] {
        let mut range = [f32::INFINITY, f32::NEG_INFINITY];
        self.each_row(|row| {
            for &number in row {
                range = [range[0].min(number), range[1].max(number)];
            }
        });
        range
    }

    /// Takes the rows from the first `keep` on away.
    pub(super) fn split_off(&mut self, keep: usize) -> Self {
        let rest = self.part(keep, self.count - keep);
        *self = self.part(0, keep);
        rest
    }

    /// `count` rows from `start` on, in the same memory.
    #[must_use]
    pub fn part(&self, start: usize, count: usize) -> Self {
        let inputs = self.inputs();
        let of = |size: usize| start * inputs * size..(start + count) * inputs * size;
        let values = match &self.values {
            Values::Bytes(bytes) => Values::Bytes(bytes.slice(of(1))),
            Values::Numbers(bytes) => Values::Numbers(bytes.slice(of(size_of::<f32>()))),
            Values::Stored(source) => Values::Stored(Arc::new(Picked {
                source: source.clone(),
                rows: (start..start + count).collect(),
            })),
        };
        Self::new(values, count, self.frame)
    }

    /// The rows at `indices`, in that order; at least one.
    ///
    /// # Panics
    ///
    /// Panics if an index is not below [`count`](Self::count), or there is none.
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        assert!(!indices.is_empty(), "at least one row");
        let inputs = self.inputs();
        let rows = |bytes: &Bytes, size: usize| -> Vec<u8> {
            let mut rows = Vec::with_capacity(indices.len() * inputs * size);
            for &index in indices {
                rows.extend_from_slice(&bytes[index * inputs * size..][..inputs * size]);
            }
            rows
        };
        let values = match &self.values {
            Values::Bytes(bytes) => Values::Bytes(rows(bytes, 1).into()),
            Values::Numbers(_) => {
                let mut numbers = vec![0.0; indices.len() * inputs];
                self.rows(indices, &mut numbers);
                Values::Numbers(Bytes::from_owner(Floats(numbers)))
            }
            Values::Stored(source) => Values::Stored(Arc::new(Picked {
                source: source.clone(),
                rows: indices.to_vec(),
            })),
        };
        Self::new(values, indices.len(), self.frame)
    }
}

impl RowSource for Images {
    fn count(&self) -> usize {
        self.count
    }

    fn inputs(&self) -> usize {
        self.inputs()
    }

    fn read(&self, indices: &[usize], into: &mut [f32]) {
        self.rows(indices, into);
    }

    fn lost(&self) -> Option<&str> {
        match &self.values {
            Values::Stored(source) => source.lost(),
            _ => None,
        }
    }
}

/// Some rows of others.
struct Picked {
    source: Arc<dyn RowSource>,
    rows: Vec<usize>,
}

impl RowSource for Picked {
    fn count(&self) -> usize {
        self.rows.len()
    }

    fn inputs(&self) -> usize {
        self.source.inputs()
    }

    fn read(&self, indices: &[usize], into: &mut [f32]) {
        let rows: Vec<usize> = indices.iter().map(|&index| self.rows[index]).collect();
        self.source.read(&rows, into);
    }

    fn lost(&self) -> Option<&str> {
        self.source.lost()
    }
}

fn whole_rows(found: usize, frame: Frame) -> Result<usize, DataError> {
    match frame.inputs() {
        Some(inputs) if inputs > 0 && found > 0 && found.is_multiple_of(inputs) => {
            Ok(found / inputs)
        }
        _ => Err(DataError::Rows { found, frame }),
    }
}

fn variation_of_bytes(bytes: &[u8], inputs: usize) -> f64 {
    let mut sums = vec![0_u64; inputs];
    let mut squares = 0_u64;
    for row in bytes.chunks_exact(inputs) {
        for (sum, &byte) in sums.iter_mut().zip(row) {
            *sum += u64::from(byte);
        }
        squares += row.iter().map(|&byte| u64::from(byte).pow(2)).sum::<u64>();
    }
    let of_sums: u128 = sums.iter().map(|&sum| u128::from(sum).pow(2)).sum();
    let count = (bytes.len() / inputs) as u128;
    let variation = count * u128::from(squares) - of_sums;
    variation as f64 / count as f64 / (255.0 * 255.0)
}

/// The shape alone: nobody wants to read 47 million pixels.
impl fmt::Debug for Images {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Images({} of {})", self.count, self.frame)
    }
}

#[cfg(test)]
mod tests {
    use burn_dataset::InMemDataset;

    use super::*;

    struct Doubled(Vec<f32>);

    impl RowSource for Doubled {
        fn count(&self) -> usize {
            self.0.len() / 2
        }
        fn inputs(&self) -> usize {
            2
        }
        fn read(&self, indices: &[usize], into: &mut [f32]) {
            for (&index, row) in indices.iter().zip(into.chunks_exact_mut(2)) {
                row.copy_from_slice(&[self.0[2 * index] * 2.0, self.0[2 * index + 1] * 2.0]);
            }
        }
    }

    const PAIR: Frame = Frame::Vector { length: 2 };

    #[test]
    fn a_row_is_the_same_whatever_holds_it() {
        let bytes = Images::of_bytes(vec![0, 255, 51, 0, 204, 102], PAIR).unwrap();
        let numbers = vec![0.0, 1.0, 0.2, 0.0, 0.8, 0.4];
        let halves = numbers.iter().map(|number| number / 2.0).collect();
        let stored = Images::of_stored(Arc::new(Doubled(halves)), PAIR).unwrap();
        let numbers = Images::of_numbers(numbers, PAIR).unwrap();
        let items: Vec<[f32; 2]> = vec![[0.0, 1.0], [0.2, 0.0], [0.8, 0.4]];
        let given = Images::from_dataset(&InMemDataset::new(items), PAIR, |item| item.to_vec());
        for images in [&bytes, &numbers, &stored, &given.unwrap()] {
            assert_eq!(images.count(), 3);
            assert_eq!(images.row(2), [0.8, 0.4]);
            assert_eq!(images.part(1, 2).row(1), [0.8, 0.4]);
            assert_eq!(images.select(&[2, 0]).row(0), [0.8, 0.4]);
            let mut rest = images.clone();
            assert_eq!(rest.split_off(2).row(0), [0.8, 0.4]);
            assert_eq!((rest.count(), rest.row(1)), (2, vec![0.2, 0.0]));
            assert_eq!(images.ever_on(), [true, true]);
            assert_eq!(images.range().to_vec(), [0.0, 1.0]);
            // Means 1/3 and 7/15; deviations (−5, −2, 7)/15 and (8, −7, −1)/15.
            let expected = (25.0 + 4.0 + 49.0 + 64.0 + 49.0 + 1.0) / 225.0;
            assert!((images.total_variation() - expected).abs() < 1e-7);
            // (0, 1) and (0.2, 0): half of the squared distances.
            assert!((rest.total_variation() - 0.52).abs() < 1e-7);
            assert_eq!(
                images.part(1, 1).total_variation().to_bits(),
                0.0_f64.to_bits()
            );
        }
        assert_eq!(format!("{bytes:?}"), "Images(3 of 2 numbers)");
    }

    #[test]
    fn inputs_that_are_always_0_are_found() {
        let images = Images::of_bytes(vec![0, 1, 0, 0, 255, 0], Frame::grey(1, 3)).unwrap();
        assert_eq!(images.ever_on(), [false, true, false]);
    }

    #[test]
    fn parts_of_rows_and_rows_of_nothing_are_refused() {
        let huge = Frame::grey(4, usize::MAX);
        for (pixels, frame) in [
            (5, Frame::grey(2, 2)),
            (0, Frame::grey(2, 2)),
            (4, Frame::grey(0, 2)),
            (4, Frame::grey(2, 0)),
            (4, huge),
            (4, Frame::Vector { length: 0 }),
        ] {
            assert!(
                Images::of_bytes(vec![0; pixels], frame).is_err(),
                "{pixels} {frame}"
            );
        }
        assert_eq!(
            Images::of_bytes(vec![0; 5], Frame::grey(2, 2))
                .unwrap_err()
                .to_string(),
            "5 numbers are not whole rows of 2×2 pixels\n  hint: give rows × numbers of a row, each at least 1"
        );
        let items: Vec<Vec<f32>> = vec![vec![0.0, 1.0], vec![0.0]];
        let error = Images::from_dataset(&InMemDataset::new(items), PAIR, |item| item);
        assert_eq!(
            error.unwrap_err().to_string(),
            "item 1, counted from 0: it has 1 numbers, expected 2 numbers\n  hint: give items of one size"
        );
    }
}
