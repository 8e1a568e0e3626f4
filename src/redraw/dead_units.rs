//! A dead-units run: the grids of every condition under the first seed, and the learning curves.

use super::{Figures, RedrawError, Run, damaged_weights, remarks};
use crate::config;
use crate::report::{
    self, Body, DeadUnitsPage, Grid, GridShape, Mark, PageInput, Scaling, UnitWeights,
};
use crate::results::{DeadUnitsResults, DeadUnitsSummary, Member};
use crate::run_dir;
use crate::weights::{Weights, member_prefix};
use crate::words::counted;

pub fn pictures(
    run: &Run,
    weights: &Weights,
    results: Option<&DeadUnitsResults>,
    figures: &mut Figures,
) -> Result<(), RedrawError> {
    let data = &run.manifest.data;
    let first_seed = run.manifest.seeds.first();
    let mut grids = Vec::new();
    for member in &run.manifest.members {
        let name = format!("{}/encoder.weight", member_prefix(member));
        // Of a stopped run, members that never had a turn have no weights.
        let left_out = summary_of(member, results).is_none() && weights.get(&name).is_err();
        if Some(&member.seed) != first_seed || left_out {
            continue;
        }
        let encoder = weights
            .get(&name)
            .map_err(|source| damaged_weights(run.dir, source))?;
        let summary = summary_of(member, results);
        let mut all_ended = results.iter().flat_map(|results| &results.ended);
        let ended = all_ended.find(|ended| ended.member.index == member.index);
        grids.push(Grid {
            title: member.condition.clone(),
            caption: match (summary, ended) {
                (Some(summary), _) => caption(summary),
                (None, Some(ended)) => ended.reason(),
                (None, None) => "not trained to the end".to_owned(),
            },
            weights: UnitWeights {
                weights: &encoder.values,
                units: encoder.shape[2],
                height: data.height,
                width: data.width,
            },
            marked: summary.map_or_else(Vec::new, marked),
        });
    }
    if !grids.is_empty() {
        figures.grids(run, run_dir::DEAD_UNITS, &grids, Scaling::PerTile)?;
    }
    figures.chart(
        run,
        run_dir::CURVES_SVG,
        run_dir::CURVES_PNG,
        &report::learning_curves(&run.epochs()),
        report::lines_left_out(run.manifest.members.len()),
    )?;
    Ok(())
}

pub fn page(
    run: &Run,
    results: Option<&DeadUnitsResults>,
    figures: &Figures,
    frame: &PageInput,
) -> String {
    report::page(&PageInput {
        title: "Dead units: what a bias drawn too wide does",
        body: Some(Body::DeadUnits(DeadUnitsPage {
            conditions: &run.conditions(),
            members: results.map_or(&[], |results| &results.members),
            ended: results.map_or(&[], |results| &results.ended),
            records: &run.epochs(),
            grids: figures.get(run_dir::DEAD_UNITS),
            curves: figures.get(run_dir::CURVES_SVG),
        })),
        ..*frame
    })
}

/// What the figures of a run will have no room for.
pub fn outlook(
    plan: &config::DeadUnits,
    seeds: usize,
    shape: impl Fn(usize) -> GridShape,
) -> Vec<String> {
    let members = plan.conditions.len() * seeds;
    let units = plan.conditions.iter();
    let grids: Vec<GridShape> = units
        .map(|condition| shape(condition.setting.autoencoder.hidden_units))
        .collect();
    [
        remarks(run_dir::DEAD_UNITS, report::left_out(&grids)),
        remarks(run_dir::CURVES_SVG, report::lines_left_out(members)),
        remarks(run_dir::PAGE, report::rows_left_out(members)),
    ]
    .concat()
}

fn summary_of<'a>(
    member: &Member,
    results: Option<&'a DeadUnitsResults>,
) -> Option<&'a DeadUnitsSummary> {
    let mut members = results?.members.iter();
    members.find(|summary| summary.member.index == member.index)
}

fn caption(summary: &DeadUnitsSummary) -> String {
    let noise_looking = match &summary.noise_looking {
        Some(units) => units.len().to_string(),
        None => "not defined".to_owned(),
    };
    format!(
        "never on before training {}, after it {}\nunchanged {} · noise-looking {noise_looking} · of {}",
        summary.never_on_at_start.len(),
        summary.never_on.len(),
        summary.unchanged.len(),
        counted(summary.hidden_units, "unit"),
    )
}

/// Units whose weights are what they were drawn as, and those that merely look so.
fn marked(summary: &DeadUnitsSummary) -> Vec<(usize, Mark)> {
    let marks = |units: &[usize], mark: Mark| -> Vec<_> {
        units.iter().map(|&unit| (unit, mark)).collect()
    };
    // An unchanged unit is noise-looking too: the stronger reason goes first.
    [
        marks(&summary.unchanged, Mark::Unchanged),
        marks(
            summary.noise_looking.as_deref().unwrap_or_default(),
            Mark::NoiseLooking,
        ),
    ]
    .concat()
}
