//! What a user may set of a volume: texts by key, kept in the catalog.
//!
//! A setting is checked when it is set, by the code that it is for, so whoever reads it later finds something sound. A key that a
//! newer program wrote is kept and means nothing here.

use crate::kept::{RETENTION_SETTING, Retention, SCHEDULE_SETTING, Schedule};
use crate::limits::{SETTING_KEY_BYTES_MAX, SETTING_VALUE_BYTES_MAX, VOLUME_NAME_BYTES_MAX};
use crate::mount_options::{self, MOUNT_OPTIONS_SETTING, VolumeMountOptions};
use crate::quota::{self, NO_QUOTA, QUOTA_SETTING};
use std::collections::BTreeMap;

/// A volume's settings that differ from their defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings(BTreeMap<String, String>);

/// Something that can be set.
pub struct Setting {
    /// Its name.
    pub key: &'static str,
    /// What it does, and what its values look like.
    pub about: &'static str,
    /// The value of a volume of which nobody said otherwise.
    pub default: &'static str,
    /// Says what is wrong with a value, or gives it in the form in which it is kept.
    check: fn(&str) -> Result<String, String>,
}

/// All that can be set.
pub const SETTINGS: &[Setting] = &[
    Setting { key: "note", about: "a line about the volume, for people", default: "", check: check_note },
    Setting {
        key: RETENTION_SETTING,
        about: "which history is kept: AGE:SPACING, from young to old (s, m, h, d, w, y; `all`, `forever`), or `none`",
        default: Retention::DEFAULT,
        check: check_retention,
    },
    Setting {
        key: SCHEDULE_SETTING,
        about: "which snapshots are made by themselves, and how many are kept: hourly:24,daily:30,weekly:8,monthly:12,yearly:5",
        default: "",
        check: check_schedule,
    },
    Setting {
        key: QUOTA_SETTING,
        about: "how much it may hold, before compression: bytes, or 10M, 10G, 10T; or `none`",
        default: NO_QUOTA,
        check: quota::check,
    },
    Setting {
        key: MOUNT_OPTIONS_SETTING,
        about: "how it is mounted from the next time on: ro, nodev, nosuid, noexec, noatime, relatime, strictatime",
        default: VolumeMountOptions::DEFAULT,
        check: mount_options::check,
    },
];

/// Why a setting was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// There is no such key.
    #[error("there is no setting {key}; there is {}", known())]
    Unknown {
        /// The key asked for.
        key: String,
    },
    /// The value is not one.
    #[error("{key} cannot be {value:?}: {why}")]
    BadValue {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// What is wrong with it.
        why: String,
    },
}

impl Settings {
    /// Sets a value; an empty one goes back to the default.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), SettingError> {
        let setting = find(key).ok_or_else(|| SettingError::Unknown { key: key.into() })?;
        if value.is_empty() || value == setting.default {
            self.0.remove(key);
            return Ok(());
        }
        let checked = match (setting.check)(value) {
            Ok(checked) if checked.len() > SETTING_VALUE_BYTES_MAX => {
                Err(format!("it is longer than {SETTING_VALUE_BYTES_MAX} bytes"))
            }
            checked => checked,
        };
        let checked = checked.map_err(|why| SettingError::BadValue { key: key.into(), value: value.into(), why })?;
        self.0.insert(key.into(), checked);
        Ok(())
    }

    /// The value of a key of [`SETTINGS`]: what was set, or the default.
    pub fn get(&self, key: &str) -> &str {
        let default = || find(key).map_or("", |setting| setting.default);
        self.0.get(key).map_or_else(default, String::as_str)
    }

    /// What was set, by key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Takes what the catalog holds, also what this version does not know.
    pub(crate) fn insert_kept(&mut self, key: String, value: String) {
        self.0.insert(key, value);
    }
}

fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

fn known() -> String {
    SETTINGS.iter().map(|setting| setting.key).collect::<Vec<_>>().join(", ")
}

fn check_note(value: &str) -> Result<String, String> {
    if value.contains(char::is_control) { Err("it has to be one line".to_owned()) } else { Ok(value.to_owned()) }
}

fn check_retention(value: &str) -> Result<String, String> {
    value.parse::<Retention>().map(|retention| retention.to_string()).map_err(|error| error.why().to_owned())
}

fn check_schedule(value: &str) -> Result<String, String> {
    value.parse::<Schedule>().map(|schedule| schedule.to_string())
}

const _: () = {
    let mut number = 0;
    while number < SETTINGS.len() {
        assert!(SETTINGS[number].key.len() <= SETTING_KEY_BYTES_MAX);
        number += 1;
    }
    let entry_bytes = SETTINGS.len() * (SETTING_KEY_BYTES_MAX + SETTING_VALUE_BYTES_MAX + 4);
    assert!(entry_bytes + VOLUME_NAME_BYTES_MAX + 64 <= tree::VALUE_BYTES_MAX);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_what_was_set_and_its_default_again_when_it_is_cleared() {
        let mut settings = Settings::default();
        settings.set("note", "holiday pictures").unwrap();
        assert_eq!(settings.get("note"), "holiday pictures");
        settings.set("note", "").unwrap();
        assert_eq!((settings.get("note"), settings.iter().len()), ("", 0));
    }

    #[test]
    fn unknown_keys_and_bad_values_change_nothing() {
        let mut settings = Settings::default();
        assert!(matches!(settings.set("colour", "red"), Err(SettingError::Unknown { .. })));
        assert!(matches!(settings.set("note", "two\nlines"), Err(SettingError::BadValue { .. })));
        assert!(settings.set("note", &"x".repeat(SETTING_VALUE_BYTES_MAX + 1)).is_err());
        assert_eq!(settings, Settings::default());
    }
}
