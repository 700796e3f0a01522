//! Work on numbered pieces by several threads, taken in the order of the numbers.
//!
//! What must stay true here: a thread that is ahead waits, so no more than a few results are held;
//! after the end of the taking nothing new is begun, and all threads have ended on return.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::ReadError;

/// Results that may wait for each thread.
const AHEAD: usize = 4;

struct State<T> {
    /// The next piece nobody works on.
    next: usize,
    /// The piece that is taken next.
    taken: usize,
    /// Results from `taken` on.
    done: VecDeque<Option<Result<T, ReadError>>>,
    ended: bool,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    /// A result is there.
    told: Condvar,
    /// There is room for results, or no need of them.
    room: Condvar,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) {
        self.lock().ended = true;
        self.room.notify_all();
        self.told.notify_all();
    }
}

/// Ends the work when a thread panics: nobody waits for a result that never comes.
struct EndOnPanic<'a, T>(&'a Shared<T>);

impl<T> Drop for EndOnPanic<'_, T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end();
        }
    }
}

/// Has `count` pieces worked on by `jobs` threads, each with a worker of its own, and takes the
/// results in order until `take` breaks.
pub(crate) fn ordered<T: Send, W>(
    count: usize,
    jobs: usize,
    worker: impl Fn() -> W + Sync,
    work: impl Fn(&mut W, usize) -> Result<T, ReadError> + Sync,
    mut take: impl FnMut(T) -> ControlFlow<()>,
) -> Result<(), ReadError> {
    let jobs = jobs.min(count);
    if jobs < 2 {
        let mut worker = worker();
        for piece in 0..count {
            if take(work(&mut worker, piece)?).is_break() {
                break;
            }
        }
        return Ok(());
    }
    let state = State { next: 0, taken: 0, done: VecDeque::new(), ended: false };
    let shared = Shared { state: Mutex::new(state), told: Condvar::new(), room: Condvar::new() };
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                let _end = EndOnPanic(&shared);
                let mut worker = worker();
                while let Some(piece) = claim(&shared, count, jobs * AHEAD) {
                    let result = work(&mut worker, piece);
                    let mut state = shared.lock();
                    let place = piece - state.taken;
                    if state.done.len() <= place {
                        state.done.resize_with(place + 1, || None);
                    }
                    state.done[place] = Some(result);
                    if place == 0 {
                        shared.told.notify_one();
                    }
                }
            });
        }
        // Dropped whatever happens to `take`: a panic there must not leave threads waiting.
        let _end = EndOnPanic(&shared);
        let outcome = (0..count).try_for_each(|_| match next(&shared) {
            Some(Ok(result)) => match take(result) {
                ControlFlow::Continue(()) => Ok(()),
                ControlFlow::Break(()) => Err(None),
            },
            Some(Err(error)) => Err(Some(error)),
            // A thread panicked: the scope passes that on.
            None => Err(None),
        });
        shared.end();
        match outcome {
            Err(Some(error)) => Err(error),
            Ok(()) | Err(None) => Ok(()),
        }
    })
}

/// The next piece to work on; `None` if there is none.
fn claim<T>(shared: &Shared<T>, count: usize, ahead: usize) -> Option<usize> {
    let state = shared.lock();
    let full = |state: &mut State<T>| !state.ended && state.next >= state.taken + ahead;
    let mut state = shared.room.wait_while(state, full).unwrap_or_else(PoisonError::into_inner);
    if state.ended || state.next == count {
        return None;
    }
    state.next += 1;
    Some(state.next - 1)
}

/// The next result; `None` if there is to be none.
fn next<T>(shared: &Shared<T>) -> Option<Result<T, ReadError>> {
    let state = shared.lock();
    let missing =
        |state: &mut State<T>| !state.ended && !matches!(state.done.front(), Some(Some(_)));
    let mut state = shared.told.wait_while(state, missing).unwrap_or_else(PoisonError::into_inner);
    let result = state.done.pop_front().flatten()?;
    state.taken += 1;
    shared.room.notify_all();
    Some(result)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn results_come_in_order_and_no_thread_runs_far_ahead() {
        for jobs in [1, 2, 7] {
            let (begun, mut taken) = (AtomicUsize::new(0), Vec::new());
            let work = |_: &mut (), piece: usize| {
                begun.fetch_add(1, Ordering::SeqCst);
                Ok(piece)
            };
            ordered(
                500,
                jobs,
                || (),
                work,
                |piece| {
                    taken.push(piece);
                    assert!(begun.load(Ordering::SeqCst) <= piece + 1 + jobs * AHEAD);
                    ControlFlow::Continue(())
                },
            )
            .unwrap();
            assert_eq!(taken, (0..500).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_break_and_an_error_end_the_work() {
        for jobs in [1, 3] {
            let begun = AtomicUsize::new(0);
            let work = |_: &mut (), piece: usize| {
                begun.fetch_add(1, Ordering::SeqCst);
                match piece {
                    20 => Err(ReadError::NotATrail("there".into())),
                    _ => Ok(piece),
                }
            };
            let until = |last| {
                move |piece| match piece {
                    piece if piece == last => ControlFlow::Break(()),
                    _ => ControlFlow::Continue(()),
                }
            };
            ordered(1_000_000, jobs, || (), work, until(5)).unwrap();
            assert!(begun.load(Ordering::SeqCst) < 100);
            assert!(ordered(1_000_000, jobs, || (), work, until(50)).is_err());
            assert!(begun.load(Ordering::SeqCst) < 200);
        }
    }

    #[test]
    #[should_panic(expected = "a scoped thread panicked")]
    fn a_panic_is_passed_on_and_waits_for_nothing() {
        let work = |_: &mut (), piece: usize| {
            assert_ne!(piece, 9, "piece 9");
            Ok(())
        };
        drop(ordered(1_000, 2, || (), work, |()| ControlFlow::Continue(())));
    }
}
