//! IDX bytes, plain and behind a gzip wrapper: as many items as were asked for at most, or an error.
#![no_main]

use layerwise::data::array::{Holds, Numbers};
use layerwise::data::idx::Reader;
use libfuzzer_sys::fuzz_target;

const KEEP: usize = 1000;

fuzz_target!(|bytes: &[u8]| {
    for holds in [Holds::Inputs, Holds::Labels] {
        let Ok(items) = Reader::new(bytes, holds).and_then(|reader| reader.read(KEEP)) else {
            continue;
        };
        assert!(items.kept.shape[0] <= KEEP);
        let count = match &items.kept.numbers {
            Numbers::Bytes(bytes) => bytes.len(),
            Numbers::Floats(floats) => {
                assert!(floats.iter().all(|number| number.is_finite()));
                floats.len()
            }
            Numbers::Stored(_) => unreachable!("a stream is no file"),
        };
        assert_eq!(count, items.kept.shape.iter().product::<usize>());
    }
});
