//! A layer of units that are linear on either side of 0: h = f(x W + b) with f(z) = z above 0 and a·z below.
//!
//! Backward, with δ = ∂E/∂h ∘ f′(z): ∂E/∂W = xᵀ δ, ∂E/∂b = Σ δ over the batch, ∂E/∂x = δ Wᵀ (Okatani, *Deep
//! Learning*, section 4.4). As a is positive or h is 0 below, h tells the sign of z.

use burn::backend::Flex;
use burn::backend::TensorMetadata;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::batch::{Batch, COLUMNS_WORTH_A_LOOK};
use super::flex::in_order;
use super::input::{Form, Input};
use super::kernel::Along;
use super::marks::Marks;
use super::products::{AddRows, AddScaled, Matrix, extend_by_product, extend_by_product_over};
use super::{Side, Wanted, entries, of_inner, primitive, side, tensor, tracked, untracked};
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
    x: &Input,
    weight: &Tensor<3>,
    bias: &Tensor<3>,
    slope_below: f32,
) -> Option<Tensor<3>> {
    match (&x.0, side(weight)) {
        (_, Side::Plain) => LayerPass::new(x, weight, bias, slope_below).map(|pass| pass.output()),
        (Form::Tensor(x), Side::Autodiff) if side(x) == Side::Autodiff => {
            let [x, weight, bias] = [x, weight, bias].map(|tensor| tracked(tensor.clone()));
            let shared = x.primitive().shape()[0] != weight.primitive().shape()[0];
            if shared && x.is_tracked() {
                // What all members make of a batch would have to be added up; no model of ours asks for it.
                return None;
            }
            let nodes = [x.node(), weight.node(), bias.node()];
            let [x, weight, bias] =
                [x, weight, bias].map(|tensor| in_order(tensor.into_primitive()));
            let x = Batch::of_tensor(&x, weight.shape()[2]);
            let pass = LayerPass::forward(x, weight, bias, slope_below);
            let h = pass.h.clone();
            let prepared = LayerBackward
                .prepare::<NoCheckpointing>(nodes)
                .compute_bound()
                .stateful();
            Some(untracked(match prepared {
                OpsKind::Tracked(tracked) => tracked.finish(pass, h),
                OpsKind::UnTracked(untracked) => untracked.finish(h),
            }))
        }
        _ => None,
    }
}

#[derive(Debug)]
struct LayerBackward;

impl Backward<Flex, 3> for LayerBackward {
    type State = LayerPass;

    fn backward(self, ops: Ops<LayerPass, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let of_h = in_order(gradients.consume::<Flex>(&ops.node));
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let found = ops.state.back(of_h, wanted);
        for (parent, gradient) in ops.parents.into_iter().zip(found) {
            if let (Some(node), Some(gradient)) = (parent, gradient) {
                gradients.register::<Flex>(node.id, gradient);
            }
        }
    }
}

/// A batch on its way through a [`layer`], outside of any graph, with what the way back needs.
#[derive(Debug, Clone)]
pub struct LayerPass {
    pub(super) x: Batch,
    pub(super) weight: FlexTensor,
    pub(super) bias: FlexTensor,
    pub(super) h: FlexTensor,
    slope_below: f32,
}

impl LayerPass {
    /// Arguments as in [`layer`]; `None` where x is not on flex, or in a graph.
    #[must_use]
    pub fn new(x: &Input, weight: &Tensor<3>, bias: &Tensor<3>, slope_below: f32) -> Option<Self> {
        let x = Batch::new(x, weight.dims()[2])?;
        let [weight, bias] = [weight, bias].map(|tensor| primitive(tensor.clone()));
        Some(Self::forward(x, weight, bias, slope_below))
    }

    /// h = f(x W + b), `[member, batch, unit]`.
    #[must_use]
    pub fn output(&self) -> Tensor<3> {
        of_inner(self.h.clone())
    }

    /// ∂E/∂W and ∂E/∂b from ∂E/∂h, and ∂E/∂x behind them if it is wanted; shapes are those of what they belong to.
    #[must_use]
    pub fn gradients(self, of_h: Tensor<3>, of_x: Wanted) -> ([Tensor<3>; 2], Option<Tensor<3>>) {
        let wanted = [of_x == Wanted::Yes, true, true];
        let [of_x, of_weight, of_bias] = self.back(primitive(of_h), wanted);
        let given = |gradient: Option<FlexTensor>| of_inner(gradient.expect("it was wanted"));
        ([given(of_weight), given(of_bias)], of_x.map(of_inner))
    }

    /// W and b after a step of plain gradient descent from ∂E/∂h, and ∂E/∂x behind them if it is wanted. The gradient of W
    /// is added to it as it comes about; in place, if nobody else holds W.
    #[must_use]
    pub fn descend(
        mut self,
        of_h: Tensor<3>,
        learning_rate: f32,
        of_x: Wanted,
    ) -> ([Tensor<3>; 2], Option<Tensor<3>>) {
        let delta = self.through_activation(primitive(of_h));
        let shape = Shape::of(&self.x, &self.weight);
        let of_x = (of_x == Wanted::Yes).then(|| shape.input_gradient(&delta, &self.weight));
        let weights = self.weight.storage_mut::<f32>();
        let of_members = weights.chunks_exact_mut(shape.inputs * shape.units);
        for (member, weight) in of_members.enumerate() {
            let delta = shape.delta(&delta, member);
            self.x
                .add_transposed_product(member, weight, delta, -learning_rate);
        }
        let of_bias = shape.bias_gradient(&delta);
        wide(AddScaled {
            total: self.bias.storage_mut(),
            scale: -learning_rate,
            values: entries(&of_bias),
        });
        let learnt = [self.weight, self.bias].map(of_inner);
        (learnt, of_x.map(of_inner))
    }

    fn forward(x: Batch, weight: FlexTensor, bias: FlexTensor, slope_below: f32) -> Self {
        let shape = Shape::of(&x, &weight);
        let mut h = Vec::with_capacity(shape.members * shape.images * shape.units);
        for (member, bias) in entries(&bias).chunks_exact(shape.units).enumerate() {
            let before = h.len();
            x.extend_by_product(member, &mut h, shape.weight(&weight, member));
            wide(Activate {
                values: &mut h[before..],
                bias,
                slope_below,
            });
        }
        Self {
            x,
            weight,
            bias,
            h: tensor(h, [shape.members, shape.images, shape.units]),
            slope_below,
        }
    }

    /// ∂E/∂x, ∂E/∂W and ∂E/∂b from ∂E/∂h, those of them that are wanted.
    fn back(self, of_h: FlexTensor, wanted: [bool; 3]) -> [Option<FlexTensor>; 3] {
        let delta = self.through_activation(of_h);
        let shape = Shape::of(&self.x, &self.weight);
        [
            wanted[0].then(|| shape.input_gradient(&delta, &self.weight)),
            wanted[1].then(|| self.weight_gradient(shape, &delta)),
            wanted[2].then(|| shape.bias_gradient(&delta)),
        ]
    }

    /// δ from ∂E/∂h.
    fn through_activation(&self, of_h: FlexTensor) -> FlexTensor {
        let mut delta = of_h;
        let is_linear = self.slope_below.to_bits() == 1.0_f32.to_bits();
        if !is_linear {
            wide(ThroughActivation {
                delta: delta.storage_mut(),
                h: entries(&self.h),
                slope_below: self.slope_below,
            });
        }
        delta
    }

    fn weight_gradient(&self, shape: Shape, delta: &FlexTensor) -> FlexTensor {
        let mut gradient = Vec::with_capacity(shape.members * shape.inputs * shape.units);
        for member in 0..shape.members {
            let delta = shape.delta(delta, member);
            self.x
                .extend_by_transposed_product(member, &mut gradient, delta);
        }
        tensor(gradient, [shape.members, shape.inputs, shape.units])
    }
}

/// The sizes of a layer and its batch.
#[derive(Clone, Copy)]
struct Shape {
    members: usize,
    images: usize,
    inputs: usize,
    units: usize,
}

impl Shape {
    fn of(x: &Batch, weight: &FlexTensor) -> Self {
        let ([_, images, _], [members, inputs, units]) = (x.dims(), weight.shape().dims::<3>());
        Self {
            members,
            images,
            inputs,
            units,
        }
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
            if self.units.min(self.inputs) >= COLUMNS_WORTH_A_LOOK {
                // A ramp that is off lets nothing through.
                let marks = Marks::of(delta.entries(), self.units);
                let delta = Along::new(delta.entries(), &marks);
                extend_by_product_over(&mut gradient, delta, weight.transposed(), 1.0);
            } else {
                extend_by_product(&mut gradient, delta, weight.transposed(), 1.0);
            }
        }
        tensor(gradient, [self.members, self.images, self.inputs])
    }
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
