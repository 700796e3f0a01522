//! Replacing the signing key, in the trail (FORMAT section 7).
//!
//! What must stay true here: the order. New key durable; entry that names it; the old key's
//! checkpoint up to that entry, as the next entry; both durable; old key destroyed; only then does
//! the new key sign. Nothing else is written in between, and no checkpoint is published.

use std::time::Duration;

use audit_core::control::ControlEvent;

use super::Writer;
use crate::error::Fault;
use crate::seal::{KeyError, Prepared, Sealer, Signing};
use crate::storage::KEYS;

/// More than the two entries of a key rotation take.
const ROTATION_BYTES: usize = 8 << 10;

impl Writer {
    /// Replaces the key when it is older than allowed.
    pub(super) fn rotate_key_if_old(&mut self) -> Result<(), Fault> {
        let limit = Duration::from_secs(self.config.key_max_age_hours.saturating_mul(3_600));
        let is_old =
            |writer: &Writer| writer.clock.monotonic().saturating_sub(writer.key_since) >= limit;
        if !is_old(self) {
            return Ok(());
        }
        // A new segment brings a new key with it.
        self.rotate_if_due(ROTATION_BYTES)?;
        if is_old(self) { self.rotate_key() } else { Ok(()) }
    }

    /// Replaces the key. When the next one cannot be made, the old one stays in force and it is
    /// tried again at the next occasion.
    pub(super) fn rotate_key(&mut self) -> Result<(), Fault> {
        if self.is_rotating_key {
            return Ok(());
        }
        if self.is_recovering {
            self.is_key_due = true;
            return Ok(());
        }
        if let Err(error) = self.replace_key()? {
            tracing::error!(error = describe(&error), "the signing key could not be replaced");
        }
        Ok(())
    }

    /// Replaces the key because somebody asked for it, who is told when it cannot be.
    pub(super) fn rotate_key_as_asked(&mut self) -> Result<(), Fault> {
        let problem = match self.replace_key()? {
            Ok(true) => return Ok(()),
            Ok(false) => "the signer is not the trail's own: its guardian replaces it".to_owned(),
            Err(error) => describe(&error),
        };
        Err(Fault::new("replace the signing key in", KEYS, &std::io::Error::other(problem)))
    }

    /// False when the key is not ours to replace.
    fn replace_key(&mut self) -> Result<Result<bool, KeyError>, Fault> {
        self.write_out()?;
        self.sync()?;
        let sealer = std::sync::Arc::clone(&self.sealer);
        let mut signing = sealer.signing();
        let next = match sealer.prepare_key(&signing) {
            Ok(None) => return Ok(Ok(false)),
            Ok(Some(next)) => next,
            Err(error) => return Ok(Err(error)),
        };
        self.is_rotating_key = true;
        let announced = self
            .append_control(&ControlEvent::KeyRotated { epoch: next.epoch, new_key: &next.vkey });
        let rotated = self.head.last_hash;
        let done = announced.and_then(|()| self.seal_epoch(&sealer, &mut signing, rotated, next));
        self.is_rotating_key = false;
        done?;
        // Outside, where other entries may stand again.
        drop(signing);
        self.report_failures().map(|()| Ok(true))
    }

    /// The second half: the entry that names `next` is the last one planned.
    fn seal_epoch(
        &mut self,
        sealer: &Sealer,
        signing: &mut Signing,
        rotated: audit_core::chain::Hash,
        next: Prepared,
    ) -> Result<(), Fault> {
        let note = sealer
            .vouch(signing, self.head.next_seq, rotated)
            .map_err(|error| self.fault("seal the epoch in", &error))?;
        let lines: Vec<&str> = note.trim_end_matches('\n').split('\n').collect();
        let epoch = next.epoch - 1;
        self.append_control(&ControlEvent::EpochSealed { epoch, checkpoint: &lines })?;
        self.sync()?;
        self.is_key_due = false;
        self.key_since = self.clock.monotonic();
        if let Err(error) = sealer.switch_key(signing, next) {
            // The trail says the epoch has ended, so the next opening destroys the key.
            tracing::error!(%error, epoch, "the old signing key could not be destroyed yet");
        }
        Ok(())
    }
}

fn describe(error: &KeyError) -> String {
    match error {
        KeyError::Io(error) => error.to_string(),
        KeyError::Wrong(problem) => (*problem).to_owned(),
        KeyError::Destroyed => "it is overwritten with zeros".to_owned(),
        KeyError::Randomness(error) => error.to_string(),
    }
}
