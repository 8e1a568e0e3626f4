//! The update rules, from burn's own optimisers, with their state kept by parameter.
//!
//! burn's own way of doing this for a whole module restores a saved state on burn's default device, which in a
//! build with wgpu is a GPU, be there one or not.

use std::collections::BTreeMap;

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{
    Adam, AdamConfig, AdamState, AdaptiveMomentumState, GradientsParams, Optimizer as _,
    RecordState, Sgd, SgdConfig, SgdState, StateSink, StateSource,
};
use burn::tensor::{Device, Tensor, TensorData};

use super::state::State;
use crate::fused::{self, AdamRates, Place};
use crate::model::{Kind, Parameters};
use crate::spec::{OptimizerSpec, TrainingSpec};

/// An update rule with its memory of every parameter of one model.
pub struct Optimizer {
    /// Of biases and slopes.
    plain: Rule,
    /// Of weights, which may decay.
    decaying: Rule,
    /// By the order of parameters; absent before a parameter's first step.
    memory: Vec<Option<Memory>>,
}

enum Rule {
    Sgd {
        rule: Sgd,
        /// Without momentum and decay: nothing but the step itself.
        bare: bool,
    },
    Adam {
        rule: Adam,
        /// The numbers of its steps; absent where weights decay.
        bare: Option<AdamRates>,
    },
}

#[derive(Clone)]
enum Memory {
    Sgd(Box<SgdState<3>>),
    Adam(Box<AdamState<3>>),
}

impl Optimizer {
    /// Weight decay λ is added to the gradient of weights and of nothing else: biases and slopes do not decay.
    pub fn new(training: &TrainingSpec) -> Self {
        let decay = (training.weight_decay > 0.0)
            .then(|| WeightDecayConfig::new(training.weight_decay as f32));
        Self {
            plain: Rule::new(training.optimizer, None),
            decaying: Rule::new(training.optimizer, decay),
            memory: Vec::new(),
        }
    }

    /// The learning rate, if a step is nothing but the gradient times it.
    pub fn plain_rate(&self, learning_rate: f64) -> Option<f32> {
        let rules = [&self.plain, &self.decaying];
        let bare = rules.map(|rule| matches!(rule, Rule::Sgd { bare: true, .. }));
        (bare == [true; 2]).then_some(learning_rate as f32)
    }

    /// The model after a step against `gradients`; a parameter without a gradient stays as it is.
    pub fn step<M: Parameters>(
        &mut self,
        learning_rate: f64,
        model: M,
        mut gradients: GradientsParams,
    ) -> M {
        let mut place = 0;
        model.map_parameters(&mut |kind, parameter| {
            if place == self.memory.len() {
                self.memory.push(None);
            }
            let memory = &mut self.memory[place];
            place += 1;
            let Some(gradient) = gradients.remove::<3>(parameter.id) else {
                return parameter;
            };
            let rule = match kind {
                Kind::Weight => &self.decaying,
                Kind::Bias | Kind::Slope => &self.plain,
            };
            parameter.map(|tensor| rule.step(learning_rate, tensor, gradient, memory))
        })
    }

    /// What the rule remembers.
    pub fn state(&self) -> State {
        let mut state = State::default();
        for (place, memory) in self.memory.iter().enumerate() {
            let mut sink = StateSink::default();
            match memory {
                None => continue,
                Some(Memory::Sgd(memory)) => memory.state_flatten("sgd", &mut sink),
                Some(Memory::Adam(memory)) => memory.state_flatten("adam", &mut sink),
            }
            for (name, data) in sink.tensors {
                let values = data
                    .try_into_vec_as::<f32>()
                    .expect("an optimiser of f32 parameters remembers f32");
                state.put_numbers(&format!("{place}.{name}"), values);
            }
            let scalars: BTreeMap<String, u64> = sink
                .scalars
                .into_iter()
                .filter_map(|(name, value)| Some((name, u64::try_from(value).ok()?)))
                .collect();
            state.put(&place.to_string(), &scalars);
        }
        state
    }

    /// The same rule with the memory that [`state`](Self::state) gave, for parameters of these `shapes`; `None` if
    /// it does not fit.
    pub fn restored(
        self,
        mut state: State,
        shapes: &[[usize; 3]],
        device: &Device,
    ) -> Option<Self> {
        let mut memory = Vec::with_capacity(shapes.len());
        for (place, &shape) in shapes.iter().enumerate() {
            let Some(scalars) = state.take::<BTreeMap<String, u64>>(&place.to_string()) else {
                memory.push(None);
                continue;
            };
            let scalars = scalars
                .into_iter()
                .map(|(name, value)| (name, value.into()));
            let mut source = StateSource::new(scalars.collect());
            for (name, values) in state.take_all_numbers(&format!("{place}.")) {
                if values.len() != shape.iter().product::<usize>() {
                    return None;
                }
                source.insert_tensor(name, TensorData::new(values, shape));
            }
            memory.push(Some(match self.plain {
                Rule::Sgd { .. } => Memory::Sgd(Box::new(SgdState::state_unflatten(
                    "sgd",
                    &mut source,
                    device,
                )?)),
                Rule::Adam { .. } => Memory::Adam(Box::new(AdamState::state_unflatten(
                    "adam",
                    &mut source,
                    device,
                )?)),
            }));
        }
        Some(Self { memory, ..self })
    }
}

impl Rule {
    fn new(spec: OptimizerSpec, decay: Option<WeightDecayConfig>) -> Self {
        match spec {
            OptimizerSpec::Sgd { momentum } => {
                // burn's default dampening of 0.1 is not what the literature calls momentum.
                let momentum = (momentum > 0.0).then(|| {
                    MomentumConfig::new()
                        .with_momentum(momentum)
                        .with_dampening(0.0)
                });
                let bare = momentum.is_none() && decay.is_none();
                let config = SgdConfig::new().with_momentum(momentum);
                Self::Sgd {
                    rule: config.with_weight_decay(decay).build(),
                    bare,
                }
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
                let config = AdamConfig::new()
                    .with_beta_1(rates.beta_1)
                    .with_beta_2(rates.beta_2)
                    .with_epsilon(rates.epsilon);
                Self::Adam {
                    bare: decay.is_none().then_some(rates),
                    rule: config.with_weight_decay(decay).build(),
                }
            }
        }
    }

    fn step(
        &self,
        learning_rate: f64,
        tensor: Tensor<3>,
        gradient: Tensor<3>,
        memory: &mut Option<Memory>,
    ) -> Tensor<3> {
        // A parameter's first step is burn's own, which makes its memory; the later ones are done in one pass where
        // the backend offers it, with the same bits.
        let in_place = fused::offered(&tensor);
        match (self, memory.take()) {
            (Self::Sgd { bare: true, .. }, Some(Memory::Sgd(state))) if in_place => {
                *memory = Some(Memory::Sgd(state));
                fused::descend(learning_rate as f32, tensor, &gradient)
            }
            (Self::Sgd { rule, .. }, before) => {
                let before = match before {
                    Some(Memory::Sgd(state)) => Some(*state),
                    _ => None,
                };
                let (tensor, state) = rule.step(learning_rate, tensor, gradient, before);
                *memory = state.map(|state| Memory::Sgd(Box::new(state)));
                tensor
            }
            (
                Self::Adam {
                    bare: Some(rates), ..
                },
                Some(Memory::Adam(mut state)),
            ) if in_place => {
                let AdaptiveMomentumState {
                    time,
                    moment_1,
                    moment_2,
                    ..
                } = state.momentum;
                let place = Place {
                    parameter: tensor,
                    moments: [moment_1, moment_2],
                };
                let time = time + 1;
                let place = fused::adam(*rates, learning_rate as f32, time, place, &gradient);
                let [moment_1, moment_2] = place.moments;
                state.momentum = AdaptiveMomentumState::new(time, moment_1, moment_2);
                *memory = Some(Memory::Adam(state));
                place.parameter
            }
            (Self::Adam { rule, .. }, before) => {
                let before = match before {
                    Some(Memory::Adam(state)) => Some(*state),
                    _ => None,
                };
                let (tensor, state) = rule.step(learning_rate, tensor, gradient, before);
                *memory = state.map(|state| Memory::Adam(Box::new(state)));
                tensor
            }
        }
    }
}
