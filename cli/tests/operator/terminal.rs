//! On a pseudo-terminal: the bar, the question, and no JSON for people.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use serde_json::json;
use tests::fake_aws::Operation;

use crate::backfill::{planning, put, record, stack};
use crate::local::{files, tree};
use crate::{against, sluice, text};

/// Far beyond what any step here takes; only a failing test waits so long.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A process on a terminal of 100 columns.
struct Terminal {
    child: Child,
    keyboard: File,
    seen: Arc<(Mutex<String>, Condvar)>,
    reader: JoinHandle<()>,
}

impl Terminal {
    fn start(command: &mut Command) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let theirs = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let size = Winsize {
            ws_row: 24,
            ws_col: 100,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&theirs, size).unwrap();
        let stdio = || Stdio::from(theirs.try_clone().unwrap());
        let child = command
            .env("TERM", "xterm")
            .stdin(stdio())
            .stdout(stdio())
            .stderr(stdio())
            .spawn()
            .unwrap();
        // The command keeps its own copies open until they are replaced.
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        drop(theirs);
        let seen = Arc::new((Mutex::new(String::new()), Condvar::new()));
        Self {
            child,
            reader: read(ours.try_clone().unwrap(), Arc::clone(&seen)),
            keyboard: File::from(ours),
            seen,
        }
    }

    /// Waits until this is on the screen.
    #[track_caller]
    fn wait_for(&self, words: &str) {
        let (seen, changed) = &*self.seen;
        let waiting =
            changed.wait_timeout_while(seen.lock().unwrap(), TIMEOUT, |seen| !seen.contains(words));
        let (seen, waited) = waiting.unwrap();
        assert!(!waited.timed_out(), "no {words:?} in {seen:?}");
    }

    fn enter(&mut self, line: &str) {
        self.keyboard.write_all(line.as_bytes()).unwrap();
        self.keyboard.write_all(b"\n").unwrap();
    }

    /// As Ctrl-C does it.
    fn interrupt(&self) {
        let child = Pid::from_child(&self.child);
        kill_process(child, Signal::INT).unwrap();
    }

    /// Its code, and all that was on the screen.
    fn end(mut self) -> (i32, String) {
        let status = self.child.wait().unwrap();
        self.reader.join().unwrap();
        let seen = self.seen.0.lock().unwrap().clone();
        (status.code().unwrap(), seen)
    }
}

/// Until nobody has the other side open any more, which Linux tells by an error.
fn read(ours: OwnedFd, seen: Arc<(Mutex<String>, Condvar)>) -> JoinHandle<()> {
    let mut screen = File::from(ours);
    std::thread::spawn(move || {
        let mut buffer = [0; 4_096];
        while let Ok(length @ 1..) = screen.read(&mut buffer) {
            let words = String::from_utf8_lossy(&buffer[..length]).into_owned();
            seen.0.lock().unwrap().push_str(&words);
            seen.1.notify_all();
        }
    })
}

#[test]
fn a_watched_job_is_a_bar_and_then_its_record() {
    let fake = stack();
    planning(&fake, "j");
    put(&fake, "j", "listing");
    let words = ["backfill", "status", "j", "--watch", "--every", "0.1"];
    let terminal = Terminal::start(&mut against(&fake, &words));
    terminal.wait_for("listing: 7 of 256 partitions, 5,000 objects");
    put(&fake, "j", "processing");
    terminal.wait_for("processing: 100 of 4,990 objects");
    // So many more in a moment: how many a second is not known, but that it is said.
    let mut more = record("j", "processing");
    more["succeeded"] = json!({"N": "4000"});
    fake.tables(|tables| tables.put("s-backfill", &more));
    terminal.wait_for("s left, processing: 4,000 of 4,990 objects");
    put(&fake, "j", "completed");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    // A bar that fills, and no document for programs.
    assert!(
        screen.contains(" 2 % ") && screen.contains("[>"),
        "{screen:?}"
    );
    assert!(!screen.contains("{\""), "{screen:?}");
    assert!(screen.contains("state       completed\r\n"), "{screen:?}");
}

#[test]
fn who_has_seen_enough_leaves_the_job_to_itself() {
    let goes_on = "the job goes on; sluice backfill abort j ends it";
    let verification = "the verification goes on; sluice backfill status j has its result";
    let watch = ["--watch", "--every", "0.1"];
    for (words, state, seen, said) in [
        (
            &["backfill", "status", "j"][..],
            "processing",
            "100 of 4,990 objects",
            goes_on,
        ),
        (
            &["backfill", "start", "--job-id", "j", "--resume"],
            "failed",
            "waiting for the job",
            goes_on,
        ),
        (
            &["backfill", "verify", "j"],
            "completed",
            "waiting for the job",
            verification,
        ),
    ] {
        let fake = stack();
        put(&fake, "j", state);
        let terminal = Terminal::start(&mut against(&fake, &[words, &watch].concat()));
        terminal.wait_for(seen);
        terminal.interrupt();
        let (code, screen) = terminal.end();
        assert_eq!((code, screen.matches(said).count()), (130, 1), "{screen:?}");
        // Nobody is told to stop.
        assert_eq!(fake.count(Operation::StopExecution), 0);
        let is_advised = screen.contains("sluice backfill status j --watch");
        assert!(!is_advised, "who watches is told to watch: {screen:?}");
    }
}

#[test]
fn programs_get_no_bar_on_a_terminal_either() {
    let fake = stack();
    put(&fake, "j", "completed");
    let words = ["backfill", "status", "j", "--watch", "--output", "json"];
    let (code, screen) = Terminal::start(&mut against(&fake, &words)).end();
    assert_eq!((code, screen.lines().count()), (0, 1), "{screen:?}");
    assert!(
        screen.starts_with("{\"job_id\":\"j\"") && !screen.contains('\u{1b}'),
        "{screen:?}"
    );
}

#[test]
fn a_local_count_shows_that_it_is_at_it() {
    let dir = tree();
    let (code, screen) =
        Terminal::start(&mut sluice(&["count", "--local", text(dir.path())])).end();
    assert_eq!(code, 0, "{screen:?}");
    assert!(
        screen.contains("counting") && screen.contains("3 files, 2 directories"),
        "{screen:?}"
    );
}

#[test]
fn a_yes_on_the_terminal_removes_and_anything_else_does_not() {
    for (answer, code, left) in [("y", 0, 1), ("yes", 0, 1), ("n", 3, 3), ("", 3, 3)] {
        let dir = tree();
        let words = [
            "purge",
            "run",
            "--local",
            text(dir.path()),
            "--age-by",
            "mtime",
        ];
        let mut terminal = Terminal::start(&mut sluice(&words));
        terminal.wait_for("Remove files older than 30 days below /");
        terminal.wait_for("[y/N] ");
        assert_eq!(files(dir.path()).len(), 3);
        terminal.enter(answer);
        let (ended, screen) = terminal.end();
        assert_eq!(
            (ended, files(dir.path()).len()),
            (code, left),
            "{answer:?}: {screen:?}"
        );
    }
}
