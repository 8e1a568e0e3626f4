//! L-BFGS with a line search: Nocedal and Wright, *Numerical Optimization* (2006), algorithms 7.4 and 7.5, with the strong
//! Wolfe conditions of algorithms 3.5 and 3.6. It knows functions of plain vectors, and nothing of models.

use std::collections::VecDeque;

use super::state::State;

/// c₁: the share of the first slope's promise by which a step must lower the value.
const DECREASE: f64 = 1e-4;
/// c₂: the share of the first slope that may be left at the end of a step.
const CURVATURE: f64 = 0.9;
/// Evaluations of one line search: an interval that was halved as often is down to rounding.
const MOST_EVALUATIONS: usize = 25;
/// By how much a step that was too short grows, at least and at most.
const GROWTH: [f64; 2] = [2.0, 10.0];

/// A function at a point.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// What is to become small.
    pub value: f64,
    pub gradient: Vec<f32>,
    /// What the value consists of, for the record.
    pub parts: Vec<f64>,
}

/// A step and how the gradient changed along it.
#[derive(Debug, Clone)]
struct Pair {
    step: Vec<f32>,
    change: Vec<f32>,
    /// Their product, which is positive.
    product: f64,
}

/// What is remembered of the way.
#[derive(Debug)]
pub struct Lbfgs {
    history: usize,
    /// The oldest first.
    pairs: VecDeque<Pair>,
    /// The function where the last step ended; absent before the first step.
    here: Option<Evaluation>,
    /// Whether not even the steepest way leads down any more.
    is_through: bool,
}

impl Lbfgs {
    /// Before its first step; it will remember the last `history` steps.
    pub fn new(history: usize) -> Self {
        Self {
            history,
            pairs: VecDeque::new(),
            here: None,
            is_through: false,
        }
    }

    /// Forgets the way so far: the function is another one.
    pub fn forget(&mut self) {
        *self = Self::new(self.history);
    }

    /// One iteration: from `place` along the way down to a better one. Gives the function there.
    ///
    /// Where no way leads down that rounding does not hide, `place` stays.
    pub fn step(
        &mut self,
        place: &mut Vec<f32>,
        evaluate: &mut dyn FnMut(&[f32]) -> Evaluation,
    ) -> &Evaluation {
        let here = match self.here.take() {
            Some(here) => here,
            None => evaluate(place),
        };
        if self.is_through {
            return self.here.insert(here);
        }
        let direction = self.direction(&here.gradient);
        // Before anything is known of the curvature, the numbers change by 1 in sum at most.
        let first = if self.pairs.is_empty() {
            let sum: f64 = direction.iter().map(|d| f64::from(d.abs())).sum();
            1.0 / sum.max(1.0)
        } else {
            1.0
        };
        let Some(end) = search(place, &direction, &here, first, evaluate) else {
            // What is remembered may mislead; with nothing remembered, this is as low as it gets.
            self.is_through = self.pairs.is_empty();
            self.pairs.clear();
            return self.here.insert(here);
        };
        let step = differences(&end.place, place);
        let change = differences(&end.at.gradient, &here.gradient);
        let product = dot(&step, &change);
        if product > f64::EPSILON * dot(&change, &change) {
            if self.pairs.len() == self.history {
                self.pairs.pop_front();
            }
            self.pairs.push_back(Pair {
                step,
                change,
                product,
            });
        }
        *place = end.place;
        self.here.insert(end.at)
    }

    /// −H g, with H what the pairs tell of the inverse of the second derivatives.
    fn direction(&self, gradient: &[f32]) -> Vec<f32> {
        let mut direction: Vec<f32> = gradient.iter().map(|g| -g).collect();
        let mut shares = Vec::with_capacity(self.pairs.len());
        for pair in self.pairs.iter().rev() {
            let share = dot(&pair.step, &direction) / pair.product;
            add(&mut direction, -share, &pair.change);
            shares.push(share);
        }
        if let Some(last) = self.pairs.back() {
            let scale = (last.product / dot(&last.change, &last.change)) as f32;
            for number in &mut direction {
                *number *= scale;
            }
        }
        for (pair, share) in self.pairs.iter().zip(shares.into_iter().rev()) {
            let back = dot(&pair.change, &direction) / pair.product;
            add(&mut direction, share - back, &pair.step);
        }
        direction
    }

    /// What it remembers. The function where it stands is left out: it follows from the place.
    pub fn state(&self) -> State {
        let mut state = State::default();
        for (at, pair) in self.pairs.iter().enumerate() {
            state.put_numbers(&format!("step.{at:04}"), pair.step.clone());
            state.put_numbers(&format!("change.{at:04}"), pair.change.clone());
        }
        state
    }

    /// Takes back what [`state`](Self::state) gave, for so many numbers; `None` if it does not fit.
    pub fn restore(&mut self, mut state: State, numbers: usize) -> Option<()> {
        let mut take = |prefix| state.take_all_numbers(prefix).into_iter().map(|(_, of)| of);
        let (steps, changes) = (take("step."), take("change."));
        if steps.len() != changes.len() || steps.len() > self.history || !state.is_empty() {
            return None;
        }
        let pairs = steps.zip(changes).map(|(step, change)| {
            let product = dot(&step, &change);
            [&step, &change]
                .iter()
                .all(|of| of.len() == numbers)
                .then_some(Pair {
                    step,
                    change,
                    product,
                })
        });
        self.pairs = pairs.collect::<Option<_>>()?;
        Some(())
    }
}

/// A point on the line of a search.
struct Point {
    /// How many times the direction it is away.
    length: f64,
    /// The derivative along the direction.
    slope: f64,
    place: Vec<f32>,
    at: Evaluation,
}

/// A point along `direction` that fulfils both conditions or, where rounding does not let it find one, the lowest that it
/// saw; `None` if it saw none that is lower than `here`.
fn search(
    place: &[f32],
    direction: &[f32],
    here: &Evaluation,
    first: f64,
    evaluate: &mut dyn FnMut(&[f32]) -> Evaluation,
) -> Option<Point> {
    let slope = dot(&here.gradient, direction);
    if !(here.value.is_finite() && slope < 0.0) {
        return None;
    }
    let mut low = Point {
        length: 0.0,
        slope,
        place: place.to_vec(),
        at: here.clone(),
    };
    // The other end of an interval that holds what is looked for, once there is one.
    let mut high: Option<Point> = None;
    let mut length = first;
    for _ in 0..MOST_EVALUATIONS {
        let mut there = place.to_vec();
        add(&mut there, length, direction);
        let at = evaluate(&there);
        let point = Point {
            length,
            slope: dot(&at.gradient, direction),
            place: there,
            at,
        };
        let is_lower = point.at.value <= here.value + DECREASE * length * slope
            && point.at.value < low.at.value
            && point.slope.is_finite();
        if !is_lower {
            high = Some(point);
        } else if point.slope.abs() <= -CURVATURE * slope {
            return Some(point);
        } else {
            // Whether it rises from here towards the other end, which is infinitely far as long as there is none.
            let way = high.as_ref().map_or(1.0, |high| high.length - low.length);
            let before = std::mem::replace(&mut low, point);
            if low.slope * way >= 0.0 {
                high = Some(before);
            } else if high.is_none() {
                length = further(&before, &low);
                continue;
            }
        }
        length = high.as_ref().map_or(length, |high| between(&low, high));
    }
    (low.length > 0.0).then_some(low)
}

/// Where the slope would be 0 if it went on changing as from `before` to `last`; within bounds.
fn further(before: &Point, last: &Point) -> f64 {
    let gone = last.length - before.length;
    let bent = last.slope - before.slope;
    let length = if bent > 0.0 {
        last.length - last.slope * gone / bent
    } else {
        f64::INFINITY
    };
    length.clamp(GROWTH[0] * last.length, GROWTH[1] * last.length)
}

/// Where the cubic through both points has its minimum (Nocedal and Wright, equation 3.59), but not next to either; the
/// middle where there is no such cubic.
fn between(low: &Point, high: &Point) -> f64 {
    let wide = high.length - low.length;
    let mean = (high.at.value - low.at.value) / wide;
    let first = low.slope + high.slope - 3.0 * mean;
    let root = (first * first - low.slope * high.slope).sqrt() * wide.signum();
    let share = 1.0 - (high.slope + root - first) / (high.slope - low.slope + 2.0 * root);
    let share = if share.is_finite() { share } else { 0.5 };
    low.length + wide * share.clamp(0.1, 0.9)
}

fn differences(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// a + s b in place of a.
fn add(a: &mut [f32], scale: f64, b: &[f32]) {
    let scale = scale as f32;
    for (a, b) in a.iter_mut().zip(b) {
        *a += scale * b;
    }
}

/// a · b in double precision, in as many sums as a processor may add up side by side.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    const LANES: usize = 16;
    let (blocks, rest) = a.as_chunks::<LANES>();
    let (others, other_rest) = b.as_chunks::<LANES>();
    let mut lanes = [0.0_f64; LANES];
    for (a, b) in blocks.iter().zip(others) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += f64::from(*a) * f64::from(*b);
        }
    }
    for ((lane, a), b) in lanes.iter_mut().zip(rest).zip(other_rest) {
        *lane += f64::from(*a) * f64::from(*b);
    }
    lanes.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ½ Σ cᵢ (xᵢ − i)², with curvatures cᵢ from 1 to 1000.
    fn bowl(x: &[f32]) -> Evaluation {
        let curvature = |at: usize| 1000.0_f64.powf(at as f64 / (x.len() - 1) as f64);
        let off = |at: usize| f64::from(x[at]) - at as f64;
        let squares = (0..x.len()).map(|at| curvature(at) * off(at).powi(2));
        Evaluation {
            value: 0.5 * squares.sum::<f64>(),
            gradient: (0..x.len())
                .map(|at| (curvature(at) * off(at)) as f32)
                .collect(),
            parts: Vec::new(),
        }
    }

    /// Rosenbrock's valley, 100 (y − x²)² + (1 − x)², whose floor bends to its minimum at (1, 1).
    fn valley(place: &[f32]) -> Evaluation {
        let [x, y] = [f64::from(place[0]), f64::from(place[1])];
        let off = y - x * x;
        Evaluation {
            value: 100.0 * off * off + (1.0 - x).powi(2),
            gradient: vec![
                (-400.0 * x * off - 2.0 * (1.0 - x)) as f32,
                (200.0 * off) as f32,
            ],
            parts: Vec::new(),
        }
    }

    /// The value after so many steps, and how often the function was asked for.
    fn descend(
        function: fn(&[f32]) -> Evaluation,
        place: &mut Vec<f32>,
        steps: usize,
    ) -> (f64, usize) {
        let (mut rule, mut evaluations) = (Lbfgs::new(10), 0);
        let mut value = f64::INFINITY;
        for step in 0..steps {
            let now = rule.step(place, &mut |at| {
                evaluations += 1;
                function(at)
            });
            assert!(now.value <= value, "step {step} leads down or nowhere");
            value = now.value;
        }
        (value, evaluations)
    }

    #[test]
    fn a_long_bowl_is_left_at_its_bottom_after_few_evaluations() {
        let mut place = vec![0.0; 20];
        let (value, evaluations) = descend(bowl, &mut place, 150);
        assert!(value < 1e-6, "{value}");
        assert!(evaluations < 200, "{evaluations}");
        for (at, number) in place.iter().enumerate() {
            assert!((number - at as f32).abs() < 1e-3, "{at}: {number}");
        }
    }

    #[test]
    fn a_bent_valley_is_followed_to_its_end() {
        let mut place = vec![-1.2, 1.0];
        let (value, evaluations) = descend(valley, &mut place, 60);
        assert!(value < 1e-10, "{value} at {place:?}");
        assert!(evaluations < 130, "{evaluations}");
    }

    #[test]
    fn a_step_onto_what_is_no_number_is_cut_short() {
        // x − ln x, which is infinite or no number from 0 down; the first step from 5 of this size leads there.
        let function = |place: &[f32]| {
            let x = f64::from(place[0]);
            Evaluation {
                value: 10.0 * (x - x.ln()),
                gradient: vec![(10.0 * (1.0 - 1.0 / x)) as f32],
                parts: Vec::new(),
            }
        };
        let mut place = vec![0.02];
        let (value, _) = descend(function, &mut place, 20);
        assert!((value - 10.0).abs() < 1e-9, "{value} at {place:?}");
    }

    #[test]
    fn it_goes_on_from_its_state_with_the_same_bits() {
        let run = |stop: Option<usize>| {
            let (mut rule, mut place) = (Lbfgs::new(3), vec![-1.2, 1.0]);
            for step in 0..20 {
                if stop == Some(step) {
                    let state = rule.state();
                    rule = Lbfgs::new(3);
                    assert_eq!(rule.restore(state, 2), Some(()));
                }
                rule.step(&mut place, &mut valley);
            }
            place.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
        };
        let whole = run(None);
        for stop in [0, 1, 7, 19] {
            assert_eq!(run(Some(stop)), whole, "stopped before step {stop}");
        }
        let (mut rule, mut place) = (Lbfgs::new(3), vec![-1.2, 1.0]);
        rule.step(&mut place, &mut valley);
        assert_eq!(Lbfgs::new(3).restore(rule.state(), 3), None, "other sizes");
    }
}
