//! The largest of many numbers, without sorting them.
//!
//! The numbers fall into groups. As many groups as numbers are wanted have a largest one of at least some bound, which so
//! many numbers reach then: only groups that reach it are looked at more closely.

use super::wide::wide;

/// Neighbours that belong to different groups.
const LANES: usize = 256;

/// Groups for each of the numbers that are wanted: so many that few groups have two of them.
const GROUPS: usize = 8;

/// To `out`, of the `count` largest values those above 0, and 0 in place of all others. Of equals the first stay. What is
/// not a number stays so.
///
/// # Panics
///
/// Panics if there is another number of places than of values.
pub fn keep_largest(values: &[f32], count: usize, out: &mut [f32]) {
    assert_eq!(values.len(), out.len(), "a place for each");
    let least = if count == 0 {
        f32::INFINITY
    } else {
        least_of_largest(values, count)
    };
    let kept = keep(values, least, out);
    let mut too_many = kept.saturating_sub(count);
    for (value, out) in values.iter().zip(out).rev() {
        if too_many == 0 {
            break;
        }
        if value.to_bits() == least.to_bits() {
            *out = 0.0;
            too_many -= 1;
        }
    }
}

wide! {
    /// Writes the values that are not below `least`, and 0 for others; how many those are.
    fn keep<'a>(values: &'a [f32], least: f32, out: &'a mut [f32]) -> usize {
        let mut kept = 0;
        for (values, out) in values.chunks(LANES).zip(out.chunks_mut(LANES)) {
            let mut of_chunk = 0_u32;
            for (value, out) in values.iter().zip(out) {
                let is_below = *value < least;
                // What is infinite or not a number is not hidden. Adding 0 makes −0 an ordinary 0.
                *out = if is_below { 0.0 * value } else { *value } + 0.0;
                of_chunk = of_chunk.wrapping_add(u32::from(!is_below));
            }
            kept += of_chunk as usize;
        }
        kept
    }
}

/// The `count`-th largest of the values, if it is above 0; else the least number above 0 that is not subnormal.
fn least_of_largest(values: &[f32], count: usize) -> f32 {
    let depth = values.len() / (GROUPS * count);
    let slab = LANES * depth.max(1);
    let mut largest = vec![0.0; values.len().div_ceil(slab) * LANES];
    let mut bound = f32::MIN_POSITIVE;
    if depth > 1 {
        for (values, largest) in values.chunks(slab).zip(largest.chunks_exact_mut(LANES)) {
            largest_of_groups(values, largest);
        }
        bound =
            nth_largest(largest.iter().map(|value| value.to_bits()).collect(), count).max(bound);
    } else {
        largest.fill(f32::INFINITY);
    }
    let mut reaching = Vec::with_capacity(2 * count);
    for (values, largest) in values.chunks(slab).zip(largest.chunks_exact(LANES)) {
        if largest.iter().any(|largest| *largest >= bound) {
            let those = values.iter().filter(|value| **value >= bound);
            reaching.extend(those.map(|value| value.to_bits()));
        }
    }
    nth_largest(reaching, count).max(bound)
}

wide! {
    fn largest_of_groups<'a>(values: &'a [f32], largest: &'a mut [f32]) {
        for row in values.chunks(LANES) {
            for (largest, &value) in largest.iter_mut().zip(row) {
                *largest = if value > *largest { value } else { *largest };
            }
        }
    }
}

/// The `count`-th largest of the numbers above 0 that have these bits, or 0 if there are fewer.
fn nth_largest(mut bits: Vec<u32>, count: usize) -> f32 {
    // Bits have the same order.
    let Some(at) = bits.len().checked_sub(count) else {
        return 0.0;
    };
    f32::from_bits(*bits.select_nth_unstable(at).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(values: &[f32], count: usize) -> Vec<f32> {
        let mut out = vec![7.0; values.len()];
        keep_largest(values, count, &mut out);
        out
    }

    /// By sorting, in which equals keep their order.
    fn expected(values: &[f32], count: usize) -> Vec<f32> {
        let mut places: Vec<usize> = (0..values.len()).collect();
        places.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
        let mut out = vec![0.0; values.len()];
        for &place in places
            .iter()
            .take(count)
            .filter(|&&place| values[place] > 0.0)
        {
            out[place] = values[place];
        }
        out
    }

    #[test]
    fn what_stays_is_what_sorting_says() {
        let mixed = |at: usize| at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        // All different; half of them 0; few different ones, so that many are equal; none above 0.
        let kinds: [fn(usize) -> f32; 4] = [
            |mixed| mixed as f32 / 1e6 - 8.0,
            |mixed| (mixed as f32 / 1e6 - 8.0).max(0.0),
            |mixed| (mixed % 5) as f32 - 2.0,
            |mixed| -((mixed % 5) as f32),
        ];
        for length in [1, 2, 15, 100, 784, 4096, 5000, 40_000] {
            for kind in kinds {
                let values: Vec<f32> = (0..length).map(|at| kind(mixed(at))).collect();
                for count in [0, 1, 2, 3, 32, 99, 100, 101, 2000, length, length + 1] {
                    let found = kept(&values, count);
                    assert!(found == expected(&values, count), "{count} of {length}");
                    assert!(found.iter().all(|value| value.is_sign_positive()));
                }
            }
        }
    }

    #[test]
    fn of_equals_the_first_stay() {
        assert_eq!(
            kept(&[1.0, 2.0, 1.0, 3.0, 1.0], 3),
            [1.0, 2.0, 0.0, 3.0, 0.0]
        );
        assert_eq!(kept(&[0.0, -1.0, -0.0, 5.0], 3), [0.0, 0.0, 0.0, 5.0]);
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        for length in [4, 1000] {
            let mut values: Vec<f32> = (0..length).map(|at| at as f32).collect();
            values[1] = f32::NAN;
            values[2] = -f32::NAN;
            values[3] = f32::NEG_INFINITY;
            for count in [1, 2, length] {
                let found = kept(&values, count);
                assert!(found[1].is_nan() && found[2].is_nan());
                assert!(found[3].is_nan(), "0 · −∞ is told, not hidden");
            }
        }
    }
}
