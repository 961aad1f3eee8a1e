"""A page of another origin, in a real browser: it reaches the cloud's order API, and nothing else."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from playwright.sync_api import Browser, Page

from tests.browser.page import CHROMIUM, browser
from tests.e2e.cloud import EmbeddedCloud, run_command, running_cloud

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here: install the package chromium"),
]
EVERYBODYS = Credentials("test", "test")
"""The embedded cloud's credentials: fixed, so that a page knows them too."""
TARGET = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "DynamoDB_20120810.ListTables"}


class EvilPage(BaseHTTPRequestHandler):
    """An empty page, from which the test acts as a page's own script would."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>evil</title><body></body>")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A cloud with a stack and a topic that pages try to delete, and the port of the evil page."""

    cloud: EmbeddedCloud
    url: str
    topic: str
    port: int

    def topics(self) -> set[str]:
        return {one["TopicArn"] for one in self.cloud.cloud().sns.list_topics()["Topics"]}

    def signed_in_the_query(self, method: str, path: str = "/") -> str:
        """An address that deletes the topic."""
        deletion = {"Action": "DeleteTopic", "TopicArn": self.topic}
        request = AWSRequest(method, self.cloud.endpoint + path, params=deletion)
        SigV4QueryAuth(EVERYBODYS, "sns", "us-east-1").add_auth(request)
        return str(request.url)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with running_cloud(tmp_path_factory.mktemp("state")) as cloud:
        made = run_command("setup", "--cors-origin", "*", "--yes", "--json", environ=cloud.environ)
        topic = cloud.cloud().sns.create_topic(Name="kept")["TopicArn"]
        with ThreadingHTTPServer(("127.0.0.1", 0), EvilPage) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield Stage(cloud, json.loads(made.stdout)["url"], topic, server.server_port)
            server.shutdown()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(params=["localhost", "127.0.0.1"])
def evil(request: pytest.FixtureRequest, chromium: Browser, stage: Stage) -> Iterator[Page]:
    """A page of another site (by its name) and of another origin of the same site (by its port)."""
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"http://{request.param}:{stage.port}/")
    yield page
    context.close()


def act(page: Page, url: str, script: str, argument: Any) -> None:
    """Run a script that sends a request to this address, and wait until the browser has its answer."""
    ended: list[str] = []
    for event in ("requestfinished", "requestfailed"):  # a browser may hide an answer that it got
        page.on(event, lambda request: ended.append(request.url))
    page.evaluate(script, argument)
    for _ in range(100):
        if url in ended:
            return
        page.wait_for_timeout(50)
    pytest.fail(f"{url} was never asked; but {ended}")


@pytest.mark.parametrize("referrer", ["no-referrer", "unsafe-url"])
def test_an_image_signed_in_the_query_deletes_nothing(stage: Stage, evil: Page, referrer: str) -> None:
    script = """([url, policy]) => new Promise(done => {
        const image = new Image(); image.referrerPolicy = policy;
        image.onload = image.onerror = done; image.src = url; document.body.append(image); })"""
    url = stage.signed_in_the_query("GET")
    act(evil, url, script, [url, referrer])
    assert stage.topic in stage.topics()


@pytest.mark.parametrize("path", ["/", "/_aws/execute-api/"])
def test_a_form_deletes_nothing(stage: Stage, evil: Page, path: str) -> None:
    url = stage.signed_in_the_query("POST", path)
    script = """url => {
        const form = document.createElement('form'); form.method = 'POST'; form.action = url;
        const frame = document.createElement('iframe'); frame.name = form.target = 'there';
        document.body.append(frame, form); form.submit(); }"""
    act(evil, url, script, url)
    assert stage.topic in stage.topics()


@pytest.mark.parametrize("mode", ["cors", "no-cors"])
@pytest.mark.parametrize("path", ["/", "/_aws/execute-api/", "/_aws/execute-api//", "/_ministack/reset"])
def test_a_script_reads_and_changes_nothing_of_the_services(
    stage: Stage, evil: Page, path: str, mode: str
) -> None:
    request = AWSRequest("POST", stage.cloud.endpoint + path, TARGET, "{}")
    SigV4Auth(EVERYBODYS, "dynamodb", "us-east-1").add_auth(request)
    script = """([url, mode, headers]) => fetch(url, {method: 'POST', mode, headers, body: '{}'}).then(
        async answer => [answer.type, answer.status, await answer.text()], error => String(error))"""
    read = evil.evaluate(script, [stage.cloud.endpoint + path, mode, dict(request.headers)])
    assert read in (["opaque", 0, ""], "TypeError: Failed to fetch")
    assert stage.topic in stage.topics()


def test_neither_a_link_nor_a_beacon_nor_a_socket_gets_through(stage: Stage, evil: Page) -> None:
    url = stage.signed_in_the_query("POST")
    act(evil, url, "url => navigator.sendBeacon(url, '')", url)
    socket = stage.cloud.endpoint.replace("http", "ws")
    opened = """url => new Promise(done => { const socket = new WebSocket(url);
        socket.onopen = () => done(true); socket.onerror = () => done(false); })"""
    assert evil.evaluate(opened, socket) is False
    answer = evil.goto(stage.signed_in_the_query("GET"))
    assert answer is not None
    assert answer.status == 403, "also where the person follows the link"
    assert stage.topic in stage.topics()


def test_the_order_api_answers_a_page_and_its_path_is_no_way_to_a_service(stage: Stage, evil: Page) -> None:
    script = """async ([url, headers, body]) => {
        const answer = await fetch(url, {method: 'POST', headers, body});
        return [answer.status, await answer.text()]; }"""
    order = json.dumps({"customerName": "A page", "productName": "Mouse"})
    status, text = evil.evaluate(script, [stage.url, {"Content-Type": "application/json"}, order])
    assert status == 201, text
    # With the deletion in its query, signed as a service's: it is an order, and nothing else.
    signed = stage.signed_in_the_query("POST", stage.url.removeprefix(stage.cloud.endpoint))
    act(evil, signed, "url => fetch(url, {method: 'POST', mode: 'no-cors'}).then(() => 0)", signed)
    assert stage.topic in stage.topics()
