//! Snapshots that are made on time: which are due and which go. A pure rule, without a clock.
//!
//! A schedule is a list of rules, `hourly:24,daily:30`: at the beginning of each hour (day, week, month, year; in UTC) a snapshot is
//! made, named after it, and as many as the rule says are kept. Only the period that there is now counts: after a sleep, what was
//! missed is made once, since there are no states of the time between.

use super::{Snapshot, SnapshotError};
use crate::limits::SCHEDULED_SNAPSHOTS_MAX;
use crate::{Result, Timestamp, Volume};
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};
use std::fmt;
use std::str::FromStr;

/// The setting of a volume that says which snapshots are made on time.
pub(crate) const SCHEDULE_SETTING: &str = "snapshots";

/// Which snapshots are made on time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    rules: Vec<Rule>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rule {
    every: Every,
    /// How many are kept.
    count: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Every {
    Hour,
    Day,
    Week,
    Month,
    Year,
}

const WORDS: [(&str, Every); 5] = [
    ("hourly", Every::Hour),
    ("daily", Every::Day),
    ("weekly", Every::Week),
    ("monthly", Every::Month),
    ("yearly", Every::Year),
];

impl Every {
    fn word(self) -> &'static str {
        WORDS.iter().find(|(_, every)| *every == self).map_or("", |(word, _)| word)
    }

    /// When the period began that a moment lies in; `None` at the ends of the calendar.
    fn begin(self, moment: &Zoned) -> Option<Zoned> {
        let date = moment.date();
        let midnight = |date: Date| date.to_zoned(TimeZone::UTC).ok();
        match self {
            Self::Hour => midnight(date)?.checked_add((moment.hour() as i64).hours()).ok(),
            Self::Day => midnight(date),
            Self::Week => midnight(date.checked_sub((date.weekday().since(Weekday::Monday) as i64).days()).ok()?),
            Self::Month => midnight(date.first_of_month()),
            Self::Year => midnight(date.first_of_year()),
        }
    }

    fn next(self, begin: &Zoned) -> Option<Zoned> {
        let length = match self {
            Self::Hour => 1.hour(),
            Self::Day => 1.day(),
            Self::Week => 1.week(),
            Self::Month => 1.month(),
            Self::Year => 1.year(),
        };
        begin.checked_add(length).ok()
    }
}

impl Rule {
    /// What all names of the rule begin with.
    fn prefix(self) -> String {
        format!("{}-", self.every.word())
    }

    fn name(self, begin: &Zoned) -> String {
        format!("{}{}", self.prefix(), begin.strftime("%Y%m%dT%H%MZ"))
    }

    /// Whether a name is one that the rule gives: others are somebody's own.
    fn is_name(self, name: &str) -> bool {
        let shape = |(byte, shape): (u8, u8)| if shape == b'd' { byte.is_ascii_digit() } else { byte == shape };
        name.strip_prefix(&self.prefix())
            .is_some_and(|time| time.len() == 14 && time.bytes().zip(*b"ddddddddTddddZ").all(shape))
    }
}

/// What a schedule wants done.
#[derive(Debug, Default, PartialEq, Eq)]
struct Due {
    /// The snapshot to make.
    make: Option<String>,
    /// Those that go, the oldest first.
    delete: Vec<String>,
}

impl Rule {
    /// What is due, given the snapshots of the rule that are there, in the order of their names.
    fn due(self, now: &Zoned, there: &[String]) -> Due {
        let name = self.every.begin(now).map(|begin| self.name(&begin));
        let make = name.filter(|name| !there.contains(name));
        let left = (there.len() + make.is_some() as usize).saturating_sub(self.count).min(there.len());
        Due { make, delete: there[..left].to_vec() }
    }
}

impl Volume {
    /// Makes and deletes the snapshots that are due by the volume's schedule. Gives when the next one is; `None` without a schedule.
    /// Those that are held or in use stay until they are not.
    pub fn run_schedule(&self) -> std::result::Result<Option<Timestamp>, SnapshotError> {
        let schedule = self.schedule();
        if schedule.rules.is_empty() || self.is_replica() || self.is_locked() {
            return Ok(None);
        }
        let Some(now) = zoned(self.now()) else { return Ok(None) };
        for rule in &schedule.rules {
            let due = rule.due(&now, &self.scheduled(*rule)?);
            if let Some(name) = due.make {
                let Snapshot { name, .. } = self.create_snapshot(&name, false)?;
                tracing::info!(volume = %self.id, name, "made on schedule");
            }
            for name in due.delete {
                match self.delete_snapshot(&name) {
                    Ok(()) | Err(SnapshotError::NoSuchSnapshot { .. }) => {}
                    Err(error @ (SnapshotError::Held { .. } | SnapshotError::InUse { .. })) => {
                        tracing::debug!(volume = %self.id, %error, "it stays for now");
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(schedule.next(&now))
    }

    fn scheduled(&self, rule: Rule) -> Result<Vec<String>> {
        let names = self.snapshot_names(&rule.prefix(), SCHEDULED_SNAPSHOTS_MAX)?;
        let of_rule = names.into_iter().take_while(|name| name.starts_with(&rule.prefix()));
        Ok(of_rule.filter(|name| rule.is_name(name)).collect())
    }

    fn schedule(&self) -> Schedule {
        let settings = self.settings.load();
        settings.get(SCHEDULE_SETTING).parse().unwrap_or_else(|why| {
            tracing::error!(volume = %self.id, why, "no snapshots are made on schedule");
            Schedule::default()
        })
    }
}

impl Schedule {
    fn next(&self, now: &Zoned) -> Option<Timestamp> {
        let begins = self.rules.iter().filter_map(|rule| rule.every.next(&rule.every.begin(now)?));
        begins.min().map(|begin| Timestamp { seconds: begin.timestamp().as_second(), nanoseconds: 0 })
    }
}

fn zoned(time: Timestamp) -> Option<Zoned> {
    let time = jiff::Timestamp::new(time.seconds, time.nanoseconds as i32).ok()?;
    Some(time.to_zoned(TimeZone::UTC))
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let mut rules: Vec<Rule> = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let rule = part.split_once(':').and_then(|(word, count)| {
                let (_, every) = WORDS.iter().find(|(known, _)| *known == word)?;
                let count = count.parse().ok().filter(|count| (1..=SCHEDULED_SNAPSHOTS_MAX / 2).contains(count))?;
                Some(Rule { every: *every, count })
            });
            let rule = rule.ok_or_else(|| {
                format!(
                    "{part:?} is not hourly, daily, weekly, monthly or yearly with a number, as in hourly:24,daily:30"
                )
            })?;
            if rules.iter().any(|other| other.every == rule.every) {
                return Err(format!("{} comes twice", rule.every.word()));
            }
            rules.push(rule);
        }
        Ok(Self { rules })
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules: Vec<_> = self.rules.iter().map(|rule| format!("{}:{}", rule.every.word(), rule.count)).collect();
        formatter.write_str(&rules.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Zoned {
        text.parse::<jiff::Timestamp>().unwrap().to_zoned(TimeZone::UTC)
    }

    fn rule(text: &str) -> Rule {
        text.parse::<Schedule>().unwrap().rules[0]
    }

    #[test]
    fn texts_come_back_as_they_were_and_others_are_refused() {
        for text in ["hourly:24,daily:30", "weekly:8,monthly:12,yearly:5", ""] {
            assert_eq!(text.parse::<Schedule>().unwrap().to_string(), text);
        }
        for text in ["hourly", "hourly:0", "hourly:x", "minutely:3", "daily:1,daily:2", "daily:999999999"] {
            assert!(text.parse::<Schedule>().is_err(), "{text}");
        }
    }

    #[test]
    fn each_period_has_a_name_of_its_beginning() {
        let now = at("2026-11-25T13:45:10Z");
        for (text, name) in [
            ("hourly:1", "hourly-20261125T1300Z"),
            ("daily:1", "daily-20261125T0000Z"),
            ("weekly:1", "weekly-20261123T0000Z"),
            ("monthly:1", "monthly-20261101T0000Z"),
            ("yearly:1", "yearly-20260101T0000Z"),
        ] {
            let due = rule(text).due(&now, &[]);
            assert_eq!(due.make.as_deref(), Some(name));
            assert!(rule(text).is_name(name));
            assert_eq!(rule(text).due(&now, &[name.to_owned()]), Due::default(), "once per period");
        }
        assert!(!rule("daily:1").is_name("daily-backup"));
    }

    /// A machine that slept over many hours makes one, and then goes on.
    #[test]
    fn what_was_missed_is_made_once_and_the_oldest_go() {
        let rule = rule("hourly:2");
        let there = ["hourly-20261124T0900Z", "hourly-20261124T1000Z"].map(str::to_owned);
        let due = rule.due(&at("2026-11-25T13:00:00Z"), &there);
        assert_eq!(due, Due { make: Some("hourly-20261125T1300Z".into()), delete: vec![there[0].clone()] });
        let fewer = rule.due(&at("2026-11-24T10:30:00Z"), &there);
        assert_eq!(fewer, Due::default());
    }

    #[test]
    fn the_next_is_at_the_first_beginning_of_a_period() {
        let schedule: Schedule = "daily:3,hourly:2".parse().unwrap();
        let next = schedule.next(&at("2026-12-31T23:59:59Z")).unwrap();
        assert_eq!(next.seconds, at("2027-01-01T00:00:00Z").timestamp().as_second());
    }
}
