//! Whether a directory is still where the walk has found it.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::core::Core;
use super::dir::{Dir, Handle};
use super::kernel::Freshness;

/// How long it is believed.
const BELIEVED: Duration = Duration::from_secs(1);

impl Core {
    /// Asks by name, from the directory up to the root, whether everything is where it was when it was opened.
    ///
    /// What is open stays open when someone moves it, also out of the root. `ENOENT` says that it was moved, `ESTALE`
    /// that something else has its name now.
    pub(super) fn check_place(&self, dir: &Dir, handle: Option<&Handle>) -> Result<(), Errno> {
        let now = Instant::now();
        let believed = |dir: &Dir| {
            let seen = dir.in_place();
            seen.filter(|seen| now.duration_since(*seen) < BELIEVED)
        };
        let mut at = dir;
        let mut handle = handle.map(Handle::as_fd);
        let mut above;
        while let Some(parent) = at.parent()
            && believed(at).is_none()
        {
            let opened = self.handle_of(parent)?;
            let inode = match (at.inode(), handle) {
                (Some(inode), _) => Some(inode),
                (None, Some(fd)) => Some(self.stat_open(&fd, Freshness::Usual)?.inode),
                // It was not opened before: whoever opens it goes by its name.
                (None, None) => None,
            };
            if let Some(inode) = inode {
                at.is_number(inode);
                if self.stat(&opened, at.name(), Freshness::Forced)?.inode != inode {
                    return Err(Errno::STALE);
                }
            }
            at = parent;
            above = opened;
            handle = Some(above.as_fd());
        }
        // As of the oldest look that this rests on.
        let seen = believed(at).unwrap_or(now);
        let top: *const Dir = at;
        at = dir;
        while let Some(parent) = at.parent()
            && !std::ptr::eq(at, top)
        {
            at.was_in_place(seen);
            at = parent;
        }
        Ok(())
    }
}
