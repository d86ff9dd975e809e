//! `sluice dlq list`.

use crate::args::dlq::List;
use crate::error::{End, Error};
use crate::show::{Show, count, counted, note};

use super::Queues;
use super::lap::{Lap, Unseen};

/// How long what is listed is hidden at most, seconds: what cannot be given back is not lost for long.
const HIDDEN_SECONDS: i32 = 120;

/// Prints what is there. Everything stays.
pub(super) async fn run(queues: &Queues, show: Show, args: &List) -> Result<End, Error> {
    let mut lap = Lap::new(&queues.client, &queues.dead, HIDDEN_SECONDS);
    let listed = list(&mut lap, show, args).await;
    let unseen = match &listed {
        // As many as were asked for, whatever else there is.
        Ok(listed) if listed.has_more && !lap.is_cut => Ok(Unseen::Nothing),
        _ => lap.unseen().await,
    };
    let seen = lap.seen();
    lap.give_back().await;
    let (listed, unseen) = (listed?, unseen?);
    let all = queues.dead.messages.max(seen);
    note(&listed.words(
        args,
        &queues.dead.name,
        if listed.has_more { all } else { seen },
    ));
    let Some(words) = unseen.words() else {
        return Ok(End::Done);
    };
    note(&words);
    Ok(End::NotCompleted)
}

/// What was printed.
#[derive(Clone, Copy, Debug, Default)]
struct Listed {
    shown: u64,
    /// Whether there was one more than was asked for.
    has_more: bool,
}

impl Listed {
    /// Of `all` messages, which is a guess where there is more.
    fn words(self, args: &List, queue: &str, all: u64) -> String {
        let (shown, all) = (count(self.shown), counted(all, "message"));
        match (self.has_more, args.reason) {
            (false, None) => format!("{all} in {queue}"),
            (false, Some(_)) => {
                let verb = if self.shown == 1 { "has" } else { "have" };
                format!("{shown} of {all} in {queue} {verb} this reason")
            }
            (true, None) => format!(
                "{shown} of about {all} in {queue} shown: --limit {}",
                args.limit
            ),
            (true, Some(_)) => format!(
                "{shown} with this reason of about {all} in {queue} shown, there are more: --limit {}",
                args.limit
            ),
        }
    }
}

async fn list(lap: &mut Lap<'_>, show: Show, args: &List) -> Result<Listed, Error> {
    let mut listed = Listed::default();
    loop {
        let letters = lap.next().await?;
        if letters.is_empty() {
            return Ok(listed);
        }
        for letter in &letters {
            lap.keep(letter);
        }
        for letter in letters.iter().filter(|letter| letter.has(args.reason)) {
            if listed.shown == args.limit {
                listed.has_more = true;
                return Ok(listed);
            }
            show.document(letter, || letter.words())?;
            listed.shown += 1;
        }
    }
}
