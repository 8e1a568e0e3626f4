//! What burn's dashboard is to plot: its metrics and their points, and how much of the run is behind.
//!
//! In a plot of burn's every point moves x on by one, whatever line it belongs to, and a line has the colour of its
//! split. So a metric here is one quantity of one model: what is read while an epoch is on is its split "Train", what is
//! measured on test images after the epoch its split "Valid". Steps without a point keep x in proportion to time: what
//! is measured after epoch e is at x = e · [`Plots::steps`].

use super::Extent;
use crate::results::Member;
use crate::spec::ExperimentName;
use crate::train::{Reading, Record};

/// Steps of x in an epoch.
const STEPS: usize = 20;

/// Steps of x in a run, as far as two an epoch allow: long runs are read more rarely.
const STEPS_OF_RUN: usize = 4000;

/// What is plotted of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// Of an autoencoder's reconstruction.
    Error,
    ActiveUnits,
    DeadUnits,
    /// ‖x̂ − x‖² of a deep autoencoder.
    SquaredError,
    /// The cross-entropy of a classifier.
    Cost,
    /// In percent.
    Accuracy,
    /// The error of the autoencoders that pretrain a classifier, one stage after the other.
    PretrainingError,
}

impl Quantity {
    /// Of the models of an experiment: what their training lowers, and what is measured on test images.
    fn of(experiment: ExperimentName) -> (Self, &'static [Self]) {
        match experiment {
            ExperimentName::Autoencoder => (
                Self::Error,
                &[Self::Error, Self::ActiveUnits, Self::DeadUnits],
            ),
            ExperimentName::Classifier => (Self::Cost, &[Self::Accuracy, Self::Cost]),
            ExperimentName::DeepAutoencoder => (Self::Error, &[Self::Error, Self::SquaredError]),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::ActiveUnits => "active units",
            Self::DeadUnits => "dead units",
            Self::SquaredError => "squared error",
            Self::Cost => "cost",
            Self::Accuracy => "accuracy %",
            Self::PretrainingError => "pretraining error",
        }
    }

    /// The line that every plot of it has.
    pub fn split(self) -> Split {
        match self {
            Self::Error | Self::Cost | Self::PretrainingError => Split::Train,
            Self::ActiveUnits | Self::DeadUnits | Self::SquaredError | Self::Accuracy => {
                Split::Valid
            }
        }
    }

    fn text(self, value: f64) -> String {
        let digits = match self {
            Self::DeadUnits => 0,
            Self::ActiveUnits => 1,
            Self::Accuracy | Self::SquaredError => 2,
            Self::Error | Self::Cost | Self::PretrainingError => 4,
        };
        format!("{value:.digits$}")
    }
}

/// What is told of a member.
#[derive(Debug, Clone, PartialEq)]
pub enum Note {
    Reading(Reading),
    Epoch {
        member: usize,
        epoch: usize,
        /// As in [`Reading::stage`].
        stage: Option<usize>,
        /// Of the training, over the whole epoch; absent before the first.
        cost: Option<f64>,
        /// On the test images.
        test: Vec<(Quantity, f64)>,
    },
    /// It could not go on.
    Ended {
        member: usize,
        reason: String,
    },
}

impl From<Record<'_>> for Note {
    fn from(record: Record<'_>) -> Self {
        match record {
            Record::Reading(reading) => Self::Reading(reading),
            Record::Epoch(record) => Self::Epoch {
                member: record.member,
                epoch: record.epoch,
                stage: None,
                cost: (record.epoch > 0).then_some(record.reconstruction),
                test: match record.test_squared_error {
                    Some(error) => vec![
                        (Quantity::Error, record.test_reconstruction),
                        (Quantity::SquaredError, error),
                    ],
                    None => vec![
                        (Quantity::Error, record.test_reconstruction),
                        (Quantity::ActiveUnits, record.active_units),
                        (Quantity::DeadUnits, record.dead_units as f64),
                    ],
                },
            },
            Record::Stage(record) => Self::Epoch {
                member: record.member,
                epoch: record.epoch,
                stage: Some(record.stage),
                cost: Some(record.reconstruction),
                test: Vec::new(),
            },
            Record::Classifier(record, _) => Self::Epoch {
                member: record.member,
                epoch: record.epoch,
                stage: None,
                cost: record.cost,
                test: vec![
                    (Quantity::Accuracy, 100.0 * record.test_accuracy),
                    (Quantity::Cost, record.test_cost),
                ],
            },
        }
    }
}

/// A line of a plot, by burn's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    Train,
    Valid,
}

/// What changes in a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Position in [`Plots::metrics`].
    pub metric: usize,
    pub split: Split,
    pub mark: Mark,
    /// The split's latest value in words, which stand beside the plots.
    pub text: String,
}

/// What a step draws.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mark {
    /// A point at the next x.
    Point(f64),
    /// Nothing at the next x. A point always follows, as burn's axes cannot do without any.
    Gap,
    /// Nothing: x stays.
    None,
}

/// One quantity of one model.
#[derive(Debug)]
pub struct Metric {
    pub name: String,
    pub quantity: Quantity,
    member: usize,
    /// The x of the next step.
    x: usize,
    /// Epochs that are behind; in a pretraining, those of all stages together.
    epochs: usize,
}

/// The plots of a run.
pub struct Plots {
    trained: Quantity,
    tested: &'static [Quantity],
    /// The models that are plotted: the first of each condition. More would be more than anybody looks through.
    models: Vec<Member>,
    metrics: Vec<Metric>,
    steps: usize,
    /// By the index of every member, the epochs that are behind, and how much of the next.
    progress: Vec<(usize, f64)>,
    /// The latest epoch of each of `models`.
    latest: Vec<Option<Note>>,
}

impl Plots {
    pub fn new(extent: &Extent) -> Self {
        let members = &extent.members;
        let mut models: Vec<Member> = Vec::new();
        for member in members {
            if !models.iter().any(|of| of.condition == member.condition) {
                models.push(member.clone());
            }
        }
        let indices = members.iter().map(|member| member.index + 1);
        let (trained, tested) = Quantity::of(extent.experiment);
        let mut plots = Self {
            trained,
            tested,
            metrics: Vec::new(),
            steps: (STEPS_OF_RUN / extent.epochs.max(1)).clamp(2, STEPS),
            progress: vec![(0, 0.0); indices.max().unwrap_or(0)],
            latest: vec![None; models.len()],
            models,
        };
        for &quantity in tested {
            for model in plots.models.clone() {
                plots.add(quantity, &model);
            }
        }
        plots
    }

    /// How many models are plotted.
    pub fn models(&self) -> usize {
        self.models.len()
    }

    /// In the order in which they came to be.
    pub fn metrics(&self) -> &[Metric] {
        &self.metrics
    }

    /// Steps of x in an epoch.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// How many times in an epoch a cost is to be read: the last step is for what is measured after it.
    pub fn readings(&self) -> usize {
        self.steps - 1
    }

    /// Epochs that are behind, of all members of the run together.
    pub fn epochs(&self) -> f64 {
        self.progress
            .iter()
            .map(|&(epochs, share)| epochs as f64 + share)
            .sum()
    }

    /// The steps that follow from a note. An epoch of an earlier run comes without its readings: the mean of all stands
    /// in its middle.
    pub fn take(&mut self, note: Note, recalled: bool) -> Vec<Step> {
        let mut steps = Vec::new();
        match &note {
            Note::Reading(reading) => {
                if let Some((_, share)) = self.progress.get_mut(reading.member) {
                    *share = reading.share;
                }
                let quantity = self.lowered(reading.stage);
                if let Some(metric) = self.metric(quantity, reading.member) {
                    // Shares are quotients: one that is a hair too small must not slip to the step before.
                    let step = (reading.share * self.readings() as f64 + 1e-6) as usize;
                    self.train(metric, step, reading.cost, reading.stage, &mut steps);
                }
            }
            Note::Epoch {
                member,
                epoch,
                stage,
                cost,
                test,
            } => {
                if let Some((epochs, share)) = self.progress.get_mut(*member) {
                    *epochs += usize::from(*epoch > 0);
                    *share = 0.0;
                }
                let lowered = self.lowered(*stage);
                let trained = self.metric(lowered, *member);
                match (trained, cost) {
                    (Some(metric), Some(cost)) if recalled => {
                        self.train(metric, self.steps / 2, *cost, *stage, &mut steps);
                    }
                    // The readings were parts of it: what stands beside the plot from now on is the whole epoch's.
                    (Some(metric), Some(cost)) => steps.push(Step {
                        metric,
                        split: Split::Train,
                        mark: Mark::None,
                        text: {
                            let cost = lowered.text(*cost);
                            match stage {
                                Some(stage) => format!("{cost}, mean of layer {stage}"),
                                None => format!("{cost}, mean of epoch {epoch}"),
                            }
                        },
                    }),
                    _ => (),
                }
                for &(quantity, value) in test {
                    if let Some(metric) = self.metric(quantity, *member) {
                        let text = format!("{} on test images", quantity.text(value));
                        let x = epoch * self.steps;
                        self.step(metric, x, Split::Valid, value, &text, &mut steps);
                        self.metrics[metric].epochs = *epoch;
                    }
                }
                if let (Some(metric), Some(_)) = (trained, stage) {
                    self.metrics[metric].epochs += 1;
                }
                let model = self.models.iter().position(|model| model.index == *member);
                if let (Some(model), None) = (model, stage) {
                    self.latest[model] = Some(note);
                }
            }
            Note::Ended { member, reason } => {
                let metrics = self.metrics.iter().enumerate();
                steps.extend(
                    metrics
                        .filter(|(_, of)| of.member == *member)
                        .map(|(metric, of)| Step {
                            metric,
                            split: of.quantity.split(),
                            mark: Mark::None,
                            text: reason.clone(),
                        }),
                );
            }
        }
        steps
    }

    /// The last numbers of each model, a line for each, under a line that names them.
    pub fn table(&self) -> Vec<String> {
        let trained = self.trained;
        let mut head = vec!["model".to_owned(), "epoch".to_owned()];
        head.push(format!("training {}", trained.name()));
        for quantity in self.tested {
            head.push(match quantity {
                Quantity::ActiveUnits | Quantity::DeadUnits => quantity.name().to_owned(),
                other => format!("test {}", other.name()),
            });
        }
        let mut rows = vec![head];
        for (model, latest) in self.models.iter().zip(&self.latest) {
            let mut row = vec![model.label.clone()];
            if let Some(Note::Epoch {
                epoch, cost, test, ..
            }) = latest
            {
                row.push(epoch.to_string());
                row.push(cost.map_or_else(|| "–".to_owned(), |cost| trained.text(cost)));
                row.extend(test.iter().map(|(quantity, value)| quantity.text(*value)));
            }
            row.resize(rows[0].len(), "–".to_owned());
            rows.push(row);
        }
        aligned(&rows)
    }

    /// What is lowered while a member is trained.
    fn lowered(&self, stage: Option<usize>) -> Quantity {
        match stage {
            Some(_) => Quantity::PretrainingError,
            None => self.trained,
        }
    }

    /// The metric of a model that is plotted. Only a note of it tells that a model is pretrained.
    fn metric(&mut self, quantity: Quantity, member: usize) -> Option<usize> {
        let found = self
            .metrics
            .iter()
            .position(|metric| (metric.quantity, metric.member) == (quantity, member));
        if found.is_some() {
            return found;
        }
        let model = self.models.iter().find(|model| model.index == member)?;
        Some(self.add(quantity, &model.clone()))
    }

    fn add(&mut self, quantity: Quantity, model: &Member) -> usize {
        self.metrics.push(Metric {
            name: format!("{}, {}", quantity.name(), model.label),
            quantity,
            member: model.index,
            x: 0,
            epochs: 0,
        });
        self.metrics.len() - 1
    }

    /// A point of the epoch that is on, so many steps into it.
    fn train(
        &mut self,
        metric: usize,
        step: usize,
        cost: f64,
        stage: Option<usize>,
        steps: &mut Vec<Step>,
    ) {
        let Metric {
            quantity, epochs, ..
        } = self.metrics[metric];
        let place = match stage {
            Some(stage) => format!("layer {stage}"),
            None => format!("epoch {}", epochs + 1),
        };
        let text = format!("{} in {place}", quantity.text(cost));
        let x = epochs * self.steps + step;
        self.step(metric, x, Split::Train, cost, &text, steps);
    }

    /// A point at `x`, and the steps that lead there; what is not a number has no place in a plot.
    fn step(
        &mut self,
        metric: usize,
        x: usize,
        split: Split,
        value: f64,
        text: &str,
        steps: &mut Vec<Step>,
    ) {
        if !value.is_finite() {
            return;
        }
        let next = &mut self.metrics[metric].x;
        let gaps = x.saturating_sub(*next);
        *next += gaps + 1;
        let step = |mark| Step {
            metric,
            split,
            mark,
            text: text.to_owned(),
        };
        steps.extend((0..gaps).map(|_| step(Mark::Gap)));
        steps.push(step(Mark::Point(value)));
    }
}

/// Rows with columns of equal width; the first to the left, numbers to the right.
fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let count = |cell: &String| cell.chars().count();
    let width = |column: usize| rows.iter().map(|row| count(&row[column])).max();
    let line = |row: &Vec<String>| {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let blanks = " ".repeat(width(column).unwrap_or(0) - count(cell));
            match column {
                0 => cell.clone() + &blanks,
                _ => blanks + cell,
            }
        });
        cells.collect::<Vec<_>>().join("  ")
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plots(experiment: ExperimentName, names: &[&str], seeds: &[u64], epochs: usize) -> Plots {
        let members = names
            .iter()
            .flat_map(|name| seeds.iter().map(move |seed| (name, seed)))
            .enumerate()
            .map(|(index, (name, &seed))| Member::new(index, (*name).to_owned(), seed, seeds))
            .collect();
        Plots::new(&Extent {
            title: "test".to_owned(),
            experiment,
            members,
            epochs,
            epochs_of_all: 0,
            images: 100,
            work: 1,
        })
    }

    fn reading(member: usize, stage: Option<usize>, share: f64, cost: f64) -> Note {
        Note::Reading(Reading {
            member,
            stage,
            share,
            cost,
        })
    }

    fn autoencoder(member: usize, epoch: usize, cost: f64, error: f64) -> Note {
        Note::Epoch {
            member,
            epoch,
            stage: None,
            cost: Some(cost),
            test: vec![
                (Quantity::Error, error),
                (Quantity::ActiveUnits, 38.44),
                (Quantity::DeadUnits, 2.0),
            ],
        }
    }

    fn classifier(member: usize, epoch: usize, cost: Option<f64>, accuracy: f64) -> Note {
        Note::Epoch {
            member,
            epoch,
            stage: None,
            cost,
            test: vec![(Quantity::Accuracy, accuracy), (Quantity::Cost, 0.5)],
        }
    }

    fn stage(member: usize, stage: usize, epoch: usize, cost: f64) -> Note {
        Note::Epoch {
            member,
            epoch,
            stage: Some(stage),
            cost: Some(cost),
            test: Vec::new(),
        }
    }

    /// The points of a metric with their x, as burn counts it: one on for every step of the metric.
    fn points(plots: &Plots, steps: &[Step], name: &str) -> Vec<(usize, Split, f64)> {
        let metric = plots.metrics().iter().position(|m| m.name == name);
        let metric = metric.expect("there is such a metric");
        steps
            .iter()
            .filter(|step| step.metric == metric && step.mark != Mark::None)
            .enumerate()
            .filter_map(|(x, step)| match step.mark {
                Mark::Point(value) => Some((x, step.split, value)),
                Mark::Gap | Mark::None => None,
            })
            .collect()
    }

    fn names(plots: &Plots) -> Vec<&str> {
        let metrics = plots.metrics().iter();
        metrics.map(|metric| metric.name.as_str()).collect()
    }

    #[test]
    fn x_is_the_time_of_each_model_whatever_the_others_do() {
        let mut plots = plots(ExperimentName::Autoencoder, &["β = 0", "β = 3"], &[0], 10);
        assert_eq!(plots.steps(), 20);
        let mut steps = Vec::new();
        // The second model is an epoch behind.
        for epoch in 1..=2 {
            for part in 1..=19 {
                let share = f64::from(part) / 19.0;
                steps.extend(plots.take(reading(0, None, share, f64::from(part)), false));
            }
            steps.extend(plots.take(autoencoder(0, epoch, 7.0, 70.0), false));
        }
        steps.extend(plots.take(reading(1, None, 0.5, 9.0), false));
        let mut expected = Vec::new();
        for epoch in 0..2 {
            expected.extend((1..=19).map(|x| (20 * epoch + x, Split::Train, x as f64)));
            expected.push((20 * (epoch + 1), Split::Valid, 70.0));
        }
        assert_eq!(points(&plots, &steps, "error, β = 0"), expected);
        assert_eq!(
            points(&plots, &steps, "active units, β = 0"),
            [(20, Split::Valid, 38.44), (40, Split::Valid, 38.44)],
            "x is the same for what is measured after epochs alone"
        );
        assert_eq!(
            points(&plots, &steps, "error, β = 3"),
            [(9, Split::Train, 9.0)]
        );
    }

    #[test]
    fn few_batches_an_epoch_do_not_shorten_it() {
        let mut plots = plots(ExperimentName::Autoencoder, &["β = 0"], &[0], 10);
        let mut steps = Vec::new();
        for epoch in 1..=2 {
            for share in [0.4, 0.8, 1.0] {
                steps.extend(plots.take(reading(0, None, share, share), false));
            }
            steps.extend(plots.take(autoencoder(0, epoch, 7.0, 70.0), false));
        }
        let found = points(&plots, &steps, "error, β = 0");
        let x: Vec<usize> = found.iter().map(|(x, ..)| *x).collect();
        assert_eq!(x, [7, 15, 19, 20, 27, 35, 39, 40]);
    }

    #[test]
    fn a_resumed_run_has_its_history_where_it_was() {
        let mut plots = plots(ExperimentName::Autoencoder, &["β = 0"], &[0], 10);
        let mut steps = Vec::new();
        for epoch in 1..=2 {
            steps.extend(plots.take(autoencoder(0, epoch, 7.0, 70.0), true));
        }
        assert!((plots.epochs() - 2.0).abs() < 1e-12);
        // It was left in the middle of epoch 3.
        steps.extend(plots.take(reading(0, None, 14.0 / 19.0, 5.0), false));
        steps.extend(plots.take(autoencoder(0, 3, 6.0, 60.0), false));
        assert_eq!(
            points(&plots, &steps, "error, β = 0"),
            [
                (10, Split::Train, 7.0),
                (20, Split::Valid, 70.0),
                (30, Split::Train, 7.0),
                (40, Split::Valid, 70.0),
                (54, Split::Train, 5.0),
                (60, Split::Valid, 60.0),
            ]
        );
        assert!((plots.epochs() - 3.0).abs() < 1e-12);
    }

    #[test]
    fn stages_of_a_pretraining_follow_each_other_in_a_plot_of_their_own() {
        let mut plots = plots(ExperimentName::Classifier, &["A", "D"], &[0], 10);
        assert_eq!(
            names(&plots),
            ["accuracy %, A", "accuracy %, D", "cost, A", "cost, D"]
        );
        let mut steps = plots.take(stage(1, 1, 1, 3.0), true);
        steps.extend(plots.take(reading(1, Some(2), 1.0, 2.0), false));
        steps.extend(plots.take(stage(1, 2, 1, 2.5), false));
        steps.extend(plots.take(classifier(1, 0, None, 11.0), false));
        steps.extend(plots.take(reading(1, None, 1.0, 0.7), false));
        steps.extend(plots.take(classifier(1, 1, Some(0.8), 97.5), false));
        assert_eq!(names(&plots)[4..], ["pretraining error, D"]);
        assert_eq!(
            points(&plots, &steps, "pretraining error, D"),
            [(10, Split::Train, 3.0), (39, Split::Train, 2.0)]
        );
        assert_eq!(
            points(&plots, &steps, "accuracy %, D"),
            [(0, Split::Valid, 11.0), (20, Split::Valid, 97.5)]
        );
        assert_eq!(
            points(&plots, &steps, "cost, D"),
            [
                (0, Split::Valid, 0.5),
                (19, Split::Train, 0.7),
                (20, Split::Valid, 0.5)
            ]
        );
        assert!((plots.epochs() - 3.0).abs() < 1e-12, "two stages, an epoch");
    }

    #[test]
    fn progress_counts_the_members_of_all_seeds_and_plots_show_the_first() {
        let mut plots = plots(ExperimentName::Autoencoder, &["β = 0"], &[5, 6], 10);
        assert_eq!(
            names(&plots),
            [
                "error, β = 0, seed 5",
                "active units, β = 0, seed 5",
                "dead units, β = 0, seed 5"
            ]
        );
        assert!(plots.take(autoencoder(1, 1, 7.0, 70.0), false).is_empty());
        assert!(plots.take(reading(1, None, 0.5, 7.0), false).is_empty());
        plots.take(reading(0, None, 0.25, 7.0), false);
        assert!((plots.epochs() - 1.75).abs() < 1e-12);
    }

    #[test]
    fn long_runs_are_read_more_rarely() {
        let readings =
            |epochs| plots(ExperimentName::Autoencoder, &["β = 0"], &[0], epochs).readings();
        assert_eq!(
            [
                readings(1),
                readings(200),
                readings(1000),
                readings(1_000_000)
            ],
            [19, 19, 3, 1]
        );
    }

    #[test]
    fn an_epoch_that_is_done_has_its_mean_beside_the_plot() {
        let mut plots = plots(ExperimentName::Autoencoder, &["β = 0"], &[0], 10);
        let readings = plots.take(reading(0, None, 1.0, 6.5), false);
        let of_epoch = plots.take(autoencoder(0, 1, 7.0, 70.0), false);
        let steps = readings.iter().chain(&of_epoch);
        let mut of_training = steps.filter(|step| step.split == Split::Train);
        let last = of_training.next_back().expect("a reading and a mean");
        assert_eq!(last.mark, Mark::None);
        assert_eq!(last.text, "7.0000, mean of epoch 1");
    }

    #[test]
    fn what_is_not_a_number_leaves_a_gap() {
        let mut plots = plots(ExperimentName::Autoencoder, &["β = 0"], &[0], 10);
        let mut steps = plots.take(reading(0, None, 0.5, f64::NAN), false);
        assert!(steps.is_empty());
        steps.extend(plots.take(reading(0, None, 1.0, 2.0), false));
        assert_eq!(
            points(&plots, &steps, "error, β = 0"),
            [(19, Split::Train, 2.0)]
        );
    }

    #[test]
    fn a_model_that_cannot_go_on_says_why_beside_its_plots() {
        let mut plots = plots(ExperimentName::Autoencoder, &["β = 0", "β = 3"], &[0], 10);
        let reason = "ended in epoch 1: the training cost became NaN";
        let note = Note::Ended {
            member: 1,
            reason: reason.to_owned(),
        };
        let steps = plots.take(note, false);
        let name = |step: &Step| plots.metrics()[step.metric].name.clone();
        assert_eq!(
            steps.iter().map(name).collect::<Vec<_>>(),
            ["error, β = 3", "active units, β = 3", "dead units, β = 3"]
        );
        assert!(
            steps
                .iter()
                .all(|step| (step.mark, step.text.as_str()) == (Mark::None, reason))
        );
    }

    #[test]
    fn the_table_has_the_last_numbers_of_each_model() {
        let mut plots = plots(ExperimentName::Autoencoder, &["β = 0", "β = 0.1"], &[0], 10);
        plots.take(autoencoder(0, 9, 8.0, 80.0), true);
        plots.take(autoencoder(0, 10, 7.125, 70.5), false);
        assert_eq!(
            plots.table(),
            [
                "model    epoch  training error  test error  active units  dead units",
                "β = 0       10          7.1250     70.5000          38.4           2",
                "β = 0.1      –               –           –             –           –",
            ]
        );
    }

    #[test]
    fn texts_say_where_a_number_is_from() {
        let mut plots = plots(ExperimentName::Classifier, &["D"], &[0], 10);
        let last = |steps: Vec<Step>| steps.last().map(|step| step.text.clone());
        let texts = [
            last(plots.take(reading(0, Some(3), 0.5, 0.25), false)),
            last(plots.take(reading(0, None, 0.5, 0.25), false)),
            last(plots.take(classifier(0, 1, Some(0.2), 97.123), false)),
        ];
        assert_eq!(
            texts.map(|text| text.expect("a step")),
            [
                "0.2500 in layer 3",
                "0.2500 in epoch 1",
                "0.5000 on test images"
            ]
        );
    }
}
