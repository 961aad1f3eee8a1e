"""Orders take the road that boto3's calls take: proxy and trusted authorities (AWS-FACTS 26)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from botocore.httpsession import get_cert_path
from typer.testing import CliRunner

from ordernotify.aws.road import DIRECT, Road
from ordernotify.aws.session import Cloud, aws_cloud, local_cloud
from ordernotify.cli import access, app, sending, stack, watching
from ordernotify.cli import orders as _registers_the_commands  # noqa: F401
from ordernotify.cli.access import Access
from ordernotify.cli.run import Run
from ordernotify.errors import OrderNotifyError
from ordernotify.orders.post import Answer, Draft, OrderClient
from ordernotify.settings.model import ApiKind, Auth
from ordernotify.settings.names import Names, Target
from ordernotify.settings.told import Told
from ordernotify.stack import discovery, verify
from ordernotify.stack.discovery import InvokeEndpoint
from tests.orders_fakes import FakeApi, TurnedClock, running_api
from tests.tls_proxy import HIDDEN_HOST, ForwardProxy, PrivateAuthority, forward_proxy, private_authority

BODY = b'{"customerName": "Ann", "productName": "Mouse"}'
RUN = Run("default", Names(), Target.AWS, "us-east-1", None, False, {}, Told(), Path("none.toml"))
HIDDEN_URL = f"https://{HIDDEN_HOST}/prod/orders"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> PrivateAuthority:
    return private_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def api(authority: PrivateAuthority) -> Iterator[FakeApi]:
    with running_api(tls=authority.server) as api:
        yield api


@pytest.fixture
def proxy(api: FakeApi) -> Iterator[ForwardProxy]:
    with forward_proxy(int(api.url.split(":")[2].split("/")[0])) as proxy:
        yield proxy


@pytest.fixture(autouse=True)
def shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell that names neither a proxy nor an authority."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)


@pytest.fixture
def behind_proxy(monkeypatch: pytest.MonkeyPatch, proxy: ForwardProxy, authority: PrivateAuthority) -> None:
    """A shell of an organisation with both."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.bundle))


def send(cloud: Cloud, url: str) -> Answer:
    client = OrderClient(url, road=cloud.road_to(url), clock=TurnedClock(), retry_seconds=0)
    try:
        return client.send(Draft(BODY, "key-1"))
    finally:
        client.close()


def on_aws() -> Cloud:
    return aws_cloud("us-east-1")


@pytest.mark.usefixtures("behind_proxy")
def test_row_26_an_order_goes_through_the_proxy_of_the_environment(api: FakeApi, proxy: ForwardProxy) -> None:
    assert send(on_aws(), HIDDEN_URL).accepted
    assert proxy.hosts == [HIDDEN_HOST]
    assert len(api.requests) == 1


@pytest.mark.usefixtures("behind_proxy")
def test_a_host_of_no_proxy_is_reached_directly(
    api: FakeApi, proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert send(on_aws(), api.url).accepted
    assert proxy.hosts == ["127.0.0.1"]
    monkeypatch.setenv("NO_PROXY", "example.com,127.0.0.1")
    assert send(on_aws(), api.url).accepted
    assert proxy.hosts == ["127.0.0.1"], "none of the second order"


def test_a_private_authority_is_not_trusted_unless_told(api: FakeApi) -> None:
    answer = send(on_aws(), api.url)
    assert answer.status == 0
    assert "the certificate or TLS is not right" in answer.message
    assert api.requests == []


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_row_26_the_authorities_of_the_environment_are_trusted(
    api: FakeApi, authority: PrivateAuthority, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(authority.bundle))
    assert send(on_aws(), api.url).accepted


def test_row_26_the_authorities_of_the_profile_are_trusted(
    api: FakeApi, authority: PrivateAuthority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    keys = "aws_access_key_id = testing\naws_secret_access_key = testing\n"
    config.write_text(f"[profile shop]\n{keys}ca_bundle = {authority.bundle}\n[profile other]\n{keys}")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    assert send(aws_cloud("us-east-1", "shop"), api.url).accepted
    assert not send(aws_cloud("us-east-1", "other"), api.url).accepted


def test_botocores_own_authorities_are_trusted_by_default() -> None:
    assert on_aws().road_to(HIDDEN_URL) == Road(None, get_cert_path(True))


@pytest.mark.usefixtures("behind_proxy")
def test_row_26_the_embedded_cloud_is_reached_directly(
    proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.address}")
    with running_api() as plain:
        cloud = local_cloud(plain.url)
        assert cloud.road_to(plain.url) == cloud.impatient().road_to(plain.url) == DIRECT
        assert send(cloud, plain.url).accepted
    assert proxy.heads == []


def test_the_proxy_gets_the_password_of_its_url(
    proxy: ForwardProxy, authority: PrivateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority.bundle))
    monkeypatch.setenv("HTTPS_PROXY", f"http://ann:p%40ss@{proxy.address}")
    assert send(on_aws(), HIDDEN_URL).accepted
    assert b64encode(b"ann:p@ss").decode() in proxy.heads[0]


@pytest.mark.usefixtures("behind_proxy")
def test_what_the_proxy_says_is_told(proxy: ForwardProxy) -> None:
    proxy.refuses = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    message = send(on_aws(), HIDDEN_URL).message
    assert message.startswith(f"the proxy opens no connection to {HIDDEN_HOST}: ")
    assert "407 Proxy Authentication Required" in message


def test_a_proxy_that_is_down_is_named_as_the_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://ann:secret@127.0.0.1:1")
    answer = send(on_aws(), HIDDEN_URL)
    assert answer.message == (
        f"the proxy opens no connection to {HIDDEN_HOST}: it cannot be reached; HTTPS_PROXY names it"
    )


def test_a_proxy_that_cannot_be_one_is_refused_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://ann:secret@127.0.0.1:port")
    with pytest.raises(OrderNotifyError, match="is not an http or https URL") as refused:
        send(on_aws(), HIDDEN_URL)
    assert "secret" not in str(refused.value)


def test_access_to_an_api_comes_with_its_road(
    behind_proxy: None, proxy: ForwardProxy, authority: PrivateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = InvokeEndpoint(HIDDEN_URL, "prod", "a1", ApiKind.REST, Auth.NONE)
    monkeypatch.setattr(discovery, "find_endpoint", lambda *_: endpoint)
    found = access.find_access(RUN, on_aws(), Names(), None)
    assert found.road == Road(f"http://{proxy.address}", str(authority.bundle))


def _verified(monkeypatch: pytest.MonkeyPatch) -> None:
    def proof(
        _cloud: object, _names: object, _stack: str, post: Callable[[object], Answer]
    ) -> Iterator[Answer]:
        yield post({"customerName": "Ann", "productName": "Mouse"})

    monkeypatch.setattr(verify, "verify", proof)
    _typed("verify")


def _typed(*command: str) -> None:
    result = CliRunner().invoke(app, [*command, "--aws", "--region", "us-east-1"])
    assert result.exit_code == 0, result.output


def _one_order(_monkeypatch: pytest.MonkeyPatch) -> None:
    _typed("send-order", "--customer", "Ann", "--product", "Mouse")


def _many_orders(_monkeypatch: pytest.MonkeyPatch) -> None:
    _typed("send-order", "--customer", "Ann", "--product", "Mouse", "--count", "2", "--concurrency", "1")


def _order_of_the_console(_monkeypatch: pytest.MonkeyPatch) -> None:
    assert watching._open_client(RUN, on_aws(), Names(), None).send(Draft(BODY, "key-1")).accepted


@pytest.mark.parametrize("send_by", [_one_order, _many_orders, _verified, _order_of_the_console])
def test_row_26_whatever_sends_orders_takes_the_road(
    send_by: Callable[[pytest.MonkeyPatch], None],
    proxy: ForwardProxy,
    authority: PrivateAuthority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = Access(HIDDEN_URL, None, road=Road(f"http://{proxy.address}", str(authority.bundle)))
    for module in (sending, stack, watching):
        monkeypatch.setattr(module, "find_access", lambda *_: found)
    monkeypatch.setattr(Run, "open", lambda _: (on_aws(), Names()))
    monkeypatch.setattr("ordernotify.orders.pace.careful_pace", lambda *_: None)
    send_by(monkeypatch)
    assert proxy.hosts == [HIDDEN_HOST]
