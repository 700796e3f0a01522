//! Holds exported records against the trail they came from.
//!
//! What must stay true here: "complete" is said only if every entry of the range was seen with the hash
//! it has in the trail; a record that carries its entry is believed for what its bytes hash to, never for
//! the hash it states. Memory is 32 bytes an entry, whatever the records say.

mod record;
mod report;
#[cfg(feature = "index")]
mod table;

use std::ops::ControlFlow;

use audit_core::chain::Hash;
use audit_core::entry::Entry;
use thiserror::Error;

pub use record::RecordReader;
use record::{Claim, Record};
pub use report::Reconciled;

use crate::{Query, QueryError, QueryOptions, ReadError, Source, trail_info};

/// Why nothing can be said of exported records.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReconcileError {
    /// The trail itself is not in order.
    #[error("the trail is damaged: {0}; run `auditlog verify`, then reconcile with an intact copy")]
    Damaged(String),
    /// There is nothing to compare with.
    #[error("the trail has no entry in this range; check the range and the directory")]
    Nothing,
    /// The trail could not be read.
    #[error(transparent)]
    Read(#[from] QueryError),
}

impl From<ReadError> for ReconcileError {
    fn from(error: ReadError) -> ReconcileError {
        ReconcileError::Read(error.into())
    }
}

/// All that is kept of an entry.
fn hash_of(entry: &Entry<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(&entry.hash().0);
}

/// The entries of a trail, ticked off record by record.
#[derive(Debug)]
pub struct Reconciler {
    origin: Option<String>,
    first: u64,
    hashes: Vec<Hash>,
    seen: Vec<bool>,
    /// `seq` of the last entry of the trail at the time; a range may end before.
    end: u64,
    result: Reconciled,
}

impl Reconciler {
    /// Reads the trail: from `first`, up to `last` if one is given.
    ///
    /// # Errors
    /// When the trail cannot be read, is damaged, or has nothing in this range.
    pub fn new(
        source: impl Into<Source>,
        (first, last): (u64, Option<u64>),
        options: QueryOptions<'_>,
    ) -> Result<Reconciler, ReconcileError> {
        let source = &source.into();
        let origin = trail_info(source)?.map(|info| info.origin);
        let mut hashes = Vec::new();
        let mut begins = None;
        let mut damage = None;
        let options = options.with_render(&hash_of);
        let searched = Query::new().seq(first, None).run(source, options, |hit| {
            let due = *begins.get_or_insert(hit.seq) + hashes.len() as u64;
            match hit.bytes.try_into() {
                Ok(hash) if hit.seq == due => hashes.push(Hash(hash)),
                _ => {
                    damage = Some(format!("after seq {} comes {}", due.wrapping_sub(1), hit.seq));
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })?;
        if searched.malformed > 0 {
            damage = Some(format!("{} lines are no entries", searched.malformed));
        }
        if let Some(damage) = damage {
            return Err(ReconcileError::Damaged(damage));
        }
        let first = begins.ok_or(ReconcileError::Nothing)?;
        let end = first + hashes.len() as u64 - 1;
        if let Some(last) = last {
            let kept = last.checked_sub(first).ok_or(ReconcileError::Nothing)?.saturating_add(1);
            hashes.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
        }
        let result = Reconciled::new(first, first + hashes.len() as u64 - 1);
        Ok(Reconciler { origin, first, seen: vec![false; hashes.len()], hashes, end, result })
    }

    /// Takes the next record of an exported set.
    pub fn record(&mut self, reader: &mut RecordReader, line: &[u8]) {
        match reader.read(line) {
            Record::Header => {}
            Record::Unreadable => self.result.unreadable += 1,
            Record::Claim(claim) => {
                self.result.records += 1;
                self.claim(&claim);
            }
        }
    }

    fn claim(&mut self, claim: &Claim) {
        let Claim { origin, seq, hash, carried } = claim;
        let result = &mut self.result;
        if let (Some(ours), Some(theirs)) = (&self.origin, origin)
            && ours != theirs
        {
            result.foreign += 1;
            return;
        }
        let Some(place) = seq.checked_sub(self.first).and_then(|at| usize::try_from(at).ok())
        else {
            result.before += 1;
            return;
        };
        match self.hashes.get(place) {
            Some(expected) if expected == hash => {
                result.carried += u64::from(*carried);
                result.repeated += u64::from(std::mem::replace(&mut self.seen[place], true));
            }
            Some(_) => result.altered(*seq),
            None if *seq <= self.end => result.after += 1,
            None => result.beyond(*seq),
        }
    }

    /// What became of it.
    #[must_use]
    pub fn finish(self) -> Reconciled {
        let mut result = self.result;
        for (place, seen) in self.seen.iter().enumerate() {
            if !seen {
                result.missing(self.first + place as u64);
            }
        }
        result
    }
}
