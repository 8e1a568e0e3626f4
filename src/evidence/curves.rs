//! Learning curves of autoencoders, and where they end.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde_json::Value;

use super::figures::RedrawError;
use super::quantities::{Quantity, of_record};
use super::{Evidence, Run, is_autoencoder, remarks, value};
use crate::experiment::{Models, Trained};
use crate::report::{
    self, Chart, Drawing, Figures, Glossary, GridShape, Horizontal, Legend, Line, Look, MOST_NAMES,
    Sheet, Stroke, Term, Vertical, Words, dead_means, if_defined, number, table,
};
use crate::results::{EpochRecord, NO_EXPLAINED_VARIANCE, Spread};
use crate::run_dir;
use crate::spec::Plan;
use crate::words::{listed, listed_names, named};

/// Where there are more models than this, and several seeds, a line stands for the seeds of a condition.
const MOST_MODELS: usize = 32;

pub struct Curves;

impl Evidence for Curves {
    fn name(&self) -> &'static str {
        "curves"
    }

    fn applies(&self, plan: &Plan) -> bool {
        is_autoencoder(plan)
    }

    /// The record of the last epoch.
    fn measure(&self, _: &Plan, trained: &Trained<'_>) -> Vec<Value> {
        match trained.models {
            Models::Autoencoders { records, .. } => records.iter().map(value).collect(),
            _ => Vec::new(),
        }
    }

    fn quantities(&self) -> &'static [Quantity] {
        const OF_RECORDS: [Quantity; 8] = [
            of_record!("training cost", |of| Some(of.cost)),
            of_record!("test error", |of| Some(of.test_reconstruction)),
            of_record!("sparsity term", |of| Some(of.sparsity)),
            of_record!("explained variance", |of| of.explained_variance),
            of_record!("mean activation", |of| Some(of.mean_activation)),
            of_record!("active units", |of| Some(of.active_units)),
            of_record!("dead units", |of| Some(of.dead_units as f64)),
            of_record!("untrained units", |of| Some(of.untrained_units as f64)),
        ];
        &OF_RECORDS
    }

    fn outlook(&self, plan: &Plan, _: &dyn Fn(usize) -> GridShape) -> Vec<String> {
        let members = plan.conditions.len() * plan.run.seeds.len();
        let lines = match Lines::of(plan) {
            Lines::Models => members,
            Lines::Conditions => plan.conditions.len(),
        };
        [
            remarks(run_dir::CURVES_SVG, report::lines_left_out(lines)),
            remarks(run_dir::PAGE, report::rows_left_out(members)),
        ]
        .concat()
    }

    fn show(&self, run: &Run<'_>, figures: &mut Figures) -> Result<Option<Markup>, RedrawError> {
        let records = run.epochs();
        let conditions = listed_names(run.conditions(), MOST_NAMES);
        let ends = last_of_each(&records).into_iter();
        let ends =
            ends.map(|of| format!("{} at {}", named(&of.label), number(of.test_reconstruction)));
        let alt = format!(
            "Learning curves of {conditions}: reconstruction, sparsity, activity and dead units against the epoch. Reconstruction on the test images ends at: {}",
            listed(ends, MOST_NAMES)
        );
        let lines = Lines::of(run.plan);
        let words = Words {
            alt: &alt,
            caption: match lines {
                Lines::Models => {
                    "Every model after every epoch: the sparsity term over the epoch’s training images, all else over the test images."
                }
                Lines::Conditions => {
                    "Every condition after every epoch, medians over seeds with bands from the smallest to the largest: the sparsity term over the epoch’s training images, all else over the test images."
                }
            },
            numbers: Some(run_dir::METRICS_CSV),
        };
        let drawing = match lines {
            Lines::Models => learning_curves(&records, lines),
            Lines::Conditions => learning_curves(&run.kept_records().epochs, lines),
        };
        let curves = figures.chart("curves", &drawing, &words);
        Ok(Some(html! {
            h2 { "Training" }
            (curves)
            (last_epochs(&records, &mut figures.glossary))
        }))
    }
}

/// The last record of each member.
fn last_of_each(records: &[EpochRecord]) -> Vec<&EpochRecord> {
    let mut last: BTreeMap<usize, &EpochRecord> = BTreeMap::new();
    for record in records {
        let seen = last.entry(record.member).or_insert(record);
        if seen.epoch < record.epoch {
            *seen = record;
        }
    }
    last.into_values().collect()
}

fn last_epochs(records: &[EpochRecord], glossary: &mut Glossary) -> Markup {
    let last = last_of_each(records);
    if last.is_empty() {
        return html! {};
    }
    let rows: Vec<Vec<String>> = last
        .iter()
        .map(|record| {
            vec![
                record.label.clone(),
                record.epoch.to_string(),
                number(record.learning_rate),
                number(record.cost),
                number(record.reconstruction),
                number(record.test_reconstruction),
                number(record.sparsity),
                if_defined(record.explained_variance),
                number(record.mean_activation),
                number(record.active_units),
                record.dead_units.to_string(),
                record.untrained_units.to_string(),
            ]
        })
        .collect();
    let head = glossary.head(&[
        ("model", None),
        ("epoch", None),
        ("learning rate", None),
        ("cost", Some(Term::Cost)),
        ("training error", Some(Term::Error)),
        ("test error", Some(Term::Error)),
        ("sparsity term", Some(Term::Divergence)),
        ("explained variance", Some(Term::ExplainedVariance)),
        ("mean activation", Some(Term::MeanActivation)),
        ("active (L0)", Some(Term::ActiveUnits)),
        ("dead", Some(Term::Dead)),
        ("unchanged", Some(Term::Untrained)),
    ]);
    let not_defined = last
        .iter()
        .any(|record| record.explained_variance.is_none());
    html! {
        (table("The last epoch of each model; costs are means over images", &head, &rows))
        p {
            (dead_means("the test images"))
            " Unchanged (“untrained units” in promises and files): the unit’s column of encoder weights equals its initial values in every bit."
            @if not_defined { " The explained variance is not defined: " (NO_EXPLAINED_VARIANCE) "." }
        }
    }
}

/// One chart.
struct Panel {
    title: &'static str,
    /// Leaves a gap where it is not defined.
    value: fn(&EpochRecord) -> Option<f64>,
    /// A second quantity, drawn dashed.
    dashed: Option<fn(&EpochRecord) -> Option<f64>>,
    /// Why there may be no value at all.
    not_defined: &'static str,
    /// Whether it is worth a chart if it is 0 throughout, as the sparsity term is of codes that keep their largest units.
    if_zero: bool,
    scale: Vertical,
}

const PANELS: [Panel; 6] = [
    Panel {
        title: "Test error",
        value: |r| Some(r.test_reconstruction),
        dashed: None,
        not_defined: "",
        if_zero: true,
        scale: Vertical::Either,
    },
    Panel {
        title: "Sparsity term, without its weight",
        value: |r| Some(r.sparsity),
        dashed: None,
        not_defined: "",
        if_zero: false,
        scale: Vertical::Either,
    },
    Panel {
        title: "Mean activation",
        value: |r| Some(r.mean_activation),
        dashed: None,
        not_defined: "",
        if_zero: true,
        scale: Vertical::Either,
    },
    Panel {
        title: "Active units per image (h > 0.01)",
        value: |r| Some(r.active_units),
        dashed: None,
        not_defined: "",
        if_zero: true,
        scale: Vertical::Count,
    },
    Panel {
        title: "Dead (solid), unchanged (dashed) units",
        value: |r| Some(r.dead_units as f64),
        dashed: Some(|r| Some(r.untrained_units as f64)),
        not_defined: "",
        if_zero: true,
        scale: Vertical::Count,
    },
    Panel {
        title: "Explained variance, test images",
        value: |r| r.explained_variance,
        dashed: None,
        not_defined: NO_EXPLAINED_VARIANCE,
        if_zero: true,
        scale: Vertical::Linear,
    },
];

/// What a line stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lines {
    Models,
    /// With a band over seeds.
    Conditions,
}

impl Lines {
    fn of(plan: &Plan) -> Self {
        let seeds = plan.run.seeds.len();
        if seeds > 1 && plan.conditions.len() * seeds > MOST_MODELS {
            Self::Conditions
        } else {
            Self::Models
        }
    }

    fn label(self, record: &EpochRecord) -> &str {
        match self {
            Self::Models => &record.label,
            Self::Conditions => &record.condition,
        }
    }
}

/// The records of what a line stands for, by epoch.
type Curve<'a> = BTreeMap<usize, Vec<&'a EpochRecord>>;

/// The learning curves; records may come in any order.
fn learning_curves(records: &[EpochRecord], lines: Lines) -> Drawing {
    let mut sorted: Vec<&EpochRecord> = records.iter().collect();
    sorted.sort_by_key(|record| record.member);
    let mut curves: Vec<(&str, Curve)> = Vec::new();
    for of_line in sorted.chunk_by(|a, b| lines.label(a) == lines.label(b)) {
        let mut curve = Curve::new();
        for record in of_line {
            curve.entry(record.epoch).or_default().push(record);
        }
        curves.push((lines.label(of_line[0]), curve));
    }
    let legend = Legend::of(curves.iter().map(|(name, _)| *name));
    let curves: Vec<(Look, (&str, Curve))> = Look::all().zip(curves).collect();
    let line = |(look, (_, curve)): &(Look, (&str, Curve)),
                stroke,
                value: fn(&EpochRecord) -> Option<f64>| {
        let along = curve.iter().map(|(epoch, seeds)| {
            let seeds = seeds.iter().map(|record| value(record).unwrap_or(f64::NAN));
            let spread = Spread::of(seeds).expect("an epoch has a record");
            (*epoch as f64, spread)
        });
        let line = Line::of_spreads(*look, along);
        match lines {
            Lines::Models => Line::of_points(*look, stroke, line.points),
            Lines::Conditions => Line { stroke, ..line },
        }
    };
    let is_shown = |panel: &&Panel| {
        let mut values = records.iter().map(panel.value);
        panel.if_zero || values.any(|value| value != Some(0.0))
    };
    let charts = PANELS.iter().filter(is_shown).map(|panel| Chart {
        title: title(panel, records),
        x_title: "epoch".to_owned(),
        x: Horizontal::Whole,
        y: panel.scale,
        lines: curves
            .iter()
            .flat_map(|curve| {
                let dashed = panel.dashed.map(|value| line(curve, Stroke::Dashed, value));
                dashed
                    .into_iter()
                    .chain([line(curve, Stroke::Solid, panel.value)])
            })
            .collect(),
    });
    Sheet {
        legend,
        charts: charts.collect(),
        columns: 3,
        chart_height: 290.0,
    }
    .drawing()
}

/// What a chart shows, or why it shows nothing.
fn title(panel: &Panel, records: &[EpochRecord]) -> String {
    let is_defined = |record: &EpochRecord| (panel.value)(record).is_some();
    if records.is_empty() || records.iter().any(is_defined) {
        return panel.title.to_owned();
    }
    let (quantity, _) = panel.title.split_once(',').unwrap_or((panel.title, ""));
    format!("{quantity}: {}", panel.not_defined)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(member: usize, label: &str, epoch: usize) -> EpochRecord {
        let decay = 1.0 / epoch as f64;
        EpochRecord {
            epoch,
            member,
            label: label.to_owned(),
            condition: label.to_owned(),
            seed: 0,
            learning_rate: 5e-4,
            cost: 3.0 + decay,
            reconstruction: 2.0 + decay,
            sparsity: 100.0 * decay,
            test_reconstruction: 2.0 + decay + member as f64,
            explained_variance: Some(0.9 - 0.1 * decay),
            mean_activation: 0.5 + decay,
            active_units: 30.0,
            dead_units: member,
            untrained_units: 0,
            ..EpochRecord::default()
        }
    }

    /// Every tag is closed in order, and every `<` and `&` belongs to markup.
    fn assert_well_formed(document: &str) {
        let mut open = Vec::new();
        for piece in document.split('<').skip(1) {
            let (tag, text) = piece.split_once('>').expect("a closed tag");
            assert!(!text.contains('>') && !tag.contains('&'));
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name));
            } else if !tag.ends_with('/') {
                open.push(tag.split(' ').next().expect("a name"));
            }
            for entity in text.split('&').skip(1) {
                assert!(
                    ["lt;", "gt;", "amp;", "quot;", "#39;"]
                        .iter()
                        .any(|e| entity.starts_with(e))
                );
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }

    #[test]
    fn the_svg_is_well_formed_and_names_every_model() {
        let records = [
            record(0, "β = 0", 1),
            record(0, "β = 0", 2),
            record(1, "<script>alert(1)</script> & co", 1),
        ];
        let svg = learning_curves(&records, Lines::Models).svg();
        assert_well_formed(&svg);
        assert!(svg.contains(">β = 0</text>"));
        assert!(svg.contains(">&lt;script&gt;alert(1)&lt;/script&gt; &amp; co</text>"));
        assert!(!svg.contains("<script"));
        assert!(
            PANELS
                .iter()
                .all(|panel| svg.contains(&format!(">{}", panel.title.replace('>', "&gt;"))))
        );
        assert_eq!(svg, learning_curves(&records, Lines::Models).svg());
    }

    #[test]
    fn no_epochs_one_epoch_and_diverged_epochs_still_draw() {
        assert!(
            learning_curves(&[], Lines::Models)
                .svg()
                .contains("nothing to draw")
        );
        let one = learning_curves(&[record(0, "β = 0", 7)], Lines::Models).svg();
        assert!(one.contains(">7</text>") && one.contains("<circle"));
        let mut diverged = record(0, "β = 0", 2);
        diverged.test_reconstruction = f64::NAN;
        diverged.sparsity = f64::INFINITY;
        diverged.mean_activation = 1e300;
        let svg = learning_curves(
            &[record(0, "β = 0", 1), diverged, record(0, "β = 0", 3)],
            Lines::Models,
        )
        .svg();
        assert_well_formed(&svg);
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }

    #[test]
    fn a_line_may_stand_for_the_seeds_of_a_condition() {
        let of_seed = |member: usize, epoch| EpochRecord {
            label: format!("A, seed {member}"),
            condition: "A".to_owned(),
            ..record(member, "A", epoch)
        };
        let records: Vec<EpochRecord> = (0..3)
            .flat_map(|member| [of_seed(member, 1), of_seed(member, 2)])
            .collect();
        let svg = learning_curves(&records, Lines::Conditions).svg();
        assert!(svg.contains(">A</text>") && !svg.contains("A, seed"));
        // A band in each chart, and one more for untrained units.
        assert_eq!(svg.matches("fill-opacity").count(), PANELS.len() + 1);
        let svg = learning_curves(&records, Lines::Models).svg();
        assert!(svg.contains(">A, seed 2</text>") && !svg.contains("fill-opacity"));
    }

    #[test]
    fn a_sparsity_term_that_is_0_throughout_has_no_chart() {
        let without = |epoch| EpochRecord {
            sparsity: 0.0,
            ..record(0, "TopK", epoch)
        };
        let svg = learning_curves(&[without(1), without(2)], Lines::Models).svg();
        assert!(svg.contains(">Test error</text>") && !svg.contains("Sparsity term"));
        let svg = learning_curves(&[without(1), record(0, "KL", 2)], Lines::Models).svg();
        assert!(svg.contains("Sparsity term"));
    }

    #[test]
    fn what_is_not_defined_is_a_gap_or_a_chart_that_says_why() {
        let without = |epoch| EpochRecord {
            explained_variance: None,
            ..record(0, "β = 0", epoch)
        };
        let svg = learning_curves(&[without(1), without(2)], Lines::Models).svg();
        assert!(svg.contains(">Explained variance: the test images do not vary</text>"));
        assert_eq!(svg.matches("nothing to draw").count(), 1);
        let svg = learning_curves(&[without(1), record(0, "β = 0", 2)], Lines::Models).svg();
        assert!(svg.contains(">Explained variance, test images</text>"));
        assert!(!svg.contains("NaN") && !svg.contains("nothing to draw"));
    }

    #[test]
    fn the_png_shows_the_first_colour_of_the_palette() {
        let records = [record(0, "β = 0", 1), record(0, "β = 0", 2)];
        let bytes = learning_curves(&records, Lines::Models)
            .png()
            .expect("a picture");
        assert_eq!(
            bytes,
            learning_curves(&records, Lines::Models)
                .png()
                .expect("a picture")
        );
        let picture = image::load_from_memory(&bytes).expect("a PNG").into_rgb8();
        assert_eq!(picture.width(), 2400);
        let first = Look::all().next().expect("a look").colour.0;
        assert!(picture.pixels().any(|pixel| pixel.0 == first));
    }
}
