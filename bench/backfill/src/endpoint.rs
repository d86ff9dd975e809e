//! `ListObjectsV2` over HTTP, as late as it is told to be and as cheap as it can be: it shares the machine with what is
//! measured.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, IoSlice, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use percent_encoding::percent_decode_str;

use crate::keys::Renderer;

/// What its threads are called: one for each connection.
pub(crate) const THREAD: &str = "list-endpoint";

/// A listening endpoint; it lives as long as the process.
#[derive(Debug)]
pub(crate) struct Endpoint {
    address: SocketAddr,
    pages: Arc<AtomicU64>,
}

impl Endpoint {
    /// Listens on a free port of 127.0.0.1; the first byte of a page comes `delay` after the request for it.
    pub(crate) fn start(renderer: Renderer, delay: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let pages = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&pages);
        let renderer = Arc::new(renderer);
        named(move || {
            for stream in listener.incoming().flatten() {
                let (renderer, counted) = (Arc::clone(&renderer), Arc::clone(&counted));
                // An error is a client that went away.
                let serve = move || drop(connection(&stream, &renderer, delay, &counted));
                if named(serve).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { address, pages })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Pages so far.
    pub(crate) fn pages(&self) -> u64 {
        self.pages.load(Ordering::Relaxed)
    }
}

fn named(run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new()
        .name(THREAD.to_owned())
        .spawn(run)
        .map(drop)
}

fn connection(
    stream: &TcpStream,
    renderer: &Renderer,
    delay: Duration,
    pages: &AtomicU64,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut requests = BufReader::new(stream);
    while let Some(target) = request(&mut requests)? {
        let arrived = Instant::now();
        let (status, body) = match asked(&target) {
            Some(asked) => {
                pages.fetch_add(1, Ordering::Relaxed);
                let text = |name| asked.get(name).map(String::as_str);
                let start_after = text("start-after").filter(|key| !key.is_empty());
                let page = renderer.page(text("prefix").unwrap_or_default(), start_after);
                ("200 OK", page)
            }
            None => ("501 Not Implemented", Vec::new()),
        };
        thread::sleep(delay.saturating_sub(arrived.elapsed()));
        answer(stream, status, &body)?;
    }
    Ok(())
}

/// The target of the next request, or none at the end of the connection; requests have no body here.
fn request(from: &mut impl BufRead) -> io::Result<Option<String>> {
    let (mut line, mut target) = (String::new(), None);
    loop {
        line.clear();
        if from.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match line.trim_end() {
            "" if target.is_some() => return Ok(target),
            "" => {}
            first if target.is_none() => {
                target = Some(first.split(' ').nth(1).unwrap_or_default().to_owned());
            }
            _ => {}
        }
    }
}

/// The parameters of a listing, or none if anything is asked that is not modelled.
fn asked(target: &str) -> Option<BTreeMap<String, String>> {
    let (_, query) = target.split_once('?')?;
    let pairs = query.split('&').map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
        (name.to_owned(), value)
    });
    let asked: BTreeMap<_, _> = pairs.collect();
    let known = [
        "list-type",
        "prefix",
        "start-after",
        "encoding-type",
        "x-id",
    ];
    let is_known = asked.keys().all(|name| known.contains(&name.as_str()));
    let is_encoded = asked.get("encoding-type").is_some_and(|it| it == "url");
    (is_known && is_encoded && asked.contains_key("list-type")).then_some(asked)
}

fn answer(mut stream: &TcpStream, status: &str, body: &[u8]) -> io::Result<()> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/xml\r\ncontent-length: {length}\r\n\
         x-amz-request-id: bench\r\nx-amz-id-2: bench\r\n\r\n"
    );
    let mut parts = [IoSlice::new(head.as_bytes()), IoSlice::new(body)];
    let mut left = &mut parts[..];
    while !left.is_empty() {
        let written = stream.write_vectored(left)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        IoSlice::advance_slices(&mut left, written);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{Keys, PREFIX, SIZE_BYTES};
    use crate::spec::Spec;
    use ::tests::fake_aws::{FakeAws, Synthetic};
    use aws_sdk_s3::Client;
    use aws_sdk_s3::types::{EncodingType, Object};

    const BUCKET: &str = "bucket";

    fn spec(key_bytes: usize) -> Spec {
        Spec {
            binary: "backfill".into(),
            workers: 1,
            folders: 3,
            keys_per_folder: 1_400,
            key_bytes,
            page_us: 0,
            send_us: 0,
            enqueue_concurrency: 1,
            dry_run: true,
        }
    }

    /// The same client, of another endpoint.
    fn client(fake: &FakeAws, endpoint: &Endpoint) -> Client {
        let config = fake.s3_client().config().to_builder();
        Client::from_conf(config.endpoint_url(endpoint.url()).build())
    }

    async fn page(client: &Client, prefix: &str, after: Option<&str>) -> (Vec<Object>, bool) {
        let request = client.list_objects_v2().bucket(BUCKET).prefix(prefix);
        let request = request.set_start_after(after.map(str::to_owned));
        let listed = request
            .encoding_type(EncodingType::Url)
            .send()
            .await
            .unwrap();
        let is_truncated = listed.is_truncated().unwrap();
        assert_eq!(listed.next_continuation_token().is_some(), is_truncated);
        (listed.contents.unwrap_or_default(), is_truncated)
    }

    #[tokio::test]
    async fn a_page_is_that_of_the_tests_fake() {
        let (spec, fake) = (spec(0), FakeAws::start());
        let synthetic = Synthetic {
            prefix: PREFIX.to_owned(),
            folders: spec.folders,
            keys_per_folder: spec.keys_per_folder,
            size_bytes: SIZE_BYTES,
        };
        fake.synthetic_bucket(BUCKET, synthetic);
        let renderer = Renderer::new(Keys::new(&spec), BUCKET);
        let endpoint = Endpoint::start(renderer, Duration::ZERO).unwrap();
        let (theirs, ours) = (fake.s3_client(), client(&fake, &endpoint));
        for (prefix, after) in [
            (PREFIX, None),
            (PREFIX, Some("incoming/00/")),
            (PREFIX, Some("incoming/00/0000000999.json")),
            (PREFIX, Some("incoming/00/0000000999.jso")),
            (PREFIX, Some("incoming/01/0000001399.json")),
            (PREFIX, Some("incoming/02/0000000398.json")),
            (PREFIX, Some("incoming/02/0000000399.json")),
            (PREFIX, Some("incoming/02/0000001399.json")),
            (PREFIX, Some("incoming/03/")),
            ("incoming/01/", None),
            ("incoming/01/", Some("incoming/01/0000000999.json")),
            ("incoming/01/", Some("incoming/00/")),
            ("elsewhere/", None),
            ("zebra/", None),
        ] {
            let (expected, found) = (
                page(&theirs, prefix, after).await,
                page(&ours, prefix, after).await,
            );
            assert!(expected == found, "{prefix} after {after:?}");
        }
        assert_eq!(endpoint.pages(), 14);
    }

    #[tokio::test]
    async fn the_longest_keys_are_listed_to_the_last_one() {
        let (spec, fake) = (spec(1_024), FakeAws::start());
        let keys = Keys::new(&spec);
        let renderer = Renderer::new(keys.clone(), BUCKET);
        let endpoint = Endpoint::start(renderer, Duration::ZERO).unwrap();
        let client = client(&fake, &endpoint);
        let (mut after, mut count) = (None, 0);
        loop {
            let (objects, is_truncated) = page(&client, PREFIX, after.as_deref()).await;
            for object in &objects {
                let key = object.key().unwrap();
                assert_eq!((key.len(), keys.number(key)), (1_024, Some(count)));
                count += 1;
            }
            after = objects.last().and_then(|it| it.key().map(str::to_owned));
            if !is_truncated {
                break;
            }
        }
        assert_eq!(count, keys.count());
        assert_eq!(keys.number("incoming/00/0000000000.json"), None);
        assert_eq!(keys.number(&keys.key(0).replace("/00/", "/03/")), None);
    }

    #[test]
    fn what_is_not_modelled_is_not_answered() {
        let listing = "/bucket/?list-type=2&encoding-type=url&prefix=incoming%2F";
        assert_eq!(asked(listing).unwrap()["prefix"], PREFIX);
        assert!(asked(&format!("{listing}&delimiter=%2F")).is_none());
        assert!(asked(&format!("{listing}&max-keys=7")).is_none());
        assert!(asked("/bucket/?list-type=2&prefix=incoming%2F").is_none());
        assert!(asked("/bucket/incoming/00/0000000000.json").is_none());
    }
}
