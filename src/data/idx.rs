//! The IDX format: a stream of bytes in, an array of numbers out.
//!
//! This file owns the format and knows nothing of paths, of what the numbers mean or of how many are wanted.
//! The format is that of the MNIST page: `00 00`, the type of a number (`08`: unsigned
//! byte), how many dimensions, each dimension as a big-endian u32, then the numbers, big-endian, last dimension fastest.
//! The stream may be gzip (RFC 1952, of one member or of several, whose bytes are one stream), which its first two
//! bytes tell.
//!
//! A header is a claim, not a fact: memory follows the bytes that arrive, and no more than one byte past the claim is
//! unpacked.

use std::fmt;
use std::io::{self, BufRead, Chain, Cursor, Read};

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::array::{Array, ByteOrder, CHUNK, Element, Format, Holds, Intake, NotFinite, Refusal};
use crate::weights::hexadecimal;
use crate::words::counted;

const GZIP: [u8; 2] = [0x1f, 0x8b];
/// QMNIST tells eight numbers of each image; the first is its class.
const QMNIST_COLUMNS: usize = 8;

/// An IDX stream whose header has been read and whose numbers have not.
pub struct Reader<R: BufRead> {
    stream: Hashed<R>,
    format: Format,
    shape: Vec<usize>,
}

/// What was in a stream.
#[derive(Debug, PartialEq)]
pub struct Items {
    /// The first items, as many as were to be kept.
    pub kept: Array,
    /// SHA-256 of the whole uncompressed stream, in lower-case hexadecimal.
    pub sha256: String,
    /// Length of the whole uncompressed stream.
    pub bytes: u64,
}

impl Holds {
    /// The type of a number, if such a file may begin so.
    fn element(self, magic: [u8; 4]) -> Option<Element> {
        let [0, 0, element, rank] = magic else {
            return None;
        };
        let element = match element {
            0x08 => Element::U8,
            0x09 => Element::I8,
            0x0b => Element::I16,
            0x0c => Element::I32,
            0x0d => Element::F32,
            0x0e => Element::F64,
            _ => return None,
        };
        let allowed = match self {
            Self::Inputs => (2..=4).contains(&rank),
            Self::Labels => rank == 1 || (rank == 2 && element == Element::I32),
        };
        allowed.then_some(element)
    }

    /// What MNIST's files begin with.
    fn magic(self) -> [u8; 4] {
        match self {
            Self::Inputs => [0, 0, 8, 3],
            Self::Labels => [0, 0, 8, 1],
        }
    }
}

fn header_length(rank: u8) -> usize {
    4 + 4 * usize::from(rank)
}

impl<R: BufRead> Reader<R> {
    /// Reads the header and holds it against what the file is to hold.
    ///
    /// # Errors
    ///
    /// Any [`IdxError`] that shows before the first number does.
    pub fn new(reader: R, holds: Holds) -> Result<Self, IdxError> {
        let mut stream = Hashed::new(reader)?;
        let mut header = Vec::with_capacity(header_length(4));
        let usual = holds.magic();
        stream.read_up_to(4, &mut header)?;
        let length = match <[u8; 4]>::try_from(header.as_slice()) {
            Ok(found) => header_length(found[3]),
            Err(_) => header_length(usual[3]),
        };
        if header.is_empty() {
            return Err(IdxError::Empty { header: length });
        }
        let mut element = None;
        if let Ok(found) = <[u8; 4]>::try_from(header.as_slice()) {
            element = holds.element(found);
            if element.is_none() {
                return Err(IdxError::Magic {
                    found: Magic(found),
                    expected: Magic(usual),
                });
            }
            stream.read_up_to(length as u64 - 4, &mut header)?;
        }
        let Some(element) = element.filter(|_| header.len() == length) else {
            return Err(IdxError::ShortHeader {
                found: header.len(),
                header: length,
            });
        };
        let dimensions = header[4..].as_chunks::<4>().0.iter();
        let shape: Vec<usize> = dimensions
            .map(|bytes| u32::from_be_bytes(*bytes) as usize)
            .collect();
        let promised = || Promise(shape.clone());
        if shape.contains(&0) {
            return Err(IdxError::Nothing {
                promised: promised(),
            });
        }
        if let (Holds::Labels, [_, columns]) = (holds, &shape[..])
            && ![1, QMNIST_COLUMNS].contains(columns)
        {
            return Err(IdxError::LabelColumns { columns: *columns });
        }
        let size = shape
            .iter()
            .try_fold(element.size(), |product, &dimension| {
                product.checked_mul(dimension)
            });
        let size = size.and_then(|size| isize::try_from(size).ok()?.checked_add_unsigned(length));
        if size.is_none() {
            return Err(IdxError::Overflow {
                promised: promised(),
            });
        }
        Ok(Self {
            stream,
            format: Format {
                element,
                order: ByteOrder::Big,
            },
            shape,
        })
    }

    /// What the header promises: no dimension is 0, and the product fits into memory's addresses.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// How the file stores its numbers.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Reads, checks and hashes the numbers to the very end, and keeps those of the first `keep` items (all,
    /// if there are fewer).
    ///
    /// # Errors
    ///
    /// [`IdxError`] if there are fewer or more numbers than promised, if one is NaN or infinite, or if the stream is
    /// damaged.
    pub fn read(mut self, keep: usize) -> Result<Items, IdxError> {
        let promised = || Promise(self.shape.clone());
        let row: usize = self.shape[1..].iter().product();
        let keep = keep.min(self.shape[0]);
        let size = self.shape[0] * row * self.format.element.size();
        let expected = (header_length(self.shape.len() as u8) + size) as u64;

        let mut intake = Intake::new(self.format, row, keep * row);
        let mut chunk = Vec::new();
        while self.stream.bytes < expected {
            chunk.clear();
            let next = (expected - self.stream.bytes).min(CHUNK as u64);
            self.stream.read_up_to(next, &mut chunk)?;
            intake.take(&chunk).map_err(|refusal| match refusal {
                Refusal::NotFinite(error) => IdxError::NotFinite(error),
                Refusal::NoMemory => IdxError::Overflow {
                    promised: promised(),
                },
            })?;
            if chunk.len() < next as usize {
                return Err(IdxError::Short {
                    found: self.stream.bytes,
                    expected,
                    promised: promised(),
                });
            }
        }
        let sha256 = self.stream.sha256.clone().finalize();
        if self.stream.skip(1)? > 0 {
            return Err(IdxError::Long {
                expected,
                promised: promised(),
            });
        }
        let mut shape = self.shape;
        shape[0] = keep;
        Ok(Items {
            kept: Array {
                shape,
                numbers: intake.finish(),
            },
            sha256: hexadecimal(&sha256),
            bytes: expected,
        })
    }
}

/// The uncompressed bytes, counted and hashed as they pass.
struct Hashed<R: BufRead> {
    source: Source<R>,
    sha256: Sha256,
    bytes: u64,
}

impl<R: BufRead> Hashed<R> {
    fn new(mut reader: R) -> Result<Self, IdxError> {
        let mut first = Vec::with_capacity(2);
        reader
            .by_ref()
            .take(2)
            .read_to_end(&mut first)
            .map_err(IdxError::Unreadable)?;
        let is_gzip = first == GZIP;
        let whole = Cursor::new(first).chain(reader);
        let source = if is_gzip {
            Source::Gzip(Box::new(MultiGzDecoder::new(whole)))
        } else {
            Source::Plain(whole)
        };
        Ok(Self {
            source,
            sha256: Sha256::new(),
            bytes: 0,
        })
    }

    /// Appends `limit` bytes, or those that there are.
    fn read_up_to(&mut self, limit: u64, into: &mut Vec<u8>) -> Result<(), IdxError> {
        match self.take(limit).read_to_end(into) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.explain(error)),
        }
    }

    /// Passes over `limit` bytes, or those that there are; returns how many there were.
    fn skip(&mut self, limit: u64) -> Result<u64, IdxError> {
        io::copy(&mut self.take(limit), &mut io::sink()).map_err(|error| self.explain(error))
    }

    /// The decoder reports damage as I/O errors that no operating system made.
    fn explain(&self, error: io::Error) -> IdxError {
        let is_damage = matches!(self.source, Source::Gzip(_)) && error.raw_os_error().is_none();
        match error.kind() {
            io::ErrorKind::UnexpectedEof if is_damage => IdxError::GzipShort {
                unpacked: self.bytes,
            },
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData if is_damage => {
                IdxError::GzipDamaged {
                    unpacked: self.bytes,
                    error,
                }
            }
            _ => IdxError::Unreadable(error),
        }
    }

    fn take(&mut self, limit: u64) -> io::Take<&mut Self> {
        Read::take(self, limit)
    }
}

impl<R: BufRead> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.source {
            Source::Plain(reader) => reader.read(buffer),
            Source::Gzip(decoder) => decoder.read(buffer),
        }?;
        self.sha256.update(&buffer[..count]);
        self.bytes += count as u64;
        Ok(count)
    }
}

/// A stream whose first two bytes were looked at and put back.
type Whole<R> = Chain<Cursor<Vec<u8>>, R>;

enum Source<R: BufRead> {
    Plain(Whole<R>),
    Gzip(Box<MultiGzDecoder<Whole<R>>>),
}

/// What else helps against a damaged gzip stream: nothing if not even its beginning is one.
fn or_gunzip(unpacked: u64) -> &'static str {
    if unpacked == 0 {
        ""
    } else {
        ", or unpack it with gunzip, which ignores what follows the end"
    }
}

/// What is wrong with a stream: what was found, what was expected, and the cure.
#[derive(Debug, Error)]
pub enum IdxError {
    /// No bytes at all.
    #[error(
        "is empty, expected an IDX header of {header} bytes\n  hint: copy or download the file again"
    )]
    Empty {
        /// The length of the header, in bytes.
        header: usize,
    },
    /// The stream ends within its header.
    #[error(
        "ends after {}, expected an IDX header of {header}\n  hint: copy or download the file again",
        counted(found, "byte")
    )]
    ShortHeader {
        /// The length of the stream, in bytes.
        found: usize,
        /// The length of the header, in bytes.
        header: usize,
    },
    /// The first four bytes are not those of the type and the number of dimensions that are read.
    #[error(
        "begins with {found}, expected {expected} (unsigned bytes, dimensions: {})\n  hint: {}",
        expected.0[3], found.hint()
    )]
    Magic {
        /// What the stream begins with.
        found: Magic,
        /// What it should begin with.
        expected: Magic,
    },
    /// Labels are a matrix of other columns than QMNIST's.
    #[error(
        "holds {columns} numbers for each label, expected one, or QMNIST's {QMNIST_COLUMNS}\n  hint: write one class for \
         each row"
    )]
    LabelColumns {
        /// How many columns it has.
        columns: usize,
    },
    /// A number is NaN or infinite.
    #[error(transparent)]
    NotFinite(NotFinite),
    /// A dimension is 0.
    #[error(
        "promises {promised}, expected at least one, and no side of 0\n  hint: the file was written wrongly; \
         write it again"
    )]
    Nothing {
        /// The dimensions in the header.
        promised: Promise,
    },
    /// Memory cannot hold what the header promises.
    #[error(
        "promises {promised}, expected a size that memory can hold\n  hint: the header is damaged; copy or \
         download the file again"
    )]
    Overflow {
        /// The dimensions in the header.
        promised: Promise,
    },
    /// There are fewer numbers than the header promises.
    #[error(
        "ends after {}, expected {expected} for {promised} and the header\n  hint: copy or download \
         the file again",
        counted(found, "byte")
    )]
    Short {
        /// The length of the uncompressed stream, in bytes.
        found: u64,
        /// The length that the header promises, in bytes, the header included.
        expected: u64,
        /// The dimensions in the header.
        promised: Promise,
    },
    /// There are more numbers than the header promises.
    #[error(
        "goes on after {expected} bytes, expected its end there, after {promised} and the header\n  hint: the \
         header or the tail is wrong; copy or download the file again"
    )]
    Long {
        /// The length that the header promises, in bytes, the header included.
        expected: u64,
        /// The dimensions in the header.
        promised: Promise,
    },
    /// The gzip stream ends before its end mark.
    #[error(
        "its gzip stream breaks off after {unpacked} unpacked bytes, expected the stream's end mark\n  hint: \
         copy or download the file again"
    )]
    GzipShort {
        /// How many bytes were unpacked before.
        unpacked: u64,
    },
    /// The gzip stream cannot be unpacked.
    #[error(
        "its gzip stream is damaged after {unpacked} unpacked bytes ({error})\n  hint: copy or download the file again{}",
        or_gunzip(*unpacked)
    )]
    GzipDamaged {
        /// How many bytes were unpacked before.
        unpacked: u64,
        /// What the decoder said.
        error: io::Error,
    },
    /// Reading failed; holds what the operating system said.
    #[error("cannot be read: {0}\n  hint: check the file's permissions and the disk")]
    Unreadable(io::Error),
}

/// A stream's first four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Magic(pub [u8; 4]);

impl Magic {
    /// Which mistake it looks like.
    fn hint(self) -> &'static str {
        match self.0 {
            [0, 0, 8, 1] => "these are labels; have two files changed names?",
            [0, 0, 8, 3] => "these are pictures; have two files changed names?",
            [0, 0, 8 | 9 | 0x0b..=0x0e, _] => {
                "pictures need count × height × width (× 3 in colour), rows need count × features; labels need count"
            }
            _ => "this is no IDX file; data/mnist/README.md says which files are needed",
        }
    }
}

impl fmt::Display for Magic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second, kind, rank] = self.0;
        write!(f, "{first:02x} {second:02x} {kind:02x} {rank:02x}")
    }
}

/// The dimensions in a header, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise(pub Vec<usize>);

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [count] => f.write_str(&counted(count, "label")),
            [count, length] => {
                write!(
                    f,
                    "{} of {}",
                    counted(count, "row"),
                    counted(length, "number")
                )
            }
            [count, sides @ ..] => {
                let sides: Vec<String> = sides.iter().map(usize::to_string).collect();
                write!(f, "{} of {}", counted(count, "image"), sides.join("×"))
            }
            [] => f.write_str("nothing"),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::{BufReader, Write};

    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;

    use super::super::array::Numbers;
    use super::*;

    /// The bytes of an IDX file.
    pub fn encode(shape: &[u32], items: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, shape.len() as u8];
        bytes.extend(shape.iter().flat_map(|dimension| dimension.to_be_bytes()));
        bytes.extend(items);
        bytes
    }

    pub fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: &[u8], keep: usize) -> Result<Items, IdxError> {
        Reader::new(bytes, Holds::Inputs)?.read(keep)
    }

    fn bytes_of(items: &Items) -> &[u8] {
        match &items.kept.numbers {
            Numbers::Bytes(bytes) => bytes,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_file_of_two_pictures_is_read_byte_for_byte() {
        #[rustfmt::skip]
        let bytes = [
            0, 0, 8, 3,
            0, 0, 0, 2,  0, 0, 0, 1,  0, 0, 0, 3, // two pictures of one row of three pixels
            7, 8, 9,
            250, 0, 255,
        ];
        let items = read(&bytes, 2).unwrap();
        assert_eq!((bytes_of(&items), items.bytes), (&bytes[16..], 22));
        assert_eq!(items.kept.shape, [2, 1, 3]);
        let first = read(&bytes, 1).unwrap();
        assert_eq!(bytes_of(&first), [7, 8, 9]);
        assert_eq!(
            first.sha256, items.sha256,
            "the hash is that of the whole file"
        );
    }

    #[test]
    fn numbers_of_every_type_are_read() {
        for (element, bytes, expected) in [
            (0x09, vec![0xff, 2], [-1.0, 2.0]),
            (0x0b, vec![0xff, 0xfe, 1, 0], [-2.0, 256.0]),
            (0x0c, vec![0, 0, 0, 3, 0xff, 0xff, 0xff, 0xff], [3.0, -1.0]),
            (
                0x0d,
                [0.5_f32, -2.0].map(f32::to_be_bytes).concat(),
                [0.5, -2.0],
            ),
            (
                0x0e,
                [0.5_f64, -2.0].map(f64::to_be_bytes).concat(),
                [0.5, -2.0],
            ),
        ] {
            let header = [0, 0, element, 2, 0, 0, 0, 1, 0, 0, 0, 2];
            let items = read(&[&header[..], &bytes].concat(), 1).unwrap();
            assert_eq!(items.kept.numbers, Numbers::Floats(expected.to_vec()));
        }
    }

    #[test]
    fn a_number_that_is_none_is_told_by_its_row() {
        let header = [0, 0, 0x0d, 2, 0, 0, 0, 2, 0, 0, 0, 2];
        let numbers = [1.0, 2.0, 3.0, f32::NAN].map(f32::to_be_bytes).concat();
        let error = read(&[&header[..], &numbers].concat(), 0).unwrap_err();
        assert_eq!(
            error.to_string(),
            "row 1, counted from 0, holds NaN at place 1, expected numbers that 32-bit floats can hold\n  hint: leave \
             such rows out, or put numbers in their place, before the file is written"
        );
    }

    #[test]
    fn a_file_of_labels_is_read_and_hashed_as_sha256sum_does() {
        let bytes = [0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4];
        let labels = Reader::new(&bytes[..], Holds::Labels).unwrap();
        let items = labels.read(usize::MAX).unwrap();
        assert_eq!(bytes_of(&items), [5, 0, 4]);
        // printf '\0\0\x08\x01\0\0\0\x03\x05\0\x04' | sha256sum
        assert_eq!(
            items.sha256,
            "d229e0bc81fa2cb9dfab445bf40dd0a1b6516dd17c6b48c15a016dfd84e4c526"
        );
    }

    #[test]
    fn of_matrices_only_those_of_qmnist_are_labels() {
        let matrix = |columns| [0, 0, 0x0c, 2, 0, 0, 0, 5, 0, 0, 0, columns];
        let labels = |bytes: &[u8]| Reader::new(bytes, Holds::Labels).map(|reader| reader.shape);
        assert_eq!(labels(&matrix(8)).unwrap(), [5, 8]);
        assert_eq!(
            labels(&matrix(10)).unwrap_err().to_string(),
            "holds 10 numbers for each label, expected one, or QMNIST's 8\n  hint: write one class for each row"
        );
        assert!(matches!(
            labels(&[0, 0, 8, 2, 0, 0, 0, 5, 0, 0, 0, 8]),
            Err(IdxError::Magic { .. })
        ));
    }

    #[test]
    fn gzip_of_several_members_is_one_stream() {
        let plain = encode(&[2, 1, 3], &[7, 8, 9, 250, 0, 255]);
        let whole = read(&plain, 2).unwrap();
        // Cut in the header, at its end, between pictures and inside one; and with members that hold nothing.
        for cuts in [vec![2], vec![16], vec![19], vec![0, 5, 5, 21, 22]] {
            let ends = cuts.iter().copied().chain([plain.len()]);
            let parts = ends.scan(0, |from, to| {
                Some(gzip(&plain[std::mem::replace(from, to)..to]))
            });
            let items = read(&parts.collect::<Vec<_>>().concat(), 2).unwrap();
            assert_eq!(items, whole, "{cuts:?}");
        }
        let surplus = [gzip(&plain), gzip(&[1])].concat();
        assert!(matches!(
            read(&surplus, 2),
            Err(IdxError::Long { expected: 22, .. })
        ));
    }

    #[test]
    fn a_header_that_promises_exabytes_allocates_nothing_for_them() {
        let bytes = encode(&[u32::MAX, 1 << 20, 1 << 10], &[1, 2, 3]);
        let result = read(&bytes, usize::MAX);
        assert!(matches!(result, Err(IdxError::Short { found: 19, .. })));
    }

    #[test]
    fn a_gzip_bomb_is_left_alone_past_the_promise() {
        let bomb = gzip(&encode(&[1, 2, 2], &vec![0; 50_000_000]));
        let mut counted = Counted {
            bytes: &bomb,
            taken: 0,
        };
        let buffered = BufReader::with_capacity(64, &mut counted);
        let reader = Reader::new(buffered, Holds::Inputs).unwrap();
        assert!(matches!(
            reader.read(1),
            Err(IdxError::Long { expected: 20, .. })
        ));
        assert!(
            counted.taken < 1000,
            "{} of {} bytes",
            counted.taken,
            bomb.len()
        );
    }

    struct Counted<'a> {
        bytes: &'a [u8],
        taken: usize,
    }

    impl Read for Counted<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.bytes.read(buffer)?;
            self.taken += count;
            Ok(count)
        }
    }

    /// A shape with small sides and as many bytes as it needs.
    fn pictures() -> impl Strategy<Value = (Vec<u32>, Vec<u8>)> {
        prop::collection::vec(1..5_u32, 2..5).prop_flat_map(|shape| {
            let size = shape.iter().product::<u32>() as usize;
            (Just(shape), prop::collection::vec(any::<u8>(), size))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

        #[test]
        fn what_was_written_is_read((shape, items) in pictures(), keep in 0..7_usize, packed: bool) {
            let plain = encode(&shape, &items);
            let bytes = if packed { gzip(&plain) } else { plain.clone() };
            let read = read(&bytes, keep).unwrap();
            let mut expected: Vec<usize> = shape.iter().map(|&dimension| dimension as usize).collect();
            expected[0] = keep.min(expected[0]);
            let kept = expected.iter().product::<usize>();
            prop_assert_eq!(&read.kept.shape, &expected);
            prop_assert_eq!(bytes_of(&read), &items[..kept]);
            prop_assert_eq!(read.bytes, plain.len() as u64);
            prop_assert_eq!(read.sha256, hexadecimal(&Sha256::digest(&plain)));
        }

        #[test]
        fn every_part_of_a_file_is_refused((shape, items) in pictures(), packed: bool) {
            let plain = encode(&shape, &items);
            let bytes = if packed { gzip(&plain) } else { plain };
            for end in 0..bytes.len() {
                prop_assert!(read(&bytes[..end], usize::MAX).is_err(), "the first {} bytes", end);
            }
        }

        #[test]
        fn a_flipped_bit_in_gzip_is_refused_or_changes_nothing((shape, items) in pictures(), bit in 0..8_u8) {
            let mut bytes = gzip(&encode(&shape, &items));
            let sound = read(&bytes, usize::MAX).unwrap();
            for at in 2..bytes.len() {
                bytes[at] ^= 1 << bit;
                // The header's time and the bits that fill up the last byte may be anything.
                if let Ok(read) = read(&bytes, usize::MAX) {
                    prop_assert_eq!(&read, &sound, "byte {}", at);
                }
                bytes[at] ^= 1 << bit;
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused_within_their_size(
            start in prop::sample::select(vec![
                &[][..], &[0, 0, 8, 1], &[0, 0, 8, 3], &[0, 0, 0x0d, 2, 0, 0, 0], &[0, 0, 0x0c, 2, 0, 0, 0],
                &[0, 0, 8, 1, 0, 0, 0], &GZIP, &[0x1f, 0x8b, 8, 0],
            ]),
            tail in prop::collection::vec(any::<u8>(), 0..200),
            packed: bool,
        ) {
            let plain = [start, &tail].concat();
            let bytes = if packed { gzip(&plain) } else { plain.clone() };
            for holds in [Holds::Inputs, Holds::Labels] {
                let reader = Reader::new(&bytes[..], holds);
                if let Ok(items) = reader.and_then(|reader| reader.read(usize::MAX)) {
                    let memory = match items.kept.numbers {
                        Numbers::Bytes(bytes) => bytes.capacity(),
                        Numbers::Floats(floats) => floats.capacity(),
                        Numbers::Stored(_) => 0,
                    };
                    prop_assert!(memory <= 2 * plain.len() + 64);
                }
            }
        }
    }
}
