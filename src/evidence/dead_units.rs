//! Dead units: what a hidden unit's bias, drawn too wide, does to it, and what saves it.
//!
//! A ramp unit whose pre-activation is below 0 for every training image passes no gradient: its weights stay what
//! they were drawn as. The post found about half of the units so with biases ~ N(0, 1). Three counts tell how many
//! there are: units that are on for no training image before training, units whose weights are unchanged in every
//! bit after it, and units whose picture still looks like the noise it was drawn from.

use burn::tensor::Tensor;
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::figures::RedrawError;
use super::quantities::{Quantity, measured};
use super::{Evidence, Found, Run, is_autoencoder, scores, value};
use crate::experiment::{Models, Trained};
use crate::model::{Autoencoder, Selection, numbers};
use crate::ops::Rows;
use crate::report::{Figures, Glossary, Term, table};
use crate::results::{ConditionFacts, Ended, Member};
use crate::spec::Plan;
use crate::train::untrained;
use crate::words::counted;

/// A column that correlates above this with its initial values still looks like them.
pub const NOISE_LOOKING_ABOVE: f64 = 0.99;

/// The evidence of dead units: how many there are of each kind, and which.
pub struct DeadUnits;

/// Units of one autoencoder that do not learn, or do not speak; counted from 0. But for `dead`, what a unit does is
/// measured on the training images, for they are what could have taught it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnitCounts {
    /// How many hidden units the autoencoder has.
    pub hidden_units: usize,
    /// Dead on the test images after training, as in [`EpochRecord`](crate::results::EpochRecord).
    pub dead: Vec<usize>,
    /// Units that were on for no image before training: with a pre-activation above 0, and chosen where not all units are.
    pub never_on_at_start: Vec<usize>,
    /// The same after training.
    pub never_on: Vec<usize>,
    /// Units whose column of weights equals its initial values in every bit.
    pub unchanged: Vec<usize>,
    /// Units whose column correlates above 0.99 with its initial values, over pixels that are ever non-zero; not defined
    /// where there are no such pixels, or the initial values do not vary over them.
    pub noise_looking: Option<Vec<usize>>,
}

impl UnitCounts {
    fn noise_looking_count(&self) -> Option<String> {
        let units = self.noise_looking.as_ref()?;
        Some(units.len().to_string())
    }

    /// What stands under its grid, if any unit is to be told of.
    pub(super) fn caption(&self) -> Option<String> {
        let told = [&self.never_on_at_start, &self.never_on, &self.unchanged];
        let noise_looking = self.noise_looking.iter();
        if told.into_iter().chain(noise_looking).all(Vec::is_empty) {
            return None;
        }
        let noise_looking = self.noise_looking_count();
        let noise_looking = noise_looking.as_deref().unwrap_or("not defined");
        Some(format!(
            "never on before training {}, after it {}\nunchanged {} · noise-looking {noise_looking} · of {}",
            self.never_on_at_start.len(),
            self.never_on.len(),
            self.unchanged.len(),
            counted(self.hidden_units, "unit"),
        ))
    }
}

impl Evidence for DeadUnits {
    fn name(&self) -> &'static str {
        "dead_units"
    }

    fn applies(&self, plan: &Plan) -> bool {
        is_autoencoder(plan)
    }

    fn measure(&self, _: &Plan, trained: &Trained<'_>) -> Vec<Value> {
        counts(trained).iter().map(value).collect()
    }

    fn quantities(&self) -> &'static [Quantity] {
        measured! { DeadUnits:
            "never on before training", "", "/never_on_at_start";
            "never on after training", "", "/never_on";
            "unchanged", "", "/unchanged";
            "noise-looking", "", "/noise_looking";
        }
    }

    fn lines(&self, found: &Found<'_>) -> Vec<String> {
        let members = found.results.of_members::<UnitCounts>(self.name());
        let line = |(member, of): &(&Member, UnitCounts)| {
            let noise_looking = of.noise_looking_count();
            format!(
                "{}: of {}, never on at the start {}, never on at the end {}, unchanged {}, noise-looking {}",
                member.label,
                counted(of.hidden_units, "unit"),
                of.never_on_at_start.len(),
                of.never_on.len(),
                of.unchanged.len(),
                noise_looking
                    .as_deref()
                    .unwrap_or("not defined, as the initial weights do not vary"),
            )
        };
        members.iter().map(line).collect()
    }

    fn show(&self, run: &Run<'_>, figures: &mut Figures) -> Result<Option<Markup>, RedrawError> {
        let members = run.results.of_members::<UnitCounts>(self.name());
        if members.is_empty() && run.results.ended.is_empty() {
            return Ok(None);
        }
        let (ended, conditions) = (&run.results.ended, &run.results.conditions);
        let glossary = &mut figures.glossary;
        Ok(Some(section(&members, ended, conditions, glossary)))
    }
}

/// Counts the units of each member; nothing of classifiers.
fn counts(trained: &Trained<'_>) -> Vec<UnitCounts> {
    let Models::Autoencoders {
        setting,
        trainee,
        evaluations,
        ..
    } = trained.models
    else {
        return Vec::new();
    };
    let images = &trained.examples.train.images;
    let lit = trained.data.train.images.ever_on();
    let seeds: Vec<u64> = trained.members.iter().map(|member| member.seed).collect();
    let inputs = images.inputs();
    let spec = &setting.autoencoder;
    let units = spec.hidden_units;
    let start = untrained(setting, &seeds, images, 0);
    let model = trainee.model();
    let [at_start, at_end] = [&start, &model].map(|model| never_on(model, images));
    let (before, after) = (
        trainee.initial_weight(),
        numbers(model.encoder.weight.val()),
    );
    let matrices = before
        .chunks_exact(inputs * units)
        .zip(after.chunks_exact(inputs * units));
    matrices
        .enumerate()
        .map(|(at, (before, after))| UnitCounts {
            hidden_units: units,
            dead: evaluations[at].dead.clone(),
            never_on_at_start: at_start[at].clone(),
            never_on: at_end[at].clone(),
            unchanged: evaluations[at].untrained.clone(),
            noise_looking: noise_looking(before, after, &lit),
        })
        .collect()
}

fn section(
    members: &[(&Member, UnitCounts)],
    ended: &[Ended],
    conditions: &[ConditionFacts],
    glossary: &mut Glossary,
) -> Markup {
    // Every seed has its place, also one that ended early.
    let trained = members.iter().map(|(member, of)| (*member, Some(of)));
    let ended_members = ended.iter().map(|ended| (&ended.member, None));
    let mut all: Vec<(&Member, Option<&UnitCounts>)> = trained.chain(ended_members).collect();
    all.sort_by_key(|(member, _)| member.index);
    let rows: Vec<Vec<String>> = all
        .chunk_by(|(a, _), (b, _)| a.condition == b.condition)
        .map(|seeds| {
            let each = |of: &dyn Fn(&UnitCounts) -> Option<usize>| {
                let counts: Vec<String> = seeds
                    .iter()
                    .map(|(_, counts)| match counts.map(of) {
                        Some(Some(count)) => count.to_string(),
                        Some(None) => "not defined".to_owned(),
                        None => "ended".to_owned(),
                    })
                    .collect();
                counts.join(" ")
            };
            let units = seeds.iter().find_map(|(_, of)| Some((*of)?.hidden_units));
            vec![
                seeds[0].0.condition.clone(),
                units.map_or_else(|| "–".to_owned(), |units| units.to_string()),
                each(&|of| Some(of.never_on_at_start.len())),
                each(&|of| Some(of.never_on.len())),
                each(&|of| Some(of.unchanged.len())),
                each(&|of| Some(of.noise_looking.as_ref()?.len())),
            ]
        })
        .collect();
    let head = glossary.head(&[
        ("condition", None),
        ("units", None),
        ("never on before training", Some(Term::NeverOn)),
        ("never on after training", None),
        ("weights unchanged", Some(Term::Untrained)),
        ("noise-looking", Some(Term::NoiseLooking)),
    ]);
    let no_noise = members.iter().any(|(_, of)| of.noise_looking.is_none());
    html! {
        h2 { "Units that do not learn" }
        p {
            "A ramp unit whose pre-activation is below zero for every training image passes no gradient: no image changes its weights any more. \
             Where that is so from the start and there is no weight decay, the unit keeps its initial weights. \
             How many there are depends on how the bias is drawn: the wider, the more units are out of reach from the start. \
             A PReLU unit, which passes some gradient below zero too, can come back, and so can units that are no ramps."
        }
        (table(
            "Number of units, for each seed",
            &head,
            &rows,
        ))
        p {
            "Never on: the pre-activation is above 0 for no training image, or, with TopK, BatchTopK or JumpReLU, the unit is kept for none. Unchanged: the unit’s column of encoder weights equals its initial values in every bit. \
             Noise-looking: it correlates above 0.99 with its initial values, over the pixels that are above 0 in some training image; the blog post of 2017 that configs/dead-units.toml follows, which judged by eye, \
             found about half of the units so."
            @if no_noise { " Not defined: the initial weights do not vary over these pixels." }
            @if !ended.is_empty() { " Ended: the seed could not go on to its end." }
        }
        dl .pairs {
            @for condition in conditions { dt { (condition.name) } dd { (condition.description) } }
        }
    }
}

/// Units that still look like the noise they were drawn as, from matrices `[input, unit]` before and after training, over
/// the inputs that are ever `lit`; `None` where no unit's weights varied over these before training.
fn noise_looking(before: &[f32], after: &[f32], lit: &[bool]) -> Option<Vec<usize>> {
    let units = before.len() / lit.len();
    let column = |matrix: &[f32], unit: usize| -> Vec<f32> {
        let entries = matrix.iter().skip(unit).step_by(units).copied();
        let seen = entries.zip(lit).filter(|(_, lit)| **lit);
        seen.map(|(w, _)| w).collect()
    };
    let is_noise = (0..units).any(|unit| scores::varies(&column(before, unit)));
    let looks_like_it = |&unit: &usize| {
        scores::correlation(&column(before, unit), &column(after, unit))
            .is_some_and(|correlation| correlation > NOISE_LOOKING_ABOVE)
    };
    is_noise.then(|| (0..units).filter(looks_like_it).collect())
}

/// For each member, the units that are on for no image.
fn never_on(model: &Autoencoder, images: &Rows) -> Vec<Vec<usize>> {
    let [members, _, units] = model.encoder.weight.dims();
    let (layer, lowest) = (model.as_layer(), f32::NEG_INFINITY);
    let mut highest = Tensor::<3>::full([members, 1, units], lowest, &images.device());
    for (part, x) in images.parts(500).enumerate() {
        let z = match model.selection() {
            Selection::All => layer.pre_activation(&x),
            _ => model.encode(&x),
        };
        highest = highest.max_pair(z.max_dim(1));
        // A unit that was on once is on: mostly all were, after the first images.
        if part % 16 == 0
            && numbers(highest.clone())
                .iter()
                .all(|&highest| highest > 0.0)
        {
            break;
        }
    }
    numbers(highest)
        .chunks_exact(units)
        .map(|highest| (0..units).filter(|&unit| highest[unit] <= 0.0).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_never_noise_cannot_look_like_it() {
        // Two units on three inputs: the first keeps its weights, the second has turned about.
        let before = [1., 1., 2., 2., 9., 9.];
        let after = [1., 2., 2., 1., 0., 0.];
        let seen = [true, true, false];
        assert_eq!(noise_looking(&before, &after, &seen), Some(vec![0]));
        assert_eq!(noise_looking(&[0.5; 6], &after, &seen), None);
        assert_eq!(noise_looking(&before, &after, &[false; 3]), None);
    }

    #[test]
    fn a_row_counts_the_units_of_each_seed() {
        let member = |seed: u64| Member::new(seed as usize, "ramp <b>".to_owned(), seed, &[0, 1]);
        let counts = |unchanged: Vec<usize>| UnitCounts {
            hidden_units: 100,
            dead: vec![],
            never_on_at_start: vec![1],
            never_on: vec![1, 2],
            unchanged,
            noise_looking: Some(vec![]),
        };
        let seeds = [0, 1, 2].map(member);
        let members = [
            (&seeds[0], counts(vec![1, 2, 3])),
            (&seeds[2], counts(vec![7])),
        ];
        let ended = [Ended {
            member: seeds[1].clone(),
            stage: None,
            epoch: 2,
            quantity: "the training cost".to_owned(),
            value: "NaN".to_owned(),
            hint: String::new(),
        }];
        let html = section(&members, &ended, &[], &mut Glossary::default()).into_string();
        assert!(
            html.contains(
                "<td>1 ended 1</td><td>2 ended 2</td><td>3 ended 1</td><td>0 ended 0</td>"
            )
        );
        assert!(html.contains("ramp &lt;b&gt;") && !html.contains("<b>"));
    }
}
