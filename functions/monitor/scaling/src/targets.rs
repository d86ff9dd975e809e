//! The list of mount targets that clients go by.

use serde::{Deserialize, Serialize};

use crate::observed::Observed;

/// The document behind `TARGETS_PARAMETER`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetList {
    /// Those that can be used, by id.
    pub mount_targets: Vec<Listed>,
}

/// A mount target that can be used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Listed {
    /// `fsmt-…`.
    pub mount_target_id: String,
    /// Where clients connect to.
    pub ip_address: String,
    /// The zone's name.
    pub availability_zone: String,
    /// Its subnet.
    pub subnet_id: String,
}

impl TargetList {
    /// Of what is available, in an order that does not depend on that of the API.
    #[must_use]
    pub fn of(observed: &Observed) -> Self {
        let available = observed.available();
        let mut mount_targets: Vec<Listed> = available
            .map(|target| Listed {
                mount_target_id: target.id.clone(),
                ip_address: target.ip_address.clone(),
                availability_zone: target.zone.clone(),
                subnet_id: target.subnet_id.clone(),
            })
            .collect();
        mount_targets.sort();
        Self { mount_targets }
    }

    /// Stands for it where only "the same or not" matters.
    #[must_use]
    pub fn names(&self) -> String {
        let targets = self.mount_targets.iter();
        let names = targets.map(|it| format!("{}={}", it.mount_target_id, it.ip_address));
        names.collect::<Vec<_>>().join(" ")
    }

    /// Whether a parameter says the same, in whatever order and form.
    #[must_use]
    pub fn is(&self, published: Option<&str>) -> bool {
        let published = published.and_then(|text| serde_json::from_str::<Self>(text).ok());
        published.is_some_and(|mut published| {
            published.mount_targets.sort();
            published == *self
        })
    }
}
