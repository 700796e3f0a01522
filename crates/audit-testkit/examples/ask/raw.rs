//! The bytes of a trail, without anything that knows what they are.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use memchr::memmem::Finder;

use crate::Outcome;

/// The segments that lie plain.
pub(crate) fn segments(dir: &Path) -> Outcome<Vec<PathBuf>> {
    let mut segments = Vec::new();
    for item in fs::read_dir(dir)? {
        let path = item?.path();
        if path.extension().is_some_and(|extension| extension == "audit") {
            segments.push(path);
        }
    }
    segments.sort();
    Ok(segments)
}

/// Those of them that have no table in the index.
pub(crate) fn unindexed(dir: &Path) -> Outcome<Vec<PathBuf>> {
    let mut segments = segments(dir)?;
    segments.retain(|path| {
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        !dir.join("index").join(format!("{name}.parquet")).exists()
    });
    Ok(segments)
}

/// How many lines they have.
pub(crate) fn lines(files: &[PathBuf]) -> Outcome<u64> {
    let mut lines = 0;
    for file in files {
        lines += memchr::memchr_iter(b'\n', &fs::read(file)?).count() as u64;
    }
    Ok(lines)
}

/// Reads all files and searches them; gives their bytes and the seconds it took.
pub(crate) fn scan(files: &[PathBuf], needle: &[u8], threads: usize) -> Outcome<(u64, f64)> {
    let (next, bytes, finder) = (AtomicUsize::new(0), AtomicU64::new(0), Finder::new(needle));
    let work = || -> std::io::Result<()> {
        let mut buffer = vec![0; 1 << 20];
        while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut file = File::open(path)?;
            loop {
                let read = match file.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(read) => read,
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) => return Err(error),
                };
                bytes.fetch_add(read as u64, Ordering::Relaxed);
                std::hint::black_box(finder.find_iter(&buffer[..read]).count());
            }
        }
        Ok(())
    };
    let began = Instant::now();
    std::thread::scope(|scope| -> std::io::Result<()> {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })?;
    Ok((bytes.into_inner(), began.elapsed().as_secs_f64()))
}

/// Copies a trail, without its index, into a directory that is not there yet.
pub(crate) fn copy(from: &Path, to: &Path) -> Outcome<()> {
    fs::create_dir(to)?;
    for item in fs::read_dir(from)? {
        let item = item?;
        let (path, target) = (item.path(), to.join(item.file_name()));
        if item.file_type()?.is_file() {
            fs::copy(&path, target)?;
        } else if item.file_name() != "index" {
            copy(&path, &target)?;
        }
    }
    Ok(())
}

/// The bytes of the files whose names are asked for.
pub(crate) fn bytes(dir: &Path, wanted: impl Fn(&str) -> bool) -> Outcome<u64> {
    let mut bytes = 0;
    for item in fs::read_dir(dir)? {
        let item = item?;
        if wanted(&item.file_name().to_string_lossy()) {
            bytes += item.metadata()?.len();
        }
    }
    Ok(bytes)
}
