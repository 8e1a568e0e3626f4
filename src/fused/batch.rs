//! A batch as products take it, with what is not 0 in it.

use std::sync::Arc;

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;

use super::input::{Form, Input};
use super::kernel::Along;
use super::marks::Marks;
use super::pictures::Pictures;
use super::products::{
    AddRows, Matrix, add_product, add_product_over, extend_by_product, extend_by_product_over,
    squares,
};
use super::{Side, entries, primitive, side};
use crate::wide::wide;

/// With fewer columns on the other side, products are too short to pay for a look at every entry.
pub const COLUMNS_WORTH_A_LOOK: usize = 64;

/// One matrix for each member, or one that all share.
#[derive(Debug, Clone)]
pub struct Batch {
    shape: [usize; 3],
    matrices: Vec<Rows>,
}

/// One matrix.
#[derive(Debug, Clone)]
enum Rows {
    Pictures(Arc<Pictures>),
    /// The part of a tensor that begins with this entry, with what is not 0 in it.
    Marked(FlexTensor, usize, Arc<Marks>),
    /// The same where a look at every entry would not pay.
    Whole(FlexTensor, usize),
}

impl Batch {
    /// For products with matrices of `units` columns; `None` if it is not on flex, or in a graph.
    pub fn new(input: &Input, units: usize) -> Option<Self> {
        match &input.0 {
            Form::Tensor(tensor) if side(tensor) == Side::Plain => {
                Some(Self::of_tensor(&primitive(tensor.clone()), units))
            }
            Form::Tensor(_) => None,
            Form::Pictures(pictures, _) => Some(Self {
                shape: input.dims(),
                matrices: vec![Rows::Pictures(Arc::clone(pictures))],
            }),
        }
    }

    pub fn of_tensor(tensor: &FlexTensor, units: usize) -> Self {
        let shape = tensor.shape().dims::<3>();
        let [members, rows, columns] = shape;
        let matrices = (0..members).map(|member| {
            let start = member * rows * columns;
            if units < COLUMNS_WORTH_A_LOOK {
                return Rows::Whole(tensor.clone(), start);
            }
            let entries = &entries(tensor)[start..][..rows * columns];
            let marks = Marks::of(entries, columns);
            Rows::Marked(tensor.clone(), start, Arc::new(marks))
        });
        Self {
            shape,
            matrices: matrices.collect(),
        }
    }

    /// Members (or 1), images and inputs.
    pub fn dims(&self) -> [usize; 3] {
        self.shape
    }

    /// What `member` · `right` gives, behind the entries of `out`.
    pub fn extend_by_product(&self, member: usize, out: &mut Vec<f32>, right: Matrix<'_>) {
        match self.of(member) {
            Rows::Pictures(pictures) => extend_by_product_over(out, pictures.rows(), right, 1.0),
            Rows::Marked(tensor, start, marks) => {
                let left = Along::new(self.entries(tensor, *start), marks);
                extend_by_product_over(out, left, right, 1.0);
            }
            Rows::Whole(tensor, start) => {
                extend_by_product(out, self.matrix(tensor, *start), right, 1.0);
            }
        }
    }

    /// What the transpose of `member` · `right` gives, behind the entries of `out`.
    pub fn extend_by_transposed_product(
        &self,
        member: usize,
        out: &mut Vec<f32>,
        right: Matrix<'_>,
    ) {
        match self.of(member) {
            Rows::Pictures(pictures) => {
                extend_by_product_over(out, pictures.rows().transposed(), right, 1.0);
            }
            Rows::Marked(tensor, start, marks) => {
                let left = Along::new(self.entries(tensor, *start), marks);
                extend_by_product_over(out, left.transposed(), right, 1.0);
            }
            Rows::Whole(tensor, start) => {
                let left = self.matrix(tensor, *start).transposed();
                extend_by_product(out, left, right, 1.0);
            }
        }
    }

    /// scale · the transpose of `member` · `right`, added to `out`.
    pub fn add_transposed_product(
        &self,
        member: usize,
        out: &mut [f32],
        right: Matrix<'_>,
        scale: f32,
    ) {
        match self.of(member) {
            Rows::Pictures(pictures) => {
                add_product_over(out, pictures.rows().transposed(), right, scale);
            }
            Rows::Marked(tensor, start, marks) => {
                let left = Along::new(self.entries(tensor, *start), marks);
                add_product_over(out, left.transposed(), right, scale);
            }
            Rows::Whole(tensor, start) => {
                let left = self.matrix(tensor, *start).transposed();
                add_product(out, left, right, scale);
            }
        }
    }

    /// Σ x of every matrix, one behind the other, and Σ‖x‖² of each.
    pub fn moments(&self) -> (Vec<f32>, Vec<f64>) {
        let [_, _, inputs] = self.shape;
        let mut sums = Vec::with_capacity(self.matrices.len() * inputs);
        let mut all_squares = Vec::with_capacity(self.matrices.len());
        for matrix in &self.matrices {
            match matrix {
                Rows::Pictures(pictures) => {
                    let (of_pixels, of_squares) = pictures.moments();
                    sums.extend(of_pixels);
                    all_squares.push(of_squares);
                }
                Rows::Marked(tensor, start, _) | Rows::Whole(tensor, start) => {
                    let rows = self.entries(tensor, *start);
                    let before = sums.len();
                    sums.resize(before + inputs, 0.0);
                    wide(AddRows {
                        total: &mut sums[before..],
                        rows,
                    });
                    all_squares.push(squares(rows));
                }
            }
        }
        (sums, all_squares)
    }

    fn of(&self, member: usize) -> &Rows {
        &self.matrices[member % self.matrices.len()]
    }

    fn entries<'a>(&self, tensor: &'a FlexTensor, start: usize) -> &'a [f32] {
        let [_, rows, columns] = self.shape;
        &entries(tensor)[start..][..rows * columns]
    }

    fn matrix<'a>(&self, tensor: &'a FlexTensor, start: usize) -> Matrix<'a> {
        let [_, rows, columns] = self.shape;
        Matrix::new(self.entries(tensor, start), rows, columns)
    }
}
