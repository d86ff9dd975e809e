//! `bench_backfill`: one measurement of the release binary `backfill`, for `make bench-backfill`.
//!
//! `bench_backfill run SPEC` starts the services in a process of their own, as many processes of the real binary as the
//! specification has workers, and a job; it hands the job's partitions to them from one list, as a Distributed Map does, and
//! prints what it took as one line of JSON. `bench_backfill serve SPEC` is that process of the services.

use std::io::{self, Write};
use std::process::ExitCode;

mod clock;
mod endpoint;
mod failed;
mod fleet;
mod keys;
mod serve;
mod spec;

use failed::Failed;
use spec::Spec;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.as_slice() {
        [verb, spec] if verb == "run" => read(spec).and_then(|spec| fleet::run(&spec)),
        [verb, spec] if verb == "serve" => read(spec).and_then(|spec| serve::serve(&spec)),
        _ => Err(Failed::Usage),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "bench_backfill: {error}");
            ExitCode::FAILURE
        }
    }
}

fn read(spec: &str) -> Result<Spec, Failed> {
    Ok(serde_json::from_str(spec)?)
}
