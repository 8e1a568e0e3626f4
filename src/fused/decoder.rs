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
use super::products::{AddRows, Matrix, extend_by_product};
use super::{DecoderWeight, Side, entries, of_inner, primitive, side, tensor, tracked, untracked};
use crate::wide::{LANES, Pass, wide};

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
            let [h, weight, bias, x] = all.map(|tensor| primitive(tensor.clone()));
            Some(of_inner(forward(&h, &weight, kind, &bias, &x).0))
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
            let (errors, residual) = forward(&h, &weight, kind, &bias, &x);
            let prepared = SquaredErrorBackward
                .prepare::<NoCheckpointing>(nodes)
                .compute_bound()
                .stateful();
            Some(untracked(match prepared {
                OpsKind::Tracked(tracked) => {
                    let state = State {
                        h,
                        weight,
                        kind,
                        residual,
                    };
                    tracked.finish(state, errors)
                }
                OpsKind::UnTracked(untracked) => untracked.finish(errors),
            }))
        }
        _ => None,
    }
}

#[derive(Debug)]
struct SquaredErrorBackward;

#[derive(Debug, Clone)]
struct State {
    h: FlexTensor,
    weight: FlexTensor,
    kind: DecoderWeight,
    residual: FlexTensor,
}

impl Backward<Flex, 3> for SquaredErrorBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let scales = in_order(gradients.consume::<Flex>(&ops.node));
        let State {
            h,
            weight,
            kind,
            residual,
        } = ops.state;
        let [members, images, units] = h.shape().dims::<3>();
        let inputs = residual.shape().dims::<3>()[2];
        let mut of_h = Vec::with_capacity(members * images * units);
        let mut of_weight = Vec::with_capacity(members * inputs * units);
        let mut of_bias = vec![0.0; members * inputs];

        for (member, &scale) in entries(&scales).iter().enumerate() {
            let h = matrix(&h, member);
            let weight = matrix(&weight, member);
            let r = matrix(&residual, member);
            match kind {
                DecoderWeight::Own => {
                    extend_by_product(&mut of_h, r, weight.transposed(), scale);
                    extend_by_product(&mut of_weight, h.transposed(), r, scale);
                }
                DecoderWeight::Tied => {
                    extend_by_product(&mut of_h, r, weight, scale);
                    extend_by_product(&mut of_weight, r.transposed(), h, scale);
                }
            }
            let of_bias = &mut of_bias[member * inputs..][..inputs];
            wide(AddRows {
                total: &mut *of_bias,
                rows: &entries(&residual)[member * images * inputs..][..images * inputs],
            });
            for sum in of_bias {
                *sum *= scale;
            }
        }

        let found = [
            tensor(of_h, [members, images, units]),
            tensor(of_weight, weight.shape().dims::<3>()),
            tensor(of_bias, [members, 1, inputs]),
        ];
        for (parent, gradient) in ops.parents.into_iter().zip(found) {
            if let Some(node) = parent {
                gradients.register::<Flex>(node.id, gradient);
            }
        }
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

/// The error of each member, `[member, 1, 1]`, and the residual r, `[member, batch, input]`.
fn forward(
    h: &FlexTensor,
    weight: &FlexTensor,
    kind: DecoderWeight,
    bias: &FlexTensor,
    x: &FlexTensor,
) -> (FlexTensor, FlexTensor) {
    let [members, images, _] = h.shape().dims::<3>();
    let [batches, _, inputs] = x.shape().dims::<3>();
    let batch_stride = if batches == 1 { 0 } else { images * inputs };
    let mut residual = Vec::with_capacity(members * images * inputs);
    let mut errors = Vec::with_capacity(members);
    for (member, bias) in entries(bias).chunks_exact(inputs).enumerate() {
        let before = residual.len();
        let weight = match kind {
            DecoderWeight::Own => matrix(weight, member),
            DecoderWeight::Tied => matrix(weight, member).transposed(),
        };
        extend_by_product(&mut residual, matrix(h, member), weight, 1.0);
        let x = &entries(x)[member * batch_stride..][..images * inputs];
        errors.push(wide(Subtract {
            values: &mut residual[before..],
            bias,
            x,
        }));
    }
    (
        tensor(errors, [members, 1, 1]),
        tensor(residual, [members, images, inputs]),
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
