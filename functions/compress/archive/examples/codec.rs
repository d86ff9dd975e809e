//! CPU time of a codec alone: `codec FORMAT LEVEL FILE` prints the median of nine runs, ms.

use std::time::Duration;

use archive::{Encoder, Format, Spec};

const RUNS: usize = 9;
const PART_BYTES: usize = 8 * 1024 * 1024;

#[expect(clippy::print_stdout, reason = "a command-line program's result")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(format), Some(level), Some(file)) = (args.next(), args.next(), args.next()) else {
        return Err("usage: codec FORMAT LEVEL FILE".into());
    };
    let format = Format::ALL
        .into_iter()
        .find(|f| f.label() == format)
        .ok_or("FORMAT is zip, gzip or zstd")?;
    let input = std::fs::read(file)?;
    let spec = Spec {
        format,
        level: level.parse()?,
        name: "object".into(),
        input_bytes: input.len() as u64,
        part_bytes: PART_BYTES,
    };
    let mut runs = Vec::new();
    let mut output_bytes = 0;
    for _ in 0..RUNS {
        let before = cpu_time()?;
        let mut encoder = Encoder::new(spec.clone());
        output_bytes = 0;
        for piece in input.chunks(16 * 1024) {
            encoder.write(piece)?;
            while let Some(part) = encoder.next_part() {
                output_bytes += part.len();
            }
        }
        output_bytes += encoder.finish()?.iter().map(Vec::len).sum::<usize>();
        runs.push(cpu_time()?.saturating_sub(before));
    }
    runs.sort();
    println!(
        "{{\"cpu_ms\": {:.3}, \"output_bytes\": {output_bytes}}}",
        runs[RUNS / 2].as_secs_f64() * 1e3
    );
    Ok(())
}

/// CPU time of this thread, ns resolution. Source: `proc_pid_schedstat(5)`, first field.
fn cpu_time() -> Result<Duration, Box<dyn std::error::Error>> {
    std::thread::yield_now(); // the kernel brings the figure up to date only when it schedules
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(Duration::from_nanos(
        stat.split_whitespace()
            .next()
            .ok_or("empty schedstat")?
            .parse()?,
    ))
}
