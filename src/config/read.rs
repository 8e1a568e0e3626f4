//! Reading one key at a time: its form and range are checked, its default filled in, its setting noted.
//!
//! Each method takes the key out of the document, so that what is left at the end was not used. Floats are
//! checked a second time as the 32-bit numbers that models compute with: a positive 1e-60 would be 0 there.

use std::fmt::Display;
use std::ops::{Bound, RangeBounds, RangeInclusive};
use std::path::PathBuf;

use toml::de::{DeInteger, DeValue};

use crate::spec::{Initialization, Variance};

use super::error::{ConfigError, Problem, words};
use super::plan::Limit;
use super::raw::Document;
use super::{Origin, Setting, keys};

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
}

impl<'a> Reader<'a> {
    pub fn new(document: Document<'a>) -> Self {
        Self {
            document,
            settings: Vec::new(),
        }
    }

    /// One of these words, by default the first.
    pub fn word<T: Copy>(
        &mut self,
        key: &'static str,
        table: &[(&'static str, T)],
    ) -> Result<T, ConfigError> {
        let check = |value: &DeValue<'_>| {
            let find = |word: &str| table.iter().find(|(known, _)| *known == word);
            let allowed: Vec<_> = table.iter().map(|(word, _)| *word).collect();
            match value {
                DeValue::String(word) => find(word).copied().ok_or_else(|| Problem::UnknownWord {
                    key: key.to_owned(),
                    value: written(value),
                    nearest: keys::nearest(word, allowed.iter().copied()),
                    allowed,
                }),
                _ => Err(wrong_type(key, value, words(&allowed))),
            }
        };
        let (_, chosen) = self.take(key, table[0], check, |(word, _)| quoted(word))?;
        Ok(chosen)
    }

    /// A whole number in `range`.
    pub fn whole<T: Whole>(
        &mut self,
        key: &'static str,
        default: T,
        range: RangeInclusive<T>,
    ) -> Result<T, ConfigError> {
        self.take(
            key,
            default,
            |value| whole(key, value, &range),
            T::to_string,
        )
    }

    /// Distinct whole numbers in `range`: at least one, `limit` at most.
    pub fn wholes<T: Whole>(
        &mut self,
        key: &'static str,
        default: Vec<T>,
        range: RangeInclusive<T>,
        limit: usize,
    ) -> Result<Vec<T>, ConfigError> {
        let check = |value: &_| list(key, value, limit, |key, item| whole(key, item, &range));
        self.take(key, default, check, |list| {
            listed(list.iter().map(T::to_string))
        })
    }

    /// A number in `range`.
    pub fn number(
        &mut self,
        key: &'static str,
        default: f64,
        range: impl RangeBounds<f64>,
    ) -> Result<f64, ConfigError> {
        self.take(
            key,
            default,
            |value| number(key, value, &range),
            |value| format!("{value:?}"),
        )
    }

    /// Distinct numbers in `range`: at least one, `limit` at most.
    pub fn numbers(
        &mut self,
        key: &'static str,
        default: Vec<f64>,
        range: impl RangeBounds<f64>,
        limit: usize,
    ) -> Result<Vec<f64>, ConfigError> {
        let check = |value: &_| list(key, value, limit, |key, item| number(key, item, &range));
        self.take(key, default, check, |list| {
            listed(list.iter().map(|value| format!("{value:?}")))
        })
    }

    /// `"all"`, or a whole number in `range`; by default all.
    pub fn limit(
        &mut self,
        key: &'static str,
        range: RangeInclusive<usize>,
    ) -> Result<Limit, ConfigError> {
        let check = |value: &DeValue<'_>| match value {
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
    pub fn folder(&mut self, key: &'static str, default: &str) -> Result<PathBuf, ConfigError> {
        let check = |value: &DeValue<'_>| match value {
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
        key: &'static str,
        default: WrittenInitialization,
    ) -> Result<WrittenInitialization, ConfigError> {
        self.take(
            key,
            default,
            |value| initialization(key, value),
            |chosen| chosen.text.clone(),
        )
    }

    /// The error of a rule that several keys break together, at the first of them that somebody chose.
    pub fn broken_rule(&self, keys: &[&str], problem: Problem) -> ConfigError {
        let setting = |key: &&str| self.settings.iter().find(|setting| setting.key == *key);
        let mut origins = keys
            .iter()
            .filter_map(setting)
            .map(|setting| &setting.origin);
        let chosen = origins.find(|origin| **origin != Origin::Default);
        problem.at(chosen.unwrap_or(&Origin::Default))
    }

    /// The settings, if no key is left over.
    pub fn finish(self) -> Result<Vec<Setting>, ConfigError> {
        let Some((key, origin)) = self.document.first_left() else {
            return Ok(self.settings);
        };
        let used_with = keys::find(key).and_then(|key| key.used_with);
        let (owner, belongs_to) = used_with.unwrap_or(("experiment", &[]));
        let current = self.settings.iter().find(|setting| setting.key == owner);
        let current = current.map_or_else(String::new, |setting| setting.value.clone());
        Err(Problem::Unused {
            key: key.to_owned(),
            owner,
            current,
            belongs_to,
        }
        .at(origin))
    }

    /// Takes `key` out of the document, checked, or its default; and notes the setting.
    fn take<T>(
        &mut self,
        key: &'static str,
        default: T,
        check: impl FnOnce(&DeValue<'a>) -> Checked<T>,
        write: impl FnOnce(&T) -> String,
    ) -> Result<T, ConfigError> {
        let (value, origin) = match self.document.take(key) {
            Some(entry) => match check(&entry.value) {
                Ok(value) => (value, entry.origin),
                Err(problem) => return Err(problem.at(&entry.origin)),
            },
            None => (default, Origin::Default),
        };
        self.settings.push(Setting {
            key: key.to_owned(),
            value: write(&value),
            origin,
        });
        Ok(value)
    }
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
    if !range.contains(&f64::from(single)) {
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
        return Err(wrong_type(key, value, "a list, such as [0, 1]".to_owned()));
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

fn initialization(key: &str, value: &DeValue<'_>) -> Checked<WrittenInitialization> {
    const VARIANCE: (Bound<f64>, Bound<f64>) = (Bound::Excluded(0.0), Bound::Included(1e6));
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
        ("constant", _) => number(&key, inner, &(-1e6..=1e6)).map(WrittenInitialization::constant),
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
    let low = match range.start_bound() {
        Bound::Included(low) => format!("{low} ≤ "),
        Bound::Excluded(low) => format!("{low} < "),
        Bound::Unbounded => String::new(),
    };
    let high = match range.end_bound() {
        Bound::Included(high) => format!(" ≤ {high}"),
        Bound::Excluded(high) => format!(" < {high}"),
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

/// A string as TOML.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
