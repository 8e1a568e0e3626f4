//! Reads the vocabulary from a tree: a [`serde::Deserializer`] whose errors are problems at the value they are about.
//!
//! What a visitor says becomes words here. A choice's word alone takes the defaults of its keys, and a section whose keys
//! several types declare is read by each of them ([`Fields`]).

use std::cell::RefCell;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Expected, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde::{Deserialize, forward_to_deserialize_any};

use super::keys;
use super::node::{Node, Value};
use super::problem::{Problem, alternatives, shown};
use crate::spec::ROUNDS_OUT;

/// What serde's visitors refuse, on its way to the value that it is about.
#[derive(Debug)]
pub(super) enum Refusal {
    Unlocated(What),
    Located(Box<Problem>),
}

/// What is wrong, before it is known with which value.
#[derive(Debug)]
pub(super) enum What {
    WrongType {
        expected: String,
    },
    OutOfRange {
        allowed: String,
        rounds: bool,
    },
    UnknownWord {
        allowed: &'static [&'static str],
    },
    UnknownKey {
        known: &'static [&'static str],
    },
    /// A rule in words: `{}` stands for the value; the second line says what to do.
    Rule(String),
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlocated(what) => write!(f, "{what:?}"),
            Self::Located(problem) => problem.fmt(f),
        }
    }
}

impl de::Error for Refusal {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Unlocated(What::Rule(message.to_string()))
    }
    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = match expected.to_string().as_str() {
            "a sequence" => "a list",
            "a string" => "text, in quotes",
            "f64" => "a number",
            "usize" => "a whole number",
            other => other,
        }
        .to_owned();
        Self::Unlocated(What::WrongType { expected })
    }
    fn invalid_value(found: Unexpected<'_>, allowed: &dyn Expected) -> Self {
        Self::Unlocated(What::OutOfRange {
            allowed: allowed.to_string(),
            rounds: found == Unexpected::Other(ROUNDS_OUT),
        })
    }
    fn missing_field(field: &'static str) -> Self {
        Self::Unlocated(What::Rule(format!(
            "lacks `{field}`\nwrite {field} = … with the others"
        )))
    }
    fn unknown_variant(_: &str, allowed: &'static [&'static str]) -> Self {
        Self::Unlocated(What::UnknownWord { allowed })
    }
    fn unknown_field(_: &str, known: &'static [&'static str]) -> Self {
        Self::Unlocated(What::UnknownKey { known })
    }
}

impl Refusal {
    /// The problem, if it has a place; a rule of the reader itself always has.
    pub fn at(self, node: &Node) -> Self {
        match self {
            Self::Unlocated(what) => Self::Located(Box::new(what.at(node))),
            located @ Self::Located(_) => located,
        }
    }

    pub fn problem(self, node: &Node) -> Problem {
        match self {
            Self::Unlocated(what) => what.at(node),
            Self::Located(problem) => *problem,
        }
    }
}

impl What {
    fn at(self, node: &Node) -> Problem {
        let key = shown(&node.path);
        let value = shown(&node.written());
        let problem = |says: String, hint: String| Problem::new(&node.origin, says, hint);
        match self {
            // A form that has a name of its own: "a list of widths: write …".
            Self::WrongType { expected } if expected.contains(": write ") => {
                let (what, hint) = expected.split_once(": ").unwrap_or_default();
                problem(
                    format!("`{key}` is {value}, which is not {what}"),
                    hint.to_owned(),
                )
            }
            Self::WrongType { expected } => problem(
                format!("`{key}` is {} ({value})", node.kind()),
                with_point(node, &expected).unwrap_or_else(|| {
                    let expected = as_list(node, &expected).unwrap_or(expected);
                    format!("it must be {expected}")
                }),
            ),
            Self::OutOfRange { allowed, rounds } => {
                let how = if rounds { ROUNDS_OUT } else { "out of range" };
                problem(
                    format!("`{key}` is {value}, which is {how}"),
                    format!("it must be {allowed}"),
                )
            }
            Self::UnknownWord { allowed } => {
                let word = match &node.value {
                    Value::Table(entries) => entries.first().map_or("", |(name, _)| name),
                    Value::Text(word) => word,
                    _ => "",
                };
                let mut problem = problem(
                    format!("`{key}` is \"{}\", which is not a known word", shown(word)),
                    format!("it must be {}", alternatives(allowed)),
                );
                let meant = keys::other_word(word).filter(|other| allowed.contains(other));
                problem.guess(meant.or_else(|| keys::nearest(word, allowed.iter().copied())));
                problem
            }
            Self::UnknownKey { known } => keys::unknown(&node.origin, &node.path, known),
            Self::Rule(text) => {
                let (says, hint) = text.split_once('\n').unwrap_or((&text, "change it"));
                problem(
                    format!("`{key}` {}", says.replacen("{}", &value, 1)),
                    hint.to_owned(),
                )
            }
        }
    }
}

/// How to write a number whose point was written as a comma.
fn with_point(node: &Node, expected: &str) -> Option<String> {
    let Value::Text(text) = &node.value else {
        return None;
    };
    let number = text.replacen(',', ".", 1);
    let is_number =
        expected.contains("number") && !expected.contains("whole") && number.parse::<f64>().is_ok();
    (is_number && number != *text).then(|| format!("write a point in place of the comma: {number}"))
}

/// How to write a list of what is none, where a list is expected.
pub(super) fn as_list(node: &Node, expected: &str) -> Option<String> {
    if !expected.starts_with("a list") {
        return None;
    }
    let items: Vec<String> = match &node.value {
        Value::Integer(..) | Value::Float(..) => vec![node.written()],
        Value::Text(text) => text
            .split([',', ' '])
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    };
    let are_numbers = items.iter().all(|item| item.parse::<f64>().is_ok());
    if expected == "a list" && !are_numbers {
        return Some(format!("a list: write [{}]", shown(&node.written())));
    }
    let or = expected.split_once(", or ");
    let or = or.map_or_else(String::new, |(_, other)| format!(", or {other}"));
    (!items.is_empty() && are_numbers).then(|| format!("a list: write [{}]{or}", items.join(", ")))
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Refusal;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        let result = match &self.value {
            Value::Boolean(truth) => visitor.visit_bool(*truth),
            Value::Integer(_, Some(number)) => visitor.visit_i64(*number),
            Value::Integer(digits, None) => visitor.visit_i128(if digits.starts_with('-') {
                i128::MIN
            } else {
                i128::MAX
            }),
            Value::Float(_, number) => visitor.visit_f64(*number),
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::Date(date) => {
                let expected = visitor_expects(&visitor);
                let _ = date;
                Err(Refusal::Unlocated(What::WrongType { expected }))
            }
            Value::List(items) => visitor.visit_seq(Items(items.iter())),
            Value::Table(entries) => visitor.visit_map(Entries::new(entries, None)),
        };
        result.map_err(|refusal| refusal.at(self))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        if self.is_table() {
            return self.deserialize_any(visitor);
        }
        Err(Refusal::Located(Box::new(Problem::section(
            &self.origin,
            &self.path,
        ))))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        let expecting = visitor_expects(&visitor);
        // A type that says more than its name says how it is written.
        let form = Some(expecting).filter(|text| !text.starts_with("enum "));
        let (word, inner) = match &self.value {
            Value::Text(word) => (word.as_str(), None),
            Value::Table(entries) if entries.len() == 1 => {
                (entries[0].0.as_str(), Some(&entries[0].1))
            }
            Value::Table(_) if form.is_none() => {
                let expected = alternatives(variants);
                let says = "is {}, which is not one choice with its keys";
                let rule = format!(
                    "{says}\nit must be {expected}; its own keys, where it has any, follow in braces"
                );
                return Err(Refusal::Unlocated(What::Rule(rule)).at(self));
            }
            _ => {
                let expected = form.unwrap_or_else(|| alternatives(variants));
                return Err(Refusal::Unlocated(What::WrongType { expected }).at(self));
            }
        };
        if let Some(expected) = form.clone().filter(|_| !variants.contains(&word)) {
            return Err(Refusal::Unlocated(What::WrongType { expected }).at(self));
        }
        visitor
            .visit_enum(Choice { word, inner, form })
            .map_err(|refusal| refusal.at(self))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

fn visitor_expects<'de, V: Visitor<'de>>(visitor: &V) -> String {
    let expected: &dyn Expected = visitor;
    expected.to_string()
}

struct Items<'de>(std::slice::Iter<'de, Node>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Refusal;
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Refusal> {
        let Some(node) = self.0.next() else {
            return Ok(None);
        };
        seed.deserialize(node)
            .map(Some)
            .map_err(|refusal| refusal.at(node))
    }
}

struct Entries<'de> {
    rest: std::slice::Iter<'de, (String, Node)>,
    current: Option<&'de Node>,
    /// Others are left out.
    only: Option<&'static [&'static str]>,
}

impl<'de> Entries<'de> {
    fn new(entries: &'de [(String, Node)], only: Option<&'static [&'static str]>) -> Self {
        Self {
            rest: entries.iter(),
            current: None,
            only,
        }
    }
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Refusal;
    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Refusal> {
        let only = self.only;
        let wanted = |name: &str| only.is_none_or(|names| names.contains(&name));
        let Some((name, node)) = self.rest.find(|(name, _)| wanted(name)) else {
            return Ok(None);
        };
        self.current = Some(node);
        let key = StrDeserializer::<Refusal>::new(name);
        seed.deserialize(key)
            .map(Some)
            .map_err(|refusal| refusal.at(node))
    }
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refusal> {
        let node = self.current.take().expect("a key is asked for first");
        seed.deserialize(node).map_err(|refusal| refusal.at(node))
    }
}

/// A variant: a word, or a table of one entry.
struct Choice<'de> {
    word: &'de str,
    inner: Option<&'de Node>,
    form: Option<String>,
}

impl<'de> EnumAccess<'de> for Choice<'de> {
    type Error = Refusal;
    type Variant = Self;
    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Refusal> {
        let variant = seed.deserialize(StrDeserializer::<Refusal>::new(self.word))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Choice<'de> {
    type Error = Refusal;

    fn unit_variant(self) -> Result<(), Refusal> {
        let Some(inner) = self.inner else {
            return Ok(());
        };
        match inner.entries() {
            [] if inner.is_table() => Ok(()),
            [(_, node), ..] => Err(Refusal::Unlocated(What::UnknownKey { known: &[] }).at(node)),
            [] => Err(de::Error::custom(format_args!(
                "is {{}}, but \"{0}\" has no keys of its own\nwrite the word alone: \"{0}\"",
                self.word
            ))),
        }
        .map_err(|refusal: Refusal| refusal.at(inner))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Refusal> {
        match self.inner {
            Some(inner) => seed.deserialize(inner).map_err(|refusal| refusal.at(inner)),
            None if self.form.is_none() => {
                seed.deserialize(MapAccessDeserializer::new(Entries::new(&[], None)))
            }
            None => Err(Refusal::Unlocated(What::WrongType {
                expected: self.form.unwrap_or_default(),
            })),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Refusal> {
        unreachable!("no type of the vocabulary has one")
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        match self.inner {
            None => visitor.visit_map(Entries::new(&[], None)),
            Some(inner) if inner.is_table() => inner.deserialize_any(visitor),
            Some(inner) => {
                let expected = format!("its keys, in braces, as in {} = {{ … }}", self.word);
                Err(Refusal::Unlocated(What::WrongType { expected }).at(inner))
            }
        }
    }
}

/// A section whose keys are declared by several types.
pub(super) struct Fields<'de> {
    node: &'de Node,
    /// Keys of those types that have no place here.
    hidden: &'static [&'static str],
    known: RefCell<Vec<&'static str>>,
}

impl<'de> Fields<'de> {
    pub fn of(node: &'de Node, hidden: &'static [&'static str]) -> Self {
        Self {
            node,
            hidden,
            known: RefCell::default(),
        }
    }

    /// The part that `T` declares.
    pub fn part<T: Deserialize<'de>>(&self) -> Result<T, Refusal> {
        T::deserialize(self)
    }

    /// Refuses what no part declared.
    pub fn finish(self) -> Result<(), Refusal> {
        let known = self.known.borrow();
        let mut entries = self.node.entries().iter();
        match entries.find(|(name, _)| !known.contains(&name.as_str())) {
            Some((_, node)) => Err(Refusal::Located(Box::new(keys::unknown(
                &node.origin,
                &node.path,
                &known,
            )))),
            None => Ok(()),
        }
    }
}

impl<'de> Deserializer<'de> for &Fields<'de> {
    type Error = Refusal;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        if !self.node.is_table() {
            return self.node.deserialize_struct(name, fields, visitor);
        }
        let shown = fields.iter().filter(|name| !self.hidden.contains(name));
        self.known.borrow_mut().extend(shown);
        let node = self.node;
        let hidden = self.hidden;
        let mut entries = node.entries().iter();
        if let Some((_, node)) = entries.find(|(name, _)| hidden.contains(&name.as_str())) {
            return Err(Refusal::Located(Box::new(keys::unknown(
                &node.origin,
                &node.path,
                &[],
            ))));
        }
        visitor.visit_map(Entries::new(node.entries(), Some(fields)))
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.node.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any option newtype_struct enum
    }
}
