//! A file's bytes, in chunks so that a file can grow without being copied. What was never written is no chunk, or lies
//! behind a chunk's end: it reads as zeros.

const CHUNK_SIZE: usize = 128 * 1024;

/// A file's bytes.
#[derive(Default)]
pub(crate) struct Data {
    chunks: Vec<Vec<u8>>,
    length: u64,
}

impl Data {
    pub(crate) fn len(&self) -> u64 {
        self.length
    }

    /// Bytes taken in memory.
    pub(crate) fn allocated(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.len() as u64).sum()
    }

    /// Reads at `offset`; returns how many bytes there were.
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let length = buffer.len().min(self.length.saturating_sub(offset) as usize);
        for piece in pieces(offset, length) {
            let target = &mut buffer[piece.from..piece.from + piece.length];
            let chunk = self.chunks.get(piece.chunk).map_or(&[][..], Vec::as_slice);
            let source = chunk.get(piece.at..).unwrap_or_default();
            let stored = source.len().min(target.len());
            target[..stored].copy_from_slice(&source[..stored]);
            target[stored..].fill(0);
        }
        length
    }

    /// Writes at `offset`; the file grows as needed.
    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) {
        for piece in pieces(offset, data.len()) {
            let source = &data[piece.from..piece.from + piece.length];
            self.reach(piece.chunk, piece.at + piece.length)[piece.at..].copy_from_slice(source);
        }
        self.length = self.length.max(offset + data.len() as u64);
    }

    /// A chunk's first `length` bytes, which it has from now on.
    fn reach(&mut self, index: usize, length: usize) -> &mut [u8] {
        if self.chunks.len() <= index {
            self.chunks.resize_with(index + 1, Vec::new);
        }
        let chunk = &mut self.chunks[index];
        if chunk.len() < length {
            chunk.resize(length, 0);
        }
        &mut chunk[..length]
    }

    /// Changes the length; new bytes are zeros.
    pub(crate) fn set_len(&mut self, length: u64) {
        let last = (length / CHUNK_SIZE as u64) as usize;
        self.chunks.truncate(last + 1);
        if let Some(chunk) = self.chunks.get_mut(last) {
            chunk.truncate((length % CHUNK_SIZE as u64) as usize);
        }
        self.length = length;
    }

    /// Makes a range read as zeros.
    pub(crate) fn clear(&mut self, offset: u64, length: u64) {
        let length = length.min(self.length.saturating_sub(offset)) as usize;
        for piece in pieces(offset, length) {
            let Some(chunk) = self.chunks.get_mut(piece.chunk) else {
                continue;
            };
            let end = chunk.len().min(piece.at + piece.length);
            chunk.get_mut(piece.at..end).unwrap_or_default().fill(0);
        }
    }
}

/// A part of a range that lies in one chunk.
struct Piece {
    chunk: usize,
    /// Where in the chunk.
    at: usize,
    /// Where in the range.
    from: usize,
    length: usize,
}

fn pieces(offset: u64, length: usize) -> impl Iterator<Item = Piece> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let position = offset + from as u64;
        let at = (position % CHUNK_SIZE as u64) as usize;
        let piece = Piece {
            chunk: (position / CHUNK_SIZE as u64) as usize,
            at,
            from,
            length: (length - from).min(CHUNK_SIZE - at),
        };
        from += piece.length;
        (piece.length > 0).then_some(piece)
    })
}
