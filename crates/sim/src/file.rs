//! A file of the simulated disk: what was written, what is durable, and what lies between.

use crate::random::Random;
use crate::sectors::{Sector, Sectors};

/// A change that no sync has covered.
#[derive(Clone)]
enum Change {
    Sector { number: u64, sector: Sector },
    Length(u64),
}

/// A file's content, twice.
#[derive(Clone, Default)]
pub(crate) struct FileState {
    live: Sectors,
    durable: Sectors,
    unsynced: Vec<Change>,
    /// Where in `unsynced` the last write begins.
    last_write: usize,
    /// Changes that a failed sync dropped: the page cache has them, no later sync writes them.
    dropped: Vec<Change>,
}

impl FileState {
    /// A new file of zeros; its length is not durable yet.
    pub(crate) fn zeros(length: u64) -> Self {
        let unsynced = vec![Change::Length(length)];
        Self { live: Sectors::zeros(length), unsynced, ..Self::default() }
    }

    /// Reads what was written.
    pub(crate) fn read(&self, buffer: &mut [u8], offset: u64) -> usize {
        self.live.read(buffer, offset)
    }

    /// Length of what was written.
    pub(crate) fn length(&self) -> u64 {
        self.live.length
    }

    /// Writes at an offset.
    pub(crate) fn write(&mut self, bytes: &[u8], offset: u64) {
        self.last_write = self.unsynced.len();
        let length = self.live.length;
        let sectors = self.live.write(bytes, offset);
        if self.live.length > length {
            self.unsynced.push(Change::Length(self.live.length));
        }
        self.unsynced.extend(sectors.into_iter().map(|(number, sector)| Change::Sector { number, sector }));
    }

    /// Sets the length.
    pub(crate) fn set_length(&mut self, length: u64) {
        self.live.set_length(length);
        self.unsynced.push(Change::Length(length));
    }

    /// Makes what was written durable.
    pub(crate) fn sync(&mut self) {
        for change in std::mem::take(&mut self.unsynced) {
            apply(&mut self.durable, change);
        }
    }

    /// Makes only the last write durable; what was written before it stays undecided.
    pub(crate) fn sync_last_write(&mut self) {
        let last_write = self.last_write.min(self.unsynced.len());
        for change in self.unsynced.split_off(last_write) {
            apply(&mut self.durable, change);
        }
    }

    /// A sync that failed: what it should have made durable may or may not be, and no later sync will tell.
    pub(crate) fn fail_sync(&mut self) {
        self.dropped.append(&mut self.unsynced);
    }

    /// Flips bits of a byte, in what was written and in what is durable: damage by the medium.
    pub(crate) fn flip(&mut self, offset: u64, mask: u8) {
        for content in [&mut self.live, &mut self.durable] {
            let mut byte = [0];
            if content.read(&mut byte, offset) == 1 {
                content.write(&[byte[0] ^ mask], offset);
            }
        }
    }

    /// The file after a loss of power: what was durable, and so many of 100 of the unsynced changes, each sector by itself.
    pub(crate) fn after_crash(&self, random: &mut Random, survive_percent: u64) -> Self {
        let mut content = self.durable.clone();
        for change in self.dropped.iter().chain(&self.unsynced) {
            if random.percent(survive_percent) {
                apply(&mut content, change.clone());
            }
        }
        content.set_length(content.length);
        Self { live: content.clone(), durable: content, ..Self::default() }
    }
}

fn apply(content: &mut Sectors, change: Change) {
    match change {
        Change::Sector { number, sector } => content.put(number, sector),
        Change::Length(length) => content.set_length(length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(file: &FileState) -> Vec<u8> {
        let mut bytes = vec![0; file.length() as usize];
        file.read(&mut bytes, 0);
        bytes
    }

    #[test]
    fn a_crash_keeps_what_was_synced_and_tears_the_rest_at_sectors() {
        let mut file = FileState::zeros(2048);
        file.write(&[1; 1024], 0);
        file.sync();
        file.write(&[2; 1536], 512);
        let mut seen = [false; 4];
        for seed in 0..64 {
            let bytes = content(&file.after_crash(&mut Random::new(seed), 50));
            assert_eq!(&bytes[..512], &[1; 512]);
            assert!(bytes.chunks(512).all(|sector| sector.iter().all(|byte| *byte == sector[0])));
            seen[(bytes[512] == 2) as usize * 2 + (bytes[1024] == 2) as usize] = true;
        }
        assert_eq!(seen, [true; 4], "every subset of two unsynced sectors turns up");
    }

    #[test]
    fn a_sync_after_a_failed_one_does_not_bring_back_what_was_dropped() {
        let mut file = FileState::zeros(512);
        file.sync();
        file.write(&[5; 512], 0);
        file.fail_sync();
        file.sync();
        assert_eq!(content(&file), [5; 512]);
        assert_eq!(content(&file.after_crash(&mut Random::new(1), 0)), [0; 512]);
    }

    #[test]
    fn a_reversed_sync_leaves_what_was_written_first_undecided() {
        let mut file = FileState::zeros(1024);
        file.sync();
        file.write(&[1; 512], 0);
        file.write(&[2; 512], 512);
        file.sync_last_write();
        let bytes = content(&file.after_crash(&mut Random::new(1), 0));
        assert_eq!((bytes[0], bytes[512]), (0, 2));
    }

    #[test]
    fn a_cut_file_that_grows_again_reads_as_zero() {
        let mut file = FileState::zeros(0);
        file.write(&[7; 1500], 0);
        file.set_length(700);
        file.set_length(1500);
        file.sync();
        let bytes = content(&file.after_crash(&mut Random::new(1), 0));
        assert_eq!((&bytes[..700], &bytes[700..]), (&[7; 700][..], &[0; 800][..]));
    }
}
