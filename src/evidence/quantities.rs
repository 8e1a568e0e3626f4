//! What a run ends in, as quantities with names: for tables of end results, for promises, and for comparing runs.

use serde::{Deserialize, Serialize};

use super::Evidence;
use crate::report::significant;
use crate::results::{Member, Results, Spread};
use crate::run_dir::Records;
use crate::spec::Plan;

/// A number, or a word, that each member comes to.
#[derive(Clone, Copy)]
pub struct Quantity {
    /// What configs and tables call it: `test accuracy`.
    pub name: &'static str,
    /// `%`, `px`, or nothing.
    pub unit: &'static str,
    /// The words that it can be; none where it is a number.
    pub words: &'static [&'static str],
    /// What it is of a member after an epoch, or at the end of its training.
    pub of: fn(&Outcomes<'_>, usize, Option<usize>) -> Option<Finding>,
}

impl Quantity {
    /// Its name and unit, for the head of a column: `test accuracy, %`.
    #[must_use]
    pub fn title(&self) -> String {
        match self.unit {
            "" => self.name.to_owned(),
            unit => format!("{}, {unit}", self.name),
        }
    }
}

/// A quantity of the records of autoencoders, with its name.
macro_rules! of_record {
    ($name:literal, $value:expr) => {
        $crate::evidence::quantities::Quantity {
            name: $name,
            unit: "",
            words: &[],
            of: |of, member, epoch| {
                let records = &of.records.epochs;
                let record = $crate::evidence::quantities::record(
                    records,
                    |of| (of.epoch, of.member),
                    member,
                    epoch,
                )?;
                let value: fn(&$crate::results::EpochRecord) -> Option<f64> = $value;
                value(record).map($crate::evidence::quantities::Finding::Number)
            },
        }
    };
}

/// What a piece of evidence measured on a member at the end of its training, as quantities: name, unit, pointer (RFC
/// 6901) and, where it is a word, all words.
macro_rules! measured {
    (@words) => { &[] };
    (@words $words:expr) => { $words };
    ($evidence:ident: $($name:literal, $unit:literal, $pointer:literal $(, $words:expr)?;)*) => {{
        const MEASURED: &[$crate::evidence::quantities::Quantity] = &[
            $($crate::evidence::quantities::Quantity {
                name: $name,
                unit: $unit,
                words: measured!(@words $($words)?),
                of: |of, member, epoch| match epoch {
                    None => of.measured(&$evidence, member, $pointer),
                    Some(_) => None,
                },
            }),*
        ];
        MEASURED
    }};
}

pub(super) use {measured, of_record};

/// What there is to know of the members of a run.
#[derive(Clone, Copy)]
pub struct Outcomes<'a> {
    /// The results of the run.
    pub results: &'a Results,
    /// What was recorded epoch by epoch.
    pub records: &'a Records,
}

/// What a quantity is of one member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Finding {
    /// A number, in the quantity's unit.
    Number(f64),
    /// A word, where the quantity is not a number.
    Word(String),
}

impl Finding {
    /// The number; `None` for a word.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Word(_) => None,
        }
    }
}

/// The quantities of a plan's evidence, in the order of the page.
#[must_use]
pub fn all(plan: &Plan) -> Vec<Quantity> {
    super::of(plan)
        .flat_map(|evidence| evidence.quantities().iter().copied())
        .collect()
}

/// The quantities that a run of this plan could have, whatever evidence its config asks for.
#[must_use]
pub fn possible(plan: &Plan) -> Vec<Quantity> {
    let applying = super::ALL.into_iter().filter(|of| of.applies(plan));
    applying
        .flat_map(|evidence| evidence.quantities().iter().copied())
        .collect()
}

impl Outcomes<'_> {
    /// What evidence measured on a member at the end of its training, as a number under this pointer (RFC 6901).
    #[must_use]
    pub fn measured(
        &self,
        evidence: &dyn Evidence,
        member: usize,
        pointer: &str,
    ) -> Option<Finding> {
        let members = &self.results.members;
        let at = members.binary_search_by_key(&member, |of| of.member.index);
        let value = members[at.ok()?]
            .evidence
            .get(evidence.name())?
            .pointer(pointer)?;
        match value {
            serde_json::Value::String(word) => Some(Finding::Word(word.replace('_', " "))),
            serde_json::Value::Array(units) => Some(Finding::Number(units.len() as f64)),
            other => other.as_f64().map(Finding::Number),
        }
    }

    /// The epoch whose model a member's training left, where the best one was kept.
    pub(super) fn kept_epoch(&self, member: usize) -> Option<usize> {
        let epoch = self.measured(&super::accuracy::Accuracy, member, "/kept_epoch")?;
        Some(epoch.number()? as usize)
    }

    /// A quantity of each seed of a condition that has it after the epoch, or at the end.
    #[must_use]
    pub fn of_condition(
        &self,
        quantity: &Quantity,
        members: &[Member],
        condition: &str,
        epoch: Option<usize>,
    ) -> Vec<(u64, Finding)> {
        let members = members.iter().filter(|of| of.condition == condition);
        members
            .filter(|member| !self.results.has_ended(member.index))
            .filter_map(|member| Some((member.seed, (quantity.of)(self, member.index, epoch)?)))
            .collect()
    }
}

/// The record of a member after an epoch, or its last; `place` is epoch and member, by which `records` are sorted.
pub(super) fn record<T>(
    records: &[T],
    place: impl Fn(&T) -> (usize, usize),
    member: usize,
    epoch: Option<usize>,
) -> Option<&T> {
    let after = |epoch| {
        let at = records
            .binary_search_by_key(&(epoch, member), &place)
            .ok()?;
        Some(&records[at])
    };
    match epoch {
        Some(epoch) => after(epoch),
        None => (0..=place(records.last()?).0).rev().find_map(after),
    }
}

/// What a quantity is of a seed that never has the number of active units that is asked for.
pub const NOT_REACHED: &str = "not reached";

/// What a promise asks for: the name of a quantity, and at how many active units, as in `explained variance at L0 16`.
#[must_use]
pub fn asked(that: &str) -> (&str, Option<usize>) {
    let at = that.rsplit_once(" at L0 ").and_then(|(name, number)| {
        let number = number.parse().ok().filter(|number| *number > 0)?;
        Some((name, Some(number)))
    });
    at.unwrap_or((that, None))
}

/// The spread of numbers; `None` where there is none, or a word among them.
#[must_use]
pub fn spread(found: &[(u64, Finding)]) -> Option<Spread> {
    let numbers: Option<Vec<f64>> = found.iter().map(|(_, of)| of.number()).collect();
    Spread::of(numbers?.into_iter())
}

/// A number for a reader: a count as it is, another with four digits.
#[must_use]
pub fn written(value: f64) -> String {
    let [text] = written_alike([value]);
    text
}

/// Numbers of one kind for a reader: counts as they are, or all with four digits.
#[must_use]
pub fn written_alike<const N: usize>(values: [f64; N]) -> [String; N] {
    const LARGEST_COUNT: f64 = 1e6;
    let is_count = |value: &f64| value.fract() == 0.0 && value.abs() < LARGEST_COUNT;
    if values.iter().all(is_count) {
        values.map(|value| format!("{value:.0}").replace('-', "−"))
    } else {
        values.map(|value| significant(value, 4))
    }
}

/// `98.18 (97.97 to 98.36)`; of words, each that is found.
#[must_use]
pub fn cell(found: &[(u64, Finding)]) -> String {
    match spread(found) {
        Some(Spread {
            smallest,
            median,
            largest,
        }) if found.len() > 1 => {
            let [median, smallest, largest] = written_alike([median, smallest, largest]);
            format!("{median} ({smallest} to {largest})")
        }
        Some(spread) => written(spread.median),
        None => {
            let mut words: Vec<String> = found
                .iter()
                .filter_map(|(_, of)| match of {
                    Finding::Word(word) => Some(word.clone()),
                    Finding::Number(_) => None,
                })
                .collect();
            words.dedup();
            if words.is_empty() {
                "–".to_owned()
            } else {
                words.join(", ")
            }
        }
    }
}

/// One condition minus another, for the seeds that both have; not reached where one of them is not.
#[must_use]
pub fn minus(one: &[(u64, Finding)], other: &[(u64, Finding)]) -> Vec<(u64, Finding)> {
    one.iter()
        .filter_map(|(seed, of)| {
            let (_, subtracted) = other.iter().find(|(other, _)| other == seed)?;
            let mut both = [of, subtracted].into_iter();
            let not_reached =
                both.find(|of| matches!(of, Finding::Word(word) if word == NOT_REACHED));
            if let Some(not_reached) = not_reached {
                return Some((*seed, not_reached.clone()));
            }
            Some((*seed, Finding::Number(of.number()? - subtracted.number()?)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_cell_are_written_alike() {
        let cell = |numbers: &[f64]| {
            let found = numbers.iter().map(|&number| (0, Finding::Number(number)));
            cell(&found.collect::<Vec<_>>())
        };
        // Accuracies, one of which comes out even.
        assert_eq!(cell(&[96.12, 96.0, 96.28]), "96.12 (96.00 to 96.28)");
        assert_eq!(cell(&[-19.0, -9.0, -11.67]), "−11.67 (−19.00 to −9.000)");
        // Counts.
        assert_eq!(cell(&[12.0, 8.0, 12.0]), "12 (8 to 12)");
        assert_eq!(cell(&[71.0]), "71");
        assert_eq!(cell(&[]), "–");
    }
}
