//! Memory in use, as the kernel counts it.

/// Resident memory of this process, bytes; `None` where /proc does not say.
pub(super) fn resident_bytes() -> Option<u64> {
    parse(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn parse(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_in_kibibytes() {
        let status = "Name:\tpurge\nVmHWM:\t    9999 kB\nVmRSS:\t    4312 kB\nThreads:\t65\n";
        assert_eq!(parse(status), Some(4312 * 1024));
        assert_eq!(parse("Name:\tpurge\n"), None);
        assert!(resident_bytes().is_some_and(|bytes| bytes > 100 * 1024));
    }
}
