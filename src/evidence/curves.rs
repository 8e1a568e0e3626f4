//! Learning curves of autoencoders, and where they end.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde_json::Value;

use super::figures::{Figures, RedrawError};
use super::{Evidence, Run, is_autoencoder, remarks, value};
use crate::experiment::{Models, Trained};
use crate::report::{self, GridShape, MOST_NAMES, dead_means, if_defined, number, table};
use crate::results::{EpochRecord, NO_EXPLAINED_VARIANCE};
use crate::run_dir;
use crate::spec::Plan;
use crate::words::listed;

pub struct Curves;

impl Evidence for Curves {
    fn name(&self) -> &'static str {
        "curves"
    }

    fn applies(&self, plan: &Plan) -> bool {
        is_autoencoder(plan)
    }

    /// The record of the last epoch.
    fn measure(&self, trained: &Trained<'_>) -> Vec<Value> {
        match trained.models {
            Models::Autoencoders { records, .. } => records.iter().map(value).collect(),
            Models::Classifiers { .. } => Vec::new(),
        }
    }

    fn outlook(&self, plan: &Plan, _: &dyn Fn(usize) -> GridShape) -> Vec<String> {
        let members = plan.conditions.len() * plan.run.seeds.len();
        [
            remarks(run_dir::CURVES_SVG, report::lines_left_out(members)),
            remarks(run_dir::PAGE, report::rows_left_out(members)),
        ]
        .concat()
    }

    fn show(&self, run: &Run<'_>, figures: &mut Figures) -> Result<Option<Markup>, RedrawError> {
        let records = run.epochs();
        figures.chart(
            run,
            run_dir::CURVES_SVG,
            run_dir::CURVES_PNG,
            &report::learning_curves(&records),
            report::lines_left_out(run.manifest.members.len()),
        )?;
        let conditions = listed(&run.conditions(), MOST_NAMES);
        let alt = format!(
            "Learning curves of {conditions}: reconstruction, sparsity, activity and dead units against the epoch"
        );
        Ok(Some(html! {
            h2 { "Training" }
            @if let Some(figure) = figures.get(run_dir::CURVES_SVG) {
                (figure.markup(
                    &alt,
                    "Every model after every epoch: the sparsity term over the epoch’s training images, all else over the test images.",
                ))
            }
            (last_epochs(&records))
        }))
    }
}

fn last_epochs(records: &[EpochRecord]) -> Markup {
    let mut last: BTreeMap<usize, &EpochRecord> = BTreeMap::new();
    for record in records {
        let seen = last.entry(record.member).or_insert(record);
        if seen.epoch < record.epoch {
            *seen = record;
        }
    }
    if last.is_empty() {
        return html! {};
    }
    let rows: Vec<Vec<String>> = last
        .values()
        .map(|record| {
            vec![
                record.label.clone(),
                record.epoch.to_string(),
                number(record.learning_rate),
                number(record.cost),
                number(record.reconstruction),
                number(record.test_reconstruction),
                number(record.sparsity),
                if_defined(record.explained_variance),
                number(record.mean_activation),
                number(record.active_units),
                record.dead_units.to_string(),
                record.untrained_units.to_string(),
            ]
        })
        .collect();
    let head = [
        "model",
        "epoch",
        "learning rate",
        "cost",
        "reconstruction",
        "… on test",
        "Σ KL",
        "explained variance",
        "mean activation",
        "active (L0)",
        "dead",
        "untrained",
    ];
    let not_defined = last
        .values()
        .any(|record| record.explained_variance.is_none());
    html! {
        (table("The last epoch of each model; costs are means over images", &head, &rows))
        p {
            (dead_means("the test images"))
            " Untrained: the unit’s column of encoder weights equals its initial values in every bit."
            @if not_defined { " The explained variance is not defined: " (NO_EXPLAINED_VARIANCE) "." }
        }
    }
}
