//! Making a trail.
//!
//! What must stay true here: the key is durable before `trail.json` names it, and that before the
//! first segment is there; a crash in between leaves what the next opening makes anew.

use std::io;

use audit_core::meta::{FORMAT, TrailInfo};
use audit_core::note::Signer;
use uuid::Uuid;

use super::Trail;
use super::open::{OpenContext, key_error};
use crate::clock::rfc3339;
use crate::config::AuditConfig;
use crate::error::OpenError;
use crate::seal;

impl OpenContext<'_> {
    pub(super) fn create(&self, config: &AuditConfig) -> Result<Trail, OpenError> {
        let mut id = [0; 16];
        getrandom::fill(&mut id)?;
        let trail_id = uuid::Builder::from_random_bytes(id).into_uuid();
        let origin = origin(config, trail_id);
        let initial_key = match self.signer {
            Some(make) => make(&origin).map_err(OpenError::Signer)?.verifier_key().to_string(),
            None => seal::generate(self.storage, &origin, 0)
                .map_err(|error| key_error(self.path, 0, error))?
                .verifier_key()
                .to_string(),
        };
        let info = TrailInfo {
            format: FORMAT.to_owned(),
            trail_id,
            origin,
            service_id: config.service_id.clone(),
            created_at: rfc3339(self.now),
            hash: "sha256".to_owned(),
            initial_key,
        };
        let text = serde_json::to_vec_pretty(&info).map_err(io::Error::from);
        let mut text = self.io("trail.json", "write", text)?;
        text.push(b'\n');
        self.io("trail.json", "write", self.storage.replace("trail.json", &mut text.as_slice()))?;
        Ok(Trail::without_entries(info))
    }
}

/// The configured origin, with the trail id in it so that it is never shared by two histories.
fn origin(config: &AuditConfig, trail_id: Uuid) -> String {
    match &config.origin {
        Some(origin) if origin.contains(&trail_id.to_string()) => origin.clone(),
        Some(origin) => format!("{}/{trail_id}", origin.trim_end_matches('/')),
        None => format!("{}/{trail_id}", config.service_id),
    }
}
