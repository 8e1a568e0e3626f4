//! Autoencoders for their own sake: which are trained together, and what is told of them after every epoch.

use super::group::{After, Group, Pretrained, Trainable, named};
use super::tasks::Task;
use super::{Models, Setting, by_condition};
use crate::backend::Kind;
use crate::data::Dataset;
use crate::model::{Autoencoder, Layer, Parameter, parameters};
use crate::ops::Rows;
use crate::results::{EpochRecord, Member, TransferProof};
use crate::spec::{AutoencoderTraining, Condition, Plan, Sparsity};
use crate::train::{Autoencoding, Evaluation, Labelled, Record, Trainee};

/// Autoencoders that differ in seed and in β or λ alone.
struct Autoencoders {
    /// Of all of them, but for β or λ.
    setting: AutoencoderTraining,
    /// Of each member.
    sparsity: Vec<Sparsity>,
}

/// The tasks of a plan. On a CPU every member is a task of its own and tasks share the lanes; on a GPU, members that
/// differ in seed and in β or λ alone are one batched model, unless each searches its own way.
pub fn tasks(plan: &Plan, kind: Kind, data: &Dataset) -> Vec<Box<dyn Task>> {
    let mut groups: Vec<(&Condition, Vec<Member>, Autoencoders)> = Vec::new();
    for (condition, members) in plan.conditions.iter().zip(by_condition(plan)) {
        let Some(training) = condition.autoencoder() else {
            continue;
        };
        for member in members {
            let sparsity = training.sparsity;
            let alone = kind == Kind::Cpu || condition.searches();
            let shared = groups.iter_mut().find(|(_, _, of)| {
                let other = AutoencoderTraining {
                    sparsity: of.setting.sparsity.with_weight(sparsity.weight()),
                    ..of.setting.clone()
                };
                !alone && other == *training
            });
            if let Some((_, members, of)) = shared {
                members.push(member);
                of.sparsity.push(sparsity);
            } else {
                let of = Autoencoders {
                    setting: training.clone(),
                    sparsity: vec![sparsity],
                };
                groups.push((condition, vec![member], of));
            }
        }
    }
    let groups = groups.into_iter().enumerate();
    groups
        .map(|(task, (condition, members, of))| -> Box<dyn Task> {
            Box::new(Group::new(task, of, condition, members, data))
        })
        .collect()
}

/// What the last epoch found: the record and the evaluation of every member.
struct Found {
    records: Vec<EpochRecord>,
    evaluations: Vec<Evaluation>,
}

impl Trainable for Autoencoders {
    type Learner = Autoencoding;
    type Record = EpochRecord;
    type Found = Found;

    const RECORDS_START: bool = false;
    const KNOBS: &'static str = "training.learning_rate or the sparsity weight";

    fn examples(of: &Labelled) -> &Rows {
        &of.images
    }

    fn fresh(&self, seeds: &[u64], _: &Pretrained, setting: &Setting<'_>) -> Trainee {
        let images = &setting.examples.train.images;
        Trainee::autoencoders(&self.setting, seeds, &self.sparsity, images, 0)
    }

    fn pretrained_layers(_: &Autoencoder) -> &[Layer] {
        &[]
    }

    fn look(
        &self,
        trainee: &Trainee,
        after: &After<'_>,
        setting: &Setting<'_>,
    ) -> (Vec<EpochRecord>, Found) {
        let variation = setting.data.test.images.total_variation();
        let evaluations = trainee.evaluate(&setting.examples.test.images, variation);
        let silence = trainee.silence();
        let costs = after
            .costs
            .expect("only the start has none, and is not recorded");
        let members = after.members.iter().zip(&self.sparsity).enumerate();
        let records: Vec<EpochRecord> = members
            .map(|(at, (member, sparsity))| {
                let cost = [costs[0][at], costs[1][at]];
                let counts = silence.as_ref().map(|counts| counts[at]);
                EpochRecord {
                    epoch: after.epoch,
                    learning_rate: after.learning_rate,
                    silent_units: counts.map(|of| of.silent),
                    died_units: counts.map(|of| of.died),
                    revived_units: counts.map(|of| of.revived),
                    ..record(member, sparsity.weight(), cost, &evaluations[at])
                }
            })
            .collect();
        let found = Found {
            records: records.clone(),
            evaluations,
        };
        (records, found)
    }

    fn watched(record: &EpochRecord) -> Vec<(String, f64)> {
        named([
            ("the training cost", record.cost),
            ("the training error", record.reconstruction),
            ("the sparsity term", record.sparsity),
            ("the test error", record.test_reconstruction),
            (
                "the explained variance",
                record.explained_variance.unwrap_or(0.0),
            ),
            ("the mean activation", record.mean_activation),
            ("the number of active units", record.active_units),
        ])
    }

    fn told(record: &EpochRecord) -> Record<'_> {
        Record::Epoch(record)
    }

    fn models<'a>(
        &'a self,
        trainee: &'a Trainee,
        found: &'a Found,
        _: &'a [TransferProof],
    ) -> Models<'a> {
        Models::Autoencoders {
            setting: &self.setting,
            trainee,
            records: &found.records,
            evaluations: &found.evaluations,
        }
    }

    fn parameters(&self, trainee: &Trainee) -> Vec<Parameter> {
        parameters(&trainee.model())
    }
}

fn record(
    member: &Member,
    sparsity_weight: f64,
    [reconstruction, sparsity]: [f64; 2],
    evaluation: &Evaluation,
) -> EpochRecord {
    let units = evaluation.mean_activation.len() as f64;
    EpochRecord {
        member: member.index,
        label: member.label.clone(),
        condition: member.condition.clone(),
        seed: member.seed,
        cost: reconstruction + sparsity_weight * sparsity,
        reconstruction,
        sparsity,
        test_reconstruction: evaluation.reconstruction,
        explained_variance: evaluation.explained_variance,
        mean_activation: evaluation.mean_activation.iter().sum::<f64>() / units,
        active_units: evaluation.active_units,
        dead_units: evaluation.dead.len(),
        untrained_units: evaluation.untrained.len(),
        ..EpochRecord::default()
    }
}
