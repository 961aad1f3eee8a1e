"""Percentiles of a great many durations in a fixed amount of memory."""

from __future__ import annotations

import math

RESOLUTION = 0.01
"""A percentile is off by at most this part of itself."""

_SHORTEST = 1e-5
_GROWTH = (1 + RESOLUTION) / (1 - RESOLUTION)
_LOG_GROWTH = math.log(_GROWTH)
_BUCKETS = math.ceil(math.log(1e5 / _SHORTEST) / _LOG_GROWTH)


class Histogram:
    """Counts durations (seconds) in buckets that grow by 2 %, from 10 microseconds to a day.

    The method of DDSketch (https://arxiv.org/abs/1908.10693): a bucket's middle is within 1 % of each of
    its values. Keeping every value would need memory in proportion to the file that is sent.
    """

    def __init__(self) -> None:
        """Begin with nothing counted."""
        self.count = 0
        self._buckets = [0] * (_BUCKETS + 1)

    def add(self, seconds: float) -> None:
        """Count one duration."""
        index = 0
        if seconds > _SHORTEST:
            index = min(math.ceil(math.log(seconds / _SHORTEST) / _LOG_GROWTH), _BUCKETS)
        self._buckets[index] += 1
        self.count += 1

    def percentile(self, percent: float) -> float:
        """Give the duration (seconds) that `percent` of all are at or below; 0 when nothing was counted."""
        rank = max(math.ceil(self.count * percent / 100), 1)
        seen = 0
        for index, number in enumerate(self._buckets):
            seen += number
            if seen >= rank:
                return _middle(index)
        return 0.0


def _middle(index: int) -> float:
    # The value whose distance to both ends of the bucket is the same part of them.
    return float(_SHORTEST * _GROWTH**index * 2 / (_GROWTH + 1))
