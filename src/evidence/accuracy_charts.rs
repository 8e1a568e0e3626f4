//! Figure 3 and its price: test accuracy after every epoch, a line per condition (the median over seeds) with a
//! band from the smallest to the largest, against epochs, against gradient updates and operations, and against time.

use crate::report::{Chart, Drawing, Horizontal, Legend, Line, Look, Sheet, Vertical};
use crate::results::{ClassifierRecord, MemberSeconds, Spread};

/// The height of the enlarged charts, in percentage points below the best accuracy.
const ENLARGED: f64 = 10.0;

/// The classifiers of one condition.
struct Condition<'a> {
    name: &'a str,
    /// Of each seed, by epoch.
    seeds: Vec<Vec<&'a ClassifierRecord>>,
}

/// Accuracy against epochs: all of it, and the upper part enlarged.
pub(super) fn accuracy(records: &[ClassifierRecord]) -> Drawing {
    let conditions = by_condition(records);
    let epochs = |record: &ClassifierRecord| record.epoch as f64;
    let charts = both(&conditions, "", "epoch", &Horizontal::Whole, &epochs);
    sheet(&conditions, charts.into(), 2)
}

/// Accuracy against what it took to get there, pretraining included: gradient updates and multiply–accumulates.
pub(super) fn costs(records: &[ClassifierRecord]) -> Drawing {
    let conditions = by_condition(records);
    let updates = |record: &ClassifierRecord| record.updates as f64 / 1e3;
    let work = |record: &ClassifierRecord| record.giga_multiply_accumulates / 1e3;
    let charts = [
        both(
            &conditions,
            " by gradient updates",
            "thousand gradient updates, pretraining included",
            &Horizontal::Real,
            &updates,
        ),
        both(
            &conditions,
            " by computation",
            "10¹² multiply–accumulates, pretraining included",
            &Horizontal::Real,
            &work,
        ),
    ];
    sheet(&conditions, charts.into_iter().flatten().collect(), 2)
}

/// Accuracy against the wall-clock time that a member's training took on its thread, pretraining included.
pub(super) fn times(records: &[ClassifierRecord], seconds: &[MemberSeconds]) -> Drawing {
    let conditions = by_condition(records);
    let time = |record: &ClassifierRecord| time_at(record, seconds);
    let title = "seconds of training on one thread, pretraining included";
    let charts = both(&conditions, " by time", title, &Horizontal::Real, &time);
    sheet(&conditions, charts.into(), 2)
}

/// Seconds of a member's training until the epoch of `record`; not a number where they are not known.
fn time_at(record: &ClassifierRecord, seconds: &[MemberSeconds]) -> f64 {
    seconds
        .iter()
        .find(|of| of.member == record.member)
        .and_then(|of| Some(of.pretraining + of.epochs.get(..record.epoch)?.iter().sum::<f64>()))
        .unwrap_or(f64::NAN)
}

fn sheet(conditions: &[Condition], charts: Vec<Chart>, columns: usize) -> Drawing {
    Sheet {
        legend: Legend::of(conditions.iter().map(|condition| condition.name)),
        charts,
        columns,
        chart_height: 380.0,
    }
    .drawing()
}

/// The whole range, and the upper part enlarged.
fn both(
    conditions: &[Condition],
    title: &str,
    x_title: &str,
    x: &Horizontal,
    along: &dyn Fn(&ClassifierRecord) -> f64,
) -> [Chart; 2] {
    let lines = || -> Vec<Line> {
        let looks = conditions.iter().zip(Look::all());
        looks
            .map(|(condition, look)| line(condition, look, along))
            .collect()
    };
    let best = lines()
        .iter()
        .flat_map(|line| line.band.iter().map(|band| band.1))
        .fold(0.0, f64::max);
    let top = (best + 0.5).min(100.0);
    let chart = |title: String, y| Chart {
        title,
        x_title: x_title.to_owned(),
        x: x.clone(),
        y,
        lines: lines(),
    };
    [
        chart(
            format!("Test accuracy{title}, %"),
            Vertical::Within(0.0, 100.0),
        ),
        chart(
            "… its upper part enlarged".to_owned(),
            Vertical::Within((top - ENLARGED).max(0.0), top),
        ),
    ]
}

/// Medians and bands, for as long as every seed has got.
fn line(condition: &Condition, look: Look, along: &dyn Fn(&ClassifierRecord) -> f64) -> Line {
    let epochs = condition.seeds.iter().map(Vec::len).min().unwrap_or(0);
    let spread = |epoch: usize, value: &dyn Fn(&ClassifierRecord) -> f64| {
        Spread::of(condition.seeds.iter().map(|seed| value(seed[epoch])))
    };
    let percent = |record: &ClassifierRecord| 100.0 * record.test_accuracy;
    let along = (0..epochs)
        .filter_map(|epoch| Some((spread(epoch, along)?.median, spread(epoch, &percent)?)));
    Line::of_spreads(look, along)
}

/// Conditions in the order of their members.
fn by_condition(records: &[ClassifierRecord]) -> Vec<Condition<'_>> {
    let mut ordered: Vec<&ClassifierRecord> = records.iter().collect();
    ordered.sort_by_key(|record| (record.member, record.epoch));
    let mut conditions: Vec<Condition> = Vec::new();
    for seed in ordered.chunk_by(|a, b| a.member == b.member) {
        let name = seed[0].condition.as_str();
        match conditions.iter_mut().find(|known| known.name == name) {
            Some(condition) => condition.seeds.push(seed.to_vec()),
            None => conditions.push(Condition {
                name,
                seeds: vec![seed.to_vec()],
            }),
        }
    }
    conditions
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn record(
        condition: &str,
        member: usize,
        epoch: usize,
        accuracy: f64,
    ) -> ClassifierRecord {
        ClassifierRecord {
            epoch,
            member,
            label: format!("{condition}, seed {member}"),
            condition: condition.to_owned(),
            seed: member as u64,
            learning_rate: 0.1,
            cost: (epoch > 0).then_some(0.1),
            test_cost: 0.2,
            test_accuracy: accuracy,
            validation_accuracy: None,
            validation_cost: None,
            updates: 600 * epoch as u64,
            giga_multiply_accumulates: 10.0 * epoch as f64,
        }
    }

    fn look() -> Look {
        Look::all().next().expect("there are many")
    }

    #[test]
    fn a_line_is_the_median_over_seeds_and_its_band_the_extremes() {
        let records = [
            record("D", 0, 0, 0.10),
            record("D", 1, 0, 0.12),
            record("D", 2, 0, 0.08),
            record("D", 0, 1, 0.95),
            record("D", 1, 1, 0.97),
            record("D", 2, 1, 0.96),
            // A seed that is ahead of the others does not count alone.
            record("D", 0, 2, 0.99),
        ];
        let conditions = by_condition(&records);
        let line = line(&conditions[0], look(), &|record| record.epoch as f64);
        assert_eq!(line.points, [(0.0, 10.0), (1.0, 96.0)]);
        assert_eq!(line.band, [(8.0, 12.0), (95.0, 97.0)]);
    }

    #[test]
    fn time_includes_pretraining_and_is_unknown_where_it_was_not_measured() {
        let seconds = [MemberSeconds {
            member: 3,
            pretraining: 10.0,
            epochs: vec![1.0, 2.0],
        }];
        let at = |member, epoch| time_at(&record("D", member, epoch, 0.9), &seconds);
        assert_eq!(vec![at(3, 0), at(3, 1), at(3, 2)], [10.0, 11.0, 13.0]);
        assert!(at(3, 3).is_nan() && at(0, 1).is_nan());
    }

    #[test]
    fn every_condition_is_named_once_and_nothing_becomes_markup() {
        let hostile = "<b>C</b>";
        let records = [
            record("A", 0, 0, 0.1),
            record(hostile, 1, 0, 0.1),
            record("A", 0, 1, 0.9),
            record(hostile, 1, 1, 0.11),
        ];
        for drawing in [accuracy(&records), costs(&records), times(&records, &[])] {
            let svg = drawing.svg();
            assert_eq!(svg.matches(">A</text>").count(), 1);
            assert!(svg.contains("&lt;b&gt;C") && !svg.contains("<b>"));
            assert!(!svg.contains("NaN"));
        }
        assert!(accuracy(&[]).svg().contains("nothing to draw"));
    }
}
