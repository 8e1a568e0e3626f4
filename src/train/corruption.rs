//! The disturbance of a denoising autoencoder's input (Vincent et al. 2010, section 3).
//!
//! Drawn on the host, from a stream for each member and batch: the same on every backend, and no different for
//! what was trained before or beside it.

use burn::tensor::{Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::ops::Rows;
use crate::seed::{Purpose, stream};
use crate::spec::Corruption;

/// What each of `count` inputs is multiplied by, or for noise what is added to it; `None` where nothing is to be
/// disturbed.
fn drawn(corruption: Corruption, stream: &mut ChaCha8Rng, count: usize) -> Option<Vec<f32>> {
    match corruption {
        Corruption::None => None,
        Corruption::Masking { fraction } => {
            let threshold = (fraction * f64::from(u32::MAX)) as u32;
            let kept =
                std::iter::repeat_with(|| f32::from(u8::from(stream.next_u32() >= threshold)));
            Some(kept.take(count).collect())
        }
        Corruption::Gaussian { deviation } => {
            let noise = std::iter::repeat_with(|| {
                let standard: f64 = StandardNormal.sample(stream);
                (deviation * standard) as f32
            });
            Some(noise.take(count).collect())
        }
    }
}

/// x as the encoder is to see it. `place` tells batches apart.
///
/// # Shapes
///
/// - x: `[1, batch, input]` or `[member, batch, input]`, with a member for each of `seeds`
/// - output: `[member, batch, input]`; `None` where nothing is to be disturbed
#[must_use]
pub fn corrupt(x: &Rows, corruption: Corruption, seeds: &[u64], place: &[u64]) -> Option<Rows> {
    let [_, images, inputs] = x.dims();
    let mut values = Vec::new();
    for &seed in seeds {
        let mut stream = stream(seed, Purpose::Corruption, place);
        values.extend(drawn(corruption, &mut stream, images * inputs)?);
    }
    let x = x.numbers();
    let data = TensorData::new(values, [seeds.len(), images, inputs]);
    let drawn = Tensor::from_data(data, &x.device());
    let disturbed = match corruption {
        Corruption::Gaussian { .. } => x + drawn,
        Corruption::None | Corruption::Masking { .. } => x * drawn,
    };
    Some(disturbed.into())
}

/// One row as an encoder would see it in training, to be looked at; `None` where nothing is to be disturbed. `index` tells
/// rows apart; no batch of a training is disturbed so.
#[must_use]
pub fn disturbed(x: &[f32], corruption: Corruption, seed: u64, index: u64) -> Option<Vec<f32>> {
    let mut stream = stream(seed, Purpose::Corruption, &[index]);
    let drawn = drawn(corruption, &mut stream, x.len())?;
    let pairs = x.iter().zip(drawn);
    let disturbed = pairs.map(|(x, drawn)| match corruption {
        Corruption::Gaussian { .. } => x + drawn,
        Corruption::None | Corruption::Masking { .. } => x * drawn,
    });
    Some(disturbed.collect())
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::model::numbers;

    fn ones(images: usize) -> Rows {
        Tensor::ones([1, images, 100], &Device::flex()).into()
    }

    #[test]
    fn masking_silences_the_fraction_it_is_asked_for() {
        let masking = Corruption::Masking { fraction: 0.25 };
        let x = corrupt(&ones(200), masking, &[1, 2], &[0, 0, 0]).expect("disturbed");
        assert_eq!(x.dims(), [2, 200, 100]);
        let values = numbers(x.numbers());
        assert!(
            values
                .iter()
                .all(|&value| value == 0.0 || (value - 1.0).abs() < 1e-7)
        );
        // 40,000 draws: standard deviation 0.002.
        let silent = values.iter().filter(|&&value| value == 0.0).count() as f64 / 40_000.0;
        assert!((silent - 0.25).abs() < 0.01, "{silent}");
    }

    #[test]
    fn noise_has_the_deviation_asked_for_and_depends_on_seed_and_place_alone() {
        let gaussian = Corruption::Gaussian { deviation: 0.3 };
        let noise = |seeds: &[u64], place: u64| {
            let x = corrupt(&ones(100), gaussian, seeds, &[place]).expect("disturbed");
            numbers(x.numbers())
        };
        let values = noise(&[7], 0);
        let variance = values
            .iter()
            .map(|v| (f64::from(*v) - 1.0).powi(2))
            .sum::<f64>()
            / 1e4;
        assert!((variance.sqrt() - 0.3).abs() < 0.01, "{variance}");
        assert_eq!(
            values,
            noise(&[7, 8], 0)[..10_000],
            "company changes nothing"
        );
        assert_ne!(values, noise(&[7], 1));
        assert_ne!(values, noise(&[8], 0));
    }

    #[test]
    fn a_single_row_is_disturbed_as_a_batch_of_one_would_be() {
        for corruption in [
            Corruption::Masking { fraction: 0.5 },
            Corruption::Gaussian { deviation: 0.3 },
        ] {
            let batch = corrupt(&ones(1), corruption, &[7], &[3]).expect("disturbed");
            let row = disturbed(&[1.0; 100], corruption, 7, 3).expect("disturbed");
            assert_eq!(row, numbers(batch.numbers()));
        }
    }

    #[test]
    fn without_corruption_nothing_is_drawn() {
        assert!(disturbed(&[1.0], Corruption::None, 1, 0).is_none());
        assert!(corrupt(&ones(3), Corruption::None, &[1, 2], &[0]).is_none());
    }
}
