//! What can go wrong with a time stamp: whose fault, what to do next.
//!
//! What must stay true here: what contradicts a token and what merely leaves it without proof are told
//! apart, for the exit codes hang on it. What an authority said is quoted; whoever prints it escapes it.

use std::io;
use std::path::PathBuf;

use audit_core::checkpoint::CheckpointError;
use audit_reader::ReadError;
use thiserror::Error;

/// Why there is no time stamp, or none that can be looked at.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TimestampError {
    /// The trail could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The trail has no checkpoint yet.
    #[error("the trail has no checkpoint yet; its writer makes one, run this again later")]
    NoCheckpoint,
    /// The trail's checkpoint is none.
    #[error("the trail's checkpoint: {0}; run `auditlog verify`")]
    Checkpoint(CheckpointError),
    /// No key that the trail names signed it.
    #[error(
        "the trail's checkpoint is signed by no key that the trail names; run `auditlog verify`"
    )]
    NotSigned,
    /// The roots are none.
    #[error("the roots: {0}; give the authority's root certificates, in PEM")]
    Roots(String),
    /// The operating system has no randomness.
    #[error("no random number for the request: {0}; nothing was asked")]
    Random(String),
    /// The address is none that can be asked.
    #[error("{url} is no address of an authority; {next}")]
    Address {
        /// What was given.
        url: String,
        /// What to give instead.
        next: &'static str,
    },
    /// Nobody is there.
    #[error("the authority cannot be reached: {0}; check its address, or try again later")]
    Unreachable(String),
    /// It took too long.
    #[error("the authority did not answer in time; try again later, or with a longer --timeout")]
    TimedOut,
    /// It answered what is not HTTP, or more than any time stamp.
    #[error("the authority answered with {0}; check its address, or ask its operator")]
    Nonsense(&'static str),
    /// It answered, and not with 200.
    #[error("the authority answered with HTTP status {0}; check its address, or try again later")]
    Status(u16),
    /// It answered with something else.
    #[error(
        "the authority answered with {found:?}, not with application/timestamp-reply; check its address"
    )]
    ContentType {
        /// The content type of the answer.
        found: String,
    },
    /// It answered with a time stamp that does not hold. It is not kept.
    #[error("the authority's answer was not kept: {0}")]
    Answer(#[source] TokenError),
    /// Another process is doing the same.
    #[error("another process is time-stamping this trail; let one of them do it")]
    Busy,
    /// A file of the trail could not be read or written.
    #[error("cannot {what} in {}: {source}; check owner and space", dir.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// Where.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Why a token does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It is no time stamp, or was cut short.
    #[error("{what} cannot be read ({why}): it is damaged, or no time stamp in DER")]
    Malformed {
        /// Which part.
        what: &'static str,
        /// What the parser said.
        why: String,
    },
    /// The authority refused.
    #[error("the authority refused: {0}; ask its operator")]
    Refused(String),
    /// A rule of RFC 3161, CMS or ESS is broken.
    #[error("it breaks a rule of time stamps: {0}")]
    Rule(&'static str),
    /// It is of other bytes.
    #[error("it is a time stamp of other bytes")]
    OtherBytes,
    /// It answers another request.
    #[error("it answers another request: its nonce is not the one that was sent")]
    OtherRequest,
    /// What was signed is not what is there.
    #[error("its content is not what was signed")]
    Content,
    /// The signature does not hold.
    #[error("its signature does not hold")]
    Signature,
    /// The certificate is not the one the signer named.
    #[error("no certificate in it is the one that its signer named")]
    Certificate,
    /// An algorithm that cannot be verified here.
    #[error("it uses {0}, which cannot be verified here; check it with `openssl ts -verify`")]
    Unsupported(&'static str),
    /// The certificate is not for time stamps.
    #[error("its certificate is not one for time stamps: {0}")]
    Usage(&'static str),
    /// No path leads from the certificate to a root.
    #[error("no path leads from its certificate to the roots that were given: {0}")]
    Path(String),
}

impl TokenError {
    /// Whether it contradicts itself or what it stamps. If not, it only proves nothing, to whoever trusts
    /// the given roots and no others.
    #[must_use]
    pub const fn is_contradiction(&self) -> bool {
        !matches!(self, TokenError::Unsupported(_) | TokenError::Usage(_) | TokenError::Path(_))
    }
}
