//! `sluice dlq list`.

use crate::args::dlq::List;
use crate::error::{End, Error};
use crate::show::{Show, counted, note};

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
        Ok(listed) if *listed == args.limit && !lap.is_cut => Ok(Unseen::Nothing),
        _ => lap.unseen().await,
    };
    lap.give_back().await;
    let (listed, unseen) = (listed?, unseen?);
    let listed = counted(listed, "message");
    note(&format!("{listed} in {}", queues.dead.name));
    let Some(words) = unseen.words() else {
        return Ok(End::Done);
    };
    note(&words);
    Ok(End::NotCompleted)
}

async fn list(lap: &mut Lap<'_>, show: Show, args: &List) -> Result<u64, Error> {
    let mut listed = 0;
    loop {
        let letters = lap.next().await?;
        if letters.is_empty() {
            return Ok(listed);
        }
        for letter in &letters {
            lap.keep(letter);
        }
        for letter in letters
            .iter()
            .filter(|letter| letter.has(args.reason.as_deref()))
        {
            if listed == args.limit {
                note(&format!("there may be more: --limit {}", args.limit));
                return Ok(listed);
            }
            show.document(letter, || letter.words())?;
            listed += 1;
        }
    }
}
