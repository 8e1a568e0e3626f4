//! The page of a dead-units run.

use maud::{Markup, html};

use super::{Figure, MOST_NAMES, last_epochs, table};
use crate::results::{DeadUnitsSummary, Ended, EpochRecord, Member};
use crate::words::listed;

/// What a dead-units run has to show. Empty slices and `None` leave their section out.
#[derive(Debug, Clone, Copy, Default)]
pub struct DeadUnitsPage<'a> {
    pub conditions: &'a [&'a str],
    /// Those that were trained to their end.
    pub members: &'a [DeadUnitsSummary],
    /// Those that could not go on.
    pub ended: &'a [Ended],
    pub records: &'a [EpochRecord],
    pub grids: Option<&'a Figure>,
    pub curves: Option<&'a Figure>,
}

impl DeadUnitsPage<'_> {
    pub(super) fn markup(&self) -> Markup {
        let conditions = listed(self.conditions, MOST_NAMES);
        html! {
            p .lead {
                "A ramp unit that is below zero for every training image passes no gradient, and its weights stay what they were drawn as. \
                 How many there are depends on how the bias is drawn: the wider, the more units are out of reach from the start. \
                 A PReLU unit, which passes some gradient below zero too, can come back."
            }
            @if let Some(figure) = self.grids {
                (figure.markup(
                    &format!("The weights of hidden units as grey tiles, the units that did not learn framed, in a grid for each condition: {conditions}"),
                    "Encoder weights of the first seed, one tile a unit, each stretched to its own range. Framed units did not learn, or hardly: the legend tells which.",
                ))
            }
            (counts(self.members, self.ended))
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
}

fn counts(members: &[DeadUnitsSummary], ended: &[Ended]) -> Markup {
    if members.is_empty() && ended.is_empty() {
        return html! {};
    }
    // Every seed has its place, also one that ended early.
    let trained = members
        .iter()
        .map(|summary| (&summary.member, Some(summary)));
    let mut all: Vec<(&Member, Option<&DeadUnitsSummary>)> = trained
        .chain(ended.iter().map(|ended| (&ended.member, None)))
        .collect();
    all.sort_by_key(|(member, _)| member.index);
    let rows: Vec<Vec<String>> = all
        .chunk_by(|(a, _), (b, _)| a.condition == b.condition)
        .map(|seeds| {
            let each = |of: &dyn Fn(&DeadUnitsSummary) -> Option<usize>| {
                let counts: Vec<String> = seeds
                    .iter()
                    .map(|(_, summary)| match summary.map(of) {
                        Some(Some(count)) => count.to_string(),
                        Some(None) => "not defined".to_owned(),
                        None => "ended".to_owned(),
                    })
                    .collect();
                counts.join(" ")
            };
            let units = seeds
                .iter()
                .find_map(|(_, summary)| Some((*summary)?.hidden_units));
            vec![
                seeds[0].0.condition.clone(),
                units.map_or_else(|| "–".to_owned(), |units| units.to_string()),
                each(&|summary| Some(summary.never_on_at_start.len())),
                each(&|summary| Some(summary.never_on.len())),
                each(&|summary| Some(summary.unchanged.len())),
                each(&|summary| Some(summary.noise_looking.as_ref()?.len())),
            ]
        })
        .collect();
    let no_noise = members
        .iter()
        .any(|summary| summary.noise_looking.is_none());
    let descriptions = members
        .chunk_by(|a, b| a.member.condition == b.member.condition)
        .map(|seeds| (&seeds[0].member.condition, &seeds[0].description));
    html! {
        h2 { "Units that do not learn" }
        (table(
            "Units, a number for each seed",
            &["condition", "units", "never on before training", "never on after it", "weights unchanged", "noise-looking"],
            &rows,
        ))
        p {
            "Never on: the pre-activation is above 0 for no training image. Unchanged: the unit’s column of encoder weights equals its initial values in every bit. \
             Noise-looking: it correlates above 0.99 with its initial values, over the pixels that are above 0 in some training image; the post, which judged by eye, \
             found about half of the units so."
            @if no_noise { " Not defined: the initial weights do not vary over these pixels." }
            @if !ended.is_empty() { " Ended: the seed could not go on to its end." }
        }
        dl .pairs {
            @for (condition, description) in descriptions { dt { (condition) } dd { (description) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::curves::tests::record;
    use crate::results::Member;

    #[test]
    fn a_row_counts_the_units_of_each_seed() {
        let summary = |seed: u64, unchanged: Vec<usize>| DeadUnitsSummary {
            member: Member::new(seed as usize, "ramp <b>".to_owned(), seed, &[0, 1]),
            description: "784 → 100 → 784".to_owned(),
            last: record(0, "ramp", 3),
            hidden_units: 100,
            never_on_at_start: vec![1],
            never_on: vec![1, 2],
            unchanged,
            noise_looking: Some(vec![]),
        };
        let members = [summary(0, vec![1, 2, 3]), summary(2, vec![7])];
        let ended = [Ended {
            member: Member::new(1, "ramp <b>".to_owned(), 1, &[0, 1]),
            stage: None,
            epoch: 2,
            quantity: "the training cost".to_owned(),
            value: "NaN".to_owned(),
            hint: String::new(),
        }];
        let page = DeadUnitsPage {
            members: &members,
            ended: &ended,
            ..DeadUnitsPage::default()
        };
        let html = page.markup().into_string();
        assert!(
            html.contains(
                "<td>1 ended 1</td><td>2 ended 2</td><td>3 ended 1</td><td>0 ended 0</td>"
            )
        );
        assert!(html.contains("ramp &lt;b&gt;") && !html.contains("<b>"));
    }
}
