//! A sweep in words. Pure.

use serde_json::Value;

use crate::args::tree::Options;
use crate::show::{bytes, clean, count, counted};

/// What goes when nothing is said, days: the engine's own default.
const AGE_DAYS: f64 = 30.0;

/// What is asked before anything of this machine goes.
pub(super) fn question(root: &str, options: &Options) -> String {
    let days = options.max_age_days.unwrap_or(AGE_DAYS);
    let dirs = if options.remove_empty_dirs {
        " and directories that are empty then"
    } else {
        ""
    };
    format!(
        "Remove files older than {days} days{dirs} below {}?",
        clean(root)
    )
}

/// What an answer says.
pub(super) fn answer(answer: &Value) -> String {
    let number = |name: &str| answer[name].as_u64().unwrap_or(0);
    let text = |name: &str| clean(answer[name].as_str().unwrap_or_default());
    // A machine that refuses has no counts.
    if answer.get("files_scanned").is_none() {
        return "nothing is removed".to_owned();
    }
    let (verb, files, dirs) = if answer["dry_run"] == true {
        ("would remove", "files_to_purge", "dirs_to_purge")
    } else {
        ("removed", "files_purged", "dirs_purged")
    };
    format!(
        "{verb} {} of {} ({}) and {} below {}, older than {}",
        count(number(files)),
        counted(number("files_scanned"), "file"),
        bytes(number("bytes_freed")),
        counted(number(dirs), "directory"),
        text("root"),
        text("cutoff"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_dry_run_says_what_would_go_and_a_sweep_what_went() {
        let mut it = json!({
            "dry_run": true, "files_scanned": 10, "files_to_purge": 4, "files_purged": 3, "dirs_to_purge": 2,
            "dirs_purged": 1, "bytes_freed": 2_048, "root": "/x", "cutoff": "T",
        });
        assert_eq!(
            answer(&it),
            "would remove 4 of 10 files (2.0 KiB) and 2 directories below /x, older than T"
        );
        it["dry_run"] = json!(false);
        assert_eq!(
            answer(&it),
            "removed 3 of 10 files (2.0 KiB) and 1 directory below /x, older than T"
        );
    }

    #[test]
    fn a_refusal_without_counts_has_none() {
        assert_eq!(answer(&json!({"status": "refused"})), "nothing is removed");
    }
}
