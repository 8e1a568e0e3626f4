//! The parts of an autoencoder's cost, E + β Σⱼ KL(ρ‖ρ̂ⱼ) (Okatani, *Deep Learning*, section 5.3.3), and the
//! cross-entropy of a classifier (section 2.4.4).
//!
//! Reconstruction losses are summed over inputs and left separate by image, so that the caller may average
//! a short last batch rightly. The sparsity term compares ρ, the mean activation asked of a unit, with ρ̂ⱼ,
//! the mean activation it has, as two Bernoulli distributions.

use burn::tensor::Tensor;
use burn::tensor::activation::{log_softmax, relu};

use crate::fused;
use crate::spec::Reconstruction;

/// The reconstruction loss of each image.
///
/// `SquaredError`: ½ Σᵢ (x̂ᵢ − xᵢ)². `CrossEntropy`: −Σᵢ [xᵢ ln x̂ᵢ + (1 − xᵢ) ln(1 − x̂ᵢ)] with x̂ = sigmoid(z),
/// computed from the logits z as max(z, 0) − z x + ln(1 + exp(−|z|)), which overflows for no z.
///
/// # Shapes
///
/// - output (x̂ for the squared error, z for the cross-entropy): `[member, batch, input]`
/// - x: the same, or `[1, batch, input]`
/// - result: `[member, batch, 1]`
#[must_use]
pub fn reconstruction(kind: Reconstruction, output: Tensor<3>, x: Tensor<3>) -> Tensor<3> {
    match kind {
        Reconstruction::SquaredError => (output - x).square().sum_dim(2).mul_scalar(0.5),
        Reconstruction::CrossEntropy => {
            let tail = output.clone().abs().neg().exp().log1p();
            (relu(output.clone()) - output * x + tail).sum_dim(2)
        }
    }
}

/// The cross-entropy −Σₖ dₖ ln yₖ, in nats, with y = softmax(z), summed over the images of a batch.
///
/// # Shapes
///
/// - logits z: `[member, batch, class]`
/// - targets d (1 for the image's class, 0 elsewhere): the same, or `[1, batch, class]`
/// - result: `[member, 1, 1]`
#[must_use]
pub fn cross_entropy(logits: Tensor<3>, targets: Tensor<3>) -> Tensor<3> {
    fused::cross_entropy(&logits, &targets).unwrap_or_else(|| {
        let of_images = (log_softmax(logits, 2) * targets).sum_dim(2).neg();
        of_images.sum_dim(1)
    })
}

/// The sparsity term's view of a mean activation: ρ̂ held inside [clamp, 1 − clamp].
///
/// Outside that interval the divergence is infinite or, for units that are not bounded by 1 such as ramps,
/// not defined; both value and slope are those of the nearer end. A silent unit is thus still pulled up and
/// one that is always on still pushed down, with a large but finite force.
#[derive(Debug, Clone, Copy)]
pub struct Sparsity {
    /// ρ, in (0, 1).
    pub target: f64,
    /// In (0, ½).
    pub clamp: f64,
}

impl Sparsity {
    /// KL(ρ‖ρ̂) = ρ ln(ρ/ρ̂) + (1 − ρ) ln((1 − ρ)/(1 − ρ̂)) for each entry of `mean_activation`; 0 where ρ̂ = ρ.
    #[must_use]
    pub fn divergence<const D: usize>(self, mean_activation: Tensor<D>) -> Tensor<D> {
        let rho = self.target;
        let estimate = self.clamped(mean_activation);
        let entropy = rho * rho.ln() + (1.0 - rho) * (1.0 - rho).ln();
        let cross = estimate.clone().log().mul_scalar(rho)
            + estimate.neg().add_scalar(1.0).log().mul_scalar(1.0 - rho);
        // Never negative in exact arithmetic; rounding at ρ̂ = ρ must not make it so.
        cross.neg().add_scalar(entropy).clamp_min(0.0)
    }

    /// dKL/dρ̂ = −ρ/ρ̂ + (1 − ρ)/(1 − ρ̂) for each entry, at the clamped value.
    ///
    /// As in the book's hand-derived back-propagation it is passed whole to the current batch, whatever
    /// estimator gave ρ̂: not scaled by 1 − decay, and not silenced by the clamp.
    #[must_use]
    pub fn slope<const D: usize>(self, mean_activation: Tensor<D>) -> Tensor<D> {
        let rho = self.target;
        let estimate = self.clamped(mean_activation);
        let off = estimate
            .clone()
            .neg()
            .add_scalar(1.0)
            .recip()
            .mul_scalar(1.0 - rho);
        off - estimate.recip().mul_scalar(rho)
    }

    /// [`divergence`](Self::divergence) summed over units, `[member, 1, 1]`, and [`slope`](Self::slope),
    /// `[member, 1, unit]`.
    #[must_use]
    pub fn both(self, mean_activation: &Tensor<3>) -> (Tensor<3>, Tensor<3>) {
        fused::divergence(self.target as f32, self.clamp as f32, mean_activation).unwrap_or_else(
            || {
                let divergence = self.divergence(mean_activation.clone()).sum_dim(2);
                (divergence, self.slope(mean_activation.clone()))
            },
        )
    }

    fn clamped<const D: usize>(self, mean_activation: Tensor<D>) -> Tensor<D> {
        mean_activation.clamp(self.clamp, 1.0 - self.clamp)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor, Tolerance};

    use super::*;

    const SPARSITY: Sparsity = Sparsity {
        target: 0.05,
        clamp: 0.01,
    };

    fn on_cpu<const N: usize>(values: [f32; N]) -> Tensor<1> {
        Tensor::from_floats(values, &Device::flex())
    }

    fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_to_vec().expect("losses are f32")
    }

    #[test]
    fn divergence_is_what_one_gets_by_hand() {
        // ρ = 0.05, ρ̂ = 0.1: 0.05 ln 0.5 + 0.95 ln(0.95/0.9) = −0.0346574 + 0.0513641 = 0.0167068
        // ρ̂ = 0.5: 0.05 ln 0.1 + 0.95 ln 1.9 = −0.1151293 + 0.6097609 = 0.4946316
        let values = SPARSITY.divergence(on_cpu([0.05, 0.1, 0.5]));
        values.into_data().assert_approx_eq::<f32>(
            &on_cpu([0.0, 0.016_706_8, 0.494_631_6]).into_data(),
            Tolerance::absolute(1e-6),
        );
    }

    #[test]
    fn divergence_is_zero_at_the_target_and_positive_elsewhere() {
        let grid: Vec<f32> = (0..=200).map(|i| i as f32 / 100.0).collect();
        let device = Device::flex();
        let values = numbers(SPARSITY.divergence(Tensor::<1>::from_floats(&grid[..], &device)));
        for (rho_hat, value) in grid.iter().zip(values) {
            let expected_zero = (rho_hat - 0.05).abs() < 1e-6;
            assert!(value >= 0.0, "KL({rho_hat}) = {value}");
            assert_eq!(value < 1e-6, expected_zero, "KL({rho_hat}) = {value}");
        }
    }

    #[test]
    fn ends_are_those_of_the_clamp() {
        // A silent unit, and ramp units at and above 1.
        let at_ends = numbers(SPARSITY.divergence(on_cpu([0.0, -3.0, 1.0, 7.5])));
        let at_clamp = numbers(SPARSITY.divergence(on_cpu([0.01, 0.01, 0.99, 0.99])));
        assert_eq!(at_ends, at_clamp);
        let slopes = numbers(SPARSITY.slope(on_cpu([0.0, 7.5])));
        // −0.05/0.01 + 0.95/0.99 and −0.05/0.99 + 0.95/0.01.
        assert!((slopes[0] + 4.040_404).abs() < 1e-4, "{slopes:?}");
        assert!((slopes[1] - 94.949_5).abs() < 1e-2, "{slopes:?}");
    }

    #[test]
    fn slope_is_the_divergence_s_derivative() {
        // Central differences in f64 of the formula itself, at points inside the clamp.
        let kl = |r: f64| 0.05 * (0.05 / r).ln() + 0.95 * (0.95 / (1.0 - r)).ln();
        let points = [0.02_f32, 0.05, 0.2, 0.7, 0.95];
        for (r, slope) in points
            .into_iter()
            .zip(numbers(SPARSITY.slope(on_cpu(points))))
        {
            let r = f64::from(r);
            let difference = (kl(r + 1e-5) - kl(r - 1e-5)) / 2e-5;
            assert!(
                (f64::from(slope) - difference).abs() < 1e-3,
                "{r}: {slope} {difference}"
            );
        }
    }

    #[test]
    fn squared_error_is_half_the_sum_of_squares_by_image() {
        let device = Device::flex();
        let output = Tensor::<3>::from_floats([[[1.0, 2.0], [0.0, 0.0]]], &device);
        let x = Tensor::<3>::from_floats([[[0.0, 4.0], [3.0, 4.0]]], &device);
        let loss = reconstruction(Reconstruction::SquaredError, output, x);
        assert_eq!(loss.dims(), [1, 2, 1]);
        assert_eq!(numbers(loss), [2.5, 12.5]);
    }

    #[test]
    fn cross_entropy_takes_grey_pixels_and_extreme_logits() {
        let device = Device::flex();
        let logits = Tensor::<3>::from_floats([[[0.0, 2.0], [100.0, -100.0]]], &device);
        let x = Tensor::<3>::from_floats([[[0.3, 0.25], [1.0, 1.0]]], &device);
        let values = numbers(reconstruction(Reconstruction::CrossEntropy, logits, x));
        // ln 2 + (2 − 0.5 + ln(1 + e⁻²)) = 0.6931472 + 1.6269280; and 0 + 100.
        assert!((values[0] - 2.320_075).abs() < 1e-5, "{values:?}");
        assert!((values[1] - 100.0).abs() < 1e-4, "{values:?}");
    }

    #[test]
    fn classification_cost_is_what_one_gets_by_hand_and_survives_extreme_logits() {
        let device = Device::flex();
        let logits = Tensor::<3>::from_floats(
            [[[0.0, 0.0, 0.0], [1.0, 2.0, 3.0], [1000.0, 0.0, -1000.0]]],
            &device,
        );
        let targets = Tensor::<3>::from_floats(
            [[[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]],
            &device,
        );
        let value = numbers(cross_entropy(logits, targets));
        // ln 3 + ln(e + e² + e³) − 1 + 0 = 1.098_612 + 2 + ln(1 + e⁻¹ + e⁻²) + 0.
        assert!((value[0] - 3.506_218).abs() < 1e-5, "{value:?}");
    }
}
