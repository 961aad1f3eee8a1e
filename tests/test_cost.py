"""The estimate of a month: each line follows what is described, and no AWS is needed for it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ordernotify.aws.session import Cloud
from ordernotify.cli import app
from ordernotify.cli import cost as registers_the_command
from ordernotify.settings.model import ApiKind, Settings
from ordernotify.stack import prices
from ordernotify.stack.cost import estimate
from tests.cli_support import Typed, typed
from tests.provision_support import Account, set_up
from tests.web_acls import ANY_WEB_ACL

__all__ = ["registers_the_command", "typed"]


def usd(settings: Settings, orders_per_day: int = 1000, **receivers: int) -> dict[str, float]:
    return {line.name: line.usd for line in estimate(settings, receivers, orders_per_day)}


def test_a_thousand_orders_a_day_by_hand() -> None:
    assert usd(Settings(), email=2, sms=1, sqs=3) == pytest.approx(
        {
            "alarms": 5 * 0.10,
            "custom metrics": 0,
            "REST API": 30_000 * 3.50 / 1e6,
            "Lambda invocations": 30_000 * 0.20 / 1e6,
            "Lambda time": 30_000 * 0.5 * 0.25 * 0.0000166667,
            "DynamoDB writes": 60_000 * 0.625 / 1e6,
            "DynamoDB storage": 360_000 * 700 / 1e9 * 0.25,
            "backup": 360_000 * 700 / 1e9 * 0.20,
            "logs written": 30_000 * 2_200 / 1e9 * 0.50,
            "logs kept": 30_000 * 2_200 / 1e9 * 0.03,
            "SNS publishes": 30_000 * 0.50 / 1e6,
            "emails": 60_000 * 2 / 1e5,
            "SMS": 30_000 * 0.00645,
            "SQS deliveries": 0,
        }
    )


@pytest.mark.parametrize(
    ("changed", "line", "factor"),
    [
        ({"architecture": "arm64"}, "Lambda time", 0.8),
        ({"memory": 512}, "Lambda time", 2),
        ({"log_bodies": False}, "logs written", 1_800 / 2_200),
        ({"access_logs": True}, "logs written", 2_800 / 2_200),
        ({"execution_logs": True}, "logs written", 4_200 / 2_200),
        ({"log_retention": 60}, "logs kept", 2),
    ],
)
def test_a_setting_changes_its_line_and_no_other(changed: dict[str, Any], line: str, factor: float) -> None:
    before, after = usd(Settings()), usd(Settings(**changed))
    assert after[line] == pytest.approx(before[line] * factor, rel=1e-4)
    different = {name for name in before if after[name] != before[name]}
    assert different <= {line, "logs kept"}


@pytest.mark.parametrize(
    ("added", "lines"),
    [
        ({"tracing": True}, {"X-Ray traces": 30_000 * 5 / 1e6}),
        ({"dashboard": True}, {"dashboard": 3.0}),
        ({"dead_letters": True}, {"dead letters": 0, "alarms": 6 * 0.10}),
        ({"kms_key": "alias/orders"}, {"KMS key": 1, "uses of the key": 60_000 * 0.03 / 1e4}),
        ({"waf_acl": ANY_WEB_ACL}, {"web ACL": 5, "requests to the web ACL": 30_000 * 0.60 / 1e6}),
    ],
)
def test_what_production_adds_is_a_line_each(added: dict[str, Any], lines: dict[str, float]) -> None:
    before, after = usd(Settings()), usd(Settings(**added))
    assert {name: cost for name, cost in after.items() if cost != before.get(name)} == pytest.approx(lines)


def test_an_http_api_is_cheaper() -> None:
    assert usd(Settings(api=ApiKind.HTTP))["HTTP API"] == pytest.approx(0.03)


def test_without_orders_only_what_is_fixed_costs() -> None:
    lines = usd(Settings(), 0, email=1)
    assert {name for name, cost in lines.items() if cost} == {"alarms"}


def test_every_price_has_a_date_and_a_source_of_aws() -> None:
    table = [value for value in vars(prices).values() if isinstance(value, prices.Price)]
    assert len(table) == 24
    for price in table:
        assert price.source.startswith("https://aws.amazon.com/")
        assert len(price.as_of) == len("2026-01")


def shown(*words: str) -> Any:
    done = CliRunner().invoke(app, ["cost", *words, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_the_command_prints_what_is_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ordernotify.toml").write_text('email = ["a@example.com", "b@example.com"]\napi = "http"\n')
    document = shown("--orders-per-day", "10", "--phone", "+4915112345678", "--sms-price", "0.1")
    lines = {line["name"]: line for line in document["lines"]}
    assert lines["emails"]["quantity"] == 600
    assert (lines["SMS"]["usd"], lines["SMS"]["asOf"]) == (30, "given")
    assert "HTTP API" in lines
    assert document["total"] == pytest.approx(sum(line["usd"] for line in document["lines"]))


def test_nothing_is_asked_of_aws_and_boto3_is_not_even_imported(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom ordernotify.cli import main\nsys.argv = ['ordernotify', 'cost', '--aws']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "assert not {name.partition('.')[0] for name in sys.modules} & {'boto3', 'botocore'}\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "USD a month at 100 orders a day" in done.stdout


def test_a_live_stack_is_estimated_as_it_was_set_up(account: Account, cloud: Cloud, typed: Typed) -> None:
    set_up(Settings(emails=("a@example.com", "b@example.com"), phones=("+14155550100",), memory=512), cloud)
    queue = "arn:aws:sqs:us-east-1:123456789012:q"
    account.client("sns").subscribe(
        TopicArn=cloud.arn("sns", "file-upload-notification"), Protocol="sqs", Endpoint=queue
    )
    lines = {line["name"]: line for line in json.loads(typed("cost", "--live", "--json").stdout)["lines"]}
    expected = Counter(emails=6000, SMS=3000) | Counter({"SQS deliveries": 3000})
    assert {name: lines[name]["quantity"] for name in expected} == expected
    assert "512 MB" in lines["Lambda time"]["assumption"]


def test_without_a_stack_there_is_nothing_live(account: Account, cloud: Cloud, typed: Typed) -> None:
    done = typed("cost", "--live")
    assert done.exit_code == 1
    assert "there is no stack default" in done.stderr
