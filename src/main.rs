//! The `layerwise` command: parse, run, exit code.

use std::process::ExitCode;

/// Page faults of the system allocator cost about a quarter of the training time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    layerwise::cli::main()
}
