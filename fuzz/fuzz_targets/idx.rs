//! IDX bytes, plain and behind a gzip wrapper: as many items as were asked for at most, or an error.
#![no_main]

use layerwise::data::idx::Reader;
use libfuzzer_sys::fuzz_target;

const KEEP: usize = 1000;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(reader) = Reader::<_, 3>::new(bytes) {
        let [_, height, width] = reader.shape();
        if let Ok(items) = reader.read(KEEP) {
            assert!(items.kept.len() <= KEEP.saturating_mul(height).saturating_mul(width));
        }
    }
    if let Ok(reader) = Reader::<_, 1>::new(bytes)
        && let Ok(items) = reader.read(KEEP)
    {
        assert!(items.kept.len() <= KEEP);
    }
});
