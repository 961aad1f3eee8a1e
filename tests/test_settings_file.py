from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordernotify.errors import OrderNotifyError, UsageError
from ordernotify.settings.checks import browser_origin, check_origin
from ordernotify.settings.environment import told_by_environment
from ordernotify.settings.file import save_settings, told_by_file
from ordernotify.settings.model import MAX_TAGS, OWN_TAGS, SETTING_ROWS, Settings
from ordernotify.settings.names import Names
from ordernotify.settings.recorded import settings_in_tags
from ordernotify.settings.told import Told, describe
from tests.e2e.cloud import command_environ, free_port, run_command


def fits_lambda(text: str) -> bool:
    """Whether the text matches `TagValue` of botocore's Lambda model (AWS-FACTS 30)."""
    return all(unicodedata.category(one)[0] in "LZN" or one in "_.:/=+-@" for one in text)


def read_settings(path: Path) -> dict[str, object]:
    return dict(told_by_file(path).values)


def settings_from_environment(environ: dict[str, str]) -> dict[str, object]:
    return dict(told_by_environment(environ).values)


def write(folder: Path, text: str) -> Path:
    path = folder / "ordernotify.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_with_every_kind_of_value_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, 'stack = "dev"\naws = true\nmemory = 512\nemail = ["a@example.com"]\n')
    assert read_settings(path) == {"stack": "dev", "aws": True, "memory": 512, "email": ["a@example.com"]}


@pytest.mark.parametrize(("setting", "low", "high"), [("memory", 128, 10_240), ("timeout", 3, 29)])
def test_the_limits_of_a_number_are_those_of_aws(setting: str, low: int, high: int) -> None:
    def described(value: Any) -> Settings:
        return Settings(**{setting: value})

    assert [getattr(described(value), setting) for value in (low, high)] == [low, high]
    for value in (low - 1, high + 1):
        with pytest.raises(UsageError, match="out of range"):
            described(value)


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ('stack = "dev"\n\nmemroy = 512\n', 3, "there is no setting 'memroy'"),
        ('# a comment\nmemory = "512"\n', 2, "memory must be a whole number, not '512'"),
        ("memory = true\n", 1, "memory must be a whole number, not True"),
        ("aws = 1\n", 1, "aws must be true or false, not 1"),
        ('email = "a@example.com"\n', 1, "email must be a list of texts"),
        ("email = [1]\n", 1, "email must be a list of texts"),
        ("stack = 'dev'\nmemory = 1\n", 2, "the memory 1 MB is out of range"),
        ('auth = "basic"\n', 1, "auth cannot be 'basic'"),
        ("burst = 10\nrate = 0\n", 2, "the rate 0 is out of range"),
        ('email = ["nobody"]\n', 1, "'nobody' is not an email address"),
        ("[memory]\nsize = 1\n", 1, "memory must be a whole number"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(tmp_path: Path, text: str, line: int, sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_settings(write(tmp_path, text))
    assert f"ordernotify.toml, line {line}: " in refused.value.message
    assert sentence in refused.value.message


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('api = "http"\nauth = "api-key"\n', "line 1 and {path}, line 2: an HTTP API has no API keys"),
        ("rate = 5\n", "line 1: rate and burst go together"),
        (f"cors-origin = ['https://{'a' * 250}.example']\n", "line 1: cors-origin is too long"),
    ],
)
def test_settings_that_exclude_each_other_are_told_with_their_lines(
    tmp_path: Path, text: str, where: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UsageError) as refused:
        describe("dev", Names(), told_by_file(path))
    assert refused.value.message.startswith(f"{path}, {where.format(path=path)}")


def test_each_wrong_value_is_told_where_it_was_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^ORDERNOTIFY_MEMORY: the memory 1 MB is out of range"):
        told_by_environment({"ORDERNOTIFY_MEMORY": "1"})
    with pytest.raises(UsageError, match=r"^--memory: the memory 1 MB is out of range"):
        describe("dev", Names(), Told.by_flags({"memory": 1}))
    told = Told.by_flags({"api": "http"}).over(told_by_environment({"ORDERNOTIFY_AUTH": "api-key"}))
    with pytest.raises(UsageError, match=r"^--api and ORDERNOTIFY_AUTH: an HTTP API has no API keys"):
        describe("dev", Names(), told)


def test_a_flag_wins_over_the_environment_and_this_over_the_file(tmp_path: Path) -> None:
    file = told_by_file(write(tmp_path, "memory = 1024\ntimeout = 5\nlog-retention = 7\n"))
    environ = told_by_environment({"ORDERNOTIFY_MEMORY": "2048", "ORDERNOTIFY_TIMEOUT": "6"})
    told = Told.by_flags({"memory": 512}).over(environ).over(file)
    assert describe("dev", Names(), told) == Settings("dev", memory=512, timeout=6, log_retention=7)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("ORDERNOTIFY_STAK", "ORDERNOTIFY_STACK"), ("ORDERNOTIFY_MEMROY", "ORDERNOTIFY_MEMORY")],
)
def test_an_unknown_variable_is_refused_with_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(UsageError, match=f"there is no setting {name}") as refused:
        told_by_environment({name: "dev"})
    assert f"The nearest is {nearest}." in refused.value.hint


def test_an_unknown_variable_that_is_near_none_is_refused_without_a_guess() -> None:
    with pytest.raises(UsageError) as refused:
        told_by_environment({"ORDERNOTIFY_CUSTOMER": "Doe"})
    assert refused.value.hint == "Unset it: unset ORDERNOTIFY_CUSTOMER"


def test_variables_that_are_no_settings_are_known() -> None:
    names = ("API_KEY", "LOCAL_PORT", "CONFIG", "JSON", "VERBOSE")
    assert told_by_environment({f"ORDERNOTIFY_{name}": "1" for name in names}) == Told()


def test_an_unknown_key_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        told_by_file(write(tmp_path, "memroy = 512\n"))
    assert refused.value.hint == "The nearest is memory."


def test_underscores_in_the_file_are_hyphens(tmp_path: Path) -> None:
    path = write(tmp_path, "log_retention = 7\n")
    assert read_settings(path) == {"log-retention": 7}
    save_settings(path, {"log-retention": 14, "log-bodies": False})
    assert path.read_text() == "log_retention = 14\nlog-bodies = false\n"
    with pytest.raises(UsageError, match="line 2: log-retention is set a second time"):
        told_by_file(write(tmp_path, "log_retention = 7\nlog-retention = 7\n"))


def test_a_settings_file_that_is_a_link_stays_one(tmp_path: Path) -> None:
    target = write(tmp_path, "memory = 256\n")
    link = tmp_path / "link.toml"
    link.symlink_to(target.name)
    save_settings(link, {"memory": 512})
    assert link.is_symlink()
    assert target.read_text() == "memory = 512\n"


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
    with pytest.raises(UsageError, match=f"ORDERNOTIFY_{name}: '{text}' must be"):
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
            "role-arn": st.from_regex(
                r"arn:aws:iam::123456789012:role/[A-Za-z0-9_+=,.@/-]{1,40}",
                fullmatch=True,
            ),
            "cors-origin": st.lists(st.sampled_from(["*", "https://a.example", "http://b.example:81"])),
        },
    )
)
def test_what_setup_records_in_tags_is_read_back(told: dict[str, object]) -> None:
    described = describe("dev", Names(), Told.by_flags(told))
    assert all(fits_lambda(value) for value in described.recorded.values())
    assert describe("dev", Names(), Told(), settings_in_tags(described.recorded)) == described


@pytest.mark.parametrize(("field", "text"), [("memory", "abc"), ("api", "soap")])
def test_a_record_that_was_changed_by_hand_is_named(field: str, text: str) -> None:
    with pytest.raises(OrderNotifyError, match=f"tag ordernotify:setting:{field} is '{text}'"):
        settings_in_tags({f"ordernotify:setting:{field}": text})


def test_defaults_are_not_recorded() -> None:
    assert Settings().recorded == {}


def test_no_address_is_recorded() -> None:
    described = Settings(
        emails=("a@example.com",), phones=("+14155550100",), alarm_emails=("o'brien@example.com",)
    )
    assert described.recorded == {}


def test_every_field_of_settings_is_a_row() -> None:
    assert {row.field for row in SETTING_ROWS} == set(Settings.__dataclass_fields__) - {"stack", "names"}


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("https://Shop.example.com", "https://shop.example.com"),
        ("HTTPS://shop.example.com:443/", "https://shop.example.com"),
        ("http://shop.example.com:80", "http://shop.example.com"),
        ("http://localhost:5173", "http://localhost:5173"),
        ("*", "*"),
    ],
)
def test_an_origin_is_brought_to_the_form_that_browsers_send(written: str, sent: str) -> None:
    described = describe("dev", Names(), Told.by_flags({"cors-origin": [written]}))
    assert described.cors_origins == (sent,)


@pytest.mark.parametrize(
    "text",
    [
        "shop.example.com",
        "https://a.example/path",
        "https://a.example?x",
        "https://u:p@a.example",
        "file:///x",
    ],
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not an origin"):
        describe("dev", Names(), Told.by_flags({"cors-origin": [text]}))


@given(st.text() | st.from_regex(r"[Hh]ttps?://[A-Za-z.:/@?#0-9\[\]-]*", fullmatch=True))
def test_any_text_as_origin_is_refused_or_stable(text: str) -> None:
    origin = browser_origin(text)
    try:
        check_origin(origin)
    except UsageError:
        return
    assert browser_origin(origin) == origin
    assert fits_lambda(origin.replace("*", "any"))


TAG_CHARACTERS = st.text() | st.text("aZé 9_.:/=+-@,'*")


@given(TAG_CHARACTERS, TAG_CHARACTERS)
def test_a_tag_that_is_taken_fits_every_service(key: str, value: str) -> None:
    try:
        tags = describe("dev", Names(), Told.by_flags({"tag": [f"{key}={value}"]})).tags
    except UsageError:
        return
    for name, text in tags.items():
        assert fits_lambda(name)
        assert fits_lambda(text)
        assert 1 <= len(name) <= 128
        assert len(text) <= 256
        assert not name.lower().startswith(("aws:", "ordernotify:"))


def test_more_tags_than_aws_takes_are_refused() -> None:
    Settings(tags={f"key{number}": "x" for number in range(MAX_TAGS - OWN_TAGS)})
    with pytest.raises(UsageError, match="50 tags are too many"):
        describe("dev", Names(), Told.by_flags({"tag": [f"key{number}=x" for number in range(50)]}))


def test_saving_makes_the_named_file_and_without_it_a_missing_one_is_refused(tmp_path: Path) -> None:
    environ = command_environ(tmp_path, free_port())
    missing = run_command("status", "--config", "new.toml", environ=environ, folder=tmp_path)
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr.startswith("Error: cannot read the settings file new.toml: No such file")
    # The wrong pair is found only after the missing file was let pass, and before any cloud is started.
    saving = ("setup", "--save", "--config", "new.toml", "--rate", "5", "--yes")
    saved = run_command(*saving, environ=environ, folder=tmp_path)
    assert saved.stderr.startswith("Error: --rate: rate and burst go together")


def test_a_comma_in_a_role_is_recorded_with_characters_that_tags_take() -> None:
    described = Settings(role_arn="arn:aws:iam::123456789012:role/a,b")
    assert all(fits_lambda(value) for value in described.recorded.values())
    assert settings_in_tags(described.recorded) == {"role_arn": described.role_arn}


@pytest.mark.parametrize("key", ["aws:x", "AWS:x", "ordernotify:stack", "a,b", "k" * 129])
def test_a_tag_that_is_reserved_or_refused_by_aws_is_refused(key: str) -> None:
    with pytest.raises(UsageError, match="cannot be a tag of yours"):
        describe("dev", Names(), Told.by_flags({"tag": [f"{key}=1"]}))
