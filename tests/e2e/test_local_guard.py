from __future__ import annotations

import json

import urllib3

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
