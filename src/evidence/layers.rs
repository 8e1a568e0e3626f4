//! What is in the layers of a classifier: gradients, activations and dead units, layer by layer and epoch by epoch.

use maud::{Markup, html};

use super::accuracy::Comparison;
use super::figures::RedrawError;
use super::reading::grouped;
use super::{Evidence, Run, is_classifier, remarks};
use crate::report::{self, Figures, GridShape, MOST_NAMES, Term, Words, dead_means};
use crate::run_dir;
use crate::spec::Plan;
use crate::words::{counted, listed};

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
        let comparison: Option<Comparison> = run.results.of_run("accuracy");
        let Some(comparison) = comparison else {
            return Ok(None);
        };
        let conditions = shown(run.plan);
        let names: Vec<&str> = conditions.iter().map(String::as_str).collect();
        let medians = match run.plan.run.seeds.len() {
            1 => "",
            _ => "; medians over seeds",
        };
        let words = Words {
            alt: &format!(
                "Heat maps of gradient norms, activations and dead units, layer by epoch, of {}",
                listed(&names, MOST_NAMES)
            ),
            caption: &format!(
                "Measured after each epoch on a fixed batch, the first {}, outside of the training steps{medians}; one scale per quantity. The topmost row of the gradients is the softmax layer. {}",
                counted(grouped(comparison.probe_images), "training image"),
                dead_means("these images"),
            ),
            numbers: Some(run_dir::LAYERS_CSV),
        };
        let maps = report::layers(&run.kept_records().layers, &conditions);
        figures.glossary.uses(&[Term::Dead]);
        Ok(Some(html! {
            h2 { "What is in the layers" }
            (figures.chart("layers", &maps, &words))
        }))
    }
}
