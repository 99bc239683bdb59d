//! What the store costs over the bare disk: rates of put, get and sync beside a preallocated file written with pwrite and
//! fdatasync, in one run.
//!
//! `cargo run --release -p block --example store_bench -- FOLDER` (default: a temporary folder in the current directory).

use block::{Block, Blocks, Disk, Name, OpenMode, RealDisk, Store, StoreOptions};
use std::error::Error;
use std::io::IoSlice;
use std::path::Path;
use std::thread;
use std::time::Instant;

const TOTAL_BYTES: usize = 256 << 20;
const BLOCK_BYTES: [usize; 3] = [4 << 10, 64 << 10, 1 << 20];
const SYNC_ROUNDS: usize = 200;
const SYNC_THREADS: usize = 8;

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let place = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let folder = tempfile::tempdir_in(place)?;
    println!("{:<44}{:>12}{:>14}", "", "MB/s", "operations/s");
    for bytes in BLOCK_BYTES {
        let blocks = noise(bytes);
        bare_writes(&folder.path().join(format!("bare-{bytes}")), &blocks)?;
        store_blocks(&folder.path().join(format!("store-{bytes}")), &blocks)?;
    }
    bare_syncs(&folder.path().join("bare-syncs"))?;
    store_syncs(&folder.path().join("store-syncs"), 1)?;
    store_syncs(&folder.path().join("store-syncs-shared"), SYNC_THREADS)
}

fn bare_writes(folder: &Path, blocks: &[Block]) -> Outcome {
    std::fs::create_dir(folder)?;
    let disk = RealDisk::new(folder);
    let file = disk.create("file", TOTAL_BYTES as u64)?;
    let start = Instant::now();
    for (number, block) in blocks.iter().enumerate() {
        file.write_at(&[IoSlice::new(&block.body)], (number * block.body.len()) as u64)?;
    }
    file.sync()?;
    report("bare file: pwrite, one fdatasync", blocks, start);
    Ok(())
}

fn store_blocks(folder: &Path, blocks: &[Block]) -> Outcome {
    let store = Store::open_directory(folder, StoreOptions::default(), OpenMode::Create)?;
    let start = Instant::now();
    let names: Vec<Name> = blocks.iter().map(|block| store.put(block)).collect::<Result<_, _>>()?;
    store.sync()?;
    report("store: put, one sync", blocks, start);
    let start = Instant::now();
    blocks.iter().try_for_each(|block| store.put(block).map(drop))?;
    report("store: put again (there already)", blocks, start);
    store.flush_index()?;
    let start = Instant::now();
    names.iter().try_for_each(|name| store.get(name).map(drop))?;
    report("store: get, verified", blocks, start);
    drop(store);
    let start = Instant::now();
    Store::open_directory(folder, StoreOptions::default(), OpenMode::MustExist)?;
    println!("{:<44}{:>9.1} ms", "store: open", start.elapsed().as_secs_f64() * 1e3);
    let start = Instant::now();
    drop(Store::reindex_directory(folder, StoreOptions::default(), &mut |_, _| {})?);
    report("store: reindex", blocks, start);
    Ok(())
}

fn bare_syncs(folder: &Path) -> Outcome {
    std::fs::create_dir(folder)?;
    let file = RealDisk::new(folder).create("file", TOTAL_BYTES as u64)?;
    let blocks = &noise(4 << 10)[..SYNC_ROUNDS];
    let start = Instant::now();
    for (number, block) in blocks.iter().enumerate() {
        file.write_at(&[IoSlice::new(&block.body)], (number * block.body.len()) as u64)?;
        file.sync()?;
    }
    report("bare file: 4 KiB pwrite and fdatasync", blocks, start);
    Ok(())
}

fn store_syncs(folder: &Path, threads: usize) -> Outcome {
    let store = &Store::open_directory(folder, StoreOptions::default(), OpenMode::Create)?;
    let blocks = &noise(4 << 10)[..SYNC_ROUNDS * threads];
    let start = Instant::now();
    thread::scope(|scope| {
        for part in blocks.chunks(SYNC_ROUNDS) {
            scope.spawn(move || part.iter().try_for_each(|block| store.put(block).and_then(|_| store.sync())));
        }
    });
    report(&format!("store: 4 KiB put and sync, {threads} thread(s)"), blocks, start);
    println!("{:<44}{:>12} syncs for {} calls", "", store.statistics().syncs, blocks.len());
    Ok(())
}

/// Blocks of a size that do not compress.
fn noise(bytes: usize) -> Vec<Block> {
    let mut content = vec![0; TOTAL_BYTES];
    blake3::Hasher::new().finalize_xof().fill(&mut content);
    content.chunks(bytes).map(|chunk| Block::data(chunk.to_vec().into())).collect()
}

fn report(what: &str, blocks: &[Block], start: Instant) {
    let seconds = start.elapsed().as_secs_f64();
    let bytes: usize = blocks.iter().map(|block| block.body.len()).sum();
    let what = format!("{what} ({} KiB)", blocks[0].body.len() >> 10);
    println!("{what:<44}{:>12.0}{:>14.0}", bytes as f64 / 1e6 / seconds, blocks.len() as f64 / seconds);
}
