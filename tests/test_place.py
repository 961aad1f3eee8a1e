"""`env` leads the AWS command line and boto3 to the place where the stack is, whatever the shell says."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest
from typer.testing import CliRunner

from ordernotify.aws.session import aws_cloud, local_cloud
from ordernotify.cli import app
from ordernotify.cli import place as _commands  # noqa: F401 - it registers its commands

LOCAL = "http://127.0.0.1:4566"
ELSEWHERE = {
    "AWS_ACCESS_KEY_ID": "old",
    "AWS_SECRET_ACCESS_KEY": "old",
    "AWS_SESSION_TOKEN": "old",
    "AWS_PROFILE": "other",
    "AWS_ENDPOINT_URL_DYNAMODB": "https://elsewhere.example",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_USE_FIPS_ENDPOINT": "true",
}
Evaluated = Callable[..., None]


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Evaluated:
    """Do what the shell does with `eval "$(ordernotify env …)"`."""
    profiles = tmp_path / "config"
    profiles.write_text("[profile work]\naws_access_key_id = mine\naws_secret_access_key = mine\n")
    for name, value in {**ELSEWHERE, "AWS_CONFIG_FILE": str(profiles)}.items():
        monkeypatch.setenv(name, value)

    def evaluate(*words: str) -> None:
        done = CliRunner().invoke(app, ["env", *words])
        assert done.exit_code == 0, done.output
        for line in done.stdout.splitlines():
            what, word = shlex.split(line.removesuffix(";"))
            name, _, value = word.partition("=")
            if what == "unset":
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)

    return evaluate


def test_to_the_embedded_cloud(evaluated: Evaluated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ordernotify.cli.run.Run.cloud", lambda _: local_cloud(LOCAL))
    evaluated()
    session = boto3.Session()
    assert session.client("dynamodb").meta.endpoint_url == LOCAL
    assert access_key(session) == "test"


def test_to_the_account_of_a_profile(evaluated: Evaluated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ordernotify.cli.run.Run.cloud", lambda run: aws_cloud(run.region, run.profile))
    evaluated("--aws", "--profile", "work", "--region", "eu-central-1")
    session = boto3.Session()
    assert (access_key(session), session.region_name) == ("mine", "eu-central-1")
    assert "AWS_ENDPOINT_URL_DYNAMODB" in os.environ  # the person's own, which setup follows too


def access_key(session: boto3.Session) -> str:
    credentials = session.get_credentials()
    assert credentials
    return credentials.access_key
