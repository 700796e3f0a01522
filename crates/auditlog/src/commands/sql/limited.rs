//! The question in a process of its own, whose memory the operating system limits.
//!
//! What must stay true here: whatever a question asks for, no more than the limit is taken from the
//! machine, and its end is told as an error with the limit in it. Of an answer that broke off only whole
//! lines are printed. Nothing goes on when this process or its time is over.

use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use audit_reader::Source;
use audit_reader::sql::SqlError;
use clap::ValueEnum;
use rustix::process::{
    Pid, Resource, Rlimit, Signal, getpid, getppid, getrlimit, kill_process, setrlimit,
};

use super::{Args, Format, answer};
use crate::commands::Exit;
use crate::error::CliError;
use crate::output::{Output, escape};

/// What the program has mapped before it answers: itself, its libraries, what the allocator keeps for
/// each thread.
const PROGRAM: u64 = 1 << 30;
/// How much later than its time a process ends that nobody takes rows from.
const GRACE: Duration = Duration::from_secs(1);
/// Why an answer broke off that nobody waits for.
pub(super) const GONE: &str = "the process that asked is gone; ask again";
/// A line that is longer is printed as it comes.
const LONGEST_LINE: usize = 16 << 20;
/// So much of what the process said on standard error is kept.
const SAID: usize = 64 << 10;

/// Starts the process, prints what it answers, and says how it ended.
pub(super) fn run(args: &Args, out: &mut Output) -> Result<Exit, CliError> {
    // What is no trail is told before an access to it is noted.
    drop(Source::open(&args.dir)?);
    crate::commands::access::record(&args.access, &args.dir, "sql")?;
    let mut engine = Engine::start(args, out)?;
    let printed = engine.print(out);
    if printed.is_err() {
        // Nobody wants more of it.
        engine.child.kill().map_err(could_not_run)?;
    }
    let began = engine.began;
    let (status, said) = engine.end()?;
    printed?;
    out.flush()?;
    match status.code() {
        Some(code @ (0 | 3)) => {
            pass_on(&said)?;
            Ok(if code == 0 { Exit::Done } else { Exit::Unproven })
        }
        Some(2) => {
            pass_on(&said)?;
            Err(CliError::EngineTold)
        }
        _ => Err(match over(args, status, began.elapsed()) {
            Some(limit) => SqlError::Time { limit }.into(),
            None => CliError::Engine(died(args, status, &said)),
        }),
    }
}

/// The limit of time, if that is why the process ended: by its own alarm, or killed where it may not have
/// one, when the time was over by the clock of this process.
fn over(args: &Args, status: ExitStatus, took: Duration) -> Option<Duration> {
    let limit = Duration::from_secs(args.timeout?);
    let signal = status.signal();
    let killed = signal == Some(Signal::KILL.as_raw()) && took >= limit;
    (killed || signal == Some(Signal::ALARM.as_raw())).then_some(limit)
}

/// Tells what the process said, of which nothing reaches a terminal as anything but text.
fn pass_on(said: &[u8]) -> io::Result<()> {
    let mut to = io::stderr().lock();
    for line in said.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        writeln!(to, "{}", escape(text))?;
    }
    Ok(())
}

/// Ends this process when its time is over, whatever it is at: who waits for room in a pipe that nobody
/// empties does not look at a clock.
pub(super) fn end_after(limit: Duration) -> Result<(), CliError> {
    let watch = std::thread::Builder::new().name("audit-watch".to_owned()).stack_size(64 << 10);
    let watch = watch.spawn(move || {
        let (began, limit) = (Instant::now(), limit.saturating_add(GRACE));
        while let Some(left) = limit.checked_sub(began.elapsed()).filter(|left| !left.is_zero()) {
            std::thread::park_timeout(left);
        }
        let ended = kill_process(getpid(), Signal::ALARM);
        // Who started this may have had the signal ignored, and that is handed down.
        std::thread::park_timeout(if ended.is_ok() { GRACE } else { Duration::ZERO });
        if kill_process(getpid(), Signal::KILL).is_err() {
            std::process::abort();
        }
    });
    watch.map(drop).map_err(could_not_run)
}

/// Limits the address space of this process, for good, and its life to that of its parent.
pub(super) fn limit(bytes: u64, parent: i32) -> Result<(), CliError> {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| could_not_run(error.into()))?;
    // It may have died before that was asked for.
    if Pid::as_raw(getppid()) != parent {
        return Err(CliError::Engine(GONE.to_owned()));
    }
    let bytes = bytes.saturating_add(PROGRAM);
    // A limit that is lower already stays.
    let there = getrlimit(Resource::As);
    let bytes = [there.current, there.maximum].into_iter().flatten().fold(bytes, u64::min);
    let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
    setrlimit(Resource::As, limit).map_err(|error| could_not_run(error.into()))
}

struct Engine {
    child: Child,
    /// When it was started.
    began: Instant,
    /// The answer goes to a terminal as the process wrote it for machines.
    shown: bool,
    said: JoinHandle<io::Result<Vec<u8>>>,
}

impl Engine {
    fn start(args: &Args, out: &Output) -> Result<Engine, CliError> {
        let mut command = Command::new(this_program()?);
        // Arenas of the allocator take address space, 64 MiB for each thread, whether they are used or not.
        command.arg0("auditlog").env("MALLOC_ARENA_MAX", "2");
        command.args(["--color", if out.is_colored() { "always" } else { "never" }]);
        command.args(["sql", "--engine", &std::process::id().to_string()]);
        command.args(["--memory", &args.memory.to_string()]);
        command.args(out.json.then_some("--json"));
        command.args(args.no_index.then_some("--no-index"));
        if let Some(format) = args.format.and_then(|format| format.to_possible_value()) {
            command.args(["--format", format.get_name()]);
        }
        for (name, value) in [("--timeout", args.timeout), ("--jobs", args.jobs.map(|n| n as u64))]
        {
            if let Some(value) = value {
                command.args([name, &value.to_string()]);
            }
        }
        command.arg("--").arg(&args.dir).arg(&args.question);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let began = Instant::now();
        let mut child = command.spawn().map_err(could_not_run)?;
        let mut said = child.stderr.take();
        let said = std::thread::spawn(move || {
            let mut kept = Vec::new();
            let mut block = [0; 4 * 1024];
            while let Some(said) = &mut said {
                match said.read(&mut block)? {
                    0 => break,
                    count if kept.len() < SAID => kept.extend_from_slice(&block[..count]),
                    _ => {}
                }
            }
            Ok(kept)
        });
        let shown = args.format(out) != Format::Table && io::stdout().is_terminal();
        Ok(Engine { child, began, shown, said })
    }

    /// Prints whole lines as they come.
    fn print(&mut self, out: &mut Output) -> Result<(), CliError> {
        let Some(mut answer) = self.child.stdout.take() else { return Ok(()) };
        let (mut block, mut begun) = (vec![0; 64 << 10], Vec::new());
        loop {
            let count = match answer.read(&mut block) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(could_not_run(error)),
            };
            let read = &block[..count];
            let end = read.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            if end > 0 || begun.len() > LONGEST_LINE {
                begun.extend_from_slice(&read[..end]);
                self.put(&begun, out)?;
                out.flush()?;
                begun.clear();
            }
            begun.extend_from_slice(&read[end..]);
        }
    }

    /// Nothing that a row says reaches a terminal as anything but text.
    fn put(&self, lines: &[u8], out: &mut Output) -> io::Result<()> {
        if !self.shown {
            return out.write_all(lines);
        }
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let text = line.strip_suffix(b"\n");
            out.write_all(escape(text.unwrap_or(line)).as_bytes())?;
            out.write_all(&line[text.unwrap_or(line).len()..])?;
        }
        Ok(())
    }

    /// Waits for its end: how it ended and what it said.
    fn end(mut self) -> Result<(ExitStatus, Vec<u8>), CliError> {
        let status = self.child.wait().map_err(could_not_run)?;
        let said = self.said.join().map_err(|_| CliError::Bug("a thread that reads ended"))?;
        Ok((status, said.map_err(could_not_run)?))
    }
}

/// What this process runs, even if its file was replaced since: another version may know other arguments.
fn this_program() -> Result<PathBuf, CliError> {
    if cfg!(target_os = "linux") {
        return Ok(PathBuf::from("/proc/self/exe"));
    }
    std::env::current_exe().map_err(could_not_run)
}

/// What an end means that the process did not choose.
fn died(args: &Args, status: ExitStatus, said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    if text.contains("has overflowed its stack") {
        return "the question is nested too deeply to be answered; simplify it".to_owned();
    }
    // What the standard library says before it gives up.
    let asked = text.lines().find(|line| line.starts_with("memory allocation of "));
    let aborted = status.signal() == Some(Signal::ABORT.as_raw());
    if asked.is_some() || aborted {
        let asked = asked.map(|line| format!(" ({})", escape(line.as_bytes()))).unwrap_or_default();
        return format!(
            "the question needs more than the {} MiB of --memory and the {} MiB of address space that go with them{asked}; narrow it, or allow more with --memory",
            args.memory,
            answer::options(args).address_space().saturating_add(PROGRAM) >> 20,
        );
    }
    if status.signal() == Some(Signal::KILL.as_raw()) {
        return "the process that answered was killed, by the operating system if the machine was out of memory; narrow the question, or lower --memory".to_owned();
    }
    let mut told = text.lines().filter(|line| !line.is_empty() && !line.starts_with("note: "));
    let last = told.next_back().map(|line| format!(": {}", escape(line.as_bytes())));
    let last = last.unwrap_or_default();
    format!("the process that answered ended by {status}{last}; simplify the question")
}

fn could_not_run(error: io::Error) -> CliError {
    CliError::Engine(format!(
        "cannot run the process that answers: {error}; the system is out of resources"
    ))
}
