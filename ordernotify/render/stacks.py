"""The stacks of a place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ordernotify.render import clean, note, out
from ordernotify.stack.discovery import StackEntry


def show_stacks(found: Sequence[StackEntry]) -> None:
    """Print a line for each: name, kind of API, and invoke URL."""
    width = max((len(one.stack) for one in found), default=0)
    for one in found:
        out.print(f"{clean(one.stack):<{width}}  {one.kind or '-':<4}  {one.url or '(no API)'}")
    if not found:
        note("There are no stacks here. `ordernotify setup` makes one.")


def stack_documents(found: Iterable[StackEntry]) -> Iterator[dict[str, Any]]:
    for one in found:
        yield {"stack": one.stack, "api": one.kind, "url": one.url}
