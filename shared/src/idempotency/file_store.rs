//! Records as files, for functions that call no AWS API: creating a name that must not exist yet compares.
//!
//! A record is a folder, each of its states a file named by its generation, from 0; the highest one counts. A state
//! is written to a file of its own and then linked under its name, which only one writer can do. Older generations
//! are cleared away afterwards, lowest first, and generation 0 is emptied instead of removed. That order is what makes
//! the comparison hold: who links generation n+1 after having slept through its clearing finds that generation n is
//! not what it was, and has lost. A crash leaves older generations or a file that never got a name: both are ignored.

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::{Record, Store, StoreError, hashed};

/// How often a reader looks again when what it was about to read has just been replaced.
const READS_MAX: usize = 100;

/// One folder per record below `directory`, 64 hex digits each.
pub struct FileStore {
    directory: PathBuf,
}

/// One state of a record: its number and what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct Generation {
    number: u64,
    content: Vec<u8>,
}

impl FileStore {
    /// Records below `directory`, which comes into being with the first one.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        id: &str,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let folder = self.directory.join(hashed(id));
        let location = folder.display().to_string();
        let done = tokio::task::spawn_blocking(move || work(&folder)).await;
        done.map_err(io::Error::other)
            .flatten()
            .map_err(|source| StoreError::Access { location, source })
    }

    fn unreadable(&self, id: &str) -> impl FnOnce(serde_json::Error) -> StoreError {
        let location = self.directory.join(hashed(id)).display().to_string();
        move |source| StoreError::Unreadable { location, source }
    }
}

impl Store for FileStore {
    type Version = Generation;

    async fn load(&self, id: &str) -> Result<Option<(Record, Generation)>, StoreError> {
        let Some(newest) = self.blocking(id, read_newest).await? else {
            return Ok(None);
        };
        let record = serde_json::from_slice(&newest.content).map_err(self.unreadable(id))?;
        Ok(Some((record, newest)))
    }

    async fn compare_and_set(
        &self,
        id: &str,
        expected: Option<&Generation>,
        record: &Record,
    ) -> Result<Option<Generation>, StoreError> {
        let content = serde_json::to_vec(record).map_err(self.unreadable(id))?;
        let expected = expected.cloned();
        self.blocking(id, move |folder| {
            replace(folder, expected.as_ref(), content)
        })
        .await
    }
}

fn read_newest(folder: &Path) -> io::Result<Option<Generation>> {
    for _ in 0..READS_MAX {
        let Some(number) = generations(folder)?.pop() else {
            return Ok(None);
        };
        if let Some(newest) = read(folder, number)? {
            return Ok(Some(newest));
        }
    }
    Err(io::Error::new(
        ErrorKind::ResourceBusy,
        "the record changes faster than it can be read",
    ))
}

/// The generation `number`, `None` once it has been cleared away.
fn read(folder: &Path, number: u64) -> io::Result<Option<Generation>> {
    match fs::read(path(folder, number)) {
        Ok(content) if content.is_empty() => Ok(None),
        Ok(content) => Ok(Some(Generation { number, content })),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn replace(
    folder: &Path,
    expected: Option<&Generation>,
    content: Vec<u8>,
) -> io::Result<Option<Generation>> {
    fs::create_dir_all(folder)?;
    let number = expected.map_or(0, |generation| generation.number + 1);
    let draft = write_draft(folder, &content)?;
    let linked = fs::hard_link(&draft, path(folder, number));
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(None),
        linked => linked?,
    }
    if let Some(expected) = expected
        && read(folder, expected.number)?.as_ref() != Some(expected)
    {
        // Either the name was free only because this generation has come and gone before, or ours has been replaced
        // already. Later ones exist in both cases: nobody reads it, and we are not current.
        remove(folder, number)?;
        return Ok(None);
    }
    File::open(folder)?.sync_all()?;
    // The record is written. What could not be cleared away is ignored by readers, and tried again with the next one.
    let _ = clear_below(folder, number);
    Ok(Some(Generation { number, content }))
}

/// Lowest first, and no further than the first that cannot be cleared: see the module.
fn clear_below(folder: &Path, newest: u64) -> io::Result<()> {
    for number in generations(folder)?
        .into_iter()
        .take_while(|number| *number < newest)
    {
        if number > 0 {
            remove(folder, number)?;
        } else if read(folder, 0)?.is_some() {
            fs::rename(write_draft(folder, &[])?, path(folder, 0))?;
        }
    }
    Ok(())
}

/// The numbers of all generations, ascending; what is named otherwise is a draft.
fn generations(folder: &Path) -> io::Result<Vec<u64>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if is_gone(&error) => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut numbers = Vec::new();
    for entry in entries {
        numbers.extend(
            entry?
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<u64>().ok()),
        );
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// A complete file without a generation's name. Names are random: two environments may share every process id.
fn write_draft(folder: &Path, content: &[u8]) -> io::Result<PathBuf> {
    let draft = folder.join(format!(
        "draft-{:016x}",
        RandomState::new().build_hasher().finish()
    ));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    Ok(draft)
}

fn remove(folder: &Path, number: u64) -> io::Result<()> {
    match fs::remove_file(path(folder, number)) {
        Err(error) if is_gone(&error) => Ok(()),
        removed => removed,
    }
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(number.to_string())
}

/// Removed, here or by another client of a network file system.
fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::StaleNetworkFileHandle
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Barrier, Mutex};
    use std::thread;

    fn set(folder: &Path, expected: Option<&Generation>, content: &str) -> Option<Generation> {
        replace(folder, expected, content.as_bytes().to_vec()).unwrap()
    }

    fn newest(folder: &Path) -> Option<String> {
        read_newest(folder)
            .unwrap()
            .map(|generation| String::from_utf8(generation.content).unwrap())
    }

    #[test]
    fn of_many_takers_exactly_one_wins() {
        let root = tempfile::tempdir().unwrap();
        for round in 0..50 {
            let folder = root.path().join(round.to_string());
            let first = (round % 2 == 0).then(|| set(&folder, None, "first").unwrap());
            let (barrier, winners) = (Barrier::new(4), Mutex::new(Vec::new()));
            thread::scope(|scope| {
                for taker in ["a", "b", "c", "d"] {
                    let (barrier, winners, folder, first) = (&barrier, &winners, &folder, &first);
                    scope.spawn(move || {
                        barrier.wait();
                        if set(folder, first.as_ref(), taker).is_some() {
                            winners.lock().unwrap().push(taker);
                        }
                    });
                }
            });
            let winners = winners.into_inner().unwrap();
            assert_eq!(winners.len(), 1);
            assert_eq!(newest(&folder).as_deref(), Some(winners[0]));
        }
    }

    #[test]
    fn no_value_of_a_shared_counter_is_won_twice_or_lost() {
        let root = tempfile::tempdir().unwrap();
        let (folder, won) = (root.path().join("counter"), Mutex::new(vec![0]));
        set(&folder, None, "0").unwrap();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let current = read_newest(&folder).unwrap().unwrap();
                        let next = 1 + str::from_utf8(&current.content)
                            .unwrap()
                            .parse::<u64>()
                            .unwrap();
                        if set(&folder, Some(&current), &next.to_string()).is_some() {
                            won.lock().unwrap().push(next);
                        }
                    }
                });
            }
        });
        let mut won = won.into_inner().unwrap();
        won.sort_unstable();
        assert!(won.windows(2).all(|pair| pair[0] < pair[1]), "{won:?}");
        let last = newest(&folder).unwrap().parse::<u64>().unwrap();
        assert!(won.last().unwrap() <= &last && generations(&folder).unwrap() == [0, last]);
    }

    #[test]
    fn who_slept_through_later_generations_has_lost() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("record");
        let mut all = vec![set(&folder, None, "0").unwrap()];
        for number in 1..6 {
            all.push(set(&folder, all.last(), &number.to_string()).unwrap());
        }
        for stale in all[..5].iter().map(Some).chain([None]) {
            assert_eq!(set(&folder, stale, "stale"), None);
            assert_eq!(newest(&folder).as_deref(), Some("5"));
            assert_eq!(generations(&folder).unwrap(), [0, 5]);
        }
    }

    #[test]
    fn another_sleepers_leftover_does_not_pass_for_the_generation_expected() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("record");
        let mut all = vec![set(&folder, None, "0").unwrap()];
        for number in 1..6 {
            all.push(set(&folder, all.last(), &number.to_string()).unwrap());
        }
        fs::write(path(&folder, 2), "leftover").unwrap();
        assert_eq!(set(&folder, Some(&all[2]), "stale"), None);
        assert_eq!(newest(&folder).as_deref(), Some("5"));
    }

    #[test]
    fn a_crash_before_clearing_away_or_linking_changes_nothing_for_readers() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("record");
        assert_eq!(newest(&folder), None);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("draft-0"), "half a rec").unwrap();
        assert_eq!(newest(&folder), None);
        let first = set(&folder, None, "0").unwrap();
        fs::write(path(&folder, 1), "1").unwrap();
        assert_eq!(newest(&folder).as_deref(), Some("1"));
        assert_eq!(set(&folder, Some(&first), "2"), None);
        let second = read_newest(&folder).unwrap().unwrap();
        assert_eq!(set(&folder, Some(&second), "2").unwrap().number, 2);
        assert_eq!(generations(&folder).unwrap(), [0, 2]);
    }
}
