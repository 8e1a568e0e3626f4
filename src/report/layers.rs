//! Why a deep net does not learn: heat maps of what is in its layers, layer by epoch, conditions side by side.
//!
//! Each quantity has one scale for all conditions, so that colours compare. A cell is the median over seeds.

use std::fmt::Write as _;

use image::Rgb;

use crate::results::{LayerRecord, Spread};

use super::Drawing;
use super::canvas::{Anchor, Canvas, Colour, FAINT_INK, INK};
use super::chart::{LABEL_SIZE, SHEET_WIDTH, TICK_SIZE, range};
use super::significant;

/// Viridis (Smith and van der Walt 2015) at ten even steps: its lightness grows evenly, for every kind of eye.
const VIRIDIS: [[u8; 3]; 10] = [
    [68, 1, 84],
    [72, 40, 120],
    [62, 74, 137],
    [49, 104, 142],
    [38, 130, 142],
    [31, 158, 137],
    [53, 183, 121],
    [109, 205, 89],
    [180, 222, 44],
    [253, 231, 37],
];
/// Exactly 0 where the scale is logarithmic, and numbers that are none.
const NOTHING: Colour = Rgb([200, 200, 200]);

const TOP: f32 = 30.0;
const LEFT: f32 = 62.0;
const RIGHT: f32 = 150.0;
const BETWEEN: f32 = 60.0;
const ROW_HEADER: f32 = 46.0;
const ROW_FOOTER: f32 = 72.0;
const MAP_HEIGHT: f32 = 224.0;
const BAR_WIDTH: f32 = 14.0;
const MOST_TICKS: usize = 12;

struct Quantity {
    title: &'static str,
    value: fn(&LayerRecord) -> f64,
    scale: Scale,
    /// Of the hidden layers only: the softmax layer's numbers mean something else.
    hidden_only: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Scale {
    Linear,
    Logarithmic,
}

const QUANTITIES: [Quantity; 4] = [
    Quantity {
        title: "Norm of the gradient ∂L/∂W",
        value: |r| r.gradient_norm,
        scale: Scale::Logarithmic,
        hidden_only: false,
    },
    Quantity {
        title: "Spread of activations over images (standard deviation)",
        value: |r| r.activation_spread,
        scale: Scale::Logarithmic,
        hidden_only: true,
    },
    Quantity {
        title: "Mean activation",
        value: |r| r.activation_mean,
        scale: Scale::Linear,
        hidden_only: true,
    },
    Quantity {
        title: "Dead units, % of the layer",
        value: |r| 100.0 * r.dead_units as f64 / r.units.max(1) as f64,
        scale: Scale::Linear,
        hidden_only: true,
    },
];

/// Laid-out heat maps.
pub(super) struct HeatMaps {
    rows: Vec<Row>,
}

/// One quantity for every condition.
struct Row {
    title: &'static str,
    scale: Scale,
    /// Of the values on the scale; none if there is no value to scale.
    range: Option<(f64, f64)>,
    maps: Vec<Map>,
}

struct Map {
    condition: String,
    layers: Vec<usize>,
    epochs: Vec<usize>,
    /// By layer, then by epoch; absent where nothing was measured.
    cells: Vec<Vec<Option<f64>>>,
}

/// What is in the layers of `conditions`, in this order.
#[must_use]
pub fn layers(records: &[LayerRecord], conditions: &[String]) -> Drawing {
    let rows = QUANTITIES
        .iter()
        .map(|quantity| {
            let maps: Vec<Map> = conditions
                .iter()
                .map(|condition| map(records, condition, quantity))
                .collect();
            let cells = maps.iter().flat_map(|map| map.cells.iter().flatten());
            let values = cells.flatten().filter_map(|&v| on_scale(v, quantity.scale));
            Row {
                title: quantity.title,
                scale: quantity.scale,
                range: range(values),
                maps,
            }
        })
        .collect();
    Drawing::heat_maps(HeatMaps { rows })
}

fn map(records: &[LayerRecord], condition: &str, quantity: &Quantity) -> Map {
    let of_condition: Vec<&LayerRecord> = records
        .iter()
        .filter(|record| record.condition == condition)
        .collect();
    let distinct = |of: fn(&LayerRecord) -> usize| {
        let mut values: Vec<usize> = of_condition.iter().map(|record| of(record)).collect();
        values.sort_unstable();
        values.dedup();
        values
    };
    let mut layers = distinct(|record| record.layer);
    if quantity.hidden_only {
        layers.pop();
    }
    let epochs = distinct(|record| record.epoch);
    let cell = |layer: usize, epoch: usize| {
        let seeds = of_condition
            .iter()
            .filter(|record| record.layer == layer && record.epoch == epoch);
        Spread::of(seeds.map(|record| (quantity.value)(record))).map(|spread| spread.median)
    };
    let cells = layers
        .iter()
        .map(|&layer| epochs.iter().map(|&epoch| cell(layer, epoch)).collect())
        .collect();
    Map {
        condition: condition.to_owned(),
        layers,
        epochs,
        cells,
    }
}

/// The value in the units of its scale; `None` if it has no place there.
fn on_scale(value: f64, scale: Scale) -> Option<f64> {
    let value = match scale {
        Scale::Linear => value,
        Scale::Logarithmic => value.log10(),
    };
    value.is_finite().then_some(value)
}

/// From the lowest to the highest colour as `share` goes from 0 to 1.
fn viridis(share: f64) -> Colour {
    let place = share.clamp(0.0, 1.0) * (VIRIDIS.len() - 1) as f64;
    let below = (place.floor() as usize).min(VIRIDIS.len() - 2);
    let along = place - below as f64;
    let mix = |channel: usize| {
        let [from, to] = [VIRIDIS[below], VIRIDIS[below + 1]].map(|c| f64::from(c[channel]));
        (from + (to - from) * along).round() as u8
    };
    Rgb([mix(0), mix(1), mix(2)])
}

impl HeatMaps {
    pub(super) fn size(&self) -> (f32, f32) {
        let row = ROW_HEADER + MAP_HEIGHT + ROW_FOOTER;
        (SHEET_WIDTH, TOP + self.rows.len() as f32 * row + 8.0)
    }

    pub(super) fn draw(&self, canvas: &mut impl Canvas) {
        let mut top = TOP;
        for row in &self.rows {
            row.draw(canvas, top);
            top += ROW_HEADER + MAP_HEIGHT + ROW_FOOTER;
        }
    }
}

impl Row {
    fn draw(&self, canvas: &mut impl Canvas, top: f32) {
        canvas.text(self.title, (LEFT, top), LABEL_SIZE, INK, Anchor::Start);
        let maps = self.maps.len().max(1) as f32;
        let width = (SHEET_WIDTH - LEFT - RIGHT - (maps - 1.0) * BETWEEN) / maps;
        let mut left = LEFT;
        for map in &self.maps {
            map.draw(canvas, (left, top + ROW_HEADER), width, |value| {
                self.colour(value)
            });
            left += width + BETWEEN;
        }
        self.draw_bar(canvas, top + ROW_HEADER);
    }

    fn colour(&self, value: Option<f64>) -> Colour {
        let value = value.and_then(|value| on_scale(value, self.scale));
        match (value, self.range) {
            (Some(value), Some((low, high))) if high > low => viridis((value - low) / (high - low)),
            (Some(_), _) => viridis(0.0),
            (None, _) => NOTHING,
        }
    }

    /// The scale at the right, from its highest value down.
    fn draw_bar(&self, canvas: &mut impl Canvas, top: f32) {
        const STEPS: u16 = 56;
        let Some((low, high)) = self.range else {
            return;
        };
        let left = SHEET_WIDTH - RIGHT + 24.0;
        let step = MAP_HEIGHT / f32::from(STEPS);
        for index in 0..STEPS {
            let share = 1.0 - f64::from(index) / f64::from(STEPS - 1);
            let at = (left, top + f32::from(index) * step);
            // A little taller than a step, so that no line shows between two.
            let height = if index + 1 < STEPS { step + 0.5 } else { step };
            canvas.rectangle(at, (BAR_WIDTH, height), viridis(share));
        }
        let levels = if high > low { 5 } else { 1 };
        for level in 0..levels {
            let share = f64::from(level) / f64::from((levels - 1).max(1));
            let value = low + (high - low) * share;
            let text = match self.scale {
                Scale::Linear => significant(value, 2),
                Scale::Logarithmic => significant(10_f64.powf(value), 2),
            };
            let y = top + MAP_HEIGHT * (1.0 - share as f32) + 0.35 * TICK_SIZE;
            let at = (left + BAR_WIDTH + 8.0, y);
            canvas.text(&text, at, TICK_SIZE, FAINT_INK, Anchor::Start);
        }
        let nothing = |map: &Map| {
            let mut cells = map.cells.iter().flatten();
            cells.any(|cell| cell.is_some_and(|value| on_scale(value, self.scale).is_none()))
        };
        if self.maps.iter().any(nothing) {
            let y = top + MAP_HEIGHT + 12.0;
            canvas.rectangle((left, y), (BAR_WIDTH, 12.0), NOTHING);
            let at = (left + BAR_WIDTH + 8.0, y + 11.0);
            canvas.text("exactly 0", at, TICK_SIZE, FAINT_INK, Anchor::Start);
        }
    }
}

impl Map {
    /// Layer 1, next to the input, at the bottom, as nets are drawn.
    fn draw(
        &self,
        canvas: &mut impl Canvas,
        (left, top): (f32, f32),
        width: f32,
        colour: impl Fn(Option<f64>) -> Colour,
    ) {
        let mut title = self.condition.clone();
        if self.layers.is_empty() {
            let _ = write!(title, ": nothing measured");
        }
        canvas.text(&title, (left, top - 10.0), TICK_SIZE, INK, Anchor::Start);
        let cell_width = width / self.epochs.len().max(1) as f32;
        let cell_height = MAP_HEIGHT / self.layers.len().max(1) as f32;
        let bottom = top + MAP_HEIGHT;
        for (row, (layer, cells)) in self.layers.iter().zip(&self.cells).enumerate() {
            let y = bottom - (row + 1) as f32 * cell_height;
            for (column, &cell) in cells.iter().enumerate() {
                let at = (left + column as f32 * cell_width, y);
                // Gaps of half a pixel keep cells apart without hiding a thin one.
                let size = (cell_width - 0.5, cell_height - 0.5);
                canvas.rectangle(at, size, colour(cell));
            }
            if every(row, self.layers.len()) {
                let at = (left - 8.0, y + cell_height / 2.0 + 0.35 * TICK_SIZE);
                canvas.text(&layer.to_string(), at, TICK_SIZE, FAINT_INK, Anchor::End);
            }
        }
        for (column, epoch) in self.epochs.iter().enumerate() {
            if every(column, self.epochs.len()) {
                let x = left + (column as f32 + 0.5) * cell_width;
                let at = (x, bottom + 6.0 + TICK_SIZE);
                canvas.text(&epoch.to_string(), at, TICK_SIZE, FAINT_INK, Anchor::Middle);
            }
        }
        let below = (left + width, bottom + 36.0);
        let axes = "layer upwards, epoch to the right (0: the start)";
        canvas.text(axes, below, TICK_SIZE, FAINT_INK, Anchor::End);
    }
}

/// Whether tick `index` of `count` is one of those that have room.
fn every(index: usize, count: usize) -> bool {
    index.is_multiple_of(count.div_ceil(MOST_TICKS).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(layer: usize, epoch: usize, seed: u64, gradient_norm: f64) -> LayerRecord {
        LayerRecord {
            layer,
            epoch,
            member: seed as usize,
            label: format!("C, seed {seed}"),
            condition: "C".to_owned(),
            seed,
            gradient_norm,
            gradient_mean: gradient_norm,
            activation_mean: 0.5,
            activation_spread: 0.1,
            dead_units: 1,
            units: 4,
        }
    }

    #[test]
    fn a_cell_is_the_median_over_seeds_and_zero_has_a_colour_of_its_own() {
        let records = [
            record(1, 0, 0, 1e-9),
            record(1, 0, 1, 1e-7),
            record(1, 0, 2, 1e-8),
            record(2, 0, 0, 0.0),
        ];
        let map = map(&records, "C", &QUANTITIES[0]);
        assert_eq!(map.cells, [[Some(1e-8)], [Some(0.0)]]);
        let drawing = layers(&records, &["C".to_owned()]);
        let svg = drawing.svg();
        assert!(svg.contains("exactly 0") && svg.contains("#c8c8c8"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }

    #[test]
    fn the_softmax_layer_s_probabilities_are_no_activations() {
        let records = [record(1, 0, 0, 1.0), record(2, 0, 0, 1.0)];
        assert_eq!(map(&records, "C", &QUANTITIES[0]).layers, [1, 2]);
        assert_eq!(map(&records, "C", &QUANTITIES[1]).layers, [1]);
    }

    #[test]
    fn colours_run_from_dark_to_light() {
        assert_eq!(viridis(0.0), Rgb(VIRIDIS[0]));
        assert_eq!(viridis(1.0), Rgb(VIRIDIS[9]));
        assert_eq!(viridis(0.5 / 9.0), Rgb([70, 21, 102]));
        assert_eq!(viridis(7.0), Rgb(VIRIDIS[9]));
    }

    #[test]
    fn conditions_without_measurements_still_draw() {
        let svg = layers(&[], &["C".to_owned()]).svg();
        assert!(svg.contains("C: nothing measured"));
    }
}
