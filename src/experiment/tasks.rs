//! The carrying out of tasks that know nothing of each other: turn by turn on the lanes, each offered to the shelf
//! after every turn, until all are done, stopped, or one has failed.

use std::sync::Mutex;

use super::{Failure, Moment, Setting, TaskName};
use crate::results::Member;
use crate::train::State;
use crate::train::lanes::{Turn, locked, take_turns};

/// What is trained together.
pub trait Task: Send {
    /// Position among all tasks of the run, in the order of the plan.
    fn number(&self) -> usize;

    fn members(&self) -> &[Member];

    /// One step of the way, such as an epoch.
    fn advance(&mut self, setting: &Setting<'_>) -> Result<Advance, Failure>;

    /// Everything that the task needs to go on from here.
    fn state(&self) -> State;
}

/// What a step left behind.
pub enum Advance {
    More,
    /// Trained to the end, or stopped.
    Done,
}

fn labels(members: &[Member]) -> Vec<String> {
    members.iter().map(|member| member.label.clone()).collect()
}

/// Carries out all tasks; they come back in the order in which they were given.
///
/// # Errors
///
/// Returns the first [`Failure`] of any task, which stops the others.
pub fn carry_out<T: Task>(tasks: Vec<T>, setting: &Setting<'_>) -> Result<Vec<T>, Failure> {
    let failure = Mutex::new(None);
    // Tasks are handed from lane to lane: behind a pointer, that costs nothing.
    let tasks: Vec<Box<T>> = tasks.into_iter().map(Box::new).collect();
    let tasks = take_turns(setting.lanes, tasks, |mut task| {
        let moment = match task.advance(setting) {
            Ok(Advance::More) => Moment::Epoch,
            Ok(Advance::Done) => Moment::Last,
            Err(error) => {
                setting.stop.request();
                locked(&failure).get_or_insert(error);
                return Turn::Done(task);
            }
        };
        let name = TaskName {
            number: task.number(),
            members: labels(task.members()),
        };
        setting.shelf.offer(&name, moment, &|| task.state());
        match moment {
            Moment::Epoch => Turn::Again(task),
            Moment::Last => Turn::Done(task),
        }
    });
    let failure = locked(&failure).take();
    match failure {
        Some(error) => Err(error),
        None => Ok(tasks.into_iter().map(|task| *task).collect()),
    }
}
