//! The root certificates that a user trusts to say what time it was.
//!
//! What must stay true here: nothing is trusted that was not given; there is no list of ours.

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, TrustAnchor};
use webpki::anchor_from_trusted_cert;

use super::error::TimestampError;

/// Root certificates.
#[derive(Debug, Clone)]
pub struct Roots {
    anchors: Vec<TrustAnchor<'static>>,
}

impl Roots {
    /// All certificates of a file in PEM; what else is in it is passed over.
    ///
    /// # Errors
    /// [`TimestampError::Roots`] if there is none, or one that cannot be read.
    pub fn from_pem(pem: &[u8]) -> Result<Roots, TimestampError> {
        let unusable = |why: String| TimestampError::Roots(why);
        let mut anchors = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
            let anchor = anchor_from_trusted_cert(&certificate);
            anchors.push(anchor.map_err(|error| unusable(error.to_string()))?.to_owned());
        }
        if anchors.is_empty() {
            return Err(unusable("there is no certificate in PEM".to_owned()));
        }
        Ok(Roots { anchors })
    }

    pub(super) fn anchors(&self) -> &[TrustAnchor<'static>] {
        &self.anchors
    }
}
