//! A trail's directory on a real file system.
//!
//! What must stay true here: everything is opened relative to one directory descriptor that was
//! checked once, with `O_NOFOLLOW` and `O_CLOEXEC`; files are 0600, directories 0700.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, RenameFlags, fchmod, fstatvfs, fsync, mkdirat, open,
    openat, renameat, renameat_with, statat, unlinkat,
};
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::file::DirSegment;
use super::lock::{LockError, TrailLock};
use super::{
    KEYS, QUARANTINE, RingMemory, SegmentFile, Space, Storage, TEMPORARY, ring_file, secure,
};
use crate::error::OpenError;

/// Bytes of a new file that may wait for a sync.
const SYNC_EVERY: usize = 1 << 20;

/// A trail's directory on a local file system.
#[derive(Debug, Clone)]
pub struct DirStorage {
    path: PathBuf,
    dir: Arc<OwnedFd>,
}

impl DirStorage {
    /// Opens the directory, making it (0700) and its parents if `create` is set.
    ///
    /// # Errors
    /// [`OpenError::NoTrail`] when it is not there, [`OpenError::Insecure`] for a symlink, a
    /// foreign owner or a directory others may write to, [`OpenError::Io`] for the rest.
    pub fn open(path: &Path, create: bool) -> Result<DirStorage, OpenError> {
        // Without a trailing slash, which would have a symlink followed.
        let path: &Path = &path.components().collect::<PathBuf>();
        let io_error = |operation: &'static str| {
            let path = path.to_owned();
            move |source: io::Error| match source.kind() {
                secure::INSECURE => OpenError::Insecure { path, problem: source.to_string() },
                _ => OpenError::Io { operation, path, source },
            }
        };
        if create {
            create_durably(path).map_err(io_error("create"))?;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = match open(path, flags, Mode::empty()) {
            Ok(dir) => dir,
            Err(Errno::NOENT) => return Err(OpenError::NoTrail { path: path.to_owned() }),
            Err(Errno::NOTDIR) if path.is_symlink() => {
                return Err(io_error("open")(secure::explain(Errno::LOOP)));
            }
            Err(error) => return Err(io_error("open")(secure::explain(error))),
        };
        secure::check(&dir, FileType::Directory).map_err(io_error("check"))?;
        Ok(DirStorage { path: path.to_owned(), dir: Arc::new(dir) })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the one writer's lock.
    ///
    /// # Errors
    /// [`OpenError::Locked`] when another writer has it.
    pub fn lock(&self) -> Result<TrailLock, OpenError> {
        TrailLock::acquire(&self.dir).map_err(|error| match error {
            LockError::Held(holder) => OpenError::Locked { path: self.path.clone(), holder },
            LockError::Io(source) if source.kind() == secure::INSECURE => {
                OpenError::Insecure { path: self.path.join("lock"), problem: source.to_string() }
            }
            LockError::Io(source) => {
                OpenError::Io { operation: "lock", path: self.path.clone(), source }
            }
        })
    }

    /// Sets the directory itself to 0700, for a new trail in a directory that was there.
    pub(crate) fn restrict(&self) -> io::Result<()> {
        Ok(fchmod(&*self.dir, Mode::RWXU)?)
    }
}

/// Makes the directory (0700) and its missing parents, each durably. The parent is synced also when
/// the directory is there: the process that made it may have died before it could.
fn create_durably(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty())
        && !parent.exists()
    {
        create_durably(parent)?;
    }
    match rustix::fs::mkdir(path, Mode::RWXU) {
        Ok(()) => sync_parent(path),
        // A parent that may be searched and not read belongs to somebody else, who synced it.
        Err(Errno::EXIST) => match sync_parent(path) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            synced => synced,
        },
        Err(error) => Err(error.into()),
    }
}

fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    fsync(open(parent, flags, Mode::empty())?)?;
    Ok(())
}

/// Splits `sub/file` and opens `sub`; a plain name stays in `dir`. `create` makes `sub`.
pub(super) fn locate<'n>(
    dir: &Arc<OwnedFd>,
    name: &'n str,
    create: bool,
) -> io::Result<(Arc<OwnedFd>, &'n str)> {
    let Some((sub, file)) = name.split_once('/') else { return Ok((Arc::clone(dir), name)) };
    if create {
        match mkdirat(&**dir, sub, Mode::RWXU) {
            // Also when it is there: the process that made it may have died before the sync.
            Ok(()) | Err(Errno::EXIST) => fsync(&**dir)?,
            Err(error) => return Err(error.into()),
        }
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let sub = openat(&**dir, sub, flags, Mode::empty()).map_err(secure::explain)?;
    secure::check(&sub, FileType::Directory)?;
    Ok((Arc::new(sub), file))
}

/// `openat`, `fstat`.
fn open_checked(dir: &OwnedFd, name: &str, flags: OFlags) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = openat(dir, name, flags, Mode::RUSR | Mode::WUSR).map_err(secure::explain)?;
    secure::check(&file, FileType::RegularFile)?;
    Ok(file)
}

/// `openat(O_EXCL)`, `write`…, `fsync`, `renameat`, `fsync` of the directory.
pub(super) fn replace_in(dir: &Arc<OwnedFd>, name: &str, content: &mut dyn Read) -> io::Result<()> {
    let (dir, name) = locate(dir, name, true)?;
    let temporary = format!("{name}{TEMPORARY}");
    remove(&dir, &temporary)?;
    let filled = fill(&dir, &temporary, content)
        .and_then(|()| Ok(renameat(&*dir, &temporary, &*dir, name)?));
    if let Err(error) = filled {
        // On a full disk the half-written file would keep the room that is missing.
        remove(&dir, &temporary)?;
        return Err(error);
    }
    fsync(&*dir)?;
    Ok(())
}

fn fill(dir: &OwnedFd, name: &str, content: &mut dyn Read) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    let mut file = std::fs::File::from(open_checked(dir, name, flags)?);
    // Keys pass through here: no copy of them is left in a buffer.
    let mut buffer = Zeroizing::new([0; 8 << 10]);
    let mut unsynced = 0;
    loop {
        match content.read(&mut *buffer) {
            Ok(0) => return file.sync_all(),
            Ok(taken) => {
                file.write_all(&buffer[..taken])?;
                unsynced += taken;
                // A large file goes to the disk as it comes: all of it at once would be in the way of
                // the writer's own syncs.
                if unsynced >= SYNC_EVERY {
                    file.sync_data()?;
                    unsynced = 0;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn remove(dir: &OwnedFd, name: &str) -> io::Result<()> {
    match unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

impl Storage for DirStorage {
    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let dir = match dir {
            "" => Arc::clone(&self.dir),
            sub => locate(&self.dir, &format!("{sub}/."), false)?.0,
        };
        let mut names = Vec::new();
        for entry in Dir::read_from(&*dir)? {
            let name = entry?.file_name().to_bytes().to_vec();
            // A name that is not UTF-8 is none of ours.
            if let Ok(name) = String::from_utf8(name)
                && name != "."
                && name != ".."
            {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn read(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        let (dir, file) = locate(&self.dir, name, false)?;
        let file = open_checked(&dir, file, OFlags::RDONLY)?;
        if name.starts_with(KEYS) {
            secure::check_private(&file)?;
        }
        Ok(Box::new(std::fs::File::from(file)))
    }

    /// `openat(O_EXCL)`, `fsync`, `fsync` of the directory.
    fn create_segment(&self, name: &str) -> io::Result<Box<dyn SegmentFile>> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        let file = open_checked(&self.dir, name, flags)?;
        fsync(&file)?;
        fsync(&*self.dir)?;
        Ok(Box::new(DirSegment::new(Arc::clone(&self.dir), name, file, 0)))
    }

    fn open_segment(&self, name: &str) -> io::Result<Box<dyn SegmentFile>> {
        let file = open_checked(&self.dir, name, OFlags::RDWR)?;
        let len = rustix::fs::fstat(&file)?.st_size.unsigned_abs();
        Ok(Box::new(DirSegment::new(Arc::clone(&self.dir), name, file, len)))
    }

    fn replace(&self, name: &str, content: &mut dyn Read) -> io::Result<()> {
        replace_in(&self.dir, name, content)
    }

    fn set_read_only(&self, name: &str) -> io::Result<()> {
        let file = open_checked(&self.dir, name, OFlags::RDONLY)?;
        fchmod(&file, Mode::RUSR)?;
        fsync(&file)?;
        Ok(())
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        let (dir, name) = locate(&self.dir, name, false)?;
        let file = open_checked(&dir, name, OFlags::RDONLY)?;
        Ok(rustix::fs::fstat(&file)?.st_size.unsigned_abs())
    }

    fn remove_temporary(&self, name: &str) -> io::Result<()> {
        debug_assert!(name.ends_with(TEMPORARY));
        let (dir, name) = locate(&self.dir, name, false)?;
        remove(&dir, name)
    }

    /// `unlinkat`, `fsync` of the directory.
    fn remove(&self, name: &str) -> io::Result<()> {
        let (dir, name) = locate(&self.dir, name, false)?;
        remove(&dir, name)?;
        fsync(&*dir)?;
        Ok(())
    }

    /// `renameat`, `fsync` of the directory.
    fn take(&self, name: &str, taken: &str) -> io::Result<()> {
        let (dir, name) = locate(&self.dir, name, false)?;
        let (_, taken) = locate(&self.dir, taken, false)?;
        renameat(&*dir, name, &*dir, taken)?;
        fsync(&*dir)?;
        Ok(())
    }

    /// `openat`, `pwrite`, `fsync`, `unlinkat`, `fsync` of the directory.
    fn destroy(&self, name: &str) -> io::Result<()> {
        let (dir, name) = locate(&self.dir, name, false)?;
        let file = match open_checked(&dir, name, OFlags::WRONLY) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        let len = rustix::fs::fstat(&file)?.st_size.unsigned_abs();
        let mut file = std::fs::File::from(file);
        io::copy(&mut io::repeat(0).take(len), &mut file)?;
        file.sync_all()?;
        unlinkat(&*dir, name, AtFlags::empty())?;
        fsync(&*dir)?;
        Ok(())
    }

    fn space(&self) -> io::Result<Space> {
        let stat = fstatvfs(&*self.dir)?;
        Ok(Space { total: stat.f_blocks * stat.f_frsize, free: stat.f_bavail * stat.f_frsize })
    }

    /// `unlinkat`, `openat(O_EXCL)`, `fstatfs`, `flock`, `fallocate`, `mmap`, `madvise`.
    fn create_ring(&self, name: &str, cells: u64) -> io::Result<RingMemory> {
        let temporary = format!("{name}{TEMPORARY}");
        // What a crash left under this name was not finished. What a stranger put there and could not be set
        // aside then may be a directory.
        if let Err(error) = remove(&self.dir, &temporary) {
            tracing::warn!(%error, "what stands in an unfinished ring's place cannot be removed");
            self.set_ring_aside(&temporary)?;
        }
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        let file = open_checked(&self.dir, &temporary, flags)?;
        ring_file::map(file, cells, &self.dir, name).inspect_err(|_| {
            if let Err(error) = remove(&self.dir, &temporary) {
                tracing::warn!(%error, "an unfinished ring could not be removed");
            }
        })
    }

    /// `renameat2`, and `renameat` where nothing has the name.
    fn publish_ring(&self, name: &str) -> io::Result<()> {
        let made = format!("{name}{TEMPORARY}");
        match renameat_with(&*self.dir, &made, &*self.dir, name, RenameFlags::EXCHANGE) {
            Ok(()) => return Ok(()),
            Err(Errno::NOENT) => {}
            // Not every file system can exchange. A name that is free for a moment is the best then.
            // Filters of system calls answer EPERM to one that they do not know.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => {
                match self.set_ring_aside(name) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            Err(error) => return Err(error.into()),
        }
        Ok(renameat(&*self.dir, made, &*self.dir, name)?)
    }

    /// `openat`, `flock`.
    fn is_ring_used(&self, name: &str) -> io::Result<bool> {
        match open_checked(&self.dir, name, OFlags::RDONLY) {
            Ok(file) => ring_file::is_used(&file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// `mkdirat`, `fsync`, `newfstatat`, `renameat`.
    fn set_ring_aside(&self, name: &str) -> io::Result<()> {
        for n in 0_u32.. {
            let aside = format!("{QUARANTINE}/{name}.{n}");
            let (quarantine, aside) = locate(&self.dir, &aside, true)?;
            match statat(&*quarantine, aside, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => return Ok(renameat(&*self.dir, name, &*quarantine, aside)?),
                // From the time before: evidence too.
                Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// `unlinkat`.
    fn remove_ring(&self, name: &str) -> io::Result<()> {
        remove(&self.dir, name)
    }
}
