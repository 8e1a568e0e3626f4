//! How grids of tiles are laid out over one picture or several, from the numbers of units and pixels alone: a run
//! can tell before it trains what its figures will have no room for.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::words::counted;

/// The most tiles of one grid.
pub const MAX_TILES: usize = 400;
/// The most pictures of one figure; grids that have no place in them are left out.
pub(super) const MOST_PICTURES: usize = 10;
/// What a picture of several rows may have; one row of the largest grids has about half of it.
const MOST_PIXELS: f32 = 1.2e7;

const GRIDS_PER_ROW: usize = 4;
/// Both sides of a grid, without gaps, that enlarged weights aim at: three grids make a figure 2000 pixels wide.
const GRID_SIDE: usize = 600;
/// Longer sides are made shorter: a pixel then shows several weights.
const LONGEST_GRID_SIDE: usize = 1000;
const MAX_ZOOM: usize = 8;
/// Pixels across a picture that is a single weight wide or high: a signal would be a hairline otherwise.
const SLIT: usize = 6;

pub(super) const MARGIN: f32 = 40.0;
pub(super) const BETWEEN_GRIDS: f32 = 48.0;
/// Enough for a caption where the tiles are few and small.
const MIN_CELL_WIDTH: f32 = 360.0;
/// About what title and caption of a row take.
const TEXT_HEIGHT: f32 = 320.0;

/// The units of a grid, and the pixels of each unit's picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct GridShape {
    /// How many units there are.
    pub units: usize,
    /// Height of a unit's picture, in its own pixels.
    pub height: usize,
    /// Width of a unit's picture, in its own pixels.
    pub width: usize,
}

impl GridShape {
    pub(super) fn shown(self) -> usize {
        self.units.min(MAX_TILES)
    }
}

/// How large weights are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zoom {
    /// A weight is a square of n×n pixels.
    In(usize),
    /// A pixel is the mean of n×n weights.
    Out(usize),
}

impl Zoom {
    /// Weights along a side of what a pixel, or a square of them, shows.
    pub(super) fn weights(self) -> usize {
        match self {
            Self::In(_) => 1,
            Self::Out(n) => n,
        }
    }

    /// Pixels of a side of so many weights.
    pub(super) fn pixels(self, weights: usize) -> usize {
        let each = match self {
            Self::In(n) => n,
            Self::Out(_) => 1,
        };
        match weights.div_ceil(self.weights()) {
            1 => each.max(SLIT),
            shown => shown * each,
        }
    }
}

/// Where grids go. One zoom for all of them, so that pictures compare.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Arrangement {
    pub zoom: Zoom,
    /// Between tiles; a frame takes half of it, so that neighbours' frames do not meet the pictures.
    pub gap: usize,
    pub cell_width: f32,
    pub per_row: usize,
    pub per_picture: usize,
    /// Of the figure.
    pub pictures: usize,
    /// How many have a place; the first ones.
    pub grids: usize,
}

impl Arrangement {
    pub(super) fn new(shapes: &[GridShape]) -> Self {
        let zoom = zoom(shapes);
        let gap = gap(zoom);
        let sizes = || shapes.iter().map(|shape| tiles_size(*shape, zoom));
        let cell_width = sizes().map(|size| size.0).fold(MIN_CELL_WIDTH, f32::max);
        let tallest = sizes().map(|size| size.1).fold(0.0, f32::max);
        let rows = shapes.len().div_ceil(GRIDS_PER_ROW).max(1);
        let per_row = shapes.len().div_ceil(rows).max(1);
        let row = width(per_row, cell_width) * (tallest + TEXT_HEIGHT);
        let rows_of_a_picture = ((MOST_PIXELS / row) as usize).clamp(1, rows);
        // As many rows in the last picture as in the others, or nearly.
        let rows_of_a_picture = rows.div_ceil(rows.div_ceil(rows_of_a_picture));
        let per_picture = per_row * rows_of_a_picture;
        let pictures = shapes.len().div_ceil(per_picture).min(MOST_PICTURES);
        Self {
            zoom,
            gap,
            cell_width,
            per_row,
            per_picture,
            pictures,
            grids: shapes.len().min(pictures * per_picture),
        }
    }

    /// Of a picture with so many grids.
    pub(super) fn width(&self, grids: usize) -> f32 {
        width(self.per_row.min(grids), self.cell_width)
    }

    pub(super) fn columns(&self, shape: GridShape) -> usize {
        columns(shape, self.zoom)
    }

    /// Width and height of all tiles of a grid, each with its gap.
    pub(super) fn tiles_size(&self, shape: GridShape) -> (f32, f32) {
        tiles_size(shape, self.zoom)
    }
}

/// What a figure of such grids does not show, or shows on several pictures: a remark each, nothing where all of it
/// has room.
#[must_use]
pub fn left_out(shapes: &[GridShape]) -> Vec<String> {
    let arrangement = Arrangement::new(shapes);
    let mut remarks = Vec::new();
    if arrangement.grids < shapes.len() {
        remarks.push(format!(
            "the first {} of {} are drawn",
            arrangement.grids,
            counted(shapes.len(), "grid")
        ));
    }
    if arrangement.pictures > 1 {
        let (grids, pictures) = (arrangement.grids, arrangement.pictures);
        remarks.push(format!("{grids} grids fill {pictures} pictures"));
    }
    let most = shapes.iter().map(|shape| shape.units).max().unwrap_or(0);
    if most > MAX_TILES {
        remarks.push(format!(
            "a grid shows the first {MAX_TILES} of {most} units"
        ));
    }
    if let Zoom::Out(n) = arrangement.zoom {
        remarks.push(mean_of(n));
    }
    remarks
}

pub(super) fn mean_of(n: usize) -> String {
    format!("each pixel is the mean of {n}×{n} weights")
}

/// The largest at which every grid has both of its sides within limits.
fn zoom(shapes: &[GridShape]) -> Zoom {
    let shapes: BTreeSet<GridShape> = shapes.iter().copied().collect();
    let fits = |zoom: Zoom, longest: usize| {
        shapes.iter().all(|shape| {
            let columns = columns(*shape, zoom);
            let rows = shape.shown().div_ceil(columns);
            columns * zoom.pixels(shape.width) <= longest
                && rows * zoom.pixels(shape.height) <= longest
        })
    };
    let enlarged = (1..=MAX_ZOOM).rev().map(Zoom::In);
    if let Some(zoom) = enlarged.into_iter().find(|&zoom| fits(zoom, GRID_SIDE)) {
        return zoom;
    }
    if fits(Zoom::In(1), LONGEST_GRID_SIDE) {
        return Zoom::In(1);
    }
    let sides = shapes.iter().map(|shape| shape.height.max(shape.width));
    let longest = sides.max().unwrap_or(0);
    let mut weights = longest.div_ceil(LONGEST_GRID_SIDE).max(2);
    while !fits(Zoom::Out(weights), LONGEST_GRID_SIDE) {
        weights += 1;
    }
    Zoom::Out(weights)
}

fn gap(zoom: Zoom) -> usize {
    match zoom {
        Zoom::In(2..) => 4,
        Zoom::In(_) | Zoom::Out(_) => 2,
    }
}

/// As many columns as make the grid nearest to a square; the wider of two that are equally near.
fn columns(shape: GridShape, zoom: Zoom) -> usize {
    let shown = shape.shown();
    let longest = |columns: usize| {
        let length = |count: usize, side: usize| count * (zoom.pixels(side) + gap(zoom));
        length(columns, shape.width).max(length(shown.div_ceil(columns), shape.height))
    };
    (1..=shown)
        .min_by_key(|&columns| (longest(columns), Reverse(columns)))
        .unwrap_or(1)
}

fn tiles_size(shape: GridShape, zoom: Zoom) -> (f32, f32) {
    let columns = columns(shape, zoom);
    let length = |count: usize, side: usize| (count * (zoom.pixels(side) + gap(zoom))) as f32;
    (
        length(columns, shape.width),
        length(shape.shown().div_ceil(columns), shape.height),
    )
}

fn width(grids: usize, cell_width: f32) -> f32 {
    2.0 * MARGIN + grids as f32 * (cell_width + BETWEEN_GRIDS) - BETWEEN_GRIDS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(units: usize, height: usize, width: usize) -> GridShape {
        GridShape {
            units,
            height,
            width,
        }
    }

    /// Zoom, columns, and the grid's size in pixels.
    fn arranged(shape: GridShape) -> (Zoom, usize, (f32, f32)) {
        let arrangement = Arrangement::new(&[shape]);
        (
            arrangement.zoom,
            arrangement.columns(shape),
            arrangement.tiles_size(shape),
        )
    }

    #[test]
    fn both_sides_choose_the_zoom() {
        let square = arranged(shape(100, 28, 28));
        assert_eq!(square, (Zoom::In(2), 10, (600.0, 600.0)));
        // All in one row, or all in one column: 784 pixels and the gap the one way, 100 times 8 the other.
        let tall = arranged(shape(100, 784, 1));
        assert_eq!(tall, (Zoom::In(1), 100, (800.0, 786.0)));
        let wide = arranged(shape(100, 1, 784));
        assert_eq!(wide, (Zoom::In(1), 1, (786.0, 800.0)));
        // 2000 pixels would be too many: half of them.
        let large = arranged(shape(100, 200, 200));
        assert_eq!(large, (Zoom::Out(2), 10, (1020.0, 1020.0)));
        let one = arranged(shape(1, 1, 1));
        assert_eq!(one, (Zoom::In(8), 1, (12.0, 12.0)));
        let tower = arranged(shape(1, 400_000, 1));
        assert_eq!(tower, (Zoom::Out(400), 1, (8.0, 1002.0)));
        assert_eq!(arranged(shape(1000, 2, 2)).1, 20);
    }

    #[test]
    fn whatever_the_grids_no_picture_is_too_large() {
        let sides = [1, 2, 28, 200, 784, 5000, 1_000_000];
        for (height, width) in sides.iter().flat_map(|h| sides.map(|w| (*h, w))) {
            for (units, grids) in [(1, 1), (36, 15), (100, 3), (400, 75), (100_000, 500)] {
                let shapes = vec![shape(units, height, width); grids];
                let arrangement = Arrangement::new(&shapes);
                let tall = arrangement.tiles_size(shapes[0]).1 + TEXT_HEIGHT;
                let rows = arrangement.per_picture / arrangement.per_row;
                let pixels = arrangement.width(grids) * rows as f32 * tall;
                assert!(
                    pixels <= MOST_PIXELS,
                    "{grids} × {units} of {height}×{width}: {pixels}"
                );
                assert!(arrangement.pictures <= MOST_PICTURES);
            }
        }
    }

    #[test]
    fn many_grids_are_spread_evenly_over_pictures() {
        let of = |grids: usize| {
            let arrangement = Arrangement::new(&vec![shape(100, 28, 28); grids]);
            (
                arrangement.per_picture,
                arrangement.pictures,
                arrangement.grids,
            )
        };
        assert_eq!(of(3), (3, 1, 3));
        assert_eq!(of(15), (16, 1, 15));
        assert_eq!(of(75), (16, 5, 75));
        assert_eq!(of(3000), (16, 10, 160));
    }

    #[test]
    fn what_has_no_room_is_told() {
        assert!(left_out(&[shape(100, 28, 28); 3]).is_empty());
        assert_eq!(
            left_out(&[shape(100, 28, 28); 75]),
            ["75 grids fill 5 pictures"]
        );
        assert_eq!(
            left_out(&[shape(1000, 200, 200); 500]),
            [
                "the first 80 of 500 grids are drawn",
                "80 grids fill 10 pictures",
                "a grid shows the first 400 of 1000 units",
                "each pixel is the mean of 4×4 weights",
            ]
        );
    }
}
