//! Which inputs excite a unit most.

use std::io;

use super::{Output, Trained};
use crate::data::Images;

/// An input and what a unit makes of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exciting {
    /// Which of the inputs, counted from 0.
    pub index: usize,
    /// The unit's activation.
    pub activation: f32,
}

impl Trained {
    /// For each unit of a layer (as of [`Output::Codes`]) the `count` inputs that it is most active on, the strongest
    /// first, of equals the first. Inputs that leave it at 0 do not excite it.
    ///
    /// # Panics
    ///
    /// As [`each`](Trained::each).
    ///
    /// # Errors
    ///
    /// If inputs cannot be read any more.
    pub fn top(
        &self,
        images: &Images,
        layer: Option<usize>,
        count: usize,
    ) -> io::Result<Vec<Vec<Exciting>>> {
        let output = Output::Codes(layer);
        let units = self.width(output).unwrap_or(0);
        let mut best = vec![Vec::new(); units];
        let mut index = 0;
        self.each(images, output, |rows| {
            for row in rows.chunks_exact(units) {
                for (best, &activation) in best.iter_mut().zip(row) {
                    enter(best, Exciting { index, activation }, count);
                }
                index += 1;
            }
            Ok(())
        })?;
        Ok(best)
    }
}

/// Puts an input in its place among the best, if it has one.
fn enter(best: &mut Vec<Exciting>, input: Exciting, count: usize) {
    if input.activation == 0.0 {
        return;
    }
    let place = best.partition_point(|other| other.activation >= input.activation);
    if place < count {
        best.truncate(count - 1);
        best.insert(place, input);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_come_first_and_of_equals_the_earlier() {
        let mut best = Vec::new();
        for (index, activation) in [0.5, 0.0, 2.0, 0.5, -1.0, 2.0, 3.0].into_iter().enumerate() {
            enter(&mut best, Exciting { index, activation }, 4);
        }
        let found: Vec<(usize, f32)> = best.iter().map(|of| (of.index, of.activation)).collect();
        assert_eq!(found, [(6, 3.0), (2, 2.0), (5, 2.0), (0, 0.5)]);
        let mut none = Vec::new();
        enter(
            &mut none,
            Exciting {
                index: 0,
                activation: 0.0,
            },
            1,
        );
        assert!(none.is_empty());
    }
}
