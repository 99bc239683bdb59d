//! Where a store is: a directory of this machine, one of another machine, or an object store.

use crate::defaults;
use anyhow::{Context, Result, bail, ensure};
use std::fmt;
use std::path::PathBuf;

/// Where a store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A directory of this machine.
    Directory(PathBuf),
    /// A directory of another machine, which `ssh` knows how to reach.
    Machine {
        /// As `ssh` takes it: `host` or `user@host`.
        host: String,
        port: Option<u16>,
        /// Absolute, or from the home directory on with `~/`.
        path: String,
    },
    /// An object store, by its URL.
    Objects(String),
}

const SSH: &str = "ssh://";

/// The name that stores get more often than not.
const USUAL_NAME: &str = "pantala";

impl Place {
    /// The place that a user means.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        for (scheme, what) in [(objects::S3, "bucket; give one as in s3://BUCKET/PREFIX"), (objects::FILE, "directory")]
        {
            if let Some(rest) = text.strip_prefix(scheme) {
                let rest = rest.trim_end_matches('/');
                ensure!(!rest.is_empty(), "{text} names no {what}");
                return Ok(Self::Objects(format!("{scheme}{rest}")));
            }
        }
        let Some(rest) = text.strip_prefix(SSH) else {
            ensure!(
                !text.contains("://"),
                "{text}: places are directories, ssh://[USER@]HOST[:PORT]/PATH, s3://BUCKET/PREFIX and file:///DIRECTORY"
            );
            let path = defaults::absolute(text.as_ref())?;
            return Ok(Self::Directory(path.canonicalize().unwrap_or(path)));
        };
        let Some((host, path)) = rest.split_once('/') else {
            bail!("{text} names no directory; give one as in ssh://host/srv/pantala");
        };
        let (host, port) = match host.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().with_context(|| format!("{text}: {port} is no port"))?)),
            None => (host, None),
        };
        // What begins with a dash would be an option of ssh.
        ensure!(!host.is_empty() && !host.starts_with('-'), "{text} names no host");
        let path = if path.starts_with("~/") { path.to_owned() } else { format!("/{path}") };
        Ok(Self::Machine { host: host.to_owned(), port, path })
    }

    /// What to call a mirror at this place.
    pub(crate) fn usual_name(&self) -> Option<String> {
        match self {
            Self::Machine { host, .. } => Some(host.rsplit('@').next().unwrap_or(host).to_owned()),
            Self::Objects(url) => {
                let (_, rest) = url.split_once("://")?;
                rest.rsplit('/').find(|part| !part.is_empty() && *part != USUAL_NAME).map(str::to_owned)
            }
            Self::Directory(path) => {
                let names = path.components().rev().filter_map(|part| match part {
                    std::path::Component::Normal(name) => name.to_str(),
                    _ => None,
                });
                names.into_iter().find(|name| *name != USUAL_NAME).map(str::to_owned)
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => path.display().fmt(formatter),
            Self::Objects(url) => url.fmt(formatter),
            Self::Machine { host, port, path } => {
                let port = port.map_or(String::new(), |port| format!(":{port}"));
                let slash = if path.starts_with('/') { "" } else { "/" };
                write!(formatter, "{SSH}{host}{port}{slash}{path}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_named() {
        let machine = |host: &str, port, path: &str| Place::Machine { host: host.into(), port, path: path.into() };
        let cases = [
            ("/media/drive/pantala", Place::Directory("/media/drive/pantala".into()), "drive"),
            ("s3://attic/copies/pantala", Place::Objects("s3://attic/copies/pantala".into()), "copies"),
            ("s3://attic", Place::Objects("s3://attic".into()), "attic"),
            ("file:///media/drive/pantala", Place::Objects("file:///media/drive/pantala".into()), "drive"),
            ("/srv/copies", Place::Directory("/srv/copies".into()), "copies"),
            ("ssh://attic/srv/pantala", machine("attic", None, "/srv/pantala"), "attic"),
            ("ssh://me@attic:2222/~/pantala", machine("me@attic", Some(2222), "~/pantala"), "attic"),
        ];
        for (text, place, name) in cases {
            assert_eq!(Place::parse(text).unwrap(), place);
            assert_eq!(place.to_string(), text);
            assert_eq!(place.usual_name().as_deref(), Some(name));
        }
    }

    #[test]
    fn what_is_no_place_is_refused() {
        let ssh = ["ssh://attic", "ssh:///srv", "ssh://-oProxyCommand=x/srv", "ssh://attic:x/srv"];
        let others = ["ftp://attic/srv", "s3://", "s3:///", "file://", "file:///"];
        for text in [&ssh[..], &others].concat() {
            assert!(Place::parse(text).is_err(), "{text}");
        }
    }
}
