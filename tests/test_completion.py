"""The shell completes the names of the stacks that exist at the place of the line."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from ordernotify.aws.session import Cloud
from ordernotify.cli import app
from tests.cli_support import Typed, typed

__all__ = ["typed"]


@pytest.mark.parametrize(
    ("shell", "words", "told"),
    [
        ("bash", "status --aws", ""),
        ("zsh", "status --aws", ""),
        ("fish", "status --aws", ""),
        ("bash", "status", "aws = true\n"),
    ],
)
def test_the_shell_completes_stacks(typed: Typed, cloud: Cloud, shell: str, words: str, told: str) -> None:
    Path("ordernotify.toml").write_text(told, encoding="utf-8")
    for stack in ("dev", "demo", "shop"):
        cloud.dynamodb.create_table(
            TableName=f"FileMetadata-{stack}",
            KeySchema=[{"AttributeName": "FileName", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "FileName", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            Tags=[{"Key": "ordernotify:stack", "Value": stack}],
        )
    line = f"ordernotify {words} --stack d"
    environ = {
        "_ORDERNOTIFY_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split()) - 1),
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    done = CliRunner().invoke(app, [], env=environ, prog_name="ordernotify")
    assert [name for name in ("demo", "dev", "shop") if name in done.stdout] == ["demo", "dev"]
