//! The sparsity term's value and slope in one pass over ρ̂; formulas in [`crate::model::loss`].

use burn::backend::TensorMetadata;
use burn::tensor::Tensor;

use super::{Side, entries, of_inner, primitive, side, tensor};

/// Σⱼ KL(ρ‖ρ̂ⱼ), `[member, 1, 1]`, and its slope in each ρ̂ⱼ, `[member, 1, unit]`, with ρ̂ held inside
/// [clamp, 1 − clamp].
#[must_use]
pub fn divergence(
    target: f32,
    clamp: f32,
    mean_activation: &Tensor<3>,
) -> Option<(Tensor<3>, Tensor<3>)> {
    if side(mean_activation) != Side::Plain {
        return None;
    }
    let mean_activation = primitive(mean_activation.clone());
    let shape @ [members, _, units] = mean_activation.shape().dims::<3>();
    let (rho, rest) = (target, 1.0 - target);
    let entropy = rho * rho.ln() + rest * rest.ln();
    let estimates = entries(&mean_activation);
    let clamped = |estimate: f32| estimate.clamp(clamp, 1.0 - clamp);
    let slopes = estimates.iter().map(|&estimate| {
        let estimate = clamped(estimate);
        rest / (1.0 - estimate) - rho / estimate
    });
    let divergences = estimates.chunks_exact(units).map(|estimates| {
        let of_units = estimates.iter().map(|&estimate| {
            let estimate = clamped(estimate);
            let divergence = entropy - rho * estimate.ln() - rest * (1.0 - estimate).ln();
            // Never negative in exact arithmetic; what is not a number stays so.
            if divergence < 0.0 { 0.0 } else { divergence }
        });
        of_units.sum()
    });
    let divergences = tensor(divergences.collect(), [members, 1, 1]);
    Some((
        of_inner(divergences),
        of_inner(tensor(slopes.collect(), shape)),
    ))
}
