//! How far a run is, for a reader: what is done, at work, left in the middle, failed and to come. Looks, and changes nothing.

use std::path::Path;

use super::Failure;
use super::parts::{Part, PartRecord, read_record};
use super::resume::written_config;
use crate::results::Member;
use crate::run_dir::{Manifest, Records, RunDir, Status};
use crate::spec::{Condition, ExperimentName, Plan};
use crate::words::{counted, in_columns, in_shell, printable, program, seconds};

/// What is told of the run in the folder `path`, line by line.
///
/// # Errors
///
/// Returns [`Failure`] if there is no run, or what it says of itself cannot be read.
pub fn status(path: &Path) -> Result<Vec<String>, Failure> {
    let dir = RunDir::open(path).map_err(Failure::request)?;
    let manifest = dir.manifest().map_err(Failure::work)?;
    match manifest.parts {
        Some(parts) if !manifest.put_together => of_parts(&dir, &manifest, parts),
        _ => of_one(&dir, &manifest),
    }
}

/// A run that one process carries out.
fn of_one(dir: &RunDir, manifest: &Manifest) -> Result<Vec<String>, Failure> {
    let models = counted(manifest.members.len(), "model");
    let at_work = dir.is_locked(None).map_err(Failure::work)?;
    let name = &manifest.name;
    let told = match &manifest.status {
        Status::Complete => return Ok(vec![format!("{name}: complete; {models}")]),
        Status::Running if at_work => "at work".to_owned(),
        Status::Running => "left in the middle: killed, or its machine was lost".to_owned(),
        Status::Stopped { reason } => format!("stopped {reason}"),
        Status::Failed { reason } => format!("failed: {}", first_line(reason)),
    };
    let mut lines = vec![format!("{name}: {told}; {models}")];
    let config = written_config(dir, manifest, &[])?;
    // Before its first epoch it has none.
    if let Ok(records) = Records::read(dir, manifest.experiment) {
        let of_member = |member: &Member| {
            let condition = config.plan.condition(&member.condition);
            let done = condition.map(|of| progress(&records, &config.plan, of, member));
            vec![member.label.clone(), done.unwrap_or_default()]
        };
        let rows: Vec<Vec<String>> = manifest.members.iter().map(of_member).collect();
        lines.extend(in_columns(&rows));
    }
    if !at_work {
        lines.push(format!(
            "go on with: {} resume {}",
            program(),
            in_shell(dir.path())
        ));
    }
    Ok(lines)
}

/// `epoch 3 of 20`, as the records on disk have it.
fn progress(records: &Records, plan: &Plan, condition: &Condition, member: &Member) -> String {
    let last = |epochs: &mut dyn Iterator<Item = usize>| epochs.max();
    let epoch = match plan.experiment {
        ExperimentName::Classifier => {
            let of = records.classifiers.iter();
            last(&mut of.filter(|of| of.member == member.index).map(|of| of.epoch))
        }
        ExperimentName::Autoencoder | ExperimentName::DeepAutoencoder => {
            let of = records.epochs.iter();
            last(&mut of.filter(|of| of.member == member.index).map(|of| of.epoch))
        }
    };
    let stages = records.stages.iter().filter(|of| of.member == member.index);
    let stage = stages.map(|of| (of.stage, of.epoch)).max();
    match (epoch, stage) {
        (Some(epoch), _) => format!("epoch {epoch} of {}", condition.training().epochs),
        (None, Some((stage, epoch))) => format!(
            "layer {stage} of {} is pretrained: epoch {epoch} of {}",
            condition.stages().len(),
            condition
                .stages()
                .get(stage.wrapping_sub(1))
                .map_or(0, |of| of.training.epochs)
        ),
        (None, None) => "to come".to_owned(),
    }
}

/// A run whose parts are carried out by processes of their own.
fn of_parts(dir: &RunDir, manifest: &Manifest, parts: usize) -> Result<Vec<String>, Failure> {
    let mut rows = Vec::new();
    let (mut through, mut ended, mut done) = (0, Vec::new(), 0);
    for number in 1..=parts {
        let part = Part { number, of: parts };
        let record = read_record(dir, part);
        let at_work = dir.is_locked(Some(&part.lock())).map_err(Failure::work)?;
        if let Some(record) = &record {
            through += record.through.min(record.models);
            done += usize::from(record.status == Status::Complete);
            ended.extend(record.ended.iter().map(|of| printable(&of.to_string())));
        }
        rows.push(row(part, record.as_ref(), at_work));
    }
    let all = manifest.members.len();
    let mut lines = vec![format!(
        "{}: {done} of {} done; {through} of {} trained",
        manifest.name,
        counted(parts, "part"),
        counted(all, "model")
    )];
    lines.extend(in_columns(&rows));
    lines.extend(ended.into_iter().map(|line| format!("ended early: {line}")));
    if done == parts {
        lines.push(format!(
            "put them together with: {} resume {}",
            program(),
            in_shell(dir.path())
        ));
    }
    Ok(lines)
}

fn row(part: Part, record: Option<&PartRecord>, at_work: bool) -> Vec<String> {
    let Some(record) = record else {
        let state = if at_work { "begins" } else { "to come" };
        return vec![format!("part {part}"), state.to_owned()];
    };
    let took = seconds(record.seconds.training);
    let (state, time) = match &record.status {
        Status::Complete => ("done".to_owned(), format!("in {took}")),
        _ if at_work => ("at work".to_owned(), left(record)),
        Status::Running => (
            "left in the middle: killed, or its machine was lost".to_owned(),
            String::new(),
        ),
        Status::Stopped { .. } => ("stopped by request".to_owned(), String::new()),
        Status::Failed { reason } => (format!("failed: {}", first_line(reason)), String::new()),
    };
    vec![
        format!("part {part}"),
        state,
        format!(
            "{} of {} trained",
            record.through,
            counted(record.models, "model")
        ),
        format!("{:.0} % of its work", share(record.worked, record.work)),
        format!("on {}", record.host),
        time,
    ]
}

fn share(done: u64, all: u64) -> f64 {
    100.0 * done as f64 / all.max(1) as f64
}

/// How long a part that is at work will still take, at the pace that it had since its latest start.
fn left(record: &PartRecord) -> String {
    let time = |text: &str| humantime::parse_rfc3339(text).ok();
    let since = time(&record.started)
        .zip(time(&record.updated))
        .and_then(|(started, updated)| updated.duration_since(started).ok());
    let worked = record.worked.saturating_sub(record.worked_before);
    match since {
        Some(since) if worked > 0 && !since.is_zero() => {
            let left = record.work.saturating_sub(record.worked) as f64 / worked as f64;
            format!("about {} to go", seconds(since.as_secs_f64() * left))
        }
        _ => String::new(),
    }
}

fn first_line(reason: &str) -> String {
    printable(reason.lines().next().unwrap_or_default())
}
