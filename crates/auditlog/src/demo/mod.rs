//! `auditlog demo`: the whole story of an audit trail in a minute, on this machine, for real.
//!
//! What must stay true here: nothing is staged. The requests are real, the process is really
//! killed, and each claim is checked before it is printed; if one does not hold, the story ends
//! there with exit code 2. What the files alone cannot show is said as plainly as what they can.

mod child;
mod evidence;
mod http;
mod load;
mod narrator;
mod outside;
mod proof;
mod service;
mod story;
mod tamper;
mod traffic;
mod trail;

use std::io;
use std::path::{Path, PathBuf};

use audit_logging::OpenError;
use audit_reader::ReadError;
use thiserror::Error;

use crate::output::Output;
use narrator::Narrator;

/// Tell the whole story in a minute: real requests, a kill, recovery, proof, forgeries
#[derive(Debug, clap::Args)]
#[command(after_help = "Everything happens in one new directory, which is kept.\n\
    Exit codes: 0 the story went as told, 2 it did not.\n\n\
    Example:\n  auditlog demo\n  auditlog demo --json --dir /tmp/story | jq .ok")]
pub(crate) struct DemoArgs {
    /// Where: a new or empty directory; by default a new one among the temporary files
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Be the service of the story, with its trail in DIR
    #[arg(long, hide = true, requires = "dir")]
    serve: bool,
}

/// Why the story did not go as told.
#[derive(Debug, Error)]
pub(crate) enum DemoError {
    /// Something that was claimed does not hold.
    #[error("the story did not go as told: {what}")]
    NotAsTold { what: String },
    /// The directory is in use.
    #[error("{} is not empty; give a new directory", .0.display())]
    NotFresh(PathBuf),
    /// The operating system refused.
    #[error("cannot {doing}: {source}")]
    Io { doing: String, source: io::Error },
    /// The service of the story failed.
    #[error("the service failed: {why}")]
    Service { why: String },
    /// A tool of the story failed.
    #[error("cannot {doing}: {why}")]
    Failed { doing: &'static str, why: String },
    /// The trail could not be made.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The trail could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The output could not be written.
    #[error("cannot write the output: {0}")]
    Output(io::Error),
}

impl DemoError {
    fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> DemoError {
        move |source| DemoError::Io { doing: doing.into(), source }
    }

    fn failed<E: std::fmt::Display>(doing: &'static str) -> impl FnOnce(E) -> DemoError {
        move |error| DemoError::Failed { doing, why: error.to_string() }
    }
}

/// Tells the story.
pub(crate) fn run(args: &DemoArgs, out: &mut Output) -> Result<(), DemoError> {
    if let (true, Some(trail)) = (args.serve, &args.dir) {
        return child::serve(trail);
    }
    let dir = fresh_directory(args.dir.as_deref())?;
    let mut narrator = Narrator::new(out, dir.display().to_string());
    let told = story::tell(&dir, &mut narrator);
    narrator.end(told)
}

/// A directory that is ours alone and empty, as an absolute path.
fn fresh_directory(wanted: Option<&Path>) -> Result<PathBuf, DemoError> {
    let dir = match wanted {
        Some(dir) => dir.to_owned(),
        None => {
            let name =
                format!("auditlog-demo-{}", jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S"));
            std::env::temp_dir().join(format!("{name}-{}", std::process::id()))
        }
    };
    let failed = |error| DemoError::io(format!("make {}", dir.display()))(error);
    if wanted.is_some() && dir.exists() {
        let mut entries = std::fs::read_dir(&dir).map_err(failed)?;
        if entries.next().is_some() {
            return Err(DemoError::NotFresh(dir));
        }
    } else {
        use std::os::unix::fs::DirBuilderExt;
        // Among the temporary files a directory that is there already is somebody else's: `create`
        // fails then.
        std::fs::DirBuilder::new().mode(0o700).create(&dir).map_err(failed)?;
    }
    std::path::absolute(&dir).map_err(failed)
}
