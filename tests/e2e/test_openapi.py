"""The OpenAPI description: valid, and a client made from it can send orders and read every answer.

The libraries are imported where they are used: every worker collects this file, and they take a second.
"""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from tests.e2e.cloud import EmbeddedCloud, run_command


def describe(cloud: EmbeddedCloud, stack: str, *options: str) -> dict[str, Any]:
    from openapi_spec_validator import OpenAPIV31SpecValidator

    made = run_command("setup", "--stack", stack, "--yes", *options, environ=cloud.environ)
    assert made.returncode == 0, made.stderr
    done = run_command("openapi", "--stack", stack, environ=cloud.environ)
    assert done.returncode == 0, done.stderr
    description: dict[str, Any] = json.loads(done.stdout)
    OpenAPIV31SpecValidator(description).validate()
    return description


def client(description: dict[str, Any]) -> Any:
    from aiopenapi3 import OpenAPI

    return OpenAPI("/", description, session_factory=httpx2.Client)


@pytest.mark.filterwarnings("ignore")
def test_a_client_made_from_the_description_sends_orders(embedded_cloud: EmbeddedCloud) -> None:
    from aiopenapi3.errors import HTTPClientError

    api = client(describe(embedded_cloud, "openapi"))
    order = {"customerName": "Zoë", "productName": "Mouse", "quantity": 2, "colour": "red"}

    headers, first, response = send(api, order, key="k-1")
    assert (response.status_code, first.message) == (201, "Order received")

    headers, again, response = send(api, order, key="k-1")
    assert (response.status_code, again.orderId) == (200, first.orderId)
    assert headers["Idempotency-Replayed"] == "true"

    with pytest.raises(HTTPClientError) as refused:
        send(api, order | {"quantity": 3}, key="k-1")
    assert (refused.value.status_code, refused.value.data.errors) == (409, None)

    with pytest.raises(HTTPClientError) as refused:
        send(api, order | {"orderId": "mine"})
    assert [fault.field for fault in refused.value.data.errors] == ["orderId"]


@pytest.mark.filterwarnings("ignore")
def test_the_description_says_what_is_asked_of_a_client(embedded_cloud: EmbeddedCloud) -> None:
    from aiopenapi3.errors import HTTPClientError

    api = client(describe(embedded_cloud, "openapi-key", "--auth", "api-key"))
    order = {"customerName": "John Doe", "productName": "Mouse"}
    with pytest.raises(ValueError, match="security requirement"):
        send(api, order)
    api.authenticate(**{"api-key": "x" * 20})
    with pytest.raises(HTTPClientError) as refused:
        send(api, order)
    assert refused.value.status_code == 403

    shown = run_command(
        "status", "--stack", "openapi-key", "--show-key", "--json", environ=embedded_cloud.environ
    )
    api.authenticate(None, **{"api-key": json.loads(shown.stdout)["apiKey"]})
    _, _, response = send(api, order)
    assert response.status_code == 201


def send(api: Any, order: dict[str, Any], key: str | None = None) -> Any:
    request = api._.sendOrder
    parameters = {"Idempotency-Key": key} if key else {}
    return request.request(data=order, parameters=parameters)
