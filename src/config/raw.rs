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
use super::keys::Place;
use super::{Origin, keys};

/// A value as written.
pub(super) struct Entry<'a> {
    pub value: DeValue<'a>,
    pub origin: Origin,
    /// Whether anybody has asked for it.
    pub used: bool,
}

/// All that was written, by path (`training.epochs`, `conditions.D.training.epochs`); the keys are known ones.
pub(super) struct Document<'a> {
    entries: BTreeMap<String, Entry<'a>>,
    /// In the order of the file.
    conditions: Vec<Condition>,
}

/// The name of a condition.
pub(super) struct Condition {
    pub name: String,
    pub origin: Origin,
}

/// The longest name of a condition, in characters.
const LONGEST_NAME: usize = 40;

impl<'a> Document<'a> {
    /// Reads the text of a config.
    pub fn parse(text: &'a str, file: &Path) -> Result<Self, ConfigError> {
        let mut document = Self {
            entries: BTreeMap::new(),
            conditions: Vec::new(),
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
                    document.section(name, table, &origin)?;
                }
                DeValue::Table(table) if name == "conditions" => {
                    for (name, value) in in_file_order(table) {
                        let place = origin(name.span().start);
                        document.condition(name.get_ref(), value, &place, &origin)?;
                    }
                }
                _ if keys::SECTIONS.contains(&name) || name == "conditions" => {
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

    /// Takes up a table of keys; `path` is what leads to it.
    fn section(
        &mut self,
        path: &str,
        table: DeTable<'a>,
        origin: &dyn Fn(usize) -> Origin,
    ) -> Result<(), ConfigError> {
        for (key, value) in in_file_order(table) {
            let place = origin(key.span().start);
            let key = key.get_ref().as_ref();
            let layers = key == "layer" && path.ends_with("pretraining");
            match value {
                DeValue::Table(layers_of) if layers => {
                    for (layer, value) in in_file_order(layers_of) {
                        let place = origin(layer.span().start);
                        let path = format!("{path}.layer.{}", bare(layer.get_ref()));
                        if !is_layer(layer.get_ref()) {
                            return Err(Problem::NotALayer { path }.at(&place));
                        }
                        let DeValue::Table(table) = value else {
                            return Err(Problem::NotASection { section: path }.at(&place));
                        };
                        self.section(&path, table, origin)?;
                    }
                }
                value => self.insert(&format!("{path}.{}", bare(key)), value, place)?,
            }
        }
        Ok(())
    }

    /// Takes up a condition.
    fn condition(
        &mut self,
        name: &str,
        value: DeValue<'a>,
        place: &Origin,
        origin: &dyn Fn(usize) -> Origin,
    ) -> Result<(), ConfigError> {
        self.name_condition(name, place)?;
        let DeValue::Table(sections) = value else {
            let section = format!("conditions.{}", in_header(name));
            return Err(Problem::NotASection { section }.at(place));
        };
        for (section, value) in in_file_order(sections) {
            let place = origin(section.span().start);
            let path = format!("conditions.{name}.{}", bare(section.get_ref()));
            match value {
                DeValue::Table(table)
                    if keys::OF_CONDITIONS.contains(&section.get_ref().as_ref()) =>
                {
                    self.section(&path, table, origin)?;
                }
                _ if keys::OF_CONDITIONS.contains(&section.get_ref().as_ref()) => {
                    let section = format!("conditions.{}.{}", in_header(name), section.get_ref());
                    return Err(Problem::NotASection { section }.at(&place));
                }
                DeValue::Table(table) => {
                    let inside = table.keys().next().map(|key| bare(key.get_ref()));
                    let key = inside.map_or(path.clone(), |inside| format!("{path}.{inside}"));
                    return Err(keys::unknown(&key).at(&place));
                }
                _ => return Err(keys::unknown(&path).at(&place)),
            }
        }
        Ok(())
    }

    /// Notes the name of a condition, if it is one.
    fn name_condition(&mut self, name: &str, origin: &Origin) -> Result<(), ConfigError> {
        let harmless = |c: char| c.is_alphanumeric() || " -_+()/,=".contains(c);
        let length = name.chars().count();
        let fits = (1..=LONGEST_NAME).contains(&length) && name.trim() == name;
        if !fits || !name.chars().all(harmless) || name.contains(" - ") {
            let name = name.to_owned();
            return Err(Problem::BadConditionName { name }.at(origin));
        }
        if self.conditions.iter().all(|known| known.name != name) {
            self.conditions.push(Condition {
                name: name.to_owned(),
                origin: origin.clone(),
            });
        }
        Ok(())
    }

    /// Puts `--set key=value` over what is there.
    pub fn set(&mut self, assignment: &'a str) -> Result<(), ConfigError> {
        let origin = Origin::Set(assignment.to_owned());
        let fail = |problem: Problem| Err(problem.at(&origin));
        // The name of a condition may hold a `=` of its own.
        let conditions = self.conditions.iter();
        let named = conditions
            .flat_map(|condition| {
                let name = &condition.name;
                [
                    format!("conditions.{name}."),
                    format!("conditions.\"{name}\"."),
                ]
            })
            .find(|path| assignment.starts_with(path));
        let start = named.map_or(0, |path| path.len());
        let Some(length) = assignment[start..].find('=') else {
            return fail(Problem::SetWithoutValue);
        };
        let (path, text) = assignment.split_at(start + length);
        let text = &text[1..];
        // Quotes as in the file may stand around a name, which can hold none itself.
        let path: Vec<&str> = path
            .split('.')
            .map(|part| part.trim().trim_matches('"'))
            .collect();
        if path.contains(&"") {
            return fail(Problem::SetWithoutKey);
        }
        // What is not TOML is a word that the shell took the quotes from, or a ratio.
        let text = text.trim();
        let value =
            DeValue::parse(text).map_or_else(|_| DeValue::String(text.into()), Spanned::into_inner);

        if let ["conditions", name, ..] = path[..]
            && self.conditions.iter().all(|known| known.name != name)
        {
            let known = self.conditions.iter().map(|known| known.name.as_str());
            return fail(keys::unknown_condition(&path.join("."), name, known));
        }
        if let Some(layer) = layer_in(&path)
            && !is_layer(path[layer])
        {
            let path = path[..=layer].join(".");
            return fail(Problem::NotALayer { path });
        }
        let is_section = match path[..] {
            [section] => keys::SECTIONS.contains(&section) || section == "conditions",
            ["conditions", _]
            | ["pretraining", "layer", _]
            | ["conditions", _, "pretraining", "layer", _] => true,
            ["conditions", _, section] => keys::OF_CONDITIONS.contains(&section),
            _ => false,
        };
        if is_section {
            return fail(Problem::SetSection {
                section: path.join("."),
            });
        }
        let (key, inside) = path.split_at(path.len().min(depth(&path)));
        let key = key.join(".");
        let known_value = self.entries.get(&key).map(|entry| &entry.value);
        // A table of this config (an initialization) has one key, so an override replaces it whole.
        let value = match inside {
            _ if !is_known(&key) => return fail(keys::unknown(&key)),
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
        let entry = Entry {
            value: DeValue::String(backend.as_str().into()),
            origin: Origin::Flag("--backend"),
            used: false,
        };
        self.entries.insert("run.backend".to_owned(), entry);
    }

    /// Whether somebody wrote `path`.
    pub fn contains(&self, path: &str) -> bool {
        self.entries.contains_key(path)
    }

    /// Whether somebody wrote `key` for one layer's pretraining, in all conditions.
    pub fn has_layer_with(&self, key: &str) -> bool {
        self.entries.keys().any(|path| {
            let place = Place::of(path);
            place.condition.is_none() && place.layer.is_some() && place.key() == key
        })
    }

    /// What was written at `path`, which is used from now on.
    pub fn look_up(&mut self, path: &str) -> Option<&Entry<'a>> {
        let entry = self.entries.get_mut(path)?;
        entry.used = true;
        Some(entry)
    }

    /// The conditions, in the order of the file.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// The first path that nobody looked up.
    pub fn first_unused(&self) -> Option<(&str, &Origin)> {
        let unused = self.entries.iter().filter(|(_, entry)| !entry.used);
        unused
            .map(|(path, entry)| (path.as_str(), &entry.origin))
            .min_by_key(|(_, origin)| *origin)
    }

    fn insert(
        &mut self,
        path: &str,
        value: DeValue<'a>,
        origin: Origin,
    ) -> Result<(), ConfigError> {
        if !is_known(path) {
            return Err(keys::unknown(path).at(&origin));
        }
        let entry = Entry {
            value,
            origin,
            used: false,
        };
        self.entries.insert(path.to_owned(), entry);
        Ok(())
    }
}

/// How many parts of a path lead to a key; what follows is inside its value.
fn depth(path: &[&str]) -> usize {
    match (layer_in(path), path[0]) {
        (Some(layer), _) => layer + 2,
        (None, "conditions") => 4,
        (None, _) => 2,
    }
}

/// Which part of a path is the number of a layer.
fn layer_in(path: &[&str]) -> Option<usize> {
    let before = if path[0] == "conditions" { 2 } else { 0 };
    match path.get(before..) {
        Some(["pretraining", "layer", _, ..]) => Some(before + 2),
        _ => None,
    }
}

/// Whether `text` is the number of a layer, in the one way that it is written.
fn is_layer(text: &str) -> bool {
    text.parse()
        .is_ok_and(|layer: u32| layer > 0 && layer.to_string() == text)
}

/// Whether a key may stand at `path`.
fn is_known(path: &str) -> bool {
    let place = Place::of(path);
    let key = place.key();
    keys::find(&key).is_some() && place.may_hold(&key) && place.layer.is_none_or(is_layer)
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

/// A condition's name as a header needs it.
fn in_header(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if name.chars().all(plain) {
        name.to_owned()
    } else {
        super::quoted(name)
    }
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
