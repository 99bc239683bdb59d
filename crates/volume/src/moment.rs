//! Moments as people write them: in the names of `.snapshots` and in commands.

use crate::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Zoned};

/// Why a text names no moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no time; write for example 2026-11-23T10:00, 2026-11-23T10:00:30Z, 2026-11-23, 2h or yesterday")]
pub struct BadMoment {
    text: String,
}

/// The moment that a text names, at a time and in a time zone:
///
/// - `2026-11-23`, `2026-11-23T10`, `2026-11-23T10:00`, `2026-11-23T10:00:30.5`: what is left out is zero; a space may stand for
///   the `T`. `Z` or an offset (`+01:00`) behind it names another zone than the one given.
/// - `90s`, `15m`, `2h`, `3d`, `2w`, `1y`, with or without ` ago`: so long ago.
/// - `now`, `today` (when it began), `yesterday` (when it began).
pub fn parse_moment(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, BadMoment> {
    let bad = || BadMoment { text: text.into() };
    let now = jiff::Timestamp::new(now.seconds, now.nanoseconds as i32).map_err(|_| bad())?.to_zoned(zone.clone());
    let moment = named(text, &now).or_else(|| ago(text, &now)).or_else(|| date_and_time(text, zone));
    let moment = moment.ok_or_else(bad)?.timestamp();
    let (seconds, nanoseconds) = (moment.as_second(), moment.subsec_nanosecond());
    // A moment before 1970 has both negative.
    let borrow = (nanoseconds < 0) as i32;
    Ok(Timestamp {
        seconds: seconds - borrow as i64,
        nanoseconds: (nanoseconds + borrow * 1_000_000_000).unsigned_abs(),
    })
}

fn named(text: &str, now: &Zoned) -> Option<Zoned> {
    match text {
        "now" => Some(now.clone()),
        "today" => now.start_of_day().ok(),
        "yesterday" => now.yesterday().ok()?.start_of_day().ok(),
        _ => None,
    }
}

fn ago(text: &str, now: &Zoned) -> Option<Zoned> {
    let text = text.strip_suffix("ago").map_or(text, str::trim_end);
    let digits = text.trim_end_matches(|character: char| character.is_ascii_alphabetic());
    let number: i64 = digits.trim_end().parse().ok().filter(|number| *number >= 0)?;
    let span = Span::new();
    let span = match &text[digits.len()..] {
        "s" => span.try_seconds(number),
        "m" => span.try_minutes(number),
        "h" => span.try_hours(number),
        "d" => span.try_days(number),
        "w" => span.try_weeks(number),
        "y" => span.try_years(number),
        _ => return None,
    };
    now.checked_sub(span.ok()?).ok()
}

fn date_and_time(text: &str, zone: &TimeZone) -> Option<Zoned> {
    let (date, time) = text.split_once(['T', ' ']).map_or((text, None), |(date, time)| (date, Some(time)));
    let Some(time) = time else {
        let (date, zone) = date.strip_suffix('Z').map_or((date, zone.clone()), |date| (date, TimeZone::UTC));
        let date: Date = is_plain_date(date).then(|| date.parse().ok())??;
        return date.to_zoned(zone).ok();
    };
    let (time, zone) = split_zone(time, zone)?;
    let time = if time.len() == 2 { format!("{time}:00") } else { time.to_owned() };
    let moment: DateTime = is_plain_date(date).then(|| format!("{date}T{time}").parse().ok())??;
    moment.to_zoned(zone).ok()
}

/// Four digits, two, two: nothing that a parser with more forms would also take.
fn is_plain_date(date: &str) -> bool {
    let matches = |(byte, shape): (u8, u8)| if shape == b'-' { byte == b'-' } else { byte.is_ascii_digit() };
    date.len() == 10 && date.bytes().zip(*b"dddd-dd-dd").all(matches)
}

fn split_zone<'a>(time: &'a str, zone: &TimeZone) -> Option<(&'a str, TimeZone)> {
    if let Some(time) = time.strip_suffix('Z') {
        return Some((time, TimeZone::UTC));
    }
    let Some(at) = time.rfind(['+', '-']) else { return Some((time, zone.clone())) };
    let (time, offset) = time.split_at(at);
    let (hours, minutes) = offset[1..].split_once(':').unwrap_or((&offset[1..], "00"));
    let seconds = (hours.parse::<i32>().ok()? * 60 + minutes.parse::<i32>().ok().filter(|m| *m < 60)?) * 60;
    let seconds = if offset.starts_with('-') { -seconds } else { seconds };
    Some((time, jiff::tz::Offset::from_seconds(seconds).ok()?.to_time_zone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23T12:00:00Z.
    const NOW: Timestamp = Timestamp { seconds: 1_795_435_200, nanoseconds: 0 };

    fn berlin() -> TimeZone {
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
    }

    fn seconds_before_now(text: &str) -> Option<i64> {
        parse_moment(text, NOW, &berlin()).ok().map(|time| NOW.seconds - time.seconds)
    }

    #[test]
    fn each_form_names_its_moment() {
        const HOUR: i64 = 3600;
        for (text, before) in [
            ("now", 0),
            ("today", 13 * HOUR),
            ("yesterday", 37 * HOUR),
            ("2h", 2 * HOUR),
            ("90 s ago", 90),
            ("1d ago", 24 * HOUR),
            ("2026-11-23", 13 * HOUR),
            ("2026-11-23Z", 12 * HOUR),
            ("2026-11-23T10", 3 * HOUR),
            ("2026-11-23T10:00", 3 * HOUR),
            ("2026-11-23 10:00:30", 3 * HOUR - 30),
            ("2026-11-23T10:00Z", 2 * HOUR),
            ("2026-11-23T10:00-03:30", -HOUR - 1800),
            ("2026-11-23T10+01", 3 * HOUR),
            // Summer time.
            ("2026-07-01T12:00", 145 * 24 * HOUR + 2 * HOUR),
        ] {
            assert_eq!(seconds_before_now(text), Some(before), "{text}");
        }
        let fraction = parse_moment("1969-12-31T23:59:59.25Z", NOW, &berlin()).unwrap();
        assert_eq!(fraction, Timestamp { seconds: -1, nanoseconds: 250_000_000 });
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let texts =
            ["", "2026", "2026-13-01", "2026-11-23T25:00", "10:00", "2x", "-2h", "h", "tomorrow", "2026-11-23T10:00Q"];
        for text in
            texts.into_iter().chain(["99999999999y", "2026-11-23T10:00+99", "2026-11-23T", "20261123", "\u{fc}"])
        {
            assert_eq!(seconds_before_now(text), None, "{text}");
        }
    }
}
