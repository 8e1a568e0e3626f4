//! What was used of a config: the settings that it leaves, and why the rest has no use.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::document::{Document, GridNode};
use super::keys::{self, Place, SECTIONS, joined, split};
use super::node::{Node, Value};
use super::problem::{Problem, quoted, shown};
use super::{Origin, Setting};
use crate::spec::{Condition, Target};

/// A value as TOML; of numbers, what is shortest to read.
pub(super) fn shortest(value: &toml::Value) -> String {
    match value {
        toml::Value::Float(number) => format!("{number:?}"),
        other => other.to_string(),
    }
}

/// A choice whose keys were all left out is a word.
fn word_alone(choice: &toml::Table) -> Option<&str> {
    let mut entries = choice.iter();
    match (entries.next(), entries.next()) {
        (Some((word, toml::Value::Table(keys))), None) if keys.is_empty() => Some(word),
        _ => None,
    }
}

/// Which values were used, and the settings that they led to.
#[derive(Default)]
pub(super) struct Record {
    used: HashSet<String>,
    settings: Vec<Setting>,
    keys: BTreeSet<String>,
    /// When each key, as it is told for all, was first seen, wherever it was told.
    seen: HashMap<String, usize>,
}

impl Record {
    /// Notes a section that was read: what of the tree was used, and each key's value as it was understood.
    pub fn note(&mut self, section: &str, node: &Node, keys: &toml::Table) {
        self.use_up(node);
        self.note_table([section, section], Some(node), keys);
    }

    fn use_up(&mut self, node: &Node) {
        if !self.used.contains(&node.path) || node.is_table() {
            self.used.insert(node.path.clone());
        }
        for (_, node) in node.entries() {
            self.use_up(node);
        }
    }

    /// `path` is where a key stands that nobody wrote, `of_all` where it stands if it is told for all.
    fn note_table(&mut self, [path, of_all]: [&str; 2], node: Option<&Node>, keys: &toml::Table) {
        // What a section leaves out belongs to the kind or the optimizer that it names, and stands where that is named.
        let namers = ["kind", "optimizer"].into_iter();
        let mut namers = namers.filter_map(|name| node?.get(name));
        let named = namers.next().map(|kind| {
            let names = split(&kind.path);
            let before = names[..names.len() - 1].iter();
            before.fold(String::new(), |path, name| joined(&path, name))
        });
        let path = named.as_deref().unwrap_or(path);
        for (name, value) in keys {
            let inner = node.and_then(|node| node.get(name));
            // What a choice leaves out stands where the choice stands.
            let path = inner.map_or_else(|| joined(path, name), |inner| inner.path.clone());
            let of_all = joined(of_all, name);
            match value {
                toml::Value::Table(keys) if word_alone(keys).is_none() => {
                    self.note_table([&path, &of_all], inner, keys);
                }
                value => {
                    let place = self.seen.len();
                    self.seen.entry(of_all).or_insert(place);
                    let word = value.as_table().and_then(word_alone);
                    let value = word.map_or_else(|| shortest(value), quoted);
                    if !keys::is_of_grid(&path) {
                        let origin = inner.map_or(&Origin::Default, |inner| &inner.origin);
                        self.push(path, value, origin);
                    }
                }
            }
        }
    }

    /// Notes a setting, unless it is known.
    pub fn push(&mut self, key: String, value: String, origin: &Origin) {
        if self.keys.insert(key.clone()) {
            let origin = origin.clone();
            self.settings.push(Setting { key, value, origin });
        }
    }

    /// The settings in the order of a config.
    pub fn sorted(self, conditions: &[String]) -> Vec<Setting> {
        let Self {
            mut settings, seen, ..
        } = self;
        settings.sort_by_key(|setting| {
            let names = split(&setting.key);
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let place = Place::of(&names);
            let condition = place
                .condition
                .and_then(|name| conditions.iter().position(|known| known == name));
            let layer: Option<usize> = place.layer.and_then(|layer| layer.parse().ok());
            let section = match place.layer {
                Some(_) => "pretraining",
                None => place.names.first().copied().unwrap_or_default(),
            };
            // The grid, which is none of them, stands last of what is said for all; the experiment's name first.
            let section = match section {
                "experiment" => None,
                section => Some(
                    SECTIONS
                        .iter()
                        .position(|known| *known == section)
                        .unwrap_or(SECTIONS.len()),
                ),
            };
            let place = seen.get(&super::told_for_all(&setting.key));
            (condition, section, layer, place)
        });
        settings
    }
}

impl Document {
    /// The settings, without the defaults of a choice that only a grid makes where others are made too: they could be read as a choice of
    /// their own.
    pub fn written(&self, settings: Vec<Setting>) -> Vec<Setting> {
        let of_all = |key: &str| split(&super::told_for_all(key));
        let of_grid: Vec<Vec<String>> = self.grid.iter().map(|of| split(&of.key)).collect();
        let mut all: Vec<Vec<String>> = settings.iter().map(|of| of_all(&of.key)).collect();
        all.extend(of_grid.iter().cloned());
        let is_needed = |setting: &Setting| {
            let names = split(&setting.key);
            let Some(depth) = self.depth_of_choice(&names) else {
                return true;
            };
            let place = names.len() - depth;
            let names = of_all(&setting.key);
            let choice = names.len() - place;
            let is_here = |of: &&Vec<String>| of.starts_with(&names[..choice]);
            let is_same = |of: &Vec<String>| of.get(choice) == names.get(choice);
            // A grid varies the whole choice, or keys of one.
            let makes_it = |of: &Vec<String>| of.len() == choice || is_same(of);
            let by_grid = of_grid.iter().filter(is_here).any(makes_it);
            !by_grid || all.iter().filter(is_here).all(is_same)
        };
        let is_kept = |of: &Setting| of.origin != Origin::Default || is_needed(of);
        settings.into_iter().filter(is_kept).collect()
    }

    /// How many names lead to the choice that a key belongs to, if the config does not make it there.
    fn depth_of_choice(&self, names: &[String]) -> Option<usize> {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut node = Some(&self.root);
        for (depth, name) in names.iter().enumerate() {
            let is_word =
                node.is_some_and(|of| matches!(&of.value, Value::Text(word) if word == name));
            let inner = node.and_then(|node| node.get(name));
            if !keys::holds_keys(&names[..depth]) && inner.is_none() && !is_word {
                return Some(depth);
            }
            node = inner;
        }
        None
    }

    /// Refuses the first value that no condition used.
    pub fn check_used(&self, record: &Record, conditions: &[Condition]) -> Result<(), Problem> {
        let mut places: Vec<&Node> = Vec::new();
        for (name, node) in self.root.entries() {
            if keys::OF_MODELS.contains(&name.as_str()) || name == "conditions" {
                places.extend(node.leaves());
            }
        }
        let unused = places.into_iter().filter(|node| {
            let names = split(&node.path);
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let place = Place::of(&names);
            let is_key = place.names.len() + usize::from(place.layer.is_some()) > 1;
            // A choice without keys is a value, a section without keys is nothing.
            is_key && !keys::is_section(&names) && !record.used.contains(&node.path)
        });
        match unused.min_by_key(|node| &node.origin) {
            Some(node) => Err(self.why_unused(node, conditions)),
            None => Ok(()),
        }
    }

    /// Why nobody used a value.
    fn why_unused(&self, node: &Node, conditions: &[Condition]) -> Problem {
        let names = split(&node.path);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let place = Place::of(&names);
        let key = match place.layer {
            Some(layer) => format!("pretraining.layer.{layer}.{}", place.names.join(".")),
            None => place.names.join("."),
        };
        let path = shown(&node.path);
        let covers = |grid: &&GridNode| {
            let covers = key == grid.key
                || key.starts_with(&format!("{}.", grid.key))
                || grid.key.starts_with(&format!("{key}."));
            covers && grid.is_for(place.condition)
        };
        if let Some(grid) = self.grid.iter().find(covers) {
            let sets = if grid.key == key {
                "it".to_owned()
            } else {
                format!("`{}`", shown(&grid.key))
            };
            return Problem::new(
                &node.origin,
                format!("`{path}` has no effect: the grid sets {sets}"),
                match &node.origin {
                    Origin::Set(_) => format!(
                        "set the grid's values instead: --set {}.{}=[{}]",
                        shown(&grid.table()),
                        shown(&grid.key),
                        shown(&node.to_toml())
                    ),
                    _ => format!(
                        "remove it, or take the key out of [{}]",
                        shown(&grid.table())
                    ),
                },
            );
        }
        let is_pretraining = place.layer.is_some() || place.names.first() == Some(&"pretraining");
        let users = conditions.iter().filter(|condition| {
            place.condition.is_none() || condition.group.as_deref() == place.condition
        });
        let layer: usize = place
            .layer
            .and_then(|layer| layer.parse().ok())
            .unwrap_or(1);
        if is_pretraining && users.clone().all(|user| user.stages().len() < layer) {
            let most = users.map(|user| user.stages().len()).max().unwrap_or(0);
            return self.not_pretrained(node, place, most, layer);
        }
        let name = place.names.get(usize::from(place.layer.is_none()));
        let is_of_decoders = name.is_some_and(|name| keys::OF_DECODERS.contains(name));
        let on_classes = |of: &Condition| {
            let training = of.classifier();
            training.is_some_and(|of| of.stages.is_empty() || of.target == Target::Classes)
        };
        if is_pretraining && is_of_decoders && users.clone().all(on_classes) {
            return Problem::new(
                &node.origin,
                format!("`{path}` is not used because pretraining.target = \"classes\""),
                "remove it, or set pretraining.target = \"reconstruction\"",
            );
        }
        let (reason, hint) = match (place.layer, place.condition) {
            (Some(layer), None) => (
                format!("no condition that pretrains layer {layer} uses this shared value"),
                "remove it, or set it inside a condition",
            ),
            (None, Some(_)) if is_pretraining => (
                "every layer of the condition sets its own value".to_owned(),
                "remove it, or set it for a layer",
            ),
            (None, None) => (
                "every condition sets its own value".to_owned(),
                "remove it, or set it inside a condition",
            ),
            _ => (
                "a value that is nearer takes its place".to_owned(),
                "remove it",
            ),
        };
        let says = format!("`{path}` has no effect: {reason}");
        Problem::new(&node.origin, says, hint)
    }

    /// A key of a pretraining that there is not.
    fn not_pretrained(&self, node: &Node, place: Place<'_>, most: usize, layer: usize) -> Problem {
        let path = shown(&node.path);
        let of = |names: &[&str]| {
            let of_condition = place
                .condition
                .and_then(|name| self.root.find(&[&["conditions", name], names].concat()));
            of_condition.or_else(|| self.root.find(names))
        };
        let owner = of(&["pretraining", "layers"]);
        let (owner, value) = owner.map_or_else(
            || ("pretraining.layers".to_owned(), quoted("none")),
            |node| (node.path.clone(), node.to_toml()),
        );
        let (says, hint) = match place.layer {
            Some(layer) if place.condition.is_none() => (
                format!("`{path}` has no effect: no condition pretrains layer {layer}"),
                "remove it, or pretrain more layers".to_owned(),
            ),
            Some(_) if most > 0 && value == quoted("all") => (
                format!("`{path}` has no effect: the condition has {most} hidden layers"),
                "remove it".to_owned(),
            ),
            _ => {
                let all = match layer {
                    0 | 1 => "\"all\"".to_owned(),
                    layer => format!("\"all\" or {layer}"),
                };
                (
                    format!("`{path}` is not used because {} = {value}", shown(&owner)),
                    format!("remove it, or set {} = {all}", shown(&owner)),
                )
            }
        };
        Problem::new(&node.origin, says, hint)
    }
}
