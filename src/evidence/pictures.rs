//! What hidden units look for: the encoder weights of every autoencoder as grids of tiles, after Figure 5-6 of Okatani,
//! *Deep Learning*. Units that are dead, or did not learn, are framed.

use maud::{Markup, html};

use super::dead_units::UnitCounts;
use super::figures::{RedrawError, damaged_weights};
use super::orientation::Tuned;
use super::regimes::Pictured;
use super::{Evidence, Run, is_autoencoder, picture, remarks, spaced};
use crate::report::{
    self, Figures, Grid, GridShape, MOST_NAMES, Mark, Scaling, Term, UnitWeights, Words,
};
use crate::results::{Member, Subject};
use crate::run_dir;
use crate::spec::{Activation, Condition, Plan, SparsityKind};
use crate::weights::member_prefix;
use crate::words::{counted, listed, listed_names};

/// Inputs of units that a page has room for, as pixels.
const PAGE_PIXELS: usize = 2_000_000;
/// Where it has not, it shows so many models, and units of each.
const MODELS_SHOWN: usize = 16;
const UNITS_SHOWN: usize = 25;

pub struct Pictures;

impl Evidence for Pictures {
    fn name(&self) -> &'static str {
        "pictures"
    }

    fn applies(&self, plan: &Plan) -> bool {
        is_autoencoder(plan)
    }

    fn outlook(&self, plan: &Plan, shape: &dyn Fn(usize) -> GridShape) -> Vec<String> {
        let conditions = plan.conditions.iter();
        let autoencoders = conditions.filter_map(|condition| condition.autoencoder());
        let grids: Vec<GridShape> = autoencoders
            .flat_map(|of| vec![shape(of.autoencoder.hidden_units); plan.run.seeds.len()])
            .collect();
        remarks(run_dir::UNITS, report::left_out(&grids))
    }

    fn show(&self, run: &Run<'_>, figures: &mut Figures) -> Result<Option<Markup>, RedrawError> {
        let grids = grids(run)?;
        if grids.is_empty() {
            return Ok(None);
        }
        Ok(Some(section(run, figures, &grids)))
    }
}

/// The kinds of sparsity of a plan, in the order of its conditions.
fn kinds(plan: &Plan) -> Vec<SparsityKind> {
    let mut kinds = Vec::new();
    for of in plan.conditions.iter().filter_map(|of| of.autoencoder()) {
        if !kinds.contains(&of.sparsity.kind()) {
            kinds.push(of.sparsity.kind());
        }
    }
    kinds
}

/// What a kind of sparsity does.
fn meaning(kind: SparsityKind) -> &'static str {
    match kind {
        SparsityKind::None => "“none” adds nothing",
        SparsityKind::Kl => {
            "KL adds β Σⱼ KL(ρ‖ρ̂ⱼ), where ρ is the mean activation asked of every unit, and ρ̂ⱼ the one that unit j has"
        }
        SparsityKind::L1 => {
            "L1 adds λ Σⱼ |hⱼ|, each weighted by the norm of the unit’s decoder weights where sparsity.decoder_norms is true"
        }
        SparsityKind::TopK => "TopK keeps the k largest units of each image",
        SparsityKind::BatchTopK => {
            "BatchTopK keeps, in training, the n·k largest activations of a batch of n images, and otherwise the activations above a threshold: a running mean of the smallest that a batch kept"
        }
        SparsityKind::JumpRelu => {
            "JumpReLU keeps activations above a threshold that each unit learns, and adds λ for every unit above its own"
        }
    }
}

/// Some units of some models, for a page that has no room for all.
fn overview(run: &Run<'_>, figures: &mut Figures, grids: &[Grid]) -> Option<Markup> {
    let pixels = |grid: &Grid| {
        let UnitWeights { units, weights, .. } = grid.weights;
        weights.len() / units.max(1) * units.min(report::MAX_TILES)
    };
    let of_first_picture: usize = grids.iter().take(MODELS_SHOWN).map(pixels).sum();
    if of_first_picture <= PAGE_PIXELS {
        return None;
    }
    let mut firsts: Vec<(&str, &Grid)> = Vec::new();
    for grid in grids {
        let mut members = run.manifest.members.iter();
        let member = members.find(|of| of.label == grid.title)?;
        if firsts.iter().all(|(known, _)| *known != member.condition) {
            firsts.push((&member.condition, grid));
        }
    }
    let shown = spaced(firsts.len(), MODELS_SHOWN).map(|at| firsts[at].1);
    let cut = shown.map(|grid| (grid, first_units(&grid.weights)));
    let cut: Vec<(&Grid, Vec<f32>)> = cut.collect();
    let small = cut.iter().map(|(grid, weights)| {
        let units = grid.weights.units.min(UNITS_SHOWN);
        Grid {
            weights: UnitWeights {
                weights,
                units,
                ..grid.weights
            },
            marked: grid
                .marked
                .iter()
                .copied()
                .filter(|(unit, _)| *unit < units)
                .collect(),
            ..(*grid).clone()
        }
    });
    let small: Vec<Grid> = small.collect();
    let titles = small.iter().map(|grid| &grid.title);
    let words = Words {
        alt: &format!(
            "The weights of the first {UNITS_SHOWN} hidden units as tiles, in a grid for each of {}",
            listed_names(titles, MOST_NAMES)
        ),
        caption: &format!(
            "Encoder weights of the first {UNITS_SHOWN} units, one tile a unit, each tile stretched to its own range (minimum black, maximum white); of {}. The page has no room for all: they are in the files below.",
            if small.len() < firsts.len() {
                format!(
                    "{} of {} conditions, at even distances in the order of the config, the first seed",
                    small.len(),
                    firsts.len()
                )
            } else {
                "each condition, the first seed".to_owned()
            }
        ),
        numbers: None,
    };
    Some(figures.grids("units-overview", &small, Scaling::PerTile, &words))
}

/// The weights of the first units, `[input, unit]`.
fn first_units(of: &UnitWeights) -> Vec<f32> {
    let rows = of.weights.chunks_exact(of.units);
    rows.flat_map(|row| &row[..of.units.min(UNITS_SHOWN)])
        .copied()
        .collect()
}

/// A grid for each member that has weights, marked and with what is known of it below.
fn grids<'a>(run: &Run<'a>) -> Result<Vec<Grid<'a>>, RedrawError> {
    let Some(picture) = picture(run.manifest.data.frame) else {
        return Ok(Vec::new());
    };
    let pictured = run.results.of_members::<Pictured>("regimes");
    let tuned = run.results.of_members::<Tuned>("orientation");
    let counts = run.results.of_members::<UnitCounts>("dead_units");
    let mut grids = Vec::new();
    for member in &run.manifest.members {
        let name = format!("{}/encoder.weight", member_prefix(member));
        let pictured = of_member(&pictured, member);
        let counts = of_member(&counts, member);
        let encoder = match run.weights.get(&name) {
            Ok(encoder) => encoder,
            // Of a stopped run, members that never had a turn have no weights.
            Err(_) if pictured.is_none() && counts.is_none() => continue,
            Err(source) => return Err(damaged_weights(run.dir.path(), source)),
        };
        let [inputs, units] = encoder.shape;
        if Some(inputs) != run.manifest.data.frame.inputs() {
            let frame = run.manifest.data.frame;
            let reason = format!("{name} is {inputs}×{units}, but the manifest tells of {frame}");
            return Err(run.dir.damaged(run_dir::WEIGHTS, &reason).into());
        }
        grids.push(Grid {
            title: member.label.clone(),
            caption: caption(run, member, pictured, of_member(&tuned, member), counts),
            weights: UnitWeights {
                weights: &encoder.values,
                units,
                picture,
            },
            marked: counts.map_or_else(Vec::new, marks),
        });
    }
    Ok(grids)
}

/// What was measured on a member, of numbers in the order of the members.
fn of_member<'a, T>(numbers: &'a [(&Member, T)], member: &Member) -> Option<&'a T> {
    let at = numbers.binary_search_by_key(&member.index, |(of, _)| of.index);
    Some(&numbers[at.ok()?].1)
}

/// Units that are dead; units whose weights are what they were drawn as, and those that merely look so. Of several
/// reasons, the strongest goes first.
fn marks(counts: &UnitCounts) -> Vec<(usize, Mark)> {
    let marks = |units: &[usize], mark: Mark| -> Vec<_> {
        units.iter().map(|&unit| (unit, mark)).collect()
    };
    let noise_looking = counts.noise_looking.as_deref().unwrap_or_default();
    [
        marks(&counts.unchanged, Mark::Unchanged),
        marks(&counts.dead, Mark::Dead),
        marks(noise_looking, Mark::NoiseLooking),
    ]
    .concat()
}

/// The numbers under a member's grid: its scores, or its last epoch where it has none yet.
fn caption(
    run: &Run<'_>,
    member: &Member,
    pictured: Option<&Pictured>,
    tuned: Option<&Tuned>,
    counts: Option<&UnitCounts>,
) -> String {
    let mut ended = run.results.ended.iter();
    if let Some(ended) = ended.find(|ended| ended.member.index == member.index) {
        return ended.reason();
    }
    let counted = counts.and_then(UnitCounts::caption);
    let pictured = pictured.map(|pictured| pictured.caption(run.subject()));
    let tuned = tuned.and_then(Tuned::caption);
    let lines: Vec<String> = pictured.into_iter().chain(tuned).chain(counted).collect();
    if !lines.is_empty() {
        return lines.join("\n");
    }
    let records = run.records.epochs.iter();
    let last = records
        .filter(|record| record.member == member.index)
        .max_by_key(|record| record.epoch);
    last.map_or_else(
        || "not yet trained for an epoch".to_owned(),
        |record| {
            format!(
                "after epoch {}: active {:.1} · dead {}",
                record.epoch, record.active_units, record.dead_units
            )
        },
    )
}

fn section(run: &Run<'_>, figures: &mut Figures, grids: &[Grid]) -> Markup {
    let units = counted(grids[0].weights.units, "hidden unit");
    let conditions = listed_names(run.conditions(), MOST_NAMES);
    let frame = run.manifest.data.frame;
    let images = match run.subject() {
        Subject::Digits => "handwritten digits".to_owned(),
        Subject::Images => format!("images of {frame}"),
    };
    // The first line of a caption says what came out.
    let shown = grids.iter().map(|grid| match grid.caption.lines().next() {
        Some(outcome) => format!("{} ({outcome})", grid.title),
        None => grid.title.clone(),
    });
    let words = Words {
        alt: &format!(
            "The weights of {units} as tiles, in a grid for each model: {}",
            listed(shown, MOST_NAMES)
        ),
        caption: "Encoder weights, one tile a unit, each tile stretched to its own range (minimum black, maximum white). A frame marks a unit that is dead or that kept its initial weights, or nearly: see the legend.",
        numbers: None,
    };
    let overview = overview(run, figures, grids);
    let own_scales = figures.grids("units", grids, Scaling::PerTile, &words);
    let words = Words {
        alt: &format!(
            "The weights of {units} in the same grids, with one grey scale for all: {conditions}"
        ),
        caption: "The same weights on one scale: zero is mid-grey in every tile, so that strong and weak units can be told apart; the scale is under the grids.",
        numbers: None,
    };
    let one_scale = figures.grids("units-shared-scale", grids, Scaling::Shared, &words);
    figures.glossary.uses(&[Term::Dead, Term::Untrained]);
    let mut autoencoders = run
        .plan
        .conditions
        .iter()
        .filter_map(Condition::autoencoder);
    if autoencoders.any(|of| of.autoencoder.activation == Activation::Relu) {
        figures.glossary.uses(&[Term::Ramp]);
    }
    let kinds = kinds(run.plan);
    if kinds.contains(&SparsityKind::Kl) {
        figures.glossary.uses(&[Term::Divergence]);
    }
    html! {
        p .lead {
            "Each tile is the encoder weights of one hidden unit of an autoencoder of " (images)
            ", drawn where its inputs lie in the picture."
            @if kinds == [SparsityKind::Kl] {
                " The cost of an autoencoder is "
                span .formula { "reconstruction + β Σ" sub { "j" } " KL(ρ‖ρ̂" sub { "j" } ")" }
                ", where β is the weight of sparsity, ρ is the mean activation asked of every unit, and ρ̂" sub { "j" }
                " the one that unit " i { "j" } " has."
            } @else if kinds == [SparsityKind::None] {
                " The cost of an autoencoder is its training error; nothing in it asks for sparse codes."
            } @else {
                " The cost of an autoencoder is its training error, and what makes its code h sparse: "
                (kinds.iter().map(|kind| meaning(*kind)).collect::<Vec<_>>().join("; ")) "."
            }
        }
        @if let Some(overview) = overview { (overview) }
        (own_scales)
        (one_scale)
    }
}
