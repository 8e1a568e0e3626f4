//! The pretraining itself: what every stage comes to.

use maud::{Markup, html};

use super::figures::{Figures, RedrawError};
use super::{Evidence, Run};
use crate::report::{self, MOST_NAMES};
use crate::run_dir;
use crate::spec::{Condition, Plan};
use crate::words::listed;

pub struct Stages;

/// Whether any layer of it is pretrained.
pub(super) fn is_pretrained(condition: &Condition) -> bool {
    !condition.stages().is_empty()
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
        figures.chart(
            run,
            run_dir::STAGES_SVG,
            run_dir::STAGES_PNG,
            &report::stages(&records, &run.conditions()),
            report::lines_left_out(run.plan.conditions.len()),
        )?;
        let pretrained = run
            .plan
            .conditions
            .iter()
            .filter(|condition| is_pretrained(condition));
        let names: Vec<&str> = pretrained.map(|of| of.name.as_str()).collect();
        Ok(Some(html! {
            h2 { "The pretraining itself" }
            @if let Some(figure) = figures.get(run_dir::STAGES_SVG) {
                (figure.markup(
                    &format!("Reconstruction cost and sparsity of every stage of the pretraining of {}", listed(&names, MOST_NAMES)),
                    "The autoencoder of each layer after each of its epochs, on the codes of the layers below; a stage ends on its layer’s tick.",
                ))
            }
        }))
    }
}
