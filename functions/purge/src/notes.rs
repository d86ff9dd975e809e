//! Directories that nothing stays in, written down for the pass that removes them: one path a line, children first.

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
        writeln!(file, "{}", percent_encode(path, ENCODED)).map_err(|error| {
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
    Ok(lines.map(|line| Ok(percent_decode_str(&line?).collect())))
}
