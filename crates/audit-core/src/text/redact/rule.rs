//! The names and switches of the rules, and the door for a user's own.
//!
//! What must stay true here: a rule's name never changes once released, for it stands in
//! configuration files and in trails.

use std::fmt::Debug;
use std::ops::Range;

use serde::{Deserialize, Serialize};

macro_rules! rules {
    ($($(#[$doc:meta])* $variant:ident $name:literal),* $(,)?) => {
        /// The redaction rules. The first nine look at the name of a member, the others at the
        /// shape of a value.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum Rule {
            $($(#[$doc])* $variant),*
        }

        impl Rule {
            /// All rules.
            pub const ALL: [Rule; [$($name),*].len()] = [$(Rule::$variant),*];

            /// The name, as it stands in configuration and in redacted text.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Rule::$variant => $name),* }
            }

            /// What replaces a redacted value: `[redacted:<name>]`.
            #[must_use]
            pub const fn mark(self) -> &'static str {
                match self { $(Rule::$variant => concat!("[redacted:", $name, "]")),* }
            }
        }
    };
}

rules! {
    /// Members named `password`, `passwd`, `pwd`, `passphrase`, `passcode`.
    Password "password",
    /// Members named `secret`.
    Secret "secret",
    /// Members named `authorization`.
    Authorization "authorization",
    /// Members named `api_key`, `access_key`, `secret_key`, and the like.
    ApiKey "api_key",
    /// Members named `private_key`, `signing_key`, `encryption_key`.
    PrivateKey "private_key",
    /// Members named `token` or `jwt`; not `tokens`, `token_fingerprint`, `max_tokens`.
    Token "token",
    /// Members named `cookie` or `cookies`.
    Cookie "cookie",
    /// Members named `credential` or `credentials`.
    Credential "credential",
    /// Members named `otp`, `totp`, `pin`, `cvv`, `cvc`.
    OneTimeCode "one_time_code",
    /// JSON Web Tokens.
    Jwt "jwt",
    /// PEM private keys, to their end line or the end of the text.
    Pem "pem",
    /// AWS access key ids.
    AwsKey "aws_key",
    /// Google Cloud API keys.
    GcpKey "gcp_key",
    /// GitHub tokens.
    GithubToken "github_token",
    /// Slack tokens.
    SlackToken "slack_token",
    /// Stripe keys.
    StripeKey "stripe_key",
    /// What follows `Bearer` or `Basic` in an authorization header.
    AuthHeader "auth_header",
    /// Payment card numbers: issuer prefix, length and Luhn check digit, in one piece or grouped
    /// as on the card.
    PaymentCard "payment_card",
    /// Members that a user's own rule names.
    Custom "custom",
}

impl Rule {
    pub(super) const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// The switches, as they stand in a configuration file.
///
/// ```
/// let config: audit_core::text::redact::RedactionConfig =
///     serde_json::from_str(r#"{"off":["payment_card"]}"#).unwrap();
/// assert!(config.enabled);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RedactionConfig {
    /// False switches all built-in rules off.
    pub enabled: bool,
    /// Rules that are switched off, by name.
    pub off: Vec<Rule>,
}

impl Default for RedactionConfig {
    fn default() -> RedactionConfig {
        RedactionConfig { enabled: true, off: Vec::new() }
    }
}

/// A rule of the user's own. It runs on the caller's thread for every string of every event.
pub trait RedactionRule: Debug + Send + Sync {
    /// A stable name, shown as `[redacted:<name>]` where [`find`](RedactionRule::find) matched.
    fn name(&self) -> &str;

    /// True if a member of this name holds a secret, whatever its value; it becomes
    /// `[redacted:custom]`.
    fn redacts_member(&self, name: &str) -> bool {
        let _ = name;
        false
    }

    /// The first secret in a text, as a range of bytes. A range that is empty or does not fall on
    /// character boundaries is taken for no match.
    fn find(&self, text: &str) -> Option<Range<usize>> {
        let _ = text;
        None
    }
}

/// The text with every match of the rule replaced; `None` if there is none.
pub(super) fn apply(rule: &dyn RedactionRule, text: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(range) = rule.find(rest) {
        if range.is_empty() {
            break;
        }
        let (Some(before), Some(after)) = (rest.get(..range.start), rest.get(range.end..)) else {
            break;
        };
        out.push_str(before);
        out.push_str("[redacted:");
        out.push_str(rule.name());
        out.push(']');
        rest = after;
    }
    if rest.len() == text.len() {
        return None;
    }
    out.push_str(rest);
    Some(out)
}
