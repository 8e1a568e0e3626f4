//! From a run folder to its figures and page: everything that can be made again without training.
//!
//! Reads nothing but the run folder. Weights are lent to the drawing by shared reference, and hashed before
//! and after it; the two hashes go into the manifest and onto the page.

use std::path::Path;

use maud::Markup;
use thiserror::Error;

use super::{Run, of};
use crate::config::{self, ConfigError, Overrides};
use crate::data::Frame;
use crate::report::{self, Figures, File, Notice, PageInput, WeightProof};
use crate::results::Results;
use crate::run_dir::{self, DataRecord, Manifest, Records, RunDir, RunDirError, Status};
use crate::spec::{ExperimentName, Model, Plan};
use crate::weights::{Weights, WeightsError, member_prefix};
use crate::words::classes_in_words;
use crate::words::{counted, in_shell};

/// Why the figures of a run cannot be drawn.
#[derive(Debug, Error)]
pub enum RedrawError {
    /// The run folder cannot be used.
    #[error(transparent)]
    RunDir(#[from] RunDirError),
    /// The config of the run cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The weights of the run cannot be read.
    #[error("{file}: {source}\n  hint: the file is damaged; run the experiment again")]
    Weights {
        /// The file of the weights.
        file: String,
        /// What is wrong with it.
        source: WeightsError,
    },
    /// The weights are not the same after drawing as before.
    #[error(
        "drawing changed the weights: hash {before} before, {after} after\n  hint: this is a bug; please report it with the run folder"
    )]
    WeightsChanged {
        /// The SHA-256 of the weights before drawing.
        before: String,
        /// The SHA-256 of the weights after drawing.
        after: String,
    },
}

/// Of models that could not go on, as many have a notice each.
const MOST_ENDED: usize = 8;

/// Draws the figures of a run and writes its sections, a page's body.
///
/// # Errors
///
/// Returns [`RedrawError`] if the folder's files do not fit together or cannot be written.
pub fn pictures(run: &Run<'_>) -> Result<(Figures, Vec<Markup>), RedrawError> {
    let mut figures = Figures::default();
    let mut sections = Vec::new();
    for evidence in of(run.plan) {
        sections.extend(evidence.show(run, &mut figures)?);
        write(run.dir, &mut figures)?;
    }
    Ok((figures, sections))
}

/// Writes what was drawn, and removes what an earlier drawing left.
fn write(dir: &RunDir, figures: &mut Figures) -> Result<(), RunDirError> {
    for File { name, bytes } in figures.take_files() {
        match bytes {
            Some(bytes) => dir.write(&name, &bytes)?,
            None if dir.has(&name) => dir.remove(&name)?,
            None => {}
        }
    }
    Ok(())
}

/// The page of a run whose pictures are drawn.
///
/// # Errors
///
/// Returns [`RedrawError`] if a file is missing or the page cannot be written.
pub fn page(run: &Run<'_>, figures: &Figures, sections: &[Markup]) -> Result<(), RedrawError> {
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
    let ended = who_ended(run);
    let spelled = manifest
        .members
        .iter()
        .any(|member| report::is_spelled_out(&member.condition))
        .then_some(
            "PNG files spell names in Latin letters where their font lacks the names’ own; this page and SVG files keep them.",
        );
    let warnings = manifest.warnings.iter();
    let warnings: Vec<String> = warnings
        .map(|warning| warning.replace("\n  hint: ", ". What helps: "))
        .collect();
    let notices: Vec<Notice> = stopped
        .iter()
        .chain(&ended)
        .chain(&warnings)
        .map(|text| Notice::Warning(text))
        .chain(figures.failures().map(Notice::Warning))
        .chain(spelled.map(Notice::Note))
        .collect();
    let weight_proof = match (
        &manifest.parameters_before_drawing,
        &manifest.parameters_after_drawing,
    ) {
        (Some(before), Some(after)) => Some(WeightProof { before, after }),
        _ => None,
    };
    let data = &manifest.data;
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
                counted(manifest.jobs, "thread")
            ),
        ),
    ];
    let frame = PageInput {
        run: &name(run),
        title: match run.plan.experiment {
            ExperimentName::Autoencoder => "What the hidden units of autoencoders learn",
            ExperimentName::Classifier => "Classifiers, epoch by epoch",
            ExperimentName::DeepAutoencoder => "Deep autoencoders, epoch by epoch",
        },
        sections,
        glossary: Some(&figures.glossary),
        files: &beside(run),
        notices: &notices,
        command: &format!(
            "cargo run -- {}",
            in_shell(&run.dir.path().join(run_dir::CONFIG))
        ),
        config: &config,
        weight_proof,
        data_name: &described(data),
        data_files: &files,
        environment: &environment,
    };
    let html = report::page(&frame);
    run.dir.write(run_dir::PAGE, html.as_bytes())?;
    Ok(())
}

/// The files of the run that a reader may want, and what is in them.
fn beside(run: &Run) -> Vec<(&'static str, &'static str)> {
    let records = run.records;
    let files = [
        (run_dir::CONFIG, true, "the resolved configuration"),
        (
            run_dir::RESULTS,
            !run.results.conditions.is_empty(),
            "every result, by evidence",
        ),
        (run_dir::METRICS_CSV, true, "every model after every epoch"),
        (
            run_dir::STAGES_CSV,
            !records.stages.is_empty(),
            "every epoch of the pretraining",
        ),
        (
            run_dir::LAYERS_CSV,
            !records.layers.is_empty(),
            "every layer after every epoch",
        ),
        (run_dir::WEIGHTS, true, "the weights"),
        (
            run_dir::EXAMPLES,
            run.dir.has(run_dir::EXAMPLES),
            "the test rows that this page shows",
        ),
        (
            run_dir::DETAILS,
            run.dir.has(run_dir::DETAILS),
            "what each unit does",
        ),
        (
            run_dir::PLAY,
            run.dir.has(run_dir::PLAY),
            "a page to draw on, and to see what the models make of it",
        ),
        (
            run_dir::MANIFEST,
            true,
            "versions, data, seeds, times, and hashes of all files",
        ),
    ];
    let there = files.into_iter().filter(|(_, is_there, _)| *is_there);
    there.map(|(file, _, holds)| (file, holds)).collect()
}

/// A notice for each model that could not go on, or for the first of them.
fn who_ended(run: &Run) -> Vec<String> {
    let ended = &run.results.ended;
    let further = ended.len().saturating_sub(MOST_ENDED);
    let further = (further > 0).then(|| {
        let models = counted(further, "further model");
        format!("{models} ended early; {} tells which.", run_dir::RESULTS)
    });
    let notices = ended
        .iter()
        .take(MOST_ENDED)
        .map(|ended| format!("{ended}. What it had found by then is kept."));
    notices.chain(further).collect()
}

/// A data set in a reader's words.
fn described(data: &DataRecord) -> String {
    let of_others = data.pretraining_images.map_or(String::new(), |count| {
        let count = counted(count, data.frame.noun());
        format!("; pretraining learns from {count} of classes of its own")
    });
    format!(
        "{}: {} and {} of {}{}, {}{of_others}",
        data.name
            .as_deref()
            .unwrap_or("A data set of unknown hashes"),
        counted(
            data.train_images,
            &format!("training {}", data.frame.noun())
        ),
        counted(data.test_images, &format!("test {}", data.frame.noun())),
        data.frame,
        match data.frame {
            Frame::Picture { height, width, .. } if height != width => " (height × width)",
            _ => "",
        },
        classes_in_words(data.classes)
    )
}

/// What a reader knows the run by: the name of its folder.
pub(super) fn name(run: &Run) -> String {
    let path = run.dir.path();
    let folder = path.file_name().map(ToOwned::to_owned);
    // A folder may be given as `.`, too.
    let folder = folder.or_else(|| Some(path.canonicalize().ok()?.file_name()?.to_owned()));
    folder.map_or_else(
        || run.manifest.name.clone(),
        |folder| folder.to_string_lossy().into_owned(),
    )
}

/// Draws a run again from its folder, and tells what could not be drawn.
///
/// # Errors
///
/// Returns [`RedrawError`] if the folder is not a run, is damaged, or cannot be written to.
pub fn everything(dir: &RunDir) -> Result<Vec<String>, RedrawError> {
    let manifest = dir.manifest()?;
    dir.verify(&manifest)?;
    let plan = config::load(&dir.path().join(run_dir::CONFIG), &Overrides::default())?.plan;
    let results: Results = if dir.has(run_dir::RESULTS) {
        dir.read_json(run_dir::RESULTS)?
    } else {
        Results::default()
    };
    let records = Records::read(dir, plan.experiment)?;
    let weights = Weights::from_safetensors(&dir.read(run_dir::WEIGHTS)?)
        .map_err(|source| damaged_weights(dir.path(), source))?;
    fit_each_other(dir, &plan, &manifest, &weights)?;
    let before = weights.hash();
    let run = Run {
        dir,
        plan: &plan,
        manifest: &manifest,
        results: &results,
        records: &records,
        weights: &weights,
    };
    let (figures, sections) = pictures(&run)?;
    let after = weights.hash();
    if before != after {
        return Err(RedrawError::WeightsChanged { before, after });
    }
    // The manifest on disk keeps the proof of the run; the page shows that of this drawing.
    let mut proven = manifest.clone();
    proven.parameters_before_drawing = Some(before);
    proven.parameters_after_drawing = Some(after);
    let run = Run {
        manifest: &proven,
        ..run
    };
    page(&run, &figures, &sections)?;
    Ok(figures.failures().map(str::to_owned).collect())
}

/// Checks that the models of a run look at as many inputs as its data have.
fn fit_each_other(
    dir: &RunDir,
    plan: &Plan,
    manifest: &Manifest,
    weights: &Weights,
) -> Result<(), RedrawError> {
    let inputs = manifest.data.frame.inputs();
    for member in &manifest.members {
        let condition = plan.condition(&member.condition);
        let lowest = match condition.map(|of| &of.model) {
            Some(Model::Autoencoder(_)) => "encoder",
            Some(Model::Classifier(of)) if of.classifier.hidden_units.is_empty() => "output",
            Some(Model::Classifier(_) | Model::DeepAutoencoder(_)) => "layer.01",
            None => continue,
        };
        for stage in ["", "initial/", "pretrained/"] {
            let name = format!("{}/{stage}{lowest}.weight", member_prefix(member));
            let Ok(matrix) = weights.get(&name) else {
                continue;
            };
            let [rows, units] = matrix.shape;
            if Some(rows) != inputs || units == 0 {
                let reason = format!("{name} is for other rows than the manifest has, or no units");
                return Err(dir.damaged(run_dir::WEIGHTS, &reason).into());
            }
        }
    }
    Ok(())
}

/// The error for weights that cannot be read, or are not there.
pub(super) fn damaged_weights(dir: &Path, source: WeightsError) -> RedrawError {
    RedrawError::Weights {
        file: dir.join(run_dir::WEIGHTS).display().to_string(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::report::{Grid, PictureShape, Scaling, UnitWeights, Words};
    use crate::run_dir::{DataRecord, FORMAT, Manifest, Seconds};

    fn manifest() -> Manifest {
        Manifest {
            overridden: Vec::new(),
            warnings: Vec::new(),
            parts: None,
            put_together: false,
            files: BTreeMap::new(),
            format: FORMAT,
            version: "layerwise 0.1.0".to_owned(),
            name: "x".to_owned(),
            experiment: ExperimentName::Autoencoder,
            status: Status::Complete,
            backend: "flex".to_owned(),
            device: "CPU".to_owned(),
            jobs: 1,
            seeds: vec![0],
            order_seed: 0,
            members: Vec::new(),
            data: DataRecord {
                found_at: String::new(),
                dir: "data".to_owned(),
                name: None,
                train_images: 1,
                pretraining_images: None,
                test_images: 2,
                frame: Frame::grey(784, 1),
                raw_frame: None,
                border: None,
                classes: 1,
                class_names: Vec::new(),
                files: Vec::new(),
            },
            parameters_before_drawing: None,
            parameters_after_drawing: None,
            started: String::new(),
            seconds: Seconds::default(),
            member_seconds: Vec::new(),
        }
    }

    #[test]
    fn a_figure_that_cannot_be_drawn_costs_nothing_but_itself() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let dir = RunDir::create(Some(&parent.path().join("run")), "x").expect("a new folder");
        let manifest = manifest();
        let run = Run {
            dir: &dir,
            manifest: &manifest,
            plan: &config::parse(
                "experiment = \"autoencoder\"",
                Path::new("x.toml"),
                &Overrides::default(),
            )
            .expect("a config")
            .plan,
            results: &Results::default(),
            records: &Records::default(),
            weights: &Weights::default(),
        };
        // What an earlier drawing left.
        dir.write(run_dir::UNITS, b"old").expect("room");
        dir.write("units-2.png", b"old").expect("room");
        dir.write(run_dir::CONFIG, b"").expect("room");
        let weights = [0.5; 5];
        let grid = Grid {
            title: "β = 0".to_owned(),
            caption: String::new(),
            weights: UnitWeights {
                weights: &weights,
                units: 2,
                picture: PictureShape {
                    height: 2,
                    width: 1,
                    channels: 1,
                },
            },
            marked: Vec::new(),
        };
        let mut figures = Figures::default();
        let section = figures.grids("units", &[grid], Scaling::PerTile, &Words::default());
        write(&dir, &mut figures).expect("it is no failure of the run");
        let failure =
            "units.png is left out: grid `β = 0`: 5 weights do not make 2 units of 2×1 pixels";
        assert_eq!(figures.failures().collect::<Vec<_>>(), [failure]);
        assert!(!dir.has(run_dir::UNITS) && !dir.has("units-2.png"));
        page(&run, &figures, &[section]).expect("a page all the same");
        let html = String::from_utf8(dir.read(run_dir::PAGE).expect("there")).expect("text");
        assert!(html.contains(&format!("<strong>{failure}.</strong>")));
        assert!(html.contains("<title>run · What the hidden units"));
    }

    #[test]
    fn data_are_described_in_words_that_are_true_of_them() {
        assert_eq!(
            described(&manifest().data),
            "A data set of unknown hashes: 1 training image and 2 test images of 784×1 pixels (height × width), 1 class"
        );
    }
}
