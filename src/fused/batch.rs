//! A batch as products take it: whole, or by its nonzero entries where that is faster.

use std::sync::Arc;

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;

use super::input::{Form, Input};
use super::nonzeros::Nonzeros;
use super::products::{AddRows, AddScaled, Matrix, add_product, extend_by_product, squares};
use super::{Side, entries, primitive, side};
use crate::wide::wide;

/// One matrix for each member, or one that all share.
#[derive(Debug, Clone)]
pub struct Batch {
    shape: [usize; 3],
    matrices: Vec<Rows>,
}

/// One matrix.
#[derive(Debug, Clone)]
pub enum Rows {
    Listed(Arc<Nonzeros>),
    /// The part of a tensor that begins with this entry.
    Whole(FlexTensor, usize),
}

/// The transpose of a matrix.
pub enum Columns<'a> {
    Listed(Nonzeros),
    Whole(Matrix<'a>),
}

impl Batch {
    /// For products with matrices of `units` columns; `None` if it is not on flex, or in a graph.
    pub fn new(input: &Input, units: usize) -> Option<Self> {
        match &input.0 {
            Form::Tensor(tensor) if side(tensor) == Side::Plain => {
                Some(Self::of_tensor(&primitive(tensor.clone()), units))
            }
            Form::Tensor(_) => None,
            Form::Listed(list, _) => Some(Self {
                shape: input.dims(),
                matrices: vec![Rows::Listed(Arc::clone(list))],
            }),
        }
    }

    pub fn of_tensor(tensor: &FlexTensor, units: usize) -> Self {
        let shape = tensor.shape().dims::<3>();
        let [members, rows, columns] = shape;
        let matrices = (0..members).map(|member| {
            let start = member * rows * columns;
            let matrix = Matrix::new(&entries(tensor)[start..][..rows * columns], rows, columns);
            match Nonzeros::worth_listing(matrix, units) {
                Some(list) => Rows::Listed(Arc::new(list)),
                None => Rows::Whole(tensor.clone(), start),
            }
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
            Rows::Listed(list) => list.extend_by_product(out, right),
            Rows::Whole(tensor, start) => {
                extend_by_product(out, self.matrix(tensor, *start), right, 1.0);
            }
        }
    }

    /// The transposes of all matrices.
    pub fn columns(&self) -> Vec<Columns<'_>> {
        let matrices = self.matrices.iter();
        let columns = matrices.map(|matrix| match matrix {
            Rows::Listed(list) => Columns::Listed(list.transposed()),
            Rows::Whole(tensor, start) => Columns::Whole(self.matrix(tensor, *start).transposed()),
        });
        columns.collect()
    }

    /// Σ x of every matrix, one behind the other, and Σ‖x‖² of each.
    pub fn moments(&self) -> (Vec<f32>, Vec<f64>) {
        let [_, _, inputs] = self.shape;
        let mut sums = vec![0.0; self.matrices.len() * inputs];
        let matrices = self.matrices.iter().zip(sums.chunks_exact_mut(inputs));
        let squares = matrices.map(|(matrix, total)| match matrix {
            Rows::Listed(list) => list.add_rows(total),
            Rows::Whole(tensor, start) => {
                let rows = self.matrix(tensor, *start).entries();
                wide(AddRows { total, rows });
                squares(rows)
            }
        });
        let squares = squares.collect();
        (sums, squares)
    }

    fn of(&self, member: usize) -> &Rows {
        &self.matrices[member % self.matrices.len()]
    }

    fn matrix<'a>(&self, tensor: &'a FlexTensor, start: usize) -> Matrix<'a> {
        let [_, rows, columns] = self.shape;
        Matrix::new(&entries(tensor)[start..][..rows * columns], rows, columns)
    }
}

impl Columns<'_> {
    /// This matrix · `right`, row after row, behind the entries of `out`.
    pub fn extend_by_product(&self, out: &mut Vec<f32>, right: Matrix<'_>) {
        match self {
            Self::Listed(list) => list.extend_by_product(out, right),
            Self::Whole(matrix) => extend_by_product(out, *matrix, right, 1.0),
        }
    }

    /// scale · this matrix · `right`, row after row, added to `out`.
    pub fn add_product(&self, out: &mut [f32], right: Matrix<'_>, scale: f32) {
        match self {
            Self::Listed(list) => {
                let mut product = Vec::new();
                list.extend_by_product(&mut product, right);
                wide(AddScaled {
                    total: out,
                    scale,
                    values: &product,
                });
            }
            Self::Whole(matrix) => add_product(out, *matrix, right, scale),
        }
    }
}
