//! Sparse autoencoders and greedy layer-wise pretraining as reproducible experiments, on burn.
//!
//! # A sparse autoencoder by hand
//!
//! Forward, cost, backward, step: and ρ̂, the mean activation of each hidden unit, falls towards the ρ that is asked for.
//!
//! ```
//! use layerwise::burn::optim::{AdamConfig, GradientsParams};
//! use layerwise::burn::tensor::Device;
//! use layerwise::data::{self, Limits};
//! use layerwise::experiment::rows;
//! use layerwise::model::{Autoencoder, Sparsity};
//! use layerwise::spec::{self, AutoencoderSpec, KlSparsity};
//!
//! let limits = Limits { train: Some(3000), test: Some(100) };
//! let digits = data::load("data/mnist".as_ref(), limits)?.train.images;
//! let device = Device::flex();
//! let images = rows(&digits, &device);
//!
//! let (spec, seed) = (AutoencoderSpec::default(), 0);
//! let divergence = KlSparsity { weight: 3.0, target: 0.05, ..KlSparsity::default() };
//! let term = spec::Sparsity::Kl(divergence);
//! let learning = device.clone().autodiff();
//! let mut model = Autoencoder::new(&spec, &term, 28 * 28, 0, &[seed], &learning);
//! let mut sparsity = Sparsity::new(&[term], spec.hidden_units, &device);
//! let mut adam = AdamConfig::new().init();
//! for epoch in 1..=3 {
//!     for batch in images.parts(100) {
//!         let cost = model.cost(&batch, None, &mut sparsity);
//!         let gradients = GradientsParams::from_grads(cost.total.backward(), &model);
//!         model = adam.step(5e-4, model, gradients);
//!     }
//!     let mean = sparsity.mean_activation.clone().mean().into_scalar::<f32>();
//!     println!("epoch {epoch}: a unit's mean activation is {mean:.3} on average");
//!     assert!(mean < 0.1);
//! }
//! # Ok::<(), data::DataError>(())
//! ```
//!
//! # Two encoders, stacked into a classifier
//!
//! Each autoencoder learns from the codes of the one below; their encoders become the classifier's hidden layers.
//!
//! ```
//! use layerwise::burn::tensor::Device;
//! use layerwise::data::{self, Limits};
//! use layerwise::experiment::Examples;
//! use layerwise::model::Classifier;
//! use layerwise::spec::{AutoencoderSpec, AutoencoderTraining, ClassifierSpec, TrainedLayers, TrainingSpec};
//! use layerwise::train::{ClassifierTrainee, Order, Stop, Trainee};
//!
//! let limits = Limits { train: Some(5000), test: Some(1000) };
//! let data = data::load("data/mnist".as_ref(), limits)?;
//! let device = Device::flex();
//! let digits = Examples::new(&data, &device);
//! let (order, stop) = (Order { seed: 0, stage: 0 }, Stop::default());
//!
//! let hidden_units = vec![100, 50];
//! let mut encoders = Vec::new();
//! let mut codes = digits.train.images.clone();
//! for (layer, &units) in hidden_units.iter().enumerate() {
//!     let autoencoder = AutoencoderSpec { hidden_units: units, ..AutoencoderSpec::default() };
//!     let setting = AutoencoderTraining { autoencoder, ..AutoencoderTraining::default() };
//!     let sparsity = [setting.sparsity];
//!     let mut trainee = Trainee::autoencoders(&setting, &[0], &sparsity, &codes, layer as u64);
//!     trainee.epoch(&codes, order, &(), &stop);
//!     encoders.push(trainee.model().encoder);
//!     codes = encoders[layer].forward(&codes).into();
//! }
//!
//! let spec = ClassifierSpec { hidden_units, ..ClassifierSpec::default() };
//! let mut classifier = Classifier::new(&spec, 28 * 28, data.classes, &[0], &device);
//! classifier.hidden = encoders;
//! let training = TrainingSpec::default();
//! let mut trainee = ClassifierTrainee::classifiers(classifier, &training, TrainedLayers::All, 0);
//! while trainee.epochs_done() < 3 {
//!     trainee.epoch(&digits.train, order, &(), &stop);
//! }
//! let accuracy = trainee.score(&digits.test)[0].accuracy;
//! println!("{:.1} % of the test images are named rightly", 100.0 * accuracy);
//! assert!(accuracy > 0.8);
//! # Ok::<(), data::DataError>(())
//! ```
//!
//! # From a file to a step
//!
//! [`run::start`] reads the config and, in `run/prepare.rs`, the data: `data/four_files.rs` finds the files of MNIST
//! and `data/idx.rs` reads them. [`experiment::Examples`] puts the rows on the device. [`experiment::run`] makes a task
//! of every condition and seed (`experiment/tasks.rs`), which take turns of an epoch ([`train::lanes::take_turns`]). A
//! turn is `Group::advance` in `experiment/group.rs`: an epoch of a stage of pretraining, where there is one, and then
//! of the model itself. An epoch is [`train::Training::epoch`]: it shuffles, selects a batch, and calls cost,
//! `backward` and the optimiser's step.
//!
//! β multiplies the slopes dKL/dρ̂ⱼ in [`ops::kl_divergence`] (on flex in `ops/flex/mod.rs`), outside of the graph.
//! [`model::Sparsity::term`] puts the products into the cost as constants, [`ops::weighted_means`], so that burn's
//! autodiff has only to spread them over the batch. With L-BFGS β multiplies in
//! [`model::Sparsity::take_mean_activation`].
//!
//! # The rooms
//!
//! | room | owns |
//! |---|---|
//! | [`cli`] | the command line: verbs, messages, exit codes |
//! | [`config`] | TOML, conditions, grid and overrides → a checked plan |
//! | [`experiment`] | conditions × grid × seeds → tasks, trained side by side |
//! | [`train`] | an epoch of training, and the sharing out of epochs over cores |
//! | [`model`] | burn modules and their costs, each with a leading member dimension |
//! | [`ops`] | the few operations that take most of a step's time: their definitions, and fast forms for flex |
//! | [`data`] | IDX files, arrays, pictures → checked rows |
//! | [`backend`] | backend names ⇄ burn devices |
//! | `fourier` | the Fourier plane of a picture |
//! | `machine` | how much memory a process can have |
//! | [`seed`] | all randomness |
//! | [`evidence`] | what a run has to show, a file for each piece: its numbers, its figures, its section of the page |
//! | [`results`], [`weights`] | what a run found, without tensors |
//! | [`run_dir`] | a run's files |
//! | [`apply`] | a trained model put to use: codes, reconstructions, classes, what excites a unit, files for other tools |
//! | [`run`] | a run from beginning to end, and on from where one was left, whole or in parts; how long it takes |
//! | [`report`] | charts, grids of tiles and the page's frame |
//! | [`ui`] | the terminal: the dashboard, the plain lines, everything that is printed |
//! | [`spec`] | the vocabulary that the rooms share, and the schema of configs |
//! | `words` | counts, lists and paths in words |

#![warn(missing_docs)]

pub use burn;

#[doc = include_str!("adding.md")]
pub mod adding {}

pub mod apply;
pub mod backend;
pub mod cli;
pub mod config;
pub mod data;
pub mod evidence;
pub mod experiment;
mod fourier;
mod machine;
pub mod model;
pub mod ops;
pub mod report;
pub mod results;
pub mod run;
pub mod run_dir;
pub mod seed;
pub mod spec;
pub mod train;
pub mod ui;
pub mod weights;
mod words;
