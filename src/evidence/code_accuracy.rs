//! How well classes can be told from codes: the accuracy of a softmax layer that was trained on each autoencoder's codes.

use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::figures::RedrawError;
use super::quantities::{Finding, Quantity};
use super::{Evidence, Found, Run, value};
use crate::experiment::{Models, Trained};
use crate::report::{Figures, table};
use crate::results::{Member, Spread};
use crate::spec::Plan;

/// The evidence of what codes say of classes.
pub struct CodeAccuracy;

/// What the softmax layer of one member comes to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Probed {
    /// Share of the test images that it puts into their class, in [0, 1].
    pub code_accuracy: f64,
}

impl Evidence for CodeAccuracy {
    fn name(&self) -> &'static str {
        "code_accuracy"
    }

    fn applies(&self, plan: &Plan) -> bool {
        let mut autoencoders = plan.conditions.iter().filter_map(|of| of.autoencoder());
        autoencoders.any(|of| of.probe_epochs > 0)
    }

    fn measure(&self, plan: &Plan, trained: &Trained<'_>) -> Vec<Value> {
        let Models::Autoencoders {
            setting, trainee, ..
        } = trained.models
        else {
            return Vec::new();
        };
        if setting.probe_epochs == 0 {
            return Vec::new();
        }
        let seeds: Vec<u64> = trained.members.iter().map(|member| member.seed).collect();
        let examples = [&trained.examples.train, &trained.examples.test];
        let (classes, order) = (trained.data.classes, plan.run.order_seed);
        let found = trainee.code_accuracy(examples, classes, &seeds, order, setting.probe_epochs);
        let found = found.into_iter();
        found
            .map(|code_accuracy| value(&Probed { code_accuracy }))
            .collect()
    }

    fn quantities(&self) -> &'static [Quantity] {
        const ACCURACY: Quantity = Quantity {
            name: "code accuracy",
            unit: "%",
            words: &[],
            of: |of, member, epoch| match (
                epoch,
                of.measured(&CodeAccuracy, member, "/code_accuracy"),
            ) {
                (None, Some(Finding::Number(share))) => Some(Finding::Number(100.0 * share)),
                _ => None,
            },
        };
        &[ACCURACY]
    }

    fn lines(&self, found: &Found<'_>) -> Vec<String> {
        let members = found.results.of_members::<Probed>(self.name());
        let line = |(member, of): &(&Member, Probed)| {
            format!(
                "{}: a softmax layer on its codes is right for {:.2} % of the test images",
                member.label,
                100.0 * of.code_accuracy
            )
        };
        members.iter().map(line).collect()
    }

    fn show(&self, run: &Run<'_>, _: &mut Figures) -> Result<Option<Markup>, RedrawError> {
        let members = run.results.of_members::<Probed>(self.name());
        let rows: Vec<Vec<String>> = members
            .chunk_by(|(a, _), (b, _)| a.condition == b.condition)
            .filter_map(|seeds| {
                let of = Spread::of(seeds.iter().map(|(_, of)| 100.0 * of.code_accuracy))?;
                let range = format!("{:.2} to {:.2}", of.smallest, of.largest);
                Some(vec![
                    seeds[0].0.condition.clone(),
                    format!("{:.2}", of.median),
                    if seeds.len() > 1 {
                        range
                    } else {
                        "one seed".to_owned()
                    },
                ])
            })
            .collect();
        Ok((!rows.is_empty()).then(|| {
            html! {
                h2 { "What codes say of classes" }
                p {
                    "Once an autoencoder was trained, a softmax layer was trained on its codes of the training images, which
                    stayed as they were. Its accuracy on the test images’ codes:"
                }
                (table(
                    "Accuracy of a softmax layer on frozen codes",
                    &["condition", "median over seeds, %", "range over seeds"],
                    &rows,
                ))
            }
        }))
    }
}
