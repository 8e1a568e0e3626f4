//! Why data are refused: which file, what was found, what was expected, and the cure.

use std::fs::FileType;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::Frame;
use super::idx::IdxError;
use super::pictures::PictureError;
use super::tensors::ArrayError;
pub(super) use crate::spec::HIGHEST_CLASS as HIGHEST_LABEL;
use crate::words::{counted, escaped};

/// Why a data set was refused: which file, what was found, what was expected, and the cure.
#[derive(Debug, Error)]
pub enum DataError {
    /// A file or a folder is refused, for what it holds or lacks or because of what was asked of it.
    #[error("{}: {says}\n  hint: {hint}", shown(file))]
    Refused {
        /// Its path.
        file: PathBuf,
        /// What was found, and what was expected.
        says: String,
        /// What to do about it.
        hint: String,
        /// Whether it is what was asked for that is wrong.
        is_request: bool,
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
    /// Several files could be the same part of the data.
    #[error(
        "{}: {one} and {other} could both be {what}\n  hint: put the files of one set into a folder of their own{}",
        shown(dir),
        if *arrays { ", or say which with data.source = { arrays = { train = …, test = … } }" } else { "" }
    )]
    Several {
        /// The folder, or the file that has both arrays.
        dir: PathBuf,
        /// The name of one.
        one: String,
        /// The name of another.
        other: String,
        /// What they could be.
        what: &'static str,
        /// Whether they are arrays.
        arrays: bool,
    },
    /// There are no inputs to learn from.
    #[error("{}: has no {what}\n  hint: {hint}", shown(dir))]
    Without {
        /// The folder or file.
        dir: PathBuf,
        /// What it has not.
        what: &'static str,
        /// What to do about it.
        hint: &'static str,
    },
    /// A transform asks for what the rows do not have.
    #[error("data.transforms: {0}")]
    Transform(String),
    /// An array cannot be read.
    #[error("{}: {error}", shown(file))]
    Array {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        error: ArrayError,
    },
    /// A picture cannot be read.
    #[error("{}: {error}", shown(file))]
    Picture {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        error: PictureError,
    },
    /// Memory cannot hold all patches.
    #[error(
        "{} of {side}×{side} pixels are more than memory can hold\n  hint: take fewer with data.source.patches.train and \
         data.source.patches.test",
        counted(count, "patch")
    )]
    Patches {
        /// How many.
        count: usize,
        /// Height and width of one.
        side: usize,
    },
    /// A file cannot be read as IDX.
    #[error("{}: {error}", shown(file))]
    Idx {
        /// The file, or the folder if that cannot be read.
        file: PathBuf,
        /// What is wrong with it.
        error: IdxError,
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

/// A path with everything escaped that a terminal would obey or hide.
pub(super) fn shown(path: &Path) -> String {
    escaped(&path.to_string_lossy())
}

/// The last part of a path.
pub(super) fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// `28×28`
pub(super) fn sides(shape: &[usize]) -> String {
    let sides: Vec<String> = shape.iter().map(usize::to_string).collect();
    sides.join("×")
}

impl DataError {
    /// Whether it is what was asked for that is wrong, rather than what was found.
    #[must_use]
    pub fn is_request(&self) -> bool {
        match self {
            Self::Refused { is_request, .. } => *is_request,
            Self::Several { .. } | Self::Transform(_) => true,
            _ => false,
        }
    }

    /// A file or a folder holds what it should not, or lacks what it should have.
    pub(super) fn refused(file: &Path, says: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refused {
            file: file.into(),
            says: says.into(),
            hint: hint.into(),
            is_request: false,
        }
    }

    /// What was asked of a file or a folder is not to be had.
    pub(super) fn request(file: &Path, says: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refused {
            file: file.into(),
            says: says.into(),
            hint: hint.into(),
            is_request: true,
        }
    }

    /// Something other than a file has the name of a data file.
    pub(super) fn not_a_file(path: &Path, found: FileType, expected: &str) -> Self {
        let found = if found.is_dir() {
            "a folder"
        } else {
            "a device or a pipe"
        };
        Self::refused(
            path,
            format!("is {found}, expected {expected}"),
            "put the file in its place",
        )
    }

    /// A file has more or fewer labels than the other has images.
    pub(super) fn counts((file, labels): (&Path, usize), (other, images): (&Path, usize)) -> Self {
        let labels = counted(labels, "label");
        Self::refused(
            file,
            format!(
                "holds {labels}, expected {images}, one for each image in {}",
                shown(other)
            ),
            "take both files from the same data set",
        )
    }

    /// The rows to test on have other sides than those to learn from.
    pub(super) fn sizes(
        (test, row): (&Path, &[usize]),
        (train, expected): (&Path, &[usize]),
    ) -> Self {
        let rows = if row.len() == 1 { "rows" } else { "images" };
        let (row, expected) = (sides(row), sides(expected));
        Self::refused(
            test,
            format!(
                "holds {rows} of {row}, expected {expected} as in {}",
                shown(train)
            ),
            "take all files from the same data set",
        )
    }

    pub(super) fn unreadable(file: &Path, error: io::Error) -> Self {
        Self::Idx {
            file: file.into(),
            error: IdxError::Unreadable(error),
        }
    }

    pub(super) fn picture(file: &Path, error: PictureError) -> Self {
        Self::Picture {
            file: file.into(),
            error,
        }
    }

    pub(super) fn array(file: &Path, error: ArrayError) -> Self {
        Self::Array {
            file: file.into(),
            error,
        }
    }
}
