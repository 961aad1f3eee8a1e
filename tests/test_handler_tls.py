"""The AWS client over TLS, which the emulators do not speak and every order on AWS does."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import pytest

from ordernotify.function import aws_calls, aws_client
from tests.handler_fakes import ENVIRONMENT, TABLE, FakeAws


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate and its key for 127.0.0.1, signed by itself, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=30)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    file = folder / "both.pem"
    file.write_text((folder / "key.pem").read_text() + (folder / "certificate.pem").read_text())
    return file


def server(certificate: Path) -> FakeAws:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return FakeAws(context)


def put(client: aws_client.AwsClient, name: str) -> None:
    item = {"FileName": name, "notification": "pending", "note": "x" * 40_000}
    aws_calls.put_item(client, TABLE, item, "attribute_not_exists(FileName)", {}, client._timer() + 5)


def client_of(aws: FakeAws) -> aws_client.AwsClient:
    return aws_client.AwsClient(
        "dynamodb", aws.endpoint, "us-east-1", environment=ENVIRONMENT, sleep=lambda _: None
    )


def test_orders_go_over_one_connection_whose_certificate_was_checked(certificate: Path) -> None:
    with server(certificate) as aws:
        client = client_of(aws)
        client.tls = ssl.create_default_context(cafile=certificate)
        for name in "abc":
            put(client, name)
        assert (aws.connections, list(aws.items)) == (1, ["a", "b", "c"])
        aws.drop_connections()
        put(client, "d")
        client.close()
        assert (aws.connections, len(aws.requests)) == (2, 4)


def test_a_certificate_that_nobody_trusts_is_refused_before_anything_is_sent(certificate: Path) -> None:
    with server(certificate) as aws:
        client = client_of(aws)
        with pytest.raises(aws_client.CallFailed) as failed:
            put(client, "a")
        assert failed.value.code == "SSLCertVerificationError"
        assert not failed.value.maybe_applied
        assert aws.requests == []
