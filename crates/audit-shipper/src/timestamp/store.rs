//! `timestamps/` in a trail: each token, and beside it the checkpoint that it stamps.
//!
//! What must stay true here: the checkpoint is durable before its token has its name, so a token is never
//! there alone, and a checkpoint without a token is one that was never stamped. What is kept is not
//! replaced. Files are read no further than what they can be.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::error::TimestampError;
use crate::claim::{Claim, read_note, read_small};
use crate::client::MAX_ANSWER;

/// The directory.
const TIMESTAMPS: &str = "timestamps";
/// How a token's name ends: a `TimeStampResp` in DER.
const TOKEN: &str = ".tsr";

/// A token that is kept, not verified.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) response: Vec<u8>,
    /// `None` if somebody took it away.
    pub(super) checkpoint: Option<Vec<u8>>,
}

/// What is kept of one trail.
#[derive(Debug)]
pub(super) struct Store {
    dir: PathBuf,
}

/// The right to keep more of it.
#[derive(Debug)]
pub(super) struct Keeper(Claim);

impl Store {
    pub(super) fn of(trail: &Path) -> Store {
        Store { dir: trail.join(TIMESTAMPS) }
    }

    fn io(&self, what: &'static str) -> impl FnOnce(io::Error) -> TimestampError {
        let dir = self.dir.clone();
        move |source| TimestampError::Io { what, dir, source }
    }

    /// Makes the directory if it is not there, and takes the right to write into it.
    pub(super) fn keeper(&self, trail: &Path) -> Result<Keeper, TimestampError> {
        let made = match DirBuilder::new().mode(0o700).create(&self.dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            // Also where it was there: who made it may not have come to this.
            _ => File::open(trail).and_then(|trail| trail.sync_all()),
        };
        made.map_err(self.io("make the directory"))?;
        let claim = Claim::take(&self.dir).map_err(self.io("lock"))?;
        claim.map(Keeper).ok_or(TimestampError::Busy)
    }

    /// The sizes that are stamped, in order. Other files are none of ours.
    pub(super) fn sizes(&self) -> Result<Vec<u64>, TimestampError> {
        let listed = match fs::read_dir(&self.dir) {
            Ok(listed) => listed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.io("list files")(error)),
        };
        let mut sizes = Vec::new();
        for item in listed {
            let name = item.map_err(self.io("list files"))?.file_name();
            let digits = name.to_str().and_then(|name| name.strip_suffix(TOKEN));
            let size = digits.and_then(|digits| digits.parse::<u64>().ok());
            sizes.extend(size.filter(|size| digits == Some(size.to_string().as_str())));
        }
        sizes.sort_unstable();
        Ok(sizes)
    }

    /// What is kept for this size.
    pub(super) fn read(&self, size: u64) -> Result<Option<Kept>, TimestampError> {
        let response = read_small(&self.dir, &token(size), MAX_ANSWER);
        let Some(response) = response.map_err(self.io("read a token"))? else { return Ok(None) };
        let checkpoint = read_note(&self.dir, &checkpoint(size));
        let checkpoint = checkpoint.map_err(self.io("read a checkpoint"))?;
        Ok(Some(Kept { response, checkpoint }))
    }

    /// Keeps a token and what it stamps: both, or, after a crash, the checkpoint alone.
    pub(super) fn keep(
        &self,
        keeper: &Keeper,
        size: u64,
        note: &[u8],
        response: &[u8],
    ) -> Result<(), TimestampError> {
        let kept = keeper.0.replace(&self.dir, &checkpoint(size), note);
        let kept = kept.and_then(|()| keeper.0.replace(&self.dir, &token(size), response));
        kept.map_err(self.io("keep the time stamp"))
    }
}

/// The name of a token, as findings say it.
pub(super) fn token(size: u64) -> String {
    format!("{size}{TOKEN}")
}

/// The name of the checkpoint beside it.
pub(super) fn checkpoint(size: u64) -> String {
    format!("{size}.checkpoint")
}

/// That checkpoint, from the trail's directory on.
pub(super) fn path_of_checkpoint(size: u64) -> String {
    format!("{TIMESTAMPS}/{}", checkpoint(size))
}
