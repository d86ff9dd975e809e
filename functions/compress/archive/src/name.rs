//! The name of a zip entry, made from an object's key.

/// Longest name kept, bytes. An S3 key has at most 1,024, so nothing real is cut.
const NAME_BYTES_MAX: usize = 1024;

/// The key's base name, made safe to extract: never a path, never a drive, never `.` or `..`,
/// no control or text-direction characters. A key without any base name gives `object`.
#[must_use]
pub fn entry_name(key: &str) -> String {
    let base = key
        .rsplit(['/', '\\'])
        .find(|segment| !segment.is_empty())
        .unwrap_or_default();
    let mut name: String = without_drive(base)
        .chars()
        .map(|c| if is_unsafe(c) { '_' } else { c })
        .collect();
    while name.len() > NAME_BYTES_MAX {
        name.pop();
    }
    match name.as_str() {
        "" => "object".to_owned(),
        "." | ".." => "_".repeat(name.len()),
        _ => name,
    }
}

fn without_drive(base: &str) -> &str {
    match base.as_bytes() {
        [letter, b':', ..] if letter.is_ascii_alphabetic() => &base[2..],
        _ => base,
    }
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::entry_name;
    use proptest::prelude::*;

    #[test]
    fn base_name_is_kept_whole() {
        assert_eq!(entry_name("incoming/2026/a b+c.json"), "a b+c.json");
        assert_eq!(entry_name("incoming/T10:00:00.log"), "T10:00:00.log");
        assert_eq!(entry_name("dir/файл.csv"), "файл.csv");
    }

    #[test]
    fn traps_are_defused() {
        for (key, name) in [
            ("a/../..", "__"),
            ("x/.", "_"),
            ("a/b/", "b"),
            ("//", "object"),
            ("", "object"),
            ("dir\\..\\evil", "evil"),
            ("C:evil", "evil"),
            ("C:", "object"),
            ("C:..", "__"),
            ("nul\0\u{202E}l", "nul__l"),
        ] {
            assert_eq!(entry_name(key), name, "{key:?}");
        }
    }

    proptest! {
        #[test]
        fn a_name_is_never_a_path(key in "\\PC{0,60}|[a-zA-Z:./\\\\]{0,20}") {
            let name = entry_name(&key);
            prop_assert!(!name.is_empty() && name != "." && name != "..");
            prop_assert!(!name.contains(['/', '\\', '\0']));
        }
    }
}
