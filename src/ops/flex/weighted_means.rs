//! The weighted sum of the units' means over a batch, Σⱼ wⱼ · (mean of hⱼ); back, ∂E/∂hⱼ = wⱼ / images for every image.

use burn::backend::flex::FlexTensor;

use super::{Saved, dims, entries, in_order, tensor};
use crate::ops::kernels::passes;

/// w, and how many images there are.
#[derive(Debug, Clone)]
pub struct Weights(FlexTensor, usize);

/// With the sums, `[member, 1, 1]`.
pub fn forward(h: FlexTensor, weight: FlexTensor) -> (Weights, FlexTensor) {
    let (h, weight) = (in_order(h), in_order(weight));
    let [members, images, units] = dims(&h);
    let matrices = entries(&h).chunks_exact(images * units);
    let weights = entries(&weight).chunks_exact(units);
    let means = matrices.zip(weights).map(|(rows, weight)| {
        let mut sums = vec![0.0; units];
        passes::add_rows(&mut sums, rows);
        passes::dot(&sums, weight) as f32 / images as f32
    });
    let means = tensor(means.collect(), [members, 1, 1]);
    (Weights(weight, images), means)
}

impl Saved<1> for Weights {
    fn gradients(self, of_means: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let Self(weight, images) = self;
        let scales = in_order(of_means);
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
        [Some(tensor(of_h, [members, images, units]))]
    }
}
