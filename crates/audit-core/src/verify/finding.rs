//! What a verification found: the stable names of FORMAT section 10.
//!
//! What must stay true here: names and severities never change meaning, programs match on them.
//! Memory is bounded however many findings a trail gives, and no kind is ever lost: the first of
//! each kind is kept and all are counted.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

/// How many findings are kept in full.
const MAX_KEPT: usize = 1_000;

/// Whether a finding makes a trail *violated*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The trail is not what was written.
    Violation,
    /// Something a reader should know.
    Notice,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $name:literal $severity:ident,)*) => {
        /// The kind of a finding, by its stable name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        #[non_exhaustive]
        pub enum FindingKind {
            $($(#[$doc])* #[serde(rename = $name)] $kind,)*
        }

        impl FindingKind {
            /// Every kind there is.
            pub const ALL: &[FindingKind] = &[$(FindingKind::$kind),*];

            /// Its stable name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(FindingKind::$kind => $name),* }
            }

            /// Whether it makes a trail *violated*.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(FindingKind::$kind => Severity::$severity),* }
            }
        }
    };
}

kinds! {
    /// A line that is not an entry.
    MalformedEntry "malformed_entry" Violation,
    /// The stated hash of an entry is not the hash of its bytes.
    HashMismatch "hash_mismatch" Violation,
    /// `prev_hash` is not the hash of the entry before.
    ChainBreak "chain_break" Violation,
    /// Entries are missing before this one.
    SequenceGap "sequence_gap" Violation,
    /// A `seq` that was there already.
    SequenceRepeat "sequence_repeat" Violation,
    /// A segment that should be there is not.
    SegmentMissing "segment_missing" Violation,
    /// A closed segment differs from its `.sha256`.
    SegmentChanged "segment_changed" Violation,
    /// `manifest.json` contradicts the segments.
    ManifestMismatch "manifest_mismatch" Violation,
    /// `trail.json` contradicts entry 0.
    TrailMismatch "trail_mismatch" Violation,
    /// `tree.hashes` contradicts the segments.
    TreeMismatch "tree_mismatch" Violation,
    /// Entries, but no checkpoint.
    CheckpointMissing "checkpoint_missing" Violation,
    /// A checkpoint that is not a signed note.
    CheckpointMalformed "checkpoint_malformed" Violation,
    /// A signature that does not hold under the key in force.
    SignatureInvalid "signature_invalid" Violation,
    /// The signed root is not the root of these entries.
    RootMismatch "root_mismatch" Violation,
    /// Fewer entries than were signed, or witnessed.
    Truncated "truncated" Violation,
    /// A change of keys that the old key does not vouch for.
    KeyRotationInvalid "key_rotation_invalid" Violation,
    /// A reference checkpoint is newer than the trail.
    Rollback "rollback" Violation,
    /// A reference checkpoint is not of this history.
    Fork "fork" Violation,
    /// Entries that are chained but not signed yet.
    UnsignedTail "unsigned_tail" Notice,
    /// The last line was being written.
    InFlight "in_flight" Notice,
    /// The key was taken from the trail itself.
    SelfAssertedKey "self_asserted_key" Notice,
    /// Nothing bounds how old this copy is.
    FreshnessUnknown "freshness_unknown" Notice,
    /// A witness says that it saw the trail at a time that has not come yet.
    CosignatureAhead "cosignature_ahead" Notice,
    /// A reference checkpoint is of entries that were deleted, and nothing proves that they were these.
    ReferenceUnproven "reference_unproven" Notice,
    /// Retention deleted the front, and nothing says what the tree over it was.
    FrontUnproven "front_unproven" Notice,
    /// More was said of deletions, changes of keys and recoveries than a verifier keeps in mind: which of it
    /// is void is not known.
    VoidUnknown "void_unknown" Notice,
    /// The writer recovered from a crash here.
    Recovered "recovered" Notice,
    /// The writer refused events here, and counted them.
    EventsDropped "events_dropped" Notice,
    /// The clock went back here.
    ClockStepped "clock_stepped" Notice,
    /// Expired segments were deleted.
    RetentionApplied "retention_applied" Notice,
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One finding, with its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// What it is.
    pub kind: FindingKind,
    /// How bad it is.
    pub severity: Severity,
    /// The file it is in, where it is in one.
    pub segment: Option<String>,
    /// Where in that file, in bytes.
    pub offset: Option<u64>,
    /// The entry, where it is known.
    pub seq: Option<u64>,
    /// What should be there.
    pub expected: Option<String>,
    /// What is there. From the trail, hence harmless only after escaping.
    pub found: Option<String>,
}

impl Finding {
    /// A finding without a place or evidence yet.
    #[must_use]
    pub const fn new(kind: FindingKind) -> Finding {
        Finding {
            kind,
            severity: kind.severity(),
            segment: None,
            offset: None,
            seq: None,
            expected: None,
            found: None,
        }
    }

    /// In this file.
    #[must_use]
    pub fn in_file(mut self, name: impl Into<String>) -> Finding {
        self.segment = Some(name.into());
        self
    }

    /// At this byte.
    #[must_use]
    pub const fn at(mut self, offset: u64) -> Finding {
        self.offset = Some(offset);
        self
    }

    /// Of this entry.
    #[must_use]
    pub const fn of(mut self, seq: u64) -> Finding {
        self.seq = Some(seq);
        self
    }

    /// What was expected and what was found.
    #[must_use]
    pub fn evidence(mut self, expected: impl fmt::Display, found: impl fmt::Display) -> Finding {
        self.expected = Some(expected.to_string());
        self.found = Some(found.to_string());
        self
    }
}

impl Finding {
    /// How much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        let texts = [&self.segment, &self.expected, &self.found];
        let texts = texts.into_iter().flatten().map(String::len);
        size_of::<Finding>() + texts.sum::<usize>()
    }
}

/// All findings of a verification, in bounded memory.
#[derive(Debug, Default, Clone)]
pub struct Findings {
    kept: Vec<Finding>,
    counts: BTreeMap<FindingKind, u64>,
}

impl Findings {
    /// Takes a finding in; past the first thousand only the first of each kind is kept.
    pub fn push(&mut self, finding: Finding) {
        let count = self.counts.entry(finding.kind).or_default();
        *count += 1;
        if *count == 1 || self.kept.len() < MAX_KEPT {
            self.kept.push(finding);
        }
    }

    /// Those that were kept, in the order they were found.
    #[must_use]
    pub fn kept(&self) -> &[Finding] {
        &self.kept
    }

    /// How many there were of each kind, kept or not.
    #[must_use]
    pub const fn counts(&self) -> &BTreeMap<FindingKind, u64> {
        &self.counts
    }

    /// Whether nothing stands against *proven*, where a seal holds.
    #[must_use]
    pub fn proven(&self) -> bool {
        let unproven = [FindingKind::ReferenceUnproven, FindingKind::VoidUnknown];
        !self.violated() && !unproven.iter().any(|kind| self.counts.contains_key(kind))
    }

    /// Whether any of them is a violation.
    #[must_use]
    pub fn violated(&self) -> bool {
        self.counts.keys().any(|kind| kind.severity() == Severity::Violation)
    }
}

/// In JSON: those that were kept.
impl Serialize for Findings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.kept.serialize(serializer)
    }
}
