//! Heat maps: numbers as colours over two directions, maps side by side, a row of them for each quantity. A row has one
//! scale for all of its maps, so that colours compare.

use super::axis::range;
use super::chart::{LABEL_SIZE, SHEET_WIDTH, TICK_SIZE};
use super::drawing::{Anchor, Colour, Drawing, FAINT_INK, INK, Point, WHITE};
use super::{font, significant};

/// Exactly 0 where the scale is logarithmic, and numbers that are none.
const NOTHING: Colour = Colour([200, 200, 200]);

const TOP: f32 = 30.0;
const LEFT: f32 = 62.0;
const RIGHT: f32 = 150.0;
const BETWEEN: f32 = 60.0;
const ROW_HEADER: f32 = 46.0;
const ROW_FOOTER: f32 = 86.0;
/// Of maps; room for axes, a remark and the names of the next.
const BETWEEN_LINES: f32 = 82.0;
const MAP_HEIGHT: f32 = 224.0;
const BAR_WIDTH: f32 = 14.0;
const MOST_TICKS: usize = 12;
const TICK_WIDTH: f32 = 34.0;
const MAPS_PER_LINE: usize = 3;
/// Of a row.
const MOST_MAPS: usize = 12;

/// Rows of heat maps, from the top.
pub struct HeatMaps {
    /// From the top.
    pub rows: Vec<Row>,
    /// What is in each cell.
    pub cells: Cells,
}

/// What is in a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cells {
    /// Its colour alone.
    Colours,
    /// Its number, too, where there is room.
    Numbers,
}

/// One quantity, a map for each condition.
pub struct Row {
    /// What stands above the row.
    pub title: String,
    /// How its numbers become colours, the same for all its maps.
    pub scale: Scale,
    /// From the left.
    pub maps: Vec<Map>,
}

/// From numbers to colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// By the number.
    Linear,
    /// By the logarithm of the number, to base 10.
    Logarithmic,
}

/// One map.
pub struct Map {
    /// What stands above the map.
    pub title: String,
    /// What its rows are called, from the bottom.
    pub rows: Vec<String>,
    /// What its columns are called, from the left.
    pub columns: Vec<String>,
    /// By row, then by column; absent where nothing was measured.
    pub cells: Vec<Vec<Option<f64>>>,
    /// What lies along its two sides.
    pub axes: String,
    /// What was not drawn.
    pub remark: String,
}

/// What heat maps of so many conditions do not draw.
#[must_use]
pub fn conditions_left_out(conditions: usize) -> Option<String> {
    (conditions > MOST_MAPS)
        .then(|| format!("the first {MOST_MAPS} of {conditions} conditions are drawn"))
}

impl HeatMaps {
    /// The maps as they are drawn.
    #[must_use]
    pub fn drawing(&self) -> Drawing {
        let height: f32 = self.rows.iter().map(Row::height).sum();
        let mut drawing = Drawing::new((SHEET_WIDTH, TOP + height + 8.0));
        let most = self.rows.iter().map(|row| row.maps.len()).max();
        drawing.left_out.extend(most.and_then(conditions_left_out));
        let mut top = TOP;
        for row in &self.rows {
            row.draw(&mut drawing, top, self.cells);
            top += row.height();
        }
        drawing
    }
}

impl Scale {
    /// The value in the units of the scale; `None` if it has no place there.
    fn place(self, value: f64) -> Option<f64> {
        let value = match self {
            Self::Linear => value,
            Self::Logarithmic => value.log10(),
        };
        value.is_finite().then_some(value)
    }
}

/// From the lowest to the highest colour of viridis (Smith and van der Walt 2015) as `share` goes from 0 to 1: its lightness
/// grows evenly, for every kind of eye.
fn viridis(share: f64) -> Colour {
    Colour(
        colorous::VIRIDIS
            .eval_continuous(share.clamp(0.0, 1.0))
            .into_array(),
    )
}

impl Row {
    fn shown(&self) -> &[Map] {
        &self.maps[..self.maps.len().min(MOST_MAPS)]
    }

    /// Every number that there is.
    fn numbers(&self) -> impl Iterator<Item = f64> {
        let cells = self.shown().iter().flat_map(|map| map.cells.iter());
        cells.flatten().filter_map(|cell| *cell)
    }

    fn height(&self) -> f32 {
        let more_lines = self.lines().saturating_sub(1) as f32 * (MAP_HEIGHT + BETWEEN_LINES);
        ROW_HEADER + MAP_HEIGHT + more_lines + ROW_FOOTER
    }

    fn lines(&self) -> usize {
        self.shown().len().div_ceil(MAPS_PER_LINE)
    }

    fn draw(&self, drawing: &mut Drawing, top: f32, cells: Cells) {
        let title = match conditions_left_out(self.maps.len()) {
            Some(remark) => format!("{}; {remark}", self.title),
            None => self.title.clone(),
        };
        drawing.text(&title, (LEFT, top), LABEL_SIZE, INK, Anchor::Start);
        let range = range(self.numbers().filter_map(|value| self.scale.place(value)));
        // Maps of all lines are equally wide, and lines as full as may be.
        let per_line = self.shown().len().div_ceil(self.lines().max(1)).max(1);
        let between = (per_line - 1) as f32 * BETWEEN;
        let width = (SHEET_WIDTH - LEFT - RIGHT - between) / per_line as f32;
        for (line, maps) in self.shown().chunks(per_line).enumerate() {
            let top = top + ROW_HEADER + line as f32 * (MAP_HEIGHT + BETWEEN_LINES);
            for (column, map) in maps.iter().enumerate() {
                let left = LEFT + column as f32 * (width + BETWEEN);
                let share = |value: f64| self.share(value, range);
                map.draw(drawing, (left, top), width, cells, share);
            }
        }
        self.draw_bar(drawing, top + ROW_HEADER, range);
    }

    /// Where a number lies on the scale, from 0 to 1; nowhere where it has no place.
    fn share(&self, value: f64, range: Option<(f64, f64)>) -> Option<f64> {
        let (value, (low, high)) = (self.scale.place(value)?, range?);
        let share = if high > low {
            (value - low) / (high - low)
        } else {
            0.0
        };
        Some(share)
    }

    /// The scale at the right, from its highest value down.
    fn draw_bar(&self, drawing: &mut Drawing, top: f32, range: Option<(f64, f64)>) {
        const STEPS: u16 = 56;
        let Some((low, high)) = range else {
            return;
        };
        let left = SHEET_WIDTH - RIGHT + 24.0;
        let step = MAP_HEIGHT / f32::from(STEPS);
        for index in 0..STEPS {
            let share = 1.0 - f64::from(index) / f64::from(STEPS - 1);
            let at = (left, top + f32::from(index) * step);
            // A little taller than a step, so that no line shows between two.
            let height = if index + 1 < STEPS { step + 0.5 } else { step };
            drawing.rectangle(at, (BAR_WIDTH, height), viridis(share));
        }
        let levels = if high > low { 5 } else { 1 };
        for level in 0..levels {
            let share = f64::from(level) / f64::from((levels - 1).max(1));
            let value = low + (high - low) * share;
            let text = match self.scale {
                Scale::Linear => significant(value, 2),
                Scale::Logarithmic => significant(10_f64.powf(value), 2),
            };
            let y = top + MAP_HEIGHT * (1.0 - share as f32) + 0.35 * TICK_SIZE;
            let at = (left + BAR_WIDTH + 8.0, y);
            drawing.text(&text, at, TICK_SIZE, FAINT_INK, Anchor::Start);
        }
        if self
            .numbers()
            .any(|value| self.scale.place(value).is_none())
        {
            let y = top + MAP_HEIGHT + 12.0;
            drawing.rectangle((left, y), (BAR_WIDTH, 12.0), NOTHING);
            let at = (left + BAR_WIDTH + 8.0, y + 11.0);
            drawing.text("exactly 0", at, TICK_SIZE, FAINT_INK, Anchor::Start);
        }
    }
}

impl Map {
    /// `share` says where on the scale a number lies.
    fn draw(
        &self,
        drawing: &mut Drawing,
        (left, top): Point,
        width: f32,
        show: Cells,
        share: impl Fn(f64) -> Option<f64>,
    ) {
        let title = if self.rows.is_empty() {
            format!("{}: nothing measured", self.title)
        } else {
            self.title.clone()
        };
        let title = font::cut(&title, TICK_SIZE, width + BETWEEN / 2.0);
        drawing.text(&title, (left, top - 10.0), TICK_SIZE, INK, Anchor::Start);
        let cell_width = width / self.columns.len().max(1) as f32;
        let cell_height = MAP_HEIGHT / self.rows.len().max(1) as f32;
        let bottom = top + MAP_HEIGHT;
        for (row, (label, cells)) in self.rows.iter().zip(&self.cells).enumerate() {
            let y = bottom - (row + 1) as f32 * cell_height;
            let baseline = y + cell_height / 2.0 + 0.35 * TICK_SIZE;
            for (column, &cell) in cells.iter().enumerate() {
                let x = left + column as f32 * cell_width;
                let share = cell.and_then(&share);
                // Gaps of half a pixel keep cells apart without hiding a thin one.
                let size = (cell_width - 0.5, cell_height - 0.5);
                drawing.rectangle((x, y), size, share.map_or(NOTHING, viridis));
                let Some(value) = cell.filter(|_| show == Cells::Numbers) else {
                    continue;
                };
                let number = significant(value, 3);
                let fits = font::text_width(&number, TICK_SIZE) + 6.0 <= cell_width
                    && 1.2 * TICK_SIZE <= cell_height;
                // Viridis is dark below its middle.
                let ink = if share.is_some_and(|share| share < 0.55) {
                    WHITE
                } else {
                    INK
                };
                if fits {
                    let at = (x + cell_width / 2.0, baseline);
                    drawing.text(&number, at, TICK_SIZE, ink, Anchor::Middle);
                }
            }
            if every(row, self.rows.len(), MOST_TICKS) {
                let label = font::cut(label, TICK_SIZE, BETWEEN - 10.0);
                let at = (left - 8.0, baseline);
                drawing.text(&label, at, TICK_SIZE, FAINT_INK, Anchor::End);
            }
        }
        let ticks = ((width / TICK_WIDTH) as usize).clamp(1, MOST_TICKS);
        for (column, label) in self.columns.iter().enumerate() {
            if every(column, self.columns.len(), ticks) {
                let room = cell_width * self.columns.len().div_ceil(ticks) as f32;
                let label = font::cut(label, TICK_SIZE, room.max(TICK_WIDTH));
                let x = left + (column as f32 + 0.5) * cell_width;
                let at = (x, bottom + 6.0 + TICK_SIZE);
                drawing.text(&label, at, TICK_SIZE, FAINT_INK, Anchor::Middle);
            }
        }
        let below = (left + width, bottom + 36.0);
        drawing.text(&self.axes, below, TICK_SIZE, FAINT_INK, Anchor::End);
        let below = (left + width, bottom + 36.0 + 1.3 * TICK_SIZE);
        drawing.text(&self.remark, below, TICK_SIZE, FAINT_INK, Anchor::End);
    }
}

/// Whether tick `index` of `count` is one of at most `most`.
fn every(index: usize, count: usize, most: usize) -> bool {
    index.is_multiple_of(count.div_ceil(most).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(cells: Vec<Vec<Option<f64>>>) -> Map {
        let columns = cells.first().map_or(0, Vec::len);
        Map {
            title: "C".to_owned(),
            rows: (1..=cells.len()).map(|row| row.to_string()).collect(),
            columns: (0..columns).map(|column| column.to_string()).collect(),
            cells,
            axes: "layer upwards".to_owned(),
            remark: String::new(),
        }
    }

    fn drawing(maps: Vec<Map>, cells: Cells) -> Drawing {
        let row = Row {
            title: "Norm".to_owned(),
            scale: Scale::Logarithmic,
            maps,
        };
        HeatMaps {
            rows: vec![row],
            cells,
        }
        .drawing()
    }

    #[test]
    fn zero_has_a_colour_of_its_own_on_a_logarithmic_scale() {
        let maps = vec![map(vec![
            vec![Some(1e-8), None],
            vec![Some(0.0), Some(1.0)],
        ])];
        let svg = drawing(maps, Cells::Colours).svg();
        assert!(svg.contains("exactly 0"));
        // Two cells, and their key.
        assert_eq!(svg.matches("#c8c8c8").count(), 3);
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        assert!(!svg.contains("1.00e−8"));
    }

    #[test]
    fn cells_with_room_say_their_numbers() {
        let few = || map(vec![vec![Some(1e-8), Some(1.0)]]);
        let svg = drawing(vec![few()], Cells::Numbers).svg();
        assert!(svg.contains("fill=\"#ffffff\" text-anchor=\"middle\">1.00e−8</text>"));
        assert!(svg.contains("fill=\"#222222\" text-anchor=\"middle\">1.00</text>"));
        let many = map(vec![vec![Some(0.5); 100]; 30]);
        assert!(
            !drawing(vec![many], Cells::Numbers)
                .svg()
                .contains(">0.500</text>")
        );
    }

    #[test]
    fn maps_without_measurements_still_draw() {
        let svg = drawing(vec![map(Vec::new())], Cells::Colours).svg();
        assert!(svg.contains("C: nothing measured"));
        // A negative width or height would be an error in SVG.
        assert!(!svg.contains("=\"-"), "everything has a size and a place");
    }

    #[test]
    fn of_many_maps_the_first_are_drawn_and_it_is_said() {
        let maps = (0..40).map(|_| map(vec![vec![Some(1.0)]])).collect();
        let drawing = drawing(maps, Cells::Colours);
        let said = "the first 12 of 40 conditions are drawn";
        assert_eq!(drawing.left_out, [said]);
        assert!(drawing.svg().contains(&format!("Norm; {said}</text>")));
    }

    #[test]
    fn colours_run_from_dark_to_light() {
        assert_eq!(viridis(0.0), Colour([68, 1, 84]));
        assert_eq!(viridis(1.0), Colour([253, 231, 37]));
        assert_eq!(viridis(7.0), viridis(1.0));
        let lightness = |share: f64| {
            let [red, green, blue] = viridis(share).0.map(f64::from);
            0.2126 * red + 0.7152 * green + 0.0722 * blue
        };
        let steps: Vec<f64> = (0..=20)
            .map(|step| lightness(f64::from(step) / 20.0))
            .collect();
        assert!(steps.is_sorted(), "{steps:?}");
    }
}
