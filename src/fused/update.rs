//! Steps of optimisers in place: the parameter and its moments are read and written once.
//!
//! Each operation is that of burn's own rule, in its order, so that the bits are the same.

use burn::tensor::Tensor;

use super::{AdamRates, Place, entries, of_inner, primitive};
use crate::wide::{Pass, wide};

/// After step `time`, counted from 1, against `gradient`.
///
/// # Panics
///
/// Panics where nothing is [offered](super::offered).
#[must_use]
pub fn adam(
    rates: AdamRates,
    learning_rate: f32,
    time: usize,
    place: Place,
    gradient: &Tensor<3>,
) -> Place {
    let AdamRates {
        beta_1,
        beta_2,
        epsilon,
    } = rates;
    let time = i32::try_from(time).unwrap_or(i32::MAX);
    let root = (1.0 - beta_2.powi(time)).sqrt();
    let factor = root / (1.0 - beta_1.powi(time));
    let epsilon = epsilon * root;

    let gradient = primitive(gradient.clone());
    let mut parameter = primitive(place.parameter);
    let [mut first, mut second] = place.moments.map(primitive);
    wide(AdamPass {
        beta_1,
        beta_2,
        factor,
        epsilon,
        learning_rate,
        parameter: parameter.storage_mut(),
        first: first.storage_mut(),
        second: second.storage_mut(),
        gradient: entries(&gradient),
    });
    Place {
        parameter: of_inner(parameter),
        moments: [first, second].map(of_inner),
    }
}

/// `parameter` − `learning_rate` · `gradient`.
///
/// # Panics
///
/// Panics where nothing is [offered](super::offered).
#[must_use]
pub fn descend(learning_rate: f32, parameter: Tensor<3>, gradient: &Tensor<3>) -> Tensor<3> {
    let gradient = primitive(gradient.clone());
    let mut parameter = primitive(parameter);
    wide(Descent {
        learning_rate,
        parameter: parameter.storage_mut(),
        gradient: entries(&gradient),
    });
    of_inner(parameter)
}

struct AdamPass<'a> {
    beta_1: f32,
    beta_2: f32,
    factor: f32,
    epsilon: f32,
    learning_rate: f32,
    parameter: &'a mut [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
    gradient: &'a [f32],
}

impl Pass for AdamPass<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (take_1, take_2) = (1.0 - self.beta_1, 1.0 - self.beta_2);
        let moments = self.first.iter_mut().zip(self.second);
        let places = self.parameter.iter_mut().zip(moments).zip(self.gradient);
        for ((parameter, (first, second)), gradient) in places {
            *first = *first * self.beta_1 + gradient * take_1;
            *second = *second * self.beta_2 + gradient * gradient * take_2;
            let step = *first * self.factor / (second.sqrt() + self.epsilon);
            *parameter -= step * self.learning_rate;
        }
    }
}

struct Descent<'a> {
    learning_rate: f32,
    parameter: &'a mut [f32],
    gradient: &'a [f32],
}

impl Pass for Descent<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (parameter, gradient) in self.parameter.iter_mut().zip(self.gradient) {
            *parameter -= gradient * self.learning_rate;
        }
    }
}
