//! `sluice key`: where an uploader puts an object, and where its output will be. No request is made.

use serde::Serialize;
use shared::key::KeyMap;
use shared::partition::{partition, strip_partition};

use crate::args::key::Key;
use crate::error::{End, Error};
use crate::show::Show;

/// What is said of a name.
#[derive(Debug, Serialize)]
struct Keys<'a> {
    name: &'a str,
    key: String,
    output_key: String,
}

/// Prints a line for each name.
pub(crate) fn run(args: &Key, show: Show) -> Result<End, Error> {
    let keys = KeyMap {
        source_prefix: args.prefix.clone(),
        output_prefix: args.output_prefix.clone(),
        extension: args.format.extension(),
    };
    // All of them are looked at before the first is printed: half a list would be taken for a whole one.
    let found = args.names.iter().map(|name| keys_of(name, &keys));
    for found in found.collect::<Result<Vec<_>, _>>()? {
        show.document(&found, || {
            let wanted = if args.of_output {
                &found.output_key
            } else {
                &found.key
            };
            wanted.clone()
        })?;
    }
    Ok(End::Done)
}

/// The name may be flat, partitioned, or a whole key.
fn keys_of<'a>(name: &'a str, keys: &KeyMap) -> Result<Keys<'a>, Error> {
    let rest = name.strip_prefix(&keys.source_prefix).unwrap_or(name);
    let path = strip_partition(rest);
    let key = format!("{}{}/{path}", keys.source_prefix, partition(path));
    let refused = |why: &dyn std::fmt::Display| Error::Usage(format!("name {name:?}: {why}"));
    let output_key = keys.output_key(&key).filter(|_| !path.is_empty());
    let output_key = output_key.ok_or_else(|| refused(&"it is empty"))?;
    Ok(Keys {
        name,
        key,
        output_key: output_key.map_err(|why| refused(&why))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys_of(name: &str) -> Result<(String, String), Error> {
        let map = KeyMap {
            source_prefix: "incoming/".to_owned(),
            output_prefix: "processed/".to_owned(),
            extension: ".gz",
        };
        super::keys_of(name, &map).map(|keys| (keys.key, keys.output_key))
    }

    #[test]
    fn every_spelling_of_a_name_has_one_key() {
        for name in ["hello", "5d/hello", "incoming/hello", "incoming/5d/hello"] {
            let (key, output) = keys_of(name).unwrap();
            assert_eq!(
                (key.as_str(), output.as_str()),
                ("incoming/5d/hello", "processed/5d/hello.gz")
            );
        }
    }

    #[test]
    fn a_name_that_cannot_be_is_wrong_usage() {
        for name in ["", "incoming/", &"x".repeat(1_020)] {
            assert!(matches!(keys_of(name), Err(Error::Usage(_))), "{name:?}");
        }
    }
}
