//! What a model is given: the run's own data, or files of the user's, made such as the run's data are or refused with a
//! cure.

use std::io::Read;
use std::path::Path;

use super::Trained;
use crate::data::idx::IdxError;
use crate::data::pictures::PictureError;
use crate::data::tensors::{ArrayError, ArrayFlaw};
use crate::data::{self, DataError, Frame, Images};
use crate::run::{self, Failure};
use crate::spec::{Colour, Fit, Pictures, Source};
use crate::words::counted;

/// Bytes that stdin may give.
const MOST_OF_STDIN: u64 = 1 << 30;
/// Within these of black or white, a border is dark or light.
const CLEAR: u8 = 64;

const KINDS: &str = "give an image (PNG, JPEG, BMP, WebP), a folder of images, an IDX file, an array (.npy, .npz, \
     .safetensors), or - for stdin";

/// How to read inputs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// The array of a file that holds several.
    pub key: Option<String>,
    /// What becomes of a picture of another size or colour.
    pub fit: Fit,
    /// Whether white is taken for black and black for white.
    pub invert: bool,
}

/// Inputs for a model.
pub struct Given {
    /// As they were read.
    pub raw: Images,
    /// As the model takes them.
    pub images: Images,
    /// A name for each: a picture's file, or its place, counted from 0.
    pub names: Vec<String>,
    /// The class of each, where it is known.
    pub labels: Option<Vec<u8>>,
    /// What is odd about them, each with a cure.
    pub warnings: Vec<String>,
}

impl Trained {
    /// Reads inputs as [`data::read_input`] does, of stdin if `path` is `-`, and makes them such as the run's own data are.
    ///
    /// # Errors
    ///
    /// Returns [`Failure`] if there is no such file, if it is damaged, or if the model cannot take what it holds.
    pub fn read(&self, path: &Path, how: &Reading) -> Result<Given, Failure> {
        let frame = self.frame();
        let mut pictures = Pictures {
            fit: how.fit,
            ..Pictures::default()
        };
        if let Frame::Picture {
            height,
            width,
            channels,
        } = frame
        {
            pictures.size = Some([height, width]);
            pictures.colour = match (channels, how.fit) {
                // Whether there is colour in it is to be told.
                (1, Fit::Refuse) => Colour::First,
                (1, _) => Colour::Grey,
                _ => Colour::Rgb,
            };
        }
        let key = how.key.as_deref();
        let input = if path == Path::new("-") {
            let mut bytes = Vec::new();
            let read = std::io::stdin()
                .lock()
                .take(MOST_OF_STDIN + 1)
                .read_to_end(&mut bytes);
            read.map_err(|error| {
                Failure::Work(format!("cannot read stdin: {error}\n  hint: give a file"))
            })?;
            if bytes.len() as u64 > MOST_OF_STDIN {
                return Err(Failure::Request(
                    "stdin gives more than 1 GiB\n  hint: give a file".to_owned(),
                ));
            }
            data::read_input_bytes(bytes, key, &pictures)
        } else if path.exists() {
            data::read_input(path, key, &pictures)
        } else {
            return Err(Failure::Request(format!(
                "{}: no such file or folder\n  hint: {KINDS}",
                path.display()
            )));
        };
        let input = input.map_err(|error| told(&error, frame))?;
        let mut raw = self.framed(input.images, path)?;
        if how.invert {
            raw = inverted(&raw).ok_or_else(|| {
                Failure::Request(format!(
                    "{}: these are no pictures of bytes, so `--invert` has no effect\n  hint: leave it out",
                    path.display()
                ))
            })?;
        }
        let mut warnings = self.inverted_ones(&raw, &input.names);
        if matches!(self.config.plan.data.source, Source::Patches(_)) && raw.bytes().is_some() {
            warnings.push(format!(
                "the run learnt from patches of photographs, and {} is taken as it is\n  hint: give patches as an array, \
                 whitened as the run whitens them",
                path.display()
            ));
        }
        Ok(Given {
            images: self.transforms.images(&raw).map_err(Failure::work)?,
            raw,
            names: input.names,
            labels: None,
            warnings,
        })
    }

    /// The data that the run was trained on (`train`), or those that it was tested on.
    ///
    /// # Errors
    ///
    /// Returns [`Failure`] if they are not where they were, or are others now.
    pub fn own(&self, train: bool) -> Result<Given, Failure> {
        let data = run::own_data(&self.config, &self.manifest, &self.dir)?;
        let part = if train { data.train } else { data.test };
        Ok(Given {
            names: (0..part.images.count()).map(|at| at.to_string()).collect(),
            images: self
                .transforms
                .images(&part.images)
                .map_err(Failure::work)?,
            raw: part.images,
            labels: part.labels,
            warnings: Vec::new(),
        })
    }

    /// The same rows as the run's data are: a row of as many numbers is as good as a picture.
    fn framed(&self, images: Images, path: &Path) -> Result<Images, Failure> {
        let (found, frame) = (images.frame(), self.frame());
        if found == frame {
            return Ok(images);
        }
        let are_pictures = |frame| matches!(frame, Frame::Picture { .. });
        if found.inputs() == frame.inputs() && !(are_pictures(found) && are_pictures(frame)) {
            return images.with_frame(frame).map_err(Failure::work);
        }
        if let (Frame::Picture { channels: 3, .. }, Some(_)) = (found, frame.as_grey()) {
            return Err(in_colour(path));
        }
        Err(Failure::Request(format!(
            "{} has {found}{}, but the run's data have {frame}\n  hint: {}",
            path.display(),
            if are_pictures(found) { "" } else { " a row" },
            if are_pictures(found) && are_pictures(frame) {
                "images are made to fit with `--fit crop` or `--fit resize`; arrays and IDX files have to be of that size"
            } else {
                "give inputs with as many numbers each as the run's data have"
            }
        )))
    }

    /// A warning where pictures are light on dark and the run's data are dark on light, or the other way round. It is
    /// judged by the borders: of the run's training pictures, all together, and of each of `images`.
    fn inverted_ones(&self, images: &Images, names: &[String]) -> Vec<String> {
        let is_light = |border: u8| border >= u8::MAX - CLEAR;
        let is_clear = |border: u8| border <= CLEAR || is_light(border);
        let data = self.manifest.data.border.filter(|&border| is_clear(border));
        let (Some(data), count) = (data, images.count()) else {
            return Vec::new();
        };
        let opposite = |&index: &usize| {
            let border = images.part(index, 1).border();
            border.is_some_and(|border| is_clear(border) && is_light(border) != is_light(data))
        };
        let others: Vec<usize> = (0..count).filter(opposite).collect();
        let Some(&first) = others.first() else {
            return Vec::new();
        };
        let (has, have) = if is_light(data) {
            ("dark", "light")
        } else {
            ("light", "dark")
        };
        let who = match (others.len(), count) {
            (1, 1) => format!("{} has", names[first]),
            (1, _) => format!("{} of {} has", names[first], counted(count, "input")),
            (some, _) => format!(
                "{some} of {} have, {} first,",
                counted(count, "input"),
                names[first]
            ),
        };
        vec![format!(
            "{who} a {has} border, and the run's data have a {have} one\n  hint: `--invert` takes white for black and black for \
             white"
        )]
    }
}

/// Of bytes, the others.
fn inverted(images: &Images) -> Option<Images> {
    let bytes: Vec<u8> = images.bytes()?.iter().map(|byte| u8::MAX - byte).collect();
    Images::of_bytes(bytes, images.frame()).ok()
}

fn in_colour(file: &Path) -> Failure {
    Failure::Request(format!(
        "{} is in colour, but the run's data are grey\n  hint: add `--fit crop` or `--fit resize`, which take pictures as grey",
        file.display()
    ))
}

/// What is wrong with an input, with the cure that the verbs have.
fn told(error: &DataError, frame: Frame) -> Failure {
    match error {
        DataError::Picture {
            file,
            error:
                PictureError::Size {
                    found: [height, width],
                    ..
                },
        } => Failure::Request(format!(
            "{} is {height} pixels high and {width} wide, but the run's data have {frame}\n  hint: add `--fit crop`, which \
             scales a picture until it fills the size and cuts off what stands over, or `--fit resize`, which scales height \
             and width each to the size",
            file.display()
        )),
        DataError::Picture {
            file,
            error: PictureError::Coloured { .. },
        } => in_colour(file),
        DataError::Several {
            dir, one, other, ..
        } => Failure::Request(format!(
            "{} holds several arrays, such as {one} and {other}\n  hint: name the one that is meant with `--key`",
            dir.display()
        )),
        DataError::Idx {
            file,
            error: IdxError::Magic { found, .. },
        } if found.0[..2] != [0, 0] => Failure::Request(format!(
            "{} is no image, no array and no IDX file\n  hint: {KINDS}",
            file.display()
        )),
        DataError::Without { .. }
        | DataError::Array {
            error:
                ArrayError {
                    flaw: ArrayFlaw::NoKey(_),
                    ..
                },
            ..
        } => Failure::request(error),
        error => Failure::work(error),
    }
}
