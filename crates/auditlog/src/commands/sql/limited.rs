//! The question in a process of its own, whose memory the operating system limits.
//!
//! What must stay true here: whatever a question asks for, no more than the limit is taken from the
//! machine, and its end is told as an error with the limit in it. Of an answer that broke off only whole
//! lines are printed. Nothing goes on when this process or its time is over.

use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

use audit_reader::Source;
use clap::ValueEnum;
use rustix::process::{Pid, Resource, Rlimit, Signal, getppid, getrlimit, setrlimit};

use super::{Args, answer};
use crate::commands::Exit;
use crate::error::CliError;
use crate::output::{Output, escape};

/// What the program has mapped before it answers: itself, its libraries, what the allocator keeps for
/// each thread.
const PROGRAM: u64 = 1 << 30;
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
    let (status, said) = engine.end()?;
    printed?;
    out.flush()?;
    match status.code() {
        Some(0) => {
            io::stderr().write_all(&said)?;
            Ok(Exit::Done)
        }
        Some(2) => {
            io::stderr().write_all(&said)?;
            Err(CliError::EngineTold)
        }
        _ => Err(CliError::Engine(died(args, status, &said))),
    }
}

/// Limits the address space of this process, for good, and its life to that of its parent.
pub(super) fn limit(bytes: u64, parent: i32) -> Result<(), CliError> {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| could_not_run(error.into()))?;
    // It may have died before that was asked for.
    if Pid::as_raw(getppid()) != parent {
        return Err(CliError::ReaderGone);
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
    said: JoinHandle<io::Result<Vec<u8>>>,
}

impl Engine {
    fn start(args: &Args, out: &Output) -> Result<Engine, CliError> {
        let mut command = Command::new(std::env::current_exe().map_err(could_not_run)?);
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
        Ok(Engine { child, said })
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
                out.write_all(&begun)?;
                out.write_all(&read[..end])?;
                out.flush()?;
                begun.clear();
            }
            begun.extend_from_slice(&read[end..]);
        }
    }

    /// Waits for its end: how it ended and what it said.
    fn end(mut self) -> Result<(ExitStatus, Vec<u8>), CliError> {
        let status = self.child.wait().map_err(could_not_run)?;
        let said = self.said.join().map_err(|_| CliError::Bug("a thread that reads ended"))?;
        Ok((status, said.map_err(could_not_run)?))
    }
}

/// What an end means that the process did not choose.
fn died(args: &Args, status: ExitStatus, said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
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
