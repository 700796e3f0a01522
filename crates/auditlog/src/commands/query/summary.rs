//! What was searched, said after every answer.
//!
//! What must stay true here: whatever makes an answer less than the whole is said: a limit, damage,
//! entries that retention took away.

use std::io::Write;

use audit_reader::Searched;

use crate::error::CliError;
use crate::output::{Output, bytes};

/// Says it on standard error.
pub(crate) fn print(searched: &Searched, out: &Output) -> Result<(), CliError> {
    let mut to = std::io::stderr().lock();
    if out.json {
        serde_json::to_writer(&mut to, searched).map_err(std::io::Error::from)?;
        return Ok(to.write_all(b"\n")?);
    }
    Ok(to.write_all(text(searched).as_bytes())?)
}

fn text(searched: &Searched) -> String {
    let Searched { matched, entries, segments, segments_total, first_seq, seconds, .. } = searched;
    let of = match segments_total == segments {
        true => String::new(),
        false => format!(" of {segments_total}"),
    };
    let by_index = match searched.segments_by_index {
        0 => String::new(),
        count => format!(" ({count} by index)"),
    };
    let size = bytes(searched.bytes);
    let mut text = format!(
        "{matched} found; searched {entries} entries in {segments}{of} segments{by_index}, {size}, in {seconds:.2} s\n"
    );
    if searched.hash_mismatches > 0 {
        let changed = searched.hash_mismatches;
        text += &format!(
            "{changed} entries match and are not what was written: their hash is another; they are not printed; run `auditlog verify`\n"
        );
    }
    if searched.indexes_unusable > 0 {
        let unusable = searched.indexes_unusable;
        text += &format!(
            "{unusable} indexes are damaged or of other bytes and were passed over; run `auditlog index`\n"
        );
    }
    if let (false, Some(next)) = (searched.complete, searched.next) {
        text += &format!("there may be more: --after {next}\n");
    }
    if let Some(first) = first_seq.filter(|first| *first > 0) {
        text += &format!("the trail begins at seq {first}: retention removed what was before\n");
    }
    if searched.segments_gone > 0 {
        let gone = searched.segments_gone;
        text += &format!("{gone} segments were removed by retention during the search\n");
    }
    if searched.malformed > 0 {
        let malformed = searched.malformed;
        text += &format!(
            "{malformed} lines that might match are no entries: the trail is damaged; run `auditlog verify`\n"
        );
    }
    if searched.unfinished {
        text += "the last line is unfinished and was left out\n";
    }
    text
}
