//! The operations on flex: loops over slices, with hand-derived backward passes.
//!
//! Each file has the forward and the backward pass of one operation. The graph keeps what the backward pass needs and frees
//! it afterwards, so that the optimiser can change parameters in place.

mod cross_entropy;
mod keep_largest;
mod layer;
mod squared_error;
mod tied;
mod weighted_means;

use std::fmt::Debug;
use std::marker::PhantomData;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, NodeGuard, Ops as Step, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex, TensorMetadata};
use burn::tensor::{DType, Element, TensorData};
use bytemuck::Pod;

use super::kernels::marks::Marks;
use super::kernels::matrix::{Factor, Matrix};
use super::kernels::passes;
use super::kernels::sparse::Sparse;
use super::kernels::threads::{self, share_out};
use super::{AdamRatesNow, DecoderError, KlRates, Largest, Ops, RowsPrimitive, Unit};

/// With fewer columns on the other side, products are too short to pay for a look at every entry.
const COLUMNS_WORTH_A_LOOK: usize = 64;

/// Numbers of a parameter that a thread works on at a time.
const PIECE: usize = 1 << 16;

impl Ops for Flex {
    fn layer(
        x: RowsPrimitive<Self>,
        weight: FlexTensor,
        bias: FlexTensor,
        unit: Unit,
    ) -> FlexTensor {
        layer::forward(x, weight, &bias, unit).h
    }

    fn decoder_error(
        h: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        x: RowsPrimitive<Self>,
        error: DecoderError,
    ) -> FlexTensor {
        squared_error::forward(h, weight, &bias, x, error).errors
    }

    fn tied_squared_error(
        h: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        decoder_bias: FlexTensor,
        x: RowsPrimitive<Self>,
    ) -> FlexTensor {
        tied::forward(h, weight, bias, decoder_bias, x).errors()
    }

    fn keep_largest(h: FlexTensor, largest: Largest) -> FlexTensor {
        keep_largest::forward(h, largest).0
    }

    fn unit_rows(weight: FlexTensor) -> FlexTensor {
        let mut weight = in_memory_alone(weight);
        let [_, units, inputs] = dims(&weight);
        let numbers = weight.storage_mut::<f32>();
        let threads = threads::for_numbers(numbers.len());
        let pieces = numbers.chunks_mut(piece_of_rows(units, inputs));
        share_out(pieces, threads, |rows| passes::unit_rows(rows, inputs));
        weight
    }

    fn tangential(gradient: FlexTensor, weight: FlexTensor) -> FlexTensor {
        let (mut gradient, weight) = (in_memory_alone(gradient), in_order(weight));
        let [_, units, inputs] = dims(&weight);
        let piece = piece_of_rows(units, inputs);
        let gradients = gradient.storage_mut::<f32>().chunks_mut(piece);
        let pieces = gradients.zip(entries(&weight).chunks(piece));
        let threads = threads::for_numbers(entries(&weight).len());
        share_out(pieces, threads, |(gradient, weight)| {
            passes::tangential(gradient, weight, inputs);
        });
        gradient
    }

    fn cross_entropy(logits: FlexTensor, targets: FlexTensor) -> FlexTensor {
        cross_entropy::forward(logits, &targets).1
    }

    fn weighted_means(h: FlexTensor, slopes: FlexTensor) -> FlexTensor {
        weighted_means::forward(h, slopes).1
    }

    fn kl_divergence(
        h: FlexTensor,
        mean_activation: FlexTensor,
        beta: FlexTensor,
        rates: KlRates,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let (h, mut estimates) = (in_order(h), in_memory_alone(mean_activation));
        let beta = in_order(beta);
        let [members, images, units] = dims(&h);
        let mut divergences = Vec::with_capacity(members);
        let mut slopes = Vec::with_capacity(members * units);
        let mut sums = vec![0.0; units];
        let codes = entries(&h).chunks_exact(images * units);
        let estimates_of = estimates.storage_mut::<f32>().chunks_exact_mut(units);
        for ((h, estimates), beta) in codes.zip(estimates_of).zip(entries(&beta)) {
            sums.fill(0.0);
            passes::add_rows(&mut sums, h);
            let of_units = estimates.iter_mut().zip(&sums).map(|(estimate, sum)| {
                *estimate = *estimate * rates.kept + sum / images as f32 * rates.news;
                let (divergence, slope) = passes::divergence(rates.target, rates.clamp, *estimate);
                slopes.push(slope * beta);
                divergence
            });
            divergences.push(of_units.sum());
        }
        let divergences = tensor(divergences, [members, 1, 1]);
        (estimates, divergences, tensor(slopes, [members, 1, units]))
    }

    fn adam(
        parameter: FlexTensor,
        moment_1: FlexTensor,
        moment_2: FlexTensor,
        gradient: FlexTensor,
        rates: AdamRatesNow,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let [mut parameter, mut moment_1, mut moment_2] =
            [parameter, moment_1, moment_2].map(in_memory_alone);
        let gradient = in_order(gradient);
        let pieces = parameter
            .storage_mut::<f32>()
            .chunks_mut(PIECE)
            .zip(moment_1.storage_mut::<f32>().chunks_mut(PIECE))
            .zip(moment_2.storage_mut::<f32>().chunks_mut(PIECE))
            .zip(entries(&gradient).chunks(PIECE));
        let threads = threads::for_numbers(entries(&gradient).len());
        share_out(
            pieces,
            threads,
            |(((parameter, first), second), gradient)| {
                passes::adam(rates, parameter, first, second, gradient);
            },
        );
        (parameter, moment_1, moment_2)
    }
}

impl<C: CheckpointStrategy> Ops for Autodiff<Flex, C> {
    fn layer(
        x: RowsPrimitive<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        unit: Unit,
    ) -> FloatTensor<Self> {
        layer::in_graph::<C>(x, weight, bias, unit)
    }

    fn decoder_error(
        h: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        x: RowsPrimitive<Self>,
        error: DecoderError,
    ) -> FloatTensor<Self> {
        squared_error::in_graph::<C>([h, weight, bias], x, error)
    }

    fn tied_squared_error(
        h: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        decoder_bias: FloatTensor<Self>,
        x: RowsPrimitive<Self>,
    ) -> FloatTensor<Self> {
        let nodes = [h.node(), weight.node(), decoder_bias.node(), bias.node()];
        let [h, weight, bias, decoder_bias] =
            [h, weight, bias, decoder_bias].map(FloatTensor::<Self>::into_primitive);
        let pass = tied::forward(h, weight, bias, decoder_bias, without_graph::<C>(x));
        let errors = pass.errors();
        tracked::<_, C, 4>(nodes, pass, errors)
    }

    fn keep_largest(h: FloatTensor<Self>, largest: Largest) -> FloatTensor<Self> {
        let nodes = [h.node()];
        let kept = keep_largest::forward(h.into_primitive(), largest);
        let values = kept.0.clone();
        tracked::<_, C, 1>(nodes, kept, values)
    }

    fn cross_entropy(logits: FloatTensor<Self>, targets: FloatTensor<Self>) -> FloatTensor<Self> {
        let nodes = [logits.node()];
        let (slopes, costs) = cross_entropy::forward(logits.into_primitive(), targets.primitive());
        tracked::<_, C, 1>(nodes, slopes, costs)
    }

    fn weighted_means(h: FloatTensor<Self>, slopes: FloatTensor<Self>) -> FloatTensor<Self> {
        let nodes = [h.node()];
        let (slopes, means) = weighted_means::forward(h.into_primitive(), slopes.into_primitive());
        tracked::<_, C, 1>(nodes, slopes, means)
    }
}

/// What the graph keeps of an operation until its backward pass.
trait Saved<const N: usize>: Clone + Debug + Send + 'static {
    /// From the gradient of the result those of the operation's N parents, of which some are wanted.
    fn gradients(self, of_result: FlexTensor, wanted: [bool; N]) -> [Option<FlexTensor>; N];
}

/// The backward pass of the operation that saved this.
#[derive(Debug)]
struct Back<T>(PhantomData<T>);

impl<T: Saved<N>, const N: usize> Backward<Flex, N> for Back<T> {
    type State = T;

    fn backward(self, step: Step<T, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let of_result = gradients.consume::<Flex>(&step.node);
        let wanted = step.parents.each_ref().map(Option::is_some);
        let found = step.state.gradients(of_result, wanted);
        for (parent, gradient) in step.parents.into_iter().zip(found) {
            if let (Some(node), Some(gradient)) = (parent, gradient) {
                gradients.register::<Flex>(node.id, gradient);
            }
        }
    }
}

/// The result of an operation as a node of the graph.
fn tracked<T: Saved<N>, C: CheckpointStrategy, const N: usize>(
    parents: [NodeGuard; N],
    saved: T,
    result: FlexTensor,
) -> FloatTensor<Autodiff<Flex, C>> {
    let back = Back::<T>(PhantomData);
    match back.prepare::<C>(parents).compute_bound().stateful() {
        OpsKind::Tracked(step) => step.finish(saved, result),
        OpsKind::UnTracked(step) => step.finish(result),
    }
}

/// Rows without their graph.
fn without_graph<C: CheckpointStrategy>(
    x: RowsPrimitive<Autodiff<Flex, C>>,
) -> RowsPrimitive<Flex> {
    match x {
        RowsPrimitive::Numbers(numbers) => RowsPrimitive::Numbers(numbers.into_primitive()),
        RowsPrimitive::Bytes(bytes) => RowsPrimitive::Bytes(bytes),
    }
}

/// The same entries in row-major order, copied only where they are not.
fn in_order(tensor: FlexTensor) -> FlexTensor {
    if tensor.is_contiguous() {
        tensor
    } else {
        tensor.to_contiguous()
    }
}

/// The same with nothing before and behind them in memory, so that they can be written to.
fn in_memory_alone(tensor: FlexTensor) -> FlexTensor {
    let tensor = in_order(tensor);
    if entries(&tensor).len() == tensor.storage::<f32>().len() {
        tensor
    } else {
        self::tensor(entries(&tensor).to_vec(), dims(&tensor))
    }
}

/// The entries of a tensor that is [in order](in_order).
fn entries(tensor: &FlexTensor) -> &[f32] {
    slice(tensor)
}

/// The same of numbers or bytes.
fn slice<E: Element + Pod>(tensor: &FlexTensor) -> &[E] {
    tensor.as_slice().expect("a tensor in order, of these")
}

/// A tensor of `values` in row-major order.
fn tensor(values: Vec<f32>, shape: [usize; 3]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

fn dims(tensor: &FlexTensor) -> [usize; 3] {
    tensor.shape().dims::<3>()
}

/// One member's part of a tensor that is [in order](in_order), or the only part there is.
fn matrix(tensor: &FlexTensor, member: usize) -> Matrix<'_> {
    let [members, rows, columns] = dims(tensor);
    let size = rows * columns;
    Matrix::new(
        &entries(tensor)[member % members * size..][..size],
        rows,
        columns,
    )
}

/// The numbers of about a [`PIECE`] of rows.
fn piece_of_rows(rows: usize, columns: usize) -> usize {
    (PIECE / columns.max(1)).clamp(1, rows.max(1)) * columns.max(1)
}

/// Rows as the left side of products: for each member a matrix, or one for all, with marks of what is not 0 in it where
/// they pay.
#[derive(Debug, Clone)]
struct Left {
    /// In order, of numbers or bytes.
    tensor: FlexTensor,
    shape: [usize; 3],
    /// One for each matrix; none where products are too short.
    marks: Vec<Marks>,
    /// How many columns those have that it is multiplied with.
    columns: usize,
}

impl Left {
    /// For products with matrices of `columns` columns.
    fn new(rows: RowsPrimitive<Flex>, columns: usize) -> Self {
        let (RowsPrimitive::Numbers(tensor) | RowsPrimitive::Bytes(tensor)) = rows;
        let tensor = in_order(tensor);
        let shape = dims(&tensor);
        let [_, rows, width] = shape;
        let size = (rows * width).max(1);
        let marks = match tensor.dtype() {
            DType::U8 => {
                let matrices = slice::<u8>(&tensor).chunks_exact(size);
                matrices.map(|matrix| Marks::of(matrix, width)).collect()
            }
            _ if columns >= COLUMNS_WORTH_A_LOOK => {
                let matrices = entries(&tensor).chunks_exact(size);
                matrices.map(|matrix| Marks::of(matrix, width)).collect()
            }
            _ => Vec::new(),
        };
        Self {
            tensor,
            shape,
            marks,
            columns,
        }
    }

    fn of_numbers(tensor: FlexTensor, columns: usize) -> Self {
        Self::new(RowsPrimitive::Numbers(tensor), columns)
    }

    /// Without a look at what is 0.
    fn whole(tensor: FlexTensor) -> Self {
        let tensor = in_order(tensor);
        Self {
            shape: dims(&tensor),
            tensor,
            marks: Vec::new(),
            columns: 0,
        }
    }

    /// The same without marks where most numbers are not 0, as those of sigmoid units.
    fn whole_if_dense(mut self) -> Self {
        let is_dense = |marks: &Marks| 4 * marks.marked() > 3 * marks.rows() * marks.columns();
        if self.tensor.dtype() != DType::U8 && self.marks.iter().any(is_dense) {
            self.marks.clear();
        }
        self
    }

    /// One member's matrix of numbers, if it has marks.
    fn marked(&self, member: usize) -> Option<Sparse<'_, f32>> {
        match self.of(member) {
            Factor::Numbers(matrix) => Some(matrix),
            _ => None,
        }
    }

    /// Matrices, rows and columns.
    fn dims(&self) -> [usize; 3] {
        self.shape
    }

    /// Whether there is so little to leave out of products, and they are so large, that a look at every entry costs more.
    fn is_better_whole(&self, marks: &Marks) -> bool {
        /// Multiply–accumulates; of smaller products the bits are what they always were.
        const LARGE: usize = 1_000_000_000;
        let places = marks.rows() * marks.columns();
        4 * marks.marked() > 3 * places && places * self.columns >= LARGE
    }

    /// One member's matrix.
    fn of(&self, member: usize) -> Factor<'_> {
        let [matrices, rows, columns] = self.shape;
        let member = member % matrices;
        let part = member * rows * columns..(member + 1) * rows * columns;
        match (self.marks.get(member), self.tensor.dtype()) {
            (Some(marks), DType::U8) => {
                Factor::Bytes(Sparse::new(&slice(&self.tensor)[part], marks))
            }
            (Some(marks), _) if !self.is_better_whole(marks) => {
                Factor::Numbers(Sparse::new(&entries(&self.tensor)[part], marks))
            }
            _ => Matrix::new(&entries(&self.tensor)[part], rows, columns).into(),
        }
    }
}

/// Σ of the rows of every matrix, one behind the other, and the sum of all squares of each.
fn moments(rows: RowsPrimitive<Flex>) -> (FlexTensor, Vec<f64>) {
    let (RowsPrimitive::Numbers(rows) | RowsPrimitive::Bytes(rows)) = rows;
    let rows = in_order(rows);
    let [matrices, count, columns] = dims(&rows);
    let size = count * columns;
    let of_matrices = (0..matrices).map(|matrix| match rows.dtype() {
        DType::U8 => passes::byte_moments(&slice(&rows)[matrix * size..][..size], columns),
        _ => passes::moments(&entries(&rows)[matrix * size..][..size], columns),
    });
    let (sums, squares): (Vec<Vec<f32>>, Vec<f64>) = of_matrices.unzip();
    (tensor(sums.concat(), [matrices, 1, columns]), squares)
}
