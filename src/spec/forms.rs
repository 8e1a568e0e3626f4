//! How the values of the vocabulary are written: ranges of numbers, ratios, widths, lists of seeds.
//!
//! A [`Form`] is declared once, as a type that `#[serde(with = "…")]` names: reading, the JSON Schema and error messages
//! all take it from there, and the field stays a plain value for users of the library. Floats are checked a second time
//! as the 32-bit numbers that models compute with: a positive 1e-60 would be 0 there.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Bound::{self, Excluded, Included};
use std::ops::RangeBounds;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeOwned, Error, IgnoredAny, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{DecoderBias, Initialization, Published, Variance};

/// What [`serde::de::Error::invalid_value`] is told of a number that only rounding takes out of its range.
pub(crate) const ROUNDS_OUT: &str = "out of range once it is a 32-bit float";
/// The largest seed: TOML's integers have a sign.
pub(crate) const LARGEST_SEED: u64 = i64::MAX.unsigned_abs();
/// As many images as an IDX file can hold.
pub(crate) const MOST_IMAGES: u64 = u32::MAX as u64;
/// 255 is what files of labels hold where there is no label.
pub(crate) const HIGHEST_CLASS: u8 = 254;
const MOST_SEEDS: usize = 10_000;
/// The most layers that a classifier may have.
const DEEPEST: u64 = 1000;

/// A value as it is written.
pub(crate) enum Written<Item> {
    Whole(i128),
    Real(f64),
    Text(String),
    List(Vec<Item>),
}

/// Why a value is refused.
pub(crate) enum Flaw {
    /// It is of another form; this is added to what is expected.
    Form(&'static str),
    Range,
    /// This would be allowed.
    RangeOf(String),
    Rounds,
    /// A rule: what is wrong (`{}` stands for the value), and what to do.
    Rule(String, String),
}

impl Flaw {
    fn rule(says: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Rule(says.into(), hint.into())
    }
}

/// A way of writing values.
pub(crate) trait Form {
    type Value: Serialize;
    /// What lists hold, where they are one of the ways.
    type Item: DeserializeOwned;

    /// What is expected, after "it must be"; or "a form: write …".
    fn expected() -> String;
    fn read(written: Written<Self::Item>) -> Result<Self::Value, Flaw>;
    fn schema() -> Schema;

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(Reader::<Self>(PhantomData))
    }

    fn serialize<S: Serializer>(value: &Self::Value, serializer: S) -> Result<S::Ok, S::Error> {
        value.serialize(serializer)
    }
}

struct Reader<F: ?Sized>(PhantomData<F>);

impl<F: Form + ?Sized> Reader<F> {
    fn read<E: Error>(self, written: Written<F::Item>) -> Result<F::Value, E> {
        F::read(written).map_err(|flaw| match flaw {
            Flaw::Form(more) => {
                let expected = F::expected() + more;
                E::invalid_type(Unexpected::Other("this"), &expected.as_str())
            }
            Flaw::Range => E::invalid_value(Unexpected::Other("this"), &self),
            Flaw::RangeOf(allowed) => {
                E::invalid_value(Unexpected::Other("this"), &allowed.as_str())
            }
            Flaw::Rounds => E::invalid_value(Unexpected::Other(ROUNDS_OUT), &self),
            Flaw::Rule(says, hint) => E::custom(format_args!("{says}\n{hint}")),
        })
    }
}

impl<'de, F: Form + ?Sized> Visitor<'de> for Reader<F> {
    type Value = F::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&F::expected())
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<F::Value, E> {
        self.read(Written::Whole(number.into()))
    }
    fn visit_i64<E: Error>(self, number: i64) -> Result<F::Value, E> {
        self.read(Written::Whole(number.into()))
    }
    fn visit_i128<E: Error>(self, number: i128) -> Result<F::Value, E> {
        self.read(Written::Whole(number))
    }
    fn visit_f64<E: Error>(self, number: f64) -> Result<F::Value, E> {
        self.read(Written::Real(number))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<F::Value, E> {
        self.read(Written::Text(text.to_owned()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<F::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        self.read(Written::List(list))
    }
}

/// Gives forms their schema.
macro_rules! with_schema {
    (generic [$($parameters:tt)*] $name:ty) => {
        impl<$($parameters)*> JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                Self::schema()
            }
        }
    };
    ($($name:ty;)*) => {$( with_schema!(generic [] $name); )*};
}

/// A whole number from `LOW` to `HIGH`.
pub(crate) struct Whole<const LOW: u64, const HIGH: u64, T = usize>(PhantomData<T>);

impl<const LOW: u64, const HIGH: u64, T: TryFrom<u64> + Serialize> Form for Whole<LOW, HIGH, T> {
    type Value = T;
    type Item = IgnoredAny;

    fn expected() -> String {
        format!("a whole number from {LOW} to {HIGH}")
    }
    fn read(written: Written<IgnoredAny>) -> Result<T, Flaw> {
        match written {
            Written::Whole(number) => u64::try_from(number)
                .ok()
                .filter(|number| (LOW..=HIGH).contains(number))
                .and_then(|number| T::try_from(number).ok())
                .ok_or(Flaw::Range),
            Written::Real(_) => Err(Flaw::Form(", without a decimal point")),
            _ => Err(Flaw::Form("")),
        }
    }
    fn schema() -> Schema {
        json_schema!({ "type": "integer", "minimum": LOW, "maximum": HIGH })
    }
}

type Range = (Bound<f64>, Bound<f64>);

/// Declares ranges of numbers: `Name = low, high`.
macro_rules! ranges {
    ($($(#[$doc:meta])* $name:ident = $low:expr, $high:expr;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl $name {
            const RANGE: Range = ($low, $high);
        }

        impl Form for $name {
            type Value = f64;
            type Item = IgnoredAny;

            fn expected() -> String {
                described(Self::RANGE)
            }
            fn read(written: Written<IgnoredAny>) -> Result<f64, Flaw> {
                match written {
                    Written::Whole(number) => in_range(number as f64, Self::RANGE),
                    Written::Real(number) => in_range(number, Self::RANGE),
                    _ => Err(Flaw::Form("")),
                }
            }
            fn schema() -> Schema {
                let mut schema = json_schema!({ "type": "number" });
                let (low, high) = Self::RANGE;
                let bounds = [
                    (low, "minimum", "exclusiveMinimum"),
                    (high, "maximum", "exclusiveMaximum"),
                ];
                for (bound, including, excluding) in bounds {
                    let (name, number) = match bound {
                        Included(number) => (including, number),
                        Excluded(number) => (excluding, number),
                        Bound::Unbounded => continue,
                    };
                    schema.insert(name.to_owned(), number.into());
                }
                schema
            }
        }

        with_schema! { $name; }
    )*};
}

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
    /// What an epoch leaves of a learning rate.
    Remainder = Excluded(0.0), Included(1.0);
    WeightDecay = Included(0.0), Included(100.0);
    /// Adam's ε: a smaller one divides gradients whose squares are 0 in single precision, and makes steps of any size.
    Epsilon = Included(1e-12), Included(1.0);
    Deviation = Included(0.0), Included(100.0);
    PositiveVariance = Excluded(0.0), Included(WIDEST * WIDEST);
    Gain = Excluded(0.0), Included(WIDEST);
    Constant = Included(-WIDEST), Included(WIDEST);
    /// What a unit's sum is compared with, or a width around it.
    Threshold = Included(NEAR_0), Included(WIDEST);
    /// A norm that gradients are held at.
    Norm = Excluded(0.0), Included(1e9);
    /// What is added to variances before they divide.
    Ridge = Included(0.0), Included(1e6);
    /// How many standard deviations.
    Deviations = Excluded(0.0), Included(WIDEST);
}

/// A value that may be left out.
pub(crate) struct Perhaps<F>(PhantomData<F>);

impl<F: Form> Form for Perhaps<F> {
    type Value = Option<F::Value>;
    type Item = F::Item;

    fn expected() -> String {
        F::expected()
    }
    fn read(written: Written<F::Item>) -> Result<Option<F::Value>, Flaw> {
        F::read(written).map(Some)
    }
    fn schema() -> Schema {
        F::schema()
    }
}

/// What inputs are multiplied by: not 0, which would leave nothing of them.
pub(crate) struct Factor;

impl Form for Factor {
    type Value = f64;
    type Item = IgnoredAny;

    fn expected() -> String {
        Constant::expected()
    }
    fn read(written: Written<IgnoredAny>) -> Result<f64, Flaw> {
        match Constant::read(written)? {
            0.0 => Err(Flaw::rule(
                "is {}, which leaves nothing of the inputs",
                "write another factor",
            )),
            factor => Ok(factor),
        }
    }
    fn schema() -> Schema {
        Constant::schema()
    }
}

/// `number`, if it is in the range before and after it is rounded to 32 bits.
fn in_range(number: f64, range: Range) -> Result<f64, Flaw> {
    if !range.contains(&number) {
        return Err(Flaw::Range);
    }
    // Processors that flush subnormal numbers to zero are common.
    let single = Some(number as f32)
        .filter(|single| !single.is_subnormal())
        .unwrap_or(0.0);
    let rounded = |bound: Bound<f64>| bound.map(|bound| bound as f32);
    if !(rounded(range.0), rounded(range.1)).contains(&single) {
        return Err(Flaw::Rounds);
    }
    Ok(number + 0.0) // −0 becomes 0
}

fn described((low, high): Range) -> String {
    let readable = |number: f64| match number.abs() {
        tiny if 0.0 < tiny && tiny < 1e-4 => format!("{number:e}"),
        _ => number.to_string(),
    };
    let low = match low {
        Included(low) => readable(low) + " ≤ ",
        Excluded(low) => readable(low) + " < ",
        Bound::Unbounded => String::new(),
    };
    let high = match high {
        Included(high) => format!(" ≤ {}", readable(high)),
        Excluded(high) => format!(" < {}", readable(high)),
        Bound::Unbounded => String::new(),
    };
    format!("a number x with {low}x{high}")
}

/// A variance: a number, or a ratio such as `"1/784"`, `"2/fan_in"`, `"1/fan_in/10"`, `"2/fan_sum"`.
pub(crate) struct Ratio;

impl Form for Ratio {
    type Value = Variance;
    type Item = IgnoredAny;

    fn expected() -> String {
        PositiveVariance::expected()
    }
    fn read(written: Written<IgnoredAny>) -> Result<Variance, Flaw> {
        let variance = match written {
            Written::Text(text) => ratio(&text)?,
            number => Variance::Fixed {
                value: PositiveVariance::read(number)?,
            },
        };
        let (Variance::Fixed { value: number }
        | Variance::OverFanIn { scale: number }
        | Variance::OverFanSum { scale: number }) = variance;
        in_range(number, PositiveVariance::RANGE)?;
        Ok(variance)
    }
    fn schema() -> Schema {
        json_schema!({ "anyOf": [PositiveVariance::schema(), { "type": "string", "pattern": "/" }] })
    }
}

/// The same of biases, which have no fan-out.
pub(crate) struct BiasRatio;

impl Form for BiasRatio {
    type Value = Variance;
    type Item = IgnoredAny;

    fn expected() -> String {
        Ratio::expected()
    }
    fn read(written: Written<IgnoredAny>) -> Result<Variance, Flaw> {
        match Ratio::read(written)? {
            Variance::OverFanSum { .. } => Err(Flaw::rule(OF_WEIGHTS.0, OF_WEIGHTS.1)),
            variance => Ok(variance),
        }
    }
    fn schema() -> Schema {
        Ratio::schema()
    }
}

/// As a ratio where that loses no bit, else as a number.
impl Serialize for Variance {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (number, over) = match *self {
            Self::Fixed { value } => (value, ""),
            Self::OverFanIn { scale } => (scale, "/fan_in"),
            Self::OverFanSum { scale } => (scale, "/fan_sum"),
        };
        let divisor = (1.0 / number).round();
        let loses_nothing = (1.0 / divisor).to_bits() == number.to_bits();
        if loses_nothing && (1.5..1e15).contains(&divisor) {
            serializer.collect_str(&format_args!("1{over}/{divisor}"))
        } else if over.is_empty() {
            serializer.serialize_f64(number)
        } else {
            serializer.collect_str(&format_args!("{number}{over}"))
        }
    }
}

/// The quotient of the numbers, over the fan-in or over fan-in and fan-out together where one of these divides.
fn ratio(text: &str) -> Result<Variance, Flaw> {
    let no_ratio = || {
        Flaw::rule(
            "is {}, which is not a ratio",
            "write a number, or a ratio such as \"1/784\", \"2/fan_in\" or \"1/fan_in/10\"",
        )
    };
    let positive = |part: &str| part.parse().ok().filter(|number: &f64| *number > 0.0);
    let mut parts = text.split('/').map(str::trim);
    let mut quotient = parts.next().and_then(positive).ok_or_else(no_ratio)?;
    let (mut divisors, mut fan_ins, mut fan_sums) = (0, 0, 0);
    for part in parts {
        divisors += 1;
        match (part, positive(part)) {
            ("fan_in", _) => fan_ins += 1,
            ("fan_sum", _) => fan_sums += 1,
            (_, Some(number)) => quotient /= number,
            _ if part.parse() == Ok(0.0) => {
                let hint = "the numbers after `/` must be positive";
                return Err(Flaw::rule("is {}, which divides by zero", hint));
            }
            _ => return Err(no_ratio()),
        }
    }
    match (divisors, fan_ins, fan_sums) {
        (0, ..) => Err(no_ratio()),
        (_, 0, 0) => Ok(Variance::Fixed { value: quotient }),
        (_, 1, 0) => Ok(Variance::OverFanIn { scale: quotient }),
        (_, 0, 1) => Ok(Variance::OverFanSum { scale: quotient }),
        _ => Err(no_ratio()),
    }
}

/// What is wrong with `fan_sum` in a start of biases, and what to do.
const OF_WEIGHTS: (&str, &str) = (
    "is {}, which is for weights: biases have no fan-out",
    "write a number, or a ratio such as \"1/784\" or \"1/fan_in\"",
);

/// Initial values of biases, which are no matrix.
pub(crate) fn bias<'de, D: Deserializer<'de>>(from: D) -> Result<Initialization, D::Error> {
    match Initialization::deserialize(from)? {
        Initialization::Orthogonal(_) => Err(D::Error::custom(
            "is {}, which is not an initialization of biases\n\
             write { normal_variance = \"1/784\" }, { uniform_variance = \"1/784\" } or { constant = 0.0 }; { orthogonal = 1.0 } is for weights",
        )),
        Initialization::Normal(Variance::OverFanSum { .. })
        | Initialization::Uniform(Variance::OverFanSum { .. }) => Err(D::Error::custom(
            format_args!("{}\n{}", OF_WEIGHTS.0, OF_WEIGHTS.1),
        )),
        other => Ok(other),
    }
}

/// How initial biases of a decoder are written: a word, or a table of one key.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "snake_case",
    expecting = "a start of biases: write \"data_mean\", { normal_variance = \"1/784\" }, { uniform_variance = \"1/784\" } or { constant = 0.0 }"
)]
pub(crate) enum WrittenDecoderBias {
    /// The mean of the training data.
    DataMean,
    /// Normal with mean 0 and this variance: a number, or a ratio such as `"1/784"`, `"2/fan_in"`.
    NormalVariance(#[serde(with = "BiasRatio")] Variance),
    /// Uniform with mean 0 and this variance v, so between −√(3v) and √(3v).
    UniformVariance(#[serde(with = "BiasRatio")] Variance),
    /// Every entry the same.
    Constant(#[serde(with = "Constant")] f64),
}

impl From<WrittenDecoderBias> for DecoderBias {
    fn from(written: WrittenDecoderBias) -> Self {
        Self::Drawn(match written {
            WrittenDecoderBias::DataMean => return Self::DataMean,
            WrittenDecoderBias::NormalVariance(variance) => Initialization::Normal(variance),
            WrittenDecoderBias::UniformVariance(variance) => Initialization::Uniform(variance),
            WrittenDecoderBias::Constant(value) => Initialization::Constant(value),
        })
    }
}

/// Biases are no matrix: an orthogonal start of them is written as the constant 0.
impl From<DecoderBias> for WrittenDecoderBias {
    fn from(bias: DecoderBias) -> Self {
        match bias {
            DecoderBias::DataMean => Self::DataMean,
            DecoderBias::Drawn(Initialization::Normal(variance)) => Self::NormalVariance(variance),
            DecoderBias::Drawn(Initialization::Uniform(variance)) => {
                Self::UniformVariance(variance)
            }
            DecoderBias::Drawn(Initialization::Constant(value)) => Self::Constant(value),
            DecoderBias::Drawn(Initialization::Orthogonal(_)) => Self::Constant(0.0),
        }
    }
}

/// Distinct seeds: a list, or `"0..40"` for 0 to 39.
pub(crate) struct Seeds;

type SeedForm = Whole<0, LARGEST_SEED, u64>;

#[derive(Deserialize)]
pub(crate) struct Seed(#[serde(with = "SeedForm")] u64);

impl Form for Seeds {
    type Value = Vec<u64>;
    type Item = Seed;

    fn expected() -> String {
        "a list, such as [0, 1], or a range, such as \"0..5\" for 0 to 4".to_owned()
    }
    fn read(written: Written<Seed>) -> Result<Vec<u64>, Flaw> {
        let seeds = match written {
            Written::List(seeds) => seeds.into_iter().map(|Seed(seed)| seed).collect(),
            Written::Text(text) => {
                let number = |text: &str| {
                    text.trim()
                        .parse()
                        .ok()
                        .filter(|seed: &u64| *seed <= LARGEST_SEED)
                };
                let ends = text.split_once("..");
                let range = ends.and_then(|(low, high)| Some((number(low)?, number(high)?)));
                let (low, high) = range.ok_or(Flaw::Form(""))?;
                let too_many = low.saturating_add(MOST_SEEDS as u64 + 1);
                (low..high.min(too_many)).collect::<Vec<u64>>()
            }
            _ => return Err(Flaw::Form("")),
        };
        match seeds.len() {
            0 => {
                let hint = "give at least one value, or leave the key out for its default";
                return Err(Flaw::rule("is empty", hint));
            }
            1..=MOST_SEEDS => {}
            count => {
                let hint = format!("it may hold {MOST_SEEDS} at most");
                return Err(Flaw::rule(format!("holds {count} values"), hint));
            }
        }
        let mut sorted = seeds.clone();
        sorted.sort_unstable();
        match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(Flaw::rule(
                format!("holds {} twice", pair[0]),
                "write each value once",
            )),
            None => Ok(seeds),
        }
    }
    fn schema() -> Schema {
        json_schema!({ "anyOf": [
            { "type": "array", "items": SeedForm::schema(), "minItems": 1, "maxItems": MOST_SEEDS, "uniqueItems": true },
            { "type": "string", "pattern": r"^\s*\d+\s*\.\.\s*\d+\s*$" }
        ] })
    }
    fn serialize<S: Serializer>(seeds: &Vec<u64>, serializer: S) -> Result<S::Ok, S::Error> {
        match &seeds[..] {
            [first, .., last] if seeds.len() > 5 && seeds.windows(2).all(|w| w[1] == w[0] + 1) => {
                serializer.collect_str(&format_args!("{first}..{}", last + 1))
            }
            _ => seeds.serialize(serializer),
        }
    }
}

/// Distinct classes: a list, or `"0..5"` for 0 to 4.
pub(crate) struct Classes;

impl Form for Classes {
    type Value = Vec<u8>;
    type Item = Seed;

    fn expected() -> String {
        format!("a list of classes from 0 to {HIGHEST_CLASS}, such as [0, 1]")
    }
    fn read(written: Written<Seed>) -> Result<Vec<u8>, Flaw> {
        let class = |class: u64| u8::try_from(class).ok().filter(|of| *of <= HIGHEST_CLASS);
        let classes = Seeds::read(written)?.into_iter().map(class);
        classes.collect::<Option<_>>().ok_or(Flaw::Range)
    }
    fn schema() -> Schema {
        let class = Whole::<0, { HIGHEST_CLASS as u64 }>::schema();
        json_schema!({ "anyOf": [
            { "type": "array", "items": class, "minItems": 1, "uniqueItems": true },
            { "type": "string", "pattern": r"^\s*\d+\s*\.\.\s*\d+\s*$" }
        ] })
    }
}

/// What was published: a number in the quantity's unit, or words with theirs.
pub(crate) struct PublishedForm;

impl Form for PublishedForm {
    type Value = Published;
    type Item = IgnoredAny;

    fn expected() -> String {
        "a number in the quantity's unit, or words such as \"1.40 ± 0.23 %\"".to_owned()
    }
    fn read(written: Written<IgnoredAny>) -> Result<Published, Flaw> {
        match written {
            Written::Whole(number) => Ok(Published::Number(number as f64)),
            Written::Real(number) if number.is_finite() => Ok(Published::Number(number)),
            Written::Text(words) if !words.trim().is_empty() => {
                Ok(Published::Words(words.trim().to_owned()))
            }
            _ => Err(Flaw::Form("")),
        }
    }
    fn schema() -> Schema {
        json_schema!({ "anyOf": [{ "type": "number" }, { "type": "string", "minLength": 1 }] })
    }
}

/// The smallest and the largest that something may be.
pub(crate) struct Bounds;

impl Form for Bounds {
    type Value = [f64; 2];
    type Item = f64;

    fn expected() -> String {
        "two numbers, the smallest and the largest, such as [2, 3]".to_owned()
    }
    fn read(written: Written<f64>) -> Result<[f64; 2], Flaw> {
        match written {
            Written::List(numbers) => match numbers[..] {
                [low, high] if low <= high => Ok([low, high]),
                [low, high] if low > high => {
                    let says = "is {}, whose first number is larger than its second";
                    Err(Flaw::rule(says, "write the smaller one first"))
                }
                _ => Err(Flaw::Form("")),
            },
            _ => Err(Flaw::Form("")),
        }
    }
    fn schema() -> Schema {
        json_schema!({ "type": "array", "items": { "type": "number" }, "minItems": 2, "maxItems": 2 })
    }
}

/// The widths of layers: a list, in which a width may be repeated, or `"15 x 100"`.
pub(crate) struct Widths;

const WIDEST_LAYER: u64 = 1_000_000;
type WidthForm = Whole<1, WIDEST_LAYER>;

#[derive(Deserialize)]
pub(crate) struct Width(#[serde(with = "WidthForm")] usize);

impl Form for Widths {
    type Value = Vec<usize>;
    type Item = Width;

    fn expected() -> String {
        "a list of widths: write [300, 100], or \"15 x 100\" for fifteen layers of 100 units"
            .to_owned()
    }
    fn read(written: Written<Width>) -> Result<Vec<usize>, Flaw> {
        match written {
            Written::List(widths) if widths.len() as u64 > DEEPEST => Err(Flaw::rule(
                format!("holds {} values", widths.len()),
                format!("it may hold {DEEPEST} at most"),
            )),
            Written::List(widths) => Ok(widths.into_iter().map(|Width(width)| width).collect()),
            Written::Text(text) => {
                let number = |text: &str| text.trim().parse::<u64>().ok();
                let parts = text.split_once(['x', '×']);
                let parts = parts.and_then(|(depth, width)| Some((number(depth)?, number(width)?)));
                let (depth, width) = parts.ok_or(Flaw::Form(""))?;
                if depth > DEEPEST || !(1..=WIDEST_LAYER).contains(&width) {
                    return Err(Flaw::RangeOf(format!(
                        "at most {DEEPEST} layers of 1 to {WIDEST_LAYER} units"
                    )));
                }
                Ok(vec![width as usize; depth as usize])
            }
            _ => Err(Flaw::Form("")),
        }
    }
    fn schema() -> Schema {
        json_schema!({ "anyOf": [
            { "type": "array", "items": WidthForm::schema(), "maxItems": DEEPEST },
            { "type": "string", "pattern": r"^\s*\d+\s*[x×]\s*\d+\s*$" }
        ] })
    }
    fn serialize<S: Serializer>(widths: &Vec<usize>, serializer: S) -> Result<S::Ok, S::Error> {
        match &widths[..] {
            [first, _, ..] if widths.iter().all(|width| width == first) => {
                serializer.collect_str(&format_args!("{} x {first}", widths.len()))
            }
            _ => widths.serialize(serializer),
        }
    }
}

/// How much of a data set is used: `"all"`, or the first so many. Whether there are so many is for `data` to say.
pub(crate) struct Images;

type ImageCount = Whole<1, MOST_IMAGES>;

impl Form for Images {
    type Value = Option<usize>;
    type Item = IgnoredAny;

    fn expected() -> String {
        format!("\"all\" or {}", ImageCount::expected())
    }
    fn read(written: Written<IgnoredAny>) -> Result<Option<usize>, Flaw> {
        match written {
            Written::Text(word) if word == "all" => Ok(None),
            Written::Whole(_) => ImageCount::read(written).map(Some),
            _ => Err(Flaw::Form("")),
        }
    }
    fn schema() -> Schema {
        json_schema!({ "anyOf": [ImageCount::schema(), { "const": "all" }] })
    }
    fn serialize<S: Serializer>(count: &Option<usize>, serializer: S) -> Result<S::Ok, S::Error> {
        match count {
            None => serializer.serialize_str("all"),
            Some(count) => count.serialize(serializer),
        }
    }
}

/// Height and width: `[28, 20]`, one number for both, or `"first"` for those of the first picture.
pub(crate) struct PictureSize;

const LONGEST_SIDE: u64 = 10_000;
type SideForm = Whole<1, LONGEST_SIDE>;

#[derive(Deserialize)]
pub(crate) struct Side(#[serde(with = "SideForm")] usize);

impl Form for PictureSize {
    type Value = Option<[usize; 2]>;
    type Item = Side;

    fn expected() -> String {
        "a size: write [28, 20] for height and width, 28 for both, or \"first\" for the first picture's".to_owned()
    }
    fn read(written: Written<Side>) -> Result<Option<[usize; 2]>, Flaw> {
        match written {
            Written::Text(word) if word == "first" => Ok(None),
            Written::Whole(side) => match SideForm::read(Written::Whole(side)) {
                Ok(side) => Ok(Some([side, side])),
                Err(_) => Err(Flaw::RangeOf(SideForm::expected())),
            },
            Written::List(sides) => match sides[..] {
                [Side(height), Side(width)] => Ok(Some([height, width])),
                _ => Err(Flaw::Form("")),
            },
            _ => Err(Flaw::Form("")),
        }
    }
    fn schema() -> Schema {
        json_schema!({ "anyOf": [
            { "type": "array", "items": SideForm::schema(), "minItems": 2, "maxItems": 2 },
            SideForm::schema(),
            { "const": "first" }
        ] })
    }
    fn serialize<S: Serializer>(
        size: &Option<[usize; 2]>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match size {
            Some(sides) => sides.serialize(serializer),
            None => serializer.serialize_str("first"),
        }
    }
}

/// How many layers are pretrained: `"none"`, `"all"`, or the first so many.
pub(crate) struct Stages;

type LayerCount = Whole<0, DEEPEST>;

impl Form for Stages {
    type Value = Option<usize>;
    type Item = IgnoredAny;

    fn expected() -> String {
        format!("\"none\", \"all\" or {}", LayerCount::expected())
    }
    fn read(written: Written<IgnoredAny>) -> Result<Option<usize>, Flaw> {
        match written {
            Written::Text(word) if word == "all" => Ok(None),
            Written::Text(word) if word == "none" => Ok(Some(0)),
            Written::Whole(_) => LayerCount::read(written).map(Some),
            _ => Err(Flaw::Form("")),
        }
    }
    fn schema() -> Schema {
        json_schema!({ "anyOf": [LayerCount::schema(), { "enum": ["none", "all"] }] })
    }
    fn serialize<S: Serializer>(count: &Option<usize>, serializer: S) -> Result<S::Ok, S::Error> {
        match count {
            None => serializer.serialize_str("all"),
            Some(0) => serializer.serialize_str("none"),
            Some(count) => count.serialize(serializer),
        }
    }
}

/// The path of a folder.
pub(crate) struct Folder;

impl Form for Folder {
    type Value = PathBuf;
    type Item = IgnoredAny;

    fn expected() -> String {
        "the path of a folder or of a file of arrays, in quotes".to_owned()
    }
    fn read(written: Written<IgnoredAny>) -> Result<PathBuf, Flaw> {
        match written {
            Written::Text(path) if path.is_empty() || path.contains(char::is_control) => {
                let says = "is {}, which is not a path";
                Err(Flaw::rule(says, "write it as \"data/mnist\""))
            }
            Written::Text(path) => Ok(path.into()),
            _ => Err(Flaw::Form("")),
        }
    }
    fn schema() -> Schema {
        json_schema!({ "type": "string", "minLength": 1 })
    }
}

with_schema!(generic [F: Form] Perhaps<F>);
with_schema!(generic [const LOW: u64, const HIGH: u64, T: TryFrom<u64> + Serialize] Whole<LOW, HIGH, T>);
with_schema! {
    Ratio;
    BiasRatio;
    Seeds;
    PublishedForm;
    Bounds;
    Widths;
    Images;
    PictureSize;
    Stages;
    Folder;
    Factor;
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
