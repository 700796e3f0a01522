//! The program, run and timed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::Outcome;

/// `auditlog` and the trail that it is asked about.
pub(crate) struct Program {
    path: PathBuf,
    dir: PathBuf,
}

/// One run of it.
pub(crate) struct Run {
    pub(crate) seconds: f64,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Run {
    /// What it told for machines: the last line.
    pub(crate) fn told(&self, stream: &[u8]) -> Outcome<Value> {
        let text = String::from_utf8_lossy(stream);
        let line = text.lines().last().unwrap_or_default();
        serde_json::from_str(line).map_err(|_| format!("it told nothing: {text}").into())
    }
}

impl Program {
    pub(crate) fn new(path: &str, dir: &Path) -> Program {
        Program { path: path.into(), dir: dir.to_owned() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn of(&self, dir: &Path) -> Program {
        Program { path: self.path.clone(), dir: dir.to_owned() }
    }

    /// Runs a command of the trail: the command's name comes first.
    pub(crate) fn run(&self, args: &[&str]) -> Outcome<Run> {
        let (command, rest) = args.split_at(1);
        self.run_in(command, rest)
    }

    /// With words before the trail, and words behind it.
    pub(crate) fn run_in(&self, before: &[&str], behind: &[&str]) -> Outcome<Run> {
        self.timed(before, behind, Stdio::piped())
    }

    /// Runs a command whose output is too much to be kept.
    pub(crate) fn discarding(&self, args: &[&str]) -> Outcome<Run> {
        let (command, rest) = args.split_at(1);
        self.timed(command, rest, Stdio::null())
    }

    fn timed(&self, before: &[&str], behind: &[&str], stdout: Stdio) -> Outcome<Run> {
        let mut command = Command::new(&self.path);
        command.args(before).arg(&self.dir).args(behind);
        command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
        let began = Instant::now();
        let output = command.spawn()?.wait_with_output()?;
        let seconds = began.elapsed().as_secs_f64();
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{command:?}: {}: {said}", output.status).into());
        }
        Ok(Run { seconds, stdout: output.stdout, stderr: output.stderr })
    }
}
