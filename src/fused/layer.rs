//! A layer of units that are linear on either side of 0: h = f(x W + b) with f(z) = z above 0 and a·z below.
//!
//! Backward, with δ = ∂E/∂h ∘ f′(z): ∂E/∂W = xᵀ δ, ∂E/∂b = Σ δ over the batch, ∂E/∂x = δ Wᵀ (Okatani, *Deep
//! Learning*, section 4.4). As a is positive or h is 0 below, h tells the sign of z.

use burn::backend::Flex;
use burn::backend::TensorMetadata;
use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::flex::in_order;
use super::products::{AddRows, Matrix, extend_by_product};
use super::{Side, entries, of_inner, primitive, side, tensor, tracked, untracked};
use crate::wide::{Pass, wide};

/// f(x W + b) with f(z) = z above 0 and `slope_below`·z below: 0 for ramps, 1 for no activation at all.
///
/// # Shapes
///
/// - x: `[member, batch, input]`, or `[1, batch, input]` where all members see the same batch
/// - weight: `[member, input, unit]`; bias: `[member, 1, unit]`
/// - output: `[member, batch, unit]`
#[must_use]
pub fn layer(
    x: &Tensor<3>,
    weight: &Tensor<3>,
    bias: &Tensor<3>,
    slope_below: f32,
) -> Option<Tensor<3>> {
    match (side(x), side(weight)) {
        (Side::Plain, Side::Plain) => {
            let [x, weight, bias] = [x, weight, bias].map(|tensor| primitive(tensor.clone()));
            Some(of_inner(forward(&x, &weight, &bias, slope_below)))
        }
        (Side::Autodiff, Side::Autodiff) => {
            let [x, weight, bias] = [x, weight, bias].map(|tensor| tracked(tensor.clone()));
            let shared = x.primitive().shape()[0] != weight.primitive().shape()[0];
            if shared && x.is_tracked() {
                // What all members make of a batch would have to be added up; no model of ours asks for it.
                return None;
            }
            let nodes = [x.node(), weight.node(), bias.node()];
            let [x, weight, bias] =
                [x, weight, bias].map(|tensor| in_order(tensor.into_primitive()));
            let h = forward(&x, &weight, &bias, slope_below);
            let prepared = LayerBackward
                .prepare::<NoCheckpointing>(nodes)
                .compute_bound()
                .stateful();
            Some(untracked(match prepared {
                OpsKind::Tracked(tracked) => {
                    let state = State {
                        x,
                        weight,
                        h: h.clone(),
                        slope_below,
                    };
                    tracked.finish(state, h)
                }
                OpsKind::UnTracked(untracked) => untracked.finish(h),
            }))
        }
        _ => None,
    }
}

#[derive(Debug)]
struct LayerBackward;

#[derive(Debug, Clone)]
struct State {
    x: FlexTensor,
    weight: FlexTensor,
    h: FlexTensor,
    slope_below: f32,
}

impl Backward<Flex, 3> for LayerBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let mut delta = in_order(gradients.consume::<Flex>(&ops.node));
        let State {
            x,
            weight,
            h,
            slope_below,
        } = ops.state;
        let below = ops.parents.map(|parent| parent.map(|node| node.id));
        let is_linear = slope_below.to_bits() == 1.0_f32.to_bits();
        if !is_linear {
            wide(ThroughActivation {
                delta: delta.storage_mut(),
                h: entries(&h),
                slope_below,
            });
        }
        let mut register = |node: Option<NodeId>, gradient: &dyn Fn() -> FlexTensor| {
            if let Some(node) = node {
                gradients.register::<Flex>(node, gradient());
            }
        };
        let shape = Shape::of(&x, &weight);
        register(below[2], &|| shape.bias_gradient(&delta));
        register(below[1], &|| shape.weight_gradient(&x, &delta));
        register(below[0], &|| shape.input_gradient(&delta, &weight));
    }
}

/// The sizes of a layer and its batch.
#[derive(Clone, Copy)]
struct Shape {
    members: usize,
    images: usize,
    inputs: usize,
    units: usize,
    /// Entries from one member's batch to the next one's; 0 where they share it.
    batch_stride: usize,
}

impl Shape {
    fn of(x: &FlexTensor, weight: &FlexTensor) -> Self {
        let ([batches, images, _], [members, inputs, units]) =
            (x.shape().dims::<3>(), weight.shape().dims::<3>());
        Self {
            members,
            images,
            inputs,
            units,
            batch_stride: if batches == 1 { 0 } else { images * inputs },
        }
    }

    /// x of one member.
    fn batch(self, x: &FlexTensor, member: usize) -> Matrix<'_> {
        let entries = &entries(x)[member * self.batch_stride..][..self.images * self.inputs];
        Matrix::new(entries, self.images, self.inputs)
    }

    /// W of one member.
    fn weight(self, weight: &FlexTensor, member: usize) -> Matrix<'_> {
        let size = self.inputs * self.units;
        Matrix::new(
            &entries(weight)[member * size..][..size],
            self.inputs,
            self.units,
        )
    }

    /// δ of one member.
    fn delta(self, delta: &FlexTensor, member: usize) -> Matrix<'_> {
        let size = self.images * self.units;
        Matrix::new(
            &entries(delta)[member * size..][..size],
            self.images,
            self.units,
        )
    }

    fn weight_gradient(self, x: &FlexTensor, delta: &FlexTensor) -> FlexTensor {
        let mut gradient = Vec::with_capacity(self.members * self.inputs * self.units);
        for member in 0..self.members {
            let (x, delta) = (self.batch(x, member), self.delta(delta, member));
            extend_by_product(&mut gradient, x.transposed(), delta, 1.0);
        }
        tensor(gradient, [self.members, self.inputs, self.units])
    }

    fn bias_gradient(self, delta: &FlexTensor) -> FlexTensor {
        let mut gradient = vec![0.0; self.members * self.units];
        let deltas = entries(delta).chunks_exact(self.images * self.units);
        for (total, rows) in gradient.chunks_exact_mut(self.units).zip(deltas) {
            wide(AddRows { total, rows });
        }
        tensor(gradient, [self.members, 1, self.units])
    }

    fn input_gradient(self, delta: &FlexTensor, weight: &FlexTensor) -> FlexTensor {
        let mut gradient = Vec::with_capacity(self.members * self.images * self.inputs);
        for member in 0..self.members {
            let (delta, weight) = (self.delta(delta, member), self.weight(weight, member));
            extend_by_product(&mut gradient, delta, weight.transposed(), 1.0);
        }
        tensor(gradient, [self.members, self.images, self.inputs])
    }
}

fn forward(x: &FlexTensor, weight: &FlexTensor, bias: &FlexTensor, slope_below: f32) -> FlexTensor {
    let shape = Shape::of(x, weight);
    let mut h = Vec::with_capacity(shape.members * shape.images * shape.units);
    for (member, bias) in entries(bias).chunks_exact(shape.units).enumerate() {
        let before = h.len();
        let (x, weight) = (shape.batch(x, member), shape.weight(weight, member));
        extend_by_product(&mut h, x, weight, 1.0);
        wide(Activate {
            values: &mut h[before..],
            bias,
            slope_below,
        });
    }
    tensor(h, [shape.members, shape.images, shape.units])
}

/// x W becomes f(x W + b).
struct Activate<'a> {
    values: &'a mut [f32],
    bias: &'a [f32],
    slope_below: f32,
}

impl Pass for Activate<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for row in self.values.chunks_exact_mut(self.bias.len()) {
            for (value, bias) in row.iter_mut().zip(self.bias) {
                let z = *value + bias;
                // What is not a number stays so. Adding 0 makes −0 an ordinary 0.
                *value = if z > 0.0 { z } else { self.slope_below * z } + 0.0;
            }
        }
    }
}

/// ∂E/∂h becomes δ.
struct ThroughActivation<'a> {
    delta: &'a mut [f32],
    h: &'a [f32],
    slope_below: f32,
}

impl Pass for ThroughActivation<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (delta, &h) in self.delta.iter_mut().zip(self.h) {
            *delta *= if h > 0.0 { 1.0 } else { self.slope_below };
        }
    }
}
