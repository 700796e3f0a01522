//! Taking the signing key and the tree over when a logger opens.
//!
//! What must stay true here: no signer is handed on before the trail was found to extend what was
//! last signed.

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Duration;

use super::{Builder, Place};
use crate::error::OpenError;
use crate::seal::{self, KeyBefore, Sealer};
use crate::shared::Shared;
use crate::storage::Storage;
use crate::trail::{self, Trail};

impl Builder {
    /// Takes the signing key and the tree over.
    pub(super) fn sealer(
        &self,
        place: &Place,
        trail: &Trail,
        shared: &Arc<Shared>,
        signed: u64,
    ) -> Result<(Arc<Sealer>, bool), OpenError> {
        let storage = &*place.storage;
        let origin = &trail.info.origin;
        let refuse = |error| trail::resume_error(&place.path, error);
        let from = trail.newest_hashes.first().map_or(trail.head.next_seq, |(seq, _)| *seq);
        let history = seal::History {
            newest: (&trail.rotation, from),
            read_all: &|| trail::read_rotation(storage),
            read_first: &|| Ok(first_key(storage, trail, signed)?.map(|(_, key)| key)),
            all: OnceCell::new(),
        };
        let last = seal::signed_note(storage);
        let choice =
            seal::choose_key(storage, &trail.info, &history, last.as_ref(), self.signer.as_deref())
                .map_err(refuse)?;
        let key = choice.signer().verifier_key();
        let read = seal::ReadTrail {
            hashes: &|seq, each| trail::read_hashes(storage, seq, each),
            front: &|| {
                let front = trail::read_front(storage, signed)?;
                Ok((front.begins, front.subtrees))
            },
            signed,
            unsigned_deletion: &|signed| trail::unsigned_deletion(storage, signed),
            key_before: &|last| match choice.key_before(last) {
                Some(before) => Ok(Some(before)),
                None => {
                    let size = last.unverified().size;
                    self.key_before(storage, trail, signed, size, &key.to_string())
                }
            },
        };
        let hashes = &trail.newest_hashes;
        let tree = seal::resume_tree(storage, key, trail.head, hashes, &read).map_err(refuse)?;
        let rotation_given_up = choice.is_rotation_given_up;
        let keyring = choice.settle(storage, &tree).map_err(refuse)?;
        let sealer = Sealer::new(
            Arc::clone(shared),
            Arc::clone(&place.storage),
            origin.clone(),
            Duration::from_millis(self.config.seal_interval_ms),
            tree,
            keyring,
        );
        Ok((Arc::new(sealer), rotation_given_up))
    }

    /// The key before `current` that signed at a size, as far as what is signed tells.
    fn key_before(
        &self,
        storage: &dyn Storage,
        trail: &Trail,
        signed: u64,
        size: u64,
        current: &str,
    ) -> std::io::Result<Option<KeyBefore>> {
        // A signer of the user's own follows no other.
        if self.signer.is_some() {
            return Ok(None);
        }
        let first = first_key(storage, trail, signed)?;
        let Some((_, first)) = first.filter(|(known, _)| *known <= size) else { return Ok(None) };
        Ok(trail::read_rotation(storage)?.key_before(current, size, &first))
    }
}

/// The key that the entries which are here begin with, and at which size, as far as what is signed tells.
fn first_key(
    storage: &dyn Storage,
    trail: &Trail,
    signed: u64,
) -> std::io::Result<Option<(u64, String)>> {
    let front = trail::read_front(storage, signed)?;
    Ok(match front.begins.seq {
        0 => Some((0, trail.info.initial_key.clone())),
        _ => front.key,
    })
}
