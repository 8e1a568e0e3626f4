//! The main form: from a config to a run folder.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use super::{Failure, RunArgs, say};
use crate::backend::{self, Backend, BackendError, Kind};
use crate::config::{Config, Experiment, Limit};
use crate::data::{self, Dataset, Limits};
use crate::experiment::figure56::{self, Outcome};
use crate::redraw;
use crate::results::{EpochRecord, Figure56Results};
use crate::run_dir::{
    self, DataRecord, FORMAT, FileRecord, Manifest, RunDir, RunDirError, Seconds, Status,
};
use crate::train::{Observer, Stop};
use crate::ui::{Extent, Style, Watcher};

/// Metrics are written at most this often while a run is on, and once at its end.
const METRICS_EVERY: Duration = Duration::from_secs(1);

pub fn run(args: RunArgs) -> Result<(), Failure> {
    let style = match (args.quiet, args.plain) {
        (true, _) => Style::Quiet,
        (_, true) => Style::Plain,
        _ => Style::Automatic,
    };
    let jobs = args.jobs.map_or_else(
        || std::thread::available_parallelism().map_or(1, usize::from),
        usize::from,
    );
    let config = args.plan.load()?;
    let Experiment::Figure56(figure) = &config.plan.experiment;
    let setting = &config.plan.run;
    let backend = open_backend(&config)?;
    let loading = Instant::now();
    let data = load_data(&config, figure.training.batch_size)?;
    let mut seconds = Seconds {
        loading: loading.elapsed().as_secs_f64(),
        ..Seconds::default()
    };

    let run = RunDir::create(args.out.as_deref(), &config.name).map_err(|error| match error {
        RunDirError::Exists { .. } => Failure::Request(error.to_string()),
        other => Failure::work(other),
    })?;
    let members = figure56::members(&figure.sparsity_weights, &setting.seeds);
    let mut manifest = Manifest {
        format: FORMAT,
        version: format!("layerwise {}", env!("CARGO_PKG_VERSION")),
        experiment: "figure56".to_owned(),
        status: Status::Running,
        backend: backend.name.to_string(),
        device: backend.description.clone(),
        jobs,
        seeds: setting.seeds.clone(),
        order_seed: setting.order_seed,
        members: members.clone(),
        data: data_record(&config.plan.data.dir, &data),
        parameters_before_drawing: None,
        parameters_after_drawing: None,
        started: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        seconds,
    };
    run.write(run_dir::CONFIG, config.to_toml().as_bytes())
        .and_then(|()| run.write_json(run_dir::MANIFEST, &manifest))
        .map_err(Failure::work)?;
    eprintln!("run folder: {}", run.path().display());

    let stop = Arc::new(Stop::default());
    on_interrupt(&stop, style);
    let extent = Extent {
        title: config.name.clone(),
        members,
        epochs: figure.training.epochs,
        images: data.train.images.count(),
    };
    let training = Instant::now();
    let keeper = Keeper::new(
        &run,
        Watcher::start(style, extent, Arc::clone(&stop)),
        &stop,
    );
    let outcome = figure56::run(figure, setting, &data, &backend, jobs, &keeper, &stop);
    seconds.training = training.elapsed().as_secs_f64();
    let kept = keeper.finish();

    let finished = kept.map_err(Failure::work).and_then(|records| {
        let outcome = outcome.map_err(Failure::work)?;
        manifest.status = match &outcome.results {
            Some(_) => Status::Complete,
            None => Status::Stopped {
                reason: format!(
                    "by request, after {} of {} epochs of every member",
                    outcome.epochs_done, figure.training.epochs
                ),
            },
        };
        manifest.seconds = seconds;
        write_all(&run, &mut manifest, &outcome, &records).map_err(Failure::work)?;
        Ok(outcome.results)
    });
    match finished {
        Ok(Some(results)) => {
            summarize(&results, &run, style);
            Ok(())
        }
        Ok(None) => {
            eprintln!("stopped; what was computed is in {}", run.path().display());
            Err(Failure::Interrupted)
        }
        Err(failure) => {
            if let Failure::Work(reason) = &failure {
                manifest.status = Status::Failed {
                    reason: reason.clone(),
                };
                // The first failure is the one to tell; that its note cannot be written may follow from it.
                let _ = run.write_json(run_dir::MANIFEST, &manifest);
            }
            Err(failure)
        }
    }
}

fn open_backend(config: &Config) -> Result<Backend, Failure> {
    let backend = backend::open(config.plan.run.backend).map_err(|error| match error {
        BackendError::NotBuilt { .. } => Failure::Request(error.to_string()),
        BackendError::NoAdapter { .. } => Failure::work(error),
    })?;
    if backend.kind == Kind::SoftwareGpu {
        eprintln!(
            "warning: {} is a software renderer, not a GPU\n  hint: `--backend flex` is about a hundred times faster here",
            backend.description
        );
    }
    Ok(backend)
}

fn load_data(config: &Config, batch_size: usize) -> Result<Dataset, Failure> {
    let count = |limit| match limit {
        Limit::All => None,
        Limit::First(count) => Some(count),
    };
    let limits = Limits {
        train: count(config.plan.data.train_images),
        test: count(config.plan.data.test_images),
    };
    let data = data::load(&config.plan.data.dir, limits).map_err(Failure::work)?;
    let images = data.train.images.count();
    if batch_size > images {
        return Err(Failure::Request(format!(
            "training.batch_size is {batch_size}, but there are only {images} training images\n  hint: \
             use at most {images}, or raise data.train_images"
        )));
    }
    Ok(data)
}

fn data_record(dir: &Path, data: &Dataset) -> DataRecord {
    DataRecord {
        dir: dir.display().to_string(),
        name: data.name.map(str::to_owned),
        train_images: data.train.images.count(),
        test_images: data.test.images.count(),
        height: data.train.images.height(),
        width: data.train.images.width(),
        classes: data.classes,
        files: data
            .files
            .iter()
            .map(|file| FileRecord {
                name: file.name.clone(),
                sha256: file.sha256.clone(),
                bytes: file.bytes,
            })
            .collect(),
    }
}

/// The first signal ends the run after the current batch; the second ends the program.
fn on_interrupt(stop: &Arc<Stop>, style: Style) {
    let stop = Arc::clone(stop);
    let handler = move || {
        if stop.requested() {
            std::process::exit(130);
        }
        stop.request();
        if style.prints_lines() {
            eprintln!("stopping after this batch; once more to leave at once");
        }
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        eprintln!("warning: Ctrl-C will end the program at once: {error}");
    }
}

/// Writes everything that a run leaves behind, with the proof that drawing did not touch the models.
fn write_all(
    run: &RunDir,
    manifest: &mut Manifest,
    outcome: &Outcome,
    records: &[EpochRecord],
) -> Result<(), redraw::RedrawError> {
    let drawing = Instant::now();
    let weights = outcome.weights();
    let file = weights
        .to_safetensors()
        .map_err(|source| redraw::RedrawError::Weights {
            file: run_dir::WEIGHTS.to_owned(),
            source,
        })?;
    run.write(run_dir::WEIGHTS, &file)?;
    if let Some(results) = &outcome.results {
        run.write_json(run_dir::RESULTS, results)?;
    }
    let before = weights.hash();
    redraw::pictures(run, manifest, &weights, outcome.results.as_ref(), records)?;
    // Taken from the models again: neither they nor the copy may have changed.
    let after = outcome.weights().hash();
    let unchanged = before == after && weights.hash() == before;
    manifest.parameters_before_drawing = Some(before.clone());
    manifest.parameters_after_drawing = Some(after.clone());
    manifest.seconds.drawing = drawing.elapsed().as_secs_f64();
    run.write_json(run_dir::MANIFEST, manifest)?;
    redraw::page(run, manifest, outcome.results.as_ref(), records)?;
    if unchanged {
        Ok(())
    } else {
        Err(redraw::RedrawError::WeightsChanged { before, after })
    }
}

fn summarize(results: &Figure56Results, run: &RunDir, style: Style) {
    if style != Style::Quiet {
        for summary in &results.members {
            say(&format!(
                "{}: {} ({})",
                summary.member.label, summary.regime, summary.regime_reason
            ));
        }
    }
    eprintln!("open {}", run.path().join(run_dir::PAGE).display());
}

/// Keeps the epochs of a run, in memory and in its metrics files, and passes them on to whoever watches.
struct Keeper<'a> {
    run: &'a RunDir,
    watcher: Watcher,
    stop: &'a Stop,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    records: Vec<EpochRecord>,
    written: Option<Instant>,
    error: Option<RunDirError>,
}

impl<'a> Keeper<'a> {
    fn new(run: &'a RunDir, watcher: Watcher, stop: &'a Stop) -> Self {
        Self {
            run,
            watcher,
            stop,
            kept: Mutex::default(),
        }
    }

    /// The run's epochs by epoch and member, once they are all on disk.
    fn finish(self) -> Result<Vec<EpochRecord>, RunDirError> {
        self.watcher.finish();
        let kept = self
            .kept
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(error) = kept.error {
            return Err(error);
        }
        write_metrics(self.run, &kept.records)?;
        Ok(kept.records)
    }
}

impl Observer for Keeper<'_> {
    fn trained(&self, images: usize) {
        self.watcher.trained(images);
    }

    fn epoch(&self, record: &EpochRecord) {
        self.watcher.epoch(record);
        let mut kept = self
            .kept
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        // Lanes finish in any order; the files must not tell.
        let place = kept
            .records
            .partition_point(|other| (other.epoch, other.member) < (record.epoch, record.member));
        kept.records.insert(place, record.clone());
        if kept.written.is_none_or(|at| at.elapsed() > METRICS_EVERY) {
            if let Err(error) = write_metrics(self.run, &kept.records) {
                kept.error.get_or_insert(error);
                self.stop.request();
            }
            kept.written = Some(Instant::now());
        }
    }
}

fn write_metrics(run: &RunDir, records: &[EpochRecord]) -> Result<(), RunDirError> {
    let mut lines = Vec::new();
    let mut table = csv::Writer::from_writer(Vec::new());
    for record in records {
        serde_json::to_writer(&mut lines, record)
            .map_err(|error| run.damaged(run_dir::METRICS_JSONL, &error.to_string()))?;
        lines.push(b'\n');
        table
            .serialize(record)
            .map_err(|error| run.damaged(run_dir::METRICS_CSV, &error.to_string()))?;
    }
    let table = table
        .into_inner()
        .map_err(|error| run.damaged(run_dir::METRICS_CSV, &error.to_string()))?;
    run.write(run_dir::METRICS_JSONL, &lines)?;
    run.write(run_dir::METRICS_CSV, &table)
}
