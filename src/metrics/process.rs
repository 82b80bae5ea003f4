//! What the system tells of this process: Linux's /proc, nothing elsewhere.

use std::fs::{read_dir, read_to_string};

/// USER_HZ, which Linux shows to programs as 100 on every machine.
const TICKS_PER_SECOND: f64 = 100.0;

/// What the system tells of this process. What it does not tell is none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Process {
    /// Memory that is in use and not swapped out, in bytes.
    pub resident_bytes: Option<u64>,
    /// Open file descriptors.
    pub open_descriptors: Option<u64>,
    /// How many may be open.
    pub most_descriptors: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Processor time, user and system, in seconds.
    pub cpu_seconds: Option<f64>,
}

impl Process {
    /// As it stands.
    pub fn read() -> Self {
        let status = read_to_string("/proc/self/status").unwrap_or_default();
        let of = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        Self {
            resident_bytes: of("VmRSS:").map(|kilobytes| kilobytes * 1024),
            open_descriptors: read_dir("/proc/self/fd")
                .ok()
                // the folder itself is open while it is read
                .map(|open| u64::try_from(open.count()).unwrap_or(u64::MAX).saturating_sub(1)),
            most_descriptors: most_descriptors(),
            threads: of("Threads:"),
            cpu_seconds: cpu_seconds(),
        }
    }
}

fn most_descriptors() -> Option<u64> {
    let limits = read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The fourteenth and fifteenth field; the second, the program's name, may hold blanks and brackets.
fn cpu_seconds() -> Option<f64> {
    let stat = read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some((f64::from(user) + f64::from(system)) / TICKS_PER_SECOND)
}
