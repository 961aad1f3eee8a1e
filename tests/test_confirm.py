"""Confirming so that it lasts: the link, SNS's answers, and waiting until all have confirmed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from botocore.awsrequest import AWSResponse

from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import Patience
from ordernotify.errors import NotOursError, OrderNotifyError, UsageError, WaitTimeoutError
from ordernotify.settings.names import STACK_TAG
from ordernotify.subscribers.change import SubscriberAction
from ordernotify.subscribers.confirm import (
    ConfirmationLink,
    confirm,
    confirm_calls,
    parse_link,
    wait_until_confirmed,
)
from tests.cli_support import Typed, typed
from tests.moto_account import REGION
from tests.provision_support import ACCOUNT_ID, Account, Call, ManualClock, Send, answer, refusal, refuse
from tests.subscribers_support import EMAIL, NAMES, STACK, TOPIC_ARN, Pending, add, topic

__all__ = ["topic", "typed"]

TOKEN = "2336412f37fb687f5d51e6e241d09c8057edc37aa0d57bdd68bc66351f89e560"
LINK = f"https://sns.{REGION}.amazonaws.com/confirmation.html?TopicArn={TOPIC_ARN}&Token={TOKEN}&Endpoint={EMAIL}"
WRAPPED = (
    "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fsns.us-east-1.amazonaws.com%2F"
    f"confirmation.html%3FTopicArn%3D{TOPIC_ARN}%26Token%3D{TOKEN}%26Endpoint%3D{EMAIL}&data=05%7C01"
)
ALARM_TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT_ID}:{NAMES.alarm_topic}"


class Sns:
    """In place of SNS: an email is pending until its token comes, and SNS keeps whether that was signed for.

    `opened`: the link had been opened before. A token given again is answered as at first (as AWS does).
    """

    def __init__(self, *, opened: bool = False, topic_arn: str = TOPIC_ARN) -> None:
        self.confirmed = opened
        self.authenticated = False
        self.opened = opened
        self.topic_arn = topic_arn
        self.given: list[dict[str, str]] = []

    def __call__(self, call: Call, send: Send) -> AWSResponse:
        if call.operation == "ConfirmSubscription":
            return self._confirm(call)
        if call.operation == "GetSubscriptionAttributes" and self.confirmed:
            body = send().content.decode()
            told = f"<key>ConfirmationWasAuthenticated</key><value>{str(self.authenticated).lower()}</value>"
            body = re.sub(
                r"<key>ConfirmationWasAuthenticated</key>\s*<value>\w+</value>", told, body, flags=re.S
            )
            assert told in body
            return answer(200, body.encode(), {"Content-Type": "text/xml"})
        return send() if self.confirmed else Pending()(call, send)

    def _confirm(self, call: Call) -> AWSResponse:
        self.given.append(dict(call.params))
        if call.params["Token"] != TOKEN:
            return refusal(call, "InvalidParameter", "Invalid parameter: Token")
        if not self.opened:
            self.authenticated = call.params.get("AuthenticateOnUnsubscribe") == "true"
        self.confirmed = True
        return answered_arn(f"{self.topic_arn}:{self.id}")

    id = ""


def answered_arn(arn: str) -> AWSResponse:
    result = (
        f"<ConfirmSubscriptionResult><SubscriptionArn>{arn}</SubscriptionArn></ConfirmSubscriptionResult>"
    )
    body = f"<ConfirmSubscriptionResponse>{result}</ConfirmSubscriptionResponse>"
    return answer(200, body.encode(), {"Content-Type": "text/xml"})


@pytest.fixture
def sns(account: Account, cloud: Cloud, topic: str) -> Sns:
    """Answer in SNS's place; one email has been subscribed and is pending."""
    return subscribed(account, cloud, Sns())


def subscribed(account: Account, cloud: Cloud, sns: Sns) -> Sns:
    add(cloud, EMAIL)
    found = account.client("sns").list_subscriptions_by_topic(TopicArn=TOPIC_ARN)["Subscriptions"]
    sns.id = found[0]["SubscriptionArn"].rpartition(":")[2]
    account.forget_calls()
    account.interfere = sns
    return sns


def confirmed(cloud: Cloud, link: str) -> SubscriberAction:
    return confirm(cloud, NAMES, STACK, parse_link(link), Patience(ManualClock())).action


@pytest.mark.parametrize(
    "text", [LINK, f"  <{LINK}>\n", WRAPPED, LINK.replace(":", "%3A").replace("https%3A", "https:")]
)
def test_a_link_is_read_as_aws_sends_it_and_as_mail_filters_rewrite_it(text: str) -> None:
    assert parse_link(text) == ConfirmationLink(TOKEN, TOPIC_ARN, EMAIL)


@pytest.mark.parametrize("written", ["jane+orders@example.com", "jane%2Borders@example.com"])
def test_an_address_with_a_plus_stays_whole(written: str) -> None:
    assert parse_link(LINK.replace(EMAIL, written)).address == "jane+orders@example.com"


def test_a_hint_holds_nothing_of_a_link_that_a_shell_would_run(
    account: Account, cloud: Cloud, topic: str
) -> None:
    account.interfere = refuse("ConfirmSubscription", "InvalidParameter", "Invalid parameter: Token")
    with pytest.raises(OrderNotifyError) as raised:
        confirmed(cloud, LINK.replace(EMAIL, "x@example.com;reboot"))
    assert "subscribe 'x@example.com;reboot'" in raised.value.hint


def test_a_token_alone_is_enough() -> None:
    assert parse_link(f" {TOKEN}\n") == ConfirmationLink(TOKEN)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "neither a confirmation link of SNS nor its token"),
        (EMAIL, "neither a confirmation link of SNS nor its token"),
        ("2336", "neither a confirmation link"),
        ("https://example.com/", "names no topic"),
        ("https://[::1/?TopicArn=x", "names no topic"),
        (LINK.replace("TopicArn", "Topic"), "names no topic"),
        (LINK.partition("&")[0], "without quotes, a shell takes no more than up to the first &"),
        (LINK.replace(TOKEN, "a b"), "neither a confirmation link"),
    ],
)
def test_what_is_no_link_is_refused_before_anything_is_opened(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)) as raised:
        parse_link(text)
    assert "single quotes" in raised.value.hint


@pytest.mark.parametrize("given", [LINK, TOKEN])
def test_it_is_confirmed_so_that_no_link_ends_it(
    account: Account, cloud: Cloud, sns: Sns, given: str
) -> None:
    assert confirmed(cloud, given) is SubscriberAction.CONFIRMED
    assert sns.given == [{"TopicArn": TOPIC_ARN, "Token": TOKEN, "AuthenticateOnUnsubscribe": "true"}]
    declared = {one for allowed in confirm_calls(cloud, NAMES) for one in allowed.operations}
    made = {call.operation for call in account.calls} - {"GetCallerIdentity"}
    assert made <= declared
    assert confirmed(cloud, given) is SubscriberAction.CONFIRMED_BEFORE


@pytest.mark.usefixtures("topic")
def test_one_that_was_confirmed_by_opening_the_link_is_told_with_the_way_out(
    account: Account, cloud: Cloud
) -> None:
    subscribed(account, cloud, Sns(opened=True))
    with pytest.raises(OrderNotifyError, match="had been confirmed by opening the link") as raised:
        confirmed(cloud, LINK)
    assert f"`ordernotify unsubscribe {EMAIL}`, then `ordernotify subscribe {EMAIL}`" in raised.value.hint


@pytest.mark.usefixtures("sns")
@pytest.mark.parametrize(
    "other",
    [
        TOPIC_ARN.replace(REGION, "eu-west-1"),
        TOPIC_ARN.replace("arn:aws:", "arn:aws-cn:"),
        TOPIC_ARN.replace(ACCOUNT_ID, "210987654321"),
        f"{TOPIC_ARN}-dev",
        "nonsense",
    ],
)
def test_a_link_of_another_topic_is_refused_before_the_call(
    account: Account, cloud: Cloud, other: str
) -> None:
    with pytest.raises(UsageError, match="the link is one of") as raised:
        confirmed(cloud, LINK.replace(TOPIC_ARN, other))
    assert other in raised.value.message
    assert TOPIC_ARN in raised.value.message
    assert "--region" in raised.value.hint
    assert account.changing_calls == []


def test_a_topic_without_the_stacks_tag_is_left_alone(account: Account, cloud: Cloud) -> None:
    account.client("sns").create_topic(Name=NAMES.topic, Tags=[{"Key": STACK_TAG, "Value": "dev"}])
    with pytest.raises(NotOursError):
        confirmed(cloud, LINK)
    assert account.changing_calls == []


def test_a_link_of_the_alarm_topic_is_taken_too(account: Account, cloud: Cloud) -> None:
    observer = account.client("sns")
    observer.create_topic(Name=NAMES.alarm_topic, Tags=[{"Key": STACK_TAG, "Value": STACK}])
    arn = observer.subscribe(TopicArn=ALARM_TOPIC, Protocol="email", Endpoint=EMAIL)["SubscriptionArn"]
    account.interfere = sns = Sns(topic_arn=ALARM_TOPIC)
    sns.id = arn.rpartition(":")[2]
    assert confirmed(cloud, LINK.replace(TOPIC_ARN, ALARM_TOPIC)) is SubscriberAction.CONFIRMED


@pytest.mark.usefixtures("sns")
@pytest.mark.parametrize(
    ("code", "text", "message", "hint"),
    [
        (
            "InvalidParameter",
            "Invalid parameter: Token",
            "(Invalid parameter: Token): it may be older",
            EMAIL,
        ),
        ("InvalidParameter", "Invalid parameter: Topic", f"not one of {TOPIC_ARN}", "whole link"),
        ("NotFound", "Subscription does not exist", "its subscription was removed", EMAIL),
        (
            "AuthorizationError",
            "User: x is not authorized to perform: SNS:ConfirmSubscription",
            "not",
            "policy",
        ),
        ("InternalError", "out of order", "out of order", ""),
    ],
)
def test_what_sns_refuses_is_told_with_what_to_do(
    account: Account, cloud: Cloud, code: str, text: str, message: str, hint: str
) -> None:
    account.interfere = refuse("ConfirmSubscription", code, text, times=9)
    with pytest.raises(OrderNotifyError, match=re.escape(message)) as raised:
        confirmed(cloud, LINK)
    assert hint in raised.value.hint
    assert TOKEN not in raised.value.message + raised.value.hint


def test_a_token_that_confirmed_somebody_elses_subscription_is_not_taken_for_success(
    account: Account, cloud: Cloud, sns: Sns
) -> None:
    """AWS goes by the token: with the topic of another one beside it, it confirms all the same."""
    sns.authenticated = True
    elsewhere = account.client("sns").create_topic(Name="theirs")["TopicArn"]
    theirs = account.client("sns").subscribe(TopicArn=elsewhere, Protocol="email", Endpoint="x@example.com")
    sns.topic_arn, _, sns.id = theirs["SubscriptionArn"].rpartition(":")
    with pytest.raises(OrderNotifyError, match="of another topic: x@example"):
        confirmed(cloud, TOKEN)


def test_row_24_what_was_just_confirmed_may_not_be_found_for_seconds(
    account: Account, cloud: Cloud, sns: Sns
) -> None:
    unknown = refuse("GetSubscriptionAttributes", "NotFound", "Subscription does not exist", times=3)
    account.interfere = lambda call, send: unknown(call, lambda: sns(call, send))
    assert confirmed(cloud, LINK) is SubscriberAction.CONFIRMED


def test_the_command_says_what_it_did(sns: Sns, typed: Typed) -> None:
    done = typed("confirm", LINK)
    assert (done.exit_code, done.stdout) == (
        0,
        f"email {EMAIL}: confirmed; following an unsubscribe link does not end it\n",
    )
    again = json.loads(typed("confirm", "--json", LINK).stdout)
    assert (again["action"], again["confirmationWasAuthenticated"]) == ("confirmed-before", True)
    assert len(sns.given) == 2
    wrong = typed("confirm", "x")
    assert (wrong.exit_code, wrong.stdout) == (2, "")


class Clicks(ManualClock):
    """A clock at whose moments something happens."""

    def __init__(self, at: dict[float, Callable[[], object]]) -> None:
        super().__init__()
        self.at = at

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        for moment in [moment for moment in self.at if moment <= self.time]:
            self.at.pop(moment)()


def waited(cloud: Cloud, clock: ManualClock, seconds: float = 600) -> list[str]:
    told: list[str] = []
    wait_until_confirmed(cloud, NAMES, STACK, Patience(clock, told.append), seconds)
    return told


def test_waiting_ends_when_the_last_one_has_confirmed(cloud: Cloud, sns: Sns) -> None:
    clock = Clicks({30: lambda: setattr(sns, "confirmed", True)})
    told = waited(cloud, clock)
    assert told[0] == f"waiting for {EMAIL} to confirm, 0 s"
    assert 30 <= clock.time < 36
    assert min(clock.sleeps) >= 2
    assert waited(cloud, ManualClock()) == []


@pytest.mark.usefixtures("sns")
def test_waiting_ends_in_time_and_says_who_is_missing(cloud: Cloud) -> None:
    clock = ManualClock()
    with pytest.raises(WaitTimeoutError, match=f"{EMAIL} did not confirm within 600 s") as raised:
        waited(cloud, clock)
    assert 600 <= clock.time < 601
    assert f"`ordernotify subscribe {EMAIL}` asks again" in raised.value.hint


def test_one_that_aws_removed_unconfirmed_is_no_success(account: Account, cloud: Cloud, sns: Sns) -> None:
    arn = f"{TOPIC_ARN}:{sns.id}"
    clock = Clicks({10: lambda: account.client("sns").unsubscribe(SubscriptionArn=arn)})
    with pytest.raises(OrderNotifyError, match="the subscription is gone"):
        waited(cloud, clock)


@pytest.mark.usefixtures("sns")
def test_the_command_waits_for_a_time_and_then_fails(typed: Typed) -> None:
    done = typed("list-subscriptions", "--wait", "--timeout", "0")
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "did not confirm within 0 s" in done.stderr
    for wrong in (("--wait", "--timeout", "soon"), ("--timeout", "5m")):
        assert typed("list-subscriptions", *wrong).exit_code == 2


def test_with_nobody_pending_the_command_lists_at_once(sns: Sns, typed: Typed) -> None:
    sns.confirmed = True
    done = typed("list-subscriptions", "--wait", "--json")
    assert (done.exit_code, json.loads(done.stdout)["state"]) == (0, "confirmed")
