//! What entries say of keys that came and went.
//!
//! What must stay true here: what entries name is a claim. A key follows another by the word of the one
//! before it, which is its checkpoint in the entry that seals its epoch.

use audit_core::checkpoint::{Checkpoint, SignedCheckpoint};
use audit_core::entry::Entry;
use audit_core::note::VerifierKey;
use jiff::Timestamp;

/// What the newest entries say of the keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rotation {
    /// The last entry of all is an `audit.key_rotated`: its `seq`, and the key that it names with its epoch.
    pub(crate) begun: Option<(u64, u64, String)>,
    /// Every key that is said to have come into force. Whether the key before said so,
    /// [`Rotation::followed`] looks.
    history: Vec<Named>,
    /// Of every such entry the epoch, its `seq`, and what should be the old key's checkpoint.
    words: Vec<(u64, u64, String)>,
    /// When that was.
    pub(crate) at: Option<Timestamp>,
}

impl Rotation {
    /// Takes notice of the next entry. Malformed details count as none: verification names them.
    pub(crate) fn see(&mut self, entry: &Entry<'_>) {
        let begun = self.begun.take();
        let details =
            || -> Option<serde_json::Value> { serde_json::from_str(entry.details()?).ok() };
        match entry.event_type() {
            "audit.key_rotated" => {
                let details = details();
                let epoch = details.as_ref().and_then(|d| d["epoch"].as_u64());
                let vkey = details.as_ref().and_then(|d| d["new_key"].as_str());
                let named = epoch.zip(vkey.map(str::to_owned));
                self.begun = named.map(|(epoch, vkey)| (entry.seq(), epoch, vkey));
            }
            "audit.epoch_sealed" => {
                let details = details();
                let ended = details.as_ref().and_then(|d| d["epoch"].as_u64());
                let lines = details.as_ref().and_then(|d| d["checkpoint"].as_array());
                let lines: Option<Vec<&str>> =
                    lines.and_then(|lines| lines.iter().map(serde_json::Value::as_str).collect());
                // What is no checkpoint is said all the same, and nobody's word.
                let note = lines.map_or_else(String::new, |lines| lines.join("\n") + "\n");
                let word = ended.map(|epoch| (epoch, entry.seq(), note));
                self.words.extend(word);
                // Not every entry may be shown to us.
                let before = begun.filter(|(seq, ..)| seq.checked_add(1) == Some(entry.seq()));
                if let Some((seq, epoch, vkey)) = before {
                    self.history.push(Named { seq, epoch, vkey });
                    // An entry's time is one; without it the key is as old as its segment.
                    self.at = entry.timestamp().parse().ok();
                }
            }
            _ => {}
        }
    }

    /// True when any entry says that this epoch ended, whoever wrote it.
    pub(super) fn is_said_to_be_over(&self, epoch: u64) -> bool {
        self.words.iter().any(|(ended, ..)| *ended == epoch)
    }

    /// True when a change of keys names this key as the next one, whoever wrote it.
    pub(super) fn names(&self, vkey: &str) -> bool {
        self.history.iter().any(|named| named.vkey == vkey)
    }

    /// True when no entry names any key, as far as they are here.
    pub(super) const fn names_none(&self) -> bool {
        self.history.is_empty()
    }

    /// True when this key follows from the first one by the words of those between, and no other from it.
    /// Nobody without a key can make that so.
    pub(super) fn ends_with(&self, vkey: &str, first: &str) -> bool {
        self.followed(first).last().is_some_and(|last| last.vkey == vkey)
    }

    /// What the entries call this key.
    pub(super) fn naming(&self, epoch: u64, vkey: &str) -> Naming {
        let is = |of: &dyn Fn(&Named) -> bool| self.history.iter().any(of);
        let is_other = is(&|named| named.epoch == epoch && named.vkey != vkey);
        if is(&|named| named.epoch == epoch && named.vkey == vkey) {
            if is_other { Naming::Disputed } else { Naming::This }
        } else if self.names(vkey) {
            Naming::OtherEpoch
        } else {
            Naming::Nothing
        }
    }

    /// What the key of an epoch that ended said then: its checkpoint of all before that entry, the last of
    /// which names the next key. Any other checkpoint of the key proves nothing, and anybody can put it there.
    pub(super) fn last_word_of(&self, epoch: u64, vkey: &str) -> Option<Checkpoint> {
        let mut words = self.words.iter().filter(|(ended, at, _)| {
            *ended == epoch && self.history.iter().any(|named| is_sealed_at(named.seq, *at))
        });
        words.find_map(|(_, seq, note)| word_of(vkey, *seq, note))
    }

    /// The key that signed a checkpoint of so many entries which `current` did not: one before it, if the
    /// checkpoint is from before `current` came into force. `first` is the key that the trail begins with;
    /// from there on each must have said itself which one follows. Whoever can write the files can name any
    /// key after that, and `current` is in force all the same.
    ///
    /// What a key says when its epoch ends stands in an entry, for anybody to copy, and it never publishes
    /// a checkpoint of that size: one that is found is not the last that was signed.
    pub(crate) fn key_before(&self, current: &str, size: u64, first: &str) -> Option<KeyBefore> {
        let epochs = self.followed(first);
        let now = epochs.iter().position(|epoch| epoch.vkey == current)?;
        let then = epochs.iter().rposition(|epoch| epoch.has_begun_at(size))?;
        // Anybody can put a copy of any checkpoint into an entry; behind one that names a key, nobody can.
        if epochs
            .get(then + 1)
            .is_some_and(|next| next.word.as_ref().is_some_and(|w| w.size == size))
        {
            return None;
        }
        let later = epochs.get(then + 1..=now).filter(|later| !later.is_empty())?;
        let words = later.iter().filter_map(|epoch| epoch.word.clone()).collect();
        Some(KeyBefore { vkey: epochs.get(then)?.vkey.to_owned(), words })
    }

    /// The key in force at a size, if `first` was before all of these.
    pub(crate) fn in_force<'a>(&'a self, size: u64, first: &'a str) -> &'a str {
        let mut epochs = self.followed(first).into_iter();
        epochs.rfind(|epoch| epoch.has_begun_at(size)).map_or(first, |epoch| epoch.vkey)
    }

    /// The keys that followed each other by the word of the one before.
    fn followed<'a>(&'a self, first: &'a str) -> Vec<Epoch<'a>> {
        let mut epochs = vec![Epoch { vkey: first, since: None, word: None }];
        for Named { seq, vkey: next, .. } in &self.history {
            let mut words = self.words.iter().filter(|(_, at, _)| is_sealed_at(*seq, *at));
            let in_force = epochs.last().map_or(first, |epoch| epoch.vkey);
            let word = words.find_map(|(_, at, note)| word_of(in_force, *at, note));
            if word.is_some() {
                epochs.push(Epoch { vkey: next, since: Some(*seq), word });
            }
        }
        epochs
    }
}

/// A key that an `audit.key_rotated` names, with an `audit.epoch_sealed` right behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    /// `seq` of the entry that names it.
    seq: u64,
    epoch: u64,
    vkey: String,
}

/// What entries call a key of which there is a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// The key of its epoch.
    This,
    /// The key of its epoch, and others too.
    Disputed,
    /// The key of another epoch.
    OtherEpoch,
    Nothing,
}

/// A key that signed before the one in force, and what it and those after it said when they went.
#[derive(Debug)]
pub(crate) struct KeyBefore {
    pub(crate) vkey: String,
    pub(crate) words: Vec<Checkpoint>,
}

/// A key that came into force.
struct Epoch<'a> {
    vkey: &'a str,
    /// `seq` of the entry that names it.
    since: Option<u64>,
    /// What the key before said of that.
    word: Option<Checkpoint>,
}

impl Epoch<'_> {
    /// A new key is in force after the entry that seals the epoch before it.
    fn has_begun_at(&self, size: u64) -> bool {
        self.since.is_none_or(|seq| size > seq.saturating_add(1))
    }
}

/// The entry that seals an epoch stands right behind the one that names the next key.
fn is_sealed_at(named: u64, sealed: u64) -> bool {
    named.checked_add(1) == Some(sealed)
}

/// What a note says, if it is what a key says right before entry `seq`, which seals its epoch.
fn word_of(vkey: &str, seq: u64, note: &str) -> Option<Checkpoint> {
    let key = VerifierKey::parse(vkey).ok()?;
    let signed = SignedCheckpoint::parse(note.as_bytes()).ok()?;
    signed.verify(&key).ok().filter(|said| said.size == seq).cloned()
}
