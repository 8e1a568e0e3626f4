//! What an autoencoder is trained to make small: E + β Σⱼ KL(ρ‖ρ̂ⱼ) (Okatani, *Deep Learning*, section 5.3.3).

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};

use super::Autoencoder;
use super::loss::{Sparsity, reconstruction};
use crate::fused::Input;
use crate::spec::{MeanActivationEstimator, Reconstruction, SparsitySpec};

/// The cost of a group of members: the same for all but for β.
#[derive(Debug, Clone)]
pub struct Objective {
    reconstruction: Reconstruction,
    sparsity: SparsitySpec,
    /// β, `[member, 1, 1]`; absent where no member has a sparsity term.
    weight: Option<Tensor<3>>,
}

/// The cost of one batch, outside of any graph.
#[derive(Debug)]
pub struct BatchCost {
    /// The reconstruction loss summed over the batch, `[member, 1, 1]`.
    pub reconstruction: Tensor<3>,
    /// Σⱼ KL(ρ‖ρ̂ⱼ) at the estimate in use, without β, `[member, 1, 1]`.
    pub divergence: Tensor<3>,
    /// ρ̂ after this batch, `[member, 1, unit]`.
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

    /// The cost of a batch, given ρ̂ so far, and the gradient of its mean over the images.
    ///
    /// Of the divergence only the slope enters the gradient: every h is pulled by β·dKL/dρ̂ / batch size, as in the
    /// book's hand-derived back-propagation.
    ///
    /// # Shapes
    ///
    /// - target (what is to be reconstructed) and input (what is encoded, where that is another): `[1, batch, input]`
    ///   or `[member, batch, input]`
    /// - `mean_activation`: `[member, 1, unit]`
    ///
    /// All of them, and the model's parameters, outside of any graph.
    #[must_use]
    pub fn cost(
        &self,
        model: &Autoencoder,
        target: &Input,
        input: Option<&Input>,
        mean_activation: &Tensor<3>,
    ) -> (BatchCost, GradientsParams) {
        self.back_propagated(model, target, input, mean_activation)
            .unwrap_or_else(|| self.differentiated(model, target, input, mean_activation))
    }

    /// [`cost`](Self::cost) by back-propagation written out; `None` where the model does not offer it.
    fn back_propagated(
        &self,
        model: &Autoencoder,
        target: &Input,
        input: Option<&Input>,
        mean_activation: &Tensor<3>,
    ) -> Option<(BatchCost, GradientsParams)> {
        if !self.is_squared_error() {
            return None;
        }
        let encoded = model.pass(input.unwrap_or(target))?;
        let mean_activation = self.estimate(mean_activation, encoded.output().mean_dim(1));
        let (divergence, pull) = self.sparsity_term(&mean_activation);
        let per_image = 1.0 / target.dims()[1] as f32;
        let (reconstruction, gradients) =
            model.back_propagated(encoded, target, input, pull, per_image);
        let cost = BatchCost {
            reconstruction,
            divergence,
            mean_activation,
        };
        Some((cost, gradients))
    }

    /// [`cost`](Self::cost) by burn's autodiff.
    ///
    /// The divergence enters the graph as Σⱼ s̄ⱼ·(mean of hⱼ over the batch) with s̄ⱼ = β·dKL/dρ̂ⱼ held constant; its
    /// value is not used. The costs of the members are added up: one number whose gradient is every member's own.
    fn differentiated(
        &self,
        model: &Autoencoder,
        target: &Input,
        input: Option<&Input>,
        mean_activation: &Tensor<3>,
    ) -> (BatchCost, GradientsParams) {
        let inside = |input: &Input| Tensor::from_inner(input.tensor());
        let model = &model.clone().train();
        let per_image = 1.0 / target.dims()[1] as f64;
        let h = model.encode(inside(input.unwrap_or(target)));
        let batch_mean = h.clone().mean_dim(1);
        let errors = self.reconstruction(model, h, inside(target));
        let mean_activation = self.estimate(mean_activation, batch_mean.clone().inner());
        let mut total = errors.clone().sum().mul_scalar(per_image);
        let (divergence, pull) = self.sparsity_term(&mean_activation);
        if let Some(pull) = pull {
            total = total + (batch_mean * Tensor::from_inner(pull)).sum();
        }
        let cost = BatchCost {
            reconstruction: errors.inner(),
            divergence,
            mean_activation,
        };
        (cost, GradientsParams::from_grads(total.backward(), model))
    }

    /// ρ̂ after a batch with these means.
    fn estimate(&self, mean_activation: &Tensor<3>, batch_mean: Tensor<3>) -> Tensor<3> {
        match self.sparsity.estimator {
            MeanActivationEstimator::Batch => batch_mean,
            MeanActivationEstimator::RunningMean { decay } => {
                mean_activation.clone().mul_scalar(decay) + batch_mean.mul_scalar(1.0 - decay)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::numbers;
    use crate::spec::{
        Activation, AutoencoderSpec, Decoder, DecoderActivation, Initialization, Variance,
    };

    fn filled(shape: [usize; 3], key: usize, device: &Device) -> Tensor<3> {
        let number = |at: usize| ((at + key) * 7919 % 1009) as f32 / 1009.0;
        let values = (0..shape.iter().product()).map(number).collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    #[test]
    fn back_propagation_written_out_is_what_autodiff_gives() {
        let device = Device::flex();
        let normal = Initialization::Normal {
            variance: Variance::Fixed { value: 0.1 },
        };
        let sparsity = SparsitySpec {
            target: 0.05,
            estimator: MeanActivationEstimator::RunningMean { decay: 0.9 },
            clamp: 0.01,
        };
        let objective =
            Objective::new(Reconstruction::SquaredError, sparsity, &[0.0, 0.5], &device);
        // More images than the tied cost in one operation asks for, and fewer.
        for images in [40, 6] {
            for decoder in [Decoder::Tied, Decoder::Untied { weight: normal }] {
                let spec = AutoencoderSpec {
                    hidden_units: 9,
                    activation: Activation::Relu,
                    decoder,
                    decoder_activation: DecoderActivation::Identity,
                    reconstruction: Reconstruction::SquaredError,
                    encoder_weight: normal,
                    encoder_bias: normal,
                    decoder_bias: normal,
                };
                let model = Autoencoder::new(&spec, 30, 0, &[1, 2], &device);
                let x = Input::from(filled([1, images, 30], 1, &device));
                let corrupted = Input::from(filled([2, images, 30], 2, &device));
                let so_far = objective.first_mean_activation(2, 9, &device);
                for input in [None, Some(&corrupted)] {
                    let (cost, ours) = objective
                        .back_propagated(&model, &x, input, &so_far)
                        .expect("offered on flex");
                    let (expected, theirs) = objective.differentiated(&model, &x, input, &so_far);
                    assert_close(
                        &numbers(cost.reconstruction),
                        &numbers(expected.reconstruction),
                    );
                    assert_close(
                        &numbers(cost.mean_activation),
                        &numbers(expected.mean_activation),
                    );
                    assert_eq!(ours.len(), theirs.len());
                    let mut ids = vec![
                        model.encoder.weight.id,
                        model.encoder.bias.id,
                        model.decoder.bias.id,
                    ];
                    ids.extend(model.decoder.weight.as_ref().map(|weight| weight.id));
                    for id in ids {
                        let of = |gradients: &GradientsParams| {
                            numbers(gradients.get::<3>(id).expect("every parameter has one"))
                        };
                        assert_close(&of(&ours), &of(&theirs));
                        assert!(of(&ours).iter().any(|&slope| slope != 0.0));
                    }
                }
            }
        }
    }

    #[track_caller]
    fn assert_close(one: &[f32], other: &[f32]) {
        assert_eq!(one.len(), other.len());
        let largest = other
            .iter()
            .fold(0.1_f32, |most, value| most.max(value.abs()));
        for (one, other) in one.iter().zip(other) {
            assert!((one - other).abs() <= 1e-5 * largest, "{one} {other}");
        }
    }
}
