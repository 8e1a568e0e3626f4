//! Figures as evidence asks for them: drawn, turned into files and into a piece of the page. One that cannot be drawn costs
//! nothing but itself.

use std::fmt::Write as _;

use base64::{Engine, engine::general_purpose::STANDARD};
use maud::{Markup, html};

use super::arrangement::{MOST_PICTURES, left_out};
use super::{Drawing, Glossary, Grid, PAGE_ROOM, ReportError, Scaling, figure, significant};

/// What a page says of a figure.
#[derive(Debug, Clone, Copy, Default)]
pub struct Words<'a> {
    /// For those who do not see it: what it shows, and what comes out.
    pub alt: &'a str,
    /// The text under the figure.
    pub caption: &'a str,
    /// The file beside the page that has the numbers.
    pub numbers: Option<&'a str>,
}

/// A file that belongs beside the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// The file's name, without a folder.
    pub name: String,
    /// Nothing where there is to be no such file: what an earlier drawing left is no part of this one.
    pub bytes: Option<Vec<u8>>,
}

/// The figures of a page, and the words that it uses.
pub struct Figures {
    /// The words that the page uses.
    pub glossary: Glossary,
    files: Vec<File>,
    failures: Vec<String>,
    /// Bytes of pictures that the page has room for.
    room: usize,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            glossary: Glossary::default(),
            files: Vec::new(),
            failures: Vec::new(),
            room: PAGE_ROOM,
        }
    }
}

impl Figures {
    /// A chart as `name.svg` and `name.png`, the first of them in the page.
    #[must_use]
    pub fn chart(&mut self, name: &str, chart: &Drawing, words: &Words) -> Markup {
        let [svg, png] = ["svg", "png"].map(|kind| format!("{name}.{kind}"));
        let document = chart.svg().into_bytes();
        let mut shown = Shown::new(name, chart.left_out.clone());
        shown.add(&svg, &document, &mut self.room);
        self.file(svg, Some(document));
        match chart.png() {
            Ok(picture) => {
                shown.files.push(png.clone());
                self.file(png, Some(picture));
            }
            Err(error) => {
                self.fail(&mut shown, format!("{png} is left out: {error}"));
                self.file(png, None);
            }
        }
        shown.markup(words)
    }

    /// Grids as `name.png`, `name-2.png`, …, the first of them in the page.
    #[must_use]
    pub fn grids(&mut self, name: &str, grids: &[Grid], scaling: Scaling, words: &Words) -> Markup {
        let file = |at: usize| match at {
            0 => format!("{name}.png"),
            _ => format!("{name}-{}.png", at + 1),
        };
        let shapes: Vec<_> = grids.iter().map(|grid| grid.weights.shape()).collect();
        let mut shown = Shown::new(name, Vec::new());
        let pictures = match figure(grids, scaling) {
            Ok(pictures) => {
                shown.left_out = left_out(&shapes);
                pictures
            }
            Err(error) => {
                self.fail(&mut shown, format!("{} is left out: {error}", file(0)));
                Vec::new()
            }
        };
        for at in pictures.len()..MOST_PICTURES {
            self.file(file(at), None);
        }
        for (at, picture) in pictures.into_iter().enumerate() {
            // Whoever looks for more finds it beside the page.
            let room = if at == 0 { &mut self.room } else { &mut 0 };
            shown.add(&file(at), &picture, room);
            self.file(file(at), Some(picture));
        }
        shown.markup(words)
    }

    /// A picture that is drawn already, as `name.png`.
    #[must_use]
    pub fn picture(
        &mut self,
        name: &str,
        picture: Result<Vec<u8>, ReportError>,
        words: &Words,
    ) -> Markup {
        let file = format!("{name}.png");
        let mut shown = Shown::new(name, Vec::new());
        match picture {
            Ok(picture) => {
                shown.add(&file, &picture, &mut self.room);
                self.file(file, Some(picture));
            }
            Err(error) => {
                self.fail(&mut shown, format!("{file} is left out: {error}"));
                self.file(file, None);
            }
        }
        shown.markup(words)
    }

    /// Takes room of the page for so many bytes of markup that is not of a figure; whether there was so much.
    #[must_use]
    pub fn takes(&mut self, markup: usize) -> bool {
        // A page embeds three bytes as four.
        let left = self.room.checked_sub(markup / 4 * 3);
        self.room = left.unwrap_or(self.room);
        left.is_some()
    }

    /// A file beside the page, or that there is to be none of this name.
    pub fn file(&mut self, name: impl Into<String>, bytes: Option<Vec<u8>>) {
        let name = name.into();
        self.files.push(File { name, bytes });
    }

    fn fail(&mut self, shown: &mut Shown, failure: String) {
        shown.failure = Some(failure.clone());
        self.failures.push(failure);
    }

    /// The files of what was drawn since they were last taken.
    pub fn take_files(&mut self) -> Vec<File> {
        std::mem::take(&mut self.files)
    }

    /// What could not be drawn, and why.
    pub fn failures(&self) -> impl Iterator<Item = &str> {
        self.failures.iter().map(String::as_str)
    }
}

/// A figure as a page shows it.
struct Shown {
    name: String,
    /// Pictures in the page, as data URIs.
    embedded: Vec<String>,
    /// Pictures that the page has no room for, and their bytes.
    beside: Vec<(String, usize)>,
    /// Those that are beside the page and in it.
    files: Vec<String>,
    left_out: Vec<String>,
    failure: Option<String>,
}

impl Shown {
    fn new(name: &str, left_out: Vec<String>) -> Self {
        Self {
            name: name.to_owned(),
            embedded: Vec::new(),
            beside: Vec::new(),
            files: Vec::new(),
            left_out,
            failure: None,
        }
    }

    /// Adds the picture that is in `file`, into the page if there is `room` for its bytes, which it then takes.
    fn add(&mut self, file: &str, bytes: &[u8], room: &mut usize) {
        let kind = match file.rsplit_once('.') {
            Some((_, "svg")) => "svg+xml",
            _ => "png",
        };
        if let Some(left) = room.checked_sub(bytes.len()) {
            *room = left;
            let data = STANDARD.encode(bytes);
            self.embedded
                .push(format!("data:image/{kind};base64,{data}"));
            self.files.push(file.to_owned());
        } else {
            self.beside.push((file.to_owned(), bytes.len()));
        }
    }

    /// The pictures as wide as the page, and under them what they show, what they do not, and where their files are.
    fn markup(&self, words: &Words) -> Markup {
        let remarks: Vec<String> = self.left_out.iter().map(|text| capitalized(text)).collect();
        let files: Vec<&str> = self
            .files
            .iter()
            .map(String::as_str)
            .chain(words.numbers)
            .collect();
        html! {
            figure {
                @for source in &self.embedded {
                    div .sheet tabindex="0" role="region" aria-label=(format!("Figure: {}", self.name)) {
                        p .hint aria-hidden="true" { "Scroll sideways for more." }
                        img src=(source) alt=(words.alt);
                    }
                }
                @if !self.beside.is_empty() {
                    p {
                        "Beside this page: "
                        @for (at, (file, bytes)) in self.beside.iter().enumerate() {
                            @if at > 0 { ", " }
                            (link(file)) " (" (significant(*bytes as f64 / 1e6, 2)) " MB)"
                        }
                        "."
                    }
                }
                figcaption {
                    (words.caption)
                    @for remark in &remarks { " " (remark) "." }
                    @if let Some(failure) = &self.failure { " " strong { (failure) "." } }
                    @if !files.is_empty() {
                        " " span .files {
                            "Files: "
                            @for (at, file) in files.iter().enumerate() { @if at > 0 { ", " } (link(file)) }
                            "."
                        }
                    }
                }
            }
        }
    }
}

/// A link to a file beside the page.
pub(super) fn link(file: &str) -> Markup {
    let mut address = String::new();
    for byte in file.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'/' => {
                address.push(char::from(byte));
            }
            byte => {
                let _ = write!(address, "%{byte:02X}");
            }
        }
    }
    html! { a href=(address) { (file) } }
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

#[cfg(test)]
mod tests {
    use super::super::drawing::{Anchor, INK};
    use super::super::{PictureShape, UnitWeights};
    use super::*;

    const NASTY: &str = "<script>alert('β')</script><img src=\"https://example.org/\">";

    fn drawing() -> Drawing {
        let mut drawing = Drawing::new((90.0, 30.0));
        drawing.text(NASTY, (0.0, 20.0), 14.0, INK, Anchor::Start);
        drawing
    }

    fn grid(weights: &[f32]) -> Grid<'_> {
        Grid {
            title: "β = 0".to_owned(),
            caption: String::new(),
            weights: UnitWeights {
                weights,
                units: 2,
                picture: PictureShape {
                    height: 2,
                    width: 1,
                    channels: 1,
                },
            },
            marked: Vec::new(),
        }
    }

    fn names(files: &[File]) -> Vec<(&str, bool)> {
        let files = files.iter();
        files
            .map(|file| (file.name.as_str(), file.bytes.is_some()))
            .collect()
    }

    #[test]
    fn a_chart_is_two_files_and_a_piece_of_the_page_with_links_to_them() {
        let mut figures = Figures::default();
        let mut drawing = drawing();
        drawing
            .left_out
            .push("the first 2 of 3 lines are drawn".to_owned());
        let words = Words {
            alt: "A falls to 3",
            caption: "Costs.",
            numbers: Some("metrics.csv"),
        };
        let html = figures.chart("curves", &drawing, &words).into_string();
        let files = figures.take_files();
        assert_eq!(names(&files), [("curves.svg", true), ("curves.png", true)]);
        assert_eq!(html.matches("<img ").count(), 1);
        assert!(html.contains("src=\"data:image/svg+xml;base64,"));
        assert!(html.contains("alt=\"A falls to 3\""));
        assert!(html.contains(
            "<figcaption>Costs. The first 2 of 3 lines are drawn. <span class=\"files\">Files: \
             <a href=\"curves.svg\">curves.svg</a>, <a href=\"curves.png\">curves.png</a>, <a href=\"metrics.csv\">metrics.csv</a>.</span>"
        ));
        assert!(figures.take_files().is_empty() && figures.failures().next().is_none());
    }

    #[test]
    fn a_figure_that_cannot_be_drawn_costs_nothing_but_itself() {
        let mut figures = Figures::default();
        let words = Words::default();
        let html = figures
            .grids("units", &[grid(&[0.5; 5])], Scaling::PerTile, &words)
            .into_string();
        let failure =
            "units.png is left out: grid `β = 0`: 5 weights do not make 2 units of 2×1 pixels";
        assert_eq!(figures.failures().collect::<Vec<_>>(), [failure]);
        assert!(html.contains(&format!("<strong>{failure}.</strong>")) && !html.contains("<img"));
        // What an earlier drawing left goes.
        let files = figures.take_files();
        assert_eq!(
            names(&files)[..2],
            [("units.png", false), ("units-2.png", false)]
        );
        assert_eq!(files.len(), MOST_PICTURES);
    }

    #[test]
    fn pictures_that_have_no_room_lie_beside_the_page() {
        let weights = vec![0.5; 784 * 100];
        let grids = vec![
            Grid {
                weights: UnitWeights {
                    weights: &weights,
                    units: 100,
                    picture: PictureShape {
                        height: 28,
                        width: 28,
                        channels: 1,
                    },
                },
                ..grid(&[])
            };
            17
        ];
        let mut figures = Figures::default();
        let words = Words {
            alt: "grids",
            caption: "Weights.",
            numbers: None,
        };
        let html = figures.grids("units", &grids, Scaling::PerTile, &words);
        let html = html.into_string();
        assert_eq!(html.matches("<img ").count(), 1);
        assert!(html.contains("Beside this page: <a href=\"units-2.png\">units-2.png</a> ("));
        assert!(html.contains("Weights. 17 grids fill 2 pictures. "));
        figures.room = 5;
        let html = figures.chart("curves", &drawing(), &words).into_string();
        assert!(!html.contains("<img") && html.contains("<a href=\"curves.svg\">"));
    }

    #[test]
    fn no_text_becomes_markup_and_nothing_is_fetched() {
        let mut figures = Figures::default();
        let words = Words {
            alt: NASTY,
            caption: NASTY,
            numbers: Some(NASTY),
        };
        let chart = figures.chart("javascript:x", &drawing(), &words);
        let grids = figures.grids("a b", &[grid(&[0.5; 4])], Scaling::Shared, &words);
        let html = chart.into_string() + &grids.into_string();
        assert!(!html.contains("<script") && !html.contains("url("));
        // In markup, unlike in escaped text, a quotation mark follows.
        let sources: Vec<&str> = html.split("src=\"").skip(1).collect();
        assert_eq!(sources.len(), 2);
        assert!(
            sources
                .iter()
                .all(|source| source.starts_with("data:image/"))
        );
        let addresses: Vec<&str> = html
            .split("href=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        assert_eq!(addresses[..2], ["javascript%3Ax.svg", "javascript%3Ax.png"]);
        assert!(addresses.iter().all(|address| !address.contains(':')));
        assert!(addresses.contains(&"a%20b.png"));
    }
}
