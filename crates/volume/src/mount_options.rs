//! How a volume is to be mounted: the setting `mount-options`, in the words of mount(8).

use crate::{AccessTimes, Volume};

/// The setting's key.
pub(crate) const MOUNT_OPTIONS_SETTING: &str = "mount-options";

/// What the setting says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VolumeMountOptions {
    /// Nothing can be changed (`ro`).
    pub read_only: bool,
    /// Device nodes cannot be used (`nodev`).
    pub no_devices: bool,
    /// Set-user-id, set-group-id and file capabilities count for nothing (`nosuid`).
    pub no_set_user_id: bool,
    /// No program can be started (`noexec`).
    pub no_programs: bool,
    /// Which reads set times of access (`noatime`, `relatime`, `strictatime`).
    pub access_times: AccessTimes,
}

impl VolumeMountOptions {
    /// The setting's value where nobody set it.
    pub const DEFAULT: &str = "relatime";

    /// Reads words with commas between; of two that contradict each other the later one counts.
    pub fn parse(value: &str) -> Result<Self, String> {
        let mut options = Self::default();
        for word in value.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match word {
                "ro" | "rw" => options.read_only = word == "ro",
                "nodev" | "dev" => options.no_devices = word == "nodev",
                "nosuid" | "suid" => options.no_set_user_id = word == "nosuid",
                "noexec" | "exec" => options.no_programs = word == "noexec",
                "noatime" => options.access_times = AccessTimes::Never,
                "relatime" => options.access_times = AccessTimes::Relative,
                "strictatime" => options.access_times = AccessTimes::Always,
                _ => {
                    return Err(format!("{word} is none of ro, nodev, nosuid, noexec, noatime, relatime, strictatime"));
                }
            }
        }
        Ok(options)
    }

    fn words(&self) -> Vec<&'static str> {
        let access_times = match self.access_times {
            AccessTimes::Never => "noatime",
            AccessTimes::Relative => "relatime",
            AccessTimes::Always => "strictatime",
        };
        let words = [
            (self.read_only, "ro"),
            (self.no_devices, "nodev"),
            (self.no_set_user_id, "nosuid"),
            (self.no_programs, "noexec"),
            (true, access_times),
        ];
        words.into_iter().filter_map(|(is_set, word)| is_set.then_some(word)).collect()
    }
}

impl Volume {
    /// How the user wants it mounted.
    pub fn mount_options(&self) -> VolumeMountOptions {
        VolumeMountOptions::parse(self.settings.load().get(MOUNT_OPTIONS_SETTING)).unwrap_or_default()
    }
}

/// Checks a value of the setting, and gives it in the form in which it is kept.
pub(crate) fn check(value: &str) -> Result<String, String> {
    VolumeMountOptions::parse(value).map(|options| options.words().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_kept_in_one_order_and_unknown_ones_refused() {
        assert_eq!(check("noexec, ro,atime").unwrap_err().split(' ').next(), Some("atime"));
        assert_eq!(check("noatime, noexec,ro").as_deref(), Ok("ro,noexec,noatime"));
        assert_eq!(check("ro,rw").as_deref(), Ok(VolumeMountOptions::DEFAULT));
        assert_eq!(VolumeMountOptions::parse(VolumeMountOptions::DEFAULT), Ok(VolumeMountOptions::default()));
    }
}
