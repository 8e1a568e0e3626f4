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
pub const PART: usize = 1000;

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
        let placed = |vector: &[f32]| {
            let mut rest = vector;
            let next = |_: &str, shape: [usize; 3]| {
                let (of, after) = rest.split_at(shape.iter().product());
                rest = after;
                Ok::<_, Infallible>(of.to_vec())
            };
            let Ok(model) = with_parameters(model.clone(), next);
            model.train()
        };
        let decay = self.weight_decay;
        let at = self.rule.step(&mut vector, &mut |vector| {
            evaluate(&placed(vector), learner, examples, place, decay)
        });
        let device = &model.devices()[0];
        let part = |part: &f64| Tensor::full([1, 1, 1], *part, device);
        let parts = at.parts.iter().map(part).collect();
        (placed(&vector), parts)
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
    for start in (0..count).step_by(PART) {
        let part = examples.part(start, PART);
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
