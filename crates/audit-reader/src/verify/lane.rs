//! The order of what threads that share a segment have to say.
//!
//! What must stay true here: messages leave in the order of their tickets. Only one that is full, or
//! the last, is worth waiting for: whoever is ahead of its turn by gigabytes of honest entries has next
//! to nothing to say. Whoever has the lowest ticket never waits for another, and nobody for one who has
//! panicked.

use std::collections::BTreeMap;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Condvar, Mutex, PoisonError};

use super::pool::{Reading, Sent, lock};
use super::segment::Message;

/// Pieces that may wait for one before them.
const AHEAD: usize = 32;

/// Threads that share a segment.
#[derive(Default)]
pub(super) struct Lane {
    pub(super) at: Mutex<At>,
    out: Mutex<Out>,
    /// The turn went on.
    turned: Condvar,
}

/// Where the reading is.
#[derive(Default)]
pub(super) struct At {
    pub(super) reading: Option<(Reading, SyncSender<Sent>)>,
    /// The number of the next piece.
    pub(super) ticket: u64,
    pub(super) done: bool,
}

#[derive(Default)]
struct Out {
    /// Whose turn it is.
    turn: u64,
    waiting: BTreeMap<u64, (SyncSender<Sent>, Sent)>,
    /// Told by nobody yet, as nobody had time to listen.
    held: Option<Message>,
    /// Nobody listens any more.
    stop: bool,
}

impl Lane {
    /// Hands on the last message of a piece; gives whether anybody listens.
    pub(super) fn deliver(&self, ticket: u64, tell: SyncSender<Sent>, message: Sent) -> bool {
        let mut out = lock(&self.out);
        while out.turn != ticket && out.waiting.len() >= AHEAD && !out.stop {
            out = self.turned.wait(out).unwrap_or_else(PoisonError::into_inner);
        }
        if out.stop {
            return false;
        }
        out.waiting.insert(ticket, (tell, message));
        let turn = out.turn;
        while let Some((tell, message)) = {
            let turn = out.turn;
            out.waiting.remove(&turn)
        } {
            out.turn += 1;
            out.send(&tell, message);
        }
        // Who waits for its turn has to hear as well that nobody listens any more.
        if out.turn != turn || out.stop {
            self.turned.notify_all();
        }
        !out.stop
    }

    /// Ends the lane: whoever waits in it waits for nothing any more.
    pub(super) fn stop(&self) {
        // First what others wait for to be said or to end: who reads may wait for them, and hold `at`.
        {
            let mut out = lock(&self.out);
            out.stop = true;
            out.waiting.clear();
            self.turned.notify_all();
        }
        let reading = {
            let mut at = lock(&self.at);
            at.done = true;
            at.reading.take()
        };
        drop(reading);
    }

    /// Hands on a full message of a piece that goes on, when it is its turn.
    pub(super) fn interject(&self, ticket: u64, tell: &SyncSender<Sent>, message: Message) -> bool {
        let mut out = lock(&self.out);
        while out.turn != ticket && !out.stop {
            out = self.turned.wait(out).unwrap_or_else(PoisonError::into_inner);
        }
        out.send(tell, Ok(message));
        if out.stop {
            self.turned.notify_all();
        }
        !out.stop
    }
}

impl Out {
    fn send(&mut self, tell: &SyncSender<Sent>, message: Sent) {
        let message = match (message, self.held.take()) {
            (Ok(message), Some(mut held)) => {
                held.append(message);
                Ok(held)
            }
            (message, _) => message,
        };
        match message {
            Ok(message) if !message.is_full() && message.end.is_none() => {
                match tell.try_send(Ok(message)) {
                    Ok(()) => {}
                    Err(TrySendError::Full(unheard)) => self.held = unheard.ok(),
                    Err(TrySendError::Disconnected(_)) => self.stop = true,
                }
            }
            message => self.stop |= tell.send(message).is_err(),
        }
    }
}
