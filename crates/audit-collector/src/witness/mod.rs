//! A C2SP witness (tlog-witness): cosigns checkpoints that extend what it cosigned before.
//!
//! What must stay true here: for each log there is one line of checkpoints, whatever is sent, in
//! whatever order, however often the witness is killed: comparing and storing are one step, durable
//! before the answer. Times never go back. After a fault of the disk it says nothing more of that log.

mod decide;
mod error;
mod http;
mod request;
mod state;
mod store;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use audit_core::note::{SignatureType, Signer, SigningKey, VerifierKey};
use audit_core::proof::RotationProof;

pub use error::{LogError, WitnessError};
pub use http::router;

use decide::Refusal;
use request::AddCheckpoint;
use state::LogState;
use store::{Store, origin_hash};

/// What a witness is told.
#[derive(Debug, Clone)]
pub struct WitnessConfig {
    /// Its state directory; made if need be.
    pub state: PathBuf,
    /// Its name, a URL without scheme; of use at the first start only. Made up if `None`.
    pub name: Option<String>,
    /// The keys of the logs it cosigns for. A log is its origin, the key's name. Several keys of one
    /// origin are all trusted; rotations that were proven are followed from each.
    pub logs: Vec<VerifierKey>,
}

/// A witness, open.
#[derive(Debug)]
pub struct Witness {
    store: Store,
    key: SigningKey,
    logs: HashMap<String, Log>,
    /// The latest time of any cosignature.
    time: Mutex<u64>,
}

#[derive(Debug)]
struct Log {
    origin: String,
    pinned: Vec<VerifierKey>,
    /// `None` after a fault: what stands on disk is not known.
    state: Mutex<Option<LogState>>,
}

/// Why a witness does not do what it is asked.
#[derive(Debug)]
enum No {
    UnknownLog,
    Refused(Refusal),
    /// 500: the operator has to look.
    Fault(LogError),
}

impl Witness {
    /// Opens a witness: takes its state directory, makes its key at the first start.
    ///
    /// # Errors
    /// [`WitnessError`].
    pub fn open(config: WitnessConfig) -> Result<Witness, WitnessError> {
        let store = Store::open(&config.state)?;
        let key = store.key(config.name.as_deref())?;
        let mut pinned: HashMap<String, Vec<VerifierKey>> = HashMap::new();
        for key in config.logs {
            if key.kind() != SignatureType::Ed25519 {
                return Err(WitnessError::NotALogKey { key: key.to_string() });
            }
            pinned.entry(key.name().to_owned()).or_default().push(key);
        }
        let mut logs = HashMap::new();
        let mut time = 0;
        for (origin, pinned) in pinned {
            let state = store.load(&origin)?;
            time = time.max(state.time);
            let log = Log { origin: origin.clone(), pinned, state: Mutex::new(Some(state)) };
            logs.insert(origin, log);
        }
        Ok(Witness { store, key, logs, time: Mutex::new(time) })
    }

    /// The witness's public key, of type 0x04: what policies name.
    #[must_use]
    pub fn key(&self) -> &VerifierKey {
        self.key.verifier_key()
    }

    /// The logs it cosigns for.
    pub fn origins(&self) -> impl Iterator<Item = &str> {
        self.logs.keys().map(String::as_str)
    }

    /// Cosigns or refuses; gives the signature line.
    fn add_checkpoint(&self, request: &AddCheckpoint) -> Result<String, No> {
        let log = self.log(&request.checkpoint.unverified().origin)?;
        let mut held = lock(&log.state);
        let state = held.as_ref().ok_or(No::Fault(LogError::Broken))?;
        let mut note = match decide::add_checkpoint(state, &log.pinned, request) {
            Ok(note) => note,
            Err(Refusal::Fork) => {
                // Evidence is worth keeping, but an answer does not depend on it.
                drop(self.store.keep_evidence(&log.origin, &request.checkpoint.to_string()));
                return Err(No::Refused(Refusal::Fork));
            }
            Err(refusal) => return Err(No::Refused(refusal)),
        };
        let time = self.now();
        note.cosign(&self.key, time).map_err(|_| No::Fault(LogError::Sign))?;
        let line = note.note().signatures().last().map(ToString::to_string);
        let line = line.ok_or(No::Fault(LogError::Sign))?;
        let next = LogState { rotations: state.rotations.clone(), last: Some(note), time };
        self.store(log, &mut held, next)?;
        Ok(line)
    }

    /// Follows a rotation or refuses.
    fn add_rotation(&self, request: &RotationProof) -> Result<(), No> {
        let log = self.log(&request.proof.checkpoint.unverified().origin)?;
        let mut held = lock(&log.state);
        let state = held.as_ref().ok_or(No::Fault(LogError::Broken))?;
        let step = decide::add_rotation(state, &log.pinned, request).map_err(No::Refused)?;
        let Some(step) = step else { return Ok(()) };
        let mut next = state.clone();
        next.follow(step, &log.pinned);
        self.store(log, &mut held, next)
    }

    /// The last checkpoint cosigned of the log whose origin has this hash.
    fn last_cosigned(&self, hash: &str) -> Option<String> {
        let log = self.logs.values().find(|log| origin_hash(&log.origin) == hash)?;
        lock(&log.state).as_ref()?.last.as_ref().map(ToString::to_string)
    }

    fn log(&self, origin: &str) -> Result<&Log, No> {
        self.logs.get(origin).ok_or(No::UnknownLog)
    }

    /// Disk first, then memory.
    fn store(
        &self,
        log: &Log,
        held: &mut MutexGuard<'_, Option<LogState>>,
        next: LogState,
    ) -> Result<(), No> {
        match self.store.save(&log.origin, &next) {
            Ok(()) => {
                **held = Some(next);
                Ok(())
            }
            Err(error) => {
                // It may or may not be there after a restart. Until then nothing is cosigned, so
                // either is right.
                **held = None;
                Err(No::Fault(LogError::Store(error)))
            }
        }
    }

    /// The time, in POSIX seconds: never before a time that was told.
    fn now(&self) -> u64 {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_secs());
        let mut last = lock(&self.time);
        *last = clock.max(*last).max(1);
        *last
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs what waits for the disk where it may.
async fn blocking<T: Send + 'static>(
    witness: &Arc<Witness>,
    work: impl FnOnce(&Witness) -> Result<T, No> + Send + 'static,
) -> Result<T, No> {
    let witness = witness.clone();
    let done = tokio::task::spawn_blocking(move || work(&witness)).await;
    done.unwrap_or(Err(No::Fault(LogError::Broken)))
}
