//! What a training loop tells and asks the world while it runs. How it is shown is for `ui`.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::results::{ClassifierRecord, Ended, EpochRecord, LayerRecord, StageRecord};

/// Somebody who watches a run. Called from several threads at once.
pub trait Observer: Sync {
    /// So many multiply–accumulate operations of training were done.
    fn worked(&self, multiply_accumulates: u64);
    /// So many operations need no time any more: they were done before this run went on with them, or will never be.
    fn worked_before(&self, multiply_accumulates: u64);
    /// There is something new to know.
    fn record(&self, record: Record<'_>);
    /// This was known before this run went on.
    fn recall(&self, record: Record<'_>);
    /// A member could not go on.
    fn ended(&self, ended: &Ended);
}

/// Nobody watches.
impl Observer for () {
    fn worked(&self, _multiply_accumulates: u64) {}
    fn worked_before(&self, _multiply_accumulates: u64) {}
    fn record(&self, _record: Record<'_>) {}
    fn recall(&self, _record: Record<'_>) {}
    fn ended(&self, _ended: &Ended) {}
}

/// What an epoch of a member left behind.
#[derive(Debug, Clone, Copy)]
pub enum Record<'a> {
    /// Of an autoencoder that is trained for its own sake.
    Epoch(&'a EpochRecord),
    /// Of an autoencoder in a classifier's pretraining.
    Stage(&'a StageRecord),
    /// Of a classifier, with a look into each of its layers.
    Classifier(&'a ClassifierRecord, &'a [LayerRecord]),
}

/// A request to end early, shared by whoever may make it (a key, a signal, an error) and whoever must obey.
#[derive(Debug, Default)]
pub struct Stop(AtomicBool);

impl Stop {
    /// Asks for an end after the current batch.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    #[must_use]
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
