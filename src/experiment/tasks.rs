//! The carrying out of tasks that know nothing of each other: turn by turn on the lanes, each offered to the shelf
//! after every turn, until all are done, stopped, or one has failed.

use std::ops::ControlFlow;
use std::sync::Mutex;

use serde_json::Value;

use super::{Failure, Setting, TaskName};
use crate::model::unless_lost;
use crate::results::{Ended, Member, MemberResults, MemberSeconds, Numbers};
use crate::train::State;
use crate::train::lanes::{locked, take_turns};
use crate::weights::Weights;

/// What is trained together.
pub trait Task: Send {
    /// Position among all tasks of the run, in the order of the plan.
    fn number(&self) -> usize;

    fn members(&self) -> &[Member];

    /// One turn: an epoch, or what follows the last one. It breaks off where the task is trained to its end or stopped.
    fn advance(&mut self, setting: &Setting<'_>) -> Result<ControlFlow<()>, Failure>;

    /// Everything that the task needs to go on from here.
    fn state(&self) -> State;

    /// The members that could not go on; the others do.
    fn ended(&self) -> &[Ended];

    /// What was measured on its members at the end of their training; absent before.
    fn numbers(&self) -> Option<&[Numbers]>;

    /// What each member's training took, where that is compared.
    fn seconds(&self) -> &[MemberSeconds];

    /// Adds a copy of its members' parameters as they are on the device at this moment; a task that never had a turn
    /// has none.
    fn add_weights(&self, weights: &mut Weights);

    fn has_ended(&self, member: &Member) -> bool {
        let mut ended = self.ended().iter();
        ended.any(|ended| ended.member.index == member.index)
    }

    fn all_have_ended(&self) -> bool {
        self.ended().len() == self.members().len()
    }

    /// Whether all of its members were trained to their end, or could not go on.
    fn is_through(&self) -> bool {
        self.numbers().is_some() || self.all_have_ended()
    }

    /// The members that were trained to their end.
    fn results(&self) -> Vec<MemberResults> {
        let numbers = self.numbers().unwrap_or_default();
        let members = self.members().iter().zip(numbers);
        members
            .filter(|(member, _)| !self.has_ended(member))
            .map(|(member, numbers)| MemberResults {
                member: member.clone(),
                evidence: numbers.clone(),
            })
            .collect()
    }
}

/// Whether the state of a task of so many members is that of its end: there is nothing left to train.
#[must_use]
pub fn is_through(state: &State, members: usize) -> bool {
    let fact = |name: &str| state.facts.get(name);
    let ended = fact("ended").and_then(Value::as_array).map_or(0, Vec::len);
    fact("numbers").is_some_and(|numbers| !numbers.is_null()) || ended == members
}

/// The members that could not go on, as the state of their task has it.
#[must_use]
pub fn ended(state: &State) -> Vec<Ended> {
    let ended = state.facts.get("ended").cloned();
    ended.map_or_else(Vec::new, |ended| {
        serde_json::from_value(ended).unwrap_or_default()
    })
}

fn labels(members: &[Member]) -> Vec<String> {
    members.iter().map(|member| member.label.clone()).collect()
}

/// One turn of a task, whose state is kept then.
fn turn(task: &mut dyn Task, setting: &Setting<'_>) -> Result<ControlFlow<()>, Failure> {
    let advanced = task.advance(setting)?;
    if let Some(reason) = setting.data.lost() {
        // What came of such rows is not kept.
        let reason = reason.to_owned();
        return Err(Failure::Data { reason });
    }
    let name = TaskName {
        number: task.number(),
        members: labels(task.members()),
    };
    setting.shelf.offer(&name, advanced, &|| task.state());
    Ok(advanced)
}

/// Carries out all tasks; they come back in the order in which they were given.
///
/// # Errors
///
/// Returns the first [`Failure`] of any task, which stops the others.
pub fn take_all_turns(
    tasks: Vec<Box<dyn Task>>,
    setting: &Setting<'_>,
) -> Result<Vec<Box<dyn Task>>, Failure> {
    let failure = Mutex::new(None);
    let tasks = take_turns(setting.lanes, tasks, |task| {
        let advanced = unless_lost(|| turn(task.as_mut(), setting));
        let advanced = advanced.unwrap_or_else(|lost| Err(Failure::Device { reason: lost.0 }));
        advanced.unwrap_or_else(|error| {
            setting.stop.request();
            locked(&failure).get_or_insert(error);
            ControlFlow::Break(())
        })
    });
    let failure = locked(&failure).take();
    match failure {
        Some(error) => Err(error),
        None => Ok(tasks),
    }
}
