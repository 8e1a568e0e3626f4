//! The records of a run, epoch by epoch: kept in an order that does not tell which thread came first, written as
//! JSON lines and as a table, and read back.

use std::fmt::{self, Display};

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::{
    LAYERS_CSV, LAYERS_JSONL, METRICS_CSV, METRICS_JSONL, RunDir, RunDirError, STAGES_CSV,
    STAGES_JSONL,
};
use crate::results::{ClassifierRecord, EpochRecord, LayerRecord, StageRecord};
use crate::spec::{ExperimentName, Plan};
use crate::words::unquoted;

const METRICS: [&str; 2] = [METRICS_JSONL, METRICS_CSV];
const STAGES: [&str; 2] = [STAGES_JSONL, STAGES_CSV];
const LAYERS: [&str; 2] = [LAYERS_JSONL, LAYERS_CSV];

/// As many epochs as a config may ask for, more layers than any net has, and more of anything else than is ever counted.
const MOST_EPOCHS: u64 = 1_000_000;
const MOST_LAYERS: u64 = 100_000;
const MOST: u64 = 1 << 53;

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
    /// Adds a record of an autoencoder at its place.
    pub fn add_epoch(&mut self, record: &EpochRecord) {
        insert(&mut self.epochs, record, |r| (r.epoch, r.member));
    }

    /// Adds a record of a stage of a classifier's pretraining at its place.
    pub fn add_stage(&mut self, record: &StageRecord) {
        insert(&mut self.stages, record, |r| (r.stage, r.epoch, r.member));
    }

    /// Adds a record of a classifier and those of its layers at their places.
    pub fn add_classifier(&mut self, record: &ClassifierRecord, layers: &[LayerRecord]) {
        insert(&mut self.classifiers, record, |r| (r.epoch, r.member));
        for layer in layers {
            insert(&mut self.layers, layer, |r| (r.epoch, r.member, r.layer));
        }
    }

    /// Writes the files of every kind that a run of `plan` has.
    ///
    /// # Errors
    ///
    /// Returns [`RunDirError`] if a file cannot be written.
    pub fn write(&self, run: &RunDir, plan: &Plan) -> Result<(), RunDirError> {
        match plan.experiment {
            ExperimentName::Autoencoder => write(run, METRICS, &self.epochs, plan),
            ExperimentName::DeepAutoencoder => {
                write(run, STAGES, &self.stages, plan)?;
                write(run, METRICS, &self.epochs, plan)
            }
            ExperimentName::Classifier => {
                write(run, STAGES, &self.stages, plan)?;
                write(run, LAYERS, &self.layers, plan)?;
                write(run, METRICS, &self.classifiers, plan)
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
            ExperimentName::DeepAutoencoder => {
                records.stages = read(run, STAGES_JSONL)?;
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

/// JSON lines and a table with the same columns: those of the record, and behind `seed` a column for each key of the grid.
/// A table without rows has its head all the same.
fn write<T: Serialize + Default>(
    run: &RunDir,
    [lines_file, table_file]: [&str; 2],
    records: &[T],
    plan: &Plan,
) -> Result<(), RunDirError> {
    let damaged = |file: &str, error: &dyn Display| run.damaged(file, &error.to_string());
    let mut lines = Vec::new();
    let mut table = csv::Writer::from_writer(Vec::new());
    let head = row(&T::default(), plan).map_err(|error| damaged(table_file, &error))?;
    let mut write_row = |cells: Vec<String>| {
        let written = table.write_record(cells);
        written.map_err(|error| damaged(table_file, &error))
    };
    write_row(head.0.into_iter().map(|(name, _)| name).collect())?;
    for record in records {
        let row = row(record, plan).map_err(|error| damaged(lines_file, &error))?;
        serde_json::to_writer(&mut lines, &row).map_err(|error| damaged(lines_file, &error))?;
        lines.push(b'\n');
        write_row(row.0.iter().map(|(_, value)| cell(value)).collect())?;
    }
    let table = table.into_inner();
    let table = table.map_err(|error| damaged(table_file, &error))?;
    run.write(lines_file, &lines)?;
    run.write(table_file, &table)
}

/// The columns of a line, in their order.
struct Row(Vec<(String, Value)>);

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Row;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a record")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Row(fields))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// A record with its condition's place in the grid.
fn row(record: &impl Serialize, plan: &Plan) -> serde_json::Result<Row> {
    // The way through text keeps the fields in their order.
    let Row(fields) = serde_json::from_str(&serde_json::to_string(record)?)?;
    let condition = fields.iter().find(|(name, _)| name == "condition");
    let condition = condition.and_then(|(_, value)| plan.condition(value.as_str()?));
    let mut row = Vec::with_capacity(fields.len() + plan.grid.len());
    for field in fields {
        let is_seed = field.0 == "seed";
        row.push(field);
        if is_seed {
            row.extend(plan.grid.iter().map(|key| {
                let coordinate = condition.and_then(|condition| condition.coordinate(&key.key));
                (key.key.clone(), coordinate.map_or(Value::Null, plain))
            }));
        }
    }
    Ok(Row(row))
}

/// A value of the grid as JSON: a number, or text.
fn plain(value: &str) -> Value {
    let text = unquoted(value);
    serde_json::from_str::<serde_json::Number>(text)
        .map_or_else(|_| Value::from(text), Value::Number)
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A field with a count that no run comes to: whoever adds and loops over counts need not fear them.
fn implausible(fields: &Value) -> Option<&str> {
    let cannot_be = |(name, value): &(&String, &Value)| {
        let allowed = match name.as_str() {
            "epoch" => 0..=MOST_EPOCHS,
            "stage" | "layer" => 1..=MOST_LAYERS,
            _ => 0..=MOST,
        };
        value
            .as_u64()
            .is_some_and(|count| !allowed.contains(&count))
            && *name != "seed"
    };
    let mut fields = fields.as_object()?.iter();
    fields.find(cannot_be).map(|(name, _)| name.as_str())
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
            let damaged = |reason: &dyn Display| {
                let reason = format!("line {}: {reason}", number + 1);
                run.damaged(file, &reason)
            };
            let fields: Value = serde_json::from_slice(line).map_err(|error| damaged(&error))?;
            if let Some(field) = implausible(&fields) {
                return Err(damaged(&format!("its {field} cannot be")));
            }
            serde_json::from_value(fields).map_err(|error| damaged(&error))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{
        BackendName, ClassifierTraining, Condition, Coordinate, Data, GridKey, Model, Report, Run,
    };

    /// A condition at one place of a grid.
    fn plan() -> Plan {
        let key = "training.epochs".to_owned();
        Plan {
            experiment: ExperimentName::Classifier,
            run: Run {
                backend: BackendName::Flex,
                seeds: vec![0],
                order_seed: 0,
                ..Run::default()
            },
            data: Data {
                dir: "data".into(),
                train_images: None,
                test_images: None,
                validation_images: 0,
                ..Data::default()
            },
            grid: vec![GridKey {
                key: key.clone(),
                values: vec!["3".to_owned()],
            }],
            conditions: vec![Condition {
                name: "D".to_owned(),
                group: None,
                at: vec![Coordinate {
                    key,
                    value: "3".to_owned(),
                }],
                model: Model::Classifier(ClassifierTraining::default()),
            }],
            report: Report::default(),
            expectations: Vec::new(),
        }
    }

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
    fn counts_that_no_run_comes_to_are_named_with_their_line() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let run = RunDir::create(Some(&parent.path().join("run")), "x").expect("a new folder");
        let mut line = serde_json::to_value(StageRecord::default()).expect("JSON");
        line["stage"] = Value::from(1);
        line["seed"] = Value::from(u64::MAX);
        let sound = line.to_string();
        for (field, value) in [("epoch", 1_000_001_u64), ("stage", 0), ("member", u64::MAX)] {
            let mut odd = line.clone();
            odd[field] = Value::from(value);
            let text = format!("{sound}\n{odd}\n");
            run.write(STAGES_JSONL, text.as_bytes()).expect("room");
            let error = read::<StageRecord>(&run, STAGES_JSONL).expect_err("it cannot be");
            let says = format!("line 2: its {field} cannot be");
            assert!(error.to_string().contains(&says), "{error}");
        }
    }

    #[test]
    fn a_file_that_was_cut_short_at_the_end_of_a_line_is_damaged() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let run = RunDir::create(Some(&parent.path().join("run")), "x").expect("a new folder");
        let mut records = Records::default();
        records.add_stage(&stage(1, 1, 0));
        records.add_stage(&stage(1, 1, 1));
        records.write(&run, &plan()).expect("room");
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
            records.write(&run, &plan()).expect("room");
            [STAGES_CSV, LAYERS_CSV, METRICS_CSV].map(|file| {
                let bytes = run.read(file).expect("there");
                String::from_utf8(bytes).expect("text")
            })
        };
        let heads = written(&records);
        assert_eq!(
            heads[0],
            "stage,epoch,member,label,condition,seed,training.epochs,learning_rate,cost,reconstruction,sparsity\n"
        );
        assert!(
            heads.iter().all(|head| head.lines().count() == 1),
            "{heads:?}"
        );
        records.add_stage(&stage(1, 1, 0));
        let table = written(&records);
        assert!(table[0].starts_with(&heads[0]) && table[0].contains("\n1,1,0,D,D,0,3,0.001,"));
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
        records.write(&run, &plan()).expect("room");
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
