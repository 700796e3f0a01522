//! Opening a trail for writing: create it, or recover it and find its head.
//!
//! What must stay true here: idempotent, and safe to crash in anywhere. The order is quarantine
//! first (durable), then cut; checksum first, then the next segment.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use audit_core::chain::{Hash, Head};
use audit_core::entry::Entry;
use audit_core::meta::{FORMAT, Manifest, ManifestFile, TrailInfo};
use audit_core::note::Signer;
use audit_core::segment::SegmentName;
use jiff::Timestamp;
use uuid::Uuid;

use super::scan::{Limits, Scan, note_hash, scan};
use super::segment::checksum_name;
use super::{Recovered, Trail};
use crate::builder::MakeSigner;
use crate::clock::rfc3339;
use crate::config::AuditConfig;
use crate::error::OpenError;
use crate::seal::{self, Rotation};
use crate::storage::{KEYS, QUARANTINE, Storage, TEMPORARY, read_to_vec};

/// Longer derived files are not ours.
const MAX_META: u64 = 64 << 20;

/// What opening needs to know besides the files.
pub(crate) struct OpenContext<'a> {
    pub(crate) storage: &'a dyn Storage,
    pub(crate) path: &'a Path,
    pub(crate) now: Timestamp,
    /// The writer before ran in this boot of the machine.
    pub(crate) same_boot: bool,
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
    for name in names.iter().filter(|name| name.ends_with(TEMPORARY)) {
        context.io(name, "remove", context.storage.remove_temporary(name))?;
    }
    context.resume(info, &names, &segments)
}

fn segments_in(names: &[String]) -> Vec<SegmentName> {
    let mut segments: Vec<SegmentName> =
        names.iter().filter_map(|name| SegmentName::parse(name)).collect();
    segments.sort_unstable();
    segments
}

/// A key's error as the one opening reports.
pub(crate) fn key_error(path: &Path, epoch: u64, error: seal::KeyError) -> OpenError {
    let path = path.join(KEYS).join(format!("{epoch}.key"));
    match error {
        seal::KeyError::Io(source) => io_error(&path, "use the signing key in", source),
        seal::KeyError::Wrong(problem) => OpenError::Damaged { path, problem: problem.to_owned() },
        seal::KeyError::Randomness(error) => OpenError::Randomness(error),
    }
}

/// Numbers and hashes of all entries from `seq` on, read from the segments.
pub(crate) fn read_hashes(
    storage: &dyn Storage,
    seq: u64,
    each: &mut dyn FnMut(u64, Hash),
) -> io::Result<()> {
    // Only the last one is kept, for the link to one that is damaged.
    let mut hashes = Vec::new();
    read_entries(storage, |entry| {
        let known = hashes.len();
        note_hash(&mut hashes, entry);
        for &(number, hash) in hashes[known..].iter().filter(|(number, _)| *number >= seq) {
            each(number, hash);
        }
        hashes.drain(..hashes.len() - 1);
    })
}

/// What all entries say of the signing keys.
pub(crate) fn read_rotation(storage: &dyn Storage) -> io::Result<Rotation> {
    let mut rotation = Rotation::default();
    read_entries(storage, |entry| rotation.see(entry))?;
    Ok(rotation)
}

/// Every whole entry of the trail, in order.
fn read_entries(storage: &dyn Storage, mut each: impl FnMut(&Entry<'_>)) -> io::Result<()> {
    for name in segments_in(&storage.list("")?) {
        let content = BufReader::with_capacity(1 << 20, storage.read(&name.to_string())?);
        for line in content.split(b'\n') {
            let line = line?;
            if let Some(entry) = Entry::parse(&line).ok().filter(Entry::hash_matches) {
                each(&entry);
            }
        }
    }
    Ok(())
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

    fn list(&self) -> Result<Vec<String>, OpenError> {
        self.io("", "list", self.storage.list(""))
    }

    fn create(&self, config: &AuditConfig) -> Result<Trail, OpenError> {
        let mut id = [0; 16];
        getrandom::fill(&mut id)?;
        let trail_id = uuid::Builder::from_random_bytes(id).into_uuid();
        let origin = origin(config, trail_id);
        let initial_key = match self.signer {
            Some(make) => make(&origin).verifier_key().to_string(),
            None => seal::generate(self.storage, &origin, 0)
                .map_err(|error| key_error(self.path, 0, error))?
                .verifier_key()
                .to_string(),
        };
        let info = TrailInfo {
            format: FORMAT.to_owned(),
            trail_id,
            origin,
            service_id: config.service_id.clone(),
            created_at: rfc3339(self.now),
            hash: "sha256".to_owned(),
            initial_key,
        };
        let text = serde_json::to_vec_pretty(&info).map_err(io::Error::from);
        let mut text = self.io("trail.json", "write", text)?;
        text.push(b'\n');
        self.io("trail.json", "write", self.storage.replace("trail.json", &mut text.as_slice()))?;
        Ok(Trail {
            info,
            head: Head::EMPTY,
            active: None,
            newest: None,
            closed: Vec::new(),
            recovered: None,
            last_control: None,
            key_since: None,
            newest_hashes: Vec::new(),
            rotation: Rotation::default(),
        })
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
            return Ok(Trail {
                info,
                head: Head::EMPTY,
                active: None,
                newest: None,
                closed: Vec::new(),
                recovered: None,
                last_control: None,
                key_since: None,
                newest_hashes: Vec::new(),
                rotation: Rotation::default(),
            });
        };
        let is_closed = |segment: SegmentName| {
            names.iter().any(|name| *name == checksum_name(&segment.to_string()))
        };
        let mut recovered = Recovered { same_boot: self.same_boot, ..Recovered::default() };
        let mut last = self.scan(newest, u64::MAX)?;
        let mut closed = Vec::new();
        let mut head = (last.kept.bytes > 0).then_some(last.kept.end);
        // From the newest to the oldest: a segment that was given up ends where the next one that
        // holds entries begins, and the head is in the newest one that holds any.
        let mut until = (last.kept.bytes > 0).then_some(Begins::At(last.kept.start.next_seq));
        for &segment in older.iter().rev() {
            let known = rows.get(&segment.to_string()).filter(|row| row.sha256.is_some());
            if let Some(row) = known.filter(|_| is_closed(segment) && head.is_some()) {
                if row.event_count > 0 {
                    until = Some(Begins::In(segment));
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
                if head.is_none() {
                    head = Some(scan.kept.end);
                    last.closed_in_order = scan.closed_in_order;
                    last.last_control = scan.last_control;
                    last.hashes = scan.hashes.clone();
                    last.rotation = scan.rotation.clone();
                }
            }
            closed.push(if is_closed(segment) {
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
        let active = if is_closed(newest) {
            closed.push(last.kept.row(Some((self.now, last.kept.sha256()))));
            // The checksum may be there and the permissions not, after a crash.
            self.io(&name, "close", self.storage.set_read_only(&name))?;
            None
        } else {
            Some(self.reopen(&last, head, &mut recovered)?)
        };
        let left_in_order = last.closed_in_order
            && recovered.quarantined_bytes == 0
            && recovered.damaged_at.is_none();
        let nothing_yet = head == Head::EMPTY && recovered.quarantined_bytes == 0;
        Ok(Trail {
            info,
            head,
            active,
            newest: Some(newest),
            closed,
            recovered: (!left_in_order && !nothing_yet).then_some(recovered),
            last_control: last.last_control,
            key_since: last.rotation.at.or_else(|| last.kept.created_at.parse().ok()),
            newest_hashes: last.hashes,
            rotation: last.rotation,
        })
    }

    /// Rows of the manifest by file name; none when it is missing or unreadable, as it is derived.
    fn manifest_rows(&self) -> Result<BTreeMap<String, ManifestFile>, OpenError> {
        let bytes = match read_to_vec(self.storage, "manifest.json", MAX_META) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(error) => return Err(io_error(&self.path.join("manifest.json"), "read", error)),
        };
        match serde_json::from_slice::<Manifest>(&bytes) {
            Ok(manifest) => {
                Ok(manifest.files.into_iter().map(|row| (row.filename.clone(), row)).collect())
            }
            Err(error) => {
                tracing::warn!(%error, "manifest.json is unreadable and will be rebuilt");
                Ok(BTreeMap::new())
            }
        }
    }

    fn scan(&self, segment: SegmentName, until_seq: u64) -> Result<Scan, OpenError> {
        let name = segment.to_string();
        let content = self.io(&name, "read", self.storage.read(&name))?;
        let limits = Limits { until_seq, holes_are_torn: !self.same_boot };
        self.io(&name, "read", scan(segment, content, limits, self.now))
    }
}

/// The configured origin, with the trail id in it so that it is never shared by two histories.
fn origin(config: &AuditConfig, trail_id: Uuid) -> String {
    match &config.origin {
        Some(origin) if origin.contains(&trail_id.to_string()) => origin.clone(),
        Some(origin) => format!("{}/{trail_id}", origin.trim_end_matches('/')),
        None => format!("{}/{trail_id}", config.service_id),
    }
}
