//! Sparse autoencoders and greedy layer-wise pretraining as reproducible experiments, on burn.
//!
//! | room | owns |
//! |---|---|
//! | [`cli`] | the command line: verbs, messages, exit codes |
//! | [`config`] | TOML and overrides → a checked plan |
//! | [`experiment`] | recipes: plan and data → results |
//! | [`train`] | an epoch of training, and the sharing out of epochs over cores |
//! | [`model`] | burn modules and their costs, each with a leading member dimension |
//! | `fused` | what a batch is given as; operations of a step in one pass, where burn composes several, on flex |
//! | `wide` | loops for the widest vectors that the processor has |
//! | `bytes` | exact sums over the bytes of pictures |
//! | [`data`] | IDX files → bytes → batches |
//! | [`backend`] | backend names ⇄ burn devices |
//! | `machine` | how much memory a process can have |
//! | [`seed`] | all randomness |
//! | [`evidence`] | what pictures of weights look like, in numbers |
//! | [`results`], [`weights`] | what a run found, without tensors |
//! | [`run_dir`] | a run's files |
//! | [`checkpoint`] | what an unfinished run goes on from |
//! | [`report`], [`redraw`] | figures, curves and the page, from a run's files alone |
//! | [`ui`] | the terminal: the dashboard, the plain lines, everything that is printed |
//! | [`spec`] | the vocabulary that the rooms share |
//! | `words` | counts, lists and paths in words |

pub mod backend;
mod bytes;
pub mod checkpoint;
pub mod cli;
pub mod config;
pub mod data;
pub mod evidence;
pub mod experiment;
mod fused;
mod machine;
pub mod model;
pub mod redraw;
pub mod report;
pub mod results;
pub mod run_dir;
pub mod seed;
pub mod spec;
pub mod train;
pub mod ui;
pub mod weights;
mod wide;
mod words;
