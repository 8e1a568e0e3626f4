//! The terms of an autoencoder's cost that ask for sparse codes.
//!
//! - β Σⱼ KL(ρ‖ρ̂ⱼ) (Okatani, *Deep Learning*, section 5.3.3) compares ρ, the mean activation asked of a unit, with ρ̂ⱼ, the
//!   mean activation it has, as two Bernoulli distributions.
//! - λ Σⱼ |hⱼ| ‖W̃ⱼ‖, as a mean over the batch: without the norms of the decoder's weights W̃ⱼ, units make their outputs small
//!   and their decoder weights large.
//! - λ · L0, the mean number of units above their learnt thresholds (Rajamanoharan et al. 2024).

use burn::tensor::{Device, Tensor, TensorData};

use super::Autoencoder;
use super::selection::Code;
use crate::ops::{self, KlRates};
use crate::spec::{self, KlSparsity, L1Sparsity, MeanActivationEstimator};

/// The term for a group of members, with what it remembers of earlier batches.
///
/// ρ̂ is held inside [clamp, 1 − clamp]. Outside that interval the divergence is infinite or, for units that are not
/// bounded by 1 such as ramps, not defined; both value and slope are those of the nearer end. A silent unit is thus still
/// pulled up and one that is always on still pushed down, with a large but finite force.
#[derive(Debug, Clone)]
pub struct Sparsity {
    /// β or λ, `[member, 1, 1]`.
    pub weight: Tensor<3>,
    /// Steps over which the weight grows from 0, and how many are done.
    warm_up_steps: usize,
    /// How many batches it has seen.
    pub steps: usize,
    term: Term,
    /// ρ̂ so far, `[member, 1, unit]`, outside of any graph; ρ for every unit before the first batch, and for good where the
    /// term is no divergence.
    pub mean_activation: Tensor<3>,
    /// Of a divergence whose ρ̂ is that of all examples: its value and its slope, β·dKL/dρ̂ⱼ.
    of_all: Option<[Tensor<3>; 2]>,
}

#[derive(Debug, Clone, Copy)]
enum Term {
    None,
    Divergence(KlRates),
    Absolute { decoder_norms: bool },
    Count,
}

impl Sparsity {
    /// The term of each member, which may differ in β or λ.
    ///
    /// # Panics
    ///
    /// Panics without a member.
    #[must_use]
    pub fn new(terms: &[spec::Sparsity], units: usize, device: &Device) -> Self {
        let first = terms.first().expect("a member");
        let (term, target) = match *first {
            spec::Sparsity::Kl(KlSparsity {
                target,
                estimator,
                clamp,
                ..
            }) => {
                let decay = match estimator {
                    MeanActivationEstimator::Batch => 0.0,
                    MeanActivationEstimator::RunningMean { decay } => decay,
                };
                let rates = KlRates {
                    target: target as f32,
                    clamp: clamp as f32,
                    kept: decay as f32,
                    news: (1.0 - decay) as f32,
                };
                (Term::Divergence(rates), target)
            }
            spec::Sparsity::L1(L1Sparsity { decoder_norms, .. }) => {
                (Term::Absolute { decoder_norms }, 0.0)
            }
            spec::Sparsity::JumpRelu(_) => (Term::Count, 0.0),
            spec::Sparsity::None | spec::Sparsity::TopK { .. } | spec::Sparsity::BatchTopK(_) => {
                (Term::None, 0.0)
            }
        };
        let weights: Vec<f32> = terms.iter().map(|term| term.weight() as f32).collect();
        let members = terms.len();
        Self {
            weight: Tensor::from_data(TensorData::new(weights, [members, 1, 1]), device),
            warm_up_steps: first.warm_up_steps(),
            steps: 0,
            term,
            mean_activation: Tensor::full([members, 1, units], target, device),
            of_all: None,
        }
    }

    /// Whether it is a divergence.
    #[must_use]
    pub fn needs_mean_activation(&self) -> bool {
        matches!(self.term, Term::Divergence(_))
    }

    /// From now on takes ρ̂, the mean over all examples, from `mean_activation` and no batch: so examples may come in parts.
    ///
    /// Beyond the clamp the divergence then goes on straight with the slope that it has there, as value and slope have to
    /// agree.
    pub fn take_mean_activation(&mut self, mean_activation: Tensor<3>) {
        let Term::Divergence(rates) = self.term else {
            return;
        };
        let rates = KlRates {
            kept: 0.0,
            news: 1.0,
            ..rates
        };
        let before = self.mean_activation.clone();
        // A batch of one is its own mean.
        let [of_all, divergence, slope] =
            ops::kl_divergence(mean_activation, before, self.weight.ones_like(), rates);
        let held = of_all.clone().clamp(rates.clamp, 1.0 - rates.clamp);
        let beyond = (of_all.clone() - held) * slope.clone();
        self.mean_activation = of_all;
        let divergence = divergence + beyond.sum_dim(2);
        self.of_all = Some([divergence, slope * self.weight.clone()]);
    }

    /// Takes note of a batch's code. Gives the term as it enters the cost, if there is one, and for the record what it is
    /// without β or λ: Σⱼ KL(ρ‖ρ̂ⱼ), Σⱼ |hⱼ| ‖W̃ⱼ‖, or L0.
    ///
    /// As in the book's hand-derived back-propagation the slope of the divergence at ρ̂ is passed whole to the batch,
    /// whatever estimator gave ρ̂: not scaled by 1 − decay, and not silenced by the clamp. So the term enters the cost as Σⱼ
    /// β·dKL/dρ̂ⱼ·(mean of hⱼ over the batch) with β·dKL/dρ̂ⱼ held constant: that has the right gradient, and its value means
    /// nothing.
    ///
    /// # Shapes
    ///
    /// - both results: `[member, 1, 1]`, the second outside of any graph
    #[must_use]
    pub fn term(&mut self, code: &Code, model: &Autoencoder) -> (Option<Tensor<3>>, Tensor<3>) {
        let weight = self.weight_now();
        self.steps = self.steps.saturating_add(1);
        let unweighted = match self.term {
            Term::None => return (None, self.weight.zeros_like()),
            Term::Divergence(_) if let Some([divergence, weighted_slope]) = &self.of_all => {
                let term = ops::weighted_means(code.h.clone(), weighted_slope.clone());
                return (Some(term), divergence.clone());
            }
            Term::Divergence(rates) => {
                let h = code.h.clone();
                let before = self.mean_activation.clone();
                let [mean_activation, divergence, weighted_slope] =
                    ops::kl_divergence(h.clone().inner(), before, weight, rates);
                self.mean_activation = mean_activation;
                return (Some(ops::weighted_means(h, weighted_slope)), divergence);
            }
            Term::Absolute { decoder_norms } => absolute(&code.h, model, decoder_norms),
            Term::Count => match &code.count {
                Some(count) => count.clone(),
                None => return (None, self.weight.zeros_like()),
            },
        };
        (Some(unweighted.clone() * weight), unweighted.inner())
    }

    /// β or λ at this step.
    fn weight_now(&self) -> Tensor<3> {
        if self.steps >= self.warm_up_steps {
            return self.weight.clone();
        }
        let share = (self.steps + 1) as f64 / self.warm_up_steps as f64;
        self.weight.clone().mul_scalar(share)
    }
}

/// Σⱼ |hⱼ| as a mean over the batch, each |hⱼ| times the norm of the unit's decoder weights if asked.
fn absolute(h: &Tensor<3>, model: &Autoencoder, decoder_norms: bool) -> Tensor<3> {
    let means = h.clone().abs().mean_dim(1);
    // Norms of 1 need no product.
    if !decoder_norms || model.has_unit_norm() {
        return means.sum_dim(2);
    }
    let norms = model.decoder_weight().square().sum_dim(2).sqrt();
    (means * norms.swap_dims(1, 2)).sum_dim(2)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tolerance;

    use super::*;
    use crate::model::numbers;
    use crate::spec::AutoencoderSpec;

    fn on_cpu<const N: usize>(values: [f32; N]) -> Tensor<3> {
        Tensor::from_data(TensorData::new(values.to_vec(), [1, 1, N]), &Device::flex())
    }

    fn code(h: Tensor<3>) -> Code {
        Code {
            activity: h.clone(),
            h,
            count: None,
        }
    }

    fn model(units: usize, sparsity: &spec::Sparsity) -> Autoencoder {
        let spec = AutoencoderSpec {
            hidden_units: units,
            decoder: spec::Decoder::UNTIED,
            ..AutoencoderSpec::default()
        };
        Autoencoder::new(&spec, sparsity, 2, 0, &[0], &Device::flex().autodiff())
    }

    #[test]
    fn a_running_mean_moves_by_its_share_and_passes_its_slope_whole() {
        let device = Device::flex();
        let term = spec::Sparsity::Kl(KlSparsity {
            weight: 2.0,
            target: 0.05,
            estimator: MeanActivationEstimator::RunningMean { decay: 0.9 },
            ..KlSparsity::default()
        });
        let mut sparsity = Sparsity::new(&[term], 2, &device);
        // A batch of one image is its own mean.
        let h = on_cpu([0.25, 0.05]).autodiff().require_grad();
        let (of_cost, divergence) = sparsity.term(&code(h.clone()), &model(2, &term));
        // 0.9·0.05 + 0.1·0.25 = 0.07; the other unit stays at its target.
        let close = |found: Tensor<3>, expected, tolerance| {
            let expected = on_cpu::<2>(expected).into_data();
            let tolerance = Tolerance::absolute(tolerance);
            found
                .into_data()
                .assert_approx_eq::<f32>(&expected, tolerance);
        };
        close(sparsity.mean_activation, [0.07, 0.05], 1e-7_f32);
        let gradients = of_cost.expect("a divergence").sum().backward();
        let slope = h.grad(&gradients).expect("it has one");
        // 2 (−0.05/0.07 + 0.95/0.93).
        close(slope, [0.614_439, 0.0], 1e-5);
        // 0.05 ln(5/7) + 0.95 ln(95/93).
        assert!((numbers(divergence)[0] - 0.003_390).abs() < 1e-6);
    }

    #[test]
    fn a_weight_grows_over_its_first_steps() {
        let term = spec::Sparsity::L1(L1Sparsity {
            weight: 0.6,
            decoder_norms: false,
            warm_up_steps: 3,
        });
        let mut sparsity = Sparsity::new(&[term], 2, &Device::flex());
        let model = model(2, &term);
        let code = code(on_cpu([0.5, 1.5]).autodiff());
        for (weight, step) in [0.2, 0.4, 0.6, 0.6].into_iter().zip(1..) {
            let (of_cost, unweighted) = sparsity.term(&code, &model);
            let of_cost = numbers(of_cost.expect("a term").inner())[0];
            assert!(
                (of_cost - 2.0 * weight).abs() < 1e-6,
                "step {step}: {of_cost}"
            );
            assert!((numbers(unweighted)[0] - 2.0).abs() < 1e-6);
        }
    }
}
