//! The sharing out of work over processor cores: lanes that take turns of tasks.
//!
//! A small matrix product gains little from a second thread, so a CPU is best used by one compute thread for
//! each model. Tasks (groups of members) are handed out one turn (one epoch) at a time, so that three tasks
//! on two lanes cost one and a half tasks' time, not two. Of many tasks, most are trained to their end before others begin,
//! as what is begun takes memory; the last ones take turns. Which lane runs a turn cannot change its result:
//! a task owns everything that it changes. Where there are fewer tasks than threads, lanes have several threads each, which
//! share out the rows of large products; that changes no result either, as each row is computed as it would be alone.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::thread;

use no_denormals::no_denormals;

/// Runs every task turn by turn until a turn breaks off, as the task is finished or to be left as it is, on at most
/// `threads` threads; the tasks come back in the order in which they were given.
///
/// Each lane computes on its own threads alone, which flush subnormal numbers to zero, as momenta of silent
/// units would otherwise slow it down by half.
///
/// # Panics
///
/// Panics if a turn panics.
pub fn take_turns<T: Send>(
    threads: usize,
    tasks: Vec<T>,
    turn: impl Fn(&mut T) -> ControlFlow<()> + Sync,
) -> Vec<T> {
    let threads = threads.max(1);
    let lanes = threads.min(tasks.len().max(1));
    let rotating = rotating(lanes);
    let mut later: VecDeque<(usize, T)> = tasks.into_iter().enumerate().collect();
    let begun = if later.len() <= rotating {
        later.len()
    } else {
        lanes
    };
    let left = later.len();
    let at_work: VecDeque<(usize, T)> = later.drain(..begun).collect();
    let waiting = Mutex::new((at_work, later, left));
    let done = Mutex::new(Vec::new());
    // A function of its own, so that the lock is gone before the turn begins.
    let next = || locked(&waiting).0.pop_front();
    // One that is done makes room for the next, or for all that are left.
    let make_room = || {
        let (at_work, later, left) = &mut *locked(&waiting);
        *left -= 1;
        let begin = if *left <= rotating { later.len() } else { 1 };
        at_work.extend(later.drain(..begin.min(later.len())));
    };
    let lane = |of_lane: usize| {
        on_threads(of_lane, || {
            // There are never more lanes than tasks at work, so an empty queue means that others hold the rest.
            while let Some((place, mut task)) = next() {
                if turn(&mut task).is_continue() {
                    locked(&waiting).0.push_back((place, task));
                } else {
                    locked(&done).push((place, task));
                    make_room();
                }
            }
        });
    };
    thread::scope(|scope| {
        let start = |at| {
            // What does not come out even goes to the first lanes.
            let of_lane = threads / lanes + usize::from(at < threads % lanes);
            let lane = &lane;
            let started = thread::Builder::new().spawn_scoped(scope, move || lane(of_lane));
            started.is_ok()
        };
        // Where the system gives no more threads, there are fewer lanes, and at least this thread.
        if (0..lanes).filter(|&at| start(at)).count() == 0 {
            lane(1);
        }
    });
    let mut done = locked(&done).drain(..).collect::<Vec<_>>();
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, task)| task).collect()
}

/// How many tasks take turns on so many lanes.
fn rotating(lanes: usize) -> usize {
    8 * lanes
}

/// The most of `tasks` tasks that are at work at the same time on `threads` threads.
#[must_use]
pub fn most_at_work(threads: usize, tasks: usize) -> usize {
    let lanes = threads.max(1).min(tasks.max(1));
    tasks.min(rotating(lanes))
}

/// Runs `work` as a lane of so many threads does.
///
/// # Panics
///
/// Panics if `work` panics.
pub fn alone<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    let work = Mutex::new(Some(work));
    let carry_out = || {
        let work = locked(&work).take();
        work.expect("it is carried out once")()
    };
    // A thread of its own, as no thread can become part of two pools; this one where the system gives no more.
    let done = thread::scope(|scope| {
        let started = thread::Builder::new().spawn_scoped(scope, || on_threads(threads, carry_out));
        started.map_or_else(
            |_| Ok(on_threads(1, carry_out)),
            thread::ScopedJoinHandle::join,
        )
    });
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Runs `work` so that tensor operations inside it stay on this thread and as many others as make up `threads`, with
/// subnormals flushed to zero.
fn on_threads<T>(threads: usize, work: impl FnOnce() -> T) -> T {
    // The thread becomes part of a pool, which parallel loops inside operations then find.
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .use_current_thread()
        .spawn_handler(|thread| {
            thread::Builder::new().spawn(|| without_subnormals(|| thread.run()))?;
            Ok(())
        })
        .build();
    let done = without_subnormals(work);
    drop(pool);
    done
}

#[expect(
    unsafe_code,
    reason = "the processor's floating-point mode can be set in no other way"
)]
fn without_subnormals<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: the mode is this thread's own, is restored when `work` ends, and nothing in `work` relies on
    // subnormal numbers or reads the mode.
    unsafe { no_denormals(work) }
}

/// A lock whose holder cannot leave it in a half-changed state: a panic elsewhere does not matter to it.
pub fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DONE: ControlFlow<()> = ControlFlow::Break(());

    fn again_if(more: bool) -> ControlFlow<()> {
        if more {
            ControlFlow::Continue(())
        } else {
            DONE
        }
    }

    /// Counts down; remembers each turn by (task, turns left).
    fn countdown(lanes: usize, turns: Vec<usize>) -> (Vec<usize>, Vec<(usize, usize)>) {
        let log = Mutex::new(Vec::new());
        let tasks: Vec<(usize, usize, usize)> = turns
            .into_iter()
            .enumerate()
            .map(|(task, left)| (task, left, 0))
            .collect();
        let done = take_turns(lanes, tasks, |(task, left, taken)| {
            locked(&log).push((*task, *left));
            *left -= 1;
            *taken += 1;
            again_if(*left > 0)
        });
        let taken = done.iter().map(|(_, _, taken)| *taken).collect();
        (taken, log.into_inner().expect("no lane panicked"))
    }

    #[test]
    fn every_task_gets_its_turns_and_keeps_its_place() {
        for lanes in [1, 2, 3, 8] {
            let (taken, log) = countdown(lanes, vec![3, 1, 4]);
            assert_eq!(taken, [3, 1, 4]);
            assert_eq!(log.len(), 8);
        }
    }

    #[test]
    fn one_lane_goes_round() {
        let (_, log) = countdown(1, vec![2, 2]);
        assert_eq!(log, [(0, 2), (1, 2), (0, 1), (1, 1)]);
    }

    #[test]
    fn three_tasks_on_two_lanes_cost_one_and_a_half() {
        // Turns of equal length: each lane has about half of them; a busy machine may hold one of them up.
        let lanes = Mutex::new(std::collections::HashMap::new());
        take_turns(2, vec![10; 3], |left: &mut usize| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            *locked(&lanes).entry(thread::current().id()).or_insert(0) += 1;
            *left -= 1;
            again_if(*left > 0)
        });
        let lanes = locked(&lanes);
        assert_eq!(lanes.values().sum::<usize>(), 30);
        assert!(
            lanes.values().all(|turns| (12..=18).contains(turns)),
            "{lanes:?}"
        );
    }

    #[test]
    fn threads_beyond_one_for_each_task_are_shared_out() {
        let threads_of = |threads: usize, tasks: usize| {
            let mut found = take_turns(threads, vec![0; tasks], |threads| {
                std::thread::sleep(std::time::Duration::from_millis(50));
                *threads = rayon::current_num_threads();
                DONE
            });
            found.sort_unstable();
            found
        };
        assert_eq!(threads_of(4, 1), [4]);
        assert_eq!(threads_of(5, 2), [2, 3]);
        assert_eq!(threads_of(2, 2), [1, 1]);
    }

    #[test]
    fn of_many_tasks_few_are_begun_and_the_last_ones_take_turns() {
        let (taken, log) = countdown(1, vec![2; 11]);
        assert_eq!(taken, [2; 11]);
        let first: Vec<usize> = log[..6].iter().map(|(task, _)| *task).collect();
        assert_eq!(first, [0, 0, 1, 1, 2, 2], "one after the other");
        let last: Vec<usize> = log[6..].iter().map(|(task, _)| *task).collect();
        let round: Vec<usize> = (3..11).collect();
        assert_eq!(last, [round.clone(), round].concat(), "in turns");
        assert_eq!((most_at_work(1, 11), most_at_work(2, 11)), (8, 11));
        // Every lane has work as long as there is any.
        for lanes in [2, 3, 5] {
            let (taken, log) = countdown(lanes, vec![3; 70]);
            assert_eq!((taken, log.len()), (vec![3; 70], 210));
        }
    }

    #[test]
    fn no_tasks_are_no_work() {
        assert!(take_turns(4, Vec::<u8>::new(), |_| DONE).is_empty());
    }

    #[test]
    fn subnormals_are_flushed_inside_a_lane() {
        let tiny = f32::MIN_POSITIVE;
        let halved = take_turns(1, vec![tiny], |x| {
            *x = std::hint::black_box(*x) * 0.5;
            DONE
        });
        assert_eq!(halved, [0.0]);
        // On every thread of a lane.
        let broadcast = take_turns(3, vec![Vec::new()], |halved| {
            *halved = rayon::broadcast(|_| std::hint::black_box(tiny) * 0.5);
            DONE
        });
        assert_eq!(broadcast, [vec![0.0; 3]]);
    }
}
