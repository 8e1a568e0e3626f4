//! The main form: from a config to a run folder.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use super::prepare::{Prepared, prepare};
use super::{Failure, RunArgs, signals};
use crate::checkpoint::{Checkpoints, Found, Identity};
use crate::config::Config;
use crate::data::Dataset;
use crate::evidence::{self, Found as Findings, RedrawError};
use crate::experiment::{self, Ending, Examples, Outcome, Setting};
use crate::results::{Ended, Results};
use crate::run_dir::{self, FORMAT, Lock, Manifest, Records, RunDir, RunDirError, Seconds, Status};
use crate::spec::{ExperimentName, Plan};
use crate::train::lanes::locked;
use crate::train::{Observer, Record, Stop};
use crate::ui::print::{lost, say, tell};
use crate::ui::{Extent, Style, Watcher};
use crate::weights::Weights;
use crate::words::{counted, in_shell};

/// Records are written at most this often while a run is on, for whoever wants to look, and once at its end: whoever
/// goes on with a run has them from its checkpoints.
const RECORDS_EVERY: Duration = Duration::from_secs(10);

/// Everything that a run needs, whether it begins or goes on.
pub struct Job {
    pub dir: RunDir,
    pub lock: Lock,
    pub manifest: Manifest,
    pub config: Config,
    pub prepared: Prepared,
    /// What an earlier run left.
    pub found: Found,
    pub style: Style,
    pub jobs: usize,
}

/// A new run, from a config.
pub fn run(args: RunArgs) -> Result<(), Failure> {
    let (style, jobs) = (args.watch.style(), args.watch.jobs());
    // Without a config there is a run to resume: clap has made sure of it.
    let path = args.config.unwrap_or_default();
    let config = args.overrides.load(&path)?;
    let prepared = prepare(&config, jobs)?;
    prepared.warn();
    let config = Config {
        name: name(&path, &config.name),
        ..config
    };
    let plan = &config.plan;
    let dir = RunDir::create(args.out.as_deref(), &config.name).map_err(|error| match error {
        RunDirError::Exists { .. } => Failure::Request(error.to_string()),
        other => Failure::work(other),
    })?;
    let lock = dir.lock().map_err(Failure::work)?;
    let manifest = Manifest {
        format: FORMAT,
        version: format!("layerwise {}", env!("CARGO_PKG_VERSION")),
        name: config.name.clone(),
        experiment: plan.experiment,
        status: Status::Running,
        backend: prepared.backend.name.to_string(),
        device: prepared.backend.description.clone(),
        jobs,
        seeds: plan.run.seeds.clone(),
        order_seed: plan.run.order_seed,
        members: experiment::members(plan),
        data: prepared.data_record(&config),
        parameters_before_drawing: None,
        parameters_after_drawing: None,
        started: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        seconds: Seconds {
            loading: prepared.loading,
            ..Seconds::default()
        },
        member_seconds: Vec::new(),
        warnings: prepared.warnings.clone(),
        files: BTreeMap::new(),
    };
    carry_out(Job {
        dir,
        lock,
        manifest,
        config,
        prepared,
        found: Found::default(),
        style,
        jobs,
    })
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
pub fn carry_out(job: Job) -> Result<(), Failure> {
    let Job {
        dir,
        lock,
        mut manifest,
        config,
        prepared,
        found,
        style,
        jobs,
    } = job;
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
        .map_err(Failure::work)?;
    tell(&format!("run folder: {}", dir.path().display()));
    let (height, width) = (manifest.data.height, manifest.data.width);
    for line in evidence::outlook(plan, height, width) {
        tell(&format!("note: {line}"));
    }

    let stop = Arc::new(Stop::default());
    signals::listen(&stop, style);
    let identity = identity(&config, &data);
    let checkpoints =
        Checkpoints::new(dir.path(), identity, found, jobs, &stop).map_err(Failure::work)?;
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
    let watcher = Watcher::start(style, &extent, &stop);
    let keeper = Keeper::new(&dir, manifest.experiment, watcher, &stop);
    let outcome = experiment::run(
        plan,
        &Setting {
            examples: &Examples::new(&data, &backend.device),
            data: &data,
            backend: &backend,
            lanes: jobs,
            order_seed: plan.run.order_seed,
            observer: &keeper,
            stop: &stop,
            shelf: &checkpoints,
            measure: &|trained| evidence::measure(plan, trained),
        },
    );
    manifest.seconds.training += training.elapsed().as_secs_f64();
    let kept = keeper.finish().map_err(Failure::work);
    let saved = checkpoints.finish().map_err(Failure::work);
    let finished = kept.and_then(|records| {
        manifest.seconds.checkpoints += saved?.as_secs_f64();
        let outcome = outcome.map_err(Failure::work)?;
        let results = evidence::conclude(plan, &data, &records, &outcome);
        let ended = &results.ended;
        manifest.status = match &outcome.ending {
            Ending::Complete if ended.len() == manifest.members.len() => Status::Failed {
                reason: all_ended(ended),
            },
            Ending::Complete => Status::Complete,
            Ending::Stopped { after } => Status::Stopped {
                reason: format!("by request, after {after}"),
            },
        };
        manifest.member_seconds.clone_from(&outcome.member_seconds);
        write_all(&dir, plan, &mut manifest, &outcome, &results, &records)
            .map_err(Failure::work)?;
        let lines = evidence::lines(&Findings {
            plan,
            data: &data,
            records: &records,
            results: &results,
        });
        Ok(Finished {
            ending: outcome.ending,
            results,
            lines,
        })
    });
    let ended = end(&dir, manifest, style, finished);
    drop(lock);
    ended
}

/// A run that came to its end, or was stopped.
struct Finished {
    ending: Ending,
    results: Results,
    /// What was found, for a terminal.
    lines: Vec<String>,
}

/// Tells how a run ended.
fn end(
    dir: &RunDir,
    mut manifest: Manifest,
    style: Style,
    finished: Result<Finished, Failure>,
) -> Result<(), Failure> {
    match finished {
        Ok(Finished {
            ending: Ending::Complete,
            results,
            lines,
        }) => {
            if style != Style::Quiet {
                for line in &lines {
                    say(line);
                }
            }
            if let Some(error) = lost().filter(|error| error.kind() != ErrorKind::BrokenPipe) {
                tell(&format!(
                    "warning: cannot write to stdout: {error}; lines are missing there, the run folder has everything"
                ));
            }
            tell(&format!(
                "open {}",
                dir.path().join(run_dir::PAGE).display()
            ));
            match results.ended.as_slice() {
                [] => Ok(()),
                ended => Err(Failure::Work(some_ended(ended, manifest.members.len()))),
            }
        }
        Ok(Finished { results, .. }) => {
            for ended in &results.ended {
                tell(&format!("warning: {ended}\n  hint: {}", ended.hint));
            }
            let path = dir.path();
            tell(&format!(
                "stopped; what was computed is in {}",
                path.display()
            ));
            tell(&format!("go on with: layerwise resume {}", in_shell(path)));
            Err(Failure::Interrupted)
        }
        Err(failure) => {
            if let Failure::Work(reason) = &failure {
                manifest.status = Status::Failed {
                    reason: reason.clone(),
                };
                // The first failure is the one to tell; that its note cannot be written may follow from it.
                let _ = dir.write_json(run_dir::MANIFEST, &manifest);
            }
            Err(failure)
        }
    }
}

/// Why nothing came of a run.
fn all_ended(ended: &[Ended]) -> String {
    match ended {
        [only] => only.to_string(),
        [first, ..] => format!("every model ended early; the first: {first}"),
        [] => "there was nothing to train".to_owned(),
    }
}

/// Which of `members` models could not go on, and what to do about it.
fn some_ended(ended: &[Ended], members: usize) -> String {
    let mut hints: Vec<&str> = ended.iter().map(|ended| ended.hint.as_str()).collect();
    hints.dedup();
    let hints = hints.iter().map(|hint| format!("\n  hint: {hint}"));
    let hints = hints.collect::<Vec<_>>().concat();
    let lines: Vec<String> = ended.iter().map(|ended| format!("\n  {ended}")).collect();
    match ended {
        [only] if members == 1 => format!("{only}{hints}"),
        _ => format!(
            "{} of {} ended early:{}{hints}",
            ended.len(),
            counted(members, "model"),
            lines.concat(),
        ),
    }
}

/// What the states of a run belong to.
pub fn identity(config: &Config, data: &Dataset) -> Identity {
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
        .to_safetensors()
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

/// Keeps the records of a run, in memory and in its files, and passes them on to whoever watches.
struct Keeper<'a> {
    run: &'a RunDir,
    experiment: ExperimentName,
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
    fn new(run: &'a RunDir, experiment: ExperimentName, watcher: Watcher, stop: &'a Stop) -> Self {
        Self {
            run,
            experiment,
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
        kept.records.write(self.run, self.experiment)?;
        Ok(kept.records)
    }
}

impl Observer for Keeper<'_> {
    fn worked(&self, multiply_accumulates: u64) {
        self.watcher.worked(multiply_accumulates);
    }

    fn worked_before(&self, multiply_accumulates: u64) {
        self.watcher.worked_before(multiply_accumulates);
    }

    fn record(&self, record: Record<'_>) {
        self.watcher.record(record);
        self.keep(record);
    }

    fn recall(&self, record: Record<'_>) {
        self.watcher.recall(record);
        self.keep(record);
    }

    fn ended(&self, ended: &Ended) {
        self.watcher.ended(ended);
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
            if let Err(error) = kept.records.write(self.run, self.experiment) {
                kept.error.get_or_insert(error);
                self.stop.request();
            }
            kept.written = Some(Instant::now());
        }
    }
}
