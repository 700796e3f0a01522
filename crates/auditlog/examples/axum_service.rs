//! An audited axum service, to try by hand: `cargo run --example axum_service`
//! (and an address, if not 127.0.0.1:8080).
//!
//! What must stay true here: the trail is open before the first request is taken, and closed after
//! the last one is answered, also when the process is told to stop.
//!
//! The service itself is `src/demo/service/`; `auditlog demo` runs the same one. Configuration comes
//! from `AUDIT_*` (`AUDIT_SERVICE_ID`, `AUDIT_DIR`, `AUDIT_FLUSH_MODE`, …); without any of them
//! the trail is made in the temporary directory.

#[path = "../src/demo/service/mod.rs"]
mod service;

use std::error::Error;

use audit_logging::{AuditConfig, AuditLogger, AuditMode};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let config = config()?;
    let dir = match &config.mode {
        AuditMode::Local { base_dir } => base_dir.display().to_string(),
        _ => "nowhere: auditing is disabled".to_owned(),
    };
    // From here on the trail has an `audit.opened` entry. A second process would be refused.
    let audit = AuditLogger::new(config)?;
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(address).await?;
    print_hints(&listener.local_addr()?.to_string(), &dir);

    let stop = async {
        if let Err(error) = service::stop_signal().await {
            eprintln!("cannot wait for signals, stopping: {error}");
        }
    };
    // Ends with `audit.shutdown()`: everything is durable, `audit.closed` is the last entry.
    service::serve(listener, audit, stop).await?;
    println!("stopped; the trail is closed: auditlog verify {dir}");
    Ok(())
}

/// From `AUDIT_*`, or for a first try without any configuration.
fn config() -> Result<AuditConfig, Box<dyn Error + Send + Sync>> {
    let mut names = std::env::vars_os().map(|(name, _)| name);
    if names.any(|name| name.to_string_lossy().starts_with("AUDIT_")) {
        return Ok(AuditConfig::from_env()?);
    }
    let base_dir = std::env::temp_dir().join("axum-service-audit");
    Ok(AuditConfig { mode: AuditMode::Local { base_dir }, ..AuditConfig::new("axum-service") })
}

fn print_hints(address: &str, dir: &str) {
    println!("listening on http://{address}, audit trail in {dir}");
    println!(
        r#"
try, in another terminal:
  curl -si http://{address}/login --json '{{"user":"mallory\u001b[2J","password":"x"}}'
  TOKEN=$(curl -s http://{address}/login --json '{{"user":"alice","password":"correct horse battery staple"}}' | sed 's/.*:"//;s/".*//')
  curl -si http://{address}/v2/tasks -H "authorization: Bearer $TOKEN"
  curl -si http://{address}/v2/tasks -H 'authorization: Bearer stolen'
  curl -si --path-as-is http://{address}/files/../../etc/passwd
  curl -si http://{address}/admin/permissions -H "authorization: Bearer $TOKEN" --json '{{"subject":"bob","permissions":["read"]}}'
  curl -si -X DELETE http://{address}/admin/customers/c-17 -H "authorization: Bearer $TOKEN"
then look:
  auditlog tail {dir}
stop with Ctrl-C
"#
    );
}
