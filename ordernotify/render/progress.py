"""Progress on stderr, while a person watches: nothing is shown where stderr is no terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from ordernotify.render import err, note

if TYPE_CHECKING:
    from ordernotify.orders.bulk import Summary


def _bar(known: bool, *, hidden: bool = False) -> Progress:
    columns: list[ProgressColumn | str] = [SpinnerColumn(), TextColumn("{task.description}")]
    if known:
        columns += [BarColumn(bar_width=20), TaskProgressColumn(), TimeRemainingColumn(compact=True)]
    else:
        columns += [TimeElapsedColumn()]
    return Progress(*columns, console=err, transient=True, disable=hidden or not err.is_terminal)


@contextmanager
def sending(total: int, position: Callable[[], int] | None = None) -> Iterator[Callable[[Summary], None]]:
    """Show how far a run is: the number sent, the rate, and the time that remains.

    `total` is what `position` counts up to (bytes of the file, or orders), 0 where nobody knows.
    """
    with _bar(known=total > 0) as progress:
        task = progress.add_task("sending", total=total or None)

        def tick(summary: Summary) -> None:
            troubles = "".join(
                f", {number} {what}"
                for number, what in ((summary.rejected, "rejected"), (summary.failed, "failed"))
                if number
            )
            progress.update(
                task,
                completed=position() if position else summary.sent,
                description=f"{summary.sent} sent, {summary.per_second:.0f}/s{troubles}",
            )

        yield tick


@contextmanager
def counting(verb: str, *, hidden: bool = False) -> Iterator[Callable[[int], None]]:
    """Show a number that grows, and the time since it began; `hidden` where the result is on the screen."""
    with _bar(known=False, hidden=hidden) as progress:
        task = progress.add_task(verb, total=None)

        def tick(count: int) -> None:
            progress.update(task, description=f"{verb} {count}")

        yield tick


@contextmanager
def waiting() -> Iterator[Callable[[str], None]]:
    """Show what is waited for, each time it is told: in one live line, or once where nobody watches."""
    status = err.status("")
    told: list[str] = []

    def tell(message: str) -> None:
        if err.is_terminal:
            status.update(message)
            status.start()
        elif not told:
            note(message)
        told.append(message)

    try:
        yield tell
    finally:
        status.stop()
