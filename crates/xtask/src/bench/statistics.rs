//! What many rounds say together.

/// The middle of some figures, and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Summary {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

/// None for no figures.
pub(super) fn summary(figures: &[f64]) -> Option<Summary> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (least, most) = (*sorted.first()?, *sorted.last()?);
    let middle = sorted.len() / 2;
    let is_odd = sorted.len() % 2 == 1;
    let median = if is_odd { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) };
    Some(Summary { median, least, most })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_lies_in_the_middle() {
        assert_eq!(summary(&[3.0, 9.0, 1.0]), Some(Summary { median: 3.0, least: 1.0, most: 9.0 }));
        assert_eq!(summary(&[4.0, 2.0]).map(|summary| summary.median), Some(3.0));
        assert_eq!(summary(&[]), None);
    }
}
