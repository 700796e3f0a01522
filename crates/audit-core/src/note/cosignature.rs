//! What a witness signs (C2SP tlog-cosignature, cosignature/v1).
//!
//! What must stay true here: the message is two lines and the whole text of the checkpoint, its
//! extension lines included; the signature in the note is the time and then Ed25519 over that.

/// The latest time a cosignature can say.
pub(super) const MAX_TIME: u64 = i64::MAX as u64;

/// The bytes a cosigner signs at `timestamp` (POSIX seconds) for a checkpoint with this text.
#[must_use]
pub fn cosignature_message(timestamp: u64, checkpoint_text: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {timestamp}\n{checkpoint_text}").into_bytes()
}

/// The time and the Ed25519 signature in the bytes of a 0x04 signature.
pub(super) fn split(bytes: &[u8]) -> Option<(u64, &[u8; 64])> {
    let (time, signature) = bytes.split_first_chunk::<8>()?;
    let time = u64::from_be_bytes(*time);
    (time <= MAX_TIME).then_some((time, signature.try_into().ok()?))
}
