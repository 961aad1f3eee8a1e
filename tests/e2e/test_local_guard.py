from __future__ import annotations

import json

import pytest
import urllib3
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.e2e.cloud import EmbeddedCloud, run_command

PAGE = {"Origin": "https://evil.example"}


def test_a_web_page_cannot_empty_the_cloud(embedded_cloud: EmbeddedCloud) -> None:
    embedded_cloud.cloud().sns.create_topic(Name="kept")
    refused = urllib3.request("POST", f"{embedded_cloud.endpoint}/_ministack/reset", headers=PAGE)
    assert refused.status == 403
    topics = embedded_cloud.cloud().sns.list_topics()["Topics"]
    assert any(topic["TopicArn"].endswith(":kept") for topic in topics)


def test_a_web_page_gets_no_leave_to_call_the_services(embedded_cloud: EmbeddedCloud) -> None:
    headers = PAGE | {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    asked = urllib3.request("OPTIONS", embedded_cloud.endpoint, headers=headers)
    assert asked.status == 403
    assert "access-control-allow-origin" not in {name.lower() for name in asked.headers}


def test_a_proxy_does_not_stand_between_the_machine_and_itself(embedded_cloud: EmbeddedCloud) -> None:
    environ = {
        **embedded_cloud.environ,
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }
    made = run_command("setup", "--stack", "proxied", "--yes", "--json", environ=environ)
    assert made.returncode == 0, made.stderr
    sent = run_command(
        *("send-order", "--stack", "proxied", "--customer", "A", "--product", "B", "--json"), environ=environ
    )
    assert json.loads(sent.stdout)["status"] == 201


def address_of_an_image(cloud: EmbeddedCloud, topic: str) -> str:
    """An address that deletes a topic, signed in the query with the credentials that everybody knows."""
    request = AWSRequest("GET", f"{cloud.endpoint}/", params={"Action": "DeleteTopic", "TopicArn": topic})
    SigV4QueryAuth(Credentials("test", "test"), "sns", "us-east-1").add_auth(request)
    return str(request.url)


@pytest.mark.parametrize(
    "headers",
    [{}, {"Referer": "https://evil.example/"}, {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"}],
    ids=["old browser", "with referer", "fetch metadata"],
)
def test_an_image_on_a_page_deletes_no_topic(embedded_cloud: EmbeddedCloud, headers: dict[str, str]) -> None:
    topic = embedded_cloud.cloud().sns.create_topic(Name="kept")["TopicArn"]
    assert urllib3.request("GET", address_of_an_image(embedded_cloud, topic), headers=headers).status == 403
    assert topic in {one["TopicArn"] for one in embedded_cloud.cloud().sns.list_topics()["Topics"]}


def test_a_form_cannot_name_a_service_behind_the_path_of_the_order_apis(
    embedded_cloud: EmbeddedCloud,
) -> None:
    answer = urllib3.request(
        "POST",
        f"{embedded_cloud.endpoint}/_aws/execute-api/",
        headers=PAGE | {"X-Amz-Target": "DynamoDB_20120810.ListTables"},
        body=b"{}",
    )
    assert answer.status == 403
    assert "access-control-allow-origin" not in {name.lower() for name in answer.headers}
