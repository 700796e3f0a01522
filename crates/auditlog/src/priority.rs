//! Who goes first where the processor is short.
//!
//! What must stay true here: a service that records events does, before anybody who reads them. Threads
//! and processes that a command starts have its priority, so it is set before there are any.

/// Behind everything else that wants the processor.
const NICE: i32 = 19;

/// Takes the lowest priority. On a machine with time to spare that costs nothing.
pub(crate) fn give_way() {
    if let Err(error) = rustix::process::nice(NICE) {
        eprintln!("auditlog: the priority could not be lowered: {error}; it goes on as it is");
    }
}
