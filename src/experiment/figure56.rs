//! Figure 5-6 of Okatani, *Deep Learning*: what the hidden units of an autoencoder come to represent as the
//! weight β of the sparsity term grows.
//!
//! One member for each seed and β. Members of one seed start from the same weights and all members see the
//! same batches in the same order, so that what tells two members of a seed apart is β alone.

use std::sync::Mutex;

use burn::tensor::{Device, Tensor, TensorData};
use thiserror::Error;

use crate::backend::{Backend, Kind};
use crate::config::{Figure56, Run};
use crate::data::{Dataset, Images};
use crate::evidence;
use crate::results::{EpochRecord, Figure56Results, Member, MemberSummary, Scores};
use crate::train::lanes::{Turn, take_turns};
use crate::train::{
    Epoch, Evaluation, Observer, Stop, Trainee, encode_all, numbers, whole_numbers,
};
use crate::weights::Weights;

/// What came out.
pub struct Outcome {
    groups: Vec<Group>,
    /// The members' summaries; absent if the run was stopped before its end.
    pub results: Option<Figure56Results>,
    /// Epochs that every member finished.
    pub epochs_done: usize,
}

/// A number that is not a number ends a run.
#[derive(Debug, Error)]
#[error(
    "{quantity} of member {label} became {value} in epoch {epoch}\n  hint: lower training.learning_rate or \
     sparsity.weights, or use optimizer = \"adam\"; on a GPU, compare with `--backend flex`"
)]
pub struct NotFinite {
    pub epoch: usize,
    pub label: String,
    pub quantity: &'static str,
    pub value: f64,
}

/// Members trained together, and how they ended.
struct Group {
    trainee: Trainee,
    summaries: Vec<MemberSummary>,
}

/// The members of a run, in the order of their grids: by seed, then by β.
#[must_use]
pub fn members(sparsity_weights: &[f64], seeds: &[u64]) -> Vec<Member> {
    let pairs = seeds
        .iter()
        .flat_map(|&seed| sparsity_weights.iter().map(move |&weight| (seed, weight)));
    pairs
        .enumerate()
        .map(|(index, (seed, sparsity_weight))| Member {
            index,
            label: if seeds.len() == 1 {
                format!("β = {sparsity_weight}")
            } else {
                format!("β = {sparsity_weight}, seed {seed}")
            },
            seed,
            sparsity_weight,
        })
        .collect()
}

/// Trains all members and measures what they became. On a CPU every member is a group of its own and groups
/// share `jobs` threads; on a GPU all members are one group.
///
/// # Errors
///
/// Returns [`NotFinite`] as soon as a cost or a measurement is infinite or not a number.
pub fn run(
    figure: &Figure56,
    setting: &Run,
    data: &Dataset,
    backend: &Backend,
    jobs: usize,
    observer: &dyn Observer,
    stop: &Stop,
) -> Result<Outcome, NotFinite> {
    let members = members(&figure.sparsity_weights, &setting.seeds);
    let groups: Vec<Vec<Member>> = match backend.kind {
        Kind::Cpu => members.into_iter().map(|member| vec![member]).collect(),
        Kind::Gpu | Kind::SoftwareGpu => vec![members],
    };
    let failure = Mutex::new(None);
    let started = groups.into_iter().map(Task::Waiting).collect();
    let turn = |task| {
        let group = match task {
            Task::Waiting(members) => Group {
                trainee: Trainee::new(
                    members,
                    &figure.autoencoder,
                    figure.sparsity,
                    &figure.training,
                    data.train.images.pixels_per_image(),
                    &backend.device,
                ),
                summaries: Vec::new(),
            },
            Task::Started(group) => *group,
        };
        let (trainee, costs) =
            group
                .trainee
                .epoch(&data.train.images, setting.order_seed, observer, stop);
        let mut group = Group { trainee, ..group };
        let Some(costs) = costs else {
            return Turn::Done(Task::started(group));
        };
        let evaluations = group.trainee.evaluate(&data.test.images);
        let records: Vec<EpochRecord> = group
            .trainee
            .members
            .iter()
            .zip(costs.iter().zip(&evaluations))
            .map(|(member, (cost, evaluation))| record(member, &group.trainee, *cost, evaluation))
            .collect();
        if let Some(error) = records.iter().find_map(not_finite) {
            stop.request();
            failure
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .get_or_insert(error);
            return Turn::Done(Task::started(group));
        }
        for record in &records {
            observer.epoch(record);
        }
        if !group.trainee.is_trained() {
            return Turn::Again(Task::started(group));
        }
        group.summaries = summarize(&group.trainee, records, &evaluations, data, &backend.device);
        Turn::Done(Task::started(group))
    };
    let groups: Vec<Group> = take_turns(jobs, started, turn)
        .into_iter()
        .filter_map(|task| match task {
            Task::Started(group) => Some(*group),
            Task::Waiting(_) => None,
        })
        .collect();

    let failure = failure
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(error) = failure {
        return Err(error);
    }
    let complete = groups.iter().all(|group| !group.summaries.is_empty());
    Ok(Outcome {
        results: complete.then(|| Figure56Results {
            members: groups
                .iter()
                .flat_map(|group| group.summaries.clone())
                .collect(),
        }),
        epochs_done: groups
            .iter()
            .map(|group| group.trainee.epochs_done())
            .min()
            .unwrap_or(0),
        groups,
    })
}

enum Task {
    Waiting(Vec<Member>),
    Started(Box<Group>),
}

impl Task {
    fn started(group: Group) -> Self {
        Self::Started(Box::new(group))
    }
}

impl Outcome {
    /// A copy of every member's parameters as they are on the device at this moment.
    #[must_use]
    pub fn weights(&self) -> Weights {
        let mut weights = Weights::default();
        for group in &self.groups {
            for (name, tensor) in group.trainee.model().parameters() {
                weights.append(name, tensor.dims(), numbers(tensor));
            }
        }
        weights
    }
}

fn record(member: &Member, trainee: &Trainee, cost: Epoch, evaluation: &Evaluation) -> EpochRecord {
    let units = evaluation.mean_activation.len() as f64;
    EpochRecord {
        epoch: trainee.epochs_done(),
        member: member.index,
        label: member.label.clone(),
        learning_rate: trainee.last_learning_rate(),
        cost: cost.reconstruction + member.sparsity_weight * cost.divergence,
        reconstruction: cost.reconstruction,
        sparsity: cost.divergence,
        test_reconstruction: evaluation.reconstruction,
        explained_variance: evaluation.explained_variance,
        mean_activation: evaluation.mean_activation.iter().sum::<f64>() / units,
        active_units: evaluation.active_units,
        dead_units: evaluation
            .images_on
            .iter()
            .filter(|&&images| images == 0)
            .count(),
        untrained_units: evaluation.untrained.len(),
    }
}

fn not_finite(record: &EpochRecord) -> Option<NotFinite> {
    let quantities = [
        ("the training cost", record.cost),
        ("the reconstruction cost", record.reconstruction),
        ("the sparsity term", record.sparsity),
        ("the test reconstruction error", record.test_reconstruction),
        ("the explained variance", record.explained_variance),
        ("the mean activation", record.mean_activation),
    ];
    quantities
        .into_iter()
        .find(|(_, value)| !value.is_finite())
        .map(|(quantity, value)| NotFinite {
            epoch: record.epoch,
            label: record.label.clone(),
            quantity,
            value,
        })
}

/// The members' scores after the last epoch.
fn summarize(
    trainee: &Trainee,
    records: Vec<EpochRecord>,
    evaluations: &[Evaluation],
    data: &Dataset,
    device: &Device,
) -> Vec<MemberSummary> {
    let model = trainee.model();
    let weight = model.encoder.weight.val();
    let [members, inputs, units] = weight.dims();
    let weight = numbers(weight);
    let correlations = highest_correlations(
        &weight,
        [members, inputs, units],
        &data.train.images,
        device,
    );
    let top_units = top_units(trainee, members, &data.test.images, device);
    let (height, width) = (data.train.images.height(), data.train.images.width());

    trainee
        .members
        .iter()
        .zip(records)
        .enumerate()
        .map(|(at, (member, last))| {
            let weight = &weight[at * inputs * units..(at + 1) * inputs * units];
            let live: Vec<usize> = (0..units)
                .filter(|&unit| evaluations[at].images_on[unit] > 0)
                .collect();
            let tiles: Vec<Vec<f32>> = live
                .iter()
                .map(|&unit| weight.iter().skip(unit).step_by(units).copied().collect())
                .collect();
            let median = |score: &dyn Fn(&[f32]) -> Option<f64>| {
                let mut scores: Vec<f64> = tiles.iter().filter_map(|tile| score(tile)).collect();
                evidence::median(&mut scores).unwrap_or(0.0)
            };
            let mut correlations: Vec<f64> = live
                .iter()
                .map(|&unit| f64::from(correlations[at * units + unit]))
                .collect();
            let scores = Scores {
                live_units: live.len(),
                kurtosis: median(&|tile| evidence::kurtosis(tile)),
                radius_of_gyration: median(&|tile| {
                    evidence::radius_of_gyration(tile, height, width)
                }),
                roughness: median(&|tile| evidence::roughness(tile, height, width)),
                digit_correlation: evidence::median(&mut correlations).unwrap_or(0.0),
                label_purity: evidence::label_purity(
                    &top_units[at],
                    &data.test.labels,
                    units,
                    data.classes,
                ),
                active_units: last.active_units,
                dead_units: last.dead_units,
                hidden_units: units,
            };
            let (regime, regime_reason) = evidence::regime_for_width(&scores, width as f64);
            MemberSummary {
                member: member.clone(),
                last,
                scores,
                dead: (0..units)
                    .filter(|&unit| evaluations[at].images_on[unit] == 0)
                    .collect(),
                untrained: evaluations[at].untrained.clone(),
                regime,
                regime_reason,
            }
        })
        .collect()
}

/// For each member and unit, the highest Pearson correlation of its picture with an image.
///
/// With a picture centred and scaled to length 1 the correlation is its product with the image over the
/// image's length about its own mean.
fn highest_correlations(
    weight: &[f32],
    [members, inputs, units]: [usize; 3],
    images: &Images,
    device: &Device,
) -> Vec<f32> {
    let mut pictures = weight.to_vec();
    for matrix in pictures.chunks_exact_mut(inputs * units) {
        for unit in 0..units {
            let column = || {
                matrix
                    .iter()
                    .skip(unit)
                    .step_by(units)
                    .map(|&w| f64::from(w))
            };
            let mean = column().sum::<f64>() / inputs as f64;
            let length = column().map(|w| (w - mean).powi(2)).sum::<f64>().sqrt();
            for w in matrix.iter_mut().skip(unit).step_by(units) {
                *w = if length > 0.0 {
                    ((f64::from(*w) - mean) / length) as f32
                } else {
                    0.0
                };
            }
        }
    }
    let pictures =
        Tensor::<3>::from_data(TensorData::new(pictures, [members, inputs, units]), device);
    let everything: Vec<u32> = (0..images.count() as u32).collect();
    let mut highest = Tensor::<3>::full([members, 1, units], -1.0, device);
    for indices in everything.chunks(500) {
        let x = crate::data::batches::batch(images, indices, device);
        let centred = x.clone() - x.clone().mean_dim(2);
        // A blank image correlates with nothing.
        let length = centred.square().sum_dim(2).sqrt().clamp_min(1e-6);
        let correlation = x.matmul(pictures.clone()) / length;
        highest = highest.max_pair(correlation.max_dim(1));
    }
    numbers(highest)
}

/// For each member, the most active unit of every image.
fn top_units(
    trainee: &Trainee,
    members: usize,
    images: &Images,
    device: &Device,
) -> Vec<Vec<usize>> {
    let mut top = vec![Vec::with_capacity(images.count()); members];
    encode_all(&trainee.model(), images, device, |h, _| {
        let batch = h.dims()[1];
        let units = whole_numbers(h.argmax(2));
        for (member, units) in units.chunks_exact(batch).enumerate() {
            top[member].extend(units.iter().map(|&unit| unit as usize));
        }
    });
    top
}
