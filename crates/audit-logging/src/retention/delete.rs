//! Deleting expired segments from the front of a trail.
//!
//! What must stay true here: the order. The segments are read and are what their checksums say; the
//! entry that names them is durable and signed; only then files go, front to back, each durably before
//! the next, the checksum before its segment: what is left after a crash is a shorter trail that says so.

use audit_core::retention::{Applied, Decision, Deleted, Rules, Stored};
use audit_core::segment::SegmentName;

use super::RetentionError;
use super::archive::sha256;
use super::keeper::Keeper;
use super::survey::checksum_of;
use crate::trail::{checksum_name, read_content};

/// What was deleted, and how many bytes of disk it had.
#[derive(Default)]
pub(super) struct Removed {
    pub(super) segments: Vec<Deleted>,
    pub(super) bytes: u64,
}

impl Keeper {
    /// Deletes the first segments of `all`, so many, in portions that fit into an entry each.
    pub(super) fn delete(
        &self,
        all: &[Decision],
        count: usize,
        rules: Rules,
        removed: &mut Removed,
    ) -> Result<(), RetentionError> {
        let mut at = 0;
        while at < count {
            let end = count.min(at + Applied::MOST);
            let Some(next) = all[end..].iter().find_map(|later| later.segment.first_seq) else {
                // Nothing behind it has an entry: then this is not the front of anything.
                return Ok(());
            };
            let rows = self.describe(&all[at..end], next)?;
            self.announce(&rows, rules, next)?;
            for (decision, row) in all[at..end].iter().zip(rows) {
                if self.is_stopped() {
                    return Err(RetentionError::Closing);
                }
                self.remove(&decision.segment)?;
                removed.bytes += decision.segment.bytes;
                removed.segments.push(row);
            }
            at = end;
        }
        Ok(())
    }

    /// What the trail will say of these segments, out of their own bytes. `next` is the `seq` of the
    /// first entry behind them.
    fn describe(&self, doomed: &[Decision], next: u64) -> Result<Vec<Deleted>, RetentionError> {
        let mut rows = Vec::with_capacity(doomed.len());
        for (at, Decision { segment, .. }) in doomed.iter().enumerate() {
            let name = segment.name.to_string();
            let expected = checksum_of(&*self.storage, segment.name)?;
            let content = read_content(&*self.storage, segment.name);
            let content = content.map_err(RetentionError::io("read", &name))?;
            let mut counted = Counted { inner: content, bytes: 0 };
            let found =
                sha256(&mut counted, &self.stop).map_err(|error| match self.is_stopped() {
                    true => RetentionError::Closing,
                    false => RetentionError::io("read", &name)(error),
                })?;
            if found != expected {
                return Err(RetentionError::Changed { segment: name, expected, found });
            }
            let later = doomed[at + 1..].iter().find_map(|later| later.segment.first_seq);
            let end = later.unwrap_or(next);
            rows.push(Deleted {
                filename: name,
                first_seq: segment.first_seq.unwrap_or(end),
                last_seq: end.saturating_sub(1),
                sha256: found,
                bytes: counted.bytes,
            });
        }
        Ok(rows)
    }

    /// Has the trail say so, durably and under a signed checkpoint.
    fn announce(&self, rows: &[Deleted], rules: Rules, next: u64) -> Result<(), RetentionError> {
        let tree = self.sealer.subtrees_at(next).map_err(|error| {
            tracing::error!(%error, "tree.hashes cannot be read");
            RetentionError::NoTree { size: next }
        })?;
        self.record(&Applied { segments: rows, rules, tree: &tree })?;
        tracing::info!(segments = rows.len(), first_kept = next, "expired segments are deleted");
        Ok(())
    }

    /// Removes a segment, whatever form it has, and what belongs to it.
    fn remove(&self, segment: &Stored) -> Result<(), RetentionError> {
        let SegmentFiles { checksum, archived, plain } = files(segment.name);
        let remove =
            |file: &str| self.storage.remove(file).map_err(RetentionError::io("remove", file));
        remove(&checksum)?;
        // An archive that a crash left beside its segment goes first, or it would be left.
        remove(&archived)?;
        remove(&plain)
    }
}

struct SegmentFiles {
    checksum: String,
    archived: String,
    plain: String,
}

fn files(segment: SegmentName) -> SegmentFiles {
    let plain = segment.to_string();
    SegmentFiles { checksum: checksum_name(&plain), archived: segment.archived(), plain }
}

/// Counts what is read.
struct Counted<R> {
    inner: R,
    bytes: u64,
}

impl<R: std::io::Read> std::io::Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buf)?;
        self.bytes += count as u64;
        Ok(count)
    }
}
