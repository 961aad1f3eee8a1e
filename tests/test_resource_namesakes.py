"""What holds for everything in API Gateway that may share its name: both kinds of API, key and plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ordernotify.aws.session import Cloud
from ordernotify.executor import Action
from ordernotify.provision import apply, declare, plan
from ordernotify.resources.api.base import Throttle, throttle_of
from ordernotify.resources.base import AnyLive, Resource
from ordernotify.settings.model import ApiKind, Auth, Settings
from tests.provision_support import (
    Account,
    Call,
    Interference,
    ManualClock,
    Send,
    answer_json,
    assert_deleted_twice,
    assert_made_again,
    assert_settled,
    bring_about,
    only,
    planned_actions,
    step,
)

REST = Settings(auth=Auth.API_KEY)
HTTP = Settings(api=ApiKind.HTTP)
OURS = {"ordernotify:stack": "default"}
LISTINGS: dict[str, tuple[str, object]] = {
    "rest": ("GetRestApis", {"item": []}),
    "http": ("GetApis", {"items": []}),
    "key": ("GetApiKeys", {"item": []}),
    "plan": ("GetUsagePlans", {"item": []}),
}
"""The call that lists each kind, and the answer when it lists nothing."""
MAKERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "rest": ("apigateway", "create_rest_api", {"name": "order-api", "tags": OURS}),
    "http": ("apigatewayv2", "create_api", {"Name": "order-api", "ProtocolType": "HTTP", "Tags": OURS}),
    "key": ("apigateway", "create_api_key", {"name": "order-api-key", "enabled": True, "tags": OURS}),
    "plan": ("apigateway", "create_usage_plan", {"name": "order-api-plan", "tags": OURS}),
}
KEYS = {"rest": "api", "http": "api", "key": "api-key", "plan": "usage-plan"}

every_kind = pytest.mark.parametrize("kind", KEYS)


def stack_of(kind: str, cloud: Cloud, **more: Any) -> list[Resource[Any]]:
    """Describe what the kind needs: the API alone, or the API with key and plan."""
    settings = HTTP if kind == "http" else REST
    described = Settings(api=settings.api, auth=settings.auth, **more)
    keys = {"api"} if kind in {"rest", "http"} else {"api", "api-key", "usage-plan"}
    return [resource for resource in declare(described, cloud) if resource.key in keys]


def make_another(account: Account, kind: str, **more: Any) -> str:
    """Make one more of the same name by boto3 alone; returns its id."""
    service, operation, arguments = MAKERS[kind]
    made = getattr(account.client(service), operation)(**{**arguments, **more})
    return str(made.get("id") or made["ApiId"])


def found(resource: Resource[Any]) -> AnyLive:
    live = resource.find()
    assert live is not None
    return live


@every_kind
def test_what_is_as_described_is_left_alone(account: Account, cloud: Cloud, kind: str) -> None:
    bring_about(stack_of(kind, cloud))
    assert_settled(account, stack_of(kind, cloud))


@every_kind
def test_what_disappeared_is_made_again(account: Account, cloud: Cloud, kind: str) -> None:
    bring_about(stack_of(kind, cloud))
    gone = only(stack_of(kind, cloud), KEYS[kind])
    gone.delete(found(gone), step())
    actions = planned_actions(plan(stack_of(kind, cloud)))
    made = {key for key, action in actions.items() if action is Action.CREATE}
    assert made == {KEYS[kind]}
    assert_made_again(account, stack_of(kind, cloud), KEYS[kind])


@every_kind
def test_it_can_be_deleted_twice(account: Account, cloud: Cloud, kind: str) -> None:
    bring_about(stack_of(kind, cloud))
    assert_deleted_twice(only(stack_of(kind, cloud), KEYS[kind]))


@every_kind
def test_row_35_a_listing_that_does_not_show_it_yet_is_no_rival(
    account: Account, cloud: Cloud, kind: str
) -> None:
    bring_about(stack_of(kind, cloud))
    resource = only(stack_of(kind, cloud), KEYS[kind])
    live = found(resource)
    operation, nothing = LISTINGS[kind]

    def lag(call: Call, send: Send) -> Any:
        return answer_json(nothing) if call.operation == operation else send()

    assert not resource.has_rival(live), "the listing shows it alone"
    account.interfere = lag
    assert not resource.has_rival(live), "the listing shows nothing"


@every_kind
def test_row_35_another_one_of_the_stack_is_a_rival_and_another_stacks_is_none(
    account: Account, cloud: Cloud, kind: str
) -> None:
    bring_about(stack_of(kind, cloud))
    resource = only(stack_of(kind, cloud), KEYS[kind])
    live = found(resource)
    tags = "Tags" if kind == "http" else "tags"
    make_another(account, kind, **{tags: {"ordernotify:stack": "dev"}})
    assert not resource.has_rival(live)
    make_another(account, kind)
    assert resource.has_rival(live)


def with_tags_apart(store: dict[str, dict[str, str]]) -> Interference:
    """Keep tags as the embedded cloud does: the listing has those of the create for ever."""

    def interfere(call: Call, send: Send) -> Any:
        arn = call.params.get("resourceArn", "")
        if call.operation == "TagResource":
            given: Mapping[str, str] = call.params["tags"]
            store.setdefault(arn, {}).update(given)
            return answer_json({})
        return answer_json({"tags": store.get(arn, {})}) if call.operation == "GetTags" else send()

    return interfere


@pytest.mark.parametrize("kind", ["rest", "key", "plan"])
def test_changed_tags_take_effect_although_the_listing_does_not_learn_of_them(
    account: Account, cloud: Cloud, kind: str
) -> None:
    account.interfere = with_tags_apart({})
    bring_about(stack_of(kind, cloud, tags={"team": "shop"}))
    changed = {"team": "shipping"}
    actions = planned_actions(plan(stack_of(kind, cloud, tags=changed)))
    assert actions[KEYS[kind]] is Action.UPDATE
    bring_about(stack_of(kind, cloud, tags=changed))
    assert_settled(account, stack_of(kind, cloud, tags=changed))


def test_an_adopted_key_is_the_stacks_although_the_listing_does_not_learn_of_it(
    account: Account, cloud: Cloud
) -> None:
    account.interfere = with_tags_apart({})
    theirs = make_another(account, "key", tags={})
    described = stack_of("key", cloud)
    list(apply(described, plan(described, adopt=True), ManualClock()))
    assert found(only(described, "api-key")).state.id == theirs
    assert_settled(account, stack_of("key", cloud))


@pytest.mark.parametrize(
    ("rate", "burst", "expected"),
    [
        (None, None, None),
        (10_000.0, 5_000, None),
        (10_000.0, 4_999, Throttle(10_000, 4_999)),
        (10_000.0, 10_000, Throttle(10_000, 10_000)),
        (5_000.0, 5_000, Throttle(5_000, 5_000)),
        (0.0, 0, Throttle(0, 0)),
    ],
)
def test_the_accounts_own_limits_are_no_throttle(
    rate: float | None, burst: int | None, expected: Throttle | None
) -> None:
    assert throttle_of(rate, burst) == expected
