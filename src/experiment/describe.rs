//! Conditions in a reader's words.

use crate::results::ConditionFacts;
use crate::spec::{
    AutoencoderTraining, ClassifierTraining, Condition, Decoder, DeepAutoencoderTraining, Keep,
    Model, Plan, Revive, Sparsity, Target, TrainedLayers, Transfer,
};
use crate::words::counted;

/// What a reader is told of each condition, on `inputs` pixels in `classes` classes.
#[must_use]
pub fn facts(plan: &Plan, inputs: usize, classes: usize) -> Vec<ConditionFacts> {
    let conditions = plan.conditions.iter();
    conditions
        .map(|condition| ConditionFacts {
            name: condition.name.clone(),
            at: condition.at.clone(),
            description: describe(condition, inputs, classes),
        })
        .collect()
}

/// A condition in a reader's words.
#[must_use]
pub fn describe(condition: &Condition, inputs: usize, classes: usize) -> String {
    match &condition.model {
        Model::Autoencoder(training) => describe_autoencoder(training, inputs),
        Model::Classifier(training) => describe_classifier(training, inputs, classes),
        Model::DeepAutoencoder(training) => describe_deep_autoencoder(training, inputs),
    }
}

fn describe_autoencoder(setting: &AutoencoderTraining, inputs: usize) -> String {
    let spec = &setting.autoencoder;
    let decoder = match spec.decoder {
        Decoder::Tied => "tied",
        Decoder::Untied {
            unit_norm: true, ..
        } => "untied with norm 1",
        Decoder::Untied { .. } => "untied",
    };
    let sparsity = match setting.sparsity {
        Sparsity::Kl(term) if term.weight > 0.0 => {
            format!("β {} with ρ {}", term.weight, term.target)
        }
        sparsity => sparsity.to_string(),
    };
    let revive = match setting.revive {
        Revive::None => String::new(),
        Revive::Resample { .. } => " and resampling".to_owned(),
        Revive::AuxK { k, .. } => format!(" and aux_k {k}"),
    };
    format!(
        "{inputs} → {} → {inputs}, {decoder}, {}, {sparsity}{revive}, W ~ {}, b ~ {}; {}",
        spec.hidden_units,
        spec.activation,
        spec.encoder_weight,
        spec.encoder_bias,
        setting.training
    )
}

fn describe_classifier(training: &ClassifierTraining, inputs: usize, classes: usize) -> String {
    let ClassifierTraining {
        classifier,
        stages,
        target,
        transfer,
        training,
        trained_layers,
        keep,
    } = training;
    let mut words = vec![layers(&classifier.hidden_units, inputs, classes)];
    if !classifier.hidden_units.is_empty() {
        words.push(classifier.activation.to_string());
    }
    let of_output = match classifier.output_weight {
        None => String::new(),
        Some(weight) => format!(" ({weight} in the softmax layer)"),
    };
    words.push(format!("W ~ {}{of_output}", classifier.weight));
    words.push(format!("b ~ {}", classifier.bias));
    words.push(training.to_string());
    match trained_layers {
        TrainedLayers::All => {}
        TrainedLayers::Output => words.push("only the softmax layer trained".to_owned()),
        TrainedLayers::OutputFirst { epochs } => {
            let epochs = counted(*epochs, "epoch");
            words.push(format!("only the softmax layer trained for {epochs}"));
        }
    }
    if let Keep::Best { patience } = keep {
        let ends = patience.map_or(String::new(), |patience| {
            format!(
                ", ended by {} without a better one",
                counted(patience, "epoch")
            )
        });
        words.push(format!("best epoch by validation{ends}"));
    }
    words.extend(describe_pretraining(
        stages,
        *target,
        *transfer,
        classifier.hidden_units.len(),
    ));
    words.join("; ")
}

fn describe_deep_autoencoder(training: &DeepAutoencoderTraining, inputs: usize) -> String {
    let DeepAutoencoderTraining {
        network,
        stages,
        transfer,
        training,
    } = training;
    let depth = network.hidden_units.len();
    let mut words = vec![
        format!(
            "{} and back",
            layers(
                &network.hidden_units[..depth - 1],
                inputs,
                network.hidden_units[depth - 1]
            )
        ),
        network.activation.to_string(),
        format!("{} code", network.code_activation),
        format!("W ~ {}", network.weight),
        training.to_string(),
    ];
    words.extend(describe_pretraining(
        stages,
        Target::Reconstruction,
        *transfer,
        depth,
    ));
    words.join("; ")
}

/// What is pretrained of so many layers, and how; nothing where nothing is.
fn describe_pretraining(
    stages: &[AutoencoderTraining],
    target: Target,
    transfer: Transfer,
    depth: usize,
) -> Vec<String> {
    let mut words = Vec::new();
    if let Some(first) = stages.first() {
        let alike = stages
            .iter()
            .all(|stage| stage.sparsity == first.sparsity && stage.training == first.training);
        let setting = if alike && target == Target::Classes {
            format!("a softmax layer on each, {}", first.training)
        } else if alike {
            format!("{}, {}", first.sparsity, first.training)
        } else {
            "settings differ by layer".to_owned()
        };
        words.push(format!(
            "{} of {} pretrained ({setting})",
            stages.len(),
            counted(depth, "hidden layer"),
        ));
        match transfer {
            Transfer::Copy => (),
            Transfer::ShuffledWeights => words.push("weights shuffled within layers".to_owned()),
            Transfer::ShuffledWeightsZeroBiases => {
                words.push("weights shuffled within layers, biases 0".to_owned());
            }
        }
    }
    words
}

/// `784 → 15 x 100 → 10`: fifteen layers of 100 units, as a config writes it.
fn layers(hidden_units: &[usize], inputs: usize, classes: usize) -> String {
    let runs = hidden_units.chunk_by(|a, b| a == b).map(|run| match run {
        [width] => format!(" → {width}"),
        run => format!(" → {} x {}", run.len(), run[0]),
    });
    format!("{inputs}{} → {classes}", runs.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_written_as_a_config_writes_them() {
        assert_eq!(layers(&[], 784, 10), "784 → 10");
        assert_eq!(layers(&[100; 15], 784, 10), "784 → 15 x 100 → 10");
        assert_eq!(
            layers(&[300, 100, 100, 50], 784, 10),
            "784 → 300 → 2 x 100 → 50 → 10"
        );
    }
}
