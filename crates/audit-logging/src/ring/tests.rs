//! What the ring promises, seen from both ends, and what a dead one gives back.

use super::*;

const NOW: Duration = Duration::ZERO;

fn identity() -> Identity {
    Identity { ring_id: 7, trail_id: 8, boot_id: 9, pid: 10, started: 11 }
}

fn ring_with(bytes: usize, reserve_percent: u8) -> (Ring, RingMemory) {
    let options = Options { bytes, reserve_percent, critical_is_urgent: false };
    let memory = RingMemory::plain(options.cells());
    (Ring::new(memory.clone(), identity(), 0x1234_5678_9abc_def0, 0, options), memory)
}

fn small() -> (Ring, RingMemory) {
    ring_with(1 << 19, 0)
}

/// Everything that was accepted, released at once.
fn drain(ring: &Ring, from: &mut Position) -> Vec<(bool, Vec<u8>)> {
    let mut records = Vec::new();
    let mut body = Vec::new();
    while *from < ring.tail() {
        let Look::Record(record) = ring.read(*from, &mut body) else { panic!("not a record") };
        records.push((record.critical, body.clone()));
        *from = record.end;
    }
    ring.release(*from, records.len() as u64);
    records
}

#[test]
fn records_come_out_once_and_in_order() {
    let (ring, _) = small();
    let mut at = 0;
    ring.push(false, 5, b"one", NOW).unwrap();
    let end = ring.push(true, 6, b"", NOW).unwrap();
    assert_eq!(end, ring.tail());
    assert_eq!(drain(&ring, &mut at), [(false, b"one".to_vec()), (true, Vec::new())]);
    assert_eq!(drain(&ring, &mut at), []);
    assert!(ring.is_drained());
}

#[test]
fn bodies_of_every_length_pass_the_seam() {
    let (ring, _) = small();
    let mut at = 0;
    let mut next = 0x9e37_79b9_u64;
    for round in 0..3_000usize {
        next = next.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let len = if round % 7 == 0 { (next >> 33) as usize % 40_000 } else { round % 600 };
        let body: Vec<u8> = (0..len).map(|i| (i as u64 ^ next) as u8).collect();
        ring.push(round % 2 == 0, round as u64, &body, NOW).unwrap();
        assert_eq!(drain(&ring, &mut at), [(round % 2 == 0, body)]);
    }
    assert!(at > 4 * MIN_CELLS, "the ring was gone round several times");
}

#[test]
fn room_is_free_only_after_release_and_a_share_is_for_critical_records() {
    let (ring, _) = ring_with(1 << 19, 25);
    let body = [0u8; 1000];
    let count = |critical| {
        std::iter::repeat_with(|| ring.push(critical, 0, &body, NOW))
            .take_while(Result::is_ok)
            .count()
    };
    let routine = count(false);
    let critical = count(true);
    assert_eq!(ring.push(true, 0, &body, NOW), Err(Refusal::Full));
    assert_eq!(routine, 6144 / 16);
    assert_eq!(critical, 2048 / 16);
    let mut at = 0;
    let mut out = Vec::new();
    assert!(matches!(ring.read(0, &mut out), Look::Record(_)));
    assert_eq!(ring.push(true, 0, &body, NOW), Err(Refusal::Full), "read is not released");
    assert_eq!(drain(&ring, &mut at).len(), routine + critical);
    assert!(ring.push(false, 0, &body, NOW).is_ok());
}

#[test]
fn closing_refuses_new_records_and_hands_over_the_old() {
    let (ring, _) = small();
    ring.push(false, 0, b"last", NOW).unwrap();
    assert_eq!(ring.while_open(|| "noted"), Some("noted"));
    ring.close();
    assert_eq!(ring.push(false, 0, b"late", NOW), Err(Refusal::Closed));
    assert_eq!(ring.push(false, 0, b"late", Duration::MAX), Err(Refusal::Closed));
    assert!(ring.wait(WaitFor { read: 0, durable: 0, records: 1, timeout: None }).closed);
    assert_eq!(drain(&ring, &mut 0).len(), 1);
    assert_eq!(ring.while_open(|| "noted"), None);
}

#[test]
fn a_ring_that_is_held_is_waited_for_and_one_that_is_closed_meanwhile_is_not() {
    for closes in [false, true] {
        let (ring, _) = small();
        ring.hold();
        assert!(!ring.is_closed());
        let pushed = std::thread::scope(|scope| {
            let producer = scope.spawn(|| ring.push(false, 0, b"meanwhile", NOW));
            while !ring.is_waited_for() {
                std::thread::yield_now();
            }
            assert_eq!(ring.while_open(|| "noted"), Some("noted"));
            if closes {
                ring.close();
            }
            ring.go_on();
            producer.join().unwrap()
        });
        assert_eq!(ring.is_closed(), closes);
        if closes {
            assert_eq!(pushed, Err(Refusal::Closed));
            // It may get another file all the same, and stays closed.
            ring.hold();
            ring.go_on();
            assert_eq!(ring.push(false, 0, b"late", NOW), Err(Refusal::Closed));
        } else {
            assert_eq!(drain(&ring, &mut 0), [(false, b"meanwhile".to_vec())]);
        }
    }
}

#[test]
fn a_producer_that_commits_after_the_writer_gave_up_is_not_told_that_its_record_was_taken() {
    let (ring, memory) = small();
    let body = b"in the middle";
    let room = ring.cells.reserve(body.len(), ring.capacity).unwrap();
    ring.abandon();
    // Whoever reads the ring now finds a hole.
    let dead = salvage::salvage(&memory.snapshot(), true).unwrap();
    assert_eq!((dead.records.len(), dead.hole_cells), (0, 1));
    let told = ring.commit(room, false, 0, body, crc32c::crc32c(body));
    assert_eq!(told, Err(Refusal::Closed));
}

#[test]
fn a_record_that_was_just_in_time_when_the_writer_gave_up_is_refused_and_salvaged_once() {
    let (ring, memory) = small();
    let body = b"just in time";
    let crc = crc32c::crc32c(body);
    let room = ring.cells.reserve(body.len(), ring.capacity).unwrap();
    // The first half of the commit, and the second when nobody will read the ring in this process.
    ring.cells.fill(room, false, 0, body, crc);
    ring.abandon();
    assert_eq!(ring.commit(room, false, 0, body, crc), Err(Refusal::Closed));
    let dead = salvage::salvage(&memory.snapshot(), true).unwrap();
    let bodies: Vec<_> = dead.records.iter().map(|record| record.body.as_slice()).collect();
    assert_eq!((bodies, dead.hole_cells), (vec![&body[..]], 0));
}

#[test]
fn what_hurries_the_writer_is_told() {
    let (ring, _) = ring_with(1 << 19, 0);
    assert!(!ring.is_hurried(0, 0));
    let end = ring.push(false, 0, b"routine", NOW).unwrap();
    assert!(!ring.is_hurried(0, 0));
    ring.request_flush(end);
    assert!(ring.is_hurried(0, 0) && !ring.is_hurried(0, end));
    let body = vec![1; 60_000];
    while ring.push(false, 0, &body, NOW).is_ok() {}
    assert!(ring.is_hurried(end, end), "a full ring");
    let (ring, _) = small();
    ring.close();
    assert!(ring.is_hurried(0, 0), "the end");
}

#[test]
fn a_waiting_producer_gets_the_room_that_is_released_or_is_refused_at_the_end() {
    for patience in [Duration::from_secs(60), Duration::MAX] {
        let (ring, _) = small();
        let body = vec![1; 60_000];
        while ring.push(false, 0, &body, NOW).is_ok() {}
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| ring.push(false, 0, &body, patience));
            while !ring.is_waited_for() {
                std::thread::yield_now();
            }
            assert!(ring.is_pressed());
            drain(&ring, &mut 0);
            assert!(waiter.join().unwrap().is_ok());
        });
        while ring.push(false, 0, &body, NOW).is_ok() {}
        assert_eq!(ring.push(false, 0, &body, Duration::from_millis(1)), Err(Refusal::Full));
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| ring.push(false, 0, &body, patience));
            while !ring.is_waited_for() {
                std::thread::yield_now();
            }
            ring.close();
            assert_eq!(waiter.join().unwrap(), Err(Refusal::Closed));
        });
    }
}

#[test]
fn the_sleeping_writer_is_woken_by_what_is_worth_it() {
    let options = Options { bytes: 1 << 19, reserve_percent: 0, critical_is_urgent: true };
    let ring = Ring::new(RingMemory::plain(options.cells()), identity(), 3, 0, options);
    let wait = |records| WaitFor { read: ring.tail(), durable: 0, records, timeout: None };
    type Bring = fn(&Ring);
    let cases: [(u64, Bring); 5] = [
        (1, |ring| _ = ring.push(false, 0, b"", NOW).unwrap()),
        (1_000_000, |ring| _ = ring.push(true, 0, b"urgent", NOW).unwrap()),
        (1_000_000, |ring| ring.request_flush(ring.tail())),
        (1_000_000, Ring::kick),
        (3, |ring| (0..3).for_each(|_| _ = ring.push(false, 0, &[0; 180], NOW).unwrap())),
    ];
    for (records, bring) in cases {
        let what = wait(records);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| ring.wait(what));
            bring(&ring);
            writer.join().unwrap();
        });
    }
    let what = WaitFor { timeout: Some(Duration::from_millis(1)), durable: u64::MAX, ..wait(9) };
    assert!(!ring.wait(what).closed, "the time is over");
}

#[test]
fn two_producers_and_a_writer_lose_repeat_and_reorder_nothing() {
    const EACH: u64 = 200_000;
    let (ring, _) = ring_with(1 << 19, 12);
    let mut seen = [0u64; 2];
    std::thread::scope(|scope| {
        for producer in 0..2u64 {
            let ring = &ring;
            scope.spawn(move || {
                for n in 0..EACH {
                    let mut body = [0; 40];
                    body[..8].copy_from_slice(&producer.to_le_bytes());
                    body[8..16].copy_from_slice(&n.to_le_bytes());
                    let len = 16 + (n % 24) as usize;
                    ring.push(n % 10 == 0, n, &body[..len], Duration::MAX).unwrap();
                }
            });
        }
        let (mut at, mut body) = (0, Vec::new());
        while seen != [EACH; 2] {
            ring.wait(WaitFor { read: at, durable: at, records: 1, timeout: None });
            let end = ring.tail();
            while at < end {
                let Look::Record(record) = ring.read_patiently(at, &mut body) else {
                    panic!("no record at {at}")
                };
                let word = |at: usize| u64::from_le_bytes(body[at..at + 8].try_into().unwrap());
                let (producer, n) = (word(0) as usize, word(8));
                assert_eq!((n, record.time), (seen[producer], n));
                seen[producer] += 1;
                at = record.end;
            }
            ring.release(at, 0);
        }
    });
}

#[test]
fn a_dead_ring_gives_back_what_was_not_released_behind_holes_too() {
    let (ring, memory) = small();
    let mut at = 0;
    for n in 0..5_000u32 {
        ring.push(false, 0, &[n as u8; 300], NOW).unwrap();
        drain(&ring, &mut at);
    }
    ring.release(at, 4_321);
    ring.push(false, 1, b"first", NOW).unwrap();
    // A producer that was killed between its reservation and its commit.
    ring.cells.reserve(500, u64::MAX).unwrap();
    ring.push(true, 2, &[7; 30_000], NOW).unwrap();
    let dead = salvage::salvage(&memory.snapshot(), true).unwrap();
    assert_eq!(dead.identity, identity());
    assert_eq!(dead.next_seq, 4_321);
    assert_eq!(dead.hole_cells, layout::cells_for(500));
    let found: Vec<_> = dead.records.iter().map(|r| (r.critical, r.time, r.body.len())).collect();
    assert_eq!(found, [(false, 1, 5), (true, 2, 30_000)]);
    assert_eq!(dead.records[0].body, b"first");
}

#[test]
fn the_last_record_before_the_head_is_there_whole_or_named() {
    let (ring, memory) = small();
    for body in [b"one", b"two"] {
        ring.push(false, 0, body, NOW).unwrap();
    }
    drain(&ring, &mut 0);
    ring.push(false, 0, b"six", NOW).unwrap();
    let good = memory.snapshot();
    let read = |change: &dyn Fn(&mut [u8])| {
        let mut bytes = good.clone();
        change(&mut bytes);
        let dead = salvage::salvage(&bytes, true).unwrap();
        (dead.before, dead.before_broken)
    };
    let two = layout::HEADER_WORDS * WORD + CELL_BYTES;
    assert_eq!(read(&|_| {}), (Some(b"two".to_vec()), false));
    assert_eq!(read(&|ring| ring[two + 24] ^= 1), (None, true));
    // Nothing is before it.
    assert_eq!(read(&|ring| ring[layout::HEAD * WORD] = 0), (None, false));
}

#[test]
fn a_producer_that_stands_still_is_waited_for_as_long_as_was_said() {
    let (ring, _) = small();
    let body = b"slow";
    let room = ring.cells.reserve(body.len(), ring.capacity).unwrap();
    let (mut sleeps, mut read) = (3, Vec::new());
    assert_eq!(ring.read_within(0, &mut read, &mut sleeps), Look::Uncommitted);
    assert_eq!(sleeps, 0);
    ring.cells.fill(room, false, 0, body, crc32c::crc32c(body));
    assert!(matches!(ring.read_within(0, &mut read, &mut sleeps), Look::Record(_)));
}

#[test]
fn no_changed_byte_gives_a_record_that_was_not_accepted() {
    let (ring, memory) = small();
    let mut at = 0;
    // A second lap, so that the cells hold an older one.
    while at < MIN_CELLS {
        ring.push(false, 0, b"older", NOW).unwrap();
        drain(&ring, &mut at);
    }
    let bodies = [b"alpha".to_vec(), vec![0; 200], b"omega".to_vec()];
    for body in &bodies {
        ring.push(false, 0, body, NOW).unwrap();
    }
    let mut bytes = memory.snapshot();
    let first = layout::HEADER_WORDS * WORD + (at % MIN_CELLS) as usize * CELL_BYTES;
    let header = 0..layout::CONSTANT_WORDS * WORD;
    for offset in header.chain(first..first + 6 * CELL_BYTES) {
        // Read where it stands: a copy of the ring for each bit takes minutes.
        for bit in [0, 3, 7] {
            bytes[offset] ^= 1 << bit;
            let dead = salvage::salvage(&bytes, true);
            bytes[offset] ^= 1 << bit;
            for record in dead.map(|dead| dead.records).unwrap_or_default() {
                assert!(bodies.contains(&record.body), "byte {offset}, bit {bit}");
            }
        }
    }
}

#[test]
fn what_was_accepted_and_is_not_whole_is_counted() {
    let (ring, memory) = small();
    let mut at = 0;
    // A second lap, so that the cells hold an older one.
    while at < MIN_CELLS {
        ring.push(false, 0, b"older", NOW).unwrap();
        drain(&ring, &mut at);
    }
    for body in [b"one", b"two", b"six"] {
        ring.push(false, 0, body, NOW).unwrap();
    }
    let good = memory.snapshot();
    let (head, tail) = (layout::HEAD * WORD, layout::TAIL * WORD);
    let two = layout::HEADER_WORDS * WORD + (at % MIN_CELLS + 1) as usize * CELL_BYTES;
    let read = |change: &dyn Fn(&mut [u8])| {
        let mut bytes = good.clone();
        change(&mut bytes);
        let dead = salvage::salvage(&bytes, true).unwrap();
        let bodies: Vec<_> = dead.records.into_iter().map(|record| record.body).collect();
        (bodies, dead.overwritten, dead.hole_cells, dead.bad_header, dead.beyond_tail)
    };
    let (whole, less) = ([b"one", b"two", b"six"].map(Vec::from), [b"one", b"six"].map(Vec::from));
    assert_eq!(read(&|_| {}), (whole.to_vec(), 0, 0, false, false));
    // A byte of the body; the length; the commit word.
    assert_eq!(read(&|ring| ring[two + 24] ^= 1), (less.to_vec(), 1, 1, false, false));
    assert_eq!(read(&|ring| ring[two + 9] ^= 0x7f), (less.to_vec(), 1, 1, false, false));
    assert_eq!(read(&|ring| ring[two] ^= 1), (less.to_vec(), 0, 1, false, false));
    // The tail back at the head.
    let behind = read(&|ring| ring.copy_within(head..head + WORD, tail));
    assert_eq!(behind, (whole.to_vec(), 0, 0, false, true));
    // A head that no ring has: everything of the last lap comes back, for the trail to compare.
    let (bodies, .., bad_header, _) = read(&|ring| ring[head + 5] = 1);
    assert!(bad_header && bodies.ends_with(&whole), "{}", bodies.len());
    assert!(bodies.len() as u64 > MIN_CELLS - 3);
}

#[test]
fn records_made_by_hand_give_no_more_than_the_file_holds() {
    const LEN: usize = 32 << 10;
    let (_, memory) = small();
    let words = memory.words();
    let salt = words[4].load(Ordering::Relaxed);
    // Each cell begins a record over those behind it, all of one lap or each of its own.
    for laps in [0, MIN_CELLS] {
        for cell in (0..MIN_CELLS - layout::cells_for(LEN)).rev() {
            let first = layout::HEADER_WORDS + cell as usize * CELL_WORDS;
            let body: Vec<u8> = words[first + layout::FRAME_WORDS..][..LEN / WORD]
                .iter()
                .flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes())
                .collect();
            let position = cell + cell * laps;
            let seal = layout::seal_word(position, 0, false, LEN, crc32c::crc32c(&body));
            words[first].store(position ^ salt, Ordering::Relaxed);
            words[first + 1].store(seal, Ordering::Relaxed);
            words[first + 2].store(0, Ordering::Relaxed);
        }
        let bytes = memory.snapshot();
        let dead = salvage::salvage(&bytes, true).unwrap();
        let held: usize = dead.records.iter().map(|record| record.body.len()).sum();
        assert!(!dead.records.is_empty() && held <= bytes.len(), "{held} of {}", bytes.len());
    }
}

#[test]
fn bytes_that_are_no_ring_say_what_is_wrong() {
    use layout::NotARing::{NotOurs, OtherVersion, TooShort, WrongLength};
    let good = small().1.snapshot();
    let check = |bytes: &[u8]| salvage::salvage(bytes, true).map(|dead| dead.records.len());
    assert_eq!(check(&good), Ok(0));
    assert_eq!(check(&[]), Err(TooShort));
    assert_eq!(check(&good[..4_000]), Err(TooShort));
    assert_eq!(check(&good[..good.len() - 1]), Err(WrongLength));
    assert_eq!(check(&good[..8_192]), Err(WrongLength));
    assert_eq!(check(&vec![0; good.len()]), Err(NotOurs));
    assert_eq!(check(&vec![0xa5; good.len()]), Err(NotOurs));
    let mut newer = good.clone();
    newer[WORD] = 2;
    let sum = newer[..12 * WORD].chunks(WORD).fold(0, crc32c::crc32c_append);
    newer[12 * WORD..12 * WORD + 4].copy_from_slice(&sum.to_le_bytes());
    assert_eq!(check(&newer), Err(OtherVersion(2)));
}

#[test]
fn overwritten_memory_is_noticed_and_not_written_into_the_trail() {
    let (ring, memory) = small();
    ring.push(false, 0, b"an event", NOW).unwrap();
    let body = layout::HEADER_WORDS + layout::FRAME_WORDS;
    memory.words()[body].store(0, Ordering::Relaxed);
    assert_eq!(ring.read(0, &mut Vec::new()), Look::Overwritten);
}
