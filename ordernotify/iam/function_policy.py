"""Guide step 4: the policy of the function's role."""

from __future__ import annotations

from typing import Any

from ordernotify.aws.session import Cloud
from ordernotify.settings.model import Settings


def function_policy(settings: Settings, cloud: Cloud) -> dict[str, Any]:
    """Build the function's policy document: PutItem, Publish, and writing to its own log group.

    Without logs:CreateLogGroup, so that a late log line cannot bring a deleted group back (AWS-FACTS 11).
    """
    names = settings.names
    statements = [
        ("StoreOrders", ["dynamodb:PutItem"], cloud.arn("dynamodb", f"table/{names.table}")),
        ("PublishNotifications", ["sns:Publish"], cloud.arn("sns", names.topic)),
        (
            "WriteLogs",
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            cloud.arn("logs", f"log-group:{names.log_group}:*"),
        ),
    ]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource}
            for sid, actions, resource in statements
        ],
    }
