//! What a run needs before it begins: a backend, its data, and room. Found and checked in one way for `check`, for new
//! runs and for resumed ones, so that what is refused by one is refused by all, in the same words.

use std::path::{self, Path, PathBuf};
use std::time::Instant;

use super::{Failure, Part};
use crate::backend::{self, Backend, BackendError, Kind};
use crate::config::Config;
use crate::data::{self, Dataset, Frame};
use crate::evidence::{self, About};
use crate::experiment::{self, Disk, Need, Outline};
use crate::machine::{self, readable};
use crate::results::Member;
use crate::run_dir::{DataRecord, RunDir};
use crate::spec::{BackendName, Condition, ExperimentName};
use crate::ui::print::tell;
use crate::words::{counted, printable};

/// What a run has, before it begins.
pub struct Prepared {
    /// Where it computes.
    pub backend: Backend,
    /// The images and labels that it uses.
    pub data: Dataset,
    /// The folder of the data, absolute.
    pub found_at: PathBuf,
    /// What a row of them is before anything is done to it.
    raw_frame: Frame,
    /// As in [`DataRecord`].
    border: Option<u8>,
    /// Seconds that reading them and what is done to them took.
    pub loading: f64,
    /// The size of its training.
    pub extent: experiment::Extent,
    /// The memory that it needs, in bytes.
    pub need: Need,
    /// The disk that it needs.
    pub disk: Disk,
    /// Its tasks, or those of the part that was asked for.
    pub tasks: Vec<Outline>,
    /// The work of every task of the whole run, in multiply–accumulate operations.
    pub work_of_all: Vec<u64>,
    /// What is odd about the plan on these data.
    pub warnings: Vec<String>,
}

/// Opens the backend, reads the data whole and holds the plan against both, for the whole run or a part of it.
///
/// # Errors
///
/// Returns [`Failure`] if the backend or the data are not there, or the plan does not fit the data or the machine.
pub fn prepare(config: &Config, part: Option<Part>, jobs: usize) -> Result<Prepared, Failure> {
    let plan = &config.plan;
    if let Some((about, says)) = evidence::mistake(plan) {
        let origin = match about {
            About::Evidence => config.origin_of("report.evidence"),
            About::Expectation(at) => config.promised_at.get(at),
        };
        let origin = origin.map_or(String::new(), |origin| format!("{origin:#}: "));
        return Err(Failure::Request(origin + &says));
    }
    let backend = open_backend(config)?;
    let start = Instant::now();
    let (mut data, found_at) = read_data(config)?;
    let (images, held_out) = (data.train.images.count(), plan.data.validation_images);
    let inputs = data.train.images.inputs();
    let left = images.saturating_sub(held_out);
    let to_pretrain = data.pretraining.as_ref().map(|of| of.images.count());
    let left = [left, to_pretrain.unwrap_or(left)];
    let members = experiment::members(plan);
    let extent = experiment::extent(plan, &members, left, inputs, data.classes);
    let [of_training, of_pretraining] = extent.largest_batches;
    match to_pretrain {
        Some(others) if of_pretraining > others => {
            return Err(Failure::Request(format!(
                "a batch of the pretraining holds {}, but of data.pretraining_classes there {} only {others}\n  hint: lower \
                 pretraining.batch_size, or raise data.train_images",
                counted(of_pretraining, "image"),
                if others == 1 { "is" } else { "are" },
            )));
        }
        Some(_) => {}
        None => fits("pretraining.batch_size", of_pretraining, images, held_out)?,
    }
    fits("training.batch_size", of_training, images, held_out)?;
    if plan.experiment == ExperimentName::Classifier && data.classes == 0 {
        return Err(Failure::Request(
            "these data have no labels, and a classifier learns from labels\n  hint: add them to the data, or choose \
             experiment = \"autoencoder\""
                .to_owned(),
        ));
    }
    let mut autoencoders = plan.conditions.iter().filter_map(Condition::autoencoder);
    if data.classes == 0 && autoencoders.any(|of| of.probe_epochs > 0) {
        return Err(Failure::Request(
            "these data have no labels, and training.probe_epochs trains a softmax layer on labels\n  hint: add them to \
             the data, or set training.probe_epochs = 0"
                .to_owned(),
        ));
    }
    data.hold_out(held_out);
    let (raw_frame, border) = (data.train.images.frame(), data.train.images.border());
    let before = experiment::memory_to_transform(&plan.data.transforms, &data);
    has_room(&before, Kind::Cpu)?;
    data.transform(&plan.data.transforms)
        .map_err(Failure::request)?;
    if let Some(reason) = data.lost() {
        return Err(Failure::Work(reason.to_owned()));
    }
    let loading = start.elapsed().as_secs_f64();
    let inputs = data.train.images.inputs();
    let mut tasks = experiment::outlines(plan, backend.kind, &data);
    let work_of_all: Vec<u64> = tasks.iter().map(|task| task.work).collect();
    if let Some(part) = part {
        let of_part = part.of_tasks(&work_of_all)?;
        tasks.retain(|task| of_part.contains(&task.number));
    }
    for array in experiment::largest_arrays(plan, &tasks, &data) {
        fits_a_buffer(&array, &backend)?;
    }
    let members: Vec<Member> = tasks.iter().flat_map(|task| task.members.clone()).collect();
    let extent = experiment::extent(plan, &members, left, inputs, data.classes);
    let disk = experiment::disk(plan, &members, &data);
    let need = experiment::memory(plan, &members, &data, backend.kind, jobs).or(before);
    has_room(&need, backend.kind)?;
    Ok(Prepared {
        warnings: experiment::warnings(plan, &data),
        backend,
        data,
        found_at,
        raw_frame,
        border,
        loading,
        extent,
        need,
        disk,
        tasks,
        work_of_all,
    })
}

impl Prepared {
    /// Tells on stderr what is odd.
    pub(crate) fn warn(&self) {
        if self.backend.kind == Kind::SoftwareGpu {
            warn(&format!(
                "{} is a software renderer, not a GPU\n  hint: `--backend flex` is about a hundred times faster here",
                self.backend.description
            ));
        }
        for warning in &self.warnings {
            warn(warning);
        }
        let free = machine::memory().and_then(|memory| memory.free);
        if let Some(free) = free.filter(|&free| free < self.need.bytes())
            && self.backend.kind != Kind::Gpu
        {
            warn(&format!(
                "this needs about {} of memory, and {} are free at the moment\n  hint: end other programs, or lower {}",
                readable(self.need.bytes()),
                readable(free),
                self.need.keys()
            ));
        }
    }

    pub(super) fn data_record(&self, config: &Config) -> DataRecord {
        let data = &self.data;
        DataRecord {
            dir: config.plan.data.dir.display().to_string(),
            found_at: self.found_at.display().to_string(),
            name: data.name.map(str::to_owned),
            train_images: data.train.images.count(),
            test_images: data.test.images.count(),
            pretraining_images: data.pretraining.as_ref().map(|of| of.images.count()),
            frame: data.train.images.frame(),
            raw_frame: Some(self.raw_frame).filter(|_| !data.transforms.is_identity()),
            border: self.border,
            classes: data.classes,
            // A folder may be called anything.
            class_names: data
                .class_names
                .iter()
                .map(|name| printable(name))
                .collect(),
            files: data.files.clone(),
        }
    }
}

fn warn(text: &str) {
    tell(&format!("warning: {}", printable(text)));
}

fn open_backend(config: &Config) -> Result<Backend, Failure> {
    let run = &config.plan.run;
    let opened = match &run.address {
        Some(address) if run.backend == BackendName::Remote => backend::open_at(address),
        _ => backend::open(run.backend),
    };
    opened.map_err(|error| match error {
        BackendError::NotBuilt { .. } | BackendError::NoAddress => Failure::request(error),
        BackendError::NoAdapter { .. } | BackendError::Unreachable { .. } => Failure::work(error),
    })
}

/// Where the run whose config this is found its data; absent if it is the config of none, or names another folder now.
fn found_before(config: &Config) -> Option<PathBuf> {
    let manifest = RunDir::open(&config.folder).ok()?.manifest().ok()?;
    let same = manifest.data.dir == config.plan.data.dir.display().to_string();
    let path = PathBuf::from(manifest.data.found_at);
    (same && path.exists()).then_some(path)
}

pub(super) fn read_data(config: &Config) -> Result<(Dataset, PathBuf), Failure> {
    let plan = &config.plan.data;
    let folder = match found_before(config) {
        Some(path) => Ok(path),
        None => data::locate(&plan.dir, &[&config.folder, Path::new("")]),
    };
    folder
        .and_then(|folder| {
            let data = data::load_as(plan, &folder)?;
            Ok((data, path::absolute(&folder).unwrap_or(folder)))
        })
        .map_err(|error| match error {
            // The config asks for what is not there.
            error if error.is_request() => Failure::request(error),
            damaged => Failure::work(damaged),
        })
}

/// Checks that there are images enough for a batch of the size that a key has.
fn fits(key: &str, batch: usize, images: usize, held_out: usize) -> Result<(), Failure> {
    let left = images.saturating_sub(held_out);
    if batch <= left && left > 0 {
        return Ok(());
    }
    if left == 0 {
        return Err(Failure::Request(format!(
            "data.validation_images = {held_out} leaves none of {} to learn from\n  hint: set data.validation_images below {images}",
            counted(images, "training image")
        )));
    }
    let (what, cure) = if held_out == 0 {
        (String::new(), "raise data.train_images")
    } else {
        (
            format!(" left of {images} after data.validation_images = {held_out}"),
            "hold out fewer with data.validation_images",
        )
    };
    Err(Failure::Request(format!(
        "{key} = {batch}, but there {} only {}{what}\n  hint: lower it, or {cure}",
        if left == 1 { "is" } else { "are" },
        counted(left, "training image"),
    )))
}

/// Checks that the backend can hold the largest array of a plan.
fn fits_a_buffer(array: &experiment::Use, backend: &Backend) -> Result<(), Failure> {
    let Some(limit) = backend.largest_array.filter(|&limit| array.bytes > limit) else {
        return Ok(());
    };
    Err(Failure::Request(format!(
        "{} would be one array of {} on {}, which holds arrays of {} at most\n  hint: lower {}, or use `--backend flex`",
        array.what,
        readable(array.bytes),
        backend.description,
        readable(limit),
        array.keys
    )))
}

/// Checks that the machine has the memory that a plan needs; that of a GPU of its own is not known.
fn has_room(need: &Need, kind: Kind) -> Result<(), Failure> {
    let Some(memory) = machine::memory().filter(|_| kind != Kind::Gpu) else {
        return Ok(());
    };
    if need.bytes() <= memory.limit {
        return Ok(());
    }
    Err(Failure::Request(format!(
        "this needs about {} of memory ({need}), but {} {}\n  hint: lower {}",
        readable(need.bytes()),
        memory.owner,
        readable(memory.limit),
        need.keys()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_all_out_has_nothing_to_learn_from() {
        // A batch of a line search is whatever is left.
        for held_out in [300, 301] {
            let told = fits("training.batch_size", 0, 300, held_out)
                .expect_err("nothing is left")
                .to_string();
            let says = format!("data.validation_images = {held_out} leaves none of 300");
            assert!(told.starts_with(&says), "{told}");
        }
        assert!(fits("training.batch_size", 1, 300, 299).is_ok());
    }

    #[test]
    fn an_array_above_the_limit_of_a_device_is_refused_with_the_keys_to_lower() {
        let flex = backend::open(BackendName::Flex).expect("it is in every build that is tested");
        let of_gpu = |largest_array| Backend {
            largest_array,
            description: "a small GPU".to_owned(),
            ..flex.clone()
        };
        let images = experiment::Use {
            what: "the training images",
            bytes: 188_160_000,
            keys: "data.train_images",
        };
        assert!(fits_a_buffer(&images, &of_gpu(None)).is_ok());
        assert!(fits_a_buffer(&images, &of_gpu(Some(188_160_000))).is_ok());
        let told = fits_a_buffer(&images, &of_gpu(Some(128 << 20))).expect_err("too large");
        assert_eq!(
            told.to_string(),
            "the training images would be one array of 188 MB on a small GPU, which holds arrays of 134 MB at most\n  hint: \
             lower data.train_images, or use `--backend flex`"
        );
    }
}
