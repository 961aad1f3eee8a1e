"""What is described no longer: it goes away, or setup says that it stays."""

from __future__ import annotations

import json
import re

from botocore.awsrequest import AWSResponse

from ordernotify import provision
from ordernotify.aws.session import Cloud
from ordernotify.errors import EXIT_DIFFERENCES
from ordernotify.resources.base import Verb
from ordernotify.resources.ownership import staying_tags
from ordernotify.resources.subscriptions import AlarmSubscriptions
from ordernotify.resources.table import Table
from ordernotify.settings.model import Settings
from tests.cli_support import Typed, typed
from tests.provision_support import ACCOUNT_ID, Account, Call, Send, assert_settled, only, set_up, step
from tests.test_declared_calls import Recorder
from tests.test_resource_subscriptions import listing

__all__ = ["typed"]

TAG = "The tag team=shop is not described and stays on {} resources: remove it by hand, or describe it with"
TABLE = f"arn:aws:dynamodb:us-east-1:{ACCOUNT_ID}:table/FileMetadata"
ALARMS = f"arn:aws:sns:us-east-1:{ACCOUNT_ID}:processFileUpload-alarms"
TWO = Settings(alarm_emails=("a@example.com", "b@example.com"))
ONE = Settings(alarm_emails=("a@example.com",))


def flat(text: str) -> str:
    return " ".join(text.split())


def alarm_subscribers(account: Account) -> set[tuple[str, str]]:
    listed = account.client("sns").list_subscriptions_by_topic(TopicArn=ALARMS)["Subscriptions"]
    return {(one["Protocol"], one["Endpoint"]) for one in listed}


def test_a_tag_no_longer_given_is_said_to_stay_by_plan_dry_run_and_setup(
    account: Account, typed: Typed
) -> None:
    assert typed("setup", "--tag", "team=shop").exit_code == 0
    tagged = account.client("resourcegroupstaggingapi").get_resources(
        TagFilters=[{"Key": "team", "Values": ["shop"]}]
    )["ResourceTagMappingList"]
    dry = typed("setup", "--dry-run", "--exit-code")
    assert dry.exit_code == 0, "a tag that stays is no difference"
    said = re.search(TAG.format(r"(\d+)") + " --tag team=shop", flat(dry.stdout))
    assert said, dry.stdout
    assert int(said[1]) >= len(tagged) > 1
    as_json = typed("setup", "--dry-run", "--json")
    assert said[0] in flat(as_json.stderr)
    assert json.loads(as_json.stdout)["stack"] == "default"
    changed = typed("setup", "--memory", "512", "--yes")
    assert flat(changed.stderr).count(said[0]) == 2, "in the plan, and afterwards"
    assert said[0] in flat(typed("setup", "--memory", "512").stderr)
    kept = account.client("dynamodb").list_tags_of_resource(ResourceArn=TABLE)["Tags"]
    assert {"Key": "team", "Value": "shop"} in kept


def test_a_tag_that_is_given_and_one_that_somebody_put_on_one_resource_are_not_told_of(
    account: Account, typed: Typed
) -> None:
    assert typed("setup", "--tag", "team=shop").exit_code == 0
    account.client("dynamodb").tag_resource(ResourceArn=TABLE, Tags=[{"Key": "backup", "Value": "yes"}])
    again = typed("setup", "--tag", "team=shop")
    assert "not described" not in again.stderr
    assert "backup" not in again.stderr


def test_a_tag_with_a_space_is_told_so_that_it_can_be_pasted(account: Account, cloud: Cloud) -> None:
    set_up(Settings(tags={"cost center": "a b"}), cloud)
    live = Table(Settings(), cloud).find()
    assert live is not None
    assert next(staying_tags(Settings(), [live])).endswith("with --tag 'cost center=a b'.")


def test_a_confirmed_alarm_email_no_longer_given_is_shown_and_unsubscribed(
    account: Account, typed: Typed, cloud: Cloud
) -> None:
    set_up(TWO, cloud)
    account.client("sns").subscribe(
        TopicArn=ALARMS, Protocol="sms", Endpoint="+14155550100", ReturnSubscriptionArn=True
    )
    dry = typed("setup", "--alarm-email", "a@example.com", "--dry-run", "--exit-code")
    assert dry.exit_code == EXIT_DIFFERENCES
    assert "    - email b@example.com\n" in dry.stdout
    assert ("email", "b@example.com") in alarm_subscribers(account), "a dry run changes nothing"
    done = typed("setup", "--alarm-email", "a@example.com", "--yes")
    assert done.exit_code == 0, done.output
    assert alarm_subscribers(account) == {("email", "a@example.com"), ("sms", "+14155550100")}
    assert_settled(account, provision.declare(ONE, cloud))


def test_one_alarm_email_in_place_of_another(account: Account, cloud: Cloud) -> None:
    set_up(TWO, cloud)
    set_up(Settings(alarm_emails=("c@example.com",)), cloud)
    assert alarm_subscribers(account) == {("email", "c@example.com")}


def test_a_pending_alarm_email_no_longer_given_is_said_to_stay_and_is_no_difference(
    account: Account, cloud: Cloud, typed: Typed
) -> None:
    set_up(TWO, cloud)
    confirmed = f"{ALARMS}:1"
    as_sns_lists = listing(
        ("email", "a@example.com", confirmed), ("email", "b@example.com", "PendingConfirmation")
    )

    def interfere(call: Call, send: Send) -> AWSResponse:
        return as_sns_lists(call, send) if call.params.get("TopicArn") == ALARMS else send()

    account.interfere = interfere
    account.forget_calls()
    dry = typed("setup", "--alarm-email", "a@example.com", "--dry-run", "--exit-code")
    assert dry.exit_code == 0, dry.output
    said = "The alarm subscriber b@example.com is not described and stays, as it has not confirmed"
    assert said in flat(dry.stdout)
    done = typed("setup", "--alarm-email", "a@example.com")
    assert done.exit_code == 0, done.output
    assert said in flat(done.stderr)
    assert account.changing_calls == []


def test_setup_declares_the_call_that_unsubscribes(account: Account, cloud: Cloud) -> None:
    set_up(TWO, cloud)
    emails = only(provision.declare(ONE, cloud), AlarmSubscriptions.kind)
    live = emails.find()
    assert live is not None
    Recorder(account).run(emails, Verb.UPDATE, lambda: emails.update(live, step()))
    assert alarm_subscribers(account) == {("email", "a@example.com")}
