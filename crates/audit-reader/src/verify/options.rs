//! How to verify.

use std::fmt;

use audit_core::checkpoint::SignedCheckpoint;
use audit_core::note::VerifierKey;

use super::state::VerifiedState;

/// How to verify. The default believes the trail's own first key and nothing else.
#[derive(Default)]
#[non_exhaustive]
pub struct VerifyOptions<'a> {
    /// The first key of the trail, which the trail itself is not asked for.
    pub key: Option<VerifierKey>,
    /// Checkpoints seen earlier, which the trail must extend, by name.
    pub references: Vec<(String, SignedCheckpoint)>,
    /// Keys of cosigners whose word on time counts.
    pub witnesses: Vec<VerifierKey>,
    /// What time it is, in POSIX seconds, if not what the system's clock says.
    pub now: Option<u64>,
    /// How many threads check, pieces of one segment too; 0 and 1 check one after the other.
    pub jobs: usize,
    /// How much of a segment is read and handed to a thread at a time; what is found does not depend
    /// on it.
    pub block: Option<usize>,
    /// Where an earlier verification ended, by name.
    pub from: Option<(String, VerifiedState)>,
    /// Told now and then how far it is.
    pub progress: Option<&'a mut dyn FnMut(Progress)>,
}

impl<'a> VerifyOptions<'a> {
    /// Pins the first key of the trail.
    #[must_use]
    pub fn with_key(mut self, key: VerifierKey) -> VerifyOptions<'a> {
        self.key = Some(key);
        self
    }

    /// Asks for the trail to extend a checkpoint seen earlier; `name` stands in findings.
    #[must_use]
    pub fn with_reference(
        mut self,
        name: impl Into<String>,
        checkpoint: SignedCheckpoint,
    ) -> VerifyOptions<'a> {
        self.references.push((name.into(), checkpoint));
        self
    }

    /// Believes this cosigner on time.
    #[must_use]
    pub fn with_witness(mut self, key: VerifierKey) -> VerifyOptions<'a> {
        self.witnesses.push(key);
        self
    }

    /// Takes this for the time that it is, in POSIX seconds: a cosigner's word on a later one does not count.
    #[must_use]
    pub const fn with_now(mut self, seconds: u64) -> VerifyOptions<'a> {
        self.now = Some(seconds);
        self
    }

    /// Goes on where an earlier verification ended: what was verified then is not read again, if its
    /// last entry still stands where it stood. If it does not, or if a reference is older, everything is
    /// verified. `name` stands in findings: what was verified must still be there, as it was signed.
    #[must_use]
    pub fn from_state(
        mut self,
        name: impl Into<String>,
        state: VerifiedState,
    ) -> VerifyOptions<'a> {
        self.from = Some((name.into(), state));
        self
    }

    /// Checks with this many threads.
    #[must_use]
    pub const fn with_jobs(mut self, jobs: usize) -> VerifyOptions<'a> {
        self.jobs = jobs;
        self
    }

    /// Reads so many bytes of a segment at a time.
    #[must_use]
    pub const fn with_block(mut self, bytes: usize) -> VerifyOptions<'a> {
        self.block = Some(bytes);
        self
    }

    /// Has `progress` called now and then.
    #[must_use]
    pub fn with_progress(mut self, progress: &'a mut dyn FnMut(Progress)) -> VerifyOptions<'a> {
        self.progress = Some(progress);
        self
    }
}

impl fmt::Debug for VerifyOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyOptions").finish_non_exhaustive()
    }
}

/// How far a verification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes of segments read.
    pub bytes: u64,
    /// Bytes of segments there were at the beginning; a live trail grows.
    pub total_bytes: u64,
    /// Lines read.
    pub lines: u64,
}
