//! How active units are over a batch, in one pass over the code.

use burn::backend::TensorMetadata;
use burn::tensor::Tensor;

use super::{Side, entries, primitive, side};
use crate::wide::{Pass, wide};

/// What a batch does to the units; each `[member, unit]`, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Activity {
    /// Σ h over the images.
    pub total: Vec<f32>,
    /// For how many images h > 0.
    pub on: Vec<f32>,
    /// For how many images h exceeds the threshold.
    pub above: Vec<f32>,
}

/// The activity of the code h, `[member, batch, unit]`, outside of any graph.
#[must_use]
pub fn activity(h: &Tensor<3>, threshold: f32) -> Option<Activity> {
    if side(h) != Side::Plain {
        return None;
    }
    let h = primitive(h.clone());
    let [members, images, units] = h.shape().dims::<3>();
    let zeros = || vec![0.0; members * units];
    let mut activity = Activity {
        total: zeros(),
        on: zeros(),
        above: zeros(),
    };
    for (member, h) in entries(&h).chunks_exact(images * units).enumerate() {
        let of_member = member * units..(member + 1) * units;
        wide(Count {
            h,
            threshold,
            total: &mut activity.total[of_member.clone()],
            on: &mut activity.on[of_member.clone()],
            above: &mut activity.above[of_member],
        });
    }
    Some(activity)
}

struct Count<'a> {
    h: &'a [f32],
    threshold: f32,
    total: &'a mut [f32],
    on: &'a mut [f32],
    above: &'a mut [f32],
}

impl Pass for Count<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let units = self.total.len();
        // Slices of one known length, so that nothing has to be checked inside the loop.
        let (on, above) = (&mut self.on[..units], &mut self.above[..units]);
        for h in self.h.chunks_exact(units) {
            for at in 0..units {
                self.total[at] += h[at];
                on[at] += if h[at] > 0.0 { 1.0 } else { 0.0 };
                above[at] += if h[at] > self.threshold { 1.0 } else { 0.0 };
            }
        }
    }
}
