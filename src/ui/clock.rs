//! How long the rest of a run will take.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::train::Event;
use crate::words::duration;

/// Measures the speed of a run in multiply–accumulate operations.
pub struct Clock {
    started: Instant,
    work: u64,
    done: AtomicU64,
    /// Of `work`, what an earlier run did.
    done_before: AtomicU64,
}

impl Clock {
    /// Starts now, for a run of so much work.
    pub fn start(work: u64) -> Self {
        Self {
            started: Instant::now(),
            work,
            done: AtomicU64::new(0),
            done_before: AtomicU64::new(0),
        }
    }

    /// Takes note of work.
    pub fn tell(&self, event: Event<'_>) {
        let (count, work) = match event {
            Event::Worked(work) => (&self.done, work),
            Event::WorkedBefore(work) => (&self.done_before, work),
            Event::Record(_) | Event::Recall(_) | Event::Ended(_) => return,
        };
        count.fetch_add(work, Ordering::Relaxed);
    }

    /// `12 s left`, if the rest goes on as it went; empty before anything was done.
    pub fn left(&self) -> String {
        let done_before = self.done_before.load(Ordering::Relaxed);
        let work = self.work.saturating_sub(done_before);
        let done = self.done.load(Ordering::Relaxed);
        match time_left(self.started.elapsed(), done, work) {
            Some(left) => format!("{} left", duration(left)),
            None => String::new(),
        }
    }
}

/// The time that the rest will take if it goes on as it went; `None` before anything was done.
fn time_left(elapsed: Duration, done: u64, total: u64) -> Option<Duration> {
    let rest = total.saturating_sub(done) as f64 / done as f64;
    let left = Duration::try_from_secs_f64(elapsed.as_secs_f64() * rest);
    (done > 0).then(|| left.unwrap_or(Duration::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_is_in_proportion() {
        let half_a_minute = Duration::from_secs(30);
        let left = |done| time_left(half_a_minute, done, 300).map(|left| left.as_secs());
        assert_eq!([left(100), left(300), left(0)], [Some(60), Some(0), None]);
    }

    #[test]
    fn the_number_comes_before_the_word() {
        let clock = Clock::start(300);
        assert_eq!(clock.left(), "");
        clock.tell(Event::WorkedBefore(100));
        clock.tell(Event::Worked(200));
        assert_eq!(clock.left(), "0 s left");
    }
}
