//! The pretraining itself: what every stage comes to.

use maud::{Markup, html};

use super::figures::RedrawError;
use super::{Evidence, Run};
use crate::report::{self, Figures, MOST_NAMES, Term, Words};
use crate::run_dir;
use crate::spec::{Condition, Plan};
use crate::words::listed;

pub struct Stages;

/// Whether any layer of it is pretrained.
pub(super) fn is_pretrained(condition: &&Condition) -> bool {
    !condition.stages().is_empty()
}

impl Evidence for Stages {
    fn name(&self) -> &'static str {
        "stages"
    }

    fn applies(&self, plan: &Plan) -> bool {
        plan.conditions
            .iter()
            .any(|condition| is_pretrained(&condition))
    }

    fn show(&self, run: &Run<'_>, figures: &mut Figures) -> Result<Option<Markup>, RedrawError> {
        let records = run.kept_records().stages;
        if records.is_empty() {
            return Ok(None);
        }
        let pretrained = run.plan.conditions.iter().filter(is_pretrained);
        let names: Vec<&str> = pretrained.map(|of| of.name.as_str()).collect();
        let words = Words {
            alt: &format!(
                "Reconstruction cost and sparsity of every stage of the pretraining of {}",
                listed(&names, MOST_NAMES)
            ),
            caption: "The autoencoder of each layer after each of its epochs, on the codes of the layers below; a stage ends on its layer’s tick.",
            numbers: Some(run_dir::STAGES_CSV),
        };
        let chart = report::stages(&records, &run.conditions());
        figures.glossary.uses(&[Term::Divergence]);
        Ok(Some(html! {
            h2 { "The pretraining itself" }
            (figures.chart("stages", &chart, &words))
        }))
    }
}
