//! What a config says of conditions by their names: what the page shows, and what is promised.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Origin;
use super::de::Refusal;
use super::document::{Document, GridNode, flatten, same};
use super::node::{Node, Value};
use super::problem::{Problem, listed, quoted, shown};
use super::sections::{ReportKeys, ReportSection, Section};
use crate::spec::{
    Bounds, Condition, Coordinate, Expectation, Form, Over, Promise, Published, PublishedForm,
    Report, Seeds,
};

/// The promises of a config.
#[derive(Default)]
pub(super) struct Promises {
    pub expectations: Vec<Expectation>,
    /// Where each stands.
    pub origins: Vec<Origin>,
    /// All of them as TOML.
    pub text: String,
}

impl Document {
    pub fn report(&self, conditions: &[Condition]) -> Result<Report, Problem> {
        let empty = Node::empty("report", &Origin::Default);
        let section = self.root.get("report").unwrap_or(&empty);
        let ReportSection {
            report:
                ReportKeys {
                    evidence,
                    differences,
                    layers_of,
                    at_active_units,
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
        let at_active_units: Option<Vec<usize>> =
            at_active_units.map(|numbers| numbers.iter().map(|of| of.0).collect());
        if let Some(numbers) = &at_active_units {
            let texts: Vec<String> = numbers.iter().map(usize::to_string).collect();
            names.distinct("at_active_units", &texts)?;
        }
        Ok(Report {
            evidence,
            differences: names.differences(&differences.unwrap_or_default())?,
            layers_of: match layers_of {
                None => (0..conditions.len()).filter(is_deep).collect(),
                Some(chosen) => names.layers_of(&chosen, is_deep)?,
            },
            at_active_units,
        })
    }

    /// The promises; those of points that `--set` took from the grid are left out.
    pub fn expectations(&self, named: &[String]) -> Result<Promises, Problem> {
        let mut promises = Promises::default();
        let Some(node) = self.root.get("expect") else {
            return Ok(promises);
        };
        let Value::List(items) = &node.value else {
            return Err(Problem::new(
                &node.origin,
                "`expect` is a list of promises",
                "begin each with [[expect]], in two brackets",
            ));
        };
        for item in items {
            let keys = ExpectKeys::deserialize(item).map_err(|refusal| refusal.problem(item))?;
            let at = self.coordinates(item.get("at"), named)?;
            let minus = item.get("minus");
            let off = self.coordinates(minus, named)?;
            let promise = keys.promise().map_err(|refusal| refusal.problem(item))?;
            let (Some(at), Some(off)) = (at, off) else {
                continue;
            };
            let named = item.get("that").unwrap_or(item);
            promises.origins.push(named.origin.clone());
            promises.text.push_str("\n[[expect]]\n");
            for (name, value) in item.entries() {
                let line = [
                    super::toml_key(name),
                    " = ".to_owned(),
                    value.to_toml(),
                    "\n".to_owned(),
                ];
                promises.text.extend(line);
            }
            promises.expectations.push(Expectation {
                that: keys.that,
                at,
                minus: minus.map(|_| off),
                epoch: keys.epoch,
                promise,
                over: keys.over,
                seeds: keys.seeds.map(|SeedList(seeds)| seeds),
                published: keys.published.map(|Beside(published)| published),
                source: keys.source,
            });
        }
        Ok(promises)
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
        let condition = node.get("condition").and_then(|name| match &name.value {
            Value::Text(name) => Some(name.as_str()),
            _ => None,
        });
        // Without a condition, those of any.
        let is_meant = |grid: &&GridNode| condition.is_none() || grid.is_for(condition);
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
            let grids = || self.grid.iter().filter(is_meant);
            let of_key = || grids().filter(|grid| grid.key == key);
            if of_key().next().is_none() {
                let mut seen = HashSet::new();
                let known = grids().map(|grid| grid.key.as_str());
                let known: Vec<&str> = known.filter(|key| seen.insert(*key)).collect();
                let hint = match &known[..] {
                    [] => "name a condition, as in at = { condition = \"D\" }".to_owned(),
                    keys => format!(
                        "the grid has {}; a condition is named by \"condition\"",
                        listed(keys, '"')
                    ),
                };
                let says = format!("`{}` is no key of the grid", shown(&value.path));
                return Err(Problem::new(&value.origin, says, hint));
            }
            let mut values = of_key().flat_map(|grid| &grid.values);
            match values.find(|known| same(known, value)) {
                Some(_) => found.push(place(self.spelled(&key, value))),
                None if of_key().any(|grid| is_of_set(&grid.origin)) => return Ok(None),
                None => {
                    let values = of_key().flat_map(|grid| &grid.values);
                    let mut values: Vec<String> =
                        values.map(|value| self.spelled(&key, value)).collect();
                    let mut seen = HashSet::new();
                    values.retain(|value| seen.insert(value.clone()));
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

    /// Pairs of conditions, from "D - B": of groups, those at the same point of the grid.
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
            for &minuend in &minuends {
                let place = |at: usize| &self.conditions[at].at;
                let same = |at: &&usize| place(**at) == place(minuend);
                let subtrahend = match subtrahends[..] {
                    [one] => one,
                    _ => *subtrahends.iter().find(same).ok_or_else(|| {
                        let name = &self.conditions[minuend].name;
                        let says = format!(
                            "holds \"{}\", but no \"{}\" has the same values of the grid as \"{}\"",
                            shown(text),
                            shown(subtrahend),
                            shown(name)
                        );
                        let other = &self.conditions[subtrahends[0]].name;
                        let hint = format!(
                            "name one of each, as in \"{} - {}\"",
                            shown(name),
                            shown(other)
                        );
                        self.problem(KEY, &says, &hint)
                    })?,
                };
                let pair = (minuend, subtrahend);
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
    within: Option<Ends>,
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
    /// What was published of it, to stand beside: a number in the quantity's unit, or words such as "1.40 ± 0.23 %". What is
    /// promised is then what this program comes to, and `source` says who published.
    #[serde(default)]
    published: Option<Beside>,
    /// Who says so: a paper's table, or this program's own runs.
    source: String,
}

#[derive(Deserialize, JsonSchema)]
struct Ends(#[serde(with = "Bounds")] [f64; 2]);

#[derive(Deserialize, JsonSchema)]
struct Beside(#[serde(with = "PublishedForm")] Published);

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
        Ok(match (within, value, tolerance, is) {
            (&Some(Ends([low, high])), None, None, None) => Promise::Within { low, high },
            (None, Some(value), _, None) if !value.is_finite() => {
                return Err(serde::de::Error::custom(format!(
                    "has value = {value:?}, which no number comes near\nwrite a number, as in value = 98.1"
                )));
            }
            (None, Some(value), &tolerance, None) => {
                let tolerance = tolerance.unwrap_or(0.0);
                if tolerance.is_nan() || tolerance < 0.0 {
                    return Err(serde::de::Error::custom(format!(
                        "has tolerance = {tolerance:?}, which is no distance\n\
                         write how far from the value it may be, as in tolerance = 0.2"
                    )));
                }
                let value = *value;
                Promise::Near { value, tolerance }
            }
            (None, None, None, Some(word)) => Promise::Is {
                // As readers write it, or as results.json does.
                word: word.trim().replace('_', " "),
            },
            _ => {
                return Err(serde::de::Error::custom(
                    "needs one of `within`, `value` and `is` and no other; `tolerance` goes with `value`\n\
                     write one of: within = [low, high]; value = 98.1 and tolerance = 0.2; is = \"strokes\"",
                ));
            }
        })
    }
}
