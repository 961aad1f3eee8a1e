"""The API key of `--auth api-key`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ordernotify.aws.errors import ignore_codes
from ordernotify.aws.session import Cloud
from ordernotify.iam.calls import Calls, allow
from ordernotify.resources.api.base import NOT_FOUND, call_when_free
from ordernotify.resources.base import Attributes, Live, Resource, Step, Verb
from ordernotify.settings.model import Auth
from ordernotify.settings.names import Names


def find_api_keys(cloud: Cloud, names: Names) -> list[dict[str, Any]]:
    """Find the keys of this exact name, oldest first and without their values.

    AWS matches by prefix (AWS-FACTS 20).
    """
    pages = cloud.apigateway.get_paginator("get_api_keys").paginate(
        nameQuery=names.api_key, includeValues=False
    )
    # A key's value must not get into plans, errors or logs, even where an emulator sends it unasked.
    named = [
        {name: value for name, value in key.items() if name != "value"}
        for page in pages
        for key in page["items"]
        if key["name"] == names.api_key
    ]
    return sorted(named, key=lambda key: (key["createdDate"].timestamp(), key["id"]))


def lists_api_keys() -> Calls:
    """What `find_api_keys` calls."""
    return (allow("apigateway", "GetApiKeys"),)


class ApiKey(Resource):
    """The key; its value is made by AWS, and read only by who sends an order or asks to see it."""

    kind = "api-key"
    removed_when_unwanted = True

    @property
    def name(self) -> str:
        """The key's name."""
        return self.settings.names.api_key

    @property
    def arn(self) -> str:
        """Empty: the ARN holds the id that AWS chooses."""
        return ""

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
        """Only where clients must present a key."""
        return self.settings.auth is Auth.API_KEY

    def described(self, needed: Mapping[str, Live]) -> Attributes:
        """Return that there is one key and that it is enabled."""
        return {"enabled": True, "copies": 1}

    def find(self) -> Live | None:
        """Read the key; one of ours wins over others of its name."""
        keys = find_api_keys(self.cloud, self.settings.names)
        if not keys:
            return None
        ours = [key for key in keys if self.owns(key.get("tags", {}))]
        key = (ours or keys)[0]
        # An emulator keeps the text by which it was set.
        enabled = str(key.get("enabled")).lower() == "true"
        attributes = {"enabled": enabled, "copies": max(len(ours), 1)}
        return self._live(key["id"], attributes, key.get("tags", {}))

    def create(self, step: Step) -> Live:
        """Create the key with its tags."""
        created = call_when_free(
            step,
            self.cloud.apigateway.create_api_key,
            name=self.name,
            description="Admits to the order API (ordernotify)",
            enabled=True,
            tags=self.settings.all_tags,
        )
        return self._live(created["id"], self.described(step.needed))

    def update(self, live: Live, changed: frozenset[str], step: Step) -> Live:
        """Enable the key again, and delete copies of it."""
        if "enabled" in changed:
            call_when_free(
                step,
                self.cloud.apigateway.update_api_key,
                apiKey=live.ids["id"],
                patchOperations=[{"op": "replace", "path": "/enabled", "value": "true"}],
            )
        if "copies" in changed:
            self._delete_all_but(live.ids["id"], step)
        return self._live(live.ids["id"], self.described(step.needed))

    def put_tags(self, live: Live) -> None:
        """Add the tags."""
        self.cloud.apigateway.tag_resource(resourceArn=live.arn, tags=self.settings.all_tags)

    def has_rival(self, live: Live) -> bool:
        """Whether the key just made is not the only one of ours that has the name."""
        keys = find_api_keys(self.cloud, self.settings.names)
        return [key["id"] for key in keys if self.owns(key.get("tags", {}))] != [live.ids["id"]]

    def delete(self, live: Live, step: Step) -> None:
        """Delete every key of ours that has the name."""
        self._delete_all_but("", step)

    def _delete_all_but(self, kept: str, step: Step) -> None:
        # AWS-FACTS 21: a create that was cut off after it was applied, and repeated, leaves a second key.
        for key in find_api_keys(self.cloud, self.settings.names):
            if key["id"] != kept and self.owns(key.get("tags", {})):
                with ignore_codes(NOT_FOUND):
                    call_when_free(step, self.cloud.apigateway.delete_api_key, apiKey=key["id"])

    def _live(self, key_id: str, attributes: Attributes, tags: Mapping[str, str] | None = None) -> Live:
        arn = f"arn:{self.cloud.partition}:apigateway:{self.cloud.region}::/apikeys/{key_id}"
        return Live(arn, attributes, tags is None or self.owns(tags), tags, {"id": key_id})
