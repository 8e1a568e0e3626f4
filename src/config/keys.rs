//! The names of keys: where they may stand, what they were called before, and the nearest of them to a slip of the pen.
//!
//! Which keys there are is declared by the types of [`crate::spec`]; here are only the names that are none of them.

use std::sync::OnceLock;

use super::Origin;
use super::problem::{Problem, enumerated, listed, shown};
use super::schema;

/// The sections that describe a model, whose keys a condition may have and a grid may vary.
pub(super) const OF_MODELS: [&str; 5] = [
    "autoencoder",
    "sparsity",
    "network",
    "training",
    "pretraining",
];

/// Every section but the conditions, the grid and the promises, in the order in which a config lists them.
pub(super) const SECTIONS: [&str; 8] = [
    "run",
    "data",
    "autoencoder",
    "sparsity",
    "network",
    "training",
    "pretraining",
    "report",
];

/// The keys that are told for all layers at once.
pub(super) const OF_ALL_LAYERS: [&str; 3] = ["layers", "target", "transfer"];

/// The keys of a pretraining that mean nothing without a decoder.
pub(super) const OF_DECODERS: [&str; 8] = [
    "decoder",
    "decoder_activation",
    "decoder_bias",
    "subtract_decoder_bias",
    "reconstruction",
    "corruption",
    "revive",
    "sparsity",
];

/// What keys were called before the choices had keys of their own.
const MOVED: &[(&[&str], &str, &str)] = &[
    (&["sparsity"], "decay", "estimator.running_mean.decay"),
    (
        &["training", "pretraining"],
        "momentum",
        "optimizer.sgd.momentum",
    ),
    (
        &["training", "pretraining"],
        "beta_1",
        "optimizer.adam.beta_1",
    ),
    (
        &["training", "pretraining"],
        "beta_2",
        "optimizer.adam.beta_2",
    ),
    (
        &["training", "pretraining"],
        "epsilon",
        "optimizer.adam.epsilon",
    ),
    (
        &["autoencoder", "network"],
        "slope",
        "activation.leaky_relu.slope",
    ),
    (
        &["autoencoder", "pretraining"],
        "decoder_weight",
        "decoder.untied.weight",
    ),
    (
        &["autoencoder", "pretraining"],
        "corruption_fraction",
        "corruption.masking.fraction",
    ),
    (
        &["autoencoder", "pretraining"],
        "corruption_deviation",
        "corruption.gaussian.deviation",
    ),
    (&["pretraining"], "sparsity_weight", "sparsity.weight"),
    (&["pretraining"], "sparsity_target", "sparsity.target"),
    (&["pretraining"], "sparsity_estimator", "sparsity.estimator"),
    (
        &["pretraining"],
        "sparsity_decay",
        "sparsity.estimator.running_mean.decay",
    ),
    (&["pretraining"], "sparsity_clamp", "sparsity.clamp"),
];

/// What a value is called here that has another name elsewhere.
pub(super) fn other_word(word: &str) -> Option<&'static str> {
    match word.to_lowercase().as_str() {
        "ramp" | "rectifier" => Some("relu"),
        "linear" | "none" => Some("identity"),
        "logistic" => Some("sigmoid"),
        _ => None,
    }
}

/// What else is called so: other names of keys, in papers and in other programs.
pub(super) const OTHER_NAMES: &[(&[&str], &[&str])] = &[
    (
        &["beta", "β", "sparsity"],
        &["sparsity.weight", "pretraining.sparsity.weight"],
    ),
    (
        &["rho", "ρ"],
        &["sparsity.target", "pretraining.sparsity.target"],
    ),
    (
        &["lr", "eta", "η", "step_size"],
        &["training.learning_rate"],
    ),
    (&["l2"], &["training.weight_decay"]),
    (
        &["lambda", "λ"],
        &[
            "sparsity.weight",
            "pretraining.sparsity.weight",
            "training.weight_decay",
        ],
    ),
    (&["batch", "bs", "minibatch"], &["training.batch_size"]),
    (
        &["iterations", "n_epochs", "num_epochs", "max_epochs"],
        &["training.epochs"],
    ),
    (
        &["units", "hidden", "neurons", "width", "hidden_size"],
        &["autoencoder.hidden_units", "network.hidden_units"],
    ),
    (
        &["noise", "dropout"],
        &["autoencoder.corruption", "pretraining.corruption"],
    ),
    (
        &["patience", "early_stopping"],
        &["training.keep.best.patience"],
    ),
    (&["device", "gpu"], &["run.backend"]),
    (&["dataset", "path", "folder"], &["data.dir"]),
];

/// A key path and one name more; a name that could be mistaken for a path stands in quotes.
pub(super) fn joined(path: &str, name: &str) -> String {
    let plain = !name.is_empty() && !name.contains(['.', '"']);
    let name = if plain {
        name.to_owned()
    } else {
        format!("{name:?}")
    };
    match path {
        "" => name,
        path => format!("{path}.{name}"),
    }
}

/// The names of a key path.
pub(super) fn split(path: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for character in path.chars() {
        let name = names.last_mut().expect("never empty");
        match character {
            '\\' if quoted && !escaped => escaped = true,
            '"' if !escaped => quoted = !quoted,
            '.' if !quoted => names.push(String::new()),
            other => {
                name.push(other);
                escaped = false;
            }
        }
    }
    names
}

/// Whether the names lead to a section: a table whose keys are set one by one. Other tables are choices.
pub(super) fn is_section(place: &[&str]) -> bool {
    let place = Place::of(place);
    match (place.layer, place.names) {
        (Some(_), names) => matches!(names, [] | ["sparsity"]),
        (None, [] | [_] | ["grid", ..] | ["pretraining", "layer" | "sparsity"]) => true,
        _ => false,
    }
}

/// Whether tables at these names are merged key by key: sections, and the keys of one choice.
pub(super) fn holds_keys(place: &[&str]) -> bool {
    if is_section(place) {
        return true;
    }
    let mut depth = place.len();
    while !is_section(&place[..depth]) {
        depth -= 1;
    }
    // A key holds a choice, the choice holds keys, and so on.
    (place.len() - depth).is_multiple_of(2)
}

/// Whether a value stands in the grid for all or in one of a condition.
pub(super) fn is_of_grid(path: &str) -> bool {
    let names = split(path);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Place::of(&names).names.first() == Some(&"grid")
}

/// Where a key stands: of which condition and which layer's pretraining it is, if of any, and its names there, as if it
/// were told for all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub condition: Option<&'a str>,
    pub layer: Option<&'a str>,
    /// Without the layer's section, which is the pretraining.
    pub names: &'a [&'a str],
}

impl<'a> Place<'a> {
    pub fn of(names: &'a [&'a str]) -> Self {
        let (condition, names) = match names {
            ["conditions", name, rest @ ..] => (Some(*name), rest),
            _ => (None, names),
        };
        let (layer, names) = match names {
            ["pretraining", "layer", layer, rest @ ..] => (Some(*layer), rest),
            _ => (None, names),
        };
        Self {
            condition,
            layer,
            names,
        }
    }

    /// The section, and the names below it.
    fn section(self) -> (&'a str, &'a [&'a str]) {
        match (self.layer, self.names) {
            (Some(_), names) => ("pretraining", names),
            (None, [section, names @ ..]) if !names.is_empty() => (section, names),
            (None, names) => ("", names),
        }
    }

    /// Whether a key, told for all, may be told here.
    fn may_hold(self, key: &str) -> bool {
        let (section, name) = key.split_once('.').unwrap_or(("", key));
        let in_condition = self.condition.is_none() || OF_MODELS.contains(&section);
        let in_layer =
            self.layer.is_none() || (section == "pretraining" && !OF_ALL_LAYERS.contains(&name));
        in_condition && in_layer
    }

    /// The path of a key, told for all, as it is told here.
    fn path_of(self, key: &str) -> String {
        let mut path = String::new();
        if let Some(condition) = self.condition {
            path = joined("conditions", condition) + ".";
        }
        match (self.layer, key.strip_prefix("pretraining.")) {
            (Some(layer), Some(name)) if self.may_hold(key) => {
                format!("{path}pretraining.layer.{layer}.{name}")
            }
            _ => path + key,
        }
    }
}

/// Every key, told for all: `training.epochs`, and the keys of choices, `training.optimizer.sgd.momentum`.
pub(super) fn all() -> &'static [String] {
    static KEYS: OnceLock<Vec<String>> = OnceLock::new();
    KEYS.get_or_init(schema::keys)
}

/// The names of keys in a section.
pub(super) fn in_section(section: &str) -> Vec<&'static str> {
    let of_section = |key: &'static String| {
        let (of, name) = key.split_once('.')?;
        (of == section && !name.contains('.')).then_some(name)
    };
    all().iter().filter_map(of_section).collect()
}

fn last(key: &str) -> &str {
    key.rsplit_once('.').map_or(key, |(_, name)| name)
}

/// The problem of a key that nobody knows, or that cannot stand where it does; `known` are the names beside it.
pub(super) fn unknown(origin: &Origin, path: &str, known: &[&str]) -> Problem {
    let names = split(path);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let place = Place::of(&names);
    let says = format!("unknown key `{}`", shown(path));
    Problem::new(origin, says, hint(place, known))
}

/// What to write in place of an unknown key.
fn hint(place: Place<'_>, known: &[&str]) -> String {
    let (section, names) = place.section();
    let (Some((name, above)), false) = (names.split_last(), section.is_empty()) else {
        let name = names.first().copied().unwrap_or_default();
        return meant(place, section, name).unwrap_or_else(|| match place.condition {
            Some(_) => {
                "a condition holds keys with their section, such as training.epochs".to_owned()
            }
            None => known_sections(),
        });
    };
    let begins = format!("{name}_");
    let beside = nearest(name, known.iter().copied()).or_else(|| {
        known
            .iter()
            .copied()
            .find(|known| known.starts_with(&begins))
    });
    if section.starts_with("expect[") {
        return beside.map_or_else(
            || format!("a promise has {}", listed(known, '`')),
            |near| format!("did you mean `{near}`?"),
        );
    }
    let path = [&[section], above].concat().join(".");
    if let Some(new) = replaced(place, section, names) {
        return new;
    }
    if let (Some(near), false) = (beside, above.is_empty()) {
        let near = place.path_of(&format!("{path}.{near}"));
        return format!("did you mean `{}`?", shown(&near));
    }
    if let Some(meant) = meant(place, section, name) {
        return meant;
    }
    if place.condition.is_some() && !SECTIONS.contains(&section) {
        return "a condition holds keys with their section, such as training.epochs".to_owned();
    }
    if !SECTIONS.contains(&section) {
        return known_sections();
    }
    if known.is_empty() {
        return format!("\"{}\" has no keys of its own", shown(last(&path)));
    }
    let known = known.iter().copied();
    let known: Vec<&str> = known
        .filter(|name| place.layer.is_none() || !OF_ALL_LAYERS.contains(name))
        .collect();
    format!(
        "the keys of [{}] are {}",
        shown(&place.path_of(&path)),
        listed(&known, '`')
    )
}

/// What took the place of a key that there was, or that an autoencoder has and a stage has not.
fn replaced(place: Place<'_>, section: &str, names: &[&str]) -> Option<String> {
    let of_network = |name: &str| {
        let of_all_layers = Place {
            layer: None,
            ..place
        };
        shown(&of_all_layers.path_of(&format!("network.{name}")))
    };
    match (section, names) {
        ("sparsity", ["weights"]) => Some(
            "each value is a point of the grid now: write \"sparsity.weight\" = [0, 0.1, 3] in [grid], or \
             --set grid.sparsity.weight=[0,0.1,3]"
                .to_owned(),
        ),
        ("pretraining", [name @ ("hidden_units" | "activation")]) => {
            let what = if *name == "activation" { name } else { "width" };
            Some(format!(
                "a pretraining autoencoder always takes its layer's {what}; set {} instead",
                of_network(name)
            ))
        }
        ("pretraining", [name @ ("encoder_weight" | "encoder_bias")]) => Some(format!(
            "a pretraining autoencoder starts as its layer does; set {} instead",
            of_network(&name["encoder_".len()..])
        )),
        _ => {
            let mut moved = MOVED.iter();
            let (_, _, new) =
                moved.find(|(sections, old, _)| names == [*old] && sections.contains(&section))?;
            let path = place.path_of(&format!("{section}.{new}"));
            Some(format!("it is now `{}`", shown(&path)))
        }
    }
}

/// The key that somebody means by an option of this name, as a question; `None` if it is like none.
pub(crate) fn meant_by_option(name: &str) -> Option<String> {
    let name = name.replace('-', "_");
    meant(Place::of(&[&name]), "", &name)
}

/// The key that a name was probably meant to be, wherever it is.
fn meant(place: Place<'_>, section: &str, name: &str) -> Option<String> {
    let did_you_mean = |key: &str| Some(format!("did you mean `{}`?", shown(&place.path_of(key))));
    let lower = name.to_lowercase();
    let mut others = OTHER_NAMES.iter();
    if let Some((_, keys)) = others.find(|(others, _)| others.contains(&lower.as_str())) {
        // The one in this section, if it has one.
        let here = keys.iter().find_map(|key| {
            let here = format!("{section}.{}", key.split_once('.')?.1);
            (all().contains(&here) && place.may_hold(&here)).then_some(here)
        });
        return here.map_or_else(
            || Some(format!("did you mean {}?", enumerated(keys, '`', "or"))),
            |key| did_you_mean(&key),
        );
    }
    let near = nearest_key(section, name, place.condition.is_some())?;
    let all_layers = Place {
        layer: None,
        ..place
    };
    if place.may_hold(near) {
        return did_you_mean(near);
    }
    Some(if all_layers.may_hold(near) {
        let path = all_layers.path_of(near);
        format!("it cannot differ between layers: set `{}`", shown(&path))
    } else {
        format!("it cannot differ between conditions: set `{near}`")
    })
}

/// The problem of a section that nobody knows; `inside` are the names in it.
pub(super) fn unknown_section<'a>(
    origin: &Origin,
    name: &str,
    mut inside: impl Iterator<Item = &'a str>,
) -> Problem {
    let sections = SECTIONS.into_iter().chain(["conditions", "grid", "expect"]);
    let hint = if let Some(section) = nearest(name, sections) {
        format!("did you mean `[{section}]`?")
    } else if let Some(key) = inside.find_map(|name| nearest_key("", name, false)) {
        format!("did you mean `{key}`?")
    } else {
        known_sections()
    };
    let says = format!("unknown section `[{}]`", shown(name));
    Problem::new(origin, says, hint)
}

pub(super) fn known_sections() -> String {
    let sections = SECTIONS.map(|section| format!("[{section}]"));
    format!(
        "every key but `experiment` stands in a section: {}, [grid], [conditions.NAME], [[expect]]",
        sections.join(", ")
    )
}

/// The known key that `name` was meant to be; a slip in its own section is likelier than another section.
fn nearest_key(section: &str, name: &str, mend_section: bool) -> Option<&'static str> {
    let section = match nearest(section, SECTIONS) {
        Some(near) if mend_section => near,
        _ => section,
    };
    let keys = || all().iter().map(String::as_str);
    let in_section = |key: &&str| key.split_once('.').is_some_and(|(of, _)| of == section);
    let by_last = |key: &&str| nearest(name, [last(key)]).is_some();
    // Quoted, a whole key may stand where a name is expected.
    let whole = keys().find(|key| *key == name);
    whole.or_else(|| {
        let near = nearest(name, keys().filter(in_section).filter(by_last).map(last));
        let near = near.or_else(|| nearest(name, keys().map(last)));
        let near = near?;
        let ends = |key: &&str| last(key) == near;
        keys()
            .filter(in_section)
            .find(ends)
            .or_else(|| keys().find(ends))
    })
}

/// The candidate that differs from `word` by few enough slips (a third of its letters) to be meant, and not in every
/// letter.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    const LONGEST: usize = 64;
    let length = word.chars().count();
    if length > LONGEST {
        return None;
    }
    let word = word.to_lowercase();
    let slips = |candidate: &str| strsim::damerau_levenshtein(&word, &candidate.to_lowercase());
    let ranked = candidates
        .into_iter()
        .map(|candidate| (slips(candidate), candidate));
    let (slips, best) = ranked.min_by_key(|(slips, _)| *slips)?;
    (slips <= (length / 3).max(1) && slips < length).then_some(best)
}
