//! S3 Inventory, read by row range.
