//! Softmax with its cross-entropy, E = −Σₖ dₖ ln yₖ with y = softmax(z), as a mean over the batch; back, for each image,
//! ∂E/∂z = y Σ d − d.

use burn::backend::flex::FlexTensor;

use super::{Saved, dims, entries, in_memory_alone, in_order, matrix, tensor};
use crate::ops::kernels::passes;

/// ∂E/∂z, `[member, batch, class]`.
#[derive(Debug, Clone)]
pub struct Slopes(FlexTensor);

/// With the costs, `[member, 1, 1]`.
pub fn forward(logits: FlexTensor, targets: &FlexTensor) -> (Slopes, FlexTensor) {
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
    (Slopes(slopes), tensor(costs, [members, 1, 1]))
}

impl Saved<1> for Slopes {
    fn gradients(self, of_costs: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let scales = in_order(of_costs);
        let Self(mut slopes) = self;
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
        [Some(slopes)]
    }
}
