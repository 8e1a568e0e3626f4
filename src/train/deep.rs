//! The training of deep autoencoders, and what they make of images.

use super::autoencoder::{ACTIVE_ABOVE, EVALUATION_BATCH, add};
use super::dead::OutputRange;
use super::training::{Learner, Place, Training};
use crate::model::{Cost, DeepAutoencoder, numbers};
use crate::ops::Rows;
use crate::spec::TrainingSpec;

/// A group of deep autoencoders at some point of their training.
pub type DeepTrainee = Training<Reconstructing>;

/// The learning of a deep autoencoder: to reconstruct.
pub struct Reconstructing;

impl Learner for Reconstructing {
    type Model = DeepAutoencoder;
    type Examples = Rows;

    const PARTS: &'static [&'static str] = &["reconstruction"];

    fn cost(&mut self, model: &DeepAutoencoder, x: &Rows, _: Place) -> Cost {
        model.cost(x)
    }
}

/// One member's numbers on images.
#[derive(Debug, Clone)]
pub struct DeepEvaluation {
    /// The reconstruction error, mean over the images.
    pub reconstruction: f64,
    /// ‖x̂ − x‖², mean over the images.
    pub squared_error: f64,
    /// Of the units of the code.
    pub mean_activation: f64,
    /// Mean number of units of the code per image with h > [`ACTIVE_ABOVE`].
    pub active_units: f64,
    /// Units of the code that are dead.
    pub dead: usize,
}

impl DeepTrainee {
    /// A group of `members` about to start its first epoch, from a model on a device without autodiff. `work`:
    /// multiply–accumulates of a step, for each image and member.
    #[must_use]
    pub fn deep_autoencoders(
        model: DeepAutoencoder,
        training: &TrainingSpec,
        members: usize,
        work: u64,
    ) -> Self {
        Self::new(model, Reconstructing, training, members, work)
    }

    /// What each of `members` makes of `images`.
    #[must_use]
    pub fn evaluate(&self, images: &Rows, members: usize) -> Vec<DeepEvaluation> {
        let model = self.model();
        let Some(code) = model.encoder.last() else {
            return Vec::new();
        };
        let ([_, _, units], activation) = (code.weight.dims(), code.activation());
        let [mut errors, mut squared, mut sums, mut active] =
            std::array::from_fn(|_| vec![0.0_f64; members]);
        let mut ranges: Vec<OutputRange> = (0..members).map(|_| OutputRange::new(units)).collect();
        for x in images.parts(EVALUATION_BATCH) {
            let code = model.encode(&x);
            let count = x.count() as f64;
            add(&mut errors, model.error(code.clone(), &x).mul_scalar(count));
            let error = model.squared_error(code.clone(), &x);
            add(&mut squared, error.mul_scalar(2.0 * count));
            let above = code.clone().greater_scalar(ACTIVE_ABOVE).float();
            add(&mut active, above.sum_dim(2).sum_dim(1));
            add(&mut sums, code.clone().sum_dim(2).sum_dim(1));
            let code = numbers(code);
            for (range, code) in ranges.iter_mut().zip(code.chunks_exact(x.count() * units)) {
                range.extend(code);
            }
        }
        let count = images.count() as f64;
        (0..members)
            .map(|member| DeepEvaluation {
                reconstruction: errors[member] / count,
                squared_error: squared[member] / count,
                mean_activation: sums[member] / (count * units as f64),
                active_units: active[member] / count,
                dead: ranges[member].dead(activation).len(),
            })
            .collect()
    }
}
