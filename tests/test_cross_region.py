"""Row 31 of the facts: delivery to queues and functions of other regions."""

from __future__ import annotations

import pytest

from ordernotify.aws.session import Cloud
from ordernotify.errors import UsageError
from ordernotify.resources.delivery import check_regions, owner_has_to, parse_receiver, sns_principal
from tests.provision_support import Account
from tests.subscribers_support import add, topic

__all__ = ["topic"]

ACCOUNT = "123456789012"


def queue(region: str, partition: str = "aws") -> str:
    return f"arn:{partition}:sqs:{region}:{ACCOUNT}:orders"


def function(region: str) -> str:
    return f"arn:aws:lambda:{region}:{ACCOUNT}:function:orders"


def topic_in(region: str, partition: str = "aws") -> str:
    return f"arn:{partition}:sns:{region}:{ACCOUNT}:topic"


@pytest.mark.parametrize(
    ("topic_region", "receiver", "principal"),
    [
        ("us-east-1", queue("us-east-1"), "sns.amazonaws.com"),
        ("us-east-1", queue("eu-west-1"), "sns.amazonaws.com"),
        ("ap-east-1", queue("ap-east-1"), "sns.amazonaws.com"),
        ("ap-east-1", queue("us-east-1"), "sns.ap-east-1.amazonaws.com"),
        ("ap-east-1", function("us-east-1"), "sns.ap-east-1.amazonaws.com"),
        ("us-east-1", queue("me-south-1"), "sns.me-south-1.amazonaws.com"),
        ("us-gov-west-1", queue("us-gov-east-1", "aws-us-gov"), "sns.amazonaws.com"),
        ("cn-north-1", queue("cn-northwest-1", "aws-cn"), "sns.amazonaws.com"),
    ],
)
def test_the_principal_follows_the_pair_of_regions(topic_region: str, receiver: str, principal: str) -> None:
    parsed = parse_receiver(receiver)
    check_regions(topic_region, parsed)
    assert sns_principal(parsed, topic_in(topic_region)) == principal
    told = owner_has_to(parsed, topic_in(topic_region))
    assert f'"{principal}"' in told or f"--principal {principal} " in told


@pytest.mark.parametrize(
    ("topic_region", "receiver"),
    [
        ("ap-east-1", queue("me-south-1")),
        ("ap-east-1", function("me-south-1")),
        ("us-east-1", function("me-south-1")),
    ],
)
def test_pairs_that_drop_every_message_are_refused(topic_region: str, receiver: str) -> None:
    with pytest.raises(UsageError, match="opt-in region"):
        check_regions(topic_region, parse_receiver(receiver))


@pytest.mark.usefixtures("topic")
def test_subscribe_refuses_such_a_pair_before_anything_is_changed(account: Account, cloud: Cloud) -> None:
    with pytest.raises(UsageError, match="opt-in region"):
        add(cloud, "you@example.com", function("me-south-1"))
    assert account.changing_calls == []


@pytest.mark.usefixtures("topic")
def test_the_owner_of_a_queue_in_an_opt_in_region_is_told_the_principal(cloud: Cloud) -> None:
    [done] = add(cloud, queue("me-south-1"))
    assert any("sns.me-south-1.amazonaws.com" in note for note in done.notes)
