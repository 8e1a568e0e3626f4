//! Lines of records as `report` reads them: records, or an error that names the file.
#![no_main]

use std::sync::OnceLock;

use layerwise::run_dir::{Records, RunDir};
use layerwise::spec::ExperimentName;
use libfuzzer_sys::fuzz_target;

/// One folder for all cases: to make one takes longer than to read a file.
static PARENT: OnceLock<tempfile::TempDir> = OnceLock::new();

fuzz_target!(|bytes: &[u8]| {
    let parent = PARENT.get_or_init(|| tempfile::tempdir().expect("a temporary folder"));
    let run = RunDir::shared(&parent.path().join("run")).expect("room");
    for file in ["metrics.jsonl", "stages.jsonl", "layers.jsonl"] {
        std::fs::write(run.path().join(file), bytes).expect("room");
    }
    for experiment in [
        ExperimentName::Autoencoder,
        ExperimentName::Classifier,
        ExperimentName::DeepAutoencoder,
    ] {
        if let Err(error) = Records::read(&run, experiment) {
            assert!(error.to_string().contains(".jsonl"));
        }
    }
});
