//! A long trail by the real writer: a month of a service's life, for figures that only size shows.
//!
//! What must stay true here: the same number and seed give the same events at the same times, whatever
//! the machine. Nothing is laid down by hand: segments, seals and key rotations are the writer's own.

use std::path::Path;
use std::time::Duration;

use audit_core::event::{ActorInfo, AuditEvent, AuthMethod, ResourceInfo};
use audit_logging::{AuditConfig, AuditLogger, AuditMode, OverflowPolicy};

use crate::{Rng, TestClock};

const DAY_NANOS: u64 = 86_400_000_000_000;

/// Who acts: `user-0000` to `user-9999`.
pub const ACTORS: u64 = 10_000;
/// Who writes.
pub const SERVICE: &str = "billing";
/// When the first event happens.
pub const BEGIN: &str = "2026-10-24T00:00:00Z";
/// What the events are spread over, evenly.
pub const DAYS: u64 = 30;

/// Writes `entries` events into a new trail in `dir`, evenly over thirty days, with every default of
/// the configuration but that it waits for the disk; `progress` is told how many were accepted, now and then.
///
/// # Errors
/// What the logger could not do.
pub fn write(
    dir: &Path,
    entries: u64,
    seed: u64,
    mut progress: impl FnMut(u64),
) -> Result<(), Box<dyn std::error::Error>> {
    let config = AuditConfig {
        mode: AuditMode::Local { base_dir: dir.to_owned() },
        // The disk sets the pace, and no event may be missing.
        overflow: OverflowPolicy::Wait { limit_ms: 600_000 },
        ..AuditConfig::new(SERVICE)
    };
    let clock = TestClock::at(BEGIN);
    let logger = AuditLogger::builder(config).clock(clock.shared()).open()?;
    let apart = Duration::from_nanos(DAYS * DAY_NANOS / entries.max(1));
    let mut rng = Rng::new(seed);
    let day_of = |number: u64| number * DAYS / entries;
    for number in 0..entries {
        drop(logger.emit(event(number, &mut rng))?);
        if day_of(number + 1) != day_of(number) {
            // The day's last events are written on that day: the writer may be a whole queue behind,
            // which is a moment for it and hours for the clock.
            logger.flush_blocking()?;
        }
        clock.advance(apart);
        if number.is_multiple_of(100_000) {
            progress(number);
        }
    }
    logger.shutdown_blocking()?;
    Ok(())
}

/// As many of the same events, as fast as they are taken, at the logger's own time.
///
/// # Errors
/// What the logger refused.
pub fn flood(
    logger: &AuditLogger,
    entries: u64,
    seed: u64,
) -> Result<(), audit_logging::EmitError> {
    let mut rng = Rng::new(seed);
    (0..entries).try_for_each(|number| logger.emit(event(number, &mut rng)).map(drop))
}

/// The next event: mostly logins and permissions, 3 % of failed logins, 1 % of refusals, and what
/// comes once in ten thousand.
fn event(number: u64, rng: &mut Rng) -> AuditEvent {
    let user = format!("user-{:04}", rng.below(ACTORS));
    let ip = [10, rng.below(256) as u8, rng.below(256) as u8, 7];
    let actor = ActorInfo::new(&user, AuthMethod::Oidc).with_ip(ip);
    let resource = || ResourceInfo::new("invoice", format!("inv-{}", number % 65_521));
    match rng.below(10_000) {
        0 => AuditEvent::gdpr_data_access_request(user, format!("c-{number}"), vec!["all".into()]),
        1..=100 => AuditEvent::authorization_denied(actor, resource(), "not_owner", "delete"),
        101..=400 => AuditEvent::auth_failure(
            Some(user),
            ip.into(),
            "invalid_token",
            format!("/v2/invoices/{}", number % 65_521),
        ),
        401..=1_200 => AuditEvent::inference_executed(
            user,
            format!("job-{number}"),
            audit_core::event::AuditResult::Success,
            "llama-3-70b",
            rng.below(4_096),
            None,
        ),
        1_201..=3_000 => AuditEvent::authorization_granted(actor, resource(), "read"),
        _ => AuditEvent::auth_success(actor, AuthMethod::Oidc, "/v2/invoices"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_writes_the_same_events() {
        let of = |seed| {
            let mut rng = Rng::new(seed);
            (0..200).map(|number| event(number, &mut rng)).collect::<Vec<_>>()
        };
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }

    #[test]
    fn every_event_is_in_the_trail_within_its_month() {
        let temp = tempfile::tempdir().expect("a directory");
        let dir = temp.path().join("trail");
        write(&dir, 3_000, 1, |_| ()).unwrap_or_else(|error| panic!("{error}"));
        let report = audit_reader::verify_dir(&dir, audit_reader::VerifyOptions::default());
        let report = report.expect("a trail");
        assert_eq!(report.verdict, audit_reader::Verdict::Proven, "{report:?}");
        let lines = crate::read_dir(&dir);
        let ours = lines.iter().filter(|line| !line.event_type.starts_with("audit."));
        assert_eq!(ours.count(), 3_000);
        let bytes: u64 = report.bytes / report.entries;
        assert!((430..=470).contains(&bytes), "{bytes} bytes an entry");
    }
}
