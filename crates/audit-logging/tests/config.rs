//! Configuration: from code, TOML and variables; what cannot be is refused and named.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::PathBuf;

use audit_logging::{
    AuditConfig, AuditLogger, AuditMode, ConfigError, FlushMode, OpenError, OverflowPolicy,
    RotationPolicy,
};

fn vars(pairs: &[(&str, &str)]) -> Result<AuditConfig, ConfigError> {
    let base = [("AUDIT_SERVICE_ID", "billing-api"), ("AUDIT_DIR", "/trail")];
    let mut all: Vec<(String, String)> = Vec::new();
    for (name, value) in base.iter().chain(pairs) {
        all.retain(|(known, _)| known != name);
        all.push(((*name).to_owned(), (*value).to_owned()));
    }
    AuditConfig::from_vars(all)
}

fn toml(more: &str) -> Result<AuditConfig, ConfigError> {
    AuditConfig::from_toml(&format!(
        "service_id = \"billing-api\"\nmode = {{ local = {{ base_dir = \"/trail\" }} }}\n{more}"
    ))
}

#[test]
fn the_defaults_lose_least() {
    let config = AuditConfig::new("billing-api");
    assert_eq!(config.flush_mode, FlushMode::Immediate);
    assert_eq!(config.rotation, RotationPolicy::Both { bytes: 100_000_000 });
    assert_eq!(config.overflow, OverflowPolicy::Refuse);
    assert_eq!(config.mode, AuditMode::Local { base_dir: "/var/lib/billing-api/audit".into() });
    assert_eq!(FlushMode::batched(), FlushMode::Batched { size: 100, interval_secs: 1 });
    config.validate().unwrap();
}

#[test]
fn toml_and_variables_say_the_same() {
    let expected = AuditConfig {
        mode: AuditMode::Local { base_dir: PathBuf::from("/trail") },
        flush_mode: FlushMode::Hybrid {
            batch_size: 50,
            batch_interval_secs: 2,
            critical_immediate: true,
        },
        rotation: RotationPolicy::SizeLimit { bytes: 1_000_000 },
        overflow: OverflowPolicy::Wait { limit_ms: 25 },
        queue_bytes: 2 << 20,
        heartbeat_secs: 60,
        origin: Some("audit.example.com/billing".into()),
        ..AuditConfig::new("billing-api")
    };
    let from_vars = vars(&[
        ("AUDIT_FLUSH_MODE", "hybrid"),
        ("AUDIT_BATCH_SIZE", "50"),
        ("AUDIT_BATCH_INTERVAL_SECS", "2"),
        ("AUDIT_ROTATION", "size"),
        ("AUDIT_SEGMENT_BYTES", "1000000"),
        ("AUDIT_OVERFLOW_WAIT_MS", "25"),
        ("AUDIT_QUEUE_BYTES", "2097152"),
        ("AUDIT_HEARTBEAT_SECS", "60"),
        ("AUDIT_ORIGIN", "audit.example.com/billing"),
    ]);
    assert_eq!(from_vars.unwrap(), expected);
    let from_toml = toml(
        "flush_mode = { hybrid = { batch_size = 50, batch_interval_secs = 2 } }
         rotation = { size_limit = { bytes = 1000000 } }
         overflow = { wait = { limit_ms = 25 } }
         queue_bytes = 2097152
         heartbeat_secs = 60
         origin = \"audit.example.com/billing\"",
    );
    assert_eq!(from_toml.unwrap(), expected);
}

#[test]
fn short_forms_mean_the_defaults() {
    assert_eq!(toml("flush_mode = { batched = {} }").unwrap().flush_mode, FlushMode::batched());
    assert_eq!(toml("flush_mode = \"immediate\"").unwrap().flush_mode, FlushMode::Immediate);
    assert_eq!(toml("").unwrap().flush_mode, FlushMode::Immediate);
    assert_eq!(vars(&[("AUDIT_FLUSH_MODE", "batched")]).unwrap().flush_mode, FlushMode::batched());
    assert_eq!(vars(&[("AUDIT_MODE", "disabled")]).unwrap().mode, AuditMode::Disabled);
    assert_eq!(vars(&[("AUDIT_ROTATION", "daily")]).unwrap().rotation, RotationPolicy::Daily);
}

#[test]
fn bad_toml_names_the_place_and_the_key() {
    for (text, named) in [
        ("flush_mode = \"sometimes\"", "sometimes"),
        ("flush_mod = \"immediate\"", "flush_mod"),
        ("flush_mode = { batched = { sizes = 1 } }", "sizes"),
        ("rotation = \"weekly\"", "weekly"),
        ("queue_bytes = \"many\"", "queue_bytes"),
        ("queue_bytes = -1", "queue_bytes"),
        ("space = { warn = 1 }", "warn"),
    ] {
        match toml(text) {
            Err(ConfigError::Toml(message)) => {
                assert!(message.contains(named) && message.contains("line 3"), "{message}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
    assert!(matches!(AuditConfig::from_toml("not toml"), Err(ConfigError::Toml(_))));
    assert!(matches!(AuditConfig::from_toml("service_id = \"x\""), Err(ConfigError::Toml(_))));
}

#[test]
fn values_that_cannot_be_are_refused_with_their_field() {
    for (text, expected) in [
        ("flush_mode = { batched = { size = 0 } }", "flush_mode"),
        ("flush_mode = { hybrid = { batch_size = 0 } }", "flush_mode"),
        ("flush_mode = { batched = { interval_secs = 0 } }", "flush_mode"),
        ("flush_mode = { batched = { interval_secs = 3601 } }", "flush_mode"),
        ("rotation = { size_limit = { bytes = 100 } }", "rotation"),
        ("retention = { delete_after_days = 30 }", "retention"),
        ("queue_bytes = 100", "queue_bytes"),
        ("ring_dir = \"\"", "ring_dir"),
        ("ring_dir = \"/a\\nb\"", "ring_dir"),
        ("critical_reserve_percent = 91", "critical_reserve_percent"),
        ("max_string_chars = 10", "max_string_chars"),
        ("heartbeat_secs = 86401", "heartbeat_secs"),
        ("drop_limit_ms = 600001", "drop_limit_ms"),
        ("overflow = { wait = { limit_ms = 600001 } }", "overflow"),
        ("seal_interval_ms = 0", "seal_interval_ms"),
        ("seal_interval_ms = 60001", "seal_interval_ms"),
        ("key_max_age_hours = 0", "key_max_age_hours"),
        ("key_max_age_hours = 8761", "key_max_age_hours"),
        ("space = { warn_below = 1 }", "space"),
        ("origin = \"a b\"", "origin"),
        ("origin = \"a+b\"", "origin"),
        ("accepted_event_types = [\"nodot\"]", "accepted_event_types"),
    ] {
        match toml(text) {
            Err(ConfigError::Invalid { field, problem }) => {
                assert_eq!(field, expected, "{text}");
                assert!(!problem.is_empty());
            }
            other => panic!("{text}: {other:?}"),
        }
    }
    for id in ["", "with space", "umläut", &"x".repeat(129)] {
        let error = AuditConfig::new(id).validate().unwrap_err();
        assert!(matches!(error, ConfigError::Invalid { field: "service_id", .. }), "{id}");
    }
}

#[test]
fn the_longest_durations_allowed_are_accepted() {
    toml(
        "flush_mode = { batched = { interval_secs = 3600 } }
         heartbeat_secs = 86400
         drop_limit_ms = 600000
         overflow = { wait = { limit_ms = 600000 } }
         seal_interval_ms = 60000
         key_max_age_hours = 8760",
    )
    .unwrap();
    toml("heartbeat_secs = 0\ndrop_limit_ms = 0\noverflow = { wait = { limit_ms = 0 } }").unwrap();
}

#[test]
fn bad_variables_are_refused_with_their_name() {
    for (name, value) in [
        ("AUDIT_FLUSH_MODE", "sometimes"),
        ("AUDIT_FLUSH_MODE", "Immediate"),
        ("AUDIT_BATCH_SIZE", "many"),
        ("AUDIT_BATCH_SIZE", "-1"),
        ("AUDIT_ROTATION", "weekly"),
        ("AUDIT_SEGMENT_BYTES", "1e6"),
        ("AUDIT_MODE", "remote"),
        ("AUDIT_QUEUE_BYTES", ""),
        ("AUDIT_OVERFLOW_WAIT_MS", "1s"),
        ("AUDIT_HEARTBEAT_SECS", "never"),
    ] {
        match vars(&[(name, value)]) {
            Err(ConfigError::BadVariable { name: found, .. }) => assert_eq!(found, name),
            other => panic!("{name}={value}: {other:?}"),
        }
    }
    let contradiction = vars(&[("AUDIT_BATCH_SIZE", "5")]);
    assert!(matches!(contradiction, Err(ConfigError::BadVariable { .. })), "{contradiction:?}");
    let contradiction = vars(&[("AUDIT_ROTATION", "daily"), ("AUDIT_SEGMENT_BYTES", "100000")]);
    assert!(matches!(contradiction, Err(ConfigError::BadVariable { .. })), "{contradiction:?}");
    let zero = vars(&[("AUDIT_FLUSH_MODE", "batched"), ("AUDIT_BATCH_SIZE", "0")]);
    assert!(matches!(zero, Err(ConfigError::Invalid { field: "flush_mode", .. })), "{zero:?}");
    let unknown = vars(&[("AUDIT_FLUSHMODE", "batched")]);
    assert!(
        matches!(&unknown, Err(ConfigError::UnknownVariable { name, .. }) if name == "AUDIT_FLUSHMODE")
    );
    let one = |name: &str, value: &str| AuditConfig::from_vars([(name.into(), value.into())]);
    assert!(matches!(
        one("AUDIT_DIR", "/x"),
        Err(ConfigError::MissingVariable { name: "AUDIT_SERVICE_ID" })
    ));
    assert!(matches!(
        one("AUDIT_SERVICE_ID", "x"),
        Err(ConfigError::MissingVariable { name: "AUDIT_DIR" })
    ));
}

#[test]
fn an_invalid_configuration_is_refused_before_anything_is_touched() {
    let dir = tempfile::tempdir().unwrap();
    let config = AuditConfig {
        mode: AuditMode::Local { base_dir: dir.path().join("trail") },
        flush_mode: FlushMode::Batched { size: 0, interval_secs: 1 },
        ..AuditConfig::new("billing-api")
    };
    let error = AuditLogger::new(config).unwrap_err();
    assert!(matches!(error, OpenError::Config(ConfigError::Invalid { field: "flush_mode", .. })));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
