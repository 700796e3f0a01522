//! A progress bar for what reads a whole trail.
//!
//! What must stay true here: it is on standard error, on a terminal only, and only where there is so
//! much to read that somebody may wait.

use std::io::IsTerminal;

use audit_reader::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Less than this is read before anybody looks for a progress bar.
const BIG: u64 = 256 * 1024 * 1024;

/// A bar that shows itself when there is reason to.
#[derive(Debug)]
pub(crate) struct Bar {
    bar: ProgressBar,
    doing: &'static str,
}

impl Bar {
    /// A bar that says what is being done.
    pub(crate) fn new(doing: &'static str) -> Bar {
        Bar { bar: ProgressBar::hidden(), doing }
    }

    pub(crate) fn show(&self, progress: Progress) {
        if progress.total_bytes < BIG || !std::io::stderr().is_terminal() {
            return;
        }
        if self.bar.is_hidden() {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            let doing = self.doing;
            let template = format!(
                "{doing} {{bar:40}} {{bytes}} of {{total_bytes}}, {{bytes_per_sec}}, {{eta}} left"
            );
            let style = ProgressStyle::with_template(&template);
            self.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        }
        self.bar.set_length(progress.total_bytes.max(progress.bytes));
        self.bar.set_position(progress.bytes);
    }

    /// Prints something while the bar is out of the way.
    pub(crate) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    /// Whether it can be seen.
    pub(crate) fn is_shown(&self) -> bool {
        !self.bar.is_hidden()
    }

    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
