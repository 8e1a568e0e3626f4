//! The gradient of the whole autoencoder cost against finite differences of the formula, in double precision.
//!
//! The reference below is a second, plain implementation of E + β Σⱼ KL(ρ‖ρ̂ⱼ) with ρ̂ the batch mean: there
//! the slope that the program passes to the batch is the derivative of the term itself.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use layerwise::model::{Autoencoder, Sparsity, numbers, parameters};
use layerwise::ops::Rows;
use layerwise::spec::{
    self, Activation, AutoencoderSpec, Decoder, DecoderActivation, Initialization,
    MeanActivationEstimator, Reconstruction, Variance,
};

const INPUTS: usize = 5;
const UNITS: usize = 3;
const IMAGES: usize = 4;
const RHO: f64 = 0.2;
const CLAMP: f64 = 0.01;

/// One member's parameters in double precision.
#[derive(Clone)]
struct Reference {
    weight: Vec<f64>,
    bias: Vec<f64>,
    slope: f64,
    decoder_weight: Option<Vec<f64>>,
    decoder_bias: Vec<f64>,
    spec: AutoencoderSpec,
    beta: f64,
}

impl Reference {
    fn cost(&self, x: &[f64]) -> f64 {
        let mut total = 0.0;
        let mut mean = [0.0; UNITS];
        for image in x.chunks_exact(INPUTS) {
            let h: Vec<f64> = (0..UNITS)
                .map(|j| {
                    let z = self.bias[j]
                        + (0..INPUTS)
                            .map(|i| image[i] * self.weight[i * UNITS + j])
                            .sum::<f64>();
                    match self.spec.activation {
                        Activation::Relu => z.max(0.0),
                        Activation::Prelu { .. } => z.max(0.0) + self.slope * z.min(0.0),
                        Activation::LeakyRelu { slope } => z.max(0.0) + slope * z.min(0.0),
                        Activation::Sigmoid => 1.0 / (1.0 + (-z).exp()),
                        Activation::Tanh => z.tanh(),
                        Activation::Softsign => z / (1.0 + z.abs()),
                        Activation::Identity => z,
                    }
                })
                .collect();
            for (mean, h) in mean.iter_mut().zip(&h) {
                *mean += h / IMAGES as f64;
            }
            for i in 0..INPUTS {
                let logit = self.decoder_bias[i]
                    + (0..UNITS)
                        .map(|j| {
                            h[j] * match &self.decoder_weight {
                                Some(weight) => weight[j * INPUTS + i],
                                None => self.weight[i * UNITS + j],
                            }
                        })
                        .sum::<f64>();
                let sigmoid = 1.0 / (1.0 + (-logit).exp());
                let output = match self.spec.decoder_activation {
                    DecoderActivation::Identity => logit,
                    DecoderActivation::Sigmoid => sigmoid,
                };
                total += match self.spec.reconstruction {
                    Reconstruction::SquaredError => 0.5 * (output - image[i]).powi(2),
                    Reconstruction::CrossEntropy => {
                        -image[i] * sigmoid.ln() - (1.0 - image[i]) * (1.0 - sigmoid).ln()
                    }
                } / IMAGES as f64;
            }
        }
        // Outside the clamp the program goes on with the slope at its end; so does the reference, as a line.
        let divergence: f64 = mean
            .iter()
            .map(|m| {
                let at = m.clamp(CLAMP, 1.0 - CLAMP);
                let slope = -RHO / at + (1.0 - RHO) / (1.0 - at);
                RHO * (RHO / at).ln()
                    + (1.0 - RHO) * ((1.0 - RHO) / (1.0 - at)).ln()
                    + slope * (m - at)
            })
            .sum();
        total + self.beta * divergence
    }

    fn parameters(&mut self) -> Vec<(&'static str, &mut [f64])> {
        let mut all: Vec<(&'static str, &mut [f64])> = vec![
            ("encoder.weight", &mut self.weight),
            ("encoder.bias", &mut self.bias),
            ("decoder.bias", &mut self.decoder_bias),
        ];
        if matches!(self.spec.activation, Activation::Prelu { .. }) {
            all.push(("encoder.slope", std::slice::from_mut(&mut self.slope)));
        }
        if let Some(weight) = &mut self.decoder_weight {
            all.push(("decoder.weight", weight));
        }
        all
    }

    /// Central differences for every parameter, by name.
    fn differences(&self, x: &[f64]) -> Vec<(&'static str, Vec<f64>)> {
        const STEP: f64 = 1e-5;
        let shape: Vec<(&'static str, usize)> = self
            .clone()
            .parameters()
            .iter()
            .map(|(name, values)| (*name, values.len()))
            .collect();
        let moved = |at: usize, entry: usize, by: f64| {
            let mut copy = self.clone();
            copy.parameters()[at].1[entry] += by;
            copy.cost(x)
        };
        shape
            .iter()
            .enumerate()
            .map(|(at, &(name, count))| {
                let slopes = (0..count)
                    .map(|entry| (moved(at, entry, STEP) - moved(at, entry, -STEP)) / (2.0 * STEP))
                    .collect();
                (name, slopes)
            })
            .collect()
    }
}

fn normal(value: f64) -> Initialization {
    Initialization::Normal(Variance::Fixed { value })
}

fn autoencoder(
    activation: Activation,
    decoder: Decoder,
    reconstruction: Reconstruction,
) -> AutoencoderSpec {
    AutoencoderSpec {
        hidden_units: UNITS,
        activation,
        decoder,
        decoder_activation: match reconstruction {
            Reconstruction::SquaredError => DecoderActivation::Identity,
            Reconstruction::CrossEntropy => DecoderActivation::Sigmoid,
        },
        reconstruction,
        encoder_weight: normal(0.3),
        encoder_bias: normal(0.1),
        decoder_bias: normal(0.1).into(),
        subtract_decoder_bias: false,
    }
}

/// Two members with β = 0 and 0.7: each must get its own gradient and nothing of the other's.
fn check(spec: &AutoencoderSpec) {
    let device = Device::flex();
    let betas = [0.0, 0.7];
    let terms = betas.map(|weight| {
        spec::Sparsity::Kl(spec::KlSparsity {
            weight,
            target: RHO,
            estimator: MeanActivationEstimator::Batch,
            clamp: CLAMP,
            warm_up_steps: 0,
        })
    });
    let learning = device.clone().autodiff();
    let model = Autoencoder::new(spec, &terms[0], INPUTS, 0, &[1, 2], &learning);
    let mut sparsity = Sparsity::new(&terms, UNITS, &device);
    let x: Vec<f32> = (0..IMAGES * INPUTS)
        .map(|i| (i * 7 % 11) as f32 / 10.0)
        .collect();
    let batch = Tensor::from_data(TensorData::new(x.clone(), [1, IMAGES, INPUTS]), &device);
    let cost = model.cost(&Rows::Numbers(batch), None, &mut sparsity);
    let gradients = GradientsParams::from_grads(cost.total.backward(), &model);
    let of = |name: &str| -> Vec<f32> {
        let id = match name {
            "encoder.weight" => model.encoder.weight.id,
            "encoder.bias" => model.encoder.bias.id,
            "encoder.slope" => model.encoder.slope.as_ref().expect("PReLU").id,
            "decoder.weight" => model.decoder.weight.as_ref().expect("untied").id,
            _ => model.decoder.bias.id,
        };
        numbers(
            gradients
                .get::<3>(id)
                .expect("every parameter has a gradient"),
        )
    };

    let x: Vec<f64> = x.into_iter().map(f64::from).collect();
    let parameters: std::collections::HashMap<_, _> = parameters(&model)
        .into_iter()
        .map(|(name, _, values)| (name, values))
        .collect();
    let training = spec::AutoencoderTraining {
        autoencoder: spec.clone(),
        ..spec::AutoencoderTraining::default()
    };
    assert_eq!(
        model.num_params(),
        2 * Autoencoder::parameter_count(&training, INPUTS)
    );
    for (member, beta) in betas.into_iter().enumerate() {
        let part = |name: &str| -> Vec<f64> {
            let all = &parameters[name];
            let size = all.len() / 2;
            all[member * size..(member + 1) * size]
                .iter()
                .map(|&v| f64::from(v))
                .collect()
        };
        let reference = Reference {
            weight: part("encoder.weight"),
            bias: part("encoder.bias"),
            slope: parameters
                .get("encoder.slope")
                .map_or(0.0, |slope| f64::from(slope[member])),
            decoder_weight: parameters
                .contains_key("decoder.weight")
                .then(|| part("decoder.weight")),
            decoder_bias: part("decoder.bias"),
            spec: spec.clone(),
            beta,
        };
        for (name, slopes) in reference.differences(&x) {
            let all = of(name);
            let gradient = &all[member * slopes.len()..(member + 1) * slopes.len()];
            for (entry, (found, expected)) in gradient.iter().zip(&slopes).enumerate() {
                let error = (f64::from(*found) - expected).abs();
                assert!(
                    error < 2e-4 * expected.abs().max(1.0),
                    "{spec:?}, member {member}, {name}[{entry}]: {found} but differences give {expected}"
                );
            }
        }
    }
}

#[test]
fn tied_ramp_with_squared_error_as_in_the_figure() {
    check(&autoencoder(
        Activation::Relu,
        Decoder::Tied,
        Reconstruction::SquaredError,
    ));
}

#[test]
fn every_activation_tied_and_untied_with_both_losses() {
    let activations = [
        Activation::Relu,
        Activation::Prelu {
            initial_slope: 0.25,
        },
        Activation::LeakyRelu { slope: 0.1 },
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::Softsign,
        Activation::Identity,
    ];
    for activation in activations {
        for decoder in [
            Decoder::Tied,
            Decoder::Untied {
                weight: Some(normal(0.3)),
                unit_norm: false,
                transposed_start: false,
            },
        ] {
            for reconstruction in [Reconstruction::SquaredError, Reconstruction::CrossEntropy] {
                check(&autoencoder(activation, decoder, reconstruction));
            }
        }
    }
}

#[test]
fn a_running_mean_passes_its_slope_whole() {
    // One unit whose running mean is far from the batch mean: the gradient of β·KL must be β·dKL/dρ̂ at the
    // running mean over the batch size, neither scaled by 1 − decay nor silenced by the clamp.
    let device = Device::flex();
    let zero = Initialization::Constant(0.0);
    let spec = AutoencoderSpec {
        hidden_units: 1,
        encoder_weight: zero,
        encoder_bias: Initialization::Constant(2.0),
        decoder_bias: zero.into(),
        ..autoencoder(
            Activation::Relu,
            Decoder::Tied,
            Reconstruction::SquaredError,
        )
    };
    let term = spec::Sparsity::Kl(spec::KlSparsity {
        weight: 3.0,
        target: 0.05,
        estimator: MeanActivationEstimator::RunningMean { decay: 0.99 },
        clamp: 0.01,
        warm_up_steps: 0,
    });
    let learning = device.clone().autodiff();
    let model = Autoencoder::new(&spec, &term, 1, 0, &[0], &learning);
    for (so_far, expected_mean) in [(0.05_f64, 0.0695_f64), (5.0, 4.97)] {
        let x = Rows::Numbers(Tensor::zeros([1, 4, 1], &device));
        let mut sparsity = Sparsity::new(&[term], 1, &device);
        sparsity.mean_activation = Tensor::full([1, 1, 1], so_far, &device);
        let cost = model.cost(&x, None, &mut sparsity);
        let gradients = GradientsParams::from_grads(cost.total.backward(), &model);
        let mean = f64::from(numbers(sparsity.mean_activation)[0]);
        assert!((mean - expected_mean).abs() < 1e-6, "{mean}");
        let at = expected_mean.min(0.99);
        let expected = 3.0 * (-0.05 / at + 0.95 / (1.0 - at));
        let bias = numbers(
            gradients
                .get::<3>(model.encoder.bias.id)
                .expect("a gradient"),
        );
        // Weights are 0, so that the bias feels the sparsity term alone: the sum over the batch of β·slope/batch.
        assert!(
            (f64::from(bias[0]) - expected).abs() < 1e-3 * expected.abs(),
            "{} {expected}",
            bias[0]
        );
    }
}
