//! Checkpoints of a run: each task's state in a file of its own, so that a run goes on where it was left.
//!
//! A file is two lines of text, what it is and the SHA-256 of the rest, and the rest is a safetensors file whose
//! metadata hold the facts. Files get their names by renaming, when they are whole and on disk, and the last two of
//! every task are kept: where the newest is damaged, the one before it serves. A state says which config, which data
//! and which task it belongs to, and no other run or task takes it.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::experiment::{Shelf, TaskName};
use crate::run_dir::{CHECKPOINTS, sha256, write_whole};
use crate::train::lanes::locked;
use crate::train::{State, Stop};

/// The first line of every file; the number is raised when an older reader would misread a newer file.
const FIRST_LINE: &str = "layerwise checkpoint 3\n";
const ANY_VERSION: &str = "layerwise checkpoint ";
const KEPT: usize = 2;
/// The share of a run's time that may go into checkpoints which are not the last ones.
const BUDGET: f64 = 0.01;

/// What a state belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The resolved config, as TOML.
    pub config: String,
    /// The SHA-256 of each data file, by its name.
    pub data: BTreeMap<String, String>,
}

/// Why checkpoints cannot be written or used.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// A file or folder cannot be read, written or used.
    #[error("cannot {action} {path:?}: {source}\n  hint: {hint}")]
    Io {
        /// What was tried: `read`, `write` or `use`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
        /// What to do about it.
        hint: &'static str,
    },
    /// A task has checkpoints, and none of them can be read.
    #[error(
        "no checkpoint of task {task} can be read: {reasons}\n  hint: delete {folder:?} and resume: the run then starts anew"
    )]
    AllDamaged {
        /// Number of the task, counted from 0.
        task: usize,
        /// What is wrong with each of its files.
        reasons: String,
        /// The folder of the checkpoints.
        folder: PathBuf,
    },
    /// A checkpoint is of another config or other data.
    #[error(
        "checkpoint {path:?} belongs to another run: {difference}\n  hint: put config and data back as they were, or start a new run"
    )]
    Other {
        /// The file.
        path: PathBuf,
        /// What differs between the two runs.
        difference: String,
    },
    /// A checkpoint has the name of one task and the state of another.
    #[error(
        "checkpoint {path:?} is called that of task {called}, but holds the state of task {number}: {}\n  hint: give the \
         files in {folder:?} their names back, or delete those of both tasks and resume: these tasks then start anew",
        task.members.join("; "), number = task.number
    )]
    OtherTask {
        /// The file.
        path: PathBuf,
        /// Number of the task in its name, counted from 0.
        called: usize,
        /// The task whose state it holds.
        task: TaskName,
        /// The folder of the checkpoints.
        folder: PathBuf,
    },
}

/// Why one file cannot be used.
#[derive(Debug, Error)]
enum Damage {
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("it is no checkpoint")]
    NotOne,
    #[error("it is of another version of the format than this program's 3")]
    OtherVersion,
    #[error("it is cut short or changed: its hash is wrong")]
    Hash,
    #[error("its content makes no sense: {0}")]
    Content(String),
}

/// The checkpoints of one run.
pub struct Checkpoints<'a> {
    folder: PathBuf,
    identity: Identity,
    stop: &'a Stop,
    /// What was found at the start, until it is asked for.
    found: Mutex<HashMap<usize, State>>,
    kept: Mutex<Kept>,
    started: Instant,
    lanes: usize,
}

#[derive(Default)]
struct Kept {
    /// The number of the newest file of each task, and of the one before.
    newest: HashMap<usize, Vec<u64>>,
    spent: Duration,
    error: Option<CheckpointError>,
}

/// What lies in a run folder.
#[derive(Default)]
pub struct Found {
    states: HashMap<usize, State>,
    newest: HashMap<usize, Vec<u64>>,
    /// Damaged files that others stand in for.
    pub warnings: Vec<String>,
}

impl Found {
    /// The state of a task, if there is one.
    #[must_use]
    pub fn state(&self, task: usize) -> Option<&State> {
        self.states.get(&task)
    }

    /// Whether there is any state to go on from.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }
}

/// Reads the newest sound checkpoint of every task in `run` that is `wanted`. `differs` says what keeps a state of one identity from
/// being used, or gives `None`.
///
/// # Errors
///
/// Returns [`CheckpointError`] if all files of a task are damaged, or one belongs to another run.
pub fn find(
    run: &Path,
    wanted: impl Fn(usize) -> bool,
    differs: impl Fn(&Identity) -> Option<String>,
) -> Result<Found, CheckpointError> {
    let folder = run.join(CHECKPOINTS);
    refuse_link(&folder)?;
    let mut found = Found::default();
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        Err(source) => return Err(cannot_read(&folder, source)),
    };
    let mut files: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
    for entry in entries {
        let entry = entry.map_err(|source| cannot_read(&folder, source))?;
        let name = entry.file_name();
        let parts = name.to_str().and_then(parts_of_name);
        if let Some((task, number)) = parts.filter(|(task, _)| wanted(*task)) {
            files.entry(task).or_default().push(number);
        }
    }
    for (task, mut numbers) in files {
        numbers.sort_unstable();
        let mut damages = Vec::new();
        while let Some(&number) = numbers.last() {
            let path = folder.join(name_of(task, number));
            match read(&path) {
                Ok((identity, name, state)) => {
                    if let Some(difference) = differs(&identity) {
                        return Err(CheckpointError::Other { path, difference });
                    }
                    if name.number != task {
                        return Err(CheckpointError::OtherTask {
                            path,
                            called: task,
                            task: name,
                            folder,
                        });
                    }
                    found.states.insert(task, state);
                    break;
                }
                Err(damage) => {
                    damages.push(format!("{}: {damage}", path.display()));
                    // The next state takes its name, so that no sound one has to go for it.
                    numbers.pop();
                }
            }
        }
        if !found.states.contains_key(&task) {
            let reasons = damages.join("; ");
            return Err(CheckpointError::AllDamaged {
                task,
                reasons,
                folder,
            });
        }
        found.warnings.extend(damages);
        found.newest.insert(task, numbers);
    }
    Ok(found)
}

/// The config of a run whose own copy of it is lost: that of any sound checkpoint for which `is_it` holds.
#[must_use]
pub fn config(run: &Path, is_it: impl Fn(&str) -> bool) -> Option<String> {
    let entries = fs::read_dir(run.join(CHECKPOINTS)).ok()?;
    entries.flatten().find_map(|entry| {
        parts_of_name(entry.file_name().to_str()?)?;
        let (identity, ..) = read(&entry.path()).ok()?;
        is_it(&identity.config).then_some(identity.config)
    })
}

impl<'a> Checkpoints<'a> {
    /// Checkpoints in the run folder `run`, which a run with this `identity` goes on from and adds to.
    ///
    /// A state that cannot be written asks `stop` for an end; the error is there at the end.
    ///
    /// # Errors
    ///
    /// Returns [`CheckpointError::Io`] if the folder cannot be made.
    pub fn new(
        run: &Path,
        identity: Identity,
        found: Found,
        lanes: usize,
        stop: &'a Stop,
    ) -> Result<Self, CheckpointError> {
        let folder = run.join(CHECKPOINTS);
        refuse_link(&folder)?;
        fs::create_dir_all(&folder).map_err(|source| cannot_write(&folder, source))?;
        Ok(Self {
            folder,
            identity,
            stop,
            found: Mutex::new(found.states),
            kept: Mutex::new(Kept {
                newest: found.newest,
                ..Kept::default()
            }),
            started: Instant::now(),
            lanes,
        })
    }

    /// Wall-clock time that went into checkpoints, over all threads.
    ///
    /// # Errors
    ///
    /// Returns the first error that kept a state from being written.
    pub fn finish(self) -> Result<Duration, CheckpointError> {
        let kept = self
            .kept
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        match kept.error {
            Some(error) => Err(error),
            None => Ok(kept.spent),
        }
    }

    fn has_time(&self) -> bool {
        let passed = self.started.elapsed().as_secs_f64() * self.lanes as f64;
        locked(&self.kept).spent.as_secs_f64() <= BUDGET * passed
    }

    fn write(&self, name: &TaskName, state: &State) -> Result<(), CheckpointError> {
        let task = name.number;
        let newest = locked(&self.kept).newest.get(&task).cloned();
        let mut numbers = newest.unwrap_or_default();
        let number = numbers.last().map_or(1, |last| last + 1);
        let path = self.folder.join(name_of(task, number));
        to_bytes(&self.identity, name, state)
            .and_then(|bytes| write_whole(&path, &bytes))
            .map_err(|source| cannot_write(&path, source))?;
        numbers.push(number);
        while numbers.len() > KEPT {
            // An old file that stays does no harm.
            let _ = fs::remove_file(self.folder.join(name_of(task, numbers.remove(0))));
        }
        locked(&self.kept).newest.insert(task, numbers);
        Ok(())
    }
}

impl Shelf for Checkpoints<'_> {
    fn take(&self, task: usize) -> Option<State> {
        locked(&self.found).remove(&task)
    }

    fn offer(&self, task: &TaskName, turn: ControlFlow<()>, state: &dyn Fn() -> State) {
        if turn.is_continue() && !self.has_time() {
            return;
        }
        let start = Instant::now();
        let written = self.write(task, &state());
        let mut kept = locked(&self.kept);
        kept.spent += start.elapsed();
        if let Err(error) = written {
            kept.error.get_or_insert(error);
            self.stop.request();
        }
    }
}

/// A link would lead out of the run folder.
fn refuse_link(folder: &Path) -> Result<(), CheckpointError> {
    if folder.is_symlink() {
        let source = io::Error::other("it is a link");
        return Err(CheckpointError::Io {
            action: "use",
            path: folder.into(),
            source,
            hint: "replace it by a folder",
        });
    }
    Ok(())
}

fn name_of(task: usize, number: u64) -> String {
    format!("task-{task:04}.{number:06}")
}

fn parts_of_name(name: &str) -> Option<(usize, u64)> {
    let (task, number) = name.strip_prefix("task-")?.split_once('.')?;
    let (task, number): (u16, u32) = (task.parse().ok()?, number.parse().ok()?);
    let parts = (usize::from(task), u64::from(number));
    (name_of(parts.0, parts.1) == name).then_some(parts)
}

fn to_bytes(identity: &Identity, task: &TaskName, state: &State) -> Result<Vec<u8>, io::Error> {
    let raw: Vec<(&String, usize, Vec<u8>)> = state
        .numbers
        .iter()
        .map(|(name, values)| {
            let bytes = values.iter().flat_map(|value| value.to_le_bytes());
            (name, values.len(), bytes.collect())
        })
        .collect();
    let views = raw
        .iter()
        .map(|(name, length, bytes)| {
            TensorView::new(Dtype::F32, vec![*length], bytes).map(|view| (*name, view))
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(io::Error::other)?;
    let metadata = HashMap::from([
        ("identity".to_owned(), serde_json::to_string(identity)?),
        ("task".to_owned(), serde_json::to_string(task)?),
        ("facts".to_owned(), serde_json::to_string(&state.facts)?),
    ]);
    let content = safetensors::serialize(views, Some(metadata)).map_err(io::Error::other)?;
    Ok(framed(&content))
}

/// The bytes of a file with this content: what it is, its hash, itself.
#[must_use]
pub fn framed(content: &[u8]) -> Vec<u8> {
    let head = format!("{FIRST_LINE}{}\n", sha256(content));
    [head.as_bytes(), content].concat()
}

fn read(path: &Path) -> Result<(Identity, TaskName, State), Damage> {
    from_bytes(&fs::read(path)?)
}

fn from_bytes(bytes: &[u8]) -> Result<(Identity, TaskName, State), Damage> {
    let Some(rest) = bytes.strip_prefix(FIRST_LINE.as_bytes()) else {
        return Err(if bytes.starts_with(ANY_VERSION.as_bytes()) {
            Damage::OtherVersion
        } else {
            Damage::NotOne
        });
    };
    let line = rest.iter().position(|&byte| byte == b'\n');
    let (told, content) = rest.split_at(line.ok_or(Damage::Hash)?);
    let content = &content[1..];
    if told != sha256(content).as_bytes() {
        return Err(Damage::Hash);
    }
    let nonsense = |error: &dyn std::fmt::Display| Damage::Content(error.to_string());
    let (_, header) = SafeTensors::read_metadata(content).map_err(|error| nonsense(&error))?;
    let metadata = header.metadata().clone().unwrap_or_default();
    let text = |name: &str| {
        let text = metadata.get(name).map(String::as_str);
        text.ok_or_else(|| Damage::Content(format!("it has no {name}")))
    };
    let identity = serde_json::from_str(text("identity")?).map_err(|error| nonsense(&error))?;
    let task = serde_json::from_str(text("task")?).map_err(|error| nonsense(&error))?;
    let facts = serde_json::from_str(text("facts")?).map_err(|error| nonsense(&error))?;
    let tensors = SafeTensors::deserialize(content).map_err(|error| nonsense(&error))?;
    let numbers = tensors.iter().map(|(name, view)| {
        let values = view.data().chunks_exact(4);
        let values = values.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        (name.to_owned(), values.collect())
    });
    let state = State {
        numbers: numbers.collect(),
        facts,
    };
    Ok((identity, task, state))
}

fn cannot_write(path: &Path, source: io::Error) -> CheckpointError {
    CheckpointError::Io {
        action: "write",
        path: path.into(),
        source,
        hint: "make room on the disk or make the folder writable, then resume the run",
    }
}

fn cannot_read(path: &Path, source: io::Error) -> CheckpointError {
    CheckpointError::Io {
        action: "read",
        path: path.into(),
        source,
        hint: "make the folder readable, or start a new run",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LAST: ControlFlow<()> = ControlFlow::Break(());

    fn identity() -> Identity {
        Identity {
            config: "[training]\nepochs = 3\n".to_owned(),
            data: BTreeMap::from([("train".to_owned(), "ab12".to_owned())]),
        }
    }

    fn state(epochs: usize) -> State {
        let mut state = State::default();
        state.put("epochs", &epochs);
        state.put_numbers("weight", vec![1.5, -0.0, f32::MIN_POSITIVE / 2.0]);
        state.put_numbers("nothing", Vec::new());
        state
    }

    fn task(number: usize) -> TaskName {
        TaskName {
            number,
            members: vec![format!("D, seed {number}")],
        }
    }

    fn checkpoints<'a>(run: &Path, found: Found, stop: &'a Stop) -> Checkpoints<'a> {
        Checkpoints::new(run, identity(), found, 1, stop).expect("room")
    }

    fn files(run: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(run.join(CHECKPOINTS))
            .expect("a folder")
            .map(|entry| entry.expect("readable").file_name())
            .map(|name| name.into_string().expect("a plain name"))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_state_comes_back_bit_by_bit() {
        let bytes = to_bytes(&identity(), &task(5), &state(3)).expect("room");
        let (read_identity, read_task, read_state) = from_bytes(&bytes).expect("our own bytes");
        assert_eq!((read_identity, read_task), (identity(), task(5)));
        assert_eq!(read_state, state(3));
        let bits = |state: &State| {
            state.numbers["weight"]
                .iter()
                .map(|w| w.to_bits())
                .collect()
        };
        let (before, after): (Vec<u32>, Vec<u32>) = (bits(&state(3)), bits(&read_state));
        assert_eq!(before, after);
    }

    #[test]
    fn the_last_two_are_kept_and_numbers_go_on_in_the_next_run() {
        let run = tempfile::tempdir().expect("a temporary folder");
        let stop = Stop::default();
        let first = checkpoints(run.path(), Found::default(), &stop);
        for epochs in 1..=4 {
            first.offer(&task(7), LAST, &|| state(epochs));
        }
        assert_eq!(files(run.path()), ["task-0007.000003", "task-0007.000004"]);
        let found = find(run.path(), |_| true, |_| None).expect("sound files");
        let second = checkpoints(run.path(), found, &stop);
        assert_eq!(second.take(7), Some(state(4)));
        assert_eq!(second.take(7), None, "once");
        assert_eq!(second.take(0), None, "another task");
        second.offer(&task(7), LAST, &|| state(5));
        assert_eq!(files(run.path()), ["task-0007.000004", "task-0007.000005"]);
    }

    #[test]
    fn a_damaged_newest_file_gives_way_to_the_one_before() {
        let run = tempfile::tempdir().expect("a temporary folder");
        let stop = Stop::default();
        let shelf = checkpoints(run.path(), Found::default(), &stop);
        shelf.offer(&task(0), LAST, &|| state(1));
        shelf.offer(&task(0), LAST, &|| state(2));
        let newest = run.path().join(CHECKPOINTS).join("task-0000.000002");
        let whole = fs::read(&newest).expect("it was written");
        // Cut short at every place, and changed at every place.
        for place in 0..whole.len() {
            let mut changed = whole.clone();
            changed[place] ^= 1;
            for damaged in [&whole[..place], &changed] {
                fs::write(&newest, damaged).expect("room");
                let mut found = find(run.path(), |_| true, |_| None).expect("the one before");
                assert_eq!(found.warnings.len(), 1, "{place}");
                assert!(found.warnings[0].contains("task-0000.000002"));
                assert_eq!(found.states.remove(&0), Some(state(1)), "{place}");
            }
        }
        fs::write(run.path().join(CHECKPOINTS).join("task-0000.000001"), b"").expect("room");
        let error = find(run.path(), |_| true, |_| None)
            .err()
            .expect("both are damaged");
        let text = error.to_string();
        assert!(
            text.starts_with("no checkpoint of task 0 can be read: "),
            "{text}"
        );
        assert!(
            text.contains("it is no checkpoint") && text.contains("hint: "),
            "{text}"
        );
    }

    #[test]
    fn a_damaged_file_makes_no_sound_one_go() {
        let run = tempfile::tempdir().expect("a temporary folder");
        let stop = Stop::default();
        let first = checkpoints(run.path(), Found::default(), &stop);
        first.offer(&task(0), LAST, &|| state(1));
        first.offer(&task(0), LAST, &|| state(2));
        let newest = run.path().join(CHECKPOINTS).join("task-0000.000002");
        fs::write(&newest, b"damaged").expect("room");
        // Names that this program does not give are none of its files.
        for name in [
            "task-0000.18446744073709551615",
            "task-0.000003",
            "task-0000.3",
        ] {
            fs::write(run.path().join(CHECKPOINTS).join(name), b"").expect("room");
        }
        let found = find(run.path(), |_| true, |_| None).expect("the one before");
        checkpoints(run.path(), found, &stop).offer(&task(0), LAST, &|| state(3));
        let mut found = find(run.path(), |_| true, |_| None).expect("sound files");
        assert!(found.warnings.is_empty() && newest.exists());
        assert_eq!(found.states.remove(&0), Some(state(3)));
        assert!(
            run.path()
                .join(CHECKPOINTS)
                .join("task-0000.000001")
                .exists()
        );
    }

    #[test]
    fn another_run_s_state_and_another_version_s_are_refused() {
        let run = tempfile::tempdir().expect("a temporary folder");
        let stop = Stop::default();
        checkpoints(run.path(), Found::default(), &stop).offer(&task(0), LAST, &|| state(1));
        let differs = |found: &Identity| {
            assert_eq!(*found, identity());
            Some("training.epochs was 3 and is 2".to_owned())
        };
        let text = find(run.path(), |_| true, differs)
            .err()
            .expect("refused")
            .to_string();
        assert!(
            text.contains("belongs to another run: training.epochs was 3 and is 2"),
            "{text}"
        );

        let file = run.path().join(CHECKPOINTS).join("task-0000.000001");
        let bytes = fs::read(&file).expect("it was written");
        let newer = [b"layerwise checkpoint 4\n", &bytes[FIRST_LINE.len()..]].concat();
        fs::write(&file, newer).expect("room");
        let text = find(run.path(), |_| true, |_| None)
            .err()
            .expect("refused")
            .to_string();
        assert!(text.contains("another version of the format"), "{text}");
    }

    #[test]
    fn a_state_under_another_task_s_name_is_refused_by_name() {
        let run = tempfile::tempdir().expect("a temporary folder");
        let stop = Stop::default();
        let shelf = checkpoints(run.path(), Found::default(), &stop);
        for number in 0..2 {
            shelf.offer(&task(number), LAST, &|| state(number));
        }
        let file = |number| {
            let folder = run.path().join(CHECKPOINTS);
            folder.join(format!("task-000{number}.000001"))
        };
        let [one, other] = [0, 1].map(|number| fs::read(file(number)).expect("it was written"));
        fs::write(file(0), other).expect("room");
        fs::write(file(1), one).expect("room");
        let text = find(run.path(), |_| true, |_| None)
            .err()
            .expect("refused")
            .to_string();
        assert!(
            text.contains(
                "task-0000.000001\" is called that of task 0, but holds the state of task 1: D, seed 1\n  hint: "
            ),
            "{text}"
        );
    }

    #[test]
    fn a_lost_config_is_in_every_sound_checkpoint() {
        let run = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(config(run.path(), |_| true), None);
        let stop = Stop::default();
        let shelf = checkpoints(run.path(), Found::default(), &stop);
        shelf.offer(&task(0), LAST, &|| state(1));
        let folder = run.path().join(CHECKPOINTS);
        fs::write(folder.join("task-0000.000002"), b"damaged").expect("room");
        assert_eq!(config(run.path(), |_| true), Some(identity().config));
        assert_eq!(config(run.path(), |_| false), None);
    }

    #[test]
    fn epochs_wait_for_their_share_of_time_and_last_states_do_not() {
        let run = tempfile::tempdir().expect("a temporary folder");
        let stop = Stop::default();
        let shelf = checkpoints(run.path(), Found::default(), &stop);
        locked(&shelf.kept).spent = Duration::from_hours(1);
        shelf.offer(&task(0), ControlFlow::Continue(()), &|| {
            panic!("nobody asks for it")
        });
        assert!(files(run.path()).is_empty());
        shelf.offer(&task(0), LAST, &|| state(1));
        assert_eq!(files(run.path()).len(), 1);
    }

    #[test]
    fn a_state_that_cannot_be_written_asks_for_an_end_and_is_told_at_the_end() {
        let run = tempfile::tempdir().expect("a temporary folder");
        let stop = Stop::default();
        let shelf = checkpoints(run.path(), Found::default(), &stop);
        fs::remove_dir(run.path().join(CHECKPOINTS)).expect("it was made");
        shelf.offer(&task(0), LAST, &|| state(1));
        assert!(stop.requested());
        let text = shelf.finish().expect_err("it could not").to_string();
        assert!(text.starts_with("cannot write "), "{text}");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_no_checkpoint(mut bytes in prop::collection::vec(any::<u8>(), 0..400), headed: bool) {
            if headed {
                bytes = framed(&bytes);
            }
            prop_assert!(from_bytes(&bytes).is_err());
        }
    }
}
