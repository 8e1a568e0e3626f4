//! What is in the layers of a classifier: gradients, activations and dead units, layer by layer and epoch by epoch.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::figures::RedrawError;
use super::reading::grouped;
use super::{Evidence, Run, is_classifier, remarks};
use crate::experiment::PROBE_IMAGES;
use crate::report::{
    self, Cells, Drawing, Figures, GridShape, HeatMaps, MOST_NAMES, Map, Row, Scale, Term, Words,
    dead_means,
};
use crate::results::{LayerRecord, Spread};
use crate::run_dir;
use crate::spec::Plan;
use crate::words::{counted, listed_names};

pub struct Layers;

/// The conditions whose layers are shown.
pub(super) fn shown(plan: &Plan) -> Vec<String> {
    let conditions = plan.report.layers_of.iter().map(|&at| &plan.conditions[at]);
    conditions.map(|condition| condition.name.clone()).collect()
}

impl Evidence for Layers {
    fn name(&self) -> &'static str {
        "layers"
    }

    fn applies(&self, plan: &Plan) -> bool {
        is_classifier(plan) && !plan.report.layers_of.is_empty()
    }

    fn outlook(&self, plan: &Plan, _: &dyn Fn(usize) -> GridShape) -> Vec<String> {
        let conditions = report::conditions_left_out(plan.report.layers_of.len());
        remarks(run_dir::LAYERS_SVG, conditions)
    }

    fn show(&self, run: &Run<'_>, figures: &mut Figures) -> Result<Option<Markup>, RedrawError> {
        let layers = run.kept_records().layers;
        if layers.is_empty() {
            return Ok(None);
        }
        let images = PROBE_IMAGES.min(run.manifest.data.train_images);
        let conditions = shown(run.plan);
        let medians = match run.plan.run.seeds.len() {
            1 => "",
            _ => "; medians over seeds",
        };
        let words = Words {
            alt: &format!(
                "Heat maps of gradient norms, activations and dead units, layer by epoch, of {}",
                listed_names(&conditions, MOST_NAMES)
            ),
            caption: &format!(
                "Measured after each epoch on a fixed batch, the first {}, outside of the training steps{medians}; one scale per quantity. The topmost row of the gradients is the softmax layer. {}",
                counted(grouped(images), "training image"),
                dead_means("these images"),
            ),
            numbers: Some(run_dir::LAYERS_CSV),
        };
        let maps = heat_maps(&layers, &conditions);
        figures.glossary.uses(&[Term::Dead]);
        Ok(Some(html! {
            h2 { "What is in the layers" }
            (figures.chart("layers", &maps, &words))
        }))
    }
}

/// More layers and epochs than these are sampled: the first, at even distances, and the last.
const MOST_LAYERS: usize = 60;
const MOST_EPOCHS: usize = 120;

struct Quantity {
    title: &'static str,
    value: fn(&LayerRecord) -> f64,
    scale: Scale,
    /// Of the hidden layers only: the softmax layer's numbers mean something else.
    hidden_only: bool,
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

/// What is in the layers of `conditions`, in this order.
fn heat_maps(records: &[LayerRecord], conditions: &[String]) -> Drawing {
    let rows = QUANTITIES.iter().map(|quantity| Row {
        title: quantity.title.to_owned(),
        scale: quantity.scale,
        maps: conditions
            .iter()
            .map(|condition| map(records, condition, quantity))
            .collect(),
    });
    HeatMaps {
        rows: rows.collect(),
        cells: Cells::Colours,
    }
    .drawing()
}

/// Layer 1, next to the input, at the bottom, as nets are drawn.
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
    let names = |numbers: &[usize]| numbers.iter().map(usize::to_string).collect();
    Map {
        title: condition.to_owned(),
        rows: names(&layers),
        columns: names(&epochs),
        cells,
        axes: "layer upwards, epoch to the right (0: the start)".to_owned(),
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
    fn a_cell_is_the_median_over_seeds() {
        let records = [
            record(1, 0, 0, 1e-9),
            record(1, 0, 1, 1e-7),
            record(1, 0, 2, 1e-8),
            record(2, 0, 0, 0.0),
        ];
        let map = map(&records, "C", &QUANTITIES[0]);
        assert_eq!(map.cells, [[Some(1e-8)], [Some(0.0)]]);
        let svg = heat_maps(&records, &["C".to_owned()]).svg();
        assert!(svg.contains("exactly 0") && !svg.contains("NaN"));
    }

    #[test]
    fn the_softmax_layer_s_probabilities_are_no_activations() {
        let records = [record(1, 0, 0, 1.0), record(2, 0, 0, 1.0)];
        assert_eq!(map(&records, "C", &QUANTITIES[0]).rows, ["1", "2"]);
        assert_eq!(map(&records, "C", &QUANTITIES[1]).rows, ["1"]);
    }

    #[test]
    fn many_layers_epochs_and_conditions_are_sampled_and_said_to_be() {
        let records: Vec<LayerRecord> = (1..=300)
            .flat_map(|layer| (0..=500).map(move |epoch| record(layer, epoch, 0, 1.0)))
            .collect();
        let map = map(&records, "C", &QUANTITIES[0]);
        assert_eq!((map.rows.len(), map.columns.len()), (61, 101));
        assert_eq!([&*map.rows[1], &*map.rows[60]], ["6", "300"]);
        assert_eq!([&*map.columns[1], &*map.columns[100]], ["5", "500"]);
        assert_eq!(map.remark, "drawn: one layer in 5, one epoch in 5");
    }
}
