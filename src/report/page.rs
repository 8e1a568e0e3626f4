//! A run as one self-contained web page: no scripts, no requests, every string escaped by `maud`.
//!
//! Here is the frame that every page has; evidence fills it with sections. Pictures travel as data
//! URIs; an SVG inside `img` cannot run scripts either, whatever its text says. Pictures that would make the page too
//! heavy lie beside it, and it has links to them.

use base64::{Engine, engine::general_purpose::STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::significant;
use crate::results::DEAD_TOLERANCE;

/// Bytes of pictures that a page embeds: as text they are 12 MB.
pub const PAGE_ROOM: usize = 9_000_000;
/// The most rows of a table.
pub const MOST_ROWS: usize = 1000;
/// The most names in a text that tells what a picture shows.
pub const MOST_NAMES: usize = 8;

/// A figure as a page shows it.
#[derive(Debug, Clone, Default)]
pub struct Figure {
    /// One, or several where one has no room for all; none where it could not be drawn.
    pictures: Vec<Picture>,
    /// What it does not show, or not as one would expect: a remark each.
    pub left_out: Vec<String>,
    /// What could not be drawn, and why.
    pub failure: Option<String>,
}

#[derive(Debug, Clone)]
enum Picture {
    /// As a data URI.
    Embedded(String),
    /// As a file beside the page, of so many bytes.
    Beside { file: String, bytes: usize },
}

impl Figure {
    /// Adds the picture that is in `file`, into the page if there is `room` for its bytes, which it then takes.
    pub fn add(&mut self, file: &str, bytes: &[u8], room: &mut usize) {
        let kind = match file.rsplit_once('.') {
            Some((_, "svg")) => "svg+xml",
            _ => "png",
        };
        self.pictures.push(match room.checked_sub(bytes.len()) {
            Some(left) => {
                *room = left;
                Picture::Embedded(format!(
                    "data:image/{kind};base64,{}",
                    STANDARD.encode(bytes)
                ))
            }
            None => Picture::Beside {
                file: file.to_owned(),
                bytes: bytes.len(),
            },
        });
    }

    /// The pictures that are not in the page, with their sizes.
    fn beside(&self) -> impl Iterator<Item = (&str, usize)> {
        self.pictures.iter().filter_map(|picture| match picture {
            Picture::Beside { file, bytes } => Some((file.as_str(), *bytes)),
            Picture::Embedded(_) => None,
        })
    }

    /// The pictures as wide as the page, and under them what they show and what they do not.
    #[must_use]
    pub fn markup(&self, alt: &str, caption: &str) -> Markup {
        let remarks: Vec<String> = self.left_out.iter().map(|text| capitalized(text)).collect();
        html! {
            figure {
                @for picture in &self.pictures {
                    @if let Picture::Embedded(source) = picture { div .sheet { img src=(source) alt=(alt); } }
                }
                @if self.beside().next().is_some() {
                    p {
                        "Beside this page: "
                        @for (at, (file, bytes)) in self.beside().enumerate() {
                            @if at > 0 { ", " }
                            a href=(file) { (file) } " (" (significant(bytes as f64 / 1e6, 2)) " MB)"
                        }
                        "."
                    }
                }
                figcaption {
                    (caption)
                    @for remark in &remarks { " " (remark) "." }
                    @if let Some(failure) = &self.failure { " " strong { (failure) "." } }
                }
            }
        }
    }
}

/// What the tables of a page leave out where there are so many rows.
#[must_use]
pub fn rows_left_out(rows: usize) -> Option<String> {
    (rows > MOST_ROWS).then(|| format!("tables show the first {MOST_ROWS} of {rows} rows"))
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

/// What a page shows. Empty slices and `None` leave their section out.
#[derive(Debug, Clone, Copy, Default)]
pub struct PageInput<'a> {
    /// What a reader knows the run by.
    pub run: &'a str,
    pub title: &'a str,
    /// What a reader must know before believing the rest.
    pub notices: &'a [Notice<'a>],
    /// What was found, a section for each piece of evidence.
    pub sections: &'a [Markup],
    /// Command line that repeats the run.
    pub command: &'a str,
    /// The resolved configuration, as TOML.
    pub config: &'a str,
    pub weight_proof: Option<WeightProof<'a>>,
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
    pub before: &'a str,
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
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { @if !input.run.is_empty() { span .run { (input.run) } " " } (input.title) }
                    @for notice in input.notices { (notice_box(*notice)) }
                    @for section in input.sections { (section) }
                    (weight_proof(input.weight_proof))
                    (reproduction(input))
                    (origins(input))
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

/// A table that scrolls by itself on a narrow screen; the first column holds names, the others numbers.
#[must_use]
pub fn table(caption: &str, head: &[impl AsRef<str>], rows: &[Vec<String>]) -> Markup {
    let left_out = rows_left_out(rows.len());
    let rows = &rows[..rows.len().min(MOST_ROWS)];
    html! {
        div .scroll {
            table {
                caption { (caption) @if let Some(left_out) = left_out { "; " (left_out) } }
                thead { tr { @for cell in head { th scope="col" { (cell.as_ref()) } } } }
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
        @if !input.command.is_empty() { pre { code { (input.command) } } }
        @if !input.config.is_empty() {
            details {
                summary { "Resolved configuration" }
                pre { code { (input.config) } }
            }
        }
    }
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
    }
}

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #222; --faint: #666; --ground: #fff; --line: #ddd; --wash: #f5f5f3;
  --bad: #b3261e; --good: #1b6e3c; --warning: #fdecea }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e6e6; --faint: #a5a5a5; --ground: #17181a; --line: #3a3c40;
  --wash: #212327; --bad: #ff8a80; --good: #7fd6a0; --warning: #3b1d1b } }
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.55 Ubuntu, 'Segoe UI', system-ui, sans-serif }
main { max-width: 1240px; margin: 0 auto; padding: 24px clamp(14px, 3vw, 40px) 64px }
h1 { font-size: clamp(1.5rem, 4vw, 2.2rem); line-height: 1.2; font-weight: 400; margin: .4em 0 }
.run { display: block; color: var(--faint); font-size: .55em }
a { color: inherit }
h2 { font-size: 1.25rem; font-weight: 500; margin: 2.2em 0 .6em }
h1, .notice, dd, code { overflow-wrap: anywhere }
p, .regimes { max-width: 46em }
.formula { white-space: nowrap }
.notice { border-left: 4px solid var(--faint); background: var(--wash); padding: .7em 1em }
.warning { border-color: var(--bad); background: var(--warning) }
.good { color: var(--good) } .bad { color: var(--bad); font-size: 1.2em }
figure { margin: 1.2em 0 }
figcaption, caption { color: var(--faint); font-size: .9rem; text-align: left }
caption { padding: .4em 0 }
.sheet { background: #fff; border: 1px solid var(--line); border-radius: 6px; overflow-x: auto }
.sheet img { display: block; width: 100%; min-width: 640px; height: auto }
.scroll { overflow-x: auto; margin: 1.4em 0 }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums }
th, td { padding: .35em .8em; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap }
thead th { font-weight: 500; vertical-align: bottom; white-space: normal }
th:first-child { text-align: left; padding-left: 0; font-weight: 500 }
dl.pairs { display: grid; grid-template-columns: max-content 1fr; gap: .2em 1.2em; font-size: .92rem }
dt { color: inherit } dl.pairs dt { color: var(--faint) } dd { margin: 0 } .regimes dd { margin: 0 0 .7em; color: var(--faint) }
@media (max-width: 560px) { dl.pairs { grid-template-columns: 1fr } }
pre { background: var(--wash); padding: .8em 1em; border-radius: 6px; overflow-x: auto; font-size: .88rem }
pre code { overflow-wrap: normal }
summary { cursor: pointer }
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::curves::tests::record;

    const NASTY: &str = "<script>alert('β')</script><img src=\"https://example.org/\">";

    #[test]
    fn no_text_becomes_markup_and_nothing_is_fetched() {
        let pair = [(NASTY.to_owned(), NASTY.to_owned())];
        let mut room = PAGE_ROOM;
        let mut figure = |file: &str, bytes: &[u8]| {
            let mut figure = Figure {
                left_out: vec![NASTY.to_owned()],
                failure: Some(NASTY.to_owned()),
                ..Figure::default()
            };
            figure.add(file, bytes, &mut room);
            figure
        };
        let svg = crate::report::learning_curves(&[record(0, NASTY, 1)]).svg();
        let (grids, shared) = (figure("f.png", b"png"), figure("s.png", b"png"));
        let curves = figure("c.svg", svg.as_bytes());
        let html = page(&PageInput {
            run: NASTY,
            title: NASTY,
            notices: &[Notice::Warning(NASTY), Notice::Note(NASTY)],
            sections: &[
                grids.markup(NASTY, NASTY),
                shared.markup(NASTY, NASTY),
                curves.markup(NASTY, NASTY),
                table(NASTY, &[NASTY], &[vec![NASTY.to_owned()]]),
            ],
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
        assert!(!html.contains("<script") && !html.contains("href") && !html.contains("url("));
        // In markup, unlike in escaped text, a quotation mark follows.
        let sources: Vec<&str> = html.split("src=\"").skip(1).collect();
        assert_eq!(sources.len(), 3);
        assert!(
            sources
                .iter()
                .all(|source| source.starts_with("data:image/"))
        );
        assert_eq!(html.matches("<img ").count(), 3);
    }

    #[test]
    fn pictures_that_have_no_room_lie_beside_the_page() {
        let mut room = 5;
        let mut figure = Figure {
            left_out: vec!["2 grids fill 2 pictures".to_owned()],
            ..Figure::default()
        };
        figure.add("figure.png", b"1234", &mut room);
        figure.add("figure-2.png", &vec![0; 2_340_000], &mut room);
        let html = figure.markup("two grids", "Weights.").into_string();
        assert_eq!(html.matches("<img ").count(), 1);
        assert!(html.contains(
            "<p>Beside this page: <a href=\"figure-2.png\">figure-2.png</a> (2.3 MB).</p>"
        ));
        assert!(html.contains("<figcaption>Weights. 2 grids fill 2 pictures.</figcaption>"));
    }

    #[test]
    fn what_could_not_be_drawn_is_told_in_its_place() {
        let figure = Figure {
            failure: Some("a.png is left out: it is broken".to_owned()),
            ..Figure::default()
        };
        let html = figure.markup("a grid", "Weights.").into_string();
        assert!(!html.contains("<img"));
        assert!(html.contains("<strong>a.png is left out: it is broken.</strong>"));
    }

    #[test]
    fn a_table_of_very_many_rows_is_cut_and_says_so() {
        let rows: Vec<Vec<String>> = (0..1234).map(|row| vec![row.to_string()]).collect();
        let html = table("Numbers", &["n"], &rows).into_string();
        assert_eq!(html.matches("<tr>").count(), 1 + MOST_ROWS);
        assert!(html.contains("Numbers; tables show the first 1000 of 1234 rows"));
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
