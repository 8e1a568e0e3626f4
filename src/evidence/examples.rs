//! Rows of the test part that pages show, kept in the run folder: everything is drawn from the folder alone.
//!
//! `examples.safetensors` holds `rows` (bytes where the data are bytes, numbers otherwise, as they are given to the model),
//! `index` (of each row in the test part) and, where there are any, `label`. Rows come in the order of their index, each
//! once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::data::{Dataset, Frame};
use crate::run_dir::{self, RunDir, RunDirError};

/// The first rows of the test part are kept in any case: as many as this, or as fit in [`FIRST_BYTES`].
const FIRST: usize = 50;
const FIRST_BYTES: usize = 1_000_000;
/// Numbers of all rows that are kept.
const MOST_NUMBERS: usize = 16_000_000;

/// Rows of the test part, by their index there.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Examples {
    rows: BTreeMap<usize, Example>,
    /// Whether a number stands for a byte's 255th part.
    of_bytes: bool,
}

/// A row of the test part.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// As it is given to the model.
    pub row: Vec<f32>,
    /// Its class, where the data have classes.
    pub label: Option<u8>,
}

impl Examples {
    /// The first rows, and of those that are `wanted`, by their index, as many as there is room for.
    #[must_use]
    pub fn of(data: &Dataset, wanted: impl IntoIterator<Item = usize>) -> Self {
        let images = &data.test.images;
        let first = FIRST.min(FIRST_BYTES / images.inputs()).max(1);
        let most = (MOST_NUMBERS / images.inputs()).max(first);
        let mut kept: BTreeSet<usize> = (0..first.min(images.count())).collect();
        for index in wanted {
            if kept.len() < most && index < images.count() {
                kept.insert(index);
            }
        }
        let example = |&index: &usize| {
            let example = Example {
                row: images.row(index),
                label: data.test.labels.as_ref().map(|labels| labels[index]),
            };
            (index, example)
        };
        Self {
            rows: kept.iter().map(example).collect(),
            of_bytes: images.bytes().is_some(),
        }
    }

    /// The row at this index of the test part, if it was kept.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&Example> {
        self.rows.get(&index)
    }

    /// The rows that were kept, by their index in the test part, in its order.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Example)> {
        self.rows.iter().map(|(&index, example)| (index, example))
    }

    /// What is black and what is white, of these rows: 0 and 1 of bytes; of others, what all but one number in a hundred
    /// lie between.
    #[must_use]
    pub fn range<'a>(&self, rows: impl Iterator<Item = &'a Example>) -> (f64, f64) {
        if self.of_bytes {
            return (0.0, 1.0);
        }
        let mut numbers: Vec<f32> = rows.flat_map(|example| &example.row).copied().collect();
        let Some(last) = numbers.len().checked_sub(1) else {
            return (0.0, 1.0);
        };
        let cut = numbers.len() / 200;
        let mut at = |place: usize| *numbers.select_nth_unstable_by(place, f32::total_cmp).1;
        (f64::from(at(cut)), f64::from(at(last - cut)))
    }

    /// Writes them into a run folder.
    ///
    /// # Errors
    ///
    /// Returns [`RunDirError`] if they cannot be written.
    pub fn write(&self, dir: &RunDir) -> Result<(), RunDirError> {
        let count = self.rows.len();
        let numbers = || self.rows.values().flat_map(|example| &example.row);
        let (dtype, rows): (_, Vec<u8>) = if self.of_bytes {
            let byte = |&number: &f32| (number * 255.0).round() as u8;
            (Dtype::U8, numbers().map(byte).collect())
        } else {
            let bytes = numbers().flat_map(|number| number.to_le_bytes());
            (Dtype::F32, bytes.collect())
        };
        let inputs = rows.len() / count.max(1) / if self.of_bytes { 1 } else { 4 };
        let indices = self.rows.keys();
        let index: Vec<u8> = indices.flat_map(|&at| (at as u64).to_le_bytes()).collect();
        let labels = self.rows.values().map(|example| example.label);
        let labels: Option<Vec<u8>> = labels.collect();
        let arrays = [
            Some(("rows", TensorView::new(dtype, vec![count, inputs], &rows))),
            Some(("index", TensorView::new(Dtype::U64, vec![count], &index))),
            labels
                .as_ref()
                .map(|labels| ("label", TensorView::new(Dtype::U8, vec![count], labels))),
        ];
        let damaged = |reason: String| dir.damaged(run_dir::EXAMPLES, &reason);
        let arrays: Result<Vec<_>, _> = arrays
            .into_iter()
            .flatten()
            .map(|(name, array)| Ok((name, array?)))
            .collect();
        let about = "rows of the test part that pages show, as they are given to the model (bytes: divided by 255); index: of each in the test part";
        let metadata = HashMap::from([("layerwise".to_owned(), about.to_owned())]);
        let file = arrays
            .and_then(|arrays| safetensors::serialize(arrays, Some(metadata)))
            .map_err(|error| damaged(error.to_string()))?;
        dir.write(run_dir::EXAMPLES, &file)
    }

    /// Those that a run folder holds, of rows such as `frame` has; none where it has no such file, as one whose run was
    /// killed.
    ///
    /// # Errors
    ///
    /// Returns [`RunDirError`] if the file cannot be read, is damaged, or holds other rows.
    pub fn read(dir: &RunDir, frame: Frame) -> Result<Self, RunDirError> {
        if !dir.has(run_dir::EXAMPLES) {
            return Ok(Self::default());
        }
        let file = dir.read(run_dir::EXAMPLES)?;
        let damaged = |reason: &str| dir.damaged(run_dir::EXAMPLES, reason);
        let arrays =
            SafeTensors::deserialize(&file).map_err(|error| damaged(&error.to_string()))?;
        let array = |name| arrays.tensor(name);
        let (Ok(rows), Ok(index)) = (array("rows"), array("index")) else {
            return Err(damaged("it has no rows, or no index"));
        };
        let of_bytes = rows.dtype() == Dtype::U8;
        let numbers: Vec<f32> = if of_bytes {
            let bytes = rows.data().iter();
            bytes.map(|&byte| f32::from(byte) / 255.0).collect()
        } else {
            let numbers = rows.data().as_chunks().0.iter();
            numbers.map(|bytes| f32::from_le_bytes(*bytes)).collect()
        };
        let labels = array("label").ok();
        let labels = labels.as_ref().map(TensorView::data);
        let &[count, inputs] = rows.shape() else {
            return Err(damaged("its rows have other than two dimensions"));
        };
        let fits = index.dtype() == Dtype::U64
            && index.shape() == [count]
            && labels.is_none_or(|labels| labels.len() == count)
            && inputs > 0
            && Some(numbers.len()) == count.checked_mul(inputs);
        if !fits {
            return Err(damaged("its arrays do not fit each other"));
        }
        if Some(inputs) != frame.inputs() {
            return Err(damaged(
                "its rows are of another size than the manifest has",
            ));
        }
        let indices = index.data().as_chunks().0.iter();
        let indices = indices.map(|bytes| u64::from_le_bytes(*bytes) as usize);
        let rows = indices.zip(numbers.chunks_exact(inputs)).enumerate();
        Ok(Self {
            rows: rows
                .map(|(at, (index, row))| {
                    let label = labels.map(|labels| labels[at]);
                    let row = row.to_vec();
                    (index, Example { row, label })
                })
                .collect(),
            of_bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Images, Split};

    fn data(images: Images, labels: Option<Vec<u8>>) -> Dataset {
        let split = Split { images, labels };
        Dataset {
            name: None,
            classes: 3,
            class_names: Vec::new(),
            train: split.clone(),
            validation: None,
            pretraining: None,
            test: split,
            files: Vec::new(),
            transforms: crate::data::Transforms::default(),
        }
    }

    #[test]
    fn what_is_kept_comes_back_with_every_bit() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let dir = RunDir::create(Some(&parent.path().join("run")), "x").expect("a new folder");
        let frame = Frame::Vector { length: 2 };
        assert_eq!(
            Examples::read(&dir, frame).expect("none"),
            Examples::default()
        );
        let bytes: Vec<u8> = (0..200).collect();
        let numbers = bytes
            .iter()
            .map(|&byte| f32::from(byte).sqrt() - 3.0)
            .collect();
        let labels = (0..100).map(|at| at % 3).collect();
        for data in [
            data(Images::of_bytes(bytes, frame).expect("rows"), None),
            data(
                Images::of_numbers(numbers, frame).expect("rows"),
                Some(labels),
            ),
        ] {
            // The first fifty, and what is there of what is wanted.
            let kept = Examples::of(&data, [99, 7, 70, 100]);
            let indices: Vec<usize> = kept.iter().map(|(at, _)| at).collect();
            assert_eq!(indices, (0..50).chain([70, 99]).collect::<Vec<_>>());
            let example = kept.get(70).expect("it was wanted");
            assert_eq!(example.row, data.test.images.row(70));
            assert_eq!(example.label, data.test.labels.as_ref().map(|_| 1));
            // Of 104 numbers none is cut off.
            let numbers = kept.rows.values().flat_map(|example| &example.row);
            let largest = numbers.copied().fold(f32::NEG_INFINITY, f32::max);
            let white = if kept.of_bytes { 1.0 } else { largest };
            assert_eq!(
                kept.range(kept.rows.values()).1.to_bits(),
                f64::from(white).to_bits()
            );
            kept.write(&dir).expect("room");
            assert_eq!(Examples::read(&dir, frame).expect("our own file"), kept);
        }
        assert!(Examples::read(&dir, Frame::Vector { length: 4 }).is_err());
        dir.write(run_dir::EXAMPLES, b"x").expect("room");
        assert!(Examples::read(&dir, frame).is_err());
    }
}
