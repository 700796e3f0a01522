//! Every redaction rule: what it takes out, what it leaves, and that it can be switched off.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod common;

use std::ops::Range;
use std::sync::Arc;

use audit_core::encode::{Details, EncodePolicy};
use audit_core::event::GenericEvent;
use audit_core::text::redact::{RedactionConfig, RedactionRule, Rule};
use common::With;
use serde_json::{Value, json};

const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P";
const PEM: &str = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----";

/// Rule, text, what is left of it.
const SHAPES: [(Rule, &str, &str); 17] = [
    (Rule::Jwt, JWT, "[redacted:jwt]"),
    (Rule::Pem, PEM, "[redacted:pem]"),
    (Rule::Pem, "-----BEGIN PRIVATE KEY-----\nMIIE", "[redacted:pem]"),
    (Rule::AwsKey, "AKIAIOSFODNN7EXAMPLE", "[redacted:aws_key]"),
    (Rule::AwsKey, "ASIAIOSFODNN7EXAMPLE", "[redacted:aws_key]"),
    (Rule::GcpKey, "AIzaSyA-1234567890abcdefghijklmnopqrstu", "[redacted:gcp_key]"),
    (Rule::GithubToken, "ghp_abcdefghijklmnopqrstuvwxyz0123456789", "[redacted:github_token]"),
    (Rule::GithubToken, "github_pat_11ABCDEFG0abcdefghijkl_mnop", "[redacted:github_token]"),
    (Rule::SlackToken, "xoxb-123456789012-abcdefGHIJ", "[redacted:slack_token]"),
    (Rule::StripeKey, "sk_live_4eC39HqLyjWDarjtT1zdp7dc", "[redacted:stripe_key]"),
    (Rule::AuthHeader, "Bearer abc123def456ghi7", "Bearer [redacted:auth_header]"),
    (Rule::AuthHeader, "bearer AbCdEfGhIjKlMnOpQr", "bearer [redacted:auth_header]"),
    (Rule::AuthHeader, "Basic YWxpY2U6c2VjcmV0", "Basic [redacted:auth_header]"),
    (Rule::PaymentCard, "4111111111111111", "[redacted:payment_card]"),
    (Rule::PaymentCard, "5555 5555 5555 4444", "[redacted:payment_card]"),
    (Rule::PaymentCard, "3782-822463-10005", "[redacted:payment_card]"),
    (Rule::PaymentCard, "2223003122003222", "[redacted:payment_card]"),
];

/// Texts that resemble secrets and are none.
const HARMLESS: [&str; 19] = [
    "bearer token expired",
    "Bearer authentication required",
    "basic authentication required",
    "basic understanding of things",
    "eyJhbGciOiJIUzI1NiJ9 alone is only a header",
    "-----BEGIN PUBLIC KEY-----\nMIIE\n-----END PUBLIC KEY-----",
    "-----BEGIN CERTIFICATE-----\nMIIE",
    "MAKIAIOSFODNN7EXAMPLE",
    "AKIAIOSFODNN7EXAMPLEX",
    "AIzaShort-but-with-this-start",
    "ghp_tooshort_to_be",
    "task_live_and_well_in_production",
    "4111111111111112",
    "1234567890123452",
    "a4111111111111111",
    "0.4111111111111111",
    "01932c05-4111-7111-8111-111111111111",
    "4111 1111-1111 1111",
    "2026-11-23 06:54:00.001000000",
];

fn visible(entry: &str) -> String {
    entry.replace('\n', r"\u{a}")
}

fn written(policy: &EncodePolicy, text: &str) -> Value {
    let event = With(|details: &mut Details<'_>| details.field("v", text));
    common::parse(&common::body_with(policy, &event))["details"]["v"].clone()
}

fn without(rule: Rule) -> EncodePolicy {
    let config = RedactionConfig { off: vec![rule], ..RedactionConfig::default() };
    EncodePolicy::default().with_redaction(&config)
}

#[test]
fn secrets_are_known_by_their_shape() {
    for (_, text, left) in SHAPES {
        assert_eq!(written(&EncodePolicy::default(), text), left);
    }
}

#[test]
fn only_the_secret_is_taken_out_of_a_longer_text() {
    for (_, text, left) in SHAPES.iter().filter(|(rule, ..)| *rule != Rule::Pem) {
        let (text, left) =
            (format!("see: {text}, é {text} ok"), format!("see: {left}, é {left} ok"));
        assert_eq!(written(&EncodePolicy::default(), &text), left);
    }
    let around = format!("key {PEM} was pasted");
    assert_eq!(written(&EncodePolicy::default(), &around), "key [redacted:pem] was pasted");
}

#[test]
fn each_shape_can_be_switched_off() {
    for (rule, text, _) in SHAPES {
        assert_eq!(written(&without(rule), text), visible(text), "{}", rule.name());
    }
}

#[test]
fn what_only_resembles_a_secret_stays() {
    for text in HARMLESS {
        assert_eq!(written(&EncodePolicy::default(), text), visible(text));
    }
}

#[test]
fn every_string_of_an_entry_is_looked_at() {
    let line = json!({
        "event_type": "test.event",
        "actor": {"user_id": JWT, "ip": JWT, "auth_method": JWT, "session_id": JWT},
        "resource": {"resource_type": JWT, "resource_id": JWT, "parent_id": JWT},
        "reason": JWT,
        "context": {"request_id": JWT, "trace_id": JWT},
        "details": {JWT: [JWT, {"deep": [{"deeper": JWT}]}]},
    });
    let event = GenericEvent::from_json_line(line.to_string().as_bytes()).unwrap();
    let body = common::body(&event);
    assert!(!body.contains("eyJ"), "{body}");
    assert_eq!(body.matches("[redacted:jwt]").count(), 13);
}

#[test]
fn numbers_shaped_like_cards_are_taken_out() {
    assert_eq!(common::detail(&4_111_111_111_111_111_u64), "[redacted:payment_card]");
    assert_eq!(common::detail(&4_111_111_111_111_111.0_f64), "[redacted:payment_card]");
    assert_eq!(common::detail(&4_111_111_111_111_112_u64), json!(4_111_111_111_111_112_u64));
    assert_eq!(common::detail(&1_763_880_840_000_u64), json!(1_763_880_840_000_u64));
}

/// Names, and the rule that takes their values out.
const NAMES: [(Rule, &[&str]); 9] = [
    (Rule::Password, &["password", "user_password", "PASSWD", "dbPwd", "passphrase", "password2"]),
    (Rule::Secret, &["secret", "client-secret", "clientSecret", "app.secret"]),
    (Rule::Authorization, &["authorization", "Authorization", "Proxy-Authorization"]),
    (Rule::ApiKey, &["api_key", "apiKey", "APIKey", "x-api-key", "apikey", "secret_access_key"]),
    (Rule::PrivateKey, &["private_key", "privateKey", "ssh private key", "signing_key"]),
    (Rule::Token, &["token", "access_token", "refreshToken", "id-token", "jwt", "accesstoken"]),
    (Rule::Cookie, &["cookie", "Set-Cookie", "cookies", "sessionCookie"]),
    (Rule::Credential, &["credential", "credentials", "awsCredentials"]),
    (Rule::OneTimeCode, &["otp", "totp", "pin", "card_cvv", "cvv2"]),
];

#[test]
fn members_named_like_secrets_lose_their_values() {
    for (rule, names) in NAMES {
        for name in names {
            for value in [json!("hunter2"), json!(17), json!(["a"]), json!({"a": 1}), json!(1.5)] {
                let event = With(|details: &mut Details<'_>| {
                    details.field(name, &value);
                    details.field("nested", &json!([{*name: &value}]));
                });
                let details = &common::entry(&event)["details"];
                assert_eq!(details[name], rule.mark(), "{name}");
                assert_eq!(details["nested"][0][name], rule.mark(), "{name}");
                let body = common::body_with(&without(rule), &event);
                assert_eq!(common::parse(&body)["details"][name], value, "{name}, switched off");
            }
        }
    }
}

#[test]
fn null_and_booleans_say_that_there_was_a_secret_and_not_which() {
    let event = With(|details: &mut Details<'_>| {
        details.field("password", &Option::<u8>::None);
        details.field("token", &true);
    });
    assert_eq!(common::entry(&event)["details"], json!({"password": null, "token": true}));
    let line = br#"{"event_type":"a.b","details":{"otp":null,"secret":false,"pin":1234}}"#;
    let event = GenericEvent::from_json_line(line).unwrap();
    let expected = json!({"otp": null, "secret": false, "pin": "[redacted:one_time_code]"});
    assert_eq!(common::entry(&event)["details"], expected);
}

#[test]
fn members_named_after_secrets_keep_their_values() {
    let names = [
        "token_fingerprint",
        "max_tokens",
        "tokens_processed",
        "tokens",
        "password_changed_at",
        "secretary",
        "key",
        "public_key",
        "monkey",
        "cookie_consent",
        "pinned",
        "spin",
        "method",
        "authorization_id",
        "keyboard",
        "passwordless",
    ];
    for name in names {
        let event = With(|details: &mut Details<'_>| details.field(name, "plain"));
        assert_eq!(common::entry(&event)["details"][name], "plain", "{name}");
    }
}

#[test]
fn the_start_of_a_token_is_kept_to_eight_characters() {
    let line = br#"{"event_type":"security.invalid_token_used","details":{"token_prefix":"abcdefghSECRET"}}"#;
    let event = GenericEvent::from_json_line(line).unwrap();
    assert_eq!(common::entry(&event)["details"]["token_prefix"], "abcdefgh…");
    let short = With(|details: &mut Details<'_>| details.field("token_prefix", "abcdefgh"));
    assert_eq!(common::entry(&short)["details"]["token_prefix"], "abcdefgh");
}

#[derive(Debug)]
struct EmployeeNumbers;

impl RedactionRule for EmployeeNumbers {
    fn name(&self) -> &str {
        "employee"
    }
    fn redacts_member(&self, name: &str) -> bool {
        name == "salary"
    }
    fn find(&self, text: &str) -> Option<Range<usize>> {
        text.find("E-").map(|at| at..(at + 4).min(text.len()))
    }
}

#[test]
fn users_add_rules_of_their_own() {
    let policy = EncodePolicy::default().with_rule(Arc::new(EmployeeNumbers));
    assert_eq!(written(&policy, "E-17 and E-18"), "[redacted:employee] and [redacted:employee]");
    let salary = With(|details: &mut Details<'_>| details.field("salary", &9));
    let body = common::body_with(&policy, &salary);
    assert_eq!(common::parse(&body)["details"]["salary"], "[redacted:custom]");
}

#[test]
fn switches_are_read_from_configuration_by_name() {
    let config: RedactionConfig =
        serde_json::from_str(r#"{"off":["payment_card","jwt"]}"#).unwrap();
    assert_eq!(config.off, [Rule::PaymentCard, Rule::Jwt]);
    assert!(serde_json::from_str::<RedactionConfig>(r#"{"off":["jtw"]}"#).is_err());
    for rule in Rule::ALL {
        assert_eq!(serde_json::to_value(rule).unwrap(), rule.name());
    }
    let off = RedactionConfig { enabled: false, ..RedactionConfig::default() };
    let policy = EncodePolicy::default().with_redaction(&off);
    assert_eq!(written(&policy, JWT), JWT);
}

/// Anchors without secrets, as many as fit: quadratic code would take minutes.
#[test]
fn hostile_texts_take_linear_time() {
    let pieces = [
        "eyJ",
        "eyJ.",
        "eyJaaaaaaaaaa.",
        "ghp_",
        "github_pat_",
        "-----BEGIN ",
        "aghp_",
        "xoxb-",
        "axoxb-",
        "AKIA",
        "Bearer ",
        "bearer a",
        "basic a",
        "4111 ",
        "1",
        "4111-",
    ];
    for piece in pieces {
        let text = piece.repeat(3_000_000 / piece.len());
        let written = written(&EncodePolicy::default(), &text);
        let written = written.as_str().unwrap();
        assert!(written.contains("sha256:") || written.contains("[redacted:"), "{piece}");
    }
}
