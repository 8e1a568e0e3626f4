//! The three pictures of Figure 5-6, from a real run: all training images, the shipped config, fewer epochs.
//!
//! Of the seeds 0 to 4, 0 is the one whose strokes come last, between epochs 8 and 9; this run has seed 1.

use std::path::Path;

use layerwise::backend;
use layerwise::config::{self, Experiment, Overrides};
use layerwise::data::{self, Limits};
use layerwise::experiment::figure56;
use layerwise::results::Regime;
use layerwise::train::Stop;

#[test]
fn the_three_regimes_are_there_after_eight_epochs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let overrides = Overrides {
        set: vec!["training.epochs=8".to_owned(), "run.seeds=[1]".to_owned()],
        backend: None,
    };
    let config =
        config::load(&root.join("configs/figure56.toml"), &overrides).expect("the shipped config");
    let Experiment::Figure56(figure) = &config.plan.experiment;
    let data = data::load(&root.join("data/mnist"), Limits::default()).expect("the shipped data");
    let backend = backend::open(config.plan.run.backend).expect("flex is in every default build");
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let outcome = figure56::run(
        figure,
        &config.plan.run,
        &data,
        &backend,
        jobs,
        &(),
        &Stop::default(),
    )
    .expect("finite numbers");
    let members = outcome.results.expect("it was not stopped").members;
    let found: Vec<Regime> = members.iter().map(|summary| summary.regime).collect();
    let reasons: Vec<&str> = members
        .iter()
        .map(|summary| summary.regime_reason.as_str())
        .collect();
    assert_eq!(
        found,
        [Regime::AnyWhichWay, Regime::Strokes, Regime::WholeDigits],
        "{reasons:#?}"
    );
}
