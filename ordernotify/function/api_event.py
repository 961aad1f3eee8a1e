"""What API Gateway sends and takes: REST (payload 1.0), HTTP (payload 2.0) and the console's test event."""

from __future__ import annotations

import json

from ordernotify.function.exact_json import NOT_JSON
from ordernotify.function.log import MAX_LOG_TEXT, masked
from ordernotify.function.order import Refusal, fault, has_names

NO_BODY = "The request has no body; an order is expected"
PROBE_KEY = "setup"
"""The Idempotency-Key with which `setup` asks, without a body, whether the function answers."""

TYPE_CHECKING = False  # `typing` is not imported at run time
if TYPE_CHECKING:
    from typing import Any


def is_request(event: Any) -> bool:
    """Tell an API event, or the guide's `{"body": …}`, from an order that was given as the event itself."""
    # API Gateway has none of an order's names at the top level; an order may have a field like its names.
    if not isinstance(event, dict) or has_names(event):
        return False
    return "requestContext" in event or "httpMethod" in event or "body" in event


def _object(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def header_values(event: Any, name: str) -> list[Any]:
    """Return the distinct values of a header, whatever the case of its name, from both maps of headers."""
    found: list[Any] = []
    for key in ("headers", "multiValueHeaders"):
        for header, value in _object(_object(event).get(key)).items():
            if isinstance(header, str) and header.lower() == name:
                values = value if isinstance(value, list) else [value]
                found += [each for each in values if each not in found]
    return found


def idempotency_key(event: Any, faults: list[dict[str, str]]) -> str | None:
    """Return the request's Idempotency-Key, or None; notes a fault if it is not one key that can be used.

    A header sent twice is one key if the values are equal. HTTP APIs join the values of such a header with
    commas, so that no key has one.
    """
    given = header_values(event, "idempotency-key") if is_request(event) else []
    if not given:
        return None
    keys = {part.strip() for value in given if isinstance(value, str) for part in value.split(",")}
    key = min(keys, default="")
    if len(keys) != 1 or not 1 <= len(key) <= 255 or not all("!" <= character <= "~" for character in key):
        what = "must be one value of 1 to 255 visible ASCII characters without a comma"
        faults.append(fault("Idempotency-Key", what))
    return key


def is_probe(event: Any) -> bool:
    """Tell the question of `setup` from a request that lacks its order by mistake."""
    return PROBE_KEY in header_values(event, "idempotency-key") and not event.get("body")


def order_text(event: Any) -> str:
    """Return the JSON text of the order that an event carries (AWS-FACTS, "API Gateway events").

    Raises:
        Refusal: 400 when there is none.
    """
    if not isinstance(event, dict):
        raise Refusal(400, "The event must be a JSON object")
    body = event.get("body") if is_request(event) else event
    if isinstance(body, dict):  # a console test; made text again, so that all orders are read in one way
        return _event_json(body)
    if body is None or body == "":
        raise Refusal(400, NO_BODY)
    if not isinstance(body, str):
        raise Refusal(400, "The body must be text")
    return _decode_base64(body) if event.get("isBase64Encoded") is True else body


def _event_json(value: dict[Any, Any]) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except NOT_JSON:
        raise Refusal(400, "The event is no JSON, or nested too deeply") from None


def _decode_base64(body: str) -> str:
    import binascii

    try:
        return binascii.a2b_base64(body.encode("ascii"), strict_mode=True).decode("utf-8")
    except UnicodeDecodeError:
        raise Refusal(400, "The body is not UTF-8") from None
    except ValueError:
        raise Refusal(400, "The body is not base64, though the event says so") from None


def refused_body(event: Any) -> Any:
    """Return what a refused event brought, for the log: text decoded, to find secrets in it, and cut."""
    body = event.get("body") if is_request(event) else event
    if not isinstance(body, str):
        return body
    if is_request(event) and event.get("isBase64Encoded") is True:
        import binascii

        try:
            body = binascii.a2b_base64(body.encode("ascii", "ignore")).decode("utf-8", "replace")
        except ValueError:
            return "…"
    return body[:MAX_LOG_TEXT]


def request_method(event: Any) -> str | None:
    """Return the HTTP method, or None for an event that is not an HTTP request."""
    if not is_request(event):
        return None
    http = _object(_object(event.get("requestContext")).get("http"))
    method = http.get("method") or event.get("httpMethod")
    return method.upper() if isinstance(method, str) else None


def request_fields(event: Any) -> dict[str, Any]:
    """Return what the log says about an HTTP request beside its body; nothing for another event."""
    if not is_request(event):
        return {}
    context = _object(event.get("requestContext"))
    caller = _object(context.get("http")) or _object(context.get("identity"))
    return {
        "apiRequestId": masked(context.get("requestId")),
        "method": request_method(event),
        "path": masked(event.get("rawPath") or event.get("path")),
        "sourceIp": masked(caller.get("sourceIp")),
        "userAgent": masked(caller.get("userAgent")),
        "headers": masked(event.get("headers") or event.get("multiValueHeaders")),
    }


CORS_ALLOWED_HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, X-Amz-Date, X-Amz-Security-Token, X-Api-Key"
)
"""What a page may send: also what a signature and a key need."""


class ProxyResponse:
    """An answer to the customer: the HTTP status, the JSON body and further headers."""

    def __init__(
        self, status: int, body: dict[str, Any] | None, headers: dict[str, str] | None = None
    ) -> None:
        self.status = status
        self.body = body
        self.headers = headers or {}

    def to_event(self, cors: dict[str, str]) -> dict[str, Any]:
        """Return it in the form that API Gateway takes, with the headers for pages of other origins."""
        headers = self.headers | cors
        if self.body is not None:
            headers["Content-Type"] = "application/json"
        body = "" if self.body is None else json.dumps(self.body)
        return {"statusCode": self.status, "headers": headers, "body": body, "isBase64Encoded": False}


def cors_headers(event: Any, origins: list[str]) -> dict[str, str]:
    """Allow the page's own origin if it is one of these; a browser takes one, not a list."""
    if not origins:
        return {}
    asked = header_values(event, "origin")
    origin = "*" if "*" in origins else asked[0] if asked and asked[0] in origins else origins[0]
    # Caches must know that another page gets another answer.
    vary = {} if origin == "*" else {"Vary": "Origin"}
    return vary | {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Headers": CORS_ALLOWED_HEADERS,
        "Access-Control-Allow-Methods": "POST, OPTIONS",
        "Access-Control-Expose-Headers": "Idempotency-Key, Idempotency-Replayed, Retry-After",
        "Access-Control-Max-Age": "600",
    }
