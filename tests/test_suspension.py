"""The API's throttle while a mailbox gets every order (AWS-FACTS 22), and what is said of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ordernotify import provision
from ordernotify.resources.api.base import Throttle
from ordernotify.resources.suspension import notes_on_mailboxes
from ordernotify.settings.model import ApiKind, Settings
from ordernotify.settings.names import Names, Target
from ordernotify.settings.told import Told, describe
from ordernotify.stack.report import mailboxes_after
from tests.moto_account import Account
from tests.provision_support import only, set_up

BY_DEFAULT = Throttle(5, 5)
EMAIL = "you@example.com"


def throttle(account: Account, settings: Settings, target: Target = Target.AWS) -> Throttle | None:
    """Set up, look at the stage, and check that nothing more is to be done: for setup, and for status."""
    set_up(settings, account.cloud(target))
    for same in (settings, replace(settings, emails=())):
        assert provision.plan(provision.declare(same, account.cloud(target))).changes == ()
    found = only(provision.declare(settings, account.cloud(target)), "api").find()
    assert found is not None
    limit: Throttle | None = found.state.throttle
    return limit


def test_row_22_the_api_is_throttled_while_a_mailbox_gets_every_order(account: Account) -> None:
    assert throttle(account, Settings()) is None
    assert throttle(account, Settings(emails=(EMAIL,))) == BY_DEFAULT
    assert throttle(account, Settings(rate=50, burst=60)) == Throttle(50, 60)
    account.begin_anew()  # moto does not take a throttle away
    assert throttle(account, Settings(emails=(EMAIL,), rate=0)) is None
    assert throttle(account, Settings()) == BY_DEFAULT, "the mailbox is still subscribed"


def test_an_http_api_is_throttled_too(account: Account) -> None:
    settings = Settings(api=ApiKind.HTTP, emails=(EMAIL,))
    api = only(provision.declare(settings, account.cloud()), "api")
    assert api.described({}).throttle == BY_DEFAULT


def test_the_embedded_cloud_is_not_throttled(account: Account) -> None:
    assert throttle(account, Settings(emails=(EMAIL,)), Target.LOCAL) is None


def test_a_filter_policy_keeps_the_throttle_away(account: Account) -> None:
    settings = Settings(emails=(EMAIL,))
    set_up(Settings(), account.cloud())
    sns = account.client("sns")
    topic = f"arn:aws:sns:us-east-1:123456789012:{Names().topic}"
    shipped = {"FilterPolicy": '{"eventType": ["order.shipped"]}'}
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=EMAIL, Attributes=shipped)
    assert throttle(account, settings) is None


@pytest.mark.parametrize(
    ("rate", "burst", "said"),
    [
        (None, None, "The API admits 5 orders a second"),
        (0, None, "With --rate none, a stranger who sends 11 orders a second silences you@example.com"),
        (6, 5, "With --rate 6, a stranger who sends 11 orders a second silences you@example.com"),
        (5, 5, ""),
    ],
)
def test_what_the_throttle_means_for_the_mailbox_is_said(
    account: Account, rate: int | None, burst: int | None, said: str
) -> None:
    settings = Settings(rate=rate, burst=burst)
    notes = list(notes_on_mailboxes(settings, account.cloud(), frozenset({EMAIL})))
    assert [said in note for note in notes] == ([True] if said else [])
    assert list(notes_on_mailboxes(settings, account.cloud(Target.LOCAL), frozenset({EMAIL}))) == []


def test_the_mailboxes_are_known_after_setup_and_without_changes(account: Account) -> None:
    settings = Settings(emails=(EMAIL,))
    resources = provision.declare(settings, account.cloud())
    planned = provision.plan(resources)
    assert mailboxes_after(planned, {}) == frozenset()
    ended = list(provision.apply(resources, planned))
    live = {event.item.key: event.live for event in ended if event.live}
    assert mailboxes_after(planned, live) == {EMAIL}
    assert mailboxes_after(provision.plan(resources), {}) == {EMAIL}


@pytest.mark.parametrize(("told", "rate"), [("none", 0), (7, 7)])
def test_the_rate_is_a_number_or_none_and_is_recorded(told: object, rate: int) -> None:
    more = {} if told == "none" else {"burst": 9}
    settings = describe("default", Names(), Told.by_flags({"rate": told, **more}))
    assert settings.rate == rate
    assert settings.recorded["ordernotify:setting:rate"] == str(rate)
