//! Counts, lists, durations and paths in words: how English counts, and how a shell reads.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::time::Duration;

/// `1 seed`, `2 seeds`, `0 seeds`: a count with its noun, which is given in the singular and has a regular plural.
pub fn counted(count: impl fmt::Display, noun: &str) -> String {
    let count = count.to_string();
    if count == "1" {
        return format!("{count} {noun}");
    }
    let before_last = noun.chars().rev().nth(1);
    let hisses = ["s", "x", "z", "ch", "sh"];
    // The `ch` of an epoch is a `k`.
    let hisses = hisses.iter().any(|end| noun.ends_with(end)) && !noun.ends_with("epoch");
    match noun.strip_suffix('y') {
        Some(stem) if before_last.is_some_and(|letter| !"aeiou".contains(letter)) => {
            format!("{count} {stem}ies")
        }
        _ if hisses => format!("{count} {noun}es"),
        _ => format!("{count} {noun}s"),
    }
}

/// `10 classes`, or `no labels` where there is none.
pub fn classes_in_words(classes: usize) -> String {
    match classes {
        0 => "no labels".to_owned(),
        classes => counted(classes, "class"),
    }
}

/// A value as TOML writes it, for a reader: a text without its quotation marks.
pub fn unquoted(value: &str) -> &str {
    value.trim_matches('"')
}

/// A condition's name in a sentence: in quotation marks where it could be read as more than one word of the sentence.
pub fn named(name: &str) -> Cow<'_, str> {
    if name.contains([',', '=']) {
        format!("“{name}”").into()
    } else {
        name.into()
    }
}

/// How this program is started in a command line to copy: by cargo, where cargo started it, else by its name.
pub fn program() -> &'static str {
    match std::env::var_os("CARGO_PKG_NAME") {
        Some(name) if name == env!("CARGO_PKG_NAME") => "cargo run --",
        _ => env!("CARGO_PKG_NAME"),
    }
}

/// A path as a word of a POSIX shell's command line.
pub fn in_shell(path: &Path) -> String {
    let path = path.display().to_string();
    // A word that begins so would be taken for a flag.
    let path = if path.starts_with('-') {
        format!("./{path}")
    } else {
        path
    };
    // No path holds the one character that cannot be quoted.
    shlex::try_quote(&path).map_or_else(|_| path.clone(), Cow::into_owned)
}

/// A name that is one plain file name on every system and in every terminal, and one word of a line.
pub fn harmless(name: &str) -> String {
    let harmless = |c: char| {
        if c.is_alphanumeric() || "-_.".contains(c) {
            c
        } else {
            '-'
        }
    };
    name.chars().map(harmless).collect()
}

/// `a`, `a and b`, `a, b and c`; of more than `most`, the first and how many others.
pub fn listed(names: impl IntoIterator<Item = impl AsRef<str>>, most: usize) -> String {
    let names: Vec<_> = names.into_iter().collect();
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    let (shown, others) = names.split_at(names.len().min(most));
    let others = (!others.is_empty()).then(|| format!("{} others", others.len()));
    let mut words: Vec<&str> = shown.to_vec();
    words.extend(others.as_deref());
    match words.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => words.concat(),
    }
}

/// Names of conditions or of models, [`listed`]; all in quotation marks if one of them has a comma.
pub fn listed_names(names: impl IntoIterator<Item = impl AsRef<str>>, most: usize) -> String {
    let names: Vec<_> = names.into_iter().collect();
    if names.iter().all(|name| !name.as_ref().contains(',')) {
        return listed(names, most);
    }
    let quoted = names.iter().map(|name| format!("“{}”", name.as_ref()));
    listed(quoted, most)
}

/// `text` with blanks up to so many letters: unlike a width in a format, as many as it takes.
pub fn padded(text: &str, width: usize) -> String {
    let blanks = width.saturating_sub(text.chars().count());
    format!("{text}{}", " ".repeat(blanks))
}

/// Rows of a table, their columns in line; a row may lack its last cells.
#[must_use]
pub fn in_columns(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths);
        let cells: Vec<String> = cells.map(|(cell, &width)| padded(cell, width)).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// A duration as a person writes it: `42 s`, `3 min 05 s`, `2 h 10 min`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64().round() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// [`duration`] of a count of seconds, and below ten of them with tenths: `3.4 s`.
#[must_use]
pub fn seconds(seconds: f64) -> String {
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    duration(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

/// Text from outside with everything escaped that a terminal would obey or hide.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '"' | '\'' | '\\') {
            safe.push(character);
        } else {
            safe.extend(character.escape_debug());
        }
    }
    safe
}

/// A message without anything that a terminal would obey; it may quote files that anybody wrote.
pub fn printable(message: &str) -> String {
    let lines: Vec<String> = message.lines().map(escaped).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_may_be_wider_than_a_format_allows() {
        assert_eq!(padded("β", 3), "β  ");
        assert_eq!(padded("long", 2), "long");
        let wide = "x".repeat(70_000);
        let rows = [wide.clone(), String::new()].map(|cell| vec![cell, "y".to_owned()]);
        assert_eq!(in_columns(&rows)[1].len(), wide.len() + 3);
    }

    #[test]
    fn one_is_singular_and_nothing_else_is() {
        let seeds = |count: usize| counted(count, "seed");
        assert_eq!(
            [seeds(0), seeds(1), seeds(2), seeds(101)],
            ["0 seeds", "1 seed", "2 seeds", "101 seeds"]
        );
    }

    #[test]
    fn regular_plurals_of_every_ending() {
        let two = |noun| counted(2, noun);
        assert_eq!(
            [two("class"), two("batch"), two("box"), two("entry")],
            ["2 classes", "2 batches", "2 boxes", "2 entries"]
        );
        assert_eq!(
            [two("key"), two("epoch"), two("hidden unit")],
            ["2 keys", "2 epochs", "2 hidden units"]
        );
    }

    #[test]
    fn durations_read_well() {
        let text = |seconds| duration(Duration::from_secs_f64(seconds));
        assert_eq!(
            [text(59.4), text(59.6), text(61.0), text(7260.0)],
            ["59 s", "1 min 00 s", "1 min 01 s", "2 h 01 min"]
        );
    }

    #[test]
    fn a_shell_reads_a_path_as_it_is() {
        let quoted = |path: &str| in_shell(Path::new(path));
        assert_eq!(quoted("runs/figure56-001"), "runs/figure56-001");
        assert_eq!(
            quoted("runs/my rün/config.toml"),
            "'runs/my rün/config.toml'"
        );
        assert_eq!(quoted("it's"), "\"it's\"");
        assert_eq!(quoted("$HOME; rm *"), "'$HOME; rm *'");
        assert_eq!(quoted("-x"), "./-x");
    }

    #[test]
    fn a_name_with_a_comma_stands_in_quotation_marks() {
        assert_eq!(listed_names(["A", "β = 0"], 9), "A and β = 0");
        assert_eq!(listed_names(["A", "B, k = 2"], 9), "“A” and “B, k = 2”");
        assert_eq!([named("C"), named("C He")], ["C", "C He"]);
        assert_eq!(
            [named("deep, classes"), named("hidden units = 20")],
            ["“deep, classes”", "“hidden units = 20”"]
        );
    }

    #[test]
    fn names_are_listed_up_to_so_many() {
        assert_eq!(listed([""; 0], 3), "");
        assert_eq!(listed(["A"], 3), "A");
        assert_eq!(listed(["A", "B", "C"], 3), "A, B and C");
        assert_eq!(listed(["A", "B", "C", "D", "E"], 3), "A, B, C and 2 others");
    }
}
