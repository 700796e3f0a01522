//! Forged copies of the trail: what a forger can do, and by what it is found out.
//!
//! What must stay true here: only copies are touched. The forger is a careful one: he makes new
//! `.sha256` files and removes what can be derived, unless the forgery is about them. He reads the
//! signing key as a thief would: only the newest is there to be read.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use audit_core::chain::{HASH_SUFFIX, Hash, leaf_hash};
use audit_core::checkpoint::Checkpoint;
use audit_core::note::{Signer, SigningKey, VerifierKey};
use audit_core::tree::Frontier;
use audit_reader::{FindingKind, Report, VerifyOptions, verify_dir};
use sha2::{Digest, Sha256};

use super::DemoError;

/// Something done to a copy.
pub(super) struct Forgery {
    /// Name of its directory.
    pub(super) name: &'static str,
    /// What was done, in words.
    pub(super) what: &'static str,
    /// What it must be found out by: one of these.
    pub(super) betrayed_by: &'static [FindingKind],
    /// Makes the `.sha256` files new, so that only the chain can tell.
    sums_made_new: bool,
    act: fn(&mut Copy, at: usize) -> std::io::Result<()>,
}

/// What the evening's entry says of who did it.
const BOB: &str = "\"user_id\":\"bob\"";

/// All that are shown.
pub(super) const FORGERIES: [Forgery; 9] = [
    Forgery {
        name: "1-edited",
        what: "one word changed in an entry",
        betrayed_by: &[FindingKind::HashMismatch],
        sums_made_new: true,
        act: |copy, at| {
            copy.whitewash(at);
            Ok(())
        },
    },
    Forgery {
        name: "2-edited-and-rehashed",
        what: "the same, and the entry's hash computed anew",
        betrayed_by: &[FindingKind::ChainBreak],
        sums_made_new: true,
        act: |copy, at| {
            copy.whitewash(at);
            copy.rehash(at);
            Ok(())
        },
    },
    Forgery {
        name: "3-deleted",
        what: "an entry taken out",
        betrayed_by: &[FindingKind::SequenceGap],
        sums_made_new: true,
        act: |copy, at| {
            copy.lines.remove(at);
            Ok(())
        },
    },
    Forgery {
        name: "4-reordered",
        what: "two entries exchanged",
        betrayed_by: &[FindingKind::ChainBreak],
        sums_made_new: true,
        act: |copy, at| {
            copy.lines.swap(at, at + 1);
            Ok(())
        },
    },
    Forgery {
        name: "5-cut",
        what: "the end of a closed segment cut off",
        betrayed_by: &[FindingKind::SegmentChanged],
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
            Ok(())
        },
    },
    Forgery {
        name: "6-blamed-on-alice",
        what: "an entry of the evening blamed on alice, and every hash after it computed anew",
        betrayed_by: &[FindingKind::RootMismatch],
        sums_made_new: true,
        act: |copy, _| {
            let at = copy.blame()?;
            copy.rehash_from(at);
            Ok(())
        },
    },
    Forgery {
        name: "7-rewritten-to-the-end",
        what: "the failed login changed, and every hash to the end computed anew",
        betrayed_by: &[FindingKind::KeyRotationInvalid],
        sums_made_new: true,
        act: |copy, at| {
            copy.whitewash(at);
            copy.rehash_from(at);
            Ok(())
        },
    },
    Forgery {
        name: "8-seal-taken-away",
        what: "the same, and the seal taken away",
        betrayed_by: &[FindingKind::CheckpointMissing],
        sums_made_new: true,
        act: |copy, at| {
            copy.whitewash(at);
            copy.rehash_from(at);
            copy.checkpoint = None;
            Ok(())
        },
    },
    Forgery {
        name: "9-signed-again",
        what: "the same, and all signed again with the stolen current key",
        betrayed_by: &[FindingKind::KeyRotationInvalid, FindingKind::SignatureInvalid],
        sums_made_new: true,
        act: |copy, at| {
            copy.whitewash(at);
            copy.sign_again(at)
        },
    },
];

/// The one that the files alone do not give away: the key of today signs for today.
pub(super) const SIGNED_TODAY: Forgery = Forgery {
    name: "11-signed-today",
    what: "an entry of the evening blamed on alice, and signed again with the stolen current key",
    betrayed_by: &[],
    sums_made_new: true,
    act: |copy, _| {
        let at = copy.blame()?;
        copy.sign_again(at)
    },
};

/// A copy of a trail, in memory.
struct Copy {
    segments: Vec<String>,
    lines: Vec<Line>,
    checkpoint: Option<String>,
    /// What the thief finds: the key of today.
    key: SigningKey,
}

struct Line {
    /// Index of its segment.
    segment: usize,
    text: String,
}

impl Forgery {
    /// Makes the forged copy under `parent`; gives where it is.
    pub(super) fn make(&self, trail: &Path, parent: &Path) -> Result<PathBuf, DemoError> {
        let target = parent.join(self.name);
        let failed = DemoError::io(format!("copy the trail to {}", target.display()));
        self.forge(trail, &target).map_err(failed)?;
        Ok(target)
    }

    /// Makes it and verifies it.
    pub(super) fn commit(
        &self,
        trail: &Path,
        parent: &Path,
        pinned: &VerifierKey,
    ) -> Result<Report, DemoError> {
        let target = self.make(trail, parent)?;
        Ok(verify_dir(&target, VerifyOptions::default().with_key(pinned.clone()))?)
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
        (self.act)(&mut copy, at)?;
        copy.write(target, self.sums_made_new)
    }
}

impl Copy {
    /// Copies the files, keys, lock and `witnessed` left out, and takes the lines of the segments in.
    fn read(trail: &Path, target: &Path) -> std::io::Result<Copy> {
        fs::create_dir_all(target)?;
        let mut segments = Vec::new();
        for entry in fs::read_dir(trail)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // What a witness signed is nothing that the forger can make: he takes it away.
            if !entry.file_type()?.is_file() || ["lock", "witnessed"].contains(&name.as_str()) {
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
        let checkpoint = fs::read_to_string(target.join("checkpoint"))?;
        Ok(Copy { segments, lines, checkpoint: Some(checkpoint), key: steal_key(trail)? })
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
        for derived in ["manifest.json", "tree.hashes"].map(|name| target.join(name)) {
            if sums_made_new && derived.exists() {
                fs::remove_file(derived)?;
            }
        }
        let checkpoint = target.join("checkpoint");
        match &self.checkpoint {
            Some(note) => fs::write(checkpoint, note),
            None => fs::remove_file(checkpoint),
        }
    }

    /// A failed login becomes a success.
    fn whitewash(&mut self, at: usize) {
        let line = &mut self.lines[at].text;
        *line = line.replacen("\"result\":\"failure\"", "\"result\":\"success\"", 1);
    }

    /// What bob did last becomes something that alice did. Gives where.
    fn blame(&mut self) -> std::io::Result<usize> {
        let last = self.segments.len().saturating_sub(1);
        let bobs = |line: &Line| line.segment == last && line.text.contains(BOB);
        let at = self.lines.iter().rposition(bobs);
        let at = at.ok_or_else(|| std::io::Error::other("bob did nothing in the evening"))?;
        let line = &mut self.lines[at].text;
        *line = line.replacen(BOB, "\"user_id\":\"alice\"", 1);
        Ok(at)
    }

    fn rehash_from(&mut self, at: usize) {
        (at..self.lines.len()).for_each(|at| self.rehash(at));
    }

    /// Links the entry to the one before and computes its hash.
    fn rehash(&mut self, at: usize) {
        let previous = at
            .checked_sub(1)
            .and_then(|before| hash_of(&self.lines[before].text).map(str::to_owned));
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

    /// Makes every hash and every signature from `at` on anew: also those of keys that are gone, as
    /// well as it can be done with the key of today.
    fn sign_again(&mut self, at: usize) -> std::io::Result<()> {
        let mut tree = Frontier::new();
        for index in 0..self.lines.len() {
            if index >= at {
                if self.lines[index].text.contains("\"event_type\":\"audit.epoch_sealed\"") {
                    let note = self.sign(&tree)?;
                    let lines: Vec<&str> = note.lines().collect();
                    let note = serde_json::to_string(&lines)?;
                    let text = &mut self.lines[index].text;
                    let start = text.find("\"checkpoint\":[").map(|at| at + 13);
                    let end = start.and_then(|at| Some(at + text.get(at..)?.find(']')? + 1));
                    if let (Some(start), Some(end)) = (start, end) {
                        text.replace_range(start..end, &note);
                    }
                }
                self.rehash(index);
            }
            let stated =
                hash_of(&self.lines[index].text).and_then(|hex| Hash::from_hex(hex.as_bytes()));
            tree.push(stated.ok_or_else(|| std::io::Error::other("an entry without a hash"))?);
        }
        self.checkpoint = Some(self.sign(&tree)?);
        Ok(())
    }

    fn sign(&self, tree: &Frontier) -> std::io::Result<String> {
        let checkpoint = Checkpoint::new(self.key.name(), tree.size(), tree.root());
        let signed = checkpoint.sign(&self.key).map_err(std::io::Error::other)?;
        Ok(signed.to_string())
    }
}

/// The hash that an entry states, in hex.
fn hash_of(text: &str) -> Option<&str> {
    text.get(text.len().checked_sub(66)?..text.len() - 2)
}

/// The only private key there is: those before it were destroyed when their time was over.
fn steal_key(trail: &Path) -> std::io::Result<SigningKey> {
    let file = fs::read_dir(trail.join("keys"))?.next();
    let file = file.ok_or_else(|| std::io::Error::other("no key to steal"))??;
    SigningKey::parse(&fs::read_to_string(file.path())?).map_err(std::io::Error::other)
}
