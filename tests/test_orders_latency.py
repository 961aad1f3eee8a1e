"""Percentiles out of a fixed number of counters."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from ordernotify.orders.latency import RESOLUTION, Histogram


def exact(values: list[float], percent: float) -> float:
    return sorted(values)[max(math.ceil(len(values) * percent / 100), 1) - 1]


@given(
    st.lists(st.floats(1e-5, 86_400, allow_nan=False), min_size=1, max_size=200),
    st.sampled_from([1, 25, 50, 90, 95, 99, 100]),
)
def test_a_percentile_is_within_the_resolution_of_the_exact_one(values: list[float], percent: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    true = exact(values, percent)
    assert abs(histogram.percentile(percent) - true) <= RESOLUTION * true * 1.0001


def test_nothing_counted_is_zero() -> None:
    assert Histogram().percentile(50) == 0.0


def test_durations_out_of_range_are_counted_at_its_ends() -> None:
    histogram = Histogram()
    histogram.add(0.0)
    histogram.add(-1.0)
    assert 0 < histogram.percentile(100) <= 1e-5
    histogram.add(1e9)
    assert histogram.percentile(100) > 86_400
    assert histogram.count == 3
