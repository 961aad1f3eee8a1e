"""One call of the function: its time limit, what happens in it, and the two lines that the log has of it."""

from __future__ import annotations

from ordernotify.function.api_event import request_fields
from ordernotify.function.log import METRIC_NOTIFICATIONS_PENDING, log_line, masked, metrics, timestamp

TYPE_CHECKING = False  # `typing` is not imported at run time
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ordernotify.function.api_event import ProxyResponse
    from ordernotify.function.aws_client import CallFailed

RESERVE_SECONDS = 0.4  # kept back of the time limit, for the log and the answer
LONGEST_SECONDS = 25.0  # API Gateway gives up after 29 seconds
DEFAULT_SECONDS = 10.0  # where no context tells the time limit


class Invocation:
    """One call: its deadline, the times of its steps, and what the line of its answer will say."""

    def __init__(self, context: Any, timer: Callable[[], float]) -> None:
        self._timer = timer
        self._started = timer()
        seconds = DEFAULT_SECONDS
        remaining = getattr(context, "get_remaining_time_in_millis", None)
        if remaining is not None:
            seconds = remaining() / 1000 - RESERVE_SECONDS
        self.deadline = self._started + min(seconds, LONGEST_SECONDS)
        self.request_id = str(getattr(context, "aws_request_id", "") or "")
        self.steps: dict[str, float] = {}
        self.log: dict[str, Any] = {}
        self.metrics: list[str] = []

    def milliseconds(self) -> float:
        return round((self._timer() - self._started) * 1000, 1)

    def step(self, name: str) -> None:
        self.steps[name] = self.milliseconds()

    def failed(self, step: str, failure: CallFailed) -> None:
        """Note a call to AWS that failed for good."""
        self.log["error"] = {
            "step": step,
            "code": failure.code,
            "message": failure.message[:500],
            "attempts": failure.attempts,
        }
        if failure.maybe_applied:
            self.log["error"]["maybeApplied"] = True


class InvocationLog:
    """Writes a line when a request came, and one when it was answered.

    Args:
        write: takes one line.
        clock: seconds since 1970.
        bodies: whether the lines have the bodies of requests and answers.
    """

    def __init__(
        self, write: Callable[[str], None], clock: Callable[[], float], stack: str, *, bodies: bool
    ) -> None:
        self._write = write
        self._clock = clock
        self._stack = stack
        self._bodies = bodies
        self._cold = True

    def request(self, event: Any, invocation: Invocation, body: Any = None) -> None:
        record: dict[str, Any] = {
            "timestamp": timestamp(self._clock()),
            "level": "INFO",
            "event": "request",
            "requestId": invocation.request_id,
            **request_fields(event),
        }
        if self._bodies and body is not None:
            record["body"] = masked(body)
        self._write(log_line(record))

    def response(self, invocation: Invocation, answer: ProxyResponse) -> None:
        status = answer.status
        pending = METRIC_NOTIFICATIONS_PENDING in invocation.metrics
        now = self._clock()
        record: dict[str, Any] = {
            "timestamp": timestamp(now),
            "level": "ERROR" if status >= 500 or pending else "WARNING" if status >= 400 else "INFO",
            "event": "response",
            "requestId": invocation.request_id,
            "status": status,
            "durationMs": invocation.milliseconds(),
            "coldStart": self._cold,
            **invocation.log,
        }
        self._cold = False
        if answer.body is not None:
            record["message"] = answer.body["message"]
            if self._bodies:
                record["body"] = answer.body
        record["steps"] = invocation.steps
        if "Idempotency-Replayed" in answer.headers:
            record["replayed"] = True
        record |= metrics(self._stack, invocation.metrics, now)
        self._write(log_line(record))
