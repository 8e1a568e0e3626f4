//! A decoder with its squared error, E = ½ ‖x̂ − x‖² as a mean over the batch, where x̂ = h W̃ + c = z or, of sigmoids,
//! 1 / (1 + exp(−z)); and the cross-entropy of sigmoids.
//!
//! Back, with r = ∂E/∂z for each image, which is x̂ − x or, for the squared error of sigmoids, (x̂ − x) x̂ (1 − x̂): ∂E/∂h = r W̃ᵀ, ∂E/∂W̃ = hᵀ r, ∂E/∂c = Σ r over the batch, all by the number of
//! images.

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};

use super::{
    DecoderError, Left, RowsPrimitive, Saved, dims, entries, in_order, matrix, slice, tensor,
    tracked, without_graph,
};
use crate::ops::kernels::matrix::{Matrix, extend_by_product, extend_by_turned_product};
use crate::ops::kernels::{few, passes};

/// A code that went through a decoder.
#[derive(Debug, Clone)]
pub struct DecoderPass {
    h: Left,
    weight: Weight,
    /// r, `[member, batch, input]`.
    residual: FlexTensor,
    /// `[member, 1, 1]`.
    pub errors: FlexTensor,
}

/// If not even one of so many entries of a code is not 0, its gradient is faster one by one.
const FEW: usize = 8;

/// W̃ as it lies in memory: by units, or as the transpose of a matrix that does not need to be made.
#[derive(Debug, Clone)]
enum Weight {
    Straight(FlexTensor),
    Transposed(FlexTensor),
}

impl Weight {
    fn new(weight: FlexTensor) -> Self {
        let turned = weight.transpose(1, 2);
        if !weight.is_contiguous() && turned.is_contiguous() {
            Self::Transposed(in_order(turned))
        } else {
            Self::Straight(in_order(weight))
        }
    }

    fn matrix(&self, member: usize) -> Matrix<'_> {
        match self {
            Self::Straight(weight) => matrix(weight, member),
            Self::Transposed(weight) => matrix(weight, member).transposed(),
        }
    }
}

/// The error of a decoder for a batch.
pub fn forward(
    h: FlexTensor,
    weight: FlexTensor,
    bias: &FlexTensor,
    x: RowsPrimitive<Flex>,
    error: DecoderError,
) -> DecoderPass {
    // What makes r of h W̃, c and x, and gives the error of all images.
    type Subtract = fn(&mut [f32], &[f32], &[f32]) -> f32;
    let (h, subtract): (_, Subtract) = match error {
        DecoderError::Squared => (Left::whole(h), passes::subtract),
        // Zeros pass no gradient on: work is in proportion to what is not 0.
        DecoderError::SquaredOfSparse => (Left::of_numbers(h, dims(bias)[2]), passes::subtract),
        DecoderError::SquaredOfLogistic => (Left::whole(h), passes::subtract_from_logistic),
        DecoderError::CrossEntropyOfLogistic => (Left::whole(h), passes::subtract_from_probability),
    };
    let (bias, weight) = (in_order(bias.clone()), Weight::new(weight));
    let x = match x {
        RowsPrimitive::Numbers(x) => in_order(x),
        RowsPrimitive::Bytes(x) => {
            let x = in_order(x);
            tensor(passes::shares(slice(&x)), dims(&x))
        }
    };
    let [members, images, _] = h.dims();
    let inputs = dims(&x)[2];
    let mut residual = Vec::with_capacity(members * images * inputs);
    let mut errors = Vec::with_capacity(members);
    for (member, bias) in entries(&bias).chunks_exact(inputs).enumerate() {
        let before = residual.len();
        extend_by_product(&mut residual, h.of(member), weight.matrix(member), 1.0);
        let sum = subtract(&mut residual[before..], bias, matrix(&x, member).entries());
        errors.push(sum / images as f32);
    }
    DecoderPass {
        h,
        weight,
        residual: tensor(residual, [members, images, inputs]),
        errors: tensor(errors, [members, 1, 1]),
    }
}

/// The same in the graph, whose tensors are h, W̃ and c.
pub fn in_graph<C: CheckpointStrategy>(
    tensors: [FloatTensor<Autodiff<Flex, C>>; 3],
    x: RowsPrimitive<Autodiff<Flex, C>>,
    error: DecoderError,
) -> FloatTensor<Autodiff<Flex, C>> {
    let nodes = tensors
        .each_ref()
        .map(FloatTensor::<Autodiff<Flex, C>>::node);
    let [h, weight, bias] = tensors.map(FloatTensor::<Autodiff<Flex, C>>::into_primitive);
    let pass = forward(h, weight, &bias, without_graph::<C>(x), error);
    let errors = pass.errors.clone();
    tracked::<_, C, 3>(nodes, pass, errors)
}

/// The parents are h, W̃ and c.
impl Saved<3> for DecoderPass {
    fn gradients(self, of_errors: FlexTensor, _: [bool; 3]) -> [Option<FlexTensor>; 3] {
        let scales = in_order(of_errors);
        let scales = entries(&scales);
        let [members, images, units] = self.h.dims();
        let inputs = dims(&self.residual)[2];
        let mut of_h = Vec::with_capacity(members * images * units);
        let mut of_weight = Vec::with_capacity(members * inputs * units);
        let mut of_bias = vec![0.0; members * inputs];
        for (member, scale) in scales.iter().enumerate() {
            let scale = scale / images as f32;
            let (h, r) = (self.h.of(member), matrix(&self.residual, member));
            let weight = self.weight.matrix(member);
            let few = self.h.marked(member);
            let few = few.filter(|h| h.has_less_than_one_of(FEW));
            match few {
                Some(h) => {
                    let start = of_h.len();
                    of_h.resize(start + images * units, 0.0);
                    few::products_at(h.marks(), r, weight, scale, &mut of_h[start..]);
                }
                None => extend_by_product(&mut of_h, r, weight.transposed(), scale),
            }
            match (&self.weight, few) {
                (Weight::Straight(_), _) => {
                    extend_by_product(&mut of_weight, h.transposed(), r, scale);
                }
                (Weight::Transposed(_), Some(h)) => {
                    extend_by_turned_product(&mut of_weight, h.transposed(), r, scale);
                }
                (Weight::Transposed(_), None) => {
                    let h = matrix(&self.h.tensor, member);
                    extend_by_product(&mut of_weight, r.transposed(), h, scale);
                }
            }
            let of_bias = &mut of_bias[member * inputs..][..inputs];
            passes::add_rows(&mut *of_bias, r.entries());
            for sum in of_bias {
                *sum *= scale;
            }
        }
        let of_weight = match self.weight {
            Weight::Straight(_) => tensor(of_weight, [members, units, inputs]),
            Weight::Transposed(_) => tensor(of_weight, [members, inputs, units]).transpose(1, 2),
        };
        [
            Some(tensor(of_h, [members, images, units])),
            Some(of_weight),
            Some(tensor(of_bias, [members, 1, inputs])),
        ]
    }
}
