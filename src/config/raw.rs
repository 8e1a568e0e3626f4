//! What the user wrote: every key with its value and where it came from, before anything is believed.
//!
//! File and command line meet here, and unknown names stop here. A value is kept as TOML spelled it, so that
//! an error can show `1e400` or `10.0` as written; what it means is for [`super::read`].

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::spec::BackendName;

use super::error::{ConfigError, Problem};
use super::{Origin, keys};

/// A value as written.
pub(super) struct Entry<'a> {
    pub value: DeValue<'a>,
    pub origin: Origin,
}

/// All that was written, by key (`training.epochs`); the keys are known ones.
pub(super) struct Document<'a> {
    entries: BTreeMap<String, Entry<'a>>,
}

impl<'a> Document<'a> {
    /// Reads the text of a config.
    pub fn parse(text: &'a str, file: &Path) -> Result<Self, ConfigError> {
        let mut document = Self {
            entries: BTreeMap::new(),
        };
        let line = |start| line_at_end(&text.as_bytes()[..start]);
        let file: Arc<Path> = file.into();
        let origin = |start| Origin::File {
            file: Arc::clone(&file),
            line: line(start),
        };
        let table = DeTable::parse(text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            // An error at the very end is about the last line, not the empty one after it.
            let start = span.start.min(text.trim_end().len());
            let message = error.message().to_owned();
            let problem = if message == "duplicate key" {
                Problem::Duplicate {
                    name: text.get(span).unwrap_or_default().to_owned(),
                }
            } else {
                let found = text.lines().nth(line(start) - 1).unwrap_or_default();
                Problem::Syntax {
                    found: found.trim().to_owned(),
                    message,
                }
            };
            problem.at(&origin(start))
        })?;
        for (name, value) in in_file_order(table.into_inner()) {
            let place = origin(name.span().start);
            let name = name.get_ref().as_ref();
            match value {
                DeValue::Table(table) if keys::SECTIONS.contains(&name) => {
                    for (key, value) in in_file_order(table) {
                        let place = origin(key.span().start);
                        document.insert(
                            &format!("{name}.{}", bare(key.get_ref())),
                            value,
                            place,
                        )?;
                    }
                }
                _ if keys::SECTIONS.contains(&name) => {
                    return Err(Problem::NotASection {
                        section: name.to_owned(),
                    }
                    .at(&place));
                }
                DeValue::Table(table) if keys::find(name).is_none() => {
                    let inside = table.keys().map(|key| key.get_ref().as_ref());
                    return Err(keys::unknown_section(&bare(name), inside).at(&place));
                }
                value => document.insert(&bare(name), value, place)?,
            }
        }
        Ok(document)
    }

    /// Puts `--set key=value` over what is there.
    pub fn set(&mut self, assignment: &'a str) -> Result<(), ConfigError> {
        let origin = Origin::Set(assignment.to_owned());
        let fail = |problem: Problem| Err(problem.at(&origin));
        let Some((path, text)) = assignment.split_once('=') else {
            return fail(Problem::SetWithoutValue);
        };
        let path: Vec<&str> = path.split('.').map(str::trim).collect();
        if path.contains(&"") {
            return fail(Problem::SetWithoutKey);
        }
        // What is not TOML is a word that the shell took the quotes from, or a ratio.
        let text = text.trim();
        let value =
            DeValue::parse(text).map_or_else(|_| DeValue::String(text.into()), Spanned::into_inner);

        if let [section] = path[..]
            && keys::SECTIONS.contains(&section)
        {
            return fail(Problem::SetSection {
                section: section.to_owned(),
            });
        }
        let (key, inside) = path.split_at(path.len().min(2));
        let key = key.join(".");
        let known_value = self.entries.get(&key).map(|entry| &entry.value);
        // A table of this config (an initialization) has one key, so an override replaces it whole.
        let value = match inside {
            _ if keys::find(&key).is_none() => return fail(keys::unknown(&key)),
            [] => value,
            [name] if known_value.is_none_or(DeValue::is_table) => {
                let name = Spanned::new(0..0, DeString::from(*name));
                DeValue::Table(DeTable::from_iter([(name, Spanned::new(0..0, value))]))
            }
            _ => return fail(Problem::SetThroughValue { key }),
        };
        self.insert(&key, value, origin)
    }

    /// Puts `--backend` over what is there.
    pub fn set_backend(&mut self, backend: BackendName) {
        let value = DeValue::String(backend.as_str().into());
        let origin = Origin::Flag("--backend");
        self.entries
            .insert("run.backend".to_owned(), Entry { value, origin });
    }

    /// Whether somebody wrote `key`.
    pub fn contains(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Removes and gives the value of `key`.
    pub fn take(&mut self, key: &str) -> Option<Entry<'a>> {
        self.entries.remove(key)
    }

    /// The first key that nobody took.
    pub fn first_left(&self) -> Option<(&str, &Origin)> {
        let left = self
            .entries
            .iter()
            .map(|(key, entry)| (key.as_str(), &entry.origin));
        left.min_by_key(|(_, origin)| *origin)
    }

    fn insert(&mut self, key: &str, value: DeValue<'a>, origin: Origin) -> Result<(), ConfigError> {
        if keys::find(key).is_none() {
            return Err(keys::unknown(key).at(&origin));
        }
        self.entries.insert(key.to_owned(), Entry { value, origin });
        Ok(())
    }
}

/// The line, counted from 1, in which `text` ends.
pub(super) fn line_at_end(text: &[u8]) -> usize {
    text.split(|&byte| byte == b'\n').count()
}

/// The entries of a table by their place in the file, so that the first error is the first in the file.
fn in_file_order(table: DeTable<'_>) -> Vec<(Spanned<DeString<'_>>, DeValue<'_>)> {
    let mut entries: Vec<_> = table
        .into_iter()
        .map(|(key, value)| (key, value.into_inner()))
        .collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

/// A name as a key path shows it: in quotes where it could be mistaken for a path.
fn bare(name: &str) -> String {
    let plain = !name.is_empty() && !name.contains(['.', '"']);
    if plain {
        name.to_owned()
    } else {
        format!("{name:?}")
    }
}
