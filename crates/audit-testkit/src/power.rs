//! Real power cuts: what was called durable is there after the file system has lost the rest.
//!
//! **Fault model.** A real ext4 or XFS in a file on a loop device is cut by the shutdown ioctl
//! without a log flush: from one moment to the next nothing reaches the device, every later call
//! fails with EIO, and what was not synced is gone. Then the process is killed, the file system
//! mounted again (which replays its journal), and the next life opens the trail under another boot
//! id. Cut while creating, recovering, emitting, rotating, sealing, closing. Not in it: a device that
//! lies about flushes, torn sectors, lost journal blocks; the simulated disk has the torn ones.
//!
//! **Oracle.** As for the kill ([`crate::oracle`]), but only for what a receipt or a flush called
//! durable, or a seal sealed; told in a file on another file system.
//!
//! What must stay true here: everything is mounted in a mount namespace of this process, so nothing
//! is left behind, whatever happens; the boot id changes with every cut, as a power cut changes it.

use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::mount::UnmountFlags;

use crate::Rng;
use crate::acks::{Acks, Promised};
use crate::child::{PATIENCE, Watched};
use crate::crash::{Totals, remove};
use crate::life::Life;
use crate::options::{Options, Promise};
use crate::oracle::Oracle;
use crate::plan::{Plan, derive};

/// Cuts per file system in the long form.
pub const ROUNDS: u64 = 1_000;
/// Lives that build on one trail.
const LIVES: u64 = 40;
/// Set in the process that has a mount namespace of its own.
const INSIDE: &str = "AUDIT_BATTERY_MOUNTS";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// What a campaign came to.
#[derive(Debug)]
pub enum Outcome {
    /// It ran.
    Ran(Totals),
    /// This machine cannot; why.
    Skipped(String),
}

/// A file system and how it is made.
const FILE_SYSTEMS: [(&str, &[&str]); 2] =
    [("ext4", &["mkfs.ext4", "-q", "-F"]), ("xfs", &["mkfs.xfs", "-q", "-f"])];

/// What must be there.
const TOOLS: [&str; 5] = ["unshare", "mount", "xfs_io", "mkfs.ext4", "mkfs.xfs"];

/// Why this machine cannot cut the power, if it cannot.
#[must_use]
pub fn hindrance() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("only root can mount".to_owned());
    }
    let paths = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let is_there = |tool: &&&str| paths.split(':').any(|dir| Path::new(dir).join(tool).is_file());
    if let Some(tool) = TOOLS.iter().find(|tool| !is_there(tool)) {
        return Some(format!("there is no {tool} (Debian: apt-get install xfsprogs e2fsprogs)"));
    }
    let unshared = Command::new("unshare").args(["--mount", "true"]).output();
    if !unshared.is_ok_and(|output| output.status.success()) {
        return Some("mount namespaces are not allowed here".to_owned());
    }
    (!Path::new("/dev/loop-control").exists()).then(|| "there are no loop devices".to_owned())
}

/// Runs the campaign in a mount namespace of its own, by starting `program` again with `args`.
///
/// # Errors
/// The first thing that was wrong, with the seed and the trail.
pub fn run(program: &Path, args: &[String], options: &Options) -> Result<Outcome, String> {
    if std::env::var_os(INSIDE).is_some() {
        return inside(program, options).map(Outcome::Ran);
    }
    if let Some(why) = hindrance() {
        return Ok(Outcome::Skipped(why));
    }
    let status = Command::new("unshare")
        .args(["--mount", "--propagation", "private"])
        .arg(program)
        .arg("power")
        .args(args)
        .env(INSIDE, "1")
        .status()
        .map_err(|e| format!("unshare: {e}"))?;
    // It has said what there is to say.
    std::process::exit(status.code().unwrap_or(1));
}

fn inside(program: &Path, options: &Options) -> Result<Totals, String> {
    let dir = options.work_dir("power")?;
    let boot_id = dir.join("boot_id");
    new_boot(&boot_id, options.seed)?;
    sh(&["mount", "--bind", &boot_id.to_string_lossy(), BOOT_ID])?;
    let mut totals = Totals::default();
    let wanted = |name: &str| options.only.as_deref().is_none_or(|only| only == name);
    std::thread::scope(|scope| {
        let (dir, boot_id) = (&dir, &boot_id);
        let threads: Vec<_> = FILE_SYSTEMS
            .iter()
            .filter(|(name, _)| wanted(name))
            .map(|(name, mkfs)| {
                scope.spawn(move || {
                    let disk = Disk { dir: dir.join(name), boot_id: boot_id.clone(), mkfs };
                    cuts(program, name, &disk, options).map_err(|error| {
                        format!(
                            "power --seed {} --only {name}: {error}\nthe image is kept in {}",
                            options.seed,
                            disk.dir.display()
                        )
                    })
                })
            })
            .collect();
        threads.into_iter().try_for_each(|thread| {
            totals.add(thread.join().map_err(|_| "a file system's thread panicked")??);
            Ok::<_, String>(())
        })
    })?;
    remove(&dir)?;
    Ok(totals)
}

fn cuts(program: &Path, name: &str, disk: &Disk, options: &Options) -> Result<Totals, String> {
    let rounds = options.rounds_or(ROUNDS);
    let salt = u64::from(name.as_bytes()[0]);
    let mut totals = Totals::default();
    let mut told = Instant::now();
    for trail in 0.. {
        let left = rounds - totals.rounds;
        if left == 0 {
            break;
        }
        let seed = derive(options.seed, salt, trail);
        one_trail(program, disk, seed, left.min(LIVES), &mut totals)
            .map_err(|error| format!("trail {trail}: {error}"))?;
        if told.elapsed() > Duration::from_secs(30) {
            eprintln!("{name}: {totals}");
            told = Instant::now();
        }
    }
    totals.deaths.insert(format!("cuts on {name}"), totals.rounds);
    Ok(totals)
}

fn one_trail(
    program: &Path,
    disk: &Disk,
    seed: u64,
    lives: u64,
    totals: &mut Totals,
) -> Result<(), String> {
    disk.make()?;
    disk.mount()?;
    let trail = disk.mount_point().join("trail");
    let mut rng = Rng::new(seed);
    let mut oracle = Oracle::new(&trail, Promise::Durable);
    for number in 0..lives {
        let acks_path = disk.dir.join("acks");
        let acks = Acks::create(&acks_path).map_err(|e| format!("acks: {e}"))?;
        let life_seed = derive(seed, 2, number);
        let plan = Plan::new(life_seed, true);
        let context = |error: String| format!("life {number} ({plan:?}): {error}");
        let life =
            Life { trail: trail.clone(), acks: acks_path, number, seed: life_seed, gentle: true };
        let switch = Switch::ready(&disk.mount_point())?;
        let mut child = Watched::start(program, &life, disk.dir.join("errors"))?;
        let longest = [8_000, 60_000][rng.between(0, 1)];
        let after = Duration::from_micros(rng.below(longest));
        if !rng.one_in(3) && !child.opens().map_err(context)? {
            return child.ended().map_err(context);
        }
        child.ends_within(after)?;
        child.complained().map_err(context)?;
        // An fdatasync that is under way when the ioctl comes may return 0 without the data (ext4
        // lets one pass whose journal commit was aborted meanwhile); after a real cut nothing returns.
        // So what counts is what was told before.
        let before = acks.promised().map_err(|e| format!("acks: {e}"))?;
        switch.cut()?;
        let phase = acks.phase().map_err(|e| format!("acks: {e}"))?;
        child.kill_whatever()?;
        let after = acks.promised().map_err(|e| format!("acks: {e}"))?;
        let promised = before.iter().zip(&after);
        let promised: Vec<_> = promised
            .map(|(before, after)| Promised { emitted: after.emitted, ..*before })
            .collect();
        disk.unmount()?;
        disk.mount()?;
        new_boot(&disk.boot_id, derive(life_seed, 3, 0))?;
        let tail = oracle.after_death(number, promised.clone()).map_err(context)?;
        totals.died(phase, &promised, tail);
    }
    oracle.finish(lives)?;
    totals.events += oracle.events;
    totals.trails += 1;
    disk.unmount()
}

/// One file system in a file.
#[derive(Debug)]
struct Disk {
    dir: PathBuf,
    boot_id: PathBuf,
    mkfs: &'static [&'static str],
}

impl Disk {
    fn image(&self) -> PathBuf {
        self.dir.join("image")
    }

    fn mount_point(&self) -> PathBuf {
        self.dir.join("mounted")
    }

    fn make(&self) -> Result<(), String> {
        let io = |e: std::io::Error| format!("{}: {e}", self.dir.display());
        std::fs::create_dir_all(self.mount_point()).map_err(io)?;
        let file = std::fs::File::create(self.image()).map_err(io)?;
        file.set_len(1 << 30).map_err(io)?;
        let image = self.image().to_string_lossy().into_owned();
        sh(&[self.mkfs, &[image.as_str()]].concat())
    }

    fn mount(&self) -> Result<(), String> {
        let (image, at) = (self.image(), self.mount_point());
        sh(&["mount", "-o", "loop", &image.to_string_lossy(), &at.to_string_lossy()])
    }

    /// A file system is busy for a moment after the last process that used it has ended, or while
    /// another thread's `fork` holds copies of our descriptors until its `exec`. One that stays busy
    /// is a finding: something did not let go.
    fn unmount(&self) -> Result<(), String> {
        let at = self.mount_point();
        let end = Instant::now() + PATIENCE;
        loop {
            match rustix::mount::unmount(&at, UnmountFlags::empty()) {
                Ok(()) => return Ok(()),
                Err(Errno::BUSY) if Instant::now() < end => std::thread::yield_now(),
                Err(error) => return Err(format!("umount: {error}; held by {:?}", holders(&at))),
            }
        }
    }
}

/// What cuts the power: a process that waits for the word, so that it takes microseconds.
#[derive(Debug)]
struct Switch(Child);

impl Switch {
    fn ready(at: &Path) -> Result<Switch, String> {
        let child = Command::new("xfs_io")
            .arg("-x")
            .arg(at)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        child.map(Switch).map_err(|e| format!("xfs_io: {e}"))
    }

    /// `FS_IOC_SHUTDOWN` with "no log flush"; ext4 knows the same ioctl.
    fn cut(mut self) -> Result<(), String> {
        let mut stdin = self.0.stdin.take().ok_or("xfs_io: no stdin")?;
        stdin.write_all(b"shutdown\nquit\n").map_err(|e| format!("xfs_io: {e}"))?;
        drop(stdin);
        let output = self.0.wait_with_output().map_err(|e| format!("xfs_io: {e}"))?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() && said.is_empty() {
            Ok(())
        } else {
            Err(format!("xfs_io: {said}"))
        }
    }
}

/// Processes that have something of this directory open or mapped.
fn holders(at: &Path) -> Vec<String> {
    let holds = |process: &Path| {
        let fds = std::fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        let mapped = std::fs::read_to_string(process.join("maps")).unwrap_or_default();
        fds.filter_map(|fd| std::fs::read_link(fd.path()).ok()).any(|file| file.starts_with(at))
            || mapped.contains(&*at.to_string_lossy())
    };
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let held = processes.map(|process| process.path()).filter(|process| holds(process));
    let name = |process: PathBuf| {
        let command = std::fs::read(process.join("cmdline")).unwrap_or_default();
        format!("{} {}", process.display(), String::from_utf8_lossy(&command).replace('\0', " "))
    };
    held.map(name).collect()
}

/// Another boot: the id in the file that stands in for the kernel's. Written in place, for the
/// file is mounted.
fn new_boot(path: &Path, seed: u64) -> Result<(), String> {
    let mut rng = Rng::new(seed);
    let id = uuid::Uuid::from_u64_pair(rng.next_u64(), rng.next_u64());
    let io = |e: std::io::Error| format!("{}: {e}", path.display());
    let file = std::fs::File::options().create(true).truncate(false).write(true).open(path);
    // The length never changes, so no reader finds it empty.
    file.map_err(io)?.write_all_at(format!("{id}\n").as_bytes(), 0).map_err(io)
}

fn sh(command: &[&str]) -> Result<(), String> {
    let (program, args) = command.split_first().ok_or("no command")?;
    let output = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("{program}: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
