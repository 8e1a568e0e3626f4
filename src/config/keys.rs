//! The keys that a config may hold, where they may stand, and the nearest of them to a slip of the pen.
//!
//! Only names live here; forms, ranges and defaults stand in [`super::plan`], where each key is read.

use super::error::Problem;

/// A key of the config.
pub(super) struct Key {
    /// With its section.
    pub name: &'static str,
    /// The experiments that know it.
    pub experiments: &'static [&'static str],
    /// The choice that decides whether it is used: (the deciding key, its words that use this one).
    pub used_with: Option<UsedWith>,
}

pub(super) type UsedWith = (&'static str, &'static [&'static str]);

const ALL: &[&str] = &["figure56", "pretraining", "dead_units"];
const AUTOENCODERS: &[&str] = &["figure56", "dead_units"];
const PRETRAINING: &[&str] = &["pretraining"];

const fn key(experiments: &'static [&'static str], name: &'static str) -> Key {
    Key {
        name,
        experiments,
        used_with: None,
    }
}

const fn with(
    experiments: &'static [&'static str],
    name: &'static str,
    key: &'static str,
    words: &'static [&'static str],
) -> Key {
    Key {
        name,
        experiments,
        used_with: Some((key, words)),
    }
}

/// A key of the pretraining that has no other condition than that there is one.
const fn stage(name: &'static str) -> Key {
    with(PRETRAINING, name, "pretraining.layers", &["all"])
}

const fn stage_with(name: &'static str, key: &'static str, words: &'static [&'static str]) -> Key {
    with(PRETRAINING, name, key, words)
}

pub(super) const KEYS: &[Key] = &[
    key(ALL, "experiment"),
    key(ALL, "run.backend"),
    key(ALL, "run.seeds"),
    key(ALL, "run.order_seed"),
    key(ALL, "data.dir"),
    key(ALL, "data.train_images"),
    key(ALL, "data.test_images"),
    key(PRETRAINING, "data.validation_images"),
    key(AUTOENCODERS, "autoencoder.hidden_units"),
    key(AUTOENCODERS, "autoencoder.activation"),
    with(
        AUTOENCODERS,
        "autoencoder.slope",
        "autoencoder.activation",
        &["prelu", "leaky_relu"],
    ),
    key(AUTOENCODERS, "autoencoder.encoder_weight"),
    key(AUTOENCODERS, "autoencoder.encoder_bias"),
    key(AUTOENCODERS, "autoencoder.decoder"),
    key(AUTOENCODERS, "autoencoder.decoder_activation"),
    key(AUTOENCODERS, "autoencoder.reconstruction"),
    with(
        AUTOENCODERS,
        "autoencoder.decoder_weight",
        "autoencoder.decoder",
        &["untied"],
    ),
    key(AUTOENCODERS, "autoencoder.decoder_bias"),
    key(AUTOENCODERS, "autoencoder.corruption"),
    with(
        AUTOENCODERS,
        "autoencoder.corruption_fraction",
        "autoencoder.corruption",
        &["masking"],
    ),
    with(
        AUTOENCODERS,
        "autoencoder.corruption_deviation",
        "autoencoder.corruption",
        &["gaussian"],
    ),
    key(&["figure56"], "sparsity.weights"),
    key(&["dead_units"], "sparsity.weight"),
    key(AUTOENCODERS, "sparsity.target"),
    key(AUTOENCODERS, "sparsity.estimator"),
    with(
        AUTOENCODERS,
        "sparsity.decay",
        "sparsity.estimator",
        &["running_mean"],
    ),
    key(AUTOENCODERS, "sparsity.clamp"),
    key(PRETRAINING, "network.hidden_units"),
    key(PRETRAINING, "network.activation"),
    with(
        PRETRAINING,
        "network.slope",
        "network.activation",
        &["prelu", "leaky_relu"],
    ),
    key(PRETRAINING, "network.weight"),
    key(PRETRAINING, "network.bias"),
    key(ALL, "training.optimizer"),
    with(ALL, "training.momentum", "training.optimizer", &["sgd"]),
    with(ALL, "training.beta_1", "training.optimizer", &["adam"]),
    with(ALL, "training.beta_2", "training.optimizer", &["adam"]),
    with(ALL, "training.epsilon", "training.optimizer", &["adam"]),
    key(ALL, "training.learning_rate"),
    key(ALL, "training.schedule"),
    key(ALL, "training.batch_size"),
    key(ALL, "training.epochs"),
    key(ALL, "training.weight_decay"),
    key(PRETRAINING, "training.trained_layers"),
    key(PRETRAINING, "pretraining.layers"),
    stage("pretraining.transfer"),
    stage("pretraining.decoder"),
    stage("pretraining.decoder_activation"),
    stage("pretraining.reconstruction"),
    stage_with(
        "pretraining.decoder_weight",
        "pretraining.decoder",
        &["untied"],
    ),
    stage("pretraining.decoder_bias"),
    stage("pretraining.corruption"),
    stage_with(
        "pretraining.corruption_fraction",
        "pretraining.corruption",
        &["masking"],
    ),
    stage_with(
        "pretraining.corruption_deviation",
        "pretraining.corruption",
        &["gaussian"],
    ),
    stage("pretraining.sparsity_weight"),
    stage("pretraining.sparsity_target"),
    stage("pretraining.sparsity_estimator"),
    stage_with(
        "pretraining.sparsity_decay",
        "pretraining.sparsity_estimator",
        &["running_mean"],
    ),
    stage("pretraining.sparsity_clamp"),
    stage("pretraining.optimizer"),
    stage_with("pretraining.momentum", "pretraining.optimizer", &["sgd"]),
    stage_with("pretraining.beta_1", "pretraining.optimizer", &["adam"]),
    stage_with("pretraining.beta_2", "pretraining.optimizer", &["adam"]),
    stage_with("pretraining.epsilon", "pretraining.optimizer", &["adam"]),
    stage("pretraining.learning_rate"),
    stage("pretraining.schedule"),
    stage("pretraining.batch_size"),
    stage("pretraining.epochs"),
    stage("pretraining.weight_decay"),
    key(PRETRAINING, "report.differences"),
    key(PRETRAINING, "report.layers_of"),
];

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

/// The sections whose keys a condition may have.
pub(super) const OF_CONDITIONS: [&str; 5] = [
    "autoencoder",
    "sparsity",
    "network",
    "training",
    "pretraining",
];

/// The keys that are told for all layers at once.
const OF_ALL_LAYERS: [&str; 2] = ["pretraining.layers", "pretraining.transfer"];

/// The key of this name.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Section and name; a key outside sections has the section "".
pub(super) fn split(key: &str) -> (&str, &str) {
    key.rsplit_once('.').unwrap_or(("", key))
}

/// Where a key stands, as it was written: of which condition and which layer's pretraining it is, if of any, and
/// what it is called there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub condition: Option<&'a str>,
    pub layer: Option<&'a str>,
    /// With its section.
    pub section: &'a str,
    pub name: &'a str,
}

impl<'a> Place<'a> {
    /// Names of conditions hold no dots, so that a path can be taken apart.
    pub fn of(path: &'a str) -> Self {
        let (condition, rest) = match path.strip_prefix("conditions.") {
            Some(rest) => {
                let (name, rest) = rest.split_once('.').unwrap_or((rest, ""));
                (Some(name), rest)
            }
            None => (None, path),
        };
        if let Some(rest) = rest.strip_prefix("pretraining.layer.") {
            let (layer, name) = rest.split_once('.').unwrap_or((rest, ""));
            return Self {
                condition,
                layer: Some(layer),
                section: "pretraining",
                name,
            };
        }
        let (section, name) = rest.split_once('.').unwrap_or(("", rest));
        Self {
            condition,
            layer: None,
            section,
            name,
        }
    }

    /// The key without condition and layer: `training.epochs`.
    pub fn key(self) -> String {
        match self.section {
            "" => self.name.to_owned(),
            section => format!("{section}.{}", self.name),
        }
    }

    /// Whether `key` may stand in this place's condition and layer.
    pub fn may_hold(self, key: &str) -> bool {
        let section = split(key).0;
        let in_condition = self.condition.is_none() || OF_CONDITIONS.contains(&section);
        let in_layer =
            self.layer.is_none() || (section == "pretraining" && !OF_ALL_LAYERS.contains(&key));
        in_condition && in_layer
    }

    /// Where `key` stands in this place's condition and, if it may be told for one, this place's layer.
    pub fn path_of(self, key: &str) -> String {
        let condition = self.condition.map(|name| format!("conditions.{name}."));
        let condition = condition.unwrap_or_default();
        match (self.layer, split(key)) {
            (Some(layer), ("pretraining", name)) if self.may_hold(key) => {
                format!("{condition}pretraining.layer.{layer}.{name}")
            }
            _ => format!("{condition}{key}"),
        }
    }
}

/// What else is called so: other names of keys, in papers and in other programs.
pub(super) const OTHER_NAMES: &[(&[&str], &[&str])] = &[
    (
        &["beta", "β", "sparsity"],
        &[
            "sparsity.weights",
            "sparsity.weight",
            "pretraining.sparsity_weight",
        ],
    ),
    (
        &["rho", "ρ"],
        &["sparsity.target", "pretraining.sparsity_target"],
    ),
    (
        &["lr", "eta", "η", "step_size"],
        &["training.learning_rate"],
    ),
    (&["l2", "lambda", "λ"], &["training.weight_decay"]),
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
    (&["device", "gpu"], &["run.backend"]),
    (&["dataset", "path", "folder"], &["data.dir"]),
];

/// The keys that are meant by a name which is none of theirs.
fn called_otherwise(name: &str) -> Option<&'static [&'static str]> {
    let name = name.to_lowercase();
    let mut entries = OTHER_NAMES.iter();
    let entry = entries.find(|(names, _)| names.contains(&name.as_str()));
    entry.map(|(_, keys)| *keys)
}

/// The error for a key that no experiment has, or that cannot stand where it does.
pub(super) fn unknown(path: &str) -> Problem {
    let place = Place::of(path);
    let (section, name) = (place.section, place.name);
    let hint = if let ("pretraining", "hidden_units" | "activation") = (section, name) {
        let what = if name == "activation" { name } else { "width" };
        let network = place.path_of(&format!("network.{name}"));
        format!("a pretraining autoencoder always takes its layer's {what}; set {network} instead")
    } else if let Some(keys) = called_otherwise(name) {
        // The one in this section, if it has one.
        let mut here = keys
            .iter()
            .filter_map(|key| find(&format!("{section}.{}", split(key).1)));
        match here.find(|key| place.may_hold(key.name)) {
            Some(key) => format!("did you mean `{}`?", place.path_of(key.name)),
            None => format!("did you mean `{}`?", keys.join("` or `")),
        }
    } else if let Some(near) = nearest_key_of(place) {
        let all = Place {
            layer: None,
            ..place
        };
        if place.may_hold(near) {
            format!("did you mean `{}`?", place.path_of(near))
        } else if all.may_hold(near) {
            format!(
                "it is told for all layers at once: set `{}`",
                all.path_of(near)
            )
        } else {
            format!("it is told for all conditions at once: set `{near}`")
        }
    } else if SECTIONS.contains(&section) {
        let known = KEYS
            .iter()
            .filter(|key| split(key.name).0 == section && place.may_hold(key.name))
            .map(|key| format!("`{}`", split(key.name).1));
        let known: Vec<_> = known.collect();
        let layer = place.layer.map(|layer| format!(".layer.{layer}"));
        format!(
            "[{section}{}] knows {}",
            layer.unwrap_or_default(),
            known.join(", ")
        )
    } else if place.condition.is_some() {
        "a condition holds keys with their section, such as training.epochs".to_owned()
    } else {
        known_sections()
    };
    Problem::UnknownKey {
        key: path.to_owned(),
        hint,
    }
}

/// The error for a condition that `key` names and that is none of `conditions`.
pub(super) fn unknown_condition<'a>(
    key: &str,
    name: &str,
    conditions: impl Iterator<Item = &'a str> + Clone,
) -> Problem {
    Problem::UnknownCondition {
        key: key.to_owned(),
        name: name.to_owned(),
        nearest: nearest(name, conditions.clone()).map(str::to_owned),
        known: conditions.map(str::to_owned).collect(),
    }
}

/// The error for a section that no experiment has; `inside` are the names in it.
pub(super) fn unknown_section<'a>(
    name: &str,
    mut inside: impl Iterator<Item = &'a str>,
) -> Problem {
    let sections = SECTIONS.into_iter().chain(["conditions"]);
    let hint = if let Some(section) = nearest(name, sections) {
        format!("did you mean `[{section}]`?")
    } else if let Some(key) = inside.find_map(nearest_key) {
        format!("did you mean `{key}`?")
    } else {
        known_sections()
    };
    Problem::UnknownSection {
        section: name.to_owned(),
        hint,
    }
}

fn known_sections() -> String {
    let sections = SECTIONS.map(|section| format!("[{section}]"));
    format!(
        "every key but `experiment` stands in a section: {}, [conditions.NAME]",
        sections.join(", ")
    )
}

/// The known key that `name` was meant to be; a slip in its own section is likelier than another section.
fn nearest_key(name: &str) -> Option<&'static str> {
    let (section, last) = split(name);
    let names = || KEYS.iter().map(|key| key.name);
    nearest(last, names().filter(|key| split(key).0 == section)).or_else(|| nearest(last, names()))
}

/// [`nearest_key`], before which a slip in the section of a condition's key is mended.
fn nearest_key_of(place: Place<'_>) -> Option<&'static str> {
    let section = match place.condition {
        Some(_) => nearest(place.section, SECTIONS),
        None => None,
    };
    let section = section.unwrap_or(place.section);
    nearest_key(&Place { section, ..place }.key())
}

/// The candidate whose name differs from `word` by few enough slips (a third of its letters) to be meant, and not
/// in every letter.
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
    let slips = |candidate| strsim::damerau_levenshtein(&word, &split(candidate).1.to_lowercase());
    let ranked = candidates
        .into_iter()
        .map(|candidate| (slips(candidate), candidate));
    let (slips, best) = ranked.min_by_key(|(slips, _)| *slips)?;
    (slips <= (length / 3).max(1) && slips < length).then_some(best)
}
