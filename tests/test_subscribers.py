"""Subscribing and unsubscribing: whose topic, the permission of queues and functions, several at once."""

from __future__ import annotations

import json

import pytest

from ordernotify.aws.session import Cloud
from ordernotify.errors import NotOursError, StackNotFoundError, UsageError
from ordernotify.resources.delivery import queue_statement, statement_id
from ordernotify.resources.listing import NEW_TOPIC_SECONDS
from ordernotify.resources.subscriptions import Subscriptions
from ordernotify.settings.model import Settings
from ordernotify.settings.names import STACK_TAG
from ordernotify.subscribers.change import SubscriberAction, subscribe
from ordernotify.subscribers.endpoints import Wanted, parse_endpoint
from tests.moto_account import REGION
from tests.provision_support import ACCOUNT_ID, Account, ManualClock, answer, pass_through, refuse, step
from tests.subscribers_support import (
    EMAIL,
    FUNCTION,
    NAMES,
    OTHERS,
    QUEUE,
    TOPIC_ARN,
    add,
    function,
    function_statements,
    listed,
    queue,
    queue_policy,
    remove,
    set_queue_policy,
    subscription_attributes,
    topic,
)

__all__ = ["function", "queue", "topic"]


def test_without_the_topic_there_is_no_stack(cloud: Cloud) -> None:
    for attempt in (add, remove):
        with pytest.raises(StackNotFoundError, match="there is no topic file-upload-notification"):
            attempt(cloud, EMAIL)
    with pytest.raises(StackNotFoundError):
        listed(cloud)


def test_a_topic_without_the_stacks_tag_is_left_alone(account: Account, cloud: Cloud) -> None:
    account.client("sns").create_topic(Name=NAMES.topic, Tags=[{"Key": STACK_TAG, "Value": "dev"}])
    for attempt in (add, remove):
        with pytest.raises(NotOursError, match="does not belong to the stack default"):
            attempt(cloud, EMAIL)
    assert account.changing_calls == []


@pytest.mark.parametrize(
    "own",
    [
        f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{NAMES.function}",
        f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{NAMES.mailbox_prefix}0123456789ab",
        f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{NAMES.verify_queue_prefix}0123abcd",
    ],
)
@pytest.mark.usefixtures("topic")
def test_what_belongs_to_the_stack_itself_is_not_subscribed(account: Account, cloud: Cloud, own: str) -> None:
    with pytest.raises(UsageError, match="belongs to the stack itself"):
        add(cloud, EMAIL, own)
    assert account.changing_calls == []


@pytest.mark.usefixtures("topic", "queue")
def test_a_queue_gets_our_statement_and_keeps_what_it_has(account: Account, cloud: Cloud) -> None:
    before = {"Version": "2008-10-17", "Id": "theirs", "Statement": OTHERS}
    set_queue_policy(account, before)
    [outcome] = add(cloud, QUEUE)
    assert (outcome.action, outcome.notes, outcome.error) == (SubscriberAction.SUBSCRIBED, (), None)
    assert queue_policy(account) == {**before, "Statement": [OTHERS, queue_statement(QUEUE, TOPIC_ARN)]}

    [outcome] = add(cloud, QUEUE)
    assert outcome.action is SubscriberAction.UNCHANGED
    assert len(queue_policy(account)["Statement"]) == 2

    [outcome] = remove(cloud, QUEUE)
    assert (outcome.action, outcome.notes) == (SubscriberAction.UNSUBSCRIBED, ())
    assert queue_policy(account) == {**before, "Statement": [OTHERS]}
    assert listed(cloud) == []


@pytest.mark.usefixtures("topic", "queue")
def test_a_queue_without_a_policy_has_none_afterwards(account: Account, cloud: Cloud) -> None:
    add(cloud, QUEUE)
    assert queue_policy(account) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": statement_id(TOPIC_ARN),
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": QUEUE,
                "Condition": {"ArnEquals": {"aws:SourceArn": TOPIC_ARN}},
            }
        ],
    }
    remove(cloud, QUEUE)
    assert queue_policy(account) is None


@pytest.mark.usefixtures("topic", "queue")
def test_a_lost_or_altered_statement_comes_back(account: Account, cloud: Cloud) -> None:
    add(cloud, QUEUE)
    altered = queue_statement(QUEUE, TOPIC_ARN) | {"Effect": "Deny"}
    set_queue_policy(account, {"Version": "2012-10-17", "Statement": [altered, OTHERS]})
    [outcome] = add(cloud, QUEUE)
    assert outcome.action is SubscriberAction.UPDATED
    assert queue_policy(account)["Statement"] == [OTHERS, queue_statement(QUEUE, TOPIC_ARN)]


@pytest.mark.usefixtures("topic", "function")
def test_a_function_gets_our_statement_and_keeps_what_it_has(account: Account, cloud: Cloud) -> None:
    account.client("lambda").add_permission(
        FunctionName="receiver",
        StatementId="others",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
    )
    [outcome] = add(cloud, FUNCTION)
    assert (outcome.action, outcome.error) == (SubscriberAction.SUBSCRIBED, None)
    [theirs, ours] = function_statements(account)
    assert theirs["Sid"] == "others"
    assert (ours["Sid"], ours["Principal"]) == (statement_id(TOPIC_ARN), {"Service": "sns.amazonaws.com"})
    assert ours["Condition"] == {"ArnLike": {"AWS:SourceArn": TOPIC_ARN}}

    remove(cloud, FUNCTION)
    assert [statement["Sid"] for statement in function_statements(account)] == ["others"]


@pytest.mark.usefixtures("topic", "function")
def test_a_functions_statement_that_is_there_already_is_no_error(account: Account, cloud: Cloud) -> None:
    add(cloud, FUNCTION)
    text = "The statement id (x) provided already exists. Please provide a new statement id."
    account.interfere = refuse("AddPermission", "ResourceConflictException", text, status=409)
    [outcome] = add(cloud, FUNCTION)
    assert (outcome.action, outcome.error) == (SubscriberAction.UNCHANGED, None)


@pytest.mark.usefixtures("topic")
def test_the_permission_of_an_alias_is_added_to_the_alias(account: Account, cloud: Cloud) -> None:
    account.interfere = lambda call, send: (
        answer(201, b"{}", {}) if call.operation in {"AddPermission", "RemovePermission"} else send()
    )
    add(cloud, f"{FUNCTION}:live")
    remove(cloud, f"{FUNCTION}:live")
    calls = [call for call in account.calls if call.service == "lambda"]
    assert [(call.operation, call.params["FunctionName"], call.params["Qualifier"]) for call in calls] == [
        ("AddPermission", "receiver", "live"),
        ("RemovePermission", "receiver", "live"),
    ]


@pytest.mark.parametrize(("endpoint", "kind"), [(QUEUE, "queue orders"), (FUNCTION, "function receiver")])
@pytest.mark.usefixtures("topic")
def test_a_receiver_that_does_not_exist_is_not_subscribed(cloud: Cloud, endpoint: str, kind: str) -> None:
    [outcome] = add(cloud, endpoint)
    assert outcome.failed
    assert outcome.error is not None
    assert outcome.error.message == f"there is no {kind} in account {ACCOUNT_ID}, region {REGION}"
    assert listed(cloud) == []


@pytest.mark.usefixtures("topic", "queue")
def test_the_permission_is_taken_back_if_the_subscription_fails(account: Account, cloud: Cloud) -> None:
    account.interfere = refuse("Subscribe", "FilterPolicyLimitExceeded", "too many filter policies")
    [outcome] = add(cloud, QUEUE)
    assert outcome.error is not None
    assert "too many filter policies" in outcome.error.message
    assert queue_policy(account) is None


@pytest.mark.parametrize(
    ("endpoint", "part"),
    [
        ("arn:aws:sqs:us-east-1:999999999999:orders", "the queue's owner must add this statement"),
        (f"arn:aws:sqs:eu-west-1:{ACCOUNT_ID}:orders", "the queue's owner must add this statement"),
        (
            "arn:aws:lambda:us-east-1:999999999999:function:f:live",
            "aws lambda add-permission --region us-east-1 --function-name f --qualifier live",
        ),
    ],
)
@pytest.mark.usefixtures("topic")
def test_for_a_foreign_receiver_the_person_learns_what_its_owner_must_do(
    account: Account, cloud: Cloud, endpoint: str, part: str
) -> None:
    [outcome] = add(cloud, endpoint)
    assert outcome.action is SubscriberAction.SUBSCRIBED
    assert any(part in note and statement_id(TOPIC_ARN) in note for note in outcome.notes)
    [outcome] = remove(cloud, endpoint)
    assert any(statement_id(TOPIC_ARN) in note for note in outcome.notes)
    assert {call.service for call in account.changing_calls} == {"sns"}


@pytest.mark.usefixtures("topic", "queue")
def test_who_may_not_change_the_queues_policy_learns_what_to_ask_for(account: Account, cloud: Cloud) -> None:
    account.interfere = refuse("SetQueueAttributes", "AccessDenied", "no", status=403)
    [outcome] = add(cloud, QUEUE)
    assert (outcome.action, outcome.error) == (SubscriberAction.SUBSCRIBED, None)
    assert json.dumps(queue_statement(QUEUE, TOPIC_ARN)) in outcome.notes[0]


@pytest.mark.usefixtures("topic", "queue")
def test_an_encrypted_queue_comes_with_a_warning(account: Account, cloud: Cloud) -> None:
    sqs = account.client("sqs")
    url = sqs.get_queue_url(QueueName="orders")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"KmsMasterKeyId": "alias/aws/sqs"})
    [outcome] = add(cloud, QUEUE)
    assert "encrypted with the KMS key alias/aws/sqs" in outcome.notes[0]


@pytest.mark.usefixtures("topic", "queue")
def test_an_interrupted_unsubscribe_is_completed(account: Account, cloud: Cloud) -> None:
    add(cloud, QUEUE)
    account.client("sns").unsubscribe(
        SubscriptionArn=subscription_attributes(account, QUEUE)["SubscriptionArn"]
    )
    [outcome] = remove(cloud, QUEUE)
    assert outcome.action is SubscriberAction.PERMISSION_REMOVED
    assert queue_policy(account) is None


@pytest.mark.usefixtures("topic", "queue")
def test_the_subscription_of_a_deleted_queue_can_be_removed(account: Account, cloud: Cloud) -> None:
    add(cloud, QUEUE)
    sqs = account.client("sqs")
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName="orders")["QueueUrl"])
    assert [outcome.action for outcome in remove(cloud, QUEUE)] == [SubscriberAction.UNSUBSCRIBED]


@pytest.mark.usefixtures("topic", "queue", "function")
def test_a_teardown_can_take_back_every_permission(account: Account, cloud: Cloud) -> None:
    add(cloud, QUEUE, FUNCTION)
    resource = Subscriptions(Settings(names=NAMES), cloud)
    live = resource.find()
    assert live is not None
    resource.delete(live, step())
    assert queue_policy(account) is None
    with pytest.raises(account.client("lambda").exceptions.ResourceNotFoundException):
        function_statements(account)


@pytest.mark.usefixtures("topic", "queue")
def test_several_at_once_and_one_that_fails_stops_no_other(cloud: Cloud) -> None:
    outcomes = add(cloud, EMAIL, FUNCTION, QUEUE, EMAIL)
    assert [(outcome.endpoint.address, outcome.action) for outcome in outcomes] == [
        (EMAIL, SubscriberAction.SUBSCRIBED),
        (FUNCTION, SubscriberAction.FAILED),
        (QUEUE, SubscriberAction.SUBSCRIBED),
    ]
    outcomes = remove(cloud, EMAIL, "nobody@example.com", QUEUE)
    assert [outcome.action for outcome in outcomes] == [
        SubscriberAction.UNSUBSCRIBED,
        SubscriberAction.FAILED,
        SubscriberAction.UNSUBSCRIBED,
    ]
    assert outcomes[1].error is not None
    assert outcomes[1].error.message == "nobody@example.com is not subscribed"


@pytest.mark.usefixtures("topic")
def test_unsubscribe_refuses_nonsense_before_it_removes_anything(cloud: Cloud) -> None:
    add(cloud, EMAIL)
    with pytest.raises(UsageError):
        remove(cloud, EMAIL, "nonsense")
    assert [one.endpoint for one in listed(cloud)] == [EMAIL]


@pytest.mark.usefixtures("topic")
def test_what_was_subscribed_in_another_way_can_be_unsubscribed(account: Account, cloud: Cloud) -> None:
    account.client("sns").subscribe(TopicArn=TOPIC_ARN, Protocol="http", Endpoint="http://example.com/x")
    assert [outcome.action for outcome in remove(cloud, "http://example.com/x")] == [
        SubscriberAction.UNSUBSCRIBED
    ]


@pytest.mark.usefixtures("topic", "queue")
def test_who_may_not_take_the_statement_back_is_told_which_one_stays(account: Account, cloud: Cloud) -> None:
    add(cloud, QUEUE)
    account.interfere = refuse("SetQueueAttributes", "AccessDenied", "no", status=403)
    [outcome] = remove(cloud, QUEUE)
    assert outcome.action is SubscriberAction.UNSUBSCRIBED
    assert outcome.notes == (
        f"If the policy of {QUEUE} has the statement {statement_id(TOPIC_ARN)}, its owner can remove it: "
        "it is no longer needed",
    )


@pytest.mark.usefixtures("topic", "function")
def test_the_subscription_of_a_deleted_function_can_be_removed(account: Account, cloud: Cloud) -> None:
    add(cloud, FUNCTION)
    account.client("lambda").delete_function(FunctionName="receiver")
    assert [(one.action, one.notes) for one in remove(cloud, FUNCTION)] == [
        (SubscriberAction.UNSUBSCRIBED, ())
    ]


@pytest.mark.usefixtures("topic")
@pytest.mark.parametrize("operation", ["Subscribe", "GetSubscriptionAttributes"])
def test_row_24_what_was_just_made_may_not_be_found_for_seconds(
    account: Account, cloud: Cloud, manual_clock: ManualClock, operation: str
) -> None:
    account.interfere = refuse(operation, "NotFound", "Subscription does not exist", times=3)
    done = list(subscribe(cloud, NAMES, "default", [parse_endpoint(EMAIL)], Wanted(), manual_clock))
    assert [(one.action, one.error) for one in done] == [(SubscriberAction.SUBSCRIBED, None)]
    assert 0 < manual_clock.time < NEW_TOPIC_SECONDS


@pytest.mark.usefixtures("topic")
def test_row_24_what_stays_unfound_is_named(
    account: Account, cloud: Cloud, manual_clock: ManualClock
) -> None:
    account.interfere = refuse("GetSubscriptionAttributes", "NotFound", "no", times=999)
    [done] = subscribe(cloud, NAMES, "default", [parse_endpoint(EMAIL)], Wanted(), manual_clock)
    assert done.error is not None
    assert f"the new subscription of {EMAIL}" in done.error.message
    assert manual_clock.time >= NEW_TOPIC_SECONDS


@pytest.mark.usefixtures("topic", "queue")
def test_a_queue_whose_new_subscription_cannot_be_read_yet_keeps_its_permission(
    account: Account, cloud: Cloud, manual_clock: ManualClock
) -> None:
    account.interfere = refuse("GetSubscriptionAttributes", "NotFound", "no", times=999)
    [done] = subscribe(cloud, NAMES, "default", [parse_endpoint(QUEUE)], Wanted(), manual_clock)
    assert done.failed
    account.interfere = pass_through
    assert subscription_attributes(account, QUEUE)["TopicArn"] == TOPIC_ARN
    assert queue_policy(account)["Statement"] == [queue_statement(QUEUE, TOPIC_ARN)]
