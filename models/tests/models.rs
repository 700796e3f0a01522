//! Models of the ring: with `--cfg loom` under every schedule, with `--cfg shuttle` larger ones under
//! many random schedules. `cargo xtask model` runs both; an ordinary test run compiles nothing here.
//!
//! What must stay true here: a model is small enough to be gone through whole. Between them they have
//! two producers and a consumer, the seam, a full ring, the end, and falling asleep. The consumer of
//! a model is woken by what is modelled or deadlocks, which the checker reports.

#![cfg(any(loom, shuttle))]
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod ring;

#[cfg(loom)]
mod whole {
    use std::sync::Arc;

    use loom::sync::atomic::{AtomicBool, Ordering};
    use loom::thread;

    use super::ring::Model;
    use super::ring::cells::Refusal;

    /// Three records of one cell fit and a fourth does not.
    const CELLS: u64 = 4;

    /// Both producers, and nothing but the sleep: the consumer does not yield here, as loom 0.7 loses
    /// the wake-up of a thread that yields.
    #[test]
    fn of_two_producers_one_wakes_the_consumer() {
        loom::model(|| {
            let ring = Model::new(CELLS);
            let producers: Vec<_> = [b"a", b"b"]
                .into_iter()
                .map(|body| {
                    let ring = Arc::clone(&ring);
                    thread::spawn(move || ring.push(body).unwrap())
                })
                .collect();
            while ring.cells.tail() < 2 {
                ring.doze.sleep(2, None, || ring.cells.tail() >= 2);
            }
            for producer in producers {
                producer.join().unwrap();
            }
            let mut at = 0;
            let mut seen = [ring.next(&mut at), ring.next(&mut at)];
            seen.sort();
            assert_eq!(seen, [b"a".to_vec(), b"b".to_vec()]);
        });
    }

    #[test]
    fn two_producers_and_a_consumer_that_looks() {
        loom::model(|| {
            let ring = Model::new(CELLS);
            let producers: Vec<_> = [b"a", b"b"]
                .into_iter()
                .map(|body| {
                    let ring = Arc::clone(&ring);
                    thread::spawn(move || ring.push(body).unwrap())
                })
                .collect();
            let (mut at, mut seen) = (0, Vec::new());
            while seen.len() < 2 {
                if ring.cells.tail() == at {
                    thread::yield_now();
                } else {
                    seen.push(ring.next(&mut at));
                }
            }
            seen.sort();
            assert_eq!(seen, [b"a".to_vec(), b"b".to_vec()]);
            let mut ends: Vec<_> = producers.into_iter().map(|p| p.join().unwrap()).collect();
            ends.sort_unstable();
            assert_eq!(ends, [1, 2]);
        });
    }

    #[test]
    fn the_seam_is_crossed_and_an_older_lap_is_never_taken_for_a_record() {
        loom::model(|| {
            let ring = Model::new(CELLS);
            let mut at = 0;
            for body in [b"1", b"2", b"3"] {
                ring.push(body).unwrap();
                ring.next(&mut at);
            }
            ring.cells.release(at, 0);
            let producer = {
                let ring = Arc::clone(&ring);
                // Two cells: the last one of the ring and the first.
                thread::spawn(move || ring.push(&[9; 60]).unwrap())
            };
            assert_eq!(ring.next(&mut at), [9; 60]);
            assert_eq!((at, producer.join().unwrap()), (5, 5));
        });
    }

    #[test]
    fn room_is_reused_only_after_it_was_released() {
        loom::model(|| {
            let ring = Model::new(CELLS);
            for body in [b"1", b"2", b"3", b"4"] {
                ring.push(body).unwrap();
            }
            let producer = {
                let ring = Arc::clone(&ring);
                thread::spawn(move || {
                    loop {
                        match ring.push(b"5") {
                            Err(Refusal::Full) => thread::yield_now(),
                            pushed => return pushed.unwrap(),
                        }
                    }
                })
            };
            let mut at = 0;
            assert_eq!(ring.next(&mut at), b"1");
            ring.cells.release(at, 0);
            for body in [b"2", b"3", b"4", b"5"] {
                assert_eq!(ring.next(&mut at), body);
            }
            assert_eq!(producer.join().unwrap(), 5);
        });
    }

    /// As `Ring::close` does it, while the writer has never slept before and sleeps without a limit.
    #[test]
    fn the_end_reaches_a_consumer_in_its_first_sleep() {
        loom::model(|| {
            let ring = Model::new(CELLS);
            let consumer = {
                let ring = Arc::clone(&ring);
                thread::spawn(move || {
                    while !ring.cells.is_closed() {
                        ring.doze.sleep(1, None, || ring.cells.is_closed());
                    }
                })
            };
            ring.cells.close();
            ring.doze.shake();
            consumer.join().unwrap();
        });
    }

    #[test]
    fn after_the_end_nothing_is_accepted_and_everything_accepted_is_read() {
        loom::model(|| {
            let ring = Model::new(CELLS);
            let refused = Arc::new(AtomicBool::new(false));
            let producer = {
                let (ring, refused) = (Arc::clone(&ring), Arc::clone(&refused));
                thread::spawn(move || {
                    if ring.push(b"x") == Err(Refusal::Closed) {
                        refused.store(true, Ordering::SeqCst);
                    }
                })
            };
            ring.cells.close();
            let end = ring.cells.tail();
            let mut at = 0;
            while at < end {
                assert_eq!(ring.next(&mut at), b"x");
            }
            producer.join().unwrap();
            assert_eq!(ring.cells.tail(), end, "the tail stays where it was closed");
            assert_eq!(refused.load(Ordering::SeqCst), end == 0);
        });
    }

    /// As the writer holds the ring to give it another file.
    #[test]
    fn what_was_reserved_before_a_hold_is_whole_in_it_and_the_rest_comes_after() {
        loom::model(|| {
            let ring = Model::new(CELLS);
            let producer = {
                let ring = Arc::clone(&ring);
                thread::spawn(move || {
                    loop {
                        match ring.push(b"x") {
                            Err(Refusal::Closed) => thread::yield_now(),
                            pushed => return pushed.unwrap(),
                        }
                    }
                })
            };
            ring.cells.close();
            let end = ring.cells.tail();
            let mut at = 0;
            while at < end {
                assert_eq!(ring.next(&mut at), b"x");
            }
            assert_eq!(ring.cells.tail(), end, "nobody gets room");
            ring.cells.open_again();
            if end == 0 {
                assert_eq!(ring.next(&mut at), b"x");
            }
            assert_eq!(producer.join().unwrap(), at);
        });
    }

    #[test]
    fn a_call_reaches_a_consumer_that_falls_asleep() {
        loom::model(|| {
            let ring = Model::new(CELLS);
            let asked = Arc::new(AtomicBool::new(false));
            let caller = {
                let (ring, asked) = (Arc::clone(&ring), Arc::clone(&asked));
                thread::spawn(move || {
                    asked.store(true, Ordering::Release);
                    ring.doze.call();
                })
            };
            while !asked.load(Ordering::Acquire) {
                ring.doze.sleep(1, None, || asked.load(Ordering::Acquire));
            }
            caller.join().unwrap();
        });
    }
}

#[cfg(shuttle)]
mod random {
    use shuttle::thread;

    use super::ring::Model;
    use super::ring::cells::Refusal;

    const SCHEDULES: usize = 20_000;

    #[test]
    fn four_producers_go_round_a_small_ring_many_times() {
        shuttle::check_random(
            || {
                const EACH: u8 = 12;
                let ring = Model::new(8);
                let producers: Vec<_> = (0..4u8)
                    .map(|producer| {
                        let ring = ring.clone();
                        thread::spawn(move || {
                            for n in 0..EACH {
                                let body = vec![producer * EACH + n; 1 + usize::from(n) * 9];
                                while ring.push(&body) == Err(Refusal::Full) {
                                    thread::yield_now();
                                }
                            }
                        })
                    })
                    .collect();
                let (mut at, mut seen) = (0, [0u8; 4]);
                while seen.iter().any(|count| *count < EACH) {
                    let body = ring.next(&mut at);
                    let producer = usize::from(body[0] / EACH);
                    assert!(body.iter().all(|byte| *byte == body[0]));
                    assert_eq!(body[0] % EACH, seen[producer], "in its producer's order");
                    assert_eq!(body.len(), 1 + usize::from(seen[producer]) * 9);
                    seen[producer] += 1;
                    ring.cells.release(at, 0);
                }
                for producer in producers {
                    producer.join().unwrap();
                }
            },
            SCHEDULES,
        );
    }
}
