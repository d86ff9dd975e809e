//! The steps of a shared sweep, as the state machine takes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use shared::walk::{Call, Kernel};

use crate::support::Place;

pub(crate) fn step(plan: &Value, action: &str, more: &Value) -> Value {
    let mut payload = json!({"action": action, "root": plan["root"], "plan": plan["plan"]});
    for (field, value) in more.as_object().unwrap() {
        payload[field] = value.clone();
    }
    payload
}

pub(crate) fn ranges(plan: &Value) -> Vec<Value> {
    plan["ranges"].as_array().unwrap().clone()
}

/// Goes on with a step until it is complete.
pub(crate) fn to_the_end(place: &Place, mut payload: Value) -> Value {
    loop {
        let answer = place.invoke(payload.clone());
        if answer["status"] != "incomplete" {
            assert_eq!(answer["status"], "complete", "{answer}");
            return answer;
        }
        payload["resume"] = answer["resume"].clone();
    }
}

/// What the state machine does with a plan.
pub(crate) fn all_steps(place: &Place, payload: &Value) -> Value {
    let plan = place.invoke(payload.clone());
    assert_eq!(plan["status"], "planned", "{plan}");
    if plan["counts_first"] == true {
        for range in ranges(&plan) {
            let counted = step(&plan, "range", &json!({"range": range, "pass": "count"}));
            to_the_end(place, counted);
        }
        let checked = place.invoke(step(&plan, "check", &json!({})));
        if checked["status"] == "refused" {
            return checked;
        }
    }
    for range in ranges(&plan) {
        to_the_end(place, step(&plan, "range", &json!({"range": range})));
    }
    to_the_end(place, step(&plan, "finish", &json!({})))
}

/// Directories of files, old ones and, every third, a young one.
pub(crate) fn wide(place: &Place, directories: usize, files: usize) {
    for directory in 0..directories {
        for file in 0..files {
            let days = if file % 3 == 0 { 1 } else { 40 };
            place.file(format!("d{directory}/f{file}"), 10, days);
        }
    }
}

/// A root on which the fourth removal takes so long that a short deadline comes meanwhile; all others are as usual.
pub(crate) fn slow_after_three() -> Place {
    let calls = Arc::new(AtomicU64::new(0));
    Place::on(&[], move || {
        let calls = Arc::clone(&calls);
        Kernel::disturbed(move |call, _| {
            if call == Call::Unlink && calls.fetch_add(1, Ordering::SeqCst) == 3 {
                std::thread::sleep(Duration::from_millis(700));
            }
            Ok(())
        })
    })
}
