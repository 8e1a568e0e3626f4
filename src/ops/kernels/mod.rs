//! Loops over slices of numbers: what the fast operations on flex are made of. This folder knows no tensors.
//!
//! # Products that leave out zeros
//!
//! A ramp is off for about half of the images, and four of five pixels of a digit are black. [`marks`] tells with one bit an
//! entry what of a matrix is not 0, along its rows and along its columns; [`sparse`] multiplies such a matrix, or its
//! transpose, with a whole one from the right. A row of the product is a sum of those rows of the right matrix that the
//! marks name, kept in registers. Where hardly anything is marked, as in the codes that [`largest`] leaves, [`few`] works
//! in proportion to that; the bits are the same. [`matrix`] has whole matrices, which go to the crate `gemm`. Threads share
//! out the rows of a product, or its columns where there are more of them; [`threads`] has how.
//!
//! # Loops over vectors
//!
//! [`wide`] compiles a loop for the longest vectors that the processor has. Operations on single numbers give the same on
//! all processors: only how many there are per instruction differs. [`passes`] has the loops of activations, sums and
//! optimisers.
//!
//! # What to know before touching them
//!
//! - A closure handed to `map` of an array is not compiled for wide vectors with the rest.
//! - An array that is indexed by a loop which is not unrolled does not stay in registers.
//! - A sum of integers is checked for overflow in the development profile, one number at a time: use `wrapping_add`.
//! - A function that is too large keeps its pointers in memory, where each load costs half as much as one of a vector.
//!
//! Each makes a loop two to seven times as slow, the last a fifth, and no test sees it: `cargo bench --bench parts` does.

pub mod few;
pub mod largest;
pub mod marks;
pub mod matrix;
pub mod passes;
pub mod sparse;
pub mod threads;
pub mod wide;
