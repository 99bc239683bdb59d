//! `pantala volume ...`.

use super::{places, status_text, volume_keys};
use crate::arguments::{
    StoreArgument, VolumeCommand, VolumeCreate, VolumeDelete, VolumeList, VolumeRename, VolumeSet, VolumeShow,
};
use crate::control::{Client, Request};
use crate::past::PastOrder;
use crate::{defaults, output};
use anyhow::{Context, Result, bail};
use std::io::{self, BufRead, IsTerminal};

pub(super) fn run(command: VolumeCommand) -> Result<()> {
    match command {
        VolumeCommand::Create(arguments) => create(arguments),
        VolumeCommand::List(arguments) => list(arguments),
        VolumeCommand::Delete(arguments) => delete(arguments),
        VolumeCommand::Rename(arguments) => rename(arguments),
        VolumeCommand::Set(arguments) => set(arguments),
        VolumeCommand::Show(arguments) => show(arguments),
        VolumeCommand::Unlock(arguments) => volume_keys::unlock(arguments),
        VolumeCommand::Lock(arguments) => volume_keys::lock(arguments),
        VolumeCommand::Key(arguments) => volume_keys::key(arguments.command),
    }
}

fn create(arguments: VolumeCreate) -> Result<()> {
    let mount = arguments.mount.as_deref().map(defaults::absolute).transpose()?;
    let VolumeCreate { store, name, encrypt, secret, .. } = arguments;
    if !encrypt && (secret.key_file.is_some() || secret.passphrase_file.is_some()) {
        bail!("a passphrase or key file is for a volume that is encrypted; add --encrypt");
    }
    // Nobody types a passphrase for a node that is not there.
    drop(Client::connect_to_running(&defaults::store(store.store.clone())?)?);
    let encryption = encrypt.then(|| volume_keys::new_encryption(&name, &secret)).transpose()?;
    order(store, &Request::CreateVolume { name, mount, encryption })
}

fn list(arguments: VolumeList) -> Result<()> {
    let volumes = connect(arguments.store)?.status()?.volumes;
    let text = match arguments.json {
        true => output::json(&volumes)?,
        false => status_text::volumes(&volumes),
    };
    Ok(output::print(&text)?)
}

fn delete(arguments: VolumeDelete) -> Result<()> {
    let VolumeDelete { store, name, yes } = arguments;
    let store = defaults::store(store.store)?;
    // Nobody waits for an answer of a node that is not there; nor does the node wait for the user's.
    drop(Client::connect_to_running(&store)?);
    if !yes && !confirm(&name)? {
        bail!("{name} was not deleted");
    }
    let lines = Client::connect_to_running(&store)?.order(&Request::DeleteVolume { name })?;
    Ok(output::print_lines(&lines)?)
}

fn confirm(name: &str) -> Result<bool> {
    if !io::stdin().is_terminal() {
        bail!("cannot delete {name}: there is no terminal to ask on; confirm with --yes");
    }
    output::print(&format!("Delete the volume {name} with all that is in it? Type its name to confirm: "))?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).context("cannot read the answer")?;
    Ok(answer.trim() == name)
}

fn rename(arguments: VolumeRename) -> Result<()> {
    let VolumeRename { store, name, new_name } = arguments;
    order(store, &Request::RenameVolume { name, new_name })
}

fn set(arguments: VolumeSet) -> Result<()> {
    let VolumeSet { store, name, settings, dry_run } = arguments;
    if dry_run {
        return retention_effect(store, name, &settings);
    }
    order(store, &Request::SetVolume { name, settings })
}

fn retention_effect(store: StoreArgument, name: String, settings: &[(String, String)]) -> Result<()> {
    let [(key, retention)] = settings else { bail!("--dry-run takes one setting, retention=...") };
    if key != "retention" {
        bail!("--dry-run is for retention=..., which can let history go; {key} takes nothing away");
    }
    let order = PastOrder::RetentionEffect { retention: retention.clone() };
    places::order(&defaults::store(store.store)?, Some(name), order)
}

fn show(arguments: VolumeShow) -> Result<()> {
    let VolumeShow { store, name, json } = arguments;
    let volumes = connect(store)?.status()?.volumes;
    let Some(volume) = volumes.iter().find(|volume| volume.name == name) else {
        bail!("there is no volume {name}; `pantala volume list` shows all");
    };
    let text = match json {
        true => output::json(volume)?,
        false => status_text::volume_with_settings(volume),
    };
    Ok(output::print(&text)?)
}

fn order(store: StoreArgument, request: &Request) -> Result<()> {
    Ok(output::print_lines(&connect(store)?.order(request)?)?)
}

fn connect(store: StoreArgument) -> Result<Client> {
    Client::connect_to_running(&defaults::store(store.store)?)
}
