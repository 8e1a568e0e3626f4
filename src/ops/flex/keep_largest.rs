//! The largest entries of a code, h where it stays and 0 elsewhere; back, ∂E/∂h where it stays and 0 elsewhere.

use burn::backend::flex::FlexTensor;

use super::{Saved, dims, entries, in_memory_alone, in_order, tensor};
use crate::ops::Largest;
use crate::ops::kernels::threads::{self, share_out};
use crate::ops::kernels::{largest, passes};

/// What stayed.
#[derive(Debug, Clone)]
pub struct Kept(pub FlexTensor);

pub fn forward(h: FlexTensor, largest: Largest) -> Kept {
    let h = in_order(h);
    let shape = dims(&h);
    let [_, columns, count] = largest.rows(shape);
    let mut kept = vec![0.0; entries(&h).len()];
    let columns = columns.max(1);
    let rows = entries(&h).chunks_exact(columns);
    let rows = rows.zip(kept.chunks_exact_mut(columns));
    share_out(
        rows,
        threads::for_numbers(entries(&h).len()),
        |(row, out)| {
            largest::keep_largest(row, count, out);
        },
    );
    Kept(tensor(kept, shape))
}

impl Saved<1> for Kept {
    fn gradients(self, of_kept: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
        let mut of_h = in_memory_alone(of_kept);
        passes::through_ramp(of_h.storage_mut(), entries(&self.0));
        [Some(of_h)]
    }
}
