//! One life under strace, with one fault, and its judgement.
//!
//! What must stay true here: the child is never waited for without a limit; only a call that is
//! interrupted for ever may be made for ever; the judgement runs without faults.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::{LIVES, calls, script, trace};
use crate::acks::Promised;
use crate::options::Promise;
use crate::oracle::Oracle;

/// Longer than a child that does not hang ever needs.
const LIMIT: Duration = Duration::from_secs(30);
/// A call that is interrupted for ever is made for ever: so long is watched that nothing untrue is told.
const INTERRUPTED: Duration = Duration::from_millis(1_000);

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// This error, once.
    Once(&'static str),
    /// This error from there on.
    ForGood(&'static str),
    /// The process is killed there.
    Kill,
}

impl Fault {
    pub(super) const ALL: [Fault; 7] = [
        Fault::Once("EIO"),
        Fault::ForGood("EIO"),
        Fault::Once("ENOSPC"),
        Fault::ForGood("ENOSPC"),
        Fault::Once("EINTR"),
        Fault::ForGood("EINTR"),
        Fault::Kill,
    ];

    /// As strace's `-e` takes it.
    pub(super) fn injection(self, call: &str, k: u64) -> String {
        match self {
            Fault::Once(error) => format!("inject={call}:error={error}:when={k}"),
            Fault::ForGood(error) => format!("inject={call}:error={error}:when={k}+"),
            Fault::Kill => format!("inject={call}:signal=KILL:when={k}"),
        }
    }
}

/// How a run ended.
pub(super) struct Done {
    pub(super) acknowledged: u64,
    pub(super) end: &'static str,
}

/// What the child told before its end.
#[derive(Debug, Default)]
struct Told {
    lines: Vec<String>,
    hung: bool,
}

impl Told {
    fn has(&self, word: &str) -> bool {
        self.lines.iter().any(|line| line == word)
    }

    /// One more than the highest number of an event that was told with this letter.
    fn promised(&self, letter: &str) -> u64 {
        let prefix = format!("{letter} 1/0/");
        let numbers = self.lines.iter().filter_map(|line| line.strip_prefix(&prefix)?.parse().ok());
        numbers.max().map_or(0, |n: u64| n + 1)
    }

    fn end(&self) -> &'static str {
        if self.hung {
            "hung in a call that is interrupted for ever"
        } else if self.has("closed") {
            "closed"
        } else if self.lines.iter().any(|line| line.starts_with("refused ")) {
            "refused to open"
        } else if self.has("end") {
            "told that it could not go on"
        } else {
            "died"
        }
    }
}

/// Where a sweep works.
pub(super) struct Place {
    program: PathBuf,
    dir: PathBuf,
}

impl Place {
    /// Makes what the lives begin with.
    pub(super) fn prepare(program: &Path, dir: &Path) -> Result<Place, String> {
        let place = Place { program: program.to_owned(), dir: dir.to_owned() };
        for life in LIVES {
            new_dir(&place.template(life))?;
        }
        let trail = place.template("after-a-kill").join("trail");
        let left = Command::new(program)
            .arg("leave")
            .arg(&trail)
            .stdin(Stdio::null())
            .output()
            .map_err(|e| format!("leave: {e}"))?;
        if std::os::unix::process::ExitStatusExt::signal(&left.status) != Some(6) {
            return Err(format!("leave: {}", String::from_utf8_lossy(&left.stderr)));
        }
        tear(&trail).map_err(|e| format!("leave: {e}"))?;
        Ok(place)
    }

    fn template(&self, life: &str) -> PathBuf {
        self.dir.join(life)
    }

    /// Where this job works.
    pub(super) fn work(&self, job: u64) -> PathBuf {
        self.dir.join(format!("job-{job}"))
    }

    /// The storage calls of a life without a fault, and which calls of their thread they are.
    pub(super) fn reached(&self, life: &str) -> Result<BTreeMap<String, BTreeSet<u64>>, String> {
        let told = self.trace(life, &["-e".into(), "trace=all".into()], LIMIT, 0)?;
        if !told.has("closed") || told.promised("s") != script::EVENTS {
            return Err(format!("without a fault: {told:?}"));
        }
        let text = self.read_trace(0)?;
        let reached = trace::reached(&text)?;
        self.judge(life, &told, 0)?;
        Ok(reached)
    }

    /// One life with a fault.
    pub(super) fn run(
        &self,
        life: &str,
        injection: &str,
        fault: Fault,
        job: u64,
    ) -> Result<Done, String> {
        let limit = if fault == Fault::ForGood("EINTR") { INTERRUPTED } else { LIMIT };
        let trace = format!("trace={}", calls::to_trace());
        let args = ["-e".into(), trace, "-e".into(), injection.to_owned()];
        let told = self.trace(life, &args, limit, job)?;
        if told.hung && fault != Fault::ForGood("EINTR") {
            return Err(format!("does not end within {limit:?}: {told:?}"));
        }
        let acknowledged = trace::check(&self.read_trace(job)?)?;
        self.judge(life, &told, job)?;
        Ok(Done { acknowledged, end: told.end() })
    }

    /// Runs the child under strace in a fresh copy of what its life begins with.
    fn trace(
        &self,
        life: &str,
        args: &[String],
        limit: Duration,
        job: u64,
    ) -> Result<Told, String> {
        let work = self.work(job);
        if work.exists() {
            crate::crash::remove(&work)?;
        }
        copy_dir(&self.template(life), &work).map_err(|e| format!("{}: {e}", work.display()))?;
        let io = |e: std::io::Error| format!("strace: {e}");
        let (ours, theirs) = UnixStream::pair().map_err(io)?;
        let errors = fs::File::create(work.join("errors")).map_err(io)?;
        let mut strace = Command::new("strace")
            .args(["-f", "-y", "-qq", "-s", "2000000", "-o"])
            .arg(work.join("trace"))
            .args(args)
            .arg(&self.program)
            .arg("act")
            .arg(work.join("trail"))
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .map_err(io)?;
        let told = listen(ours, limit)?;
        strace.wait().map_err(io)?;
        Ok(told)
    }

    fn read_trace(&self, job: u64) -> Result<String, String> {
        let bytes = fs::read(self.work(job).join("trace")).map_err(|e| format!("trace: {e}"))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Holds the trail against what was told, without faults.
    fn judge(&self, life: &str, told: &Told, job: u64) -> Result<(), String> {
        let trail = self.work(job).join("trail");
        let mut oracle = Oracle::new(&trail, Promise::Emitted).after_failures();
        let sealed = oracle.sealed_size()?;
        if life == "after-a-kill" {
            let left = Promised { emitted: script::LEFT, ..Promised::default() };
            oracle.owe(0, vec![left]);
        }
        let now = Promised {
            emitted: told.promised("e").max(told.promised("d")),
            durable: told.promised("d"),
            sealed: told.promised("s"),
            refused: 0,
        };
        oracle.owe(1, vec![now]);
        oracle.finish(2).map_err(|error| format!("{error}; told {:?}", told.lines))?;
        match now.sealed.checked_sub(1).map(|last| oracle.seq_of(1, 0, last)) {
            Some(seq) if seq.is_none_or(|seq| seq >= sealed) => {
                Err(format!("sealed was told of seq {seq:?}, and the checkpoint covers {sealed}"))
            }
            _ => Ok(()),
        }
    }
}

/// Reads what the child says until it is gone, or until `limit` is over: then it is killed.
fn listen(mut ours: UnixStream, limit: Duration) -> Result<Told, String> {
    let end = std::time::Instant::now() + limit;
    let mut text = Vec::new();
    let mut hung = false;
    loop {
        let left = end.saturating_duration_since(std::time::Instant::now());
        let left = if hung { LIMIT } else { left.max(Duration::from_millis(1)) };
        ours.set_read_timeout(Some(left)).map_err(|e| format!("socket: {e}"))?;
        let mut buffer = [0; 4096];
        match ours.read(&mut buffer) {
            Ok(0) => break,
            Ok(taken) => text.extend_from_slice(&buffer[..taken]),
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock && !hung => {
                hung = true;
                kill(&text)?;
            }
            Err(e) => return Err(format!("socket: {e}")),
        }
    }
    let lines = String::from_utf8_lossy(&text).lines().map(str::to_owned).collect();
    Ok(Told { lines, hung })
}

/// The child itself: strace, when it is killed, lets its child run on.
fn kill(told: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(told);
    let pid = text.lines().find_map(|line| line.strip_prefix("pid ")?.parse().ok());
    let pid = pid.and_then(Pid::from_raw).ok_or("hangs before it said who it is")?;
    kill_process(pid, Signal::KILL).map_err(|e| format!("kill: {e}"))
}

/// Half a line at the end of the newest segment.
fn tear(trail: &Path) -> std::io::Result<()> {
    let names = fs::read_dir(trail)?.collect::<Result<Vec<_>, _>>()?;
    let segments =
        names.iter().map(fs::DirEntry::path).filter(|p| p.extension() == Some("audit".as_ref()));
    let newest = segments.max().ok_or(std::io::ErrorKind::NotFound)?;
    let mut bytes = fs::read(&newest)?;
    let last = bytes[..bytes.len().saturating_sub(1)].iter().rposition(|byte| *byte == b'\n');
    let half = bytes[last.map_or(0, |at| at + 1)..].len() / 2;
    bytes.extend_from_within(last.map_or(0, |at| at + 1)..bytes.len() - half);
    fs::write(&newest, bytes)
}

fn new_dir(path: &Path) -> Result<(), String> {
    let made = fs::DirBuilder::new().mode(0o700).create(path);
    made.map_err(|e| format!("{}: {e}", path.display()))
}

/// With the permissions as they are, which the trail looks at.
fn copy_dir(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::DirBuilder::new().mode(from.metadata()?.permissions().mode()).create(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy_dir(&from, &to)?;
        } else {
            fs::copy(&from, &to)?;
        }
    }
    Ok(())
}
