//! Counts in words: the one place that knows how English counts.

use std::fmt;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
