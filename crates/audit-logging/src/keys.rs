//! The signing keys of a trail, as its owner may look at them.
//!
//! What must stay true here: nothing private leaves this module, in a value, an error or `Debug`;
//! looking changes nothing.

use std::path::{Path, PathBuf};

use crate::error::OpenError;
use crate::made::existing_trail;
use crate::seal;
use crate::storage::{DirStorage, KEYS};
use crate::trail;

/// A private key that lies in a trail's directory: its public half, or why it is of no use.
#[derive(Debug)]
#[non_exhaustive]
pub struct KeyFile {
    /// The epoch it is named after.
    pub epoch: u64,
    /// Where it is.
    pub path: PathBuf,
    /// Its permissions, as `chmod` writes them: `0o600` is as it should be. `None` if it went away
    /// meanwhile.
    pub mode: Option<u32>,
    /// The public half, as a vkey; or what is wrong with the file: others may read it, it is cut
    /// short, it is of another trail.
    pub vkey: Result<String, OpenError>,
}

/// The private keys in a trail's directory, by epoch. An honest trail that is not being rotated has
/// one, or none where something else signs. A trail's owner may call this while it is being written.
///
/// # Errors
/// [`OpenError`] when there is no trail, or it is not this user's.
pub fn key_files(dir: &Path) -> Result<Vec<KeyFile>, OpenError> {
    let info = existing_trail(dir)?.ok_or_else(|| OpenError::NoTrail { path: dir.to_owned() })?;
    let storage = DirStorage::open(dir, false)?;
    let keys = dir.join(KEYS);
    let epochs = seal::epochs(&storage).map_err(|source| trail::io_error(&keys, "list", source))?;
    let file = |epoch| {
        let path = keys.join(format!("{epoch}.key"));
        KeyFile {
            epoch,
            mode: mode(&path),
            path,
            vkey: seal::vkey_of(&storage, &info.origin, epoch)
                .map_err(|error| trail::key_error(dir, epoch, error)),
        }
    };
    Ok(epochs.into_iter().map(file).collect())
}

fn mode(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    Some(path.symlink_metadata().ok()?.permissions().mode() & 0o7777)
}
