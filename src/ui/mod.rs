//! How a run is watched: burn's dashboard on a terminal, one line per epoch elsewhere, or nothing.
//!
//! This room is the only one that prints, and the only one that knows the terminal. It takes what [`Observer`] tells and
//! gives back one thing: a request to stop.

mod clock;
#[cfg(feature = "dashboard")]
mod dashboard;
mod plain;
#[cfg(feature = "dashboard")]
mod plots;
pub mod print;
#[cfg(feature = "dashboard")]
mod screen;

use std::io::IsTerminal;
use std::sync::Arc;

use crate::results::Member;
use crate::spec::ExperimentName;
use crate::train::{Event, Observer, Stop};

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
    /// Whether there will be a dashboard.
    #[must_use]
    pub fn is_dashboard(self) -> bool {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        self == Self::Automatic
            && cfg!(feature = "dashboard")
            && std::io::stdout().is_terminal()
            && std::io::stdin().is_terminal()
            && !dumb
    }
}

/// How much there is to do.
#[derive(Debug, Clone)]
pub struct Extent {
    /// The name of the config.
    pub title: String,
    /// What kind of model is trained.
    pub experiment: ExperimentName,
    /// Everything that is trained, in the order of indices.
    pub members: Vec<Member>,
    /// Of every member, without its pretraining.
    pub epochs: usize,
    /// Of all members together, pretraining included.
    pub epochs_of_all: usize,
    /// Training images, which every epoch goes through once.
    pub images: usize,
    /// Multiply–accumulate operations of all training: the measure of time.
    pub work: u64,
}

/// Whoever watches a run.
pub enum Watcher {
    /// burn's dashboard on a terminal.
    #[cfg(feature = "dashboard")]
    Dashboard(Box<dashboard::Dashboard>),
    /// One line per epoch.
    Plain(plain::Lines),
    /// Nothing is shown.
    Nobody,
}

impl Watcher {
    /// Starts watching.
    #[must_use]
    pub fn start(style: Style, extent: &Extent, stop: &Arc<Stop>) -> Self {
        match style {
            Style::Quiet => Self::Nobody,
            #[cfg(feature = "dashboard")]
            Style::Automatic if style.is_dashboard() => {
                Self::Dashboard(Box::new(dashboard::Dashboard::start(extent, stop)))
            }
            Style::Automatic | Style::Plain => {
                let _ = stop;
                Self::Plain(plain::Lines::start(extent))
            }
        }
    }

    /// Stops watching and leaves the terminal as it was found, with the last numbers on it.
    pub fn finish(self) {
        match self {
            #[cfg(feature = "dashboard")]
            Self::Dashboard(dashboard) => dashboard.finish(),
            Self::Plain(_) | Self::Nobody => (),
        }
    }
}

impl Observer for Watcher {
    fn tell(&self, event: Event<'_>) {
        match self {
            #[cfg(feature = "dashboard")]
            Self::Dashboard(dashboard) => dashboard.tell(event),
            Self::Plain(lines) => lines.tell(event),
            Self::Nobody => (),
        }
    }

    fn readings(&self) -> usize {
        match self {
            #[cfg(feature = "dashboard")]
            Self::Dashboard(dashboard) => dashboard.readings(),
            Self::Plain(_) | Self::Nobody => 0,
        }
    }
}

/// Gives a terminal back that a dashboard may be on, for whoever ends the program at once.
pub fn leave_terminal() {
    #[cfg(feature = "dashboard")]
    screen::leave();
}

/// Whether the program was told, as by `nohup`, to outlive its terminal.
#[cfg(unix)]
#[expect(
    unsafe_code,
    reason = "what a signal does can be asked in no other way"
)]
#[must_use]
pub fn outlives_terminal() -> bool {
    // SAFETY: all bits zero are a value of this plain struct; without a new action the call changes nothing but it.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGHUP, std::ptr::null(), &raw mut action) == 0
            && action.sa_sigaction == libc::SIG_IGN
    }
}

/// Whether the program was told to outlive its terminal: not where nobody can tell it.
#[cfg(not(unix))]
#[must_use]
pub fn outlives_terminal() -> bool {
    false
}
