"""What AWS charges in us-east-1, as published; nothing is read from AWS."""

from __future__ import annotations

from dataclasses import dataclass

REGION = "us-east-1"
_CLOUDWATCH = "https://aws.amazon.com/cloudwatch/pricing/"
_API_GATEWAY = "https://aws.amazon.com/api-gateway/pricing/"
_LAMBDA = "https://aws.amazon.com/lambda/pricing/"
_DYNAMODB = "https://aws.amazon.com/dynamodb/pricing/on-demand/"
_SNS = "https://aws.amazon.com/sns/pricing/"
_KMS = "https://aws.amazon.com/kms/pricing/"
_XRAY = "https://aws.amazon.com/xray/pricing/"
_SQS = "https://aws.amazon.com/sqs/pricing/"
_WAF = "https://aws.amazon.com/waf/pricing/"
_SMS = "https://aws.amazon.com/end-user-messaging/pricing/"


@dataclass(frozen=True, slots=True)
class Price:
    """USD for one unit in the first tier, without free allowances; `as_of` is the month it was published."""

    usd: float
    unit: str
    source: str
    as_of: str


ALARM = Price(0.10, "alarm and month", _CLOUDWATCH, "2026-02")
DASHBOARD = Price(3.00, "dashboard and month", _CLOUDWATCH, "2026-02")
"""Beyond three in an account, which are free."""
METRIC = Price(0.30, "metric and month", _CLOUDWATCH, "2026-02")
KEY = Price(1.00, "key and month", _KMS, "2026-02")
KEY_USE = Price(0.03 / 1e4, "request", _KMS, "2026-02")
TRACE = Price(5.00 / 1e6, "trace", _XRAY, "2026-02")
"""Beyond 100,000 a month, which are free."""
QUEUE_REQUEST = Price(0.40 / 1e6, "request", _SQS, "2026-02")
"""Beyond a million a month, which are free."""
WEB_ACL = Price(5.00, "web ACL and month", _WAF, "2026-02")
"""Without its rules, at 1 USD each."""
WEB_ACL_REQUEST = Price(0.60 / 1e6, "request", _WAF, "2026-02")
LOGS_WRITTEN = Price(0.50, "GB", _CLOUDWATCH, "2026-02")
LOGS_STORED = Price(0.03, "GB and month", _CLOUDWATCH, "2026-02")
REST_REQUEST = Price(3.50 / 1e6, "request", _API_GATEWAY, "2026-01")
HTTP_REQUEST = Price(1.00 / 1e6, "request", _API_GATEWAY, "2026-01")
INVOCATION = Price(0.20 / 1e6, "invocation", _LAMBDA, "2026-03")
GB_SECOND_X86 = Price(0.0000166667, "GB-second", _LAMBDA, "2026-03")
GB_SECOND_ARM = Price(0.0000133334, "GB-second", _LAMBDA, "2026-03")
WRITE = Price(0.625 / 1e6, "write unit", _DYNAMODB, "2025-07")
TABLE_STORED = Price(0.25, "GB and month", _DYNAMODB, "2025-07")
BACKUP = Price(0.20, "GB and month", _DYNAMODB, "2025-07")
PUBLISH = Price(0.50 / 1e6, "publish", _SNS, "2026-06")
EMAIL = Price(2.00 / 1e5, "email", _SNS, "2026-06")
HTTPS = Price(0.60 / 1e6, "delivery", _SNS, "2026-06")
TO_AWS = Price(0.0, "delivery", _SNS, "2026-06")
SMS = Price(0.00645, "message part", _SMS, "2025-01")
"""To the United States, without the carriers' fees; other countries cost up to a hundred times as much."""
