//! Configuration from TOML and from `AUDIT_*` variables.
//!
//! What must stay true here: a misspelt key or variable is an error, never a silent default.

use std::path::PathBuf;

use crate::config::{AuditConfig, AuditMode, FlushMode, OverflowPolicy, RotationPolicy};
use crate::error::ConfigError;

const VARIABLES: &str = "AUDIT_SERVICE_ID, AUDIT_DIR, AUDIT_MODE, AUDIT_FLUSH_MODE, \
     AUDIT_BATCH_SIZE, AUDIT_BATCH_INTERVAL_SECS, AUDIT_ROTATION, AUDIT_SEGMENT_BYTES, \
     AUDIT_OVERFLOW_WAIT_MS, AUDIT_QUEUE_BYTES, AUDIT_RING_DIR, AUDIT_ORIGIN, AUDIT_HEARTBEAT_SECS, \
     AUDIT_MIN_RETENTION_DAYS, AUDIT_ARCHIVE_AFTER_DAYS, AUDIT_DELETE_AFTER_DAYS, \
     AUDIT_RETENTION_INTERVAL_HOURS, AUDIT_ACCESS";

impl AuditConfig {
    /// Reads a configuration written in TOML.
    ///
    /// ```
    /// # use audit_logging::{AuditConfig, FlushMode};
    /// let config = AuditConfig::from_toml(r#"
    ///     service_id = "billing-api"
    ///     mode = { local = { base_dir = "/var/lib/billing/audit" } }
    ///     flush_mode = { batched = { size = 200, interval_secs = 2 } }
    /// "#)?;
    /// assert_eq!(config.flush_mode, FlushMode::Batched { size: 200, interval_secs: 2 });
    /// # Ok::<(), audit_logging::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// Not TOML, an unknown key or value (with line and column), or a field that fails
    /// [`AuditConfig::validate`].
    pub fn from_toml(text: &str) -> Result<AuditConfig, ConfigError> {
        let config: AuditConfig =
            toml::from_str(text).map_err(|error| ConfigError::Toml(error.to_string()))?;
        config.validate()?;
        Ok(config)
    }

    /// Reads a configuration from the process's `AUDIT_*` variables: `AUDIT_SERVICE_ID` and
    /// `AUDIT_DIR` (or `AUDIT_MODE=disabled`) are needed; `AUDIT_FLUSH_MODE` is `immediate`,
    /// `batched` or `hybrid`, with `AUDIT_BATCH_SIZE` and `AUDIT_BATCH_INTERVAL_SECS`;
    /// `AUDIT_ROTATION` is `daily`, `size` or `both`, with `AUDIT_SEGMENT_BYTES`;
    /// `AUDIT_OVERFLOW_WAIT_MS`, `AUDIT_QUEUE_BYTES`, `AUDIT_RING_DIR`, `AUDIT_ORIGIN`, `AUDIT_HEARTBEAT_SECS`,
    /// `AUDIT_MIN_RETENTION_DAYS`, `AUDIT_ARCHIVE_AFTER_DAYS`, `AUDIT_DELETE_AFTER_DAYS`,
    /// `AUDIT_RETENTION_INTERVAL_HOURS`, `AUDIT_ACCESS` (`true` or `false`).
    ///
    /// # Errors
    /// A variable that is missing, unknown or has a value that does not fit.
    pub fn from_env() -> Result<AuditConfig, ConfigError> {
        let vars = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            name.starts_with("AUDIT_").then(|| (name, value.to_string_lossy().into_owned()))
        });
        AuditConfig::from_vars(vars)
    }

    /// As [`AuditConfig::from_env`], from any list of names and values.
    ///
    /// # Errors
    /// As [`AuditConfig::from_env`].
    pub fn from_vars(
        vars: impl IntoIterator<Item = (String, String)>,
    ) -> Result<AuditConfig, ConfigError> {
        let mut config = AuditConfig::new("");
        let mut dir = None;
        let mut mode = None;
        let mut flush = None;
        let mut batch = (None, None);
        let mut rotation = None;
        let mut segment_bytes = None;
        for (name, value) in vars {
            match name.as_str() {
                "AUDIT_SERVICE_ID" => config.service_id = value,
                "AUDIT_DIR" => dir = Some(PathBuf::from(value)),
                "AUDIT_MODE" => mode = Some(value),
                "AUDIT_FLUSH_MODE" => flush = Some(value),
                "AUDIT_BATCH_SIZE" => batch.0 = Some(number(&name, &value)?),
                "AUDIT_BATCH_INTERVAL_SECS" => batch.1 = Some(number(&name, &value)?),
                "AUDIT_ROTATION" => rotation = Some(value),
                "AUDIT_SEGMENT_BYTES" => segment_bytes = Some(number(&name, &value)?),
                "AUDIT_OVERFLOW_WAIT_MS" => {
                    config.overflow = OverflowPolicy::Wait { limit_ms: number(&name, &value)? };
                }
                "AUDIT_RING_DIR" => config.ring_dir = Some(value.into()),
                "AUDIT_QUEUE_BYTES" => config.queue_bytes = number(&name, &value)?,
                "AUDIT_ORIGIN" => config.origin = Some(value),
                "AUDIT_HEARTBEAT_SECS" => config.heartbeat_secs = number(&name, &value)?,
                "AUDIT_MIN_RETENTION_DAYS" => {
                    config.retention.min_retention_days = number(&name, &value)?;
                }
                "AUDIT_ARCHIVE_AFTER_DAYS" => {
                    config.retention.archive_after_days = number(&name, &value)?;
                }
                "AUDIT_DELETE_AFTER_DAYS" => {
                    config.retention.delete_after_days = number(&name, &value)?;
                }
                "AUDIT_RETENTION_INTERVAL_HOURS" => {
                    config.retention_interval_hours = number(&name, &value)?;
                }
                "AUDIT_ACCESS" => {
                    config.audit_access =
                        value.parse().map_err(|_| bad(&name, &value, "true or false"))?;
                }
                _ => return Err(ConfigError::UnknownVariable { name, known: VARIABLES }),
            }
        }
        if config.service_id.is_empty() {
            return Err(ConfigError::MissingVariable { name: "AUDIT_SERVICE_ID" });
        }
        config.mode = match (mode.as_deref(), dir) {
            (Some("disabled"), _) => AuditMode::Disabled,
            (None | Some("local"), Some(base_dir)) => AuditMode::Local { base_dir },
            (None | Some("local"), None) => {
                return Err(ConfigError::MissingVariable { name: "AUDIT_DIR" });
            }
            (Some(other), _) => return Err(bad("AUDIT_MODE", other, "local or disabled")),
        };
        config.flush_mode = flush_mode(flush.as_deref(), batch)?;
        config.rotation = rotation_policy(rotation.as_deref(), segment_bytes)?;
        config.validate()?;
        Ok(config)
    }
}

fn flush_mode(
    name: Option<&str>,
    (size, interval): (Option<u32>, Option<u64>),
) -> Result<FlushMode, ConfigError> {
    let mode = match name {
        None | Some("immediate") => {
            // A batch size without a batched mode is a misunderstanding, not a preference.
            if size.is_some() || interval.is_some() {
                return Err(bad(
                    "AUDIT_FLUSH_MODE",
                    name.unwrap_or("(not set)"),
                    "batched or hybrid when AUDIT_BATCH_SIZE or AUDIT_BATCH_INTERVAL_SECS is set",
                ));
            }
            FlushMode::Immediate
        }
        Some("batched") => FlushMode::batched(),
        Some("hybrid") => FlushMode::hybrid(),
        Some(other) => {
            return Err(bad("AUDIT_FLUSH_MODE", other, "immediate, batched or hybrid"));
        }
    };
    Ok(match mode {
        FlushMode::Immediate => FlushMode::Immediate,
        FlushMode::Batched { size: s, interval_secs } => FlushMode::Batched {
            size: size.unwrap_or(s),
            interval_secs: interval.unwrap_or(interval_secs),
        },
        FlushMode::Hybrid { batch_size, batch_interval_secs, critical_immediate } => {
            FlushMode::Hybrid {
                batch_size: size.unwrap_or(batch_size),
                batch_interval_secs: interval.unwrap_or(batch_interval_secs),
                critical_immediate,
            }
        }
    })
}

fn rotation_policy(name: Option<&str>, bytes: Option<u64>) -> Result<RotationPolicy, ConfigError> {
    let default = RotationPolicy::default().size_limit().unwrap_or(100_000_000);
    match (name, bytes) {
        (None | Some("both"), bytes) => {
            Ok(RotationPolicy::Both { bytes: bytes.unwrap_or(default) })
        }
        (Some("size"), bytes) => Ok(RotationPolicy::SizeLimit { bytes: bytes.unwrap_or(default) }),
        (Some("daily"), None) => Ok(RotationPolicy::Daily),
        (Some("daily"), Some(_)) => {
            Err(bad("AUDIT_ROTATION", "daily", "size or both when AUDIT_SEGMENT_BYTES is set"))
        }
        (Some(other), _) => Err(bad("AUDIT_ROTATION", other, "daily, size or both")),
    }
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, ConfigError> {
    value.parse().map_err(|_| bad(name, value, "a whole number"))
}

fn bad(name: &str, value: &str, expected: &'static str) -> ConfigError {
    ConfigError::BadVariable {
        name: name.into(),
        value: value.escape_debug().take(64).collect(),
        expected,
    }
}
