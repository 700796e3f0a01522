//! Sealing: signed checkpoints over what is durable (FORMAT section 6).
//!
//! What must stay true here: a checkpoint covers durable entries only, extends every one signed
//! before, and is signed by the key in force at its size. None of it is on the way of an
//! acknowledgement: the writer hands over hashes and goes on.

mod keyring;
mod resume;
mod tree_file;

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use audit_core::chain::Hash;
use audit_core::checkpoint::{Checkpoint, SignedCheckpoint};
use audit_core::note::MAX_NOTE;

use crate::error::Fault;
use crate::ring::Position;
use crate::shared::Shared;
use crate::storage::{Storage, read_to_vec};

pub(crate) use keyring::{KeyError, Keyring, Prepared, epochs, generate, vkey_of};
pub(crate) use resume::{
    History, KeyBefore, ReadTrail, ResumeError, Rotation, choose_key, resume_tree, signed_note,
    signed_size,
};
pub(crate) use tree_file::{Front, TreeFile};

/// File of the newest signed tree head.
pub(crate) const CHECKPOINT: &str = "checkpoint";
/// Hashes that may wait before the tree takes them, checkpoint due or not.
const MANY: usize = 1 << 14;

/// What the writer handed over and the tree has not taken yet.
#[derive(Default)]
struct Pending {
    leaves: Vec<Hash>,
    position: Position,
    /// When the first of them came; entries are signed within the interval from then.
    since: Option<Instant>,
    urgent: bool,
    stop: bool,
}

/// The tree, the key and where they are kept.
pub(crate) struct Signing {
    tree: TreeFile,
    keyring: Keyring,
    /// Size of the last checkpoint signed, or of what was found at opening.
    signed: u64,
    /// Size at which the key in force said its last word: it publishes no checkpoint from there on.
    vouched: Option<u64>,
    /// Position that the tree covers.
    position: Position,
}

/// Tells those who wait for a seal when the thread that would make it panics: nobody will.
struct Panicked<'a>(&'a Shared);

impl Drop for Panicked<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let error = io::Error::other("the sealer panicked (a bug: report it)");
            self.0.meters.seal_failed();
            self.0.progress.fail_seal(Fault::new("seal", CHECKPOINT, &error));
        }
    }
}

/// Signs checkpoints from a thread of its own.
pub(crate) struct Sealer {
    shared: Arc<Shared>,
    storage: Arc<dyn Storage>,
    origin: String,
    interval: Duration,
    pending: Mutex<Pending>,
    changed: Condvar,
    signing: Mutex<Signing>,
}

impl Sealer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        storage: Arc<dyn Storage>,
        origin: String,
        interval: Duration,
        tree: TreeFile,
        keyring: Keyring,
    ) -> Sealer {
        // What is in the tree already may be anybody's, as far as nothing signed it: it is signed together
        // with the first entry of ours, which says so, and never without.
        let signed = tree.size();
        Sealer {
            shared,
            storage,
            origin,
            interval,
            pending: Mutex::default(),
            changed: Condvar::new(),
            signing: Mutex::new(Signing { tree, keyring, signed, vouched: None, position: 0 }),
        }
    }

    /// Starts the thread.
    pub(crate) fn start(self: &Arc<Self>) -> io::Result<JoinHandle<()>> {
        let sealer = Arc::clone(self);
        std::thread::Builder::new().name("audit-sealer".to_owned()).spawn(move || {
            let _told = Panicked(&sealer.shared);
            sealer.work();
        })
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held while a key rotation is written, so that no checkpoint is signed in the middle of it.
    pub(crate) fn signing(&self) -> MutexGuard<'_, Signing> {
        self.signing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writer only: these entries are durable. Costs a copy.
    pub(crate) fn extend(&self, leaves: &[Hash], position: Position) {
        let mut pending = self.pending();
        pending.leaves.extend_from_slice(leaves);
        pending.position = position;
        let first = pending.since.is_none();
        pending.since.get_or_insert_with(Instant::now);
        let wake = first || pending.leaves.len() >= MANY;
        drop(pending);
        if wake {
            self.changed.notify_one();
        }
    }

    /// Asks for a checkpoint at once.
    pub(crate) fn hurry(&self) {
        self.pending().urgent = true;
        self.changed.notify_one();
    }

    /// Signs everything and ends the thread.
    pub(crate) fn stop(&self) {
        self.pending().stop = true;
        self.changed.notify_one();
    }

    fn work(&self) {
        let mut stop = false;
        while !stop {
            let (is_due, stopping) = self.wait();
            stop = stopping;
            let mut signing = self.signing();
            self.absorb(&mut signing);
            let written = signing.tree.write();
            let outcome =
                if is_due { written.and_then(|()| self.publish(&mut signing)) } else { written };
            let position = signing.position;
            drop(signing);
            if let Err(error) = outcome {
                self.failed(position, &error, stop);
            }
        }
    }

    /// No checkpoint this time.
    fn failed(&self, position: Position, error: &io::Error, is_last: bool) {
        if !self.shared.meters.seal_failed() {
            tracing::error!(%error, "the trail could not be sealed; it will be tried again");
        }
        let fault = Fault::new("seal", CHECKPOINT, error);
        if is_last {
            self.shared.progress.fail_seal(fault);
        } else {
            self.shared.progress.fail_seal_attempt(position, fault);
            // Tried again after the interval, as if the entries came now.
            self.pending().since.get_or_insert_with(Instant::now);
        }
    }

    /// Sleeps until there is something to do: (a checkpoint is due, this is the end).
    fn wait(&self) -> (bool, bool) {
        let mut pending = self.pending();
        loop {
            let due = pending.since.and_then(|since| since.checked_add(self.interval));
            let left = due.map(|due| due.saturating_duration_since(Instant::now()));
            let is_due = pending.stop || pending.urgent || left.is_some_and(|left| left.is_zero());
            if is_due || pending.leaves.len() >= MANY {
                if is_due {
                    pending.since = None;
                    pending.urgent = false;
                }
                return (is_due, pending.stop);
            }
            pending = match left {
                None => self.changed.wait(pending).unwrap_or_else(PoisonError::into_inner),
                Some(left) => self
                    .changed
                    .wait_timeout(pending, left)
                    .map_or_else(|e| e.into_inner().0, |(guard, _)| guard),
            };
        }
    }

    /// Takes what the writer handed over into the tree.
    fn absorb(&self, signing: &mut Signing) {
        let (leaves, position) = {
            let mut pending = self.pending();
            (std::mem::take(&mut pending.leaves), pending.position)
        };
        for &leaf in &leaves {
            signing.tree.push(leaf);
        }
        signing.position = position;
    }

    fn publish(&self, signing: &mut Signing) -> io::Result<()> {
        let size = signing.tree.size();
        // Only where the writer failed in the middle of a rotation, before or after its last entry. At that
        // size the next opening would not know whether somebody copied the checkpoint out of the entry that
        // it stands in; behind it the next key is in force, whether it ever signed or not.
        if signing.vouched.is_some_and(|vouched| size >= vouched) {
            return Err(io::Error::other("the epoch of the key ends here, and none follows yet"));
        }
        if size > signing.signed {
            signing.tree.sync()?;
            let note = self.sign(signing, size, signing.tree.frontier().root())?;
            self.storage.replace(CHECKPOINT, &mut note.as_bytes())?;
            signing.signed = size;
        }
        self.shared.marks.published(size, signing.position);
        // Before those who wait are woken: they may look at the metrics.
        if self.shared.meters.sealed() {
            tracing::warn!("the trail is sealed again");
        }
        self.shared.progress.seal(signing.position);
        Ok(())
    }

    /// Signs everything that was handed over, on the calling thread, and reads the checkpoint back from
    /// where it stands: its size and root, if it is the one that was signed last.
    pub(crate) fn publish_now(&self) -> io::Result<(u64, Hash)> {
        let mut signing = self.signing();
        self.absorb(&mut signing);
        signing.tree.write()?;
        self.publish(&mut signing)?;
        let bytes = read_to_vec(&*self.storage, CHECKPOINT, MAX_NOTE as u64)?;
        let note = SignedCheckpoint::parse(&bytes).map_err(io::Error::other)?;
        let key = signing.keyring.signer().verifier_key();
        let Checkpoint { size, root, .. } = *note.verify(key).map_err(io::Error::other)?;
        if size != signing.signed || root != signing.tree.root_at(size)? {
            return Err(io::Error::other("it is not the one that was signed last"));
        }
        Ok((size, root))
    }

    fn sign(&self, signing: &Signing, size: u64, root: Hash) -> io::Result<String> {
        let checkpoint = Checkpoint::new(&self.origin, size, root);
        let signed = checkpoint.sign(signing.keyring.signer()).map_err(io::Error::other)?;
        Ok(signed.to_string())
    }

    /// The perfect subtrees over the first `size` entries, which lead to the tree as it is.
    pub(crate) fn subtrees_at(&self, size: u64) -> io::Result<Vec<Hash>> {
        self.signing().tree.subtrees_at(size)
    }

    /// First step of a key rotation: the next key, durable. None when the keys are not ours.
    pub(crate) fn prepare_key(&self, signing: &Signing) -> Result<Option<Prepared>, KeyError> {
        signing.keyring.prepare_next(&*self.storage, &self.origin)
    }

    /// Second step: the old key vouches for everything up to and including the entry `rotated`
    /// that names the new one, `size` entries in all. Returns the note; nothing is published.
    pub(crate) fn vouch(
        &self,
        signing: &mut Signing,
        size: u64,
        rotated: Hash,
    ) -> io::Result<String> {
        self.absorb(signing);
        let mut frontier = signing.tree.frontier().clone();
        // In a segment that failed and was written again, it is durable and in the tree already.
        if frontier.size() < size {
            frontier.push(rotated);
        }
        if frontier.size() != size {
            return Err(io::Error::other("the tree is not the trail's (a bug: report it)"));
        }
        let note = self.sign(signing, size, frontier.root())?;
        signing.vouched = Some(size);
        Ok(note)
    }

    /// Last step: the trail durably holds both entries; the new key signs, the old one is gone.
    pub(crate) fn switch_key(&self, signing: &mut Signing, next: Prepared) -> io::Result<()> {
        signing.vouched = None;
        let switched = signing.keyring.switch(&*self.storage, next);
        // The new key signs, whatever became of the old one's file.
        self.hurry();
        switched
    }
}
