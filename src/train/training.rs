//! The training of a group of models in lockstep: the same batches, each member its own cost.
//!
//! Forward, cost, backward, step: a custom training loop as in the burn book, with two things added. It can stop after any
//! batch and go on from there, in another process too. And sums stay on the device, as reading them every step would make
//! a GPU wait for the host.

use burn::module::Module;
use burn::tensor::{Device, Gradients, Tensor};

use super::full_batch::FullBatch;
use super::observe::{Event, Meter, Observer, Stop};
use super::optimizer::Optimizer;
use super::state::{State, parameters_state, restored_parameters, tensor};
use crate::model::{Cost, numbers};
use crate::ops::Rows;
use crate::seed::epoch_order;
use crate::spec::{OptimizerSpec, TrainingSpec};

/// What is learnt from: a data set, or a batch of one.
pub trait Examples: Sized {
    /// How many there are.
    fn count(&self) -> usize;

    /// Those at `indices`, in that order.
    #[must_use]
    fn select(&self, indices: &[u32]) -> Self;

    /// Those from `start` on, at most `count` of them.
    #[must_use]
    fn part(&self, start: usize, count: usize) -> Self;
}

impl Examples for Rows {
    fn count(&self) -> usize {
        self.count()
    }

    fn select(&self, indices: &[u32]) -> Self {
        self.select(indices)
    }

    fn part(&self, start: usize, count: usize) -> Self {
        self.part(start, count)
    }
}

/// Which batch of a training it is.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Counted from 0.
    pub epoch: usize,
    /// Of how many.
    pub epochs: usize,
    /// Within the epoch, counted from 0.
    pub batch: usize,
}

/// What a group of models is to learn.
pub trait Learner {
    /// The burn module that is trained.
    type Model: Module;
    /// What it is trained on.
    type Examples: Examples;

    /// What the [parts](Cost::parts) of a cost are called.
    const PARTS: &'static [&'static str];

    /// The cost of a batch.
    fn cost(&mut self, model: &Self::Model, batch: &Self::Examples, place: Place) -> Cost;

    /// Before the examples of a step over all of them go through [`cost`](Self::cost), part by part: what of all of them that
    /// needs to know.
    fn look_ahead(&mut self, _: &Self::Model, _: &Self::Examples) {}

    /// Whether other parameters learn from this epoch on, counted from 0, than before.
    fn begins_anew(&self, _: usize) -> bool {
        false
    }

    /// The cost of one model from its parts, which are without their weights: what a line search looks at, as the value of
    /// [`Cost::total`] may mean nothing.
    fn value(&self, parts: &[f64]) -> f64 {
        parts.iter().sum()
    }

    /// Changes the gradients of a batch before the step that they lead to.
    fn shape_gradients(&self, _: &Self::Model, _: &mut Gradients) {}

    /// The model after that step, where something is done to it beyond the step.
    fn after_step(
        &mut self,
        model: Self::Model,
        _: &Self::Examples,
        _: &mut Optimizer,
        _: Place,
    ) -> Self::Model {
        model
    }

    /// What the cost remembers of earlier batches.
    fn state(&self) -> State {
        State::default()
    }

    /// Takes back what [`state`](Self::state) gave; `None` if it is that of another group.
    fn restore(&mut self, _: State) -> Option<()> {
        Some(())
    }
}

/// Where the order of batches comes from: that of an epoch is drawn from (seed, stage, epoch).
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// Seed of the order, which all members share.
    pub seed: u64,
    /// Stage of the pretraining, counted from 1; 0 for other training.
    pub stage: u64,
}

/// How steps are made.
enum Way {
    Batches(Optimizer),
    All(FullBatch),
}

/// A group of models at some point of their training.
pub struct Training<L: Learner> {
    /// With autodiff; absent only during a step.
    model: Option<L::Model>,
    pub(super) learner: L,
    way: Way,
    spec: TrainingSpec,
    members: usize,
    /// Multiply–accumulate operations of a step, for each image and member.
    work: u64,
    epochs_done: usize,
    /// Batches done in the current epoch.
    batches_done: usize,
    /// Parts of their costs, each summed over the images so far, `[member, 1, 1]`.
    sums: Vec<Tensor<3>>,
}

impl<L: Learner> Training<L> {
    /// A group of `members` about to start its first epoch, from a model on a device without autodiff.
    ///
    /// # Panics
    ///
    /// Panics if a line search is to be made for several members together: each makes its own.
    #[must_use]
    pub fn new(
        model: L::Model,
        learner: L,
        spec: &TrainingSpec,
        members: usize,
        work: u64,
    ) -> Self {
        let way = match spec.optimizer {
            OptimizerSpec::Lbfgs { history, .. } => {
                assert_eq!(members, 1, "a line search is one model's own");
                Way::All(FullBatch::new(history, spec.weight_decay))
            }
            _ => Way::Batches(Optimizer::new(spec)),
        };
        Self {
            model: Some(model.train()),
            learner,
            way,
            spec: spec.clone(),
            members,
            work,
            epochs_done: 0,
            batches_done: 0,
            sums: Vec::new(),
        }
    }

    /// How many epochs are finished.
    #[must_use]
    pub fn epochs_done(&self) -> usize {
        self.epochs_done
    }

    /// Whether all epochs are finished.
    #[must_use]
    pub fn is_trained(&self) -> bool {
        self.epochs_done >= self.spec.epochs
    }

    /// The learning rate of the last step of the last finished epoch, on so many examples.
    #[must_use]
    pub fn last_learning_rate(&self, examples: usize) -> f64 {
        let (epoch, steps) = (
            self.epochs_done.saturating_sub(1),
            self.spec.steps(examples),
        );
        self.spec
            .learning_rate_at(epoch, steps.saturating_sub(1), steps)
    }

    /// The models as they are, without autodiff.
    #[must_use]
    pub fn model(&self) -> L::Model {
        self.learning().valid()
    }

    /// The models with autodiff.
    pub(super) fn learning(&self) -> &L::Model {
        self.model.as_ref().expect(BETWEEN_STEPS)
    }

    /// Trains every member on all of `examples` once (with L-BFGS: by so many iterations), or what is left of an epoch. Gives for
    /// each part of the cost every member's mean over the images; `None` if a stop came in between, which leaves the epoch unfinished.
    #[must_use]
    pub fn epoch(
        &mut self,
        examples: &L::Examples,
        order: Order,
        observer: &dyn Observer,
        stop: &Stop,
    ) -> Option<Vec<Vec<f64>>> {
        let (epoch, count) = (self.epochs_done, examples.count());
        let steps = self.spec.steps(count);
        let shuffled = match &mut self.way {
            Way::Batches(optimizer) => {
                optimizer.begin_epoch(epoch);
                let (seed, stage) = (order.seed, order.stage);
                Some(epoch_order(seed, stage, epoch as u64, count))
            }
            Way::All(descent) => {
                if self.batches_done == 0 && self.learner.begins_anew(epoch) {
                    descent.forget();
                }
                None
            }
        };
        let mut meter = Meter::new(observer, count);

        for step in self.batches_done..steps {
            if stop.requested() {
                return None;
            }
            let chosen;
            let batch = match &shuffled {
                Some(indices) => {
                    let size = self.spec.batch_size;
                    chosen = examples.select(&indices[step * size..count.min((step + 1) * size)]);
                    &chosen
                }
                None => examples,
            };
            self.step(batch, self.spec.learning_rate_at(epoch, step, steps));
            observer.tell(Event::Worked(
                self.work * (batch.count() * self.members) as u64,
            ));
            // Over all there is one cost, and no mean of costs so far.
            if shuffled.is_some() {
                let done = count.min(self.batches_done * self.spec.batch_size);
                meter.after(done, || numbers(self.sums[0].clone()));
            }
        }

        self.epochs_done += 1;
        self.batches_done = 0;
        let sums = std::mem::take(&mut self.sums).into_iter();
        let mean = |sum: f32| f64::from(sum) / examples.count() as f64;
        Some(
            sums.map(|sums| numbers(sums).into_iter().map(mean).collect())
                .collect(),
        )
    }

    fn step(&mut self, batch: &L::Examples, learning_rate: f64) {
        let model = self.model.take().expect(BETWEEN_STEPS);
        let place = Place {
            epoch: self.epochs_done,
            epochs: self.spec.epochs,
            batch: self.batches_done,
        };
        let learner = &mut self.learner;
        let (model, parts) = match &mut self.way {
            Way::All(descent) => {
                // The cost of an epoch is that at its end.
                self.sums.clear();
                descent.step(&model, learner, batch, place)
            }
            Way::Batches(optimizer) => {
                let Cost { total, parts } = learner.cost(&model, batch, place);
                let mut gradients = total.backward();
                learner.shape_gradients(&model, &mut gradients);
                let model = optimizer.step(learning_rate, model, gradients);
                (learner.after_step(model, batch, optimizer, place), parts)
            }
        };
        self.model = Some(model);
        // A last batch may be a short one.
        let images = batch.count() as f64;
        let parts = parts.into_iter().map(|mean| mean.mul_scalar(images));
        let sums = std::mem::take(&mut self.sums);
        self.sums = if sums.is_empty() {
            parts.collect()
        } else {
            sums.into_iter().zip(parts).map(|(a, b)| a + b).collect()
        };
        self.batches_done += 1;
    }

    /// Everything that the training needs to go on from here, in the middle of an epoch too.
    #[must_use]
    pub fn state(&self) -> State {
        let mut state = State::default();
        state.put_part("model", parameters_state(self.learning()));
        let optimizer = match &self.way {
            Way::Batches(optimizer) => optimizer.state(),
            Way::All(descent) => descent.state(),
        };
        state.put_part("optimizer", optimizer);
        state.put_part("learner", self.learner.state());
        state.put("epochs_done", &self.epochs_done);
        state.put("batches_done", &self.batches_done);
        for (name, sums) in L::PARTS.iter().zip(&self.sums) {
            state.put_numbers(&format!("sum.{name}"), numbers(sums.clone()));
        }
        state
    }

    /// This group, which is about to start, at the point that [`state`](Self::state) tells of; `None` if the state
    /// is that of another group.
    #[must_use]
    pub fn restored(mut self, mut state: State, device: &Device) -> Option<Self> {
        let (model, shapes) = restored_parameters(self.model(), state.take_part("model"))?;
        self.model = Some(model.train());
        let optimizer = state.take_part("optimizer");
        match &mut self.way {
            Way::Batches(rule) => rule.restore(optimizer, &shapes, device)?,
            Way::All(descent) => descent.restore(optimizer, &shapes)?,
        }
        self.learner.restore(state.take_part("learner"))?;
        self.epochs_done = state.take("epochs_done")?;
        self.batches_done = state.take("batches_done")?;
        if self.batches_done > 0 {
            let sums = L::PARTS.iter().map(|name| {
                let sums = state.take_numbers(&format!("sum.{name}"));
                tensor(sums, [self.members, 1, 1], device)
            });
            self.sums = sums.collect::<Option<_>>()?;
        }
        Some(self)
    }
}

const BETWEEN_STEPS: &str = "a model is absent only during a step";
