"""Tags that the stack carries and is not described with."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator

from ordernotify.resources.base import AnyLive
from ordernotify.settings.model import Settings

_SET_BY_OTHERS = ("aws:", "ordernotify:")


def staying_tags(settings: Settings, left: Iterable[AnyLive]) -> Iterator[str]:
    """Say of each tag that is not described that it stays, and on how many resources.

    `setup` tags everything with the person's tags, and nothing distinguishes them from tags that somebody
    else added. So it removes none, and names those that more than half of the resources carry.
    """
    tagged = [live.tags for live in left if live.tags is not None]
    counts = Counter(pair for tags in tagged for pair in tags.items())
    for (key, value), count in sorted(counts.items()):
        if 2 * count > len(tagged) and key not in settings.tags and not key.startswith(_SET_BY_OTHERS):
            pair = shlex.quote(f"{key}={value}")
            yield (
                f"The tag {pair} is not described and stays on {count} resources: "
                f"remove it by hand, or describe it with --tag {pair}."
            )
