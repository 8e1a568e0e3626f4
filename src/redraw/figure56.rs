//! A Figure 5-6 run: the grids of every member, and the learning curves.

use super::{Figures, RedrawError, Run, damaged_weights, remarks, subject};
use crate::config;
use crate::report::{
    self, Body, Figure56Page, Grid, GridShape, Mark, PageInput, Scaling, UnitWeights,
};
use crate::results::{EpochRecord, Figure56Results, Member, MemberSummary, Scores, Subject};
use crate::run_dir;
use crate::weights::Weights;

pub fn pictures(
    run: &Run,
    weights: &Weights,
    results: Option<&Figure56Results>,
    figures: &mut Figures,
) -> Result<(), RedrawError> {
    let manifest = run.manifest;
    let encoder = weights
        .get("encoder.weight")
        .map_err(|source| damaged_weights(run.dir, source))?;
    let [members, inputs, units] = encoder.shape;
    let (height, width) = (manifest.data.height, manifest.data.width);
    let in_order = manifest
        .members
        .iter()
        .enumerate()
        .all(|(at, member)| member.index == at);
    if members != manifest.members.len() || !in_order || Some(inputs) != height.checked_mul(width) {
        let reason = format!(
            "encoder.weight is {members}×{inputs}×{units}, but the manifest tells of {} members and {height}×{width} pixels",
            manifest.members.len()
        );
        return Err(run.dir.damaged(run_dir::WEIGHTS, &reason).into());
    }
    let records = &run.records.epochs;
    let grids: Vec<Grid> = manifest
        .members
        .iter()
        .map(|member| Grid {
            title: member.label.clone(),
            caption: caption(member, results, records, subject(run)),
            weights: UnitWeights {
                weights: encoder.member(member.index),
                units,
                height,
                width,
            },
            marked: marked(member, results),
        })
        .collect();
    figures.grids(run, run_dir::FIGURE, &grids, Scaling::PerTile)?;
    figures.grids(run, run_dir::FIGURE_SHARED, &grids, Scaling::Shared)?;
    figures.chart(
        run,
        run_dir::CURVES_SVG,
        run_dir::CURVES_PNG,
        &report::learning_curves(&run.epochs()),
        report::lines_left_out(members),
    )?;
    Ok(())
}

pub fn page(
    run: &Run,
    results: Option<&Figure56Results>,
    figures: &Figures,
    frame: &PageInput,
) -> String {
    let data = &run.manifest.data;
    report::page(&PageInput {
        title: "What sparse autoencoders learn, after Figure 5-6",
        body: Some(Body::Figure56(Figure56Page {
            subject: subject(run),
            size: (data.height, data.width),
            conditions: &run.conditions(),
            members: results.map_or(&[], |results| &results.members),
            ended: results.map_or(&[], |results| &results.ended),
            records: &run.epochs(),
            figure: figures.get(run_dir::FIGURE),
            shared_figure: figures.get(run_dir::FIGURE_SHARED),
            curves: figures.get(run_dir::CURVES_SVG),
        })),
        ..*frame
    })
}

/// What the figures of a run will have no room for.
pub fn outlook(
    plan: &config::Figure56,
    seeds: usize,
    shape: impl Fn(usize) -> GridShape,
) -> Vec<String> {
    let members = plan.settings.len() * seeds;
    let grids = vec![shape(plan.settings[0].autoencoder.hidden_units); members];
    [
        remarks(run_dir::FIGURE, report::left_out(&grids)),
        remarks(run_dir::CURVES_SVG, report::lines_left_out(members)),
        remarks(run_dir::PAGE, report::rows_left_out(members)),
    ]
    .concat()
}

fn summary_of<'a>(
    member: &Member,
    results: Option<&'a Figure56Results>,
) -> Option<&'a MemberSummary> {
    results?
        .members
        .iter()
        .find(|summary| summary.member.index == member.index)
}

/// The units that never learnt or never speak.
fn marked(member: &Member, results: Option<&Figure56Results>) -> Vec<(usize, Mark)> {
    let units = summary_of(member, results)
        .into_iter()
        .flat_map(|summary| summary.dead.iter().chain(&summary.untrained));
    units.map(|&unit| (unit, Mark::DeadOrUntrained)).collect()
}

/// The numbers under a member's grid: its scores, or its last epoch where it has none yet.
fn caption(
    member: &Member,
    results: Option<&Figure56Results>,
    records: &[EpochRecord],
    subject: Subject,
) -> String {
    if let Some(summary) = summary_of(member, results) {
        let scores = &summary.scores;
        let regime = summary.regime.words(subject);
        let activity = format!(
            "active {:.1} · dead {}",
            scores.active_units, scores.dead_units
        );
        return match scores {
            Scores {
                kurtosis: Some(kurtosis),
                radius_of_gyration: Some(gyration),
                roughness: Some(roughness),
                digit_correlation: Some(correlation),
                ..
            } => format!(
                "{regime}\nkurtosis {kurtosis:.1} · gyration {gyration:.1} px · roughness {roughness:.2}\n{activity} · image correlation {correlation:.2}"
            ),
            _ => format!(
                "{regime}: a score is not defined,\nas {}\n{activity}",
                scores.why_not_defined()
            ),
        };
    }
    let mut ended = results.iter().flat_map(|results| &results.ended);
    if let Some(ended) = ended.find(|ended| ended.member.index == member.index) {
        return ended.reason();
    }
    let last = records
        .iter()
        .filter(|record| record.member == member.index)
        .max_by_key(|record| record.epoch);
    last.map_or_else(
        || "not yet trained for an epoch".to_owned(),
        |record| {
            format!(
                "after epoch {}: active {:.1} · dead {}",
                record.epoch, record.active_units, record.dead_units
            )
        },
    )
}
