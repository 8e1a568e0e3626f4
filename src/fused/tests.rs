//! Each operation against what burn composes, values and gradients, over shapes and random numbers.

use burn::module::Param;
use burn::optim::{AdamConfig, Optimizer, SgdConfig};
use burn::tensor::activation::{leaky_relu, log_softmax, relu};
use burn::tensor::{Device, Tensor, TensorData};
use proptest::prelude::*;

use super::*;
use crate::model::loss::Sparsity;
use crate::model::numbers;

/// Numbers between −1 and 1 that look random and are the same every time.
fn filled(shape: [usize; 3], key: usize, device: &Device) -> Tensor<3> {
    let number = |at: usize| {
        let mixed = (at * 2_654_435_761 + key * 40_503) % 65_536;
        mixed as f32 / 32_768.0 - 1.0
    };
    let values = (0..shape.iter().product()).map(number).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn leaf(shape: [usize; 3], key: usize, device: &Device) -> Tensor<3> {
    filled(shape, key, device).require_grad()
}

/// Equal but for rounding, which is in proportion to the largest number that went into the sums.
#[track_caller]
fn assert_close(one: Tensor<3>, other: Tensor<3>) {
    assert_eq!(one.dims(), other.dims());
    let (one, other) = (numbers(one), numbers(other));
    let largest = other
        .iter()
        .fold(1.0_f32, |largest, value| largest.max(value.abs()));
    for (one, other) in one.into_iter().zip(other) {
        assert!(
            (one - other).abs() <= 2e-5 * largest,
            "{one} {other} of {largest}"
        );
    }
}

/// The activation that `slope` stands for, as burn has it.
fn composed(x: Tensor<3>, weight: Tensor<3>, bias: Tensor<3>, slope: f32) -> Tensor<3> {
    let z = x.matmul(weight) + bias;
    match slope {
        0.0 => relu(z),
        1.0 => z,
        slope => leaky_relu(z, f64::from(slope)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn layers_are_what_burn_composes(
        members in 1_usize..4,
        shared in any::<bool>(),
        sizes in (1_usize..20, 1_usize..40, 1_usize..20),
        slope in prop_oneof![Just(0.0_f32), Just(0.1), Just(1.0)],
    ) {
        let (images, inputs, units) = sizes;
        let device = Device::flex().autodiff();
        let batches = if shared { 1 } else { members };
        // What is learnt from below has a gradient; pictures have none.
        let x = |key| if shared {
            filled([batches, images, inputs], key, &device)
        } else {
            leaf([batches, images, inputs], key, &device)
        };
        let parts = || (
            x(1),
            leaf([members, inputs, units], 2, &device),
            leaf([members, 1, units], 3, &device),
        );
        let weighing = filled([members, images, units], 4, &device);
        let (x, weight, bias) = parts();
        let one = layer(&x.clone().into(), &weight, &bias, slope).expect("offered on flex");
        let of_one = (one.clone() * weighing.clone()).sum().backward();
        let ones = [weight.grad(&of_one), bias.grad(&of_one), x.grad(&of_one)];
        let (x, weight, bias) = parts();
        let other = composed(x.clone(), weight.clone(), bias.clone(), slope);
        let of_other = (other.clone() * weighing).sum().backward();
        let others = [weight.grad(&of_other), bias.grad(&of_other), x.grad(&of_other)];
        assert_close(one.inner(), other.inner());
        for (one, other) in ones.into_iter().zip(others) {
            prop_assert_eq!(one.is_some(), other.is_some());
            if let (Some(one), Some(other)) = (one, other) {
                assert_close(one, other);
            }
        }
    }

    #[test]
    fn squared_errors_are_what_burn_composes(
        members in 1_usize..4,
        shared in any::<bool>(),
        tied in any::<bool>(),
        sizes in (1_usize..20, 1_usize..40, 1_usize..20),
    ) {
        let (images, inputs, units) = sizes;
        let device = Device::flex().autodiff();
        let x = filled([if shared { 1 } else { members }, images, inputs], 1, &device);
        let (kind, shape) = if tied {
            (DecoderWeight::Tied, [members, inputs, units])
        } else {
            (DecoderWeight::Own, [members, units, inputs])
        };
        let parts = || (
            leaf([members, images, units], 2, &device),
            leaf(shape, 3, &device),
            leaf([members, 1, inputs], 4, &device),
        );
        // Members may weigh differently.
        let weighing = filled([members, 1, 1], 5, &device);
        let (h, weight, bias) = parts();
        let one = squared_error(&h, &weight, kind, &bias, &x).expect("offered on flex");
        let of_one = (one.clone() * weighing.clone()).sum().backward();
        let ones = [h.grad(&of_one), weight.grad(&of_one), bias.grad(&of_one)];
        let (h, weight, bias) = parts();
        let decoder = if tied { weight.clone().swap_dims(1, 2) } else { weight.clone() };
        let residual = h.clone().matmul(decoder) + bias.clone() - x;
        let other = residual.square().sum_dim(2).sum_dim(1).mul_scalar(0.5);
        let of_other = (other.clone() * weighing).sum().backward();
        let others = [h.grad(&of_other), weight.grad(&of_other), bias.grad(&of_other)];
        assert_close(one.inner(), other.inner());
        for (one, other) in ones.into_iter().zip(others) {
            assert_close(one.expect("a leaf"), other.expect("a leaf"));
        }
    }
}

#[test]
fn a_tied_autoencoder_is_what_burn_composes() {
    let plain = Device::flex();
    let device = plain.clone().autodiff();
    for (members, batches, images, inputs, units) in [
        (1, 1, 40, 60, 7),
        (3, 1, 33, 80, 17),
        (2, 2, 20, 64, 5),
        // Units enough for products over nonzero entries.
        (2, 1, 120, 200, 70),
    ] {
        // Four of five entries are 0.
        let x = filled([batches, images, inputs], 1, &plain);
        let x = x.clone() * x.greater_scalar(0.6).float();
        let weight = filled([members, inputs, units], 2, &plain).mul_scalar(0.3);
        let bias = filled([members, 1, units], 3, &plain);
        let back = filled([members, 1, inputs], 4, &plain);
        let pull = filled([members, 1, units], 6, &plain);
        let given = x.clone().into();
        assert!(prefers_tied(&given, &weight));
        let encoded = LayerPass::new(&given, &weight, &bias, 0.0).expect("offered on flex");
        let gram = Gram::new(&weight).expect("offered on flex");
        let pass = TiedPass::new(encoded, &back, &gram);
        let one = pass.errors();
        let ones = pass.gradients(0.7, Some(pull.clone()));

        let inside = |tensor: Tensor<3>| Tensor::from_data(tensor.into_data(), &device);
        let [weight, bias, back] = [weight, bias, back].map(|part| inside(part).require_grad());
        let [x, pull] = [x, pull].map(inside);
        let h = relu(x.clone().matmul(weight.clone()) + bias.clone());
        let residual = h.clone().matmul(weight.clone().swap_dims(1, 2)) + back.clone() - x;
        let other = residual.square().sum_dim(2).sum_dim(1).mul_scalar(0.5);
        let pulled = other.clone() + (h * pull).sum_dim(2).sum_dim(1);
        let of_other = pulled.sum().mul_scalar(0.7).backward();
        let others = [
            weight.grad(&of_other),
            bias.grad(&of_other),
            back.grad(&of_other),
        ];
        assert_close(one, other.inner());
        for (one, other) in ones.into_iter().zip(others) {
            assert_close(one, other.expect("a leaf"));
        }
    }
}

#[test]
fn pictures_are_as_good_as_their_inputs() {
    let device = Device::flex();
    let lit = |at: usize| at % 31 == 3 || at % 64 < 10;
    let bytes: Vec<u8> = (0..30 * 200)
        .map(|at| if lit(at) { (at % 255) as u8 } else { 0 })
        .collect();
    let pictures = Input::of_bytes(bytes.chunks_exact(200), 200, &device);
    assert!(matches!(pictures.0, input::Form::Pictures(..)));
    let greys: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
    assert_eq!(numbers(pictures.tensor()), greys);
    let whole = Input::from(pictures.tensor());
    for units in [3, 70] {
        let weight = filled([2, 200, units], 1, &device);
        let bias = filled([2, 1, units], 2, &device);
        let of_h = filled([2, 30, units], 3, &device);
        let [one, other] = [&pictures, &whole].map(|x| {
            let pass = LayerPass::new(x, &weight, &bias, 0.1).expect("offered on flex");
            let h = pass.output();
            let ([of_weight, of_bias], _) = pass.clone().gradients(of_h.clone(), Wanted::No);
            let ([weight, _], _) = pass.descend(of_h.clone(), 0.5, Wanted::No);
            [h, of_weight, of_bias, weight]
        });
        for (one, other) in one.into_iter().zip(other) {
            assert_close(one, other);
        }
    }
}

#[test]
fn units_that_are_off_for_a_whole_batch_change_nothing() {
    let device = Device::flex();
    let (images, inputs, units) = (20, 70, 90);
    // Of the second member's units and inputs every third is off throughout, of the third member's all units are.
    let weight = filled([3, inputs, units], 1, &device);
    let off = |member: usize, at: usize| member == 2 || member == 1 && at.is_multiple_of(3);
    let bias: Vec<f32> = (0..3 * units)
        .map(|at| {
            if off(at / units, at % units) {
                -1e3
            } else {
                0.1
            }
        })
        .collect();
    let bias = Tensor::<3>::from_data(TensorData::new(bias, [3, 1, units]), &device);
    let lit: Vec<f32> = (0..3 * inputs)
        .map(|at| f32::from(u8::from(at / inputs != 1 || at % 3 != 2)))
        .collect();
    let lit = Tensor::<3>::from_data(TensorData::new(lit, [3, 1, inputs]), &device);
    let x = filled([3, images, inputs], 2, &device) * lit;
    let of_h = filled([3, images, units], 3, &device);

    let pass = LayerPass::new(&x.clone().into(), &weight, &bias, 0.0).expect("offered on flex");
    let h = pass.output();
    let ([of_weight, of_bias], of_x) = pass.clone().gradients(of_h.clone(), Wanted::Yes);
    let ([stepped, _], also_of_x) = pass.descend(of_h.clone(), 0.5, Wanted::Yes);

    let inside = |tensor: &Tensor<3>| {
        Tensor::<3>::from_data(tensor.clone().into_data(), &device.clone().autodiff())
    };
    let parts = [&x, &weight, &bias].map(|part| inside(part).require_grad());
    let [x, w, b] = parts.clone();
    let expected = relu(x.matmul(w) + b);
    assert_close(h, expected.clone().inner());
    let of_all = (expected * inside(&of_h)).sum().backward();
    let [x, w, b] = parts.map(|part| part.grad(&of_all).expect("a leaf"));
    assert_close(of_x.expect("wanted"), x.clone());
    assert_close(also_of_x.expect("wanted"), x);
    assert_close(of_weight, w.clone());
    assert_close(of_bias, b);
    assert_close(stepped, weight - w.mul_scalar(0.5));
}

#[test]
fn cross_entropies_are_what_burn_composes() {
    let device = Device::flex().autodiff();
    for (members, batches) in [(1, 1), (3, 1), (2, 2)] {
        let logits = || {
            filled([members, 7, 5], 1, &device)
                .mul_scalar(20.0)
                .require_grad()
        };
        let targets = filled([batches, 7, 5], 2, &device)
            .greater_scalar(0.3)
            .float();
        let weighing = filled([members, 1, 1], 3, &device);
        let z = logits();
        let one = cross_entropy(&z, &targets).expect("offered on flex");
        let of_one = z.grad(&(one.clone() * weighing.clone()).sum().backward());
        let z = logits();
        let other = (log_softmax(z.clone(), 2) * targets)
            .sum_dim(2)
            .sum_dim(1)
            .neg();
        let of_other = z.grad(&(other.clone() * weighing).sum().backward());
        assert_close(one.inner(), other.inner());
        assert_close(of_one.expect("a leaf"), of_other.expect("a leaf"));
    }
}

#[test]
fn the_sparsity_term_is_what_burn_composes() {
    let term = Sparsity {
        target: 0.05,
        clamp: 0.01,
    };
    let mean_activation = filled([3, 1, 40], 1, &Device::flex());
    let (value, slope) = divergence(0.05, 0.01, &mean_activation).expect("offered on flex");
    assert_close(value, term.divergence(mean_activation.clone()).sum_dim(2));
    assert_close(slope, term.slope(mean_activation));
}

#[test]
fn activity_is_counted_unit_by_unit() {
    // Two members, two images, two units.
    let values = vec![0.0, 0.5, -1.0, 0.005, 2.0, 0.0, 3.0, 0.02];
    let h = Tensor::from_data(TensorData::new(values, [2, 2, 2]), &Device::flex());
    let found = activity(&h, 0.01).expect("offered on flex");
    assert_eq!(found.total, [-1.0, 0.505, 5.0, 0.02]);
    assert_eq!(found.on, [0.0, 2.0, 2.0, 1.0]);
    assert_eq!(found.above, [0.0, 1.0, 2.0, 1.0]);
}

#[test]
fn a_weight_used_twice_gets_both_gradients() {
    // As in a tied autoencoder.
    let device = Device::flex().autodiff();
    let x = filled([1, 7, 9], 1, &device);
    let parts = || {
        (
            leaf([2, 9, 5], 2, &device),
            filled([2, 1, 5], 3, &device),
            filled([2, 1, 9], 4, &device),
        )
    };
    let (weight, bias, back) = parts();
    let h = layer(&x.clone().into(), &weight, &bias, 0.0).expect("offered");
    let errors = squared_error(&h, &weight, DecoderWeight::Tied, &back, &x).expect("offered");
    let one = weight.grad(&errors.sum().backward()).expect("a leaf");
    let (weight, bias, back) = parts();
    let h = relu(x.clone().matmul(weight.clone()) + bias);
    let residual = h.matmul(weight.clone().swap_dims(1, 2)) + back - x;
    let other = residual.square().sum().mul_scalar(0.5).backward();
    assert_close(one, weight.grad(&other).expect("a leaf"));
}

#[test]
fn what_is_not_a_number_stays_so() {
    let device = Device::flex();
    let one = |value| Tensor::<3>::full([1, 1, 1], value, &device);
    let h = |x| numbers(layer(&one(x).into(), &one(1.0), &one(0.0), 0.0).expect("offered"))[0];
    assert!(h(f32::NAN).is_nan());
    assert_eq!(h(-1.0).to_bits(), 0.0_f32.to_bits(), "an ordinary zero");
    assert!(h(f32::NEG_INFINITY).is_nan(), "0 · −∞ is told, not hidden");
}

#[test]
fn steps_have_the_bits_of_burns_own() {
    let device = Device::flex();
    let rates = AdamRates {
        beta_1: 0.9,
        beta_2: 0.999,
        epsilon: 1e-8,
    };
    let adam_rule = AdamConfig::new().with_epsilon(1e-8).build();
    let start = || Param::from_tensor(filled([2, 30, 7], 1, &device)).val();
    let gradient = |step: usize| filled([2, 30, 7], step + 10, &device);
    let (mut theirs, state) = adam_rule.step(5e-4, start(), gradient(0), None);
    let mut state = state.expect("Adam remembers");
    let mut ours = Place {
        parameter: theirs.clone(),
        moments: [
            state.momentum.moment_1.clone(),
            state.momentum.moment_2.clone(),
        ],
    };
    for step in 1..20 {
        ours = adam(rates, 5e-4, step + 1, ours, &gradient(step));
        let stepped = adam_rule.step(5e-4, theirs, gradient(step), Some(state));
        (theirs, state) = (stepped.0, stepped.1.expect("Adam remembers"));
        assert_eq!(
            numbers(ours.parameter.clone()),
            numbers(theirs.clone()),
            "step {step}"
        );
    }
    let (theirs, _) = SgdConfig::new()
        .build()
        .step(0.1, start(), gradient(0), None);
    let ours = descend(0.1, start(), &gradient(0));
    assert_eq!(numbers(ours), numbers(theirs));
}

#[cfg(feature = "ndarray")]
#[test]
fn nothing_is_offered_elsewhere() {
    #[expect(deprecated)]
    let device = Device::ndarray();
    let x = filled([1, 2, 3], 1, &device);
    assert!(
        layer(
            &x.clone().into(),
            &filled([1, 3, 4], 2, &device),
            &filled([1, 1, 4], 3, &device),
            0.0
        )
        .is_none()
    );
    assert!(!offered(&x));
}
