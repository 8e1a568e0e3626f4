//! The three pictures of Figure 5-6, from a real run: all training images, the shipped config, fewer epochs.
//!
//! Of the seeds 0 to 4, 0 is the one whose strokes come last, between epochs 8 and 9; this run has seed 1.

use std::path::Path;

use layerwise::backend;
use layerwise::config::{self, Overrides};
use layerwise::data::{self, Limits};
use layerwise::experiment::{self, Examples, Setting};
use layerwise::results::{Regime, Results};
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
    let data = data::load(&root.join("data/mnist"), Limits::default()).expect("the shipped data");
    let backend = backend::open(config.plan.run.backend).expect("flex is in every default build");
    let setting = Setting {
        data: &data,
        examples: &Examples::new(&data, &backend.device),
        backend: &backend,
        lanes: std::thread::available_parallelism().map_or(1, usize::from),
        order_seed: config.plan.run.order_seed,
        observer: &(),
        stop: &Stop::default(),
        shelf: &(),
    };
    let outcome = experiment::run(&config.plan, &setting).expect("finite numbers");
    let Results::Figure56(results) = outcome.results else {
        panic!("it was not stopped");
    };
    let members = results.members;
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
