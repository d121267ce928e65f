//! Whether something grows, and not only goes up and down.

use std::time::Duration;

/// How far back growth is looked for.
pub(crate) const WINDOW: Duration = Duration::from_secs(5 * 60);
/// Into how many parts that is cut. The mean of each stands for it.
pub(crate) const PARTS: usize = 6;
/// A shorter time says nothing.
const SPAN_MIN: Duration = Duration::from_secs(60);
/// How many of the steps from part to part have to go up.
const STEPS_UP_MIN: usize = 4;
/// By what factor, and by how many messages, it has to grow.
const FACTOR_MIN: f64 = 1.5;
const MESSAGES_MIN: f64 = 100.0;
/// Which part of the highest has still to be there at the end.
const OF_HIGHEST_MIN: f64 = 0.9;

/// A depth that grows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Growth {
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) over: Duration,
}

/// The growth of a series of depths with their moments, oldest first. What was growing before goes
/// on growing until there is not more at the end than at the beginning, so that nothing comes and
/// goes with every look.
pub(crate) fn growth(depths: &[(Duration, f32)], was_growing: bool) -> Option<Growth> {
    let (first, last) = (depths.first()?, depths.last()?);
    let over = last.0.saturating_sub(first.0);
    if over < SPAN_MIN {
        return None;
    }
    let parts = means(depths, first.0, over);
    let (low, high) = (*parts.first()?, *parts.last()?);
    let up = parts.iter().zip(parts.iter().skip(1)).filter(|(before, after)| after > before);
    let steps_up = up.count();
    let highest = parts.iter().copied().fold(f64::MIN, f64::max);
    let newest = f64::from(last.1);
    let is_more = high > low && newest > f64::from(first.1);
    let is_much_more = steps_up >= STEPS_UP_MIN
        && high >= low * FACTOR_MIN
        && high - low >= MESSAGES_MIN
        && newest >= highest * OF_HIGHEST_MIN;
    (is_more && (was_growing || is_much_more)).then_some(Growth {
        from: first.1 as i64,
        to: last.1 as i64,
        over,
    })
}

/// The mean of each part of the time; parts without a depth are left out.
fn means(depths: &[(Duration, f32)], from: Duration, over: Duration) -> Vec<f64> {
    let mut sums = [(0.0, 0_u32); PARTS];
    for (at, depth) in depths {
        let share = at.saturating_sub(from).as_secs_f64() / over.as_secs_f64();
        let part = ((share * PARTS as f64) as usize).min(PARTS - 1);
        if let Some((sum, count)) = sums.get_mut(part) {
            *sum += f64::from(*depth);
            *count += 1;
        }
    }
    let filled = sums.iter().filter(|(_, count)| *count > 0);
    filled.map(|(sum, count)| sum / f64::from(*count)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One depth every 10 s.
    fn series(depths: impl IntoIterator<Item = f32>) -> Vec<(Duration, f32)> {
        let at = |place: usize| Duration::from_secs(1000 + 10 * place as u64);
        depths.into_iter().enumerate().map(|(place, depth)| (at(place), depth)).collect()
    }

    #[track_caller]
    fn check(depths: &[(Duration, f32)], was_growing: bool, expected: Option<(i64, i64, u64)>) {
        let growth = growth(depths, was_growing);
        let found = growth.map(|growth| (growth.from, growth.to, growth.over.as_secs()));
        assert_eq!(found, expected, "{depths:?}");
    }

    #[test]
    fn what_grows() {
        let steady = |count: u16| series((0..count).map(|place| f32::from(place) * 50.0));
        check(&steady(31), false, Some((0, 1500, 300)));
        check(&steady(7), false, Some((0, 300, 60)));
        check(&steady(6), false, None);
        // With some noise.
        let noisy = (0..31).map(|place: u16| f32::from(place * 50 + place % 3 * 60));
        check(&series(noisy), false, Some((0, 1500, 300)));
        // Looks are rare: every 100 s.
        let rare: Vec<_> = (0..6).map(|n: u16| f32::from(n) * 900.0).collect();
        let rare = rare.into_iter().enumerate();
        let rare: Vec<_> = rare.map(|(n, d)| (Duration::from_secs(100 * n as u64), d)).collect();
        check(&rare, false, Some((0, 4500, 500)));
    }

    #[test]
    fn what_does_not() {
        check(&[], false, None);
        check(&[], true, None);
        check(&series([7000.0; 31]), false, None);
        // A jump, and a slow drain behind it: a burst of messages, or a node that came back.
        let jump = |place: u16| if place < 15 { 0.0 } else { 9000.0 - f32::from(place) };
        check(&series((0..31).map(jump)), false, None);
        // Up and down.
        check(&series((0..31_u16).map(|place| f32::from(place % 5) * 1000.0)), false, None);
        // Too little, and too little of it.
        check(&series((0..31_u16).map(f32::from)), false, None);
        check(&series((0..31_u16).map(|place| 9000.0 + f32::from(place) * 50.0)), false, None);
        // It has grown, and is gone.
        let gone = |place: u16| if place == 30 { 0.0 } else { f32::from(place) * 50.0 };
        check(&series((0..31).map(gone)), false, None);
    }

    #[test]
    fn growth_goes_on_until_there_is_no_more_than_before() {
        let slow = series((0..31_u16).map(|place| 9000.0 + f32::from(place)));
        check(&slow, false, None);
        check(&slow, true, Some((9000, 9030, 300)));
        check(&series([9000.0; 31]), true, None);
        check(&series((0..31_u16).map(|place| 9000.0 - f32::from(place))), true, None);
    }

    proptest! {
        /// What is found has grown.
        #[test]
        fn found_is_grown(
            depths in proptest::collection::vec(0.0_f32..1e6, 0..40),
            was_growing in any::<bool>(),
        ) {
            let depths = series(depths);
            if let Some(growth) = growth(&depths, was_growing) {
                prop_assert!(growth.over >= SPAN_MIN);
                let means = means(&depths, depths[0].0, growth.over);
                prop_assert!(means[means.len() - 1] > means[0]);
                // Whoever grows by itself goes on growing.
                prop_assert_eq!(super::growth(&depths, true), Some(growth));
            }
        }

        /// What never grows is never found.
        #[test]
        fn falling_is_not_growing(
            mut depths in proptest::collection::vec(0.0_f32..1e6, 0..40),
            was_growing in any::<bool>(),
        ) {
            depths.sort_by(|a, b| b.total_cmp(a));
            prop_assert_eq!(growth(&series(depths), was_growing), None);
        }
    }
}
