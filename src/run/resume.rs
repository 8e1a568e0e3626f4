//! On from where an unfinished run was left.

use std::collections::BTreeMap;
use std::path::Path;

use super::checkpoint::{self, Identity};
use super::prepare::read_data;
use super::{Failure, Finished, Job, Options, identity, parts, prepare, train_and_write};
use crate::config::{self, Config, Overrides};
use crate::data::Dataset;
use crate::run_dir::{self, Lock, Manifest, RunDir, RunDirError, Status};
use crate::ui::print::tell;
use crate::words::{in_shell, printable, program};
use crate::{evidence, experiment};

/// What became of a run that was to go on.
#[derive(Debug)]
pub enum Resumed {
    /// It went on.
    WentOn(Finished),
    /// It was finished, and lacked nothing, or nothing that could not be drawn again.
    WasFinished {
        /// Whether something was missing and was drawn again.
        drawn_again: bool,
    },
}

/// Goes on with the run in the folder `path`; `set` may raise epochs, as in `training.epochs=30`.
///
/// # Errors
///
/// Returns [`Failure`] if there is no such run, if it is another's, or as [`start`](super::start).
pub fn resume(path: &Path, set: &[String], options: &Options) -> Result<Resumed, Failure> {
    let (dir, lock, manifest) = open(path)?;
    restore_config(&dir, &manifest)?;
    let earlier = written_config(&dir, &manifest, &[])?;
    let config = written_config(&dir, &manifest, set)?;
    finish(dir, lock, manifest, &earlier, config, false, options)
}

/// Whether there is a run in the folder `path`, or the beginning of one.
#[must_use]
pub fn is_begun(path: &Path) -> bool {
    RunDir::open(path).is_ok()
}

/// Goes on with the run in the folder `path` if it is one of this config.
///
/// # Errors
///
/// As [`resume`].
pub fn go_on(path: &Path, config: Config, options: &Options) -> Result<Resumed, Failure> {
    let (dir, lock, manifest) = open(path)?;
    restore_config(&dir, &manifest)?;
    let earlier = written_config(&dir, &manifest, &[])?;
    let config = Config {
        name: manifest.name.clone(),
        ..config
    };
    finish(dir, lock, manifest, &earlier, config, true, options)
}

/// Goes on with a run that was begun with the config `earlier`, by `config`. What is not there of a run in parts is only
/// trained where that is asked for: somebody else may be about to.
fn finish(
    dir: RunDir,
    lock: Lock,
    manifest: Manifest,
    earlier: &Config,
    config: Config,
    train_missing_parts: bool,
    options: &Options,
) -> Result<Resumed, Failure> {
    let path = dir.path().display();
    if let Some(difference) = config.cannot_continue(earlier) {
        return Err(Failure::Request(format!(
            "{path} cannot continue with another plan: {difference}\n  hint: only training.epochs can be raised, where the learning rate is constant; start a new run for the rest"
        )));
    }
    // Origins differ, for an override is no line of the file: what counts is the plan.
    let config = if config.plan == earlier.plan {
        earlier.clone()
    } else {
        config
    };
    if manifest.status == Status::Complete && config == *earlier {
        let lost = dir.lost(&manifest);
        if lost.is_empty() {
            return Ok(Resumed::WasFinished { drawn_again: false });
        }
        tell(&format!(
            "{path} is finished, but these files are missing or changed: {}\nmaking them again",
            printable(&lost.join(", "))
        ));
        // What is drawn needs nothing but the folder; the rest is in the checkpoints.
        if evidence::everything(&dir).is_ok() && dir.lost(&manifest).is_empty() {
            return Ok(Resumed::WasFinished { drawn_again: true });
        }
    }
    let mut locks = vec![lock];
    let divided = manifest.parts.filter(|_| !manifest.put_together);
    if let Some(parts) = divided {
        locks.extend(parts::lock_all(&dir, parts)?);
    }
    let prepared = prepare(&config, None, options.jobs)?;
    let identity = identity(&config, &prepared.data);
    same_data(&dir, &manifest, &identity)?;
    let found = checkpoint::find(
        dir.path(),
        |_| true,
        |saved| differs(&config, &identity, saved),
    )
    .map_err(Failure::work)?;
    let mut seconds = manifest.seconds;
    if let Some(parts) = divided {
        let missing = parts::incomplete(&dir, parts, &prepared, &found);
        if let Some(missing) = missing.filter(|_| !train_missing_parts) {
            let out = in_shell(dir.path());
            return Err(Failure::Request(format!(
                "{path} lacks parts:\n  {missing}\n  hint: start these with `{} CONFIG --out {out} --part N/{parts} --continue`; or train all that is left in one process, without `--part`",
                program()
            )));
        }
        seconds = parts::seconds(&dir, parts);
    }
    prepared.warn();
    for warning in &found.warnings {
        tell(&format!(
            "warning: {}; going on from the checkpoint before it",
            printable(warning)
        ));
    }
    if found.is_empty() {
        tell("there is no checkpoint yet: starting from the beginning");
    }
    let job = Job {
        manifest: Manifest {
            status: Status::Running,
            members: experiment::members(&config.plan),
            data: prepared.data_record(&config),
            warnings: prepared.warnings.clone(),
            seconds,
            // From now on it is a run like any other.
            put_together: manifest.parts.is_some(),
            ..manifest
        },
        dir,
        locks,
        config,
        prepared,
        found,
    };
    train_and_write(job, options).map(Resumed::WentOn)
}

/// Draws the run in the folder `path` again, and gives what could not be drawn.
///
/// # Errors
///
/// Returns [`Failure`] if there is no such run, or its files are damaged or of another run.
pub fn draw_again(path: &Path) -> Result<Vec<String>, Failure> {
    let (dir, _lock, _) = open(path)?;
    evidence::everything(&dir).map_err(Failure::work)
}

/// A run folder for this process alone, and what it says of itself. What holds no run that this program can read is
/// left as it is.
fn open(path: &Path) -> Result<(RunDir, Lock, Manifest), Failure> {
    let dir = RunDir::open(path).map_err(Failure::request)?;
    dir.manifest().map_err(Failure::work)?;
    let lock = dir.lock().map_err(|error| match error {
        RunDirError::InUse { .. } => Failure::request(error),
        other => Failure::work(other),
    })?;
    // Again, for whoever had the lock may have changed it.
    let manifest = dir.manifest().map_err(Failure::work)?;
    Ok((dir, lock, manifest))
}

/// Puts a config that is no longer there back, from the checkpoints, which all hold it.
fn restore_config(dir: &RunDir, manifest: &Manifest) -> Result<(), Failure> {
    if dir.has(run_dir::CONFIG) {
        return Ok(());
    }
    let recorded = manifest.files.get(run_dir::CONFIG);
    let is_it = |text: &str| recorded.is_none_or(|hash| *hash == run_dir::sha256(text.as_bytes()));
    match checkpoint::config(dir.path(), is_it) {
        Some(text) => dir
            .write(run_dir::CONFIG, text.as_bytes())
            .map_err(Failure::work),
        None => Err(Failure::Work(format!(
            "{} is missing, and no checkpoint holds it\n  hint: put the file back, or start a new run",
            dir.path().join(run_dir::CONFIG).display()
        ))),
    }
}

/// The config that a run wrote, with `set` over it.
pub(super) fn written_config(
    dir: &RunDir,
    manifest: &Manifest,
    set: &[String],
) -> Result<Config, Failure> {
    let overrides = Overrides {
        set: set.to_vec(),
        backend: None,
    };
    let config = config::load(&dir.path().join(run_dir::CONFIG), &overrides);
    Ok(Config {
        name: manifest.name.clone(),
        ..config.map_err(Failure::request)?
    })
}

/// The data that the run in the folder `dir` was trained on, read again.
///
/// # Errors
///
/// Returns [`Failure`] if they are not where they were, or are others now.
pub fn own_data(config: &Config, manifest: &Manifest, dir: &RunDir) -> Result<Dataset, Failure> {
    let (data, _) = read_data(config)?;
    same_data(dir, manifest, &identity(config, &data))?;
    Ok(data)
}

/// The data that the run began with.
pub(super) fn same_data(
    dir: &RunDir,
    manifest: &Manifest,
    identity: &Identity,
) -> Result<(), Failure> {
    let files = manifest.data.files.iter();
    let recorded: BTreeMap<String, String> = files
        .map(|file| (file.name.clone(), file.sha256.clone()))
        .collect();
    match data_differs(&recorded, &identity.data) {
        None => Ok(()),
        Some(difference) => Err(Failure::Request(format!(
            "{} was begun with other data: {difference}\n  hint: put the data back, or point data.dir in {} to them",
            dir.path().display(),
            dir.path().join(run_dir::CONFIG).display()
        ))),
    }
}

pub(super) fn differs(config: &Config, identity: &Identity, saved: &Identity) -> Option<String> {
    if saved == identity {
        return None;
    }
    let earlier = config::parse(
        &saved.config,
        Path::new("config.toml"),
        &Overrides::default(),
    );
    match earlier {
        Err(_) => Some("its config cannot be read by this version".to_owned()),
        Ok(earlier) => config
            .cannot_continue(&earlier)
            .or_else(|| data_differs(&saved.data, &identity.data)),
    }
}

fn data_differs(were: &BTreeMap<String, String>, are: &BTreeMap<String, String>) -> Option<String> {
    let different = were
        .iter()
        .find(|(name, hash)| are.get(*name) != Some(hash));
    let (name, hash) = different?;
    let now = are.get(name).map_or("missing", String::as_str);
    Some(format!("{name} had SHA-256 {hash}, now it is {now}"))
}
