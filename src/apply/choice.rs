//! Which model of a run is meant.

use std::path::Path;

use crate::results::Member;
use crate::words::counted;

/// As many models are named in a message.
const MOST_NAMED: usize = 12;

/// The model that `asked` names: by its label, else by condition and seed, condition, the value of a condition, or seed, if
/// only one is called so. Blanks do not count.
pub(super) fn choose<'a>(
    members: &'a [Member],
    asked: Option<&str>,
    run: &Path,
) -> Result<&'a Member, String> {
    let run = run.display();
    let Some(asked) = asked else {
        return match members {
            [only] => Ok(only),
            [] => Err(format!(
                "{run} holds no model\n  hint: give the folder of another run"
            )),
            several => Err(format!(
                "{run} holds {}, and one is needed\n  hint: name it, as in --model '{}'; there are {}",
                counted(several.len(), "model"),
                several[0].label,
                names(&several.iter().collect::<Vec<_>>())
            )),
        };
    };
    if let Some(exact) = members.iter().find(|member| member.label == asked) {
        return Ok(exact);
    }
    let wanted = squeezed(asked);
    let is_called_so = |member: &&Member| {
        let Member {
            condition, seed, ..
        } = member;
        // `0.1` of `β = 0.1`: not every keyboard has the letter.
        let value = condition.rsplit(" = ").next().unwrap_or(condition);
        [
            format!("{condition},seed{seed}"),
            format!("{condition}/seed{seed}"),
            format!("{value},seed{seed}"),
            condition.clone(),
            value.to_owned(),
            format!("seed{seed}"),
        ]
        .iter()
        .any(|name| squeezed(name) == wanted)
    };
    let called_so: Vec<&Member> = members.iter().filter(is_called_so).collect();
    match called_so.as_slice() {
        [only] => Ok(only),
        [] => Err(format!(
            "no model of {run} is called `{asked}`\n  hint: there {} {}",
            if members.len() == 1 { "is only" } else { "are" },
            names(&members.iter().collect::<Vec<_>>())
        )),
        several => Err(format!(
            "`{asked}` is what {} of {run} are called\n  hint: name one, as in --model '{}'; there are {}",
            counted(several.len(), "model"),
            several[0].label,
            names(several)
        )),
    }
}

fn squeezed(name: &str) -> String {
    name.split_whitespace().collect()
}

/// Labels, which may hold commas.
fn names(members: &[&Member]) -> String {
    let shown = members.iter().take(MOST_NAMED);
    let names: Vec<String> = shown.map(|member| format!("`{}`", member.label)).collect();
    let others = members.len().saturating_sub(MOST_NAMED);
    let others = (others > 0).then(|| format!(" and {others} others"));
    names.join(", ") + &others.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members() -> Vec<Member> {
        let seeds = [0, 7];
        let places = [("β = 0", 0), ("β = 0", 7), ("D", 0), ("D", 7)];
        let members = places.iter().enumerate();
        members
            .map(|(index, (name, seed))| Member::new(index, (*name).to_owned(), *seed, &seeds))
            .collect()
    }

    fn chosen(asked: &str) -> Result<usize, String> {
        let members = members();
        choose(&members, Some(asked), Path::new("run")).map(|member| member.index)
    }

    #[test]
    fn a_model_is_called_by_condition_and_seed_in_any_spelling() {
        for name in [
            "β = 0, seed 7",
            "β=0,seed7",
            "β = 0/seed 7",
            " β = 0 , seed 7 ",
            "0, seed 7",
        ] {
            assert_eq!(chosen(name), Ok(1), "{name}");
        }
    }

    #[test]
    fn one_seed_needs_no_seed_and_one_condition_no_condition() {
        let of_seed: Vec<Member> = members().into_iter().filter(|of| of.seed == 0).collect();
        let of_seed = [
            Member {
                index: 0,
                ..of_seed[0].clone()
            },
            Member {
                index: 1,
                ..of_seed[1].clone()
            },
        ];
        let run = Path::new("run");
        assert_eq!(choose(&of_seed, Some("D"), run).unwrap().index, 1);
        let of_condition = &members()[..2];
        assert_eq!(choose(of_condition, Some("seed 7"), run).unwrap().index, 1);
        assert_eq!(choose(&of_seed[..1], None, run).unwrap().index, 0);
    }

    #[test]
    fn what_names_none_or_several_is_told_with_the_names_that_there_are() {
        assert_eq!(
            chosen("C").unwrap_err(),
            "no model of run is called `C`\n  hint: there are `β = 0, seed 0`, `β = 0, seed 7`, `D, seed 0`, `D, seed 7`"
        );
        assert_eq!(
            chosen("D").unwrap_err(),
            "`D` is what 2 models of run are called\n  hint: name one, as in --model 'D, seed 0'; there are `D, seed 0`, \
             `D, seed 7`"
        );
        assert_eq!(
            choose(&members(), None, Path::new("run")).unwrap_err(),
            "run holds 4 models, and one is needed\n  hint: name it, as in --model 'β = 0, seed 0'; there are `β = 0, seed \
             0`, `β = 0, seed 7`, `D, seed 0`, `D, seed 7`"
        );
    }
}
