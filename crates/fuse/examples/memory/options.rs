//! The command line.

use fuse::{Features, MountOptions, SessionConfig, Transport};
use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

pub(crate) const USAGE: &str = "usage: memory [--transport auto|uring|device] [--threads N] [--depth N] [--allow-other] \
                         [--sole-writer] [--block-device DEVICE] MOUNTPOINT";

/// What to mount, and how.
pub(crate) struct Options {
    pub(crate) mountpoint: PathBuf,
    pub(crate) mount: MountOptions,
    pub(crate) session: SessionConfig,
}

impl Options {
    /// Understands the arguments, or says what is wrong with them.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let mut options = Self {
            mountpoint: PathBuf::new(),
            mount: MountOptions { source: "memory".into(), subtype: "memory".into(), ..MountOptions::default() },
            session: SessionConfig { no_open: true, ..SessionConfig::default() },
        };
        while let Some(argument) = arguments.next() {
            match argument.to_str() {
                Some("--transport") => options.session.transport = transport(&value(&mut arguments)?)?,
                Some("--threads") => options.session.device_threads = number(&value(&mut arguments)?)?,
                Some("--depth") => options.session.uring_depth = number(&value(&mut arguments)?)?,
                Some("--allow-other") => options.mount.allow_other = true,
                Some("--sole-writer") => options.session = sole_writer(options.session),
                Some("--block-device") => options.mount.block_device = arguments.next().map(Into::into),
                Some(unknown) if unknown.starts_with('-') => return Err(format!("unknown option {unknown}")),
                _ => options.mountpoint = argument.into(),
            }
        }
        if options.mountpoint.as_os_str().is_empty() {
            return Err("no directory to mount on".to_owned());
        }
        Ok(options)
    }
}

/// Nobody else changes the files: the kernel's pages of them stay right when times change.
fn sole_writer(config: SessionConfig) -> SessionConfig {
    config.without(Features::AUTO_INVAL_DATA).with(Features::EXPLICIT_INVAL_DATA)
}

fn value(arguments: &mut impl Iterator<Item = OsString>) -> Result<String, String> {
    let value = arguments.next().ok_or("a value is missing")?;
    value.into_string().map_err(|_| "a value is not text".to_owned())
}

fn number(value: &str) -> Result<usize, String> {
    usize::from_str(value).map_err(|_| format!("{value} is not a number"))
}

fn transport(value: &str) -> Result<Transport, String> {
    match value {
        "auto" => Ok(Transport::Auto),
        "uring" => Ok(Transport::Uring),
        "device" => Ok(Transport::Device),
        _ => Err(format!("{value} is no transport")),
    }
}
