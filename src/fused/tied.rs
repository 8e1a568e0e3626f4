//! The cost of a tied autoencoder of ramps with a linear decoder, E = ½ Σ ‖W h + c − x‖² with h = max(0, Wᵀ x + b),
//! as one operation that never makes the reconstruction.
//!
//! With G = Wᵀ W, and as z − b = Wᵀ x and z = h wherever h is not 0,
//!
//! ```text
//! E of an image = ½ hᵀ G h + hᵀ (Wᵀ c − h + b) + ½ ‖c − x‖²
//! ∂E/∂h         = G h + Wᵀ c − (h − b)          wherever h is not 0
//! ∂E/∂W         = W Σ h hᵀ + c Σ hᵀ + Σ x (δ − h)ᵀ,   δ = ∂E/∂h through the ramp
//! ∂E/∂c         = W Σ h + Σ (c − x),   ∂E/∂b = Σ δ
//! ```
//!
//! (columns, sums over the batch). Four products of the weight's size in place of five, and no pass over a
//! reconstruction: worth it where there are fewer units than inputs and not more than images. Sums of large numbers
//! that nearly cancel lose a digit of the seven that there are.

use burn::backend::Flex;
use burn::backend::TensorMetadata;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::flex::in_order;
use super::products::{AddRows, Matrix, add_product, extend_by_product};
use super::{Side, entries, of_inner, primitive, side, tensor, tracked, untracked};
use crate::wide::{LANES, Pass, wide};

/// Whether [`tied`] is offered for a weight `[member, input, unit]` and batches of `images`, in a graph or outside of
/// any, and is less work than its parts.
#[must_use]
pub fn prefers_tied(weight: &Tensor<3>, images: usize) -> bool {
    let [_, inputs, units] = weight.dims();
    // In a step: G, W Σhhᵀ and two products of the code with a square, against reconstruction, ∂E/∂h and ∂E/∂W.
    side(weight) != Side::Elsewhere && 2 * units * (inputs + images) < 3 * images * inputs
}

/// E of each member. `pull`, if any, is added to ∂E/∂h of every image; it enters by its gradient alone.
///
/// # Shapes
///
/// - x: `[member, batch, input]`, or `[1, batch, input]` where all members see the same
/// - h (the code of x, outside of any graph): `[member, batch, unit]`
/// - weight: `[member, input, unit]`; bias b: `[member, 1, unit]`; decoder's bias c: `[member, 1, input]`
/// - pull: `[member, 1, unit]`, outside of any graph
/// - output: `[member, 1, 1]`
///
/// # Panics
///
/// Panics where it is not [offered](prefers_tied).
#[must_use]
pub fn tied(
    x: &Tensor<3>,
    h: Tensor<3>,
    weight: &Tensor<3>,
    bias: &Tensor<3>,
    decoder_bias: &Tensor<3>,
    pull: Option<Tensor<3>>,
) -> Tensor<3> {
    if side(weight) == Side::Plain {
        let [x, weight, bias, decoder_bias] =
            [x, weight, bias, decoder_bias].map(|tensor| primitive(tensor.clone()));
        return of_inner(State::forward(x, primitive(h), weight, bias, decoder_bias, None).1);
    }
    let parts = [weight, bias, decoder_bias].map(|tensor| tracked(tensor.clone()));
    let [weight, bias, decoder_bias] = parts;
    let nodes = [weight.node(), bias.node(), decoder_bias.node()];
    let [weight, bias, decoder_bias] =
        [weight, bias, decoder_bias].map(|tensor| in_order(tensor.into_primitive()));
    let x = in_order(tracked(x.clone()).into_primitive());
    let (state, errors) = State::forward(
        x,
        primitive(h),
        weight,
        bias,
        decoder_bias,
        pull.map(primitive),
    );
    let prepared = TiedBackward
        .prepare::<NoCheckpointing>(nodes)
        .compute_bound()
        .stateful();
    untracked(match prepared {
        OpsKind::Tracked(tracked) => tracked.finish(state, errors),
        OpsKind::UnTracked(untracked) => untracked.finish(errors),
    })
}

#[derive(Debug)]
struct TiedBackward;

#[derive(Debug, Clone)]
struct State {
    x: FlexTensor,
    h: FlexTensor,
    weight: FlexTensor,
    bias: FlexTensor,
    decoder_bias: FlexTensor,
    pull: Option<FlexTensor>,
    /// G h, `[member, batch, unit]`.
    gram_h: FlexTensor,
    /// Wᵀ c, `[member, 1, unit]`.
    back: FlexTensor,
    /// Σ x, `[member, 1, input]`.
    x_sum: FlexTensor,
}

/// One member's part of a `[member, rows, columns]` tensor, or the only part there is.
fn matrix(tensor: &FlexTensor, member: usize) -> Matrix<'_> {
    let [members, rows, columns] = tensor.shape().dims::<3>();
    let member = if members == 1 { 0 } else { member };
    Matrix::new(
        &entries(tensor)[member * rows * columns..][..rows * columns],
        rows,
        columns,
    )
}

impl State {
    fn forward(
        x: FlexTensor,
        h: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        decoder_bias: FlexTensor,
        pull: Option<FlexTensor>,
    ) -> (Self, FlexTensor) {
        let [members, images, units] = h.shape().dims::<3>();
        let inputs = weight.shape().dims::<3>()[1];
        let mut gram = Vec::with_capacity(units * units);
        let mut gram_h = Vec::with_capacity(members * images * units);
        let mut back = Vec::with_capacity(members * units);
        let mut x_sum = vec![0.0; members * inputs];
        let mut errors = Vec::with_capacity(members);
        for (member, x_sum) in x_sum.chunks_exact_mut(inputs).enumerate() {
            let w = matrix(&weight, member);
            let c = matrix(&decoder_bias, member);
            gram.clear();
            extend_by_product(&mut gram, w.transposed(), w, 1.0);
            let square = Matrix::new(&gram, units, units);
            extend_by_product(&mut gram_h, matrix(&h, member), square, 1.0);
            extend_by_product(&mut back, c, w, 1.0);
            errors.push(wide(Errors {
                x: matrix(&x, member).entries(),
                c: c.entries(),
                x_sum,
                h: matrix(&h, member).entries(),
                gram_h: &gram_h[member * images * units..],
                back: &back[member * units..],
                bias: matrix(&bias, member).entries(),
            }));
        }
        let state = Self {
            x,
            h,
            weight,
            bias,
            decoder_bias,
            pull,
            gram_h: tensor(gram_h, [members, images, units]),
            back: tensor(back, [members, 1, units]),
            x_sum: tensor(x_sum, [members, 1, inputs]),
        };
        (state, tensor(errors, [members, 1, 1]))
    }
}

impl Backward<Flex, 3> for TiedBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let scales = in_order(gradients.consume::<Flex>(&ops.node));
        let state = ops.state;
        let [members, images, units] = state.h.shape().dims::<3>();
        let inputs = state.weight.shape().dims::<3>()[1];
        let mut of_weight = Vec::with_capacity(members * inputs * units);
        let mut of_bias = vec![0.0; members * units];
        let mut of_decoder_bias = Vec::with_capacity(members * inputs);
        let none = vec![0.0; units];

        for (member, &scale) in entries(&scales).iter().enumerate() {
            let h = matrix(&state.h, member);
            let w = matrix(&state.weight, member);
            let c = matrix(&state.decoder_bias, member).entries();
            let mut beyond = vec![0.0; images * units];
            let mut h_sum = vec![0.0; units];
            wide(Delta {
                scale,
                h: h.entries(),
                gram_h: matrix(&state.gram_h, member).entries(),
                back: matrix(&state.back, member).entries(),
                bias: matrix(&state.bias, member).entries(),
                pull: state
                    .pull
                    .as_ref()
                    .map_or(&none[..], |pull| matrix(pull, member).entries()),
                beyond: &mut beyond,
                sum: &mut of_bias[member * units..][..units],
            });
            wide(AddRows {
                total: &mut h_sum,
                rows: h.entries(),
            });

            let mut moments = Vec::with_capacity(units * units);
            extend_by_product(&mut moments, h.transposed(), h, scale);
            let start = of_weight.len();
            extend_by_product(&mut of_weight, w, Matrix::new(&moments, units, units), 1.0);
            let out = &mut of_weight[start..];
            wide(AddOuter {
                out,
                scale,
                column: c,
                row: &h_sum,
            });
            let beyond = Matrix::new(&beyond, images, units);
            add_product(out, matrix(&state.x, member).transposed(), beyond, 1.0);

            let start = of_decoder_bias.len();
            extend_by_product(
                &mut of_decoder_bias,
                w,
                Matrix::new(&h_sum, units, 1),
                scale,
            );
            let x_sum = matrix(&state.x_sum, member).entries();
            for ((out, c), x) in of_decoder_bias[start..].iter_mut().zip(c).zip(x_sum) {
                *out += scale * (images as f32 * c - x);
            }
        }

        let found = [
            tensor(of_weight, [members, inputs, units]),
            tensor(of_bias, [members, 1, units]),
            tensor(of_decoder_bias, [members, 1, inputs]),
        ];
        for (parent, gradient) in ops.parents.into_iter().zip(found) {
            if let Some(node) = parent {
                gradients.register::<Flex>(node.id, gradient);
            }
        }
    }
}

/// E summed over the batch, and Σ x on the way.
struct Errors<'a> {
    x: &'a [f32],
    c: &'a [f32],
    x_sum: &'a mut [f32],
    h: &'a [f32],
    gram_h: &'a [f32],
    back: &'a [f32],
    bias: &'a [f32],
}

impl Pass for Errors<'_> {
    type Output = f32;

    #[inline(always)]
    fn run(self) -> f32 {
        let (inputs, units) = (self.c.len(), self.bias.len());
        let mut total = 0.0_f64;
        for x in self.x.chunks_exact(inputs) {
            for (sum, x) in self.x_sum.iter_mut().zip(x) {
                *sum += x;
            }
            total += 0.5 * f64::from(squared_distance(self.c, x));
        }
        let codes = self
            .h
            .chunks_exact(units)
            .zip(self.gram_h.chunks_exact(units));
        for (h, gram_h) in codes {
            total += f64::from(code_energy(h, gram_h, self.back, self.bias));
        }
        total as f32
    }
}

/// ‖a − b‖².
#[inline(always)]
fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += (a - b) * (a - b);
        }
    }
    for ((lane, a), b) in lanes.iter_mut().zip(a_rest).zip(b_rest) {
        *lane += (a - b) * (a - b);
    }
    lanes.iter().sum()
}

/// hᵀ (½ G h + Wᵀ c − h + b).
#[inline(always)]
fn code_energy(h: &[f32], gram_h: &[f32], back: &[f32], bias: &[f32]) -> f32 {
    let units = h.len();
    let (gram_h, back, bias) = (&gram_h[..units], &back[..units], &bias[..units]);
    let term = |at: usize| h[at] * (0.5 * gram_h[at] + back[at] - h[at] + bias[at]);
    let whole = units - units % LANES;
    let mut lanes = [0.0_f32; LANES];
    for block in (0..whole).step_by(LANES) {
        for (at, lane) in lanes.iter_mut().enumerate() {
            *lane += term(block + at);
        }
    }
    for (at, lane) in (whole..units).zip(&mut lanes) {
        *lane += term(at);
    }
    lanes.iter().sum()
}

/// δ − s h, where s scales the whole cost, and Σ δ.
struct Delta<'a> {
    scale: f32,
    h: &'a [f32],
    gram_h: &'a [f32],
    back: &'a [f32],
    bias: &'a [f32],
    pull: &'a [f32],
    beyond: &'a mut [f32],
    sum: &'a mut [f32],
}

impl Pass for Delta<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let units = self.bias.len();
        let (back, bias, pull) = (
            &self.back[..units],
            &self.bias[..units],
            &self.pull[..units],
        );
        let sums = &mut self.sum[..units];
        let rows = self
            .h
            .chunks_exact(units)
            .zip(self.gram_h.chunks_exact(units));
        for (out, (h, gram_h)) in self.beyond.chunks_exact_mut(units).zip(rows) {
            // Slices of one known length, so that nothing has to be checked inside the loop.
            let (out, h, gram_h) = (&mut out[..units], &h[..units], &gram_h[..units]);
            for at in 0..units {
                let gradient = gram_h[at] + back[at] - (h[at] - bias[at]) + pull[at];
                let delta = if h[at] > 0.0 {
                    self.scale * gradient
                } else {
                    0.0
                };
                sums[at] += delta;
                out[at] = delta - self.scale * h[at];
            }
        }
    }
}

/// Adds s · column · rowᵀ.
struct AddOuter<'a> {
    out: &'a mut [f32],
    scale: f32,
    column: &'a [f32],
    row: &'a [f32],
}

impl Pass for AddOuter<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let rows = self.out.chunks_exact_mut(self.row.len());
        for (out, value) in rows.zip(self.column) {
            let factor = self.scale * value;
            for (out, row) in out.iter_mut().zip(self.row) {
                *out += factor * row;
            }
        }
    }
}
