//! What the config promises, and whether it holds: a number or a word of its conditions, with its source.

use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::figures::RedrawError;
use super::quantities::{self, Finding, Outcomes, Quantity};
use super::sparsity::strengths::{self, Group};
use super::{Evidence, Figures, Found, Run, value};
use crate::report::table;
use crate::results::{Member, Results, Spread};
use crate::spec::{Coordinate, Expectation, Over, Plan, Promise, Published};
use crate::words::{counted, listed, listed_names, unquoted};

/// The evidence of what the config promises: each promise, and whether it holds.
pub struct Promises;

/// A promise, held against what came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// `test accuracy of C, after epoch 1`.
    pub that: String,
    /// `1.3 %`: what the source says, where that is told beside what is promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<String>,
    /// `11.35 to 11.35 %, each seed`.
    pub promised: String,
    /// What came out.
    pub here: String,
    /// Absent where nothing came out that could be held against it.
    pub holds: Option<bool>,
    /// The source of the promise: a paper with its table, a book, or this program's own runs.
    pub source: String,
}

impl Kept {
    /// `test error of “C”: published 4, promised 4.1 to 4.3, here 4.2: holds (a source)`.
    fn line(&self) -> String {
        let Self {
            that,
            promised,
            here,
            source,
            ..
        } = self;
        let published = self.published.as_ref();
        let published = published.map_or(String::new(), |of| format!("published {of}, "));
        format!(
            "{that}: {published}promised {promised}, here {here}: {} ({source})",
            self.verdict()
        )
    }

    /// `holds`, `does not hold`, or `cannot be judged`.
    #[must_use]
    pub fn verdict(&self) -> &'static str {
        match self.holds {
            Some(true) => "holds",
            Some(false) => "does not hold",
            None => "cannot be judged",
        }
    }
}

impl Evidence for Promises {
    fn name(&self) -> &'static str {
        "promises"
    }

    fn applies(&self, plan: &Plan) -> bool {
        !plan.expectations.is_empty()
    }

    fn conclude(&self, found: &Found<'_>) -> Option<Value> {
        let members = crate::experiment::members(found.plan);
        let expectations = found.plan.expectations.iter();
        let kept: Vec<Kept> = expectations
            .map(|expectation| judge(expectation, found.plan, &members, &found.outcomes()))
            .collect();
        Some(value(&kept))
    }

    /// What does not hold, and how many do.
    fn lines(&self, found: &Found<'_>) -> Vec<String> {
        let kept = of(found.results);
        let mut lines = broken(found.results);
        lines.push(summary(&kept));
        lines
    }

    fn show(&self, run: &Run<'_>, _: &mut Figures) -> Result<Option<Markup>, RedrawError> {
        let kept = of(run.results);
        if kept.is_empty() {
            return Ok(None);
        }
        let is_beside = kept.iter().any(|of| of.published.is_some());
        let published = |of: &Kept| is_beside.then(|| of.published.clone().unwrap_or_default());
        let row = |of: &Kept| {
            let told = [&of.promised, &of.here, of.verdict(), &of.source];
            let told = told.map(str::to_owned).into_iter();
            [of.that.clone()]
                .into_iter()
                .chain(published(of))
                .chain(told)
                .collect()
        };
        let rows: Vec<Vec<String>> = kept.iter().map(row).collect();
        let mut head = vec!["quantity", "promised", "here", "verdict", "source"];
        if is_beside {
            head.insert(1, "published");
        }
        Ok(Some(html! {
            h2 { "What was promised" }
            p {
                (summary(&kept))
                @if !run.manifest.overridden.is_empty() {
                    " They were made for the config as it is written; this run changed " (run.manifest.overridden.join(", ")) "."
                }
            }
            (table(
                "Promises of the config",
                &head,
                &rows,
            ))
        }))
    }
}

/// `Of 5 promises of the config, 2 hold here, 2 do not, and 1 cannot be judged.`
fn summary(kept: &[Kept]) -> String {
    let count = |holds| kept.iter().filter(|of| of.holds == holds).count();
    let do_not = |count: usize| format!("{count} {} not", if count == 1 { "does" } else { "do" });
    let others = match [count(Some(false)), count(None)] {
        [0, 0] => String::new(),
        [broken, 0] => format!(", and {}", do_not(broken)),
        [0, open] => format!(", none fails, and {open} cannot be judged"),
        [broken, open] => format!(", {}, and {open} cannot be judged", do_not(broken)),
    };
    let holding = count(Some(true));
    let hold = if holding == 1 { "holds" } else { "hold" };
    format!(
        "Of {} of the config, {holding} {hold} here{others}.",
        counted(kept.len(), "promise"),
    )
}

/// What became of the promises of a run.
#[must_use]
pub fn of(results: &Results) -> Vec<Kept> {
    results.of_run(Promises.name()).unwrap_or_default()
}

/// The promises that do not hold, or cannot be judged, a line for each.
#[must_use]
pub fn broken(results: &Results) -> Vec<String> {
    let kept = of(results);
    let broken = kept.iter().filter(|of| of.holds != Some(true));
    broken.map(Kept::line).collect()
}

/// Why a promise can never be judged, if it cannot: names that are none of a quantity, a condition or a key of the grid.
#[must_use]
pub fn mistake(expectation: &Expectation, plan: &Plan) -> Option<String> {
    let known = quantities::possible(plan);
    let names: Vec<&str> = known.iter().map(|of| of.name).collect();
    let that = &expectation.that;
    let (name, active_units) = quantities::asked(that);
    if !names.contains(&name) {
        let near = crate::config::nearest(name, names.iter().copied());
        let near = near.map_or(String::new(), |near| format!("did you mean \"{near}\"? "));
        return Some(format!(
            "[[expect]] that = \"{that}\", which is no quantity of this run\n  hint: {near}quantities are {}",
            listed(&names, names.len())
        ));
    }
    let quantity = known.iter().find(|of| of.name == name);
    if let Some(mistake) = quantity.and_then(|of| misfit(expectation, of, plan)) {
        return Some(mistake);
    }
    let places = [Some(&expectation.at), expectation.minus.as_ref()];
    let mut places = places.into_iter().flatten();
    if let Some(nowhere) = places.clone().find(|at| chosen(plan, at).is_empty()) {
        let place = nowhere
            .iter()
            .map(|of| format!("{} = {}", of.key, of.value));
        return Some(format!(
            "[[expect]] of \"{that}\" is about {}, where this run has no condition\n  hint: conditions are {}",
            place.collect::<Vec<_>>().join(", "),
            listed_names(plan.names(), 20)
        ));
    }
    let compares = |at: &Vec<Coordinate>| {
        let mut groups = groups(plan, &chosen(plan, at)).into_iter();
        super::is_autoencoder(plan) && groups.all(|of| of.has_strengths())
    };
    let is_wrong = active_units.is_some() && !places.all(compares);
    is_wrong.then(|| {
        format!(
            "[[expect]] of \"{that}\" asks for a number of active units of conditions that have one strength\n  hint: \
             name conditions of autoencoders with two values or more of a key in [sparsity], such as [conditions.NAME.grid] \
             \"sparsity.weight\" = [0.1, 1]"
        )
    })
}

/// Why a promise can never hold, if it cannot: a word for a number, a number for a word, an epoch that never comes.
fn misfit(expectation: &Expectation, quantity: &Quantity, plan: &Plan) -> Option<String> {
    let that = &expectation.that;
    let allowed = listed(quantity.words, quantity.words.len());
    if !quantity.words.is_empty() && quantity.name != that {
        let name = quantity.name;
        return Some(format!(
            "[[expect]] of \"{that}\", but {name} is a word, and nothing lies between two words\n  hint: ask for the {name} of a condition"
        ));
    }
    match &expectation.promise {
        Promise::Is { word } if quantity.words.is_empty() => {
            return Some(format!(
                "[[expect]] of \"{that}\" is \"{word}\", but it is a number\n  hint: write within = [low, high], or value and tolerance"
            ));
        }
        Promise::Is { word } if !quantity.words.contains(&word.as_str()) => {
            return Some(format!(
                "[[expect]] of \"{that}\" is \"{word}\", which it never is\n  hint: it can be {allowed}"
            ));
        }
        Promise::Within { .. } | Promise::Near { .. } if !quantity.words.is_empty() => {
            return Some(format!(
                "[[expect]] of \"{that}\" is a number, but it is a word\n  hint: write is = with one of {allowed}"
            ));
        }
        _ => (),
    }
    let epochs = plan.conditions.iter().map(|of| of.training().epochs);
    let (last, epoch) = (epochs.max().unwrap_or(0), expectation.epoch?);
    (epoch > last).then(|| {
        format!(
            "[[expect]] of \"{that}\" is about epoch {epoch}, but the last is {last}\n  hint: leave epoch out for the last"
        )
    })
}

/// The names of the conditions at a place.
fn chosen<'a>(plan: &'a Plan, at: &[Coordinate]) -> Vec<&'a str> {
    let is_there = |condition: &&crate::spec::Condition| {
        at.iter().all(|wanted| {
            let value = unquoted(&wanted.value);
            if wanted.key == "condition" {
                return condition.group.as_deref() == Some(value) || condition.name == value;
            }
            let mut places = condition.at.iter().filter(|of| of.key == wanted.key);
            places.any(|of| same(&of.value, &wanted.value))
        })
    };
    let conditions = plan.conditions.iter().filter(is_there);
    conditions
        .map(|condition| condition.name.as_str())
        .collect()
}

/// The groups of conditions that differ in their strengths.
fn groups<'a>(plan: &'a Plan, conditions: &[&str]) -> Vec<Group<'a>> {
    let conditions = conditions.iter().filter_map(|name| plan.condition(name));
    strengths::groups(conditions)
}

/// Conditions in words: in quotation marks, as names may hold commas.
fn named(plan: &Plan, conditions: &[&str], active_units: Option<usize>) -> String {
    const MOST: usize = 8;
    if conditions.len() > 1 && conditions.len() == plan.conditions.len() {
        return "all conditions".to_owned();
    }
    let names: Vec<String> = if active_units.is_some() {
        let groups = groups(plan, conditions).into_iter();
        groups.map(|of| of.name).collect()
    } else {
        conditions.iter().map(ToString::to_string).collect()
    };
    listed(names.iter().map(|name| format!("“{name}”")), MOST)
}

/// Whether two values of a key are the same: as numbers where they are, so that 3 is 3.0.
fn same(one: &str, other: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().ok();
    match (number(one), number(other)) {
        // Minus zero is zero.
        (Some(one), Some(other)) => (one + 0.0).total_cmp(&(other + 0.0)).is_eq(),
        _ => one == other,
    }
}

fn judge(
    expectation: &Expectation,
    plan: &Plan,
    members: &[Member],
    outcomes: &Outcomes<'_>,
) -> Kept {
    let (name, active_units) = quantities::asked(&expectation.that);
    let conditions = chosen(plan, &expectation.at);
    let minus = expectation.minus.as_ref().map_or(String::new(), |minus| {
        let minus = named(plan, &chosen(plan, minus), active_units);
        format!(" minus that of {minus}")
    });
    let after = expectation
        .epoch
        .map_or(String::new(), |epoch| format!(", after epoch {epoch}"));
    let that = format!(
        "{} of {}{minus}{after}",
        expectation.that,
        named(plan, &conditions, active_units)
    );
    let quantity = quantities::all(plan).into_iter().find(|of| of.name == name);
    let found = quantity.map_or_else(Vec::new, |quantity| {
        findings(expectation, plan, members, outcomes, &quantity, &conditions)
    });
    // Behind a number, and a space.
    let unit = match quantity.map_or("", |quantity| quantity.unit) {
        "" => String::new(),
        unit => format!(" {unit}"),
    };
    let over = match expectation.over {
        Over::EachSeed if plan.run.seeds.len() > 1 => ", each seed",
        Over::EachSeed => "",
        Over::Median => ", median",
    };
    let published = expectation.published.as_ref();
    Kept {
        that,
        published: published.map(|of| match of {
            Published::Number(number) => format!("{number}{unit}"),
            Published::Words(words) => words.clone(),
        }),
        promised: format!("{}{over}", promised(&expectation.promise, &unit)),
        here: here(&found, expectation.over, &unit),
        holds: holds(expectation, &found),
        source: expectation.source.clone(),
    }
}

/// What the quantity is, for each condition that is meant and each of its seeds; of a number of active units, for each
/// group of conditions and each of its seeds.
fn findings(
    expectation: &Expectation,
    plan: &Plan,
    members: &[Member],
    outcomes: &Outcomes<'_>,
    quantity: &Quantity,
    conditions: &[&str],
) -> Vec<(u64, Finding)> {
    let epoch = expectation.epoch;
    let (_, active_units) = quantities::asked(&expectation.that);
    let of = |conditions: &[&str]| -> Vec<(u64, Finding)> {
        let mut found: Vec<(u64, Finding)> = match active_units {
            None => {
                let conditions = conditions.iter();
                conditions
                    .flat_map(|name| outcomes.of_condition(quantity, members, name, epoch))
                    .collect()
            }
            Some(active_units) => {
                let number = |member| (quantity.of)(outcomes, member, epoch)?.number();
                let groups = groups(plan, conditions).into_iter();
                groups
                    .flat_map(|of| {
                        of.at_active_units(outcomes, members, active_units, epoch, &number)
                    })
                    .collect()
            }
        };
        let seeds = expectation.seeds.as_ref();
        found.retain(|(seed, _)| seeds.is_none_or(|seeds| seeds.contains(seed)));
        found
    };
    let found = of(conditions);
    match &expectation.minus {
        None => found,
        // Of several, the first is taken off.
        Some(at) => {
            let mut off = chosen(plan, at);
            if active_units.is_some() {
                let groups = groups(plan, &off);
                let first = groups.first().map_or(&[][..], |of| &of.conditions);
                off = first.iter().map(|of| of.name.as_str()).collect();
            } else {
                off.truncate(1);
            }
            quantities::minus(&found, &of(&off))
        }
    }
}

fn holds(expectation: &Expectation, found: &[(u64, Finding)]) -> Option<bool> {
    let is_there = |seed: &u64| found.iter().any(|(of, _)| of == seed);
    let seeds = expectation.seeds.as_deref().unwrap_or_default();
    // The median of some seeds is not that of all.
    let is_part = expectation.over == Over::Median && !seeds.iter().all(is_there);
    let no_answer = ["not judged", quantities::NOT_REACHED];
    let is_no_answer =
        |of: &Finding| matches!(of, Finding::Word(word) if no_answer.contains(&word.as_str()));
    if found.is_empty() || is_part || found.iter().any(|(_, of)| is_no_answer(of)) {
        return None;
    }
    // A share in per cent is not the decimal that is written: 100 · 0.117 is a little more than 11.7.
    let rounding = |number: f64| 1e-9 * number.abs().max(1.0);
    let of_number = |number: f64| match &expectation.promise {
        Promise::Within { low, high } => {
            (low - rounding(number)..=high + rounding(number)).contains(&number)
        }
        Promise::Near { value, tolerance } => {
            (number - value).abs() <= tolerance + rounding(number)
        }
        Promise::Is { .. } => false,
    };
    match (expectation.over, &expectation.promise) {
        (Over::Median, Promise::Within { .. } | Promise::Near { .. }) => {
            Some(of_number(quantities::spread(found)?.median))
        }
        _ => Some(
            found
                .iter()
                .all(|(_, of)| match (of, &expectation.promise) {
                    (Finding::Word(found), Promise::Is { word }) => found == word,
                    (Finding::Number(number), _) => of_number(*number),
                    (Finding::Word(_), _) => false,
                }),
        ),
    }
}

fn promised(promise: &Promise, unit: &str) -> String {
    match promise {
        Promise::Within { low, high } if low.total_cmp(high).is_eq() => format!("{low}{unit}"),
        Promise::Within { low, high } if *high == f64::INFINITY => format!("at least {low}{unit}"),
        Promise::Within { low, high } if *low == f64::NEG_INFINITY => {
            format!("at most {high}{unit}")
        }
        Promise::Within { low, high } => format!("{low} to {high}{unit}"),
        Promise::Near { value, tolerance } => format!("{value} ± {tolerance}{unit}"),
        Promise::Is { word } => word.clone(),
    }
}

/// What came out, in words.
fn here(found: &[(u64, Finding)], over: Over, unit: &str) -> String {
    let number = quantities::written;
    match (quantities::spread(found), over) {
        (Some(Spread { median, .. }), Over::Median) => format!("{}{unit}", number(median)),
        (Some(of), Over::EachSeed) => {
            let [smallest, largest] = quantities::written_alike([of.smallest, of.largest]);
            if smallest == largest {
                format!("{smallest}{unit}")
            } else {
                format!("{smallest} to {largest}{unit}")
            }
        }
        (None, _) => {
            let mut words: Vec<String> = found
                .iter()
                .map(|(_, of)| match of {
                    Finding::Word(word) => word.clone(),
                    Finding::Number(value) => number(*value),
                })
                .collect();
            words.dedup();
            if words.is_empty() {
                "nothing".to_owned()
            } else {
                words.join(", ")
            }
        }
    }
}
