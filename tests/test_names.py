"""Names that AWS refuses, directly or in names made from them, are refused before anything is made."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordernotify.errors import UsageError
from ordernotify.settings.model import NAME_ROWS
from ordernotify.settings.names import API_LOG_ROLE, MAILBOX_DIGITS, VERIFY_QUEUE_END, Names
from ordernotify.settings.row import Setting, SettingsError
from tests.e2e.cloud import run_command

RULES = {
    "table": r"[a-zA-Z0-9_.-]{3,255}",
    "topic": r"[a-zA-Z0-9_-]{1,256}",
    "function": r"[a-zA-Z0-9_-]{1,64}",
    "role": r"[a-zA-Z0-9_+=,.@-]{1,64}",
    "api": r"[a-zA-Z0-9_.-]{1,128}",
}
"""What the services' API references say of each name."""


@pytest.mark.parametrize("field", RULES)
@pytest.mark.parametrize("name", ["a b", "*", "", "a/b", "é", "a\n", "x" * 300])
def test_a_name_that_aws_refuses_is_refused(field: str, name: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Names(**{field: name})
    assert refused.value.options == (f"{field}-name",)
    assert len(refused.value.message) < 200


@pytest.mark.parametrize(("field", "name"), [("table", "t"), ("table", "ab"), ("topic", "x.fifo")])
def test_short_tables_and_fifo_topics_are_refused(field: str, name: str) -> None:
    with pytest.raises(SettingsError):
        Names(**{field: name})


def test_names_that_would_be_two_things_are_refused() -> None:
    with pytest.raises(SettingsError, match="would be two topics"):
        Names(topic="processFileUpload-alarms")
    with pytest.raises(SettingsError, match="writes the logs of all stacks"):
        Names(role=API_LOG_ROLE.upper())


def test_the_suffix_of_the_stack_counts() -> None:
    assert Names(function="f" * 60).for_stack("dev").function == f"{'f' * 60}-dev"
    with pytest.raises(SettingsError, match="cannot be the name of the function"):
        Names(function="f" * 61).for_stack("dev")


def test_the_queues_named_after_the_topic_count() -> None:
    assert Names(topic="t" * 53).topic
    with pytest.raises(SettingsError, match="queues named after it"):
        Names(topic="t" * 54)


TEXTS = st.text() | st.from_regex(r"[a-zA-Z0-9_.-]{1,300}", fullmatch=True)


@given(st.dictionaries(st.sampled_from(sorted(RULES)), TEXTS))
def test_names_that_are_taken_fit_every_service(given_names: dict[str, str]) -> None:
    try:
        names = Names(**given_names)
    except UsageError:
        return
    for field, rule in RULES.items():
        assert re.fullmatch(rule, getattr(names, field))
    for queue in (
        names.mailbox_prefix + "0" * MAILBOX_DIGITS,
        names.verify_queue_prefix + VERIFY_QUEUE_END,
    ):
        assert re.fullmatch(r"[a-zA-Z0-9_-]{1,80}", queue)
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,256}", names.alarm_topic)
    assert len(names.alarm("notifications-pending")) <= 255
    for group in (names.log_group, names.api_log_group):
        assert re.fullmatch(r"[a-zA-Z0-9_/.#-]{1,512}", group)
    assert max(len(names.api_key), len(names.usage_plan)) <= 1024


@pytest.mark.parametrize("row", NAME_ROWS, ids=lambda row: row.option)
def test_a_wrong_name_ends_with_status_2_and_names_its_flag(row: Setting) -> None:
    option = row.option
    done = run_command("setup", f"--{option}", "a b", "--yes", environ={})
    assert done.returncode == 2
    assert done.stderr.startswith(f"Error: --{option}: 'a b' cannot be the name of the ")
