//! The headers of a tar that extend others: long names, and what PAX adds.
//!
//! What must stay true here: whoever reads them into memory reads no more than an honest archive has. So
//! each is looked at before the archive is read.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use memchr::memmem;
use tar::{EntryType, Header, PaxExtensions};

use super::archive::invalid;

const BLOCK: u64 = 512;
/// Longer than any path and its attributes.
const MOST: u64 = 64 * 1024;

/// Refuses an archive with a header that says more than a name and its attributes can.
pub(super) fn refuse_long_headers(file: &File) -> io::Result<()> {
    let mut at = 0;
    // What a PAX header says of the length of the file that follows.
    let mut said = None;
    loop {
        let mut block = [0; BLOCK as usize];
        let count = FileExt::read_at(file, &mut block, at)?;
        // Two blocks of zeros end an archive; what is no header, whoever reads the archive says.
        if count < block.len() || block.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        let header = Header::from_byte_slice(&block);
        let Ok(stated) = header.entry_size() else { return Ok(()) };
        let kind = header.entry_type();
        at += BLOCK;
        let extends = matches!(
            kind,
            EntryType::XHeader
                | EntryType::XGlobalHeader
                | EntryType::GNULongName
                | EntryType::GNULongLink
        );
        if extends && stated > MOST {
            return Err(invalid(format!("a header in it has {stated} bytes, more than any name")));
        }
        if kind == EntryType::XHeader {
            let mut bytes = vec![0; usize::try_from(stated).unwrap_or_default()];
            let count = FileExt::read_at(file, &mut bytes, at)?;
            said = size_in(bytes.get(..count).unwrap_or_default())?;
        }
        let size = if extends { stated } else { said.take().unwrap_or(stated) };
        let Some(next) = size.checked_next_multiple_of(BLOCK).and_then(|len| at.checked_add(len))
        else {
            return Ok(());
        };
        at = next;
    }
}

/// The record `size` of a PAX header, as whoever reads the archive will take it. Where another program
/// could take another, where the file ends is anybody's guess.
fn size_in(records: &[u8]) -> io::Result<Option<u64>> {
    let mut size = None;
    for record in PaxExtensions::new(records) {
        let Ok(record) = record else {
            // Attributes may be of any bytes, and are not read; a length that stands behind one would be.
            return match memmem::find(records, b"size=") {
                Some(_) => {
                    Err(invalid("a header in it that states a length is malformed".to_owned()))
                }
                None => Ok(None),
            };
        };
        if record.key_bytes() != b"size" {
            continue;
        }
        let stated = record.value().ok().and_then(|value| value.parse().ok());
        if size.is_some() || stated.is_none() {
            return Err(invalid(
                "a header in it states no length, or two, where one is due".to_owned(),
            ));
        }
        size = stated;
    }
    Ok(size)
}
