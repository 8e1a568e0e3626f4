//! What each condition comes to in the end: every quantity against the keys of the grid, and differences of conditions
//! paired by seed.

use maud::{Markup, html};

use super::figures::RedrawError;
use super::quantities::{self, Finding, Outcomes, Quantity};
use super::{Evidence, Figures, Run};
use crate::report::{EndResult, Group, Vertical, Words, against_key, over_two_keys, table};
use crate::results::Member;
use crate::spec::{Condition, GridKey, Keep, Plan};
use crate::words::{listed, unquoted};

pub struct EndResults;

impl Evidence for EndResults {
    fn name(&self) -> &'static str {
        "end_results"
    }

    fn applies(&self, plan: &Plan) -> bool {
        plan.conditions.len() > 1
    }

    fn show(&self, run: &Run<'_>, figures: &mut Figures) -> Result<Option<Markup>, RedrawError> {
        let quantities: Vec<Quantity> = quantities::all(run.plan)
            .into_iter()
            .filter(|quantity| is_found(run, quantity))
            .collect();
        if quantities.is_empty() {
            return Ok(None);
        }
        let of_seeds = match run.plan.run.seeds.len() {
            1 => "",
            _ => ": median over seeds (smallest to largest)",
        };
        let mut classifiers = run.plan.conditions.iter().filter_map(Condition::classifier);
        let end = if classifiers.any(|of| of.keep != Keep::Last) {
            "after the last epoch, or the best one where that is kept"
        } else {
            "after its last epoch"
        };
        Ok(Some(html! {
            h2 { "End results" }
            (table(
                &format!("Every condition {end}{of_seeds}"),
                &head(run.plan, &quantities),
                &rows(run, &quantities),
            ))
            @for (at, crossed) in crossed(run.plan).iter().enumerate() {
                (plot(run, &quantities, at, crossed, figures))
            }
            (differences(run, &quantities))
        }))
    }
}

/// Whether any member has this quantity.
fn is_found(run: &Run<'_>, quantity: &Quantity) -> bool {
    let outcomes = run.outcomes();
    let mut members = run.manifest.members.iter();
    members.any(|member| (quantity.of)(&outcomes, member.index, None).is_some())
}

fn head(plan: &Plan, quantities: &[Quantity]) -> Vec<String> {
    let keys = plan.grid.iter().map(|key| key.key.clone());
    let columns = quantities.iter().map(Quantity::title);
    std::iter::once("condition".to_owned())
        .chain(keys)
        .chain(columns)
        .collect()
}

fn rows(run: &Run<'_>, quantities: &[Quantity]) -> Vec<Vec<String>> {
    let outcomes = run.outcomes();
    let conditions = run.plan.conditions.iter();
    conditions
        .map(|condition| {
            let at = run.plan.grid.iter().map(|key| {
                let value = condition.coordinate(&key.key);
                unquoted(value.unwrap_or_default()).to_owned()
            });
            let cells = quantities.iter().map(|quantity| {
                quantities::cell(&of(
                    &outcomes,
                    quantity,
                    &run.manifest.members,
                    &condition.name,
                ))
            });
            std::iter::once(condition.name.clone())
                .chain(at)
                .chain(cells)
                .collect()
        })
        .collect()
}

fn of(
    outcomes: &Outcomes<'_>,
    quantity: &Quantity,
    members: &[Member],
    condition: &str,
) -> Vec<(u64, Finding)> {
    outcomes.of_condition(quantity, members, condition, None)
}

/// Groups that are crossed with the same keys.
struct Crossed<'a> {
    /// With the values that any of the groups has.
    keys: Vec<GridKey>,
    /// The conditions of each group.
    groups: Vec<&'a [Condition]>,
}

/// Which groups can be drawn against the same keys, in the order of the plan.
fn crossed(plan: &Plan) -> Vec<Crossed<'_>> {
    let mut all: Vec<Crossed> = Vec::new();
    for group in plan.conditions.chunk_by(|a, b| a.group == b.group) {
        let is_of = |known: &&mut Crossed| {
            let keys = known.keys.iter().map(|of| &of.key);
            keys.eq(group[0].at.iter().map(|of| &of.key))
        };
        match all.iter_mut().find(is_of) {
            Some(known) => known.groups.push(group),
            None => all.push(Crossed {
                keys: (group[0].at.iter())
                    .map(|of| GridKey {
                        key: of.key.clone(),
                        values: Vec::new(),
                    })
                    .collect(),
                groups: vec![group],
            }),
        }
    }
    for crossed in &mut all {
        for (at, key) in crossed.keys.iter_mut().enumerate() {
            for condition in crossed.groups.iter().copied().flatten() {
                let value = &condition.at[at].value;
                if !key.values.contains(value) {
                    key.values.push(value.clone());
                }
            }
        }
    }
    all
}

/// Every number against the keys that groups are crossed with, where these are one or two.
fn plot(
    run: &Run<'_>,
    quantities: &[Quantity],
    at: usize,
    crossed: &Crossed<'_>,
    figures: &mut Figures,
) -> Markup {
    let results: Vec<EndResult> = quantities
        .iter()
        .map(|quantity| end_result(run, quantity, crossed))
        .filter(|result| {
            // What is the same everywhere, such as no dead unit, needs no picture.
            let found = result.groups.iter().flat_map(|of| of.points.concat());
            let found: Vec<f64> = found.collect();
            found
                .iter()
                .any(|number| number.to_bits() != found[0].to_bits())
        })
        .collect();
    let drawing = match crossed.keys.as_slice() {
        _ if results.is_empty() => return html! {},
        [key] => against_key(key, &results),
        [slow, fast] => over_two_keys([slow, fast], &results),
        _ => return html! {},
    };
    let titles: Vec<&str> = results.iter().map(|of| of.title.as_str()).collect();
    let names: Vec<&str> = crossed.keys.iter().map(|of| of.key.as_str()).collect();
    let alt = format!(
        "{} against {}; the table above has the numbers",
        listed(&titles, titles.len()),
        names.join(" and ")
    );
    let words = Words {
        alt: &alt,
        caption: match run.plan.run.seeds.len() {
            1 => "The end results over the grid.",
            _ => {
                "The end results over the grid: medians over seeds, with bands from the smallest to the largest where there are lines."
            }
        },
        numbers: None,
    };
    let name = match at {
        0 => "end-results".to_owned(),
        at => format!("end-results-{}", at + 1),
    };
    figures.chart(&name, &drawing, &words)
}

/// What a quantity came to at each point that the keys make; of a word, nothing.
fn end_result(run: &Run<'_>, quantity: &Quantity, crossed: &Crossed<'_>) -> EndResult {
    let outcomes = run.outcomes();
    let values = crossed.keys.iter().map(|of| of.values.as_slice());
    let places = points(&values.collect::<Vec<_>>());
    let groups = crossed.groups.iter().map(|group| {
        let points = places.iter().map(|place| {
            let mut conditions = group.iter();
            let is_there = |condition: &&Condition| {
                let values = condition.at.iter().map(|of| &of.value);
                values.eq(place.iter().copied())
            };
            let found = conditions
                .find(is_there)
                .map_or_else(Vec::new, |condition| {
                    of(&outcomes, quantity, &run.manifest.members, &condition.name)
                });
            found.iter().filter_map(|(_, of)| of.number()).collect()
        });
        Group {
            name: group[0]
                .group
                .clone()
                .unwrap_or_else(|| run.manifest.name.clone()),
            points: points.collect(),
        }
    });
    EndResult {
        title: quantity.title(),
        y: Vertical::Either,
        groups: groups.collect(),
    }
}

/// Every choice of one value of each key, the first key slowest.
fn points<'a>(keys: &[&'a [String]]) -> Vec<Vec<&'a String>> {
    let Some((values, rest)) = keys.split_first() else {
        return vec![Vec::new()];
    };
    let rest = points(rest);
    let with = |value: &'a String| {
        rest.iter()
            .map(move |rest| [&[value], rest.as_slice()].concat())
    };
    values.iter().flat_map(with).collect()
}

/// The differences that the config asks for, seed by seed.
fn differences(run: &Run<'_>, quantities: &[Quantity]) -> Markup {
    let pairs = &run.plan.report.differences;
    if pairs.is_empty() {
        return html! {};
    }
    let outcomes = run.outcomes();
    let names = run.conditions();
    let members = &run.manifest.members;
    let head: Vec<String> = std::iter::once("quantity".to_owned())
        .chain(
            pairs
                .iter()
                .map(|&(a, b)| format!("{} − {}", names[a], names[b])),
        )
        .collect();
    let rows: Vec<Vec<String>> = quantities
        .iter()
        .map(|quantity| {
            let cells = pairs.iter().map(|&(a, b)| {
                let [a, b] = [a, b].map(|at| of(&outcomes, quantity, members, names[at]));
                quantities::cell(&quantities::minus(&a, &b))
            });
            std::iter::once(quantity.name.to_owned())
                .chain(cells)
                .collect()
        })
        .collect();
    html! {
        (table("Differences of conditions at the end, paired by seed", &head, &rows))
    }
}
