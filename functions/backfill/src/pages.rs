//! Pages of a partition, whichever way they are come by.

use crate::error::BackfillError;
use crate::found::Page;
use crate::listing::Listing;
use crate::part::Rows;

/// The pages of one partition from a place on.
pub enum Pages {
    /// From the bucket.
    Listing(Listing),
    /// From a part of an inventory.
    Rows(Box<Rows>),
}

impl Pages {
    /// The next page; none at the end.
    pub async fn next(&mut self) -> Result<Option<Page>, BackfillError> {
        match self {
            Self::Listing(listing) => listing.next().await,
            Self::Rows(rows) => rows.next().await,
        }
    }
}
