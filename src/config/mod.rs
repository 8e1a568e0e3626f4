//! Configuration: from a TOML file and the command line's overrides to a checked [`Plan`].
//!
//! The way is `raw` (what the user wrote, key by key, with where each came from) → `read` (one key at a
//! time: its form, its range, its default) → `plan` (the experiment, in the words of [`crate::spec`]). Every
//! key that the experiment uses leaves a [`Setting`]; a key that it would not use is an error, for a knob
//! that does nothing is worse than none. This room knows no tensors and no hardware, and prints nothing.

mod error;
mod keys;
mod plan;
mod raw;
mod read;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::spec::{BackendName, Plan};

pub use error::{ConfigError, FileProblem, Problem, escaped};

use keys::Place;
pub(crate) use keys::nearest;
use raw::Document;
use read::Reader;

/// The largest file that is read as a config, in bytes.
const LARGEST_FILE: u64 = 1 << 20;

/// What the command line puts over the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--set key=value`, in the order given: a later one wins.
    pub set: Vec<String>,
    /// `--backend name`, which wins over `--set` and the file.
    pub backend: Option<BackendName>,
}

/// A config that holds: its plan, and each setting behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The file's name without its extension.
    pub name: String,
    /// The folder that the file lies in, which relative paths in it begin at.
    pub folder: PathBuf,
    pub plan: Plan,
    /// Every key that the experiment uses, once for each place that says something of its own.
    pub values: Vec<Setting>,
    /// The names of the conditions, in the order of the file.
    pub conditions: Vec<String>,
}

/// One key of the resolved config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// With its section, and what it is said for: `training.epochs`, `conditions.D.training.epochs`.
    pub key: String,
    /// The value as TOML.
    pub value: String,
    pub origin: Origin,
}

/// Where a value came from. `{}` is short enough for a table; `{:#}` is what an error begins with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A line of the config, counted from 1.
    File { file: Arc<Path>, line: usize },
    /// `--set` with this text.
    Set(String),
    /// A flag of its own.
    Flag(&'static str),
    /// Nobody chose it.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line } => {
                let short = file.file_name().filter(|_| !f.alternate());
                let path = short.map_or(&**file, Path::new);
                write!(f, "{}:{line}", escaped(&path.to_string_lossy()))
            }
            Self::Set(text) if f.alternate() => write!(f, "--set {}", error::shown(text)),
            Self::Set(_) => f.write_str("--set"),
            Self::Flag(flag) => f.write_str(flag),
            Self::Default => f.write_str("default"),
        }
    }
}

/// Reads the config at `path`, puts `overrides` over it and checks the whole.
///
/// # Errors
///
/// The first thing that is wrong with the file, with an override, or with what they say together.
pub fn load(path: &Path, overrides: &Overrides) -> Result<Config, ConfigError> {
    let fail = |problem| ConfigError::file(path, problem);
    let bytes = read_bounded(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => fail(FileProblem::Missing),
        io::ErrorKind::IsADirectory => fail(FileProblem::Folder),
        io::ErrorKind::FileTooLarge => fail(FileProblem::TooLarge),
        _ => fail(FileProblem::Unreadable(error)),
    })?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => parse(text, path, overrides),
        Err(error) => {
            let line = raw::line_at_end(&bytes[..error.valid_up_to()]);
            let file = path.into();
            Err(Problem::NotUtf8.at(&Origin::File { file, line }))
        }
    }
}

/// Checks the config in `text`; `file_label` names it in errors and gives the config its name.
///
/// # Errors
///
/// As [`load`].
pub fn parse(text: &str, file_label: &Path, overrides: &Overrides) -> Result<Config, ConfigError> {
    let mut document = Document::parse(text, file_label)?;
    for assignment in &overrides.set {
        document.set(assignment)?;
    }
    if let Some(backend) = overrides.backend {
        document.set_backend(backend);
    }
    if !document.contains("experiment") {
        return Err(ConfigError::file(file_label, FileProblem::NoExperiment));
    }
    let mut reader = Reader::new(document);
    let plan = plan::read(&mut reader)?;
    let conditions = reader.conditions().iter();
    let conditions = conditions.map(|condition| condition.name.clone()).collect();
    Ok(Config {
        name: file_label
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        folder: file_label.parent().unwrap_or(Path::new("")).to_owned(),
        plan,
        values: reader.finish()?,
        conditions,
    })
}

impl Config {
    /// What keeps this config from going on where a run of `earlier` was left, in words; `None` if nothing does.
    ///
    /// The data's folder may have moved, and trainings with a constant learning rate may be made longer: their first
    /// epochs are the same.
    #[must_use]
    pub fn cannot_continue(&self, earlier: &Self) -> Option<String> {
        if self.conditions != earlier.conditions {
            return Some("its conditions are not the same".to_owned());
        }
        let value = |config: &Self, key: &str| {
            let mut values = config.values.iter();
            let setting = values.find(|setting| setting.key == key);
            setting.map_or_else(|| "not set".to_owned(), |setting| setting.value.clone())
        };
        let keys = earlier.values.iter().chain(&self.values);
        keys.map(|setting| setting.key.as_str()).find_map(|key| {
            let (was, is) = (value(earlier, key), value(self, key));
            let name = Place::of(key).key();
            if was == is || name == "data.dir" {
                return None;
            }
            let changed = format!("`{key}` was {was} and is {is}");
            if name != "training.epochs" {
                return Some(changed);
            }
            if is.parse::<u64>().ok() < was.parse::<u64>().ok() {
                return Some(format!("{changed}, but it can only be raised"));
            }
            let schedule = "training.schedule";
            let mut schedules = self.values.iter();
            let falling = schedules.find(|setting| {
                Place::of(&setting.key).key() == schedule && setting.value != quoted("constant")
            })?;
            Some(format!(
                "{changed}, but with `{}` = {} the learning rates of all epochs depend on it",
                falling.key, falling.value
            ))
        })
    }

    /// The resolved config: every key that the experiment uses, with its value.
    #[must_use]
    pub fn to_toml(&self) -> String {
        // A table may be begun only once, but the keys of a section need not have been read in one go.
        let mut sections: Vec<(String, String)> = Vec::new();
        let mut add = |header: String, line: &str| match sections
            .iter_mut()
            .find(|(known, _)| *known == header)
        {
            Some((_, lines)) => lines.push_str(line),
            None => sections.push((header, line.to_owned())),
        };
        let (of_conditions, of_all): (Vec<&Setting>, Vec<&Setting>) = self
            .values
            .iter()
            .partition(|setting| setting.key.starts_with("conditions."));
        for setting in of_all {
            add(header(&setting.key), &line(setting));
        }
        for name in &self.conditions {
            add(format!("conditions.{}", quoted(name)), "");
        }
        for setting in of_conditions {
            add(header(&setting.key), &line(setting));
        }
        sections
            .iter()
            .fold(String::new(), |mut text, (header, lines)| {
                if !header.is_empty() {
                    text.extend(["\n[", header, "]\n"]);
                }
                text + lines
            })
    }
}

/// The table that a key stands in, as TOML writes it.
fn header(path: &str) -> String {
    let place = Place::of(path);
    let condition = place
        .condition
        .map(|name| format!("conditions.{}.", quoted(name)));
    let layer = place.layer.map(|layer| format!(".layer.{layer}"));
    format!(
        "{}{}{}",
        condition.unwrap_or_default(),
        place.section,
        layer.unwrap_or_default()
    )
}

fn line(setting: &Setting) -> String {
    format!("{} = {}\n", Place::of(&setting.key).name, setting.value)
}

/// A string as TOML.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// The bytes of a file that may be anything, `/dev/zero` too.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut bytes = Vec::new();
    File::open(path)?
        .take(LARGEST_FILE + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}
