//! Which entries of a matrix are not 0, one bit for each: what products may leave out.
//!
//! A ramp is off for about half of the images, and four of five pixels are black.

use std::ops::{BitOrAssign, Range, Shl};

use pulp::NullaryFnOnce;

use super::wide::ARCH;

/// How many bits stand together.
pub const BLOCK: usize = 64;

/// The bits of a matrix, to be read along its rows and along its columns.
#[derive(Debug, Clone)]
pub struct Marks {
    rows: usize,
    columns: usize,
    /// How many bits are set.
    marked: usize,
    along_rows: Vec<u64>,
    along_columns: Vec<u64>,
}

/// One way to read [`Marks`]: a word tells of [`BLOCK`] places along a line, the first in its lowest bit.
#[derive(Debug, Clone, Copy)]
pub struct Lines<'a> {
    /// Block by block, and in each line by line.
    words: &'a [u64],
    /// How many lines a block has.
    stride: usize,
    first: usize,
    count: usize,
    places: usize,
}

/// What a matrix to be marked consists of.
pub trait Markable: Copy + Default + PartialEq {
    /// As many bits as the entry has, so that as many of them are worked on at once.
    type Word: Copy + Default + From<u8> + Shl<usize, Output = Self::Word> + BitOrAssign + Into<u64>;
}

impl Markable for f32 {
    type Word = u32;
}

impl Markable for u8 {
    type Word = u8;
}

impl Marks {
    /// Of entries that lie row after row.
    pub fn of<T: Markable>(entries: &[T], columns: usize) -> Self {
        let rows = entries.len() / columns.max(1);
        let mut along_columns = vec![0; rows.div_ceil(BLOCK) * columns];
        ARCH.dispatch(MarkColumns {
            entries,
            columns,
            words: &mut along_columns,
        });
        let mut along_rows = vec![0; columns.div_ceil(BLOCK) * rows];
        let marked = ARCH.dispatch(Turn {
            lines: Lines {
                words: &along_columns,
                stride: columns,
                first: 0,
                count: columns,
                places: rows,
            },
            turned: &mut along_rows,
        });
        Self {
            rows,
            columns,
            marked,
            along_rows,
            along_columns,
        }
    }

    /// How many entries are not 0.
    pub fn marked(&self) -> usize {
        self.marked
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn columns(&self) -> usize {
        self.columns
    }

    /// A line for each row, a place for each column; or the other way round.
    pub fn lines(&self, of_columns: bool) -> Lines<'_> {
        let (words, count, places) = if of_columns {
            (&self.along_columns, self.columns, self.rows)
        } else {
            (&self.along_rows, self.rows, self.columns)
        };
        Lines {
            words,
            stride: count,
            first: 0,
            count,
            places,
        }
    }
}

impl<'a> Lines<'a> {
    /// The words of all lines for the places of one block.
    pub fn block(self, block: usize) -> &'a [u64] {
        &self.words[block * self.stride + self.first..][..self.count]
    }

    /// Some of the lines.
    pub fn some(self, lines: Range<usize>) -> Self {
        Self {
            first: self.first + lines.start,
            count: lines.len(),
            ..self
        }
    }

    pub fn count(self) -> usize {
        self.count
    }

    /// How many places a line has.
    pub fn places(self) -> usize {
        self.places
    }
}

struct MarkColumns<'a, T> {
    entries: &'a [T],
    columns: usize,
    words: &'a mut [u64],
}

impl<T: Markable> NullaryFnOnce for MarkColumns<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let zero = T::default();
        let none = T::Word::default();
        let bits = 8 * size_of::<T::Word>();
        let mut narrow = vec![none; self.columns];
        let blocks = self.entries.chunks(BLOCK * self.columns.max(1));
        for (rows, words) in blocks.zip(self.words.chunks_exact_mut(self.columns.max(1))) {
            for (group, rows) in rows.chunks(bits * self.columns).enumerate() {
                narrow.fill(none);
                for (at, row) in rows.chunks_exact(self.columns).enumerate() {
                    let bit = T::Word::from(1) << at;
                    for (word, value) in narrow.iter_mut().zip(row) {
                        *word |= if *value == zero { none } else { bit };
                    }
                }
                for (word, &narrow) in words.iter_mut().zip(&narrow) {
                    *word |= narrow.into() << (group * bits);
                }
            }
        }
    }
}

/// The same bits along the other way; how many are set.
struct Turn<'a> {
    lines: Lines<'a>,
    turned: &'a mut [u64],
}

impl NullaryFnOnce for Turn<'_> {
    type Output = usize;

    #[inline(always)]
    fn call(self) -> usize {
        let mut set = 0_usize;
        let blocks = self.turned.chunks_exact_mut(self.lines.places.max(1));
        for (of_lines, turned) in blocks.enumerate() {
            for (of_places, turned) in turned.chunks_mut(BLOCK).enumerate() {
                let words = &self.lines.block(of_places)[of_lines * BLOCK..];
                let words = &words[..words.len().min(BLOCK)];
                set += words
                    .iter()
                    .map(|word| word.count_ones() as usize)
                    .sum::<usize>();
                let mut square = [0; BLOCK];
                square[..words.len()].copy_from_slice(words);
                swap_quarters::<32>(&mut square, 0x0000_0000_FFFF_FFFF);
                swap_quarters::<16>(&mut square, 0x0000_FFFF_0000_FFFF);
                swap_quarters::<8>(&mut square, 0x00FF_00FF_00FF_00FF);
                swap_quarters::<4>(&mut square, 0x0F0F_0F0F_0F0F_0F0F);
                swap_quarters::<2>(&mut square, 0x3333_3333_3333_3333);
                swap_quarters::<1>(&mut square, 0x5555_5555_5555_5555);
                turned.copy_from_slice(&square[..turned.len()]);
            }
        }
        set
    }
}

/// One step of turning a square of bits: in each of its squares of 2·SIZE, whose left halves `left` marks, the upper right
/// quarter changes places with the lower left (Warren, *Hacker's Delight*, section 7-3).
#[inline(always)]
fn swap_quarters<const SIZE: usize>(square: &mut [u64; BLOCK], left: u64) {
    for rows in square.chunks_exact_mut(2 * SIZE) {
        let (upper, lower) = rows.split_at_mut(SIZE);
        for (upper, lower) in upper.iter_mut().zip(lower) {
            let changed = ((*upper >> SIZE) ^ *lower) & left;
            *upper ^= changed << SIZE;
            *lower ^= changed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_tell_what_is_not_zero_along_rows_and_columns() {
        for (rows, columns) in [(1, 1), (3, 70), (64, 64), (65, 10), (100, 100), (130, 784)] {
            let is_on = |row: usize, column: usize| (row * 31 + column * column) % 7 < 2;
            let places = (0..rows * columns).map(|at| is_on(at / columns, at % columns));
            let bytes: Vec<u8> = places.clone().map(|on| if on { 200 } else { 0 }).collect();
            let floats: Vec<f32> = places.map(|on| if on { -0.5 } else { -0.0 }).collect();
            for marks in [Marks::of(&bytes, columns), Marks::of(&floats, columns)] {
                let (along_rows, along_columns) = (marks.lines(false), marks.lines(true));
                assert_eq!((along_rows.count(), along_columns.count()), (rows, columns));
                for row in 0..rows {
                    for column in 0..columns {
                        let bits = [
                            along_rows.block(column / BLOCK)[row] >> (column % BLOCK),
                            along_columns.block(row / BLOCK)[column] >> (row % BLOCK),
                        ];
                        let expected = u64::from(is_on(row, column));
                        assert_eq!(bits.map(|bit| bit & 1), [expected; 2], "{row} {column}");
                    }
                }
                // Nothing is marked behind the last place.
                let ones = |lines: Lines, places: usize| -> u32 {
                    let blocks = 0..places.div_ceil(BLOCK);
                    let words = blocks.flat_map(|block| lines.block(block));
                    words.map(|word| word.count_ones()).sum()
                };
                let expected = bytes.iter().filter(|&&byte| byte != 0).count() as u32;
                assert_eq!(ones(along_rows, columns), expected);
                assert_eq!(ones(along_columns, rows), expected);
            }
        }
        assert_eq!(Marks::of::<f32>(&[f32::NAN], 1).lines(false).block(0), [1]);
        assert_eq!(Marks::of::<f32>(&[], 0).lines(false).count(), 0);
    }
}
