//! Whether one group of few repeats is larger than another, without assuming a distribution.

/// The median; none without values.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = sorted.get(middle)?;
    if sorted.len() % 2 == 1 {
        return Some(*upper);
    }
    Some((sorted.get(middle.checked_sub(1)?)? + upper) / 2.0)
}

/// The probability that the ranks of `new` among both come out at least as high as they did, if the two groups do
/// not differ (Mann and Whitney, one-sided): exact over all ways to deal the values into groups of these sizes,
/// with middle ranks for equal values. 1 if a group is empty.
///
/// Ranks, not medians: 6 and 6 repeats that do not overlap at all have the highest rank sum of all 924 deals alone,
/// but share the largest difference of medians with five others.
pub fn probability_of_as_high(old: &[f64], new: &[f64]) -> f64 {
    if old.is_empty() || new.is_empty() {
        return 1.0;
    }
    let ranks = doubled_ranks(old, new);
    let observed: usize = ranks.iter().skip(old.len()).sum();
    let all: usize = ranks.iter().sum();
    // ways[k][s]: in how many ways k of the values seen so far have the ranks s in all.
    let mut ways = vec![vec![0.0_f64; all + 1]; new.len() + 1];
    if let Some(none) = ways.first_mut().and_then(|row| row.first_mut()) {
        *none = 1.0;
    }
    for rank in ranks {
        for taken in (1..=new.len()).rev() {
            let (fewer, more) = ways.split_at_mut(taken);
            let (Some(fewer), Some(row)) = (fewer.last(), more.first_mut()) else {
                continue;
            };
            for (sum, before) in row.iter_mut().skip(rank).zip(fewer) {
                *sum += before;
            }
        }
    }
    let Some(dealt) = ways.last() else {
        return 1.0;
    };
    let total: f64 = dealt.iter().sum();
    dealt.iter().skip(observed).sum::<f64>() / total
}

/// Twice the rank of each value of `old`, then of `new`: middle ranks are halves.
fn doubled_ranks(old: &[f64], new: &[f64]) -> Vec<usize> {
    let all: Vec<f64> = old.iter().chain(new).copied().collect();
    all.iter()
        .map(|value| {
            let smaller = all.iter().filter(|other| *other < value).count();
            let equal = all.iter().filter(|other| *other == value).count();
            2 * smaller + equal + 1
        })
        .collect()
}

/// Repeats that are split in every way; of more, the first so many.
const SPLIT_MAX: usize = 12;
/// The share of splits that differ by no more than what is told.
const SPLITS_WITHIN: f64 = 0.95;

/// How far apart the medians of two halves of the same repeats lie, in 95 of 100 ways to split them: what two runs
/// of one thing differ by (A/A). None for fewer than two repeats.
pub fn split_difference(values: &[f64]) -> Option<f64> {
    let values = values.get(..values.len().min(SPLIT_MAX))?;
    let half = u32::try_from(values.len() / 2).ok().filter(|half| *half > 0)?;
    let mut differences: Vec<f64> = (0..1_u32 << values.len())
        .filter(|split| split.count_ones() == half)
        .filter_map(|split| {
            let of = |side| -> Vec<f64> {
                let on_side = |place: &usize| (split >> place) & 1 == side;
                let places = (0..values.len()).filter(on_side);
                places.filter_map(|place| values.get(place).copied()).collect()
            };
            Some((median(&of(0))? - median(&of(1))?).abs())
        })
        .collect();
    differences.sort_by(f64::total_cmp);
    let within = (differences.len() as f64 * SPLITS_WITHIN).ceil();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most 924"
    )]
    let place = within as usize;
    differences.get(place.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn groups_that_do_not_overlap_are_one_deal_in_all() {
        let low = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let high = [7.0, 8.0, 9.0, 10.0, 11.0, 12.0];
        let near = |got: f64, want: f64| assert!((got - want).abs() < 1e-12, "{got} instead of {want}");
        near(probability_of_as_high(&low, &high), 1.0 / 924.0);
        near(probability_of_as_high(&high, &low), 1.0);
        // One pair out of order: the next rank sum below the highest, which one other deal has besides.
        near(
            probability_of_as_high(&[1.0, 2.0, 4.0], &[3.0, 5.0, 6.0]),
            2.0 / 20.0,
        );
        // All deals look the same.
        near(probability_of_as_high(&[1.0; 6], &[1.0; 6]), 1.0);
        near(probability_of_as_high(&[], &high), 1.0);
    }

    #[test]
    fn equal_groups_are_told_apart_as_often_as_the_level_says() {
        let mut rng = StdRng::seed_from_u64(7);
        let mut below = 0;
        for _ in 0..2_000 {
            let mut group = || -> Vec<f64> { (0..6).map(|_| rng.random()).collect() };
            below += u32::from(probability_of_as_high(&group(), &group()) <= 0.05);
        }
        // The exact level of 6 and 6 below 5 % is 4.7 %; four standard errors are 1.9 %.
        assert!((56..=132).contains(&below), "{below} of 2000");
    }

    #[test]
    fn splits_of_the_same_repeats_tell_how_far_apart_equal_runs_are() {
        assert_eq!(split_difference(&[1.0]), None);
        assert_eq!(split_difference(&[1.0, 1.5]), Some(0.5));
        assert_eq!(split_difference(&[2.0; 20]), Some(0.0));
        let spread = split_difference(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert!((2.0..=3.0).contains(&spread), "{spread}");
    }
}
