//! One HTTP exchange with a witness (C2SP tlog-witness), and what any such exchange is made of.
//!
//! What must stay true here: every exchange ends within its time limit, no redirect is followed,
//! and no answer is read beyond what an honest one can be.

use std::time::Duration;

use audit_core::chain::Hash;
use audit_core::checkpoint::SignedCheckpoint;
use audit_core::note::NoteSignature;
use sha2::{Digest, Sha256};
use ureq::Agent;

/// The largest answer that is read: many cosignatures, or a token with its certificates.
pub(crate) const MAX_ANSWER: u64 = 64 * 1024;
/// The content type of the size in a 409.
const SIZE_TYPE: &str = "text/x.tlog.size";

/// What a witness answered to `add-checkpoint`.
#[derive(Debug)]
pub(crate) enum Answer {
    /// 200: signature lines, not verified.
    Signatures(Vec<NoteSignature>),
    /// 404.
    UnknownOrigin,
    /// 403.
    UnknownKey,
    /// 409 with the size of what it cosigned last.
    Conflict(u64),
    /// 422, or 409 without a size.
    Refused,
    /// Any other status.
    Status(u16),
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody is there.
    Unreachable(String),
    /// It took too long.
    TimedOut,
    /// An answer, but none that the protocol knows.
    Nonsense(&'static str),
}

/// An answer: status, content type without parameters, body.
type Reply = (u16, String, Vec<u8>);

/// What exchanges are made with. Each ends within `timeout`.
pub(crate) fn agent(timeout: Duration) -> Agent {
    Agent::config_builder()
        .timeout_global(Some(timeout))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .max_response_header_size(16 * 1024)
        .proxy(None)
        .user_agent(concat!("audit-shipper/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent()
}

/// Sends a body, and gives the answer whatever its status.
pub(crate) fn post(agent: &Agent, url: &str, kind: &str, body: &[u8]) -> Result<Reply, Failure> {
    read(agent.post(url).content_type(kind).send(body).map_err(failure)?)
}

/// The client of one witness.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    agent: Agent,
    url: String,
}

impl Client {
    pub(crate) const fn new(agent: Agent, url: String) -> Client {
        Client { agent, url }
    }

    pub(crate) fn add_checkpoint(
        &self,
        old: u64,
        proof: &[Hash],
        checkpoint: &SignedCheckpoint,
    ) -> Result<Answer, Failure> {
        let mut body = format!("old {old}\n");
        for hash in proof {
            body.push_str(&base64(hash));
            body.push('\n');
        }
        body.push('\n');
        body.push_str(&checkpoint.to_string());
        let (status, kind, bytes) = self.post("add-checkpoint", body.as_bytes())?;
        Ok(match status {
            200 => match NoteSignature::parse_lines(&bytes) {
                Ok(signatures) => Answer::Signatures(signatures),
                Err(_) => return Err(Failure::Nonsense("200 without signature lines")),
            },
            403 => Answer::UnknownKey,
            404 => Answer::UnknownOrigin,
            409 if kind == SIZE_TYPE => match decimal_line(&bytes) {
                Some(size) => Answer::Conflict(size),
                None => return Err(Failure::Nonsense("409 without a size")),
            },
            409 | 422 => Answer::Refused,
            status => Answer::Status(status),
        })
    }

    /// Tells a witness of a new key; gives the status. This is not part of C2SP.
    pub(crate) fn add_rotation(&self, body: &[u8]) -> Result<u16, Failure> {
        self.post("add-rotation", body).map(|answer| answer.0)
    }

    /// What the witness serves as the last checkpoint it cosigned. Not verified.
    pub(crate) fn last_cosigned(&self, origin: &str) -> Option<SignedCheckpoint> {
        let hash = Hash(Sha256::digest(origin).into());
        let response = self.agent.get(format!("{}/{hash}/checkpoint", self.url)).call().ok()?;
        let (status, _, bytes) = read(response).ok()?;
        (status == 200).then(|| SignedCheckpoint::parse(&bytes).ok()).flatten()
    }

    fn post(&self, call: &str, body: &[u8]) -> Result<Reply, Failure> {
        let url = format!("{}/{call}", self.url);
        post(&self.agent, &url, "text/plain; charset=utf-8", body)
    }
}

fn read(mut response: ureq::http::Response<ureq::Body>) -> Result<Reply, Failure> {
    let status = response.status().as_u16();
    let kind = response.headers().get("content-type").and_then(|value| value.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_owned();
    let body = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
    Ok((status, kind, body.map_err(failure)?))
}

fn failure(error: ureq::Error) -> Failure {
    match error {
        ureq::Error::Timeout(_) => Failure::TimedOut,
        ureq::Error::BodyExceedsLimit(_) => Failure::Nonsense("a body larger than any answer"),
        ureq::Error::LargeResponseHeader(..) => Failure::Nonsense("a header larger than any"),
        ureq::Error::Protocol(_) | ureq::Error::Http(_) => Failure::Nonsense("not HTTP"),
        other => Failure::Unreachable(other.to_string()),
    }
}

/// A size in decimal and LF.
fn decimal_line(bytes: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
    let digits = text.len() <= 19 && text.bytes().all(|byte| byte.is_ascii_digit());
    let plain = digits && (text == "0" || !text.starts_with('0'));
    let size: u64 = plain.then(|| text.parse().ok()).flatten()?;
    (size <= i64::MAX as u64).then_some(size)
}

/// The base64 of a hash.
fn base64(hash: &Hash) -> String {
    use base64ct::{Base64, Encoding};
    Base64::encode_string(&hash.0)
}
