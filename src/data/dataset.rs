//! From a folder to a data set: finding the four files, holding them against each other, hashing and naming.
//!
//! All four headers are read and compared before any pixel is; where they contradict each other, the file that is
//! damaged is found by reading on. A set is known by what is in its files, not by where they lie, so a folder may hold
//! MNIST, another set of that format, or one's own.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{self, Path, PathBuf};

use thiserror::Error;

use super::idx::{self, IdxError, Items};
use super::{Dataset, FileRecord, Frame, Images, Limits, Split};
use crate::words::counted;

/// What the files are called: images to learn from, their labels, then those to test on. With `.gz` or without, with
/// the dot before `idx` that some mirrors write, and in a folder of that name, they are found too.
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

/// 255 is what label files hold where there is no label, so it is no class.
const HIGHEST_LABEL: u8 = 254;

/// Reads the data set in `dir` whole, and keeps the images within `limits`.
///
/// Each file may be plain or gzip, whatever its name says; where both names exist, the plain one is read.
/// Classes are counted over all labels, kept or not, and so are hashes over whole files.
///
/// # Errors
///
/// [`DataError`] if a file is missing or damaged, if the files contradict each other, if a label is 255, or if
/// a limit is 0 or above what there is.
pub fn load(dir: &Path, limits: Limits) -> Result<Dataset, DataError> {
    let [train, test] = open(dir)?;
    let keep = [
        train.keep(limits.train, "data.train_images")?,
        test.keep(limits.test, "data.test_images")?,
    ];
    let mut files = Vec::with_capacity(FILE_NAMES.len());
    let (train, highest_train) = train.read(keep[0], &mut files)?;
    let (test, highest_test) = test.read(keep[1], &mut files)?;
    Ok(Dataset {
        name: name(&files),
        classes: usize::from(highest_train.max(highest_test)) + 1,
        train,
        validation: None,
        test,
        files,
    })
}

/// The folder that `dir` means: itself if it is absolute, else the first that there is of those in `bases`.
///
/// # Errors
///
/// [`DataError::NoFolder`] if there is none.
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
    let mut tried: Vec<PathBuf> = tried.iter().map(absolute).collect();
    tried.retain(|path| path != dir);
    DataError::NoFolder {
        dir: dir.into(),
        tried,
    }
}

fn name(files: &[FileRecord]) -> Option<&'static str> {
    let is_known = |hashes: &[&str; 4]| {
        files
            .iter()
            .map(|file| file.sha256.as_str())
            .eq(hashes.iter().copied())
    };
    KNOWN
        .iter()
        .find(|(_, hashes)| is_known(hashes))
        .map(|(name, _)| *name)
}

/// The four files with their headers read and held against each other.
fn open(dir: &Path) -> Result<[OpenSplit; 2], DataError> {
    match fs::metadata(dir) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err(DataError::NotAFolder { dir: dir.into() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(no_folder(dir, &[dir.into()]));
        }
        Err(error) => {
            return Err(DataError::Idx {
                file: dir.into(),
                error: IdxError::Unreadable(error),
            });
        }
    }
    let [train, train_labels, test, test_labels] = FILE_NAMES;
    let train = OpenSplit {
        images: OpenFile::open(dir, train)?,
        labels: OpenFile::open(dir, train_labels)?,
    };
    let test = OpenSplit {
        images: OpenFile::open(dir, test)?,
        labels: OpenFile::open(dir, test_labels)?,
    };
    let contradiction = train
        .contradiction()
        .or_else(|| test.contradiction())
        .or_else(|| other_sizes(&train, &test));
    match contradiction {
        None => Ok([train, test]),
        // A header that is damaged promises more or less than its file has: that file is to blame.
        Some(contradiction) => Err(train
            .damage()
            .or_else(|| test.damage())
            .unwrap_or(contradiction)),
    }
}

fn other_sizes(train: &OpenSplit, test: &OpenSplit) -> Option<DataError> {
    let [_, train_height, train_width] = train.images.reader.shape();
    let [_, height, width] = test.images.reader.shape();
    ((train_height, train_width) != (height, width)).then(|| DataError::Sizes {
        file: test.images.path.clone(),
        height,
        width,
        train: train.images.path.clone(),
        train_height,
        train_width,
    })
}

struct OpenSplit {
    images: OpenFile<3>,
    labels: OpenFile<1>,
}

impl OpenSplit {
    fn contradiction(&self) -> Option<DataError> {
        let ([images, _, _], [labels]) = (self.images.reader.shape(), self.labels.reader.shape());
        (images != labels).then(|| DataError::Counts {
            file: self.labels.path.clone(),
            labels,
            other: self.images.path.clone(),
            images,
        })
    }

    /// What is wrong with one of the files by itself.
    fn damage(self) -> Option<DataError> {
        let mut records = Vec::new();
        let images = self.images.read(0, &mut records);
        images.and_then(|_| self.labels.read(0, &mut records)).err()
    }

    /// How many images `limit` leaves; `key` is where the user set it.
    fn keep(&self, limit: Option<usize>, key: &'static str) -> Result<usize, DataError> {
        let [has, _, _] = self.images.reader.shape();
        match limit {
            None => Ok(has),
            Some(asked) if (1..=has).contains(&asked) => Ok(asked),
            Some(asked) => Err(DataError::Limit {
                file: self.images.path.clone(),
                key,
                asked,
                has,
            }),
        }
    }

    /// The first `keep` images and labels, and the highest of all labels.
    fn read(self, keep: usize, files: &mut Vec<FileRecord>) -> Result<(Split, u8), DataError> {
        let [_, height, width] = self.images.reader.shape();
        let (_, pixels) = self.images.read(keep, files)?;
        let (path, mut labels) = self.labels.read(usize::MAX, files)?;
        if let Some(index) = labels.iter().position(|&label| label > HIGHEST_LABEL) {
            return Err(DataError::Label {
                file: path,
                index,
                label: labels[index],
            });
        }
        let highest = labels.iter().copied().max().unwrap_or(0);
        labels.truncate(keep);
        labels.shrink_to_fit();
        Ok((
            Split {
                images: Images::of_bytes(pixels, Frame::grey(height, width))?,
                labels: Some(labels),
            },
            highest,
        ))
    }
}

struct OpenFile<const RANK: usize> {
    path: PathBuf,
    name: &'static str,
    reader: idx::Reader<BufReader<File>, RANK>,
}

impl<const RANK: usize> OpenFile<RANK> {
    fn open(dir: &Path, name: &'static str) -> Result<Self, DataError> {
        let path = find(dir, name)?;
        let reader = File::open(&path)
            .map_err(IdxError::Unreadable)
            .and_then(|file| idx::Reader::new(BufReader::with_capacity(1 << 16, file)));
        match reader {
            Ok(reader) => Ok(Self { path, name, reader }),
            Err(error) => Err(DataError::Idx { file: path, error }),
        }
    }

    fn read(
        self,
        keep: usize,
        files: &mut Vec<FileRecord>,
    ) -> Result<(PathBuf, Vec<u8>), DataError> {
        match self.reader.read(keep) {
            Ok(Items {
                kept,
                sha256,
                bytes,
            }) => {
                files.push(FileRecord {
                    name: self.name.to_owned(),
                    sha256,
                    bytes,
                });
                Ok((self.path, kept))
            }
            Err(error) => Err(DataError::Idx {
                file: self.path,
                error,
            }),
        }
    }
}

/// The file of that name: plain or else packed, spelt as here or else with a dot; or else one in a folder that is
/// called so, as some archives unpack.
fn find(dir: &Path, name: &'static str) -> Result<PathBuf, DataError> {
    let mut folder = None;
    for path in spellings(dir, name) {
        match fs::metadata(&path) {
            Ok(found) if found.is_file() => return Ok(path),
            Ok(found) if found.is_dir() => folder = folder.or(Some(path)),
            // Opening a pipe would wait for a writer that may never come.
            Ok(_) => {
                let kind = "a device or a pipe";
                return Err(DataError::NotAFile { file: path, kind });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(DataError::Idx {
                    file: path,
                    error: IdxError::Unreadable(error),
                });
            }
        }
    }
    if let Some(folder) = folder {
        let inside = spellings(&folder, name).find(|path| path.is_file());
        return inside.ok_or(DataError::NotAFile {
            file: folder,
            kind: "a folder without a file of that name",
        });
    }
    let holds_it = |folder: &PathBuf| spellings(folder, name).any(|path| path.is_file());
    let mut folders: Vec<PathBuf> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(holds_it)
        .collect();
    folders.sort();
    Err(DataError::NoFile {
        dir: dir.into(),
        name,
        hint: match folders.first() {
            Some(folder) => format!("set data.dir to {}, which has it", shown(folder)),
            None => "put the file there under that name, or set data.dir to the folder that has it"
                .to_owned(),
        },
    })
}

/// Where a file of that name may lie in `dir`.
fn spellings(dir: &Path, name: &str) -> impl Iterator<Item = PathBuf> {
    let dotted = name.replace("-idx", ".idx");
    let [plain, dotted] =
        [name, &dotted].map(|name| [dir.join(name), dir.join(format!("{name}.gz"))]);
    plain.into_iter().chain(dotted)
}

/// Why a data set was refused: which file, what was found, what was expected, and the cure.
#[derive(Debug, Error)]
pub enum DataError {
    /// There is no folder where the data should be.
    #[error(
        "{}: no such folder{}\n  hint: set data.dir to a folder with four IDX files; a relative one is looked for beside \
         the config, then in the working folder; MNIST comes with this program in data/mnist",
        shown(dir),
        Tried(tried)
    )]
    NoFolder {
        /// The folder, as it was asked for.
        dir: PathBuf,
        /// Where a relative one was looked for.
        tried: Vec<PathBuf>,
    },
    /// There is a file where the folder should be.
    #[error(
        "{}: is a file, expected a folder with four IDX files\n  hint: set data.dir to the folder that it is in",
        shown(dir)
    )]
    NotAFolder {
        /// The file.
        dir: PathBuf,
    },
    /// One of the four files is not in the folder.
    #[error(
        "{}: there is no {name} in it, nor {name}.gz, nor {}\n  hint: {hint}",
        shown(dir),
        name.replace("-idx", ".idx")
    )]
    NoFile {
        /// The folder.
        dir: PathBuf,
        /// What the file is called, without `.gz`.
        name: &'static str,
        /// What to do about it.
        hint: String,
    },
    /// Something other than a file has the name of a data file.
    #[error(
        "{}: is {kind}, expected an IDX file\n  hint: put the file in its place",
        shown(file)
    )]
    NotAFile {
        /// Its path.
        file: PathBuf,
        /// What it is instead, for a reader.
        kind: &'static str,
    },
    /// A file cannot be read as IDX.
    #[error("{}: {error}", shown(file))]
    Idx {
        /// The file, or the folder if that cannot be read.
        file: PathBuf,
        /// What is wrong with it.
        error: IdxError,
    },
    /// A split has more or fewer labels than images.
    #[error(
        "{}: holds {}, expected {images}, one for each image in {}\n  hint: take both files from the same data set",
        shown(file),
        counted(labels, "label"),
        shown(other)
    )]
    Counts {
        /// The file of labels.
        file: PathBuf,
        /// How many labels it holds.
        labels: usize,
        /// The file of images.
        other: PathBuf,
        /// How many images that holds.
        images: usize,
    },
    /// The test images are of another size than the training images.
    #[error(
        "{}: holds images of {height}×{width}, expected {train_height}×{train_width} as in {}\n  hint: take all \
         files from the same data set",
        shown(file),
        shown(train)
    )]
    Sizes {
        /// The file of test images.
        file: PathBuf,
        /// Height of its images, in pixels.
        height: usize,
        /// Width of its images, in pixels.
        width: usize,
        /// The file of training images.
        train: PathBuf,
        /// Height of the training images, in pixels.
        train_height: usize,
        /// Width of the training images, in pixels.
        train_width: usize,
    },
    /// A label is above the highest that is allowed.
    #[error(
        "{}: label {index}, counted from 0, is {label}, expected 0 to {HIGHEST_LABEL}\n  hint: number the classes \
         from 0, and leave out images without a label",
        shown(file)
    )]
    Label {
        /// The file of labels.
        file: PathBuf,
        /// Position of the first such label in it, counted from 0.
        index: usize,
        /// The label.
        label: u8,
    },
    /// The config asks for more images than there are, or for none.
    #[error(
        "{}: {key} asks for {}, expected 1 to {has}, which the file has\n  hint: set {key} to {has} or \
         less, or leave it out for all",
        shown(file),
        counted(asked, "image")
    )]
    Limit {
        /// The file of images.
        file: PathBuf,
        /// The key that asks for them.
        key: &'static str,
        /// How many images it asks for.
        asked: usize,
        /// How many images the file has.
        has: usize,
    },
    /// The numbers do not make up whole rows.
    #[error(
        "{} are not whole rows of {frame}\n  hint: give rows × numbers of a row, each at least 1",
        counted(found, "number")
    )]
    Rows {
        /// How many numbers there are.
        found: usize,
        /// What a row should be.
        frame: Frame,
    },
    /// An item of a data set that was given from code is no row.
    #[error("item {index}, counted from 0: {reason}\n  hint: give items of one size")]
    Item {
        /// Which item, counted from 0.
        index: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// Where a folder was looked for.
struct Tried<'a>(&'a [PathBuf]);

impl fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = "; looked for ";
        for path in self.0 {
            write!(f, "{before}{}", shown(path))?;
            before = " and ";
        }
        Ok(())
    }
}

/// A path with everything escaped that a terminal would obey or hide.
fn shown(path: &Path) -> String {
    let mut safe = String::new();
    for character in path.to_string_lossy().chars() {
        if matches!(character, '"' | '\'' | '\\') {
            safe.push(character);
        } else {
            safe.extend(character.escape_debug());
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::super::idx::tests::{encode, gzip};
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
        let mistakes: [(usize, &[u8], &str); 17] = [
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
            (0, &[0, 0, 8, 4], "begins with 00 00 08 04, expected 00 00 08 03 (unsigned bytes, dimensions: 3)
  hint: pictures need count × height × width, grey; labels need count"),
            (0, &[0, 0, 13, 3], "begins with 00 00 0d 03, expected 00 00 08 03 (unsigned bytes, dimensions: 3)
  hint: write the numbers as unsigned bytes, 0 to 255"),
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
a matching checksum), expected sound gzip
  hint: copy or download the file again, or unpack it with gunzip, which ignores what follows the end"),
            (0, &[&packed[..], &[0; 10]].concat(), "its gzip stream is damaged after 22 unpacked bytes (invalid gzip header), \
expected sound gzip
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
            "DIR/train-images-idx3-ubyte: data.train_images asks for 4 images, expected 1 to 3, which the file has\n  \
             hint: set data.train_images to 3 or less, or leave it out for all"
        );
        assert_eq!(
            message(dir.path(), limits(1, 0)),
            "DIR/t10k-images-idx3-ubyte: data.test_images asks for 0 images, expected 1 to 2, which the file has\n  \
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
            "DIR/else\\u{1b}[31mwhere\\n: no such folder\n  hint: set data.dir to a folder with four IDX files; a relative \
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
                .collect::<Vec<_>>(),
            KNOWN[0].1
        );
        let some = load(&dir, limits(100, 10)).unwrap();
        assert_eq!(
            (some.name, some.train.images),
            (data.name, data.train.images.part(0, 100))
        );
    }
}
