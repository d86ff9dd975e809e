//! Where nothing is ever purged. Pure.

use std::path::Path;

/// Directories that hold others' trees: they are no root, what is below them may be.
const PARENTS: [&str; 11] = [
    "/", "/home", "/media", "/mnt", "/opt", "/root", "/run", "/srv", "/tmp", "/var", "/var/tmp",
];

/// Trees of the system and of Lambda itself: neither they nor anything below them is a root.
const TREES: [&str; 17] = [
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/proc",
    "/sbin",
    "/sys",
    "/usr",
    "/var/lang",
    "/var/lib",
    "/var/rapid",
    "/var/runtime",
    "/var/task",
];

/// Whether `path`, with all links resolved, belongs to the system.
#[must_use]
pub fn is_system(path: &Path) -> bool {
    PARENTS.iter().any(|parent| path == Path::new(parent))
        || TREES.iter().any(|tree| path.starts_with(tree))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_is_refused_in_any_spelling() {
        for path in [
            "/",
            "//",
            "/.",
            "/etc",
            "/etc/",
            "//etc",
            "/etc/ssl",
            "/usr/local",
            "/mnt/",
            "/tmp",
            "/var/task",
        ] {
            assert!(is_system(Path::new(path)), "{path}");
        }
    }

    #[test]
    fn a_place_for_data_is_not() {
        for path in [
            "/mnt/efs",
            "/tmp/x",
            "/etcetera",
            "/home/x/data",
            "/var/tmp/x",
            "/data",
        ] {
            assert!(!is_system(Path::new(path)), "{path}");
        }
    }
}
