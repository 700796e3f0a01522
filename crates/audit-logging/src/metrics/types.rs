//! Events by type, counted on the writer's thread from what was encoded.
//!
//! What must stay true here: a caller pays nothing for being counted; memory is bounded whatever
//! types callers invent; no event goes uncounted.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::snapshot::TypeCount;

/// Places in the table; a power of two.
const SLOTS: usize = 256;
/// Types kept apart; the rest share [`OTHER`]. Three quarters of the table, so that a look is short.
const MAX_TYPES: usize = SLOTS / 4 * 3;
/// Name of the shared row. Not a type anybody can use.
pub(super) const OTHER: &str = "(other)";

/// What stands before the type in a body. Inside a string its first quote would be escaped, so it
/// is found at one place only: behind `service_id`.
const MARK: &[u8] = br#","event_type":""#;
/// No mark can begin before: `"audit_id":"…","timestamp":"…"` is that long.
const FIRST_MARK: usize = 100;

#[derive(Debug, Default)]
struct Pair {
    routine: AtomicU64,
    critical: AtomicU64,
}

impl Pair {
    fn add(&self, critical: bool) {
        let count = if critical { &self.critical } else { &self.routine };
        count.fetch_add(1, Ordering::Relaxed);
    }

    fn row(&self, event_type: &str) -> TypeCount {
        TypeCount {
            event_type: event_type.to_owned(),
            routine: self.routine.load(Ordering::Relaxed),
            critical: self.critical.load(Ordering::Relaxed),
        }
    }
}

#[derive(Debug, Default)]
struct Slot {
    event_type: OnceLock<Box<str>>,
    count: Pair,
}

/// The table.
#[derive(Debug)]
pub(super) struct Types {
    slots: Box<[Slot]>,
    used: AtomicUsize,
    other: Pair,
    /// Where the type stood in the last body: the same place as long as the service is the same.
    place: AtomicUsize,
}

impl Default for Types {
    fn default() -> Types {
        Types {
            slots: (0..SLOTS).map(|_| Slot::default()).collect(),
            used: AtomicUsize::new(0),
            other: Pair::default(),
            place: AtomicUsize::new(FIRST_MARK),
        }
    }
}

impl Types {
    /// Counts the event of this body.
    pub(super) fn count(&self, body: &[u8], critical: bool) {
        let slot = self.type_in(body).and_then(|event_type| self.slot(event_type));
        slot.map_or(&self.other, |slot| &slot.count).add(critical);
    }

    /// Rows that are not empty, by type.
    pub(super) fn rows(&self) -> Vec<TypeCount> {
        let known = self.slots.iter().filter_map(|slot| {
            let event_type = slot.event_type.get()?;
            Some(slot.count.row(event_type))
        });
        let mut rows: Vec<TypeCount> = known.chain([self.other.row(OTHER)]).collect();
        rows.retain(|row| row.routine + row.critical > 0);
        rows.sort_unstable_by(|a, b| a.event_type.cmp(&b.event_type));
        rows
    }

    fn type_in<'b>(&self, body: &'b [u8]) -> Option<&'b str> {
        let place = self.place.load(Ordering::Relaxed);
        let rest = match body.get(place..).and_then(|rest| rest.strip_prefix(MARK)) {
            Some(rest) => rest,
            None => {
                let from = FIRST_MARK.min(body.len());
                let at = from + body[from..].windows(MARK.len()).position(|w| w == MARK)?;
                self.place.store(at, Ordering::Relaxed);
                &body[at + MARK.len()..]
            }
        };
        let end = rest.iter().position(|byte| *byte == b'"')?;
        std::str::from_utf8(&rest[..end]).ok()
    }

    /// The place of a type; `None` when it has none and there are too many.
    fn slot(&self, event_type: &str) -> Option<&Slot> {
        let mut at = hash(event_type.as_bytes()) as usize;
        for _ in 0..SLOTS {
            let slot = self.slots.get(at % SLOTS)?;
            at = at.wrapping_add(1);
            let name = match slot.event_type.get() {
                Some(name) => name,
                None if self.used.load(Ordering::Relaxed) >= MAX_TYPES => return None,
                None => slot.event_type.get_or_init(|| {
                    self.used.fetch_add(1, Ordering::Relaxed);
                    event_type.into()
                }),
            };
            if **name == *event_type {
                return Some(slot);
            }
        }
        None
    }
}

/// Spreads types over the table. Whoever makes them collide gains a longer look, in a table of 256.
fn hash(bytes: &[u8]) -> u64 {
    const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
    let mixed = bytes.chunks(8).fold(bytes.len() as u64, |mixed, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        (mixed ^ u64::from_le_bytes(word)).wrapping_mul(MIX).rotate_left(29)
    });
    mixed.wrapping_mul(MIX) >> 32
}

#[cfg(test)]
mod tests {
    use audit_core::encode::{EncodePolicy, Encoder, Stamp};
    use audit_core::event::{ActorInfo, AuditEvent, AuthMethod};
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;

    fn body(service_id: &str, event: &AuditEvent) -> Vec<u8> {
        let stamp = Stamp { audit_id: Uuid::nil(), now: Timestamp::UNIX_EPOCH, service_id };
        Encoder::default().encode(&EncodePolicy::default(), &stamp, event).to_vec()
    }

    fn login(user: &str) -> AuditEvent {
        AuditEvent::AuthSuccess {
            timestamp: None,
            actor: ActorInfo::new(user, AuthMethod::Internal),
            method: AuthMethod::Internal,
            path: "/".to_owned(),
        }
    }

    fn row(event_type: &str, routine: u64, critical: u64) -> TypeCount {
        TypeCount { event_type: event_type.to_owned(), routine, critical }
    }

    #[test]
    fn the_type_is_found_whatever_the_service_is_called() {
        let types = Types::default();
        for service in ["x", "billing-api", r#"x","event_type":"forged.type"#, "Ünïcode\u{7}"] {
            types.count(&body(service, &login("eve")), false);
            types.count(&body(service, &login(r#"","event_type":"forged.type"#)), true);
        }
        assert_eq!(types.rows(), [row("auth.success", 4, 4)]);
    }

    #[test]
    fn rows_are_bounded_and_nothing_is_uncounted() {
        let types = Types::default();
        let mark = "x".repeat(FIRST_MARK);
        for n in 0..1_000 {
            let body = format!(r#"{mark},"event_type":"flood.type_{n}","result":"success""#);
            types.count(body.as_bytes(), false);
            types.count(body.as_bytes(), false);
        }
        types.count(b"no body", true);
        let rows = types.rows();
        assert_eq!(rows.len(), MAX_TYPES + 1);
        assert_eq!(rows[0], row(OTHER, (1_000 - MAX_TYPES as u64) * 2, 1));
        assert!(rows[1..].iter().all(|row| row.routine == 2));
    }
}
