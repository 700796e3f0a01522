//! Forged copies of the trail: what a forger can do, and by what it is found out.
//!
//! What must stay true here: only copies are touched. The forger is a careful one: he makes new
//! `.sha256` files and removes the manifest, unless the forgery is about them. What is not found
//! out in this release is shown as well, and called by its name.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use audit_core::chain::{HASH_SUFFIX, leaf_hash};
use audit_reader::{FindingKind, Report, VerifyOptions, verify_dir};
use sha2::{Digest, Sha256};

use super::DemoError;

/// Something done to a copy.
pub(super) struct Forgery {
    /// Name of its directory.
    pub(super) name: &'static str,
    /// What was done, in words.
    pub(super) what: &'static str,
    /// What it must be found out by; nothing, if this release cannot.
    pub(super) betrayed_by: Option<FindingKind>,
    /// Makes the `.sha256` files new, so that only the chain can tell.
    sums_made_new: bool,
    act: fn(&mut Copy, at: usize),
}

/// All that are shown.
pub(super) const FORGERIES: [Forgery; 6] = [
    Forgery {
        name: "1-edited",
        what: "one word changed in an entry",
        betrayed_by: Some(FindingKind::HashMismatch),
        sums_made_new: true,
        act: |copy, at| copy.whitewash(at),
    },
    Forgery {
        name: "2-edited-and-rehashed",
        what: "the same, and the entry's hash computed anew",
        betrayed_by: Some(FindingKind::ChainBreak),
        sums_made_new: true,
        act: |copy, at| {
            copy.whitewash(at);
            copy.rehash(at);
        },
    },
    Forgery {
        name: "3-deleted",
        what: "an entry taken out",
        betrayed_by: Some(FindingKind::SequenceGap),
        sums_made_new: true,
        act: |copy, at| drop(copy.lines.remove(at)),
    },
    Forgery {
        name: "4-reordered",
        what: "two entries exchanged",
        betrayed_by: Some(FindingKind::ChainBreak),
        sums_made_new: true,
        act: |copy, at| copy.lines.swap(at, at + 1),
    },
    Forgery {
        name: "5-cut",
        what: "the end of a closed segment cut off",
        betrayed_by: Some(FindingKind::SegmentChanged),
        sums_made_new: false,
        act: |copy, at| {
            let segment = copy.lines[at].segment;
            let mut left = copy.lines.iter().filter(|line| line.segment == segment).count();
            left = left.saturating_sub(10);
            copy.lines.retain(|line| {
                let keep = line.segment != segment || left > 0;
                left -= usize::from(line.segment == segment && keep);
                keep
            });
        },
    },
    Forgery {
        name: "6-rewritten-to-the-end",
        what: "one word changed, and every hash after it computed anew",
        betrayed_by: None,
        sums_made_new: true,
        act: |copy, at| {
            copy.whitewash(at);
            for at in at..copy.lines.len() {
                copy.rehash(at);
            }
        },
    },
];

/// A copy of a trail, in memory.
struct Copy {
    segments: Vec<String>,
    lines: Vec<Line>,
}

struct Line {
    /// Index of its segment.
    segment: usize,
    text: String,
}

impl Forgery {
    /// Makes the forged copy under `parent` and verifies it.
    pub(super) fn commit(
        &self,
        trail: &Path,
        parent: &Path,
    ) -> Result<(PathBuf, Report), DemoError> {
        let target = parent.join(self.name);
        let failed = DemoError::io(format!("copy the trail to {}", target.display()));
        self.forge(trail, &target).map_err(failed)?;
        let report = verify_dir(&target, VerifyOptions::default())?;
        Ok((target, report))
    }

    fn forge(&self, trail: &Path, target: &Path) -> std::io::Result<()> {
        let mut copy = Copy::read(trail, target)?;
        // The first trace of the attack that has a neighbour, in a segment that is closed.
        let last = copy.segments.len().saturating_sub(1);
        let trace = copy.lines.windows(2).position(|pair| {
            pair[0].text.contains("\"event_type\":\"auth.failure\"")
                && pair[1].segment == pair[0].segment
                && pair[0].segment < last
        });
        let at = trace.ok_or_else(|| std::io::Error::other("no trace of the attack to remove"))?;
        (self.act)(&mut copy, at);
        copy.write(target, self.sums_made_new)
    }
}

impl Copy {
    /// Copies the files, keys and lock left out, and takes the lines of the segments in.
    fn read(trail: &Path, target: &Path) -> std::io::Result<Copy> {
        fs::create_dir_all(target)?;
        let mut segments = Vec::new();
        for entry in fs::read_dir(trail)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !entry.file_type()?.is_file() || name == "lock" {
                continue;
            }
            fs::copy(entry.path(), target.join(&name))?;
            fs::set_permissions(target.join(&name), fs::Permissions::from_mode(0o600))?;
            segments.extend(audit_core::segment::SegmentName::parse(&name));
        }
        segments.sort_unstable();
        let segments: Vec<String> = segments.iter().map(ToString::to_string).collect();
        let mut lines = Vec::new();
        for (segment, name) in segments.iter().enumerate() {
            let text = fs::read_to_string(target.join(name))?;
            lines.extend(text.lines().map(|line| Line { segment, text: line.to_owned() }));
        }
        Ok(Copy { segments, lines })
    }

    fn write(&self, target: &Path, sums_made_new: bool) -> std::io::Result<()> {
        for (segment, name) in self.segments.iter().enumerate() {
            let lines = self.lines.iter().filter(|line| line.segment == segment);
            let text: String = lines.map(|line| format!("{}\n", line.text)).collect();
            fs::write(target.join(name), &text)?;
            let sums = target.join(format!("{name}.sha256"));
            if sums_made_new && sums.exists() {
                let digest: [u8; 32] = Sha256::digest(&text).into();
                fs::write(sums, format!("{}  {name}\n", audit_core::chain::Hash(digest)))?;
            }
        }
        let manifest = target.join("manifest.json");
        if sums_made_new && manifest.exists() {
            fs::remove_file(manifest)?;
        }
        Ok(())
    }

    /// A failed login becomes a success.
    fn whitewash(&mut self, at: usize) {
        let line = &mut self.lines[at].text;
        *line = line.replacen("\"result\":\"failure\"", "\"result\":\"success\"", 1);
    }

    /// Links the entry to the one before and computes its hash.
    fn rehash(&mut self, at: usize) {
        let previous = at.checked_sub(1).and_then(|before| {
            let text = &self.lines[before].text;
            text.get(text.len().checked_sub(66)?..text.len() - 2).map(str::to_owned)
        });
        let line = &mut self.lines[at].text;
        line.truncate(line.len().saturating_sub(HASH_SUFFIX));
        if let Some(previous) = previous {
            line.truncate(line.len().saturating_sub(65));
            line.push_str(&previous);
            line.push('"');
        }
        let hash = leaf_hash(line.as_bytes());
        line.push_str(&format!(",\"hash\":\"{hash}\"}}"));
    }
}
