//! burn's terminal dashboard, driven from a thread of our own.
//!
//! The dashboard belongs to that thread alone, so that a training thread never waits for the terminal, and a
//! "kill" from the dashboard's menu, which burn carries out as a panic, ends the dashboard and not the run:
//! either of its ways to stop becomes a [`Stop`], and what was computed is kept.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use burn::train::Interrupter;
use burn::train::logger::TrainingProgressLogger;
use burn::train::metric::{
    MetricAttributes, MetricDefinition, MetricEntry, MetricId, NumericAttributes, NumericEntry,
    SerializedEntry,
};
use burn::train::renderer::tui::TuiMetricsRendererWrapper;
use burn::train::renderer::{
    EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation,
};

use super::Extent;
use crate::train::{Record, Stop};

/// How often progress is passed on; the dashboard redraws no faster.
const REFRESH: Duration = Duration::from_millis(100);

/// One point of a plot: the plot's title, whether more is better, and the value.
type Point = (&'static str, bool, f64);

/// What an epoch adds to the plots.
struct Points {
    member: usize,
    epoch: usize,
    values: Vec<Point>,
}

/// A dashboard on the screen.
pub struct Dashboard {
    done: Arc<AtomicU64>,
    points: Sender<Points>,
    thread: JoinHandle<()>,
}

impl Dashboard {
    pub fn start(extent: Extent, stop: Arc<Stop>) -> Self {
        let (points, received) = channel();
        let done = Arc::new(AtomicU64::new(0));
        let progress = Arc::clone(&done);
        let thread = std::thread::spawn(move || {
            // burn's own hook restores the terminal before the panic of a "kill" gets here.
            let shown = catch_unwind(AssertUnwindSafe(|| {
                show(&extent, &progress, &received, &stop);
            }));
            if shown.is_err() {
                stop.request();
            }
        });
        Self {
            done,
            points,
            thread,
        }
    }

    pub fn worked(&self, multiply_accumulates: u64) {
        self.done.fetch_add(multiply_accumulates, Ordering::Relaxed);
    }

    /// What was done before is done: the dashboard knows no other progress.
    pub fn worked_before(&self, multiply_accumulates: u64) {
        self.worked(multiply_accumulates);
    }

    pub fn record(&self, record: Record<'_>) {
        // Nobody receives any more if the dashboard was killed.
        let _ = self.points.send(points(record));
    }

    pub fn finish(self) {
        drop(self.points);
        // Its panics are caught inside.
        let _ = self.thread.join();
    }
}

fn points(record: Record<'_>) -> Points {
    match record {
        Record::Epoch(record) => Points {
            member: record.member,
            epoch: record.epoch,
            values: [
                Some(("Test error", false, record.test_reconstruction)),
                Some(("Training cost", false, record.cost)),
                Some(("Sparsity Σ KL", false, record.sparsity)),
                Some(("Mean activation", false, record.mean_activation)),
                Some(("Active units", false, record.active_units)),
                Some(("Dead units", false, record.dead_units as f64)),
                Some(("Untrained units", false, record.untrained_units as f64)),
                record
                    .explained_variance
                    .map(|value| ("Explained variance", true, value)),
            ]
            .into_iter()
            .flatten()
            .collect(),
        },
        Record::Stage(record) => Points {
            member: record.member,
            epoch: record.epoch,
            values: vec![
                ("Pretraining error", false, record.reconstruction),
                ("Pretraining Σ KL", false, record.sparsity),
            ],
        },
        Record::Classifier(record, layers) => Points {
            member: record.member,
            epoch: record.epoch,
            values: [
                Some(("Test accuracy %", true, 100.0 * record.test_accuracy)),
                record.cost.map(|cost| ("Training cost", false, cost)),
                layers.first().map(|layer| {
                    let magnitude = layer.gradient_norm.max(1e-30).log10();
                    ("log₁₀ gradient, layer 1", true, magnitude)
                }),
            ]
            .into_iter()
            .flatten()
            .collect(),
        },
    }
}

/// Draws until the sender of points is gone.
fn show(extent: &Extent, done: &AtomicU64, received: &Receiver<Points>, stop: &Stop) {
    let interrupter = Interrupter::new();
    let mut renderer = TuiMetricsRendererWrapper::new(interrupter.clone(), None);
    // The whole run's work is shared out evenly over the dashboard's epochs, in millions.
    let epochs = extent.epochs.max(1);
    let items = (extent.work / 1_000_000) as usize / epochs;
    let items = items.max(1);
    renderer.start(epochs, 1, Some(items), Some(&extent.title));
    renderer.start_split("train", items);
    let mut known = HashSet::new();
    let mut shown = usize::MAX;
    loop {
        if interrupter.should_stop() {
            stop.request();
        }
        let work = (done.load(Ordering::Relaxed) / 1_000_000) as usize;
        let work = work.min(items * epochs);
        if work != shown {
            shown = work;
            let epoch = (work / items).min(epochs - 1);
            renderer.update_epoch(epoch);
            renderer.update_split(work - epoch * items);
        }
        match received.recv_timeout(REFRESH) {
            Ok(points) => plot(&mut renderer, extent, &mut known, &points),
            Err(RecvTimeoutError::Timeout) => (),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
}

/// Adds an epoch to every plot: a metric is a quantity, a line in it a member. burn offers named lines for
/// evaluations only, hence the "Test" before each name. Members of the first seed stand for the others: more lines
/// than that cannot be told apart.
fn plot(
    renderer: &mut TuiMetricsRendererWrapper,
    extent: &Extent,
    known: &mut HashSet<&'static str>,
    points: &Points,
) {
    let Some(member) = extent.members.get(points.member) else {
        return;
    };
    if member.seed != extent.members[0].seed {
        return;
    }
    for &(name, higher_is_better, value) in &points.values {
        if known.insert(name) {
            renderer.register_metric(MetricDefinition {
                metric_id: MetricId::new(Arc::new(name.to_owned())),
                name: Arc::new(name.to_owned()),
                description: None,
                attributes: MetricAttributes::Numeric(NumericAttributes {
                    unit: None,
                    higher_is_better,
                }),
            });
        }
        let entry = MetricEntry::new(
            MetricId::new(Arc::new(name.to_owned())),
            SerializedEntry::new(
                format!("epoch {}: {value:.4}", points.epoch),
                value.to_string(),
            ),
        );
        renderer.update_test(
            EvaluationName::new(&member.label),
            MetricState::Numeric(entry, Some(NumericEntry::Value(value))),
        );
    }
}
