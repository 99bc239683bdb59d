//! What a replica keeps of the past, set from the side of its source.

use super::reach::{Holder, IfMissing};
use crate::control::{Client as NodeClient, Request};
use crate::mirrors::{Definition, Direction, Place};
use anyhow::{Context, Result, bail};
use objects::{Bucket, ObjectPlace};
use std::path::Path;

/// Sets it. What is not kept any more goes with the next sync or checkpoint there.
pub(super) fn set(mirror: &str, definition: &Definition, retention: &str) -> Result<()> {
    let volume = &definition.volume;
    let set = || match (definition.direction, definition.place()?) {
        (Direction::Pull, _) => {
            bail!("the replica is in this store; `pantala volume set {volume} retention={retention}` does it")
        }
        (_, Place::Machine { host, .. }) => {
            bail!("it is on another machine; on {host}: `pantala volume set {volume} retention={retention}`")
        }
        (_, Place::Objects(url)) => {
            Ok(ObjectPlace::new(Bucket::open(&url, false)?).set_retention(&definition.identity, retention)?)
        }
        (_, Place::Directory(path)) => set_in_store(&path, &definition.identity, retention),
    };
    set().with_context(|| format!("cannot set what {mirror} keeps of the past"))
}

fn set_in_store(store: &Path, identity: &str, retention: &str) -> Result<()> {
    let settings = vec![("retention".to_owned(), retention.to_owned())];
    let missing = || format!("{} has no replica of it", store.display());
    match Holder::find(store, IfMissing::Fail)? {
        Holder::Node(node) => {
            let volumes = NodeClient::connect_to_running(store)?.status()?.volumes;
            let volume = volumes.into_iter().find(|volume| volume.identity == identity).with_context(missing)?;
            node.order(&Request::SetVolume { name: volume.name, settings })?;
        }
        Holder::Here(pool) => {
            let volumes = mirror::list(&pool)?;
            let volume = volumes.into_iter().find(|listed| listed.identity.to_string() == identity);
            pool.set_volume(&volume.with_context(missing)?.name, &settings)?;
            pool.sync()?;
            pool.store().keep_opening_short()?;
        }
    }
    Ok(())
}
