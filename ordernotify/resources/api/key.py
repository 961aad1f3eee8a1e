"""The API key of `--auth api-key`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ordernotify.aws.session import Cloud
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.api.listing import Found, gateway_arn, tags_of_now
from ordernotify.resources.api.namesake import Namesake
from ordernotify.resources.api.quota import call_when_free
from ordernotify.resources.base import Live, Needed, Step, Verb
from ordernotify.settings.model import Auth
from ordernotify.settings.names import Names


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundKey(Found):
    """An API key without its value, which must not get into plans, errors or logs."""

    enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyState:
    """An API key, and how many the stack has of it."""

    id: str = field(default="", compare=False)
    description: str = field(default="", compare=False)
    enabled: bool = True
    copies: int = 1


def find_api_keys(cloud: Cloud, names: Names) -> list[FoundKey]:
    """Find the keys of this exact name, oldest first.

    AWS matches by prefix (AWS-FACTS 20).
    """
    pages = cloud.apigateway.get_paginator("get_api_keys").paginate(
        nameQuery=names.api_key, includeValues=False
    )
    named = [key for page in pages for key in page["items"] if key["name"] == names.api_key]
    return [
        FoundKey(
            arn=(arn := _arn(cloud, key["id"])),
            id=key["id"],
            tags=tags_of_now(cloud, arn, key.get("tags", {})),
            description=key.get("description", ""),
            # An emulator keeps the text by which it was set.
            enabled=str(key.get("enabled")).lower() == "true",
        )
        for key in sorted(named, key=lambda key: (key["createdDate"].timestamp(), key["id"]))
    ]


def lists_api_keys() -> Calls:
    return (allow("apigateway", "GetApiKeys", "GetTags"),)


def _arn(cloud: Cloud, key_id: str) -> str:
    return gateway_arn(cloud, "apikeys", key_id)


class ApiKey(Namesake[ApiKeyState, FoundKey]):
    """The key; its value is made by AWS, and read only by who sends an order or asks to see it."""

    kind = "api-key"
    removed_when_unwanted = True

    @property
    def name(self) -> str:
        return self.settings.names.api_key

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        """TagResource is also checked for a new key."""
        change = (allow("apigateway", "UpdateApiKey", "DeleteApiKey", "TagResource"),)
        return {
            Verb.FIND: lists_api_keys(),
            Verb.CREATE: (allow("apigateway", "CreateApiKey", "TagResource"),),
            Verb.UPDATE: change,
            Verb.DELETE: (allow("apigateway", "DeleteApiKey"),),
        }

    @property
    def wanted(self) -> bool:
        return self.settings.auth is Auth.API_KEY

    def described(self, needed: Needed) -> ApiKeyState:
        return ApiKeyState()

    def named(self) -> Sequence[FoundKey]:
        return find_api_keys(self.cloud, self.settings.names)

    def read(self, entry: FoundKey, copies: int) -> ApiKeyState:
        return ApiKeyState(id=entry.id, description=entry.description, enabled=entry.enabled, copies=copies)

    def create(self, step: Step) -> Live[ApiKeyState]:
        created = call_when_free(
            step,
            self.cloud.apigateway.create_api_key,
            name=self.name,
            description="Admits to the order API (ordernotify)",
            enabled=True,
            tags=self.settings.all_tags,
        )
        return Live(_arn(self.cloud, created["id"]), ApiKeyState(id=created["id"]))

    def update(self, live: Live[ApiKeyState], step: Step) -> Live[ApiKeyState]:
        found, wanted = live.state, self.described(step.needed)
        if found.enabled != wanted.enabled:
            call_when_free(
                step,
                self.cloud.apigateway.update_api_key,
                apiKey=found.id,
                patchOperations=[{"op": "replace", "path": "/enabled", "value": "true"}],
            )
        if found.copies != wanted.copies:
            self.delete_all_but(live.arn, step)
        return Live(live.arn, ApiKeyState(id=found.id))

    def remove(self, entry: FoundKey, step: Step) -> None:
        call_when_free(step, self.cloud.apigateway.delete_api_key, apiKey=entry.id)
