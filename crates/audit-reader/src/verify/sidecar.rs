//! The files beside the segments: `trail.json`, `manifest.json`, `.sha256` (FORMAT sections 1, 2, 8).
//!
//! What must stay true here: nothing in them is believed. They are read *before* the segments, so
//! that what they say of a growing trail can only be too little, and each contradiction is a
//! finding. One that is missing contradicts nothing, except `trail.json`, which is not derived.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use audit_core::chain::Hash;
use audit_core::meta::{FORMAT, Manifest, ManifestFile, TrailInfo};
use audit_core::segment::SegmentName;
use audit_core::verify::{Finding, FindingKind as Kind};
use serde::de::DeserializeOwned;

use super::facts::{EntryZero, SegmentFacts};
use crate::{ReadError, Source};

/// The only hash of format version 1.
const HASH: &str = "sha256";
/// The largest `trail.json` and `.sha256` that are read.
const MAX_SMALL: u64 = 64 * 1024;
/// The largest `manifest.json` that is read: some hundred thousand segments.
const MAX_MANIFEST: u64 = 128 * 1024 * 1024;

/// A file of JSON.
#[derive(Debug)]
pub(super) enum Json<T> {
    Absent,
    Malformed(String),
    Read(T),
}

impl<T: DeserializeOwned> Json<T> {
    fn read(source: &Source, name: &str, limit: u64) -> Result<Json<T>, ReadError> {
        Ok(match source.small_file(name, limit)? {
            None => Json::Absent,
            Some(bytes) => match serde_json::from_slice(&bytes) {
                Ok(value) => Json::Read(value),
                Err(error) => Json::Malformed(error.to_string()),
            },
        })
    }
}

/// All of them, as they were before the segments were read.
#[derive(Debug)]
pub(super) struct Sidecars {
    pub(super) trail: Json<TrailInfo>,
    manifest: Json<Manifest>,
    /// What the `.sha256` files say; `Err` is what stands there instead.
    digests: BTreeMap<SegmentName, Result<Hash, String>>,
}

impl Sidecars {
    pub(super) fn read(source: &Source) -> Result<Sidecars, ReadError> {
        let mut digests = BTreeMap::new();
        for name in source.digests()? {
            if let Some(digest) = read_digest(source, name)? {
                digests.insert(name, digest);
            }
        }
        Ok(Sidecars {
            trail: Json::read(source, "trail.json", MAX_SMALL)?,
            manifest: read_manifest(source)?,
            digests,
        })
    }

    /// The segments whose digest is stated somewhere.
    pub(super) fn digested(&self) -> BTreeSet<SegmentName> {
        let rows = self.rows().iter().filter(|row| row.sha256.is_some());
        let rows = rows.filter_map(|row| SegmentName::parse(&row.filename));
        rows.chain(self.digests.keys().copied()).collect()
    }

    /// The segments that are closed, as they have a `.sha256`.
    pub(super) fn closed(&self) -> BTreeSet<SegmentName> {
        self.digests.keys().copied().collect()
    }

    /// The first key, as `trail.json` says.
    pub(super) fn initial_key(&self) -> Option<&str> {
        match &self.trail {
            Json::Read(trail) => Some(&trail.initial_key),
            Json::Absent | Json::Malformed(_) => None,
        }
    }

    fn rows(&self) -> &[ManifestFile] {
        match &self.manifest {
            Json::Read(manifest) => &manifest.files,
            Json::Absent | Json::Malformed(_) => &[],
        }
    }

    /// Holds `trail.json` against entry 0.
    pub(super) fn check_trail(&self, zero: Option<&EntryZero>, report: &mut dyn FnMut(Finding)) {
        let mut mismatch = |expected: &dyn Display, found: &dyn Display| {
            let finding = Finding::new(Kind::TrailMismatch).in_file("trail.json");
            report(finding.evidence(expected, found));
        };
        let trail = match &self.trail {
            Json::Absent => return mismatch(&"trail.json", &"no such file"),
            Json::Malformed(error) => return mismatch(&"trail.json of version 1", error),
            Json::Read(trail) => trail,
        };
        if trail.format != FORMAT {
            mismatch(&format!("format {FORMAT}"), &trail.format);
        }
        if trail.hash != HASH {
            mismatch(&format!("hash {HASH}"), &trail.hash);
        }
        let Some(zero) = zero else { return };
        if zero.event_type != "audit.trail_created" {
            return mismatch(&"audit.trail_created as entry 0", &zero.event_type);
        }
        let details: serde_json::Value = serde_json::from_str(&zero.details).unwrap_or_default();
        let said = |member: &str| details.get(member).and_then(|value| value.as_str());
        let trail_id = trail.trail_id.to_string();
        for (member, here, there) in [
            ("format", trail.format.as_str(), said("format")),
            ("trail_id", &trail_id, said("trail_id")),
            ("origin", &trail.origin, said("origin")),
            ("initial_key", &trail.initial_key, said("initial_key")),
            ("service_id", &trail.service_id, Some(zero.service_id.as_str())),
        ] {
            if there != Some(here) {
                let there = there.unwrap_or("nothing");
                mismatch(&format!("{member} {there}, as entry 0 says"), &here);
            }
        }
    }

    /// Holds `trail.json` against the name of the key that signed, where entry 0 was not read.
    pub(super) fn check_origin(&self, signed: &str, report: &mut dyn FnMut(Finding)) {
        if let Json::Read(trail) = &self.trail
            && trail.origin != signed
        {
            let finding = Finding::new(Kind::TrailMismatch).in_file("trail.json");
            report(finding.evidence(format!("origin {signed}, as signed"), &trail.origin));
        }
    }

    /// Holds the `.sha256` files against the segments.
    pub(super) fn check_digests(
        &self,
        source: &Source,
        facts: &[SegmentFacts],
        report: &mut dyn FnMut(Finding),
    ) -> Result<(), ReadError> {
        for SegmentFacts { name, sha256, .. } in facts {
            let (Some(stated), Some(actual)) = (self.digests.get(name), sha256) else { continue };
            if stated.as_ref() == Ok(actual) {
                continue;
            }
            // It may have been half written when it was read; a whole one never changes.
            let finding = Finding::new(Kind::SegmentChanged).in_file(name.to_string());
            match read_digest(source, *name)? {
                Some(Ok(stated)) if stated == *actual => {}
                Some(Ok(stated)) => report(finding.evidence(stated, actual)),
                Some(Err(text)) => {
                    report(finding.evidence("a .sha256 file as sha256sum writes it", text));
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Holds `manifest.json` against the segments.
    pub(super) fn check_manifest(&self, facts: &[SegmentFacts], report: &mut dyn FnMut(Finding)) {
        let mut mismatch = |file: &str, expected: &dyn Display, found: &dyn Display| {
            let finding = Finding::new(Kind::ManifestMismatch).in_file(file);
            report(finding.evidence(expected, found));
        };
        let manifest = match &self.manifest {
            Json::Absent => return,
            Json::Malformed(error) => {
                return mismatch("manifest.json", &"manifest.json of version 1", error);
            }
            Json::Read(manifest) => manifest,
        };
        if let Json::Read(trail) = &self.trail
            && trail.service_id != manifest.service_id
        {
            mismatch("manifest.json", &trail.service_id, &manifest.service_id);
        }
        let by_name: BTreeMap<_, _> = facts.iter().map(|segment| (segment.name, segment)).collect();
        let mut listed = BTreeSet::new();
        for row in &manifest.files {
            let Some(name) = SegmentName::parse(&row.filename) else {
                mismatch("manifest.json", &"the name of a segment", &row.filename.escape_debug());
                continue;
            };
            listed.insert(name);
            if let Some(segment) = by_name.get(&name)
                && let Some((expected, found)) = difference(row, segment)
            {
                let (expected, found) = (format!("{expected}, as listed"), found);
                mismatch(&row.filename, &expected, &found);
            }
        }
        // One that is newer than all that are listed was begun since, or just before a crash.
        for segment in facts.iter().filter(|segment| !listed.contains(&segment.name)) {
            if Some(&segment.name) < listed.last() {
                mismatch(&segment.name.to_string(), &"a row in manifest.json", &"none");
            }
        }
    }

    /// The segments that are spoken of.
    pub(super) fn spoken_of(&self) -> BTreeSet<SegmentName> {
        let rows = self.rows().iter().filter_map(|row| SegmentName::parse(&row.filename));
        rows.chain(self.digests.keys().copied()).collect()
    }

    /// Reports the segments that are spoken of, but neither there nor deleted by retention. Of those
    /// older than `since` nothing is said.
    pub(super) fn check_missing(
        &self,
        source: &Source,
        there: &BTreeSet<SegmentName>,
        since: Option<SegmentName>,
        deleted: &BTreeSet<SegmentName>,
        report: &mut dyn FnMut(Finding),
    ) -> Result<(), ReadError> {
        let spoken_of = self.spoken_of();
        let missing = spoken_of.difference(there);
        let missing: Vec<_> =
            missing.filter(|name| Some(**name) >= since && !deleted.contains(name)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        // Retention may have been at work since the sidecars were read: they have it by now.
        let digests: BTreeSet<_> = source.digests()?.into_iter().collect();
        let now = read_manifest(source)?;
        let rows: BTreeSet<_> = match &now {
            Json::Read(manifest) => {
                manifest.files.iter().map(|row| row.filename.as_str()).collect()
            }
            Json::Absent | Json::Malformed(_) => BTreeSet::new(),
        };
        for name in missing {
            let file = name.to_string();
            let row = rows.contains(file.as_str());
            if !row && !digests.contains(name) {
                continue;
            }
            let expected = if row { "the segment listed in manifest.json" } else { "its segment" };
            let finding = Finding::new(Kind::SegmentMissing).in_file(file);
            report(finding.evidence(expected, "no such file"));
        }
        Ok(())
    }
}

fn read_manifest(source: &Source) -> Result<Json<Manifest>, ReadError> {
    Json::read(source, "manifest.json", MAX_MANIFEST)
}

/// Reads the `.sha256` file of a segment: `<hex>  <file name>` and LF. `Err` is what stands there
/// instead.
fn read_digest(
    source: &Source,
    name: SegmentName,
) -> Result<Option<Result<Hash, String>>, ReadError> {
    let bytes = source.small_file(&format!("{name}.sha256"), MAX_SMALL)?;
    Ok(bytes.map(|bytes| {
        let digest = bytes.strip_suffix(format!("  {name}\n").as_bytes());
        digest.and_then(Hash::from_hex).ok_or_else(|| audit_core::entry::excerpt(&bytes))
    }))
}

/// The first thing a row says that is not so: what it says, and what is. A row of a segment that
/// was open when it was written may say less than there is.
fn difference(row: &ManifestFile, segment: &SegmentFacts) -> Option<(String, String)> {
    let closed = row.closed_at.is_some();
    let differ = |what: &str, said: &dyn Display, is: &dyn Display| {
        Some((format!("{what} {said}"), is.to_string()))
    };
    let at_most = |said: u64, is: u64| if closed { said == is } else { said <= is };
    if !at_most(row.event_count, segment.entries.count) {
        return differ("event_count", &row.event_count, &segment.entries.count);
    }
    if !at_most(row.size_bytes, segment.bytes) {
        return differ("size_bytes", &row.size_bytes, &segment.bytes);
    }
    match (&row.sha256, segment.sha256) {
        (Some(said), Some(is)) if *said != is.to_string() => {
            return differ("sha256", &said.escape_debug(), &is);
        }
        (Some(said), _) if !closed => {
            return differ("sha256", &said.escape_debug(), &"a segment that is not closed");
        }
        (None, _) if closed => return differ("sha256", &"null", &"a segment that is closed"),
        _ => {}
    }
    let first = segment.entries.first.as_ref()?;
    if row.first_seq != first.seq {
        return differ("first_seq", &row.first_seq, &first.seq);
    }
    // A row that was written when the segment had no entry yet knows of none.
    if row.first_audit_id != Some(first.audit_id) && (closed || row.first_audit_id.is_some()) {
        return differ("first_audit_id", &option(row.first_audit_id), &first.audit_id);
    }
    let prev_hash = first.prev_hash.to_string();
    if row.first_prev_hash != prev_hash {
        return differ("first_prev_hash", &row.first_prev_hash.escape_debug(), &prev_hash);
    }
    if !closed {
        return None;
    }
    let (last_id, last_hash) = segment.entries.last?;
    if row.last_audit_id != Some(last_id) {
        return differ("last_audit_id", &option(row.last_audit_id), &last_id);
    }
    if row.last_hash != last_hash.to_string() {
        return differ("last_hash", &row.last_hash.escape_debug(), &last_hash);
    }
    None
}

fn option(id: Option<uuid::Uuid>) -> String {
    id.map_or_else(|| "null".to_owned(), |id| id.to_string())
}
