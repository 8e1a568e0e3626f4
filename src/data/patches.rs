//! Patches of photographs: a folder of pictures, whitened one by one, and squares cut out of them at random.
//!
//! The order is fixed: logarithm, mean taken off, Olshausen and Field's filter ("Sparse coding with an overcomplete basis
//! set", 1997) in the Fourier plane, division by the photograph's own standard deviation, and only then patches. What is
//! done to patches, such as taking off their means, is a list of [`Transforms`](super::Transforms).

use std::path::Path;

use rustfft::num_complex::Complex;
use sha2::{Digest, Sha256};

use super::dataset::{Part, Parts};
use super::error::name_of;
use super::pictures::{self, PictureError, entries, is_called_picture};
use super::{DataError, FileRecord, Frame, Images};
use crate::fourier::{self, Direction, frequency};
use crate::machine;
use crate::seed::{self, Purpose};
use crate::spec::{Patches, PhotographWhitening};
use crate::weights::hexadecimal;
use crate::words::counted;

/// Added to grey in [0, 1] before the logarithm, so that black stays finite.
const DARKEST: f64 = 0.05;
/// Where the filter begins to cut off, in cycles a pixel.
const CUTOFF: f64 = 0.4;

/// What a pixel takes while its photograph is filtered: itself, its logarithm, and the Fourier plane twice.
const BYTES_OF_A_PIXEL: u64 = 48;

/// A photograph as patches are cut from it, row after row.
struct Photograph {
    values: Vec<f32>,
    height: usize,
    width: usize,
}

/// Patches of the photographs in `dir`, which are taken in the order of their names; none has a class.
///
/// # Errors
///
/// [`DataError`] if there is no photograph, or one that cannot be read or that no patch fits in.
pub(super) fn load(dir: &Path, patches: &Patches) -> Result<Parts, DataError> {
    let mut paths = entries(dir)?;
    paths.retain(|path| is_called_picture(path) && path.is_file());
    if paths.is_empty() {
        return Err(DataError::Without {
            dir: dir.into(),
            what: "photographs",
            hint: "put pictures there (.png, .jpg, .bmp, .webp); seven come with this program in data/photographs",
        });
    }
    let of_patch = patches.side * patches.side * size_of::<f32>();
    let all = (patches.train.saturating_add(patches.test)).saturating_mul(of_patch);
    if machine::memory().is_some_and(|memory| all as u64 > memory.limit) {
        return Err(DataError::Patches {
            count: patches.train.saturating_add(patches.test),
            side: patches.side,
        });
    }
    // One after the other: a large one takes a thousand megabytes while it is filtered.
    let read = paths.iter().map(|path| read(path, patches));
    let (photographs, files): (Vec<_>, Vec<_>) =
        read.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
    let part = |count, part| {
        Ok(Part {
            images: Images::of_numbers(
                draw(&photographs, patches, count, part),
                Frame::grey(patches.side, patches.side),
            )?,
            labels: None,
            file: dir.into(),
        })
    };
    Ok(Parts {
        train: part(patches.train, 0)?,
        test: Some(part(patches.test, 1)?),
        files,
        class_names: Vec::new(),
    })
}

fn read(path: &Path, patches: &Patches) -> Result<(Photograph, FileRecord), DataError> {
    let refused = |error| DataError::picture(path, error);
    let bytes = pictures::read(path).map_err(refused)?;
    // With 16 bits a byte of grey g is 257 g, so that its share of white stays the same.
    let picture = pictures::decode(&bytes).map_err(refused)?.into_luma16();
    let (height, width) = (picture.height() as usize, picture.width() as usize);
    let limit = machine::memory().map_or(u64::MAX, |memory| memory.limit);
    if (height * width) as u64 > limit / BYTES_OF_A_PIXEL {
        return Err(refused(PictureError::Large));
    }
    let needed = patches.side + 2 * patches.border;
    if height < needed || width < needed {
        let (side, border) = (patches.side, counted(patches.border, "pixel"));
        return Err(DataError::request(
            path,
            format!(
                "is {height}×{width} pixels, but a patch of {side}×{side} that keeps {border} from the edges needs \
                 {needed} each way"
            ),
            "lower side or border in data.source, or take the photograph away",
        ));
    }
    let grey: Vec<f64> = picture
        .pixels()
        .map(|pixel| f64::from(pixel.0[0]) / 65535.0)
        .collect();
    let values = match patches.whitening {
        PhotographWhitening::None => Some(grey),
        PhotographWhitening::OlshausenField => whitened(&grey, height, width),
    };
    let values = values.ok_or_else(|| {
        DataError::refused(
            path,
            "is of one grey all over, so that nothing is left of it",
            "take it away, or set whitening = \"none\" in data.source",
        )
    })?;
    let photograph = Photograph {
        values: values.iter().map(|&value| value as f32).collect(),
        height,
        width,
    };
    let record = FileRecord {
        name: name_of(path),
        sha256: hexadecimal(&Sha256::digest(&bytes)),
        bytes: bytes.len() as u64,
    };
    Ok((photograph, record))
}

/// ln(grey + 0.05) without its mean, filtered, with standard deviation 1; nothing where that is not defined.
fn whitened(grey: &[f64], height: usize, width: usize) -> Option<Vec<f64>> {
    let logarithms: Vec<f64> = grey.iter().map(|grey| (grey + DARKEST).ln()).collect();
    let varies = logarithms
        .iter()
        .any(|value| value.to_bits() != logarithms[0].to_bits());
    let count = logarithms.len() as f64;
    let mean = logarithms.iter().sum::<f64>() / count;
    let mut plane: Vec<_> = logarithms
        .iter()
        .map(|value| Complex::from(value - mean))
        .collect();
    fourier::transform(&mut plane, height, width, Direction::Forward);
    for (row, values) in plane.chunks_exact_mut(width).enumerate() {
        for (column, value) in values.iter_mut().enumerate() {
            *value *= passed(frequency(row, height).hypot(frequency(column, width))) / count;
        }
    }
    fourier::transform(&mut plane, height, width, Direction::Inverse);
    // The filter takes the mean away whole: what is left has mean 0.
    let deviation = (plane.iter().map(|value| value.re.powi(2)).sum::<f64>() / count).sqrt();
    (varies && deviation > 0.0).then(|| plane.iter().map(|value| value.re / deviation).collect())
}

/// What the filter leaves of a wave of `frequency` cycles a pixel: f·exp(−(f/0.4)⁴).
fn passed(frequency: f64) -> f64 {
    frequency * (-(frequency / CUTOFF).powi(4)).exp()
}

/// `count` patches, one behind the other: photographs are equally likely, and so are places in them. More patches begin
/// with the same ones.
fn draw(photographs: &[Photograph], patches: &Patches, count: usize, part: u64) -> Vec<f32> {
    let Patches {
        side, border, seed, ..
    } = *patches;
    let mut stream = seed::stream(seed, Purpose::Patches, &[part]);
    let mut below = |bound: usize| seed::below(&mut stream, bound as u64) as usize;
    let mut drawn = Vec::with_capacity(count * side * side);
    for _ in 0..count {
        let photograph = &photographs[below(photographs.len())];
        let places = |size: usize| size - 2 * border - side + 1;
        let top = border + below(places(photograph.height));
        let left = border + below(places(photograph.width));
        for row in top..top + side {
            let start = row * photograph.width + left;
            drawn.extend_from_slice(&photograph.values[start..start + side]);
        }
    }
    drawn
}

#[cfg(test)]
mod tests {
    use std::fs;

    use image::{GrayImage, Luma};

    use super::*;

    fn patches(side: usize, border: usize, whitening: PhotographWhitening) -> Patches {
        Patches {
            side,
            border,
            whitening,
            train: 40,
            test: 10,
            seed: 0,
        }
    }

    /// A photograph of 9×7 pixels, each of another grey.
    fn photograph() -> GrayImage {
        GrayImage::from_fn(7, 9, |column, row| Luma([(row * 7 + column) as u8 * 4]))
    }

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a folder");
        photograph().save(dir.path().join("b.png")).expect("saved");
        fs::write(dir.path().join("README.md"), "no photograph").expect("saved");
        dir
    }

    /// All numbers of the patches to learn from, and of those to test on.
    fn cut(dir: &Path, patches: &Patches) -> Result<[Vec<f32>; 2], DataError> {
        let parts = load(dir, patches)?;
        let numbers = |part: Part| {
            let mut numbers = Vec::new();
            part.images.each_row(|row| numbers.extend(row));
            numbers
        };
        Ok([
            numbers(parts.train),
            numbers(parts.test.expect("patches to test on")),
        ])
    }

    /// The message with the folder's name left out.
    fn message(dir: &Path, patches: &Patches) -> String {
        let error = load(dir, patches)
            .map(|_| ())
            .expect_err("an error")
            .to_string();
        error.replace(&*dir.to_string_lossy(), "DIR")
    }

    #[test]
    fn patches_are_squares_that_keep_from_the_edges() {
        let dir = folder();
        let [train, test] =
            cut(dir.path(), &patches(3, 1, PhotographWhitening::None)).expect("patches");
        assert_eq!((train.len(), test.len()), (40 * 9, 10 * 9));
        let mut places = std::collections::BTreeSet::new();
        for patch in train.chunks(9).chain(test.chunks(9)) {
            let grey: Vec<usize> = patch
                .iter()
                .map(|x| (x * 255.0 / 4.0).round() as usize)
                .collect();
            let (top, left) = (grey[0] / 7, grey[0] % 7);
            for (at, &grey) in grey.iter().enumerate() {
                assert_eq!(grey, (top + at / 3) * 7 + left + at % 3);
            }
            places.insert((top, left));
        }
        // Rows 1 to 5 and columns 1 to 3 can be the first of a patch: fifty draws find each of these places.
        assert!(
            places
                .iter()
                .all(|&(top, left)| (1..=5).contains(&top) && (1..=3).contains(&left))
        );
        assert!(places.len() > 12, "{places:?}");
        let files = load(dir.path(), &patches(3, 1, PhotographWhitening::None))
            .expect("patches")
            .files;
        assert_eq!(
            (files.len(), files[0].name.as_str(), files[0].sha256.len()),
            (1, "b.png", 64)
        );
    }

    #[test]
    fn more_patches_begin_with_the_same_and_tests_are_others() {
        let dir = folder();
        let few = patches(3, 0, PhotographWhitening::OlshausenField);
        let many = Patches { train: 90, ..few };
        let [few, many] = [few, many].map(|of| cut(dir.path(), &of).expect("patches"));
        assert_eq!(few[0], many[0][..few[0].len()]);
        assert_eq!(few[1], many[1]);
        assert_ne!(few[1], few[0][..few[1].len()]);
        let other = Patches {
            seed: 1,
            ..patches(3, 0, PhotographWhitening::OlshausenField)
        };
        assert_ne!(cut(dir.path(), &other).expect("patches")[0], few[0]);
    }

    #[test]
    fn a_wave_is_filtered_by_what_its_frequency_is_worth() {
        // Greys whose logarithm is the sum of two waves, of 1/8 and 1/4 cycles a pixel.
        let (height, width) = (6, 8);
        let wave =
            |at: usize, cycles: f64| (std::f64::consts::TAU * cycles * (at % width) as f64).cos();
        let grey: Vec<f64> = (0..48)
            .map(|at| (wave(at, 0.125) + wave(at, 0.25) - 2.5).exp() - DARKEST)
            .collect();
        let found = whitened(&grey, height, width).expect("it varies");
        // f·exp(−(f/0.4)⁴) is 0.12381 and 0.21462 there; a wave of amplitude a has variance a²/2.
        let (slow, fast) = (
            0.125 * (-(0.3125_f64).powi(4)).exp(),
            0.25 * (-(0.625_f64).powi(4)).exp(),
        );
        assert!(
            (slow - 0.123_814).abs() < 1e-6 && (fast - 0.214_621).abs() < 1e-6,
            "{slow} {fast}"
        );
        let deviation = f64::midpoint(slow * slow, fast * fast).sqrt();
        for (at, found) in found.iter().enumerate() {
            let expected = (slow * wave(at, 0.125) + fast * wave(at, 0.25)) / deviation;
            assert!((found - expected).abs() < 1e-12, "{at}: {found} {expected}");
        }
        assert_eq!(whitened(&[0.3; 48], height, width), None);
    }

    #[test]
    fn every_photograph_has_mean_0_and_deviation_1_whatever_its_size() {
        for (height, width) in [(9, 7), (16, 16), (31, 20), (1, 5)] {
            let grey: Vec<f64> = (0..height * width)
                .map(|at| ((at * at) % 17) as f64 / 16.0)
                .collect();
            let found = whitened(&grey, height, width).expect("it varies");
            let count = found.len() as f64;
            let mean = found.iter().sum::<f64>() / count;
            let variance = found.iter().map(|x| x * x).sum::<f64>() / count;
            assert!(
                mean.abs() < 1e-12 && (variance - 1.0).abs() < 1e-12,
                "{height}×{width}: {mean} {variance}"
            );
        }
    }

    #[test]
    fn what_has_no_patches_is_told_with_its_cure() {
        let dir = folder();
        let whitening = PhotographWhitening::OlshausenField;
        assert_eq!(
            message(dir.path(), &patches(6, 1, whitening)),
            "DIR/b.png: is 9×7 pixels, but a patch of 6×6 that keeps 1 pixel from the edges needs 8 each way\n  hint: lower \
             side or border in data.source, or take the photograph away"
        );
        GrayImage::from_pixel(9, 9, Luma([7]))
            .save(dir.path().join("a.PNG"))
            .expect("saved");
        assert_eq!(
            message(dir.path(), &patches(3, 1, whitening)),
            "DIR/a.PNG: is of one grey all over, so that nothing is left of it\n  hint: take it away, or set whitening = \
             \"none\" in data.source"
        );
        assert!(cut(dir.path(), &patches(3, 1, PhotographWhitening::None)).is_ok());
        fs::write(dir.path().join("a.PNG"), [1, 2, 3]).expect("saved");
        let told = message(dir.path(), &patches(3, 1, whitening));
        assert!(
            told.starts_with("DIR/a.PNG: ") && told.contains("is no PNG, JPEG, BMP or WebP"),
            "{told}"
        );
        let empty = tempfile::tempdir().expect("a folder");
        assert_eq!(
            message(empty.path(), &patches(3, 1, whitening)),
            "DIR: has no photographs\n  hint: put pictures there (.png, .jpg, .bmp, .webp); seven come with this program in \
             data/photographs"
        );
    }
}
