//! Reading blocks out of packs: what lies close together is fetched in one piece.

use crate::error::Result;
use crate::home::Home;
use crate::limits::{FETCH_BYTES_MAX, GAP_BYTES_MAX, REQUESTS_MAX};
use crate::place::Place;
use block::{Name, PackedBlock};
use bytes::Bytes;

/// A piece of a pack, with the blocks in it that are wanted.
struct Piece {
    first: Place,
    end: u32,
    blocks: Vec<(Name, Place)>,
}

/// Shows blocks, in the order in which they lie, until `visit` says that it is enough. What does not match its place is an error
/// for `visit` to judge.
pub(crate) fn read<E: From<crate::Error>>(
    home: &Home,
    mut blocks: Vec<(Name, Place)>,
    visit: &mut dyn FnMut(Name, Result<PackedBlock>) -> std::result::Result<bool, E>,
) -> std::result::Result<(), E> {
    blocks.sort_unstable_by_key(|(_, place)| (place.pack, place.offset));
    let mut pieces: Vec<Piece> = Vec::new();
    for (name, place) in blocks {
        match pieces.last_mut().filter(|piece| piece.takes(&place)) {
            Some(piece) => {
                piece.end = place.offset + place.length;
                piece.blocks.push((name, place));
            }
            None => pieces.push(Piece {
                first: place,
                end: place.offset.saturating_add(place.length),
                blocks: vec![(name, place)],
            }),
        }
    }
    for batch in pieces.chunks(REQUESTS_MAX) {
        let range = |piece: &Piece| (home.pack(piece.first.pack), piece.first.offset.into()..piece.end.into());
        let ranges: Vec<_> = batch.iter().map(range).collect();
        let fetched = match home.bucket.get_ranges(&ranges) {
            Ok(fetched) => fetched.into_iter().map(Ok).collect::<Vec<_>>(),
            // One of them is at fault: each for itself.
            Err(_) => {
                ranges.iter().map(|range| Ok(home.bucket.get_ranges(std::slice::from_ref(range))?.remove(0))).collect()
            }
        };
        for (piece, bytes) in batch.iter().zip(fetched) {
            for (name, place) in &piece.blocks {
                let block = bytes.clone().and_then(|bytes| piece.block(home, &bytes, name, place));
                if !visit(*name, block)? {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

impl Piece {
    fn takes(&self, place: &Place) -> bool {
        let end = place.offset.saturating_add(place.length);
        self.first.pack == place.pack
            && place.offset >= self.end
            && place.offset - self.end <= GAP_BYTES_MAX
            && end - self.first.offset <= FETCH_BYTES_MAX
    }

    fn block(&self, home: &Home, bytes: &Bytes, name: &Name, place: &Place) -> Result<PackedBlock> {
        let from = (place.offset - self.first.offset) as usize;
        // A copy, so that a block that is held does not hold the whole piece.
        let bytes = Bytes::copy_from_slice(&bytes[from..from + place.length as usize]);
        let damaged = |why: &str| home.bucket.corrupt(&home.pack(place.pack), why);
        let block = PackedBlock::decode(bytes).map_err(|error| damaged(&error.to_string()))?;
        if block.name() == *name { Ok(block) } else { Err(damaged("another block is there")) }
    }
}
