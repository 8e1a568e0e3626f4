//! What was written, as a tree: every value with the key path that it was written at and where it came from.
//!
//! A file, `--set` and defaults are trees; one is put over another by [`Node::put_over`]. A value is kept as TOML spelled
//! it, so that an error can show `1e400` or `10.0` as written.

use std::path::Path;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::Origin;
use super::keys::{holds_keys, joined};
use super::problem::{Problem, quoted};
use super::sections::{keys_without_use, kind_of};

/// A value as it was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// Where it was written: `training.epochs`, `conditions.D.training.epochs`.
    pub path: String,
    pub origin: Origin,
    pub value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Boolean(bool),
    /// With its digits as written; beyond 64 bits there are only these.
    Integer(String, Option<i64>),
    Float(String, f64),
    Text(String),
    Date(String),
    List(Vec<Node>),
    /// In the order of the file.
    Table(Vec<(String, Node)>),
}

impl Node {
    /// Reads the text of a config.
    pub fn parse(text: &str, file: &Path) -> Result<Self, Problem> {
        let file: Arc<Path> = file.into();
        let line = |start: usize| line_at_end(&text.as_bytes()[..start]);
        let origin = |start| Origin::File {
            file: Arc::clone(&file),
            line: line(start),
        };
        let table = DeTable::parse(text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            // An error at the very end is about the last line, not the empty one after it.
            let start = span.start.min(text.trim_end().len());
            let message = error.message();
            let origin = origin(start);
            if message == "duplicate key" {
                Problem::duplicate(&origin, text.get(span).unwrap_or_default())
            } else {
                let found = text.lines().nth(line(start) - 1).unwrap_or_default();
                Problem::syntax(&origin, found.trim(), message)
            }
        })?;
        let value = DeValue::Table(table.into_inner());
        Ok(Self::of_toml(String::new(), origin(0), &value, &origin))
    }

    fn of_toml(
        path: String,
        origin: Origin,
        value: &DeValue<'_>,
        at: &dyn Fn(usize) -> Origin,
    ) -> Self {
        let value = match value {
            DeValue::Boolean(truth) => Value::Boolean(*truth),
            DeValue::Integer(digits) => {
                let number = i64::from_str_radix(digits.as_str(), digits.radix()).ok();
                Value::Integer(digits.to_string(), number)
            }
            DeValue::Float(digits) => {
                let number = digits.as_str().parse().unwrap_or(f64::NAN);
                Value::Float(digits.to_string(), number)
            }
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Datetime(date) => Value::Date(date.to_string()),
            DeValue::Array(items) => {
                let item = |(index, item): (usize, &toml::Spanned<DeValue<'_>>)| {
                    let path = format!("{path}[{index}]");
                    Self::of_toml(path, at(item.span().start), item.get_ref(), at)
                };
                Value::List(items.iter().enumerate().map(item).collect())
            }
            DeValue::Table(table) => {
                let mut entries: Vec<_> = table.iter().collect();
                entries.sort_by_key(|(key, _)| key.span().start);
                let entry = |(key, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
                    let name: String = std::borrow::Cow::to_string(key.get_ref());
                    let path = joined(&path, &name);
                    let node = Self::of_toml(path, at(key.span().start), value.get_ref(), at);
                    (name, node)
                };
                Value::Table(entries.into_iter().map(entry).collect())
            }
        };
        Self {
            path,
            origin,
            value,
        }
    }

    /// The value of `--set`: TOML; or, what is none, a word that the shell took the quotes from.
    pub fn of_argument(path: &str, text: &str, origin: &Origin) -> Self {
        let text = text.trim();
        let value = DeValue::parse(text);
        let value = value.map_or_else(|_| DeValue::String(text.into()), toml::Spanned::into_inner);
        Self::of_toml(path.to_owned(), origin.clone(), &value, &|_| origin.clone())
    }

    /// Values that nobody chose.
    pub fn of_defaults(path: &str, table: &toml::Table) -> Self {
        let entry = |(name, value): (&String, &toml::Value)| {
            let path = joined(path, name);
            let node = match value {
                toml::Value::Table(table) => Self::of_defaults(&path, table),
                other => {
                    Self::of_argument(&path, &super::record::shortest(other), &Origin::Default)
                }
            };
            (name.clone(), node)
        };
        Self {
            path: path.to_owned(),
            origin: Origin::Default,
            value: Value::Table(table.iter().map(entry).collect()),
        }
    }

    /// An empty table.
    pub fn empty(path: &str, origin: &Origin) -> Self {
        Self {
            path: path.to_owned(),
            origin: origin.clone(),
            value: Value::Table(Vec::new()),
        }
    }

    /// `self` inside tables with these names.
    pub fn inside(self, names: &[&str]) -> Self {
        let mut node = self;
        for depth in (0..names.len()).rev() {
            let path = names[..depth]
                .iter()
                .fold(String::new(), |path, name| joined(&path, name));
            let mut table = Self::empty(&path, &node.origin);
            table.value = Value::Table(vec![(names[depth].to_owned(), node)]);
            node = table;
        }
        node
    }

    /// The entries of a table; none of another value.
    pub fn entries(&self) -> &[(String, Self)] {
        match &self.value {
            Value::Table(entries) => entries,
            _ => &[],
        }
    }

    pub fn entries_mut(&mut self) -> &mut [(String, Self)] {
        match &mut self.value {
            Value::Table(entries) => entries,
            _ => &mut [],
        }
    }

    pub fn is_table(&self) -> bool {
        matches!(self.value, Value::Table(_))
    }

    pub fn get(&self, name: &str) -> Option<&Self> {
        let mut entries = self.entries().iter();
        entries
            .find(|(known, _)| known == name)
            .map(|(_, node)| node)
    }

    pub fn get_mut(&mut self, name: &str) -> Option<&mut Self> {
        let mut entries = self.entries_mut().iter_mut();
        entries
            .find(|(known, _)| known == name)
            .map(|(_, node)| node)
    }

    /// What stands at these names below each other.
    pub fn find(&self, names: &[&str]) -> Option<&Self> {
        names.iter().try_fold(self, |node, name| node.get(name))
    }

    /// A table without one of its entries, and that entry.
    pub fn without(&self, name: &str) -> (Self, Option<Self>) {
        let mut rest = self.clone();
        let taken = match &mut rest.value {
            Value::Table(entries) => {
                let at = entries.iter().position(|(known, _)| known == name);
                at.map(|at| entries.remove(at).1)
            }
            _ => None,
        };
        (rest, taken)
    }

    /// Puts another tree over this one, both of which stand at `place`: the names that lead there in a config.
    ///
    /// Sections are merged key by key. A choice is merged if it is the same choice, and a word alone is a choice; all else
    /// is replaced. A section of sparsity that names another kind leaves nothing of the kind before, and one that names an
    /// optimizer nothing that this has no use for.
    pub fn put_over(&mut self, over: Self, place: &[&str]) {
        if place.last() == Some(&"sparsity") && holds_keys(place) {
            self.leave_kind(&over);
        }
        if let Value::Table(entries) = &mut self.value {
            let useless = keys_without_use(&over);
            entries.retain(|(name, _)| !useless.contains(&name.as_str()));
        }
        let merged = match (&mut self.value, &over.value) {
            (Value::Table(_), Value::Table(_)) if holds_keys(place) => true,
            (Value::Table(ours), Value::Table(theirs)) => {
                matches!((&ours[..], &theirs[..]), ([(a, _)], [(b, _)]) if a == b)
            }
            (Value::Text(word), Value::Table(theirs)) => match &theirs[..] {
                [(name, _)] if name == word && !holds_keys(place) => {
                    self.value = Value::Table(Vec::new());
                    true
                }
                _ => false,
            },
            (Value::Table(ours), Value::Text(word)) if !holds_keys(place) => match &ours[..] {
                [(name, node)] if name == word && node.is_table() => {
                    // The choice was made again, without a word about its keys.
                    self.path = over.path;
                    self.origin = over.origin;
                    return;
                }
                _ => false,
            },
            _ => false,
        };
        let Value::Table(entries) = &mut self.value else {
            *self = over;
            return;
        };
        if !merged {
            *self = over;
            return;
        }
        let Value::Table(theirs) = over.value else {
            return;
        };
        for (name, node) in theirs {
            match entries.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => known.put_over(node, &[place, &[&name]].concat()),
                None => entries.push((name, node)),
            }
        }
    }

    /// Drops what a section of sparsity cannot keep once `over`, which may name another kind, is put over it.
    fn leave_kind(&mut self, over: &Self) {
        let (ours, theirs) = (kind_of(self), kind_of(over));
        let (Value::Table(entries), Some(theirs)) = (&mut self.value, theirs) else {
            return;
        };
        match ours {
            Some(ours) if ours == theirs => {}
            Some(_) => entries.clear(),
            // Keys of a kind that was not named yet.
            None => entries.retain(|(name, _)| theirs.keys().contains(&name.as_str())),
        }
    }

    /// The values in this tree: all that is no table, and choices without keys of their own.
    pub fn leaves(&self) -> Vec<&Self> {
        match &self.value {
            Value::Table(entries) if !entries.is_empty() => {
                entries.iter().flat_map(|(_, node)| node.leaves()).collect()
            }
            _ => vec![self],
        }
    }

    /// What kind of value this is.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Text(_) => "a string",
            Value::Integer(..) => "a whole number",
            Value::Float(..) => "a float",
            Value::Boolean(_) => "a boolean",
            Value::Date(_) => "a date",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }

    /// The value as the user wrote it, nearly: for errors.
    pub fn written(&self) -> String {
        let quote = |text: &str| format!("\"{text}\"");
        self.text(&quote, &str::to_owned, &|digits, _| digits.to_owned())
    }

    /// The value as TOML.
    pub fn to_toml(&self) -> String {
        self.text(&quoted, &super::toml_key, &|digits, number| {
            number.map_or_else(|| digits.to_owned(), |number| number.to_string())
        })
    }

    fn text(
        &self,
        quote: &dyn Fn(&str) -> String,
        key: &dyn Fn(&str) -> String,
        integer: &dyn Fn(&str, Option<i64>) -> String,
    ) -> String {
        match &self.value {
            Value::Text(text) => quote(text),
            Value::Integer(digits, number) => integer(digits, *number),
            Value::Float(digits, _) | Value::Date(digits) => digits.clone(),
            Value::Boolean(truth) => truth.to_string(),
            Value::List(items) => {
                let items: Vec<_> = items
                    .iter()
                    .map(|item| item.text(quote, key, integer))
                    .collect();
                format!("[{}]", items.join(", "))
            }
            Value::Table(entries) => {
                let entry = |(name, node): &(String, Self)| {
                    format!("{} = {}", key(name), node.text(quote, key, integer))
                };
                let entries: Vec<_> = entries.iter().map(entry).collect();
                match &entries[..] {
                    [] => "{}".to_owned(),
                    entries => format!("{{ {} }}", entries.join(", ")),
                }
            }
        }
    }
}

/// The line, counted from 1, in which `text` ends.
pub(super) fn line_at_end(text: &[u8]) -> usize {
    text.split(|&byte| byte == b'\n').count()
}
