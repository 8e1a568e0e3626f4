//! What an autoencoder is trained to make small: E + β Σⱼ KL(ρ‖ρ̂ⱼ) (Okatani, *Deep Learning*, section 5.3.3).

use burn::tensor::{Device, Tensor, TensorData};

use super::Autoencoder;
use super::loss::{Sparsity, reconstruction};
use crate::spec::{MeanActivationEstimator, Reconstruction, SparsitySpec};

/// The cost of a group of members: the same for all but for β.
#[derive(Debug, Clone)]
pub struct Objective {
    reconstruction: Reconstruction,
    sparsity: SparsitySpec,
    /// β, `[member, 1, 1]`; absent where no member has a sparsity term.
    weight: Option<Tensor<3>>,
}

/// The cost of one batch.
#[derive(Debug)]
pub struct BatchCost {
    /// Sum over members of the mean over images: one number whose gradient is every member's own.
    pub total: Tensor<1>,
    /// The reconstruction loss summed over the batch, `[member, 1, 1]`, outside the graph.
    pub reconstruction: Tensor<3>,
    /// Σⱼ KL(ρ‖ρ̂ⱼ) at the estimate in use, without β, `[member, 1, 1]`, outside the graph.
    pub divergence: Tensor<3>,
    /// ρ̂ after this batch, `[member, 1, unit]`, outside the graph.
    pub mean_activation: Tensor<3>,
}

impl Objective {
    /// One β for each member, on a device without autodiff.
    #[must_use]
    pub fn new(
        reconstruction: Reconstruction,
        sparsity: SparsitySpec,
        sparsity_weights: &[f64],
        device: &Device,
    ) -> Self {
        let weights: Vec<f32> = sparsity_weights
            .iter()
            .map(|&weight| weight as f32)
            .collect();
        let shape = [weights.len(), 1, 1];
        Self {
            reconstruction,
            sparsity,
            weight: weights
                .iter()
                .any(|&weight| weight > 0.0)
                .then(|| Tensor::from_data(TensorData::new(weights, shape), device)),
        }
    }

    /// ρ̂ before the first batch: ρ for every unit.
    ///
    /// # Shapes
    ///
    /// - output: `[member, 1, unit]`
    #[must_use]
    pub fn first_mean_activation(
        &self,
        members: usize,
        units: usize,
        device: &Device,
    ) -> Tensor<3> {
        Tensor::full([members, 1, units], self.sparsity.target, device)
    }

    #[must_use]
    pub fn is_squared_error(&self) -> bool {
        self.reconstruction == Reconstruction::SquaredError
    }

    /// The reconstruction loss summed over a batch.
    ///
    /// # Shapes
    ///
    /// - h (the batch's code): `[member, batch, unit]`
    /// - x: `[member, batch, input]`, or `[1, batch, input]` where all members see the same batch
    /// - output: `[member, 1, 1]`
    #[must_use]
    pub fn reconstruction(&self, model: &Autoencoder, h: Tensor<3>, x: Tensor<3>) -> Tensor<3> {
        match self.reconstruction {
            Reconstruction::SquaredError => model.squared_errors(h, x),
            Reconstruction::CrossEntropy => {
                reconstruction(self.reconstruction, model.decode_logits(h), x).sum_dim(1)
            }
        }
    }

    /// The cost of a batch, given ρ̂ so far.
    ///
    /// The divergence enters the graph by its slope alone: as Σⱼ s̄ⱼ·(mean of hⱼ over the batch) with
    /// s̄ⱼ = β·dKL/dρ̂ⱼ held constant. Its gradient, β·dKL/dρ̂ⱼ / batch size for every h, is the one of the
    /// book's hand-derived back-propagation; its value is not used.
    ///
    /// # Shapes
    ///
    /// - target (what is to be reconstructed) and input (what is encoded, where that is another): `[1, batch, input]`
    ///   or `[member, batch, input]`, on the autodiff device
    /// - `mean_activation`: `[member, 1, unit]`, on the device without autodiff
    #[must_use]
    pub fn cost(
        &self,
        model: &Autoencoder,
        target: Tensor<3>,
        input: Option<Tensor<3>>,
        mean_activation: Tensor<3>,
    ) -> BatchCost {
        let per_image = 1.0 / target.dims()[1] as f64;
        let in_one = match (&input, self.reconstruction) {
            (None, Reconstruction::SquaredError) => model.tied_code(&target),
            _ => None,
        };
        if let Some(h) = in_one {
            let mean_activation = self.estimate(mean_activation, h.clone().mean_dim(1));
            let (divergence, pull) = self.sparsity_term(&mean_activation);
            let errors = model.tied_errors(&target, h, pull);
            return BatchCost {
                total: errors.clone().sum().mul_scalar(per_image),
                reconstruction: errors.inner(),
                divergence,
                mean_activation,
            };
        }
        let h = model.encode(input.unwrap_or_else(|| target.clone()));
        let batch_mean = h.clone().mean_dim(1);
        let errors = self.reconstruction(model, h, target);
        let mean_activation = self.estimate(mean_activation, batch_mean.clone().inner());
        let mut total = errors.clone().sum().mul_scalar(per_image);
        let (divergence, pull) = self.sparsity_term(&mean_activation);
        if let Some(pull) = pull {
            total = total + (batch_mean * Tensor::from_inner(pull)).sum();
        }
        BatchCost {
            total,
            reconstruction: errors.inner(),
            divergence,
            mean_activation,
        }
    }

    /// ρ̂ after a batch with these means.
    fn estimate(&self, mean_activation: Tensor<3>, batch_mean: Tensor<3>) -> Tensor<3> {
        match self.sparsity.estimator {
            MeanActivationEstimator::Batch => batch_mean,
            MeanActivationEstimator::RunningMean { decay } => {
                mean_activation.mul_scalar(decay) + batch_mean.mul_scalar(1.0 - decay)
            }
        }
    }

    /// Σⱼ KL(ρ‖ρ̂ⱼ), `[member, 1, 1]`, and s̄ = β·dKL/dρ̂, `[member, 1, unit]`, where any member has β above 0.
    fn sparsity_term(&self, mean_activation: &Tensor<3>) -> (Tensor<3>, Option<Tensor<3>>) {
        let term = Sparsity {
            target: self.sparsity.target,
            clamp: self.sparsity.clamp,
        };
        let (divergence, slope) = term.both(mean_activation);
        (divergence, self.weight.clone().map(|weight| slope * weight))
    }
}
