//! What a scrub finds, in words.

use crate::{Pool, PoolError};
use block::{Damage, DamagedSubject, Name, RecordKind};
use std::fmt;

/// Something that is damaged or missing although it is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The block, if it is one.
    pub block: Option<Name>,
    /// What is wrong, and where.
    pub what: String,
    /// Whether it was made anew.
    pub is_healed: bool,
    /// Who needs it.
    pub users: Vec<User>,
}

/// Who needs a block.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct User {
    /// The volume's name; empty for the catalog.
    pub volume: String,
    /// The snapshot, or `@TIME` for a state of the history; `None` for the volume as it is.
    pub kept: Option<String>,
    /// The file, by a path from the volume's top; or what else it is, in words.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.what)?;
        if self.is_healed {
            formatter.write_str("; made anew")?;
        }
        let mut lead = "; used by ";
        for user in &self.users {
            write!(formatter, "{lead}{user}")?;
            lead = ", ";
        }
        Ok(())
    }
}

impl fmt::Display for User {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.volume.is_empty() {
            return formatter.write_str(&self.what);
        }
        write!(formatter, "{}", self.volume)?;
        if let Some(kept) = &self.kept {
            write!(formatter, " in {kept}")?;
        }
        write!(formatter, ":{}", self.what)
    }
}

/// Damage of roots and journals that are needed. They are made anew, by a checkpoint.
pub(super) fn of_records(pool: &Pool, damages: &[Damage]) -> Result<Vec<Finding>, PoolError> {
    let mut findings = Vec::new();
    for (volume, name) in pool.open_volumes_with_names()? {
        let needed: Vec<_> = damages.iter().filter(|damage| volume.needs_record_in(damage)).collect();
        if needed.is_empty() {
            continue;
        }
        let renewed = volume.renew_root();
        if let Err(error) = &renewed {
            tracing::error!(volume = name, %error, "a damaged root or journal cannot be made anew");
        }
        let finding = |damage: &&Damage| Finding {
            block: None,
            what: format!("{} at {}: {}", record_of(damage), damage.position, damage.what),
            is_healed: renewed.is_ok(),
            users: vec![User { volume: name.clone(), kept: None, what: "the volume's state".to_owned() }],
        };
        findings.extend(needed.iter().map(finding));
    }
    findings.iter().for_each(|finding| tracing::error!("{finding}"));
    Ok(findings)
}

fn record_of(damage: &Damage) -> &'static str {
    match damage.subject {
        DamagedSubject::Record { kind: RecordKind::Root, .. } => "the root record",
        DamagedSubject::Record { kind: RecordKind::Intent, .. } => "a part of the journal",
        _ => "the log with the root record or the journal",
    }
}
