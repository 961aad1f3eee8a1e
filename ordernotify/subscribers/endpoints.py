"""What can be subscribed, told apart by its form, and the options that go with it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ordernotify.errors import UsageError
from ordernotify.resources.filter_policy import FilterPolicy, Scope, parse_filter_policy
from ordernotify.settings.checks import check_email, check_phone

NOTIFICATION_ATTRIBUTES = ("eventType", "orderId")
"""The message attributes of every notification."""
FORMS = (
    "an email address (you@example.com), a phone number (+14155550100), an https URL "
    "(https://example.com/orders), or the ARN of an SQS queue (arn:aws:sqs:us-east-1:123456789012:orders) or "
    "of a Lambda function (arn:aws:lambda:us-east-1:123456789012:function:orders)"
)
_QUEUE_ARN = re.compile(r"arn:aws[a-z-]*:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,80}(\.fifo)?")
_FUNCTION_ARN = re.compile(
    r"arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]{1,140}(:[A-Za-z0-9_-]{1,128})?"
)
_URL = re.compile(r"https://[A-Za-z0-9.:\[\]-]+([/?#][!-~]*)?")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where notifications go: SNS's protocol, and the address."""

    protocol: str
    address: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """How an endpoint is to be subscribed; None leaves the policy, or raw delivery, as it is."""

    filter_policy: FilterPolicy | None = None
    scope: Scope = Scope.ATTRIBUTES
    raw: bool | None = None


def parse_endpoint(text: str) -> Endpoint:
    """Tell by its form what an endpoint is; raises UsageError with the forms that there are."""
    if _QUEUE_ARN.fullmatch(text):
        if text.endswith(".fifo"):
            raise UsageError(
                f"{text} is a FIFO queue, and SNS sends to those from FIFO topics only",
                "Use a standard queue: the stack's topic is a standard one.",
            )
        return Endpoint("sqs", text)
    if _FUNCTION_ARN.fullmatch(text):
        return Endpoint("lambda", text)
    if text.lower().startswith("http://"):
        raise UsageError(
            f"{text} is not encrypted: anybody on the way could read the orders",
            f"Serve it over TLS and give https://{text[7:]}.",
        )
    if _URL.fullmatch(text):
        return Endpoint("https", text)
    if text.startswith("+"):
        check_phone(text)
        return Endpoint("sms", text)
    if "@" in text and "/" not in text and text.isprintable():
        check_email(text)
        return Endpoint("email", text)
    raise UsageError(f"{text!r} cannot be subscribed", f"Give {FORMS}.")


def parse_wanted(
    endpoints: Sequence[Endpoint], filter_policy: str | None, scope: Scope | None, raw: bool | None
) -> Wanted:
    """Check the options against the endpoints; raises UsageError, before anything is changed."""
    if scope is not None and filter_policy is None:
        raise UsageError("--filter-scope says how --filter-policy is read", "Give both.")
    protocols = {endpoint.protocol for endpoint in endpoints}
    if raw is not None and not protocols <= {"sqs", "https"}:
        raise UsageError(
            "raw delivery exists for SQS queues and https URLs only",
            "Leave --raw-delivery out, or give only those.",
        )
    chosen = scope or Scope.ATTRIBUTES
    policy = None if filter_policy is None else parse_filter_policy(filter_policy)
    if policy and chosen is Scope.BODY and protocols & {"email", "sms"}:
        raise UsageError(
            "emails and text messages are not JSON: a filter on the body would let none of them through",
            "Use --filter-scope attributes for them.",
        )
    return Wanted(policy, chosen, raw)


def unknown_attributes(wanted: Wanted) -> list[str]:
    """Name the keys of a policy on attributes that no notification has."""
    if wanted.filter_policy is None or wanted.scope is Scope.BODY:
        return []
    return [key for key in wanted.filter_policy if key not in (*NOTIFICATION_ATTRIBUTES, "$or")]
