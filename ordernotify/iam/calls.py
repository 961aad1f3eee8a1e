"""What each part of the code may call, declared beside the calls.

`ordernotify policy` writes the IAM policies from these declarations; the tests hold that nothing else is
called.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Allow:
    """Operations of one service on the resources `on`, in IAM's words.

    Operations of API Gateway need no resources: IAM knows them by verb and path, which follow from the
    operation. What AWS checks along with a call (`iam:PassRole`, tagging) is declared like a call.
    """

    service: str
    """The name of boto3's client, which is mostly the prefix of IAM's actions too."""
    operations: tuple[str, ...]
    on: tuple[str, ...] = ()
    when: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """IAM's condition."""
    optional: bool = False
    """The code does without it and says what it could not find out; no policy grants it."""


Calls = tuple[Allow, ...]


def allow(
    service: str,
    *operations: str,
    on: str | Iterable[str] = (),
    when: Mapping[str, Mapping[str, str]] | None = None,
    optional: bool = False,
) -> Allow:
    """Declare operations, for example `allow("sns", "Publish", on=topic_arn)`."""
    return Allow(service, operations, (on,) if isinstance(on, str) else tuple(on), when or {}, optional)
