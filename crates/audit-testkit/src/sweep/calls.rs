//! Which system calls are storage, and which are not.
//!
//! What must stay true here: every call that the writer makes stands in one of the lists; one that
//! stands in neither fails the sweep, so a new call cannot be forgotten.

/// Calls that touch files, directories, mappings or the lock: each is made to fail.
const STORAGE: &str = "open openat close dup fcntl flock stat lstat fstat newfstatat statx statfs \
     fstatfs access faccessat faccessat2 readlink readlinkat getdents64 read pread64 write writev \
     pwrite64 lseek copy_file_range sendfile fsync fdatasync msync sync_file_range ftruncate fallocate \
     fadvise64 rename renameat renameat2 link linkat unlink unlinkat mkdir mkdirat rmdir chmod fchmod \
     fchmodat utimensat mmap munmap madvise io_uring_setup io_uring_enter";

/// Calls that touch no storage: threads, time, signals, randomness, the heap. A failure of these is
/// no bad day of a disk. `sendto` is how the child tells what it was promised.
const OTHER: &str = "futex clone clone3 exit exit_group rseq set_robust_list set_tid_address \
     sched_yield sched_getaffinity clock_gettime clock_nanosleep nanosleep gettimeofday getrandom \
     rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack getpid gettid geteuid getuid prctl \
     arch_prctl prlimit64 brk mprotect mremap poll ppoll sendto execve uname restart_syscall \
     membarrier sysinfo";

/// Whether a call is storage; `None` when nobody has said.
pub(super) fn is_storage(name: &str) -> Option<bool> {
    let has = |list: &str| list.split_whitespace().any(|known| known == name);
    match (has(STORAGE), has(OTHER)) {
        (false, false) => None,
        (storage, _) => Some(storage),
    }
}

/// All storage calls as strace wants them; a name that this kernel does not have is passed over.
pub(super) fn to_trace() -> String {
    STORAGE.split_whitespace().map(|name| format!("?{name},")).collect::<String>() + "sendto"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_is_both() {
        for name in STORAGE.split_whitespace() {
            assert!(OTHER.split_whitespace().all(|other| other != name), "{name}");
        }
    }
}
