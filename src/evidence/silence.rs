//! What became of units that fell silent in trainings that bring such units back.

use maud::{Markup, html};

use super::figures::RedrawError;
use super::quantities::{Quantity, of_record};
use super::{Evidence, Run};
use crate::report::{Figures, table};
use crate::results::{EpochRecord, Spread};
use crate::spec::{Plan, Revive};
use crate::words::counted;

/// The evidence of units that died, came back and stayed.
pub struct SilentUnits;

impl Evidence for SilentUnits {
    fn name(&self) -> &'static str {
        "silent_units"
    }

    fn applies(&self, plan: &Plan) -> bool {
        let mut autoencoders = plan.conditions.iter().filter_map(|of| of.autoencoder());
        autoencoders.any(|of| of.revive != Revive::None)
    }

    fn quantities(&self) -> &'static [Quantity] {
        const SILENT: [Quantity; 1] = [of_record!("silent units", |of| {
            of.silent_units.map(|count| count as f64)
        })];
        &SILENT
    }

    fn show(&self, run: &Run<'_>, _: &mut Figures) -> Result<Option<Markup>, RedrawError> {
        let conditions = run.plan.conditions.iter();
        let of_condition = |name: &str, revive: Revive| -> Option<Vec<String>> {
            let members = run.manifest.members.iter();
            let members = members.filter(|of| of.condition == name);
            let members = members.filter(|of| !run.results.has_ended(of.index));
            let each: Vec<[usize; 4]> = members.filter_map(|of| counts(run, of.index)).collect();
            let cell = |at: usize| {
                let spread = Spread::of(each.iter().map(|counts| counts[at] as f64))?;
                Some(match each.len() {
                    1 => spread.median.to_string(),
                    _ => format!(
                        "{} ({} to {})",
                        spread.median, spread.smallest, spread.largest
                    ),
                })
            };
            Some(vec![
                name.to_owned(),
                described(revive),
                cell(0)?,
                cell(1)?,
                cell(2)?,
                cell(3)?,
            ])
        };
        let rows: Vec<Vec<String>> = conditions
            .filter_map(|of| of_condition(&of.name, of.autoencoder()?.revive))
            .collect();
        Ok((!rows.is_empty()).then(|| {
            html! {
                h2 { "Units that fell silent" }
                p {
                    "A unit is silent once its output was 0 for as many training images as the config says. It has come back
                    when it turns on again, or when it is started again from an image. A unit may fall silent and come back
                    more than once. Dead units are those with an output of 0 for every test image."
                    @if run.plan.run.seeds.len() > 1 { " Counts are medians over seeds, with the smallest and the largest." }
                }
                (table(
                    "Units that fell silent, came back and stayed silent",
                    &[
                        "condition",
                        "brought back by",
                        "fell silent",
                        "came back",
                        "silent at the end",
                        "dead at the end",
                    ],
                    &rows,
                ))
            }
        }))
    }
}

fn described(revive: Revive) -> String {
    let after = |images: usize| counted(images, "image");
    match revive {
        Revive::None => "nothing".to_owned(),
        Revive::Resample { silent_images } => format!("resampling, after {}", after(silent_images)),
        Revive::AuxK {
            k,
            weight,
            silent_images,
        } => {
            let weight = crate::report::number(weight);
            format!(
                "the strongest {k}, weight {weight}, after {}",
                after(silent_images)
            )
        }
    }
}

/// How many units of a member fell silent and came back in all epochs, are silent at the end, and dead; none of trainings
/// that bring no units back.
fn counts(run: &Run<'_>, member: usize) -> Option<[usize; 4]> {
    let records = run.records.epochs.iter().filter(|of| of.member == member);
    let records: Vec<&EpochRecord> = records.collect();
    let total = |of: &dyn Fn(&EpochRecord) -> Option<usize>| -> Option<usize> {
        records.iter().map(|record| of(record)).sum()
    };
    let last = records.last()?;
    Some([
        total(&|of| of.died_units)?,
        total(&|of| of.revived_units)?,
        last.silent_units?,
        last.dead_units,
    ])
}
