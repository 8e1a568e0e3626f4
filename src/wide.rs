//! Loops over numbers, compiled for the widest vectors that the processor has.

use std::sync::LazyLock;

use pulp::{Arch, NullaryFnOnce, WithSimd};

/// A loop with what it works on.
pub trait Pass {
    type Output;

    /// To be marked `#[inline(always)]`: what is not inlined is not compiled along.
    fn run(self) -> Self::Output;
}

/// Operations on single numbers give the same on all processors: only how many there are per instruction differs.
pub fn wide<P: Pass>(pass: P) -> P::Output {
    with_vectors(Call(pass))
}

/// A loop written in vectors, whatever their length.
pub fn with_vectors<V: WithSimd>(pass: V) -> V::Output {
    static ARCH: LazyLock<Arch> = LazyLock::new(Arch::new);
    ARCH.dispatch(pass)
}

struct Call<P>(P);

impl<P: Pass> NullaryFnOnce for Call<P> {
    type Output = P::Output;

    #[inline(always)]
    fn call(self) -> P::Output {
        self.0.run()
    }
}
