//! Telling what a target has without asking: by the tree that it is known to have.
//!
//! What stands in both trees under one parent is there. What stands between two such places is new, and what the earlier tree has
//! between them is what it came from: there the comparison goes on, one level down. Nothing but links is looked at.

use block::Name;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What a batch of blocks has in common with an earlier tree.
#[derive(Default)]
pub(crate) struct Comparison {
    /// Blocks that the earlier tree has.
    known: HashSet<Name>,
    /// For each block that it has not, what it has in that place.
    earlier: HashMap<Name, Arc<[Name]>>,
}

impl Comparison {
    /// Compares the links of a block with those that the earlier tree has in its place.
    pub(crate) fn add(&mut self, links: &[Name], earlier: &[Name]) {
        let places: HashMap<_, _> = earlier.iter().enumerate().map(|(place, name)| (*name, place)).collect();
        let here: HashSet<_> = links.iter().copied().collect();
        let mut from = 0;
        let mut rest = links;
        while let Some(name) = rest.first() {
            if let Some(place) = places.get(name) {
                from = place + 1;
                rest = &rest[1..];
                continue;
            }
            let length = rest.iter().take_while(|name| !places.contains_key(*name)).count();
            let to = rest.get(length).map_or(earlier.len(), |next| places[next]);
            let gap = earlier.get(from..to).unwrap_or_default();
            let gap: Arc<[Name]> = gap.iter().filter(|name| !here.contains(*name)).copied().collect();
            self.earlier.extend(rest[..length].iter().map(|name| (*name, gap.clone())));
            rest = &rest[length..];
        }
        self.known.extend(earlier);
    }

    /// Whether the earlier tree has a block.
    pub(crate) fn knows(&self, name: &Name) -> bool {
        self.known.contains(name)
    }

    /// What the earlier tree has in the places of blocks that it has not.
    pub(crate) fn into_earlier(self) -> HashMap<Name, Arc<[Name]>> {
        self.earlier
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<Name> {
        text.bytes().map(|byte| Name::from_bytes([byte; Name::BYTES])).collect()
    }

    fn earlier(links: &str, base: &str) -> Vec<(char, String)> {
        let mut comparison = Comparison::default();
        comparison.add(&names(links), &names(base));
        assert!(names(base).iter().all(|name| comparison.knows(name)));
        let character = |name: &Name| name.as_bytes()[0] as char;
        let found = comparison.into_earlier();
        let mut found: Vec<_> =
            found.iter().map(|(name, gap)| (character(name), gap.iter().map(character).collect())).collect();
        found.sort();
        found
    }

    #[test]
    fn what_is_new_goes_with_what_stood_in_its_place() {
        let gap = |name, text: &str| (name, text.to_owned());
        assert_eq!(earlier("abXcYZd", "abPcQRd"), [gap('X', "P"), gap('Y', "QR"), gap('Z', "QR")]);
        assert_eq!(earlier("XabY", "PabQ"), [gap('X', "P"), gap('Y', "Q")]);
        assert_eq!(earlier("abc", "abc"), []);
        assert_eq!(earlier("aXb", "ab"), [gap('X', "")]);
        assert_eq!(earlier("X", "PQ"), [gap('X', "PQ")]);
        assert_eq!(earlier("X", ""), [gap('X', "")]);
        assert_eq!(earlier("bXa", "aPb"), [gap('X', "")], "what was moved is known, and gives no place");
    }
}
