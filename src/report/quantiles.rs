//! Many numbers of many conditions: a row for each, with its smallest to largest number as a line, the middle half as a bar,
//! and the median as a mark. Positive numbers that lie far apart are drawn by their logarithms.

use crate::results::quantile;

use super::axis::{Axis, Vertical};
use super::chart::{AXIS_LINE, LABEL_SIZE, PALETTE, SHEET_WIDTH, TICK_SIZE};
use super::drawing::{Anchor, Drawing, FAINT_INK, INK, WHITE};
use super::font;

const TOP: f32 = 34.0;
const BOTTOM: f32 = 34.0;
const ROW: f32 = 20.0;
const LEFT: f32 = 14.0;
const RIGHT: f32 = 24.0;
const BAR: f32 = 9.0;
/// Of a name; longer ones are cut.
const WIDEST_NAME: f32 = 420.0;
/// Rows of one drawing.
const MOST_ROWS: usize = 80;

/// The numbers of one quantity, a row for each condition, from the top.
pub struct Quantiles {
    /// The quantity, with its unit.
    pub title: String,
    /// What each row is called, and its numbers, one at least.
    pub rows: Vec<(String, Vec<f64>)>,
}

/// The smallest number, the ends of the middle half, the median, and the largest: of numbers in order.
///
/// # Panics
///
/// Panics without numbers.
#[must_use]
pub fn five_numbers(sorted: &[f64]) -> [f64; 5] {
    [0.0, 0.25, 0.5, 0.75, 1.0].map(|share| quantile(sorted, share).expect("a row has numbers"))
}

impl Quantiles {
    /// All rows on one axis.
    ///
    /// # Panics
    ///
    /// Panics if a row has no numbers.
    #[must_use]
    pub fn drawing(&self) -> Drawing {
        let rows: Vec<(&str, [f64; 5])> = self
            .rows
            .iter()
            .take(MOST_ROWS)
            .map(|(name, numbers)| {
                let mut sorted = numbers.clone();
                sorted.sort_by(f64::total_cmp);
                (name.as_str(), five_numbers(&sorted))
            })
            .collect();
        let height = TOP + ROW * rows.len() as f32 + BOTTOM;
        let mut drawing = Drawing::new((SHEET_WIDTH, height));
        let all = self.rows.len();
        if all > MOST_ROWS {
            let told = format!("the first {MOST_ROWS} of {all} rows are drawn");
            drawing.left_out.push(told);
        }
        drawing.rectangle((0.0, 0.0), (SHEET_WIDTH, height), WHITE);
        drawing.text(
            &self.title,
            (LEFT, TOP - 14.0),
            LABEL_SIZE,
            INK,
            Anchor::Start,
        );
        let names: Vec<String> = rows.iter().map(|(name, _)| cut(name)).collect();
        let widths = names.iter().map(|name| font::text_width(name, TICK_SIZE));
        let left = LEFT + widths.fold(0.0, f32::max) + 14.0;
        let right = SHEET_WIDTH - RIGHT;
        let ends = rows.iter().flat_map(|(_, five)| [five[0], five[4]]);
        let Some(axis) = Axis::of_values(ends, Vertical::Either) else {
            return drawing;
        };
        let bottom = TOP + ROW * rows.len() as f32;
        for (tick, label) in axis.ticks() {
            let x = axis.place(tick, left, right);
            drawing.polyline(&[(x, TOP), (x, bottom)], 0.5, AXIS_LINE);
            let at = (x, bottom + 6.0 + TICK_SIZE);
            drawing.text(&label, at, TICK_SIZE, FAINT_INK, Anchor::Middle);
        }
        for (at, ((_, five), name)) in rows.iter().zip(&names).enumerate() {
            let y = TOP + ROW * (at as f32 + 0.5);
            let baseline = (left - 10.0, y + 0.35 * TICK_SIZE);
            drawing.text(name, baseline, TICK_SIZE, INK, Anchor::End);
            let x = five.map(|value| axis.place(value, left, right));
            drawing.polyline(&[(x[0], y), (x[4], y)], 1.5, PALETTE[0]);
            let wide = (x[3] - x[1]).max(1.0);
            drawing.rectangle((x[1], y - BAR / 2.0), (wide, BAR), PALETTE[0]);
            drawing.rectangle((x[2] - 1.5, y - BAR / 2.0 - 2.0), (3.0, BAR + 4.0), INK);
        }
        drawing
    }
}

fn cut(name: &str) -> String {
    if font::text_width(name, TICK_SIZE) <= WIDEST_NAME {
        return name.to_owned();
    }
    let mut shorter: String = name.to_owned();
    while font::text_width(&shorter, TICK_SIZE) > WIDEST_NAME && shorter.pop().is_some() {}
    shorter + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_numbers_of_a_few() {
        for (numbers, five) in [
            (&[3.0][..], [3.0; 5]),
            (&[1.0, 2.0], [1.0, 1.25, 1.5, 1.75, 2.0]),
            (&[0.0, 1.0, 2.0, 3.0, 10.0], [0.0, 1.0, 2.0, 3.0, 10.0]),
        ] {
            assert_eq!(
                five_numbers(numbers).map(f64::to_bits),
                five.map(f64::to_bits)
            );
        }
    }

    #[test]
    fn a_row_has_its_name_and_its_marks_in_order() {
        let rows = vec![
            ("few".to_owned(), vec![1.0, 2.0, 3.0]),
            ("one".to_owned(), vec![2.0]),
        ];
        let title = "test error, %".to_owned();
        let svg = Quantiles { title, rows }.drawing().svg();
        for text in ["test error, %", ">few<", ">one<"] {
            assert!(svg.contains(text), "{svg}");
        }
        let many = Quantiles {
            title: String::new(),
            rows: vec![("row".to_owned(), vec![1.0]); 100],
        };
        let drawing = many.drawing();
        assert_eq!(drawing.left_out, ["the first 80 of 100 rows are drawn"]);
        assert_eq!(drawing.svg().matches(">row<").count(), 80);
    }
}
