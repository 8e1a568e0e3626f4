//! Folders of pictures, decoded on all cores: what is in a folder, and how a picture becomes rows of bytes.
//!
//! PNG, JPEG, BMP and WebP are read, by what is in a file, of the files that are called so. Sub-folders are classes; there is
//! one level of them, so that no loop of links is ever followed. Everything goes in the order of names.

use std::fs::{self, File, FileType};
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::FileRecord;
use super::array::{Array, Numbers};
use super::error::{DataError, name_of, shown};
use crate::machine;
use crate::spec::{Colour, Fit, Pictures};
use crate::weights::hexadecimal;
use crate::words::counted;

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
/// Pixels of a picture on its way to a size that it fills.
const MOST_FILLING: f64 = (1 << 28) as f64;
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
    /// Scaled until it fills the size, it would be too large to be cut.
    #[error(
        "is {} pixels high and {} wide: too slim to be cut to {}×{}\n  hint: set fit = \"resize\", or move it away",
        found[0], found[1], expected[0], expected[1]
    )]
    Slim {
        /// Height and width.
        found: [usize; 2],
        /// Height and width.
        expected: [usize; 2],
    },
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

/// The ending of a file's name, in lower case.
pub(super) fn ending(path: &Path) -> String {
    path.extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase()
}

/// What is in a folder, sorted by name; hidden files and folders are left out.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let entries = entries_and_types(folder)?.into_iter();
    Ok(entries.map(|(path, _)| path).collect())
}

fn entries_and_types(folder: &Path) -> Result<Vec<(PathBuf, FileType)>, DataError> {
    let unreadable = |error| DataError::unreadable(folder, error);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            found.push((entry.path(), entry.file_type().map_err(unreadable)?));
        }
    }
    found.sort_by(|(one, _), (other, _)| one.as_os_str().cmp(other.as_os_str()));
    Ok(found)
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
                return Err(DataError::refused(
                    beside,
                    format!("lies beside {}, which holds pictures too", shown(&sub)),
                    "put every picture into the folder of its class, or all into one",
                ));
            }
            if let Some(deep) = folders.into_iter().next() {
                return Err(DataError::refused(
                    &deep,
                    "is a folder in the folder of a class, expected pictures alone",
                    "move the pictures up, or the folder away",
                ));
            }
            let class = listing.classes.len();
            listing
                .files
                .extend(files.into_iter().map(|file| (file, class)));
            listing.classes.push(name_of(&sub));
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
            let pictures = counted(self.files.len(), "picture");
            let rows = if self.files.len() == 1 {
                "a row"
            } else {
                "rows"
            };
            return Err(DataError::refused(
                &self.folder,
                format!(
                    "holds {pictures}, which as {rows} of {size} bytes are more than memory can hold"
                ),
                "make the pictures smaller with data.source = { images = { size = …, fit = \"crop\" } }, or take fewer",
            ));
        };
        let mut pixels = vec![0; all];
        let mut hash = Sha256::new();
        let mut bytes = 0;
        let names: Vec<String> = self.files.iter().map(|(path, _)| self.name(path)).collect();
        let mut named = names.iter();
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
                hash.update(named.next().map_or("", String::as_str).as_bytes());
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
            names,
            labels: (!self.classes.is_empty())
                .then(|| self.files.iter().map(|&(_, class)| class).collect()),
            record: FileRecord {
                name: name_of(&self.folder),
                sha256: hexadecimal(&hash.finalize()),
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
    for (path, mut kind) in entries_and_types(folder)? {
        let is_picture = is_called_picture(&path);
        if kind.is_symlink() {
            kind = match fs::metadata(&path) {
                Ok(found) => found.file_type(),
                // What is not to be read may be out of reach.
                Err(_) if !is_picture && path.extension().is_some() => continue,
                Err(error) => {
                    return Err(DataError::picture(&path, PictureError::Unreadable(error)));
                }
            };
        }
        if kind.is_dir() {
            folders.push(path);
        } else if NOT_READ.contains(&ending(&path).as_str()) {
            return Err(DataError::picture(&path, PictureError::Format));
        } else if is_picture && !kind.is_file() {
            return Err(DataError::not_a_file(&path, kind, "a picture"));
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
    // Room for a small picture in one read.
    let mut bytes = Vec::with_capacity(1 << 14);
    let file = File::open(path).map_err(PictureError::Unreadable)?;
    file.take(LARGEST_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(PictureError::Unreadable)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(PictureError::Large);
    }
    Ok(bytes)
}

/// The pixels of a picture that is scaled until both of its sides are at least as long as those of `size`.
fn filling(picture: [usize; 2], size: [usize; 2]) -> f64 {
    let scale = |side: usize| size[side] as f64 / picture[side] as f64;
    let scale = scale(0).max(scale(1));
    (picture[0] * picture[1]) as f64 * scale * scale
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
        if self.fit == Fit::Crop && filling(found, self.size) > MOST_FILLING {
            return Err(PictureError::Slim {
                found,
                expected: self.size,
            });
        }
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

#[cfg(test)]
pub(super) mod tests {
    use image::{ImageFormat, RgbImage, RgbaImage};
    use proptest::prelude::*;

    use super::*;

    /// The bytes of a grey picture's file.
    pub fn grey(
        width: u32,
        height: u32,
        format: ImageFormat,
        pixel: impl Fn(u32, u32) -> u8,
    ) -> Vec<u8> {
        let picture = image::GrayImage::from_fn(width, height, |x, y| image::Luma([pixel(x, y)]));
        encoded(&picture.into(), format)
    }

    fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    pub fn coloured(width: u32, height: u32, colour: [u8; 3]) -> Vec<u8> {
        let picture = RgbImage::from_pixel(width, height, image::Rgb(colour));
        encoded(&picture.into(), ImageFormat::Png)
    }

    fn bytes_of(array: &Array) -> &[u8] {
        match &array.numbers {
            Numbers::Bytes(bytes) => bytes,
            other => panic!("{other:?}"),
        }
    }

    fn folder(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        dir
    }

    fn decoded(dir: &Path, asked: &Pictures) -> Result<Decoded, DataError> {
        let listing = Listing::of(dir)?;
        listing.decode(&listing.rule(asked)?)
    }

    fn message(dir: &Path, asked: &Pictures) -> String {
        let error = decoded(dir, asked).unwrap_err().to_string();
        error.replace(&*dir.to_string_lossy(), "DIR")
    }

    const PNG: ImageFormat = ImageFormat::Png;

    #[test]
    fn pictures_are_read_in_the_order_of_their_names_and_classes() {
        let dot = |grey| super::tests::grey(1, 1, PNG, move |_, _| grey);
        let dir = folder(&[
            ("b/9.png", dot(9)),
            ("b/10.png", dot(10)),
            ("a/z.PNG", dot(3)),
            ("a/notes.txt", b"no picture".to_vec()),
            (".hidden/x.png", dot(0)),
            ("empty/readme.md", vec![]),
        ]);
        let decoded = decoded(dir.path(), &Pictures::default()).unwrap();
        assert_eq!(decoded.names, ["a/z.PNG", "b/10.png", "b/9.png"]);
        assert_eq!(bytes_of(&decoded.array), [3, 10, 9]);
        assert_eq!(decoded.array.shape, [3, 1, 1, 1]);
        assert_eq!(decoded.labels, Some(vec![0, 1, 1]));
        let listing = Listing::of(dir.path()).unwrap();
        assert_eq!(listing.classes(), ["a", "b"]);
    }

    #[test]
    fn every_format_is_read_by_its_content() {
        use ImageFormat::{Bmp, Jpeg, WebP};
        for format in [PNG, Bmp, WebP, Jpeg] {
            let bytes = grey(8, 8, format, |_, _| 200);
            let dir = folder(&[("a.png", bytes.clone())]);
            let decoded = decoded(dir.path(), &Pictures::default()).unwrap();
            assert_eq!(decoded.array.shape, [1, 8, 8, 1], "{format:?}");
            let near = |&byte: &u8| byte.abs_diff(200) <= 1;
            assert!(bytes_of(&decoded.array).iter().all(near), "{format:?}");
            assert!(is_picture(&bytes[..16]));
        }
    }

    #[test]
    fn colour_is_as_the_first_picture_has_it_or_as_asked() {
        let dot = grey(1, 1, PNG, |_, _| 7);
        let red = coloured(1, 1, [255, 0, 0]);
        let grey_first = folder(&[("a.png", dot.clone()), ("b.png", red.clone())]);
        assert_eq!(
            message(grey_first.path(), &Pictures::default()),
            "DIR/b.png: is in colour, expected grey as in DIR/a.png\n  hint: set data.source = { images = { colour = \"rgb\" \
             } }, or colour = \"grey\""
        );
        let asked = |colour| Pictures {
            colour,
            ..Pictures::default()
        };
        let read = |dir: &tempfile::TempDir, colour| {
            bytes_of(&decoded(dir.path(), &asked(colour)).unwrap().array).to_vec()
        };
        // 0.2126 of 255.
        assert_eq!(read(&grey_first, Colour::Grey), [7, 54]);
        assert_eq!(read(&grey_first, Colour::Rgb), [7, 7, 7, 255, 0, 0]);
        let red_first = folder(&[("a.png", red), ("b.png", dot)]);
        assert_eq!(read(&red_first, Colour::First), [255, 0, 0, 7, 7, 7]);
        // Grey that is written as colour is grey.
        let written = folder(&[("a.png", coloured(1, 1, [9, 9, 9]))]);
        assert_eq!(read(&written, Colour::First), [9]);
    }

    #[test]
    fn other_sizes_are_refused_cut_or_scaled() {
        // Left half black, right half white; 4 high and 8 wide.
        let wide = grey(8, 4, PNG, |x, _| if x < 4 { 0 } else { 255 });
        let dir = folder(&[("a.png", grey(4, 4, PNG, |_, _| 0)), ("b.png", wide)]);
        assert_eq!(
            message(dir.path(), &Pictures::default()),
            "DIR/b.png: is 4 pixels high and 8 wide, expected 4×4 as in DIR/a.png\n  hint: set data.source = { images = { size = \
             [4, 4], fit = \"crop\" } }, or fit = \"resize\""
        );
        let asked = |fit| Pictures {
            size: Some([4, 4]),
            fit,
            ..Pictures::default()
        };
        let row = |fit| bytes_of(&decoded(dir.path(), &asked(fit)).unwrap().array)[16..20].to_vec();
        assert_eq!(row(Fit::Crop), [0, 0, 255, 255]);
        let scaled = row(Fit::Resize);
        assert!(
            scaled[0] == 0 && scaled[3] == 255 && scaled[1] < 64 && scaled[2] > 191,
            "{scaled:?}"
        );
        assert!(message(dir.path(), &asked(Fit::Refuse)).contains("8 wide, expected 4×4\n"));
    }

    #[test]
    fn each_mistake_in_a_picture_is_told_with_its_cure() {
        let whole = grey(8, 8, PNG, |x, y| (8 * x + y) as u8);
        let clear = RgbaImage::from_pixel(2, 2, image::Rgba([0, 0, 0, 9]));
        for (name, bytes, problem) in [
            (
                "b.png",
                b"GIF89a and so on".to_vec(),
                "is no PNG, JPEG, BMP or WebP\n  hint: convert it to PNG, or move it away",
            ),
            (
                "b.gif",
                vec![],
                "is no PNG, JPEG, BMP or WebP\n  hint: convert it to PNG, or move it away",
            ),
            (
                "b.png",
                vec![],
                "is no PNG, JPEG, BMP or WebP\n  hint: convert it to PNG, or move it away",
            ),
            (
                "b.png",
                encoded(&clear.into(), PNG),
                "has transparent pixels, expected opaque ones\n  hint: put it on a background first",
            ),
            (
                "b.png",
                bomb(50_000, 1),
                "is too large: expected sides of at most 16384 pixels, and 256 MiB for decoding\n  hint: make it smaller first",
            ),
            (
                "b.png",
                bomb(16_384, 16_385 - 1),
                "is too large: expected sides of at most 16384 pixels, and 256 MiB for decoding\n  hint: make it smaller first",
            ),
        ] {
            let dir = folder(&[("a.png", whole.clone()), (name, bytes)]);
            assert_eq!(
                message(dir.path(), &Pictures::default()),
                format!("DIR/{name}: {problem}")
            );
        }
        let dir = folder(&[("a.png", whole.clone()), ("b.png", whole[..40].to_vec())]);
        let found = message(dir.path(), &Pictures::default());
        assert!(
            found.starts_with("DIR/b.png: cannot be decoded ("),
            "{found}"
        );
        let dir = folder(&[("c.png", whole.clone()), ("x/d.png", whole.clone())]);
        assert_eq!(
            message(dir.path(), &Pictures::default()),
            "DIR/c.png: lies beside DIR/x, which holds pictures too\n  hint: put every picture into the folder of its class, or \
             all into one"
        );
        let dir = folder(&[("x/d.png", whole.clone()), ("x/y/e.png", whole)]);
        assert_eq!(
            message(dir.path(), &Pictures::default()),
            "DIR/x/y: is a folder in the folder of a class, expected pictures alone\n  hint: move the pictures up, or the \
             folder away"
        );
    }

    /// A PNG that claims to be of this size and has next to nothing in it.
    fn bomb(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = coloured(1, 1, [1, 2, 3]);
        bytes[16..20].copy_from_slice(&width.to_be_bytes());
        bytes[20..24].copy_from_slice(&height.to_be_bytes());
        let mut checksum = flate2::Crc::new();
        checksum.update(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&checksum.sum().to_be_bytes());
        bytes
    }

    #[cfg(unix)]
    #[test]
    fn loops_of_links_and_pipes_are_refused() {
        let dir = folder(&[("a.png", grey(1, 1, PNG, |_, _| 0))]);
        let at = |name: &str| dir.path().join(name);
        std::os::unix::fs::symlink(at("b.png"), at("b.png")).unwrap();
        let found = message(dir.path(), &Pictures::default());
        assert!(found.starts_with("DIR/b.png: cannot be read: "), "{found}");
        fs::remove_file(at("b.png")).unwrap();
        // A folder that is its own sub-folder holds the same pictures again.
        std::os::unix::fs::symlink(dir.path(), at("again")).unwrap();
        assert!(
            message(dir.path(), &Pictures::default())
                .starts_with("DIR/a.png: lies beside DIR/again, ")
        );
        fs::remove_file(at("again")).unwrap();
        let pipe =
            std::ffi::CString::new(at("c.png").into_os_string().into_encoded_bytes()).unwrap();
        make_pipe(&pipe);
        assert_eq!(
            message(dir.path(), &Pictures::default()),
            "DIR/c.png: is a device or a pipe, expected a picture\n  hint: put the file in its place"
        );
    }

    #[cfg(unix)]
    fn make_pipe(path: &std::ffi::CStr) {
        let path = path.to_str().unwrap();
        let done = std::process::Command::new("mkfifo").arg(path).status();
        assert!(done.unwrap().success());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

        #[test]
        fn what_was_written_is_read(width in 1..9_u32, height in 1..9_u32, seed in any::<u8>(), which in 0..3_usize) {
            let format = [PNG, ImageFormat::Bmp, ImageFormat::WebP][which];
            let pixel = move |x: u32, y: u32| seed.wrapping_mul(31).wrapping_add((x * 37 + y * 101) as u8);
            let array = one(&grey(width, height, format, pixel), &Pictures::default(), "it").unwrap();
            let expected: Vec<u8> = (0..height).flat_map(|y| (0..width).map(move |x| pixel(x, y))).collect();
            prop_assert_eq!(&array.shape, &[1, height as usize, width as usize, 1]);
            prop_assert_eq!(bytes_of(&array), &expected[..]);
        }

        #[test]
        fn any_bytes_are_decoded_or_refused(
            start in prop::sample::select(vec![
                &b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"[..], b"\xff\xd8\xff\xe0", b"BM", b"RIFF\x40\0\0\0WEBPVP8L",
            ]),
            tail in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = decode(&[start, &tail].concat());
        }

        #[test]
        fn a_flipped_bit_is_refused_or_keeps_the_size_within_limits(at in 0..1000_usize, bit in 0..8_u8, which in 0..4_usize) {
            let format = [PNG, ImageFormat::Bmp, ImageFormat::WebP, ImageFormat::Jpeg][which];
            let mut bytes = grey(5, 7, format, |x, y| (x * y) as u8);
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            if let Ok(picture) = decode(&bytes) {
                prop_assert!(picture.width() <= LONGEST_SIDE && picture.height() <= LONGEST_SIDE);
            }
        }
    }
}
