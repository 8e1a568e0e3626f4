//! A linear decoder with its squared error, E = ½ ‖h W̃ + c − x‖² as a mean over the batch.
//!
//! Back, with r = h W̃ + c − x for each image: ∂E/∂h = r W̃ᵀ, ∂E/∂W̃ = hᵀ r, ∂E/∂c = Σ r over the batch, all by the number of
//! images.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops as Step, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};

use super::{RowsPrimitive, dims, entries, in_order, matrix, slice, tensor, untracked};
use crate::ops::kernels::matrix::{Matrix, extend_by_product};
use crate::ops::kernels::passes;

/// A code that went through a decoder, with what the backward pass needs.
#[derive(Debug, Clone)]
pub struct Decoder {
    h: FlexTensor,
    weight: Weight,
    /// r, `[member, batch, input]`.
    residual: FlexTensor,
    /// `[member, 1, 1]`.
    pub errors: FlexTensor,
}

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

pub fn forward(
    h: FlexTensor,
    weight: FlexTensor,
    bias: &FlexTensor,
    x: RowsPrimitive<Flex>,
) -> Decoder {
    let (h, bias, weight) = (in_order(h), in_order(bias.clone()), Weight::new(weight));
    let x = match x {
        RowsPrimitive::Numbers(x) => in_order(x),
        RowsPrimitive::Bytes(x) => {
            let x = in_order(x);
            tensor(passes::shares(slice(&x)), dims(&x))
        }
    };
    let [members, images, _] = dims(&h);
    let inputs = dims(&x)[2];
    let mut residual = Vec::with_capacity(members * images * inputs);
    let mut errors = Vec::with_capacity(members);
    for (member, bias) in entries(&bias).chunks_exact(inputs).enumerate() {
        let before = residual.len();
        extend_by_product(
            &mut residual,
            matrix(&h, member),
            weight.matrix(member),
            1.0,
        );
        let sum = passes::subtract(&mut residual[before..], bias, matrix(&x, member).entries());
        errors.push(sum / images as f32);
    }
    Decoder {
        h,
        weight,
        residual: tensor(residual, [members, images, inputs]),
        errors: tensor(errors, [members, 1, 1]),
    }
}

pub fn tracked<C: CheckpointStrategy>(
    h: FloatTensor<Autodiff<Flex, C>>,
    weight: FloatTensor<Autodiff<Flex, C>>,
    bias: FloatTensor<Autodiff<Flex, C>>,
    x: RowsPrimitive<Autodiff<Flex, C>>,
) -> FloatTensor<Autodiff<Flex, C>> {
    let nodes = [h.node(), weight.node(), bias.node()];
    let [h, weight, bias] = [h, weight, bias].map(FloatTensor::<Autodiff<Flex, C>>::into_primitive);
    let decoder = forward(h, weight, &bias, untracked::<C>(x));
    let errors = decoder.errors.clone();
    match Back.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(step) => step.finish(decoder, errors),
        OpsKind::UnTracked(step) => step.finish(errors),
    }
}

#[derive(Debug)]
struct Back;

impl Backward<Flex, 3> for Back {
    type State = Decoder;

    fn backward(self, step: Step<Decoder, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let scales = in_order(gradients.consume::<Flex>(&step.node));
        let found = step.state.gradients(entries(&scales));
        for (parent, gradient) in step.parents.into_iter().zip(found) {
            if let Some(node) = parent {
                gradients.register::<Flex>(node.id, gradient);
            }
        }
    }
}

impl Decoder {
    /// ∂E/∂h, ∂E/∂W̃ and ∂E/∂c, each member's times its own of `scales`.
    pub fn gradients(&self, scales: &[f32]) -> [FlexTensor; 3] {
        let [members, images, units] = dims(&self.h);
        let inputs = dims(&self.residual)[2];
        let mut of_h = Vec::with_capacity(members * images * units);
        let mut of_weight = Vec::with_capacity(members * inputs * units);
        let mut of_bias = vec![0.0; members * inputs];
        for (member, scale) in scales.iter().enumerate() {
            let scale = scale / images as f32;
            let (h, r) = (matrix(&self.h, member), matrix(&self.residual, member));
            let weight = self.weight.matrix(member);
            extend_by_product(&mut of_h, r, weight.transposed(), scale);
            match self.weight {
                Weight::Straight(_) => extend_by_product(&mut of_weight, h.transposed(), r, scale),
                Weight::Transposed(_) => {
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
            tensor(of_h, [members, images, units]),
            of_weight,
            tensor(of_bias, [members, 1, inputs]),
        ]
    }
}
