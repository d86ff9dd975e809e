//! Which paths are meant at all. Pure.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use globset::{Error, GlobBuilder, GlobSet, GlobSetBuilder};

/// Globs on the path below the root: `*` and `?` stay within one name, `**` does not.
///
/// What matches an exclude stays, and all that is below it; that wins. Where there are includes, only what matches one
/// may go, directories like files.
#[derive(Clone, Debug)]
pub struct Patterns {
    include: Option<GlobSet>,
    exclude: Option<GlobSet>,
}

impl Patterns {
    /// No includes: everything. No excludes: nothing.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self, Error> {
        Ok(Self {
            include: compile(include)?,
            exclude: compile(exclude)?,
        })
    }

    /// Whether the path matters: without patterns nobody needs to ask.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.include.is_none() && self.exclude.is_none()
    }

    /// Whether what is at `path`, below the root and of any bytes, may go.
    #[must_use]
    pub fn select(&self, path: &[u8]) -> bool {
        let path = Path::new(OsStr::from_bytes(path));
        let excluded = self.exclude.as_ref().is_some_and(|exclude| {
            let mut parts = path.ancestors();
            parts.any(|part| exclude.is_match(part))
        });
        let included = self
            .include
            .as_ref()
            .is_none_or(|include| include.is_match(path));
        included && !excluded
    }
}

fn compile(globs: &[String]) -> Result<Option<GlobSet>, Error> {
    if globs.is_empty() {
        return Ok(None);
    }
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        let glob = glob.trim_end_matches('/');
        set.add(GlobBuilder::new(glob).literal_separator(true).build()?);
    }
    set.build().map(Some)
}

/// A list in one text, separated by commas outside of braces.
#[must_use]
pub fn split(list: &str) -> Vec<String> {
    let mut depth = 0_u32;
    let parts = list.split(|character| {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ',' && depth == 0
    });
    let parts = parts.map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(include: &[&str], exclude: &[&str]) -> Patterns {
        let owned = |globs: &[&str]| globs.iter().map(ToString::to_string).collect::<Vec<_>>();
        Patterns::new(&owned(include), &owned(exclude)).unwrap()
    }

    #[test]
    fn without_patterns_everything_is_meant() {
        assert!(patterns(&[], &[]).select(b"a/b") && patterns(&[], &[]).is_empty());
    }

    #[test]
    fn a_star_stays_within_a_name_and_two_do_not() {
        for (glob, path, meant) in [
            ("*.log", "a.log", true),
            ("*.log", "d/a.log", false),
            ("**/*.log", "d/a.log", true),
            ("**/*.log", "a.log", true),
            ("d/**", "d/e/f", true),
            ("d/*", "d/e/f", false),
            ("d/?", "d/e", true),
            ("*.{log,tmp}", "a.tmp", true),
            ("*", ".hidden", true),
        ] {
            assert_eq!(
                patterns(&[glob], &[]).select(path.as_bytes()),
                meant,
                "{glob} {path}"
            );
        }
    }

    #[test]
    fn an_exclude_wins_and_keeps_what_is_below() {
        for exclude in ["keep", "keep/", "keep/**", "**/b", "*"] {
            let patterns = patterns(&["**"], &[exclude]);
            assert!(!patterns.select(b"keep/a/b"), "{exclude}");
        }
        assert!(patterns(&[], &["keep"]).select(b"keeper/a"));
    }

    #[test]
    fn names_of_any_bytes_are_matched() {
        assert!(patterns(&["*.log"], &[]).select(b"\xff\xfe.log"));
        assert!(!patterns(&["*.log"], &[]).select(b"\xff\xfe.txt"));
    }

    #[test]
    fn a_list_is_split_at_commas_outside_of_braces() {
        assert_eq!(split(" *.log, *.{a,b} ,,x"), ["*.log", "*.{a,b}", "x"]);
        assert!(split("").is_empty());
    }

    #[test]
    fn what_is_no_glob_is_refused() {
        assert!(Patterns::new(&["[".to_owned()], &[]).is_err());
    }
}
