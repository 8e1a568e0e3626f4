//! Learning curves of autoencoders: six small charts on one sheet, a line per model against the epoch.

use std::collections::BTreeMap;

use crate::results::{EpochRecord, NO_EXPLAINED_VARIANCE};

use super::Drawing;
use super::axis::{Horizontal, Vertical};
use super::chart::{Chart, Legend, Line, Look, Sheet, Stroke};

/// One chart.
struct Panel {
    title: &'static str,
    /// Leaves a gap where it is not defined.
    value: fn(&EpochRecord) -> Option<f64>,
    /// A second quantity, drawn dashed.
    dashed: Option<fn(&EpochRecord) -> Option<f64>>,
    /// Why there may be no value at all.
    not_defined: &'static str,
    scale: Vertical,
}

const PANELS: [Panel; 6] = [
    Panel {
        title: "Reconstruction loss, test images",
        value: |r| Some(r.test_reconstruction),
        dashed: None,
        not_defined: "",
        scale: Vertical::Either,
    },
    Panel {
        title: "Sparsity term, Σ KL, without β",
        value: |r| Some(r.sparsity),
        dashed: None,
        not_defined: "",
        scale: Vertical::Either,
    },
    Panel {
        title: "Mean activation",
        value: |r| Some(r.mean_activation),
        dashed: None,
        not_defined: "",
        scale: Vertical::Either,
    },
    Panel {
        title: "Active units per image (h > 0.01)",
        value: |r| Some(r.active_units),
        dashed: None,
        not_defined: "",
        scale: Vertical::Count,
    },
    Panel {
        title: "Dead (solid), untrained (dashed) units",
        value: |r| Some(r.dead_units as f64),
        dashed: Some(|r| Some(r.untrained_units as f64)),
        not_defined: "",
        scale: Vertical::Count,
    },
    Panel {
        title: "Explained variance, test images",
        value: |r| r.explained_variance,
        dashed: None,
        not_defined: NO_EXPLAINED_VARIANCE,
        scale: Vertical::Linear,
    },
];

/// The learning curves; records of a model may come in any order.
#[must_use]
pub fn learning_curves(records: &[EpochRecord]) -> Drawing {
    let mut members: BTreeMap<usize, Vec<&EpochRecord>> = BTreeMap::new();
    for record in records {
        members.entry(record.member).or_default().push(record);
    }
    for records in members.values_mut() {
        records.sort_by_key(|record| record.epoch);
    }
    let all = members.len();
    let members: Vec<(Look, Vec<&EpochRecord>)> = Look::all().zip(members.into_values()).collect();
    let line = |(look, records): &(Look, Vec<&EpochRecord>),
                stroke,
                value: fn(&EpochRecord) -> Option<f64>| {
        Line {
            look: *look,
            stroke,
            points: records
                .iter()
                .map(|record| (record.epoch as f64, value(record).unwrap_or(f64::NAN)))
                .collect(),
            band: Vec::new(),
        }
    };
    let charts = PANELS.iter().map(|panel| Chart {
        title: title(panel, records),
        x_title: "epoch".to_owned(),
        x: Horizontal::Whole,
        y: panel.scale,
        lines: members
            .iter()
            .flat_map(|member| {
                let dashed = panel
                    .dashed
                    .map(|value| line(member, Stroke::Dashed, value));
                dashed
                    .into_iter()
                    .chain([line(member, Stroke::Solid, panel.value)])
            })
            .collect(),
    });
    let label = |records: &[&EpochRecord]| {
        records
            .first()
            .map_or_else(String::new, |record| record.label.clone())
    };
    Sheet {
        legend: Legend::new(
            members
                .iter()
                .map(|(look, records)| (label(records), *look)),
            all,
        ),
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
pub(super) mod tests {
    use super::*;

    pub(in crate::report) fn record(member: usize, label: &str, epoch: usize) -> EpochRecord {
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
        let svg = learning_curves(&records).svg();
        assert_well_formed(&svg);
        assert!(svg.contains(">β = 0</text>"));
        assert!(svg.contains(">&lt;script&gt;alert(1)&lt;/script&gt; &amp; co</text>"));
        assert!(!svg.contains("<script"));
        assert!(
            PANELS
                .iter()
                .all(|panel| svg.contains(&format!(">{}", panel.title.replace('>', "&gt;"))))
        );
        assert_eq!(svg, learning_curves(&records).svg());
    }

    #[test]
    fn no_epochs_one_epoch_and_diverged_epochs_still_draw() {
        assert!(learning_curves(&[]).svg().contains("nothing to draw"));
        let one = learning_curves(&[record(0, "β = 0", 7)]).svg();
        assert!(one.contains(">7</text>") && one.contains("<circle"));
        let mut diverged = record(0, "β = 0", 2);
        diverged.test_reconstruction = f64::NAN;
        diverged.sparsity = f64::INFINITY;
        diverged.mean_activation = 1e300;
        let svg = learning_curves(&[record(0, "β = 0", 1), diverged, record(0, "β = 0", 3)]).svg();
        assert_well_formed(&svg);
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }

    #[test]
    fn what_is_not_defined_is_a_gap_or_a_chart_that_says_why() {
        let without = |epoch| EpochRecord {
            explained_variance: None,
            ..record(0, "β = 0", epoch)
        };
        let svg = learning_curves(&[without(1), without(2)]).svg();
        assert!(svg.contains(">Explained variance: the test images do not vary</text>"));
        assert_eq!(svg.matches("nothing to draw").count(), 1);
        let svg = learning_curves(&[without(1), record(0, "β = 0", 2)]).svg();
        assert!(svg.contains(">Explained variance, test images</text>"));
        assert!(!svg.contains("NaN") && !svg.contains("nothing to draw"));
    }

    #[test]
    fn the_png_shows_the_first_colour_of_the_palette() {
        let records = [record(0, "β = 0", 1), record(0, "β = 0", 2)];
        let bytes = learning_curves(&records).png().expect("a picture");
        assert_eq!(bytes, learning_curves(&records).png().expect("a picture"));
        let pixels = crate::report::drawing::tests::decoded(&bytes);
        assert_eq!(pixels.width, 2400);
        assert!(pixels.has(crate::report::chart::PALETTE[0]));
    }
}
