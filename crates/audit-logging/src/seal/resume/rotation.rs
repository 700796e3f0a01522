//! What entries say of keys that came and went.
//!
//! What must stay true here: what entries name is a claim. A key follows another by the word of the one
//! before it, which is its checkpoint in the entry that seals its epoch.

use audit_core::checkpoint::{Checkpoint, SignedCheckpoint};
use audit_core::entry::Entry;
use audit_core::note::VerifierKey;

use super::Rotation;

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
                self.sealed = details.as_ref().and_then(|d| d["epoch"].as_u64());
                let lines = details.as_ref().and_then(|d| d["checkpoint"].as_array());
                let lines: Option<Vec<&str>> =
                    lines.and_then(|lines| lines.iter().map(serde_json::Value::as_str).collect());
                let note = lines.map(|lines| lines.join("\n") + "\n");
                let word = self.sealed.zip(note).map(|(epoch, note)| (epoch, entry.seq(), note));
                self.words.extend(word);
                self.at = entry.timestamp().parse().ok();
                // Not every entry may be shown to us.
                let before = begun.filter(|(seq, ..)| seq.checked_add(1) == Some(entry.seq()));
                if let Some((seq, epoch, vkey)) = before {
                    self.current = Some((epoch, vkey.clone()));
                    self.history.push((seq, vkey));
                }
            }
            _ => {}
        }
    }

    /// What the key of an epoch that is said to have ended said when it ended, if it did.
    pub(super) fn last_word_of(&self, epoch: u64, vkey: &str) -> Option<Checkpoint> {
        let mut words = self.words.iter().filter(|(ended, ..)| *ended == epoch);
        words.find_map(|(_, seq, note)| word_of(vkey, *seq, note))
    }

    /// The key that signed a checkpoint of so many entries which `current` did not: one before it, if the
    /// checkpoint is from before `current` came into force. `first` is the key that the trail begins with;
    /// from there on each must have said itself which one follows. Whoever can write the files can name any
    /// key after that, and `current` is in force all the same.
    pub(crate) fn key_before(&self, current: &str, size: u64, first: &str) -> Option<String> {
        let keys = self.followed(first);
        let is_over = |since: &Option<u64>| is_over(*since, size);
        let (since, _) = keys.iter().find(|(_, key)| *key == current)?;
        if is_over(since) {
            return None;
        }
        keys.iter().rfind(|(since, _)| is_over(since)).map(|(_, key)| (*key).to_owned())
    }

    /// The key in force at a size, if `first` was before all of these.
    pub(crate) fn in_force<'a>(&'a self, size: u64, first: &'a str) -> &'a str {
        let mut keys = self.followed(first).into_iter();
        keys.rfind(|(since, _)| is_over(*since, size)).map_or(first, |(_, key)| key)
    }

    /// The keys that followed each other by the word of the one before, each with the `seq` of the entry
    /// that names it.
    fn followed<'a>(&'a self, first: &'a str) -> Vec<(Option<u64>, &'a str)> {
        let mut keys = vec![(None, first)];
        for (seq, next) in &self.history {
            let mut words = self.words.iter().filter(|(_, at, _)| seq.checked_add(1) == Some(*at));
            let in_force = keys.last().map_or(first, |(_, key)| key);
            if words.any(|(_, at, note)| word_of(in_force, *at, note).is_some()) {
                keys.push((Some(*seq), next.as_str()));
            }
        }
        keys
    }
}

/// A new key is in force after the entry that seals the epoch before it.
fn is_over(since: Option<u64>, size: u64) -> bool {
    since.is_none_or(|seq| size > seq.saturating_add(1))
}

/// What a note says, if it is what a key says right before entry `seq`, which seals its epoch.
fn word_of(vkey: &str, seq: u64, note: &str) -> Option<Checkpoint> {
    let key = VerifierKey::parse(vkey).ok()?;
    let signed = SignedCheckpoint::parse(note.as_bytes()).ok()?;
    signed.verify(&key).ok().filter(|said| said.size == seq).cloned()
}
