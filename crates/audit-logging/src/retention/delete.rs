//! Deleting expired segments from the front of a trail.
//!
//! What must stay true here: the order. The segments are read and are what their checksums say; the
//! entry that names them is durable and signed; only then files go, front to back, each durably before
//! the next, the checksum before its segment: what is left after a crash is a shorter trail that says so.

use std::io::ErrorKind;

use audit_core::chain::Hash;
use audit_core::entry::Entry;
use audit_core::retention::{Applied, Decision, Deleted, Front, Rules, Stored};
use audit_core::segment::{INDEX, SegmentName};
use sha2::{Digest, Sha256};

use super::keeper::Keeper;
use super::survey::{checksum_of, each_line};
use super::{RetentionError, RetentionPlan};
use crate::seal::Rotation;
use crate::trail::checksum_name;

/// What was deleted, and how many bytes of disk it had.
#[derive(Default)]
pub(super) struct Removed {
    pub(super) segments: Vec<Deleted>,
    pub(super) bytes: u64,
}

impl Keeper {
    /// Deletes what is expired, in portions that fit into an entry each. `front_key` is the key in
    /// force where the trail begins or from a later size on, if it was shortened before.
    pub(super) fn delete(
        &self,
        plan: &RetentionPlan,
        front_key: Option<(u64, String)>,
        removed: &mut Removed,
    ) -> Result<(), RetentionError> {
        let all = plan.decisions.as_slice();
        let count = plan.expired().len();
        let is_whole = all.iter().find_map(|one| one.segment.first_seq) == Some(0);
        let first = if is_whole { Some((0, self.initial_key.clone())) } else { front_key };
        let mut keys = Keys { named: Rotation::default(), first };
        // A crash may have come between a segment and what was made of it meanwhile.
        if let Some(first) = all.first() {
            self.forget_index(|of| of < first.segment.name)?;
        }
        let mut at = 0;
        while at < count {
            let end = count.min(at + Applied::MOST);
            let Some(next) = all[end..].iter().find_map(|later| later.segment.first_seq) else {
                // Nothing behind it has an entry: then this is not the front of anything.
                return Ok(());
            };
            let rows = self.describe(&all[at..end], next, &mut keys)?;
            // Closing waits for a portion once it is announced: what the trail says is gone, goes.
            if self.is_stopped() {
                return Err(RetentionError::Closing);
            }
            let last = all[end - 1].segment.name;
            self.forget_index(|of| of <= last)?;
            self.announce(&rows, plan.rules, next, keys.at(next))?;
            for (decision, row) in all[at..end].iter().zip(rows) {
                self.remove(&decision.segment)?;
                removed.bytes += decision.segment.bytes;
                removed.segments.push(row);
            }
            // Somebody may have been making an index of what was still there.
            self.forget_index(|of| of <= last)?;
            at = end;
        }
        Ok(())
    }

    /// What the trail will say of these segments, out of their own bytes. `next` is the `seq` of the
    /// first entry behind them.
    fn describe(
        &self,
        doomed: &[Decision],
        next: u64,
        keys: &mut Keys,
    ) -> Result<Vec<Deleted>, RetentionError> {
        let mut rows = Vec::with_capacity(doomed.len());
        for (at, Decision { segment, .. }) in doomed.iter().enumerate() {
            let expected = checksum_of(&*self.storage, segment.name)?;
            let (mut sha, mut bytes) = (Sha256::new(), 0);
            each_line(&*self.storage, segment.name, &self.stop, |line| {
                sha.update(line);
                bytes += line.len() as u64;
                keys.see(line);
                Ok(())
            })?;
            let filename = segment.name.to_string();
            let found = Hash(sha.finalize().into()).to_string();
            if found != expected {
                return Err(RetentionError::Changed { segment: filename, expected, found });
            }
            let later = doomed[at + 1..].iter().find_map(|later| later.segment.first_seq);
            let end = later.unwrap_or(next);
            rows.push(Deleted {
                filename,
                first_seq: segment.first_seq.unwrap_or(end),
                last_seq: end.saturating_sub(1),
                sha256: found,
                bytes,
            });
        }
        Ok(rows)
    }

    /// Has the trail say so, durably and under a signed checkpoint.
    fn announce(
        &self,
        rows: &[Deleted],
        rules: Rules,
        next: u64,
        key: Option<&str>,
    ) -> Result<(), RetentionError> {
        let tree = self.sealer.subtrees_at(next).map_err(|error| {
            tracing::error!(%error, "tree.hashes does not lead to the tree");
            RetentionError::NoTree { size: next }
        })?;
        let front = Front { seq: next, key, tree: &tree };
        self.record(&Applied { segments: rows, rules, front })?;
        tracing::info!(segments = rows.len(), first_kept = next, "expired segments are deleted");
        Ok(())
    }

    /// Removes what the index says of segments that go or are gone, finished or not, before anything is
    /// promised: where that cannot be, the entries would stay readable, and the trail would say that they
    /// are gone.
    fn forget_index(&self, goes: impl Fn(SegmentName) -> bool) -> Result<(), RetentionError> {
        let mut there = match self.storage.list(INDEX) {
            // There is no index.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            there => there.map_err(RetentionError::io("look into", INDEX))?,
        };
        there.retain(|name| SegmentName::of_index_file(name).is_some_and(&goes));
        // `.json` before `.parquet`: without the binding, the table is not looked at.
        there.sort_unstable();
        for name in there {
            let file = format!("{INDEX}/{name}");
            self.storage.remove(&file).map_err(RetentionError::io("remove", &file))?;
        }
        Ok(())
    }

    /// Removes a segment, whatever form it has, and what belongs to it.
    fn remove(&self, segment: &Stored) -> Result<(), RetentionError> {
        let plain = segment.name.to_string();
        // An archive that a crash left beside its segment goes before it, or it would be left.
        for file in [checksum_name(&plain), segment.name.archived(), plain] {
            self.storage.remove(&file).map_err(RetentionError::io("remove", &file))?;
        }
        Ok(())
    }
}

/// The keys that the deleted entries name.
struct Keys {
    named: Rotation,
    /// A key, and the size at which it is known to be in force.
    first: Option<(u64, String)>,
}

impl Keys {
    fn see(&mut self, line: &[u8]) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let is = |kind: &[u8]| memchr::memmem::find(line, kind).is_some();
        let concerns_us = is(b"\"event_type\":\"audit.key_rotated\"")
            || is(b"\"event_type\":\"audit.epoch_sealed\"");
        if concerns_us && let Ok(entry) = Entry::parse(line) {
            self.named.see(&entry);
        }
    }

    /// The key in force at a size, by the word of the keys before it. Where a crash cut a deletion short,
    /// none is known before the front that it announced: what the entries name is anybody's, and a reader
    /// does better without a key than with a wrong one.
    fn at(&self, size: u64) -> Option<&str> {
        let (_, first) = self.first.as_ref().filter(|(known, _)| *known <= size)?;
        Some(self.named.in_force(size, first))
    }
}
