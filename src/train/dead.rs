//! When a hidden unit is dead: its output tells no image from another.
//!
//! A ramp unit is dead if it is above 0 for no image: such a unit passes no gradient either. A unit of another activation
//! has an output below 0, or one that is never 0, and may say as much there as elsewhere: it is dead if its output does
//! not vary, as that of a sigmoid unit that is saturated for every image.

use crate::results::DEAD_TOLERANCE;
use crate::spec::Activation;

/// The smallest and the largest output of each unit over images.
pub(super) struct OutputRange {
    smallest: Vec<f32>,
    largest: Vec<f32>,
}

impl OutputRange {
    /// Of `units` units over no image yet.
    pub(super) fn new(units: usize) -> Self {
        Self {
            smallest: vec![f32::INFINITY; units],
            largest: vec![f32::NEG_INFINITY; units],
        }
    }

    /// Takes images in by the units' outputs h, row-major `[image, unit]`.
    pub(super) fn extend(&mut self, h: &[f32]) {
        for image in h.chunks_exact(self.smallest.len()) {
            let range = self.smallest.iter_mut().zip(&mut self.largest);
            for ((smallest, largest), &h) in range.zip(image) {
                *smallest = smallest.min(h);
                *largest = largest.max(h);
            }
        }
    }

    /// The units that are dead, if their activation is `activation`.
    pub(super) fn dead(&self, activation: Activation) -> Vec<usize> {
        let is_dead = |&unit: &usize| match activation {
            Activation::Relu => self.largest[unit] <= 0.0,
            Activation::Prelu { .. }
            | Activation::LeakyRelu { .. }
            | Activation::Sigmoid
            | Activation::Tanh
            | Activation::Softsign
            | Activation::Identity => {
                f64::from(self.largest[unit]) - f64::from(self.smallest[unit]) <= DEAD_TOLERANCE
            }
        };
        (0..self.smallest.len()).filter(is_dead).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Units that are always off, on for one image, always at the same level above 0, below 0 for every image,
    /// and varying by less than the tolerance.
    fn five_units() -> OutputRange {
        let mut range = OutputRange::new(5);
        range.extend(&[0.0, 0.0, 1.0, -0.5, 0.2, 0.0, 0.7, 1.0, -0.6, 0.200_000_1]);
        range.extend(&[0.0, 0.0, 1.0, -0.5, 0.2]);
        range
    }

    #[test]
    fn a_ramp_unit_is_dead_if_it_is_above_0_for_no_image() {
        assert_eq!(five_units().dead(Activation::Relu), [0, 3]);
    }

    #[test]
    fn a_unit_of_another_activation_is_dead_if_its_output_does_not_vary() {
        for activation in [
            Activation::Prelu {
                initial_slope: 0.25,
            },
            Activation::LeakyRelu { slope: 0.01 },
            Activation::Sigmoid,
            Activation::Tanh,
            Activation::Identity,
        ] {
            assert_eq!(five_units().dead(activation), [0, 2, 4]);
        }
    }
}
