"""Whether the function answers at a stack's URL, asked with requests that store nothing."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from ordernotify.aws.endpoints import is_aws
from ordernotify.aws.road import DIRECT, Road
from ordernotify.aws.session import Cloud
from ordernotify.aws.waiting import Patience
from ordernotify.errors import OrderNotifyError, StackNotFoundError, WaitTimeoutError
from ordernotify.function.api_event import NO_BODY, PROBE_KEY
from ordernotify.orders.post import Answer, Draft, OrderClient, Sign
from ordernotify.settings.model import Auth

IN_A_ROW = 3
"""One answer may come from a host of API Gateway that knows the change before the others do."""
LONGEST_SECONDS = 60.0
EMULATOR_SECONDS = 5.0
"""An emulator has nothing that spreads; one without functions never answers."""

Ask = Callable[[], Answer]


@dataclass(frozen=True, slots=True)
class Answering:
    """What came of asking: the last answer, the seconds it took, and a hint if there is one."""

    last: Answer
    seconds: float
    hint: str = ""

    @property
    def answers(self) -> bool:
        return is_the_functions(self.last)


def is_the_functions(answer: Answer) -> bool:
    """Whether only the function can have written it; API Gateway answers 400, 403, 429 and 500 by itself."""
    return (answer.status, answer.message) == (400, NO_BODY)


def asking(url: str, find_sign: Callable[[], Sign | None], road: Road = DIRECT) -> Ask:
    """Return what posts an empty body to the URL, once and over a new connection.

    `find_sign` returns what makes requests acceptable; it is called until it succeeds, and its errors are
    raised.
    """
    sign = functools.cache(find_sign)

    def ask() -> Answer:
        with closing(OrderClient(url, road=road, sign=sign(), retry_seconds=0)) as client:
            return client.send(Draft(b"", PROBE_KEY))

    return ask


def wait_until_it_answers(ask: Ask, patience: Patience, seconds: float) -> Answering:
    """Ask until the function answered IN_A_ROW times; the last request begins within `seconds`.

    Permissions take seconds to reach API Gateway's hosts; until then these answer 403 or 500 (AWS-FACTS 4).
    The alarm `api-5xx` counts those 500 too, so a setup that had to wait may raise it once.
    Raises nothing: a stack that does not answer yet is not a failure.
    """
    started, last, row, hint = patience.clock.now(), Answer(0, ""), 0, ""

    def answered() -> bool:
        nonlocal last, row, hint
        while row < IN_A_ROW:
            try:
                last, hint = ask(), ""
            except StackNotFoundError as error:  # a key just made may not be listed yet (AWS-FACTS 35)
                last, hint = Answer(0, error.message), error.hint
            if last.status == 429:  # the stack's own throttle: it says nothing about the function
                return False
            if not is_the_functions(last):
                row = 0
                return False
            row += 1
        return True

    try:
        patience.until(answered, waiting_for="the URL to answer", timeout=seconds)
    except WaitTimeoutError:
        pass  # the last answer tells
    except OrderNotifyError as error:
        last, hint = Answer(0, error.message), error.hint
    return Answering(last, patience.clock.now() - started, hint)


def longest_wait(cloud: Cloud) -> float:
    return LONGEST_SECONDS if is_aws(cloud.endpoint_for("apigateway")) else EMULATOR_SECONDS


def what_to_check(seen: Answering, auth: Auth) -> str:
    """Say what may stand between the client and the function, going by the last answer."""
    status = seen.last.status
    if seen.hint:
        return seen.hint
    if status == 0:
        return "Check the connection to the URL: name resolution, proxy, firewall."
    if status == 429:
        return "Check the throttle, --rate and --burst, and who else sends orders now."
    if status in (401, 403) and auth is Auth.IAM:
        return "Check that your credentials may call execute-api:Invoke: `ordernotify policy setup`."
    if status in (401, 403):
        return (
            "Check what refuses requests before the function: the key's usage plan, a resource policy, WAF."
        )
    if status >= 500:
        return "Check that API Gateway may invoke the function, and `ordernotify logs --errors`."
    return "Check that nothing else answers at this URL, such as a proxy."
