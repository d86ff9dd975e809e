//! What a service's "no" means for the next step, as data.

/// What can be done about a call that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// What was asked for may be so already: look again.
    Conflict,
    /// Refused for now, without effect.
    Later,
    /// No answer, or one that leaves open whether the call had its effect.
    Unclear,
    /// Another subnet of the same zone may do.
    NoAddress,
    /// A limit of the account that someone has to raise.
    Quota,
    /// A setting is wrong, or names what is not there.
    Configuration,
    /// The role does not allow it.
    Denied,
}

/// Codes and what they mean, whichever call they answer. Sources: API references of EFS (`CreateMountTarget`,
/// `DeleteMountTarget`, the `Describe` calls), Systems Manager, EC2, ECS, Lambda; "Common errors" of each.
const TABLE: &[(&str, Class)] = &[
    ("MountTargetConflict", Class::Conflict),
    ("IpAddressInUse", Class::Conflict),
    ("MountTargetNotFound", Class::Conflict),
    ("NoFreeAddressesInSubnet", Class::NoAddress),
    ("IncorrectFileSystemLifeCycleState", Class::Later),
    ("TooManyUpdates", Class::Later),
    ("TooManyRequestsException", Class::Later),
    ("RequestLimitExceeded", Class::Later),
    ("UpdateInProgressException", Class::Later),
    ("InternalServerError", Class::Unclear),
    ("DependencyTimeout", Class::Unclear),
    ("NetworkInterfaceLimitExceeded", Class::Quota),
    ("SecurityGroupLimitExceeded", Class::Quota),
    ("ParameterLimitExceeded", Class::Quota),
    ("SubnetNotFound", Class::Configuration),
    ("SecurityGroupNotFound", Class::Configuration),
    ("UnsupportedAvailabilityZone", Class::Configuration),
    ("AvailabilityZonesMismatch", Class::Configuration),
    ("BadRequest", Class::Configuration),
    ("FileSystemNotFound", Class::Configuration),
    ("UnauthorizedOperation", Class::Denied),
];

impl Class {
    /// What an answer means; a status of `None` is no answer at all.
    #[must_use]
    pub fn of(status: Option<u16>, code: &str) -> Self {
        let known = TABLE.iter().find(|(known, _)| *known == code);
        if let Some((_, class)) = known {
            return *class;
        }
        match status {
            _ if code.contains("Throttl") => Self::Later,
            Some(429) => Self::Later,
            _ if code.starts_with("AccessDenied") => Self::Denied,
            Some(401 | 403) => Self::Denied,
            Some(400..=499) => Self::Configuration,
            _ => Self::Unclear,
        }
    }

    /// Its name in errors, log lines and the runbook.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Conflict => "Conflict",
            Self::Later => "TryLater",
            Self::Unclear => "Unclear",
            Self::NoAddress => "NoFreeAddress",
            Self::Quota => "QuotaExceeded",
            Self::Configuration => "BadConfiguration",
            Self::Denied => "AccessDenied",
        }
    }

    /// Whether the call certainly changed nothing.
    #[must_use]
    pub const fn is_without_effect(self) -> bool {
        match self {
            Self::Conflict
            | Self::Later
            | Self::NoAddress
            | Self::Quota
            | Self::Configuration
            | Self::Denied => true,
            Self::Unclear => false,
        }
    }

    /// Whether only someone can help, so that the invocation has to fail: the next tick would meet the same.
    #[must_use]
    pub const fn is_for_someone(self) -> bool {
        match self {
            Self::Quota | Self::Configuration | Self::Denied => true,
            Self::Conflict | Self::Later | Self::Unclear | Self::NoAddress => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_answer_of_the_two_changes_has_its_class() {
        for (status, code, class) in [
            (409, "MountTargetConflict", Class::Conflict),
            (409, "IpAddressInUse", Class::Conflict),
            (404, "MountTargetNotFound", Class::Conflict),
            (409, "NoFreeAddressesInSubnet", Class::NoAddress),
            (409, "IncorrectFileSystemLifeCycleState", Class::Later),
            (429, "ThrottlingException", Class::Later),
            (400, "ThrottlingException", Class::Later),
            (500, "InternalServerError", Class::Unclear),
            (504, "DependencyTimeout", Class::Unclear),
            (409, "NetworkInterfaceLimitExceeded", Class::Quota),
            (400, "SecurityGroupLimitExceeded", Class::Quota),
            (400, "SubnetNotFound", Class::Configuration),
            (400, "SecurityGroupNotFound", Class::Configuration),
            (400, "UnsupportedAvailabilityZone", Class::Configuration),
            (400, "AvailabilityZonesMismatch", Class::Configuration),
            (400, "BadRequest", Class::Configuration),
            (404, "FileSystemNotFound", Class::Configuration),
            (403, "AccessDeniedException", Class::Denied),
            (400, "AccessDeniedException", Class::Denied),
        ] {
            assert_eq!(Class::of(Some(status), code), class, "{status} {code}");
        }
    }

    #[test]
    fn what_is_not_in_the_table_goes_by_its_status() {
        for (status, code, class) in [
            (Some(400), "Novel", Class::Configuration),
            (Some(403), "ExpiredTokenException", Class::Denied),
            (Some(429), "", Class::Later),
            (Some(503), "RequestLimitExceeded", Class::Later),
            (Some(500), "", Class::Unclear),
            (Some(200), "", Class::Unclear),
            (None, "", Class::Unclear),
        ] {
            assert_eq!(Class::of(status, code), class, "{status:?} {code}");
        }
    }

    #[test]
    fn the_table_names_each_code_once() {
        for (index, (code, _)) in TABLE.iter().enumerate() {
            assert!(
                TABLE[..index].iter().all(|(other, _)| other != code),
                "{code}"
            );
        }
    }
}
