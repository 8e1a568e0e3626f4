//! One line per epoch and member on stdout, without escape codes.

use super::Extent;
use super::clock::Clock;
use super::print::say;
use crate::results::{ClassifierRecord, Ended, EpochRecord, StageRecord};
use crate::train::{Event, Record};
use crate::words::padded;

/// A printer of lines.
pub struct Lines {
    clock: Clock,
    epochs: usize,
    label_width: usize,
}

impl Lines {
    pub fn start(extent: &Extent) -> Self {
        Self {
            clock: Clock::start(extent.work),
            epochs: extent.epochs,
            label_width: extent
                .members
                .iter()
                .map(|member| member.label.chars().count())
                .max()
                .unwrap_or(0),
        }
    }

    pub fn tell(&self, event: Event<'_>) {
        self.clock.tell(event);
        match event {
            Event::Record(record) => self.record(record),
            Event::Ended(ended) => self.ended(ended),
            // A line that was printed before is not printed again.
            Event::Recall(_) | Event::Worked(_) | Event::WorkedBefore(_) => (),
        }
    }

    fn record(&self, record: Record<'_>) {
        let line = match record {
            Record::Epoch(record) => self.epoch(record),
            Record::Stage(record) => self.stage(record),
            Record::Classifier(record, _) => self.classifier(record),
            Record::Reading(_) => return,
        };
        say(format!("{line}  {}", self.clock.left()).trim_end());
    }

    fn ended(&self, ended: &Ended) {
        let label = padded(&ended.member.label, self.label_width);
        say(&format!("{label}  {}", ended.reason()));
    }

    fn epoch(&self, record: &EpochRecord) -> String {
        if let Some(error) = record.test_squared_error {
            return format!(
                "{}  test error {:>8.4}  squared error {error:>8.4}",
                self.place(record.epoch, &record.label),
                record.test_reconstruction,
            );
        }
        format!(
            "{}  test error {:>8.4}  sparsity term {:>8.4}  mean activation {:.4}  active {:>6.1}  dead {:>3}",
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
            "layer {:>2}, epoch {}  {}  training error {:>8.4}  sparsity term {:>8.4}",
            record.stage,
            record.epoch,
            padded(&record.label, self.label_width),
            record.reconstruction,
            record.sparsity,
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
            "epoch {epoch:>width$}/{}  {}",
            self.epochs,
            padded(label, self.label_width),
            width = self.epochs.to_string().len(),
        )
    }
}
