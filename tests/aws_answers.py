"""Calls of AWS as the tests see them, and answers in AWS's place."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from xml.sax.saxutils import escape

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectionClosedError
from botocore.model import OperationModel

_READS = ("Get", "List", "Describe", "Simulate", "Filter")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the code under test; `nth` counts those of the same operation and name, from 1."""

    service: str
    operation: str
    name: str
    nth: int
    params: Mapping[str, Any] = field(compare=False, hash=False)
    model: OperationModel = field(compare=False, hash=False, repr=False)

    @property
    def changes_something(self) -> bool:
        """Whether the operation is one that changes the account."""
        return not self.operation.startswith(_READS)

    def __str__(self) -> str:
        """Name the call as a person would."""
        return f"{self.service}.{self.operation}({self.name}) #{self.nth}"


Send = Callable[[], AWSResponse]
Interference = Callable[[Call, Send], AWSResponse]


def pass_through(_call: Call, send: Send) -> AWSResponse:
    """Let every call through."""
    return send()


class _Body(io.BytesIO):
    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.read()


def answer(status: int, body: bytes, headers: Mapping[str, str]) -> AWSResponse:
    """Build an answer in AWS's place."""
    return AWSResponse("https://in-memory.test", status, cast("HTTPHeaders", dict(headers)), _Body(body))


def answer_json(body: object) -> AWSResponse:
    """Build a good answer of a service that speaks JSON."""
    return answer(200, json.dumps(body, default=str).encode(), {})


def refusal(call: Call, code: str, text: str, status: int = 400) -> AWSResponse:
    """Build AWS's error answer in the protocol of the service called."""
    if call.model.service_model.resolved_protocol == "query":
        error = f"<Error><Code>{code}</Code><Message>{escape(text)}</Message></Error>"
        body = f"<ErrorResponse>{error}</ErrorResponse>"
        return answer(status, body.encode(), {"Content-Type": "text/xml"})
    body = json.dumps({"__type": code, "message": text, "Message": text})
    return answer(status, body.encode(), {"Content-Type": "application/json", "x-amzn-errortype": code})


def changed_answer(answered: AWSResponse, change: Callable[[dict[str, Any]], None]) -> AWSResponse:
    """Change the JSON of an answer of AWS."""
    body = json.loads(answered.content)
    change(body)
    return answer(answered.status_code, json.dumps(body).encode(), {})


def throttled(call: Call) -> AWSResponse:
    """Build the answer to a call that came too fast, as the service words it."""
    code = {
        "apigateway": "TooManyRequestsException",
        "apigatewayv2": "TooManyRequestsException",
        "lambda": "TooManyRequestsException",
        "dynamodb": "ThrottlingException",
        "logs": "ThrottlingException",
    }.get(call.service, "Throttling")
    return refusal(call, code, "Rate exceeded", 429 if code.startswith("TooMany") else 400)


def server_error() -> AWSResponse:
    """Build the answer of a service that is out of order."""
    return answer(500, b"", {})


def connection_reset() -> ConnectionClosedError:
    """Build botocore's exception for a connection that was closed without an answer."""
    return ConnectionClosedError(endpoint_url="https://in-memory.test")


def refuse(operation: str, code: str, text: str = "", *, times: int = 1, status: int = 400) -> Interference:
    """Refuse the first `times` requests of an operation, and let all else through."""
    left = Counter({operation: times})

    def interfere(call: Call, send: Send) -> AWSResponse:
        if call.operation == operation and left[operation] > 0:
            left[operation] -= 1
            return refusal(call, code, text, status)
        return send()

    return interfere
