//! Files of rows of numbers, one row for each input: CSV, `.npy` and `.safetensors`, told by the ending of their names.
//! Rows are written as they come, so that no file needs to be in memory.

use std::io::{self, Write};
use std::path::Path;

use npyz::WriterBuilder;
use serde_json::json;

use crate::weights::bytes;

/// What a file of rows can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A line for each row, with a head; numbers as short as they can be without losing a bit.
    Csv,
    /// numpy's format: float32, row-major `[row, column]`.
    Npy,
    /// One float32 tensor, `[row, column]`.
    Safetensors,
}

impl Format {
    /// The format that the ending of a file's name stands for.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        match ending.as_str() {
            "csv" => Some(Self::Csv),
            "npy" => Some(Self::Npy),
            "safetensors" => Some(Self::Safetensors),
            _ => None,
        }
    }
}

/// What the rows are.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The tensor's name in a `.safetensors` file: `codes`.
    pub name: &'static str,
    /// How many rows there will be.
    pub rows: usize,
    /// What each number of a row is called in the head of a CSV file: `unit 0`.
    pub columns: Vec<String>,
    /// In a `.safetensors` file, what whoever opens it must know.
    pub about: String,
}

/// A file of rows that is being written.
pub struct Writer<W: Write> {
    sink: Sink<W>,
}

enum Sink<W: Write> {
    Csv(Box<csv::Writer<W>>),
    /// The head is written; little-endian numbers follow.
    Numbers(W),
}

impl<W: Write> Writer<W> {
    /// Begins a file; `labels` are the heads of what stands before the numbers of a CSV row.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be written.
    pub fn new(format: Format, table: &Table, labels: &[&str], mut out: W) -> io::Result<Self> {
        let shape = [table.rows, table.columns.len()];
        let sink = match format {
            Format::Csv => {
                let mut csv = csv::Writer::from_writer(out);
                let head = labels.iter().copied();
                let head = head.chain(table.columns.iter().map(String::as_str));
                csv.write_record(head).map_err(of_the_stream)?;
                Sink::Csv(Box::new(csv))
            }
            Format::Npy => {
                let mut head = Vec::new();
                let options = npyz::WriteOptions::<f32>::new().default_dtype();
                let options = options.shape(&shape.map(|size| size as u64));
                // The crate's writer cannot go from thread to thread, but its head can.
                options.writer(&mut head).begin_nd()?;
                out.write_all(&head)?;
                Sink::Numbers(out)
            }
            Format::Safetensors => {
                let head = json!({
                    "__metadata__": { "layerwise": table.about },
                    table.name: {
                        "dtype": "F32",
                        "shape": shape,
                        "data_offsets": [0, 4 * shape[0] * shape[1]],
                    },
                });
                let mut head = head.to_string();
                // Numbers begin at a multiple of eight bytes, as the format asks for.
                head.extend(std::iter::repeat_n(' ', head.len().wrapping_neg() % 8));
                out.write_all(&(head.len() as u64).to_le_bytes())?;
                out.write_all(head.as_bytes())?;
                Sink::Numbers(out)
            }
        };
        Ok(Self { sink })
    }

    /// Writes a row; `labels` stand before its numbers in CSV, and are left out elsewhere.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be written.
    pub fn row(&mut self, labels: &[&str], values: &[f32]) -> io::Result<()> {
        match &mut self.sink {
            Sink::Csv(csv) => {
                for label in labels {
                    csv.write_field(label).map_err(of_the_stream)?;
                }
                for &value in values {
                    csv.write_field(written(value)).map_err(of_the_stream)?;
                }
                csv.write_record(None::<&[u8]>).map_err(of_the_stream)
            }
            Sink::Numbers(out) => out.write_all(&bytes(values)),
        }
    }

    /// Ends the file.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be written.
    pub fn finish(self) -> io::Result<()> {
        match self.sink {
            Sink::Csv(csv) => csv
                .into_inner()
                .map_err(csv::IntoInnerError::into_error)?
                .flush(),
            Sink::Numbers(mut out) => out.flush(),
        }
    }
}

/// What the stream said, and not that CSV could not be written.
fn of_the_stream(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// As short as it can be without losing a bit; most codes are 0.
pub(crate) fn written(value: f32) -> String {
    let plain = value.to_string();
    let exponential = format!("{value:e}");
    if exponential.len() < plain.len() {
        exponential
    } else {
        plain
    }
}

#[cfg(test)]
mod tests {
    use npyz::NpyFile;
    use safetensors::SafeTensors;

    use super::*;

    const ROWS: [[f32; 2]; 3] = [[0.0, 1.5], [f32::MIN_POSITIVE, -0.0], [3e38, 0.1]];

    fn file(format: Format) -> Vec<u8> {
        let table = Table {
            name: "codes",
            rows: 3,
            columns: vec!["unit 0".to_owned(), "unit 1".to_owned()],
            about: "ours".to_owned(),
        };
        let mut out = Vec::new();
        let mut writer = Writer::new(format, &table, &["input"], &mut out).unwrap();
        for (name, row) in ["a", "b, c", "d"].iter().zip(ROWS) {
            writer.row(&[name], &row).unwrap();
        }
        writer.finish().unwrap();
        out
    }

    #[test]
    fn a_csv_has_a_head_and_the_names_of_inputs() {
        assert_eq!(
            String::from_utf8(file(Format::Csv)).unwrap(),
            "input,unit 0,unit 1\na,0,1.5\n\"b, c\",1.1754944e-38,-0\nd,3e38,0.1\n"
        );
    }

    #[test]
    fn arrays_give_back_every_bit_to_the_crates_that_read_them() {
        let npy = file(Format::Npy);
        let npy = NpyFile::new(npy.as_slice()).unwrap();
        assert_eq!(npy.shape(), [3, 2]);
        let bits = |values: &[f32]| {
            values
                .iter()
                .map(|value| value.to_bits())
                .collect::<Vec<_>>()
        };
        let expected = bits(ROWS.as_flattened());
        assert_eq!(bits(&npy.into_vec().unwrap()), expected);
        let tensors = file(Format::Safetensors);
        let tensors = SafeTensors::deserialize(&tensors).unwrap();
        let codes = tensors.tensor("codes").unwrap();
        assert_eq!(
            (codes.dtype(), codes.shape()),
            (safetensors::Dtype::F32, &[3, 2][..])
        );
        assert_eq!(codes.data(), bytes(ROWS.as_flattened()));
    }

    #[test]
    fn the_ending_of_a_name_tells_the_format() {
        let of = |name: &str| Format::of(Path::new(name));
        assert_eq!(of("a/B.NPY"), Some(Format::Npy));
        assert_eq!(of("a.b.csv"), Some(Format::Csv));
        assert_eq!(of("a.safetensors"), Some(Format::Safetensors));
        assert_eq!([of("a"), of("a.png"), of(".csv")], [None; 3]);
    }
}
