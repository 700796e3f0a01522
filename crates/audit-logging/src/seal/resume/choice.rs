//! Which of the key files is in force, and which are of epochs that are over.
//!
//! What must stay true here: an epoch is over when its own key says so, right behind the entry that names
//! the next one, and of the entries that are here. Where entries and files contradict each other, the key is
//! in force that follows last from the first one by the words of those between, whatever else they say. None
//! is destroyed before the trail is known to be the one that was signed.

use std::cell::OnceCell;
use std::io;

use audit_core::checkpoint::{Checkpoint, SignedCheckpoint};
use audit_core::meta::TrailInfo;
use audit_core::note::Signer;

use super::rotation::Naming;
use super::{KeyBefore, ResumeError, Rotation, is_signed_by};
use crate::builder::MakeSigner;
use crate::seal::TreeFile;
use crate::seal::keyring::{self, KeyError, Keyring};
use crate::storage::Storage;

/// An epoch whose key file goes.
struct Over {
    epoch: u64,
    /// The key, and what it said in the end, where that was read.
    said: Option<(String, Checkpoint)>,
}

/// The key in force.
pub(crate) struct Choice {
    keyring: Keyring,
    over: Vec<Over>,
    /// What was read of changes of keys.
    rotation: Rotation,
    /// A crash interrupted a rotation, which is given up: to end it, the old key would have to sign entries
    /// before they are known to be nobody's but ours.
    pub(crate) is_rotation_given_up: bool,
}

/// What entries say of changes of keys.
pub(crate) struct History<'a> {
    /// What the newest ones say, and from which number on those are.
    pub(crate) newest: (&'a Rotation, u64),
    /// What all say, read when the newest do not tell.
    pub(crate) read_all: &'a dyn Fn() -> io::Result<Rotation>,
    /// The key that the entries which are here begin with, if they say.
    pub(crate) read_first: &'a dyn Fn() -> io::Result<Option<String>>,
    /// What was read of all.
    pub(crate) all: OnceCell<Rotation>,
}

impl History<'_> {
    fn all(&self) -> Result<&Rotation, ResumeError> {
        if let Some(all) = self.all.get() {
            return Ok(all);
        }
        let all = (self.read_all)().map_err(|e| ResumeError::Io("segments", e))?;
        Ok(self.all.get_or_init(|| all))
    }

    /// Whether this key is the last of those that followed each other by the word of the one before.
    fn ends_with(&self, vkey: &str) -> Result<bool, ResumeError> {
        let first = (self.read_first)().map_err(|e| ResumeError::Io("segments", e))?;
        let all = self.all()?;
        Ok(first.is_some_and(|first| all.ends_with(vkey, &first)))
    }
}

/// Finds the key in force. `last` is the last checkpoint.
pub(crate) fn choose_key(
    storage: &dyn Storage,
    info: &TrailInfo,
    history: &History<'_>,
    last: Option<&SignedCheckpoint>,
    make_signer: Option<&MakeSigner>,
) -> Result<Choice, ResumeError> {
    let (newest, from) = history.newest;
    if let Some(make) = make_signer {
        let signer = make(&info.origin).map_err(ResumeError::Signer)?;
        if signer.verifier_key().to_string() != info.initial_key {
            return Err(refused("the signer given is not the one that the trail names"));
        }
        let keyring = Keyring::external(signer);
        let (over, rotation) = (Vec::new(), Rotation::default());
        return Ok(Choice { keyring, over, rotation, is_rotation_given_up: false });
    }
    let files = Files::read(storage, &info.origin)?;
    let signs = |vkey: &str| last.is_some_and(|last| is_signed_by(last, vkey));
    // A key says its last word behind all that it signed.
    let is_recent = |vkey: &str| last.is_some_and(|l| l.unverified().size >= from) && signs(vkey);
    let is_explained = files.are_explained_by(newest, is_recent);
    let mut rotation = if is_explained { newest } else { history.all()? };
    let (epoch, vkey, over) = files.judge(rotation, history)?;
    if is_explained && epoch > 0 && rotation.naming(epoch, &vkey) != Naming::This {
        rotation = history.all()?;
    }
    let problem = "the signing key is not the one that the trail names";
    let problem = match (epoch, rotation.naming(epoch, &vkey)) {
        (0, _) if vkey == info.initial_key => None,
        (1.., Naming::This) => None,
        // Retention left none of the entries that named one.
        (1.., Naming::Nothing)
            if rotation.names_none() && signs(&vkey) && vkey != info.initial_key =>
        {
            None
        }
        // Anybody can name a key.
        (1.., Naming::Disputed | Naming::Nothing)
            if vkey != info.initial_key && history.ends_with(&vkey)? =>
        {
            None
        }
        (1.., Naming::OtherEpoch) => {
            Some("the file of the signing key has the number of another epoch")
        }
        _ => Some(problem),
    };
    if let Some(problem) = problem {
        return Err(refused(problem));
    }
    let keyring = Keyring::load(storage, &info.origin, epoch);
    let keyring = keyring.map_err(|error| ResumeError::Key(epoch, error))?;
    let rotation = rotation.clone();
    Ok(Choice { keyring, over, rotation, is_rotation_given_up: newest.begun.is_some() })
}

impl Choice {
    pub(crate) fn signer(&self) -> &dyn Signer {
        self.keyring.signer()
    }

    /// The key that signed this checkpoint, if it is one whose file is still here: a crash came between its
    /// last word and the first checkpoint of the key in force. No older entry needs to be readable for it.
    pub(crate) fn key_before(&self, signed: &SignedCheckpoint) -> Option<KeyBefore> {
        let current = self.signer().verifier_key().to_string();
        let said = self.over.iter().filter_map(|over| over.said.as_ref());
        let mut signers = said.filter(|(vkey, _)| is_signed_by(signed, vkey));
        signers.find_map(|(vkey, _)| {
            self.rotation.key_before(&current, signed.unverified().size, vkey)
        })
    }

    /// `tree` is the trail's, and extends what was signed last: keys of epochs that are over cease to exist.
    pub(crate) fn settle(
        self,
        storage: &dyn Storage,
        tree: &TreeFile,
    ) -> Result<Keyring, ResumeError> {
        for (_, said) in self.over.iter().filter_map(|over| over.said.as_ref()) {
            let root = tree.proven_root_at(said.size);
            if root.map_err(|e| ResumeError::Io(crate::seal::tree_file::NAME, e))? != said.root {
                let problem = "the entries are not those that a key signed when its epoch ended";
                return Err(refused(problem));
            }
        }
        // None is kept for another's failure.
        let destroyed = self.over.iter().rev().map(|Over { epoch, .. }| {
            let destroyed = keyring::destroy(storage, *epoch);
            destroyed.map_err(|error| ResumeError::Key(*epoch, KeyError::Io(error)))
        });
        destroyed.fold(Ok(()), Result::and)?;
        Ok(self.keyring)
    }
}

/// The key files there are, by epoch: their public halves.
struct Files {
    keys: Vec<(u64, String)>,
    /// Epochs of those that were overwritten by a writer that could not remove their names any more.
    destroyed: Vec<u64>,
}

impl Files {
    fn read(storage: &dyn Storage, origin: &str) -> Result<Files, ResumeError> {
        let mut files = Files { keys: Vec::new(), destroyed: Vec::new() };
        for epoch in keyring::epochs(storage).map_err(|e| ResumeError::Io("keys", e))? {
            match keyring::vkey_of(storage, origin, epoch) {
                Ok(vkey) => files.keys.push((epoch, vkey)),
                Err(KeyError::Destroyed) => files.destroyed.push(epoch),
                Err(error) => return Err(ResumeError::Key(epoch, error)),
            }
        }
        Ok(files)
    }

    /// Whether this says of every key but the newest that its epoch is over, or would if it were.
    fn are_explained_by(&self, rotation: &Rotation, would_say: impl Fn(&str) -> bool) -> bool {
        let older = self.keys.split_last().map_or(&[][..], |(_, older)| older);
        let is_over = |epoch, vkey| rotation.last_word_of(epoch, vkey).is_some();
        self.destroyed.is_empty()
            && older.iter().all(|(epoch, vkey)| is_over(*epoch, vkey) || would_say(vkey))
    }

    /// The one in force, and those that go.
    fn judge(
        self,
        rotation: &Rotation,
        history: &History<'_>,
    ) -> Result<(u64, String, Vec<Over>), ResumeError> {
        let (mut over, mut left) = (Vec::new(), Vec::new());
        for (epoch, vkey) in self.keys {
            match rotation.last_word_of(epoch, &vkey) {
                Some(said) => over.push(Over { epoch, said: Some((vkey, said)) }),
                // Anybody can write that an epoch ended, and anybody can put a key here, with a checkpoint
                // by it: only the words of the keys before it tell which of both this is.
                None if rotation.is_said_to_be_over(epoch) && !history.ends_with(&vkey)? => {
                    let problem =
                        "the entry that ends the epoch of a key is not signed by that key";
                    return Err(refused(problem));
                }
                None => left.push((epoch, vkey)),
            }
        }
        let mut left = left.into_iter();
        let (epoch, vkey) = match (left.next(), left.next(), left.next()) {
            (None, ..) => {
                return Err(refused("there is no signing key: put the newest one back"));
            }
            (Some(only), None, _) => only,
            // Made, and perhaps named in the trail, but its epoch never began: it has signed nothing. If it had
            // begun, the epoch before it would be said to be over.
            (Some(old), Some((new, _)), None) if new == old.0 + 1 => {
                over.push(Over { epoch: new, said: None });
                old
            }
            _ => return Err(refused("there are keys of several epochs: keep the newest one only")),
        };
        // Of what is overwritten nobody knows what it said.
        if self.destroyed.iter().any(|before| *before < epoch) && !rotation.names(&vkey) {
            let problem = "a key is overwritten, and no entry names the one after it: put it back";
            return Err(refused(problem));
        }
        over.extend(self.destroyed.into_iter().map(|epoch| Over { epoch, said: None }));
        Ok((epoch, vkey, over))
    }
}

fn refused(problem: &str) -> ResumeError {
    ResumeError::Refused("keys", problem.to_owned())
}
