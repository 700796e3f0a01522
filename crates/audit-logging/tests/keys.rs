//! Signing keys: what may stand behind a `Signer`, and that no key is ever told to anybody.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::fmt::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

use audit_core::checkpoint::SignedCheckpoint;
use audit_core::note::{SignatureType, SignerError, SigningKey, VerifierKey};
use audit_logging::{AuditLogger, OpenError, Signer};
use audit_testkit::{TestEvent, read_dir, seals};
use common::{PATIENCE, config, durable, storage};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// What is asked of the device: a message, and where the signature goes.
type Request = (Vec<u8>, Sender<[u8; 64]>);

/// A device that holds the key behind a channel, as an HSM or a key management service does, and
/// fails now and then.
struct Device {
    public: VerifierKey,
    requests: Mutex<Sender<Request>>,
    failures: AtomicU32,
}

impl Device {
    fn plug_in(origin: &str, failures: u32) -> Arc<Device> {
        let key = SigningKey::from_seed(SignatureType::Ed25519, origin, &[7; 32]).unwrap();
        let public = key.verifier_key().clone();
        let (requests, served) = channel::<Request>();
        std::thread::spawn(move || {
            for (message, answer) in served {
                answer.send(key.sign(&message).unwrap()).unwrap();
            }
        });
        let failures = AtomicU32::new(failures);
        Arc::new(Device { public, requests: Mutex::new(requests), failures })
    }
}

impl Signer for Device {
    fn verifier_key(&self) -> &VerifierKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignerError> {
        let left =
            self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        if left.is_ok() {
            return Err(SignerError::new("the device is busy"));
        }
        let (answer, signature) = channel();
        self.requests.lock().unwrap().send((message.to_vec(), answer)).unwrap();
        signature.recv().map_err(SignerError::new)
    }
}

#[test]
fn a_device_that_is_busy_now_and_then_signs_in_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let config = audit_logging::AuditConfig { seal_interval_ms: 1, ..config(dir.path()) };
    let device = |origin: &str| -> Arc<dyn Signer> { Device::plug_in(origin, 3) };
    let logger = AuditLogger::builder(config.clone()).signer(device).open().unwrap();
    let first = logger.initial_key().unwrap().to_owned();
    let receipt = logger.emit(TestEvent::routine("a")).unwrap();
    receipt.wait_sealed().unwrap();
    logger.shutdown_timeout(PATIENCE).unwrap();
    assert!(!dir.path().join("trail/keys").exists());
    let bytes = std::fs::read(dir.path().join("trail/checkpoint")).unwrap();
    let signed = SignedCheckpoint::parse(&bytes).unwrap();
    signed.verify(&VerifierKey::parse(&first).unwrap()).unwrap();

    // Not there, or another one, or asked to be replaced by us: each is told, and nothing is lost.
    let gone = |_: &str| Err(SignerError::new("no such device"));
    let refused = AuditLogger::builder(config.clone()).try_signer(gone).open();
    assert!(matches!(refused, Err(OpenError::Signer(_))), "{refused:?}");
    let stranger = |origin: &str| -> Arc<dyn Signer> {
        Arc::new(SigningKey::from_seed(SignatureType::Ed25519, origin, &[8; 32]).unwrap())
    };
    let refused = AuditLogger::builder(config.clone()).signer(stranger).open();
    assert!(matches!(refused, Err(OpenError::NotAnExtension { .. })), "{refused:?}");
    let rotated = AuditLogger::builder(config.clone()).signer(device).rotate_key().open();
    assert!(rotated.unwrap_err().to_string().contains("guardian"));
    let logger = AuditLogger::builder(config).signer(device).open().unwrap();
    // Sealed before the end: a device that is busy for the last checkpoint is an error of shutdown.
    logger.emit(TestEvent::routine("b")).unwrap().wait_sealed().unwrap();
    logger.shutdown_timeout(PATIENCE).unwrap();
}

#[test]
fn a_credential_of_the_service_manager_signs() {
    let dir = tempfile::tempdir().unwrap();
    // As systemd's LoadCredential= puts it into $CREDENTIALS_DIRECTORY: a file of mode 0400, here
    // with the seed alone, for the origin that names the key is known only when the trail is made.
    let credential = dir.path().join("audit-seed");
    std::fs::write(&credential, [9; 32]).unwrap();
    std::fs::set_permissions(&credential, std::fs::Permissions::from_mode(0o400)).unwrap();
    let load = move |origin: &str| -> Result<Arc<dyn Signer>, SignerError> {
        let seed = std::fs::read(&credential).map_err(SignerError::new)?;
        let seed = <[u8; 32]>::try_from(seed).map_err(|_| SignerError::new("no seed"))?;
        let key = SigningKey::from_seed(SignatureType::Ed25519, origin, &seed);
        Ok(Arc::new(key.map_err(SignerError::new)?))
    };
    for _ in 0..2 {
        let opened = AuditLogger::builder(config(dir.path())).try_signer(load.clone()).open();
        let logger = opened.unwrap();
        durable(&logger, "a");
        logger.shutdown_timeout(PATIENCE).unwrap();
    }
    assert!(!dir.path().join("trail/keys").exists());
}

/// Everything that is said through `tracing`, values and names.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<String>>);

impl Visit for Heard {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        writeln!(self.0.lock().unwrap(), "{field}={value:?}").unwrap();
    }
}

impl Subscriber for Heard {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.clone());
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The base64 and the raw seed of the key file.
fn secrets(key: &Path) -> Vec<String> {
    let line = std::fs::read_to_string(key).unwrap();
    let base64 = line.trim_end().splitn(5, '+').nth(4).unwrap().to_owned();
    // Debug of a byte array, too, would tell it.
    let seed = <base64ct::Base64 as base64ct::Encoding>::decode_vec(&base64).unwrap();
    let debug = format!("{:?}", &seed[1..8]);
    vec![base64, debug.trim_matches(['[', ']']).to_owned(), "PRIVATE".to_owned()]
}

#[test]
fn no_key_is_told_in_an_error_a_log_or_debug() {
    let dir = tempfile::tempdir().unwrap();
    let trail = dir.path().join("trail");
    let key = trail.join("keys/0.key");
    let heard = Heard::default();
    let mut said = String::new();
    tracing::subscriber::with_default(heard.clone(), || {
        let logger = AuditLogger::new(config(dir.path())).unwrap();
        durable(&logger, "a");
        write!(said, "{logger:?} {:?}", logger.witness_handle()).unwrap();
        logger.shutdown_timeout(PATIENCE).unwrap();
        let good = std::fs::read(&key).unwrap();
        let private = secrets(&key);
        let tell = |said: &mut String| {
            let error = AuditLogger::new(config(dir.path())).unwrap_err();
            write!(said, "{error} {error:?} {:?}", audit_logging::keys::key_files(&trail)).unwrap();
        };
        // Longer, shorter, at every place of the secret, and with others looking on.
        for cut in (0..good.len() - 1).step_by(7) {
            std::fs::write(&key, &good[..cut]).unwrap();
            tell(&mut said);
        }
        std::fs::write(&key, [&good[..good.len() - 1], b"AA\n"].concat()).unwrap();
        tell(&mut said);
        std::fs::write(&key, &good).unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o604)).unwrap();
        tell(&mut said);
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        // A next key that cannot be made.
        std::fs::create_dir(trail.join("keys/1.key")).unwrap();
        let config = audit_logging::AuditConfig { key_max_age_hours: 1, ..config(dir.path()) };
        let rotated = AuditLogger::builder(config).rotate_key().open();
        write!(said, "{rotated:?}").unwrap();
        said.push_str(&heard.0.lock().unwrap());
        for secret in private {
            assert!(!said.contains(&secret), "{secret} stands in {said}");
        }
    });
    assert!(said.contains("0.key"), "{said}");
}

#[test]
fn a_rotation_that_is_asked_for_is_made_before_the_first_event() {
    let dir = tempfile::tempdir().unwrap();
    for round in 1..=3 {
        let logger = AuditLogger::builder(config(dir.path())).rotate_key().open().unwrap();
        durable(&logger, "a");
        logger.shutdown_timeout(PATIENCE).unwrap();
        let lines = read_dir(&dir.path().join("trail"));
        assert_eq!(seals::check(&storage(dir.path()), &lines).unwrap().rotations, round);
        let files = audit_logging::keys::key_files(&dir.path().join("trail")).unwrap();
        assert_eq!(files.iter().map(|file| file.epoch).collect::<Vec<_>>(), [round]);
        assert!(files[0].vkey.is_ok() && files[0].mode == Some(0o600), "{files:?}");
    }
}

/// Held by the compiler: what holds a seed wipes it when it goes.
#[test]
fn keys_are_wiped_from_memory() {
    const fn wiped<T: zeroize::ZeroizeOnDrop>() {}
    wiped::<ed25519_dalek::SigningKey>();
    wiped::<zeroize::Zeroizing<String>>();
}
