//! Work on numbered pieces by several threads, taken in the order of the numbers.
//!
//! What must stay true here: a thread that is ahead waits, so no more than a few results are held for each
//! thread, or some dozens of those that cost next to nothing; nobody works on what others wait for without
//! handing over what is done; after the end of the taking nothing new is begun, and all threads have ended
//! on return.

use std::collections::{BTreeMap, VecDeque};
use std::ops::{ControlFlow, Range};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::ReadError;

/// Runs of pieces that may wait for each thread.
const AHEAD: usize = 4;
/// While all pieces of a run together take less, the next run is longer: waking one another costs some
/// microseconds. What is left of a run that takes more is given back.
const QUICK: Duration = Duration::from_micros(100);
/// The longest run.
const RUN: usize = 32;

struct State<T> {
    /// The next piece that nobody has claimed.
    next: usize,
    /// Where pieces begin and end that were claimed and given back.
    back: BTreeMap<usize, usize>,
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
    let state =
        State { next: 0, back: BTreeMap::new(), taken: 0, done: VecDeque::new(), ended: false };
    let shared = Shared { state: Mutex::new(state), told: Condvar::new(), room: Condvar::new() };
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                let _end = EndOnPanic(&shared);
                let (mut worker, mut run) = (worker(), 1);
                while let Some(mut pieces) = claim(&shared, count, jobs * AHEAD, run) {
                    let (began, first) = (Instant::now(), pieces.start);
                    let mut results = Vec::with_capacity(pieces.len());
                    run = RUN.min(run * 2);
                    for piece in pieces.by_ref() {
                        results.push(work(&mut worker, piece));
                        if began.elapsed() >= QUICK {
                            run = 1;
                            break;
                        }
                    }
                    give(&shared, first, results, pieces);
                }
            });
        }
        // Dropped whatever happens to `take`: a panic there must not leave threads waiting.
        let _end = EndOnPanic(&shared);
        let outcome = take_all(&shared, count, &mut take);
        shared.end();
        outcome
    })
}

/// The next pieces to work on, `run` of them if there are so many; `None` if there will be none.
fn claim<T>(shared: &Shared<T>, count: usize, ahead: usize, run: usize) -> Option<Range<usize>> {
    let state = shared.lock();
    let must_wait = |state: &mut State<T>| {
        let next = state.back.keys().next().copied().unwrap_or(state.next);
        // Others may give back some of the last ones.
        let none_left = next == count && state.taken < count;
        !state.ended && (none_left || next >= state.taken + ahead * run)
    };
    let mut state =
        shared.room.wait_while(state, must_wait).unwrap_or_else(PoisonError::into_inner);
    if state.ended {
        return None;
    }
    if let Some((first, end)) = state.back.pop_first() {
        let to = end.min(first + run);
        if to < end {
            state.back.insert(to, end);
        }
        return Some(first..to);
    }
    let first = state.next;
    state.next = count.min(first + run);
    (first < count).then_some(first..state.next)
}

/// Leaves the results of the pieces from `first` on to be taken, and gives back what was not worked on.
fn give<T>(
    shared: &Shared<T>,
    first: usize,
    results: Vec<Result<T, ReadError>>,
    rest: Range<usize>,
) {
    let mut state = shared.lock();
    let place = first - state.taken;
    if state.done.len() < place + results.len() {
        state.done.resize_with(place + results.len(), || None);
    }
    for (at, result) in (place..).zip(results) {
        state.done[at] = Some(result);
    }
    if place == 0 {
        shared.told.notify_one();
    }
    if !rest.is_empty() {
        state.back.insert(rest.start, rest.end);
        shared.room.notify_all();
    }
}

/// Takes all results in order, until one is an error or `take` breaks.
fn take_all<T>(
    shared: &Shared<T>,
    count: usize,
    take: &mut impl FnMut(T) -> ControlFlow<()>,
) -> Result<(), ReadError> {
    let mut left = count;
    while left > 0 {
        let results = next(shared);
        // A thread panicked: the scope passes that on.
        if results.is_empty() {
            break;
        }
        left -= results.len();
        for result in results {
            if take(result?).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The next results, all that are there; none if there are to be none.
fn next<T>(shared: &Shared<T>) -> Vec<Result<T, ReadError>> {
    let state = shared.lock();
    let missing =
        |state: &mut State<T>| !state.ended && !matches!(state.done.front(), Some(Some(_)));
    let mut state = shared.told.wait_while(state, missing).unwrap_or_else(PoisonError::into_inner);
    let mut results = Vec::new();
    while let Some(result) = state.done.pop_front_if(|result| result.is_some()) {
        results.extend(result);
    }
    state.taken += results.len();
    shared.room.notify_all();
    results
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
                5_000,
                jobs,
                || (),
                work,
                |piece| {
                    taken.push(piece);
                    let far = RUN * (1 + jobs * AHEAD) * 2;
                    assert!(begun.load(Ordering::SeqCst) <= piece + far);
                    ControlFlow::Continue(())
                },
            )
            .unwrap();
            assert_eq!(taken, (0..5_000).collect::<Vec<_>>());
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
            assert!(begun.load(Ordering::SeqCst) < 2_000);
            assert!(ordered(1_000_000, jobs, || (), work, until(50)).is_err());
            assert!(begun.load(Ordering::SeqCst) < 4_000);
        }
    }

    #[test]
    fn what_takes_long_is_handed_over_at_once_and_not_begun_in_dozens() {
        for jobs in [2, 5] {
            let (begun, mut taken) = (AtomicUsize::new(0), 0);
            let work = |_: &mut (), piece: usize| {
                if piece >= 2_000 {
                    begun.fetch_add(1, Ordering::SeqCst);
                    let began = Instant::now();
                    while began.elapsed() < 2 * QUICK {
                        std::hint::spin_loop();
                    }
                }
                Ok(piece)
            };
            // As many as may wait, what each thread is at, and as many as the taker has in hand.
            let most = 2 * jobs * (AHEAD + 2);
            let take = |piece: usize| {
                taken = piece;
                assert!(begun.load(Ordering::SeqCst) <= (piece + 1).saturating_sub(2_000) + most);
                if piece == 2_100 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            ordered(100_000, jobs, || (), work, take).unwrap();
            assert_eq!(taken, 2_100);
            assert!(begun.load(Ordering::SeqCst) <= 101 + most);
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
