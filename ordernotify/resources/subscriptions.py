"""Guide step 3: the subscribers of the topic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

from ordernotify.aws.errors import has_code, ignore_codes
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources import delivery
from ordernotify.resources.base import Change, Live, Needed, Resource, Step, Verb
from ordernotify.resources.listing import (
    NEW_TOPIC_SECONDS,
    NO_TOPIC,
    SUBSCRIPTIONS,
    Subscription,
    is_internal,
    list_subscriptions,
)
from ordernotify.resources.sandbox import SMS_CALLS, sms_notices
from ordernotify.resources.subscriber import PARALLEL_CALLS, redrive_policy
from ordernotify.resources.suspension import find_mailboxes


@dataclass(frozen=True, slots=True)
class SubscriptionsState:
    """The subscribers as (protocol, endpoint); `pending`: those who have not confirmed yet."""

    subscribers: frozenset[tuple[str, str]] = frozenset()
    pending: frozenset[tuple[str, str]] = field(default=frozenset(), compare=False)
    mailboxes: frozenset[str] = field(default=frozenset(), compare=False)
    """Who gets every notification by email."""

    def mailboxes_with(self, emails: Iterable[str]) -> frozenset[str]:
        """Return the mailboxes when these addresses are subscribed too."""
        return self.mailboxes.union(one for one in emails if ("email", one) not in self.subscribers)


class Subscriptions(Resource[SubscriptionsState]):
    """The email and SMS subscribers that setup was given; the topic's others stay as they are."""

    kind = "subscriptions"
    stays_when_renamed = True
    needs: tuple[str, ...] = ("topic", "dead-letters")
    part_of = "topic"
    deleted_after: tuple[str, ...] = ("function",)

    @property
    def name(self) -> str:
        """The topic's name: subscriptions have none of their own."""
        return self.settings.names.topic

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        """IAM checks the topic, except for Unsubscribe, which has no resource."""
        subscribe = (
            allow("sns", "Subscribe", on=self._topic_arn),
            *(SMS_CALLS if self._phones else ()),
        )
        return {
            Verb.FIND: (
                allow("sns", "ListSubscriptionsByTopic", on=self._topic_arn),
                allow("sns", "GetSubscriptionAttributes", on=SUBSCRIPTIONS),
            ),
            Verb.CREATE: subscribe,
            Verb.UPDATE: subscribe,
            Verb.DELETE: (allow("sns", "Unsubscribe", on=SUBSCRIPTIONS),),
        }

    @property
    def wanted(self) -> bool:
        return bool(self._given())

    def described(self, needed: Needed) -> SubscriptionsState:
        return SubscriptionsState(frozenset(self._given()))

    def diff(self, live: Live[SubscriptionsState], needed: Needed) -> tuple[Change, ...]:
        """Return the subscribers who are missing, each a line of the plan; others may be there too."""
        missing = [one for one in self._given() if one not in live.state.subscribers]
        return tuple(Change(f"{protocol} {endpoint}", None, True) for protocol, endpoint in missing)

    def find(self) -> Live[SubscriptionsState] | None:
        found = [s for s in list_subscriptions(self.cloud, self._topic_arn) if not self._is_internal(s)]
        if not found:
            return None
        everybody = frozenset((s.protocol, s.endpoint) for s in found)
        pending = frozenset((s.protocol, s.endpoint) for s in found if s.arn is None)
        return Live("", SubscriptionsState(everybody, pending, self._mailboxes(found)))

    def _mailboxes(self, found: Iterable[Subscription]) -> frozenset[str]:
        return find_mailboxes(self.cloud, found)

    def create(self, step: Step) -> Live[SubscriptionsState]:
        return self.update(Live("", SubscriptionsState()), step)

    def update(self, live: Live[SubscriptionsState], step: Step) -> Live[SubscriptionsState]:
        for one in self._given():
            if one not in live.state.subscribers:
                # AWS-FACTS 24: the topic may have been made a moment ago.
                step.patience.retry(
                    partial(self._subscribe, *one),
                    when=lambda error: has_code(error, *NO_TOPIC),
                    waiting_for=f"the topic {self.name} to be known",
                    timeout=NEW_TOPIC_SECONDS,
                )
        found = live.state
        mailboxes = found.mailboxes_with(self.settings.emails)
        everybody = found.subscribers.union(self._given())
        return Live("", replace(found, subscribers=everybody, mailboxes=mailboxes))

    def notes_after(self) -> tuple[str, ...]:
        """Say why phones may get no text messages (AWS-FACTS 14, 32)."""
        return tuple(sms_notices(self.cloud, self._phones))

    def removal_notice(self, live: Live[SubscriptionsState]) -> str:
        """Say that AWS keeps who has not confirmed yet (AWS-FACTS 13)."""
        pending = len(live.state.pending)
        return f"{pending} not confirmed: expires within 48 hours by itself" if pending else ""

    def delete(self, live: Live[SubscriptionsState], step: Step) -> None:
        """Remove every confirmed subscription except the stack's own; pending ones expire (AWS-FACTS 13).

        Before that, take back what `subscribe` added to the policies of queues and functions.
        """
        everybody = list_subscriptions(self.cloud, self._topic_arn)
        for one in everybody:
            if one.protocol in delivery.SERVICES and not self._is_internal(one):
                delivery.forbid(self.cloud, delivery.parse_receiver(one.endpoint), self._topic_arn)
        confirmed = [s.arn for s in everybody if s.arn and not self._is_internal(s)]
        with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
            list(pool.map(self._unsubscribe, confirmed))

    def _given(self) -> list[tuple[str, str]]:
        emails = [("email", address) for address in self.settings.emails]
        return emails + [("sms", number) for number in self.settings.phones]

    @property
    def _attributes(self) -> dict[str, str]:
        if not self.settings.dead_letters:
            return {}
        return {"RedrivePolicy": redrive_policy(self.cloud, self.settings.names)}

    @property
    def _phones(self) -> list[str]:
        return [endpoint for protocol, endpoint in self._given() if protocol == "sms"]

    @property
    def _topic_arn(self) -> str:
        return self.cloud.arn("sns", self.name)

    def _is_internal(self, one: Subscription) -> bool:
        return is_internal(self.cloud, self.settings.names, one.endpoint)

    def _subscribe(self, protocol: str, endpoint: str) -> None:
        self.cloud.sns.subscribe(
            TopicArn=self._topic_arn,
            Protocol=protocol,
            Endpoint=endpoint,
            Attributes=self._attributes,
            ReturnSubscriptionArn=True,
        )

    def _unsubscribe(self, arn: str) -> None:
        with ignore_codes(*NO_TOPIC):
            self.cloud.sns.unsubscribe(SubscriptionArn=arn)


class AlarmSubscriptions(Subscriptions):
    """The email addresses that get the alarms; subscribers of other protocols stay as they are."""

    kind = "alarm emails"
    stays_when_renamed = False
    needs: tuple[str, ...] = ("alarm topic",)
    part_of = "alarm topic"
    deleted_after: tuple[str, ...] = ()
    removed_when_unwanted = True

    @property
    def name(self) -> str:
        return self.settings.names.alarm_topic

    def _given(self) -> list[tuple[str, str]]:
        return [("email", address) for address in self.settings.alarm_emails]

    @property
    def _attributes(self) -> dict[str, str]:
        """None here: the dead letters are notifications of orders."""
        return {}

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        """Those of the topic's subscribers, and Unsubscribe for addresses that are no longer given."""
        calls = super().calls
        return {**calls, Verb.UPDATE: (*calls[Verb.UPDATE], *calls[Verb.DELETE])}

    def diff(self, live: Live[SubscriptionsState], needed: Needed) -> tuple[Change, ...]:
        """Return who is missing, and the confirmed addresses that are no longer given."""
        dropped = sorted(self._dropped(live) - live.state.pending)
        gone = (Change(f"{protocol} {endpoint}", True, None) for protocol, endpoint in dropped)
        return (*super().diff(live, needed), *gone)

    def staying(self, live: Live[SubscriptionsState]) -> tuple[str, ...]:
        """Name the addresses that are no longer given and have not confirmed (AWS-FACTS 13)."""
        return tuple(
            f"The alarm subscriber {address} is not described and stays, as it has not confirmed: SNS drops "
            "it after 48 hours, and the next setup removes it if it confirms before."
            for _, address in sorted(self._dropped(live) & live.state.pending)
        )

    def update(self, live: Live[SubscriptionsState], step: Step) -> Live[SubscriptionsState]:
        updated = super().update(live, step)
        dropped = self._dropped(live) - live.state.pending
        if not dropped:
            return updated
        for one in list_subscriptions(self.cloud, self._topic_arn):
            if one.arn and (one.protocol, one.endpoint) in dropped:
                self._unsubscribe(one.arn)
        left = replace(updated.state, subscribers=updated.state.subscribers - dropped)
        return replace(updated, state=left)

    def _dropped(self, live: Live[SubscriptionsState]) -> frozenset[tuple[str, str]]:
        emails = {one for one in live.state.subscribers if one[0] == "email"}
        return frozenset(emails.difference(self._given()))

    def _mailboxes(self, found: Iterable[Subscription]) -> frozenset[str]:
        return frozenset()  # orders do not go there
