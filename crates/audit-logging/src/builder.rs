//! Opening a logger.
//!
//! What must stay true here: the lock is taken before the trail is looked at, and released only
//! when the writer's thread has ended.

mod sealing;

use std::path::PathBuf;
use std::sync::Arc;

use audit_core::chain::Head;
use audit_core::encode::EncodePolicy;
use audit_core::note::{Signer, SignerError};
use audit_core::text::redact::RedactionRule;

use crate::clock::{Clock, SystemClock, rfc3339};
use crate::config::{AuditConfig, AuditMode};
use crate::error::OpenError;
use crate::logger::{AuditLogger, Open};
use crate::retention::{Keeper, KeeperParts, Settings, write_settings};
use crate::running::{self, Ending};
use crate::seal;
use crate::storage::{DirStorage, Storage, TrailLock};
use crate::trail::{self, OpenContext, Rings};
use crate::writer::{Parts, Writer};

/// Opens a logger with a clock or storage other than the operating system's.
pub struct Builder {
    config: Arc<AuditConfig>,
    clock: Arc<dyn Clock>,
    storage: Option<Arc<dyn Storage>>,
    policy: EncodePolicy,
    signer: Option<Box<MakeSigner>>,
    rotate_key: bool,
    settings: Option<Settings>,
    is_brief: bool,
}

/// Gives the signer for a trail by its origin, which is the name the key must have.
pub(crate) type MakeSigner = dyn Fn(&str) -> Result<Arc<dyn Signer>, SignerError> + Send + Sync;

/// What is held while the trail is open.
struct Place {
    path: PathBuf,
    storage: Arc<dyn Storage>,
    /// The real directory and its lock; none when the caller gave a storage.
    owned: Option<(DirStorage, TrailLock)>,
    same_boot: bool,
    /// Id of the last writer's ring, as its lock file says.
    last_ring: Option<String>,
}

impl Builder {
    pub(crate) fn new(config: impl Into<Arc<AuditConfig>>) -> Builder {
        let config = config.into();
        let policy = config.encode_policy();
        let settings = Settings::of(&config);
        Builder {
            config,
            clock: Arc::new(SystemClock),
            storage: None,
            policy,
            signer: None,
            rotate_key: false,
            settings: Some(settings),
            is_brief: false,
        }
    }

    /// Takes the time from `clock`.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Builder {
        self.clock = clock;
        self
    }

    /// Writes through `storage` instead of opening `base_dir`. The caller sees to it that there is
    /// one writer only.
    #[must_use]
    pub fn storage(mut self, storage: Arc<dyn Storage>) -> Builder {
        self.storage = Some(storage);
        self
    }

    /// Signs checkpoints with an HSM, a key management service or the like instead of key files.
    /// `make` is given the trail's origin, which the key's name must be. Such a key is not rotated
    /// in the trail: its guardian rotates it by starting a new trail.
    #[must_use]
    pub fn signer(
        mut self,
        make: impl Fn(&str) -> Arc<dyn Signer> + Send + Sync + 'static,
    ) -> Builder {
        self.signer = Some(Box::new(move |origin| Ok(make(origin))));
        self
    }

    /// As [`Builder::signer`], for a device or a credential that may not be there: the opening then
    /// fails with [`OpenError::Signer`].
    #[must_use]
    pub fn try_signer(
        mut self,
        make: impl Fn(&str) -> Result<Arc<dyn Signer>, SignerError> + Send + Sync + 'static,
    ) -> Builder {
        self.signer = Some(Box::new(make));
        self
    }

    /// Replaces the signing key as soon as the trail is open, in the trail, and destroys the old one:
    /// what `auditlog keys DIR rotate` does. A key that cannot be replaced fails the opening.
    #[must_use]
    pub const fn rotate_key(mut self) -> Builder {
        self.rotate_key = true;
        self
    }

    /// Leaves `settings.json` as it is: for tools, which open a trail that another program configures.
    #[doc(hidden)]
    #[must_use]
    pub const fn for_tool(mut self) -> Builder {
        self.settings = None;
        self
    }

    /// Leaves these settings instead of the configuration's.
    pub(crate) const fn leaving(mut self, settings: Settings) -> Builder {
        self.settings = Some(settings);
        self
    }

    /// Says in the lock file that the trail is open for a moment only: who opens it meanwhile waits for
    /// that, up to ten seconds, and is not refused. For tools that record an entry and go.
    #[doc(hidden)]
    #[must_use]
    pub const fn briefly(mut self) -> Builder {
        self.is_brief = true;
        self
    }

    /// Adds a redaction rule of the caller's own, after the built-in ones.
    #[must_use]
    pub fn redaction_rule(mut self, rule: Arc<dyn RedactionRule>) -> Builder {
        self.policy = self.policy.with_rule(rule);
        self
    }

    /// Opens the trail and starts its writer.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(self) -> Result<AuditLogger, OpenError> {
        self.config.validate()?;
        let AuditMode::Local { base_dir } = &self.config.mode else {
            return Ok(AuditLogger::from_open(None));
        };
        let started = rfc3339(self.clock.now());
        let place = match &self.storage {
            Some(storage) => Place {
                path: base_dir.clone(),
                storage: Arc::clone(storage),
                owned: None,
                same_boot: false,
                last_ring: None,
            },
            None => {
                let dir = DirStorage::open(base_dir, true)?;
                trail::refuse_foreign(&dir, base_dir)?;
                let lock = dir.lock()?;
                let last_boot = trail::boot_of(lock.previous()).unwrap_or("none");
                let same_boot = last_boot == trail::boot_id();
                let last_ring = trail::ring_of(lock.previous()).map(str::to_owned);
                let ring = last_ring.as_deref().unwrap_or("none");
                let text = trail::lock_text(&started, self.is_brief, ring, last_boot);
                announce(&dir, &lock, &text)?;
                let path = base_dir.clone();
                let storage = Arc::new(dir.clone());
                Place { path, storage, owned: Some((dir, lock)), same_boot, last_ring }
            }
        };
        self.open_in(place)
    }

    fn open_in(self, place: Place) -> Result<AuditLogger, OpenError> {
        let context = OpenContext {
            storage: &*place.storage,
            path: &place.path,
            now: self.clock.now(),
            same_boot: place.same_boot,
            signed: seal::signed_size(&*place.storage),
            signer: self.signer.as_deref(),
        };
        let mut rings =
            Rings::locate(&place.storage, &place.path, &self.config, place.owned.is_some())?;
        if let Some(info) = trail::peek(&*place.storage, &place.path)? {
            rings.refuse_used(info.trail_id)?;
        }
        let mut trail = trail::open(&context, &self.config)?;
        if let Some((dir, _)) = &place.owned
            && trail.head == Head::EMPTY
        {
            dir.restrict().map_err(|source| OpenError::Io {
                operation: "restrict to its owner",
                path: dir.path().to_owned(),
                source,
            })?;
        }
        let info = trail.info.clone();
        let mut salvage = rings.salvage(&trail, place.same_boot)?;
        let last_ring = place.last_ring.as_deref().filter(|id| *id != "none");
        salvage.tell(&mut trail, last_ring, place.same_boot);
        let live = rings.create(&self.config, info.trail_id, trail.head, self.clock.now())?;
        let ring_id = live.id.clone();
        let (shared, mut ring_file) = live.share().map_err(|source| OpenError::Io {
            operation: "mark the process that opens",
            path: place.path.clone(),
            source,
        })?;
        let (sealer, rotation_given_up) = self.sealer(&place, &trail, &shared, context.signed)?;
        #[cfg(feature = "metrics")]
        crate::metrics::start_export(&shared, &info.origin).map_err(OpenError::Thread)?;
        let policy = Arc::new(self.policy);
        let parts = Parts {
            shared: Arc::clone(&shared),
            sealer: Arc::clone(&sealer),
            ring_home: ring_file.home().clone(),
            rotation_given_up,
            salvaged: std::mem::take(&mut salvage.bodies),
            rotate_key: self.rotate_key,
            storage: place.storage,
            clock: Arc::clone(&self.clock),
            config: Arc::clone(&self.config),
        };
        let keeper = Arc::new(Keeper::new(KeeperParts {
            shared: Arc::clone(&shared),
            sealer: Arc::clone(&sealer),
            storage: Arc::clone(&parts.storage),
            clock: Arc::clone(&self.clock),
            config: Arc::clone(&self.config),
            policy: Arc::clone(&policy),
            initial_key: info.initial_key.clone(),
            last_control: trail.last_control,
            newest: trail.newest,
        }));
        let writer = Writer::start(parts, trail)?;
        ring_file.will_be_named();
        if let Some((dir, lock)) = &place.owned {
            // The trail is open and says so durably: from now on this is the last writer's boot.
            let started = rfc3339(self.clock.now());
            let text = trail::lock_text(&started, self.is_brief, &ring_id, &trail::boot_id());
            announce(dir, lock, &text)?;
        }
        // After the lock file names the new ring, or an opening killed in between would seem to have
        // lost the old one.
        salvage.finish()?;
        rings.forget_old()?;
        if let Some((dir, _)) = &place.owned
            && let Some(settings) = &self.settings
        {
            write_settings(dir, settings);
        }
        let ending = Ending {
            sealer: Arc::clone(&sealer),
            keeper: Arc::clone(&keeper),
            ring_file,
            lock: place.owned.map(|(_, lock)| lock),
            shared: Arc::clone(&shared),
        };
        Ok(AuditLogger::from_open(Some(Arc::new(Open {
            shared,
            clock: self.clock,
            config: self.config,
            policy,
            sealer,
            keeper,
            origin: info.origin,
            initial_key: info.initial_key,
            _writer: running::start(writer, ending).map_err(OpenError::Thread)?,
        }))))
    }
}

fn announce(dir: &DirStorage, lock: &TrailLock, text: &str) -> Result<(), OpenError> {
    lock.announce(text).map_err(|source| OpenError::Io {
        operation: "write the lock file in",
        path: dir.path().to_owned(),
        source,
    })
}
