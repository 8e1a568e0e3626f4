//! A linear decoder with its squared error, ½ Σ ‖h W̃ + c − x‖² over a batch.
//!
//! Backward, with r = h W̃ + c − x: ∂E/∂h = r W̃ᵀ, ∂E/∂W̃ = hᵀ r, ∂E/∂c = Σ r over the batch.

use burn::backend::Flex;
use burn::backend::TensorMetadata;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::flex::in_order;
use super::products::{AddRows, LANES, Matrix, extend_by_product};
use super::{DecoderWeight, Side, entries, of_inner, primitive, side, tensor, tracked, untracked};
use crate::wide::{Pass, wide};

/// ½ Σ ‖h W̃ + c − x‖² of each member, summed over inputs and images.
///
/// # Shapes
///
/// - h: `[member, batch, unit]`; weight: as `kind` says; bias c: `[member, 1, input]`
/// - x: `[member, batch, input]`, or `[1, batch, input]` where all members see the same; nothing learns from it
/// - output: `[member, 1, 1]`
#[must_use]
pub fn squared_error(
    h: &Tensor<3>,
    weight: &Tensor<3>,
    kind: DecoderWeight,
    bias: &Tensor<3>,
    x: &Tensor<3>,
) -> Option<Tensor<3>> {
    let all = [h, weight, bias, x];
    match all.map(side) {
        [Side::Plain, Side::Plain, Side::Plain, Side::Plain] => {
            DecoderPass::new(h, weight, kind, bias, x).map(|pass| pass.errors())
        }
        [
            Side::Autodiff,
            Side::Autodiff,
            Side::Autodiff,
            Side::Autodiff,
        ] => {
            let [h, weight, bias, x] = all.map(|tensor| tracked(tensor.clone()));
            if x.is_tracked() {
                return None;
            }
            let nodes = [h.node(), weight.node(), bias.node()];
            let [h, weight, bias, x] =
                [h, weight, bias, x].map(|tensor| in_order(tensor.into_primitive()));
            let pass = DecoderPass::forward(h, weight, kind, &bias, &x);
            let errors = pass.errors.clone();
            let prepared = SquaredErrorBackward
                .prepare::<NoCheckpointing>(nodes)
                .compute_bound()
                .stateful();
            Some(untracked(match prepared {
                OpsKind::Tracked(tracked) => tracked.finish(pass, errors),
                OpsKind::UnTracked(untracked) => untracked.finish(errors),
            }))
        }
        _ => None,
    }
}

#[derive(Debug)]
struct SquaredErrorBackward;

impl Backward<Flex, 3> for SquaredErrorBackward {
    type State = DecoderPass;

    fn backward(self, ops: Ops<DecoderPass, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let scales = in_order(gradients.consume::<Flex>(&ops.node));
        let found = ops.state.back(entries(&scales), None);
        for (parent, gradient) in ops.parents.into_iter().zip(found) {
            if let Some(node) = parent {
                gradients.register::<Flex>(node.id, gradient);
            }
        }
    }
}

/// A code on its way through the decoder, outside of any graph, with what the way back needs.
#[derive(Debug, Clone)]
pub struct DecoderPass {
    h: FlexTensor,
    weight: FlexTensor,
    kind: DecoderWeight,
    /// r, `[member, batch, input]`.
    residual: FlexTensor,
    /// `[member, 1, 1]`.
    errors: FlexTensor,
}

impl DecoderPass {
    /// Arguments as in [`squared_error`]; `None` where h is not on flex, or in a graph.
    #[must_use]
    pub fn new(
        h: &Tensor<3>,
        weight: &Tensor<3>,
        kind: DecoderWeight,
        bias: &Tensor<3>,
        x: &Tensor<3>,
    ) -> Option<Self> {
        if side(h) != Side::Plain {
            return None;
        }
        let [h, weight, bias, x] = [h, weight, bias, x].map(|tensor| primitive(tensor.clone()));
        Some(Self::forward(h, weight, kind, &bias, &x))
    }

    /// The error of each member, `[member, 1, 1]`.
    #[must_use]
    pub fn errors(&self) -> Tensor<3> {
        of_inner(self.errors.clone())
    }

    /// ∂E/∂h, ∂E/∂W̃ and ∂E/∂c, all of them `scale` times. `pull`, `[member, 1, unit]`, is added to ∂E/∂h of every
    /// image first.
    #[must_use]
    pub fn gradients(self, scale: f32, pull: Option<Tensor<3>>) -> [Tensor<3>; 3] {
        let scales = vec![scale; self.h.shape()[0]];
        let pull = pull.map(primitive);
        self.back(&scales, pull.as_ref()).map(of_inner)
    }

    fn forward(
        h: FlexTensor,
        weight: FlexTensor,
        kind: DecoderWeight,
        bias: &FlexTensor,
        x: &FlexTensor,
    ) -> Self {
        let [members, images, _] = h.shape().dims::<3>();
        let [batches, _, inputs] = x.shape().dims::<3>();
        let mut residual = Vec::with_capacity(members * images * inputs);
        let mut errors = Vec::with_capacity(members);
        for (member, bias) in entries(bias).chunks_exact(inputs).enumerate() {
            let before = residual.len();
            let decoder = match kind {
                DecoderWeight::Own => matrix(&weight, member),
                DecoderWeight::Tied => matrix(&weight, member).transposed(),
            };
            extend_by_product(&mut residual, matrix(&h, member), decoder, 1.0);
            errors.push(wide(Subtract {
                values: &mut residual[before..],
                bias,
                x: matrix(x, member % batches).entries(),
            }));
        }
        Self {
            h,
            weight,
            kind,
            residual: tensor(residual, [members, images, inputs]),
            errors: tensor(errors, [members, 1, 1]),
        }
    }

    /// ∂E/∂h, ∂E/∂W̃ and ∂E/∂c, each member's scaled by its own of `scales`.
    fn back(self, scales: &[f32], pull: Option<&FlexTensor>) -> [FlexTensor; 3] {
        let [members, images, units] = self.h.shape().dims::<3>();
        let inputs = self.residual.shape().dims::<3>()[2];
        let mut of_h = Vec::with_capacity(members * images * units);
        let mut of_weight = Vec::with_capacity(members * inputs * units);
        let mut of_bias = vec![0.0; members * inputs];
        for (member, &scale) in scales.iter().enumerate() {
            let h = matrix(&self.h, member);
            let weight = matrix(&self.weight, member);
            let r = matrix(&self.residual, member);
            match self.kind {
                DecoderWeight::Own => {
                    extend_by_product(&mut of_h, r, weight.transposed(), scale);
                    extend_by_product(&mut of_weight, h.transposed(), r, scale);
                }
                DecoderWeight::Tied => {
                    extend_by_product(&mut of_h, r, weight, scale);
                    extend_by_product(&mut of_weight, r.transposed(), h, scale);
                }
            }
            if let Some(pull) = pull {
                let of_images = of_h[member * images * units..].chunks_exact_mut(units);
                for of_image in of_images {
                    for (out, pull) in of_image.iter_mut().zip(matrix(pull, member).entries()) {
                        *out += scale * pull;
                    }
                }
            }
            let of_bias = &mut of_bias[member * inputs..][..inputs];
            wide(AddRows {
                total: &mut *of_bias,
                rows: r.entries(),
            });
            for sum in of_bias {
                *sum *= scale;
            }
        }
        [
            tensor(of_h, [members, images, units]),
            tensor(of_weight, self.weight.shape().dims::<3>()),
            tensor(of_bias, [members, 1, inputs]),
        ]
    }
}

/// One member's matrix.
fn matrix(tensor: &FlexTensor, member: usize) -> Matrix<'_> {
    let [_, rows, columns] = tensor.shape().dims::<3>();
    Matrix::new(
        &entries(tensor)[member * rows * columns..][..rows * columns],
        rows,
        columns,
    )
}

/// h W̃ becomes r = h W̃ + c − x; the result is ½ Σ r².
struct Subtract<'a> {
    values: &'a mut [f32],
    bias: &'a [f32],
    x: &'a [f32],
}

impl Pass for Subtract<'_> {
    type Output = f32;

    #[inline(always)]
    fn run(self) -> f32 {
        let inputs = self.bias.len();
        let rows = self.values.chunks_exact_mut(inputs);
        let mut total = 0.0_f64;
        for (row, x) in rows.zip(self.x.chunks_exact(inputs)) {
            for ((value, bias), x) in row.iter_mut().zip(self.bias).zip(x) {
                *value = *value + bias - x;
            }
            total += f64::from(sum_of_squares(row));
        }
        (0.5 * total) as f32
    }
}

#[inline(always)]
fn sum_of_squares(values: &[f32]) -> f32 {
    let (blocks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [0.0_f32; LANES];
    for block in blocks {
        for (lane, value) in lanes.iter_mut().zip(block) {
            *lane += value * value;
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane += value * value;
    }
    lanes.iter().sum()
}
