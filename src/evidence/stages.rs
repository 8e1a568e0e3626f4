//! The pretraining itself: what every stage comes to.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::figures::RedrawError;
use super::{Evidence, Run};
use crate::report::{
    Chart, Drawing, Figures, Horizontal, Legend, Line, Look, MOST_NAMES, Sheet, Term, Vertical,
    Words,
};
use crate::results::{Spread, StageRecord};
use crate::run_dir;
use crate::spec::{Condition, Plan, Target};
use crate::words::listed_names;

pub struct Stages;

/// Whether any layer of it is pretrained.
pub(super) fn is_pretrained(condition: &Condition) -> bool {
    !condition.stages().is_empty()
}

/// Whether its layers were to give classes in their pretraining.
fn learns_classes(condition: &Condition) -> bool {
    let training = condition.classifier();
    is_pretrained(condition) && training.is_some_and(|of| of.target == Target::Classes)
}

impl Evidence for Stages {
    fn name(&self) -> &'static str {
        "stages"
    }

    fn applies(&self, plan: &Plan) -> bool {
        plan.conditions.iter().any(is_pretrained)
    }

    fn show(&self, run: &Run<'_>, figures: &mut Figures) -> Result<Option<Markup>, RedrawError> {
        let records = run.kept_records().stages;
        if records.is_empty() {
            return Ok(None);
        }
        let pretrained = run
            .plan
            .conditions
            .iter()
            .filter(|condition| is_pretrained(condition));
        let names = pretrained.map(|of| &of.name);
        let words = Words {
            alt: &format!(
                "Training error and sparsity of every stage of the pretraining of {}",
                listed_names(names, MOST_NAMES)
            ),
            caption: if run.plan.conditions.iter().any(learns_classes) {
                "The autoencoder of each layer after each of its epochs, on the codes of the layers below; where layers were to give classes, the cross-entropy of the softmax layer on each, in nats; the pretraining of a layer ends on its tick."
            } else {
                "The autoencoder of each layer after each of its epochs, on the codes of the layers below; the pretraining of a layer ends on its tick."
            },
            numbers: Some(run_dir::STAGES_CSV),
        };
        let chart = chart(&records, &run.conditions());
        figures.glossary.uses(&[Term::Divergence]);
        Ok(Some(html! {
            h2 { "The pretraining itself" }
            (figures.chart("stages", &chart, &words))
        }))
    }
}

type Quantity = fn(&StageRecord) -> f64;
const QUANTITIES: [(&str, Quantity); 2] = [
    ("Training error", |r| r.reconstruction),
    ("Sparsity term, without its weight", |r| r.sparsity),
];

/// Reconstruction and sparsity of every stage, over the layer that it trains: epoch e of E stands at
/// layer − 1 + e/E, so that a stage ends on its layer's tick.
fn chart(records: &[StageRecord], conditions: &[&str]) -> Drawing {
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
    // Autoencoders without a sparsity term need no chart of it.
    let is_shown = |(_, quantity): &&(&str, Quantity)| records.iter().any(|of| quantity(of) != 0.0);
    let charts = QUANTITIES
        .iter()
        .filter(is_shown)
        .map(|(title, quantity)| Chart {
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
        let along = stage
            .chunk_by(|a, b| a.epoch == b.epoch)
            .filter_map(|epoch| {
                let at = epoch[0].stage as f64 - 1.0 + epoch[0].epoch as f64 / epochs;
                let spread = Spread::of(epoch.iter().map(|record| quantity(record)))?;
                Some((at, spread))
            });
        Line::of_spreads(look, along)
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
        assert!(chart(&records, &["C", "D"]).svg().contains(">D</text>"));
    }
}
