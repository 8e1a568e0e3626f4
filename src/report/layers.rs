//! Why a deep net does not learn: heat maps of what is in its layers, layer by epoch, conditions side by side.
//!
//! Each quantity has one scale for all conditions, so that colours compare. A cell is the median over seeds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use image::Rgb;

use crate::results::{LayerRecord, Spread};

use super::Drawing;
use super::canvas::{Anchor, Canvas, Colour, FAINT_INK, INK};
use super::chart::{LABEL_SIZE, SHEET_WIDTH, TICK_SIZE, range};
use super::{font, significant};

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
const ROW_FOOTER: f32 = 86.0;
/// Of maps; room for axes, a remark and the names of the next.
const BETWEEN_LINES: f32 = 82.0;
const MAP_HEIGHT: f32 = 224.0;
const BAR_WIDTH: f32 = 14.0;
const MOST_TICKS: usize = 12;
const TICK_WIDTH: f32 = 34.0;
const MAPS_PER_LINE: usize = 3;
/// More conditions, layers and epochs than these are sampled: the first, at even distances, and the last.
const MOST_MAPS: usize = 12;
const MOST_LAYERS: usize = 60;
const MOST_EPOCHS: usize = 120;

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
    title: String,
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
    /// What was not drawn.
    remark: String,
}

/// What is in the layers of `conditions`, in this order.
#[must_use]
pub fn layers(records: &[LayerRecord], conditions: &[String]) -> Drawing {
    let shown = &conditions[..conditions.len().min(MOST_MAPS)];
    let remark = conditions_left_out(conditions.len());
    let rows = QUANTITIES
        .iter()
        .map(|quantity| {
            let maps: Vec<Map> = shown
                .iter()
                .map(|condition| map(records, condition, quantity))
                .collect();
            let cells = maps.iter().flat_map(|map| map.cells.iter().flatten());
            let values = cells.flatten().filter_map(|&v| on_scale(v, quantity.scale));
            Row {
                title: match &remark {
                    Some(remark) => format!("{}; {remark}", quantity.title),
                    None => quantity.title.to_owned(),
                },
                scale: quantity.scale,
                range: range(values),
                maps,
            }
        })
        .collect();
    Drawing::heat_maps(HeatMaps { rows })
}

/// What heat maps of so many conditions do not draw.
#[must_use]
pub fn conditions_left_out(conditions: usize) -> Option<String> {
    (conditions > MOST_MAPS)
        .then(|| format!("the first {MOST_MAPS} of {conditions} conditions are drawn"))
}

fn map(records: &[LayerRecord], condition: &str, quantity: &Quantity) -> Map {
    let mut seeds: BTreeMap<(usize, usize), Vec<f64>> = BTreeMap::new();
    for record in records
        .iter()
        .filter(|record| record.condition == condition)
    {
        let cell = seeds.entry((record.layer, record.epoch)).or_default();
        cell.push((quantity.value)(record));
    }
    let mut layers: BTreeSet<usize> = seeds.keys().map(|(layer, _)| *layer).collect();
    if quantity.hidden_only {
        layers.pop_last();
    }
    let epochs: BTreeSet<usize> = seeds.keys().map(|(_, epoch)| *epoch).collect();
    let (layers, layer_stride) = sampled(layers, MOST_LAYERS);
    let (epochs, epoch_stride) = sampled(epochs, MOST_EPOCHS);
    let cell = |at: (usize, usize)| {
        let values = seeds.get(&at)?.iter().copied();
        Spread::of(values).map(|spread| spread.median)
    };
    let cells = layers
        .iter()
        .map(|&layer| epochs.iter().map(|&epoch| cell((layer, epoch))).collect())
        .collect();
    let strides = [("layer", layer_stride), ("epoch", epoch_stride)];
    let sampled: Vec<String> = strides
        .iter()
        .filter(|(_, stride)| *stride > 1)
        .map(|(what, stride)| format!("one {what} in {stride}"))
        .collect();
    Map {
        condition: condition.to_owned(),
        layers,
        epochs,
        cells,
        remark: if sampled.is_empty() {
            String::new()
        } else {
            format!("drawn: {}", sampled.join(", "))
        },
    }
}

/// At most about `most` of `values`, and at which distance they were taken.
fn sampled(values: BTreeSet<usize>, most: usize) -> (Vec<usize>, usize) {
    let stride = values.len().div_ceil(most).max(1);
    let last = values.len().saturating_sub(1);
    let kept = values
        .into_iter()
        .enumerate()
        .filter(|(at, _)| at.is_multiple_of(stride) || *at == last)
        .map(|(_, value)| value);
    (kept.collect(), stride)
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
        let height: f32 = self.rows.iter().map(Row::height).sum();
        (SHEET_WIDTH, TOP + height + 8.0)
    }

    pub(super) fn draw(&self, canvas: &mut impl Canvas) {
        let mut top = TOP;
        for row in &self.rows {
            row.draw(canvas, top);
            top += row.height();
        }
    }
}

impl Row {
    fn height(&self) -> f32 {
        let more_lines = self.lines().saturating_sub(1) as f32 * (MAP_HEIGHT + BETWEEN_LINES);
        ROW_HEADER + MAP_HEIGHT + more_lines + ROW_FOOTER
    }

    fn lines(&self) -> usize {
        self.maps.len().div_ceil(MAPS_PER_LINE)
    }

    fn draw(&self, canvas: &mut impl Canvas, top: f32) {
        canvas.text(&self.title, (LEFT, top), LABEL_SIZE, INK, Anchor::Start);
        // Maps of all lines are equally wide, and lines as full as may be.
        let per_line = self.maps.len().div_ceil(self.lines().max(1)).max(1);
        let between = (per_line - 1) as f32 * BETWEEN;
        let width = (SHEET_WIDTH - LEFT - RIGHT - between) / per_line as f32;
        for (line, maps) in self.maps.chunks(per_line).enumerate() {
            let top = top + ROW_HEADER + line as f32 * (MAP_HEIGHT + BETWEEN_LINES);
            for (column, map) in maps.iter().enumerate() {
                let left = LEFT + column as f32 * (width + BETWEEN);
                map.draw(canvas, (left, top), width, |value| self.colour(value));
            }
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
        let title = font::cut(&title, TICK_SIZE, width + BETWEEN / 2.0);
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
            if every(row, self.layers.len(), MOST_TICKS) {
                let at = (left - 8.0, y + cell_height / 2.0 + 0.35 * TICK_SIZE);
                canvas.text(&layer.to_string(), at, TICK_SIZE, FAINT_INK, Anchor::End);
            }
        }
        let ticks = ((width / TICK_WIDTH) as usize).clamp(1, MOST_TICKS);
        for (column, epoch) in self.epochs.iter().enumerate() {
            if every(column, self.epochs.len(), ticks) {
                let x = left + (column as f32 + 0.5) * cell_width;
                let at = (x, bottom + 6.0 + TICK_SIZE);
                canvas.text(&epoch.to_string(), at, TICK_SIZE, FAINT_INK, Anchor::Middle);
            }
        }
        let below = (left + width, bottom + 36.0);
        let axes = "layer upwards, epoch to the right (0: the start)";
        canvas.text(axes, below, TICK_SIZE, FAINT_INK, Anchor::End);
        let below = (left + width, bottom + 36.0 + 1.3 * TICK_SIZE);
        canvas.text(&self.remark, below, TICK_SIZE, FAINT_INK, Anchor::End);
    }
}

/// Whether tick `index` of `count` is one of at most `most`.
fn every(index: usize, count: usize, most: usize) -> bool {
    index.is_multiple_of(count.div_ceil(most).max(1))
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
    fn many_layers_epochs_and_conditions_are_sampled_and_said_to_be() {
        let records: Vec<LayerRecord> = (1..=300)
            .flat_map(|layer| (0..=500).map(move |epoch| record(layer, epoch, 0, 1.0)))
            .collect();
        let map = map(&records, "C", &QUANTITIES[0]);
        assert_eq!((map.layers.len(), map.epochs.len()), (61, 101));
        assert_eq!((map.layers[1], map.layers[60]), (6, 300));
        assert_eq!((map.epochs[1], map.epochs[100]), (5, 500));
        assert_eq!(map.remark, "drawn: one layer in 5, one epoch in 5");
        let conditions: Vec<String> = (0..40).map(|n| format!("condition {n}")).collect();
        let svg = layers(&records, &conditions).svg();
        assert!(svg.contains("; the first 12 of 40 conditions are drawn</text>"));
        // A negative width or height would be an error in SVG.
        assert!(!svg.contains("=\"-"), "everything has a size and a place");
    }

    #[test]
    fn conditions_without_measurements_still_draw() {
        let svg = layers(&[], &["C".to_owned()]).svg();
        assert!(svg.contains("C: nothing measured"));
    }
}
