//! Softmax with its cross-entropy, −Σₖ dₖ ln yₖ with y = softmax(z), over a batch; backward, ∂E/∂z = y Σ d − d.

use burn::backend::Flex;
use burn::backend::TensorMetadata;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::flex::in_order;
use super::{Side, entries, of_inner, primitive, side, tensor, tracked, untracked};

/// −Σₖ dₖ ln yₖ of each member, summed over images.
///
/// # Shapes
///
/// - logits z: `[member, batch, class]`
/// - targets d: the same, or `[1, batch, class]`; nothing learns from them
/// - output: `[member, 1, 1]`
#[must_use]
pub fn cross_entropy(logits: &Tensor<3>, targets: &Tensor<3>) -> Option<Tensor<3>> {
    match (side(logits), side(targets)) {
        (Side::Plain, Side::Plain) => {
            let [logits, targets] = [logits, targets].map(|tensor| primitive(tensor.clone()));
            Some(of_inner(forward(&logits, &targets).0))
        }
        (Side::Autodiff, Side::Autodiff) => {
            let [logits, targets] = [logits, targets].map(|tensor| tracked(tensor.clone()));
            if targets.is_tracked() {
                return None;
            }
            let nodes = [logits.node()];
            let [logits, targets] =
                [logits, targets].map(|tensor| in_order(tensor.into_primitive()));
            let (costs, slopes) = forward(&logits, &targets);
            let prepared = CrossEntropyBackward
                .prepare::<NoCheckpointing>(nodes)
                .compute_bound()
                .stateful();
            Some(untracked(match prepared {
                OpsKind::Tracked(tracked) => tracked.finish(slopes, costs),
                OpsKind::UnTracked(untracked) => untracked.finish(costs),
            }))
        }
        _ => None,
    }
}

/// The same outside of any graph, and `scale` times its slope ∂E/∂z, `[member, batch, class]`.
///
/// # Panics
///
/// Panics if the tensors are not on flex, or in a graph.
#[must_use]
pub fn cross_entropy_with_slope(
    logits: Tensor<3>,
    targets: Tensor<3>,
    scale: f32,
) -> [Tensor<3>; 2] {
    let (costs, mut slopes) = forward(&primitive(logits), &primitive(targets));
    for slope in slopes.storage_mut::<f32>() {
        *slope *= scale;
    }
    [costs, slopes].map(of_inner)
}

#[derive(Debug)]
struct CrossEntropyBackward;

impl Backward<Flex, 1> for CrossEntropyBackward {
    /// ∂E/∂z, `[member, batch, class]`.
    type State = FlexTensor;

    fn backward(self, ops: Ops<FlexTensor, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let scales = in_order(gradients.consume::<Flex>(&ops.node));
        let mut slopes = ops.state;
        let [_, images, classes] = slopes.shape().dims::<3>();
        let members = slopes
            .storage_mut::<f32>()
            .chunks_exact_mut(images * classes);
        for (slopes, scale) in members.zip(entries(&scales)) {
            for slope in slopes {
                *slope *= scale;
            }
        }
        let [parent] = ops.parents;
        if let Some(node) = parent {
            gradients.register::<Flex>(node.id, slopes);
        }
    }
}

/// The cost of each member, `[member, 1, 1]`, and its slope, `[member, batch, class]`.
fn forward(logits: &FlexTensor, targets: &FlexTensor) -> (FlexTensor, FlexTensor) {
    let shape @ [members, images, classes] = logits.shape().dims::<3>();
    let mut slopes = entries(logits).to_vec();
    let mut costs = Vec::with_capacity(members);
    for of_member in slopes.chunks_exact_mut(images * classes) {
        let place = costs.len() % targets.shape().dims::<3>()[0];
        let targets = &entries(targets)[place * images * classes..];
        let rows = of_member.chunks_exact_mut(classes);
        let of_images = rows.zip(targets.chunks_exact(classes));
        let cost: f64 = of_images
            .map(|(row, wanted)| f64::from(of_image(row, wanted)))
            .sum();
        costs.push(cost as f32);
    }
    (tensor(costs, [members, 1, 1]), tensor(slopes, shape))
}

/// The cost of one image; its logits become its slopes. No logit is too large: the largest is taken off first.
fn of_image(row: &mut [f32], wanted: &[f32]) -> f32 {
    let largest = row
        .iter()
        .fold(f32::NEG_INFINITY, |largest, &z| largest.max(z));
    let sum: f32 = row.iter().map(|z| (z - largest).exp()).sum();
    let log_sum = sum.ln();
    let all: f32 = wanted.iter().sum();
    let mut cost = 0.0;
    for (value, wanted) in row.iter_mut().zip(wanted) {
        let log_share = *value - largest - log_sum;
        cost -= wanted * log_share;
        *value = all * log_share.exp() - wanted;
    }
    cost
}
