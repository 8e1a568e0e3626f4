//! The only source of randomness: a stream of random numbers for each (seed, purpose, place).
//!
//! Streams are independent of each other and of the order in which they are asked for, so that a member's
//! initial weights do not change with the company it is trained in, nor an epoch's order with the epochs
//! before it. They are value-stable: the `ChaCha` cipher with eight rounds, keyed by a SHA-256 of what the stream is for.
//! Weights are drawn here, on the host, so that they are the same on every backend.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rand_distr::{Distribution, StandardNormal, StandardUniform};
use sha2::{Digest, Sha256};

use crate::spec::{Initialization, Variance};

/// What a stream is for. The name goes into the key: renaming one changes every result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Initial weights of a hidden layer, which is an autoencoder's encoder.
    EncoderWeight,
    /// Initial biases of such a layer.
    EncoderBias,
    /// Initial weights of an untied decoder.
    DecoderWeight,
    /// Initial biases of a decoder.
    DecoderBias,
    /// Initial weights of a classifier's output layer.
    OutputWeight,
    /// Initial biases of that layer.
    OutputBias,
    /// The order in which an epoch visits the images.
    BatchOrder,
    /// The noise that disturbs an encoder's inputs.
    Corruption,
    /// The shuffle of pretrained weights on their way into a classifier.
    Shuffle,
    /// Which rows are held out to test on.
    Split,
    /// The photographs and places that patches are cut from.
    Patches,
    /// Which images silent units start again from.
    Resampling,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::EncoderWeight => "encoder weight",
            Self::EncoderBias => "encoder bias",
            Self::DecoderWeight => "decoder weight",
            Self::DecoderBias => "decoder bias",
            Self::OutputWeight => "output weight",
            Self::OutputBias => "output bias",
            Self::BatchOrder => "batch order",
            Self::Corruption => "corruption",
            Self::Shuffle => "shuffle",
            Self::Split => "split",
            Self::Patches => "patches",
            Self::Resampling => "resampling",
        }
    }
}

/// The stream of `purpose` at `place` (layer, stage, epoch: whatever tells its uses apart) under `seed`.
#[must_use]
pub fn stream(seed: u64, purpose: Purpose, place: &[u64]) -> ChaCha8Rng {
    let mut key = Sha256::new();
    key.update(b"layerwise stream 1\0");
    key.update(purpose.name().as_bytes());
    key.update([0]);
    key.update(seed.to_le_bytes());
    for number in place {
        key.update(number.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key.finalize().into())
}

/// Initial values of a `rows × columns` matrix, row by row, for a layer with `fan_in` inputs. The rows and columns of weights are
/// the layer's fan-in and fan-out, in this order or the other.
#[must_use]
pub fn draw(
    initialization: Initialization,
    fan_in: usize,
    [rows, columns]: [usize; 2],
    mut stream: ChaCha8Rng,
) -> Vec<f32> {
    let count = rows * columns;
    let value =
        |variance: Variance| variance.value(fan_in, (rows + columns).saturating_sub(fan_in));
    match initialization {
        Initialization::Constant(value) => vec![value as f32; count],
        Initialization::Normal(variance) => {
            let deviation = value(variance).sqrt();
            standard_normals(&mut stream)
                .take(count)
                .map(|standard| (deviation * standard) as f32)
                .collect()
        }
        Initialization::Uniform(variance) => {
            let largest = (3.0 * value(variance)).sqrt();
            let from_0_to_1 =
                std::iter::repeat_with(|| -> f64 { StandardUniform.sample(&mut stream) });
            from_0_to_1
                .take(count)
                .map(|share| (largest * (2.0 * share - 1.0)) as f32)
                .collect()
        }
        Initialization::Orthogonal(gain) => {
            let (long, short) = (rows.max(columns), rows.min(columns));
            let basis = orthonormal(short, long, &mut stream);
            let entry = |row: usize, column: usize| {
                let (vector, place) = if rows <= columns {
                    (row, column)
                } else {
                    (column, row)
                };
                (gain * basis[vector][place]) as f32
            };
            (0..rows)
                .flat_map(|row| (0..columns).map(move |column| (row, column)))
                .map(|(row, column)| entry(row, column))
                .collect()
        }
    }
}

fn standard_normals(stream: &mut ChaCha8Rng) -> impl Iterator<Item = f64> + '_ {
    std::iter::repeat_with(move || StandardNormal.sample(stream))
}

/// `count` orthonormal vectors of `length` ≥ `count` numbers, uniform over rotations: normal vectors, each with
/// its part along those before it taken away (Gram and Schmidt), twice against rounding.
fn orthonormal(count: usize, length: usize, stream: &mut ChaCha8Rng) -> Vec<Vec<f64>> {
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(count);
    while basis.len() < count {
        let mut vector: Vec<f64> = standard_normals(stream).take(length).collect();
        for other in basis.iter().chain(&basis) {
            let along: f64 = vector.iter().zip(other).map(|(a, b)| a * b).sum();
            for (a, b) in vector.iter_mut().zip(other) {
                *a -= along * b;
            }
        }
        let norm = vector.iter().map(|a| a * a).sum::<f64>().sqrt();
        // Zero only for a draw that no stream is known to make.
        if norm > 1e-6 {
            for a in &mut vector {
                *a /= norm;
            }
            basis.push(vector);
        }
    }
    basis
}

/// The order in which epoch `epoch` of `stage` visits `count` images: a shuffle of 0 … count − 1.
#[must_use]
pub fn epoch_order(seed: u64, stage: u64, epoch: u64, count: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..count as u32).collect();
    shuffle(
        &mut order,
        stream(seed, Purpose::BatchOrder, &[stage, epoch]),
    );
    order
}

/// Puts `items` in random order (Fisher and Yates): every order is equally likely.
pub fn shuffle<T>(items: &mut [T], mut stream: ChaCha8Rng) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(&mut stream, last as u64 + 1) as usize);
    }
}

/// A uniform number in 0 … bound − 1, by Lemire's multiplication with rejection (2019), so without bias. `bound` is at
/// least 1.
pub fn below(stream: &mut ChaCha8Rng, bound: u64) -> u64 {
    let threshold = bound.wrapping_neg() % bound;
    loop {
        let product = u128::from(stream.next_u64()) * u128::from(bound);
        if product as u64 >= threshold {
            return (product >> 64) as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Variance;

    const UNIT_NORMAL: Initialization = Initialization::Normal(Variance::Fixed { value: 1.0 });

    #[test]
    fn a_stream_gives_the_values_it_has_always_given() {
        let mut stream = stream(0, Purpose::EncoderWeight, &[0]);
        assert_eq!(
            [stream.next_u64(), stream.next_u64()],
            [7_299_600_704_331_384_810, 10_718_532_000_144_910_657],
            "changing a stream changes every published result"
        );
    }

    #[test]
    fn streams_differ_by_seed_purpose_and_place() {
        let first = |seed, purpose, place: &[u64]| stream(seed, purpose, place).next_u64();
        let base = first(0, Purpose::EncoderWeight, &[0]);
        assert_ne!(base, first(1, Purpose::EncoderWeight, &[0]));
        assert_ne!(base, first(0, Purpose::EncoderBias, &[0]));
        assert_ne!(base, first(0, Purpose::EncoderWeight, &[1]));
        assert_eq!(base, first(0, Purpose::EncoderWeight, &[0]));
    }

    #[test]
    fn an_order_visits_every_image_once_and_differs_by_epoch() {
        let order = epoch_order(3, 0, 0, 1000);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<u32>>());
        assert_ne!(order, sorted);
        assert_ne!(order, epoch_order(3, 0, 1, 1000));
        assert_ne!(order, epoch_order(3, 1, 0, 1000));
        assert_eq!(order, epoch_order(3, 0, 0, 1000));
    }

    #[test]
    fn every_order_of_three_is_equally_likely() {
        let mut counts = std::collections::HashMap::new();
        for epoch in 0..6000 {
            *counts.entry(epoch_order(0, 0, epoch, 3)).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 6);
        // 1000 expected each, standard deviation 29.
        assert!(
            counts.values().all(|&n| (870..1130).contains(&n)),
            "{counts:?}"
        );
    }

    #[test]
    fn drawn_values_have_the_variance_asked_for() {
        let tenth_over_fan_in = Initialization::Normal(Variance::OverFanIn { scale: 0.1 });
        let values = draw(
            tenth_over_fan_in,
            10,
            [1000, 100],
            stream(0, Purpose::EncoderBias, &[]),
        );
        let variance = values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / 1e5;
        assert!((variance / 0.01 - 1.0).abs() < 0.02, "{variance}");
        let mean = draw(
            UNIT_NORMAL,
            1,
            [1, 100_000],
            stream(0, Purpose::EncoderBias, &[]),
        )
        .iter()
        .map(|v| f64::from(*v))
        .sum::<f64>()
            / 1e5;
        assert!(mean.abs() < 0.02, "{mean}");
    }

    #[test]
    fn uniform_values_fill_glorots_interval() {
        let glorot = Initialization::Uniform(Variance::OverFanSum { scale: 2.0 });
        let values = draw(
            glorot,
            300,
            [300, 200],
            stream(0, Purpose::EncoderWeight, &[]),
        );
        let bound = (6.0_f64 / 500.0).sqrt();
        let values: Vec<f64> = values.into_iter().map(f64::from).collect();
        let [largest, smallest] = [1.0, -1.0].map(|sign| {
            let signed = values.iter().map(|value| sign * value);
            signed.fold(f64::MIN, f64::max)
        });
        for end in [largest, smallest] {
            assert!((0.999 * bound..=bound).contains(&end), "{end} {bound}");
        }
        let variance = values.iter().map(|value| value * value).sum::<f64>() / 6e4;
        assert!((variance * 250.0 - 1.0).abs() < 0.02, "{variance}");
    }

    #[test]
    fn an_orthogonal_matrix_keeps_lengths_times_its_gain() {
        for [rows, columns] in [[6, 4], [4, 6], [5, 5]] {
            let gain = std::f64::consts::SQRT_2;
            let matrix = draw(
                Initialization::Orthogonal(gain),
                rows,
                [rows, columns],
                stream(1, Purpose::EncoderWeight, &[0]),
            );
            let entry = |row: usize, column: usize| f64::from(matrix[row * columns + column]);
            // The Gram matrix of the shorter side's vectors is gain² times the identity.
            let short = rows.min(columns);
            for a in 0..short {
                for b in 0..short {
                    let product: f64 = if rows <= columns {
                        (0..columns).map(|c| entry(a, c) * entry(b, c)).sum()
                    } else {
                        (0..rows).map(|r| entry(r, a) * entry(r, b)).sum()
                    };
                    let expected = if a == b { 2.0 } else { 0.0 };
                    assert!((product - expected).abs() < 1e-5, "{a} {b}: {product}");
                }
            }
        }
    }
}
