//! A config and an override: a plan that is read back as itself, or an error in words.
#![no_main]

use std::path::Path;

use layerwise::config::{self, Overrides};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, Option<String>)| {
    let (text, set) = input;
    let overrides = Overrides {
        set: set.into_iter().collect(),
        backend: None,
    };
    let path = Path::new("fuzz.toml");
    match config::parse(text, path, &overrides) {
        Ok(config) => {
            let again = config::parse(&config.to_toml(), path, &Overrides::default());
            assert_eq!(again.expect("its own text").plan, config.plan);
        }
        Err(error) => {
            let message = error.to_string();
            assert!(!message.replace('\n', "").contains(char::is_control));
        }
    }
});
