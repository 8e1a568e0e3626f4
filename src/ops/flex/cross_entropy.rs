//! Softmax with its cross-entropy, E = −Σₖ dₖ ln yₖ with y = softmax(z), as a mean over the batch; back, for each image,
//! ∂E/∂z = y Σ d − d.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops as Step, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};

use super::{dims, entries, in_memory_alone, in_order, matrix, tensor};
use crate::ops::kernels::passes;

pub struct Costs {
    /// `[member, 1, 1]`.
    pub costs: FlexTensor,
    /// ∂E/∂z, `[member, batch, class]`.
    slopes: FlexTensor,
}

pub fn forward(logits: FlexTensor, targets: &FlexTensor) -> Costs {
    let (mut slopes, targets) = (in_memory_alone(logits), in_order(targets.clone()));
    let [members, images, classes] = dims(&slopes);
    let mut costs = Vec::with_capacity(members);
    let of_members = slopes
        .storage_mut::<f32>()
        .chunks_exact_mut(images * classes);
    for (member, of_member) in of_members.enumerate() {
        let targets = matrix(&targets, member).entries().chunks_exact(classes);
        let of_images = of_member.chunks_exact_mut(classes).zip(targets);
        let cost: f64 = of_images
            .map(|(row, wanted)| f64::from(passes::cross_entropy(row, wanted)))
            .sum();
        costs.push((cost / images as f64) as f32);
    }
    Costs {
        costs: tensor(costs, [members, 1, 1]),
        slopes,
    }
}

pub fn tracked<C: CheckpointStrategy>(
    logits: FloatTensor<Autodiff<Flex, C>>,
    targets: FloatTensor<Autodiff<Flex, C>>,
) -> FloatTensor<Autodiff<Flex, C>> {
    let nodes = [logits.node()];
    let Costs { costs, slopes } = forward(logits.into_primitive(), targets.primitive());
    match Back.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(step) => step.finish(slopes, costs),
        OpsKind::UnTracked(step) => step.finish(costs),
    }
}

#[derive(Debug)]
struct Back;

impl Backward<Flex, 1> for Back {
    /// ∂E/∂z, `[member, batch, class]`.
    type State = FlexTensor;

    fn backward(self, step: Step<FlexTensor, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let scales = in_order(gradients.consume::<Flex>(&step.node));
        let mut slopes = step.state;
        let [_, images, classes] = dims(&slopes);
        let members = slopes
            .storage_mut::<f32>()
            .chunks_exact_mut(images * classes);
        for (slopes, scale) in members.zip(entries(&scales)) {
            let scale = scale / images as f32;
            for slope in slopes {
                *slope *= scale;
            }
        }
        let [parent] = step.parents;
        if let Some(node) = parent {
            gradients.register::<Flex>(node.id, slopes);
        }
    }
}
