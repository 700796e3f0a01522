//! Reads what strace wrote: which calls there were, and whether every acknowledgement was due.
//!
//! What must stay true here: an event counts as durable only when a sync of the file that its line
//! was written to returned 0 after the write; a failed sync takes what was pending away for ever, as
//! the kernel may (fsyncgate).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::calls::is_storage;

/// One call, whole.
#[derive(Debug, PartialEq, Eq)]
struct Call<'t> {
    thread: &'t str,
    name: &'t str,
    /// With the parentheses' content, as strace prints it.
    args: String,
    result: String,
}

/// Calls in the order in which they returned; one that never returned is left out.
fn calls(trace: &str) -> Vec<Call<'_>> {
    let mut begun: HashMap<&str, (&str, String)> = HashMap::new();
    let mut calls = Vec::new();
    for line in trace.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        let (name, text) = if let Some(resumed) = rest.strip_prefix("<... ") {
            let Some((_, tail)) = resumed.split_once(" resumed>") else { continue };
            let Some((name, head)) = begun.remove(thread) else { continue };
            (name, head + tail)
        } else {
            let Some((name, text)) = rest.split_once('(') else { continue };
            if let Some(head) = text.strip_suffix(" <unfinished ...>") {
                begun.insert(thread, (name, head.to_owned()));
                continue;
            }
            (name, text.to_owned())
        };
        let Some((args, result)) = text.rsplit_once(") = ").or_else(|| aligned(&text)) else {
            continue;
        };
        let (args, result) = (args.to_owned(), result.to_owned());
        calls.push(Call { thread, name, args, result });
    }
    calls
}

/// strace pads short calls with blanks before the result.
fn aligned(text: &str) -> Option<(&str, &str)> {
    let (args, result) = text.rsplit_once(" = ")?;
    Some((args.trim_end().strip_suffix(')')?, result))
}

/// Storage calls between `begin` and `end`: for each name, which of its thread's calls they are,
/// counted from 1 as strace counts them.
///
/// # Errors
/// A call that is in no list.
pub(super) fn reached(trace: &str) -> Result<BTreeMap<String, BTreeSet<u64>>, String> {
    let mut counts: HashMap<(&str, &str), u64> = HashMap::new();
    let mut reached: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    let mut watching = false;
    for call in calls(trace) {
        let count = counts.entry((call.thread, call.name)).or_default();
        *count += 1;
        match told(&call) {
            Some("begin") => watching = true,
            Some("end") => break,
            _ => {}
        }
        match is_storage(call.name) {
            Some(true) if watching => {
                reached.entry(call.name.to_owned()).or_default().insert(*count);
            }
            Some(_) => {}
            None => {
                return Err(format!(
                    "the writer calls {}: say in sweep/calls.rs whether that is storage",
                    call.name
                ));
            }
        }
    }
    if reached.is_empty() { Err("nothing was traced".to_owned()) } else { Ok(reached) }
}

/// Checks every acknowledgement in a trace; gives how many there were.
///
/// # Errors
/// The first one that was not due.
pub(super) fn check(trace: &str) -> Result<u64, String> {
    let mut pending: HashMap<String, BTreeSet<String>> = HashMap::new();
    let mut durable: BTreeSet<String> = BTreeSet::new();
    let mut acknowledged = 0;
    for call in calls(trace) {
        let is_ok = !call.result.starts_with('-') && !call.result.starts_with('?');
        match call.name {
            "write" | "pwrite64" | "writev" if is_ok => {
                let Some(file) = segment(&call.args) else { continue };
                pending.entry(file).or_default().extend(labels(&call.args));
            }
            "fsync" | "fdatasync" => {
                let Some(file) = segment(&call.args) else { continue };
                match pending.remove(&file) {
                    Some(labels) if is_ok => durable.extend(labels),
                    // Before it began; it is made again.
                    Some(labels) if call.result.contains("EINTR") => {
                        pending.insert(file, labels);
                    }
                    _ => {}
                }
            }
            "sendto" => {
                let Some(label) = told(&call).and_then(|text| text.strip_prefix("d ")) else {
                    continue;
                };
                acknowledged += 1;
                if !durable.contains(label) {
                    return Err(format!(
                        "{label} was acknowledged, and no sync after its write returned 0"
                    ));
                }
            }
            _ => {}
        }
    }
    Ok(acknowledged)
}

/// What the child told by this call.
fn told<'c>(call: &'c Call<'_>) -> Option<&'c str> {
    if call.name != "sendto" {
        return None;
    }
    let (_, text) = call.args.split_once(", \"")?;
    text.split_once("\\n\"").map(|(text, _)| text)
}

/// The path in `7</path/2026-11-25.audit>, …`, if it is a segment's.
fn segment(args: &str) -> Option<String> {
    let (_, rest) = args.split_once('<')?;
    let (path, _) = rest.split_once('>')?;
    path.ends_with(".audit").then(|| path.to_owned())
}

fn labels(args: &str) -> impl Iterator<Item = String> {
    args.split("\\\"label\\\":\\\"").skip(1).filter_map(|rest| {
        let (label, _) = rest.split_once("\\\"")?;
        Some(label.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: &str = r#"1 sendto(0<UNIX:[1->2]>, "d 1/0/0\n", 8, MSG_NOSIGNAL, NULL, 0) = 8"#;

    fn write(thread: u32) -> String {
        format!(
            "{thread} pwrite64(7</t/2026-11-25.audit>, \"{}\", 9, 0) = 9\n",
            r#"{\"details\":{\"label\":\"1/0/0\",\"pad0\":\"\"}}"#
        )
    }

    #[test]
    fn an_acknowledgement_is_due_after_a_sync_that_returned_0() {
        let sync = "2 fdatasync(7</t/2026-11-25.audit> <unfinished ...>\n\
                    1 futex(0x1, FUTEX_WAIT) = 0\n2 <... fdatasync resumed>) = 0\n";
        assert_eq!(check(&format!("{}{sync}{SENT}", write(2))), Ok(1));
        assert!(
            check(&format!("{sync}{}{SENT}", write(2))).is_err(),
            "synced before it was written"
        );
        let failed = sync.replace("= 0\n", "= -1 EIO (Input/output error) (INJECTED)\n");
        let all = format!("{}{failed}{sync}{SENT}", write(2));
        assert!(check(&all).is_err(), "a second sync proves nothing");
        assert!(check(&format!("{}{SENT}", write(2))).is_err());
        let again = format!("{}{failed}{}{sync}{SENT}", write(2), write(2));
        assert_eq!(check(&again), Ok(1), "written again");
    }

    #[test]
    fn calls_are_counted_by_thread_between_the_two_words() {
        let trace = "1 fsync(3</a>)       = 0\n\
                     1 sendto(0<UNIX:[1]>, \"begin\\n\", 6, 0, NULL, 0) = 6\n\
                     1 fsync(3</a>)       = 0\n2 fsync(3</a>) = 0\n\
                     1 futex(0x1) = 0\n\
                     1 sendto(0<UNIX:[1]>, \"end\\n\", 4, 0, NULL, 0) = 4\n1 fsync(3</a>) = 0\n";
        let found = reached(trace).unwrap();
        assert_eq!(found, BTreeMap::from([("fsync".to_owned(), BTreeSet::from([1, 2]))]));
        assert!(
            reached(&format!("1 frobnicate(1) = 0\n{trace}")).unwrap_err().contains("frobnicate")
        );
    }
}
