"""Guide step 4: the policy of the function's role."""

from __future__ import annotations

from typing import Any

from ordernotify.aws.endpoints import dns_suffix
from ordernotify.aws.session import Cloud
from ordernotify.iam.kms import key_condition, key_resource
from ordernotify.settings.model import Settings

MARK_STATEMENT = "MarkOrders"
"""A given role may lack this one: the function then marks an order by PutItem."""
KEY_STATEMENT = "UseKey"
"""Its conditions are of calls that services make; nothing simulates them."""


def function_policy(settings: Settings, cloud: Cloud) -> dict[str, Any]:
    """Build the function's policy document: storing and marking orders, Publish, and its own log group.

    With a KMS key also its use by DynamoDB and SNS in the function's name.
    https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html

    With tracing also what Lambda sends traces with; X-Ray has no resources for that.
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html

    Without logs:CreateLogGroup, so that a late log line cannot bring a deleted group back (AWS-FACTS 11).
    UpdateItem may touch the mark only, and may not read the rest of the item.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
    """
    names = settings.names
    table = cloud.arn("dynamodb", f"table/{names.table}")
    statements = [
        ("StoreOrders", ["dynamodb:PutItem"], table),
        ("PublishNotifications", ["sns:Publish"], cloud.arn("sns", names.topic)),
        (
            "WriteLogs",
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            cloud.arn("logs", f"log-group:{names.log_group}:*"),
        ),
    ]
    if settings.tracing:
        statements.append(("SendTraces", ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "*"))
    mark = {
        "Sid": MARK_STATEMENT,
        "Effect": "Allow",
        "Action": ["dynamodb:UpdateItem"],
        "Resource": table,
        "Condition": {
            "ForAllValues:StringEquals": {"dynamodb:Attributes": ["FileName", "messageId", "notification"]},
            "StringEqualsIfExists": {"dynamodb:ReturnValues": ["NONE", "UPDATED_NEW", "UPDATED_OLD"]},
        },
    }
    return {
        "Version": "2012-10-17",
        "Statement": [
            *(
                {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource}
                for sid, actions, resource in statements
            ),
            mark,
            *([_use_of_key(settings, cloud)] if settings.kms_key else ()),
        ],
    }


def _use_of_key(settings: Settings, cloud: Cloud) -> dict[str, Any]:
    via = [f"{service}.{cloud.region}.{dns_suffix(cloud)}" for service in ("dynamodb", "sns")]
    return {
        "Sid": KEY_STATEMENT,
        "Effect": "Allow",
        "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
        "Resource": key_resource(settings, cloud),
        "Condition": {"StringEquals": {"kms:ViaService": via}, **key_condition(settings)},
    }
