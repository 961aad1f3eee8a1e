"""The order API of a stack as an OpenAPI 3.1 description, made from the limits that the function checks."""

from __future__ import annotations

from typing import Any

from ordernotify.function.order import (
    MAX_DOCUMENT_BYTES,
    MAX_FIELD_NAME_CHARACTERS,
    MAX_NAME_CHARACTERS,
    MAX_OTHER_FIELDS,
    MAX_QUANTITY,
    RESERVED,
)
from ordernotify.settings.model import Auth
from ordernotify.settings.names import ORDERS_PATH
from ordernotify.stack.discovery import InvokeEndpoint

_SECURITY: dict[Auth, dict[str, Any]] = {
    Auth.API_KEY: {"type": "apiKey", "in": "header", "name": "x-api-key"},
    Auth.IAM: {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "AWS Signature Version 4 for the service execute-api.",
    },
}
_NAME = {"type": "string", "minLength": 1, "maxLength": MAX_NAME_CHARACTERS}


def openapi(endpoint: InvokeEndpoint, version: str) -> dict[str, Any]:
    """Describe the API behind `endpoint`; `version` is the tool's.

    A client made from the description sends what the function takes and knows each of its answers.
    https://spec.openapis.org/oas/v3.1.0
    """
    path = f"/{ORDERS_PATH}"
    description: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "Orders",
            "version": version,
            "description": "An order answered with 2xx is stored; its notification goes out at least once.",
        },
        "servers": [{"url": endpoint.url.removesuffix(path)}],
        "paths": {path: {"post": _send_order(endpoint)}},
        "components": {"schemas": _schemas()},
    }
    if endpoint.auth in _SECURITY:
        description["components"]["securitySchemes"] = {endpoint.auth: _SECURITY[endpoint.auth]}
    return description


def _send_order(endpoint: InvokeEndpoint) -> dict[str, Any]:
    return {
        "operationId": "sendOrder",
        "summary": "Send an order",
        "security": [{endpoint.auth: []}] if endpoint.auth in _SECURITY else [],
        "parameters": [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "The same key and the same order again make no second order.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-+.-~-]+$"},
            }
        ],
        "requestBody": {
            "required": True,
            "description": f"At most {MAX_DOCUMENT_BYTES} bytes.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}},
        },
        "responses": _responses(),
    }


def _responses() -> dict[str, Any]:
    replayed = {"Idempotency-Replayed": {"schema": {"type": "string", "const": "true"}}}
    retry = {
        "Retry-After": {"description": "Seconds.", "schema": {"type": "string", "pattern": "^[0-9]+$"}},
        "Idempotency-Key": {
            "description": "Repeat with this key where it is not known whether the order was stored.",
            "schema": {"type": "string"},
        },
    }
    return {
        "200": _answer("The same key and order again: nothing new was stored.", "Received", replayed),
        "201": _answer("Stored and published.", "Received"),
        "202": _answer("Stored; the notification is delayed and will be sent.", "Received"),
        "400": _answer("Not a valid order; `errors` has every fault.", "Refused"),
        "403": _answer("API Gateway did not accept the credential.", "Refused"),
        "409": _answer("The same Idempotency-Key with a different order.", "Refused"),
        "413": _answer("Over the size.", "Refused"),
        "429": _answer("More requests than the API admits.", "Refused"),
        "500": _answer("The order could not be handled.", "Refused"),
        "503": _answer("Not stored, or not known whether it was; safe to repeat.", "Refused", retry),
    }


def _answer(text: str, schema: str, headers: dict[str, Any] | None = None) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": text, "content": content, **({"headers": headers} if headers else {})}


def _schemas() -> dict[str, Any]:
    fault = {
        "type": "object",
        "required": ["field", "message"],
        "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
    }
    return {
        "Order": {
            "type": "object",
            "required": ["customerName", "productName"],
            "properties": {
                "customerName": _NAME,
                "productName": _NAME,
                "quantity": {"type": "integer", "minimum": 1, "maximum": MAX_QUANTITY, "default": 1},
            },
            "propertyNames": {"maxLength": MAX_FIELD_NAME_CHARACTERS, "not": {"enum": list(RESERVED)}},
            "maxProperties": MAX_OTHER_FIELDS + 3,
            "additionalProperties": True,
        },
        "Received": {
            "type": "object",
            "required": ["orderId", "message"],
            "properties": {"orderId": {"type": "string"}, "message": {"type": "string"}},
        },
        "Refused": {
            "type": "object",
            "required": ["message"],
            "properties": {"message": {"type": "string"}, "errors": {"type": "array", "items": fault}},
        },
    }
