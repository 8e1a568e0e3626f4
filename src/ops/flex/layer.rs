//! A layer of linear units or ramps: z = x W + b, h = z or max(0, z).
//!
//! Back, with δ = ∂E/∂h where h is not held at 0: ∂E/∂W = xᵀ δ, ∂E/∂b = Σ δ over the batch, ∂E/∂x = δ Wᵀ (Okatani, *Deep
//! Learning*, section 4.4).

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops as Step, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};

use super::{
    Left, RowsPrimitive, dims, entries, in_memory_alone, in_order, matrix, tensor, untracked,
};
use crate::ops::kernels::passes;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Linear,
    Ramp,
}

/// A batch that went through a layer, with what the backward pass needs.
#[derive(Debug, Clone)]
pub struct Layer {
    x: Left,
    weight: FlexTensor,
    pub h: FlexTensor,
    unit: Unit,
}

pub fn forward(x: RowsPrimitive<Flex>, weight: FlexTensor, bias: &FlexTensor, unit: Unit) -> Layer {
    let (weight, bias) = (in_order(weight), in_order(bias.clone()));
    let [members, _, units] = dims(&weight);
    let x = Left::new(x, units);
    let [_, images, _] = x.dims();
    let mut h = Vec::with_capacity(members * images * units);
    for (member, bias) in entries(&bias).chunks_exact(units).enumerate() {
        let before = h.len();
        x.extend_by_product(member, &mut h, matrix(&weight, member), 1.0);
        let values = &mut h[before..];
        match unit {
            Unit::Linear => passes::add_bias(values, bias),
            Unit::Ramp => passes::ramp(values, bias),
        }
    }
    Layer {
        x,
        weight,
        h: tensor(h, [members, images, units]),
        unit,
    }
}

pub fn tracked<C: CheckpointStrategy>(
    x: RowsPrimitive<Autodiff<Flex, C>>,
    weight: FloatTensor<Autodiff<Flex, C>>,
    bias: FloatTensor<Autodiff<Flex, C>>,
    unit: Unit,
) -> FloatTensor<Autodiff<Flex, C>> {
    match x {
        RowsPrimitive::Numbers(x) => {
            let nodes = [weight.node(), bias.node(), x.node()];
            let x = untracked::<C>(RowsPrimitive::Numbers(x));
            let layer = forward(x, weight.into_primitive(), bias.primitive(), unit);
            let h = layer.h.clone();
            match Back.prepare::<C>(nodes).compute_bound().stateful() {
                OpsKind::Tracked(step) => step.finish(layer, h),
                OpsKind::UnTracked(step) => step.finish(h),
            }
        }
        RowsPrimitive::Bytes(x) => {
            let nodes = [weight.node(), bias.node()];
            let x = RowsPrimitive::Bytes(x);
            let layer = forward(x, weight.into_primitive(), bias.primitive(), unit);
            let h = layer.h.clone();
            match Back.prepare::<C>(nodes).compute_bound().stateful() {
                OpsKind::Tracked(step) => step.finish(layer, h),
                OpsKind::UnTracked(step) => step.finish(h),
            }
        }
    }
}

#[derive(Debug)]
struct Back;

/// The parents are W, b and, where rows are numbers, x.
impl<const N: usize> Backward<Flex, N> for Back {
    type State = Layer;

    fn backward(self, step: Step<Layer, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let layer = step.state;
        let mut delta = in_memory_alone(gradients.consume::<Flex>(&step.node));
        if layer.unit == Unit::Ramp {
            passes::through_ramp(delta.storage_mut(), entries(&layer.h));
        }
        let parents = step.parents.into_iter().enumerate();
        for (at, node) in parents.filter_map(|(at, node)| Some((at, node?))) {
            let gradient = match at {
                0 => layer.weight_gradient(&delta),
                1 => bias_gradient(&delta),
                _ => layer.input_gradient(&delta),
            };
            gradients.register::<Flex>(node.id, gradient);
        }
    }
}

impl Layer {
    fn weight_gradient(&self, delta: &FlexTensor) -> FlexTensor {
        let [members, inputs, units] = dims(&self.weight);
        let mut gradient = Vec::with_capacity(members * inputs * units);
        for member in 0..members {
            let delta = matrix(delta, member);
            self.x
                .extend_by_transposed_product(member, &mut gradient, delta, 1.0);
        }
        tensor(gradient, [members, inputs, units])
    }

    fn input_gradient(&self, delta: &FlexTensor) -> FlexTensor {
        let [members, inputs, _] = dims(&self.weight);
        let [batches, images, _] = self.x.dims();
        // A ramp that is off lets nothing through.
        let delta = Left::of_numbers(delta.clone(), inputs);
        let mut gradient = Vec::with_capacity(members * images * inputs);
        for member in 0..members {
            let weight = matrix(&self.weight, member).transposed();
            delta.extend_by_product(member, &mut gradient, weight, 1.0);
        }
        if batches == members {
            return tensor(gradient, [members, images, inputs]);
        }
        // What all members make of a batch that they share.
        let mut total = vec![0.0; images * inputs];
        passes::add_rows(&mut total, &gradient);
        tensor(total, [1, images, inputs])
    }
}

fn bias_gradient(delta: &FlexTensor) -> FlexTensor {
    let [members, images, units] = dims(delta);
    let mut gradient = vec![0.0; members * units];
    let deltas = entries(delta).chunks_exact(images * units);
    for (total, rows) in gradient.chunks_exact_mut(units).zip(deltas) {
        passes::add_rows(total, rows);
    }
    tensor(gradient, [members, 1, units])
}
