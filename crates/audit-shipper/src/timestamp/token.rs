//! Verifies a time stamp (RFC 3161, 5816): a `TimeStampResp` of certain bytes, to the end.
//!
//! What must stay true here: a [`Stamp`] is given only after everything was verified: status, imprint,
//! nonce where one is known, the one signature over the signed attributes, the certificate that these
//! name, its usage, and its path to the given roots at the time that is stated. Nothing is taken from
//! what is not signed. Revocation is not looked at.

use audit_core::Timestamp;
use der::asn1::{Any, Int, ObjectIdentifier, SetOfVec};
use der::{Decode, Encode, Tag, Tagged};
use serde::Serialize;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use x509_cert::AlgorithmIdentifier;
use x509_cert::attr::Attribute;

use super::asn1::{
    Accuracy, CONTENT_TYPE, ContentInfo, MESSAGE_DIGEST, PkiStatus, SHA256, SHA384, SHA512,
    SIGNED_DATA, SignedData, SignerInfo, TST_INFO, TimeStampResp, TstInfo,
};
use super::error::TokenError;
use super::roots::Roots;
use super::signer::Signer;

/// What a verified time stamp says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Stamp {
    /// The bytes existed at this time.
    pub time: Timestamp,
    /// How far the authority's clock may be off, in microseconds, if it says.
    pub accuracy_us: Option<u64>,
    /// Whom the certificate names.
    pub authority: String,
    /// The authority's number of the stamp, in hex.
    pub serial: String,
    /// The policy it was made under, an object identifier.
    pub policy: String,
}

/// Verifies a `TimeStampResp` in DER over `stamped`; with a nonce, as the answer to that request.
pub(super) fn verify(
    response: &[u8],
    stamped: &[u8],
    nonce: Option<&Int>,
    roots: &Roots,
) -> Result<Stamp, TokenError> {
    let token = granted(response)?;
    if token.content_type != SIGNED_DATA {
        return Err(TokenError::Rule("a token is CMS SignedData"));
    }
    let data: SignedData = token.content.decode_as().map_err(malformed("the signed data"))?;
    let encapsulated = &data.encap_content_info;
    let Some(content) =
        encapsulated.content.as_ref().filter(|_| encapsulated.content_type == TST_INFO)
    else {
        return Err(TokenError::Rule("what is signed is a TSTInfo, and in the token"));
    };
    let [signer] = data.signer_infos.as_slice() else {
        return Err(TokenError::Rule("there is exactly one signer"));
    };
    let signer: SignerInfo = signer.decode_as().map_err(malformed("the signer"))?;
    let Some(attributes) = &signer.signed_attrs else {
        return Err(TokenError::Rule("attributes are signed"));
    };

    if !data.digest_algorithms.iter().all(is_plain)
        || !data.digest_algorithms.iter().any(|one| one.oid == signer.digest_algorithm.oid)
        || !is_plain(&signer.digest_algorithm)
    {
        return Err(TokenError::Rule("the signer's digest is one of the stated ones"));
    }
    let digest = DigestAlgorithm::of(&signer.digest_algorithm.oid)?;
    let kind: ObjectIdentifier = decoded(only(attributes, CONTENT_TYPE)?, "the content type")?;
    if kind != TST_INFO {
        return Err(TokenError::Rule("the signed content type is that of the content"));
    }
    let stated: der::asn1::OctetString = decoded(only(attributes, MESSAGE_DIGEST)?, "the digest")?;
    if digest.hash(content.as_bytes()) != stated.as_bytes() {
        return Err(TokenError::Content);
    }
    let by = Signer::find(data.certificates.as_ref(), &signer.sid, attributes)?;
    let message = attributes.to_der().map_err(malformed("the signed attributes"))?;
    by.verify(digest, &signer.signature_algorithm, &message, signer.signature.as_bytes())?;

    let info = TstInfo::from_der(content.as_bytes()).map_err(malformed("the TSTInfo"))?;
    let time = held(&info, stamped, nonce)?;
    if let Some(name) = &info.tsa {
        by.is_called(name)?;
    }
    by.is_for_time_stamps()?;
    by.leads_to(roots, time)?;
    Ok(Stamp {
        time,
        accuracy_us: info.accuracy.map(microseconds),
        authority: by.name(),
        serial: hex(info.serial_number.as_bytes()),
        policy: info.policy.to_string(),
    })
}

/// An algorithm without parameters, or one that says so in so many words.
pub(super) fn is_plain(algorithm: &AlgorithmIdentifier) -> bool {
    algorithm.parameters.as_ref().is_none_or(Any::is_null)
}

/// The token, if there is one.
fn granted(response: &[u8]) -> Result<ContentInfo, TokenError> {
    let response = TimeStampResp::from_der(response).map_err(malformed("the answer"))?;
    let status = response.status;
    match (status.status, response.time_stamp_token) {
        (PkiStatus::Granted | PkiStatus::GrantedWithMods, Some(token)) => Ok(token),
        (PkiStatus::Granted | PkiStatus::GrantedWithMods, None) => {
            Err(TokenError::Rule("a granted answer has a token"))
        }
        (refusal, _) => {
            let mut said = format!("{refusal:?}");
            for text in status.status_string.iter().flatten() {
                said.push_str(": ");
                said.extend(text.chars().take(200));
            }
            if let Some(bits) = status.fail_info {
                let set = bits.bits().enumerate().filter(|(_, is_set)| *is_set);
                let set: Vec<_> = set.map(|(bit, _)| bit.to_string()).collect();
                said.push_str(&format!(" (failure bits {})", set.join(", ")));
            }
            Err(TokenError::Refused(said))
        }
    }
}

/// What is stamped is what was given, in answer to what was asked; gives the time.
fn held(info: &TstInfo, stamped: &[u8], nonce: Option<&Int>) -> Result<Timestamp, TokenError> {
    if info.version != 1 {
        return Err(TokenError::Rule("the version of a TSTInfo is 1"));
    }
    let imprint = &info.message_imprint;
    let digest = DigestAlgorithm::of(&imprint.hash_algorithm.oid)?;
    if !is_plain(&imprint.hash_algorithm)
        || imprint.hashed_message.as_bytes() != digest.hash(stamped)
    {
        return Err(TokenError::OtherBytes);
    }
    if nonce.is_some_and(|nonce| info.nonce.as_ref() != Some(nonce)) {
        return Err(TokenError::OtherRequest);
    }
    if info.extensions.iter().flatten().any(|extension| extension.critical) {
        return Err(TokenError::Unsupported("a critical extension of the TSTInfo"));
    }
    time(&info.gen_time)
}

/// `YYYYMMDDhhmmss[.f…]Z`, nine digits of a fraction at most.
fn time(value: &Any) -> Result<Timestamp, TokenError> {
    const WHAT: TokenError = TokenError::Rule("the time is a GeneralizedTime in UTC, with seconds");
    let text = std::str::from_utf8(value.value()).map_err(|_| WHAT)?;
    let (whole, fraction) = text.strip_suffix('Z').ok_or(WHAT)?.split_at_checked(14).ok_or(WHAT)?;
    let fraction = match fraction.strip_prefix('.') {
        None if fraction.is_empty() => "0",
        Some(digits) if (1..=9).contains(&digits.len()) => digits,
        _ => return Err(WHAT),
    };
    let is_decimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if value.tag() != Tag::GeneralizedTime || !is_decimal(whole) || !is_decimal(fraction) {
        return Err(WHAT);
    }
    let number = |from: usize, to: usize| whole.get(from..to).and_then(|part| part.parse().ok());
    let date = whole.get(..4).and_then(|year| year.parse::<u16>().ok());
    let date = date.and_then(|year| {
        let [month, day] = [number(4, 6)?, number(6, 8)?];
        let [hour, minute, second] = [number(8, 10)?, number(10, 12)?, number(12, 14)?];
        der::DateTime::new(year, month, day, hour, minute, second).ok()
    });
    let seconds = date.and_then(|date| i64::try_from(date.unix_duration().as_secs()).ok());
    let nanoseconds = format!("{fraction:0<9}").parse().ok();
    seconds.zip(nanoseconds).and_then(|(s, n)| Timestamp::new(s, n).ok()).ok_or(WHAT)
}

fn microseconds(accuracy: Accuracy) -> u64 {
    u64::from(accuracy.seconds.unwrap_or(0)) * 1_000_000
        + u64::from(accuracy.millis.unwrap_or(0)) * 1_000
        + u64::from(accuracy.micros.unwrap_or(0))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The one value of the one attribute of this type.
pub(super) fn only(
    attributes: &SetOfVec<Attribute>,
    kind: ObjectIdentifier,
) -> Result<&Any, TokenError> {
    find(attributes, kind)?.ok_or(TokenError::Rule("content type and digest are signed"))
}

/// The one value of the attribute of this type, if it is there.
pub(super) fn find(
    attributes: &SetOfVec<Attribute>,
    kind: ObjectIdentifier,
) -> Result<Option<&Any>, TokenError> {
    let mut all = attributes.iter().filter(|attribute| attribute.oid == kind);
    match (all.next().map(|attribute| attribute.values.as_slice()), all.next()) {
        (None, _) => Ok(None),
        (Some([value]), None) => Ok(Some(value)),
        _ => Err(TokenError::Rule("each signed attribute is there once, with one value")),
    }
}

/// A value of a signed attribute.
pub(super) fn decoded<T>(value: &Any, what: &'static str) -> Result<T, TokenError>
where
    T: for<'a> der::DecodeValue<'a, Error = der::Error> + der::FixedTag,
{
    value.decode_as().map_err(malformed(what))
}

pub(super) fn malformed(what: &'static str) -> impl FnOnce(der::Error) -> TokenError {
    move |error| TokenError::Malformed { what, why: error.to_string() }
}

/// What a signer hashes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DigestAlgorithm {
    Sha256,
    Sha384,
    Sha512,
}

impl DigestAlgorithm {
    pub(super) fn of(oid: &ObjectIdentifier) -> Result<DigestAlgorithm, TokenError> {
        match *oid {
            SHA256 => Ok(DigestAlgorithm::Sha256),
            SHA384 => Ok(DigestAlgorithm::Sha384),
            SHA512 => Ok(DigestAlgorithm::Sha512),
            _ => Err(TokenError::Unsupported("another digest than SHA-256, SHA-384 or SHA-512")),
        }
    }

    pub(super) fn hash(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            DigestAlgorithm::Sha256 => Sha256::digest(bytes).to_vec(),
            DigestAlgorithm::Sha384 => Sha384::digest(bytes).to_vec(),
            DigestAlgorithm::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }
}
