//! Opening a trail for writing: create it, or recover it and find its head.
//!
//! What must stay true here: idempotent, and safe to crash in anywhere. The order is quarantine
//! first (durable), then cut; checksum first, then the next segment.

use std::io;
use std::path::Path;

use audit_core::chain::Head;
use audit_core::meta::{FORMAT, TrailInfo};
use audit_core::segment::SegmentName;
use jiff::Timestamp;

use super::content::{is_archived, read_content, segments_in};
use super::dead::UNFINISHED;
use super::finish::write_checksum;
use super::scan::{Limits, Scan, scan};
use super::segment::checksum_name;
use super::{Recovered, Trail};
use crate::builder::MakeSigner;
use crate::config::AuditConfig;
use crate::error::OpenError;
use crate::seal::{self, ResumeError};
use crate::storage::{KEYS, QUARANTINE, Storage, TEMPORARY, read_to_vec};

/// What opening needs to know besides the files.
pub(crate) struct OpenContext<'a> {
    pub(crate) storage: &'a dyn Storage,
    pub(crate) path: &'a Path,
    pub(crate) now: Timestamp,
    /// The writer before ran in this boot of the machine.
    pub(crate) same_boot: bool,
    /// Entries that the last checkpoint covers.
    pub(crate) signed: u64,
    /// What signs instead of key files, if anything does.
    pub(crate) signer: Option<&'a MakeSigner>,
}

/// Where the segment after the one that is looked at begins.
#[derive(Clone, Copy)]
enum Begins {
    At(u64),
    In(SegmentName),
}

/// Reads `trail.json`; `None` when there is no trail.
pub(crate) fn peek(storage: &dyn Storage, path: &Path) -> Result<Option<TrailInfo>, OpenError> {
    let file = path.join("trail.json");
    let bytes = match read_to_vec(storage, "trail.json", 1 << 20) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(&file, "read", error)),
    };
    // The format is looked at first: a newer one may have other members.
    let damaged = |error: serde_json::Error| OpenError::Damaged {
        path: file.clone(),
        problem: format!("not a trail description: {error}"),
    };
    let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(damaged)?;
    let found = value["format"].as_str().unwrap_or("none");
    if found != FORMAT {
        return Err(OpenError::UnsupportedFormat {
            path: path.to_owned(),
            found: found.escape_debug().take(64).collect(),
            supported: FORMAT,
        });
    }
    serde_json::from_value(value).map(Some).map_err(damaged)
}

/// Looks at a directory before the lock file is put into it: nothing is written where other
/// things are.
pub(crate) fn refuse_foreign(storage: &dyn Storage, path: &Path) -> Result<(), OpenError> {
    let names = storage.list("").map_err(|error| io_error(path, "list", error))?;
    let is_ours = |name: &String| name == "lock" || name == "trail.json";
    if names.iter().any(is_ours)
        || names.iter().all(|name| is_of_an_unfinished_trail(name))
        || !segments_in(&names).is_empty()
    {
        return Ok(());
    }
    Err(OpenError::NotATrail { path: path.to_owned() })
}

/// What may be there when a trail was begun and `trail.json` not yet written.
fn is_of_an_unfinished_trail(name: &str) -> bool {
    name == "lock" || name == KEYS || name == QUARANTINE || name.ends_with(TEMPORARY)
}

/// Opens the trail, making it if there is none.
pub(crate) fn open(context: &OpenContext<'_>, config: &AuditConfig) -> Result<Trail, OpenError> {
    let names = context.list()?;
    let segments = segments_in(&names);
    let Some(info) = peek(context.storage, context.path)? else {
        if let Some(segment) = segments.first() {
            return Err(context.damaged("trail.json", &format!("missing, but {segment} is there")));
        }
        if !names.iter().all(|name| is_of_an_unfinished_trail(name)) {
            return Err(OpenError::NotATrail { path: context.path.to_owned() });
        }
        return context.create(config);
    };
    if info.service_id != config.service_id {
        return Err(OpenError::WrongService {
            path: context.path.to_owned(),
            expected: config.service_id.clone(),
            found: info.service_id,
        });
    }
    context.remove_temporaries(&names)?;
    context.resume(info, &names, &segments)
}

/// A key's error as the one opening reports.
pub(crate) fn key_error(path: &Path, epoch: u64, error: seal::KeyError) -> OpenError {
    let path = path.join(KEYS).join(format!("{epoch}.key"));
    match error {
        seal::KeyError::Io(source) => io_error(&path, "use the signing key in", source),
        seal::KeyError::Wrong(problem) => OpenError::Damaged { path, problem: problem.to_owned() },
        seal::KeyError::Destroyed => {
            let problem = "is overwritten with zeros, as a key whose epoch is over".to_owned();
            OpenError::Damaged { path, problem }
        }
        seal::KeyError::Randomness(error) => OpenError::Randomness(error),
    }
}

/// Why the trail cannot be signed on, as opening reports it.
pub(crate) fn resume_error(path: &Path, error: ResumeError) -> OpenError {
    match error {
        ResumeError::Io(file, source) => io_error(&path.join(file), "use", source),
        ResumeError::Signer(error) => OpenError::Signer(error),
        ResumeError::Key(epoch, error) => key_error(path, epoch, error),
        ResumeError::Refused(file, problem) => {
            OpenError::NotAnExtension { path: path.join(file), problem }
        }
    }
}

pub(crate) fn io_error(path: &Path, operation: &'static str, source: io::Error) -> OpenError {
    if source.kind() == crate::storage::INSECURE {
        return OpenError::Insecure { path: path.to_owned(), problem: source.to_string() };
    }
    OpenError::Io { operation, path: path.to_owned(), source }
}

impl OpenContext<'_> {
    pub(super) fn io<T>(
        &self,
        name: &str,
        operation: &'static str,
        result: io::Result<T>,
    ) -> Result<T, OpenError> {
        result.map_err(|error| io_error(&self.path.join(name), operation, error))
    }

    fn damaged(&self, name: &str, problem: &str) -> OpenError {
        OpenError::Damaged { path: self.path.join(name), problem: problem.to_owned() }
    }

    pub(super) fn list(&self) -> Result<Vec<String>, OpenError> {
        self.io("", "list", self.storage.list(""))
    }

    /// Removes what interrupted replacements left, here and in the directories below.
    fn remove_temporaries(&self, names: &[String]) -> Result<(), OpenError> {
        let mut all = names.to_vec();
        for dir in [KEYS, QUARANTINE].into_iter().filter(|dir| names.iter().any(|n| n == dir)) {
            let inside = self.io(dir, "list", self.storage.list(dir))?;
            all.extend(inside.into_iter().map(|name| format!("{dir}/{name}")));
        }
        // An unfinished ring may be what a stranger had put in a ring's place: that is evidence, and looked
        // at with the rings.
        let is_ours = |name: &&String| name.ends_with(TEMPORARY) && !name.ends_with(UNFINISHED);
        for name in all.iter().filter(is_ours) {
            self.io(name, "remove", self.storage.remove_temporary(name))?;
        }
        Ok(())
    }

    fn resume(
        &self,
        info: TrailInfo,
        names: &[String],
        segments: &[SegmentName],
    ) -> Result<Trail, OpenError> {
        let rows = self.manifest_rows()?;
        let Some((&newest, older)) = segments.split_last() else {
            if !rows.is_empty() {
                return Err(self.damaged("manifest.json", "lists segments, but none is there"));
            }
            // The process before may have died between the rename and the directory's sync. The
            // first segment must not be on disk before the description is.
            let text =
                self.io("trail.json", "read", read_to_vec(self.storage, "trail.json", 1 << 20))?;
            let again = self.storage.replace("trail.json", &mut text.as_slice());
            self.io("trail.json", "write", again)?;
            return Ok(Trail::without_entries(info));
        };
        let is_closed = |segment: SegmentName| {
            names.iter().any(|name| *name == checksum_name(&segment.to_string()))
        };
        let checkpoint_missing = self.signed == 0;
        let (signed, same_boot) = (self.signed, self.same_boot);
        let mut recovered =
            Recovered { signed, same_boot, checkpoint_missing, ..Recovered::default() };
        let mut last = self.scan(newest, u64::MAX)?;
        let mut closed = Vec::new();
        let mut head = (last.kept.bytes > 0).then_some(last.kept.end);
        // From the newest to the oldest: a segment that was given up ends where the next one that
        // holds entries begins, and the head is in the newest one that holds any.
        let mut until = (last.kept.bytes > 0).then_some(Begins::At(last.kept.start.next_seq));
        // The row of the next segment that holds entries, to hold a row against.
        let mut next = until.map(|_| last.kept.row(None));
        for &segment in older.iter().rev() {
            let known = rows.get(&segment.to_string()).filter(|row| row.sha256.is_some());
            let known = match known.filter(|_| is_closed(segment) && head.is_some()) {
                Some(row) if self.is_true(row, is_archived(names, segment), next.as_ref())? => {
                    Some(row)
                }
                _ => None,
            };
            if let Some(row) = known {
                if row.event_count > 0 {
                    until = Some(Begins::In(segment));
                    next = Some(row.clone());
                }
                closed.push(row.clone());
                continue;
            }
            let limit = match until {
                _ if is_closed(segment) => u64::MAX,
                Some(Begins::At(seq)) => seq,
                // The manifest is not evidence: what is cut here must follow from the segments.
                Some(Begins::In(next)) => self.scan(next, u64::MAX)?.kept.start.next_seq,
                None => u64::MAX,
            };
            let scan = self.scan(segment, limit)?;
            if scan.kept.bytes > 0 {
                until = Some(Begins::At(scan.kept.start.next_seq));
                next = Some(scan.kept.row(None));
                if head.is_none() {
                    head = Some(scan.kept.end);
                    last.closed_in_order = scan.closed_in_order;
                    last.last_control = scan.last_control;
                    last.last_event = scan.last_event;
                    last.hashes = scan.hashes.clone();
                    last.rotation = scan.rotation.clone();
                }
            }
            closed.push(if is_closed(segment) {
                scan.kept.row(Some((self.now, scan.kept.sha256())))
            } else if is_archived(names, segment) {
                self.io(&segment.archived(), "close", write_checksum(self.storage, &scan.kept))?;
                scan.kept.row(Some((self.now, scan.kept.sha256())))
            } else {
                self.finish_abandoned(&scan, &mut recovered)?
            });
        }
        closed.reverse();
        if head.is_none() && rows.values().any(|row| row.event_count > 0) {
            return Err(self.damaged("manifest.json", "lists entries, but every segment is empty"));
        }
        let name = newest.to_string();
        recovered.entries_kept = last.kept.entries();
        recovered.damaged_at = last.damaged_at.map(|offset| format!("{name}:{offset}"));
        let head = head.unwrap_or(Head::EMPTY);
        // Only what is closed is compressed: without its checksum it is the only copy all the same.
        if is_archived(names, newest) && !is_closed(newest) {
            self.io(&newest.archived(), "close", write_checksum(self.storage, &last.kept))?;
        }
        let active = if is_closed(newest) || is_archived(names, newest) {
            closed.push(last.kept.row(Some((self.now, last.kept.sha256()))));
            // The checksum may be there and the permissions not, after a crash.
            if !is_archived(names, newest) {
                self.io(&name, "close", self.storage.set_read_only(&name))?;
            }
            None
        } else {
            Some(self.reopen(&last, head, &mut recovered)?)
        };
        let left_in_order = last.closed_in_order
            && self.signed >= head.next_seq
            && recovered.quarantined_bytes == 0
            && recovered.damaged_at.is_none();
        let nothing_yet = head == Head::EMPTY && recovered.quarantined_bytes == 0;
        Ok(Trail {
            info,
            head,
            active,
            newest: Some(newest),
            closed,
            closed_in_order: last.closed_in_order,
            recovered: (!left_in_order && !nothing_yet).then_some(recovered),
            last_control: last.last_control,
            last_event: last.last_event,
            key_since: last.rotation.at.or_else(|| last.kept.created_at.parse().ok()),
            newest_hashes: last.hashes,
            rotation: last.rotation,
        })
    }

    fn scan(&self, segment: SegmentName, until_seq: u64) -> Result<Scan, OpenError> {
        let name = segment.to_string();
        let content = self.io(&name, "read", read_content(self.storage, segment))?;
        let limits = Limits { until_seq, signed: self.signed, holes_are_torn: !self.same_boot };
        self.io(&name, "read", scan(segment, content, limits, self.now))
    }
}
