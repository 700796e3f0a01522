//! Trails as services leave them in directories: long and short lives, restarts, days, clock steps,
//! rotations, kills and power cuts.
//!
//! What must stay true here: everything is written by the real writer. What a crash left is opened by
//! it again before anybody verifies it, unless asked for otherwise.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use audit_logging::core::event::ActorInfo;
use audit_logging::core::retention::HoldScope;
use audit_logging::storage::Storage;
use audit_logging::{
    AuditConfig, AuditLogger, AuditMode, Builder, FlushMode, RetentionPolicy, RotationPolicy,
};

use crate::read::bytes_of;
use crate::{Rng, SimDisk, TestClock, TestEvent};

/// Longer than any healthy wait.
const PATIENCE: Duration = Duration::from_secs(60);

fn builder(dir: &Path, clock: &TestClock, rng: &mut Rng) -> Builder {
    let flush_mode = match rng.below(3) {
        0 => FlushMode::Batched { size: 5, interval_secs: 3_600 },
        1 => FlushMode::hybrid(),
        _ => FlushMode::Immediate,
    };
    let config = AuditConfig {
        mode: AuditMode::Local { base_dir: dir.to_owned() },
        flush_mode,
        rotation: RotationPolicy::Both { bytes: 64 << 10 },
        seal_interval_ms: 1 + rng.below(20),
        ..AuditConfig::new("billing-api")
    };
    let builder = AuditLogger::builder(config).clock(clock.shared());
    if rng.one_in(6) { builder.rotate_key() } else { builder }
}

/// One life of a service: events, time that passes, a clock that somebody sets.
fn live(logger: &AuditLogger, clock: &TestClock, rng: &mut Rng) {
    for number in 0..rng.between(0, 12) {
        match rng.below(14) {
            0 => clock.advance(Duration::from_secs(86_400)),
            1 => clock.advance(Duration::from_secs(rng.below(7_200))),
            // Years off, in both directions, and back.
            2 => clock.step_to(["1999-01-01T00:00:00Z", "2126-11-23T07:00:00Z"][rng.between(0, 1)]),
            3 => clock.step_to("2026-11-25T10:00:00Z"),
            // Asked for and not waited for: on a disk that is gone it never comes.
            4 => drop(logger.seal()),
            5 => drop(logger.flush_blocking()),
            _ => {
                let padding = if rng.one_in(5) { 20_000 } else { rng.between(0, 400) };
                let event = TestEvent::routine(number.to_string()).padded(padding);
                // A refusal is counted in the trail: that is part of an honest life.
                drop(logger.emit(event));
            }
        }
    }
}

/// A trail after one to four lives, each closed in order or dropped.
///
/// # Panics
/// When the writer does not open what it left itself.
pub fn clean(dir: &Path, rng: &mut Rng) {
    let clock = TestClock::at("2026-11-23T23:00:00Z");
    for _ in 0..rng.between(1, 4) {
        let logger = builder(dir, &clock, rng).open().unwrap_or_else(|error| panic!("{error}"));
        live(&logger, &clock, rng);
        if rng.one_in(2) {
            logger.shutdown_timeout(PATIENCE).unwrap_or_else(|error| panic!("{error}"));
        }
        drop(logger);
        clock.advance(Duration::from_secs(60));
    }
}

/// A trail that was killed or lost the power one to three times, each time somewhere, also while it
/// recovered; then opened once more and closed.
///
/// # Panics
/// As [`clean`].
pub fn crashed(dir: &Path, rng: &mut Rng) {
    let clock = TestClock::at("2026-11-23T23:00:00Z");
    let mut disk = SimDisk::new(rng.next_u64());
    for _ in 0..rng.between(1, 3) {
        let storage: Arc<dyn Storage> = Arc::new(disk.clone());
        disk.die_after(1 + rng.below(250));
        if let Ok(logger) = builder(dir, &clock, rng).storage(storage).open() {
            live(&logger, &clock, rng);
            drop(logger);
        }
        disk = if rng.one_in(2) { disk.after_kill() } else { disk.crash_image(rng.next_u64()) };
        clock.advance(Duration::from_secs(60));
    }
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let logger = builder(dir, &clock, rng).storage(storage).open();
    let logger = logger.unwrap_or_else(|error| panic!("{error}"));
    live(&logger, &clock, rng);
    logger.shutdown_timeout(PATIENCE).unwrap_or_else(|error| panic!("{error}"));
    export(&disk, dir);
}

/// A trail whose last process was killed somewhere, as it lies there.
///
/// # Panics
/// As [`clean`].
pub fn killed(dir: &Path, rng: &mut Rng) {
    let clock = TestClock::at("2026-11-23T23:00:00Z");
    let mut disk = SimDisk::new(rng.next_u64());
    for life in 0..rng.between(1, 3) {
        let storage: Arc<dyn Storage> = Arc::new(disk.clone());
        // The first life gets as far as its first checkpoint.
        disk.die_after(if life == 0 { 80 + rng.below(250) } else { 1 + rng.below(250) });
        if let Ok(logger) = builder(dir, &clock, rng).storage(storage).open() {
            live(&logger, &clock, rng);
            drop(logger);
        }
        disk = disk.after_kill();
        clock.advance(Duration::from_secs(60));
    }
    export(&disk, dir);
}

/// A trail of some weeks whose old segments were compressed and whose oldest were deleted, day by day or all
/// at once, with holds, restarts and kills at any step of it; closed in order in the end.
///
/// # Panics
/// As [`clean`].
pub fn retained(dir: &Path, rng: &mut Rng) {
    let clock = TestClock::at("2026-01-01T12:00:00Z");
    let retention = RetentionPolicy {
        min_retention_days: 10,
        archive_after_days: u32::try_from(rng.between(2, 12)).unwrap_or(2),
        delete_after_days: u32::try_from(rng.between(10, 16)).unwrap_or(10),
    };
    let open = |disk: &SimDisk| {
        let config = AuditConfig {
            mode: AuditMode::Local { base_dir: "/trail".into() },
            rotation: RotationPolicy::Daily,
            retention,
            retention_interval_hours: 0,
            seal_interval_ms: 1,
            queue_bytes: 1 << 20,
            ..AuditConfig::new("billing-api")
        };
        AuditLogger::builder(config).clock(clock.shared()).storage(Arc::new(disk.clone())).open()
    };
    let counsel = ActorInfo::internal("counsel");
    let mut disk = SimDisk::new(rng.next_u64());
    let mut logger = open(&disk).unwrap_or_else(|error| panic!("{error}"));
    for day in 0..rng.between(14, 30) {
        for number in 0..rng.between(1, 4) {
            drop(logger.emit(TestEvent::routine(number.to_string()).padded(rng.between(0, 400))));
        }
        drop(logger.seal_blocking());
        clock.advance(Duration::from_secs(86_400));
        match rng.below(8) {
            0 => {
                drop(logger.add_hold(&counsel, &format!("case-{day}"), HoldScope::default(), None))
            }
            1 => {
                for hold in logger.holds().unwrap_or_default() {
                    drop(logger.release_hold(&counsel, &hold.id, None));
                }
            }
            2..=4 => drop(logger.apply_retention()),
            5 => {
                // Dies somewhere while it compresses and deletes.
                disk.die_after(1 + rng.below(120));
                std::thread::scope(|scope| {
                    let applying = scope.spawn(|| logger.apply_retention());
                    while !disk.is_dead() && !applying.is_finished() {
                        std::thread::yield_now();
                    }
                    drop(logger.shutdown_timeout(PATIENCE));
                });
                disk = if rng.one_in(2) {
                    disk.after_kill()
                } else {
                    disk.crash_image(rng.next_u64())
                };
                logger = open(&disk).unwrap_or_else(|error| panic!("{error}"));
            }
            _ => {}
        }
    }
    // What a crash cut short is ended: the trail begins where an entry says that it does.
    drop(logger.apply_retention());
    logger.shutdown_timeout(PATIENCE).unwrap_or_else(|error| panic!("{error}"));
    export(&disk, dir);
    if rng.one_in(3) {
        // Derived, and not missed.
        fs::remove_file(dir.join("tree.hashes")).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Puts the files of a simulated disk into a directory.
fn export(disk: &SimDisk, dir: &Path) {
    let make = |dir: &Path| fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    for sub in ["", "keys", "quarantine"] {
        make(&dir.join(sub)).expect("a directory");
        for name in disk.list(sub).expect("a listing") {
            let name = if sub.is_empty() { name } else { format!("{sub}/{name}") };
            if matches!(name.as_str(), "keys" | "quarantine") {
                continue;
            }
            let bytes = bytes_of(disk, &name).unwrap_or_else(|error| panic!("{error}"));
            let path = dir.join(&name);
            fs::write(&path, bytes).expect("a file");
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("permissions");
        }
    }
}

/// A trail that is being written, by a thread, until it is dropped.
#[derive(Debug)]
pub struct Live {
    more: Option<SyncSender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Live {
    /// Starts writing, with rotations of segment and key, and restarts.
    ///
    /// # Panics
    /// When the trail cannot be opened.
    #[must_use]
    pub fn start(dir: &Path, seed: u64) -> Live {
        let (more, asked) = sync_channel::<()>(1);
        let (opened, is_open) = sync_channel(1);
        let dir = dir.to_owned();
        let thread = std::thread::spawn(move || {
            let clock = TestClock::at("2026-11-23T23:00:00Z");
            let mut rng = Rng::new(seed);
            let mut logger = builder(&dir, &clock, &mut rng).open();
            opened.send(()).expect("somebody waits");
            for () in asked {
                let open = logger.as_ref().unwrap_or_else(|error| panic!("{error}"));
                live(open, &clock, &mut rng);
                if rng.one_in(5) {
                    // The one before must be gone, with its lock.
                    drop(logger);
                    logger = builder(&dir, &clock, &mut rng).open();
                }
            }
        });
        is_open.recv().expect("an open trail");
        Live { more: Some(more), thread: Some(thread) }
    }

    /// Has it write some more, from now on, while the caller goes on.
    ///
    /// # Panics
    /// When the writer failed.
    pub fn write_more(&self) {
        let more = self.more.as_ref().expect("it was not dropped");
        more.send(()).expect("the live writer failed");
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        drop(self.more.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            assert!(std::thread::panicking(), "the live writer failed");
        }
    }
}
