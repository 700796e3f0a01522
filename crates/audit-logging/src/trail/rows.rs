//! The manifest as the writer before left it.
//!
//! What must stay true here: a row is taken over only when the segment's checksum file, its length
//! and the segment after it agree with it; otherwise the row is made anew from the segment.

use std::collections::BTreeMap;
use std::io;

use audit_core::meta::{Manifest, ManifestFile};

use super::open::{OpenContext, io_error};
use super::segment::checksum_name;
use crate::error::OpenError;
use crate::storage::read_to_vec;

/// Longer derived files are not ours.
const MAX_META: u64 = 64 << 20;

impl OpenContext<'_> {
    /// Rows of the manifest by file name; none when it is missing or unreadable, as it is derived.
    pub(super) fn manifest_rows(&self) -> Result<BTreeMap<String, ManifestFile>, OpenError> {
        let bytes = match read_to_vec(self.storage, "manifest.json", MAX_META) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(error) => return Err(io_error(&self.path.join("manifest.json"), "read", error)),
        };
        match serde_json::from_slice::<Manifest>(&bytes) {
            Ok(manifest) => {
                Ok(manifest.files.into_iter().map(|row| (row.filename.clone(), row)).collect())
            }
            Err(error) => {
                tracing::warn!(%error, "manifest.json is unreadable and will be rebuilt");
                Ok(BTreeMap::new())
            }
        }
    }

    /// True when the manifest's row agrees with the segment's checksum file, its length and the
    /// segment after it. A row that does not is made anew from the segment.
    pub(super) fn is_true(
        &self,
        row: &ManifestFile,
        archived: bool,
        next: Option<&ManifestFile>,
    ) -> Result<bool, OpenError> {
        let name = &row.filename;
        let file = checksum_name(name);
        let checksum = read_to_vec(self.storage, &file, 4_096);
        let checksum = self.io(&file, "read", checksum)?;
        let expected = format!("{}  {name}\n", row.sha256.as_deref().unwrap_or_default());
        // How long an archive unpacks to, only unpacking tells.
        let len = if archived {
            row.size_bytes
        } else {
            self.io(name, "look at", self.storage.len(name))?
        };
        let fits = |next: &ManifestFile| {
            row.event_count == 0
                || (row.first_seq + row.event_count == next.first_seq
                    && row.last_hash == next.first_prev_hash)
        };
        Ok(checksum == expected.as_bytes() && len == row.size_bytes && next.is_none_or(fits))
    }
}
