//! What accuracy costs: the same curves against gradient updates, operations and seconds, pretraining included.

use maud::{Markup, html};

use super::figures::{Figures, RedrawError};
use super::{Evidence, Run, is_classifier};
use crate::report::{self, MOST_NAMES};
use crate::run_dir;
use crate::spec::Plan;
use crate::words::listed;

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
        let left_out = || report::lines_left_out(run.plan.conditions.len());
        let (costs, times) = (run_dir::COSTS_SVG, run_dir::TIMES_SVG);
        let chart = report::costs(&records);
        figures.chart(run, costs, run_dir::COSTS_PNG, &chart, left_out())?;
        let chart = report::times(&records, &run.manifest.member_seconds);
        figures.chart(run, times, run_dir::TIMES_PNG, &chart, left_out())?;
        let names = listed(&run.conditions(), MOST_NAMES);
        Ok(Some(html! {
            h2 { "What it costs" }
            p {
                "The same accuracies against what it took to reach them. A pretrained net begins where its pretraining ends: its curve starts to the right of the others’."
            }
            @if let Some(figure) = figures.get(costs) {
                (figure.markup(
                    &format!("Test accuracy of {names} against gradient updates and against multiply–accumulates, pretraining included"),
                    "Every condition from its start, pretraining included. Multiply–accumulates are those of the matrix products of training steps and of computing codes, counted, not measured.",
                ))
            }
            @if let Some(figure) = figures.get(times) {
                (figure.markup(
                    &format!("Test accuracy of {names} against seconds of training, pretraining included"),
                    "Wall-clock seconds of each member’s training on one thread of this machine, without evaluation and probes. These are measured, and differ from run to run.",
                ))
            }
        }))
    }
}
