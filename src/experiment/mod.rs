//! The experiments: each a short recipe from a checked plan and data to plain results.
//!
//! A recipe chooses what is trained and what is measured; how to train, to draw and to write is for others.

pub mod figure56;
