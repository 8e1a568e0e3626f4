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
const ZEROS: Initialization = Initialization::Constant { value: 0.0 };

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

/// A module with the numbers that are stored under `prefix`.
fn stored<M: Module>(model: M, weights: &Weights, prefix: &str) -> Result<M, String> {
    with_parameters(model, |path, [_, rows, columns]| {
        let name = format!("{prefix}{path}");
        let tensor = weights.get(&name).map_err(|error| error.to_string())?;
        if tensor.shape == [rows, columns] {
            Ok(tensor.values.clone())
        } else {
            let [found_rows, found_columns] = tensor.shape;
            Err(format!(
                "{name} is {found_rows}×{found_columns}, but the config and the data make it {rows}×{columns}"
            ))
        }
    })
}
