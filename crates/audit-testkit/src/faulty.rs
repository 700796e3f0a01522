//! A storage that fails on demand.
//!
//! What must stay true here: what is to fail is said in rules; without a rule the inner storage
//! works. A failed operation has not touched the inner storage.

use std::io::{self, ErrorKind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use audit_logging::storage::{Space, Storage};

use crate::hook::{Hook, HookStorage, Op, Verdict};

/// How a rule ends an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// With an error of this kind.
    Error(ErrorKind),
    /// The storage panics: a bug in it.
    Panic,
    /// An append takes at most this many bytes.
    Take(usize),
}

/// Which operations a rule is for.
#[derive(Debug, Clone)]
struct Rule {
    ops: Vec<Op>,
    /// Part of the file's name; empty for all.
    name: String,
    skip: u64,
    times: u64,
    how: How,
}

#[derive(Debug, Default)]
struct State {
    rules: Vec<Rule>,
    failed: u64,
    space: Option<Space>,
}

/// The hook of [`FaultyStorage`].
#[derive(Debug, Default)]
pub struct Faults {
    state: Mutex<State>,
    changed: Condvar,
}

/// A storage that fails on demand.
pub type FaultyStorage = HookStorage<Faults>;

impl FaultyStorage {
    /// `inner`, working for now.
    pub fn over(inner: impl Storage) -> Arc<FaultyStorage> {
        HookStorage::new(Arc::new(inner), Faults::default())
    }

    /// Fails the operation `ops` (any of them) after `skip` more of them, once.
    pub fn fail_once(&self, ops: &[Op], skip: u64, how: How) {
        self.rule(ops, "", skip, 1, how);
    }

    /// Fails `ops` from now on, until [`FaultyStorage::heal`].
    pub fn fail_always(&self, ops: &[Op], how: How) {
        self.rule(ops, "", 0, u64::MAX, how);
    }

    /// Fails `ops` on files whose name holds `name`, `times` times after `skip` of them.
    pub fn rule(&self, ops: &[Op], name: &str, skip: u64, times: u64, how: How) {
        let rule = Rule { ops: ops.to_vec(), name: name.to_owned(), skip, times, how };
        self.hook().lock().rules.push(rule);
    }

    /// Nothing fails any more.
    pub fn heal(&self) {
        self.hook().lock().rules.clear();
    }

    /// How many operations failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.hook().lock().failed
    }

    /// Waits until `n` operations failed.
    pub fn wait_failed(&self, n: u64) {
        let (state, timeout) = self
            .hook()
            .changed
            .wait_timeout_while(self.hook().lock(), Duration::from_secs(30), |s| s.failed < n)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!timeout.timed_out(), "waited in vain for failure {n}: {}", state.failed);
    }

    /// Reports this space instead of the inner storage's.
    pub fn set_space(&self, free: u64, total: u64) {
        self.hook().lock().space = Some(Space { total, free });
    }
}

impl Faults {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hook for Faults {
    fn before(&self, op: Op, name: &str) -> Verdict {
        let mut state = self.lock();
        let mut how = None;
        for rule in &mut state.rules {
            if !rule.ops.contains(&op) || !name.contains(&rule.name) || rule.times == 0 {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            rule.times = if rule.times == u64::MAX { u64::MAX } else { rule.times - 1 };
            how = Some(rule.how);
            break;
        }
        let Some(how) = how else { return Verdict::Pass };
        state.failed += 1;
        drop(state);
        self.changed.notify_all();
        match how {
            How::Error(kind) => Verdict::Fail(io::Error::new(kind, "injected")),
            How::Take(most) => Verdict::Take(most),
            How::Panic => panic!("injected: {op:?} on {name}"),
        }
    }

    fn space(&self) -> Option<Space> {
        self.lock().space
    }
}
