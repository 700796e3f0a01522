//! What kind of action an event type is, to a report.
//!
//! What must stay true here: by the type's name alone, so that anybody can ask the trail the same
//! question; the patterns of a class are said in every report. A type that no pattern names is in no
//! class, and is counted with all the others only.

use std::collections::HashMap;

use crate::TypeGlob;

macro_rules! classes {
    ($($(#[$doc:meta])* $name:ident: $label:literal [$($pattern:literal),* $(,)?]),* $(,)?) => {
        /// A kind of action.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(usize)]
        pub(super) enum Class { $($(#[$doc])* $name),* }

        impl Class {
            pub(super) const ALL: &[Class] = &[$(Class::$name),*];

            /// What a report calls it.
            pub(super) const fn label(self) -> &'static str {
                match self { $(Class::$name => $label),* }
            }

            /// The types it has.
            pub(super) const fn patterns(self) -> &'static [&'static str] {
                match self { $(Class::$name => &[$($pattern),*]),* }
            }
        }
    };
}

classes! {
    /// Somebody proved who they are, or could not.
    Login: "logins" ["auth.*", "auditd.user_auth", "auditd.user_start", "aws.signin.*", "aws.sts.assume_role*"],
    /// What a login is made with was made, changed or taken away.
    Credential: "credentials made, changed or revoked" [
        "token.*", "aws.iam.create_*access_key*", "aws.iam.update_*access_key*",
        "aws.iam.delete_*access_key*", "aws.iam.create_*login_profile*",
        "aws.iam.update_*login_profile*", "aws.iam.delete_*login_profile*",
        "aws.iam.create_*mfa_device*", "aws.iam.enable_*mfa_device*",
        "aws.iam.deactivate_*mfa_device*", "aws.iam.delete_*mfa_device*", "aws.iam.resync_*mfa_device*",
        "aws.iam.change_*password*", "aws.iam.update_*password*", "aws.iam.delete_*password*",
        "auditd.user_chauthtok", "auditd.acct_*", "k8s.serviceaccounts_token.create",
        "ocsf.account_change.*",
    ],
    /// Who may do what was changed.
    Rights: "permissions and roles changed" [
        "authz.permission_changed",
        "aws.iam.create_*policy*", "aws.iam.put_*policy*", "aws.iam.attach_*policy*",
        "aws.iam.detach_*policy*", "aws.iam.delete_*policy*", "aws.iam.update_*policy*",
        "aws.iam.set_*policy*", "aws.iam.create_*role*", "aws.iam.put_*role*", "aws.iam.delete_*role*",
        "aws.iam.update_*role*", "aws.iam.add_*role*", "aws.iam.remove_*role*",
        "aws.iam.create_*group*", "aws.iam.put_*group*", "aws.iam.delete_*group*",
        "aws.iam.update_*group*", "aws.iam.add_*group*", "aws.iam.remove_*group*",
        "k8s.roles.create", "k8s.roles.update", "k8s.roles.patch", "k8s.roles.delete*",
        "k8s.clusterroles.create", "k8s.clusterroles.update", "k8s.clusterroles.patch",
        "k8s.clusterroles.delete*", "k8s.rolebindings.create", "k8s.rolebindings.update",
        "k8s.rolebindings.patch", "k8s.rolebindings.delete*", "k8s.clusterrolebindings.create",
        "k8s.clusterrolebindings.update", "k8s.clusterrolebindings.patch",
        "k8s.clusterrolebindings.delete*",
        "auditd.*role*", "auditd.*group*", "auditd.user_mgmt", "ocsf.user_access_management.*",
        "ocsf.group_management.*",
    ],
    /// An account came or went.
    Account: "accounts made or removed" [
        "aws.iam.create_user", "aws.iam.delete_user", "auditd.add_user", "auditd.del_user",
        "k8s.serviceaccounts.create", "k8s.serviceaccounts.delete*",
        "user.created", "user.deleted", "user.disabled",
    ],
    /// Access was refused by a decision.
    Denied: "access denied" ["authz.denied"],
    /// Access was granted by a decision.
    Granted: "access granted" ["authz.granted"],
    /// Something of the system was made, changed or removed.
    Change: "system objects made, changed or removed" [
        "pool.*", "node.*", "*.created", "*.deleted", "*.modified", "*.updated",
        "k8s.*.create", "k8s.*.update", "k8s.*.patch", "k8s.*.delete*",
        "aws.*.create_*", "aws.*.delete_*", "aws.*.put_*", "aws.*.update_*", "aws.*.modify_*",
        "aws.*.run_*", "aws.*.terminate_*", "auditd.config_change", "ocsf.entity_management.*",
    ],
    /// Only people with special rights can do it. Who looks is not among them but where looking is the
    /// deed: a secret that was read is out. Using a key (`Decrypt`, `Sign`) is no administration of it.
    Privileged: "privileged actions" [
        "authz.permission_changed", "token.created", "token.revoked", "pool.created", "pool.deleted",
        "pool.modified", "node.*", "data.deleted", "compliance.*", "aws.iam.create_*",
        "aws.iam.put_*", "aws.iam.attach_*", "aws.iam.detach_*", "aws.iam.delete_*", "aws.iam.update_*",
        "aws.iam.add_*", "aws.iam.remove_*", "aws.iam.set_*", "aws.iam.enable_*",
        "aws.iam.deactivate_*", "aws.iam.upload_*",
        "aws.kms.create_*", "aws.kms.put_*", "aws.kms.update_*", "aws.kms.delete_*",
        "aws.kms.schedule_*", "aws.kms.cancel_*", "aws.kms.disable_*", "aws.kms.enable_*",
        "aws.kms.import_*", "aws.kms.replicate_*", "aws.kms.revoke_*", "aws.kms.retire_*",
        "aws.kms.rotate_*", "aws.kms.synchronize_*", "aws.kms.connect_*", "aws.kms.disconnect_*",
        "aws.kms.tag_*", "aws.kms.untag_*",
        "aws.cloudtrail.create_*", "aws.cloudtrail.put_*", "aws.cloudtrail.update_*",
        "aws.cloudtrail.delete_*", "aws.cloudtrail.start_logging", "aws.cloudtrail.start_import",
        "aws.cloudtrail.start_event_*", "aws.cloudtrail.stop_*", "aws.cloudtrail.restore_*",
        "aws.cloudtrail.register_*", "aws.cloudtrail.deregister_*", "aws.cloudtrail.enable_*",
        "aws.cloudtrail.disable_*", "aws.cloudtrail.add_*", "aws.cloudtrail.remove_*",
        "aws.organizations.create_*", "aws.organizations.put_*", "aws.organizations.update_*",
        "aws.organizations.delete_*", "aws.organizations.attach_*", "aws.organizations.detach_*",
        "aws.organizations.enable_*", "aws.organizations.disable_*", "aws.organizations.invite_*",
        "aws.organizations.accept_*", "aws.organizations.decline_*", "aws.organizations.cancel_*",
        "aws.organizations.move_*", "aws.organizations.remove_*", "aws.organizations.leave_*",
        "aws.organizations.close_*", "aws.organizations.register_*",
        "aws.organizations.deregister_*", "aws.organizations.tag_*", "aws.organizations.untag_*",
        "k8s.secrets.*", "k8s.pods_exec.*",
        "k8s.pods_attach.*", "k8s.roles.create", "k8s.roles.update", "k8s.roles.patch",
        "k8s.roles.delete*", "k8s.clusterroles.create", "k8s.clusterroles.update",
        "k8s.clusterroles.patch", "k8s.clusterroles.delete*", "k8s.rolebindings.create",
        "k8s.rolebindings.update", "k8s.rolebindings.patch", "k8s.rolebindings.delete*",
        "k8s.clusterrolebindings.create", "k8s.clusterrolebindings.update",
        "k8s.clusterrolebindings.patch", "k8s.clusterrolebindings.delete*", "auditd.user_cmd", "auditd.add_*", "auditd.del_*",
        "auditd.config_change", "auditd.user_mgmt", "auditd.role_*",
    ],
    /// Something that somebody must look into.
    Incident: "security incidents" ["security.*", "seal.verification_failed", "auditd.anom_*", "ocsf.*finding*"],
    /// Code or a model that is not what it should be.
    Malware: "rejected or altered software" [
        "security.malformed_model_rejected", "security.integrity_violation", "seal.verification_failed",
    ],
    /// Personal data was used.
    PersonalData: "uses of personal data" ["data.inference_executed", "data.model_accessed", "*.record_viewed"],
    /// A person asked what is held about them.
    SubjectAccess: "access requests" ["compliance.gdpr_data_access_request"],
    /// A person's data was handed over.
    SubjectExport: "data exports" ["compliance.gdpr_data_export"],
    /// A person's data was deleted.
    Erasure: "erasures" ["data.deleted", "compliance.gdpr_right_to_erasure"],
    /// Somebody read the trail.
    LogAccess: "reads of this trail" ["audit.accessed"],
    /// The trail was begun, or its writing began or ended.
    LogLifecycle: "starts and stops of this trail" ["audit.trail_created", "audit.opened", "audit.closed", "audit.recovered"],
    /// The key that signs the trail was replaced.
    KeyRotation: "replaced signing keys" ["audit.key_rotated"],
    /// The trail says of itself that it is alive.
    Control: "entries of the trail about itself" ["audit.*"],
}

impl Class {
    /// Whether its entries are what the trail says of itself, and of nobody in particular.
    pub(super) const fn is_of_trail(self) -> bool {
        use Class::{Control, KeyRotation, LogAccess, LogLifecycle};
        matches!(self, Control | KeyRotation | LogAccess | LogLifecycle)
    }
}

/// Which classes a type is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Classes(u32);

impl Classes {
    pub(super) const fn has(self, class: Class) -> bool {
        self.0 & 1 << class as usize != 0
    }

    pub(super) const fn set(&mut self, class: Class) {
        self.0 |= 1 << class as usize;
    }

    pub(super) fn all(self) -> impl Iterator<Item = Class> {
        Class::ALL.iter().copied().filter(move |class| self.has(*class))
    }
}

/// Patterns as they were asked for and as they are built in. Types come again and again, so what
/// was found out is kept.
#[derive(Debug)]
pub(super) struct Classifier {
    patterns: Vec<(Class, TypeGlob)>,
    known: HashMap<Box<str>, Classes>,
}

/// Types that are kept; a trail with more is slower to read, not wrong.
const KNOWN: usize = 16_384;

impl Classifier {
    /// The built-in patterns, and these.
    pub(super) fn new(privileged: &[String], incidents: &[String]) -> Classifier {
        let built_in = Class::ALL.iter().flat_map(|class| {
            class.patterns().iter().map(|pattern| (*class, TypeGlob::new(pattern)))
        });
        let own = |class, globs: &[String]| {
            globs.iter().map(|glob| (class, TypeGlob::new(glob))).collect::<Vec<_>>()
        };
        let mut patterns: Vec<_> = built_in.collect();
        patterns.extend(own(Class::Privileged, privileged));
        patterns.extend(own(Class::Incident, incidents));
        Classifier { patterns, known: HashMap::new() }
    }

    pub(super) fn classes(&mut self, event_type: &str) -> Classes {
        if let Some(classes) = self.known.get(event_type) {
            return *classes;
        }
        let mut classes = Classes::default();
        for (class, glob) in &self.patterns {
            if glob.matches(event_type) {
                classes.set(*class);
            }
        }
        if self.known.len() < KNOWN {
            self.known.insert(event_type.into(), classes);
        }
        classes
    }
}

/// Words that services use for a refused access.
const DENIALS: [&str; 11] = [
    "AccessDenied",
    "AccessDeniedException",
    "Client.UnauthorizedOperation",
    "UnauthorizedOperation",
    "Forbidden",
    "forbidden",
    "EACCES",
    "EPERM",
    "access_denied",
    "permission_denied",
    "insufficient_permissions",
];

/// Whether a failure with this reason was a refusal of access.
pub(super) fn is_denial(reason: &str) -> bool {
    DENIALS.contains(&reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_what_their_names_say() {
        let mut classifier = Classifier::new(&["payment.*".to_owned()], &[]);
        let mut is = |event_type: &str, class| classifier.classes(event_type).has(class);
        assert!(is("auth.failure", Class::Login) && !is("authz.denied", Class::Login));
        assert!(is("security.policy_violation", Class::Incident));
        assert!(
            is("payment.released", Class::Privileged) && !is("task.submitted", Class::Privileged)
        );
        assert!(is("audit.accessed", Class::LogAccess) && is("audit.accessed", Class::Control));
        assert!(is("k8s.pods.create", Class::Change) && is("aws.iam.create_user", Class::Account));
        assert!(is("aws.iam.attach_role_policy", Class::Rights));
        assert!(is("k8s.rolebindings.deletecollection", Class::Rights));
        assert!(is("auditd.acct_lock", Class::Credential));
        for event_type in [
            "aws.kms.schedule_key_deletion",
            "aws.kms.put_key_policy",
            "aws.kms.create_grant",
            "aws.cloudtrail.stop_logging",
            "aws.cloudtrail.put_event_selectors",
            "aws.organizations.attach_policy",
            "aws.organizations.leave_organization",
            "k8s.secrets.get",
        ] {
            assert!(is(event_type, Class::Privileged), "{event_type}");
        }
        // Who looks changes nothing.
        for event_type in [
            "aws.iam.list_access_keys",
            "aws.iam.get_role",
            "aws.iam.list_attached_role_policies",
            "aws.iam.get_user",
            "aws.iam.get_account_password_policy",
            "k8s.roles.list",
            "k8s.clusterrolebindings.watch",
            "k8s.serviceaccounts.get",
            "auditd.user_acct",
            "aws.kms.describe_key",
            "aws.kms.list_keys",
            "aws.kms.get_key_policy",
            "aws.kms.decrypt",
            "aws.kms.generate_data_key",
            "aws.cloudtrail.lookup_events",
            "aws.cloudtrail.describe_trails",
            "aws.cloudtrail.get_trail_status",
            "aws.cloudtrail.start_query",
            "aws.organizations.describe_organization",
            "aws.organizations.list_accounts",
        ] {
            let changes = [Class::Credential, Class::Rights, Class::Account, Class::Privileged];
            assert!(changes.iter().all(|class| !is(event_type, *class)), "{event_type}");
        }
        assert!(Class::ALL.len() <= 32);
    }
}
