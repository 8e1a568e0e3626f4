//! The weighted sum of the units' means over a batch, Σⱼ sⱼ · (mean of hⱼ); back, ∂E/∂hⱼ = sⱼ / images for every image.

use burn::backend::flex::FlexTensor;

use super::{Saved, dims, entries, in_order, tensor};
use crate::ops::kernels::passes;

/// s, and how many images there are.
#[derive(Debug, Clone)]
pub struct Slopes(FlexTensor, usize);

/// With the sums, `[member, 1, 1]`.
pub fn forward(h: FlexTensor, slopes: FlexTensor) -> (Slopes, FlexTensor) {
    let (h, slopes) = (in_order(h), in_order(slopes));
    let [members, images, units] = dims(&h);
    let matrices = entries(&h).chunks_exact(images * units);
    let of_members = entries(&slopes).chunks_exact(units);
    let means = matrices.zip(of_members).map(|(rows, slopes)| {
        let mut sums = vec![0.0; units];
        passes::add_rows(&mut sums, rows);
        passes::dot(&sums, slopes) as f32 / images as f32
    });
    let means = tensor(means.collect(), [members, 1, 1]);
    (Slopes(slopes, images), means)
}

impl Saved<1> for Slopes {
    fn gradients(self, of_means: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let Self(slopes, images) = self;
        let scales = in_order(of_means);
        let [members, _, units] = dims(&slopes);
        let mut of_h = Vec::with_capacity(members * images * units);
        let of_members = entries(&slopes).chunks_exact(units).zip(entries(&scales));
        for (slopes, scale) in of_members {
            let start = of_h.len();
            of_h.extend(slopes.iter().map(|slope| scale * slope / images as f32));
            for _ in 1..images {
                of_h.extend_from_within(start..start + units);
            }
        }
        [Some(tensor(of_h, [members, images, units]))]
    }
}
