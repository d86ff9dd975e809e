//! Removing what is due, in place, and asking once more before each removal.

use std::ffi::{CStr, CString};
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use shared::walk::{Attributes, Call, Entry, Errno, Freshness, Kind, Left, Removal, Sweep, Visit};

use crate::audit::{self, Audit};
use crate::empty_dirs::EmptyDirs;
use crate::patterns::Patterns;
use crate::retention::Retention;
use crate::staying::{not_known, not_touched, stays};
use crate::tally::{Counts, Linked};

/// What an NFS client calls a file that was removed while someone has it open.
const REMOVED_WHILE_OPEN: &[u8] = b".nfs";

/// Removals whose intents are written down in one go.
const BATCH_MAX: usize = 100;

/// What happens to what is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is counted.
    DryRun,
    /// It is removed.
    Remove,
}

/// Whether a file is looked at once more right before it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recheck {
    /// Always, asking the server: what every sweep does.
    Forced,
    /// Never: only to measure what it costs. No payload and no setting leads here.
    Skipped,
}

/// One sweep.
#[derive(Debug)]
pub struct Purge {
    retention: Retention,
    patterns: Patterns,
    mode: Mode,
    empty_dirs: EmptyDirs,
    recheck: Recheck,
    /// Where removals are written down, if they are.
    audit: Option<Audit>,
    /// Files that lost a name. Held by whoever removes one of several names: only one of them is the last.
    linked: Mutex<Linked>,
}

impl Purge {
    /// Neither audited nor going on with anything.
    #[must_use]
    pub fn new(
        retention: Retention,
        patterns: Patterns,
        mode: Mode,
        empty_dirs: EmptyDirs,
    ) -> Self {
        Self {
            retention,
            patterns,
            mode,
            empty_dirs,
            recheck: Recheck::Forced,
            audit: None,
            linked: Mutex::default(),
        }
    }

    /// Writes every removal down, before and after.
    #[must_use]
    pub fn audited(self, audit: Option<Audit>) -> Self {
        Self { audit, ..self }
    }

    /// Measures without the second look.
    #[must_use]
    pub fn rechecked(self, recheck: Recheck) -> Self {
        Self { recheck, ..self }
    }

    /// Goes on with what an earlier run did to files with several names.
    #[must_use]
    pub fn after(self, linked: Linked) -> Self {
        Self {
            linked: Mutex::new(linked),
            ..self
        }
    }

    /// The file, as it would be if this sweep had not touched it.
    fn first_look(&self, visit: &mut Visit<'_, Counts>, name: &CStr) -> Result<Attributes, Errno> {
        let seen = visit.stat(name, Freshness::Usual)?;
        let linked = self.linked();
        if !linked.contains(seen.inode) {
            return Ok(seen);
        }
        // Another of its names may have gone after this look and before this line: look while none can.
        let seen = visit.stat(name, Freshness::Forced)?;
        Ok(linked.untouched(seen))
    }

    fn linked(&self) -> MutexGuard<'_, Linked> {
        self.linked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn selects(&self, visit: &Visit<'_, Counts>, name: Option<&CStr>) -> bool {
        self.patterns.is_empty() || self.patterns.select(&visit.path(name))
    }

    fn file(&self, visit: &mut Visit<'_, Counts>, due: &mut Vec<Due>, name: &CStr) {
        let in_use = name.to_bytes().starts_with(REMOVED_WHILE_OPEN);
        if in_use || !self.selects(visit, Some(name)) {
            return stays(visit);
        }
        match self.first_look(visit, name) {
            Ok(file) if self.is_due(&file) => due.push((name.to_owned(), file)),
            Ok(_) => stays(visit),
            Err(errno) => not_known(visit, name, errno),
        }
    }

    fn is_due(&self, file: &Attributes) -> bool {
        file.kind == Kind::File && self.retention.is_due(file)
    }

    /// Removes what is still due of a batch, if it is still below the root. Without a record of the intent nothing is touched.
    fn remove_all(&self, visit: &mut Visit<'_, Counts>, batch: &[Due]) {
        if let Err(errno) = visit.check_place() {
            visit.failed(None, Call::Stat, errno);
            return not_touched(visit, batch.len() as u64, errno);
        }
        if let Some(audit) = &self.audit {
            let intents: Vec<Value> = batch
                .iter()
                .map(|(name, file)| audit::intent(&visit.path(Some(name)), Some(file)))
                .collect();
            let written = visit.call(Call::Audit, || {
                audit.write(&intents).and_then(|()| audit.sync())
            });
            if let Err(errno) = written {
                for (name, _) in batch {
                    visit.failed(Some(name), Call::Audit, errno);
                }
                return not_touched(visit, batch.len() as u64, errno);
            }
        }
        let results = self.remove_each(visit, batch);
        // Not in turn: what was done is written down also when the walk was stopped meanwhile.
        if let Some(audit) = &self.audit
            && let Err(errno) = audit.write(&results)
        {
            visit.failed(None, Call::Audit, errno);
        }
    }

    /// What became of each, for the audit.
    fn remove_each(&self, visit: &mut Visit<'_, Counts>, batch: &[Due]) -> Vec<Value> {
        let mut results = Vec::new();
        let mut act = |visit: &mut Visit<'_, Counts>, (name, file): &Due, now: Option<Look>| {
            if visit.is_stopped() {
                return ControlFlow::Break(());
            }
            let removed = self.remove(visit, name, file, now);
            if self.audit.is_some() {
                results.push(audit::result(&visit.path(Some(name)), removed));
            }
            ControlFlow::Continue(())
        };
        // Files with several names are looked at while no other name can go.
        let single = |(_, file): &Due| file.links <= 1;
        if self.recheck == Recheck::Forced && batch.iter().all(single) {
            let act = |visit: &mut _, due: &_, now| act(visit, due, Some(now));
            visit.look_at_each(batch, |(name, _)| name, act);
        } else {
            let _ = batch.iter().try_for_each(|due| act(visit, due, None));
        }
        results
    }

    /// Removes the file if it is what it was and still due, by the look `now` or one of its own; whether it did.
    fn remove(
        &self,
        visit: &mut Visit<'_, Counts>,
        name: &CStr,
        seen: &Attributes,
        now: Option<Look>,
    ) -> bool {
        if seen.links > 1 || self.linked().contains(seen.inode) {
            return self.remove_linked(visit, name, seen);
        }
        let file = match now {
            Some(now) => self.may_go(visit, name, seen, now),
            None => self.look_again(visit, name, seen, &Linked::default()),
        };
        let Some(file) = file else {
            return false;
        };
        if let Err(errno) = visit.unlink(name) {
            visit.failed(Some(name), Call::Unlink, errno);
            not_touched(visit, 1, errno);
            return false;
        }
        visit.settle(Counts::purged(&file));
        true
    }

    /// The same for a file that has, or had, other names: one at a time, and remembering what that does to it.
    fn remove_linked(&self, visit: &mut Visit<'_, Counts>, name: &CStr, seen: &Attributes) -> bool {
        let mut linked = self.linked();
        let Some(file) = self.look_again(visit, name, seen, &linked) else {
            return false;
        };
        if file.links > 1 && linked.is_full() && !linked.contains(file.inode) {
            // For the next sweep: without being kept in mind its other names would look young.
            visit.tally().files_to_purge += 1;
            stays(visit);
            return false;
        }
        let pinned = visit.pin(name);
        if let Err(errno) = visit.unlink(name) {
            visit.failed(Some(name), Call::Unlink, errno);
            not_touched(visit, 1, errno);
            return false;
        }
        let mut counts = Counts::purged(&file);
        // Where that cannot be learned, its other names look young and stay.
        if let Ok(now) = pinned.and_then(|pinned| visit.stat_pinned(&pinned)) {
            counts.linked = Linked::one(&file, &now);
            *linked += counts.linked.clone();
        }
        visit.settle(counts);
        true
    }

    /// The file as it is now, if it may go.
    fn look_again(
        &self,
        visit: &mut Visit<'_, Counts>,
        name: &CStr,
        seen: &Attributes,
        linked: &Linked,
    ) -> Option<Attributes> {
        if self.recheck == Recheck::Skipped {
            return Some(*seen);
        }
        let now = visit.stat(name, Freshness::Forced);
        self.may_go(visit, name, seen, now.map(|now| linked.untouched(now)))
    }

    /// The file as it is `now`, if it is still the one that was seen and due.
    fn may_go(
        &self,
        visit: &mut Visit<'_, Counts>,
        name: &CStr,
        seen: &Attributes,
        now: Look,
    ) -> Option<Attributes> {
        match now {
            Ok(now) if self.is_due(&now) && self.retention.is_unchanged(seen, &now) => {
                return Some(now);
            }
            Ok(_) => stays(visit),
            Err(errno) => not_known(visit, name, errno),
        }
        None
    }

    /// Removes an empty directory, written down like a file.
    fn remove_dir(&self, left: &mut Left<'_, Counts>) -> Removal {
        let Some(audit) = &self.audit else {
            return left.remove();
        };
        let path = left.path();
        let intent = [audit::intent(&path, None)];
        let written = left.call(Call::Audit, || {
            audit.write(&intent).and_then(|()| audit.sync())
        });
        if let Err(errno) = written {
            left.failed(Call::Audit, errno);
            return Removal::Stays;
        }
        let removal = left.remove();
        let result = audit::result(&path, removal == Removal::Removed);
        if let Err(errno) = audit.write(&[result]) {
            left.failed(Call::Audit, errno);
        }
        removal
    }
}

/// A name that was due, and what it named.
type Due = (CString, Attributes);

/// What the server said about a file.
type Look = Result<Attributes, Errno>;

impl Sweep for Purge {
    type Tally = Counts;
    type Batch = Vec<Due>;

    fn enter(&self, visit: &mut Visit<'_, Counts>) -> bool {
        if matches!(self.empty_dirs, EmptyDirs::Stay) || !self.selects(visit, None) {
            return false;
        }
        match visit.stat_self() {
            Ok(directory) => self.retention.is_due(&directory),
            Err(errno) => {
                visit.failed(None, Call::Stat, errno);
                false
            }
        }
    }

    fn entry(&self, visit: &mut Visit<'_, Counts>, due: &mut Vec<Due>, entry: Entry<'_>) {
        match entry.kind {
            Kind::File => self.file(visit, due, entry.name),
            Kind::Directory => {}
            Kind::Symlink => {
                visit.keep();
                visit.tally().symlinks_skipped += 1;
            }
            Kind::Special => {
                visit.keep();
                visit.tally().special_files_skipped += 1;
            }
        }
    }

    fn flush(&self, visit: &mut Visit<'_, Counts>, due: &mut Vec<Due>) {
        match self.mode {
            Mode::DryRun => {
                for (_, file) in due.drain(..) {
                    visit.tally().would_purge(&file);
                }
            }
            Mode::Remove => {
                for batch in due.chunks(BATCH_MAX) {
                    if visit.is_stopped() {
                        break;
                    }
                    self.remove_all(visit, batch);
                }
                due.clear();
            }
        }
    }

    fn listed(&self, tally: &mut Counts) {
        tally.dirs_scanned += 1;
    }

    fn leave(&self, left: &mut Left<'_, Counts>) -> bool {
        if left.is_root() {
            return false;
        }
        if let EmptyDirs::Noted(notes) = &self.empty_dirs {
            let (path, inode) = (left.path(), left.inode());
            let noted = left.call(Call::Note, || notes.write(&path, inode));
            return noted
                .inspect_err(|errno| left.failed(Call::Note, *errno))
                .is_ok();
        }
        if !self.empty_dirs.take() {
            return false;
        }
        let removal = match self.mode {
            Mode::DryRun => Removal::Removed,
            Mode::Remove => self.remove_dir(left),
        };
        match removal {
            Removal::Removed => {
                left.tally().dirs_to_purge += 1;
                left.tally().dirs_purged += u64::from(self.mode == Mode::Remove);
            }
            Removal::Gone | Removal::Stays => self.empty_dirs.give_back(),
        }
        removal != Removal::Stays
    }
}
