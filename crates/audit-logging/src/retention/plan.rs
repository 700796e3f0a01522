//! What retention would do.
//!
//! What must stay true here: looking changes nothing, and needs no lock.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use audit_core::retention::{Decision, Fate, Hold, Holds, Rules, Why, plan};
use jiff::civil::Date;
use jiff::tz::Offset;
use serde_json::{Value, json};

use super::RetentionError;
use super::signed::Signed;
use super::survey::{Said, said, survey};
use crate::config::RetentionPolicy;
use crate::storage::{DirStorage, Storage};

/// What retention would do, segment by segment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetentionPlan {
    /// The UTC date that ages are counted to. Behind the clock's where that runs far ahead of the trail.
    pub as_of: Date,
    /// By these rules.
    pub rules: Rules,
    /// The segments, in order.
    pub decisions: Vec<Decision>,
    /// The holds in force; not looked for where nothing is old enough to be deleted.
    pub holds: Vec<Hold>,
}

impl RetentionPlan {
    /// For machines.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let row = |decision: &Decision| {
            let mut row = match &decision.fate {
                Fate::Keep { why } => json!(why),
                fate => json!(fate),
            };
            if row["action"].is_null() {
                row["action"] = "keep".into();
            }
            row["segment"] = decision.segment.name.to_string().into();
            row["age_days"] = decision.age_days.into();
            row["bytes"] = decision.segment.bytes.into();
            row["archived"] = decision.segment.archived.into();
            row["first_seq"] = decision.segment.first_seq.into();
            row
        };
        let segments: Vec<Value> = self.decisions.iter().map(row).collect();
        json!({"as_of": self.as_of, "rules": self.rules, "segments": segments, "holds": self.holds})
    }

    /// The segments that are to be deleted, which are the first ones.
    pub(super) fn expired(&self) -> &[Decision] {
        let count = self.decisions.iter().take_while(|one| one.fate == Fate::Delete).count();
        &self.decisions[..count]
    }
}

/// What retention would do to the trail in `dir` today, by these rules. The trail may be open elsewhere.
///
/// # Errors
/// [`RetentionError`]: rules that cannot be, or a trail that cannot be looked at. Its chain is followed;
/// only who holds the trail holds it against the signed checkpoint, before anything is deleted.
pub fn plan_dir(dir: &Path, policy: RetentionPolicy) -> Result<RetentionPlan, RetentionError> {
    policy.validate()?;
    let storage = DirStorage::open(dir, false)?;
    let today = Offset::UTC.to_datetime(jiff::Timestamp::now()).date();
    let open = Duration::ZERO;
    Ok(plan_of(&storage, policy.into(), today, open, None, &AtomicBool::new(false))?.0)
}

/// What would be done to a trail on a day, by a process that has had it `open` for so long. Its entries
/// are asked only if something would be deleted, and held against what was `signed` by who can.
pub(super) fn plan_of(
    storage: &dyn Storage,
    rules: Rules,
    as_of: Date,
    open: Duration,
    signed: Option<&Signed<'_>>,
    stop: &AtomicBool,
) -> Result<(RetentionPlan, Said), RetentionError> {
    let segments = survey(storage)?;
    let mut decisions = plan(&segments, rules, &Holds::default(), &[], as_of);
    let mut entries = Said::default();
    if decisions.iter().any(|decision| decision.fate == Fate::Delete) {
        entries = said(storage, &segments, signed, stop)?;
        decisions = plan(&segments, rules, &entries.holds, &entries.times.steps, as_of);
        if decisions.iter().any(|decision| decision.fate == Fate::Delete) {
            entries.doubt = entries.times.believe(open).err();
        }
        if entries.doubt.is_some() {
            let doomed = decisions.iter_mut().filter(|decision| decision.fate == Fate::Delete);
            doomed.for_each(|decision| decision.fate = Fate::Keep { why: Why::Leap });
        }
    }
    let holds = entries.holds.in_force().to_vec();
    Ok((RetentionPlan { as_of, rules, decisions, holds }, entries))
}
