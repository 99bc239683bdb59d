//! Nodes behind a cache that is bounded in bytes.

use crate::fingers::Fingers;
use crate::in_use::TreesInUse;
use crate::node::Node;
use crate::{Error, Result};
use block::{Block, Blocks, Name};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// The nodes of every tree of a store. Nodes never change, so a cached one is never stale.
pub struct Nodes {
    blocks: Arc<dyn Blocks>,
    cache: Cache<Name, Arc<Node>, ByMemory>,
    fingers: Fingers,
    in_use: Arc<TreesInUse>,
    is_used: AtomicBool,
    on_use: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

#[derive(Clone)]
struct ByMemory;

impl Weighter<Name, Arc<Node>> for ByMemory {
    fn weight(&self, _name: &Name, node: &Arc<Node>) -> u64 {
        node.memory_bytes()
    }
}

/// About what a node takes in memory; sizes the cache's table.
const NODE_MEMORY_BYTES: u64 = 16 << 10;

impl Nodes {
    /// Nodes over these blocks, of which up to `cache_bytes` stay in memory.
    pub fn new(blocks: Arc<dyn Blocks>, cache_bytes: u64) -> Arc<Self> {
        let nodes = (cache_bytes / NODE_MEMORY_BYTES).max(16) as usize;
        let cache = Cache::with_weighter(nodes, cache_bytes, ByMemory);
        Arc::new(Self {
            blocks,
            cache,
            fingers: Fingers::default(),
            is_used: AtomicBool::new(false),
            on_use: OnceLock::new(),
            in_use: Arc::default(),
        })
    }

    /// The blocks that the nodes lie in.
    pub fn blocks(&self) -> &Arc<dyn Blocks> {
        &self.blocks
    }

    /// The roots of the trees over these nodes that somebody has in hand.
    pub fn trees_in_use(&self) -> Vec<Name> {
        self.in_use.roots()
    }

    pub(crate) fn in_use(&self) -> &Arc<TreesInUse> {
        &self.in_use
    }

    /// Bytes that cached nodes take.
    pub fn cached_bytes(&self) -> u64 {
        self.cache.weight()
    }

    /// Calls this at the first use after the start, and after each [`Self::take_use`]. It must be quick; only the first caller
    /// of this method is heard.
    pub fn on_use(&self, notice: impl Fn() + Send + Sync + 'static) {
        let _ = self.on_use.set(Box::new(notice));
    }

    /// Whether any node was used since the last call.
    pub fn take_use(&self) -> bool {
        self.is_used.swap(false, Ordering::Relaxed)
    }

    /// Drops all cached nodes.
    pub fn clear(&self) {
        self.cache.clear();
        self.fingers.clear();
    }

    /// The leaf of a tree that a key belongs to, if it was looked into just before.
    pub(crate) fn leaf_at_hand(&self, root: &Name, key: &[u8]) -> Option<Arc<Node>> {
        self.note_use();
        self.fingers.leaf_of(root, key)
    }

    /// A leaf of a tree was looked into.
    pub(crate) fn looked_into(&self, root: Name, leaf: Arc<Node>) {
        self.fingers.point_to(root, leaf);
    }

    /// Written only when it changes, so that readers on many CPUs share the flag.
    fn note_use(&self) {
        if !self.is_used.load(Ordering::Relaxed) && !self.is_used.swap(true, Ordering::Relaxed) {
            self.on_use.get().inspect(|notice| notice());
        }
    }

    pub(crate) fn get(&self, name: &Name) -> Result<Arc<Node>> {
        self.note_use();
        if let Some(node) = self.cache.get(name) {
            return Ok(node);
        }
        let block = self.blocks.get(name)?;
        let node = Arc::new(decode(name, block)?);
        self.cache.insert(*name, node.clone());
        Ok(node)
    }

    pub(crate) fn put(&self, block: Block) -> Result<Name> {
        let name = self.blocks.put(&block)?;
        self.cache.insert(name, Arc::new(decode(&name, block)?));
        Ok(name)
    }
}

fn decode(name: &Name, block: Block) -> Result<Node> {
    Node::decode(block).map_err(|reason| Error::NotANode { name: *name, reason })
}
