//! `sluice count`.

use serde_json::{Map, Value, json};

use crate::args::tree::Count;
use crate::aws::Aws;
use crate::engine::{Engine, resolved};
use crate::error::{End, Error};
use crate::names::Stack;
use crate::progress::{Bar, follow_engine};
use crate::rounds::until_done;
use crate::show::{Show, clean, counted, note};

/// Counts, and prints the answer.
pub(crate) async fn run(args: Count, stack: &Stack, show: Show) -> Result<End, Error> {
    let bar = Bar::new(show, "counting");
    let engine = match &args.local {
        Some(root) => {
            follow_engine(show, &bar)?;
            Engine::count(&resolved(root)?, show)?
        }
        None => Engine::function(&Aws::load().await?, stack.count()),
    };
    let answer = until_done(&engine, &payload(&args), &bar).await;
    bar.end();
    let answer = answer?;
    show.document(&answer, || words(&answer))?;
    errors(&answer, "not counted");
    // Too low a number must not pass for the truth.
    match answer["complete"].as_bool() {
        Some(true) => Ok(End::Done),
        Some(false) => Ok(End::NotCompleted),
        None => Err(Error::NotUnderstood {
            what: engine.name().to_owned(),
        }),
    }
}

fn payload(args: &Count) -> Value {
    let mut payload = Map::new();
    if let Some(root) = &args.root {
        payload.insert("root".to_owned(), json!(root));
    }
    if let Some(concurrency) = args.concurrency {
        payload.insert("concurrency".to_owned(), json!(concurrency));
    }
    Value::Object(payload)
}

fn words(answer: &Value) -> String {
    let number = |name: &str| answer[name].as_u64().unwrap_or(0);
    let root = clean(answer["root"].as_str().unwrap_or_default());
    format!(
        "{}, {}, {}, {} below {root}",
        counted(number("files"), "file"),
        counted(number("directories"), "directory"),
        counted(number("symlinks"), "symbolic link"),
        counted(number("special"), "special file"),
    )
}

/// What an answer could not do, for people.
pub(crate) fn errors(answer: &Value, what: &str) {
    let errors = answer["errors"].as_u64().unwrap_or(0);
    if errors == 0 {
        return;
    }
    note(&format!("{what}: {}", counted(errors, "error")));
    for sample in answer["error_samples"].as_array().into_iter().flatten() {
        let text = |name: &str| sample[name].as_str().unwrap_or_default();
        note(&format!("  {}: {}", text("path"), text("error")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_have_all_four_numbers() {
        let answer =
            json!({"root": "/x", "files": 1_200, "directories": 1, "symlinks": 0, "special": 2});
        assert_eq!(
            words(&answer),
            "1,200 files, 1 directory, 0 symbolic links, 2 special files below /x"
        );
    }
}
