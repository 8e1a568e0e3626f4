//! Folders of IDX files: finding the four of MNIST's kind, and holding them against each other.
//!
//! All headers are read and compared before any number is; where they contradict each other, the file that is
//! damaged is found by reading on. A set is known by what is in its files, not by where they lie, so a folder may hold
//! MNIST, another set of that format, or one's own.

use std::fs::{self, File, Metadata};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use super::FileRecord;
use super::array::{Array, Holds};
use super::dataset::{Part, Parts, Role, images, labels, only};
use super::error::{DataError, name_of, shown};
use super::idx::{self, IdxError};
use super::pictures::entries;
use crate::spec::Data;

/// What the files are called: images to learn from, their labels, then those to test on. With `.gz` or without, with
/// the dot before `idx` that some mirrors write, and in a folder of that name, they are found too; and so are files whose
/// names say as much in other words, as `emnist-digits-test-images-idx3-ubyte` or `train-images-idx2-float`.
pub const FILE_NAMES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// Names of sets by the SHA-256 of their four uncompressed files, each taken from the files themselves.
const KNOWN: [(&str, [&str; 4]); 1] = [(
    "MNIST",
    [
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ],
)];

/// The set that these files are, if this program knows it.
pub(super) fn name(files: &[FileRecord]) -> Option<&'static str> {
    let hashes = || files.iter().map(|file| file.sha256.as_str());
    let known = |(_, known): &&(_, [&str; 4])| hashes().eq(known.iter().copied());
    KNOWN.iter().find(known).map(|(name, _)| *name)
}

/// Whether a folder has files or folders that are called as those of a set are.
pub(super) fn are_in(entries: &[PathBuf]) -> bool {
    let called = |path: &PathBuf| is_called_idx(path) || spelt(path).is_some();
    entries.iter().any(called)
}

/// Which of the four files a path is called as.
pub(super) fn spelt(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_str()?;
    let name = name
        .strip_suffix(".gz")
        .unwrap_or(name)
        .replace(".idx", "-idx");
    FILE_NAMES.into_iter().find(|known| *known == name)
}

/// `anything-idx3-ubyte`, `anything.idx`, either with `.gz`.
fn is_called_idx(path: &Path) -> bool {
    let name = name_of(path).to_ascii_lowercase();
    let mut words = name.split(|letter: char| !letter.is_ascii_alphanumeric());
    words.any(|word| word.strip_prefix("idx").is_some_and(|rank| rank.len() <= 1))
}

/// Reads the files in `dir` whole, and keeps as many images as `data` asks for.
///
/// Each file may be plain or gzip, whatever its name says; where both names exist, the plain one is read. Files of labels may
/// be missing, both of them; and those to test on where a share is held out.
pub(super) fn load(dir: &Path, data: &Data) -> Result<Parts, DataError> {
    let [train, test] = open(dir, data.test_share)?;
    let train = train.expect("it is asked for");
    let keep = |split: &OpenSplit, limit, key| split.keep(limit, key);
    // Which rows are held out to test on is for all of them to say.
    let kept = match &test {
        Some(_) => keep(&train, data.train_images, "data.train_images")?,
        None => usize::MAX,
    };
    let kept_of_test = test
        .as_ref()
        .map(|test| keep(test, data.test_images, "data.test_images"));
    let kept_of_test = kept_of_test.transpose()?.unwrap_or_default();
    let mut files = Vec::with_capacity(FILE_NAMES.len());
    Ok(Parts {
        train: train.read(kept, &mut files)?,
        test: test
            .map(|test| test.read(kept_of_test, &mut files))
            .transpose()?,
        files,
        class_names: Vec::new(),
    })
}

/// The four files with their headers read and held against each other. There have to be files to test on, unless a
/// share of the others is held out for that.
fn open(dir: &Path, test_share: f64) -> Result<[Option<OpenSplit>; 2], DataError> {
    let [train_images, train_labels, test_images, test_labels] = FILE_NAMES;
    let train = OpenSplit::open(dir, train_images, train_labels)?
        .ok_or_else(|| no_file(dir, train_images))?;
    let test = match OpenSplit::open(dir, test_images, test_labels)? {
        None if test_share <= 0.0 => return Err(no_file(dir, test_images)),
        test => test,
    };
    if let Some(test) = &test {
        match (&train.labels, &test.labels) {
            (Some(_), None) => return Err(no_file(dir, test_labels)),
            (None, Some(_)) => return Err(no_file(dir, train_labels)),
            _ => {}
        }
    }
    let contradiction = train
        .contradiction()
        .or_else(|| test.as_ref()?.contradiction())
        .or_else(|| other_sizes(&train, test.as_ref()?));
    match contradiction {
        None => Ok([Some(train), test]),
        // A header that is damaged promises more or less than its file has: that file is to blame.
        Some(contradiction) => Err(train
            .damage()
            .or_else(|| test?.damage())
            .unwrap_or(contradiction)),
    }
}

fn other_sizes(train: &OpenSplit, test: &OpenSplit) -> Option<DataError> {
    let [expected, row] = [train, test].map(|split| &split.images.reader.shape()[1..]);
    (expected != row)
        .then(|| DataError::sizes((&test.images.path, row), (&train.images.path, expected)))
}

struct OpenSplit {
    images: OpenFile,
    labels: Option<OpenFile>,
}

impl OpenSplit {
    /// If there are images.
    fn open(
        dir: &Path,
        images: &'static str,
        labels: &'static str,
    ) -> Result<Option<Self>, DataError> {
        let Some(images) = OpenFile::find(dir, images, Holds::Inputs)? else {
            return Ok(None);
        };
        let labels = OpenFile::find(dir, labels, Holds::Labels)?;
        Ok(Some(Self { images, labels }))
    }

    fn count(&self) -> usize {
        self.images.reader.shape()[0]
    }

    fn contradiction(&self) -> Option<DataError> {
        let file = self.labels.as_ref()?;
        let (images, labels) = (self.count(), file.reader.shape()[0]);
        (images != labels)
            .then(|| DataError::counts((&file.path, labels), (&self.images.path, images)))
    }

    /// What is wrong with one of the files by itself.
    fn damage(self) -> Option<DataError> {
        let mut records = Vec::new();
        let images = self.images.read(0, &mut records);
        images
            .and_then(|_| {
                self.labels
                    .map(|labels| labels.read(0, &mut records))
                    .transpose()
            })
            .err()
    }

    /// How many images `limit` leaves; `key` is where the user set it.
    fn keep(&self, limit: Option<usize>, key: &'static str) -> Result<usize, DataError> {
        super::dataset::kept(self.count(), limit, key, &self.images.path)
    }

    /// The first `keep` images, and all labels.
    fn read(self, keep: usize, files: &mut Vec<FileRecord>) -> Result<Part, DataError> {
        let (file, pixels) = self.images.read(keep, files)?;
        let found = self
            .labels
            .map(|labels| labels.read(usize::MAX, files))
            .transpose()?;
        Ok(Part {
            images: images(pixels, &file)?,
            labels: found
                .map(|(file, array)| labels(&array, &file))
                .transpose()?,
            file,
        })
    }
}

/// An IDX file with its header read.
struct OpenFile {
    path: PathBuf,
    reader: idx::Reader<BufReader<File>>,
}

impl OpenFile {
    fn find(dir: &Path, name: &'static str, holds: Holds) -> Result<Option<Self>, DataError> {
        let path = find(dir, name)?;
        path.map(|path| Self::open(path, holds)).transpose()
    }

    fn open(path: PathBuf, holds: Holds) -> Result<Self, DataError> {
        let reader = File::open(&path)
            .map_err(IdxError::Unreadable)
            .and_then(|file| idx::Reader::new(BufReader::with_capacity(1 << 16, file), holds));
        match reader {
            Ok(reader) => Ok(Self { path, reader }),
            Err(error) => Err(DataError::Idx { file: path, error }),
        }
    }

    fn read(self, keep: usize, files: &mut Vec<FileRecord>) -> Result<(PathBuf, Array), DataError> {
        match self.reader.read(keep) {
            Ok(items) => {
                let name = name_of(&self.path);
                let name = name.strip_suffix(".gz").unwrap_or(&name);
                files.push(FileRecord {
                    name: spelt(&self.path).map_or_else(|| name.to_owned(), str::to_owned),
                    sha256: items.sha256,
                    bytes: items.bytes,
                });
                Ok((self.path, items.kept))
            }
            Err(error) => Err(DataError::Idx {
                file: self.path,
                error,
            }),
        }
    }
}

/// One IDX file of inputs, which is known to be a file.
pub(super) fn load_one(path: &Path) -> Result<Parts, DataError> {
    let mut files = Vec::new();
    let (file, array) =
        OpenFile::open(path.to_owned(), Holds::Inputs)?.read(usize::MAX, &mut files)?;
    let train = Part {
        images: images(array, &file)?,
        labels: None,
        file,
    };
    Ok(Parts {
        train,
        test: None,
        files,
        class_names: Vec::new(),
    })
}

/// Inputs from the bytes of an IDX file.
pub(super) fn inputs_of(bytes: impl Read) -> Result<Array, IdxError> {
    let reader = idx::Reader::new(BufReader::new(bytes), Holds::Inputs)?;
    Ok(reader.read(usize::MAX)?.kept)
}

/// The file of that name: plain or else packed, spelt as here or else with a dot; or else one in a folder that is
/// called so, as some archives unpack; or else the one file whose name says as much.
fn find(dir: &Path, name: &'static str) -> Result<Option<PathBuf>, DataError> {
    let mut folder = None;
    for path in spellings(dir, name) {
        match fs::metadata(&path) {
            Ok(found) if found.is_file() => return Ok(Some(path)),
            Ok(found) if found.is_dir() => folder = folder.or(Some(path)),
            // Opening a pipe would wait for a writer that may never come.
            Ok(found) => return Err(not_a_file(&path, &found)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(DataError::unreadable(&path, error)),
        }
    }
    if let Some(folder) = folder {
        let inside = spellings(&folder, name).find(|path| path.is_file());
        return inside.map(Some).ok_or_else(|| {
            DataError::refused(
                &folder,
                "is a folder without a file of that name, expected an IDX file",
                "put the file in its place",
            )
        });
    }
    let role = Role::of(name).expect("the four names say what they are");
    let called_so = |path: &PathBuf| {
        is_called_idx(path) && spelt(path).is_none() && Role::of(&name_of(path)) == Some(role)
    };
    let mut candidates = entries(dir)?;
    candidates.retain(called_so);
    let Some(path) = only(dir, candidates, role)? else {
        return Ok(None);
    };
    match fs::metadata(&path) {
        Ok(found) if found.is_file() => Ok(Some(path)),
        Ok(found) => Err(not_a_file(&path, &found)),
        Err(error) => Err(DataError::unreadable(&path, error)),
    }
}

fn not_a_file(path: &Path, found: &Metadata) -> DataError {
    DataError::not_a_file(path, found.file_type(), "an IDX file")
}

fn no_file(dir: &Path, name: &'static str) -> DataError {
    let holds_it = |folder: &PathBuf| spellings(folder, name).any(|path| path.is_file());
    let mut folders = entries(dir).unwrap_or_default();
    folders.retain(holds_it);
    let hint = if let Some(folder) = folders.first() {
        format!("set data.dir to {}, which has it", shown(folder))
    } else {
        let share = match name {
            _ if name == FILE_NAMES[2] => {
                ", or hold out a share of the others with data.test_share = 0.1"
            }
            _ => "",
        };
        format!(
            "put the file there under that name, or set data.dir to the folder that has it{share}"
        )
    };
    DataError::NoFile {
        dir: dir.into(),
        name,
        hint,
    }
}

/// Where a file of that name may lie in `dir`.
fn spellings(dir: &Path, name: &str) -> impl Iterator<Item = PathBuf> {
    let dotted = name.replace("-idx", ".idx");
    let [plain, dotted] =
        [name, &dotted].map(|name| [dir.join(name), dir.join(format!("{name}.gz"))]);
    plain.into_iter().chain(dotted)
}
