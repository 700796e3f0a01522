//! Every entry of a trail, for what the newest ones do not tell.
//!
//! What must stay true here: only whole entries count; nothing is kept of one when the next is read,
//! so memory stays bounded.

use std::io::{self, BufRead, BufReader};

use audit_core::chain::Hash;
use audit_core::entry::Entry;

use super::open::segments_in;
use super::scan::note_hash;
use crate::seal::Rotation;
use crate::storage::Storage;

/// Numbers and hashes of all entries from `seq` on, read from the segments.
pub(crate) fn read_hashes(
    storage: &dyn Storage,
    seq: u64,
    each: &mut dyn FnMut(u64, Hash),
) -> io::Result<()> {
    // Only the last one is kept, for the link to one that is damaged.
    let mut hashes = Vec::new();
    read_entries(storage, |entry| {
        let known = hashes.len();
        note_hash(&mut hashes, entry);
        for &(number, hash) in hashes[known..].iter().filter(|(number, _)| *number >= seq) {
            each(number, hash);
        }
        hashes.drain(..hashes.len() - 1);
    })
}

/// What all entries say of the signing keys.
pub(crate) fn read_rotation(storage: &dyn Storage) -> io::Result<Rotation> {
    let mut rotation = Rotation::default();
    read_entries(storage, |entry| rotation.see(entry))?;
    Ok(rotation)
}

/// Every whole entry of the trail, in order.
fn read_entries(storage: &dyn Storage, mut each: impl FnMut(&Entry<'_>)) -> io::Result<()> {
    for name in segments_in(&storage.list("")?) {
        let content = BufReader::with_capacity(1 << 20, storage.read(&name.to_string())?);
        for line in content.split(b'\n') {
            let line = line?;
            if let Some(entry) = Entry::parse(&line).ok().filter(Entry::hash_matches) {
                each(&entry);
            }
        }
    }
    Ok(())
}
