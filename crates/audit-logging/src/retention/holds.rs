//! Legal holds of an open trail, and the accesses that are noted in it.
//!
//! What must stay true here: a hold is looked for and recorded while nothing else is done, so a deletion
//! sees it or comes before it; what is said to be recorded is durable and signed.

use audit_core::event::ActorInfo;
use audit_core::retention::{
    Accessed, Hold, HoldAdded, HoldError, HoldReleased, HoldScope, Holds, is_hold_id,
};

use super::RetentionError;
use super::keeper::Keeper;

impl Keeper {
    /// The holds in force.
    pub(crate) fn holds(&self) -> Result<Vec<Hold>, RetentionError> {
        let _alone = self.begin()?;
        Ok(self.said()?.holds.in_force().to_vec())
    }

    /// Adds a hold: durable and signed when this returns. One that is in force as it is asked for is no
    /// error. It is added to a damaged trail, too.
    pub(crate) fn add_hold(
        &self,
        by: &ActorInfo,
        id: &str,
        scope: HoldScope,
        reason: Option<&str>,
    ) -> Result<(), RetentionError> {
        if !is_hold_id(id) {
            return Err(HoldError::BadId.into());
        }
        if scope.is_empty() {
            return Err(HoldError::EmptyScope.into());
        }
        let _alone = self.begin()?;
        let holds = match self.said() {
            Ok(said) => said.holds,
            // A damaged trail is when a hold is needed most, and one that is added deletes nothing. What
            // is in force there is not known; a hold that stands twice is released by one release.
            Err(error) if error.is_doubt() || matches!(error, RetentionError::Io { .. }) => {
                tracing::warn!(%error, hold = id, "a hold is added to a trail that is not whole");
                Holds::default()
            }
            Err(error) => return Err(error),
        };
        match holds.get(id) {
            Some(hold) if hold.scope == scope => Ok(()),
            Some(_) => Err(HoldError::Exists(id.to_owned()).into()),
            None => self.record(&HoldAdded { by, hold: id, scope, reason }),
        }
    }

    /// Releases a hold: durable and signed when this returns.
    pub(crate) fn release_hold(
        &self,
        by: &ActorInfo,
        id: &str,
        reason: Option<&str>,
    ) -> Result<(), RetentionError> {
        let _alone = self.begin()?;
        match self.said()?.holds.get(id) {
            Some(_) => self.record(&HoldReleased { by, hold: id, reason }),
            None => Err(HoldError::Unknown(id.to_owned()).into()),
        }
    }

    /// Notes who reads the trail: durable and signed when this returns.
    pub(crate) fn record_access(&self, access: &Accessed<'_>) -> Result<(), RetentionError> {
        let _alone = self.begin()?;
        self.record_by(&self.policy, access)
    }
}
