//! EC2: `DescribeSubnets` as a form that is answered in XML. Source: EC2 API reference, version 2016-11-15.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use super::{Account, Refused, Subnet};
use crate::fake_aws::reply::Answer;

fn form(body: &[u8]) -> BTreeMap<String, String> {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    let decoded = |raw: &str| percent_decode_str(raw).decode_utf8_lossy().into_owned();
    pairs
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

/// The first subnet that a request is about.
pub(in crate::fake_aws) fn subnet_of(body: &[u8]) -> String {
    form(body).remove("SubnetId.1").unwrap_or_default()
}

pub(super) fn describe_subnets(account: &Account, body: &[u8]) -> Result<Answer, Refused> {
    let mut form = form(body);
    let known = form.remove("Action").as_deref() == Some("DescribeSubnets")
        && form.remove("Version").as_deref() == Some("2016-11-15");
    let begin: usize = form
        .remove("NextToken")
        .map_or(0, |token| token.parse().unwrap());
    let (ids, others): (Vec<_>, Vec<_>) = form.iter().partition(|it| it.0.starts_with("SubnetId."));
    if !known || !others.is_empty() || ids.is_empty() {
        return Err(Refused(501, "NotImplemented", format!("{form:?}")));
    }
    let ids: Vec<&String> = ids.into_iter().map(|(_, id)| id).collect();
    if let Some(missing) = ids.iter().find(|id| account.subnet(id).is_none()) {
        let message = format!("The subnet ID '{missing}' does not exist");
        return Err(Refused(400, "InvalidSubnetID.NotFound", message));
    }
    // In an order of its own.
    let mut found = account
        .subnets
        .iter()
        .filter(|it| ids.contains(&&it.id))
        .collect::<Vec<_>>();
    found.sort_by(|one, other| other.id.cmp(&one.id));
    let end = (begin + account.page_size).min(found.len());
    let items: String = found[begin..end].iter().copied().map(item).collect();
    let next = if end < found.len() {
        format!("<nextToken>{end}</nextToken>")
    } else {
        String::new()
    };
    Ok(Answer::xml(
        200,
        format!(
            "<DescribeSubnetsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>fake</requestId>\
             <subnetSet>{items}</subnetSet>{next}</DescribeSubnetsResponse>"
        ),
    ))
}

fn item(subnet: &Subnet) -> String {
    let Subnet {
        id,
        zone_id,
        zone,
        vpc,
        free_addresses,
    } = subnet;
    format!(
        "<item><subnetId>{id}</subnetId><state>available</state><vpcId>{vpc}</vpcId>\
         <availableIpAddressCount>{free_addresses}</availableIpAddressCount>\
         <availabilityZone>{zone}</availabilityZone><availabilityZoneId>{zone_id}</availabilityZoneId></item>"
    )
}

pub(super) fn error(status: u16, code: &str, message: &str) -> Answer {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Errors><Error><Code>{code}</Code>\
         <Message>{message}</Message></Error></Errors><RequestID>fake</RequestID></Response>"
    );
    Answer::xml(status, text)
}
