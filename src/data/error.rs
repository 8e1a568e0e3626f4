//! Why data are refused: which file, what was found, what was expected, and the cure.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::Frame;
use super::idx::IdxError;
use super::pictures::PictureError;
use super::tensors::ArrayError;
pub(super) use crate::spec::HIGHEST_CLASS as HIGHEST_LABEL;
use crate::spec::Patches;
use crate::words::counted;

/// Why a data set was refused: which file, what was found, what was expected, and the cure.
#[derive(Debug, Error)]
pub enum DataError {
    /// There is no folder where the data should be.
    #[error(
        "{}: no such folder{}\n  hint: set data.dir to a folder of data, or to a file of arrays; a relative one is looked for \
         beside the config, then in the working folder; MNIST comes with this program in data/mnist",
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
        "{}: is a file, expected a folder {expected}\n  hint: set data.dir to the folder that it is in",
        shown(dir)
    )]
    NotAFolder {
        /// The file.
        dir: PathBuf,
        /// Of what.
        expected: &'static str,
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
        "{}: is {kind}, expected {expected}\n  hint: put the file in its place",
        shown(file)
    )]
    NotAFile {
        /// Its path.
        file: PathBuf,
        /// What it is instead, for a reader.
        kind: &'static str,
        /// What it should be.
        expected: &'static str,
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
    /// No patch fits into a photograph.
    #[error(
        "{}: is {height}×{width} pixels, but a patch of {}×{} that keeps {} from the edges needs {needed} each way\n  hint: \
         lower side or border in data.source, or take the photograph away",
        shown(file),
        patches.side,
        patches.side,
        counted(patches.border, "pixel")
    )]
    SmallPhotograph {
        /// The photograph.
        file: PathBuf,
        /// In pixels.
        height: usize,
        /// In pixels.
        width: usize,
        /// The patches.
        patches: Patches,
        /// The height and the width that they need.
        needed: usize,
    },
    /// A photograph cannot be divided by its standard deviation.
    #[error(
        "{}: is of one grey all over, so that nothing is left of it\n  hint: take it away, or set whitening = \"none\" in \
         data.source",
        shown(file)
    )]
    FlatPhotograph {
        /// The photograph.
        file: PathBuf,
    },
    /// A transform asks for what the rows do not have.
    #[error("data.transforms: {0}")]
    Transform(String),
    /// There is nothing to test on.
    #[error(
        "{}: there is no part to test on\n  hint: hold out a share of the rows, with data.test_share = 0.1",
        shown(dir)
    )]
    NoTest {
        /// The folder or file.
        dir: PathBuf,
    },
    /// A share is to be held out where there is a part to test on.
    #[error(
        "{}: is the part to test on, so data.test_share has no effect\n  hint: leave out data.test_share",
        shown(file)
    )]
    HasTest {
        /// The inputs to test on.
        file: PathBuf,
    },
    /// There are too few rows for two parts.
    #[error(
        "{}: has one row, expected at least two: one to learn from and one to test on\n  hint: add rows",
        shown(file)
    )]
    TooFew {
        /// The inputs.
        file: PathBuf,
    },
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
    /// Pictures lie beside folders of pictures.
    #[error(
        "{}: lies beside {}, which holds pictures too\n  hint: put every picture into the folder of its class, or all into \
         one",
        shown(file),
        shown(folder)
    )]
    Mixed {
        /// A picture.
        file: PathBuf,
        /// A folder of pictures.
        folder: PathBuf,
    },
    /// A class has a folder in its folder.
    #[error(
        "{}: is a folder in the folder of a class, expected pictures alone\n  hint: move the pictures up, or the folder away",
        shown(folder)
    )]
    Deep {
        /// The folder.
        folder: PathBuf,
    },
    /// There are more classes than labels.
    #[error("{}: has {classes} folders of pictures, expected {} at most\n  hint: merge classes", shown(dir), HIGHEST_LABEL + 1)]
    Classes {
        /// The folder.
        dir: PathBuf,
        /// How many classes it has.
        classes: usize,
    },
    /// A class is tested that is not learnt.
    #[error(
        "{}: has no counterpart in {}\n  hint: a class to test on needs pictures to learn from",
        shown(folder),
        shown(train)
    )]
    OtherClass {
        /// The folder of the class.
        folder: PathBuf,
        /// The folder to learn from.
        train: PathBuf,
    },
    /// One part has labels and the other has none.
    #[error(
        "{}: has labels, and {} has none\n  hint: add labels to it, or leave them out of both",
        shown(with),
        shown(without)
    )]
    Unlabelled {
        /// The inputs that have labels.
        with: PathBuf,
        /// The inputs that have none.
        without: PathBuf,
    },
    /// An array has a shape that rows of inputs cannot have.
    #[error(
        "{}: has the shape {shape}, expected {expected}\n  hint: {hint}",
        shown(file)
    )]
    Shape {
        /// The file.
        file: PathBuf,
        /// The shape.
        shape: String,
        /// What it should be.
        expected: &'static str,
        /// What to do about it.
        hint: &'static str,
    },
    /// Memory cannot hold all rows.
    #[error(
        "{}: holds {}, which as {} of {size} bytes are more than memory can hold\n  hint: make the pictures smaller with \
         data.source = {{ images = {{ size = …, fit = \"crop\" }} }}, or take fewer",
        shown(file), counted(count, "picture"), if *count == 1 { "a row" } else { "rows" }
    )]
    Memory {
        /// The folder.
        file: PathBuf,
        /// How many pictures.
        count: usize,
        /// Bytes of one.
        size: usize,
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
        "{}: holds {} of {}, expected {} as in {}\n  hint: take all files from the same data set",
        shown(file), if row.len() == 1 { "rows" } else { "images" }, sides(row), sides(expected),
        shown(train)
    )]
    Sizes {
        /// The file of test images.
        file: PathBuf,
        /// The dimensions of its rows.
        row: Vec<usize>,
        /// The file of training images.
        train: PathBuf,
        /// The dimensions of the training rows.
        expected: Vec<usize>,
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
        label: f32,
    },
    /// The config asks for more images than there are, or for none.
    #[error(
        "{}: {key} asks for {}, expected 1 to {has}, which it has\n  hint: set {key} to {has} or \
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
    /// Classes are chosen of data without any.
    #[error(
        "{}: there are no labels, and `{key}` chooses classes\n  hint: add them to the data, or leave {key} out",
        shown(file)
    )]
    NoLabels {
        /// The file of images.
        file: PathBuf,
        /// The key that chooses.
        key: &'static str,
    },
    /// A class is chosen that no image is of.
    #[error(
        "{}: `{key}` holds {class}, but no image is of that class\n  hint: classes are counted from 0 to {highest}; or raise \
         data.train_images and data.test_images",
        shown(file)
    )]
    NoneOfClass {
        /// The file of images.
        file: PathBuf,
        /// The key that chooses.
        key: &'static str,
        /// The class.
        class: u8,
        /// The highest label of all.
        highest: usize,
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
pub(super) fn shown(path: &Path) -> String {
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

/// `28×28`
pub(super) fn sides(shape: &[usize]) -> String {
    let sides: Vec<String> = shape.iter().map(usize::to_string).collect();
    sides.join("×")
}

impl DataError {
    /// Whether it is what was asked for that is wrong, rather than what was found.
    #[must_use]
    pub fn is_request(&self) -> bool {
        matches!(
            self,
            Self::NoFolder { .. }
                | Self::NotAFolder { .. }
                | Self::Limit { .. }
                | Self::NoLabels { .. }
                | Self::NoneOfClass { .. }
                | Self::NoTest { .. }
                | Self::HasTest { .. }
                | Self::Several { .. }
                | Self::SmallPhotograph { .. }
                | Self::Transform(_)
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
