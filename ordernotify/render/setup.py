"""A stack before and after `setup`: what it will be, what it costs, what it is, and what to do next."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from ordernotify.render import alert, clean, err, json_document, note, one_line, out, say
from ordernotify.render.changes import kind_word
from ordernotify.settings.model import Auth, Settings
from ordernotify.settings.names import Target
from ordernotify.settings.production import in_effect
from ordernotify.stack.answers import Answering, what_to_check
from ordernotify.stack.health import Health
from ordernotify.stack.report import Report
from ordernotify.stack.verify import TEST_ORDER

if TYPE_CHECKING:
    from ordernotify.aws.session import Cloud

EXAMPLE_ORDER = json.dumps(TEST_ORDER)


def show_outlook(kinds: Mapping[str, int], cloud: Cloud, usd: float, orders_per_day: int) -> None:
    """Print how many resources of each kind setup makes where, and what they cost in USD a month."""
    local = cloud.target is Target.LOCAL
    where = "on this machine" if local else f"in account {cloud.account}, {cloud.region}"
    words = [kind_word(kind) + (f" ({count})" if count > 1 else "") for kind, count in kinds.items()]
    note(f"`ordernotify setup` will make {sum(kinds.values())} resources {where}:")
    note(f"  {', '.join(words)}")
    if local:
        note("They cost nothing.")
    else:
        note(f"They cost about {usd:.2f} USD a month at {orders_per_day} orders a day:")
        note("  `ordernotify cost` itemises it.")


def show_written(file: Path) -> None:
    """Print where the settings are now, and what to do next."""
    say(out, f"Wrote {file}. Next: `ordernotify setup`")


def show_production(settings: Settings) -> None:
    """Print what is described beyond the defaults, unless something else was given."""
    say(err, "Production adds (prices in USD, us-east-1):")
    for one in in_effect(settings):
        say(err, f"  {one.what}: {one.cost}")


def report_document(report: Report) -> dict[str, Any]:
    """Build the JSON result of `setup` and `status`."""
    return {
        "stack": report.settings.stack,
        "target": report.target,
        "account": report.account,
        "region": report.region,
        "url": report.url,
        "dashboard": report.dashboard or None,
        "resources": [
            {"kind": item.kind, "name": item.name, "arn": item.arn, "action": str(item.action)}
            for item in report.items
        ],
        "subscriptions": [
            {"protocol": s.protocol, "endpoint": s.endpoint, "state": s.state} for s in report.subscriptions
        ],
    }


def show_report_json(
    report: Report, health: Health | None = None, api_key: str | None = None, answers: bool | None = None
) -> None:
    """Print the result of `setup`, or with its health that of `status`, as JSON; the key only where given.

    `answers` tells whether the URL answers, where that was asked.
    """
    document = report_document(report)
    if answers is not None:
        document["answers"] = answers
    if health:
        document |= _health_document(health)
    if api_key:
        document["apiKey"] = api_key
    json_document(document)


def _health_document(health: Health) -> dict[str, Any]:
    counted = health.orders
    return {
        "alarms": [{"name": a.name, "state": a.state} for a in health.alarms],
        "orders": counted and counted.orders,
        "pendingNotifications": counted and counted.pending,
        "countsComplete": counted is not None and counted.complete,
        "errors": [
            {"timestamp": e.timestamp, "message": e.message, "orderId": e.order_id}
            for e in health.errors.lines
        ],
        "errorsComplete": health.errors.complete,
    }


def show_setup_result(report: Report, seconds: float | None) -> None:
    """Print the invoke URL, a command that tries it, and what to do next.

    `seconds` is how long it took to carry the plan out; None where nothing was to be done.
    """
    what = "is as described" if seconds is None else "is ready"
    number = f"{len(report.items)} resources"
    took = "nothing to change" if seconds is None else f"{seconds:.1f} s"
    say(out, f"Stack {report.settings.stack} {what} ({number}, {took}).")
    out.print(Text.assemble(("Invoke URL: ", "bold"), report.url or "(none)"))
    out.print(curl_line(report.url or "", report.settings.auth, report.region))
    first, *others = [
        *left_to_do(report),
        "`ordernotify verify` proves the whole way on one order",
    ]
    say(out, first, ("Next: ", "bold"))
    for line in others:
        say(out, line, ("      ", ""))


def show_unanswered(seen: Answering, auth: Auth, *, as_json: bool) -> None:
    """Print what was seen at a URL where the function does not answer yet, and what to check."""
    # Beside a JSON document it goes to stderr, where --quiet must not silence it.
    console = alert if as_json else out
    status = f"{seen.last.status} " if seen.last.status else ""
    after = f"after {seen.seconds:.0f} s the last answer was"
    answer = one_line(status + seen.last.message)
    say(console, f"The function does not answer at the URL yet: {after} {answer}")
    say(console, f"  {what_to_check(seen, auth)}")
    say(console, "  The stack is complete, and may need longer: `ordernotify verify` tries it.")


_CREDENTIALS = {
    Auth.NONE: "",
    Auth.API_KEY: ' -H "x-api-key: $ORDERNOTIFY_API_KEY"',
    Auth.IAM: (
        ' --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"'
        ' -H "x-amz-security-token: $AWS_SESSION_TOKEN" --aws-sigv4 aws:amz:{region}:execute-api'
    ),
}
"""What curl adds for each kind of authorization; secrets come from the shell's variables."""


def curl_line(url: str, auth: Auth, region: str, order: str = EXAMPLE_ORDER, key: str = "") -> str:
    """Write a curl command that posts an order (JSON) and can be pasted into a POSIX shell."""
    words = ["curl", "-i", "-H", "Content-Type: application/json"]
    words += ["-H", f"Idempotency-Key: {key}"] if key else []
    words += ["-d", order, url]
    return shlex.join(words) + _CREDENTIALS[auth].format(region=region)


def left_to_do(report: Report) -> list[str]:
    """List what only the person can do."""
    lines = [
        f"{clean(s.endpoint)}: within 48 hours, `ordernotify confirm LINK` with the link of AWS's email; "
        "opening it confirms too, but not for good"
        for s in report.subscriptions
        if s.state == "pending"
    ]
    if report.settings.auth is Auth.API_KEY:
        lines.append(
            "`ordernotify status --show-key` prints the API key; curl takes it as ORDERNOTIFY_API_KEY"
        )
    if report.target == Target.AWS and report.settings.auth is Auth.NONE:
        lines.append("the API is public: whoever knows the URL can send orders; see --auth and --rate")
    if not report.subscriptions:
        lines.append("nobody is subscribed yet: `ordernotify subscribe you@example.com`")
    return lines
