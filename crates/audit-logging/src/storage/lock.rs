//! The one writer's lock.
//!
//! What must stay true here: `flock` on the file `lock` is what counts; the text in it names the
//! holder for people, and the boot of the last writer that *opened* the trail for the next one: it
//! is changed only when an opening is complete, so a failed or killed opening forgets nothing. A
//! forked child keeps an flock alive; a holder whose pid is gone was forked.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::fs::{FileType, FlockOperation, Mode, OFlags, flock, openat};
use rustix::io::{Errno, pread, pwrite};

use super::secure;

const NAME: &str = "lock";
/// Length of the text, padded.
const TEXT: usize = 192;
/// Readers probe the lock for some microseconds to tell a live trail; a second writer holds it.
const PROBE_GRACE: Duration = Duration::from_millis(300);
/// What a holder says of itself that will be gone in a moment.
pub(crate) const BRIEF: &str = " for a moment";
/// How long such a one is waited for.
const BRIEF_GRACE: Duration = Duration::from_secs(10);

/// Held as long as the trail is written; released by the kernel when the process ends.
#[derive(Debug)]
pub struct TrailLock {
    file: OwnedFd,
    previous: String,
}

/// Why there is no lock.
pub(crate) enum LockError {
    Held(String),
    Io(io::Error),
}

impl TrailLock {
    /// What the writer before left in the lock file.
    pub(crate) fn previous(&self) -> &str {
        &self.previous
    }

    pub(crate) fn acquire(dir: &OwnedFd) -> Result<TrailLock, LockError> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(dir, NAME, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|e| LockError::Io(secure::explain(e)))?;
        secure::check(&file, FileType::RegularFile).map_err(LockError::Io)?;
        let (began, mut grace) = (Instant::now(), PROBE_GRACE);
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) if began.elapsed() < grace => {
                    std::thread::park_timeout(Duration::from_millis(5));
                }
                // By now it has said who it is.
                Err(Errno::WOULDBLOCK)
                    if grace < BRIEF_GRACE && read_text(&file).contains(BRIEF) =>
                {
                    grace = BRIEF_GRACE;
                }
                Err(Errno::WOULDBLOCK) => return Err(LockError::Held(describe_holder(&file))),
                Err(error) => return Err(LockError::Io(error.into())),
            }
        }
        let previous = read_text(&file);
        Ok(TrailLock { file, previous })
    }

    /// Names the holder. One write over what stands there, which needs no new room on a full disk
    /// once the file exists.
    pub(crate) fn announce(&self, owner: &str) -> io::Result<()> {
        let mut text = [b' '; TEXT];
        let len = owner.len().min(TEXT - 1);
        text[..len].copy_from_slice(&owner.as_bytes()[..len]);
        text[TEXT - 1] = b'\n';
        pwrite(&self.file, &text, 0)?;
        Ok(())
    }
}

impl Drop for TrailLock {
    fn drop(&mut self) {
        // A forked child shares the lock: closing our descriptor would not release it.
        if let Err(error) = flock(&self.file, FlockOperation::Unlock) {
            tracing::warn!(%error, "the trail's lock could not be released");
        }
    }
}

/// What stands in the lock file; empty when it cannot be read, as it only helps a person.
fn read_text(file: &OwnedFd) -> String {
    let mut text = [0u8; TEXT];
    let len = pread(file, &mut text, 0).unwrap_or(0);
    let text: String =
        String::from_utf8_lossy(&text[..len]).chars().filter(|c| !c.is_control()).collect();
    text.trim_end().to_owned()
}

fn describe_holder(file: &OwnedFd) -> String {
    let text = read_text(file);
    let pid = text.strip_prefix("pid ").and_then(|rest| rest.split(' ').next());
    match pid.and_then(|pid| pid.parse().ok()).and_then(rustix::process::Pid::from_raw) {
        Some(pid) if rustix::process::test_kill_process(pid) == Err(Errno::SRCH) => {
            format!("{text}, which has ended: a child it forked still holds the lock")
        }
        _ if text.is_empty() => "unknown".to_owned(),
        _ => text,
    }
}
