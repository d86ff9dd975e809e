//! What `--help` says, as committed files. `UPDATE_SNAPSHOTS=1 cargo test -p sluice` writes them anew.

use std::fs;
use std::path::{Path, PathBuf};

use crate::run;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/help")
}

fn help(command: &[String]) -> String {
    let mut words: Vec<_> = command.iter().map(String::as_str).collect();
    words.push("--help");
    let ran = run(&words);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{command:?}");
    ran.out
}

/// The commands that a text lists.
fn listed(help: &str) -> Vec<String> {
    let after = help
        .split_once("\nCommands:\n")
        .map_or("", |(_, after)| after);
    let lines = after.lines().take_while(|line| !line.is_empty());
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next());
    names
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

/// Every command with its help, the whole tree.
fn all() -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    let mut left = vec![Vec::new()];
    while let Some(command) = left.pop() {
        let text = help(&command);
        for name in listed(&text) {
            left.push([&command[..], &[name]].concat());
        }
        found.push((command, text));
    }
    found
}

#[test]
fn help_is_what_is_committed() {
    let update = std::env::var_os("UPDATE_SNAPSHOTS").is_some();
    let all = all();
    let mut names = Vec::new();
    for (command, text) in &all {
        let name = [&["sluice".to_owned()], &command[..]].concat().join("-") + ".txt";
        let path = folder().join(&name);
        if update {
            fs::create_dir_all(folder()).unwrap();
            fs::write(&path, text).unwrap();
        }
        let committed = fs::read_to_string(&path);
        let committed = committed.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(
            text, &committed,
            "{name}: UPDATE_SNAPSHOTS=1 writes it anew"
        );
        names.push(name);
    }
    // No text is left of a command that is gone.
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(names.contains(&name), "{name} is of no command");
    }
    assert!(names.len() >= 16, "{names:?}");
}

#[test]
fn every_command_teaches_by_example() {
    for (command, text) in all() {
        assert!(text.contains("Examples:\n"), "{command:?}");
        let is_wide = |line: &&str| line.chars().count() > 120;
        assert_eq!(text.lines().find(is_wide), None, "{command:?}");
    }
}

#[test]
fn exit_codes_are_documented() {
    let text = help(&[]);
    for code in [0, 1, 2, 3, 4, 5, 130] {
        assert!(text.contains(&format!("\n  {code}  ")), "{code}");
    }
}

#[test]
fn nothing_is_coloured_in_a_pipe() {
    for (command, text) in all() {
        assert!(!text.contains('\u{1b}'), "{command:?}");
    }
}
