"""What the stack has under a name that it is not described with any more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ordernotify.iam.calls import Calls
from ordernotify.resources.base import Leftover, Live, Resource, Step, Verb


class Former(Leftover[Any]):
    """A resource under a former name: setup removes it, or tells that it stays, see `stays_when_renamed`."""

    def __init__(self, inner: Resource[Any], name: str) -> None:
        super().__init__(inner.settings, inner.cloud)

        def former(key: str) -> str:
            return f"{key} ({name})"

        self._inner = inner
        self._key = former(inner.key)
        self.kind = inner.kind
        self.keeps_orders = inner.keeps_orders
        self.removed_when_unwanted = not inner.stays_when_renamed
        self.stays_when_renamed = inner.stays_when_renamed
        self.part_of = former(inner.part_of) if inner.part_of else None
        self.needs = tuple(map(former, inner.needs))
        # The one in use comes first: nothing that serves may lack what it needs.
        self.deleted_after = (inner.key, *inner.deleted_after, *map(former, inner.deleted_after))

    @property
    def key(self) -> str:
        return self._key

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def arn(self) -> str:
        return self._inner.arn

    @property
    def calls(self) -> Mapping[Verb, Calls]:
        return {verb: calls for verb, calls in self._inner.calls.items() if verb in (Verb.FIND, Verb.DELETE)}

    def find(self) -> Live[Any] | None:
        live = self._inner.find()
        return live if live and live.owned else None

    def kept_for(self, live: Live[Any]) -> str:
        return self._inner.kept_for(live) and "no longer used, holds undelivered notifications"

    def removal_notice(self, live: Live[Any]) -> str:
        return self._inner.removal_notice(live)

    def delete(self, live: Live[Any], step: Step) -> None:
        self._inner.delete(live, step)
