//! What the kernel asks, each question handed to the server; the loop that reads them never waits.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fuser::{
    Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, InitFlags,
    KernelConfig, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData,
    ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request,
    TimeOrNow, WriteFlags,
};

use crate::model::{Kind, NAMES_PER_READ, NAMES_PER_READ_PLUS};
use crate::server::Server;
use crate::tree::{Content, Tree};

/// Background requests, and when the kernel calls that many a jam: its default of 12 would be the limit here.
const BACKGROUND_MAX: u16 = 4_096;

/// How a client caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Names and attributes for 3 s; attributes come with names when the kernel finds that worth it.
    Nfs,
    /// Nothing is believed, and attributes never come with names.
    Strict,
}

impl Profile {
    const fn lifetime(self) -> Duration {
        match self {
            Self::Nfs => Duration::from_secs(3),
            Self::Strict => Duration::ZERO,
        }
    }
}

/// One mount: one client.
pub(crate) struct Files {
    pub(crate) server: Arc<Server>,
    pub(crate) client: usize,
    pub(crate) profile: Profile,
}

impl Files {
    fn admit(&self, kind: Kind, directory: INodeNo, job: impl FnOnce(&mut Tree) + Send + 'static) {
        self.server
            .admit(self.client, kind, directory.0, Box::new(job));
    }

    /// An answer that names an entry.
    fn entry(
        &self,
        kind: Kind,
        parent: INodeNo,
        reply: ReplyEntry,
        find: impl FnOnce(&mut Tree) -> Result<u64, Errno> + Send + 'static,
    ) {
        let lifetime = self.profile.lifetime();
        self.admit(kind, parent, move |tree| {
            let found = find(tree).and_then(|inode| attributes(tree, inode));
            match found {
                Ok(attributes) => reply.entry(&lifetime, &attributes, Generation(0)),
                Err(errno) => reply.error(errno),
            }
        });
    }

    /// An answer that says only whether it is done.
    fn empty(
        &self,
        kind: Kind,
        parent: INodeNo,
        reply: ReplyEmpty,
        act: impl FnOnce(&mut Tree) -> Result<(), Errno> + Send + 'static,
    ) {
        self.admit(kind, parent, move |tree| match act(tree) {
            Ok(()) => reply.ok(),
            Err(errno) => reply.error(errno),
        });
    }

    fn attributes(
        &self,
        kind: Kind,
        inode: INodeNo,
        reply: ReplyAttr,
        change: impl FnOnce(&mut Tree) -> Result<(), Errno> + Send + 'static,
    ) {
        let lifetime = self.profile.lifetime();
        self.admit(kind, inode, move |tree| {
            match change(tree).and_then(|()| attributes(tree, inode.0)) {
                Ok(attributes) => reply.attr(&lifetime, &attributes),
                Err(errno) => reply.error(errno),
            }
        });
    }

    fn read_kind(&self, kind: Kind, inode: INodeNo, position: u64) -> Kind {
        let is_over = |tree: &Tree| {
            let folder = tree.folder(inode.0);
            position > 0 && folder.is_ok_and(|folder| folder.ends_at(position))
        };
        if self.server.look(is_over) {
            Kind::ReaddirEnd
        } else {
            kind
        }
    }
}

impl Filesystem for Files {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        // Lookups and reads of one directory at once, or the kernel would make every client look slow.
        let mut wanted = InitFlags::FUSE_PARALLEL_DIROPS;
        if self.profile == Profile::Nfs {
            wanted |= InitFlags::FUSE_DO_READDIRPLUS | InitFlags::FUSE_READDIRPLUS_AUTO;
        }
        let missing = config.add_capabilities(wanted);
        missing.map_err(|missing| io::Error::other(format!("this kernel has no {missing:?}")))?;
        let _ = config.set_max_background(BACKGROUND_MAX);
        let _ = config.set_congestion_threshold(BACKGROUND_MAX);
        Ok(())
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let name = name.to_owned();
        let find = move |tree: &mut Tree| tree.lookup(parent.0, name.as_bytes());
        self.entry(Kind::Lookup, parent, reply, find);
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        self.attributes(Kind::Getattr, inode, reply, |_| Ok(()));
    }

    fn setattr(
        &self,
        _: &Request,
        inode: INodeNo,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<fuser::BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        self.attributes(Kind::Write, inode, reply, move |tree| {
            tree.node_mut(inode.0)?.changed = SystemTime::now();
            Ok(())
        });
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, _: u32, _: u32, reply: ReplyEntry) {
        let name = name.to_owned();
        self.entry(Kind::Write, parent, reply, move |tree| {
            let folder = Content::Folder(Box::default());
            tree.create(parent.0, name.as_bytes(), folder, SystemTime::now())
        });
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let name = name.to_owned();
        self.empty(Kind::Unlink, parent, reply, move |tree| {
            tree.unlink(parent.0, name.as_bytes(), SystemTime::now())
        });
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let name = name.to_owned();
        self.empty(Kind::Rmdir, parent, reply, move |tree| {
            tree.rmdir(parent.0, name.as_bytes(), SystemTime::now())
        });
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        _: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let (name, new_name) = (name.to_owned(), new_name.to_owned());
        self.empty(Kind::Write, parent, reply, move |tree| {
            let from = (parent.0, name.as_bytes());
            tree.rename(from, (new_parent.0, new_name.as_bytes()), SystemTime::now())
        });
    }

    fn link(&self, _: &Request, inode: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let name = name.to_owned();
        self.entry(Kind::Write, parent, reply, move |tree| {
            tree.link(inode.0, parent.0, name.as_bytes(), SystemTime::now())?;
            Ok(inode.0)
        });
    }

    fn open(&self, _: &Request, inode: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        self.admit(Kind::Read, inode, |_| {
            reply.opened(FileHandle(0), FopenFlags::empty());
        });
    }

    fn read(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        self.admit(Kind::Read, inode, move |tree| {
            let node = tree.node(inode.0);
            let data = match node.map(|node| &node.content) {
                Ok(Content::Written(data)) => data.as_slice(),
                _ => &[],
            };
            let from = usize::try_from(offset)
                .unwrap_or(usize::MAX)
                .min(data.len());
            let to = from.saturating_add(size as usize).min(data.len());
            reply.data(&data[from..to]);
        });
    }

    fn write(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let data = data.to_owned();
        self.admit(Kind::Write, inode, move |tree| {
            let Ok(node) = tree.node_mut(inode.0) else {
                return reply.error(Errno::ENOENT);
            };
            node.changed = SystemTime::now();
            let from = usize::try_from(offset).unwrap_or(usize::MAX);
            let Content::Written(content) = &mut node.content else {
                return reply.error(Errno::EROFS);
            };
            content.resize(content.len().max(from + data.len()), 0);
            content[from..from + data.len()].copy_from_slice(&data);
            reply.written(u32::try_from(data.len()).unwrap_or(0));
        });
    }

    fn fsync(&self, _: &Request, inode: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.empty(Kind::Write, inode, reply, |_| Ok(()));
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        _: u32,
        _: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        let (name, lifetime) = (name.to_owned(), self.profile.lifetime());
        self.admit(Kind::Write, parent, move |tree| {
            let content = Content::Written(Vec::new());
            let created = tree.create(parent.0, name.as_bytes(), content, SystemTime::now());
            match created.and_then(|inode| attributes(tree, inode)) {
                Ok(attributes) => reply.created(
                    &lifetime,
                    &attributes,
                    Generation(0),
                    FileHandle(0),
                    FopenFlags::empty(),
                ),
                Err(errno) => reply.error(errno),
            }
        });
    }

    fn opendir(&self, _: &Request, inode: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        self.admit(Kind::Opendir, inode, |_| {
            reply.opened(FileHandle(0), FopenFlags::empty());
        });
    }

    fn readdir(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        position: u64,
        mut reply: ReplyDirectory,
    ) {
        let kind = self.read_kind(Kind::Readdir, inode, position);
        self.admit(kind, inode, move |tree| {
            let folder = match tree.folder(inode.0) {
                Ok(folder) => folder,
                Err(errno) => return reply.error(errno),
            };
            for entry in folder.from(position).take(NAMES_PER_READ) {
                let node = tree.node(entry.inode);
                let kind = node.map_or(FileType::RegularFile, |node| file_type(&node.content));
                let name = OsStr::from_bytes(entry.name);
                if reply.add(INodeNo(entry.inode), entry.next, kind, name) {
                    break;
                }
            }
            reply.ok();
        });
    }

    fn readdirplus(
        &self,
        _: &Request,
        inode: INodeNo,
        _: FileHandle,
        position: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        let kind = self.read_kind(Kind::Readdirplus, inode, position);
        let lifetime = self.profile.lifetime();
        self.admit(kind, inode, move |tree| {
            let folder = match tree.folder(inode.0) {
                Ok(folder) => folder,
                Err(errno) => return reply.error(errno),
            };
            for entry in folder.from(position).take(NAMES_PER_READ_PLUS) {
                let Ok(attributes) = attributes(tree, entry.inode) else {
                    continue;
                };
                let name = OsStr::from_bytes(entry.name);
                let inode = INodeNo(entry.inode);
                let generation = Generation(0);
                if reply.add(inode, entry.next, name, &lifetime, &attributes, generation) {
                    break;
                }
            }
            reply.ok();
        });
    }
}

fn attributes(tree: &Tree, inode: u64) -> Result<FileAttr, Errno> {
    let node = tree.node(inode)?;
    let kind = file_type(&node.content);
    Ok(FileAttr {
        ino: INodeNo(inode),
        size: node.size_bytes(),
        blocks: node.size_bytes().div_ceil(512),
        atime: node.changed,
        mtime: node.changed,
        ctime: node.changed,
        crtime: node.changed,
        kind,
        perm: if kind == FileType::Directory {
            0o755
        } else {
            0o644
        },
        nlink: node.links,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 4_096,
        flags: 0,
    })
}

const fn file_type(content: &Content) -> FileType {
    match content {
        Content::Folder(_) => FileType::Directory,
        Content::Sized(_) | Content::Written(_) => FileType::RegularFile,
    }
}
