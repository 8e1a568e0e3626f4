//! The weighted sum of the units' means over a batch, Σⱼ wⱼ · (mean of hⱼ); back, ∂E/∂hⱼ = wⱼ / images for every image.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops as Step, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};

use super::{dims, entries, in_order, tensor};
use crate::ops::kernels::passes;

pub fn forward(h: FlexTensor, weight: &FlexTensor) -> FlexTensor {
    let (h, weight) = (in_order(h), in_order(weight.clone()));
    let [members, images, units] = dims(&h);
    let matrices = entries(&h).chunks_exact(images * units);
    let weights = entries(&weight).chunks_exact(units);
    let means = matrices.zip(weights).map(|(rows, weight)| {
        let mut sums = vec![0.0; units];
        passes::add_rows(&mut sums, rows);
        passes::dot(&sums, weight) as f32 / images as f32
    });
    tensor(means.collect(), [members, 1, 1])
}

pub fn tracked<C: CheckpointStrategy>(
    h: FloatTensor<Autodiff<Flex, C>>,
    weight: FloatTensor<Autodiff<Flex, C>>,
) -> FloatTensor<Autodiff<Flex, C>> {
    let nodes = [h.node()];
    let [_, images, _] = dims(h.primitive());
    let weight = in_order(weight.into_primitive());
    let means = forward(h.into_primitive(), &weight);
    match Back.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(step) => step.finish((weight, images), means),
        OpsKind::UnTracked(step) => step.finish(means),
    }
}

#[derive(Debug)]
struct Back;

impl Backward<Flex, 1> for Back {
    /// w, and how many images there are.
    type State = (FlexTensor, usize);

    fn backward(self, step: Step<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let (weight, images) = step.state;
        let scales = in_order(gradients.consume::<Flex>(&step.node));
        let [members, _, units] = dims(&weight);
        let mut of_h = Vec::with_capacity(members * images * units);
        let of_members = entries(&weight).chunks_exact(units).zip(entries(&scales));
        for (weight, scale) in of_members {
            let start = of_h.len();
            of_h.extend(weight.iter().map(|weight| scale * weight / images as f32));
            for _ in 1..images {
                of_h.extend_from_within(start..start + units);
            }
        }
        let [parent] = step.parents;
        if let Some(node) = parent {
            gradients.register::<Flex>(node.id, tensor(of_h, [members, images, units]));
        }
    }
}
