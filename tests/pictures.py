"""Make the documentation's pictures that need no browser, from real runs: part of `make screenshots`."""

from __future__ import annotations

import io
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ordernotify.settings.names import Names
from tests.e2e.cloud import run_command, running_cloud

COLUMNS = 100
LOCAL_PORT = 4566
"""The port that people have; the run has a free one."""
SETUP = "setup --email you@example.com"
ORDERS = (
    "send-order --customer 'Ana Müller' --product 'Desk Lamp' --quantity 2",
    "send-order --customer 'John Doe' --product 'Wireless Mouse'",
    "list-orders",
    "logs --order {id}",
    "trace {id}",
)
WATCH = ("verify", "status")
TERMINALS: Mapping[str, Sequence[str]] = {"setup": (SETUP,), "orders": ORDERS, "verify": WATCH}
"""The pictures, each with the commands that it shows."""
_FONTS = re.compile(r" *@font-face \{.*?\}\n", re.DOTALL)
"""An image in a page may not load any; the browser's own serve."""


def main(folder: Path) -> None:
    """Write `terminal-NAME.svg` for each of TERMINALS, and `architecture.svg`, into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "architecture.svg").write_text(architecture(), encoding="utf-8")
    with tempfile.TemporaryDirectory() as state, running_cloud(Path(state)) as cloud:
        environ = {**cloud.environ, "COLUMNS": str(COLUMNS), "TZ": "UTC", "PYTHONIOENCODING": "utf-8"}
        order = ""
        for name, commands in TERMINALS.items():
            screen = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
            for words in commands:
                line = words.format(id=order[:8])
                shown = run(line, environ)
                order = next(iter(re.findall(r"orderId: (\S+)", shown)), order)
                screen.print(Text.assemble(("$ ", "green"), (f"ordernotify {line}", "bold")))
                screen.print(Text.from_ansi(shown))
            svg = _FONTS.sub("", screen.export_svg(title="ordernotify", unique_id=f"terminal-{name}"))
            (folder / f"terminal-{name}.svg").write_text(svg, encoding="utf-8")


def run(line: str, environ: Mapping[str, str]) -> str:
    """Type a command; return what it prints in colour, stderr first: it says where the command is at work."""
    done = run_command(*shlex.split(line), "--color", "always", environ=environ)
    assert done.returncode == 0, done
    return re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{LOCAL_PORT}", done.stderr + done.stdout)


WIDE, HIGH, GAP = 150, 56, 70
STYLE = """
svg { font: 13px system-ui, sans-serif; fill: #1f2328; }
rect { fill: #f6f8fa; stroke: #8c959f; }
path { stroke: #57606a; fill: none; marker-end: url(#head); }
.name { font-weight: 600; } .what, .label { fill: #57606a; font-size: 12px; }
@media (prefers-color-scheme: dark) {
  svg { fill: #e6edf3; } rect { fill: #161b22; stroke: #6e7681; } path { stroke: #9198a1; }
  #head path { fill: #9198a1; } .what, .label { fill: #9198a1; }
}
"""


HEAD = f"""  aria-label="A client posts an order to API Gateway. Lambda checks it, stores it in DynamoDB,
  publishes it to SNS, which notifies the subscribers, and marks it. CloudWatch has logs and alarms.">
<style>{STYLE}</style>
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">
<path d="M0,0 L8,4 L0,8 z" style="fill: #57606a; stroke: none"/></marker></defs>"""


def architecture() -> str:
    """Draw the system that setup makes, with the names that it gives."""
    names = Names()
    boxes = {
        "client": (0, 1, "client", "curl, a shop, …"),
        "api": (1, 1, "API Gateway", f"{names.api}, POST /orders"),
        "function": (2, 1, "Lambda", names.function),
        "table": (3, 0, "DynamoDB", names.table),
        "topic": (3, 1, "SNS", names.topic),
        "people": (4, 1, "subscribers", "email, SMS, https, …"),
        "watch": (3, 2, "CloudWatch", "logs, five alarms"),
    }
    arrows = (
        ("client", "api", "order"),
        ("api", "function", ""),
        ("function", "table", "1 store, 3 mark"),
        ("function", "topic", "2 publish"),
        ("topic", "people", "notify"),
        ("function", "watch", "log"),
    )
    width, height = 5 * (WIDE + GAP) - GAP + 2, 3 * (HIGH + GAP) - GAP + 2
    parts = [*_arrows(boxes, arrows), *(part for box in boxes.values() for part in _box(*box))]
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
    return "\n".join([svg, HEAD, *parts, "</svg>\n"])


def _place(column: int, row: int) -> tuple[int, int]:
    return column * (WIDE + GAP) + 1, row * (HIGH + GAP) + 1


def _box(column: int, row: int, name: str, what: str) -> Iterator[str]:
    x, y = _place(column, row)
    middle = f'x="{x + WIDE // 2}" text-anchor="middle"'
    yield f'<rect x="{x}" y="{y}" width="{WIDE}" height="{HIGH}" rx="6"/>'
    yield f'<text class="name" {middle} y="{y + 24}">{name}</text>'
    yield f'<text class="what" {middle} y="{y + 42}">{what}</text>'


def _arrows(
    boxes: Mapping[str, tuple[int, int, str, str]], arrows: Sequence[tuple[str, str, str]]
) -> Iterator[str]:
    for start, end, label in arrows:
        x, y = _place(*boxes[start][:2])
        to_x, to_y = _place(*boxes[end][:2])
        if y == to_y:
            yield f'<path d="M{x + WIDE},{y + HIGH // 2} H{to_x - 2}"/>'
            middle = (x + WIDE + to_x) // 2
            yield f'<text class="label" x="{middle}" y="{y + 20}" text-anchor="middle">{label}</text>'
        else:
            edge = y if to_y < y else y + HIGH
            yield f'<path d="M{x + WIDE // 2},{edge} V{to_y + HIGH // 2} H{to_x - 2}"/>'
            yield f'<text class="label" x="{x + WIDE // 2 + 8}" y="{to_y + HIGH // 2 - 6}">{label}</text>'


if __name__ == "__main__":
    main(Path(sys.argv[1]))
