//! The sections of a config that describe a model: which types of the vocabulary declare their keys, what their keys are
//! where nobody chooses, and which experiment has them.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::de::{Fields, Refusal};
use super::node::{Node, Value};
use super::problem::{Problem, alternatives, enumerated, shown};
use crate::spec::{
    Activation, AutoencoderSpec, AutoencoderTraining, ClassifierSpec, Corruption, Data,
    DecoderActivation, DeepAutoencoderSpec, ExperimentName, Form, Initialization, Keep, KlSparsity,
    MeanActivationEstimator, OptimizerSpec, ProbeEpochs, Reconstruction, Revive, Run, Schedule,
    Sparsity, SparsityKind, Stages, Target, TrainedLayers, TrainingSpec, Transfer, Whole,
};

/// What an autoencoder takes over from the layer that it is the pretraining of.
const OF_THE_ENCODER: &[&str] = &[
    "hidden_units",
    "activation",
    "encoder_weight",
    "encoder_bias",
];

/// A table of a config.
pub(super) trait Section: Sized {
    fn read(node: &Node) -> Result<Self, Refusal>;
    /// Every key and its value.
    fn write(&self) -> toml::Table;
    fn schema(generator: &mut SchemaGenerator) -> Schema;
}

/// Declares a section by the types that declare its keys, less some of these.
macro_rules! section {
    ($($(#[$doc:meta])* $name:ident { $($part:ident: $type:ty),* } without $hidden:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default)]
        pub(super) struct $name {
            $(pub $part: $type,)*
        }

        impl Section for $name {
            fn read(node: &Node) -> Result<Self, Refusal> {
                check_kind(node)?;
                check_optimizer(node)?;
                let fields = Fields::of(node, $hidden);
                let section = Self { $($part: fields.part()?,)* };
                fields.finish()?;
                Ok(section)
            }

            fn write(&self) -> toml::Table {
                let mut keys = toml::Table::new();
                $(keys.extend(table(&self.$part));)*
                keys.retain(|name, _| $hidden.iter().all(|hidden| *hidden != name));
                let word = keys.get("optimizer").and_then(|of| of.as_table()?.keys().next());
                let useless = useless_beside(word.map(String::as_str));
                keys.retain(|name, _| useless.iter().all(|key| *key != name));
                keys
            }

            fn schema(generator: &mut SchemaGenerator) -> Schema {
                let parts = [$(<$type>::json_schema(generator)),*];
                joined(parts, $hidden)
            }
        }
    )*};
}

const NONE: &[&str] = &[];

section! {
    RunSection { run: Run } without NONE;
    DataSection { data: Data } without NONE;
    /// The autoencoder that is trained.
    AutoencoderSection { spec: AutoencoderSpec, disturbance: Disturbance, revival: Revival } without NONE;
    /// How its code is made sparse.
    SparsitySection { sparsity: Sparsity } without NONE;
    /// Its training.
    TrainingSection { training: TrainingSpec, probe: Probe } without NONE;
    /// The classifier that is trained.
    NetworkSection { spec: ClassifierSpec } without NONE;
    /// The deep autoencoder that is trained.
    DeepNetworkSection { spec: DeepAutoencoderSpec } without NONE;
    /// Its training: fine-tuning, where it was pretrained.
    DeepTrainingSection { training: TrainingSpec } without NONE;
    /// Its training: fine-tuning, where it was pretrained.
    ClassifierTrainingSection { training: TrainingSpec, trained: Trained } without NONE;
    /// The pretraining of its hidden layers: an autoencoder for each, on the codes of the layers below.
    PretrainingSection { extent: Extent, spec: AutoencoderSpec, disturbance: Disturbance, revival: Revival, code: Code, training: TrainingSpec }
        without OF_THE_ENCODER;
    /// The pretraining of one layer.
    StageSection { spec: AutoencoderSpec, disturbance: Disturbance, revival: Revival, code: Code, training: TrainingSpec }
        without OF_THE_ENCODER;
    ReportSection { report: ReportKeys } without NONE;
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct Disturbance {
    /// How inputs are disturbed before they are encoded, while the reconstruction is compared with the undisturbed ones:
    /// the denoising autoencoder (Vincent et al. 2010, section 3).
    pub corruption: Corruption,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct Trained {
    /// Which layers learn.
    pub trained_layers: TrainedLayers,
    /// Which epoch's model is kept, scored and saved: "best" chooses by `data.validation_images`.
    pub keep: Keep,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct Code {
    /// How the code is made sparse.
    pub sparsity: Sparsity,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct Revival {
    /// What brings units back that have been silent, with an output of 0, for many images.
    pub revive: Revive,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct Probe {
    /// Epochs for which a softmax layer is trained on the codes of the training images, once the autoencoder is trained; how
    /// many test images it puts into their class is the code's accuracy. 0 for none.
    #[serde(with = "ProbeEpochs")]
    pub probe_epochs: usize,
}

/// How much is pretrained, and what of it is used.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct Extent {
    /// How many hidden layers are pretrained, from the input up: "none", "all", or a number.
    #[serde(with = "Stages")]
    pub layers: Option<usize>,
    /// What each layer is to give while it is pretrained.
    pub target: Target,
    /// What of a pretrained encoder reaches the classifier.
    pub transfer: Transfer,
}

impl Default for Extent {
    fn default() -> Self {
        Self {
            layers: Some(0),
            target: Target::default(),
            transfer: Transfer::default(),
        }
    }
}

/// What a page shows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct ReportKeys {
    /// The pieces of evidence by name; left out: all that apply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Vec<String>>,
    /// Differences between conditions, as in "D - B", paired by seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub differences: Option<Vec<String>>,
    /// The conditions whose layers are shown; left out: all that have hidden layers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers_of: Option<Vec<String>>,
    /// The numbers of active units (L0) at which autoencoders are compared; left out: those of 4, 8, 16, 32, 64 and 128
    /// that two or more of the conditions come to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_active_units: Option<Vec<ActiveUnits>>,
}

/// A number of active units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) struct ActiveUnits(#[serde(with = "Whole::<1, 1_000_000>")] pub usize);

/// A section that an experiment has.
pub(super) struct Known {
    pub name: &'static str,
    /// What it is, in the schema.
    pub says: &'static str,
    /// Whether its keys and values are allowed.
    pub check: fn(&Node) -> Result<(), Refusal>,
    pub schema: fn(&mut SchemaGenerator) -> Schema,
}

fn known<T: Section>(name: &'static str, says: &'static str) -> Known {
    Known {
        name,
        says,
        check: |node| T::read(node).map(drop),
        schema: T::schema,
    }
}

/// The sections that an experiment has, in the order of a config.
pub(super) fn of(experiment: ExperimentName) -> [Known; 6] {
    let fine_tuning = "The training; fine-tuning where a condition was pretrained.";
    let stages =
        "The pretraining: an autoencoder for each layer, on the codes of the layers below.";
    let [model, second, third] = match experiment {
        ExperimentName::Autoencoder => [
            known::<AutoencoderSection>("autoencoder", "The autoencoder."),
            known::<SparsitySection>("sparsity", "What makes the code sparse."),
            known::<TrainingSection>("training", "The training."),
        ],
        ExperimentName::Classifier => [
            known::<NetworkSection>("network", "The classifier."),
            known::<ClassifierTrainingSection>("training", fine_tuning),
            known::<PretrainingSection>("pretraining", stages),
        ],
        ExperimentName::DeepAutoencoder => [
            known::<DeepNetworkSection>("network", "The deep autoencoder."),
            known::<DeepTrainingSection>("training", fine_tuning),
            known::<PretrainingSection>("pretraining", stages),
        ],
    };
    [
        known::<RunSection>("run", "Where and how often to compute."),
        known::<DataSection>("data", "What to learn from."),
        model,
        second,
        third,
        known::<ReportSection>("report", "What the page shows."),
    ]
}

/// Refuses the keys of another kind of sparsity than the one that is named.
fn check_kind(node: &Node) -> Result<(), Refusal> {
    let is_sparsity = node.path.rsplit('.').next() == Some("sparsity");
    let Some(section) = Some(node)
        .filter(|_| is_sparsity)
        .or_else(|| node.get("sparsity"))
    else {
        return Ok(());
    };
    let Some(kind) = kind_of(section) else {
        return Ok(());
    };
    let of_kind = |kind: SparsityKind, name: &str| name == "kind" || kind.keys().contains(&name);
    let mut entries = section.entries().iter();
    let foreign = entries.find(|(name, _)| !of_kind(kind, name));
    let Some((name, foreign)) = foreign else {
        return Ok(());
    };
    let owners = SparsityKind::ALL
        .into_iter()
        .filter(|kind| of_kind(*kind, name));
    let owners: Vec<&str> = owners.map(SparsityKind::word).collect();
    if owners.is_empty() {
        return Ok(());
    }
    let path = shown(&foreign.path);
    let kind_path = shown(
        &section
            .get("kind")
            .map_or(String::new(), |kind| kind.path.clone()),
    );
    Err(Refusal::Located(Box::new(Problem::new(
        &foreign.origin,
        format!(
            "`{path}` is not used because {kind_path} = \"{}\"; it belongs to {}",
            kind.word(),
            enumerated(&owners, '"', "and")
        ),
        format!("remove it, or set {kind_path} to {}", alternatives(&owners)),
    ))))
}

/// Refuses the keys that the optimizer has no use for.
fn check_optimizer(node: &Node) -> Result<(), Refusal> {
    let useless = keys_without_use(node);
    let mut entries = node.entries().iter();
    let Some((_, foreign)) = entries.find(|(name, _)| useless.contains(&name.as_str())) else {
        return Ok(());
    };
    let optimizer = node
        .get("optimizer")
        .map_or("", |optimizer| &optimizer.path);
    let (path, optimizer) = (shown(&foreign.path), shown(optimizer));
    Err(Refusal::Located(Box::new(Problem::new(
        &foreign.origin,
        format!(
            "`{path}` is not used because {optimizer} = \"lbfgs\", which takes all images at once and finds its own steps"
        ),
        format!("remove it, or set {optimizer} = \"adam\""),
    ))))
}

/// The keys that the optimizer has no use for which a section names.
pub(super) fn keys_without_use(section: &Node) -> &'static [&'static str] {
    useless_beside(
        section
            .get("optimizer")
            .and_then(|optimizer| match &optimizer.value {
                Value::Text(word) => Some(word.as_str()),
                Value::Table(entries) => entries.first().map(|(word, _)| word.as_str()),
                _ => None,
            }),
    )
}

/// The same, of an optimizer by its word.
fn useless_beside(optimizer: Option<&str>) -> &'static [&'static str] {
    match optimizer {
        Some("lbfgs") => &OptimizerSpec::NOT_OF_LBFGS,
        _ => &[],
    }
}

/// The kind of sparsity that a section names, if it names one.
pub(super) fn kind_of(section: &Node) -> Option<SparsityKind> {
    let Value::Text(word) = &section.get("kind")?.value else {
        return None;
    };
    SparsityKind::ALL
        .into_iter()
        .find(|kind| kind.word() == word)
}

/// The keys that only some experiments have, in sections that others have too: section, key, and who has it.
pub(super) const LIMITED: [(&str, &str, &[ExperimentName]); 8] = [
    ("training", "trained_layers", &[ExperimentName::Classifier]),
    ("training", "keep", &[ExperimentName::Classifier]),
    ("data", "validation_images", &[ExperimentName::Classifier]),
    (
        "data",
        "pretraining_classes",
        &[ExperimentName::Classifier, ExperimentName::DeepAutoencoder],
    ),
    ("pretraining", "target", &[ExperimentName::Classifier]),
    ("report", "layers_of", &[ExperimentName::Classifier]),
    (
        "report",
        "differences",
        &[ExperimentName::Classifier, ExperimentName::DeepAutoencoder],
    ),
    ("report", "at_active_units", &[ExperimentName::Autoencoder]),
];

/// What holds where nobody chooses: for autoencoders what gives Figure 5-6, for classifiers what the post had, for deep
/// autoencoders the layers of Hinton and Salakhutdinov 2006.
pub(super) fn defaults(experiment: ExperimentName) -> toml::Table {
    let mut run = Run::default();
    let mut sections = match experiment {
        ExperimentName::Autoencoder => vec![
            ("autoencoder", AutoencoderSection::default().write()),
            ("sparsity", SparsitySection::default().write()),
            ("training", TrainingSection::default().write()),
        ],
        ExperimentName::Classifier => {
            run.seeds = (0..5).collect();
            let fine_tuning = ClassifierTrainingSection {
                training: TrainingSpec {
                    optimizer: OptimizerSpec::sgd(0.0),
                    learning_rate: 0.1,
                    schedule: Schedule::LinearToZero,
                    epochs: 20,
                    ..TrainingSpec::default()
                },
                trained: Trained::default(),
            };
            let pretraining = PretrainingSection {
                code: Code {
                    sparsity: Sparsity::Kl(KlSparsity {
                        weight: 0.1,
                        estimator: MeanActivationEstimator::RunningMean { decay: 0.9 },
                        clamp: 1e-4,
                        ..KlSparsity::default()
                    }),
                },
                training: TrainingSpec {
                    learning_rate: 1e-3,
                    epochs: 3,
                    ..TrainingSpec::default()
                },
                ..PretrainingSection::default()
            };
            vec![
                ("network", NetworkSection::default().write()),
                ("training", fine_tuning.write()),
                ("pretraining", pretraining.write()),
            ]
        }
        ExperimentName::DeepAutoencoder => {
            let training = TrainingSpec {
                learning_rate: 1e-3,
                batch_size: 200,
                ..TrainingSpec::default()
            };
            let fine_tuning = DeepTrainingSection {
                training: TrainingSpec {
                    schedule: Schedule::LinearToZero,
                    epochs: 25,
                    ..training.clone()
                },
            };
            let pretraining = PretrainingSection {
                spec: AutoencoderSpec {
                    decoder_activation: DecoderActivation::Sigmoid,
                    reconstruction: Reconstruction::CrossEntropy,
                    ..AutoencoderSpec::default()
                },
                code: Code {
                    sparsity: Sparsity::None,
                },
                training: TrainingSpec {
                    epochs: 5,
                    ..training
                },
                ..PretrainingSection::default()
            };
            vec![
                ("network", DeepNetworkSection::default().write()),
                ("training", fine_tuning.write()),
                ("pretraining", pretraining.write()),
            ]
        }
    };
    sections.push(("run", table(&run)));
    sections.push(("data", table(&Data::default())));
    let sections = sections.into_iter();
    sections
        .map(|(name, mut keys)| {
            for (section, key, owners) in LIMITED {
                if section == name && !owners.contains(&experiment) {
                    keys.remove(key);
                }
            }
            (name.to_owned(), keys.into())
        })
        .collect()
}

impl StageSection {
    /// The stage that trains one hidden layer, of so many units.
    pub fn of_layer(
        self,
        hidden_units: usize,
        activation: Activation,
        [encoder_weight, encoder_bias]: [Initialization; 2],
    ) -> AutoencoderTraining {
        AutoencoderTraining {
            autoencoder: AutoencoderSpec {
                hidden_units,
                activation,
                encoder_weight,
                encoder_bias,
                ..self.spec
            },
            sparsity: self.code.sparsity,
            corruption: self.disturbance.corruption,
            revive: self.revival.revive,
            training: self.training,
            probe_epochs: 0,
        }
    }
}

fn table(part: &impl Serialize) -> toml::Table {
    toml::Table::try_from(part).expect("the vocabulary is tables of plain values")
}

/// One object of all the properties.
fn joined<const N: usize>(parts: [Schema; N], hidden: &[&str]) -> Schema {
    let mut properties = serde_json::Map::new();
    for mut part in parts {
        if let Some(serde_json::Value::Object(of_part)) = part.remove("properties") {
            properties.extend(of_part);
        }
    }
    properties.retain(|name, _| !hidden.contains(&name.as_str()));
    schemars::json_schema!({ "type": "object", "properties": properties, "additionalProperties": false })
}
