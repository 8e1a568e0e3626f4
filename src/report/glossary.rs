//! Words that a page uses and defines: a link from the first use of each, and the definitions at the end of the page.

use std::collections::BTreeSet;

use maud::{Markup, html};

use crate::results::DEAD_TOLERANCE;

/// A word with a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Term {
    /// Hidden units whose output is above 0.01 for an image.
    ActiveUnits,
    /// What training lowers.
    Cost,
    /// A unit that tells no image from another.
    Dead,
    /// The share of images on which a unit is active.
    Density,
    /// How far reconstructions are from their inputs.
    Error,
    /// The share of the variation of the images that reconstructions explain, at most 1.
    ExplainedVariance,
    /// How like a unit's picture is to the training image most like it.
    ImageCorrelation,
    /// The Kullback–Leibler divergence of the sparsity term.
    Divergence,
    /// How much of a unit's picture is a few strong weights.
    Kurtosis,
    /// The share of images whose label is the commonest one of their unit, in [0, 1].
    LabelPurity,
    /// The mean output of a hidden unit over images.
    MeanActivation,
    /// The median over seeds, with the range.
    Median,
    /// Computation in multiplications, each together with an addition.
    MultiplyAccumulates,
    /// A unit that is on for no training image.
    NeverOn,
    /// A unit whose picture still looks like its initial noise.
    NoiseLooking,
    /// How strictly a unit's picture has one orientation.
    OrientationSelectivity,
    /// The unit of another seed that a unit is matched with.
    Partner,
    /// A hidden unit of max(0, x).
    Ramp,
    /// How far from its centre the strength of a unit's picture lies, in pixels.
    RadiusOfGyration,
    /// Which of the three pictures of the book's Figure 5-6 the units of a model resemble.
    Regime,
    /// How much neighbouring pixels of a unit's picture differ.
    Roughness,
    /// How fine a unit's picture is.
    SpatialFrequency,
    /// A unit whose encoder weights equal their initial values in every bit.
    Untrained,
}

impl Term {
    /// What a page calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ActiveUnits => "active units (L0)",
            Self::Cost => "cost",
            Self::Dead => "dead",
            Self::Density => "density",
            Self::Error => "training error, test error",
            Self::ExplainedVariance => "explained variance",
            Self::ImageCorrelation => "image correlation",
            Self::Divergence => "sparsity term, Σ KL",
            Self::Kurtosis => "kurtosis",
            Self::LabelPurity => "label purity",
            Self::MeanActivation => "mean activation, ρ̂",
            Self::Median => "median and range over seeds",
            Self::MultiplyAccumulates => "multiply–accumulates",
            Self::NeverOn => "never on",
            Self::NoiseLooking => "noise-looking",
            Self::OrientationSelectivity => "orientation selectivity",
            Self::Partner => "partner",
            Self::Ramp => "ramp",
            Self::RadiusOfGyration => "radius of gyration",
            Self::Regime => "regime",
            Self::Roughness => "roughness",
            Self::SpatialFrequency => "spatial frequency",
            Self::Untrained => "unchanged (untrained units)",
        }
    }

    /// What it means, for someone who knows what an average and a standard deviation are.
    #[must_use]
    pub fn definition(self) -> String {
        let text = match self {
            Self::ActiveUnits => {
                "The mean number of hidden units whose output is above 0.01, for one test image."
            }
            Self::Cost => {
                "What the training of an autoencoder lowers: its training error and the sparsity term times its weight."
            }
            Self::Dead => {
                return format!(
                    "A unit whose output is the same, or nearly, for all images. A ramp unit is dead if its output is above 0 for none of the images. A unit of another activation is dead if its output varies by no more than {DEAD_TOLERANCE} over the images. The images are the test images; in the figure of the layers they are a fixed batch of training images."
                );
            }
            Self::Density => {
                "The share of test images on which a unit is active: on which its output is above 0.01."
            }
            Self::Error => {
                "How far a reconstruction x̂ is from its input x: ½ Σ (x̂ − x)², or where the config says so the cross-entropy −Σ x ln x̂ + (1 − x) ln(1 − x̂). The training error is its mean over the training images as the epoch went on, the test error its mean over the test images after the epoch."
            }
            Self::ExplainedVariance => {
                "1 − Σ‖x − x̂‖² / Σ‖x − x̄‖², where x is a test image, x̂ its reconstruction and x̄ the mean of all test images. A perfect reconstruction has 1, the mean image in place of every reconstruction has 0, and a worse one is negative."
            }
            Self::ImageCorrelation => {
                "The highest Pearson correlation of a unit’s picture with any training image. It is near 1 if the unit looks like one of the images."
            }
            Self::Divergence => {
                "The sparsity term of the cost is given without its weight β or λ. Of kind l1 it is Σ |h|, the sum over hidden units (each times the norm of its decoder weights if so asked), and of kind jump_relu it is L0, both as means over images; TopK and BatchTopK have none. Of kind kl it is Σ KL, the sum over hidden units of the Kullback–Leibler divergence KL(ρ‖ρ̂) = ρ ln(ρ/ρ̂) + (1 − ρ) ln((1 − ρ)/(1 − ρ̂)). It is 0 if every unit has the mean activation ρ that is asked for. It grows without bound as ρ̂ comes near 0 or 1, and the ρ̂ of a ramp unit may even be above 1, so ρ̂ is held within [c, 1 − c]; c is sparsity.clamp. With ρ = 0.05 and c = 0.01 a unit whose ρ̂ is 0.99 or more adds 4.18, which is why Σ KL of a hundred units can be 390."
            }
            Self::Kurtosis => {
                "How much of a unit’s picture is a few strong weights on a quiet ground: the mean of (w − w̄)⁴ over the pixels, divided by the squared mean of (w − w̄)². Normally distributed weights have 3, and a picture of n pixels with a single lit one has about n."
            }
            Self::LabelPurity => {
                "Each test image is given to the unit that it excites most. Label purity is the share of images whose label is the commonest one among the images of the same unit. It is 1 if every unit stands for one class. The label purity of one unit is that share of its own images."
            }
            Self::MeanActivation => {
                "ρ̂ is the mean output of a hidden unit over images. The sparsity term pulls it towards ρ, sparsity.target. The mean activation of a model is the mean of ρ̂ over its hidden units, measured on the test images."
            }
            Self::Median => {
                "Each seed draws other initial weights. The median is the middle one of the seeds’ results, or the mean of the middle two. The range goes from the smallest to the largest result; in charts it is the band around the line."
            }
            Self::MultiplyAccumulates => {
                "A measure of computation that does not depend on the machine: one multiplication together with one addition. It counts the matrix products of training steps, forward and backward, and those that compute the codes for the next layer’s pretraining."
            }
            Self::NeverOn => {
                "A unit whose input to the activation function (the pre-activation) is above 0 for no training image, or, with TopK, BatchTopK or JumpReLU, that is kept for no training image. A ramp unit that is never on passes no gradient and cannot learn."
            }
            Self::NoiseLooking => {
                "A unit whose picture still looks like the noise that it was drawn from, whether its weights changed a little or not at all: they correlate above 0.99 with their initial values, over the pixels that are above 0 in some training image."
            }
            Self::OrientationSelectivity => {
                "How strictly a unit’s picture has one orientation: |Σ F e^{2iθ}| / Σ F over its power spectrum F, where θ is the angle of a frequency. The spectrum is that of the picture without its mean, padded with zeros to 32×32 pixels, and the sums leave the frequency 0 out. It is 1 if all waves of the picture run in one direction, and near 0 for noise and for checkerboards, whose waves run in all or in two opposed ones. The orientation of a unit is that along its edges: at right angles to θ, as the sum has it."
            }
            Self::Partner => {
                "Two seeds learn the same units in another order, if at all. Their units are matched, each with one of the other seed, so that the sum of the cosines between their encoder weights is as large as it can be (the Hungarian algorithm). Whether the one that a unit is matched with is a partner depends on that cosine: 1 are weights that differ in length alone, 0 are weights without anything in common."
            }
            Self::Ramp => {
                "A hidden unit whose output is max(0, x) of its weighted input x, as Okatani’s book calls it; also known as ReLU or rectifier, and written relu in configs."
            }
            Self::RadiusOfGyration => {
                "How far from its own centre the strength of a unit’s picture lies: √(Σ w²d² / Σ w²) in pixels, where d is a pixel’s distance from the centre of gravity of all w². A single lit pixel has 0, and a flat picture has about 0.41 of its side."
            }
            Self::Regime => {
                "Which of the three pictures of Figure 5-6 of Okatani’s book the units of a model resemble: weights any which way, pen strokes, or whole digits. Rules on the scores tell them apart; the rules were found on MNIST. The regime is unclear if no rule holds."
            }
            Self::Roughness => {
                "How much neighbouring pixels of a unit’s picture differ: the mean square of their differences, divided by twice the variance of all pixels. White noise has 1, and a smooth picture is near 0."
            }
            Self::SpatialFrequency => {
                "How fine a unit’s picture is: the mean frequency over its power spectrum, in cycles a pixel. The finest stripes, one pixel light and one dark, have 0.5."
            }
            Self::Untrained => {
                "A unit whose encoder weights equal their initial values in every bit."
            }
        };
        text.to_owned()
    }

    /// Where its definition is.
    fn anchor(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// The words that a page uses.
#[derive(Debug, Clone, Default)]
pub struct Glossary {
    used: BTreeSet<Term>,
}

impl Glossary {
    /// `words` for a term, with a link to its definition if this is its first use.
    pub fn word(&mut self, term: Term, words: &str) -> Markup {
        if self.used.insert(term) {
            html! { a .term href=(format!("#{}", term.anchor())) { (words) } }
        } else {
            html! { (words) }
        }
    }

    /// A table's head, with links from the words that are terms.
    pub fn head(&mut self, cells: &[(&str, Option<Term>)]) -> Vec<Markup> {
        let cell = |&(words, term): &(&str, Option<Term>)| {
            term.map_or_else(|| html! { (words) }, |term| self.word(term, words))
        };
        cells.iter().map(cell).collect()
    }

    /// Takes note of terms that figures use, which hold no links.
    pub fn uses(&mut self, terms: &[Term]) {
        self.used.extend(terms);
    }

    /// The definitions, in the order of the alphabet; nothing where no word needs one.
    #[must_use]
    pub fn markup(&self) -> Markup {
        let mut terms: Vec<Term> = self.used.iter().copied().collect();
        terms.sort_by_key(|term| term.name().to_lowercase());
        html! {
            @if !terms.is_empty() {
                h2 { "Words" }
                dl .words {
                    @for term in terms {
                        dt id=(term.anchor()) { (term.name()) }
                        dd { (term.definition()) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_use_links_to_the_definition_and_others_do_not() {
        let mut glossary = Glossary::default();
        let first = glossary.word(Term::Kurtosis, "<b>").into_string();
        assert_eq!(first, "<a class=\"term\" href=\"#kurtosis\">&lt;b&gt;</a>");
        assert_eq!(
            glossary.word(Term::Kurtosis, "tails").into_string(),
            "tails"
        );
        let head = glossary.head(&[("model", None), ("dead", Some(Term::Dead))]);
        assert_eq!(head[0].0, "model");
        assert!(head[1].0.contains("href=\"#dead\""));
        glossary.uses(&[Term::ActiveUnits]);
        let html = glossary.markup().into_string();
        assert_eq!(html.matches("<dt").count(), 3);
        assert!(html.contains("<dt id=\"kurtosis\">kurtosis</dt><dd>How much"));
        let at = |name: &str| html.find(name).expect("it is there");
        assert!(
            at("id=\"activeunits\"") < at("id=\"dead\"")
                && at("id=\"dead\"") < at("id=\"kurtosis\"")
        );
        assert!(Glossary::default().markup().0.is_empty());
    }

    #[test]
    fn a_unit_that_is_always_on_adds_to_the_divergence_what_its_definition_says() {
        let (target, held): (f64, f64) = (0.05, 0.99);
        let divergence =
            target * (target / held).ln() + (1.0 - target) * ((1.0 - target) / (1.0 - held)).ln();
        let said = format!("adds {divergence:.2},");
        assert!(Term::Divergence.definition().contains(&said), "{said}");
    }
}
