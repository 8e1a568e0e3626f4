//! Charts, heat maps, grids of tiles, tables and the frame of a page, from plain numbers to bytes.
//!
//! This room knows no experiment, no training and no tensors, and reads and writes no files: evidence hands it numbers and
//! words, and gets pictures and markup, the same bytes for the same input. Weights are borrowed, never owned, so that
//! drawing cannot change them. [`Figures`] is where evidence begins: `figures.chart("curves", &chart, &words)` draws,
//! notes down the files, and gives the piece of the page. Whatever is drawn is a [`Drawing`], once: an SVG document, or a
//! PNG made of it by resvg. Tiles follow Okatani, *Deep Learning*, Figure 5-6.

mod arrangement;
mod axis;
mod chart;
mod contact;
mod drawing;
mod figures;
mod font;
mod glossary;
mod grid;
mod heat;
mod page;
mod play;
mod quantiles;
mod strip;
mod table;
mod thumbnails;
mod tiles;

pub use arrangement::{GridShape, MAX_TILES, left_out};
pub use axis::{Horizontal, Vertical};
pub use chart::{Chart, Legend, Line, Look, Sheet, Stroke, lines_left_out};
pub use contact::{Photo, Strip, contact_sheet};
pub use drawing::{Colour, Drawing};
pub use figures::{Figures, File, Words};
pub use font::is_spelled_out;
pub use glossary::{Glossary, Term};
pub use grid::{EndResult, Group, against_key, over_two_keys};
pub use heat::{Cells, HeatMaps, Map, Row, Scale, conditions_left_out};
pub use page::{
    MOST_NAMES, MOST_ROWS, Notice, PAGE_ROOM, PageInput, WeightProof, dead_means, if_defined,
    number, page, rows_left_out,
};
pub use play::{
    Examples, Numbers, PLAY_ROOM, Play, PlayDecoder, PlayKept, PlayLayer, PlayModel, PlayTransform,
    Preparation,
};
pub use quantiles::Quantiles;
pub use strip::{StripGroup, StripRow, strip};
pub use table::{sorted_table, table};
pub use thumbnails::{PictureShape, Thumbnails};
pub use tiles::{Grid, Mark, Scaling, UnitWeights, figure};

/// Why a picture cannot be drawn.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// There is nothing to draw.
    #[error("a figure needs at least one grid")]
    NoGrids,
    /// The numbers of a grid do not fit each other.
    #[error("grid `{title}`: {problem}")]
    Grid {
        /// The title of the grid.
        title: String,
        /// What does not fit, in words.
        problem: String,
    },
    /// The picture has too many pixels.
    #[error("the picture would be {width}×{height} pixels, more than {limit} in all")]
    TooLarge {
        /// Width, in pixels.
        width: f32,
        /// Height, in pixels.
        height: f32,
        /// The most pixels that a picture may have, width × height.
        limit: f32,
    },
    /// The SVG cannot be read; holds what the renderer said.
    #[error("cannot draw the picture")]
    Render(#[from] resvg::usvg::Error),
    /// The PNG cannot be written; holds what the encoder said.
    #[error("cannot encode the picture as PNG")]
    Encode(#[from] image::ImageError),
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
