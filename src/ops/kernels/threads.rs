//! The sharing out of a loop over the threads of the pool that the caller runs in.
//!
//! A step of a model with a thousand units has half a dozen loops that are worth it, each a millisecond or less, and little
//! in between. To wake a thread that has gone to sleep takes tens of microseconds, which is too long: so a thread that
//! has helped looks for more for a while before it sleeps, and one that waits for others does not sleep at all.

use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rayon::Yield;

/// How long a thread looks for work before it sleeps: longer than what lies between two loops of a step.
const PATIENCE: Duration = Duration::from_millis(1);

/// How many threads are worth having for so many multiply–accumulates.
pub fn for_products(work: usize) -> usize {
    /// Below it, a second thread costs more than it saves.
    const WORTH_SHARING: usize = 20_000_000;
    if work < WORTH_SHARING {
        1
    } else {
        rayon::current_num_threads()
    }
}

/// How many threads are worth having to pass over so many numbers.
pub fn for_numbers(count: usize) -> usize {
    /// As above.
    const WORTH_SHARING: usize = 200_000;
    if count < WORTH_SHARING {
        1
    } else {
        rayon::current_num_threads()
    }
}

/// Runs `pass` on every piece of a loop, on at most so many threads. Which thread has which piece must not matter.
///
/// # Panics
///
/// Panics if `pass` does.
pub fn share_out<T: Send>(
    pieces: impl IntoIterator<Item = T>,
    threads: usize,
    pass: impl Fn(T) + Sync,
) {
    if threads <= 1 {
        return pieces.into_iter().for_each(pass);
    }
    let pieces: Vec<T> = pieces.into_iter().collect();
    let helpers = threads.min(pieces.len()).saturating_sub(1);
    let waiting = Mutex::new(pieces.into_iter());
    let next = || {
        let pieces = &mut *waiting.lock().expect("no thread panics with the lock");
        pieces.next()
    };
    let work = || {
        while let Some(piece) = next() {
            pass(piece);
        }
    };
    let at_work = AtomicUsize::new(helpers);
    rayon::scope(|scope| {
        let _awake = Awake::new();
        for _ in 0..helpers {
            // Before the work, as what is given out first is taken first.
            rayon::spawn(stay_awake);
        }
        for _ in 0..helpers {
            scope.spawn(|_| {
                // Also if a pass panics.
                let _done = Done(&at_work);
                work();
            });
        }
        work();
        while at_work.load(Ordering::Acquire) > 0 {
            look_for_work();
        }
    });
}

/// Counts one less when it is dropped.
struct Done<'a>(&'a AtomicUsize);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

thread_local! {
    /// Whether this thread looks for work, or waits for others to finish theirs.
    static IS_AWAKE: Cell<bool> = const { Cell::new(false) };
}

/// Until it is dropped, also by a panic, this thread is awake.
struct Awake {
    was_before: bool,
}

impl Awake {
    fn new() -> Self {
        Self {
            was_before: IS_AWAKE.replace(true),
        }
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        IS_AWAKE.set(self.was_before);
    }
}

/// Looks for work until there has been none for a while.
fn stay_awake() {
    let awake = Awake::new();
    if awake.was_before {
        return;
    }
    let mut since = Instant::now();
    while since.elapsed() < PATIENCE {
        if look_for_work() {
            since = Instant::now();
        }
    }
}

/// Does what waits in the pool, if anything does; else lets other programs have the processor.
fn look_for_work() -> bool {
    let found = rayon::yield_now() == Some(Yield::Executed);
    if !found {
        std::thread::yield_now();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(threads: usize) -> rayon::ThreadPool {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().expect("threads")
    }

    #[test]
    fn every_piece_is_passed_once_whatever_the_threads() {
        for threads in [1, 2, 5] {
            for pieces in [0, 1, 2, 3, 100] {
                let mut numbers = vec![0_usize; pieces];
                pool(threads).install(|| {
                    // Again and again, as threads of the time before may still be awake.
                    for _ in 0..50 {
                        share_out(&mut numbers, threads, |number| *number += 1);
                    }
                });
                assert_eq!(numbers, vec![50; pieces], "{threads} threads");
            }
        }
    }

    #[test]
    fn loops_may_share_out_loops() {
        let sum = AtomicUsize::new(0);
        pool(3).install(|| {
            share_out(0..7, 3, |_| {
                share_out(0..11, 3, |_| {
                    sum.fetch_add(1, Ordering::Relaxed);
                });
            });
        });
        assert_eq!(sum.into_inner(), 77);
    }

    #[test]
    fn a_panic_in_any_piece_is_the_callers() {
        for piece in [0, 9] {
            let outcome = std::panic::catch_unwind(|| {
                pool(2).install(|| {
                    share_out(0..10, 2, |at| assert_ne!(at, piece, "as asked"));
                });
            });
            assert!(outcome.is_err(), "{piece}");
        }
    }

    #[test]
    fn threads_without_work_go_to_sleep() {
        let pool = pool(2);
        pool.install(|| share_out(0..2, 2, |_| ()));
        // To ask is work, too.
        let asleep = (0..100).any(|_| {
            std::thread::sleep(20 * PATIENCE);
            pool.broadcast(|_| IS_AWAKE.get()) == [false; 2]
        });
        assert!(asleep);
    }
}
