//! Lines of records as `report` reads them: records, or an error that names the file.
#![no_main]

use layerwise::run_dir::{Records, RunDir};
use layerwise::spec::ExperimentName;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let parent = tempfile::tempdir().expect("a temporary folder");
    let run = RunDir::create(Some(&parent.path().join("run")), "fuzz").expect("room");
    for file in ["metrics.jsonl", "stages.jsonl", "layers.jsonl"] {
        std::fs::write(run.path().join(file), bytes).expect("room");
    }
    for experiment in [ExperimentName::Autoencoder, ExperimentName::Classifier] {
        if let Err(error) = Records::read(&run, experiment) {
            assert!(error.to_string().contains(".jsonl"));
        }
    }
});
