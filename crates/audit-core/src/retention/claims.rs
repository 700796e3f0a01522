//! What entries claim about the trail, and which of it an opening made void (FORMAT section 9).
//!
//! What must stay true here: a claim is void when an `audit.recovered` behind it says that fewer entries
//! than up to the claim were signed when it was written; one that is void itself makes nothing void. So
//! whoever puts entries behind a trail that is not open gains nothing and takes nothing away by them.

use serde::Deserialize;

/// So many recoveries are kept in mind; behind more, it is not known which claims are void. An honest trail
/// has at most one for each crash that came between a claim and its checkpoint.
const MOST: usize = 100_000;
/// So many bytes of claims are kept in mind, where whoever asks says how many a claim takes.
const MOST_BYTES: usize = 4 << 20;

/// Claims in the order of a trail.
#[derive(Debug, Clone)]
pub struct Claims<T> {
    said: Vec<(u64, Said<T>)>,
    /// The highest `seq` among these.
    highest: Option<u64>,
    recoveries: usize,
    bytes: usize,
}

#[derive(Debug, Clone)]
enum Said<T> {
    Claim(T),
    /// So many entries were signed when it was written.
    Recovered(u64),
}

impl<T> Default for Claims<T> {
    fn default() -> Claims<T> {
        Claims { said: Vec::new(), highest: None, recoveries: 0, bytes: 0 }
    }
}

impl<T> Claims<T> {
    /// The entry `seq` claims something.
    pub fn claim(&mut self, seq: u64, what: T) {
        self.push(seq, Said::Claim(what));
    }

    /// The entry `seq` claims something that takes so many bytes.
    pub fn claim_of(&mut self, seq: u64, what: T, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes <= MOST_BYTES {
            self.claim(seq, what);
        }
    }

    /// As [`Claims::claim_of`], unless another claim stands since the last recovery: a recovery makes void all
    /// that is behind a place, so of two claims with none between them the first outlives the second. For
    /// who asks whether any claim counts, or which is the first.
    pub fn claim_first(&mut self, seq: u64, what: T, bytes: usize) {
        if !matches!(self.said.last(), Some((_, Said::Claim(_)))) {
            self.claim_of(seq, what, bytes);
        }
    }

    /// The entry `seq` is an `audit.recovered` with these `details`.
    pub fn recovered(&mut self, seq: u64, details: &str) {
        let Some(signed) = signed_at(details).filter(|signed| *signed <= seq) else { return };
        // One that makes nothing void changes nothing, nor does one that says what the one right before
        // it said: whatever makes the one void and not the other, nothing stands between them.
        match self.said.last() {
            Some((_, Said::Recovered(before))) if *before == signed => return,
            _ if self.highest.is_none_or(|highest| highest < signed) => return,
            _ => {}
        }
        self.recoveries += 1;
        if self.recoveries <= MOST {
            self.push(seq, Said::Recovered(signed));
        }
    }

    fn push(&mut self, seq: u64, said: Said<T>) {
        self.highest = self.highest.max(Some(seq));
        self.said.push((seq, said));
    }

    /// Whether it is known which claims count: not where there was more than is kept in mind.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.recoveries <= MOST && self.bytes <= MOST_BYTES
    }

    /// The claims that count, in order; none where that is not known.
    pub fn in_force(self) -> impl Iterator<Item = (u64, T)> {
        let is_known = self.is_known();
        self.counting().into_iter().filter(move |_| is_known)
    }

    fn counting(self) -> Vec<(u64, T)> {
        // From the end on, so that whatever makes something void is known not to be void itself.
        let mut void_from = u64::MAX;
        let mut counts = Vec::new();
        for (seq, said) in self.said.into_iter().rev() {
            match said {
                _ if seq >= void_from => {}
                Said::Recovered(signed) => void_from = signed,
                Said::Claim(what) => counts.push((seq, what)),
            }
        }
        counts.reverse();
        counts
    }
}

/// How many entries were signed when an `audit.recovered` was written; `None` where it does not say.
fn signed_at(details: &str) -> Option<u64> {
    #[derive(Deserialize)]
    struct Recovered {
        signed: Option<u64>,
    }
    serde_json::from_str::<Recovered>(details).ok()?.signed
}
