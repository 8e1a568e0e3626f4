//! Models as burn modules and the costs they are trained by: tensors in, tensors out.
//!
//! Every model carries a leading *member* dimension: weights `[member, in, out]`, biases `[member, 1, out]`,
//! activations `[member, batch, unit]`. Members are separate models, which may share a batch; no operation here mixes
//! them. On a GPU the experiments run many models as one this way; on a CPU they give each its own.
//!
//! Nothing in this room knows of configs, files, optimisers or the command line, or of the backend it runs on.

mod autoencoder;
mod classifier;
mod deep;
mod layer;
mod selection;
mod sparsity;

pub use autoencoder::{Autoencoder, Decoder};
pub use classifier::Classifier;
pub use deep::DeepAutoencoder;
pub use layer::{Layer, LayerValues};
pub use selection::{Code, Selection};
pub use sparsity::Sparsity;

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Int, Tensor, TensorData};

/// What a batch costs.
#[derive(Debug)]
pub struct Cost {
    /// What to call `backward` on, `[member, 1, 1]`: members do not mix. Only its gradient is that of the cost: the
    /// KL term is in it with its slope alone (see [`Sparsity::term`]). Read [`parts`](Self::parts).
    pub total: Tensor<3>,
    /// What it consists of, in the model's own order, each a mean over the images; `[member, 1, 1]`, outside of any graph.
    pub parts: Vec<Tensor<3>>,
}

/// What is thrown where a device no longer answers, with what it says: [`unless_lost`] catches it.
#[derive(Debug)]
pub struct Lost(pub String);

/// What `work` comes to.
///
/// # Errors
///
/// Returns [`Lost`] if the device stopped answering meanwhile. Nobody can go on without it, so that what reads tensors throws it past all
/// that would have to hand it up; panics go on.
pub fn unless_lost<T>(work: impl FnOnce() -> T) -> Result<T, Lost> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|thrown| match thrown.downcast::<Lost>() {
        Ok(lost) => *lost,
        Err(panic) => resume_unwind(panic),
    })
}

fn given(data: Result<TensorData, impl Display>) -> TensorData {
    // No panic, which would tell a user about this program's insides.
    data.unwrap_or_else(|error| {
        let lines = error.to_string();
        let lines: Vec<&str> = lines.lines().map(str::trim).collect();
        resume_unwind(Box::new(Lost(lines.join(" "))))
    })
}

/// A tensor's entries in row-major order.
///
/// # Panics
///
/// Throws [`Lost`] if the device fails to give them back.
#[must_use]
pub fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    given(tensor.try_into_data())
        .try_into_vec_as::<f32>()
        .expect("a float tensor converted to f32 is f32")
}

/// An integer tensor's entries in row-major order, whatever width the backend gives them.
///
/// # Panics
///
/// Throws [`Lost`] if the device fails to give them back.
#[must_use]
pub fn whole_numbers<const D: usize>(tensor: Tensor<D, Int>) -> Vec<i64> {
    given(tensor.try_into_data())
        .try_into_vec_as::<i64>()
        .expect("an integer tensor converted to i64 is i64")
}

/// A parameter: its name, its shape, with the member dimension first, and its entries.
pub type Parameter = (String, [usize; 3], Vec<f32>);

/// Every parameter of a model by its path, such as `encoder.weight`, in the order of the model's fields, outside of any graph.
#[must_use]
pub fn parameters(model: &impl Module) -> Vec<Parameter> {
    struct Visitor {
        path: Vec<String>,
        found: Vec<Parameter>,
    }

    impl ModuleVisitor for Visitor {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.push(name.to_owned());
        }

        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.pop();
        }

        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            let tensor = parameter.val().inner();
            let shape = tensor.dims()[..]
                .try_into()
                .expect("every parameter has a member dimension and two more");
            self.found
                .push((self.path.join("."), shape, numbers(tensor)));
        }
    }

    let mut visitor = Visitor {
        path: Vec::new(),
        found: Vec::new(),
    };
    model.visit(&mut visitor);
    visitor.found
}

/// The same model with other numbers: `values` gives those of each parameter by its path and shape, which are as
/// [`parameters`] tells them.
///
/// # Errors
///
/// The first error of `values`.
///
/// # Panics
///
/// Panics if `values` gives another number of numbers than the shape has.
pub fn with_parameters<M: Module, E>(
    model: M,
    values: impl FnMut(&str, [usize; 3]) -> Result<Vec<f32>, E>,
) -> Result<M, E> {
    struct Mapper<F, E> {
        path: Vec<String>,
        values: F,
        error: Option<E>,
    }

    impl<F: FnMut(&str, [usize; 3]) -> Result<Vec<f32>, E>, E> ModuleMapper for Mapper<F, E> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.push(name.to_owned());
        }

        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.pop();
        }

        fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let shape = parameter.val().dims()[..]
                .try_into()
                .expect("every parameter has a member dimension and two more");
            match (self.values)(&self.path.join("."), shape) {
                Ok(values) => parameter.map(|tensor| {
                    Tensor::from_data(TensorData::new(values, shape), &tensor.device())
                }),
                Err(error) => {
                    self.error.get_or_insert(error);
                    parameter
                }
            }
        }
    }

    let mut mapper = Mapper {
        path: Vec::new(),
        values,
        error: None,
    };
    let model = model.map(&mut mapper);
    mapper.error.map_or(Ok(model), Err)
}
