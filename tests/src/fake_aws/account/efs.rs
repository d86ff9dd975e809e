//! EFS: file systems and mount targets, with their rules. Source: EFS API reference, version 2015-02-01.

use serde_json::{Value, json};

use super::{Account, MountTarget, Refused};
use crate::fake_aws::call::Call;
use crate::fake_aws::reply::Answer;

pub(super) fn describe_file_systems(account: &Account, call: &Call) -> Result<Answer, Refused> {
    let id = call.query("FileSystemId").unwrap_or_default();
    let one_zone = account.file_systems.get(id).ok_or_else(|| missing(id))?;
    let mut described = json!({
        "FileSystemId": id, "OwnerId": "123456789012", "CreationToken": "t", "CreationTime": 1.0,
        "LifeCycleState": "available", "NumberOfMountTargets": account.mount_targets.len(),
        "SizeInBytes": {"Value": 0}, "PerformanceMode": "generalPurpose", "Tags": [],
    });
    if let Some(zone) = one_zone {
        described["AvailabilityZoneName"] = json!(zone);
    }
    Ok(Answer::json(200, &json!({"FileSystems": [described]})))
}

pub(super) fn describe_mount_targets(account: &Account, call: &Call) -> Result<Answer, Refused> {
    let id = call.query("FileSystemId").unwrap_or_default();
    account.file_systems.get(id).ok_or_else(|| missing(id))?;
    let begin: usize = call
        .query("Marker")
        .map_or(0, |marker| marker.parse().unwrap());
    let all = account
        .mount_targets
        .iter()
        .filter(|it| it.file_system_id == id);
    let all: Vec<Value> = all.map(|target| describe(account, target)).collect();
    let end = (begin + account.page_size).min(all.len());
    let mut page = json!({"MountTargets": all[begin..end]});
    if end < all.len() {
        page["NextMarker"] = json!(end.to_string());
    }
    Ok(Answer::json(200, &page))
}

pub(super) fn create(account: &mut Account, body: &[u8]) -> Result<Answer, Refused> {
    let asked: Value = serde_json::from_slice(body).unwrap();
    let text = |name: &str| asked[name].as_str().unwrap_or_default().to_owned();
    let (file_system_id, subnet_id) = (text("FileSystemId"), text("SubnetId"));
    let one_zone = account.file_systems.get(&file_system_id);
    let one_zone = one_zone.ok_or_else(|| missing(&file_system_id))?.clone();
    let subnet = account.subnet(&subnet_id).cloned();
    let subnet = subnet.ok_or_else(|| refused(400, "SubnetNotFound", &subnet_id))?;
    if one_zone.is_some_and(|zone| zone != subnet.zone) {
        return Err(refused(400, "AvailabilityZonesMismatch", &subnet.zone));
    }
    for other in account
        .mount_targets
        .iter()
        .filter(|it| it.file_system_id == file_system_id)
    {
        let placed = account
            .subnet(&other.subnet_id)
            .expect("a target in a subnet");
        if placed.zone_id == subnet.zone_id || placed.vpc != subnet.vpc {
            return Err(refused(409, "MountTargetConflict", &other.id));
        }
    }
    if subnet.free_addresses == 0 {
        return Err(refused(409, "NoFreeAddressesInSubnet", &subnet_id));
    }
    let state = account.new_state;
    account.add_target(&file_system_id, &subnet_id, state);
    let groups = asked["SecurityGroups"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let made = account.mount_targets.last_mut().expect("just added");
    made.security_groups = groups
        .iter()
        .map(|group| group.as_str().unwrap().to_owned())
        .collect();
    let made = made.clone();
    Ok(Answer::json(200, &describe(account, &made)))
}

pub(super) fn delete(account: &mut Account, id: &str) -> Result<Answer, Refused> {
    let target = account.mount_targets.iter_mut().find(|it| it.id == id);
    let target = target.ok_or_else(|| refused(404, "MountTargetNotFound", id))?;
    "deleting".clone_into(&mut target.state);
    Ok(Answer::empty(204))
}

fn describe(account: &Account, target: &MountTarget) -> Value {
    let subnet = account
        .subnet(&target.subnet_id)
        .expect("a target in a subnet");
    json!({
        "MountTargetId": target.id, "FileSystemId": target.file_system_id, "OwnerId": "123456789012",
        "SubnetId": target.subnet_id, "LifeCycleState": target.state, "IpAddress": target.ip_address,
        "NetworkInterfaceId": "eni-1", "AvailabilityZoneId": subnet.zone_id,
        "AvailabilityZoneName": subnet.zone, "VpcId": subnet.vpc,
    })
}

fn missing(id: &str) -> Refused {
    refused(404, "FileSystemNotFound", id)
}

fn refused(status: u16, code: &'static str, what: &str) -> Refused {
    Refused(status, code, what.to_owned())
}
