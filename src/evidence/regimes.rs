//! Which picture of Figure 5-6 of Okatani, *Deep Learning*, each autoencoder shows: scores of its units' pictures, and the
//! rules that tell the three regimes apart.

use std::collections::BTreeMap;

use burn::tensor::{Tensor, TensorData};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::figures::RedrawError;
use super::quantities::{Quantity, measured};
use super::scores::{self, Regime, Scores};
use super::{Evidence, Found, Run, is_autoencoder, value};
use crate::data::Images;
use crate::experiment::{Models, Trained};
use crate::model::{Autoencoder, Layer, numbers, whole_numbers};
use crate::ops::Rows;
use crate::report::{Figures, Glossary, MOST_NAMES, MOST_ROWS, Term, if_defined, number, table};
use crate::results::{self, Ended, Member, Subject};
use crate::spec::{Activation, Decoder, Plan, Source, SparsityKind};
use crate::train::encode_all;
use crate::words::listed_names;

/// The evidence of which regime each autoencoder shows.
pub struct Regimes;

/// What one autoencoder's units look like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pictured {
    /// Scores of its units' pictures.
    pub scores: Scores,
    /// The regime that the rules find for these scores.
    pub regime: Regime,
    /// The rule and the numbers that decided, for a reader.
    pub reason: String,
}

impl Pictured {
    /// What stands under its grid.
    pub(super) fn caption(&self, subject: Subject) -> String {
        let scores = &self.scores;
        let regime = self.regime.words(subject);
        let activity = format!(
            "active {:.1} · dead {}",
            scores.active_units, scores.dead_units
        );
        match scores {
            Scores {
                kurtosis: Some(kurtosis),
                radius_of_gyration: Some(gyration),
                roughness: Some(roughness),
                digit_correlation: Some(correlation),
                ..
            } => format!(
                "{regime}\nkurtosis {kurtosis:.1} · gyration {gyration:.1} px · roughness {roughness:.2}\n{activity} · image correlation {correlation:.2}"
            ),
            _ => format!(
                "{regime}: a score is not defined,\nas {}\n{activity}",
                scores.why_not_defined()
            ),
        }
    }
}

impl Evidence for Regimes {
    fn name(&self) -> &'static str {
        "regimes"
    }

    /// Not of patches: no digit or other thing is whole in one of them.
    fn applies(&self, plan: &Plan) -> bool {
        is_autoencoder(plan) && !matches!(plan.data.source, Source::Patches(_))
    }

    fn measure(&self, _: &Plan, trained: &Trained<'_>) -> Vec<Value> {
        pictured(trained).iter().map(value).collect()
    }

    fn quantities(&self) -> &'static [Quantity] {
        measured! { Regimes:
            "regime", "", "/regime", Regime::WORDS;
            "kurtosis", "", "/scores/kurtosis";
            "radius of gyration", "px", "/scores/radius_of_gyration";
            "roughness", "", "/scores/roughness";
            "image correlation", "", "/scores/digit_correlation";
            "label purity", "", "/scores/label_purity";
        }
    }

    fn lines(&self, found: &Found<'_>) -> Vec<String> {
        let subject = Subject::of(found.data.name);
        let members = found.results.of_members::<Pictured>(self.name());
        let is_judged = |(_, of): &(&Member, Pictured)| of.regime != Regime::NotJudged;
        let is_same = |(_, of): &(&Member, Pictured)| of.reason == members[0].1.reason;
        if members.len() > 6 && !members.iter().any(is_judged) && members.iter().all(is_same) {
            return vec![format!(
                "no model’s picture is judged ({})",
                members[0].1.reason
            )];
        }
        let line = |(member, of): &(&Member, Pictured)| {
            let regime = of.regime.words(subject);
            format!("{}: {regime} ({})", member.label, of.reason)
        };
        members.iter().map(line).collect()
    }

    fn show(&self, run: &Run<'_>, figures: &mut Figures) -> Result<Option<Markup>, RedrawError> {
        let members = run.results.of_members::<Pictured>(self.name());
        if members.is_empty() && run.results.ended.is_empty() {
            return Ok(None);
        }
        Ok(Some(html! {
            (which(&members, &run.results.ended, run.subject()))
            (table_of_scores(&members, &mut figures.glossary))
        }))
    }
}

fn which(members: &[(&Member, Pictured)], ended: &[Ended], subject: Subject) -> Markup {
    let is_alike = |(_, a): &(&Member, Pictured), (_, b): &(&Member, Pictured)| {
        (a.regime, &a.reason) == (b.regime, &b.reason)
    };
    html! {
        h2 { "Which picture each grid shows" }
        p {
            "The book’s figure is of handwritten digits: with growing β, units go from representing the input any which way, over pen strokes, to whole digits."
            @if subject == Subject::Images {
                " Of other images, read local features for strokes and whole images for whole digits; the rules that tell them apart were found on digits (MNIST)."
            }
        }
        dl .regimes {
            @for alike in members[..members.len().min(MOST_ROWS)].chunk_by(is_alike) {
                dt {
                    (listed_names(alike.iter().map(|(member, _)| &member.label), MOST_NAMES))
                    " — " strong { (alike[0].1.regime.words(subject)) }
                }
                dd { (alike[0].1.reason) }
            }
            @for ended in ended {
                dt { (ended.member.label) " — " strong { "none" } }
                dd { (ended.reason()) }
            }
        }
    }
}

fn table_of_scores(members: &[(&Member, Pictured)], glossary: &mut Glossary) -> Markup {
    if members.is_empty() {
        return html! {};
    }
    let rows: Vec<Vec<String>> = members
        .iter()
        .map(|(member, Pictured { scores, .. })| {
            vec![
                member.label.clone(),
                member.seed.to_string(),
                if_defined(scores.kurtosis),
                if_defined(scores.radius_of_gyration),
                if_defined(scores.roughness),
                if_defined(scores.digit_correlation),
                if_defined(scores.label_purity),
                number(scores.active_units),
                format!("{} of {}", scores.dead_units, scores.hidden_units),
            ]
        })
        .collect();
    glossary.uses(&[Term::Regime]);
    let head = glossary.head(&[
        ("model", None),
        ("seed", None),
        ("kurtosis", Some(Term::Kurtosis)),
        ("gyration, px", Some(Term::RadiusOfGyration)),
        ("roughness", Some(Term::Roughness)),
        ("image correlation", Some(Term::ImageCorrelation)),
        ("label purity", Some(Term::LabelPurity)),
        ("active (L0)", Some(Term::ActiveUnits)),
        ("dead", Some(Term::Dead)),
    ]);
    let mut undefined: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (member, Pictured { scores, .. }) in members {
        if scores.is_undefined() {
            let labels = undefined.entry(scores.why_not_defined()).or_default();
            labels.push(&member.label);
        }
    }
    html! {
        (table(
            "Scores of the pictures; medians over live units, those that are not dead on the test images",
            &head,
            &rows,
        ))
        @for (reason, labels) in &undefined {
            p { "Not defined for " (listed_names(labels, MOST_NAMES)) ": " (reason) "." }
        }
    }
}

/// What each member's units look like after the last epoch; nothing of classifiers.
fn pictured(trained: &Trained<'_>) -> Vec<Pictured> {
    let Models::Autoencoders {
        setting,
        trainee,
        records,
        evaluations,
        ..
    } = trained.models
    else {
        return Vec::new();
    };
    let (data, examples) = (trained.data, trained.examples);
    let Some([height, width]) = data.train.images.frame().as_grey() else {
        return Vec::new();
    };
    let spec = &setting.autoencoder;
    let is_tied_ramp = spec.activation == Activation::Relu && spec.decoder == Decoder::Tied;
    let no_rules = match setting.sparsity.kind() {
        SparsityKind::None | SparsityKind::Kl => {
            (!is_tied_ramp).then_some("the rules are for ramp units with tied weights alone")
        }
        _ => Some("the rules are for codes that the KL term alone makes sparse"),
    };
    let model = trainee.model();
    let weight = model.encoder.weight.val();
    let [members, inputs, units] = weight.dims();
    let weight = numbers(weight);
    let correlations = highest_correlations(
        &weight,
        [members, inputs, units],
        &data.train.images,
        &examples.train.images,
    );
    let top_units = top_units(&model, members, &examples.test.images);
    let (side, subject) = (((height * width) as f64).sqrt(), Subject::of(data.name));

    records
        .iter()
        .enumerate()
        .map(|(at, last)| {
            let weight = &weight[at * inputs * units..(at + 1) * inputs * units];
            let live: Vec<usize> = (0..units)
                .filter(|unit| evaluations[at].dead.binary_search(unit).is_err())
                .collect();
            let tiles: Vec<Vec<f32>> = live
                .iter()
                .map(|&unit| weight.iter().skip(unit).step_by(units).copied().collect())
                .collect();
            let median = |score: &dyn Fn(&[f32]) -> Option<f64>| {
                let mut scores: Vec<f64> = tiles.iter().filter_map(|tile| score(tile)).collect();
                results::median(&mut scores)
            };
            let mut correlations: Vec<f64> = live
                .iter()
                .filter_map(|&unit| correlations[at * units + unit])
                .map(f64::from)
                .collect();
            let scores = Scores {
                live_units: live.len(),
                kurtosis: median(&|tile| scores::kurtosis(tile)),
                radius_of_gyration: median(&|tile| scores::radius_of_gyration(tile, height, width)),
                roughness: median(&|tile| scores::roughness(tile, height, width)),
                digit_correlation: results::median(&mut correlations),
                // Where no unit tells images apart, none is the most active one.
                label_purity: scores::label_purity(
                    &top_units[at],
                    data.test.labels.as_deref().unwrap_or_default(),
                    units,
                    data.classes,
                )
                .filter(|_| !live.is_empty()),
                active_units: last.active_units,
                dead_units: last.dead_units,
                hidden_units: units,
            };
            let (regime, reason) = match no_rules {
                None => scores::regime_of(&scores, side, subject),
                Some(reason) => (Regime::NotJudged, reason.to_owned()),
            };
            Pictured {
                scores,
                regime,
                reason,
            }
        })
        .collect()
}

/// For each member and unit, the highest Pearson correlation of its picture with an image; `None` where there is none
/// because the picture, or every image, is flat.
///
/// With a picture centred and scaled to length 1 the correlation is its product with the image over the
/// image's length about its own mean.
fn highest_correlations(
    weight: &[f32],
    [members, inputs, units]: [usize; 3],
    images: &Images,
    rows: &Rows,
) -> Vec<Option<f32>> {
    let mut pictures = weight.to_vec();
    let mut has_picture = Vec::with_capacity(members * units);
    for matrix in pictures.chunks_exact_mut(inputs * units) {
        has_picture.extend(standardize_columns(matrix, units));
    }
    let pictures = Layer::from_values(
        [members, inputs, units],
        pictures,
        vec![0.0; members * units],
        Activation::Identity,
        &rows.device(),
    );
    let mut lengths = (0..images.count()).map(|index| match images.bytes() {
        Some(bytes) => length_about_mean(&bytes[index * inputs..][..inputs]),
        None => length_of_numbers(&images.row(index)),
    });
    let mut highest = Tensor::full([members, 1, units], f32::NEG_INFINITY, &rows.device());
    encode_all(
        |x| pictures.forward(x),
        rows,
        |products| {
            let batch = products.dims()[1];
            let lengths: Vec<f32> = lengths.by_ref().take(batch).collect();
            let lengths =
                Tensor::from_data(TensorData::new(lengths, [1, batch, 1]), &rows.device());
            let correlations: Tensor<3> = products / lengths;
            let is_none = correlations.clone().is_nan();
            let correlations = correlations.mask_fill(is_none, f32::NEG_INFINITY);
            highest = highest.clone().max_pair(correlations.max_dim(1));
        },
    );
    let found = numbers(highest).into_iter().zip(has_picture);
    found
        .map(|(highest, has_picture)| (has_picture && highest.is_finite()).then_some(highest))
        .collect()
}

/// Every column with mean 0 and length 1, or 0 throughout where its entries are all the same; gives whether they differ.
fn standardize_columns(matrix: &mut [f32], columns: usize) -> Vec<bool> {
    let rows = matrix.len() as f64 / columns as f64;
    let mut means = vec![0.0_f64; columns];
    // Not seen from the squares: the mean of equal entries may be rounded.
    let mut varies = vec![false; columns];
    let first = matrix[..columns].to_vec();
    for row in matrix.chunks_exact(columns) {
        for (((mean, varies), &entry), &first) in
            means.iter_mut().zip(&mut varies).zip(row).zip(&first)
        {
            *mean += f64::from(entry) / rows;
            *varies |= entry.to_bits() != first.to_bits();
        }
    }
    let mut squares = vec![0.0_f64; columns];
    for row in matrix.chunks_exact(columns) {
        for ((square, mean), &entry) in squares.iter_mut().zip(&means).zip(row) {
            *square += (f64::from(entry) - mean).powi(2);
        }
    }
    for (varies, square) in varies.iter_mut().zip(&squares) {
        *varies &= *square > 0.0;
    }
    for row in matrix.chunks_exact_mut(columns) {
        let statistics = means.iter().zip(&squares).zip(&varies);
        for (entry, ((mean, square), varies)) in row.iter_mut().zip(statistics) {
            *entry = if *varies {
                ((f64::from(*entry) - mean) / square.sqrt()) as f32
            } else {
                0.0
            };
        }
    }
    varies
}

/// √ Σ (x − x̄)² of pixels in [0, 1]; not a number for a flat image, which correlates with nothing.
fn length_about_mean(pixels: &[u8]) -> f32 {
    /// The squares of so many bytes fit into 32 bits, whose sums are several times as fast as those of 64.
    const CHUNK: usize = 1 << 16;
    let (mut sum, mut squares) = (0_u64, 0_u64);
    for chunk in pixels.chunks(CHUNK) {
        // Wrapping, though nothing wraps: development builds would check every addition, one after the other.
        let bytes = chunk.iter().map(|&byte| u32::from(byte));
        sum += u64::from(bytes.clone().fold(0, u32::wrapping_add));
        squares += u64::from(bytes.map(|byte| byte * byte).fold(0, u32::wrapping_add));
    }
    // n² times the variance is a whole number: no rounding makes a blank image anything else.
    let pixels = pixels.len() as u128;
    match pixels * u128::from(squares) - u128::from(sum).pow(2) {
        0 => f32::NAN,
        spread => ((spread as f64 / pixels as f64).sqrt() / 255.0) as f32,
    }
}

/// The same of numbers.
fn length_of_numbers(row: &[f32]) -> f32 {
    let row = || row.iter().map(|&number| f64::from(number));
    let mean = row().sum::<f64>() / row().len() as f64;
    match row().map(|number| (number - mean).powi(2)).sum::<f64>() {
        0.0 => f32::NAN,
        squares => squares.sqrt() as f32,
    }
}

/// For each member, the most active unit of every image.
fn top_units(model: &Autoencoder, members: usize, images: &Rows) -> Vec<Vec<usize>> {
    let mut top = vec![Vec::with_capacity(images.count()); members];
    encode_all(
        |x| model.encode(x),
        images,
        |h| {
            let batch = h.dims()[1];
            let units = whole_numbers(h.argmax(2));
            for (member, units) in units.chunks_exact(batch).enumerate() {
                top[member].extend(units.iter().map(|&unit| unit as usize));
            }
        },
    );
    top
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::data::Frame;
    use crate::experiment::rows;

    #[test]
    fn lengths_of_images_of_any_size_are_exact() {
        // All pixels are white but one, which is black.
        for count in [3_usize, 1 << 16, (1 << 16) + 1, 200_000] {
            let mut pixels = vec![255; count];
            assert!(length_about_mean(&pixels).is_nan());
            pixels[count / 2] = 0;
            let expected = (1.0 - 1.0 / count as f64).sqrt() as f32;
            assert_eq!(length_about_mean(&pixels).to_bits(), expected.to_bits());
        }
    }

    #[test]
    fn correlations_are_pearsons() {
        // Images (0, 0, 255) and (255, 255, 0), and one that is blank; pictures (1, 2, 6), its negative, and a flat one.
        let images = Images::of_bytes(vec![0, 0, 255, 255, 255, 0, 9, 9, 9], Frame::grey(1, 3))
            .expect("three of them");
        let weight = [1., -1., 5., 2., -2., 5., 6., -6., 5.];
        let found =
            highest_correlations(&weight, [1, 3, 3], &images, &rows(&images, &Device::flex()));
        // About the mean 3 the picture is (−2, −1, 3), of length √14; the image is (−1, −1, 2)/3, of length √6/3.
        let expected = (2.0 + 1.0 + 6.0) / 3.0 / (14.0_f32.sqrt() * 6.0_f32.sqrt() / 3.0);
        for found in &found[..2] {
            let found = found.expect("neither is flat");
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
        assert_eq!(found[2], None, "a flat picture correlates with nothing");
    }

    #[test]
    fn among_flat_images_no_correlation_is_defined() {
        let images =
            Images::of_bytes(vec![0, 0, 0, 255, 255, 255], Frame::grey(1, 3)).expect("two of them");
        let found = highest_correlations(
            &[1., 2., 6.],
            [1, 3, 1],
            &images,
            &rows(&images, &Device::flex()),
        );
        assert_eq!(found, [None]);
    }
}
