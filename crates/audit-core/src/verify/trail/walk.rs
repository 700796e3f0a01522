//! The walk over the keys, entry by entry.
//!
//! What must stay true here: a change of keys counts by the word of the key before it alone. What another
//! key signed is kept aside until it shows which key is in force.

use super::TrailVerifier;
use crate::note::VerifierKey;
use crate::verify::control::{ControlKind, TrailCreated};
use crate::verify::finding::{Finding, FindingKind as Kind};
use crate::verify::item::Run;
use crate::verify::keys::{EpochKey, KeyWalk, NamedIn, Sealed, Wrong};

/// How much a finding quotes of what a change of keys says.
const MAX_QUOTE: usize = 512;

impl TrailVerifier {
    /// Keys come and go by control entries.
    pub(super) fn walk(&mut self, run: &Run, named: Option<NamedIn>) {
        let control = run.control.as_ref().map(|control| (control.kind, control));
        match control {
            Some((ControlKind::EpochSealed, _)) => {}
            Some((ControlKind::Notice(Kind::Recovered), _)) => self.keys.given_up(),
            _ => {
                let before = self.keys.other();
                self.key_finding(run, before);
            }
        }
        match control {
            None => {}
            Some((ControlKind::Notice(kind), control)) => {
                self.chain.notice(kind, run, &control.details);
            }
            Some((ControlKind::TrailCreated, control))
                if run.seq == 0 && self.keys.first().is_none() =>
            {
                let said = serde_json::from_str::<TrailCreated>(&control.details).ok();
                let key = said.and_then(|said| VerifierKey::parse(&said.initial_key).ok());
                self.keys = KeyWalk::from(key.map(|key| EpochKey { epoch: Some(0), key }));
            }
            Some((ControlKind::TrailCreated, _)) => {}
            Some((ControlKind::KeyRotated, control)) => {
                let outcome = self.keys.rotated(run.seq, control, named);
                self.tree.change_begun();
                self.key_finding(run, outcome);
            }
            Some((ControlKind::EpochSealed, control)) => {
                let known = self.keys.rotations().map_or(0, Vec::len);
                let outcome = self.keys.sealed(run.seq, &control.details);
                if self.keys.rotations().is_some_and(|now| now.len() > known) {
                    self.tree.changed();
                }
                match outcome {
                    Ok(Sealed::Followed) => self.was_in_force = true,
                    Ok(Sealed::Named) => self.chain.named(),
                    Ok(Sealed::Elsewhere(wrong)) => {
                        let finding = self.wrong_rotation(run, wrong);
                        self.chain.elsewhere(run.seq, finding);
                    }
                    Ok(Sealed::Unknown) => {}
                    Err(wrong) => self.key_finding(run, Err(wrong)),
                }
            }
        }
    }

    fn wrong_rotation(&self, run: &Run, (expected, found): Wrong) -> Finding {
        let finding = self.chain.finding(Kind::KeyRotationInvalid, run.offset).of(run.seq);
        finding.evidence(expected, found.chars().take(MAX_QUOTE).collect::<String>())
    }

    fn key_finding(&mut self, run: &Run, outcome: Result<(), Wrong>) {
        if let Err(wrong) = outcome {
            let finding = self.wrong_rotation(run, wrong);
            self.chain.no_rotation(run.seq, finding);
        }
    }
}
