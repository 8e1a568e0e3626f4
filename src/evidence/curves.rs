//! Learning curves of autoencoders, and where they end.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde_json::Value;

use super::figures::RedrawError;
use super::quantities::{Finding, Outcomes, Quantity};
use super::{Evidence, Run, is_autoencoder, remarks, value};
use crate::experiment::{Models, Trained};
use crate::report::{
    self, Figures, Glossary, GridShape, MOST_NAMES, Term, Words, dead_means, if_defined, number,
    table,
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

    fn quantities(&self) -> &'static [Quantity] {
        macro_rules! of_record {
            ($name:literal, $value:expr) => {
                Quantity {
                    name: $name,
                    unit: "",
                    of: |of, member, epoch| {
                        let record = record(of, member, epoch)?;
                        let value: fn(&EpochRecord) -> Option<f64> = $value;
                        value(record).map(Finding::Number)
                    },
                }
            };
        }
        const OF_RECORDS: [Quantity; 8] = [
            of_record!("training cost", |of| Some(of.cost)),
            of_record!("test error", |of| Some(of.test_reconstruction)),
            of_record!("sparsity term", |of| Some(of.sparsity)),
            of_record!("explained variance", |of| of.explained_variance),
            of_record!("mean activation", |of| Some(of.mean_activation)),
            of_record!("active units", |of| Some(of.active_units)),
            of_record!("dead units", |of| Some(of.dead_units as f64)),
            of_record!("untrained units", |of| Some(of.untrained_units as f64)),
        ];
        &OF_RECORDS
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

/// The record of a member after an epoch, or the last.
fn record<'a>(of: &Outcomes<'a>, member: usize, epoch: Option<usize>) -> Option<&'a EpochRecord> {
    let records = of.records.epochs.iter().filter(|of| of.member == member);
    records
        .filter(|of| epoch.is_none_or(|epoch| of.epoch == epoch))
        .max_by_key(|of| of.epoch)
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
