//! What the units of each layer see of the input, before and after fine-tuning, of one pretrained classifier.

use maud::{Markup, html};

use super::figures::RedrawError;
use super::stages::is_pretrained;
use super::{Evidence, Run, picture, remarks, scores};
use crate::report::{self, Figures, Grid, GridShape, Scaling, UnitWeights, Words};
use crate::results::Member;
use crate::run_dir;
use crate::spec::{Condition, Plan};
use crate::weights::{layer_name, member_prefix};
use crate::words::counted;

/// As many units of a layer as its picture has room for.
const UNITS_SHOWN: usize = 36;

pub struct Units;

impl Evidence for Units {
    fn name(&self) -> &'static str {
        "units"
    }

    fn applies(&self, plan: &Plan) -> bool {
        plan.conditions.iter().any(is_pretrained)
    }

    fn outlook(&self, plan: &Plan, shape: &dyn Fn(usize) -> GridShape) -> Vec<String> {
        let layers = shown_condition(plan)
            .and_then(Condition::classifier)
            .map_or(&[][..], |training| &training.classifier.hidden_units);
        let grids: Vec<GridShape> = layers
            .iter()
            .map(|&units| shape(units.min(UNITS_SHOWN)))
            .collect();
        remarks(run_dir::PICTURES_PRETRAINED, report::left_out(&grids))
    }

    fn show(&self, run: &Run<'_>, figures: &mut Figures) -> Result<Option<Markup>, RedrawError> {
        let Some(member) = shown_member(run) else {
            return Ok(None);
        };
        let prefix = member_prefix(member);
        let label = &member.label;
        let alt = |when: &str| {
            format!(
                "What units of each layer of {label} see {when} fine-tuning, as tiles, a grid for each layer"
            )
        };
        let words = Words {
            alt: &alt("before"),
            caption: "After pretraining, before fine-tuning; each tile on its own scale.",
            numbers: None,
        };
        let before = format!("{prefix}/pretrained");
        let pretrained = units(run, &before, figures, "units-pretrained", &words)?;
        let words = Words {
            alt: &alt("after"),
            caption: "The same units after fine-tuning.",
            numbers: None,
        };
        let fine_tuned = units(run, &prefix, figures, "units-fine-tuned", &words)?;
        let (Some(pretrained), Some(fine_tuned)) = (pretrained, fine_tuned) else {
            return Ok(None);
        };
        Ok(Some(html! {
            h2 { "What the units of each layer see" }
            p {
                "What the units of each layer see of the input, for " (label)
                ": each unit is drawn as the weighted sum of the weights below it, W" sub { "1" } "·W" sub { "2" } "·…·W" sub { "k" }
                ". This is exact where all units below are on; it ignores which ones are off."
            }
            (pretrained)
            (fine_tuned)
        }))
    }
}

/// The condition whose units are drawn: the first that is pretrained, of those whose layers are looked into where there is
/// one.
pub(super) fn shown_condition(plan: &Plan) -> Option<&Condition> {
    let looked_into = plan.report.layers_of.iter().map(|&at| &plan.conditions[at]);
    looked_into
        .chain(&plan.conditions)
        .find(|condition| is_pretrained(condition))
}

/// The first seed of that condition that did not end early.
fn shown_member<'a>(run: &Run<'a>) -> Option<&'a Member> {
    let condition = &shown_condition(run.plan)?.name;
    let mut members = run.manifest.members.iter();
    members.find(|member| member.condition == *condition && !run.results.has_ended(member.index))
}

/// Draws what the units of each hidden layer see, a grid for each layer that has weights under `prefix`.
fn units(
    run: &Run<'_>,
    prefix: &str,
    figures: &mut Figures,
    name: &str,
    words: &Words,
) -> Result<Option<Markup>, RedrawError> {
    let Some(picture) = picture(run.manifest.data.frame) else {
        return Ok(None);
    };
    let layers: Vec<_> = (0..)
        .map_while(|layer| {
            run.weights
                .get(&format!("{prefix}/{}.weight", layer_name(layer)))
                .ok()
        })
        .collect();
    if layers.is_empty() {
        return Ok(None);
    }
    let matrices: Vec<_> = layers
        .iter()
        .map(|layer| (layer.values.as_slice(), layer.shape))
        .collect();
    let fits = Some(layers[0].shape[0]) == run.manifest.data.frame.inputs();
    let seen = scores::through_layers(&matrices, UNITS_SHOWN).filter(|_| fits);
    let Some(seen) = seen else {
        let reason = format!("the layers under {prefix} do not fit each other and the data");
        return Err(run.dir.damaged(run_dir::WEIGHTS, &reason).into());
    };
    let grids: Vec<Grid> = seen
        .iter()
        .zip(&matrices)
        .enumerate()
        .map(|(layer, (seen, (_, [_, units])))| Grid {
            title: format!("layer {}", layer + 1),
            caption: if *units > UNITS_SHOWN {
                format!("the first {UNITS_SHOWN} of {units} units")
            } else {
                counted(*units, "unit")
            },
            weights: UnitWeights {
                weights: seen,
                units: (*units).min(UNITS_SHOWN),
                picture,
            },
            marked: Vec::new(),
        })
        .collect();
    Ok(Some(figures.grids(name, &grids, Scaling::PerTile, words)))
}
