//! Loops over single numbers: activations, sums, costs and their slopes, and the steps of the optimisers.

use super::wide::wide;
use crate::ops::AdamRatesNow;

/// Lanes that a sum is spread over: enough for any processor, so that the result does not depend on it.
pub const LANES: usize = 16;

wide! {
    /// x W becomes x W + b.
    pub fn add_bias<'a>(values: &'a mut [f32], bias: &'a [f32]) {
        for row in values.chunks_exact_mut(bias.len()) {
            for (value, bias) in row.iter_mut().zip(bias) {
                *value += bias;
            }
        }
    }
}

wide! {
    /// x W becomes max(0, x W + b).
    pub fn ramp<'a>(values: &'a mut [f32], bias: &'a [f32]) {
        for row in values.chunks_exact_mut(bias.len()) {
            for (value, bias) in row.iter_mut().zip(bias) {
                let z = *value + bias;
                // What is not a number stays so. Adding 0 makes −0 an ordinary 0.
                *value = if z > 0.0 { z } else { 0.0 * z } + 0.0;
            }
        }
    }
}

wide! {
    /// ∂E/∂h becomes ∂E/∂z of a ramp.
    pub fn through_ramp<'a>(delta: &'a mut [f32], h: &'a [f32]) {
        for (delta, &h) in delta.iter_mut().zip(h) {
            *delta *= if h > 0.0 { 1.0 } else { 0.0 };
        }
    }
}

/// exp(x), right to about a unit in the last place, without a call so that it runs in vectors: 2ⁿ eʳ with n the nearest whole
/// number to x / ln 2 and |r| ≤ ½ ln 2. What is not a number stays so.
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// Adding it rounds to a whole number, which is then in the lowest bits.
    const ROUNDER: f32 = 12_582_912.0;
    /// ln 2 in two parts, the first of which times n is exact.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    /// 1/k! for k from 7 down to 0.
    const TERMS: [f32; 8] = [
        1.0 / 5040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ];
    // Beyond, 2ⁿ would not be an ordinary number.
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUNDER;
    let n = shifted - ROUNDER;
    let r = x - n * LN_2[0] - n * LN_2[1];
    let mut sum = TERMS[0];
    for term in &TERMS[1..] {
        sum = sum * r + term;
    }
    let exponent = shifted
        .to_bits()
        .wrapping_sub(ROUNDER.to_bits())
        .wrapping_add(127);
    sum * f32::from_bits(exponent << 23)
}

/// 1 / (1 + exp(−z)).
#[inline(always)]
fn logistic_of(z: f32) -> f32 {
    1.0 / (1.0 + exp(-z))
}

wide! {
    /// x W becomes 1 / (1 + exp(−x W − b)).
    pub fn logistic<'a>(values: &'a mut [f32], bias: &'a [f32]) {
        for row in values.chunks_exact_mut(bias.len()) {
            for (value, bias) in row.iter_mut().zip(bias) {
                *value = logistic_of(*value + bias);
            }
        }
    }
}

wide! {
    /// ∂E/∂h becomes ∂E/∂z of sigmoids.
    pub fn through_logistic<'a>(delta: &'a mut [f32], h: &'a [f32]) {
        for (delta, &h) in delta.iter_mut().zip(h) {
            *delta *= h * (1.0 - h);
        }
    }
}

/// h W̃ becomes (x̂ − x) x̂ (1 − x̂) with x̂ = 1 / (1 + exp(−h W̃ − c)); the result is ½ Σ (x̂ − x)².
pub fn subtract_from_logistic(values: &mut [f32], bias: &[f32], x: &[f32]) -> f32 {
    wide! {
        fn of_row<'a>(row: &'a mut [f32], bias: &'a [f32], x: &'a [f32], residual: &'a mut [f32]) -> f32 {
            let places = row.iter_mut().zip(bias).zip(x).zip(residual.iter_mut());
            for (((value, bias), x), residual) in places {
                let output = logistic_of(*value + bias);
                *residual = output - x;
                *value = *residual * output * (1.0 - output);
            }
            sum_of_squares(residual)
        }
    }

    let mut residual = vec![0.0; bias.len()];
    let rows = values
        .chunks_exact_mut(bias.len())
        .zip(x.chunks_exact(bias.len()));
    let squares = rows.map(|(row, x)| f64::from(of_row(row, bias, x, &mut residual)));
    (0.5 * squares.sum::<f64>()) as f32
}

/// h W̃ becomes x̂ − x with x̂ = 1 / (1 + exp(−z)), z = h W̃ + c; the result is Σ max(z, 0) − z x + ln(1 + exp(−|z|)).
pub fn subtract_from_probability(values: &mut [f32], bias: &[f32], x: &[f32]) -> f32 {
    /// ln(1 + u) for u in [0, 1] as 2 artanh(u / (2 + u)), by its series.
    #[inline(always)]
    fn log_of_1_and(u: f32) -> f32 {
        let share = u / (2.0 + u);
        let square = share * share;
        let mut sum = 2.0 / 13.0;
        for term in [2.0 / 11.0, 2.0 / 9.0, 2.0 / 7.0, 2.0 / 5.0, 2.0 / 3.0, 2.0] {
            sum = sum * square + term;
        }
        sum * share
    }

    wide! {
        fn of_row<'a>(row: &'a mut [f32], bias: &'a [f32], x: &'a [f32], costs: &'a mut [f32]) -> f32 {
            let places = row.iter_mut().zip(bias).zip(x).zip(costs.iter_mut());
            for (((value, bias), x), cost) in places {
                let z = *value + bias;
                let tail = exp(-z.abs());
                // 1 / (1 + exp(−z)), by the smaller of exp(z) and exp(−z).
                let above = if z < 0.0 { tail } else { 1.0 };
                let output = above / (1.0 + tail);
                let ramp = if z > 0.0 { z } else { 0.0 * z };
                *cost = ramp - z * x + log_of_1_and(tail);
                *value = output - x;
            }
            sum_of(costs)
        }
    }

    let mut costs = vec![0.0; bias.len()];
    let rows = values
        .chunks_exact_mut(bias.len())
        .zip(x.chunks_exact(bias.len()));
    let sums = rows.map(|(row, x)| f64::from(of_row(row, bias, x, &mut costs)));
    sums.sum::<f64>() as f32
}

#[inline(always)]
fn sum_of(values: &[f32]) -> f32 {
    let (blocks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [0.0_f32; LANES];
    for block in blocks {
        for (lane, value) in lanes.iter_mut().zip(block) {
            *lane += value;
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane += value;
    }
    lanes.iter().sum()
}

wide! {
    /// Adds every row of `rows` to `total`: the sums of the columns.
    pub fn add_rows<'a>(total: &'a mut [f32], rows: &'a [f32]) {
        for row in rows.chunks_exact(total.len()) {
            for (sum, &value) in total.iter_mut().zip(row) {
                *sum += value;
            }
        }
    }
}

wide! {
    /// h W̃ becomes r = h W̃ + c − x; the result is ½ Σ r².
    pub fn subtract<'a>(values: &'a mut [f32], bias: &'a [f32], x: &'a [f32]) -> f32 {
        let inputs = bias.len();
        let rows = values.chunks_exact_mut(inputs);
        let mut total = 0.0_f64;
        for (row, x) in rows.zip(x.chunks_exact(inputs)) {
            for ((value, bias), x) in row.iter_mut().zip(bias).zip(x) {
                *value = *value + bias - x;
            }
            total += f64::from(sum_of_squares(row));
        }
        (0.5 * total) as f32
    }
}

/// Σ x².
pub fn squares(entries: &[f32]) -> f64 {
    wide! {
        fn of_run<'a>(run: &'a [f32]) -> f32 {
            sum_of_squares(run)
        }
    }

    // Short runs, so that what is added to is not much larger than what is added.
    let runs = entries.chunks(1024);
    runs.map(|run| f64::from(of_run(run))).sum()
}

#[inline(always)]
fn sum_of_squares(values: &[f32]) -> f32 {
    sum_of_products(values, values)
}

#[inline(always)]
fn sum_of_products(a: &[f32], b: &[f32]) -> f32 {
    let (blocks, rest) = a.as_chunks::<LANES>();
    let (others, other_rest) = b.as_chunks::<LANES>();
    let mut lanes = [0.0_f32; LANES];
    for (block, other) in blocks.iter().zip(others) {
        for ((lane, a), b) in lanes.iter_mut().zip(block).zip(other) {
            *lane += a * b;
        }
    }
    for ((lane, a), b) in lanes.iter_mut().zip(rest).zip(other_rest) {
        *lane += a * b;
    }
    lanes.iter().sum()
}

/// a · b of two vectors, in double precision.
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    let products = a.iter().zip(b);
    products.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

/// Sums of the columns, and the sum of all squares.
pub fn moments(rows: &[f32], columns: usize) -> (Vec<f32>, f64) {
    let mut sums = vec![0.0; columns];
    add_rows(&mut sums, rows);
    (sums, squares(rows))
}

/// Sums of the columns of bytes that stand for their 255th parts, and the sum of all squares.
pub fn byte_moments(rows: &[u8], columns: usize) -> (Vec<f32>, f64) {
    /// Rows of which 32 bits hold a column's sum, and bytes of which they hold the sum of the squares.
    const ROWS: usize = 1 << 24;
    const BYTES: usize = 1 << 16;

    wide! {
        fn moments<'a>(sums: &'a mut [u32], rows: &'a [u8]) -> u64 {
            let mut squares = 0;
            for row in rows.chunks_exact(sums.len()) {
                for (sum, &byte) in sums.iter_mut().zip(row) {
                    *sum = sum.wrapping_add(u32::from(byte));
                }
                for run in row.chunks(BYTES) {
                    let mut of_run = 0_u32;
                    for byte in run.iter().map(|&byte| u32::from(byte)) {
                        of_run = of_run.wrapping_add(byte.wrapping_mul(byte));
                    }
                    squares += u64::from(of_run);
                }
            }
            squares
        }
    }

    let mut sums = vec![0; columns];
    assert!(rows.len() / columns.max(1) <= ROWS, "a batch of any size");
    let squares = moments(&mut sums, rows);
    let sums = sums.into_iter().map(|sum| sum as f32 / 255.0);
    (sums.collect(), squares as f64 / (255.0 * 255.0))
}

wide! {
    /// Each byte's 255th part.
    pub fn shares<'a>(bytes: &'a [u8]) -> Vec<f32> {
        bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect()
    }
}

wide! {
    /// Σ hᵀ (½ G h + Wᵀ c − h + b) over the batch: what its codes add to ½ Σ‖c − x‖².
    pub fn code_energy<'a>(h: &'a [f32], gram_h: &'a [f32], back: &'a [f32], bias: &'a [f32]) -> f64 {
        let units = bias.len();
        let codes = h.chunks_exact(units).zip(gram_h.chunks_exact(units));
        let mut total = 0.0;
        for (h, gram_h) in codes {
            total += f64::from(energy_of_one(h, gram_h, back, bias));
        }
        total
    }
}

/// hᵀ (½ G h + Wᵀ c − h + b).
#[inline(always)]
fn energy_of_one(h: &[f32], gram_h: &[f32], back: &[f32], bias: &[f32]) -> f32 {
    let units = h.len();
    let (gram_h, back, bias) = (&gram_h[..units], &back[..units], &bias[..units]);
    let term = |at: usize| h[at] * (0.5 * gram_h[at] + back[at] - h[at] + bias[at]);
    let whole = units - units % LANES;
    let mut lanes = [0.0_f32; LANES];
    for block in (0..whole).step_by(LANES) {
        for (at, lane) in lanes.iter_mut().enumerate() {
            *lane += term(block + at);
        }
    }
    for (at, lane) in (whole..units).zip(&mut lanes) {
        *lane += term(at);
    }
    lanes.iter().sum()
}

wide! {
    /// G h becomes s ∂E/∂h = s (G h + Wᵀ c − 2 h + b) wherever h is not 0, and 0 elsewhere.
    pub fn code_slope<'a>(scale: f32, gram_h: &'a mut [f32], h: &'a [f32], back: &'a [f32], bias: &'a [f32]) {
        let units = bias.len();
        let (back, bias) = (&back[..units], &bias[..units]);
        let rows = gram_h.chunks_exact_mut(units);
        for (out, h) in rows.zip(h.chunks_exact(units)) {
            // Slices of one known length, so that nothing has to be checked inside the loop.
            let (out, h) = (&mut out[..units], &h[..units]);
            for at in 0..units {
                let slope = out[at] + back[at] - (h[at] - bias[at]) - h[at];
                out[at] = if h[at] > 0.0 { scale * slope } else { 0.0 };
            }
        }
    }
}

wide! {
    /// Adds s · column · rowᵀ.
    pub fn add_outer<'a>(out: &'a mut [f32], scale: f32, column: &'a [f32], row: &'a [f32]) {
        let rows = out.chunks_exact_mut(row.len());
        for (out, value) in rows.zip(column) {
            let factor = scale * value;
            for (out, row) in out.iter_mut().zip(row) {
                *out += factor * row;
            }
        }
    }
}

wide! {
    /// Each row of so many columns becomes one of norm 1; rows of zeros stay.
    pub fn unit_rows<'a>(rows: &'a mut [f32], columns: usize) {
        for row in rows.chunks_exact_mut(columns) {
            let norm = sum_of_squares(row).sqrt();
            if norm != 0.0 {
                for value in row {
                    *value /= norm;
                }
            }
        }
    }
}

wide! {
    /// g − (g·w) w for each row g and the row w of norm 1 in the same place.
    pub fn tangential<'a>(gradient: &'a mut [f32], weight: &'a [f32], columns: usize) {
        let rows = gradient.chunks_exact_mut(columns);
        for (gradient, weight) in rows.zip(weight.chunks_exact(columns)) {
            let along = sum_of_products(gradient, weight);
            for (gradient, weight) in gradient.iter_mut().zip(weight) {
                *gradient -= along * weight;
            }
        }
    }
}

/// KL(ρ‖ρ̂) and its slope in ρ̂, with ρ̂ held inside [clamp, 1 − clamp].
pub fn divergence(target: f32, clamp: f32, estimate: f32) -> (f32, f32) {
    let (rho, rest) = (target, 1.0 - target);
    let estimate = estimate.clamp(clamp, 1.0 - clamp);
    let entropy = rho * rho.ln() + rest * rest.ln();
    let divergence = entropy - rho * estimate.ln() - rest * (1.0 - estimate).ln();
    // Never negative in exact arithmetic; what is not a number stays so.
    let divergence = if divergence < 0.0 { 0.0 } else { divergence };
    (divergence, rest / (1.0 - estimate) - rho / estimate)
}

wide! {
    /// A step of Adam on some parameters, each read and written once. Each operation is that of burn's own rule, in its
    /// order, so that the bits are the same.
    pub fn adam<'a>(
        rates: AdamRatesNow,
        parameter: &'a mut [f32],
        first: &'a mut [f32],
        second: &'a mut [f32],
        gradient: &'a [f32],
    ) {
        let (take_1, take_2) = (1.0 - rates.beta_1, 1.0 - rates.beta_2);
        let moments = first.iter_mut().zip(second);
        let places = parameter.iter_mut().zip(moments).zip(gradient);
        for ((parameter, (first, second)), gradient) in places {
            *first = *first * rates.beta_1 + gradient * take_1;
            *second = *second * rates.beta_2 + gradient * gradient * take_2;
            let step = *first * rates.factor / (second.sqrt() + rates.epsilon);
            *parameter -= step * rates.learning_rate;
        }
    }
}

/// The cost of one image, −Σₖ dₖ ln yₖ with y = softmax(z); its logits z become its slopes ∂E/∂z = y Σ d − d. No logit is
/// too large: the largest is taken off first.
pub fn cross_entropy(row: &mut [f32], wanted: &[f32]) -> f32 {
    let largest = row
        .iter()
        .fold(f32::NEG_INFINITY, |largest, &z| largest.max(z));
    let sum: f32 = row.iter().map(|z| (z - largest).exp()).sum();
    let log_sum = sum.ln();
    let all: f32 = wanted.iter().sum();
    let mut cost = 0.0;
    for (value, wanted) in row.iter_mut().zip(wanted) {
        let log_share = *value - largest - log_sum;
        cost -= wanted * log_share;
        *value = all * log_share.exp() - wanted;
    }
    cost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sigmoids_are_right_to_the_last_places_whatever_the_sum() {
        let sums: Vec<f32> = (-9000..=9000).map(|at| at as f32 * 0.01).collect();
        let mut found = sums.clone();
        logistic(&mut found, &[0.0]);
        for (&z, found) in sums.iter().zip(found) {
            let exact = 1.0 / (1.0 + (-f64::from(z)).exp());
            // Below −87 it stays what it is there.
            let near =
                (f64::from(found) - exact).abs() <= 3e-7 * exact || (z < -87.0 && found < 2e-38);
            assert!(near, "{z}: {found} and {exact}");
        }
        for (&z, x) in sums.iter().zip([0.0, 0.3, 1.0].into_iter().cycle()) {
            let mut slope = [z];
            let found = f64::from(subtract_from_probability(&mut slope, &[0.0], &[x]));
            let (z, x) = (f64::from(z), f64::from(x));
            let exact = z.max(0.0) - z * x + (-z.abs()).exp().ln_1p();
            // Of what is the difference of larger numbers, their last places.
            assert!(
                (found - exact).abs() <= 3e-7 * (exact + z.abs()),
                "{z}: {found} and {exact}"
            );
            let exact = 1.0 / (1.0 + (-z).exp()) - x;
            assert!(
                (f64::from(slope[0]) - exact).abs() < 2e-7,
                "{z}: {slope:?} and {exact}"
            );
        }
        let mut odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
        logistic(&mut odd, &[0.0]);
        assert!(
            odd[0].is_nan() && odd[1] > 0.999_999 && odd[2] < 2e-38,
            "{odd:?}"
        );
    }
}
