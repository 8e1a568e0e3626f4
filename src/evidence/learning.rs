//! Whether a classifier's test accuracy says that it has learnt anything: it is held against always naming the commonest
//! class.
//!
//! An accuracy counts as above chance if so many test images, or more, would be right in fewer than 1 of
//! [`RARE`](RARE) runs of a guess that is right with the commonest class's share: an exact binomial test (Clopper and
//! Pearson 1934). It asks for less where there are many test images, and for what can be had where one class has nearly
//! all of them, unlike a distance in percentage points. Where accuracy tells nothing, the training cost does, against the
//! entropy of the classes' shares.

use super::accuracy::Chance;

/// One in so many guesses may look like something learnt. A run has tens to hundreds of accuracies that could.
const RARE: f64 = 1000.0;

/// What an accuracy on the test images can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// No better than always naming the commonest class.
    AtChance,
    /// Better, but by so little that a guess may be, too.
    CannotTell,
    AboveChance,
}

/// The line between chance and learning on these test images.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judge {
    chance: Chance,
    /// The fewest right images that a guess hardly ever has; absent where a guess may have all of them right.
    least: Option<usize>,
}

impl Judge {
    pub(super) fn new(chance: Chance) -> Self {
        let least = least_rare(chance.test_images, chance.accuracy());
        Self { chance, least }
    }

    /// What `accuracy`, in [0, 1], tells.
    pub(super) fn verdict(&self, accuracy: f64) -> Verdict {
        let right = (accuracy * self.chance.test_images as f64).round() as usize;
        if self.least.is_some_and(|least| right >= least) {
            Verdict::AboveChance
        } else if right > self.chance.commonest {
            Verdict::CannotTell
        } else {
            Verdict::AtChance
        }
    }

    /// The accuracy from which on something was learnt; absent where none would tell.
    pub(super) fn threshold(&self) -> Option<f64> {
        let least = self.least?;
        Some(least as f64 / self.chance.test_images as f64)
    }
}

/// The smallest r with P(X ≥ r) < 1 / [`RARE`], X binomial of `images` trials with probability `share`.
fn least_rare(images: usize, share: f64) -> Option<usize> {
    // No test part has more images than that: a count beyond is no count.
    const MOST: usize = u32::MAX as usize;
    if share >= 1.0 || share <= 0.0 || images > MOST {
        return None;
    }
    let (hit, miss) = (share.ln(), (1.0 - share).ln());
    // ln P(X = images), and from there down by the ratio of neighbours.
    let mut log = images as f64 * hit;
    let mut tail = 0.0;
    let mut least = None;
    for right in (0..=images).rev() {
        tail += log.exp();
        if tail >= 1.0 / RARE {
            break;
        }
        least = Some(right);
        log += (right as f64).ln() - ((images - right + 1) as f64).ln() + miss - hit;
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(test_images: usize, commonest: usize) -> Judge {
        Judge::new(Chance {
            test_images,
            commonest,
            entropy: 0.0,
        })
    }

    #[test]
    fn the_line_is_that_of_the_binomial_distribution() {
        // Ten images, two of the commonest class: P(X ≥ 6) = 0.00637 and P(X ≥ 7) = 0.00086.
        assert_eq!(least_rare(10, 0.2), Some(7));
        // 0.5¹⁰ = 0.00098, and eleven times that for one mistake.
        assert_eq!(least_rare(10, 0.5), Some(10));
        // 0.5⁹ = 0.00195: nine right out of nine are no proof.
        assert_eq!(least_rare(9, 0.5), None);
        assert_eq!(least_rare(1, 1.0), None);
    }

    #[test]
    fn mnist_s_chance_ends_at_12_4_percent() {
        let judge = judge(10_000, 1135);
        let threshold = judge.threshold().expect("many images");
        assert!((0.123..0.125).contains(&threshold), "{threshold}");
        assert_eq!(judge.verdict(0.1135), Verdict::AtChance);
        assert_eq!(judge.verdict(0.098), Verdict::AtChance);
        assert_eq!(judge.verdict(0.12), Verdict::CannotTell);
        assert_eq!(judge.verdict(0.15), Verdict::AboveChance);
    }

    #[test]
    fn with_nearly_one_class_a_perfect_model_has_learnt() {
        // 0.96²⁰⁰ = 0.00028.
        assert_eq!(judge(200, 192).verdict(1.0), Verdict::AboveChance);
        assert_eq!(judge(200, 192).verdict(0.96), Verdict::AtChance);
        // Of 50 images nobody can tell.
        assert_eq!(judge(50, 48).verdict(1.0), Verdict::CannotTell);
        assert_eq!(judge(50, 48).threshold(), None);
    }

    #[test]
    fn one_class_leaves_nothing_to_tell() {
        let judge = judge(30, 30);
        assert_eq!(judge.verdict(1.0), Verdict::AtChance);
        assert_eq!(judge.threshold(), None);
    }
}
