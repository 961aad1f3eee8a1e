"""The AWS client: its signatures and requests are boto3's, and its connections survive what networks do."""

from __future__ import annotations

import io
import json
import string
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, quote

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from ordernotify.function import aws_calls, aws_client, notification, signature
from tests.handler_fakes import (
    ENVIRONMENT,
    PUBLISH,
    PUT,
    TABLE,
    TOPIC,
    FakeAws,
    dynamodb_error,
    sns_error,
)

NO_SURROGATES = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
TOKENS = st.text(string.ascii_letters + string.digits + "-_./+=", min_size=1, max_size=40)
NOW = 1_738_368_000.0
INTEGERS = st.integers(-(10**38) + 1, 10**38 - 1)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=5, min_value=-(10**30), max_value=10**30)
VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | DECIMALS | NO_SURROGATES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NO_SURROGATES, inner, max_size=4),
    max_leaves=12,
)


@given(
    service=st.sampled_from(["dynamodb", "sns"]),
    region=TOKENS.map(lambda text: text.replace("/", "-")),
    body=st.binary(max_size=300),
    secret=TOKENS,
    token=st.none() | TOKENS,
    host=st.sampled_from(["sns.eu-west-1.amazonaws.com", "127.0.0.1:4566", "localhost"]),
    path=st.sampled_from(["/", "/prefix", "/a/b-c_d.e~f"]),
)
def test_signatures_are_those_of_botocore(
    service: str, region: str, body: bytes, secret: str, token: str | None, host: str, path: str
) -> None:
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "DynamoDB_20120810.PutItem"}
    expected = AWSRequest("POST", f"http://{host}{path}", headers=headers, data=body)
    SigV4Auth(Credentials("AKIDEXAMPLE", secret, token), service, region).add_auth(expected)
    signed = headers | {"host": host, "x-amz-date": expected.context["timestamp"]}
    if token:
        signed["x-amz-security-token"] = token
    names = {"service": service, "region": region, "path": path}
    value = signature.authorization(signed, body, access_key="AKIDEXAMPLE", secret_key=secret, **names)
    assert value == expected.headers["Authorization"]


class Capture:
    """Takes what a client sends, and answers as it is told."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status, self.body = status, body
        self.sent = b""
        self.request: AWSPreparedRequest | None = None

    def send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        """Stand in for botocore's HTTP session (event `before-send`)."""
        self.request = request
        body = self.body

        class Raw:
            def stream(self, **_: Any) -> Iterator[bytes]:
                yield body

        return AWSResponse(request.url, self.status, HTTPHeaders(), Raw())

    def connect(self, *_: Any) -> Any:
        """Stand in for `connection.connect`."""
        length = len(self.body)
        capture = self
        head = f"HTTP/1.1 {self.status} X\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n".encode()
        incoming = io.BytesIO(head + self.body)
        self.sent = b""

        class Socket:
            def settimeout(self, seconds: float) -> None:
                assert seconds > 0

            def send(self, data: memoryview) -> int:
                capture.sent += data
                return len(data)

            def recv_into(self, buffer: memoryview) -> int:
                return incoming.readinto(buffer)

            def close(self) -> None:
                pass

        return Socket()

    def client(self, service: str) -> aws_client.AwsClient:
        return aws_client.AwsClient(
            service,
            f"https://{service}.us-east-1.amazonaws.com",
            "us-east-1",
            connect=self.connect,
            clock=lambda: NOW,
            sleep=lambda _: None,
            environment=ENVIRONMENT,
        )

    def boto3(self, service: Any) -> Any:
        session = boto3.Session("AKIDEXAMPLE", ENVIRONMENT["AWS_SECRET_ACCESS_KEY"], "session", "us-east-1")
        config = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
        client = session.client(service, config=config)
        client.meta.events.register("before-send", self.send)
        return client

    def head(self) -> tuple[str, dict[str, str], bytes]:
        """Split what was sent into the request line, the headers and the body."""
        head, _, body = self.sent.partition(b"\r\n\r\n")
        line, *lines = head.decode().split("\r\n")
        return line, dict(line.split(": ", 1) for line in lines), body


DYNAMODB, SNS = Capture(200, b"{}"), Capture(200, b"")
BOTO3 = {"dynamodb": DYNAMODB.boto3("dynamodb"), "sns": SNS.boto3("sns")}


def boto3_body(capture: Capture) -> str:
    assert capture.request is not None
    body = capture.request.body
    assert isinstance(body, str | bytes)
    return body if isinstance(body, str) else body.decode()


def boto3_headers(capture: Capture) -> dict[str, str]:
    assert capture.request is not None
    return {
        name.lower(): value if isinstance(value, str) else value.decode()
        for name, value in capture.request.headers.items()
    }


@given(item=st.dictionaries(NO_SURROGATES, VALUES, max_size=5))
def test_put_item_sends_what_boto3_sends(item: dict[str, Any]) -> None:
    attributes = {name: aws_calls.attribute_value(value) for name, value in item.items()}
    DYNAMODB.status, DYNAMODB.body = 200, b"{}"
    BOTO3["dynamodb"].put_item(
        TableName=TABLE,
        Item=attributes,
        ConditionExpression="notification = :pending",
        ExpressionAttributeValues={":pending": {"S": "pending"}},
    )
    theirs = boto3_headers(DYNAMODB)
    aws_calls.put_item(
        DYNAMODB.client("dynamodb"), TABLE, item, "notification = :pending", {":pending": "pending"}, 1e12
    )
    line, ours, body = DYNAMODB.head()
    assert line == "POST / HTTP/1.1"
    assert json.loads(body) == json.loads(boto3_body(DYNAMODB))
    for name in ("content-type", "x-amz-target", "x-amz-security-token"):
        assert ours[name] == theirs[name]
    assert ours["host"] == "dynamodb.us-east-1.amazonaws.com"
    assert ours["x-amz-date"] == "20250201T000000Z"
    assert int(ours["content-length"]) == len(body)


@given(subject=NO_SURROGATES, text=NO_SURROGATES, name=NO_SURROGATES, value=NO_SURROGATES)
def test_publish_sends_what_boto3_sends(subject: str, text: str, name: str, value: str) -> None:
    attributes = {"eventType": {"DataType": "String", "StringValue": value}}
    attributes[name] = {"DataType": "String", "StringValue": text}
    message = {
        "Subject": subject,
        "Message": text,
        "MessageStructure": "json",
        "MessageAttributes": attributes,
    }
    SNS.status, SNS.body = 200, b"<PublishResponse><PublishResult/></PublishResponse>"
    BOTO3["sns"].publish(TopicArn=TOPIC, **message)
    theirs = boto3_body(SNS)
    aws_calls.publish(SNS.client("sns"), TOPIC, message, 1e12)
    line, ours, body = SNS.head()
    assert line == "POST / HTTP/1.1"
    assert sorted(parse_qsl(body.decode(), keep_blank_values=True)) == sorted(
        parse_qsl(theirs, keep_blank_values=True)
    )
    assert ours["content-type"] == boto3_headers(SNS)["content-type"]


@given(text=NO_SURROGATES)
def test_form_text_is_that_of_urllib(text: str) -> None:
    assert aws_calls.form_text(text) == quote(text, safe="")


XML_TEXT = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"]), max_size=40)


@given(message_id=XML_TEXT)
def test_the_message_id_is_read_as_boto3_reads_it(message_id: str) -> None:
    text = message_id.replace("&", "&amp;").replace("<", "&lt;").replace("]]>", "]]&gt;")
    namespace = 'xmlns="http://sns.amazonaws.com/doc/2010-03-31/"'
    document = f"<PublishResponse {namespace}><PublishResult><MessageId>{text}</MessageId></PublishResult>"
    SNS.status, SNS.body = 200, f"{document}</PublishResponse>".encode()
    message = notification.notification({"orderId": "x"})
    theirs = BOTO3["sns"].publish(TopicArn=TOPIC, **message).get("MessageId", "")
    assert aws_calls.publish(SNS.client("sns"), TOPIC, message, 1e12) == theirs


ERRORS: dict[str, Callable[[str, str], bytes]] = {"dynamodb": dynamodb_error, "sns": sns_error}


@given(
    service=st.sampled_from(["dynamodb", "sns"]),
    status=st.sampled_from([400, 403, 429, 500, 503]),
    code=st.text(string.ascii_letters, min_size=1, max_size=30),
    message=XML_TEXT.filter(lambda text: text == text.strip() and "]]>" not in text),
)
def test_errors_are_read_as_boto3_reads_them(service: str, status: int, code: str, message: str) -> None:
    capture = DYNAMODB if service == "dynamodb" else SNS
    capture.status, capture.body = status, ERRORS[service](code, message)
    client = BOTO3[service]
    with pytest.raises(client.exceptions.ClientError) as theirs:
        client.publish(Message="x") if service == "sns" else client.put_item(TableName=TABLE, Item={})
    with pytest.raises(aws_client.CallFailed) as ours:
        capture.client(service).call({"content-type": "x"}, b"", 1e12)
    expected = theirs.value.response["Error"]
    assert (ours.value.code, ours.value.message) == (expected["Code"], expected.get("Message") or "")


@given(item=st.dictionaries(NO_SURROGATES, VALUES, min_size=1, max_size=5))
def test_the_item_of_a_failed_condition_is_read_back(item: dict[str, Any]) -> None:
    attributes = {name: aws_calls.attribute_value(value) for name, value in item.items()}
    answer = dynamodb_error("ConditionalCheckFailedException", "x", item=attributes)
    failure = aws_client.CallFailed("x", "", retry=False, maybe_applied=False, answer=answer)
    assert aws_calls.stored_item(failure) == item


@pytest.mark.parametrize(("code", "attempts"), [("KMSThrottling", 5), ("KMSDisabled", 1)])
def test_a_key_that_is_asked_too_often_is_asked_again(code: str, attempts: int) -> None:
    SNS.status, SNS.body = 400, sns_error(code, "x")
    with pytest.raises(aws_client.CallFailed) as failed:
        SNS.client("sns").call({"content-type": "x"}, b"", 1e12)
    assert failed.value.attempts == attempts


# --- Connections


def no_sleep(_seconds: float) -> None:
    return


def client_of(aws: FakeAws, **options: Any) -> aws_client.AwsClient:
    options = {"sleep": no_sleep, "environment": ENVIRONMENT, "attempt_seconds": 0.2, **options}
    return aws_client.AwsClient("dynamodb", aws.endpoint, "us-east-1", **options)


def put(client: aws_client.AwsClient, name: str) -> None:
    item = {"FileName": name, "notification": "pending"}
    aws_calls.put_item(client, TABLE, item, "attribute_not_exists(FileName)", {}, client._timer() + 3)


def test_one_connection_serves_all_orders() -> None:
    with FakeAws() as aws:
        client = client_of(aws)
        for name in "abc":
            put(client, name)
        client.close()
        assert aws.connections == 1


def test_a_connection_closed_while_the_worker_was_frozen_is_replaced_unnoticed() -> None:
    with FakeAws() as aws:
        client = client_of(aws, sleep=lambda _: pytest.fail("no pause is due"))
        put(client, "a")
        aws.drop_connections()
        put(client, "b")
        client.close()
        assert (aws.connections, len(aws.requests)) == (2, 2)


def test_nothing_is_sent_on_a_connection_that_was_closed_while_the_worker_was_frozen() -> None:
    with FakeAws() as aws:
        client = client_of(aws)
        put(client, "a")
        aws.drop_connections()
        aws.fail(PUT, "denied")
        with pytest.raises(aws_client.CallFailed) as failed:
            put(client, "b")
        client.close()
    assert not failed.value.maybe_applied


def test_a_connection_that_dies_under_a_request_is_replaced_at_once() -> None:
    with FakeAws() as aws:
        client = client_of(aws, sleep=lambda _: pytest.fail("no pause is due"))
        put(client, "a")
        aws.fail(PUT, "reset before")
        put(client, "b")
        client.close()
        assert aws.items.keys() == {"a", "b"}


def test_a_request_that_was_applied_when_its_connection_died_is_known_to_be_maybe_applied() -> None:
    with FakeAws() as aws:
        client = client_of(aws)
        put(client, "a")
        aws.fail(PUT, "reset after")
        with pytest.raises(aws_client.CallFailed) as failed:
            put(client, "b")
        client.close()
    assert failed.value.code == "ConditionalCheckFailedException"
    assert failed.value.maybe_applied
    assert aws_calls.stored_item(failed.value) == {"FileName": "b", "notification": "pending"}


def test_a_service_that_closes_each_connection_is_no_fault() -> None:
    with FakeAws() as aws:
        aws.close_after_answer = True
        client = client_of(aws)
        put(client, "a")
        put(client, "b")
        assert aws.connections == 2


@pytest.mark.parametrize(("fault", "maybe"), [("throttled", False), ("500", True), ("timeout", True)])
def test_faults_that_pass_are_retried_with_full_jitter(fault: str, maybe: bool) -> None:
    pauses: list[float] = []
    with FakeAws() as aws:
        aws.fail(PUT, fault, aws_client.ATTEMPTS)
        client = client_of(aws, sleep=pauses.append, random=lambda: 0.5, attempt_seconds=0.05)
        with pytest.raises(aws_client.CallFailed) as failed:
            put(client, "a")
        client.close()
    assert pauses == [0.05, 0.1, 0.2, 0.4]
    assert (failed.value.attempts, failed.value.maybe_applied) == (aws_client.ATTEMPTS, maybe)


def test_what_is_refused_for_good_is_not_retried() -> None:
    with FakeAws() as aws:
        aws.fail(PUT, "denied")
        client = client_of(aws)
        with pytest.raises(aws_client.CallFailed) as failed:
            put(client, "a")
        client.close()
    assert (failed.value.code, failed.value.attempts) == ("AccessDeniedException", 1)
    assert not failed.value.maybe_applied


def test_a_service_that_cannot_be_reached_has_applied_nothing() -> None:
    with FakeAws() as aws:
        client = client_of(aws)
    with pytest.raises(aws_client.CallFailed) as failed:
        put(client, "a")
    assert failed.value.code == "ConnectionRefusedError"
    assert not failed.value.maybe_applied


def test_a_publish_is_sent_again_when_its_connection_died() -> None:
    with FakeAws() as aws:
        client = aws_client.AwsClient("sns", aws.endpoint, "us-east-1", environment=ENVIRONMENT)
        message = notification.notification({"orderId": "x"})
        aws_calls.publish(client, TOPIC, message, client._timer() + 3)
        aws.fail(PUBLISH, "reset before")
        assert aws_calls.publish(client, TOPIC, message, client._timer() + 3) == "m-2"
        client.close()


@pytest.mark.parametrize(
    ("endpoint", "parts"),
    [
        ("http://127.0.0.1:4566", ("127.0.0.1", 4566, "127.0.0.1:4566", "/")),
        ("http://[::1]:4566/", ("::1", 4566, "[::1]:4566", "/")),
        ("http://[::1]", ("::1", 80, "[::1]", "/")),
        ("https://sns.eu-west-1.amazonaws.com", ("sns.eu-west-1.amazonaws.com", 443, None, "/")),
        ("http://Proxy.example/Aws", ("proxy.example", 80, "proxy.example", "/Aws")),
    ],
)
def test_endpoints_are_read(endpoint: str, parts: tuple[str, int, str | None, str]) -> None:
    client = aws_client.AwsClient("sns", endpoint, "us-east-1")
    assert (client.host, client.port, client.path) == (parts[0], parts[1], parts[3])
    assert client.host_header == (parts[2] or parts[0])
    assert (client.tls is not None) == endpoint.startswith("https")


@pytest.mark.parametrize(
    "answer", [b"", b"<", b"null", b"[1]", b"<html>502</html>", b"\xff", b'{"__type": 5}']
)
def test_error_answers_of_proxies_keep_their_status(answer: bytes) -> None:
    capture = Capture(502, answer)
    with pytest.raises(aws_client.CallFailed) as failed:
        capture.client("sns").call({"content-type": "x"}, b"", 1e12)
    assert failed.value.code in ("HTTP502", "5")
    assert failed.value.attempts == aws_client.ATTEMPTS
