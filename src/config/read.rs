//! Reading one key at a time: its form and range are checked, its default filled in, its setting noted.
//!
//! Each method marks the key as used, so that what is left at the end was not. A key may be said for everybody, or
//! for one condition, or for one layer's pretraining: the nearest place decides. Floats are
//! checked a second time as the 32-bit numbers that models compute with: a positive 1e-60 would be 0 there.

use std::fmt::Display;
use std::ops::{Bound, RangeBounds, RangeInclusive};
use std::path::PathBuf;

use toml::de::{DeInteger, DeValue};

use crate::spec::{Initialization, Limit, Variance};

use super::error::{ConfigError, Problem, words};
use super::keys::{Place, UsedWith};
use super::raw::{Condition, Document};
use super::{Origin, Setting, keys, quoted};

type Checked<T> = Result<T, Problem>;

/// An initialization, and how it was written (a ratio shows more than its quotient).
#[derive(Clone)]
pub(super) struct WrittenInitialization {
    pub value: Initialization,
    text: String,
}

impl WrittenInitialization {
    /// A normal distribution with this variance, written as this TOML.
    fn normal(variance: Variance, text: &str) -> Self {
        Self {
            value: Initialization::Normal { variance },
            text: format!("{{ normal_variance = {text} }}"),
        }
    }

    /// A normal distribution with variance 1/`divisor`.
    pub fn normal_over(divisor: u16) -> Self {
        let value = 1.0 / f64::from(divisor);
        Self::normal(Variance::Fixed { value }, &format!("\"1/{divisor}\""))
    }

    pub fn constant(value: f64) -> Self {
        Self {
            value: Initialization::Constant { value },
            text: format!("{{ constant = {value:?} }}"),
        }
    }
}

/// The document on its way to a plan.
pub(super) struct Reader<'a> {
    document: Document<'a>,
    settings: Vec<Setting>,
    scope: Scope,
}

/// For whom keys are read: the nearest place that says something decides.
#[derive(Debug, Clone, Default)]
struct Scope {
    condition: Option<String>,
    /// The hidden layer whose pretraining is read, counted from 1.
    layer: Option<usize>,
}

impl Scope {
    /// Where `key` may stand, from the nearest place to the furthest.
    fn paths(&self, key: &str) -> Vec<String> {
        let of_layer = self.layer.and_then(|layer| {
            let name = key.strip_prefix("pretraining.")?;
            Some(format!("pretraining.layer.{layer}.{name}"))
        });
        let mut paths = Vec::with_capacity(4);
        if let Some(condition) = &self.condition {
            let of_condition = |path: &str| format!("conditions.{condition}.{path}");
            paths.extend(of_layer.as_deref().map(of_condition));
            paths.push(of_condition(key));
        }
        paths.extend(of_layer);
        paths.push(key.to_owned());
        paths
    }
}

impl<'a> Reader<'a> {
    pub fn new(document: Document<'a>) -> Self {
        Self {
            document,
            settings: Vec::new(),
            scope: Scope::default(),
        }
    }

    /// The conditions, in the order of the file.
    pub fn conditions(&self) -> &[Condition] {
        self.document.conditions()
    }

    /// Reads for one condition.
    pub fn in_condition<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Self) -> Result<T, ConfigError>,
    ) -> Result<T, ConfigError> {
        self.scope.condition = Some(name.to_owned());
        let result = read(self);
        self.scope.condition = None;
        result
    }

    /// Reads for the pretraining of one hidden layer, counted from 1.
    pub fn in_layer<T>(
        &mut self,
        layer: usize,
        read: impl FnOnce(&mut Self) -> Result<T, ConfigError>,
    ) -> Result<T, ConfigError> {
        self.scope.layer = Some(layer);
        let result = read(self);
        self.scope.layer = None;
        result
    }

    /// One of these words, by default the first.
    pub fn word<T: Copy>(
        &mut self,
        key: &str,
        table: &[(&'static str, T)],
    ) -> Result<T, ConfigError> {
        self.word_or(key, table, table[0].0)
    }

    /// One of these words, by default `default`, which is among them.
    pub fn word_or<T: Copy>(
        &mut self,
        key: &str,
        table: &[(&'static str, T)],
        default: &str,
    ) -> Result<T, ConfigError> {
        let find = |word: &str| table.iter().find(|(known, _)| *known == word).copied();
        let check = |key: &str, value: &DeValue<'_>| {
            let allowed: Vec<_> = table.iter().map(|(word, _)| *word).collect();
            match value {
                DeValue::String(word) => find(word).ok_or_else(|| Problem::UnknownWord {
                    key: key.to_owned(),
                    value: written(value),
                    nearest: keys::nearest(word, allowed.iter().copied()),
                    allowed,
                }),
                _ => Err(wrong_type(key, value, words(&allowed))),
            }
        };
        let default = find(default).unwrap_or(table[0]);
        let (_, chosen) = self.take(key, default, check, |(word, _)| quoted(word))?;
        Ok(chosen)
    }

    /// A whole number in `range`.
    pub fn whole<T: Whole>(
        &mut self,
        key: &str,
        default: T,
        range: RangeInclusive<T>,
    ) -> Result<T, ConfigError> {
        self.take(
            key,
            default,
            |key, value| whole(key, value, &range),
            T::to_string,
        )
    }

    /// Distinct whole numbers in `range`: at least one, `limit` at most.
    pub fn wholes<T: Whole>(
        &mut self,
        key: &str,
        default: Vec<T>,
        range: RangeInclusive<T>,
        limit: usize,
    ) -> Result<Vec<T>, ConfigError> {
        let check =
            |key: &str, value: &_| list(key, value, limit, |key, item| whole(key, item, &range));
        self.take(key, default, check, |list| {
            listed(list.iter().map(T::to_string))
        })
    }

    /// A number in `range`.
    pub fn number(
        &mut self,
        key: &str,
        default: f64,
        range: impl RangeBounds<f64>,
    ) -> Result<f64, ConfigError> {
        self.take(
            key,
            default,
            |key, value| number(key, value, &range),
            |value| format!("{value:?}"),
        )
    }

    /// Distinct numbers in `range`: at least one, `limit` at most.
    pub fn numbers(
        &mut self,
        key: &str,
        default: Vec<f64>,
        range: impl RangeBounds<f64>,
        limit: usize,
    ) -> Result<Vec<f64>, ConfigError> {
        let check =
            |key: &str, value: &_| list(key, value, limit, |key, item| number(key, item, &range));
        self.take(key, default, check, |list| {
            listed(list.iter().map(|value| format!("{value:?}")))
        })
    }

    /// `"all"`, or a whole number in `range`; by default all.
    pub fn limit(&mut self, key: &str, range: RangeInclusive<usize>) -> Result<Limit, ConfigError> {
        let check = |key: &str, value: &DeValue<'_>| match value {
            DeValue::String(word) if word == "all" => Ok(Limit::All),
            DeValue::Integer(_) => whole(key, value, &range).map(Limit::First),
            _ => Err(wrong_type(
                key,
                value,
                format!("\"all\" or {}", describe_whole(&range)),
            )),
        };
        self.take(key, Limit::All, check, |limit| match limit {
            Limit::All => quoted("all"),
            Limit::First(count) => count.to_string(),
        })
    }

    /// The path of a folder.
    pub fn folder(&mut self, key: &str, default: &str) -> Result<PathBuf, ConfigError> {
        let check = |key: &str, value: &DeValue<'_>| match value {
            DeValue::String(path) if path.is_empty() || path.contains(char::is_control) => {
                Err(Problem::BadPath {
                    key: key.to_owned(),
                    value: written(value),
                })
            }
            DeValue::String(path) => Ok(path.to_string()),
            _ => Err(wrong_type(
                key,
                value,
                "the path of a folder, in quotes".to_owned(),
            )),
        };
        self.take(key, default.to_owned(), check, |path| quoted(path))
            .map(PathBuf::from)
    }

    /// `{ normal_variance = … }` or `{ constant = … }`.
    pub fn initialization(
        &mut self,
        key: &str,
        default: WrittenInitialization,
    ) -> Result<WrittenInitialization, ConfigError> {
        self.take(key, default, initialization, |chosen| chosen.text.clone())
    }

    /// The widths of layers: a list, in which a width may be repeated, or `"15 x 100"`.
    pub fn widths(&mut self, key: &str, limit: usize) -> Result<Vec<usize>, ConfigError> {
        const WIDTH: RangeInclusive<usize> = 1..=1_000_000;
        let check = |key: &str, value: &DeValue<'_>| {
            let refused = || Problem::NotWidths {
                key: key.to_owned(),
                value: written(value),
            };
            let widths = match value {
                DeValue::Array(items) => items
                    .iter()
                    .enumerate()
                    .map(|(at, item)| whole(&format!("{key}[{at}]"), item.get_ref(), &WIDTH))
                    .collect::<Checked<Vec<usize>>>()?,
                DeValue::String(text) => {
                    let (depth, width) = text.split_once(['x', '×']).ok_or_else(refused)?;
                    let number = |text: &str| text.trim().parse::<usize>().map_err(|_| refused());
                    let (depth, width) = (number(depth)?, number(width)?);
                    if depth > limit || !WIDTH.contains(&width) {
                        let (most, widest) = (limit, WIDTH.end());
                        let allowed = format!("at most {most} layers of 1 to {widest} units");
                        return Err(out_of_range(key, value, allowed));
                    }
                    vec![width; depth]
                }
                _ => return Err(refused()),
            };
            if widths.len() > limit {
                return Err(Problem::LongList {
                    key: key.to_owned(),
                    count: widths.len(),
                    limit,
                });
            }
            Ok(widths)
        };
        self.take(key, Vec::new(), check, |widths| match widths[..] {
            [first, _, ..] if widths.iter().all(|width| *width == first) => {
                quoted(&format!("{} x {first}", widths.len()))
            }
            _ => listed(widths.iter().map(ToString::to_string)),
        })
    }

    /// How many layers: `"none"`, `"all"`, or a number of them.
    pub fn layers(&mut self, key: &str) -> Result<Layers, ConfigError> {
        const COUNT: RangeInclusive<usize> = 0..=1000;
        let check = |key: &str, value: &DeValue<'_>| match value {
            DeValue::String(word) if word == "all" => Ok(Layers::All),
            DeValue::String(word) if word == "none" => Ok(Layers::First(0)),
            DeValue::Integer(_) => whole(key, value, &COUNT).map(Layers::First),
            _ => Err(wrong_type(
                key,
                value,
                format!("\"none\", \"all\" or {}", describe_whole(&COUNT)),
            )),
        };
        self.take(key, Layers::First(0), check, |layers| match layers {
            Layers::All => quoted("all"),
            Layers::First(0) => quoted("none"),
            Layers::First(count) => count.to_string(),
        })
    }

    /// Distinct texts, `limit` at most; `None` if nobody wrote any.
    pub fn texts(&mut self, key: &str, limit: usize) -> Result<Option<Vec<String>>, ConfigError> {
        if !self.document.contains(key) {
            return Ok(None);
        }
        let check = |key: &str, value: &DeValue<'_>| {
            match value {
                DeValue::Array(items) if items.is_empty() => return Ok(Vec::new()),
                DeValue::Array(_) => {}
                _ => {
                    let expected = "a list, such as [\"D\", \"B\"]".to_owned();
                    return Err(wrong_type(key, value, expected));
                }
            }
            list(key, value, limit, |key, item| match item {
                DeValue::String(text) => Ok(text.to_string()),
                _ => Err(wrong_type(key, item, "text, in quotes".to_owned())),
            })
        };
        self.take(key, Vec::new(), check, |texts| {
            listed(texts.iter().map(|text| quoted(text)))
        })
        .map(Some)
    }

    /// The error of a rule that several keys break together, at the first of them that somebody chose.
    pub fn broken_rule(&self, keys: &[&str], problem: Problem) -> ConfigError {
        let mut origins = keys
            .iter()
            .filter_map(|key| self.current(&self.scope, key))
            .map(|setting| &setting.origin);
        let chosen = origins.find(|origin| **origin != Origin::Default);
        problem.at(chosen.unwrap_or(&Origin::Default))
    }

    /// The settings, if no key is left over.
    pub fn finish(self) -> Result<Vec<Setting>, ConfigError> {
        let Some((path, origin)) = self.document.first_unused() else {
            return Ok(self.settings);
        };
        Err(self.why_unused(path).at(origin))
    }

    /// Why nobody looked up `path`: the choice that leaves it without use, as far as there is one.
    fn why_unused(&self, path: &str) -> Problem {
        let place = Place::of(path);
        let scope = Scope {
            condition: place.condition.map(str::to_owned),
            layer: place.layer.and_then(|layer| layer.parse().ok()),
        };
        let key = keys::find(&place.key());
        let of_experiment: UsedWith = ("experiment", key.map_or(&[], |key| key.experiments));
        let mut choices = vec![of_experiment];
        let mut used_with = key.and_then(|key| key.used_with);
        while let Some((owner, words)) = used_with {
            choices.push((owner, words));
            used_with = keys::find(owner).and_then(|owner| owner.used_with);
        }
        // What is said for everybody has its use if only one condition has chosen so.
        let users: Vec<Scope> = match (&scope.condition, self.conditions()) {
            (None, conditions @ [_, ..]) => conditions
                .iter()
                .map(|condition| Scope {
                    condition: Some(condition.name.clone()),
                    ..scope
                })
                .collect(),
            _ => vec![scope.clone()],
        };
        for (owner, belongs_to) in choices {
            let choices = || users.iter().filter_map(|user| self.current(user, owner));
            let allows = |setting: &Setting| {
                belongs_to.iter().any(|word| setting.value == quoted(word))
                    || (owner == "pretraining.layers" && reaches(&setting.value, scope.layer))
            };
            let Some(first) = choices().next() else {
                continue;
            };
            if choices().any(allows) {
                continue;
            }
            // Where each condition has chosen for itself, the first of them is an example.
            let setting = self.current(&scope, owner).unwrap_or(first);
            return Problem::Unused {
                key: path.to_owned(),
                owner: setting.key.clone(),
                current: setting.value.clone(),
                belongs_to,
            };
        }
        let (reason, hint) = match (place.layer, place.condition) {
            (Some(layer), None) => (
                format!("no condition that pretrains layer {layer} uses this shared value"),
                "remove it, or set it inside a condition",
            ),
            (Some(layer), Some(_)) => (
                format!("the condition does not pretrain layer {layer}"),
                "remove it, or set pretraining.layers of the condition",
            ),
            (None, None) => (
                "every condition sets its own value".to_owned(),
                "remove it, or set it inside a condition",
            ),
            (None, Some(_)) => (
                "every layer of the condition sets its own value".to_owned(),
                "remove it, or set it for a layer",
            ),
        };
        Problem::NeverUsed {
            key: path.to_owned(),
            reason,
            hint,
        }
    }

    /// The setting that `key` has in `scope`.
    fn current(&self, scope: &Scope, key: &str) -> Option<&Setting> {
        scope
            .paths(key)
            .iter()
            .find_map(|path| self.settings.iter().find(|setting| setting.key == *path))
    }

    /// Looks `key` up, checked, or takes its default; and notes the setting where it stands. `check` is given the
    /// path that the value was found at.
    fn take<T>(
        &mut self,
        key: &str,
        default: T,
        check: impl FnOnce(&str, &DeValue<'a>) -> Checked<T>,
        write: impl FnOnce(&T) -> String,
    ) -> Result<T, ConfigError> {
        let mut paths = self.scope.paths(key);
        let found = paths.iter().position(|path| self.document.contains(path));
        let (path, value, origin) = match found {
            Some(at) => {
                let path = paths.swap_remove(at);
                let Some(entry) = self.document.look_up(&path) else {
                    unreachable!("the document contains it");
                };
                let value =
                    check(&path, &entry.value).map_err(|problem| problem.at(&entry.origin))?;
                (path, value, entry.origin.clone())
            }
            None => (key.to_owned(), default, Origin::Default),
        };
        let setting = Setting {
            key: path,
            value: write(&value),
            origin,
        };
        match self.settings.iter().find(|known| known.key == setting.key) {
            None => self.settings.push(setting),
            Some(known) if known.value == setting.value => {}
            // A default that depends on the condition's other choices is the condition's own.
            Some(_) => {
                // Said for all of the condition's layers, it would hide what is said for one layer of everybody.
                let mut scope = self.scope.clone();
                scope.layer = scope.layer.filter(|_| self.document.has_layer_with(key));
                let path = scope.paths(key).swap_remove(0);
                if self.settings.iter().all(|known| known.key != path) {
                    self.settings.push(Setting {
                        key: path,
                        ..setting
                    });
                }
            }
        }
        Ok(value)
    }
}

/// Whether `layers`, a value of pretraining.layers as TOML, is a number that reaches `layer` (or any at all).
fn reaches(layers: &str, layer: Option<usize>) -> bool {
    let count: Option<usize> = layers.parse().ok();
    count.is_some_and(|count| count >= layer.unwrap_or(1))
}

/// How many of the layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layers {
    All,
    First(usize),
}

/// The whole numbers of a plan.
pub(super) trait Whole: TryFrom<i64> + PartialOrd + Display + Copy {}
impl Whole for u64 {}
impl Whole for usize {}

fn whole<T: Whole>(key: &str, value: &DeValue<'_>, range: &RangeInclusive<T>) -> Checked<T> {
    let digits = match value {
        DeValue::Integer(digits) => digits,
        DeValue::Float(_) => {
            let expected = format!("{}, without a decimal point", describe_whole(range));
            return Err(wrong_type(key, value, expected));
        }
        _ => return Err(wrong_type(key, value, describe_whole(range))),
    };
    integer(digits)
        .and_then(|number| T::try_from(number).ok())
        .filter(|number| range.contains(number))
        .ok_or_else(|| out_of_range(key, value, describe_whole(range)))
}

fn number(key: &str, value: &DeValue<'_>, range: &impl RangeBounds<f64>) -> Checked<f64> {
    let number = match value {
        DeValue::Integer(digits) => integer(digits).map(|number| number as f64),
        DeValue::Float(digits) => digits.as_str().parse().ok(),
        _ => return Err(wrong_type(key, value, describe(range))),
    };
    in_range(key, value, number.unwrap_or(f64::NAN), range)
}

/// `number`, which `value` stands for, if it is in `range` before and after it is rounded to 32 bits.
fn in_range(
    key: &str,
    value: &DeValue<'_>,
    number: f64,
    range: &impl RangeBounds<f64>,
) -> Checked<f64> {
    if !range.contains(&number) {
        return Err(out_of_range(key, value, describe(range)));
    }
    // Processors that flush subnormal numbers to zero are common.
    let single = Some(number as f32)
        .filter(|single| !single.is_subnormal())
        .unwrap_or(0.0);
    let rounded = |bound: Bound<&f64>| bound.map(|&number| number as f32);
    let singles = (rounded(range.start_bound()), rounded(range.end_bound()));
    if !singles.contains(&single) {
        let (key, value) = (key.to_owned(), written(value));
        return Err(Problem::RoundsOutOfRange {
            key,
            value,
            allowed: describe(range),
        });
    }
    Ok(number + 0.0) // −0 becomes 0
}

fn list<T: PartialEq>(
    key: &str,
    value: &DeValue<'_>,
    limit: usize,
    mut check: impl FnMut(&str, &DeValue<'_>) -> Checked<T>,
) -> Checked<Vec<T>> {
    let DeValue::Array(items) = value else {
        return Err(wrong_type(key, value, as_list(value)));
    };
    let key = key.to_owned();
    if items.is_empty() {
        return Err(Problem::EmptyList { key });
    }
    if items.len() > limit {
        return Err(Problem::LongList {
            key,
            count: items.len(),
            limit,
        });
    }
    let mut checked = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let entry = check(&format!("{key}[{index}]"), item.get_ref())?;
        if checked.contains(&entry) {
            return Err(Problem::Repeated {
                key,
                value: written(item.get_ref()),
            });
        }
        checked.push(entry);
    }
    Ok(checked)
}

/// How to write a list of what is none.
fn as_list(value: &DeValue<'_>) -> String {
    let items: Vec<String> = match value {
        DeValue::Integer(_) | DeValue::Float(_) => vec![written(value)],
        DeValue::String(text) => text
            .split([',', ' '])
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    };
    let are_numbers = items.iter().all(|item| item.parse::<f64>().is_ok());
    if items.is_empty() || !are_numbers {
        "a list, such as [0, 1]".to_owned()
    } else {
        format!("a list: write {}", listed(items.into_iter()))
    }
}

fn initialization(key: &str, value: &DeValue<'_>) -> Checked<WrittenInitialization> {
    /// Squared sums of what is drawn wider are beyond single precision.
    const LARGEST: f64 = 1000.0;
    const VARIANCE: (Bound<f64>, Bound<f64>) =
        (Bound::Excluded(0.0), Bound::Included(LARGEST * LARGEST));
    let refused = || Problem::NotAnInitialization {
        key: key.to_owned(),
        value: written(value),
    };
    let DeValue::Table(table) = value else {
        return Err(refused());
    };
    let mut entries = table.iter();
    let (Some((name, inner)), None) = (entries.next(), entries.next()) else {
        return Err(refused());
    };
    let inner = inner.get_ref();
    let key = format!("{key}.{}", name.get_ref());
    match (name.get_ref().as_ref(), inner) {
        ("orthogonal", _) if key.ends_with("weight.orthogonal") => {
            let gain = number(
                &key,
                inner,
                &(Bound::Excluded(0.0), Bound::Included(LARGEST)),
            )?;
            Ok(WrittenInitialization {
                value: Initialization::Orthogonal { gain },
                text: format!("{{ orthogonal = {gain:?} }}"),
            })
        }
        ("constant", _) => {
            number(&key, inner, &(-LARGEST..=LARGEST)).map(WrittenInitialization::constant)
        }
        ("normal_variance", DeValue::String(text)) => {
            let (over_fan_in, number) = ratio(&key, text)?;
            let number = in_range(&key, inner, number, &VARIANCE)?;
            let variance = if over_fan_in {
                Variance::OverFanIn { scale: number }
            } else {
                Variance::Fixed { value: number }
            };
            let tidy: Vec<_> = text.split('/').map(str::trim).collect();
            Ok(WrittenInitialization::normal(
                variance,
                &quoted(&tidy.join("/")),
            ))
        }
        ("normal_variance", _) => {
            let value = number(&key, inner, &VARIANCE)?;
            Ok(WrittenInitialization::normal(
                Variance::Fixed { value },
                &format!("{value:?}"),
            ))
        }
        _ => Err(refused()),
    }
}

/// `"1/784"`, `"2/fan_in"`, `"1/fan_in/10"`: whether the fan-in divides, and the quotient of the numbers.
fn ratio(key: &str, text: &str) -> Checked<(bool, f64)> {
    let (key, value) = (key.to_owned(), quoted(text));
    let mut parts = text.split('/').map(str::trim);
    let positive = |part: &str| part.parse().ok().filter(|number: &f64| *number > 0.0);
    let Some(mut quotient) = parts.next().and_then(positive) else {
        return Err(Problem::BadRatio { key, value });
    };
    let (mut divisors, mut fan_ins) = (0, 0);
    for part in parts {
        divisors += 1;
        match (part, positive(part)) {
            ("fan_in", _) => fan_ins += 1,
            (_, Some(number)) => quotient /= number,
            _ if part.parse() == Ok(0.0) => return Err(Problem::DividesByZero { key, value }),
            _ => return Err(Problem::BadRatio { key, value }),
        }
    }
    if divisors == 0 || fan_ins > 1 {
        return Err(Problem::BadRatio { key, value });
    }
    Ok((fan_ins == 1, quotient))
}

fn integer(digits: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(digits.as_str(), digits.radix()).ok()
}

fn wrong_type(key: &str, value: &DeValue<'_>, expected: String) -> Problem {
    let kind = match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    Problem::WrongType {
        key: key.to_owned(),
        kind,
        value: written(value),
        expected,
    }
}

fn out_of_range(key: &str, value: &DeValue<'_>, allowed: String) -> Problem {
    Problem::OutOfRange {
        key: key.to_owned(),
        value: written(value),
        allowed,
    }
}

fn describe_whole<T: Display>(range: &RangeInclusive<T>) -> String {
    format!("a whole number from {} to {}", range.start(), range.end())
}

fn describe(range: &impl RangeBounds<f64>) -> String {
    let readable = |number: &f64| match number.abs() {
        tiny if 0.0 < tiny && tiny < 1e-4 => format!("{number:e}"),
        _ => number.to_string(),
    };
    let low = match range.start_bound() {
        Bound::Included(low) => format!("{} ≤ ", readable(low)),
        Bound::Excluded(low) => format!("{} < ", readable(low)),
        Bound::Unbounded => String::new(),
    };
    let high = match range.end_bound() {
        Bound::Included(high) => format!(" ≤ {}", readable(high)),
        Bound::Excluded(high) => format!(" < {}", readable(high)),
        Bound::Unbounded => String::new(),
    };
    format!("a number x with {low}x{high}")
}

/// A value as the user wrote it, nearly: for errors.
fn written(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("\"{text}\""),
        DeValue::Integer(digits) => digits.to_string(),
        DeValue::Float(digits) => digits.to_string(),
        DeValue::Boolean(truth) => truth.to_string(),
        DeValue::Datetime(date) => date.to_string(),
        DeValue::Array(items) => listed(items.iter().map(|item| written(item.get_ref()))),
        DeValue::Table(table) => {
            let entry = |(key, value): (&toml::Spanned<_>, &toml::Spanned<_>)| {
                format!("{} = {}", key.get_ref(), written(value.get_ref()))
            };
            format!(
                "{{ {} }}",
                table.iter().map(entry).collect::<Vec<_>>().join(", ")
            )
        }
    }
}

/// A list as TOML.
fn listed(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}
