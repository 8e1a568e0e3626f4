//! The page of a Figure 5-6 run.

use maud::{Markup, html};

use super::{if_defined, last_epochs, number, picture, png, svg, table};
use crate::results::{Ended, EpochRecord, MemberSummary, Scores};

/// What a Figure 5-6 run has to show. Empty slices and `None` leave their section out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Figure56Page<'a> {
    /// Models with their scores and regimes; empty for a run that was stopped before it had any.
    pub members: &'a [MemberSummary],
    /// Models that could not go on.
    pub ended: &'a [Ended],
    /// All epochs of all models; the last of each model fills a table.
    pub records: &'a [EpochRecord],
    /// Figure with every tile on its own scale, as PNG.
    pub figure_png: Option<&'a [u8]>,
    /// Figure with one scale for all tiles, as PNG.
    pub shared_figure_png: Option<&'a [u8]>,
    pub curves_svg: Option<&'a str>,
}

impl Figure56Page<'_> {
    pub(super) fn markup(&self) -> Markup {
        html! {
            (lead())
            @if let Some(bytes) = self.figure_png {
                (picture(
                    &png(bytes),
                    "Grids of hidden units’ weights, one grid per sparsity weight β",
                    "Encoder weights, one tile a unit, each tile stretched to its own range (minimum black, maximum white).",
                ))
            }
            (regimes(self.members, self.ended))
            (scores(self.members))
            @if let Some(bytes) = self.shared_figure_png {
                h2 { "The same weights on one scale" }
                (picture(
                    &png(bytes),
                    "The same grids with one grey scale for all tiles",
                    "Zero is mid-grey in every tile, so that strong and weak units can be told apart; the scale is under the grids.",
                ))
            }
            @if let Some(document) = self.curves_svg {
                h2 { "Training" }
                (picture(
                    &svg(document),
                    "Learning curves: reconstruction, sparsity, activity and dead units against the epoch",
                    "Every model after every epoch.",
                ))
            }
            (last_epochs(self.records))
        }
    }
}

fn lead() -> Markup {
    html! {
        p .lead {
            "What hidden units learn when they are asked to be silent: Figure 5-6 of Okatani’s "
            cite { "Deep Learning" }
            ", rebuilt. Each tile is the encoder weights of one hidden unit of a 784→" i { "D" sub { "y" } }
            "→784 autoencoder of handwritten digits, drawn where its inputs lie in the picture. The autoencoders differ in β alone, the weight of sparsity in the cost "
            span .formula { "reconstruction + β Σ" sub { "j" } " KL(ρ‖ρ̂" sub { "j" } ")" }
            ", where ρ is the mean activation asked of every unit and ρ̂" sub { "j" } " the one that unit " i { "j" }
            " has. With growing β, units should go from representing the input any which way, over pen strokes, to whole digits."
        }
    }
}

fn regimes(members: &[MemberSummary], ended: &[Ended]) -> Markup {
    html! {
        @if !members.is_empty() || !ended.is_empty() {
            h2 { "Which picture each grid shows" }
            dl .regimes {
                @for summary in members {
                    dt { (summary.member.label) " — " strong { (summary.regime) } }
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
        "digit correlation",
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
    html! {
        (table(
            "Scores of the pictures; medians over live units, those that are not dead on the test images",
            &head,
            &rows,
        ))
        @for summary in members.iter().filter(|summary| is_undefined(&summary.scores)) {
            p { "Not defined for " (summary.member.label) ": " (summary.scores.why_not_defined()) "." }
        }
    }
}
