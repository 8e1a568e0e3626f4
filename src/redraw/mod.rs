//! From a run folder to its figures, curves and page: everything that can be made again without training.
//!
//! Reads nothing but the run folder. Weights are lent to the drawing by shared reference, and hashed before
//! and after it; the two hashes go into the manifest and onto the page.

mod dead_units;
mod figure56;
mod pretraining;

use thiserror::Error;

use crate::report::{Drawing, Notice, PageInput, ReportError, WeightProof};
use crate::results::Results;
use crate::run_dir::{self, Manifest, Records, RunDir, RunDirError, Status};
use crate::spec::ExperimentName;
use crate::weights::{Weights, WeightsError};
use crate::words::counted;

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

/// What a run folder holds besides its weights.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    pub dir: &'a RunDir,
    pub manifest: &'a Manifest,
    /// Absent where the run did not get so far.
    pub results: Option<&'a Results>,
    pub records: &'a Records,
}

impl Run<'_> {
    fn write_chart(&self, chart: &Drawing, svg: &str, png: &str) -> Result<(), RedrawError> {
        self.dir.write(svg, chart.svg().as_bytes())?;
        self.dir.write(png, &chart.png()?)?;
        Ok(())
    }

    /// A file that some runs of this experiment do not have.
    fn read_if_there(&self, file: &str) -> Result<Option<Vec<u8>>, RedrawError> {
        if !self.dir.has(file) {
            return Ok(None);
        }
        Ok(Some(self.dir.read(file)?))
    }
}

/// The figures and curves of a run, drawn from its weights and records.
///
/// # Errors
///
/// Returns [`RedrawError`] if the folder's files do not fit together or cannot be written.
pub fn pictures(run: &Run, weights: &Weights) -> Result<(), RedrawError> {
    match (run.manifest.experiment, run.results) {
        (ExperimentName::Figure56, Some(Results::Figure56(results))) => {
            figure56::pictures(run, weights, Some(results))
        }
        (ExperimentName::Figure56, None) => figure56::pictures(run, weights, None),
        (ExperimentName::Pretraining, Some(Results::Pretraining(results))) => {
            pretraining::pictures(run, weights, Some(results))
        }
        (ExperimentName::Pretraining, None) => pretraining::pictures(run, weights, None),
        (ExperimentName::DeadUnits, Some(Results::DeadUnits(results))) => {
            dead_units::pictures(run, weights, Some(results))
        }
        (ExperimentName::DeadUnits, None) => dead_units::pictures(run, weights, None),
        _ => Err(other_results(run)),
    }
}

/// The page of a run whose pictures are drawn.
///
/// # Errors
///
/// Returns [`RedrawError`] if a file is missing or the page cannot be written.
pub fn page(run: &Run) -> Result<(), RedrawError> {
    let manifest = run.manifest;
    let config = String::from_utf8_lossy(&run.dir.read(run_dir::CONFIG)?).into_owned();
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
    let ended = run.results.map_or(&[][..], Results::ended);
    let ended: Vec<String> = ended
        .iter()
        .map(|ended| format!("{ended}. What it had found by then is kept."))
        .collect();
    let notices: Vec<Notice> = stopped
        .iter()
        .chain(&ended)
        .map(|text| Notice::Warning(text))
        .collect();
    let weight_proof = match (
        &manifest.parameters_before_drawing,
        &manifest.parameters_after_drawing,
    ) {
        (Some(before), Some(after)) => Some(WeightProof { before, after }),
        _ => None,
    };
    let data = &manifest.data;
    let data_name = format!(
        "{}: {} training and {} test images of {}×{} pixels, {}",
        data.name
            .as_deref()
            .unwrap_or("A data set of unknown hashes"),
        data.train_images,
        data.test_images,
        data.height,
        data.width,
        counted(data.classes, "class")
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
                "{:.1} s with {}",
                manifest.seconds.training,
                counted(manifest.jobs, "job")
            ),
        ),
    ];
    let frame = PageInput {
        notices: &notices,
        command: &format!(
            "cargo run -- {}",
            run.dir.path().join(run_dir::CONFIG).display()
        ),
        config: &config,
        weight_proof,
        data_name: &data_name,
        data_files: &files,
        environment: &environment,
        ..PageInput::default()
    };
    let html = match (manifest.experiment, run.results) {
        (ExperimentName::Figure56, Some(Results::Figure56(results))) => {
            figure56::page(run, Some(results), &frame)?
        }
        (ExperimentName::Figure56, None) => figure56::page(run, None, &frame)?,
        (ExperimentName::Pretraining, Some(Results::Pretraining(results))) => {
            pretraining::page(run, Some(results), &frame)?
        }
        (ExperimentName::Pretraining, None) => pretraining::page(run, None, &frame)?,
        (ExperimentName::DeadUnits, Some(Results::DeadUnits(results))) => {
            dead_units::page(run, Some(results), &frame)?
        }
        (ExperimentName::DeadUnits, None) => dead_units::page(run, None, &frame)?,
        _ => return Err(other_results(run)),
    };
    run.dir.write(run_dir::PAGE, html.as_bytes())?;
    Ok(())
}

/// Draws a run again from its folder.
///
/// # Errors
///
/// Returns [`RedrawError`] if the folder is not a run, is damaged, or cannot be written to.
pub fn everything(dir: &RunDir) -> Result<(), RedrawError> {
    let manifest = dir.manifest()?;
    let results: Option<Results> = if dir.has(run_dir::RESULTS) {
        Some(dir.read_json(run_dir::RESULTS)?)
    } else {
        None
    };
    let records = Records::read(dir, manifest.experiment)?;
    let weights = Weights::from_safetensors(&dir.read(run_dir::WEIGHTS)?)
        .map_err(|source| damaged_weights(dir, source))?;
    let before = weights.hash();
    let run = Run {
        dir,
        manifest: &manifest,
        results: results.as_ref(),
        records: &records,
    };
    pictures(&run, &weights)?;
    let after = weights.hash();
    if before != after {
        return Err(RedrawError::WeightsChanged { before, after });
    }
    // The manifest on disk keeps the proof of the run; the page shows that of this drawing.
    let mut proven = manifest.clone();
    proven.parameters_before_drawing = Some(before);
    proven.parameters_after_drawing = Some(after);
    page(&Run {
        manifest: &proven,
        ..run
    })
}

fn damaged_weights(dir: &RunDir, source: WeightsError) -> RedrawError {
    RedrawError::Weights {
        file: dir.path().join(run_dir::WEIGHTS).display().to_string(),
        source,
    }
}

fn other_results(run: &Run) -> RedrawError {
    let reason = "it holds the results of another experiment than the manifest tells of";
    run.dir.damaged(run_dir::RESULTS, reason).into()
}
