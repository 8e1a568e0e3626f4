//! Contact sheets: small pictures in strips, each strip with a title, each picture with a line below.

use super::ReportError;
use super::drawing::{Anchor, Colour, Drawing, FAINT_INK, INK, Pixels};
use super::font;

/// A picture of a strip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Photo {
    /// Height, in pixels.
    pub height: usize,
    /// Width, in pixels.
    pub width: usize,
    /// Row by row: `height` · `width` greys, or three times as many of red, green and blue.
    pub pixels: Vec<u8>,
    /// The line below.
    pub caption: String,
}

/// Pictures that belong together, side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strip {
    /// The line above.
    pub title: String,
    /// At least one, or none, where the title says why.
    pub photos: Vec<Photo>,
}

/// Small pictures are drawn larger, up to this many pixels; those of more than twice as many, smaller.
const SIDE: usize = 84;
const TITLE_SIZE: f32 = 15.0;
const CAPTION_SIZE: f32 = 13.0;
const LINE: usize = 18;
const GAP: usize = 8;
const MARGIN: usize = 20;

/// Strips of pictures as a PNG, in rows of as many as there is room for.
///
/// # Errors
///
/// When there are none, or so many that the sheet would be too large.
pub fn contact_sheet(strips: &[Strip]) -> Result<Vec<u8>, ReportError> {
    if strips.is_empty() {
        return Err(ReportError::NoGrids);
    }
    let photos = || strips.iter().flat_map(|strip| &strip.photos);
    let sides = photos().map(|photo| photo.height.max(photo.width));
    let side = sides.max().unwrap_or(SIDE).max(1);
    let scale = if side <= 2 * SIDE {
        Scale::Larger((SIDE / side).max(1))
    } else {
        Scale::Smaller(side.div_ceil(2 * SIDE))
    };
    let cell = scale.of(side).max(SIDE);
    let most = strips.iter().map(|strip| strip.photos.len()).max();
    let strip_width = most.unwrap_or(0).max(2) * (cell + GAP);
    let captions = usize::from(photos().any(|photo| !photo.caption.is_empty()));
    let heights = photos().map(|photo| scale.of(photo.height));
    let photo_height = heights.max().unwrap_or(0);
    let strip_height = LINE + photo_height + captions * LINE + 2 * GAP;
    // A sheet of many is about as wide as it is high.
    let area = strips.len() * strip_height;
    let per_row = (area as f64 / (strip_width + MARGIN) as f64).sqrt().ceil() as usize;
    let place = |at: usize| {
        let (row, column) = (at / per_row, at % per_row);
        (
            MARGIN + column * (strip_width + MARGIN),
            MARGIN + row * strip_height,
        )
    };
    let width = per_row * (strip_width + MARGIN) + MARGIN;
    let height = strips.len().div_ceil(per_row) * strip_height + 2 * MARGIN;
    let mut drawing = Drawing::new((width as f32, height as f32));
    for (at, strip) in strips.iter().enumerate() {
        let (left, top) = place(at);
        let title = font::cut(&strip.title, TITLE_SIZE, strip_width as f32);
        let corner = (left as f32, top as f32 + TITLE_SIZE - 2.0);
        drawing.text(&title, corner, TITLE_SIZE, INK, Anchor::Start);
        for (at, photo) in strip.photos.iter().enumerate() {
            let text = font::cut(&photo.caption, CAPTION_SIZE, cell as f32);
            let corner = (
                (left + at * (cell + GAP)) as f32,
                (top + LINE + photo_height) as f32 + CAPTION_SIZE,
            );
            drawing.text(&text, corner, CAPTION_SIZE, FAINT_INK, Anchor::Start);
        }
    }
    let mut pixels = drawing.pixels(1.0)?;
    for (at, strip) in strips.iter().enumerate() {
        let (left, top) = place(at);
        for (at, photo) in strip.photos.iter().enumerate() {
            photo.draw(&mut pixels, scale, (left + at * (cell + GAP), top + LINE));
        }
    }
    pixels.png()
}

/// How a picture's pixels become those of the sheet.
#[derive(Clone, Copy)]
enum Scale {
    /// Each is a square of this side.
    Larger(usize),
    /// Each of the sheet is the mean of a square of this side.
    Smaller(usize),
}

impl Scale {
    fn of(self, side: usize) -> usize {
        match self {
            Self::Larger(zoom) => side * zoom,
            Self::Smaller(step) => side.div_ceil(step),
        }
    }
}

impl Photo {
    fn draw(&self, sheet: &mut Pixels, scale: Scale, (left, top): (usize, usize)) {
        let (step, zoom) = match scale {
            Scale::Larger(zoom) => (1, zoom),
            Scale::Smaller(step) => (step, 1),
        };
        for (row, y) in (0..self.height).step_by(step).enumerate() {
            for (column, x) in (0..self.width).step_by(step).enumerate() {
                let colour = self.mean(
                    y..(y + step).min(self.height),
                    x..(x + step).min(self.width),
                );
                let corner = (left + column * zoom, top + row * zoom);
                sheet.fill(corner, (zoom, zoom), colour);
            }
        }
    }

    fn mean(&self, rows: std::ops::Range<usize>, columns: std::ops::Range<usize>) -> Colour {
        let channels = self.pixels.len() / (self.height * self.width);
        let count = rows.len() * columns.len();
        Colour([0, 1, 2].map(|colour| {
            let channel = colour % channels;
            let places = rows
                .clone()
                .flat_map(|row| columns.clone().map(move |column| (row, column)));
            let sum: usize = places
                .map(|(row, column)| (row * self.width + column) * channels + channel)
                .map(|at| usize::from(self.pixels[at]))
                .sum();
            ((sum + count / 2) / count) as u8
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(png: &[u8]) -> image::RgbImage {
        image::load_from_memory(png).expect("a PNG").to_rgb8()
    }

    #[test]
    fn pictures_stand_side_by_side_under_their_title() {
        let photo = |pixels: [u8; 4]| Photo {
            height: 2,
            width: 2,
            pixels: pixels.into(),
            caption: "7: 0.5".to_owned(),
        };
        let strip = Strip {
            title: "unit 0".to_owned(),
            photos: vec![photo([0, 50, 100, 150]), photo([10, 20, 30, 40])],
        };
        let sheet = decoded(&contact_sheet(&[strip]).expect("a sheet"));
        // Two pixels make 84, 42 each; the second picture begins 92 pixels to the right of the first.
        let at = |x: usize, y: usize| {
            sheet
                .get_pixel((MARGIN + x) as u32, (MARGIN + LINE + y) as u32)
                .0[0]
        };
        assert_eq!(
            [at(0, 0), at(83, 0), at(0, 83), at(83, 83)],
            [0, 50, 100, 150]
        );
        assert_eq!([at(92, 0), at(175, 83), at(84, 0)], [10, 40, 255]);
        let is_written = sheet.pixels().filter(|pixel| pixel.0 != [255; 3]).count();
        assert!(is_written > 2 * 84 * 84 + 50, "a title and two lines below");
    }

    #[test]
    fn large_pictures_are_means_and_colours_stay() {
        let (height, width) = (400, 200);
        let pixels = (0..height * width).flat_map(|at| {
            let column = at % width;
            [if column % 2 == 0 { 100 } else { 201 }, 0, 255]
        });
        let photo = Photo {
            height,
            width,
            pixels: pixels.collect(),
            caption: String::new(),
        };
        let strip = Strip {
            title: String::new(),
            photos: vec![photo],
        };
        let sheet = decoded(&contact_sheet(&[strip]).expect("a sheet"));
        let at = |x: usize, y: usize| {
            sheet
                .get_pixel((MARGIN + x) as u32, (MARGIN + LINE + y) as u32)
                .0
        };
        // Squares of 3 pixels: two of one shade and one of the other, in turn.
        assert_eq!([at(0, 0)[0], at(1, 0)[0]], [134, 167]);
        assert_eq!(at(66, 133)[1..], [0, 255]);
        assert_eq!(at(67, 0), [255; 3]);
    }

    #[test]
    fn a_sheet_of_nothing_is_an_error() {
        assert!(contact_sheet(&[]).is_err());
    }
}
