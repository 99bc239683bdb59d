//! What a sync would change for who reads the replica.
//!
//! Blocks are read where they are: what the replica lacks is at the source, and what the source has let go of is at the replica. A
//! thread of its own compares the two states, and asks for each block that it needs.

use crate::ports::Source;
use crate::verify::Verifiable;
use crate::volumes::SourceVolume;
use crate::{Error, Result, Side};
use block::{Block, Blocks, Name};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use volume::{Difference, State, View, differences};

/// What differs from the state that a replica has to that of its source, in the order of paths; `None` if the volume is encrypted, so
/// that only who has its key can tell. Before its first sync the replica has nothing.
pub fn preview(source: &dyn SourceVolume, held: &State, replica: &dyn Verifiable) -> Result<Option<Vec<Difference>>> {
    let after = source.origin().state;
    if after.is_encrypted() {
        return Ok(None);
    }
    let (asking, asked) = channel();
    thread::scope(|scope| {
        let compare = move || {
            let blocks: Arc<dyn Blocks> = Arc::new(Asking(asking));
            differences(&View::of_state(held, blocks.clone()), &View::of_state(&after, blocks))
        };
        let compared = scope.spawn(compare);
        let replica = held.tree().map(|_| replica);
        let failure = answer(&asked, source, replica);
        let compared = compared.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        match (compared, failure) {
            (Err(_), Some(failure)) => Err(failure),
            (compared, _) => compared.map(Some).map_err(|error| Error::of_pool(Side::Source)(error.into())),
        }
    })
}

/// Answers until nobody asks any more. Gives why the last block could not be had, if one could not.
fn answer(asked: &Receiver<Question>, source: &dyn SourceVolume, replica: Option<&dyn Verifiable>) -> Option<Error> {
    let mut failure = None;
    for Question { name, answer } in asked {
        let found = find(&name, source, replica).unwrap_or_else(|error| {
            failure = Some(error);
            None
        });
        // Who does not wait any more needs no answer.
        let _ = answer.send(found);
    }
    failure
}

/// A replica that has nothing yet is not asked.
fn find(name: &Name, source: &dyn SourceVolume, replica: Option<&dyn Verifiable>) -> Result<Option<Block>> {
    if let Some(store) = source.store()
        && store.contains(name).map_err(Error::of(Side::Source))?
    {
        return store.get(name).map(Some).map_err(Error::of(Side::Source));
    }
    if let Some(block) = replica.map_or(Ok(None), |replica| replica.fetch(name))? {
        return block.unpack().map(Some).map_err(Error::of(Side::Target));
    }
    let mut found = None;
    Source::read(source, &[*name], usize::MAX, &mut |block| {
        found = Some(block.unpack().map_err(Error::of(Side::Source))?);
        Ok(())
    })?;
    Ok(found)
}

/// A block that somebody needs.
struct Question {
    name: Name,
    answer: Sender<Option<Block>>,
}

/// Blocks that another thread has.
struct Asking(Sender<Question>);

impl Blocks for Asking {
    fn get(&self, name: &Name) -> block::Result<Block> {
        let (answer, answered) = channel();
        let missing = || block::Error::Missing { name: *name };
        self.0.send(Question { name: *name, answer }).map_err(|_| missing())?;
        answered.recv().ok().flatten().ok_or_else(missing)
    }

    fn put(&self, _: &Block) -> block::Result<Name> {
        Err(block::Error::ReadOnly { reason: "it is only looked at".to_owned() })
    }

    fn contains(&self, name: &Name) -> block::Result<bool> {
        self.get(name).map(|_| true)
    }

    fn sync(&self) -> block::Result<()> {
        Ok(())
    }
}
