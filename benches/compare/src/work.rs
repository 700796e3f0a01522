//! The loads: paced, as fast as it goes, and until killed.
//!
//! What must stay true here: an event is made before it is due and before its call is measured;
//! what is acknowledged is noted where a kill cannot take it away.

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::pace::Pace;
use crate::sinks::{Kind, Made};
use crate::stats::quantile;

/// Where the child notes how many events were acknowledged.
pub(crate) const ACKNOWLEDGED: &str = "acknowledged";

/// Of one run, or the medians of several.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// Of the call, paced, in nanoseconds.
    pub(crate) p50_ns: u64,
    pub(crate) p99_ns: u64,
    pub(crate) p999_ns: u64,
    pub(crate) max_ns: u64,
    /// From when the event was due to the end of its call.
    pub(crate) due_p50_ns: u64,
    pub(crate) due_p999_ns: u64,
    /// What of the asked rate was reached.
    pub(crate) paced_per_s: f64,
    /// One producer, as fast as it goes, everything finished.
    pub(crate) saturated_per_s: f64,
    pub(crate) bytes_per_event: f64,
    /// Acknowledged and not there although everything was finished in order.
    pub(crate) missing_after_finish: u64,
}

/// Both loads, one after the other.
pub(crate) fn measure(kind: Kind, dir: &Path, rate: u32, seconds: u32) -> Result<Figures, Error> {
    let mut sink = kind.open(dir)?;
    // Paced. A contestant that cannot keep up is late, and ends when the time is over.
    let gap = Duration::from_secs(1) / rate.max(1);
    let mut times = vec![(1u64, 1u64); rate as usize * seconds as usize];
    let mut done = 0u64;
    let mut pace = Pace::new(gap);
    let begin = Instant::now();
    for (call, since_due) in &mut times {
        let event = Made::new(done);
        let (due, start) = pace.wait();
        sink.record(&event)?;
        let end = Instant::now();
        *call = (end - start).as_nanos() as u64;
        *since_due = (end - due).as_nanos() as u64;
        done += 1;
        if end - begin > Duration::from_secs(seconds.into()) {
            break;
        }
    }
    let paced_per_s = done as f64 / begin.elapsed().as_secs_f64();
    times.truncate(usize::try_from(done)?);
    let (mut calls, mut dues): (Vec<u64>, Vec<u64>) = times.into_iter().unzip();
    // As fast as it goes, until everything is finished.
    let begin = Instant::now();
    let paced = done;
    while begin.elapsed() < Duration::from_secs(seconds.into()) {
        sink.record(&Made::new(done))?;
        done += 1;
    }
    sink.finish()?;
    let took = begin.elapsed().as_secs_f64();
    let found = kind.find(dir, done)?;
    let missing_after_finish = done - found;
    Ok(Figures {
        p50_ns: quantile(&mut calls, 0.5),
        p99_ns: quantile(&mut calls, 0.99),
        p999_ns: quantile(&mut calls, 0.999),
        max_ns: quantile(&mut calls, 1.0),
        due_p50_ns: quantile(&mut dues, 0.5),
        due_p999_ns: quantile(&mut dues, 0.999),
        paced_per_s,
        saturated_per_s: (done - paced).saturating_sub(missing_after_finish) as f64 / took,
        bytes_per_event: crate::sinks::size_of(dir)? as f64 / found.max(1) as f64,
        missing_after_finish,
    })
}

/// Records at the given rate, and notes each event whose call returned. The note is a write to a
/// file: the page cache keeps it whatever happens to the process.
pub(crate) fn emit_until_killed(kind: Kind, dir: &Path, rate: u32) -> Result<(), Error> {
    let notes = std::fs::File::options()
        .create(true)
        .append(false)
        .write(true)
        .open(dir.join(ACKNOWLEDGED))?;
    let mut sink = kind.open(dir)?;
    println!("open");
    let mut pace = Pace::new(Duration::from_secs(1) / rate.max(1));
    for number in 0u64.. {
        let event = Made::new(number);
        pace.wait();
        sink.record(&event)?;
        notes.write_all_at(&(number + 1).to_le_bytes(), 0)?;
    }
    sink.finish()
}
