//! Tables of a page.

use maud::{Markup, PreEscaped, Render, html};

use super::MOST_ROWS;
use super::page::rows_left_out;

/// A table that scrolls by itself on a narrow screen; the first column holds names, the others numbers.
#[must_use]
pub fn table(caption: &str, head: &[impl Render], rows: &[Vec<String>]) -> Markup {
    of_class("", caption, head, rows)
}

/// A [`table`] that a reader sorts by any column, with the script that does it; a page has one of them.
#[must_use]
pub fn sorted_table(caption: &str, head: &[impl Render], rows: &[Vec<String>]) -> Markup {
    html! {
        (of_class("sorted", caption, head, rows))
        script { (PreEscaped(include_str!("sort.js"))) }
    }
}

fn of_class(class: &str, caption: &str, head: &[impl Render], rows: &[Vec<String>]) -> Markup {
    let left_out = rows_left_out(rows.len());
    let rows = &rows[..rows.len().min(MOST_ROWS)];
    html! {
        div .scroll tabindex="0" role="region" aria-label=(format!("Table: {caption}")) {
            p .hint aria-hidden="true" { "Scroll sideways for more." }
            table class=[Some(class).filter(|class| !class.is_empty())] {
                caption { span { (caption) @if let Some(left_out) = left_out { "; " (left_out) } } }
                thead { tr { @for cell in head { th scope="col" { (cell) } } } }
                tbody {
                    @for row in rows {
                        tr {
                            @for (index, cell) in row.iter().enumerate() {
                                @if index == 0 { (name(cell)) } @else { td { (cell) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The cell that a row begins with; a long one goes over several lines.
fn name(cell: &str) -> Markup {
    const LONG: usize = 36;
    let class = (cell.chars().count() > LONG).then_some("long");
    html! { th scope="row" class=[class] { (cell) } }
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
        assert!(html.contains("<th scope=\"row\">999</th>"));
        assert!(html.contains("tabindex=\"0\" role=\"region\" aria-label=\"Table: Numbers\""));
    }
}
