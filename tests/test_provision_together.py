from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.errors import OrderNotifyError
from ordernotify.executor import Event
from ordernotify.settings.model import ApiKind, Settings
from ordernotify.settings.names import Names, Target
from ordernotify.stack.report import report
from tests.account_snapshot import snapshot
from tests.provision_support import (
    Account,
    Call,
    ManualClock,
    Send,
    full_settings,
    set_up,
    tear_down,
)

# Several at once


def with_jitter(account: Account) -> None:
    """Let calls of several threads overtake each other."""
    dice = random.Random(7)

    def interfere(_call: Call, send: Send) -> AWSResponse:
        time.sleep(dice.random() / 200)
        return send()

    account.interfere = interfere


def at_the_same_moment(*work: Callable[[], object]) -> list[OrderNotifyError]:
    """Run all at once; returns the refusals."""
    start = threading.Barrier(len(work))
    refused: list[OrderNotifyError] = []

    def run(one: Callable[[], object]) -> None:
        start.wait()
        try:
            one()
        except OrderNotifyError as error:
            refused.append(error)

    with ThreadPoolExecutor(len(work)) as pool:
        list(pool.map(run, work))
    return refused


def planned_setup(settings: Settings, account: Account) -> Callable[[], list[Event]]:
    """Plan now; what is returned applies the plan."""
    resources = provision.declare(settings, account.cloud())
    planned = provision.plan(resources)
    return lambda: list(provision.apply(resources, planned, ManualClock()))


@pytest.mark.parametrize("api", ApiKind)
def test_two_setups_at_the_same_moment_end_with_one_correct_stack(account: Account, api: ApiKind) -> None:
    settings = full_settings(api=api)
    set_up(settings, account.cloud())
    expected = snapshot(account.client)
    for _ in range(3):
        account.begin_anew()
        with_jitter(account)
        both = [planned_setup(settings, account) for _ in range(2)]  # neither sees what the other makes
        refused = at_the_same_moment(*both)
        assert len(refused) < 2
        assert snapshot(account.client) == expected


def test_two_stacks_side_by_side_do_not_touch_each_other(account: Account) -> None:
    one, two = (full_settings(stack=name, names=Names().for_stack(name)) for name in ("one", "two"))
    set_up(two, account.cloud())
    only_two = snapshot(account.client)
    tear_down(two, account.cloud())
    with_jitter(account)
    refused = at_the_same_moment(lambda: set_up(one, account.cloud()), lambda: set_up(two, account.cloud()))
    assert refused == []
    refused = at_the_same_moment(
        lambda: tear_down(one, account.cloud()), lambda: set_up(two, account.cloud())
    )
    assert refused == []
    assert snapshot(account.client) == only_two


def test_a_teardown_beside_a_teardown_leaves_nothing(account: Account) -> None:
    set_up(full_settings(), account.cloud())
    with_jitter(account)
    at_the_same_moment(*(lambda: tear_down(Settings(), account.cloud()) for _ in range(2)))
    with suppress(OrderNotifyError):
        tear_down(Settings(), account.cloud())
    assert snapshot(account.client) == {}


# Whatever somebody did to a stack by hand


def without_role(account: Account) -> None:
    iam = account.client("iam")
    iam.delete_role_policy(RoleName="processFileUpload-role", PolicyName="ordernotify")
    iam.delete_role(RoleName="processFileUpload-role")


def unsubscribe_all(account: Account) -> None:
    sns = account.client("sns")
    for found in sns.list_subscriptions()["Subscriptions"]:
        sns.unsubscribe(SubscriptionArn=found["SubscriptionArn"])


def without_api(account: Account) -> None:
    apigateway = account.client("apigateway")
    for api in apigateway.get_rest_apis()["items"]:
        apigateway.delete_rest_api(restApiId=api["id"])


def without_topics(account: Account) -> None:
    sns = account.client("sns")
    for topic in sns.list_topics()["Topics"]:
        sns.delete_topic(TopicArn=topic["TopicArn"])


FUNCTION, TABLE = "processFileUpload", "FileMetadata"
DAMAGES: dict[str, Callable[[Account], object]] = {
    "table": lambda a: a.client("dynamodb").delete_table(TableName=TABLE),
    "topics": without_topics,
    "subscribers": unsubscribe_all,
    "inbox": lambda a: [
        a.client("sqs").delete_queue(QueueUrl=url) for url in a.client("sqs").list_queues()["QueueUrls"]
    ],
    "role": without_role,
    "log group": lambda a: a.client("logs").delete_log_group(logGroupName=f"/aws/lambda/{FUNCTION}"),
    "function": lambda a: a.client("lambda").delete_function(FunctionName=FUNCTION),
    "memory": lambda a: a.client("lambda").update_function_configuration(
        FunctionName=FUNCTION, MemorySize=128
    ),
    "permission": lambda a: a.client("lambda").remove_permission(
        FunctionName=FUNCTION, StatementId="ordernotify-api"
    ),
    "api": without_api,
    "alarm": lambda a: a.client("cloudwatch").delete_alarms(AlarmNames=[f"{FUNCTION}-errors"]),
}


@settings(max_examples=max(1, settings.default.max_examples // 8))  # type: ignore[union-attr]
@given(st.lists(st.sampled_from(sorted(DAMAGES)), min_size=1, unique=True))
def test_setup_mends_any_damage_in_any_combination(damages: list[str]) -> None:
    with Account() as account:
        set_up(full_settings(), account.cloud(Target.LOCAL))
        undamaged = snapshot(account.client)
        for damage in damages:
            with suppress(ClientError):  # what it would change may be gone by an earlier damage
                DAMAGES[damage](account)
        set_up(full_settings(), account.cloud(Target.LOCAL))
        assert snapshot(account.client) == undamaged
        account.forget_calls()
        set_up(full_settings(), account.cloud(Target.LOCAL))
        assert account.changing_calls == []


# What setup and status tell


def test_a_report_tells_the_url_and_the_subscribers_but_not_the_inbox(
    account: Account, local_cloud: Cloud
) -> None:
    resources = provision.declare(full_settings(), local_cloud)
    planned = provision.plan(resources)
    applied = {
        event.item.key: event.live
        for event in provision.apply(resources, planned, ManualClock())
        if event.live is not None
    }
    told = report(full_settings(), local_cloud, planned, applied)
    api_id = account.client("apigateway").get_rest_apis()["items"][0]["id"]
    assert told.url is not None
    assert api_id in told.url
    assert {(s.protocol, s.endpoint, s.state) for s in told.subscriptions} == {
        ("email", "you@example.com", "confirmed"),
        ("sms", "+14155550100", "confirmed"),
    }
