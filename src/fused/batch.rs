//! A batch as products take it: whole, or without its zeros where that is faster.

use std::sync::Arc;

use burn::backend::TensorMetadata;
use burn::backend::flex::FlexTensor;

use super::census::{columns_worth_naming, nonzeros_by_column};
use super::input::{Form, Input};
use super::nonzeros::Nonzeros;
use super::products::{
    AddRows, Matrix, add_product, add_rows_of_product, extend_by_product, extend_by_product_over,
    squares,
};
use super::turned::Turned;
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
pub enum Rows {
    Listed(Arc<Nonzeros>),
    /// The part of a tensor that begins with this entry. The columns that are not 0 throughout, if they are named.
    Whole(FlexTensor, usize, Option<Arc<[u32]>>),
}

/// The transpose of a matrix.
pub enum Columns<'a> {
    Listed(Turned),
    Whole(Matrix<'a>, Option<&'a [u32]>),
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
            if units < COLUMNS_WORTH_A_LOOK {
                return Rows::Whole(tensor.clone(), start, None);
            }
            let nonzeros = nonzeros_by_column(matrix);
            if let Some(list) = Nonzeros::worth_listing(matrix, &nonzeros) {
                return Rows::Listed(Arc::new(list));
            }
            let on = columns_worth_naming(&nonzeros);
            Rows::Whole(tensor.clone(), start, on.map(Arc::from))
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
            Rows::Whole(tensor, start, on) => {
                let matrix = self.matrix(tensor, *start);
                match on {
                    Some(on) => extend_by_product_over(out, on, matrix, right),
                    None => extend_by_product(out, matrix, right, 1.0),
                }
            }
        }
    }

    /// The transposes of all matrices.
    pub fn columns(&self) -> Vec<Columns<'_>> {
        let matrices = self.matrices.iter();
        let columns = matrices.map(|matrix| match matrix {
            Rows::Listed(list) => Columns::Listed(list.transposed()),
            Rows::Whole(tensor, start, on) => {
                Columns::Whole(self.matrix(tensor, *start).transposed(), on.as_deref())
            }
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
            Rows::Whole(tensor, start, _) => {
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
            Self::Whole(matrix, _) => extend_by_product(out, *matrix, right, 1.0),
        }
    }

    /// scale · this matrix · `right`, row after row, added to `out`.
    pub fn add_product(&self, out: &mut [f32], right: Matrix<'_>, scale: f32) {
        match self {
            Self::Listed(list) => list.add_product(out, right, scale),
            Self::Whole(matrix, None) => add_product(out, *matrix, right, scale),
            Self::Whole(matrix, Some(on)) => add_rows_of_product(out, on, *matrix, right, scale),
        }
    }
}
