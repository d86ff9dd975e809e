//! What a list of dead letters says, and that it leaves them where they are.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::backfill::stack;
use crate::dlq::{DEAD, bodies, letter, letters};
use crate::{json_against, run_against};

fn keys(lines: &[Value]) -> usize {
    let keys = lines.iter().map(|line| line["key"].to_string());
    keys.collect::<BTreeSet<_>>().len()
}

#[test]
fn a_list_has_every_message_once_and_leaves_them_all() {
    let fake = letters();
    let before = bodies(&fake, DEAD);
    // Twice: what is listed is not hidden afterwards.
    for _ in 0..2 {
        let ran = json_against(&fake, &["dlq", "list"]);
        let lines = ran.lines();
        assert_eq!(
            (ran.code, lines.len(), keys(&lines)),
            (0, 25, 25),
            "{ran:?}"
        );
    }
    assert_eq!(bodies(&fake, DEAD), before);
}

#[test]
fn a_list_says_what_and_why() {
    let fake = stack();
    fake.put_message(DEAD, letter("incoming/a", Some("bad_key"), Some("j")));
    let line = json_against(&fake, &["dlq", "list"]).document();
    let told =
        ["reason", "bucket", "key", "error", "job_id"].map(|name| line[name].as_str().unwrap());
    assert_eq!(told, ["bad_key", "b", "incoming/a", "it was refused", "j"]);
    let ran = run_against(&fake, &["dlq", "list"]);
    assert!(
        ran.out.contains("bad_key") && ran.out.contains("s3://b/incoming/a  it was refused"),
        "{ran:?}"
    );
    assert!(ran.err.contains("1 message in s-compress-dlq"), "{ran:?}");
}

#[test]
fn a_key_cannot_move_the_cursor() {
    let fake = stack();
    fake.put_message(DEAD, letter("incoming/\u{1b}[2J\nx", Some("bad_key"), None));
    let ran = run_against(&fake, &["dlq", "list"]);
    assert!(
        !ran.out.contains('\u{1b}') && ran.out.lines().count() == 1,
        "{ran:?}"
    );
}

#[test]
fn reasons_and_limits_choose_what_is_listed() {
    let fake = letters();
    for (words, expected, said) in [
        (&[][..], 25, "25 messages in s-compress-dlq"),
        (
            &["--reason", "bad_key"],
            11,
            "11 of 25 messages in s-compress-dlq have this reason",
        ),
        (
            &["--reason", "none"],
            2,
            "2 of 25 messages in s-compress-dlq have this reason",
        ),
        (
            &["--reason", "archived"],
            0,
            "0 of 25 messages in s-compress-dlq have this reason",
        ),
        (
            &["--limit", "3"],
            3,
            "3 of about 25 messages in s-compress-dlq shown: --limit 3",
        ),
        (&["--limit", "25"], 25, "25 messages in s-compress-dlq"),
        (
            &["--reason", "access_denied", "--limit", "12"],
            12,
            "12 of 25 messages in s-compress-dlq have this reason",
        ),
        (
            &["--reason", "bad_key", "--limit", "2"],
            2,
            "2 with this reason of about 25 messages in s-compress-dlq shown, there are more: --limit 2",
        ),
    ] {
        let ran = json_against(&fake, &[&["dlq", "list"], words].concat());
        assert_eq!((ran.code, ran.lines().len()), (0, expected), "{ran:?}");
        assert_eq!(ran.err, format!("{said}\n"));
    }
    assert_eq!(fake.messages(DEAD).len(), 25);
}
