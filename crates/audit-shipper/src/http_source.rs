//! A trail behind any static HTTP server: the directory, file by file.
//!
//! What must stay true here: nothing a server says is believed; it hands out bytes, and verification
//! decides what they are. A server that answers no more is an error, never an end of a file. Every wait
//! has its limit, no redirect is followed, and no listing is read beyond what an honest one can be.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use audit_core::meta::Manifest;
use audit_core::segment::SegmentName;
use audit_reader::{LogFile, LogSource, ReadError};
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

use crate::http_file::{HttpFile, Scattered};

/// How long a server may be silent.
const SILENCE: Duration = Duration::from_secs(30);
/// The largest listing or manifest that is read.
const MAX_LISTING: u64 = 64 * 1024 * 1024;
/// What a trail has beside its segments.
const BESIDE: [&str; 5] = ["trail.json", "checkpoint", "witnessed", "manifest.json", "tree.hashes"];

/// A trail under an address, as `rsync`, a bucket or `python3 -m http.server` puts it there.
///
/// A verification asks for each file once or twice from its first byte to its last, whatever its size, and
/// for `tree.hashes` a MiB at a time: some ten requests a segment, and one for each 16,000 entries.
///
/// Which segments there are is taken from the server's listing of the directory, if it gives one, and
/// from `manifest.json`. One that both leave out is missed, and so are its entries: the checkpoint says so.
#[derive(Debug)]
pub struct HttpSource {
    agent: Agent,
    /// Ends in `/`.
    prefix: String,
}

impl HttpSource {
    /// The trail under this address: where `trail.json` is. Nothing is asked yet.
    #[must_use]
    pub fn new(address: &str) -> HttpSource {
        let agent = Agent::config_builder()
            .timeout_connect(Some(SILENCE))
            .timeout_recv_response(Some(SILENCE))
            .timeout_per_read(Some(SILENCE))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_response_header_size(64 * 1024)
            .user_agent(concat!("audit-shipper/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        HttpSource { agent, prefix: format!("{}/", address.trim_end_matches('/')) }
    }

    /// Whether a place is an address, and not a path.
    #[must_use]
    pub fn is_address(place: &str) -> bool {
        place.starts_with("http://") || place.starts_with("https://")
    }

    fn small(&self, name: &str) -> Result<Option<Vec<u8>>, ReadError> {
        let address = format!("{}{name}", self.prefix);
        let place = self.place().join(name);
        let failed = ReadError::io(&place);
        let response = self.agent.get(&address).call().map_err(io::Error::other);
        match response.and_then(|response| found(response, StatusCode::OK)) {
            Ok(Some(mut response)) => {
                let body = response.body_mut().with_config().limit(MAX_LISTING).read_to_vec();
                body.map(Some).map_err(|error| failed(io::Error::other(error)))
            }
            Ok(None) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }
}

impl LogSource for HttpSource {
    fn place(&self) -> PathBuf {
        PathBuf::from(&self.prefix)
    }

    fn names(&self) -> Result<Vec<String>, ReadError> {
        let mut names: BTreeSet<String> = BESIDE.map(str::to_owned).into();
        let manifest = self.small("manifest.json")?;
        let listing = self.small("")?;
        if manifest.is_none() && listing.is_none() {
            let why = "there is neither manifest.json nor a listing of the directory";
            let error = io::Error::new(io::ErrorKind::NotFound, why);
            return Err(ReadError::io(&self.place())(error));
        }
        // What cannot be read is for the verification to report; it names no segments.
        let manifest = manifest.and_then(|bytes| serde_json::from_slice::<Manifest>(&bytes).ok());
        for row in manifest.into_iter().flat_map(|manifest| manifest.files) {
            if SegmentName::parse(&row.filename).is_some() {
                if row.closed_at.is_some() {
                    names.insert(format!("{}.sha256", row.filename));
                }
                names.insert(row.filename);
            }
        }
        let listing = listing.unwrap_or_default();
        names.extend(links(&String::from_utf8_lossy(&listing)).map(str::to_owned));
        Ok(names.into_iter().collect())
    }

    fn open(&self, name: &str) -> Result<Option<Arc<dyn LogFile>>, ReadError> {
        let address = format!("{}{name}", self.prefix);
        let place = self.place().join(name);
        let failed = ReadError::io(&place);
        let response = self.agent.head(&address).call().map_err(io::Error::other);
        match response.and_then(|response| found(response, StatusCode::OK)) {
            Ok(Some(_)) => {
                let file = HttpFile::new(self.agent.clone(), address);
                // The only one in which is looked here and there.
                let is_scattered = name == "tree.hashes";
                let file: Arc<dyn LogFile> =
                    if is_scattered { Arc::new(Scattered::new(file)) } else { Arc::new(file) };
                Ok(Some(file))
            }
            Ok(None) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }
}

/// The files that a listing links to, in this directory.
fn links(listing: &str) -> impl Iterator<Item = &str> {
    let targets = listing.split("href=").skip(1).filter_map(|rest| {
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        rest[1..].split(quote).next()
    });
    targets.map(|target| target.trim_start_matches("./")).filter(|name| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        !name.is_empty() && name.bytes().all(plain)
    })
}

/// The answer, if it has this status; `None` if there is no such file.
pub(crate) fn found(
    response: Response<Body>,
    status: StatusCode,
) -> io::Result<Option<Response<Body>>> {
    match response.status() {
        got if got == status => Ok(Some(response)),
        StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
        got => Err(io::Error::other(format!("the server answered {got}"))),
    }
}
