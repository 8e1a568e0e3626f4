//! The units of several conditions side by side, where these have about equally many active units.

use maud::Markup;
use serde::{Deserialize, Serialize};

use super::super::figures::{RedrawError, damaged_weights};
use super::super::{Evidence, Run, picture as shape};
use super::{Near, Sparsity, last};
use crate::report::{Figures, Grid, MOST_NAMES, Scaling, UnitWeights, Words, number};
use crate::results::Member;
use crate::run_dir;
use crate::spec::Condition;
use crate::train::Evaluation;
use crate::weights::member_prefix;
use crate::words::{counted, listed_names};

/// Units of each condition that are shown.
const UNITS_SHOWN: usize = 25;

/// The units of a member that are shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strongest {
    /// Those with the largest mean activations on the test images, the largest first.
    pub strongest: Vec<usize>,
}

impl Strongest {
    pub fn of(evaluation: &Evaluation) -> Self {
        let mean = &evaluation.mean_activation;
        let mut units: Vec<usize> = (0..mean.len()).collect();
        units.sort_by(|&a, &b| mean[b].total_cmp(&mean[a]));
        units.truncate(UNITS_SHOWN);
        Self { strongest: units }
    }
}

/// A grid for each condition; nothing where inputs are no pictures, or there are no weights.
pub fn picture(
    run: &Run<'_>,
    near: &Near<'_>,
    figures: &mut Figures,
) -> Result<Option<Markup>, RedrawError> {
    let Some(picture) = shape(run.manifest.data.frame) else {
        return Ok(None);
    };
    let strongest = run.results.of_members::<Strongest>(Sparsity.name());
    let mut shown = Vec::new();
    for point in &near.points {
        let of = point.members.iter().find_map(|member| {
            let (_, of) = strongest.iter().find(|(of, _)| of.index == member.index)?;
            Some((*member, &of.strongest))
        });
        if let Some((member, units)) = of {
            let weights = weights(run, member, units)?;
            let active_units = last(&run.outcomes(), member.index).map(|of| of.active_units);
            shown.push((point.condition, active_units, units.len(), weights));
        }
    }
    if shown.is_empty() {
        return Ok(None);
    }
    let grids = shown
        .iter()
        .map(|(condition, active_units, units, weights)| Grid {
            title: condition.name.clone(),
            caption: active_units.map_or_else(String::new, |of| format!("L0 {}", number(of))),
            weights: UnitWeights {
                weights,
                units: *units,
                picture,
            },
            marked: Vec::new(),
        });
    let grids: Vec<Grid> = grids.collect();
    let names = grids
        .iter()
        .map(|of| format!("{} ({})", of.title, of.caption));
    let most = shown
        .iter()
        .map(|(_, _, units, _)| *units)
        .max()
        .unwrap_or(0);
    let words = Words {
        alt: &format!(
            "The weights of {} as tiles, a grid for each of {}",
            counted(most, "unit"),
            listed_names(names, MOST_NAMES)
        ),
        caption: &format!(
            "Units at about {} active units: the weights of the {most} units of each condition whose mean activation on the test images is largest, the largest first; those of the decoder where these have norm 1, else those of the encoder; each tile stretched to its own range.{}",
            near.active_units,
            if run.plan.run.seeds.len() > 1 {
                " Of each condition, its first seed that could go on."
            } else {
                ""
            }
        ),
        numbers: None,
    };
    Ok(Some(figures.grids(
        "sparsity-units",
        &grids,
        Scaling::PerTile,
        &words,
    )))
}

/// The weights of some units, `[input, unit]`: those of the decoder where these have norm 1, else those of the encoder.
fn weights(run: &Run<'_>, member: &Member, units: &[usize]) -> Result<Vec<f32>, RedrawError> {
    let training = run.plan.condition(&member.condition);
    let training = training.and_then(Condition::autoencoder);
    let is_dictionary = training.is_some_and(|of| of.autoencoder.decoder.has_unit_norm());
    let of = if is_dictionary { "decoder" } else { "encoder" };
    let name = format!("{}/{of}.weight", member_prefix(member));
    let found = run.weights.get(&name);
    let found = found.map_err(|source| damaged_weights(run.dir.path(), source))?;
    let encoder = if is_dictionary {
        found.transposed()
    } else {
        found.clone()
    };
    let [inputs, of] = encoder.shape;
    if Some(inputs) != run.manifest.data.frame.inputs() || units.iter().any(|&unit| unit >= of) {
        let reason = format!("{name} is {inputs}×{of}, which does not fit the results");
        return Err(run.dir.damaged(run_dir::WEIGHTS, &reason).into());
    }
    let rows = encoder.values.chunks_exact(of);
    Ok(rows
        .flat_map(|row| units.iter().map(|&unit| row[unit]))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_units_come_first_and_of_equals_the_first() {
        let evaluation = Evaluation {
            reconstruction: 0.0,
            explained_variance: None,
            mean_activation: (0..30).map(|unit| f64::from(unit % 10)).collect(),
            dead: Vec::new(),
            active_units: 0.0,
            untrained: Vec::new(),
        };
        let strongest = Strongest::of(&evaluation).strongest;
        assert_eq!(strongest[..4], [9, 19, 29, 8]);
        assert_eq!(strongest.len(), UNITS_SHOWN);
    }
}
