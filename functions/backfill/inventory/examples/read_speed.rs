//! How fast, and in how much memory, one thread reads a Parquet part.
//!
//! `read_speed [ROWS]` makes a part of so many rows (default 10,000,000) in the folder for temporary files, reads it once
//! from its first row to its last, and prints one line of JSON:
//! `{"rows":…,"seconds":…,"core_seconds":…,"rows_per_second":…,"peak_mb":…}`. Seconds are by the clock, and rows per second by
//! those; core seconds are what of them a core worked on it, which is less where others want it too. The memory is the most that was resident while it was read, in
//! MiB, the process itself included; a second process makes the file, so that what that takes does not count.

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use inventory::made::{Line, PARQUET_SCHEMA, Writing, parquet};
use inventory::{Layout, RowRange, Rows};

/// Rows of a row group.
const GROUP_ROWS: u64 = 1_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [make, rows, path] if make == "make" => write(rows.parse()?, Path::new(path)),
        [] => measure(10_000_000),
        [rows] => measure(rows.parse()?),
        _ => Err("usage: read_speed [ROWS]".into()),
    }
}

fn measure(rows: u64) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("part.parquet");
    let made = Command::new(std::env::current_exe()?)
        .args(["make", &rows.to_string()])
        .arg(&path)
        .status()?;
    if !made.success() {
        return Err("the part was not made".into());
    }
    let (started, core_started) = (Instant::now(), core_seconds()?);
    let mut reading = Rows::open(
        File::open(&path)?,
        "part",
        &Layout::Parquet,
        RowRange::default(),
    )?;
    let (mut read, mut bytes) = (0, 0);
    while let Some(batch) = reading.next_batch()? {
        read += batch.rows.len() as u64;
        bytes += batch
            .rows
            .iter()
            .filter_map(|row| row.object.size_bytes)
            .sum::<u64>();
    }
    let seconds = started.elapsed().as_secs_f64();
    let core_seconds = core_seconds()? - core_started;
    // What is counted is used, so that nothing is optimised away.
    if read != rows || bytes == 0 {
        return Err(format!("{read} rows of {bytes} bytes were read, not {rows}").into());
    }
    let result = serde_json::json!({
        "rows": read,
        "seconds": seconds,
        "core_seconds": core_seconds,
        "rows_per_second": (f64::from(u32::try_from(rows)?) / seconds).round(),
        "peak_mb": peak_mb()?,
    });
    Ok(writeln!(std::io::stdout(), "{result}")?)
}

/// Source: proc(5), the first number of `/proc/self/schedstat`, ns.
fn core_seconds() -> Result<f64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/schedstat")?;
    let ns: f64 = stat.split_whitespace().next().ok_or("no time")?.parse()?;
    Ok(ns / 1e9)
}

/// Source: proc(5), `VmHWM` of `/proc/self/status`, kB.
fn peak_mb() -> Result<f64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kb: f64 = line
        .and_then(|line| line.split_whitespace().next())
        .ok_or("no VmHWM")?
        .parse()?;
    Ok((kb / 102.4).round() / 10.0)
}

fn write(rows: u64, path: &Path) -> Result<(), Box<dyn Error>> {
    let groups = (0..rows).step_by(usize::try_from(GROUP_ROWS)?).map(|from| {
        let until = rows.min(from + GROUP_ROWS);
        (from..until).map(line).collect::<Vec<Line>>()
    });
    parquet(
        PARQUET_SCHEMA,
        groups,
        &Writing::default(),
        File::create(path)?,
    )?
    .sync_all()?;
    Ok(())
}

/// Keys in the order of a listing; sizes and entity tags without one.
fn line(number: u64) -> Line {
    let noise = md5::compute(number.to_le_bytes());
    let (folder, rest) = (number / 40_000, number % 40_000);
    let (day, hour) = (rest / 1_500 + 1, rest / 63 % 24);
    let key = format!("incoming/{folder:02x}/2024/11/{day:02}/{hour:02}/file-{number:08}.json");
    let size = i64::from(u16::from_le_bytes([noise[0], noise[1]])) * 97;
    let mut line = Line::of(&key, size, &format!("{noise:x}"));
    if number.is_multiple_of(50) {
        line.storage_class = Some("GLACIER_IR".to_owned());
    }
    line
}
