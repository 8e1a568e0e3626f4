//! burn's terminal dashboard, driven from a thread of our own.
//!
//! The dashboard belongs to that thread alone, so that a training thread never waits for the terminal, and a
//! "kill" from the dashboard's menu, which burn carries out as a panic, ends the dashboard and not the run:
//! either of its ways to stop becomes a [`Stop`], and what was computed is kept.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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
use crate::results::EpochRecord;
use crate::train::Stop;

/// How often progress is passed on; the dashboard redraws no faster.
const REFRESH: Duration = Duration::from_millis(100);

/// A plot of the dashboard: its title, whether more is better, and its value in an epoch's record.
type Quantity = (&'static str, bool, fn(&EpochRecord) -> f64);

const QUANTITIES: [Quantity; 8] = [
    ("Test error", false, |record| record.test_reconstruction),
    ("Training cost", false, |record| record.cost),
    ("Sparsity Σ KL", false, |record| record.sparsity),
    ("Mean activation", false, |record| record.mean_activation),
    ("Active units", false, |record| record.active_units),
    ("Dead units", false, |record| record.dead_units as f64),
    ("Untrained units", false, |record| {
        record.untrained_units as f64
    }),
    ("Explained variance", true, |record| {
        record.explained_variance
    }),
];

/// A dashboard on the screen.
pub struct Dashboard {
    done: Arc<AtomicUsize>,
    records: Sender<EpochRecord>,
    thread: JoinHandle<()>,
}

impl Dashboard {
    pub fn start(extent: Extent, stop: Arc<Stop>) -> Self {
        let (records, received) = channel();
        let done = Arc::new(AtomicUsize::new(0));
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
            records,
            thread,
        }
    }

    pub fn trained(&self, images: usize) {
        self.done.fetch_add(images, Ordering::Relaxed);
    }

    pub fn epoch(&self, record: &EpochRecord) {
        // Nobody receives any more if the dashboard was killed.
        let _ = self.records.send(record.clone());
    }

    pub fn finish(self) {
        drop(self.records);
        // Its panics are caught inside.
        let _ = self.thread.join();
    }
}

/// Draws until the sender of records is gone.
fn show(extent: &Extent, done: &AtomicUsize, records: &Receiver<EpochRecord>, stop: &Stop) {
    let interrupter = Interrupter::new();
    let mut renderer = TuiMetricsRendererWrapper::new(interrupter.clone(), None);
    for (name, higher_is_better, _) in QUANTITIES {
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
    // An epoch of the dashboard is an epoch of all members; its items are images through members.
    let items = extent.images * extent.members.len();
    renderer.start(extent.epochs, 1, Some(items), Some(&extent.title));
    renderer.start_split("train", items);
    let mut shown = usize::MAX;
    loop {
        if interrupter.should_stop() {
            stop.request();
        }
        let images = done.load(Ordering::Relaxed).min(extent.total_images());
        if images != shown {
            shown = images;
            let epoch = (images / items).min(extent.epochs - 1);
            renderer.update_epoch(epoch);
            renderer.update_split(images - epoch * items);
        }
        match records.recv_timeout(REFRESH) {
            Ok(record) => plot(&mut renderer, &record),
            Err(RecvTimeoutError::Timeout) => (),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
}

/// Adds an epoch to every plot: a metric is a quantity, a line in it a member. burn offers named lines for
/// evaluations only, hence the "Test" before each name.
fn plot(renderer: &mut TuiMetricsRendererWrapper, record: &EpochRecord) {
    for (name, _, value) in QUANTITIES {
        let value = value(record);
        let entry = MetricEntry::new(
            MetricId::new(Arc::new(name.to_owned())),
            SerializedEntry::new(
                format!("epoch {}: {value:.4}", record.epoch),
                value.to_string(),
            ),
        );
        renderer.update_test(
            EvaluationName::new(&record.label),
            MetricState::Numeric(entry, Some(NumericEntry::Value(value))),
        );
    }
}
