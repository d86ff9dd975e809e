//! What we keep below a root, in `.sluice/`: tokens too long for an answer, and what else a function needs there.

use std::ffi::CStr;
use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::SystemTime;

use rustix::fs::{AtFlags, Mode, OFlags, mkdirat, openat, renameat, unlinkat};
use rustix::io::Errno;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::kernel::{Access, Kernel};
use super::listing::OWN_DIRECTORY;
use super::root::Root;
use super::seal::checksum;
use super::token::{Token, TokenError};

/// Longest token that is part of an answer unless its reader wants shorter ones, bytes. Source: Step Functions developer
/// guide, "Quotas": 256 KB per state, less what else is in it.
pub const TOKEN_BYTES_MAX: usize = 200_000;

/// Longest token that is read back, bytes: some million directories.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Where they are, below `.sluice/`.
pub const TOKENS: &CStr = c"resume";

/// What a token begins with that is only the name of a file.
const POINTER: &str = "file.";

impl<T: Serialize + DeserializeOwned> Token<T> {
    /// Keeps it: up to `bytes_max` as its text, a longer one in a file whose name is returned instead.
    pub fn put(
        &self,
        kernel: &Kernel,
        root: &Root,
        bytes_max: usize,
    ) -> Result<String, TokenError> {
        put_token(kernel, root, self.encode()?, bytes_max)
    }

    /// The token that [`Token::put`] has kept.
    pub fn get(kernel: &Kernel, root: &Root, kept: &str) -> Result<Self, TokenError> {
        Self::decode(&get_token(kernel, root, kept)?)
    }
}

fn put_token(
    kernel: &Kernel,
    root: &Root,
    token: String,
    bytes_max: usize,
) -> Result<String, TokenError> {
    if token.len() <= bytes_max {
        return Ok(token);
    }
    let name = checksum(&token);
    match folder(kernel, root).and_then(|folder| folder.put(&name, token.as_bytes())) {
        Ok(()) => Ok(format!("{POINTER}{name}")),
        Err(source) => Err(TokenError::File { name, source }),
    }
}

fn get_token(kernel: &Kernel, root: &Root, token: &str) -> Result<String, TokenError> {
    let Some(name) = token.strip_prefix(POINTER) else {
        return Ok(token.to_owned());
    };
    let is_ours = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !name.bytes().all(is_ours) {
        return Err(TokenError::Damaged("file name"));
    }
    let text = folder(kernel, root).and_then(|folder| folder.get(name));
    let text = text.map_err(|source| TokenError::File {
        name: name.to_owned(),
        source,
    })?;
    if checksum(&text) == name {
        Ok(text)
    } else {
        Err(TokenError::Damaged("checksum of its file"))
    }
}

fn folder(kernel: &Kernel, root: &Root) -> io::Result<OwnFolder> {
    OwnFolder::open(kernel, root, TOKENS)
}

/// A folder in `.sluice/`.
#[derive(Debug)]
pub struct OwnFolder {
    fd: OwnedFd,
}

impl OwnFolder {
    /// Opens it, and makes it if it is not there; never through a link.
    pub fn open(kernel: &Kernel, root: &Root, name: &CStr) -> io::Result<Self> {
        let own = directory(kernel, root.as_fd(), OWN_DIRECTORY)?;
        let fd = directory(kernel, own.as_fd(), name)?;
        Ok(Self { fd })
    }

    /// Opens it if it is there.
    pub fn find(kernel: &Kernel, root: &Root, name: &CStr) -> io::Result<Option<Self>> {
        let open = |parent, name| match kernel.open(parent, name, Access::Read) {
            Ok(fd) => Ok(Some(fd)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno),
        };
        let Some(own) = open(root.as_fd(), OWN_DIRECTORY)? else {
            return Ok(None);
        };
        Ok(open(own.as_fd(), name)?.map(|fd| Self { fd }))
    }

    /// Opens a folder in it, which must be there.
    pub fn inner(&self, kernel: &Kernel, name: &CStr) -> io::Result<Self> {
        let fd = kernel.open(self.fd.as_fd(), name, Access::Read)?;
        Ok(Self { fd })
    }

    /// The same, and makes it if it is not there.
    pub fn make_inner(&self, kernel: &Kernel, name: &CStr) -> io::Result<Self> {
        let fd = directory(kernel, self.fd.as_fd(), name)?;
        Ok(Self { fd })
    }

    /// Removes whatever in it was not changed since `before`, folders with all that is in them; returns how much.
    pub fn forget(&self, before: SystemTime) -> io::Result<u64> {
        let mut forgotten = 0;
        for entry in fs::read_dir(self.path())? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.modified()? >= before {
                continue;
            }
            if metadata.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
            forgotten += 1;
        }
        Ok(forgotten)
    }

    /// A path that leads to it and to nothing else, as long as it is open.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.fd.as_raw_fd()).into()
    }

    /// Makes a file in it to append to; one that is there already is an error.
    pub fn create(&self, name: &str) -> io::Result<File> {
        let flags = CREATE | OFlags::APPEND;
        Ok(openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR)?.into())
    }

    /// Makes or replaces a file: what is there under this name is always whole, and on disk.
    pub fn put(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let draft = format!("{name}.{:016x}", RandomState::new().build_hasher().finish());
        let mut file = File::from(openat(&self.fd, &draft, CREATE, Mode::RUSR | Mode::WUSR)?);
        let written = file
            .write_all(content)
            .and_then(|()| file.sync_all())
            .and_then(|()| Ok(renameat(&self.fd, &draft, &self.fd, name)?));
        if written.is_err() {
            // It is the first error that says what is wrong.
            let _ = unlinkat(&self.fd, &draft, AtFlags::empty());
        }
        written
    }

    /// The content of a file.
    pub fn get(&self, name: &str) -> io::Result<String> {
        let mut text = String::new();
        self.read(name)?
            .take(FILE_BYTES_MAX)
            .read_to_string(&mut text)?;
        Ok(text)
    }

    /// A file to read from; never through a link.
    pub fn read(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(openat(&self.fd, name, flags, Mode::empty())?.into())
    }

    /// Removes a file; one that is not there is gone already.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

const CREATE: OFlags = OFlags::WRONLY
    .union(OFlags::CREATE)
    .union(OFlags::EXCL)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

fn directory(kernel: &Kernel, parent: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    match kernel.open(parent, name, Access::Read) {
        Err(Errno::NOENT) => {}
        opened => return opened,
    }
    match mkdirat(parent, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => kernel.open(parent, name, Access::Read),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::tempdir;

    fn root(path: &std::path::Path) -> (Kernel, Root) {
        let kernel = Kernel::default();
        let root = Root::open(&kernel, path).unwrap();
        (kernel, root)
    }

    #[test]
    fn from_200_kb_on_a_token_is_a_file() {
        let directory = tempdir().unwrap();
        let (kernel, root) = root(directory.path());
        for (bytes, in_a_file) in [(199_999, false), (200_000, false), (200_001, true)] {
            let token = "x".repeat(bytes);
            let kept = put_token(&kernel, &root, token.clone(), TOKEN_BYTES_MAX).unwrap();
            assert_eq!(kept.len() < 100, in_a_file, "{bytes}");
            assert_eq!(get_token(&kernel, &root, &kept).unwrap(), token);
        }
        let resume = directory.path().join(".sluice/resume");
        assert_eq!(fs::read_dir(resume).unwrap().count(), 1);
    }

    #[test]
    fn a_reader_may_want_shorter_ones() {
        let directory = tempdir().unwrap();
        let (kernel, root) = root(directory.path());
        let token = "x".repeat(101);
        let kept = put_token(&kernel, &root, token.clone(), 100).unwrap();
        assert!(kept.len() <= 100 && kept != token);
        assert_eq!(get_token(&kernel, &root, &kept).unwrap(), token);
        let whole = put_token(&kernel, &root, token.clone(), 101);
        assert_eq!(whole.unwrap(), token);
    }

    #[test]
    fn a_file_that_was_changed_is_refused() {
        let directory = tempdir().unwrap();
        let (kernel, root) = root(directory.path());
        let kept = put_token(&kernel, &root, "x".repeat(200_001), TOKEN_BYTES_MAX).unwrap();
        let file = directory
            .path()
            .join(".sluice/resume")
            .join(kept.strip_prefix(POINTER).unwrap());
        fs::write(file, "x".repeat(200_002)).unwrap();
        let refused = get_token(&kernel, &root, &kept);
        assert!(matches!(refused, Err(TokenError::Damaged(_))));
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        let directory = tempdir().unwrap();
        let (kernel, root) = root(directory.path());
        for name in ["file.../../etc/passwd", "file./etc/passwd", "file.a/b"] {
            let refused = get_token(&kernel, &root, name);
            assert!(matches!(refused, Err(TokenError::Damaged(_))), "{name}");
        }
        let missing = get_token(&kernel, &root, "file.none");
        assert!(matches!(missing, Err(TokenError::File { .. })));
    }

    #[test]
    fn a_link_in_place_of_our_directory_is_not_followed() {
        let (directory, outside) = (tempdir().unwrap(), tempdir().unwrap());
        std::os::unix::fs::symlink(outside.path(), directory.path().join(".sluice")).unwrap();
        let (kernel, root) = root(directory.path());
        let refused = put_token(&kernel, &root, "x".repeat(200_001), TOKEN_BYTES_MAX);
        assert!(matches!(refused, Err(TokenError::File { .. })));
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }
}
