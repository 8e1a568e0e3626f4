//! The update rules, from burn's own optimisers.

use burn::module::ParamGroup;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, ModuleOptimizer, SgdConfig};

use crate::spec::{OptimizerSpec, TrainingSpec};

/// The optimiser for a whole model. Weight decay λ is added to the gradient of parameters called `weight`
/// and of no others: biases and slopes do not decay.
pub fn optimizer(training: &TrainingSpec) -> ModuleOptimizer {
    let weights = ParamGroup::from_predicate("weight");
    let decay =
        (training.weight_decay > 0.0).then(|| WeightDecayConfig::new(training.weight_decay as f32));
    match training.optimizer {
        OptimizerSpec::Sgd { momentum } => {
            // burn's default dampening of 0.1 is not what the literature calls momentum.
            let plain = SgdConfig::new().with_momentum((momentum > 0.0).then(|| {
                MomentumConfig::new()
                    .with_momentum(momentum)
                    .with_dampening(0.0)
            }));
            match decay {
                None => plain.init(),
                decay => {
                    plain
                        .init()
                        .with_group(weights, plain.with_weight_decay(decay).build(), None)
                }
            }
        }
        OptimizerSpec::Adam {
            beta_1,
            beta_2,
            epsilon,
        } => {
            let plain = AdamConfig::new()
                .with_beta_1(beta_1 as f32)
                .with_beta_2(beta_2 as f32)
                .with_epsilon(epsilon as f32);
            match decay {
                None => plain.init(),
                decay => {
                    plain
                        .init()
                        .with_group(weights, plain.with_weight_decay(decay).build(), None)
                }
            }
        }
    }
}
