//! A pretraining run: Figure 3, its price, what is in the layers, and what the units of each layer see.

use super::{RedrawError, Run};
use crate::evidence;
use crate::report::{
    self, Body, Grid, PageInput, PretrainingPage, Scaling, UnitPictures, UnitWeights,
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
) -> Result<(), RedrawError> {
    let kept = kept_records(run, results);
    let records = &kept.classifiers;
    run.write_chart(
        &report::accuracy(records),
        run_dir::ACCURACY_SVG,
        run_dir::ACCURACY_PNG,
    )?;
    run.write_chart(
        &report::costs(records),
        run_dir::COSTS_SVG,
        run_dir::COSTS_PNG,
    )?;
    run.write_chart(
        &report::times(records, &run.manifest.member_seconds),
        run_dir::TIMES_SVG,
        run_dir::TIMES_PNG,
    )?;
    if let Some(shown) = layers_of(results) {
        run.write_chart(
            &report::layers(&kept.layers, shown),
            run_dir::LAYERS_SVG,
            run_dir::LAYERS_PNG,
        )?;
    }
    if !kept.stages.is_empty() {
        run.write_chart(
            &report::stages(&kept.stages, &conditions(run)),
            run_dir::STAGES_SVG,
            run_dir::STAGES_PNG,
        )?;
    }
    if let Some(member) = shown_member(run, results) {
        let prefix = member_prefix(member);
        for (prefix, file) in [
            (format!("{prefix}/pretrained"), run_dir::PICTURES_PRETRAINED),
            (prefix, run_dir::PICTURES_FINE_TUNED),
        ] {
            if let Some(picture) = units(run, weights, &prefix)? {
                run.dir.write(file, &picture)?;
            }
        }
    }
    Ok(())
}

pub fn page(
    run: &Run,
    results: Option<&PretrainingResults>,
    frame: &PageInput,
) -> Result<String, RedrawError> {
    let kept = kept_records(run, results);
    let records = &kept.classifiers;
    let seconds = &run.manifest.member_seconds;
    let accuracy = report::accuracy(records).svg();
    let costs = report::costs(records).svg();
    let times = report::times(records, seconds).svg();
    let layers = layers_of(results).map(|shown| report::layers(&kept.layers, shown).svg());
    let stages =
        (!kept.stages.is_empty()).then(|| report::stages(&kept.stages, &conditions(run)).svg());
    let pretrained = run.read_if_there(run_dir::PICTURES_PRETRAINED)?;
    let fine_tuned = run.read_if_there(run_dir::PICTURES_FINE_TUNED)?;
    let pictures = pretrained.as_deref().zip(fine_tuned.as_deref());
    let units = shown_member(run, results).zip(pictures);
    Ok(report::page(&PageInput {
        title: "Greedy layer-wise pretraining against the vanishing gradient",
        body: Some(Body::Pretraining(PretrainingPage {
            results,
            complete: run.manifest.status == Status::Complete,
            records,
            layers: &kept.layers,
            seconds,
            accuracy_svg: Some(&accuracy),
            costs_svg: Some(&costs),
            times_svg: Some(&times),
            layers_svg: layers.as_deref(),
            stages_svg: stages.as_deref(),
            units: units.map(|(member, (pretrained_png, fine_tuned_png))| UnitPictures {
                label: &member.label,
                pretrained_png,
                fine_tuned_png,
            }),
        })),
        ..*frame
    }))
}

/// The records, but for those of members that ended early where another seed of their condition did not: so that a median
/// is over the same seeds from beginning to end.
fn kept_records(run: &Run, results: Option<&PretrainingResults>) -> Records {
    let members = &run.manifest.members;
    let is_kept = |index: usize| {
        let condition = members.iter().find(|member| member.index == index);
        let others = members
            .iter()
            .filter(|other| condition.is_some_and(|member| member.condition == other.condition));
        !has_ended(results, index)
            || others
                .into_iter()
                .all(|other| has_ended(results, other.index))
    };
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

/// The conditions, in the order of the plan.
fn conditions<'a>(run: &Run<'a>) -> Vec<&'a str> {
    let members = run.manifest.members.iter();
    let mut names: Vec<&str> = members.map(|member| member.condition.as_str()).collect();
    names.dedup();
    names
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

/// What the units of each hidden layer see, a grid for each layer that has weights under `prefix`.
fn units(run: &Run, weights: &Weights, prefix: &str) -> Result<Option<Vec<u8>>, RedrawError> {
    let data = &run.manifest.data;
    let layers: Vec<_> = (0..)
        .map_while(|layer| {
            weights
                .get(&format!("{prefix}/{}.weight", layer_name(layer)))
                .ok()
        })
        .collect();
    if layers.is_empty() {
        return Ok(None);
    }
    let matrices: Vec<_> = layers
        .iter()
        .map(|layer| (layer.values.as_slice(), [layer.shape[1], layer.shape[2]]))
        .collect();
    let fits = Some(layers[0].shape[1]) == data.height.checked_mul(data.width);
    let seen = evidence::through_layers(&matrices).filter(|_| fits);
    let Some(seen) = seen else {
        let reason = format!("the layers under {prefix} do not fit each other and the data");
        return Err(run.dir.damaged(run_dir::WEIGHTS, &reason).into());
    };
    let shown: Vec<(usize, Vec<f32>)> = seen
        .iter()
        .zip(&matrices)
        .map(|(product, (_, [_, units]))| {
            let shown = (*units).min(UNITS_SHOWN);
            let rows = product.chunks_exact(*units);
            (shown, rows.flat_map(|row| &row[..shown]).copied().collect())
        })
        .collect();
    let grids: Vec<Grid> = shown
        .iter()
        .zip(&matrices)
        .enumerate()
        .map(|(layer, ((shown, values), (_, [_, units])))| Grid {
            title: format!("layer {}", layer + 1),
            caption: format!("the first {shown} of {}", counted(*units, "unit")),
            weights: UnitWeights {
                weights: values,
                units: *shown,
                height: data.height,
                width: data.width,
            },
            marked: Vec::new(),
        })
        .collect();
    Ok(Some(report::figure(&grids, Scaling::PerTile)?))
}
