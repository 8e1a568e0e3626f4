//! A run as one self-contained web page: no requests, no scripts but the one of the details of units, every string
//! escaped by `maud`.
//!
//! Here is the frame that every page has; evidence fills it with sections. Pictures travel as data
//! URIs; an SVG inside `img` cannot run scripts either, whatever its text says. Pictures that would make the page too
//! heavy lie beside it. All links lead to files beside the page, or to places in it.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::figures::link;
use super::{Glossary, significant};
use crate::results::DEAD_TOLERANCE;

/// Bytes of pictures that a page embeds: as text they are 7 MB, which leaves 1 MB of 8 for words and tables.
pub const PAGE_ROOM: usize = 5_250_000;
/// The most rows of a table.
pub const MOST_ROWS: usize = 1000;
/// The most names in a text that tells what a picture shows.
pub const MOST_NAMES: usize = 8;

/// What the tables of a page leave out where there are so many rows.
#[must_use]
pub fn rows_left_out(rows: usize) -> Option<String> {
    (rows > MOST_ROWS).then(|| format!("tables show the first {MOST_ROWS} of {rows} rows"))
}

/// What a page shows. Empty slices and `None` leave their section out.
#[derive(Debug, Clone, Copy, Default)]
pub struct PageInput<'a> {
    /// What a reader knows the run by.
    pub run: &'a str,
    /// The heading of the page.
    pub title: &'a str,
    /// What a reader must know before believing the rest.
    pub notices: &'a [Notice<'a>],
    /// What was found, a section for each piece of evidence.
    pub sections: &'a [Markup],
    /// The words that the sections use.
    pub glossary: Option<&'a Glossary>,
    /// The files beside the page: their names, and what is in them.
    pub files: &'a [(&'a str, &'a str)],
    /// Command line that repeats the run.
    pub command: &'a str,
    /// The resolved configuration, as TOML.
    pub config: &'a str,
    /// Hashes of the weights before and after the drawing.
    pub weight_proof: Option<WeightProof<'a>>,
    /// The data set, in words; empty for none.
    pub data_name: &'a str,
    /// File name and hash.
    pub data_files: &'a [(String, String)],
    /// Backend, device, versions: name and value.
    pub environment: &'a [(String, String)],
}

/// A box at the head of the page.
#[derive(Debug, Clone, Copy)]
pub enum Notice<'a> {
    /// The results are not what the title promises, as after a run that was stopped early.
    Warning(&'a str),
    /// Good to know.
    Note(&'a str),
}

/// Hashes of the weights around the drawing of the figures.
#[derive(Debug, Clone, Copy)]
pub struct WeightProof<'a> {
    /// SHA-256 of the weights before the figures were drawn.
    pub before: &'a str,
    /// SHA-256 of the weights after the figures were drawn.
    pub after: &'a str,
}

/// The page as an HTML document.
#[must_use]
pub fn page(input: &PageInput) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { @if !input.run.is_empty() { (input.run) " · " } (input.title) }
                style { (PreEscaped(include_str!("page.css"))) }
            }
            body {
                main {
                    h1 { @if !input.run.is_empty() { span .run { (input.run) } " " } (input.title) }
                    @for notice in input.notices { (notice_box(*notice)) }
                    @for section in input.sections { (section) }
                    (weight_proof(input.weight_proof))
                    (reproduction(input))
                    (origins(input))
                    @if let Some(glossary) = input.glossary { (glossary.markup()) }
                }
            }
        }
    }
    .into_string()
}

fn notice_box(notice: Notice) -> Markup {
    match notice {
        Notice::Warning(text) => {
            html! { p .notice .warning role="alert" { strong { "Warning: " } (text) } }
        }
        Notice::Note(text) => html! { p .notice { (text) } },
    }
}

/// A number with three significant digits.
#[must_use]
pub fn number(value: f64) -> String {
    significant(value, 3)
}

/// A number that may be none.
#[must_use]
pub fn if_defined(value: Option<f64>) -> String {
    value.map_or_else(|| "not defined".to_owned(), number)
}

/// When a unit counts as dead on `images`, such as "the test images".
#[must_use]
pub fn dead_means(images: &str) -> String {
    format!(
        "Dead: a ramp unit that is above 0 for none of {images}; a unit of another activation whose output varies over {images} by no more than {DEAD_TOLERANCE}."
    )
}

fn weight_proof(proof: Option<WeightProof>) -> Markup {
    html! {
        @if let Some(WeightProof { before, after }) = proof {
            h2 { "Drawing changed nothing" }
            p {
                "Hashes of the weights before and after the figures were drawn are "
                @if before == after { strong .good { "equal" } } @else { strong .bad { "NOT equal" } }
                "."
            }
            dl .pairs {
                dt { "before" } dd { code { (before) } }
                dt { "after" } dd { code { (after) } }
            }
        }
    }
}

fn reproduction(input: &PageInput) -> Markup {
    html! {
        @if !input.command.is_empty() || !input.config.is_empty() { h2 { "How to repeat this" } }
        @if !input.command.is_empty() { (code("Command", input.command)) }
        @if !input.config.is_empty() {
            details {
                summary { "Resolved configuration" }
                (code("Resolved configuration", input.config))
            }
        }
    }
}

/// Text that scrolls by itself where its lines are long.
fn code(name: &str, text: &str) -> Markup {
    html! { pre tabindex="0" role="region" aria-label=(name) { code { (text) } } }
}

fn origins(input: &PageInput) -> Markup {
    let pairs = |pairs: &[(String, String)]| {
        html! {
            dl .pairs {
                @for (name, value) in pairs { dt { (name) } dd { code { (value) } } }
            }
        }
    };
    html! {
        @if !input.data_name.is_empty() || !input.data_files.is_empty() {
            h2 { "Data" }
            p { (input.data_name) }
            (pairs(input.data_files))
        }
        @if !input.environment.is_empty() {
            h2 { "Made with" }
            (pairs(input.environment))
        }
        @if !input.files.is_empty() {
            h2 { "Files beside this page" }
            dl .pairs { @for (file, holds) in input.files { dt { (link(file)) } dd { (holds) } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Term, table};

    const NASTY: &str = "<script>alert('β')</script><img src=\"https://example.org/\">";

    #[test]
    fn no_text_becomes_markup_and_nothing_is_fetched() {
        let pair = [(NASTY.to_owned(), NASTY.to_owned())];
        let mut glossary = Glossary::default();
        let html = page(&PageInput {
            run: NASTY,
            title: NASTY,
            notices: &[Notice::Warning(NASTY), Notice::Note(NASTY)],
            sections: &[
                table(NASTY, &[NASTY], &[vec![NASTY.to_owned()]]),
                glossary.word(Term::Dead, NASTY),
            ],
            glossary: Some(&glossary),
            files: &[(NASTY, NASTY)],
            command: NASTY,
            config: NASTY,
            weight_proof: Some(WeightProof {
                before: NASTY,
                after: NASTY,
            }),
            data_name: NASTY,
            data_files: &pair,
            environment: &pair,
        });
        assert!(!html.contains("<script") && !html.contains("<img") && !html.contains("url("));
        // In markup, unlike in escaped text, a quotation mark follows.
        let addresses: Vec<&str> = html
            .split("href=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        assert_eq!(addresses.len(), 2);
        assert_eq!(addresses[0], "#dead");
        assert!(addresses[1].starts_with("%3Cscript%3E"));
        assert!(html.contains("<dt id=\"dead\">"));
    }

    #[test]
    fn what_scrolls_can_be_reached_by_keyboard_and_print_cuts_nothing() {
        let html = page(&PageInput {
            sections: &[table("Numbers", &["n"], &[])],
            command: "layerwise run x.toml",
            config: "[run]",
            ..PageInput::default()
        });
        let scrolling = ["div class=\"scroll\"", "pre"];
        let found = scrolling.map(|tag| html.matches(&format!("<{tag}")).count());
        assert_eq!(found, [1, 2]);
        assert_eq!(
            html.matches("tabindex=\"0\" role=\"region\" aria-label=")
                .count(),
            3
        );
        let (_, print) = html.split_once("@media print").expect("a style for paper");
        assert!(print.contains("overflow: visible"));
    }

    #[test]
    fn changed_weights_are_called_out() {
        let with = |after| {
            page(&PageInput {
                weight_proof: Some(WeightProof {
                    before: "ab12",
                    after,
                }),
                ..PageInput::default()
            })
        };
        assert!(with("ab12").contains(">equal<") && !with("ab12").contains("NOT equal"));
        assert!(with("ab13").contains("<strong class=\"bad\">NOT equal</strong>"));
    }

    #[test]
    fn a_stopped_run_without_summaries_has_a_page() {
        let html = page(&PageInput {
            title: "Figure 5-6",
            notices: &[Notice::Warning("the run was stopped after epoch 2 of 10")],
            ..PageInput::default()
        });
        assert!(html.contains("the run was stopped after epoch 2 of 10"));
        assert!(!html.contains("Which picture each grid shows") && !html.contains("<table"));
    }
}
