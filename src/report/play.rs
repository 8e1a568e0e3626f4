//! `play.html`: a page to draw on, which computes what models make of the drawing, from the numbers that are in it.
//!
//! The page is one file that asks for nothing: markup, style and script stand in `play/`, and the models' numbers are JSON in
//! the markup, matrices as base64 of little-endian f32, so that what the page computes equals what the program does.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Serialize, Serializer};

use super::PictureShape;

/// The most bytes that such a page may have.
pub const PLAY_ROOM: usize = 8_000_000;
/// Room for markup, style, script and words: with all of them it stays below.
const FRAME_ROOM: usize = 100_000;

/// What a page to draw on needs to know.
#[derive(Debug, Serialize)]
pub struct Play<'a> {
    /// What a reader knows the run by.
    pub name: &'a str,
    /// What an input is.
    pub picture: PictureShape,
    /// How a drawing becomes an input.
    pub preparation: Preparation,
    /// What is then done to it before a model sees it, in this order.
    pub transforms: Vec<PlayTransform<'a>>,
    /// Inputs to choose from.
    pub examples: Examples,
    /// At least one.
    pub models: Vec<PlayModel<'a>>,
    /// What the page does not have, a sentence each.
    pub left_out: Vec<String>,
}

/// How a drawing becomes an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Preparation {
    /// The whole pad is scaled to the picture.
    Frame,
    /// As MNIST's digits were: scaled to fit 20×20 pixels, the centre of mass in the middle (`LeCun` et al. 1998).
    Mnist,
}

/// Something that is done to inputs.
#[derive(Debug, Serialize)]
pub struct PlayTransform<'a> {
    /// By the name that run folders use: `scale`.
    pub kind: &'a str,
    /// Its numbers by their names; a matrix row by row.
    pub arrays: BTreeMap<&'a str, Numbers<'a>>,
}

/// Some test images, as a model sees them.
#[derive(Debug, Default, Serialize)]
pub struct Examples {
    count: usize,
    /// Their numbers times 255, in base64, where all of these are whole.
    bytes: Option<String>,
    /// Their numbers, otherwise.
    numbers: Option<String>,
    /// Of each its class, where that is known.
    labels: Option<Vec<u8>>,
}

impl Examples {
    /// Of rows of so many inputs, one behind the other.
    #[must_use]
    pub fn new(rows: &[f32], inputs: usize, labels: Option<Vec<u8>>) -> Self {
        let as_bytes = || -> Option<Vec<u8>> {
            let as_byte = |&number: &f32| {
                let byte = (255.0 * number).round() as u8;
                ((f32::from(byte) / 255.0).to_bits() == number.to_bits()).then_some(byte)
            };
            rows.iter().map(as_byte).collect()
        };
        let bytes = as_bytes().map(|bytes| STANDARD.encode(bytes));
        Self {
            count: rows.len() / inputs,
            numbers: bytes.is_none().then(|| base64(rows)),
            bytes,
            labels,
        }
    }

    fn room(&self) -> usize {
        [&self.bytes, &self.numbers]
            .into_iter()
            .flatten()
            .map(String::len)
            .sum()
    }
}

/// One model.
#[derive(Debug, Serialize)]
pub struct PlayModel<'a> {
    /// What a reader calls it.
    pub name: &'a str,
    /// Its hidden layers, from the input up.
    pub layers: Vec<PlayLayer<'a>>,
    /// A classifier's softmax layer.
    pub output: Option<PlayLayer<'a>>,
    /// An autoencoder's way back from its only layer.
    pub decoder: Option<PlayDecoder<'a>>,
}

/// f(x W + b).
#[derive(Debug, Serialize)]
pub struct PlayLayer<'a> {
    /// How many inputs it has.
    pub inputs: usize,
    /// f, by the name that configs use.
    pub activation: &'static str,
    /// The slope below 0, of those that have one.
    pub slope: f64,
    /// W, row-major `[input, unit]`.
    pub weight: Numbers<'a>,
    /// b.
    pub bias: Numbers<'a>,
}

/// What stays of an autoencoder's code; the rest becomes 0.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PlayKept<'a> {
    /// So many units, the largest; of equals the first.
    Largest(usize),
    /// Those above one threshold for all.
    Above(Numbers<'a>),
    /// Those above a threshold each, of which these are the logarithms.
    AboveExp(Numbers<'a>),
}

/// g(h W̃ + c).
#[derive(Debug, Serialize)]
pub struct PlayDecoder<'a> {
    /// What stays of h; all where it does not say.
    pub kept: Option<PlayKept<'a>>,
    /// Whether c is taken off inputs before they are encoded.
    pub subtracts_bias: bool,
    /// g, by the name that configs use.
    pub activation: &'static str,
    /// W̃, row-major `[unit, input]`; absent where it is the encoder's weights, transposed.
    pub weight: Option<Numbers<'a>>,
    /// c.
    pub bias: Numbers<'a>,
}

impl PlayModel<'_> {
    /// About how many bytes of a page it takes.
    fn room(&self) -> usize {
        let layers = self.layers.iter().chain(&self.output);
        let of_layers: usize = layers
            .map(|layer| layer.weight.0.len() + layer.bias.0.len())
            .sum();
        let of_decoder = self.decoder.as_ref().map_or(0, |decoder| {
            decoder.weight.unwrap_or_default().0.len() + decoder.bias.0.len()
        });
        room(of_layers + of_decoder) + 1000 * (self.layers.len() + 1)
    }
}

impl<'a> Play<'a> {
    /// The page as an HTML document. Models that have no room are taken out, and named on it; `None` if not one has.
    #[must_use]
    pub fn page(mut self) -> Option<String> {
        let arrays = self.transforms.iter().flat_map(|of| of.arrays.values());
        let of_transforms = room(arrays.map(|array| array.0.len()).sum());
        let of_inputs = self.examples.room() + of_transforms;
        let mut left = (PLAY_ROOM - FRAME_ROOM).checked_sub(of_inputs)?;
        let mut without: Vec<&'a str> = Vec::new();
        self.models.retain(|model| {
            let fits = left.checked_sub(model.room());
            left = fits.unwrap_or(left);
            if fits.is_none() {
                without.push(model.name);
            }
            fits.is_some()
        });
        if self.models.is_empty() {
            return None;
        }
        if !without.is_empty() {
            self.left_out.push(format!(
                "For want of room this page leaves out {}.",
                crate::words::listed_names(&without, super::MOST_NAMES)
            ));
        }
        let style = [include_str!("page.css"), include_str!("play/play.css")].concat();
        let page = include_str!("play/play.html")
            .replacen("{{style}}", &style, 1)
            .replacen("{{script}}", include_str!("play/play.js"), 1)
            // Last, for what is in it is not looked through.
            .replacen("{{run}}", &self.json(), 1);
        Some(page)
    }

    /// Nothing in it can end the element that holds it.
    fn json(&self) -> String {
        let json = serde_json::to_string(self).expect("numbers and texts are JSON");
        json.replace('<', "\\u003c")
    }
}

/// Single-precision numbers, which travel as base64 of their bytes, the little end first.
#[derive(Debug, Clone, Copy, Default)]
pub struct Numbers<'a>(pub &'a [f32]);

impl Serialize for Numbers<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&base64(self.0))
    }
}

/// As how many letters so many numbers travel.
fn room(numbers: usize) -> usize {
    numbers * size_of::<f32>() * 4 / 3
}

fn base64(numbers: &[f32]) -> String {
    let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NASTY: &str = "</script><script>alert(1)</script>{{script}}";

    fn play<'a>(models: &[(&'a str, &'a [f32])]) -> Play<'a> {
        let model = |&(name, weight): &(&'a str, &'a [f32])| PlayModel {
            name,
            layers: vec![PlayLayer {
                inputs: 4,
                activation: "relu",
                slope: 0.0,
                weight: Numbers(weight),
                bias: Numbers(&[0.5]),
            }],
            output: None,
            decoder: Some(PlayDecoder {
                kept: Some(PlayKept::Largest(1)),
                subtracts_bias: false,
                activation: "identity",
                weight: None,
                bias: Numbers(&[0.0; 4]),
            }),
        };
        Play {
            name: NASTY,
            picture: PictureShape {
                height: 2,
                width: 2,
                channels: 1,
            },
            preparation: Preparation::Frame,
            transforms: Vec::new(),
            examples: Examples::new(&[0.0, 1.0, 1.0 / 255.0, 2.0 / 255.0], 4, Some(vec![3])),
            models: models.iter().map(model).collect(),
            left_out: Vec::new(),
        }
    }

    #[test]
    fn numbers_are_in_the_page_bit_by_bit_and_no_text_becomes_markup() {
        let page = play(&[(NASTY, &[1.0, -0.0, f32::MIN_POSITIVE, 2.0])]);
        let page = page.page().expect("there is room");
        // Two of the page's own: its numbers and its script.
        assert_eq!(page.matches("<script").count(), 2);
        assert_eq!(page.matches("</script").count(), 2);
        assert!(
            page.contains(r#""weight":"AACAPwAAAIAAAIAAAAAAQA==""#),
            "no f32 of little end first"
        );
        assert!(page.contains(r#""bytes":"AP8BAg==""#));
        assert!(page.contains(r#""kept":{"largest":1},"subtracts_bias":false"#));
        let numbers = Examples::new(&[0.5, 1.0, -1.0, 0.0], 2, None);
        assert_eq!(numbers.count, 2);
        assert_eq!(numbers.bytes, None, "0.5 is no byte's 255th part");
        assert_eq!(numbers.numbers.as_deref(), Some("AAAAPwAAgD8AAIC/AAAAAA=="));
        for outside in [
            "http:", "https:", "src=", "url(", "import ", "fetch(", "eval(",
        ] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn a_page_stays_below_its_limit_and_says_what_that_costs() {
        let (large, small) = (vec![0.25; 1_200_000], [0.5; 4]);
        let models: [(&str, &[f32]); 3] = [("A", &large), ("B", &large), ("C", &small)];
        let page = play(&models).page().expect("one has room");
        assert!(page.len() < PLAY_ROOM, "{}", page.len());
        assert!(page.contains("For want of room this page leaves out B."));
        assert!(page.contains(r#""name":"C""#) && !page.contains(r#""name":"B""#));
        let too_large = vec![0.25; 1_500_000];
        assert!(play(&[("A", &too_large)]).page().is_none());
    }
}
