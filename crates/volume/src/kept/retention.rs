//! Which roots of history stay: a pure rule, without a clock.
//!
//! A retention is a list of tiers, `1h:all,1d:1h,30d:1d,1y:1w`: of the last hour everything, up to a day back one root per hour, up
//! to 30 days one per day, up to a year one per week; what is older goes. A root goes when the next newer one lies in the same
//! hour (day, week) as itself. So the last root of each stays, it stays while it grows older, and each decision needs two
//! neighbours and no list.

use crate::Timestamp;
use std::fmt;
use std::str::FromStr;

/// Which roots of history stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Rising ages.
    tiers: Vec<Tier>,
}

/// What stays of roots up to an age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tier {
    /// In seconds; the last tier's may be without end.
    age: Option<i64>,
    /// One root per this many seconds; `None` for all.
    spacing: Option<i64>,
}

/// Why a text is no retention.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no retention: {why}")]
pub struct BadRetention {
    text: String,
    why: String,
}

impl BadRetention {
    /// What is wrong with it, and a right one.
    pub(crate) fn why(&self) -> &str {
        &self.why
    }
}

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;
const YEAR: i64 = 365 * DAY;

/// From the largest, so that a duration is written in the largest that fits.
const UNITS: [(&str, i64); 6] = [("y", YEAR), ("w", WEEK), ("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", 1)];

impl Default for Retention {
    /// All of the last hour, then one per hour for a day, per day for a month, per week for a year.
    fn default() -> Self {
        let tier = |age, spacing| Tier { age: Some(age), spacing };
        let tiers = vec![tier(HOUR, None), tier(DAY, Some(HOUR)), tier(30 * DAY, Some(DAY)), tier(YEAR, Some(WEEK))];
        Self { tiers }
    }
}

impl Retention {
    /// As a setting says it that nobody changed.
    pub(crate) const DEFAULT: &str = "1h:all,1d:1h,30d:1d,1y:1w";

    /// Nothing goes.
    pub(crate) fn everything() -> Self {
        Self { tiers: vec![Tier { age: None, spacing: None }] }
    }

    /// Whether a root stays, given when the next newer one was taken.
    pub(crate) fn keeps(&self, taken: Timestamp, next: Timestamp, now: Timestamp) -> bool {
        let age = now.seconds.saturating_sub(taken.seconds);
        let tier = self.tiers.iter().find(|tier| tier.age.is_none_or(|limit| age <= limit));
        tier.is_some_and(|tier| {
            let period = |time: Timestamp, spacing| time.seconds.div_euclid(spacing);
            tier.spacing.is_none_or(|spacing| period(taken, spacing) != period(next, spacing))
        })
    }
}

impl FromStr for Retention {
    type Err = BadRetention;

    fn from_str(text: &str) -> Result<Self, BadRetention> {
        let bad = |why: String| {
            let why = format!("{why}; for example: {}", Self::DEFAULT);
            BadRetention { text: text.into(), why }
        };
        if text == "none" {
            return Ok(Self { tiers: Vec::new() });
        }
        let mut tiers: Vec<Tier> = Vec::new();
        for part in text.split(',') {
            let tier = parse_tier(part.trim()).map_err(bad)?;
            let rises = |last: &Tier| last.age.is_some_and(|last| tier.age.is_none_or(|age| age > last));
            if !tiers.last().is_none_or(rises) {
                return Err(bad(format!("{part:?} does not reach farther back than what stands before it")));
            }
            tiers.push(tier);
        }
        Ok(Self { tiers })
    }
}

fn parse_tier(part: &str) -> Result<Tier, String> {
    let Some((age, spacing)) = part.split_once(':') else {
        return Err(format!("{part:?} is not AGE:ALL-OR-SPACING"));
    };
    let age = if age == "forever" { None } else { Some(parse_duration(age)?) };
    let spacing = if spacing == "all" { None } else { Some(parse_duration(spacing)?) };
    Ok(Tier { age, spacing })
}

fn parse_duration(text: &str) -> Result<i64, String> {
    let digits = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let unit = UNITS.iter().find(|(unit, _)| *unit == &text[digits.len()..]);
    let number: Option<i64> = digits.parse().ok().filter(|number| *number > 0);
    let seconds = unit.zip(number).and_then(|((_, seconds), number)| number.checked_mul(*seconds));
    seconds.ok_or_else(|| format!("{text:?} is not a number with s, m (minutes), h, d, w or y"))
}

impl fmt::Display for Retention {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tiers.is_empty() {
            return formatter.write_str("none");
        }
        for (index, tier) in self.tiers.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let age = tier.age.map_or("forever".into(), duration);
            write!(formatter, "{comma}{age}:{}", tier.spacing.map_or("all".into(), duration))?;
        }
        Ok(())
    }
}

fn duration(seconds: i64) -> String {
    let (unit, length) = UNITS.into_iter().find(|(_, length)| seconds % length == 0).unwrap_or(("s", 1));
    format!("{}{unit}", seconds / length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp { seconds, nanoseconds: 0 }
    }

    /// What is left of roots taken at these times, once nothing more goes.
    fn left(retention: &Retention, mut times: Vec<i64>, now: i64) -> Vec<i64> {
        loop {
            let stays = |pair: &[i64]| retention.keeps(at(pair[0]), at(pair[1]), at(now));
            let mut kept: Vec<_> = times.windows(2).filter(|pair| stays(pair)).map(|pair| pair[0]).collect();
            kept.extend(times.last());
            if kept.len() == times.len() {
                return kept;
            }
            times = kept;
        }
    }

    #[test]
    fn texts_come_back_as_they_were() {
        for text in ["1h:all,1d:1h,30d:1d,1y:1w", "none", "forever:all", "90s:all,5m:10s,forever:1d"] {
            assert_eq!(text.parse::<Retention>().unwrap().to_string(), text);
        }
        assert_eq!(Retention::default().to_string(), Retention::DEFAULT);
    }

    #[test]
    fn what_is_no_retention_is_refused_with_the_reason() {
        for (text, why) in [
            ("", "AGE"),
            ("1h", "AGE"),
            ("1x:all", "number"),
            ("0h:all", "number"),
            ("1d:all,1h:1h", "farther"),
            ("forever:all,1y:1w", "farther"),
            ("9223372036854775807y:all", "number"),
            ("1\u{fc}:all", "number"),
        ] {
            let error = text.parse::<Retention>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn the_default_keeps_an_hour_whole_and_then_the_last_of_each_hour_day_and_week() {
        let now = 3 * YEAR + 12 * HOUR + 1800;
        let times: Vec<_> = (now - 400 * DAY..now).step_by(600).collect();
        let left = left(&Retention::default(), times, now);
        let between = |young: i64, old: i64| left.iter().filter(|time| (young..old).contains(&(now - **time))).count();
        assert_eq!(between(0, HOUR + 1), 6);
        assert!((22..=24).contains(&between(HOUR + 1, DAY)), "{}", between(HOUR + 1, DAY));
        assert!((28..=30).contains(&between(DAY + 1, 30 * DAY)));
        assert!((47..=49).contains(&between(30 * DAY + 1, YEAR)));
        assert_eq!(between(YEAR + 1, i64::MAX), 0);
    }

    /// Thinning at every step must leave what thinning once at the end leaves: otherwise what is kept would depend on when
    /// checkpoints happened to run.
    #[test]
    fn thinning_often_and_thinning_once_agree() {
        let retention: Retention = "10m:all,2h:10m,1d:1h,forever:1d".parse().unwrap();
        let end = 10 * DAY + 4321;
        let all: Vec<_> = (0..end).step_by(137).collect();
        let mut often = Vec::new();
        for time in &all {
            often.push(*time);
            often = left(&retention, often, *time);
        }
        assert_eq!(left(&retention, often, end), left(&retention, all, end));
    }
}
