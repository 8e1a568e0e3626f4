//! From trees to a plan: each condition at each point of the grid is read from the trees that are put over each other
//! for it.

use super::de::Refusal;
use super::document::{Document, GridNode, LONGEST_NAME, number, same};
use super::keys::{self, joined};
use super::node::{Node, Value};
use super::problem::{Problem, shown};
use super::record::Record;
use super::rules::{self, Broken};
use super::sections::{
    self, AutoencoderSection, ClassifierTrainingSection, DataSection, DeepNetworkSection,
    DeepTrainingSection, Extent, NetworkSection, PretrainingSection, RunSection, Section,
    SparsitySection, StageSection, TrainingSection,
};
use super::{Origin, Setting};
use crate::spec::{
    Activation, AutoencoderTraining, ClassifierTraining, Condition, Coordinate,
    DeepAutoencoderTraining, ExperimentName, GridKey, Initialization, Model, Plan, SparsityKind,
    Target, Transfer,
};

/// The most conditions of a run.
const MOST_CONDITIONS: usize = 10_000;

/// What a document comes to.
pub(super) struct Resolved {
    pub plan: Plan,
    pub values: Vec<Setting>,
    pub conditions: Vec<String>,
    /// Where the plan's expectations stand, and all of them as TOML.
    pub promised_at: Vec<Origin>,
    pub promises: String,
}

impl Document {
    /// The plan, if it holds.
    pub fn resolve(self, name: &str) -> Result<Resolved, Problem> {
        let entries = |name: &str| self.root.get(name).map_or(&[][..], Node::entries);
        let entries = |name: &str| entries(name).iter().map(|(_, node)| node);
        let nothing = Node::empty("", &Origin::Default);
        let of_all = Trees {
            defaults: &self.defaults,
            all: &self.root,
            own: &nothing,
            condition: name,
            validation_images: 0,
        };
        let (run_node, data_node) = (of_all.section("run"), of_all.section("data"));
        let run = RunSection::read(&run_node).map_err(|refusal| refusal.problem(&run_node))?;
        let data = DataSection::read(&data_node).map_err(|refusal| refusal.problem(&data_node))?;

        // A model by itself is a condition that is called as the config is.
        let alone = [(as_name(name), nothing.clone())];
        let groups: Vec<Option<&(String, Node)>> = match self.root.get("conditions") {
            Some(node) if !node.entries().is_empty() => node.entries().iter().map(Some).collect(),
            _ if self.grid.is_empty() => alone.iter().map(Some).collect(),
            _ => vec![None],
        };
        let grid_of = |group: Option<&(String, Node)>| -> Vec<&GridNode> {
            let name = group.map(|(name, _)| name.as_str());
            let grid = self.grid.iter();
            grid.filter(|key| key.is_for(name)).collect()
        };
        let points = |grid: &[&GridNode]| {
            let sizes = grid.iter().map(|key| key.values.len());
            sizes.fold(1, usize::saturating_mul)
        };
        let counts = groups.iter().map(|group| points(&grid_of(*group)));
        let count = counts.fold(0, usize::saturating_add);
        if count > MOST_CONDITIONS {
            let last = self.grid.last().map(|key| key.origin.clone());
            return Err(Problem::new(
                &last.unwrap_or(Origin::Default),
                format!("the grid makes {count} conditions"),
                format!("a run may have {MOST_CONDITIONS} at most"),
            ));
        }
        let validation_images = data.data.validation_images;
        let mut record = Record::default();
        let mut conditions: Vec<Condition> = Vec::new();
        for group in &groups {
            let grid = grid_of(*group);
            for at in 0..points(&grid) {
                let values = point(&grid, at);
                let condition = self.condition(*group, &values, validation_images, &mut record)?;
                if conditions.iter().any(|known| known.name == condition.name) {
                    return Err(self.same_name(&condition.name, *group));
                }
                conditions.push(condition);
            }
        }
        self.check_used(&record, &conditions)?;
        rules::pretraining_classes(&data.data, &conditions)
            .map_err(|broken| broken.at(|key| origin_in(&data_node, key)))?;

        let by_flag = |node: &Node| matches!(node.origin, Origin::Flag(_));
        let by_flag = run_node.get("backend").is_some_and(by_flag);
        rules::address(&run.run, by_flag)
            .map_err(|broken| broken.at(|key| origin_in(&run_node, key)))?;

        for (name, node, mut keys) in [
            ("run", &run_node, run.write()),
            ("data", &data_node, data.write()),
        ] {
            keys.retain(|key, _| node.get(key).is_some());
            record.note(name, node, &keys);
        }
        for node in self
            .root
            .get("experiment")
            .into_iter()
            .chain(entries("report"))
        {
            record.push(node.path.clone(), node.to_toml(), &node.origin);
        }
        for key in &self.grid {
            let values: Vec<String> = key.values.iter().map(Node::to_toml).collect();
            let values = format!("[{}]", values.join(", "));
            record.push(joined(&key.table(), &key.key), values, &key.origin);
        }
        let named = groups.iter().flatten().map(|(name, _)| name.clone());
        let named: Vec<String> = named.collect();
        let report = self.report(&conditions)?;
        let promises = self.expectations(&named)?;
        Ok(Resolved {
            plan: Plan {
                experiment: self.experiment,
                run: run.run,
                data: data.data,
                grid: self.grid_keys(),
                conditions,
                report,
                expectations: promises.expectations,
            },
            values: self.written(record.sorted(&named)),
            conditions: named,
            promised_at: promises.origins,
            promises: promises.text,
        })
    }

    /// The keys of all grids, each with every value that it has in any of them.
    fn grid_keys(&self) -> Vec<GridKey> {
        let mut keys: Vec<GridKey> = Vec::new();
        for node in &self.grid {
            let at = keys.iter().position(|known| known.key == node.key);
            let at = at.unwrap_or_else(|| {
                let (key, values) = (node.key.clone(), Vec::new());
                keys.push(GridKey { key, values });
                keys.len() - 1
            });
            for value in &node.values {
                let value = self.spelled(&node.key, value);
                if !keys[at].values.contains(&value) {
                    keys[at].values.push(value);
                }
            }
        }
        keys
    }

    /// A value of a key, as the first grid that has it spells it: 0.10 may be 0.1 elsewhere.
    pub fn spelled(&self, key: &str, value: &Node) -> String {
        let grids = self.grid.iter().filter(|grid| grid.key == key);
        let mut values = grids.flat_map(|grid| &grid.values);
        values
            .find(|known| same(known, value))
            .unwrap_or(value)
            .to_toml()
    }

    /// Reads a condition at a point of the grid.
    fn condition(
        &self,
        group: Option<&(String, Node)>,
        point: &[(&GridNode, &Node)],
        validation_images: usize,
        record: &mut Record,
    ) -> Result<Condition, Problem> {
        let mut own = group.map_or_else(
            || Node::empty("", &Origin::Default),
            |(_, node)| node.clone(),
        );
        for (key, value) in point {
            own.put_over(key.placed(value), &[]);
        }
        let mut trees = Trees {
            defaults: &self.defaults,
            all: &self.root,
            own: &own,
            condition: "",
            validation_images,
        };
        let kind = sections::kind_of(&trees.section("sparsity"));
        let name = name_at(group.map(|(name, _)| name.as_str()), point, kind);
        trees.condition = &name;
        let model = match self.experiment {
            ExperimentName::Autoencoder => Model::Autoencoder(trees.autoencoder(record)?),
            ExperimentName::Classifier => Model::Classifier(trees.classifier(record)?),
            ExperimentName::DeepAutoencoder => {
                Model::DeepAutoencoder(trees.deep_autoencoder(record)?)
            }
        };
        let at = point.iter().map(|(key, value)| Coordinate {
            key: key.key.clone(),
            value: self.spelled(&key.key, value),
        });
        Ok(Condition {
            group: group.map(|(name, _)| name.clone()),
            at: at.collect(),
            name,
            model,
        })
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
}

/// The values of a point of a grid, whose first key moves slowest.
fn point<'a>(grid: &[&'a GridNode], at: usize) -> Vec<(&'a GridNode, &'a Node)> {
    let mut rest = at;
    let mut values: Vec<_> = grid
        .iter()
        .rev()
        .map(|key| {
            let value = &key.values[rest % key.values.len()];
            rest /= key.values.len();
            (*key, value)
        })
        .collect();
    values.reverse();
    values
}

/// `D`, `β = 0.1`, `D, hidden units = 50`.
fn name_at(
    group: Option<&str>,
    point: &[(&GridNode, &Node)],
    kind: Option<SparsityKind>,
) -> String {
    let symbols: Vec<String> = (point.iter())
        .map(|(key, _)| symbol(&key.key, kind))
        .collect();
    let mut parts: Vec<String> = group.map(str::to_owned).into_iter().collect();
    for ((key, value), short) in point.iter().zip(&symbols) {
        let is_alone = symbols.iter().filter(|other| *other == short).count() == 1;
        let symbol = if is_alone {
            short.clone()
        } else {
            key.key.replace(['_', '.'], " ")
        };
        parts.push(format!("{symbol} = {}", readable(value)));
    }
    parts.join(", ")
}

/// The trees that a condition is read from, from the furthest to the nearest.
struct Trees<'a> {
    defaults: &'a Node,
    all: &'a Node,
    own: &'a Node,
    /// The condition's name.
    condition: &'a str,
    /// As in [`Data::validation_images`].
    validation_images: usize,
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

    fn autoencoder(&self, record: &mut Record) -> Result<AutoencoderTraining, Problem> {
        let nodes = ["autoencoder", "sparsity", "training"].map(|name| self.section(name));
        let AutoencoderSection {
            spec,
            disturbance,
            revival,
        } = read("autoencoder", &nodes[0], record)?;
        let SparsitySection { sparsity } = read("sparsity", &nodes[1], record)?;
        let TrainingSection { training, probe } = read("training", &nodes[2], record)?;
        let model = AutoencoderTraining {
            autoencoder: spec,
            sparsity,
            corruption: disturbance.corruption,
            revive: revival.revive,
            training,
            probe_epochs: probe.probe_epochs,
        };
        rules::autoencoder(&model).map_err(|broken| self.broken(broken, None))?;
        Ok(model)
    }

    fn classifier(&self, record: &mut Record) -> Result<ClassifierTraining, Problem> {
        let (network, training) = (self.section("network"), self.section("training"));
        let NetworkSection { spec } = read("network", &network, record)?;
        let ClassifierTrainingSection {
            training: fine_tuning,
            trained,
        } = read("training", &training, record)?;
        let broken = |broken| self.broken(broken, None);
        rules::training("training", &fine_tuning).map_err(broken)?;
        rules::phases(&fine_tuning, trained.trained_layers).map_err(broken)?;
        rules::choice(trained.keep, self.validation_images).map_err(broken)?;
        let widths = &spec.hidden_units;
        let starts = [spec.weight, spec.bias];
        let PlannedStages {
            stages,
            target,
            transfer,
        } = self.stages(record, widths, |_| spec.activation, starts)?;
        Ok(ClassifierTraining {
            classifier: spec,
            stages,
            target,
            transfer,
            training: fine_tuning,
            trained_layers: trained.trained_layers,
            keep: trained.keep,
        })
    }

    fn deep_autoencoder(&self, record: &mut Record) -> Result<DeepAutoencoderTraining, Problem> {
        let (network, training) = (self.section("network"), self.section("training"));
        let DeepNetworkSection { spec } = read("network", &network, record)?;
        let DeepTrainingSection { training } = read("training", &training, record)?;
        let broken = |broken| self.broken(broken, None);
        rules::deep_autoencoder(&spec).map_err(broken)?;
        rules::training("training", &training).map_err(broken)?;
        let widths = &spec.hidden_units;
        let starts = [spec.weight, spec.bias];
        let PlannedStages {
            stages, transfer, ..
        } = self.stages(record, widths, |layer| spec.activation_of(layer), starts)?;
        Ok(DeepAutoencoderTraining {
            network: spec,
            stages,
            transfer,
            training,
        })
    }

    /// The pretraining of layers of these widths, each of which has an activation, and what of it is used.
    fn stages(
        &self,
        record: &mut Record,
        widths: &[usize],
        activation: impl Fn(usize) -> Activation,
        starts: [Initialization; 2],
    ) -> Result<PlannedStages, Problem> {
        let node = self.section("pretraining");
        let pretraining = PretrainingSection::read(&node);
        let extent = pretraining
            .map_err(|refusal| refusal.problem(&node))?
            .extent;
        let layers = rules::layers(self.condition, extent.layers, widths.len());
        let layers = layers.map_err(|broken| self.broken(broken, None))?;
        let mut keys = toml::Table::try_from(&extent).expect("a few words");
        keys.retain(|key, _| node.get(key).is_some());
        if layers == 0 {
            keys.remove("target");
            keys.remove("transfer");
        }
        record.note("pretraining", &only(&node, &keys), &keys);
        let mut stages = Vec::with_capacity(layers);
        for (layer, &width) in widths.iter().enumerate().take(layers) {
            let mut node = self.put_together("pretraining", Some(layer + 1));
            let is_unused =
                |key: &str| extent.target == Target::Classes && keys::OF_DECODERS.contains(&key);
            for key in keys::OF_DECODERS.into_iter().filter(|key| is_unused(key)) {
                node = node.without(key).0;
            }
            let stage = StageSection::read(&node).map_err(|refusal| refusal.problem(&node))?;
            let mut keys = stage.write();
            keys.retain(|key, _| !is_unused(key));
            record.note("pretraining", &node, &keys);
            let stage = stage.of_layer(width, activation(layer), starts);
            let below = layer.checked_sub(1).map(&activation);
            rules::stage(&stage, layer + 1, below)
                .map_err(|broken| self.broken(broken, Some(layer + 1)))?;
            stages.push(stage);
        }
        // Of nothing, nothing is used.
        let extent = if layers == 0 {
            Extent::default()
        } else {
            extent
        };
        Ok(PlannedStages {
            stages,
            target: extent.target,
            transfer: extent.transfer,
        })
    }

    fn broken(&self, mut broken: Broken, layer: Option<usize>) -> Problem {
        let find = |key: &str| {
            let names: Vec<&str> = key.split('.').collect();
            let of_layer = layer.filter(|_| names[0] == "pretraining");
            let node = self.put_together(names[0], of_layer);
            node.find(&names[1..]).cloned()
        };
        let is_of_layer = |key: &String| find(key).is_some_and(|of| of.path.contains(".layer."));
        if let (Some(layer), true) = (layer, broken.keys.iter().any(is_of_layer)) {
            broken.says = format!("in [pretraining.layer.{layer}], {}", broken.says);
        }
        broken.at(|key| find(key).map(|node| node.origin))
    }
}

/// A pretraining: a stage for each layer, what each learns to give, and what of it is used.
struct PlannedStages {
    stages: Vec<AutoencoderTraining>,
    target: Target,
    transfer: Transfer,
}

/// Where a key of a section comes from.
fn origin_in(section: &Node, key: &str) -> Option<Origin> {
    let node = section.get(key.rsplit('.').next()?)?;
    Some(node.origin.clone())
}

/// Reads a section, and notes its settings.
fn read<T: Section>(name: &str, node: &Node, record: &mut Record) -> Result<T, Problem> {
    let section = T::read(node).map_err(|refusal: Refusal| refusal.problem(node))?;
    record.note(name, node, &section.write());
    Ok(section)
}

/// A table with some of its keys.
fn only(node: &Node, keys: &toml::Table) -> Node {
    let mut node = node.clone();
    if let Value::Table(entries) = &mut node.value {
        entries.retain(|(name, _)| keys.contains_key(name));
    }
    node
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

/// What a key is called in the names of conditions.
fn symbol(key: &str, kind: Option<SparsityKind>) -> String {
    let name = key.rsplit_once('.').map_or(key, |(_, name)| name);
    match name {
        "weight" if key.ends_with("sparsity.weight") => {
            let kind = kind.unwrap_or(SparsityKind::Kl);
            kind.symbol_of_weight().to_owned()
        }
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
