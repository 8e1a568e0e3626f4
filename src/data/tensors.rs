//! Files of arrays: `.npy`, `.npz` and `.safetensors`, told apart by their first bytes.
//!
//! Their headers are read by the crates that own the formats, behind limits that keep a header from taking memory or the
//! stack. Where an array lies in a file as it is in memory, it is not read but found; one pass over the file from its
//! beginning to its end then hashes it, looks through every number that is asked for, and keeps what is small.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::Crc;
use npyz::npz::{array_name_from_file_name, file_name_from_array_name};
use npyz::zip::{CompressionMethod, ZipArchive, result::ZipError};
use npyz::{DType, Endianness, NpyHeader, Order, TypeChar};
use safetensors::tensor::{Dtype, Metadata};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::array::{
    Array, ByteOrder, CHUNK, Element, Format, Holds, Intake, NotFinite, Numbers, Refusal,
};
use super::error::sides;
use super::stored::FileRows;
use crate::weights::hexadecimal;
use crate::words::listed;

/// An array of so many bytes or more is read row by row from its file.
const STORED_FROM: u64 = 256 << 20;
/// numpy's own limit for headers of files that it does not trust.
const LONGEST_HEADER: usize = 10_000;
/// The limit of the crate that owns `.safetensors`.
const LONGEST_TABLE: u64 = 100_000_000;
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
    File { file: Arc<File>, path: PathBuf },
    Bytes(Vec<u8>),
}

/// A file or bytes, from the first byte on.
trait Source: Read + Seek {}
impl<T: Read + Seek> Source for T {}

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
    range: Range<u64>,
    /// What the archive says of the bytes before the numbers and of the numbers.
    checksum: Option<(Crc, u32)>,
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
        "promises the shape {0}, expected a size that memory can hold\n  hint: an .npy file that is written row by row \
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
    /// Finds the arrays of a file.
    ///
    /// # Errors
    ///
    /// [`ArrayError`] if it is none of the formats or its table of contents is damaged.
    pub fn open(file: File, path: &Path) -> Result<Self, ArrayError> {
        Self::new(Contents::File {
            file: Arc::new(file),
            path: path.to_owned(),
        })
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
        let (kind, mut keys) = table(&contents).map_err(|flaw| flaw.of(""))?;
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
        // Those that are compressed have no slot, and are unpacked later.
        let mut slots = Vec::with_capacity(wanted.len());
        for &(key, holds) in wanted {
            let layout = self.layout(key).map_err(|flaw| flaw.of(key))?;
            slots.push((key, layout.map(|layout| self.slot(layout, holds))));
        }
        let (mut sha256, mut at) = (Sha256::new(), 0_u64);
        self.contents.pass(|chunk| {
            sha256.update(chunk);
            for (key, slot) in &mut slots {
                if let Some(slot) = slot {
                    slot.show(chunk, at).map_err(|flaw| flaw.of(key))?;
                }
            }
            at += chunk.len() as u64;
            Ok(())
        })?;
        let arrays = slots.into_iter().map(|(key, slot)| {
            let array = match slot {
                Some(slot) => self.finish(slot),
                None => self.unpack(key),
            };
            array.map_err(|flaw| flaw.of(key))
        });
        let arrays = arrays.collect::<Result<_, ArrayError>>()?;
        Ok(Arrays {
            arrays,
            sha256: hexadecimal(&sha256.finalize()),
            bytes: at,
        })
    }

    /// Where an array lies; nowhere if it is compressed.
    fn layout(&self, key: &str) -> Result<Option<Layout>, ArrayFlaw> {
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
        let mut source = self.contents.source()?;
        let length = source.seek(SeekFrom::End(0))?;
        source.rewind()?;
        let (format, shape, start, checksum) = match self.kind {
            Kind::Npy => {
                let (format, shape, header) = npy_header(&mut source)?;
                let (start, size) = (header.len() as u64, size_of_all(format, &shape)?);
                exactly(length - start, size as u64, &shape)?;
                (format, shape, start, None)
            }
            Kind::Npz => {
                let mut archive = ZipArchive::new(source)?;
                let mut entry = archive.by_name(&file_name_from_array_name(key))?;
                if entry.compression() != CompressionMethod::Stored {
                    return Ok(None);
                }
                let (format, shape, header) = npy_header(&mut entry)?;
                let size = size_of_all(format, &shape)?;
                let found = entry.size().saturating_sub(header.len() as u64);
                exactly(found, size as u64, &shape)?;
                let mut checksum = Crc::new();
                checksum.update(&header);
                let start = entry.data_start().saturating_add(header.len() as u64);
                if start.saturating_add(size as u64) > length {
                    return Err(ArrayFlaw::Archive("it ends within the array".to_owned()));
                }
                (format, shape, start, Some((checksum, entry.crc32())))
            }
            Kind::SafeTensors => {
                let (header, metadata) = tensor_table(&mut source)?;
                let lost = || ArrayFlaw::Header("a name is lost".to_owned());
                let info = metadata.info(key).ok_or_else(lost)?;
                let element = tensor_element(info.dtype);
                let format = Format {
                    element: element.ok_or_else(|| ArrayFlaw::Type(info.dtype.to_string()))?,
                    order: ByteOrder::Little,
                };
                size_of_all(format, &info.shape)?;
                let start = header + info.data_offsets.0 as u64;
                (format, info.shape.clone(), start, None)
            }
        };
        let size = size_of_all(format, &shape)? as u64;
        Ok(Some(Layout {
            format,
            shape,
            range: start..start + size,
            checksum,
        }))
    }

    /// Inputs that are large are left where they are.
    fn slot(&self, layout: Layout, holds: Holds) -> Slot {
        let is_large = layout.range.end - layout.range.start >= STORED_FROM;
        let stays =
            is_large && holds == Holds::Inputs && matches!(self.contents, Contents::File { .. });
        let row: usize = layout.shape[1..].iter().product();
        let keep = if stays { 0 } else { layout.shape[0] * row };
        Slot {
            intake: Intake::new(layout.format, row, keep),
            layout,
            stays,
        }
    }

    fn finish(&self, slot: Slot) -> Result<Array, ArrayFlaw> {
        let layout = slot.layout;
        let checksum = layout.checksum.as_ref();
        if checksum.is_some_and(|(found, expected)| found.sum() != *expected) {
            return Err(ArrayFlaw::Checksum);
        }
        let numbers = match &self.contents {
            Contents::File { file, path } if slot.stays => {
                let shape = [layout.shape[0], layout.shape[1..].iter().product()];
                let (file, start) = (Arc::clone(file), layout.range.start);
                Numbers::Stored(FileRows::new(file, path, start, layout.format, shape))
            }
            _ => slot.intake.finish(),
        };
        Ok(Array {
            shape: layout.shape,
            numbers,
        })
    }

    /// An array that is compressed in an archive.
    fn unpack(&self, key: &str) -> Result<Array, ArrayFlaw> {
        let mut archive = ZipArchive::new(self.contents.source()?)?;
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
struct Slot {
    layout: Layout,
    intake: Intake,
    /// Whether its numbers stay in the file.
    stays: bool,
}

impl Slot {
    /// Takes what is its own of a piece of the file that begins at byte `at`.
    fn show(&mut self, chunk: &[u8], at: u64) -> Result<(), ArrayFlaw> {
        let Self { layout, intake, .. } = self;
        let within = |place: u64| place.saturating_sub(at).min(chunk.len() as u64) as usize;
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
    fn source(&self) -> Result<Box<dyn Source + '_>, ArrayFlaw> {
        Ok(match self {
            Self::File { file, .. } => {
                let mut file: &File = file;
                file.rewind()?;
                Box::new(BufReader::new(file))
            }
            Self::Bytes(bytes) => Box::new(Cursor::new(bytes)),
        })
    }

    /// Shows all bytes from the first to the last.
    fn pass(
        &self,
        mut show: impl FnMut(&[u8]) -> Result<(), ArrayError>,
    ) -> Result<(), ArrayError> {
        let mut source = self.source().map_err(|flaw| flaw.of(""))?;
        let mut chunk = Vec::with_capacity(CHUNK);
        loop {
            chunk.clear();
            let read = source.by_ref().take(CHUNK as u64).read_to_end(&mut chunk);
            read.map_err(|error| ArrayFlaw::Unreadable(error).of(""))?;
            if chunk.is_empty() {
                return Ok(());
            }
            show(&chunk)?;
        }
    }
}

/// The format, and the names of the arrays.
fn table(contents: &Contents) -> Result<(Kind, Vec<String>), ArrayFlaw> {
    let mut source = contents.source()?;
    let mut start = Vec::new();
    source.by_ref().take(9).read_to_end(&mut start)?;
    source.rewind()?;
    Ok(match &start[..] {
        start if start.starts_with(NPY) => (Kind::Npy, vec![String::new()]),
        start if start.starts_with(ZIP) => {
            let archive = ZipArchive::new(source)?;
            let names = archive.file_names().filter_map(array_name_from_file_name);
            (Kind::Npz, names.map(str::to_owned).collect())
        }
        start if ArrayFile::may_be(start) => {
            let (header, metadata) = tensor_table(&mut source)?;
            let ends = metadata.tensors();
            let ends = ends.values().map(|info| info.data_offsets.1 as u64);
            let expected = header + ends.max().unwrap_or(0);
            let found = source.seek(SeekFrom::End(0))?;
            if found != expected {
                let what = format!("it promises a file of {expected} bytes, and there are {found}");
                return Err(ArrayFlaw::Header(what));
            }
            (Kind::SafeTensors, metadata.offset_keys())
        }
        _ => return Err(ArrayFlaw::Unknown),
    })
}

/// The table of a `.safetensors` file, and where the numbers begin.
fn tensor_table(source: &mut impl Read) -> Result<(u64, Metadata), ArrayFlaw> {
    let damaged = |what: String| ArrayFlaw::Header(what);
    let mut length = [0; 8];
    source
        .read_exact(&mut length)
        .map_err(|error| damaged(error.to_string()))?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST_TABLE {
        return Err(damaged(format!("it promises {length} bytes of itself")));
    }
    let mut text = Vec::new();
    // No more than there is, however long it claims to be.
    source.take(length).read_to_end(&mut text)?;
    if text.len() as u64 != length {
        return Err(damaged("it breaks off".to_owned()));
    }
    let table = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
    Ok((8 + length, table))
}

fn refused(refusal: Refusal, shape: &[usize]) -> ArrayFlaw {
    match refusal {
        Refusal::NotFinite(error) => ArrayFlaw::NotFinite(error),
        Refusal::NoMemory => ArrayFlaw::Overflow(shown(shape)),
    }
}

fn shown(shape: &[usize]) -> String {
    match shape {
        [] => "()".to_owned(),
        shape => sides(shape),
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

/// Type, shape and the header itself.
fn npy_header(reader: &mut impl Read) -> Result<(Format, Vec<usize>, Vec<u8>), ArrayFlaw> {
    let damaged = |why: &str| ArrayFlaw::Header(why.to_owned());
    let mut header = Vec::with_capacity(128);
    let mut more = |count: usize, header: &mut Vec<u8>| {
        let found = reader.by_ref().take(count as u64).read_to_end(header)?;
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
    if header[text..].windows(3).any(|word| word == b"'|O") {
        return Err(ArrayFlaw::Type("Python objects".to_owned()));
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
    Ok((Format { element, order }, shape, header))
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

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use npyz::zip::{ZipWriter, write::FileOptions};
    use proptest::prelude::*;

    use super::*;

    /// The bytes of an `.npy` file, as numpy writes them.
    pub fn npy(kind: &str, shape: &str, numbers: &[u8]) -> Vec<u8> {
        let text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
        header(&text, numbers)
    }

    fn header(text: &str, numbers: &[u8]) -> Vec<u8> {
        let length = (text.len() + 11).next_multiple_of(64) - 10;
        let text = format!("{text:<width$}\n", width = length - 1);
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((length as u16).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes.extend(numbers);
        bytes
    }

    /// The bytes of an `.npz` file.
    pub fn npz(arrays: &[(&str, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in arrays {
            let options = FileOptions::default().compression_method(method);
            zip.start_file(format!("{name}.npy"), options).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    /// The bytes of a `.safetensors` file of one array.
    fn safetensors(kind: &str, shape: &str, numbers: &[u8]) -> Vec<u8> {
        let end = numbers.len();
        let table = format!(
            "{{\"x\":{{\"dtype\":\"{kind}\",\"shape\":{shape},\"data_offsets\":[0,{end}]}}}}"
        );
        let mut bytes = (table.len() as u64).to_le_bytes().to_vec();
        bytes.extend(table.as_bytes());
        bytes.extend(numbers);
        bytes
    }

    fn floats(numbers: &[f32]) -> Vec<u8> {
        numbers
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect()
    }

    fn read(bytes: &[u8], key: &str) -> Result<Array, ArrayError> {
        let file = ArrayFile::of_bytes(bytes.to_vec())?;
        Ok(file.read(&[(key, Holds::Inputs)])?.arrays.remove(0))
    }

    fn message(bytes: &[u8], key: &str) -> String {
        read(bytes, key).unwrap_err().to_string()
    }

    const METHODS: [CompressionMethod; 2] =
        [CompressionMethod::Stored, CompressionMethod::Deflated];

    #[test]
    fn an_array_is_the_same_in_every_format() {
        let expected = Array {
            shape: vec![2, 3],
            numbers: Numbers::Floats(vec![0.5, -1.0, 2.0, 3.0, 4.0, 5.0]),
        };
        let numbers = floats(&[0.5, -1.0, 2.0, 3.0, 4.0, 5.0]);
        let plain = npy("<f4", "(2, 3)", &numbers);
        assert_eq!(read(&plain, "").unwrap(), expected);
        for method in METHODS {
            let other = npy("|u1", "(1,)", &[7]);
            let archive = npz(&[("x", plain.clone()), ("a", other)], method);
            assert_eq!(read(&archive, "x").unwrap(), expected);
            let file = ArrayFile::of_bytes(archive).unwrap();
            assert_eq!(file.keys(), ["a", "x"]);
            // In the order that is asked for, and hashed as a whole.
            let both = file
                .read(&[("x", Holds::Inputs), ("a", Holds::Labels)])
                .unwrap();
            assert_eq!(both.arrays[1].numbers, Numbers::Bytes(vec![7]));
            assert_eq!(both.arrays[0], expected);
        }
        let tensors = safetensors("F32", "[2,3]", &numbers);
        assert_eq!(read(&tensors, "x").unwrap(), expected);
        let half = [0x3800_u16, 0xbc00].map(u16::to_le_bytes).concat();
        assert_eq!(
            read(&safetensors("F16", "[1,2]", &half), "x")
                .unwrap()
                .numbers,
            Numbers::Floats(vec![0.5, -1.0])
        );
    }

    #[test]
    fn the_hash_is_that_of_the_file() {
        let bytes = npy("|u1", "(3,)", &[1, 2, 3]);
        let file = ArrayFile::of_bytes(bytes.clone()).unwrap();
        let read = file.read(&[("", Holds::Labels)]).unwrap();
        assert_eq!(read.sha256, hexadecimal(&Sha256::digest(&bytes)));
        assert_eq!(read.bytes, 131);
    }

    #[test]
    fn each_mistake_in_a_file_is_told_with_its_cure() {
        let two = npy("<f4", "(2, 1)", &floats(&[1.0, 2.0]));
        let cases: [(&[u8], &str, &str); 17] = [
            (&npy("|O", "(1, 1)", &[0; 8]), "", "holds Python objects, expected floats of 16 to 64 bits, integers or truth values
  hint: write it as float32, with numpy: a.astype(\"float32\")"),
            (b"hello", "", "is neither .npy, .npz nor .safetensors by its first bytes
  hint: write it with numpy.save, numpy.savez or safetensors"),
            (&two[..60], "", "has a damaged header (it breaks off)
  hint: the file was cut or written wrongly; write it again"),
            (&two[..two.len() - 1], "", "has 7 bytes of numbers, expected 8 for the shape 2×1
  hint: the file was cut; copy or download it again"),
            (&[&two[..], &[0]].concat(), "", "goes on after its numbers, expected 8 bytes of them for the shape 2×1
  hint: the header or the tail is wrong; write the file again"),
            (&npy("<f4", "(1152921504606846976, 1)", &[]), "", "has a damaged header (its numbers are too large for any file)
  hint: the file was cut or written wrongly; write it again"),
            (&npy("<f4", "(576460752303423488,)", &[]), "", "has 0 bytes of numbers, expected 2305843009213693952 for the shape \
576460752303423488
  hint: the file was cut; copy or download it again"),
            (&npy("<f8", "(1152921504606846976,)", &[]), "", "has a damaged header (its numbers are too large for any file)
  hint: the file was cut or written wrongly; write it again"),
            (&npy("<f4", "(0, 5)", &[]), "", "has the shape 0×5, expected at least one row, and no side of 0
  hint: write the file again"),
            (&npy("<f4", "()", &[0; 4]), "", "has the shape (), expected at least one row, and no side of 0
  hint: write the file again"),
            (&npy("<c8", "(1, 1)", &[0; 8]), "", "holds numbers of numpy's type <c8, expected floats of 16 to 64 bits, integers or \
truth values
  hint: write it as float32, with numpy: a.astype(\"float32\")"),
            (&header("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }", &[0; 16]), "",
"is stored column by column (Fortran order), expected row by row
  hint: write it with numpy.save(path, numpy.ascontiguousarray(a))"),
            (&header(&"(".repeat(9000), &[]), "", "holds records, expected floats of 16 to 64 bits, integers or truth values
  hint: write it as float32, with numpy: a.astype(\"float32\")"),
            (&npy("<f4", "(2, 2)", &floats(&[1.0, 2.0, f32::NEG_INFINITY, 4.0])), "",
"row 1, counted from 0, holds -inf at place 0, expected numbers that 32-bit floats can hold
  hint: leave such rows out, or put numbers in their place, before the file is written"),
            (&npz(&[("x", two.clone())], CompressionMethod::Stored), "y", "array `y` is not in the file, which has `x`
  hint: name one of these"),
            (&safetensors("F32", "[2,2]", &[0; 12]), "x", "has a damaged header (invalid shape, data type, or offset for tensor)
  hint: the file was cut or written wrongly; write it again"),
            (&safetensors("F8_E5M2", "[2]", &[0; 2]), "x", "array `x` holds F8_E5M2, expected floats of 16 to 64 bits, integers or \
truth values
  hint: write it as float32, with numpy: a.astype(\"float32\")"),
        ];
        for (bytes, key, expected) in cases {
            assert_eq!(message(bytes, key), expected);
        }
    }

    #[test]
    fn a_changed_byte_in_an_archive_is_found() {
        for method in METHODS {
            let array = npy("|u1", "(2, 3)", &[1, 2, 3, 4, 5, 6]);
            let mut bytes = npz(&[("x", array)], method);
            // The last byte of the numbers, before the table of contents.
            let at = bytes
                .windows(4)
                .position(|start| start == b"PK\x01\x02")
                .unwrap();
            bytes[at - 1] ^= 1;
            assert!(read(&bytes, "x").is_err(), "{method}");
        }
    }

    #[test]
    fn a_bomb_in_an_archive_is_left_alone_past_the_promise() {
        let array = npy("|u1", "(2, 3)", &vec![0; 100_000_000]);
        let bomb = npz(&[("x", array)], CompressionMethod::Deflated);
        assert!(bomb.len() < 200_000);
        assert_eq!(
            message(&bomb, "x"),
            "array `x` goes on after its numbers, expected 6 bytes of them for the shape 2×3\n  hint: the header or the \
             tail is wrong; write the file again"
        );
    }

    #[test]
    fn a_large_array_stays_in_its_file_and_reads_the_same() {
        use super::super::RowSource;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.npy");
        let row = STORED_FROM as usize / 4;
        // All zeros but for one number: a file with a hole.
        let start = npy("<f4", &format!("(2, {row})"), &[]);
        std::fs::write(&path, &start).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        let length = (start.len() + 8 * row) as u64;
        file.set_len(length).unwrap();
        let mut file = File::options().write(true).open(&path).unwrap();
        file.seek(SeekFrom::Start(length - 4)).unwrap();
        file.write_all(&1.5_f32.to_le_bytes()).unwrap();
        let array = ArrayFile::open(File::open(&path).unwrap(), &path).unwrap();
        let read = array.read(&[("", Holds::Inputs)]).unwrap();
        let Numbers::Stored(rows) = &read.arrays[0].numbers else {
            panic!("it is large");
        };
        let mut last = vec![1.0; row];
        rows.read(&[1], &mut last);
        assert_eq!((last[0], last[row - 1]), (0.0, 1.5));
        file.seek(SeekFrom::Start(length - 4)).unwrap();
        file.write_all(&f32::NAN.to_le_bytes()).unwrap();
        let error = array.read(&[("", Holds::Inputs)]).unwrap_err();
        let expected = format!("row 1, counted from 0, holds NaN at place {}, ", row - 1);
        assert!(error.to_string().starts_with(&expected), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

        #[test]
        fn what_was_written_is_read(
            numbers in prop::collection::vec(-1e30..1e30_f32, 1..40),
            big: bool,
            packed: bool,
        ) {
            let bytes: Vec<u8> = numbers
                .iter()
                .flat_map(|number| if big { number.to_be_bytes() } else { number.to_le_bytes() })
                .collect();
            let shape = format!("({}, 1)", numbers.len());
            let array = npy(if big { ">f4" } else { "<f4" }, &shape, &bytes);
            let method = METHODS[usize::from(packed)];
            let expected = Numbers::Floats(numbers);
            prop_assert_eq!(&read(&npz(&[("x", array.clone())], method), "x").unwrap().numbers, &expected);
            prop_assert_eq!(&read(&array, "").unwrap().numbers, &expected);
        }

        #[test]
        fn every_part_of_a_file_is_refused(numbers in prop::collection::vec(any::<u8>(), 1..20), packed: bool) {
            let array = npy("|u1", &format!("({},)", numbers.len()), &numbers);
            let archive = npz(&[("x", array.clone())], METHODS[usize::from(packed)]);
            let tensors = safetensors("U8", &format!("[{}]", numbers.len()), &numbers);
            for (bytes, key) in [(&array, ""), (&archive, "x"), (&tensors, "x")] {
                for end in 0..bytes.len() {
                    prop_assert!(read(&bytes[..end], key).is_err(), "the first {} bytes of {:?}", end, bytes);
                }
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(
            start in prop::sample::select(vec![
                NPY.to_vec(), ZIP.to_vec(), b"\x93NUMPY\x01\x00\x40\x00{'descr': '<f4', 'shape': ".to_vec(),
                b"\x40\0\0\0\0\0\0\0{".to_vec(),
            ]),
            tail in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            if let Ok(file) = ArrayFile::of_bytes([start, tail].concat()) {
                for key in file.keys() {
                    let _ = file.read(&[(key, Holds::Inputs)]);
                }
            }
        }

        #[test]
        fn a_flipped_bit_never_panics(numbers in prop::collection::vec(any::<u8>(), 4..20), bit in 0..8_u8, packed: bool) {
            let array = npy("|u1", &format!("({},)", numbers.len()), &numbers);
            let archive = npz(&[("x", array.clone())], METHODS[usize::from(packed)]);
            let tensors = safetensors("U8", &format!("[{}]", numbers.len()), &numbers);
            for mut bytes in [array, archive, tensors] {
                for at in 0..bytes.len() {
                    bytes[at] ^= 1 << bit;
                    if let Ok(file) = ArrayFile::of_bytes(bytes.clone()) {
                        for key in file.keys() {
                            let _ = file.read(&[(key, Holds::Inputs)]);
                        }
                    }
                    bytes[at] ^= 1 << bit;
                }
            }
        }
    }
}
