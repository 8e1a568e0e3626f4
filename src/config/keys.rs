//! The keys that a config may hold, and the nearest of them to a slip of the pen.
//!
//! Only names live here; forms, ranges and defaults stand in [`super::plan`], where each key is read.

use super::error::Problem;

/// A key of the config.
pub(super) struct Key {
    /// With its section.
    pub name: &'static str,
    /// The choice that decides whether it is used: (the deciding key, its words that use this one).
    pub used_with: Option<(&'static str, &'static [&'static str])>,
}

const fn always(name: &'static str) -> Key {
    Key {
        name,
        used_with: None,
    }
}

const fn with(name: &'static str, key: &'static str, words: &'static [&'static str]) -> Key {
    Key {
        name,
        used_with: Some((key, words)),
    }
}

pub(super) const KEYS: &[Key] = &[
    always("experiment"),
    always("run.backend"),
    always("run.seeds"),
    always("run.order_seed"),
    always("data.dir"),
    always("data.train_images"),
    always("data.test_images"),
    always("autoencoder.hidden_units"),
    always("autoencoder.activation"),
    with(
        "autoencoder.slope",
        "autoencoder.activation",
        &["prelu", "leaky_relu"],
    ),
    always("autoencoder.decoder"),
    always("autoencoder.decoder_activation"),
    always("autoencoder.reconstruction"),
    always("autoencoder.encoder_weight"),
    always("autoencoder.encoder_bias"),
    with(
        "autoencoder.decoder_weight",
        "autoencoder.decoder",
        &["untied"],
    ),
    always("autoencoder.decoder_bias"),
    always("sparsity.weights"),
    always("sparsity.target"),
    always("sparsity.estimator"),
    with("sparsity.decay", "sparsity.estimator", &["running_mean"]),
    always("sparsity.clamp"),
    always("training.optimizer"),
    with("training.momentum", "training.optimizer", &["sgd"]),
    with("training.beta_1", "training.optimizer", &["adam"]),
    with("training.beta_2", "training.optimizer", &["adam"]),
    with("training.epsilon", "training.optimizer", &["adam"]),
    always("training.learning_rate"),
    always("training.schedule"),
    always("training.batch_size"),
    always("training.epochs"),
    always("training.weight_decay"),
];

pub(super) const SECTIONS: [&str; 5] = ["run", "data", "autoencoder", "sparsity", "training"];

/// The key of this name.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Section and name; a key outside sections has the section "".
pub(super) fn split(key: &str) -> (&str, &str) {
    key.split_once('.').unwrap_or(("", key))
}

/// The error for a key that no experiment has.
pub(super) fn unknown(name: &str) -> Problem {
    let (section, _) = split(name);
    let hint = match nearest_key(name) {
        Some(key) => format!("did you mean `{key}`?"),
        None if SECTIONS.contains(&section) => {
            let known = KEYS
                .iter()
                .map(|key| split(key.name))
                .filter(|key| key.0 == section);
            let known: Vec<_> = known.map(|(_, name)| format!("`{name}`")).collect();
            format!("[{section}] knows {}", known.join(", "))
        }
        None => known_sections(),
    };
    Problem::UnknownKey {
        key: name.to_owned(),
        hint,
    }
}

/// The error for a section that no experiment has; `inside` are the names in it.
pub(super) fn unknown_section<'a>(
    name: &str,
    mut inside: impl Iterator<Item = &'a str>,
) -> Problem {
    let hint = if let Some(section) = nearest(name, SECTIONS) {
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
        "every key but `experiment` stands in a section: {}",
        sections.join(", ")
    )
}

/// The known key that `name` was meant to be; a slip in its own section is likelier than another section.
fn nearest_key(name: &str) -> Option<&'static str> {
    let (section, last) = split(name);
    let names = || KEYS.iter().map(|key| key.name);
    nearest(last, names().filter(|key| split(key).0 == section)).or_else(|| nearest(last, names()))
}

/// The candidate whose name differs from `word` by few enough slips (a third of its letters) to be meant.
pub(super) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    const LONGEST: usize = 64;
    let length = word.chars().count();
    if length > LONGEST {
        return None;
    }
    let word = word.to_lowercase();
    let slips = |candidate| strsim::damerau_levenshtein(&word, split(candidate).1);
    let ranked = candidates
        .into_iter()
        .map(|candidate| (slips(candidate), candidate));
    let (slips, best) = ranked.min_by_key(|(slips, _)| *slips)?;
    (slips <= (length / 3).max(1)).then_some(best)
}
