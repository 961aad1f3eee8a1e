"""Plots as coordinates: the template draws them as inline SVG, and repeats them as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ordernotify.watch.history import History

WIDTH, HEIGHT = 600, 160
"""The size of a plot in its own units."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar's place and size in a plot, its series, and its text (`3 stored`)."""

    x: float
    y: float
    width: float
    height: float
    series: str
    told: str


@dataclass(frozen=True, slots=True)
class Chart:
    """One plot: its bars, its lines as SVG paths by series, and the table that says the same."""

    key: str
    title: str
    unit: str
    top: float
    """What the upper edge stands for."""
    bars: Sequence[Bar]
    lines: Mapping[str, str]
    series: Sequence[str]
    rows: Sequence[tuple[datetime, Sequence[float | None]]]
    """The steps in which something happened."""

    @property
    def empty(self) -> bool:
        """Whether nothing happened."""
        return not self.rows


Columns = Mapping[str, Sequence[float | None]]


def charts(history: History) -> list[Chart]:
    """Lay out the four plots of a history."""
    times, per_minute, pending = history.times(), {"orders": history.per_minute}, {"pending": history.pending}
    return [
        _chart("orders", "Orders per minute", "orders a minute", times, per_minute),
        _chart("answers", "Answers by result", "answers", times, history.kinds),
        _chart("latency", "Latency of the function", "ms", times, history.latency, bars=False),
        _chart("pending", "Notifications left pending", "notifications", times, pending),
    ]


def _chart(
    key: str, title: str, unit: str, times: Sequence[datetime], columns: Columns, *, bars: bool = True
) -> Chart:
    steps = range(len(times))
    if bars:
        most = max((sum(values[at] or 0.0 for values in columns.values()) for at in steps), default=0.0)
    else:
        most = max((value or 0.0 for values in columns.values() for value in values), default=0.0)
    top = round_up(most)
    rows = [
        (times[at], [values[at] for values in columns.values()])
        for at in steps
        if any(values[at] for values in columns.values())
    ]
    return Chart(
        key,
        title,
        unit,
        top,
        [bar for at in steps for bar in _stack(columns, at, len(times), top)] if bars else [],
        {} if bars else {name: _line(values, top) for name, values in columns.items()},
        list(columns),
        rows,
    )


def round_up(value: float) -> float:
    """Return the next of 1, 2, 5, 10, 20, 50 and so on; 1 for 0."""
    step = 1.0
    while value > step * 10:
        step *= 10
    return next(step * factor for factor in (1, 2, 5, 10) if value <= step * factor)


def _stack(columns: Columns, at: int, steps: int, top: float) -> list[Bar]:
    wide, bars, y = WIDTH / steps, [], float(HEIGHT)
    for name, values in columns.items():
        value = values[at] or 0.0
        if value:
            high = max(value / top * HEIGHT, 1.5)
            y -= high
            bars.append(
                Bar(
                    round(at * wide + wide * 0.1, 2),
                    round(y, 2),
                    round(wide * 0.8, 2),
                    round(high, 2),
                    name,
                    f"{value:g} {name}",
                )
            )
    return bars


def _line(values: Sequence[float | None], top: float) -> str:
    """Write a line as an SVG path; a step without a value is a gap, a single value is a short dash."""
    wide, path, drawing = WIDTH / max(len(values), 1), [], False
    for at, value in enumerate(values):
        if value is None:
            drawing = False
            continue
        x, y = (at + 0.1) * wide, HEIGHT - value / top * HEIGHT
        path.append(f"{'L' if drawing else 'M'}{x:.1f} {y:.1f}h{wide * 0.8:.1f}")
        drawing = True
    return "".join(path)
