//! One direction of a chart: where values go, and the round ticks beside them.

/// Larger numbers come from a training that diverged; drawing them would flatten everything else.
pub(super) const DRAWABLE: f64 = 1e30;
/// A chart that may, goes over to a logarithmic scale at this ratio of its largest to its smallest value.
const LOGARITHMIC_FROM: f64 = 30.0;

/// What lies along a chart.
#[derive(Debug, Clone, PartialEq)]
pub enum Horizontal {
    /// Epochs, layers: ticks at whole numbers only.
    Whole,
    /// Any numbers: ticks at round numbers.
    Real,
    /// Ticks at these places, with their labels.
    At(Vec<(f64, String)>),
}

/// The scale of a chart's values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Vertical {
    /// Linear, or logarithmic where values are positive and far apart.
    Either,
    /// Linear, whatever the values are.
    Linear,
    /// Linear, whole numbers, from 0.
    Count,
    /// Linear from here to there; what lies outside is cut off.
    Within(f64, f64),
}

/// Maps values to one direction of a plot, and chooses round ticks.
pub(super) struct Axis {
    /// In log₁₀ units on a logarithmic axis.
    low: f64,
    high: f64,
    pub(super) logarithmic: bool,
    whole: bool,
}

impl Axis {
    /// `None` without values.
    pub(super) fn across(values: impl Iterator<Item = f64>, scale: &Horizontal) -> Option<Self> {
        let (low, high) = range(values.filter(|value| value.abs() < DRAWABLE))?;
        // A single value stands in the middle.
        let margin = if low < high { 0.04 * (high - low) } else { 0.5 };
        Some(Self {
            low: low - margin,
            high: high + margin,
            logarithmic: false,
            whole: *scale == Horizontal::Whole,
        })
    }

    /// `None` without values.
    pub(super) fn of_values(values: impl Iterator<Item = f64>, scale: Vertical) -> Option<Self> {
        let (low, high) = range(values)?;
        let whole = scale == Vertical::Count;
        let logarithmic = scale == Vertical::Either && low > 0.0 && high / low >= LOGARITHMIC_FROM;
        let (low, high) = match scale {
            Vertical::Within(low, high) => {
                return Some(Self {
                    low,
                    high,
                    logarithmic,
                    whole,
                });
            }
            _ if logarithmic => (low.log10(), high.log10()),
            Vertical::Count => (low.min(0.0), high.max(1.0)),
            Vertical::Either | Vertical::Linear => (low, high),
        };
        // Differences that come from rounding alone are no range to spread out.
        let margin = if high - low > 1e-9 * low.abs().max(high.abs()) {
            0.06 * (high - low)
        } else {
            (0.1 * low.abs()).max(1e-3)
        };
        Some(Self {
            low: low - margin,
            high: high + margin,
            logarithmic,
            whole,
        })
    }

    pub(super) fn place(&self, value: f64, start: f32, end: f32) -> f32 {
        let value = if self.logarithmic {
            value.log10()
        } else {
            value
        };
        let share = (value - self.low) / (self.high - self.low);
        start + (end - start) * share as f32
    }

    /// Values with labels, at most about ten.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        if self.logarithmic {
            return self.logarithmic_ticks();
        }
        let span = self.high - self.low;
        let target: f64 = if self.whole && span < 13.0 {
            span
        } else {
            span / 6.0
        };
        let power = 10_f64.powf(target.log10().floor());
        let mut step = [1.0, 2.0, 5.0, 10.0]
            .map(|factor| factor * power)
            .into_iter()
            .find(|step| *step >= target * 0.999)
            .unwrap_or(power);
        if self.whole {
            step = if span < 13.0 { 1.0 } else { step.max(1.0) };
        }
        let decimals = (-step.log10().floor()).clamp(0.0, 12.0) as usize;
        let (first, last) = ((self.low / step).ceil(), (self.high / step).floor());
        (0..=(last - first).clamp(0.0, 20.0) as usize)
            .map(|index| {
                let value = (first + index as f64) * step;
                let label = if value.abs() < 1e6 {
                    format!("{value:.decimals$}")
                } else {
                    format!("{value:.1e}")
                };
                (value, label.replace('-', "−"))
            })
            .filter(|(value, _)| *value <= self.high + 1e-9 * step)
            .collect()
    }

    fn logarithmic_ticks(&self) -> Vec<(f64, String)> {
        let decades = self.high - self.low;
        let factors: &[f64] = match decades {
            d if d < 1.7 => &[1.0, 2.0, 5.0],
            d if d < 3.5 => &[1.0, 3.0],
            _ => &[1.0],
        };
        let stride = (decades / 6.0).ceil().max(1.0) as usize;
        ((self.low.floor() as i32)..=(self.high.ceil() as i32))
            .step_by(stride)
            .flat_map(|power| factors.iter().map(move |factor| (power, factor)))
            .map(|(power, factor)| {
                let label = if (-4..6).contains(&power) {
                    let decimals = (-power).max(0) as usize;
                    format!("{:.decimals$}", factor * 10_f64.powi(power))
                } else {
                    format!("{factor}e{power}").replace('-', "−")
                };
                (factor * 10_f64.powi(power), label)
            })
            .filter(|(value, _)| (self.low..=self.high).contains(&value.log10()))
            .collect()
    }
}

/// Smallest and largest; `None` without values.
pub(super) fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    (low <= high).then_some((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_epochs_whole() {
        let labels = |axis: Option<Axis>| -> Vec<String> {
            let ticks = axis.expect("an axis").ticks();
            ticks.into_iter().map(|(_, label)| label).collect()
        };
        let epochs =
            |last: u32| labels(Axis::across((1..=last).map(f64::from), &Horizontal::Whole));
        assert_eq!(epochs(1), ["1"]);
        assert_eq!(epochs(4), ["1", "2", "3", "4"]);
        assert_eq!(epochs(100), ["0", "20", "40", "60", "80", "100"]);
        let values = |values: [f64; 2], scale| labels(Axis::of_values(values.into_iter(), scale));
        assert_eq!(
            values([0.61, 0.89], Vertical::Linear),
            ["0.6", "0.7", "0.8", "0.9"]
        );
        assert_eq!(values([0.0, 0.0], Vertical::Count), ["0", "1"]);
        assert_eq!(
            values([2.0, 150.0], Vertical::Either),
            ["3", "10", "30", "100"]
        );
        assert_eq!(
            values([2.0, 3.0], Vertical::Within(0.0, 100.0)),
            ["0", "20", "40", "60", "80", "100"]
        );
    }

    #[test]
    fn every_axis_has_a_few_ticks() {
        for exponent in -20..29 {
            for (low, high) in [
                (1.0, 1.0),
                (1.0, 1.3),
                (-2.0, 7.0),
                (1.0, 1.0 + 1e-15),
                (1.0, 900.0),
                (0.0, 13.0),
            ] {
                let unit = 10_f64.powi(exponent);
                for scale in [Vertical::Either, Vertical::Linear, Vertical::Count] {
                    let axis = Axis::of_values([low * unit, high * unit].into_iter(), scale);
                    let ticks = axis.expect("an axis").ticks();
                    assert!(
                        (1..=16).contains(&ticks.len()),
                        "{low} {high} e{exponent}: {ticks:?}"
                    );
                }
            }
        }
    }
}
