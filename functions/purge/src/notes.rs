//! Directories that nothing stays in, written down for the pass that removes them: one path a line, children first.
//!
//! A line is a path between two slashes: one that is torn, by a write that failed or a process that ended, names nothing.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::sync::{Mutex, PoisonError};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use shared::walk::{Errno, OwnFolder};

/// A path stays readable; a line break in a name does not end it.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'.')
    .remove(b'-')
    .remove(b'_');

/// An open list.
#[derive(Debug)]
pub struct Notes {
    file: Mutex<BufWriter<File>>,
}

impl Notes {
    /// Begins a list; one of this name that is there is of an attempt that came to nothing.
    pub fn begin(folder: &OwnFolder, name: &str) -> io::Result<Self> {
        folder.remove(name)?;
        let file = Mutex::new(BufWriter::new(folder.create(name)?));
        Ok(Self { file })
    }

    /// Appends a path below the root.
    pub fn write(&self, path: &[u8]) -> Result<(), Errno> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // On a line of its own, whatever was torn before it.
        write!(file, "\n/{}/", percent_encode(path, ENCODED)).map_err(|error| {
            // What is no system error cannot happen to a file.
            Errno::from_io_error(&error).unwrap_or(Errno::IO)
        })
    }

    /// Waits until all of it is on disk.
    pub fn keep(&self) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.flush()?;
        file.get_ref().sync_data()
    }
}

/// The paths of a list, in the order in which they were written.
pub(crate) fn read(
    folder: &OwnFolder,
    name: &str,
) -> io::Result<impl Iterator<Item = io::Result<Vec<u8>>> + use<>> {
    let lines = BufReader::new(folder.read(name)?).lines();
    let paths = lines.map(|line| Ok(path_of(&line?)));
    Ok(paths.filter_map(Result::transpose))
}

fn path_of(line: &str) -> Option<Vec<u8>> {
    let path = line.strip_prefix('/')?.strip_suffix('/')?;
    Some(percent_decode_str(path).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_names_nothing_and_takes_no_other_with_it() {
        let lines = ["", "/a/2024-01/", "/a/2024", "a/2024/", "/", "/b%20c/"];
        let paths: Vec<Vec<u8>> = lines.into_iter().filter_map(path_of).collect();
        assert_eq!(paths, [b"a/2024-01".to_vec(), b"b c".to_vec()]);
    }
}
