//! Learning curves of autoencoders, and where they end.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde_json::Value;

use super::figures::RedrawError;
use super::{Evidence, Run, is_autoencoder, remarks, value};
use crate::experiment::{Models, Trained};
use crate::report::{
    self, Figures, Glossary, GridShape, MOST_NAMES, Term, Words, dead_means, if_defined, number, table,
};
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
        let conditions = listed(&run.conditions(), MOST_NAMES);
        let alt = format!(
            "Learning curves of {conditions}: reconstruction, sparsity, activity and dead units against the epoch"
        );
        let words = Words {
            alt: &alt,
            caption: "Every model after every epoch: the sparsity term over the epoch’s training images, all else over the test images.",
            numbers: Some(run_dir::METRICS_CSV),
        };
        let curves = figures.chart("curves", &report::learning_curves(&records), &words);
        Ok(Some(html! {
            h2 { "Training" }
            (curves)
            (last_epochs(&records, &mut figures.glossary))
        }))
    }
}

fn last_epochs(records: &[EpochRecord], glossary: &mut Glossary) -> Markup {
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
    let head = glossary.head(&[
        ("model", None),
        ("epoch", None),
        ("learning rate", None),
        ("cost", None),
        ("reconstruction", None),
        ("… on test", None),
        ("Σ KL", Some(Term::Divergence)),
        ("explained variance", Some(Term::ExplainedVariance)),
        ("mean activation", Some(Term::MeanActivation)),
        ("active (L0)", Some(Term::ActiveUnits)),
        ("dead", Some(Term::Dead)),
        ("untrained", Some(Term::Untrained)),
    ]);
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
