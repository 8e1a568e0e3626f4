//! One line per epoch and member on stdout, without escape codes.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::Extent;
use crate::results::EpochRecord;

/// A printer of lines.
pub struct Lines {
    started: Instant,
    done: AtomicUsize,
    total: usize,
    epochs: usize,
    label_width: usize,
}

impl Lines {
    pub fn start(extent: &Extent) -> Self {
        Self {
            started: Instant::now(),
            done: AtomicUsize::new(0),
            total: extent.total_images(),
            epochs: extent.epochs,
            label_width: extent
                .members
                .iter()
                .map(|member| member.label.chars().count())
                .max()
                .unwrap_or(0),
        }
    }

    pub fn trained(&self, images: usize) {
        self.done.fetch_add(images, Ordering::Relaxed);
    }

    pub fn epoch(&self, record: &EpochRecord) {
        let done = self.done.load(Ordering::Relaxed);
        let line = format!(
            "epoch {:>width$}/{}  {:<labels$}  test error {:>8.4}  Σ KL {:>8.4}  mean activation {:.4}  \
             active {:>6.1}  dead {:>3}  left {}",
            record.epoch,
            self.epochs,
            record.label,
            record.test_reconstruction,
            record.sparsity,
            record.mean_activation,
            record.active_units,
            record.dead_units,
            time_left(self.started.elapsed(), done, self.total),
            width = self.epochs.to_string().len(),
            labels = self.label_width,
        );
        // A reader who closed the pipe has seen enough; the run goes on.
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }
}

/// The time that the rest will take if it goes on as it went.
fn time_left(elapsed: Duration, done: usize, total: usize) -> String {
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
