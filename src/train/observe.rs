//! What a training loop tells and asks the world while it runs. How it is shown is for `ui`.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::results::EpochRecord;

/// Somebody who watches a run. Called from several threads at once.
pub trait Observer: Sync {
    /// `images` more training images went through one member (a batch counts once for each member it trained).
    fn trained(&self, images: usize);
    /// An epoch of a member ended.
    fn epoch(&self, record: &EpochRecord);
}

/// Nobody watches.
impl Observer for () {
    fn trained(&self, _images: usize) {}
    fn epoch(&self, _record: &EpochRecord) {}
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
