//! One line per epoch and member on stdout, without escape codes.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::Extent;
use crate::results::{ClassifierRecord, Ended, EpochRecord, StageRecord};
use crate::train::Record;

/// A printer of lines.
pub struct Lines {
    started: Instant,
    done: AtomicU64,
    /// Of `work`, what an earlier run did.
    done_before: AtomicU64,
    work: u64,
    epochs: usize,
    label_width: usize,
}

impl Lines {
    pub fn start(extent: &Extent) -> Self {
        Self {
            started: Instant::now(),
            done: AtomicU64::new(0),
            done_before: AtomicU64::new(0),
            work: extent.work,
            epochs: extent.epochs,
            label_width: extent
                .members
                .iter()
                .map(|member| member.label.chars().count())
                .max()
                .unwrap_or(0),
        }
    }

    pub fn worked(&self, multiply_accumulates: u64) {
        self.done.fetch_add(multiply_accumulates, Ordering::Relaxed);
    }

    pub fn worked_before(&self, multiply_accumulates: u64) {
        self.done_before
            .fetch_add(multiply_accumulates, Ordering::Relaxed);
    }

    pub fn record(&self, record: Record<'_>) {
        let line = match record {
            Record::Epoch(record) => self.epoch(record),
            Record::Stage(record) => self.stage(record),
            Record::Classifier(record, _) => self.classifier(record),
        };
        let done = self.done.load(Ordering::Relaxed);
        let work = self
            .work
            .saturating_sub(self.done_before.load(Ordering::Relaxed));
        let left = time_left(self.started.elapsed(), done, work);
        // A reader who closed the pipe has seen enough; the run goes on.
        let _ = writeln!(std::io::stdout().lock(), "{line}  left {left}");
    }

    /// A member that could not go on.
    pub fn ended(&self, ended: &Ended) {
        let line = format!(
            "{:<labels$}  {}",
            ended.member.label,
            ended.reason(),
            labels = self.label_width,
        );
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }

    fn epoch(&self, record: &EpochRecord) -> String {
        format!(
            "{}  test error {:>8.4}  Σ KL {:>8.4}  mean activation {:.4}  active {:>6.1}  dead {:>3}",
            self.place(record.epoch, &record.label),
            record.test_reconstruction,
            record.sparsity,
            record.mean_activation,
            record.active_units,
            record.dead_units,
        )
    }

    fn stage(&self, record: &StageRecord) -> String {
        format!(
            "layer {:>2}, epoch {}  {:<labels$}  reconstruction {:>8.4}  Σ KL {:>8.4}",
            record.stage,
            record.epoch,
            record.label,
            record.reconstruction,
            record.sparsity,
            labels = self.label_width,
        )
    }

    fn classifier(&self, record: &ClassifierRecord) -> String {
        let cost = record
            .cost
            .map_or_else(|| format!("{:>8}", "–"), |cost| format!("{cost:>8.4}"));
        format!(
            "{}  test accuracy {:>6.2} %  training cost {cost}",
            self.place(record.epoch, &record.label),
            100.0 * record.test_accuracy,
        )
    }

    fn place(&self, epoch: usize, label: &str) -> String {
        format!(
            "epoch {epoch:>width$}/{}  {label:<labels$}",
            self.epochs,
            width = self.epochs.to_string().len(),
            labels = self.label_width,
        )
    }
}

/// The time that the rest will take if it goes on as it went.
fn time_left(elapsed: Duration, done: u64, total: u64) -> String {
    if done == 0 {
        return "?".to_owned();
    }
    let rest = total.saturating_sub(done) as f64 / done as f64;
    duration(elapsed.mul_f64(rest))
}

/// A duration as a person writes it: `42 s`, `3 min 05 s`, `2 h 10 min`.
fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64().round() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_is_in_proportion() {
        let half_a_minute = Duration::from_secs(30);
        assert_eq!(time_left(half_a_minute, 100, 300), "1 min 00 s");
        assert_eq!(time_left(half_a_minute, 300, 300), "0 s");
        assert_eq!(time_left(half_a_minute, 0, 300), "?");
    }

    #[test]
    fn durations_read_well() {
        let text = |seconds| duration(Duration::from_secs(seconds));
        assert_eq!(
            [text(59), text(61), text(7260)],
            ["59 s", "1 min 01 s", "2 h 01 min"]
        );
    }
}
