//! Where a moment lies from left to right.
//!
//! A fork may come milliseconds after the initialisation, and the use hours after the fork: drawn
//! to scale, one of them could not be seen. Long gaps are drawn shorter and short ones longer, in
//! their order, and the axis says what they are.

use crate::time::Stamp;

/// Up to this many gaps are each wide enough for what is drawn at its ends; of more, the first
/// ones, in which everything began.
const APART: usize = 24;
const FIRST: usize = 2;
/// How wide that is.
const ROOM: f64 = 30.0;

/// Moments and where they lie.
pub struct Scale {
    places: Vec<(Stamp, f64)>,
}

impl Scale {
    /// Places all `moments` between `left` and `right`.
    pub fn new(mut moments: Vec<Stamp>, left: f64, right: f64) -> Self {
        moments.sort_unstable();
        moments.dedup();
        let weights: Vec<f64> = moments
            .windows(2)
            .map(|pair| (pair[0].until(pair[1]).0 as f64).powf(0.45))
            .collect();
        let sum: f64 = weights.iter().sum();
        let apart = if weights.len() <= APART {
            weights.len()
        } else {
            FIRST
        };
        let shared = right - left - ROOM * apart as f64;
        let mut x = left;
        let mut places = Vec::with_capacity(moments.len());
        for (i, &moment) in moments.iter().enumerate() {
            if i > 0 {
                x += if i <= apart { ROOM } else { 0.0 };
                x += shared * weights[i - 1] / sum;
            }
            places.push((moment, x));
        }
        Self { places }
    }

    /// Where a moment lies; one that was not given lies where the one before it does.
    pub fn x(&self, moment: Stamp) -> f64 {
        let at = self.places.partition_point(|(other, _)| *other <= moment);
        self.places
            .get(at.saturating_sub(1))
            .map_or(0.0, |(_, x)| *x)
    }

    /// Moments to be written at the axis, at least `apart` from one another.
    pub fn ticks(&self, apart: f64) -> Vec<(Stamp, f64)> {
        let mut ticks: Vec<(Stamp, f64)> = Vec::new();
        for &(moment, x) in &self.places {
            if ticks.last().is_none_or(|(_, last)| x - last >= apart) {
                ticks.push((moment, x));
            }
        }
        ticks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept_and_everything_can_be_seen() {
        let day = 86_400_000;
        let scale = Scale::new([0, 2, 14, day].map(Stamp).to_vec(), 100.0, 1000.0);
        let xs: Vec<f64> = [0, 2, 14, day]
            .iter()
            .map(|&at| scale.x(Stamp(at)))
            .collect();
        assert!(
            (xs[0] - 100.0).abs() < 0.01 && (xs[3] - 1000.0).abs() < 0.01,
            "{xs:?}"
        );
        assert!(
            xs.windows(2).all(|pair| pair[1] - pair[0] >= ROOM),
            "{xs:?}"
        );
        assert_eq!(scale.ticks(60.0).len(), 3);
    }

    #[test]
    fn one_moment_or_none_is_a_place() {
        assert!((Scale::new(vec![Stamp(5)], 10.0, 20.0).x(Stamp(5)) - 10.0).abs() < 0.01);
        assert!(Scale::new(vec![], 10.0, 20.0).ticks(1.0).is_empty());
    }
}
