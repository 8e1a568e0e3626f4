//! The page to draw on, beside the page of the run: one model of each condition, and some test images to choose from.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::figures::{RedrawError, damaged_weights};
use super::{Evidence, Run, examples, is_deep_autoencoder, picture};
use crate::data::Transforms;
use crate::report::{
    Examples, Figures, MOST_NAMES, Numbers, PictureShape, Play as Page, PlayDecoder, PlayKept,
    PlayLayer, PlayModel, PlayTransform, Preparation,
};
use crate::results::{Member, Subject};
use crate::run_dir;
use crate::spec::{Activation, Condition, DecoderActivation, Model, Plan, Sparsity};
use crate::weights::{HostTensor, Weights, layer_name, member_prefix};
use crate::words::listed_names;

/// As many test images as one can choose from.
const IMAGES: usize = 48;
/// They have no more numbers than this.
const IMAGE_ROOM: usize = 400_000;

pub struct Play;

impl Evidence for Play {
    fn name(&self) -> &'static str {
        "play"
    }

    /// The page has no place for a way back of several layers.
    fn applies(&self, plan: &Plan) -> bool {
        !is_deep_autoencoder(plan)
    }

    fn show(&self, run: &Run<'_>, figures: &mut Figures) -> Result<Option<Markup>, RedrawError> {
        let Some(shape) = picture(run.manifest.data.frame) else {
            return Ok(None);
        };
        let mut models = Vec::new();
        for condition in &run.plan.conditions {
            if let Some(member) = shown_member(run, condition) {
                models.extend(model(run, condition, member)?);
            }
        }
        if models.is_empty() {
            figures.file(run_dir::PLAY, None);
            return Ok(None);
        }
        let images = examples::Examples::read(run.dir, run.manifest.data.frame)?;
        let arrays = transform_arrays(run)?;
        let page = Page {
            name: &super::figures::name(run),
            picture: shape,
            preparation: match run.subject() {
                Subject::Digits => Preparation::Mnist,
                Subject::Images => Preparation::Frame,
            },
            transforms: transforms(&arrays),
            examples: examples(&images, shape),
            models,
            left_out: left_out(run),
        };
        let page = page.page();
        let markup = html! {
            @if page.is_some() {
                p { a href=(run_dir::PLAY) { "Draw an input and see what the models make of it" } "." }
            } @else {
                p { "There is no page to draw on: each of the models is too large for one." }
            }
        };
        figures.file(run_dir::PLAY, page.map(String::into_bytes));
        Ok(Some(markup))
    }
}

/// The first seed of a condition that has weights, of those that did not end early.
fn shown_member<'a>(run: &Run<'a>, condition: &Condition) -> Option<&'a Member> {
    let last = match condition.model {
        Model::Autoencoder(_) => "decoder.bias",
        Model::Classifier(_) => "output.weight",
        Model::DeepAutoencoder(_) => return None,
    };
    let mut members = run.manifest.members.iter();
    members.find(|member| {
        let name = format!("{}/{last}", member_prefix(member));
        member.condition == condition.name
            && !run.results.has_ended(member.index)
            && run.weights.get(&name).is_ok()
    })
}

/// What the page does not have of the run, a sentence each.
fn left_out(run: &Run) -> Vec<String> {
    let seeds = run.plan.run.seeds.len();
    let of_seeds = (seeds > 1).then(|| {
        format!(
            "Of the {seeds} seeds of each condition, the first that was trained to its end is here."
        )
    });
    let conditions = run.plan.conditions.iter();
    let without: Vec<&str> = conditions
        .filter(|condition| shown_member(run, condition).is_none())
        .map(|condition| condition.name.as_str())
        .collect();
    let untrained = (!without.is_empty()).then(|| {
        let names = listed_names(&without, MOST_NAMES);
        format!("No model was trained to its end of {names}.")
    });
    of_seeds.into_iter().chain(untrained).collect()
}

/// The numbers of one model.
fn model<'a>(
    run: &Run<'a>,
    condition: &Condition,
    member: &'a Member,
) -> Result<Option<PlayModel<'a>>, RedrawError> {
    let data = &run.manifest.data;
    let inputs = data.frame.inputs().unwrap_or(0);
    let tensors = Tensors {
        run: *run,
        prefix: member_prefix(member),
    };
    let (layers, output, decoder) = match &condition.model {
        Model::Autoencoder(training) => {
            let spec = &training.autoencoder;
            let units = spec.hidden_units;
            let encoder = tensors.layer("encoder", [inputs, units], spec.activation)?;
            let weight = match spec.decoder {
                crate::spec::Decoder::Tied => None,
                crate::spec::Decoder::Untied { .. } => {
                    Some(tensors.values("decoder.weight", [units, inputs])?)
                }
            };
            let kept = match training.sparsity {
                Sparsity::None | Sparsity::Kl(_) | Sparsity::L1(_) => None,
                Sparsity::TopK { k } => Some(PlayKept::Largest(k)),
                Sparsity::BatchTopK(_) => {
                    Some(PlayKept::Above(tensors.values("threshold", [1, 1])?))
                }
                Sparsity::JumpRelu(_) => {
                    let logarithms = tensors.values("log_threshold", [1, units])?;
                    Some(PlayKept::AboveExp(logarithms))
                }
            };
            let decoder = PlayDecoder {
                kept,
                subtracts_bias: spec.subtract_decoder_bias,
                activation: match spec.decoder_activation {
                    DecoderActivation::Identity => "identity",
                    DecoderActivation::Sigmoid => "sigmoid",
                },
                weight,
                bias: tensors.values("decoder.bias", [1, inputs])?,
            };
            (vec![encoder], None, Some(decoder))
        }
        Model::Classifier(training) => {
            let spec = &training.classifier;
            let mut below = inputs;
            let mut layers = Vec::new();
            for (at, &units) in spec.hidden_units.iter().enumerate() {
                layers.push(tensors.layer(&layer_name(at), [below, units], spec.activation)?);
                below = units;
            }
            let output = tensors.layer("output", [below, data.classes], Activation::Identity)?;
            (layers, Some(output), None)
        }
        Model::DeepAutoencoder(_) => return Ok(None),
    };
    Ok(Some(PlayModel {
        name: &member.label,
        layers,
        output,
        decoder,
    }))
}

/// The arrays of what is done to inputs: none where they stay as they are.
fn transform_arrays(run: &Run) -> Result<Weights, RedrawError> {
    if !run.dir.has(run_dir::TRANSFORMS) {
        return Ok(Weights::default());
    }
    let file = run.dir.read(run_dir::TRANSFORMS)?;
    let damaged = |reason: &str| run.dir.damaged(run_dir::TRANSFORMS, reason);
    let arrays = Weights::from_safetensors(&file).map_err(|error| damaged(&error.to_string()))?;
    Transforms::from_weights(&arrays).map_err(|reason| damaged(&reason))?;
    Ok(arrays)
}

/// Each step with its arrays, which are called `01.scale.factor`.
fn transforms(arrays: &Weights) -> Vec<PlayTransform<'_>> {
    let mut steps: BTreeMap<(&str, &str), BTreeMap<&str, Numbers>> = BTreeMap::new();
    for (name, array) in arrays.iter() {
        let mut parts = name.splitn(3, '.');
        if let (Some(at), Some(kind), Some(of)) = (parts.next(), parts.next(), parts.next()) {
            let step = steps.entry((at, kind)).or_default();
            step.insert(of, Numbers(&array.values));
        }
    }
    let steps = steps.into_iter();
    steps
        .map(|((_, kind), mut arrays)| {
            // Only the way forth is needed.
            arrays.remove("back");
            PlayTransform { kind, arrays }
        })
        .collect()
}

/// The weights of one member.
struct Tensors<'a> {
    run: Run<'a>,
    prefix: String,
}

impl<'a> Tensors<'a> {
    fn layer(
        &self,
        name: &str,
        [inputs, units]: [usize; 2],
        activation: Activation,
    ) -> Result<PlayLayer<'a>, RedrawError> {
        let (activation, slope) = match activation {
            Activation::Relu => ("relu", 0.0),
            Activation::Prelu { .. } => {
                let slope = self.values(&format!("{name}.slope"), [1, 1])?;
                ("prelu", f64::from(slope.0[0]))
            }
            Activation::LeakyRelu { slope } => ("leaky_relu", slope),
            Activation::Sigmoid => ("sigmoid", 0.0),
            Activation::Tanh => ("tanh", 0.0),
            Activation::Softsign => ("softsign", 0.0),
            Activation::Identity => ("identity", 0.0),
        };
        Ok(PlayLayer {
            inputs,
            activation,
            slope,
            weight: self.values(&format!("{name}.weight"), [inputs, units])?,
            bias: self.values(&format!("{name}.bias"), [1, units])?,
        })
    }

    fn values(&self, name: &str, expected: [usize; 2]) -> Result<Numbers<'a>, RedrawError> {
        let Run { dir, weights, .. } = self.run;
        let name = format!("{}/{name}", self.prefix);
        let HostTensor { shape, values } = weights
            .get(&name)
            .map_err(|source| damaged_weights(dir.path(), source))?;
        if *shape != expected {
            let ([rows, columns], [of_rows, of_columns]) = (*shape, expected);
            let reason =
                format!("{name} is {rows}×{columns}, but its model has {of_rows}×{of_columns}");
            return Err(dir.damaged(run_dir::WEIGHTS, &reason).into());
        }
        Ok(Numbers(values))
    }
}

/// The first test images, of those that the run folder holds.
fn examples(images: &examples::Examples, shape: PictureShape) -> Examples {
    let inputs = shape.inputs().unwrap_or(usize::MAX);
    let most = IMAGES.min(IMAGE_ROOM / inputs);
    let images: Vec<_> = (0..most)
        .map_while(|at| images.get(at))
        .filter(|image| image.row.len() == inputs)
        .collect();
    let rows: Vec<f32> = images
        .iter()
        .flat_map(|image| &image.row)
        .copied()
        .collect();
    let labels = images.iter().map(|image| image.label).collect();
    Examples::new(&rows, inputs, labels)
}
