//! The update rules, as a burn optimiser, with its memory of every parameter of a model.
//!
//! burn's own way of keeping that memory for a whole module restores it on burn's default device, which in a build with
//! wgpu is a GPU, be there one or not. So it is kept here.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::momentum::{Momentum, MomentumConfig, MomentumState};
use burn::optim::{
    AdaptiveMomentumState, Optimizer as UpdateRule, RecordState, StateSink, StateSource,
};
use burn::tensor::{Device, Gradients, Tensor, TensorData};

use super::state::State;
use crate::model::parameters;
use crate::ops::{self, AdamRates};
use crate::spec::{OptimizerSpec, TrainingSpec};

#[derive(Clone)]
enum Rule {
    /// Gradient descent, with burn's momentum where there is any: v ← μ v + g, θ ← θ − η v.
    Sgd(Option<Momentum>),
    /// Kingma and Ba 2015, algorithm 1.
    Adam(AdamRates),
}

/// What a rule remembers of a parameter; plain gradient descent nothing.
#[derive(Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for each parameter, and all are of one kind"
)]
enum Memory<const D: usize> {
    Sgd(MomentumState<D>),
    Adam(AdaptiveMomentumState<D>),
}

impl<const D: usize> RecordState for Memory<D> {
    fn state_flatten(&self, prefix: &str, sink: &mut StateSink) {
        match self {
            Self::Sgd(memory) => memory.state_flatten(prefix, sink),
            Self::Adam(memory) => memory.state_flatten(prefix, sink),
        }
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        let adam = AdaptiveMomentumState::state_unflatten(prefix, source, device);
        adam.map(Self::Adam)
            .or_else(|| MomentumState::state_unflatten(prefix, source, device).map(Self::Sgd))
    }
}

impl Rule {
    /// The rule in `epoch`, counted from 0.
    fn of(spec: OptimizerSpec, epoch: usize) -> Self {
        match spec {
            OptimizerSpec::Sgd { .. } => {
                let momentum = spec.momentum_at(epoch);
                // burn's default dampening of 0.1 is not what the literature calls momentum.
                let config = MomentumConfig::new()
                    .with_momentum(momentum)
                    .with_dampening(0.0);
                Self::Sgd((momentum > 0.0).then(|| Momentum::new(&config)))
            }
            OptimizerSpec::Adam {
                beta_1,
                beta_2,
                epsilon,
            } => Self::Adam(AdamRates {
                beta_1: beta_1 as f32,
                beta_2: beta_2 as f32,
                epsilon: epsilon as f32,
            }),
            OptimizerSpec::Lbfgs { .. } => unreachable!("it takes no batches"),
        }
    }
}

impl UpdateRule for Rule {
    type State<const D: usize> = Memory<D>;

    fn step<const D: usize>(
        &self,
        learning_rate: f64,
        parameter: Tensor<D>,
        gradient: Tensor<D>,
        memory: Option<Memory<D>>,
    ) -> (Tensor<D>, Option<Memory<D>>) {
        match self {
            Self::Sgd(None) => (parameter - gradient.mul_scalar(learning_rate), None),
            Self::Sgd(Some(momentum)) => {
                let memory = match memory {
                    Some(Memory::Sgd(memory)) => Some(memory),
                    _ => None,
                };
                let (velocity, memory) = momentum.transform(gradient, memory);
                let parameter = parameter - velocity.mul_scalar(learning_rate);
                (parameter, Some(Memory::Sgd(memory)))
            }
            Self::Adam(rates) => {
                let (time, moments) = match memory {
                    Some(Memory::Adam(memory)) => (memory.time, [memory.moment_1, memory.moment_2]),
                    _ => (0, [parameter.zeros_like(), parameter.zeros_like()]),
                };
                let (time, [moment_1, moment_2]) = (time.saturating_add(1), moments);
                let tensors = [parameter, moment_1, moment_2];
                let [parameter, moment_1, moment_2] =
                    ops::adam(tensors, gradient, rates.at(time, learning_rate));
                let memory = AdaptiveMomentumState::new(time, moment_1, moment_2);
                (parameter, Some(Memory::Adam(memory)))
            }
        }
    }

    fn to_device<const D: usize>(memory: Memory<D>, device: &Device) -> Memory<D> {
        match memory {
            Memory::Sgd(memory) => Memory::Sgd(memory.to_device(device)),
            Memory::Adam(memory) => Memory::Adam(memory.to_device(device)),
        }
    }
}

/// An update rule for all parameters of one model, but that only weights decay.
pub struct Optimizer {
    rule: Rule,
    spec: OptimizerSpec,
    /// λ of ½ λ Σ W²: added to the gradient of weights and of nothing else.
    weight_decay: f64,
    /// A model's gradients are scaled down to this norm where theirs is larger.
    largest_gradient_norm: Option<f64>,
    /// In the order of the model's parameters, which all have a member dimension and two more; absent before a parameter's
    /// first step.
    memory: Vec<Option<Memory<3>>>,
}

impl Optimizer {
    /// The rule of a training in batches, before its first step.
    pub(super) fn new(training: &TrainingSpec) -> Self {
        Self {
            rule: Rule::of(training.optimizer, 0),
            spec: training.optimizer,
            weight_decay: training.weight_decay,
            largest_gradient_norm: training.largest_gradient_norm,
            memory: Vec::new(),
        }
    }

    /// The rule as it is in `epoch`, counted from 0.
    pub(super) fn begin_epoch(&mut self, epoch: usize) {
        self.rule = Rule::of(self.spec, epoch);
    }

    /// The model after a step against `gradients`; a parameter without a gradient stays as it is.
    pub(super) fn step<M: Module>(
        &mut self,
        learning_rate: f64,
        model: M,
        gradients: Gradients,
    ) -> M {
        let largest = self.largest_gradient_norm;
        let scale = largest.map(|largest| gradient_scale(&model, &gradients, largest));
        model.map(&mut Step {
            scale,
            optimizer: self,
            learning_rate,
            gradients,
            place: 0,
            is_weight: false,
        })
    }

    /// Forgets what the rule remembers of some entries: `kept` gives, for a parameter's path, 1 for each entry that it goes
    /// on remembering and 0 for the others; nothing where all stay.
    pub(super) fn forget(&mut self, model: &impl Module, kept: impl Fn(&str) -> Option<Vec<f32>>) {
        let mut state = self.state();
        let parameters = parameters(model);
        for (place, (path, _, _)) in parameters.iter().enumerate() {
            let (Some(kept), place) = (kept(path), format!("{place}/")) else {
                continue;
            };
            let numbers = state.numbers.iter_mut();
            for (_, numbers) in numbers.filter(|(name, _)| name.starts_with(&place)) {
                for (number, kept) in numbers.iter_mut().zip(&kept) {
                    *number *= kept;
                }
            }
        }
        let shapes: Vec<[usize; 3]> = parameters.iter().map(|(_, shape, _)| *shape).collect();
        let device = model.devices().swap_remove(0);
        let restored = self.restore(state, &shapes, &device.inner());
        restored.expect("a state goes back to where it came from");
    }

    /// What the rule remembers.
    pub(super) fn state(&self) -> State {
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

    /// Takes back what [`state`](Self::state) gave, for parameters of these shapes; `None` if it does not fit.
    pub(super) fn restore(
        &mut self,
        mut state: State,
        shapes: &[[usize; 3]],
        device: &Device,
    ) -> Option<()> {
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
            let memory = Memory::state_unflatten("memory", &mut source, device)?;
            self.memory.push(Some(memory));
        }
        state.is_empty().then_some(())
    }
}

/// What each member's gradients are multiplied by so that their norm, over all parameters, is no more than `largest`:
/// `[member, 1, 1]`.
fn gradient_scale(model: &impl Module, gradients: &Gradients, largest: f64) -> Tensor<3> {
    struct Squares<'a> {
        gradients: &'a Gradients,
        sum: Option<Tensor<3>>,
    }

    impl ModuleVisitor for Squares<'_> {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            let Some(gradient) = parameter.val().grad(self.gradients) else {
                return;
            };
            let squares = three_dimensional(gradient).square().sum_dim(2).sum_dim(1);
            self.sum = Some(match self.sum.take() {
                Some(sum) => sum + squares,
                None => squares,
            });
        }
    }

    let mut squares = Squares {
        gradients,
        sum: None,
    };
    model.visit(&mut squares);
    let sum = squares.sum.expect("a model learns something");
    // Where all gradients are 0, so is what they are multiplied with.
    sum.sqrt()
        .clamp_min(f32::MIN_POSITIVE)
        .recip()
        .mul_scalar(largest)
        .clamp_max(1.0)
}

/// One step of every parameter.
struct Step<'a> {
    optimizer: &'a mut Optimizer,
    learning_rate: f64,
    gradients: Gradients,
    /// What gradients are multiplied by, `[member, 1, 1]`, if they are.
    scale: Option<Tensor<3>>,
    place: usize,
    /// Whether the next parameter is called `weight`.
    is_weight: bool,
}

impl ModuleMapper for Step<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.is_weight = name == "weight";
    }

    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Optimizer {
            rule,
            weight_decay,
            memory,
            ..
        } = &mut *self.optimizer;
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
            if let Some(scale) = &self.scale {
                gradient = gradient * scale.clone();
            }
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
pub(super) fn three_dimensional<const D: usize>(tensor: Tensor<D>) -> Tensor<3> {
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
        let ours = Rule::Adam(AdamRates {
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
