//! Of a shared sweep each step is done once, in its turn, and only what is allowed.

use std::fs;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use serde_json::{Value, json};
use shared::walk::{Call, Kernel};

use crate::steps::{ranges, slow_after_three, step, to_the_end, wide};
use crate::support::{MINUTE, Place, number};

#[test]
fn what_is_done_is_said_again_and_not_done_again() {
    let place = Place::new(&[]);
    wide(&place, 3, 6);
    let plan = place.invoke(json!({"action": "plan", "workers": 1}));
    let range = step(&plan, "range", &json!({"range": ranges(&plan)[0]}));
    let first = to_the_end(&place, range.clone());
    place.file("d0/late", 10, 40);
    assert_eq!(place.invoke(range), first);
    for range in &ranges(&plan)[1..] {
        to_the_end(&place, step(&plan, "range", &json!({"range": range})));
    }
    let finish = step(&plan, "finish", &json!({}));
    let found = to_the_end(&place, finish.clone());
    assert_eq!(place.invoke(finish), found);
}

#[test]
fn nothing_is_finished_before_every_range_is_done() {
    let place = Place::new(&[]);
    wide(&place, 6, 3);
    let plan = place.invoke(json!({"action": "plan", "workers": 1}));
    let all = ranges(&plan);
    assert!(all.len() > 2);
    for range in &all[1..] {
        to_the_end(&place, step(&plan, "range", &json!({"range": range})));
    }
    let finish = step(&plan, "finish", &json!({}));
    let error = place.invoke_within(finish.clone(), MINUTE).unwrap_err();
    assert_eq!(error.label(), "PlanUnfinished");
    to_the_end(&place, step(&plan, "range", &json!({"range": all[0]})));
    assert_eq!(number(&to_the_end(&place, finish), "files_purged"), 12);
}

#[test]
fn a_budget_is_checked_on_the_whole_before_anything_goes() {
    for (max_deletes, allowed) in [(12, true), (11, false)] {
        let place = Place::new(&[]);
        wide(&place, 6, 3);
        let payload = json!({"action": "plan", "workers": 2, "max_deletes": max_deletes});
        let plan = place.invoke(payload);
        assert_eq!(plan["counts_first"], true);
        let sweep = step(&plan, "range", &json!({"range": ranges(&plan)[0]}));
        let unchecked = place.invoke_within(sweep.clone(), MINUTE).unwrap_err();
        assert_eq!(unchecked.label(), "PlanUnchecked");
        let check = step(&plan, "check", &json!({}));
        let uncounted = place.invoke_within(check.clone(), MINUTE).unwrap_err();
        assert_eq!(uncounted.label(), "PlanUnfinished");
        for range in ranges(&plan) {
            let counted = step(&plan, "range", &json!({"range": range, "pass": "count"}));
            to_the_end(&place, counted);
        }
        let before = place.names();
        let checked = place.invoke(check);
        assert_eq!(number(&checked, "files_to_purge"), 12);
        assert_eq!(checked["status"] == "complete", allowed, "{checked}");
        for range in ranges(&plan) {
            let sweep = step(&plan, "range", &json!({"range": range}));
            assert_eq!(place.invoke_within(sweep, MINUTE).is_ok(), allowed);
        }
        assert_eq!(place.names() != before, allowed);
    }
}

#[test]
fn a_schedules_second_plan_is_refused_and_says_so() {
    let place = Place::new(&[]);
    wide(&place, 2, 3);
    let payload = json!({"action": "plan", "workers": 2, "time": "2026-01-01T00:00:00Z"});
    assert_eq!(place.invoke(payload.clone())["status"], "planned");
    let second = place.invoke(payload);
    assert_eq!(second["status"], "refused");
    assert_eq!(ranges(&second), Vec::<Value>::new());
    assert!(second["reason"].as_str().unwrap().contains("before"));
}

#[test]
fn settings_that_became_stricter_void_a_plan() {
    let place = Place::new(&[]);
    wide(&place, 2, 3);
    let plan = place.invoke(json!({"action": "plan", "workers": 1}));
    let stricter = place.again(&[("PURGE_MAX_DELETES", "1")]);
    let sweep = step(&plan, "range", &json!({"range": ranges(&plan)[0]}));
    let error = stricter.invoke_within(sweep, MINUTE).unwrap_err();
    assert_eq!(error.label(), "PlanOutdated");
}

#[test]
fn a_plan_or_a_range_that_is_none_is_refused() {
    let place = Place::new(&[]);
    wide(&place, 2, 3);
    let plan = place.invoke(json!({"action": "plan", "workers": 1}));
    let nobodys = json!({"action": "check", "plan": "1-x"});
    let error = place.invoke_within(nobodys, MINUTE).unwrap_err();
    assert_eq!(error.label(), "PlanFile");
    for range in [json!({"from": 0, "to": 0}), json!({"from": 0, "to": 99})] {
        let wrong = step(&plan, "range", &json!({"range": range}));
        let error = place.invoke_within(wrong, MINUTE).unwrap_err();
        assert_eq!(error.label(), "BadPayload");
    }
    let name = format!(".sluice/plans/{}/plan", plan["plan"].as_str().unwrap());
    let text = fs::read_to_string(place.path(&name)).unwrap();
    fs::write(place.path(&name), &text[..text.len() - 1]).unwrap();
    let cut_off = step(&plan, "range", &json!({"range": ranges(&plan)[0]}));
    let error = place.invoke_within(cut_off, MINUTE).unwrap_err();
    assert_eq!(error.label(), "BadToken");
}

#[test]
fn what_nobody_will_ask_for_again_is_forgotten_and_the_audit_is_not() {
    let place = Place::new(&[]);
    let kept = ["resume/new", "audit/old.jsonl", "plans/new/plan"];
    let old = ["resume/old", "plans/old/plan", "idempotency/old/0"];
    for name in kept.iter().chain(&old) {
        place.file(format!(".sluice/{name}"), 1, 0);
    }
    for name in [
        "resume/old",
        "plans/old",
        "idempotency/old",
        "audit/old.jsonl",
    ] {
        crate::support::age(&place.path(format!(".sluice/{name}")), 29);
    }
    place.invoke(json!({"dry_run": true}));
    assert!(place.path(".sluice/resume/old").exists());
    place.invoke(json!({}));
    for name in kept {
        assert!(place.path(format!(".sluice/{name}")).exists(), "{name}");
    }
    for name in old {
        assert!(!place.path(format!(".sluice/{name}")).exists(), "{name}");
    }
}

#[test]
fn a_range_that_somebody_is_at_is_refused_and_another_one_is_not() {
    let (inside, go_on) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let (entered, may_go_on) = (Arc::clone(&inside), Arc::clone(&go_on));
    let place = Place::on(&[], move || {
        let (entered, may_go_on) = (Arc::clone(&entered), Arc::clone(&may_go_on));
        Kernel::disturbed(move |call, name| {
            if call == Call::Unlink && name == c"slow" {
                entered.wait();
                may_go_on.wait();
            }
            Ok(())
        })
    });
    place.file("a/slow", 1, 40);
    place.file("b/quick", 1, 40);
    let plan = place.invoke(json!({"action": "plan", "workers": 1}));
    let steps: Vec<Value> = ranges(&plan)
        .into_iter()
        .map(|range| step(&plan, "range", &json!({"range": range})))
        .collect();
    let slow = std::thread::scope(|scope| {
        let all = scope.spawn(|| {
            let each = steps.iter().map(|step| place.invoke(step.clone()));
            each.collect::<Vec<_>>()
        });
        inside.wait();
        let tried = steps.iter().map(|step| {
            let answer = place.invoke_within(step.clone(), MINUTE);
            answer.map_err(|error| error.label())
        });
        let tried: Vec<_> = tried.collect();
        let refused = tried.iter().filter(|it| **it == Err("InProgress"));
        assert_eq!(refused.count(), 1, "{tried:?}");
        assert_eq!(tried.iter().filter(|it| it.is_ok()).count(), 2);
        go_on.wait();
        all.join().unwrap()
    });
    assert!(
        slow.iter().all(|answer| answer["status"] == "complete"),
        "{slow:?}"
    );
    let found = to_the_end(&place, step(&plan, "finish", &json!({})));
    assert_eq!(number(&found, "files_purged"), 2);
}

#[test]
fn a_dry_run_over_its_budget_is_refused_with_its_totals() {
    for (max_deletes, status) in [(12, "complete"), (11, "refused")] {
        let place = Place::new(&[]);
        wide(&place, 6, 3);
        let plan = place.invoke(json!({
            "action": "plan", "workers": 2, "max_deletes": max_deletes, "dry_run": true,
        }));
        assert_eq!(plan["counts_first"], false);
        for range in ranges(&plan) {
            to_the_end(&place, step(&plan, "range", &json!({"range": range})));
        }
        let found = place.invoke(step(&plan, "finish", &json!({})));
        assert_eq!(found["status"], status, "{found}");
        assert_eq!(number(&found, "files_to_purge"), 12);
        assert_eq!(found["reason"].is_null(), status == "complete");
    }
}

#[test]
fn a_plan_whose_answer_got_lost_is_answered_again_to_the_execution_that_made_it() {
    let place = Place::new(&[]);
    wide(&place, 2, 3);
    let mut payload = json!({
        "action": "plan", "workers": 2, "time": "2026-01-01T00:00:00Z", "execution": {"id": "one"},
    });
    let first = place.invoke(payload.clone());
    assert_eq!(place.invoke(payload.clone()), first);
    payload["execution"]["id"] = json!("two");
    assert_eq!(place.invoke(payload)["status"], "refused");
}

#[test]
fn while_many_sweep_nobody_else_begins_until_they_are_done() {
    let place = Place::new(&[]);
    wide(&place, 3, 3);
    let payload = json!({"action": "plan", "workers": 1});
    let plan = place.invoke(payload.clone());
    let second = place.invoke_within(payload.clone(), MINUTE).unwrap_err();
    assert_eq!(second.label(), "InProgress");
    assert_eq!(place.invoke(json!({}))["status"], "refused");
    assert_eq!(place.invoke(json!({"dry_run": true}))["status"], "complete");
    let dry = json!({"action": "plan", "workers": 1, "dry_run": true});
    assert_eq!(place.invoke(dry)["status"], "planned");
    for range in ranges(&plan) {
        to_the_end(&place, step(&plan, "range", &json!({"range": range})));
    }
    to_the_end(&place, step(&plan, "finish", &json!({})));
    assert_eq!(place.invoke(payload)["status"], "planned");
}

#[test]
fn an_interrupted_range_whose_answer_got_lost_says_it_again() {
    let place = slow_after_three();
    wide(&place, 12, 9);
    let plan = place.invoke(json!({"action": "plan", "workers": 1, "concurrency": 1}));
    let range = step(&plan, "range", &json!({"range": ranges(&plan)[0]}));
    let short = Duration::from_millis(5_400);
    let first = place.invoke_within(range.clone(), short).unwrap();
    assert_eq!(first["status"], "incomplete", "{first}");
    assert_eq!(place.invoke(range.clone()), first);
    let mut rest = range;
    rest["resume"] = first["resume"].clone();
    to_the_end(&place, rest);
    for range in &ranges(&plan)[1..] {
        to_the_end(&place, step(&plan, "range", &json!({"range": range})));
    }
    let found = to_the_end(&place, step(&plan, "finish", &json!({})));
    assert_eq!(number(&found, "files_purged"), 12 * 6);
}
