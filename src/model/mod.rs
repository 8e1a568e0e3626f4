//! Models as burn modules and the costs they are trained by: tensors in, tensors out.
//!
//! Every model carries a leading *member* dimension: weights `[member, in, out]`, biases `[member, 1, out]`,
//! activations `[member, batch, unit]`. Members are separate models that share a batch; no operation here
//! mixes them. Nothing in this room knows of configs, files, optimisers or the command line.

mod autoencoder;
mod layer;
pub mod loss;
mod objective;

pub use autoencoder::{Autoencoder, Decoder};
pub use layer::Layer;
pub use objective::{BatchCost, Objective};
