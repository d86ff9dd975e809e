//! What the controller of mount targets remembers and publishes, also when it is killed on the way.

use tests::fake_aws::{Account, Fault, Operation};
use tests::monitored::{FILE_SYSTEM, Monitored, STATE, TARGETS, start, start_in};

const SERVICE: [(&str, &str); 2] = [("ECS_CLUSTER_NAME", "cluster"), ("ECS_SERVICE_NAME", "web")];

fn with_service(settings: &[(&str, &str)]) -> Monitored {
    let settings: Vec<_> = SERVICE.iter().chain(settings).copied().collect();
    start_in(150, &settings, |account| {
        account
            .services
            .insert("web".to_owned(), ("ACTIVE".to_owned(), 0));
    })
}

fn deployments(running: &Monitored) -> usize {
    running.fake.account(|account| account.services["web"].1)
}

#[test]
fn a_crash_between_the_change_and_the_list_is_mended_by_the_next_tick() {
    let mut running = start_in(150, &[], |account| account.new_state = "available");
    let fault = Fault::on(Operation::PutParameter).key(TARGETS).reset();
    running.fake.fault(fault);
    assert_eq!(running.failure().0, "Unclear");
    assert_eq!(running.subnets(), ["subnet-a1", "subnet-b1"]);
    assert_eq!(running.document(TARGETS), None);
    running.restart();
    assert_eq!(running.answer()["decision"], "hold");
    assert_eq!(running.published(), ["subnet-a1", "subnet-b1"]);
}

#[test]
fn a_list_that_someone_changed_is_put_right() {
    for wrong in ["[]", "{\"mount_targets\": []}", "text"] {
        let running = start_in(50, &[], |account| {
            account
                .parameters
                .insert(TARGETS.to_owned(), wrong.to_owned());
        });
        assert_eq!(running.answer()["decision"], "hold");
        assert_eq!(running.published(), ["subnet-a1"], "{wrong}");
    }
    let running = start(50, &[]);
    assert_eq!(running.answer()["decision"], "hold");
    let written = running.fake.count(Operation::PutParameter);
    assert_eq!(running.answer()["decision"], "hold");
    assert_eq!(
        running.fake.count(Operation::PutParameter),
        written,
        "written though it is right"
    );
}

#[test]
fn the_service_is_redeployed_once_for_each_list() {
    let running = with_service(&[]);
    assert_eq!(running.answer()["deployment_triggered"], true);
    assert_eq!(running.answer()["deployment_triggered"], false);
    assert_eq!(deployments(&running), 1);
    running.fake.account(Account::arrive);
    assert_eq!(running.answer()["deployment_triggered"], true);
    assert_eq!(running.answer()["deployment_triggered"], false);
    assert_eq!(deployments(&running), 2);
}

#[test]
fn a_crash_between_the_list_and_the_service_is_mended_by_the_next_tick() {
    let mut running = with_service(&[]);
    running
        .fake
        .fault(Fault::on(Operation::UpdateService).reset());
    assert_eq!(running.failure().0, "Unclear");
    assert_eq!((deployments(&running), running.published().len()), (0, 1));
    assert!(running.document(STATE).unwrap()["redeploy_for"].is_string());
    running.restart();
    assert_eq!(running.answer()["deployment_triggered"], true);
    assert_eq!(deployments(&running), 1);
    assert_eq!(running.document(STATE).unwrap().get("redeploy_for"), None);
}

#[test]
fn a_mark_for_a_list_that_never_came_out_still_leads_to_the_one_that_did() {
    // The list before it was published and its redeployment failed, perhaps.
    let running = with_service(&[]);
    assert_eq!(running.answer()["deployment_triggered"], true);
    let mut state = running.document(STATE).unwrap();
    state["redeploy_for"] = "fsmt-gone=10.0.0.9".into();
    let text = state.to_string();
    running
        .fake
        .account(|account| account.parameters.insert(STATE.to_owned(), text));
    assert_eq!(running.answer()["deployment_triggered"], true);
    assert_eq!(running.answer()["deployment_triggered"], false);
    assert_eq!(deployments(&running), 2);
}

#[test]
fn a_change_is_remembered_before_it_is_made() {
    let running = start(150, &[("COOLDOWN_SECONDS", "600")]);
    running
        .fake
        .fault(Fault::on(Operation::CreateMountTarget).reset());
    assert_eq!(running.answer()["new_mount_target_created"], false);
    let state = running.document(STATE).unwrap();
    assert_eq!(state["last_change"]["kind"], "create");
    // Nobody knows whether the lost request arrived.
    let answer = running.answer();
    assert!(
        answer["reason"].as_str().unwrap().contains("cool-down"),
        "{answer}"
    );
    assert_eq!(running.fake.count(Operation::CreateMountTarget), 1);
}

#[test]
fn without_a_state_that_is_ours_there_is_no_change() {
    let running = start(150, &[]);
    running.fake.fault(
        Fault::on(Operation::GetParameter)
            .key(STATE)
            .answer(400, "ThrottlingException"),
    );
    let answer = running.answer();
    assert_eq!(answer["decision"], "hold");
    assert!(
        answer["reason"].as_str().unwrap().contains("last change"),
        "{answer}"
    );
    let foreign = "{\"schema\": 1, \"file_system_id\": \"fs-other\", \"last_change\": null}";
    for (text, reason) in [("{", "corrupt"), (foreign, "foreign")] {
        running
            .fake
            .account(|account| account.parameters.insert(STATE.to_owned(), text.to_owned()));
        let (error_type, message) = running.failure();
        assert_eq!(error_type, "BadConfiguration");
        assert!(message.contains(reason), "{message}");
    }
    assert_eq!(running.subnets(), ["subnet-a1"]);
    assert_eq!(running.published(), ["subnet-a1"]);
}

#[test]
fn scale_in_removes_one_and_lists_it_no_more() {
    let settings = [("SCALE_IN", "true"), ("PROTECTED_ZONES", "use1-c")];
    let running = start_in(10, &settings, |account| {
        for subnet in ["subnet-b1", "subnet-c1"] {
            account.add_target(FILE_SYSTEM, subnet, "available");
        }
    });
    assert_eq!(running.answer()["decision"], "remove");
    assert_eq!(running.published(), ["subnet-a1", "subnet-c1"]);
    assert_eq!(running.answer()["decision"], "hold");
    running.fake.account(Account::arrive);
    assert_eq!(running.answer()["decision"], "remove");
    running.fake.account(Account::arrive);
    assert_eq!(running.subnets(), ["subnet-c1"]);
    assert_eq!(running.answer()["decision"], "hold");
    assert_eq!(running.fake.count(Operation::DeleteMountTarget), 2);
}
