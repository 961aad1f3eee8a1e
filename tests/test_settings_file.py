from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordernotify.errors import OrderNotifyError, UsageError
from ordernotify.settings.file import (
    OPTIONS,
    read_settings,
    save_settings,
    settings_from_environment,
)
from ordernotify.settings.model import (
    Settings,
    describe,
    setting_from_tag,
    setting_tag_value,
    settings_default,
)
from ordernotify.settings.names import Names


def write(folder: Path, text: str) -> Path:
    path = folder / "ordernotify.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_with_every_kind_of_value_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, 'stack = "dev"\naws = true\nmemory = 512\nemail = ["a@example.com"]\n')
    assert read_settings(path) == {"stack": "dev", "aws": True, "memory": 512, "email": ["a@example.com"]}


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ('stack = "dev"\n\nmemroy = 512\n', 3, "there is no setting 'memroy'"),
        ('# a comment\nmemory = "512"\n', 2, "memory is to be a whole number, not '512'"),
        ("memory = true\n", 1, "memory is to be a whole number, not True"),
        ("aws = 1\n", 1, "aws is to be true or false, not 1"),
        ('email = "a@example.com"\n', 1, "email is to be a list of texts"),
        ("email = [1]\n", 1, "email is to be a list of texts"),
        ("stack = 'dev'\nmemory = 1\n", 2, "the memory 1 MB is out of range"),
        ('api = "http"\nauth = "api-key"\n', 2, "an HTTP API has no API keys"),
        ('auth = "basic"\n', 1, "auth cannot be 'basic'"),
        ("rate = 5\n", 1, "--rate and --burst go together"),
        ("burst = 10\nrate = 0\n", 2, "the rate 0 is out of range"),
        ('email = ["nobody"]\n', 1, "'nobody' is not an email address"),
        ("[memory]\nsize = 1\n", 1, "memory is to be a whole number"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(tmp_path: Path, text: str, line: int, sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_settings(write(tmp_path, text))
    assert f"ordernotify.toml, line {line}: " in refused.value.message
    assert sentence in refused.value.message


def test_text_that_is_not_toml_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="line 2"):
        read_settings(write(tmp_path, 'stack = "dev"\nmemory = = 3\n'))


def test_saving_keeps_comments_and_other_settings(tmp_path: Path) -> None:
    path = write(tmp_path, "# ours\nmemory = 256  # enough\ntimeout = 20\n")
    save_settings(path, {"memory": 512, "email": ["a@example.com"]})
    assert path.read_text() == '# ours\nmemory = 512  # enough\ntimeout = 20\nemail = ["a@example.com"]\n'
    assert read_settings(path) == {"memory": 512, "timeout": 20, "email": ["a@example.com"]}


def test_saving_into_a_folder_that_does_not_exist_is_told(tmp_path: Path) -> None:
    with pytest.raises(OrderNotifyError, match="could not save the settings"):
        save_settings(tmp_path / "nowhere" / "ordernotify.toml", {"memory": 512})


def test_the_environment_gives_the_same_values_as_the_file() -> None:
    environ = {
        "ORDERNOTIFY_AWS": "yes",
        "ORDERNOTIFY_EMAIL": "a@example.com b@example.com",
        "ORDERNOTIFY_MEMORY": "512",
        "ORDERNOTIFY_STAGE": "",
        "ORDERNOTIFY_LOG_BODIES": "0",
        "OTHER": "1",
    }
    assert settings_from_environment(environ) == {
        "aws": True,
        "email": ["a@example.com", "b@example.com"],
        "memory": 512,
        "log-bodies": False,
    }


@pytest.mark.parametrize(("name", "text"), [("MEMORY", "much"), ("AWS", "perhaps")])
def test_a_wrong_value_in_the_environment_is_refused(name: str, text: str) -> None:
    with pytest.raises(UsageError, match=f"ORDERNOTIFY_{name} is to be"):
        settings_from_environment({f"ORDERNOTIFY_{name}": text})


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "memory": st.integers(128, 10_240),
            "timeout": st.integers(3, 29),
            "log-retention": st.sampled_from([1, 30, 3653]),
            "log-bodies": st.booleans(),
            "access-logs": st.booleans(),
            "auth": st.sampled_from(["none", "iam"]),
            "api": st.sampled_from(["rest", "http"]),
            "stage": st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True),
            "cors-origin": st.lists(st.sampled_from(["*", "https://a.example", "http://b.example:81"])),
            "alarm-email": st.lists(st.sampled_from(["a@example.com", "b@example.com"])),
        },
    )
)
def test_what_setup_records_in_tags_is_read_back(told: dict[str, object]) -> None:
    described = describe("dev", Names(), told)
    read_back = {
        tag.rpartition(":")[2]: setting_from_tag(tag.rpartition(":")[2], value)
        for tag, value in described.recorded.items()
    }
    assert describe("dev", Names(), {}, read_back) == described


def test_defaults_are_not_recorded() -> None:
    assert Settings().recorded == {}
    assert setting_tag_value(("*",)) == "any"


def test_every_setting_is_an_option_of_the_file() -> None:
    described = {entry: settings_default(entry) for entry in Settings.__dataclass_fields__}
    singular = {"emails": "email", "phones": "phone", "alarm_emails": "alarm-email"}
    singular |= {"cors_origins": "cors-origin", "tags": "tag"}
    options = {singular.get(name, name.replace("_", "-")) for name in described} - {"names"}
    assert options <= set(OPTIONS)
