//! The records of one event of auditd as an event.
//!
//! What must stay true here: who acted is the login user (`auid`), which `su` and `sudo` do not change;
//! where a record names the account that somebody tries to log in to, it is that one.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;

use super::super::draft::{Draft, event_type, list};
use super::super::object::Members;
use super::fields::{Id, Record, hex};

/// Records that say more about another one.
const AUXILIARY: [&str; 12] = [
    "SYSCALL",
    "CWD",
    "PATH",
    "PROCTITLE",
    "EXECVE",
    "SOCKADDR",
    "EOE",
    "FD_PAIR",
    "MMAP",
    "IPC",
    "OBJ_PID",
    "BPRM_FCAPS",
];

/// Reasons by number, as the kernel's `errno` has them on all machines.
const ERRNO: [(&str, &str); 12] = [
    ("-1", "EPERM"),
    ("-2", "ENOENT"),
    ("-3", "ESRCH"),
    ("-5", "EIO"),
    ("-9", "EBADF"),
    ("-11", "EAGAIN"),
    ("-13", "EACCES"),
    ("-16", "EBUSY"),
    ("-17", "EEXIST"),
    ("-20", "ENOTDIR"),
    ("-22", "EINVAL"),
    ("-30", "EROFS"),
];

pub(super) fn draft(id: &Id, records: &[Record]) -> Result<Draft, String> {
    let main = records
        .iter()
        .find(|record| !AUXILIARY.contains(&record.kind.as_str()))
        .or_else(|| records.iter().find(|record| record.kind == "EXECVE"))
        .or_else(|| records.first())
        .ok_or("an event without a record")?;
    let say =
        |name: &str| main.get(name).or_else(|| records.iter().find_map(|record| record.get(name)));
    let said = |name: &str| say(name).map(str::to_owned);
    let login = matches!(main.kind.as_str(), "USER_LOGIN" | "USER_AUTH" | "USER_ERR");
    let account = || main.get("acct").or_else(|| main.get("ID")).map(str::to_owned);
    let user =
        || said("AUID").or_else(|| said("auid")).or_else(|| said("UID")).or_else(|| said("uid"));
    let mut draft = Draft {
        timestamp: Some(time(&id.time)?),
        user_id: if login { account().or_else(user) } else { user() },
        ip: said("addr").or_else(|| said("hostname").filter(|_| login)),
        session_id: said("ses"),
        request_id: Some(format!("{}:{}", id.time, id.serial)),
        ..Draft::default()
    };
    // SELinux tells a refusal in words, and only enforces it where it is not permissive; AppArmor has a
    // field for it, which says ALLOWED where it only complains.
    let denied = matches!(main.kind.as_str(), "AVC" | "USER_AVC")
        && main.get("text").is_some_and(|text| text.contains("denied"))
        && main.get("permissive") != Some("1")
        || main.get("apparmor") == Some("DENIED");
    let failed =
        denied || matches!(say("res").or_else(|| say("success")), Some("failed" | "no" | "0"));
    draft.result = Some(if failed { "failure" } else { "success" });
    if let Some(exit) = say("exit").filter(|_| failed) {
        let known = ERRNO.iter().find(|(number, _)| *number == exit);
        draft.reason =
            Some(known.map_or_else(|| format!("exit {exit}"), |(_, name)| (*name).to_owned()));
    } else if denied {
        draft.reason = Some("EACCES".to_owned());
    }
    (draft.resource_type, draft.resource_id) = what(main, records).unzip();
    draft.event_type = match (main.kind.as_str(), failed) {
        ("USER_LOGIN", false) => "auth.success".to_owned(),
        ("USER_LOGIN", true) => "auth.failure".to_owned(),
        (kind, _) => event_type(&["auditd", &kind.to_ascii_lowercase()]),
    };
    draft.details = details(id, records);
    Ok(draft)
}

fn time(time: &str) -> Result<String, String> {
    let (seconds, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let number = || {
        let ms = format!("{fraction:0<3}").get(..3)?.parse::<i64>().ok()?;
        let ms = seconds.parse::<i64>().ok()?.checked_mul(1_000)?.checked_add(ms)?;
        Timestamp::from_millisecond(ms).ok()
    };
    number().map(|time| time.to_string()).ok_or_else(|| format!("{time:?} is no time"))
}

/// What was acted upon: the file of the last path that is no directory on the way, or what the record
/// names.
fn what(main: &Record, records: &[Record]) -> Option<(String, String)> {
    let thing = |kind: &str, id: &str| Some((kind.to_owned(), id.to_owned()));
    if let Some(unit) = main.get("unit") {
        return thing("unit", unit);
    }
    let accounts =
        ["ADD_", "DEL_", "USER_MGMT", "USER_CHAUTHTOK", "USER_ACCT", "CRED_", "GRP_", "ROLE_"];
    if accounts.iter().any(|kind| main.kind.starts_with(kind))
        && let Some(account) =
            main.get("acct").or_else(|| main.get("id")).or_else(|| main.get("grp"))
    {
        return thing("account", account);
    }
    if let (Some(class), Some(name)) =
        (main.get("tclass"), main.get("path").or_else(|| main.get("name")))
    {
        return thing(class, name);
    }
    if let Some(operation) = main.get("apparmor").and_then(|_| main.get("operation"))
        && let Some(name) = main.get("name").or_else(|| main.get("peer"))
    {
        return thing(operation, name);
    }
    if let Some(command) = main.get("cmd") {
        return thing("command", command);
    }
    let paths = records.iter().filter(|record| record.kind == "PATH");
    let is_parent = |path: &&Record| path.get("nametype") == Some("PARENT");
    if main.kind == "EXECVE" || main.kind == "SYSCALL" || !main.kind.starts_with("USER_") {
        // The first path of an execution is the program; of anything else, the last is the object.
        let mut named = paths.filter(|path| !is_parent(path)).filter_map(|path| path.get("name"));
        let name = if main.kind == "EXECVE" { named.next() } else { named.next_back() };
        if let Some(name) = name {
            return thing("file", name);
        }
    }
    if let Some(address) = records.iter().find_map(|record| record.get("saddr")).and_then(address) {
        return thing("address", &address);
    }
    records.iter().find_map(|record| record.get("exe")).and_then(|exe| thing("program", exe))
}

/// A socket address as the kernel writes it: the struct, as hex.
fn address(text: &str) -> Option<String> {
    let bytes = hex(text)?;
    let port = u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]);
    match bytes[0] {
        2 => {
            let ip: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
            Some(format!("{}:{port}", Ipv4Addr::from(ip)))
        }
        10 => {
            let ip: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
            Some(format!("[{}]:{port}", Ipv6Addr::from(ip)))
        }
        1 => {
            let path = bytes.get(2..)?.split(|byte| *byte == 0).find(|part| !part.is_empty())?;
            Some(crate::output::escape(path))
        }
        _ => None,
    }
}

/// Everything, decoded.
fn details(id: &Id, records: &[Record]) -> Members {
    let mut details = Members::default();
    if let Some(node) = &id.node {
        details.say("node", node);
    }
    let arguments = arguments(records);
    if !arguments.is_empty() {
        details.put("argv", list(&arguments));
    }
    let all = records.iter().map(|record| {
        let mut object = Members::default();
        object.say("type", &record.kind);
        for (name, value) in &record.fields {
            object.say(name, value);
        }
        object.json()
    });
    details.put("records", format!("[{}]", all.collect::<Vec<_>>().join(",")));
    details
}

/// The arguments of an execution: many of them take several records, a long one comes in pieces.
fn arguments(records: &[Record]) -> Vec<String> {
    let fields = records.iter().filter(|record| record.kind == "EXECVE").flat_map(|r| &r.fields);
    // By argument and piece; the kernel writes them in order, a log need not hold them so.
    let mut pieces = BTreeMap::new();
    for (name, value) in fields {
        if let Some(place) = place(name) {
            pieces.entry(place).or_insert(value.as_str());
        }
    }
    let mut arguments: Vec<String> = Vec::new();
    let mut last = None;
    for ((at, _), piece) in pieces {
        match arguments.last_mut().filter(|_| last == Some(at)) {
            Some(argument) => argument.push_str(piece),
            None => arguments.push(piece.to_owned()),
        }
        last = Some(at);
    }
    arguments
}

/// Which argument a field is, `a3`, or which piece of one, `a3[1]`.
fn place(name: &str) -> Option<(u32, u32)> {
    let rest = name.strip_prefix('a')?;
    match rest.split_once('[') {
        Some((at, piece)) => Some((at.parse().ok()?, piece.strip_suffix(']')?.parse().ok()?)),
        None => Some((rest.parse().ok()?, 0)),
    }
}
