//! Files of arrays: `.npy`, `.npz` and `.safetensors`, told apart by their first bytes.
//!
//! Their headers are read by the crates that own the formats, behind limits that keep a header from taking memory or the
//! stack. Where an array lies in a file as it is in memory, it is not read but found; one pass over the file from its
//! beginning to its end then hashes it, looks through every number that is asked for, and keeps what is small.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use flate2::Crc;
use npyz::npz::{array_name_from_file_name, file_name_from_array_name};
use npyz::zip::{CompressionMethod, ZipArchive, result::ZipError};
use npyz::{DType, Endianness, NpyHeader, Order, TypeChar};
use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::array::{
    Array, ByteOrder, CHUNK, Element, Format, Holds, Intake, NotFinite, Numbers, Refusal,
};
use super::idx::Hex;
use super::mapped::{MappedFile, MappedRows};
use crate::words::listed;

/// An array of so many bytes or more is read row by row from its file.
const MAPPED_FROM: usize = 256 << 20;
/// numpy's own limit for headers of files that it does not trust.
const LONGEST_HEADER: usize = 10_000;
/// More brackets than these are no plain array's. The parser calls itself for each.
const MOST_BRACKETS: usize = 8;
/// Numbers of fewer digits than 2⁶⁴ multiply to less.
const MOST_DIGITS: usize = 19;

const NPY: &[u8] = b"\x93NUMPY";
const ZIP: &[u8] = b"PK";

/// A file of arrays whose numbers have not been read.
pub struct ArrayFile {
    contents: Contents,
    kind: Kind,
    /// The names of its arrays, in order; an `.npy` file has one of no name.
    keys: Vec<String>,
}

enum Contents {
    Mapped(Arc<MappedFile>),
    Bytes(Vec<u8>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Npy,
    Npz,
    SafeTensors,
}

/// What was in a file.
#[derive(Debug, PartialEq)]
pub struct Arrays {
    /// Those that were asked for, in that order.
    pub arrays: Vec<Array>,
    /// SHA-256 of the file, in lower-case hexadecimal.
    pub sha256: String,
    /// Length of the file.
    pub bytes: u64,
}

/// An array that lies in the file as it is.
struct Layout {
    format: Format,
    shape: Vec<usize>,
    /// Of its numbers.
    range: Range<usize>,
    /// What the archive says of the bytes before the numbers and of the numbers.
    checksum: Option<(Crc, u32)>,
}

enum Place {
    There(Layout),
    /// Compressed.
    Packed,
}

/// What is wrong with a file of arrays.
#[derive(Debug, Error)]
#[error("{}{flaw}", if key.is_empty() { String::new() } else { format!("array `{}` ", key.escape_debug()) })]
pub struct ArrayError {
    /// The array; empty where it has no name, or for the file itself.
    pub key: String,
    /// What is wrong with it.
    pub flaw: ArrayFlaw,
}

/// What is wrong with an array: what was found, what was expected, and the cure.
#[derive(Debug, Error)]
pub enum ArrayFlaw {
    /// The file's first bytes are those of none of the formats.
    #[error(
        "is neither .npy, .npz nor .safetensors by its first bytes\n  hint: write it with numpy.save, numpy.savez or \
         safetensors"
    )]
    Unknown,
    /// The header cannot be understood.
    #[error(
        "has a damaged header ({0})\n  hint: the file was cut or written wrongly; write it again"
    )]
    Header(String),
    /// The archive cannot be unpacked.
    #[error(
        "cannot be unpacked ({0})\n  hint: the archive was cut or damaged; copy or download the file again"
    )]
    Archive(String),
    /// The archive has another checksum for what is there.
    #[error(
        "is not what was put into the archive: its checksum is another\n  hint: copy or download the file again"
    )]
    Checksum,
    /// There is no array of that name.
    #[error("is not in the file, which has {0}\n  hint: name one of these")]
    NoKey(String),
    /// The numbers are of a type that is not read.
    #[error(
        "holds {0}, expected floats of 16 to 64 bits, integers or truth values\n  hint: write it as float32, with \
         numpy: a.astype(\"float32\")"
    )]
    Type(String),
    /// Columns come before rows.
    #[error(
        "is stored column by column (Fortran order), expected row by row\n  hint: write it with \
         numpy.save(path, numpy.ascontiguousarray(a))"
    )]
    Columns,
    /// A dimension is 0, or there is none.
    #[error(
        "has the shape {0}, expected at least one row, and no side of 0\n  hint: write the file again"
    )]
    Nothing(String),
    /// Memory cannot hold what the header promises.
    #[error(
        "promises the shape {0}, expected a size that memory can hold\n  hint: an .npy file that is written in C order \
         may be larger than memory; if it is one, its header is damaged"
    )]
    Overflow(String),
    /// There are fewer bytes than the header promises.
    #[error(
        "has {found} bytes of numbers, expected {expected} for the shape {shape}\n  hint: the file was cut; copy or \
         download it again"
    )]
    Short {
        /// Bytes that are there.
        found: u64,
        /// Bytes that the header promises.
        expected: u64,
        /// The shape that it promises.
        shape: String,
    },
    /// There are more bytes than the header promises.
    #[error(
        "goes on after its numbers, expected {expected} bytes of them for the shape {shape}\n  hint: the header or the \
         tail is wrong; write the file again"
    )]
    Long {
        /// Bytes that the header promises.
        expected: u64,
        /// The shape that it promises.
        shape: String,
    },
    /// A number is NaN or infinite.
    #[error(transparent)]
    NotFinite(NotFinite),
    /// Reading failed; holds what the operating system said.
    #[error("cannot be read: {0}\n  hint: check the file's permissions and the disk")]
    Unreadable(io::Error),
}

impl ArrayFlaw {
    fn of(self, key: &str) -> ArrayError {
        ArrayError {
            key: key.to_owned(),
            flaw: self,
        }
    }
}

impl From<io::Error> for ArrayFlaw {
    fn from(error: io::Error) -> Self {
        // Decoders report damage as errors that no operating system made.
        if error.raw_os_error().is_some() {
            Self::Unreadable(error)
        } else {
            Self::Archive(error.to_string())
        }
    }
}

impl From<ZipError> for ArrayFlaw {
    fn from(error: ZipError) -> Self {
        match error {
            ZipError::Io(error) => error.into(),
            error => Self::Archive(error.to_string()),
        }
    }
}

impl ArrayFile {
    /// Maps a file and finds its arrays.
    ///
    /// # Errors
    ///
    /// [`ArrayError`] if it is none of the formats or its table of contents is damaged.
    pub fn open(file: File, path: &Path) -> Result<Self, ArrayError> {
        let unreadable = |error| ArrayFlaw::Unreadable(error).of("");
        if file.metadata().map_err(unreadable)?.len() == 0 {
            return Err(ArrayFlaw::Unknown.of(""));
        }
        let file = MappedFile::new(file, path).map_err(unreadable)?;
        Self::new(Contents::Mapped(Arc::new(file)))
    }

    /// Finds the arrays of a file that is in memory.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn of_bytes(bytes: Vec<u8>) -> Result<Self, ArrayError> {
        Self::new(Contents::Bytes(bytes))
    }

    fn new(contents: Contents) -> Result<Self, ArrayError> {
        let bytes = contents.bytes();
        let (kind, mut keys) = match bytes {
            _ if bytes.starts_with(NPY) => (Kind::Npy, vec![String::new()]),
            _ if bytes.starts_with(ZIP) => {
                let archive = archive(bytes).map_err(|flaw| flaw.of(""))?;
                let names = archive.file_names().filter_map(array_name_from_file_name);
                (Kind::Npz, names.map(str::to_owned).collect())
            }
            // The length of a table in braces.
            [_, _, _, _, _, _, 0, 0, b'{', ..] => {
                let (_, metadata) = SafeTensors::read_metadata(bytes)
                    .map_err(|error| ArrayFlaw::Header(error.to_string()).of(""))?;
                (Kind::SafeTensors, metadata.offset_keys())
            }
            _ => return Err(ArrayFlaw::Unknown.of("")),
        };
        keys.sort();
        Ok(Self {
            contents,
            kind,
            keys,
        })
    }

    /// Whether such a file may hold arrays, by its first bytes.
    #[must_use]
    pub fn may_be(start: &[u8]) -> bool {
        start.starts_with(NPY)
            || start.starts_with(ZIP)
            || matches!(start, [_, _, _, _, _, _, 0, 0, b'{', ..])
    }

    /// The names of its arrays, in order; an `.npy` file has one of no name.
    #[must_use]
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// Reads these arrays, and the whole file once. Inputs that are large are left in the file.
    ///
    /// # Errors
    ///
    /// [`ArrayError`] if there is no such array, if it is damaged or of a type that is not read, or if a number is NaN or
    /// infinite.
    pub fn read(&self, wanted: &[(&str, Holds)]) -> Result<Arrays, ArrayError> {
        let mut places = Vec::with_capacity(wanted.len());
        for &(key, holds) in wanted {
            let place = self.place(key).map_err(|flaw| flaw.of(key))?;
            let stays = holds == Holds::Inputs && self.may_stay(&place);
            places.push((key, Slot::new(place, stays)));
        }
        let (mut sha256, mut at) = (Sha256::new(), 0_usize);
        self.contents.pass(|chunk| {
            sha256.update(chunk);
            for (key, slot) in &mut places {
                slot.show(chunk, at).map_err(|flaw| flaw.of(key))?;
            }
            at += chunk.len();
            Ok(())
        })?;
        let arrays = places.into_iter().map(|(key, slot)| {
            let array = match slot {
                Slot::There {
                    layout,
                    intake,
                    stays,
                } => self.finish(layout, intake, stays),
                Slot::Packed => self.unpack(key),
            };
            array.map_err(|flaw| flaw.of(key))
        });
        let arrays = arrays.collect::<Result<_, ArrayError>>()?;
        if let Contents::Mapped(file) = &self.contents {
            file.give_back();
        }
        Ok(Arrays {
            arrays,
            sha256: Hex(&sha256.finalize()).to_string(),
            bytes: at as u64,
        })
    }

    fn place(&self, key: &str) -> Result<Place, ArrayFlaw> {
        if !self.keys.iter().any(|known| known == key) {
            let keys: Vec<String> = self
                .keys
                .iter()
                .map(|key| format!("`{}`", key.escape_debug()))
                .collect();
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            return Err(ArrayFlaw::NoKey(match &keys[..] {
                [] => "none at all".to_owned(),
                ["``"] => "one array of no name".to_owned(),
                keys => listed(keys, 10),
            }));
        }
        let bytes = self.contents.bytes();
        match self.kind {
            Kind::Npy => {
                let (format, shape, start) = npy_header(&mut &bytes[..])?;
                let size = size_of_all(format, &shape)?;
                exactly((bytes.len() - start) as u64, size as u64, &shape)?;
                Ok(Place::There(Layout {
                    format,
                    shape,
                    range: start..start + size,
                    checksum: None,
                }))
            }
            Kind::Npz => {
                let mut archive = archive(bytes)?;
                let mut entry = archive.by_name(&file_name_from_array_name(key))?;
                if entry.compression() != CompressionMethod::Stored {
                    return Ok(Place::Packed);
                }
                let (format, shape, header) = npy_header(&mut entry)?;
                let size = size_of_all(format, &shape)?;
                exactly(
                    entry.size().saturating_sub(header as u64),
                    size as u64,
                    &shape,
                )?;
                let at = usize::try_from(entry.data_start()).unwrap_or(usize::MAX);
                let start = at.saturating_add(header);
                let range = start..start.saturating_add(size);
                let Some(before) = bytes.get(at..start).filter(|_| range.end <= bytes.len()) else {
                    return Err(ArrayFlaw::Archive("it ends within the array".to_owned()));
                };
                let mut checksum = Crc::new();
                checksum.update(before);
                let checksum = Some((checksum, entry.crc32()));
                Ok(Place::There(Layout {
                    format,
                    shape,
                    range,
                    checksum,
                }))
            }
            Kind::SafeTensors => {
                let damaged =
                    |error: safetensors::SafeTensorError| ArrayFlaw::Header(error.to_string());
                let (header, metadata) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
                let info = metadata
                    .info(key)
                    .ok_or_else(|| ArrayFlaw::Header("a name is lost".to_owned()))?;
                let element = tensor_element(info.dtype)
                    .ok_or_else(|| ArrayFlaw::Type(info.dtype.to_string()))?;
                let format = Format {
                    element,
                    order: ByteOrder::Little,
                };
                size_of_all(format, &info.shape)?;
                let (start, end) = info.data_offsets;
                let range = 8 + header + start..8 + header + end;
                Ok(Place::There(Layout {
                    format,
                    shape: info.shape.clone(),
                    range,
                    checksum: None,
                }))
            }
        }
    }

    /// Whether an array is so large that it is better left where it is.
    fn may_stay(&self, place: &Place) -> bool {
        let is_large = matches!(place, Place::There(layout) if layout.range.len() >= MAPPED_FROM);
        is_large && matches!(self.contents, Contents::Mapped(_))
    }

    fn finish(&self, layout: Layout, intake: Intake, stays: bool) -> Result<Array, ArrayFlaw> {
        if layout
            .checksum
            .as_ref()
            .is_some_and(|(found, expected)| found.sum() != *expected)
        {
            return Err(ArrayFlaw::Checksum);
        }
        let numbers = match &self.contents {
            Contents::Mapped(file) if stays => {
                let (count, row) = (layout.shape[0], layout.shape[1..].iter().product());
                let (file, start) = (Arc::clone(file), layout.range.start);
                Numbers::Mapped(MappedRows::new(file, start, layout.format, count, row))
            }
            _ => intake.finish(),
        };
        Ok(Array {
            shape: layout.shape,
            numbers,
        })
    }

    /// An array that is compressed in an archive.
    fn unpack(&self, key: &str) -> Result<Array, ArrayFlaw> {
        let mut archive = archive(self.contents.bytes())?;
        let mut entry = archive.by_name(&file_name_from_array_name(key))?;
        let (format, shape, _) = npy_header(&mut entry)?;
        let expected = size_of_all(format, &shape)?;
        let row: usize = shape[1..].iter().product();
        let mut intake = Intake::new(format, row, shape[0] * row);
        let (mut found, mut chunk) = (0, Vec::new());
        // One byte more than is promised, which also makes the archive check its sum.
        while found <= expected {
            chunk.clear();
            let next = (expected + 1 - found).min(CHUNK);
            entry.by_ref().take(next as u64).read_to_end(&mut chunk)?;
            if chunk.is_empty() {
                break;
            }
            found += chunk.len();
            if found <= expected {
                intake
                    .take(&chunk)
                    .map_err(|refusal| refused(refusal, &shape))?;
            }
        }
        exactly(found as u64, expected as u64, &shape)?;
        Ok(Array {
            numbers: intake.finish(),
            shape,
        })
    }
}

/// An array on its way in.
enum Slot {
    There {
        layout: Layout,
        intake: Intake,
        stays: bool,
    },
    Packed,
}

impl Slot {
    fn new(place: Place, stays: bool) -> Self {
        let Place::There(layout) = place else {
            return Self::Packed;
        };
        let row: usize = layout.shape[1..].iter().product();
        let keep = if stays { 0 } else { layout.shape[0] * row };
        let intake = Intake::new(layout.format, row, keep);
        Self::There {
            layout,
            intake,
            stays,
        }
    }

    /// Takes what is its own of a piece of the file that begins at byte `at`.
    fn show(&mut self, chunk: &[u8], at: usize) -> Result<(), ArrayFlaw> {
        let Self::There { layout, intake, .. } = self else {
            return Ok(());
        };
        let within = |place: usize| place.saturating_sub(at).min(chunk.len());
        let bytes = &chunk[within(layout.range.start)..within(layout.range.end)];
        intake
            .take(bytes)
            .map_err(|refusal| refused(refusal, &layout.shape))?;
        if let Some((checksum, _)) = &mut layout.checksum {
            checksum.update(bytes);
        }
        Ok(())
    }
}

impl Contents {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Mapped(file) => file.bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    /// Shows all bytes from the first to the last. Those of a file are read, not mapped: that takes no memory.
    fn pass(
        &self,
        mut show: impl FnMut(&[u8]) -> Result<(), ArrayError>,
    ) -> Result<(), ArrayError> {
        let file = match self {
            Self::Bytes(bytes) => return bytes.chunks(CHUNK).try_for_each(show),
            Self::Mapped(file) => file,
        };
        let unreadable = |error| ArrayFlaw::Unreadable(error).of("");
        let (mut reader, mut left) = (file.file(), file.bytes().len());
        reader.seek(SeekFrom::Start(0)).map_err(unreadable)?;
        let mut chunk = vec![0; CHUNK];
        while left > 0 {
            let chunk = &mut chunk[..left.min(CHUNK)];
            reader.read_exact(chunk).map_err(unreadable)?;
            show(chunk)?;
            left -= chunk.len();
        }
        Ok(())
    }
}

fn archive(bytes: &[u8]) -> Result<ZipArchive<Cursor<&[u8]>>, ArrayFlaw> {
    Ok(ZipArchive::new(Cursor::new(bytes))?)
}

fn refused(refusal: Refusal, shape: &[usize]) -> ArrayFlaw {
    match refusal {
        Refusal::NotFinite(error) => ArrayFlaw::NotFinite(error),
        Refusal::NoMemory => ArrayFlaw::Overflow(shown(shape)),
    }
}

/// `10 × 768`
fn shown(shape: &[usize]) -> String {
    let sides: Vec<String> = shape.iter().map(usize::to_string).collect();
    if sides.is_empty() {
        "()".to_owned()
    } else {
        sides.join(" × ")
    }
}

fn exactly(found: u64, expected: u64, shape: &[usize]) -> Result<(), ArrayFlaw> {
    let shape = || shown(shape);
    match found.cmp(&expected) {
        std::cmp::Ordering::Less => Err(ArrayFlaw::Short {
            found,
            expected,
            shape: shape(),
        }),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(ArrayFlaw::Long {
            expected,
            shape: shape(),
        }),
    }
}

/// The bytes of an array of this shape, which has no side of 0.
fn size_of_all(format: Format, shape: &[usize]) -> Result<usize, ArrayFlaw> {
    if shape.is_empty() || shape.contains(&0) {
        return Err(ArrayFlaw::Nothing(shown(shape)));
    }
    let size = shape
        .iter()
        .try_fold(format.element.size(), |size, &side| size.checked_mul(side));
    size.filter(|&size| isize::try_from(size).is_ok())
        .ok_or_else(|| ArrayFlaw::Overflow(shown(shape)))
}

/// Type, shape and the header's length.
fn npy_header(reader: &mut impl Read) -> Result<(Format, Vec<usize>, usize), ArrayFlaw> {
    let damaged = |why: &str| ArrayFlaw::Header(why.to_owned());
    let mut header = Vec::with_capacity(128);
    let mut more = |count: usize, header: &mut Vec<u8>| {
        let found = reader.take(count as u64).read_to_end(header)?;
        if found < count {
            Err(damaged("it breaks off"))
        } else {
            Ok(())
        }
    };
    more(10, &mut header)?;
    let length = if header[6] == 1 {
        usize::from(u16::from_le_bytes([header[8], header[9]]))
    } else {
        more(2, &mut header)?;
        u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize
    };
    if length > LONGEST_HEADER {
        return Err(ArrayFlaw::Header(format!(
            "it promises {length} bytes of itself"
        )));
    }
    let text = header.len();
    more(length, &mut header)?;
    let count = |of: fn(&u8) -> bool| header[text..].iter().filter(|byte| of(byte)).count();
    if count(|byte| b"([{".contains(byte)) > MOST_BRACKETS {
        return Err(ArrayFlaw::Type("records".to_owned()));
    }
    if count(u8::is_ascii_digit) > MOST_DIGITS {
        return Err(damaged("its numbers are too large for any file"));
    }
    let parsed = NpyHeader::from_reader(&header[..])
        .map_err(|error| ArrayFlaw::Header(error.to_string()))?;
    let DType::Plain(kind) = parsed.dtype() else {
        return Err(ArrayFlaw::Type("records".to_owned()));
    };
    let element = match (kind.type_char(), kind.size_field()) {
        (TypeChar::Bool, 1) => Element::Bool,
        (TypeChar::Uint, 1) => Element::U8,
        (TypeChar::Uint, 2) => Element::U16,
        (TypeChar::Uint, 4) => Element::U32,
        (TypeChar::Uint, 8) => Element::U64,
        (TypeChar::Int, 1) => Element::I8,
        (TypeChar::Int, 2) => Element::I16,
        (TypeChar::Int, 4) => Element::I32,
        (TypeChar::Int, 8) => Element::I64,
        (TypeChar::Float, 2) => Element::F16,
        (TypeChar::Float, 4) => Element::F32,
        (TypeChar::Float, 8) => Element::F64,
        _ => return Err(ArrayFlaw::Type(format!("numbers of numpy's type {kind}"))),
    };
    let order = match kind.endianness() {
        Endianness::Big => ByteOrder::Big,
        Endianness::Little | Endianness::Irrelevant => ByteOrder::Little,
    };
    let side = |&side: &u64| usize::try_from(side).unwrap_or(usize::MAX);
    let shape: Vec<usize> = parsed.shape().iter().map(side).collect();
    if parsed.order() == Order::Fortran && shape.iter().filter(|&&side| side > 1).count() > 1 {
        return Err(ArrayFlaw::Columns);
    }
    Ok((Format { element, order }, shape, header.len()))
}

fn tensor_element(kind: Dtype) -> Option<Element> {
    Some(match kind {
        Dtype::BOOL => Element::Bool,
        Dtype::U8 => Element::U8,
        Dtype::I8 => Element::I8,
        Dtype::U16 => Element::U16,
        Dtype::I16 => Element::I16,
        Dtype::U32 => Element::U32,
        Dtype::I32 => Element::I32,
        Dtype::U64 => Element::U64,
        Dtype::I64 => Element::I64,
        Dtype::F16 => Element::F16,
        Dtype::BF16 => Element::Bf16,
        Dtype::F32 => Element::F32,
        Dtype::F64 => Element::F64,
        _ => return None,
    })
}
