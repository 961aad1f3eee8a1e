"""How a command reaches the stack's API: its URL, and what a client must present."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from ordernotify.aws.road import DIRECT, Road
from ordernotify.cli.options import option
from ordernotify.cli.run import Run
from ordernotify.settings.names import Names

if TYPE_CHECKING:
    from ordernotify.aws.session import Cloud
    from ordernotify.orders.post import Sign
    from ordernotify.settings.model import Settings
    from ordernotify.stack.answers import Answering

KeyFileOption = Annotated[
    Path | None,
    option(
        "--api-key-file",
        metavar="FILE",
        help="A file of mode 0600 with the API key; or set ORDERNOTIFY_API_KEY.  [default: the stack's key]",
    ),
]
"""There is no option for the key itself: other users of the machine see the arguments of every process."""


@dataclass(frozen=True, slots=True)
class Access:
    """Where to post orders, and what makes a request acceptable there; None if nothing is needed."""

    url: str
    sign: Sign | None
    rate: int | None = None
    """How many orders a second the API admits, as described (see Settings)."""
    road: Road = DIRECT


def find_access(run: Run, cloud: Cloud, names: Names, key_file: Path | None) -> Access:
    """Find the stack's API, and read the key or the credentials if it asks for them."""
    from ordernotify.orders.signing import KEY_VARIABLE, authorizer, given_key
    from ordernotify.stack.discovery import find_endpoint

    key = given_key(os.environ.get(KEY_VARIABLE), key_file)
    endpoint = find_endpoint(cloud, names, run.stack)
    sign = authorizer(cloud, names, run.stack, endpoint.auth, key=key)
    return Access(endpoint.url, sign, endpoint.rate, cloud.road_to(endpoint.url))


def wait_for_url(settings: Settings, cloud: Cloud, url: str) -> Answering:
    """Ask at the URL until the function answers there, as it may not at once (AWS-FACTS 4)."""
    from ordernotify.aws.waiting import Patience, SystemClock
    from ordernotify.orders.signing import authorizer
    from ordernotify.render import note
    from ordernotify.render.progress import waiting
    from ordernotify.stack import answers

    ask = answers.asking(
        url,
        lambda: authorizer(cloud, settings.names, settings.stack, settings.auth),
        cloud.road_to(url),
    )
    with waiting() as tell:
        patience = Patience(SystemClock(), tell)
        seen = answers.wait_until_it_answers(ask, patience, answers.longest_wait(cloud))
    if seen.answers:
        note(f"The URL answers, after {seen.seconds:.1f} s.")
    return seen
