//! The page of a Figure 5-6 run.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::{Figure, MOST_NAMES, MOST_ROWS, if_defined, last_epochs, number, table};
use crate::results::{Ended, EpochRecord, MemberSummary, Scores, Subject};
use crate::words::{counted, listed};

/// What a Figure 5-6 run has to show. Empty slices and `None` leave their section out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Figure56Page<'a> {
    /// What the images are of.
    pub subject: Subject,
    /// Their height and width, in pixels.
    pub size: (usize, usize),
    /// The conditions: `β = 0.1`.
    pub conditions: &'a [&'a str],
    /// Models with their scores and regimes; empty for a run that was stopped before it had any.
    pub members: &'a [MemberSummary],
    /// Models that could not go on.
    pub ended: &'a [Ended],
    /// All epochs of all models; the last of each model fills a table.
    pub records: &'a [EpochRecord],
    /// Every tile on its own scale.
    pub figure: Option<&'a Figure>,
    /// One scale for all tiles.
    pub shared_figure: Option<&'a Figure>,
    pub curves: Option<&'a Figure>,
}

impl Figure56Page<'_> {
    pub(super) fn markup(&self) -> Markup {
        let conditions = listed(self.conditions, MOST_NAMES);
        let units = self.members.first().map_or_else(
            || "the hidden units".to_owned(),
            |summary| counted(summary.scores.hidden_units, "hidden unit"),
        );
        html! {
            (self.lead())
            @if let Some(figure) = self.figure {
                (figure.markup(
                    &format!("The weights of {units} as grey tiles, in a grid for each model: {conditions}"),
                    "Encoder weights, one tile a unit, each tile stretched to its own range (minimum black, maximum white).",
                ))
            }
            (regimes(self.members, self.ended, self.subject))
            (scores(self.members))
            @if let Some(figure) = self.shared_figure {
                h2 { "The same weights on one scale" }
                (figure.markup(
                    &format!("The weights of {units} in the same grids, with one grey scale for all: {conditions}"),
                    "Zero is mid-grey in every tile, so that strong and weak units can be told apart; the scale is under the grids.",
                ))
            }
            @if let Some(figure) = self.curves {
                h2 { "Training" }
                (figure.markup(
                    &format!("Learning curves of {conditions}: reconstruction, sparsity, activity and dead units against the epoch"),
                    "Every model after every epoch: the sparsity term over the epoch’s training images, all else over the test images.",
                ))
            }
            (last_epochs(self.records))
        }
    }

    fn lead(&self) -> Markup {
        let (height, width) = self.size;
        let inputs = height.saturating_mul(width);
        let images = match self.subject {
            Subject::Digits => "handwritten digits".to_owned(),
            Subject::Images => format!("images of {height}×{width} pixels"),
        };
        html! {
            p .lead {
                "What hidden units learn when they are asked to be silent: after Figure 5-6 of Okatani’s "
                cite { "Deep Learning" }
                ". Each tile is the encoder weights of one hidden unit of a " (inputs) "→" i { "D" sub { "y" } }
                "→" (inputs) " autoencoder of " (images) ", drawn where its inputs lie in the picture. The autoencoders differ in β alone, the weight of sparsity in the cost "
                span .formula { "reconstruction + β Σ" sub { "j" } " KL(ρ‖ρ̂" sub { "j" } ")" }
                ", where ρ is the mean activation asked of every unit and ρ̂" sub { "j" } " the one that unit " i { "j" }
                " has. "
                @match self.subject {
                    Subject::Digits => "With growing β, units should go from representing the input any which way, over pen strokes, to whole digits.",
                    Subject::Images => "The book’s figure is of handwritten digits: with growing β, units go from representing the input any which way, over pen strokes, to whole digits. Of other images, read local features for strokes and whole images for whole digits; the rules that tell them apart were found on digits (MNIST).",
                }
            }
        }
    }
}

fn regimes(members: &[MemberSummary], ended: &[Ended], subject: Subject) -> Markup {
    html! {
        @if !members.is_empty() || !ended.is_empty() {
            h2 { "Which picture each grid shows" }
            dl .regimes {
                @for summary in members.iter().take(MOST_ROWS) {
                    dt { (summary.member.label) " — " strong { (summary.regime.words(subject)) } }
                    dd { (summary.regime_reason) }
                }
                @for ended in ended {
                    dt { (ended.member.label) " — " strong { "none" } }
                    dd { (ended.reason()) }
                }
            }
        }
    }
}

fn scores(members: &[MemberSummary]) -> Markup {
    if members.is_empty() {
        return html! {};
    }
    let rows: Vec<Vec<String>> = members
        .iter()
        .map(|summary| {
            let scores = &summary.scores;
            vec![
                summary.member.label.clone(),
                summary.member.seed.to_string(),
                if_defined(scores.kurtosis),
                if_defined(scores.radius_of_gyration),
                if_defined(scores.roughness),
                if_defined(scores.digit_correlation),
                if_defined(scores.label_purity),
                number(scores.active_units),
                format!("{} of {}", scores.dead_units, scores.hidden_units),
            ]
        })
        .collect();
    let head = [
        "model",
        "seed",
        "kurtosis",
        "gyration, px",
        "roughness",
        "image correlation",
        "label purity",
        "active (L0)",
        "dead",
    ];
    let is_undefined = |scores: &Scores| {
        [
            scores.kurtosis,
            scores.radius_of_gyration,
            scores.roughness,
            scores.digit_correlation,
            scores.label_purity,
        ]
        .contains(&None)
    };
    let mut undefined: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for summary in members
        .iter()
        .filter(|summary| is_undefined(&summary.scores))
    {
        let labels = undefined
            .entry(summary.scores.why_not_defined())
            .or_default();
        labels.push(&summary.member.label);
    }
    html! {
        (table(
            "Scores of the pictures; medians over live units, those that are not dead on the test images",
            &head,
            &rows,
        ))
        @for (reason, labels) in &undefined {
            p { "Not defined for " (listed(labels, MOST_NAMES)) ": " (reason) "." }
        }
    }
}
