//! The few operations that a training step spends its time in, each as one: an extension of burn's backends.
//!
//! The body that an operation has in the trait [`Ops`] is its definition, composed of burn's own operations: it serves
//! every backend, with burn's autodiff for the backward pass, and tests hold everything else against it. Flex has its own
//! forms, in `flex`, with hand-derived backward passes; what they are made of lies in `kernels`. What costs little time is
//! composed in [`model`](crate::model) and has no operation here.
//!
//! Every tensor has a leading *member* dimension: members are separate models that may share a batch, and no operation
//! mixes them. This room knows no models and no data.

#![allow(
    deprecated,
    reason = "the extension names ndarray, which stays for comparison with flex"
)]

#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "flex")]
mod kernels;
mod rows;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{
    Backend, Dispatch, ExtensionType, TensorMetadata, backend_extension,
    get_or_init_device_settings,
};
use burn::tensor::{FloatDType, Shape, Slice, Tensor};

pub(crate) use self::rows::on_device;
pub use self::rows::{ReadRows, Rows, Stored};

/// [`Rows`] on a backend.
#[derive(Debug, Clone, ExtensionType)]
pub enum RowsPrimitive<B: Backend> {
    /// As of [`Rows::Numbers`].
    Numbers(FloatTensor<B>),
    /// As of [`Rows::Bytes`].
    Bytes(IntTensor<B>),
}

impl<B: Backend> RowsPrimitive<B> {
    fn numbers(self) -> FloatTensor<B> {
        match self {
            Self::Numbers(numbers) => numbers,
            Self::Bytes(bytes) => {
                let numbers = B::int_into_float(bytes, FloatDType::F32);
                B::float_div_scalar(numbers, 255.0.into())
            }
        }
    }
}

/// The numbers of a step of Adam (Kingma and Ba 2015, algorithm 1 as at the end of section 2).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamRates {
    /// β₁, the decay of the mean of gradients.
    pub beta_1: f32,
    /// β₂, the decay of the mean of their squares.
    pub beta_2: f32,
    /// ε, added to the root that divides.
    pub epsilon: f32,
}

/// The same at one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamRatesNow {
    /// β₁, as in [`AdamRates`].
    pub beta_1: f32,
    /// β₂, as in [`AdamRates`].
    pub beta_2: f32,
    /// ε √(1 − β₂ᵗ).
    pub epsilon: f32,
    /// √(1 − β₂ᵗ) / (1 − β₁ᵗ).
    pub factor: f32,
    /// The learning rate at this step.
    pub learning_rate: f32,
}

impl AdamRates {
    /// At step `time`, counted from 1.
    #[must_use]
    pub fn at(self, time: usize, learning_rate: f64) -> AdamRatesNow {
        let time = i32::try_from(time).unwrap_or(i32::MAX);
        let root = (1.0 - self.beta_2.powi(time)).sqrt();
        AdamRatesNow {
            beta_1: self.beta_1,
            beta_2: self.beta_2,
            epsilon: self.epsilon * root,
            factor: root / (1.0 - self.beta_1.powi(time)),
            learning_rate: learning_rate as f32,
        }
    }
}

/// The numbers of a KL divergence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KlRates {
    /// ρ, in (0, 1).
    pub target: f32,
    /// In (0, ½).
    pub clamp: f32,
    /// How much of the estimate of ρ̂ stays, and how much of the batch's own mean comes to it: 0 and 1 without memory.
    pub kept: f32,
    /// How much of the batch's own mean comes to the estimate.
    pub news: f32,
}

/// Which entries of a code stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Largest {
    /// So many of each image.
    OfImage(usize),
    /// So many times as many as the batch has images, wherever they are in it.
    OfBatch(usize),
}

impl Largest {
    /// For codes `[member, batch, unit]`: how many rows a member's part falls into, how long they are, and how many entries
    /// of each stay.
    fn rows(self, [_, images, units]: [usize; 3]) -> [usize; 3] {
        match self {
            Self::OfImage(k) => [images, units, k.min(units)],
            Self::OfBatch(k) => [1, images * units, k.min(units) * images],
        }
    }
}

/// What a layer makes of its sums z = x W + b.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// h = z, as [`affine`].
    Linear,
    /// h = max(0, z), as [`ramp`].
    Ramp,
    /// h = 1 / (1 + exp(−z)), as [`logistic`].
    Sigmoid,
}

/// How a decoder's output is compared with the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecoderError {
    /// As [`squared_error`].
    Squared,
    /// As [`squared_error_of_sparse`].
    SquaredOfSparse,
    /// As [`squared_error_of_logistic`].
    SquaredOfLogistic,
    /// As [`cross_entropy_of_logistic`].
    CrossEntropyOfLogistic,
}

/// The operations; equations and shapes are those of the functions below, of the same names where none is given.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda")),
    Remote: cfg(feature = "remote"),
    Autodiff,
    Fusion: cfg(any(feature = "wgpu", feature = "cuda", feature = "remote"))
)]
pub trait Ops: Backend {
    /// A layer of units, as [`affine`], [`ramp`] and [`logistic`].
    #[fusion(default)]
    fn layer(
        #[extension_type] x: RowsPrimitive<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        unit: Unit,
    ) -> FloatTensor<Self> {
        let z = Self::float_add(Self::float_matmul(x.numbers(), weight), bias);
        match unit {
            Unit::Linear => z,
            Unit::Ramp => Self::relu(z),
            Unit::Sigmoid => Self::sigmoid(z),
        }
    }

    /// The mean error of a decoder, as the functions that [`DecoderError`] names.
    #[fusion(default)]
    fn decoder_error(
        h: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        #[extension_type] x: RowsPrimitive<Self>,
        error: DecoderError,
    ) -> FloatTensor<Self> {
        let z = Self::float_add(Self::float_matmul(h, weight), bias);
        let mean = |of_pixels| Self::float_mean_dim(Self::float_sum_dim(of_pixels, 2), 1);
        let output = match error {
            DecoderError::Squared | DecoderError::SquaredOfSparse => z,
            DecoderError::SquaredOfLogistic => Self::sigmoid(z),
            DecoderError::CrossEntropyOfLogistic => {
                let tail = Self::float_exp(Self::float_neg(Self::float_abs(z.clone())));
                let wanted = Self::float_mul(z.clone(), x.numbers());
                let of_pixels = Self::float_sub(Self::relu(z), wanted);
                return mean(Self::float_add(of_pixels, Self::float_log1p(tail)));
            }
        };
        let residual = Self::float_sub(output, x.numbers());
        let squares = Self::float_mul(residual.clone(), residual);
        Self::float_mul_scalar(mean(squares), 0.5.into())
    }

    /// The mean squared error of a tied autoencoder of ramps, as [`tied_squared_error`].
    #[fusion(default)]
    fn tied_squared_error(
        h: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        decoder_bias: FloatTensor<Self>,
        #[extension_type] x: RowsPrimitive<Self>,
    ) -> FloatTensor<Self> {
        // Only a backend that takes the short cut needs the bias.
        drop(bias);
        let weight = Self::float_swap_dims(weight, 1, 2);
        Self::decoder_error(h, weight, decoder_bias, x, DecoderError::Squared)
    }

    /// The largest entries of a code, as [`keep_largest`].
    #[fusion(default)]
    fn keep_largest(h: FloatTensor<Self>, largest: Largest) -> FloatTensor<Self> {
        let [rows, columns, count] = largest.rows(h.shape().dims());
        let members = h.shape().dims::<3>()[0];
        // What stays is chosen outside of the graph.
        let values = Self::float_detach(h.clone());
        let all = Self::float_reshape(values.clone(), Shape::new([members, rows, columns]));
        let last = count.saturating_sub(1).cast_signed();
        let at_last = [
            Slice::full(),
            Slice::full(),
            Slice::new(last, Some(last + 1), 1),
        ];
        let least = Self::float_slice(Self::float_sort(all, 2, true), &at_last);

        let bools = get_or_init_device_settings::<Self>(&h.device()).bool_dtype;
        let number = |mask| Self::bool_into_float(mask, FloatDType::F32);
        let above = number(Self::float_greater(values.clone(), least.clone(), bools));
        let equal = number(Self::float_equal(values.clone(), least, bools));
        let mut taken = Self::float_sum_dim(above.clone(), 2);
        let mut place = Self::float_cumsum(equal.clone(), 2);
        if let Largest::OfBatch(_) = largest {
            taken = Self::float_sum_dim(taken, 1);
            // Image by image, as GPUs sum up anew for every entry.
            let of_images = Self::float_sum_dim(equal.clone(), 2);
            let so_far = Self::float_cumsum(of_images.clone(), 1);
            place = Self::float_add(place, Self::float_sub(so_far, of_images));
        }
        let place = Self::float_add(place, taken);
        let fits = Self::float_lower_equal_elem(place, (count as f32).into(), bools);
        let stays = Self::float_add(above, Self::float_mul(equal, number(fits)));
        let positive = Self::float_greater_elem(values, 0_f32.into(), bools);
        let stays = Self::float_mul(stays, number(positive));
        // What is not a number stays so. Adding 0 makes −0 an ordinary 0.
        Self::float_add_scalar(Self::float_mul(h, stays), 0_f32.into())
    }

    /// Rows of norm 1, as [`unit_rows`].
    #[fusion(default)]
    fn unit_rows(weight: FloatTensor<Self>) -> FloatTensor<Self> {
        let squares = Self::float_mul(weight.clone(), weight.clone());
        let norms = Self::float_sqrt(Self::float_sum_dim(squares, 2));
        let bools = get_or_init_device_settings::<Self>(&norms.device()).bool_dtype;
        let zeros = Self::float_equal_elem(norms.clone(), 0_f32.into(), bools);
        Self::float_div(weight, Self::float_mask_fill(norms, zeros, 1_f32.into()))
    }

    /// A gradient's part across rows of norm 1, as [`tangential`].
    #[fusion(default)]
    fn tangential(gradient: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        let along = Self::float_mul(gradient.clone(), weight.clone());
        let along = Self::float_sum_dim(along, 2);
        Self::float_sub(gradient, Self::float_mul(weight, along))
    }

    /// The mean cross-entropy in nats, as [`cross_entropy`].
    #[fusion(default)]
    fn cross_entropy(logits: FloatTensor<Self>, targets: FloatTensor<Self>) -> FloatTensor<Self> {
        // The largest is subtracted first, so that exp does not overflow.
        let largest = Self::float_max_dim(logits.clone(), 2);
        let logits = Self::float_sub(logits, largest);
        let sum = Self::float_sum_dim(Self::float_exp(logits.clone()), 2);
        let log_shares = Self::float_sub(logits, Self::float_log(sum));
        let products = Self::float_mul(log_shares, targets);
        Self::float_neg(Self::float_mean_dim(Self::float_sum_dim(products, 2), 1))
    }

    /// The weighted sum of the units' means over the batch, as [`weighted_means`].
    #[fusion(default)]
    fn weighted_means(h: FloatTensor<Self>, slopes: FloatTensor<Self>) -> FloatTensor<Self> {
        let mean = Self::float_mean_dim(h, 1);
        Self::float_sum_dim(Self::float_mul(mean, slopes), 2)
    }

    /// The new ρ̂, the divergence and its slope times β, as [`kl_divergence`].
    #[fusion(default)]
    fn kl_divergence(
        h: FloatTensor<Self>,
        mean_activation: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        rates: KlRates,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let kept = Self::float_mul_scalar(mean_activation, rates.kept.into());
        let news = Self::float_mul_scalar(Self::float_mean_dim(h, 1), rates.news.into());
        let mean_activation = Self::float_add(kept, news);

        let (rho, rest) = (rates.target, 1.0 - rates.target);
        let (low, high) = (rates.clamp.into(), (1.0 - rates.clamp).into());
        let on = Self::float_clamp(mean_activation.clone(), low, high);
        let off = Self::float_add_scalar(Self::float_neg(on.clone()), 1_f32.into());
        let cross = Self::float_add(
            Self::float_mul_scalar(Self::float_log(on.clone()), rho.into()),
            Self::float_mul_scalar(Self::float_log(off.clone()), rest.into()),
        );
        let entropy = rho * rho.ln() + rest * rest.ln();
        let divergence = Self::float_add_scalar(Self::float_neg(cross), entropy.into());
        // Never negative in exact arithmetic; rounding at ρ̂ = ρ must not make it so.
        let divergence = Self::float_clamp_min(divergence, 0_f32.into());
        let slope = Self::float_sub(
            Self::float_mul_scalar(Self::float_recip(off), rest.into()),
            Self::float_mul_scalar(Self::float_recip(on), rho.into()),
        );
        let divergence = Self::float_sum_dim(divergence, 2);
        (mean_activation, divergence, Self::float_mul(slope, beta))
    }

    /// A parameter and its two moments after a step of Adam, as [`adam`].
    #[fusion(default)]
    fn adam(
        parameter: FloatTensor<Self>,
        moment_1: FloatTensor<Self>,
        moment_2: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        rates: AdamRatesNow,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let mix = |moment, news, beta: f32| {
            let kept = Self::float_mul_scalar(moment, beta.into());
            Self::float_add(kept, Self::float_mul_scalar(news, (1.0 - beta).into()))
        };
        let squares = Self::float_mul(gradient.clone(), gradient.clone());
        let moment_1 = mix(moment_1, gradient, rates.beta_1);
        let moment_2 = mix(moment_2, squares, rates.beta_2);
        let root = Self::float_add_scalar(Self::float_sqrt(moment_2.clone()), rates.epsilon.into());
        let step = Self::float_mul_scalar(moment_1.clone(), rates.factor.into());
        let step = Self::float_mul_scalar(Self::float_div(step, root), rates.learning_rate.into());
        (Self::float_sub(parameter, step), moment_1, moment_2)
    }
}

#[cfg(feature = "ndarray")]
#[allow(
    deprecated,
    reason = "burn keeps it for comparison with flex, and so do we"
)]
mod ndarray {
    use burn::backend::{Autodiff, NdArray, autodiff::checkpoint::strategy::CheckpointStrategy};

    #[expect(
        deprecated,
        reason = "burn keeps it for comparison with flex, and so do we"
    )]
    impl super::Ops for NdArray {}
    impl<C: CheckpointStrategy> super::Ops for Autodiff<NdArray, C> {}
}

#[cfg(any(feature = "wgpu", feature = "cuda"))]
mod gpu {
    use burn::backend::fusion::Fusion;
    use burn::backend::{Autodiff, autodiff::checkpoint::strategy::CheckpointStrategy};
    use burn_cubecl::CubeBackend;

    impl super::Ops for CubeBackend {}
    impl<C: CheckpointStrategy> super::Ops for Autodiff<Fusion<CubeBackend>, C> {}
}

#[cfg(feature = "remote")]
mod remote {
    use burn::backend::{Autodiff, Remote, autodiff::checkpoint::strategy::CheckpointStrategy};
    use burn_remote::RemoteChannel;
    use burn_router::BackendRouter;

    impl super::Ops for BackendRouter<RemoteChannel> {}
    impl<C: CheckpointStrategy> super::Ops for Autodiff<Remote, C> {}
}

/// z = x W + b.
///
/// # Shapes
///
/// - x: `[member, batch, input]`, or `[1, batch, input]` where all members see the same batch
/// - weight: `[member, input, unit]`; bias: `[member, 1, unit]`
/// - output: `[member, batch, unit]`
#[must_use]
pub fn affine(x: &Rows, weight: Tensor<3>, bias: Tensor<3>) -> Tensor<3> {
    layer(x, weight, bias, Unit::Linear)
}

/// h = max(0, x W + b); shapes as of [`affine`].
#[must_use]
pub fn ramp(x: &Rows, weight: Tensor<3>, bias: Tensor<3>) -> Tensor<3> {
    layer(x, weight, bias, Unit::Ramp)
}

/// h = 1 / (1 + exp(−x W − b)), sigmoid units; shapes as of [`affine`].
#[must_use]
pub fn logistic(x: &Rows, weight: Tensor<3>, bias: Tensor<3>) -> Tensor<3> {
    layer(x, weight, bias, Unit::Sigmoid)
}

fn layer(x: &Rows, weight: Tensor<3>, bias: Tensor<3>, unit: Unit) -> Tensor<3> {
    let (weight, bias) = (weight.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(Dispatch::layer(x.primitive(), weight, bias, unit))
}

/// ½ ‖h W̃ + c − x‖², the squared error of a linear decoder; its mean over the batch.
///
/// # Shapes
///
/// - h: `[member, batch, unit]`; weight W̃: `[member, unit, input]`; bias c: `[member, 1, input]`
/// - x: `[member, batch, input]`, or `[1, batch, input]` where all members see the same; nothing learns from it
/// - output: `[member, 1, 1]`
#[must_use]
pub fn squared_error(h: Tensor<3>, weight: Tensor<3>, bias: Tensor<3>, x: &Rows) -> Tensor<3> {
    decoder_error(h, weight, bias, x, DecoderError::Squared)
}

/// ½ ‖x̂ − x‖² with x̂ = 1 / (1 + exp(−h W̃ − c)), the squared error of a decoder of sigmoids; its mean over the batch.
///
/// Shapes are those of [`squared_error`].
#[must_use]
pub fn squared_error_of_logistic(
    h: Tensor<3>,
    weight: Tensor<3>,
    bias: Tensor<3>,
    x: &Rows,
) -> Tensor<3> {
    decoder_error(h, weight, bias, x, DecoderError::SquaredOfLogistic)
}

/// −Σᵢ [xᵢ ln x̂ᵢ + (1 − xᵢ) ln(1 − x̂ᵢ)] with x̂ = 1 / (1 + exp(−z)), z = h W̃ + c and x in [0, 1], the cross-entropy of a decoder
/// of sigmoids; its mean over the batch. Computed as max(z, 0) − z x + ln(1 + exp(−|z|)), which overflows for no z.
///
/// Shapes are those of [`squared_error`].
#[must_use]
pub fn cross_entropy_of_logistic(
    h: Tensor<3>,
    weight: Tensor<3>,
    bias: Tensor<3>,
    x: &Rows,
) -> Tensor<3> {
    decoder_error(h, weight, bias, x, DecoderError::CrossEntropyOfLogistic)
}

/// [`squared_error`] for a code whose zeros pass no gradient on, as those of ramps and of [`keep_largest`]: a backend may
/// leave the gradient of h at 0 wherever h is 0. Its work is then in proportion to what is not 0.
///
/// Shapes are those of [`squared_error`].
#[must_use]
pub fn squared_error_of_sparse(
    h: Tensor<3>,
    weight: Tensor<3>,
    bias: Tensor<3>,
    x: &Rows,
) -> Tensor<3> {
    decoder_error(h, weight, bias, x, DecoderError::SquaredOfSparse)
}

fn decoder_error(
    h: Tensor<3>,
    weight: Tensor<3>,
    bias: Tensor<3>,
    x: &Rows,
    error: DecoderError,
) -> Tensor<3> {
    let [h, weight, bias] = [h, weight, bias].map(Tensor::into_dispatch);
    let errors = Dispatch::decoder_error(h, weight, bias, x.primitive(), error);
    Tensor::from_dispatch(errors)
}

/// Of the largest entries of a code those above 0; all others become 0 and pass no gradient on. Of equals the first stay:
/// those of the first image, and of its first unit. What is not a number stays so.
///
/// # Shapes
///
/// - h: `[member, batch, unit]`
/// - output: the same
#[must_use]
pub fn keep_largest(h: Tensor<3>, largest: Largest) -> Tensor<3> {
    Tensor::from_dispatch(Dispatch::keep_largest(h.into_dispatch(), largest))
}

/// Each row divided by its norm, outside of any graph; rows of zeros stay.
///
/// # Shapes
///
/// - weight: `[member, unit, input]`
/// - output: the same
#[must_use]
pub fn unit_rows(weight: Tensor<3>) -> Tensor<3> {
    Tensor::from_dispatch(Dispatch::unit_rows(weight.into_dispatch()))
}

/// A gradient without its part along the rows of a weight, g − (g·w) w for each, outside of any graph.
///
/// # Shapes
///
/// - gradient g and weight w: `[member, unit, input]`, the rows of w of norm 1
/// - output: the same
#[must_use]
pub fn tangential(gradient: Tensor<3>, weight: Tensor<3>) -> Tensor<3> {
    let (gradient, weight) = (gradient.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(Dispatch::tangential(gradient, weight))
}

/// ½ ‖h Wᵀ + c − x‖² for the code h = max(0, x W + b) of x itself, the cost of a tied autoencoder of ramps; its mean over
/// the batch.
///
/// h must be `ramp(x, weight, bias)`, so that x W = h − b wherever h is not 0. A backend may use that. Its gradients for
/// h, W and b are then not the partial derivatives of the formula one by one; they are right once [`ramp`] has passed
/// ∂E/∂h on to W and b.
///
/// # Shapes
///
/// - h: `[member, batch, unit]`; weight: `[member, input, unit]`; bias: `[member, 1, unit]`
/// - decoder bias c: `[member, 1, input]`; x as of [`ramp`]; nothing learns from it
/// - output: `[member, 1, 1]`
#[must_use]
pub fn tied_squared_error(
    h: Tensor<3>,
    weight: Tensor<3>,
    bias: Tensor<3>,
    decoder_bias: Tensor<3>,
    x: &Rows,
) -> Tensor<3> {
    let [h, weight, bias, c] = [h, weight, bias, decoder_bias].map(Tensor::into_dispatch);
    let errors = Dispatch::tied_squared_error(h, weight, bias, c, x.primitive());
    Tensor::from_dispatch(errors)
}

/// −Σₖ dₖ ln yₖ, in nats, with y = softmax(z); its mean over the batch.
///
/// # Shapes
///
/// - logits z: `[member, batch, class]`
/// - targets d (1 for the image's class, 0 elsewhere): the same, or `[1, batch, class]`; nothing learns from them
/// - output: `[member, 1, 1]`
#[must_use]
pub fn cross_entropy(logits: Tensor<3>, targets: Tensor<3>) -> Tensor<3> {
    let (logits, targets) = (logits.into_dispatch(), targets.into_dispatch());
    Tensor::from_dispatch(Dispatch::cross_entropy(logits, targets))
}

/// The weighted sum of the units' means over the batch, Σⱼ sⱼ · mean(hⱼ): a term of the cost with the slope sⱼ in each
/// mean.
///
/// # Shapes
///
/// - h: `[member, batch, unit]`; slopes s: `[member, 1, unit]`, which are constants: nothing learns from them
/// - output: `[member, 1, 1]`
#[must_use]
pub fn weighted_means(h: Tensor<3>, slopes: Tensor<3>) -> Tensor<3> {
    let (h, slopes) = (h.into_dispatch(), slopes.into_dispatch());
    Tensor::from_dispatch(Dispatch::weighted_means(h, slopes))
}

/// What a batch of codes does to the sparsity term β Σⱼ KL(ρ‖ρ̂ⱼ), outside of any graph: the new estimate ρ̂ of the units'
/// mean activations; Σⱼ KL(ρ‖ρ̂ⱼ), with KL(ρ‖ρ̂) = ρ ln(ρ/ρ̂) + (1 − ρ) ln((1 − ρ)/(1 − ρ̂)); and the slope of each term in
/// its ρ̂ⱼ, β (−ρ/ρ̂ + (1 − ρ)/(1 − ρ̂)). The last two have ρ̂ held inside [clamp, 1 − clamp].
///
/// # Shapes
///
/// - h: `[member, batch, unit]`; the estimate before: `[member, 1, unit]`; β: `[member, 1, 1]`
/// - output: `[member, 1, unit]`, `[member, 1, 1]` and `[member, 1, unit]`
#[must_use]
pub fn kl_divergence(
    h: Tensor<3>,
    mean_activation: Tensor<3>,
    beta: Tensor<3>,
    rates: KlRates,
) -> [Tensor<3>; 3] {
    let [h, mean_activation, beta] = [h, mean_activation, beta].map(Tensor::into_dispatch);
    let (mean_activation, divergence, weighted_slope) =
        Dispatch::kl_divergence(h, mean_activation, beta, rates);
    [mean_activation, divergence, weighted_slope].map(Tensor::from_dispatch)
}

/// A parameter and its first and second moment after a step of Adam, all of one shape and outside of any graph.
#[must_use]
pub fn adam<const D: usize>(
    [parameter, moment_1, moment_2]: [Tensor<D>; 3],
    gradient: Tensor<D>,
    rates: AdamRatesNow,
) -> [Tensor<D>; 3] {
    let [parameter, moment_1, moment_2, gradient] =
        [parameter, moment_1, moment_2, gradient].map(Tensor::into_dispatch);
    let (parameter, moment_1, moment_2) =
        Dispatch::adam(parameter, moment_1, moment_2, gradient, rates);
    [parameter, moment_1, moment_2].map(Tensor::from_dispatch)
}
