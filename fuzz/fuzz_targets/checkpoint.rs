//! A checkpoint whose hash is right and whose content is anything: a state, or an error that names the file.
#![no_main]

use std::sync::OnceLock;

use layerwise::run::checkpoint;
use layerwise::run_dir::CHECKPOINTS;
use libfuzzer_sys::fuzz_target;

/// One folder for all cases: to make one takes longer than to read a file.
static RUN: OnceLock<tempfile::TempDir> = OnceLock::new();

fuzz_target!(|content: &[u8]| {
    let run = RUN.get_or_init(|| tempfile::tempdir().expect("a temporary folder"));
    let folder = run.path().join(CHECKPOINTS);
    std::fs::create_dir_all(&folder).expect("room");
    let file = folder.join("task-0000.000001");
    std::fs::write(&file, checkpoint::framed(content)).expect("room");
    if let Err(error) = checkpoint::find(run.path(), |_| true, |_| None) {
        assert!(error.to_string().contains("task-0000.000001"));
    }
});
