//! What a pretraining run shows, in sentences drawn from its numbers: nothing is said here that the numbers do not
//! decide. Whether anything was learnt is for [`learning`](super::learning) to say.

use super::accuracy::{Chance, Comparison, ConditionSummary, Difference};
use crate::report::significant;
use crate::results::{ClassifierRecord, LayerRecord, Spread};
use crate::words::{counted, named};

use super::learning::{Judge, Verdict};

/// One sentence, or a few that belong together, for each finding.
#[must_use]
pub fn reading(
    results: &Comparison,
    records: &[ClassifierRecord],
    layers: &[LayerRecord],
) -> Vec<String> {
    let judge = Judge::new(results.chance);
    let courses: Vec<Course> = results
        .conditions
        .iter()
        .map(|condition| Course::new(&condition.condition, results, records))
        .collect();
    let learning = courses
        .iter()
        .filter_map(|course| what_it_learns(course, &judge, results.chance));
    let gradients = results.layers_of.iter().filter_map(|condition| {
        let ended = |member| has_ended(results, member);
        first_against_last_layer(condition, layers, &ended)
    });
    let differences = results.differences.iter().filter_map(what_came_of);
    let starts = results
        .conditions
        .iter()
        .filter_map(|condition| start_or_pretraining(condition, results, &courses, &judge));
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

/// How the sentences about learning are come by.
#[must_use]
pub(super) fn how_learning_is_judged(chance: Chance) -> String {
    let judge = Judge::new(chance);
    let images = counted(grouped(chance.test_images), "test image");
    if chance.commonest == chance.test_images {
        let all = if chance.test_images == 1 {
            "The only test image is"
        } else {
            "All test images are"
        };
        return format!(
            "{all} of one class: no accuracy on them says whether anything was learnt."
        );
    }
    let line = match judge.threshold() {
        Some(threshold) => format!("here {} or more", percent(threshold)),
        None => "which no accuracy on so few images is".to_owned(),
    };
    format!(
        "Always naming the commonest class is right for {} of the {images}, {}: chance. An accuracy counts as above chance if guesses that are right as often as that reach it in fewer than 1 of 1,000 runs (an exact binomial test), {line}.",
        grouped(chance.commonest),
        percent(chance.accuracy()),
    )
}

/// The way of one condition through its training.
struct Course<'a> {
    name: &'a str,
    /// Test accuracy of each seed that did not end early, at the start and after each epoch that all of these have reached.
    accuracy: Vec<Vec<f64>>,
    /// Training cost of each of these seeds in its last epoch, in nats.
    cost: Vec<f64>,
    /// How many seeds ended early.
    ended: usize,
}

fn has_ended(results: &Comparison, member: usize) -> bool {
    let mut ended = results.ended.iter();
    ended.any(|ended| ended.member.index == member)
}

impl<'a> Course<'a> {
    fn new(name: &'a str, results: &Comparison, records: &[ClassifierRecord]) -> Self {
        let mut records: Vec<&ClassifierRecord> = records
            .iter()
            .filter(|record| record.condition == name && !has_ended(results, record.member))
            .collect();
        records.sort_by_key(|record| (record.member, record.epoch));
        let seeds = || records.chunk_by(|a, b| a.member == b.member);
        let reached = seeds().map(<[_]>::len).min().unwrap_or(0);
        let ended = results.ended.iter();
        Self {
            name,
            accuracy: seeds()
                .map(|seed| {
                    let seed = seed[..reached].iter();
                    seed.map(|record| record.test_accuracy).collect()
                })
                .collect(),
            cost: seeds().filter_map(|seed| seed[reached - 1].cost).collect(),
            ended: ended.filter(|ended| ended.member.condition == name).count(),
        }
    }

    fn seeds(&self) -> usize {
        self.accuracy.len()
    }

    fn epochs(&self) -> usize {
        let epochs = self.accuracy.first().map_or(0, Vec::len);
        epochs.saturating_sub(1)
    }

    fn after(&self, epoch: usize) -> Option<Spread> {
        let seeds = self.accuracy.iter();
        Spread::of(seeds.filter_map(|seed| seed.get(epoch).copied()))
    }

    /// How many seeds are above chance after the last epoch.
    fn learnt(&self, judge: &Judge) -> usize {
        let last = self.accuracy.iter().filter_map(|seed| seed.last());
        last.filter(|&&accuracy| judge.verdict(accuracy) == Verdict::AboveChance)
            .count()
    }

    /// The epoch of the highest accuracy of any seed, and that accuracy; the earliest of equals. The start is no epoch.
    fn best(&self) -> Option<(usize, f64)> {
        let of_seed = |seed: &'_ Vec<f64>| -> Vec<(usize, f64)> {
            seed.iter().copied().enumerate().skip(1).collect()
        };
        let mut all: Vec<(usize, f64)> = self.accuracy.iter().flat_map(of_seed).collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        all.first().copied()
    }
}

/// Where a condition begins and ends, and whether that is above chance.
fn what_it_learns(course: &Course, judge: &Judge, chance: Chance) -> Option<String> {
    let (name, seeds) = (named(course.name), course.seeds());
    if seeds == 0 && course.ended > 0 {
        return Some(match course.ended {
            1 => format!("{name} was not trained to its end: it ended early."),
            ended => format!(
                "None of the {ended} seeds of {name} was trained to its end: all ended early."
            ),
        });
    }
    let (best_epoch, best) = course.best()?;
    let learnt = course.learnt(judge);
    let mut said = Vec::new();
    if judge.verdict(best) == Verdict::AboveChance {
        said.push(where_it_is(course)?);
        let best = percent(best);
        if learnt == 0 {
            let was = if seeds == 1 { "It" } else { "The best seed" };
            let is = if seeds == 1 {
                "and is not"
            } else {
                "and none is"
            };
            said.push(format!(
                "{was} had been at {best} after epoch {best_epoch}, {is} clearly above chance any more."
            ));
        } else if learnt < seeds {
            said.push(format!(
                "Of its {seeds} seeds, {} not clearly above chance at the end.",
                are(seeds - learnt)
            ));
        }
    } else {
        said.push(how_it_compares_to_chance(course, judge, best, chance));
    }
    if learnt == 0
        && let Some(cost) = Spread::of(course.cost.iter().copied())
    {
        said.push(format!(
            "Its training cost ends at {}, where answering with the shares of the classes costs {} (nats).",
            with_range(&cost, nats),
            nats(chance.entropy)
        ));
    }
    if course.ended > 0 {
        said.push(format!(
            "Of its {}, {} left out: ended early.",
            counted(seeds + course.ended, "seed"),
            are(course.ended)
        ));
    }
    Some(said.join(" "))
}

/// The accuracies of a condition that has been above chance.
fn where_it_is(course: &Course) -> Option<String> {
    let (name, epochs) = (named(course.name), course.epochs());
    let (first, last) = (course.after(1)?, course.after(epochs)?);
    let [first, last] = [first, last].map(|spread| with_range(&spread, percent));
    Some(match epochs {
        1 => format!("{name} is at {last} after its only epoch."),
        _ => format!(
            "{name} is at {first} after its first epoch and at {last} after epoch {epochs}."
        ),
    })
}

/// What is told of a condition that was never clearly above chance.
fn how_it_compares_to_chance(course: &Course, judge: &Judge, best: f64, chance: Chance) -> String {
    let name = named(course.name);
    let of_what = match (course.seeds(), course.epochs()) {
        (1, 1) => "its test accuracy after its only epoch",
        (_, 1) => "its best test accuracy of all seeds",
        (1, _) => "its best test accuracy after any epoch",
        _ => "its best test accuracy of all seeds and epochs",
    };
    let [reached, chance] = [best, chance.accuracy()].map(percent);
    if judge.verdict(best) == Verdict::AtChance {
        format!(
            "{name} stays at chance: {of_what} is {reached}, no better than always naming the commonest class ({chance})."
        )
    } else {
        format!(
            "It cannot be told whether {name} has learnt anything: {of_what} is {reached}, which a guess may reach by luck, as always naming the commonest class reaches {chance}."
        )
    }
}

/// The start's gradient in the layer next to the input, against that of the softmax layer; nothing of a net that has no
/// hidden layer.
fn first_against_last_layer(
    condition: &str,
    layers: &[LayerRecord],
    has_ended: &dyn Fn(usize) -> bool,
) -> Option<String> {
    let at_start = || {
        layers.iter().filter(|record| {
            record.condition == condition && record.epoch == 0 && !has_ended(record.member)
        })
    };
    let softmax = at_start().map(|record| record.layer).max()?;
    if softmax == 1 {
        return None;
    }
    let of_layer = |layer: usize| {
        let seeds = at_start().filter(move |record| record.layer == layer);
        seeds.map(|record| record.gradient_norm)
    };
    let norm = |layer: usize| Some(Spread::of(of_layer(layer))?.median);
    let (first, last) = (norm(1)?, norm(softmax)?);
    let ratio = if first > 0.0 && last > 0.0 {
        format!(", {} times as large", significant(first / last, 2))
    } else {
        String::new()
    };
    let medians = match of_layer(1).count() {
        1 => "",
        _ => " (medians over seeds)",
    };
    Some(format!(
        "When the training of {} begins, the norm of the gradient is {} in the softmax layer and {} in layer 1{ratio}{medians}.",
        named(condition),
        significant(last, 2),
        significant(first, 2),
    ))
}

fn what_came_of(difference: &Difference) -> Option<String> {
    let Difference {
        minuend,
        subtrahend,
        seeds,
        by_epoch,
    } = difference;
    let [minuend, subtrahend] = [minuend, subtrahend].map(|name| named(name));
    let (epochs, last) = last(by_epoch)?;
    let first = by_epoch.get(1)?;
    let (paired, what) = match seeds {
        1 => ("", "it"),
        _ => (", paired by seed", "the median"),
    };
    if epochs == 1 {
        return Some(format!(
            "{minuend} − {subtrahend}{paired}: {} points after the only epoch.",
            with_range(last, points)
        ));
    }
    let after = &by_epoch[1..];
    let ahead = after.iter().filter(|spread| spread.median > 0.0).count();
    Some(format!(
        "{minuend} − {subtrahend}{paired}: {} points after the first epoch and {} after epoch {epochs}; {what} is above 0 after {ahead} of {epochs} epochs.",
        with_range(first, points),
        with_range(last, points),
    ))
}

/// How much of what a pretrained condition gains over the same net without pretraining, a better start gains too.
fn start_or_pretraining(
    pretrained: &ConditionSummary,
    results: &Comparison,
    courses: &[Course],
    judge: &Judge,
) -> Option<String> {
    // Controls of the pretraining itself are not what it is judged by.
    let mut differences = results.differences.iter();
    let is_judged = differences.any(|difference| difference.minuend == pretrained.condition);
    if pretrained.pretrained_layers == 0 || !is_judged {
        return None;
    }
    // In hundredths of a percentage point, as they are written: so that what is said adds up.
    let end = |condition: &ConditionSummary| {
        let median = last(&condition.accuracy)?.1.median;
        Some((1e4 * median).round() as i64)
    };
    let mut rivals: Vec<(i64, &ConditionSummary)> = results
        .conditions
        .iter()
        .filter(|other| {
            other.pretrained_layers == 0 && other.hidden_units == pretrained.hidden_units
        })
        .filter_map(|other| Some((end(other)?, other)))
        .collect();
    rivals.sort_by_key(|rival| rival.0);
    let (reached, name) = (end(pretrained)?, named(&pretrained.condition));
    let [(lowest, worst), .., (highest, best)] = rivals[..] else {
        return None;
    };
    let mut courses = courses.iter();
    let course = courses.find(|course| course.name == worst.condition)?;
    if course.learnt(judge) > 0 || reached <= lowest {
        return None;
    }
    let hundredths = |points: i64| format!("{:.2}", points as f64 / 100.0);
    let same_layers = format!(
        "{}, with the same layers but no pretraining ({}),",
        named(&best.condition),
        best.description
    );
    if highest == reached {
        return Some(format!("{same_layers} finishes level with {name}."));
    }
    if highest > reached {
        return Some(format!(
            "{same_layers} finishes {} points above {name}.",
            hundredths(highest.saturating_sub(reached))
        ));
    }
    let gained = format!(
        "{name} finishes {} points above {}.",
        hundredths(reached.saturating_sub(lowest)),
        named(&worst.condition)
    );
    if highest == lowest {
        return Some(format!("{gained} {same_layers} gains none of them."));
    }
    Some(format!(
        "{gained} {same_layers} already gains {} of them; pretraining adds {}.",
        hundredths(highest.saturating_sub(lowest)),
        hundredths(reached.saturating_sub(highest))
    ))
}

/// What the first condition of a difference takes, pretraining included, beside what the second takes.
fn what_it_cost(
    difference: &Difference,
    results: &Comparison,
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
    // Every seed of a condition does the same work, if it does not end early: one speaks for all.
    let work = |condition: &ConditionSummary| -> Option<Vec<f64>> {
        let of_condition = || {
            records.iter().filter(|record| {
                record.condition == condition.condition && !has_ended(results, record.member)
            })
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
    let (epochs, _) = last(&other.accuracy)?;
    if their_total <= 0.0 || theirs.len() != epochs + 1 {
        return None;
    }
    let affordable = theirs.iter().rposition(|&spent| spent <= pretraining)?;
    let reached = percent(other.accuracy.get(affordable)?.median);
    let name = named(&other.condition);
    let price = "The computation of the pretraining alone";
    let meanwhile = match affordable {
        0 => format!("{price} is less than that of one epoch of {name}"),
        1 if epochs == 1 => format!("{price} would train {name} for its only epoch, to {reached}"),
        all if all == epochs => {
            format!("{price} would train {name} for all of its {epochs} epochs, to {reached}")
        }
        some => {
            format!("{price} would train {name} for {some} of its {epochs} epochs, to {reached}")
        }
    };
    let pretrained = named(&one.condition);
    Some(format!(
        "{pretrained} learns {} parameters, those of its pretraining included; {name} learns {}. {pretrained} takes {:.1} times the multiply–accumulates of {name}. {meanwhile}.",
        grouped(one.parameters_learnt),
        grouped(other.parameters_learnt),
        total / their_total,
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

/// `+0.53`, in percentage points; nothing has no sign.
pub(super) fn points(share: f64) -> String {
    let text = format!("{:+.2}", 100.0 * share).replace('-', "−");
    match text.as_str() {
        "+0.00" | "−0.00" => "0.00".to_owned(),
        _ => text,
    }
}

/// A cost as it is written.
fn nats(cost: f64) -> String {
    significant(cost, 3)
}

/// `1 is`, `2 are`.
fn are(count: usize) -> String {
    match count {
        1 => "1 is".to_owned(),
        _ => format!("{count} are"),
    }
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

#[cfg(test)]
mod tests {
    use super::super::accuracy_charts::tests::record;
    use super::*;
    use crate::results::{Ended, Member};

    /// What is made up about one condition: test accuracy by seed and epoch, the start first; epochs of 10 units of work
    /// each, after a pretraining of 25 where layers are pretrained.
    struct Made {
        name: &'static str,
        hidden_layers: usize,
        pretrained_layers: usize,
        accuracy: Vec<Vec<f64>>,
        /// The training cost of the last epoch.
        cost: f64,
    }

    fn made(name: &'static str, accuracy: &[&[f64]]) -> Made {
        Made {
            name,
            hidden_layers: 15,
            pretrained_layers: 0,
            accuracy: accuracy.iter().map(|seed| seed.to_vec()).collect(),
            cost: 2.301,
        }
    }

    fn pretrained(name: &'static str, accuracy: &[&[f64]]) -> Made {
        Made {
            pretrained_layers: 15,
            ..made(name, accuracy)
        }
    }

    /// The digits of MNIST.
    const DIGITS: Chance = Chance {
        test_images: 10_000,
        commonest: 1135,
        entropy: 2.301,
    };

    /// Ten thousand images, 96 % of them of one class.
    const NEARLY_ONE_CLASS: Chance = Chance {
        test_images: 10_000,
        commonest: 9600,
        entropy: 0.168,
    };

    fn spreads(by_seed: &[Vec<f64>]) -> Vec<Spread> {
        let epochs = by_seed.iter().map(Vec::len).min().unwrap_or(0);
        (0..epochs)
            .filter_map(|epoch| Spread::of(by_seed.iter().map(|seed| seed[epoch])))
            .collect()
    }

    /// The results and records of made-up conditions, with every pair in `differences` compared.
    fn found(
        conditions: &[Made],
        differences: &[(usize, usize)],
        chance: Chance,
    ) -> (Comparison, Vec<ClassifierRecord>) {
        let mut records = Vec::new();
        for made in conditions {
            for (seed, accuracy) in made.accuracy.iter().enumerate() {
                let member = records
                    .last()
                    .map_or(0, |last: &ClassifierRecord| last.member + 1);
                let pretraining = if made.pretrained_layers > 0 {
                    25.0
                } else {
                    0.0
                };
                for (epoch, &accuracy) in accuracy.iter().enumerate() {
                    records.push(ClassifierRecord {
                        seed: seed as u64,
                        cost: (epoch > 0).then_some(made.cost),
                        giga_multiply_accumulates: pretraining + 10.0 * epoch as f64,
                        ..record(made.name, member, epoch, accuracy)
                    });
                }
            }
        }
        let results = Comparison {
            conditions: conditions
                .iter()
                .map(|made| ConditionSummary {
                    kept: None,
                    condition: made.name.to_owned(),
                    description: format!("what {} is", made.name),
                    hidden_units: vec![100; made.hidden_layers],
                    pretrained_layers: made.pretrained_layers,
                    parameters: 1000,
                    parameters_learnt: 1000 * (1 + made.pretrained_layers),
                    seeds: made.accuracy.len(),
                    accuracy: spreads(&made.accuracy),
                    best: None,
                })
                .collect(),
            differences: differences
                .iter()
                .map(|&(minuend, subtrahend)| {
                    let [minuend, subtrahend] = [minuend, subtrahend].map(|at| &conditions[at]);
                    let pairs = minuend.accuracy.iter().zip(&subtrahend.accuracy);
                    let by_seed: Vec<Vec<f64>> = pairs
                        .map(|(a, b)| a.iter().zip(b).map(|(a, b)| a - b).collect())
                        .collect();
                    Difference {
                        minuend: minuend.name.to_owned(),
                        subtrahend: subtrahend.name.to_owned(),
                        seeds: by_seed.len(),
                        by_epoch: spreads(&by_seed),
                    }
                })
                .collect(),
            layers_of: Vec::new(),
            chance,
            ended: Vec::new(),
        };
        (results, records)
    }

    fn said(conditions: &[Made], differences: &[(usize, usize)], chance: Chance) -> Vec<String> {
        let (results, records) = found(conditions, differences, chance);
        reading(&results, &records, &[])
    }

    fn layer(layer: usize, member: usize, gradient_norm: f64) -> LayerRecord {
        LayerRecord {
            layer,
            epoch: 0,
            member,
            label: "C".to_owned(),
            condition: "C".to_owned(),
            seed: member as u64,
            gradient_norm,
            gradient_mean: 0.0,
            activation_mean: 0.0,
            activation_spread: 0.0,
            dead_units: 0,
            units: 1,
        }
    }

    #[test]
    fn one_seed_of_a_net_that_is_stuck_one_with_a_better_start_and_one_that_was_pretrained() {
        let conditions = [
            made("C", &[&[0.1, 0.1135, 0.1135, 0.1135]]),
            made("C He", &[&[0.1, 0.9, 0.95, 0.974]]),
            pretrained("D", &[&[0.1, 0.96, 0.1034, 0.9818]]),
        ];
        let (mut results, records) = found(&conditions, &[(2, 0)], DIGITS);
        results.layers_of = vec!["C".to_owned()];
        let layers = [layer(1, 0, 1e-10), layer(2, 0, 0.5)];
        assert_eq!(
            reading(&results, &records, &layers),
            [
                "C stays at chance: its best test accuracy after any epoch is 11.35 %, no better than always naming the commonest class (11.35 %). Its training cost ends at 2.30, where answering with the shares of the classes costs 2.30 (nats).",
                "C He is at 90.00 % after its first epoch and at 97.40 % after epoch 3.",
                "D is at 96.00 % after its first epoch and at 98.18 % after epoch 3.",
                "When the training of C begins, the norm of the gradient is 0.50 in the softmax layer and 1.0e−10 in layer 1, 2.0e−10 times as large.",
                "D − C: +84.65 points after the first epoch and +86.83 after epoch 3; it is above 0 after 2 of 3 epochs.",
                "D finishes 86.83 points above C. C He, with the same layers but no pretraining (what C He is), already gains 86.05 of them; pretraining adds 0.78.",
                "D learns 16,000 parameters, those of its pretraining included; C learns 1,000. D takes 1.8 times the multiply–accumulates of C. The computation of the pretraining alone would train C for 2 of its 3 epochs, to 11.35 %.",
            ]
        );
    }

    #[test]
    fn many_seeds_have_medians_and_ranges() {
        let conditions = [
            made(
                "C",
                &[
                    &[0.1, 0.1135, 0.1135],
                    &[0.1, 0.0980, 0.1135],
                    &[0.1, 0.1028, 0.1135],
                ],
            ),
            pretrained(
                "D",
                &[&[0.1, 0.95, 0.98], &[0.1, 0.96, 0.982], &[0.1, 0.94, 0.981]],
            ),
        ];
        let (mut results, records) = found(&conditions, &[(1, 0)], DIGITS);
        results.layers_of = vec!["C".to_owned()];
        let layers = [1e-10, 3e-10, 2e-10].map(|norm| {
            [
                layer(1, (norm * 1e10) as usize, norm),
                layer(2, (norm * 1e10) as usize, 0.5),
            ]
        });
        assert_eq!(
            reading(&results, &records, layers.as_flattened()),
            [
                "C stays at chance: its best test accuracy of all seeds and epochs is 11.35 %, no better than always naming the commonest class (11.35 %). Its training cost ends at 2.30, where answering with the shares of the classes costs 2.30 (nats).",
                "D is at 95.00 % (94.00 % to 96.00 %) after its first epoch and at 98.10 % (98.00 % to 98.20 %) after epoch 2.",
                "When the training of C begins, the norm of the gradient is 0.50 in the softmax layer and 2.0e−10 in layer 1, 4.0e−10 times as large (medians over seeds).",
                "D − C, paired by seed: +83.72 (+83.65 to +86.20) points after the first epoch and +86.75 (+86.65 to +86.85) after epoch 2; the median is above 0 after 2 of 2 epochs.",
                "D learns 16,000 parameters, those of its pretraining included; C learns 1,000. D takes 2.2 times the multiply–accumulates of C. The computation of the pretraining alone would train C for all of its 2 epochs, to 11.35 %.",
            ]
        );
    }

    #[test]
    fn with_nearly_one_class_being_right_is_learning_and_naming_it_is_not() {
        let right = made("A", &[&[0.04, 0.97, 1.0]]);
        let names_it = Made {
            cost: 0.0842,
            ..made("B", &[&[0.04, 0.96, 0.96]])
        };
        assert_eq!(
            said(&[right, names_it], &[], NEARLY_ONE_CLASS),
            [
                "A is at 97.00 % after its first epoch and at 100.00 % after epoch 2.",
                "B stays at chance: its best test accuracy after any epoch is 96.00 %, no better than always naming the commonest class (96.00 %). Its training cost ends at 0.0842, where answering with the shares of the classes costs 0.168 (nats).",
            ]
        );
        assert_eq!(
            how_learning_is_judged(NEARLY_ONE_CLASS),
            "Always naming the commonest class is right for 9,600 of the 10,000 test images, 96.00 %: chance. An accuracy counts as above chance if guesses that are right as often as that reach it in fewer than 1 of 1,000 runs (an exact binomial test), here 96.60 % or more."
        );
    }

    #[test]
    fn of_one_class_nothing_can_be_told() {
        let one_class = Chance {
            test_images: 300,
            commonest: 300,
            entropy: 0.0,
        };
        let always_right = Made {
            cost: 0.0,
            ..made("A", &[&[0.0, 1.0]])
        };
        assert_eq!(
            said(&[always_right], &[], one_class),
            [
                "A stays at chance: its test accuracy after its only epoch is 100.00 %, no better than always naming the commonest class (100.00 %). Its training cost ends at 0, where answering with the shares of the classes costs 0 (nats).",
            ]
        );
        assert_eq!(
            how_learning_is_judged(one_class),
            "All test images are of one class: no accuracy on them says whether anything was learnt."
        );
        let one_image = Chance {
            test_images: 1,
            commonest: 1,
            entropy: 2.3,
        };
        assert_eq!(
            how_learning_is_judged(one_image),
            "The only test image is of one class: no accuracy on them says whether anything was learnt."
        );
    }

    #[test]
    fn of_few_images_nothing_is_claimed() {
        let few = Chance {
            test_images: 10,
            commonest: 2,
            entropy: 2.302,
        };
        assert_eq!(
            said(&[made("A", &[&[0.1, 0.5, 0.6]])], &[], few),
            [
                "It cannot be told whether A has learnt anything: its best test accuracy after any epoch is 60.00 %, which a guess may reach by luck, as always naming the commonest class reaches 20.00 %. Its training cost ends at 2.30, where answering with the shares of the classes costs 2.30 (nats).",
            ]
        );
        let hopeless = Chance {
            test_images: 2,
            commonest: 1,
            entropy: 2.302,
        };
        assert_eq!(
            how_learning_is_judged(hopeless),
            "Always naming the commonest class is right for 1 of the 2 test images, 50.00 %: chance. An accuracy counts as above chance if guesses that are right as often as that reach it in fewer than 1 of 1,000 runs (an exact binomial test), which no accuracy on so few images is."
        );
    }

    #[test]
    fn a_seed_that_stays_at_chance_is_not_passed_over() {
        let adam = made(
            "C Adam",
            &[&[0.1, 0.5, 0.95], &[0.1, 0.5, 0.1135], &[0.1, 0.5, 0.95]],
        );
        assert_eq!(
            said(&[adam], &[], DIGITS),
            [
                "C Adam is at 50.00 % after its first epoch and at 95.00 % (11.35 % to 95.00 %) after epoch 2. Of its 3 seeds, 1 is not clearly above chance at the end.",
            ]
        );
    }

    #[test]
    fn what_was_learnt_and_lost_is_told_as_that() {
        let one = made("C", &[&[0.1, 0.5, 0.6, 0.1135]]);
        let three = made(
            "E",
            &[
                &[0.1, 0.5, 0.1135],
                &[0.1, 0.1135, 0.1135],
                &[0.1, 0.4, 0.098],
            ],
        );
        assert_eq!(
            said(&[one, three], &[], DIGITS),
            [
                "C is at 50.00 % after its first epoch and at 11.35 % after epoch 3. It had been at 60.00 % after epoch 2, and is not clearly above chance any more. Its training cost ends at 2.30, where answering with the shares of the classes costs 2.30 (nats).",
                "E is at 40.00 % (11.35 % to 50.00 %) after its first epoch and at 11.35 % (9.80 % to 11.35 %) after epoch 2. The best seed had been at 50.00 % after epoch 1, and none is clearly above chance any more. Its training cost ends at 2.30, where answering with the shares of the classes costs 2.30 (nats).",
            ]
        );
    }

    #[test]
    fn a_start_that_happens_to_be_the_best_is_no_learning() {
        // Untrained weights may be right by accident, also more often than chance.
        assert_eq!(
            said(&[made("C", &[&[0.2, 0.1135, 0.1028]])], &[], DIGITS),
            [
                "C stays at chance: its best test accuracy after any epoch is 11.35 %, no better than always naming the commonest class (11.35 %). Its training cost ends at 2.30, where answering with the shares of the classes costs 2.30 (nats).",
            ]
        );
    }

    #[test]
    fn one_epoch_is_an_only_one() {
        let conditions = [made("B", &[&[0.1, 0.9]]), pretrained("D", &[&[0.1, 0.96]])];
        assert_eq!(
            said(&conditions, &[(1, 0)], DIGITS),
            [
                "B is at 90.00 % after its only epoch.",
                "D is at 96.00 % after its only epoch.",
                "D − B: +6.00 points after the only epoch.",
                "D learns 16,000 parameters, those of its pretraining included; B learns 1,000. D takes 3.5 times the multiply–accumulates of B. The computation of the pretraining alone would train B for its only epoch, to 90.00 %.",
            ]
        );
    }

    #[test]
    fn nets_without_hidden_layers_have_no_first_layer_to_compare_and_nothing_to_pretrain() {
        let conditions = [
            Made {
                hidden_layers: 0,
                ..made("A", &[&[0.1, 0.9, 0.92]])
            },
            Made {
                hidden_layers: 0,
                ..made("A Adam", &[&[0.1, 0.91, 0.92]])
            },
        ];
        let (mut results, records) = found(&conditions, &[(1, 0)], DIGITS);
        results.layers_of = vec!["C".to_owned()];
        assert_eq!(
            reading(&results, &records, &[layer(1, 0, 0.5)]),
            [
                "A is at 90.00 % after its first epoch and at 92.00 % after epoch 2.",
                "A Adam is at 91.00 % after its first epoch and at 92.00 % after epoch 2.",
                "A Adam − A: +1.00 points after the first epoch and 0.00 after epoch 2; it is above 0 after 1 of 2 epochs.",
            ]
        );
    }

    #[test]
    fn without_a_pretrained_condition_nothing_is_said_of_pretraining() {
        let conditions = [
            made("B", &[&[0.1, 0.9, 0.92]]),
            made("C", &[&[0.1, 0.1135, 0.1135]]),
        ];
        let told = said(&conditions, &[(0, 1)], DIGITS);
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(
            told.iter().all(|sentence| !sentence.contains("pretrain")),
            "{told:?}"
        );
    }

    #[test]
    fn ties_and_better_starts_that_win_are_told_as_that() {
        let with_he = |he: f64, d: f64| {
            let conditions = [
                made("C", &[&[0.1, 0.1135]]),
                made("C He", &[&[0.1, he]]),
                pretrained("D", &[&[0.1, d]]),
            ];
            said(&conditions, &[(2, 0)], DIGITS)[4].clone()
        };
        assert_eq!(
            with_he(0.96, 0.96),
            "C He, with the same layers but no pretraining (what C He is), finishes level with D."
        );
        assert_eq!(
            with_he(0.98, 0.96),
            "C He, with the same layers but no pretraining (what C He is), finishes 2.00 points above D."
        );
        assert_eq!(
            with_he(0.1135, 0.96),
            "D finishes 84.65 points above C. C He, with the same layers but no pretraining (what C He is), gains none of them."
        );
    }

    #[test]
    fn members_that_ended_early_count_nowhere_and_are_told() {
        let conditions = [
            made("B", &[&[0.1, 0.9, 0.92], &[0.1, 0.91], &[0.1, 0.9, 0.93]]),
            made("C", &[&[0.1], &[0.1, 0.1135], &[0.1]]),
            made("E", &[&[0.1]]),
        ];
        let (mut results, records) = found(&conditions, &[], DIGITS);
        results.ended = [("B", 1), ("C", 3), ("C", 4), ("C", 5), ("E", 6)]
            .map(|(condition, index)| Ended {
                member: Member {
                    index,
                    label: condition.to_owned(),
                    condition: condition.to_owned(),
                    seed: 0,
                },
                stage: None,
                epoch: 2,
                quantity: "the training cost".to_owned(),
                value: "NaN".to_owned(),
                hint: String::new(),
            })
            .to_vec();
        assert_eq!(
            reading(&results, &records, &[]),
            [
                "B is at 90.00 % after its first epoch and at 92.50 % (92.00 % to 93.00 %) after epoch 2. Of its 3 seeds, 1 is left out: ended early.",
                "None of the 3 seeds of C was trained to its end: all ended early.",
                "E was not trained to its end: it ended early.",
            ]
        );
    }

    #[test]
    fn a_run_that_was_stopped_before_an_epoch_says_nothing() {
        let conditions = [made("C", &[&[0.1]]), pretrained("D", &[&[0.1], &[]])];
        assert_eq!(said(&conditions, &[(1, 0)], DIGITS), Vec::<String>::new());
        let nothing = [made("C", &[]), pretrained("D", &[])];
        assert_eq!(said(&nothing, &[(1, 0)], DIGITS), Vec::<String>::new());
    }

    #[test]
    fn a_run_that_was_stopped_is_told_as_far_as_every_seed_has_got() {
        let stopped = made("B", &[&[0.1, 0.9, 0.92, 0.93], &[0.1, 0.91, 0.93]]);
        assert_eq!(
            said(&[stopped], &[], DIGITS),
            [
                "B is at 90.50 % (90.00 % to 91.00 %) after its first epoch and at 92.50 % (92.00 % to 93.00 %) after epoch 2."
            ]
        );
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
        assert_eq!([points(0.0), points(-1e-9), points(1e-9)], ["0.00"; 3]);
        let same = Spread {
            smallest: 0.5,
            median: 0.5,
            largest: 0.5,
        };
        assert_eq!(with_range(&same, percent), "50.00 %");
    }
}
