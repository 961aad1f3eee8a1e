from __future__ import annotations

from ordernotify.aws.session import Cloud
from ordernotify.resources.queue import VerifyQueues
from ordernotify.settings.model import Settings
from ordernotify.settings.names import STACK_TAG
from tests.provision_support import (
    Account,
    assert_deleted_twice,
    assert_settled,
    step,
)


def leave_behind(account: Account, name: str, stack: str = "default") -> str:
    made = account.client("sqs").create_queue(QueueName=name, tags={STACK_TAG: stack})
    return str(made["QueueUrl"])


def test_what_a_killed_verify_left_is_found_and_removed(account: Account, cloud: Cloud) -> None:
    leave_behind(account, "file-upload-notification-verify-0a1b2c3d")
    leave_behind(account, "file-upload-notification-verify-1772366400-4e5f6071")
    kept = [
        leave_behind(account, "file-upload-notification-verify-inbox", stack="verify"),
        leave_behind(account, "file-upload-notification-verify-99999999", stack="other"),
        leave_behind(account, "file-upload-notification-verify-notes"),
    ]
    assert_deleted_twice(VerifyQueues(Settings(), cloud))
    assert sorted(account.client("sqs").list_queues()["QueueUrls"]) == sorted(kept)


def test_without_a_killed_verify_nothing_is_found(cloud: Cloud) -> None:
    assert VerifyQueues(Settings(), cloud).find() is None


def test_setup_leaves_the_queue_of_a_running_verify_alone(account: Account, cloud: Cloud) -> None:
    running = leave_behind(account, "file-upload-notification-verify-0a1b2c3d")
    assert_settled(account, [VerifyQueues(Settings(), cloud)])
    assert account.client("sqs").list_queues()["QueueUrls"] == [running]


def test_a_queue_that_is_gone_by_now_is_no_error(account: Account, cloud: Cloud) -> None:
    queues = VerifyQueues(Settings(), cloud)
    left = leave_behind(account, "file-upload-notification-verify-0a1b2c3d")
    live = queues.find()
    assert live is not None
    account.client("sqs").delete_queue(QueueUrl=left)
    queues.delete(live, step())
