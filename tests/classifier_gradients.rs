//! The gradient of the whole 15-layer classifier against finite differences of a second, plain implementation in
//! double precision.

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use layerwise::model::{Classifier, Layer, numbers};
use layerwise::ops::Rows;
use layerwise::spec::{Activation, ClassifierSpec, Initialization, TrainedLayers, Variance};

const INPUTS: usize = 5;
const CLASSES: usize = 3;
const IMAGES: usize = 4;
const DEPTH: usize = 15;
const WIDTH: usize = 8;

/// Layer by layer: weight `[input, unit]`, bias, slope.
type Parameters = Vec<[Vec<f64>; 3]>;

/// Mean cross-entropy of the classifier with these parameters; the last layer is the softmax layer.
fn cost(parameters: &Parameters, activation: Activation, x: &[f64], labels: &[usize]) -> f64 {
    let costs = x.chunks_exact(INPUTS).zip(labels).map(|(image, &label)| {
        let mut h = image.to_vec();
        for (at, [weight, bias, slope]) in parameters.iter().enumerate() {
            let units = bias.len();
            h = (0..units)
                .map(|j| {
                    let z = bias[j]
                        + h.iter()
                            .enumerate()
                            .map(|(i, h)| h * weight[i * units + j])
                            .sum::<f64>();
                    match activation {
                        _ if at == DEPTH => z,
                        Activation::Relu => z.max(0.0),
                        Activation::Prelu { .. } => z.max(0.0) + slope[0] * z.min(0.0),
                        Activation::Tanh => z.tanh(),
                        other => unreachable!("{other:?} is not tested here"),
                    }
                })
                .collect();
        }
        let sum: f64 = h.iter().map(|z| z.exp()).sum();
        sum.ln() - h[label]
    });
    costs.sum::<f64>() / IMAGES as f64
}

fn of_member(layer: &Layer, member: usize) -> [Vec<f64>; 3] {
    let values = layer.values().of_member(member);
    let double = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect();
    [
        double(&values.weight),
        double(&values.bias),
        values.slope.map_or_else(Vec::new, |slope| double(&slope)),
    ]
}

/// Two members: each must get its own gradient and nothing of the other's.
fn check(activation: Activation, variance: f64) {
    let spec = ClassifierSpec {
        hidden_units: vec![WIDTH; DEPTH],
        activation,
        weight: Initialization::Normal(Variance::OverFanIn { scale: variance }),
        bias: Initialization::Normal(Variance::Fixed { value: 0.1 }),
        ..ClassifierSpec::default()
    };
    let device = Device::flex();
    let model = Classifier::new(&spec, INPUTS, CLASSES, &[1, 2], &device.clone().autodiff());
    let x: Vec<f32> = (0..IMAGES * INPUTS)
        .map(|i| (i * 7 % 11) as f32 / 10.0)
        .collect();
    let labels = [0, 2, 1, 2];
    let mut targets = vec![0.0_f32; IMAGES * CLASSES];
    for (image, label) in labels.into_iter().enumerate() {
        targets[image * CLASSES + label] = 1.0;
    }
    let input = Tensor::<3>::from_data(TensorData::new(x.clone(), [1, IMAGES, INPUTS]), &device);
    let targets = Tensor::<3>::from_data(TensorData::new(targets, [1, IMAGES, CLASSES]), &device);
    let found = model.cost(&Rows::Numbers(input), targets, TrainedLayers::All);
    let means = numbers(found.parts[0].clone());
    let gradients = GradientsParams::from_grads(found.total.backward(), &model);

    let x: Vec<f64> = x.into_iter().map(f64::from).collect();
    let layers: Vec<&Layer> = model.hidden.iter().chain([&model.output]).collect();
    for (member, mean) in means.into_iter().enumerate() {
        let parameters: Parameters = layers
            .iter()
            .map(|layer| of_member(layer, member))
            .collect();
        let reference = cost(&parameters, activation, &x, &labels);
        assert!(
            (f64::from(mean) - reference).abs() < 1e-5,
            "{mean} {reference}"
        );
        let mut largest_of_first_layer = 0.0_f64;
        for (at, layer) in layers.iter().enumerate() {
            let ids = [
                Some(layer.weight.id),
                Some(layer.bias.id),
                layer.slope.as_ref().map(|slope| slope.id),
            ];
            for (kind, id) in ids.into_iter().enumerate() {
                let Some(id) = id else { continue };
                let gradient = numbers(gradients.get::<3>(id).expect("every parameter has one"));
                let size = parameters[at][kind].len();
                for (entry, &found) in gradient[member * size..][..size].iter().enumerate() {
                    let moved = |by: f64| {
                        let mut copy = parameters.clone();
                        copy[at][kind][entry] += by;
                        cost(&copy, activation, &x, &labels)
                    };
                    let expected = (moved(1e-6) - moved(-1e-6)) / 2e-6;
                    let error = (f64::from(found) - expected).abs();
                    assert!(
                        error < 1e-5 + 1e-3 * expected.abs(),
                        "{activation:?}, member {member}, layer {at}, {kind}[{entry}]: {found} {expected}"
                    );
                    if at == 0 && kind == 0 {
                        largest_of_first_layer = largest_of_first_layer.max(expected.abs());
                    }
                }
            }
        }
        assert!(
            largest_of_first_layer > 1e-3,
            "a vanished gradient would prove nothing: {largest_of_first_layer}"
        );
    }
}

#[test]
fn fifteen_ramp_layers() {
    check(Activation::Relu, 3.0);
}

#[test]
fn fifteen_prelu_layers() {
    check(
        Activation::Prelu {
            initial_slope: 0.25,
        },
        2.5,
    );
}

#[test]
fn fifteen_tanh_layers() {
    check(Activation::Tanh, 1.5);
}
