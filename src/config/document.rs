//! What was written, each place checked by itself: the file, what `--set` puts over it, and the grid.

use std::path::Path;

use serde::Deserialize;

use super::de::as_list;
use super::keys::{self, SECTIONS, joined, split};
use super::node::{Node, Value};
use super::problem::{Problem, alternatives, enumerated, shown};
use super::sections::{self, Section, StageSection};
use super::{Origin, Overrides};
use crate::spec::ExperimentName;

/// The longest name of a condition, in characters.
pub(super) const LONGEST_NAME: usize = 40;
/// The most values of one key of the grid.
const MOST_VALUES: usize = 1000;
/// The deepest path of `--set`; the deepest key has six names.
const DEEPEST_PATH: usize = 16;

/// All that was written, each place checked by itself.
pub(super) struct Document {
    pub experiment: ExperimentName,
    pub root: Node,
    pub defaults: Node,
    pub grid: Vec<GridNode>,
}

/// A key of the grid for all, or of a condition's own.
pub(super) struct GridNode {
    /// Whose own grid it is in; absent of the grid for all.
    pub condition: Option<String>,
    pub key: String,
    pub names: Vec<String>,
    pub origin: Origin,
    pub values: Vec<Node>,
}

impl GridNode {
    /// The table that it stands in.
    pub fn table(&self) -> String {
        match &self.condition {
            Some(name) => joined(&joined("conditions", name), "grid"),
            None => "grid".to_owned(),
        }
    }

    /// One of its values inside the sections that it belongs to, as if the condition itself had it, or all conditions.
    pub fn placed(&self, value: &Node) -> Node {
        let condition = self.condition.as_deref();
        let condition: Vec<&str> = condition.map_or_else(Vec::new, |name| vec!["conditions", name]);
        let names = self.names.iter().map(String::as_str);
        let names: Vec<&str> = condition.iter().copied().chain(names).collect();
        let root = value.clone().inside(&names);
        root.find(&condition).cloned().unwrap_or(root)
    }

    /// Whether the condition of this name is crossed with it; of no name, whether every condition is.
    pub fn is_for(&self, condition: Option<&str>) -> bool {
        self.condition.is_none() || self.condition.as_deref() == condition
    }
}

impl Document {
    /// Reads the text of a config and puts `overrides` over it; `None` if it names no experiment.
    pub fn read(text: &str, file: &Path, overrides: &Overrides) -> Result<Option<Self>, Problem> {
        let mut root = Node::parse(text, file)?;
        flatten_grids(&mut root);
        for assignment in &overrides.set {
            set(&mut root, assignment)?;
        }
        if let Some(backend) = overrides.backend {
            let origin = Origin::Flag("--backend");
            let backend = Node::of_argument("run.backend", backend.as_str(), &origin);
            root.put_over(backend.inside(&["run", "backend"]), &[]);
        }
        let experiment = root.get("experiment").map(experiment).transpose()?;
        check_root(&root)?;
        let Some(experiment) = experiment else {
            return Ok(None);
        };
        let mut document = Self {
            experiment,
            defaults: Node::of_defaults("", &sections::defaults(experiment)),
            root,
            grid: Vec::new(),
        };
        document.check_places()?;
        document.grid = document.read_grids()?;
        Ok(Some(document))
    }

    /// Checks every place by itself.
    fn check_places(&self) -> Result<(), Problem> {
        for (name, node) in self.root.entries() {
            match name.as_str() {
                "experiment" | "grid" | "expect" => {}
                "conditions" => {
                    for (name, condition) in node.entries() {
                        check_name(name, &condition.origin)?;
                        if !condition.is_table() {
                            return Err(Problem::section(&condition.origin, &in_header(name)));
                        }
                        for (section, node) in condition.entries() {
                            match section.as_str() {
                                "grid" if node.is_table() => {}
                                "grid" => return Err(Problem::section(&node.origin, &node.path)),
                                _ => self.check_section(section, node, true)?,
                            }
                        }
                    }
                }
                section => self.check_section(section, node, false)?,
            }
        }
        Ok(())
    }

    /// Checks a section, of a condition or for all.
    fn check_section(&self, name: &str, node: &Node, of_condition: bool) -> Result<(), Problem> {
        let known: &[&str] = if of_condition {
            &keys::OF_MODELS
        } else {
            &SECTIONS
        };
        if !known.contains(&name) {
            let inside = node.entries().first().map_or(node, |(_, inside)| inside);
            return Err(keys::unknown(&inside.origin, &inside.path, &[]));
        }
        if !node.is_table() {
            return Err(Problem::section(&node.origin, &node.path));
        }
        let (of_all, layers) = match name {
            "pretraining" => node.without("layer"),
            _ => (node.clone(), None),
        };
        if let Some(layers) = layers {
            check_layers(&layers)?;
        }
        self.check_experiment(name, node)?;
        let mut ours = sections::of(self.experiment).into_iter();
        let section = ours.find(|section| section.name == name);
        let section = section.expect("what only others have was refused");
        (section.check)(&of_all).map_err(|refusal| refusal.problem(node))
    }

    /// Refuses what only the other experiment has.
    fn check_experiment(&self, section: &str, node: &Node) -> Result<(), Problem> {
        let has_section = |experiment: &ExperimentName| {
            let mut sections = sections::of(*experiment).into_iter();
            sections.any(|of| of.name == section)
        };
        let foreign = if has_section(&self.experiment) {
            sections::LIMITED
                .into_iter()
                .find_map(|(of, name, owners)| {
                    let leaf = node.get(name)?;
                    let is_foreign = of == section && !owners.contains(&self.experiment);
                    is_foreign.then(|| (leaf, owners.to_vec()))
                })
        } else {
            let owners = ExperimentName::ALL.into_iter().filter(has_section);
            let leaves = node.leaves();
            leaves
                .first()
                .map(|leaf| (*leaf, owners.collect::<Vec<_>>()))
        };
        let Some((foreign, owners)) = foreign else {
            return Ok(());
        };
        let ours = word(self.experiment);
        let owners: Vec<&str> = owners.into_iter().map(word).collect();
        Err(Problem::new(
            &foreign.origin,
            format!(
                "`{}` is not used because experiment = \"{ours}\"; it belongs to {}",
                shown(&foreign.path),
                enumerated(&owners, '"', "and")
            ),
            format!("remove it, or set experiment = {}", alternatives(&owners)),
        ))
    }

    /// Reads the grid for all, and then those of conditions: each value of each key is one that the key may have.
    fn read_grids(&self) -> Result<Vec<GridNode>, Problem> {
        let entries =
            |node: Option<&Node>| node.map_or_else(Vec::new, |node| node.entries().to_vec());
        let mut grid = Vec::new();
        self.read_grid(None, &entries(self.root.get("grid")), &mut grid)?;
        for (name, condition) in entries(self.root.get("conditions")) {
            self.read_grid(Some(&name), &entries(condition.get("grid")), &mut grid)?;
        }
        Ok(grid)
    }

    /// Reads one grid, after others that were read into `grid`.
    fn read_grid(
        &self,
        condition: Option<&str>,
        entries: &[(String, Node)],
        grid: &mut Vec<GridNode>,
    ) -> Result<(), Problem> {
        for (key, node) in entries {
            let names = split(key);
            let names_of: Vec<&str> = names.iter().map(String::as_str).collect();
            let section = names_of[0];
            if names_of.len() < 2 || !keys::OF_MODELS.contains(&section) {
                let mut problem = keys::unknown(&node.origin, key, &[]);
                if names_of.len() > 1 && SECTIONS.contains(&section)
                    || ["conditions", "grid"].contains(&section)
                {
                    let hint = "a grid varies keys that a condition can set, such as \"sparsity.weight\" or \"training.epochs\"; for one condition alone, write [conditions.NAME.grid]";
                    problem.hints = vec![hint.to_owned()];
                }
                return Err(problem);
            }
            let problem = |says: &str, hint: String| {
                let says = format!("`{}` {says}", shown(&node.path));
                Err(Problem::new(&node.origin, says, hint))
            };
            let Value::List(values) = &node.value else {
                let list = as_list(node, "a list");
                let list =
                    list.unwrap_or_else(|| format!("a list: write [{}]", shown(&node.to_toml())));
                let says = format!("is {} ({})", node.kind(), shown(&node.written()));
                return problem(&says, format!("it must be {list}"));
            };
            if values.is_empty() {
                return problem(
                    "is empty",
                    "give at least one value, or remove the key".to_owned(),
                );
            }
            if values.len() > MOST_VALUES {
                let hint = format!("it may hold {MOST_VALUES} at most");
                return problem(&format!("holds {} values", values.len()), hint);
            }
            for (at, value) in values.iter().enumerate() {
                let place = value.clone().inside(&names_of);
                let checked =
                    self.check_section(section, place.get(section).unwrap_or(value), true);
                checked.map_err(|problem| {
                    // A key is unknown where it is written, not with each of its values.
                    let is_unknown = problem.says.starts_with("unknown key");
                    let known = keys::in_section(section);
                    if is_unknown {
                        keys::unknown(&node.origin, key, &known)
                    } else {
                        problem
                    }
                })?;
                if values[..at].iter().any(|earlier| same(earlier, value)) {
                    let says = format!("holds {} twice", shown(&value.written()));
                    return problem(&says, "write each value once".to_owned());
                }
            }
            let others = || grid.iter().filter(|other| other.is_for(condition));
            if let Some(other) = others().find(|other| other.key == *key) {
                if other.condition.as_deref() == condition {
                    return Err(Problem::duplicate(&node.origin, &node.path));
                }
                let hint = "keep one of them: [grid] is for every condition, [conditions.NAME.grid] for one";
                return problem("is in the grid for all, too", hint.to_owned());
            }
            let inside = |one: &str, other: &str| one.starts_with(&format!("{other}."));
            let mut others = others().map(|other| other.key.as_str());
            if let Some(other) = others.find(|other| inside(key, other) || inside(other, key)) {
                let says = format!("and `{}` set the same choice", shown(other));
                let hint = "vary one of them, with all that it needs: [{ sgd = { momentum = 0.9 } }, \"adam\"]";
                return problem(&says, hint.to_owned());
            }
            grid.push(GridNode {
                condition: condition.map(str::to_owned),
                key: key.clone(),
                origin: node.origin.clone(),
                values: values.clone(),
                names,
            });
        }
        Ok(())
    }
}

/// The values below a node at these keys, and at all others that are no tables.
pub(super) fn flatten<'a>(
    node: &'a Node,
    path: &str,
    is_key: &dyn Fn(&str) -> bool,
    found: &mut Vec<(String, &'a Node)>,
) {
    for (name, node) in node.entries() {
        let key = match path {
            "" => name.clone(),
            path => format!("{path}.{name}"),
        };
        if node.is_table() && !is_key(&key) {
            flatten(node, &key, is_key, found);
        } else {
            found.push((key, node));
        }
    }
}

/// Brings the keys of grids, which may be written as sections, to one name each.
fn flatten_grids(root: &mut Node) {
    flatten_grid(root);
    for (_, condition) in root
        .get_mut("conditions")
        .map_or(&mut [][..], Node::entries_mut)
    {
        flatten_grid(condition);
    }
}

fn flatten_grid(holder: &mut Node) {
    let Some(grid) = holder.get_mut("grid").filter(|grid| grid.is_table()) else {
        return;
    };
    let mut found = Vec::new();
    flatten(grid, "", &|_| false, &mut found);
    let found = found.into_iter().map(|(key, node)| (key, node.clone()));
    grid.value = Value::Table(found.collect());
}

/// Puts `--set key=value` over a tree.
fn set(root: &mut Node, assignment: &str) -> Result<(), Problem> {
    const AS_IN: &str = "write --set key=value, such as --set training.epochs=5";
    let origin = Origin::Set(assignment.to_owned());
    let conditions: Vec<String> = root.get("conditions").map_or_else(Vec::new, |node| {
        node.entries()
            .iter()
            .map(|(name, _)| name.clone())
            .collect()
    });
    // The name of a condition may hold a dot or a `=` of its own.
    let named = conditions.iter().find_map(|name| {
        let paths = [
            format!("conditions.{name}."),
            format!("conditions.\"{name}\"."),
        ];
        let path = paths.iter().find(|path| assignment.starts_with(*path))?;
        Some((name, path.len()))
    });
    let start = named.map_or(0, |(_, length)| length);
    let Some((path, text)) = assignment[start..].split_once('=') else {
        return Err(Problem::new(&origin, "there is no `=`", AS_IN));
    };
    let mut names: Vec<String> = split(path)
        .iter()
        .map(|name| name.trim().to_owned())
        .collect();
    if let Some((name, _)) = named {
        names.splice(0..0, ["conditions".to_owned(), name.clone()]);
    }
    if names.iter().any(String::is_empty) {
        return Err(Problem::new(&origin, "a part of the key is empty", AS_IN));
    }
    if let Some(name) = names.get(1).filter(|_| names[0] == "conditions")
        && !conditions.contains(name)
    {
        let known: Vec<&str> = conditions.iter().map(String::as_str).collect();
        let key = names.join(".");
        return Err(Problem::unknown_condition(&origin, &key, name, &known));
    }
    let grid = if names[0] == "conditions" { 2 } else { 0 };
    if names.get(grid).is_some_and(|name| name == "grid") && names.len() > grid + 2 {
        let key = names.split_off(grid + 1).join(".");
        names.push(key);
    }
    let path = names
        .iter()
        .fold(String::new(), |path, name| joined(&path, name));
    if names.len() > DEEPEST_PATH {
        return Err(keys::unknown(&origin, &path, &[]));
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let value = Node::of_argument(&path, text, &origin);
    root.put_over(value.inside(&names), &[]);
    flatten_grids(root);
    Ok(())
}

/// The experiment that a config names.
fn experiment(node: &Node) -> Result<ExperimentName, Problem> {
    let now = |kind, what| format!("write experiment = \"{kind}\"{what}");
    let renamed = match &node.value {
        Value::Text(word) => match word.as_str() {
            "figure56" => Some(now(
                "autoencoder",
                ", and below [grid] \"sparsity.weight\" = [0, 0.1, 3]",
            )),
            "dead_units" => Some(now("autoencoder", ", and run.seeds = [0, 1, 2, 3, 4]")),
            "pretraining" => Some(now("classifier", "")),
            _ => None,
        },
        _ => None,
    };
    if let Some(hint) = renamed {
        let says = format!(
            "`experiment` is {}, a name of earlier versions",
            node.written()
        );
        return Err(Problem::new(&node.origin, says, hint));
    }
    ExperimentName::deserialize(node).map_err(|refusal| refusal.problem(node))
}

/// Refuses what no config has at its top.
fn check_root(root: &Node) -> Result<(), Problem> {
    for (name, node) in root.entries() {
        let is_section = SECTIONS.contains(&name.as_str());
        match name.as_str() {
            "experiment" if !node.is_table() => {}
            "expect" => {}
            "experiment" => {
                let (_, inside) = node
                    .entries()
                    .first()
                    .cloned()
                    .unwrap_or_else(|| (String::new(), node.clone()));
                return Err(Problem::new(
                    &inside.origin,
                    format!("unknown key `{}`", shown(&inside.path)),
                    keys::known_sections(),
                ));
            }
            "conditions" | "grid" if node.is_table() => {}
            _ if is_section && node.is_table() => {}
            _ if is_section || ["conditions", "grid"].contains(&name.as_str()) => {
                return Err(Problem::section(&node.origin, name));
            }
            _ if node.is_table() && !matches!(node.origin, Origin::Set(_)) => {
                let inside = node.entries().iter().map(|(name, _)| name.as_str());
                let section = joined("", name);
                return Err(keys::unknown_section(&node.origin, &section, inside));
            }
            _ => {
                let leaf = node
                    .leaves()
                    .first()
                    .map_or_else(|| node.path.clone(), |leaf| leaf.path.clone());
                return Err(keys::unknown(&node.origin, &leaf, &[]));
            }
        }
    }
    Ok(())
}

/// Checks what is said of single layers, each by itself.
fn check_layers(layers: &Node) -> Result<(), Problem> {
    if !layers.is_table() {
        return Err(keys::unknown(&layers.origin, &layers.path, &[]));
    }
    for (layer, node) in layers.entries() {
        let is_layer = layer
            .parse()
            .is_ok_and(|number: u32| number > 0 && number.to_string() == *layer);
        if !is_layer {
            let says = format!(
                "`{}`: \"{}\" is not the number of a layer",
                shown(&node.path),
                shown(layer)
            );
            let hint = "layers are counted from 1, as in [pretraining.layer.3]; what holds for all stands in [pretraining]";
            return Err(Problem::new(&node.origin, says, hint));
        }
        if !node.is_table() {
            return Err(Problem::section(&node.origin, &node.path));
        }
        StageSection::read(node).map_err(|refusal| refusal.problem(node))?;
    }
    Ok(())
}

/// Refuses what cannot be the name of a condition.
fn check_name(name: &str, origin: &Origin) -> Result<(), Problem> {
    let length = name.chars().count();
    let fits = (1..=LONGEST_NAME).contains(&length) && name.trim() == name;
    if fits && super::escaped(name) == name && !name.contains(" - ") {
        return Ok(());
    }
    Err(Problem::new(
        origin,
        format!("a condition cannot be called \"{}\"", shown(name)),
        format!(
            "a name is 1 to {LONGEST_NAME} visible characters, does not begin or end with a space, and does not contain \" - \", which report.differences takes for a minus"
        ),
    ))
}

/// The section of a condition, as a header needs it.
fn in_header(name: &str) -> String {
    format!("conditions.{}", super::toml_key(name))
}

pub(super) fn word(experiment: ExperimentName) -> &'static str {
    match experiment {
        ExperimentName::Autoencoder => "autoencoder",
        ExperimentName::Classifier => "classifier",
        ExperimentName::DeepAutoencoder => "deep_autoencoder",
    }
}

/// Whether two values are the same, however their numbers are written.
pub(super) fn same(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        (Value::List(ones), Value::List(others)) => {
            ones.len() == others.len()
                && ones.iter().zip(others).all(|(one, other)| same(one, other))
        }
        (Value::Table(ones), Value::Table(others)) => {
            ones.len() == others.len()
                && ones
                    .iter()
                    .all(|(name, one)| other.get(name).is_some_and(|other| same(one, other)))
        }
        _ => match (number(one), number(other)) {
            (Some(one), Some(other)) => one.total_cmp(&other).is_eq(),
            _ => one.to_toml() == other.to_toml(),
        },
    }
}

pub(super) fn number(node: &Node) -> Option<f64> {
    match node.value {
        Value::Integer(_, number) => number.map(|number| number as f64),
        // −0 is 0.
        Value::Float(_, number) => Some(number + 0.0),
        _ => None,
    }
}
