//! That what was learnt in pretraining is what the classifier started from, by hashes.

use maud::{Markup, html};
use serde_json::Value;

use super::figures::RedrawError;
use super::stages::is_pretrained;
use super::{Evidence, Run, value};
use crate::experiment::{Models, Trained};
use crate::report::{Figures, MOST_ROWS, rows_left_out};
use crate::results::TransferProof;
use crate::spec::Plan;
use crate::words::counted;

pub struct Transfers;

impl Evidence for Transfers {
    fn name(&self) -> &'static str {
        "transfers"
    }

    fn applies(&self, plan: &Plan) -> bool {
        plan.conditions.iter().any(is_pretrained)
    }

    /// The proofs of every layer of each member.
    fn measure(&self, _: &Plan, trained: &Trained<'_>) -> Vec<Value> {
        let (Models::Classifiers { proofs, .. } | Models::DeepAutoencoders { proofs, .. }) =
            trained.models
        else {
            return Vec::new();
        };
        let members = trained.members.iter();
        let of_member = |label: &str| -> Vec<&TransferProof> {
            proofs.iter().filter(|proof| proof.label == label).collect()
        };
        members
            .map(|member| value(&of_member(&member.label)))
            .collect()
    }

    fn show(&self, run: &Run<'_>, _: &mut Figures) -> Result<Option<Markup>, RedrawError> {
        let members = run.results.of_members::<Vec<TransferProof>>(self.name());
        let proofs: Vec<TransferProof> = members.into_iter().flat_map(|(_, of)| of).collect();
        Ok((!proofs.is_empty()).then(|| section(&proofs)))
    }
}

fn section(proofs: &[TransferProof]) -> Markup {
    let of = |shuffled: bool| {
        proofs
            .iter()
            .filter(move |proof| proof.shuffled == shuffled)
    };
    let equal = |shuffled: bool| of(shuffled).filter(|proof| proof.encoder == proof.classifier);
    let counts = |shuffled: bool| {
        let (total, equal) = (of(shuffled).count(), equal(shuffled).count());
        html! {
            @if equal == total && total == 1 { strong .good { "the one layer" } }
            @else if equal == total { strong .good { "all " (counted(total, "layer")) } }
            @else { strong .bad { "only " (equal) " of " (counted(total, "layer")) } }
        }
    };
    html! {
        h2 { "What was copied" }
        @if of(false).next().is_some() {
            p {
                "At the start of fine-tuning, the hash of a layer’s weights and biases equals the hash of its encoder’s for "
                (counts(false)) " copied."
            }
        }
        @if of(true).next().is_some() {
            p {
                "The weights of other encoders were shuffled on purpose, as controls; the layer equals its shuffled encoder for "
                (counts(true)) "."
            }
        }
        details {
            summary { "Hashes" @if let Some(left_out) = rows_left_out(proofs.len()) { " (" (left_out) ")" } }
            dl .pairs {
                @for proof in proofs.iter().take(MOST_ROWS) {
                    dt { (proof.label) ", layer " (proof.layer) }
                    dd { code { (proof.encoder) } @if proof.encoder != proof.classifier { " ≠ " code { (proof.classifier) } } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof(classifier: &str) -> TransferProof {
        TransferProof {
            label: "D <i>".to_owned(),
            condition: "D".to_owned(),
            layer: 3,
            shuffled: false,
            encoder: "ab12".to_owned(),
            classifier: classifier.to_owned(),
        }
    }

    #[test]
    fn a_layer_that_was_not_copied_is_called_out() {
        let html = section(&[proof("ab12"), proof("ab12")]).into_string();
        assert!(html.contains("all 2 layers</strong>") && !html.contains("<i>"));
        let html = section(&[proof("ab12"), proof("ff00")]).into_string();
        assert!(html.contains("only 1 of 2 layers</strong>") && html.contains("≠ <code>ff00"));
    }
}
