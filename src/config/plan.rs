//! From trees to a plan: each place is checked by itself; then each condition at each point of the grid is read from the
//! trees that are put over each other for it.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::de::{Refusal, as_list};
use super::keys::{self, Place, SECTIONS, joined, split};
use super::node::{Node, Value};
use super::problem::{Problem, listed, quoted, shown};
use super::rules::{self, Broken};
use super::sections::{
    self, AutoencoderSection, ClassifierTrainingSection, DataSection, NetworkSection,
    OF_CLASSIFIERS, PretrainingSection, ReportKeys, ReportSection, RunSection, Section,
    SparsitySection, StageSection, TrainingSection,
};
use super::{Origin, Overrides, Setting};
use crate::spec::{
    AutoencoderTraining, ClassifierTraining, Condition, Coordinate, Expectation, ExperimentName,
    Form, GridKey, Model, Over, Plan, Promise, Report, Seeds, Transfer,
};

/// The longest name of a condition, in characters.
const LONGEST_NAME: usize = 40;
/// The most values of one key of the grid, and the most conditions of a run.
const MOST_VALUES: usize = 1000;
const MOST_CONDITIONS: usize = 10_000;
/// The deepest path of `--set`; the deepest key has six names.
const DEEPEST_PATH: usize = 16;

/// All that was written, each place checked by itself.
pub(super) struct Document {
    experiment: ExperimentName,
    root: Node,
    defaults: Node,
    grid: Vec<GridNode>,
}

/// A key of the grid.
struct GridNode {
    key: String,
    names: Vec<String>,
    origin: Origin,
    values: Vec<Node>,
}

/// What a document comes to.
pub(super) struct Resolved {
    pub plan: Plan,
    pub values: Vec<Setting>,
    pub conditions: Vec<String>,
    /// The promises, as TOML.
    pub promises: String,
}

impl Document {
    /// Reads the text of a config and puts `overrides` over it; `None` if it names no experiment.
    pub fn read(text: &str, file: &Path, overrides: &Overrides) -> Result<Option<Self>, Problem> {
        let mut root = Node::parse(text, file)?;
        flatten_grid(&mut root);
        for assignment in &overrides.set {
            set(&mut root, assignment)?;
        }
        if let Some(backend) = overrides.backend {
            let origin = Origin::Flag("--backend");
            let backend = Node::of_argument("run.backend", backend.as_str(), &origin);
            root.put_over(backend.inside(&["run", "backend"]), &[]);
        }
        let experiment = match root.get("experiment") {
            Some(node) => experiment(node)?,
            None => {
                check_root(&root)?;
                return Ok(None);
            }
        };
        check_root(&root)?;
        let mut document = Self {
            experiment,
            defaults: Node::of_defaults("", &sections::defaults(experiment)),
            root,
            grid: Vec::new(),
        };
        document.check_places()?;
        document.grid = document.read_grid()?;
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
                            self.check_section(section, node, true)?;
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
        sections::check(self.experiment, name, &of_all).map_err(|refusal| refusal.problem(node))
    }

    /// Refuses what only the other experiment has.
    fn check_experiment(&self, section: &str, node: &Node) -> Result<(), Problem> {
        let other = match self.experiment {
            ExperimentName::Autoencoder => ExperimentName::Classifier,
            ExperimentName::Classifier => ExperimentName::Autoencoder,
        };
        let of_other = |section| {
            !sections::of(self.experiment).contains(&section)
                && sections::of(other).contains(&section)
        };
        let foreign = if of_other(section) {
            node.leaves().first().copied()
        } else if self.experiment == ExperimentName::Autoencoder {
            let mut keys = OF_CLASSIFIERS.iter();
            keys.find_map(|key| node.get(key[1]).filter(|_| key[0] == section))
        } else {
            None
        };
        let Some(foreign) = foreign else {
            return Ok(());
        };
        let (ours, other) = (word(self.experiment), word(other));
        Err(Problem::new(
            &foreign.origin,
            format!(
                "`{}` is not used because experiment = \"{ours}\"; it belongs to \"{other}\"",
                shown(&foreign.path)
            ),
            format!("remove it, or set experiment = \"{other}\""),
        ))
    }

    /// Reads the grid: each value of each key is one that the key may have.
    fn read_grid(&self) -> Result<Vec<GridNode>, Problem> {
        let mut grid = Vec::new();
        let entries = self.root.get("grid").map_or(&[][..], Node::entries);
        for (key, node) in entries {
            let names = split(key);
            let names_of: Vec<&str> = names.iter().map(String::as_str).collect();
            let section = names_of[0];
            if names_of.len() < 2 || !keys::OF_MODELS.contains(&section) {
                let mut problem = keys::unknown(&node.origin, key, &[]);
                if names_of.len() > 1 && SECTIONS.contains(&section) || section == "conditions" {
                    let hint = "a grid varies keys of the model, such as \"sparsity.weight\"";
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
                    match is_unknown {
                        true => keys::unknown(&node.origin, key, &known),
                        false => problem,
                    }
                })?;
                if values[..at].iter().any(|earlier| same(earlier, value)) {
                    let says = format!("holds {} twice", shown(&value.written()));
                    return problem(&says, "write each value once".to_owned());
                }
            }
            let inside = |one: &str, other: &str| one.starts_with(&format!("{other}."));
            let mut others = grid.iter().map(|other: &GridNode| other.key.as_str());
            if let Some(other) = others.find(|other| inside(key, other) || inside(other, key)) {
                let says = format!("and `{}` set the same choice", shown(other));
                let hint = "vary one of them, with all that it needs: [{ sgd = { momentum = 0.9 } }, \"adam\"]";
                return problem(&says, hint.to_owned());
            }
            grid.push(GridNode {
                key: key.clone(),
                origin: node.origin.clone(),
                values: values.clone(),
                names,
            });
        }
        Ok(grid)
    }

    /// The plan, if it holds.
    pub fn resolve(self, name: &str) -> Result<Resolved, Problem> {
        let experiment = self.experiment;
        let of_section = |name: &str| {
            let mut node = self.defaults.get(name).cloned();
            let node = node.get_or_insert_with(|| Node::empty(name, &Origin::Default));
            if let Some(written) = self.root.get(name) {
                node.put_over(written.clone(), &[name]);
            }
            node.clone()
        };
        let (run_node, data_node) = (of_section("run"), of_section("data"));
        let run = RunSection::read(&run_node).map_err(|refusal| refusal.problem(&run_node))?;
        let data = DataSection::read(&data_node).map_err(|refusal| refusal.problem(&data_node))?;

        // A model by itself is a condition that is called as the config is.
        let alone = [(as_name(name), Node::empty("", &Origin::Default))];
        let groups: Vec<Option<&(String, Node)>> = match self.root.get("conditions") {
            Some(node) if !node.entries().is_empty() => node.entries().iter().map(Some).collect(),
            _ if self.grid.is_empty() => alone.iter().map(Some).collect(),
            _ => vec![None],
        };
        let points: usize = self.grid.iter().map(|key| key.values.len()).product();
        if groups.len().saturating_mul(points) > MOST_CONDITIONS {
            let last = self
                .grid
                .last()
                .map_or(Origin::Default, |key| key.origin.clone());
            return Err(Problem::new(
                &last,
                format!("the grid makes {} conditions", groups.len() * points),
                format!("a run may have {MOST_CONDITIONS} at most"),
            ));
        }
        let mut record = Record::default();
        let mut conditions: Vec<Condition> = Vec::new();
        for group in &groups {
            for point in 0..points {
                let values = self.point(point);
                let condition = self.condition(*group, &values, &mut record)?;
                if conditions.iter().any(|known| known.name == condition.name) {
                    return Err(self.same_name(&condition.name, *group));
                }
                conditions.push(condition);
            }
        }
        self.check_used(&record, &conditions)?;

        let mut values = Vec::new();
        let origin = |node: Option<&Node>| node.map_or(Origin::Default, |node| node.origin.clone());
        values.push(Setting {
            key: "experiment".to_owned(),
            value: quoted(word(experiment)),
            origin: origin(self.root.get("experiment")),
        });
        for (name, node, keys) in [
            ("run", &run_node, run.write()),
            ("data", &data_node, data.write()),
        ] {
            for (key, value) in keys.iter().filter(|(key, _)| node.get(key).is_some()) {
                values.push(Setting {
                    key: format!("{name}.{key}"),
                    value: shortest(value),
                    origin: origin(node.get(key)),
                });
            }
        }
        let named: Vec<String> = groups
            .iter()
            .flatten()
            .map(|(name, _)| name.clone())
            .collect();
        values.extend(record.sorted(&named, |settings| {
            for key in &self.grid {
                let values: Vec<String> = key.values.iter().map(Node::to_toml).collect();
                settings.push(Setting {
                    key: joined("grid", &key.key),
                    value: format!("[{}]", values.join(", ")),
                    origin: key.origin.clone(),
                });
            }
            if let Some(node) = self.root.get("report") {
                for (name, node) in node.entries() {
                    settings.push(Setting {
                        key: joined("report", name),
                        value: node.to_toml(),
                        origin: node.origin.clone(),
                    });
                }
            }
        }));
        let report = self.report(&conditions)?;
        let (expectations, promises) = self.expectations(&named)?;
        Ok(Resolved {
            plan: Plan {
                experiment,
                run: run.run,
                data: data.data,
                grid: self
                    .grid
                    .iter()
                    .map(|key| GridKey {
                        key: key.key.clone(),
                        values: key.values.iter().map(Node::to_toml).collect(),
                    })
                    .collect(),
                conditions,
                report,
                expectations,
            },
            values,
            conditions: named,
            promises,
        })
    }

    /// The values of a point of the grid, whose first key moves slowest.
    fn point(&self, point: usize) -> Vec<(&GridNode, &Node)> {
        let mut rest = point;
        let mut values: Vec<_> = self
            .grid
            .iter()
            .rev()
            .map(|key| {
                let value = &key.values[rest % key.values.len()];
                rest /= key.values.len();
                (key, value)
            })
            .collect();
        values.reverse();
        values
    }

    /// Reads a condition at a point of the grid.
    fn condition(
        &self,
        group: Option<&(String, Node)>,
        point: &[(&GridNode, &Node)],
        record: &mut Record,
    ) -> Result<Condition, Problem> {
        let mut own = group.map_or_else(
            || Node::empty("", &Origin::Default),
            |(_, node)| node.clone(),
        );
        for (key, value) in point {
            let names: Vec<&str> = key.names.iter().map(String::as_str).collect();
            own.put_over((*value).clone().inside(&names), &[]);
        }
        let name = self.name(group.map(|(name, _)| name.as_str()), point);
        let trees = Trees {
            defaults: &self.defaults,
            all: &self.root,
            own: &own,
            condition: &name,
        };
        let model = match self.experiment {
            ExperimentName::Autoencoder => Model::Autoencoder(trees.autoencoder(record)?),
            ExperimentName::Classifier => Model::Classifier(trees.classifier(record)?),
        };
        let at = point.iter().map(|(key, value)| Coordinate {
            key: key.key.clone(),
            value: value.to_toml(),
        });
        Ok(Condition {
            group: group.map(|(name, _)| name.clone()),
            at: at.collect(),
            name,
            model,
        })
    }

    /// `D`, `β = 0.1`, `D, hidden units = 50`.
    fn name(&self, group: Option<&str>, point: &[(&GridNode, &Node)]) -> String {
        let symbols: Vec<String> = self.grid.iter().map(|key| symbol(&key.key)).collect();
        let mut parts: Vec<String> = group.map(str::to_owned).into_iter().collect();
        for (key, value) in point {
            let short = symbol(&key.key);
            let is_alone = symbols.iter().filter(|other| **other == short).count() == 1;
            let symbol = if is_alone {
                short
            } else {
                key.key.replace(['_', '.'], " ")
            };
            parts.push(format!("{symbol} = {}", readable(value)));
        }
        parts.join(", ")
    }

    fn same_name(&self, name: &str, group: Option<&(String, Node)>) -> Problem {
        let grid = self.grid.first().map(|key| key.origin.clone());
        let group = group.map(|(_, node)| node.origin.clone());
        Problem::new(
            &grid.or(group).unwrap_or(Origin::Default),
            format!("two conditions are called \"{}\"", shown(name)),
            "give the conditions other names",
        )
    }

    /// Refuses the first value that no condition used.
    fn check_used(&self, record: &Record, conditions: &[Condition]) -> Result<(), Problem> {
        let mut places: Vec<&Node> = Vec::new();
        for (name, node) in self.root.entries() {
            if keys::OF_MODELS.contains(&name.as_str()) || name == "conditions" {
                places.extend(node.leaves());
            }
        }
        let unused = places.into_iter().filter(|node| {
            let names = split(&node.path);
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let is_key = match Place::of(&names) {
                Place {
                    names: [_, _, ..], ..
                } => true,
                Place {
                    layer: Some(_),
                    names: [_],
                    ..
                } => true,
                _ => false,
            };
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
            key == grid.key
                || key.starts_with(&format!("{}.", grid.key))
                || grid.key.starts_with(&format!("{key}."))
        };
        if let Some(grid) = self.grid.iter().find(covers) {
            return Problem::new(
                &node.origin,
                format!(
                    "`{path}` has no effect: the grid sets `{}`",
                    shown(&grid.key)
                ),
                match &node.origin {
                    Origin::Set(_) => format!(
                        "set the grid's values instead: --set grid.{}=[{}]",
                        shown(&grid.key),
                        shown(&node.to_toml())
                    ),
                    _ => "remove it, or take the key out of [grid]".to_owned(),
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

    fn report(&self, conditions: &[Condition]) -> Result<Report, Problem> {
        let empty = Node::empty("report", &Origin::Default);
        let section = self.root.get("report").unwrap_or(&empty);
        let ReportSection {
            report:
                ReportKeys {
                    evidence,
                    differences,
                    layers_of,
                },
        } = ReportSection::read(section).map_err(|refusal| refusal.problem(section))?;
        let names = Names {
            conditions,
            section,
        };
        let is_deep = |at: &usize| {
            let classifier = conditions[*at].classifier();
            classifier.is_some_and(|training| !training.classifier.hidden_units.is_empty())
        };
        names.distinct("evidence", evidence.as_deref().unwrap_or_default())?;
        Ok(Report {
            evidence,
            differences: names.differences(&differences.unwrap_or_default())?,
            layers_of: match layers_of {
                None => (0..conditions.len()).filter(is_deep).collect(),
                Some(chosen) => names.layers_of(&chosen, is_deep)?,
            },
        })
    }

    /// The promises, and how they are written; those of points that `--set` took from the grid are left out.
    fn expectations(&self, named: &[String]) -> Result<(Vec<Expectation>, String), Problem> {
        let Some(node) = self.root.get("expect") else {
            return Ok((Vec::new(), String::new()));
        };
        let Value::List(items) = &node.value else {
            return Err(Problem::new(
                &node.origin,
                "`expect` is a list of promises",
                "begin each with [[expect]], in two brackets",
            ));
        };
        let (mut expectations, mut text) = (Vec::new(), String::new());
        for item in items {
            let keys = ExpectKeys::deserialize(item).map_err(|refusal| refusal.problem(item))?;
            let at = self.coordinates(item.get("at"), named)?;
            let minus = item.get("minus");
            let off = self.coordinates(minus, named)?;
            let promise = keys.promise().map_err(|refusal| refusal.problem(item))?;
            let (Some(at), Some(off)) = (at, off) else {
                continue;
            };
            text.push_str("\n[[expect]]\n");
            for (name, value) in item.entries() {
                let line = [
                    super::toml_key(name),
                    " = ".to_owned(),
                    value.to_toml(),
                    "\n".to_owned(),
                ];
                text.extend(line);
            }
            expectations.push(Expectation {
                that: keys.that,
                at,
                minus: minus.map(|_| off),
                epoch: keys.epoch,
                promise,
                over: keys.over,
                seeds: keys.seeds.map(|SeedList(seeds)| seeds),
                source: keys.source,
            });
        }
        Ok((expectations, text))
    }

    /// What stands at keys of the grid and at "condition", however the keys are written.
    fn flattened<'a>(&self, node: &'a Node) -> Vec<(String, &'a Node)> {
        let is_key = |key: &str| key == "condition" || self.grid.iter().any(|grid| grid.key == key);
        let mut found = Vec::new();
        flatten(node, "", &is_key, &mut found);
        found
    }

    /// The coordinates that a promise names; `None` if `--set` took them away.
    fn coordinates(
        &self,
        node: Option<&Node>,
        named: &[String],
    ) -> Result<Option<Vec<Coordinate>>, Problem> {
        let Some(node) = node else {
            return Ok(Some(Vec::new()));
        };
        let is_of_set = |origin: &Origin| matches!(origin, Origin::Set(_));
        let mut found = Vec::new();
        for (key, value) in self.flattened(node) {
            let place = |value: String| Coordinate {
                key: key.clone(),
                value,
            };
            if key == "condition" {
                let names: Vec<&str> = named.iter().map(String::as_str).collect();
                match &value.value {
                    Value::Text(name) if named.contains(name) => found.push(place(quoted(name))),
                    _ => {
                        let name = value.to_toml();
                        let name = match &value.value {
                            Value::Text(name) => name,
                            _ => &name,
                        };
                        let path = &value.path;
                        return Err(Problem::unknown_condition(
                            &value.origin,
                            path,
                            name,
                            &names,
                        ));
                    }
                }
                continue;
            }
            let Some(grid) = self.grid.iter().find(|grid| grid.key == key) else {
                let grid: Vec<&str> = self.grid.iter().map(|grid| grid.key.as_str()).collect();
                let hint = match &grid[..] {
                    [] => "name a condition, as in at = { condition = \"D\" }".to_owned(),
                    keys => format!(
                        "the grid has {}; a condition is named by \"condition\"",
                        listed(keys)
                    ),
                };
                let says = format!("`{}` is no key of the grid", shown(&value.path));
                return Err(Problem::new(&value.origin, says, hint));
            };
            match grid.values.iter().find(|known| same(known, value)) {
                Some(known) => found.push(place(known.to_toml())),
                None if is_of_set(&grid.origin) => return Ok(None),
                None => {
                    let values: Vec<String> = grid.values.iter().map(Node::to_toml).collect();
                    return Err(Problem::new(
                        &value.origin,
                        format!(
                            "`{}` is {}, which is no value of the grid",
                            shown(&value.path),
                            shown(&value.written())
                        ),
                        format!("the grid has {}", shown(&values.join(", "))),
                    ));
                }
            }
        }
        Ok(Some(found))
    }
}

/// The trees that a condition is read from, from the furthest to the nearest.
struct Trees<'a> {
    defaults: &'a Node,
    all: &'a Node,
    own: &'a Node,
    /// The condition's name.
    condition: &'a str,
}

impl Trees<'_> {
    fn section(&self, name: &str) -> Node {
        self.put_together(name, None)
    }

    /// A section; or, of the pretraining, what holds for one layer, counted from 1.
    fn put_together(&self, name: &str, layer: Option<usize>) -> Node {
        let layer = layer.map(|layer| layer.to_string());
        let mut node = self
            .defaults
            .get(name)
            .map_or_else(|| Node::empty(name, &Origin::Default), Node::clone);
        for tree in [self.all, self.own] {
            let Some(section) = tree.get(name) else {
                continue;
            };
            let (of_all, layers) = section.without("layer");
            node.put_over(of_all, &[name]);
            let of_layer = layer.as_ref().and_then(|layer| layers.as_ref()?.get(layer));
            if let Some(of_layer) = of_layer {
                node.put_over(of_layer.clone(), &[name]);
            }
        }
        if layer.is_some() {
            for name in keys::OF_ALL_LAYERS {
                node = node.without(name).0;
            }
        }
        node
    }

    /// Reads a section, and notes its settings.
    fn read<T: Section>(&self, name: &str, node: &Node, record: &mut Record) -> Result<T, Problem> {
        let section = T::read(node).map_err(|refusal: Refusal| refusal.problem(node))?;
        record.note(name, node, &section.write());
        Ok(section)
    }

    fn autoencoder(&self, record: &mut Record) -> Result<AutoencoderTraining, Problem> {
        let nodes = ["autoencoder", "sparsity", "training"].map(|name| self.section(name));
        let AutoencoderSection { spec, disturbance } =
            self.read("autoencoder", &nodes[0], record)?;
        let SparsitySection { term } = self.read("sparsity", &nodes[1], record)?;
        let TrainingSection { training } = self.read("training", &nodes[2], record)?;
        let model = AutoencoderTraining {
            autoencoder: spec,
            sparsity: term,
            corruption: disturbance.corruption,
            training,
        };
        rules::autoencoder(&model).map_err(|broken| self.broken(broken, None))?;
        Ok(model)
    }

    fn classifier(&self, record: &mut Record) -> Result<ClassifierTraining, Problem> {
        let (network, training) = (self.section("network"), self.section("training"));
        let NetworkSection { spec } = self.read("network", &network, record)?;
        let ClassifierTrainingSection {
            training: fine_tuning,
            trained,
        } = self.read("training", &training, record)?;
        let node = self.section("pretraining");
        let pretraining = PretrainingSection::read(&node);
        let extent = pretraining
            .map_err(|refusal| refusal.problem(&node))?
            .extent;
        let broken = |broken| self.broken(broken, None);
        rules::training("training", &fine_tuning).map_err(broken)?;
        let layers = rules::layers(self.condition, extent.layers, &spec).map_err(broken)?;
        let mut keys = toml::Table::try_from(&extent).expect("two words");
        if layers == 0 {
            keys.remove("transfer");
        }
        record.note("pretraining", &only(&node, &keys), &keys);
        let mut stages = Vec::with_capacity(layers);
        for layer in 0..layers {
            let node = self.put_together("pretraining", Some(layer + 1));
            let stage: StageSection = self.read("pretraining", &node, record)?;
            let stage = stage.of_layer(&spec, layer);
            rules::stage(&stage, layer + 1)
                .map_err(|broken| self.broken(broken, Some(layer + 1)))?;
            stages.push(stage);
        }
        Ok(ClassifierTraining {
            classifier: spec,
            stages,
            transfer: if layers == 0 {
                Transfer::Copy
            } else {
                extent.transfer
            },
            training: fine_tuning,
            trained_layers: trained.trained_layers,
        })
    }

    fn broken(&self, broken: Broken, layer: Option<usize>) -> Problem {
        broken.at(|key| {
            let names: Vec<&str> = key.split('.').collect();
            let of_layer = layer.filter(|_| names[0] == "pretraining");
            let node = self.put_together(names[0], of_layer);
            node.find(&names[1..]).map(|node| node.origin.clone())
        })
    }
}

/// A table with some of its keys.
fn only(node: &Node, keys: &toml::Table) -> Node {
    let mut node = node.clone();
    if let Value::Table(entries) = &mut node.value {
        entries.retain(|(name, _)| keys.contains_key(name));
    }
    node
}

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
struct Record {
    used: HashSet<String>,
    settings: Vec<Setting>,
    keys: BTreeSet<String>,
}

impl Record {
    /// Notes a section that was read: what of the tree was used, and each key's value as it was understood.
    fn note(&mut self, section: &str, node: &Node, keys: &toml::Table) {
        self.use_up(node);
        self.note_table(section, Some(node), keys);
    }

    fn use_up(&mut self, node: &Node) {
        if !self.used.contains(&node.path) || node.is_table() {
            self.used.insert(node.path.clone());
        }
        for (_, node) in node.entries() {
            self.use_up(node);
        }
    }

    /// `path` is where a key stands that nobody wrote.
    fn note_table(&mut self, path: &str, node: Option<&Node>, keys: &toml::Table) {
        for (name, value) in keys {
            let inner = node.and_then(|node| node.get(name));
            // What a choice leaves out stands where the choice stands.
            let path = inner.map_or_else(|| joined(path, name), |inner| inner.path.clone());
            match value {
                toml::Value::Table(keys) if word_alone(keys).is_none() => {
                    self.note_table(&path, inner, keys);
                }
                value => {
                    let word = value.as_table().and_then(word_alone);
                    let value = word.map_or_else(|| shortest(value), quoted);
                    let origin = inner.map_or(Origin::Default, |inner| inner.origin.clone());
                    if !path.starts_with("grid.") && self.keys.insert(path.clone()) {
                        self.settings.push(Setting {
                            key: path,
                            value,
                            origin,
                        });
                    }
                }
            }
        }
    }

    /// The settings in the order of a config; `between` adds those that stand before the conditions.
    fn sorted(
        self,
        conditions: &[String],
        between: impl FnOnce(&mut Vec<Setting>),
    ) -> Vec<Setting> {
        let place = |setting: &Setting| {
            let names = split(&setting.key);
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let place = Place::of(&names);
            let condition = place
                .condition
                .and_then(|name| conditions.iter().position(|known| known == name));
            let layer: usize = place
                .layer
                .and_then(|layer| layer.parse().ok())
                .unwrap_or(0);
            let section = match place.layer {
                Some(_) => "pretraining",
                None => place.names.first().copied().unwrap_or_default(),
            };
            let section = SECTIONS.iter().position(|known| *known == section);
            (condition.map_or(0, |at| at + 1), section, layer)
        };
        let mut settings = self.settings;
        settings.sort_by_key(place);
        let first = settings.partition_point(|setting| place(setting).0 == 0);
        let of_conditions = settings.split_off(first);
        between(&mut settings);
        settings.extend(of_conditions);
        settings
    }
}

/// Finds conditions by their names.
struct Names<'a> {
    conditions: &'a [Condition],
    section: &'a Node,
}

impl Names<'_> {
    fn problem(&self, key: &str, says: &str, hint: &str) -> Problem {
        let node = self.section.get(key).unwrap_or(self.section);
        let says = format!("`{}` {says}", shown(&node.path));
        Problem::new(&node.origin, says, hint)
    }

    fn distinct(&self, key: &str, texts: &[String]) -> Result<(), Problem> {
        let mut texts = texts.iter().enumerate();
        let all = texts.clone();
        match texts.find(|(at, text)| all.clone().take(*at).any(|(_, other)| other == *text)) {
            Some((_, text)) => {
                let says = format!("holds \"{}\" twice", shown(text));
                Err(self.problem(key, &says, "write each value once"))
            }
            None => Ok(()),
        }
    }

    /// The condition of this name; or the conditions of this group, in the order of the grid.
    fn called(&self, key: &str, name: &str) -> Result<Vec<usize>, Problem> {
        let by = |is: &dyn Fn(&Condition) -> bool| -> Vec<usize> {
            let conditions = self.conditions.iter().enumerate();
            conditions
                .filter(|(_, condition)| is(condition))
                .map(|(at, _)| at)
                .collect()
        };
        let exact = by(&|condition| condition.name == name);
        let group = by(&|condition| condition.group.as_deref() == Some(name));
        match (&exact[..], &group[..]) {
            ([], []) => {
                let node = self.section.get(key).unwrap_or(self.section);
                let mut names: Vec<&str> = self
                    .conditions
                    .iter()
                    .map(|condition| condition.group.as_deref().unwrap_or(&condition.name))
                    .collect();
                names.dedup();
                Err(Problem::unknown_condition(
                    &node.origin,
                    &node.path,
                    name,
                    &names,
                ))
            }
            ([], _) => Ok(group),
            _ => Ok(exact),
        }
    }

    /// Pairs of conditions, from "D - B": of groups, pair by pair along the grid.
    fn differences(&self, texts: &[String]) -> Result<Vec<(usize, usize)>, Problem> {
        const KEY: &str = "differences";
        let mut pairs = Vec::new();
        for text in texts {
            let names = text.split_once(" - ").map(|(a, b)| (a.trim(), b.trim()));
            let Some((minuend, subtrahend)) = names.filter(|(a, b)| a != b) else {
                let says = format!("holds \"{}\", which is not a difference", shown(text));
                let hint = "write two names of conditions, as in \"D - B\"";
                return Err(self.problem(KEY, &says, hint));
            };
            let (minuends, subtrahends) =
                (self.called(KEY, minuend)?, self.called(KEY, subtrahend)?);
            for (at, &minuend) in minuends.iter().enumerate() {
                let subtrahend = subtrahends.get(at).or(subtrahends.first());
                let pair = (
                    minuend,
                    *subtrahend.expect("a name is of one condition at least"),
                );
                // The same difference with other spaces is the same difference.
                if pairs.contains(&pair) {
                    let says = format!("holds \"{}\" twice", shown(text));
                    return Err(self.problem(KEY, &says, "write each value once"));
                }
                pairs.push(pair);
            }
        }
        Ok(pairs)
    }

    fn layers_of(
        &self,
        texts: &[String],
        is_deep: impl Fn(&usize) -> bool,
    ) -> Result<Vec<usize>, Problem> {
        const KEY: &str = "layers_of";
        self.distinct(KEY, texts)?;
        let mut found = Vec::new();
        for text in texts {
            let at = self.called(KEY, text)?;
            if !at.iter().all(&is_deep) {
                let says = format!("names \"{}\", which has no hidden layer", shown(text));
                let hint = "name conditions with hidden layers, or leave the key out";
                return Err(self.problem(KEY, &says, hint));
            }
            found.extend(at);
        }
        Ok(found)
    }
}

/// A promise as it is written.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectKeys {
    /// The quantity by name, such as "test accuracy".
    that: String,
    /// Of which conditions: { condition = "D", "sparsity.weight" = 0.1 }; left out: every condition.
    #[serde(default)]
    #[schemars(with = "std::collections::BTreeMap<String, serde_json::Value>")]
    #[allow(
        dead_code,
        reason = "it is read from the tree, where each value has its place"
    )]
    at: IgnoredAny,
    /// The same quantity of this condition is taken off, seed by seed.
    #[serde(default)]
    #[schemars(with = "std::collections::BTreeMap<String, serde_json::Value>")]
    #[allow(dead_code, reason = "as above")]
    minus: IgnoredAny,
    /// After which epoch, counted from 1; left out: the last.
    #[serde(default)]
    epoch: Option<usize>,
    /// The smallest and the largest that it may be.
    #[serde(default)]
    within: Option<Vec<f64>>,
    /// What it will be, up to the tolerance.
    #[serde(default)]
    value: Option<f64>,
    /// How far from the value it may be.
    #[serde(default)]
    tolerance: Option<f64>,
    /// The word that it will be.
    #[serde(default)]
    is: Option<String>,
    /// Of what the promise speaks.
    #[serde(default)]
    over: Over,
    /// Of which seeds; left out: all of the run's.
    #[serde(default)]
    seeds: Option<SeedList>,
    /// Who says so: a paper's table, or this program's own runs.
    source: String,
}

#[derive(Deserialize, JsonSchema)]
struct SeedList(#[serde(with = "Seeds")] Vec<u64>);

impl ExpectKeys {
    fn promise(&self) -> Result<Promise, Refusal> {
        let Self {
            within,
            value,
            tolerance,
            is,
            ..
        } = self;
        Ok(match (within.as_deref(), value, tolerance, is) {
            (Some(&[low, high]), None, None, None) if low <= high => Promise::Within { low, high },
            (None, Some(value), tolerance, None)
                if value.is_finite() && tolerance.is_none_or(|tolerance| tolerance >= 0.0) =>
            {
                Promise::Near {
                    value: *value,
                    tolerance: tolerance.unwrap_or(0.0),
                }
            }
            (None, None, None, Some(word)) => Promise::Is {
                // As records write words.
                word: word.trim().replace(' ', "_"),
            },
            _ => {
                return Err(serde::de::Error::custom(
                    "makes no promise that can be held against a number or a word\n\
                     write one of: within = [low, high]; value = 98.1 and tolerance = 0.2; is = \"strokes\"",
                ));
            }
        })
    }
}

/// The values below a node at these keys, and at all others that are no tables.
fn flatten<'a>(
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

/// Brings the keys of the grid, which may be written as sections, to one name each.
fn flatten_grid(root: &mut Node) {
    let Value::Table(entries) = &mut root.value else {
        return;
    };
    let Some((_, grid)) = entries.iter_mut().find(|(name, _)| name == "grid") else {
        return;
    };
    if !grid.is_table() {
        return;
    }
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
    if names[0] == "grid" && names.len() > 2 {
        names = vec!["grid".to_owned(), names[1..].join(".")];
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
    flatten_grid(root);
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
            let says = format!("`{}` is no layer's pretraining", shown(&node.path));
            let hint = "layers are counted from 1, as in [pretraining.layer.3]";
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
            "a name is 1 to {LONGEST_NAME} visible characters, with spaces only between others, and without \" - \", which subtracts"
        ),
    ))
}

/// A config's name as the name of a condition.
fn as_name(config: &str) -> String {
    let name: String = super::escaped(config).replace(" - ", "-");
    let name: String = name.trim().chars().take(LONGEST_NAME).collect();
    match name.trim() {
        "" => "model".to_owned(),
        name => name.to_owned(),
    }
}

/// The section of a condition, as a header needs it.
fn in_header(name: &str) -> String {
    format!("conditions.{}", super::toml_key(name))
}

fn word(experiment: ExperimentName) -> &'static str {
    match experiment {
        ExperimentName::Autoencoder => "autoencoder",
        ExperimentName::Classifier => "classifier",
    }
}

/// Whether two values are the same, however their numbers are written.
fn same(one: &Node, other: &Node) -> bool {
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
            (Some(one), Some(other)) => one == other,
            _ => one.to_toml() == other.to_toml(),
        },
    }
}

fn number(node: &Node) -> Option<f64> {
    match node.value {
        Value::Integer(_, number) => number.map(|number| number as f64),
        Value::Float(_, number) => Some(number),
        _ => None,
    }
}

/// What a key is called in the names of conditions.
fn symbol(key: &str) -> String {
    let name = key.rsplit_once('.').map_or(key, |(_, name)| name);
    match name {
        "weight" if key.ends_with("sparsity.weight") => "β".to_owned(),
        "target" => "ρ".to_owned(),
        "weight_decay" => "λ".to_owned(),
        "learning_rate" => "η".to_owned(),
        name => name.replace('_', " "),
    }
}

/// A value in the name of a condition.
fn readable(node: &Node) -> String {
    match &node.value {
        Value::Text(text) => text.replace('_', " "),
        Value::List(items) => match &items[..] {
            [] => "none".to_owned(),
            [first, _, ..] if items.iter().all(|item| same(first, item)) => {
                format!("{} x {}", items.len(), readable(first))
            }
            items => items.iter().map(readable).collect::<Vec<_>>().join(", "),
        },
        Value::Table(entries) => {
            let entry = |(name, node): &(String, Node)| {
                format!("{} {}", name.replace('_', " "), readable(node))
            };
            entries.iter().map(entry).collect::<Vec<_>>().join(", ")
        }
        _ => match number(node) {
            Some(number) => (number + 0.0).to_string(),
            None => node.written(),
        },
    }
}
