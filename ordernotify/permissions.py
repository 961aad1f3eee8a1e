"""What each part of the code may call, declared beside the calls.

A client from `Cloud.only` makes the declared calls and no others, and `ordernotify policy` writes the IAM
policies from the same declarations: what is missing in a declaration does not work anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore import xform_name

_NO_CALLS = frozenset({"meta", "exceptions"})
"""Parts of a client that call nothing."""

Methods = Mapping[str, frozenset[str]]
"""By client: the methods that may be called, as boto3 writes them."""


@dataclass(frozen=True, slots=True)
class Allow:
    """Operations of one service on the resources `on`, in IAM's words.

    API Gateway's are given without resources: IAM knows them by HTTP verb and path, which the operation
    tells. What AWS checks along with a call (`iam:PassRole`, tagging) is declared like a call.
    """

    service: str
    """The name of boto3's client, which is the prefix of IAM's actions too."""
    operations: tuple[str, ...]
    on: tuple[str, ...] = ()
    when: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """IAM's condition."""
    optional: bool = False
    """The code does without it, and says or leaves out what it could not find out; no policy has it."""


Permissions = tuple[Allow, ...]


def allow(
    service: str,
    *operations: str,
    on: str | Iterable[str] = (),
    when: Mapping[str, Mapping[str, str]] | None = None,
    optional: bool = False,
) -> Allow:
    """Declare operations, for example `allow("sns", "Publish", on=topic_arn)`."""
    return Allow(service, operations, (on,) if isinstance(on, str) else tuple(on), when or {}, optional)


class UndeclaredCallError(Exception):
    """The code made a call that it does not declare: a defect, which the printed policies would have too."""


def methods_of(permissions: Iterable[Allow]) -> Methods:
    """Name the methods that boto3's clients have for the declared operations."""
    methods: dict[str, frozenset[str]] = {}
    for allowed in permissions:
        names = {xform_name(operation) for operation in allowed.operations}
        methods[allowed.service] = methods.get(allowed.service, frozenset()) | names
    return methods


def methods_in_both(one: Methods, other: Methods) -> Methods:
    """Name the methods that both have."""
    return {service: names & other.get(service, frozenset()) for service, names in one.items()}


class LimitedClient:
    """A client of boto3 with the declared methods only; raises UndeclaredCallError for the others."""

    def __init__(self, client: Any, service: str, methods: Methods) -> None:
        """Take the client; `service` is its name."""
        self._client = client
        self._service = service
        self._methods = methods.get(service, frozenset()) | _NO_CALLS

    def __getattr__(self, name: str) -> Any:
        """Return the client's own method."""
        self._check(name)
        return getattr(self._client, name)

    def get_paginator(self, operation_name: str) -> Any:
        """Return the client's paginator of a declared method."""
        self._check(operation_name)
        return self._client.get_paginator(operation_name)

    def _check(self, name: str) -> None:
        if name not in self._methods:
            raise UndeclaredCallError(f"{self._service}.{name} is called, but not declared")
