//! `#[derive(AuditEvent)]`: makes an audit event of a plain struct, or of an enum whose variants
//! are events.
//!
//! What must stay true here: everything the entry format demands of an event type is checked at
//! compile time, and an error points at what is wrong and says what would be right.

mod attrs;
mod expand;
mod json;

use proc_macro::TokenStream;

/// Implements `Event` and `Describe`.
///
/// **On the struct or on each variant:**
///
/// - `type = "category.action"`: required. Words of `a-z`, `0-9`, `_`, joined by dots, at most 128
///   bytes, not in `audit.*`.
/// - `critical`: durable at once under `FlushMode::Hybrid`.
/// - `result = success | failure | partial`: its fixed result; `success` if neither this nor a
///   field says otherwise.
///
/// **On the struct or the enum:**
///
/// - `crate = path`: where `audit-core` is found; `::audit_logging::core` unless given.
/// - `constructors`: also makes one function per event, named after the variant (`new` for a
///   struct), taking every field but the timestamp.
///
/// **On a field** (a field without any is a member of `details`, under its own name):
///
/// - `actor` (`ActorInfo`), or `actor_id` and/or `actor_ip` if no more is known;
/// - `resource` (`ResourceInfo`), or `resource_id("kind")`, or `resource_type` and `resource_id`;
///   with either, `parent_id`;
/// - `result` (`AuditResult`), `reason`;
/// - `trace_id`, `span_id`, `request_id`;
/// - `timestamp`: when it happened; a field *named* `timestamp` is it without being told;
/// - `skip`: not recorded;
/// - `rename = "name"`: the detail's name in the entry;
/// - `json = any | boolean | integer | number | string | object | array`: what it is in JSON,
///   where its type does not show it.
///
/// Any of them may be an `Option`; what is `None` is left out of the entry.
#[proc_macro_derive(AuditEvent, attributes(audit))]
pub fn derive_audit_event(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    match attrs::Events::read(&input) {
        Ok(events) => expand::expand(&input, &events).into(),
        Err(error) => error.into_compile_error().into(),
    }
}
