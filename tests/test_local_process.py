from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ordernotify.local import process as local_process
from ordernotify.local import record as records
from ordernotify.local.record import Record
from tests.local_support import a_sleeper, is_gone


def test_the_process_gets_its_settings_and_nothing_of_the_persons_but_where_programs_are() -> None:
    person = {
        "PATH": "/bin",
        "HOME": "/h",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_PROFILE": "work",
        "AWS_ENDPOINT_URL": "http://elsewhere",
        "ORDERNOTIFY_STACK": "dev",
        "GITHUB_TOKEN": "secret",
        "HTTPS_PROXY": "http://proxy",
        "USE_SSL": "1",
        "LAMBDA_EXECUTOR": "docker",
        "STATE_DIR": "/elsewhere",
    }
    assert local_process.environment(4000, Path("/s"), "token", person) == {
        "PATH": "/bin",
        "HOME": "/h",
        "AUTH": "true",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": "4000",
        "LAMBDA_EXECUTOR": "local",
        "LOG_LEVEL": "WARNING",
        "MINISTACK_EDITION": "token",
        "PERSIST_STATE": "1",
        "SERVICES": "apigateway,cloudformation,dynamodb,iam,kms,lambda,"
        "logs,monitoring,s3,sns,sqs,sts,tagging,wafv2",
        "STATE_DIR": "/s/state",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": "unix:///s/no-docker.sock",
        "TMPDIR": "/s/tmp",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "PYTHONUTF8": "1",
        "TZ": "UTC",
    }


class TestTheRecord:
    @pytest.mark.parametrize("began", [records.began, records._began_in_ps])
    def test_a_process_is_known_by_when_it_began(self, began: Callable[[int], str]) -> None:
        with a_sleeper() as process:
            assert began(process.pid) == began(process.pid) != ""
            process.kill()
            assert is_gone(process.pid)  # nobody took note of its end: it is a zombie now
            assert began(process.pid) == ""
        assert began(process.pid) == ""

    def test_the_persons_language_and_time_zone_do_not_change_when_a_process_began(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told = records._began_in_ps(os.getpid())
        monkeypatch.setenv("TZ", "Asia/Tokyo")
        assert records._began_in_ps(os.getpid()) == told

    def test_a_reused_id_is_another_process(self) -> None:
        pid = os.getpid()
        assert Record(pid, records.began(pid), "t", "p").is_alive()
        assert not Record(pid, "1", "t", "p").is_alive()
        assert not Record(pid, "", "t", "p").is_alive()

    def test_a_process_that_ended_before_it_was_looked_at_is_dead(self) -> None:
        with a_sleeper() as process:
            pass
        assert not Record(process.pid, "", "t", "p").is_alive()

    @pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"pid": 1}', '{"pid": 1, "x": 2}'])
    def test_a_record_that_is_not_whole_counts_as_none(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "process.json").write_text(text)
        assert records.read_record(tmp_path) is None

    def test_it_is_read_as_written(self, tmp_path: Path) -> None:
        record = Record(7, "now", "token", "/bin/python")
        records.write_record(tmp_path, record)
        assert records.read_record(tmp_path) == record
