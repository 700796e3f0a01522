//! What each loses when it is killed: events whose call had returned and that are not there.
//!
//! What must stay true here: only the process dies, so only what was in its memory can be lost;
//! recovery runs before anything is counted.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::Error;
use crate::sinks::Kind;
use crate::work::ACKNOWLEDGED;

/// Over all rounds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Killed {
    pub(crate) rounds: u32,
    pub(crate) acknowledged: u64,
    pub(crate) lost: u64,
    pub(crate) lost_at_most: u64,
}

pub(crate) fn rounds(
    kind: Kind,
    dir: &Path,
    rounds: u32,
    child: impl Fn(&Path) -> Result<Command, Error>,
) -> Result<Killed, Error> {
    let mut total = Killed { rounds, ..Killed::default() };
    for round in 0..rounds {
        let place = dir.join(format!("{}-kill-{round}", kind.name()));
        std::fs::create_dir(&place)?;
        // Spread over half a second, so that no round hits the same moment of a batch.
        let lasts = Duration::from_millis(500 + 487 * u64::from(round) % 500);
        one(child(&place)?, lasts)?;
        let note = std::fs::read(place.join(ACKNOWLEDGED))?;
        let acknowledged = note.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let lost = acknowledged - kind.find(&place, acknowledged)?;
        total.acknowledged += acknowledged;
        total.lost += lost;
        total.lost_at_most = total.lost_at_most.max(lost);
        std::fs::remove_dir_all(&place)?;
    }
    Ok(total)
}

fn one(mut command: Command, lasts: Duration) -> Result<(), Error> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let stdout = child.stdout.take().ok_or("the child has no output")?;
    let opens = BufReader::new(stdout).lines().any(|line| line.is_ok_and(|line| line == "open"));
    let end = Instant::now() + lasts;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        std::thread::park_timeout(left);
    }
    child.kill()?;
    child.wait()?;
    if opens { Ok(()) } else { Err("the child did not open".into()) }
}
