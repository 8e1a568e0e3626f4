//! What a training loop tells and asks the world while it runs. How it is shown is for `ui`.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::results::{ClassifierRecord, Ended, EpochRecord, LayerRecord, Member, StageRecord};

/// Somebody who watches a run. Called from several threads at once.
pub trait Observer: Sync {
    /// Something happened.
    fn tell(&self, event: Event<'_>);
    /// How many times in an epoch a cost is to be read while the epoch is on. Reading makes a GPU wait for the host: 0,
    /// and nothing is read, if nobody wants to know.
    fn readings(&self) -> usize {
        0
    }
    /// The costs of models that are trained together, after this share of the epoch that is on: means over the images
    /// since the last reading. Called by trainers, which do not know whose costs they are: [`MemberObserver`] does.
    fn read(&self, _share: f64, _costs: &[f64]) {}
}

/// Nobody watches.
impl Observer for () {
    fn tell(&self, _event: Event<'_>) {}
}

/// What happens in a run.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// So many multiply–accumulate operations of training were done.
    Worked(u64),
    /// So many operations need no time any more: they were done before this run went on with them, or will never be.
    WorkedBefore(u64),
    /// There is something new to know.
    Record(Record<'a>),
    /// This was known before this run went on.
    Recall(Record<'a>),
    /// A member could not go on.
    Ended(&'a Ended),
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
    /// Of whatever is trained, while its epoch is on.
    Reading(Reading),
}

/// A cost while an epoch is on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// The member's [`Member::index`].
    pub member: usize,
    /// The layer that is pretrained, counted from 1 at the input; absent in a training for its own sake.
    pub stage: Option<usize>,
    /// How much of the epoch is behind, in (0, 1].
    pub share: f64,
    /// The reconstruction error of an autoencoder, the cross-entropy of a classifier: the mean over the images since the
    /// last reading.
    pub cost: f64,
}

/// Passes on what the trainer of these members tells, and whose costs it reads.
pub struct MemberObserver<'a> {
    /// Who is told.
    pub observer: &'a dyn Observer,
    /// The members, in the trainer's order.
    pub members: &'a [Member],
    /// As in [`Reading::stage`].
    pub stage: Option<usize>,
}

impl Observer for MemberObserver<'_> {
    fn tell(&self, event: Event<'_>) {
        self.observer.tell(event);
    }

    fn readings(&self) -> usize {
        self.observer.readings()
    }

    fn read(&self, share: f64, costs: &[f64]) {
        for (member, &cost) in self.members.iter().zip(costs) {
            let reading = Reading {
                member: member.index,
                stage: self.stage,
                share,
                cost,
            };
            self.observer.tell(Event::Record(Record::Reading(reading)));
        }
    }
}

/// Reads the costs of an epoch, as often as its observer wants, from the sums that a trainer keeps on the device.
pub(super) struct Meter<'a> {
    observer: &'a dyn Observer,
    readings: usize,
    images: usize,
    /// At the last reading: the images that were behind, and the sums of their costs.
    done: usize,
    sums: Vec<f32>,
}

impl<'a> Meter<'a> {
    /// For an epoch of so many images.
    pub fn new(observer: &'a dyn Observer, images: usize) -> Self {
        Self {
            observer,
            readings: observer.readings(),
            images,
            done: 0,
            sums: Vec::new(),
        }
    }

    /// To be called after every batch, with the images of the epoch that are behind. `sums` gives, for each model, the
    /// sum of their costs; it is called if it is time for a reading.
    pub fn after(&mut self, done: usize, sums: impl FnOnce() -> Vec<f32>) {
        let reading = |done: usize| done * self.readings / self.images;
        if reading(done) == reading(self.done) {
            return;
        }
        let sums = sums();
        self.sums.resize(sums.len(), 0.0);
        let images = (done - self.done) as f64;
        let costs: Vec<f64> = sums
            .iter()
            .zip(&self.sums)
            .map(|(&now, &before)| (f64::from(now) - f64::from(before)) / images)
            .collect();
        self.observer.read(done as f64 / self.images as f64, &costs);
        self.done = done;
        self.sums = sums;
    }
}

/// A request to end early, shared by whoever may make it (a key, a signal, an error) and whoever must obey.
#[derive(Debug, Default)]
pub struct Stop(AtomicBool);

impl Stop {
    /// Asks for an end after the current batch.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether an end was asked for.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Wants so many readings an epoch, and notes them.
    struct Reader(usize, Mutex<Vec<(f64, Vec<f64>)>>);

    impl Observer for Reader {
        fn tell(&self, _event: Event<'_>) {}
        fn readings(&self) -> usize {
            self.0
        }
        fn read(&self, share: f64, costs: &[f64]) {
            let mut heard = self.1.lock().expect("nobody panics");
            heard.push((share, costs.to_vec()));
        }
    }

    /// An epoch of batches of 10 images from the batch `first` on; image i costs i in one model, 1 in the other. Gives
    /// the readings, and how often the sums were asked for.
    fn epoch(readings: usize, batches: usize, first: usize) -> (Vec<(f64, Vec<f64>)>, usize) {
        let reader = Reader(readings, Mutex::default());
        let images = 10 * batches;
        let mut meter = Meter::new(&reader, images);
        let mut asked = 0;
        for done in (first..batches).map(|batch| 10 * (batch + 1)) {
            meter.after(done, || {
                asked += 1;
                vec![(done * (done - 1) / 2) as f32, done as f32]
            });
        }
        (reader.1.into_inner().expect("nobody panics"), asked)
    }

    #[test]
    fn readings_are_means_since_the_last_one() {
        let (heard, asked) = epoch(2, 4, 0);
        assert_eq!(
            heard,
            [(0.5, vec![9.5, 1.0]), (1.0, vec![29.5, 1.0])],
            "0 to 19, then 20 to 39"
        );
        assert_eq!(asked, 2);
    }

    #[test]
    fn readings_are_as_many_as_are_wanted_or_as_there_are_batches() {
        assert_eq!(epoch(19, 600, 0).1, 19);
        assert_eq!(epoch(19, 7, 0).1, 7);
        assert_eq!(epoch(1, 600, 0).1, 1);
    }

    #[test]
    fn nothing_is_read_when_nobody_wants_to_know() {
        assert_eq!(epoch(0, 600, 0), (Vec::new(), 0));
    }

    #[test]
    fn an_epoch_that_goes_on_begins_with_the_mean_so_far() {
        let (heard, _) = epoch(4, 4, 2);
        assert_eq!(heard, [(0.75, vec![14.5, 1.0]), (1.0, vec![34.5, 1.0])]);
    }

    #[test]
    fn a_reading_is_told_of_the_member_whose_it_is() {
        struct Listener(Mutex<Vec<Reading>>);
        impl Observer for Listener {
            fn tell(&self, event: Event<'_>) {
                if let Event::Record(Record::Reading(reading)) = event {
                    self.0.lock().expect("nobody panics").push(reading);
                }
            }
        }
        let listener = Listener(Mutex::default());
        let seeds = [7, 8];
        let members: Vec<Member> = (3..5)
            .map(|index| Member::new(index, "D".to_owned(), seeds[index - 3], &seeds))
            .collect();
        let observer = MemberObserver {
            observer: &listener,
            members: &members,
            stage: Some(2),
        };
        observer.read(0.25, &[1.5, 2.5]);
        let heard = listener.0.into_inner().expect("nobody panics");
        let told: Vec<_> = heard.iter().map(|r| (r.member, r.cost)).collect();
        assert_eq!(told, [(3, 1.5), (4, 2.5)]);
        assert!(
            heard
                .iter()
                .all(|r| r.stage == Some(2) && (r.share - 0.25).abs() < 1e-12)
        );
    }
}
