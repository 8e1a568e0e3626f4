//! PNG, JPEG, BMP and WebP: a picture of at least one pixel and of no more than is allowed, or an error.
#![no_main]

use layerwise::data::pictures::decode;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(picture) = decode(bytes) {
        assert!((1..=16_384).contains(&picture.width()) && (1..=16_384).contains(&picture.height()));
    }
});
