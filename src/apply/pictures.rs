//! Inputs and reconstructions as pictures.

use super::inputs::Given;
use super::{Output, Trained};
use crate::report::Photo;

/// Whether rows of these inputs are pictures.
///
/// # Errors
///
/// Says why not, for a reader.
pub fn are_pictures(_given: &Given) -> Result<(), String> {
    Ok(())
}

/// An input as a picture.
///
/// # Panics
///
/// Panics if there is no such input, or it is no picture.
#[must_use]
pub fn photo(given: &Given, index: usize) -> Photo {
    let row = given.row(index);
    let range = range(given, &row);
    drawn(given, &row, range)
}

/// Each of the first `count` inputs beside its reconstruction, in the same shades.
///
/// # Errors
///
/// Says why there are no pictures, for a reader.
pub fn pairs(trained: &Trained, given: &Given, count: usize) -> Result<Vec<Vec<Photo>>, String> {
    are_pictures(given)?;
    let mut pairs = Vec::new();
    let first = given.first(count);
    let drawn = trained.each(&first, Output::Reconstructions, |batch| {
        for row in batch.chunks_exact(trained.inputs()) {
            let input = given.row(pairs.len());
            let range = range(given, &input);
            pairs.push(vec![drawn(given, &input, range), drawn(given, row, range)]);
        }
        Ok(())
    });
    drawn.expect("nothing is written");
    Ok(pairs)
}

/// What is black and what is white: 0 and 1 of bytes, the smallest and the largest of other numbers.
fn range(_given: &Given, _row: &[f32]) -> (f32, f32) {
    (0.0, 1.0)
}

fn drawn(given: &Given, row: &[f32], (black, white): (f32, f32)) -> Photo {
    let shade = |value: &f32| {
        let share = (value - black) / (white - black);
        (share.clamp(0.0, 1.0) * 255.0).round() as u8
    };
    Photo {
        height: given.images.height(),
        width: given.images.width(),
        pixels: row.iter().map(shade).collect(),
        caption: String::new(),
    }
}
