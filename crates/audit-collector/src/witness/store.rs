//! The state directory of a witness: its key, and one file for each log.
//!
//! What must stay true here: one process at a time has it. A file is replaced whole: written beside,
//! synced, renamed, the directory synced; so a crash at any step leaves the old or the new state, and
//! what was reported as stored is. The key is readable by its owner only.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use audit_core::chain::Hash;
use audit_core::note::{SignatureType, SigningKey};
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::WitnessError;
use super::state::LogState;

const KEY: &str = "witness.key";
const LOCK: &str = "lock";
const SUFFIX: &str = ".log";
const TEMPORARY: &str = ".tmp";
/// No state or key is larger.
const MAX_FILE: u64 = 4 << 20;

/// The state directory, held until this is dropped.
#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    dir: File,
    _lock: File,
}

/// The name by which a log is known in paths: the hash of its origin.
pub(super) fn origin_hash(origin: &str) -> String {
    Hash(Sha256::digest(origin).into()).to_string()
}

impl Store {
    /// Opens or makes a state directory, and takes it.
    pub(super) fn open(path: &Path) -> Result<Store, WitnessError> {
        let io = |what| WitnessError::io(what, path);
        DirBuilder::new().mode(0o700).recursive(true).create(path).map_err(io("make"))?;
        let dir = File::open(path).map_err(io("open"))?;
        let meta = dir.metadata().map_err(io("look at"))?;
        if meta.uid() != rustix::process::geteuid().as_raw() || meta.mode() & 0o022 != 0 {
            return Err(WitnessError::Insecure(path.to_owned()));
        }
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join(LOCK))
            .map_err(io("lock"))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(WitnessError::Locked(path.to_owned())),
            Err(error) => return Err(io("lock")(error.into())),
        }
        Ok(Store { path: path.to_owned(), dir, _lock: lock })
    }

    /// The witness's key; made at the first start, under this name.
    pub(super) fn key(&self, name: Option<&str>) -> Result<SigningKey, WitnessError> {
        let path = self.path.join(KEY);
        let Some(line) = self.read(KEY)? else {
            let used = fs::read_dir(&self.path).map_err(WitnessError::io("list", &self.path))?;
            if used.flatten().any(|item| item.file_name().to_string_lossy().ends_with(SUFFIX)) {
                return Err(WitnessError::KeyMissing(path));
            }
            return self.make_key(name);
        };
        let mode = fs::symlink_metadata(&path).map_err(WitnessError::io("look at", &path))?.mode();
        if mode & 0o077 != 0 {
            return Err(WitnessError::Insecure(path));
        }
        let text = std::str::from_utf8(&line).unwrap_or_default();
        let key = SigningKey::parse(text);
        let key = key.map_err(|error| WitnessError::Key { path: path.clone(), error })?;
        let public = audit_core::note::Signer::verifier_key(&key);
        if public.kind() != SignatureType::CosignatureV1 {
            return Err(WitnessError::NotAWitnessKey(path));
        }
        if name.is_some_and(|name| name != public.name()) {
            return Err(WitnessError::OtherName { is: public.name().to_owned() });
        }
        Ok(key)
    }

    fn make_key(&self, name: Option<&str>) -> Result<SigningKey, WitnessError> {
        let path = self.path.join(KEY);
        let mut seed = Zeroizing::new([0; 32]);
        let mut random = [0; 8];
        getrandom::fill(&mut *seed).and_then(|()| getrandom::fill(&mut random)).map_err(|e| {
            WitnessError::io("read randomness for", &path)(io::Error::other(e.to_string()))
        })?;
        let name = name.map_or_else(
            || format!("witness.local/{:016x}", u64::from_be_bytes(random)),
            str::to_owned,
        );
        let key = SigningKey::from_seed(SignatureType::CosignatureV1, &name, &seed)
            .map_err(|error| WitnessError::Key { path: path.clone(), error })?;
        let mut line = key.to_secret_line();
        line.push('\n');
        self.replace(KEY, line.as_bytes()).map_err(WitnessError::io("write", &path))?;
        Ok(key)
    }

    /// What is stored of a log; empty before the first time.
    pub(super) fn load(&self, origin: &str) -> Result<LogState, WitnessError> {
        let name = origin_hash(origin) + SUFFIX;
        let Some(bytes) = self.read(&name)? else { return Ok(LogState::EMPTY) };
        let damaged = || WitnessError::DamagedState(self.path.join(&name));
        let state = LogState::parse(&bytes).ok_or_else(damaged)?;
        match &state.last {
            Some(last) if last.unverified().origin != origin => Err(damaged()),
            _ => Ok(state),
        }
    }

    /// Stores what is known of a log. When this returns `Ok`, it is durable.
    pub(super) fn save(&self, origin: &str, state: &LogState) -> io::Result<()> {
        self.replace(&(origin_hash(origin) + SUFFIX), state.to_string().as_bytes())
    }

    /// Keeps a checkpoint that contradicts what was cosigned: the first of a log, as evidence.
    pub(super) fn keep_evidence(&self, origin: &str, note: &str) -> io::Result<()> {
        let name = origin_hash(origin) + ".fork";
        if self.path.join(&name).exists() {
            return Ok(());
        }
        self.replace(&name, note.as_bytes())
    }

    fn read(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, WitnessError> {
        let path = self.path.join(name);
        let io = |error: io::Error| WitnessError::io("read", &path)(error);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match open(&path, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(io(error.into())),
        };
        let mut bytes = Zeroizing::new(Vec::new());
        file.take(MAX_FILE).read_to_end(&mut bytes).map_err(io)?;
        Ok(Some(bytes))
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let temporary = self.path.join(format!("{name}{TEMPORARY}"));
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, self.path.join(name))?;
        self.dir.sync_all()
    }
}
