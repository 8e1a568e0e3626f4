//! Small runs of every kind, for tests of what becomes of a run, and what two of them must have alike.

use std::fs;
use std::path::Path;

use super::{assert_same_files, manifest};

/// A second or two of training on two cores.
pub const FIGURE: &str = r#"
experiment = "autoencoder"
[data]
train_images = 3000
test_images = 300
[autoencoder]
hidden_units = 40
[grid]
"sparsity.weight" = [0, 0.1, 3]
[training]
epochs = 12
"#;

/// Stages, fine-tuning, momenta, corruption drawn from streams, codes of codes, best epochs: all that a state may forget.
pub const PRETRAINING: &str = r#"
experiment = "classifier"
[run]
seeds = [3, 4]
[data]
train_images = 1600
test_images = 200
validation_images = 100
[network]
activation = "prelu"
[training]
optimizer = { sgd = { momentum = 0.5 } }
epochs = 4
[pretraining]
epochs = 2
corruption = { gaussian = { deviation = 0.1 } }
[conditions.plain]
network.hidden_units = [24, 16, 12, 10]
training.optimizer = "adam"
training.learning_rate = 1e-3
training.keep = { best = { patience = 2 } }
[conditions.pretrained]
network.hidden_units = [24, 16, 12, 10]
training.keep = "best"
pretraining.layers = 3
pretraining.transfer = "shuffled_weights"
[conditions.supervised]
network.hidden_units = [24, 16]
pretraining = { layers = 2, target = "classes" }
[conditions.searched]
network.hidden_units = [24, 16]
pretraining = { layers = "all", corruption = "none", sparsity.estimator = "batch", optimizer.lbfgs.iterations = 4 }
training.optimizer = { lbfgs = { iterations = 4, history = 3 } }
[report]
differences = ["pretrained - plain"]
"#;

/// Stages on some of the digits, their ways back, and the whole.
pub const DEEP: &str = r#"
experiment = "deep_autoencoder"
[run]
seeds = [3, 4]
[data]
train_images = 1200
test_images = 100
pretraining_classes = [2, 3, 5, 7]
[network]
hidden_units = [40, 20, 5]
[training]
epochs = 4
batch_size = 50
[pretraining]
epochs = 2
batch_size = 50
[conditions.pretrained]
pretraining.layers = 2
pretraining.transfer = "shuffled_weights_zero_biases"
[conditions.random]
training.optimizer = { sgd = { momentum = 0.2, final_momentum = 0.8, momentum_epochs = 3 } }
training.schedule = { exponential = { factor = 0.5 } }
"#;

/// Everything that is remembered of units and of steps, in every kind of sparsity.
pub const SPARSE: &str = r#"
experiment = "autoencoder"
[data]
train_images = 2000
test_images = 300
[autoencoder]
hidden_units = 40
decoder = { untied = { unit_norm = true, transposed_start = true } }
decoder_bias = "data_mean"
subtract_decoder_bias = true
revive = { resample = { silent_images = 500 } }
[training]
epochs = 6
schedule = "cosine"
warm_up_steps = 30
largest_gradient_norm = 1.0
probe_epochs = 2
[conditions.l1]
sparsity = { kind = "l1", weight = 4, warm_up_steps = 50 }
[conditions.topk]
sparsity = { kind = "topk", k = 2 }
[conditions.topk_taught]
sparsity = { kind = "topk", k = 2 }
autoencoder.revive = { aux_k = { k = 8, silent_images = 500 } }
[conditions.batch_topk]
sparsity = { kind = "batch_topk", k = 2 }
autoencoder.revive = { aux_k = { k = 8, silent_images = 500 } }
[conditions.jump_relu]
sparsity = { kind = "jump_relu", weight = 0.1, warm_up_steps = 50 }
"#;

/// Every result file, whatever the experiment; times and dates are in the manifest, the page and `times.*` alone, and both pages name the folder.
pub fn assert_same_results(one: &Path, two: &Path) {
    let results = |folder: &Path| -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .expect("a folder")
            .map(|entry| entry.expect("readable"))
            .filter(|entry| entry.path().is_file())
            .map(|entry| entry.file_name().into_string().expect("a plain name"))
            .filter(|name| {
                !["manifest.json", "index.html", "play.html", ".lock"].contains(&name.as_str())
            })
            .filter(|name| !name.starts_with("times."))
            .collect();
        names.sort();
        names
    };
    let names = results(one);
    assert_eq!(names, results(two), "no drafts are left");
    assert!(names.len() > 7, "{names:?}");
    assert_same_files(one, two, names.iter().map(String::as_str));
    assert_eq!(manifest(one)["status"], "complete");
    assert_eq!(manifest(two)["status"], "complete");
}
