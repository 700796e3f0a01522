//! Streams of records to a SIEM: syslog over TLS (RFC 5425), or over plain TCP with the same framing
//! (RFC 6587), for a relay on the same machine.
//!
//! What must stay true here: nothing counts as delivered before the receiver's side says so, and
//! whoever asks keeps the cursor until then. Syslog has no acknowledgement, so this one is used: all is
//! sent, the sending direction is closed, and the receiver closes in order, which it does when it has
//! read to the end. Every wait has a limit.

mod stream;
#[cfg(feature = "tls")]
mod tls;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use thiserror::Error;

use stream::Stream;

/// Bytes that are gathered before they are sent.
const GATHERED: usize = 64 * 1024;

/// Where records go: `tls://host:port` or `tcp://host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    tls: bool,
    host: String,
    port: u16,
}

/// Whom to believe, and who to be, over TLS.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// PEM file of the authorities whose certificates are believed.
    pub ca: Option<PathBuf>,
    /// PEM files of this side's certificate and of its private key, where the receiver wants one.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Why records are not known to be delivered. They come again with the next attempt.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DeliveryError {
    /// Not a place to send to. The caller's fault.
    #[error("{target}: expected tls://HOST:PORT or tcp://HOST:PORT")]
    Target {
        /// What was given.
        target: String,
    },
    /// A certificate or key cannot be used. The caller's fault.
    #[error("{}: {problem}", path.display())]
    Trust {
        /// The file.
        path: PathBuf,
        /// What is wrong with it; nothing of its content.
        problem: String,
    },
    /// TLS without authorities to believe. The caller's fault.
    #[error(
        "tls:// needs the authorities to believe; give their PEM file, such as /etc/ssl/certs/ca-certificates.crt"
    )]
    NoAuthorities,
    /// TLS in a build without.
    #[error("this build has no TLS; build with the feature `tls`")]
    NoTls,
    /// No connection: nobody there, or not who it should be.
    #[error("cannot connect to {target}: {source}")]
    Connect {
        /// Where to.
        target: Target,
        /// The system's answer, or that of TLS.
        source: io::Error,
    },
    /// The connection broke, or nothing moved for too long.
    #[error("cannot send to {target}: {source}")]
    Send {
        /// Where to.
        target: Target,
        /// The system's answer, or that of TLS.
        source: io::Error,
    },
    /// All was sent, and the receiver did not end the connection in order.
    #[error("{target} did not confirm by closing in order: {source}")]
    Unconfirmed {
        /// Where to.
        target: Target,
        /// How it ended instead.
        source: io::Error,
    },
}

impl FromStr for Target {
    type Err = DeliveryError;

    fn from_str(text: &str) -> Result<Target, DeliveryError> {
        let parse = || {
            let (scheme, place) = text.split_once("://")?;
            let tls = match scheme {
                "tls" => true,
                "tcp" => false,
                _ => return None,
            };
            let (host, port) = place.rsplit_once(':')?;
            let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
            let named = !host.is_empty() && !host.contains(['/', '@', ' ']);
            named.then_some(Target { tls, host: host.to_owned(), port: port.parse().ok()? })
        };
        parse().ok_or_else(|| DeliveryError::Target { target: text.to_owned() })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "tls" } else { "tcp" };
        let host = &self.host;
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{}", self.port)
        } else {
            write!(f, "{scheme}://{host}:{}", self.port)
        }
    }
}

/// One stream of syslog messages. Connects when there is something to send.
#[derive(Debug)]
pub struct Delivery {
    target: Target,
    connector: stream::Connector,
    stream: Option<Stream>,
    gathered: Vec<u8>,
}

impl Delivery {
    /// A stream to this place. Nothing is sent yet.
    ///
    /// # Errors
    /// [`DeliveryError`] when certificates or keys cannot be used.
    pub fn new(target: Target, trust: &Trust) -> Result<Delivery, DeliveryError> {
        let connector = stream::Connector::new(&target, trust)?;
        Ok(Delivery { target, connector, stream: None, gathered: Vec::new() })
    }

    /// With another limit than half a minute on how long nothing may move.
    #[must_use]
    pub const fn with_patience(mut self, stall: std::time::Duration) -> Delivery {
        self.connector.stall = stall;
        self
    }

    /// Where to.
    #[must_use]
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// Sends messages that [`frame`] has framed. They are not delivered yet.
    ///
    /// # Errors
    /// [`DeliveryError`]: what was sent since the last [`Delivery::confirm`] must be sent again.
    pub fn send(&mut self, messages: &[u8]) -> Result<(), DeliveryError> {
        self.gathered.extend_from_slice(messages);
        if self.gathered.len() < GATHERED {
            return Ok(());
        }
        self.flush()
    }

    /// Ends the connection, and waits until the receiver has ended it too: then it has read all.
    ///
    /// # Errors
    /// [`DeliveryError`]: what was sent since the last time must be sent again.
    pub fn confirm(&mut self) -> Result<(), DeliveryError> {
        self.flush()?;
        let Some(stream) = self.stream.take() else { return Ok(()) };
        let target = self.target.clone();
        stream.finish().map_err(|source| DeliveryError::Unconfirmed { target, source })
    }

    /// Forgets the connection and what was gathered, after an error.
    pub fn reset(&mut self) {
        self.stream = None;
        self.gathered.clear();
    }

    fn flush(&mut self) -> Result<(), DeliveryError> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let failed = |source| DeliveryError::Send { target: self.target.clone(), source };
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let target = self.target.clone();
                let connected = self.connector.connect(&self.target);
                none.insert(connected.map_err(|source| DeliveryError::Connect { target, source })?)
            }
        };
        // An end that comes now would look like one that confirms.
        if stream.has_ended().map_err(failed)? {
            let (target, source) = (self.target.clone(), stream::ended_early());
            return Err(DeliveryError::Unconfirmed { target, source });
        }
        stream.send(&self.gathered).map_err(failed)?;
        self.gathered.clear();
        Ok(())
    }
}

/// Frames the message that stands in `out` from `start` on: its length, a space, the message
/// (RFC 5425 section 4.3, RFC 6587 section 3.4.1).
pub fn frame(out: &mut Vec<u8>, start: usize) {
    let length = format!("{} ", out.len() - start);
    out.splice(start..start, length.into_bytes());
}

#[cfg(test)]
mod tests;
