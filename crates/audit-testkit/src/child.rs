//! A child process that is watched and killed.
//!
//! What must stay true here: a wait has a limit, and the limit reached is a finding; a dropped
//! child is killed and waited for.

use std::io::Read;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::life::Life;

/// Longer than any healthy child needs for one thing.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A life that runs.
#[derive(Debug)]
pub struct Watched {
    child: Child,
    errors: PathBuf,
}

impl Watched {
    /// Starts `program life …`; what it says about errors goes to `errors`.
    ///
    /// # Errors
    /// The operating system's.
    pub fn start(
        program: &std::path::Path,
        life: &Life,
        errors: PathBuf,
    ) -> Result<Watched, String> {
        let io = |e: std::io::Error| format!("start: {e}");
        let log = std::fs::File::create(&errors).map_err(io)?;
        let child = Command::new(program)
            .arg("life")
            .args(life.to_args())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(io)?;
        Ok(Watched { child, errors })
    }

    /// Until the child has said something or ended, at most `limit`. True if it did.
    ///
    /// # Errors
    /// The operating system's.
    pub fn stirs_within(&mut self, limit: Duration) -> Result<bool, String> {
        let end = Instant::now() + limit;
        let Some(stdout) = &self.child.stdout else { return Ok(true) };
        loop {
            let Some(left) = end.checked_duration_since(Instant::now()) else { return Ok(false) };
            let timeout = Timespec::try_from(left).map_err(|e| format!("poll: {e}"))?;
            let mut fds = [PollFd::from_borrowed_fd(stdout.as_fd(), PollFlags::IN)];
            match poll(&mut fds, Some(&timeout)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return Ok(true),
                Err(e) => return Err(format!("poll: {e}")),
            }
        }
    }

    /// Waits for `open`; false if the child ended instead.
    ///
    /// # Errors
    /// It does neither.
    pub fn opens(&mut self) -> Result<bool, String> {
        if !self.stirs_within(PATIENCE)? {
            return Err(format!("does not open within {PATIENCE:?}"));
        }
        let mut byte = [0; 5];
        let stdout = self.child.stdout.as_mut().ok_or("no stdout")?;
        Ok(stdout.read_exact(&mut byte).is_ok())
    }

    /// True when it ends by itself within the limit.
    ///
    /// # Errors
    /// The operating system's.
    pub fn ends_within(&mut self, limit: Duration) -> Result<bool, String> {
        self.stirs_within(limit)
    }

    /// Kills it, if it still lives, and waits. True if it had printed `open` before.
    ///
    /// # Errors
    /// It had ended with an error of its own.
    pub fn kill(mut self) -> Result<bool, String> {
        let status = self.end()?;
        let mut said = Vec::new();
        if let Some(stdout) = self.child.stdout.as_mut() {
            stdout.read_to_end(&mut said).map_err(|e| format!("stdout: {e}"))?;
        }
        if is_in_order(status) {
            return Ok(!said.is_empty());
        }
        Err(self.complaint(status))
    }

    /// Waits for its end, which has come, without hurrying it.
    ///
    /// # Errors
    /// It ended with an error of its own.
    pub fn ended(mut self) -> Result<(), String> {
        let status = self.child.wait().map_err(|e| format!("wait: {e}"))?;
        if is_in_order(status) { Ok(()) } else { Err(self.complaint(status)) }
    }

    /// Says nothing about a child that lives, or ended in order.
    ///
    /// # Errors
    /// It has ended with an error.
    pub fn complained(&mut self) -> Result<(), String> {
        match self.child.try_wait().map_err(|e| format!("wait: {e}"))? {
            Some(status) if !status.success() => Err(self.complaint(status)),
            _ => Ok(()),
        }
    }

    fn complaint(&self, status: ExitStatus) -> String {
        let errors = std::fs::read_to_string(&self.errors).unwrap_or_default();
        format!("the child ended with {status}: {}", errors.trim())
    }

    /// As [`Watched::kill`], for a child that may complain.
    ///
    /// # Errors
    /// The operating system's.
    pub fn kill_whatever(mut self) -> Result<(), String> {
        self.end().map(|_| ())
    }

    fn end(&mut self) -> Result<ExitStatus, String> {
        self.child.kill().map_err(|e| format!("kill: {e}"))?;
        self.child.wait().map_err(|e| format!("wait: {e}"))
    }
}

/// By itself, or killed.
fn is_in_order(status: ExitStatus) -> bool {
    status.success() || std::os::unix::process::ExitStatusExt::signal(&status) == Some(9)
}

impl Drop for Watched {
    fn drop(&mut self) {
        // Ended already in the ordinary case.
        if let Err(error) = self.end() {
            eprintln!("a child could not be ended: {error}");
        }
    }
}
