//! From a folder or a file to a data set: what is there, which part is what, and the two parts held against each other.
//!
//! Every reader gives an [`Array`] with its labels; only here do arrays become [`Images`], parts a [`Dataset`].

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{self, Path, PathBuf};
use std::sync::Arc;

use super::array::{Array, Holds, Numbers};
use super::error::{HIGHEST_LABEL, name_of, shown, sides};
use super::four_files;
use super::pictures::{self, Listing, Rule, ending, entries};
use super::tensors::ArrayFile;
use super::{DataError, Dataset, FileRecord, Frame, Images, Limits, Split, Transforms, patches};
use crate::seed::{self, Purpose};
use crate::spec::{Arrays, Data, Pictures, Source};
use crate::words::{counted, escaped};

/// Endings of files of arrays.
const ARRAYS: [&str; 3] = ["npy", "npz", "safetensors"];

/// A part of a data set, before it is held against the other.
pub(super) struct Part {
    pub images: Images,
    /// As many as the file has, which may be more than the images that were kept.
    pub labels: Option<Vec<u8>>,
    /// The inputs' file or folder.
    pub file: PathBuf,
}

/// What a reader found.
pub(super) struct Parts {
    pub train: Part,
    pub test: Option<Part>,
    pub files: Vec<FileRecord>,
    /// Where they are known by more than the labels.
    pub class_names: Vec<String>,
}

/// Inputs without a data set around them.
#[derive(Debug)]
pub struct Input {
    /// The rows.
    pub images: Images,
    /// What each is called: the path of a picture below its folder, or the row's number, counted from 0.
    pub names: Vec<String>,
}

/// Reads the data set in `path`, whatever it is, and keeps the rows within `limits`.
///
/// # Errors
///
/// As [`load_as`].
pub fn load(path: &Path, limits: Limits) -> Result<Dataset, DataError> {
    let data = Data {
        train_images: limits.train,
        test_images: limits.test,
        ..Data::default()
    };
    load_as(&data, path)
}

/// Reads the data set in `path`, which `data.dir` named, whole, as `data` says.
///
/// Classes are counted over all labels, kept or not, and so are hashes over whole files.
///
/// # Errors
///
/// [`DataError`] if a file is missing or damaged, if the files contradict each other, if a label is no class, if a number is
/// NaN or infinite, or if `data` asks for what is not there.
pub fn load_as(data: &Data, path: &Path) -> Result<Dataset, DataError> {
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(no_folder(path, &[path.into()]));
        }
        Err(error) => return Err(DataError::unreadable(path, error)),
    };
    if !found.is_dir() && !found.is_file() {
        let expected = "a folder of data, or a file";
        return Err(DataError::not_a_file(path, found.file_type(), expected));
    }
    let not_a_folder = |expected: &str| {
        DataError::request(
            path,
            format!("is a file, expected a folder {expected}"),
            "set data.dir to the folder that it is in",
        )
    };
    // Another folder may have the files.
    let nothing_in = |error| match error {
        DataError::NoFile { ref hint, .. } if hint.starts_with("set data.dir") => error,
        _ => nothing(path),
    };
    let parts = match &data.source {
        Source::Idx if found.is_dir() => four_files::load(path, data)?,
        Source::Arrays(arrays) => load_arrays(path, found.is_dir(), arrays)?,
        Source::Images(_) if found.is_file() => return Err(not_a_folder("of pictures")),
        Source::Images(pictures) => load_pictures(path, pictures)?,
        Source::Patches(_) if found.is_file() => return Err(not_a_folder("of photographs")),
        Source::Patches(patches) => patches::load(path, patches)?,
        Source::Found if found.is_dir() => {
            let entries = entries(path)?;
            if four_files::are_in(&entries) {
                four_files::load(path, data)?
            } else if entries.iter().any(|path| is_called_array(path)) {
                load_arrays(path, true, &Arrays::default())?
            } else if has_pictures(path, &entries) {
                load_pictures(path, &Pictures::default())?
            } else {
                return Err(four_files::load(path, data).map_or_else(nothing_in, |_| nothing(path)));
            }
        }
        Source::Found if ArrayFile::may_be(&start_of(path)?) => {
            load_arrays(path, false, &Arrays::default())?
        }
        Source::Found | Source::Idx if four_files::spelt(path).is_some() => {
            return Err(not_a_folder("with four IDX files"));
        }
        Source::Found | Source::Idx => four_files::load_one(path)?,
    };
    assemble(parts, data, path)
}

fn nothing(dir: &Path) -> DataError {
    DataError::Without {
        dir: dir.into(),
        what: "data that this program reads",
        hint: "put IDX files, arrays (.npy, .npz, .safetensors) or pictures (.png, .jpg, .bmp, .webp) there, or set data.dir to \
               the folder that has them",
    }
}

/// Holds the parts against each other, makes a part to test on if there is none, and keeps what is asked for.
fn assemble(parts: Parts, data: &Data, path: &Path) -> Result<Dataset, DataError> {
    let Parts {
        train,
        test,
        files,
        class_names,
    } = parts;
    let (train, test) = match test {
        Some(test) if data.test_share > 0.0 => {
            return Err(DataError::request(
                &test.file,
                "is the part to test on, so data.test_share has no effect",
                "leave out data.test_share",
            ));
        }
        Some(test) => (train, test),
        None if data.test_share > 0.0 => hold_out(&train, data.test_share, data.split_seed)?,
        None => {
            return Err(DataError::request(
                path,
                "there is no part to test on",
                "hold out a share of the rows, with data.test_share = 0.1",
            ));
        }
    };
    let row = |part: &Part| match part.images.frame() {
        Frame::Picture {
            height,
            width,
            channels: 1,
        } => vec![height, width],
        Frame::Picture {
            height,
            width,
            channels,
        } => vec![height, width, channels],
        Frame::Vector { length } => vec![length],
    };
    let [expected, tested] = [row(&train), row(&test)];
    if expected != tested {
        return Err(DataError::sizes(
            (&test.file, &tested),
            (&train.file, &expected),
        ));
    }
    let unlabelled = |with: &Part, without: &Part| {
        DataError::refused(
            &with.file,
            format!("has labels, and {} has none", shown(&without.file)),
            "add labels to it, or leave them out of both",
        )
    };
    match (&train.labels, &test.labels) {
        (Some(_), None) => return Err(unlabelled(&train, &test)),
        (None, Some(_)) => return Err(unlabelled(&test, &train)),
        _ => {}
    }
    let labels = train.labels.iter().chain(&test.labels).flatten();
    let highest = labels.max().map(|&label| usize::from(label) + 1);
    let files_of = [train.file.clone(), test.file.clone()];
    let mut found = Dataset {
        name: four_files::name(&files),
        classes: if class_names.is_empty() {
            highest.unwrap_or(0)
        } else {
            class_names.len()
        },
        class_names,
        train: train.first(data.train_images, "data.train_images")?,
        pretraining: None,
        validation: None,
        test: test.first(data.test_images, "data.test_images")?,
        files,
        transforms: Transforms::default(),
    };
    choose_classes(&mut found, data, files_of)?;
    Ok(found)
}

/// Leaves the rows of the classes that `data` chooses. What it holds out later is not among those to pretrain on.
fn choose_classes(
    found: &mut Dataset,
    data: &Data,
    [train, test]: [PathBuf; 2],
) -> Result<(), DataError> {
    let (all, highest) = (found.train.clone(), found.classes.saturating_sub(1));
    let mut learnt: Vec<usize> = (0..all.images.count()).collect();
    if let Some(classes) = &data.classes {
        let key = "data.classes";
        learnt = of_classes(&all, classes, highest, key, &train)?;
        let tested = of_classes(&found.test, classes, highest, key, &test)?;
        found.train = picked(&all, &learnt, classes);
        found.test = picked(&found.test, &tested, classes);
        let name = |class: &u8| {
            let name = found.class_names.get(usize::from(*class));
            name.cloned().unwrap_or_else(|| class.to_string())
        };
        found.class_names = classes.iter().map(name).collect();
        found.classes = classes.len();
    }
    if let Some(classes) = &data.pretraining_classes {
        let mut rows = of_classes(&all, classes, highest, "data.pretraining_classes", &train)?;
        let held_out = learnt.len().saturating_sub(data.validation_images);
        rows.retain(|row| learnt[held_out..].binary_search(row).is_err());
        found.pretraining = Some(picked(&all, &rows, classes)).filter(|of| of.images.count() > 0);
    }
    Ok(())
}

/// The places of the rows of these classes; each class has one.
fn of_classes(
    split: &Split,
    classes: &[u8],
    highest: usize,
    key: &'static str,
    file: &Path,
) -> Result<Vec<usize>, DataError> {
    let Some(labels) = &split.labels else {
        return Err(DataError::request(
            file,
            format!("there are no labels, and `{key}` chooses classes"),
            format!("add them to the data, or leave {key} out"),
        ));
    };
    if let Some(&class) = classes.iter().find(|class| !labels.contains(class)) {
        return Err(DataError::request(
            file,
            format!("`{key}` holds {class}, but no image is of that class"),
            format!(
                "classes are counted from 0 to {highest}; or raise data.train_images and data.test_images"
            ),
        ));
    }
    let rows = (0..labels.len()).filter(|&row| classes.contains(&labels[row]));
    Ok(rows.collect())
}

/// These rows, with the place of each label among `classes`.
fn picked(split: &Split, rows: &[usize], classes: &[u8]) -> Split {
    let place = |label: u8| classes.iter().position(|class| *class == label);
    let label = |labels: &Vec<u8>| -> Vec<u8> {
        let places = rows.iter().filter_map(|&row| place(labels[row]));
        places.map(|place| place as u8).collect()
    };
    Split {
        images: split.images.select(rows),
        labels: split.labels.as_ref().map(label),
    }
}

/// Takes a share of the rows away, which the seed alone chooses; both parts keep their order.
fn hold_out(part: &Part, share: f64, seed: u64) -> Result<(Part, Part), DataError> {
    let count = part.images.count();
    if count < 2 {
        return Err(DataError::refused(
            &part.file,
            "has one row, expected at least two: one to learn from and one to test on",
            "add rows",
        ));
    }
    let mut order: Vec<usize> = (0..count).collect();
    seed::shuffle(&mut order, seed::stream(seed, Purpose::Split, &[]));
    let held_out = ((share * count as f64).round() as usize).clamp(1, count - 1);
    let (test, train) = order.split_at_mut(held_out);
    test.sort_unstable();
    train.sort_unstable();
    let pick = |rows: &[usize]| Part {
        images: part.images.select(rows),
        labels: part
            .labels
            .as_ref()
            .map(|labels| rows.iter().map(|&row| labels[row]).collect()),
        file: part.file.clone(),
    };
    Ok((pick(train), pick(test)))
}

impl Part {
    /// The rows within a limit.
    fn first(self, limit: Option<usize>, key: &'static str) -> Result<Split, DataError> {
        let keep = kept(self.images.count(), limit, key, &self.file)?;
        let images = if keep == self.images.count() {
            self.images
        } else {
            self.images.part(0, keep)
        };
        let mut labels = self.labels;
        if let Some(labels) = &mut labels {
            labels.truncate(keep);
            labels.shrink_to_fit();
        }
        Ok(Split { images, labels })
    }
}

/// How many of `has` rows `limit` leaves; `key` is where the user set it.
pub(super) fn kept(
    has: usize,
    limit: Option<usize>,
    key: &'static str,
    file: &Path,
) -> Result<usize, DataError> {
    match limit {
        None => Ok(has),
        Some(asked) if (1..=has).contains(&asked) => Ok(asked),
        Some(asked) => Err(DataError::request(
            file,
            format!(
                "{key} asks for {}, expected 1 to {has}, which it has",
                counted(asked, "image")
            ),
            format!("set {key} to {has} or less, or leave it out for all"),
        )),
    }
}

/// The folder or file that `dir` means: itself if it is absolute, else the first that there is of those in `bases`.
///
/// # Errors
///
/// [`DataError::Refused`] if there is none.
pub fn locate(dir: &Path, bases: &[&Path]) -> Result<PathBuf, DataError> {
    let mut tried: Vec<PathBuf> = bases.iter().map(|base| base.join(dir)).collect();
    tried.dedup();
    match tried
        .iter()
        .position(|path| path.try_exists().unwrap_or(true))
    {
        Some(at) => Ok(tried.swap_remove(at)),
        None => Err(no_folder(dir, &tried)),
    }
}

fn no_folder(dir: &Path, tried: &[PathBuf]) -> DataError {
    let absolute = |path: &PathBuf| path::absolute(path).unwrap_or_else(|_| path.clone());
    let tried = tried.iter().map(absolute).filter(|path| path != dir);
    let tried: Vec<String> = tried.map(|path| shown(&path)).collect();
    let looked_for = if tried.is_empty() {
        String::new()
    } else {
        format!("; looked for {}", tried.join(" and "))
    };
    DataError::request(
        dir,
        format!("no such folder{looked_for}"),
        "set data.dir to a folder of data, or to a file of arrays; a relative one is looked for beside the config, then in \
         the working folder; MNIST comes with this program in data/mnist",
    )
}

/// What a file or an array is, by the words of its name: `y_test` holds labels to test on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Role {
    is_test: bool,
    holds: Holds,
}

impl Role {
    /// None of what is neither to learn from nor to test on.
    pub fn of(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let words: Vec<&str> = name
            .split(|letter: char| !letter.is_ascii_alphanumeric())
            .collect();
        let has = |any: &[&str]| any.iter().any(|word| words.contains(word));
        if has(&["val", "valid", "validation", "dev"]) {
            return None;
        }
        let is_label = has(&["labels", "label", "targets", "target", "classes", "y"]);
        Some(Self {
            is_test: has(&["test", "t10k", "testing"]),
            holds: if is_label {
                Holds::Labels
            } else {
                Holds::Inputs
            },
        })
    }

    /// In words.
    fn said(self) -> &'static str {
        match (self.is_test, self.holds) {
            (false, Holds::Inputs) => "the inputs to learn from",
            (true, Holds::Inputs) => "the inputs to test on",
            (false, Holds::Labels) => "the labels to learn from",
            (true, Holds::Labels) => "the labels to test on",
        }
    }
}

/// The one candidate, if there is one.
pub(super) fn only(
    dir: &Path,
    candidates: Vec<PathBuf>,
    role: Role,
) -> Result<Option<PathBuf>, DataError> {
    let name = |path: &PathBuf| escaped(&name_of(path));
    if let [one, other, ..] = &candidates[..] {
        // The same file, packed and not.
        if other
            .to_string_lossy()
            .strip_suffix(".gz")
            .is_some_and(|plain| Path::new(plain) == one)
            && candidates.len() == 2
        {
            return Ok(candidates.into_iter().next());
        }
        let (dir, arrays) = (dir.into(), false);
        return Err(DataError::Several {
            dir,
            one: name(one),
            other: name(other),
            what: role.said(),
            arrays,
        });
    }
    Ok(candidates.into_iter().next())
}

/// The rows of an array of inputs.
pub(super) fn images(array: Array, file: &Path) -> Result<Images, DataError> {
    let refused = |hint| {
        let expected = "rows × features, or rows × height × width (× 3 in colour)";
        other_shape(file, &array.shape, expected, hint)
    };
    let frame = match array.shape[..] {
        [_, length] => Frame::Vector { length },
        [_, height, width] => Frame::grey(height, width),
        [_, height, width, channels @ (1 | 3)] => Frame::Picture {
            height,
            width,
            channels,
        },
        [_, 1 | 3, _, _] => {
            return Err(refused(
                "put the channels last, with numpy: numpy.moveaxis(a, 1, -1)",
            ));
        }
        [_] => return Err(refused("a row has one number at least; are these labels?")),
        _ => {
            return Err(refused(
                "make rows of it, with numpy: a.reshape(len(a), -1)",
            ));
        }
    };
    match array.numbers {
        Numbers::Bytes(bytes) => Images::of_bytes(bytes, frame),
        Numbers::Floats(numbers) => Images::of_numbers(numbers, frame),
        Numbers::Stored(rows) => Images::of_stored(Arc::new(rows), frame),
    }
}

fn other_shape(file: &Path, shape: &[usize], expected: &str, hint: &str) -> DataError {
    let shape = sides(shape);
    DataError::refused(
        file,
        format!("has the shape {shape}, expected {expected}"),
        hint,
    )
}

/// The classes that an array holds: one number for each row, or QMNIST's eight.
pub(super) fn labels(array: &Array, file: &Path) -> Result<Vec<u8>, DataError> {
    let columns = array.shape[1..].iter().product();
    let class = |(index, label): (usize, f32)| {
        if (0.0..=f32::from(HIGHEST_LABEL)).contains(&label) && label.fract() == 0.0 {
            return Ok(label as u8);
        }
        Err(DataError::refused(
            file,
            format!("label {index}, counted from 0, is {label}, expected 0 to {HIGHEST_LABEL}"),
            "number the classes from 0, and leave out images without a label",
        ))
    };
    match &array.numbers {
        Numbers::Bytes(bytes) => {
            let labels = bytes.iter().step_by(columns).map(|&label| f32::from(label));
            labels.enumerate().map(class).collect()
        }
        Numbers::Floats(numbers) => numbers
            .iter()
            .step_by(columns)
            .copied()
            .enumerate()
            .map(class)
            .collect(),
        Numbers::Stored(_) => unreachable!("labels are held in memory"),
    }
}

fn is_called_array(path: &Path) -> bool {
    ARRAYS.contains(&ending(path).as_str())
}

/// The first bytes of a file.
fn start_of(path: &Path) -> Result<Vec<u8>, DataError> {
    let mut start = Vec::new();
    let file = File::open(path).map_err(|error| DataError::unreadable(path, error))?;
    file.take(16)
        .read_to_end(&mut start)
        .map_err(|error| DataError::unreadable(path, error))?;
    Ok(start)
}

/// Opens a file of arrays that is no pipe and no device.
fn open_arrays(path: &Path) -> Result<ArrayFile, DataError> {
    let found = fs::metadata(path).map_err(|error| DataError::unreadable(path, error))?;
    if !found.is_file() {
        return Err(DataError::not_a_file(
            path,
            found.file_type(),
            "a file of arrays",
        ));
    }
    let file = File::open(path).map_err(|error| DataError::unreadable(path, error))?;
    ArrayFile::open(file, path).map_err(|error| DataError::array(path, error))
}

/// An array: its file, and its key there.
type Place = (PathBuf, String);

/// Arrays by what they are: inputs to learn from, their labels, inputs to test on, their labels.
fn load_arrays(path: &Path, is_folder: bool, asked: &Arrays) -> Result<Parts, DataError> {
    let mut opened: Vec<(PathBuf, ArrayFile)> = Vec::new();
    let mut places: [Option<Place>; 4] = Default::default();
    let asked = [
        &asked.train,
        &asked.train_labels,
        &asked.test,
        &asked.test_labels,
    ];
    let nothing_asked = asked.iter().all(|asked| asked.is_none());
    for (place, asked) in places.iter_mut().zip(asked) {
        if let Some(asked) = asked {
            *place = Some(named_array(path, is_folder, asked, &mut opened)?);
        }
    }
    if nothing_asked {
        places = found_arrays(path, is_folder, &mut opened)?;
    }
    if places[0].is_none() {
        return Err(DataError::Without {
            dir: path.into(),
            what: "array of inputs to learn from",
            hint: "name it with data.source = { arrays = { train = … } }",
        });
    }
    let mut files = Vec::new();
    let mut arrays: [Option<Array>; 4] = Default::default();
    for (file, reader) in &opened {
        let here = places.iter().enumerate();
        let here = here.filter_map(|(slot, place)| {
            place
                .as_ref()
                .filter(|place| place.0 == *file)
                .map(|place| (slot, place))
        });
        let here: Vec<(usize, &Place)> = here.collect();
        if here.is_empty() {
            continue;
        }
        let holds = |slot: usize| {
            if slot.is_multiple_of(2) {
                Holds::Inputs
            } else {
                Holds::Labels
            }
        };
        let wanted: Vec<(&str, Holds)> = here
            .iter()
            .map(|&(slot, place)| (place.1.as_str(), holds(slot)))
            .collect();
        let read = reader
            .read(&wanted)
            .map_err(|error| DataError::array(file, error))?;
        files.push(FileRecord {
            name: name_of(file),
            sha256: read.sha256,
            bytes: read.bytes,
        });
        for ((slot, _), array) in here.into_iter().zip(read.arrays) {
            arrays[slot] = Some(array);
        }
    }
    let [train, train_labels, test, test_labels] = arrays;
    let [of_train, of_train_labels, of_test, of_test_labels] = places;
    let train = train.zip(of_train).expect("it was looked for");
    let test = test
        .zip(of_test)
        .map(|test| array_part(test, test_labels.zip(of_test_labels)));
    Ok(Parts {
        train: array_part(train, train_labels.zip(of_train_labels))?,
        test: test.transpose()?,
        files,
        class_names: Vec::new(),
    })
}

fn array_part(
    (inputs, (file, _)): (Array, Place),
    found: Option<(Array, Place)>,
) -> Result<Part, DataError> {
    let rows = inputs.shape[0];
    let found = found.map(|(array, (other, _))| {
        let count = array.shape[0];
        if array.shape[1..].iter().product::<usize>() != 1 {
            let (expected, hint) = (
                "one class for each row",
                "of probabilities or ones and zeros, with numpy: a.argmax(1)",
            );
            return Err(other_shape(&other, &array.shape, expected, hint));
        }
        if count != rows {
            return Err(DataError::counts((&other, count), (&file, rows)));
        }
        labels(&array, &other)
    });
    Ok(Part {
        labels: found.transpose()?,
        images: images(inputs, &file)?,
        file,
    })
}

fn opened<'a>(
    path: &Path,
    opened: &'a mut Vec<(PathBuf, ArrayFile)>,
) -> Result<&'a ArrayFile, DataError> {
    let known = opened.iter().position(|(known, _)| known == path);
    let at = known.unwrap_or(opened.len());
    if known.is_none() {
        opened.push((path.to_owned(), open_arrays(path)?));
    }
    Ok(&opened[at].1)
}

/// The one array of a file, or that of a key.
fn sole_key(file: &ArrayFile, path: &Path, key: Option<&str>) -> Result<String, DataError> {
    match (key, file.keys()) {
        (Some(key), _) => Ok(key.to_owned()),
        (None, [key]) => Ok(key.clone()),
        (None, []) => Err(DataError::Without {
            dir: path.into(),
            what: "array",
            hint: "write one into it",
        }),
        (None, [one, other, ..]) => {
            let what = "the one that is meant";
            Err(DataError::Several {
                dir: path.into(),
                one: one.clone(),
                other: other.clone(),
                what,
                arrays: true,
            })
        }
    }
}

/// An array by what the config calls it: a key of the file, or a file of the folder, with a key or without.
fn named_array(
    path: &Path,
    is_folder: bool,
    asked: &str,
    files: &mut Vec<(PathBuf, ArrayFile)>,
) -> Result<Place, DataError> {
    if !is_folder {
        opened(path, files)?;
        return Ok((path.to_owned(), asked.to_owned()));
    }
    let whole = path.join(asked);
    let (file, key) = match asked.rsplit_once(':') {
        Some((file, key)) if !whole.exists() => (path.join(file), Some(key)),
        _ => (whole, None),
    };
    let key = sole_key(opened(&file, files)?, &file, key)?;
    Ok((file, key))
}

/// Arrays by their names: those of a folder's files, or of the one file's keys. A single array is to learn from, whatever
/// it is called.
fn found_arrays(
    path: &Path,
    is_folder: bool,
    files: &mut Vec<(PathBuf, ArrayFile)>,
) -> Result<[Option<Place>; 4], DataError> {
    let paths = if is_folder {
        entries(path)?
    } else {
        vec![path.to_owned()]
    };
    let paths: Vec<PathBuf> = paths
        .into_iter()
        .filter(|path| !is_folder || is_called_array(path))
        .collect();
    // Names, and where they lead.
    let mut named: Vec<(String, Place)> = Vec::new();
    if let [file] = &paths[..] {
        for key in opened(file, files)?.keys() {
            named.push((key.clone(), (file.clone(), key.clone())));
        }
    } else {
        for file in paths {
            let key = sole_key(opened(&file, files)?, &file, None)?;
            named.push((
                file.file_stem()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
                (file, key),
            ));
        }
    }
    let mut places: [Option<Place>; 4] = Default::default();
    if let [(_, place)] = &named[..] {
        places[0] = Some(place.clone());
        return Ok(places);
    }
    let mut names: [Option<String>; 4] = Default::default();
    for (name, place) in named {
        let Some(role) = Role::of(&name) else {
            continue;
        };
        let slot = 2 * usize::from(role.is_test) + usize::from(role.holds == Holds::Labels);
        if let Some(one) = names[slot].replace(name.clone()) {
            let what = role.said();
            return Err(DataError::Several {
                dir: path.into(),
                one,
                other: name,
                what,
                arrays: true,
            });
        }
        places[slot] = Some(place);
    }
    Ok(places)
}

/// Whether a folder holds pictures, or folders of them.
fn has_pictures(path: &Path, entries: &[PathBuf]) -> bool {
    let has = |folder: &Path| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.path())
            .any(|path| pictures::is_called_picture(&path))
    };
    path.join("train").is_dir() || has(path) || entries.iter().any(|path| has(path))
}

/// Pictures in `train` and `test`, or in one folder.
fn load_pictures(path: &Path, asked: &Pictures) -> Result<Parts, DataError> {
    let [train, test] =
        ["train", "test"].map(|part| Some(path.join(part)).filter(|folder| folder.is_dir()));
    let train = Listing::of(train.as_deref().unwrap_or(path))?;
    let rule = train.rule(asked)?;
    let classes = train.classes();
    if classes.len() > usize::from(HIGHEST_LABEL) + 1 {
        let (has, most) = (classes.len(), HIGHEST_LABEL + 1);
        return Err(DataError::refused(
            train.folder(),
            format!("has {has} folders of pictures, expected {most} at most"),
            "merge classes",
        ));
    }
    let test = test
        .filter(|_| train.folder() != path)
        .map(|folder| Listing::of(&folder))
        .transpose()?;
    let mut files = Vec::new();
    let mut part = |listing: &Listing, rule: &Rule| {
        let decoded = listing.decode(rule)?;
        files.push(decoded.record);
        let folder = listing.folder();
        // The classes are those that are learnt.
        let mut places = Vec::new();
        for class in listing.classes() {
            match classes.iter().position(|known| known == class) {
                Some(place) => places.push(place as u8),
                None if classes.is_empty() => {}
                None => {
                    return Err(DataError::refused(
                        &folder.join(class),
                        format!("has no counterpart in {}", shown(train.folder())),
                        "a class to test on needs pictures to learn from",
                    ));
                }
            }
        }
        let labels = decoded.labels.map(|labels| {
            labels
                .iter()
                .map(|&label| places.get(label).copied().unwrap_or(0))
                .collect()
        });
        Ok(Part {
            images: images(decoded.array, folder)?,
            labels,
            file: folder.to_owned(),
        })
    };
    Ok(Parts {
        train: part(&train, &rule)?,
        test: test.map(|test| part(&test, &rule)).transpose()?,
        files,
        class_names: classes.to_vec(),
    })
}

/// Reads inputs for a model that is there already: a picture, a folder of pictures, a file of arrays (the one called `key`
/// where it has several), or an IDX file. Pictures become what `pictures` says.
///
/// # Errors
///
/// [`DataError`] if it is none of these, or is damaged.
pub fn read_input(path: &Path, key: Option<&str>, pictures: &Pictures) -> Result<Input, DataError> {
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) => return Err(DataError::unreadable(path, error)),
    };
    if found.is_dir() {
        let listing = Listing::of(path)?;
        let decoded = listing.decode(&listing.rule(pictures)?)?;
        return Ok(Input {
            images: images(decoded.array, path)?,
            names: decoded.names,
        });
    }
    if !found.is_file() {
        return Err(DataError::not_a_file(
            path,
            found.file_type(),
            "a file or a folder",
        ));
    }
    let start = start_of(path)?;
    if ArrayFile::may_be(&start) {
        return array_input(&open_arrays(path)?, key, path);
    }
    if pictures::is_picture(&start) || pictures::is_called_picture(path) {
        let bytes = pictures::read(path).map_err(|error| DataError::picture(path, error))?;
        return picture_input(&bytes, pictures, path);
    }
    let file = File::open(path).map_err(|error| DataError::unreadable(path, error))?;
    let array = four_files::inputs_of(file).map_err(|error| DataError::Idx {
        file: path.into(),
        error,
    })?;
    Ok(numbered(images(array, path)?))
}

/// [`read_input`] from the bytes of a file, which are told apart by what they begin with.
///
/// # Errors
///
/// As [`read_input`].
pub fn read_input_bytes(
    bytes: Vec<u8>,
    key: Option<&str>,
    pictures: &Pictures,
) -> Result<Input, DataError> {
    let path = Path::new("-");
    if ArrayFile::may_be(&bytes) {
        let file = ArrayFile::of_bytes(bytes).map_err(|error| DataError::array(path, error))?;
        return array_input(&file, key, path);
    }
    if pictures::is_picture(&bytes) {
        return picture_input(&bytes, pictures, path);
    }
    let array = four_files::inputs_of(&bytes[..]).map_err(|error| DataError::Idx {
        file: path.into(),
        error,
    })?;
    Ok(numbered(images(array, path)?))
}

fn array_input(file: &ArrayFile, key: Option<&str>, path: &Path) -> Result<Input, DataError> {
    let key = sole_key(file, path, key)?;
    let read = file
        .read(&[(&key, Holds::Inputs)])
        .map_err(|error| DataError::array(path, error))?;
    let array = read.arrays.into_iter().next().expect("one was asked for");
    Ok(numbered(images(array, path)?))
}

fn picture_input(bytes: &[u8], pictures: &Pictures, path: &Path) -> Result<Input, DataError> {
    let array = pictures::one(bytes, pictures, &shown(path))
        .map_err(|error| DataError::picture(path, error))?;
    Ok(Input {
        images: images(array, path)?,
        names: vec![name_of(path)],
    })
}

fn numbered(images: Images) -> Input {
    let names = (0..images.count()).map(|row| row.to_string()).collect();
    Input { images, names }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::FILE_NAMES;
    use super::super::idx::tests::{encode, gzip};
    use super::super::tensors::tests::{npy, npz};
    use super::*;

    /// Three images of 1×2 to learn from and two to test on, as bytes of the four files.
    fn tiny() -> [Vec<u8>; 4] {
        [
            encode(&[3, 1, 2], &[1, 2, 3, 4, 5, 6]),
            encode(&[3], &[0, 2, 1]),
            encode(&[2, 1, 2], &[7, 8, 9, 10]),
            encode(&[2], &[1, 3]),
        ]
    }

    fn folder(files: &[Vec<u8>; 4]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in FILE_NAMES.iter().zip(files) {
            fs::write(dir.path().join(name), bytes).unwrap();
        }
        dir
    }

    /// The message with the folder's name left out.
    fn message(dir: &Path, limits: Limits) -> String {
        let error = load(dir, limits).unwrap_err().to_string();
        error.replace(&*dir.to_string_lossy(), "DIR")
    }

    fn limits(train: usize, test: usize) -> Limits {
        Limits {
            train: Some(train),
            test: Some(test),
        }
    }

    #[test]
    fn a_folder_of_ones_own_is_loaded_and_has_no_name() {
        let dir = folder(&tiny());
        let data = load(dir.path(), Limits::default()).unwrap();
        assert_eq!(
            (data.name, data.classes),
            (None, 4),
            "the highest label is in the test part"
        );
        assert_eq!(
            data.train.images,
            Images::of_bytes(vec![1, 2, 3, 4, 5, 6], Frame::grey(1, 2)).unwrap()
        );
        assert_eq!(
            (data.train.labels, data.test.labels),
            (Some(vec![0, 2, 1]), Some(vec![1, 3]))
        );
        assert_eq!(
            data.files
                .iter()
                .map(|file| file.name.as_str())
                .collect::<Vec<_>>(),
            FILE_NAMES
        );
        assert_eq!(
            data.files.iter().map(|file| file.bytes).collect::<Vec<_>>(),
            [22, 11, 20, 10]
        );
    }

    #[test]
    fn a_limit_keeps_the_first_images_and_changes_neither_hashes_nor_classes() {
        let dir = folder(&tiny());
        let (all, some) = (
            load(dir.path(), Limits::default()).unwrap(),
            load(dir.path(), limits(2, 1)).unwrap(),
        );
        assert_eq!(
            (some.train.images.bytes(), some.train.labels),
            (Some(&[1, 2, 3, 4][..]), Some(vec![0, 2]))
        );
        assert_eq!(
            (some.test.images.bytes(), some.test.labels),
            (Some(&[7, 8][..]), Some(vec![1]))
        );
        assert_eq!((some.files, some.classes), (all.files, all.classes));
    }

    #[test]
    fn chosen_classes_are_counted_in_the_order_of_the_choice() {
        let dir = folder(&[
            encode(&[8, 1, 1], &[10, 11, 12, 13, 14, 15, 16, 17]),
            encode(&[8], &[5, 0, 7, 5, 1, 7, 0, 7]),
            encode(&[4, 1, 1], &[20, 21, 22, 23]),
            encode(&[4], &[7, 0, 5, 1]),
        ]);
        let data = Data {
            classes: Some(vec![7, 5]),
            pretraining_classes: Some(vec![0, 7]),
            validation_images: 2,
            ..Data::default()
        };
        let mut found = load_as(&data, dir.path()).expect("sound files");
        let of = |split: &Split| {
            let bytes = split.images.bytes().map(<[u8]>::to_vec);
            (bytes.expect("bytes"), split.labels.clone().expect("labels"))
        };
        assert_eq!(
            (found.classes, &found.class_names[..]),
            (2, &["7".into(), "5".into()][..])
        );
        assert_eq!(
            of(&found.train),
            (vec![10, 12, 13, 15, 17], vec![1, 0, 1, 0, 0])
        );
        assert_eq!(of(&found.test), (vec![20, 22], vec![0, 1]));
        // All but the last two of those that are trained on, which are held out.
        found.hold_out(data.validation_images);
        assert_eq!(of(&found.train), (vec![10, 12, 13], vec![1, 0, 1]));
        let others = (vec![11, 12, 16], vec![0, 1, 0]);
        assert_eq!(of(found.to_pretrain()), others);
        // Limits count all images of the file.
        let first = Data {
            train_images: Some(4),
            pretraining_classes: None,
            ..data
        };
        let first = load_as(&first, dir.path()).expect("sound files");
        assert_eq!(of(first.to_pretrain()), (vec![10, 12, 13], vec![1, 0, 1]));
    }

    #[test]
    fn classes_that_are_not_there_are_told() {
        let dir = folder(&tiny());
        let told = |data: Data| {
            let error = load_as(&data, dir.path()).expect_err("not there");
            assert!(error.is_request());
            error
                .to_string()
                .replace(&*dir.path().to_string_lossy(), "DIR")
        };
        assert_eq!(
            told(Data {
                pretraining_classes: Some(vec![0, 9]),
                ..Data::default()
            }),
            "DIR/train-images-idx3-ubyte: `data.pretraining_classes` holds 9, but no image is of that class\n  hint: classes \
             are counted from 0 to 3; or raise data.train_images and data.test_images"
        );
        // To learn from, but not to test on.
        assert_eq!(
            told(Data {
                classes: Some(vec![1, 2]),
                ..Data::default()
            }),
            "DIR/t10k-images-idx3-ubyte: `data.classes` holds 2, but no image is of that class\n  hint: classes are counted \
             from 0 to 3; or raise data.train_images and data.test_images"
        );
    }

    #[test]
    fn gzip_is_told_by_content_and_the_plain_name_comes_first() {
        let [images, labels, test_images, test_labels] = tiny();
        let dir = folder(&[gzip(&images), labels, gzip(&test_images), test_labels]);
        fs::rename(
            dir.path().join(FILE_NAMES[1]),
            dir.path().join("train-labels-idx1-ubyte.gz"),
        )
        .unwrap();
        fs::write(
            dir.path().join("train-images-idx3-ubyte.gz"),
            "not looked at",
        )
        .unwrap();
        assert_eq!(
            load(dir.path(), Limits::default()).unwrap(),
            load(folder(&tiny()).path(), Limits::default()).unwrap()
        );
    }

    #[test]
    fn each_mistake_in_a_file_is_told_with_its_cure() {
        let [images, labels, ..] = tiny();
        let packed = gzip(&images);
        let checksum = packed.len() - 8;
        let mut damaged = packed.clone();
        damaged[checksum] ^= 1;
        let max = u32::MAX;
        let mistakes: [(usize, &[u8], &str); 18] = [
            (0, &[], "is empty, expected an IDX header of 16 bytes
  hint: copy or download the file again"),
            (1, &[0, 0, 8], "ends after 3 bytes, expected an IDX header of 8
  hint: copy or download the file again"),
            (0, &images[..15], "ends after 15 bytes, expected an IDX header of 16
  hint: copy or download the file again"),
            (0, &labels, "begins with 00 00 08 01, expected 00 00 08 03 (unsigned bytes, dimensions: 3)
  hint: these are labels; have two files changed names?"),
            (1, &images, "begins with 00 00 08 03, expected 00 00 08 01 (unsigned bytes, dimensions: 1)
  hint: these are pictures; have two files changed names?"),
            (0, &[0, 0, 8, 5], "begins with 00 00 08 05, expected 00 00 08 03 (unsigned bytes, dimensions: 3)
  hint: pictures need count × height × width (× 3 in colour), rows need count × features; labels need count"),
            (0, &[0, 0, 13, 3], "ends after 4 bytes, expected an IDX header of 16
  hint: copy or download the file again"),
            (0, &[&[0, 0, 13, 2, 0, 0, 0, 3, 0, 0, 0, 1], &[0x7f, 0xc0, 0, 0, 1, 2, 3, 4, 1, 2, 3, 4][..]].concat(),
"row 0, counted from 0, holds NaN at place 0, expected numbers that 32-bit floats can hold
  hint: leave such rows out, or put numbers in their place, before the file is written"),
            (2, b"<!DOCTYPE html>", "begins with 3c 21 44 4f, expected 00 00 08 03 (unsigned bytes, dimensions: 3)
  hint: this is no IDX file; data/mnist/README.md says which files are needed"),
            (0, &encode(&[0, 28, 28], &[]), "promises 0 images of 28×28, expected at least one, and no side of 0
  hint: the file was written wrongly; write it again"),
            (0, &encode(&[3, 0, 2], &[]), "promises 3 images of 0×2, expected at least one, and no side of 0
  hint: the file was written wrongly; write it again"),
            (0, &encode(&[max, max, max], &[]), "promises 4294967295 images of 4294967295×4294967295, \
expected a size that memory can hold
  hint: the header is damaged; copy or download the file again"),
            (0, &images[..21], "ends after 21 bytes, expected 22 for 3 images of 1×2 and the header
  hint: copy or download the file again"),
            (1, &[&labels[..], &[0]].concat(), "goes on after 11 bytes, expected its end there, after 3 labels \
and the header
  hint: the header or the tail is wrong; copy or download the file again"),
            (0, &packed[..checksum], "its gzip stream breaks off after 22 unpacked bytes, expected the stream's end mark
  hint: copy or download the file again"),
            (0, &damaged, "its gzip stream is damaged after 22 unpacked bytes (corrupt gzip stream does not have \
a matching checksum)
  hint: copy or download the file again, or unpack it with gunzip, which ignores what follows the end"),
            (0, &[&packed[..], &[0; 10]].concat(), "its gzip stream is damaged after 22 unpacked bytes (invalid gzip header)
  hint: copy or download the file again, or unpack it with gunzip, which ignores what follows the end"),
            (3, &encode(&[2], &[1, 255]), "label 1, counted from 0, is 255, expected 0 to 254
  hint: number the classes from 0, and leave out images without a label"),
        ];
        for (file, bytes, problem) in mistakes {
            let mut files = tiny();
            files[file] = bytes.to_vec();
            let found = message(folder(&files).path(), Limits::default());
            assert_eq!(found, format!("DIR/{}: {problem}", FILE_NAMES[file]));
        }
    }

    #[test]
    fn files_that_contradict_each_other_are_told() {
        let mut files = tiny();
        files[3] = encode(&[3], &[1, 2, 3]);
        assert_eq!(
            message(folder(&files).path(), Limits::default()),
            "DIR/t10k-labels-idx1-ubyte: holds 3 labels, expected 2, one for each image in DIR/t10k-images-idx3-ubyte\n  \
             hint: take both files from the same data set"
        );
        let mut files = tiny();
        files[2] = encode(&[2, 2, 1], &[7, 8, 9, 10]);
        assert_eq!(
            message(folder(&files).path(), Limits::default()),
            "DIR/t10k-images-idx3-ubyte: holds images of 2×1, expected 1×2 as in DIR/train-images-idx3-ubyte\n  \
             hint: take all files from the same data set"
        );
    }

    #[test]
    fn of_files_that_contradict_each_other_the_damaged_one_is_to_blame() {
        // A bit of each number in each header, the sizes' last bytes.
        for (file, byte, problem) in [
            (
                0,
                7,
                "ends after 22 bytes, expected 30 for 7 images of 1×2 and the header",
            ),
            (
                0,
                11,
                "ends after 22 bytes, expected 46 for 3 images of 5×2 and the header",
            ),
            (
                0,
                15,
                "ends after 22 bytes, expected 34 for 3 images of 1×6 and the header",
            ),
            (
                1,
                7,
                "ends after 11 bytes, expected 15 for 7 labels and the header",
            ),
            (
                2,
                7,
                "ends after 20 bytes, expected 28 for 6 images of 1×2 and the header",
            ),
            (
                2,
                11,
                "ends after 20 bytes, expected 36 for 2 images of 5×2 and the header",
            ),
            (
                3,
                7,
                "ends after 10 bytes, expected 14 for 6 labels and the header",
            ),
        ] {
            let mut files = tiny();
            files[file][byte] ^= 4;
            for packed in [false, true] {
                if packed {
                    files[file] = gzip(&files[file]);
                }
                let found = message(folder(&files).path(), Limits::default());
                let expected = format!(
                    "DIR/{}: {problem}\n  hint: copy or download the file again",
                    FILE_NAMES[file]
                );
                assert_eq!(found, expected);
            }
        }
        let mut files = tiny();
        files[0][7] = 2;
        assert_eq!(
            message(folder(&files).path(), Limits::default()),
            "DIR/train-images-idx3-ubyte: goes on after 20 bytes, expected its end there, after 2 images of 1×2 and the \
             header\n  hint: the header or the tail is wrong; copy or download the file again"
        );
    }

    #[test]
    fn names_of_mirrors_and_folders_of_archives_are_found() {
        let whole = load(folder(&tiny()).path(), Limits::default()).unwrap();
        let dotted = |name: &str| name.replace("-idx", ".idx");
        let layouts: [&dyn Fn(&str) -> String; 5] = [
            &|name| dotted(name),
            &|name| format!("{}.gz", dotted(name)),
            &|name| format!("{name}/{name}"),
            &|name| format!("{name}/{}.gz", dotted(name)),
            &|name| format!("{0}/{0}", dotted(name)),
        ];
        for layout in layouts {
            let dir = tempfile::tempdir().unwrap();
            for (name, bytes) in FILE_NAMES.iter().zip(tiny()) {
                let path = dir.path().join(layout(name));
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                let packed = path.extension().is_some_and(|end| end == "gz");
                fs::write(&path, if packed { gzip(&bytes) } else { bytes }).unwrap();
            }
            assert_eq!(load(dir.path(), Limits::default()).unwrap(), whole);
        }
        // A folder in the way of a file that is there under another name is no hindrance.
        let dir = folder(&tiny());
        let [plain, other] =
            [FILE_NAMES[0], "train-images.idx3-ubyte"].map(|name| dir.path().join(name));
        fs::rename(&plain, other).unwrap();
        fs::create_dir(&plain).unwrap();
        assert_eq!(load(dir.path(), Limits::default()).unwrap(), whole);
    }

    #[test]
    fn a_folder_is_looked_for_in_each_place_in_turn() {
        let parent = tempfile::tempdir().unwrap();
        let [one, two] = ["one", "two"].map(|name| parent.path().join(name));
        fs::create_dir_all(two.join("data")).unwrap();
        fs::create_dir_all(&one).unwrap();
        let bases = [one.as_path(), two.as_path()];
        assert_eq!(locate(Path::new("data"), &bases).unwrap(), two.join("data"));
        fs::create_dir(one.join("data")).unwrap();
        assert_eq!(locate(Path::new("data"), &bases).unwrap(), one.join("data"));
        assert_eq!(locate(&two, &bases).unwrap(), two);
        let text = locate(Path::new("dota"), &bases).unwrap_err().to_string();
        let expected = format!(
            "dota: no such folder; looked for {} and {}\n  hint: ",
            one.join("dota").display(),
            two.join("dota").display()
        );
        assert!(text.starts_with(&expected), "{text}");
    }

    #[test]
    fn limits_outside_the_file_are_told_with_what_it_has() {
        let dir = folder(&tiny());
        assert_eq!(
            message(dir.path(), limits(4, 1)),
            "DIR/train-images-idx3-ubyte: data.train_images asks for 4 images, expected 1 to 3, which it has\n  \
             hint: set data.train_images to 3 or less, or leave it out for all"
        );
        assert_eq!(
            message(dir.path(), limits(1, 0)),
            "DIR/t10k-images-idx3-ubyte: data.test_images asks for 0 images, expected 1 to 2, which it has\n  \
             hint: set data.test_images to 2 or less, or leave it out for all"
        );
    }

    #[test]
    fn what_is_missing_or_in_the_wrong_place_is_told_by_name() {
        let dir = folder(&tiny());
        let at = |name: &str| dir.path().join(name);
        assert_eq!(
            message(&at("else\u{1b}[31mwhere\n"), Limits::default())
                .replace(&*dir.path().to_string_lossy(), "DIR"),
            "DIR/else\\u{1b}[31mwhere\\n: no such folder\n  hint: set data.dir to a folder of data, or to a file of arrays; a relative \
             one is looked for beside the config, then in the working folder; MNIST comes with this program in data/mnist"
        );
        assert_eq!(
            message(&at(FILE_NAMES[0]), Limits::default()),
            "DIR: is a file, expected a folder with four IDX files\n  hint: set data.dir to the folder that it is in"
        );
        fs::remove_file(at(FILE_NAMES[3])).unwrap();
        assert_eq!(
            message(dir.path(), Limits::default()),
            "DIR: there is no t10k-labels-idx1-ubyte in it, nor t10k-labels-idx1-ubyte.gz, nor t10k-labels.idx1-ubyte\n  hint: put the file there under that name, or set data.dir to the folder that has it"
        );
        let above = tempfile::tempdir().unwrap();
        fs::create_dir(above.path().join("raw")).unwrap();
        fs::write(above.path().join("raw").join(FILE_NAMES[0]), "").unwrap();
        let hint = message(above.path(), Limits::default());
        assert!(
            hint.ends_with("\n  hint: set data.dir to DIR/raw, which has it"),
            "{hint}"
        );
        fs::create_dir(at(FILE_NAMES[3])).unwrap();
        assert_eq!(
            message(dir.path(), Limits::default()),
            "DIR/t10k-labels-idx1-ubyte: is a folder without a file of that name, expected an IDX file\n  hint: put the \
             file in its place"
        );
    }

    #[test]
    fn the_mnist_that_comes_with_the_program_is_whole_and_known_by_name() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist");
        let data = load(&dir, Limits::default()).unwrap();
        assert_eq!(
            (data.name, data.classes, data.train.labels.unwrap()[0]),
            (Some("MNIST"), 10, 5)
        );
        assert_eq!(
            (data.train.images.count(), data.test.images.count()),
            (60_000, 10_000)
        );
        assert_eq!(
            data.files
                .iter()
                .map(|file| file.sha256.as_str())
                .map(|hash| &hash[..8])
                .collect::<Vec<_>>(),
            ["ba891046", "65a50cbb", "0fa7898d", "ff7bcfd4"]
        );
        let some = load(&dir, limits(100, 10)).unwrap();
        assert_eq!(
            (some.name, some.train.images),
            (data.name, data.train.images.part(0, 100))
        );
    }

    /// A folder of these files.
    fn holding(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        dir
    }

    fn shared(test_share: f64) -> Data {
        Data {
            test_share,
            ..Data::default()
        }
    }

    fn told(data: &Data, dir: &Path) -> String {
        let error = load_as(data, dir).unwrap_err().to_string();
        error.replace(&*dir.to_string_lossy(), "DIR")
    }

    fn rows(count: u8) -> Vec<u8> {
        npy(
            "|u1",
            &format!("({count}, 1)"),
            &(0..count).collect::<Vec<u8>>(),
        )
    }

    fn column(images: &Images) -> Vec<u8> {
        images.bytes().unwrap().to_vec()
    }

    #[test]
    fn a_share_is_held_out_by_the_seed_alone_and_both_parts_keep_their_order() {
        let labels = npy(
            "<i8",
            "(20,)",
            &(0..20_i64).flat_map(i64::to_le_bytes).collect::<Vec<u8>>(),
        );
        let dir = holding(&[("x.npy", rows(20)), ("y.npy", labels)]);
        let data = load_as(&shared(0.25), dir.path()).unwrap();
        let (train, test) = (column(&data.train.images), column(&data.test.images));
        assert_eq!((train.len(), test.len(), data.classes), (15, 5, 20));
        assert!(train.is_sorted() && test.is_sorted());
        let mut all = [&train[..], &test].concat();
        all.sort_unstable();
        assert_eq!(all, (0..20).collect::<Vec<u8>>());
        assert_eq!(
            (data.train.labels, data.test.labels),
            (Some(train), Some(test.clone()))
        );
        let again = load_as(&shared(0.25), dir.path()).unwrap();
        assert_eq!(column(&again.test.images), test);
        let other = Data {
            split_seed: 1,
            ..shared(0.25)
        };
        assert_ne!(
            column(&load_as(&other, dir.path()).unwrap().test.images),
            test
        );
        // However small or large the share, each part has a row.
        let few = |share| {
            load_as(&shared(share), dir.path())
                .unwrap()
                .test
                .images
                .count()
        };
        assert_eq!((few(1e-9), few(0.999_999)), (1, 19));
    }

    #[test]
    fn whether_there_is_a_part_to_test_on_has_to_be_right() {
        let dir = holding(&[("x.npy", rows(3))]);
        assert_eq!(
            told(&shared(0.0), dir.path()),
            "DIR: there is no part to test on\n  hint: hold out a share of the rows, with data.test_share = 0.1"
        );
        let dir = holding(&[("train.npy", rows(3)), ("test.npy", rows(2))]);
        assert_eq!(
            load_as(&shared(0.0), dir.path())
                .unwrap()
                .test
                .images
                .count(),
            2
        );
        assert_eq!(
            told(&shared(0.5), dir.path()),
            "DIR/test.npy: is the part to test on, so data.test_share has no effect\n  hint: leave out data.test_share"
        );
        let dir = holding(&[("x.npy", rows(1))]);
        assert!(
            told(&shared(0.5), dir.path())
                .starts_with("DIR/x.npy: has one row, expected at least two")
        );
        let [images, labels, ..] = tiny();
        let dir = holding(&[(FILE_NAMES[0], images), (FILE_NAMES[1], labels)]);
        assert_eq!(
            load_as(&shared(0.5), dir.path())
                .unwrap()
                .train
                .images
                .count(),
            1
        );
        assert_eq!(
            told(&shared(0.0), dir.path()),
            "DIR: there is no t10k-images-idx3-ubyte in it, nor t10k-images-idx3-ubyte.gz, nor t10k-images.idx3-ubyte\n  hint: \
             put the file there under that name, or set data.dir to the folder that has it, or hold out a share of the others \
             with data.test_share = 0.1"
        );
    }

    #[test]
    fn labels_may_be_missing_but_not_those_of_one_part() {
        let [images, labels, test, _] = tiny();
        let dir = holding(&[
            (FILE_NAMES[0], images.clone()),
            (FILE_NAMES[2], test.clone()),
        ]);
        let data = load(dir.path(), Limits::default()).unwrap();
        assert_eq!(
            (data.classes, data.train.labels, data.test.labels),
            (0, None, None)
        );
        let dir = holding(&[
            (FILE_NAMES[0], images),
            (FILE_NAMES[1], labels),
            (FILE_NAMES[2], test),
        ]);
        assert!(
            message(dir.path(), Limits::default())
                .starts_with("DIR: there is no t10k-labels-idx1-ubyte in it")
        );
        let dir = holding(&[
            ("x_train.npy", rows(3)),
            ("y_train.npy", npy("|u1", "(3,)", &[0, 1, 0])),
            ("x_test.npy", rows(3)),
        ]);
        assert_eq!(
            told(&shared(0.0), dir.path()),
            "DIR/x_train.npy: has labels, and DIR/x_test.npy has none\n  hint: add labels to it, or leave them out of both"
        );
    }

    #[test]
    fn qmnist_and_floats_are_found_by_the_words_of_their_names() {
        let matrix: Vec<u8> = [[5_i32, 9, 9, 9, 9, 9, 9, 9], [3, 0, 0, 0, 0, 0, 0, 0]]
            .as_flattened()
            .iter()
            .flat_map(|number| number.to_be_bytes())
            .collect();
        let matrix = [&[0, 0, 0x0c, 2, 0, 0, 0, 2, 0, 0, 0, 8][..], &matrix].concat();
        let floats = |numbers: [f32; 2]| {
            let numbers = numbers.map(f32::to_be_bytes).concat();
            gzip(&[&[0, 0, 0x0d, 2, 0, 0, 0, 2, 0, 0, 0, 1][..], &numbers].concat())
        };
        let dir = holding(&[
            ("qmnist-train-images-idx2-float.gz", floats([0.25, -1.0])),
            ("qmnist-train-labels-idx2-int", matrix.clone()),
            ("qmnist-test-images-idx2-float.gz", floats([7.0, 8.0])),
            ("qmnist-test-labels-idx2-int", matrix),
        ]);
        let data = load(dir.path(), Limits::default()).unwrap();
        assert_eq!(
            data.train.images,
            Images::of_numbers(vec![0.25, -1.0], Frame::Vector { length: 1 }).unwrap()
        );
        assert_eq!((data.classes, data.test.labels), (6, Some(vec![5, 3])));
        assert_eq!(data.files[0].name, "qmnist-train-images-idx2-float");
        fs::copy(
            dir.path().join("qmnist-test-labels-idx2-int"),
            dir.path().join("other-test-labels-idx2-int"),
        )
        .unwrap();
        assert_eq!(
            message(dir.path(), Limits::default()),
            "DIR: other-test-labels-idx2-int and qmnist-test-labels-idx2-int could both be the labels to test on\n  hint: put the files of \
             one set into a folder of their own"
        );
    }

    #[test]
    fn one_idx_file_is_inputs_without_labels() {
        let [images, ..] = tiny();
        let dir = holding(&[("mine.idx", images)]);
        let data = load_as(&shared(0.4), &dir.path().join("mine.idx")).unwrap();
        assert_eq!(
            (
                data.train.images.count(),
                data.test.images.count(),
                data.classes
            ),
            (2, 1, 0)
        );
        assert_eq!(data.train.images.frame(), Frame::grey(1, 2));
    }

    #[test]
    fn arrays_are_found_by_name_or_named() {
        let labels = |labels: &[u8]| npy("|u1", &format!("({},)", labels.len()), labels);
        let method = npyz::zip::CompressionMethod::Deflated;
        // As keras keeps MNIST.
        let archive = npz(
            &[
                ("x_train", rows(3)),
                ("y_train", labels(&[0, 1, 1])),
                ("x_test", rows(2)),
                ("y_test", labels(&[2, 0])),
            ],
            method,
        );
        let dir = holding(&[("mnist.npz", archive)]);
        let path = dir.path().join("mnist.npz");
        for path in [dir.path(), &path] {
            let data = load(path, Limits::default()).unwrap();
            assert_eq!(
                (column(&data.train.images), data.classes),
                (vec![0, 1, 2], 3)
            );
            assert_eq!(data.test.labels, Some(vec![2, 0]));
            assert_eq!(data.files.len(), 1);
        }
        let asked = |arrays: Arrays| Data {
            source: Source::Arrays(arrays),
            ..Data::default()
        };
        let swapped = Arrays {
            train: Some("x_test".to_owned()),
            test: Some("x_train".to_owned()),
            ..Arrays::default()
        };
        let data = load_as(&asked(swapped), &path).unwrap();
        assert_eq!(
            (column(&data.train.images), data.train.labels),
            (vec![0, 1], None)
        );
        let in_folder = Arrays {
            train: Some("mnist.npz:x_train".to_owned()),
            test: Some("mnist.npz:x_test".to_owned()),
            ..Arrays::default()
        };
        assert_eq!(
            load_as(&asked(in_folder), dir.path())
                .unwrap()
                .test
                .images
                .count(),
            2
        );
        let missing = Arrays {
            train: Some("mnist.npz:z".to_owned()),
            ..Arrays::default()
        };
        assert_eq!(
            told(&asked(missing), dir.path()),
            "DIR/mnist.npz: array `z` is not in the file, which has `x_test`, `x_train`, `y_test` and `y_train`\n  hint: name one \
             of these"
        );
        let dir = holding(&[("a.npy", rows(3)), ("b.npy", rows(3))]);
        assert_eq!(
            told(&shared(0.5), dir.path()),
            "DIR: a and b could both be the inputs to learn from\n  hint: put the files of one set into a folder of their own, or \
             say which with data.source = { arrays = { train = …, test = … } }"
        );
        let labelled = |labels: Vec<u8>| holding(&[("x.npy", rows(3)), ("labels.npy", labels)]);
        let dir = labelled(labels(&[1, 2]));
        assert_eq!(
            told(&shared(0.5), dir.path()),
            "DIR/labels.npy: holds 2 labels, expected 3, one for each image in DIR/x.npy\n  hint: take both files from the same \
             data set"
        );
        let dir = labelled(npy(
            "<f4",
            "(3, 1)",
            &[0.0_f32, 1.5, 2.0].map(f32::to_le_bytes).concat(),
        ));
        assert_eq!(
            told(&shared(0.5), dir.path()),
            "DIR/labels.npy: label 1, counted from 0, is 1.5, expected 0 to 254\n  hint: number the classes from 0, and leave \
             out images without a label"
        );
        let dir = labelled(npy("|u1", "(3, 2)", &[0; 6]));
        assert_eq!(
            told(&shared(0.5), dir.path()),
            "DIR/labels.npy: has the shape 3×2, expected one class for each row\n  hint: of probabilities or ones and zeros, \
             with numpy: a.argmax(1)"
        );
    }

    #[test]
    fn shapes_say_what_a_row_is() {
        let frame = |shape: &str, size: usize| {
            let dir = holding(&[("x.npy", npy("|u1", shape, &vec![0; size]))]);
            let path = dir.path().to_owned();
            let data = load_as(&shared(0.5), &path);
            data.map(|data| data.train.images.frame())
                .map_err(|error| error.to_string().replace(&*path.to_string_lossy(), "DIR"))
        };
        assert_eq!(frame("(2, 5)", 10), Ok(Frame::Vector { length: 5 }));
        assert_eq!(frame("(2, 3, 4)", 24), Ok(Frame::grey(3, 4)));
        assert_eq!(frame("(2, 3, 4, 1)", 24), Ok(Frame::grey(3, 4)));
        assert_eq!(
            frame("(2, 2, 2, 3)", 24),
            Ok(Frame::Picture {
                height: 2,
                width: 2,
                channels: 3
            })
        );
        let expected = "expected rows × features, or rows × height × width (× 3 in colour)";
        assert_eq!(
            frame("(2, 5, 4, 5)", 200),
            Err(format!(
                "DIR/x.npy: has the shape 2×5×4×5, {expected}\n  hint: make rows of it, with numpy: a.reshape(len(a), -1)"
            ))
        );
        assert_eq!(
            frame("(2, 3, 4, 4)", 96),
            Err(format!(
                "DIR/x.npy: has the shape 2×3×4×4, {expected}\n  hint: put the channels last, with numpy: numpy.moveaxis(a, 1, -1)"
            ))
        );
        assert_eq!(
            frame("(4,)", 4),
            Err(format!(
                "DIR/x.npy: has the shape 4, {expected}\n  hint: a row has one number at least; are these labels?"
            ))
        );
    }

    #[test]
    fn folders_of_pictures_are_data() {
        let dot = |grey| pictures::tests::grey(1, 1, image::ImageFormat::Png, move |_, _| grey);
        let dir = holding(&[
            ("train/cat/1.png", dot(1)),
            ("train/dog/1.png", dot(2)),
            ("train/emu/1.png", dot(3)),
            ("test/dog/1.png", dot(4)),
        ]);
        let data = load(dir.path(), Limits::default()).unwrap();
        assert_eq!(
            (column(&data.train.images), data.train.labels),
            (vec![1, 2, 3], Some(vec![0, 1, 2]))
        );
        assert_eq!(
            (column(&data.test.images), data.test.labels),
            (vec![4], Some(vec![1]))
        );
        assert_eq!(data.classes, 3);
        assert_eq!(data.class_names.len(), 3);
        assert_eq!(
            data.files
                .iter()
                .map(|file| &file.name[..])
                .collect::<Vec<_>>(),
            ["train", "test"]
        );
        fs::rename(dir.path().join("test/dog"), dir.path().join("test/dingo")).unwrap();
        assert_eq!(
            told(&shared(0.0), dir.path()),
            "DIR/test/dingo: has no counterpart in DIR/train\n  hint: a class to test on needs pictures to learn from"
        );
        let all = load_as(&shared(0.4), &dir.path().join("train")).unwrap();
        assert_eq!(
            (
                all.train.images.count(),
                all.test.images.count(),
                all.classes
            ),
            (2, 1, 3)
        );
        let input = read_input(&dir.path().join("train"), None, &Pictures::default()).unwrap();
        assert_eq!(
            (column(&input.images), input.names),
            (
                vec![1, 2, 3],
                vec![
                    "cat/1.png".to_owned(),
                    "dog/1.png".into(),
                    "emu/1.png".into()
                ]
            )
        );
    }

    #[test]
    fn inputs_are_told_by_their_content_from_a_file_or_a_stream() {
        let [images, ..] = tiny();
        let picture = pictures::tests::grey(2, 1, image::ImageFormat::Png, |x, _| 5 + x as u8);
        let archive = npz(
            &[("a", rows(1)), ("b", rows(2))],
            npyz::zip::CompressionMethod::Stored,
        );
        let dir = holding(&[
            ("i", gzip(&images)),
            ("p.png", picture.clone()),
            ("n", rows(2)),
            ("z", archive),
        ]);
        let given = Pictures::default();
        let read = |name: &str, key: Option<&str>| {
            let path = dir.path().join(name);
            let from_file = read_input(&path, key, &given).unwrap();
            let from_bytes = read_input_bytes(fs::read(path).unwrap(), key, &given).unwrap();
            assert_eq!(from_file.images, from_bytes.images);
            (column(&from_file.images), from_file.names)
        };
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<String>>()
        };
        assert_eq!(
            read("i", None),
            (vec![1, 2, 3, 4, 5, 6], names(&["0", "1", "2"]))
        );
        assert_eq!(read("p.png", None), (vec![5, 6], names(&["p.png"])));
        assert_eq!(read("n", None), (vec![0, 1], names(&["0", "1"])));
        assert_eq!(read("z", Some("b")), (vec![0, 1], names(&["0", "1"])));
        let error = read_input(&dir.path().join("z"), None, &given)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("z: a and b could both be the one that is meant"),
            "{error}"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

        #[test]
        fn any_bytes_are_inputs_or_refused(
            start in prop::sample::select(vec![
                &b"\x93NUMPY"[..], b"PK\x03\x04", b"\x89PNG\r\n\x1a\n", b"\0\0\x08\x03\0\0\0", b"\x1f\x8b\x08", b"",
            ]),
            tail in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            if let Ok(input) = read_input_bytes([start, &tail].concat(), None, &Pictures::default()) {
                prop_assert_eq!(input.images.count(), input.names.len());
            }
        }
    }
}
