//! `sluice completions`.

use std::io::Write;

use clap::CommandFactory;

use crate::args::{Cli, Completions};
use crate::error::{End, Error};

/// Prints the script.
pub(crate) fn run(args: &Completions) -> Result<End, Error> {
    // Into memory first: the generator panics when nobody reads its output.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "sluice", &mut script);
    let mut out = std::io::stdout().lock();
    let written = out.write_all(&script).and_then(|()| out.flush());
    written.map_err(Error::Terminal)?;
    Ok(End::Done)
}
