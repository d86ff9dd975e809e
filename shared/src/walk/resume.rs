//! From what is left to a token, and back.

use std::collections::HashMap;
use std::ffi::CString;
use std::sync::Arc;

use super::dir::{Dir, Handle, Progress};
use super::lock;
use super::token::{Node, TokenError};

/// The nodes of `unfinished` and of all their parents, each once.
pub(super) fn nodes(unfinished: impl IntoIterator<Item = Arc<Dir>>) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut places: HashMap<*const Dir, usize> = HashMap::new();
    for dir in unfinished {
        let mut missing = Vec::new();
        let mut at = Some(&dir);
        while let Some(dir) = at
            && !places.contains_key(&Arc::as_ptr(dir))
        {
            missing.push(dir);
            at = dir.parent();
        }
        for dir in missing.into_iter().rev() {
            let parent = dir.parent().map(|parent| places[&Arc::as_ptr(parent)]);
            places.insert(Arc::as_ptr(dir), nodes.len());
            nodes.push(node(dir, parent));
        }
    }
    nodes
}

fn node(dir: &Dir, parent: Option<usize>) -> Node {
    let progress = lock(&dir.progress);
    Node {
        parent,
        name: dir.name().to_bytes().to_vec(),
        inode: dir.inode(),
        listed: progress.listed,
        kept: progress.kept,
        removable: progress.removable,
        handed_on: progress.handed_on.iter().copied().collect(),
        scope: dir.scope,
    }
}

/// The directories of a token below the open `root`; those that are to be begun, or only to be left.
pub(super) fn directories(
    root: &Arc<Handle>,
    nodes: Vec<Node>,
) -> Result<Vec<Arc<Dir>>, TokenError> {
    let mut children = vec![0_u32; nodes.len()];
    for parent in nodes.iter().filter_map(|node| node.parent) {
        children[parent] += 1;
    }
    let (mut all, mut ready): (Vec<Arc<Dir>>, Vec<_>) = (Vec::new(), Vec::new());
    for (node, children) in nodes.into_iter().zip(children) {
        let progress = Progress {
            pending: children + u32::from(!node.listed),
            listed: node.listed,
            kept: node.kept,
            removable: node.removable,
            handed_on: node.handed_on.into_iter().collect(),
        };
        let is_ready = !progress.listed || progress.pending == 0;
        let dir = if let Some(parent) = node.parent {
            let name = CString::new(node.name).map_err(|_| TokenError::Damaged("directories"))?;
            Dir::child(&all[parent], name, node.scope, progress)
        } else {
            Dir::root(Arc::clone(root), node.scope, progress)
        };
        if let Some(inode) = node.inode {
            dir.is_number(inode);
        }
        if is_ready {
            ready.push(Arc::clone(&dir));
        }
        all.push(dir);
    }
    Ok(ready)
}
