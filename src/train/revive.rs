//! Units that have been silent for long, and how they start again.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::optimizer::Optimizer;
use super::state::{State, tensor};
use crate::model::{Autoencoder, numbers, parameters, with_parameters};
use crate::ops::Rows;
use crate::seed::{Purpose, stream};
use rand_chacha::rand_core::Rng;

/// How many units of a member were silent at the end of an epoch, became so during it, and came back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SilenceCounts {
    /// Silent at its end.
    pub silent: usize,
    /// That became silent.
    pub died: usize,
    /// That were silent and turned on, or started again.
    pub revived: usize,
}

/// Since how many training images each unit has been silent: its output was 0 for all of them.
pub struct Silence {
    /// After so many a unit counts as silent.
    limit: usize,
    /// Images heard of so far.
    heard: usize,
    /// At most the limit, `[member, 1, unit]`, outside of any graph.
    silent_for: Tensor<3>,
    /// In the current epoch, `[member, 1, 1]`.
    died: Tensor<3>,
    revived: Tensor<3>,
}

impl Silence {
    /// Before the first batch no unit is silent.
    pub fn new(limit: usize, members: usize, units: usize, device: &Device) -> Self {
        Self {
            limit,
            heard: 0,
            silent_for: Tensor::zeros([members, 1, units], device),
            died: Tensor::zeros([members, 1, 1], device),
            revived: Tensor::zeros([members, 1, 1], device),
        }
    }

    /// 1 for silent units and 0 for others, `[member, 1, unit]`; `None` while none can be.
    pub fn silent(&self) -> Option<Tensor<3>> {
        (self.heard >= self.limit).then(|| self.is_silent())
    }

    fn is_silent(&self) -> Tensor<3> {
        let limit = self.limit as f64;
        self.silent_for.clone().greater_equal_scalar(limit).float()
    }

    /// A new epoch begins.
    pub fn begin_epoch(&mut self) {
        self.died = self.died.zeros_like();
        self.revived = self.revived.zeros_like();
    }

    /// Takes note of a batch's code h, `[member, batch, unit]`, outside of any graph. Whether its images complete another
    /// `limit`.
    pub fn hear(&mut self, h: Tensor<3>) -> bool {
        let [_, images, _] = h.dims();
        let was_silent = self.is_silent();
        let is_off = h.equal_scalar(0.0).float().min_dim(1);
        let silent_for = (self.silent_for.clone() + images as f64) * is_off;
        self.silent_for = silent_for.clamp_max(self.limit as f64);
        let is_silent = self.is_silent();
        let change = is_silent - was_silent;
        self.died = self.died.clone() + change.clone().clamp_min(0.0).sum_dim(2);
        self.revived = self.revived.clone() + change.neg().clamp_min(0.0).sum_dim(2);
        let rounds = self.heard / self.limit;
        self.heard += images;
        self.heard / self.limit > rounds
    }

    /// These units, 1 for each, have started again: `[member, 1, unit]`.
    fn start_again(&mut self, units: Vec<f32>) {
        let shape = self.silent_for.dims();
        let started = tensor(Some(units), shape, &self.silent_for.device());
        let started = started.expect("a number for each unit");
        self.silent_for = self.silent_for.clone() * (started.clone().neg() + 1.0);
        self.revived = self.revived.clone() + started.sum_dim(2);
    }

    /// What every member has come to in the epoch so far.
    pub fn counts(&self) -> Vec<SilenceCounts> {
        let silent = numbers(self.is_silent().sum_dim(2));
        let changes = numbers(self.died.clone())
            .into_iter()
            .zip(numbers(self.revived.clone()));
        let count = |number: f32| number as usize;
        let of_members = silent.into_iter().zip(changes);
        of_members
            .map(|(silent, (died, revived))| SilenceCounts {
                silent: count(silent),
                died: count(died),
                revived: count(revived),
            })
            .collect()
    }

    /// Everything it needs to go on.
    pub fn state(&self) -> State {
        let mut state = State::default();
        state.put("heard", &self.heard);
        state.put_numbers("silent_for", numbers(self.silent_for.clone()));
        state.put_numbers("died", numbers(self.died.clone()));
        state.put_numbers("revived", numbers(self.revived.clone()));
        state
    }

    /// Takes back what [`state`](Self::state) gave; `None` if it is that of another group.
    pub fn restore(&mut self, mut state: State) -> Option<()> {
        self.heard = state.take("heard")?;
        for (name, place) in [
            ("silent_for", &mut self.silent_for),
            ("died", &mut self.died),
            ("revived", &mut self.revived),
        ] {
            *place = tensor(state.take_numbers(name), place.dims(), &place.device())?;
        }
        Some(())
    }

    /// Starts silent units again from images that are reconstructed badly (Bricken et al. 2023, "neuron resampling").
    ///
    /// Each takes one image of the batch, chosen without replacement with a probability in proportion to the square of its
    /// squared error. Its decoder weights become the image less the decoder's bias, divided by the norm; its encoder weights
    /// are the same times a fifth of the mean norm of the other units' encoder weights, its bias is 0, and the optimiser
    /// forgets it. Where there are more silent units than images with an error, the first units have theirs now.
    ///
    /// # Shapes
    ///
    /// - x: `[member, batch, input]` or `[1, batch, input]`; h, its code: `[member, batch, unit]`
    pub fn resample(
        &mut self,
        model: Autoencoder,
        optimizer: &mut Optimizer,
        x: &Rows,
        h: Tensor<3>,
        streams: (&[u64], [u64; 3]),
    ) -> Autoencoder {
        const SHARE_OF_NORM: f64 = 0.2;
        let silent = numbers(self.is_silent());
        if silent.iter().all(|&is_silent| is_silent == 0.0) {
            return model;
        }
        let plain = model.valid();
        let [members, inputs, units] = plain.encoder.weight.dims();
        let images = x.count();
        let (x, c) = (x.numbers(), plain.decoder.bias.val());
        let errors = (plain.decode(h) - x.clone()).square().sum_dim(2);
        let errors = numbers(errors);
        let directions = numbers(x - c);
        let encoder = numbers(plain.encoder.weight.val());
        let mut started = vec![0.0; members * units];
        // For each unit that starts again its new encoder and decoder weights.
        let mut fresh: Vec<Option<[Vec<f32>; 2]>> = vec![None; members * units];
        let (seeds, place) = streams;
        for (member, &seed) in seeds.iter().enumerate() {
            let of_units = member * units..(member + 1) * units;
            let silent = &silent[of_units.clone()];
            let encoder = &encoder[member * inputs * units..][..inputs * units];
            let norm = mean_norm(encoder, silent).unwrap_or(1.0) * SHARE_OF_NORM;
            let errors = &errors[member * images..][..images];
            let chosen = drawn(errors, &mut stream(seed, Purpose::Resampling, &place));
            let units = of_units.filter(|&unit| silent[unit - member * units] > 0.0);
            for (unit, image) in units.zip(chosen) {
                let direction = &directions[(member * images + image) * inputs..][..inputs];
                let length = direction.iter().map(|&value| f64::from(value).powi(2));
                let length = length.sum::<f64>().sqrt();
                if length > 0.0 {
                    let scaled = |scale: f64| {
                        let values = direction.iter();
                        values
                            .map(|&value| (f64::from(value) / length * scale) as f32)
                            .collect()
                    };
                    fresh[unit] = Some([scaled(norm), scaled(1.0)]);
                    started[unit] = 1.0;
                }
            }
        }
        let kept = |path: &str| {
            let places = places(path, members, inputs, units)?;
            let kept = places.into_iter().map(|(unit, _)| 1.0 - started[unit]);
            Some(kept.collect())
        };
        optimizer.forget(&model, kept);
        let before = parameters(&model);
        let written = with_parameters(plain, |path, _| {
            let (_, _, mut values) = before
                .iter()
                .find(|(of, _, _)| of == path)
                .cloned()
                .expect("the model's own parameters");
            for (value, (unit, input)) in values
                .iter_mut()
                .zip(places(path, members, inputs, units).unwrap_or_default())
            {
                if let Some([encoder, decoder]) = &fresh[unit] {
                    *value = match path {
                        "encoder.weight" => encoder[input],
                        "decoder.weight" => decoder[input],
                        _ => 0.0,
                    };
                }
            }
            Ok::<_, std::convert::Infallible>(values)
        });
        self.start_again(started);
        match written {
            Ok(model) => model.train(),
        }
    }
}

/// For each entry of a parameter that belongs to single units, the unit (of all members) and the input that it is of.
fn places(path: &str, members: usize, inputs: usize, units: usize) -> Option<Vec<(usize, usize)>> {
    let of_members = 0..members;
    Some(match path {
        "encoder.weight" => of_members
            .flat_map(|member| {
                let of_inputs = 0..inputs;
                of_inputs.flat_map(move |input| {
                    (0..units).map(move |unit| (member * units + unit, input))
                })
            })
            .collect(),
        "encoder.bias" => (0..members * units).map(|unit| (unit, 0)).collect(),
        "decoder.weight" => (0..members * units)
            .flat_map(|unit| (0..inputs).map(move |input| (unit, input)))
            .collect(),
        _ => return None,
    })
}

/// The mean norm of the columns of units that are not silent; `None` where all are.
fn mean_norm(encoder: &[f32], silent: &[f32]) -> Option<f64> {
    let mut squares = vec![0.0_f64; silent.len()];
    for row in encoder.chunks_exact(silent.len()) {
        for (sum, &value) in squares.iter_mut().zip(row) {
            *sum += f64::from(value).powi(2);
        }
    }
    let live = squares
        .iter()
        .zip(silent)
        .filter(|(_, silent)| **silent == 0.0);
    let norms: Vec<f64> = live.map(|(squares, _)| squares.sqrt()).collect();
    (!norms.is_empty()).then(|| norms.iter().sum::<f64>() / norms.len() as f64)
}

/// Images in an order drawn without replacement, each with a probability in proportion to the square of its error (Efraimidis
/// and Spirakis 2006); images without an error are left out.
fn drawn(errors: &[f32], stream: &mut impl Rng) -> Vec<usize> {
    let mut keys: Vec<(f64, usize)> = errors
        .iter()
        .enumerate()
        .map(|(image, &error)| {
            let uniform = (f64::from(stream.next_u32()) + 0.5) / (f64::from(u32::MAX) + 1.0);
            (-uniform.ln() / f64::from(error).powi(2), image)
        })
        .filter(|(key, _)| key.is_finite())
        .collect();
    keys.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
    keys.into_iter().map(|(_, image)| image).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_with_large_errors_come_first_and_none_twice() {
        let errors = [1.0, 0.0, 100.0, 1.0];
        let mut first = [0; 4];
        for seed in 0..200 {
            let order = drawn(&errors, &mut stream(seed, Purpose::Resampling, &[]));
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 2, 3], "all that have an error, once each");
            first[order[0]] += 1;
        }
        // With probability 10 000 of 10 002.
        assert!(first[2] >= 198, "{first:?}");
    }

    #[test]
    fn units_fall_silent_after_as_many_images_and_come_back_when_they_turn_on() {
        let device = Device::flex();
        let mut silence = Silence::new(4, 1, 3, &device);
        let batch = |on: [f32; 3]| Tensor::<3>::from_floats([[on, [0.0; 3]]], &device);
        assert!(!silence.hear(batch([1.0, 0.0, 0.0])));
        assert!(silence.silent().is_none(), "2 images are not 4");
        assert!(silence.hear(batch([1.0, 0.0, 0.0])));
        assert_eq!(
            numbers(silence.silent().expect("4 images")),
            [0.0, 1.0, 1.0]
        );
        silence.hear(batch([0.0, 0.0, 2.0]));
        let counts = SilenceCounts {
            silent: 1,
            died: 2,
            revived: 1,
        };
        assert_eq!(silence.counts(), [counts]);
        silence.begin_epoch();
        silence.start_again(vec![0.0, 1.0, 0.0]);
        let counts = SilenceCounts {
            silent: 0,
            died: 0,
            revived: 1,
        };
        assert_eq!(silence.counts(), [counts]);
    }
}
