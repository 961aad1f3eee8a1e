"""Guide step 4: the policy of the function's role."""

from __future__ import annotations

from typing import Any

from ordernotify.aws.session import Cloud
from ordernotify.settings.model import Settings

MARK_STATEMENT = "MarkOrders"
"""A given role may lack this one: the function then marks an order by PutItem."""


def function_policy(settings: Settings, cloud: Cloud) -> dict[str, Any]:
    """Build the function's policy document: storing and marking orders, Publish, and its own log group.

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
        ],
    }
