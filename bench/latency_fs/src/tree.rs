//! The tree itself: entries in memory, found by number or by name. Nothing here takes time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use fuser::Errno;

use crate::spec::Part;

/// Number of the root. Source: the FUSE protocol.
pub(crate) const ROOT: u64 = 1;

/// Size of generated files, bytes.
const FILE_BYTES: u64 = 4_096;

type Name = Arc<[u8]>;

/// All entries. Numbers are never used again: what has no name left may still be open.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
}

/// An entry.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) content: Content,
    pub(crate) links: u32,
    /// Time of the last change, of the content and of anything.
    pub(crate) changed: SystemTime,
}

/// What an entry is.
#[derive(Debug)]
pub(crate) enum Content {
    /// A file that was generated: only its size is known.
    Sized(u64),
    /// A file that was written.
    Written(Vec<u8>),
    /// A directory.
    Folder(Box<Folder>),
}

/// The entries of a directory, in the order of their creation. Positions stay when others go.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    slots: Vec<Option<(Name, u64)>>,
    places: HashMap<Name, usize>,
}

/// One entry while a directory is listed.
pub(crate) struct Listed<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) inode: u64,
    /// Where to go on after it.
    pub(crate) next: u64,
}

impl Folder {
    fn insert(&mut self, name: &[u8], inode: u64) {
        let name: Name = name.into();
        self.places.insert(Arc::clone(&name), self.slots.len());
        self.slots.push(Some((name, inode)));
    }

    fn get(&self, name: &[u8]) -> Option<u64> {
        let place = *self.places.get(name)?;
        self.slots[place].as_ref().map(|(_, inode)| *inode)
    }

    fn remove(&mut self, name: &[u8]) {
        if let Some(place) = self.places.remove(name) {
            self.slots[place] = None;
        }
    }

    /// Entries from a position on.
    pub(crate) fn from(&self, position: u64) -> impl Iterator<Item = Listed<'_>> {
        let first = usize::try_from(position).unwrap_or(usize::MAX);
        let slots = self.slots.get(first..).unwrap_or_default().iter();
        slots.zip(position + 1..).filter_map(|(slot, next)| {
            let (name, inode) = slot.as_ref()?;
            let inode = *inode;
            Some(Listed { name, inode, next })
        })
    }

    /// Whether nothing comes from a position on.
    pub(crate) fn ends_at(&self, position: u64) -> bool {
        self.from(position).next().is_none()
    }
}

impl Tree {
    /// Everything as old as `changed`.
    pub(crate) fn new(parts: &[Part], changed: SystemTime) -> Self {
        let root = Node::folder(changed);
        let mut tree = Self { nodes: vec![root] };
        for (part, number) in parts.iter().zip(0_u32..) {
            match *part {
                Part::Flat { files } => tree.fill(ROOT, files, changed),
                Part::Directories { directories, files } => {
                    for directory in 0..directories {
                        let name = format!("d{number}-{directory:06}");
                        let inode = tree.insert(ROOT, name.as_bytes(), Node::folder(changed));
                        tree.fill(inode, files, changed);
                    }
                }
            }
        }
        tree
    }

    fn fill(&mut self, parent: u64, files: u64, changed: SystemTime) {
        for file in 0..files {
            let content = Content::Sized(FILE_BYTES);
            let node = Node::file(content, changed);
            self.insert(parent, format!("file-{file:07}").as_bytes(), node);
        }
    }

    /// Puts a new entry into a directory, which is one and has none of that name.
    fn insert(&mut self, parent: u64, name: &[u8], node: Node) -> u64 {
        self.nodes.push(node);
        let inode = self.nodes.len() as u64;
        if let Ok(folder) = self.folder_mut(parent) {
            folder.insert(name, inode);
        }
        inode
    }

    pub(crate) fn node(&self, inode: u64) -> Result<&Node, Errno> {
        let place = usize::try_from(inode - 1).unwrap_or(usize::MAX);
        self.nodes.get(place).ok_or(Errno::ENOENT)
    }

    pub(crate) fn node_mut(&mut self, inode: u64) -> Result<&mut Node, Errno> {
        let place = usize::try_from(inode - 1).unwrap_or(usize::MAX);
        self.nodes.get_mut(place).ok_or(Errno::ENOENT)
    }

    pub(crate) fn folder(&self, inode: u64) -> Result<&Folder, Errno> {
        match &self.node(inode)?.content {
            Content::Folder(folder) => Ok(folder),
            _ => Err(Errno::ENOTDIR),
        }
    }

    fn folder_mut(&mut self, inode: u64) -> Result<&mut Folder, Errno> {
        match &mut self.node_mut(inode)?.content {
            Content::Folder(folder) => Ok(folder),
            _ => Err(Errno::ENOTDIR),
        }
    }

    pub(crate) fn lookup(&self, parent: u64, name: &[u8]) -> Result<u64, Errno> {
        self.folder(parent)?.get(name).ok_or(Errno::ENOENT)
    }

    pub(crate) fn create(
        &mut self,
        parent: u64,
        name: &[u8],
        content: Content,
        now: SystemTime,
    ) -> Result<u64, Errno> {
        if self.lookup(parent, name).is_ok() {
            return Err(Errno::EEXIST);
        }
        self.node_mut(parent)?.changed = now;
        Ok(self.insert(parent, name, Node::of(content, now)))
    }

    /// Gives a file one more name.
    pub(crate) fn link(
        &mut self,
        inode: u64,
        parent: u64,
        name: &[u8],
        now: SystemTime,
    ) -> Result<(), Errno> {
        if self.lookup(parent, name).is_ok() {
            return Err(Errno::EEXIST);
        }
        self.folder_mut(parent)?.insert(name, inode);
        self.node_mut(parent)?.changed = now;
        self.node_mut(inode)?.links += 1;
        Ok(())
    }

    pub(crate) fn unlink(
        &mut self,
        parent: u64,
        name: &[u8],
        now: SystemTime,
    ) -> Result<(), Errno> {
        let inode = self.lookup(parent, name)?;
        if matches!(self.node(inode)?.content, Content::Folder(_)) {
            return Err(Errno::EISDIR);
        }
        self.take(parent, name, inode, now)
    }

    pub(crate) fn rmdir(&mut self, parent: u64, name: &[u8], now: SystemTime) -> Result<(), Errno> {
        let inode = self.lookup(parent, name)?;
        if !self.folder(inode)?.ends_at(0) {
            return Err(Errno::ENOTEMPTY);
        }
        self.take(parent, name, inode, now)
    }

    fn take(&mut self, parent: u64, name: &[u8], inode: u64, now: SystemTime) -> Result<(), Errno> {
        self.folder_mut(parent)?.remove(name);
        self.node_mut(parent)?.changed = now;
        let node = self.node_mut(inode)?;
        node.links = node.links.saturating_sub(1);
        node.changed = now;
        Ok(())
    }

    /// Moves a name, over a file that has the new one.
    pub(crate) fn rename(
        &mut self,
        from: (u64, &[u8]),
        to: (u64, &[u8]),
        now: SystemTime,
    ) -> Result<(), Errno> {
        let inode = self.lookup(from.0, from.1)?;
        if self.lookup(to.0, to.1).is_ok() {
            self.unlink(to.0, to.1, now)?;
        }
        self.folder_mut(from.0)?.remove(from.1);
        self.folder_mut(to.0)?.insert(to.1, inode);
        self.node_mut(from.0)?.changed = now;
        self.node_mut(to.0)?.changed = now;
        Ok(())
    }
}

impl Node {
    fn of(content: Content, changed: SystemTime) -> Self {
        let links = if matches!(content, Content::Folder(_)) {
            2
        } else {
            1
        };
        Self {
            content,
            links,
            changed,
        }
    }

    fn file(content: Content, changed: SystemTime) -> Self {
        Self::of(content, changed)
    }

    fn folder(changed: SystemTime) -> Self {
        Self::of(Content::Folder(Box::default()), changed)
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        match &self.content {
            Content::Sized(bytes) => *bytes,
            Content::Written(bytes) => bytes.len() as u64,
            Content::Folder(_) => FILE_BYTES,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::parse;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn tree(spec: &str) -> Tree {
        Tree::new(&parse(spec).unwrap(), NOW)
    }

    fn names(tree: &Tree, inode: u64, position: u64) -> Vec<String> {
        let listed = tree.folder(inode).unwrap().from(position);
        listed
            .map(|entry| String::from_utf8_lossy(entry.name).into_owned())
            .collect()
    }

    #[test]
    fn the_tree_has_what_its_description_says() {
        let tree = tree("2+2x3");
        let root = names(&tree, ROOT, 0);
        let expected = ["file-0000000", "file-0000001", "d1-000000", "d1-000001"];
        assert_eq!(root, expected);
        let directory = tree.lookup(ROOT, b"d1-000001").unwrap();
        assert_eq!(names(&tree, directory, 0).len(), 3);
    }

    #[test]
    fn a_position_stays_the_same_while_entries_before_it_go() {
        let mut tree = tree("4");
        let second = tree.folder(ROOT).unwrap().from(0).nth(1).unwrap().next;
        tree.unlink(ROOT, b"file-0000000", NOW).unwrap();
        tree.unlink(ROOT, b"file-0000001", NOW).unwrap();
        assert_eq!(names(&tree, ROOT, second), ["file-0000002", "file-0000003"]);
        assert!(tree.folder(ROOT).unwrap().ends_at(4));
    }

    #[test]
    fn what_was_removed_is_gone_and_only_empty_directories_go() {
        let mut tree = tree("1x1");
        let directory = tree.lookup(ROOT, b"d0-000000").unwrap();
        let refused = tree.rmdir(ROOT, b"d0-000000", NOW);
        assert_eq!(refused.unwrap_err(), Errno::ENOTEMPTY);
        assert_eq!(
            tree.unlink(ROOT, b"d0-000000", NOW).unwrap_err(),
            Errno::EISDIR
        );
        tree.unlink(directory, b"file-0000000", NOW).unwrap();
        let again = tree.unlink(directory, b"file-0000000", NOW);
        assert_eq!(again.unwrap_err(), Errno::ENOENT);
        tree.rmdir(ROOT, b"d0-000000", NOW).unwrap();
        assert!(tree.lookup(ROOT, b"d0-000000").is_err());
    }

    #[test]
    fn a_name_is_given_once_and_moves_over_another() {
        let mut tree = tree("0");
        let file = || Content::Written(Vec::new());
        let a = tree.create(ROOT, b"a", file(), NOW).unwrap();
        let taken = tree.create(ROOT, b"a", file(), NOW);
        assert_eq!(taken.unwrap_err(), Errno::EEXIST);
        tree.link(a, ROOT, b"b", NOW).unwrap();
        assert_eq!(tree.node(a).unwrap().links, 2);
        tree.create(ROOT, b"c", file(), NOW).unwrap();
        tree.rename((ROOT, b"b"), (ROOT, b"c"), NOW).unwrap();
        assert_eq!(tree.lookup(ROOT, b"c").unwrap(), a);
        assert_eq!(names(&tree, ROOT, 0), ["a", "c"]);
    }
}
