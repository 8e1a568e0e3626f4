//! Hidden units as pictures: one grid of tiles per model, grids side by side, after Okatani's Figure 5-6.
//!
//! Tile j shows column j of the encoder weights, input r·width + c at row r and column c (three of them, one behind the
//! other, where pictures are in colour); tiles run row by row.

use super::arrangement::{Arrangement, BETWEEN_GRIDS, GridShape, MARGIN, MAX_TILES, Zoom, mean_of};
use super::drawing::{Anchor, Colour, Drawing, FAINT_INK, INK, Pixels, Point};
use super::thumbnails::{MID_GREY, PictureShape, SIGNAL, range, shade};
use super::{ReportError, font, significant};

/// One model's encoder weights, by shared reference: drawing cannot change them.
///
/// # Shapes
/// `weights` is row-major [inputs, units], with an input for each channel of each pixel; unit j's picture is column j.
#[derive(Debug, Clone, Copy)]
pub struct UnitWeights<'a> {
    /// Row-major [inputs, units].
    pub weights: &'a [f32],
    /// How many units there are.
    pub units: usize,
    /// The size of a unit's picture.
    pub picture: PictureShape,
}

impl UnitWeights<'_> {
    /// How many units there are, and the size of their pictures.
    #[must_use]
    pub fn shape(&self) -> GridShape {
        self.picture.grid(self.units)
    }
}

/// One model's place in the figure.
#[derive(Debug, Clone)]
pub struct Grid<'a> {
    /// Above the tiles: `β = 0.1`.
    pub title: String,
    /// Under the tiles: the scores that tell the regimes apart. Line ends are kept.
    pub caption: String,
    /// What the tiles show.
    pub weights: UnitWeights<'a>,
    /// Units to be framed in colour, with the reason; the first of several reasons shows.
    pub marked: Vec<(usize, Mark)>,
}

impl Grid<'_> {
    /// The units to be framed, of those that are shown.
    fn framed(&self) -> impl Iterator<Item = (usize, Mark)> {
        (0..self.weights.shape().shown()).filter_map(|unit| {
            let mut marked = self.marked.iter();
            Some((unit, marked.find(|(marked, _)| *marked == unit)?.1))
        })
    }
}

/// Why a unit is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It tells no test image from another.
    Dead,
    /// Its weights are what they were drawn as, in every bit.
    Unchanged,
    /// Its weights changed, but the picture is the one they were drawn as.
    NoiseLooking,
}

impl Mark {
    const ALL: [Self; 3] = [Self::Dead, Self::Unchanged, Self::NoiseLooking];

    /// Okabe and Ito's green, vermillion and blue.
    fn colour(self) -> Colour {
        match self {
            Self::Dead => Colour([0, 158, 115]),
            Self::Unchanged => Colour([213, 94, 0]),
            Self::NoiseLooking => Colour([0, 114, 178]),
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Self::Dead => "dead on the test images",
            Self::Unchanged => "weights unchanged in every bit",
            Self::NoiseLooking => "changed, but still looks like the noise it was drawn from",
        }
    }
}

/// What black and white mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scaling {
    /// Every tile from its own minimum (black) to its own maximum (white); a constant tile is mid-grey.
    PerTile,
    /// All tiles from −s to +s, 0 mid-grey. s is the 99.9th percentile of |w| over all tiles shown: a few
    /// outlying weights would otherwise leave the rest grey. Larger weights are clipped, as the legend says.
    Shared,
}

const SHARED_PERCENTILE: f64 = 0.999;

const TITLE_SIZE: f32 = 34.0;
const CAPTION_SIZE: f32 = 21.0;
const LEGEND_SIZE: f32 = 19.0;
const LINE_HEIGHT: f32 = 1.35;
/// Of the colour bar; with its labels it fits the narrowest figure.
const BAR_WIDTH: u8 = 200;
/// Space between title, tiles, caption and legend.
const SPACE: f32 = 14.0;

/// Draws `grids` as PNGs: one, or several where one has no room for all. What even those have no room for,
/// [`left_out`](super::left_out) tells.
///
/// # Errors
/// When there are no grids, or a grid's numbers do not fit each other.
pub fn figure(grids: &[Grid], scaling: Scaling) -> Result<Vec<Vec<u8>>, ReportError> {
    draw(grids, scaling, |picture| picture.png())
}

/// Hands each picture of the figure to `finish`, one at a time: together they may be large.
fn draw<T>(
    grids: &[Grid],
    scaling: Scaling,
    finish: impl Fn(Pixels) -> Result<T, ReportError>,
) -> Result<Vec<T>, ReportError> {
    if grids.is_empty() {
        return Err(ReportError::NoGrids);
    }
    for grid in grids {
        check(grid)?;
    }
    let shapes: Vec<GridShape> = grids.iter().map(|grid| grid.weights.shape()).collect();
    let arrangement = Arrangement::new(&shapes);
    let grids = &grids[..arrangement.grids];
    // The weight that is white where all tiles share one scale.
    let limit = (scaling == Scaling::Shared).then(|| robust_limit(grids, arrangement.zoom));
    let pictures = grids.chunks(arrangement.per_picture).enumerate();
    pictures
        .map(|(picture, grids)| {
            let legend = legend(grids, &arrangement, limit, picture);
            let (drawing, corners) = laid_out(grids, &arrangement, &legend);
            // Weights become pixels, each of them whole, on top of what is drawn.
            let mut pixels = drawing.pixels(1.0)?;
            for (grid, corner) in grids.iter().zip(corners) {
                for unit in 0..grid.weights.shape().shown() {
                    let at = tile_corner(&arrangement, corner, grid, unit);
                    draw_tile(&mut pixels, arrangement.zoom, grid, unit, at, limit);
                }
            }
            finish(pixels)
        })
        .collect()
}

/// A picture of one grid after the other, in rows, with the legend below; and where the tiles of each grid begin.
fn laid_out(
    grids: &[Grid],
    arrangement: &Arrangement,
    legend: &[Entry],
) -> (Drawing, Vec<(usize, usize)>) {
    let cell_width = arrangement.cell_width;
    let width = arrangement.width(grids.len());
    let mut drawing = Drawing::new((width, 0.0));
    let mut corners = Vec::with_capacity(grids.len());
    let mut top = MARGIN;
    for row in grids.chunks(arrangement.per_row) {
        let wrapped = |text: &dyn Fn(&Grid) -> String, size: f32| -> Vec<Vec<String>> {
            let texts = row.iter();
            texts
                .map(|grid| font::wrap(&text(grid), size, cell_width))
                .collect()
        };
        let titles = wrapped(&|grid| grid.title.clone(), TITLE_SIZE);
        let captions = wrapped(&caption, CAPTION_SIZE);
        let sizes: Vec<(f32, f32)> = row
            .iter()
            .map(|grid| arrangement.tiles_size(grid.weights.shape()))
            .collect();
        // Tiles and captions of a row start at the same height.
        let tiles_top = (top + tallest(&titles, TITLE_SIZE) + SPACE).round();
        let tallest_tiles = sizes.iter().map(|size| size.1).fold(0.0, f32::max);
        let caption_top = tiles_top + tallest_tiles + SPACE;
        for (index, grid) in row.iter().enumerate() {
            let left = MARGIN + index as f32 * (cell_width + BETWEEN_GRIDS);
            let tiles_left = (left + (cell_width - sizes[index].0) / 2.0).round();
            let corner = (tiles_left as usize, tiles_top as usize);
            corners.push(corner);
            let centre = left + cell_width / 2.0;
            let mut write = |lines: &[String], top: f32, size: f32, colour: Colour| {
                for (at, line) in lines.iter().enumerate() {
                    let baseline = top + size + at as f32 * size * LINE_HEIGHT;
                    drawing.text(line, (centre, baseline), size, colour, Anchor::Middle);
                }
            };
            write(&titles[index], top, TITLE_SIZE, INK);
            write(&captions[index], caption_top, CAPTION_SIZE, FAINT_INK);
            for (unit, mark) in grid.framed() {
                let at = tile_corner(arrangement, corner, grid, unit);
                frame(&mut drawing, arrangement, grid, at, mark);
            }
        }
        top = caption_top + tallest(&captions, CAPTION_SIZE) + BETWEEN_GRIDS;
    }
    top += 2.0 * SPACE - BETWEEN_GRIDS;
    for entry in legend {
        entry.draw(&mut drawing, top);
        top += entry.height();
    }
    drawing.height = top + MARGIN;
    (drawing, corners)
}

/// Of texts that stand side by side.
fn tallest(texts: &[Vec<String>], size: f32) -> f32 {
    let lines = texts.iter().map(Vec::len).max().unwrap_or(0);
    lines as f32 * size * LINE_HEIGHT
}

fn check(grid: &Grid) -> Result<(), ReportError> {
    let UnitWeights {
        weights,
        units,
        picture,
    } = grid.weights;
    let PictureShape {
        height,
        width,
        channels,
    } = picture;
    let in_colour = if channels == 3 { " in colour" } else { "" };
    let found = weights.len();
    let needed = picture
        .inputs()
        .and_then(|inputs| inputs.checked_mul(units));
    let marked = grid.marked.iter().find(|(unit, _)| *unit >= units);
    let problem = match (needed, marked) {
        (Some(0), _) => {
            format!("{units} units of {height}×{width} pixels{in_colour} leave nothing to draw")
        }
        (needed, _) if needed != Some(found) => {
            format!(
                "{found} weights do not make {units} units of {height}×{width} pixels{in_colour}"
            )
        }
        (_, Some((unit, _))) => format!("marks unit {unit}, but has {units}, counted from 0"),
        _ => return Ok(()),
    };
    let title = grid.title.clone();
    Err(ReportError::Grid { title, problem })
}

/// What unit `unit`'s picture shows, row by row: the channels of each pixel, or of each square of them.
fn tile(grid: &Grid, unit: usize, zoom: Zoom) -> Vec<f32> {
    let UnitWeights { weights, units, .. } = grid.weights;
    let column: Vec<f32> = weights.iter().skip(unit).step_by(units).copied().collect();
    grid.weights.picture.smaller(column, zoom.weights())
}

/// The pictures of all units that are shown.
fn tiles<'a>(grid: &'a Grid, zoom: Zoom) -> impl Iterator<Item = Vec<f32>> + 'a {
    (0..grid.weights.shape().shown()).map(move |unit| tile(grid, unit, zoom))
}

/// Top left pixel of a unit's picture.
fn tile_corner(
    arrangement: &Arrangement,
    corner: (usize, usize),
    grid: &Grid,
    unit: usize,
) -> (usize, usize) {
    let shape = grid.weights.shape();
    let columns = arrangement.columns(shape);
    let (zoom, gap) = (arrangement.zoom, arrangement.gap);
    let along = |start: usize, index: usize, side: usize| {
        start + index * (zoom.pixels(side) + gap) + gap / 2
    };
    (
        along(corner.0, unit % columns, shape.width),
        along(corner.1, unit / columns, shape.height),
    )
}

fn caption(grid: &Grid) -> String {
    let units = grid.weights.units;
    if units <= MAX_TILES {
        return grid.caption.clone();
    }
    format!("{}\nfirst {MAX_TILES} of {units} units", grid.caption)
}

/// The 99.9th percentile (nearest rank) of |w| over the finite weights shown; 0 when there are none.
fn robust_limit(grids: &[Grid], zoom: Zoom) -> f64 {
    let mut sizes: Vec<f32> = grids
        .iter()
        .flat_map(|grid| tiles(grid, zoom).flatten())
        .filter(|w| w.is_finite())
        .map(f32::abs)
        .collect();
    if sizes.is_empty() {
        return 0.0;
    }
    let rank = (sizes.len() as f64 * SHARED_PERCENTILE).ceil() as usize;
    let index = rank.clamp(1, sizes.len()) - 1;
    f64::from(*sizes.select_nth_unstable_by(index, f32::total_cmp).1)
}

fn draw_tile(
    pixels: &mut Pixels,
    zoom: Zoom,
    grid: &Grid,
    unit: usize,
    (left, top): (usize, usize),
    limit: Option<f64>,
) {
    let tile = tile(grid, unit, zoom);
    let (low, high) = limit.map_or_else(|| range(&tile), |limit| (-limit, limit));
    let PictureShape {
        height,
        width,
        channels,
    } = grid.weights.picture;
    let [rows, columns] = [height, width].map(|side| side.div_ceil(zoom.weights()));
    let block = (zoom.pixels(width) / columns, zoom.pixels(height) / rows);
    for (index, shown) in tile.chunks_exact(channels).enumerate() {
        let at = (
            left + index % columns * block.0,
            top + index / columns * block.1,
        );
        pixels.fill(at, block, shade(shown, low, high));
    }
}

/// A coloured ground that shows as a frame once the tile is drawn on it.
fn frame(
    drawing: &mut Drawing,
    arrangement: &Arrangement,
    grid: &Grid,
    (left, top): (usize, usize),
    mark: Mark,
) {
    let half = (arrangement.gap / 2) as f32;
    let side = |weights: usize| (arrangement.zoom.pixels(weights) + arrangement.gap) as f32;
    drawing.rectangle(
        (left as f32 - half, top as f32 - half),
        (
            side(grid.weights.picture.width),
            side(grid.weights.picture.height),
        ),
        mark.colour(),
    );
}

/// One entry of the legend under the grids, from top to bottom.
enum Entry {
    Text(String),
    /// A square of the inner colour, framed in the outer, and what it means.
    Key(Colour, Colour, &'static str),
    /// A bar from black at −limit to white at +limit.
    Bar(f64),
}

impl Entry {
    fn height(&self) -> f32 {
        let lines = if matches!(self, Self::Bar(_)) {
            2.0
        } else {
            1.0
        };
        lines * LEGEND_SIZE * LINE_HEIGHT
    }

    fn draw(&self, drawing: &mut Drawing, top: f32) {
        const SWATCH: f32 = 18.0;
        let baseline = top + LEGEND_SIZE;
        let swatch_top = (baseline - 0.78 * LEGEND_SIZE).round();
        let mut write = |text: &str, at: Point, anchor: Anchor| {
            drawing.text(text, at, LEGEND_SIZE, FAINT_INK, anchor);
        };
        match self {
            Self::Text(text) => write(text, (MARGIN, baseline), Anchor::Start),
            Self::Key(outer, inner, text) => {
                write(text, (MARGIN + SWATCH + 10.0, baseline), Anchor::Start);
                drawing.rectangle((MARGIN, swatch_top), (SWATCH, SWATCH), *outer);
                let (inside, side) = ((MARGIN + 3.0, swatch_top + 3.0), SWATCH - 6.0);
                drawing.rectangle(inside, (side, side), *inner);
            }
            Self::Bar(limit) => {
                let limit = significant(*limit, 2);
                let low = format!("−{limit}");
                let left = (MARGIN + font::text_width(&low, LEGEND_SIZE) + 10.0).round();
                let middle = left + f32::from(BAR_WIDTH) / 2.0;
                let right = left + f32::from(BAR_WIDTH) + 10.0;
                write(&low, (MARGIN, baseline), Anchor::Start);
                write(&format!("+{limit}"), (right, baseline), Anchor::Start);
                let zero = (middle, swatch_top + SWATCH + 6.0 + 0.7 * LEGEND_SIZE);
                write("0", zero, Anchor::Middle);
                for step in 0..BAR_WIDTH {
                    let colour = shade(&[f32::from(step)], 0.0, f64::from(BAR_WIDTH - 1));
                    let at = (left + f32::from(step), swatch_top);
                    drawing.rectangle(at, (1.0, SWATCH), colour);
                }
                let mark = (middle - 1.0, swatch_top + SWATCH);
                drawing.rectangle(mark, (2.0, 5.0), FAINT_INK);
            }
        }
    }
}

/// What the greys mean, and the colours where they occur.
fn legend(
    grids: &[Grid],
    arrangement: &Arrangement,
    limit: Option<f64>,
    picture: usize,
) -> Vec<Entry> {
    let width = arrangement.width(grids.len()) - 2.0 * MARGIN;
    let mut entries = Vec::new();
    if arrangement.pictures > 1 {
        let (number, of) = (picture + 1, arrangement.pictures);
        entries.push(Entry::Text(format!("picture {number} of {of}")));
    }
    let meaning = match limit {
        None => "each tile: own minimum black, own maximum white",
        Some(limit) => {
            entries.push(Entry::Bar(limit));
            "one scale of weights for all tiles: ±s, s = 99.9th percentile of |w|; larger weights are clipped"
        }
    };
    let in_colour = grids.iter().any(|grid| grid.weights.picture.channels == 3);
    let meaning = if in_colour {
        format!("{meaning}; the weights of red, green and blue inputs are drawn as these colours")
    } else {
        meaning.to_owned()
    };
    let meaning = match arrangement.zoom {
        Zoom::In(_) => meaning,
        Zoom::Out(n) => format!("{}; {meaning}", mean_of(n)),
    };
    let meaning = font::wrap(&meaning, LEGEND_SIZE, width);
    entries.extend(meaning.into_iter().map(Entry::Text));
    for mark in Mark::ALL {
        let mut framed = grids.iter().flat_map(Grid::framed);
        if framed.any(|(_, reason)| reason == mark) {
            entries.push(Entry::Key(mark.colour(), MID_GREY, mark.meaning()));
        }
    }
    let broken = |grid: &Grid| {
        let mut shown = tiles(grid, arrangement.zoom).flatten();
        shown.any(|w| !w.is_finite())
    };
    if grids.iter().any(broken) {
        entries.push(Entry::Key(SIGNAL, SIGNAL, "weight is not a finite number"));
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::super::drawing::tests::decoded;
    use super::*;

    const BLACK: Colour = Colour([0, 0, 0]);
    const WHITE: Colour = Colour([255, 255, 255]);

    /// Three units of 2×2 pixels: a column each.
    #[rustfmt::skip]
    const WEIGHTS: [f32; 12] = [
        0.0, 5.0, -4.0,
        1.0, 5.0,  0.0,
        2.0, 5.0,  2.0,
        4.0, 5.0,  4.0,
    ];

    fn grid(weights: &[f32], units: usize, side: usize) -> Grid<'_> {
        Grid {
            title: "β = 0.1".to_owned(),
            caption: "kurtosis 20\nradius of gyration 5.0 px".to_owned(),
            weights: UnitWeights {
                weights,
                units,
                picture: PictureShape {
                    height: side,
                    width: side,
                    channels: 1,
                },
            },
            marked: Vec::new(),
        }
    }

    /// The four pixels of a 2×2 tile in the drawn figure; each must fill its whole square.
    fn drawn(grids: &[Grid], scaling: Scaling, unit: usize) -> [Colour; 4] {
        let image = only_picture(grids, scaling);
        let (arrangement, corners) = corners(grids);
        let (left, top) = tile_corner(&arrangement, corners[0], &grids[0], unit);
        let zoom = arrangement.zoom.pixels(2) / 2;
        [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(row, column)| {
            let at = |dy, dx| image.at(left + column * zoom + dx, top + row * zoom + dy);
            let colour = at(0, 0);
            assert!((0..zoom).all(|dy| (0..zoom).all(|dx| at(dy, dx) == colour)));
            colour
        })
    }

    fn only_picture(grids: &[Grid], scaling: Scaling) -> Pixels {
        let mut pictures = draw(grids, scaling, Ok).expect("a figure");
        assert_eq!(pictures.len(), 1);
        pictures.remove(0)
    }

    /// Of a figure that is one picture.
    fn corners(grids: &[Grid]) -> (Arrangement, Vec<(usize, usize)>) {
        let shapes: Vec<GridShape> = grids.iter().map(|grid| grid.weights.shape()).collect();
        let arrangement = Arrangement::new(&shapes);
        let (_, corners) = laid_out(grids, &arrangement, &[]);
        (arrangement, corners)
    }

    fn greys(levels: [u8; 4]) -> [Colour; 4] {
        levels.map(|level| Colour([level; 3]))
    }

    #[test]
    fn each_tile_runs_from_its_own_black_to_its_own_white() {
        let grids = [grid(&WEIGHTS, 3, 2)];
        // 1/4 and 2/4 of 255, rounded; unit 1 is constant; unit 2 runs from −4 to 4.
        assert_eq!(drawn(&grids, Scaling::PerTile, 0), greys([0, 64, 128, 255]));
        assert_eq!(drawn(&grids, Scaling::PerTile, 1), [MID_GREY; 4]);
        assert_eq!(
            drawn(&grids, Scaling::PerTile, 2),
            greys([0, 128, 191, 255])
        );
    }

    #[test]
    fn the_shared_scale_has_mid_grey_at_zero() {
        let grids = [grid(&WEIGHTS, 3, 2)];
        // s = 5: (w + 5) / 10 of 255.
        assert_eq!(
            drawn(&grids, Scaling::Shared, 0),
            greys([128, 153, 179, 230])
        );
        assert_eq!(drawn(&grids, Scaling::Shared, 1), [WHITE; 4]);
        assert_eq!(
            drawn(&grids, Scaling::Shared, 2),
            greys([26, 128, 179, 230])
        );
        let silent = [grid(&[0.0; 4], 1, 2)];
        assert_eq!(drawn(&silent, Scaling::Shared, 0), [MID_GREY; 4]);
    }

    #[test]
    fn the_shared_scale_clips_outliers() {
        let mut weights = vec![1.0; 40_000];
        weights[..10].fill(-100.0);
        let grids = [grid(&weights, 100, 20)];
        assert!((robust_limit(&grids, Zoom::In(1)) - 1.0).abs() < 1e-9);
        let image = only_picture(&grids, Scaling::Shared);
        let (arrangement, corners) = corners(&grids);
        let (left, top) = tile_corner(&arrangement, corners[0], &grids[0], 0);
        assert_eq!(image.at(left, top), BLACK);
    }

    #[test]
    fn colours_have_a_channel_of_weights_each() {
        // A unit on two pixels: red rises from 0 to 4, green is 1, blue falls from 2 to 0.
        let weights = [0.0, 1.0, 2.0, 4.0, 1.0, 0.0];
        let picture = PictureShape {
            height: 1,
            width: 2,
            channels: 3,
        };
        let of = UnitWeights {
            weights: &weights,
            units: 1,
            picture,
        };
        let grids = [Grid {
            weights: of,
            ..grid(&[], 0, 0)
        }];
        let colours = |scaling| {
            let image = only_picture(&grids, scaling);
            let (arrangement, corners) = corners(&grids);
            let (left, top) = tile_corner(&arrangement, corners[0], &grids[0], 0);
            let zoom = arrangement.zoom.pixels(2) / 2;
            [image.at(left, top), image.at(left + zoom, top)]
        };
        let own = [Colour([0, 64, 128]), Colour([255, 64, 0])];
        assert_eq!(colours(Scaling::PerTile), own);
        // s = 4: (w + 4) / 8 of 255.
        let shared = [Colour([128, 159, 191]), Colour([255, 159, 128])];
        assert_eq!(colours(Scaling::Shared), shared);
        let fewer = UnitWeights {
            weights: &weights[..5],
            ..of
        };
        let error = figure(
            &[Grid {
                weights: fewer,
                ..grid(&[], 0, 0)
            }],
            Scaling::PerTile,
        );
        let error = error.expect_err("a number is missing").to_string();
        assert!(
            error.contains("5 weights do not make 1 units of 1×2 pixels in colour"),
            "{error}"
        );
    }

    #[test]
    fn tiles_run_row_by_row() {
        let grids = [grid(&WEIGHTS, 3, 2)];
        let (arrangement, corners) = corners(&grids);
        let corner = |unit| tile_corner(&arrangement, corners[0], &grids[0], unit);
        // Two columns for three units; 2 pixels of 8 and a gap of 4 from tile to tile.
        let (left, top) = corner(0);
        assert_eq!((corner(1), corner(2)), ((left + 20, top), (left, top + 20)));
    }

    #[test]
    fn three_grids_of_100_units_are_about_2000_pixels_wide() {
        let weights = vec![0.5; 784 * 100];
        let three = [0; 3].map(|_| grid(&weights, 100, 28));
        let (arrangement, corners) = corners(&three);
        assert_eq!(arrangement.zoom, Zoom::In(2));
        let width = arrangement.width(3);
        assert!((1900.0..2100.0).contains(&width), "{width}");
        assert!(corners[2].0 > corners[1].0 && corners[2].1 == corners[0].1);
        let five = [0; 5].map(|_| grid(&weights, 100, 28));
        let (_, corners) = super::tests::corners(&five);
        assert!(corners[3].1 > corners[2].1 && corners[3].0 == corners[0].0);
    }

    #[test]
    fn many_units_are_cut_off_with_a_word() {
        let weights = vec![0.5; 4 * 1000];
        let grid = grid(&weights, 1000, 2);
        assert!(caption(&grid).ends_with("first 400 of 1000 units"));
    }

    #[test]
    fn marked_units_are_framed_and_keep_their_pixels() {
        let mut grids = [grid(&WEIGHTS, 3, 2)];
        let plain = drawn(&grids, Scaling::PerTile, 1);
        grids[0].marked = vec![(1, Mark::Dead), (1, Mark::NoiseLooking)];
        assert_eq!(drawn(&grids, Scaling::PerTile, 1), plain);
        let image = only_picture(&grids, Scaling::PerTile);
        let (arrangement, corners) = corners(&grids);
        let (left, top) = tile_corner(&arrangement, corners[0], &grids[0], 1);
        for (x, y) in [
            (left - 1, top),
            (left + 17, top + 9),
            (left, top - 2),
            (left + 9, top + 16),
        ] {
            assert_eq!(image.at(x, y), Mark::Dead.colour());
        }
        let (left, top) = tile_corner(&arrangement, corners[0], &grids[0], 0);
        assert_eq!(image.at(left - 1, top), WHITE);
    }

    #[test]
    fn weights_that_are_no_numbers_show_in_a_signal_colour() {
        let grids = [grid(&[f32::NAN, 1.0, f32::INFINITY, 3.0], 1, 2)];
        let expected = [SIGNAL, BLACK, SIGNAL, WHITE];
        assert_eq!(drawn(&grids, Scaling::PerTile, 0), expected);
        let hopeless = [grid(&[f32::NAN; 4], 1, 2)];
        assert_eq!(drawn(&hopeless, Scaling::Shared, 0), [SIGNAL; 4]);
        let extreme = [grid(&[f32::MIN, f32::MAX, 0.0, 0.0], 1, 2)];
        assert_eq!(
            drawn(&extreme, Scaling::PerTile, 0),
            greys([0, 255, 128, 128])
        );
    }

    #[test]
    fn drawing_is_repeatable_and_leaves_the_weights_alone() {
        let before = WEIGHTS.map(f32::to_bits);
        let weights = WEIGHTS;
        for scaling in [Scaling::PerTile, Scaling::Shared] {
            let once = figure(&[grid(&weights, 3, 2)], scaling).expect("a figure");
            let again = figure(&[grid(&weights, 3, 2)], scaling).expect("a figure");
            assert_eq!(once, again);
            assert_eq!(
                decoded(&once[0]),
                only_picture(&[grid(&weights, 3, 2)], scaling)
            );
        }
        assert_eq!(weights.map(f32::to_bits), before);
    }

    #[test]
    fn what_cannot_be_drawn_is_an_error() {
        let fails = |grids: &[Grid]| figure(grids, Scaling::PerTile).expect_err("an error");
        assert!(matches!(fails(&[]), ReportError::NoGrids));
        let message = |grid: Grid| fails(&[grid]).to_string();
        assert!(message(grid(&[], 0, 2)).contains("nothing to draw"));
        assert_eq!(
            message(grid(&WEIGHTS, 4, 2)),
            "grid `β = 0.1`: 12 weights do not make 4 units of 2×2 pixels"
        );
        let mut marked = grid(&WEIGHTS, 3, 2);
        marked.marked = vec![(3, Mark::Unchanged)];
        assert!(message(marked).contains("marks unit 3"));
    }

    #[test]
    fn pictures_with_too_many_weights_show_means_of_them() {
        // Two units of 2400×1 weights: unit 0 counts up, and the last block has one weight alone.
        let weights: Vec<f32> = (0..2 * 2401)
            .map(|at| if at % 2 == 0 { (at / 2) as f32 } else { 1.0 })
            .collect();
        let tower = Grid {
            weights: UnitWeights {
                weights: &weights,
                units: 2,
                picture: PictureShape {
                    height: 2401,
                    width: 1,
                    channels: 1,
                },
            },
            ..grid(&[], 0, 0)
        };
        let shown = tile(&tower, 0, Zoom::Out(3));
        assert_eq!(shown[..2], [1.0, 4.0]);
        assert_eq!((shown.len(), shown[800]), (801, 2400.0));
        let image = only_picture(&[tower], Scaling::PerTile);
        assert!(image.height() < 1400, "{}", image.height());
    }

    #[test]
    fn seventy_five_grids_fill_five_pictures() {
        let weights = vec![0.5; 784 * 100];
        let many = vec![grid(&weights, 100, 28); 75];
        let pictures = draw(&many, Scaling::PerTile, |image| Ok(image.rgb.len() / 3));
        let pictures = pictures.expect("a figure");
        assert_eq!(pictures.len(), 5);
        assert!(pictures.iter().all(|&size| size < 13_000_000));
    }
}
