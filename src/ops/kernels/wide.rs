//! Loops over numbers, compiled for the widest vectors that the processor has. Operations on single numbers give the same on
//! all processors: only how many there are per instruction differs.

use std::sync::LazyLock;

use pulp::{Arch, WithSimd};

/// What the processor has.
pub static ARCH: LazyLock<Arch> = LazyLock::new(Arch::new);

/// A loop written in vectors, whatever their length.
pub fn with_vectors<V: WithSimd>(pass: V) -> V::Output {
    ARCH.dispatch(pass)
}

/// A function of loops over single numbers. What it calls must be marked `#[inline(always)]`: what is not inlined is not
/// compiled along.
macro_rules! wide {
    (
        $(#[$attribute:meta])*
        $visibility:vis fn $name:ident<$life:lifetime>($($argument:ident: $kind:ty),* $(,)?)
        $(-> $out:ty)? $body:block
    ) => {
        $(#[$attribute])*
        $visibility fn $name<$life>($($argument: $kind),*) $(-> $out)? {
            struct Call<$life> {
                $($argument: $kind),*
            }

            impl<$life> pulp::NullaryFnOnce for Call<$life> {
                type Output = wide!(@ $($out)?);

                #[inline(always)]
                fn call(self) -> Self::Output {
                    let Self { $($argument),* } = self;
                    $body
                }
            }

            $crate::ops::kernels::wide::ARCH.dispatch(Call { $($argument),* })
        }
    };
    (@) => { () };
    (@ $out:ty) => { $out };
}

pub(super) use wide;
