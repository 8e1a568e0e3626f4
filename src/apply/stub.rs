//! Stands for the readers until they land.
#![allow(missing_docs)]
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use crate::data::{Frame, Images, idx};

#[derive(Debug, Clone, Default)]
pub struct Pictures {
    pub size: Option<[usize; 2]>,
    pub fit: Fit,
    pub colour: Colour,
}
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fit {
    #[default]
    Refuse,
    Crop,
    Resize,
}
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Colour {
    #[default]
    First,
    Grey,
    Rgb,
}
pub struct Input {
    pub images: Images,
    pub names: Vec<String>,
}
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    #[error("size")]
    Size {
        found: [usize; 2],
        expected: [usize; 2],
    },
    #[error("coloured")]
    Coloured,
}
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    #[error("{}: {error}", file.display())]
    Picture { file: PathBuf, error: PictureError },
    #[error("{0}")]
    Other(String),
}
pub fn read_input(path: &Path, _: Option<&str>, _: &Pictures) -> Result<Input, DataError> {
    let other = |error: &dyn std::fmt::Display| DataError::Other(error.to_string());
    let file = File::open(path).map_err(|error| other(&error))?;
    read(BufReader::new(file)).map_err(|error| other(&error))
}
pub fn read_input_bytes(bytes: Vec<u8>, _: Option<&str>, _: &Pictures) -> Result<Input, DataError> {
    read(&bytes[..]).map_err(|error| DataError::Other(error.to_string()))
}
fn read(file: impl std::io::BufRead) -> Result<Input, idx::IdxError> {
    let reader = idx::Reader::<_, 3>::new(file)?;
    let [count, height, width] = reader.shape();
    let items = reader.read(count)?;
    Ok(Input {
        images: Images::of_bytes(items.kept, Frame::grey(height, width)).expect("whole"),
        names: (0..count).map(|at| at.to_string()).collect(),
    })
}
