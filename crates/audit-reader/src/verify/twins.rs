//! Segments that are there twice, plain and archived (FORMAT section 5).
//!
//! What must stay true here: the plain one counts, and was checked. The archive beside it must hold the same
//! bytes: it takes the plain one's place when that goes.

use audit_core::verify::{Finding, FindingKind};

use crate::source::{archive_damage, read_full};
use crate::{ReadError, Source};

/// Bytes compared at a time.
const BLOCK: usize = 128 * 1024;

/// Holds each archive against the plain segment beside it.
pub(super) fn check(source: &Source, report: &mut dyn FnMut(Finding)) -> Result<(), ReadError> {
    for (name, plain, packed) in source.twins()? {
        let archive = format!("{name}.zst");
        let (mut here, mut there) = (vec![0; BLOCK], vec![0; BLOCK]);
        let mut at = 0;
        let differs = loop {
            let wanted = read_full(&*plain, &mut here, at);
            let wanted = wanted.map_err(ReadError::io(&source.place_of(&name.to_string())))?;
            let got = match read_full(&*packed, &mut there, at) {
                Ok(got) => got,
                Err(error) => match archive_damage(&error) {
                    Some(damage) => break Some(damage),
                    None => return Err(ReadError::io(&source.place_of(&archive))(error)),
                },
            };
            if here[..wanted] != there[..got] {
                let same = here.iter().zip(&there).take_while(|(one, other)| one == other).count();
                let from = at + same.min(wanted).min(got) as u64;
                break Some(format!("other bytes from {from} on"));
            }
            if wanted == 0 {
                break None;
            }
            at += wanted as u64;
        };
        if let Some(found) = differs {
            let finding = Finding::new(FindingKind::SegmentChanged).in_file(archive);
            report(finding.evidence(format!("the bytes of {name}, compressed"), found));
        }
    }
    Ok(())
}
