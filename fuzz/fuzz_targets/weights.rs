//! A safetensors file: weights that are written as they were read, or an error.
#![no_main]

use layerwise::weights::Weights;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(weights) = Weights::from_safetensors(bytes) {
        let written = weights.to_safetensors("fuzzed").expect("valid tensors");
        let again = Weights::from_safetensors(&written).expect("our own file");
        assert_eq!(again.hash(), weights.hash());
    }
});
