//! Whether units look for edges: how strictly each is tuned to one orientation, which one, at which frequency, and where in
//! the picture. For autoencoders of patches of photographs, after Olshausen and Field ("Emergence of simple-cell receptive
//! field properties by learning a sparse code for natural images", 1996).

use std::f64::consts::PI;

use rustfft::num_complex::Complex;
use serde::{Deserialize, Serialize};

use crate::fourier::{self, Direction, frequency};

/// A unit's picture is padded with zeros to so many pixels a side, if it is smaller, before its spectrum is taken.
const PADDED: usize = 32;

/// What a unit's picture is tuned to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Tuning {
    /// The unit's place among the units.
    pub unit: usize,
    /// |Σ F e^{2iθ}| / Σ F over the power spectrum F, in [0, 1]: 1 for a single orientation.
    pub selectivity: f64,
    /// The direction along the edges, in degrees from the horizontal, anticlockwise; from 0 to below 180.
    pub orientation: f64,
    /// The mean frequency over the power spectrum, in cycles a pixel.
    pub frequency: f64,
    /// The centre of the picture's energy, in pixels from the upper left corner: row, then column.
    pub centre: [f64; 2],
}

/// What the picture `tile` of `unit` is tuned to; nothing where it is flat, not finite, or not of `height` × `width` pixels.
fn tuning(unit: usize, tile: &[f32], height: usize, width: usize) -> Option<Tuning> {
    let varies = tile.iter().any(|w| w.to_bits() != tile[0].to_bits());
    if height.checked_mul(width) != Some(tile.len()) || !varies {
        return None;
    }
    let mean = tile.iter().map(|&w| f64::from(w)).sum::<f64>() / tile.len() as f64;
    let (rows, columns) = (height.max(PADDED), width.max(PADDED));
    let mut plane = vec![Complex::default(); rows * columns];
    let mut energies = Vec::with_capacity(tile.len());
    for (at, &w) in tile.iter().enumerate() {
        let (row, column, w) = (at / width, at % width, f64::from(w) - mean);
        plane[row * columns + column] = Complex::from(w);
        energies.push((row as f64, column as f64, w * w));
    }
    fourier::transform(&mut plane, rows, columns, Direction::Forward);

    let (mut power, mut turned, mut frequencies) = (0.0, Complex::<f64>::default(), 0.0);
    for (at, value) in plane.iter().enumerate().skip(1) {
        let (down, right) = (frequency(at / columns, rows), frequency(at % columns, columns));
        let of_wave = value.norm_sqr();
        power += of_wave;
        let wave = Complex::from_polar(of_wave, 2.0 * down.atan2(right));
        // On the plane's edge, ½ and −½ are the same wave: half of its power has either angle.
        let is_edge = down == -0.5 || right == -0.5;
        turned += if is_edge { wave.re.into() } else { wave };
        frequencies += of_wave * down.hypot(right);
    }
    let energy: f64 = energies.iter().map(|of| of.2).sum();
    if !(power > 0.0 && energy > 0.0 && power.is_finite()) {
        return None;
    }
    let centre = |at: fn(&(f64, f64, f64)) -> f64| {
        energies.iter().map(|of| at(of) * of.2).sum::<f64>() / energy
    };
    // Rows go down and angles go up; edges stand across the direction in which they change.
    let across = -turned.arg() / 2.0;
    Some(Tuning {
        unit,
        selectivity: turned.norm() / power,
        orientation: ((across + PI / 2.0).to_degrees()).rem_euclid(180.0),
        frequency: frequencies / power,
        centre: [centre(|of| of.0), centre(|of| of.1)],
    })
}

/// A share of sorted numbers lies below this, by linear interpolation between neighbours.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * (sorted.len().checked_sub(1)? as f64);
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    Some(below + (above - below) * place.fract())
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    /// Waves of 32×32 pixels: each an amplitude, and cycles down and to the right.
    fn waves(waves: &[(f64, f64, f64)]) -> Vec<f32> {
        let pixel = |at: usize| {
            let (row, column) = ((at / 32) as f64, (at % 32) as f64);
            let wave = |&(amplitude, down, right): &(f64, f64, f64)| {
                amplitude * (TAU * (down * row + right * column) / 32.0).cos()
            };
            waves.iter().map(wave).sum::<f64>() as f32
        };
        (0..32 * 32).map(pixel).collect()
    }

    fn of_waves(list: &[(f64, f64, f64)]) -> Tuning {
        tuning(0, &waves(list), 32, 32).expect("they vary")
    }

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
    }

    #[test]
    fn a_wave_has_one_orientation_and_one_frequency() {
        // Cycles to the right are upright stripes; cycles down and to the right alike rise from the left to the right.
        for (down, right, orientation) in [(0.0, 4.0, 90.0), (4.0, 0.0, 0.0), (4.0, 4.0, 45.0), (4.0, -4.0, 135.0)] {
            let found = of_waves(&[(1.0, down, right)]);
            close(found.selectivity, 1.0);
            close(found.orientation, orientation);
            close(found.frequency, down.hypot(right) / 32.0);
        }
    }

    #[test]
    fn waves_across_each_other_take_selectivity_away() {
        // Power 4 and 1: (4 − 1) / (4 + 1), along the stronger one; frequency (4 · 4 + 1 · 8) / 5 cycles in 32 pixels.
        let found = of_waves(&[(2.0, 0.0, 4.0), (1.0, 8.0, 0.0)]);
        close(found.selectivity, 0.6);
        close(found.orientation, 90.0);
        close(found.frequency, 4.8 / 32.0);
        close(of_waves(&[(1.0, 4.0, 4.0), (1.0, 4.0, -4.0)]).selectivity, 0.0);
    }

    #[test]
    fn checkerboards_have_no_orientation_and_bars_have_one() {
        let tile = |light: fn(usize, usize) -> bool| -> Vec<f32> {
            let pixel = |at: usize| if light(at / 12, at % 12) { 1.0 } else { 0.0 };
            (0..144).map(pixel).collect()
        };
        let checkers = tile(|row, column| (row + column) % 2 == 0);
        let found = tuning(3, &checkers, 12, 12).expect("it varies");
        assert!(found.selectivity < 1e-9 && found.unit == 3, "{found:?}");
        let bar = tile(|row, column| column == 3 && (2..10).contains(&row));
        let found = tuning(0, &bar, 12, 12).expect("it varies");
        assert!(found.selectivity > 0.5, "{found:?}");
        close(found.orientation, 90.0);
    }

    #[test]
    fn the_centre_is_where_the_energy_is() {
        let mut tile = vec![0.0_f32; 64];
        // About the mean 0: half of the energy at each of two pixels.
        (tile[8 + 2], tile[8 * 3 + 6]) = (1.0, -1.0);
        let found = tuning(0, &tile, 8, 8).expect("it varies");
        close(found.centre[0], 2.0);
        close(found.centre[1], 4.0);
    }

    #[test]
    fn selectivity_ignores_scale_sign_and_what_is_added() {
        let tile = waves(&[(1.0, 3.0, 1.0), (0.5, -2.0, 6.0)]);
        let before = tuning(0, &tile, 32, 32).expect("it varies");
        for (factor, added) in [(-2.0, 0.0), (1e-6, 0.0), (1.0, 3.0)] {
            let other: Vec<f32> = tile.iter().map(|w| w * factor + added).collect();
            let after = tuning(0, &other, 32, 32).expect("it varies");
            close(after.selectivity, before.selectivity);
            close(after.orientation, before.orientation);
        }
    }

    #[test]
    fn what_cannot_be_tuned_has_no_tuning() {
        assert_eq!(tuning(0, &[0.1; 9], 3, 3), None);
        assert_eq!(tuning(0, &[0.1, 0.2], 3, 3), None);
        assert_eq!(tuning(0, &[f32::NAN, 0.0, 1.0, 0.0], 2, 2), None);
        assert_eq!(tuning(0, &[], 0, 0), None);
    }

    #[test]
    fn quantiles_lie_between_neighbours() {
        let numbers = [1.0, 2.0, 4.0, 8.0, 16.0];
        let found = [0.0, 0.1, 0.5, 0.75, 1.0].map(|share| quantile(&numbers, share));
        assert_eq!(found, [1.0, 1.4, 4.0, 8.0, 16.0].map(Some));
        assert_eq!((quantile(&[], 0.5), quantile(&[3.0], 0.9)), (None, Some(3.0)));
    }
}
