//! `backfill`: what is already in the bucket, handed to `compress`.
