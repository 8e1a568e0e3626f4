//! The three pictures of Figure 5-6, from a real run: all training images, the shipped config, fewer epochs.
//!
//! Of the seeds 0 to 4, 0 is the one whose strokes come last, between epochs 8 and 9; this run has seed 1.

mod common;

use std::path::Path;

use common::models::{flex, train};
use layerwise::config::{self, Overrides};
use layerwise::data::{self, Limits};
use layerwise::evidence::regimes::Pictured;
use layerwise::evidence::scores::Regime;

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
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let outcome = train(&config.plan, &data, &flex(), jobs);
    let pictured = outcome.members.into_iter().map(|mut of| {
        let regimes = of.evidence.remove("regimes").expect("an autoencoder's");
        serde_json::from_value::<Pictured>(regimes).expect("scores and a regime")
    });
    let (found, reasons): (Vec<Regime>, Vec<String>) =
        pictured.map(|of| (of.regime, of.reason)).unzip();
    assert_eq!(
        found,
        [Regime::AnyWhichWay, Regime::Strokes, Regime::WholeDigits],
        "{reasons:#?}"
    );
}
