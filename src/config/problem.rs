//! What is wrong with a config, in words: where, which key, what it holds, what is allowed, and what to do.
//!
//! Text that came from a file or a command line is shown through [`shown`], so that no control character
//! reaches a terminal.

use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::Origin;
use crate::words::escaped;

/// Why a config was refused.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file as a whole.
    #[error("{}: {problem}", escaped(&file.to_string_lossy()))]
    File {
        /// The config.
        file: PathBuf,
        /// What is wrong with it.
        problem: FileProblem,
    },
    /// One line of it, or one override.
    #[error(transparent)]
    Value(#[from] Problem),
}

/// What is wrong with a file as a whole.
#[derive(Debug, Error)]
pub enum FileProblem {
    /// There is no file at the path.
    #[error("no such file\n  hint: give the path of a config, such as configs/figure56.toml")]
    Missing,
    /// The path is that of a folder.
    #[error("this is a folder\n  hint: give the path of a config inside it")]
    Folder,
    /// The file cannot be read; holds what the operating system said.
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    /// The file is larger than 1 MiB.
    #[error("is larger than 1 MiB\n  hint: a config is a page of text; is this another file?")]
    TooLarge,
    /// The file does not name its experiment.
    #[error(
        "`experiment` is missing\n  hint: begin the file with `experiment = \"autoencoder\"`, `\"classifier\"` or `\"deep_autoencoder\"`"
    )]
    NoExperiment,
}

/// What is wrong at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where the value came from.
    pub origin: Origin,
    /// What is wrong, with the key as the user wrote it and the value.
    pub says: String,
    /// What to do about it, and what is allowed.
    pub hints: Vec<String>,
}

impl std::error::Error for Problem {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}: {}", self.origin, self.says)?;
        let mut hints = self.hints.iter();
        hints.try_for_each(|hint| write!(f, "\n  hint: {hint}"))
    }
}

impl Problem {
    pub(super) fn new(origin: &Origin, says: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            origin: origin.clone(),
            says: says.into(),
            hints: vec![hint.into()],
        }
    }

    pub(super) fn syntax(origin: &Origin, found: &str, message: &str) -> Self {
        let (found, message) = (shown(found), escaped(message));
        Self::new(
            origin,
            format!("`{found}` is not TOML: {message}"),
            "a line is `[section]` or `key = value`, with words in double quotes",
        )
    }

    pub(super) fn duplicate(origin: &Origin, name: &str) -> Self {
        let says = format!("`{}` is written twice", shown(name));
        Self::new(origin, says, "write each key and each section once")
    }

    pub(super) fn not_utf8(origin: &Origin) -> Self {
        Self::new(origin, "this is not UTF-8 text", "save the file as UTF-8")
    }

    /// A value stands where a section is.
    pub(super) fn section(origin: &Origin, path: &str) -> Self {
        let path = shown(path);
        let hint = match origin {
            Origin::Set(_) => format!("set one of its keys: --set {path}.key=value"),
            _ => format!("write `[{path}]` and its keys below it"),
        };
        Self::new(origin, format!("`{path}` is a section, not a key"), hint)
    }

    /// A name that is none of the conditions'.
    pub(super) fn unknown_condition(
        origin: &Origin,
        key: &str,
        name: &str,
        conditions: &[&str],
    ) -> Self {
        let says = format!(
            "`{}` names \"{}\", which is no condition",
            shown(key),
            shown(name)
        );
        let mut problem = Self::new(
            origin,
            says,
            match conditions {
                [] => "the config has no conditions".to_owned(),
                _ => format!("the conditions are {}", listed(conditions, '"')),
            },
        );
        problem.guess(super::keys::nearest(name, conditions.iter().copied()));
        problem
    }

    /// Puts what was probably meant before the other hints.
    pub(super) fn guess(&mut self, word: Option<&str>) {
        if let Some(word) = word {
            self.hints.insert(0, format!("did you mean \"{word}\"?"));
        }
    }
}

/// `"a", "b", "c"`, each word between two of `mark`.
pub(super) fn listed(words: &[&str], mark: char) -> String {
    let marked = words
        .iter()
        .map(|word| format!("{mark}{}{mark}", shown(word)));
    marked.collect::<Vec<_>>().join(", ")
}

/// `"a", "b" or "c"`.
pub(super) fn alternatives(words: &[&str]) -> String {
    enumerated(words, '"', "or")
}

/// The same with any conjunction before the last, each word between two of `mark`.
pub(super) fn enumerated(words: &[&str], mark: char, conjunction: &str) -> String {
    match words.split_last() {
        Some((last, others @ [_, ..])) => {
            format!(
                "{} {conjunction} {}",
                listed(others, mark),
                listed(&[*last], mark)
            )
        }
        _ => listed(words, mark),
    }
}

/// A string as TOML.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// [`escaped`], and cut where it gets long.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => escaped(&text[..end]) + "…",
        None => escaped(text),
    }
}
