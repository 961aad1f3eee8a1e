"""Guide step 3: the subscribers of the topic."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from ordernotify.aws.errors import ignore_codes
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.base import Attributes, Live, Resource, Step, Verb
from ordernotify.resources.listing import NO_TOPIC, SUBSCRIPTIONS, list_subscriptions

PARALLEL_CALLS = 8
_PENDING = "pending"


class Subscriptions(Resource):
    """The email and SMS subscribers that setup was given; others that the topic has are left as they are."""

    kind = "subscriptions"
    needs: tuple[str, ...] = ("topic",)
    part_of = "topic"
    deleted_after: tuple[str, ...] = ("function",)

    @property
    def name(self) -> str:
        """The topic's name: subscriptions have none of their own."""
        return self.settings.names.topic

    @property
    def arn(self) -> str:
        """Empty: each subscription has an ARN of its own."""
        return ""

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        """SNS checks the topic, but Unsubscribe on no resource."""
        subscribe = (allow("sns", "Subscribe", on=self._topic_arn),)
        return {
            Verb.FIND: (allow("sns", "ListSubscriptionsByTopic", on=self._topic_arn),),
            Verb.CREATE: subscribe,
            Verb.UPDATE: subscribe,
            Verb.DELETE: (allow("sns", "Unsubscribe", on=SUBSCRIPTIONS),),
        }

    @property
    def wanted(self) -> bool:
        """Whether setup was given any subscriber."""
        return bool(self._given())

    def described(self, needed: Mapping[str, Live]) -> Attributes:
        """Return the subscribers given, each under its own name so that each is a line of the plan."""
        return {f"{protocol} {endpoint}": True for protocol, endpoint in self._given()}

    def find(self) -> Live | None:
        """Read the topic's email and SMS subscribers; None if there is not one."""
        found = [s for s in list_subscriptions(self.cloud, self._topic_arn) if s.endpoint != self._inbox_arn]
        if not found:
            return None
        everybody = {f"{s.protocol} {s.endpoint}": True for s in found}
        return Live("", {**everybody, _PENDING: sum(s.arn is None for s in found)})

    def create(self, step: Step) -> Live:
        """Subscribe everybody given."""
        return self.update(Live("", {}), frozenset(self.described(step.needed)), step)

    def update(self, live: Live, changed: frozenset[str], step: Step) -> Live:
        """Subscribe those who are missing; SNS sends them the request to confirm."""
        for protocol, endpoint in self._given():
            if f"{protocol} {endpoint}" in changed:
                self.cloud.sns.subscribe(
                    TopicArn=self._topic_arn,
                    Protocol=protocol,
                    Endpoint=endpoint,
                    ReturnSubscriptionArn=True,
                )
        return Live("", {**live.attributes, **self.described(step.needed)})

    def removal_notice(self, live: Live) -> str:
        """Say that AWS removes nobody who has not confirmed yet (AWS-FACTS 13)."""
        pending = live.attributes.get(_PENDING, 0)
        return f"{pending} not confirmed: expires within 3 days by itself" if pending else ""

    def delete(self, live: Live, step: Step) -> None:
        """Remove every confirmed subscription but the inbox's; pending ones expire (AWS-FACTS 13)."""
        everybody = list_subscriptions(self.cloud, self._topic_arn)
        confirmed = [s.arn for s in everybody if s.arn and s.endpoint != self._inbox_arn]
        with ThreadPoolExecutor(PARALLEL_CALLS) as pool:
            list(pool.map(self._unsubscribe, confirmed))

    def _given(self) -> list[tuple[str, str]]:
        emails = [("email", address) for address in self.settings.emails]
        return emails + [("sms", number) for number in self.settings.phones]

    @property
    def _topic_arn(self) -> str:
        return self.cloud.arn("sns", self.name)

    @property
    def _inbox_arn(self) -> str:
        return self.cloud.arn("sqs", self.settings.names.inbox_queue)

    def _unsubscribe(self, arn: str) -> None:
        with ignore_codes(*NO_TOPIC):
            self.cloud.sns.unsubscribe(SubscriptionArn=arn)


class AlarmSubscriptions(Subscriptions):
    """The addresses that are told of alarms."""

    kind = "alarm emails"
    needs: tuple[str, ...] = ("alarm topic",)
    part_of = "alarm topic"
    deleted_after: tuple[str, ...] = ()
    removed_when_unwanted = True

    @property
    def name(self) -> str:
        """The alarm topic's name."""
        return self.settings.names.alarm_topic

    def _given(self) -> list[tuple[str, str]]:
        return [("email", address) for address in self.settings.alarm_emails]
