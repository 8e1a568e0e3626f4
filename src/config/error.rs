//! What can be wrong with a config, in words: where, which key, what it holds, what is allowed, and the cure.
//!
//! Text that came from a file or a command line is shown through [`shown`], so that no control character
//! reaches a terminal.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::Origin;

/// Why a config was refused.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file as a whole.
    #[error("{}: {problem}", escaped(&file.to_string_lossy()))]
    File { file: PathBuf, problem: FileProblem },
    /// One line of it, or one override.
    #[error("{origin:#}: {problem}")]
    Value {
        origin: Origin,
        problem: Box<Problem>,
    },
}

impl ConfigError {
    pub(super) fn file(file: &Path, problem: FileProblem) -> Self {
        Self::File {
            file: file.to_owned(),
            problem,
        }
    }
}

/// What is wrong with a file as a whole.
#[derive(Debug, Error)]
pub enum FileProblem {
    #[error("no such file\n  hint: give the path of a config, such as configs/figure56.toml")]
    Missing,
    #[error("this is a folder\n  hint: give the path of a config inside it")]
    Folder,
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    #[error("is larger than 1 MiB\n  hint: a config is a page of text; is this another file?")]
    TooLarge,
    #[error("`experiment` is missing\n  hint: begin the file with `experiment = \"figure56\"`")]
    NoExperiment,
}

/// What is wrong at one place.
#[derive(Debug, Error)]
pub enum Problem {
    #[error("this is not UTF-8 text\n  hint: save the file as UTF-8")]
    NotUtf8,
    #[error(
        "`{}` is not TOML: {}\n  hint: a line is `[section]` or `key = value`, with words in double quotes",
        shown(found),
        escaped(message)
    )]
    Syntax { found: String, message: String },
    #[error(
        "`{}` is written twice\n  hint: write each key and each section once",
        shown(name)
    )]
    Duplicate { name: String },

    #[error("unknown section `[{}]`\n  hint: {hint}", shown(section))]
    UnknownSection { section: String, hint: String },
    #[error("unknown key `{}`\n  hint: {hint}", shown(key))]
    UnknownKey { key: String, hint: String },
    #[error(
        "`{section}` is a section, not a key\n  hint: write `[{section}]` and its keys below it"
    )]
    NotASection { section: String },
    #[error("`{key}` has no effect: {reason}\n  hint: {hint}")]
    NeverUsed {
        key: String,
        reason: String,
        hint: &'static str,
    },
    #[error(
        "`{}` is no layer's pretraining\n  hint: layers are counted from 1, as in [pretraining.layer.3]",
        shown(path)
    )]
    NotALayer { path: String },
    #[error(
        "a condition cannot be called \"{}\"\n  hint: a name is 1 to 40 letters, digits, spaces and -_+()/,= between them, without \" - \", which subtracts",
        shown(name)
    )]
    BadConditionName { name: String },
    #[error(
        "`{key}` is not used because {owner} = {current}; it belongs to {}\n  hint: remove it, or set {owner} = \"{}\"",
        words(belongs_to), belongs_to.first().unwrap_or(&"")
    )]
    Unused {
        key: String,
        owner: String,
        /// The owner's value as TOML.
        current: String,
        belongs_to: &'static [&'static str],
    },

    #[error("there is no `=`\n  hint: write --set key=value, such as --set training.epochs=5")]
    SetWithoutValue,
    #[error(
        "a part of the key is empty\n  hint: write --set key=value, such as --set training.epochs=5"
    )]
    SetWithoutKey,
    #[error(
        "`{section}` is a section, not a key\n  hint: set one of its keys: --set {section}.key=value"
    )]
    SetSection { section: String },
    #[error("`{key}` holds no such key\n  hint: set it whole: --set {key}=value")]
    SetThroughValue { key: String },

    #[error("`{key}` is {kind} ({})\n  hint: it must be {expected}", shown(value))]
    WrongType {
        key: String,
        kind: &'static str,
        value: String,
        expected: String,
    },
    #[error(
        "`{key}` is {}, which is out of range\n  hint: it must be {allowed}",
        shown(value)
    )]
    OutOfRange {
        key: String,
        value: String,
        allowed: String,
    },
    #[error(
        "`{key}` is {}, which is out of range once it is a 32-bit float\n  hint: it must be {allowed}",
        shown(value)
    )]
    RoundsOutOfRange {
        key: String,
        value: String,
        allowed: String,
    },
    #[error(
        "`{key}` is {}, which is not a known word{}\n  hint: it must be {}",
        shown(value), DidYouMean(*nearest), words(allowed)
    )]
    UnknownWord {
        key: String,
        value: String,
        allowed: Vec<&'static str>,
        nearest: Option<&'static str>,
    },
    #[error(
        "`{key}` is empty\n  hint: give at least one value, or leave the key out for its default"
    )]
    EmptyList { key: String },
    #[error("`{key}` holds {count} values\n  hint: it may hold {limit} at most")]
    LongList {
        key: String,
        count: usize,
        limit: usize,
    },
    #[error("`{key}` holds {} twice\n  hint: write each value once", shown(value))]
    Repeated { key: String, value: String },
    #[error(
        "`{key}` is {}, which is not the path of a folder\n  hint: write it as \"data/mnist\"",
        shown(value)
    )]
    BadPath { key: String, value: String },
    #[error(
        "`{key}` is {}, which is not an initialization\n  hint: write {{ normal_variance = \"1/784\" }} or {{ constant = 0.0 }}, or {{ orthogonal = 1.0 }} for weights",
        shown(value)
    )]
    NotAnInitialization { key: String, value: String },
    #[error(
        "`{key}` is {}, which is not a list of widths\n  hint: write [300, 100], or \"15 x 100\" for fifteen layers of 100 units",
        shown(value)
    )]
    NotWidths { key: String, value: String },
    #[error(
        "`{key}` is {}, which is not a ratio\n  hint: write a number, or a ratio such as \"1/784\", \"2/fan_in\" or \"1/fan_in/10\"",
        shown(value)
    )]
    BadRatio { key: String, value: String },
    #[error(
        "`{key}` is {}, which divides by zero\n  hint: the numbers after `/` must be positive",
        shown(value)
    )]
    DividesByZero { key: String, value: String },

    #[error(
        "`{section}.reconstruction` is \"cross_entropy\", which needs outputs in (0, 1)\n  hint: set {section}.decoder_activation = \"sigmoid\", or {section}.reconstruction = \"squared_error\""
    )]
    CrossEntropyWithoutSigmoid { section: &'static str },
    #[error(
        "`{key}` is \"cross_entropy\", which needs inputs in [0, 1], but layer {layer} learns codes of another range\n  hint: set network.activation = \"sigmoid\", or {key} = \"squared_error\""
    )]
    CrossEntropyOfCodes { key: String, layer: usize },
    #[error(
        "condition \"{condition}\" pretrains layers, but there is no hidden layer\n  hint: set network.hidden_units, or pretraining.layers = \"none\""
    )]
    NothingToPretrain { condition: String },
    #[error(
        "condition \"{condition}\" pretrains {layers} of its {depth} hidden layers\n  hint: pretraining.layers may be 0 to {depth}, \"all\" or \"none\""
    )]
    TooManyLayers {
        condition: String,
        layers: usize,
        depth: usize,
    },
    #[error(
        "there are no conditions\n  hint: name at least one, as in [conditions.A] with training.epochs = 3 below it"
    )]
    NoConditions,
    #[error(
        "`{}` names \"{}\", which is no condition{}\n  hint: {}",
        shown(key), shown(name), DidYouMean(nearest.as_deref()), Conditions(known)
    )]
    UnknownCondition {
        key: String,
        name: String,
        known: Vec<String>,
        nearest: Option<String>,
    },
    #[error(
        "`report.differences` holds \"{}\", which is not a difference\n  hint: write two names of conditions, as in \"D - B\"",
        shown(text)
    )]
    NotADifference { text: String },
    #[error(
        "`report.layers_of` names \"{name}\", which has no hidden layer\n  hint: name conditions with hidden layers, or leave the key out"
    )]
    NoLayersToShow { name: String },
    #[error(
        "`{prefix}target` = {target:?} is not between `{prefix}clamp` = {clamp:?} and 1 - {clamp:?}\n  hint: move the target inside, or make the clamp smaller"
    )]
    TargetOutsideClamp {
        prefix: &'static str,
        target: f64,
        clamp: f64,
    },
    #[error(
        "{section}.beta_2 = {beta_2:?} is too small for {section}.beta_1 = {beta_1:?}: steps of Adam would grow once a gradient vanishes\n  hint: set {section}.beta_2 to at least {at_least:.3}, or lower {section}.beta_1"
    )]
    StepsGrow {
        section: &'static str,
        beta_1: f64,
        beta_2: f64,
        at_least: f64,
    },
    #[error(
        "{section}.learning_rate = {learning_rate:?} times {section}.weight_decay = {weight_decay:?} is {}, so that every step of SGD makes weights larger\n  hint: choose them so that their product is below {below}",
        learning_rate * weight_decay
    )]
    DecayOvershoots {
        section: &'static str,
        learning_rate: f64,
        weight_decay: f64,
        below: f64,
    },
}

impl Problem {
    pub(super) fn at(self, origin: &Origin) -> ConfigError {
        ConfigError::Value {
            origin: origin.clone(),
            problem: Box::new(self),
        }
    }
}

/// A hint of its own, if there is a near word.
struct DidYouMean<'a>(Option<&'a str>);

impl fmt::Display for DidYouMean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |word| {
            write!(f, "\n  hint: did you mean \"{word}\"?")
        })
    }
}

/// Which conditions there are.
struct Conditions<'a>(&'a [String]);

impl fmt::Display for Conditions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("the config has no conditions");
        }
        let names: Vec<_> = self.0.iter().map(|name| format!("\"{name}\"")).collect();
        write!(f, "the conditions are {}", names.join(", "))
    }
}

/// `"a", "b" or "c"`.
pub(super) fn words(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

/// Text from outside with everything escaped that a terminal would obey or hide.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '"' | '\'' | '\\') {
            safe.push(character);
        } else {
            safe.extend(character.escape_debug());
        }
    }
    safe
}

/// [`escaped`], and cut where it gets long.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => escaped(&text[..end]) + "…",
        None => escaped(text),
    }
}
