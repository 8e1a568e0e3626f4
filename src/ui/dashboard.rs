//! burn's terminal dashboard, driven from a thread of our own.
//!
//! The dashboard belongs to that thread alone, so that a training thread never waits for the terminal. Its panics (burn
//! carries out a "kill" from its menu as one, and a terminal that goes away is another) end the dashboard and not the
//! run.

use std::io::{self, IsTerminal};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use burn::train::Interrupter;
use burn::train::logger::TrainingProgressLogger;
use burn::train::metric::{
    MetricAttributes, MetricDefinition, MetricEntry, MetricId, NumericAttributes, NumericEntry,
    SerializedEntry,
};
use burn::train::renderer::tui::TuiMetricsRendererWrapper;
use burn::train::renderer::{MetricState, MetricsRenderer, MetricsRendererTraining};

use super::clock::Clock;
use super::plots::{Mark, Metric, Note, Plots, Quantity, Split, Step};
use super::print::say;
use super::screen::{self, Screen};
use super::{Extent, outlives_terminal};
use crate::train::{Event, Stop};

/// How often what is shown is brought up to date; burn draws no faster.
const REFRESH: Duration = Duration::from_millis(100);

/// The thread here, and burn's, which draws.
const THREADS: [&str; 2] = ["dashboard", "train-renderer"];

/// A dashboard on the screen.
pub struct Dashboard {
    clock: Arc<Clock>,
    readings: usize,
    /// What is to be shown, and whether it was known before this run went on.
    notes: Option<Sender<(Note, bool)>>,
    thread: Option<JoinHandle<Plots>>,
}

impl Dashboard {
    pub fn start(extent: &Extent, stop: &Arc<Stop>) -> Self {
        let clock = Arc::new(Clock::start(extent.work));
        let plots = Plots::new(extent);
        let readings = plots.readings();
        let (notes, received) = channel();
        let view = View {
            extent: extent.clone(),
            clock: Arc::clone(&clock),
            stop: Arc::clone(stop),
            received,
        };
        let named = Builder::new().name(THREADS[0].to_owned());
        Self {
            clock,
            readings,
            notes: Some(notes),
            thread: named.spawn(|| view.carry_out(plots)).ok(),
        }
    }

    pub fn readings(&self) -> usize {
        self.readings
    }

    pub fn tell(&self, event: Event<'_>) {
        self.clock.tell(event);
        let note = match event {
            Event::Record(record) => (record.into(), false),
            // A plot shows all epochs.
            Event::Recall(record) => (record.into(), true),
            Event::Ended(ended) => {
                let (member, reason) = (ended.member.index, ended.reason());
                (Note::Ended { member, reason }, false)
            }
            Event::Worked(_) | Event::WorkedBefore(_) => return,
        };
        if let Some(notes) = &self.notes {
            // A dashboard that was ended early has nobody who receives.
            let _ = notes.send(note);
        }
    }

    /// Takes the dashboard off the screen, and prints the last numbers of each model.
    pub fn finish(mut self: Box<Self>) {
        let plots = self.end();
        drop(self);
        for line in plots.iter().flat_map(Plots::table) {
            say(&line);
        }
    }

    fn end(&mut self) -> Option<Plots> {
        self.notes = None;
        self.thread.take()?.join().ok()
    }
}

/// Also where a panic leads past [`Dashboard::finish`].
impl Drop for Dashboard {
    fn drop(&mut self) {
        self.end();
    }
}

/// What the dashboard's thread is given.
struct View {
    extent: Extent,
    clock: Arc<Clock>,
    stop: Arc<Stop>,
    received: Receiver<(Note, bool)>,
}

impl View {
    /// Shows what it receives until nobody sends any more.
    fn carry_out(self, mut plots: Plots) -> Plots {
        let screen = Screen::take();
        let hook = Hook::set();
        let shown = catch_unwind(AssertUnwindSafe(|| self.show(&mut plots, &hook.panicked)));
        hook.unset();
        drop(screen);
        // A closed terminal is not told to everybody who runs in it.
        let is_gone = !io::stdout().is_terminal() && !outlives_terminal();
        if shown.is_err() || is_gone {
            self.stop.request();
        }
        for (note, recalled) in &self.received {
            plots.take(note, recalled);
        }
        plots
    }

    fn show(&self, plots: &mut Plots, panicked: &AtomicBool) {
        let interrupter = Interrupter::new();
        let mut renderer = TuiMetricsRendererWrapper::new(interrupter.clone(), None);
        renderer.start_split("train", self.extent.images);
        self.count(&mut renderer, plots);
        register(&mut renderer, plots.metrics());
        let mut known = plots.metrics().len();
        let mut keys_are_signals = false;
        let mut shown = None;
        // burn's hook takes the dashboard off the screen when anything panics.
        while !panicked.load(Ordering::Relaxed) {
            keys_are_signals = keys_are_signals || screen::make_keys_signals();
            if interrupter.should_stop() {
                self.stop.request();
            }
            let progress = self.progress(plots);
            if shown.as_ref() != Some(&progress) {
                let (label, epoch, images) = &progress;
                let all = self.extent.epochs_of_all.max(1);
                renderer.start(all, 1, Some(self.extent.images), Some(label));
                renderer.update_epoch(*epoch);
                renderer.update_split(*images);
                shown = Some(progress);
            }
            match self.received.recv_timeout(REFRESH) {
                Ok((note, recalled)) => {
                    let steps = plots.take(note, recalled);
                    register(&mut renderer, &plots.metrics()[known..]);
                    known = plots.metrics().len();
                    for step in steps {
                        plot(&mut renderer, &plots.metrics()[step.metric], &step);
                    }
                }
                Err(RecvTimeoutError::Timeout) => (),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    }

    /// What else there is to know, as burn's counters: lines with a number.
    fn count(&self, renderer: &mut TuiMetricsRendererWrapper, plots: &Plots) {
        for _ in 0..plots.steps() {
            renderer.log_event_training("x per epoch".to_owned());
        }
        let seeds = self.extent.members.len() / plots.models().max(1);
        if seeds > 1 {
            for _ in 0..seeds {
                renderer.log_event_training("seeds".to_owned());
            }
        }
    }

    /// The title, and where the whole run is: the epoch, counted from 0 over all members, and how many of its images are
    /// behind.
    fn progress(&self, plots: &Plots) -> (String, usize, usize) {
        let Extent {
            title,
            epochs_of_all,
            images,
            ..
        } = &self.extent;
        let left = if self.stop.requested() {
            "stopping".to_owned()
        } else {
            self.clock.left()
        };
        let label = match left.as_str() {
            "" => title.clone(),
            left => format!("{left}, {title}"),
        };
        let done = plots.epochs();
        let epoch = (done as usize).min(epochs_of_all.saturating_sub(1));
        let of_epoch = (done - epoch as f64) * *images as f64;
        (label, epoch, (of_epoch.round() as usize).min(*images))
    }
}

/// Makes plots, and places among the numbers beside them.
fn register(renderer: &mut TuiMetricsRendererWrapper, metrics: &[Metric]) {
    for metric in metrics {
        renderer.register_metric(MetricDefinition {
            metric_id: id(metric),
            name: Arc::new(metric.name.clone()),
            description: None,
            attributes: MetricAttributes::Numeric(NumericAttributes {
                unit: None,
                higher_is_better: metric.quantity == Quantity::Accuracy,
            }),
        });
        let nothing = MetricState::Generic(entry(metric, "–".to_owned(), String::new()));
        match metric.quantity.split() {
            Split::Train => renderer.update_train(nothing),
            Split::Valid => renderer.update_valid(nothing),
        }
    }
}

fn plot(renderer: &mut TuiMetricsRendererWrapper, metric: &Metric, step: &Step) {
    let mut update = |state| match step.split {
        Split::Train => renderer.update_train(state),
        Split::Valid => renderer.update_valid(state),
    };
    let entry = |serialized| entry(metric, step.text.clone(), serialized);
    match step.mark {
        Mark::Point(value) => {
            // A final value adds no point: it makes the last one, not the mean of all, what the summary shows.
            for value in [NumericEntry::Value(value), NumericEntry::Final(value)] {
                update(MetricState::Numeric(entry(value.serialize()), Some(value)));
            }
        }
        Mark::Gap => update(MetricState::Numeric(entry(String::new()), None)),
        Mark::None => update(MetricState::Generic(entry(String::new()))),
    }
}

fn id(metric: &Metric) -> MetricId {
    MetricId::new(Arc::new(metric.name.clone()))
}

fn entry(metric: &Metric, text: String, serialized: String) -> MetricEntry {
    MetricEntry::new(id(metric), SerializedEntry::new(text, serialized))
}

/// The panic hook while a dashboard is on: as before, but that the dashboard's own threads, whose panics end nothing but
/// the dashboard, say nothing.
struct Hook {
    before: Arc<PanicHook>,
    panicked: Arc<AtomicBool>,
}

type PanicHook = Box<dyn Fn(&PanicHookInfo<'_>) + Sync + Send>;

impl Hook {
    fn set() -> Self {
        let hook = Self {
            before: Arc::new(take_hook()),
            panicked: Arc::default(),
        };
        let (before, panicked) = (Arc::clone(&hook.before), Arc::clone(&hook.panicked));
        set_hook(Box::new(move |info| {
            panicked.store(true, Ordering::Relaxed);
            let thread = std::thread::current();
            if !thread.name().is_some_and(|name| THREADS.contains(&name)) {
                before(info);
            }
        }));
        hook
    }

    fn unset(self) {
        drop(take_hook());
        set_hook(Box::new(move |info| (self.before)(info)));
    }
}
