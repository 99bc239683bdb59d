//! `pantala volume create --encrypt`, `unlock`, `lock`, `key ...`.
//!
//! Keys are derived here: a passphrase never leaves this process, and the memory that it takes is not the node's.

use super::table;
use crate::arguments::{
    KeyAdd, KeyChange, KeyCommand, KeyList, KeyRemove, NewSecret, Secret, StoreArgument, VolumeLock, VolumeUnlock,
};
use crate::control::{Client, KeyTable, NewEncryption, Request, SecretKey, from_hex, to_hex};
use crate::{defaults, output, secrets};
use anyhow::{Context, Result, bail};
use seal::{Cost, KeySlots, RecoveryKey, SlotKind, Unlocking, VolumeKey};
use serde::Serialize;
use std::path::PathBuf;

/// How often a passphrase may be typed.
const TRIES: usize = 3;

/// The key and the slots of a volume that is to be made.
pub(super) fn new_encryption(name: &str, secret: &Secret) -> Result<NewEncryption> {
    secrets::protect();
    let unlocking = match given(secret)? {
        Some(unlocking) => unlocking,
        None => secrets::ask_new(name)?,
    };
    let key = VolumeKey::random()?;
    let slots = KeySlots::new(&key, &unlocking, Cost::for_this_machine())?;
    Ok(NewEncryption { key: SecretKey::of(&key), slots: to_hex(&slots.encode()) })
}

pub(super) fn unlock(arguments: VolumeUnlock) -> Result<()> {
    let VolumeUnlock { store, name, secret } = arguments;
    let (store, table) = table_of(store, &name)?;
    if !table.is_locked {
        return Ok(output::print_lines(&[format!("{name} is unlocked already")])?);
    }
    let (key, _) = open(&table.slots()?, &name, &secret)?;
    order(&store, &Request::UnlockVolume { name, key: SecretKey::of(&key) })
}

pub(super) fn lock(arguments: VolumeLock) -> Result<()> {
    let VolumeLock { store, name } = arguments;
    order(&defaults::store(store.store)?, &Request::LockVolume { name })
}

pub(super) fn key(command: KeyCommand) -> Result<()> {
    match command {
        KeyCommand::List(arguments) => list(arguments),
        KeyCommand::Add(arguments) => add(arguments),
        KeyCommand::Change(arguments) => change(arguments),
        KeyCommand::Remove(arguments) => remove(arguments),
    }
}

/// A slot as `--json` shows it.
#[derive(Serialize)]
struct ShownSlot {
    slot: u8,
    kind: &'static str,
}

fn list(arguments: KeyList) -> Result<()> {
    let slots = table_of(arguments.store, &arguments.name)?.1.slots()?;
    let shown: Vec<_> =
        slots.slots().iter().map(|slot| ShownSlot { slot: slot.number, kind: word(slot.kind) }).collect();
    let text = match arguments.json {
        true => output::json(&shown)?,
        false => table::table(
            &["SLOT", "OPENS WITH"],
            &[0],
            shown.iter().map(|slot| vec![slot.slot.to_string(), slot.kind.to_owned()]),
        ),
    };
    Ok(output::print(&text)?)
}

fn word(kind: SlotKind) -> &'static str {
    match kind {
        SlotKind::Passphrase => "passphrase",
        SlotKind::KeyFile => "key-file",
        SlotKind::Recovery => "recovery-key",
    }
}

fn add(arguments: KeyAdd) -> Result<()> {
    let KeyAdd { store, name, secret, new } = arguments;
    let (store, table) = table_of(store, &name)?;
    let mut slots = table.slots()?;
    let (key, _) = open(&slots, &name, &secret)?;
    let new = new_way(&name, &new)?;
    let number = slots.add(&key, &new.unlocking, Cost::for_this_machine())?;
    set(&store, &name, &key, &slots)?;
    new.show()?;
    Ok(output::print_lines(&[format!("slot {number} of {name} is new: {}", word(new.unlocking.kind()))])?)
}

fn change(arguments: KeyChange) -> Result<()> {
    let KeyChange { store, name, secret, new } = arguments;
    let (store, table) = table_of(store, &name)?;
    let mut slots = table.slots()?;
    let (key, old) = open(&slots, &name, &secret)?;
    let new = new_way(&name, &new)?;
    let number = slots.add(&key, &new.unlocking, Cost::for_this_machine())?;
    slots.remove(&key, old)?;
    set(&store, &name, &key, &slots)?;
    new.show()?;
    let lines = [
        format!("slot {number} of {name} has taken the place of slot {old}: {}", word(new.unlocking.kind())),
        "copies of the store and replicas that were not synced since still open with what was before".to_owned(),
    ];
    Ok(output::print_lines(&lines)?)
}

fn remove(arguments: KeyRemove) -> Result<()> {
    let KeyRemove { store, name, slot, secret } = arguments;
    let (store, table) = table_of(store, &name)?;
    let mut slots = table.slots()?;
    let (key, _) = open(&slots, &name, &secret)?;
    slots.remove(&key, slot)?;
    set(&store, &name, &key, &slots)?;
    let lines = [
        format!("slot {slot} of {name} is gone"),
        "copies of the store and replicas that were not synced since still open with it".to_owned(),
    ];
    Ok(output::print_lines(&lines)?)
}

/// A new way to a key.
struct NewWay {
    unlocking: Unlocking,
    /// A recovery key that the user has to be shown.
    recovery: Option<zeroize::Zeroizing<String>>,
}

impl NewWay {
    fn show(&self) -> Result<()> {
        let Some(text) = &self.recovery else { return Ok(()) };
        output::print(&format!("{}\n", **text))?;
        output::complain("write the recovery key down and keep it elsewhere: it is not shown again");
        Ok(())
    }
}

fn new_way(name: &str, new: &NewSecret) -> Result<NewWay> {
    let unlocking = match new {
        NewSecret { new_recovery_key: true, .. } => {
            let key = RecoveryKey::random()?;
            let recovery = Some(key.to_text());
            return Ok(NewWay { unlocking: Unlocking::Recovery(key), recovery });
        }
        NewSecret { new_passphrase_file: Some(path), .. } => secrets::passphrase_file(path)?,
        NewSecret { new_key_file: Some(path), .. } => secrets::key_file(path)?,
        _ => secrets::ask_new(name)?,
    };
    Ok(NewWay { unlocking, recovery: None })
}

/// What the user gave in a file.
fn given(secret: &Secret) -> Result<Option<Unlocking>> {
    match secret {
        Secret { passphrase_file: Some(path), .. } => secrets::passphrase_file(path).map(Some),
        Secret { key_file: Some(path), .. } => secrets::key_file(path).map(Some),
        _ => Ok(None),
    }
}

/// The key, and the slot that gave it.
fn open(slots: &KeySlots, name: &str, secret: &Secret) -> Result<(VolumeKey, u8)> {
    secrets::protect();
    let failed = || format!("cannot unlock {name}");
    if let Some(unlocking) = given(secret)? {
        return slots.unlock_slot(&unlocking).with_context(failed);
    }
    for _ in 1..TRIES {
        match slots.unlock_slot(&secrets::ask(name)?) {
            Err(seal::Error::WrongKey { what, .. }) => output::complain(&format!("{what} is wrong; try again")),
            opened => return opened.with_context(failed),
        }
    }
    slots.unlock_slot(&secrets::ask(name)?).with_context(failed)
}

fn set(store: &std::path::Path, name: &str, key: &VolumeKey, slots: &KeySlots) -> Result<()> {
    let slots = to_hex(&slots.encode());
    let request = Request::SetKeySlots { name: name.to_owned(), key: SecretKey::of(key), slots };
    Client::connect_to_running(store)?.order(&request).map(drop)
}

fn table_of(store: StoreArgument, name: &str) -> Result<(PathBuf, KeyTable)> {
    let store = defaults::store(store.store)?;
    let table = Client::connect_to_running(&store)?.key_table(name)?;
    Ok((store, table))
}

impl KeyTable {
    fn slots(&self) -> Result<KeySlots> {
        let Some(bytes) = from_hex(&self.slots) else { bail!("the node told no key slots") };
        Ok(KeySlots::decode(&bytes)?)
    }
}

fn order(store: &std::path::Path, request: &Request) -> Result<()> {
    Ok(output::print_lines(&Client::connect_to_running(store)?.order(request)?)?)
}
