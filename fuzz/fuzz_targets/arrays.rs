//! `.npy`, `.npz` and `.safetensors`: arrays of finite numbers, as many as their shapes say, or an error.
#![no_main]

use layerwise::data::array::{Holds, Numbers};
use layerwise::data::tensors::ArrayFile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = ArrayFile::of_bytes(bytes.to_vec()) else {
        return;
    };
    for key in file.keys() {
        let Ok(read) = file.read(&[(key, Holds::Inputs)]) else {
            continue;
        };
        let array = &read.arrays[0];
        let count = match &array.numbers {
            Numbers::Bytes(bytes) => bytes.len(),
            Numbers::Floats(floats) => {
                assert!(floats.iter().all(|number| number.is_finite()));
                floats.len()
            }
            Numbers::Stored(_) => unreachable!("bytes are no file"),
        };
        assert_eq!(count, array.shape.iter().product::<usize>());
    }
});
