"""`logs` and `trace` through the command line, with an account in memory."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ordernotify import times
from ordernotify.aws import waiting
from ordernotify.aws.session import Cloud
from ordernotify.cli import app
from ordernotify.cli import logs as commands
from ordernotify.settings.names import Names
from tests.frozen_time import frozen
from tests.test_trace import put

__all__ = ["frozen"]

pytestmark = pytest.mark.usefixtures("frozen")
REGISTERED = (commands.logs, commands.trace)

ORDER = "08b0a94b"
REQUEST = "84030486-11dc-4d4e-ba4e-dfa543f8b046"


def run(*args: str) -> Result:
    environ = {"AWS_DEFAULT_REGION": "us-east-1", "NO_COLOR": "1"}
    return CliRunner().invoke(app, [args[0], "--aws", *args[1:]], env=environ, prog_name="ordernotify")


def now() -> int:
    return times.milliseconds(times.now())


def log(cloud: Cloud, *messages: str, ago: int = 60_000, group: str = "") -> None:
    """Put messages into a group's stream, a millisecond apart."""
    name = group or Names().log_group
    if not cloud.logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]:
        cloud.logs.create_log_group(logGroupName=name)
        cloud.logs.create_log_stream(logGroupName=name, logStreamName="stream")
    begin = now() - ago
    cloud.logs.put_log_events(
        logGroupName=name,
        logStreamName="stream",
        logEvents=[{"timestamp": begin + each, "message": text} for each, text in enumerate(messages)],
    )


def one_request(**answer: Any) -> list[str]:
    response = {"level": "INFO", "event": "response", "requestId": REQUEST, "orderId": ORDER, **answer}
    return [
        f"START RequestId: {REQUEST} Version: $LATEST\n",
        json.dumps({"level": "INFO", "event": "request", "requestId": REQUEST, "apiRequestId": "api-1"}),
        json.dumps(response),
        f"END RequestId: {REQUEST}\n",
    ]


def texts(result: Result) -> list[str]:
    """The lines without their times."""
    return [without_time(line) for line in result.stdout.splitlines()]


def without_time(line: str) -> str:
    stamp = re.match(r" *((\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d\.\d{3}|\(time unknown\)) +", line)
    assert stamp is not None
    return line[stamp.end() :]


def test_the_lines_of_the_last_hour_are_shown_in_order(cloud: Cloud) -> None:
    log(cloud, "old", ago=2 * 3_600_000)
    log(cloud, "one", "two")
    log(cloud, '{"requestId": "api-1", "status": "201"}', group=Names().api_log_group, ago=30_000)

    result = run("logs")

    assert (texts(result), result.exit_code) == (["one", "two", "api 201"], 0)


def test_a_line_has_the_local_time_and_another_day_its_date(cloud: Cloud, frozen: datetime) -> None:
    log(cloud, "old", ago=2 * 3_600_000)
    log(cloud, "new", ago=0)

    lines = run("logs", "--since", "3h").stdout.splitlines()

    old = frozen - timedelta(hours=2)
    day = f"{old:%Y-%m-%d} " if old.date() != frozen.date() else ""
    assert lines == [f"{day}{old:%H:%M:%S}.000 old", f"{frozen:%H:%M:%S}.000 new"]


def test_json_has_one_document_per_line(cloud: Cloud) -> None:
    log(cloud, "text", '{"level": "INFO"}')

    documents = [json.loads(line) for line in run("logs", "--json").stdout.splitlines()]

    assert [set(each) - {"eventId", "timestamp"} for each in documents] == [
        {"source", "message"},
        {"source", "level"},
    ]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--filter", "TWO"], ["two"]),
        (["--errors"], ["[ERROR] three"]),
        (["--source", "api"], ["api four"]),
        (["--since", "3h"], ["zero", "two", "[ERROR] three", "api four"]),
        (["--since", "3h", "--until", "90m"], ["zero"]),
        (["--since", "3h", "--limit", "2"], ["[ERROR] three", "api four"]),
        (["-n", "1", "--source", "function"], ["[ERROR] three"]),
    ],
)
def test_lines_are_chosen(cloud: Cloud, options: list[str], expected: list[str]) -> None:
    log(cloud, "zero", ago=2 * 3_600_000)
    log(cloud, "two", "[ERROR] three")
    log(cloud, "four", group=Names().api_log_group, ago=30_000)

    assert texts(run("logs", *options)) == expected


def test_the_lines_of_an_order_are_those_of_its_requests(cloud: Cloud) -> None:
    log(cloud, *one_request(status=201), "something else")
    log(cloud, '{"requestId": "api-1"}', '{"requestId": "api-2"}', group=Names().api_log_group, ago=50_000)

    lines = texts(run("logs", "--order", ORDER, "--platform"))
    assert [line.split()[0] for line in lines] == ["START", "INFO", "INFO", "END", "api"]
    assert [line.split()[0] for line in texts(run("logs", "--order", ORDER))] == ["INFO", "INFO", "api"]


@pytest.mark.parametrize("form", [(), ("--json",), ("--raw",)])
def test_the_platforms_lines_are_shown_when_asked_for_and_when_they_tell_of_an_error(
    cloud: Cloud, form: tuple[str, ...]
) -> None:
    started = json.dumps({"type": "platform.start", "record": {"requestId": REQUEST}})
    late = json.dumps({"type": "platform.report", "record": {"requestId": REQUEST, "status": "timeout"}})
    log(cloud, *one_request(), f"REPORT RequestId: {REQUEST} Status: timeout", started, late, "RESTARTED")

    assert len(run("logs", *form).stdout.splitlines()) == 5
    assert len(run("logs", *form, "--platform").stdout.splitlines()) == 8


def test_a_pipe_gets_colours_where_they_are_asked_for(cloud: Cloud) -> None:
    log(cloud, *one_request(status=201))

    assert "\x1b[32mINFO" in run("logs", "--color", "always").stdout
    assert "\x1b" not in run("logs").stdout


def test_every_field_is_shown_with_verbose(cloud: Cloud) -> None:
    log(cloud, *one_request(status=201))

    assert REQUEST not in run("logs").stdout
    assert run("logs", "--verbose").stdout.count(f"requestId={REQUEST}") == 2


def test_raw_lines_are_as_they_were_logged(cloud: Cloud) -> None:
    log(cloud, "a\tb", "x" * 256_000)

    assert run("logs", "--raw").stdout == "a\tb\n" + "x" * 256_000 + "\n"


def test_nothing_found_is_said(cloud: Cloud) -> None:
    log(cloud, "line")

    result = run("logs", "--filter", "other")

    assert (result.stdout, result.exit_code) == ("", 0)
    assert "No such line since 1h; --since 7d looks further back, --platform shows" in result.stderr


def test_without_a_stack_setup_is_advised(cloud: Cloud) -> None:
    result = run("logs")

    assert result.exit_code == 1
    assert (
        "Error: there is no stack default here (there are none)\nHint: `ordernotify setup --aws` makes it"
        in result.stderr
    )


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["logs", "-f", "--until", "5m"], "--until and --follow exclude each other"),
        (["logs", "-f", "--limit", "5"], "--limit and --follow exclude each other"),
        (["logs", "--raw", "--json"], "--raw and --json exclude each other"),
        (["logs", "--since", "5m", "--until", "1h"], "--until is before --since"),
        (["logs", "--since", "soon"], "'soon' is not a time"),
        (["logs", "--order", " "], "the order id is empty"),
        (["trace", " "], "the order id is empty"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_asked(args: list[str], said: str) -> None:
    result = run(*args)

    assert (result.exit_code, result.stdout) == (2, "")
    assert f"Error: {said}" in result.stderr


def test_without_access_logs_the_api_has_no_lines_and_that_is_said(cloud: Cloud) -> None:
    log(cloud, "line")

    result = run("logs", "--source", "api")

    assert (result.exit_code, result.stdout) == (1, "")
    assert (
        "Error: the stack default has no access logs of its API\n"
        "Hint: `ordernotify setup --access-logs --aws` turns them on." in result.stderr
    )


def interrupted(self: object, seconds: float) -> None:
    raise KeyboardInterrupt


def test_ctrl_c_is_the_normal_end_of_following(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    log(cloud, "one", "two")
    monkeypatch.setattr(waiting.SystemClock, "sleep", interrupted)

    result = run("logs", "-f")

    assert (texts(result), result.exit_code) == (["one", "two"], 0)
    assert "interrupted" not in result.stderr


def test_following_waits_for_the_groups(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting.SystemClock, "sleep", interrupted)

    result = run("logs", "-f", "--source", "function")

    assert result.exit_code == 0
    assert "waiting for the log group /aws/lambda/processFileUpload\n" in result.stderr


def test_following_an_api_without_access_logs_says_so(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting.SystemClock, "sleep", interrupted)

    result = run("logs", "-f", "--source", "api")

    assert (
        "the API has no access logs. `ordernotify setup --access-logs --aws` turns them on." in result.stderr
    )


def test_a_followed_order_is_chosen_while_following(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    log(cloud, *one_request(), "something else")
    monkeypatch.setattr(waiting.SystemClock, "sleep", interrupted)

    assert len(texts(run("logs", "-f", "--order", ORDER, "--platform"))) == 4


def test_a_trace_tells_the_story(cloud: Cloud) -> None:
    put(cloud)
    log(cloud, *one_request(status=201, durationMs=9.5, messageId="m-1", steps={"stored": 5}))

    result = run("trace", ORDER, "--since", "1h")

    assert result.exit_code == 0
    assert [without_time(line).split() for line in result.stdout.splitlines()[2:]] == [
        ["received", "request", REQUEST],
        ["stored"],
        ["answered", "status", "201", "in", "9.5", "ms"],
        ["published", "message", "m-1"],
    ]


def test_a_trace_as_json(cloud: Cloud) -> None:
    put(cloud)

    story = json.loads(run("trace", ORDER, "--json").stdout)

    assert (story["orderId"], story["found"], story["notification"]) == (ORDER, True, "sent")
    assert story["order"]["quantity"] == 2.5


def test_an_order_that_nobody_knows_fails(cloud: Cloud) -> None:
    put(cloud)
    log(cloud, "line")

    result = run("trace", "nope")

    assert result.exit_code == 1
    assert "Missing: The table does not hold the order nope" in result.stdout
