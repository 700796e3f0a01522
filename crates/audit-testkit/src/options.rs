//! What a campaign is told on its command line.
//!
//! What must stay true here: nothing unknown is ignored, and every choice is printed with the
//! result, so that a line of output is enough to run it again.

use std::path::PathBuf;

/// What a killed process owes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// Only what a receipt called durable.
    Durable,
    /// Everything `emit` returned `Ok` for.
    Emitted,
}

/// The options all campaigns share.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many rounds; 0 is the campaign's own number.
    pub rounds: u64,
    /// Every random choice comes from it.
    pub seed: u64,
    /// Where the campaign works; a directory of its own is made in it.
    pub dir: PathBuf,
    /// What is owed.
    pub promise: Promise,
    /// How many rounds run side by side.
    pub jobs: u64,
    /// What else was given, as `--name value`.
    pub only: Option<String>,
}

/// How they are written.
pub const USAGE: &str = "\
  --rounds N     how many rounds (the campaign's own number if not given)
  --seed S       where every random choice comes from (1)
  --dir D        where to work (the system's temporary directory)
  --jobs J       rounds side by side (2)
  --promise P    `emitted`: what emit returned Ok for survives a kill (the default);
                 `durable`: only what a receipt called durable
  --only X       power: `ext4` or `xfs`; sweep: one system call; default: all";

impl Default for Options {
    fn default() -> Options {
        Options {
            rounds: 0,
            seed: 1,
            dir: std::env::temp_dir(),
            promise: Promise::Emitted,
            jobs: 2,
            only: None,
        }
    }
}

impl Options {
    /// Reads `--name value` pairs.
    ///
    /// # Errors
    /// What is not understood.
    pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Options, String> {
        let mut options = Options::default();
        let mut args = args.into_iter();
        while let Some(name) = args.next() {
            let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
            let number = || value.parse::<u64>().map_err(|e| format!("{name} {value}: {e}"));
            match name.as_str() {
                "--rounds" => options.rounds = number()?,
                "--seed" => options.seed = number()?,
                "--jobs" => options.jobs = number()?.max(1),
                "--dir" => options.dir = PathBuf::from(value),
                "--only" => options.only = Some(value),
                "--promise" => {
                    options.promise = match value.as_str() {
                        "emitted" => Promise::Emitted,
                        "durable" => Promise::Durable,
                        _ => return Err(format!("--promise {value}: `emitted` or `durable`")),
                    }
                }
                _ => return Err(format!("unknown option {name}\n{USAGE}")),
            }
        }
        Ok(options)
    }

    /// The rounds asked for, or the campaign's own number.
    #[must_use]
    pub const fn rounds_or(&self, own: u64) -> u64 {
        if self.rounds == 0 { own } else { self.rounds }
    }

    /// An empty directory for this run, which a failure leaves behind.
    ///
    /// # Errors
    /// The operating system's.
    pub fn work_dir(&self, name: &str) -> Result<PathBuf, String> {
        let dir = self.dir.join(format!("audit-{name}-{}-{}", self.seed, std::process::id()));
        std::fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        Ok(dir)
    }
}
