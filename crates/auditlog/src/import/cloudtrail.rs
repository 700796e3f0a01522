//! AWS CloudTrail: record contents of version 1.0x.
//!
//! What must stay true here: a record without `eventName` and `eventTime` is none.

use super::draft::{Draft, event_type};
use super::object::Members;

/// Parameters of a request that name what it is about, and what kind of thing that is.
const NAMED: [(&str, &str); 16] = [
    ("bucketName", "s3_bucket"),
    ("userName", "iam_user"),
    ("roleName", "iam_role"),
    ("roleArn", "iam_role"),
    ("groupName", "group"),
    ("policyArn", "iam_policy"),
    ("instanceId", "ec2_instance"),
    ("functionName", "lambda_function"),
    ("keyId", "kms_key"),
    ("secretId", "secret"),
    ("tableName", "table"),
    ("dBInstanceIdentifier", "db_instance"),
    ("groupId", "security_group"),
    ("trailName", "trail"),
    ("stackName", "stack"),
    ("name", "name"),
];

pub(super) fn draft(mut record: Members) -> Result<Draft, String> {
    if record.has("digestS3Object") {
        return Err(
            "a digest file of CloudTrail, which is no log; give the files of the log".into()
        );
    }
    let name = record.text("eventName").ok_or("no eventName: not a record of CloudTrail")?;
    let source = record.text("eventSource").unwrap_or_default();
    let service = source.strip_suffix(".amazonaws.com").unwrap_or(&source).to_owned();
    let mut draft = Draft {
        timestamp: Some(record.take_text("eventTime").ok_or("no eventTime")?),
        ip: record.take_text("sourceIPAddress"),
        request_id: record.take_text("requestID"),
        ..Draft::default()
    };
    who(&mut record, &mut draft);
    what(&mut record, &mut draft);
    draft.reason = record.take_text("errorCode");
    let mut failed = draft.reason.is_some();
    if name == "ConsoleLogin" {
        let said = record.inside("responseElements", |elements| elements.text("ConsoleLogin"));
        failed |= said.flatten().as_deref() == Some("Failure");
        if failed && draft.reason.is_none() {
            draft.reason = record.take_text("errorMessage");
        }
    }
    draft.result = Some(if failed { "failure" } else { "success" });
    draft.event_type = match (name.as_str(), failed) {
        ("ConsoleLogin", true) => "auth.failure".to_owned(),
        ("ConsoleLogin", false) => "auth.success".to_owned(),
        _ => event_type(&["aws", &service, &name]),
    };
    draft.details = record;
    Ok(draft)
}

fn who(record: &mut Members, draft: &mut Draft) {
    record.inside("userIdentity", |identity| {
        let names =
            ["arn", "userName", "principalId", "invokedBy", "accountId", "identityProvider"];
        draft.user_id = identity.take_first(&names);
    });
}

fn what(record: &mut Members, draft: &mut Draft) {
    record.first_inside("resources", |resource| {
        draft.resource_id = resource.take_first(&["ARN", "arn", "resourceName"]);
        if draft.resource_id.is_none() {
            // What says of what kind a nameless thing is stays with it, in the details.
            return;
        }
        draft.resource_type = resource.take_first(&["type", "resourceType"]);
        draft.parent_id = resource.take_text("accountId");
    });
    if draft.resource_id.is_some() {
        return;
    }
    let named = record.inside("requestParameters", |parameters| {
        NAMED
            .iter()
            .find_map(|(name, kind)| Some((parameters.text(name)?, *kind, parameters.text("key"))))
    });
    if let Some((id, kind, key)) = named.flatten() {
        draft.resource_type = Some(kind.to_owned());
        match key.filter(|_| kind == "s3_bucket") {
            Some(key) => {
                draft.resource_type = Some("s3_object".to_owned());
                draft.resource_id = Some(format!("{id}/{key}"));
                draft.parent_id = Some(id);
            }
            None => draft.resource_id = Some(id),
        }
    }
}
