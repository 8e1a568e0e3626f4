//! The page of a pretraining run.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::super::reading::{grouped, how_learning_is_judged, points, reading, with_range};
use super::{Figure, MOST_NAMES, MOST_ROWS, dead_means, number, rows_left_out, table};
use crate::results::{
    ClassifierRecord, ConditionSummary, Difference, LayerRecord, MemberSeconds, PretrainingResults,
    Spread,
};
use crate::words::{counted, listed};

/// What a pretraining run has to show. Empty slices and `None` leave their section out.
#[derive(Debug, Clone, Copy, Default)]
pub struct PretrainingPage<'a> {
    /// Pixels of an image.
    pub inputs: usize,
    pub conditions: &'a [&'a str],
    pub results: Option<&'a PretrainingResults>,
    /// Whether every classifier was trained to its end: only then do the numbers say what they say.
    pub complete: bool,
    pub records: &'a [ClassifierRecord],
    pub layers: &'a [LayerRecord],
    pub seconds: &'a [MemberSeconds],
    pub accuracy: Option<&'a Figure>,
    pub costs: Option<&'a Figure>,
    pub times: Option<&'a Figure>,
    /// What is in the layers.
    pub heat_maps: Option<&'a Figure>,
    pub stages: Option<&'a Figure>,
    /// What the units of each layer see, of one classifier, before and after fine-tuning.
    pub units: Option<UnitPictures<'a>>,
}

#[derive(Debug, Clone, Copy)]
pub struct UnitPictures<'a> {
    /// Whose they are: `D, seed 0`.
    pub label: &'a str,
    pub pretrained: &'a Figure,
    pub fine_tuned: &'a Figure,
}

impl PretrainingPage<'_> {
    /// Whether a condition has several seeds: medians and ranges of one would be empty words.
    fn has_seeds(&self) -> bool {
        let seeds = self.records.iter().map(|record| record.seed);
        let first = self.records.first().map(|record| record.seed);
        seeds.into_iter().any(|seed| Some(seed) != first)
    }

    pub(super) fn markup(&self) -> Markup {
        let has_seeds = self.has_seeds();
        let over_seeds = |words: &'static str| if has_seeds { words } else { "" };
        let names = listed(self.conditions, MOST_NAMES);
        html! {
            (lead(self.inputs, self.results))
            @if let Some(figure) = self.accuracy {
                (figure.markup(
                    &format!("Test accuracy after every epoch, a line for each of {names}"),
                    &format!(
                        "Share of the test images put into their class after each epoch, epoch 0 being the start{}. Nothing is trained, tuned or stopped by the test images.",
                        over_seeds(": medians over seeds, bands from the smallest to the largest"),
                    ),
                ))
            }
            @if let Some(results) = self.results {
                @if self.complete { (findings(results, self.records, self.layers)) }
                (conditions(results, self.records, self.seconds, has_seeds))
                (differences(&results.differences, has_seeds))
            }
            (prices(self, &names))
            @if let Some(figure) = self.heat_maps {
                h2 { "What is in the layers" }
                (figure.markup(
                    &format!("Heat maps of gradient norms, activations and dead units, layer by epoch, of {}", self.looked_into()),
                    &format!(
                        "Measured after each epoch on a fixed batch, the first {}, outside of the training steps{}; one scale per quantity. The topmost row of the gradients is the softmax layer. {} The numbers are in layers.csv.",
                        counted(grouped(self.results.map_or(0, |results| results.probe_images)), "training image"),
                        over_seeds("; medians over seeds"),
                        dead_means("these images"),
                    ),
                ))
            }
            (pretraining(self))
            @if let Some(results) = self.results { (transfers(results)) }
        }
    }
}

impl PretrainingPage<'_> {
    /// The conditions that are pretrained.
    fn pretrained(&self) -> String {
        let conditions = self.results.map_or(&[][..], |results| &results.conditions);
        let names: Vec<&str> = conditions
            .iter()
            .filter(|condition| condition.pretrained_layers > 0)
            .map(|condition| condition.condition.as_str())
            .collect();
        listed(&names, MOST_NAMES)
    }

    /// The conditions whose layers are shown.
    fn looked_into(&self) -> String {
        let names = self.results.map_or(&[][..], |results| &results.layers_of);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        listed(&names, MOST_NAMES)
    }
}

fn lead(inputs: usize, results: Option<&PretrainingResults>) -> Markup {
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
        p .lead {
            "A deep net that is trained from small random weights passes back hardly any gradient to its lower layers. Greedy layer-wise pretraining (Okatani, "
            cite { "Deep Learning" }
            ", chapter 5; Bengio et al. 2007) trains each layer first, as an autoencoder on the codes of the layers below it, copies the encoders into the classifier, and then fine-tunes the whole."
        }
        p {
            "The post that this repeats starts every weight from N(0, 1/D" sub { "x" } ") and every bias from N(0, 1/D" sub { "x" }
            "/10), which can be read in two ways: with D" sub { "x" } " the dimension of the data, here " (inputs) " in every layer, or with D" sub { "x" }
            " the number of inputs of each layer, its fan-in. The first layer is the same in both. A ramp layer of n inputs, though, multiplies the mean square of the activations by about ½ · n/D"
            sub { "x" } " in the first reading"
            @if let Some((width, factor)) = here { " (of " (width) " inputs: " (number(factor)) ")" }
            " and by ½ in the second, and the gradients on their way back likewise. Each condition below says how its weights are drawn."
        }
    }
}

fn findings(
    results: &PretrainingResults,
    records: &[ClassifierRecord],
    layers: &[LayerRecord],
) -> Markup {
    let sentences = reading(results, records, layers);
    html! {
        @if !sentences.is_empty() {
            h2 { "What the numbers say" }
            ul { @for sentence in &sentences { li { (sentence) } } }
            p { (how_learning_is_judged(results.chance)) }
        }
    }
}

fn conditions(
    results: &PretrainingResults,
    records: &[ClassifierRecord],
    seconds: &[MemberSeconds],
    has_seeds: bool,
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
    let rows = |row: &dyn Fn(&ConditionSummary) -> Vec<String>| -> Vec<Vec<String>> {
        results.conditions.iter().map(row).collect()
    };
    html! {
        (table(
            accuracy,
            &["condition", "epoch 1", "epoch 2", "epoch 5", "epoch 10", "last epoch", "best"],
            &rows(&accuracy_row),
        ))
        (table(
            takes,
            &[
                "condition",
                "hidden layers",
                "… pretrained",
                "parameters",
                "numbers learnt, with decoders",
                "gradient updates",
                "10¹² multiply–accumulates",
                "seconds",
            ],
            &rows(&|condition| cost_row(condition, records, seconds)),
        ))
        dl .pairs {
            @for condition in &results.conditions {
                dt { (condition.condition) } dd { (condition.description) }
            }
        }
    }
}

fn accuracy_row(condition: &ConditionSummary) -> Vec<String> {
    let at = |epoch: usize| match condition.accuracy.get(epoch) {
        Some(spread) => with_range(spread, plain_percent),
        None => "–".to_owned(),
    };
    let last = match condition.accuracy.len() {
        0 | 1 => "–".to_owned(),
        epochs => at(epochs - 1),
    };
    vec![
        condition.condition.clone(),
        at(1),
        at(2),
        at(5),
        at(10),
        last,
        condition.best.map_or_else(|| "–".to_owned(), plain_percent),
    ]
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

fn prices(page: &PretrainingPage, names: &str) -> Markup {
    html! {
        @if page.costs.is_some() || page.times.is_some() {
            h2 { "What it costs" }
            p {
                "The same accuracies against what it took to reach them. A pretrained net begins where its pretraining ends: its curve starts to the right of the others’."
            }
        }
        @if let Some(figure) = page.costs {
            (figure.markup(
                &format!("Test accuracy of {names} against gradient updates and against multiply–accumulates, pretraining included"),
                "Every condition from its start, pretraining included. Multiply–accumulates are those of the matrix products of training steps and of computing codes, counted, not measured.",
            ))
        }
        @if let Some(figure) = page.times {
            (figure.markup(
                &format!("Test accuracy of {names} against seconds of training, pretraining included"),
                "Wall-clock seconds of each member’s training on one thread of this machine, without evaluation and probes. These are measured, and differ from run to run.",
            ))
        }
    }
}

fn pretraining(page: &PretrainingPage) -> Markup {
    html! {
        @if page.stages.is_some() || page.units.is_some() { h2 { "The pretraining itself" } }
        @if let Some(figure) = page.stages {
            (figure.markup(
                &format!("Reconstruction cost and sparsity of every stage of the pretraining of {}", page.pretrained()),
                "The autoencoder of each layer after each of its epochs, on the codes of the layers below; a stage ends on its layer’s tick.",
            ))
        }
        @if let Some(UnitPictures { label, pretrained, fine_tuned }) = page.units {
            p {
                "What the units of each layer see of the input, for " (label)
                ": each unit is drawn as the weighted sum of the weights below it, W" sub { "1" } "·W" sub { "2" } "·…·W" sub { "k" }
                ". This is exact where all units below are on; it ignores which ones are off."
            }
            (pretrained.markup(
                &format!("What units of each layer of {label} see after pretraining, as grey tiles, a grid for each layer"),
                "After pretraining, before fine-tuning; each tile on its own scale.",
            ))
            (fine_tuned.markup(
                &format!("What units of each layer of {label} see after fine-tuning, as grey tiles, a grid for each layer"),
                "The same units after fine-tuning.",
            ))
        }
    }
}

fn transfers(results: &PretrainingResults) -> Markup {
    let of = |shuffled: bool| {
        results
            .transfers
            .iter()
            .filter(move |proof| proof.shuffled == shuffled)
    };
    let equal = |shuffled: bool| of(shuffled).filter(|proof| proof.encoder == proof.classifier);
    let counts = |shuffled: bool| {
        let (total, equal) = (of(shuffled).count(), equal(shuffled).count());
        html! {
            @if equal == total && total == 1 { strong .good { "the one layer" } }
            @else if equal == total { strong .good { "all " (counted(total, "layer")) } }
            @else { strong .bad { "only " (equal) " of " (counted(total, "layer")) } }
        }
    };
    html! {
        @if !results.transfers.is_empty() {
            h2 { "What was copied" }
            @if of(false).next().is_some() {
                p {
                    "At the start of fine-tuning, the hash of a layer’s weights and biases equals the hash of its encoder’s for "
                    (counts(false)) " copied."
                }
            }
            @if of(true).next().is_some() {
                p {
                    "The weights of other encoders were shuffled on purpose, as controls; the layer equals its shuffled encoder for "
                    (counts(true)) "."
                }
            }
            details {
                summary { "Hashes" @if let Some(left_out) = rows_left_out(results.transfers.len()) { " (" (left_out) ")" } }
                dl .pairs {
                    @for proof in results.transfers.iter().take(MOST_ROWS) {
                        dt { (proof.label) ", layer " (proof.layer) }
                        dd { code { (proof.encoder) } @if proof.encoder != proof.classifier { " ≠ " code { (proof.classifier) } } }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::accuracy::tests::record;
    use crate::results::{Chance, TransferProof};

    fn proof(classifier: &str) -> TransferProof {
        TransferProof {
            label: "D <i>".to_owned(),
            condition: "D".to_owned(),
            layer: 3,
            shuffled: false,
            encoder: "ab12".to_owned(),
            classifier: classifier.to_owned(),
        }
    }

    fn results(transfers: Vec<TransferProof>) -> PretrainingResults {
        let spread = |median| Spread {
            smallest: median - 0.01,
            median,
            largest: median + 0.01,
        };
        PretrainingResults {
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
            }],
            differences: vec![Difference {
                minuend: "D <i>".to_owned(),
                subtrahend: "B".to_owned(),
                seeds: 2,
                by_epoch: vec![spread(0.0), spread(0.02)],
            }],
            transfers,
            layers_of: vec![],
            chance: Chance {
                test_images: 10_000,
                commonest: 1135,
                entropy: 2.301,
            },
            probe_images: 1000,
            ended: vec![],
        }
    }

    #[test]
    fn the_page_tells_costs_differences_and_what_was_copied() {
        let results = results(vec![proof("ab12"), proof("ab12")]);
        let seconds = [MemberSeconds {
            member: 0,
            pretraining: 20.0,
            epochs: vec![4.0],
            probes: 0.0,
        }];
        let records = [record("D <i>", 0, 0, 0.1), record("D <i>", 0, 1, 0.95)];
        let html = PretrainingPage {
            results: Some(&results),
            complete: true,
            records: &records,
            seconds: &seconds,
            ..PretrainingPage::default()
        }
        .markup()
        .into_string();
        assert!(html.contains("<td>15</td><td>15</td><td>220,910</td><td>1,000,000</td>"));
        assert!(html.contains("<td>0.010</td><td>24.0</td>"));
        assert!(html.contains("<td>95.00 (94.00 to 96.00)</td><td>–</td>"));
        assert!(html.contains("<td>+2.00 (+1.00 to +3.00)</td>"));
        assert!(html.contains("all 2 layers</strong>"));
        assert!(html.contains("D &lt;i&gt; is at 95.00 %"));
        assert!(!html.contains("<i>") && !html.contains("<script"));
    }

    #[test]
    fn the_introduction_speaks_of_these_data_and_layers() {
        let mut results = results(vec![]);
        let said = |results: Option<&PretrainingResults>| {
            let page = PretrainingPage {
                inputs: 16,
                results,
                ..PretrainingPage::default()
            };
            page.markup().into_string()
        };
        // ½ · 100/16
        let html = said(Some(&results));
        assert!(html.contains("here 16 in every layer"), "{html}");
        assert!(html.contains("(of 100 inputs: 3.12)"), "{html}");
        assert!(!html.contains("784"));
        results.conditions[0].hidden_units = vec![30, 10];
        assert!(!said(Some(&results)).contains("inputs: "));
        assert!(!said(None).contains("inputs: "));
    }

    #[test]
    fn a_layer_that_was_not_copied_is_called_out() {
        let results = results(vec![proof("ab12"), proof("ff00")]);
        let page = PretrainingPage {
            results: Some(&results),
            ..PretrainingPage::default()
        };
        let html = page.markup().into_string();
        assert!(html.contains("only 1 of 2 layers</strong>") && html.contains("≠ <code>ff00"));
    }

    #[test]
    fn a_run_that_found_nothing_yet_has_a_page() {
        let html = PretrainingPage::default().markup().into_string();
        assert!(html.contains("pretraining") && !html.contains("<table"));
    }
}
