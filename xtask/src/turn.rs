//! One `cargo xtask test` at a time in one target directory.
//!
//! What must stay true here: the lock is the kernel's, so a run that was killed blocks nobody.
//! Two clones may share a target directory, and both build `auditlog` to the same name there: the
//! tests of one would run the program of the other.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

/// Waits until no other run uses `target`; the turn ends when the file is dropped.
pub(crate) fn take(target: &Path) -> Result<File, String> {
    let path = target.join("xtask-test.lock");
    let failed = |e: std::io::Error| format!("{}: {e}", path.display());
    std::fs::create_dir_all(target).map_err(failed)?;
    let file = OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            println!("another `cargo xtask test` uses {}: waiting for it", target.display());
            file.lock().map_err(failed)?;
        }
        Err(TryLockError::Error(error)) => {
            println!(
                "{}: {error}; a second run at the same time may disturb this one",
                path.display()
            );
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_turn_waits_for_the_end_of_the_first() {
        let target = std::env::temp_dir().join(format!("xtask-turn-{}", std::process::id()));
        let first = take(&target).unwrap();
        let second = File::open(target.join("xtask-test.lock")).unwrap();
        assert!(matches!(second.try_lock(), Err(TryLockError::WouldBlock)));
        drop(first);
        assert!(second.try_lock().is_ok());
        std::fs::remove_dir_all(target).unwrap();
    }
}
