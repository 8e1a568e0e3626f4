//! Files as memory, without the memory: the pages of a mapped file that were read are given back after some tens of
//! megabytes. The only unsafe code of this room is here.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use memmap2::Mmap;

use super::RowSource;
use super::array::{Element, Format};

/// Pages are given back once about so many bytes of them have been read.
const RESIDENT: usize = 64 << 20;
/// A read maps the pages around it as well, on Linux 16 of them.
const AROUND: usize = 64 << 10;

/// A file's bytes.
pub struct MappedFile {
    map: Mmap,
    file: File,
    path: PathBuf,
    /// Bytes that were read since pages were last given back.
    touched: AtomicUsize,
}

impl MappedFile {
    /// Maps the whole of a file that is not empty.
    ///
    /// # Errors
    ///
    /// What the operating system says.
    pub fn new(file: File, path: &Path) -> io::Result<Self> {
        #[expect(
            unsafe_code,
            reason = "others may change the file under us: numbers would change, and a page that is cut away would \
                      end the process, which `rows` looks out for"
        )]
        // SAFETY: the map is only read, as bytes, for which any value will do.
        let map = unsafe { Mmap::map(&file)? };
        Ok(Self {
            map,
            file,
            path: path.to_owned(),
            touched: AtomicUsize::new(0),
        })
    }

    /// The bytes of the file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// The file itself, for reading it through.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Counts `bytes` that were read in `reads` pieces, and gives pages back when it is time.
    fn count(&self, reads: usize, bytes: usize) {
        let touched = reads * AROUND + bytes;
        if self.touched.fetch_add(touched, Ordering::Relaxed) + touched > RESIDENT {
            self.touched.store(0, Ordering::Relaxed);
            self.give_back();
        }
    }

    /// Takes the file's pages out of this process's memory; what is read next comes from the file again.
    pub fn give_back(&self) {
        #[cfg(unix)]
        {
            #[expect(
                unsafe_code,
                reason = "of changed private pages it would lose the changes"
            )]
            // SAFETY: the map is of a file and never written to, so that its pages come back as they were.
            let done = unsafe {
                self.map
                    .unchecked_advise(memmap2::UncheckedAdvice::DontNeed)
            };
            // Without it the operating system takes pages when it needs them.
            let _ = done;
        }
    }
}

/// Rows of numbers that lie one behind the other in a mapped file.
#[derive(Clone)]
pub struct MappedRows {
    file: Arc<MappedFile>,
    /// Where in the file the first number begins.
    start: usize,
    format: Format,
    count: usize,
    /// Numbers of a row.
    row: usize,
}

impl MappedRows {
    /// `count` rows of `row` numbers from byte `start` on.
    ///
    /// # Panics
    ///
    /// Panics if the file is shorter.
    #[must_use]
    pub fn new(
        file: Arc<MappedFile>,
        start: usize,
        format: Format,
        count: usize,
        row: usize,
    ) -> Self {
        let end = start + count * row * format.element.size();
        assert!(end <= file.bytes().len(), "rows within the file");
        Self {
            file,
            start,
            format,
            count,
            row,
        }
    }
}

impl RowSource for MappedRows {
    fn count(&self) -> usize {
        self.count
    }

    fn inputs(&self) -> usize {
        self.row
    }

    /// Reads rows in any order; unsigned bytes become their 255th parts.
    ///
    /// # Panics
    ///
    /// Panics if a row is not below the count, or if somebody cut the file short since it was opened.
    fn read(&self, rows: &[usize], into: &mut [f32]) {
        let MappedFile {
            map, file, path, ..
        } = &*self.file;
        let is_whole = file
            .metadata()
            .is_ok_and(|file| file.len() >= map.len() as u64);
        assert!(
            is_whole,
            "{}: was cut short while it was in use",
            path.display()
        );
        let size = self.row * self.format.element.size();
        let place = |row: usize| {
            assert!(row < self.count, "row {row} of {}", self.count);
            self.start + row * size
        };
        // All are asked for before the first is waited for. Without that they come one by one.
        #[cfg(unix)]
        for &row in rows {
            let _ = map.advise_range(memmap2::Advice::WillNeed, place(row), size);
        }
        for (&row, into) in rows.iter().zip(into.chunks_exact_mut(self.row)) {
            self.format.decode(&map[place(row)..][..size], into);
        }
        if self.format.element == Element::U8 {
            into.iter_mut().for_each(|number| *number /= 255.0);
        }
        self.file.count(rows.len(), rows.len() * size);
    }
}

impl PartialEq for MappedRows {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.file, &other.file)
            && (self.start, self.format, self.count, self.row)
                == (other.start, other.format, other.count, other.row)
    }
}

impl fmt::Debug for MappedRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} rows of {} in {}",
            self.count,
            self.row,
            self.file.path.display()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::array::ByteOrder;
    use super::*;

    fn mapped(bytes: &[u8]) -> (tempfile::TempDir, Arc<MappedFile>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows");
        std::fs::write(&path, bytes).unwrap();
        let file = MappedFile::new(File::open(&path).unwrap(), &path).unwrap();
        (dir, Arc::new(file))
    }

    #[test]
    fn rows_are_read_in_any_order_and_bytes_are_255th_parts() {
        let (_dir, file) = mapped(&[9, 0, 51, 255, 102, 204, 0]);
        let rows = MappedRows::new(file, 1, Format::BYTES, 3, 2);
        let mut into = [0.0; 6];
        rows.read(&[2, 0, 2], &mut into);
        assert_eq!(into, [0.8, 0.0, 0.0, 0.2, 0.8, 0.0]);
    }

    #[test]
    fn rows_are_the_same_after_their_pages_were_given_back() {
        let numbers: Vec<f32> = (0..40_000_u16).map(f32::from).collect();
        let bytes: Vec<u8> = numbers
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect();
        let (_dir, file) = mapped(&bytes);
        let format = Format {
            element: Element::F32,
            order: ByteOrder::Little,
        };
        let rows = MappedRows::new(Arc::clone(&file), 0, format, 400, 100);
        let order: Vec<usize> = (0..400).rev().collect();
        let mut into = vec![0.0; numbers.len()];
        for _ in 0..10 {
            rows.read(&order, &mut into);
            file.give_back();
        }
        assert!(into.chunks_exact(100).rev().flatten().eq(&numbers));
    }

    #[test]
    #[should_panic(expected = "was cut short while it was in use")]
    fn a_file_that_is_cut_short_in_use_is_told() {
        let (dir, file) = mapped(&[0; 10_000]);
        let rows = MappedRows::new(file, 0, Format::BYTES, 100, 100);
        let file = File::options()
            .write(true)
            .open(dir.path().join("rows"))
            .unwrap();
        file.set_len(10).unwrap();
        rows.read(&[99], &mut [0.0; 100]);
    }
}
