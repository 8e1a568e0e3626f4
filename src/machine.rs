//! What this machine lets a process have: the least of its memory, of its control group's (version 1 and 2, the
//! ancestors' too), and of the process's own limit. Known on Linux; elsewhere nothing is known, and nothing refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The memory that a process can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// In bytes: what needs more than this cannot be run here.
    pub limit: u64,
    /// Who sets the limit, for a reader: `this machine has`.
    pub owner: &'static str,
    /// What nobody uses at this moment, in bytes.
    pub free: Option<u64>,
}

/// The time as RFC 3339 writes it, in UTC: of a clock that is before 1970 or after 9999, the nearest of these.
#[must_use]
pub fn time() -> String {
    written(SystemTime::now())
}

fn written(time: SystemTime) -> String {
    const LAST: Duration = Duration::from_secs(253_402_300_799);
    let since = time.duration_since(UNIX_EPOCH);
    let since = since.unwrap_or_default().min(LAST);
    humantime::format_rfc3339_seconds(UNIX_EPOCH + since).to_string()
}

/// What this machine is called; `this machine` where it does not say.
#[must_use]
pub fn name() -> String {
    let told = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let told = told.or_else(|| std::env::var("HOSTNAME").ok());
    let told = told.or_else(|| std::env::var("COMPUTERNAME").ok());
    told.map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty() && !name.chars().any(char::is_control))
        .unwrap_or_else(|| "this machine".to_owned())
}

/// The memory that this process can have, as far as it can be found out.
#[must_use]
pub fn memory() -> Option<Memory> {
    memory_of(Path::new("/"))
}

/// [`memory`], with the files of the system below `root`.
fn memory_of(root: &Path) -> Option<Memory> {
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
    let machine = read("proc/meminfo");
    let limits = [
        (of_kilobytes(&machine, "MemTotal:"), "this machine has"),
        (
            of_groups(root, &read("proc/self/cgroup")),
            "this process's control group allows",
        ),
        (of_process(&read("proc/self/limits")), "`ulimit -v` allows"),
    ];
    let known = limits
        .into_iter()
        .filter_map(|(limit, owner)| Some((limit?, owner)));
    let (limit, owner) = known.min_by_key(|(limit, _)| *limit)?;
    Some(Memory {
        limit,
        owner,
        free: of_kilobytes(&machine, "MemAvailable:").map(|free| free.min(limit)),
    })
}

/// `MemTotal:       24617680 kB`
fn of_kilobytes(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    number.checked_mul(1024)
}

/// `Max address space         8589934592           unlimited            bytes`
fn of_process(text: &str) -> Option<u64> {
    let rest = text
        .lines()
        .find_map(|line| line.strip_prefix("Max address space"))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// The least limit of the groups in `/proc/self/cgroup` and of those above them: lines `0::/path` of version 2,
/// `5:cpu,memory:/path` of version 1. Inside a container the path may be that of the host; its own group is then
/// what lies at the root.
fn of_groups(root: &Path, groups: &str) -> Option<u64> {
    let files = groups.lines().flat_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next().unwrap_or(""), parts.next().unwrap_or("/"));
        let (mount, file) = match controllers {
            "" => ("sys/fs/cgroup", "memory.max"),
            names if names.split(',').any(|name| name == "memory") => {
                ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => return Vec::new(),
        };
        let relative = Path::new(path.trim_start_matches('/'));
        relative
            .ancestors()
            .map(|group| root.join(mount).join(group).join(file))
            .collect::<Vec<PathBuf>>()
    });
    let limits = files.filter_map(|file| {
        let text = fs::read_to_string(file).ok()?;
        // `max` is no number, and where version 1 has no limit it tells of nearly all of the addresses.
        text.trim()
            .parse()
            .ok()
            .filter(|&limit: &u64| limit < 1 << 60)
    });
    limits.min()
}

/// Bytes for a reader: `840 MB`, `13 GB`, in powers of 1000.
#[must_use]
pub fn readable(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    let mut value = bytes as f64 / 1e3;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1e3;
        unit += 1;
    }
    let decimals = usize::from(value < 9.95);
    format!("{value:.decimals$} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> Option<Memory> {
        let root = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().expect("inside")).expect("room");
            fs::write(path, text).expect("room");
        }
        memory_of(root.path())
    }

    const MEMORY: (&str, &str) = (
        "proc/meminfo",
        "MemTotal:       16000000 kB\nMemFree:          100 kB\nMemAvailable:    8000000 kB\n",
    );

    #[test]
    fn a_clock_that_is_far_off_has_a_time_too() {
        let day = Duration::from_hours(24);
        assert_eq!(written(UNIX_EPOCH + day), "1970-01-02T00:00:00Z");
        assert_eq!(written(UNIX_EPOCH - day), "1970-01-01T00:00:00Z");
        let far = UNIX_EPOCH + Duration::from_secs(1 << 40);
        assert_eq!(written(far), "9999-12-31T23:59:59Z");
    }

    #[test]
    fn the_machine_s_memory_is_the_limit_where_nothing_is_less() {
        let expected = Memory {
            limit: 16_384_000_000,
            owner: "this machine has",
            free: Some(8_192_000_000),
        };
        assert_eq!(machine(&[MEMORY]), Some(expected.clone()));
        // Groups without a limit, in both versions.
        let unlimited = machine(&[
            MEMORY,
            ("proc/self/cgroup", "5:cpu,memory:/a/b\n0::/a\n"),
            (
                "sys/fs/cgroup/memory/a/b/memory.limit_in_bytes",
                "9223372036854771712\n",
            ),
            ("sys/fs/cgroup/a/memory.max", "max\n"),
            (
                "proc/self/limits",
                "Max address space         unlimited            unlimited            bytes\n",
            ),
        ]);
        assert_eq!(unlimited, Some(expected));
        assert_eq!(machine(&[]), None);
    }

    #[test]
    fn a_control_group_s_limit_counts_and_that_of_the_groups_above_it() {
        let limit = |files: &[(&str, &str)]| {
            let memory = machine(&[&[MEMORY], files].concat()).expect("known");
            (memory.limit, memory.free, memory.owner)
        };
        let of_group =
            |limit: u64, free| (limit, Some(free), "this process's control group allows");
        let second = ("proc/self/cgroup", "0::/user/job\n");
        assert_eq!(
            limit(&[
                second,
                ("sys/fs/cgroup/user/job/memory.max", "4000000000\n")
            ]),
            of_group(4_000_000_000, 4_000_000_000)
        );
        assert_eq!(
            limit(&[
                second,
                ("sys/fs/cgroup/user/job/memory.max", "12000000000\n"),
                ("sys/fs/cgroup/user/memory.max", "9000000000\n")
            ]),
            of_group(9_000_000_000, 8_192_000_000)
        );
        let first = ("proc/self/cgroup", "7:pids:/x\n4:memory:/docker/1234\n");
        // The path is the host's, the group's own files are at the root.
        assert_eq!(
            limit(&[
                first,
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", "2000000000\n")
            ]),
            of_group(2_000_000_000, 2_000_000_000)
        );
    }

    #[test]
    fn a_limit_on_addresses_counts() {
        let limits = "Max cpu time              unlimited            unlimited            seconds\n\
                      Max address space         3000000000           unlimited            bytes\n";
        let memory = machine(&[MEMORY, ("proc/self/limits", limits)]).expect("known");
        assert_eq!(
            (memory.limit, memory.owner),
            (3_000_000_000, "`ulimit -v` allows")
        );
    }

    #[test]
    fn bytes_are_readable() {
        let read = [
            800,
            130_000_000,
            1_340_000_000,
            24_617_680_000,
            9_990_000_000,
            999_900_000,
        ];
        assert_eq!(
            read.map(readable),
            ["0.8 kB", "130 MB", "1.3 GB", "25 GB", "10 GB", "1.0 GB"]
        );
    }
}
