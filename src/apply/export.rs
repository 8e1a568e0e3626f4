//! The model itself for other tools: PyTorch, SAELens, numpy. What a tool's files cannot hold is refused, not bent.
//!
//! PyTorch's `nn.Linear` keeps its weights `[unit, input]`, the transpose of ours. SAELens's form is that of its
//! `SAE.load_from_disk` (version 6.54.12), `[input, unit]` and `[unit, input]`: ramps alone, all of them (`standard`), the k
//! largest (`topk`) or those above a threshold each (`jumprelu`, in which it stores those of `BatchTopK`), with a linear decoder.

use std::fs;
use std::io::{self, Cursor};
use std::path::{Path, PathBuf};

use npyz::WriterBuilder;
use npyz::npz::NpzWriter;
use serde_json::json;
use zip::write::FileOptions;

use super::{Network, Trained};
use crate::data::Frame;
use crate::model::{
    Autoencoder, Classifier, DeepAutoencoder, Layer, LayerValues, Selection, numbers,
};
use crate::run::Failure;
use crate::run_dir::write_whole;
use crate::spec::{Activation, DecoderActivation};
use crate::weights::{HostTensor, decoder_name, layer_name};

/// For whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// A state dict of `nn.Linear` layers in one `.safetensors` file.
    Pytorch,
    /// A folder with `cfg.json` and `sae_weights.safetensors`.
    SaeLens,
    /// Plain arrays in one `.npz` file.
    Numpy,
}

/// The version of SAELens whose form is written.
const SAE_LENS: &str = "6.54.12";

/// What was written.
#[derive(Debug)]
pub struct Exported {
    /// In the order in which they were written.
    pub files: Vec<PathBuf>,
    /// Python that loads it.
    pub python: String,
}

/// An array of any rank, in row-major order.
type Array = HostTensor<Vec<usize>>;

impl Array {
    fn new(shape: &[usize], values: Vec<f32>) -> Self {
        let shape = shape.to_vec();
        Self { shape, values }
    }

    fn transposed(&self) -> Self {
        let [rows, columns] = self.shape[..] else {
            return self.clone();
        };
        let values = (0..rows * columns).map(|at| self.values[at % rows * columns + at / rows]);
        Self::new(&[columns, rows], values.collect())
    }
}

/// A layer's arrays: weights `[input, unit]`, biases, and the slope of a `PReLU`.
struct Arrays {
    weight: Array,
    bias: Array,
    slope: Option<Array>,
}

impl From<LayerValues> for Arrays {
    fn from(values: LayerValues) -> Self {
        let [_, inputs, units] = values.shape;
        Self {
            weight: Array::new(&[inputs, units], values.weight),
            bias: Array::new(&[units], values.bias),
            slope: values.slope.map(|slope| Array::new(&[1], slope)),
        }
    }
}

/// The way back: W̃ `[unit, input]` and c.
fn decoder(model: &Autoencoder) -> [Array; 2] {
    let encoder: Arrays = model.encoder.values().into();
    let weight = match &model.decoder.weight {
        None => encoder.weight.transposed(),
        Some(weight) => {
            let [_, units, inputs] = weight.dims();
            Array::new(&[units, inputs], numbers(weight.val()))
        }
    };
    let bias = numbers(model.decoder.bias.val());
    [weight, Array::new(&[bias.len()], bias)]
}

/// Above which each unit stays on, `[unit]`; `None` where no threshold turns units off.
fn thresholds(model: &Autoencoder) -> Option<Array> {
    let [_, _, units] = model.encoder.weight.dims();
    let found = numbers(model.thresholds()?);
    // One for all, or one for each.
    let each = found.iter().copied().cycle().take(units);
    Some(Array::new(&[units], each.collect()))
}

/// Named arrays in the order in which they are to stand.
type Named = Vec<(String, Array)>;

/// Those of the layer at `at` of `nn.Sequential`, in which an activation follows each matrix.
fn in_sequence(at: usize, values: LayerValues) -> Named {
    let of: Arrays = values.into();
    let slope = of
        .slope
        .map(|slope| (format!("{}.weight", 2 * at + 1), slope));
    let own = [("weight", of.weight.transposed()), ("bias", of.bias)];
    let own = own.map(|(name, array)| (format!("{}.{name}", 2 * at), array));
    own.into_iter().chain(slope).collect()
}

impl Trained {
    /// Writes the model for `tool` to `out`: a file, or for SAELens a folder.
    ///
    /// # Errors
    ///
    /// Returns [`Failure`] if the tool's files cannot hold such a model, `out` has another ending than they, or cannot be
    /// written.
    pub fn export(&self, tool: Tool, out: &Path) -> Result<Exported, Failure> {
        let ending = match tool {
            Tool::Pytorch => "safetensors",
            Tool::Numpy => "npz",
            Tool::SaeLens => return self.to_sae_lens(out),
        };
        if out.extension().is_none_or(|found| found != ending) {
            return Err(Failure::Request(format!(
                "{}: this format is one file that ends in .{ending}\n  hint: write `-o {}`",
                out.display(),
                out.with_extension(ending).display()
            )));
        }
        let name = serde_json::Value::from(out.display().to_string()).to_string();
        let (file, python) = if tool == Tool::Pytorch {
            let (arrays, python) = self.pytorch(&name);
            (self.safetensors(&arrays)?, python)
        } else {
            let mut arrays = self.plain();
            let transforms = self.transforms.to_weights();
            arrays.extend(transforms.iter().map(|(name, array)| {
                let array = Array::new(&array.shape, array.values.clone());
                (format!("transforms.{name}"), array)
            }));
            let file = npz(&arrays).map_err(Failure::work)?;
            (file, self.in_numpy(&name))
        };
        write(out, &file)?;
        let files = vec![out.to_owned()];
        Ok(Exported { files, python })
    }

    fn safetensors(&self, arrays: &Named) -> Result<Vec<u8>, Failure> {
        let about = json!({
            "version": self.manifest.version,
            "model": self.member.label,
            "inputs": self.inputs_in_words(),
        });
        let about = [("layerwise".to_owned(), about.to_string())].into();
        let arrays = arrays.iter().map(|(name, array)| (name.as_str(), array));
        safetensors::serialize(arrays, Some(about)).map_err(Failure::work)
    }

    /// What the model is to be given.
    fn inputs_in_words(&self) -> String {
        let (frame, data) = (self.frame(), &self.manifest.data);
        let order = match frame {
            Frame::Picture { channels: 1, .. } => ", row by row",
            Frame::Picture { .. } => ", row by row, the channels of a pixel side by side",
            Frame::Vector { .. } => "",
        };
        let scale = match data.border {
            Some(_) => ", bytes divided by 255",
            None => ", as in the run's data",
        };
        let transforms = if self.transforms.is_identity() {
            ""
        } else {
            ", after the run's own transforms, which are not part of this"
        };
        format!("{frame}{order}{scale}{transforms}")
    }

    fn pytorch(&self, file: &str) -> (Named, String) {
        let inputs = self.inputs();
        let words = self.inputs_in_words();
        match &self.network {
            Network::Autoencoder(model) => {
                // What is taken off the input is part of its biases.
                let values = model.as_layer().values();
                let [_, _, units] = values.shape;
                let encoder: Arrays = values.into();
                let [weight, bias] = decoder(model);
                let arrays = [
                    ("encoder.weight", Some(encoder.weight.transposed())),
                    ("encoder.bias", Some(encoder.bias)),
                    ("activation.weight", encoder.slope),
                    ("decoder.weight", Some(weight.transposed())),
                    ("decoder.bias", Some(bias)),
                    ("kept.threshold", thresholds(model)),
                ];
                let arrays = arrays.into_iter();
                let arrays = arrays.filter_map(|(name, array)| Some((name.to_owned(), array?)));
                let activation = in_torch(model.encoder.activation());
                let (class, kept, code) = match model.selection() {
                    Selection::All => (String::new(), "", 2),
                    Selection::TopK { k } => (largest_in_torch(k), ", kept=Kept()", 3),
                    Selection::BatchTopK { .. } | Selection::JumpRelu { .. } => {
                        (above_in_torch(units), ", kept=Kept()", 3)
                    }
                };
                let output = match model.decoder_activation() {
                    DecoderActivation::Identity => "",
                    DecoderActivation::Sigmoid => ", output=nn.Sigmoid()",
                };
                let python = format!(
                    "import collections, safetensors.torch, torch, torch.nn as nn\n\
                     {class}\
                     parts = dict(encoder=nn.Linear({inputs}, {units}), activation={activation}{kept}, decoder=nn.Linear({units}, \
                     {inputs}){output})\n\
                     model = nn.Sequential(collections.OrderedDict(parts))\n\
                     model.load_state_dict(safetensors.torch.load_file({file}))\n\
                     x = torch.zeros(1, {inputs})  # {words}\n\
                     print(model[:{code}](x), model(x))  # code, reconstruction\n"
                );
                (arrays.collect(), python)
            }
            Network::Classifier(model) => {
                let mut arrays = Vec::new();
                let mut sizes = vec![inputs];
                let layers = model.hidden.iter().chain([&model.output]);
                for (at, layer) in layers.enumerate() {
                    let values = layer.values();
                    sizes.push(values.shape[2]);
                    arrays.extend(in_sequence(at, values));
                }
                let kind = model
                    .hidden
                    .first()
                    .map(|layer| in_torch(layer.activation()));
                let python = format!(
                    "import safetensors.torch, torch, torch.nn as nn\n\
                     sizes = {sizes:?}\n\
                     layers = [layer for pair in zip(sizes, sizes[1:]) for layer in (nn.Linear(*pair), {})]\n\
                     model = nn.Sequential(*layers[:-1])\n\
                     model.load_state_dict(safetensors.torch.load_file({file}))\n\
                     x = torch.zeros(1, {inputs})  # {words}\n\
                     print(model(x).softmax(1))  # probabilities\n",
                    kind.unwrap_or_else(|| "nn.Identity()".to_owned())
                );
                (arrays, python)
            }
            Network::DeepAutoencoder(model) => self.deep_in_pytorch(model, file),
        }
    }

    /// A deep autoencoder as one sequence: a matrix and an activation for each layer, there and back.
    fn deep_in_pytorch(&self, model: &DeepAutoencoder, file: &str) -> (Named, String) {
        let mut arrays = Vec::new();
        let mut modules = Vec::new();
        for (at, layer) in model.encoder.iter().chain(&model.decoder).enumerate() {
            let values = layer.values();
            let [_, inputs, units] = values.shape;
            modules.push(format!("nn.Linear({inputs}, {units})"));
            modules.push(in_torch(layer.activation()));
            arrays.extend(in_sequence(at, values));
        }
        if model.decoder_activation() == DecoderActivation::Sigmoid {
            modules.pop();
            modules.push("nn.Sigmoid()".to_owned());
        }
        let python = format!(
            "import safetensors.torch, torch, torch.nn as nn\n\
             model = nn.Sequential({})\n\
             model.load_state_dict(safetensors.torch.load_file({file}))\n\
             x = torch.zeros(1, {})  # {}\n\
             print(model[:{}](x), model(x))  # code, reconstruction\n",
            modules.join(", "),
            self.inputs(),
            self.inputs_in_words(),
            2 * model.encoder.len(),
        );
        (arrays, python)
    }

    /// Every array under the name that it has in the run's own file, biases and slopes of one dimension; of a tied
    /// autoencoder the decoder's weights, too, and thresholds as they are compared with.
    fn plain(&self) -> Named {
        let layer = |name: &str, values: LayerValues| {
            let of: Arrays = values.into();
            let slope = of.slope.map(|slope| ("slope", slope));
            let arrays = [("weight", of.weight), ("bias", of.bias)].into_iter();
            let named = arrays.chain(slope);
            named
                .map(|(array, values)| (format!("{name}.{array}"), values))
                .collect::<Vec<_>>()
        };
        match &self.network {
            Network::Autoencoder(model) => {
                let [weight, bias] = decoder(model);
                let mut arrays = layer("encoder", model.encoder.values());
                arrays.push(("decoder.weight".to_owned(), weight));
                arrays.push(("decoder.bias".to_owned(), bias));
                arrays.extend(thresholds(model).map(|of| ("threshold".to_owned(), of)));
                arrays
            }
            Network::Classifier(Classifier { hidden, output }) => {
                let layers = hidden.iter().enumerate();
                layers
                    .map(|(at, values)| (layer_name(at), values))
                    .chain([("output".to_owned(), output)])
                    .flat_map(|(name, values)| layer(&name, values.values()))
                    .collect()
            }
            Network::DeepAutoencoder(model) => {
                let there = model.encoder.iter().enumerate();
                let back = model.decoder.iter().enumerate();
                there
                    .map(|(at, values)| (layer_name(at), values))
                    .chain(back.map(|(at, values)| (decoder_name(at), values)))
                    .flat_map(|(name, values)| layer(&name, values.values()))
                    .collect()
            }
        }
    }

    /// How the units of the lowest layer are computed.
    fn in_numpy(&self, file: &str) -> String {
        let (name, layer, model) = match &self.network {
            Network::Autoencoder(model) => ("encoder".to_owned(), &model.encoder, Some(model)),
            Network::Classifier(model) => match model.hidden.first() {
                Some(layer) => (layer_name(0), layer, None),
                None => ("output".to_owned(), &model.output, None),
            },
            Network::DeepAutoencoder(model) => (layer_name(0), &model.encoder[0], None),
        };
        let subtracts = model.is_some_and(Autoencoder::subtracts_decoder_bias);
        let x = if subtracts {
            "(x - model[\"decoder.bias\"])"
        } else {
            "x"
        };
        let kept = match model.map_or(Selection::All, Autoencoder::selection) {
            Selection::All => String::new(),
            Selection::TopK { k } => {
                format!("h = h * ((h > 0) & (h >= numpy.sort(h)[:, -{k}, None]))  # the largest\n")
            }
            Selection::BatchTopK { .. } | Selection::JumpRelu { .. } => {
                "h = h * (h > model[\"threshold\"])\n".to_owned()
            }
        };
        format!(
            "import numpy\n\
             model = numpy.load({file})\n\
             x = numpy.zeros((1, {}), \"float32\")  # {}\n\
             z = {x} @ model[\"{name}.weight\"] + model[\"{name}.bias\"]\n\
             h = {}\n\
             {kept}\
             print(h)  # what the units of {name} give\n",
            self.inputs(),
            self.inputs_in_words(),
            in_numpy(layer, &name),
        )
    }

    /// `cfg.json` and `sae_weights.safetensors` in the folder `out`.
    fn to_sae_lens(&self, out: &Path) -> Result<Exported, Failure> {
        let cannot = |reason: &str| {
            Failure::Request(format!(
                "SAELens {SAE_LENS} cannot represent `{}`: {reason}\n  hint: export it with --format pytorch or npz",
                self.member.label
            ))
        };
        let Network::Autoencoder(model) = &self.network else {
            return Err(cannot(
                "it has several layers, and SAELens's autoencoders have one",
            ));
        };
        if !self.transforms.is_identity() {
            return Err(cannot(
                "its inputs go through transforms (data.transforms), and SAELens's files have no place for them",
            ));
        }
        if model.encoder.activation() != Activation::Relu {
            return Err(cannot(
                "its units are no ramps (autoencoder.activation = \"relu\")",
            ));
        }
        if model.decoder_activation() != DecoderActivation::Identity {
            return Err(cannot(
                "its decoder ends in a sigmoid, and SAELens's are linear (autoencoder.decoder_activation = \"identity\")",
            ));
        }
        if out.exists() && !out.is_dir() {
            return Err(Failure::Request(format!(
                "{}: this format is a folder, and there is a file of that name\n  hint: give another name",
                out.display()
            )));
        }
        let encoder: Arrays = model.encoder.values().into();
        let [decoder_weight, decoder_bias] = decoder(model);
        let [inputs, units] = encoder.weight.shape[..] else {
            unreachable!("weights are matrices");
        };
        let mut arrays: Named = [
            ("W_enc", encoder.weight),
            ("b_enc", encoder.bias),
            ("W_dec", decoder_weight),
            ("b_dec", decoder_bias),
        ]
        .map(|(name, array)| (name.to_owned(), array))
        .into();
        arrays.extend(thresholds(model).map(|of| ("threshold".to_owned(), of)));
        let architecture = match model.selection() {
            Selection::All => "standard",
            Selection::TopK { .. } => "topk",
            Selection::BatchTopK { .. } | Selection::JumpRelu { .. } => "jumprelu",
        };
        // As its loader needs it: without a version of 6 or more it takes the folder for one of its old form.
        let mut config = json!({
            "architecture": architecture,
            "d_in": inputs,
            "d_sae": units,
            "dtype": "float32",
            "device": "cpu",
            "apply_b_dec_to_input": model.subtracts_decoder_bias(),
            "normalize_activations": "none",
            "reshape_activations": "none",
            "metadata": { "sae_lens_version": SAE_LENS, "sae_lens_training_version": null },
        });
        if let Selection::TopK { k } = model.selection() {
            config["k"] = k.into();
            // Whether sums are compared times the norms of the units' decoder weights.
            config["rescale_acts_by_decoder_norm"] = false.into();
        }
        let file = self.safetensors(&arrays)?;
        fs::create_dir_all(out).map_err(|error| cannot_write(out, &error))?;
        let files = vec![out.join("cfg.json"), out.join("sae_weights.safetensors")];
        write(&files[0], format!("{config:#}\n").as_bytes())?;
        write(&files[1], &file)?;
        let name = serde_json::Value::from(out.display().to_string()).to_string();
        let python = format!(
            "import sae_lens, torch\n\
             sae = sae_lens.SAE.load_from_disk({name})\n\
             x = torch.zeros(1, {inputs})  # {}\n\
             print(sae.encode(x), sae(x))  # code, reconstruction\n",
            self.inputs_in_words()
        );
        Ok(Exported { files, python })
    }
}

/// An activation as a module of `torch.nn`.
fn in_torch(activation: Activation) -> String {
    match activation {
        Activation::Relu => "nn.ReLU()".to_owned(),
        Activation::Prelu { .. } => "nn.PReLU()".to_owned(),
        Activation::LeakyRelu { slope } => format!("nn.LeakyReLU({slope:?})"),
        Activation::Sigmoid => "nn.Sigmoid()".to_owned(),
        Activation::Tanh => "nn.Tanh()".to_owned(),
        Activation::Softsign => "nn.Softsign()".to_owned(),
        Activation::Identity => "nn.Identity()".to_owned(),
    }
}

/// An activation of the sums `z` as an expression.
fn in_numpy(layer: &Layer, name: &str) -> String {
    match layer.activation() {
        Activation::Relu => "numpy.maximum(z, 0)".to_owned(),
        Activation::Prelu { .. } => format!("numpy.where(z > 0, z, model[\"{name}.slope\"] * z)"),
        Activation::LeakyRelu { slope } => format!("numpy.where(z > 0, z, {slope:?} * z)"),
        Activation::Sigmoid => "1 / (1 + numpy.exp(-z))".to_owned(),
        Activation::Tanh => "numpy.tanh(z)".to_owned(),
        Activation::Softsign => "z / (1 + abs(z))".to_owned(),
        Activation::Identity => "z".to_owned(),
    }
}

/// A module that keeps the `k` largest units of an image, of those above 0.
fn largest_in_torch(k: usize) -> String {
    format!(
        "class Kept(nn.Module):\n\
         \x20   def forward(self, h):\n\
         \x20       largest, units = h.topk({k})\n\
         \x20       return torch.zeros_like(h).scatter(-1, units, largest.relu())\n"
    )
}

/// A module that keeps units above a threshold each.
fn above_in_torch(units: usize) -> String {
    format!(
        "class Kept(nn.Module):\n\
         \x20   def __init__(self):\n\
         \x20       super().__init__()\n\
         \x20       self.threshold = nn.Parameter(torch.zeros({units}))\n\
         \x20   def forward(self, h):\n\
         \x20       return h * (h > self.threshold)\n"
    )
}

/// An archive of `.npy` files without compression. Equal arrays give equal bytes: entries are of 1980, not of today.
fn npz(arrays: &Named) -> io::Result<Vec<u8>> {
    let mut archive = NpzWriter::new(Cursor::new(Vec::new()));
    for (name, array) in arrays {
        let options = FileOptions::default()
            .compression_method(zip::CompressionMethod::Stored)
            .last_modified_time(zip::DateTime::default())
            .large_file(size_of_val(array.values.as_slice()) > 1 << 31);
        let shape: Vec<u64> = array.shape.iter().map(|&size| size as u64).collect();
        let mut writer = archive
            .array(name, options)?
            .default_dtype()
            .shape(&shape)
            .begin_nd()?;
        array
            .values
            .iter()
            .try_for_each(|value| writer.push(value))?;
        writer.finish()?;
    }
    let bytes = archive.zip_writer().finish()?;
    Ok(bytes.into_inner())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write_whole(path, bytes).map_err(|error| cannot_write(path, &error))
}

/// The error for a file of the user's own that cannot be written.
pub(crate) fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .filter(|_| error.kind() == io::ErrorKind::NotFound);
    let hint = match folder {
        Some(folder) => format!(
            "make the folder {}, or give another file with `-o`",
            folder.display()
        ),
        None => "make room, or give a place that can be written to with `-o`".to_owned(),
    };
    Failure::Work(format!(
        "cannot write {}: {error}\n  hint: {hint}",
        path.display()
    ))
}
