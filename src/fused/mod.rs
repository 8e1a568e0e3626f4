//! Operations of a training step that burn composes of several passes over memory, each in one.
//!
//! The compositions in the model room are the reference: whoever computes asks here first, and composes where the
//! answer is `None`, as on every backend but flex. Gradients come in two ways. Inside a graph an operation is one of
//! burn's own kind, with its own backward pass. Outside of any graph a *pass* keeps what the way back needs and then
//! gives the gradients, for back-propagation written out, as in the book: on small nets the graph itself would cost as
//! much as a layer. Tests hold both against the compositions. Equal up to rounding: sums are taken in another order.

use burn::tensor::Tensor;

#[cfg(feature = "flex")]
mod activity;
#[cfg(feature = "flex")]
mod batch;
#[cfg(feature = "flex")]
mod cross_entropy;
#[cfg(feature = "flex")]
mod decoder;
mod input;
#[cfg(feature = "flex")]
mod kernel;
#[cfg(feature = "flex")]
mod layer;
#[cfg(feature = "flex")]
mod marks;
#[cfg(feature = "flex")]
mod pictures;
#[cfg(feature = "flex")]
mod products;
#[cfg(feature = "flex")]
mod sparsity;
#[cfg(feature = "flex")]
mod tied;
#[cfg(feature = "flex")]
mod update;

#[cfg(feature = "flex")]
use self::flex::{Side, entries, of_inner, primitive, side, tensor, tracked, untracked};
pub use self::input::Input;
#[cfg(not(feature = "flex"))]
pub use self::nowhere::{
    DecoderPass, Gram, LayerPass, TiedPass, activity, adam, cross_entropy,
    cross_entropy_with_slope, descend, divergence, layer, offered, prefers_tied, squared_error,
};
#[cfg(feature = "flex")]
pub use self::{
    activity::activity,
    cross_entropy::{cross_entropy, cross_entropy_with_slope},
    decoder::{DecoderPass, squared_error},
    layer::{LayerPass, layer},
    sparsity::divergence,
    tied::{Gram, TiedPass, prefers_tied},
    update::{adam, descend},
};

/// Whether a gradient is worth its product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    Yes,
    No,
}

/// What does not change from one step of Adam to the next (Kingma and Ba 2015, algorithm 1).
#[derive(Debug, Clone, Copy)]
pub struct AdamRates {
    pub beta_1: f32,
    pub beta_2: f32,
    pub epsilon: f32,
}

/// A parameter with its first and second moment, all of one shape.
#[derive(Debug, Clone)]
pub struct Place {
    pub parameter: Tensor<3>,
    pub moments: [Tensor<3>; 2],
}

/// Whether steps of this parameter, outside of any graph, can be done in place.
#[cfg(feature = "flex")]
pub fn offered(parameter: &Tensor<3>) -> bool {
    side(parameter) == Side::Plain
}

/// A decoder's weight W̃ as it lies in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecoderWeight {
    /// `[member, unit, input]`.
    Own,
    /// The encoder's, `[member, input, unit]`, used transposed.
    Tied,
}

/// The way in to flex's memory, and out of it.
#[cfg(feature = "flex")]
mod flex {
    use burn::backend::flex::FlexTensor;
    use burn::backend::tensor::FloatTensor;
    use burn::backend::{Autodiff, DispatchDevice, Flex};
    use burn::tensor::{Device, Tensor, TensorData};

    /// A tensor in a graph, or beside one.
    pub type Tracked = FloatTensor<Autodiff<Flex>>;

    /// Where a tensor is computed.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Side {
        /// On flex, outside of any graph.
        Plain,
        /// On flex, with autodiff.
        Autodiff,
        Elsewhere,
    }

    pub fn side<const D: usize>(tensor: &Tensor<D>) -> Side {
        side_of(&tensor.device())
    }

    pub fn side_of(device: &Device) -> Side {
        match device.as_dispatch() {
            DispatchDevice::Flex(_) => Side::Plain,
            DispatchDevice::Autodiff(device) if matches!(**device, DispatchDevice::Flex(_)) => {
                Side::Autodiff
            }
            _ => Side::Elsewhere,
        }
    }

    /// A tensor of [`Side::Plain`], its entries in row-major order.
    pub fn primitive(tensor: Tensor<3>) -> FlexTensor {
        in_order(
            tensor
                .try_into_primitive::<Flex>()
                .expect("a tensor on flex"),
        )
    }

    /// A tensor of [`Side::Autodiff`].
    pub fn tracked(tensor: Tensor<3>) -> Tracked {
        tensor
            .try_into_primitive::<Autodiff<Flex>>()
            .expect("a tensor on flex with autodiff")
    }

    /// What [`tracked`] takes, given back.
    pub fn untracked(tensor: Tracked) -> Tensor<3> {
        Tensor::from_primitive::<Autodiff<Flex>>(tensor)
    }

    pub fn of_inner(tensor: FlexTensor) -> Tensor<3> {
        Tensor::from_primitive::<Flex>(tensor)
    }

    /// The same entries in row-major order, copied only where they are not.
    pub fn in_order(tensor: FlexTensor) -> FlexTensor {
        if tensor.as_slice::<f32>().map(<[f32]>::len) == Some(tensor.storage::<f32>().len()) {
            tensor
        } else {
            tensor.to_contiguous()
        }
    }

    /// The entries of a tensor that is [in order](in_order).
    pub fn entries(tensor: &FlexTensor) -> &[f32] {
        tensor.storage()
    }

    /// A tensor of `values` in row-major order.
    pub fn tensor(values: Vec<f32>, shape: [usize; 3]) -> FlexTensor {
        FlexTensor::from_data(TensorData::new(values, shape))
    }
}

/// A build without flex: everything is composed.
#[cfg(not(feature = "flex"))]
mod nowhere {
    use std::convert::Infallible;

    use super::{AdamRates, DecoderWeight, Input, Place, Tensor, Wanted};

    pub fn layer(_: &Input, _: &Tensor<3>, _: &Tensor<3>, _: f32) -> Option<Tensor<3>> {
        None
    }

    // That nothing of the kind can be is nobody's business outside: code that would use it is compiled all the same.
    #[derive(Debug, Clone)]
    pub struct LayerPass(Infallible);

    impl LayerPass {
        pub fn new(_: &Input, _: &Tensor<3>, _: &Tensor<3>, _: f32) -> Option<Self> {
            None
        }

        pub fn output(&self) -> Tensor<3> {
            match self.0 {}
        }

        pub fn gradients(self, _: Tensor<3>, _: Wanted) -> ([Tensor<3>; 2], Option<Tensor<3>>) {
            match self.0 {}
        }

        pub fn descend(
            self,
            _: Tensor<3>,
            _: f32,
            _: Wanted,
        ) -> ([Tensor<3>; 2], Option<Tensor<3>>) {
            match self.0 {}
        }
    }

    pub fn squared_error(
        _: &Tensor<3>,
        _: &Tensor<3>,
        _: DecoderWeight,
        _: &Tensor<3>,
        _: &Tensor<3>,
    ) -> Option<Tensor<3>> {
        None
    }

    #[derive(Debug, Clone)]
    pub struct DecoderPass(Infallible);

    impl DecoderPass {
        pub fn new(
            _: &Tensor<3>,
            _: &Tensor<3>,
            _: DecoderWeight,
            _: &Tensor<3>,
            _: &Tensor<3>,
        ) -> Option<Self> {
            None
        }

        pub fn errors(&self) -> Tensor<3> {
            match self.0 {}
        }

        pub fn gradients(self, _: f32, _: Option<Tensor<3>>) -> [Tensor<3>; 3] {
            match self.0 {}
        }
    }

    pub fn prefers_tied(_: &Input, _: &Tensor<3>) -> bool {
        false
    }

    #[derive(Debug)]
    pub struct Gram(Infallible);

    impl Gram {
        pub fn new(_: &Tensor<3>) -> Option<Self> {
            None
        }
    }

    #[derive(Debug)]
    pub struct TiedPass(Infallible);

    impl TiedPass {
        pub fn new(encoder: LayerPass, _: &Tensor<3>, _: &Gram) -> Self {
            match encoder.0 {}
        }

        pub fn errors(&self) -> Tensor<3> {
            match self.0 {}
        }

        pub fn gradients(self, _: f32, _: Option<Tensor<3>>) -> [Tensor<3>; 3] {
            match self.0 {}
        }
    }

    pub struct Activity {
        pub total: Vec<f32>,
        pub on: Vec<f32>,
        pub above: Vec<f32>,
    }

    pub fn activity(_: &Tensor<3>, _: f32) -> Option<Activity> {
        None
    }

    pub fn cross_entropy(_: &Tensor<3>, _: &Tensor<3>) -> Option<Tensor<3>> {
        None
    }

    pub fn cross_entropy_with_slope(_: Tensor<3>, _: Tensor<3>, _: f32) -> [Tensor<3>; 2] {
        unreachable!("nothing is offered")
    }

    pub fn divergence(_: f32, _: f32, _: &Tensor<3>) -> Option<(Tensor<3>, Tensor<3>)> {
        None
    }

    pub fn offered(_: &Tensor<3>) -> bool {
        false
    }

    pub fn adam(_: AdamRates, _: f32, _: usize, _: Place, _: &Tensor<3>) -> Place {
        unreachable!("nothing is offered")
    }

    pub fn descend(_: f32, _: Tensor<3>, _: &Tensor<3>) -> Tensor<3> {
        unreachable!("nothing is offered")
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
