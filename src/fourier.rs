//! The Fourier plane of a picture of any size, by rustfft.

use rustfft::FftPlanner;
use rustfft::num_complex::Complex;

/// From a picture to its Fourier plane, or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Forward,
    /// Without the division by the number of pixels.
    Inverse,
}

/// Transforms `plane`, `height` × `width` row after row, along its rows and then along its columns.
pub fn transform(plane: &mut Vec<Complex<f64>>, height: usize, width: usize, direction: Direction) {
    let mut planner = FftPlanner::new();
    for (rows, columns) in [(height, width), (width, height)] {
        let along_rows = match direction {
            Direction::Forward => planner.plan_fft_forward(columns),
            Direction::Inverse => planner.plan_fft_inverse(columns),
        };
        along_rows.process(plane);
        // Columns become rows; after the second time rows are rows again.
        let entry = |at: usize| plane[at % rows * columns + at / rows];
        *plane = (0..rows * columns).map(entry).collect();
    }
}

/// The frequency of a row or column of the plane in cycles a pixel, from −½ to below ½.
pub fn frequency(index: usize, size: usize) -> f64 {
    let wrapped = if 2 * index < size { 0.0 } else { 1.0 };
    index as f64 / size as f64 - wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wave_is_one_pair_of_points() {
        // cos 2π(2r/6 + 1c/5) has half of its 30 pixels at (2, 1), and at (−2, −1), which is (4, 4).
        let (height, width) = (6, 5);
        let wave = |at: usize| {
            let (row, column) = ((at / width) as f64, (at % width) as f64);
            let turns = 2.0 * row / 6.0 + column / 5.0;
            Complex::from((std::f64::consts::TAU * turns).cos())
        };
        let picture: Vec<_> = (0..30).map(wave).collect();
        let mut plane = picture.clone();
        transform(&mut plane, height, width, Direction::Forward);
        for (at, value) in plane.iter().enumerate() {
            let place = (at / width, at % width);
            let expected = if [(2, 1), (4, 4)].contains(&place) {
                15.0
            } else {
                0.0
            };
            assert!((value - expected).norm() < 1e-12, "{place:?}: {value}");
        }
        transform(&mut plane, height, width, Direction::Inverse);
        for (found, expected) in plane.iter().zip(&picture) {
            assert!((found / 30.0 - expected).norm() < 1e-14);
        }
    }

    #[test]
    fn frequencies_wrap_at_one_half() {
        let of = |size: usize| -> Vec<f64> { (0..size).map(|at| frequency(at, size)).collect() };
        assert_eq!(of(4), [0.0, 0.25, -0.5, -0.25]);
        assert_eq!(of(5), [0.0, 0.2, 0.4, 3.0 / 5.0 - 1.0, 4.0 / 5.0 - 1.0]);
        assert_eq!(of(1), [0.0]);
    }
}
