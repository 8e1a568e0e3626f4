//! What a model is given: the run's own data, or files of the user's.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use super::Trained;
use crate::data::{Images, idx};
use crate::run::Failure;

/// How to read inputs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// The array of a file that holds several.
    pub key: Option<String>,
    /// What to do with pictures of another size or colour; refuse them where it is left out.
    pub fit: Option<Fit>,
    /// Whether white is black and black is white.
    pub invert: bool,
}

/// How a picture is made to fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// The middle is cut out.
    Crop,
    /// The whole is squeezed.
    Resize,
}

/// Inputs, as a model takes them.
pub struct Given {
    /// As the model takes them.
    pub images: Images,
    /// A name for each: the file's, or its place, counted from 0.
    pub names: Vec<String>,
    /// The class of each, where it is known.
    pub labels: Option<Vec<u8>>,
    /// What is odd about them, each with a cure.
    pub warnings: Vec<String>,
}

impl Given {
    pub fn first(&self, count: usize) -> Images {
        let (height, width) = (self.images.height(), self.images.width());
        let pixels = self.images.pixels()[..count * height * width].to_vec();
        Images::new(pixels, height, width).expect("whole pictures")
    }

    pub fn row(&self, index: usize) -> Vec<f32> {
        self.images
            .image(index)
            .iter()
            .map(|&b| f32::from(b) / 255.0)
            .collect()
    }
}

impl Trained {
    pub fn read(&self, path: &Path, _how: &Reading) -> Result<Given, Failure> {
        let file = File::open(path).map_err(Failure::request)?;
        let reader = idx::Reader::<_, 3>::new(BufReader::new(file)).map_err(Failure::work)?;
        let [count, height, width] = reader.shape();
        let items = reader.read(count).map_err(Failure::work)?;
        Ok(Given {
            images: Images::new(items.kept, height, width).map_err(Failure::work)?,
            names: (0..count).map(|at| at.to_string()).collect(),
            labels: None,
            warnings: Vec::new(),
        })
    }

    pub fn own(&self, train: bool) -> Result<Given, Failure> {
        let data = self.own_data()?;
        let part = if train { data.train } else { data.test };
        Ok(Given {
            names: (0..part.images.count()).map(|at| at.to_string()).collect(),
            images: part.images,
            labels: Some(part.labels),
            warnings: Vec::new(),
        })
    }

    fn own_data(&self) -> Result<crate::data::Dataset, Failure> {
        crate::run::own_data(&self.config, &self.manifest, &self.dir)
    }
}
