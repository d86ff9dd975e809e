//! Cuts a tree into units, so that several walks can share it: what each of them does is a token.
//!
//! Breadth first, because what is near the root has most below it. A directory that is cut leaves its subdirectories as
//! units and its other entries as one more; a directory of very many entries is cut by the hash of their names instead,
//! so that neither the plan nor a listing grows with it. When there are units enough, those that are left are only looked at
//! for that.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ffi::{CStr, CString};
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::RawDir;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::core::TRIES_MAX;
use super::kernel::{Access, Attributes, Call, Freshness, Kernel, Kind};
use super::listing::OWN_DIRECTORY;
use super::report::Totals;
use super::root::Root;
use super::scope::{Scope, Shards};
use super::token::{Node, Token, TokenError, check, node};

/// Deepest directory that is cut: each one costs an open for every directory above it.
const DEPTH_MAX: usize = 32;

/// Directories that are looked at for their size alone, for each unit that is wanted: one read each as a rule.
const MEASURED_PER_UNIT: usize = 4;

/// What entries are read into, bytes.
const BUFFER_BYTES: usize = 32 * 1024;

/// How far a tree is cut.
#[derive(Clone, Copy, Debug)]
pub struct PlanLimits {
    /// Units that are enough.
    pub units_min: usize,
    /// Entries above which a directory is cut by the hash of their names.
    pub entries_max: u64,
    /// Time after which nothing more is cut.
    pub time: Duration,
}

/// A tree in units, counted from 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    nodes: Vec<Node>,
    units: Vec<Unit>,
}

/// A directory, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Unit {
    node: usize,
    #[serde(default)]
    scope: Scope,
}

/// Says of a directory, by its path below the root and its attributes, whether it may go once it is empty.
pub type Removable<'a> = dyn Fn(&[u8], &Attributes) -> bool + 'a;

/// Cuts the tree below `root`. What cannot be read is left whole: whoever walks it will say why.
///
/// `removable` is asked for each directory that is cut, before anything in it is touched; without it none may go.
#[must_use]
pub fn plan(
    root: &Root,
    kernel: &Kernel,
    limits: PlanLimits,
    removable: Option<&Removable<'_>>,
) -> Plan {
    let planner = Planner {
        root,
        kernel,
        limits,
        removable,
        nodes: vec![node(None, Vec::new())],
        units: Vec::new(),
    };
    planner.cut()
}

struct Planner<'a> {
    root: &'a Root,
    kernel: &'a Kernel,
    limits: PlanLimits,
    removable: Option<&'a Removable<'a>>,
    nodes: Vec<Node>,
    units: Vec<Unit>,
}

/// What is in a directory.
struct Content {
    entries: u64,
    /// Of a directory that is not too large.
    children: Vec<CString>,
    removable: bool,
    inode: Option<u64>,
}

impl Planner<'_> {
    fn cut(mut self) -> Plan {
        let began = Instant::now();
        let mut waiting = VecDeque::from([0]);
        let mut measures = MEASURED_PER_UNIT.saturating_mul(self.limits.units_min);
        while let Some(place) = waiting.pop_front() {
            let known = self.units.len() + waiting.len() + 1;
            let enough = known >= self.limits.units_min;
            if enough {
                measures = measures.saturating_sub(1);
            }
            let blind = measures == 0
                || began.elapsed() >= self.limits.time
                || self.names(place).len() >= DEPTH_MAX;
            let read = || (0..TRIES_MAX).find_map(|_| self.read(place, !enough).ok());
            let content = if blind { None } else { read() };
            match content {
                Some(content) if content.entries > self.limits.entries_max => {
                    self.judged(place, &content);
                    self.shards(place, content.entries, known);
                }
                Some(content) if !enough => {
                    waiting.extend(self.children(place, content));
                }
                _ => self.unit(place, Scope::Everything),
            }
        }
        Plan {
            nodes: self.nodes,
            units: self.units,
        }
    }

    fn judged(&mut self, place: usize, content: &Content) {
        self.nodes[place].removable = Some(content.removable);
        self.nodes[place].inode = content.inode;
    }

    /// Cuts a directory into what is in it; the places of its subdirectories, each of them still whole.
    fn children(&mut self, place: usize, content: Content) -> Range<usize> {
        self.judged(place, &content);
        let scope = if content.children.is_empty() {
            Scope::Everything
        } else {
            Scope::Files
        };
        self.unit(place, scope);
        let first = self.nodes.len();
        let children = content.children.into_iter();
        let nodes = children.map(|name| node(Some(place), name.into_bytes()));
        self.nodes.extend(nodes);
        first..self.nodes.len()
    }

    fn unit(&mut self, node: usize, scope: Scope) {
        self.units.push(Unit { node, scope });
    }

    /// As many as its entries ask for, or as are missing.
    fn shards(&mut self, place: usize, entries: u64, known: usize) {
        let missing = self.limits.units_min.saturating_sub(known - 1);
        let by_size = entries.div_ceil(self.limits.entries_max.max(1));
        let of = usize::try_from(by_size).unwrap_or(usize::MAX).max(missing);
        let of = of.clamp(2, self.limits.units_min.max(2));
        let of = u32::try_from(of).unwrap_or(u32::MAX);
        for from in 0..of {
            let to = from + 1;
            self.unit(place, Scope::Shards(Shards { of, from, to }));
        }
    }

    /// The way down from the root.
    fn names(&self, place: usize) -> Vec<&[u8]> {
        names(&self.nodes, place)
    }

    fn open(&self, place: usize) -> Result<OwnedFd, Errno> {
        let again = self.root.open_again().map_err(|_| Errno::IO)?;
        let mut fd = again.into_fd();
        for name in self.names(place) {
            let name = CString::new(name).map_err(|_| Errno::INVAL)?;
            fd = self.kernel.open(fd.as_fd(), &name, Access::Read)?;
        }
        Ok(fd)
    }

    /// Whether it may go once it is empty, and its number.
    fn judge(&self, place: usize, fd: &OwnedFd) -> Result<(bool, Option<u64>), Errno> {
        match self.removable {
            Some(removable) if place > 0 => {
                let own = self.kernel.stat_open(fd.as_fd(), Freshness::Usual)?;
                let removable = removable(&self.names(place).join(&b'/'), &own);
                Ok((removable, Some(own.inode)))
            }
            _ => Ok((false, None)),
        }
    }

    /// Reads a directory that is to be cut; or one that is cut only if it is too large.
    fn read(&self, place: usize, is_cut: bool) -> Result<Content, Errno> {
        let fd = self.open(place)?;
        let mut content = Content {
            entries: 0,
            children: Vec::new(),
            removable: false,
            inode: None,
        };
        // More of them change nothing: there are enough shards.
        let enough = u64::try_from(self.limits.units_min).unwrap_or(u64::MAX);
        let enough = self.limits.entries_max.saturating_mul(enough.max(2));
        let mut buffer = Vec::with_capacity(BUFFER_BYTES);
        let mut entries = RawDir::new(&fd, buffer.spare_capacity_mut());
        while content.entries <= enough {
            if entries.is_buffer_empty() {
                self.kernel.before(Call::ReadDir, c"")?;
            }
            let Some(entry) = entries.next() else {
                break;
            };
            let entry = entry?;
            let (name, kind) = (entry.file_name(), Kind::of(entry.file_type()));
            if [c".", c"..", OWN_DIRECTORY].contains(&name) {
                continue;
            }
            content.entries += 1;
            if content.entries > self.limits.entries_max {
                content.children = Vec::new();
            } else if is_cut && self.kind(&fd, name, kind)? == Kind::Directory {
                content.children.push(name.to_owned());
            }
        }
        if is_cut || content.entries > self.limits.entries_max {
            (content.removable, content.inode) = self.judge(place, &fd)?;
        }
        Ok(content)
    }

    fn kind(&self, fd: &OwnedFd, name: &CStr, told: Option<Kind>) -> Result<Kind, Errno> {
        match told {
            Some(kind) => Ok(kind),
            None => match self.kernel.stat(fd.as_fd(), name, Freshness::Usual) {
                Ok(entry) => Ok(entry.kind),
                // It is gone, so it is no directory.
                Err(Errno::NOENT) => Ok(Kind::Special),
                Err(errno) => Err(errno),
            },
        }
    }
}

impl Plan {
    /// A plan that was read from a file: its names come from outside.
    pub fn checked(self) -> Result<Self, TokenError> {
        check(&self.nodes)?;
        let is_there = |unit: &Unit| unit.node < self.nodes.len();
        if self.units.is_empty() || !self.units.iter().all(is_there) {
            return Err(TokenError::Damaged("units"));
        }
        Ok(self)
    }

    /// How many there are; at least 1.
    #[must_use]
    pub const fn units(&self) -> usize {
        self.units.len()
    }

    /// Units `range`, as what is left of a walk that has done all the others; `None` if there are none.
    #[must_use]
    pub fn token<T: Default>(
        &self,
        range: Range<usize>,
        job: String,
        root_inode: u64,
        began_at_ms: u64,
    ) -> Option<Token<T>> {
        let parts = self.parts(range);
        let places = parts.keys().enumerate();
        let places: HashMap<usize, usize> = places.map(|(new, old)| (*old, new)).collect();
        let nodes = parts.iter().map(|(place, scope)| {
            let node = &self.nodes[*place];
            Node {
                parent: node.parent.map(|parent| places[&parent]),
                listed: scope.is_none(),
                scope: scope.unwrap_or_default(),
                ..node.clone()
            }
        });
        let nodes: Vec<Node> = nodes.collect();
        (!nodes.is_empty()).then(|| Token {
            job,
            root_inode,
            began_at_ms,
            totals: Totals::default(),
            nodes,
        })
    }

    /// The directories that more than one of the `ranges` is at, by their paths, and how many are.
    #[must_use]
    pub fn shared(
        &self,
        ranges: impl IntoIterator<Item = Range<usize>>,
    ) -> HashMap<Vec<u8>, usize> {
        let mut at: HashMap<usize, usize> = HashMap::new();
        for range in ranges {
            for place in self.parts(range).into_keys() {
                *at.entry(place).or_default() += 1;
            }
        }
        at.into_iter()
            .filter(|(_, ranges)| *ranges > 1)
            .map(|(place, ranges)| (names(&self.nodes, place).join(&b'/'), ranges))
            .collect()
    }

    /// The nodes of a range with what is meant of them; of those on the way nothing is.
    fn parts(&self, range: Range<usize>) -> BTreeMap<usize, Option<Scope>> {
        let mut parts = BTreeMap::new();
        for unit in self.units.get(range).unwrap_or_default() {
            let part = parts.entry(unit.node).or_default();
            *part = Some(joined(*part, unit.scope));
            let mut at = self.nodes[unit.node].parent;
            while let Some(place) = at {
                parts.entry(place).or_default();
                at = self.nodes[place].parent;
            }
        }
        parts
    }
}

/// Neighbouring shards are one part.
fn joined(part: Option<Scope>, next: Scope) -> Scope {
    match (part, next) {
        (Some(Scope::Shards(part)), Scope::Shards(next)) => Scope::Shards(Shards {
            to: next.to,
            ..part
        }),
        _ => next,
    }
}

fn names(nodes: &[Node], place: usize) -> Vec<&[u8]> {
    let mut names = Vec::new();
    let mut at = &nodes[place];
    while let Some(parent) = at.parent {
        names.push(at.name.as_slice());
        at = &nodes[parent];
    }
    names.reverse();
    names
}
