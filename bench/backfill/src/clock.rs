//! CPU time and memory of processes, from `/proc`. Source: proc(5), and the kernel's "Scheduler statistics".

use std::fs;

/// CPU time so far of the threads of a process that are called so, or of all of them, seconds; those that have ended are
/// not in it.
pub(crate) fn cpu_s(pid: u32, thread: Option<&str>) -> f64 {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return 0.0;
    };
    let nanoseconds = threads.flatten().filter_map(|entry| {
        let read = |name| fs::read_to_string(entry.path().join(name)).ok();
        if let Some(wanted) = thread {
            read("comm").filter(|name| name.trim_end() == wanted)?;
        }
        let spent: f64 = read("schedstat")?.split(' ').next()?.parse().ok()?;
        Some(spent)
    });
    nanoseconds.sum::<f64>() / 1e9
}

/// Most memory that was resident so far, KiB.
pub(crate) fn peak_kb(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_default()
}
