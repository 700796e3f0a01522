//! Counts the operations of a storage, and holds its syncs back on request.
//!
//! What must stay true here: an operation is counted when it has returned `Ok`, so a count that is
//! seen is a fact about the disk.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use audit_logging::storage::Storage;

use crate::hook::{Hook, HookStorage, Op, Verdict};

/// A wait longer than this is a failed test.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
struct State {
    done: BTreeMap<(Op, String), u64>,
    held: bool,
    waiting: usize,
}

impl State {
    fn count(&self, op: Op) -> u64 {
        let counted = |(done, name): &(Op, String)| *done == op && name != "tree.hashes";
        self.done.iter().filter(|(key, _)| counted(key)).map(|(_, n)| n).sum()
    }
}

/// The hook of [`CountingStorage`].
#[derive(Debug, Default)]
pub struct Counter {
    state: Mutex<State>,
    changed: Condvar,
}

/// A storage that counts.
pub type CountingStorage = HookStorage<Counter>;

impl CountingStorage {
    /// Counts what is done to `inner`.
    pub fn over(inner: impl Storage) -> Arc<CountingStorage> {
        HookStorage::new(Arc::new(inner), Counter::default())
    }

    /// How often `op` was done; on all files but the stored hashes, which the sealer's thread
    /// writes in its own time.
    #[must_use]
    pub fn count(&self, op: Op) -> u64 {
        self.hook().lock().count(op)
    }

    /// How often `op` was done on `name`.
    #[must_use]
    pub fn count_of(&self, op: Op, name: &str) -> u64 {
        self.hook().lock().done.get(&(op, name.to_owned())).copied().unwrap_or(0)
    }

    /// Waits until `op` was done `n` times, counted as by [`CountingStorage::count`].
    pub fn wait_for(&self, op: Op, n: u64) {
        self.hook().wait_until(&format!("{op:?} number {n}"), |state| state.count(op) >= n);
    }

    /// Waits until `op` was done `n` times on `name`.
    pub fn wait_for_of(&self, op: Op, name: &str, n: u64) {
        let key = (op, name.to_owned());
        let done = |state: &State| state.done.get(&key).is_some_and(|count| *count >= n);
        self.hook().wait_until(&format!("{op:?} number {n} on {name}"), done);
    }

    /// Holds every sync from now on before it begins.
    pub fn hold_syncs(&self) {
        self.hook().lock().held = true;
    }

    /// Waits until a sync is being held.
    pub fn wait_held(&self) {
        self.hook().wait_until("a held sync", |state| state.waiting > 0);
    }

    /// Lets the syncs go.
    pub fn release_syncs(&self) {
        self.hook().lock().held = false;
        self.hook().changed.notify_all();
    }
}

impl Counter {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_until(&self, what: &str, done: impl Fn(&State) -> bool) {
        let (state, timeout) = self
            .changed
            .wait_timeout_while(self.lock(), PATIENCE, |state| !done(state))
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!timeout.timed_out(), "waited in vain for {what}: {state:?}");
    }
}

impl Hook for Counter {
    fn before(&self, op: Op, _name: &str) -> Verdict {
        if op == Op::Sync {
            let mut state = self.lock();
            state.waiting += 1;
            self.changed.notify_all();
            while state.held {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.waiting -= 1;
        }
        Verdict::Pass
    }

    fn after(&self, op: Op, name: &str, ok: bool) {
        if ok {
            *self.lock().done.entry((op, name.to_owned())).or_insert(0) += 1;
            self.changed.notify_all();
        }
    }
}
