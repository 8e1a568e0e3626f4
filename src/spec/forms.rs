//! How the values of the vocabulary are written: ranges of numbers, ratios, widths, lists of seeds.
//!
//! A range is declared once, as a type that `#[serde(with = "…")]` names: reading, the JSON Schema and error messages
//! all take it from there, and the field stays a plain number for users of the library. Floats are checked a second
//! time as the 32-bit numbers that models compute with: a positive 1e-60 would be 0 there.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Bound, RangeBounds, RangeInclusive};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Initialization, Limit, StageCount, Variance};

/// What [`serde::de::Error::invalid_value`] is told of a number that only rounding takes out of its range.
pub(crate) const ROUNDS_OUT: &str = "out of range once it is a 32-bit float";

/// The most layers that a classifier may have.
const DEEPEST: u64 = 1000;
type Width = Whole<1, 1_000_000>;

/// An error of a rule: what is wrong (`{}` stands for the value), and in the next line what to do.
fn broken<E: Error>(says: impl fmt::Display, hint: impl fmt::Display) -> E {
    E::custom(format!("{says}\n{hint}"))
}

/// A whole number from `LOW` to `HIGH`.
pub(crate) struct Whole<const LOW: u64, const HIGH: u64>;

impl<const LOW: u64, const HIGH: u64> Whole<LOW, HIGH> {
    const RANGE: RangeInclusive<u64> = LOW..=HIGH;

    pub fn deserialize<'de, D, T>(deserializer: D) -> Result<T, D::Error>
    where
        D: Deserializer<'de>,
        T: TryFrom<u64>,
    {
        deserializer.deserialize_u64(WholeVisitor::<T> {
            range: Self::RANGE,
            number: PhantomData,
        })
    }

    pub fn serialize<S: Serializer, T: Serialize>(
        number: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        number.serialize(serializer)
    }
}

impl<const LOW: u64, const HIGH: u64> JsonSchema for Whole<LOW, HIGH> {
    fn schema_name() -> Cow<'static, str> {
        format!("from_{LOW}_to_{HIGH}").into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": LOW, "maximum": HIGH })
    }
}

struct WholeVisitor<T> {
    range: RangeInclusive<u64>,
    number: PhantomData<T>,
}

impl<T: TryFrom<u64>> Visitor<'_> for WholeVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = (self.range.start(), self.range.end());
        write!(f, "a whole number from {low} to {high}")
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        self.visit_i128(number.into())
    }
    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        self.visit_i128(number.into())
    }
    fn visit_i128<E: Error>(self, number: i128) -> Result<T, E> {
        u64::try_from(number)
            .ok()
            .filter(|number| self.range.contains(number))
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| E::invalid_value(Unexpected::Other("a whole number"), &self))
    }
    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        let expected = format!("{}, without a decimal point", expected(&self));
        Err(E::invalid_type(
            Unexpected::Float(number),
            &expected.as_str(),
        ))
    }
}

/// What a visitor says that it expects.
pub(crate) fn expected(expected: &dyn serde::de::Expected) -> String {
    expected.to_string()
}

/// Declares ranges of numbers: `Name = low, high`.
macro_rules! ranges {
    ($($(#[$doc:meta])* $name:ident = $low:expr, $high:expr;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl $name {
            pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
                deserializer.deserialize_f64(Real(Self::RANGE))
            }
            const RANGE: Range = ($low, $high);

            #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
            pub fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_f64(*number)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                number_schema(Self::RANGE)
            }
        }
    )*};
}

type Range = (Bound<f64>, Bound<f64>);
use Bound::{Excluded, Included};

/// In single precision 1 − x is then neither 1 nor far from the x that it came from.
const NEAR_0: f64 = 1e-6;
/// Squared sums of what is drawn wider are beyond single precision.
const WIDEST: f64 = 1000.0;

ranges! {
    /// A slope of a rectifier.
    Slope = Included(-10.0), Included(10.0);
    /// A share that is not the whole: a momentum, a decay, the part of the inputs that is masked.
    Share = Included(0.0), Excluded(1.0);
    /// A mean activation that units are asked for.
    Target = Included(NEAR_0), Included(1.0 - NEAR_0);
    /// The distance from 0 and 1 that a mean activation is held at.
    Clamp = Included(NEAR_0), Excluded(0.5);
    /// The weight of a term of the cost.
    Weight = Included(0.0), Included(1e6);
    LearningRate = Excluded(0.0), Included(100.0);
    WeightDecay = Included(0.0), Included(100.0);
    /// Adam's ε: a smaller one divides gradients whose squares are 0 in single precision, and makes steps of any size.
    Epsilon = Included(1e-12), Included(1.0);
    Deviation = Included(0.0), Included(100.0);
    PositiveVariance = Excluded(0.0), Included(WIDEST * WIDEST);
    Gain = Excluded(0.0), Included(WIDEST);
    Constant = Included(-WIDEST), Included(WIDEST);
}

/// Reads a number in a range.
struct Real(Range);

impl Real {
    /// `number`, if it is in the range before and after it is rounded to 32 bits.
    fn checked<E: Error>(&self, number: f64) -> Result<f64, E> {
        if !self.0.contains(&number) {
            return Err(E::invalid_value(Unexpected::Float(number), self));
        }
        // Processors that flush subnormal numbers to zero are common.
        let single = Some(number as f32)
            .filter(|single| !single.is_subnormal())
            .unwrap_or(0.0);
        let singles = (
            self.0.0.map(|bound| bound as f32),
            self.0.1.map(|bound| bound as f32),
        );
        if !singles.contains(&single) {
            return Err(E::invalid_value(Unexpected::Other(ROUNDS_OUT), self));
        }
        Ok(number + 0.0) // −0 becomes 0
    }
}

impl Visitor<'_> for Real {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let readable = |number: f64| match number.abs() {
            tiny if 0.0 < tiny && tiny < 1e-4 => format!("{number:e}"),
            _ => number.to_string(),
        };
        f.write_str("a number x with ")?;
        match self.0.0 {
            Included(low) => write!(f, "{} ≤ ", readable(low))?,
            Excluded(low) => write!(f, "{} < ", readable(low))?,
            Bound::Unbounded => {}
        }
        f.write_str("x")?;
        match self.0.1 {
            Included(high) => write!(f, " ≤ {}", readable(high)),
            Excluded(high) => write!(f, " < {}", readable(high)),
            Bound::Unbounded => Ok(()),
        }
    }
    fn visit_f64<E: Error>(self, number: f64) -> Result<f64, E> {
        self.checked(number)
    }
    fn visit_i64<E: Error>(self, number: i64) -> Result<f64, E> {
        self.checked(number as f64)
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<f64, E> {
        self.checked(number as f64)
    }
    fn visit_i128<E: Error>(self, number: i128) -> Result<f64, E> {
        self.checked(number as f64)
    }
}

fn number_schema((low, high): Range) -> Schema {
    let mut schema = json_schema!({ "type": "number" });
    let bounds = [
        (low, "minimum", "exclusiveMinimum"),
        (high, "maximum", "exclusiveMaximum"),
    ];
    for (bound, including, excluding) in bounds {
        match bound {
            Included(number) if number.abs() < f64::MAX => {
                schema.insert(including.to_owned(), number.into());
            }
            Excluded(number) => {
                schema.insert(excluding.to_owned(), number.into());
            }
            _ => {}
        }
    }
    schema
}

/// Variances are numbers or ratios: `"1/784"`, `"2/fan_in"`, `"1/fan_in/10"`.
impl<'de> Deserialize<'de> for Variance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ratio;

        impl Visitor<'_> for Ratio {
            type Value = Variance;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Real(PositiveVariance::RANGE).expecting(f)
            }
            fn visit_f64<E: Error>(self, number: f64) -> Result<Variance, E> {
                let value = Real(PositiveVariance::RANGE).checked(number)?;
                Ok(Variance::Fixed { value })
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Variance, E> {
                self.visit_f64(number as f64)
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Variance, E> {
                self.visit_f64(number as f64)
            }
            fn visit_i128<E: Error>(self, number: i128) -> Result<Variance, E> {
                self.visit_f64(number as f64)
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Variance, E> {
                let (over_fan_in, quotient) = ratio(text)?;
                let number = Real(PositiveVariance::RANGE).checked(quotient)?;
                Ok(if over_fan_in {
                    Variance::OverFanIn { scale: number }
                } else {
                    Variance::Fixed { value: number }
                })
            }
        }

        deserializer.deserialize_any(Ratio)
    }
}

/// Whether the fan-in divides, and the quotient of the numbers.
fn ratio<E: Error>(text: &str) -> Result<(bool, f64), E> {
    let no_ratio = || {
        broken(
            "is {}, which is not a ratio",
            "write a number, or a ratio such as \"1/784\", \"2/fan_in\" or \"1/fan_in/10\"",
        )
    };
    let mut parts = text.split('/').map(str::trim);
    let positive = |part: &str| part.parse().ok().filter(|number: &f64| *number > 0.0);
    let mut quotient = parts.next().and_then(positive).ok_or_else(no_ratio)?;
    let (mut divisors, mut fan_ins) = (0, 0);
    for part in parts {
        divisors += 1;
        match (part, positive(part)) {
            ("fan_in", _) => fan_ins += 1,
            (_, Some(number)) => quotient /= number,
            _ if part.parse() == Ok(0.0) => {
                return Err(broken(
                    "is {}, which divides by zero",
                    "the numbers after `/` must be positive",
                ));
            }
            _ => return Err(no_ratio()),
        }
    }
    if divisors == 0 || fan_ins > 1 {
        return Err(no_ratio());
    }
    Ok((fan_ins == 1, quotient))
}

/// As a ratio where that loses no bit, else as a number.
impl Serialize for Variance {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let divisor = |value: f64| {
            let divisor = (1.0 / value).round();
            (1.5..1e15)
                .contains(&divisor)
                .then_some(divisor)
                .filter(|divisor| (1.0 / divisor).to_bits() == value.to_bits())
        };
        match *self {
            Self::Fixed { value } => match divisor(value) {
                Some(divisor) => serializer.collect_str(&format_args!("1/{divisor}")),
                None => serializer.serialize_f64(value),
            },
            Self::OverFanIn { scale } => match divisor(scale) {
                Some(divisor) => serializer.collect_str(&format_args!("1/fan_in/{divisor}")),
                None => serializer.collect_str(&format_args!("{scale}/fan_in")),
            },
        }
    }
}

impl JsonSchema for Variance {
    fn schema_name() -> Cow<'static, str> {
        "Variance".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let number = number_schema(PositiveVariance::RANGE);
        json_schema!({
            "description": "A variance: a number, or a ratio such as \"1/784\", \"2/fan_in\", \"1/fan_in/10\".",
            "anyOf": [number, { "type": "string", "pattern": "/" }]
        })
    }
}

/// How initial values are written: a table of one key.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "snake_case",
    expecting = "an initialization: write { normal_variance = \"1/784\" } or { constant = 0.0 }, or { orthogonal = 1.0 } for weights"
)]
pub(crate) enum WrittenInitialization {
    /// Normal with mean 0 and this variance: a number, or a ratio such as "1/784", "2/fan_in".
    NormalVariance(Variance),
    /// Every entry the same.
    Constant(#[serde(with = "Constant")] f64),
    /// A random matrix with orthonormal rows or columns, times this gain (Saxe et al. 2014); for weights only.
    Orthogonal(#[serde(with = "Gain")] f64),
}

impl From<WrittenInitialization> for Initialization {
    fn from(written: WrittenInitialization) -> Self {
        match written {
            WrittenInitialization::NormalVariance(variance) => Self::Normal { variance },
            WrittenInitialization::Constant(value) => Self::Constant { value },
            WrittenInitialization::Orthogonal(gain) => Self::Orthogonal { gain },
        }
    }
}

impl From<Initialization> for WrittenInitialization {
    fn from(initialization: Initialization) -> Self {
        match initialization {
            Initialization::Normal { variance } => Self::NormalVariance(variance),
            Initialization::Constant { value } => Self::Constant(value),
            Initialization::Orthogonal { gain } => Self::Orthogonal(gain),
        }
    }
}

/// Initial values of biases, which are no matrix.
pub(crate) struct Bias;

impl Bias {
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Initialization, D::Error> {
        match Initialization::deserialize(deserializer)? {
            Initialization::Orthogonal { .. } => Err(broken(
                "is {}, which is not an initialization of biases",
                "write { normal_variance = \"1/784\" } or { constant = 0.0 }; { orthogonal = 1.0 } is for weights",
            )),
            other => Ok(other),
        }
    }
    pub fn serialize<S: Serializer>(
        bias: &Initialization,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        bias.serialize(serializer)
    }
}

impl JsonSchema for Bias {
    fn schema_name() -> Cow<'static, str> {
        "Bias".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = WrittenInitialization::json_schema(generator);
        if let Some(serde_json::Value::Array(forms)) = schema.get_mut("oneOf") {
            forms.pop();
        }
        schema
    }
}

/// Distinct seeds: a list, or `"0..40"` for 0 to 39.
pub(crate) struct Seeds;

/// The largest seed: TOML's integers have a sign.
pub(crate) const LARGEST_SEED: u64 = i64::MAX.unsigned_abs();
const MOST_SEEDS: usize = 10_000;

impl Seeds {
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
        struct List;

        impl<'de> Visitor<'de> for List {
            type Value = Vec<u64>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list, such as [0, 1]")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Vec<u64>, E> {
                let number = |text: &str| {
                    text.trim()
                        .parse()
                        .ok()
                        .filter(|seed: &u64| *seed <= LARGEST_SEED)
                };
                let range = text
                    .split_once("..")
                    .and_then(|(low, high)| Some(number(low)?..number(high)?));
                let seeds = range.ok_or_else(|| E::invalid_type(Unexpected::Str(text), &self))?;
                let count = seeds.end.saturating_sub(seeds.start);
                bounded(usize::try_from(count).unwrap_or(usize::MAX))?;
                Ok(seeds.collect())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<u64>, A::Error> {
                let mut seeds = Vec::new();
                while let Some(Seed(seed)) = items.next_element()? {
                    if seeds.contains(&seed) {
                        let says = format!("holds {seed} twice");
                        return Err(broken(says, "write each value once"));
                    }
                    seeds.push(seed);
                    if seeds.len() > MOST_SEEDS {
                        while items.next_element::<Seed>()?.is_some() {
                            seeds.push(0);
                        }
                        break;
                    }
                }
                bounded(seeds.len())?;
                Ok(seeds)
            }
        }

        deserializer.deserialize_any(List)
    }

    pub fn serialize<S: Serializer>(seeds: &[u64], serializer: S) -> Result<S::Ok, S::Error> {
        match seeds {
            [first, .., last] if seeds.len() > 5 && seeds.windows(2).all(|w| w[1] == w[0] + 1) => {
                serializer.collect_str(&format_args!("{first}..{}", last + 1))
            }
            _ => seeds.serialize(serializer),
        }
    }
}

#[derive(Deserialize)]
struct Seed(#[serde(with = "Whole::<0, LARGEST_SEED>")] u64);

fn bounded<E: Error>(count: usize) -> Result<(), E> {
    match count {
        0 => Err(broken(
            "is empty",
            "give at least one value, or leave the key out for its default",
        )),
        1..=MOST_SEEDS => Ok(()),
        _ => Err(broken(
            format_args!("holds {count} values"),
            format_args!("it may hold {MOST_SEEDS} at most"),
        )),
    }
}

impl JsonSchema for Seeds {
    fn schema_name() -> Cow<'static, str> {
        "Seeds".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let seed = Whole::<0, LARGEST_SEED>::json_schema(generator);
        json_schema!({ "anyOf": [
            { "type": "array", "items": seed, "minItems": 1, "maxItems": MOST_SEEDS, "uniqueItems": true },
            { "type": "string", "pattern": r"^\s*\d+\s*\.\.\s*\d+\s*$" }
        ] })
    }
}

/// Seeds that may be left out.
pub(crate) struct MaybeSeeds;

impl MaybeSeeds {
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Vec<u64>>, D::Error> {
        Seeds::deserialize(deserializer).map(Some)
    }
    #[allow(clippy::ref_option, reason = "serde's signature")]
    pub fn serialize<S: Serializer>(
        seeds: &Option<Vec<u64>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        Seeds::serialize(seeds.as_deref().unwrap_or_default(), serializer)
    }
}

impl JsonSchema for MaybeSeeds {
    fn schema_name() -> Cow<'static, str> {
        Seeds::schema_name()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Seeds::json_schema(generator)
    }
}

/// The widths of layers: a list, in which a width may be repeated, or `"15 x 100"`.
pub(crate) struct Widths;

impl Widths {
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<usize>, D::Error> {
        #[derive(Deserialize)]
        struct One(#[serde(with = "Width")] usize);

        struct Layers;

        impl<'de> Visitor<'de> for Layers {
            type Value = Vec<usize>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a list of widths: write [300, 100], or \"15 x 100\" for fifteen layers of 100 units",
                )
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Vec<usize>, E> {
                let number = |text: &str| text.trim().parse::<u64>().ok();
                let parts = text
                    .split_once(['x', '×'])
                    .and_then(|(depth, width)| Some((number(depth)?, number(width)?)));
                let (depth, width) =
                    parts.ok_or_else(|| E::invalid_type(Unexpected::Str(text), &self))?;
                match usize::try_from(width) {
                    Ok(wide) if depth <= DEEPEST && Width::RANGE.contains(&width) => {
                        Ok(vec![wide; depth as usize])
                    }
                    _ => {
                        let widest = Width::RANGE.end();
                        let allowed = format!("at most {DEEPEST} layers of 1 to {widest} units");
                        Err(E::invalid_value(Unexpected::Str(text), &allowed.as_str()))
                    }
                }
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<usize>, A::Error> {
                let mut widths = Vec::new();
                while let Some(One(width)) = items.next_element()? {
                    widths.push(width);
                }
                if widths.len() as u64 > DEEPEST {
                    return Err(broken(
                        format_args!("holds {} values", widths.len()),
                        format_args!("it may hold {DEEPEST} at most"),
                    ));
                }
                Ok(widths)
            }
        }

        deserializer.deserialize_any(Layers)
    }

    pub fn serialize<S: Serializer>(widths: &[usize], serializer: S) -> Result<S::Ok, S::Error> {
        match widths {
            [first, _, ..] if widths.iter().all(|width| width == first) => {
                serializer.collect_str(&format_args!("{} x {first}", widths.len()))
            }
            _ => widths.serialize(serializer),
        }
    }
}

impl JsonSchema for Widths {
    fn schema_name() -> Cow<'static, str> {
        "Widths".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let width = Width::json_schema(generator);
        json_schema!({ "anyOf": [
            { "type": "array", "items": width, "maxItems": DEEPEST },
            { "type": "string", "pattern": r"^\s*\d+\s*[x×]\s*\d+\s*$" }
        ] })
    }
}

/// A number, or one of these words in its place.
struct OrWord<const LOW: u64, const HIGH: u64> {
    words: &'static [&'static str],
}

/// What [`OrWord`] found.
enum Chosen {
    Number(usize),
    Word(&'static str),
}

impl<const LOW: u64, const HIGH: u64> OrWord<LOW, HIGH> {
    fn schema(self, generator: &mut SchemaGenerator) -> Schema {
        let number = Whole::<LOW, HIGH>::json_schema(generator);
        json_schema!({ "anyOf": [number, { "enum": self.words }] })
    }
}

impl<const LOW: u64, const HIGH: u64> Visitor<'_> for OrWord<LOW, HIGH> {
    type Value = Chosen;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, word) in self.words.iter().enumerate() {
            let before = if at == 0 { "" } else { ", " };
            write!(f, "{before}\"{word}\"")?;
        }
        write!(f, " or a whole number from {LOW} to {HIGH}")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Chosen, E> {
        let mut words = self.words.iter();
        match words.find(|word| **word == text) {
            Some(word) => Ok(Chosen::Word(word)),
            None => Err(E::invalid_type(Unexpected::Str(text), &self)),
        }
    }
    fn visit_i64<E: Error>(self, number: i64) -> Result<Chosen, E> {
        self.visit_i128(number.into())
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<Chosen, E> {
        self.visit_i128(number.into())
    }
    fn visit_i128<E: Error>(self, number: i128) -> Result<Chosen, E> {
        let visitor = WholeVisitor::<usize> {
            range: Whole::<LOW, HIGH>::RANGE,
            number: PhantomData,
        };
        visitor.visit_i128(number).map(Chosen::Number)
    }
}

/// As many images as an IDX file can hold.
pub(crate) const MOST_IMAGES: u64 = u32::MAX as u64;
type OfImages = OrWord<1, MOST_IMAGES>;
const OF_IMAGES: OfImages = OrWord { words: &["all"] };

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match deserializer.deserialize_any(OF_IMAGES)? {
            Chosen::Number(count) => Self::First(count),
            Chosen::Word(_) => Self::All,
        })
    }
}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_str("all"),
            Self::First(count) => count.serialize(serializer),
        }
    }
}

impl JsonSchema for Limit {
    fn schema_name() -> Cow<'static, str> {
        "Limit".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        OF_IMAGES.schema(generator)
    }
}

const OF_LAYERS: OrWord<0, DEEPEST> = OrWord {
    words: &["none", "all"],
};

impl<'de> Deserialize<'de> for StageCount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match deserializer.deserialize_any(OF_LAYERS)? {
            Chosen::Number(count) => Self::First(count),
            Chosen::Word("all") => Self::All,
            Chosen::Word(_) => Self::First(0),
        })
    }
}

impl Serialize for StageCount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_str("all"),
            Self::First(0) => serializer.serialize_str("none"),
            Self::First(count) => count.serialize(serializer),
        }
    }
}

impl JsonSchema for StageCount {
    fn schema_name() -> Cow<'static, str> {
        "StageCount".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        OF_LAYERS.schema(generator)
    }
}

/// The path of a folder.
pub(crate) struct Folder;

impl Folder {
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<std::path::PathBuf, D::Error> {
        struct Path;

        impl Visitor<'_> for Path {
            type Value = std::path::PathBuf;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the path of a folder, in quotes")
            }
            fn visit_str<E: Error>(self, path: &str) -> Result<std::path::PathBuf, E> {
                if path.is_empty() || path.contains(char::is_control) {
                    return Err(broken(
                        "is {}, which is not the path of a folder",
                        "write it as \"data/mnist\"",
                    ));
                }
                Ok(path.into())
            }
        }

        deserializer.deserialize_str(Path)
    }
    pub fn serialize<S: Serializer>(
        path: &std::path::Path,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        path.serialize(serializer)
    }
}

impl JsonSchema for Folder {
    fn schema_name() -> Cow<'static, str> {
        "Folder".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1 })
    }
}

/// A choice's word alone takes its defaults: adds the words to the schema of an enum.
pub(crate) fn words_alone(schema: &mut Schema) {
    let Some(serde_json::Value::Array(forms)) = schema.get_mut("oneOf") else {
        return;
    };
    let words: Vec<_> = forms
        .iter()
        .filter_map(|form| {
            let (word, inner) = form.get("properties")?.as_object()?.iter().next()?;
            let needs_more = inner.get("required").is_some() || inner.get("type")? != "object";
            let description = form.get("description").cloned().unwrap_or_default();
            (!needs_more).then(|| serde_json::json!({ "const": word, "description": description }))
        })
        .collect();
    forms.extend(words);
}
