//! How a run is watched: burn's dashboard on a terminal, one line per epoch elsewhere, or nothing.
//!
//! This room is the only one that draws on the terminal while a run is on. It takes what [`Observer`] tells
//! and gives back one thing: a request to stop.

#[cfg(feature = "dashboard")]
mod dashboard;
mod plain;

use std::io::IsTerminal;
use std::sync::Arc;

use crate::results::{Ended, Member};
use crate::train::{Observer, Record, Stop};

/// How much to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// The dashboard on a terminal, lines elsewhere.
    Automatic,
    /// Lines, on a terminal as well.
    Plain,
    /// Nothing.
    Quiet,
}

impl Style {
    /// Whether lines of talk may be printed while a run is on; they would garble a dashboard.
    #[must_use]
    pub fn prints_lines(self) -> bool {
        match self {
            Self::Automatic => !wants_dashboard(),
            Self::Plain | Self::Quiet => true,
        }
    }
}

/// How much there is to do.
#[derive(Debug, Clone)]
pub struct Extent {
    pub title: String,
    pub members: Vec<Member>,
    /// Of every member, without its pretraining.
    pub epochs: usize,
    /// Multiply–accumulate operations of all training: the measure of progress.
    pub work: u64,
}

/// Whoever watches a run.
pub enum Watcher {
    #[cfg(feature = "dashboard")]
    Dashboard(dashboard::Dashboard),
    Plain(plain::Lines),
    Nobody,
}

impl Watcher {
    /// Starts watching.
    #[must_use]
    pub fn start(style: Style, extent: Extent, stop: Arc<Stop>) -> Self {
        match style {
            Style::Quiet => Self::Nobody,
            #[cfg(feature = "dashboard")]
            Style::Automatic if wants_dashboard() => {
                Self::Dashboard(dashboard::Dashboard::start(extent, stop))
            }
            Style::Automatic | Style::Plain => {
                drop(stop);
                Self::Plain(plain::Lines::start(&extent))
            }
        }
    }

    /// Stops watching and leaves the terminal as it was found.
    pub fn finish(self) {
        match self {
            #[cfg(feature = "dashboard")]
            Self::Dashboard(dashboard) => dashboard.finish(),
            Self::Plain(_) | Self::Nobody => (),
        }
    }
}

impl Observer for Watcher {
    fn worked(&self, multiply_accumulates: u64) {
        match self {
            #[cfg(feature = "dashboard")]
            Self::Dashboard(dashboard) => dashboard.worked(multiply_accumulates),
            Self::Plain(lines) => lines.worked(multiply_accumulates),
            Self::Nobody => (),
        }
    }

    fn worked_before(&self, multiply_accumulates: u64) {
        match self {
            #[cfg(feature = "dashboard")]
            Self::Dashboard(dashboard) => dashboard.worked_before(multiply_accumulates),
            Self::Plain(lines) => lines.worked_before(multiply_accumulates),
            Self::Nobody => (),
        }
    }

    fn record(&self, record: Record<'_>) {
        match self {
            #[cfg(feature = "dashboard")]
            Self::Dashboard(dashboard) => dashboard.record(record),
            Self::Plain(lines) => lines.record(record),
            Self::Nobody => (),
        }
    }

    /// A plot shows all epochs; a line that was printed before is not printed again.
    fn recall(&self, record: Record<'_>) {
        match self {
            #[cfg(feature = "dashboard")]
            Self::Dashboard(dashboard) => dashboard.record(record),
            Self::Plain(_) | Self::Nobody => {
                let _ = record;
            }
        }
    }

    /// A dashboard has no place for it: it is told when the run is over.
    fn ended(&self, ended: &Ended) {
        if let Self::Plain(lines) = self {
            lines.ended(ended);
        }
    }
}

fn wants_dashboard() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    cfg!(feature = "dashboard")
        && std::io::stdout().is_terminal()
        && std::io::stdin().is_terminal()
        && !dumb
}
