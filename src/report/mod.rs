//! Figures, curves and the page of a run, from plain data to bytes.
//!
//! This room reads and writes no files and knows neither burn nor training: its functions take what the run folder
//! holds and give back pictures and text, the same bytes for the same input. Weights are borrowed, never owned, so
//! that drawing cannot change them. The figure follows Okatani, *Deep Learning*, Figure 5-6.

mod accuracy;
mod arrangement;
mod canvas;
mod chart;
mod curves;
mod font;
mod layers;
mod page;
mod stages;
mod tiles;

use std::borrow::Cow;

use canvas::{Bitmap, Canvas, Svg};
use chart::Sheet;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder, Rgb, RgbImage};
use layers::HeatMaps;

pub use accuracy::{accuracy, costs, times};
pub use arrangement::{GridShape, MAX_TILES, left_out};
pub use chart::lines_left_out;
pub use curves::learning_curves;
pub use font::is_spelled_out;
pub use layers::{conditions_left_out, layers};
pub use page::{
    Figure, MOST_NAMES, MOST_ROWS, Notice, PAGE_ROOM, PageInput, WeightProof, dead_means,
    if_defined, number, page, rows_left_out, table,
};
pub use stages::stages;
pub use tiles::{Grid, Mark, Scaling, UnitWeights, figure};

/// Why a picture cannot be drawn.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("a figure needs at least one grid")]
    NoGrids,
    /// The numbers of a grid do not fit each other.
    #[error("grid `{title}`: {problem}")]
    Grid { title: String, problem: String },
    #[error("the picture would be {width}×{height} pixels, more than {limit} in all")]
    TooLarge { width: f32, height: f32, limit: f32 },
    #[error("cannot encode the picture as PNG")]
    Encode(#[from] image::ImageError),
}

/// A chart, laid out once, to be had as an SVG document or as a PNG that show the same.
pub struct Drawing(Kind);

enum Kind {
    Sheet(Sheet),
    HeatMaps(HeatMaps),
}

impl Drawing {
    fn sheet(sheet: Sheet) -> Self {
        Self(Kind::Sheet(sheet))
    }

    fn heat_maps(maps: HeatMaps) -> Self {
        Self(Kind::HeatMaps(maps))
    }

    fn size(&self) -> (f32, f32) {
        match &self.0 {
            Kind::Sheet(sheet) => sheet.size(),
            Kind::HeatMaps(maps) => maps.size(),
        }
    }

    fn draw(&self, canvas: &mut impl Canvas) {
        match &self.0 {
            Kind::Sheet(sheet) => sheet.draw(canvas),
            Kind::HeatMaps(maps) => maps.draw(canvas),
        }
    }

    #[must_use]
    pub fn svg(&self) -> String {
        let (width, height) = self.size();
        let mut svg = Svg::new(width, height);
        self.draw(&mut svg);
        svg.finish()
    }

    /// The PNG has two pixels for each unit of the SVG.
    ///
    /// # Errors
    /// When a legend of very many lines would make the sheet too large.
    pub fn png(&self) -> Result<Vec<u8>, ReportError> {
        const SCALE: f32 = 2.0;
        let (width, height) = self.size();
        check_size(width * SCALE, height * SCALE)?;
        let mut bitmap = Bitmap::new(width, height, SCALE);
        self.draw(&mut bitmap);
        encode_png(&bitmap.image)
    }
}

/// The most pixels a picture may have; 360 MB as RGB.
const MAX_PIXELS: f32 = 1.2e8;

fn check_size(width: f32, height: f32) -> Result<(), ReportError> {
    if width * height <= MAX_PIXELS {
        return Ok(());
    }
    Err(ReportError::TooLarge {
        width,
        height,
        limit: MAX_PIXELS,
    })
}

/// A picture without colours takes a third.
fn encode_png(image: &RgbImage) -> Result<Vec<u8>, ReportError> {
    let grey = image.pixels().all(|Rgb([r, g, b])| r == g && g == b);
    let (pixels, colours) = if grey {
        let greys = image.pixels().map(|pixel| pixel.0[0]).collect();
        (Cow::Owned(greys), ExtendedColorType::L8)
    } else {
        (Cow::Borrowed(image.as_raw()), ExtendedColorType::Rgb8)
    };
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive)
        .write_image(&pixels, image.width(), image.height(), colours)?;
    Ok(bytes)
}

/// `value` with about `digits` significant digits, for a reader: `0.0500`, `12.3`, `1.2e-9`, `n/a` for NaN.
#[must_use]
pub fn significant(value: f64, digits: i32) -> String {
    if value.is_nan() {
        return "n/a".to_owned();
    }
    if value == 0.0 || value.is_infinite() {
        return value.to_string().replace('-', "−");
    }
    let magnitude = value.abs().log10().floor() as i32;
    let text = if (-4..6).contains(&magnitude) {
        let decimals = (digits - 1 - magnitude).max(0) as usize;
        format!("{value:.decimals$}")
    } else {
        let decimals = (digits - 1).max(0) as usize;
        format!("{value:.decimals$e}")
    };
    text.replace('-', "−")
}

#[cfg(test)]
pub(crate) use accuracy::tests::record;

#[cfg(test)]
mod tests {
    use super::significant;

    #[test]
    fn numbers_keep_their_significant_digits() {
        assert_eq!(significant(0.05, 3), "0.0500");
        assert_eq!(significant(-12.345, 3), "−12.3");
        assert_eq!(significant(1234.5, 3), "1234");
        assert_eq!(significant(1.24e-9, 2), "1.2e−9");
        assert_eq!(significant(0.0, 3), "0");
        assert_eq!(significant(f64::NAN, 3), "n/a");
        assert_eq!(significant(f64::NEG_INFINITY, 3), "−inf");
    }
}
