//! Asking until all is done: an answer that is not complete has what goes on.

use std::time::Duration;

use serde_json::{Value, json};

use crate::engine::Engine;
use crate::error::Error;
use crate::progress::Bar;
use crate::show::count;

/// Rounds at most, three weeks of them.
const ROUNDS_MAX: u32 = 2_000;

/// How long a file system that does not answer is left alone, as the state machine does.
const STALLED_FOR: Duration = Duration::from_mins(1);

/// What an answer leaves to do.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// Nothing.
    Done,
    /// To go on with this token.
    Again(String),
    /// The same, but later.
    Later(String),
}

/// Without a token there is nothing to go on with; who refuses gives back the one that it was given.
fn next(answer: &Value) -> Next {
    let Some(token) = answer["resume"].as_str() else {
        return Next::Done;
    };
    match answer["status"].as_str() {
        None | Some("incomplete") => Next::Again(token.to_owned()),
        Some("stalled") => Next::Later(token.to_owned()),
        Some(_) => Next::Done,
    }
}

/// The last answer; its counts are those of all rounds.
pub(crate) async fn until_done(
    engine: &Engine,
    payload: &Value,
    bar: &Bar,
) -> Result<Value, Error> {
    let mut payload = payload.clone();
    for _ in 0..ROUNDS_MAX {
        let answer = engine.ask(payload.clone()).await?;
        if !answer.is_object() {
            let what = engine.name().to_owned();
            return Err(Error::NotUnderstood { what });
        }
        match next(&answer) {
            Next::Done => return Ok(answer),
            Next::Again(token) => payload["resume"] = json!(token),
            Next::Later(token) => {
                bar.say("the file system does not answer, trying again in a minute".to_owned());
                tokio::time::sleep(STALLED_FOR).await;
                payload["resume"] = json!(token);
            }
        }
        bar.say(so_far(&answer));
    }
    let words = format!("{} is not done after {ROUNDS_MAX} rounds", engine.name());
    Err(Error::Refused(words))
}

fn so_far(answer: &Value) -> String {
    let files = answer["files_scanned"]
        .as_u64()
        .or(answer["files"].as_u64());
    format!("{} files so far", count(files.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_incomplete_goes_on() {
        let again = Next::Again("t".to_owned());
        for (answer, expected) in [
            (json!({"status": "incomplete", "resume": "t"}), &again),
            // That of count, which has no status.
            (json!({"complete": false, "resume": "t"}), &again),
            (
                json!({"status": "stalled", "resume": "t"}),
                &Next::Later("t".to_owned()),
            ),
            (json!({"status": "refused", "resume": "t"}), &Next::Done),
            (json!({"status": "complete", "resume": null}), &Next::Done),
            (json!({"complete": true, "resume": null}), &Next::Done),
        ] {
            assert_eq!(&next(&answer), expected, "{answer}");
        }
    }
}
