"""What the stack has under a name that it is no longer described with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ordernotify.iam.calls import Calls
from ordernotify.resources.base import Leftover, Live, Resource, Step, Verb
from ordernotify.settings.model import NAME_ROWS
from ordernotify.settings.names import Names


class Former(Leftover[Any]):
    """A resource under a former name: setup removes it, or tells that it stays, see `stays_when_renamed`."""

    removed_when_unwanted = True

    def __init__(self, inner: Resource[Any], name: str) -> None:
        super().__init__(inner.settings, inner.cloud)

        def former(key: str) -> str:
            return f"{key} ({name})"

        self._inner = inner
        self._key = former(inner.key)
        self.kind = inner.kind
        self.keeps_orders = inner.keeps_orders
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
        kept_for = "stays" if self._inner.stays_when_renamed else self._inner.kept_for(live)
        return kept_for and f"no longer used, {kept_for}"

    def removal_notice(self, live: Live[Any]) -> str:
        return self._inner.removal_notice(live)

    def delete(self, live: Live[Any], step: Step) -> None:
        self._inner.delete(live, step)


def formers(described: Sequence[Resource[Any]], names: Names) -> Iterator[Former]:
    """Yield what the stack may have under `names`, which differ in one from those it is described with."""
    settings = described[0].settings
    old = next(
        name for row in NAME_ROWS if (name := getattr(names, row.field)) != getattr(settings.names, row.field)
    )
    in_use = {(one.key, one.name) for one in described}
    other = replace(settings, names=names)
    for one in described:
        inner = one.under_former_name(other)
        # What is part of the function goes with it.
        if (inner.key, inner.name) not in in_use and inner.part_of != "function":
            yield Former(inner, old)
