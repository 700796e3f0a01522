//! The thirty-five built-in events (EVENTS).
//!
//! What must stay true here: exactly ten are critical; types, roles and names of details are part
//! of the format, for reports and queries of years to come depend on them. Everything about an
//! event stands in its declaration, by the same derive that users' own events have.

use std::net::IpAddr;

use jiff::Timestamp;

use super::{ActorInfo, AuditResult, AuthMethod, ResourceInfo, Severity};

/// The built-in events. Every variant has a constructor of the same name in `snake_case` that
/// takes all but the timestamp.
///
/// `timestamp` is when it happened; `None` means the time of `emit`. What the other fields become in
/// the entry is in `docs/events.md`; most are members of `details` under their own names.
#[derive(Debug, Clone, PartialEq, audit_derive::AuditEvent)]
#[audit(crate = crate, constructors)]
#[expect(missing_docs, reason = "a field's name says what it is")]
pub enum AuditEvent {
    // Authentication
    /// Somebody proved who they are.
    #[audit(type = "auth.success")]
    AuthSuccess {
        timestamp: Option<Timestamp>,
        /// Who.
        #[audit(actor)]
        actor: ActorInfo,
        /// How.
        method: AuthMethod,
        /// The path asked for.
        path: String,
    },
    /// Somebody failed to prove who they are.
    #[audit(type = "auth.failure", critical, result = failure)]
    AuthFailure {
        timestamp: Option<Timestamp>,
        /// Who they claimed to be.
        #[audit(actor_id)]
        attempted_user: Option<String>,
        /// Where from.
        #[audit(actor_ip)]
        ip: IpAddr,
        /// Why.
        #[audit(reason)]
        reason: String,
        /// The path asked for.
        path: String,
    },
    /// A token was made.
    #[audit(type = "token.created")]
    TokenCreated {
        timestamp: Option<Timestamp>,
        /// Who.
        #[audit(actor)]
        actor: ActorInfo,
        #[audit(resource_id("token"))]
        token_fingerprint: String,
        scope: Vec<String>,
        expires_at: Option<Timestamp>,
    },
    /// A token was made invalid.
    #[audit(type = "token.revoked", critical)]
    TokenRevoked {
        timestamp: Option<Timestamp>,
        /// Who.
        #[audit(actor)]
        actor: ActorInfo,
        #[audit(resource_id("token"))]
        token_fingerprint: String,
        /// Why.
        #[audit(reason)]
        reason: String,
    },
    // Authorization
    /// An actor was allowed to do something.
    #[audit(type = "authz.granted")]
    AuthorizationGranted {
        timestamp: Option<Timestamp>,
        /// Who.
        #[audit(actor)]
        actor: ActorInfo,
        /// What.
        #[audit(resource)]
        resource: ResourceInfo,
        /// What they wanted to do.
        action: String,
    },
    /// An actor was not allowed to do something.
    #[audit(type = "authz.denied", result = failure)]
    AuthorizationDenied {
        timestamp: Option<Timestamp>,
        /// Who.
        #[audit(actor)]
        actor: ActorInfo,
        /// What.
        #[audit(resource)]
        resource: ResourceInfo,
        /// Why.
        #[audit(reason)]
        reason: String,
        /// What they wanted to do.
        action: String,
    },
    /// What a subject may do was changed.
    #[audit(type = "authz.permission_changed")]
    PermissionChanged {
        timestamp: Option<Timestamp>,
        /// Who.
        #[audit(actor)]
        actor: ActorInfo,
        #[audit(resource_id("subject"))]
        subject: String,
        old_permissions: Vec<String>,
        new_permissions: Vec<String>,
    },
    // Resource operations
    /// A pool was made.
    #[audit(type = "pool.created")]
    PoolCreated {
        timestamp: Option<Timestamp>,
        /// Who.
        #[audit(actor)]
        actor: ActorInfo,
        #[audit(resource_id("pool"))]
        pool_id: String,
        #[audit(parent_id)]
        node_id: String,
        model_ref: String,
        replicas: u32,
        gpu_devices: Vec<u32>,
    },
    /// A pool was removed.
    #[audit(type = "pool.deleted")]
    PoolDeleted {
        timestamp: Option<Timestamp>,
        /// Who.
        #[audit(actor)]
        actor: ActorInfo,
        #[audit(resource_id("pool"))]
        pool_id: String,
        #[audit(parent_id)]
        node_id: String,
        /// Why.
        #[audit(reason)]
        reason: String,
        model_ref: String,
        replicas_terminated: u32,
    },
    /// A pool was changed.
    #[audit(type = "pool.modified")]
    PoolModified {
        timestamp: Option<Timestamp>,
        /// Who.
        #[audit(actor)]
        actor: ActorInfo,
        #[audit(resource_id("pool"))]
        pool_id: String,
        #[audit(json = any)]
        changes: serde_json::Value,
    },
    /// A node joined.
    #[audit(type = "node.registered")]
    NodeRegistered {
        timestamp: Option<Timestamp>,
        /// Who.
        #[audit(actor)]
        actor: ActorInfo,
        #[audit(resource_id("node"))]
        node_id: String,
        gpu_count: u32,
        total_vram_gb: u64,
        capabilities: Vec<String>,
    },
    /// A node left.
    #[audit(type = "node.deregistered")]
    NodeDeregistered {
        timestamp: Option<Timestamp>,
        /// Who.
        #[audit(actor)]
        actor: ActorInfo,
        #[audit(resource_id("node"))]
        node_id: String,
        /// Why.
        #[audit(reason)]
        reason: String,
        pools_affected: Vec<String>,
    },
    /// A task was handed in; its prompt appears as length and hash only.
    #[audit(type = "task.submitted")]
    TaskSubmitted {
        timestamp: Option<Timestamp>,
        /// Who.
        #[audit(actor)]
        actor: ActorInfo,
        #[audit(resource_id("task"))]
        task_id: String,
        model_ref: String,
        prompt_length: u64,
        prompt_hash: String,
        max_tokens: u32,
    },
    /// A worker finished a task.
    #[audit(type = "task.completed")]
    TaskCompleted {
        timestamp: Option<Timestamp>,
        #[audit(actor_id)]
        worker_id: String,
        #[audit(resource_id("task"))]
        task_id: String,
        /// How it ended.
        #[audit(result)]
        result: AuditResult,
        tokens_generated: u64,
        duration_ms: u64,
    },
    /// A task was called off.
    #[audit(type = "task.canceled")]
    TaskCanceled {
        timestamp: Option<Timestamp>,
        /// Who.
        #[audit(actor)]
        actor: ActorInfo,
        #[audit(resource_id("task"))]
        task_id: String,
        /// Why.
        #[audit(reason)]
        reason: String,
    },
    // VRAM operations
    /// A shard was sealed in VRAM.
    #[audit(type = "vram.sealed")]
    VramSealed {
        timestamp: Option<Timestamp>,
        #[audit(actor_id)]
        worker_id: String,
        #[audit(resource_id("shard"))]
        shard_id: String,
        gpu_device: u32,
        vram_bytes: u64,
        digest: String,
    },
    /// A seal was found intact.
    #[audit(type = "seal.verified")]
    SealVerified {
        timestamp: Option<Timestamp>,
        #[audit(actor_id)]
        worker_id: String,
        #[audit(resource_id("shard"))]
        shard_id: String,
    },
    /// A seal was found broken.
    #[audit(type = "seal.verification_failed", critical, result = failure)]
    SealVerificationFailed {
        timestamp: Option<Timestamp>,
        #[audit(actor_id)]
        worker_id: String,
        #[audit(resource_id("shard"))]
        shard_id: String,
        /// Why.
        #[audit(reason)]
        reason: String,
        expected_digest: String,
        actual_digest: String,
        /// How bad it is.
        severity: Severity,
    },
    /// VRAM was given out.
    #[audit(type = "vram.allocated")]
    VramAllocated {
        timestamp: Option<Timestamp>,
        #[audit(actor_id)]
        worker_id: String,
        #[audit(resource_id("gpu"))]
        gpu_device: u32,
        requested_bytes: u64,
        allocated_bytes: u64,
        available_bytes: u64,
        used_bytes: u64,
    },
    /// VRAM could not be given out.
    #[audit(type = "vram.allocation_failed", result = failure)]
    VramAllocationFailed {
        timestamp: Option<Timestamp>,
        #[audit(actor_id)]
        worker_id: String,
        #[audit(resource_id("gpu"))]
        gpu_device: u32,
        /// Why.
        #[audit(reason)]
        reason: String,
        requested_bytes: u64,
        available_bytes: u64,
    },
    /// VRAM was given back.
    #[audit(type = "vram.deallocated")]
    VramDeallocated {
        timestamp: Option<Timestamp>,
        #[audit(actor_id)]
        worker_id: String,
        #[audit(resource_id("shard"))]
        shard_id: String,
        freed_bytes: u64,
        remaining_used: u64,
        gpu_device: u32,
    },
    // Security incidents
    /// Somebody asked too often.
    #[audit(type = "security.rate_limit_exceeded", result = failure)]
    RateLimitExceeded {
        timestamp: Option<Timestamp>,
        /// Where from.
        #[audit(actor_ip)]
        ip: IpAddr,
        #[audit(resource_id("endpoint"))]
        endpoint: String,
        limit: u32,
        actual: u32,
        window_seconds: u32,
    },
    /// Somebody tried to leave a directory.
    #[audit(type = "security.path_traversal_attempt", critical, result = failure)]
    PathTraversalAttempt {
        timestamp: Option<Timestamp>,
        /// Who.
        #[audit(actor)]
        actor: ActorInfo,
        #[audit(resource_id("endpoint"))]
        endpoint: String,
        attempted_path: String,
    },
    /// Somebody used a token that is none; at most 8 characters of it are recorded.
    #[audit(type = "security.invalid_token_used", critical, result = failure)]
    InvalidTokenUsed {
        timestamp: Option<Timestamp>,
        /// Where from.
        #[audit(actor_ip)]
        ip: IpAddr,
        #[audit(resource_id("endpoint"))]
        endpoint: String,
        token_prefix: String,
    },
    /// A policy was broken.
    #[audit(type = "security.policy_violation", critical, result = failure)]
    PolicyViolation {
        timestamp: Option<Timestamp>,
        #[audit(actor_id)]
        worker_id: String,
        #[audit(resource_id("policy"))]
        policy: String,
        violation: String,
        details: String,
        /// How bad it is.
        severity: Severity,
        /// What was done about it.
        action_taken: String,
    },
    /// Somebody behaved oddly; `risk_score` is 0 to 100.
    #[audit(type = "security.suspicious_activity", critical, result = failure)]
    SuspiciousActivity {
        timestamp: Option<Timestamp>,
        /// Who.
        #[audit(actor)]
        actor: ActorInfo,
        activity_type: String,
        details: String,
        risk_score: u8,
    },
    /// Something is not what it was.
    #[audit(type = "security.integrity_violation", critical, result = failure)]
    IntegrityViolation {
        timestamp: Option<Timestamp>,
        #[audit(actor_id)]
        worker_id: Option<String>,
        #[audit(resource_type)]
        resource_type: String,
        #[audit(resource_id)]
        resource_id: String,
        expected_hash: String,
        actual_hash: String,
        /// How bad it is.
        severity: Severity,
        /// What was done about it.
        action_taken: String,
    },
    /// A model was refused.
    #[audit(type = "security.malformed_model_rejected", critical, result = failure)]
    MalformedModelRejected {
        timestamp: Option<Timestamp>,
        #[audit(actor_id)]
        worker_id: Option<String>,
        #[audit(resource_id("model"))]
        model_ref: String,
        validation_error: String,
        /// How bad it is.
        severity: Severity,
        /// What was done about it.
        action_taken: String,
    },
    /// A limit was broken.
    #[audit(type = "security.resource_limit_violation", critical, result = failure)]
    ResourceLimitViolation {
        timestamp: Option<Timestamp>,
        #[audit(actor_id)]
        worker_id: Option<String>,
        #[audit(resource_type, resource_id)]
        resource_type: String,
        limit_type: String,
        limit_value: u64,
        actual_value: u64,
        /// How bad it is.
        severity: Severity,
        /// What was done about it.
        action_taken: String,
    },
    // Data access (GDPR)
    /// An inference ran on a customer's data.
    #[audit(type = "data.inference_executed")]
    InferenceExecuted {
        timestamp: Option<Timestamp>,
        #[audit(actor_id)]
        customer_id: String,
        #[audit(resource_id("job"))]
        job_id: String,
        /// How it ended.
        #[audit(result)]
        result: AuditResult,
        model_ref: String,
        tokens_processed: u64,
        provider_id: Option<String>,
    },
    /// A customer's access to a model.
    #[audit(type = "data.model_accessed")]
    ModelAccessed {
        timestamp: Option<Timestamp>,
        #[audit(actor_id)]
        customer_id: String,
        #[audit(resource_id("model"))]
        model_ref: String,
        access_type: String,
        provider_id: Option<String>,
    },
    /// A customer's data was deleted.
    #[audit(type = "data.deleted")]
    DataDeleted {
        timestamp: Option<Timestamp>,
        #[audit(resource_id("customer"))]
        customer_id: String,
        /// Why.
        #[audit(reason)]
        reason: String,
        data_types: Vec<String>,
    },
    // Compliance
    /// A customer's data was asked for (GDPR article 15).
    #[audit(type = "compliance.gdpr_data_access_request")]
    GdprDataAccessRequest {
        timestamp: Option<Timestamp>,
        #[audit(actor_id)]
        requester: String,
        #[audit(resource_id("customer"))]
        customer_id: String,
        scope: Vec<String>,
    },
    /// A customer's data was handed over (GDPR article 20).
    #[audit(type = "compliance.gdpr_data_export")]
    GdprDataExport {
        timestamp: Option<Timestamp>,
        #[audit(resource_id("customer"))]
        customer_id: String,
        data_types: Vec<String>,
        export_format: String,
        file_hash: String,
    },
    /// A customer's data was erased (GDPR article 17).
    #[audit(type = "compliance.gdpr_right_to_erasure")]
    GdprRightToErasure {
        timestamp: Option<Timestamp>,
        #[audit(resource_id("customer"))]
        customer_id: String,
        completed_at: Timestamp,
        data_types_deleted: Vec<String>,
    },
}
