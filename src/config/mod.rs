//! Configuration: from a TOML file and the command line's overrides to a checked [`Plan`].
//!
//! What was written is a tree whose values know where they came from (`node`); the types of [`crate::spec`] read it
//! (`de`, `sections`). Each place is read by itself first, so that an error is told where it was made. Then, for each
//! condition and each point of the grid, the trees are put over each other (defaults, what is said for all, the
//! condition's own, the grid's), read again and checked as a whole (`plan`, `rules`). Every key that is used leaves a
//! [`Setting`]; a key that nobody uses is an error, for a knob that does nothing is worse than none. This room knows no
//! tensors and no hardware, and prints nothing.

mod de;
mod document;
mod keys;
mod node;
mod plan;
mod problem;
mod record;
mod report;
mod rules;
mod schema;
mod sections;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::spec::{BackendName, Plan};
use crate::words::escaped;

pub(crate) use keys::{meant_by_option, nearest};
pub use problem::{ConfigError, FileProblem, Problem};
pub use schema::schema;

use keys::{Place, split};
use problem::quoted;

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
    /// What the run is to do.
    pub plan: Plan,
    /// Every key that the experiment uses, once for each place that says something of its own.
    pub values: Vec<Setting>,
    /// The names of the named conditions, in the order of the file.
    pub conditions: Vec<String>,
    /// Where each of the plan's expectations stands.
    pub promised_at: Vec<Origin>,
    /// The promises, as TOML.
    pub(crate) promises: String,
}

/// One key of the resolved config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// With its section, and what it is said for: `training.epochs`, `conditions.D.training.epochs`.
    pub key: String,
    /// The value as TOML.
    pub value: String,
    /// Where the value came from.
    pub origin: Origin,
}

/// Where a value came from. `{}` is short enough for a table; `{:#}` is what an error begins with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A line of the config, counted from 1.
    File {
        /// The config.
        file: Arc<Path>,
        /// The line, counted from 1.
        line: usize,
    },
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
            Self::Set(text) if f.alternate() => write!(f, "--set {}", problem::shown(text)),
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
    let fail = |problem| ConfigError::File {
        file: path.to_owned(),
        problem,
    };
    let bytes = read_bounded(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => fail(FileProblem::Missing),
        io::ErrorKind::IsADirectory => fail(FileProblem::Folder),
        io::ErrorKind::FileTooLarge => fail(FileProblem::TooLarge),
        _ => fail(FileProblem::Unreadable(error)),
    })?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => parse(text, path, overrides),
        Err(error) => {
            let line = node::line_at_end(&bytes[..error.valid_up_to()]);
            let file = path.into();
            Err(Problem::not_utf8(&Origin::File { file, line }).into())
        }
    }
}

/// Checks the config in `text`; `file_label` names it in errors and gives the config its name.
///
/// # Errors
///
/// As [`load`].
pub fn parse(text: &str, file_label: &Path, overrides: &Overrides) -> Result<Config, ConfigError> {
    let name = file_label.file_stem().unwrap_or_default();
    let name = name.to_string_lossy().into_owned();
    let document = document::Document::read(text, file_label, overrides)?;
    let Some(document) = document else {
        return Err(ConfigError::File {
            file: file_label.to_owned(),
            problem: FileProblem::NoExperiment,
        });
    };
    let resolved = document.resolve(&name)?;
    Ok(Config {
        name,
        folder: file_label.parent().unwrap_or(Path::new("")).to_owned(),
        plan: resolved.plan,
        values: resolved.values,
        conditions: resolved.conditions,
        promised_at: resolved.promised_at,
        promises: resolved.promises,
    })
}

const OTHER_CONDITIONS: &str = "its conditions are not the same";

/// A key that has another value.
struct Change<'a> {
    key: &'a str,
    was: String,
    is: String,
}

impl Config {
    /// Where the value of a key came from, if this config has it.
    #[must_use]
    pub fn origin_of(&self, key: &str) -> Option<&Origin> {
        let setting = self.values.iter().find(|setting| setting.key == key);
        setting.map(|setting| &setting.origin)
    }

    /// What keeps this config from going on where a run of `earlier` was left, in words; `None` if nothing does.
    ///
    /// The data's folder may have moved, what the page shows and what is promised may differ, and trainings with a
    /// constant learning rate may be made longer: their first epochs are the same.
    #[must_use]
    pub fn cannot_continue(&self, earlier: &Self) -> Option<String> {
        if self.conditions != earlier.conditions {
            return Some(OTHER_CONDITIONS.to_owned());
        }
        self.changes(earlier).find_map(|Change { key, was, is }| {
            let changed = format!("`{key}` was {was} and is {is}");
            if told_for_all(key) != "training.epochs" {
                return Some(changed);
            }
            if is.parse::<u64>().ok() < was.parse::<u64>().ok() {
                return Some(format!("{changed}, but it can only be raised"));
            }
            let mut schedules = self.values.iter();
            let falling = schedules.find(|setting| {
                let name = told_for_all(&setting.key);
                (name == "training.schedule" || name == "grid.training.schedule")
                    && setting.value != quoted("constant")
            })?;
            Some(format!(
                "{changed}, but with `{}` = {} the learning rates of all epochs depend on it",
                falling.key, falling.value
            ))
        })
    }

    /// What keeps this config from being a part of a run of the config `earlier`, if anything does.
    #[must_use]
    pub fn is_another(&self, earlier: &Self) -> Option<String> {
        if self.conditions != earlier.conditions {
            return Some(OTHER_CONDITIONS.to_owned());
        }
        let change = self.changes(earlier).next()?;
        Some(format!(
            "`{}` was {} and is {}",
            change.key, change.was, change.is
        ))
    }

    /// The keys whose values are not those of `earlier`; where the data lie and what is reported may differ.
    fn changes<'a>(&'a self, earlier: &'a Self) -> impl Iterator<Item = Change<'a>> {
        let value = |config: &Self, key: &str| {
            let mut values = config.values.iter();
            let setting = values.find(|setting| setting.key == key);
            setting.map_or_else(|| "not set".to_owned(), |setting| setting.value.clone())
        };
        let keys = earlier.values.iter().chain(&self.values);
        keys.map(|setting| setting.key.as_str())
            .filter_map(move |key| {
                let (was, is) = (value(earlier, key), value(self, key));
                let name = told_for_all(key);
                let may_differ =
                    name == "data.dir" || name == "run.address" || name.starts_with("report.");
                (was != is && !may_differ).then_some(Change { key, was, is })
            })
    }

    /// The resolved config: every key that the experiment uses, with its value.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        let mut last = String::new();
        let mut named = 0;
        let mut name_conditions = |text: &mut String, up_to: usize| {
            for name in &self.conditions[named..up_to.max(named)] {
                text.extend(["\n[conditions.", &toml_key(name), "]\n"]);
            }
            named = named.max(up_to);
        };
        for setting in &self.values {
            let names = split(&setting.key);
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            if let ["conditions", name, ..] = names[..] {
                let at = self.conditions.iter().position(|known| known == name);
                name_conditions(&mut text, at.map_or(0, |at| at + 1));
            }
            let depth = depth_of_table(&names);
            let header: Vec<String> = names[..depth].iter().map(|name| toml_key(name)).collect();
            let header = header.join(".");
            if header != last {
                text.extend(["\n[", &header, "]\n"]);
                last = header;
            }
            let key: Vec<String> = names[depth..].iter().map(|name| toml_key(name)).collect();
            text.extend([&key.join("."), " = ", &setting.value, "\n"]);
        }
        name_conditions(&mut text, self.conditions.len());
        text + &self.promises
    }
}

/// How many names of a key make the header of its table.
fn depth_of_table(names: &[&str]) -> usize {
    let place = Place::of(names);
    let before = names.len() - place.names.len();
    match (place.layer, place.names) {
        (None, [_, _, ..]) => before + 1,
        _ => before,
    }
}

/// A key without the condition and the layer that it is told for.
fn told_for_all(key: &str) -> String {
    let names = split(key);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let place = Place::of(&names);
    let section = place.layer.map_or("", |_| "pretraining.");
    format!("{section}{}", place.names.join("."))
}

/// A name as TOML writes it in a key.
fn toml_key(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if !name.is_empty() && name.chars().all(plain) {
        name.to_owned()
    } else {
        let text = quoted(name);
        // A literal string may be a key, one of several lines may not.
        if text.starts_with("'''") || text.starts_with("\"\"\"") {
            format!("{name:?}")
        } else {
            text
        }
    }
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
