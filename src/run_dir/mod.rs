//! A run folder: its file names, and how files get into it and out of it.
//!
//! Files are written whole or not at all: to a temporary name in the same folder, synced, then renamed. A
//! folder is never written over: a new run needs a name that is not taken.

mod records;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

pub use records::Records;

use crate::data::{FileRecord, Frame};
use crate::results::{Member, MemberSeconds};
use crate::spec::ExperimentName;
use crate::train::lanes::locked;
use crate::weights::hexadecimal;
use crate::words::harmless;

pub(crate) const CONFIG: &str = "config.toml";
pub(crate) const MANIFEST: &str = "manifest.json";
pub(crate) const METRICS_JSONL: &str = "metrics.jsonl";
pub(crate) const METRICS_CSV: &str = "metrics.csv";
pub(crate) const STAGES_JSONL: &str = "stages.jsonl";
pub(crate) const STAGES_CSV: &str = "stages.csv";
pub(crate) const LAYERS_JSONL: &str = "layers.jsonl";
pub(crate) const LAYERS_CSV: &str = "layers.csv";
pub(crate) const RESULTS: &str = "results.json";
pub(crate) const WEIGHTS: &str = "weights.safetensors";
/// What was measured to transform rows with; there are none where rows stay as they are.
pub(crate) const TRANSFORMS: &str = "transforms.safetensors";
pub(crate) const EXAMPLES: &str = "examples.safetensors";
pub(crate) const DETAILS: &str = "unit-details.json";
pub(crate) const UNITS: &str = "units.png";
pub(crate) const ACCURACY_SVG: &str = "figure3.svg";
pub(crate) const LAYERS_SVG: &str = "layers.svg";
pub(crate) const PICTURES_PRETRAINED: &str = "units-pretrained.png";
pub(crate) const CURVES_SVG: &str = "curves.svg";
pub(crate) const PAGE: &str = "index.html";
pub(crate) const PLAY: &str = "play.html";
/// The folder of what an unfinished run goes on from.
pub const CHECKPOINTS: &str = "checkpoints";
/// The folder of what each part of a divided run says of itself.
pub(crate) const PARTS: &str = "parts";
const LOCK: &str = ".lock";

/// Where runs go that were not told where to go.
const RUNS: &str = "runs";

/// The version of the files' layout; raised when an older reader would misread a newer folder.
pub const FORMAT: u32 = 5;

/// The circumstances of a run: everything about it that is not a result. Times live here and nowhere else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The layout of the folder's files: [`FORMAT`] of the program that wrote them.
    pub format: u32,
    /// The program and its version: `layerwise 0.1.0`.
    pub version: String,
    /// The config's name.
    pub name: String,
    /// The experiment that ran.
    pub experiment: ExperimentName,
    /// How far the run got.
    pub status: Status,
    /// The name of the backend.
    pub backend: String,
    /// The device, for a reader: an adapter's name, or the processor.
    pub device: String,
    /// Compute threads on a CPU backend.
    pub jobs: usize,
    /// The seeds of the members.
    pub seeds: Vec<u64>,
    /// Seed of the order of batches, which all members share.
    pub order_seed: u64,
    /// The models of the run, in the order of their conditions and seeds.
    pub members: Vec<Member>,
    /// The data set.
    pub data: DataRecord,
    /// SHA-256 of all parameters before anything was drawn, and after.
    pub parameters_before_drawing: Option<String>,
    /// SHA-256 of all parameters after everything was drawn.
    pub parameters_after_drawing: Option<String>,
    /// RFC 3339, UTC.
    pub started: String,
    /// How long its parts took.
    pub seconds: Seconds,
    /// What each member's training took, where the experiment compares it.
    pub member_seconds: Vec<MemberSeconds>,
    /// The keys that the command line changed: what the config promises was promised without that.
    pub overridden: Vec<String>,
    /// What was odd about the plan on its data when the run began, each with a cure.
    pub warnings: Vec<String>,
    /// How many parts it is divided into, where each is computed by a process of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<usize>,
    /// Whether one process has taken these over, to put them together: it is then no longer divided.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub put_together: bool,
    /// The SHA-256 of every file that the run wrote, this one and checkpoints aside; empty until it has come to its end.
    pub files: BTreeMap<String, String>,
}

/// What every manifest has told of itself, whatever its format.
#[derive(Deserialize)]
struct Preface {
    format: u32,
    version: Option<String>,
}

/// How far a run got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not ended, or killed before it could say so.
    Running,
    /// Came to its end.
    Complete,
    /// Ended early on request; what was computed is there.
    Stopped {
        /// Why it ended.
        reason: String,
    },
    /// Ended by an error, or because no member could go on.
    Failed {
        /// What went wrong.
        reason: String,
    },
}

/// The data set of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataRecord {
    /// The folder as the config has it.
    pub dir: String,
    /// The folder as it was found: absolute, so that a run goes on from wherever it is resumed.
    pub found_at: String,
    /// The data set's name where its hashes are known.
    pub name: Option<String>,
    /// Number of training images.
    pub train_images: usize,
    /// Number of test images.
    pub test_images: usize,
    /// Number of training images of other classes, where pretraining learns from these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pretraining_images: Option<usize>,
    /// What an image is, as a model sees it.
    pub frame: Frame,
    /// What an image is before the transforms, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_frame: Option<Frame>,
    /// The mean of the pixels on the borders of the training images, of images of bytes: what tells white on black from
    /// black on white.
    #[serde(default)]
    pub border: Option<u8>,
    /// Number of classes; 0 of data without labels.
    pub classes: usize,
    /// What they are called, where they are folders of pictures or were chosen; empty elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub class_names: Vec<String>,
    /// The files it was read from.
    pub files: Vec<FileRecord>,
}

/// Wall-clock seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Seconds {
    /// Reading the data.
    pub loading: f64,
    /// Training, checkpoints included; summed over resumed runs.
    pub training: f64,
    /// Of the training, what went into checkpoints, over all threads.
    pub checkpoints: f64,
    /// Drawing the figures and the page.
    pub drawing: f64,
}

impl Seconds {
    /// Whether a run can take so long.
    #[must_use]
    pub fn make_sense(&self) -> bool {
        let times = [self.loading, self.training, self.checkpoints, self.drawing];
        times.iter().all(|seconds| (0.0..1e12).contains(seconds))
    }
}

/// More numbers than a row of any data has, and more classes than a label, a byte, can tell.
const MOST_INPUTS: usize = 1 << 31;
const MOST_CLASSES: usize = 256;

/// What can go wrong with a run folder.
#[derive(Debug, Error)]
pub enum RunDirError {
    /// The folder to be made is there already, and not empty.
    #[error(
        "run folder {path:?} exists already\n  hint: runs are never written over; give another name to `--out`, or move this one away"
    )]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// The folder is not one that holds a run.
    #[error(
        "{path:?} is not a run folder: {reason}\n  hint: give a folder that layerwise wrote, such as runs/figure56-001"
    )]
    NotARun {
        /// The folder.
        path: PathBuf,
        /// Why it is none.
        reason: String,
    },
    /// Another process writes into the folder.
    #[error(
        "run folder {path:?} is in use by another layerwise\n  hint: wait until it has ended, or stop it first"
    )]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The operating system refused something.
    #[error("cannot {action} {path:?}: {source}\n  hint: {hint}")]
    Io {
        /// What was tried, as a verb: `write`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
        /// What to do about it.
        hint: &'static str,
    },
    /// The folder was written in another format.
    #[error(
        "{path:?} has format {found}, but this program reads format {FORMAT}\n  hint: use the version that wrote it, {version}"
    )]
    OtherFormat {
        /// The folder.
        path: PathBuf,
        /// The format in its manifest.
        found: u32,
        /// The program that wrote it, with its version.
        version: String,
    },
    /// A file does not hold what it should.
    #[error(
        "{path:?} is damaged: {reason}\n  hint: run the experiment again, or restore the file from a copy"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file is missing, or is not the one that the run wrote.
    #[error("{path:?} {found}\n  hint: put the file back, or let `layerwise resume` make it again")]
    NotOfThisRun {
        /// The file.
        path: PathBuf,
        /// What was found instead, as the rest of a sentence about the file.
        found: &'static str,
    },
}

/// The right to write into a run folder.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held, not used")] fs::File);

/// A folder that holds one run.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    /// The SHA-256 of every file that was written through this value.
    written: Mutex<BTreeMap<String, String>>,
}

/// The files that a run's figures and page are drawn from.
const READ_BACK: [&str; 8] = [
    RESULTS,
    WEIGHTS,
    TRANSFORMS,
    EXAMPLES,
    DETAILS,
    METRICS_JSONL,
    STAGES_JSONL,
    LAYERS_JSONL,
];

const NOT_WHAT_WAS_WRITTEN: &str =
    "is not what this run wrote: its SHA-256 is not the one in manifest.json";

impl RunDir {
    fn at(path: &Path) -> Self {
        Self {
            path: path.into(),
            written: Mutex::default(),
        }
    }

    /// Makes the folder `out`, or takes it if it is there and empty, or makes the next free `runs/NAME-001`.
    ///
    /// # Errors
    ///
    /// Returns [`RunDirError`] if `out` holds anything or the folder cannot be made.
    pub fn create(out: Option<&Path>, name: &str) -> Result<Self, RunDirError> {
        if let Some(path) = out {
            if let Some(parent) = path.parent() {
                make_all(parent)?;
            }
            return match fs::create_dir(path) {
                Ok(()) => Ok(Self::at(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    // What was killed before it wrote anything has left nothing to lose.
                    if holds_nothing(path) {
                        Ok(Self::at(path))
                    } else {
                        Err(RunDirError::Exists { path: path.into() })
                    }
                }
                Err(source) => Err(cannot_make(path, source)),
            };
        }
        make_all(Path::new(RUNS))?;
        let name = harmless(name);
        let mut number = 1;
        loop {
            let path = Path::new(RUNS).join(format!("{name}-{number:03}"));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self::at(&path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(source) => return Err(cannot_make(&path, source)),
            }
        }
    }

    /// The folder `path`, made if it is not there, for several processes that write into it.
    ///
    /// # Errors
    ///
    /// Returns [`RunDirError::Io`] if it cannot be made.
    pub fn shared(path: &Path) -> Result<Self, RunDirError> {
        make_all(path)?;
        Ok(Self::at(path))
    }

    /// Whether nothing was written into it yet, but for what a process wrote that was killed while it began the run.
    #[must_use]
    pub fn is_new(&self) -> bool {
        holds_nothing(&self.path)
    }

    /// Makes a folder in it, if it is not there.
    ///
    /// # Errors
    ///
    /// Returns [`RunDirError::Io`] if it cannot be made.
    pub fn make_folder(&self, name: &str) -> Result<(), RunDirError> {
        make_all(&self.path.join(name))
    }

    /// An existing run folder, in which nothing is changed.
    ///
    /// # Errors
    ///
    /// Returns [`RunDirError::NotARun`] if there is no manifest in it.
    pub fn open(path: &Path) -> Result<Self, RunDirError> {
        let reason = if !path.exists() {
            "it does not exist".to_owned()
        } else if !path.is_dir() {
            "it is not a folder".to_owned()
        } else if !path.join(MANIFEST).is_file() {
            format!("it has no {MANIFEST}")
        } else {
            return Ok(Self::at(path));
        };
        Err(RunDirError::NotARun {
            path: path.into(),
            reason,
        })
    }

    /// Keeps other processes from writing into this folder for as long as the lock lives; a process that ends, in
    /// whatever way, leaves no lock behind.
    ///
    /// # Errors
    ///
    /// Returns [`RunDirError::InUse`] if another process holds it, or [`RunDirError::Io`].
    pub fn lock(&self) -> Result<Lock, RunDirError> {
        self.try_lock(LOCK)?.ok_or_else(|| RunDirError::InUse {
            path: self.path.clone(),
        })
    }

    /// The lock that the file of this name stands for, or `None` if another process holds it.
    ///
    /// # Errors
    ///
    /// Returns [`RunDirError`] if the file cannot be made, or is a link.
    pub fn try_lock(&self, name: &str) -> Result<Option<Lock>, RunDirError> {
        let path = self.path.join(name);
        let hint = "make the folder writable";
        let cannot_lock = |source| RunDirError::Io {
            action: "lock",
            path: path.clone(),
            source,
            hint,
        };
        if path.is_symlink() {
            return Err(RunDirError::NotARun {
                path: self.path.clone(),
                reason: format!("its {name} is a link"),
            });
        }
        let file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(cannot_lock)?;
        // Whoever only asks whether it is held holds it for a moment.
        for wait in [0, 20, 80] {
            std::thread::sleep(Duration::from_millis(wait));
            match file.try_lock() {
                Ok(()) => return Ok(Some(Lock(file))),
                Err(fs::TryLockError::WouldBlock) => (),
                Err(fs::TryLockError::Error(source)) => return Err(cannot_lock(source)),
            }
        }
        Ok(None)
    }

    /// Whether a process holds the lock that the file of this name stands for, or that of the whole folder.
    ///
    /// # Errors
    ///
    /// Returns [`RunDirError::Io`] if nobody can say.
    pub fn is_locked(&self, name: Option<&str>) -> Result<bool, RunDirError> {
        let path = self.path.join(name.unwrap_or(LOCK));
        let cannot_ask = |source| RunDirError::Io {
            action: "look at",
            path: path.clone(),
            source,
            hint: "make the folder readable",
        };
        match fs::File::open(&path) {
            Ok(file) => match file.try_lock_shared() {
                Ok(()) => Ok(false),
                Err(fs::TryLockError::WouldBlock) => Ok(true),
                Err(fs::TryLockError::Error(source)) => Err(cannot_ask(source)),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(cannot_ask(source)),
        }
    }

    /// The path of the folder, as it was given or made.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file whole or not at all.
    ///
    /// # Errors
    ///
    /// Returns [`RunDirError::Io`]; the file is then as it was before.
    pub fn write(&self, file: &str, bytes: &[u8]) -> Result<(), RunDirError> {
        let path = self.path.join(file);
        write_whole(&path, bytes).map_err(|source| RunDirError::Io {
            action: "write",
            path,
            source,
            hint: "make room on the disk or make the folder writable, then go on with `layerwise resume`",
        })?;
        locked(&self.written).insert(file.to_owned(), sha256(bytes));
        Ok(())
    }

    /// The SHA-256 of every file that was written through this value, the manifest aside.
    #[must_use]
    pub fn written(&self) -> BTreeMap<String, String> {
        let mut written = locked(&self.written).clone();
        written.remove(MANIFEST);
        written
    }

    /// The files of a run that came to its end that are no longer there, or are read back and are not what was written.
    #[must_use]
    pub fn lost(&self, manifest: &Manifest) -> Vec<String> {
        let names = manifest.files.keys();
        names
            .filter(|file| !self.has(file) || self.is_of_this_run(manifest, file).is_err())
            .cloned()
            .collect()
    }

    /// Holds every file that figures and page are drawn from against the manifest.
    ///
    /// # Errors
    ///
    /// Returns [`RunDirError::NotOfThisRun`] for the first that is missing or was changed since the run ended.
    pub fn verify(&self, manifest: &Manifest) -> Result<(), RunDirError> {
        let mut names = manifest.files.keys();
        names.try_for_each(|file| self.is_of_this_run(manifest, file))
    }

    /// The bytes of a file, held against the manifest.
    ///
    /// # Errors
    ///
    /// Returns [`RunDirError::Io`], or [`RunDirError::NotOfThisRun`] if it was changed since the run ended.
    pub fn read_verified(&self, manifest: &Manifest, file: &str) -> Result<Vec<u8>, RunDirError> {
        let bytes = self.read(file)?;
        match manifest.files.get(file) {
            Some(expected) if sha256(&bytes) != *expected => Err(RunDirError::NotOfThisRun {
                path: self.path.join(file),
                found: NOT_WHAT_WAS_WRITTEN,
            }),
            _ => Ok(bytes),
        }
    }

    fn is_of_this_run(&self, manifest: &Manifest, file: &str) -> Result<(), RunDirError> {
        let Some(expected) = manifest
            .files
            .get(file)
            .filter(|_| READ_BACK.contains(&file))
        else {
            return Ok(());
        };
        let found = if !self.has(file) {
            "is missing, but this run wrote it"
        } else if sha256(&self.read(file)?) != *expected {
            NOT_WHAT_WAS_WRITTEN
        } else {
            return Ok(());
        };
        Err(RunDirError::NotOfThisRun {
            path: self.path.join(file),
            found,
        })
    }

    /// Takes a file away, if it is there.
    ///
    /// # Errors
    ///
    /// Returns [`RunDirError::Io`] if it is there and stays.
    pub fn remove(&self, file: &str) -> Result<(), RunDirError> {
        let path = self.path.join(file);
        locked(&self.written).remove(file);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(RunDirError::Io {
                action: "remove",
                path,
                source,
                hint: "make the folder writable",
            }),
            _ => Ok(()),
        }
    }

    /// Writes a value as readable JSON.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn write_json(&self, file: &str, value: &impl Serialize) -> Result<(), RunDirError> {
        let mut text = serde_json::to_string_pretty(value)
            .map_err(|error| self.damaged(file, &error.to_string()))?;
        text.push('\n');
        self.write(file, text.as_bytes())
    }

    /// The bytes of a file.
    ///
    /// # Errors
    ///
    /// Returns [`RunDirError::Io`].
    pub fn read(&self, file: &str) -> Result<Vec<u8>, RunDirError> {
        let path = self.path.join(file);
        fs::read(&path).map_err(|source| RunDirError::Io {
            action: "read",
            path,
            source,
            hint: "the run did not come to its end: go on with `layerwise resume`, or run the experiment again",
        })
    }

    /// Whether this file is in the folder.
    #[must_use]
    pub fn has(&self, file: &str) -> bool {
        self.path.join(file).is_file()
    }

    /// A value from a JSON file.
    ///
    /// # Errors
    ///
    /// Returns [`RunDirError::Io`], or [`RunDirError::Damaged`] if the text is not such a value.
    pub fn read_json<T: for<'a> Deserialize<'a>>(&self, file: &str) -> Result<T, RunDirError> {
        serde_json::from_slice(&self.read(file)?)
            .map_err(|error| self.damaged(file, &error.to_string()))
    }

    /// The manifest, if this program can read it.
    ///
    /// # Errors
    ///
    /// Returns [`RunDirError`] if it is missing or damaged, of another format, or holds text that would play tricks on
    /// a terminal.
    pub fn manifest(&self) -> Result<Manifest, RunDirError> {
        // The format first: of another one, nothing else is known to be there.
        let Preface { format, version } = self.read_json(MANIFEST)?;
        if format != FORMAT {
            return Err(RunDirError::OtherFormat {
                path: self.path.clone(),
                found: format,
                version: version.unwrap_or_else(|| "whichever that is".to_owned()),
            });
        }
        let manifest: Manifest = self.read_json(MANIFEST)?;
        let names = manifest.members.iter().map(|member| &member.label);
        let is_tricky = names
            .chain([&manifest.name, &manifest.version])
            .chain(&manifest.data.class_names)
            .chain(manifest.files.keys())
            .any(|text| text.chars().any(char::is_control));
        let members = manifest.members.len();
        if manifest
            .parts
            .is_some_and(|parts| !(1..=members).contains(&parts))
        {
            return Err(self.damaged(MANIFEST, "it has no such number of parts"));
        }
        if is_tricky {
            return Err(self.damaged(MANIFEST, "a name in it holds control characters"));
        }
        let data = &manifest.data;
        let mut frames = [Some(data.frame), data.raw_frame].into_iter().flatten();
        if !frames.all(|frame| {
            frame
                .inputs()
                .is_some_and(|of| (1..=MOST_INPUTS).contains(&of))
        }) {
            return Err(self.damaged(MANIFEST, "its data have no rows of such a size"));
        }
        if data.classes > MOST_CLASSES {
            return Err(self.damaged(MANIFEST, "its data have more classes than labels can tell"));
        }
        if !manifest.seconds.make_sense() {
            return Err(self.damaged(MANIFEST, "nothing takes such a time"));
        }
        Ok(manifest)
    }

    /// The error for a file whose content makes no sense.
    #[must_use]
    pub fn damaged(&self, file: &str, reason: &str) -> RunDirError {
        RunDirError::Damaged {
            path: self.path.join(file),
            reason: reason.to_owned(),
        }
    }
}

/// In lower-case hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// Writes a file whole or not at all: into a draft beside it, which gets its name when it is on disk. Whatever
/// stands in the draft's place, from a process that was killed or from somebody who laid a link, goes first, and no
/// link is followed.
///
/// # Errors
///
/// Returns an error if it cannot be written; the file is then as it was before.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_whole_by(path, |file| file.write_all(bytes))
}

/// [`write_whole`] for what is not in memory at once: `write` fills the draft.
///
/// # Errors
///
/// As [`write_whole`], or if `write` fails.
pub fn write_whole_by(
    path: &Path,
    write: impl FnOnce(&mut fs::File) -> io::Result<()>,
) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = path.with_file_name(format!(".{name}.draft"));
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => (),
    }
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&draft)
        .and_then(|mut file| {
            write(&mut file)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        // The draft is of no use to anybody; that it may also refuse to go is not news.
        let _ = fs::remove_file(&draft);
    }
    written
}

/// Whether a folder holds nothing but a lock, and drafts of processes that were killed.
fn holds_nothing(path: &Path) -> bool {
    let is_nothing = |name: &str| {
        let draft = name
            .strip_prefix('.')
            .map(|name| name.strip_suffix(".draft"));
        name == LOCK || draft.flatten().is_some()
    };
    fs::read_dir(path).is_ok_and(|mut entries| {
        entries.all(|entry| {
            entry.is_ok_and(|entry| entry.file_name().to_str().is_some_and(is_nothing))
        })
    })
}

fn make_all(path: &Path) -> Result<(), RunDirError> {
    fs::create_dir_all(path).map_err(|source| cannot_make(path, source))
}

fn cannot_make(path: &Path, source: io::Error) -> RunDirError {
    RunDirError::Io {
        action: "make folder",
        path: path.into(),
        source,
        hint: "give a folder that can be made with `--out`",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_never_taken_twice() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let out = parent.path().join("deep/run");
        let run = RunDir::create(Some(&out), "x").expect("a new folder");
        run.write(METRICS_CSV, b"a").expect("room");
        let error = RunDir::create(Some(&out), "x").expect_err("taken");
        assert!(matches!(error, RunDirError::Exists { .. }));
        assert_eq!(run.read(METRICS_CSV).expect("still there"), b"a");
    }

    #[test]
    fn a_folder_has_one_writer_at_a_time() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let run = RunDir::create(Some(&parent.path().join("run")), "x").expect("a new folder");
        let lock = run.lock().expect("nobody has it");
        let error = run.lock().expect_err("it is taken").to_string();
        assert!(error.contains("is in use by another layerwise"), "{error}");
        drop(lock);
        run.lock().expect("it is free again");
    }

    #[test]
    fn writing_replaces_the_whole_file_and_leaves_no_draft() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let run = RunDir::create(Some(&parent.path().join("run")), "x").expect("a new folder");
        run.write(METRICS_CSV, b"long old text").expect("room");
        run.write(METRICS_CSV, b"new").expect("room");
        assert_eq!(run.read(METRICS_CSV).expect("there"), b"new");
        assert_eq!(fs::read_dir(run.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn a_config_s_name_cannot_lead_out_of_the_folder() {
        assert_eq!(harmless("../x y\u{1b}[2J"), "..-x-y--2J");
        assert_eq!(harmless("figure56-quick"), "figure56-quick");
    }

    #[test]
    fn what_is_not_a_run_folder_is_said() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let reason = |path: &Path| RunDir::open(path).expect_err("no run").to_string();
        assert!(reason(parent.path()).contains("it has no manifest.json"));
        assert!(reason(&parent.path().join("none")).contains("it does not exist"));
    }
}
