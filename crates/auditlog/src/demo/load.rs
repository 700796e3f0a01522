//! Several clients at once, until the service dies under them.
//!
//! What must stay true here: an action counts as answered only when its whole answer arrived, and
//! every answer that arrived is counted, also those that came while the service was being killed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::DemoError;
use super::http::Client;

const CLIENTS: u64 = 4;
const PATIENCE: Duration = Duration::from_secs(60);

/// Clients at work: each deletes customers, one after the other, as fast as it is answered.
#[derive(Debug)]
pub(super) struct Load {
    asked: Arc<AtomicU64>,
    answered: Receiver<String>,
    clients: Vec<JoinHandle<()>>,
    ids: Vec<String>,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Outcome {
    /// `audit_id` of every action that was answered as done and durable.
    pub(super) durable: Vec<String>,
    /// Requests whose answer never came.
    pub(super) unanswered: u64,
}

impl Load {
    pub(super) fn start(address: SocketAddr, token: &str) -> Result<Load, DemoError> {
        let asked = Arc::new(AtomicU64::new(0));
        let (sender, answered) = channel();
        let mut clients = Vec::new();
        for client in 0..CLIENTS {
            let (asked, sender) = (Arc::clone(&asked), sender.clone());
            let connection = Client::connect(address).map_err(DemoError::io("connect"))?;
            let mut connection = connection.with_token(token);
            clients.push(std::thread::spawn(move || {
                for number in 0_u64.. {
                    asked.fetch_add(1, Ordering::Relaxed);
                    let customer = format!("/admin/customers/c-{client}-{number}");
                    // An error is the death of the service: what this client waited for.
                    let Ok(answer) = connection.delete(&customer) else { break };
                    let id = answer.body["audit_id"].as_str().unwrap_or_default();
                    if answer.status != 200 || sender.send(id.to_owned()).is_err() {
                        break;
                    }
                }
            }));
        }
        Ok(Load { asked, answered, clients, ids: Vec::new() })
    }

    /// Waits until this many actions were answered.
    pub(super) fn wait_for(&mut self, actions: usize) -> Result<(), DemoError> {
        while self.ids.len() < actions {
            let id = self.answered.recv_timeout(PATIENCE).map_err(|_| DemoError::NotAsTold {
                what: "the service stopped answering before it was killed".to_owned(),
            })?;
            self.ids.push(id);
        }
        Ok(())
    }

    /// After the service died: all that was answered.
    pub(super) fn end(mut self) -> Result<Outcome, DemoError> {
        // Ends when the last client has.
        self.ids.extend(self.answered.iter());
        for client in self.clients {
            client.join().map_err(|_| DemoError::NotAsTold { what: "a client panicked".into() })?;
        }
        let asked = self.asked.load(Ordering::Relaxed);
        Ok(Outcome { unanswered: asked.saturating_sub(self.ids.len() as u64), durable: self.ids })
    }
}
