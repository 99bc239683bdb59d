//! What makes a volume of another one's state, or its own earlier one, in a workload: going back, clones, replicas that receive,
//! are promoted and become replicas again; also other retentions and names, and restarts.

use crate::crash::{Known, Tally};
use crate::model::Model;
use crate::place::{OWNER, open_pool_with, unlock_all};
use crate::random::{RETENTIONS, Run, Worked};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use volume::{KeptRoot, Pool, Role, Volume, VolumeId};

/// Volumes at one time, at most.
const VOLUMES_MAX: usize = 4;

impl Worked {
    /// A volume that begins as another one is or was.
    fn like(volume: VolumeId, seed: u64, model: Model) -> Self {
        let mut worked = Self::new(volume, seed);
        worked.workload.model = model;
        worked.known.states = vec![Arc::new(worked.workload.model.dump())];
        worked
    }

    /// A snapshot that is there and of which the model is known.
    fn a_snapshot(&mut self) -> Option<(String, Model)> {
        let dumps = &self.known.kept[0].snapshots;
        let model_of = |dump: &Vec<String>| self.models.iter().find(|model| model.dump() == *dump).cloned();
        let known: Vec<_> =
            dumps.iter().filter_map(|(name, (dump, _))| Some((name.clone(), model_of(dump)?))).collect();
        let chosen = self.workload.random.below(known.len().max(1) as u64) as usize;
        known.into_iter().nth(chosen)
    }
}

fn open(pool: &Pool, worked: &Worked) -> Arc<Volume> {
    pool.volume(worked.known.volume).expect("it is open")
}

fn name_of(pool: &Pool, volume: VolumeId) -> Result<String, String> {
    let volumes = pool.list_volumes().map_err(failed)?;
    let found = volumes.into_iter().find(|info| info.id == volume);
    found.map(|info| info.name).ok_or(format!("volume {volume} is not listed"))
}

fn failed(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl Run {
    /// Does one of these.
    pub(crate) fn step_lineage(&mut self, pool: Pool, tally: &Tally) -> Result<Pool, String> {
        let number = self.random.below(self.volumes.len() as u64) as usize;
        match self.random.below(10) {
            0 => self.create(&pool, tally)?,
            1 => self.rename(&pool, number, tally)?,
            2 => self.set_retention(&pool, number, tally)?,
            3 | 4 => self.roll_back(&pool, number, tally)?,
            5 => self.clone_volume(&pool, number, tally)?,
            6 => self.receive(&pool, tally)?,
            7 => self.change_role(&pool, tally)?,
            8 => self.delete(&pool, tally)?,
            _ => return self.restart(pool, tally),
        }
        Ok(pool)
    }

    fn create(&mut self, pool: &Pool, tally: &Tally) -> Result<(), String> {
        if self.volumes.len() >= VOLUMES_MAX {
            return Ok(());
        }
        let (index, known) = (self.index.snapshot(), self.known());
        let name = self.new_name();
        let info = pool.create_volume(&name, OWNER).map_err(failed)?;
        self.crash_at_images(&index, &known, tally)?;
        let seed = self.random.number();
        self.volumes.push(Worked::new(info.id, seed));
        Ok(())
    }

    fn rename(&mut self, pool: &Pool, number: usize, tally: &Tally) -> Result<(), String> {
        let (index, known) = (self.index.snapshot(), self.known());
        let new_name = self.new_name();
        pool.rename_volume(&name_of(pool, self.volumes[number].known.volume)?, &new_name).map_err(failed)?;
        self.crash_at_images(&index, &known, tally)
    }

    fn set_retention(&mut self, pool: &Pool, number: usize, tally: &Tally) -> Result<(), String> {
        let (index, known) = (self.index.snapshot(), self.known());
        let retention = RETENTIONS[self.random.below(RETENTIONS.len() as u64) as usize];
        let name = name_of(pool, self.volumes[number].known.volume)?;
        pool.set_volume(&name, &[("retention".into(), retention.into())]).map_err(failed)?;
        self.crash_at_images(&index, &known, tally)
    }

    /// Goes back to a snapshot: the state before becomes one, and both are durable.
    fn roll_back(&mut self, pool: &Pool, number: usize, tally: &Tally) -> Result<(), String> {
        let index = self.index.snapshot();
        let name_before = self.new_name();
        let worked = &mut self.volumes[number];
        let Some((snapshot, model)) = worked.a_snapshot().filter(|_| !worked.is_replica) else { return Ok(()) };
        let volume = open(pool, worked);
        let to = volume.snapshot(&snapshot).map_err(failed)?.root;
        let before = worked.known.kept[0].clone();
        let mut after = before.clone();
        after.snapshots.insert(name_before.clone(), (worked.workload.model.dump(), false));
        volume.roll_back(&to, &name_before).map_err(failed)?;
        worked.models.push(std::mem::replace(&mut worked.workload.model, model));
        worked.known.states.push(Arc::new(worked.workload.model.dump()));
        worked.known.kept = vec![before, after.clone()];
        let known = self.known();
        self.crash_at_images(&index, &known, tally)?;
        self.volumes[number].known.kept = vec![after];
        self.volumes[number].synced();
        tally.rolled_back.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn clone_volume(&mut self, pool: &Pool, number: usize, tally: &Tally) -> Result<(), String> {
        let (index, known) = (self.index.snapshot(), self.known());
        let (name, seed) = (self.new_name(), self.random.number());
        if self.volumes.len() >= VOLUMES_MAX {
            return Ok(());
        }
        let Some((snapshot, model)) = self.volumes[number].a_snapshot() else { return Ok(()) };
        let source = open(pool, &self.volumes[number]);
        let root = source.snapshot(&snapshot).map_err(failed)?.root;
        let info = pool.clone_volume(&source, &root, &name).map_err(failed)?;
        self.crash_at_images(&index, &known, tally)?;
        self.volumes.push(Worked::like(info.id, seed, model));
        tally.cloned.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// The replica, made if there is none, takes over the first volume's state, and what that keeps.
    fn receive(&mut self, pool: &Pool, tally: &Tally) -> Result<(), String> {
        let source = open(pool, &self.volumes[0]);
        let (index, known) = (self.index.snapshot(), self.known());
        source.checkpoint().map_err(failed)?;
        self.crash_at_images(&index, &known, tally)?;
        self.volumes[0].synced();
        let pinned = source.pin().map_err(failed)?;
        let there = self.volumes.iter().position(|worked| worked.is_replica);
        let (index, mut known) = (self.index.snapshot(), self.known());
        let replica = match there {
            Some(number) => open(pool, &self.volumes[number]),
            None if self.volumes.len() >= VOLUMES_MAX => return Ok(()),
            None => {
                // An encrypted state is tagged for its volume alone.
                let of_source = pool.list_volumes().map_err(failed)?.into_iter().find(|info| info.id == source.id());
                let (name, identity) = (self.new_name(), of_source.expect("it is open").identity);
                let info = pool.create_replica(&name, identity, &pinned.state).map_err(failed)?;
                pool.volume(info.id).expect("it is open")
            }
        };
        // A replica keeps its snapshots when the source has others: only the first time they are the same.
        let is_taken = |root: &KeptRoot| there.is_none() || root.snapshot_name().is_none();
        let offered = replica.wanted(&pinned.kept).map_err(failed)?;
        let offered: Vec<_> = offered.into_iter().filter(is_taken).collect();
        let receiving = replica.begin_receiving().ok_or("a transfer is under way")?;
        replica.receive(&pinned.state, &pinned.witnesses, &offered).map_err(failed)?;
        drop(receiving);
        unlock_all(pool).map_err(failed)?;
        let after = self.received(replica.id(), there);
        if let Some(number) = there {
            known[number].states = after.states.clone();
        }
        self.crash_at_images(&index, &known, tally)?;
        match there {
            Some(number) => self.volumes[number].known = after,
            None => {
                let seed = self.random.number();
                self.volumes.push(Worked { is_replica: true, known: after, ..Worked::new(replica.id(), seed) });
            }
        }
        let number = there.unwrap_or(self.volumes.len() - 1);
        self.volumes[number].workload.model = self.volumes[0].workload.model.clone();
        self.volumes[number].models = self.volumes[0].models.clone();
        self.volumes[number].synced();
        tally.received.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// What is known of a replica that has received the first volume's state.
    fn received(&self, volume: VolumeId, there: Option<usize>) -> Known {
        let source = &self.volumes[0].known;
        match there {
            Some(number) => {
                let before = &self.volumes[number].known;
                let states = before.states.iter().chain(&source.states).cloned().collect();
                Known { states, ..before.clone() }
            }
            None => Known { volume, ..source.clone() },
        }
    }

    /// The replica becomes writable; or a volume that is not the first becomes a replica again.
    pub(crate) fn change_role(&mut self, pool: &Pool, tally: &Tally) -> Result<(), String> {
        let replica = self.volumes.iter().position(|worked| worked.is_replica);
        let Some(number) = replica.or_else(|| self.volumes.iter().position(|worked| worked.was_replica)) else {
            return Ok(());
        };
        let (index, known) = (self.index.snapshot(), self.known());
        let role = if replica.is_some() { Role::Primary } else { Role::Replica };
        pool.set_role(&name_of(pool, self.volumes[number].known.volume)?, role).map_err(failed)?;
        self.crash_at_images(&index, &known, tally)?;
        let worked = &mut self.volumes[number];
        worked.is_replica = role == Role::Replica;
        worked.was_replica = true;
        worked.synced();
        tally.roles.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn delete(&mut self, pool: &Pool, tally: &Tally) -> Result<(), String> {
        if self.volumes.len() < VOLUMES_MAX {
            return Ok(());
        }
        let index = self.index.snapshot();
        let number = 1 + self.random.below(self.volumes.len() as u64 - 1) as usize;
        let gone = self.volumes.remove(number);
        pool.delete_volume(&name_of(pool, gone.known.volume)?).map_err(failed)?;
        let known = self.known();
        self.crash_at_images(&index, &known, tally)
    }

    /// Ends the pool and opens it again.
    fn restart(&mut self, pool: Pool, tally: &Tally) -> Result<Pool, String> {
        let index = self.index.snapshot();
        pool.sync().map_err(failed)?;
        drop(pool);
        self.volumes.iter_mut().for_each(Worked::synced);
        self.disk.take_images();
        let pool = open_pool_with(&self.disk, self.index.clone(), false, &self.clock).map_err(failed)?;
        let known = self.known();
        self.crash_at_images(&index, &known, tally)?;
        Ok(pool)
    }

    /// A name that no volume and no snapshot has.
    fn new_name(&mut self) -> String {
        self.names += 1;
        format!("name{}", self.names)
    }
}
