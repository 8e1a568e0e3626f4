//! Tables: on the page for readers, as CSV for programs.

use maud::{Markup, Render, html};

use super::page::rows_left_out;
use super::{MOST_ROWS, number};

/// A table that scrolls by itself on a narrow screen; the first column holds names, the others numbers.
#[must_use]
pub fn table(caption: &str, head: &[impl Render], rows: &[Vec<String>]) -> Markup {
    let left_out = rows_left_out(rows.len());
    let rows = &rows[..rows.len().min(MOST_ROWS)];
    html! {
        div .scroll tabindex="0" role="region" aria-label=(format!("Table: {caption}")) {
            p .hint aria-hidden="true" { "Scroll sideways for more." }
            table {
                caption { span { (caption) @if let Some(left_out) = left_out { "; " (left_out) } } }
                thead { tr { @for cell in head { th scope="col" { (cell) } } } }
                tbody {
                    @for row in rows {
                        tr {
                            @for (index, cell) in row.iter().enumerate() {
                                @if index == 0 { th scope="row" { (cell) } } @else { td { (cell) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A tidy table: every row is one observation, and every column says what it holds.
#[derive(Debug, Clone, Default)]
pub struct Tidy {
    /// From the left.
    pub columns: Vec<Column>,
    /// As many cells in each row as there are columns.
    pub rows: Vec<Vec<Cell>>,
}

/// A column of a tidy table.
#[derive(Debug, Clone)]
pub struct Column {
    /// As a program knows it.
    pub name: String,
    /// What it holds, with its unit.
    pub meaning: String,
}

/// A cell of a tidy table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// A text.
    Text(String),
    /// A number, in the unit of its column.
    Number(f64),
    /// Not defined, or not measured.
    Missing,
}

impl Cell {
    fn for_readers(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(value) => number(*value),
            Self::Missing => "–".to_owned(),
        }
    }

    fn for_programs(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(value) => value.to_string(),
            Self::Missing => String::new(),
        }
    }
}

impl Tidy {
    /// The table as CSV: every digit, and nothing in a cell that is missing.
    ///
    /// # Panics
    /// Where rows are of different lengths.
    #[must_use]
    pub fn csv(&self) -> Vec<u8> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let head = self.columns.iter().map(|column| column.name.clone());
        let rows = self.rows.iter();
        let rows = rows.map(|row| row.iter().map(Cell::for_programs).collect());
        for record in std::iter::once(head.collect::<Vec<String>>()).chain(rows) {
            writer
                .write_record(record)
                .expect("rows of equal length, in memory");
        }
        writer.into_inner().expect("memory takes every byte")
    }

    /// The table for a reader, with what its columns hold.
    #[must_use]
    pub fn markup(&self, caption: &str) -> Markup {
        let head: Vec<&str> = self.columns.iter().map(|column| &*column.name).collect();
        let rows = self.rows.iter();
        let rows: Vec<Vec<String>> = rows
            .map(|row| row.iter().map(Cell::for_readers).collect())
            .collect();
        html! {
            (table(caption, &head, &rows))
            dl .pairs { @for column in &self.columns { dt { (column.name) } dd { (column.meaning) } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_very_many_rows_is_cut_and_says_so() {
        let rows: Vec<Vec<String>> = (0..1234).map(|row| vec![row.to_string()]).collect();
        let html = table("Numbers", &["n"], &rows).into_string();
        assert_eq!(html.matches("<tr>").count(), 1 + MOST_ROWS);
        assert!(html.contains("Numbers; tables show the first 1000 of 1234 rows"));
        assert!(html.contains("tabindex=\"0\" role=\"region\" aria-label=\"Table: Numbers\""));
    }

    #[test]
    fn a_tidy_table_has_every_digit_for_programs_and_few_for_readers() {
        let column = |name: &str, meaning: &str| Column {
            name: name.to_owned(),
            meaning: meaning.to_owned(),
        };
        let table = Tidy {
            columns: vec![
                column("condition", "the condition’s name"),
                column("accuracy", "share of test images, <1>"),
            ],
            rows: vec![
                vec![Cell::Text("a, \"b\"".to_owned()), Cell::Number(0.1 + 0.2)],
                vec![Cell::Text("<b>".to_owned()), Cell::Missing],
            ],
        };
        let csv = String::from_utf8(table.csv()).expect("text");
        assert_eq!(
            csv,
            "condition,accuracy\n\"a, \"\"b\"\"\",0.30000000000000004\n<b>,\n"
        );
        let html = table.markup("Results").into_string();
        assert!(html.contains("<td>0.300</td>") && html.contains("<td>–</td>"));
        assert!(html.contains("<dd>share of test images, &lt;1&gt;</dd>"));
        assert!(!html.contains("<b>"));
    }
}
