"""The first recipe of CONTRIBUTING.md: a new kind of resource is a class and an entry in the list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ordernotify import provision
from ordernotify.aws.errors import has_code, ignore_codes
from ordernotify.aws.session import Cloud
from ordernotify.executor import Action, ApplyError
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.base import Live, Needed, Resource, Step, Verb
from ordernotify.settings.model import Settings
from tests.provision_support import (
    Account,
    Call,
    ManualClock,
    Send,
    changes_planned,
    planned_actions,
)

ABSENT = ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue")


@dataclass(frozen=True, slots=True)
class WaitingRoomState:
    """How long the queue keeps a message, in seconds."""

    retention: int = 345_600


class WaitingRoom(Resource[WaitingRoomState]):
    """A queue where orders could wait."""

    kind = "waiting-room"
    needs = ("topic",)

    @property
    def name(self) -> str:
        return f"waiting-room-{self.settings.stack}"

    @property
    def arn(self) -> str:
        return self.cloud.arn("sqs", self.name)

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        read = ("GetQueueUrl", "GetQueueAttributes", "ListQueueTags")
        return {
            Verb.FIND: (allow("sqs", *read, on=self.arn),),
            Verb.CREATE: (allow("sqs", "CreateQueue", "TagQueue", on=self.arn),),
            Verb.UPDATE: (allow("sqs", "SetQueueAttributes", "TagQueue", on=self.arn),),
            Verb.DELETE: (allow("sqs", "DeleteQueue", on=self.arn),),
        }

    def described(self, needed: Needed) -> WaitingRoomState:
        return WaitingRoomState(retention=self.settings.log_retention * 3_600)

    def find(self) -> Live[WaitingRoomState] | None:
        try:
            url = self._url()
        except ClientError as error:
            if has_code(error, *ABSENT):
                return None
            raise
        attributes = self.cloud.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        tags = self.cloud.sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
        return self.live(WaitingRoomState(int(attributes["MessageRetentionPeriod"])), tags)

    def create(self, step: Step) -> Live[WaitingRoomState]:
        self.cloud.sqs.create_queue(QueueName=self.name, tags=self.settings.all_tags)
        return self.update(Live(self.arn, WaitingRoomState()), step)

    def update(self, live: Live[WaitingRoomState], step: Step) -> Live[WaitingRoomState]:
        wanted = self.described(step.needed)
        self.cloud.sqs.set_queue_attributes(
            QueueUrl=self._url(), Attributes={"MessageRetentionPeriod": str(wanted.retention)}
        )
        return Live(self.arn, wanted)

    def put_tags(self, live: Live[WaitingRoomState]) -> None:
        self.cloud.sqs.tag_queue(QueueUrl=self._url(), Tags=self.settings.all_tags)

    def delete(self, live: Live[WaitingRoomState], step: Step) -> None:
        with ignore_codes(*ABSENT):
            self.cloud.sqs.delete_queue(QueueUrl=self._url())

    def _url(self) -> str:
        return self.cloud.sqs.get_queue_url(QueueName=self.name)["QueueUrl"]


def declared(cloud: Cloud, **settings: Any) -> list[Resource[Any]]:
    """The stack with the new kind in its list."""
    described = Settings(**settings)
    return [*provision.declare(described, cloud), WaitingRoom(described, cloud)]


def set_up(resources: list[Resource[Any]]) -> dict[str, Action]:
    planned = provision.plan(resources)
    list(provision.apply(resources, planned, ManualClock()))
    return planned_actions(planned)


def waiting_rooms(account: Account) -> list[tuple[str, dict[str, str]]]:
    sqs = account.client("sqs")
    urls = sqs.list_queues(QueueNamePrefix="waiting-room").get("QueueUrls", [])
    return [(url.rpartition("/")[2], sqs.list_queue_tags(QueueUrl=url)["Tags"]) for url in urls]


def test_a_new_kind_is_made_with_the_stack_and_then_left_alone(account: Account, cloud: Cloud) -> None:
    assert set_up(declared(cloud))["waiting-room"] is Action.CREATE
    assert waiting_rooms(account) == [("waiting-room-default", {"ordernotify:stack": "default"})]
    assert set_up(declared(cloud)) == {}


def test_its_drift_and_a_new_description_are_planned_by_its_field(account: Account, cloud: Cloud) -> None:
    set_up(declared(cloud))
    changed = declared(cloud, log_retention=60)
    changes = changes_planned(changed, "waiting-room")
    assert changes == {"retention": (30 * 3_600, 60 * 3_600)}
    set_up(changed)
    assert set_up(changed) == {}


def test_a_setup_that_dies_in_the_middle_of_it_is_continued(account: Account, cloud: Cloud) -> None:
    lost: list[Call] = []

    def interfere(call: Call, send: Send) -> Any:
        answered = send()
        if call.operation == "SetQueueAttributes" and not lost:
            lost.append(call)
            raise KeyboardInterrupt
        return answered

    account.interfere = interfere
    with pytest.raises(ApplyError):
        set_up(declared(cloud, log_retention=7))
    assert lost
    set_up(declared(cloud, log_retention=60))
    assert set_up(declared(cloud, log_retention=60)) == {}


def test_teardown_removes_it_and_the_policies_grant_its_calls(account: Account, cloud: Cloud) -> None:
    set_up(declared(cloud))
    resources = declared(cloud)
    planned = provision.plan_teardown(resources, delete_orders=True)
    list(provision.apply(resources, planned, ManualClock()))
    assert waiting_rooms(account) == []
    granted = {
        operation
        for one in (*provision.setup_calls(resources), *provision.teardown_calls(resources))
        if WaitingRoom(Settings(), cloud).arn in one.on
        for operation in one.operations
    }
    assert {"CreateQueue", "SetQueueAttributes", "DeleteQueue"} <= granted
