"""`--aws` through boto3's ordinary configuration, here with `AWS_ENDPOINT_URL` at a moto server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.e2e.cloud import run_command


@pytest.fixture
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def environment(endpoint: str) -> dict[str, str]:
    return {
        "PATH": "/usr/bin:/bin",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "eu-west-1",
        "HOME": "/nonexistent",
    }


def leftovers(endpoint: str) -> dict[str, int]:
    session: Any = boto3.Session("test", "test", region_name="eu-west-1")
    listings = {
        "dynamodb": ("list_tables", "TableNames"),
        "sns": ("list_topics", "Topics"),
        "iam": ("list_roles", "Roles"),
        "lambda": ("list_functions", "Functions"),
        "logs": ("describe_log_groups", "logGroups"),
        "apigateway": ("get_rest_apis", "items"),
        "cloudwatch": ("describe_alarms", "MetricAlarms"),
        "sqs": ("list_queues", "QueueUrls"),
    }
    return {
        service: len(getattr(session.client(service, endpoint_url=endpoint), call)().get(key, []))
        for service, (call, key) in listings.items()
    }


@pytest.mark.long
def test_setup_and_teardown_leave_nothing(endpoint: str) -> None:
    environ = environment(endpoint)
    nothing = leftovers(endpoint)
    assert set(nothing.values()) == {0}
    made = run_command("setup", "--aws", "--email", "you@example.com", "--yes", "--json", environ=environ)
    assert made.returncode == 0, made.stderr
    document = json.loads(made.stdout)
    assert (document["target"], document["account"], document["region"]) == (
        "aws",
        "123456789012",
        "eu-west-1",
    )
    assert document["answers"] is False, "a moto server runs no functions"
    assert "account 123456789012, eu-west-1" in made.stderr
    again = json.loads(run_command("setup", "--aws", "--yes", "--json", environ=environ).stdout)
    assert {resource["action"] for resource in again["resources"]} == {"none"}

    session = boto3.Session("test", "test", region_name="eu-west-1")
    table = session.client("dynamodb", endpoint_url=endpoint).describe_table(TableName="FileMetadata")[
        "Table"
    ]
    assert table["DeletionProtectionEnabled"] is True

    kept = run_command("teardown", "--aws", "--yes", "--json", environ=environ)
    assert json.loads(kept.stdout)["kept"] == [{"kind": "table", "name": "FileMetadata"}]
    removed = run_command("teardown", "--aws", "--yes", "--delete-orders", "--json", environ=environ)
    assert removed.returncode == 0, removed.stderr
    assert json.loads(removed.stdout)["deleted"] == [{"kind": "table", "name": "FileMetadata"}]
    assert leftovers(endpoint) == nothing
