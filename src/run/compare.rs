//! Several runs side by side: one page and one table of what each of their models came to.

use std::fs;
use std::path::{Path, PathBuf};

use maud::{PreEscaped, html};

use super::Failure;
use crate::config::{self, Overrides};
use crate::evidence::quantities::{self, Finding, Outcomes, Quantity};
use crate::report::{self, Drawing, MOST_NAMES, PageInput, Quantiles};
use crate::results::{Member, Results};
use crate::run_dir::{self, Manifest, Records, RunDir, write_whole};
use crate::spec::Plan;
use crate::words::listed;

/// A run as far as it is compared.
struct Side {
    name: String,
    plan: Plan,
    manifest: Manifest,
    results: Results,
    records: Records,
}

/// Compares the runs in the folders `paths`, and writes `compare.html` and `compare.csv` into the folder `out`.
///
/// # Errors
///
/// Returns [`Failure`] if a folder is no run, or a file cannot be read or written.
pub fn compare(paths: &[PathBuf], out: &Path) -> Result<PathBuf, Failure> {
    let sides: Vec<Side> = paths
        .iter()
        .map(|path| read(path))
        .collect::<Result<_, _>>()?;
    fs::create_dir_all(out).map_err(Failure::work)?;
    let quantities = shared_quantities(&sides);
    let keys = grid_keys(&sides);
    let table = table(&sides, &quantities, &keys).map_err(Failure::work)?;
    let write = |file: &str, bytes: &[u8]| {
        let path = out.join(file);
        let written = write_whole(&path, bytes);
        written.map_err(|error| {
            Failure::Work(format!(
                "cannot write {}: {error}\n  hint: give a folder that can be written to with `--out`",
                path.display()
            ))
        })?;
        Ok(path)
    };
    write("compare.csv", &table)?;
    write("compare.html", page(&sides, &quantities).as_bytes())
}

fn read(path: &Path) -> Result<Side, Failure> {
    let dir = RunDir::open(path).map_err(Failure::request)?;
    let manifest = dir.manifest().map_err(Failure::work)?;
    dir.verify(&manifest).map_err(Failure::work)?;
    let config = config::load(&path.join(run_dir::CONFIG), &Overrides::default());
    let plan = config.map_err(Failure::work)?.plan;
    let results = if dir.has(run_dir::RESULTS) {
        dir.read_json(run_dir::RESULTS).map_err(Failure::work)?
    } else {
        Results::default()
    };
    let folder = path.canonicalize().ok();
    let folder = folder.as_deref().unwrap_or(path).file_name();
    Ok(Side {
        name: folder.map_or_else(
            || manifest.name.clone(),
            |name| name.to_string_lossy().into(),
        ),
        records: Records::read(&dir, plan.experiment).map_err(Failure::work)?,
        plan,
        manifest,
        results,
    })
}

/// The quantities that any of the runs has, each once.
fn shared_quantities(sides: &[Side]) -> Vec<Quantity> {
    let mut all: Vec<Quantity> = Vec::new();
    for quantity in sides.iter().flat_map(|side| quantities::all(&side.plan)) {
        if all.iter().all(|known| known.name != quantity.name) {
            all.push(quantity);
        }
    }
    all
}

fn grid_keys(sides: &[Side]) -> Vec<&str> {
    let mut all: Vec<&str> = Vec::new();
    for key in sides.iter().flat_map(|side| &side.plan.grid) {
        if !all.contains(&key.key.as_str()) {
            all.push(&key.key);
        }
    }
    all
}

impl Side {
    fn outcomes(&self) -> Outcomes<'_> {
        Outcomes {
            results: &self.results,
            records: &self.records,
        }
    }

    /// A quantity by its name, as this run has it: two kinds of run may have their own.
    fn quantity(&self, name: &str) -> Option<Quantity> {
        quantities::all(&self.plan)
            .into_iter()
            .find(|quantity| quantity.name == name)
    }

    fn found(&self, quantity: &Quantity, member: &Member) -> Option<Finding> {
        let quantity = self.quantity(quantity.name)?;
        (quantity.of)(&self.outcomes(), member.index, None)
    }
}

/// A line for each model of each run.
fn table(sides: &[Side], quantities: &[Quantity], keys: &[&str]) -> Result<Vec<u8>, csv::Error> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let names = quantities.iter().map(|quantity| quantity.name);
    let head = ["run", "condition", "seed"].into_iter();
    table.write_record(head.chain(keys.iter().copied()).chain(names))?;
    for side in sides {
        for member in &side.manifest.members {
            let condition = side.plan.condition(&member.condition);
            let at = keys.iter().map(|key| {
                let mut places = condition.iter().flat_map(|of| &of.at);
                let place = places.find(|of| of.key == **key);
                place.map_or(String::new(), |of| of.value.clone())
            });
            let cells = quantities
                .iter()
                .map(|quantity| match side.found(quantity, member) {
                    Some(Finding::Number(number)) => number.to_string(),
                    Some(Finding::Word(word)) => word,
                    None => String::new(),
                });
            let head = [
                side.name.clone(),
                member.condition.clone(),
                member.seed.to_string(),
            ];
            table.write_record(head.into_iter().chain(at).chain(cells))?;
        }
    }
    table
        .into_inner()
        .map_err(|error| error.into_error().into())
}

/// The numbers of a quantity of every condition of every run; `None` where there is nothing to compare.
fn spreads(sides: &[Side], quantity: &Quantity) -> Option<Quantiles> {
    let mut rows = Vec::new();
    for side in sides {
        let Some(own) = side.quantity(quantity.name) else {
            continue;
        };
        for condition in side.plan.names() {
            let members = &side.manifest.members;
            let found = side.outcomes().of_condition(&own, members, condition, None);
            let numbers: Vec<f64> = found.iter().filter_map(|(_, of)| of.number()).collect();
            let name = match sides {
                [_] => condition.to_owned(),
                _ => format!("{}: {condition}", side.name),
            };
            if !numbers.is_empty() {
                rows.push((name, numbers));
            }
        }
    }
    let mut all = rows.iter().flat_map(|(_, numbers)| numbers);
    let first = *all.next()?;
    all.any(|number| number.total_cmp(&first).is_ne())
        .then(|| Quantiles {
            title: quantity.title(),
            rows,
        })
}

fn page(sides: &[Side], quantities: &[Quantity]) -> String {
    let head: Vec<String> = ["run", "condition", "seeds"]
        .into_iter()
        .map(str::to_owned)
        .chain(quantities.iter().map(Quantity::title))
        .collect();
    let mut rows = Vec::new();
    for side in sides {
        for condition in side.plan.names() {
            let of = |quantity: &Quantity| {
                let quantity = side.quantity(quantity.name);
                quantity.map_or_else(Vec::new, |quantity| {
                    let members = &side.manifest.members;
                    side.outcomes()
                        .of_condition(&quantity, members, condition, None)
                })
            };
            let cells = quantities
                .iter()
                .map(|quantity| quantities::cell(&of(quantity)));
            let seeds = side.plan.run.seeds.len().to_string();
            rows.push(
                [side.name.clone(), condition.to_owned(), seeds]
                    .into_iter()
                    .chain(cells)
                    .collect(),
            );
        }
    }
    let names = sides.iter().map(|side| &side.name);
    let drawn: Vec<Drawing> = quantities
        .iter()
        .filter_map(|quantity| spreads(sides, quantity))
        .map(|spreads| spreads.drawing())
        .collect();
    let section = html! {
        p .lead {
            "What the models of " (listed(names, MOST_NAMES)) " came to after their last epoch: medians over seeds (smallest to largest). "
            a href="compare.csv" { "compare.csv" } " has a line for each model."
        }
        (report::sorted_table("Every condition of every run", &head, &rows))
        @if !drawn.is_empty() {
            p { "Each line goes from the smallest to the largest number of a condition, the bar holds its middle half, and the mark is the median." }
        }
        @for drawing in &drawn {
            figure .spread {
                (PreEscaped(drawing.svg()))
                @for left_out in drawing.left_out() { figcaption { (left_out) "; compare.csv has all of them." } }
            }
        }
    };
    report::page(&PageInput {
        title: "Runs side by side",
        sections: &[section],
        ..PageInput::default()
    })
}
