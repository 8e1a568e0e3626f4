//! The cost of a tied autoencoder of ramps with a linear decoder, E = ½ ‖W h + c − x‖² with h = max(0, Wᵀ x + b), as a mean
//! over the batch, without ever making the reconstruction.
//!
//! With G = Wᵀ W, and as Wᵀ x = h − b wherever h is not 0 (columns; sums over the batch, which the mean divides by the
//! number of images),
//!
//! ```text
//! E      = Σ ½ hᵀ G h + hᵀ (Wᵀ c − h + b) + ½ ‖c − x‖²
//! ∂E/∂h  = G h + Wᵀ c − 2 h + b          wherever h is not 0; elsewhere nothing passes the ramp
//! ∂E/∂W  = W Σ h hᵀ + c Σ hᵀ
//! ∂E/∂c  = W Σ h + Σ (c − x),   ∂E/∂b = Σ h
//! ```
//!
//! These are the slopes of that formula in h, W, b and c. As h is made of W and b, its ramp adds Σ x (∂E/∂h)ᵀ to ∂E/∂W and
//! Σ ∂E/∂h to ∂E/∂b, and the sums are those of the textbook. Four products of the weight's size in place of five, two of
//! them with x, and no pass over a reconstruction: worth it where there are fewer units than inputs, and not many more
//! than images. Sums of large numbers that nearly cancel lose a digit of the seven that there are.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;

use super::squared_error::{self, DecoderPass};
use super::{
    DecoderError, Left, RowsPrimitive, Saved, dims, entries, in_order, matrix, moments, tensor,
};
use crate::ops::kernels::matrix::{Matrix, extend_by_gram, extend_by_product};
use crate::ops::kernels::passes;

/// A code that was held against what it is the code of, one way or the other.
#[derive(Debug, Clone)]
pub enum TiedPass {
    ByGram(Box<ByGram>),
    ByReconstruction(Box<DecoderPass>),
}

/// With what the backward pass needs.
#[derive(Debug, Clone)]
pub struct ByGram {
    h: Left,
    weight: FlexTensor,
    bias: FlexTensor,
    decoder_bias: FlexTensor,
    /// G h, `[member, batch, unit]`.
    gram_h: FlexTensor,
    /// Wᵀ c, `[member, 1, unit]`.
    back: FlexTensor,
    /// Σ x, `[member, 1, input]`, or `[1, 1, input]` where all see the same.
    x_sum: FlexTensor,
    /// `[member, 1, 1]`.
    errors: FlexTensor,
}

impl TiedPass {
    /// E of each member, `[member, 1, 1]`.
    pub fn errors(&self) -> FlexTensor {
        match self {
            Self::ByGram(cost) => cost.errors.clone(),
            Self::ByReconstruction(cost) => cost.errors.clone(),
        }
    }
}

pub fn forward(
    h: FlexTensor,
    weight: FlexTensor,
    bias: FlexTensor,
    decoder_bias: FlexTensor,
    x: RowsPrimitive<Flex>,
) -> TiedPass {
    let ([_, images, units], [_, inputs, _]) = (dims(&h), dims(&weight));
    // In a step: G, W Σ h hᵀ and two products of the code with a square, against reconstruction, ∂E/∂h and ∂E/∂W.
    if 2 * units * (inputs + images) < 3 * images * inputs {
        TiedPass::ByGram(Box::new(ByGram::new(h, weight, bias, decoder_bias, x)))
    } else {
        let weight = weight.transpose(1, 2);
        TiedPass::ByReconstruction(Box::new(squared_error::forward(
            h,
            weight,
            &decoder_bias,
            x,
            DecoderError::Squared,
        )))
    }
}

/// The parents are h, W, c and b.
impl Saved<4> for TiedPass {
    fn gradients(self, of_errors: FlexTensor, wanted: [bool; 4]) -> [Option<FlexTensor>; 4] {
        match self {
            Self::ByGram(cost) => {
                let scales = in_order(of_errors);
                cost.gradients(entries(&scales)).map(Some)
            }
            Self::ByReconstruction(decoder) => {
                let [h, weight, decoder_bias, _] = wanted;
                let [of_h, of_weight, of_decoder_bias] =
                    decoder.gradients(of_errors, [h, weight, decoder_bias]);
                let of_weight = of_weight.map(|gradient| gradient.transpose(1, 2));
                // b is not in this form: its gradient comes from the ramp that made h.
                [of_h, of_weight, of_decoder_bias, None]
            }
        }
    }
}

impl ByGram {
    fn new(
        h: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        decoder_bias: FlexTensor,
        x: RowsPrimitive<Flex>,
    ) -> Self {
        let [h, weight, bias, decoder_bias] = [h, weight, bias, decoder_bias].map(in_order);
        let [members, images, units] = dims(&h);
        let h = Left::of_numbers(h, units);
        let (x_sum, x_squares) = moments(x);
        let [batches, _, _] = dims(&x_sum);
        let mut gram_h = Vec::with_capacity(members * images * units);
        let mut back = Vec::with_capacity(members * units);
        let mut errors = Vec::with_capacity(members);
        for member in 0..members {
            let (w, c) = (matrix(&weight, member), matrix(&decoder_bias, member));
            let mut gram = Vec::with_capacity(units * units);
            extend_by_gram(&mut gram, w);
            let gram = Matrix::new(&gram, units, units);
            extend_by_product(&mut gram_h, h.of(member), gram, 1.0);
            extend_by_product(&mut back, c, w, 1.0);
            let codes = passes::code_energy(
                matrix(&h.tensor, member).entries(),
                &gram_h[member * images * units..],
                &back[member * units..],
                matrix(&bias, member).entries(),
            );
            // Σ‖c − x‖² = n‖c‖² − 2 c Σx + Σ‖x‖².
            let c = c.entries();
            let cross = passes::dot(c, matrix(&x_sum, member).entries());
            let distances =
                images as f64 * passes::dot(c, c) - 2.0 * cross + x_squares[member % batches];
            errors.push(((codes + 0.5 * distances) / images as f64) as f32);
        }
        Self {
            h,
            weight,
            bias,
            decoder_bias,
            gram_h: tensor(gram_h, [members, images, units]),
            back: tensor(back, [members, 1, units]),
            x_sum,
            errors: tensor(errors, [members, 1, 1]),
        }
    }

    /// ∂E/∂h, ∂E/∂W, ∂E/∂c and ∂E/∂b, each member's times its own of `scales`.
    fn gradients(self, scales: &[f32]) -> [FlexTensor; 4] {
        let [members, inputs, units] = dims(&self.weight);
        let [_, images, _] = self.h.dims();
        let mut of_h = self.gram_h;
        let mut of_weight = Vec::with_capacity(members * inputs * units);
        let mut of_decoder_bias = Vec::with_capacity(members * inputs);
        let mut of_bias = vec![0.0; members * units];
        let of_members = of_h.storage_mut::<f32>().chunks_exact_mut(images * units);
        for ((member, of_h), scale) in of_members.enumerate().zip(scales) {
            let scale = scale / images as f32;
            let h = matrix(&self.h.tensor, member);
            let w = matrix(&self.weight, member);
            let c = matrix(&self.decoder_bias, member).entries();
            passes::code_slope(
                scale,
                of_h,
                h.entries(),
                matrix(&self.back, member).entries(),
                matrix(&self.bias, member).entries(),
            );
            let h_sum = &mut of_bias[member * units..][..units];
            passes::add_rows(&mut *h_sum, h.entries());
            for sum in h_sum.iter_mut() {
                *sum *= scale;
            }

            let mut moments = Vec::with_capacity(units * units);
            extend_by_product(&mut moments, self.h.of(member).transposed(), h, scale);
            let start = of_weight.len();
            extend_by_product(&mut of_weight, w, Matrix::new(&moments, units, units), 1.0);
            passes::add_outer(&mut of_weight[start..], 1.0, c, h_sum);

            let start = of_decoder_bias.len();
            let h_sum = Matrix::new(h_sum, units, 1);
            extend_by_product(&mut of_decoder_bias, w, h_sum, 1.0);
            let x_sum = matrix(&self.x_sum, member).entries();
            for ((out, c), x) in of_decoder_bias[start..].iter_mut().zip(c).zip(x_sum) {
                *out += scale * (images as f32 * c - x);
            }
        }
        [
            of_h,
            tensor(of_weight, [members, inputs, units]),
            tensor(of_decoder_bias, [members, 1, inputs]),
            tensor(of_bias, [members, 1, units]),
        ]
    }
}
