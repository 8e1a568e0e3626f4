//! Rows that stay in a file which is larger than what memory is for: each is read from its place when it is asked for.
//!
//! They are read, not mapped. Of a file of 4 GB, 1.2 million rows of 768 floats in random order took 1.4 s and 2 MiB so; mapped,
//! they took 6 s and up to 1300 MiB, as a touched page brings its neighbours along; and a mapped file that somebody cuts short
//! ends the process.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::RowSource;
use super::array::{Element, Format};

/// Rows of numbers that lie one behind the other in a file.
#[derive(Clone)]
pub struct FileRows {
    file: Arc<File>,
    path: PathBuf,
    /// Where in the file the first number begins.
    start: u64,
    format: Format,
    count: usize,
    /// Numbers of a row.
    row: usize,
    /// Why a row could not be read, of the first of which that is so.
    lost: Arc<OnceLock<String>>,
}

impl FileRows {
    /// `count` rows of `row` numbers from byte `start` on.
    #[must_use]
    pub fn new(
        file: Arc<File>,
        path: &Path,
        start: u64,
        format: Format,
        [count, row]: [usize; 2],
    ) -> Self {
        Self {
            file,
            path: path.to_owned(),
            start,
            format,
            count,
            row,
            lost: Arc::default(),
        }
    }
}

impl RowSource for FileRows {
    fn count(&self) -> usize {
        self.count
    }

    fn inputs(&self) -> usize {
        self.row
    }

    /// Reads rows in any order; unsigned bytes become their 255th parts. A row that cannot be read any more, as when somebody
    /// cut the file short, is NaN.
    ///
    /// # Panics
    ///
    /// Panics if a row is not below the count.
    fn read(&self, rows: &[usize], into: &mut [f32]) {
        let size = self.row * self.format.element.size();
        let mut bytes = vec![0; size];
        for (&row, into) in rows.iter().zip(into.chunks_exact_mut(self.row)) {
            assert!(row < self.count, "row {row} of {}", self.count);
            let place = self.start + row as u64 * size as u64;
            if let Err(error) = read_at(&self.file, &mut bytes, place) {
                self.lost.get_or_init(|| {
                    format!(
                        "{}: row {row} cannot be read any more: {error}\n  hint: put the file back as it was, then go on with \
                         `layerwise resume`",
                        self.path.display()
                    )
                });
                into.fill(f32::NAN);
                continue;
            }
            self.format.decode(&bytes, into);
            if self.format.element == Element::U8 {
                for number in into {
                    *number /= 255.0;
                }
            }
        }
    }

    fn lost(&self) -> Option<&str> {
        self.lost.get().map(String::as_str)
    }
}

/// Fills `bytes` from a place in the file, whoever else reads it.
fn read_at(file: &File, bytes: &mut [u8], place: u64) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_exact_at(file, bytes, place);
    #[cfg(windows)]
    {
        let mut done = 0;
        while done < bytes.len() {
            let at = place + done as u64;
            match std::os::windows::fs::FileExt::seek_read(file, &mut bytes[done..], at)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => done += count,
            }
        }
        Ok(())
    }
}

impl PartialEq for FileRows {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.file, &other.file)
            && (self.start, self.format, self.count, self.row)
                == (other.start, other.format, other.count, other.row)
    }
}

impl fmt::Debug for FileRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, row) = (self.count, self.row);
        write!(f, "{count} rows of {row} in {}", self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::super::array::ByteOrder;
    use super::*;

    fn rows_of(bytes: &[u8], start: u64, format: Format, shape: [usize; 2]) -> FileRows {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows");
        std::fs::write(&path, bytes).unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        FileRows::new(Arc::new(file), Path::new("rows"), start, format, shape)
    }

    #[test]
    fn rows_are_read_in_any_order_and_bytes_are_255th_parts() {
        let rows = rows_of(&[9, 0, 51, 255, 102, 204, 0], 1, Format::BYTES, [3, 2]);
        let mut into = vec![0.0; 6];
        rows.read(&[2, 0, 2], &mut into);
        assert_eq!(into, vec![0.8, 0.0, 0.0, 0.2, 0.8, 0.0]);
    }

    #[test]
    fn threads_do_not_disturb_each_other() {
        let numbers: Vec<f32> = (0..40_000_u16).map(f32::from).collect();
        let bytes: Vec<u8> = numbers
            .iter()
            .flat_map(|number| number.to_be_bytes())
            .collect();
        let (element, order) = (Element::F32, ByteOrder::Big);
        let rows = rows_of(&bytes, 0, Format { element, order }, [400, 100]);
        let indices: Vec<usize> = (0..400).rev().collect();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut into = vec![0.0; numbers.len()];
                    rows.read(&indices, &mut into);
                    assert!(into.chunks_exact(100).rev().flatten().eq(&numbers));
                });
            }
        });
    }

    #[test]
    fn a_file_that_is_cut_short_in_use_is_told() {
        let rows = rows_of(&[0; 10_000], 0, Format::BYTES, [100, 100]);
        rows.file.set_len(10).unwrap();
        let mut into = [0.0; 100];
        rows.read(&[99], &mut into);
        assert!(into.iter().all(|number| number.is_nan()));
        assert_eq!(
            rows.lost(),
            Some(
                "rows: row 99 cannot be read any more: failed to fill whole buffer\n  hint: put the file back as it was, then \
                 go on with `layerwise resume`"
            )
        );
    }
}
