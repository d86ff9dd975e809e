//! `sluice`: the operator's command line.
//!
//! [`args`] is what can be asked, one file or folder per command does it, [`names`] says what a stack's parts are called,
//! [`aws`] is what is called, [`show`] is what is printed, [`error`] is what can go wrong and which exit code that is.

// The future of a command is nested deeper than the default of 128: the SDK's clients one in another.
#![recursion_limit = "256"]

mod args;
mod aws;
mod backfill;
mod completions;
mod count;
mod dlq;
mod engine;
mod error;
mod executions;
mod key;
mod names;
mod progress;
mod purge;
mod rounds;
mod show;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};
use crate::error::{End, Error};
use crate::show::Show;

// One thread waits for answers; a walk has its own.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Cli { global, command } = Cli::parse();
    let show = Show::new(global.output);
    let stack = global.stack.into();
    let ended = match command {
        Command::Backfill(args) => backfill::run(args, &stack, show).await,
        Command::Dlq(args) => dlq::run(args, &stack, show).await,
        Command::Purge(args) => purge::run(args, &stack, show).await,
        Command::Count(args) => count::run(args, &stack, show).await,
        Command::Key(args) => key::run(&args, show),
        Command::Completions(args) => completions::run(&args),
    };
    match ended {
        Ok(end) => end.into(),
        // Whoever reads has enough: `sluice dlq list | head`.
        Err(error) if error.is_closed_pipe() => End::Done.into(),
        Err(error) => {
            show.error(&error);
            Error::exit_code(&error)
        }
    }
}
