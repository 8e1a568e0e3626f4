//! What every reader of files makes: numbers with a shape, in memory or left in their file.
//!
//! This file owns how files store numbers and how they come in: bytes stay bytes, everything else becomes 32-bit
//! floats while it passes, and whatever such a float cannot hold is refused with its row. Memory follows the bytes
//! that arrive, never more than sixteen times ahead of them, whatever a header promised.

use half::{bf16, f16};
use thiserror::Error;

use super::stored::FileRows;
use crate::machine;

/// Memory for the whole promise is taken once this part of it has arrived: growing to the end by doubling would
/// hold the numbers nearly three times over.
const TRUSTED_AFTER: usize = 16;
/// How many bytes are read, hashed and looked through at a time: whole numbers of any type.
pub(super) const CHUNK: usize = 1 << 18;

/// Numbers in row-major order; the first dimension counts rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// At least one dimension, and none is 0.
    pub shape: Vec<usize>,
    /// As many as the dimensions multiply to; fewer rows where only the first were to be kept.
    pub numbers: Numbers,
}

/// What numbers are to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Rows × features, or rows × height × width (× channels).
    Inputs,
    /// One class for each row; or QMNIST's rows × 8, whose first column it is.
    Labels,
}

/// Where numbers are.
#[derive(Debug, Clone, PartialEq)]
pub enum Numbers {
    /// The bytes of a file of unsigned bytes.
    Bytes(Vec<u8>),
    /// Finite numbers of any other type.
    Floats(Vec<f32>),
    /// Left in a file that is too large to be held.
    Stored(FileRows),
}

/// The type of a number in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// Truth, one byte.
    Bool,
    /// Unsigned byte.
    U8,
    /// Signed byte.
    I8,
    /// Unsigned, 16 bits.
    U16,
    /// Signed, 16 bits.
    I16,
    /// Unsigned, 32 bits.
    U32,
    /// Signed, 32 bits.
    I32,
    /// Unsigned, 64 bits.
    U64,
    /// Signed, 64 bits.
    I64,
    /// IEEE half precision.
    F16,
    /// The upper half of a single.
    Bf16,
    /// IEEE single precision.
    F32,
    /// IEEE double precision.
    F64,
}

/// Which byte of a number comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteOrder {
    /// The lowest.
    Little,
    /// The highest.
    Big,
}

/// How a file stores its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// Their type.
    pub element: Element,
    /// The order of their bytes.
    pub order: ByteOrder,
}

/// A number that is NaN, or beyond what 32-bit floats can hold.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error(
    "row {row}, counted from 0, holds {value} at place {place}, expected numbers that 32-bit floats can hold\n  hint: \
     leave such rows out, or put numbers in their place, before the file is written"
)]
pub struct NotFinite {
    /// The row, counted from 0.
    pub row: usize,
    /// The place in the row, counted from 0.
    pub place: usize,
    /// NaN or an infinity.
    pub value: f32,
}

impl Element {
    /// Bytes of a number.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 | Self::F16 | Self::Bf16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }
}

impl Format {
    /// Unsigned bytes, which stay bytes.
    pub const BYTES: Self = Self {
        element: Element::U8,
        order: ByteOrder::Little,
    };

    /// The numbers of `bytes`, rounded to single precision; as many as there is room for.
    pub fn decode(self, bytes: &[u8], into: &mut [f32]) {
        let order = self.order;
        match self.element {
            Element::Bool => fill(bytes, into, order, |[byte]| f32::from(u8::from(byte != 0))),
            Element::U8 => fill(bytes, into, order, |[byte]| f32::from(byte)),
            Element::I8 => fill(bytes, into, order, |b| f32::from(i8::from_le_bytes(b))),
            Element::U16 => fill(bytes, into, order, |b| f32::from(u16::from_le_bytes(b))),
            Element::I16 => fill(bytes, into, order, |b| f32::from(i16::from_le_bytes(b))),
            Element::U32 => fill(bytes, into, order, |b| u32::from_le_bytes(b) as f32),
            Element::I32 => fill(bytes, into, order, |b| i32::from_le_bytes(b) as f32),
            Element::U64 => fill(bytes, into, order, |b| u64::from_le_bytes(b) as f32),
            Element::I64 => fill(bytes, into, order, |b| i64::from_le_bytes(b) as f32),
            Element::F16 => fill(bytes, into, order, |b| f16::from_le_bytes(b).to_f32()),
            Element::Bf16 => fill(bytes, into, order, |b| bf16::from_le_bytes(b).to_f32()),
            Element::F32 => fill(bytes, into, order, f32::from_le_bytes),
            Element::F64 => fill(bytes, into, order, |b| f64::from_le_bytes(b) as f32),
        }
    }
}

fn fill<const N: usize>(
    bytes: &[u8],
    into: &mut [f32],
    order: ByteOrder,
    number: impl Fn([u8; N]) -> f32,
) {
    let numbers = into.iter_mut().zip(bytes.as_chunks::<N>().0);
    match order {
        ByteOrder::Little => numbers.for_each(|(into, bytes)| *into = number(*bytes)),
        ByteOrder::Big => numbers.for_each(|(into, bytes)| {
            let mut bytes = *bytes;
            bytes.reverse();
            *into = number(bytes);
        }),
    }
}

/// What is promised beyond the memory that a process can have is refused once so many bytes of it have come: what
/// breaks off before was a lie of another kind.
const BELIEVED_AFTER: usize = 16 << 20;

/// Takes numbers in while their bytes pass: keeps the first, and looks through all.
pub(super) struct Intake {
    format: Format,
    /// Numbers of a row.
    row: usize,
    /// How many numbers are kept.
    keep: usize,
    kept: Numbers,
    /// How many numbers have passed.
    passed: usize,
    /// The first bytes of a number whose last have not come yet.
    begun: Vec<u8>,
    chunk: Vec<f32>,
    /// Whether memory could hold what is to be kept.
    fits: bool,
}

/// Why numbers are not taken in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Refusal {
    NotFinite(NotFinite),
    /// There is no memory for what was promised.
    NoMemory,
}

impl Intake {
    /// For rows of `row` numbers, of which the first `keep` numbers are kept.
    pub fn new(format: Format, row: usize, keep: usize) -> Self {
        let (kept, size) = match format.element {
            Element::U8 => (Numbers::Bytes(Vec::new()), 1),
            _ => (Numbers::Floats(Vec::new()), size_of::<f32>()),
        };
        let limit = machine::memory().map_or(u64::MAX, |memory| memory.limit);
        Self {
            fits: keep.saturating_mul(size) as u64 <= limit,
            format,
            row,
            keep,
            kept,
            passed: 0,
            begun: Vec::new(),
            chunk: Vec::new(),
        }
    }

    /// Takes the next bytes in, wherever they were cut.
    pub fn take(&mut self, mut bytes: &[u8]) -> Result<(), Refusal> {
        let size = self.format.element.size();
        if !self.begun.is_empty() {
            let missing = (size - self.begun.len()).min(bytes.len());
            self.begun.extend(&bytes[..missing]);
            bytes = &bytes[missing..];
            if self.begun.len() < size {
                return Ok(());
            }
            let number = std::mem::take(&mut self.begun);
            self.take_whole(&number)?;
        }
        let (whole, begun) = bytes.split_at(bytes.len() / size * size);
        self.begun.extend(begun);
        self.take_whole(whole)
    }

    fn take_whole(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let size = self.format.element.size();
        let count = bytes.len() / size;
        if !self.fits && self.passed * size > BELIEVED_AFTER {
            return Err(Refusal::NoMemory);
        }
        let wanted = self.keep.saturating_sub(self.passed).min(count);
        match &mut self.kept {
            Numbers::Floats(kept) => {
                self.chunk.resize(count, 0.0);
                self.format.decode(bytes, &mut self.chunk);
                if let Some(at) = self.chunk.iter().position(|number| !number.is_finite()) {
                    return Err(Refusal::NotFinite(NotFinite {
                        row: (self.passed + at) / self.row,
                        place: (self.passed + at) % self.row,
                        value: self.chunk[at],
                    }));
                }
                make_room(kept, wanted, self.keep)?;
                kept.extend(&self.chunk[..wanted]);
            }
            Numbers::Bytes(kept) => {
                make_room(kept, wanted, self.keep)?;
                kept.extend(&bytes[..wanted]);
            }
            Numbers::Stored(_) => {}
        }
        self.passed += count;
        Ok(())
    }

    /// What was kept.
    pub fn finish(self) -> Numbers {
        self.kept
    }
}

/// Makes room for `more`, and for all of `promised` once a part of it is there.
fn make_room<T>(kept: &mut Vec<T>, more: usize, promised: usize) -> Result<(), Refusal> {
    let (length, room) = (kept.len(), kept.capacity());
    if length + more <= room {
        return Ok(());
    }
    let enough = if (length + more).saturating_mul(TRUSTED_AFTER) >= promised {
        kept.try_reserve_exact(promised - length)
    } else {
        kept.try_reserve(more)
    };
    enough.map_err(|_| Refusal::NoMemory)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded<const N: usize>(element: Element, order: ByteOrder, bytes: [u8; N]) -> f32 {
        let mut number = [0.0];
        Format { element, order }.decode(&bytes, &mut number);
        number[0]
    }

    #[test]
    fn numbers_of_every_type_in_both_orders() {
        use ByteOrder::{Big, Little};
        use Element::{Bf16, Bool, F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64};
        let little = vec![
            decoded(Bool, Little, [2]),
            decoded(U8, Little, [200]),
            decoded(I8, Little, [200]),
            decoded(U16, Little, [1, 2]),
            decoded(I16, Little, [0xfe, 0xff]),
            decoded(U32, Little, [0, 0, 1, 0]),
            decoded(I32, Little, [0xff; 4]),
            decoded(U64, Little, [0, 0, 0, 0, 0, 1, 0, 0]),
            decoded(I64, Little, [0xff; 8]),
            decoded(F16, Little, [0x00, 0xc5]),
            decoded(Bf16, Little, [0xa0, 0xc0]),
            decoded(F32, Little, 1.5_f32.to_le_bytes()),
            decoded(F64, Little, 0.1_f64.to_le_bytes()),
        ];
        let expected = [
            1.0,
            200.0,
            -56.0,
            513.0,
            -2.0,
            65_536.0,
            -1.0,
            1_099_511_627_776.0,
            -1.0,
            -5.0,
            -5.0,
            1.5,
            0.1,
        ];
        assert_eq!(little, expected);
        assert_eq!(
            vec![
                decoded(U16, Big, [1, 2]),
                decoded(I32, Big, [0, 0, 1, 0]),
                decoded(F32, Big, 1.5_f32.to_be_bytes()),
                decoded(F64, Big, 0.1_f64.to_be_bytes()),
            ],
            vec![258.0, 256.0, 1.5, 0.1]
        );
    }

    fn refused(intake: &mut Intake, bytes: &[u8]) -> NotFinite {
        match intake.take(bytes) {
            Err(Refusal::NotFinite(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_no_float_holds_is_refused_with_its_row_and_place() {
        let doubles = |numbers: &[f64]| -> Vec<u8> {
            numbers
                .iter()
                .flat_map(|number| number.to_le_bytes())
                .collect()
        };
        let format = Format {
            element: Element::F64,
            order: ByteOrder::Little,
        };
        let mut intake = Intake::new(format, 3, 2);
        intake.take(&doubles(&[1.0, 2.0, 3.0, 4.0])).unwrap();
        let error = refused(&mut intake, &doubles(&[5.0, 6.0, 7.0, 1e300]));
        assert_eq!((error.row, error.place, error.value), (2, 1, f32::INFINITY));
        assert_eq!(
            error.to_string(),
            "row 2, counted from 0, holds inf at place 1, expected numbers that 32-bit floats can hold\n  hint: leave \
             such rows out, or put numbers in their place, before the file is written"
        );
        let error = refused(&mut intake, &doubles(&[5.0, f64::NAN]));
        assert!(error.value.is_nan());
    }

    #[test]
    fn memory_follows_what_arrives() {
        let mut intake = Intake::new(Format::BYTES, 1, 1 << 50);
        intake.take(&[7; 1000]).unwrap();
        intake.take(&[7; 1000]).unwrap();
        let Numbers::Bytes(kept) = intake.finish() else {
            panic!("bytes stay bytes")
        };
        assert_eq!(kept.len(), 2000);
        assert!(kept.capacity() <= 4000);
    }

    #[test]
    fn what_no_machine_could_hold_is_refused_early() {
        let mut intake = Intake::new(Format::BYTES, 1, 1 << 60);
        let chunk = vec![0; 1 << 20];
        let taken = (0..100).take_while(|_| intake.take(&chunk).is_ok()).count();
        assert_eq!(taken, if machine::memory().is_some() { 17 } else { 100 });
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

        #[test]
        fn numbers_come_in_alike_however_they_are_cut(
            numbers in prop::collection::vec(-1e30..1e30_f32, 1..60),
            cut in 0..240_usize,
            keep in 0..70_usize,
        ) {
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
            let format = Format { element: Element::F32, order: ByteOrder::Big };
            let mut intake = Intake::new(format, 1, keep.min(numbers.len()));
            let (first, rest) = bytes.split_at(cut.min(bytes.len()));
            intake.take(first).unwrap();
            intake.take(rest).unwrap();
            let expected = numbers[..keep.min(numbers.len())].to_vec();
            prop_assert_eq!(intake.finish(), Numbers::Floats(expected));
        }
    }
}
