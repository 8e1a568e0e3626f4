//! The best of a training's epochs, by images that are neither learnt from nor tested on: early stopping without the loss of
//! what came before it (Bengio 2012, *Practical recommendations for gradient-based training of deep architectures*).
//!
//! Each member has a best epoch of its own, whoever it is trained with.

use serde::{Deserialize, Serialize};

use super::classifier::Score;
use super::state::{State, parameters_state, restored_parameters};
use crate::model::{Classifier, parameters, with_parameters};

/// The best models so far of a group of classifiers.
#[derive(Debug)]
pub struct Kept {
    patience: Option<usize>,
    /// Of each member; absent before its first epoch.
    best: Vec<Option<Best>>,
    /// Every member, as it was after its best epoch; absent before the first epoch.
    model: Option<Classifier>,
}

/// An epoch, and how a member did after it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Best {
    epoch: usize,
    accuracy: f64,
    cost: f64,
}

impl Kept {
    /// Nothing yet, of so many members; each may wait for so many epochs for a better one.
    #[must_use]
    pub fn new(members: usize, patience: Option<usize>) -> Self {
        Self {
            patience,
            best: vec![None; members],
            model: None,
        }
    }

    /// Takes over each member that is better after this epoch than it was before. `scores` are those on the validation
    /// images; absent for members that are not looked at any more.
    pub fn offer(&mut self, epoch: usize, model: Classifier, scores: &[Option<Score>]) {
        let mut better = Vec::with_capacity(scores.len());
        for (best, score) in self.best.iter_mut().zip(scores) {
            let found = score.filter(|score| {
                best.is_none_or(|best| {
                    let order = score.accuracy.total_cmp(&best.accuracy);
                    order.then(best.cost.total_cmp(&score.cost)).is_gt()
                })
            });
            better.push(found.is_some());
            *best = found.map_or(*best, |Score { accuracy, cost }| {
                Some(Best {
                    epoch,
                    accuracy,
                    cost,
                })
            });
        }
        self.model = Some(match self.model.take() {
            Some(before) if better.contains(&false) => mixed(before, &model, &better),
            _ => model,
        });
    }

    /// The best epoch of a member, counted from 1.
    #[must_use]
    pub fn epoch(&self, member: usize) -> Option<usize> {
        self.best[member].map(|best| best.epoch)
    }

    /// Whether a member has waited for a better epoch for as long as it may, after so many epochs.
    #[must_use]
    pub fn is_over(&self, member: usize, epochs: usize) -> bool {
        let waited = self.epoch(member).map(|best| epochs.saturating_sub(best));
        let both = self.patience.zip(waited);
        both.is_some_and(|(most, waited)| waited >= most)
    }

    /// Every member as it was after its best epoch.
    #[must_use]
    pub fn model(&self) -> Option<&Classifier> {
        self.model.as_ref()
    }

    /// Everything that is needed to go on from here.
    #[must_use]
    pub fn state(&self) -> State {
        let mut state = State::default();
        state.put("best", &self.best);
        if let Some(model) = &self.model {
            state.put_part("model", parameters_state(model));
        }
        state
    }

    /// Takes back what [`state`](Self::state) gave, into a model of this shape; `None` if it is that of another group.
    pub fn restore(&mut self, model: Classifier, mut state: State) -> Option<()> {
        let best: Vec<Option<Best>> = state.take("best")?;
        if best.len() != self.best.len() {
            return None;
        }
        let saved = state.take_part("model");
        if !saved.is_empty() {
            self.model = Some(restored_parameters(model, saved)?.0);
        }
        self.best = best;
        Some(())
    }
}

/// Of each member the model `after` where that is better, else the one `before`.
fn mixed(before: Classifier, after: &Classifier, better: &[bool]) -> Classifier {
    let mut both = parameters(&before).into_iter().zip(parameters(after));
    let mixed = with_parameters(before, |_, [_, rows, columns]| {
        let ((_, _, mut values), (_, _, after)) = both.next().ok_or(())?;
        let members = values.chunks_exact_mut(rows * columns);
        for ((values, after), _) in members
            .zip(after.chunks_exact(rows * columns))
            .zip(better)
            .filter(|(_, better)| **better)
        {
            values.copy_from_slice(after);
        }
        Ok::<_, ()>(values)
    });
    mixed.expect("both have the same parameters, in the same order")
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::model::numbers;
    use crate::spec::{ClassifierSpec, Initialization};

    fn scores<const N: usize>(of: [[f64; 2]; N]) -> Vec<Option<Score>> {
        of.map(|[accuracy, cost]| Some(Score { accuracy, cost }))
            .to_vec()
    }

    /// Two softmax layers on one input, whose every weight is `value`.
    fn model(value: f64) -> Classifier {
        let spec = ClassifierSpec {
            weight: Initialization::Constant(value),
            ..ClassifierSpec::default()
        };
        Classifier::new(&spec, 1, 2, &[0, 1], &Device::flex())
    }

    fn weights(kept: &Kept) -> Vec<f32> {
        let model = kept.model().expect("there was an epoch");
        numbers(model.output.weight.val())
    }

    #[test]
    fn each_member_keeps_its_own_best_epoch() {
        let mut kept = Kept::new(2, None);
        assert!(kept.model().is_none() && kept.epoch(0).is_none());
        kept.offer(1, model(1.0), &scores([[0.8, 1.0], [0.9, 1.0]]));
        assert_eq!(weights(&kept), [1.0; 4]);
        // More are right; no more are, at a higher cost.
        kept.offer(2, model(2.0), &scores([[0.85, 3.0], [0.9, 1.1]]));
        assert_eq!(weights(&kept), [2.0, 2.0, 1.0, 1.0]);
        // As many are right, at the same cost and at a lower one.
        kept.offer(3, model(3.0), &scores([[0.85, 3.0], [0.9, 0.9]]));
        assert_eq!(weights(&kept), [2.0, 2.0, 3.0, 3.0]);
        // Nobody looks at one that ended.
        let mut last = scores([[0.9, 0.0], [0.1, 0.0]]);
        last[0] = None;
        kept.offer(4, model(4.0), &last);
        assert_eq!([kept.epoch(0), kept.epoch(1)], [Some(2), Some(3)]);
        assert!(!kept.is_over(0, 1000), "nobody said how long to wait");
    }

    #[test]
    fn patience_ends_with_so_many_epochs_without_a_better_one() {
        let mut kept = Kept::new(2, Some(2));
        assert!(!kept.is_over(0, 0));
        kept.offer(1, model(1.0), &scores([[0.8, 1.0], [0.9, 1.0]]));
        kept.offer(2, model(2.0), &scores([[0.9, 1.0], [0.9, 1.0]]));
        assert_eq!([0, 1].map(|at| kept.is_over(at, 2)), [false, false]);
        assert_eq!([0, 1].map(|at| kept.is_over(at, 3)), [false, true]);
        assert_eq!([0, 1].map(|at| kept.is_over(at, 4)), [true, true]);
    }

    #[test]
    fn what_is_kept_comes_back_as_it_was() {
        let mut kept = Kept::new(2, Some(2));
        kept.offer(1, model(1.0), &scores([[0.8, 1.0], [0.9, 1.0]]));
        kept.offer(2, model(2.0), &scores([[0.9, 1.0], [0.8, 1.0]]));
        let mut other = Kept::new(2, Some(2));
        assert_eq!(other.restore(model(0.0), kept.state()), Some(()));
        assert_eq!((weights(&other), &other.best), (weights(&kept), &kept.best));
        let mut of_three = Kept::new(3, None);
        assert_eq!(of_three.restore(model(0.0), kept.state()), None);
    }
}
