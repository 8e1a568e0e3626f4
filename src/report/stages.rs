//! The pretraining itself: what each stage's autoencoder costs, epoch by epoch, a line per condition.

use std::collections::BTreeSet;

use crate::results::{Spread, StageRecord};

use super::Drawing;
use super::axis::{Horizontal, Vertical};
use super::chart::{Chart, Legend, Line, Look, Sheet, Stroke};

type Quantity = fn(&StageRecord) -> f64;
const QUANTITIES: [(&str, Quantity); 2] = [
    ("Reconstruction cost, training images", |r| r.reconstruction),
    ("Sparsity term, Σ KL, without β", |r| r.sparsity),
];

/// Reconstruction and sparsity of every stage, over the layer that it trains: epoch e of E stands at
/// layer − 1 + e/E, so that a stage ends on its layer's tick.
#[must_use]
pub fn stages(records: &[StageRecord], conditions: &[&str]) -> Drawing {
    // A condition keeps its colour from the other charts, whether or not those before it are pretrained.
    let known: BTreeSet<&str> = records
        .iter()
        .map(|record| record.condition.as_str())
        .collect();
    let names: Vec<(&str, Look)> = conditions
        .iter()
        .copied()
        .zip(Look::all())
        .filter(|(name, _)| known.contains(name))
        .collect();
    let charts = QUANTITIES.iter().map(|(title, quantity)| Chart {
        title: (*title).to_owned(),
        x_title: "layer that is pretrained".to_owned(),
        x: Horizontal::Whole,
        y: Vertical::Either,
        lines: names
            .iter()
            .flat_map(|&(name, look)| lines(records, name, look, *quantity))
            .collect(),
    });
    Sheet {
        legend: Legend::new(
            names.iter().map(|&(name, look)| (name.to_owned(), look)),
            known.len(),
        ),
        charts: charts.collect(),
        columns: 2,
        chart_height: 340.0,
    }
    .drawing()
}

/// A line for each stage of a condition: medians over seeds, between the extremes.
fn lines(
    records: &[StageRecord],
    condition: &str,
    look: Look,
    quantity: fn(&StageRecord) -> f64,
) -> Vec<Line> {
    let mut of_condition: Vec<&StageRecord> = records
        .iter()
        .filter(|record| record.condition == condition)
        .collect();
    of_condition.sort_by_key(|record| (record.stage, record.epoch));
    let line = |stage: &[&StageRecord]| {
        let epochs = stage.last().map_or(1, |record| record.epoch) as f64;
        let (points, band) = stage
            .chunk_by(|a, b| a.epoch == b.epoch)
            .filter_map(|epoch| {
                let at = epoch[0].stage as f64 - 1.0 + epoch[0].epoch as f64 / epochs;
                let spread = Spread::of(epoch.iter().map(|record| quantity(record)))?;
                Some(((at, spread.median), (spread.smallest, spread.largest)))
            })
            .unzip();
        Line {
            look,
            stroke: Stroke::Solid,
            points,
            band,
        }
    };
    of_condition
        .chunk_by(|a, b| a.stage == b.stage)
        .map(line)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(stage: usize, epoch: usize, member: usize, reconstruction: f64) -> StageRecord {
        StageRecord {
            stage,
            epoch,
            member,
            label: format!("D, seed {member}"),
            condition: "D".to_owned(),
            seed: member as u64,
            learning_rate: 1e-3,
            cost: 0.0,
            reconstruction,
            sparsity: 1.0,
        }
    }

    #[test]
    fn a_stage_ends_on_its_layer_s_tick() {
        let records = [
            record(1, 1, 0, 6.0),
            record(1, 1, 1, 8.0),
            record(1, 2, 0, 5.0),
            record(1, 2, 1, 5.5),
            record(2, 1, 0, 3.0),
            record(2, 1, 1, 3.0),
        ];
        let look = Look::all().next().expect("there are many");
        let lines = lines(&records, "D", look, |r| r.reconstruction);
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].points, [(0.5, 7.0), (1.0, 5.25)]);
        assert_eq!(lines[0].band, [(6.0, 8.0), (5.0, 5.5)]);
        assert_eq!(lines[1].points, [(2.0, 3.0)]);
        assert!(stages(&records, &["C", "D"]).svg().contains(">D</text>"));
    }
}
