//! What was learnt, put to use: a model of a run, made again from the run's folder, and what it makes of inputs.
//!
//! A model is taken from `config.toml` and `weights.safetensors` alone, so that a folder that was moved is as good as
//! any other, and computes on flex in the way in which the run's own evaluation does: the same operations on batches of
//! the same size. This room prints nothing and knows no command line; [`files`] writes what comes out, [`export`] writes
//! the model itself for other tools, [`top`] asks which inputs excite a unit.

mod choice;
pub mod export;
pub mod files;
pub mod inputs;
pub mod pictures;
pub mod top;

use std::io;
use std::path::Path;
use std::thread;

use burn::tensor::{Device, Tensor};

use crate::config::{self, Config, Overrides};
use crate::data::{Frame, Images, RowSource, Transforms};
use crate::experiment::{rebuilt as stored, rows};
use crate::model::{Autoencoder, Classifier, DeepAutoencoder, Layer, numbers};
use crate::ops::Rows;
use crate::results::Member;
use crate::run::Failure;
use crate::run_dir::{self, Manifest, RunDir, RunDirError, Status};
use crate::spec::Model;
use crate::train::{EVALUATION_BATCH, lanes};
use crate::weights::{Weights, member_prefix};

/// A model of a run, as it was when its training ended.
#[derive(Debug)]
pub struct Trained {
    /// Which model it is.
    pub member: Member,
    /// The model, of one member.
    pub network: Network,
    /// What was done to the rows that it learnt from.
    pub transforms: Transforms,
    /// The run's folder.
    pub dir: RunDir,
    /// The circumstances of its run.
    pub manifest: Manifest,
    /// The config of its run.
    pub config: Config,
}

/// A model of either kind.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one, and its numbers lie elsewhere"
)]
pub enum Network {
    /// Code and reconstruction.
    Autoencoder(Autoencoder),
    /// Codes of every hidden layer, and probabilities of classes.
    Classifier(Classifier),
    /// Codes of every layer down to the code, and reconstruction.
    DeepAutoencoder(DeepAutoencoder),
}

/// What is asked of a model for each input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// The activations of a hidden layer, counted from 1 at the input; of the highest where none is named.
    Codes(Option<usize>),
    /// What an autoencoder makes of its own code.
    Reconstructions,
    /// A classifier's probability of each class.
    Probabilities,
}

impl Trained {
    /// The models of the run in the folder `path`.
    ///
    /// # Errors
    ///
    /// Returns [`Failure`] if there is no such run, or its manifest is damaged.
    pub fn members(path: &Path) -> Result<Vec<Member>, Failure> {
        let dir = RunDir::open(path).map_err(Failure::request)?;
        Ok(dir.manifest().map_err(Failure::work)?.members)
    }

    /// Opens the run in the folder `path` and makes its model `asked` again: by its label (`D, seed 0`), or by condition
    /// or seed where that is enough. A run of one model needs no name.
    ///
    /// # Errors
    ///
    /// Returns [`Failure`] if there is no such run or model, or the run's files are damaged, changed, or not there yet.
    pub fn open(path: &Path, asked: Option<&str>) -> Result<Self, Failure> {
        let dir = RunDir::open(path).map_err(Failure::request)?;
        let manifest = dir.manifest().map_err(Failure::work)?;
        let config = config::load(&path.join(run_dir::CONFIG), &Overrides::default());
        let config = config.map_err(Failure::work)?;
        let member = choice::choose(&manifest.members, asked, path).map_err(Failure::Request)?;
        let file = dir.read_verified(&manifest, run_dir::WEIGHTS);
        let file = file.map_err(Failure::work)?;
        let prefix = format!("{}/", member_prefix(member));
        let damaged = |reason: &str| Failure::work(dir.damaged(run_dir::WEIGHTS, reason));
        let weights = Weights::with_prefix(&file, &prefix);
        let weights = weights.map_err(|error| damaged(&error.to_string()))?;
        drop(file);
        let condition = config.plan.condition(&member.condition);
        let condition = condition.ok_or_else(|| {
            let reason = format!("it has no condition `{}`", member.condition);
            Failure::work(dir.damaged(run_dir::CONFIG, &reason))
        })?;
        let last = match &condition.model {
            Model::Autoencoder(_) => "encoder.weight",
            Model::Classifier(_) => "output.weight",
            Model::DeepAutoencoder(_) => "decoder.01.weight",
        };
        if weights.get(&format!("{prefix}{last}")).is_err() {
            return Err(Failure::Work(format!(
                "`{}` was not trained before the run in {} was left\n  hint: go on with `layerwise resume`",
                member.label,
                path.display()
            )));
        }
        if !weights.is_finite() {
            return Err(Failure::Work(format!(
                "`{}` holds numbers that are infinite or NaN: its training could not go on\n  hint: choose another model; \
                 the page of the run says what ended this one",
                member.label
            )));
        }
        let transforms = transforms(&dir, &manifest, &config).map_err(Failure::work)?;
        let network = rebuilt(&condition.model, &manifest, &weights, &prefix);
        let network = network.map_err(|reason| damaged(&reason))?;
        let member = member.clone();
        Ok(Self {
            member,
            network,
            transforms,
            dir,
            manifest,
            config,
        })
    }

    /// What a reader should know of the model before it is used, if there is something.
    #[must_use]
    pub fn remark(&self) -> Option<String> {
        match &self.manifest.status {
            Status::Complete => None,
            Status::Running => {
                Some("this run did not end by itself; the model may be unfinished".to_owned())
            }
            Status::Stopped { reason } | Status::Failed { reason } => Some(format!(
                "this run did not come to its end ({reason}); the model is as it was then"
            )),
        }
    }

    /// What class `class`, counted from 0, is called: its folder's name where classes are folders.
    #[must_use]
    pub fn class(&self, class: usize) -> String {
        let names = &self.manifest.data.class_names;
        names
            .get(class)
            .cloned()
            .unwrap_or_else(|| class.to_string())
    }

    /// What an input is before the transforms.
    #[must_use]
    pub fn frame(&self) -> Frame {
        let data = &self.manifest.data;
        data.raw_frame.unwrap_or(data.frame)
    }

    /// How many numbers an input has as the model sees it.
    #[must_use]
    pub fn inputs(&self) -> usize {
        // The weights of the lowest layer were held against this when they were read.
        self.manifest.data.frame.inputs().unwrap_or(0)
    }

    /// The hidden layers, from the input up.
    #[must_use]
    pub fn hidden(&self) -> Vec<&Layer> {
        match &self.network {
            Network::Autoencoder(model) => vec![&model.encoder],
            Network::Classifier(model) => model.hidden.iter().collect(),
            Network::DeepAutoencoder(model) => model.encoder.iter().collect(),
        }
    }

    /// How many numbers `output` has for each input.
    ///
    /// # Errors
    ///
    /// Returns [`Failure::Request`] if the model has no such output.
    pub fn width(&self, output: Output) -> Result<usize, Failure> {
        let label = &self.member.label;
        let units = |layer: &Layer| layer.weight.dims()[2];
        let wrong = |reason: &str| Err(Failure::Request(format!("`{label}` {reason}")));
        match (output, &self.network) {
            (Output::Codes(layer), _) => {
                let hidden = self.hidden();
                let layer = layer.unwrap_or(hidden.len());
                match layer.checked_sub(1).and_then(|at| hidden.get(at)) {
                    Some(layer) => Ok(units(layer)),
                    None if hidden.is_empty() => wrong(
                        "has no hidden layer, so there are no codes\n  hint: `layerwise predict` gives its classes",
                    ),
                    None => wrong(&format!(
                        "has no hidden layer {layer}\n  hint: {}",
                        match hidden.len() {
                            1 => "it has one, so `--layer` can be left out".to_owned(),
                            layers => format!("`--layer` is 1 to {layers}, counted from the input"),
                        }
                    )),
                }
            }
            (Output::Reconstructions, Network::Autoencoder(_) | Network::DeepAutoencoder(_)) => {
                Ok(self.inputs())
            }
            (Output::Probabilities, Network::Classifier(model)) => Ok(units(&model.output)),
            (Output::Reconstructions, Network::Classifier(_)) => wrong(
                "is a classifier, which has no way back from codes to inputs\n  hint: `layerwise encode` gives its codes, \
                 `layerwise predict` its classes",
            ),
            (Output::Probabilities, Network::Autoencoder(_) | Network::DeepAutoencoder(_)) => {
                wrong(
                    "is an autoencoder, which does not predict classes\n  hint: `layerwise encode` gives its codes, `layerwise \
                 reconstruct` what it makes of them",
                )
            }
        }
    }

    /// Calls `each` with the output for each of `images`, in their order: of a batch at a time, row by row. The numbers
    /// are those that the run's own evaluation would get, bit for bit where the run computed on flex.
    ///
    /// # Errors
    ///
    /// Returns the first error of `each`, after which nothing more is computed.
    ///
    /// # Panics
    ///
    /// Panics if the model has no such output, as [`width`](Self::width) tells, or the images have another number of inputs
    /// than the model.
    pub fn each(
        &self,
        images: &Images,
        output: Output,
        mut each: impl FnMut(&[f32]) -> io::Result<()> + Send,
    ) -> io::Result<()> {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        lanes::alone(threads, || {
            let rows = rows(images, &Device::flex());
            let mut batches = rows.parts(EVALUATION_BATCH);
            batches.try_for_each(|batch| {
                each(&numbers(self.output(&batch, output)))?;
                images
                    .lost()
                    .map_or(Ok(()), |lost| Err(io::Error::other(lost)))
            })
        })
    }

    /// # Shapes
    ///
    /// - x: `[1, batch, input]`
    /// - output: `[1, batch, width]`
    fn output(&self, x: &Rows, output: Output) -> Tensor<3> {
        match (output, &self.network) {
            (Output::Reconstructions, Network::Autoencoder(model)) => model.decode(model.encode(x)),
            (Output::Reconstructions, Network::DeepAutoencoder(model)) => {
                model.decode(model.encode(x))
            }
            (Output::Probabilities, Network::Classifier(model)) => model.forward(x),
            // Of its one layer; units that are switched off are 0.
            (_, Network::Autoencoder(model)) => model.encode(x),
            _ => {
                let hidden = self.hidden();
                let layers = match output {
                    Output::Codes(Some(layer)) => layer,
                    _ => hidden.len(),
                };
                let below = hidden[..layers - 1].iter();
                let below = below.fold(x.clone(), |below, layer| layer.forward(&below).into());
                hidden[layers - 1].forward(&below)
            }
        }
    }
}

/// What a run did to its rows.
fn transforms(
    dir: &RunDir,
    manifest: &Manifest,
    config: &Config,
) -> Result<Transforms, RunDirError> {
    let data = &manifest.data;
    if config.plan.data.transforms.is_empty() {
        let is_as_read = data.raw_frame.is_none_or(|raw| raw == data.frame);
        let reason = "it has no transforms, but the run's rows are not as they were read";
        return is_as_read
            .then(Transforms::default)
            .ok_or_else(|| dir.damaged(run_dir::CONFIG, reason));
    }
    let damaged = |reason: &str| dir.damaged(run_dir::TRANSFORMS, reason);
    let file = dir.read_verified(manifest, run_dir::TRANSFORMS)?;
    let arrays = Weights::from_safetensors(&file).map_err(|error| damaged(&error.to_string()))?;
    let transforms = Transforms::from_weights(&arrays).map_err(|reason| damaged(&reason))?;
    let inputs = data.raw_frame.unwrap_or(data.frame).inputs().unwrap_or(0);
    if transforms.fits(inputs) && Some(transforms.outputs(inputs)) == data.frame.inputs() {
        Ok(transforms)
    } else {
        Err(damaged(
            "its arrays are for rows of other numbers than the run's data have",
        ))
    }
}

/// The model with its stored numbers.
fn rebuilt(
    model: &Model,
    manifest: &Manifest,
    weights: &Weights,
    prefix: &str,
) -> Result<Network, String> {
    let data = &manifest.data;
    let inputs = data.frame.inputs().unwrap_or(0);
    match model {
        Model::Autoencoder(training) => {
            stored::autoencoder(training, inputs, weights, prefix).map(Network::Autoencoder)
        }
        Model::Classifier(training) => {
            let sizes = [inputs, data.classes];
            stored::classifier(training, sizes, weights, prefix).map(Network::Classifier)
        }
        Model::DeepAutoencoder(training) => {
            stored::deep_autoencoder(training, inputs, weights, prefix)
                .map(Network::DeepAutoencoder)
        }
    }
}
