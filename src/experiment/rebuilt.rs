//! Models with the numbers that a run stored.

use burn::module::Module;
use burn::tensor::Device;

use crate::model::{Autoencoder, Classifier, DeepAutoencoder, with_parameters};
use crate::spec::{
    AutoencoderSpec, AutoencoderTraining, ClassifierSpec, ClassifierTraining, Decoder,
    DeepAutoencoderSpec, DeepAutoencoderTraining, Initialization,
};
use crate::weights::{Weights, decoder_name, layer_name};

/// What is drawn is replaced: zeros are drawn in no time.
const ZEROS: Initialization = Initialization::Constant(0.0);

/// The autoencoder whose numbers are stored under `prefix`, on the CPU.
///
/// # Errors
///
/// What is missing or of another shape, in words.
pub fn autoencoder(
    training: &AutoencoderTraining,
    inputs: usize,
    weights: &Weights,
    prefix: &str,
) -> Result<Autoencoder, String> {
    let mut spec = AutoencoderSpec {
        encoder_weight: ZEROS,
        ..training.autoencoder.clone()
    };
    if let Decoder::Untied { weight, .. } = &mut spec.decoder {
        *weight = None;
    }
    let name = format!("{prefix}encoder.weight");
    has_shape(weights, &name, [inputs, spec.hidden_units])?;
    let device = Device::flex();
    let model = Autoencoder::new(&spec, &training.sparsity, inputs, 0, &[0], &device);
    stored(model, weights, prefix)
}

/// The classifier whose numbers are stored under `prefix`, on the CPU.
///
/// # Errors
///
/// What is missing or of another shape, in words.
pub fn classifier(
    training: &ClassifierTraining,
    [inputs, classes]: [usize; 2],
    weights: &Weights,
    prefix: &str,
) -> Result<Classifier, String> {
    let spec = ClassifierSpec {
        weight: ZEROS,
        output_weight: None,
        ..training.classifier.clone()
    };
    let widths = [&[inputs], spec.hidden_units.as_slice(), &[classes]].concat();
    let hidden = (0..spec.hidden_units.len()).map(layer_name);
    let names = hidden.chain(["output".to_owned()]);
    for (name, widths) in names.zip(widths.windows(2)) {
        let name = format!("{prefix}{name}.weight");
        has_shape(weights, &name, [widths[0], widths[1]])?;
    }
    let mut model = Classifier::new(&spec, inputs, classes, &[0], &Device::flex());
    for (at, layer) in model.hidden.iter_mut().enumerate() {
        let prefix = format!("{prefix}{}.", layer_name(at));
        *layer = stored(layer.clone(), weights, &prefix)?;
    }
    let prefix = format!("{prefix}output.");
    model.output = stored(model.output.clone(), weights, &prefix)?;
    Ok(model)
}

/// The deep autoencoder whose numbers are stored under `prefix`, on the CPU.
///
/// # Errors
///
/// What is missing or of another shape, in words.
pub fn deep_autoencoder(
    training: &DeepAutoencoderTraining,
    inputs: usize,
    weights: &Weights,
    prefix: &str,
) -> Result<DeepAutoencoder, String> {
    let spec = DeepAutoencoderSpec {
        weight: ZEROS,
        ..training.network.clone()
    };
    let widths = [&[inputs], spec.hidden_units.as_slice()].concat();
    for (at, widths) in widths.windows(2).enumerate() {
        let name = format!("{prefix}{}.weight", layer_name(at));
        has_shape(weights, &name, [widths[0], widths[1]])?;
    }
    let mut model = DeepAutoencoder::new(&spec, inputs, &[0], &Device::flex());
    for (at, layer) in model.encoder.iter_mut().enumerate() {
        *layer = stored(
            layer.clone(),
            weights,
            &format!("{prefix}{}.", layer_name(at)),
        )?;
    }
    for (at, layer) in model.decoder.iter_mut().enumerate() {
        *layer = stored(
            layer.clone(),
            weights,
            &format!("{prefix}{}.", decoder_name(at)),
        )?;
    }
    Ok(model)
}

/// Checks a matrix before a model of its size is made.
fn has_shape(weights: &Weights, name: &str, expected: [usize; 2]) -> Result<(), String> {
    let [rows, columns] = weights.get(name).map_err(|error| error.to_string())?.shape;
    if [rows, columns] == expected {
        return Ok(());
    }
    let [expected_rows, expected_columns] = expected;
    Err(format!(
        "{name} is {rows}×{columns}, but the config and the data make it {expected_rows}×{expected_columns}"
    ))
}

/// A module with the numbers that are stored under `prefix`.
fn stored<M: Module>(model: M, weights: &Weights, prefix: &str) -> Result<M, String> {
    with_parameters(model, |path, [_, rows, columns]| {
        let name = format!("{prefix}{path}");
        has_shape(weights, &name, [rows, columns])?;
        let tensor = weights.get(&name).map_err(|error| error.to_string())?;
        Ok(tensor.values.clone())
    })
}
