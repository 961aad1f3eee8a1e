"""Everything printed: results on stdout, the rest on stderr; colour on terminals, never with NO_COLOR."""

from __future__ import annotations

import json
import os
import re
import sys
import textwrap
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType
from rich.text import Text

from ordernotify.render.hints import pasteable
from ordernotify.settings.names import FULL_ID, SHORT_ID

if TYPE_CHECKING:
    from ordernotify.aws.session import Cloud

_UNSAFE = r"\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff"
"""Control characters, line separators, direction marks, and halves of pairs, which cannot be written."""
_CONTROL = re.compile(rf"[\x00-\x08\x0b-\x1f{_UNSAFE}]")
_UNSAFE_IN_JSON = re.compile(f"[{_UNSAFE}]")
_PASTED = re.compile("`[^`]*`")


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Let the command end as it does when any other output finds its reader gone."""
        raise BrokenPipeError

    def use_color(self, wanted: str) -> None:
        """Print colours `always`, `never`, or (`auto`) as the terminal and NO_COLOR say."""
        fresh = Console(stderr=self.stderr, force_terminal=True if wanted == "always" else None)
        self._color_system = None if wanted == "never" else fresh._color_system
        self.no_color = wanted != "always" and fresh.no_color


out = _Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
err = _Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
"""What a person may do without: --quiet silences it."""
alert = _Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
"""What went wrong, which nothing silences."""


def configure(*, quiet: bool, color: str) -> None:
    """Set what every output follows: whether only results and errors are printed, and when in colour."""
    err.quiet = quiet
    for console in (out, err, alert):
        console.use_color(color)


def show_table(table: RenderableType) -> None:
    """Print a table; where no terminal is, without the blanks that fill its last column."""
    if out.is_terminal:
        out.print(table, soft_wrap=False)
        return
    with out.capture() as captured:
        out.print(table, soft_wrap=False)
    for line in captured.get().splitlines():
        out.print(Text.from_ansi(line.rstrip()))


def clean(text: object) -> str:
    """Make text that others wrote safe for a terminal: what it would obey becomes a visible escape."""
    return _CONTROL.sub(_visible, str(text))


def one_line(text: object) -> str:
    """Make text that others wrote safe and keep it on its line: it cannot pass for this program's."""
    return clean(text).replace("\n", "\\x0a").replace("\t", " ")


def short_id(order_id: object) -> str:
    """The beginning of an order's id, which every command takes; another program's id stays whole."""
    text = one_line(order_id)
    return text[:SHORT_ID] if len(text) == FULL_ID else text


def _indented(text: str) -> str:
    # A line break in AWS's or a customer's text must not begin a line that reads as ours, such as a hint.
    return clean(text).replace("\n", "\n  ")


def _visible(match: re.Match[str]) -> str:
    return f"\\x{ord(match[0]):02x}" if ord(match[0]) < 256 else "�"


def say(
    console: Console, text: str, head: tuple[str, str] = ("", ""), style: str = "", end: str = "\n"
) -> None:
    """Print prose behind a head, a text and its style; where a person watches, lines break between words.

    What others wrote is made safe. A command between backticks gets the options by which it works on this
    stack, and stays whole, to be pasted.
    """
    told = head[0] + _indented(pasteable(text))
    if console.file.isatty():
        hang = " " * (len(head[0]) or 2)
        told = "\n".join(_filled(line, console.width, hang) for line in told.split("\n"))
    shown = Text(told, style)
    shown.stylize(head[1], 0, len(head[0]))
    console.print(shown, end=end)


def _filled(line: str, width: int, hang: str) -> str:
    # textwrap breaks at no space but ASCII's (https://docs.python.org/3/library/textwrap.html).
    held = _PASTED.sub(lambda pasted: pasted[0].replace(" ", "\xa0"), line)
    filled = textwrap.fill(
        held, width, subsequent_indent=hang, break_long_words=False, break_on_hyphens=False
    )
    return filled.replace("\xa0", " ")


def error(message: str, hint: str = "") -> None:
    say(alert, message, ("Error: ", "bold red"))
    if hint:
        say(alert, hint, ("Hint: ", "bold"))


def note(message: str) -> None:
    """Print something worth knowing."""
    say(err, message, style="dim")


def last_error(message: str, hint: str) -> None:
    """Print an error just before the process is ended, without the locks that a hanging thread may hold."""
    cursor = "\x1b[?25h\n" if sys.stderr.isatty() else ""
    os.write(2, f"{cursor}Error: {message}\nHint: {hint}\n".encode())


def prompt(question: str) -> None:
    """Print a question, which --quiet does not silence, and leave the cursor behind it."""
    say(alert, f"{question}:", end=" ")


def end_line() -> None:
    """Go to the next line, where a question was not answered."""
    alert.print()


def traceback() -> None:
    """Print the traceback of the exception being handled."""
    import traceback as library

    err.print(Text(_indented(library.format_exc().rstrip("\n"))))


def location(cloud: Cloud, stack: str) -> None:
    """Say which place the command talks to, in a line that fits 80 columns."""
    place = f"local, {cloud.endpoint}" if cloud.target == "local" else "AWS"
    note(f"Stack {stack} ({place}), account {cloud.account}, {cloud.region}")


class _NotPlainError(Exception):
    """The value holds a number that a binary float cannot hold exactly."""


def _integer(value: object) -> int:
    if isinstance(value, Decimal) and value == value.to_integral_value() and abs(value) < 2**63:
        return int(value)
    raise _NotPlainError


def json_text(value: Any) -> str:
    """One JSON document in one line, without characters that a terminal obeys or that cannot be written.

    Decimals keep every digit (the standard library would round them).
    """
    try:
        text = json.dumps(value, ensure_ascii=False, default=_integer)
    except _NotPlainError:
        text = _exact_json(value)
    return json_safe(text)


def json_safe(text: str) -> str:
    """Escape what a terminal would obey in a JSON text, which stays the same JSON."""
    return _UNSAFE_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _exact_json(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return (
            "{"
            + ", ".join(
                f"{json.dumps(key, ensure_ascii=False)}: {_exact_json(item)}" for key, item in value.items()
            )
            + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_exact_json, value)) + "]"
    if isinstance(value, set | frozenset):
        return _exact_json(sorted(value, key=str))
    return json.dumps(value, ensure_ascii=False)


def json_document(value: Mapping[str, Any]) -> None:
    """Print the result of a command as one JSON document on stdout."""
    sys.stdout.write(json_text(value) + "\n")


def json_lines(values: Iterable[Mapping[str, Any]]) -> None:
    """Print one JSON document per line on stdout."""
    for value in values:
        json_document(value)
