//! What each condition comes to in the end: every quantity against the keys of the grid, and differences of conditions
//! paired by seed.

use maud::{Markup, html};

use super::figures::RedrawError;
use super::quantities::{self, Finding, Outcomes, Quantity};
use super::{Evidence, Figures, Run};
use crate::report::table;
use crate::results::Member;
use crate::spec::Plan;

pub struct EndResults;

impl Evidence for EndResults {
    fn name(&self) -> &'static str {
        "end_results"
    }

    fn applies(&self, plan: &Plan) -> bool {
        plan.conditions.len() > 1
    }

    fn show(&self, run: &Run<'_>, _: &mut Figures) -> Result<Option<Markup>, RedrawError> {
        let quantities: Vec<Quantity> = quantities::all(run.plan)
            .into_iter()
            .filter(|quantity| is_found(run, quantity))
            .collect();
        if quantities.is_empty() {
            return Ok(None);
        }
        let seeds = run.plan.run.seeds.len();
        Ok(Some(html! {
            h2 { "End results" }
            (table(
                if seeds > 1 {
                    "Every condition after its last epoch: median over seeds (smallest to largest)"
                } else {
                    "Every condition after its last epoch"
                },
                &head(run.plan, &quantities),
                &rows(run, &quantities),
            ))
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
    let columns = quantities.iter().map(|quantity| match quantity.unit {
        "" => quantity.name.to_owned(),
        unit => format!("{}, {unit}", quantity.name),
    });
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
            let at = condition.at.iter().map(|of| of.value.clone());
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
