//! Loops over numbers, compiled for the widest vectors that the processor has.

use std::sync::LazyLock;

use pulp::{Arch, NullaryFnOnce};

/// A loop with what it works on.
pub trait Pass {
    type Output;

    /// To be marked `#[inline(always)]`: what is not inlined is not compiled along.
    fn run(self) -> Self::Output;
}

/// Operations on single numbers give the same on all processors: only how many there are per instruction differs.
pub fn wide<P: Pass>(pass: P) -> P::Output {
    static ARCH: LazyLock<Arch> = LazyLock::new(Arch::new);
    ARCH.dispatch(Call(pass))
}

struct Call<P>(P);

impl<P: Pass> NullaryFnOnce for Call<P> {
    type Output = P::Output;

    #[inline(always)]
    fn call(self) -> P::Output {
        self.0.run()
    }
}

/// Lanes that a sum is spread over: enough for any processor, so that the result does not depend on it.
pub const LANES: usize = 16;
