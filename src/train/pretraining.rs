//! Greedy layer-wise pretraining (Bengio et al. 2007, algorithm 1; Okatani, *Deep Learning*, chapter 5): an
//! autoencoder on the pictures, another on the first one's codes, and so on, each trained alone; their encoders
//! become the hidden layers of a classifier. Or, as a control, classifiers of one hidden layer in the place of
//! autoencoders (section 4.2).

use std::mem;

use burn::tensor::{Device, Tensor};

use super::autoencoder::{Trainee, encode_all, untrained};
use super::classifier::{ClassifierTrainee, Labelled};
use super::observe::{Observer, Stop};
use super::state::State;
use super::training::Order;
use crate::model::{Classifier, DeepAutoencoder, Layer, LayerValues};
use crate::ops::Rows;
use crate::seed::{Purpose, shuffle, stream};
use crate::spec::{
    Activation, AutoencoderSpec, AutoencoderTraining, ClassifierSpec, TrainedLayers, Transfer,
};

/// A group of members, one for each seed, at some point of their pretraining.
pub struct Pretraining {
    stages: Vec<AutoencoderTraining>,
    seeds: Vec<u64>,
    /// What the stage that is on trains; absent once all are done.
    trainee: Option<OfStage>,
    /// The images with their classes, where these are what layers are to give.
    labelled: Option<Labelled>,
    /// What it learns: the codes of the layers below; absent in the first stage, which learns pictures.
    codes: Option<Rows>,
    /// Those of the finished stages.
    encoders: Vec<LayerValues>,
    /// The ways back of the finished stages, where these are wanted.
    decoders: Option<Vec<LayerValues>>,
    device: Device,
}

/// An epoch of a stage.
#[derive(Debug, Clone)]
pub struct StageEpoch {
    /// Counted from 0.
    pub stage: usize,
    /// Counted from 1.
    pub epoch: usize,
    /// The learning rate of this epoch.
    pub learning_rate: f64,
    /// Each member's mean reconstruction error, and its Σⱼ KL(ρ‖ρ̂ⱼ), without β; where it learns classes, the mean
    /// cross-entropy, and 0.
    pub costs: Vec<[f64; 2]>,
}

/// A layer on its way, with what is on top of it.
enum OfStage {
    Reconstruction(Box<Trainee>),
    Classes(Box<ClassifierTrainee>),
}

/// The same of both kinds.
macro_rules! of_both {
    ($stage:expr, $of:ident => $value:expr) => {
        match $stage {
            OfStage::Reconstruction($of) => $value,
            OfStage::Classes($of) => $value,
        }
    };
}

impl OfStage {
    /// The layer as it is.
    fn layer(&self) -> Layer {
        match self {
            Self::Reconstruction(trainee) => trainee.model().as_layer(),
            Self::Classes(trainee) => trainee.model().hidden.swap_remove(0),
        }
    }
}

impl Pretraining {
    /// A group about to start its first stage, on `images`.
    #[must_use]
    pub fn new(stages: &[AutoencoderTraining], seeds: &[u64], images: &Rows) -> Self {
        Self::started(stages, seeds, images, None)
    }

    /// The same of layers that are to give classes.
    #[must_use]
    pub fn of_classes(stages: &[AutoencoderTraining], seeds: &[u64], examples: &Labelled) -> Self {
        Self::started(stages, seeds, &examples.images, Some(examples.clone()))
    }

    fn started(
        stages: &[AutoencoderTraining],
        seeds: &[u64],
        images: &Rows,
        labelled: Option<Labelled>,
    ) -> Self {
        let mut pretraining = Self {
            stages: stages.to_vec(),
            seeds: seeds.to_vec(),
            trainee: None,
            labelled,
            codes: None,
            encoders: Vec::new(),
            decoders: None,
            device: images.device(),
        };
        pretraining.trainee = pretraining.next_trainee(images);
        pretraining
    }

    /// The same, which keeps the ways back of its stages too.
    #[must_use]
    pub fn with_decoders(self) -> Self {
        Self {
            decoders: Some(Vec::new()),
            ..self
        }
    }

    /// The ways back of the finished stages, from the input up, where they are kept: weights `[member, unit, input]`.
    #[must_use]
    pub fn decoders(&self) -> &[LayerValues] {
        self.decoders.as_deref().unwrap_or_default()
    }

    /// Whether every stage is finished.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.trainee.is_none()
    }

    /// The encoders of the finished stages, from the input up.
    #[must_use]
    pub fn encoders(&self) -> &[LayerValues] {
        &self.encoders
    }

    /// One more epoch of the stage that is on, and after its last one the codes for the next; `None` if a stop
    /// came in between, or nothing is left to do.
    #[must_use]
    pub fn epoch(
        &mut self,
        images: &Rows,
        order_seed: u64,
        observer: &dyn Observer,
        stop: &Stop,
    ) -> Option<StageEpoch> {
        let trainee = self.trainee.as_mut()?;
        let stage = self.encoders.len();
        // The classifier's own batches are stage 0.
        let order = Order {
            seed: order_seed,
            stage: stage as u64 + 1,
        };
        let examples = self.codes.as_ref().unwrap_or(images);
        let parts = match trainee {
            OfStage::Reconstruction(trainee) => trainee.epoch(examples, order, observer, stop)?,
            OfStage::Classes(trainee) => {
                let labelled = self
                    .labelled
                    .as_ref()
                    .map(|of| of.with_images(examples.clone()));
                trainee.epoch(&labelled?, order, observer, stop)?
            }
        };
        let costs = parts[0].iter().enumerate();
        let term = |at: usize| parts.get(1).map_or(0.0, |terms| terms[at]);
        let epoch = StageEpoch {
            stage,
            epoch: of_both!(trainee, of => of.epochs_done()),
            learning_rate: of_both!(trainee, of => of.last_learning_rate(examples.count())),
            costs: costs.map(|(at, &error)| [error, term(at)]).collect(),
        };
        if of_both!(trainee, of => of.is_trained()) {
            let encoder = trainee.layer();
            if let (Some(decoders), OfStage::Reconstruction(trainee)) =
                (&mut self.decoders, trainee)
            {
                decoders.push(trainee.model().decoder_values());
            }
            self.finish_stage(&encoder, images);
        }
        Some(epoch)
    }

    /// Everything that the pretraining needs to go on from here, in the middle of an epoch too. Codes are left out:
    /// they follow from the encoders.
    #[must_use]
    pub fn state(&self) -> State {
        let mut state = State::default();
        state.put_part("encoders", layers_state(&self.encoders));
        if let Some(decoders) = &self.decoders {
            state.put_part("decoders", layers_state(decoders));
        }
        if let Some(trainee) = &self.trainee {
            state.put_part("trainee", of_both!(trainee, of => of.state()));
        }
        state
    }

    /// This group, which is about to start, at the point that [`state`](Self::state) tells of; `None` if the state
    /// is that of another group.
    #[must_use]
    pub fn restored(mut self, mut state: State, images: &Rows) -> Option<Self> {
        let encoders = restored_layers(state.take_part("encoders"))?;
        if !fits(&encoders, &self.stages, self.seeds.len(), images.inputs()) {
            return None;
        }
        for (values, stage) in encoders.into_iter().zip(self.stages.clone()) {
            let spec = &stage.autoencoder;
            let LayerValues {
                shape,
                weight,
                bias,
                ..
            } = values.clone();
            let layer = Layer::from_values(shape, weight, bias, spec.activation, &self.device);
            self.finish_stage(&layer.with_values(values, &self.device), images);
        }
        if let Some(decoders) = &mut self.decoders {
            *decoders = restored_layers(state.take_part("decoders"))?;
            if !are_ways_back(decoders, &self.encoders) {
                return None;
            }
        }
        let trainee = state.take_part("trainee");
        if let Some(fresh) = self.trainee.take() {
            self.trainee = Some(match fresh {
                OfStage::Reconstruction(fresh) => {
                    OfStage::Reconstruction(Box::new(fresh.restored(trainee, &self.device)?))
                }
                OfStage::Classes(fresh) => {
                    OfStage::Classes(Box::new(fresh.restored(trainee, &self.device)?))
                }
            });
        }
        Some(self)
    }

    /// Keeps the encoder, and starts the next stage on its codes, computed once and without a graph.
    fn finish_stage(&mut self, encoder: &Layer, images: &Rows) {
        self.encoders.push(encoder.values());
        let below = mem::take(&mut self.codes);
        if self.encoders.len() < self.stages.len() {
            let mut codes = Vec::new();
            let below = below.as_ref().unwrap_or(images);
            encode_all(|x| encoder.forward(x), below, |h| codes.push(h));
            self.codes = Some(Tensor::cat(codes, 1).into());
        }
        self.trainee = self.next_trainee(images);
    }

    fn next_trainee(&self, images: &Rows) -> Option<OfStage> {
        let layer = self.encoders.len();
        let stage = self.stages.get(layer)?;
        let sparsity = vec![stage.sparsity; self.seeds.len()];
        let examples = self.codes.as_ref().unwrap_or(images);
        let Some(labelled) = &self.labelled else {
            let (seeds, layer) = (&self.seeds, layer as u64);
            let trainee = Trainee::autoencoders(stage, seeds, &sparsity, examples, layer);
            return Some(OfStage::Reconstruction(Box::new(trainee)));
        };
        let spec = of_one_layer(&stage.autoencoder);
        let (inputs, classes) = (examples.inputs(), labelled.classes());
        let mut model = Classifier::new(&spec, inputs, classes, &self.seeds, &self.device);
        // The layer starts as that of an autoencoder would.
        model.hidden = vec![untrained(stage, &self.seeds, examples, layer as u64).as_layer()];
        let trained = TrainedLayers::All;
        let work = Classifier::step_multiply_accumulates(&spec, inputs, classes, trained);
        let trainee = ClassifierTrainee::classifiers(model, &stage.training, trained, work);
        Some(OfStage::Classes(Box::new(trainee)))
    }
}

/// The classifier that teaches a layer classes: a softmax layer on it alone.
#[must_use]
pub fn of_one_layer(layer: &AutoencoderSpec) -> ClassifierSpec {
    ClassifierSpec {
        hidden_units: vec![layer.hidden_units],
        activation: layer.activation,
        weight: layer.encoder_weight,
        bias: layer.encoder_bias,
        output_weight: None,
    }
}

/// Whether `encoders` are what the first of `stages` teach `members` members on `inputs` inputs.
#[must_use]
pub fn fits(
    encoders: &[LayerValues],
    stages: &[AutoencoderTraining],
    members: usize,
    inputs: usize,
) -> bool {
    let specs = || stages.iter().map(|stage| &stage.autoencoder);
    let below = std::iter::once(inputs).chain(specs().map(|spec| spec.hidden_units));
    encoders.len() <= stages.len()
        && encoders
            .iter()
            .zip(specs().zip(below))
            .all(|(encoder, (spec, inputs))| {
                let has_slope = matches!(spec.activation, Activation::Prelu { .. });
                encoder.shape == [members, inputs, spec.hidden_units]
                    && encoder.slope.is_some() == has_slope
            })
}

/// Whether `decoders` lead back what `encoders` lead up.
#[must_use]
pub fn are_ways_back(decoders: &[LayerValues], encoders: &[LayerValues]) -> bool {
    let mirrored = |decoder: &LayerValues, encoder: &LayerValues| {
        let [members, inputs, units] = encoder.shape;
        decoder.shape == [members, units, inputs]
    };
    let mut pairs = decoders.iter().zip(encoders);
    decoders.len() == encoders.len() && pairs.all(|(decoder, encoder)| mirrored(decoder, encoder))
}

/// The numbers of layers, from the input up.
#[must_use]
pub fn layers_state(layers: &[LayerValues]) -> State {
    let mut state = State::default();
    let shapes: Vec<[usize; 3]> = layers.iter().map(|layer| layer.shape).collect();
    state.put("shapes", &shapes);
    for (at, layer) in layers.iter().enumerate() {
        state.put_numbers(&format!("{at}.weight"), layer.weight.clone());
        state.put_numbers(&format!("{at}.bias"), layer.bias.clone());
        if let Some(slope) = &layer.slope {
            state.put_numbers(&format!("{at}.slope"), slope.clone());
        }
    }
    state
}

/// What [`layers_state`] was given; `None` if it is not such a state.
#[must_use]
pub fn restored_layers(mut state: State) -> Option<Vec<LayerValues>> {
    let shapes: Vec<[usize; 3]> = state.take("shapes")?;
    let layers = shapes.into_iter().enumerate().map(|(at, shape)| {
        let mut numbers = |name: &str| state.take_numbers(&format!("{at}.{name}"));
        let [members, inputs, units] = shape;
        let layer = LayerValues {
            shape,
            weight: numbers("weight")?,
            bias: numbers("bias")?,
            slope: numbers("slope"),
        };
        let fits = Some(layer.weight.len())
            == members
                .checked_mul(inputs)
                .and_then(|size| size.checked_mul(units))
            && Some(layer.bias.len()) == members.checked_mul(units)
            && layer
                .slope
                .as_ref()
                .is_none_or(|slope| slope.len() == members);
        fits.then_some(layer)
    });
    layers.collect()
}

/// What of the encoders is to reach the classifier.
#[must_use]
pub fn transferred(
    encoders: &[LayerValues],
    transfer: Transfer,
    seeds: &[u64],
) -> Vec<LayerValues> {
    let mut layers = encoders.to_vec();
    if transfer == Transfer::Copy {
        return layers;
    }
    for (at, layer) in layers.iter_mut().enumerate() {
        let [_, inputs, units] = layer.shape;
        for (weight, &seed) in layer.weight.chunks_exact_mut(inputs * units).zip(seeds) {
            shuffle(weight, stream(seed, Purpose::Shuffle, &[at as u64]));
        }
        if transfer == Transfer::ShuffledWeightsZeroBiases {
            layer.bias.fill(0.0);
        }
    }
    layers
}

/// Puts copies of `values` in the place of the lowest layers.
///
/// # Panics
///
/// Panics if there are more `values` than layers, or one has another size.
pub fn copy_into(layers: &mut [Layer], values: &[LayerValues], device: &Device) {
    assert!(values.len() <= layers.len(), "a place for each");
    for (place, values) in layers.iter_mut().zip(values) {
        *place = place.with_values(values.clone(), device);
    }
}

/// Unrolls a pretraining: puts copies of its encoders in the place of the lowest layers on the way to the code, and copies of
/// its decoders in the place of those that lead back from them.
///
/// # Panics
///
/// Panics if there are more of them than layers, or one has another size.
pub fn unroll_into(
    model: &mut DeepAutoencoder,
    encoders: &[LayerValues],
    decoders: &[LayerValues],
    device: &Device,
) {
    copy_into(&mut model.encoder, encoders, device);
    // The way back begins at the code.
    model.decoder.reverse();
    for (place, values) in model.decoder.iter_mut().zip(decoders) {
        // A learnt slope is the way up's; the way back starts with its own.
        let slope = place.values().slope;
        let values = LayerValues {
            slope,
            ..values.clone()
        };
        *place = place.with_values(values, device);
    }
    model.decoder.reverse();
}
