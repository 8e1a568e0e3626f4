//! Whether seeds learn the same units: the units of one seed matched with those of the next, by the cosine between their
//! encoder weights.

use std::collections::BTreeMap;

use maud::{Markup, html};
use pathfinding::kuhn_munkres::kuhn_munkres;
use pathfinding::matrix::Matrix;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::figures::RedrawError;
use super::quantities::{Finding, Outcomes, Quantity};
use super::{Evidence, Found, Run, value};
use crate::report::{Figures, Term, number, table};
use crate::results::{self, Member};
use crate::spec::{Activation, Condition, Model, Plan};
use crate::weights::{Weights, layer_name, member_prefix};

/// A cosine from which on a unit has found its partner, and a looser one.
pub const PARTNER_FROM: f64 = 0.9;
/// The looser one.
pub const LIKENESS_FROM: f64 = 0.7;
/// Matched units of a seed, the first ones; each may be matched with any unit of the other seed.
const MOST_UNITS: usize = 300;
/// Cosines are matched as whole numbers of millionths: the same on every machine.
const MILLION: f64 = 1e6;

/// The evidence of units that several seeds find.
pub struct Matching;

/// The units of one seed, matched with those of another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Matched {
    /// The other seed.
    pub with: u64,
    /// How many units were matched.
    pub units: usize,
    /// Per cent of them whose cosine with their partner is at least [`PARTNER_FROM`].
    pub partners: f64,
    /// Per cent of them at [`LIKENESS_FROM`].
    pub likenesses: f64,
    /// The median cosine of matched units.
    pub median: f64,
    /// Per cent of all pairs, matched or not, at [`PARTNER_FROM`] and at [`LIKENESS_FROM`]: what is to be expected of a
    /// matching by chance.
    pub by_chance: [f64; 2],
}

impl Evidence for Matching {
    fn name(&self) -> &'static str {
        "matching"
    }

    fn applies(&self, plan: &Plan) -> bool {
        plan.run.seeds.len() > 1 && plan.conditions.iter().any(|of| encoder(of).is_some())
    }

    fn conclude(&self, found: &Found<'_>) -> Option<Value> {
        let members = crate::experiment::members(found.plan);
        let mut pairs: Vec<(&Member, &Member, Encoder)> = Vec::new();
        for condition in &found.plan.conditions {
            let of_condition = members.iter().filter(|of| of.condition == condition.name);
            let seeds: Vec<&Member> = of_condition
                .filter(|of| found.results.members.iter().any(|done| done.member == **of))
                .collect();
            if let (Some(encoder), true) = (encoder(condition), seeds.len() > 1) {
                // Each with the next, the last with the first.
                let next = seeds.iter().cycle().skip(1);
                pairs.extend(
                    seeds
                        .iter()
                        .zip(next)
                        .map(|(one, other)| (*one, *other, encoder)),
                );
            }
        }
        if pairs.is_empty() {
            return None;
        }
        let weights = (found.weights)();
        let pairs = pairs.par_iter();
        let matched: BTreeMap<usize, Matched> = pairs
            .filter_map(|&(one, other, encoder)| {
                let matched = encoder.matched(&weights, one, other)?;
                Some((one.index, matched))
            })
            .collect();
        Some(value(&matched))
    }

    fn quantities(&self) -> &'static [Quantity] {
        const MATCHED: [Quantity; 3] = [
            Quantity {
                name: "partners",
                unit: "%",
                words: &[],
                of: |of, member, epoch| at_the_end(of, member, epoch, "partners"),
            },
            Quantity {
                name: "likenesses",
                unit: "%",
                words: &[],
                of: |of, member, epoch| at_the_end(of, member, epoch, "likenesses"),
            },
            Quantity {
                name: "partner cosine",
                unit: "",
                words: &[],
                of: |of, member, epoch| at_the_end(of, member, epoch, "median"),
            },
        ];
        &MATCHED
    }

    fn show(&self, run: &Run<'_>, figures: &mut Figures) -> Result<Option<Markup>, RedrawError> {
        let matched: Option<BTreeMap<usize, Matched>> = run.results.of_run(self.name());
        let matched = matched.unwrap_or_default();
        if matched.is_empty() {
            return Ok(None);
        }
        Ok(Some(section(run, &matched, figures)))
    }
}

fn at_the_end(
    of: &Outcomes<'_>,
    member: usize,
    epoch: Option<usize>,
    what: &str,
) -> Option<Finding> {
    let matched = of.results.evidence.get(Matching.name())?;
    let number = matched.get(member.to_string())?.get(what)?.as_f64()?;
    epoch.is_none().then_some(Finding::Number(number))
}

/// Which weights of a model are compared.
#[derive(Debug, Clone, Copy)]
struct Encoder {
    weights: Compared,
    /// Whether the negative of a unit does what the unit does, as with an odd activation.
    is_odd: bool,
}

#[derive(Debug, Clone, Copy)]
enum Compared {
    /// To a classifier's first hidden layer.
    Layer,
    /// Of an autoencoder's encoder.
    Encoder,
    /// Of its decoder, where each unit's have norm 1: a dictionary, whose entries are learnt for every input.
    Decoder,
}

/// The weights nearest to the input: of layers above, inputs are units, which each seed has in another order.
fn encoder(condition: &Condition) -> Option<Encoder> {
    let (weights, activation) = match &condition.model {
        Model::Autoencoder(of) => {
            let weights = if of.autoencoder.decoder.has_unit_norm() {
                Compared::Decoder
            } else {
                Compared::Encoder
            };
            (weights, of.autoencoder.activation)
        }
        Model::Classifier(of) if of.classifier.hidden_units.is_empty() => return None,
        Model::Classifier(of) => (Compared::Layer, of.classifier.activation),
        Model::DeepAutoencoder(of) => (Compared::Layer, of.network.activation_of(0)),
    };
    Some(Encoder {
        weights,
        is_odd: matches!(
            activation,
            Activation::Tanh | Activation::Softsign | Activation::Identity
        ),
    })
}

impl Encoder {
    fn matched(self, weights: &Weights, one: &Member, other: &Member) -> Option<Matched> {
        let name = |member: &Member| {
            let prefix = member_prefix(member);
            match self.weights {
                Compared::Layer => format!("{prefix}/{}.weight", layer_name(0)),
                Compared::Encoder => format!("{prefix}/encoder.weight"),
                Compared::Decoder => format!("{prefix}/decoder.weight"),
            }
        };
        let by_columns = |member: &Member| {
            let found = weights.get(&name(member)).ok()?;
            Some(match self.weights {
                Compared::Decoder => found.transposed(),
                Compared::Layer | Compared::Encoder => found.clone(),
            })
        };
        let [a, b] = [by_columns(one)?, by_columns(other)?];
        let [_, units] = a.shape;
        let mut cosines = cosines(&a.values, &b.values, units, units.min(MOST_UNITS));
        if self.is_odd {
            for cosine in &mut cosines {
                *cosine = cosine.abs();
            }
        }
        let found = partners(&cosines, units);
        let share = |cosines: &[f64], from: f64| {
            let count = cosines.iter().filter(|&&cosine| cosine >= from).count();
            100.0 * count as f64 / cosines.len() as f64
        };
        let mut of_partners: Vec<f64> = found
            .iter()
            .enumerate()
            .map(|(one, &other)| cosines[one * units + other])
            .collect();
        Some(Matched {
            with: other.seed,
            units: found.len(),
            partners: share(&of_partners, PARTNER_FROM),
            likenesses: share(&of_partners, LIKENESS_FROM),
            median: results::median(&mut of_partners)?,
            by_chance: [
                share(&cosines, PARTNER_FROM),
                share(&cosines, LIKENESS_FROM),
            ],
        })
    }
}

/// The cosine between each of the first `rows` columns of one matrix and every column of another, `[column, column]`; both
/// are row-major with `units` columns. A column of zeros has 0 with any.
fn cosines(one: &[f32], other: &[f32], units: usize, rows: usize) -> Vec<f64> {
    let mut products = vec![0.0_f64; rows * units];
    let mut squares = [vec![0.0_f64; units], vec![0.0_f64; units]];
    for (a, b) in one.chunks_exact(units).zip(other.chunks_exact(units)) {
        let b: Vec<f64> = b.iter().map(|&b| f64::from(b)).collect();
        for (row, &a) in products.chunks_exact_mut(units).zip(a) {
            for (product, b) in row.iter_mut().zip(&b) {
                *product += f64::from(a) * b;
            }
        }
        for (square, &a) in squares[0].iter_mut().zip(a) {
            *square += f64::from(a) * f64::from(a);
        }
        for (square, b) in squares[1].iter_mut().zip(&b) {
            *square += b * b;
        }
    }
    let [one, other] = squares;
    for (row, one) in products.chunks_exact_mut(units).zip(one) {
        for (cosine, other) in row.iter_mut().zip(&other) {
            let lengths = (one * other).sqrt();
            *cosine = if lengths > 0.0 {
                *cosine / lengths
            } else {
                0.0
            };
        }
    }
    products
}

/// For each row of a matrix of cosines with so many columns, its column in the assignment whose sum is largest. There are
/// no more rows than columns, and one of each at least.
fn partners(cosines: &[f64], columns: usize) -> Vec<usize> {
    let weights = cosines
        .iter()
        .map(|cosine| (cosine * MILLION).round() as i64);
    let rows = cosines.len() / columns;
    let weights = Matrix::from_vec(rows, columns, weights.collect());
    let weights = weights.expect("as many entries as rows times columns");
    kuhn_munkres(&weights).1
}

fn section(run: &Run<'_>, matched: &BTreeMap<usize, Matched>, figures: &mut Figures) -> Markup {
    let members = &run.manifest.members;
    let mut chances = Vec::new();
    let mut largest = 0;
    let rows: Vec<Vec<String>> = run
        .plan
        .names()
        .filter_map(|condition| {
            let of_condition = members.iter().filter(|of| of.condition == condition);
            let seeds: Vec<&Matched> = of_condition
                .filter_map(|member| matched.get(&member.index))
                .collect();
            let each = |of: &dyn Fn(&Matched) -> f64| {
                let mut values: Vec<f64> = seeds.iter().map(|seed| of(seed)).collect();
                let median = results::median(&mut values)?;
                let (low, high) = (values.first()?, values.last()?);
                Some(format!(
                    "{} ({} to {})",
                    number(median),
                    number(*low),
                    number(*high)
                ))
            };
            largest = largest.max(seeds.iter().map(|seed| seed.units).max()?);
            chances.extend(seeds.iter().map(|seed| seed.by_chance[1]));
            Some(vec![
                condition.to_owned(),
                seeds.len().to_string(),
                seeds[0].units.to_string(),
                each(&|of| of.partners)?,
                each(&|of| of.likenesses)?,
                each(&|of| of.median)?,
                each(&|of| of.by_chance[1])?,
            ])
        })
        .collect();
    let partners = format!("cosine ≥ {PARTNER_FROM}, %");
    let likenesses = format!("cosine ≥ {LIKENESS_FROM}, %");
    let by_chance = format!("by chance ≥ {LIKENESS_FROM}, %");
    let head = figures.glossary.head(&[
        ("condition", None),
        ("seeds", None),
        ("units", None),
        (partners.as_str(), Some(Term::Partner)),
        (likenesses.as_str(), None),
        ("median cosine", None),
        (by_chance.as_str(), None),
    ]);
    let has_classifiers = !super::is_autoencoder(run.plan);
    html! {
        h2 { "Do seeds find the same units?" }
        p {
            "The units of each seed are matched with those of the next seed, and those of the last with the first’s, so that the "
            "cosines between their weights are as large as they can be in sum: those on the inputs or, where the decoder "
            "weights of each unit have norm 1, these. A unit whose cosine is at least "
            (PARTNER_FROM) " has found a partner that does the same; at least " (LIKENESS_FROM) " is a likeness."
            @if has_classifiers { " Compared are the units of the first hidden layer, after fine-tuning where there was pretraining." }
            @if largest == MOST_UNITS { " Of larger layers, the first " (MOST_UNITS) " units of a seed are matched with all of the next." }
        }
        (table("Units that find a partner: median over seeds, and range", &head, &rows))
        p {
            "By chance: the share of all pairs of one unit of each seed, matched or not, that are so alike. It is what a "
            "matching at random would come to."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosines_are_of_columns() {
        // Columns (3, 4) and (0, 0) against (4, 3) and (−3, −4).
        let found = cosines(&[3., 0., 4., 0.], &[4., -3., 3., -4.], 2, 2);
        let expected = [24.0 / 25.0, -1.0, 0.0, 0.0];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
    }

    #[test]
    fn the_sum_is_largest_and_not_each_cosine() {
        // Each row likes the first column most; 0.9 + 0.1 is less than 0.8 + 0.7.
        assert_eq!(partners(&[0.9, 0.7, 0.8, 0.1], 2), [1, 0]);
        // More columns than rows.
        assert_eq!(partners(&[0.1, 0.2, 0.9, 0.3, 0.8, 0.9], 3), [2, 1]);
    }

    #[test]
    fn permuted_units_all_find_their_partners() {
        let units = 5;
        let one: Vec<f32> = (0..20 * units)
            .map(|at| ((at * at) % 23) as f32 - 11.0)
            .collect();
        let place = [3, 0, 4, 1, 2];
        let other: Vec<f32> = one
            .chunks_exact(units)
            .flat_map(|row| place.map(|at| 2.0 * row[at]))
            .collect();
        let mut weights = Weights::default();
        let members = [0, 1].map(|seed| Member::new(0, "D".to_owned(), seed, &[0, 1]));
        weights.insert_members(
            &members,
            "encoder.weight",
            [2, 20, units],
            &[one, other].concat(),
        );
        let encoder = Encoder {
            weights: Compared::Encoder,
            is_odd: false,
        };
        let found = encoder
            .matched(&weights, &members[0], &members[1])
            .expect("weights");
        assert_eq!((found.units, found.with), (5, 1));
        assert_eq!(
            [found.partners, found.likenesses].map(f64::to_bits),
            [100.0_f64.to_bits(); 2]
        );
        assert!((found.median - 1.0).abs() < 1e-12);
        assert!((20.0..100.0).contains(&found.by_chance[1]), "{found:?}");
    }
}
