//! Under what conditions was measured. A figure without them says nothing.
//!
//! What must stay true here: what cannot be found out is said to be unknown.

use std::path::{Path, PathBuf};

use serde::Serialize;

const UNKNOWN: &str = "unknown";

/// Of this machine, at the beginning.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Conditions {
    pub(super) version: &'static str,
    pub(super) cpu: String,
    pub(super) cores: usize,
    pub(super) kernel: String,
    pub(super) file_system: String,
    pub(super) device: String,
    /// Threads that wanted a core in the last minute, this program's not yet among them: above
    /// some tenths, others disturb.
    pub(super) load_1m: Option<f64>,
}

impl Conditions {
    pub(super) fn of(dir: &Path) -> Conditions {
        let text = |path: &str| std::fs::read_to_string(path).ok();
        let cpu =
            text("/proc/cpuinfo").as_deref().and_then(cpu_model).unwrap_or(UNKNOWN.to_owned());
        let kernel = text("/proc/sys/kernel/osrelease");
        let mount =
            dir.canonicalize().ok().and_then(|dir| mount_of(&dir, &text("/proc/self/mountinfo")?));
        let (file_system, device) = mount.unwrap_or((UNKNOWN.to_owned(), UNKNOWN.to_owned()));
        Conditions {
            version: env!("CARGO_PKG_VERSION"),
            cpu,
            cores: std::thread::available_parallelism().map_or(0, Into::into),
            kernel: kernel.map_or(std::env::consts::OS.to_owned(), |text| text.trim().to_owned()),
            file_system,
            device,
            load_1m: text("/proc/loadavg").and_then(|text| text.split(' ').next()?.parse().ok()),
        }
    }
}

fn cpu_model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Type and device of the mount that holds `dir`: the longest mount point above it, and of several
/// on one point the last, which hides the others.
fn mount_of(dir: &Path, mountinfo: &str) -> Option<(String, String)> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let point = PathBuf::from(left.split(' ').nth(4)?);
        let mut right = right.split(' ');
        Some((point, right.next()?.to_owned(), right.next()?.to_owned()))
    });
    let above = mounts.filter(|(point, ..)| dir.starts_with(point));
    above
        .max_by_key(|(point, ..)| point.components().count())
        .map(|(_, file_system, device)| (file_system, device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_mount_counts_and_of_two_the_later() {
        let mounts = "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
            23 22 0:5 / /dev rw - devtmpfs udev rw\n\
            30 22 8:1 / /data rw - ext4 /dev/sda1 rw\n\
            31 30 8:2 / /data rw - xfs /dev/sdb1 rw\n";
        let of = |dir: &str| mount_of(Path::new(dir), mounts).unwrap().0;
        assert_eq!(of("/var/lib"), "ext4");
        assert_eq!(of("/data/trail"), "xfs");
        assert_eq!(of("/database"), "ext4");
        assert_eq!(
            cpu_model("processor\t: 0\nmodel name\t: Foo 9000\n").as_deref(),
            Some("Foo 9000")
        );
    }
}
