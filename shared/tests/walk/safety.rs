//! What lies outside of the root, on another mount, or is ours is not visited, whatever leads there.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use shared::walk::{Call, End, Errno, Kernel, Options, Root, RootError, Token, TokenError};
use tempfile::tempdir;

use crate::support::{Census, Seen, census, grid, walk};

/// A kernel that cannot resolve safely by itself, as older ones and seccomp filters cannot.
fn without_openat2(errno: Errno) -> Kernel {
    Kernel::disturbed(move |call, _| match call {
        Call::ResolveBeneath => Err(errno),
        _ => Ok(()),
    })
}

/// The same, and it does not tell the mount by `statx` either.
fn without_mount_ids() -> Kernel {
    Kernel::disturbed(|call, _| match call {
        Call::ResolveBeneath | Call::MountId => Err(Errno::NOSYS),
        _ => Ok(()),
    })
}

fn kernels() -> [(&'static str, Kernel); 4] {
    [
        ("openat2", Kernel::default()),
        ("ENOSYS", without_openat2(Errno::NOSYS)),
        ("EPERM", without_openat2(Errno::PERM)),
        ("/proc", without_mount_ids()),
    ]
}

fn paths(seen: Seen) -> Vec<String> {
    let entries = seen.sorted().entries.into_iter();
    entries
        .map(|(path, _)| String::from_utf8(path).unwrap())
        .collect()
}

#[test]
fn our_own_directory_is_not_visited_and_a_file_of_that_name_is() {
    let root = tempdir().unwrap();
    for own in [".sluice/idempotency", "below/.sluice"] {
        fs::create_dir_all(root.path().join(own)).unwrap();
        fs::write(root.path().join(own).join("f"), "").unwrap();
    }
    fs::create_dir(root.path().join("other")).unwrap();
    fs::write(root.path().join("other/.sluice"), "").unwrap();
    let outcome = census(root.path(), Kernel::default(), Options::default());
    assert_eq!(
        paths(outcome.snapshot.totals.tally),
        ["below", "other", "other/.sluice"]
    );
}

#[test]
fn a_directory_that_became_a_link_is_not_followed() {
    for (how, _) in kernels() {
        let (root, outside) = (tempdir().unwrap(), tempdir().unwrap());
        grid(outside.path(), 1, 1);
        grid(root.path(), 2, 1);
        let (victim, target) = (root.path().join("d1"), outside.path().to_owned());
        let openat2 = how == "openat2";
        let swapped = Mutex::new(false);
        let kernel = Kernel::disturbed(move |call, name| {
            if call == Call::Open && name == c"d1" && !*swapped.lock().unwrap() {
                *swapped.lock().unwrap() = true;
                fs::remove_dir_all(&victim).unwrap();
                symlink(&target, &victim).unwrap();
            }
            if call == Call::ResolveBeneath && !openat2 {
                return Err(Errno::NOSYS);
            }
            Ok(())
        });
        let outcome = census(root.path(), kernel, Options::default());
        assert_eq!(outcome.end, End::Complete);
        assert_eq!(
            paths(outcome.snapshot.totals.tally),
            ["d0", "d0/f0", "d1"],
            "{how}"
        );
        assert_eq!(outcome.snapshot.totals.errors, 1, "{how}");
    }
}

#[test]
fn a_token_cannot_lead_out_of_the_root() {
    let root = tempdir().unwrap();
    grid(root.path(), 2, 2);
    let stopped = shared::walk::run(
        walk(
            root.path(),
            Kernel::default(),
            Census::of(1),
            Options::default(),
        ),
        |_| {},
    );
    let token = stopped.unwrap().resume.unwrap();
    let json = serde_json::to_string(&token).unwrap();
    for name in ["..", "%2E%2E", "a%2Fb", "%00", ""] {
        let forged = json.replace("\"nodes\":[", "\"nodes\":[{},{\"p\":0,\"n\":\"NAME\"},");
        let forged: Token<Seen> = serde_json::from_str(&forged.replace("NAME", name)).unwrap();
        let decoded = Token::<Seen>::decode(&forged.encode().unwrap());
        assert!(
            matches!(decoded, Err(TokenError::Damaged("directories"))),
            "{name}"
        );
    }
}

#[test]
fn a_root_is_absolute_a_directory_and_no_link() {
    let outer = tempdir().unwrap();
    let (real, link) = (outer.path().join("real"), outer.path().join("link"));
    fs::create_dir(&real).unwrap();
    fs::write(outer.path().join("file"), "").unwrap();
    symlink(&real, &link).unwrap();
    let open = |path: &Path| Root::open(&Kernel::default(), path);
    assert!(open(&real).is_ok());
    for path in [
        link.clone(),
        outer.path().join("link/"),
        outer.path().join("file"),
        outer.path().join("none"),
    ] {
        assert!(
            matches!(open(&path), Err(RootError::Open { .. })),
            "{path:?}"
        );
    }
    for path in ["real", "", "/tmp/../etc"] {
        assert!(
            matches!(open(Path::new(path)), Err(RootError::NotAbsolute { .. })),
            "{path:?}"
        );
    }
}

#[test]
fn a_root_below_another_is_reached_without_a_link() {
    let outer = tempdir().unwrap();
    fs::create_dir_all(outer.path().join("a/b")).unwrap();
    symlink(outer.path().join("a"), outer.path().join("link")).unwrap();
    for (how, kernel) in kernels() {
        let root = Root::open(&kernel, outer.path()).unwrap();
        let below = |path: &Path| root.below(&kernel, path);
        assert!(below(outer.path()).is_ok(), "{how}");
        let inner = below(&outer.path().join("a/b")).unwrap();
        assert_eq!(
            inner.resolved().unwrap(),
            outer.path().canonicalize().unwrap().join("a/b")
        );
        let linked = below(&outer.path().join("link/b"));
        assert!(matches!(linked, Err(RootError::Open { .. })), "{how}");
        for path in [Path::new("/etc"), &outer.path().join("a/../../etc")] {
            assert!(
                matches!(below(path), Err(RootError::Outside { .. })),
                "{how} {path:?}"
            );
        }
    }
}

/// Where a test that needs mounts of its own runs.
enum Mounts {
    Own,
    /// It has passed in another process, which has its own.
    DoneElsewhere,
    NotHere,
}

/// Runs this test program once more, for one test, with mounts of its own.
fn with_own_mounts(test: &str) -> Mounts {
    const INSIDE: &str = "SLUICE_TEST_OWN_MOUNTS";
    if std::env::var_os(INSIDE).is_some() {
        return Mounts::Own;
    }
    let unshare = || {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--map-root-user", "--"]);
        unshare
    };
    let possible = unshare().arg("true").status();
    if !possible.is_ok_and(|status| status.success()) {
        return Mounts::NotHere;
    }
    let again = unshare()
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&again.stdout);
    assert!(
        again.status.success() && output.contains("1 passed"),
        "{output}"
    );
    Mounts::DoneElsewhere
}

fn mount(arguments: &[&str], on: &Path) {
    let status = Command::new("mount").args(arguments).arg(on).status();
    assert!(status.unwrap().success(), "mount {arguments:?}");
}

#[test]
fn neither_a_bind_mount_nor_another_file_system_is_entered() {
    match with_own_mounts("safety::neither_a_bind_mount_nor_another_file_system_is_entered") {
        Mounts::Own => {}
        Mounts::DoneElsewhere => return,
        Mounts::NotHere => {
            return println!("skipped: `unshare --mount --map-root-user` is not possible here");
        }
    }
    let (root, outside) = (tempdir().unwrap(), tempdir().unwrap());
    grid(outside.path(), 1, 1);
    for name in ["bound", "other", "plain"] {
        fs::create_dir(root.path().join(name)).unwrap();
    }
    mount(
        &["--bind", outside.path().to_str().unwrap()],
        &root.path().join("bound"),
    );
    mount(&["-t", "tmpfs", "none"], &root.path().join("other"));
    fs::write(root.path().join("other/f"), "").unwrap();
    fs::write(root.path().join("plain/f"), "").unwrap();
    assert!(root.path().join("bound/d0/f0").exists());
    for (how, kernel) in kernels() {
        let outcome = census(root.path(), kernel, Options::default());
        let totals = outcome.snapshot.totals;
        assert_eq!(
            paths(totals.tally),
            ["bound", "other", "plain", "plain/f"],
            "{how}"
        );
        assert_eq!((outcome.end, totals.errors), (End::Complete, 0), "{how}");
    }
    let kernel = Arc::new(Kernel::default());
    let root = Root::open(&kernel, root.path()).unwrap();
    let bound = root.below(&kernel, &root.path().join("bound"));
    assert!(matches!(bound, Err(RootError::Open { .. })));
    // What is mounted on cannot be removed with the rest.
    for name in ["bound", "other"] {
        let status = Command::new("umount").arg(root.path().join(name)).status();
        assert!(status.unwrap().success(), "umount {name}");
    }
}
