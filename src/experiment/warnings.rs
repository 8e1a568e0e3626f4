//! What is allowed, but odd about a plan on its data: told by `check`, at the start of a run, and on its page.

use crate::data::Dataset;
use crate::spec::{
    AutoencoderSpec, AutoencoderTraining, DecoderActivation, DeepAutoencoderSpec, ExperimentName,
    Initialization, MeanActivationEstimator, Model, Plan, Reconstruction, Sparsity, Variance,
};
use crate::words::counted;

/// How much wider than with the usual 1/fan-in a unit's first sum may be, as a ratio of variances. At 4, most units of
/// the figure's autoencoders are dead after an epoch; too narrow a start did no harm.
const WIDE: f64 = 2.0;
/// Pixels of the pictures that the default learning rates are right for.
const USUAL_INPUTS: f64 = 784.0;

/// Each with its cure, after `hint:`.
#[must_use]
pub fn warnings(plan: &Plan, data: &Dataset) -> Vec<String> {
    let mut warnings = Warnings {
        inputs: data.train.images.inputs(),
        images: data.to_pretrain().images.count(),
        inputs_range: None,
        found: Vec::new(),
    };
    if plan.experiment == ExperimentName::Classifier {
        warnings.classes(data);
    }
    for condition in &plan.conditions {
        match &condition.model {
            Model::Autoencoder(training) => {
                warnings.autoencoder(training);
                warnings.range("autoencoder", &training.autoencoder, data);
                warnings.sparsity("sparsity.", training);
            }
            Model::Classifier(training) => {
                warnings.first_weights("network.weight", training.classifier.weight, "");
                if let Some(stage) = training.stages.first() {
                    warnings.range("pretraining", &stage.autoencoder, data);
                }
                for stage in &training.stages {
                    warnings.sparsity("pretraining.sparsity.", stage);
                }
            }
            Model::DeepAutoencoder(training) => {
                let DeepAutoencoderSpec {
                    weight,
                    decoder_activation,
                    reconstruction,
                    ..
                } = training.network;
                warnings.first_weights("network.weight", weight, "");
                let outputs = AutoencoderSpec {
                    decoder_activation,
                    reconstruction,
                    ..AutoencoderSpec::default()
                };
                warnings.range("network", &outputs, data);
                for stage in &training.stages {
                    warnings.sparsity("pretraining.sparsity.", stage);
                }
            }
        }
    }
    warnings.found
}

struct Warnings {
    /// Pixels of a picture.
    inputs: usize,
    /// Images to learn from.
    images: usize,
    /// The smallest and the largest input, once they were asked for.
    inputs_range: Option<[f32; 2]>,
    found: Vec<String>,
}

impl Warnings {
    /// What many conditions share is told once.
    fn add(&mut self, warning: String) {
        if !self.found.contains(&warning) {
            self.found.push(warning);
        }
    }

    fn autoencoder(&mut self, setting: &AutoencoderTraining) {
        // Adam's steps do not shrink where a unit has more inputs, but its sum moves by all of them.
        let rate = setting.training.learning_rate * USUAL_INPUTS / self.inputs as f64;
        let more = format!(
            ", autoencoder.encoder_bias = {{ normal_variance = \"1/fan_in/10\" }}, and training.learning_rate near {rate:.1e}"
        );
        let weight = setting.autoencoder.encoder_weight;
        self.first_weights("autoencoder.encoder_weight", weight, &more);
    }

    /// Weights whose variance was chosen for pictures of another size; `more` goes on with the cure.
    fn first_weights(&mut self, key: &str, weight: Initialization, more: &str) {
        let Initialization::Normal(variance @ Variance::Fixed { value }) = weight else {
            return;
        };
        let inputs = self.inputs;
        let ratio = value * inputs as f64;
        if ratio > WIDE {
            let times = ratio.sqrt();
            self.add(format!(
                "{key} has variance {variance}, but a picture has {inputs} pixels: sums of the first units are {times:.1} \
                 times as wide as with 1/fan_in, and units may die at once\n  hint: set {key} = {{ normal_variance = \
                 \"1/fan_in\" }}{more}"
            ));
        }
    }

    /// Inputs that no output of the decoder can be equal to.
    fn range(&mut self, section: &str, spec: &AutoencoderSpec, data: &Dataset) {
        // A byte stands for a number in [0, 1]. Cross-entropy goes with sigmoid outputs alone.
        if spec.decoder_activation != DecoderActivation::Sigmoid
            || data.train.images.bytes().is_some()
        {
            return;
        }
        let [low, high] = *self
            .inputs_range
            .get_or_insert_with(|| data.train.images.range());
        if low < 0.0 || high > 1.0 {
            let but = match spec.reconstruction {
                Reconstruction::SquaredError => "gives nothing outside of (0, 1)",
                Reconstruction::CrossEntropy => "and cross-entropy are for numbers in [0, 1]",
            };
            self.add(format!(
                "inputs go from {low:.3} to {high:.3}, but {section}.decoder_activation = \"sigmoid\" {but}\n  hint: bring inputs \
                 there with \"squash\" at the end of data.transforms, or set {section}.decoder_activation = \"identity\""
            ));
        }
    }

    /// A mean activation that is taken from too few images to be one.
    fn sparsity(&mut self, prefix: &str, setting: &AutoencoderTraining) {
        let Sparsity::Kl(sparsity) = setting.sparsity else {
            return;
        };
        if sparsity.weight == 0.0 {
            return;
        }
        let of_batch = match sparsity.estimator {
            MeanActivationEstimator::Batch => true,
            MeanActivationEstimator::RunningMean { decay } => decay == 0.0,
        };
        let batch = setting.training.batch(self.images);
        let (last, few) = match self.images % batch {
            0 => (batch, "every batch"),
            last => (last, "the last batch of every epoch"),
        };
        if !of_batch || last as f64 * sparsity.target >= 1.0 {
            return;
        }
        let images = counted(last, "image");
        let target = sparsity.target;
        self.add(format!(
            "{few} has {images}, and {prefix}estimator takes mean activations from a batch alone: with a target of {target} \
             it needs {} or more\n  hint: set {prefix}estimator = \"running_mean\", or choose the batch size so that no \
             batch is so small",
            (1.0 / target).ceil()
        ));
    }

    fn classes(&mut self, data: &Dataset) {
        let labels = data.train.labels.as_deref().unwrap_or_default();
        let missing: Vec<String> = (0..data.classes)
            .filter(|&class| !labels.iter().any(|&label| usize::from(label) == class))
            .map(|class| class.to_string())
            .collect();
        if data.classes == 1 {
            self.add("all images are of one class, so that every classifier is right\n  hint: check the files of labels".to_owned());
        } else if !missing.is_empty() {
            self.add(format!(
                "of {}, counted from 0 to the highest label, no training image is of {}\n  hint: number the labels from 0 \
                 without gaps, or raise data.train_images",
                counted(data.classes, "class"),
                missing.join(", ")
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{self, Overrides};
    use crate::data::{Frame, Images, Split, Transforms};

    /// What is odd about a config on so many pictures of `side`×`side` with these labels.
    fn of(text: &str, images: usize, side: usize, labels: &[u8]) -> Vec<String> {
        let bytes = vec![9; images * side * side];
        let bytes = Images::of_bytes(bytes, Frame::grey(side, side)).expect("pictures");
        of_images(text, bytes, labels)
    }

    fn of_images(text: &str, pictures: Images, labels: &[u8]) -> Vec<String> {
        let config = config::parse(text, Path::new("x.toml"), &Overrides::default());
        let images = pictures.count();
        let split = Split {
            images: pictures,
            labels: Some(labels.iter().copied().cycle().take(images).collect()),
        };
        let data = Dataset {
            name: None,
            classes: 10,
            class_names: Vec::new(),
            train: split.clone(),
            validation: None,
            pretraining: None,
            test: split,
            files: Vec::new(),
            transforms: Transforms::default(),
        };
        warnings(&config.expect(text).plan, &data)
    }

    const DIGITS: [u8; 10] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

    #[test]
    fn the_figure_on_its_pictures_is_not_odd() {
        for (images, side) in [(60_000, 28), (101, 28), (1000, 32), (1000, 4)] {
            let found = of("experiment = \"autoencoder\"", images, side, &DIGITS);
            assert!(found.is_empty(), "{found:?}");
        }
    }

    #[test]
    fn a_variance_for_smaller_pictures_is_told_with_the_cure() {
        let found = of("experiment = \"autoencoder\"", 300, 56, &DIGITS);
        assert_eq!(
            found,
            [
                "autoencoder.encoder_weight has variance 1/784, but a picture has 3136 pixels: sums of the first units are \
                 2.0 times as wide as with 1/fan_in, and units may die at once\n  hint: set autoencoder.encoder_weight = { \
                 normal_variance = \"1/fan_in\" }, autoencoder.encoder_bias = { normal_variance = \"1/fan_in/10\" }, and \
                 training.learning_rate near 1.3e-4"
            ]
        );
        let cured = "experiment = \"autoencoder\"\n[autoencoder]\nencoder_weight.normal_variance = \"1/fan_in\"";
        assert!(of(cured, 300, 56, &DIGITS).is_empty());
        // Conditions that share it are told once.
        let classifiers = "experiment = \"classifier\"\n[conditions.A]\n[conditions.B]\nnetwork.hidden_units = [9]";
        let found = of(classifiers, 300, 56, &DIGITS);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("network.weight has variance 1/784"));
    }

    #[test]
    fn means_over_a_batch_need_as_many_images_as_show_the_target() {
        let batch = "experiment = \"autoencoder\"\n[sparsity]\nweight = 3\nestimator = \"batch\"\n[training]\nbatch_size = ";
        let found =
            |images, batch_size: usize| of(&format!("{batch}{batch_size}"), images, 28, &DIGITS);
        assert_eq!(
            found(301, 100),
            [
                "the last batch of every epoch has 1 image, and sparsity.estimator takes mean activations from a batch \
                 alone: with a target of 0.05 it needs 20 or more\n  hint: set sparsity.estimator = \"running_mean\", or \
                 choose the batch size so that no batch is so small"
            ]
        );
        assert!(found(300, 10)[0].starts_with("every batch has 10 images, "));
        assert!(
            found(300, 100).is_empty() && found(320, 100).is_empty() && found(319, 100).len() == 1
        );
        // Without a sparsity term nothing is made of the mean, and a mean over batches bears with it.
        let none = batch.replace("weight = 3", "weight = 0");
        assert!(of(&format!("{none}100"), 301, 28, &DIGITS).is_empty());
        assert!(of("experiment = \"autoencoder\"", 301, 28, &DIGITS).is_empty());
    }

    #[test]
    fn inputs_that_a_sigmoid_cannot_give_are_told_with_the_cure() {
        let of = |keys: &str, numbers: Vec<f32>| {
            let text = format!(
                "experiment = \"autoencoder\"\n[training]\nbatch_size = 1\n[autoencoder]\n{keys}"
            );
            of_images(
                &text,
                Images::of_numbers(numbers, Frame::grey(1, 2)).expect("pictures"),
                &[0],
            )
        };
        let sigmoid = "decoder_activation = \"sigmoid\"\n";
        assert_eq!(
            of(sigmoid, vec![-0.5, 0.0, 1.0, 2.25]),
            [
                "inputs go from -0.500 to 2.250, but autoencoder.decoder_activation = \"sigmoid\" gives nothing outside of (0, \
                 1)\n  hint: bring inputs there with \"squash\" at the end of data.transforms, or set \
                 autoencoder.decoder_activation = \"identity\""
            ]
        );
        let entropy = format!("{sigmoid}reconstruction = \"cross_entropy\"");
        assert!(
            of(&entropy, vec![0.0, 1.5])[0]
                .contains("\"sigmoid\" and cross-entropy are for numbers in [0, 1]\n")
        );
        assert!(of(sigmoid, vec![0.0, 1.0]).is_empty() && of("", vec![-5.0, 5.0]).is_empty());
    }

    #[test]
    fn classes_without_an_image_are_named() {
        let found = of(
            "experiment = \"classifier\"\n[conditions.A]",
            300,
            28,
            &[0, 1, 2, 4, 5, 6, 8, 9],
        );
        assert_eq!(
            found,
            [
                "of 10 classes, counted from 0 to the highest label, no training image is of 3, 7\n  hint: number the \
                 labels from 0 without gaps, or raise data.train_images"
            ]
        );
    }
}
