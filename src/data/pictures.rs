//! Folders of pictures, decoded on all cores: what is in a folder, and how a picture becomes rows of bytes.
//!
//! PNG, JPEG, BMP and WebP are read, by what is in a file, of the files that are called so. Sub-folders are classes; there is
//! one level of them, so that no loop of links is ever followed. Everything goes in the order of names.

use std::fs::{self, File};
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::FileRecord;
use super::array::{Array, Numbers};
use super::error::{DataError, shown};
use super::idx::Hex;
use crate::machine;
use crate::spec::{Colour, Fit, Pictures};

const READ: [&str; 5] = ["png", "jpg", "jpeg", "bmp", "webp"];
/// Nobody leaves these beside pictures that are to be read.
const NOT_READ: [&str; 9] = [
    "gif", "tif", "tiff", "heic", "heif", "avif", "jp2", "jxl", "tga",
];
/// Pixels of a side. A larger photograph says no more about patches of it, and its decoding takes gigabytes.
const LONGEST_SIDE: u32 = 16_384;
/// Memory for decoding one picture.
const MOST_MEMORY: u64 = 256 << 20;
/// Bytes of a file.
const LARGEST_FILE: u64 = 256 << 20;
/// Pictures are decoded so many at a time, so that a mistake in the first is not told after the last.
const AT_A_TIME: usize = 1024;

/// What is wrong with a picture: what was found, what was expected, and the cure.
#[derive(Debug, Error)]
pub enum PictureError {
    /// It is of none of the formats, whatever its name says.
    #[error("is no PNG, JPEG, BMP or WebP\n  hint: convert it to PNG, or move it away")]
    Format,
    /// The decoder refuses it.
    #[error("cannot be decoded ({0})\n  hint: copy or download the picture again, or move it away")]
    Damaged(String),
    /// It is larger than any picture that is read.
    #[error(
        "is too large: expected sides of at most {LONGEST_SIDE} pixels, and {} MiB for decoding\n  hint: make it smaller \
         first",
        MOST_MEMORY >> 20
    )]
    Large,
    /// It is of another size than the first.
    #[error(
        "is {} pixels high and {} wide, expected {}×{}{as_in}\n  hint: set data.source = {{ images = {{ size = [{}, {}], fit = \
         \"crop\" }} }}, or fit = \"resize\"",
        found[0], found[1], expected[0], expected[1], expected[0], expected[1]
    )]
    Size {
        /// Height and width.
        found: [usize; 2],
        /// Height and width.
        expected: [usize; 2],
        /// Where that is said.
        as_in: String,
    },
    /// It has colours, and the first has none.
    #[error(
        "is in colour, expected grey as in {first}\n  hint: set data.source = {{ images = {{ colour = \"rgb\" }} }}, or colour = \
         \"grey\""
    )]
    Coloured {
        /// The first picture.
        first: String,
    },
    /// Something shines through.
    #[error("has transparent pixels, expected opaque ones\n  hint: put it on a background first")]
    Transparent,
    /// Reading failed; holds what the operating system said.
    #[error("cannot be read: {0}\n  hint: check the file's permissions and the disk")]
    Unreadable(io::Error),
}

/// The pictures of a folder by name, not yet read.
#[derive(Debug)]
pub(super) struct Listing {
    folder: PathBuf,
    /// Paths, with the place of the class among `classes`.
    files: Vec<(PathBuf, usize)>,
    /// The sub-folders, sorted by name; none where pictures lie in the folder itself.
    classes: Vec<String>,
}

/// Pictures of one size and colour.
#[derive(Debug)]
pub(super) struct Decoded {
    /// Pictures × height × width × channels, bytes.
    pub array: Array,
    /// Paths below the folder.
    pub names: Vec<String>,
    /// The class of each, where there are sub-folders.
    pub labels: Option<Vec<usize>>,
    pub record: FileRecord,
}

/// One size and colour for all.
#[derive(Debug)]
pub(super) struct Rule {
    size: [usize; 2],
    is_grey: bool,
    fit: Fit,
    /// The first picture, where the size is its own.
    sized_by: Option<String>,
    /// The first picture, where the colour is its own.
    coloured_by: Option<String>,
}

/// Whether a file is called as pictures are.
pub(super) fn is_called_picture(path: &Path) -> bool {
    READ.contains(&ending(path).as_str())
}

fn ending(path: &Path) -> String {
    path.extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase()
}

/// What is in a folder, sorted by name; hidden files and folders are left out.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let unreadable = |error| DataError::unreadable(folder, error);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

impl Listing {
    /// The pictures in a folder, or in its sub-folders.
    pub fn of(folder: &Path) -> Result<Self, DataError> {
        let (files, folders) = pictures_in(folder)?;
        let mut listing = Self {
            folder: folder.to_owned(),
            files: files.into_iter().map(|file| (file, 0)).collect(),
            classes: Vec::new(),
        };
        for sub in folders {
            let (files, folders) = pictures_in(&sub)?;
            if files.is_empty() {
                continue;
            }
            if let Some((beside, _)) = listing.files.first().filter(|_| listing.classes.is_empty())
            {
                return Err(DataError::Mixed {
                    file: beside.clone(),
                    folder: sub,
                });
            }
            if let Some(deep) = folders.into_iter().next() {
                return Err(DataError::Deep { folder: deep });
            }
            let class = listing.classes.len();
            listing
                .files
                .extend(files.into_iter().map(|file| (file, class)));
            listing.classes.push(
                sub.file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
            );
        }
        Ok(listing)
    }

    /// The names of its classes, where it has any.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The size and colour that all are to have: what is asked for, else the first picture's own.
    pub fn rule(&self, asked: &Pictures) -> Result<Rule, DataError> {
        let Some((path, _)) = self.files.first() else {
            return Err(DataError::Without {
                dir: self.folder.clone(),
                what: "pictures",
                hint: "put pictures there (.png, .jpg, .bmp, .webp), or into a folder for each class",
            });
        };
        let first = read(path).and_then(|bytes| decode(&bytes));
        let first = first.map_err(|error| DataError::picture(path, error))?;
        Ok(Rule::of(asked, &first, &shown(path)))
    }

    /// Reads and decodes all.
    pub fn decode(&self, rule: &Rule) -> Result<Decoded, DataError> {
        let size = rule.size[0] * rule.size[1] * rule.channels();
        let all = size.checked_mul(self.files.len());
        let limit = machine::memory().map_or(u64::MAX, |memory| memory.limit);
        let Some(all) = all.filter(|&all| all as u64 <= limit) else {
            return Err(DataError::Memory {
                file: self.folder.clone(),
                count: self.files.len(),
                size,
            });
        };
        let mut pixels = vec![0; all];
        let mut hash = Sha256::new();
        let mut bytes = 0;
        let blocks = pixels
            .chunks_mut(AT_A_TIME * size)
            .zip(self.files.chunks(AT_A_TIME));
        for (pixels, files) in blocks {
            let decoded = pixels.par_chunks_exact_mut(size).zip(files);
            let decoded = decoded.map(|(into, (path, _))| {
                let bytes = read(path)?;
                into.copy_from_slice(&rule.apply(decode(&bytes)?)?);
                Ok(FileHash {
                    sha256: Sha256::digest(&bytes).into(),
                    bytes: bytes.len() as u64,
                })
            });
            let decoded: Vec<Result<FileHash, PictureError>> = decoded.collect();
            for (file, (path, _)) in decoded.into_iter().zip(files) {
                let file = file.map_err(|error| DataError::picture(path, error))?;
                hash.update(self.name(path).as_bytes());
                hash.update([0]);
                hash.update(file.sha256);
                bytes += file.bytes;
            }
        }
        let shape = vec![
            self.files.len(),
            rule.size[0],
            rule.size[1],
            rule.channels(),
        ];
        Ok(Decoded {
            array: Array {
                shape,
                numbers: Numbers::Bytes(pixels),
            },
            names: self.files.iter().map(|(path, _)| self.name(path)).collect(),
            labels: (!self.classes.is_empty())
                .then(|| self.files.iter().map(|&(_, class)| class).collect()),
            record: FileRecord {
                name: self
                    .folder
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
                sha256: Hex(&hash.finalize()).to_string(),
                bytes,
            },
        })
    }

    /// A picture's path below the folder, with `/`.
    fn name(&self, path: &Path) -> String {
        let path = path.strip_prefix(&self.folder).unwrap_or(path);
        let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
        parts.join("/")
    }
}

/// The pictures and the folders in a folder.
fn pictures_in(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), DataError> {
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    for path in entries(folder)? {
        let is_picture = is_called_picture(&path);
        let found = match fs::metadata(&path) {
            Ok(found) => found,
            // What is not to be read may be out of reach.
            Err(_) if !is_picture && path.extension().is_some() => continue,
            Err(error) => return Err(DataError::picture(&path, PictureError::Unreadable(error))),
        };
        if found.is_dir() {
            folders.push(path);
        } else if NOT_READ.contains(&ending(&path).as_str()) {
            return Err(DataError::picture(&path, PictureError::Format));
        } else if is_picture && !found.is_file() {
            let (kind, expected) = ("a device or a pipe", "a picture");
            return Err(DataError::NotAFile {
                file: path,
                kind,
                expected,
            });
        } else if is_picture {
            files.push(path);
        }
    }
    Ok((files, folders))
}

struct FileHash {
    sha256: [u8; 32],
    bytes: u64,
}

/// Reads a file that is known to be one.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, PictureError> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(PictureError::Unreadable)?;
    file.take(LARGEST_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(PictureError::Unreadable)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(PictureError::Large);
    }
    Ok(bytes)
}

/// Whether a file is a picture of a kind that is read, by its first bytes.
pub(super) fn is_picture(start: &[u8]) -> bool {
    use image::ImageFormat::{Bmp, Jpeg, Png, WebP};
    matches!(image::guess_format(start), Ok(Png | Jpeg | Bmp | WebP))
}

/// One picture from the bytes of its file.
pub(super) fn one(bytes: &[u8], asked: &Pictures, name: &str) -> Result<Array, PictureError> {
    let picture = decode(bytes)?;
    let rule = Rule::of(asked, &picture, name);
    let shape = vec![1, rule.size[0], rule.size[1], rule.channels()];
    Ok(Array {
        shape,
        numbers: Numbers::Bytes(rule.apply(picture)?),
    })
}

/// A picture the right way up, from the bytes of a file.
///
/// # Errors
///
/// [`PictureError`] if it is none, is damaged or is too large.
pub fn decode(bytes: &[u8]) -> Result<DynamicImage, PictureError> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    limits.max_alloc = Some(MOST_MEMORY);
    let told = |error| match error {
        ImageError::Limits(_) => PictureError::Large,
        ImageError::Unsupported(_) => PictureError::Format,
        error => PictureError::Damaged(error.to_string()),
    };
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let mut reader = reader.map_err(PictureError::Unreadable)?;
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(told)?;
    limits.reserve(decoder.total_bytes()).map_err(told)?;
    // Cameras note how they were held.
    let orientation = decoder.orientation().map_err(told)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(told)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// Whether a picture has a pixel that is not grey.
fn has_colour(picture: &DynamicImage) -> bool {
    picture.color().has_color()
        && picture
            .to_rgb8()
            .as_chunks::<3>()
            .0
            .iter()
            .any(|[red, green, blue]| red != green || green != blue)
}

fn is_transparent(picture: &DynamicImage) -> bool {
    picture.color().has_alpha()
        && picture
            .to_rgba8()
            .as_chunks::<4>()
            .0
            .iter()
            .any(|[.., alpha]| *alpha < u8::MAX)
}

impl Rule {
    /// What is asked for, else what the first picture has.
    fn of(asked: &Pictures, first: &DynamicImage, name: &str) -> Self {
        let is_grey = match asked.colour {
            Colour::First => !has_colour(first),
            Colour::Grey => true,
            Colour::Rgb => false,
        };
        Self {
            size: asked
                .size
                .unwrap_or([first.height() as usize, first.width() as usize]),
            is_grey,
            fit: asked.fit,
            sized_by: asked.size.is_none().then(|| name.to_owned()),
            coloured_by: (asked.colour == Colour::First).then(|| name.to_owned()),
        }
    }

    /// Bytes of a pixel.
    pub fn channels(&self) -> usize {
        if self.is_grey { 1 } else { 3 }
    }

    /// The bytes of a picture, row after row.
    fn apply(&self, picture: DynamicImage) -> Result<Vec<u8>, PictureError> {
        if is_transparent(&picture) {
            return Err(PictureError::Transparent);
        }
        if let Some(first) = self.coloured_by.as_ref().filter(|_| self.is_grey)
            && has_colour(&picture)
        {
            return Err(PictureError::Coloured {
                first: first.clone(),
            });
        }
        let found = [picture.height() as usize, picture.width() as usize];
        let [height, width] = self.size.map(|side| side as u32);
        let picture = match self.fit {
            _ if found == self.size => picture,
            Fit::Crop => picture.resize_to_fill(width, height, FilterType::Triangle),
            Fit::Resize => picture.resize_exact(width, height, FilterType::Triangle),
            Fit::Refuse => {
                let as_in = self
                    .sized_by
                    .as_ref()
                    .map(|first| format!(" as in {first}"));
                return Err(PictureError::Size {
                    found,
                    expected: self.size,
                    as_in: as_in.unwrap_or_default(),
                });
            }
        };
        Ok(if self.is_grey {
            picture.into_luma8().into_raw()
        } else {
            picture.into_rgb8().into_raw()
        })
    }
}
