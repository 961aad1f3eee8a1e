"""Plans, the progress of carrying them out, and what a teardown removed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rich.live import Live as LiveDisplay
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from ordernotify.executor import Action, Event, Item, Plan, Progress
from ordernotify.render import clean, err, note, out, say
from ordernotify.render.changes import counted_items, kind_word, tag_lines, together

SIGNS = {
    Action.CREATE: ("+", "green"),
    Action.UPDATE: ("~", "yellow"),
    Action.REPLACE: ("±", "yellow"),
    Action.DELETE: ("-", "red"),
    Action.NONE: (" ", "dim"),
    Action.KEEP: ("=", "dim"),
}
_DONE = {
    Action.CREATE: "created",
    Action.UPDATE: "updated",
    Action.REPLACE: "replaced",
    Action.DELETE: "deleted",
}
_KIND_WIDTH = 13


def plan_lines(plan: Plan) -> list[Text]:
    """A line per item that changes or is kept, a line per difference, and a line for what stays."""
    lines = []
    for differences, items in together(item for item in plan.items if item.action is not Action.NONE):
        sign, style = SIGNS[items[0].action]
        if len(items) > 1:
            whose = f"({counted_items(items)})"
            lines += [Text(f"{sign} {line} {whose}", style) for line in differences]
            continue
        reason = f"  ({items[0].reason})" if items[0].reason else ""
        lines.append(Text(f"{sign} {item_title(items[0])}{reason}", style))
        lines += [Text(f"    {line}", style) for line in differences]
    lines += [Text(f"~ {line}", "yellow") for line in tag_lines(plan.items)]
    return lines + [Text(f"= {clean(line)}", "dim") for line in plan.stays]


def item_title(item: Item) -> str:
    """Write the kind and the name of a resource, in columns."""
    return f"{kind_word(item.kind):<{_KIND_WIDTH}} {clean(item.name)}"


def show_plan(plan: Plan, *, to_stdout: bool = False) -> None:
    """Print the plan: on stdout where it is the result, else on stderr."""
    console = out if to_stdout else err
    for line in plan_lines(plan):
        console.print(line)
    counts = {action: sum(item.action is action for item in plan.items) for action in Action}
    words = [f"{counts[action]} to {action}" for action in Action if counts[action] and action in _DONE]
    console.print(f"Plan: {', '.join(words)}." if words else "No changes.")


def show_what_changes(plan: Plan) -> None:
    """Print what a plan changes of what exists; what it only makes is shown while it is made."""
    made = [item for item in plan.changes if item.action is Action.CREATE]
    if len(made) < len(plan.changes):
        show_plan(plan)
    for item in made:
        if item.reason and len(made) == len(plan.changes):
            note(f"{kind_word(item.kind)} {item.name}: {item.reason}")


def show_progress(events: Iterable[Event], plan: Plan, on_done: Callable[[Event], None]) -> None:
    """Show the events as they come: live rows on a terminal, else a line for each step that ends."""
    if err.is_terminal:
        _show_live(events, plan, on_done)
        return
    for event in events:
        if event.progress is Progress.DONE:
            on_done(event)
        if event.progress not in {Progress.STARTED, Progress.WAITING}:
            err.print(_event_line(event))


def _show_live(events: Iterable[Event], plan: Plan, on_done: Callable[[Event], None]) -> None:
    rows: dict[str, Event] = {}

    def table() -> Table:
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=1)
        grid.add_column(no_wrap=True, overflow="ellipsis")
        for item in plan.changes:
            event = rows.get(item.key)
            if event is None:
                grid.add_row(" ", Text(item_title(item), "dim"))
            elif event.progress in {Progress.STARTED, Progress.WAITING}:
                grid.add_row(spinners.setdefault(item.key, Spinner("dots")), _event_line(event))
            else:
                grid.add_row(_mark(event), _event_line(event))
        return grid

    spinners: dict[str, Spinner] = {}
    with LiveDisplay(console=err, get_renderable=table, refresh_per_second=10) as display:
        for event in events:
            if event.progress is Progress.DONE:
                on_done(event)
            rows[event.item.key] = event
        display.refresh()


def _mark(event: Event) -> Text:
    marks = {Progress.DONE: ("✓", "green"), Progress.FAILED: ("✗", "red"), Progress.SKIPPED: ("·", "dim")}
    return Text(*marks[event.progress])


def _event_line(event: Event) -> Text:
    name = item_title(event.item)
    if event.progress is Progress.DONE:
        return Text(f"{name}  {_DONE[event.item.action]}, {event.seconds:.1f} s")
    if event.progress is Progress.FAILED:
        return Text(f"{name}  failed: {clean(event.detail)}", "red")
    if event.progress is Progress.SKIPPED:
        return Text(f"{name}  not begun: {clean(event.detail)}", "dim")
    return Text(f"{name}  {clean(event.detail)}".rstrip())


def teardown_document(plan: Plan, left: Sequence[Item] = ()) -> dict[str, Any]:
    def listed(items: Iterable[Item]) -> list[dict[str, str]]:
        return [{"kind": item.kind, "name": item.name} for item in items]

    kept = [item for item in plan.items if item.action is Action.KEEP]
    found = [{"kind": item.kind, "name": item.name, "arn": item.arn} for item in left]
    return {"deleted": listed(plan.changes), "kept": listed(kept), "left": found}


def show_teardown_result(plan: Plan, left: Sequence[Item] = (), nothing: str = "") -> None:
    """Print what was removed, and what is there still; `nothing` says why there was nothing at all."""
    kept = [item for item in plan.items if item.action is Action.KEEP]
    number = len(plan.changes)
    of_the_stack = sum(item.keeps_orders for item in kept) + len(left)
    if not number:
        say(out, f"Nothing to do: {nothing}." if nothing else "Nothing to do.")
    elif of_the_stack:
        out.print(f"Deleted {number} of {number + of_the_stack} resources.")
    else:
        out.print(f"Removed {number} resources.")
    for item in kept:
        out.print(f"Kept: {item.kind} {clean(item.name)} ({item.reason})")
    for item in left:
        out.print(f"Left: {item.kind} {clean(item.name)} ({item.reason})")
