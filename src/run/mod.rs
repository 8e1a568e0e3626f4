//! A run: from a config to a run folder with everything in it, and on from where one was left.
//!
//! This room puts data, training, evidence and the folder together. It is watched as its [`Style`] says, and tells on stderr
//! what a user must know; the command line only chooses what to run and turns what comes out into an exit code.

pub mod checkpoint;
mod compare;
mod estimate;
mod exhibits;
mod job_array;
mod parts;
mod prepare;
mod resume;
mod status;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::config::{Config, Origin};
use crate::data::Dataset;
use crate::evidence::{self, Found as Findings, RedrawError};
use crate::experiment::{self, Ending, Examples, Outcome, PROBE_IMAGES, Setting};
use crate::machine;
use crate::results::{Ended, Results};
use crate::run_dir::{self, FORMAT, Lock, Manifest, Records, RunDir, RunDirError, Seconds, Status};
use crate::spec::Plan;
use crate::train::lanes::locked;
use crate::train::{Event, Observer, Record, Stop};
use crate::ui::print::tell;
use crate::ui::{Extent, Style, Watcher};
use crate::weights::Weights;
use checkpoint::{Checkpoints, Found, Identity};

pub use compare::compare;
pub use estimate::{Estimate, estimate};
pub use exhibits::{Exhibits, exhibit};
pub use job_array::{JobArray, job_array};
pub use parts::{Part, PartEnd, train_part};
pub use prepare::{Prepared, prepare};
pub use resume::{Resumed, draw_again, go_on, is_begun, own_data, resume};
pub use status::status;

/// Records are written at most this often while a run is on, for whoever wants to look, and once at its end: whoever
/// goes on with a run has them from its checkpoints.
const RECORDS_EVERY: Duration = Duration::from_secs(10);

/// How a run is carried out; none of it changes what comes out.
#[derive(Debug, Clone)]
pub struct Options {
    /// How much is shown while it is on.
    pub style: Style,
    /// Compute threads on a CPU backend; at least one.
    pub jobs: usize,
    /// Asked for between batches; whoever holds it can end the run, which keeps what it has.
    pub stop: Arc<Stop>,
}

/// Why a run did not do what it was asked for.
#[derive(Debug, Error)]
pub enum Failure {
    /// The request was wrong.
    #[error("{0}")]
    Request(String),
    /// The request was right, but it could not be carried out.
    #[error("{0}")]
    Work(String),
}

impl Failure {
    pub(crate) fn work(error: impl std::fmt::Display) -> Self {
        Self::Work(error.to_string())
    }

    pub(crate) fn request(error: impl std::fmt::Display) -> Self {
        Self::Request(error.to_string())
    }
}

/// A run that came to its end, or was stopped.
#[derive(Debug)]
pub struct Finished {
    /// Its folder.
    pub path: PathBuf,
    /// Whether it came to its end or was stopped.
    pub ending: Ending,
    /// Everything that it measured.
    pub results: Results,
    /// How many models there were.
    pub members: usize,
    /// What was found, a line for each finding, for a reader.
    pub lines: Vec<String>,
}

/// Everything that a run needs, whether it begins or goes on.
struct Job {
    dir: RunDir,
    /// Held until the run ends: that of the folder, and those of its parts, where it has any.
    locks: Vec<Lock>,
    manifest: Manifest,
    config: Config,
    prepared: Prepared,
    /// What an earlier run left.
    found: Found,
}

/// A new run of the config that was read from `path`, in the new folder `out` or the next free one in `runs/`.
///
/// # Errors
///
/// Returns [`Failure`] if the request is wrong, or a file cannot be read or written. What was computed by then is in the
/// folder, and [`resume`] goes on from there.
pub fn start(
    path: &Path,
    config: Config,
    out: Option<&Path>,
    options: &Options,
) -> Result<Finished, Failure> {
    let prepared = prepare(&config, None, options.jobs)?;
    prepared.warn();
    let config = Config {
        name: name(path, &config.name),
        ..config
    };
    let dir = RunDir::create(out, &config.name).map_err(|error| match error {
        RunDirError::Exists { .. } => Failure::request(error),
        other => Failure::work(other),
    })?;
    let lock = dir.lock().map_err(Failure::work)?;
    let manifest = first_manifest(&config, &prepared, options);
    let job = Job {
        dir,
        locks: vec![lock],
        manifest,
        config,
        prepared,
        found: Found::default(),
    };
    train_and_write(job, options)
}

/// The program and its version.
fn own_version() -> String {
    format!("layerwise {}", env!("CARGO_PKG_VERSION"))
}

/// What a run says of itself when it begins.
fn first_manifest(config: &Config, prepared: &Prepared, options: &Options) -> Manifest {
    let plan = &config.plan;
    Manifest {
        format: FORMAT,
        version: own_version(),
        name: config.name.clone(),
        experiment: plan.experiment,
        status: Status::Running,
        backend: prepared.backend.name.to_string(),
        device: prepared.backend.description.clone(),
        jobs: options.jobs,
        seeds: plan.run.seeds.clone(),
        order_seed: plan.run.order_seed,
        members: experiment::members(plan),
        data: prepared.data_record(config),
        parameters_before_drawing: None,
        parameters_after_drawing: None,
        started: machine::time(),
        seconds: Seconds {
            loading: prepared.loading,
            ..Seconds::default()
        },
        member_seconds: Vec::new(),
        overridden: overridden(config),
        warnings: prepared.warnings.clone(),
        parts: None,
        put_together: false,
        files: BTreeMap::new(),
    }
}

/// How a run of so many members ended.
fn status_of(outcome: &Outcome, members: usize) -> Status {
    match &outcome.ending {
        Ending::Complete if outcome.ended.len() == members => Status::Failed {
            reason: all_ended(&outcome.ended),
        },
        Ending::Complete => Status::Complete,
        Ending::Stopped { after } => Status::Stopped {
            reason: format!("by request, after {after}"),
        },
    }
}

/// What was found, with a line for each finding for a reader; what pages need of it and of the data goes into the folder.
fn concluded(
    dir: &RunDir,
    plan: &Plan,
    manifest: &Manifest,
    data: &Dataset,
    records: &Records,
    outcome: &Outcome,
) -> Result<(Results, Vec<String>), Failure> {
    let mut results = evidence::conclude(plan, data, records, outcome);
    evidence::keep(data, &mut results, dir).map_err(Failure::work)?;
    let findings = Findings {
        plan,
        data,
        records,
        results: &results,
        weights: &*outcome.weights,
    };
    let lines = lines(manifest, &findings);
    Ok((results, lines))
}

/// What was found, a line for each finding.
fn lines(manifest: &Manifest, found: &Findings<'_>) -> Vec<String> {
    let mut lines = evidence::lines(found);
    if !manifest.overridden.is_empty() && !found.plan.expectations.is_empty() {
        lines.push(format!(
            "promises are of the config as it is written; this run changed {}",
            manifest.overridden.join(", ")
        ));
    }
    lines
}

/// The keys of a model and its training that `--set` changed.
fn overridden(config: &Config) -> Vec<String> {
    let settings = config.values.iter();
    settings
        .filter(|setting| matches!(setting.origin, Origin::Set(_)))
        .map(|setting| setting.key.clone())
        .collect()
}

/// What a run of the config at `path` is called: as the config, or, of a run's own config, as that run.
fn name(path: &Path, name: &str) -> String {
    let folder = path
        .file_name()
        .filter(|file| *file == run_dir::CONFIG)
        .and(path.parent());
    // The folder of a bare file name is the empty path.
    let run = folder.and_then(|folder| {
        RunDir::open(&Path::new(".").join(folder))
            .ok()?
            .manifest()
            .ok()
    });
    run.map_or_else(|| name.to_owned(), |manifest| manifest.name)
}

/// Trains what is left to train, and writes what was found.
fn train_and_write(job: Job, options: &Options) -> Result<Finished, Failure> {
    let Job {
        dir,
        locks,
        mut manifest,
        config,
        prepared,
        found,
    } = job;
    let (style, jobs, stop) = (options.style, options.jobs, &options.stop);
    let Prepared {
        backend,
        data,
        extent,
        ..
    } = prepared;
    let plan = &config.plan;
    manifest.jobs = jobs;
    // What was written before is not what will be there in the end.
    manifest.files.clear();
    manifest.parameters_before_drawing = None;
    manifest.parameters_after_drawing = None;
    dir.write(run_dir::CONFIG, config.to_toml().as_bytes())
        .and_then(|()| dir.write_json(run_dir::MANIFEST, &manifest))
        // What was found before this run goes on will not be what was found in the end.
        .and_then(|()| dir.remove(run_dir::RESULTS))
        .and_then(|()| dir.remove(run_dir::DETAILS))
        .map_err(Failure::work)?;
    if !data.transforms.is_identity() {
        let about = format!("transforms of {}", config.name);
        let arrays = data.transforms.to_weights().to_safetensors(&about);
        let arrays = arrays.map_err(Failure::work)?;
        dir.write(run_dir::TRANSFORMS, &arrays)
            .map_err(Failure::work)?;
    }
    tell(&format!("run folder: {}", dir.path().display()));
    for line in evidence::outlook(plan, manifest.data.frame) {
        tell(&format!("note: {line}"));
    }

    let identity = identity(&config, &data);
    let checkpoints =
        Checkpoints::new(dir.path(), identity, found, jobs, stop).map_err(Failure::work)?;
    let extent = Extent {
        title: config.name.clone(),
        experiment: manifest.experiment,
        members: manifest.members.clone(),
        epochs: extent.epochs,
        epochs_of_all: extent.epochs_of_all,
        images: data.train.images.count(),
        work: extent.multiply_accumulates,
    };
    let training = Instant::now();
    let watcher = Watcher::start(style, &extent, stop);
    let keeper = Keeper::new(&dir, plan, watcher, stop);
    let outcome = experiment::run(
        plan,
        &Setting {
            examples: &Examples::new(&data, &backend.device),
            data: &data,
            backend: &backend,
            lanes: jobs,
            order_seed: plan.run.order_seed,
            observer: &keeper,
            probe_images: PROBE_IMAGES,
            stop,
            shelf: &checkpoints,
            only: None,
            measure: &|trained| evidence::measure(plan, trained),
        },
    );
    manifest.seconds.training += training.elapsed().as_secs_f64();
    let kept = keeper.finish().map_err(Failure::work);
    let saved = checkpoints.finish().map_err(Failure::work);
    let finished = kept.and_then(|records| {
        manifest.seconds.checkpoints += saved?.as_secs_f64();
        let outcome = outcome.map_err(Failure::work)?;
        manifest.status = status_of(&outcome, manifest.members.len());
        manifest.member_seconds.clone_from(&outcome.member_seconds);
        let (results, lines) = concluded(&dir, plan, &manifest, &data, &records, &outcome)?;
        // The pictures to come need the room of those that were learnt from.
        drop(data);
        write_all(&dir, plan, &mut manifest, &outcome, &results, &records)
            .map_err(Failure::work)?;
        Ok(Finished {
            path: dir.path().to_owned(),
            ending: outcome.ending,
            members: manifest.members.len(),
            results,
            lines,
        })
    });
    if let Err(Failure::Work(reason)) = &finished {
        manifest.status = Status::Failed {
            reason: reason.clone(),
        };
        // The first failure is the one to tell; that its note cannot be written may follow from it.
        let _ = dir.write_json(run_dir::MANIFEST, &manifest);
    }
    drop(locks);
    finished
}

/// Why nothing came of a run.
fn all_ended(ended: &[Ended]) -> String {
    match ended {
        [only] => only.to_string(),
        [first, ..] => format!("every model ended early; the first: {first}"),
        [] => "there was nothing to train".to_owned(),
    }
}

/// What the states of a run belong to.
fn identity(config: &Config, data: &Dataset) -> Identity {
    let files = data.files.iter();
    Identity {
        config: config.to_toml(),
        data: files
            .map(|file| (file.name.clone(), file.sha256.clone()))
            .collect(),
    }
}

/// Writes everything that a run leaves behind, with the proof that drawing did not touch the models.
fn write_all(
    run: &RunDir,
    plan: &Plan,
    manifest: &mut Manifest,
    outcome: &Outcome,
    results: &Results,
    records: &Records,
) -> Result<(), RedrawError> {
    let drawing = Instant::now();
    let initial = (outcome.initial_weights)();
    let with_initial = |mut weights: Weights, initial: Weights| {
        weights.extend(initial);
        weights
    };
    let weights = with_initial((outcome.weights)(), initial.clone());
    let file = weights
        .to_safetensors(&about_weights(manifest))
        .map_err(|source| RedrawError::Weights {
            file: run_dir::WEIGHTS.to_owned(),
            source,
        })?;
    run.write(run_dir::WEIGHTS, &file)?;
    drop(file);
    run.write_json(run_dir::RESULTS, results)?;
    let before = weights.hash();
    let unproven = evidence::Run {
        dir: run,
        plan,
        manifest,
        results,
        records,
        weights: &weights,
    };
    let (figures, sections) = evidence::pictures(&unproven)?;
    for failure in figures.failures() {
        tell(&format!("warning: {failure}"));
    }
    // Taken from the models again: neither they nor the copy may have changed.
    let after = with_initial((outcome.weights)(), initial).hash();
    let unchanged = before == after && weights.hash() == before;
    manifest.parameters_before_drawing = Some(before.clone());
    manifest.parameters_after_drawing = Some(after.clone());
    manifest.seconds.drawing = drawing.elapsed().as_secs_f64();
    let proven = evidence::Run {
        dir: run,
        plan,
        manifest,
        results,
        records,
        weights: &weights,
    };
    evidence::page(&proven, &figures, &sections)?;
    // The last file: a run that was killed before it is not complete.
    manifest.files = run.written();
    run.write_json(run_dir::MANIFEST, manifest)?;
    if unchanged {
        Ok(())
    } else {
        Err(RedrawError::WeightsChanged { before, after })
    }
}

/// What whoever opens the weights must know, as JSON.
fn about_weights(manifest: &Manifest) -> String {
    serde_json::json!({
        "version": manifest.version,
        "names": "CONDITION/seed N/PARAMETER; initial/ before training, pretrained/ before fine-tuning",
        "layout": "weights are [input, unit], row by row: unit j is column j; biases are [1, unit]",
        "inputs": match manifest.data.raw_frame {
            None => format!("{}; bytes are divided by 255", manifest.data.frame),
            Some(raw) => format!(
                "{}, made of {raw} by {}; bytes are divided by 255 before",
                manifest.data.frame,
                run_dir::TRANSFORMS
            ),
        },
    })
    .to_string()
}

/// Keeps the records of a run, in memory and in its files, and passes them on to whoever watches.
struct Keeper<'a> {
    run: &'a RunDir,
    plan: &'a Plan,
    watcher: Watcher,
    stop: &'a Stop,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    records: Records,
    written: Option<Instant>,
    error: Option<RunDirError>,
}

impl<'a> Keeper<'a> {
    fn new(run: &'a RunDir, plan: &'a Plan, watcher: Watcher, stop: &'a Stop) -> Self {
        Self {
            run,
            plan,
            watcher,
            stop,
            kept: Mutex::default(),
        }
    }

    /// The run's records, once they are all on disk.
    fn finish(self) -> Result<Records, RunDirError> {
        self.watcher.finish();
        let kept = self
            .kept
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(error) = kept.error {
            return Err(error);
        }
        kept.records.write(self.run, self.plan)?;
        Ok(kept.records)
    }
}

impl Observer for Keeper<'_> {
    fn tell(&self, event: Event<'_>) {
        self.watcher.tell(event);
        if let Event::Record(record) | Event::Recall(record) = event {
            self.keep(record);
        }
    }

    fn readings(&self) -> usize {
        self.watcher.readings()
    }
}

impl Keeper<'_> {
    fn keep(&self, record: Record<'_>) {
        let mut kept = locked(&self.kept);
        match record {
            Record::Epoch(record) => kept.records.add_epoch(record),
            Record::Stage(record) => kept.records.add_stage(record),
            Record::Classifier(record, layers) => kept.records.add_classifier(record, layers),
            // For whoever watches; the epoch's record has its mean.
            Record::Reading(_) => return,
        }
        if kept.written.is_none_or(|at| at.elapsed() > RECORDS_EVERY) {
            if let Err(error) = kept.records.write(self.run, self.plan) {
                kept.error.get_or_insert(error);
                self.stop.request();
            }
            kept.written = Some(Instant::now());
        }
    }
}
