//! The `layerwise` command: parse, run, exit code.

use std::process::ExitCode;

/// Page faults of the system allocator cost about a quarter of the training time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    give_memory_back();
    layerwise::cli::main()
}

/// Memory that is free for 10 ms goes back to the system; by default it is a second, and pictures are drawn beside the
/// room of what was learnt from: some 20 MiB more at the peak, and no faster.
#[expect(unsafe_code, reason = "the allocator is a library in C")]
fn give_memory_back() {
    /// `mi_option_purge_delay` of mimalloc 3, in milliseconds.
    const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
    // SAFETY: this is the only thread, and the option takes any number.
    unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, 10) }
}
