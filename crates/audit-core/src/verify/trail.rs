//! A whole verification, fed with items in the order of the trail.
//!
//! What must stay true here: each entry goes through the chain, the tree and the walk over the keys
//! in this order, once. *Proven* takes a seal that holds and no violation; nothing else gives it.

mod walk;

use std::collections::{BTreeMap, BTreeSet};

use super::chain::Chain;
use super::control::ControlKind;
use super::finding::{Finding, FindingKind as Kind};
use super::item::{Item, Kind as ItemKind, Run};
use super::keys::{EpochKey, KeyWalk, NamedIn};
use super::scan::StoredHashes;
use super::seals::{At, Bound, Facts, Seals};
use super::summary::{FirstKey, Summary};
use super::tree::{Tree, root_before};
use super::verified::{Unkeyed, Verified};
use crate::note::VerifierKey;
use crate::segment::SegmentName;
use crate::tree::empty_root;

/// Verifies a trail.
#[derive(Debug)]
pub struct TrailVerifier {
    seals: Seals,
    watched: BTreeSet<u64>,
    at: BTreeMap<u64, At>,
    chain: Chain,
    tree: Tree,
    keys: KeyWalk,
    /// The key given signed a change of keys: where nothing named it before, it was in force all along.
    was_in_force: bool,
    pinned: bool,
    has_mismatch: bool,
    /// The size that an earlier verification ended at.
    resumed: Option<u64>,
    /// Where the trail may begin, as that one knew.
    fronts: BTreeSet<u64>,
    /// The newest segment ends in the middle of a line.
    torn: Option<Finding>,
}

impl TrailVerifier {
    /// A verification from entry 0.
    #[must_use]
    pub fn new(first: FirstKey, seals: Seals) -> TrailVerifier {
        let (key, pinned) = match first {
            FirstKey::Pinned(key) => (Some(key), true),
            FirstKey::SelfAsserted(text) => {
                (text.and_then(|text| VerifierKey::parse(&text).ok()), false)
            }
        };
        let (watched, signed) = (seals.sizes(), seals.signed());
        let mut verifier = TrailVerifier {
            seals,
            watched,
            at: BTreeMap::new(),
            chain: Chain::new(signed),
            tree: Tree::default(),
            keys: KeyWalk::from(key.map(|key| EpochKey { epoch: Some(0), key })),
            was_in_force: false,
            pinned,
            has_mismatch: false,
            resumed: None,
            fronts: BTreeSet::new(),
            torn: None,
        };
        let key = verifier.keys.current().cloned();
        verifier.at.insert(0, At { root: Some(empty_root()), key, verified: None });
        verifier
    }

    /// A verification that goes on where an earlier one ended; `None` if that is no tree.
    #[must_use]
    pub fn resume(from: &Verified, pinned: bool, seals: Seals) -> Option<TrailVerifier> {
        let place = &from.place;
        let size = place.head.next_seq;
        let tree = Tree::resumed(size, &place.subtrees, place.changed(), &place.since)?;
        let (watched, signed) = (seals.sizes(), seals.signed());
        let root = tree.head().map(|(_, root)| root);
        let key = Some(place.key.clone());
        let at = At { root, key, verified: Some(Unkeyed::of(place)) };
        let (first, rotations) = (from.first_key.clone(), place.rotations.clone());
        Some(TrailVerifier {
            seals,
            watched,
            at: BTreeMap::from([(size, at)]),
            chain: Chain::resumed(place.head, place.first_seq, signed),
            tree,
            keys: KeyWalk::resumed(first, place.key.clone(), rotations),
            was_in_force: false,
            pinned,
            has_mismatch: false,
            resumed: Some(size),
            fronts: place.fronts.clone(),
            torn: None,
        })
    }

    /// Of a verification that goes on: `seq` of the first entry that is there, which is in this segment.
    /// Where retention has been at work since, an entry has to say so.
    pub fn begins_now(&mut self, seq: u64, segment: &str) {
        if self.chain.first_seq().unwrap_or(0) != seq && !self.fronts.contains(&seq) {
            self.chain.begins_now(seq, segment);
        }
    }

    /// The key that the trail says is in force where it begins ([`FrontWords`](super::FrontWords)). It is
    /// begun with if the front is gone and nobody gave one.
    pub fn front_says(&mut self, key: VerifierKey) {
        self.keys.front_says(key);
    }

    /// The segments that may be missing: of others it does not matter whether they were deleted.
    pub fn look_for(&mut self, segments: BTreeSet<SegmentName>) {
        self.chain.look_for(segments);
    }

    /// The sizes that a [`Scanner`](super::Scanner) must end runs at.
    #[must_use]
    pub fn watched(&self) -> BTreeSet<u64> {
        self.watched.clone()
    }

    /// The items that follow are of this segment.
    pub fn begin_segment(&mut self, name: &str) {
        self.chain.begin_segment(name);
    }

    /// Takes the next item.
    pub fn item(&mut self, item: Item, stored: &mut dyn StoredHashes) {
        match item.0 {
            ItemKind::Run(run) => self.run(&run, stored),
            ItemKind::Unreadable(finding) => self.chain.unreadable(finding),
            ItemKind::Torn(finding) => self.torn = Some(self.chain.in_segment(finding)),
            ItemKind::Reported(finding) => self.chain.report(finding),
            ItemKind::TreeMismatch(finding) => self.mismatch(finding),
        }
    }

    /// Adds a finding from outside the entries.
    pub fn report(&mut self, finding: Finding) {
        self.chain.report(finding);
    }

    /// The size of the trail so far.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.chain.head().next_seq
    }

    fn mismatch(&mut self, finding: Finding) {
        // One wrong hash, or all of them: one finding says so.
        if !std::mem::replace(&mut self.has_mismatch, true) {
            self.chain.report(finding);
        }
    }

    fn run(&mut self, run: &Run, stored: &mut dyn StoredHashes) {
        let before = self.tree.head().map(|(size, _)| size);
        let begins = self.chain.first_seq().is_none() && run.seq > 0;
        if let Some(finding) = self.tree.begin(run, stored) {
            self.mismatch(finding);
        }
        let names_key = run.control.as_ref().is_some_and(|c| c.kind == ControlKind::KeyRotated);
        let subtrees = if names_key { self.tree.subtrees() } else { None };
        if begins {
            self.keys.without_front(self.pinned);
            self.look_before(run.seq, stored);
        }
        self.chain.run(run);
        if let Some(finding) = self.tree.add(run, stored) {
            self.mismatch(finding);
        }
        let head = self.tree.head();
        let repeated = head.is_some() && head.map(|(size, _)| size) == before;
        if !repeated {
            let named = subtrees.zip(head).map(|(before, (_, root))| {
                let since = self.tree.since_change();
                NamedIn { root, before, since }
            });
            self.walk(run, named);
        }
        let size = run.seq.saturating_add(run.count);
        if self.watched.contains(&size) {
            let root = head.filter(|(at, _)| *at == size).map(|(_, root)| root);
            let key = self.keys.current().cloned();
            let verified = root.and_then(|_| self.verified(run));
            let at = self.at.entry(size).or_default();
            if at.root.is_none() {
                *at = At { root, key, verified };
            }
        }
    }

    /// What is known of the trees that somebody asked about and whose entries retention deleted.
    fn look_before(&mut self, front: u64, stored: &mut dyn StoredHashes) {
        let Some((_, root)) = self.tree.head() else { return };
        for &size in self.watched.range(1..front) {
            let root = root_before(size, front, &root, stored);
            self.at.entry(size).or_default().root = root;
        }
        if self.watched.contains(&front) {
            let key = self.keys.current().cloned();
            self.at.insert(front, At { root: Some(root), key, verified: None });
        }
    }

    /// Where a later verification can go on after the last entry of a run.
    fn verified(&self, run: &Run) -> Option<Unkeyed> {
        if self.keys.is_rotating() {
            return None;
        }
        Some(Unkeyed {
            head: self.chain.head(),
            first_seq: self.chain.first_seq(),
            subtrees: self.tree.subtrees()?,
            since: self.tree.since_change(),
            rotations: self.keys.rotations().cloned()?,
            segment: self.chain.segment().to_owned(),
            last: run.last,
        })
    }

    /// What a crash leaves of a line that was never signed takes nothing from what was. Of what was
    /// signed nothing may be missing.
    fn judge_torn(&mut self, sealed: bool) {
        if let Some(mut finding) = self.torn.take() {
            if sealed {
                finding.kind = Kind::InFlight;
                finding.severity = Kind::InFlight.severity();
            }
            self.chain.report(finding);
        }
    }

    /// Ends the verification.
    #[must_use]
    pub fn finish(mut self) -> Summary {
        let deleted = self.chain.deleted();
        self.chain.check_front(&deleted);
        let head = self.chain.head();
        let (entries, last_key) = (self.chain.entries(), self.keys.current());
        let facts = Facts {
            at: &self.at,
            end: head.next_seq,
            entries,
            last_key,
            pruned: deleted.front,
            begin: self.resumed.or(self.chain.first_seq()).unwrap_or(0),
            resumed: self.resumed,
        };
        let judged = self.seals.judge(&facts);
        self.chain.report_rotations(self.was_in_force || judged.seal.is_some());
        if deleted.front && self.tree.is_headless() {
            let front = self.chain.first_seq().unwrap_or(0);
            let expected = format!("the tree of the first {front} entries, which were deleted");
            let found = "it is neither in tree.hashes nor in the entry that says so";
            self.chain.report(Finding::new(Kind::FrontUnproven).evidence(expected, found));
        }
        for finding in judged.findings {
            self.chain.report(finding);
        }
        self.judge_torn(judged.seal.is_some());
        let unsigned_tail = judged.seal.as_ref().map(|seal| head.next_seq - seal.size);
        if let Some(tail @ 1..) = unsigned_tail {
            let found = match self.keys.is_rotating() {
                true => format!("{tail} entries, the last of them begins a change of keys"),
                false => format!("{tail} entries"),
            };
            let expected = "a checkpoint over all entries, within a second";
            self.report(Finding::new(Kind::UnsignedTail).evidence(expected, found));
        }
        if judged.any_signature && !self.pinned {
            let found = self.keys.first().map_or("none".to_owned(), ToString::to_string);
            let expected = "a key given by whoever verifies";
            self.report(Finding::new(Kind::SelfAssertedKey).evidence(expected, found));
        }
        if judged.bound == Bound::Unknown {
            let expected = "a reference checkpoint or a cosignature";
            self.report(Finding::new(Kind::FreshnessUnknown).evidence(expected, "neither"));
        }
        let mut fronts = self.fronts;
        fronts.extend(deleted.fronts);
        fronts.retain(|front| Some(*front) > self.chain.first_seq());
        let verified = judged.seal.as_ref().filter(|_| self.chain.findings().proven());
        let place = verified.and_then(|seal| {
            Some(self.at.remove(&seal.size)?.verified?.with(seal.key.clone(), fronts))
        });
        let (first_seq, last_seq) = (self.chain.first_seq(), self.chain.last_seq());
        let first_key = self.keys.first().cloned();
        let checkpoint = self.seals.checkpoint.and_then(Result::ok);
        let verified = place.zip(first_key.clone()).zip(checkpoint);
        let verified = verified.map(|((place, first_key), checkpoint)| Verified {
            first_key,
            checkpoint,
            place,
        });
        Summary {
            findings: self.chain.into_findings(),
            entries,
            first_seq,
            last_seq,
            seal: judged.seal,
            unsigned_tail,
            bound: judged.bound,
            first_key,
            deleted: deleted.names,
            verified,
        }
    }
}
