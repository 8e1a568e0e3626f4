//! What sparsity costs: how much of the images autoencoders explain with how few active units, condition by condition, and
//! which condition explains most where all have equally many.

pub mod strengths;
mod units;

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::code_accuracy::Probed;
use super::figures::RedrawError;
use super::matching::{Matched, Matching, PARTNER_FROM};
use super::quantities::{self, Finding, Outcomes, record};
use super::{Evidence, Found, Run, is_autoencoder, value};
use crate::experiment::{Models, Trained};
use crate::report::{
    Chart, Drawing, Figures, Horizontal, Legend, Line, Look, MOST_NAMES, Sheet, Stroke, Term,
    Vertical, Words, dead_means, number, table,
};
use crate::results::{EpochRecord, Member, Spread};
use crate::run_dir;
use crate::spec::{Condition, Plan};
use crate::words::{counted, listed_names};

use strengths::{Group, compared, frontier};

/// Where the page compares, unless the config says where.
const LEVELS: [usize; 6] = [4, 8, 16, 32, 64, 128];
/// Where pictures are compared, of those.
const PICTURED_AT: usize = 32;

/// The evidence of what sparsity costs.
pub struct Sparsity;

/// The explained variance of every condition at a number of active units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// The mean number of active units of a test image (L0).
    pub active_units: usize,
    /// In the order of the plan.
    pub groups: Vec<AtLevel>,
}

/// A condition at a number of active units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AtLevel {
    /// The name of the condition.
    pub group: String,
    /// Of each seed, interpolated between its strengths; "not reached" beyond them.
    pub explained_variance: Vec<(u64, Finding)>,
}

impl AtLevel {
    /// The spread over seeds, if all of them get so far.
    fn spread(&self) -> Option<Spread> {
        quantities::spread(&self.explained_variance)
    }

    fn median(&self) -> Option<f64> {
        Some(self.spread()?.median)
    }

    fn cell(&self) -> String {
        let found = &self.explained_variance;
        let reached = found.iter().filter(|(_, of)| of.number().is_some()).count();
        match reached {
            0 => quantities::NOT_REACHED.to_owned(),
            reached if reached < found.len() => {
                format!("reached by {reached} of {}", counted(found.len(), "seed"))
            }
            _ => quantities::cell(found),
        }
    }
}

impl Level {
    /// Those that every seed gets to, the one that explains most first; and the others.
    fn ranked(&self) -> (Vec<&AtLevel>, Vec<&AtLevel>) {
        let groups = self.groups.iter();
        let (mut there, others): (Vec<_>, Vec<_>) = groups.partition(|of| of.median().is_some());
        let median = |of: &AtLevel| of.median().unwrap_or(f64::NEG_INFINITY);
        there.sort_by(|a, b| median(b).total_cmp(&median(a)));
        (there, others)
    }

    /// `at L0 16: TopK 0.836, L1 0.752; not reached by KL`.
    fn sentence(&self) -> String {
        let (there, others) = self.ranked();
        let explain = there.iter().filter_map(|of| {
            let spread = of.spread()?;
            Some(format!("{} {}", of.group, number(spread.median)))
        });
        let explain: Vec<String> = explain.collect();
        let not: Vec<&str> = others.iter().map(|of| of.group.as_str()).collect();
        let not = if not.is_empty() {
            String::new()
        } else {
            format!("; not reached by {}", listed_names(&not, MOST_NAMES))
        };
        format!("at L0 {}: {}{not}", self.active_units, explain.join(", "))
    }
}

impl Evidence for Sparsity {
    fn name(&self) -> &'static str {
        "sparsity"
    }

    fn applies(&self, plan: &Plan) -> bool {
        is_autoencoder(plan) && compared(plan).len() > 1
    }

    /// The units that are shown.
    fn measure(&self, _: &Plan, trained: &Trained<'_>) -> Vec<Value> {
        match trained.models {
            Models::Autoencoders { evaluations, .. } => {
                let strongest = evaluations.iter().map(units::Strongest::of);
                strongest.map(|of| value(&of)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn conclude(&self, found: &Found<'_>) -> Option<Value> {
        let members = crate::experiment::members(found.plan);
        Some(value(&levels(found.plan, &found.outcomes(), &members)))
    }

    fn lines(&self, found: &Found<'_>) -> Vec<String> {
        let levels: Vec<Level> = found.results.of_run(self.name()).unwrap_or_default();
        let there = levels.iter().filter(|of| !of.ranked().0.is_empty());
        there
            .map(|of| format!("explained variance {}", of.sentence()))
            .collect()
    }

    fn show(&self, run: &Run<'_>, figures: &mut Figures) -> Result<Option<Markup>, RedrawError> {
        let levels: Vec<Level> = run.results.of_run(self.name()).unwrap_or_default();
        let groups = compared(run.plan);
        let curves = curves(run, &groups);
        if curves.iter().all(|curve| curve.points.is_empty()) {
            return Ok(None);
        }
        let chart = chart(run, &curves, &levels, figures);
        let near = near(run, &groups, &levels);
        let pictures = match &near {
            Some(near) => units::picture(run, near, figures)?,
            None => None,
        };
        let seeds = run.plan.run.seeds.len();
        let active_units = figures.glossary.word(Term::ActiveUnits, "L0");
        let explained = figures
            .glossary
            .word(Term::ExplainedVariance, "explained variance");
        if seeds > 1 {
            figures.glossary.uses(&[Term::Median]);
        }
        Ok(Some(html! {
            h2 { "What sparsity costs" }
            p {
                "Fewer active units can explain less. How strongly a condition asks for sparsity is told by keys that other conditions \
                 do not have, or that mean something else to them; so conditions are compared where their numbers of active units are \
                 equal, not their keys. " (active_units) " is the mean number of hidden units above 0.01 for a test image; the "
                (explained) " is 1 − Σ‖x − x̂‖² / Σ‖x − x̄‖² over the test images."
            }
            (chart)
            (comparison(&levels, seeds))
            @if let Some(near) = &near { (side_by_side(run, near, figures)) }
            @if let Some(pictures) = pictures { (pictures) }
        }))
    }
}

/// The explained variance of every group where the config asks for it, or else where two of them can be compared.
fn levels(plan: &Plan, outcomes: &Outcomes<'_>, members: &[Member]) -> Vec<Level> {
    let groups = compared(plan);
    let explained = |member: usize| last(outcomes, member)?.explained_variance;
    let level = |active_units: usize| Level {
        active_units,
        groups: (groups.iter())
            .map(|group| AtLevel {
                group: group.name.clone(),
                explained_variance: group.at_active_units(
                    outcomes,
                    members,
                    active_units,
                    None,
                    &explained,
                ),
            })
            .collect(),
    };
    if let Some(asked) = &plan.report.at_active_units {
        return asked.iter().copied().map(level).collect();
    }
    let levels = LEVELS.into_iter().map(level);
    levels.filter(|of| of.ranked().0.len() > 1).collect()
}

/// The record of the last epoch of a member.
fn last<'a>(outcomes: &Outcomes<'a>, member: usize) -> Option<&'a EpochRecord> {
    let records = &outcomes.records.epochs;
    record(records, |of| (of.epoch, of.member), member, None)
}

/// A condition at one of its strengths: its members, and what they came to.
struct Point<'a> {
    condition: &'a Condition,
    /// Those that were trained to their end.
    members: Vec<&'a Member>,
    active_units: Spread,
    explained_variance: Option<Spread>,
    dead_units: Spread,
    /// In per cent.
    code_accuracy: Option<Spread>,
}

/// A group over its strengths, in the order of active units.
struct Curve<'a> {
    name: &'a str,
    /// The strengths that are worth their active units.
    points: Vec<Point<'a>>,
    /// Others, which explain no more than one of these with no more active units.
    others: Vec<Point<'a>>,
    /// How many there are at which no unit is active.
    silent: usize,
}

impl<'a> Curve<'a> {
    fn all(&self) -> impl Iterator<Item = &Point<'a>> {
        self.points.iter().chain(&self.others)
    }
}

fn curves<'a>(run: &Run<'a>, groups: &'a [Group<'a>]) -> Vec<Curve<'a>> {
    let coded = run.results.of_members::<Probed>("code_accuracy");
    let coded: BTreeMap<usize, f64> = coded
        .into_iter()
        .map(|(member, of)| (member.index, of.code_accuracy))
        .collect();
    let curve = |group: &'a Group<'a>| {
        let conditions = group.conditions.iter();
        let points = conditions.filter_map(|condition| point(run, condition, &coded));
        let (points, silent): (Vec<Point>, Vec<Point>) =
            points.partition(|of| of.active_units.median > 0.0);
        let (points, others) = frontier(points, |of| {
            let explained = of.explained_variance.map(|of| of.median);
            (of.active_units.median, explained)
        });
        Curve {
            name: &group.name,
            points,
            others,
            silent: silent.len(),
        }
    };
    groups.iter().map(curve).collect()
}

fn point<'a>(
    run: &Run<'a>,
    condition: &'a Condition,
    coded: &BTreeMap<usize, f64>,
) -> Option<Point<'a>> {
    let members = run.manifest.members.iter();
    let members: Vec<&Member> = members
        .filter(|of| of.condition == condition.name && !run.results.has_ended(of.index))
        .collect();
    let outcomes = run.outcomes();
    let records = members.iter().filter_map(|of| last(&outcomes, of.index));
    let records: Vec<&EpochRecord> = records.collect();
    let spread = |of: &dyn Fn(&EpochRecord) -> f64| Spread::of(records.iter().map(|r| of(r)));
    let explained: Option<Vec<f64>> = records.iter().map(|of| of.explained_variance).collect();
    let codes: Option<Vec<f64>> = records
        .iter()
        .map(|of| Some(100.0 * coded.get(&of.member)?))
        .collect();
    Some(Point {
        condition,
        active_units: spread(&|of| of.active_units)?,
        explained_variance: explained.and_then(|of| Spread::of(of.into_iter())),
        dead_units: spread(&|of| of.dead_units as f64)?,
        code_accuracy: codes.and_then(|of| Spread::of(of.into_iter())),
        members,
    })
}

/// One chart, and what it draws of a point.
type Panel = (&'static str, Vertical, fn(&Point) -> Option<Spread>);

const PANELS: [Panel; 3] = [
    ("Explained variance", Vertical::Linear, |of| {
        of.explained_variance
    }),
    ("Dead units", Vertical::Count, |of| Some(of.dead_units)),
    ("Code accuracy, %", Vertical::Linear, |of| of.code_accuracy),
];

/// The charts, with what comes out of them in words.
fn chart(run: &Run<'_>, curves: &[Curve], levels: &[Level], figures: &mut Figures) -> Markup {
    let seeds = run.plan.run.seeds.len();
    let mut points = curves.iter().flat_map(Curve::all);
    let has_codes = points.any(|of| of.code_accuracy.is_some());
    let sentences: Vec<String> = levels.iter().map(Level::sentence).collect();
    let dead = curves.iter().filter_map(|of| {
        let most = (of.all()).max_by(|a, b| a.dead_units.median.total_cmp(&b.dead_units.median))?;
        let (dead, active) = (most.dead_units.median, most.active_units.median);
        Some(format!(
            "{} {} at L0 {}",
            of.name,
            quantities::written(dead),
            number(active)
        ))
    });
    let dead: Vec<String> = dead.collect();
    let codes = curves.iter().filter_map(|of| {
        let codes = of.all().filter_map(|of| of.code_accuracy);
        let best = codes.map(|of| of.median).max_by(f64::total_cmp)?;
        Some(format!("{} {}", of.name, number(best)))
    });
    let codes: Vec<String> = codes.collect();
    let outcomes = [
        ("Explained variance ", sentences.join("; ")),
        ("Most dead units: ", dead.join(", ")),
        ("Best code accuracy in per cent: ", codes.join(", ")),
    ];
    let outcomes = outcomes.iter().filter(|(_, of)| !of.is_empty());
    let outcomes: Vec<String> = outcomes.map(|(what, of)| format!("{what}{of}")).collect();
    let names = curves.iter().map(|of| of.name);
    let alt = format!(
        "{} against active units, a line for each of {}. {}",
        if has_codes {
            "Explained variance, dead units and code accuracy"
        } else {
            "Explained variance and dead units"
        },
        listed_names(names, MOST_NAMES),
        outcomes.join(". ")
    );
    let silent: usize = curves.iter().map(|of| of.silent).sum();
    let caption = format!(
        "Results on the test images against the number of active units (L0), on a logarithmic scale: a line for each condition through its strengths{}.{} {}{}{}",
        if seeds > 1 {
            ", medians over seeds, with a band from the smallest to the largest"
        } else {
            ""
        },
        if curves.iter().any(|of| !of.others.is_empty()) {
            " A strength that explains no more than another of its condition with no more active units has a mark beside the line."
        } else {
            ""
        },
        dead_means("the test images"),
        if has_codes {
            " Code accuracy: the share of test images whose class a softmax layer names rightly, which was trained on the codes of the training images."
        } else {
            ""
        },
        if silent > 0 {
            format!(
                " {} without any active unit {} no place on this scale.",
                counted(silent, "strength"),
                if silent == 1 { "has" } else { "have" }
            )
        } else {
            String::new()
        }
    );
    let words = Words {
        alt: &alt,
        caption: &caption,
        numbers: Some(run_dir::METRICS_CSV),
    };
    figures.chart("sparsity", &drawing(curves), &words)
}

fn drawing(curves: &[Curve]) -> Drawing {
    let points = || curves.iter().flat_map(Curve::all);
    let ticks = ticks(points().map(|of| of.active_units.median));
    let line = |points: &[Point], look: Look, stroke, of: fn(&Point) -> Option<Spread>| {
        let points = points.iter();
        let along =
            points.filter_map(|point| Some((point.active_units.median.log10(), of(point)?)));
        let line = Line::of_spreads(look, along);
        match stroke {
            Stroke::Marks => Line::of_points(look, stroke, line.points),
            _ => Line { stroke, ..line },
        }
    };
    let panels = PANELS
        .iter()
        .filter(|(.., of)| points().any(|point| of(point).is_some()));
    let charts: Vec<Chart> = panels
        .map(|(title, y, of)| Chart {
            title: (*title).to_owned(),
            x_title: "active units (L0), log scale".to_owned(),
            x: Horizontal::At(ticks.clone()),
            y: *y,
            lines: (curves.iter().zip(Look::all()))
                .flat_map(|(curve, look)| {
                    let drawn = [
                        (&curve.points, Stroke::Solid),
                        (&curve.others, Stroke::Marks),
                    ];
                    drawn.map(|(points, stroke)| line(points, look, stroke, *of))
                })
                .collect(),
        })
        .collect();
    Sheet {
        legend: Legend::of(curves.iter().map(|of| of.name)),
        columns: charts.len().max(1),
        charts,
        chart_height: 360.0,
    }
    .drawing()
}

/// Powers of two among numbers above 0, at the places of their logarithms; or the numbers at both ends, where these are
/// too near to each other.
fn ticks(numbers: impl Iterator<Item = f64>) -> Vec<(f64, String)> {
    let Some(Spread {
        smallest, largest, ..
    }) = Spread::of(numbers)
    else {
        return Vec::new();
    };
    let powers = (-7..=20).map(|power| 2.0_f64.powi(power));
    let mut inside: Vec<f64> = powers
        .filter(|power| (smallest..=largest).contains(power))
        .collect();
    if inside.len() < 2 {
        inside = vec![smallest, largest];
        inside.dedup();
    }
    let tick = |number: &f64| {
        let label = if number.fract() == 0.0 {
            number.to_string()
        } else {
            self::number(*number)
        };
        (number.log10(), label)
    };
    inside.iter().map(tick).collect()
}

/// Which condition explains how much more than the next.
fn comparison(levels: &[Level], seeds: usize) -> Markup {
    let rows = levels.iter().flat_map(|level| {
        let (there, others) = level.ranked();
        let mut rows = Vec::new();
        for (at, of) in there.iter().enumerate() {
            let next = there.get(at + 1);
            let more = next.map(|next| {
                let more = quantities::minus(&of.explained_variance, &next.explained_variance);
                format!("{} than {}", quantities::cell(&more), next.group)
            });
            rows.push([of.group.clone(), of.cell(), more.unwrap_or_default()]);
        }
        for alike in others.chunk_by(|a, b| a.cell() == b.cell()) {
            let names = listed_names(alike.iter().map(|of| &of.group), MOST_NAMES);
            rows.push([names, alike[0].cell(), String::new()]);
        }
        let active_units = level.active_units.to_string();
        rows.into_iter()
            .map(move |row| [std::slice::from_ref(&active_units), row.as_slice()].concat())
    });
    let rows: Vec<Vec<String>> = rows.collect();
    if rows.is_empty() {
        return html! {
            p { "There is no number of active units that two conditions reach with all of their seeds: they cannot be compared." }
        };
    }
    let head = [
        "active units (L0)",
        "condition",
        "explained variance",
        "more",
    ];
    html! {
        (table(
            if seeds > 1 {
                "At equally many active units: medians over seeds (smallest to largest), differences paired by seed"
            } else {
                "At equally many active units"
            },
            &head,
            &rows,
        ))
        p {
            "Between two neighbouring strengths of a condition the explained variance is taken as linear in the logarithm of L0, "
            @if seeds > 1 { "for each seed by itself" } @else { "as it is drawn above" }
            "; strengths that explain no more than another one with no more active units are left out. "
            "Not reached: the number lies beyond the strengths that were tried. More: how much more is explained than by the next condition, where a negative number is less."
        }
    }
}

/// The conditions of all groups that are nearest to a number of active units.
struct Near<'a> {
    active_units: usize,
    points: Vec<Point<'a>>,
    /// Groups that have none near by.
    others: Vec<&'a str>,
}

/// The number of active units at which pictures are compared, and who is there: within a factor of two.
fn near<'a>(run: &Run<'a>, groups: &'a [Group<'a>], levels: &[Level]) -> Option<Near<'a>> {
    let there = || {
        let levels = levels.iter().filter(|of| of.ranked().0.len() > 1);
        levels.map(|of| of.active_units)
    };
    let active_units = there().find(|at| *at == PICTURED_AT).or(there().next())?;
    let (mut points, mut others) = (Vec::new(), Vec::new());
    for curve in curves(run, groups) {
        let distance = |of: &Point| (of.active_units.median / active_units as f64).ln().abs();
        let nearest = curve.points.into_iter();
        let nearest = nearest.min_by(|a, b| distance(a).total_cmp(&distance(b)));
        match nearest.filter(|of| distance(of) <= std::f64::consts::LN_2) {
            Some(point) => points.push(point),
            None => others.push(curve.name),
        }
    }
    Some(Near {
        active_units,
        points,
        others,
    })
}

/// Who is near to a number of active units, and how many of their units other seeds find, too.
fn side_by_side(run: &Run<'_>, near: &Near, figures: &mut Figures) -> Markup {
    let matched: Option<BTreeMap<usize, Matched>> = run.results.of_run(Matching.name());
    let matched = matched.unwrap_or_default();
    let cell = |numbers: Vec<f64>| {
        let numbers: Vec<(u64, Finding)> = numbers
            .into_iter()
            .map(|number| (0, Finding::Number(number)))
            .collect();
        quantities::cell(&numbers)
    };
    let outcomes = run.outcomes();
    let rows = near.points.iter().map(|point| {
        let records: Vec<&EpochRecord> = (point.members.iter())
            .filter_map(|of| last(&outcomes, of.index))
            .collect();
        let each = |of: &dyn Fn(&EpochRecord) -> f64| cell(records.iter().map(|r| of(r)).collect());
        let explained = records.iter().filter_map(|of| of.explained_variance);
        let partners = point.members.iter().filter_map(|of| matched.get(&of.index));
        let partners: Vec<f64> = partners.map(|of| of.partners).collect();
        let mut row = vec![
            point.condition.name.clone(),
            each(&|of| of.active_units),
            cell(explained.collect()),
            each(&|of| of.dead_units as f64),
        ];
        if !matched.is_empty() {
            row.push(cell(partners));
        }
        row
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let partners = format!("partners (cosine ≥ {PARTNER_FROM}), %");
    let mut head = vec![
        ("condition", None),
        ("active units (L0)", Some(Term::ActiveUnits)),
        ("explained variance", Some(Term::ExplainedVariance)),
        ("dead units", Some(Term::Dead)),
    ];
    if !matched.is_empty() {
        head.push((partners.as_str(), Some(Term::Partner)));
    }
    let head = figures.glossary.head(&head);
    let caption = format!(
        "The strength of each condition that is nearest to {} active units{}",
        near.active_units,
        if run.plan.run.seeds.len() > 1 {
            ": medians over seeds (smallest to largest)"
        } else {
            ""
        }
    );
    html! {
        (table(&caption, &head, &rows))
        @if !near.others.is_empty() {
            p { "No strength comes within a factor of two of that of " (listed_names(&near.others, MOST_NAMES)) "." }
        }
        @if !matched.is_empty() {
            p {
                "Partners: the share of a seed’s units whose match in the next seed has weights at a cosine of "
                (PARTNER_FROM) " or more."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{self, Overrides};

    fn at_level(group: &str, seeds: &[Option<f64>]) -> AtLevel {
        let found = seeds.iter().zip(0..).map(|(number, seed)| {
            let not_reached = || Finding::Word(quantities::NOT_REACHED.to_owned());
            (seed, number.map_or_else(not_reached, Finding::Number))
        });
        AtLevel {
            group: group.to_owned(),
            explained_variance: found.collect(),
        }
    }

    fn level() -> Level {
        Level {
            active_units: 16,
            groups: vec![
                at_level("KL", &[Some(0.7), None]),
                at_level("L1", &[Some(0.75), Some(0.77)]),
                at_level("TopK", &[Some(0.85), Some(0.75)]),
                at_level("JumpReLU", &[None, None]),
            ],
        }
    }

    #[test]
    fn who_explains_most_comes_first_and_who_does_not_get_there_is_named() {
        let level = level();
        let (there, others) = level.ranked();
        let names = |of: &[&AtLevel]| of.iter().map(|of| of.group.clone()).collect::<Vec<_>>();
        assert_eq!(names(&there), ["TopK", "L1"]);
        assert_eq!(names(&others), ["KL", "JumpReLU"]);
        assert_eq!(
            level.sentence(),
            "at L0 16: TopK 0.800, L1 0.760; not reached by KL and JumpReLU"
        );
        let html = comparison(&[level], 2).into_string();
        // Seed by seed: 0.85 − 0.75 and 0.75 − 0.77.
        for row in [
            "<td>TopK</td><td>0.8000 (0.7500 to 0.8500)</td><td>0.04000 (−0.02000 to 0.1000) than L1</td>",
            "<td>L1</td><td>0.7600 (0.7500 to 0.7700)</td><td></td>",
            "<td>KL</td><td>reached by 1 of 2 seeds</td><td></td>",
            "<td>JumpReLU</td><td>not reached</td><td></td>",
        ] {
            assert!(html.contains(row), "{html}");
        }
        // Nothing is said of medians where there are none.
        let one = Level {
            active_units: 16,
            groups: vec![
                at_level("L1", &[Some(0.75)]),
                at_level("TopK", &[Some(0.85)]),
            ],
        };
        let html = comparison(&[one], 1).into_string();
        assert!(
            html.contains("<td>0.8500</td><td>0.1000 than L1</td>"),
            "{html}"
        );
        assert!(
            !html.contains("median") && !html.contains("paired"),
            "{html}"
        );
        assert!(
            comparison(&[], 1)
                .into_string()
                .contains("cannot be compared")
        );
    }

    #[test]
    fn ticks_are_powers_of_two_or_both_ends() {
        let labels = |numbers: &[f64]| -> Vec<String> {
            let ticks = ticks(numbers.iter().copied());
            ticks.into_iter().map(|(_, label)| label).collect()
        };
        assert_eq!(labels(&[3.0, 40.0, 8.0]), ["4", "8", "16", "32"]);
        assert_eq!(labels(&[0.3, 1.2]), ["0.500", "1"]);
        assert_eq!(labels(&[9.0, 15.5]), ["9", "15.5"]);
        assert_eq!(labels(&[9.0]), ["9"]);
        assert!(labels(&[]).is_empty());
    }

    #[test]
    fn a_chart_of_code_accuracy_is_there_where_it_was_measured() {
        let text =
            "experiment = \"autoencoder\"\n[conditions.\"A <b>\".grid]\nsparsity.weight = [1, 2]\n";
        let config = config::parse(text, Path::new("x.toml"), &Overrides::default());
        let plan = config.expect("a config").plan;
        let spread = |median: f64| Spread {
            smallest: median - 0.1,
            median,
            largest: median + 0.1,
        };
        let drawn = |codes: [Option<Spread>; 2]| {
            let places = [4.0, 64.0].into_iter().zip(codes);
            let points = places
                .zip(&plan.conditions)
                .map(|((at, code_accuracy), condition)| Point {
                    condition,
                    members: Vec::new(),
                    active_units: spread(at),
                    explained_variance: Some(spread(at / 100.0)),
                    dead_units: spread(at),
                    code_accuracy,
                });
            let curve = Curve {
                name: "A <b>",
                points: points.collect(),
                others: Vec::new(),
                silent: 0,
            };
            drawing(&[curve]).svg()
        };
        let svg = drawn([None, None]);
        assert!(svg.contains(">Dead units</text>") && !svg.contains("Code accuracy"));
        assert!(svg.contains(">A &lt;b&gt;</text>") && svg.contains(">32</text>"));
        assert_eq!(
            svg.matches("fill-opacity").count(),
            2,
            "a band in each chart"
        );
        let svg = drawn([Some(spread(97.0)), None]);
        assert!(svg.contains(">Code accuracy, %</text>"));
    }
}
