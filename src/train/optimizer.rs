//! The update rules, as burn's optimisers, with their memory of every parameter of a model.
//!
//! burn's own way of keeping that memory for a whole module restores it on burn's default device, which in a build with
//! wgpu is a GPU, be there one or not. So it is kept here.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, Param};
use burn::optim::momentum::{Momentum, MomentumConfig, MomentumState};
use burn::optim::{
    AdaptiveMomentumState, Optimizer as UpdateRule, RecordState, StateSink, StateSource,
};
use burn::tensor::{Device, Gradients, Tensor, TensorData};

use super::state::State;
use crate::ops::{self, AdamRates};
use crate::spec::{OptimizerSpec, TrainingSpec};

/// Adam (Kingma and Ba 2015, algorithm 1).
#[derive(Debug, Clone)]
pub struct Adam(AdamRates);

/// Gradient descent, with burn's momentum where there is any: v ← μ v + g, θ ← θ − η v.
#[derive(Clone)]
pub struct Sgd(Option<Momentum>);

impl UpdateRule for Sgd {
    type State<const D: usize> = MomentumState<D>;

    fn step<const D: usize>(
        &self,
        learning_rate: f64,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        memory: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let (gradient, memory) = match &self.0 {
            None => (gradient, None),
            Some(momentum) => {
                let (velocity, memory) = momentum.transform(gradient, memory);
                (velocity, Some(memory))
            }
        };
        (ops::descend(parameter, gradient, learning_rate), memory)
    }

    fn to_device<const D: usize>(memory: Self::State<D>, device: &Device) -> Self::State<D> {
        memory.to_device(device)
    }
}

impl UpdateRule for Adam {
    type State<const D: usize> = AdaptiveMomentumState<D>;

    fn step<const D: usize>(
        &self,
        learning_rate: f64,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        memory: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let AdaptiveMomentumState {
            time,
            moment_1,
            moment_2,
            ..
        } = memory.unwrap_or_else(|| {
            let zeros = || parameter.zeros_like();
            AdaptiveMomentumState::new(0, zeros(), zeros())
        });
        let time = time + 1;
        let rates = self.0.at(time, learning_rate);
        let [parameter, moment_1, moment_2] =
            ops::adam([parameter, moment_1, moment_2], gradient, rates);
        let memory = AdaptiveMomentumState::new(time, moment_1, moment_2);
        (parameter, Some(memory))
    }

    fn to_device<const D: usize>(memory: Self::State<D>, device: &Device) -> Self::State<D> {
        memory.to_device(device)
    }
}

/// An update rule with its memory of every parameter of one model.
pub enum Optimizer {
    Sgd(Stepper<Sgd>),
    Adam(Stepper<Adam>),
}

/// One rule for all parameters, but that only weights decay.
pub struct Stepper<R: UpdateRule> {
    rule: R,
    /// λ of ½ λ Σ W²: added to the gradient of weights and of nothing else.
    weight_decay: f64,
    /// In the order of the model's parameters, which all have a member dimension and two more; absent before a parameter's
    /// first step.
    memory: Vec<Option<R::State<3>>>,
}

impl Optimizer {
    pub fn new(training: &TrainingSpec) -> Self {
        match training.optimizer {
            OptimizerSpec::Sgd { momentum } => {
                // burn's default dampening of 0.1 is not what the literature calls momentum.
                let config = MomentumConfig::new()
                    .with_momentum(momentum)
                    .with_dampening(0.0);
                let momentum = (momentum > 0.0).then(|| Momentum::new(&config));
                Self::Sgd(Stepper::new(Sgd(momentum), training.weight_decay))
            }
            OptimizerSpec::Adam {
                beta_1,
                beta_2,
                epsilon,
            } => {
                let rates = AdamRates {
                    beta_1: beta_1 as f32,
                    beta_2: beta_2 as f32,
                    epsilon: epsilon as f32,
                };
                Self::Adam(Stepper::new(Adam(rates), training.weight_decay))
            }
        }
    }

    /// The model after a step against `gradients`; a parameter without a gradient stays as it is.
    pub fn step<M: Module>(&mut self, learning_rate: f64, model: M, gradients: Gradients) -> M {
        match self {
            Self::Sgd(stepper) => stepper.step(learning_rate, model, gradients),
            Self::Adam(stepper) => stepper.step(learning_rate, model, gradients),
        }
    }

    /// What the rule remembers.
    pub fn state(&self) -> State {
        match self {
            Self::Sgd(stepper) => stepper.state(),
            Self::Adam(stepper) => stepper.state(),
        }
    }

    /// Takes back what [`state`](Self::state) gave, for parameters of these shapes; `None` if it does not fit.
    pub fn restore(&mut self, state: State, shapes: &[[usize; 3]], device: &Device) -> Option<()> {
        match self {
            Self::Sgd(stepper) => stepper.restore(state, shapes, device),
            Self::Adam(stepper) => stepper.restore(state, shapes, device),
        }
    }
}

impl<R: UpdateRule> Stepper<R> {
    fn new(rule: R, weight_decay: f64) -> Self {
        Self {
            rule,
            weight_decay,
            memory: Vec::new(),
        }
    }

    fn step<M: Module>(&mut self, learning_rate: f64, model: M, gradients: Gradients) -> M {
        model.map(&mut Step {
            stepper: self,
            learning_rate,
            gradients,
            place: 0,
            is_weight: false,
        })
    }

    fn state(&self) -> State {
        let mut state = State::default();
        for (place, memory) in self.memory.iter().enumerate() {
            let Some(memory) = memory else { continue };
            let mut sink = StateSink::default();
            memory.state_flatten("memory", &mut sink);
            let mut part = State::default();
            for (name, data) in sink.tensors {
                let values = data
                    .try_into_vec_as::<f32>()
                    .expect("an optimiser of f32 parameters remembers f32");
                part.put_numbers(&name, values);
            }
            let scalars: BTreeMap<String, u64> = sink
                .scalars
                .into_iter()
                .filter_map(|(name, value)| Some((name, u64::try_from(value).ok()?)))
                .collect();
            part.put("scalars", &scalars);
            state.put_part(&place.to_string(), part);
        }
        state
    }

    fn restore(&mut self, mut state: State, shapes: &[[usize; 3]], device: &Device) -> Option<()> {
        self.memory.clear();
        for (place, &shape) in shapes.iter().enumerate() {
            let mut part = state.take_part(&place.to_string());
            let Some(scalars) = part.take::<BTreeMap<String, u64>>("scalars") else {
                self.memory.push(None);
                continue;
            };
            let scalars = scalars.into_iter();
            let scalars = scalars.map(|(name, value)| (name, value.into())).collect();
            let mut source = StateSource::new(scalars);
            for (name, values) in part.take_all_numbers("") {
                if values.len() != shape.iter().product::<usize>() {
                    return None;
                }
                source.insert_tensor(name, TensorData::new(values, shape));
            }
            let memory = R::State::<3>::state_unflatten("memory", &mut source, device)?;
            self.memory.push(Some(memory));
        }
        state.is_empty().then_some(())
    }
}

/// One step of every parameter.
struct Step<'a, R: UpdateRule> {
    stepper: &'a mut Stepper<R>,
    learning_rate: f64,
    gradients: Gradients,
    place: usize,
    /// Whether the next parameter is called `weight`.
    is_weight: bool,
}

impl<R: UpdateRule> ModuleMapper for Step<'_, R> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.is_weight = name == "weight";
    }

    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Stepper {
            rule,
            weight_decay,
            memory,
        } = &mut *self.stepper;
        if self.place == memory.len() {
            memory.push(None);
        }
        let memory = &mut memory[self.place];
        self.place += 1;
        parameter.map(|tensor| {
            let Some(gradient) = tensor.grad_remove(&mut self.gradients) else {
                return tensor;
            };
            let tensor = three_dimensional(tensor.inner());
            let mut gradient = three_dimensional(gradient);
            if self.is_weight && *weight_decay > 0.0 {
                gradient = gradient + tensor.clone().mul_scalar(*weight_decay);
            }
            let (tensor, after) = rule.step(self.learning_rate, tensor, gradient, memory.take());
            *memory = after;
            Tensor::from_inner(Tensor::from_dispatch(tensor.into_dispatch())).require_grad()
        })
    }
}

/// The same tensor, of which the compiler does not know that it has three dimensions.
fn three_dimensional<const D: usize>(tensor: Tensor<D>) -> Tensor<3> {
    assert_eq!(D, 3, "every parameter has a member dimension and two more");
    Tensor::from_dispatch(tensor.into_dispatch())
}

#[cfg(test)]
mod tests {
    use burn::optim::AdamConfig;

    use super::*;
    use crate::model::numbers;

    #[test]
    fn steps_of_adam_have_the_bits_of_burns_own() {
        let device = Device::flex();
        let filled = |key: usize| {
            let number = |at: usize| ((at + key) * 7919 % 1009) as f32 / 500.0 - 1.0;
            let values = (0..420).map(number).collect();
            Tensor::<1>::from_data(TensorData::new(values, [420]), &device)
        };
        let ours = Adam(AdamRates {
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
        });
        let theirs = AdamConfig::new().with_epsilon(1e-8).build();
        let (mut our_parameter, mut our_memory) = (filled(1), None);
        let (mut their_parameter, mut their_memory) = (filled(1), None);
        for step in 0..20 {
            (our_parameter, our_memory) =
                ours.step(5e-4, our_parameter, filled(step + 10), our_memory);
            (their_parameter, their_memory) =
                theirs.step(5e-4, their_parameter, filled(step + 10), their_memory);
            assert_eq!(
                numbers(our_parameter.clone()),
                numbers(their_parameter.clone()),
                "step {step}"
            );
        }
    }
}
