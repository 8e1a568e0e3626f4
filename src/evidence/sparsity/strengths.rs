//! Conditions that differ in how strongly they are made sparse, and what a quantity is between two such strengths: so that
//! kinds of sparsity, whose keys have nothing in common, can be compared where they have equally many active units.

use super::super::quantities::{Finding, NOT_REACHED, Outcomes, record};
use crate::results::{EpochRecord, Member};
use crate::spec::{Condition, Plan};
use crate::words::unquoted;

/// A condition at its strengths: the points of a grid that differ in keys of `[sparsity]` alone.
#[derive(Debug, Clone)]
pub struct Group<'a> {
    /// The name of the condition, with its place in the grid of other keys.
    pub name: String,
    /// One for each strength, in the order of the plan.
    pub conditions: Vec<&'a Condition>,
}

/// The groups of some conditions, in their order.
#[must_use]
pub fn groups<'a>(conditions: impl IntoIterator<Item = &'a Condition>) -> Vec<Group<'a>> {
    let mut groups: Vec<Group> = Vec::new();
    for condition in conditions {
        let name = name(condition);
        match groups.iter_mut().find(|known| known.name == name) {
            Some(known) => known.conditions.push(condition),
            None => groups.push(Group {
                name,
                conditions: vec![condition],
            }),
        }
    }
    groups
}

/// The groups of a plan whose conditions have names, and strengths to compare.
#[must_use]
pub fn compared(plan: &Plan) -> Vec<Group<'_>> {
    let named = plan.conditions.iter().filter(|of| of.group.is_some());
    let mut groups = groups(named);
    groups.retain(Group::has_strengths);
    groups
}

fn name(condition: &Condition) -> String {
    let elsewhere = condition.at.iter().filter(|of| !is_strength(&of.key));
    let elsewhere = elsewhere.map(|of| {
        let key = of.key.rsplit_once('.').map_or(&*of.key, |(_, name)| name);
        format!("{} = {}", key.replace('_', " "), unquoted(&of.value))
    });
    let group = condition.group.iter().cloned();
    group.chain(elsewhere).collect::<Vec<_>>().join(", ")
}

fn is_strength(key: &str) -> bool {
    key.starts_with("sparsity.")
}

impl Group<'_> {
    /// Whether there is something to interpolate between.
    #[must_use]
    pub fn has_strengths(&self) -> bool {
        let has_key = |of: &&Condition| of.at.iter().any(|of| is_strength(&of.key));
        self.conditions.len() > 1 && self.conditions.iter().all(has_key)
    }

    /// What a quantity is of each seed where it has so many active units, after the epoch or at the end: interpolated
    /// between those of that seed's strengths that are worth their active units, or the word that it is not reached. Seeds
    /// of which no strength was trained to its end are left out.
    #[must_use]
    pub fn at_active_units(
        &self,
        outcomes: &Outcomes<'_>,
        members: &[Member],
        active_units: usize,
        epoch: Option<usize>,
        of: &dyn Fn(usize) -> Option<f64>,
    ) -> Vec<(u64, Finding)> {
        let mut seeds: Vec<(u64, Vec<(&EpochRecord, f64)>)> = Vec::new();
        let records = &outcomes.records.epochs;
        for member in self.members(outcomes, members) {
            let record = record(records, |of| (of.epoch, of.member), member.index, epoch);
            let point = record.zip(of(member.index));
            match seeds.iter_mut().find(|(seed, _)| *seed == member.seed) {
                Some((_, points)) => points.extend(point),
                None => seeds.push((member.seed, point.into_iter().collect())),
            }
        }
        let seeds = seeds.into_iter();
        seeds
            .map(|(seed, points)| {
                let place = |(record, _): &(&EpochRecord, f64)| {
                    (record.active_units, record.explained_variance)
                };
                let (worth, _) = frontier(points, place);
                let points = worth
                    .iter()
                    .map(|(record, value)| (record.active_units, *value));
                let found = interpolated(&points.collect::<Vec<_>>(), active_units as f64);
                let not_reached = || Finding::Word(NOT_REACHED.to_owned());
                (seed, found.map_or_else(not_reached, Finding::Number))
            })
            .collect()
    }

    /// Its members that were trained to their end.
    pub fn members<'m>(
        &self,
        outcomes: &Outcomes<'_>,
        members: &'m [Member],
    ) -> impl Iterator<Item = &'m Member> {
        let conditions = self.conditions.iter();
        conditions.flat_map(|condition| {
            let of_condition = |of: &&Member| of.condition == condition.name;
            let is_through = |of: &&Member| !outcomes.results.has_ended(of.index);
            members.iter().filter(of_condition).filter(is_through)
        })
    }
}

/// Points in the order of their active units: those that are worth these, and those that are not, as they explain no more
/// than another one with no more of them. `of` gives active units and explained variance.
pub fn frontier<T>(mut points: Vec<T>, of: impl Fn(&T) -> (f64, Option<f64>)) -> (Vec<T>, Vec<T>) {
    let explained = |point: &T| of(point).1.unwrap_or(f64::NEG_INFINITY);
    points.sort_by(|a, b| {
        let by_active_units = of(a).0.total_cmp(&of(b).0);
        by_active_units.then(explained(b).total_cmp(&explained(a)))
    });
    let mut best = f64::NEG_INFINITY;
    points.into_iter().partition(|point| {
        let explained = of(point).1;
        let is_worth = explained.is_none_or(|explained| explained > best);
        best = best.max(explained.unwrap_or(best));
        is_worth
    })
}

/// A quantity at so many active units, from `points` (active units, quantity) in the order of active units: linear in their
/// logarithm between the two points next to it. `None` beyond the points.
fn interpolated(points: &[(f64, f64)], active_units: f64) -> Option<f64> {
    let positive = points
        .iter()
        .filter(|(active_units, _)| *active_units > 0.0);
    let points: Vec<(f64, f64)> = positive.map(|(at, value)| (at.ln(), *value)).collect();
    let at = active_units.ln();
    let above = points.iter().position(|point| point.0 >= at)?;
    let (to, last) = points[above];
    if to <= at {
        return Some(last);
    }
    let (from, first) = points[above.checked_sub(1)?];
    Some(first + (last - first) * (at - from) / (to - from))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{self, Overrides};
    use crate::results::{Ended, Results};
    use crate::run_dir::Records;

    #[test]
    fn a_quantity_is_linear_in_the_logarithm_of_active_units() {
        // 8 is halfway from 4 to 16, and 32 is a quarter of the way from 16 to 256.
        let points = [(4.0, 0.2), (16.0, 0.5), (256.0, 0.9)];
        let close = |active_units, expected: f64| {
            let found = interpolated(&points, active_units).expect("between the points");
            assert!((found - expected).abs() < 1e-12, "{active_units}: {found}");
        };
        close(8.0, 0.35);
        close(32.0, 0.6);
        // A point is itself, at either end too.
        for (active_units, value) in points {
            assert_eq!(interpolated(&points, active_units), Some(value));
        }
        assert_eq!(interpolated(&points, 3.99), None);
        assert_eq!(interpolated(&points, 257.0), None);
        // Nothing active has no logarithm.
        assert_eq!(interpolated(&[(0.0, 0.1), (16.0, 0.5)], 8.0), None);
        assert_eq!(interpolated(&[], 8.0), None);
    }

    #[test]
    fn more_active_units_that_explain_no_more_are_not_worth_it() {
        let points = vec![
            (187.0, Some(0.3)),
            (8.0, Some(0.2)),
            (64.0, Some(0.7)),
            (8.0, Some(0.4)),
            (70.0, Some(0.7)),
            (200.0, Some(0.8)),
            (90.0, None),
        ];
        let (worth, not) = frontier(points, |point| *point);
        let worth: Vec<f64> = worth.iter().map(|point| point.0).collect();
        assert_eq!(worth, [8.0, 64.0, 90.0, 200.0]);
        assert_eq!(
            not,
            [(8.0, Some(0.2)), (70.0, Some(0.7)), (187.0, Some(0.3))]
        );
    }

    fn plan(text: &str) -> Plan {
        let text = format!("experiment = \"autoencoder\"\n{text}");
        let config = config::parse(&text, Path::new("x.toml"), &Overrides::default());
        config.expect("a config").plan
    }

    #[test]
    fn groups_differ_in_other_keys_than_those_of_sparsity() {
        let plan = plan(
            "[grid]\nautoencoder.hidden_units = [3, 5]\n\
             [conditions.A.grid]\nsparsity.weight = [1, 2]\n\
             [conditions.B.grid]\nsparsity.target = [0.1, 0.2]\nsparsity.weight = [1, 2]\n\
             [conditions.C]\n[conditions.D.grid]\nsparsity.weight = [1]\n",
        );
        let of = |groups: &[Group]| -> Vec<(String, usize)> {
            let groups = groups.iter();
            groups
                .map(|of| (of.name.clone(), of.conditions.len()))
                .collect()
        };
        let named = |name: &str, conditions| (name.to_owned(), conditions);
        assert_eq!(
            of(&compared(&plan)),
            [
                named("A, hidden units = 3", 2),
                named("A, hidden units = 5", 2),
                named("B, hidden units = 3", 4),
                named("B, hidden units = 5", 4),
            ]
        );
        assert_eq!(of(&groups(&plan.conditions)).len(), 8);
    }

    #[test]
    fn each_seed_is_interpolated_by_itself_and_may_not_get_so_far() {
        let plan =
            plan("[conditions.A.grid]\nsparsity.weight = [1, 2]\n[run]\nseeds = [7, 8, 9]\n");
        let members = crate::experiment::members(&plan);
        let outcome = |member: usize, active_units, explained_variance| EpochRecord {
            epoch: 1,
            member,
            active_units,
            explained_variance: Some(explained_variance),
            ..EpochRecord::default()
        };
        let records = Records {
            epochs: vec![
                outcome(0, 4.0, 0.2),
                outcome(1, 9.0, 0.3),
                outcome(2, 4.0, 0.3),
                outcome(3, 16.0, 0.4),
                outcome(4, 64.0, 0.5),
                outcome(5, 16.0, 0.5),
            ],
            ..Records::default()
        };
        let mut results = Results::default();
        let found = |results: &Results| {
            let outcomes = Outcomes {
                results,
                records: &records,
            };
            let explained = |member: usize| records.epochs[member].explained_variance;
            groups(&plan.conditions)[0].at_active_units(&outcomes, &members, 8, None, &explained)
        };
        let not_reached = Finding::Word(NOT_REACHED.to_owned());
        let [
            (7, Finding::Number(first)),
            (8, second),
            (9, Finding::Number(third)),
        ] = &found(&results)[..]
        else {
            panic!("{:?}", found(&results));
        };
        assert!((first - 0.3).abs() < 1e-12 && (third - 0.4).abs() < 1e-12);
        assert_eq!(*second, not_reached);
        // One that ended early leaves its seed one strength, which 8 active units lie beyond.
        results.ended.push(Ended {
            member: members[0].clone(),
            stage: None,
            epoch: 1,
            quantity: String::new(),
            value: String::new(),
            hint: String::new(),
        });
        assert_eq!(found(&results)[2], (7, not_reached));
    }
}
