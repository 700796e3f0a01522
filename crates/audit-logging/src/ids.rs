//! `audit_id`s: UUID version 7 (RFC 9562), made without a system call per event.
//!
//! What must stay true here: no id is ever given twice, also not after a restart or a clock set
//! back. Each thread draws 62 random bits from the operating system once and counts on from there;
//! the 12 bits after the milliseconds carry the sub-millisecond part (RFC 9562 section 6.2,
//! method 3), so ids of one thread sort by time.

use std::cell::Cell;

use jiff::Timestamp;
use uuid::{Builder, Uuid};

thread_local! {
    static COUNTER: Cell<Option<u64>> = const { Cell::new(None) };
}

/// A new id for an event emitted at `now`.
///
/// # Errors
/// The operating system gave no randomness for this thread's first id.
pub(crate) fn next(now: Timestamp) -> Result<Uuid, getrandom::Error> {
    // A thread whose locals are already gone (emit from a destructor) draws fresh bits instead.
    let counter = match COUNTER.try_with(|cell| -> Result<u64, getrandom::Error> {
        let count = match cell.get() {
            Some(count) => count.wrapping_add(1),
            None => random()?,
        };
        cell.set(Some(count));
        Ok(count)
    }) {
        Ok(count) => count?,
        Err(_) => random()?,
    };
    let nanos = crate::clock::nanos(now);
    let millis = nanos / 1_000_000;
    let fraction = (nanos % 1_000_000 * 4096 / 1_000_000) as u16;
    let mut tail = [0u8; 10];
    tail[..2].copy_from_slice(&fraction.to_be_bytes());
    tail[2..].copy_from_slice(&counter.to_be_bytes());
    Ok(Builder::from_unix_timestamp_millis(millis, &tail).into_uuid())
}

fn random() -> Result<u64, getrandom::Error> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)?;
    // The two top bits are overwritten by the UUID variant; clearing them keeps the count below.
    Ok(u64::from_be_bytes(bytes) >> 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_version_7_sorted_and_never_repeat() {
        let time = Timestamp::from_nanosecond(1_795_417_200_123_456_789).unwrap();
        let ids: Vec<Uuid> = (0..10_000).map(|_| next(time).unwrap()).collect();
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        let other: Vec<Uuid> = std::thread::spawn(move || {
            (0..10_000).map(|_| next(time).unwrap()).collect::<Vec<_>>()
        })
        .join()
        .unwrap();
        assert!(other.iter().all(|id| ids.binary_search(id).is_err()));
    }

    #[test]
    fn the_time_is_in_the_id() {
        let time = Timestamp::from_nanosecond(1_795_417_200_123_500_000).unwrap();
        let id = next(time).unwrap();
        let (secs, nanos) = id.get_timestamp().unwrap().to_unix();
        assert_eq!((secs, nanos), (1_795_417_200, 123_000_000));
        assert_eq!(u16::from_be_bytes([id.as_bytes()[6] & 15, id.as_bytes()[7]]), 2048);
    }
}
