//! Retention, holds and notes of access, as the owner of a logger asks for them.
//!
//! What must stay true here: each call returns when what it did is durable and signed, and names it.

use audit_core::event::ActorInfo;
use audit_core::retention::{Accessed, Hold, HoldScope};

use super::{Keeper, RetentionError, RetentionPlan, RetentionReport};
use crate::config::RetentionPolicy;
use crate::logger::AuditLogger;

impl AuditLogger {
    fn kept(&self) -> Result<&Keeper, RetentionError> {
        self.keeper().ok_or(RetentionError::Disabled)
    }

    /// What [`AuditLogger::apply_retention`] would do now.
    ///
    /// # Errors
    /// [`RetentionError`]: the trail could not be looked at.
    pub fn retention_plan(&self) -> Result<RetentionPlan, RetentionError> {
        self.kept()?.plan()
    }

    /// Compresses and deletes what is due by the configuration's `retention`, on the calling thread:
    /// what the logger does by itself every `retention_interval_hours`. Takes as long as compressing
    /// takes.
    ///
    /// # Errors
    /// [`RetentionError`] when nothing more could be done; what could not be done to single segments
    /// stands in the report.
    pub fn apply_retention(&self) -> Result<RetentionReport, RetentionError> {
        let keeper = self.kept()?;
        keeper.apply(keeper.rules(), &mut |_, _| ())
    }

    /// As [`AuditLogger::apply_retention`], by other rules than the configuration's. `tell` is told how
    /// many of how many segments are compressed.
    ///
    /// # Errors
    /// As [`AuditLogger::apply_retention`], and when the rules cannot be: nothing was touched then.
    pub fn apply_retention_by(
        &self,
        policy: RetentionPolicy,
        tell: &mut dyn FnMut(u64, u64),
    ) -> Result<RetentionReport, RetentionError> {
        policy.validate()?;
        self.kept()?.apply(policy.into(), tell)
    }

    /// The legal holds in force, by the entries of the trail. Reads all of it.
    ///
    /// # Errors
    /// [`RetentionError`].
    pub fn holds(&self) -> Result<Vec<Hold>, RetentionError> {
        self.kept()?.holds()
    }

    /// Adds a legal hold: nothing in its scope is deleted until it is released. Durable and signed when
    /// this returns. Adding it again as it is, is no error. It is added to a damaged trail as well.
    ///
    /// # Errors
    /// [`RetentionError`].
    pub fn add_hold(
        &self,
        by: &ActorInfo,
        id: &str,
        scope: HoldScope,
        reason: Option<&str>,
    ) -> Result<(), RetentionError> {
        self.kept()?.add_hold(by, id, scope, reason)
    }

    /// Releases a legal hold. Durable and signed when this returns.
    ///
    /// # Errors
    /// [`RetentionError`].
    pub fn release_hold(
        &self,
        by: &ActorInfo,
        id: &str,
        reason: Option<&str>,
    ) -> Result<(), RetentionError> {
        self.kept()?.release_hold(by, id, reason)
    }

    /// Notes who reads the trail (`audit.accessed`), before they do. `command` is what reads (`query`,
    /// `export`, …), `arguments` what was asked for, `origin` the trail that is read, where this is
    /// another one. Durable and signed when this returns.
    ///
    /// # Errors
    /// [`RetentionError`].
    pub fn record_access(
        &self,
        by: &ActorInfo,
        command: &str,
        arguments: &[String],
        origin: Option<&str>,
    ) -> Result<(), RetentionError> {
        self.kept()?.record_access(&Accessed { by, command, arguments, origin })
    }
}
