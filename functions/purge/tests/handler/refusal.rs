//! What is not begun: too much, in the wrong place, or not understood.

use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::json;
use shared::walk::{Call, Errno, Kernel};

use crate::support::{MINUTE, Place, number, numbers};

#[test]
fn a_budget_that_would_be_passed_refuses_before_the_first_removal() {
    for (budget, refused) in [
        (json!({"max_deletes": 9}), true),
        (json!({"max_deletes": 10}), false),
        (json!({"max_delete_fraction": 0.49}), true),
        (json!({"max_delete_fraction": 0.5}), false),
        (json!({"max_deletes": 0}), true),
    ] {
        let place = Place::new(&[]);
        for file in 0..10 {
            place.file(format!("d{file}/old"), 1, 31);
            place.file(format!("d{file}/young"), 1, 1);
        }
        let (dry, real) = place.dry_and_real(budget.clone());
        let status = if refused { "refused" } else { "complete" };
        assert_eq!(
            (&dry["status"], &real["status"]),
            (&json!(status), &json!(status)),
            "{budget}"
        );
        assert_eq!(number(&real, "files_to_purge"), 10, "{budget}");
        let gone = if refused { 0 } else { 10 };
        assert_eq!(
            numbers(&real, ["files_purged", "bytes_freed"]),
            [gone, gone],
            "{budget}"
        );
        assert_eq!(real["reason"].is_string(), refused);
        assert_eq!(place.names().len() as u64, 30 - gone, "{budget}");
    }
}

#[test]
fn a_budget_counts_for_nothing_when_not_all_could_be_counted() {
    let place = Place::on(&[], || {
        Kernel::disturbed(|call, name| match call {
            Call::Open if name == c"b" => Err(Errno::ACCESS),
            _ => Ok(()),
        })
    });
    place.file("a/old", 1, 31);
    place.file("b/old", 1, 31);
    let answer = place.invoke(json!({"max_deletes": 100}));
    assert_eq!(
        (&answer["status"], number(&answer, "errors")),
        (&json!("refused"), 1)
    );
    assert!(place.path("a/old").exists());
}

#[test]
fn a_root_elsewhere_or_through_a_link_is_refused() {
    let place = Place::new(&[]);
    place.file("d/old", 1, 31);
    symlink(place.path("d"), place.path("link")).unwrap();
    for root in [
        place.path("link"),
        place.path("d/../../.."),
        "/".into(),
        "/etc".into(),
        place.path("d/old"),
    ] {
        let refused = place
            .invoke_within(json!({ "root": root }), MINUTE)
            .unwrap_err();
        assert_eq!(refused.label(), "BadRoot", "{}", root.display());
    }
    assert!(place.path("d/old").exists());
    let below = place.invoke(json!({"root": place.path("d")}));
    assert_eq!(
        (number(&below, "files_purged"), &below["root"]),
        (1, &json!(place.path("d")))
    );
}

#[test]
fn a_root_that_leads_to_the_system_is_refused() {
    let place = Place::new(&[("PURGE_ROOT", "/proc-of-nobody")]);
    let refused = place.invoke_within(json!({}), MINUTE).unwrap_err();
    assert_eq!(refused.label(), "BadRoot");
    let directory = tempfile::tempdir().unwrap();
    symlink("/usr", directory.path().join("data")).unwrap();
    let root = directory.path().join("data/share");
    let place = Place::new(&[
        ("PURGE_ROOT", root.to_str().unwrap()),
        ("PURGE_DRY_RUN", "true"),
    ]);
    let refused = place.invoke_within(json!({}), MINUTE).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!(
            "root {root:?} is the system's {:?}",
            Path::new("/usr/share")
        )
    );
}

#[test]
fn a_payload_that_is_not_understood_names_its_field_and_touches_nothing() {
    let place = Place::new(&[]);
    place.file("old", 1, 31);
    for (payload, field) in [
        (json!({"max_age_days": 0.5}), "max_age_days"),
        (json!({"max_age_days": "30"}), "max_age_days"),
        (json!({"age_by": "atime"}), "age_by"),
        (json!({"dry_run": "false"}), "dry_run"),
        (json!({"exclud": ["old"]}), "exclud"),
        (json!({"exclude": "old"}), "exclude"),
        (json!({"include": ["["]}), "include"),
        (json!({"max_delete_fraction": 1.5}), "max_delete_fraction"),
        (json!({"concurrency": 0}), "concurrency"),
        (json!({"resume": 7}), "resume"),
    ] {
        let refused = place.invoke_within(payload.clone(), MINUTE).unwrap_err();
        assert_eq!(refused.label(), "BadPayload", "{payload}");
        assert!(refused.to_string().contains(field), "{payload}: {refused}");
    }
    assert!(place.path("old").exists());
}
