//! From a run folder to its figures, curves and page: everything that can be made again without training.
//!
//! Reads nothing but the run folder. Weights are lent to the drawing by shared reference, and hashed before
//! and after it; the two hashes go into the manifest and onto the page.

use thiserror::Error;

use crate::report::{
    self, Grid, Notice, PageInput, ReportError, Scaling, UnitWeights, WeightProof,
};
use crate::results::{EpochRecord, Figure56Results, Member, MemberSummary, Results};
use crate::run_dir::{self, Manifest, Records, RunDir, RunDirError, Status};
use crate::weights::{Weights, WeightsError};

#[derive(Debug, Error)]
pub enum RedrawError {
    #[error(transparent)]
    RunDir(#[from] RunDirError),
    #[error("{file}: {source}\n  hint: the file is damaged; run the experiment again")]
    Weights { file: String, source: WeightsError },
    #[error("cannot draw: {0}")]
    Report(#[from] ReportError),
    #[error(
        "drawing changed the weights: hash {before} before, {after} after\n  hint: this is a bug; please report it with the run folder"
    )]
    WeightsChanged { before: String, after: String },
}

/// The figures and curves of a run, drawn from its weights and epochs.
///
/// # Errors
///
/// Returns [`RedrawError`] if the folder's files do not fit together or cannot be written.
pub fn pictures(
    run: &RunDir,
    manifest: &Manifest,
    weights: &Weights,
    results: Option<&Results>,
    records: &Records,
) -> Result<(), RedrawError> {
    let results = match results {
        Some(Results::Figure56(results)) => Some(results),
        _ => None,
    };
    if manifest.experiment != crate::spec::ExperimentName::Figure56 {
        return Ok(());
    }
    let records = &records.epochs;
    let encoder = weights
        .get("encoder.weight")
        .map_err(|source| damaged_weights(run, source))?;
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
        return Err(run.damaged(run_dir::WEIGHTS, &reason).into());
    }
    let grids: Vec<Grid> = manifest
        .members
        .iter()
        .map(|member| Grid {
            title: member.label.clone(),
            caption: caption(member, results, records),
            weights: UnitWeights {
                weights: encoder.member(member.index),
                units,
                height,
                width,
            },
            marked: marked(member, results),
        })
        .collect();
    run.write(run_dir::FIGURE, &report::figure(&grids, Scaling::PerTile)?)?;
    run.write(
        run_dir::FIGURE_SHARED,
        &report::figure(&grids, Scaling::Shared)?,
    )?;
    run.write(run_dir::CURVES_SVG, report::curves_svg(records).as_bytes())?;
    run.write(run_dir::CURVES_PNG, &report::curves_png(records)?)?;
    Ok(())
}

/// The page of a run whose pictures are drawn.
///
/// # Errors
///
/// Returns [`RedrawError`] if a file is missing or the page cannot be written.
pub fn page(
    run: &RunDir,
    manifest: &Manifest,
    results: Option<&Results>,
    records: &Records,
) -> Result<(), RedrawError> {
    let results = match results {
        Some(Results::Figure56(results)) => Some(results),
        _ => None,
    };
    if manifest.experiment != crate::spec::ExperimentName::Figure56 {
        return Ok(());
    }
    let records = &records.epochs;
    let figure = run.read(run_dir::FIGURE)?;
    let shared = run.read(run_dir::FIGURE_SHARED)?;
    let curves = report::curves_svg(records);
    let config = String::from_utf8_lossy(&run.read(run_dir::CONFIG)?).into_owned();
    let stopped = match &manifest.status {
        Status::Complete => None,
        Status::Running => {
            Some("This run did not end by itself; numbers and figure are unfinished.".to_owned())
        }
        Status::Stopped { reason } => Some(format!(
            "This run was stopped early ({reason}); numbers and figure show it as it was then."
        )),
        Status::Failed { reason } => Some(format!("This run failed: {reason}")),
    };
    let notices: Vec<Notice> = stopped.iter().map(|text| Notice::Warning(text)).collect();
    let proof = match (
        &manifest.parameters_before_drawing,
        &manifest.parameters_after_drawing,
    ) {
        (Some(before), Some(after)) => Some(WeightProof { before, after }),
        _ => None,
    };
    let data = &manifest.data;
    let data_name = format!(
        "{}: {} training and {} test images of {}×{} pixels, {} classes",
        data.name
            .as_deref()
            .unwrap_or("A data set of unknown hashes"),
        data.train_images,
        data.test_images,
        data.height,
        data.width,
        data.classes
    );
    let files: Vec<(String, String)> = data
        .files
        .iter()
        .map(|file| (file.name.clone(), format!("SHA-256 {}", file.sha256)))
        .collect();
    let pair = |name: &str, value: String| (name.to_owned(), value);
    let environment = [
        pair("version", manifest.version.clone()),
        pair(
            "backend",
            format!("{} on {}", manifest.backend, manifest.device),
        ),
        pair("started", manifest.started.clone()),
        pair(
            "training",
            format!(
                "{:.1} s with {} jobs",
                manifest.seconds.training, manifest.jobs
            ),
        ),
    ];
    let html = report::page(&PageInput {
        title: "Figure 5-6: what sparse autoencoders learn",
        notices: &notices,
        members: results.map_or(&[], |results| &results.members),
        records,
        figure_png: Some(&figure),
        shared_figure_png: Some(&shared),
        curves_svg: Some(&curves),
        command: &format!(
            "cargo run -- {}",
            run.path().join(run_dir::CONFIG).display()
        ),
        config: &config,
        weight_proof: proof,
        data_name: &data_name,
        data_files: &files,
        environment: &environment,
    });
    run.write(run_dir::PAGE, html.as_bytes())?;
    Ok(())
}

/// Draws a run again from its folder.
///
/// # Errors
///
/// Returns [`RedrawError`] if the folder is not a run, is damaged, or cannot be written to.
pub fn everything(run: &RunDir) -> Result<(), RedrawError> {
    let mut manifest: Manifest = run.read_json(run_dir::MANIFEST)?;
    if manifest.format != run_dir::FORMAT {
        let reason = format!(
            "it has format {}, but this program reads format {}",
            manifest.format,
            run_dir::FORMAT
        );
        return Err(run.damaged(run_dir::MANIFEST, &reason).into());
    }
    let results: Option<Results> = if run.has(run_dir::RESULTS) {
        Some(run.read_json(run_dir::RESULTS)?)
    } else {
        None
    };
    let records = Records::read(run, manifest.experiment)?;
    let weights = Weights::from_safetensors(&run.read(run_dir::WEIGHTS)?)
        .map_err(|source| damaged_weights(run, source))?;
    let before = weights.hash();
    pictures(run, &manifest, &weights, results.as_ref(), &records)?;
    let after = weights.hash();
    if before != after {
        return Err(RedrawError::WeightsChanged { before, after });
    }
    manifest.parameters_before_drawing = Some(before);
    manifest.parameters_after_drawing = Some(after);
    page(run, &manifest, results.as_ref(), &records)
}

fn damaged_weights(run: &RunDir, source: WeightsError) -> RedrawError {
    RedrawError::Weights {
        file: run.path().join(run_dir::WEIGHTS).display().to_string(),
        source,
    }
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
fn marked(member: &Member, results: Option<&Figure56Results>) -> Vec<usize> {
    let mut units = summary_of(member, results).map_or_else(Vec::new, |summary| {
        [summary.dead.as_slice(), &summary.untrained].concat()
    });
    units.sort_unstable();
    units.dedup();
    units
}

/// The numbers under a member's grid: its scores, or its last epoch where it has none yet.
fn caption(member: &Member, results: Option<&Figure56Results>, records: &[EpochRecord]) -> String {
    if let Some(summary) = summary_of(member, results) {
        let scores = &summary.scores;
        return format!(
            "{}\nkurtosis {:.1} · gyration {:.1} px · roughness {:.2}\nactive {:.1} · dead {} · digit correlation {:.2}",
            summary.regime,
            scores.kurtosis,
            scores.radius_of_gyration,
            scores.roughness,
            scores.active_units,
            scores.dead_units,
            scores.digit_correlation,
        );
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
