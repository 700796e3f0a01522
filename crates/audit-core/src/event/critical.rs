//! The ten critical events, in the one place that documentation and tests read.
//!
//! What must stay true here: this is the catalogue's own answer. It does not compile otherwise;
//! `cargo xtask tidy` compares README and docs/events.md with it.

use super::catalogue;

/// The types of the critical built-in events, in the order of the catalogue.
pub const CRITICAL_EVENT_TYPES: [&str; 10] = [
    "auth.failure",
    "token.revoked",
    "seal.verification_failed",
    "security.path_traversal_attempt",
    "security.invalid_token_used",
    "security.policy_violation",
    "security.suspicious_activity",
    "security.integrity_violation",
    "security.malformed_model_rejected",
    "security.resource_limit_violation",
];

const _: () =
    assert!(is_what_the_catalogue_says(), "CRITICAL_EVENT_TYPES and the catalogue differ");

const fn is_what_the_catalogue_says() -> bool {
    let all = catalogue();
    let (mut i, mut found) = (0, 0);
    while i < all.len() {
        if all[i].critical {
            if found == CRITICAL_EVENT_TYPES.len()
                || !same(CRITICAL_EVENT_TYPES[found].as_bytes(), all[i].event_type.as_bytes())
            {
                return false;
            }
            found += 1;
        }
        i += 1;
    }
    found == CRITICAL_EVENT_TYPES.len()
}

/// `==`, which a constant cannot use.
const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}
