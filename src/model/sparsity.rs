//! The sparsity term of an autoencoder's cost, β Σⱼ KL(ρ‖ρ̂ⱼ) (Okatani, *Deep Learning*, section 5.3.3): it compares ρ, the
//! mean activation asked of a unit, with ρ̂ⱼ, the mean activation it has, as two Bernoulli distributions.

use burn::tensor::{Device, Tensor, TensorData};

use crate::ops::{self, SparsityRates};
use crate::spec::{self, MeanActivationEstimator};

/// The term for a group of members, with its estimate of ρ̂.
///
/// ρ̂ is held inside [clamp, 1 − clamp]. Outside that interval the divergence is infinite or, for units that are not
/// bounded by 1 such as ramps, not defined; both value and slope are those of the nearer end. A silent unit is thus still
/// pulled up and one that is always on still pushed down, with a large but finite force.
#[derive(Debug, Clone)]
pub struct Sparsity {
    /// β, `[member, 1, 1]`.
    weight: Tensor<3>,
    rates: SparsityRates,
    /// ρ̂ so far, `[member, 1, unit]`, outside of any graph.
    pub mean_activation: Tensor<3>,
}

impl Sparsity {
    /// The term of each member, which may differ in β; before the first batch ρ̂ is ρ for every unit.
    ///
    /// # Panics
    ///
    /// Panics without a member.
    #[must_use]
    pub fn new(terms: &[spec::Sparsity], units: usize, device: &Device) -> Self {
        let first = terms.first().expect("a member");
        let decay = match first.estimator {
            MeanActivationEstimator::Batch => 0.0,
            MeanActivationEstimator::RunningMean { decay } => decay,
        };
        let weights: Vec<f32> = terms.iter().map(|term| term.weight as f32).collect();
        let members = terms.len();
        Self {
            weight: Tensor::from_data(TensorData::new(weights, [members, 1, 1]), device),
            rates: SparsityRates {
                target: first.target as f32,
                clamp: first.clamp as f32,
                kept: decay as f32,
                news: (1.0 - decay) as f32,
            },
            mean_activation: Tensor::full([members, 1, units], first.target, device),
        }
    }

    /// Takes note of the mean activations of a batch of codes h. Gives the term as it enters the cost and, for the record,
    /// Σⱼ KL(ρ‖ρ̂ⱼ) without β.
    ///
    /// As in the book's hand-derived back-propagation the slope at ρ̂ is passed whole to the batch, whatever estimator gave
    /// ρ̂: not scaled by 1 − decay, and not silenced by the clamp. So the term enters the cost as Σⱼ β·dKL/dρ̂ⱼ·(mean of hⱼ
    /// over the batch) with β·dKL/dρ̂ⱼ held constant: that has the right gradient, and its value means nothing.
    ///
    /// # Shapes
    ///
    /// - h: `[member, batch, unit]`
    /// - both results: `[member, 1, 1]`, the second outside of any graph
    #[must_use]
    pub fn term(&mut self, h: Tensor<3>) -> (Tensor<3>, Tensor<3>) {
        let [mean_activation, divergence, slope] = ops::sparsity(
            h.clone().inner(),
            self.mean_activation.clone(),
            self.weight.clone(),
            self.rates,
        );
        self.mean_activation = mean_activation;
        (ops::weighted_means(h, slope), divergence)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tolerance;

    use super::*;
    use crate::model::numbers;

    fn on_cpu<const N: usize>(values: [f32; N]) -> Tensor<3> {
        Tensor::from_data(TensorData::new(values.to_vec(), [1, 1, N]), &Device::flex())
    }

    #[test]
    fn a_running_mean_moves_by_its_share_and_passes_its_slope_whole() {
        let device = Device::flex();
        let term = spec::Sparsity {
            weight: 2.0,
            target: 0.05,
            estimator: MeanActivationEstimator::RunningMean { decay: 0.9 },
            clamp: 0.01,
        };
        let mut sparsity = Sparsity::new(&[term], 2, &device);
        // A batch of one image is its own mean.
        let h = on_cpu([0.25, 0.05]).autodiff().require_grad();
        let (of_cost, divergence) = sparsity.term(h.clone());
        // 0.9·0.05 + 0.1·0.25 = 0.07; the other unit stays at its target.
        let close = |found: Tensor<3>, expected, tolerance| {
            let expected = on_cpu::<2>(expected).into_data();
            let tolerance = Tolerance::absolute(tolerance);
            found
                .into_data()
                .assert_approx_eq::<f32>(&expected, tolerance);
        };
        close(sparsity.mean_activation, [0.07, 0.05], 1e-7_f32);
        let gradients = of_cost.sum().backward();
        let slope = h.grad(&gradients).expect("it has one");
        // 2 (−0.05/0.07 + 0.95/0.93).
        close(slope, [0.614_439, 0.0], 1e-5);
        // 0.05 ln(5/7) + 0.95 ln(95/93).
        assert!((numbers(divergence)[0] - 0.003_390).abs() < 1e-6);
    }
}
