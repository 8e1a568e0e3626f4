//! What a pretraining run shows, in sentences drawn from its numbers: nothing is said here that the numbers do not
//! decide.

use crate::results::{
    ClassifierRecord, ConditionSummary, Difference, LayerRecord, PretrainingResults, Spread,
};

use super::significant;

/// Above what guessing reaches by less than this, nothing was learnt.
const LEARNT_ABOVE_CHANCE: f64 = 0.05;

/// One sentence, or a few that belong together, for each finding.
#[must_use]
pub fn reading(
    results: &PretrainingResults,
    records: &[ClassifierRecord],
    layers: &[LayerRecord],
) -> Vec<String> {
    let conditions = results.conditions.iter();
    let learning = conditions.filter_map(|condition| says_whether_it_learns(condition, results));
    let gradients = results
        .layers_of
        .iter()
        .filter_map(|condition| first_against_last_layer(condition, layers));
    let differences = results.differences.iter().filter_map(what_came_of);
    let starts = results
        .conditions
        .iter()
        .filter_map(|condition| start_or_pretraining(condition, results));
    let costs = results
        .differences
        .iter()
        .filter_map(|difference| what_it_cost(difference, results, records));
    learning
        .chain(gradients)
        .chain(differences)
        .chain(starts)
        .chain(costs)
        .collect()
}

/// Whether any seed of `condition` got away from guessing, ever.
fn learns(condition: &ConditionSummary, chance: f64) -> bool {
    condition.best >= chance + LEARNT_ABOVE_CHANCE
}

fn says_whether_it_learns(
    condition: &ConditionSummary,
    results: &PretrainingResults,
) -> Option<String> {
    let (epochs, last) = last(&condition.accuracy)?;
    let name = &condition.condition;
    if !learns(condition, results.chance) {
        return Some(format!(
            "{name} does not learn: the best that any seed reaches after any epoch is {}, within 5 points of what always naming the commonest class reaches, {}.",
            percent(condition.best),
            percent(results.chance)
        ));
    }
    let first = condition.accuracy.get(1)?;
    let stuck = if last.smallest < results.chance + LEARNT_ABOVE_CHANCE {
        " Not every seed learns."
    } else {
        ""
    };
    Some(format!(
        "{name} is at {} after its first epoch and at {} after epoch {epochs}.{stuck}",
        with_range(first, percent),
        with_range(last, percent)
    ))
}

/// The start's gradient in the layer next to the input, against that of the softmax layer.
fn first_against_last_layer(condition: &str, layers: &[LayerRecord]) -> Option<String> {
    let at_start = || {
        layers
            .iter()
            .filter(|record| record.condition == condition && record.epoch == 0)
    };
    let softmax = at_start().map(|record| record.layer).max()?;
    let norm = |layer: usize| {
        let seeds = at_start().filter(|record| record.layer == layer);
        Some(Spread::of(seeds.map(|record| record.gradient_norm))?.median)
    };
    let (first, last) = (norm(1)?, norm(softmax)?);
    let ratio = if first > 0.0 && last > 0.0 {
        format!(" – {} of it", significant(first / last, 2))
    } else {
        String::new()
    };
    Some(format!(
        "When the training of {condition} begins, the gradient is {} in the softmax layer and {} in layer 1{ratio} (norms, medians over seeds).",
        significant(last, 2),
        significant(first, 2),
    ))
}

fn what_came_of(difference: &Difference) -> Option<String> {
    let (epochs, last) = last(&difference.by_epoch)?;
    let first = difference.by_epoch.get(1)?;
    let ahead = difference.by_epoch[1..]
        .iter()
        .filter(|spread| spread.median > 0.0)
        .count();
    Some(format!(
        "{} − {}, paired by seed: {} points after the first epoch and {} after epoch {epochs}; the median is above 0 after {ahead} of {epochs} epochs.",
        difference.minuend,
        difference.subtrahend,
        with_range(first, points),
        with_range(last, points),
    ))
}

/// How much of what a pretrained condition gains over the same net without pretraining, a better start gains too.
fn start_or_pretraining(
    pretrained: &ConditionSummary,
    results: &PretrainingResults,
) -> Option<String> {
    // Controls of the pretraining itself are not what it is judged by.
    let mut differences = results.differences.iter();
    let is_judged = differences.any(|difference| difference.minuend == pretrained.condition);
    if pretrained.pretrained_layers == 0 || !is_judged {
        return None;
    }
    let end = |condition: &ConditionSummary| Some(last(&condition.accuracy)?.1.median);
    let mut rivals: Vec<(f64, &ConditionSummary)> = results
        .conditions
        .iter()
        .filter(|other| {
            other.pretrained_layers == 0 && other.hidden_units == pretrained.hidden_units
        })
        .filter_map(|other| Some((end(other)?, other)))
        .collect();
    rivals.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (reached, name) = (end(pretrained)?, &pretrained.condition);
    let [(lowest, worst), .., (highest, best)] = rivals[..] else {
        return None;
    };
    if learns(worst, results.chance) || reached <= lowest {
        return None;
    }
    if highest >= reached {
        return Some(format!(
            "{}, which has the same layers and no pretraining ({}), ends {} points above {name}.",
            best.condition,
            best.description,
            (100.0 * (highest - reached)).round_to(2)
        ));
    }
    let gained = format!(
        "Of the {} points that {name} ends above {}, {} needs no pretraining for {}: it has the same layers and other settings",
        (100.0 * (reached - lowest)).round_to(2),
        worst.condition,
        best.condition,
        (100.0 * (highest - lowest)).round_to(2),
    );
    Some(format!(
        "{gained} ({}). What pretraining adds to that is {} points.",
        best.description,
        (100.0 * (reached - highest)).round_to(2)
    ))
}

/// What the first condition of a difference takes, pretraining included, beside what the second takes.
fn what_it_cost(
    difference: &Difference,
    results: &PretrainingResults,
    records: &[ClassifierRecord],
) -> Option<String> {
    let summary = |name: &str| {
        let mut conditions = results.conditions.iter();
        conditions.find(|condition| condition.condition == name)
    };
    let (one, other) = (
        summary(&difference.minuend)?,
        summary(&difference.subtrahend)?,
    );
    if one.pretrained_layers == 0 || other.pretrained_layers > 0 {
        return None;
    }
    // Every seed of a condition does the same work: the first one speaks for all.
    let work = |condition: &ConditionSummary| -> Option<Vec<f64>> {
        let of_condition = || {
            records
                .iter()
                .filter(|record| record.condition == condition.condition)
        };
        let member = of_condition().map(|record| record.member).min()?;
        let by_epoch = of_condition().filter(|record| record.member == member);
        Some(
            by_epoch
                .map(|record| record.giga_multiply_accumulates)
                .collect(),
        )
    };
    let (mine, theirs) = (work(one)?, work(other)?);
    let (&pretraining, &total) = (mine.first()?, mine.last()?);
    let their_total = *theirs.last()?;
    let affordable = theirs.iter().rposition(|&spent| spent <= pretraining)?;
    let reached = other.accuracy.get(affordable)?.median;
    let epochs = other.accuracy.len() - 1;
    let meanwhile = if affordable == epochs {
        format!(
            "for the price of the pretraining alone, {} has had all of its {epochs} epochs and is at {}",
            other.condition,
            percent(reached)
        )
    } else if affordable == 0 {
        format!(
            "the pretraining alone costs less than one epoch of {}",
            other.condition
        )
    } else {
        format!(
            "for the price of the pretraining alone, {} has had {affordable} of its {epochs} epochs and is at {}",
            other.condition,
            percent(reached)
        )
    };
    Some(format!(
        "{} learns {} numbers, those of its pretraining included, where {} learns {}, and takes {} × its multiply–accumulates; {meanwhile}.",
        one.condition,
        grouped(one.parameters_learnt),
        other.condition,
        grouped(other.parameters_learnt),
        (total / their_total).round_to(1),
    ))
}

/// The last epoch's number and what it holds, if any epoch was trained.
fn last(by_epoch: &[Spread]) -> Option<(usize, &Spread)> {
    let epochs = by_epoch.len().checked_sub(1).filter(|&epochs| epochs > 0)?;
    Some((epochs, &by_epoch[epochs]))
}

/// `98.18 %`.
pub(super) fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// `+0.53`, in percentage points.
pub(super) fn points(share: f64) -> String {
    format!("{:+.2}", 100.0 * share).replace('-', "−")
}

/// `98.18 % (98.01 % to 98.21 %)`: the median between the extremes; the median alone where all are the same.
pub(super) fn with_range(spread: &Spread, format: fn(f64) -> String) -> String {
    let [low, median, high] = [spread.smallest, spread.median, spread.largest].map(format);
    if low == high {
        return median;
    }
    format!("{median} ({low} to {high})")
}

/// `1,234,567`.
pub(super) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

trait RoundTo {
    /// With so many decimals.
    fn round_to(self, decimals: usize) -> String;
}

impl RoundTo for f64 {
    fn round_to(self, decimals: usize) -> String {
        format!("{self:.decimals$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::accuracy::tests::record;

    fn same(value: f64) -> Spread {
        Spread {
            smallest: value,
            median: value,
            largest: value,
        }
    }

    fn condition(name: &str, pretrained_layers: usize, accuracy: &[f64]) -> ConditionSummary {
        ConditionSummary {
            condition: name.to_owned(),
            description: format!("what {name} is"),
            hidden_units: vec![100; 15],
            pretrained_layers,
            parameters: 1000,
            parameters_learnt: 1000 * (1 + pretrained_layers),
            accuracy: accuracy.iter().map(|&value| same(value)).collect(),
            best: accuracy[1..].iter().copied().fold(0.0, f64::max),
        }
    }

    fn results(conditions: Vec<ConditionSummary>) -> PretrainingResults {
        PretrainingResults {
            conditions,
            differences: vec![Difference {
                minuend: "D".to_owned(),
                subtrahend: "C".to_owned(),
                by_epoch: vec![same(0.0), same(0.85), same(-0.01), same(0.865)],
            }],
            transfers: Vec::new(),
            layers_of: vec!["C".to_owned()],
            chance: 0.1135,
            probe_images: 10,
        }
    }

    fn layer(layer: usize, gradient_norm: f64) -> LayerRecord {
        LayerRecord {
            layer,
            epoch: 0,
            member: 0,
            label: "C".to_owned(),
            condition: "C".to_owned(),
            seed: 0,
            gradient_norm,
            gradient_mean: 0.0,
            activation_mean: 0.0,
            activation_spread: 0.0,
            dead_units: 0,
            units: 1,
        }
    }

    #[test]
    fn the_numbers_decide_what_is_said() {
        let results = results(vec![
            condition("C", 0, &[0.1, 0.1135, 0.1135, 0.1135]),
            condition("C He", 0, &[0.1, 0.9, 0.95, 0.974]),
            condition("D", 15, &[0.1, 0.96, 0.97, 0.9818]),
        ]);
        let records = [
            // Epochs of 10 units of work each; D's pretraining takes 25.
            ClassifierRecord {
                giga_multiply_accumulates: 25.0,
                ..record("D", 2, 0, 0.1)
            },
            ClassifierRecord {
                giga_multiply_accumulates: 45.0,
                ..record("D", 2, 1, 0.96)
            },
            record("C", 0, 0, 0.1),
            record("C", 0, 1, 0.1135),
            record("C", 0, 2, 0.1135),
            record("C", 0, 3, 0.1135),
        ];
        let said = reading(&results, &records, &[layer(1, 1e-10), layer(2, 0.5)]);
        assert_eq!(
            said,
            [
                "C does not learn: the best that any seed reaches after any epoch is 11.35 %, within 5 points of what always naming the commonest class reaches, 11.35 %.",
                "C He is at 90.00 % after its first epoch and at 97.40 % after epoch 3.",
                "D is at 96.00 % after its first epoch and at 98.18 % after epoch 3.",
                "When the training of C begins, the gradient is 0.50 in the softmax layer and 1.0e−10 in layer 1 – 2.0e−10 of it (norms, medians over seeds).",
                "D − C, paired by seed: +85.00 points after the first epoch and +86.50 after epoch 3; the median is above 0 after 2 of 3 epochs.",
                "Of the 86.83 points that D ends above C, C He needs no pretraining for 86.05: it has the same layers and other settings (what C He is). What pretraining adds to that is 0.78 points.",
                "D learns 16,000 numbers, those of its pretraining included, where C learns 1,000, and takes 1.5 × its multiply–accumulates; for the price of the pretraining alone, C has had 2 of its 3 epochs and is at 11.35 %.",
            ]
        );
    }

    #[test]
    fn a_seed_that_stays_at_chance_is_not_passed_over() {
        let mut results = results(vec![condition("C Adam", 0, &[0.1, 0.5, 0.95])]);
        results.conditions[0].accuracy[2].smallest = 0.1135;
        let said = says_whether_it_learns(&results.conditions[0], &results);
        assert_eq!(
            said.expect("it has epochs"),
            "C Adam is at 50.00 % after its first epoch and at 95.00 % (11.35 % to 95.00 %) after epoch 2. Not every seed learns."
        );
    }

    #[test]
    fn a_better_start_that_wins_is_said_to_win() {
        let results = results(vec![
            condition("C", 0, &[0.1, 0.1135]),
            condition("C He", 0, &[0.1, 0.98]),
            condition("D", 15, &[0.1, 0.96]),
        ]);
        let said = start_or_pretraining(&results.conditions[2], &results).expect("a sentence");
        assert_eq!(
            said,
            "C He, which has the same layers and no pretraining (what C He is), ends 2.00 points above D."
        );
    }

    #[test]
    fn a_run_without_an_epoch_says_nothing() {
        let results = results(vec![condition("C", 0, &[0.1]), condition("D", 15, &[0.1])]);
        let said = reading(&results, &[], &[]);
        assert_eq!(said.len(), 1, "the difference has epochs: {said:?}");
    }

    #[test]
    fn numbers_are_written_for_readers() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(
            [grouped(0), grouped(999), grouped(1000)],
            ["0", "999", "1,000"]
        );
        let spread = Spread {
            smallest: -0.002,
            median: 0.005,
            largest: 0.01,
        };
        assert_eq!(with_range(&spread, points), "+0.50 (−0.20 to +1.00)");
        assert_eq!(with_range(&same(0.5), percent), "50.00 %");
    }
}
