//! Archives read back by programs that are not ours: `unzip`, Python's zipfile, `gzip`, `zstd`.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// The only entry of a zip, its name and content, by Python's zipfile; `unzip -t` must be content too.
#[must_use]
pub fn zip(archive: &[u8]) -> (String, Vec<u8>) {
    let mut file = tempfile::Builder::new().suffix(".zip").tempfile().unwrap();
    file.write_all(archive).unwrap();
    unzip_test(file.path());
    let script = "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); (i,) = z.infolist(); \
                  sys.stdout.buffer.write(i.filename.encode() + b'\\0' + z.read(i))";
    let out = run(
        Command::new("python3")
            .arg("-c")
            .arg(script)
            .arg(file.path()),
        &[],
    );
    let end = out.iter().position(|byte| *byte == 0).unwrap();
    (
        String::from_utf8(out[..end].to_vec()).unwrap(),
        out[end + 1..].to_vec(),
    )
}

/// `unzip -t`: the archive's structure, lengths and checksum are right.
pub fn unzip_test(archive: &Path) {
    run(Command::new("unzip").arg("-tq").arg(archive), &[]);
}

/// The content of a gzip file.
#[must_use]
pub fn gzip(archive: &[u8]) -> Vec<u8> {
    run(Command::new("gzip").arg("-dc"), archive)
}

/// The content of a zstd file.
#[must_use]
pub fn zstd(archive: &[u8]) -> Vec<u8> {
    run(Command::new("zstd").arg("-dcq"), archive)
}

fn run(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let spawned = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = spawned
        .unwrap_or_else(|error| panic!("{command:?}: {error}; `make setup` says what to install"));
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).unwrap());
        child.wait_with_output().unwrap()
    });
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}
