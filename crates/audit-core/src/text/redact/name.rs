//! Members named like secrets.
//!
//! What must stay true here: the last words of a name decide. `access_token` is a secret,
//! `token_fingerprint`, `max_tokens` and `tokens_processed` are not.

use super::{NameRule, Rule};

/// What a member's name says; names are split at `_`, `-`, `.`, blanks and camelCase.
#[inline]
pub(super) fn classify(name: &str) -> NameRule {
    let name = name.as_bytes().trim_ascii_end();
    let end = name.len() - name.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let name = &name[..end];
    let [.., a, b] = name else { return NameRule::Keep };
    // No word below has another end, so nearly all names are done here.
    match [a | 0x20, b | 0x20] {
        [b'r' | b'w', b'd']
        | [b'd', b's' | b'e']
        | [b's' | b'i', b'e']
        | [b'e', b't' | b'y' | b'n' | b's']
        | [b't', b's' | b'p']
        | [b'o' | b'i', b'n']
        | [b'w', b't']
        | [b'a', b'l']
        | [b'l', b's']
        | [b'v', b'v' | b'c']
        | [b'i', b'x'] => classify_last_words(name),
        _ => NameRule::Keep,
    }
}

fn classify_last_words(name: &[u8]) -> NameRule {
    let (before, last) = split_last_word(name);
    match rule_of_word(last) {
        Some(rule) => NameRule::Redact(rule),
        None if is(last, "key") => rule_of_key(split_last_word(before).1),
        None if is(last, "prefix") => prefix_of(split_last_word(before).1),
        None => NameRule::Keep,
    }
}

fn is(word: &[u8], lower: &str) -> bool {
    word.eq_ignore_ascii_case(lower.as_bytes())
}

fn is_any(word: &[u8], lower: &[&str]) -> bool {
    lower.iter().any(|candidate| is(word, candidate))
}

fn rule_of_word(word: &[u8]) -> Option<Rule> {
    const WORDS: [(&[&str], Rule); 9] = [
        (&["password", "passwords", "passwd", "pwd", "passphrase", "passcode"], Rule::Password),
        (&["secret", "secrets", "clientsecret"], Rule::Secret),
        (&["authorization"], Rule::Authorization),
        (&["apikey", "accesskey", "secretkey"], Rule::ApiKey),
        (&["privatekey", "signingkey", "encryptionkey"], Rule::PrivateKey),
        (
            &[
                "token",
                "jwt",
                "accesstoken",
                "authtoken",
                "refreshtoken",
                "sessiontoken",
                "idtoken",
                "bearertoken",
            ],
            Rule::Token,
        ),
        (&["cookie", "cookies"], Rule::Cookie),
        (&["credential", "credentials"], Rule::Credential),
        (&["otp", "totp", "pin", "cvv", "cvc"], Rule::OneTimeCode),
    ];
    if word.len() < 3 {
        return None;
    }
    WORDS.iter().find(|(words, _)| is_any(word, words)).map(|(_, rule)| *rule)
}

fn rule_of_key(before: &[u8]) -> NameRule {
    if is_any(before, &["api", "access", "secret"]) {
        NameRule::Redact(Rule::ApiKey)
    } else if is_any(before, &["private", "signing", "encryption"]) {
        NameRule::Redact(Rule::PrivateKey)
    } else {
        NameRule::Keep
    }
}

fn prefix_of(before: &[u8]) -> NameRule {
    if is_any(before, &["token", "key", "secret"]) { NameRule::Prefix } else { NameRule::Keep }
}

/// The last word and what stands before it.
fn split_last_word(name: &[u8]) -> (&[u8], &[u8]) {
    let end = name.iter().rposition(u8::is_ascii_alphanumeric).map_or(0, |at| at + 1);
    let mut start = end;
    while start > 0 && name[start - 1].is_ascii_alphanumeric() {
        start -= 1;
        if start > 0 && start < end && is_hump(name, start, end) {
            break;
        }
    }
    (&name[..start], &name[start..end])
}

/// True where a camelCase word begins: at a capital after a small letter or digit, or at the last
/// of several capitals when a small letter follows (`APIKey`).
fn is_hump(name: &[u8], at: usize, end: usize) -> bool {
    let before = name[at - 1];
    name[at].is_ascii_uppercase()
        && (before.is_ascii_lowercase()
            || before.is_ascii_digit()
            || (before.is_ascii_uppercase() && at + 1 < end && name[at + 1].is_ascii_lowercase()))
}
