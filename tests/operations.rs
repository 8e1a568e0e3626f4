//! Every operation against its definition, forth and back: what flex computes in its own way, ndarray and wgpu compute by
//! the composition that stands in the operation's trait. And every gradient against finite differences.

use burn::tensor::{Bytes, Device, Tensor, TensorData};
use layerwise::backend;
use layerwise::model::numbers;
use layerwise::ops::{self, AdamRates, KlRates, Largest, Rows};
use layerwise::spec::BackendName;

/// Numbers between −1 and 1 that look random and are the same every time.
fn values(count: usize, key: usize) -> Vec<f32> {
    let number = |at: usize| {
        let mixed = (at + 1).wrapping_mul(2_654_435_761) ^ key.wrapping_mul(40_503_003);
        (mixed.wrapping_mul(0x9E37_79B9) >> 16 & 0xFFFF) as f32 / 32_768.0 - 1.0
    };
    (0..count).map(number).collect()
}

/// The same with zeros at `share` of the places.
fn sparse(count: usize, key: usize, share: f32) -> Vec<f32> {
    let places = values(count, key + 1000)
        .into_iter()
        .zip(values(count, key));
    places
        .map(|(place, value)| {
            if place < 2.0 * share - 1.0 {
                0.0
            } else {
                value
            }
        })
        .collect()
}

type Operation = dyn Fn(&[Tensor<3>], &Device) -> Tensor<3>;

/// An operation with numbers that it is tried on.
struct Case {
    name: String,
    /// What has a gradient, with its shape.
    leaves: Vec<([usize; 3], Vec<f32>)>,
    operation: Box<Operation>,
}

fn rows(shape: [usize; 3], key: usize, as_bytes: bool, device: &Device) -> Rows {
    let count = shape.iter().product();
    let bytes: Vec<u8> = sparse(count, key, 0.6)
        .into_iter()
        .map(|value| (value.abs() * 255.0) as u8)
        .collect();
    if as_bytes {
        assert_eq!(shape[0], 1);
        return Rows::of_bytes(Bytes::from_bytes_vec(bytes), [shape[1], shape[2]], device);
    }
    let numbers: Vec<f32> = bytes
        .into_iter()
        .map(|byte| f32::from(byte) / 255.0)
        .collect();
    Tensor::from_data(TensorData::new(numbers, shape), device).into()
}

/// `is_small` leaves out what a GPU without a GPU would take minutes to compile kernels for.
fn cases(is_small: bool) -> Vec<Case> {
    let mut cases = layers_and_decoders(is_small);
    cases.extend(tied_autoencoders(is_small));
    cases.extend(sparse_autoencoders(is_small));
    cases.extend(cross_entropies());
    cases
}

fn leaf(shape: [usize; 3], key: usize) -> ([usize; 3], Vec<f32>) {
    (shape, values(shape.iter().product(), key))
}

fn layers_and_decoders(is_small: bool) -> Vec<Case> {
    let mut cases = Vec::new();
    // Members, batches, images, inputs, units: few and many enough for marks to pay.
    let sizes: &[[usize; 5]] = if is_small {
        &[[2, 1, 5, 9, 4]]
    } else {
        &[
            [1, 1, 7, 9, 4],
            [2, 1, 12, 70, 66],
            [3, 3, 5, 130, 70],
            [2, 1, 1, 1, 1],
        ]
    };
    for &size in sizes {
        let [members, batches, images, inputs, units] = size;
        let operations: [(&str, OfLayer); 3] = [
            ("affine", ops::affine),
            ("ramp", ops::ramp),
            ("logistic", ops::logistic),
        ];
        for (name, operation) in operations {
            let of = move |x: &Rows, leaves: &[Tensor<3>]| {
                operation(x, leaves[0].clone(), leaves[1].clone())
            };
            let layer = || {
                vec![
                    leaf([members, inputs, units], 1),
                    leaf([members, 1, units], 2),
                ]
            };
            let mut tracked = layer();
            let shape = [batches, images, inputs];
            tracked.push((shape, sparse(shape.iter().product(), 3, 0.5)));
            cases.push(Case {
                name: format!("{name} of numbers {size:?}"),
                leaves: tracked,
                operation: Box::new(move |leaves, _| of(&leaves[2].clone().into(), leaves)),
            });
            for as_bytes in [false, true] {
                if as_bytes && batches > 1 {
                    continue;
                }
                cases.push(Case {
                    name: format!("{name} of data, bytes {as_bytes}, {size:?}"),
                    leaves: layer(),
                    operation: Box::new(move |leaves, device| {
                        of(&rows(shape, 4, as_bytes, device), leaves)
                    }),
                });
            }
        }
        let errors: [(&str, OfCode); 3] = [
            ("squared error", ops::squared_error),
            ("squared error of logistic", ops::squared_error_of_logistic),
            ("cross-entropy of logistic", ops::cross_entropy_of_logistic),
        ];
        for (name, error) in errors {
            for (tied, as_bytes) in [(false, false), (false, true), (true, false), (true, true)] {
                if as_bytes && batches > 1 {
                    continue;
                }
                let weight = if tied {
                    [members, inputs, units]
                } else {
                    [members, units, inputs]
                };
                cases.push(Case {
                    name: format!("{name}, tied {tied}, bytes {as_bytes}, {size:?}"),
                    leaves: vec![
                        leaf([members, images, units], 5),
                        leaf(weight, 6),
                        leaf([members, 1, inputs], 7),
                    ],
                    operation: Box::new(move |leaves, device| {
                        let weight = leaves[1].clone();
                        let weight = if tied { weight.swap_dims(1, 2) } else { weight };
                        let x = rows([batches, images, inputs], 8, as_bytes, device);
                        error(leaves[0].clone(), weight, leaves[2].clone(), &x)
                    }),
                });
            }
        }
    }
    cases
}

fn tied_autoencoders(is_small: bool) -> Vec<Case> {
    let mut cases = Vec::new();
    // By the Gram matrix, and by the reconstruction where that is less work.
    let sizes: &[[usize; 5]] = if is_small {
        &[[2, 1, 12, 16, 3]]
    } else {
        &[
            [1, 1, 40, 60, 7],
            [3, 1, 33, 80, 17],
            [2, 2, 20, 64, 5],
            [2, 1, 120, 200, 70],
            [2, 1, 6, 9, 20],
        ]
    };
    for &size in sizes {
        let [members, batches, images, inputs, units] = size;
        for as_bytes in [false, true] {
            if as_bytes && batches > 1 {
                continue;
            }
            cases.push(Case {
                name: format!("tied squared error, bytes {as_bytes}, {size:?}"),
                leaves: vec![
                    leaf([members, inputs, units], 9),
                    leaf([members, 1, units], 10),
                    leaf([members, 1, inputs], 11),
                ],
                operation: Box::new(move |leaves, device| {
                    let [weight, bias, back] = [0, 1, 2].map(|at: usize| leaves[at].clone());
                    let x = rows([batches, images, inputs], 12, as_bytes, device);
                    let h = ops::ramp(&x, weight.clone(), bias.clone());
                    // Something else that looks at the code, as a sparsity term does.
                    let units = values(members * units, 15);
                    let shape = [members, 1, units.len() / members];
                    let units = Tensor::from_data(TensorData::new(units, shape), device);
                    let mean = ops::weighted_means(h.clone(), units);
                    ops::tied_squared_error(h, weight, bias, back, &x) + mean
                }),
            });
        }
    }
    cases
}

fn sparse_autoencoders(is_small: bool) -> Vec<Case> {
    let mut cases = Vec::new();
    // Members, batches, images, inputs, units, and how many units stay: few and many, all of them, and more.
    let sizes: &[[usize; 6]] = if is_small {
        &[[2, 1, 5, 9, 4, 2]]
    } else {
        &[
            [1, 1, 7, 9, 4, 2],
            [2, 1, 6, 70, 200, 3],
            [3, 3, 5, 130, 70, 2],
            [1, 1, 4, 64, 66, 40],
            [2, 1, 3, 5, 8, 8],
            [1, 1, 4, 7, 5, 100],
        ]
    };
    for &size in sizes {
        let [members, batches, images, inputs, units, k] = size;
        for largest in [Largest::OfImage(k), Largest::OfBatch(k)] {
            for (tied, as_bytes) in [(false, false), (true, true)] {
                if as_bytes && batches > 1 {
                    continue;
                }
                let weight = |at, tied| {
                    let shape = if tied {
                        [members, inputs, units]
                    } else {
                        [members, units, inputs]
                    };
                    leaf(shape, at)
                };
                cases.push(Case {
                    name: format!("{largest:?}, tied {tied}, {size:?}"),
                    leaves: vec![
                        apart([members, images, units]),
                        weight(16, tied),
                        leaf([members, 1, inputs], 17),
                    ],
                    operation: Box::new(move |leaves, device| {
                        let weight = leaves[1].clone();
                        let weight = if tied { weight.swap_dims(1, 2) } else { weight };
                        let x = rows([batches, images, inputs], 18, as_bytes, device);
                        let h = ops::keep_largest(leaves[0].clone(), largest);
                        ops::squared_error_of_sparse(h, weight, leaves[2].clone(), &x)
                    }),
                });
                cases.push(Case {
                    name: format!("{largest:?} of a layer, bytes {as_bytes}, {size:?}"),
                    leaves: vec![
                        weight(19, true),
                        apart([members, 1, units]),
                        weight(16, false),
                        leaf([members, 1, inputs], 17),
                    ],
                    operation: Box::new(move |leaves, device| {
                        let x = rows([batches, images, inputs], 18, as_bytes, device);
                        // What the biases say is larger than what the images do: a small step changes no choice.
                        let weight = leaves[0].clone().mul_scalar(1e-4);
                        let z = ops::affine(&x, weight, leaves[1].clone());
                        let h = ops::keep_largest(z, largest);
                        ops::squared_error_of_sparse(h, leaves[2].clone(), leaves[3].clone(), &x)
                    }),
                });
            }
        }
    }
    cases
}

/// Numbers in a mixed order, the largest of each member far apart: a small step does not change which they are.
fn apart(shape: [usize; 3]) -> ([usize; 3], Vec<f32>) {
    let count = shape[1] * shape[2];
    let one = (0..count).map(|at| (at * 7919 % count) as f32 / count as f32);
    let one = one.map(|share| 4.0 * share.powi(8) - 0.1);
    (shape, one.cycle().take(shape[0] * count).collect())
}

fn cross_entropies() -> Vec<Case> {
    let mut cases = Vec::new();
    for (members, batches) in [(1, 1), (3, 1), (2, 2)] {
        let shape = [members, 7, 5];
        let logits = values(shape.iter().product(), 13)
            .into_iter()
            .map(|z| 20.0 * z);
        cases.push(Case {
            name: format!("cross-entropy, members {members}, batches {batches}"),
            leaves: vec![(shape, logits.collect())],
            operation: Box::new(move |leaves, device| {
                let shape = [batches, 7, 5];
                let targets = sparse(shape.iter().product(), 14, 0.5);
                let targets = targets.into_iter().map(f32::abs).collect::<Vec<_>>();
                let targets = Tensor::from_data(TensorData::new(targets, shape), device);
                ops::cross_entropy(leaves[0].clone(), targets)
            }),
        });
    }
    cases
}

/// What an operation gives, weighed sum, and the gradients of all leaves.
fn evaluated(case: &Case, device: &Device) -> (Vec<f32>, Vec<Vec<f32>>) {
    let inside = device.clone().autodiff();
    let leaves: Vec<Tensor<3>> = case
        .leaves
        .iter()
        .map(|(shape, values)| {
            Tensor::from_data(TensorData::new(values.clone(), *shape), &inside).require_grad()
        })
        .collect();
    let out = (case.operation)(&leaves, device);
    let gradients = weighed(out.clone()).sum().backward();
    let gradients = leaves
        .iter()
        .map(|leaf| numbers(leaf.grad(&gradients).expect("every leaf has a gradient")));
    (numbers(out.inner()), gradients.collect())
}

/// Each entry with a weight of its own.
fn weighed(out: Tensor<3>) -> Tensor<3> {
    let shape = out.dims();
    let weights = values(shape.iter().product(), 99);
    let weights = Tensor::from_data(TensorData::new(weights, shape), &out.device().inner());
    out * weights
}

/// Equal but for rounding, which is in proportion to the largest number that went into the sums.
#[track_caller]
fn assert_close(name: &str, one: &[f32], other: &[f32]) {
    assert_eq!(one.len(), other.len(), "{name}");
    let largest = other
        .iter()
        .fold(1.0_f32, |largest, value| largest.max(value.abs()));
    for (one, other) in one.iter().zip(other) {
        let error = (one - other).abs();
        assert!(
            error <= 2e-5 * largest,
            "{name}: {one} {other} of {largest}"
        );
    }
}

fn compare(name: BackendName, is_small: bool) {
    let definition = backend::open(name)
        .expect("it was there a moment ago")
        .device;
    for case in cases(is_small) {
        let (expected, expected_gradients) = evaluated(&case, &definition);
        let (found, found_gradients) = evaluated(&case, &Device::flex());
        assert_close(&case.name, &found, &expected);
        for (found, expected) in found_gradients.iter().zip(&expected_gradients) {
            assert_close(&case.name, found, expected);
            assert!(
                expected.len() < 5 || expected.iter().any(|&slope| slope != 0.0),
                "{}",
                case.name
            );
        }
    }
}

/// A layer on numbers or bytes.
type OfLayer = fn(&Rows, Tensor<3>, Tensor<3>) -> Tensor<3>;

/// An error of a code, by decoder weights and biases.
type OfCode = fn(Tensor<3>, Tensor<3>, Tensor<3>, &Rows) -> Tensor<3>;

#[test]
fn operations_are_their_definitions_on_ndarray() {
    compare(BackendName::Ndarray, false);
}

#[test]
fn operations_are_their_definitions_on_wgpu() {
    if let Err(error) = backend::open(BackendName::Wgpu) {
        println!("not compared: {error}");
        return;
    }
    compare(BackendName::Wgpu, true);
}

#[test]
fn gradients_are_what_finite_differences_say() {
    /// So small that few ramps turn on or off on the way.
    const STEP: f32 = 2e-3;
    let device = Device::flex();
    for case in cases(false) {
        let (_, gradients) = evaluated(&case, &device);
        let cost = |along: &[Vec<f32>], by: f32| -> f64 {
            let leaves: Vec<Tensor<3>> = case
                .leaves
                .iter()
                .zip(along)
                .map(|((shape, values), along)| {
                    let moved = values.iter().zip(along).map(|(v, a)| v + by * a);
                    let data = TensorData::new(moved.collect::<Vec<f32>>(), *shape);
                    Tensor::from_data(data, &device)
                })
                .collect();
            let out = weighed((case.operation)(&leaves, &device));
            numbers(out).into_iter().map(f64::from).sum()
        };
        // One leaf after the other, along a random direction.
        for at in 0..case.leaves.len() {
            let along: Vec<Vec<f32>> = gradients
                .iter()
                .enumerate()
                .map(|(leaf, gradient)| {
                    let moves = leaf == at;
                    let direction = values(gradient.len(), 200 + at);
                    direction
                        .into_iter()
                        .map(|d| if moves { d } else { 0.0 })
                        .collect()
                })
                .collect();
            let difference = (cost(&along, STEP) - cost(&along, -STEP)) / f64::from(2.0 * STEP);
            let slopes = gradients[at].iter().zip(&along[at]);
            let products = slopes.map(|(&g, &a)| f64::from(g) * f64::from(a));
            let size: f64 = products.clone().map(f64::abs).sum();
            let slope: f64 = products.sum();
            let error = (slope - difference).abs();
            assert!(
                error < 0.01 * size + 0.05,
                "{}, leaf {at}: {slope} {difference}",
                case.name
            );
        }
    }
}

#[test]
fn adam_is_its_definition_on_ndarray() {
    let step = |device: &Device| {
        let tensor = |key| {
            let data = TensorData::new(values(210, key), [210]);
            Tensor::<1>::from_data(data, device)
        };
        let rates = AdamRates {
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
        };
        let start = [tensor(1), tensor(2), tensor(3).abs()];
        ops::adam(start, tensor(4), rates.at(7, 1e-3)).map(numbers)
    };
    let ndarray = backend::open(BackendName::Ndarray).expect("it is part of the build");
    for (one, other) in step(&Device::flex()).iter().zip(step(&ndarray.device)) {
        assert_close("Adam", one, &other);
    }
}

/// Numbers of which many are equal, with a row of zeros and one below.
fn with_equals(device: &Device) -> Tensor<3> {
    let value = |at: usize| match at / 10 {
        1 => 0.0,
        4 => -1.0 - (at % 3) as f32,
        _ => (at * 7919 % 5) as f32 - 1.0,
    };
    let values: Vec<f32> = (0..60).map(value).collect();
    Tensor::from_data(TensorData::new(values, [2, 3, 10]), device)
}

#[test]
fn what_stays_of_equals_and_its_gradient_are_as_defined_on_ndarray() {
    let ndarray = backend::open(BackendName::Ndarray).expect("it is part of the build");
    let of = |largest: Largest, device: &Device| {
        let h = with_equals(&device.clone().autodiff()).require_grad();
        let kept = ops::keep_largest(h.clone(), largest);
        let gradients = weighed(kept.clone()).sum().backward();
        let slopes = h.grad(&gradients).expect("a leaf has a gradient");
        [numbers(kept.inner()), numbers(slopes)]
    };
    for k in [0, 1, 2, 3, 5, 9, 10, 11] {
        for largest in [Largest::OfImage(k), Largest::OfBatch(k)] {
            let found = of(largest, &Device::flex());
            assert_eq!(found, of(largest, &ndarray.device), "{largest:?}");
        }
    }
}

#[test]
fn the_largest_of_an_image_and_of_a_batch_by_hand() {
    let device = Device::flex();
    let h = [[[3.0, 1.0, 3.0, 2.0], [1.0, 0.5, -1.0, 1.0]]];
    let h = Tensor::<3>::from_floats(h, &device);
    let kept = |largest| numbers(ops::keep_largest(h.clone(), largest));
    let of_image = kept(Largest::OfImage(1));
    assert_eq!(of_image, [3.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
    // 3, 3, 2 and, of three equals, the first.
    let of_batch = kept(Largest::OfBatch(2));
    assert_eq!(of_batch, [3.0, 1.0, 3.0, 2.0, 0.0, 0.0, 0.0, 0.0]);
    let all = kept(Largest::OfImage(7));
    assert_eq!(all, [3.0, 1.0, 3.0, 2.0, 1.0, 0.5, 0.0, 1.0]);
}

#[test]
fn rows_of_norm_1_and_gradients_across_them_are_as_defined_on_ndarray() {
    let ndarray = backend::open(BackendName::Ndarray).expect("it is part of the build");
    for shape in [[1, 3, 2], [2, 5, 33], [1, 300, 784]] {
        let of = |device: &Device| {
            let tensor = |key| {
                let mut values = values(shape.iter().product(), key);
                values[..shape[2]].fill(0.0);
                Tensor::<3>::from_data(TensorData::new(values, shape), device)
            };
            let rows = ops::unit_rows(tensor(1));
            [
                numbers(rows.clone()),
                numbers(ops::tangential(tensor(2), rows)),
            ]
        };
        let [rows, slopes] = of(&Device::flex());
        for (found, expected) in [&rows, &slopes].into_iter().zip(of(&ndarray.device)) {
            assert_close("unit rows", found, &expected);
        }
        let pairs = rows.chunks(shape[2]).zip(slopes.chunks(shape[2]));
        for (at, (row, slope)) in pairs.enumerate() {
            let norm: f32 = row.iter().map(|w| w * w).sum();
            assert!(
                (norm - if at == 0 { 0.0 } else { 1.0 }).abs() < 1e-5,
                "{norm}"
            );
            let along: f32 = row.iter().zip(slope).map(|(w, g)| w * g).sum();
            assert!(along.abs() < 1e-4, "{along}");
        }
    }
}

#[test]
fn bytes_stand_for_their_255th_parts_and_are_selected_by_row() {
    let device = Device::flex();
    let rows = Rows::of_bytes(
        Bytes::from_bytes_vec(vec![0, 51, 255, 102, 153, 204]),
        [3, 2],
        &device,
    );
    assert!(matches!(rows, Rows::Bytes(_)), "flex keeps bytes");
    assert_eq!(rows.dims(), [1, 3, 2]);
    assert_eq!(
        numbers(rows.select(&[2, 0]).numbers()),
        [0.6, 0.8, 0.0, 0.2]
    );
    let parts: Vec<Vec<f32>> = rows.parts(2).map(|part| numbers(part.numbers())).collect();
    assert_eq!(parts, [vec![0.0, 0.2, 1.0, 0.4], vec![0.6, 0.8]]);
}

#[test]
fn what_is_not_a_number_stays_so() {
    let device = Device::flex();
    let one = |value| Tensor::<3>::full([1, 1, 1], value, &device);
    let h = |x| numbers(ops::ramp(&one(x).into(), one(1.0), one(0.0)))[0];
    assert!(h(f32::NAN).is_nan());
    assert_eq!(h(-1.0).to_bits(), 0.0_f32.to_bits(), "an ordinary zero");
    assert!(h(f32::NEG_INFINITY).is_nan(), "0 · −∞ is told, not hidden");
    let codes = [[
        [1.0, f32::NAN, 2.0, 3.0],
        [1.0, f32::NEG_INFINITY, 2.0, 3.0],
    ]];
    let codes = Tensor::<3>::from_floats(codes, &device);
    for largest in [Largest::OfImage(1), Largest::OfBatch(1)] {
        let kept = ops::keep_largest(codes.clone(), largest);
        let found = numbers(kept.clone());
        assert!(found[1].is_nan() && found[5].is_nan(), "{found:?}");
        let (weight, bias) = (
            Tensor::ones([1, 4, 70], &device),
            Tensor::ones([1, 1, 70], &device),
        );
        let x = Tensor::ones([1, 2, 70], &device).into();
        let error = numbers(ops::squared_error_of_sparse(kept, weight, bias, &x));
        assert!(error[0].is_nan(), "{error:?}");
    }
}

const RATES: KlRates = KlRates {
    target: 0.05,
    clamp: 0.01,
    kept: 0.0,
    news: 1.0,
};

/// KL(ρ‖ρ̂) and its slope for ρ = 0.05, a clamp of 0.01 and β = 1; one unit to each model, on one image.
fn divergences(mean_activation: &[f32], device: &Device) -> [Vec<f32>; 2] {
    let shape = [mean_activation.len(), 1, 1];
    let h = Tensor::from_data(TensorData::new(mean_activation.to_vec(), shape), device);
    let ones = || Tensor::ones(shape, device);
    let [_, divergence, slope] = ops::kl_divergence(h, ones(), ones(), RATES);
    [divergence, slope].map(numbers)
}

#[test]
fn a_sparsity_term_is_its_definition_on_ndarray() {
    let ndarray = backend::open(BackendName::Ndarray).expect("it is part of the build");
    let of = |device: &Device| {
        let tensor = |shape: [usize; 3], key| {
            let values = values(shape.iter().product(), key);
            Tensor::<3>::from_data(TensorData::new(values, shape), device)
        };
        let rates = KlRates {
            kept: 0.9,
            news: 0.1,
            ..RATES
        };
        let (h, before) = (tensor([2, 7, 5], 1), tensor([2, 1, 5], 2));
        ops::kl_divergence(h, before, tensor([2, 1, 1], 3), rates).map(numbers)
    };
    for (found, expected) in of(&Device::flex()).iter().zip(of(&ndarray.device)) {
        assert_close("sparsity term", found, &expected);
    }
}

#[test]
fn the_divergence_is_its_definition_on_ndarray() {
    let ndarray = backend::open(BackendName::Ndarray).expect("it is part of the build");
    let grid: Vec<f32> = (0..=200).map(|i| i as f32 / 100.0).collect();
    let expected = divergences(&grid, &ndarray.device);
    for (found, expected) in divergences(&grid, &Device::flex()).iter().zip(expected) {
        assert_close("divergence", found, &expected);
    }
}

#[test]
fn the_divergence_is_what_one_gets_by_hand() {
    // ρ = 0.05, ρ̂ = 0.1: 0.05 ln 0.5 + 0.95 ln(0.95/0.9) = −0.0346574 + 0.0513641 = 0.0167068
    // ρ̂ = 0.5: 0.05 ln 0.1 + 0.95 ln 1.9 = −0.1151293 + 0.6097609 = 0.4946316
    let [found, _] = divergences(&[0.05, 0.1, 0.5], &Device::flex());
    for (found, expected) in found.iter().zip([0.0, 0.016_706_8, 0.494_631_6]) {
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }
    // A silent unit, and ramp units at and above 1, have those of the nearer end.
    let ends = divergences(&[0.0, -3.0, 1.0, 7.5], &Device::flex());
    assert_eq!(
        ends,
        divergences(&[0.01, 0.01, 0.99, 0.99], &Device::flex())
    );
    // −0.05/0.01 + 0.95/0.99 and −0.05/0.99 + 0.95/0.01.
    assert!((ends[1][0] + 4.040_404).abs() < 1e-4, "{ends:?}");
    assert!((ends[1][3] - 94.949_5).abs() < 1e-2, "{ends:?}");
}

#[test]
fn the_divergence_is_zero_at_the_target_and_positive_elsewhere() {
    let grid: Vec<f32> = (0..=200).map(|i| i as f32 / 100.0).collect();
    let [found, _] = divergences(&grid, &Device::flex());
    for (rho_hat, value) in grid.iter().zip(found) {
        let expected_zero = (rho_hat - 0.05).abs() < 1e-6;
        assert!(value >= 0.0, "KL({rho_hat}) = {value}");
        assert_eq!(value < 1e-6, expected_zero, "KL({rho_hat}) = {value}");
    }
}

#[test]
fn the_slope_is_the_divergence_s_derivative() {
    // Central differences in f64 of the formula itself, at points inside the clamp.
    let kl = |r: f64| 0.05 * (0.05 / r).ln() + 0.95 * (0.95 / (1.0 - r)).ln();
    let points = [0.02_f32, 0.05, 0.2, 0.7, 0.95];
    let [_, slopes] = divergences(&points, &Device::flex());
    for (r, slope) in points.into_iter().zip(slopes) {
        let r = f64::from(r);
        let difference = (kl(r + 1e-5) - kl(r - 1e-5)) / 2e-5;
        assert!(
            (f64::from(slope) - difference).abs() < 1e-3,
            "{r}: {slope} {difference}"
        );
    }
}
