//! Steps over all examples at once: cost and gradient of a whole data set, and the model as one vector.
//!
//! Examples go through the model in parts, in their order, and are neither copied nor held as numbers: what a step needs of
//! memory grows with the parts and not with the data.

use std::convert::Infallible;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};

use super::lbfgs::{Evaluation, Lbfgs};
use super::optimizer::three_dimensional;
use super::state::State;
use super::training::{Examples, Learner, Place};
use crate::model::{Cost, numbers, parameters, with_parameters};

/// Images that go through the model together.
pub const FULL_BATCH_PART: usize = 1000;

/// The descent of one model.
pub struct FullBatch {
    rule: Lbfgs,
    /// λ of ½ λ Σ W².
    weight_decay: f64,
}

impl FullBatch {
    pub fn new(history: usize, weight_decay: f64) -> Self {
        Self {
            rule: Lbfgs::new(history),
            weight_decay,
        }
    }

    /// Forgets the steps so far.
    pub fn forget(&mut self) {
        self.rule.forget();
    }

    /// The model after one iteration over all `examples`, and the [parts](Cost::parts) of its cost then.
    pub fn step<L: Learner>(
        &mut self,
        model: &L::Model,
        learner: &mut L,
        examples: &L::Examples,
        place: Place,
    ) -> (L::Model, Vec<Tensor<3>>) {
        let model = model.valid();
        let numbers = parameters(&model).into_iter().flat_map(|(_, _, of)| of);
        let mut vector = numbers.collect();
        let decay = self.weight_decay;
        let at = self.rule.step(&mut vector, &mut |vector| {
            evaluate(&placed(&model, vector), learner, examples, place, decay)
        });
        let device = &model.devices()[0];
        let part = |part: &f64| Tensor::full([1, 1, 1], *part, device);
        let parts = at.parts.iter().map(part).collect();
        (placed(&model, &vector), parts)
    }

    pub fn state(&self) -> State {
        self.rule.state()
    }

    /// Takes back what [`state`](Self::state) gave, for parameters of these shapes; `None` if it does not fit.
    pub fn restore(&mut self, state: State, shapes: &[[usize; 3]]) -> Option<()> {
        let sizes = shapes.iter().map(|shape| shape.iter().product::<usize>());
        self.rule.restore(state, sizes.sum())
    }
}

/// The model with these numbers, ready to learn.
fn placed<M: Module>(model: &M, vector: &[f32]) -> M {
    let mut rest = vector;
    let next = |_: &str, shape: [usize; 3]| {
        let (numbers, after) = rest.split_at(shape.iter().product());
        rest = after;
        Ok::<_, Infallible>(numbers.to_vec())
    };
    let Ok(model) = with_parameters(model.clone(), next);
    model.train()
}

/// The cost of all examples with weight decay, and its gradient in the order of the model's parameters: 0 for those that do
/// not learn.
fn evaluate<L: Learner>(
    model: &L::Model,
    learner: &mut L,
    examples: &L::Examples,
    place: Place,
    weight_decay: f64,
) -> Evaluation {
    learner.look_ahead(model, examples);
    let count = examples.count();
    let mut sums: Vec<Option<Tensor<3>>> = Vec::new();
    let mut costs: Vec<(f64, Vec<Tensor<3>>)> = Vec::new();
    for start in (0..count).step_by(FULL_BATCH_PART) {
        let part = examples.part(start, FULL_BATCH_PART);
        let share = part.count() as f64 / count as f64;
        let Cost { total, parts } = learner.cost(model, &part, place);
        let gradients = total.mul_scalar(share).backward();
        model.visit(&mut Sum {
            gradients,
            sums: &mut sums,
            place: 0,
        });
        costs.push((share, parts));
    }
    let mut parts = vec![0.0; L::PARTS.len()];
    for (share, cost) in costs {
        for (sum, part) in parts.iter_mut().zip(cost) {
            *sum += share * f64::from(numbers(part)[0]);
        }
    }
    let mut value = learner.value(&parts);
    let mut gradient = Vec::new();
    for ((path, _, values), sum) in parameters(model).into_iter().zip(sums) {
        let Some(sum) = sum else {
            gradient.resize(gradient.len() + values.len(), 0.0);
            continue;
        };
        let start = gradient.len();
        gradient.extend(numbers(sum));
        if path.rsplit('.').next() == Some("weight") && weight_decay > 0.0 {
            let squares = values.iter().map(|&w| f64::from(w).powi(2));
            value += 0.5 * weight_decay * squares.sum::<f64>();
            for (slope, w) in gradient[start..].iter_mut().zip(values) {
                *slope += weight_decay as f32 * w;
            }
        }
    }
    Evaluation {
        value,
        gradient,
        parts,
    }
}

/// Adds the gradients of a part to those of the parts before.
struct Sum<'a> {
    gradients: Gradients,
    sums: &'a mut Vec<Option<Tensor<3>>>,
    place: usize,
}

impl ModuleVisitor for Sum<'_> {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        if self.place == self.sums.len() {
            self.sums.push(None);
        }
        let sum = &mut self.sums[self.place];
        self.place += 1;
        if let Some(gradient) = parameter.val().grad_remove(&mut self.gradients) {
            let gradient = three_dimensional(gradient);
            *sum = Some(match sum.take() {
                Some(sum) => sum + gradient,
                None => gradient,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;
    use crate::ops::Rows;
    use crate::spec::{
        Activation, AutoencoderSpec, AutoencoderTraining, Decoder, DecoderActivation, KlSparsity,
        L1Sparsity, MeanActivationEstimator, OptimizerSpec, Reconstruction, Sparsity, TrainingSpec,
    };
    use crate::train::Trainee;

    /// Numbers in [0, 1) that nothing orders.
    fn noise(count: usize) -> Vec<f32> {
        let number = |at: usize| (at * 7919 + at * at * 31) % 1009;
        (0..count).map(|at| number(at) as f32 / 1009.0).collect()
    }

    fn setting(autoencoder: &AutoencoderSpec, sparsity: Sparsity) -> AutoencoderTraining {
        AutoencoderTraining {
            autoencoder: AutoencoderSpec {
                hidden_units: 7,
                encoder_weight: crate::spec::Initialization::normal(0.1),
                ..autoencoder.clone()
            },
            sparsity,
            training: TrainingSpec {
                optimizer: OptimizerSpec::Lbfgs {
                    iterations: 2,
                    history: 3,
                },
                ..TrainingSpec::default()
            },
            ..AutoencoderTraining::default()
        }
    }

    fn settings() -> [AutoencoderTraining; 4] {
        let kl = |weight, target| {
            Sparsity::Kl(KlSparsity {
                weight,
                target,
                estimator: MeanActivationEstimator::Batch,
                ..KlSparsity::default()
            })
        };
        let l1 = |decoder_norms| {
            Sparsity::L1(L1Sparsity {
                weight: 0.3,
                decoder_norms,
                warm_up_steps: 0,
            })
        };
        let units = |activation| AutoencoderSpec {
            activation,
            ..AutoencoderSpec::default()
        };
        let sigmoids = AutoencoderSpec {
            decoder_activation: DecoderActivation::Sigmoid,
            ..units(Activation::Sigmoid)
        };
        let untied = AutoencoderSpec {
            decoder: Decoder::UNTIED,
            ..sigmoids.clone()
        };
        let probabilities = AutoencoderSpec {
            reconstruction: Reconstruction::CrossEntropy,
            ..sigmoids
        };
        let biased = AutoencoderSpec {
            decoder: Decoder::UNTIED,
            subtract_decoder_bias: true,
            ..units(Activation::Softsign)
        };
        [
            setting(&untied, kl(3.0, 0.1)),
            // Mean activations below 0, beyond the clamp.
            setting(&units(Activation::Tanh), kl(0.02, 0.05)),
            setting(&probabilities, l1(false)),
            setting(&biased, l1(true)),
        ]
    }

    #[test]
    fn the_value_is_that_whose_gradient_comes_with_it() {
        const DECAY: f64 = 0.05;
        let place = Place {
            epoch: 0,
            epochs: 1,
            batch: 0,
        };
        let (count, inputs) = (2 * FULL_BATCH_PART + 300, 12);
        let data = TensorData::new(noise(count * inputs), [1, count, inputs]);
        let images = Rows::Numbers(Tensor::from_data(data, &Device::flex()));
        for setting in settings() {
            let mut trainee =
                Trainee::autoencoders(&setting, &[3], &[setting.sparsity], &images, 0);
            let model = trainee.model();
            let numbers = parameters(&model).into_iter().flat_map(|(_, _, of)| of);
            let start: Vec<f32> = numbers.collect();
            let mut at = |vector: &[f32]| {
                let model = placed(&model, vector);
                evaluate(&model, &mut trainee.learner, &images, place, DECAY)
            };
            let here = at(&start);
            for lopsided in [false, true] {
                let weights = noise(start.len()).into_iter();
                let weights = weights.map(|noise| if lopsided { noise } else { 1.0 });
                let direction = here.gradient.iter().zip(weights).map(|(g, w)| g * w);
                let direction: Vec<f32> = direction.collect();
                let products = direction.iter().zip(&here.gradient);
                let slope: f64 = products.map(|(d, g)| f64::from(d * g)).sum();
                // So that the numbers change by 1 % of 1 in all.
                let squares: f64 = direction.iter().map(|&d| f64::from(d).powi(2)).sum();
                let step = 0.01 / squares.sqrt();
                let mut off = |share: f64| {
                    let moved = start.iter().zip(&direction);
                    let moved: Vec<f32> =
                        moved.map(|(x, d)| x + (share * step) as f32 * d).collect();
                    at(&moved).value
                };
                let found = (off(1.0) - off(-1.0)) / (2.0 * step);
                assert!(
                    (found - slope).abs() < 2e-3 * slope,
                    "{:?}: {found} and {slope}",
                    setting.sparsity
                );
            }
        }
    }
}
