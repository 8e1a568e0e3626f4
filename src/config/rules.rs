//! Rules between keys: values that are each allowed and do not go together.

use super::Origin;
use super::problem::{Problem, shown};
use crate::spec::{
    Activation, AutoencoderSpec, AutoencoderTraining, BackendName, Condition, Corruption, Data,
    Decoder, DecoderActivation, DeepAutoencoderSpec, Keep, KlSparsity, MeanActivationEstimator,
    OptimizerSpec, Reconstruction, Revive, Run, Sparsity, TrainedLayers, TrainingSpec,
};

/// A broken rule: at the first of these keys that somebody chose.
pub(super) struct Broken {
    pub keys: Vec<String>,
    pub says: String,
    pub hint: String,
}

type Kept = Result<(), Broken>;

fn broken<T>(keys: &[&str], says: String, hint: impl Into<String>) -> Result<T, Broken> {
    Err(Broken {
        keys: keys.iter().map(|&key| key.to_owned()).collect(),
        says,
        hint: hint.into(),
    })
}

impl Broken {
    /// The problem, where `origin` says where each key came from.
    pub fn at(self, origin: impl Fn(&str) -> Option<Origin>) -> Problem {
        let mut origins = self.keys.iter().filter_map(|key| origin(key));
        let chosen = origins.find(|origin| *origin != Origin::Default);
        Problem::new(&chosen.unwrap_or(Origin::Default), self.says, self.hint)
    }
}

/// Where the backend of another machine is; a flag may put another backend in its place for once.
pub(super) fn address(run: &Run, backend_by_flag: bool) -> Kept {
    let keys = ["run.address", "run.backend"];
    let hint = "set run.address = \"machine:3000\", where `layerwise serve` runs";
    match &run.address {
        Some(_) if run.backend != BackendName::Remote && !backend_by_flag => broken(
            &keys[..1],
            format!(
                "`run.address` has no effect: `run.backend` is \"{}\"",
                run.backend
            ),
            "leave it out, or set run.backend = \"remote\"",
        ),
        None if run.backend == BackendName::Remote => broken(
            &keys[1..],
            "`run.backend` is \"remote\", and nothing says on which machine".to_owned(),
            hint,
        ),
        Some(address) => {
            let parts = address.rsplit_once(':');
            let is_right = parts.is_some_and(|(machine, port)| {
                !machine.is_empty() && !machine.contains('/') && port.parse::<u16>().is_ok()
            });
            if is_right {
                return Ok(());
            }
            let says = format!(
                "`run.address` is \"{}\", which is not a machine and a port",
                shown(address)
            );
            broken(&keys[..1], says, hint)
        }
        None => Ok(()),
    }
}

/// An autoencoder for its own sake.
pub(super) fn autoencoder(model: &AutoencoderTraining) -> Kept {
    let AutoencoderSpec {
        reconstruction,
        decoder_activation,
        ..
    } = model.autoencoder;
    outputs("autoencoder", reconstruction, decoder_activation)?;
    decoder("autoencoder", &model.autoencoder)?;
    let units = "autoencoder";
    sparsity(["sparsity", units, units], model)?;
    line_search(["training", "sparsity", units], model)?;
    training("training", &model.training)
}

/// A deep autoencoder, without its pretraining.
pub(super) fn deep_autoencoder(network: &DeepAutoencoderSpec) -> Kept {
    if network.hidden_units.is_empty() {
        let key = "network.hidden_units";
        return broken(
            &[key],
            format!("`{key}` is empty, but the last of these layers is the code"),
            "write the widths from the input to the code, such as [1000, 500, 250, 30]",
        );
    }
    let DeepAutoencoderSpec {
        reconstruction,
        decoder_activation,
        ..
    } = *network;
    outputs("network", reconstruction, decoder_activation)
}

/// The pretraining of hidden layer `layer`, counted from 1, on the codes of units of another activation, or on the inputs.
pub(super) fn stage(stage: &AutoencoderTraining, layer: usize, below: Option<Activation>) -> Kept {
    let AutoencoderSpec {
        reconstruction,
        decoder_activation,
        ..
    } = stage.autoencoder;
    outputs("pretraining", reconstruction, decoder_activation)?;
    if reconstruction == Reconstruction::CrossEntropy
        && below.is_some_and(|below| below != Activation::Sigmoid)
    {
        let key = "pretraining.reconstruction";
        return broken(
            &[key],
            format!(
                "`{key}` is \"cross_entropy\", which needs inputs in [0, 1], but layer {layer} learns codes of another range"
            ),
            format!("set network.activation = \"sigmoid\", or {key} = \"squared_error\""),
        );
    }
    decoder("pretraining", &stage.autoencoder)?;
    sparsity(["pretraining.sparsity", "network", "pretraining"], stage)?;
    line_search(
        ["pretraining", "pretraining.sparsity", "pretraining"],
        stage,
    )?;
    training("pretraining", &stage.training)
}

/// How many of `depth` hidden layers are pretrained: all of them without a number.
pub(super) fn layers(
    condition: &str,
    layers: Option<usize>,
    depth: usize,
) -> Result<usize, Broken> {
    let layers = layers.unwrap_or(depth.max(1));
    let keys = ["pretraining.layers", "network.hidden_units"];
    let condition = shown(condition);
    match depth {
        _ if layers <= depth => Ok(layers),
        0 => broken(
            &keys,
            format!("condition \"{condition}\" pretrains layers, but there is no hidden layer"),
            "set network.hidden_units, or pretraining.layers = \"none\"",
        ),
        depth => broken(
            &keys,
            format!("condition \"{condition}\" pretrains {layers} of its {depth} hidden layers"),
            format!("pretraining.layers may be 0 to {depth}, \"all\" or \"none\""),
        ),
    }
}

/// What comes first leaves something for what comes then.
pub(super) fn phases(training: &TrainingSpec, trained: TrainedLayers) -> Kept {
    let TrainedLayers::OutputFirst { epochs } = trained else {
        return Ok(());
    };
    if epochs < training.epochs {
        return Ok(());
    }
    let keys = [
        "training.trained_layers.output_first.epochs",
        "training.epochs",
    ];
    broken(
        &keys,
        format!(
            "`{}` = {epochs} leaves no epoch of `{}` = {} to every layer",
            keys[0], keys[1], training.epochs
        ),
        format!(
            "raise {}, or set training.trained_layers = \"output\"",
            keys[1]
        ),
    )
}

/// The best epoch is chosen by images that are neither learnt from nor tested on.
pub(super) fn choice(keep: Keep, validation_images: usize) -> Kept {
    if keep == Keep::Last || validation_images > 0 {
        return Ok(());
    }
    let (keep, images) = ("training.keep", "data.validation_images");
    broken(
        &[keep, images],
        format!("`{keep}` is \"best\", which is chosen by validation images, but `{images}` is 0"),
        format!("set {images} to hold some training images out, or {keep} = \"last\""),
    )
}

/// What is pretrained on other images has to be there.
pub(super) fn pretraining_classes(data: &Data, conditions: &[Condition]) -> Kept {
    let mut stages = conditions.iter().flat_map(Condition::stages);
    if data.pretraining_classes.is_none() || stages.next().is_some() {
        return Ok(());
    }
    let key = "data.pretraining_classes";
    broken(
        &[key],
        format!("`{key}` is not used because no condition pretrains a layer"),
        "remove it, or set pretraining.layers = \"all\"",
    )
}

/// Cross-entropy takes logarithms of outputs.
fn outputs(section: &str, compared: Reconstruction, of_outputs: DecoderActivation) -> Kept {
    let reconstruction = format!("{section}.reconstruction");
    let activation = format!("{section}.decoder_activation");
    if compared == Reconstruction::CrossEntropy && of_outputs != DecoderActivation::Sigmoid {
        return broken(
            &[&reconstruction, &activation],
            format!("`{reconstruction}` is \"cross_entropy\", which needs outputs in (0, 1)"),
            format!("set {activation} = \"sigmoid\", or {reconstruction} = \"squared_error\""),
        );
    }
    Ok(())
}

/// Decoder and encoder cannot both say where the decoder starts.
fn decoder(section: &str, autoencoder: &AutoencoderSpec) -> Kept {
    let Decoder::Untied {
        weight: Some(_),
        transposed_start: true,
        ..
    } = autoencoder.decoder
    else {
        return Ok(());
    };
    let key = |name: &str| format!("{section}.decoder.untied.{name}");
    broken(
        &[&key("transposed_start"), &key("weight")],
        format!(
            "`{}` starts the decoder as the encoder transposed, and `{}` starts it otherwise",
            key("transposed_start"),
            key("weight")
        ),
        "remove one of them",
    )
}

/// What a kind of sparsity asks of the units, and what brings units back asks of the kind. The sections are those of the
/// sparsity, of the units and of what brings them back.
fn sparsity([section, of_units, of_revive]: [&str; 3], model: &AutoencoderTraining) -> Kept {
    let kind = model.sparsity.kind();
    let word = kind.word();
    let key = |name: &str| format!("{section}.{name}");
    match model.sparsity {
        // A target that ρ̂ is held away from would never be reached.
        Sparsity::Kl(KlSparsity { target, clamp, .. })
            if !(clamp..=1.0 - clamp).contains(&target) =>
        {
            return broken(
                &[&key("target"), &key("clamp")],
                format!(
                    "`{}` = {target:?} is not between `{}` = {clamp:?} and 1 - {clamp:?}",
                    key("target"),
                    key("clamp")
                ),
                "move the target inside, or make the clamp smaller",
            );
        }
        Sparsity::JumpRelu(_) if model.autoencoder.activation != Activation::Relu => {
            let activation = format!("{of_units}.activation");
            return broken(
                &[&activation, &key("kind")],
                format!(
                    "`{}` is \"{word}\", which needs ReLU units, but `{activation}` is another",
                    key("kind")
                ),
                format!("set {activation} = \"relu\", or choose another kind"),
            );
        }
        _ => {}
    }
    let units = model.autoencoder.hidden_units;
    if let Some(k) = model.sparsity.k().filter(|k| *k > units) {
        let width = format!("{of_units}.hidden_units");
        return broken(
            &[&key("k"), &width],
            format!("`{}` = {k} is more than the {units} of `{width}`", key("k")),
            format!("it must be from 1 to {units}"),
        );
    }
    if matches!(model.revive, Revive::AuxK { .. }) && !kind.is_choice() {
        let revive = format!("{of_revive}.revive");
        return broken(
            &[&revive, &key("kind")],
            format!(
                "`{revive}` is \"aux_k\", which trains units that were turned off for long, but `{}` = \"{word}\" turns none off",
                key("kind")
            ),
            format!(
                "set {revive} = \"resample\", or {} to \"topk\", \"batch_topk\" or \"jump_relu\"",
                key("kind")
            ),
        );
    }
    Ok(())
}

/// A line search compares costs of the same examples, so that nothing may change them but weights, and nothing by leaps. The
/// sections are those of the training, of the sparsity and of all else.
fn line_search(
    [of_training, of_sparsity, of_all_else]: [&str; 3],
    model: &AutoencoderTraining,
) -> Kept {
    if model.training.iterations().is_none() {
        return Ok(());
    }
    let refuse = |section: &str, name: &str, does: &str, allowed: &str| {
        let (key, optimizer) = (
            format!("{section}.{name}"),
            format!("{of_training}.optimizer"),
        );
        broken(
            &[&key, &optimizer],
            format!(
                "`{key}` {does}; `{optimizer}` = \"lbfgs\" needs a cost that depends on the weights alone, without jumps"
            ),
            format!("set {key} = {allowed}, or choose another optimizer"),
        )
    };
    match model.sparsity {
        Sparsity::TopK { .. } | Sparsity::BatchTopK(_) | Sparsity::JumpRelu(_) => {
            let does = "turns units on and off, so that the cost jumps";
            return refuse(of_sparsity, "kind", does, "\"kl\", \"l1\" or \"none\"");
        }
        Sparsity::Kl(KlSparsity {
            weight,
            estimator: MeanActivationEstimator::RunningMean { .. },
            ..
        }) if weight > 0.0 => {
            let does = "is a running mean, so that the cost depends on earlier steps";
            return refuse(
                of_sparsity,
                "estimator",
                does,
                "\"batch\", which takes the mean over all images",
            );
        }
        sparsity if sparsity.warm_up_steps() > 0 => {
            let does = "changes the cost at every step";
            return refuse(of_sparsity, "warm_up_steps", does, "0");
        }
        _ => {}
    }
    if model.corruption != Corruption::None {
        let does = "disturbs inputs anew each time, so that the cost changes by chance";
        return refuse(of_all_else, "corruption", does, "\"none\"");
    }
    if model.revive != Revive::None {
        let does = "changes units and the cost between steps";
        return refuse(of_all_else, "revive", does, "\"none\"");
    }
    if model.autoencoder.decoder.has_unit_norm() {
        let does = "changes weights after every step, behind the line search's back";
        return refuse(of_all_else, "decoder.untied.unit_norm", does, "false");
    }
    Ok(())
}

pub(super) fn training(section: &str, training: &TrainingSpec) -> Kept {
    let key = |name: &str| format!("{section}.{name}");
    match training.optimizer {
        // Once a gradient vanishes, a step of Adam grows by β₁ / √β₂ each time, until ε stops it.
        OptimizerSpec::Adam { beta_1, beta_2, .. } => {
            let at_least = beta_1.powi(2).min(0.9);
            let (one, two) = (key("optimizer.adam.beta_1"), key("optimizer.adam.beta_2"));
            if beta_2 < at_least {
                return broken(
                    &[&two, &one],
                    format!(
                        "{two} = {beta_2:?} is too small for {one} = {beta_1:?}: steps of Adam would grow once a gradient vanishes"
                    ),
                    format!("set {two} to at least {at_least:.3}, or lower {one}"),
                );
            }
        }
        // A step of SGD takes the weights times 1 − ηλ: below −1 (with momentum, a little further) they grow without end.
        OptimizerSpec::Sgd {
            momentum,
            final_momentum,
            momentum_epochs,
        } => {
            let epochs = key("optimizer.sgd.momentum_epochs");
            let is_told = OptimizerSpec::sgd(momentum)
                != OptimizerSpec::Sgd {
                    momentum,
                    final_momentum: None,
                    momentum_epochs,
                };
            if final_momentum.is_none() && is_told {
                return broken(
                    &[&epochs],
                    format!(
                        "{epochs} = {momentum_epochs} says over how many epochs momentum changes, but not to which value"
                    ),
                    format!("set {} too", key("optimizer.sgd.final_momentum")),
                );
            }
            let (rate, decay) = (training.learning_rate, training.weight_decay);
            let below = 2.0 * (1.0 + momentum);
            if rate * decay >= below {
                let keys = [key("weight_decay"), key("learning_rate")];
                return broken(
                    &[&keys[0], &keys[1]],
                    format!(
                        "{} = {rate:?} times {} = {decay:?} is {}, so that weight decay alone would flip the sign of every weight at each step and never make it smaller",
                        keys[1],
                        keys[0],
                        rate * decay
                    ),
                    format!("choose them so that their product is below {below}"),
                );
            }
        }
        OptimizerSpec::Lbfgs { .. } => {}
    }
    Ok(())
}
