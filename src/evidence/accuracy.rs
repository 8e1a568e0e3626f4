//! Test accuracy, epoch by epoch: the curves, what they say in sentences, a table of conditions, and differences of
//! conditions paired by seed (Okatani, *Deep Learning*, chapter 5).

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::figures::RedrawError;
use super::quantities::{Finding, Quantity, record, written};
use super::reading::{grouped, how_learning_is_judged, points, reading, with_range};
use super::{Evidence, Found, Run, accuracy_charts, is_classifier, remarks, value};
use crate::experiment::{Models, Trained};
use crate::model::{Autoencoder, Classifier};
use crate::report::{self, Figures, Glossary, GridShape, MOST_NAMES, Term, Words, number, table};
use crate::results::{ClassifierRecord, Ended, MemberSeconds, Spread};
use crate::run_dir::{self, Records, Status};
use crate::spec::{
    ClassifierTraining, Condition, Initialization, Plan, Target, TrainedLayers, Variance,
};
use crate::train::pretraining::of_one_layer;
use crate::words::{listed, listed_names, named, padded};

/// The test accuracy of classifiers, epoch by epoch.
pub struct Accuracy;

/// How the conditions of a run compare.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// All conditions with classifiers, in the order of the plan.
    pub conditions: Vec<ConditionSummary>,
    /// Those that the plan's report asks for, in its order.
    pub differences: Vec<Difference>,
    /// The conditions whose layers are looked into.
    pub layers_of: Vec<String>,
    /// What there is to be learnt.
    pub chance: Chance,
    /// Members that could not go on.
    pub ended: Vec<Ended>,
}

/// A condition over its seeds, those left out that ended before their training was through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConditionSummary {
    /// The name of the condition.
    pub condition: String,
    /// What it is, in a reader's words: layers, initialisation, optimiser, pretraining.
    pub description: String,
    /// Units of each hidden layer, from the input up.
    pub hidden_units: Vec<usize>,
    /// How many hidden layers were pretrained and copied.
    pub pretrained_layers: usize,
    /// Numbers in the classifier.
    pub parameters: usize,
    /// Numbers learnt in all: the classifier's and those of the autoencoders, their decoders included.
    pub parameters_learnt: usize,
    /// How many seeds the following are over.
    pub seeds: usize,
    /// Test accuracy at the start and after each epoch, in [0, 1].
    pub accuracy: Vec<Spread>,
    /// The highest accuracy of any seed after any epoch; absent before there is one.
    pub best: Option<f64>,
    /// What was kept, where the best epoch was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<KeptEpochs>,
}

/// The epochs whose models a condition left: those of each seed that are best by validation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct KeptEpochs {
    /// Which epochs they are, counted from 1.
    pub epoch: Spread,
    /// Validation accuracy after them, in [0, 1].
    pub validation_accuracy: Spread,
    /// Test accuracy after them, in [0, 1].
    pub test_accuracy: Spread,
}

/// One condition minus another, paired by seed; seeds that ended early in one of them are left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The condition that is subtracted from.
    pub minuend: String,
    /// The condition that is subtracted.
    pub subtrahend: String,
    /// How many pairs there are.
    pub seeds: usize,
    /// Of test accuracies at the start and after each epoch.
    pub by_epoch: Vec<Spread>,
}

/// What a classifier reaches that looks at no image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Chance {
    /// How many test images there are.
    pub test_images: usize,
    /// How many test images are of the commonest class among them.
    pub commonest: usize,
    /// −Σ p ln p over the classes' shares p of the training images, in nats: the training cost of always answering with
    /// these shares.
    pub entropy: f64,
}

impl Chance {
    /// The accuracy of always naming the commonest class.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        self.commonest as f64 / self.test_images.max(1) as f64
    }
}

impl Evidence for Accuracy {
    fn name(&self) -> &'static str {
        "accuracy"
    }

    fn applies(&self, plan: &Plan) -> bool {
        is_classifier(plan)
    }

    /// The epoch whose model is left, where the best one was kept.
    fn measure(&self, _: &Plan, trained: &Trained<'_>) -> Vec<Value> {
        let Models::Classifiers { kept_epochs, .. } = &trained.models else {
            return Vec::new();
        };
        let epochs = kept_epochs.iter().flatten();
        epochs.map(|epoch| json!({ "kept_epoch": epoch })).collect()
    }

    fn conclude(&self, found: &Found<'_>) -> Option<Value> {
        Some(value(&compare(found)))
    }

    fn quantities(&self) -> &'static [Quantity] {
        macro_rules! of_record {
            ($name:literal, $unit:literal, $value:expr) => {
                Quantity {
                    name: $name,
                    unit: $unit,
                    words: &[],
                    of: |of, member, epoch| {
                        let records = &of.records.classifiers;
                        let epoch = epoch.or_else(|| of.kept_epoch(member));
                        let record = record(records, |r| (r.epoch, r.member), member, epoch)?;
                        let value: fn(&ClassifierRecord) -> Option<f64> = $value;
                        value(record).map(Finding::Number)
                    },
                }
            };
        }
        const ALL: [Quantity; 6] = [
            of_record!("test accuracy", "%", |of| Some(100.0 * of.test_accuracy)),
            of_record!("test error", "%", |of| Some(
                100.0 * (1.0 - of.test_accuracy)
            )),
            of_record!("validation accuracy", "%", |of| of
                .validation_accuracy
                .map(|share| 100.0 * share)),
            of_record!("test cost", "nats", |of| Some(of.test_cost)),
            of_record!("training cost", "nats", |of| of.cost),
            Quantity {
                name: "best epoch",
                unit: "",
                words: &[],
                of: |of, member, _| Some(Finding::Number(of.kept_epoch(member)? as f64)),
            },
        ];
        &ALL
    }

    fn lines(&self, found: &Found<'_>) -> Vec<String> {
        let comparison: Option<Comparison> = found.results.of_run(self.name());
        comparison.as_ref().map_or_else(Vec::new, what_was_reached)
    }

    fn outlook(&self, plan: &Plan, _: &dyn Fn(usize) -> GridShape) -> Vec<String> {
        let lines = report::lines_left_out(plan.conditions.len());
        remarks(run_dir::ACCURACY_SVG, lines)
    }

    fn show(&self, run: &Run<'_>, figures: &mut Figures) -> Result<Option<Markup>, RedrawError> {
        let kept = run.kept_records();
        let comparison: Option<Comparison> = run.results.of_run(self.name());
        Ok(Some(section(run, &kept, comparison.as_ref(), figures)))
    }
}

/// A line for each condition.
fn what_was_reached(comparison: &Comparison) -> Vec<String> {
    let conditions = &comparison.conditions;
    let names = conditions.iter().map(|of| of.condition.chars().count());
    let width = names.max().unwrap_or(0);
    let percent = |spread: &Spread| format!("{:.2} %", 100.0 * spread.median);
    let line = |of: &ConditionSummary| {
        let medians = match of.seeds {
            1 => String::new(),
            seeds => format!(" (medians of {seeds} seeds)"),
        };
        let reached = match of.accuracy.as_slice() {
            [] => "ended early".to_owned(),
            [start] => format!("{} at the start{medians}", percent(start)),
            [_, only] => format!("{} after its only epoch{medians}", percent(only)),
            [_, first, .., last] => format!(
                "{} after the first epoch, {} after the last{medians}",
                percent(first),
                percent(last)
            ),
        };
        let kept = of.kept.map_or(String::new(), |kept| {
            let [reached, epoch] = [percent(&kept.test_accuracy), written(kept.epoch.median)];
            format!(", {reached} after the kept one ({epoch})")
        });
        let condition = padded(&of.condition, width);
        format!("{condition}  {reached}{kept}  {}", of.description)
    };
    conditions.iter().map(line).collect()
}

fn compare(found: &Found<'_>) -> Comparison {
    let (plan, data, results) = (found.plan, found.data, found.results);
    let inputs = data.train.images.inputs();
    let facts = plan.conditions.iter().zip(&results.conditions);
    let conditions = facts.filter_map(|(condition, facts)| {
        let training = condition.classifier()?;
        let by_seed = accuracies(found, &condition.name);
        let [parameters, learnt] = parameter_counts(training, inputs, data.classes);
        Some(ConditionSummary {
            condition: condition.name.clone(),
            description: facts.description.clone(),
            hidden_units: training.classifier.hidden_units.clone(),
            pretrained_layers: training.stages.len(),
            parameters,
            parameters_learnt: learnt,
            seeds: by_seed.len(),
            best: by_seed
                .values()
                .flat_map(|accuracies| accuracies.iter().skip(1))
                .copied()
                .max_by(f64::total_cmp),
            accuracy: by_epoch(by_seed.values()),
            kept: kept_epochs(found, &condition.name),
        })
    });
    let names: Vec<&str> = plan.names().collect();
    let differences = plan.report.differences.iter();
    Comparison {
        conditions: conditions.collect(),
        differences: differences
            .map(|&(minuend, subtrahend)| difference(found, names[minuend], names[subtrahend]))
            .collect(),
        layers_of: super::layers::shown(plan),
        chance: chance(
            data.train.labels.as_deref().unwrap_or_default(),
            data.test.labels.as_deref().unwrap_or_default(),
        ),
        ended: results.ended.clone(),
    }
}

/// The epochs that the seeds of a condition left, of those that were trained to their end.
fn kept_epochs(found: &Found<'_>, condition: &str) -> Option<KeptEpochs> {
    let outcomes = found.outcomes();
    let members = found.results.members.iter().map(|of| &of.member);
    let of_condition = members.filter(|member| member.condition == condition);
    let kept: Vec<&ClassifierRecord> = of_condition
        .filter_map(|member| {
            let epoch = outcomes.kept_epoch(member.index)?;
            let records = &found.records.classifiers;
            record(records, |r| (r.epoch, r.member), member.index, Some(epoch))
        })
        .collect();
    let spread = |value: fn(&ClassifierRecord) -> Option<f64>| {
        Spread::of(kept.iter().filter_map(|record| value(record)))
    };
    Some(KeptEpochs {
        epoch: spread(|of| Some(of.epoch as f64))?,
        validation_accuracy: spread(|of| of.validation_accuracy)?,
        test_accuracy: spread(|of| Some(of.test_accuracy))?,
    })
}

fn difference(found: &Found<'_>, minuend: &str, subtrahend: &str) -> Difference {
    let subtracted = accuracies(found, subtrahend);
    let pairs = accuracies(found, minuend)
        .into_iter()
        .filter_map(|(seed, a)| Some((a, subtracted.get(&seed)?)));
    let by_seed: Vec<Vec<f64>> = pairs
        .map(|(a, b)| a.iter().zip(b).map(|(a, b)| a - b).collect())
        .collect();
    Difference {
        minuend: minuend.to_owned(),
        subtrahend: subtrahend.to_owned(),
        seeds: by_seed.len(),
        by_epoch: by_epoch(&by_seed),
    }
}

/// Parameters of a classifier; and parameters learnt in all, those of its pretraining's autoencoders or classifiers
/// among them.
fn parameter_counts(training: &ClassifierTraining, inputs: usize, classes: usize) -> [usize; 2] {
    let spec = &training.classifier;
    let parameters = Classifier::parameter_count(spec, inputs, classes);
    let below = std::iter::once(&inputs).chain(&spec.hidden_units);
    let stages = training.stages.iter().zip(below);
    let pretraining: usize = stages
        .map(|(stage, &inputs)| match training.target {
            Target::Reconstruction => Autoencoder::parameter_count(stage, inputs),
            Target::Classes => {
                let spec = of_one_layer(&stage.autoencoder);
                Classifier::parameter_count(&spec, inputs, classes)
            }
        })
        .sum();
    let learnt = match training.trained_layers {
        TrainedLayers::All | TrainedLayers::OutputFirst { .. } => parameters,
        TrainedLayers::Output => {
            let below = spec.hidden_units.last();
            (below.copied().unwrap_or(inputs) + 1) * classes
        }
    };
    [parameters, learnt + pretraining]
}

/// What is reached on these labels without a look at any image.
fn chance(train: &[u8], test: &[u8]) -> Chance {
    let counts = |labels: &[u8]| {
        let mut counts = [0_usize; 256];
        for &label in labels {
            counts[usize::from(label)] += 1;
        }
        counts
    };
    let shares = counts(train)
        .into_iter()
        .map(|count| count as f64 / train.len() as f64)
        .filter(|&share| share > 0.0);
    Chance {
        test_images: test.len(),
        commonest: counts(test).into_iter().max().unwrap_or(0),
        entropy: shares.map(|share| share * (1.0 / share).ln()).sum(),
    }
}

/// Test accuracies at the start and after each epoch, for each seed of a condition that did not end early.
fn accuracies(found: &Found<'_>, condition: &str) -> BTreeMap<u64, Vec<f64>> {
    let mut by_seed: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for record in &found.records.classifiers {
        if record.condition == condition && !found.results.has_ended(record.member) {
            let of_seed = by_seed.entry(record.seed).or_default();
            of_seed.push(record.test_accuracy);
        }
    }
    by_seed
}

/// The spread over seeds at each epoch that every seed has reached.
fn by_epoch<'a>(by_seed: impl IntoIterator<Item = &'a Vec<f64>>) -> Vec<Spread> {
    let by_seed: Vec<&Vec<f64>> = by_seed.into_iter().collect();
    let epochs = by_seed.iter().map(|seed| seed.len()).min().unwrap_or(0);
    (0..epochs)
        .filter_map(|epoch| Spread::of(by_seed.iter().map(|values| values[epoch])))
        .collect()
}

fn section(
    run: &Run<'_>,
    kept: &Records,
    comparison: Option<&Comparison>,
    figures: &mut Figures,
) -> Markup {
    // Medians and ranges of one seed would be empty words.
    let has_seeds = run.plan.run.seeds.len() > 1;
    let medians = if has_seeds {
        ": medians over seeds, bands from the smallest to the largest"
    } else {
        ""
    };
    let names = listed_names(run.conditions(), MOST_NAMES);
    let data = &run.manifest.data;
    let seconds = &run.manifest.member_seconds;
    let words = Words {
        alt: &format!(
            "Test accuracy after every epoch, a line for each of {names}{}",
            at_the_end(comparison)
        ),
        caption: &format!(
            "Test accuracy, the share of test images put into their class, after each epoch; epoch 0 is the start{medians}. Nothing is trained, tuned or stopped by the test images."
        ),
        numbers: Some(run_dir::METRICS_CSV),
    };
    let chart = figures.chart(
        "figure3",
        &accuracy_charts::accuracy(&kept.classifiers),
        &words,
    );
    if has_seeds {
        figures.glossary.uses(&[Term::Median]);
    }
    html! {
        (lead(run.plan))
        @if starts_as_the_post(run.plan, data.frame.inputs().unwrap_or(0)) {
            (readings_of_the_post(data.frame.inputs().unwrap_or(0), comparison))
        }
        (chart)
        @if let Some(comparison) = comparison {
            (who(comparison))
            @if run.manifest.status == Status::Complete { (findings(comparison, kept)) }
            (conditions(comparison, &kept.classifiers, seconds, has_seeds, &mut figures.glossary))
            (kept_models(comparison))
            (differences(&comparison.differences, has_seeds))
        }
    }
}

/// Where each condition ends, for those who do not see the curves.
fn at_the_end(comparison: Option<&Comparison>) -> String {
    let conditions = comparison.into_iter().flat_map(|of| &of.conditions);
    let ends: Vec<String> = conditions
        .filter_map(|of| {
            let last = of.accuracy.last()?;
            let end = of.kept.map_or(*last, |kept| kept.test_accuracy);
            Some(format!(
                "{} at {} %",
                named(&of.condition),
                plain_percent(end.median)
            ))
        })
        .collect();
    if ends.is_empty() {
        return String::new();
    }
    format!(". At the end: {}", listed(&ends, MOST_NAMES))
}

/// What deep nets and their pretraining are about, where the plan has any.
fn lead(plan: &Plan) -> Markup {
    let mut classifiers = plan.conditions.iter().filter_map(Condition::classifier);
    let is_deep = classifiers.any(|of| of.classifier.hidden_units.len() > 1);
    let is_pretrained = plan.conditions.iter().any(|of| !of.stages().is_empty());
    html! {
        @if is_deep || is_pretrained {
            p .lead {
                "A deep net that is trained from small random weights passes back hardly any gradient to its lower layers."
                @if is_pretrained {
                    " Greedy layer-wise pretraining (Okatani, "
                    cite { "Deep Learning" }
                    ", chapter 5; Bengio et al. 2007) trains each layer first, as an autoencoder on the codes of the layers below it, copies the encoders into the classifier, and then fine-tunes the whole."
                }
            }
        }
    }
}

/// Whether weights of every layer start from a normal distribution of variance 1/`inputs`.
fn starts_as_the_post(plan: &Plan, inputs: usize) -> bool {
    let mut classifiers = plan.conditions.iter().filter_map(Condition::classifier);
    classifiers.any(|of| match of.classifier.weight {
        Initialization::Normal(Variance::Fixed { value }) => {
            (value * inputs as f64 - 1.0).abs() < 1e-6
        }
        _ => false,
    })
}

/// What the post leaves open, and what difference it makes in these layers.
fn readings_of_the_post(inputs: usize, results: Option<&Comparison>) -> Markup {
    let widths = results.into_iter().flat_map(|results| &results.conditions);
    let widths: BTreeSet<usize> = widths
        .flat_map(|condition| condition.hidden_units.iter().copied())
        .collect();
    // Where all layers are of one width, what that width means here.
    let here = match widths.iter().collect::<Vec<_>>()[..] {
        [&width] => Some((width, width as f64 / (2.0 * inputs as f64))),
        _ => None,
    };
    html! {
        p {
            "The blog post of 2017 whose result configs/pretraining.toml repeats starts every weight from N(0, 1/D" sub { "x" } ") and every bias from N(0, 1/D" sub { "x" }
            "/10), which can be read in two ways: with D" sub { "x" } " the dimension of the data, here " (inputs) " in every layer, or with D" sub { "x" }
            " the number of inputs of each layer, its fan-in. The first layer is the same in both. A ramp layer of n inputs, though, multiplies the mean square of the activations by about ½ · n/D"
            sub { "x" } " in the first reading"
            @if let Some((width, factor)) = here { " (of " (width) " inputs: " (number(factor)) ")" }
            " and by ½ in the second, and the gradients on their way back likewise. Each condition below says how its weights are drawn."
        }
    }
}

fn findings(comparison: &Comparison, records: &Records) -> Markup {
    let sentences = reading(comparison, &records.classifiers, &records.layers);
    html! {
        @if !sentences.is_empty() {
            h2 { "What the numbers say" }
            ul { @for sentence in &sentences { li { (sentence) } } }
            p { (how_learning_is_judged(comparison.chance)) }
        }
    }
}

fn conditions(
    results: &Comparison,
    records: &[ClassifierRecord],
    seconds: &[MemberSeconds],
    has_seeds: bool,
    glossary: &mut Glossary,
) -> Markup {
    let [accuracy, takes] = if has_seeds {
        [
            "Test accuracy in %: median (smallest to largest of the seeds); best: of any seed after any epoch",
            "What each condition takes, pretraining included; seconds on one thread: median",
        ]
    } else {
        [
            "Test accuracy in %; best: after any epoch",
            "What each condition takes, pretraining included; seconds on one thread",
        ]
    };
    let shown = shown_epochs(results);
    let early = shown.iter().map(|epoch| format!("epoch {epoch}"));
    let head = ["condition".to_owned()].into_iter().chain(early);
    let head = head.chain(["last epoch", "best"].map(str::to_owned));
    let head: Vec<String> = head.collect();
    let rows = |row: &dyn Fn(&ConditionSummary) -> Vec<String>| -> Vec<Vec<String>> {
        results.conditions.iter().map(row).collect()
    };
    html! {
        (table(accuracy, &head, &rows(&|of| accuracy_row(of, &shown))))
        (table(
            takes,
            &glossary.head(&[
                ("condition", None),
                ("hidden layers", None),
                ("… pretrained", None),
                ("parameters", None),
                ("parameters learnt, pretraining included", None),
                ("gradient updates", None),
                ("10¹² multiply–accumulates", Some(Term::MultiplyAccumulates)),
                ("seconds", None),
            ]),
            &rows(&|condition| cost_row(condition, records, seconds)),
        ))
    }
}

/// What each condition is.
fn who(results: &Comparison) -> Markup {
    html! {
        dl .pairs {
            @for condition in &results.conditions {
                dt { (condition.condition) } dd { (condition.description) }
            }
        }
    }
}

/// The epochs that the table shows besides the last one.
fn shown_epochs(results: &Comparison) -> Vec<usize> {
    let conditions = results.conditions.iter();
    let last = conditions.map(|of| of.accuracy.len()).max().unwrap_or(0);
    let early = [1, 2, 5, 10].into_iter();
    early.filter(|epoch| epoch + 1 < last).collect()
}

fn accuracy_row(condition: &ConditionSummary, shown: &[usize]) -> Vec<String> {
    let at = |epoch: usize| match condition.accuracy.get(epoch) {
        Some(spread) => with_range(spread, plain_percent),
        None => "–".to_owned(),
    };
    let last = match condition.accuracy.len() {
        0 | 1 => "–".to_owned(),
        epochs => at(epochs - 1),
    };
    let best = condition.best.map_or_else(|| "–".to_owned(), plain_percent);
    let first = [condition.condition.clone()].into_iter();
    let early = shown.iter().map(|&epoch| at(epoch));
    first.chain(early).chain([last, best]).collect()
}

/// `98.18`, where the caption has the unit.
fn plain_percent(share: f64) -> String {
    format!("{:.2}", 100.0 * share)
}

fn cost_row(
    condition: &ConditionSummary,
    records: &[ClassifierRecord],
    seconds: &[MemberSeconds],
) -> Vec<String> {
    let of_condition = || {
        let mut records = records.iter().collect::<Vec<_>>();
        records.retain(|record| record.condition == condition.condition);
        records
    };
    let last = of_condition().into_iter().max_by_key(|record| record.epoch);
    let members: Vec<usize> = of_condition().iter().map(|record| record.member).collect();
    let times = seconds
        .iter()
        .filter(|of| members.contains(&of.member))
        .map(|of| of.pretraining + of.epochs.iter().sum::<f64>());
    let unknown = || "–".to_owned();
    vec![
        condition.condition.clone(),
        condition.hidden_units.len().to_string(),
        condition.pretrained_layers.to_string(),
        grouped(condition.parameters),
        grouped(condition.parameters_learnt),
        last.map_or_else(unknown, |record| grouped(record.updates as usize)),
        last.map_or_else(unknown, |record| {
            format!("{:.3}", record.giga_multiply_accumulates / 1e3)
        }),
        Spread::of(times).map_or_else(unknown, |spread| number(spread.median)),
    ]
}

/// Which epochs' models were kept, and why.
fn kept_models(comparison: &Comparison) -> Markup {
    let conditions = comparison.conditions.iter();
    let rows: Vec<Vec<String>> = conditions
        .filter_map(|of| {
            let kept = of.kept?;
            Some(vec![
                of.condition.clone(),
                with_range(&kept.epoch, written),
                with_range(&kept.validation_accuracy, plain_percent),
                with_range(&kept.test_accuracy, plain_percent),
            ])
        })
        .collect();
    html! {
        @if !rows.is_empty() {
            p {
                "Of these conditions, each model that is saved, looked into and compared at the end is that of the epoch after which most validation images were put into their class; of equals that of the lower cost on them, then the earlier. Validation images were held out of the training images; test images have no part in the choice."
            }
            (table(
                "The epochs that were kept; accuracies in %: median (smallest to largest of the seeds)",
                &["condition", "epoch", "validation accuracy", "test accuracy"],
                &rows,
            ))
        }
    }
}

fn differences(differences: &[Difference], has_seeds: bool) -> Markup {
    if differences.is_empty() {
        return html! {};
    }
    let longest = differences
        .iter()
        .map(|difference| difference.by_epoch.len())
        .max()
        .unwrap_or(0);
    if longest < 2 {
        return html! {};
    }
    let rows: Vec<Vec<String>> = (1..longest)
        .map(|epoch| {
            let cells = differences
                .iter()
                .map(|difference| match difference.by_epoch.get(epoch) {
                    Some(spread) => with_range(spread, points),
                    None => "–".to_owned(),
                });
            std::iter::once(epoch.to_string()).chain(cells).collect()
        })
        .collect();
    let names: Vec<String> = differences
        .iter()
        .map(|difference| format!("{} − {}", difference.minuend, difference.subtrahend))
        .collect();
    let head: Vec<&str> = std::iter::once("epoch")
        .chain(names.iter().map(String::as_str))
        .collect();
    html! {
        details {
            summary { "Differences after every epoch" @if has_seeds { ", paired by seed" } }
            (table(
                if has_seeds {
                    "Differences of test accuracy in percentage points: median (smallest to largest)"
                } else {
                    "Differences of test accuracy in percentage points"
                },
                &head,
                &rows,
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::accuracy_charts::tests::record;
    use super::*;

    #[test]
    fn spreads_end_where_a_seed_ends() {
        let seeds = [vec![0.1, 0.5, 0.9], vec![0.3, 0.7], vec![0.2, 0.9]];
        let spreads = by_epoch(&seeds);
        let expected = |smallest, median, largest| Spread {
            smallest,
            median,
            largest,
        };
        assert_eq!(spreads, [expected(0.1, 0.2, 0.3), expected(0.5, 0.7, 0.9)]);
        assert!(by_epoch([]).is_empty());
    }

    #[test]
    fn chance_is_counted_from_the_labels() {
        let found = chance(&[0, 0, 1, 1], &[7, 7, 7, 2]);
        assert_eq!((found.test_images, found.commonest), (4, 3));
        assert!((found.accuracy() - 0.75).abs() < 1e-12);
        assert!((found.entropy - 2.0_f64.ln()).abs() < 1e-12);
        // A single class leaves nothing to learn.
        let found = chance(&[3; 5], &[3; 2]);
        assert_eq!((found.test_images, found.commonest), (2, 2));
        assert!(found.entropy.abs() < 1e-12);
    }

    fn comparison() -> Comparison {
        let spread = |median| Spread {
            smallest: median - 0.01,
            median,
            largest: median + 0.01,
        };
        Comparison {
            conditions: vec![ConditionSummary {
                condition: "D <i>".to_owned(),
                description: "<script>".to_owned(),
                hidden_units: vec![100; 15],
                pretrained_layers: 15,
                parameters: 220_910,
                parameters_learnt: 1_000_000,
                seeds: 2,
                accuracy: vec![spread(0.1), spread(0.95)],
                best: Some(0.96),
                kept: None,
            }],
            differences: vec![Difference {
                minuend: "D <i>".to_owned(),
                subtrahend: "B".to_owned(),
                seeds: 2,
                by_epoch: vec![spread(0.0), spread(0.02)],
            }],
            layers_of: vec![],
            chance: Chance {
                test_images: 10_000,
                commonest: 1135,
                entropy: 2.301,
            },
            ended: vec![],
        }
    }

    #[test]
    fn tables_tell_costs_and_differences() {
        let comparison = comparison();
        let seconds = [MemberSeconds {
            member: 0,
            pretraining: 20.0,
            epochs: vec![4.0],
        }];
        let records = Records {
            classifiers: vec![record("D <i>", 0, 0, 0.1), record("D <i>", 0, 1, 0.95)],
            ..Records::default()
        };
        let html = html! {
            (findings(&comparison, &records))
            (conditions(&comparison, &records.classifiers, &seconds, true, &mut Glossary::default()))
            (differences(&comparison.differences, true))
        }
        .into_string();
        assert!(html.contains("<td>15</td><td>15</td><td>220,910</td><td>1,000,000</td>"));
        assert!(html.contains("<td>0.010</td><td>24.0</td>"));
        assert!(html.contains("<td>95.00 (94.00 to 96.00)</td>"));
        // The only epoch is the last one.
        assert!(html.contains("last epoch") && !html.contains("epoch 1<"));
        assert!(html.contains("<td>+2.00 (+1.00 to +3.00)</td>"));
        assert!(html.contains("D &lt;i&gt; is at 95.00 %"));
        assert!(!html.contains("<i>") && !html.contains("<script"));
    }

    #[test]
    fn the_introduction_speaks_of_these_data_and_layers() {
        let mut comparison = comparison();
        let said =
            |comparison: Option<&Comparison>| readings_of_the_post(16, comparison).into_string();
        // ½ · 100/16
        let html = said(Some(&comparison));
        assert!(html.contains("here 16 in every layer"), "{html}");
        assert!(html.contains("(of 100 inputs: 3.12)"), "{html}");
        assert!(!html.contains("784"));
        comparison.conditions[0].hidden_units = vec![30, 10];
        assert!(!said(Some(&comparison)).contains("inputs: "));
        assert!(!said(None).contains("inputs: "));
    }
}
