//! Small pictures: how numbers become pixels, and sheets of many pictures that a page cuts its own out of.

use std::fmt::Write as _;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;

use super::drawing::{Colour, Pixels};
use super::{GridShape, ReportError};

/// A picture without variation, and the middle of a range.
pub(super) const MID_GREY: Colour = Colour([128, 128, 128]);
/// What is no number; grey pictures hold no such colour.
pub(super) const SIGNAL: Colour = Colour([255, 0, 255]);

/// The most pixels along a side of a thumbnail; of larger pictures, a pixel is the mean of several.
const MOST_SIDE: usize = 32;
/// About how wide a thumbnail is on a page, in CSS pixels; each of its own pixels takes a whole number of these.
const WIDTH_ON_PAGE: f64 = 56.0;
/// Of a sheet.
const COLUMNS: usize = 40;

/// The size of a picture whose pixels lie row by row, the channels of each side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PictureShape {
    /// In pixels.
    pub height: usize,
    /// In pixels.
    pub width: usize,
    /// Three for red, green and blue; of another number, the first is drawn in grey.
    pub channels: usize,
}

impl PictureShape {
    /// How many numbers a picture has; `None` if there are more than memory has addresses.
    #[must_use]
    pub fn inputs(self) -> Option<usize> {
        self.height
            .checked_mul(self.width)?
            .checked_mul(self.channels)
    }

    /// A grid of so many such pictures.
    #[must_use]
    pub fn grid(self, units: usize) -> GridShape {
        GridShape {
            units,
            height: self.height,
            width: self.width,
        }
    }

    /// A picture whose pixels are the means of `side`×`side` pixels of this one, or of what there is of them.
    pub(super) fn smaller(self, picture: Vec<f32>, side: usize) -> Vec<f32> {
        if side == 1 {
            return picture;
        }
        let Self {
            height,
            width,
            channels,
        } = self;
        let mut means = Vec::new();
        for top in (0..height).step_by(side) {
            for left in (0..width).step_by(side) {
                let (rows, columns) = (top..height.min(top + side), left..width.min(left + side));
                let count = (rows.len() * columns.len()) as f64;
                for channel in 0..channels {
                    let sum: f64 = rows
                        .clone()
                        .flat_map(|row| columns.clone().map(move |column| row * width + column))
                        .map(|pixel| f64::from(picture[pixel * channels + channel]))
                        .sum();
                    means.push((sum / count) as f32);
                }
            }
        }
        means
    }

    /// How many pixels along a side become one, so that no side has more than `most`.
    pub(super) fn reduction(self, most: usize) -> usize {
        self.height.max(self.width).div_ceil(most)
    }

    /// The size of such a picture after [`smaller`](Self::smaller).
    pub(super) fn reduced(self, side: usize) -> Self {
        Self {
            height: self.height.div_ceil(side),
            width: self.width.div_ceil(side),
            ..self
        }
    }

    /// Numbers of a thumbnail of such a picture: bytes, before they are compressed.
    #[must_use]
    pub fn thumbnail_bytes(self) -> usize {
        self.reduced(self.reduction(MOST_SIDE))
            .inputs()
            .unwrap_or(0)
    }
}

/// The smallest and the largest of the finite numbers.
pub(super) fn range(numbers: &[f32]) -> (f64, f64) {
    let finite = numbers.iter().filter(|number| number.is_finite());
    finite.fold(
        (f64::INFINITY, f64::NEG_INFINITY),
        |(low, high), &number| (low.min(f64::from(number)), high.max(f64::from(number))),
    )
}

/// The colour of a pixel: each channel dark at `low`, bright at `high`, clipped outside; one channel is grey.
pub(super) fn shade(channels: &[f32], low: f64, high: f64) -> Colour {
    let shown = match channels {
        &[red, green, blue] => [red, green, blue],
        others => [others[0]; 3],
    };
    if shown.iter().any(|number| !number.is_finite()) {
        return SIGNAL;
    }
    if low >= high {
        return MID_GREY;
    }
    Colour(shown.map(|number| {
        let level = (f64::from(number) - low) / (high - low) * 255.0;
        level.round().clamp(0.0, 255.0) as u8
    }))
}

/// Thumbnails of equal size, as one picture in a page's style.
#[derive(Debug, Clone)]
pub struct Thumbnails {
    /// The class of its thumbnails.
    class: String,
    shape: PictureShape,
    /// Pixels along a side that become one.
    reduction: usize,
    pictures: Vec<Vec<Colour>>,
}

impl Thumbnails {
    /// A sheet for pictures of this shape; `class` is a name that no other sheet of the page has.
    #[must_use]
    pub fn new(class: &str, shape: PictureShape) -> Self {
        Self {
            class: class.to_owned(),
            shape,
            reduction: shape.reduction(MOST_SIDE),
            pictures: Vec::new(),
        }
    }

    /// Adds a picture, black at the first end of `range` and white at the second, or from its own smallest number to its
    /// own largest; gives its place, counted from 0.
    pub fn add(&mut self, picture: Vec<f32>, range: Option<(f64, f64)>) -> usize {
        let picture = self.shape.smaller(picture, self.reduction);
        let (low, high) = range.unwrap_or_else(|| self::range(&picture));
        let pixels = picture.chunks_exact(self.shape.channels);
        let colours = pixels.map(|pixel| shade(pixel, low, high)).collect();
        self.pictures.push(colours);
        self.pictures.len() - 1
    }

    /// The classes that an element has which shows one of the pictures.
    #[must_use]
    pub fn classes(&self) -> String {
        format!("thumb {}", self.class)
    }

    /// What an element's own style has to say to show the picture at `place`.
    #[must_use]
    pub fn style(&self, place: usize) -> String {
        format!("--x:{};--y:{}", place % COLUMNS, place / COLUMNS)
    }

    /// The style that the page must have; nothing for an empty sheet.
    ///
    /// # Errors
    ///
    /// Returns [`ReportError::Encode`] if the picture cannot be encoded.
    pub fn rule(&self) -> Result<String, ReportError> {
        let mut rule = String::new();
        if self.pictures.is_empty() {
            return Ok(rule);
        }
        let PictureShape { height, width, .. } = self.shape.reduced(self.reduction);
        let columns = self.pictures.len().min(COLUMNS);
        let rows = self.pictures.len().div_ceil(COLUMNS);
        let mut pixels = Pixels {
            width: columns * width,
            rgb: vec![0; 3 * columns * width * rows * height],
        };
        for (at, picture) in self.pictures.iter().enumerate() {
            let (left, top) = (at % COLUMNS * width, at / COLUMNS * height);
            for (pixel, colour) in picture.iter().enumerate() {
                let place = (left + pixel % width, top + pixel / width);
                pixels.fill(place, (1, 1), *colour);
            }
        }
        let zoom = (WIDTH_ON_PAGE / height.max(width) as f64).round().max(1.0) as usize;
        let picture = STANDARD.encode(pixels.png()?);
        // Writing to a String cannot fail.
        let _ = write!(
            rule,
            ".{}{{--w:{}px;--h:{}px;--n:{columns};background-image:url(data:image/png;base64,{picture})}}",
            self.class,
            zoom * width,
            zoom * height,
        );
        Ok(rule)
    }
}

#[cfg(test)]
mod tests {
    use super::super::drawing::tests::decoded;
    use super::*;

    const COLOURED: PictureShape = PictureShape {
        height: 1,
        width: 2,
        channels: 3,
    };

    #[test]
    fn three_channels_are_red_green_and_blue_and_one_is_grey() {
        assert_eq!(shade(&[0.0, 0.5, 1.0], 0.0, 1.0), Colour([0, 128, 255]));
        assert_eq!(shade(&[0.25], 0.0, 1.0), Colour([64; 3]));
        assert_eq!(shade(&[-3.0], 0.0, 1.0), Colour([0; 3]));
        assert_eq!(shade(&[0.5, f32::NAN, 0.5], 0.0, 1.0), SIGNAL);
        assert_eq!(shade(&[2.0], 2.0, 2.0), MID_GREY);
    }

    #[test]
    fn means_are_taken_channel_by_channel_of_what_there_is() {
        let shape = PictureShape {
            height: 1,
            width: 3,
            channels: 3,
        };
        let picture = vec![1., 2., 3., 3., 4., 5., 9., 8., 7.];
        assert_eq!(shape.reduction(2), 2);
        assert_eq!(shape.smaller(picture, 2), [2., 3., 4., 9., 8., 7.]);
        assert_eq!(shape.reduced(2).width, 2);
    }

    #[test]
    fn a_sheet_has_its_pictures_side_by_side_and_row_by_row() {
        let mut sheet = Thumbnails::new("s", COLOURED);
        assert_eq!(sheet.rule().expect("nothing to encode"), "");
        let places: Vec<usize> = (0..41)
            .map(|at| sheet.add(vec![0.0, 0.0, 0.0, 1.0, at as f32 / 40.0, 0.0], None))
            .collect();
        assert_eq!(places[40], 40);
        assert_eq!(sheet.style(40), "--x:0;--y:1");
        assert_eq!(sheet.style(39), "--x:39;--y:0");
        let rule = sheet.rule().expect("a picture");
        let start = ".s{--w:56px;--h:28px;--n:40;background-image:url(data:image/png;base64,";
        let picture = rule
            .strip_prefix(start)
            .and_then(|rest| rest.strip_suffix(")}"));
        let picture = STANDARD
            .decode(picture.expect("a data URI"))
            .expect("base64");
        let pixels = decoded(&picture);
        assert_eq!((pixels.width, pixels.height()), (80, 2));
        assert_eq!(pixels.at(1, 0), Colour([255, 0, 0]));
        assert_eq!(
            pixels.at(41, 0),
            Colour([255, 128, 0]),
            "20/40 of 255, rounded"
        );
        assert_eq!(pixels.at(1, 1), Colour([255, 255, 0]));
        assert_eq!(pixels.at(3, 1), Colour([0, 0, 0]), "nothing is there");
    }
}
