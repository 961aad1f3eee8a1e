from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import boto3
import pytest

from ordernotify.aws.session import Cloud
from ordernotify.errors import CredentialsError, OrderNotifyError, StackNotFoundError, UsageError
from ordernotify.orders.signing import (
    authorizer,
    given_key,
    read_api_key,
    signed_by_session,
    with_api_key,
)
from ordernotify.settings.model import Auth, Settings
from ordernotify.settings.names import Names
from tests.provision_support import Account, set_up

URL = "https://a1.execute-api.us-east-1.amazonaws.com/prod/orders"
KEY = "k" * 20
HEADERS = {"Content-Type": "application/json", "Idempotency-Key": "one"}


def key_file(folder: Path, text: str = KEY, mode: int = 0o600) -> Path:
    path = folder / "key"
    path.write_text(text)
    path.chmod(mode)
    return path


def signed(cloud: Cloud, auth: Auth, **given: Any) -> dict[str, str]:
    sign = authorizer(cloud, Names(), "default", auth, **given)
    assert sign is not None
    return dict(sign("POST", URL, HEADERS, b"{}"))


def test_a_public_api_needs_nothing(cloud: Cloud) -> None:
    assert authorizer(cloud, Names(), "default", Auth.NONE, key=KEY) is None


def test_the_stacks_own_key_is_read_from_the_account(account: Account, cloud: Cloud) -> None:
    set_up(Settings(auth=Auth.API_KEY), cloud)
    account.client("apigateway").create_api_key(name="order-api-key-dev", enabled=True)
    (ours,) = account.client("apigateway").get_api_keys(nameQuery="order-api-key", includeValues=True)[
        "items"
    ][:1]
    assert signed(cloud, Auth.API_KEY) == {**HEADERS, "x-api-key": ours["value"]}
    assert read_api_key(cloud, Names(), "default") == ours["value"]


def test_a_key_that_was_handed_over_is_used_and_none_is_read(account: Account, cloud: Cloud) -> None:
    assert signed(cloud, Auth.API_KEY, key=KEY) == {**HEADERS, "x-api-key": KEY}
    assert account.calls == []


def test_a_stack_without_a_key_is_told_with_what_to_do(account: Account, cloud: Cloud) -> None:
    account.client("apigateway").create_api_key(name="order-api-key", enabled=True)
    with pytest.raises(StackNotFoundError, match="the stack default has no API key") as missing:
        signed(cloud, Auth.API_KEY)
    assert missing.value.hint == "`ordernotify setup --auth api-key` makes one."


def test_a_key_in_a_file_wins_over_the_environment(tmp_path: Path) -> None:
    assert given_key("e" * 20, key_file(tmp_path, f"  {KEY}\n")) == KEY


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_key_given_is_no_key(nothing: str | None) -> None:
    assert given_key(nothing, None) is None


@pytest.mark.skipif(os.name != "posix", reason="modes mean nothing there")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_key_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = key_file(tmp_path, mode=mode)
    with pytest.raises(UsageError) as refused:
        given_key(None, path)
    assert refused.value.message == f"others may read the key in {path}: its mode is {mode:04o}"
    assert refused.value.hint == f"Run: chmod 600 {path}"


def test_a_key_file_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(OrderNotifyError, match=r"cannot read the API key from .*: No such file"):
        given_key(None, tmp_path / "absent")


@pytest.mark.parametrize(
    "wrong",
    ["short-secret", "s" * 129, "secret with a space in it", "secret\r\nX-Injected: 1 long", "sécret" * 5],
)
def test_a_key_that_cannot_be_is_refused_without_showing_it(tmp_path: Path, wrong: str) -> None:
    for arguments in ((wrong, None), (None, key_file(tmp_path, wrong))):
        with pytest.raises(UsageError, match="is not an API key") as refused:
            given_key(*arguments)
        assert wrong not in f"{refused.value.message} {refused.value.hint} {refused.value!r}"


def test_the_key_is_in_no_representation() -> None:
    assert KEY not in repr(with_api_key(KEY))


def cloud_of(**credentials: str) -> Cloud:
    return Cloud(boto3.Session(region_name="us-east-1", **credentials))  # type: ignore[arg-type]


def test_a_request_is_signed_for_execute_api_with_every_header_of_ours() -> None:
    cloud = cloud_of(aws_access_key_id="AKID", aws_secret_access_key="secret", aws_session_token="token")
    headers = dict(signed_by_session(cloud)("POST", URL, HEADERS, b"{}"))
    assert headers.pop("X-Amz-Date").endswith("Z")
    assert re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=AKID/\d{8}/us-east-1/execute-api/aws4_request, "
        r"SignedHeaders=content-type;host;idempotency-key;x-amz-date;x-amz-security-token, "
        r"Signature=[0-9a-f]{64}",
        headers.pop("Authorization"),
    )
    assert headers == {**HEADERS, "X-Amz-Security-Token": "token"}
    assert "secret" not in str(headers)


def test_every_request_has_a_signature_of_its_own() -> None:
    sign = signed_by_session(cloud_of(aws_access_key_id="AKID", aws_secret_access_key="secret"))
    assert (
        sign("POST", URL, HEADERS, b"1")["Authorization"] != sign("POST", URL, HEADERS, b"2")["Authorization"]
    )


def test_signing_without_credentials_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(CredentialsError, match="the API takes signed requests only") as refused:
        signed_by_session(Cloud(boto3.Session(region_name="us-east-1")))
    assert "aws configure" in refused.value.hint
