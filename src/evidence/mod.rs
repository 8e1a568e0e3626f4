//! Evidence: what a run has to show, a file for each piece. A piece says which runs it applies to, measures its numbers on
//! trained models, puts them together over all members, and draws its figures and its section of the page.
//!
//! To add one: a file here, and a line in [`ALL`]. Numbers go into `results.json` under the piece's name; everything that is
//! drawn is drawn from a run folder alone, so that it can be drawn again without training.

pub mod accuracy;
mod accuracy_charts;
mod code_accuracy;
mod costs;
mod curves;
pub mod dead_units;
mod deep_autoencoders;
mod end_results;
pub mod examples;
mod figures;
mod layers;
mod learning;
mod matching;
mod orientation;
mod pictures;
mod play;
pub mod promises;
pub mod quantities;
mod reading;
mod reconstructions;
pub mod regimes;
pub mod scores;
mod silence;
mod solutions;
pub mod sparsity;
mod stages;
mod transfers;
mod unit_details;
mod unit_pages;
mod units;

use maud::Markup;
use serde::Serialize;
use serde_json::Value;

use crate::config;
use crate::data::{Dataset, Frame};
use crate::experiment::{Outcome, Trained, facts};
use crate::report::{GridShape, PictureShape};
use crate::results::{EpochRecord, Numbers, Results, Subject};
use crate::run_dir::{self, Manifest, Records, RunDir, RunDirError};
use crate::spec::{ExperimentName, Plan};
use crate::weights::Weights;
use crate::words::listed;

use examples::Examples;
use quantities::{Outcomes, Quantity};

pub use crate::report::Figures;
pub use figures::{RedrawError, everything, page, pictures};

/// A piece of evidence.
pub trait Evidence: Sync {
    /// What it is called in `[report] evidence` and in `results.json`.
    fn name(&self) -> &'static str;

    /// Whether a run of `plan` has it.
    fn applies(&self, plan: &Plan) -> bool;

    /// What it measures on trained models: a value for each member, or none at all.
    fn measure(&self, _plan: &Plan, _trained: &Trained<'_>) -> Vec<Value> {
        Vec::new()
    }

    /// What it makes of all members together.
    fn conclude(&self, _found: &Found<'_>) -> Option<Value> {
        None
    }

    /// The quantities that each member ends in.
    fn quantities(&self) -> &'static [Quantity] {
        &[]
    }

    /// What was found, a line for each finding, for the end of a run on a terminal.
    fn lines(&self, _found: &Found<'_>) -> Vec<String> {
        Vec::new()
    }

    /// What its figures will have no room for.
    fn outlook(&self, _plan: &Plan, _shape: &dyn Fn(usize) -> GridShape) -> Vec<String> {
        Vec::new()
    }

    /// Draws its figures, and gives its section of the page; none where there is nothing to show.
    ///
    /// # Errors
    ///
    /// Returns [`RedrawError`] if the folder's files do not fit together or cannot be written.
    fn show(&self, run: &Run<'_>, figures: &mut Figures) -> Result<Option<Markup>, RedrawError>;
}

/// All pieces, in the order in which a page shows them.
pub const ALL: [&dyn Evidence; 22] = [
    &play::Play,
    &accuracy::Accuracy,
    &pictures::Pictures,
    &orientation::Orientation,
    &regimes::Regimes,
    &reconstructions::Reconstructions,
    &dead_units::DeadUnits,
    &curves::Curves,
    &deep_autoencoders::DeepAutoencoders,
    &silence::SilentUnits,
    &matching::Matching,
    &code_accuracy::CodeAccuracy,
    &sparsity::Sparsity,
    // After everything whose quantities can be promised.
    &promises::Promises,
    &end_results::EndResults,
    &costs::Costs,
    &layers::Layers,
    &solutions::Solutions,
    &stages::Stages,
    &units::Units,
    &transfers::Transfers,
    &unit_details::UnitDetails,
];

/// The pieces that a run of `plan` has: those that apply, of those that its config asks for.
pub fn of(plan: &Plan) -> impl Iterator<Item = &'static dyn Evidence> {
    let asked = |name: &str| {
        let evidence = plan.report.evidence.as_ref();
        evidence.is_none_or(|names| names.iter().any(|asked| asked == name))
    };
    ALL.into_iter()
        .filter(move |evidence| evidence.applies(plan) && asked(evidence.name()))
}

/// What a mistake is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// `report.evidence`.
    Evidence,
    /// One of the plan's expectations, counted from 0.
    Expectation(usize),
}

/// What is wrong with the names of evidence and quantities in a plan, with its cure, and what it is about.
#[must_use]
pub fn mistake(plan: &Plan) -> Option<(About, String)> {
    let known: Vec<&str> = ALL.iter().map(|evidence| evidence.name()).collect();
    let asked = plan.report.evidence.iter().flatten();
    let mut unknown = asked.filter(|name| !known.contains(&name.as_str()));
    let unknown = unknown.next().map(|name| {
        let near = config::nearest(name, known.iter().copied());
        let near = near.map_or(String::new(), |near| format!("did you mean \"{near}\"? "));
        let known = listed(&known, known.len());
        let says = format!("`report.evidence` holds \"{name}\", which is no piece of evidence\n  hint: {near}there are {known}");
        (About::Evidence, says)
    });
    let mut expectations = plan.expectations.iter().enumerate();
    unknown.or_else(|| {
        expectations
            .find_map(|(at, of)| Some((About::Expectation(at), promises::mistake(of, plan)?)))
    })
}

/// What a run found, before anything is drawn.
#[derive(Clone, Copy)]
pub struct Found<'a> {
    /// What the run was to do.
    pub plan: &'a Plan,
    /// The data set that it ran on.
    pub data: &'a Dataset,
    /// What was recorded epoch by epoch.
    pub records: &'a Records,
    /// The results, by condition and evidence.
    pub results: &'a Results,
    /// A copy of the weights.
    pub weights: &'a dyn Fn() -> Weights,
}

/// What a run folder holds.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// The folder.
    pub dir: &'a RunDir,
    /// What the run was to do.
    pub plan: &'a Plan,
    /// The circumstances of the run.
    pub manifest: &'a Manifest,
    /// Nothing in it where the run did not get so far.
    pub results: &'a Results,
    /// What was recorded epoch by epoch.
    pub records: &'a Records,
    /// The weights that the run stored.
    pub weights: &'a Weights,
}

impl<'a> Found<'a> {
    fn outcomes(&self) -> Outcomes<'a> {
        Outcomes {
            results: self.results,
            records: self.records,
        }
    }
}

impl<'a> Run<'a> {
    fn outcomes(&self) -> Outcomes<'a> {
        Outcomes {
            results: self.results,
            records: self.records,
        }
    }

    /// The names of the conditions.
    fn conditions(&self) -> Vec<&str> {
        self.plan.names().collect()
    }

    /// What its images are of.
    fn subject(&self) -> Subject {
        Subject::of(self.manifest.data.name.as_deref())
    }

    /// The records of autoencoders, with the labels of those marked that could not go on.
    fn epochs(&self) -> Vec<EpochRecord> {
        let mut records = self.records.epochs.clone();
        for record in &mut records {
            if self.results.has_ended(record.member) {
                record.label += " (ended)";
            }
        }
        records
    }

    /// The records, but for those of members that ended early where another seed of their condition did not: so that a
    /// median is over the same seeds from beginning to end.
    fn kept_records(&self) -> Records {
        let members = &self.manifest.members;
        let has_trained = |condition: &str| {
            let mut seeds = members.iter().filter(|seed| seed.condition == condition);
            seeds.any(|seed| !self.results.has_ended(seed.index))
        };
        let is_kept = |member: usize, condition: &str| {
            !self.results.has_ended(member) || !has_trained(condition)
        };
        let mut records = self.records.clone();
        records
            .epochs
            .retain(|of| is_kept(of.member, &of.condition));
        records
            .classifiers
            .retain(|of| is_kept(of.member, &of.condition));
        records
            .layers
            .retain(|of| is_kept(of.member, &of.condition));
        records
            .stages
            .retain(|of| is_kept(of.member, &of.condition));
        records
    }
}

/// The numbers of every piece of evidence on members that were trained together.
#[must_use]
pub fn measure(plan: &Plan, trained: &Trained<'_>) -> Vec<Numbers> {
    let mut numbers = vec![Numbers::new(); trained.members.len()];
    for evidence in of(plan) {
        for (numbers, value) in numbers.iter_mut().zip(evidence.measure(plan, trained)) {
            numbers.insert(evidence.name().to_owned(), value);
        }
    }
    numbers
}

/// What a run found, from what its members came to.
#[must_use]
pub fn conclude(plan: &Plan, data: &Dataset, records: &Records, outcome: &Outcome) -> Results {
    let inputs = data.train.images.inputs();
    let mut results = Results {
        conditions: facts(plan, inputs, data.classes),
        members: outcome.members.clone(),
        ended: outcome.ended.clone(),
        ..Results::default()
    };
    for evidence in of(plan) {
        let found = Found {
            plan,
            data,
            records,
            results: &results,
            weights: &*outcome.weights,
        };
        if let Some(value) = evidence.conclude(&found) {
            results.evidence.insert(evidence.name().to_owned(), value);
        }
    }
    results
}

/// Writes what pages need of the data and of single units into files of their own, and takes the latter out of the results.
///
/// # Errors
///
/// Returns [`RunDirError`] if they cannot be written.
pub fn keep(data: &Dataset, results: &mut Results, dir: &RunDir) -> Result<(), RunDirError> {
    let details = unit_details::take(results);
    let labels = data.test.labels.as_ref();
    let label = |index: usize| (index, labels.map(|labels| labels[index]));
    let strip = reconstructions::shown_images((0..data.test.images.count()).map(label));
    // Of rows that are no pictures, pages show numbers alone.
    let is_picture = picture(data.test.images.frame()).is_some();
    let of_units = unit_details::images(&details).filter(|_| is_picture);
    let wanted = strip.into_iter().chain(of_units);
    Examples::of(data, wanted).write(dir)?;
    if details.is_empty() {
        return dir.remove(run_dir::DETAILS);
    }
    unit_details::write(&details, dir)
}

/// What was found, a line for each finding.
#[must_use]
pub fn lines(found: &Found<'_>) -> Vec<String> {
    /// Of one piece; a page has the rest.
    const MOST: usize = 24;
    let of_piece = |evidence: &dyn Evidence| {
        let mut lines = evidence.lines(found);
        let left_out = lines.len().saturating_sub(MOST);
        if left_out > 0 && evidence.name() != promises::Promises.name() {
            lines.truncate(MOST);
            lines.push(format!(
                "({left_out} more such lines are left out; the page has them)"
            ));
        }
        lines
    };
    of(found.plan).flat_map(of_piece).collect()
}

/// What the figures of a plan's run on such inputs will have no room for: a line each.
#[must_use]
pub fn outlook(plan: &Plan, frame: Frame) -> Vec<String> {
    let Some(picture) = picture(frame) else {
        return Vec::new();
    };
    let shape = |units: usize| picture.grid(units);
    of(plan)
        .flat_map(|evidence| evidence.outlook(plan, &shape))
        .collect()
}

/// The pictures that inputs are, if they are any.
fn picture(frame: Frame) -> Option<PictureShape> {
    match frame {
        Frame::Picture {
            height,
            width,
            channels,
        } => Some(PictureShape {
            height,
            width,
            channels,
        }),
        Frame::Vector { .. } => None,
    }
}

fn is_autoencoder(plan: &Plan) -> bool {
    plan.experiment == ExperimentName::Autoencoder
}

fn is_deep_autoencoder(plan: &Plan) -> bool {
    plan.experiment == ExperimentName::DeepAutoencoder
}

fn is_classifier(plan: &Plan) -> bool {
    plan.experiment == ExperimentName::Classifier
}

/// Places among `count` of which no more than `most` are shown: all, or some at even distances.
fn spaced(count: usize, most: usize) -> impl Iterator<Item = usize> {
    let shown = count.min(most);
    (0..shown).map(move |at| at * count / shown)
}

/// Numbers as they are kept.
fn value(numbers: &impl Serialize) -> Value {
    serde_json::to_value(numbers).expect("numbers and texts are JSON")
}

/// A line for each remark on a file.
fn remarks(file: &str, remarks: impl IntoIterator<Item = String>) -> Vec<String> {
    let remarks = remarks.into_iter();
    remarks.map(|remark| format!("{file}: {remark}")).collect()
}
