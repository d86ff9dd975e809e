//! `sluice dlq`: dead letters are looked at, and sent back to work.

mod lap;
mod letter;
mod list;
mod redrive;
mod replay;

use crate::args::dlq::{Action, Dlq};
use crate::aws::{Aws, Queue};
use crate::error::{End, Error};
use crate::names::Stack;
use crate::show::Show;

/// A stack's two queues.
struct Queues {
    client: aws_sdk_sqs::Client,
    /// Where work comes from.
    source: Queue,
    /// Where it ended.
    dead: Queue,
}

/// Does what was asked.
pub(crate) async fn run(args: Dlq, stack: &Stack, show: Show) -> Result<End, Error> {
    let aws = Aws::load().await?;
    let source = aws.queue(&stack.queue()).await;
    let queues = Queues {
        client: aws.sqs(),
        source: source.map_err(|error| aws.in_stack(stack, error))?,
        dead: aws.queue(&stack.dead_letters()).await?,
    };
    match args.action {
        Action::List(args) => list::run(&queues, show, &args).await,
        Action::Replay(args) => replay::run(&queues, show, &args).await,
        Action::Redrive(args) => redrive::run(&queues, show, &args).await,
    }
}
