//! A SIEM as the place where records go.
//!
//! What must stay true here: a receiver that is down, slow or rude costs time and never a record; the
//! operator is told once when it begins and once when it is over.

use std::path::PathBuf;
use std::time::Duration;

use audit_shipper::siem::{Delivery, Target, Trust};

use super::Form;
use crate::error::CliError;
use crate::output::escape;

/// The first wait after a failure; each next one is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Where records are sent, and whom to believe there.
#[derive(Debug, clap::Args)]
pub(super) struct Remote {
    /// Send to a syslog receiver instead of writing: tls://HOST:PORT, or tcp://HOST:PORT
    #[arg(long, value_name = "URL", conflicts_with = "output")]
    to: Option<String>,
    /// PEM file of the authorities that the receiver's certificate is believed by; for tls://
    #[arg(long, value_name = "FILE", requires = "to")]
    ca: Option<PathBuf>,
    /// PEM file of our certificate, where the receiver wants one
    #[arg(long, value_name = "FILE", requires = "cert_key")]
    cert: Option<PathBuf>,
    /// PEM file of its private key
    #[arg(long, value_name = "FILE", requires = "cert")]
    cert_key: Option<PathBuf>,
}

impl Remote {
    /// Whether a stream was asked for.
    pub(super) const fn is_given(&self) -> bool {
        self.to.is_some()
    }

    /// The stream, if one was asked for.
    pub(super) fn delivery(
        &self,
        form: Form,
        follow: bool,
        has_cursor: bool,
    ) -> Result<Option<Delivery>, CliError> {
        let Some(to) = &self.to else { return Ok(None) };
        let refuse = |what: &str, next| Err(CliError::Usage { what: what.to_owned(), next });
        if form != Form::Syslog {
            return refuse("--to sends syslog messages", "give --format syslog, or write with -o");
        }
        if follow && !has_cursor {
            let next = "give --cursor FILE, where it is kept how far the receiver is";
            return refuse("--follow with --to needs a cursor", next);
        }
        let trust =
            Trust { ca: self.ca.clone(), identity: self.cert.clone().zip(self.cert_key.clone()) };
        Ok(Some(Delivery::new(to.parse::<Target>()?, &trust)?))
    }
}

/// Whether and when to try again.
pub(super) struct Retry {
    endless: bool,
    wait: Option<Duration>,
}

impl Retry {
    pub(super) const fn new(endless: bool) -> Retry {
        Retry { endless, wait: None }
    }

    /// How long to wait after this failure.
    ///
    /// # Errors
    /// The failure, if it is none of a receiver, or if nobody asked for patience.
    pub(super) fn after(&mut self, error: CliError) -> Result<Duration, CliError> {
        if !self.endless || !matches!(error, CliError::Delivery(_)) {
            return Err(error);
        }
        if self.wait.is_none() {
            eprintln!("auditlog: {}", escape(error.to_string().as_bytes()));
            eprintln!("auditlog: trying again until it works; nothing is lost");
        }
        let wait = self.wait.map_or(FIRST_WAIT, |wait| (wait * 2).min(LONGEST_WAIT));
        self.wait = Some(wait);
        Ok(wait)
    }

    /// A round without a failure.
    pub(super) fn works(&mut self) {
        if self.wait.take().is_some() {
            eprintln!("auditlog: delivering again");
        }
    }
}
