//! A layer of linear units, ramps or sigmoids: z = x W + b, h = z, max(0, z) or 1 / (1 + exp(−z)).
//!
//! Back, with δ = ∂E/∂z, which is ∂E/∂h, nothing where a ramp is held at 0, and ∂E/∂h · h (1 − h) for sigmoids: ∂E/∂W = xᵀ δ,
//! ∂E/∂b = Σ δ over the batch, ∂E/∂x = δ Wᵀ (Okatani, *Deep Learning*, section 4.4).

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};

use super::{
    Left, RowsPrimitive, Saved, Unit, dims, entries, in_memory_alone, in_order, matrix, tensor,
    tracked, without_graph,
};
use crate::ops::kernels::matrix::{Matrix, extend_by_product, extend_by_turned_product};
use crate::ops::kernels::passes;

/// A batch that went through a layer.
#[derive(Debug, Clone)]
pub struct LayerPass {
    x: Left,
    weight: FlexTensor,
    pub h: FlexTensor,
    unit: Unit,
}

pub fn forward(
    x: RowsPrimitive<Flex>,
    weight: FlexTensor,
    bias: &FlexTensor,
    unit: Unit,
) -> LayerPass {
    let (weight, bias) = (in_order(weight), in_order(bias.clone()));
    let [members, _, units] = dims(&weight);
    let x = match unit {
        Unit::Sigmoid => Left::new(x, units).whole_if_dense(),
        Unit::Linear | Unit::Ramp => Left::new(x, units),
    };
    let [_, images, _] = x.dims();
    let mut h = Vec::with_capacity(members * images * units);
    for (member, bias) in entries(&bias).chunks_exact(units).enumerate() {
        let before = h.len();
        extend_by_product(&mut h, x.of(member), matrix(&weight, member), 1.0);
        let values = &mut h[before..];
        match unit {
            Unit::Linear => passes::add_bias(values, bias),
            Unit::Ramp => passes::ramp(values, bias),
            Unit::Sigmoid => passes::logistic(values, bias),
        }
    }
    LayerPass {
        x,
        weight,
        h: tensor(h, [members, images, units]),
        unit,
    }
}

/// The same in the graph, where rows of numbers may be those of a layer below.
pub fn in_graph<C: CheckpointStrategy>(
    x: RowsPrimitive<Autodiff<Flex, C>>,
    weight: FloatTensor<Autodiff<Flex, C>>,
    bias: FloatTensor<Autodiff<Flex, C>>,
    unit: Unit,
) -> FloatTensor<Autodiff<Flex, C>> {
    let nodes = (weight.node(), bias.node());
    let below = match &x {
        RowsPrimitive::Numbers(x) => Some(x.node()),
        RowsPrimitive::Bytes(_) => None,
    };
    let (weight, bias) = (weight.into_primitive(), bias.into_primitive());
    let layer = forward(without_graph::<C>(x), weight, &bias, unit);
    let h = layer.h.clone();
    match below {
        Some(below) => tracked::<_, C, 3>([nodes.0, nodes.1, below], layer, h),
        None => tracked::<_, C, 2>([nodes.0, nodes.1], layer, h),
    }
}

/// The parents are W, b and, where rows are numbers, x.
impl<const N: usize> Saved<N> for LayerPass {
    fn gradients(self, of_h: FlexTensor, wanted: [bool; N]) -> [Option<FlexTensor>; N] {
        let mut delta = in_memory_alone(of_h);
        let h = entries(&self.h);
        let delta = match self.unit {
            Unit::Sigmoid => {
                passes::through_logistic(delta.storage_mut(), h);
                Left::whole(delta)
            }
            unit => {
                if unit == Unit::Ramp {
                    passes::through_ramp(delta.storage_mut(), h);
                }
                // A unit that is held at 0 lets nothing through.
                Left::of_numbers(delta, dims(&self.weight)[1])
            }
        };
        std::array::from_fn(|parent| {
            wanted[parent].then(|| match parent {
                0 => self.weight_gradient(&delta),
                1 => bias_gradient(&delta.tensor),
                _ => self.input_gradient(&delta),
            })
        })
    }
}

impl LayerPass {
    fn weight_gradient(&self, delta: &Left) -> FlexTensor {
        let [members, inputs, units] = dims(&self.weight);
        let mut gradient = Vec::with_capacity(members * inputs * units);
        for member in 0..members {
            let x = self.x.of(member);
            let marks = self.x.marks.get(member % self.x.dims()[0]);
            let marked = marks.zip(delta.marked(member));
            // In numbers of the slower way's steps, as measured. The bits of both ways are the same.
            let turned = marked.filter(|(x, delta)| {
                inputs * (12 * units + 5 * delta.marked()) < x.marked() * units
            });
            if let Some((_, delta)) = turned {
                let x = x.numbers();
                let x = Matrix::new(&x, x.len() / inputs, inputs);
                extend_by_turned_product(&mut gradient, delta.transposed(), x, 1.0);
            } else {
                let delta = matrix(&delta.tensor, member);
                extend_by_product(&mut gradient, x.transposed(), delta, 1.0);
            }
        }
        tensor(gradient, [members, inputs, units])
    }

    fn input_gradient(&self, delta: &Left) -> FlexTensor {
        let [members, inputs, _] = dims(&self.weight);
        let [batches, images, _] = self.x.dims();
        let mut gradient = Vec::with_capacity(members * images * inputs);
        for member in 0..members {
            let weight = matrix(&self.weight, member).transposed();
            extend_by_product(&mut gradient, delta.of(member), weight, 1.0);
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
