//! `latency_fs`: a file system in memory that answers as late as a network file system would.
//!
//! `latency_fs --tree 120x50 MOUNTPOINT…` mounts one tree as often as there are mount points, each a client with its
//! own slots. It prints a line when it is ready; then `stats` on standard input prints the counters as JSON, `reset`
//! sets them to zero, and the end of standard input unmounts. Should this process die, another one that holds the other
//! end of a pipe unmounts.

use std::io::{self, BufRead, Write};
use std::num::NonZeroU64;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fuser::{BackgroundSession, MountOption};

mod files;
mod model;
mod schedule;
mod server;
mod spec;
mod tree;

use files::{Files, Profile};
use model::Budget;
use schedule::Schedule;
use server::Server;
use tree::Tree;

/// What makes a process the guard of mount points instead.
const GUARD: &str = "--guard";

const USAGE: &str = "latency_fs [--tree SPEC] [--age-days N] [--slots N] [--iops READS_PER_SECOND] \
     [--profile nfs|strict] MOUNTPOINT…";

struct Arguments {
    tree: Vec<spec::Part>,
    age_days: u64,
    slots: usize,
    iops: u32,
    profile: Profile,
    mount_points: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    let done = if arguments.next_if(|first| first == GUARD).is_some() {
        guard(arguments)
    } else {
        parse(arguments).and_then(|arguments| serve(&arguments))
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "latency_fs: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> io::Result<Arguments> {
    let mut parsed = Arguments {
        tree: Vec::new(),
        age_days: 45,
        slots: 64,
        iops: 0,
        profile: Profile::Nfs,
        mount_points: Vec::new(),
    };
    let usage = || io::Error::other(USAGE);
    while let Some(argument) = arguments.next() {
        let Some(option) = argument.strip_prefix("--") else {
            parsed.mount_points.push(argument.into());
            continue;
        };
        let value = arguments.next().ok_or_else(usage)?;
        match option {
            "tree" => parsed.tree = spec::parse(&value).map_err(io::Error::other)?,
            "age-days" => parsed.age_days = value.parse().map_err(|_| usage())?,
            "slots" => parsed.slots = value.parse().map_err(|_| usage())?,
            "iops" => parsed.iops = value.parse().map_err(|_| usage())?,
            "profile" if value == "nfs" => parsed.profile = Profile::Nfs,
            "profile" if value == "strict" => parsed.profile = Profile::Strict,
            _ => return Err(usage()),
        }
    }
    if parsed.mount_points.is_empty() || parsed.slots == 0 {
        return Err(usage());
    }
    Ok(parsed)
}

fn serve(arguments: &Arguments) -> io::Result<()> {
    // Threads inherit it. With the usual 50 µs every call would be late by as much.
    rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?;
    let age = Duration::from_secs(arguments.age_days * 86_400);
    let tree = Tree::new(&arguments.tree, SystemTime::now() - age);
    let budget = Budget::new(arguments.iops);
    let clients = arguments.mount_points.len();
    let schedule = Schedule::new(clients, arguments.slots, budget);
    let server = Arc::new(Server::new(tree, schedule));
    server::start(&server)?;
    let mut guard = start_guard(&arguments.mount_points)?;
    let mounted = mount(arguments, &server);
    let heard = mounted.as_ref().map_or(Ok(()), |_| listen(&server));
    let unmounted = mounted.map(unmount);
    drop(guard.stdin.take());
    guard.wait()?;
    unmounted.and_then(|unmounted| unmounted).and(heard)
}

fn mount(arguments: &Arguments, server: &Arc<Server>) -> io::Result<Vec<BackgroundSession>> {
    let mut options = fuser::Config::default();
    options.mount_options = vec![
        MountOption::FSName("latency_fs".to_owned()),
        MountOption::NoAtime,
    ];
    let mount_points = arguments.mount_points.iter().enumerate();
    let mount = |(client, path): (usize, &PathBuf)| {
        let files = Files {
            server: Arc::clone(server),
            client,
            profile: arguments.profile,
        };
        fuser::spawn_mount(files, path, &options)
    };
    mount_points.map(mount).collect()
}

fn unmount(sessions: Vec<BackgroundSession>) -> io::Result<()> {
    sessions
        .into_iter()
        .try_for_each(BackgroundSession::umount_and_join)
}

/// Does what is asked on standard input, until its end.
fn listen(server: &Server) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "ready")?;
    for line in io::stdin().lock().lines() {
        match line?.as_str() {
            "stats" => writeln!(out, "{}", server.counters())?,
            "reset" => {
                server.reset();
                writeln!(out, "reset")?;
            }
            other => writeln!(out, "unknown: {other}")?,
        }
    }
    Ok(())
}

/// A second process, out of reach of a signal to the first one's group.
fn start_guard(mount_points: &[PathBuf]) -> io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .arg(GUARD)
        .args(mount_points)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .process_group(0)
        .spawn()
}

/// Waits until the other process is gone, and unmounts what it has left.
fn guard(mount_points: impl Iterator<Item = String>) -> io::Result<()> {
    io::copy(&mut io::stdin().lock(), &mut io::sink())?;
    for path in mount_points {
        let is_ours = is_mounted(&path)?;
        if is_ours && rustix::mount::unmount(&path, rustix::mount::UnmountFlags::DETACH).is_err() {
            let lazily = ["-u", "-z", path.as_str()];
            let _ = Command::new("fusermount3").args(lazily).status();
        }
    }
    Ok(())
}

fn is_mounted(path: &str) -> io::Result<bool> {
    let mounts = std::fs::read_to_string("/proc/self/mounts")?;
    let line = format!("latency_fs {path} ");
    Ok(mounts.lines().any(|mounted| mounted.starts_with(&line)))
}
