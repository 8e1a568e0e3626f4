//! Figures, curves and the page of a run, from plain data to bytes.
//!
//! This room reads and writes no files and knows neither burn nor training: its functions take what the run folder
//! holds and give back pictures and text, the same bytes for the same input. Weights are borrowed, never owned, so
//! that drawing cannot change them. The figure follows Okatani, *Deep Learning*, Figure 5-6.

mod canvas;
mod curves;
mod font;
mod page;
mod tiles;

use image::{ExtendedColorType, ImageEncoder, RgbImage, codecs::png::PngEncoder};

pub use curves::{curves_png, curves_svg};
pub use page::{Notice, PageInput, WeightProof, page};
pub use tiles::{Grid, MAX_TILES, Scaling, UnitWeights, figure};

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

fn encode_png(image: &RgbImage) -> Result<Vec<u8>, ReportError> {
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes).write_image(
        image.as_raw(),
        image.width(),
        image.height(),
        ExtendedColorType::Rgb8,
    )?;
    Ok(bytes)
}

/// `value` with about `digits` significant digits, for a reader: `0.0500`, `12.3`, `1.2e-9`, `n/a` for NaN.
fn significant(value: f64, digits: i32) -> String {
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
