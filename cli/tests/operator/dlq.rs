//! Dead letters are looked at and sent back, and none is lost on the way.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use serde_json::json;
use tests::fake_aws::{FakeAws, Fault, Gate, Message, Operation};

use crate::backfill::stack;
use crate::{Ran, json_against, run_against};

const SOURCE: &str = "s-compress";
pub(crate) const DEAD: &str = "s-compress-dlq";

/// Far beyond what any step here takes.
const TIMEOUT: Duration = Duration::from_secs(20);

fn body(key: &str, job: Option<&str>) -> String {
    let mut body = json!({"Records": [{
        "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": "b"}, "object": {"key": key, "size": 1}},
    }]});
    if let Some(job) = job {
        body["job_id"] = json!(job);
    }
    // As it came, spaces included.
    format!(" {body} ")
}

pub(crate) fn letter(key: &str, reason: Option<&str>, job: Option<&str>) -> Message {
    let attributes = reason.map(|reason| {
        let pairs = [
            ("reason", reason),
            ("error", "it was refused"),
            ("bucket", "b"),
            ("key", key),
        ];
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    });
    Message {
        body: body(key, job),
        attributes: attributes.unwrap_or_default(),
        group_id: None,
    }
}

/// 12 denied, 11 of bad keys, 2 that the queue gave up.
pub(crate) fn letters() -> FakeAws {
    let fake = stack();
    for number in 0..12 {
        fake.put_message(
            DEAD,
            letter(&format!("incoming/d{number}"), Some("access_denied"), None),
        );
        if number < 11 {
            fake.put_message(
                DEAD,
                letter(&format!("incoming/k{number}"), Some("bad_key"), None),
            );
        }
        if number < 2 {
            fake.put_message(DEAD, letter(&format!("incoming/n{number}"), None, None));
        }
    }
    fake
}

pub(crate) fn bodies(fake: &FakeAws, queue: &str) -> Vec<String> {
    let messages = fake.messages(queue).into_iter();
    let mut bodies: Vec<_> = messages.map(|message| message.body).collect();
    bodies.sort();
    bodies
}

#[test]
fn a_replay_sends_the_body_back_and_nothing_else() {
    let fake = stack();
    fake.put_message(DEAD, letter("incoming/live", Some("bad_key"), None));
    fake.put_message(DEAD, letter("incoming/job", Some("bad_key"), Some("j")));
    let ran = json_against(&fake, &["dlq", "replay"]);
    assert_eq!(
        (ran.code, &ran.document()["replayed"]),
        (0, &2.into()),
        "{ran:?}"
    );
    let sent = |key, job: Option<&str>| Message {
        body: body(key, job),
        attributes: BTreeMap::new(),
        group_id: job.map(str::to_owned),
    };
    let mut messages = fake.messages(SOURCE);
    messages.sort_by_key(|message| message.group_id.clone());
    let expected = [sent("incoming/live", None), sent("incoming/job", Some("j"))];
    assert_eq!(messages, expected);
    assert!(fake.messages(DEAD).is_empty());
}

#[test]
fn a_replay_of_one_reason_sees_each_of_the_others_once_and_leaves_them() {
    let fake = letters();
    let ran = json_against(&fake, &["dlq", "replay", "--reason", "access_denied"]);
    let done = ran.document();
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!((&done["replayed"], &done["left"]), (&12.into(), &13.into()));
    assert_eq!(done["by_reason"], json!({"access_denied": 12}));
    assert_eq!(
        (fake.messages(SOURCE).len(), fake.messages(DEAD).len()),
        (12, 13)
    );
    // And they are there for the next one at once.
    let ran = json_against(&fake, &["dlq", "replay"]);
    assert_eq!((ran.code, &ran.document()["replayed"]), (0, &13.into()));
}

#[test]
fn a_dry_run_counts_and_moves_nothing() {
    let fake = letters();
    let before = bodies(&fake, DEAD);
    let ran = json_against(
        &fake,
        &["dlq", "replay", "--reason", "bad_key", "--dry-run"],
    );
    let done = ran.document();
    assert_eq!(
        (ran.code, &done["replayed"], &done["dry_run"]),
        (0, &11.into(), &true.into())
    );
    assert_eq!(
        (bodies(&fake, DEAD), fake.count(Operation::SendMessage)),
        (before, 0)
    );
}

#[test]
fn a_limit_is_kept() {
    let fake = letters();
    for (limit, left) in [("1", 24), ("11", 13)] {
        let ran = json_against(&fake, &["dlq", "replay", "--limit", limit]);
        // What was not asked for is not left over.
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(ran.document()["replayed"].to_string(), limit, "{ran:?}");
        assert_eq!(fake.messages(DEAD).len(), left);
    }
}

#[test]
fn what_the_queue_did_not_take_stays_a_dead_letter() {
    let fake = letters();
    let all = bodies(&fake, DEAD);
    fake.fault(
        Fault::on(Operation::SendMessage)
            .skip(4)
            .answer(400, "AccessDenied")
            .forever(),
    );
    let ran = json_against(&fake, &["dlq", "replay"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    let mut both = [bodies(&fake, DEAD), bodies(&fake, SOURCE)].concat();
    both.sort();
    assert_eq!((both, fake.messages(SOURCE).len()), (all, 4));
    fake.clear_faults();
    // Nothing of it is hidden.
    let ran = json_against(&fake, &["dlq", "replay"]);
    assert_eq!(
        (ran.code, &ran.document()["replayed"]),
        (0, &21.into()),
        "{ran:?}"
    );
}

#[test]
fn nothing_is_removed_before_the_queue_has_it() {
    let fake = letters();
    let gate = Gate::new();
    fake.fault(Fault::on(Operation::SendMessage).hold(&gate).forever());
    thread::scope(|scope| {
        let running = scope.spawn(|| json_against(&fake, &["dlq", "replay"]));
        assert!(gate.wait_for_blocking(10, TIMEOUT));
        assert_eq!(fake.count(Operation::DeleteMessageBatch), 0);
        assert_eq!(fake.messages(DEAD).len(), 25);
        gate.release();
        assert_eq!(running.join().unwrap().code, 0);
    });
    assert_eq!(
        (fake.messages(SOURCE).len(), fake.messages(DEAD).len()),
        (25, 0)
    );
}

#[test]
fn what_could_not_be_removed_is_said() {
    let fake = stack();
    fake.put_message(DEAD, letter("incoming/a", Some("bad_key"), None));
    fake.fault(Fault::on(Operation::DeleteMessageBatch).answer(400, "AccessDenied"));
    let ran = json_against(&fake, &["dlq", "replay"]);
    let done = ran.document();
    assert_eq!(
        (ran.code, &done["replayed"], &done["not_removed"]),
        (3, &1.into(), &1.into())
    );
    assert!(ran.err.contains("DeleteMessageBatch"), "{ran:?}");
    assert_eq!(bodies(&fake, DEAD), bodies(&fake, SOURCE));
}

#[test]
fn a_queue_that_gives_out_no_more_is_not_at_its_end() {
    for words in [
        &["dlq", "replay", "--reason", "archived"][..],
        &["dlq", "list"],
    ] {
        let fake = letters();
        fake.fault(
            Fault::on(Operation::ReceiveMessage)
                .skip(1)
                .answer(403, "OverLimit")
                .forever(),
        );
        let ran = json_against(&fake, words);
        assert_eq!(ran.code, 3, "{ran:?}");
        assert!(ran.err.contains("about 15 messages not seen"), "{ran:?}");
        fake.clear_faults();
        // What was held is given back.
        let ran = json_against(&fake, &["dlq", "list"]);
        assert_eq!((ran.code, ran.lines().len()), (0, 25), "{ran:?}");
    }
}

#[test]
fn a_queue_that_gives_nothing_though_it_has_messages_is_not_empty() {
    let fake = letters();
    // As a queue answers who waits while too much is held by others.
    let receive = Fault::on(Operation::ReceiveMessage).skip(1);
    fake.fault(receive.answer(200, "nothing").forever());
    let ran = json_against(&fake, &["dlq", "replay", "--dry-run"]);
    let done = ran.document();
    assert_eq!(
        (ran.code, &done["replayed"], &done["unseen"]),
        (3, &10.into(), &15.into()),
        "{ran:?}"
    );
}

/// A dead letter is sent to work by this command, and is there again before the command has looked once more.
fn failing_again(words: &[&str]) -> (Ran, Vec<Message>, Message) {
    let fake = stack();
    let poison = letter("incoming/a", Some("bad_key"), None);
    fake.put_message(DEAD, poison.clone());
    let gate = Gate::new();
    fake.fault(Fault::on(Operation::DeleteMessageBatch).hold_after_effect(&gate));
    let ran = thread::scope(|scope| {
        let running = scope.spawn(|| json_against(&fake, words));
        assert!(gate.wait_for_blocking(1, TIMEOUT));
        fake.put_message(DEAD, poison.clone());
        gate.release();
        running.join().unwrap()
    });
    (ran, fake.messages(DEAD), poison)
}

#[test]
fn what_fails_again_at_once_does_not_go_round_for_ever() {
    let (ran, left, poison) = failing_again(&["dlq", "replay"]);
    let done = ran.document();
    assert_eq!(
        (ran.code, &done["replayed"], &done["came_back"]),
        (3, &1.into(), &1.into())
    );
    assert_eq!(left, [poison]);
}

#[test]
fn a_redrive_that_falls_back_says_what_came_back() {
    let (ran, ..) = failing_again(&["dlq", "redrive"]);
    let done = ran.document();
    assert_eq!((ran.code, &done["came_back"]), (3, &1.into()), "{ran:?}");
}

#[test]
fn a_redrive_is_a_move_task_to_the_compressors_queue() {
    let fake = letters();
    fake.allow_move_tasks();
    let ran = json_against(&fake, &["dlq", "redrive", "--dry-run"]);
    assert_eq!(
        (ran.code, &ran.document()["messages"]),
        (0, &25.into()),
        "{ran:?}"
    );
    assert!(fake.move_tasks().is_empty());
    let ran = json_against(&fake, &["dlq", "redrive", "--rate", "50"]);
    let done = ran.document();
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        (&done["method"], &done["moved"]),
        (&"move_task".into(), &25.into())
    );
    let [task] = &fake.move_tasks()[..] else {
        panic!("not one task");
    };
    assert!(task.source.ends_with(":s-compress-dlq") && task.destination.ends_with(":s-compress"));
    assert_eq!((task.rate, fake.messages(SOURCE).len()), (Some(50), 25));
}

#[test]
fn where_there_are_no_move_tasks_they_are_received_and_sent_and_that_is_said() {
    let fake = letters();
    let ran = json_against(&fake, &["dlq", "redrive", "--rate", "500"]);
    let done = ran.document();
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        (&done["method"], &done["moved"]),
        (&"receive_and_send".into(), &25.into())
    );
    assert_eq!(done["status"], "COMPLETED");
    assert!(ran.err.contains("no move tasks"), "{ran:?}");
    assert_eq!(
        (fake.messages(SOURCE).len(), fake.messages(DEAD).len()),
        (25, 0)
    );
}

#[test]
fn a_redrive_without_move_tasks_that_leaves_something_is_not_completed() {
    let fake = letters();
    fake.fault(Fault::on(Operation::DeleteMessageBatch).answer(400, "AccessDenied"));
    let ran = json_against(&fake, &["dlq", "redrive"]);
    assert_eq!(
        (ran.code, &ran.document()["status"]),
        (3, &"INCOMPLETE".into()),
        "{ran:?}"
    );
    assert_eq!(fake.messages(DEAD).len(), 10);
}

#[test]
fn a_queue_that_is_not_there_has_its_code() {
    let fake = stack();
    let ran = run_against(&fake, &["--stack", "other", "dlq", "list"]);
    assert_eq!((ran.code, ran.err.lines().count()), (4, 1), "{ran:?}");
}
