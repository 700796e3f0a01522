//! Who signed a token: the certificate, its signature, its usage and its path.
//!
//! What must stay true here: the certificate is the one whose hash is signed (RFC 5035, 5816), so that
//! nobody can put another for the same key beside it. Signatures and paths are verified by `webpki`, over
//! the bytes that came.

use std::time::Duration;

use audit_core::Timestamp;
use der::asn1::{Any, OctetString, SetOfVec};
use der::{Decode, Encode, Tag, Tagged};
use rustls_pki_types::{CertificateDer, UnixTime, alg_id};
use sha1::{Digest as _, Sha1};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage};
use x509_cert::attr::Attribute;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    ExtendedKeyUsage, KeyUsage as Bits, SubjectAltName, SubjectKeyIdentifier,
};
use x509_cert::{AlgorithmIdentifier, Certificate};

use super::asn1::{
    IssuerAndSerialNumber, RSA_ENCRYPTION, SHA256, SIGNING_CERTIFICATE, SIGNING_CERTIFICATE_V2,
    SigningCertificate, SigningCertificateV2, TIME_STAMPING, TIME_STAMPING_BYTES,
};
use super::error::TokenError;
use super::roots::Roots;
use super::token::{DigestAlgorithm, decoded, find, is_plain, malformed};

/// What is wrong with a certificate that cannot be used for anything.
const UNREADABLE: &str = "it cannot be read";

/// The signer of a token.
pub(super) struct Signer {
    der: CertificateDer<'static>,
    certificate: Certificate,
    /// The other certificates that came along.
    others: Vec<CertificateDer<'static>>,
}

impl Signer {
    /// The certificate that the signed attributes and the signer both name.
    pub(super) fn find(
        certificates: Option<&SetOfVec<Any>>,
        sid: &Any,
        attributes: &SetOfVec<Attribute>,
    ) -> Result<Signer, TokenError> {
        let named = Named::read(attributes)?;
        let (mut signer, mut others) = (None, Vec::new());
        for value in certificates.iter().flat_map(|all| all.iter()) {
            let der = value.to_der().map_err(malformed("a certificate"))?;
            if signer.is_none() && named.is(&der) {
                signer = Some(der);
            } else {
                others.push(CertificateDer::from(der));
            }
        }
        let der = signer.ok_or(TokenError::Certificate)?;
        let certificate = Certificate::from_der(&der).map_err(malformed("the certificate"))?;
        if !is_named(&certificate, sid)? {
            return Err(TokenError::Certificate);
        }
        Ok(Signer { der: CertificateDer::from(der), certificate, others })
    }

    /// Whom the certificate is of.
    pub(super) fn name(&self) -> String {
        self.certificate.tbs_certificate().subject().to_string()
    }

    fn key(&self) -> Result<EndEntityCert<'_>, TokenError> {
        EndEntityCert::try_from(&self.der).map_err(|error| TokenError::Path(error.to_string()))
    }

    /// The signature over `message`.
    pub(super) fn verify(
        &self,
        digest: DigestAlgorithm,
        algorithm: &AlgorithmIdentifier,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), TokenError> {
        let key = self.key()?;
        let whole = Any::encode_from(algorithm).map_err(malformed("the signature's algorithm"))?;
        let stated = match (algorithm.oid, digest) {
            (RSA_ENCRYPTION, _) if !is_plain(algorithm) => {
                return Err(TokenError::Rule("a key of RSA has no parameters"));
            }
            // CMS may name the kind of key here, and the digest beside it.
            (RSA_ENCRYPTION, DigestAlgorithm::Sha256) => alg_id::RSA_PKCS1_SHA256.as_ref(),
            (RSA_ENCRYPTION, DigestAlgorithm::Sha384) => alg_id::RSA_PKCS1_SHA384.as_ref(),
            (RSA_ENCRYPTION, DigestAlgorithm::Sha512) => alg_id::RSA_PKCS1_SHA512.as_ref(),
            _ => whole.value(),
        };
        let mut wrong = TokenError::Unsupported(
            "another algorithm to sign than RSA of 2,048 bits and more, ECDSA on P-256 or P-384, or Ed25519",
        );
        // One name may stand for several, one for each curve.
        for known in ALL_VERIFICATION_ALGS {
            if known.signature_alg_id().as_ref() != stated {
                continue;
            }
            match key.verify_signature(*known, message, signature) {
                Ok(()) => return Ok(()),
                Err(webpki::Error::InvalidSignatureForPublicKey) => wrong = TokenError::Signature,
                Err(_) => {}
            }
        }
        Err(wrong)
    }

    /// RFC 3161, section 2.3: for time stamps only, and that is critical.
    pub(super) fn is_for_time_stamps(&self) -> Result<(), TokenError> {
        let tbs = self.certificate.tbs_certificate();
        let unreadable = |_| TokenError::Usage(UNREADABLE);
        match tbs.get_extension::<ExtendedKeyUsage>().map_err(unreadable)? {
            Some((true, ExtendedKeyUsage(usages))) if usages == [TIME_STAMPING] => {}
            Some((true, _)) => return Err(TokenError::Usage("it has another extended key usage")),
            Some((false, _)) => {
                return Err(TokenError::Usage("its extended key usage is not critical"));
            }
            None => return Err(TokenError::Usage("it has no extended key usage")),
        }
        match tbs.get_extension::<Bits>().map_err(unreadable)? {
            Some((_, bits)) if !bits.digital_signature() && !bits.non_repudiation() => {
                Err(TokenError::Usage("its key is not for signatures"))
            }
            _ => Ok(()),
        }
    }

    /// RFC 3161, section 2.4.2: a name in what is signed is one of the certificate's.
    pub(super) fn is_called(&self, name: &GeneralName) -> Result<(), TokenError> {
        let tbs = self.certificate.tbs_certificate();
        let more = tbs.get_extension::<SubjectAltName>().map_err(malformed("the certificate"))?;
        let is_subject = matches!(name, GeneralName::DirectoryName(name) if name == tbs.subject());
        let is_other = more.is_some_and(|(_, SubjectAltName(names))| names.contains(name));
        if is_subject || is_other {
            return Ok(());
        }
        Err(TokenError::Rule("the name in it is one of its certificate's"))
    }

    /// The path to a root, at this time. Authorities in between may leave their usage open.
    pub(super) fn leads_to(&self, roots: &Roots, time: Timestamp) -> Result<(), TokenError> {
        let path = |error: webpki::Error| TokenError::Path(error.to_string());
        let seconds = u64::try_from(time.as_second());
        let seconds = seconds.map_err(|_| TokenError::Rule("the time is after 1970"))?;
        let usage = KeyUsage::required_if_present(TIME_STAMPING_BYTES);
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let (key, others) = (self.key()?, &self.others);
        let found = key.verify_for_usage(
            ALL_VERIFICATION_ALGS,
            roots.anchors(),
            others,
            time,
            usage,
            None,
            None,
        );
        found.map(drop).map_err(path)
    }
}

/// What the signed attributes say of the signer's certificate: hashes of it.
struct Named {
    by_sha1: Option<OctetString>,
    by_sha2: Option<(DigestAlgorithm, OctetString)>,
}

impl Named {
    /// The first of each list is the signer's; the others are of its authorities.
    fn read(attributes: &SetOfVec<Attribute>) -> Result<Named, TokenError> {
        const WHAT: &str = "the signing certificate";
        const EMPTY: TokenError = TokenError::Rule("the signer names its certificate");
        let mut named = Named { by_sha1: None, by_sha2: None };
        if let Some(value) = find(attributes, SIGNING_CERTIFICATE)? {
            let list: SigningCertificate = decoded(value, WHAT)?;
            named.by_sha1 = Some(list.certs.into_iter().next().ok_or(EMPTY)?.cert_hash);
        }
        if let Some(value) = find(attributes, SIGNING_CERTIFICATE_V2)? {
            let list: SigningCertificateV2 = decoded(value, WHAT)?;
            let first = list.certs.into_iter().next().ok_or(EMPTY)?;
            let digest = first.hash_algorithm.map_or(SHA256, |algorithm| algorithm.oid);
            let digest = DigestAlgorithm::of(&digest)?;
            named.by_sha2 = Some((digest, first.cert_hash));
        }
        if named.by_sha1.is_none() && named.by_sha2.is_none() {
            return Err(EMPTY);
        }
        Ok(named)
    }

    /// Whether it is this one, by all that is said of it.
    fn is(&self, der: &[u8]) -> bool {
        let sha1 = |hash: &OctetString| hash.as_bytes() == Sha1::digest(der).as_slice();
        let sha2 = |(by, hash): &(DigestAlgorithm, OctetString)| hash.as_bytes() == by.hash(der);
        self.by_sha1.as_ref().is_none_or(sha1) && self.by_sha2.as_ref().is_none_or(sha2)
    }
}

/// Whether the signer's identifier is of this certificate.
fn is_named(certificate: &Certificate, sid: &Any) -> Result<bool, TokenError> {
    let tbs = certificate.tbs_certificate();
    if sid.tag() == Tag::Sequence {
        let named: IssuerAndSerialNumber = decoded(sid, "the signer's identifier")?;
        return Ok(named.issuer == *tbs.issuer() && named.serial_number == *tbs.serial_number());
    }
    let stated = tbs.get_extension::<SubjectKeyIdentifier>();
    let stated = stated.map_err(malformed("the certificate"))?;
    Ok(stated.is_some_and(|(_, SubjectKeyIdentifier(id))| id.as_bytes() == sid.value()))
}
