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
//! (columns, sums over the batch). Four products of the weight's size in place of five, two of them with x, and no
//! pass over a reconstruction: worth it where there are fewer units than inputs and not more than images. Sums of large numbers
//! that nearly cancel lose a digit of the seven that there are.

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::input::Input;
use super::kernel::Along;
use super::layer::LayerPass;
use super::marks::Marks;
use super::products::{
    AddRows, LANES, Matrix, add_product, dot, extend_by_gram, extend_by_product,
    extend_by_product_over,
};
use super::{Side, entries, of_inner, primitive, side, tensor};
use crate::wide::{Pass, wide};

/// Whether a [`TiedPass`] is offered for a batch x, `[1 or member, batch, input]`, and a weight `[member, input, unit]`,
/// and is less work than its parts.
#[must_use]
pub fn prefers_tied(x: &Input, weight: &Tensor<3>) -> bool {
    let ([_, images, inputs], units) = (x.dims(), weight.dims()[2]);
    // In a step: G, W Σhhᵀ and two products of the code with a square, against reconstruction, ∂E/∂h and ∂E/∂W.
    side(weight) == Side::Plain && 2 * units * (inputs + images) < 3 * images * inputs
}

/// G = Wᵀ W of every member, `[member, unit, unit]`: as long as the weights stay, the same for every batch.
#[derive(Debug, Clone)]
pub struct Gram(FlexTensor);

impl Gram {
    /// Of weights `[member, input, unit]`; `None` if they are not on flex, or in a graph.
    #[must_use]
    pub fn new(weight: &Tensor<3>) -> Option<Self> {
        if side(weight) != Side::Plain {
            return None;
        }
        let [members, _, units] = weight.dims();
        let weight = primitive(weight.clone());
        let mut gram = Vec::with_capacity(members * units * units);
        for member in 0..members {
            extend_by_gram(&mut gram, matrix(&weight, member));
        }
        Some(Self(tensor(gram, [members, units, units])))
    }
}

/// The cost of a batch on its way, with what the way back needs.
#[derive(Debug)]
pub struct TiedPass {
    encoder: LayerPass,
    decoder_bias: FlexTensor,
    /// G h, `[member, batch, unit]`.
    gram_h: FlexTensor,
    /// Wᵀ c, `[member, 1, unit]`.
    back: FlexTensor,
    /// Σ x, `[member, 1, input]`, or `[1, 1, input]` where all see the same.
    x_sum: FlexTensor,
    /// `[member, 1, 1]`.
    errors: FlexTensor,
    /// Where each member's h is not 0.
    marks: Vec<Marks>,
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

impl TiedPass {
    /// E of what `encoder`, a layer of ramps with weights of this `gram`, was given and made of it. `decoder_bias` c:
    /// `[member, 1, input]`.
    #[must_use]
    pub fn new(encoder: LayerPass, decoder_bias: &Tensor<3>, gram: &Gram) -> Self {
        let decoder_bias = primitive(decoder_bias.clone());
        let LayerPass {
            x, h, weight, bias, ..
        } = &encoder;
        let [members, images, units] = h.shape().dims::<3>();
        let [batches, _, inputs] = x.dims();
        let (x_sums, x_squares) = x.moments();
        let mut gram_h = Vec::with_capacity(members * images * units);
        let mut back = Vec::with_capacity(members * units);
        let mut errors = Vec::with_capacity(members);
        let mut marks = Vec::with_capacity(members);
        for member in 0..members {
            let w = matrix(weight, member);
            let c = matrix(&decoder_bias, member);
            let gram = matrix(&gram.0, member);
            let h = matrix(h, member).entries();
            let of_member = Marks::of(h, units);
            extend_by_product_over(&mut gram_h, Along::new(h, &of_member), gram, 1.0);
            marks.push(of_member);
            extend_by_product(&mut back, c, w, 1.0);
            let codes = wide(CodeEnergy {
                h,
                gram_h: &gram_h[member * images * units..],
                back: &back[member * units..],
                bias: matrix(bias, member).entries(),
            });
            // Σ‖c − x‖² = n‖c‖² − 2 c Σx + Σ‖x‖².
            let c = c.entries();
            let x_sum = &x_sums[member % batches * inputs..][..inputs];
            let distances =
                images as f64 * dot(c, c) - 2.0 * dot(c, x_sum) + x_squares[member % batches];
            errors.push((codes + 0.5 * distances) as f32);
        }
        Self {
            decoder_bias,
            gram_h: tensor(gram_h, [members, images, units]),
            back: tensor(back, [members, 1, units]),
            x_sum: tensor(x_sums, [batches, 1, inputs]),
            errors: tensor(errors, [members, 1, 1]),
            marks,
            encoder,
        }
    }

    /// E of each member, summed over the batch, `[member, 1, 1]`.
    #[must_use]
    pub fn errors(&self) -> Tensor<3> {
        of_inner(self.errors.clone())
    }

    /// ∂E/∂W, ∂E/∂b and ∂E/∂c, all of them `scale` times. `pull`, `[member, 1, unit]`, is added to ∂E/∂h of every
    /// image first.
    #[must_use]
    pub fn gradients(self, scale: f32, pull: Option<Tensor<3>>) -> [Tensor<3>; 3] {
        let LayerPass {
            x, h, weight, bias, ..
        } = &self.encoder;
        let [members, images, units] = h.shape().dims::<3>();
        let inputs = weight.shape().dims::<3>()[1];
        let pull = pull.map_or_else(|| tensor(vec![0.0; units], [1, 1, units]), primitive);
        let mut of_weight = Vec::with_capacity(members * inputs * units);
        let mut of_bias = vec![0.0; members * units];
        let mut of_decoder_bias = Vec::with_capacity(members * inputs);

        for member in 0..members {
            let h = matrix(h, member);
            let w = matrix(weight, member);
            let c = matrix(&self.decoder_bias, member).entries();
            let mut beyond = vec![0.0; images * units];
            let mut h_sum = vec![0.0; units];
            wide(Delta {
                scale,
                h: h.entries(),
                gram_h: matrix(&self.gram_h, member).entries(),
                back: matrix(&self.back, member).entries(),
                bias: matrix(bias, member).entries(),
                pull: matrix(&pull, member).entries(),
                beyond: &mut beyond,
                sum: &mut of_bias[member * units..][..units],
            });
            wide(AddRows {
                total: &mut h_sum,
                rows: h.entries(),
            });

            let mut moments = Vec::with_capacity(units * units);
            let turned = Along::new(h.entries(), &self.marks[member]).transposed();
            extend_by_product_over(&mut moments, turned, h, scale);
            let start = of_weight.len();
            let beyond = Matrix::new(&beyond, images, units);
            x.extend_by_transposed_product(member, &mut of_weight, beyond);
            let out = &mut of_weight[start..];
            wide(AddOuter {
                out,
                scale,
                column: c,
                row: &h_sum,
            });
            add_product(out, w, Matrix::new(&moments, units, units), 1.0);

            let start = of_decoder_bias.len();
            let h_sum = Matrix::new(&h_sum, units, 1);
            extend_by_product(&mut of_decoder_bias, w, h_sum, scale);
            let x_sum = matrix(&self.x_sum, member).entries();
            for ((out, c), x) in of_decoder_bias[start..].iter_mut().zip(c).zip(x_sum) {
                *out += scale * (images as f32 * c - x);
            }
        }
        [
            of_inner(tensor(of_weight, [members, inputs, units])),
            of_inner(tensor(of_bias, [members, 1, units])),
            of_inner(tensor(of_decoder_bias, [members, 1, inputs])),
        ]
    }
}

/// Σ hᵀ (½ G h + Wᵀ c − h + b) over the batch: what its codes add to ½ Σ‖c − x‖².
struct CodeEnergy<'a> {
    h: &'a [f32],
    gram_h: &'a [f32],
    back: &'a [f32],
    bias: &'a [f32],
}

impl Pass for CodeEnergy<'_> {
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        let units = self.bias.len();
        let codes = self
            .h
            .chunks_exact(units)
            .zip(self.gram_h.chunks_exact(units));
        let mut total = 0.0;
        for (h, gram_h) in codes {
            total += f64::from(code_energy(h, gram_h, self.back, self.bias));
        }
        total
    }
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
