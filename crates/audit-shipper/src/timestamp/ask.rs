//! One request to an authority: `TimeStampReq` over HTTP (RFC 3161, section 3.4).
//!
//! What must stay true here: each request has a nonce of its own, and an answer is given only verified.
//! The exchange has the limits of any other: time, size, no redirect.

use std::time::Duration;

use der::Encode;
use der::asn1::{Int, OctetString, Uint};
use sha2::{Digest, Sha256};
use ureq::Agent;
use x509_cert::AlgorithmIdentifier;

use super::asn1::{MessageImprint, SHA256, TimeStampReq};
use super::error::TimestampError;
use super::roots::Roots;
use super::token::{Stamp, malformed, verify};
use crate::HttpSource;
use crate::client::{self, Failure};

/// A time-stamping authority.
#[derive(Debug, Clone)]
pub struct Authority {
    agent: Agent,
    url: String,
}

impl Authority {
    /// The authority at this address; `timeout` bounds a whole exchange.
    ///
    /// # Errors
    /// [`TimestampError::Address`] if the address cannot be asked by this program.
    pub fn new(url: &str, timeout: Duration) -> Result<Authority, TimestampError> {
        let unusable = |next| TimestampError::Address { url: url.to_owned(), next };
        if !HttpSource::is_address(url) {
            return Err(unusable("give one that begins with http:// or https://"));
        }
        if cfg!(not(feature = "tls")) && url.starts_with("https:") {
            return Err(unusable("this program was built without the feature `tls`; use http://"));
        }
        Ok(Authority { agent: client::agent(timeout), url: url.to_owned() })
    }

    /// Asks for a time stamp of these bytes; gives the answer as it came, and what it says.
    pub(super) fn ask(
        &self,
        bytes: &[u8],
        roots: &Roots,
    ) -> Result<(Vec<u8>, Stamp), TimestampError> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| TimestampError::Random(error.to_string()))?;
        let (query, nonce) = query(bytes, random)
            .map_err(malformed("the request"))
            .map_err(TimestampError::Answer)?;
        let (status, kind, response) =
            client::post(&self.agent, &self.url, "application/timestamp-query", &query)?;
        if status != 200 {
            return Err(TimestampError::Status(status));
        }
        if !kind.eq_ignore_ascii_case("application/timestamp-reply") {
            let found = kind.chars().take(100).collect();
            return Err(TimestampError::ContentType { found });
        }
        let stamp = verify(&response, bytes, Some(&nonce), roots);
        let stamp = stamp.map_err(TimestampError::Answer)?;
        Ok((response, stamp))
    }
}

impl From<Failure> for TimestampError {
    fn from(failure: Failure) -> TimestampError {
        match failure {
            Failure::Unreachable(reason) => TimestampError::Unreachable(reason),
            Failure::TimedOut => TimestampError::TimedOut,
            Failure::Nonsense(what) => TimestampError::Nonsense(what),
        }
    }
}

/// The request for these bytes, in DER, and its nonce.
fn query(bytes: &[u8], random: [u8; 8]) -> der::Result<(Vec<u8>, Int)> {
    let nonce = Int::from(Uint::new(&random)?);
    let hash_algorithm = AlgorithmIdentifier { oid: SHA256, parameters: None };
    let hashed_message = OctetString::new(Sha256::digest(bytes).to_vec())?;
    let request = TimeStampReq {
        version: 1,
        message_imprint: MessageImprint { hash_algorithm, hashed_message },
        nonce: nonce.clone(),
        cert_req: true,
    };
    Ok((request.to_der()?, nonce))
}
