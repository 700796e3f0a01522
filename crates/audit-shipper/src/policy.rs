//! Whose word counts: a policy as C2SP tlog-policy writes it.
//!
//! What must stay true here: a witness counts once, whatever groups there are, so no key and no
//! name stands twice; a policy that is not understood in full is refused, with the line. Names are
//! bytes, compared as bytes.

use std::collections::HashMap;

use audit_core::note::{KeyError, SignatureType, VerifierKey};
use thiserror::Error;

/// The largest policy that is read.
pub const MAX_POLICY: u64 = 1 << 20;
/// As many logs, witnesses and groups a policy may have, each.
const MAX_ITEMS: usize = 256;

/// A cosigner that is known.
#[derive(Debug, Clone)]
pub struct Witness {
    /// Its name within the policy.
    pub name: String,
    /// Its key, of type 0x04.
    pub key: VerifierKey,
    /// Its submission prefix, if it is to be asked.
    pub url: Option<String>,
}

/// Logs, witnesses, and which of them are enough.
#[derive(Debug, Clone)]
pub struct Policy {
    logs: Vec<VerifierKey>,
    witnesses: Vec<Witness>,
    /// Every member is a witness or an earlier group.
    groups: Vec<(usize, Vec<Member>)>,
    quorum: Option<Member>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    Witness(usize),
    Group(usize),
}

/// A text that is not a policy. The fault of whoever wrote the file; the line says where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("policy, line {line}: {what}")]
pub struct PolicyError {
    /// Line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong with it, and what would fit.
    pub what: PolicyFault,
}

/// What is wrong with a policy.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PolicyFault {
    /// Control characters other than tab and LF.
    #[error("a control character; only tab and LF are allowed")]
    ControlCharacter,
    /// Not one of the four kinds of line.
    #[error(
        "expected `log VKEY [URL]`, `witness NAME VKEY [URL]`, `group NAME all|any|K NAME...` or `quorum NAME`"
    )]
    Line,
    /// A key that is not one.
    #[error("{0}")]
    Key(KeyError),
    /// A key of the wrong type for its place.
    #[error("expected a key of type {expected}, found type {found}")]
    KeyType {
        /// 1 for logs, 4 for witnesses.
        expected: u8,
        /// As given.
        found: u8,
    },
    /// The same public key in two lines.
    #[error("this public key stands in an earlier line; nobody counts twice")]
    DuplicateKey,
    /// The same name in two lines, or `none`.
    #[error("this name is taken; choose another")]
    DuplicateName,
    /// A name that no earlier line defines.
    #[error("a name that no earlier line defines")]
    UnknownName,
    /// A member that is in a group already.
    #[error("a member that is in a group already; nobody counts twice")]
    SecondMembership,
    /// A threshold that is none.
    #[error("expected `all`, `any` or a number from 1 to the number of members")]
    Threshold,
    /// No quorum line, or two.
    #[error("expected exactly one `quorum` line")]
    Quorum,
    /// More than anybody needs.
    #[error("more than 256 logs, witnesses or groups")]
    TooMany,
    /// Not `http://` or `https://`.
    #[error("expected a URL that begins with http:// or https://, in ASCII")]
    Url,
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// [`PolicyError`] with the line.
    pub fn parse(bytes: &[u8]) -> Result<Policy, PolicyError> {
        let mut reader = Reader::default();
        for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            reader.line(line).map_err(|what| PolicyError { line: at + 1, what })?;
        }
        let quorum = reader.quorum.ok_or(PolicyError { line: 0, what: PolicyFault::Quorum })?;
        let Reader { logs, witnesses, groups, .. } = reader;
        Ok(Policy { logs, witnesses, groups, quorum })
    }

    /// The keys of known logs; empty if the policy leaves that open.
    #[must_use]
    pub fn logs(&self) -> &[VerifierKey] {
        &self.logs
    }

    /// The witnesses, in the order of the file.
    #[must_use]
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// The keys of all witnesses, to verify with.
    #[must_use]
    pub fn keys(&self) -> Vec<VerifierKey> {
        self.witnesses.iter().map(|witness| witness.key.clone()).collect()
    }

    /// Whether the cosignatures of exactly these keys are enough.
    #[must_use]
    pub fn is_satisfied_by<'k>(&self, keys: impl IntoIterator<Item = &'k VerifierKey>) -> bool {
        let mut cosigned = vec![false; self.witnesses.len()];
        for key in keys {
            if let Some(at) = self.witnesses.iter().position(|witness| witness.key == *key) {
                cosigned[at] = true;
            }
        }
        // Members of a group come before it, so one pass in order is enough.
        let mut groups = Vec::with_capacity(self.groups.len());
        let holds = |groups: &[bool], member: Member| match member {
            Member::Witness(at) => cosigned.get(at).copied().unwrap_or(false),
            Member::Group(at) => groups.get(at).copied().unwrap_or(false),
        };
        for (threshold, members) in &self.groups {
            let count = members.iter().filter(|member| holds(&groups, **member)).count();
            groups.push(count >= *threshold);
        }
        self.quorum.is_none_or(|member| holds(&groups, member))
    }
}

#[derive(Default)]
struct Reader {
    logs: Vec<VerifierKey>,
    witnesses: Vec<Witness>,
    groups: Vec<(usize, Vec<Member>)>,
    /// What a name means, and whether it is a member of a group.
    names: HashMap<Vec<u8>, (Member, bool)>,
    #[expect(clippy::option_option, reason = "whether there was a line, and what it named")]
    quorum: Option<Option<Member>>,
}

impl Reader {
    fn line(&mut self, line: &[u8]) -> Result<(), PolicyFault> {
        if line.iter().any(|byte| (*byte < 0x20 && *byte != b'\t') || *byte == 0x7f) {
            return Err(PolicyFault::ControlCharacter);
        }
        let words: Vec<&[u8]> =
            line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|w| !w.is_empty()).collect();
        match words.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with(b"#") => Ok(()),
            [b"log", key, rest @ ..] if rest.len() <= 1 => {
                let key = parse_key(key, SignatureType::Ed25519)?;
                if self.logs.iter().any(|known| known.public_key() == key.public_key()) {
                    return Err(PolicyFault::DuplicateKey);
                }
                check_count(self.logs.len())?;
                self.logs.push(key);
                Ok(())
            }
            [b"witness", name, key, rest @ ..] if rest.len() <= 1 => {
                let key = parse_key(key, SignatureType::CosignatureV1)?;
                if self.witnesses.iter().any(|known| known.key.public_key() == key.public_key()) {
                    return Err(PolicyFault::DuplicateKey);
                }
                check_count(self.witnesses.len())?;
                let url = rest.first().map(|url| parse_url(url)).transpose()?;
                self.define(name, Member::Witness(self.witnesses.len()))?;
                let name = String::from_utf8_lossy(name).into_owned();
                self.witnesses.push(Witness { name, key, url });
                Ok(())
            }
            [b"group", name, threshold, members @ ..] if !members.is_empty() => {
                self.group(name, threshold, members)
            }
            [b"quorum", name] if self.quorum.is_none() => {
                let member = match *name {
                    b"none" => None,
                    name => Some(self.names.get(name).ok_or(PolicyFault::UnknownName)?.0),
                };
                self.quorum = Some(member);
                Ok(())
            }
            [b"quorum", _] => Err(PolicyFault::Quorum),
            _ => Err(PolicyFault::Line),
        }
    }

    fn group(&mut self, name: &[u8], threshold: &[u8], names: &[&[u8]]) -> Result<(), PolicyFault> {
        check_count(self.groups.len())?;
        let mut members = Vec::with_capacity(names.len());
        for name in names {
            let (member, taken) = self.names.get_mut(*name).ok_or(PolicyFault::UnknownName)?;
            if std::mem::replace(taken, true) {
                return Err(PolicyFault::SecondMembership);
            }
            members.push(*member);
        }
        let threshold = match threshold {
            b"all" => members.len(),
            b"any" => 1,
            digits if digits.iter().all(u8::is_ascii_digit) => std::str::from_utf8(digits)
                .ok()
                .and_then(|text| text.parse().ok())
                .filter(|k| (1..=members.len()).contains(k))
                .ok_or(PolicyFault::Threshold)?,
            _ => return Err(PolicyFault::Threshold),
        };
        self.define(name, Member::Group(self.groups.len()))?;
        self.groups.push((threshold, members));
        Ok(())
    }

    fn define(&mut self, name: &[u8], member: Member) -> Result<(), PolicyFault> {
        if name == b"none" || self.names.contains_key(name) {
            return Err(PolicyFault::DuplicateName);
        }
        self.names.insert(name.to_vec(), (member, false));
        Ok(())
    }
}

fn check_count(count: usize) -> Result<(), PolicyFault> {
    if count < MAX_ITEMS { Ok(()) } else { Err(PolicyFault::TooMany) }
}

fn parse_key(word: &[u8], kind: SignatureType) -> Result<VerifierKey, PolicyFault> {
    let text = std::str::from_utf8(word).map_err(|_| PolicyFault::Key(KeyError::Name))?;
    let key = VerifierKey::parse(text).map_err(PolicyFault::Key)?;
    if key.kind() != kind {
        return Err(PolicyFault::KeyType { expected: kind.byte(), found: key.kind().byte() });
    }
    Ok(key)
}

fn parse_url(word: &[u8]) -> Result<String, PolicyFault> {
    let text = std::str::from_utf8(word).ok().filter(|text| text.is_ascii());
    let text = text.filter(|t| t.starts_with("http://") || t.starts_with("https://"));
    Ok(text.ok_or(PolicyFault::Url)?.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests;
