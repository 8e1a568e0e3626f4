//! What accuracy costs: the same curves against gradient updates, operations and seconds, pretraining included.

use maud::{Markup, html};

use super::figures::RedrawError;
use super::{Evidence, Run, accuracy_charts, is_classifier};
use crate::report::{Figures, MOST_NAMES, Term, Words};
use crate::run_dir;
use crate::spec::Plan;
use crate::words::listed_names;

pub struct Costs;

impl Evidence for Costs {
    fn name(&self) -> &'static str {
        "costs"
    }

    fn applies(&self, plan: &Plan) -> bool {
        is_classifier(plan)
    }

    fn show(&self, run: &Run<'_>, figures: &mut Figures) -> Result<Option<Markup>, RedrawError> {
        let records = run.kept_records().classifiers;
        let names = listed_names(run.conditions(), MOST_NAMES);
        let numbers = Some(run_dir::METRICS_CSV);
        figures.glossary.uses(&[Term::MultiplyAccumulates]);
        let costs = figures.chart("costs", &accuracy_charts::costs(&records), &Words {
            alt: &format!("Test accuracy of {names} against gradient updates and against multiply–accumulates, pretraining included"),
            caption: "Every condition from its start, pretraining included. Multiply–accumulates are those of the matrix products of training steps and of computing codes, counted, not measured.",
            numbers,
        });
        let chart = accuracy_charts::times(&records, &run.manifest.member_seconds);
        let times = figures.chart("times", &chart, &Words {
            alt: &format!("Test accuracy of {names} against seconds of training, pretraining included"),
            caption: "Wall-clock seconds of each model’s training on one thread of this machine, without evaluation and probes. These are measured, and differ from run to run.",
            numbers,
        });
        Ok(Some(html! {
            h2 { "What it costs" }
            p {
                "The same accuracies against what it took to reach them. A pretrained net begins where its pretraining ends: its curve starts to the right of the others’."
            }
            (costs)
            (times)
        }))
    }
}
