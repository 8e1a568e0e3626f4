//! Parts of a run, each trained by a process of its own, on one machine or on many that share nothing but the run folder.
//!
//! Tasks know nothing of each other and keep their states in files of their own, so a part is nothing but some of the
//! tasks: it trains them to their ends, leaves their states in the run folder, and draws nothing. Whoever goes on with the
//! run when all parts are there trains nothing, and writes what one process would have written, byte for byte. Which task
//! belongs to which part depends on the plan and its data alone. The folder is locked while a part joins it, and each part
//! for as long as it is at work.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::checkpoint::{self, Checkpoints, Found};
use super::resume::{differs, same_data, written_config};
use super::{
    Failure, Options, Prepared, RECORDS_EVERY, first_manifest, identity, name, own_version, prepare,
};
use crate::config::Config;
use crate::evidence;
use crate::experiment::{self, Ending, Examples, Outline, PROBE_IMAGES, Setting};
use crate::machine;
use crate::results::Ended;
use crate::run_dir::{self, Lock, PARTS, RunDir, RunDirError, Seconds, Status};
use crate::train::lanes::locked;
use crate::train::{Event, Observer};
use crate::ui::print::tell;
use crate::ui::{Extent, Watcher};
use crate::words::{counted, in_shell, listed, printable, program};

/// How long a part waits for others that join the folder at the same moment.
const WAIT_TO_JOIN: Duration = Duration::from_mins(1);
/// How many parts an error tells of, one by one.
const TOLD: usize = 8;

/// One of the parts that a run is divided into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Counted from 1.
    pub number: usize,
    /// How many there are.
    pub of: usize,
}

/// `3/16`
impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(number, of)| {
            let [number, of] = [number, of].map(|of| of.trim().parse::<u16>().ok());
            Some((usize::from(number?), usize::from(of?)))
        });
        match numbers {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Self { number, of }),
            Some((number, of)) if of > 0 => Err(format!(
                "parts are counted from 1 to {of}, and there is no part {number}"
            )),
            _ => Err("a part is written as its number and how many there are: 3/16".to_owned()),
        }
    }
}

impl Part {
    /// The tasks of this part, of tasks with so much work each.
    ///
    /// # Errors
    ///
    /// Returns [`Failure::Request`] if there are fewer tasks than parts.
    pub(super) fn of_tasks(self, work: &[u64]) -> Result<Vec<usize>, Failure> {
        Ok(tasks_of_all(work, self.of)?.swap_remove(self.number - 1))
    }

    /// What the part says of itself, in the folder of the run.
    fn record(self) -> String {
        format!("{PARTS}/part-{:04}.json", self.number)
    }

    pub(super) fn lock(self) -> String {
        format!("{PARTS}/part-{:04}.lock", self.number)
    }
}

/// The tasks of every part.
///
/// # Errors
///
/// Returns [`Failure::Request`] if there are fewer tasks than parts.
pub(super) fn tasks_of_all(work: &[u64], of: usize) -> Result<Vec<Vec<usize>>, Failure> {
    if of > work.len() {
        return Err(Failure::Request(format!(
            "this run trains {} and cannot be divided into {of} parts\n  hint: give at most {} parts; each model is \
             trained whole by one process",
            counted(work.len(), "model"),
            work.len()
        )));
    }
    let mut tasks = vec![Vec::new(); of];
    for (task, part) in share_out(work, of).into_iter().enumerate() {
        tasks[part].push(task);
    }
    Ok(tasks)
}

/// The part, counted from 0, that each task belongs to: the largest tasks first, each to the part that has least work so
/// far, so that parts are as nearly alike as tasks allow. The same on every machine.
fn share_out(work: &[u64], parts: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..work.len()).collect();
    order.sort_by_key(|&task| (std::cmp::Reverse(work[task]), task));
    let mut loads = vec![(0_u64, 0_usize); parts];
    let mut part_of = vec![0; work.len()];
    for task in order {
        let lightest = (0..parts).min_by_key(|&part| (loads[part], part));
        let lightest = lightest.unwrap_or(0);
        part_of[task] = lightest;
        loads[lightest].0 = loads[lightest].0.saturating_add(work[task]);
        loads[lightest].1 += 1;
    }
    part_of
}

/// What a part says of itself, for [`status`](super::status) and for whoever puts the run together.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PartRecord {
    pub(super) part: Part,
    /// The program and its version, the backend and the device that computed it.
    pub(super) version: String,
    pub(super) backend: String,
    pub(super) device: String,
    /// The machine.
    pub(super) host: String,
    /// Compute threads on a CPU backend.
    pub(super) jobs: usize,
    pub(super) status: Status,
    /// RFC 3339, UTC, of its latest start and of this record.
    pub(super) started: String,
    pub(super) updated: String,
    pub(super) seconds: Seconds,
    /// Its models, and how many of them are trained to their end or could not go on.
    pub(super) models: usize,
    pub(super) through: usize,
    pub(super) ended: Vec<Ended>,
    /// Multiply–accumulate operations: all, done, and of these, done before the latest start.
    pub(super) work: u64,
    pub(super) worked: u64,
    pub(super) worked_before: u64,
}

/// What became of a part.
#[derive(Debug)]
pub struct PartEnd {
    /// The part.
    pub part: Part,
    /// The folder of the run.
    pub path: PathBuf,
    /// Whether it came to its end or was stopped.
    pub ending: Ending,
    /// The models that could not go on.
    pub ended: Vec<Ended>,
    /// How many models the part has.
    pub models: usize,
    /// Whether it had been finished before.
    pub was_done: bool,
    /// The other parts that are not finished.
    pub missing: Vec<Part>,
}

/// Trains a part of the run of the config that was read from `path` into the folder `out`, which is made if it is not there;
/// with `go_on`, a part that was begun before goes on where it was left.
///
/// # Errors
///
/// Returns [`Failure`] if the folder is of another run or divided in another way, if the part was begun before or is at
/// work, or as [`start`](super::start).
pub fn train_part(
    path: &Path,
    config: Config,
    out: &Path,
    part: Part,
    go_on: bool,
    options: &Options,
) -> Result<PartEnd, Failure> {
    let prepared = prepare(&config, Some(part), options.jobs)?;
    let config = Config {
        name: name(path, &config.name),
        ..config
    };
    let joined = join(out, config, part, go_on, &prepared, options)?;
    let (dir, config) = (joined.dir, joined.config);
    let identity = identity(&config, &prepared.data);
    let numbers: Vec<usize> = prepared.tasks.iter().map(|task| task.number).collect();
    let found = checkpoint::find(
        dir.path(),
        |task| numbers.contains(&task),
        |saved| differs(&config, &identity, saved),
    )
    .map_err(Failure::work)?;
    for warning in &found.warnings {
        let warning = printable(warning);
        tell(&format!("warning: {warning}; going on from the one before"));
    }
    let earlier = read_record(&dir, part);
    if !go_on && (earlier.is_some() || !found.is_empty()) {
        return Err(Failure::Request(format!(
            "part {part} of {} was begun before\n  hint: `--continue` goes on with it",
            dir.path().display()
        )));
    }
    let seconds = earlier.as_ref().map(|earlier| earlier.seconds);
    let record = PartRecord {
        seconds: seconds.unwrap_or_default(),
        ..new_record(part, &prepared, options)
    };
    if missing_tasks(&prepared.tasks, &found).is_empty() {
        return already_done(&dir, part, earlier, record, &prepared, &found);
    }
    prepared.warn();
    let end = train_and_write(&dir, &config, record, &prepared, found, options)?;
    drop(joined.lock);
    Ok(end)
}

/// A run folder that a part has its place in.
struct Joined {
    dir: RunDir,
    /// Of the part.
    lock: Lock,
    /// Of the run.
    config: Config,
}

/// The run folder, begun if nobody has begun it yet, with its config. Those who come at the same moment wait for each other.
fn join(
    out: &Path,
    config: Config,
    part: Part,
    go_on: bool,
    prepared: &Prepared,
    options: &Options,
) -> Result<Joined, Failure> {
    let dir = RunDir::shared(out).map_err(Failure::work)?;
    let since = Instant::now();
    // Held until the part has its own lock, so that nobody puts the run together in between.
    let of_folder = loop {
        match dir.lock() {
            Ok(lock) => break lock,
            Err(RunDirError::InUse { .. }) if since.elapsed() < WAIT_TO_JOIN => {
                std::thread::sleep(Duration::from_millis(100));
            }
            Err(error @ RunDirError::InUse { .. }) => return Err(Failure::request(error)),
            Err(error) => return Err(Failure::work(error)),
        }
    };
    let config = if dir.has(run_dir::MANIFEST) {
        of_this_run(&dir, &config, part, go_on, prepared)?
    } else {
        if !dir.is_new() {
            return Err(Failure::request(RunDirError::Exists { path: out.into() }));
        }
        let mut manifest = first_manifest(&config, prepared, options);
        manifest.parts = Some(part.of);
        dir.write_json(run_dir::MANIFEST, &manifest)
            .and_then(|()| dir.write(run_dir::CONFIG, config.to_toml().as_bytes()))
            .map_err(Failure::work)?;
        config
    };
    dir.make_folder(PARTS).map_err(Failure::work)?;
    let lock = lock_part(&dir, part)?;
    drop(of_folder);
    Ok(Joined { dir, lock, config })
}

/// The config of the run in a folder, if the part is one of it.
fn of_this_run(
    dir: &RunDir,
    config: &Config,
    part: Part,
    go_on: bool,
    prepared: &Prepared,
) -> Result<Config, Failure> {
    let shown = dir.path().display();
    let manifest = dir.manifest().map_err(Failure::work)?;
    let refused = |reason: String| Err(Failure::Request(format!("{shown} {reason}")));
    match manifest.parts {
        Some(parts) if parts == part.of => (),
        Some(parts) => {
            return refused(format!(
                "is divided into {}, and {part} is one of {}\n  hint: give a part of {parts}, or another `--out`",
                counted(parts, "part"),
                part.of
            ));
        }
        None => {
            return refused(
                "holds a run that is not divided into parts\n  hint: give another `--out`"
                    .to_owned(),
            );
        }
    }
    if manifest.put_together && manifest.status == Status::Complete && !go_on {
        return refused(
            "is finished: its parts were put together\n  hint: nothing is left to do; give another `--out` for a new run"
                .to_owned(),
        );
    }
    if manifest.put_together && manifest.status != Status::Complete {
        return refused(format!(
            "is no longer divided: one process has taken it over\n  hint: go on with `{} resume {}`",
            program(),
            in_shell(dir.path())
        ));
    }
    let version = own_version();
    if manifest.version != version {
        return refused(format!(
            "was begun by {}, and this is {version}\n  hint: all parts of a run are computed by one version",
            manifest.version
        ));
    }
    // Whoever began the run may have been killed in between; states say of which config they are.
    if !dir.has(run_dir::CONFIG) {
        let text = checkpoint::config(dir.path(), |_| true).unwrap_or_else(|| config.to_toml());
        dir.write(run_dir::CONFIG, text.as_bytes())
            .map_err(Failure::work)?;
    }
    let earlier = written_config(dir, &manifest, &[])?;
    // Where the data lie and what is reported may differ between machines; how long is trained may not.
    if let Some(difference) = config
        .is_another(&earlier)
        .filter(|_| !manifest.put_together)
    {
        return refused(format!(
            "holds parts of another plan: {difference}\n  hint: give the config that the other parts were given, or another `--out`"
        ));
    }
    same_data(dir, &manifest, &identity(&earlier, &prepared.data))?;
    Ok(earlier)
}

fn lock_part(dir: &RunDir, part: Part) -> Result<Lock, Failure> {
    match dir.try_lock(&part.lock()) {
        Ok(Some(lock)) => Ok(lock),
        Ok(None) => Err(Failure::Request(format!(
            "part {part} of {} is at work{}\n  hint: wait until it has ended, or stop it first",
            dir.path().display(),
            on_host(dir, part)
        ))),
        Err(error) => Err(Failure::work(error)),
    }
}

/// ` on node17`
fn on_host(dir: &RunDir, part: Part) -> String {
    read_record(dir, part).map_or_else(String::new, |record| format!(" on {}", record.host))
}

/// What a part says of itself, if it has begun. It is for whoever looks on: states tell what was trained, so that a record
/// that is damaged or lies in another's place is as good as none.
pub(super) fn read_record(dir: &RunDir, part: Part) -> Option<PartRecord> {
    let record: PartRecord = dir.read_json(&part.record()).ok()?;
    let texts = [&record.version, &record.device, &record.host];
    let is_tricky = texts.iter().any(|text| text.chars().any(char::is_control));
    let makes_sense = record.seconds.make_sense() && record.part == part;
    (makes_sense && !is_tricky).then_some(record)
}

fn new_record(part: Part, prepared: &Prepared, options: &Options) -> PartRecord {
    PartRecord {
        part,
        version: own_version(),
        backend: prepared.backend.name.to_string(),
        device: prepared.backend.description.clone(),
        host: machine::name(),
        jobs: options.jobs,
        status: Status::Running,
        started: machine::time(),
        updated: machine::time(),
        seconds: Seconds::default(),
        models: models(&prepared.tasks),
        through: 0,
        ended: Vec::new(),
        work: prepared.extent.multiply_accumulates,
        worked: 0,
        worked_before: 0,
    }
}

fn models(tasks: &[Outline]) -> usize {
    tasks.iter().map(|task| task.members.len()).sum()
}

/// The tasks that are not trained to their end.
fn missing_tasks<'a>(tasks: &'a [Outline], found: &Found) -> Vec<&'a Outline> {
    let is_missing = |task: &&Outline| {
        let state = found.state(task.number);
        !state.is_some_and(|state| experiment::is_through(state, task.members.len()))
    };
    tasks.iter().filter(is_missing).collect()
}

/// The models among `tasks` that could not go on, as their states have it.
fn ended_in(tasks: &[Outline], found: &Found) -> Vec<Ended> {
    let states = tasks.iter().filter_map(|task| found.state(task.number));
    states.flat_map(experiment::ended).collect()
}

fn already_done(
    dir: &RunDir,
    part: Part,
    earlier: Option<PartRecord>,
    record: PartRecord,
    prepared: &Prepared,
    found: &Found,
) -> Result<PartEnd, Failure> {
    let ended = ended_in(&prepared.tasks, found);
    let models = record.models;
    // It says already who computed it, unless that was killed before it could.
    if earlier.is_none_or(|earlier| earlier.status != Status::Complete) {
        let record = PartRecord {
            status: Status::Complete,
            through: models,
            ended: ended.clone(),
            worked: record.work,
            worked_before: record.work,
            ..record
        };
        dir.write_json(&part.record(), &record)
            .map_err(Failure::work)?;
    }
    Ok(PartEnd {
        part,
        path: dir.path().to_owned(),
        ending: Ending::Complete,
        ended,
        models,
        was_done: true,
        missing: unfinished(dir, part.of),
    })
}

/// Trains what is left of a part.
fn train_and_write(
    dir: &RunDir,
    config: &Config,
    mut record: PartRecord,
    prepared: &Prepared,
    found: Found,
    options: &Options,
) -> Result<PartEnd, Failure> {
    let (plan, part) = (&config.plan, record.part);
    let (data, backend, tasks) = (&prepared.data, &prepared.backend, &prepared.tasks);
    record.seconds.loading += prepared.loading;
    record.through = record.models
        - missing_tasks(tasks, &found)
            .iter()
            .map(|of| of.members.len())
            .sum::<usize>();
    record.ended = ended_in(tasks, &found);
    dir.write_json(&part.record(), &record)
        .map_err(Failure::work)?;
    tell(&format!(
        "part {part} of {}: {} of {}",
        dir.path().display(),
        counted(record.models, "model"),
        experiment::members(plan).len()
    ));
    let extent = Extent {
        title: format!("part {part} of {}", config.name),
        experiment: plan.experiment,
        members: tasks.iter().flat_map(|task| task.members.clone()).collect(),
        epochs: prepared.extent.epochs,
        epochs_of_all: prepared.extent.epochs_of_all,
        images: data.train.images.count(),
        work: prepared.extent.multiply_accumulates,
    };
    let identity = identity(config, data);
    let (jobs, stop) = (options.jobs, &options.stop);
    let checkpoints =
        Checkpoints::new(dir.path(), identity, found, jobs, stop).map_err(Failure::work)?;
    let training = Instant::now();
    let keeper = PartKeeper {
        dir,
        watcher: Watcher::start(options.style, &extent, stop),
        kept: Mutex::new((record, None)),
    };
    let only: Vec<usize> = tasks.iter().map(|task| task.number).collect();
    let outcome = experiment::run(
        plan,
        &Setting {
            examples: &Examples::new(data, &backend.device),
            data,
            backend,
            lanes: jobs,
            order_seed: plan.run.order_seed,
            observer: &keeper,
            probe_images: PROBE_IMAGES,
            stop,
            shelf: &checkpoints,
            only: Some(&only),
            measure: &|trained| {
                keeper.through(trained.members.len());
                evidence::measure(plan, trained)
            },
        },
    );
    let mut record = keeper.finish();
    record.seconds.training += training.elapsed().as_secs_f64();
    let saved = checkpoints.finish().map_err(Failure::work);
    let ended = saved.and_then(|seconds| {
        record.seconds.checkpoints += seconds.as_secs_f64();
        outcome.map_err(Failure::work)
    });
    record.updated = machine::time();
    record.status = match &ended {
        Ok(outcome) => match &outcome.ending {
            Ending::Complete => Status::Complete,
            Ending::Stopped { after } => Status::Stopped {
                reason: format!("by request, after {after}"),
            },
        },
        Err(Failure::Work(reason) | Failure::Request(reason)) => Status::Failed {
            reason: reason.clone(),
        },
    };
    if let Ok(outcome) = &ended {
        record.ended.clone_from(&outcome.ended);
        if outcome.ending == Ending::Complete {
            record.through = record.models;
            record.worked = record.work;
        }
    }
    let written = dir.write_json(&part.record(), &record);
    let outcome = ended?;
    written.map_err(Failure::work)?;
    Ok(PartEnd {
        part,
        path: dir.path().to_owned(),
        ending: outcome.ending,
        ended: outcome.ended,
        models: record.models,
        was_done: false,
        missing: unfinished(dir, part.of),
    })
}

/// The parts that do not say of themselves that they are finished.
fn unfinished(dir: &RunDir, of: usize) -> Vec<Part> {
    let parts = (1..=of).map(|number| Part { number, of });
    let is_done = |part: &Part| {
        let record = read_record(dir, *part);
        record.is_some_and(|record| record.status == Status::Complete)
    };
    parts.filter(|part| !is_done(part)).collect()
}

/// Keeps the record of a part, and passes on what happens to whoever watches.
struct PartKeeper<'a> {
    dir: &'a RunDir,
    watcher: Watcher,
    kept: Mutex<(PartRecord, Option<Instant>)>,
}

impl PartKeeper<'_> {
    fn finish(self) -> PartRecord {
        self.watcher.finish();
        let kept = self.kept.into_inner();
        kept.unwrap_or_else(std::sync::PoisonError::into_inner).0
    }

    fn through(&self, members: usize) {
        locked(&self.kept).0.through += members;
    }

    /// That it cannot be written is told when a state cannot: it is for whoever looks on, and nothing depends on it.
    fn write(&self) {
        let mut kept = locked(&self.kept);
        if kept.1.is_none_or(|at| at.elapsed() > RECORDS_EVERY) {
            kept.0.updated = machine::time();
            let _ = self.dir.write_json(&kept.0.part.record(), &kept.0);
            kept.1 = Some(Instant::now());
        }
    }
}

impl Observer for PartKeeper<'_> {
    fn tell(&self, event: Event<'_>) {
        self.watcher.tell(event);
        if let Event::Record(_) = event {
            return self.write();
        }
        let record = &mut locked(&self.kept).0;
        match event {
            Event::Worked(work) => record.worked += work,
            Event::WorkedBefore(work) => {
                record.worked += work;
                record.worked_before += work;
            }
            Event::Ended(ended) => {
                record.ended.push(ended.clone());
                record.through += 1;
            }
            Event::Record(_) | Event::Recall(_) => (),
        }
    }

    fn readings(&self) -> usize {
        self.watcher.readings()
    }
}

/// The right to put the parts of a run together: none is at work, each is of this run.
pub(super) fn lock_all(dir: &RunDir, of: usize) -> Result<Vec<Lock>, Failure> {
    dir.make_folder(PARTS).map_err(Failure::work)?;
    let mut locks = Vec::new();
    let mut at_work = Vec::new();
    for number in 1..=of {
        let part = Part { number, of };
        match dir.try_lock(&part.lock()).map_err(Failure::work)? {
            Some(lock) => locks.push(lock),
            None => at_work.push(format!("{part}{}", on_host(dir, part))),
        }
    }
    if at_work.is_empty() {
        return Ok(locks);
    }
    let path = dir.path().display();
    Err(Failure::Request(format!(
        "{path} has parts at work: {}\n  hint: wait until all have ended; `layerwise status {}` tells how far they are",
        listed(at_work, TOLD),
        in_shell(dir.path())
    )))
}

/// What is not there of the parts of a run, part by part; `None` if it can be put together.
pub(super) fn incomplete(
    dir: &RunDir,
    of: usize,
    prepared: &Prepared,
    found: &Found,
) -> Option<String> {
    let part_of = share_out(&prepared.work_of_all, of);
    let mut told = Vec::new();
    for number in 1..=of {
        let part = Part { number, of };
        let tasks = prepared.tasks.iter();
        let tasks = tasks.filter(|task| part_of[task.number] + 1 == number);
        let tasks: Vec<Outline> = tasks.cloned().collect();
        let missing = missing_tasks(&tasks, found);
        let left: usize = missing.iter().map(|of| of.members.len()).sum();
        if left == 0 {
            continue;
        }
        let left = format!(
            "{left} of {} left to train",
            counted(models(&tasks), "model")
        );
        let is_begun = tasks.iter().any(|task| found.state(task.number).is_some());
        told.push(match read_record(dir, part).map(|record| record.status) {
            Some(Status::Failed { reason }) => {
                let reason = reason.lines().next().map(printable).unwrap_or_default();
                format!("part {part} failed, with {left}: {reason}")
            }
            None if !is_begun => format!("part {part} was not begun"),
            _ => format!("part {part} has {left}"),
        });
    }
    if told.is_empty() {
        return None;
    }
    let more = told.len().saturating_sub(TOLD);
    told.truncate(TOLD);
    if more > 0 {
        told.push(format!("and {more} more"));
    }
    Some(told.join("\n  "))
}

/// Seconds of all parts together.
pub(super) fn seconds(dir: &RunDir, of: usize) -> Seconds {
    let mut sum = Seconds::default();
    for number in 1..=of {
        if let Some(record) = read_record(dir, Part { number, of }) {
            sum.loading += record.seconds.loading;
            sum.training += record.seconds.training;
            sum.checkpoints += record.seconds.checkpoints;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_part_is_written_as_its_number_and_how_many_there_are() {
        assert_eq!("3/16".parse(), Ok(Part { number: 3, of: 16 }));
        assert_eq!(Part { number: 3, of: 16 }.to_string(), "3/16");
        for (wrong, told) in [
            ("0/4", "counted from 1 to 4"),
            ("5/4", "there is no part 5"),
            ("3", "3/16"),
            ("1/0", "3/16"),
            ("-1/4", "3/16"),
            ("1/4/2", "3/16"),
        ] {
            let error = wrong.parse::<Part>().expect_err("it is none");
            assert!(error.contains(told), "{wrong}: {error}");
        }
    }

    #[test]
    fn the_largest_tasks_go_first_each_to_the_lightest_part() {
        // 8 | 7 1 | 5 3
        assert_eq!(share_out(&[1, 3, 5, 7, 8], 3), [1, 2, 2, 1, 0]);
        assert_eq!(share_out(&[4, 4, 4], 3), [0, 1, 2]);
        // Without any work, each part has its share of tasks.
        assert_eq!(share_out(&[0, 0, 0, 0], 2), [0, 1, 0, 1]);
    }

    proptest! {
        #[test]
        fn every_task_has_one_part_and_none_is_far_above_another(
            work in prop::collection::vec(1_u64..1000, 1..60), parts in 1_usize..12
        ) {
            let parts = parts.min(work.len());
            let all: Vec<Vec<usize>> = (1..=parts)
                .map(|number| Part { number, of: parts }.of_tasks(&work).expect("enough tasks"))
                .collect();
            let mut tasks = all.concat();
            tasks.sort_unstable();
            prop_assert_eq!(tasks, (0..work.len()).collect::<Vec<_>>());
            let loads: Vec<u64> = all.iter().map(|part| part.iter().map(|&task| work[task]).sum()).collect();
            let largest = work.iter().max().expect("one at least");
            let (least, most) = (loads.iter().min().expect("one"), loads.iter().max().expect("one"));
            prop_assert!(most - least <= *largest);
            prop_assert!(all.iter().all(|part| !part.is_empty()));
        }
    }
}
