//! A pretraining run: Figure 3, its price, what is in the layers, and what the units of each layer see.

use std::collections::BTreeSet;

use super::{Figures, RedrawError, Run, remarks};
use crate::config;
use crate::evidence;
use crate::report::{
    self, Body, Grid, GridShape, PageInput, PretrainingPage, Scaling, UnitPictures, UnitWeights,
};
use crate::results::{Member, PretrainingResults};
use crate::run_dir::{self, Records, Status};
use crate::weights::{Weights, layer_name, member_prefix};
use crate::words::counted;

/// As many units of a layer as its picture has room for.
const UNITS_SHOWN: usize = 36;

pub fn pictures(
    run: &Run,
    weights: &Weights,
    results: Option<&PretrainingResults>,
    figures: &mut Figures,
) -> Result<(), RedrawError> {
    let kept = kept_records(run, results);
    let records = &kept.classifiers;
    let conditions = run.conditions();
    let left_out = || report::lines_left_out(conditions.len());
    figures.chart(
        run,
        run_dir::ACCURACY_SVG,
        run_dir::ACCURACY_PNG,
        &report::accuracy(records),
        left_out(),
    )?;
    figures.chart(
        run,
        run_dir::COSTS_SVG,
        run_dir::COSTS_PNG,
        &report::costs(records),
        left_out(),
    )?;
    figures.chart(
        run,
        run_dir::TIMES_SVG,
        run_dir::TIMES_PNG,
        &report::times(records, &run.manifest.member_seconds),
        left_out(),
    )?;
    if let Some(shown) = layers_of(results) {
        figures.chart(
            run,
            run_dir::LAYERS_SVG,
            run_dir::LAYERS_PNG,
            &report::layers(&kept.layers, shown),
            report::conditions_left_out(shown.len()),
        )?;
    }
    if !kept.stages.is_empty() {
        figures.chart(
            run,
            run_dir::STAGES_SVG,
            run_dir::STAGES_PNG,
            &report::stages(&kept.stages, &conditions),
            left_out(),
        )?;
    }
    if let Some(member) = shown_member(run, results) {
        let prefix = member_prefix(member);
        for (prefix, file) in [
            (format!("{prefix}/pretrained"), run_dir::PICTURES_PRETRAINED),
            (prefix, run_dir::PICTURES_FINE_TUNED),
        ] {
            units(run, weights, &prefix, figures, file)?;
        }
    }
    Ok(())
}

pub fn page(
    run: &Run,
    results: Option<&PretrainingResults>,
    figures: &Figures,
    frame: &PageInput,
) -> String {
    let kept = kept_records(run, results);
    let pretrained = figures.get(run_dir::PICTURES_PRETRAINED);
    let pictures = pretrained.zip(figures.get(run_dir::PICTURES_FINE_TUNED));
    let units = shown_member(run, results).zip(pictures);
    let data = &run.manifest.data;
    report::page(&PageInput {
        title: "Greedy layer-wise pretraining against the vanishing gradient",
        body: Some(Body::Pretraining(PretrainingPage {
            inputs: data.height.saturating_mul(data.width),
            conditions: &run.conditions(),
            results,
            complete: run.manifest.status == Status::Complete,
            records: &kept.classifiers,
            layers: &kept.layers,
            seconds: &run.manifest.member_seconds,
            accuracy: figures.get(run_dir::ACCURACY_SVG),
            costs: figures.get(run_dir::COSTS_SVG),
            times: figures.get(run_dir::TIMES_SVG),
            heat_maps: figures.get(run_dir::LAYERS_SVG),
            stages: figures.get(run_dir::STAGES_SVG),
            units: units.map(|(member, (pretrained, fine_tuned))| UnitPictures {
                label: &member.label,
                pretrained,
                fine_tuned,
            }),
        })),
        ..*frame
    })
}

/// The records, but for those of members that ended early where another seed of their condition did not: so that a median
/// is over the same seeds from beginning to end.
fn kept_records(run: &Run, results: Option<&PretrainingResults>) -> Records {
    let members = run.manifest.members.iter();
    let (ended, trained): (Vec<&Member>, Vec<&Member>) =
        members.partition(|member| has_ended(results, member.index));
    let trained: BTreeSet<&str> = trained
        .iter()
        .map(|member| member.condition.as_str())
        .collect();
    let left_out: BTreeSet<usize> = ended
        .iter()
        .filter(|member| trained.contains(member.condition.as_str()))
        .map(|member| member.index)
        .collect();
    let is_kept = |index: usize| !left_out.contains(&index);
    let mut records = run.records.clone();
    records.classifiers.retain(|record| is_kept(record.member));
    records.layers.retain(|record| is_kept(record.member));
    records.stages.retain(|record| is_kept(record.member));
    records
}

fn has_ended(results: Option<&PretrainingResults>, index: usize) -> bool {
    let mut ended = results.iter().flat_map(|results| &results.ended);
    ended.any(|ended| ended.member.index == index)
}

/// What the figures of a run will have no room for.
pub fn outlook(plan: &config::Pretraining, shape: impl Fn(usize) -> GridShape) -> Vec<String> {
    let looked_into = plan.layers_of.iter().map(|&at| &plan.conditions[at]);
    let shown = looked_into
        .chain(&plan.conditions)
        .find(|condition| !condition.stages.is_empty());
    let layers = shown.map_or(&[][..], |condition| &condition.classifier.hidden_units);
    let grids: Vec<GridShape> = layers
        .iter()
        .map(|&units| shape(units.min(UNITS_SHOWN)))
        .collect();
    let conditions = plan.conditions.len();
    [
        remarks(run_dir::ACCURACY_SVG, report::lines_left_out(conditions)),
        remarks(
            run_dir::LAYERS_SVG,
            report::conditions_left_out(plan.layers_of.len()),
        ),
        remarks(run_dir::PICTURES_PRETRAINED, report::left_out(&grids)),
    ]
    .concat()
}

fn layers_of(results: Option<&PretrainingResults>) -> Option<&[String]> {
    let shown = results?.layers_of.as_slice();
    (!shown.is_empty()).then_some(shown)
}

/// The member whose units are drawn: the first seed that did not end early of the first condition that was pretrained, of
/// those whose layers are looked into where there is one.
fn shown_member<'a>(run: &Run<'a>, results: Option<&PretrainingResults>) -> Option<&'a Member> {
    let results = results?;
    let pretrained = || {
        results
            .conditions
            .iter()
            .filter(|c| c.pretrained_layers > 0)
    };
    let condition = pretrained()
        .find(|condition| results.layers_of.contains(&condition.condition))
        .or_else(|| pretrained().next())?;
    let mut members = run.manifest.members.iter();
    members.find(|member| {
        member.condition == condition.condition && !has_ended(Some(results), member.index)
    })
}

/// Draws what the units of each hidden layer see, a grid for each layer that has weights under `prefix`.
fn units(
    run: &Run,
    weights: &Weights,
    prefix: &str,
    figures: &mut Figures,
    file: &'static str,
) -> Result<(), RedrawError> {
    let data = &run.manifest.data;
    let layers: Vec<_> = (0..)
        .map_while(|layer| {
            weights
                .get(&format!("{prefix}/{}.weight", layer_name(layer)))
                .ok()
        })
        .collect();
    if layers.is_empty() {
        return Ok(());
    }
    let matrices: Vec<_> = layers
        .iter()
        .map(|layer| (layer.values.as_slice(), [layer.shape[1], layer.shape[2]]))
        .collect();
    let fits = Some(layers[0].shape[1]) == data.height.checked_mul(data.width);
    let seen = evidence::through_layers(&matrices, UNITS_SHOWN).filter(|_| fits);
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
                height: data.height,
                width: data.width,
            },
            marked: Vec::new(),
        })
        .collect();
    figures.grids(run, file, &grids, Scaling::PerTile)?;
    Ok(())
}
