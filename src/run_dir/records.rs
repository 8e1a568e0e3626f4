//! The records of a run, epoch by epoch: kept in an order that does not tell which thread came first, written as
//! JSON lines and as a table, and read back.

use serde::{Deserialize, Serialize};

use super::{
    LAYERS_CSV, LAYERS_JSONL, METRICS_CSV, METRICS_JSONL, RunDir, RunDirError, STAGES_CSV,
    STAGES_JSONL,
};
use crate::results::{ClassifierRecord, EpochRecord, LayerRecord, StageRecord};
use crate::spec::ExperimentName;

/// All records of a run; an experiment has some kinds of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Records {
    /// By epoch and member.
    pub epochs: Vec<EpochRecord>,
    /// By stage, epoch and member.
    pub stages: Vec<StageRecord>,
    /// By epoch and member.
    pub classifiers: Vec<ClassifierRecord>,
    /// By epoch, member and layer.
    pub layers: Vec<LayerRecord>,
}

impl Records {
    pub fn add_epoch(&mut self, record: &EpochRecord) {
        insert(&mut self.epochs, record, |r| (r.epoch, r.member));
    }

    pub fn add_stage(&mut self, record: &StageRecord) {
        insert(&mut self.stages, record, |r| (r.stage, r.epoch, r.member));
    }

    pub fn add_classifier(&mut self, record: &ClassifierRecord, layers: &[LayerRecord]) {
        insert(&mut self.classifiers, record, |r| (r.epoch, r.member));
        for layer in layers {
            insert(&mut self.layers, layer, |r| (r.epoch, r.member, r.layer));
        }
    }

    /// Writes the files of every kind that `experiment` has.
    ///
    /// # Errors
    ///
    /// Returns [`RunDirError`] if a file cannot be written.
    pub fn write(&self, run: &RunDir, experiment: ExperimentName) -> Result<(), RunDirError> {
        match experiment {
            ExperimentName::Autoencoder => write(run, METRICS_JSONL, METRICS_CSV, &self.epochs),
            ExperimentName::Classifier => {
                write(run, STAGES_JSONL, STAGES_CSV, &self.stages)?;
                write(run, LAYERS_JSONL, LAYERS_CSV, &self.layers)?;
                write(run, METRICS_JSONL, METRICS_CSV, &self.classifiers)
            }
        }
    }

    /// Reads back what [`write`](Self::write) wrote.
    ///
    /// # Errors
    ///
    /// Returns [`RunDirError`] if a file is missing or damaged.
    pub fn read(run: &RunDir, experiment: ExperimentName) -> Result<Self, RunDirError> {
        let mut records = Self::default();
        match experiment {
            ExperimentName::Autoencoder => {
                records.epochs = read(run, METRICS_JSONL)?;
            }
            ExperimentName::Classifier => {
                records.stages = read(run, STAGES_JSONL)?;
                records.layers = read(run, LAYERS_JSONL)?;
                records.classifiers = read(run, METRICS_JSONL)?;
            }
        }
        Ok(records)
    }
}

/// Lanes finish in any order; the files must not tell.
fn insert<T: Clone, K: Ord>(records: &mut Vec<T>, record: &T, key: impl Fn(&T) -> K) {
    let place = records.partition_point(|other| key(other) < key(record));
    records.insert(place, record.clone());
}

/// A table without rows has its head all the same.
fn write<T: Serialize + Default>(
    run: &RunDir,
    lines_file: &str,
    table_file: &str,
    records: &[T],
) -> Result<(), RunDirError> {
    let mut lines = Vec::new();
    let mut table = csv::Writer::from_writer(Vec::new());
    for record in records {
        serde_json::to_writer(&mut lines, record)
            .map_err(|error| run.damaged(lines_file, &error.to_string()))?;
        lines.push(b'\n');
        table
            .serialize(record)
            .map_err(|error| run.damaged(table_file, &error.to_string()))?;
    }
    if records.is_empty() {
        table
            .serialize(T::default())
            .map_err(|error| run.damaged(table_file, &error.to_string()))?;
    }
    let mut table = table
        .into_inner()
        .map_err(|error| run.damaged(table_file, &error.to_string()))?;
    if records.is_empty() {
        let head = table.iter().position(|&byte| byte == b'\n');
        table.truncate(head.map_or(0, |end| end + 1));
    }
    run.write(lines_file, &lines)?;
    run.write(table_file, &table)
}

/// One JSON object a line.
fn read<T: for<'a> Deserialize<'a>>(run: &RunDir, file: &str) -> Result<Vec<T>, RunDirError> {
    let text = run.read(file)?;
    if text.last().is_some_and(|&byte| byte != b'\n') {
        return Err(run.damaged(file, "its last line has no end"));
    }
    text.split(|&byte| byte == b'\n')
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
        .map(|(number, line)| {
            serde_json::from_slice(line).map_err(|error| {
                let reason = format!("line {}: {error}", number + 1);
                run.damaged(file, &reason)
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(stage: usize, epoch: usize, member: usize) -> StageRecord {
        StageRecord {
            stage,
            epoch,
            member,
            label: "D".to_owned(),
            condition: "D".to_owned(),
            seed: 0,
            learning_rate: 1e-3,
            cost: 0.1 + 0.2,
            reconstruction: 0.1,
            sparsity: 0.2,
        }
    }

    #[test]
    fn a_file_that_was_cut_short_at_the_end_of_a_line_is_damaged() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let run = RunDir::create(Some(&parent.path().join("run")), "x").expect("a new folder");
        let mut records = Records::default();
        records.add_stage(&stage(1, 1, 0));
        records.add_stage(&stage(1, 1, 1));
        records
            .write(&run, ExperimentName::Classifier)
            .expect("room");
        let whole = run.read(STAGES_JSONL).expect("there");
        run.write(STAGES_JSONL, &whole[..whole.len() - 1])
            .expect("room");
        let error = Records::read(&run, ExperimentName::Classifier).unwrap_err();
        assert!(error.to_string().contains("no end"), "{error}");
    }

    #[test]
    fn a_table_without_rows_has_its_head() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let run = RunDir::create(Some(&parent.path().join("run")), "x").expect("a new folder");
        let mut records = Records::default();
        let written = |records: &Records| {
            records
                .write(&run, ExperimentName::Classifier)
                .expect("room");
            [STAGES_CSV, LAYERS_CSV, METRICS_CSV].map(|file| {
                let bytes = run.read(file).expect("there");
                String::from_utf8(bytes).expect("text")
            })
        };
        let heads = written(&records);
        assert_eq!(
            heads[0],
            "stage,epoch,member,label,condition,seed,learning_rate,cost,reconstruction,sparsity\n"
        );
        assert!(
            heads.iter().all(|head| head.lines().count() == 1),
            "{heads:?}"
        );
        records.add_stage(&stage(1, 1, 0));
        assert!(written(&records)[0].starts_with(&heads[0]));
        let read = Records::read(&run, ExperimentName::Classifier).expect("our own files");
        assert_eq!(read, records);
    }

    #[test]
    fn records_come_back_as_they_were_and_in_order() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let run = RunDir::create(Some(&parent.path().join("run")), "x").expect("a new folder");
        let mut records = Records::default();
        for (at, epoch, member) in [(2, 1, 0), (1, 2, 1), (1, 1, 1), (1, 2, 0)] {
            records.add_stage(&stage(at, epoch, member));
        }
        records
            .write(&run, ExperimentName::Classifier)
            .expect("room");
        let read = Records::read(&run, ExperimentName::Classifier).expect("our own files");
        assert_eq!(read, records);
        let order: Vec<_> = read
            .stages
            .iter()
            .map(|r| (r.stage, r.epoch, r.member))
            .collect();
        assert_eq!(order, [(1, 1, 1), (1, 2, 0), (1, 2, 1), (2, 1, 0)]);
    }
}
