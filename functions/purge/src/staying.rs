//! What is counted of files that stay.

use std::ffi::CStr;

use shared::walk::{Call, Errno, Visit};

use crate::tally::Counts;

/// A file that is none of ours to remove, now or ever.
pub(crate) fn stays(visit: &mut Visit<'_, Counts>) {
    visit.keep();
    visit.tally().files_scanned += 1;
}

/// What is gone was never there; what cannot be looked at stays.
pub(crate) fn not_known(visit: &mut Visit<'_, Counts>, name: &CStr, errno: Errno) {
    if errno != Errno::NOENT && errno != Errno::CANCELED {
        visit.tally().files_scanned += 1;
    }
    visit.failed(Some(name), Call::Stat, errno);
}

/// What was due and stays, unless it is gone or the walk was stopped.
pub(crate) fn not_touched(visit: &mut Visit<'_, Counts>, files: u64, errno: Errno) {
    if errno != Errno::NOENT && errno != Errno::CANCELED {
        visit.tally().files_scanned += files;
        visit.tally().files_to_purge += files;
    }
}
