//! A model's parameters on the host: copied out of tensors, hashed, written to and read from safetensors.
//!
//! Every matrix is a member's own, and is named after its condition, its seed and its place in the model: in
//! `D/seed 0/layer.01.weight`, `[input, unit]`, unit j is column j.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use safetensors::tensor::{Dtype, SafeTensors, View};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::results::Member;

/// Named tensors of f32, in the order of their names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Weights {
    tensors: BTreeMap<String, HostTensor>,
}

/// One tensor in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct HostTensor<S = [usize; 2]> {
    /// Its sizes: of a matrix, rows and columns.
    pub shape: S,
    /// The entries, row by row.
    pub values: Vec<f32>,
}

impl HostTensor {
    /// Its rows as columns.
    #[must_use]
    pub fn transposed(&self) -> Self {
        let [rows, columns] = self.shape;
        let column = |column: usize| (0..rows).map(move |row| self.values[row * columns + column]);
        Self {
            shape: [columns, rows],
            values: (0..columns).flat_map(column).collect(),
        }
    }
}

/// Its bytes are made one tensor at a time, so that a file of many needs its own size in memory and little more.
impl<S: AsRef<[usize]>> View for &HostTensor<S> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        self.shape.as_ref()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        bytes(&self.values).into()
    }

    fn data_len(&self) -> usize {
        size_of_val(self.values.as_slice())
    }
}

/// Why weights could not be read or written.
#[derive(Debug, Error)]
pub enum WeightsError {
    /// The library refused the file or a tensor.
    #[error("not a safetensors file: {0}")]
    Format(#[from] safetensors::SafeTensorError),
    /// A tensor of another type or shape than `f32` with two dimensions.
    #[error("tensor `{name}` is {found}, but should be f32 with two dimensions")]
    Unexpected {
        /// The tensor's name.
        name: String,
        /// Its type and shape.
        found: String,
    },
    /// There is no tensor of this name.
    #[error("tensor `{0}` is missing")]
    Missing(String),
}

impl Weights {
    /// Adds a matrix, row by row.
    pub fn insert(&mut self, name: String, shape: [usize; 2], values: Vec<f32>) {
        self.tensors.insert(name, HostTensor { shape, values });
    }

    /// Adds the matrices of each of `members`, which `values` holds one behind the other: `[member, row, column]`, under
    /// `name` behind what [`member_prefix`] gives.
    pub fn insert_members(
        &mut self,
        members: &[Member],
        name: &str,
        [_, rows, columns]: [usize; 3],
        values: &[f32],
    ) {
        let matrices = values.chunks_exact(rows * columns);
        for (member, matrix) in members.iter().zip(matrices) {
            let name = format!("{}/{name}", member_prefix(member));
            self.insert(name, [rows, columns], matrix.to_vec());
        }
    }

    /// Takes over all matrices of `others`.
    pub fn extend(&mut self, others: Self) {
        self.tensors.extend(others.tensors);
    }

    /// # Errors
    ///
    /// Returns [`WeightsError::Missing`] if there is no tensor of that name.
    pub fn get(&self, name: &str) -> Result<&HostTensor, WeightsError> {
        self.tensors
            .get(name)
            .ok_or_else(|| WeightsError::Missing(name.to_owned()))
    }

    /// Every tensor by its name, in the order of names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &HostTensor)> {
        let tensors = self.tensors.iter();
        tensors.map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Whether no value is infinite or NaN.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        self.tensors
            .values()
            .all(|tensor| tensor.values.iter().all(|value| value.is_finite()))
    }

    /// SHA-256 over names, shapes and bits, in hexadecimal.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for (name, tensor) in &self.tensors {
            hash.update(name.as_bytes());
            hash.update([0]);
            for size in tensor.shape {
                hash.update((size as u64).to_le_bytes());
            }
            hash.update(bytes(&tensor.values));
        }
        hexadecimal(&hash.finalize())
    }

    /// The file's bytes, with `about` as its metadata under the key `layerwise`. Equal weights give equal bytes.
    ///
    /// # Errors
    ///
    /// Returns [`WeightsError::Format`] if the library refuses a tensor.
    pub fn to_safetensors(&self, about: &str) -> Result<Vec<u8>, WeightsError> {
        // One entry: several would stand in the file in any order.
        let metadata = HashMap::from([("layerwise".to_owned(), about.to_owned())]);
        Ok(safetensors::serialize(&self.tensors, Some(metadata))?)
    }

    /// # Errors
    ///
    /// Returns [`WeightsError`] if the bytes are not such a file.
    pub fn from_safetensors(file: &[u8]) -> Result<Self, WeightsError> {
        Self::with_prefix(file, "")
    }

    /// Those of the file's tensors whose names begin with `prefix`; no other is looked at.
    ///
    /// # Errors
    ///
    /// As [`from_safetensors`](Self::from_safetensors).
    pub fn with_prefix(file: &[u8], prefix: &str) -> Result<Self, WeightsError> {
        let mut weights = Self::default();
        let tensors = SafeTensors::deserialize(file)?;
        let wanted = tensors.iter().filter(|(name, _)| name.starts_with(prefix));
        for (name, view) in wanted {
            let unexpected = || WeightsError::Unexpected {
                name: name.to_owned(),
                found: format!("{:?} {:?}", view.dtype(), view.shape()),
            };
            let shape = view.shape().try_into().map_err(|_| unexpected())?;
            if view.dtype() != Dtype::F32 {
                return Err(unexpected());
            }
            let values = view.data().as_chunks().0.iter();
            let values = values.map(|bytes| f32::from_le_bytes(*bytes));
            weights.insert(name.to_owned(), shape, values.collect());
        }
        Ok(weights)
    }
}

/// The beginning of the names of one member's own tensors: `D/seed 0`.
#[must_use]
pub fn member_prefix(member: &Member) -> String {
    format!("{}/seed {}", member.condition, member.seed)
}

/// The beginning of the names of a layer's tensors; layers are counted from 0 at the input: `layer.01` is the first.
#[must_use]
pub fn layer_name(layer: usize) -> String {
    format!("layer.{:02}", layer + 1)
}

/// The same of a layer on the way back from a code, counted from 0 at the code: `decoder.01` is the first.
#[must_use]
pub fn decoder_name(layer: usize) -> String {
    format!("decoder.{:02}", layer + 1)
}

/// SHA-256 over the bits of `arrays`, each preceded by its length, in hexadecimal.
#[must_use]
pub fn hash_of(arrays: &[&[f32]]) -> String {
    let mut hash = Sha256::new();
    for array in arrays {
        hash.update((array.len() as u64).to_le_bytes());
        hash.update(bytes(array));
    }
    hexadecimal(&hash.finalize())
}

/// Two digits for each byte.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// Little-endian.
pub(crate) fn bytes(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_members() -> Weights {
        let mut weights = Weights::default();
        let members = [5, 7].map(|seed| Member::new(0, "D".to_owned(), seed, &[5, 7]));
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        weights.insert_members(&members, "encoder.weight", [2, 2, 2], &values);
        let bias = vec![-0.0, f32::MIN_POSITIVE];
        weights.insert("D/seed 5/encoder.bias".to_owned(), [1, 2], bias);
        weights
    }

    #[test]
    fn every_member_has_its_own_matrix() {
        let weights = two_members();
        let tensor = weights
            .get("D/seed 7/encoder.weight")
            .expect("it was added");
        assert_eq!(tensor.shape, [2, 2]);
        assert_eq!(tensor.values, [5.0, 6.0, 7.0, 8.0]);
    }

    #[test]
    fn a_file_gives_back_every_bit() {
        let weights = two_members();
        let file = weights.to_safetensors("ours").expect("valid tensors");
        let read = Weights::from_safetensors(&file).expect("our own file");
        assert_eq!(read, weights);
        assert_eq!(read.hash(), weights.hash());
    }

    #[test]
    fn the_hash_sees_a_single_bit() {
        let mut other = two_members();
        other
            .tensors
            .get_mut("D/seed 5/encoder.bias")
            .expect("it was added")
            .values[0] = 0.0;
        assert_ne!(
            other.hash(),
            two_members().hash(),
            "0 and −0 differ in a bit"
        );
    }

    #[test]
    fn damaged_files_are_errors() {
        let file = two_members().to_safetensors("ours").expect("valid tensors");
        for length in 0..file.len() {
            assert!(
                Weights::from_safetensors(&file[..length]).is_err(),
                "{length}"
            );
        }
    }
}
