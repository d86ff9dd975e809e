//! The Lambda function `backfill`: reads the environment, builds the clients, serves.

fn main() {}
