//! Directories that nothing stays in, written down for the pass that removes them: one path a line, children first.
//!
//! A line is the directory's number and its path between slashes: one that is torn, by a write that failed or a process that
//! ended, names nothing.

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

    /// Appends a path below the root, and which directory is meant.
    pub fn write(&self, path: &[u8], inode: Option<u64>) -> Result<(), Errno> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let inode = inode.map_or_else(String::new, |inode| inode.to_string());
        // On a line of its own, whatever was torn before it.
        write!(file, "\n/{inode}/{}/", percent_encode(path, ENCODED)).map_err(|error| {
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

/// A directory that nothing stays in: its path below the root, and its number if that is known.
pub(crate) type Noted = (Vec<u8>, Option<u64>);

/// The directories of a list, in the order in which they were written.
pub(crate) fn read(
    folder: &OwnFolder,
    name: &str,
) -> io::Result<impl Iterator<Item = io::Result<Noted>> + use<>> {
    let lines = BufReader::new(folder.read(name)?).lines();
    let noted = lines.map(|line| Ok(noted_by(&line?)));
    Ok(noted.filter_map(Result::transpose))
}

fn noted_by(line: &str) -> Option<Noted> {
    let line = line.strip_prefix('/')?.strip_suffix('/')?;
    let (inode, path) = line.split_once('/')?;
    Some((percent_decode_str(path).collect(), inode.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_names_nothing_and_takes_no_other_with_it() {
        let lines = [
            "",
            "/7/a/2024-01/",
            "/7/a/2024",
            "7/a/2024/",
            "/",
            "//b%20c/",
        ];
        let noted: Vec<Noted> = lines.into_iter().filter_map(noted_by).collect();
        let expected = [(b"a/2024-01".to_vec(), Some(7)), (b"b c".to_vec(), None)];
        assert_eq!(noted, expected);
    }
}
